/*
 * Names, calls, state and items.
 *
 * Python gives an object its list items, then its dict items, then its state.
 * An OBJECT can also say that the state came first, and that there were
 * several; what comes in any other order makes it the argument of an object of
 * FERRY_FORM_SELF, which takes what follows.  That happens in place, so that
 * the pointers in the memo and in containers keep meaning the whole.
 */
#include "config.h"

#include "formats/pickle/machine.h"

#include <string.h>

#include <ferry/sys/python_name.h>

struct ferry_value *pickle_gather(struct pickle_machine *m,
				  enum ferry_kind kind, size_t n)
{
	struct ferry_value *v;

	if (n > UINT32_MAX)
		return NULL;
	v = ferry_sequence(m->store, kind, (uint32_t)n);
	if (!v || !n)
		return v;
	memcpy(v->u.list.items, m->stack + m->n - n,
	       n * sizeof(struct ferry_value *));
	v->u.list.n = (uint32_t)n;
	return v;
}

static bool is_renamed(struct ferry_name name)
{
	return !ferry_name_equal(ferry_name_modern(name), name);
}

int pickle_global(struct pickle_machine *m, const char *module, size_t nm,
		  const char *name, size_t nn)
{
	struct ferry_value *v = ferry_global(m->store, module, nm, name, nn);

	if (v && m->proto < 3 &&
	    is_renamed((struct ferry_name){ module, name, nm, nn }))
		v->flags |= FERRY_PY2;
	return pickle_made(m, v);
}

/* The two lines of a name; the first is kept by the store. */
static int name_lines(struct pickle_machine *m, const char **module, size_t *nm,
		      const char **name, size_t *nn)
{
	const char *line;

	if (pickle_input_line(&m->in, &line, nm))
		return FERRY_MALFORMED;
	*module = ferry_store_strndup(m->store, line, *nm);
	if (!*module)
		return pickle_nomem(m);
	if (pickle_input_line(&m->in, name, nn))
		return FERRY_MALFORMED;
	if (!*nm || !*nn || !pickle_is_text(*module, *nm) ||
	    !pickle_is_text(*name, *nn))
		return pickle_fail(m, FERRY_MALFORMED,
				   "pickle names a class with an empty name or "
				   "one that is not UTF-8");
	return 0;
}

int pickle_op_global(struct pickle_machine *m)
{
	const char *module, *name;
	size_t nm, nn;

	return name_lines(m, &module, &nm, &name, &nn)
		       ? FERRY_MALFORMED
		       : pickle_global(m, module, nm, name, nn);
}

int pickle_op_stack_global(struct pickle_machine *m)
{
	struct ferry_value **top = pickle_top(m, 2);
	struct ferry_value *module, *name;

	if (!top)
		return FERRY_MALFORMED;
	module = top[0];
	name = top[1];
	if (module->kind == FERRY_OBJECT || name->kind == FERRY_OBJECT)
		return pickle_fail(m, FERRY_UNSUPPORTED,
				   "pickle names a class by the result of a "
				   "call; nothing is called here");
	if (module->kind != FERRY_STRING || name->kind != FERRY_STRING)
		return pickle_fail(m, FERRY_MALFORMED,
				   "pickle names a class by values of kind "
				   "%s and %s",
				   ferry_kind_name(module->kind),
				   ferry_kind_name(name->kind));
	m->n -= 2;
	return pickle_global(m, module->u.s.data, module->u.s.nbytes,
			     name->u.s.data, name->u.s.nbytes);
}

/* Only classes and functions are called; what they are is not known. */
static int check_call(struct pickle_machine *m,
		      const struct ferry_value *callable,
		      const struct ferry_value *args)
{
	if (callable->kind != FERRY_GLOBAL && callable->kind != FERRY_OBJECT)
		return pickle_fail(m, FERRY_MALFORMED,
				   "pickle calls a value of kind %s",
				   ferry_kind_name(callable->kind));
	if (args->kind != FERRY_TUPLE && args->kind != FERRY_OBJECT)
		return pickle_fail(m, FERRY_MALFORMED,
				   "pickle calls with a value of kind %s for "
				   "arguments",
				   ferry_kind_name(args->kind));
	return 0;
}

/* Push a new object, or what the caller puts in its place. */
static int push_object(struct pickle_machine *m, struct ferry_value *object)
{
	struct ferry_value *instead = NULL;
	int ret;

	if (object && m->options->reduce) {
		ret = m->options->reduce(m->options->ctx, m->store, object,
					 false, &instead, m->err);
		if (ret)
			return ret;
	}
	return pickle_made(m, instead ? instead : object);
}

