/* Tensors as the calls that rebuild them, storages as persistent ids. */
#include "config.h"

#include "formats/torch/expand.h"

#include <stdio.h>
#include <string.h>

#include <ferry/sys/alloc.h>
#include <ferry/sys/ops.h>
#include <ferry/tensor.h>

#include "formats/pickle/pickle.h"
#include "formats/torch/rebuild.h"

/* A cut begins at a multiple of the largest element. */
#define CUT_BYTES 16

enum function { TENSOR_V2, TENSOR_V3, QTENSOR, META_TENSOR, N_FUNCTIONS };

static const char *const function_names[N_FUNCTIONS] = {
	"_rebuild_tensor_v2",
	"_rebuild_tensor_v3",
	"_rebuild_qtensor",
	"_rebuild_meta_tensor_no_storage",
};

static int fail_nomem(struct ferry_error *err)
{
	return ferry_fail_nomem(err, "calls that rebuild tensors");
}

static struct ferry_value *torch_extra(const struct ferry_tensor *t,
				       const char *key)
{
	struct ferry_value *v = t->extra ? ferry_dict_get(t->extra, "torch") :
		NULL;

	return v && v->kind == FERRY_DICT ? ferry_dict_get(v, key) : NULL;
}

/* ---- the walk ---------------------------------------------------------- */

struct walker {
	struct torch_expander *x;
	struct ferry_marks marks;
	bool compact;
	struct ferry_error *err;
};

static int walk(struct walker *w, const struct ferry_value *v);

static struct torch_written *seen(struct walker *w,
				  const struct ferry_storage *st,
				  enum ferry_dtype dtype)
{
	const struct torch_dtype *t = torch_dtype_find(dtype);
	struct torch_written *s;

	if (st->id > w->x->n_ids) {
		ferry_fail(w->err, FERRY_MISUSE, "torch", FERRY_NO_OFFSET,
			   "document has a storage of another store");
		return NULL;
	}
	s = &w->x->by_id[st->id];
	if (!s->storage) {
		s->storage = st;
		s->dtype = t;
		s->first = UINT64_MAX;
		s->whole = !w->compact;
	}
	if (s->dtype != t)
		s->mixed = true;
	return s;
}

static int walk_tensor(struct walker *w, const struct ferry_tensor *t)
{
	struct torch_written *s;
	uint64_t first, end;

	if (ferry_dtype_is_quantized(t->dtype) && !torch_extra(t, "quantizer"))
		w->x->n_unquantized++;
	if (t->storage) {
		s = seen(w, t->storage, t->dtype);
		if (!s)
			return FERRY_MISUSE;
		if (!ferry_dtype_size(t->dtype))
			s->whole = true;
		if (!s->whole) {
			ferry_tensor_extent(t, &first, &end);
			if (first < end && first < s->first)
				s->first = first;
			if (first < end && end > s->end)
				s->end = end;
		}
	}
	return t->extra ? walk(w, t->extra) : 0;
}

static int walk_storage(struct walker *w, const struct ferry_storage *st)
{
	struct torch_written *s = seen(w, st, st->dtype);

	if (!s)
		return FERRY_MISUSE;
	s->whole = true;
	if (st->flags & FERRY_UNTYPED)
		s->mixed = true;
	return 0;
}

static int walk_object(struct walker *w, const struct ferry_object *o)
{
	const struct ferry_value *parts[] = {
		o->callable, o->args, o->kwargs, o->list, o->dict, o->state,
	};
	int r = 0;

	if (o->form == FERRY_FORM_PERSISTENT)
		w->x->n_persistent++;
	if (o->callable && o->callable->kind == FERRY_GLOBAL &&
	    !strncmp(o->callable->u.global.module, "__torch__", 9))
		w->x->n_script++;
	for (size_t i = 0; !r && i < sizeof(parts) / sizeof(parts[0]); i++) {
		if (parts[i])
			r = walk(w, parts[i]);
	}
	return r;
}

/* Depth is that of the document: bounded by its reader. */
static int walk(struct walker *w, const struct ferry_value *v)
{
	int r = 0;

	if (ferry_mark(&w->marks, v))
		return 0;
	switch (v->kind) {
	case FERRY_LIST:
	case FERRY_TUPLE:
	case FERRY_SET:
	case FERRY_FROZENSET:
		for (uint32_t i = 0; !r && i < v->u.list.n; i++)
			r = walk(w, v->u.list.items[i]);
		return r;
	case FERRY_DICT:
		for (uint32_t i = 0; !r && i < v->u.dict.n; i++) {
			r = walk(w, v->u.dict.pairs[i].key);
			if (!r)
				r = walk(w, v->u.dict.pairs[i].value);
		}
		return r;
	case FERRY_OBJECT:
		return walk_object(w, v->u.object);
	case FERRY_TENSOR:
		return walk_tensor(w, v->u.tensor);
	case FERRY_STORAGE:
		return walk_storage(w, v->u.st.storage);
	default:
		return 0;
	}
}

