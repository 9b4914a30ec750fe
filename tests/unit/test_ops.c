/* Lazy tensor operations, against elements addressed one by one. */
#include "config.h"

#include <criterion/criterion.h>

#include <inttypes.h>
#include <string.h>

#include <ferry/sys/alloc.h>
#include <ferry/sys/ops.h>

static uint64_t seed = 88172645463325252u;

static uint64_t draw(uint64_t below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed % below;
}

/* Memory that can only be read, so that nothing takes the short way. */
struct slow_source {
	struct ferry_source base;
	const unsigned char *data;
	size_t chunk;
};

static int slow_read(struct ferry_source *src, void *buf, uint64_t offset,
		     size_t n, struct ferry_error *err)
{
	(void)err;
	memcpy(buf, ((struct slow_source *)src)->data + offset, n);
	return 0;
}

static size_t slow_chunk(struct ferry_source *src)
{
	return ((struct slow_source *)src)->chunk;
}

static const struct ferry_source_ops slow_ops = {
	.read = slow_read,
	.chunk = slow_chunk,
};

static struct ferry_source *slow_source(const void *data, size_t n,
					size_t chunk)
{
	struct slow_source *s = ferry_alloc(sizeof(*s));

	cr_assert(s);
	s->data = data;
	s->chunk = chunk;
	cr_assert_eq(ferry_source_init(&s->base, &slow_ops, n, "slow", NULL),
		     0);
	return &s->base;
}

struct fixture {
	struct ferry_store *store;
	unsigned char *data;
	size_t n;
};

static void set_up(struct fixture *f, size_t n)
{
	size_t i;

	cr_assert_eq(ferry_store_new(&f->store, NULL), 0);
	f->data = ferry_alloc(n);
	cr_assert(f->data);
	for (i = 0; i < n; i++)
		f->data[i] = (unsigned char)draw(256);
	f->n = n;
}

static void tear_down(struct fixture *f)
{
	ferry_store_unref(f->store);
	ferry_alloc_free(f->data);
}

enum way {
	MEMORY,
	SLOW,
	FORWARDS,
	N_WAYS,
};

static struct ferry_storage *storage(struct fixture *f, enum ferry_dtype dtype,
				     enum way way)
{
	struct ferry_source *src = NULL;
	struct ferry_storage *st;

	if (way == MEMORY)
		cr_assert_eq(ferry_source_from_memory(&src, f->data, f->n, "m",
						      NULL), 0);
	else
		src = slow_source(f->data, f->n, way == FORWARDS ?
				  FERRY_CHUNK_FORWARDS : 0);
	cr_assert_eq(ferry_store_take_source(f->store, src), 0);
	st = ferry_storage(f->store, dtype, src, 0, f->n);
	cr_assert(st);
	return st;
}

/* The meaning of a tensor: each element by its own address. */
static unsigned char *elements(const struct fixture *f,
			       const struct ferry_tensor *t)
{
	unsigned size = ferry_dtype_size(t->dtype);
	uint64_t n = ferry_tensor_nelem(t), i, rest, at;
	unsigned char *out = ferry_alloc(n * size + 1);
	unsigned k;

	cr_assert(out);
	for (i = 0; i < n; i++) {
		at = t->offset;
		rest = i;
		for (k = t->ndim; k--; rest /= t->shape[k])
			at += rest % t->shape[k] * (uint64_t)t->strides[k];
		memcpy(out + i * size, f->data + at * size, size);
	}
	return out;
}

