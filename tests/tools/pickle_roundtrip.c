/*
 * pickle_roundtrip PROTOCOL IN OUT [numpy]: read the pickles of a file, one
 * after another, and write them at a protocol.  With "numpy", arrays become
 * tensors on the way.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ferry/sys/build.h>

#include "formats/pickle/pickle.h"

static int replace(void *ctx, struct ferry_store *store,
		   struct ferry_value *value, struct ferry_value **out,
		   struct ferry_error *err)
{
	(void)ctx;
	return pickle_numpy_replace(store, value, out, err);
}

/* Copy a source in pieces of an odd size. */
static int copy(struct ferry_source *src, FILE *file, struct ferry_error *err)
{
	static char part[99991];
	uint64_t at = 0;
	size_t n;
	int ret = 0;

	for (; at < src->nbytes && !ret; at += n) {
		n = src->nbytes - at < sizeof(part) ? src->nbytes - at
						    : sizeof(part);
		ret = ferry_source_read(src, part, at, n, err);
		if (!ret && fwrite(part, 1, n, file) != n)
			ret = ferry_fail(err, FERRY_IO, "", FERRY_NO_OFFSET,
					 "output can't be written");
	}
	return ret;
}

static int carry(struct ferry_source *src, struct ferry_store *store,
		 unsigned protocol, bool numpy, FILE *file,
		 struct ferry_error *err)
{
	struct pickle_reader_options reader = { 0 };
	struct pickle_writer_options writer = { .protocol = protocol,
						.store = store };
	struct ferry_source *encoded;
	struct ferry_value *root;
	uint64_t at = 0;
	int ret = 0;

	if (numpy) {
		reader.reduce = pickle_numpy_reduce;
		writer.replace = replace;
	}
	while (!ret && at < src->nbytes) {
		ret = pickle_read(src, at, store, &reader, &root, &at, err);
		if (ret)
			break;
		ret = pickle_write_source(root, &writer, &encoded, err);
		if (ret)
			break;
		ret = copy(encoded, file, err);
		ferry_source_unref(encoded);
	}
	return ret;
}

int main(int argc, char **argv)
{
	struct ferry_error err = FERRY_ERROR_INIT;
	struct ferry_source *src = NULL;
	struct ferry_store *store = NULL;
	FILE *file = NULL;
	int ret;

	if (argc < 4) {
		fprintf(stderr, "usage: %s PROTOCOL IN OUT [numpy]\n", argv[0]);
		return 2;
	}
	ret = ferry_source_open_file(&src, argv[2], &err);
	if (!ret)
		ret = ferry_store_new(&store, &err);
	if (!ret)
		ret = ferry_store_take_source(store, ferry_source_ref(src));
	file = fopen(argv[3], "wb");
	if (!ret && !file)
		ret = ferry_fail(&err, FERRY_IO, "", FERRY_NO_OFFSET,
				 "output can't be opened");
	if (!ret)
		ret = carry(src, store, (unsigned)strtoul(argv[1], NULL, 10),
			    argc > 4 && !strcmp(argv[4], "numpy"), file, &err);
	if (file && fclose(file) && !ret)
		ret = -1;
	if (ret)
		fprintf(stderr, "%s at %llu: %s\n", ferry_code_name(ret),
			(unsigned long long)err.offset, err.text);
	ferry_source_unref(src);
	ferry_store_unref(store);
	return ret != 0;
}
