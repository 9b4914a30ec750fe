/* The header of an array: magic, version, length, a literal. */
#include "config.h"

#include "formats/numpy/array.h"

#include <inttypes.h>
#include <string.h>

#include <ferry/sys/alloc.h>
#include <ferry/sys/bytes.h>
#include <ferry/sys/ckd.h>

#include "formats/numpy/literal.h"

/* What numpy keeps free so that a growing axis can be rewritten in place. */
#define GROWTH_DIGITS 21
#define HEADER_ALIGN 64

static int malformed(struct ferry_error *err, uint64_t offset, const char *what)
{
	return ferry_fail(err, FERRY_MALFORMED, "npy", offset, "%s", what);
}

/* Magic, version and length: *data is where the data begins, *text where the
 * literal does. */
static int read_lengths(struct ferry_source *src, struct npy_header *h,
			uint64_t *text, struct ferry_error *err)
{
	uint8_t head[12];
	size_t n = src->nbytes < sizeof(head) ? src->nbytes : sizeof(head);
	uint64_t length;
	int rc;

	if (n < 10)
		return malformed(err, 0, "file ends inside the array header");
	rc = ferry_source_read(src, head, 0, n, err);
	if (rc)
		return rc;
	if (memcmp(head, NPY_MAGIC, NPY_MAGIC_NBYTES))
		return malformed(err, 0, "array does not begin with "
				 "\\x93NUMPY");
	h->major = head[6];
	h->minor = head[7];
	if (h->major < 1 || h->major > 3 || h->minor)
		return ferry_fail(err, FERRY_UNSUPPORTED, "npy", 6,
				  "array format version %u.%u, known are 1.0, "
				  "2.0 and 3.0", h->major, h->minor);
	if (n < 12 && h->major > 1)
		return malformed(err, 8, "file ends inside the array header");
	*text = h->major == 1 ? 10 : 12;
	length = h->major == 1 ? ferry_le16(head + 8) : ferry_le32(head + 8);
	if (ferry_ckd_outside(*text, length, src->nbytes))
		return ferry_fail(err, FERRY_MALFORMED, "npy", 8,
				  "array header of %" PRIu64 " bytes passes "
				  "the end at %" PRIu64, length, src->nbytes);
	if (length > NPY_HEADER_MAX)
		return ferry_fail(err, FERRY_LIMIT, "npy", 8,
				  "array header of %" PRIu64 " bytes is longer "
				  "than %d", length, NPY_HEADER_MAX);
	h->data = *text + length;
	return 0;
}

/* Latin-1 is what versions 1 and 2 are in. */
static void add_latin1(struct ferry_buffer *b, const uint8_t *text, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		char two[2] = { (char)(0xc0 | text[i] >> 6),
				(char)(0x80 | (text[i] & 0x3f)) };

		if (text[i] < 0x80)
			ferry_buffer_add(b, text + i, 1);
		else
			ferry_buffer_add(b, two, 2);
	}
}

bool npy_is_utf8(const char *text, size_t n)
{
	const uint8_t *p = (const uint8_t *)text, *end = p + n;

	while (p < end) {
		unsigned more = (*p >= 0x80) + (*p >= 0xe0) + (*p >= 0xf0);
		uint32_t c = more == 0 ? *p : *p & (0x3fu >> more);

		if ((*p >= 0x80 && *p < 0xc2) || *p > 0xf4 ||
		    (size_t)(end - p) <= more)
			return false;
		for (unsigned i = 1; i <= more; i++) {
			if ((p[i] & 0xc0) != 0x80)
				return false;
			c = c << 6 | (p[i] & 0x3f);
		}
		if ((more == 2 && c < 0x800) || (more == 3 && c < 0x10000) ||
		    (c >= 0xd800 && c < 0xe000) || c > 0x10ffff)
			return false;
		p += more + 1;
	}
	return true;
}

static int read_text(struct ferry_source *src, const struct npy_header *h,
		     uint64_t text, struct ferry_buffer *raw,
		     struct ferry_buffer *utf8, struct ferry_error *err)
{
	size_t n = (size_t)(h->data - text);
	void *to = ferry_buffer_extend(raw, n);
	int rc;

	if (!to)
		return ferry_fail_nomem(err, "an array header");
	rc = ferry_source_read(src, to, text, n, err);
	if (rc)
		return rc;
	if (memchr(to, 0, n))
		return malformed(err, text, "array header holds a NUL byte");
	if (h->major < 3) {
		add_latin1(utf8, to, n);
	} else if (npy_is_utf8(to, n)) {
		ferry_buffer_add(utf8, to, n);
	} else {
		return malformed(err, text, "array header is not UTF-8");
	}
	return utf8->failed ? ferry_fail_nomem(err, "an array header") : 0;
}