static void check_data(const struct fixture *f, struct ferry_value *v,
		       const unsigned char *want, unsigned tries)
{
	const struct ferry_tensor *t = v->u.tensor;
	unsigned size = ferry_dtype_size(t->dtype);
	uint64_t n = ferry_tensor_nelem(t), first, count, base;
	unsigned char *got = ferry_alloc(n * size + 1);
	struct ferry_error err = FERRY_ERROR_INIT;
	struct ferry_source *src;

	cr_assert(got);
	got[n * size] = 0xa5;
	cr_assert_eq(ferry_tensor_read(t, 0, n, got, &err), 0, "%s", err.text);
	cr_assert(!memcmp(got, want, n * size));
	cr_assert_eq(ferry_tensor_source(f->store, t, &src, &base, &err), 0,
		     "%s", err.text);
	memset(got, 0, n * size);
	cr_assert_eq(ferry_source_read(src, got, base, n * size, &err), 0,
		     "%s", err.text);
	cr_assert(!memcmp(got, want, n * size));
	while (n && tries--) {
		first = draw(n);
		count = draw(n - first) + 1;
		memset(got, 0, n * size);
		cr_assert_eq(ferry_tensor_read(t, first, count, got, &err), 0);
		cr_assert(!memcmp(got, want + first * size, count * size));
		first = draw(n * size);
		count = draw(n * size - first) + 1;
		memset(got, 0, n * size);
		cr_assert_eq(ferry_source_read(src, got, base + first, count,
					       &err), 0);
		cr_assert(!memcmp(got, want + first, count));
	}
	cr_assert_eq(got[n * size], 0xa5);
	ferry_alloc_free(got);
}

static void check_tensor(const struct fixture *f, struct ferry_value *v,
			 unsigned tries)
{
	unsigned char *want = elements(f, v->u.tensor);

	check_data(f, v, want, tries);
	ferry_alloc_free(want);
}

static const enum ferry_dtype by_size[] = {
	FERRY_U8, FERRY_I16, FERRY_F32, FERRY_F64, FERRY_C128,
};

/* Permuted, padded, expanded or overlapping strides of a small shape. */
static struct ferry_value *random_tensor(struct fixture *f, enum way way,
					 unsigned most)
{
	enum ferry_dtype dtype = by_size[draw(5)];
	unsigned ndim = (unsigned)draw(6), i, k;
	uint64_t shape[6], dense = 1, reach = 1, room;
	int64_t strides[6];
	unsigned order[6];

	for (i = 0; i < ndim; i++) {
		shape[i] = draw(20) ? 1 + draw(most) : 0;
		k = (unsigned)draw(i + 1);
		order[i] = order[k];
		order[k] = i;
	}
	for (i = 0; i < ndim; i++) {
		k = order[i];
		strides[k] = (int64_t)dense;
		if (!draw(5))
			strides[k] = 0;
		else if (!draw(5))
			strides[k] = (int64_t)draw(dense + 2);
		else
			dense = (dense * shape[k]) + (draw(3) ? 0 : draw(9));
		if (shape[k])
			reach += (shape[k] - 1) * (uint64_t)strides[k];
	}
	room = f->n / ferry_dtype_size(dtype);
	cr_assert_leq(reach, room);
	return ferry_tensor(f->store, dtype, ndim, shape, strides,
			    draw(room - reach + 1), storage(f, dtype, way));
}

Test(ops, random_strides_read_as_addressed_one_by_one)
{
	struct fixture f;
	unsigned i, way;

	for (way = 0; way < N_WAYS; way++) {
		set_up(&f, 1 << 20);
		for (i = 0; i < 1500; i++)
			check_tensor(&f, random_tensor(&f, way, 6), 4);
		for (i = 0; i < 100; i++)
			check_tensor(&f, random_tensor(&f, way, 9), 2);
		tear_down(&f);
	}
}

static void check_layout(enum ferry_dtype dtype, unsigned ndim,
			 const uint64_t *shape, const int64_t *strides)
{
	uint64_t reach = 1;
	struct fixture f;
	unsigned i, way;

	for (i = 0; i < ndim; i++)
		reach += (shape[i] - 1) * (uint64_t)strides[i];
	set_up(&f, reach * ferry_dtype_size(dtype));
	for (way = 0; way < N_WAYS; way++)
		check_tensor(&f, ferry_tensor(f.store, dtype, ndim, shape,
					      strides, 0,
					      storage(&f, dtype, way)), 3);
	tear_down(&f);
}