int pickle_op_reduce(struct pickle_machine *m)
{
	struct ferry_value **top = pickle_top(m, 2);
	struct ferry_value *callable, *args, *plain;

	if (!top)
		return FERRY_MALFORMED;
	callable = top[0];
	args = top[1];
	if (check_call(m, callable, args) ||
	    pickle_plain(m, callable, args, &plain))
		return FERRY_MALFORMED;
	m->n -= 2;
	if (plain)
		return pickle_made(m, plain);
	return push_object(m, ferry_object(m->store, FERRY_FORM_CALL, callable,
					   args, NULL));
}

int pickle_op_newobj(struct pickle_machine *m)
{
	struct ferry_value **top = pickle_top(m, 2);

	if (!top || check_call(m, top[0], top[1]))
		return FERRY_MALFORMED;
	m->n -= 2;
	return push_object(m, ferry_object(m->store, FERRY_FORM_NEW, top[0],
					   top[1], NULL));
}

int pickle_op_newobj_ex(struct pickle_machine *m)
{
	struct ferry_value **top = pickle_top(m, 3);

	if (!top || check_call(m, top[0], top[1]))
		return FERRY_MALFORMED;
	if (top[2]->kind != FERRY_DICT)
		return pickle_fail(m, FERRY_MALFORMED,
				   "pickle calls with a value of kind %s for "
				   "keyword arguments",
				   ferry_kind_name(top[2]->kind));
	m->n -= 3;
	return push_object(m, ferry_object(m->store, FERRY_FORM_NEW, top[0],
					   top[1], top[2]));
}

/* Python 2's instances: the arguments are what lies above the mark. */
static int instance(struct pickle_machine *m, struct ferry_value *callable,
		    size_t first)
{
	struct ferry_value *args = pickle_gather(m, FERRY_TUPLE, m->n - first);

	if (!callable || !args)
		return pickle_nomem(m);
	if (check_call(m, callable, args))
		return FERRY_MALFORMED;
	m->n = first;
	return push_object(m, ferry_object(m->store, FERRY_FORM_INSTANCE,
					   callable, args, NULL));
}

int pickle_op_inst(struct pickle_machine *m)
{
	const char *module, *name;
	struct ferry_value *class;
	size_t first, nm, nn;

	if (name_lines(m, &module, &nm, &name, &nn) ||
	    pickle_global(m, module, nm, name, nn))
		return FERRY_MALFORMED;
	class = m->stack[--m->n];
	return pickle_unmark(m, &first) ? FERRY_MALFORMED
					: instance(m, class, first);
}

int pickle_op_obj(struct pickle_machine *m)
{
	struct ferry_value *class;
	size_t first;
	int ret;

	if (pickle_unmark(m, &first))
		return FERRY_MALFORMED;
	if (first == m->n)
		return pickle_underflow(m);
	class = m->stack[first];
	ret = instance(m, class, first + 1);
	if (!ret) {
		m->stack[first] = m->stack[first + 1];
		m->n = first + 1;
	}
	return ret;
}

static int persistent(struct pickle_machine *m, struct ferry_value *id)
{
	struct ferry_value *v = NULL;
	int ret;

	if (!id)
		return pickle_nomem(m);
	if (!m->options->persistent)
		return pickle_made(m, ferry_object(m->store,
						   FERRY_FORM_PERSISTENT, NULL,
						   id, NULL));
	ret = m->options->persistent(m->options->ctx, m->store, id, &v, m->err);
	return ret ? ret : pickle_made(m, v);
}

int pickle_op_persid(struct pickle_machine *m)
{
	const char *line;
	size_t n;

	if (pickle_input_line(&m->in, &line, &n))
		return FERRY_MALFORMED;
	for (size_t i = 0; i < n; i++)
		if (line[i] & 0x80)
			return pickle_fail(m, FERRY_MALFORMED,
					   "pickle has a persistent id that is "
					   "not ASCII");
	return persistent(m, ferry_string(m->store, line, n));
}

int pickle_op_binpersid(struct pickle_machine *m)
{
	struct ferry_value **top = pickle_top(m, 1);

	if (!top)
		return FERRY_MALFORMED;
	m->n--;
	return persistent(m, *top);
}

int pickle_extension(struct pickle_machine *m, int64_t code)
{
	struct ferry_value *id;

	if (code <= 0)
		return pickle_fail(m, FERRY_MALFORMED,
				   "pickle has extension code %lld, codes "
				   "start at 1", (long long)code);
	id = ferry_int(m->store, code);
	if (!id)
		return pickle_nomem(m);
	return pickle_made(m, ferry_object(m->store, FERRY_FORM_EXTENSION, NULL,
					   id, NULL));
}

