/*
 * A deflated stream as a source.  Reading forwards carries on from a cursor
 * that an earlier read left behind; only going back starts again.
 *
 * Cursors are some 100 KiB each, and a file may hold any number of deflated
 * members, so idle ones live in one small pool for the whole process.
 */
#include "config.h"

#include <ferry/sys/source.h>

#include <pthread.h>
#include <string.h>
#include <zlib.h>

#include <ferry/sys/alloc.h>
#include <ferry/sys/ckd.h>

#define IDLE_MAX 16
#define INPUT_NBYTES (64 << 10)
#define SKIP_NBYTES (32 << 10)

struct inflate_source;

struct cursor {
	struct cursor *next;		/* in the pool, most recent first */
	struct inflate_source *owner;
	uint64_t in;			/* bytes taken from the parent */
	uint64_t out;			/* bytes given */
	z_stream z;
	unsigned char input[INPUT_NBYTES];
	unsigned char skip[SKIP_NBYTES];
};

struct inflate_source {
	struct ferry_source base;
	struct ferry_source *parent;
};

static struct {
	pthread_mutex_t lock;
	struct cursor *first;
	unsigned n;
} pool = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void *zlib_alloc(void *opaque, unsigned n, unsigned size)
{
	(void)opaque;
	return ferry_alloc_zero(n, size);
}

static void zlib_free(void *opaque, void *p)
{
	(void)opaque;
	ferry_alloc_free(p);
}

static void cursor_free(struct cursor *c)
{
	if (!c)
		return;
	inflateEnd(&c->z);
	ferry_alloc_free(c);
}

static int cursor_new(struct cursor **out, struct inflate_source *owner,
		      struct ferry_error *err)
{
	struct cursor *c = ferry_alloc(sizeof(*c));

	if (!c)
		return ferry_fail_nomem(err, "a deflate window");
	memset(&c->z, 0, sizeof(c->z));
	c->next = NULL;
	c->owner = owner;
	c->in = c->out = 0;
	c->z.zalloc = zlib_alloc;
	c->z.zfree = zlib_free;
	if (inflateInit2(&c->z, -MAX_WBITS) != Z_OK) {
		ferry_alloc_free(c);
		return ferry_fail_nomem(err, "a deflate window");
	}
	*out = c;
	return 0;
}

/* The idle cursor of owner nearest before offset, taken out of the pool. */
static struct cursor *pool_take(struct inflate_source *owner, uint64_t offset)
{
	struct cursor **best = NULL;
	struct cursor *c = NULL;
	struct cursor **p;

	pthread_mutex_lock(&pool.lock);
	for (p = &pool.first; *p; p = &(*p)->next)
		if ((*p)->owner == owner && (*p)->out <= offset &&
		    (!best || (*p)->out > (*best)->out))
			best = p;
	if (best) {
		c = *best;
		*best = c->next;
		pool.n--;
	}
	pthread_mutex_unlock(&pool.lock);
	return c;
}

static void pool_give(struct cursor *c)
{
	struct cursor *old = NULL;
	struct cursor **p;

	pthread_mutex_lock(&pool.lock);
	if (pool.n == IDLE_MAX) {
		for (p = &pool.first; (*p)->next; p = &(*p)->next)
			;
		old = *p;
		*p = NULL;
		pool.n--;
	}
	c->next = pool.first;
	pool.first = c;
	pool.n++;
	pthread_mutex_unlock(&pool.lock);
	cursor_free(old);
}

static int fail_stream(const struct cursor *c, const char *what,
		       struct ferry_error *err)
{
	char name[256];
	const struct ferry_source *src = &c->owner->base;

	ferry_escape(name, sizeof(name), src->name, strlen(src->name));
	return ferry_fail(err, FERRY_MALFORMED, "deflate",
			  c->in - c->z.avail_in,
			  "%s: %s, at byte %llu of %llu compressed and %llu of "
			  "%llu inflated; the file is damaged", name, what,
			  (unsigned long long)(c->in - c->z.avail_in),
			  (unsigned long long)c->owner->parent->nbytes,
			  (unsigned long long)c->out,
			  (unsigned long long)src->nbytes);
}

static int cursor_fill(struct cursor *c, struct ferry_error *err)
{
	uint64_t left = c->owner->parent->nbytes - c->in;
	size_t n = left < INPUT_NBYTES ? (size_t)left : INPUT_NBYTES;
	int code = ferry_source_read(c->owner->parent, c->input, c->in, n,
				     err);

	if (code)
		return code;
	c->z.next_in = c->input;
	c->z.avail_in = (unsigned)n;
	c->in += n;
	return 0;
}

