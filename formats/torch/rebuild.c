/* Calls that rebuild tensors, interpreted. */
#include "config.h"

#include "formats/torch/rebuild.h"

#include <string.h>

#include <ferry/sys/alloc.h>
#include <ferry/sys/ckd.h>
#include <ferry/tensor.h>

#include "formats/pickle/pickle.h"
#include "formats/torch/dtype.h"
#include "formats/torch/pid.h"

struct call {
	struct torch_rebuild *rb;
	struct ferry_value *object;
	const char *name;
	struct ferry_value **args;
	uint32_t n;
	struct ferry_value **out;
	struct ferry_error *err;
};

struct geometry {
	uint64_t offset;
	unsigned ndim;
	uint64_t shape[FERRY_MAX_RANK];
	int64_t strides[FERRY_MAX_RANK];
};

static int fail(const struct call *c, const char *text)
{
	return ferry_fail(c->err, FERRY_MALFORMED, "torch", FERRY_NO_OFFSET,
			  "%s: %s", c->name, text);
}

static int fail_nomem(const struct call *c)
{
	return ferry_fail_nomem(c->err, "tensor");
}

void torch_rebuild_release(struct torch_rebuild *rb)
{
	ferry_map_release(&rb->units);
	ferry_map_release(&rb->views_by_id);
	ferry_alloc_free(rb->views);
}

/* ---- storages ---------------------------------------------------------- */

static int grow_views(struct torch_rebuild *rb, struct ferry_error *err)
{
	size_t cap = rb->cap_views ? 2 * rb->cap_views : 16;
	struct torch_view *views;

	if (rb->n_views < rb->cap_views)
		return 0;
	views = ferry_alloc_resize(rb->views, cap, sizeof(*views));
	if (!views)
		return ferry_fail_nomem(err, "list of storage views");
	rb->views = views;
	rb->cap_views = cap;
	return 0;
}

int torch_rebuild_add_view(struct torch_rebuild *rb, struct ferry_storage *part,
			   struct ferry_storage *root, uint64_t offset,
			   struct ferry_error *err)
{
	const struct torch_dtype *t = torch_dtype_find(root->dtype);
	uint64_t at;
	int r;

	if (ferry_ckd_mul(&at, offset, t ? t->itemsize : 1) ||
	    ferry_ckd_outside(at, part->nbytes, root->nbytes))
		return ferry_fail(err, FERRY_MALFORMED, "torch",
				  FERRY_NO_OFFSET, "view of a storage reaches "
				  "outside its %llu bytes",
				  (unsigned long long)root->nbytes);
	r = grow_views(rb, err);
	if (r)
		return r;
	rb->views[rb->n_views] = (struct torch_view){ part, root, offset };
	if (ferry_map_put(&rb->views_by_id, &part->id, sizeof(part->id),
			  rb->n_views))
		return ferry_fail_nomem(err, "index of storage views");
	rb->n_views++;
	return 0;
}

static int warn_big_endian(struct torch_rebuild *rb)
{
	if (rb->warned)
		return 0;
	rb->warned = true;
	return ferry_findings_add(rb->findings, FERRY_WARNING,
				  "big-endian-untyped", "", FERRY_NO_OFFSET,
				  "tensors of dtypes without a storage class "
				  "are in a big-endian file: their bytes are "
				  "swapped, which torch itself does not do");
}

/* Bytes of an untyped storage turn out to be elements of this dtype.  All that
 * its source has are swapped, as a later id can name more of it. */
static int swap_untyped(const struct call *c, struct ferry_storage *st,
			enum ferry_dtype dtype)
{
	struct torch_rebuild *rb = c->rb;
	uint64_t unit = ferry_dtype_swap_size(dtype), before, n;
	struct ferry_source *swapped;
	int r;

	if (!rb->big_endian || !(st->flags & FERRY_UNTYPED) || !st->nbytes)
		return 0;
	if (ferry_map_get(&rb->units, &st->id, sizeof(st->id), &before)) {
		if (before == unit)
			return 0;
		return ferry_fail(c->err, FERRY_UNSUPPORTED, "torch",
				  FERRY_NO_OFFSET, "a storage of a big-endian "
				  "file holds elements of two sizes: save it "
				  "again on a little-endian machine");
	}
	if (ferry_map_put(&rb->units, &st->id, sizeof(st->id), unit) ||
	    warn_big_endian(rb))
		return fail_nomem(c);
	n = st->source->nbytes - st->offset;
	if (unit <= 1 || n < unit)
		return 0;
	r = ferry_source_swap_range(&swapped, st->source, st->offset,
				    n - n % unit, (unsigned)unit,
				    st->source->name, c->err);
	if (r)
		return r;
	if (ferry_store_take_source(rb->store, swapped)) {
		ferry_source_unref(swapped);
		return fail_nomem(c);
	}
	st->source = swapped;
	st->offset = 0;
	return 0;
}