Test(ops, large_transposed_and_sparse_layouts_read_right)
{
	static const struct {
		enum ferry_dtype dtype;
		unsigned ndim;
		uint64_t shape[4];
		int64_t strides[4];
	} cases[] = {
		{ FERRY_F32, 2, { 1003, 1501 }, { 1, 1003 } },
		{ FERRY_U8, 2, { 3001, 1009 }, { 1, 3001 } },
		{ FERRY_BF16, 2, { 513, 4099 }, { 1, 513 } },
		{ FERRY_C128, 2, { 257, 1025 }, { 1, 257 } },
		{ FERRY_F64, 3, { 61, 73, 83 }, { 1, 61, 61 * 73 } },
		{ FERRY_F32, 3, { 61, 73, 83 }, { 73, 1, 61 * 73 } },
		{ FERRY_F32, 4, { 16, 33, 3, 64 }, { 1, 16, 16 * 33 * 64,
						     16 * 33 } },
		{ FERRY_F32, 2, { 1000, 2 }, { 5000, 1 } },
		{ FERRY_F32, 2, { 300, 1 }, { 1000, 1 } },
		{ FERRY_F32, 2, { 2, 400000 }, { 1, 3 } },
		{ FERRY_F32, 2, { 400000, 2 }, { 3, 1 } },
		{ FERRY_F32, 2, { 20, 40000 }, { 50000, 1 } },
		{ FERRY_F32, 3, { 3, 200000, 2 }, { 1, 0, 0 } },
		{ FERRY_F32, 2, { 100000, 7 }, { 1, 1 } },
		{ FERRY_U8, 1, { 3000000 }, { 2 } },
	};
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		check_layout(cases[i].dtype, cases[i].ndim, cases[i].shape,
			     cases[i].strides);
}

Test(ops, permute_transpose_and_slice_are_views)
{
	static const uint64_t shape[] = { 4, 5, 6 };
	static const unsigned axes[] = { 2, 0, 1 };
	struct ferry_value *t, *p, *q, *r;
	const struct ferry_tensor *v;
	struct fixture f;

	set_up(&f, 4 * 5 * 6 * 4);
	t = ferry_tensor(f.store, FERRY_F32, 3, shape, NULL, 0,
			 storage(&f, FERRY_F32, SLOW));
	cr_assert_eq(ferry_op_permute(f.store, t, axes, &p, NULL), 0);
	v = p->u.tensor;
	cr_assert(v->storage == t->u.tensor->storage);
	cr_assert(v->shape[0] == 6 && v->shape[1] == 4 && v->shape[2] == 5);
	cr_assert(v->strides[0] == 1 && v->strides[1] == 30 &&
		  v->strides[2] == 6);
	cr_assert_eq(ferry_op_transpose(f.store, t, 0, 2, &q, NULL), 0);
	cr_assert(q->u.tensor->shape[0] == 6 && q->u.tensor->strides[0] == 1);
	cr_assert_eq(ferry_op_slice(f.store, q, 0, 1, 6, 2, &r, NULL), 0);
	v = r->u.tensor;
	cr_assert(v->shape[0] == 3 && v->strides[0] == 2 && v->offset == 1);
	check_tensor(&f, p, 3);
	check_tensor(&f, q, 3);
	check_tensor(&f, r, 3);
	tear_down(&f);
}

