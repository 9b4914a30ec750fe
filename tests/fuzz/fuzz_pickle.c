/*
 * Pickles: any bytes are read or refused; what is read is written at every
 * protocol, and what is written reads back to what writes the same bytes.
 */
#include "config.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ferry/sys/alloc.h>
#include <ferry/sys/build.h>

#include "formats/pickle/pickle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Not NDEBUG's to switch off. */
#define require(truth) ((truth) ? (void)0 : give_up(__LINE__, #truth))

static void give_up(int line, const char *truth)
{
	fprintf(stderr, "fuzz_pickle.c:%d: not so: %s\n", line, truth);
	abort();
}

static int replace(void *ctx, struct ferry_store *store,
		   struct ferry_value *value, struct ferry_value **out,
		   struct ferry_error *err)
{
	/* what is given items or state out of turn may lose its turn in a
	 * cycle, and is written another way the second time */
	if (value->kind == FERRY_OBJECT &&
	    value->u.object->form == FERRY_FORM_SELF)
		*(bool *)ctx = true;
	return pickle_numpy_replace(store, value, out, err);
}

static int read_bytes(const void *data, size_t n, struct ferry_store *store,
		      bool numpy, struct ferry_value **out)
{
	struct pickle_reader_options options = {
		.reduce = numpy ? pickle_numpy_reduce : NULL,
		.range_bytes = 16,
		.max_values = 1000000,
	};
	struct ferry_error err = FERRY_ERROR_INIT;
	struct ferry_source *src;
	uint64_t end = 0;
	int ret;

	if (ferry_source_from_memory(&src, data, n, "fuzz", &err))
		return FERRY_NOMEM;
	if (ferry_store_take_source(store, src))
		return FERRY_NOMEM;
	ret = pickle_read(src, 0, store, &options, out, &end, &err);
	require(ret == err.code);
	require(ret ? err.text[0] : end <= n);
	return ret;
}

static int write_value(struct ferry_store *store,
		       const struct ferry_value *root, unsigned protocol,
		       struct ferry_buffer *out, bool *odd)
{
	struct pickle_writer_options options = {
		.protocol = protocol, .store = store, .replace = replace,
		.ctx = odd,
	};
	struct ferry_error err = FERRY_ERROR_INIT;
	struct ferry_source *src;
	char *again;
	int ret;

	ret = pickle_write(root, &options, out, &err);
	if (ret) {
		require(ret == FERRY_UNSUPPORTED || ret == FERRY_LIMIT ||
			ret == FERRY_MALFORMED);
		return ret;
	}
	require(!pickle_write_source(root, &options, &src, &err));
	require(src->nbytes == out->n);
	again = ferry_alloc(out->n);
	require(!ferry_source_read(src, again, 0, out->n, &err));
	require(!memcmp(again, out->data, out->n));
	ferry_alloc_free(again);
	ferry_source_unref(src);
	return 0;
}

static void round_trip(struct ferry_store *store,
		       const struct ferry_value *root, unsigned protocol,
		       bool numpy)
{
	struct ferry_buffer first = FERRY_BUFFER_INIT;
	struct ferry_buffer second = FERRY_BUFFER_INIT;
	struct ferry_value *back;
	bool odd = false;

	if (!write_value(store, root, protocol, &first, &odd)) {
		require(!read_bytes(first.data, first.n, store, numpy, &back));
		require(!write_value(store, back, protocol, &second, &odd));
		require(odd || (first.n == second.n &&
			!memcmp(first.data, second.data, first.n)));
	}
	ferry_buffer_release(&first);
	ferry_buffer_release(&second);
}

static int scan(const uint8_t *data, size_t size)
{
	struct ferry_error err = FERRY_ERROR_INIT;
	struct ferry_store *store;
	struct ferry_source *src;
	struct ferry_value *names;
	uint64_t end = 0;
	int ret;

	require(!ferry_store_new(&store, &err));
	require(!ferry_source_from_memory(&src, data, size, "fuzz", &err));
	ret = pickle_scan(src, 0, store, &names, &end, &err);
	require(names && ret == err.code);
	ferry_source_unref(src);
	ferry_store_unref(store);
	return ret;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const unsigned protocols[] = { 2, 4, 5 };
	struct ferry_error err = FERRY_ERROR_INIT;
	struct ferry_store *store;
	struct ferry_value *root;
	int scanned = scan(data, size);

	for (int numpy = 0; numpy < 2; numpy++) {
		require(!ferry_store_new(&store, &err));
		if (!read_bytes(data, size, store, numpy, &root)) {
			require(!scanned);
			for (int i = 0; i < 3; i++)
				round_trip(store, root, protocols[i], numpy);
		}
		ferry_store_unref(store);
	}
	return 0;
}
