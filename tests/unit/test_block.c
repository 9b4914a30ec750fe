/* Transposed tensors into a file: what they read, hold and write. */
#include "config.h"

#include <criterion/criterion.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include <ferry/sys/alloc.h>
#include <ferry/sys/ops.h>
#include <ferry/sys/sink.h>

#define LEAD 3		/* bytes before the tensor */

static struct ferry_store *store;
static char dir[64];

/* Memory that can only be read, and counts it. */
struct counted {
	struct ferry_source base;
	const unsigned char *data;
	size_t chunk;
	uint64_t last;			/* where the last read ended */
	_Atomic uint64_t n_bytes, n_reads, n_back;
};

static int counted_read(struct ferry_source *src, void *buf, uint64_t offset,
			size_t n, struct ferry_error *err)
{
	struct counted *c = (struct counted *)src;

	(void)err;
	c->n_bytes += n;
	c->n_reads++;
	if (c->chunk == FERRY_CHUNK_FORWARDS) {
		c->n_back += offset < c->last;
		c->last = offset + n;
	}
	memcpy(buf, c->data + offset, n);
	return 0;
}

static size_t counted_chunk(struct ferry_source *src)
{
	return ((struct counted *)src)->chunk;
}

static const struct ferry_source_ops counted_ops = {
	.read = counted_read,
	.chunk = counted_chunk,
};

static void set_up(void)
{
	snprintf(dir, sizeof(dir), "/tmp/ferry-block-XXXXXX");
	cr_assert(mkdtemp(dir));
	cr_assert_eq(ferry_store_new(&store, NULL), 0);
}

static void tear_down(void)
{
	char command[96];

	ferry_store_unref(store);
	snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	cr_assert_eq(system(command), 0);
}

TestSuite(block, .init = set_up, .fini = tear_down);

static char *path(void)
{
	static char text[80];

	snprintf(text, sizeof(text), "%s/out", dir);
	return text;
}

/* A dense tensor of that shape over a source that counts. */
static struct ferry_value *dense(enum ferry_dtype dtype, unsigned ndim,
				 const uint64_t *shape, size_t chunk,
				 struct counted **out)
{
	struct counted *c = ferry_alloc_zero(1, sizeof(*c));
	uint64_t n = ferry_dtype_size(dtype), x = 42, i;
	struct ferry_storage *st;
	unsigned char *data;

	for (i = 0; i < ndim; i++)
		n *= shape[i];
	data = ferry_store_alloc(store, n);
	cr_assert(c && data);
	for (i = 0; i < n; i++) {
		x = x * 6364136223846793005u + 1442695040888963407u;
		data[i] = (unsigned char)(x >> 56);
	}
	c->data = data;
	c->chunk = chunk;
	cr_assert_eq(ferry_source_init(&c->base, &counted_ops, n, "c", NULL),
		     0);
	cr_assert_eq(ferry_store_take_source(store, &c->base), 0);
	st = ferry_storage(store, dtype, &c->base, 0, n);
	cr_assert(st);
	*out = c;
	return ferry_tensor(store, dtype, ndim, shape, NULL, 0, st);
}

/* Each element by its own address. */
static unsigned char *elements(const struct ferry_tensor *t,
			       const struct counted *c)
{
	uint64_t n = ferry_tensor_nelem(t), i, rest, at;
	unsigned size = ferry_dtype_size(t->dtype), k;
	unsigned char *want = malloc(n * size);

	cr_assert(want);
	for (i = 0; i < n; i++) {
		at = t->offset;
		rest = i;
		for (k = t->ndim; k--; rest /= t->shape[k])
			at += rest % t->shape[k] * (uint64_t)t->strides[k];
		memcpy(want + i * size, c->data + at * size, size);
	}
	return want;
}

static void check_file(const unsigned char *want, uint64_t n)
{
	unsigned char *got = malloc(LEAD + n);
	int fd = open(path(), O_RDONLY);

	cr_assert(got && fd >= 0);
	cr_assert_eq(pread(fd, got, LEAD + n + 1, 0), (ssize_t)(LEAD + n));
	cr_expect(!memcmp(got + LEAD, want, n));
	close(fd);
	free(got);
}

/* Write t, whose data is to be `want`. */
static void carry(const struct ferry_tensor *t, const unsigned char *want,
		  struct ferry_work *work)
{
	struct ferry_transfer x = { .nbytes = ferry_tensor_nbytes(t),
				    .sink_offset = LEAD, .want_crc32 = true };
	struct ferry_output *o;
	struct ferry_sink *s;