/* ---- tensors ----------------------------------------------------------- */

/* A tensor has no name yet: what its storage lies in stands for it. */
static int check_tensor(const struct ferry_tensor *t, struct ferry_error *err)
{
	const char *record = t->storage ? t->storage->source->name : "tensor";
	char what[160];

	if (!ferry_tensor_check(t, "tensor", NULL))
		return 0;
	ferry_escape(what, sizeof(what), record, strlen(record));
	return ferry_tensor_check(t, what, err);
}

int torch_rebuild_tensor(struct torch_rebuild *rb,
			 struct ferry_storage *storage, enum ferry_dtype dtype,
			 unsigned ndim, const uint64_t *shape,
			 const int64_t *strides, uint64_t offset,
			 struct ferry_value **out, struct ferry_error *err)
{
	struct ferry_value *v;
	uint64_t i;
	int r;

	v = ferry_tensor(rb->store, dtype, ndim, shape, strides, offset,
			 storage);
	if (!v)
		return ferry_fail_nomem(err, "tensor");
	r = check_tensor(v->u.tensor, err);
	if (r)
		return r;
	if (storage && rb->n_views &&
	    ferry_map_get(&rb->views_by_id, &storage->id, sizeof(storage->id),
			  &i)) {
		v->u.tensor->storage = rb->views[i].root;
		v->u.tensor->offset += rb->views[i].offset;
	}
	*out = v;
	return 0;
}

static bool is_call_of(const struct ferry_object *o, const char *module,
		       const char *name)
{
	return o->callable && o->args &&
	       ferry_value_is_global(o->callable, module, name);
}

/* The items of a tuple of dimensions: itself, or what torch.Size was given. */
static const struct ferry_value *dimensions(const struct ferry_value *v)
{
	if (v->kind == FERRY_OBJECT &&
	    is_call_of(v->u.object, "torch", "Size") &&
	    v->u.object->args->kind == FERRY_TUPLE &&
	    v->u.object->args->u.list.n == 1)
		v = v->u.object->args->u.list.items[0];
	return v->kind == FERRY_TUPLE || v->kind == FERRY_LIST ? v : NULL;
}

static int read_dimensions(const struct call *c, const struct ferry_value *size,
			   const struct ferry_value *stride, struct geometry *g)
{
	uint64_t n;

	size = dimensions(size);
	stride = dimensions(stride);
	if (!size || !stride || size->u.list.n != stride->u.list.n)
		return fail(c, "size and stride are not two tuples of one "
			    "length");
	if (size->u.list.n > FERRY_MAX_RANK)
		return ferry_fail(c->err, FERRY_LIMIT, "torch", FERRY_NO_OFFSET,
				  "%s: tensor of %u dimensions: %d are the "
				  "most that ferry takes", c->name,
				  (unsigned)size->u.list.n, FERRY_MAX_RANK);
	g->ndim = size->u.list.n;
	for (unsigned i = 0; i < g->ndim; i++) {
		if (!torch_count(size->u.list.items[i], &g->shape[i]))
			return fail(c, "size is not of counts");
		if (!torch_count(stride->u.list.items[i], &n))
			return fail(c, "stride is not of counts");
		g->strides[i] = (int64_t)n;
	}
	return 0;
}

static int read_geometry(const struct call *c, uint32_t first,
			 struct geometry *g)
{
	if (!torch_count(c->args[first], &g->offset))
		return fail(c, "storage offset is not a count");
	return read_dimensions(c, c->args[first + 1], c->args[first + 2], g);
}

static int add_extra(const struct call *c, struct ferry_value *tensor,
		     const char *key, struct ferry_value *value)
{
	struct ferry_store *s = c->rb->store;
	struct ferry_value *extra = tensor->u.tensor->extra, *torch;

	if (!extra)
		extra = ferry_dict(s, 1);
	torch = extra ? ferry_dict_get(extra, "torch") : NULL;
	if (extra && !torch) {
		torch = ferry_dict(s, 1);
		if (!torch || ferry_dict_set_str(s, extra, "torch", torch))
			return fail_nomem(c);
	}
	if (!extra || ferry_dict_set_str(s, torch, key, value))
		return fail_nomem(c);
	tensor->u.tensor->extra = extra;
	return 0;
}

