/* !!binary: base64, read as leniently as Python does. */
#include "config.h"

#include <string.h>

#include <ferry/sys/alloc.h>
#include <ferry/sys/base64.h>

#include "formats/yaml/scalar.h"

#define LINE_NBYTES 57			/* 76 digits */
#define CHUNK_NBYTES (LINE_NBYTES * 1024)
#define MOST_NBYTES (UINT64_C(1) << 28)

static bool is_ascii(const char *text, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)text[i] >= 0x80)
			return false;
	return true;
}

/* False when the padding does not fit; *nout bytes at `to`. */
static bool decode(const char *text, size_t n, unsigned char *to, size_t *nout)
{
	unsigned at = 0, pads = 0, group = 0;
	size_t made = 0;

	*nout = 0;
	for (size_t i = 0; i < n; i++) {
		int value = ferry_base64_value(text[i]);

		if (text[i] == '=') {
			if (at >= 2 && at + ++pads >= 4) {
				*nout = made;
				return true;
			}
			continue;
		}
		if (value < 0)
			continue;
		pads = 0;
		group = group << 6 | (unsigned)value;
		if (at)
			to[made++] = (unsigned char)(group >> (6 - 2 * at));
		at = (at + 1) % 4;
	}
	*nout = made;
	return !at;
}

int yaml_parse_binary(struct ferry_store *store, const char *text, size_t n,
		      struct ferry_value **out)
{
	unsigned char *data;
	size_t made;
	bool good;

	if (!is_ascii(text, n))
		return FERRY_MALFORMED;
	data = ferry_alloc(n / 4 * 3 + 4);
	if (!data)
		return FERRY_NOMEM;
	good = decode(text, n, data, &made);
	*out = good ? ferry_bytes(store, data, made, 0) : NULL;
	ferry_alloc_free(data);
	return !good ? FERRY_MALFORMED : *out ? 0 : FERRY_NOMEM;
}

static void add_lines(struct ferry_buffer *out, const unsigned char *p,
		      size_t n)
{
	while (n) {
		size_t line = n < LINE_NBYTES ? n : LINE_NBYTES;

		ferry_base64_add(out, p, line);
		ferry_buffer_add(out, "\n", 1);
		p += line;
		n -= line;
	}
}

static int add_range(struct ferry_buffer *out, const struct ferry_value *v,
		     struct ferry_error *err)
{
	unsigned char *chunk = ferry_alloc(CHUNK_NBYTES);
	uint64_t done = 0, all = v->u.range.nbytes;
	int rc = chunk ? 0 : ferry_fail_nomem(err, "bytes");

	while (!rc && done < all) {
		size_t n = all - done < CHUNK_NBYTES ? (size_t)(all - done) :
						       CHUNK_NBYTES;

		rc = ferry_source_read(v->u.range.source, chunk,
				       v->u.range.offset + done, n, err);
		if (!rc)
			add_lines(out, chunk, n);
		done += n;
	}
	ferry_alloc_free(chunk);
	return rc;
}

int yaml_add_binary(struct ferry_buffer *out, const struct ferry_value *v,
		    struct ferry_error *err)
{
	uint64_t n = v->flags & FERRY_RANGE ? v->u.range.nbytes : v->u.s.nbytes;

	if (n > MOST_NBYTES)
		return ferry_fail(err, FERRY_LIMIT, "yaml", FERRY_NO_OFFSET,
				  "bytes of %llu bytes are too long for YAML; "
				  "the limit is %llu", (unsigned long long)n,
				  (unsigned long long)MOST_NBYTES);
	if (v->flags & FERRY_RANGE)
		return add_range(out, v, err);
	add_lines(out, (const unsigned char *)v->u.s.data, (size_t)n);
	return 0;
}
