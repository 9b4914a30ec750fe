/* Bytes as text and back. */
#include "config.h"

#include "formats/pickle/latin1.h"

#include <string.h>

#include <ferry/sys/alloc.h>

enum {
	BLOCK = 64 * 1024,
};

struct latin1_source {
	struct ferry_source base;
	struct ferry_source *parent;
	uint64_t offset, nbytes;	/* in the parent */
	bool to_text;
	uint64_t *starts;	/* where what block i gives starts in this */
	size_t n_blocks;
};

size_t pickle_latin1_encode(const void *bytes, size_t n, char *out)
{
	const uint8_t *p = bytes;
	size_t nout = 0;

	for (size_t i = 0; i < n; i++) {
		if (p[i] < 0x80) {
			out[nout++] = (char)p[i];
			continue;
		}
		out[nout++] = (char)(0xc0 | p[i] >> 6);
		out[nout++] = (char)(0x80 | (p[i] & 0x3f));
	}
	return nout;
}

/*
 * text[0..n) and what follows it; the tail of a code point that starts before
 * is skipped, one that ends after it is taken.
 */
static size_t decode(const uint8_t *text, size_t n, uint8_t *out)
{
	size_t i = n && (text[0] & 0xc0) == 0x80, nout = 0;

	for (; i < n; i++) {
		out[nout++] = text[i];
		if (text[i] & 0x80) {
			out[nout - 1] = (uint8_t)(text[i] << 6 |
						  (text[i + 1] & 0x3f));
			i++;
		}
	}
	return nout;
}

/* Read block i of the parent, with one byte more where there is one. */
static int read_block(struct latin1_source *s, size_t i, uint8_t *block,
		      size_t *n, struct ferry_error *err)
{
	uint64_t at = (uint64_t)i * BLOCK;
	uint64_t left = s->nbytes - at;
	size_t more = left > BLOCK ? BLOCK + 1 : (size_t)left;

	*n = left > BLOCK ? BLOCK : (size_t)left;
	block[*n] = 0;
	return ferry_source_read(s->parent, block, s->offset + at, more, err);
}

static size_t find_block(const struct latin1_source *s, uint64_t offset)
{
	size_t low = 0, high = s->n_blocks, at;

	while (high - low > 1) {
		at = (low + high) / 2;
		if (s->starts[at] <= offset)
			low = at;
		else
			high = at;
	}
	return low;
}

/* Bytes that block i gives. */
static uint64_t block_length(const struct latin1_source *s, size_t i)
{
	uint64_t end = i + 1 < s->n_blocks ? s->starts[i + 1] : s->base.nbytes;

	return end - s->starts[i];
}

static int latin1_read(struct ferry_source *src, void *buf, uint64_t offset,
		       size_t n, struct ferry_error *err)
{
	struct latin1_source *s = (struct latin1_source *)src;
	size_t i = find_block(s, offset), in, out, from;
	uint8_t *block = ferry_alloc(3 * BLOCK + 1);
	uint8_t *turned = block + BLOCK + 1;
	int ret = 0;

	if (!block)
		return ferry_fail_nomem(err, "a block of text");
	for (; n && !ret; i++) {
		ret = read_block(s, i, block, &in, err);
		if (ret)
			break;
		out = s->to_text ? pickle_latin1_encode(block, in,
							(char *)turned)
				 : decode(block, in, turned);
		if (out != block_length(s, i)) {
			ret = ferry_fail(err, FERRY_IO, "pickle",
					 FERRY_NO_OFFSET,
					 "bytes changed while they were read");
			break;
		}
		from = (size_t)(offset - s->starts[i]);
		out = out - from < n ? out - from : n;
		memcpy(buf, turned + from, out);
		buf = (char *)buf + out;
		offset += out;
		n -= out;
	}
	ferry_alloc_free(block);
	return ret;
}

static size_t latin1_chunk(struct ferry_source *src)
{
	(void)src;
	return 16 * BLOCK;
}

