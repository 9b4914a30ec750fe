/* Typed JSON: objects and tensors. */
#include "config.h"

#include "formats/json/typed_read.h"

#include <string.h>

#include <ferry/sys/ckd.h>

static int read_callable(struct typed *t, unsigned depth,
			 struct ferry_value **out, struct ferry_error *err)
{
	enum json_token token;
	int rc = typed_next(t, &token, err);

	if (rc)
		return rc;
	if (token == JSON_LITERAL_NULL) {
		*out = NULL;
		return 0;
	}
	if (token == JSON_TEXT)
		return typed_split_global(t, 0, out, err);
	return typed_read_any(t, token, depth + 1, out, err);
}

/* A bare array is a TUPLE here. */
static int read_args(struct typed *t, unsigned depth,
		     struct ferry_value **out, struct ferry_error *err)
{
	enum json_token token;
	int rc = typed_next(t, &token, err);

	if (rc)
		return rc;
	if (token != JSON_BEGIN_ARRAY)
		return typed_read_any(t, token, depth + 1, out, err);
	*out = ferry_sequence(t->r.store, FERRY_TUPLE, 0);
	if (!*out)
		return typed_nomem(err);
	return typed_read_items(t, *out, depth + 1, err);
}

static int read_part(struct typed *t, unsigned depth, int kind,
		     struct ferry_value **out, struct ferry_error *err)
{
	int rc;

	if (*out)
		return json_scan_fail(&t->r.scan, err,
				      "object has a member twice");
	rc = typed_read_next(t, depth + 1, out, err);
	if (!rc && kind >= 0 && (*out)->kind != kind)
		rc = json_scan_fail(&t->r.scan, err,
				    "object's member is no %s",
				    ferry_kind_name(kind));
	return rc;
}

static int read_payload(struct typed *t, struct ferry_object *o,
			struct ferry_error *err)
{
	enum json_token token;
	uint64_t payload;
	int rc = typed_next(t, &token, err);

	if (rc)
		return rc;
	if (!json_scan_u64(&t->r.scan, token, &payload) ||
	    payload > INT16_MAX)
		return json_scan_fail(&t->r.scan, err,
				      "payload is no index of an argument");
	o->payload = (int16_t)payload;
	return 0;
}

static int read_flag(struct typed *t, struct ferry_object *o, unsigned flag,
		     struct ferry_error *err)
{
	enum json_token token;
	int rc = typed_next(t, &token, err);

	if (!rc && token != JSON_LITERAL_TRUE && token != JSON_LITERAL_FALSE)
		rc = json_scan_fail(&t->r.scan, err,
				    "flag is neither true nor false");
	if (!rc && token == JSON_LITERAL_TRUE)
		o->flags |= (uint8_t)flag;
	return rc;
}

static int read_object_member(struct typed *t, struct ferry_object *o,
			      unsigned depth, struct ferry_error *err)
{
	const struct json_scan *s = &t->r.scan;
	char shown[64];

	if (json_scan_is(s, "args") && !o->args)
		return read_args(t, depth, &o->args, err);
	if (json_scan_is(s, "kwargs"))
		return read_part(t, depth, FERRY_DICT, &o->kwargs, err);
	if (json_scan_is(s, "list"))
		return read_part(t, depth, FERRY_LIST, &o->list, err);
	if (json_scan_is(s, "dict"))
		return read_part(t, depth, FERRY_DICT, &o->dict, err);
	if (json_scan_is(s, "state"))
		return read_part(t, depth, -1, &o->state, err);
	if (json_scan_is(s, "payload"))
		return read_payload(t, o, err);
	if (json_scan_is(s, "state_first"))
		return read_flag(t, o, FERRY_STATE_FIRST, err);
	if (json_scan_is(s, "states"))
		return read_flag(t, o, FERRY_STATES, err);
	if (json_scan_is(s, "add_items"))
		return read_flag(t, o, FERRY_ADD_ITEMS, err);
	if (json_scan_is(s, "discarded"))
		return read_flag(t, o, FERRY_DISCARDED, err);
	ferry_escape(shown, sizeof(shown), s->str, s->nstr);
	return json_scan_fail(s, err, "object can't have the member '%s' here",
			      shown);
}

/* What a reader of objects may rely on. */
static int finish_object(struct typed *t, struct ferry_object *o,
			 struct ferry_error *err)
{
	bool self = o->form == FERRY_FORM_SELF;
	bool bare = self || o->form == FERRY_FORM_PERSISTENT ||
		    o->form == FERRY_FORM_EXTENSION;

