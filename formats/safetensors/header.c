/* Reading and checking a header. */
#include "config.h"

#include "formats/safetensors/header.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ferry/sys/alloc.h>
#include <ferry/sys/bytes.h>
#include <ferry/sys/ckd.h>

#include "formats/json/scan.h"

#define ORIGIN "safetensors"
#define SHOWN 200

struct reader {
	struct json_scan scan;
	struct st_header *h;
	size_t cap, metadata_cap;
	bool has_metadata;
	struct ferry_map metadata_keys;
	struct ferry_error *err;
};

static int fail_nomem(struct reader *r)
{
	return ferry_fail_nomem(r->err, "a safetensors header");
}

static char *show(char out[SHOWN], const struct st_tensor *t)
{
	return ferry_escape(out, SHOWN, t->name, t->name_len);
}

static int next(struct reader *r, enum json_token *token)
{
	return json_scan_next(&r->scan, token, r->err);
}

/* A copy of the last token's text. */
static const char *keep(struct reader *r)
{
	return ferry_store_strndup(r->h->store, r->scan.str, r->scan.nstr);
}

/* ---- one tensor's entry -------------------------------------------------- */

enum { HAS_DTYPE = 1, HAS_SHAPE = 2, HAS_OFFSETS = 4, HAS_ALL = 7 };

static int read_dtype(struct reader *r, struct st_tensor *t)
{
	char shown[SHOWN], name[SHOWN];
	enum json_token token;
	int rc = next(r, &token);

	if (rc)
		return rc;
	if (token != JSON_TEXT)
		return json_scan_fail(&r->scan, r->err,
				      "tensor '%s': dtype is no text",
				      show(name, t));
	t->dtype = st_dtype_find(r->scan.str, r->scan.nstr);
	if (t->dtype < ST_N_DTYPES)
		return 0;
	ferry_escape(shown, sizeof(shown), r->scan.str, r->scan.nstr);
	return json_scan_fail(&r->scan, r->err,
			      "tensor '%s': '%s' is no dtype of safetensors",
			      show(name, t), shown);
}

/* An array of at most max non-negative integers. */
static int read_sizes(struct reader *r, const struct st_tensor *t,
		      const char *what, uint64_t *out, unsigned max,
		      unsigned *n)
{
	char name[SHOWN];
	enum json_token token;
	int rc = next(r, &token);

	if (rc)
		return rc;
	if (token != JSON_BEGIN_ARRAY)
		return json_scan_fail(&r->scan, r->err,
				      "tensor '%s': %s is no array",
				      show(name, t), what);
	for (*n = 0; !(rc = next(r, &token)) && token != JSON_END_ARRAY;
	     ++*n) {
		if (*n == max)
			return ferry_fail(r->err, FERRY_LIMIT, ORIGIN,
					  r->scan.base + r->scan.start,
					  "tensor '%s': %s has more than %u "
					  "numbers", show(name, t), what, max);
		if (!json_scan_u64(&r->scan, token, &out[*n]))
			return json_scan_fail(&r->scan, r->err,
					      "tensor '%s': %s has something "
					      "other than a non-negative "
					      "integer", show(name, t), what);
	}
	return rc;
}

static int read_shape(struct reader *r, struct st_tensor *t)
{
	uint64_t sizes[FERRY_MAX_RANK], *shape;
	unsigned ndim;
	int rc = read_sizes(r, t, "shape", sizes, FERRY_MAX_RANK, &ndim);

	if (rc)
		return rc;
	shape = ferry_store_array(r->h->store, ndim, sizeof(*shape));
	if (!shape)
		return fail_nomem(r);
	memcpy(shape, sizes, ndim * sizeof(*shape));
	t->shape = shape;
	t->ndim = (uint8_t)ndim;
	return 0;
}

static int read_offsets(struct reader *r, struct st_tensor *t)
{
	uint64_t offsets[3];
	char name[SHOWN];
	unsigned n;
	int rc = read_sizes(r, t, "data_offsets", offsets, 3, &n);

	if (rc)
		return rc;
	if (n != 2)
		return json_scan_fail(&r->scan, r->err,
				      "tensor '%s': data_offsets has %u "
				      "numbers, not 2", show(name, t), n);
	t->begin = offsets[0];
	t->end = offsets[1];
	return 0;
}

