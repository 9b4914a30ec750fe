/* A source with the bytes of every element reversed. */
#include "config.h"

#include <ferry/sys/source.h>

#include <string.h>

#include <ferry/sys/alloc.h>

struct swap_source {
	struct ferry_source base;
	struct ferry_source *parent;
	unsigned unit;
};

static void swap_2(unsigned char *p, size_t n)
{
	uint16_t v;
	size_t i;

	for (i = 0; i + 2 <= n; i += 2) {
		memcpy(&v, p + i, 2);
		v = __builtin_bswap16(v);
		memcpy(p + i, &v, 2);
	}
}

static void swap_4(unsigned char *p, size_t n)
{
	uint32_t v;
	size_t i;

	for (i = 0; i + 4 <= n; i += 4) {
		memcpy(&v, p + i, 4);
		v = __builtin_bswap32(v);
		memcpy(p + i, &v, 4);
	}
}

static void swap_8(unsigned char *p, size_t n)
{
	uint64_t v;
	size_t i;

	for (i = 0; i + 8 <= n; i += 8) {
		memcpy(&v, p + i, 8);
		v = __builtin_bswap64(v);
		memcpy(p + i, &v, 8);
	}
}

static void swap_16(unsigned char *p, size_t n)
{
	uint64_t v[2], w[2];
	size_t i;

	for (i = 0; i + 16 <= n; i += 16) {
		memcpy(v, p + i, 16);
		w[0] = __builtin_bswap64(v[1]);
		w[1] = __builtin_bswap64(v[0]);
		memcpy(p + i, w, 16);
	}
}

static void swap_units(unsigned char *p, size_t n, unsigned unit)
{
	switch (unit) {
	case 2:
		swap_2(p, n);
		break;
	case 4:
		swap_4(p, n);
		break;
	case 8:
		swap_8(p, n);
		break;
	default:
		swap_16(p, n);
		break;
	}
}

/* At most one unit: bytes [skip, skip + n) of the swapped unit at offset. */
static int read_part(struct swap_source *s, unsigned char *to, uint64_t offset,
		     unsigned skip, size_t n, struct ferry_error *err)
{
	unsigned char one[16];
	int code = ferry_source_read(s->parent, one, offset, s->unit, err);

	if (code)
		return code;
	swap_units(one, s->unit, s->unit);
	memcpy(to, one + skip, n);
	return 0;
}

static int swap_read(struct ferry_source *src, void *buf, uint64_t offset,
		     size_t n, struct ferry_error *err)
{
	struct swap_source *s = (struct swap_source *)src;
	unsigned skip = (unsigned)(offset % s->unit);
	unsigned char *to = buf;
	size_t part;
	int code;

	if (skip) {
		part = s->unit - skip < n ? s->unit - skip : n;
		code = read_part(s, to, offset - skip, skip, part, err);
		if (code)
			return code;
		to += part;
		offset += part;
		n -= part;
	}
	part = n - n % s->unit;
	code = ferry_source_read(s->parent, to, offset, part, err);
	if (code)
		return code;
	swap_units(to, part, s->unit);
	if (part == n)
		return 0;
	return read_part(s, to + part, offset + part, 0, n - part, err);
}

static size_t swap_chunk(struct ferry_source *src)
{
	return ferry_source_chunk(((struct swap_source *)src)->parent);
}

static void swap_free(struct ferry_source *src)
{
	ferry_source_unref(((struct swap_source *)src)->parent);
	ferry_alloc_free(src);
}

static const struct ferry_source_ops swap_ops = {
	.read = swap_read,
	.chunk = swap_chunk,
	.free = swap_free,
};

int ferry_source_swap(struct ferry_source **out, struct ferry_source *src,
		      unsigned unit, const char *name, struct ferry_error *err)
{
	struct swap_source *s;
	int code;

	if (unit != 2 && unit != 4 && unit != 8 && unit != 16)
		return ferry_fail(err, FERRY_MISUSE, "", FERRY_NO_OFFSET,
				  "swap unit is %u bytes; 2, 4, 8 and 16 can "
				  "be swapped", unit);
	if (src->nbytes % unit)
		return ferry_fail(err, FERRY_MALFORMED, "", FERRY_NO_OFFSET,
				  "big-endian data is %llu bytes, which is no "
				  "multiple of its %u-byte elements",
				  (unsigned long long)src->nbytes, unit);
	s = ferry_alloc(sizeof(*s));
	if (!s)
		return ferry_fail_nomem(err, "a swapping source");
	code = ferry_source_init(&s->base, &swap_ops, src->nbytes,
				 name ? name : src->name, err);
	if (code) {
		ferry_alloc_free(s);
		return code;
	}
	s->parent = ferry_source_ref(src);
	s->unit = unit;
	*out = &s->base;
	return 0;
}

int ferry_source_swap_range(struct ferry_source **out,
			    struct ferry_source *src, uint64_t offset,
			    uint64_t n, unsigned unit, const char *name,
			    struct ferry_error *err)
{
	struct ferry_source *range;
	int code = ferry_source_range(&range, src, offset, n, name, err);

	if (code)
		return code;
	code = ferry_source_swap(out, range, unit, name, err);
	ferry_source_unref(range);
	return code;
}
