/* Values of plain types, which torch.load(weights_only=True) takes. */
#include "config.h"

#include "plugins/ksuit/ksuit.h"

#include <stdio.h>

#include "formats/torch/allowed.h"
#include "plugins/ksuit/scalar.h"

#define TEXT_MOST 200		/* of a value that a message quotes */

static int walk(struct plain *p, struct ferry_value *v,
		struct ferry_value **out);

static bool is_allowed(const struct ferry_value *v)
{
	return v && v->kind == FERRY_GLOBAL &&
	       (torch_allowed_global(v->u.global.module, v->u.global.name) &
		TORCH_2_13);
}

static int no_memory(struct plain *p)
{
	return ferry_fail_nomem(p->err, "plain values");
}

/* What a value was and is, for whoever reads the report. */
static int tell(struct plain *p, const char *was, const struct ferry_value *is)
{
	char path[TEXT_MOST], value[TEXT_MOST], text[TEXT_MOST + 2];

	ferry_escape(path, sizeof(path), p->path.data ? p->path.data : "",
		     p->path.n);
	if (is->kind == FERRY_STRING)
		snprintf(text, sizeof(text), "'%s'",
			 ferry_escape(value, sizeof(value), is->u.s.data,
				      is->u.s.nbytes));
	else
		snprintf(text, sizeof(text), "a value of kind %s",
			 ferry_kind_name(is->kind));
	if (ferry_findings_add(p->findings, FERRY_NOTE, "plain", path,
			       FERRY_NO_OFFSET, "%s: %s becomes %s", path, was,
			       text))
		return no_memory(p);
	return 0;
}

static int refuse(struct plain *p, const struct ferry_value *callable)
{
	char path[TEXT_MOST], name[TEXT_MOST] = "an object";

	ferry_escape(path, sizeof(path), p->path.data ? p->path.data : "",
		     p->path.n);
	if (callable && callable->kind == FERRY_GLOBAL)
		snprintf(name, sizeof(name), "%.90s.%.90s",
			 callable->u.global.module, callable->u.global.name);
	return ferry_fail(p->err, FERRY_UNSUPPORTED, ORIGIN, FERRY_NO_OFFSET,
			  "'%s' is made by %s, which has no plain form and "
			  "which weights_only=True refuses: leave it out with "
			  "--set without=%s", path, name, path);
}

/* ---- objects that stand for something plain ----------------------------------- */

/* "module.Class.MEMBER=value" of the option "enum". */
static const char *member_given(const struct plain *p,
				const struct ferry_value *class,
				struct slice member)
{
	struct slice module = slice_of(class->u.global.module);
	struct slice name = slice_of(class->u.global.name);
	size_t whole = module.n + name.n + member.n + 2;
	const char *text;

	for (size_t i = 0; (text = ferry_option_nth(p->options, "enum", i));
	     i++)
		if (strlen(text) > whole && text[whole] == '=' &&
		    !memcmp(text, module.p, module.n) &&
		    text[module.n] == '.' &&
		    !memcmp(text + module.n + 1, name.p, name.n) &&
		    text[module.n + 1 + name.n] == '.' &&
		    !memcmp(text + whole - member.n, member.p, member.n))
			return text + whole + 1;
	return NULL;
}

/* getattr(class, "MEMBER"): the value is not in the file. */
static int by_member(struct plain *p, const struct ferry_value *class,
		     struct slice member, struct ferry_value **out)
{
	const char *value = member_given(p, class, member);
	char path[TEXT_MOST], was[3 * TEXT_MOST], name[TEXT_MOST];

