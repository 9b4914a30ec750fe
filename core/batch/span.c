/* One reading of a file for all digests of it. */
#include "config.h"

#include "core/batch/span.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <ferry/sys/alloc.h>

#define PIECE ((size_t)256 << 10)

struct reading {
	struct ferry__digest whole, part;
	struct ferry__span *spans;	/* of this file */
	size_t n, next;
	bool open;			/* `next` was begun */
	uint64_t at;			/* of the file */
	int rc;
	struct ferry_error *err;
};

static int by_place(const void *a, const void *b)
{
	const struct ferry__span *x = a, *y = b;

	if (x->dev != y->dev)
		return x->dev < y->dev ? -1 : 1;
	if (x->ino != y->ino)
		return x->ino < y->ino ? -1 : 1;
	if (x->offset != y->offset)
		return x->offset < y->offset ? -1 : 1;
	if (x->nbytes != y->nbytes)
		return x->nbytes < y->nbytes ? -1 : 1;
	return x->at < y->at ? -1 : x->at > y->at;
}

void ferry__span_sort(struct ferry__span *spans, size_t n)
{
	if (n)
		qsort(spans, n, sizeof(*spans), by_place);
}

/* Those of one file lie together. */
static void find_spans(struct reading *r, const struct stat *st,
		       struct ferry__span *spans, size_t n)
{
	size_t i = 0;

	while (i < n && (spans[i].dev != st->st_dev ||
			 spans[i].ino != st->st_ino))
		i++;
	r->spans = spans + i;
	while (i + r->n < n && spans[i + r->n].dev == st->st_dev &&
	       spans[i + r->n].ino == st->st_ino)
		r->n++;
}

static uint64_t end_of(const struct ferry__span *s)
{
	return s->offset + s->nbytes;
}

/* Those with the same bytes get the same digest, those within it none. */
static void close_span(struct reading *r)
{
	const struct ferry__span *done = &r->spans[r->next];

	r->rc = ferry__digest_end(&r->part, r->spans[r->next].digest, r->err);
	r->open = false;
	for (r->next++; r->next < r->n &&
	     r->spans[r->next].offset < end_of(done); r->next++)
		if (r->spans[r->next].offset == done->offset &&
		    r->spans[r->next].nbytes == done->nbytes)
			memcpy(r->spans[r->next].digest, done->digest,
			       sizeof(done->digest));
}

/* Bytes that lie in the span at hand, or before it; how many of the n. */
static size_t add_run(struct reading *r, const unsigned char *p, size_t n)
{
	const struct ferry__span *s = &r->spans[r->next];
	bool inside = r->next < r->n && r->at >= s->offset;
	uint64_t left = r->next == r->n ? n : inside ? end_of(s) - r->at :
			s->offset - r->at;

	if (n > left)
		n = (size_t)left;
	r->at += n;
	if (!inside) {
		ferry__digest_add(&r->whole, p, n);
		return n;
	}
	if (!r->open)
		ferry__digest_init(&r->part, r->whole.kind);
	r->open = true;
	ferry__digest_add_both(&r->whole, &r->part, p, n);
	if (r->at == end_of(s))
		close_span(r);
	return n;
}

static int fail_read(const char *path, int e, struct ferry_error *err)
{
	char shown[256];

	ferry_escape(shown, sizeof(shown), path, strlen(path));
	return ferry_fail_errno(err, e, "%s: can't read it", shown);
}

static int check_going(const atomic_bool *cancel, struct ferry_error *err)
{
	return cancel && atomic_load(cancel) ?
	       ferry_fail(err, FERRY_CANCELLED, "", FERRY_NO_OFFSET,
			  "cancelled") : 0;
}

/* A file that is read at once gets its ends of what was read. */
static int read_all(struct reading *r, int fd, const char *path,
		    const atomic_bool *cancel, struct ferry__span_file *out)
{
	size_t most = out->nbytes < PIECE ? (size_t)out->nbytes + 1 : PIECE;
	unsigned char *buf = ferry_alloc(most);
	ssize_t n = 1;

	if (!buf)
		return ferry_fail_nomem(r->err, "a buffer");
	while (!r->rc && n) {
		n = read(fd, buf, most);
		if (n < 0 && errno != EINTR)
			r->rc = fail_read(path, errno, r->err);
		for (ssize_t at = 0; at < n && !r->rc; )
			at += (ssize_t)add_run(r, buf + at, (size_t)(n - at));
		if (!r->rc)
			r->rc = check_going(cancel, r->err);
		if (!r->rc && n && (size_t)n == out->nbytes &&
		    (size_t)n < most) {
			r->rc = ferry__digest_ends_of(buf, (size_t)n,
						      out->ends, r->err);
			n = 0;
		}
	}
	ferry_alloc_free(buf);
	return r->rc;
}

int ferry__span_digests(struct ferry__span_file *out,
			enum ferry_digest_kind kind, const char *path,
			struct ferry__span *spans, size_t n,
			const atomic_bool *cancel, struct ferry_error *err)
{
	struct reading r = { .err = err };
	int fd = open(path, O_RDONLY | O_CLOEXEC), rc;
	struct stat st;

	if (fd < 0 || fstat(fd, &st)) {
		rc = fail_read(path, errno, err);
		if (fd >= 0)
			close(fd);
		return rc;
	}
	ferry__digest_init(&r.whole, kind);
	find_spans(&r, &st, spans, n);
	out->nbytes = (uint64_t)st.st_size;
	*out->ends = '\0';
	rc = read_all(&r, fd, path, cancel, out);
	if (r.open)
		ferry__digest_drop(&r.part);
	if (rc)
		ferry__digest_drop(&r.whole);
	else
		rc = ferry__digest_end(&r.whole, out->digest, err);
	if (!rc && !*out->ends)
		rc = ferry__digest_ends(fd, path, out->nbytes, out->ends, err);
	close(fd);
	return rc;
}