static bool is_empty_args(const struct ferry_value *args)
{
	const struct ferry_value *only;

	if (!args || args->kind != FERRY_TUPLE)
		return false;
	if (!args->u.list.n)
		return true;
	/* Python 2 gave OrderedDict a list of pairs. */
	only = args->u.list.items[0];
	return args->u.list.n == 1 && only->kind == FERRY_LIST &&
	       !only->u.list.n;
}

static bool is_empty_hooks(const struct ferry_value *v)
{
	const struct ferry_object *o;

	if (v->kind == FERRY_NONE)
		return true;
	if (v->kind == FERRY_DICT)
		return !v->u.dict.n;
	if (v->kind != FERRY_OBJECT)
		return false;
	o = v->u.object;
	return is_call_of(o, "collections", "OrderedDict") &&
	       is_empty_args(o->args) && (!o->dict || !o->dict->u.dict.n) &&
	       !o->list && !o->state && !o->kwargs;
}

static int set_grad_and_hooks(const struct call *c, struct ferry_value *tensor,
			      uint32_t first)
{
	const struct ferry_value *grad = c->args[first];

	if (grad->kind != FERRY_BOOL)
		return fail(c, "requires_grad is not a bool");
	if (grad->u.b)
		tensor->u.tensor->flags |= FERRY_REQUIRES_GRAD;
	if (is_empty_hooks(c->args[first + 1]))
		return 0;
	return add_extra(c, tensor, "hooks", c->args[first + 1]);
}

/* {"conj": True}, {"neg": True}, both; where there is more, all is kept. */
static int set_metadata(const struct call *c, struct ferry_value *tensor,
			struct ferry_value *metadata)
{
	unsigned flags = 0;
	bool more = metadata->kind != FERRY_DICT;

	if (metadata->kind == FERRY_NONE)
		return 0;
	for (uint32_t i = 0; !more && i < metadata->u.dict.n; i++) {
		const struct ferry_pair *p = &metadata->u.dict.pairs[i];
		bool yes = p->value->kind == FERRY_BOOL && p->value->u.b;

		if (yes && torch_text_is(p->key, "conj"))
			flags |= FERRY_CONJ;
		else if (yes && torch_text_is(p->key, "neg"))
			flags |= FERRY_NEG;
		else
			more = true;
	}
	tensor->u.tensor->flags |= (uint8_t)flags;
	return more ? add_extra(c, tensor, "metadata", metadata) : 0;
}

/*
 * The tensor over the storage in args[0], whose geometry begins at args[1].
 * *out stays NULL where args[0] is an object: then the call is left as it is.
 */
static int over_storage(const struct call *c, enum ferry_dtype dtype,
			struct ferry_value **out)
{
	struct ferry_storage *st;
	struct geometry g;
	int r;

	*out = NULL;
	if (c->args[0]->kind == FERRY_OBJECT)
		return 0;
	if (c->args[0]->kind != FERRY_STORAGE)
		return fail(c, "first argument is not a storage");
	st = c->args[0]->u.st.storage;
	if (!dtype && (st->flags & FERRY_UNTYPED))
		return fail(c, "an untyped storage has no dtype to go by");
	r = read_geometry(c, 1, &g);
	if (!r && dtype)
		r = swap_untyped(c, st, dtype);
	if (r)
		return r;
	return torch_rebuild_tensor(c->rb, st, dtype ? dtype : st->dtype,
				    g.ndim, g.shape, g.strides, g.offset, out,
				    c->err);
}

static bool is_of_module(const struct ferry_value *global, const char *module)
{
	return global->u.global.module_len == strlen(module) &&
	       !strcmp(global->u.global.module, module);
}

static enum ferry_dtype named_dtype(const struct ferry_value *v)
{
	const struct torch_dtype *t;

	if (v->kind != FERRY_GLOBAL || !is_of_module(v, "torch"))
		return FERRY_DTYPE_NONE;
	t = torch_dtype_named(v->u.global.name, v->u.global.name_len);
	return t ? t->dtype : FERRY_DTYPE_NONE;
}

/* ---- the calls --------------------------------------------------------- */

static int expect(const struct call *c, uint32_t least, uint32_t most)
{
	if (c->n >= least && c->n <= most)
		return 0;
	return ferry_fail(c->err, FERRY_MALFORMED, "torch", FERRY_NO_OFFSET,
			  "%s has %u arguments, not %u", c->name, c->n, least);
}