/* The member whose key was just scanned. */
static int read_member(struct reader *r, struct st_tensor *t, unsigned *has)
{
	enum json_token token;
	unsigned member = 0;
	char name[SHOWN];
	int rc;

	if (json_scan_is(&r->scan, "dtype"))
		member = HAS_DTYPE;
	else if (json_scan_is(&r->scan, "shape"))
		member = HAS_SHAPE;
	else if (json_scan_is(&r->scan, "data_offsets"))
		member = HAS_OFFSETS;
	if (*has & member)
		return json_scan_fail(&r->scan, r->err,
				      "tensor '%s': a member stands twice",
				      show(name, t));
	*has |= member;
	if (member == HAS_DTYPE)
		return read_dtype(r, t);
	if (member == HAS_SHAPE)
		return read_shape(r, t);
	if (member == HAS_OFFSETS)
		return read_offsets(r, t);
	rc = next(r, &token);
	return rc ? rc : json_scan_skip(&r->scan, token, r->err);
}

static struct st_tensor *add_tensor(struct reader *r)
{
	struct st_header *h = r->h;

	if (h->n == r->cap) {
		size_t cap = r->cap ? r->cap * 2 : 64;
		void *tensors = ferry_alloc_resize(h->tensors, cap,
						   sizeof(*h->tensors));

		if (!tensors)
			return NULL;
		h->tensors = tensors;
		r->cap = cap;
	}
	return &h->tensors[h->n];
}

/* The entry of the key just scanned. */
static int read_tensor(struct reader *r)
{
	struct st_tensor *t = add_tensor(r);
	enum json_token token;
	unsigned has = 0;
	char name[SHOWN];
	int rc;

	if (!t)
		return fail_nomem(r);
	*t = (struct st_tensor){
		.name = keep(r),
		.name_len = (uint32_t)r->scan.nstr,
		.entry = r->scan.base + r->scan.start,
	};
	if (!t->name)
		return fail_nomem(r);
	rc = ferry_map_add(&r->h->index, t->name, t->name_len, r->h->n, NULL);
	if (rc < 0)
		return fail_nomem(r);
	if (rc)
		return json_scan_fail(&r->scan, r->err,
				      "tensor '%s' stands twice in the header",
				      show(name, t));
	rc = next(r, &token);
	if (rc)
		return rc;
	if (token != JSON_BEGIN_OBJECT)
		return json_scan_fail(&r->scan, r->err,
				      "tensor '%s': its entry is no object",
				      show(name, t));
	while (!(rc = next(r, &token)) && token == JSON_KEY) {
		rc = read_member(r, t, &has);
		if (rc)
			return rc;
	}
	if (!rc && has != HAS_ALL)
		rc = json_scan_fail(&r->scan, r->err,
				    "tensor '%s': %s is missing",
				    show(name, t), !(has & HAS_DTYPE) ?
				    "dtype" : !(has & HAS_SHAPE) ? "shape" :
				    "data_offsets");
	r->h->n += !rc;
	return rc;
}

/* ---- __metadata__ -------------------------------------------------------- */

/* The pair of a key; a repeated key, as in the reference, means the later. */
static struct st_pair *add_pair(struct reader *r, const char *key, size_t n)
{
	struct st_header *h = r->h;
	uint64_t known;

	if (ferry_map_get(&r->metadata_keys, key, n, &known))
		return &h->metadata[known];
	if (h->n_metadata == r->metadata_cap) {
		size_t cap = r->metadata_cap ? r->metadata_cap * 2 : 8;
		void *pairs = ferry_alloc_resize(h->metadata, cap,
						 sizeof(*h->metadata));

		if (!pairs)
			return NULL;
		h->metadata = pairs;
		r->metadata_cap = cap;
	}
	if (ferry_map_put(&r->metadata_keys, key, n, h->n_metadata))
		return NULL;
	return &h->metadata[h->n_metadata++];
}

static int read_pair(struct reader *r)
{
	size_t key_len = r->scan.nstr;
	const char *key = keep(r);
	struct st_pair *pair;
	enum json_token token;
	char shown[SHOWN];
	int rc;

	if (!key)
		return fail_nomem(r);
	rc = next(r, &token);
	if (rc)
		return rc;
	if (token != JSON_TEXT) {
		ferry_escape(shown, sizeof(shown), key, key_len);
		return json_scan_fail(&r->scan, r->err,
				      ST_METADATA " has '%s', which is no text",
				      shown);
	}
	pair = add_pair(r, key, key_len);
	if (!pair)
		return fail_nomem(r);
	pair->key = key;
	pair->key_len = key_len;
	pair->value = keep(r);
	pair->value_len = r->scan.nstr;
	return pair->value ? 0 : fail_nomem(r);
}