Test(ops, misfits_are_refused_and_change_nothing)
{
	static const uint64_t shape[] = { 4, 5 }, bad[] = { 3, 7 };
	static const unsigned twice[] = { 0, 0 }, far[] = { 0, 2 };
	struct ferry_error err = FERRY_ERROR_INIT;
	struct ferry_value *t, *u, *out = NULL, *both[2];
	struct fixture f;

	set_up(&f, 4 * 5 * 4);
	t = ferry_tensor(f.store, FERRY_F32, 2, shape, NULL, 0,
			 storage(&f, FERRY_F32, SLOW));
	u = ferry_tensor(f.store, FERRY_I32, 2, shape, NULL, 0,
			 storage(&f, FERRY_I32, SLOW));
	cr_assert_eq(ferry_op_permute(f.store, t, twice, &out, &err),
		     FERRY_MISUSE);
	cr_assert_eq(ferry_op_permute(f.store, t, far, &out, NULL),
		     FERRY_MISUSE);
	cr_assert_eq(ferry_op_transpose(f.store, t, 0, 2, &out, NULL),
		     FERRY_MISUSE);
	cr_assert_eq(ferry_op_slice(f.store, t, 2, 0, 1, 1, &out, NULL),
		     FERRY_MISUSE);
	cr_assert_eq(ferry_op_slice(f.store, t, 0, 0, 5, 1, &out, NULL),
		     FERRY_MISUSE);
	cr_assert_eq(ferry_op_slice(f.store, t, 0, 0, 4, 0, &out, NULL),
		     FERRY_MISUSE);
	cr_assert_eq(ferry_op_reshape(f.store, t, 2, bad, &out, NULL),
		     FERRY_MISUSE);
	cr_assert_eq(ferry_op_contiguous(f.store, ferry_none(), &out, NULL),
		     FERRY_MISUSE);
	both[0] = t;
	both[1] = u;
	cr_assert_eq(ferry_op_concat(f.store, both, 2, 0, &out, NULL),
		     FERRY_MISUSE);
	cr_assert_eq(ferry_op_concat(f.store, both, 0, 0, &out, NULL),
		     FERRY_MISUSE);
	cr_assert_eq(ferry_op_concat(f.store, both, 1, 2, &out, NULL),
		     FERRY_MISUSE);
	cr_assert_eq(ferry_tensor_read(t->u.tensor, 15, 6, f.data, NULL),
		     FERRY_MISUSE);
	cr_assert_null(out);
	cr_assert(strstr(err.text, "given twice"));
	tear_down(&f);
}

Test(ops, reshape_is_a_view_where_strides_allow_it)
{
	static const uint64_t shape[] = { 6, 8, 10 };
	static const uint64_t flat[] = { 480 }, split[] = { 2, 3, 8, 1, 10 };
	static const uint64_t tail[] = { 6, 80 };
	struct ferry_value *t, *cut, *out;
	struct ferry_storage *st;
	struct fixture f;
	unsigned char *want;

	set_up(&f, 480 * 4);
	st = storage(&f, FERRY_F32, SLOW);
	t = ferry_tensor(f.store, FERRY_F32, 3, shape, NULL, 0, st);
	cr_assert_eq(ferry_op_reshape(f.store, t, 5, split, &out, NULL), 0);
	cr_assert(out->u.tensor->storage == st);
	cr_assert_eq(ferry_op_slice(f.store, t, 0, 0, 6, 2, &cut, NULL), 0);
	cr_assert_eq(ferry_op_reshape(f.store, cut, 2, (uint64_t[]){ 3, 80 },
				      &out, NULL), 0);
	cr_assert(out->u.tensor->storage == st);
	cr_assert_eq(out->u.tensor->strides[0], 160);
	check_tensor(&f, out, 3);

	cr_assert_eq(ferry_op_transpose(f.store, t, 0, 1, &cut, NULL), 0);
	want = elements(&f, cut->u.tensor);
	cr_assert_eq(ferry_op_reshape(f.store, cut, 1, flat, &out, NULL), 0);
	cr_assert(out->u.tensor->storage != st);
	check_data(&f, out, want, 5);
	cr_assert_eq(ferry_op_reshape(f.store, cut, 2, tail, &out, NULL), 0);
	check_data(&f, out, want, 5);
	ferry_alloc_free(want);
	tear_down(&f);
}

Test(ops, random_reshapes_keep_the_order_of_elements)
{
	struct fixture f;
	unsigned i, k;

	set_up(&f, 1 << 20);
	for (i = 0; i < 1500; i++) {
		struct ferry_value *t = random_tensor(&f, SLOW, 6), *out;
		uint64_t n = ferry_tensor_nelem(t->u.tensor), d, shape[9];
		unsigned char *want = elements(&f, t->u.tensor);
		unsigned ndim = 0;

		for (d = 2; n && d <= 7; d++)
			while (n % d == 0 && ndim < 6) {
				n /= d;
				shape[ndim++] = d;
			}
		shape[ndim++] = n;
		shape[ndim++] = n ? 1 : 7;
		for (k = ndim; k-- > 1 && n; ) {
			uint64_t at = draw(k + 1);

			d = shape[at];
			shape[at] = shape[k];
			shape[k] = d;
			if (!draw(3)) {
				shape[k - 1] *= shape[k];
				shape[k] = 1;
			}
		}
		cr_assert_eq(ferry_op_reshape(f.store, t, ndim, shape, &out,
					      NULL), 0);
		check_data(&f, out, want, 1);
		ferry_alloc_free(want);
	}
	tear_down(&f);
}

