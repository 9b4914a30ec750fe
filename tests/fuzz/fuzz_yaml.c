/*
 * Any text, read by both schemas: what is read is written in both styles, and
 * where nothing is said to change, what was written reads to the same text.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ferry/sys/alloc.h>

#include "formats/yaml/yaml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MOST_NODES 20000	/* unfolded */

/* Not NDEBUG's to switch off. */
#define require(truth) ((truth) ? (void)0 : give_up(__LINE__, #truth))

static void give_up(int line, const char *truth)
{
	fprintf(stderr, "fuzz_yaml.c:%d: not so: %s\n", line, truth);
	abort();
}

static bool is_lossless(struct ferry_store *store,
			const struct ferry_value *root,
			const struct yaml_writer *writer)
{
	struct ferry_findings *found;
	bool none;

	require(!ferry_findings_new(&found, NULL));
	require(!yaml_losses(store, root, writer, found, NULL));
	none = !ferry_findings_count_level(found, FERRY_WARNING);
	ferry_findings_free(found);
	return none;
}

static void round_trip(struct ferry_store *store,
		       const struct ferry_value *root, enum yaml_schema schema)
{
	const struct yaml_reader reader = { .schema = schema };
	const struct yaml_writer writer = {
		.style = schema == YAML_PYYAML ? YAML_STYLE_PYYAML :
						 YAML_STYLE_OMEGACONF,
		.max_nodes = MOST_NODES,
	};
	struct ferry_buffer first = FERRY_BUFFER_INIT;
	struct ferry_buffer second = FERRY_BUFFER_INIT;
	struct ferry_error err = FERRY_ERROR_INIT;
	struct ferry_value *back;
	int rc;

	rc = yaml_write(store, root, &writer, &first, &err);
	require(rc == err.code && (!rc || rc == FERRY_LIMIT));
	if (!rc && is_lossless(store, root, &writer)) {
		rc = yaml_read(first.data, first.n, store, &reader, &back,
			       &err);
		require(!rc || rc == FERRY_LIMIT);
	}
	if (!rc && is_lossless(store, root, &writer)) {
		require(!yaml_write(store, back, &writer, &second, &err));
		require(first.n == second.n &&
			!memcmp(first.data, second.data, first.n));
	}
	ferry_buffer_release(&first);
	ferry_buffer_release(&second);
}

/* A copy without sharing reads back from the text without aliases. */
static void sort(struct ferry_store *store, const struct ferry_value *root)
{
	const struct yaml_writer writer = {
		.sort_keys = true, .max_nodes = MOST_NODES,
	};
	struct ferry_buffer first = FERRY_BUFFER_INIT;
	struct ferry_buffer second = FERRY_BUFFER_INIT;
	struct ferry_value *copy;

	if (!yaml_write(store, root, &writer, &first, NULL) &&
	    !yaml_copy_sorted(store, root, &copy, NULL)) {
		require(!yaml_write(store, copy, &writer, &second, NULL));
		require(first.n == second.n &&
			!memcmp(first.data, second.data, first.n));
	}
	ferry_buffer_release(&first);
	ferry_buffer_release(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	for (int schema = YAML_PYYAML; schema <= YAML_OMEGACONF; schema++) {
		const struct yaml_reader reader = {
			.schema = (enum yaml_schema)schema,
			.max_nbytes = 1 << 16,
		};
		struct ferry_error err = FERRY_ERROR_INIT;
		struct ferry_document *doc;
		int rc;

		require(!ferry_document_new(&doc, NULL, NULL));
		rc = yaml_read((const char *)data, size, doc->store, &reader,
			       &doc->root, &err);
		require(rc == err.code && (!rc || err.text[0]));
		if (!rc && !ferry_document_check(doc, &err)) {
			round_trip(doc->store, doc->root, reader.schema);
			sort(doc->store, doc->root);
		}
		ferry_document_free(doc);
	}
	return 0;
}
