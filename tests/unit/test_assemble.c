/* Storages put together from parts, against parts laid down one by one. */
#include "config.h"

#include <criterion/criterion.h>

#include <string.h>

#include <ferry/sys/alloc.h>
#include <ferry/sys/ops.h>

#define MAX_PARTS 4
#define MAX_RANK 5

static uint64_t seed = 1234567890123457u;
static struct ferry_store *store;

static uint64_t draw(uint64_t below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed % below;
}

static void set_up(void)
{
	cr_assert_eq(ferry_store_new(&store, NULL), 0);
}

static void tear_down(void)
{
	ferry_store_unref(store);
}

TestSuite(assemble, .init = set_up, .fini = tear_down);

/* A dense tensor whose data is not to be had but by reading. */
static struct ferry_value *dense(enum ferry_dtype dtype, unsigned ndim,
				 const uint64_t *shape, unsigned char **data)
{
	unsigned size = ferry_dtype_size(dtype);
	struct ferry_source *src;
	struct ferry_storage *st;
	struct ferry_value *t;
	uint64_t nbytes, i;

	t = ferry_tensor(store, dtype, ndim, shape, NULL, 0, NULL);
	nbytes = ferry_tensor_nbytes(t->u.tensor);
	*data = ferry_store_alloc(store, nbytes + 16);
	for (i = 0; i < nbytes; i++)
		(*data)[i] = (unsigned char)(1 + draw(255));
	cr_assert_eq(ferry_source_from_memory(&src, *data, nbytes, "d", NULL),
		     0);
	cr_assert_eq(ferry_store_take_source(store, src), 0);
	if (size > 1 && draw(2)) {
		/* Swapped twice: the same bytes, but no memory to look at. */
		cr_assert_eq(ferry_source_swap(&src, src, 2, "s", NULL), 0);
		cr_assert_eq(ferry_store_take_source(store, src), 0);
		cr_assert_eq(ferry_source_swap(&src, src, 2, "s", NULL), 0);
		cr_assert_eq(ferry_store_take_source(store, src), 0);
	}
	st = ferry_storage(store, dtype, src, 0, nbytes);
	t->u.tensor->storage = st;
	return t;
}

static void lay_down(unsigned char *out, const struct ferry_part *p,
		     const unsigned char *data)
{
	const struct ferry_tensor *t = p->tensor->u.tensor;
	unsigned size = ferry_dtype_size(t->dtype);
	uint64_t n = ferry_tensor_nelem(t), i, rest, at;
	unsigned k;

	for (i = n; i--; ) {
		at = p->offset;
		rest = i;
		for (k = t->ndim; k--; rest /= t->shape[k])
			at += rest % t->shape[k] * (uint64_t)p->strides[k];
		memcpy(out + at * size, data + i * size, size);
	}
}

static void check(const struct ferry_storage *st, const unsigned char *want,
		  unsigned tries)
{
	uint64_t n = st->nbytes, first, count;
	unsigned char *got = ferry_alloc(n + 1);
	struct ferry_error err = FERRY_ERROR_INIT;

	cr_assert(got);
	got[n] = 0xa5;
	cr_assert_eq(ferry_source_read(st->source, got, st->offset, n, &err),
		     0, "%s", err.text);
	cr_assert(!memcmp(got, want, n));
	while (n && tries--) {
		first = draw(n);
		count = draw(n - first) + 1;
		if (draw(2) && count > 40)
			count = 1 + draw(40);
		memset(got, 0x77, n);
		cr_assert_eq(ferry_source_read(st->source, got,
					       st->offset + first, count,
					       &err), 0);
		cr_assert(!memcmp(got, want + first, count));
	}
	cr_assert_eq(got[n], 0xa5);
	ferry_alloc_free(got);
}

static const enum ferry_dtype by_size[] = {
	FERRY_U8, FERRY_I16, FERRY_F32, FERRY_F64, FERRY_C128,
};

struct drawn {
	int64_t strides[MAX_RANK];
	unsigned char *data;
};