	ferry_escape(name, sizeof(name), member.p, member.n);
	snprintf(was, sizeof(was), "%.150s.%.150s.%s", class->u.global.module,
		 class->u.global.name, name);
	if (value) {
		*out = ferry_cstring(p->store, value);
		return *out ? tell(p, was, *out) : no_memory(p);
	}
	ferry_escape(path, sizeof(path), p->path.data ? p->path.data : "",
		     p->path.n);
	return ferry_fail(p->err, FERRY_UNSUPPORTED, ORIGIN, FERRY_NO_OFFSET,
			  "'%s' is %s, pickled without its value: give it with "
			  "--set enum=%s=VALUE, or leave it out with --set "
			  "without=%s", path, was, was, path);
}

/* Calls with one plain argument that do not stand for it. */
static bool is_own_kind(const struct ferry_value *class)
{
	static const char *const modules[] = {
		"decimal", "uuid", "datetime", "fractions", "ipaddress", "re",
		"builtins", "__builtin__", "copyreg", "copy_reg", "_codecs",
		"functools", "operator", "importlib", "subprocess", "os",
		"posix", "nt", "zoneinfo", "random", "array", "collections",
		NULL
	};
	struct slice module = slice_of(class->u.global.module);
	size_t n = slice_find(module, slice_of("."), 0);

	module.n = n == SIZE_MAX ? module.n : n;
	for (size_t i = 0; modules[i]; i++)
		if (slice_is(module, slice_of(modules[i])))
			return true;
	return slice_is(module, slice_of("numpy")) ||
	       slice_is(module, slice_of("torch"));
}

static bool is_plain_scalar(const struct ferry_value *v)
{
	return v->kind == FERRY_STRING || v->kind == FERRY_INT ||
	       v->kind == FERRY_FLOAT || v->kind == FERRY_BOOL;
}

static int by_value(struct plain *p, const struct ferry_value *class,
		    struct ferry_value *value, struct ferry_value **out)
{
	char was[2 * TEXT_MOST];

	snprintf(was, sizeof(was), "a member of %.150s.%.150s",
		 class->u.global.module, class->u.global.name);
	*out = value;
	return tell(p, was, value);
}

static bool is_getattr(const struct ferry_value *v)
{
	return ferry_value_is_global(v, "builtins", "getattr") ||
	       ferry_value_is_global(v, "__builtin__", "getattr");
}

/* 1 when the object stands for a plain value, 0 when not. */
static int stand_in(struct plain *p, const struct ferry_object *o,
		    struct ferry_value **out)
{
	struct ferry_value *const *args;
	enum spelling spelling;
	struct slice text;
	char was[TEXT_MOST];
	int rc;

	if (o->form != FERRY_FORM_CALL || !o->callable || !o->args ||
	    o->callable->kind != FERRY_GLOBAL || o->args->kind != FERRY_TUPLE)
		return 0;
	args = o->args->u.list.items;
	rc = scalar_of_numpy(p->store, o, was, sizeof(was), out);
	if (!rc)
		rc = text_of_path(p->store, o, was, sizeof(was), out);
	if (rc == FERRY_NOMEM)
		return no_memory(p);
	if (rc > 0) {
		rc = tell(p, was, *out);
		return rc ? rc : 1;
	}
	if (is_getattr(o->callable) && o->args->u.list.n == 2 &&
	    args[0]->kind == FERRY_GLOBAL && args[1]->kind == FERRY_STRING) {
		struct ferry_value key = { .kind = FERRY_OBJECT };

		key.u.object = (struct ferry_object *)o;
		text = key_text(&key, &spelling);
		if (text.p) {
			*out = ferry_string(p->store, text.p, text.n);
			return *out ? 1 : no_memory(p);
		}
		rc = by_member(p, args[0], text_of(args[1]), out);
		return rc ? rc : 1;
	}
	if (o->args->u.list.n != 1 || !is_plain_scalar(args[0]) || o->state ||
	    o->dict || o->list || is_own_kind(o->callable))
		return 0;
	rc = by_value(p, o->callable, args[0], out);
	return rc ? rc : 1;
}

/* ---- containers ------------------------------------------------------------------ */