/* ---- decisions --------------------------------------------------------- */

static void decide(struct torch_expander *x, struct torch_written *s)
{
	uint64_t nbytes = s->storage->nbytes;

	if (s->mixed || !s->dtype || !s->dtype->storage ||
	    nbytes % s->dtype->itemsize)
		s->dtype = NULL;
	if (!s->dtype)
		x->n_newer++;
	if (s->whole) {
		s->first = 0;
		s->end = nbytes;
	} else if (s->first >= s->end) {
		s->first = s->end = 0;
	} else {
		s->first -= s->first % CUT_BYTES;
	}
}

static int make_shared(struct torch_expander *x, struct ferry_error *err)
{
	struct ferry_store *s = x->store;

	x->storage_word = ferry_cstring(s, "storage");
	x->cpu = ferry_cstring(s, "cpu");
	x->ordered_dict = ferry_global(s, "collections", 11, "OrderedDict", 11);
	x->no_args = ferry_sequence(s, FERRY_TUPLE, 0);
	if (!x->storage_word || !x->cpu || !x->ordered_dict || !x->no_args)
		return fail_nomem(err);
	for (int i = 0; i < N_FUNCTIONS; i++) {
		x->functions[i] = ferry_global(s, "torch._utils", 12,
					       function_names[i],
					       strlen(function_names[i]));
		if (!x->functions[i])
			return fail_nomem(err);
	}
	return 0;
}

int torch_expander_init(struct torch_expander *x, struct ferry_document *doc,
			bool compact, struct ferry_error *err)
{
	struct walker w = { .x = x, .compact = compact, .err = err };
	int r;

	memset(x, 0, sizeof(*x));
	x->store = doc->store;
	x->n_ids = ferry_store_storage_ids(doc->store);
	x->by_id = ferry_alloc_zero((size_t)x->n_ids + 1, sizeof(*x->by_id));
	x->written = ferry_alloc_zero((size_t)x->n_ids + 1,
				      sizeof(struct torch_written *));
	if (!x->by_id || !x->written || ferry_marks_init(&w.marks, x->store))
		return fail_nomem(err);
	r = walk(&w, doc->root);
	ferry_marks_release(&w.marks);
	if (r)
		return r;
	for (uint32_t i = 0; i <= x->n_ids; i++) {
		if (x->by_id[i].storage)
			decide(x, &x->by_id[i]);
	}
	return make_shared(x, err);
}

void torch_expander_release(struct torch_expander *x)
{
	ferry_alloc_free(x->by_id);
	ferry_alloc_free(x->written);
	memset(x, 0, sizeof(*x));
}

int torch_expander_report(const struct torch_expander *x,
			  struct ferry_findings *out, struct ferry_error *err)
{
	int r = 0;

	if (x->n_newer)
		r = ferry_findings_add(out, FERRY_NOTE, "newer-torch", "",
				       FERRY_NO_OFFSET, "%llu storage%s "
				       "written as plain bytes: torch 2.1 and "
				       "later load that",
				       (unsigned long long)x->n_newer,
				       x->n_newer == 1 ? " is" : "s are");
	if (!r && x->n_persistent)
		r = ferry_findings_add(out, FERRY_WARNING, "persistent-id", "",
				       FERRY_NO_OFFSET, "%llu persistent id%s "
				       "nothing to torch.load",
				       (unsigned long long)x->n_persistent,
				       x->n_persistent == 1 ? " means" :
							      "s mean");
	if (!r && x->n_unquantized)
		r = ferry_findings_add(out, FERRY_WARNING, "quantizer", "",
				       FERRY_NO_OFFSET, "%llu quantised "
				       "tensor%s no quantizer: torch can't "
				       "rebuild that",
				       (unsigned long long)x->n_unquantized,
				       x->n_unquantized == 1 ? " has" :
							       "s have");
	if (!r && x->n_script)
		r = ferry_findings_add(out, FERRY_WARNING, "torchscript", "",
				       FERRY_NO_OFFSET, "%llu object%s of a "
				       "class whose code is in the TorchScript "
				       "archive: torch.load can't make that",
				       (unsigned long long)x->n_script,
				       x->n_script == 1 ? " is" : "s are");
	return r ? fail_nomem(err) : 0;
}

/* ---- storages ---------------------------------------------------------- */

/* NULL when an item is: constructors say so when memory is out. */
static struct ferry_value *tuple(struct torch_expander *x,
				 struct ferry_value *const *items, uint32_t n)
{
	struct ferry_value *t = ferry_sequence(x->store, FERRY_TUPLE, n);

