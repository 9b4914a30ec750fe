/*
 * Bicubic resizing of planes, lazily.
 *
 * An output row takes four input rows, each resized along x first; those are
 * held by their number, so that a row is resized once however many output rows
 * take it.  Positions are computed in single precision unless the tensor is of
 * float64, as the operator this follows has them: in a wide plane it shows.
 */
#include "config.h"

#include <inttypes.h>
#include <string.h>

#include <ferry/sys/alloc.h>
#include <ferry/sys/ckd.h>

#include "core/model/cast.h"
#include "core/model/gather_box.h"
#include "core/model/ops.h"

#define TAPS 4
#define WIDEST ((uint64_t)1 << 20)	/* elements of a row */
#define CHUNK ((size_t)1 << 20)

struct taps {
	uint64_t at[TAPS];
	double weight[TAPS];
};

struct resize {
	struct ferry_source base;
	struct ferry_source *parent;
	uint64_t offset;		/* of the input in parent */
	struct cast load, store;	/* to double, and back */
	bool single;
	uint64_t in_height, in_width, height, width;
};

/* What one read needs. */
struct work {
	const struct resize *r;
	struct taps *x;			/* [width] */
	double *rows;			/* [TAPS][width]: input row i in i % 4 */
	uint64_t held[TAPS];		/* number of that row, over all planes */
	double *line;			/* [the larger width] */
	unsigned char *raw;
	struct ferry_error *err;
};

static double position(const struct resize *r, uint64_t in, uint64_t out,
		       uint64_t o)
{
	float scale, middle;

	if (!r->single)
		return ((double)o + 0.5) * ((double)in / (double)out) - 0.5;
	scale = (float)in / (float)out;
	middle = (float)o + 0.5f;
	/* Rounded once: it is a fused multiplication there. */
	return (float)((double)scale * (double)middle - 0.5);
}

static double inner(double d)
{
	const double a = -0.75;

	return ((a + 2) * d - (a + 3)) * d * d + 1;
}

static double outer(double d)
{
	const double a = -0.75;

	return ((a * d - 5 * a) * d + 8 * a) * d - 4 * a;
}

static void find_taps(const struct resize *r, uint64_t in, uint64_t out,
		      uint64_t o, struct taps *to)
{
	double s = position(r, in, out, o);
	int64_t first = (int64_t)s - (s < (double)(int64_t)s), at;
	double t = s - (double)first;

	for (int k = 0; k < TAPS; k++) {
		at = first - 1 + k;
		to->at[k] = at < 0 ? 0 : (uint64_t)at < in ? (uint64_t)at :
			    in - 1;
	}
	to->weight[0] = outer(t + 1);
	to->weight[1] = inner(t);
	to->weight[2] = inner(1 - t);
	to->weight[3] = outer(2 - t);
}

static int hold_row(struct work *w, uint64_t row)
{
	const struct resize *r = w->r;
	size_t nbytes = r->in_width * r->load.in_nbytes;
	double *to = w->rows + row % TAPS * r->width;
	int code;

	if (w->held[row % TAPS] == row)
		return 0;
	code = ferry_source_read(r->parent, w->raw, r->offset + row * nbytes,
				 nbytes, w->err);
	if (code)
		return code;
	cast_run(&r->load, w->raw, w->line, r->in_width);
	for (uint64_t i = 0; i < r->width; i++) {
		const struct taps *x = &w->x[i];

		to[i] = w->line[x->at[0]] * x->weight[0] +
			w->line[x->at[1]] * x->weight[1] +
			w->line[x->at[2]] * x->weight[2] +
			w->line[x->at[3]] * x->weight[3];
	}
	w->held[row % TAPS] = row;
	return 0;
}

/* Elements [from, end) of an output row, counted over all planes. */
static int make_row(struct work *w, uint64_t row, uint64_t from, uint64_t end,
		    unsigned char *to)
{
	const struct resize *r = w->r;
	uint64_t plane = row / r->height * r->in_height, i;
	const double *rows[TAPS];
	struct taps y;
	int code = 0;

	find_taps(r, r->in_height, r->height, row % r->height, &y);
	for (int k = 0; k < TAPS && !code; k++) {
		code = hold_row(w, plane + y.at[k]);
		rows[k] = w->rows + (plane + y.at[k]) % TAPS * r->width;
	}
	if (code)
		return code;
	for (i = from; i < end; i++)
		w->line[i] = rows[0][i] * y.weight[0] +
			     rows[1][i] * y.weight[1] +
			     rows[2][i] * y.weight[2] +
			     rows[3][i] * y.weight[3];
	cast_run(&r->store, w->line + from, to, end - from);
	return 0;
}

static bool work_init(struct work *w, const struct resize *r,
		      struct ferry_error *err)
{
	uint64_t widest = r->width > r->in_width ? r->width : r->in_width;

	*w = (struct work){ .r = r, .err = err };
	w->x = ferry_alloc(r->width * sizeof(*w->x));
	w->rows = ferry_alloc(TAPS * r->width * sizeof(*w->rows));
	w->line = ferry_alloc(widest * sizeof(*w->line));
	w->raw = ferry_alloc(r->in_width * r->load.in_nbytes);
	if (!w->x || !w->rows || !w->line || !w->raw)
		return false;
	for (uint64_t i = 0; i < r->width; i++)
		find_taps(r, r->in_width, r->width, i, &w->x[i]);
	memset(w->held, 0xff, sizeof(w->held));
	return true;
}

static void work_release(struct work *w)
{
	ferry_alloc_free(w->x);
	ferry_alloc_free(w->rows);
	ferry_alloc_free(w->line);
	ferry_alloc_free(w->raw);
}