static int set_shape(const struct ferry_value *shape, struct npy_header *h,
		     struct ferry_error *err)
{
	uint64_t nelem = 1;

	if (!shape || shape->kind != FERRY_TUPLE)
		return malformed(err, 10, "array header: 'shape' is no tuple");
	if (shape->u.list.n > FERRY_MAX_RANK)
		return ferry_fail(err, FERRY_LIMIT, "npy", 10,
				  "array has %u dimensions, the most is %d",
				  shape->u.list.n, FERRY_MAX_RANK);
	h->ndim = shape->u.list.n;
	for (unsigned i = 0; i < h->ndim; i++) {
		const struct ferry_value *d = shape->u.list.items[i];
		int64_t n = d->kind == FERRY_INT ? d->u.i : -1;

		if (n < 0)
			return malformed(err, 10, "array header: 'shape' holds "
					 "what is no length");
		h->shape[i] = (uint64_t)n;
		if (n && ferry_ckd_mul(&nelem, nelem, (uint64_t)n))
			return malformed(err, 10, "array header: 'shape' is "
					 "beyond 64 bits");
	}
	return nelem <= INT64_MAX ? 0 :
	       malformed(err, 10, "array header: 'shape' is beyond 64 bits");
}

static int set_fields(const struct ferry_value *dict, struct npy_header *h,
		      struct ferry_error *err)
{
	const struct ferry_value *fortran;

	if (dict->kind != FERRY_DICT)
		return malformed(err, 10, "array header is no dict");
	h->descr = ferry_dict_get(dict, "descr");
	fortran = ferry_dict_get(dict, "fortran_order");
	if (dict->u.dict.n != 3 || !h->descr || !fortran)
		return malformed(err, 10, "array header must have exactly "
				 "'descr', 'fortran_order' and 'shape'");
	if (fortran->kind != FERRY_BOOL)
		return malformed(err, 10, "array header: 'fortran_order' is "
				 "neither True nor False");
	h->fortran = fortran->u.b;
	return set_shape(ferry_dict_get(dict, "shape"), h, err);
}

int npy_header_read(struct ferry_source *src, struct ferry_store *store,
		    struct npy_header *out, struct ferry_error *err)
{
	struct ferry_buffer raw = FERRY_BUFFER_INIT, utf8 = FERRY_BUFFER_INIT;
	struct npy_header h = { 0 };
	struct ferry_value *dict;
	uint64_t text = 0;
	int rc;

	rc = read_lengths(src, &h, &text, err);
	if (!rc)
		rc = read_text(src, &h, text, &raw, &utf8, err);
	if (!rc)
		rc = literal_read(utf8.data ? utf8.data : "", utf8.n, text,
				  h.major < 3, store, &dict, err);
	if (!rc)
		rc = set_fields(dict, &h, err);
	if (!rc)
		*out = h;
	ferry_buffer_release(&utf8);
	ferry_buffer_release(&raw);
	return rc;
}

static unsigned digits(uint64_t n)
{
	unsigned d = 1;

	while (n >= 10)
		n /= 10, d++;
	return d;
}

static void add_literal(const struct npy_encoded *a, struct ferry_buffer *b)
{
	ferry_buffer_printf(b, "{'descr': '%s', 'fortran_order': %s, "
			    "'shape': (", a->descr,
			    a->fortran ? "True" : "False");
	for (unsigned i = 0; i < a->ndim; i++)
		ferry_buffer_printf(b, "%s%" PRIu64, i ? ", " : "",
				    a->shape[i]);
	ferry_buffer_add_str(b, a->ndim == 1 ? ",), }" : "), }");
	if (a->ndim)
		ferry_buffer_printf(b, "%*s", (int)(GROWTH_DIGITS -
				    digits(a->shape[a->fortran ? a->ndim - 1
							       : 0])), "");
}

int npy_header_write(const struct npy_encoded *array, struct ferry_buffer *out,
		     struct ferry_error *err)
{
	static const char start[10] = NPY_MAGIC "\1\0\0";
	size_t first = out->n;

	ferry_buffer_add(out, start, sizeof(start));
	add_literal(array, out);
	ferry_buffer_printf(out, "%*s\n", (int)(HEADER_ALIGN -
			    (out->n - first + 1) % HEADER_ALIGN), "");
	if (out->failed)
		return ferry_fail_nomem(err, "an array header");
	ferry_put_le16(out->data + first + 8,
		       (uint16_t)(out->n - first - sizeof(start)));
	return 0;
}
