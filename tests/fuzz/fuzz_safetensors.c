/* Any bytes as a safetensors file, or as an index. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include <ferry/sys/bytes.h>
#include <ferry/tensor.h>

#include "formats/json/json.h"
#include "formats/safetensors/safetensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SMALL 65536

/* What was read must be sound: every tensor within its storage and readable. */
static void check_tensors(struct ferry_document *doc)
{
	struct ferry_places places;
	static char buf[SMALL];

	if (ferry_places_init(&places, doc, NULL))
		abort();
	for (size_t i = 0; i < places.n; i++) {
		const struct ferry_value *v = places.items[i].value;
		const struct ferry_tensor *t = v->u.tensor;
		struct ferry_error err = FERRY_ERROR_INIT;

		if (v->kind != FERRY_TENSOR || t->flags & FERRY_META ||
		    ferry_tensor_nbytes(t) > SMALL)
			continue;
		if (ferry_tensor_read(t, 0, ferry_tensor_nelem(t), buf, &err))
			abort();
	}
	ferry_places_release(&places);
}

static void check_document(struct ferry_document *doc)
{
	const struct typed_json_writer writer = { .drop_data = true };
	struct ferry_buffer text = FERRY_BUFFER_INIT;

	check_tensors(doc);
	if (typed_json_write(doc->root, &writer, &text, NULL) &&
	    !text.failed && text.n < SMALL)
		abort();
	ferry_buffer_release(&text);
	safetensors_losses(doc, NULL, doc->findings, NULL);
}

static void check_file(const void *data, size_t size)
{
	struct ferry_input in = { .path = "" };
	struct ferry_error err = FERRY_ERROR_INIT;
	struct ferry_document *doc;

	if (ferry_source_from_memory(&in.source, data, size, "fuzz", NULL))
		return;
	if (ferry_document_new(&doc, NULL, NULL))
		abort();
	if (!safetensors_read(&in, doc, &err) &&
	    !ferry_document_check(doc, &err))
		check_document(doc);
	ferry_document_free(doc);
	ferry_source_unref(in.source);
}

/* The input as it is, and as the header and data of a file whose length is
 * right, for that is what a mutation breaks first. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t n = size;
	uint8_t *file;

	check_file(data, size);
	while (n && data[n - 1] != '}')
		n--;
	file = malloc(size + 8);
	if (!n || !file) {
		free(file);
		return 0;
	}
	ferry_put_le64(file, n);
	memcpy(file + 8, data, size);
	check_file(file, size + 8);
	free(file);
	return 0;
}
