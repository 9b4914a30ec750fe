/*
 * Encode a graph.
 *
 * The graph is walked with a stack of tasks, so that its depth costs memory
 * and nothing else.  A value that comes back to itself through its own parts
 * before it can be made (a tuple in a list in the tuple) is made on the way, by
 * the inner visit; the outer visit then drops its parts and fetches it.  That
 * ends only when every container on the way is in the memo: on meeting such a
 * value the writer starts again, and memoises all of them.
 */
#include "config.h"

#include "formats/pickle/writer.h"

#include <ferry/sys/alloc.h>

enum {
	LEAST_HOLE = 64 * 1024,
	MOST_TIMES = 64,
	MOST_EXTRA = 100000,
};

enum step {
	ITEMS,		/* of a list or set, then `opcode` */
	PAIRS,		/* of a dict */
	TUPLE,
	FROZENSET,
	SET_CALL,	/* the list is written, the call is not */
	OBJECT,
};

static int write_value(struct pickle_writer *w, const struct ferry_value *v);

static int add_task(struct pickle_writer *w, enum step step,
		    const struct ferry_value *v, uint8_t opcode)
{
	size_t cap = w->cap_tasks ? 2 * w->cap_tasks : 64;
	struct pickle_task *tasks;

	if (w->n_tasks == w->cap_tasks) {
		tasks = ferry_alloc_resize(w->tasks, cap, sizeof(*tasks));
		if (!tasks)
			return ferry_fail_nomem(w->err, "a pickle");
		w->tasks = tasks;
		w->cap_tasks = cap;
	}
	w->tasks[w->n_tasks++] = (struct pickle_task){
		.step = (uint8_t)step, .opcode = opcode, .value = v,
	};
	return 0;
}

static int write_list(struct pickle_writer *w, const struct ferry_value *v)
{
	pickle_put_op(w, ']');
	pickle_store(w, v);
	return v->u.list.n ? add_task(w, ITEMS, v, 'e') : 0;
}

static int write_dict(struct pickle_writer *w, const struct ferry_value *v)
{
	pickle_put_op(w, '}');
	pickle_store(w, v);
	return v->u.dict.n ? add_task(w, PAIRS, v, 'u') : 0;
}

static int write_tuple(struct pickle_writer *w, const struct ferry_value *v)
{
	if (!v->u.list.n) {
		pickle_put_op(w, ')');
		return 0;
	}
	if (v->u.list.n > 3)
		pickle_put_op(w, '(');
	pickle_writer_node(w, v)->open++;
	return add_task(w, TUPLE, v, 't');
}

static int write_set(struct pickle_writer *w, const struct ferry_value *v)
{
	bool frozen = v->kind == FERRY_FROZENSET;
	int ret;

	pickle_writer_node(w, v)->open += w->protocol < 4 || frozen;
	if (w->protocol < 4) {
		pickle_put_builtin(w, frozen ? PICKLE_FROZENSET : PICKLE_SET);
		pickle_put_op(w, ']');
		ret = add_task(w, SET_CALL, v, 0);
		return ret || !v->u.list.n ? ret : add_task(w, ITEMS, v, 'e');
	}
	if (frozen) {
		pickle_put_op(w, '(');
		return add_task(w, FROZENSET, v, 0);
	}
	pickle_put_op(w, 0x8f);
	pickle_store(w, v);
	return v->u.list.n ? add_task(w, ITEMS, v, 0x90) : 0;
}

/*
 * A list that is an argument and nothing else was made for the call, from what
 * the object holds.  The inner visit of the object writes it once more, and
 * whole, rather than call with what there is of it so far.
 */
static void renew_args(struct pickle_writer *w, const struct ferry_value *args)
{
	const struct ferry_value *item;

	for (uint32_t i = 0; i < args->u.list.n; i++) {
		item = pickle_graph_value(&w->graph, args->u.list.items[i]);
		if ((item->kind == FERRY_LIST || item->kind == FERRY_DICT ||
		     item->kind == FERRY_SET) &&
		    pickle_writer_node(w, item)->refs == 1)
			pickle_writer_node(w, item)->memo = 0;
	}
}