static int tensor_v1(const struct call *c)
{
	int r = expect(c, 4, 4);

	return r ? r : over_storage(c, FERRY_DTYPE_NONE, c->out);
}

static int tensor_v2(const struct call *c)
{
	struct ferry_value *tensor;
	int r = expect(c, 6, 7);

	if (!r)
		r = over_storage(c, FERRY_DTYPE_NONE, &tensor);
	if (r || !tensor)
		return r;
	r = set_grad_and_hooks(c, tensor, 4);
	if (!r && c->n == 7)
		r = set_metadata(c, tensor, c->args[6]);
	*c->out = tensor;
	return r;
}

static int tensor_v3(const struct call *c)
{
	struct ferry_value *tensor;
	enum ferry_dtype dtype;
	int r = expect(c, 7, 8);

	if (r)
		return r;
	dtype = named_dtype(c->args[6]);
	if (!dtype)
		return 0;
	r = over_storage(c, dtype, &tensor);
	if (r || !tensor)
		return r;
	r = set_grad_and_hooks(c, tensor, 4);
	if (!r && c->n == 8)
		r = set_metadata(c, tensor, c->args[7]);
	*c->out = tensor;
	return r;
}

static int tensor_quantized(const struct call *c)
{
	struct ferry_value *tensor;
	int r = expect(c, 7, 7);

	if (r)
		return r;
	if (c->args[4]->kind != FERRY_TUPLE)
		return fail(c, "quantizer is not a tuple");
	r = over_storage(c, FERRY_DTYPE_NONE, &tensor);
	if (r || !tensor)
		return r;
	r = set_grad_and_hooks(c, tensor, 5);
	if (!r)
		r = add_extra(c, tensor, "quantizer", c->args[4]);
	*c->out = tensor;
	return r;
}

static int tensor_meta(const struct call *c)
{
	struct geometry g = { 0 };
	enum ferry_dtype dtype;
	struct ferry_value *v;
	int r = expect(c, 4, 4);

	if (r)
		return r;
	dtype = named_dtype(c->args[0]);
	if (!dtype)
		return 0;
	if (c->args[3]->kind != FERRY_BOOL)
		return fail(c, "requires_grad is not a bool");
	r = read_dimensions(c, c->args[1], c->args[2], &g);
	if (r)
		return r;
	v = ferry_tensor(c->rb->store, dtype, g.ndim, g.shape, g.strides, 0,
			 NULL);
	if (!v)
		return fail_nomem(c);
	v->u.tensor->flags |= FERRY_META;
	if (c->args[3]->u.b)
		v->u.tensor->flags |= FERRY_REQUIRES_GRAD;
	*c->out = v;
	return ferry_tensor_check(v->u.tensor, "tensor", c->err);
}

static bool decorates(const struct ferry_value *v)
{
	return v->kind == FERRY_TENSOR ||
	       (v->kind == FERRY_OBJECT && v->u.object->payload >= 0);
}

static int decorated_first(const struct call *c)
{
	if (c->n && decorates(c->args[0]))
		c->object->u.object->payload = 0;
	return 0;
}

bool torch_rebuild_is_from_type(const struct ferry_value *callable)
{
	return ferry_value_is_global(callable, "torch._tensor",
				     "_rebuild_from_type_v2") ||
	       ferry_value_is_global(callable, "torch._tensor",
				     "_rebuild_from_type") ||
	       ferry_value_is_global(callable, "torch.tensor",
				     "_rebuild_from_type");
}

/* (function, class, arguments, state): the inner call stands in its place.
 * torch never nests them; a file that does could do so without end. */
static int from_type(const struct call *c)
{
	struct ferry_store *s = c->rb->store;
	struct ferry_value *inner, *made = NULL, *args, *outer;
	int r;

	if (c->n != 4 || c->args[0]->kind != FERRY_GLOBAL ||
	    torch_rebuild_is_from_type(c->args[0]) ||
	    c->args[2]->kind != FERRY_TUPLE)
		return 0;
	inner = ferry_object(s, FERRY_FORM_CALL, c->args[0], c->args[2], NULL);
	if (!inner)
		return fail_nomem(c);
	r = torch_rebuild_reduce(c->rb, s, inner, false, &made, c->err);
	if (r)
		return r;
	if (!made)
		made = inner;
	if (!decorates(made))
		return 0;
	args = ferry_sequence(s, FERRY_TUPLE, 4);
	if (!args)
		return fail_nomem(c);
	for (uint32_t i = 0; i < 4; i++) {
		if (ferry_list_add(s, args, i == 2 ? made : c->args[i]))
			return fail_nomem(c);
	}
	outer = ferry_object(s, FERRY_FORM_CALL, c->object->u.object->callable,
			     args, NULL);
	if (!outer)
		return fail_nomem(c);
	outer->u.object->payload = 2;
	*c->out = outer;
	return 0;
}