/* Make v an object of FERRY_FORM_SELF around a copy of what it was. */
static int wrap(struct pickle_machine *m, struct ferry_value *v)
{
	struct ferry_value *inner = ferry_object(m->store, FERRY_FORM_SELF,
						 NULL, NULL, NULL);
	struct ferry_value *args = ferry_sequence(m->store, FERRY_TUPLE, 1);
	struct ferry_value was = *v;

	if (!inner || !args || ferry_list_add(m->store, args, inner))
		return pickle_nomem(m);
	m->values += 2;
	inner->u.object->args = args;
	inner->u.object->payload = 0;
	v->kind = FERRY_OBJECT;
	v->flags = 0;
	v->u = inner->u;
	was.id = inner->id;
	*inner = was;
	return 0;
}

static bool has_items(const struct ferry_object *o)
{
	return o->list || o->dict;
}

/* The object that takes items or state, or NULL with the error filled. */
static struct ferry_object *object_of(struct pickle_machine *m,
				      struct ferry_value *v, const char *what)
{
	bool wrappable = v->kind == FERRY_TENSOR || v->kind == FERRY_STORAGE ||
			 v->kind == FERRY_GLOBAL;

	if (v->kind != FERRY_OBJECT && !wrappable) {
		pickle_fail(m, FERRY_MALFORMED,
			    "pickle gives %s to a value of kind %s", what,
			    ferry_kind_name(v->kind));
		return NULL;
	}
	if (wrappable && wrap(m, v))
		return NULL;
	return v->u.object;
}

/* State before items is a flag as long as the items are still to come. */
static int ready_for_items(struct pickle_machine *m, struct ferry_value *v,
			   bool ordered)
{
	struct ferry_object *o = v->u.object;

	if (o->state && !has_items(o))
		o->flags |= FERRY_STATE_FIRST;
	if (!ordered || (o->state && !(o->flags & FERRY_STATE_FIRST)))
		return wrap(m, v);
	return 0;
}

static int add_list(struct pickle_machine *m, struct ferry_value *v,
		    struct ferry_value **items, size_t n, unsigned how)
{
	struct ferry_object *o = object_of(m, v, "list items");
	int ret = 0;

	if (!o)
		return FERRY_MALFORMED;
	if (ready_for_items(m, v, !o->dict && (!o->list ||
			    (o->flags & FERRY_ADD_ITEMS) == how)))
		return FERRY_NOMEM;
	o = v->u.object;
	o->flags |= (uint8_t)how;
	if (!o->list)
		o->list = ferry_sequence(m->store, FERRY_LIST, (uint32_t)n);
	if (!o->list)
		return pickle_nomem(m);
	for (size_t i = 0; i < n && !ret; i++)
		ret = ferry_list_add(m->store, o->list, items[i]);
	return ret ? pickle_nomem(m) : 0;
}

static bool is_key(const struct ferry_value *v)
{
	return v->kind != FERRY_LIST && v->kind != FERRY_DICT &&
	       v->kind != FERRY_SET &&
	       !(v->kind == FERRY_BYTES && v->flags & FERRY_MUTABLE);
}

int pickle_set_pairs(struct pickle_machine *m, struct ferry_value *dict,
		     struct ferry_value **items, size_t n)
{
	int ret;

	if (n & 1)
		return pickle_fail(m, FERRY_MALFORMED,
				   "pickle sets %zu keys and values, one key "
				   "has no value", n);
	for (size_t i = 0; i < n; i += 2) {
		if (!is_key(items[i]))
			return pickle_fail(m, FERRY_MALFORMED,
					   "pickle has a value of kind %s for "
					   "a key",
					   ferry_kind_name(items[i]->kind));
		ret = ferry_dict_set(m->store, dict, items[i], items[i + 1]);
		if (ret == FERRY_NOMEM)
			return pickle_nomem(m);
		if (ret)
			return pickle_fail(m, ret, "pickle has a key or a dict "
					   "that is too large");
	}
	return 0;
}

static int add_pairs(struct pickle_machine *m, struct ferry_value *v,
		     struct ferry_value **items, size_t n)
{
	struct ferry_object *o;