	if (!o->args)
		o->args = ferry_sequence(t->r.store, FERRY_TUPLE, 0);
	if (!o->args)
		return typed_nomem(err);
	if (!o->callable != bare)
		return json_scan_fail(&t->r.scan, err, bare ?
				      "object of this form has no callable" :
				      "object has no callable");
	if (self && (o->args->kind != FERRY_TUPLE || o->args->u.list.n != 1))
		return json_scan_fail(&t->r.scan, err,
				      "\"$self\" takes one argument");
	if (o->payload >= 0 && (o->args->kind != FERRY_TUPLE ||
				(uint32_t)o->payload >= o->args->u.list.n))
		return json_scan_fail(&t->r.scan, err,
				      "payload %d is not the index of an "
				      "argument", o->payload);
	if (o->flags & FERRY_STATES &&
	    (!o->state || o->state->kind != FERRY_TUPLE))
		return json_scan_fail(&t->r.scan, err,
				      "object's states are no tuple");
	return 0;
}

static int read_object_members(struct typed *t, const struct spot *spot,
			       struct ferry_object *o,
			       struct ferry_error *err)
{
	for (;;) {
		enum json_token token;
		int rc = typed_next(t, &token, err);

		if (rc)
			return rc;
		if (token == JSON_END_OBJECT)
			return finish_object(t, o, err);
		rc = read_object_member(t, o, spot->depth, err);
		if (rc)
			return rc;
	}
}

int typed_read_object(struct typed *t, const struct spot *spot,
		      struct ferry_value **out, struct ferry_error *err)
{
	struct ferry_object *o;
	int rc;

	*out = ferry_object(t->r.store, spot->kind, NULL, NULL, NULL);
	if (!*out)
		return typed_nomem(err);
	o = (*out)->u.object;
	rc = typed_remember(t, spot, *out, err);
	if (!rc)
		rc = read_callable(t, spot->depth, &o->callable, err);
	return rc ? rc : read_object_members(t, spot, o, err);
}

int typed_read_ordered_dict(struct typed *t, const struct spot *spot,
			    struct ferry_value **out,
			    struct ferry_error *err)
{
	static const char module[] = "collections", name[] = "OrderedDict";
	struct ferry_object *o;
	int rc;

	*out = ferry_object(t->r.store, FERRY_FORM_CALL, NULL, NULL, NULL);
	if (!*out)
		return typed_nomem(err);
	o = (*out)->u.object;
	o->dict = ferry_dict(t->r.store, 0);
	if (!o->dict)
		return typed_nomem(err);
	rc = typed_make_global(t, 0, module, sizeof(module) - 1, name,
			       sizeof(name) - 1, &o->callable, err);
	if (!rc)
		rc = typed_remember(t, spot, *out, err);
	if (!rc)
		rc = typed_read_pairs(t, o->dict, spot->depth + 1, err);
	return rc ? rc : read_object_members(t, spot, o, err);
}

/* ---- tensors ------------------------------------------------------------- */

static int u64_list(const struct ferry_value *v, uint64_t *out, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		const struct ferry_value *item = v->u.list.items[i];

		if (item->kind == FERRY_INT && !(item->flags & FERRY_BIG) &&
		    item->u.i >= 0)
			out[i] = (uint64_t)item->u.i;
		else
			return -1;
	}
	return 0;
}

/* A tensor without data: its dtype, shape and strides are all there is. */
static int make_meta(struct typed *t, struct ferry_value *members,
		     const char *dtype_name, struct ferry_value **out,
		     struct ferry_error *err)
{
	struct ferry_value *shape = ferry_dict_get(members, "shape");
	struct ferry_value *strides = ferry_dict_get(members, "strides");
	enum ferry_dtype dtype = ferry_dtype_find(dtype_name);
	uint64_t sizes[FERRY_MAX_RANK], steps[FERRY_MAX_RANK];
	int64_t signed_steps[FERRY_MAX_RANK];
	struct ferry_value *conj, *neg;
	unsigned ndim;

