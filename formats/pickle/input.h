/*
 * A forward window over a source: what both the reader and the scanner take
 * their opcodes and arguments from.
 *
 * Failures are MALFORMED with the offset of the opcode being read (`at`); a
 * length is compared with what the source has left before anything is
 * allocated for it.
 */
#ifndef FORMATS_PICKLE_INPUT_H
#define FORMATS_PICKLE_INPUT_H

#include <ferry/error.h>
#include <ferry/sys/buffer.h>
#include <ferry/sys/source.h>

struct pickle_input {
	struct ferry_source *src;
	const uint8_t *p, *end;	/* what of the window is unread */
	uint64_t end_offset;	/* of `end` in the source */
	uint64_t at;		/* offset of the current opcode */
	uint8_t *window;	/* NULL: the source is memory */
	struct ferry_buffer line;	/* a line longer than the window */
	const char *origin;
	struct ferry_error *err;
};

int pickle_input_init(struct pickle_input *in, struct ferry_source *src,
		      uint64_t offset, const char *origin,
		      struct ferry_error *err);
void pickle_input_release(struct pickle_input *in);

static inline uint64_t pickle_input_offset(const struct pickle_input *in)
{
	return in->end_offset - (uint64_t)(in->end - in->p);
}

/* Bytes between here and the end of the source. */
static inline uint64_t pickle_input_left(const struct pickle_input *in)
{
	return in->src->nbytes - pickle_input_offset(in);
}

/* Make n bytes (at most 32 KiB) contiguous in the window. */
int pickle_input_fill(struct pickle_input *in, size_t n);

/* The next n bytes (at most 32 KiB), read; NULL when the source ends. */
static inline const uint8_t *pickle_input_take(struct pickle_input *in,
					       size_t n)
{
	const uint8_t *p;

	if ((size_t)(in->end - in->p) < n && pickle_input_fill(in, n))
		return NULL;
	p = in->p;
	in->p += n;
	return p;
}

/* The next opcode, or -1; remembers where it stands. */
static inline int pickle_input_opcode(struct pickle_input *in)
{
	const uint8_t *p;

	in->at = pickle_input_offset(in);
	p = pickle_input_take(in, 1);
	return p ? *p : -1;
}

/* Copy the next n bytes, which must be left in the source. */
int pickle_input_copy(struct pickle_input *in, void *out, uint64_t n);
int pickle_input_skip(struct pickle_input *in, uint64_t n);
/* MALFORMED unless n bytes are left. */
int pickle_input_expect(struct pickle_input *in, uint64_t n);

/* A line without its end, read; valid until the next call. */
int pickle_input_line(struct pickle_input *in, const char **line, size_t *n);

#endif
