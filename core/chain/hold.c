/* What a document has that a format can't hold. */
#include "config.h"

#include "core/chain/hold.h"

#include <inttypes.h>
#include <string.h>

#include <ferry/tensor.h>

#include "core/chain/walk.h"

struct survey {
	struct ferry__holding held;
	uint64_t dtypes;		/* mask */
	uint8_t max_rank;
	const struct ferry_tensor *too_deep;
};

static int survey_slot(void *ctx, struct ferry_value **slot, bool seen)
{
	struct survey *s = ctx;
	const struct ferry_value *v = *slot;

	if (seen)
		return 0;
	if (v->kind == FERRY_TENSOR) {
		s->held.tensors++;
		s->dtypes |= FERRY_DTYPE_BIT(v->u.tensor->dtype);
		s->held.strided += !ferry_tensor_is_contiguous(v->u.tensor);
		if (v->u.tensor->ndim > s->max_rank)
			s->too_deep = v->u.tensor;
	} else if (v->kind == FERRY_OBJECT || v->kind == FERRY_GLOBAL ||
		   v->kind == FERRY_STORAGE) {
		s->held.objects++;
		s->held.storages += v->kind == FERRY_STORAGE;
	}
	return 0;
}

static int survey(const struct ferry_known *writer, struct ferry_document *doc,
		  struct survey *s, struct ferry_error *err)
{
	struct ferry__walk w = { .visit = survey_slot, .ctx = s };
	uint8_t most = writer->format->max_rank;

	*s = (struct survey){ .max_rank = most ? most : FERRY_MAX_RANK };
	if (ferry_marks_init(&w.marks, doc->store))
		return ferry_fail_nomem(err, "a plan");
	ferry__walk(&w, &doc->root);
	ferry_marks_release(&w.marks);
	if (!s->too_deep)
		return 0;
	return ferry_fail(err, FERRY_UNSUPPORTED, "plan", FERRY_NO_OFFSET,
			  "a tensor has %u dimensions; %s holds at most %u",
			  s->too_deep->ndim, writer->name, s->max_rank);
}

/* A mapping of names to tensors, or one tensor. */
static bool is_flat(const struct ferry_value *root)
{
	if (root->kind == FERRY_TENSOR)
		return true;
	if (root->kind != FERRY_DICT)
		return false;
	for (uint32_t i = 0; i < root->u.dict.n; i++)
		if (root->u.dict.pairs[i].key->kind != FERRY_STRING ||
		    root->u.dict.pairs[i].value->kind != FERRY_TENSOR)
			return false;
	return true;
}

static bool has_code(const struct ferry_findings *f, const char *code)
{
	const struct ferry_finding *item;

	for (size_t i = 0; (item = ferry_findings_get(f, i)); i++)
		if (!strcmp(item->code, code))
			return true;
	return false;
}

/* What the flags alone tell; the format's own word on a kind goes first. */
static int compare_flags(const struct ferry_known *writer,
			 const struct ferry_document *doc,
			 const struct ferry__holding *s,
			 struct ferry_findings *f)
{
	uint32_t flags = writer->format->flags;
	const char *name = writer->name;
	bool own = writer->format->losses;
	int rc = 0;

	if (!(flags & FERRY_FORMAT_TENSORS) && s->tensors &&
	    !has_code(f, "tensors"))
		rc = ferry_findings_add(f, FERRY_WARNING, "tensors", "",
					FERRY_NO_OFFSET, "%s holds no tensors: "
					"%" PRIu64 " would be lost", name,
					s->tensors);
	if (flags & FERRY_FORMAT_LOSSLESS)
		return rc;
	if (!rc && !(flags & FERRY_FORMAT_OBJECTS) && s->objects && !own)
		rc = ferry_findings_add(f, FERRY_WARNING, "objects", "",
					FERRY_NO_OFFSET, "%s holds no classes "
					"and calls: %" PRIu64 " would be lost",
					name, s->objects);
	if (!rc && !(flags & FERRY_FORMAT_NESTED) && !own &&
	    !is_flat(doc->root))
		rc = ferry_findings_add(f, FERRY_WARNING, "values", "",
					FERRY_NO_OFFSET, "%s holds named "
					"tensors and nothing else: the rest "
					"would be lost; --weights takes the "
					"model only", name);
	if (!rc && !(flags & FERRY_FORMAT_STRIDED) &&
	    (flags & FERRY_FORMAT_TENSORS) && s->strided &&
	    !has_code(f, "strides"))
		rc = ferry_findings_add(f, FERRY_NOTE, "strides", "",
					FERRY_NO_OFFSET, "%" PRIu64 " tensor%s "
					"written densely in C order: %s keeps "
					"no strides", s->strided,
					s->strided == 1 ? " is" : "s are",
					name);
	return rc;
}

/* A plan has cast what it must before it comes here. */
static int compare_dtypes(const struct ferry_known *writer, uint64_t dtypes,
			  struct ferry_findings *f)
{
	const struct ferry_format *format = writer->format;
	uint64_t rest = dtypes & ~format->dtypes;
	int d = 0;

	if (!rest || !(format->flags & FERRY_FORMAT_TENSORS) ||
	    format->flags & FERRY_FORMAT_LOSSLESS)
		return 0;
	while (!(rest & FERRY_DTYPE_BIT(d)))
		d++;
	return ferry_findings_add(f, FERRY_WARNING, "dtype", "",
				  FERRY_NO_OFFSET, "%s holds no tensor of %s",
				  writer->name,
				  ferry_dtype_name((enum ferry_dtype)d));
}

int ferry__hold(const struct ferry_known *writer, struct ferry_document *doc,
		const struct ferry_options *options,
		struct ferry__holding *out, struct ferry_findings *found,
		struct ferry_error *err)
{
	const struct ferry_format *f = writer->format;
	struct survey s;
	int rc = survey(writer, doc, &s, err);

	if (!rc && f->losses)
		rc = ferry__callback_result(f->losses(doc, options, found, err),
					    "losses", f->name, err);
	if (!rc && (compare_flags(writer, doc, &s.held, found) ||
		    compare_dtypes(writer, s.dtypes, found)))
		rc = ferry_fail_nomem(err, "findings");
	*out = s.held;
	return rc;
}