static int write_object(struct pickle_writer *w, const struct ferry_value *v)
{
	const struct ferry_object *o = v->u.object;

	if (++pickle_writer_node(w, v)->open == 2 && o->args &&
	    o->args->kind == FERRY_TUPLE)
		renew_args(w, o->args);
	if (o->form == FERRY_FORM_INSTANCE)
		pickle_put_op(w, '(');
	return add_task(w, OBJECT, v, 0);
}

static int write_value(struct pickle_writer *w, const struct ferry_value *v)
{
	v = pickle_graph_value(&w->graph, v);
	/* every value is written once, but for those that contain themselves */
	if (++w->written > MOST_TIMES * w->graph.edges + MOST_EXTRA)
		return pickle_writer_fail(w, FERRY_LIMIT,
			    "tuples or arguments contain themselves in too "
			    "many ways to be written");
	if (v->id && pickle_writer_node(w, v)->memo) {
		pickle_put_fetch(w, pickle_writer_node(w, v)->memo);
		return 0;
	}
	if (v->id && pickle_writer_node(w, v)->open && !w->memo_all) {
		w->again = true;
		return FERRY_LIMIT;
	}
	switch (v->kind) {
	case FERRY_LIST:
		return write_list(w, v);
	case FERRY_TUPLE:
		return write_tuple(w, v);
	case FERRY_SET:
	case FERRY_FROZENSET:
		return write_set(w, v);
	case FERRY_DICT:
		return write_dict(w, v);
	case FERRY_OBJECT:
		return write_object(w, v);
	default:
		return pickle_write_leaf(w, v);
	}
}

/* What is made last is on the stack.  When an inner visit made it already, that
 * one is taken; returns true then. */
static bool made(struct pickle_writer *w, const struct ferry_value *v)
{
	pickle_writer_node(w, v)->open--;
	if (!pickle_writer_node(w, v)->memo) {
		pickle_store(w, v);
		return false;
	}
	pickle_put_op(w, '0');
	pickle_put_fetch(w, pickle_writer_node(w, v)->memo);
	return true;
}

/*
 * Write items until one of them needs tasks of its own.  True when all are
 * written: the task is still the last.
 */
static int write_items(struct pickle_writer *w, const struct ferry_value *list,
		       bool *all)
{
	size_t depth = w->n_tasks;
	int ret = 0;

	while (!ret && w->n_tasks == depth &&
	       w->tasks[depth - 1].i < list->u.list.n)
		ret = write_value(w,
			list->u.list.items[w->tasks[depth - 1].i++]);
	*all = !ret && w->n_tasks == depth;
	return ret;
}

static int run_items(struct pickle_writer *w)
{
	struct pickle_task *task = &w->tasks[w->n_tasks - 1];
	const struct ferry_value *list = task->value;
	uint8_t opcode = task->opcode;
	bool one = opcode == 'e' && list->u.list.n == 1, all;
	int ret;

	if (!task->i && !one)
		pickle_put_op(w, '(');
	ret = write_items(w, list, &all);
	if (!all)
		return ret;
	pickle_put_op(w, one ? 'a' : opcode);
	w->n_tasks--;
	return 0;
}

static int run_pairs(struct pickle_writer *w)
{
	size_t depth = w->n_tasks;
	const struct ferry_value *dict = w->tasks[depth - 1].value;
	uint32_t n = dict->u.dict.n, i = w->tasks[depth - 1].i;
	const struct ferry_pair *pair;
	int ret = 0;

	if (!i && n > 1)
		pickle_put_op(w, '(');
	while (!ret && w->n_tasks == depth &&
	       (i = w->tasks[depth - 1].i++) < 2 * (uint64_t)n) {
		pair = &dict->u.dict.pairs[i / 2];
		ret = write_value(w, i & 1 ? pair->value : pair->key);
	}
	if (ret || w->n_tasks != depth)
		return ret;
	pickle_put_op(w, n > 1 ? 'u' : 's');
	w->n_tasks--;
	return 0;
}

