/* Fuzz npy and npz: read, look at every tensor, say how it would be written. */
#include "config.h"

#include <stdint.h>
#include <string.h>

#include <ferry/sys/build.h>
#include <ferry/sys/buffer.h>
#include <ferry/tensor.h>

#include "formats/numpy/array.h"

#define SAMPLE_NELEM 512

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void look_at(const struct ferry_tensor *t)
{
	const struct numpy_write_options options = { 0 };
	struct ferry_buffer head = FERRY_BUFFER_INIT;
	static uint8_t sample[SAMPLE_NELEM * 16];
	uint64_t n = ferry_tensor_nelem(t);
	struct npy_encoded a;

	if (t->flags & FERRY_META || !ferry_dtype_size(t->dtype))
		return;
	ferry_tensor_read(t, 0, n < SAMPLE_NELEM ? n : SAMPLE_NELEM, sample,
			  NULL);
	if (n > SAMPLE_NELEM)
		ferry_tensor_read(t, n - SAMPLE_NELEM, SAMPLE_NELEM, sample,
				  NULL);
	if (!npy_encode(t, &options, &a, NULL))
		npy_header_write(&a, &head, NULL);
	ferry_buffer_release(&head);
}

static void look_at_all(struct ferry_document *doc)
{
	struct ferry_places places;

	if (ferry_places_init(&places, doc, NULL))
		return;
	for (size_t i = 0; i < places.n && i < 64; i++)
		if (places.items[i].value->kind == FERRY_TENSOR)
			look_at(places.items[i].value->u.tensor);
	ferry_places_release(&places);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct numpy_read_options options = {
		.v1 = size & 1 ? FERRY_F8_E4M3FN : FERRY_DTYPE_NONE,
		.v1_raw = size & 2,
		.v2_raw = size & 4,
	};
	const bool npz = size > 1 && data[0] == 'P';
	struct ferry_document *doc;
	struct ferry_source *src;
	int rc;

	if (ferry_document_new(&doc, NULL, NULL))
		return 0;
	if (!ferry_source_from_memory(&src, data, size, "fuzz", NULL)) {
		rc = npz ? npz_read(src, doc, &options, NULL)
			 : npy_read(src, doc, &options, NULL);
		if (!rc && !ferry_document_check(doc, NULL))
			look_at_all(doc);
		ferry_source_unref(src);
	}
	ferry_document_free(doc);
	return 0;
}