	if (v->kind == FERRY_DICT)
		return pickle_set_pairs(m, v, items, n);
	o = object_of(m, v, "dict items");
	if (!o)
		return FERRY_MALFORMED;
	if (ready_for_items(m, v, true))
		return FERRY_NOMEM;
	o = v->u.object;
	if (!o->dict)
		o->dict = ferry_dict(m->store, (uint32_t)(n / 2));
	if (!o->dict)
		return pickle_nomem(m);
	return pickle_set_pairs(m, o->dict, items, n);
}

static int extend(struct pickle_machine *m, struct ferry_value *v,
		  struct ferry_value **items, size_t n)
{
	int ret = 0;

	if (v->kind != FERRY_LIST)
		return add_list(m, v, items, n, 0);
	for (size_t i = 0; i < n && !ret; i++)
		ret = ferry_list_add(m->store, v, items[i]);
	if (ret == FERRY_LIMIT)
		return pickle_fail(m, ret,
				   "pickle has a list that is too long");
	return ret ? pickle_nomem(m) : 0;
}

int pickle_op_append(struct pickle_machine *m)
{
	struct ferry_value **top = pickle_top(m, 2);

	if (!top)
		return FERRY_MALFORMED;
	m->n--;
	return extend(m, top[0], top + 1, 1);
}

int pickle_op_setitem(struct pickle_machine *m)
{
	struct ferry_value **top = pickle_top(m, 3);

	if (!top)
		return FERRY_MALFORMED;
	m->n -= 2;
	return add_pairs(m, top[0], top + 1, 2);
}

/* Take the mark away: what is below it, and the n items above it. */
static struct ferry_value **take_marked(struct pickle_machine *m, size_t *n)
{
	size_t first;

	if (pickle_unmark(m, &first))
		return NULL;
	*n = m->n - first;
	m->n = first;
	return pickle_top(m, 1);
}

int pickle_op_appends(struct pickle_machine *m)
{
	struct ferry_value **top;
	size_t n;

	top = take_marked(m, &n);
	if (!top)
		return FERRY_MALFORMED;
	return n ? extend(m, top[0], top + 1, n) : 0;
}

int pickle_op_setitems(struct pickle_machine *m)
{
	struct ferry_value **top;
	size_t n;

	top = take_marked(m, &n);
	if (!top)
		return FERRY_MALFORMED;
	return n ? add_pairs(m, top[0], top + 1, n) : 0;
}

int pickle_op_additems(struct pickle_machine *m)
{
	struct ferry_value **top;
	int ret = 0;
	size_t n;

	top = take_marked(m, &n);
	if (!top)
		return FERRY_MALFORMED;
	if (!n)
		return 0;
	if (top[0]->kind != FERRY_SET)
		return add_list(m, top[0], top + 1, n, FERRY_ADD_ITEMS);
	for (size_t i = 1; i <= n && !ret; i++)
		ret = ferry_list_add(m->store, top[0], top[i]);
	return ret ? pickle_nomem(m) : 0;
}

int pickle_add_state(struct pickle_machine *m, struct ferry_value *v,
		     struct ferry_value *state)
{
	struct ferry_object *o = object_of(m, v, "a state");
	struct ferry_value *states;

	if (!o)
		return FERRY_MALFORMED;
	if (o->flags & FERRY_STATE_FIRST && has_items(o)) {
		if (wrap(m, v))
			return FERRY_NOMEM;
		o = v->u.object;
	}
	if (!o->state) {
		o->state = state;
		return 0;
	}
	if (!(o->flags & FERRY_STATES)) {
		states = ferry_sequence(m->store, FERRY_TUPLE, 2);
		if (!states || ferry_list_add(m->store, states, o->state))
			return pickle_nomem(m);
		o->state = states;
		o->flags |= FERRY_STATES;
	}
	return ferry_list_add(m->store, o->state, state) ? pickle_nomem(m) : 0;
}

/* What takes the place of a built object is moved into it: the memo and the
 * containers that hold the object hold the replacement from then on. */
static void replace(struct ferry_value *object,
		    const struct ferry_value *replacement)
{
	uint32_t id = object->id;

	*object = *replacement;
	object->id = id;
}

int pickle_op_build(struct pickle_machine *m)
{
	struct ferry_value **top = pickle_top(m, 2);
	struct ferry_value *replacement = NULL;
	int ret;

	if (!top)
		return FERRY_MALFORMED;
	m->n--;
	ret = pickle_add_state(m, top[0], top[1]);
	if (ret || !m->options->reduce)
		return ret;
	ret = m->options->reduce(m->options->ctx, m->store, top[0], true,
				 &replacement, m->err);
	if (!ret && replacement && replacement != top[0])
		replace(top[0], replacement);
	return ret;
}