/*
 * Run inflate until n bytes (n <= UINT_MAX) are out or the stream ends; *ended
 * says which.
 */
static int cursor_step(struct cursor *c, void *to, size_t n, bool *ended,
		       struct ferry_error *err)
{
	int code;
	int z;

	c->z.next_out = to;
	c->z.avail_out = (unsigned)n;
	*ended = false;
	do {
		unsigned before = c->z.avail_out;

		if (!c->z.avail_in) {
			code = cursor_fill(c, err);
			if (code)
				return code;
		}
		z = inflate(&c->z, Z_NO_FLUSH);
		c->out += before - c->z.avail_out;
		if (z == Z_STREAM_END)
			*ended = true;
		else if (z == Z_MEM_ERROR)
			return ferry_fail_nomem(err, "a deflate window");
		else if (z == Z_BUF_ERROR && c->in == c->owner->parent->nbytes)
			return fail_stream(c, "deflated data ends too early",
					   err);
		else if (z != Z_OK && z != Z_BUF_ERROR)
			return fail_stream(c, "deflated data is broken", err);
	} while (c->z.avail_out && !*ended);
	return 0;
}

/* After the last byte nothing but the end of the stream may follow. */
static int cursor_finish(struct cursor *c, struct ferry_error *err)
{
	unsigned char more;
	bool ended;
	int code = cursor_step(c, &more, 1, &ended, err);

	if (code)
		return code;
	if (!c->z.avail_out)
		return fail_stream(c, "deflated data is longer than declared",
				   err);
	return 0;
}

static int cursor_read(struct cursor *c, unsigned char *to, size_t n,
		       struct ferry_error *err)
{
	bool ended;
	int code;

	while (n) {
		size_t part = n < (1u << 30) ? n : 1u << 30;

		code = cursor_step(c, to, part, &ended, err);
		if (code)
			return code;
		if (ended && c->z.avail_out)
			return fail_stream(c, "deflated data is shorter than "
					   "declared", err);
		if (c->out == c->owner->base.nbytes)
			return ended ? 0 : cursor_finish(c, err);
		to += part;
		n -= part;
	}
	return 0;
}

static int cursor_skip(struct cursor *c, uint64_t offset,
		       struct ferry_error *err)
{
	while (c->out < offset) {
		uint64_t left = offset - c->out;
		int code = cursor_read(c, c->skip, left < SKIP_NBYTES ?
				       (size_t)left : SKIP_NBYTES, err);

		if (code)
			return code;
	}
	return 0;
}

static int inflate_read(struct ferry_source *src, void *buf, uint64_t offset,
			size_t n, struct ferry_error *err)
{
	struct inflate_source *s = (struct inflate_source *)src;
	struct cursor *c = pool_take(s, offset);
	int code = c ? 0 : cursor_new(&c, s, err);

	if (code)
		return code;
	code = cursor_skip(c, offset, err);
	if (!code)
		code = cursor_read(c, buf, n, err);
	if (code || c->out == src->nbytes)
		cursor_free(c);
	else
		pool_give(c);
	return code;
}

static size_t inflate_chunk(struct ferry_source *src)
{
	(void)src;
	return FERRY_CHUNK_FORWARDS;
}

static void inflate_free(struct ferry_source *src)
{
	struct inflate_source *s = (struct inflate_source *)src;
	struct cursor *c;

	while ((c = pool_take(s, UINT64_MAX)))
		cursor_free(c);
	ferry_source_unref(s->parent);
	ferry_alloc_free(s);
}

static const struct ferry_source_ops inflate_ops = {
	.read = inflate_read,
	.chunk = inflate_chunk,
	.free = inflate_free,
};

int ferry_source_inflate(struct ferry_source **out, struct ferry_source *src,
			 uint64_t nbytes, const char *name,
			 struct ferry_error *err)
{
	struct inflate_source *s = ferry_alloc(sizeof(*s));
	int code;

	if (!s)
		return ferry_fail_nomem(err, "a deflate source");
	code = ferry_source_init(&s->base, &inflate_ops, nbytes,
				 name ? name : src->name, err);
	if (code) {
		ferry_alloc_free(s);
		return code;
	}
	s->parent = ferry_source_ref(src);
	*out = &s->base;
	return 0;
}
