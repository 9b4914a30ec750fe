/* Any text: plain JSON and typed JSON, and back. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include <ferry/sys/alloc.h>

#include "formats/json/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int make_tensor(void *ctx, struct ferry_store *store, const char *name,
		       struct ferry_value *members, struct ferry_value **out,
		       struct ferry_error *err)
{
	const uint64_t shape[1] = { strlen(name) };

	(void)ctx;
	if (ferry_dict_get(members, "$storage"))
		return ferry_fail(err, FERRY_UNSUPPORTED, "fuzz", 0, "storage");
	*out = ferry_tensor(store, FERRY_U8, 1, shape, NULL, 0, NULL);
	if (!*out)
		return ferry_fail_nomem(err, "a tensor");
	(*out)->u.tensor->flags = FERRY_META;
	return 0;
}

static int make_bytes(void *ctx, struct ferry_store *store, const char *name,
		      unsigned flags, struct ferry_value **out,
		      struct ferry_error *err)
{
	(void)ctx;
	*out = ferry_bytes(store, name, strlen(name), flags);
	return *out ? 0 : ferry_fail_nomem(err, "bytes");
}

static const struct typed_json_reader reader = {
	.tensor = make_tensor, .bytes = make_bytes,
};

/* What was read is written, and what was written reads to the same text. */
static void check_plain(const struct ferry_value *v, struct ferry_store *store)
{
	struct ferry_buffer once = FERRY_BUFFER_INIT;
	struct ferry_buffer twice = FERRY_BUFFER_INIT;
	struct ferry_value *back;

	if (!json_is_plain(v))
		return;
	if (json_write(v, 0, &once, NULL) ||
	    json_read(once.data, once.n, store, &back, NULL) ||
	    json_write(back, 0, &twice, NULL) ||
	    once.n != twice.n || memcmp(once.data, twice.data, once.n))
		abort();
	ferry_buffer_release(&once);
	ferry_buffer_release(&twice);
}

static void check_typed(const struct ferry_value *v, struct ferry_store *store)
{
	struct ferry_buffer once = FERRY_BUFFER_INIT;
	struct ferry_buffer twice = FERRY_BUFFER_INIT;
	struct ferry_value *back;

	if (typed_json_write(v, NULL, &once, NULL) ||
	    typed_json_read(once.data, once.n, store, &reader, &back, NULL) ||
	    typed_json_write(back, NULL, &twice, NULL) ||
	    once.n != twice.n || memcmp(once.data, twice.data, once.n))
		abort();
	ferry_buffer_release(&once);
	ferry_buffer_release(&twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	struct ferry_error err = FERRY_ERROR_INIT;
	struct ferry_document *doc;
	struct ferry_value *v;

	if (ferry_document_new(&doc, NULL, NULL))
		return 0;
	if (!json_read(text, size, doc->store, &v, &err))
		check_plain(v, doc->store);
	ferry_error_clear(&err);
	if (!typed_json_read(text, size, doc->store, &reader, &v, &err)) {
		doc->root = v;
		if (!ferry_document_check(doc, &err))
			check_typed(v, doc->store);
	}
	ferry_document_free(doc);
	return 0;
}