/* The parts of a tuple are on the stack. */
static void close_tuple(struct pickle_writer *w, const struct ferry_value *v)
{
	static const uint8_t opcodes[] = { 0, 0x85, 0x86, 0x87 };
	uint32_t n = v->u.list.n;

	pickle_writer_node(w, v)->open--;
	if (pickle_writer_node(w, v)->memo) {
		if (n > 3)
			pickle_put_op(w, '1');
		for (uint32_t i = 0; n <= 3 && i < n; i++)
			pickle_put_op(w, '0');
		pickle_put_fetch(w, pickle_writer_node(w, v)->memo);
		return;
	}
	pickle_put_op(w, n > 3 ? 't' : opcodes[n]);
	pickle_store(w, v);
}

static void close_frozenset(struct pickle_writer *w,
			    const struct ferry_value *v)
{
	pickle_writer_node(w, v)->open--;
	if (pickle_writer_node(w, v)->memo) {
		pickle_put_op(w, '1');
		pickle_put_fetch(w, pickle_writer_node(w, v)->memo);
		return;
	}
	pickle_put_op(w, 0x91);
	pickle_store(w, v);
}

static int run_sequence(struct pickle_writer *w)
{
	const struct pickle_task *task = &w->tasks[w->n_tasks - 1];
	const struct ferry_value *v = task->value;
	bool tuple = task->step == TUPLE, all;
	int ret = write_items(w, v, &all);

	if (!all)
		return ret;
	if (tuple)
		close_tuple(w, v);
	else
		close_frozenset(w, v);
	w->n_tasks--;
	return 0;
}

static int run_set_call(struct pickle_writer *w)
{
	const struct ferry_value *v = w->tasks[--w->n_tasks].value;

	pickle_put_op(w, 0x85);
	pickle_put_op(w, 'R');
	made(w, v);
	return 0;
}

static void put_extension(struct pickle_writer *w, const struct ferry_object *o)
{
	uint32_t code = (uint32_t)o->args->u.i;

	if (code < 256)
		pickle_put_op1(w, 0x82, (uint8_t)code);
	else if (code < 65536)
		pickle_put_op2(w, 0x83, (uint16_t)code);
	else
		pickle_put_op4(w, 0x84, code);
}

/* The opcode that makes an object of what is on the stack. */
static void put_make(struct pickle_writer *w, const struct ferry_object *o)
{
	switch (o->form) {
	case FERRY_FORM_CALL:
		pickle_put_op(w, 'R');
		break;
	case FERRY_FORM_NEW:
		pickle_put_op(w, o->kwargs ? 0x92 : 0x81);
		break;
	case FERRY_FORM_INSTANCE:
		pickle_put_op(w, 'o');
		break;
	case FERRY_FORM_PERSISTENT:
		pickle_put_op(w, 'Q');
		break;
	case FERRY_FORM_EXTENSION:
		put_extension(w, o);
		break;
	default:
		break;
	}
}

static int check_object(struct pickle_writer *w, const struct ferry_object *o)
{
	bool bare = o->form == FERRY_FORM_PERSISTENT ||
		    o->form == FERRY_FORM_EXTENSION;
	bool items = o->form == FERRY_FORM_INSTANCE ||
		     o->form == FERRY_FORM_SELF;

	if (o->form > FERRY_FORM_SELF || !o->args ||
	    (!o->callable && !bare && o->form != FERRY_FORM_SELF) ||
	    (items && o->args->kind != FERRY_TUPLE) ||
	    (o->form == FERRY_FORM_SELF && o->args->u.list.n != 1) ||
	    (o->form == FERRY_FORM_EXTENSION &&
	     (o->args->kind != FERRY_INT || o->args->flags & FERRY_BIG ||
	      o->args->u.i < 1 || o->args->u.i > INT32_MAX)))
		return pickle_writer_fail(w, FERRY_MISUSE,
					  "an object lacks what makes it");
	return 0;
}

static const struct ferry_value *state_of(const struct ferry_object *o,
					  uint32_t i)
{
	return o->flags & FERRY_STATES ? o->state->u.list.items[i] : o->state;
}

/* Give the object the state that was written, or throw that away. */
static void give_state(struct pickle_writer *w, const struct ferry_value *state)
{
	bool discarded = state->kind == FERRY_OBJECT &&
			 state->u.object->flags & FERRY_DISCARDED;

	pickle_put_op(w, discarded ? '0' : 'b');
}