/* No two elements of a part share a byte. */
static void draw_part(struct ferry_part *p, struct drawn *d, uint64_t nbytes,
		      bool gaps)
{
	enum ferry_dtype dtype = by_size[draw(5)];
	unsigned ndim = (unsigned)draw(MAX_RANK + 1), i, k;
	unsigned order[MAX_RANK];
	uint64_t shape[MAX_RANK], step = 1, reach = 1, room;

	for (i = 0; i < ndim; i++) {
		shape[i] = draw(30) ? 1 + draw(6) : 0;
		k = (unsigned)draw(i + 1);
		order[i] = order[k];
		order[k] = i;
	}
	for (i = 0; i < ndim; i++) {
		k = order[i];
		if (gaps && !draw(3))
			step += draw(5);
		d->strides[k] = (int64_t)step;
		step *= shape[k] ? shape[k] : 1;
		if (shape[k])
			reach += (shape[k] - 1) * (uint64_t)d->strides[k];
	}
	room = nbytes / ferry_dtype_size(dtype);
	cr_assert_leq(reach, room);
	p->tensor = dense(dtype, ndim, shape, &d->data);
	p->strides = d->strides;
	p->offset = draw(2) ? 0 : draw(room - reach + 1);
}

Test(assemble, random_parts_stand_where_their_strides_say)
{
	const uint64_t nbytes = 300000;
	unsigned char *want = ferry_alloc(nbytes);
	struct ferry_error err = FERRY_ERROR_INIT;
	struct ferry_part parts[MAX_PARTS];
	struct drawn drawn[MAX_PARTS];
	struct ferry_storage *st;
	unsigned i;
	size_t k, n;

	cr_assert(want);
	for (i = 0; i < 1000; i++) {
		n = 1 + draw(MAX_PARTS);
		memset(want, 0, nbytes);
		for (k = 0; k < n; k++)
			draw_part(&parts[k], &drawn[k], nbytes, draw(2));
		for (k = n; k--; )
			lay_down(want, &parts[k], drawn[k].data);
		cr_assert_eq(ferry_op_assemble(store, FERRY_U8, nbytes, parts,
					       n, &st, &err), 0, "%s",
			     err.text);
		check(st, want, 6);
	}
	ferry_alloc_free(want);
}

/* What was read from a storage by overlapping strides goes back to it. */
static void round_trip(unsigned ndim, const uint64_t *shape,
		       const int64_t *strides, uint64_t offset, uint64_t n)
{
	unsigned char *data = ferry_store_alloc(store, n * 4);
	unsigned char *want = ferry_store_alloc(store, n * 4);
	struct ferry_storage *st, *again;
	struct ferry_part part = { .strides = strides, .offset = offset };
	struct ferry_value *t;
	struct ferry_source *src;
	uint64_t i, at, rest;
	unsigned k;

	for (i = 0; i < n * 4; i++)
		data[i] = (unsigned char)(1 + draw(255));
	cr_assert_eq(ferry_source_from_memory(&src, data, n * 4, "d", NULL),
		     0);
	cr_assert_eq(ferry_store_take_source(store, src), 0);
	st = ferry_storage(store, FERRY_F32, src, 0, n * 4);
	t = ferry_tensor(store, FERRY_F32, ndim, shape, strides, offset, st);
	cr_assert_eq(ferry_tensor_check(t->u.tensor, "t", NULL), 0);
	memset(want, 0, n * 4);
	for (i = 0; i < ferry_tensor_nelem(t->u.tensor); i++) {
		at = offset;
		for (rest = i, k = ndim; k--; rest /= shape[k])
			at += rest % shape[k] * (uint64_t)strides[k];
		memcpy(want + at * 4, data + at * 4, 4);
	}
	cr_assert_eq(ferry_op_contiguous(store, t, &part.tensor, NULL), 0);
	cr_assert_eq(ferry_op_assemble(store, FERRY_F32, n * 4, &part, 1,
				       &again, NULL), 0);
	check(again, want, 20);
}