	if (!dtype || !shape || shape->kind != FERRY_LIST ||
	    shape->u.list.n > FERRY_MAX_RANK ||
	    (strides && (strides->kind != FERRY_LIST ||
			 strides->u.list.n != shape->u.list.n)))
		goto bad;
	ndim = shape->u.list.n;
	if (u64_list(shape, sizes, ndim) ||
	    (strides && u64_list(strides, steps, ndim)))
		goto bad;
	for (unsigned i = 0; strides && i < ndim; i++)
		signed_steps[i] = (int64_t)steps[i];
	for (uint64_t i = 0, n = 1; i < ndim; i++)
		if (ferry_ckd_mul(&n, n, sizes[i] ? sizes[i] : 1) ||
		    n > INT64_MAX / 16)
			goto bad;
	*out = ferry_tensor(t->r.store, dtype, ndim, sizes,
			    strides ? signed_steps : NULL, 0, NULL);
	if (!*out)
		return typed_nomem(err);
	(*out)->u.tensor->flags = FERRY_META;
	conj = ferry_dict_get(members, "conj");
	neg = ferry_dict_get(members, "neg");
	if (conj && conj->kind == FERRY_BOOL && conj->u.b)
		(*out)->u.tensor->flags |= FERRY_CONJ;
	if (neg && neg->kind == FERRY_BOOL && neg->u.b)
		(*out)->u.tensor->flags |= FERRY_NEG;
	return 0;
bad:
	return json_scan_fail(&t->r.scan, err,
			      "meta tensor has a wrong dtype or shape");
}

/* A dict gives pairs with string keys alone. */
static int make_tensor(struct typed *t, const struct spot *spot,
		       struct ferry_value *members, const char *name,
		       struct ferry_value **out, struct ferry_error *err)
{
	struct ferry_value *grad;
	int rc;

	if (spot->flags & FERRY_META)
		rc = make_meta(t, members, name, out, err);
	else if (!t->options->tensor)
		rc = ferry_fail(err, FERRY_UNSUPPORTED, "json",
				t->r.scan.start,
				"%s's data is stored outside this text",
				ferry_kind_name(spot->kind));
	else
		rc = json_located(&t->r,
				  t->options->tensor(t->options->ctx,
						     t->r.store, name,
						     members, out, err), err);
	if (rc)
		return rc;
	if ((*out)->kind != spot->kind)
		return json_scan_fail(&t->r.scan, err, "value is no %s",
				      ferry_kind_name(spot->kind));
	grad = ferry_dict_get(members, "requires_grad");
	if (grad && grad->kind == FERRY_BOOL && grad->u.b &&
	    spot->kind == FERRY_TENSOR)
		(*out)->u.tensor->flags |= FERRY_REQUIRES_GRAD;
	return typed_remember(t, spot, *out, err);
}

/* The extra of a tensor comes last: it may name the tensor. */
static int read_extra(struct typed *t, const struct spot *spot,
		      struct ferry_value *v, struct ferry_error *err)
{
	struct ferry_value *extra = NULL;
	int rc = read_part(t, spot->depth, FERRY_DICT, &extra, err);

	if (!rc && v->kind != FERRY_TENSOR)
		rc = json_scan_fail(&t->r.scan, err, "storage has an extra");
	if (!rc)
		rc = typed_expect(t, JSON_END_OBJECT, "'}' after \"extra\"",
				  err);
	if (!rc)
		v->u.tensor->extra = extra;
	return rc;
}

int typed_read_tensor(struct typed *t, const struct spot *spot,
		      struct ferry_value **out, struct ferry_error *err)
{
	struct ferry_value *members, *key, *value;
	enum json_token token;
	char *name;
	int rc = typed_expect(t, JSON_TEXT, "a name", err);

	if (!rc)
		rc = typed_keep_name(t, &name, err);
	if (rc)
		return rc;
	members = ferry_dict(t->r.store, 4);
	value = ferry_cstring(t->r.store, name);
	if (!members || !value ||
	    ferry_dict_set_str(t->r.store, members,
			       spot->kind == FERRY_TENSOR ? "$tensor" :
			       "$storage", value))
		return typed_nomem(err);
	while (!(rc = typed_next(t, &token, err)) && token == JSON_KEY) {
		if (json_scan_is(&t->r.scan, "extra")) {
			rc = make_tensor(t, spot, members, name, out, err);
			return rc ? rc : read_extra(t, spot, *out, err);
		}
		rc = json_read_key(&t->r, &key, err);
		if (!rc)
			rc = typed_next(t, &token, err);
		if (!rc)
			rc = json_read_plain(&t->r, token, 0, &value, err);
		if (!rc)
			rc = json_set_new(&t->r, members, key, value, err);
		if (rc)
			return rc;
	}
	return rc ? rc : make_tensor(t, spot, members, name, out, err);
}