/* Write a state, and give it to the object. */
static int write_state(struct pickle_writer *w, const struct ferry_object *o,
		       bool *all)
{
	size_t depth = w->n_tasks;
	uint32_t i = w->tasks[depth - 1].i++;
	uint32_t n = o->flags & FERRY_STATES ? o->state->u.list.n : 1;
	int ret = 0;

	for (; !ret && w->n_tasks == depth; i = w->tasks[depth - 1].i++) {
		if (i)
			give_state(w, state_of(o, i - 1));
		if (i == n)
			break;
		ret = write_value(w, state_of(o, i));
		if (w->n_tasks != depth)
			break;
	}
	*all = !ret && w->n_tasks == depth;
	return ret;
}

enum stage {
	CHECK,
	CALLABLE,
	ARGS,
	KWARGS,
	MAKE,
	STATE_FIRST,
	LIST,
	DICT,
	STATE,
	DONE,
};

/* A class that is given a state is named for it alone: a reader that keeps the
 * two apart, as this one does, would else find the state wherever it is named.
 */
static bool write_decorated_name(struct pickle_writer *w,
				 const struct ferry_object *o)
{
	const struct ferry_value *v;

	if (o->form != FERRY_FORM_SELF)
		return false;
	v = pickle_graph_value(&w->graph, o->args->u.list.items[0]);
	if (v->kind == FERRY_GLOBAL)
		pickle_put_new_name(
			w,
			&w->graph.entries[pickle_writer_node(w, v)->entry - 1]);
	return v->kind == FERRY_GLOBAL;
}

/* Do one stage of an object; *all is set when it added no task. */
static int run_stage(struct pickle_writer *w, const struct ferry_value *v,
		     unsigned stage, bool *all)
{
	const struct ferry_object *o = v->u.object;
	bool first = o->flags & FERRY_STATE_FIRST;
	size_t depth = w->n_tasks;
	int ret = 0;

	switch (stage) {
	case CHECK:
		ret = check_object(w, o);
		break;
	case CALLABLE:
		if (o->callable)
			ret = write_value(w, o->callable);
		break;
	case ARGS:
		if (write_decorated_name(w, o))
			break;
		if (o->form == FERRY_FORM_INSTANCE ||
		    o->form == FERRY_FORM_SELF)
			return write_items(w, o->args, all);
		if (o->form != FERRY_FORM_EXTENSION)
			ret = write_value(w, o->args);
		break;
	case KWARGS:
		if (o->kwargs && o->form == FERRY_FORM_NEW)
			ret = write_value(w, o->kwargs);
		break;
	case MAKE:
		put_make(w, o);
		/* an inner visit did all that is left to do */
		if (made(w, v))
			w->tasks[depth - 1].stage = DONE;
		break;
	case LIST:
		if (o->list && o->list->u.list.n)
			ret = add_task(w, ITEMS, o->list,
				       o->flags & FERRY_ADD_ITEMS ? 0x90 : 'e');
		break;
	case DICT:
		if (o->dict && o->dict->u.dict.n)
			ret = add_task(w, PAIRS, o->dict, 'u');
		break;
	default:
		if (o->state && (stage == STATE_FIRST) == first)
			return write_state(w, o, all);
		break;
	}
	*all = !ret && w->n_tasks == depth;
	return ret;
}

/* Stages that work on several values come back until all are written. */
static bool is_repeated(const struct ferry_object *o, unsigned stage)
{
	return stage == STATE || stage == STATE_FIRST ||
	       (stage == ARGS && (o->form == FERRY_FORM_INSTANCE ||
				  o->form == FERRY_FORM_SELF));
}

static int run_object(struct pickle_writer *w)
{
	size_t depth = w->n_tasks;
	const struct ferry_value *v = w->tasks[depth - 1].value;
	unsigned stage;
	bool all = true;
	int ret = 0;

	while (!ret && all) {
		stage = w->tasks[depth - 1].stage;
		if (stage == DONE) {
			w->n_tasks--;
			break;
		}
		if (!is_repeated(v->u.object, stage))
			w->tasks[depth - 1].stage++;
		ret = run_stage(w, v, stage, &all);
		if (!ret && all && is_repeated(v->u.object, stage)) {
			w->tasks[depth - 1].stage++;
			w->tasks[depth - 1].i = 0;
		}
	}
	return ret;
}