	work->no_sync = true;
	work->done = work->total = 0;
	cr_assert_eq(ferry_tensor_source(store, t, &x.source, &x.source_offset,
					 NULL), 0);
	cr_assert_eq(ferry_output_new(&o, path(), true, NULL, 0, work, NULL),
		     0);
	cr_assert_eq(ferry_output_open(o, NULL, &s, NULL), 0);
	cr_assert_eq(ferry_sink_transfer(s, &x, 1, NULL), 0);
	cr_expect_eq(ferry_sink_nbytes(s), LEAD + x.nbytes);
	cr_assert_eq(ferry_output_commit(o, NULL), 0);
	ferry_output_free(o);
	check_file(want, x.nbytes);
	cr_expect_eq(x.crc32, crc32(0, want, (uInt)x.nbytes));
	cr_expect_eq(work->done, x.nbytes);
}

static void expect_once(const struct counted *c, uint64_t nbytes)
{
	cr_expect_leq(c->n_bytes, nbytes + nbytes / 5,
		      "%llu bytes read of %llu",
		      (unsigned long long)c->n_bytes,
		      (unsigned long long)nbytes);
	cr_expect_geq(c->n_bytes / c->n_reads, 512);
}

static void check_permuted(enum ferry_dtype dtype, unsigned ndim,
			   const uint64_t *shape, const unsigned *axes)
{
	struct ferry_work work = { 0 };
	struct ferry_value *t;
	unsigned char *want;
	struct counted *c;

	t = dense(dtype, ndim, shape, 0, &c);
	cr_assert_eq(ferry_op_permute(store, t, axes, &t, NULL), 0);
	want = elements(t->u.tensor, c);
	for (work.threads = 1; work.threads <= 4; work.threads += 3) {
		for (work.max_memory = 4 << 20; work.max_memory <= 64 << 20;
		     work.max_memory *= 16) {
			c->n_bytes = c->n_reads = 0;
			carry(t->u.tensor, want, &work);
			expect_once(c, c->base.nbytes);
		}
	}
	free(want);
}

Test(block, transposes_read_their_source_once)
{
	static const unsigned axes[] = { 1, 0 };
	static const struct {
		enum ferry_dtype dtype;
		uint64_t shape[2];
	} cases[] = {
		{ FERRY_F32, { 128, 32768 } },
		{ FERRY_F32, { 32768, 128 } },
		{ FERRY_F32, { 5, 300007 } },
		{ FERRY_F32, { 300007, 5 } },
		{ FERRY_F32, { 2003, 1999 } },
		{ FERRY_U8, { 4100, 2051 } },
		{ FERRY_BOOL8, { 300, 40000 } },
		{ FERRY_F16, { 40000, 100 } },
		{ FERRY_C128, { 512, 700 } },
		{ FERRY_C128, { 33, 20000 } },
	};
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		check_permuted(cases[i].dtype, 2, cases[i].shape, axes);
}

Test(block, permutes_read_their_source_once)
{
	static const unsigned axes[][3] = {
		{ 0, 1, 2 }, { 0, 2, 1 }, { 1, 0, 2 },
		{ 1, 2, 0 }, { 2, 0, 1 }, { 2, 1, 0 },
	};
	static const uint64_t shapes[][3] = {
		{ 100, 110, 120 }, { 3, 100003, 5 }, { 40000, 6, 7 },
		{ 7, 11, 20000 },
	};
	size_t i, k;

	for (i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++)
		for (k = 0; k < 6; k++)
			check_permuted(FERRY_F32, 3, shapes[i], axes[k]);
}

/* What the view leaves out is read where it is little, and never twice. */
Test(block, views_of_larger_storages_read_their_extent_once)
{
	static const uint64_t shape[] = { 3000, 1500 };
	struct ferry_work work = { .threads = 2, .max_memory = 2 << 20 };
	struct ferry_value *t;
	unsigned char *want;
	struct counted *c;

	t = dense(FERRY_F32, 2, shape, 0, &c);
	cr_assert_eq(ferry_op_slice(store, t, 0, 10, 2910, 1, &t, NULL), 0);
	cr_assert_eq(ferry_op_slice(store, t, 1, 7, 1407, 1, &t, NULL), 0);
	cr_assert_eq(ferry_op_transpose(store, t, 0, 1, &t, NULL), 0);
	want = elements(t->u.tensor, c);
	carry(t->u.tensor, want, &work);
	expect_once(c, c->base.nbytes);
	free(want);
}