static int read_metadata(struct reader *r)
{
	enum json_token token;
	int rc;

	if (r->has_metadata)
		return json_scan_fail(&r->scan, r->err,
				      ST_METADATA " stands twice");
	r->has_metadata = true;
	rc = next(r, &token);
	if (rc || token == JSON_LITERAL_NULL)
		return rc;
	if (token != JSON_BEGIN_OBJECT)
		return json_scan_fail(&r->scan, r->err,
				      ST_METADATA " is no object");
	while (!(rc = next(r, &token)) && token == JSON_KEY) {
		rc = read_pair(r);
		if (rc)
			return rc;
	}
	return rc;
}

static int read_entries(struct reader *r)
{
	enum json_token token;
	int rc = json_scan_expect(&r->scan, JSON_BEGIN_OBJECT, "'{'", r->err);

	if (rc)
		return rc;
	while (!(rc = next(r, &token)) && token == JSON_KEY) {
		if (json_scan_is(&r->scan, ST_METADATA))
			rc = read_metadata(r);
		else
			rc = read_tensor(r);
		if (rc)
			return rc;
	}
	return rc ? rc : json_scan_expect(&r->scan, JSON_END,
					  "the end of the header", r->err);
}

/* ---- offsets against shapes and the file --------------------------------- */

static int by_offsets(const void *a, const void *b)
{
	const struct st_tensor *x = *(const struct st_tensor *const *)a;
	const struct st_tensor *y = *(const struct st_tensor *const *)b;

	if (x->begin != y->begin)
		return x->begin < y->begin ? -1 : 1;
	return (x->end > y->end) - (x->end < y->end);
}

static int FERRY_PRINTF(3, 4) bad_tensor(const struct st_tensor *t,
					 struct ferry_error *err,
					 const char *fmt, ...)
{
	char name[SHOWN], text[300];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return ferry_fail(err, FERRY_MALFORMED, ORIGIN, t->entry,
			  "tensor '%s': %s", show(name, t), text);
}

/* The bytes that dtype and shape ask for, multiplied from the left, as the
 * reference does: [2^32, 2^32, 0] overflows there too. */
static int check_size(const struct st_tensor *t, struct ferry_error *err)
{
	unsigned width = st_dtype_bits(t->dtype);
	uint64_t n = 1, bits;

	for (unsigned i = 0; i < t->ndim; i++)
		if (ferry_ckd_mul(&n, n, t->shape[i]))
			return bad_tensor(t, err, "shape overflows 64 bits");
	if (ferry_ckd_mul(&bits, n, width))
		return bad_tensor(t, err, "shape overflows 64 bits");
	if (bits % 8)
		return bad_tensor(t, err, "%" PRIu64 " elements of %u bits end "
				  "inside a byte", n, width);
	if (t->end - t->begin != bits / 8)
		return bad_tensor(t, err, "dtype and shape ask for %" PRIu64
				  " bytes, data_offsets give %" PRIu64,
				  bits / 8, t->end - t->begin);
	return 0;
}

static int check_order(struct st_tensor *const *order, size_t n,
		       uint64_t nbytes, struct ferry_error *err)
{
	uint64_t at = 0;
	int rc;

	for (size_t i = 0; i < n; i++) {
		const struct st_tensor *t = order[i];

		if (t->end < t->begin)
			return bad_tensor(t, err, "data begins at byte %" PRIu64
					  " and ends before, at %" PRIu64,
					  t->begin, t->end);
		if (t->begin != at)
			return bad_tensor(t, err, "data begins at byte %" PRIu64
					  ", %s at %" PRIu64, t->begin,
					  t->begin > at ?
					  "after a hole: the data before ends" :
					  "inside the data before, which ends",
					  at);
		if (t->end > nbytes)
			return bad_tensor(t, err, "data ends at byte %" PRIu64
					  ", the file has %" PRIu64 " bytes of "
					  "data: it looks cut off; copy or "
					  "download it again", t->end, nbytes);
		rc = check_size(t, err);
		if (rc)
			return rc;
		at = t->end;
	}
	if (at != nbytes)
		return ferry_fail(err, FERRY_MALFORMED, ORIGIN,
				  FERRY_NO_OFFSET,
				  "file has %" PRIu64 " bytes of data, its "
				  "tensors cover %" PRIu64, nbytes, at);
	return 0;
}