static void latin1_free(struct ferry_source *src)
{
	struct latin1_source *s = (struct latin1_source *)src;

	ferry_source_unref(s->parent);
	ferry_alloc_free(s->starts);
	ferry_alloc_free(s);
}

static const struct ferry_source_ops latin1_ops = {
	.read = latin1_read,
	.chunk = latin1_chunk,
	.free = latin1_free,
};

/* Bytes that a block of bytes gives as text. */
static uint64_t text_length(const uint8_t *block, size_t n)
{
	uint64_t length = n;

	for (size_t i = 0; i < n; i++)
		length += block[i] >> 7;
	return length;
}

/*
 * Bytes that a block of text gives, with *cut telling whether it starts and
 * ends in a code point; false when it is not the text of bytes.
 */
static bool bytes_length(const uint8_t *block, size_t n, bool *cut,
			 uint64_t *length)
{
	size_t i = *cut;

	*length = 0;
	if (*cut && (block[0] & 0xc0) != 0x80)
		return false;
	for (; i < n; i++, ++*length) {
		if (block[i] < 0x80)
			continue;
		if ((block[i] != 0xc2 && block[i] != 0xc3) ||
		    (block[i + 1] & 0xc0) != 0x80)
			return false;
		i++;
	}
	*cut = i > n;
	return true;
}

static int index_blocks(struct latin1_source *s, uint64_t *total,
			struct ferry_error *err)
{
	uint8_t *block = ferry_alloc(BLOCK + 1);
	bool cut = false, good = true;
	uint64_t length;
	size_t n;
	int ret = 0;

	*total = 0;
	if (!block)
		return ferry_fail_nomem(err, "a block of text");
	for (size_t i = 0; i < s->n_blocks && !ret; i++) {
		ret = read_block(s, i, block, &n, err);
		if (ret)
			break;
		if (s->to_text)
			length = text_length(block, n);
		else
			good = bytes_length(block, n, &cut, &length);
		if (!good)
			ret = ferry_fail(err, FERRY_MALFORMED, "pickle",
					 s->offset + (uint64_t)i * BLOCK,
					 "text of bytes has a character that "
					 "stands for no byte");
		s->starts[i] = *total;
		*total += length;
	}
	ferry_alloc_free(block);
	return ret;
}

static int latin1_new(struct ferry_source **out, struct ferry_source *src,
		      uint64_t offset, uint64_t n, bool to_text,
		      struct ferry_error *err)
{
	struct latin1_source *s = ferry_alloc_zero(1, sizeof(*s));
	uint64_t total = 0;
	int ret;

	if (!s)
		return ferry_fail_nomem(err, "a view of text");
	s->offset = offset;
	s->nbytes = n;
	s->to_text = to_text;
	s->parent = src;
	s->n_blocks = (size_t)(n / BLOCK + (n % BLOCK != 0));
	s->starts = ferry_alloc_zero(s->n_blocks, sizeof(*s->starts));
	if (!s->starts)
		ret = ferry_fail_nomem(err, "an index of text");
	else
		ret = index_blocks(s, &total, err);
	if (!ret)
		ret = ferry_source_init(&s->base, &latin1_ops, total,
					"bytes of a pickle", err);
	if (ret) {
		ferry_alloc_free(s->starts);
		ferry_alloc_free(s);
		return ret;
	}
	ferry_source_ref(src);
	*out = &s->base;
	return 0;
}

int pickle_latin1_text(struct ferry_source **out, struct ferry_source *src,
		       uint64_t offset, uint64_t n, struct ferry_error *err)
{
	struct latin1_source *s = (struct latin1_source *)src;

	/* bytes that were such a text: there is one text for them */
	if (src->ops == &latin1_ops && !s->to_text && !offset &&
	    n == src->nbytes)
		return ferry_source_range(out, s->parent, s->offset, s->nbytes,
					  "text of a pickle", err);
	return latin1_new(out, src, offset, n, true, err);
}

int pickle_latin1_bytes(struct ferry_source **out, struct ferry_source *src,
			uint64_t offset, uint64_t n, struct ferry_error *err)
{
	return latin1_new(out, src, offset, n, false, err);
}