static bool is_left_out(const struct plain *p)
{
	const char *text;

	for (size_t i = 0; (text = ferry_option_nth(p->options, "without", i));
	     i++)
		if (slice_is(slice_of(text), (struct slice){ p->path.data,
							     p->path.n }))
			return true;
	return false;
}

static size_t enter(struct plain *p, const struct ferry_value *key,
		    uint32_t index)
{
	size_t n = p->path.n;
	enum spelling spelling;
	struct slice text = { NULL, 0 };

	if (key)
		text = key_text(key, &spelling);
	if (n)
		ferry_buffer_add_str(&p->path, ".");
	if (text.p)
		ferry_buffer_add(&p->path, text.p, text.n);
	else if (key && key->kind == FERRY_INT && !(key->flags & FERRY_BIG))
		ferry_buffer_printf(&p->path, "%lld", (long long)key->u.i);
	else
		ferry_buffer_printf(&p->path, "%u", index);
	return n;
}

static int tell_left_out(struct plain *p)
{
	char path[TEXT_MOST];

	ferry_escape(path, sizeof(path), p->path.data, p->path.n);
	if (ferry_findings_add(p->findings, FERRY_NOTE, "left-out", path,
			       FERRY_NO_OFFSET, "'%s' is left out", path))
		return no_memory(p);
	return 0;
}

static int walk_pair(struct plain *p, const struct ferry_pair *pair,
		     uint32_t index, struct ferry_value *dict)
{
	struct ferry_value *key = NULL, *value = NULL;
	size_t n = enter(p, pair->key, index);
	int rc;

	if (is_left_out(p)) {
		rc = tell_left_out(p);
	} else {
		rc = walk(p, pair->key, &key);
		if (!rc)
			rc = walk(p, pair->value, &value);
		if (!rc && ferry_dict_set(p->store, dict, key, value))
			rc = no_memory(p);
	}
	p->path.n = n;
	return rc;
}

static int walk_pairs(struct plain *p, const struct ferry_value *from,
		      struct ferry_value *to)
{
	int rc = 0;

	for (uint32_t i = 0; i < from->u.dict.n && !rc; i++)
		rc = walk_pair(p, &from->u.dict.pairs[i], i, to);
	return rc;
}

static int walk_items(struct plain *p, const struct ferry_value *from,
		      struct ferry_value *to)
{
	struct ferry_value *item = NULL;
	size_t n;
	int rc = 0;

	for (uint32_t i = 0; i < from->u.list.n && !rc; i++) {
		n = enter(p, NULL, i);
		rc = walk(p, from->u.list.items[i], &item);
		p->path.n = n;
		if (!rc && ferry_list_add(p->store, to, item))
			rc = no_memory(p);
	}
	return rc;
}

static int remember(struct plain *p, const struct ferry_value *v,
		    struct ferry_value *made)
{
	if (v->id && ferry_map_put(&p->done, &v->id, sizeof(v->id),
				   (uintptr_t)made))
		return no_memory(p);
	return 0;
}

static int walk_part(struct plain *p, struct ferry_value *v,
		     struct ferry_value **slot)
{
	return v ? walk(p, v, slot) : 0;
}

/* An object of a class that is allowed, its parts made plain. */
static int walk_allowed(struct plain *p, struct ferry_value *v,
			struct ferry_value **out)
{
	const struct ferry_object *old = v->u.object;
	struct ferry_value *made = ferry_object(p->store, old->form,
						old->callable, old->args,
						old->kwargs);
	struct ferry_object *o;
	int rc;

	*out = made;
	if (!made)
		return no_memory(p);
	o = made->u.object;
	o->flags = old->flags;
	rc = remember(p, v, made);
	if (!rc)
		rc = walk_part(p, old->args, &o->args);
	if (!rc)
		rc = walk_part(p, old->kwargs, &o->kwargs);
	if (!rc)
		rc = walk_part(p, old->list, &o->list);
	if (!rc)
		rc = walk_part(p, old->dict, &o->dict);
	return rc ? rc : walk_part(p, old->state, &o->state);
}

