/* One tensor as a .npy file. */
#include "config.h"

#include "formats/numpy/array.h"

#include <ferry/sys/alloc.h>

/* The only tensor of a document; LOSSY when there are none or several. */
static int find_only(struct ferry_places *places, struct ferry_document *doc,
		     struct ferry_error *err)
{
	struct ferry_places p;
	int rc = ferry_places_init(&p, doc, err);

	if (rc)
		return rc;
	if (p.n == 1 && p.items[0].value->kind == FERRY_TENSOR) {
		*places = p;
		return 0;
	}
	if (p.n > 1)
		rc = ferry_fail(err, FERRY_LOSSY, "npy", FERRY_NO_OFFSET,
				"npy holds one array and the document has %zu "
				"('%s', '%s', ...); write .npz, or choose one "
				"with --select", p.n, p.items[0].name,
				p.items[1].name);
	else
		rc = ferry_fail(err, FERRY_LOSSY, "npy", FERRY_NO_OFFSET,
				"npy holds one array and the document has no "
				"tensor; write .npz or .json");
	ferry_places_release(&p);
	return rc;
}

static int add_array(struct ferry_store *store, struct ferry_value *tensor,
		     const struct npy_encoded *a, struct ferry_sink *sink,
		     struct ferry_error *err)
{
	struct ferry_buffer head = FERRY_BUFFER_INIT;
	struct ferry_transfer t = { 0 };
	int rc = npy_header_write(a, &head, err);

	if (!rc)
		rc = ferry_sink_append(sink, head.data, head.n, err);
	t.sink_offset = head.n;
	ferry_buffer_release(&head);
	if (!rc)
		rc = npy_encoded_source(store, tensor, a, &t.source,
					&t.source_offset, &t.nbytes, err);
	if (rc || !t.nbytes)
		return rc;
	return ferry_sink_transfer(sink, &t, 1, err);
}

int npy_write(struct ferry_document *doc, struct ferry_sink *sink,
	      const struct numpy_write_options *options,
	      struct ferry_findings *out, struct ferry_error *err)
{
	struct ferry_places places;
	struct ferry_value *tensor;
	struct npy_encoded a;
	int rc = find_only(&places, doc, err);

	(void)out;
	if (rc)
		return rc;
	tensor = places.items[0].value;
	ferry_places_release(&places);
	rc = npy_encode(tensor->u.tensor, options, &a, err);
	return rc ? rc : add_array(doc->store, tensor, &a, sink, err);
}

/* What surrounds the tensor. */
static int frame_losses(const struct ferry_value *root,
			const struct ferry_place *place,
			struct ferry_findings *out)
{
	if (root == place->value)
		return 0;
	if (root == place->holder)
		return ferry_findings_add(out, FERRY_NOTE, "parameter", "",
					  FERRY_NO_OFFSET,
					  "npy holds the array, not that it is "
					  "a parameter");
	if (root->kind == FERRY_DICT && root->u.dict.n == 1 &&
	    ferry_value_payload(root->u.dict.pairs[0].value) == place->value)
		return ferry_findings_add(out, FERRY_NOTE, "name", place->name,
					  FERRY_NO_OFFSET,
					  "npy holds the array without its "
					  "name");
	return ferry_findings_add(out, FERRY_WARNING, "structure", place->name,
				  FERRY_NO_OFFSET, "npy holds this array "
				  "alone; all that stands around it is left "
				  "out");
}

static int order_losses(const struct ferry_place *place,
			const struct npy_encoded *a, struct ferry_findings *out)
{
	if (ferry_tensor_is_contiguous(place->value->u.tensor))
		return 0;
	return ferry_findings_add(out, FERRY_NOTE, "strides", place->name,
				  FERRY_NO_OFFSET, a->fortran ?
				  "array is written in Fortran order, as it "
				  "lies" : "strided array is written densely "
				  "in C order");
}

static int tensor_losses(const struct ferry_place *place,
			 const struct npy_encoded *a,
			 struct ferry_findings *out)
{
	const struct ferry_tensor *t = place->value->u.tensor;
	int rc = order_losses(place, a, out);

	if (!rc && t->flags & FERRY_REQUIRES_GRAD)
		rc = ferry_findings_add(out, FERRY_NOTE, "requires-grad",
					place->name, FERRY_NO_OFFSET,
					"npy has no place for requires_grad");
	if (!rc && a->cast)
		rc = ferry_findings_add(out, FERRY_NOTE, "bfloat16",
					place->name, FERRY_NO_OFFSET,
					"bfloat16 is written as float32");
	else if (!rc && t->dtype == FERRY_BF16)
		rc = ferry_findings_add(out, FERRY_NOTE, "bfloat16",
					place->name, FERRY_NO_OFFSET,
					"numpy has no bfloat16: it is written "
					"as 2-byte elements without a type");
	else if (!rc && !a->natural)
		rc = ferry_findings_add(out, FERRY_WARNING, "dtype",
					place->name, FERRY_NO_OFFSET,
					"%s is written as '%s', and npy has no "
					"place to say what it was",
					ferry_dtype_name(t->dtype), a->descr);
	return rc;
}

int npy_losses(struct ferry_document *doc,
	       const struct numpy_write_options *options,
	       struct ferry_findings *out, struct ferry_error *err)
{
	struct ferry_places places;
	struct npy_encoded a;
	int rc = find_only(&places, doc, err);

	if (rc)
		return rc;
	rc = npy_encode(places.items[0].value->u.tensor, options, &a, err);
	if (!rc && (frame_losses(doc->root, &places.items[0], out) ||
		    tensor_losses(&places.items[0], &a, out)))
		rc = ferry_fail_nomem(err, "a list of losses");
	ferry_places_release(&places);
	return rc;
}