Test(assemble, overlapping_and_expanded_windows_come_back)
{
	round_trip(2, (uint64_t[]){ 5000, 3 }, (int64_t[]){ 1, 1 }, 7, 5020);
	round_trip(2, (uint64_t[]){ 3, 5000 }, (int64_t[]){ 1, 1 }, 0, 5020);
	round_trip(2, (uint64_t[]){ 4, 4 }, (int64_t[]){ 3, 2 }, 1, 20);
	round_trip(2, (uint64_t[]){ 40000, 3 }, (int64_t[]){ 1, 20000 }, 0,
		   80000);
	round_trip(2, (uint64_t[]){ 3, 40000 }, (int64_t[]){ 20000, 1 }, 0,
		   80000);
	round_trip(3, (uint64_t[]){ 10, 5, 7 }, (int64_t[]){ 0, 7, 1 }, 2, 40);
	round_trip(3, (uint64_t[]){ 100, 3, 5 }, (int64_t[]){ 5, 0, 1 }, 0,
		   500);
	round_trip(4, (uint64_t[]){ 30, 30, 3, 3 },
		   (int64_t[]){ 32, 1, 32, 1 }, 0, 1024);
	round_trip(3, (uint64_t[]){ 6, 5, 4 }, (int64_t[]){ 7, 5, 3 }, 3, 80);
	round_trip(1, (uint64_t[]){ 90000 }, (int64_t[]){ 0 }, 3, 10);
	round_trip(2, (uint64_t[]){ 700, 900 }, (int64_t[]){ 1, 700 }, 0,
		   630000);
	round_trip(2, (uint64_t[]){ 700, 400 }, (int64_t[]){ 401, 1 }, 5,
		   300000);
	round_trip(0, NULL, NULL, 4, 9);
}

Test(assemble, the_earlier_part_has_the_last_word)
{
	static const uint64_t shape[] = { 4 };
	static const int64_t stride[] = { 1 };
	unsigned char want[6], *first, *second;
	struct ferry_part parts[2];
	struct ferry_storage *st;

	parts[0] = (struct ferry_part){ dense(FERRY_U8, 1, shape, &first),
					stride, 0 };
	parts[1] = (struct ferry_part){ dense(FERRY_U8, 1, shape, &second),
					stride, 2 };
	memcpy(want + 2, second, 4);
	memcpy(want, first, 4);
	cr_assert_eq(ferry_op_assemble(store, FERRY_U8, 6, parts, 2, &st,
				       NULL), 0);
	check(st, want, 10);
}

/* In no order of offset, some side by side, some with gaps between. */
Test(assemble, many_parts_apart_are_found_wherever_they_are)
{
	enum { N = 300 };
	static const uint64_t shape[] = { 5 };
	static const int64_t stride[] = { 1 };
	static unsigned char want[N * 6];
	unsigned char *bytes;
	static struct ferry_part parts[N];
	struct ferry_storage *st;
	size_t i, at;

	for (i = 0; i < N; i++) {
		at = i * 7 % N * 6 + i % 2;
		parts[i] = (struct ferry_part){ dense(FERRY_U8, 1, shape,
						      &bytes), stride, at };
		memcpy(want + at, bytes, 5);
	}
	cr_assert_eq(ferry_op_assemble(store, FERRY_U8, sizeof(want), parts, N,
				       &st, NULL), 0);
	check(st, want, 500);
}

Test(assemble, parts_of_other_sizes_may_tear_at_the_edges)
{
	static const uint64_t four[] = { 4 }, three[] = { 3 };
	static const int64_t one[] = { 1 }, two[] = { 2 };
	unsigned char want[48] = { 0 }, *a, *b;
	struct ferry_part parts[2];
	struct ferry_storage *st;

	parts[0] = (struct ferry_part){ dense(FERRY_F64, 1, three, &a), two,
					0 };
	parts[1] = (struct ferry_part){ dense(FERRY_I16, 1, four, &b), one,
					9 };
	lay_down(want, &parts[1], b);
	lay_down(want, &parts[0], a);
	cr_assert_eq(ferry_op_assemble(store, FERRY_U8, 48, parts, 2, &st,
				       NULL), 0);
	check(st, want, 200);
}