	for (uint32_t i = 0; t && i < n; i++) {
		if (!items[i] || ferry_list_add(x->store, t, items[i]))
			t = NULL;
	}
	return t;
}

static struct ferry_value *storage_class(struct torch_expander *x,
					 const struct torch_dtype *dtype)
{
	struct ferry_value **class = &x->classes[dtype ? dtype->dtype : 0];

	if (!*class && dtype)
		*class = ferry_global(x->store, "torch", 5, dtype->storage,
				      strlen(dtype->storage));
	else if (!*class)
		*class = ferry_global(x->store, "torch.storage", 13,
				      "UntypedStorage", 14);
	return *class;
}

static struct ferry_value *persistent_id(struct torch_expander *x,
					 struct torch_written *s)
{
	uint64_t numel = (s->end - s->first) /
		(s->dtype ? s->dtype->itemsize : 1);
	char key[16];
	struct ferry_value *items[5];

	if (s->id)
		return s->id;
	snprintf(key, sizeof(key), "%u", x->n_written);
	items[0] = x->storage_word;
	items[1] = storage_class(x, s->dtype);
	items[2] = ferry_cstring(x->store, key);
	items[3] = x->cpu;
	items[4] = ferry_uint(x->store, numel);
	s->id = tuple(x, items, 5);
	if (s->id)
		x->written[x->n_written++] = s;
	return s->id;
}

static struct ferry_value *expand_storage(struct torch_expander *x,
					  const struct ferry_storage *st)
{
	struct ferry_value *id = persistent_id(x, &x->by_id[st->id]);

	return id ? ferry_object(x->store, FERRY_FORM_PERSISTENT, NULL, id,
				 NULL) : NULL;
}

/* ---- tensors ----------------------------------------------------------- */

static struct ferry_value *dtype_value(struct torch_expander *x,
				       enum ferry_dtype dtype)
{
	const struct torch_dtype *t = torch_dtype_find(dtype);

	if (t && !x->dtypes[dtype])
		x->dtypes[dtype] = ferry_global(x->store, "torch", 5, t->name,
						strlen(t->name));
	return x->dtypes[dtype];
}

static struct ferry_value *dimensions(struct torch_expander *x,
				      const uint64_t *n, unsigned ndim)
{
	struct ferry_value *items[FERRY_MAX_RANK];

	for (unsigned i = 0; i < ndim; i++)
		items[i] = ferry_uint(x->store, n[i]);
	return tuple(x, items, ndim);
}

static struct ferry_value *strides(struct torch_expander *x,
				   const struct ferry_tensor *t)
{
	uint64_t n[FERRY_MAX_RANK];

	for (unsigned i = 0; i < t->ndim; i++)
		n[i] = (uint64_t)t->strides[i];
	return dimensions(x, n, t->ndim);
}

/* Each tensor its own: torch hangs the hooks of later life into it. */
static struct ferry_value *hooks(struct torch_expander *x,
				 const struct ferry_tensor *t)
{
	struct ferry_value *kept = torch_extra(t, "hooks");

	return kept ? kept : ferry_object(x->store, FERRY_FORM_CALL,
					  x->ordered_dict, x->no_args, NULL);
}

/* NULL in *out: there is none to write. */
static int metadata(struct torch_expander *x, const struct ferry_tensor *t,
		    struct ferry_value **out, struct ferry_error *err)
{
	struct ferry_value *dict;

	*out = torch_extra(t, "metadata");
	if (*out || !(t->flags & (FERRY_CONJ | FERRY_NEG)))
		return 0;
	dict = ferry_dict(x->store, 2);
	if (!dict ||
	    ((t->flags & FERRY_CONJ) &&
	     ferry_dict_set_str(x->store, dict, "conj", ferry_bool(true))) ||
	    ((t->flags & FERRY_NEG) &&
	     ferry_dict_set_str(x->store, dict, "neg", ferry_bool(true))))
		return fail_nomem(err);
	*out = dict;
	return 0;
}

static struct ferry_value *call(struct torch_expander *x, enum function f,
				struct ferry_value *const *items, uint32_t n)
{
	struct ferry_value *args = tuple(x, items, n);

	return args ? ferry_object(x->store, FERRY_FORM_CALL, x->functions[f],
				   args, NULL) : NULL;
}

static int expand_meta(struct torch_expander *x, const struct ferry_tensor *t,
		       struct ferry_value **out, struct ferry_error *err)
{
	struct ferry_value *items[] = {
		dtype_value(x, t->dtype),
		dimensions(x, t->shape, t->ndim),
		strides(x, t),
		ferry_bool(t->flags & FERRY_REQUIRES_GRAD),
	};

