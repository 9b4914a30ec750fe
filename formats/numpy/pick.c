/* One field of every record, as a dense source. */
#include "config.h"

#include "formats/numpy/pick.h"

#include <string.h>

#include <ferry/sys/alloc.h>

#define WINDOW_NBYTES (256 << 10)

/* Of the field; each read fetches the whole records around it. */
#define PICK_CHUNK_NBYTES (4 << 20)

struct pick {
	struct ferry_source base;
	struct ferry_source *src;
	uint64_t offset, record, first, pick;
};

/* Records so long that a window holds none: read the field by itself. */
static int read_one(struct pick *p, char *buf, uint64_t at, size_t n,
		    size_t *done, struct ferry_error *err)
{
	uint64_t i = at / p->pick, within = at % p->pick;
	size_t most = p->pick - within < n ? (size_t)(p->pick - within) : n;

	*done = most;
	return ferry_source_read(p->src, buf, p->offset + i * p->record +
				 p->first + within, most, err);
}

/* As many records as the window holds, in one read. */
static int read_window(struct pick *p, char *window, char *buf, uint64_t at,
		       size_t n, size_t *done, struct ferry_error *err)
{
	uint64_t i = at / p->pick, last = (at + n - 1) / p->pick;
	uint64_t within = at % p->pick, count = WINDOW_NBYTES / p->record;
	const char *from = window + within;
	size_t put = 0;
	int rc;

	if (count > last - i + 1)
		count = last - i + 1;
	rc = ferry_source_read(p->src, window,
			       p->offset + i * p->record + p->first,
			       (size_t)((count - 1) * p->record + p->pick),
			       err);
	for (; !rc && count; count--, within = 0) {
		size_t most = (size_t)(p->pick - within);

		if (most > n - put)
			most = n - put;
		memcpy(buf + put, from, most);
		from += p->record - within;
		put += most;
	}
	*done = put;
	return rc;
}

static int pick_read(struct ferry_source *base, void *buf, uint64_t offset,
		     size_t n, struct ferry_error *err)
{
	struct pick *p = (struct pick *)base;
	bool small = p->record <= WINDOW_NBYTES / 4;
	char *window = small ? ferry_alloc(WINDOW_NBYTES) : NULL;
	char *to = buf;
	size_t done;
	int rc = 0;

	if (small && !window)
		return ferry_fail_nomem(err, "a window over records");
	for (; n && !rc; n -= done, to += done, offset += done)
		rc = small ? read_window(p, window, to, offset, n, &done, err)
			   : read_one(p, to, offset, n, &done, err);
	ferry_alloc_free(window);
	return rc;
}

static size_t pick_chunk(struct ferry_source *base)
{
	const struct pick *p = (const struct pick *)base;

	return ferry_source_chunk(p->src) == FERRY_CHUNK_FORWARDS ?
	       FERRY_CHUNK_FORWARDS : PICK_CHUNK_NBYTES;
}

static void pick_free(struct ferry_source *base)
{
	struct pick *p = (struct pick *)base;

	ferry_source_unref(p->src);
	ferry_alloc_free(p);
}

static const struct ferry_source_ops pick_ops = {
	.read = pick_read,
	.chunk = pick_chunk,
	.free = pick_free,
};

int pick_source(struct ferry_source **out, struct ferry_source *src,
		uint64_t offset, uint64_t n, uint64_t record, uint64_t first,
		uint64_t pick, struct ferry_error *err)
{
	struct pick *p = ferry_alloc_zero(1, sizeof(*p));
	int rc;

	if (!p)
		return ferry_fail_nomem(err, "a field of an array");
	rc = ferry_source_init(&p->base, &pick_ops, n * pick, src->name, err);
	if (rc) {
		ferry_alloc_free(p);
		return rc;
	}
	p->src = ferry_source_ref(src);
	p->offset = offset;
	p->record = record;
	p->first = first;
	p->pick = pick;
	*out = &p->base;
	return 0;
}
