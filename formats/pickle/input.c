/* The window a pickle is read through. */
#include "config.h"

#include "formats/pickle/input.h"

#include <string.h>

#include <ferry/sys/alloc.h>

enum {
	WINDOW = 256 * 1024,
};

static int truncated(struct pickle_input *in, uint64_t n)
{
	unsigned long long left = pickle_input_left(in);

	return ferry_fail(in->err, FERRY_MALFORMED, in->origin, in->at,
			  "pickle ends early: the opcode needs %llu more "
			  "byte%s, %llu %s left; the file is cut short or "
			  "damaged", (unsigned long long)n, n == 1 ? "" : "s",
			  left, left == 1 ? "is" : "are");
}

int pickle_input_init(struct pickle_input *in, struct ferry_source *src,
		      uint64_t offset, const char *origin,
		      struct ferry_error *err)
{
	uint64_t n;

	*in = (struct pickle_input){ .src = src, .origin = origin,
				     .err = err, .at = offset };
	if (offset > src->nbytes)
		return ferry_fail(err, FERRY_MALFORMED, origin, offset,
				  "pickle starts past the end of its file");
	n = src->nbytes - offset;
	in->end_offset = offset;
	if (n && n <= SIZE_MAX)
		in->p = ferry_source_memory(src, offset, (size_t)n);
	if (in->p) {
		in->end = in->p + n;
		in->end_offset = src->nbytes;
		return 0;
	}
	in->window = ferry_alloc(WINDOW);
	if (!in->window)
		return ferry_fail_nomem(err, "a window over a pickle");
	in->p = in->end = in->window;
	return 0;
}

void pickle_input_release(struct pickle_input *in)
{
	ferry_alloc_free(in->window);
	ferry_buffer_release(&in->line);
}

int pickle_input_fill(struct pickle_input *in, size_t n)
{
	size_t have = (size_t)(in->end - in->p);
	uint64_t unread = in->src->nbytes - in->end_offset;
	size_t more;
	int ret;

	if (unread < n - have)
		return truncated(in, n);
	memmove(in->window, in->p, have);
	more = WINDOW - have;
	if (more > unread)
		more = (size_t)unread;
	ret = ferry_source_read(in->src, in->window + have, in->end_offset,
				more, in->err);
	in->p = in->window;
	in->end = in->window + have;
	if (ret)
		return ret;
	in->end += more;
	in->end_offset += more;
	return 0;
}

int pickle_input_expect(struct pickle_input *in, uint64_t n)
{
	return n > pickle_input_left(in) ? truncated(in, n) : 0;
}

int pickle_input_copy(struct pickle_input *in, void *out, uint64_t n)
{
	size_t have = (size_t)(in->end - in->p);
	int ret = 0;

	if (pickle_input_expect(in, n))
		return FERRY_MALFORMED;
	if (have > n)
		have = (size_t)n;
	memcpy(out, in->p, have);
	in->p += have;
	n -= have;
	if (n)
		ret = ferry_source_read(in->src, (char *)out + have,
					in->end_offset, (size_t)n, in->err);
	if (!ret)
		in->end_offset += n;
	return ret;
}

int pickle_input_skip(struct pickle_input *in, uint64_t n)
{
	uint64_t have = (uint64_t)(in->end - in->p);

	if (pickle_input_expect(in, n))
		return FERRY_MALFORMED;
	if (have > n)
		have = n;
	in->p += have;
	in->end_offset += n - have;
	return 0;
}

/* Gather a line that the window does not hold in one piece. */
static int long_line(struct pickle_input *in, const char **line, size_t *n)
{
	const uint8_t *stop = NULL;
	size_t part;

	in->line.n = 0;
	while (!stop) {
		if (in->p == in->end && pickle_input_fill(in, 1))
			return FERRY_MALFORMED;
		part = (size_t)(in->end - in->p);
		stop = memchr(in->p, '\n', part);
		if (stop)
			part = (size_t)(stop - in->p);
		ferry_buffer_add(&in->line, in->p, part);
		in->p += part;
	}
	in->p++;
	if (in->line.failed)
		return ferry_fail_nomem(in->err, "a line of a pickle");
	*line = in->line.data ? in->line.data : "";
	*n = in->line.n;
	return 0;
}

int pickle_input_line(struct pickle_input *in, const char **line, size_t *n)
{
	size_t have = (size_t)(in->end - in->p);
	const uint8_t *stop = have ? memchr(in->p, '\n', have) : NULL;

	if (!stop)
		return long_line(in, line, n);
	*line = (const char *)in->p;
	*n = (size_t)(stop - in->p);
	in->p = stop + 1;
	return 0;
}