static int check_offsets(const struct st_header *h, uint64_t nbytes,
			 struct ferry_error *err)
{
	struct st_tensor **order = ferry_alloc_zero(h->n, sizeof(*order));
	bool sorted = true;
	int rc;

	if (!order)
		return ferry_fail_nomem(err, "a safetensors header");
	for (size_t i = 0; i < h->n; i++) {
		order[i] = &h->tensors[i];
		sorted = sorted && (!i || by_offsets(&order[i - 1],
						     &order[i]) <= 0);
	}
	if (!sorted)
		qsort(order, h->n, sizeof(*order), by_offsets);
	rc = check_order(order, h->n, nbytes, err);
	ferry_alloc_free(order);
	return rc;
}

/* ---- the file ------------------------------------------------------------ */

static int read_length(struct ferry_source *src, uint64_t *out,
		       struct ferry_error *err)
{
	unsigned char length[ST_LENGTH_BYTES];
	int rc;

	if (src->nbytes < sizeof(length))
		return ferry_fail(err, FERRY_MALFORMED, ORIGIN, 0,
				  "file has %" PRIu64 " bytes, fewer than the "
				  "8 of a header's length", src->nbytes);
	rc = ferry_source_read(src, length, 0, sizeof(length), err);
	if (rc)
		return rc;
	*out = ferry_le64(length);
	if (*out > ST_MAX_HEADER)
		return ferry_fail(err, FERRY_MALFORMED, ORIGIN, 0,
				  "header's length is %" PRIu64 " bytes, the "
				  "format's limit is %d", *out, ST_MAX_HEADER);
	if (*out > src->nbytes - sizeof(length))
		return ferry_fail(err, FERRY_MALFORMED, ORIGIN, 0,
				  "header ends at byte %" PRIu64 ", the file "
				  "at %" PRIu64 ": it looks cut off; copy or "
				  "download it again", *out + 8, src->nbytes);
	return 0;
}

int st_header_read(struct st_header *out, struct ferry_source *src,
		   struct ferry_error *err)
{
	struct st_header h = { 0 };
	struct reader r = { .h = &h, .err = err };
	char *text = NULL;
	int rc = read_length(src, &h.header_nbytes, err);

	if (rc)
		return rc;
	h.data = ST_LENGTH_BYTES + h.header_nbytes;
	rc = ferry_store_new(&h.store, err);
	if (rc)
		return rc;
	text = ferry_alloc((size_t)h.header_nbytes);
	if (!text)
		rc = fail_nomem(&r);
	if (!rc)
		rc = ferry_source_read(src, text, ST_LENGTH_BYTES,
				       (size_t)h.header_nbytes, err);
	if (!rc) {
		json_scan_init(&r.scan, text, (size_t)h.header_nbytes, ORIGIN);
		r.scan.base = ST_LENGTH_BYTES;
		r.scan.refuse_surrogates = true;
		rc = read_entries(&r);
		json_scan_release(&r.scan);
	}
	if (!rc)
		rc = check_offsets(&h, src->nbytes - h.data, err);
	ferry_alloc_free(text);
	ferry_map_release(&r.metadata_keys);
	if (rc)
		st_header_release(&h);
	else
		*out = h;
	return rc;
}

void st_header_release(struct st_header *h)
{
	ferry_alloc_free(h->tensors);
	ferry_alloc_free(h->metadata);
	ferry_map_release(&h->index);
	ferry_store_unref(h->store);
	*h = (struct st_header){ 0 };
}

const struct st_tensor *st_header_find(const struct st_header *h,
				       const char *name, size_t n)
{
	uint64_t i;

	return ferry_map_get(&h->index, name, n, &i) ? &h->tensors[i] : NULL;
}

const struct st_pair *st_header_metadata(const struct st_header *h,
					 const char *key)
{
	for (size_t i = 0; i < h->n_metadata; i++)
		if (h->metadata[i].key_len == strlen(key) &&
		    !memcmp(h->metadata[i].key, key, h->metadata[i].key_len))
			return &h->metadata[i];
	return NULL;
}