static int walk_object(struct plain *p, struct ferry_value *v,
		       struct ferry_value **out)
{
	const struct ferry_object *o = v->u.object;
	int rc;

	*out = v;
	if (o->payload >= 0 && is_allowed(o->callable))
		return 0;
	if (is_allowed(o->callable))
		return walk_allowed(p, v, out);
	rc = stand_in(p, o, out);
	if (rc > 0)
		return remember(p, v, *out);
	return rc < 0 ? rc : refuse(p, o->callable);
}

/* A class stands for itself by its name, as noether's own "kind" does. */
static int walk_global(struct plain *p, struct ferry_value *v,
		       struct ferry_value **out)
{
	struct ferry_buffer name = FERRY_BUFFER_INIT;

	*out = v;
	if (is_allowed(v))
		return 0;
	ferry_buffer_printf(&name, "%s.%s", v->u.global.module,
			    v->u.global.name);
	*out = name.failed ? NULL : ferry_string(p->store, name.data, name.n);
	ferry_buffer_release(&name);
	return *out ? tell(p, "a class or function", *out) : no_memory(p);
}

/* An array of numpy is a tensor with a word of its own beside it. */
static int walk_tensor(struct plain *p, struct ferry_value *v,
		       struct ferry_value **out)
{
	const struct ferry_tensor *t = v->u.tensor;
	int rc;

	*out = v;
	if (!t->extra || !ferry_dict_get(t->extra, "numpy"))
		return 0;
	*out = ferry_tensor(p->store, t->dtype, t->ndim, t->shape, t->strides,
			    t->offset, t->storage);
	if (!*out)
		return no_memory(p);
	rc = remember(p, v, *out);
	return rc ? rc : tell(p, "an array of numpy", *out);
}

static int walk_sequence(struct plain *p, struct ferry_value *v,
			 struct ferry_value **out)
{
	bool frozen = v->kind == FERRY_FROZENSET;
	int rc;

	*out = ferry_sequence(p->store, frozen ? FERRY_SET : v->kind,
			      v->u.list.n);
	if (!*out)
		return no_memory(p);
	rc = remember(p, v, *out);
	if (!rc)
		rc = walk_items(p, v, *out);
	return rc || !frozen ? rc : tell(p, "a frozenset", *out);
}

static int walk(struct plain *p, struct ferry_value *v,
		struct ferry_value **out)
{
	uint64_t found;
	int rc;

	if (v->id && ferry_map_get(&p->done, &v->id, sizeof(v->id), &found)) {
		*out = (struct ferry_value *)(uintptr_t)found;
		return 0;
	}
	switch (v->kind) {
	case FERRY_LIST:
	case FERRY_TUPLE:
	case FERRY_SET:
	case FERRY_FROZENSET:
		return walk_sequence(p, v, out);
	case FERRY_DICT:
		*out = ferry_dict(p->store, v->u.dict.n);
		if (!*out)
			return no_memory(p);
		rc = remember(p, v, *out);
		return rc ? rc : walk_pairs(p, v, *out);
	case FERRY_OBJECT:
		return walk_object(p, v, out);
	case FERRY_GLOBAL:
		return walk_global(p, v, out);
	case FERRY_TENSOR:
		return walk_tensor(p, v, out);
	default:
		*out = v;
		return 0;
	}
}

int plain_value(struct plain *p, struct ferry_value *v, const char *path,
		struct ferry_value **out)
{
	int rc;

	p->path.n = 0;
	ferry_buffer_add_str(&p->path, path);
	rc = walk(p, v, out);
	if (!rc && p->path.failed)
		rc = no_memory(p);
	return rc;
}

void plain_release(struct plain *p)
{
	ferry_map_release(&p->done);
	ferry_buffer_release(&p->path);
}