static int resize_elements(void *ctx, void *buf, uint64_t first, uint64_t n,
			   struct ferry_error *err)
{
	const struct resize *r = ctx;
	unsigned char *to = buf;
	uint64_t from, end;
	struct work w;
	int code = 0;

	if (!work_init(&w, r, err))
		code = ferry_fail_nomem(err, "rows to resize");
	while (n && !code) {
		from = first % r->width;
		end = n < r->width - from ? from + n : r->width;
		code = make_row(&w, first / r->width, from, end, to);
		to += (end - from) * r->store.out_nbytes;
		first += end - from;
		n -= end - from;
	}
	work_release(&w);
	return code;
}

static int resize_read(struct ferry_source *src, void *buf, uint64_t offset,
		       size_t n, struct ferry_error *err)
{
	struct resize *r = (struct resize *)src;

	return box_read_bytes(resize_elements, r, r->store.out_nbytes, buf,
			      offset, n, err);
}

static size_t resize_chunk(struct ferry_source *src)
{
	size_t chunk = ferry_source_chunk(((struct resize *)src)->parent);

	return chunk == FERRY_CHUNK_FORWARDS ? chunk : CHUNK;
}

static void resize_free(struct ferry_source *src)
{
	ferry_source_unref(((struct resize *)src)->parent);
	ferry_alloc_free(src);
}

static const struct ferry_source_ops resize_ops = {
	.read = resize_read,
	.chunk = resize_chunk,
	.free = resize_free,
};

static int check_size(const struct ferry_tensor *t, uint64_t height,
		      uint64_t width, struct ferry_error *err)
{
	const uint64_t *in;

	if (t->ndim < 2)
		return ferry_fail(err, FERRY_MISUSE, "", FERRY_NO_OFFSET,
				  "resize: the tensor has rank %u; a height and "
				  "a width are needed", t->ndim);
	in = t->shape + t->ndim - 2;
	if (!in[0] || !in[1] || !height || !width)
		return ferry_fail(err, FERRY_MISUSE, "", FERRY_NO_OFFSET,
				  "resize: %" PRIu64 " x %" PRIu64 " can't "
				  "become %" PRIu64 " x %" PRIu64 "; no size "
				  "may be 0", in[0], in[1], height, width);
	if (in[1] > WIDEST || width > WIDEST)
		return ferry_fail(err, FERRY_LIMIT, "", FERRY_NO_OFFSET,
				  "resize: rows of %" PRIu64 " elements are "
				  "above the limit of %" PRIu64,
				  in[1] > width ? in[1] : width, WIDEST);
	return 0;
}

static int check_nelem(const uint64_t *shape, unsigned ndim,
		       struct ferry_error *err)
{
	uint64_t n = 1;
	bool over = false;

	for (unsigned i = 0; i < ndim; i++) {
		if (!shape[i])
			return 0;
		over = over || ferry_ckd_mul(&n, n, shape[i]);
	}
	if (!over && n <= INT64_MAX / 16)
		return 0;
	return ferry_fail(err, FERRY_LIMIT, "", FERRY_NO_OFFSET,
			  "resize: size of the result overflows 63 bits");
}

static int resize_new(struct ferry_source **out, struct ferry_store *s,
		      const struct ferry_tensor *t, const uint64_t *shape,
		      const struct cast *load, const struct cast *store,
		      struct ferry_error *err)
{
	struct resize *r = ferry_alloc(sizeof(*r));
	uint64_t nbytes = store->out_nbytes;
	int code;

	if (!r)
		return ferry_fail_nomem(err, "a resized tensor");
	for (unsigned i = 0; i < t->ndim; i++)
		nbytes *= shape[i];
	code = ferry_tensor_source(s, t, &r->parent, &r->offset, err);
	if (!code)
		code = ferry_source_init(&r->base, &resize_ops, nbytes,
					 r->parent->name, err);
	if (code) {
		ferry_alloc_free(r);
		return code;
	}
	ferry_source_ref(r->parent);
	r->load = *load;
	r->store = *store;
	r->single = t->dtype != FERRY_F64;
	r->in_height = t->shape[t->ndim - 2];
	r->in_width = t->shape[t->ndim - 1];
	r->height = shape[t->ndim - 2];
	r->width = shape[t->ndim - 1];
	*out = &r->base;
	return 0;
}

int ferry_op_resize_bicubic(struct ferry_store *s, struct ferry_value *t,
			    uint64_t height, uint64_t width,
			    struct ferry_value **out, struct ferry_error *err)
{
	uint64_t shape[FERRY_MAX_RANK];
	const struct ferry_tensor *in;
	struct ferry_source *src = NULL;
	struct cast load, store;
	int code = ops_check(t, "resize", err);

	if (code)
		return code;
	in = t->u.tensor;
	if (!ferry_dtype_is_float(in->dtype) ||
	    !cast_init(&load, in->dtype, FERRY_F64) ||
	    !cast_init(&store, FERRY_F64, in->dtype))
		return ferry_fail(err, FERRY_UNSUPPORTED, "", FERRY_NO_OFFSET,
				  "resize: %s can't be interpolated; cast it to "
				  "a floating dtype first",
				  ferry_dtype_name(in->dtype));
	code = check_size(in, height, width, err);
	if (code)
		return code;
	memcpy(shape, in->shape, in->ndim * sizeof(shape[0]));
	shape[in->ndim - 2] = height;
	shape[in->ndim - 1] = width;
	code = check_nelem(shape, in->ndim, err);
	if (code)
		return code;
	if (in->flags & FERRY_META)
		return ops_meta(s, in, in->dtype, in->ndim, shape, out, err);
	code = resize_new(&src, s, in, shape, &load, &store, err);
	if (code)
		return code;
	return ops_dense(s, in, in->dtype, in->ndim, shape, src, out, err);
}