Test(assemble, one_dense_part_is_the_storage_itself)
{
	static const uint64_t shape[] = { 3, 5 };
	static const int64_t strides[] = { 5, 1 };
	struct ferry_part part = { NULL, strides, 0 };
	struct ferry_storage *st;
	unsigned char *data;

	part.tensor = dense(FERRY_U8, 2, shape, &data);
	cr_assert_eq(ferry_op_assemble(store, FERRY_U8, 15, &part, 1, &st,
				       NULL), 0);
	cr_assert(st->source == part.tensor->u.tensor->storage->source);
	cr_assert_eq(ferry_op_assemble(store, FERRY_U8, 16, &part, 1, &st,
				       NULL), 0);
	cr_assert(st->source != part.tensor->u.tensor->storage->source);
}

Test(assemble, packed_parts_lie_as_runs_of_bytes)
{
	static const uint64_t shape[] = { 6 };
	static const int64_t one[] = { 1 }, two[] = { 2 };
	static const unsigned char data[] = { 1, 2, 3 };
	struct ferry_part part = { NULL, one, 4 };
	struct ferry_storage *st;
	struct ferry_source *src;
	unsigned char got[6];

	cr_assert_eq(ferry_source_from_memory(&src, data, 3, "d", NULL), 0);
	cr_assert_eq(ferry_store_take_source(store, src), 0);
	st = ferry_storage(store, FERRY_F4_E2M1, src, 0, 3);
	part.tensor = ferry_tensor(store, FERRY_F4_E2M1, 1, shape, NULL, 0, st);
	cr_assert_eq(ferry_op_assemble(store, FERRY_U8, 6, &part, 1, &st,
				       NULL), 0);
	cr_assert_eq(ferry_source_read(st->source, got, st->offset, 6, NULL),
		     0);
	cr_assert(!memcmp(got, "\0\0\1\2\3\0", 6));
	part.strides = two;
	cr_assert_eq(ferry_op_assemble(store, FERRY_U8, 60, &part, 1, &st,
				       NULL), FERRY_UNSUPPORTED);
	part.strides = one;
	part.offset = 5;
	cr_assert_eq(ferry_op_assemble(store, FERRY_U8, 60, &part, 1, &st,
				       NULL), FERRY_UNSUPPORTED);
}

Test(assemble, parts_outside_are_refused)
{
	static const uint64_t shape[] = { 3, 5 };
	static const int64_t good[] = { 5, 1 }, negative[] = { -5, 1 };
	static const int64_t huge[] = { INT64_MAX, 1 };
	struct ferry_part part = { NULL, good, 0 };
	struct ferry_storage *st = NULL;
	unsigned char *data;

	part.tensor = dense(FERRY_F32, 2, shape, &data);
	cr_assert_eq(ferry_op_assemble(store, FERRY_F32, 59, &part, 1, &st,
				       NULL), FERRY_MALFORMED);
	part.offset = 1;
	cr_assert_eq(ferry_op_assemble(store, FERRY_F32, 60, &part, 1, &st,
				       NULL), FERRY_MALFORMED);
	part.offset = UINT64_MAX / 2;
	cr_assert_eq(ferry_op_assemble(store, FERRY_F32, 60, &part, 1, &st,
				       NULL), FERRY_MALFORMED);
	part.offset = 0;
	part.strides = negative;
	cr_assert_eq(ferry_op_assemble(store, FERRY_F32, 60, &part, 1, &st,
				       NULL), FERRY_MALFORMED);
	part.strides = huge;
	cr_assert_eq(ferry_op_assemble(store, FERRY_F32, 60, &part, 1, &st,
				       NULL), FERRY_MALFORMED);
	part.tensor = ferry_none();
	cr_assert_eq(ferry_op_assemble(store, FERRY_F32, 60, &part, 1, &st,
				       NULL), FERRY_MISUSE);
	cr_assert_null(st);
}