static int tagged(const struct call *c)
{
	if (c->n >= 1)
		*c->out = c->args[0];
	return 0;
}

static const struct {
	const char *module, *name;
	int (*run)(const struct call *c);
} calls[] = {
	{ "torch._utils", "_rebuild_tensor_v2", tensor_v2 },
	{ "torch._utils", "_rebuild_parameter", decorated_first },
	{ "torch._utils", "_rebuild_tensor_v3", tensor_v3 },
	{ "torch._utils", "_rebuild_tensor", tensor_v1 },
	{ "torch._utils", "_rebuild_qtensor", tensor_quantized },
	{ "torch._utils", "_rebuild_meta_tensor_no_storage", tensor_meta },
	{ "torch._utils", "_rebuild_parameter_with_state", decorated_first },
	{ "torch._utils", "_rebuild_device_tensor_from_numpy",
	  decorated_first },
	{ "torch._utils", "_rebuild_xla_tensor", decorated_first },
	{ "torch._utils", "_rebuild_device_tensor_from_cpu_tensor",
	  decorated_first },
	{ "torch.nn.parameter", "Parameter", decorated_first },
	{ "torch._tensor", "_rebuild_from_type_v2", from_type },
	{ "torch._tensor", "_rebuild_from_type", from_type },
	{ "torch.tensor", "_rebuild_from_type", from_type },
	{ "torch.jit._pickle", "build_intlist", tagged },
	{ "torch.jit._pickle", "build_doublelist", tagged },
	{ "torch.jit._pickle", "build_boollist", tagged },
	{ "torch.jit._pickle", "build_tensorlist", tagged },
	{ "torch.jit._pickle", "restore_type_tag", tagged },
};

/* ---- tensors built from a class ---------------------------------------- */

static bool is_tensor_class(const struct ferry_value *v)
{
	static const char suffix[] = "Tensor";
	size_t n = v->u.global.name_len;

	if (!is_of_module(v, "torch") && !is_of_module(v, "torch.cuda") &&
	    !is_of_module(v, "torch._tensor") &&
	    !is_of_module(v, "torch.tensor"))
		return false;
	return n >= sizeof(suffix) - 1 &&
	       !strcmp(v->u.global.name + n - (sizeof(suffix) - 1), suffix);
}

static int build_from_class(const struct call *c,
			    const struct ferry_object *o)
{
	struct call build = *c;

	if (!is_tensor_class(o->callable) || c->n || !o->state || o->flags ||
	    o->list || o->dict ||
	    o->state->kind != FERRY_TUPLE || o->state->u.list.n != 4 ||
	    o->state->u.list.items[0]->kind != FERRY_STORAGE)
		return 0;
	build.args = o->state->u.list.items;
	build.n = 4;
	return tensor_v1(&build);
}

static int interpret(const struct call *c, bool built)
{
	const struct ferry_object *o = c->object->u.object;

	if (strncmp(o->callable->u.global.module, "torch", 5))
		return 0;
	if (built)
		return build_from_class(c, o);
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		if (ferry_value_is_global(o->callable, calls[i].module,
					  calls[i].name))
			return calls[i].run(c);
	}
	return 0;
}

int torch_rebuild_reduce(struct torch_rebuild *rb, struct ferry_store *store,
			 struct ferry_value *object, bool built,
			 struct ferry_value **out, struct ferry_error *err)
{
	const struct ferry_object *o = object->u.object;
	struct call c = {
		.rb = rb, .object = object, .out = out, .err = err,
	};
	int r;

	if (o->callable && o->callable->kind == FERRY_GLOBAL && o->args &&
	    o->args->kind == FERRY_TUPLE && o->form != FERRY_FORM_PERSISTENT) {
		c.name = o->callable->u.global.name;
		c.args = o->args->u.list.items;
		c.n = o->args->u.list.n;
		r = interpret(&c, built);
		if (r || *out)
			return r;
	}
	return pickle_numpy_reduce(NULL, store, object, built, out, err);
}