	*out = call(x, META_TENSOR, items, 4);
	return *out ? 0 : fail_nomem(err);
}

/* In what is written of the storage.  An empty tensor may stand anywhere. */
static uint64_t offset_in(const struct torch_written *s,
			  const struct ferry_tensor *t)
{
	unsigned size = ferry_dtype_size(t->dtype);
	uint64_t cut = size ? s->first / size : 0;

	return t->offset >= cut ? t->offset - cut : 0;
}

static int expand_tensor(struct torch_expander *x, const struct ferry_tensor *t,
			 struct ferry_value **out, struct ferry_error *err)
{
	struct ferry_value *items[8];
	struct torch_written *s;
	uint32_t n = 4;
	bool quantized = ferry_dtype_is_quantized(t->dtype);
	enum function f;

	if (!torch_dtype_find(t->dtype))
		return ferry_fail(err, FERRY_UNSUPPORTED, "torch",
				  FERRY_NO_OFFSET, "torch has no dtype %s",
				  ferry_dtype_name(t->dtype));
	if (!t->storage)
		return expand_meta(x, t, out, err);
	s = &x->by_id[t->storage->id];
	f = quantized ? QTENSOR : s->dtype ? TENSOR_V2 : TENSOR_V3;
	items[0] = expand_storage(x, t->storage);
	items[1] = ferry_uint(x->store, offset_in(s, t));
	items[2] = dimensions(x, t->shape, t->ndim);
	items[3] = strides(x, t);
	if (quantized) {
		items[n++] = torch_extra(t, "quantizer");
		if (!items[4] || !s->dtype)
			return ferry_fail(err, FERRY_UNSUPPORTED, "torch",
					  FERRY_NO_OFFSET, "quantised tensor "
					  "without quantizer, or with a "
					  "storage of two dtypes: torch can't "
					  "rebuild it");
	}
	items[n++] = ferry_bool(t->flags & FERRY_REQUIRES_GRAD);
	items[n++] = hooks(x, t);
	if (f == TENSOR_V3)
		items[n++] = dtype_value(x, t->dtype);
	if (!quantized) {
		int r = metadata(x, t, &items[n], err);

		if (r)
			return r;
		n += items[n] != NULL;
	}
	*out = call(x, f, items, n);
	return *out ? 0 : fail_nomem(err);
}

/* ---- the callback ------------------------------------------------------ */

/* _rebuild_from_type(function, class, arguments, state), whose arguments the
 * reader made one value of. */
static int expand_from_type(struct torch_expander *x,
			    const struct ferry_value *value,
			    struct ferry_value **out, struct ferry_error *err)
{
	const struct ferry_object *o = value->u.object;
	struct ferry_value *items[4], *inner, *args;
	int r = 0;

	memcpy(items, o->args->u.list.items, sizeof(items));
	inner = items[2];
	if (inner->kind == FERRY_TENSOR)
		r = expand_tensor(x, inner->u.tensor, &inner, err);
	if (r)
		return r;
	items[0] = inner->u.object->callable;
	items[2] = inner->u.object->args;
	args = tuple(x, items, 4);
	*out = args ? ferry_object(x->store, FERRY_FORM_CALL, o->callable, args,
				   NULL) : NULL;
	return *out ? 0 : fail_nomem(err);
}

static bool is_from_type(const struct ferry_value *v)
{
	const struct ferry_object *o = v->u.object;
	const struct ferry_value *inner;

	if (o->payload != 2 || o->form != FERRY_FORM_CALL || !o->callable ||
	    !torch_rebuild_is_from_type(o->callable) || !o->args ||
	    o->args->kind != FERRY_TUPLE || o->args->u.list.n != 4)
		return false;
	inner = o->args->u.list.items[2];
	return inner->kind == FERRY_TENSOR ||
	       (inner->kind == FERRY_OBJECT &&
		inner->u.object->form == FERRY_FORM_CALL &&
		inner->u.object->callable && inner->u.object->args);
}

int torch_expand(void *ctx, struct ferry_store *store,
		 struct ferry_value *value, struct ferry_value **out,
		 struct ferry_error *err)
{
	struct torch_expander *x = ctx;
	int r;

	switch (value->kind) {
	case FERRY_STORAGE:
		*out = expand_storage(x, value->u.st.storage);
		return *out ? 0 : fail_nomem(err);
	case FERRY_TENSOR:
		*out = NULL;
		r = pickle_numpy_replace(store, value, out, err);
		if (r || *out)
			return r;
		return expand_tensor(x, value->u.tensor, out, err);
	case FERRY_OBJECT:
		return is_from_type(value) ?
			expand_from_type(x, value, out, err) : 0;
	default:
		return 0;
	}
}