static double at_f64(const unsigned char *p, size_t i)
{
	double d;

	memcpy(&d, p + 8 * i, 8);
	return d;
}

Test(ops, conj_and_neg_are_resolved_when_read)
{
	static const double in[] = { 1, 2, -3, 4, 5, -6 };
	static const uint64_t shape[] = { 3 };
	struct ferry_value *t, *out;
	unsigned char got[48];
	struct fixture f;
	int32_t ints[3];

	set_up(&f, sizeof(in));
	memcpy(f.data, in, sizeof(in));
	t = ferry_tensor(f.store, FERRY_C128, 1, shape, NULL, 0,
			 storage(&f, FERRY_C128, SLOW));
	t->u.tensor->flags = FERRY_CONJ | FERRY_REQUIRES_GRAD;
	cr_assert_eq(ferry_tensor_read(t->u.tensor, 1, 2, got, NULL), 0);
	cr_assert(at_f64(got, 0) == -3 && at_f64(got, 1) == -4);
	cr_assert(at_f64(got, 2) == 5 && at_f64(got, 3) == 6);
	cr_assert_eq(ferry_op_contiguous(f.store, t, &out, NULL), 0);
	cr_assert_neq(out, t);
	cr_assert_eq(out->u.tensor->flags, FERRY_REQUIRES_GRAD);
	memset(got, 0, sizeof(got));
	cr_assert_eq(ferry_tensor_read(out->u.tensor, 0, 3, got, NULL), 0);
	cr_assert(at_f64(got, 0) == 1 && at_f64(got, 1) == -2);
	t->u.tensor->flags = FERRY_CONJ | FERRY_NEG;
	cr_assert_eq(ferry_tensor_read(t->u.tensor, 0, 1, got, NULL), 0);
	cr_assert(at_f64(got, 0) == -1 && at_f64(got, 1) == 2);

	memcpy(f.data, (int32_t[]){ 7, -8, INT32_MIN }, 12);
	t = ferry_tensor(f.store, FERRY_I32, 1, shape, NULL, 0,
			 storage(&f, FERRY_I32, SLOW));
	t->u.tensor->flags = FERRY_NEG;
	cr_assert_eq(ferry_tensor_read(t->u.tensor, 0, 3, ints, NULL), 0);
	cr_assert(ints[0] == -7 && ints[1] == 8 && ints[2] == INT32_MIN);
	tear_down(&f);
}

Test(ops, contiguous_gives_a_dense_tensor_back_as_it_is)
{
	static const uint64_t shape[] = { 1, 6, 1 };
	static const int64_t odd[] = { 99, 1, 7 };
	struct ferry_value *t, *out;
	struct fixture f;

	set_up(&f, 24);
	t = ferry_tensor(f.store, FERRY_F32, 3, shape, odd, 0,
			 storage(&f, FERRY_F32, SLOW));
	cr_assert_eq(ferry_op_contiguous(f.store, t, &out, NULL), 0);
	cr_assert(out == t);
	tear_down(&f);
}

/* Concatenation element by element. */
static unsigned char *joined(const struct fixture *f,
			     struct ferry_value *const *ts, size_t n,
			     unsigned dim, const struct ferry_tensor *whole)
{
	unsigned size = ferry_dtype_size(whole->dtype);
	uint64_t total = ferry_tensor_nbytes(whole), done = 0, rows = 1, row;
	unsigned char *out = ferry_alloc(total + 1);
	unsigned char *parts[8];
	unsigned k;
	size_t i;

	cr_assert(out);
	for (k = 0; k < dim; k++)
		rows *= whole->shape[k];
	for (i = 0; i < n; i++)
		parts[i] = elements(f, ts[i]->u.tensor);
	for (row = 0; total && row < rows; row++)
		for (i = 0; i < n; i++) {
			uint64_t run = ferry_tensor_nelem(ts[i]->u.tensor) /
				       rows * size;

			memcpy(out + done, parts[i] + row * run, run);
			done += run;
		}
	for (i = 0; i < n; i++)
		ferry_alloc_free(parts[i]);
	return out;
}