static int run_task(struct pickle_writer *w)
{
	switch (w->tasks[w->n_tasks - 1].step) {
	case ITEMS:
		return run_items(w);
	case PAIRS:
		return run_pairs(w);
	case TUPLE:
	case FROZENSET:
		return run_sequence(w);
	case SET_CALL:
		return run_set_call(w);
	default:
		return run_object(w);
	}
}

static int write_once(struct pickle_writer *w, const struct ferry_value *root)
{
	int ret;

	pickle_put_op1(w, 0x80, (uint8_t)w->protocol);
	ret = write_value(w, root);
	while (!ret && w->n_tasks)
		ret = run_task(w);
	pickle_put_op(w, '.');
	return ret;
}

/* Forget what was written and stored. */
static void start_again(struct pickle_writer *w)
{
	uint64_t least_hole = w->out.least_hole;

	for (uint32_t i = 0; i < w->graph.n_nodes; i++) {
		w->graph.nodes[i].memo = 0;
		w->graph.nodes[i].open = 0;
	}
	for (uint32_t i = 0; i < w->graph.n_entries; i++)
		w->graph.entries[i].memo = 0;
	pickle_output_release(&w->out);
	w->out.least_hole = least_hole;
	w->n_tasks = 0;
	w->memo = 0;
	w->written = 0;
	w->memo_all = true;
	w->again = false;
}

static int write_graph(struct pickle_writer *w, const struct ferry_value *root)
{
	int ret = pickle_graph_init(&w->graph, root);

	if (ret)
		return ret;
	ret = write_once(w, root);
	if (w->again) {
		start_again(w);
		ret = write_once(w, root);
	}
	if (!ret && w->out.bytes.failed)
		ret = ferry_fail_nomem(w->err, "a pickle");
	return ret;
}

static int write_pickle(const struct ferry_value *root,
			const struct pickle_writer_options *options,
			uint64_t least_hole, struct pickle_output *out,
			struct ferry_error *err)
{
	static const struct pickle_writer_options none;
	struct pickle_writer w = { .err = err };
	int ret;

	w.graph.options = options ? options : &none;
	w.graph.err = err;
	w.protocol = w.graph.options->protocol ? w.graph.options->protocol : 2;
	w.graph.protocol = w.protocol;
	w.out.least_hole = least_hole;
	if (w.protocol != 2 && w.protocol != 4 && w.protocol != 5)
		return pickle_writer_fail(&w, FERRY_MISUSE,
			    "pickles are written at protocol 2, 4 or 5");
	ret = write_graph(&w, root);
	pickle_graph_release(&w.graph);
	ferry_alloc_free(w.tasks);
	if (ret)
		pickle_output_release(&w.out);
	else
		*out = w.out;
	return ret;
}

int pickle_write(const struct ferry_value *root,
		 const struct pickle_writer_options *options,
		 struct ferry_buffer *out, struct ferry_error *err)
{
	struct pickle_output output;
	int ret;

	ret = write_pickle(root, options, UINT64_MAX, &output, err);
	if (ret)
		return ret;
	if (!out->data && !out->failed) {
		*out = output.bytes;
		output.bytes = (struct ferry_buffer)FERRY_BUFFER_INIT;
	} else {
		ferry_buffer_add(out, output.bytes.data, output.bytes.n);
	}
	pickle_output_release(&output);
	return out->failed ? ferry_fail_nomem(err, "a pickle") : 0;
}

int pickle_write_source(const struct ferry_value *root,
			const struct pickle_writer_options *options,
			struct ferry_source **out, struct ferry_error *err)
{
	struct pickle_output output;
	int ret;

	ret = write_pickle(root, options, LEAST_HOLE, &output, err);
	if (ret)
		return ret;
	ret = pickle_output_source(&output, out, err);
	if (ret)
		pickle_output_release(&output);
	return ret;
}