Test(block, casts_read_a_transposed_source_once)
{
	static const uint64_t shape[] = { 30000, 100 };
	struct ferry_work work = { .threads = 2, .max_memory = 2 << 20 };
	struct ferry_value *t, *plain, *moved;
	unsigned char *want;
	struct counted *c;
	uint64_t n;

	t = dense(FERRY_U8, 2, shape, 0, &c);
	cr_assert_eq(ferry_op_transpose(store, t, 0, 1, &t, NULL), 0);
	cr_assert_eq(ferry_op_contiguous(store, t, &plain, NULL), 0);
	cr_assert_eq(ferry_op_cast(store, plain, FERRY_F64, &plain, NULL), 0);
	cr_assert_eq(ferry_op_cast(store, t, FERRY_F64, &moved, NULL), 0);
	cr_assert(ferry_tensor_is_contiguous(moved->u.tensor));
	n = ferry_tensor_nelem(plain->u.tensor);
	want = malloc(n * 8);
	cr_assert(want);
	cr_assert_eq(ferry_tensor_read(plain->u.tensor, 0, n, want, NULL), 0);
	c->n_bytes = c->n_reads = 0;
	carry(moved->u.tensor, want, &work);
	cr_expect_leq(c->n_bytes, c->base.nbytes + c->base.nbytes / 5);
	free(want);
}

/* How often a stream begins anew. */
static uint64_t passes(const uint64_t *shape, uint64_t memory)
{
	struct ferry_work work = { .threads = 4, .max_memory = memory };
	struct ferry_value *t;
	unsigned char *want;
	struct counted *c;

	t = dense(FERRY_F32, 2, shape, FERRY_CHUNK_FORWARDS, &c);
	cr_assert_eq(ferry_op_transpose(store, t, 0, 1, &t, NULL), 0);
	want = elements(t->u.tensor, c);
	carry(t->u.tensor, want, &work);
	free(want);
	return c->n_back + 1;
}

Test(block, streams_are_read_in_few_passes)
{
	static const uint64_t tall[] = { 65536, 60 }, wide[] = { 60, 65536 };

	cr_expect_eq(passes(tall, 8 << 20), 1);
	cr_expect_eq(passes(wide, 256 << 20), 1);
	/* A block of 1 MiB with 32 rows has an eighth of each. */
	cr_expect_eq(passes(wide, 8 << 20), 8);
}

Test(block, grids_keep_within_what_they_are_given)
{
	static const uint64_t shape[] = { 3000, 1500 };
	struct ferry_grid grid;
	struct ferry_source *src;
	struct ferry_value *t;
	struct counted *c;
	uint64_t base;
	size_t most;

	t = dense(FERRY_F32, 2, shape, 0, &c);
	cr_assert_eq(ferry_tensor_source(store, t->u.tensor, &src, &base, NULL),
		     0);
	cr_expect(!ferry_source_grid(src, base, src->nbytes, 1 << 20, &grid));
	cr_assert_eq(ferry_op_transpose(store, t, 0, 1, &t, NULL), 0);
	cr_assert_eq(ferry_tensor_source(store, t->u.tensor, &src, &base, NULL),
		     0);
	for (most = 4; most <= 64 << 20; most *= 2) {
		cr_assert(ferry_source_grid(src, base, src->nbytes, most,
					    &grid));
		cr_assert_eq(grid.ndim, 2);
		cr_expect_leq(grid.step[0] * grid.step[1], most);
	}
	cr_expect(!ferry_source_grid(src, base, src->nbytes - 4, most, &grid));
}

Test(block, cancel_and_failing_allocations_end_cleanly)
{
	static const uint64_t shape[] = { 300, 1000 };
	atomic_bool cancel = true;
	struct ferry_work work = { .no_sync = true, .threads = 1 };
	struct ferry_transfer x = { .sink_offset = LEAD };
	struct ferry_output *o;
	struct ferry_sink *s;
	struct ferry_value *t;
	struct counted *c;
	uint64_t nth;
	int code = FERRY_NOMEM;

	t = dense(FERRY_F32, 2, shape, 0, &c);
	cr_assert_eq(ferry_op_transpose(store, t, 0, 1, &t, NULL), 0);
	x.nbytes = ferry_tensor_nbytes(t->u.tensor);
	cr_assert_eq(ferry_tensor_source(store, t->u.tensor, &x.source,
					 &x.source_offset, NULL), 0);
	for (nth = 1; code && nth < 30; nth++) {
		cr_assert_eq(ferry_output_new(&o, path(), true, NULL, 0, &work,
					      NULL), 0);
		cr_assert_eq(ferry_output_open(o, NULL, &s, NULL), 0);
		ferry_alloc_fail_at(nth);
		code = ferry_sink_transfer(s, &x, 1, NULL);
		ferry_alloc_fail_at(0);
		cr_assert(!code || code == FERRY_NOMEM);
		ferry_output_free(o);
	}
	cr_expect(nth > 4 && nth < 30);
	work.cancel = &cancel;
	cr_assert_eq(ferry_output_new(&o, path(), true, NULL, 0, &work, NULL),
		     0);
	cr_assert_eq(ferry_output_open(o, NULL, &s, NULL), 0);
	cr_expect_eq(ferry_sink_transfer(s, &x, 1, NULL), FERRY_CANCELLED);
	ferry_output_free(o);
}