Test(ops, concat_joins_along_any_dimension)
{
	struct fixture f;
	unsigned i, k;

	set_up(&f, 1 << 20);
	for (i = 0; i < 600; i++) {
		enum ferry_dtype dtype = by_size[draw(5)];
		unsigned ndim = 1 + (unsigned)draw(4);
		unsigned dim = (unsigned)draw(ndim);
		size_t n = 1 + draw(5), j;
		struct ferry_value *ts[8], *out, *p;
		uint64_t shape[4], sum = 0;
		unsigned char *want;

		for (k = 0; k < ndim; k++)
			shape[k] = 1 + draw(7);
		for (j = 0; j < n; j++) {
			shape[dim] = draw(6);
			sum += shape[dim];
			p = ferry_tensor(f.store, dtype, ndim, shape, NULL,
					 draw(1000), storage(&f, dtype,
							     draw(N_WAYS)));
			ts[j] = p;
			if (shape[dim] && draw(2))
				cr_assert_eq(ferry_op_slice(
					f.store, p, dim, 0, shape[dim], 1,
					&ts[j], NULL), 0);
		}
		cr_assert_eq(ferry_op_concat(f.store, ts, n, dim, &out, NULL),
			     0);
		cr_assert_eq(out->u.tensor->shape[dim], sum);
		want = joined(&f, ts, n, dim, out->u.tensor);
		check_data(&f, out, want, 3);
		ferry_alloc_free(want);
	}
	tear_down(&f);
}

Test(ops, concat_of_whole_rows_keeps_the_way_to_the_file)
{
	static const uint64_t shape[] = { 2, 3 };
	struct ferry_value *ts[2], *out;
	const void *at;
	struct fixture f;

	set_up(&f, 48);
	ts[0] = ferry_tensor(f.store, FERRY_F32, 2, shape, NULL, 6,
			     storage(&f, FERRY_F32, MEMORY));
	ts[1] = ferry_tensor(f.store, FERRY_F32, 2, shape, NULL, 0,
			     storage(&f, FERRY_F32, MEMORY));
	cr_assert_eq(ferry_op_concat(f.store, ts, 2, 0, &out, NULL), 0);
	at = ferry_source_memory(out->u.tensor->storage->source, 24, 24);
	cr_assert(at == f.data);
	at = ferry_source_memory(out->u.tensor->storage->source, 20, 8);
	cr_assert_null(at);
	tear_down(&f);
}

Test(ops, packed_dtypes_are_read_by_whole_bytes_only)
{
	static const uint64_t shape[] = { 2, 5 };
	static const int64_t across[] = { 1, 2 };
	struct ferry_value *t, *out;
	struct ferry_source *src;
	unsigned char got[8];
	struct fixture f;
	uint64_t base;

	set_up(&f, 16);
	t = ferry_tensor(f.store, FERRY_F4_E2M1, 2, shape, NULL, 2,
			 storage(&f, FERRY_F4_E2M1, SLOW));
	cr_assert_eq(ferry_tensor_read(t->u.tensor, 0, 10, got, NULL), 0);
	cr_assert(!memcmp(got, f.data + 1, 5));
	cr_assert_eq(ferry_tensor_read(t->u.tensor, 2, 4, got, NULL), 0);
	cr_assert(!memcmp(got, f.data + 2, 2));
	cr_assert_eq(ferry_tensor_read(t->u.tensor, 1, 4, got, NULL),
		     FERRY_MISUSE);
	cr_assert_eq(ferry_tensor_source(f.store, t->u.tensor, &src, &base,
					 NULL), 0);
	cr_assert_eq(base, 1);
	t = ferry_tensor(f.store, FERRY_F4_E2M1, 2, shape, across, 0,
			 storage(&f, FERRY_F4_E2M1, SLOW));
	cr_assert_eq(ferry_op_contiguous(f.store, t, &out, NULL),
		     FERRY_UNSUPPORTED);
	cr_assert_eq(ferry_tensor_read(t->u.tensor, 0, 10, got, NULL),
		     FERRY_UNSUPPORTED);
	tear_down(&f);
}

Test(ops, extent_spans_from_first_to_last_element)
{
	static const uint64_t shape[] = { 3, 2 }, none[] = { 3, 0 };
	static const int64_t strides[] = { 10, 4 };
	struct ferry_value *t;
	struct fixture f;
	uint64_t first, end;

	set_up(&f, 400);
	t = ferry_tensor(f.store, FERRY_F32, 2, shape, strides, 5,
			 storage(&f, FERRY_F32, SLOW));
	ferry_tensor_extent(t->u.tensor, &first, &end);
	cr_assert_eq(first, 20);
	cr_assert_eq(end, 20 + (24 + 1) * 4);
	t = ferry_tensor(f.store, FERRY_F32, 2, none, strides, 5,
			 storage(&f, FERRY_F32, SLOW));
	ferry_tensor_extent(t->u.tensor, &first, &end);
	cr_assert_eq(first, end);
	tear_down(&f);
}

Test(ops, meta_tensors_have_shapes_and_no_data)
{
	static const uint64_t shape[] = { 3, 2 };
	struct ferry_value *t, *out;
	struct ferry_store *s;
	char buf[24];

	cr_assert_eq(ferry_store_new(&s, NULL), 0);
	t = ferry_tensor(s, FERRY_F32, 2, shape, NULL, 0, NULL);
	t->u.tensor->flags = FERRY_META;
	cr_assert_eq(ferry_tensor_read(t->u.tensor, 0, 6, buf, NULL),
		     FERRY_MISUSE);
	cr_assert_eq(ferry_op_transpose(s, t, 0, 1, &t, NULL), 0);
	cr_assert_eq(ferry_op_contiguous(s, t, &out, NULL), 0);
	cr_assert(out->u.tensor->flags & FERRY_META);
	cr_assert_eq(out->u.tensor->strides[0], 3);
	cr_assert_eq(ferry_op_cast(s, t, FERRY_BF16, &out, NULL), 0);
	cr_assert(out->u.tensor->flags & FERRY_META);
	cr_assert_eq(out->u.tensor->dtype, FERRY_BF16);
	ferry_store_unref(s);
}

static int every_op(struct ferry_store *s, struct ferry_value *t,
		    struct ferry_error *err)
{
	static const uint64_t flat[] = { 120 };
	static const int64_t strides[] = { 40, 1 };
	struct ferry_value *turned, *out, *both[2];
	struct ferry_part part = { NULL, strides, 0 };
	struct ferry_storage *st;
	unsigned char buf[480];
	int code = ferry_op_transpose(s, t, 0, 1, &turned, err);

	if (!code)
		code = ferry_op_reshape(s, turned, 1, flat, &out, err);
	if (!code)
		code = ferry_op_cast(s, turned, FERRY_F64, &out, err);
	both[0] = t;
	both[1] = t;
	if (!code)
		code = ferry_op_concat(s, both, 2, 1, &out, err);
	part.tensor = t;
	if (!code)
		code = ferry_op_assemble(s, FERRY_U8, 4000, &part, 1, &st,
					 err);
	if (!code)
		code = ferry_tensor_read(turned->u.tensor, 0, 120, buf, err);
	if (!code)
		code = ferry_source_read(st->source, buf, 100, 480, err);
	return code;
}

Test(ops, failing_allocations_end_cleanly)
{
	static const uint64_t shape[] = { 10, 12 };
	struct ferry_value *t;
	struct fixture f;
	uint64_t nth;
	int code = FERRY_NOMEM;

	for (nth = 1; code && nth < 100; nth++) {
		struct ferry_error err = FERRY_ERROR_INIT;

		set_up(&f, 480);
		t = ferry_tensor(f.store, FERRY_F32, 2, shape, NULL, 0,
				 storage(&f, FERRY_F32, SLOW));
		ferry_alloc_fail_at(nth);
		code = every_op(f.store, t, &err);
		ferry_alloc_fail_at(0);
		cr_assert(!code || code == FERRY_NOMEM);
		cr_assert_eq(err.code, code);
		tear_down(&f);
	}
	cr_assert_lt(nth, 100);
	cr_assert_gt(nth, 10);
}
