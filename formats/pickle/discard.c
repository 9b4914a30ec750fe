/*
 * Calls whose results are thrown away.
 *
 * A class may give the function that sets its state (the sixth part of what
 * __reduce__ returns), and dill sets what it could not make at once: such calls
 * follow the object that they are for, which lies below them on the stack.
 * And what met itself through its own arguments is made a second time; then
 * the first is fetched from the memo at once.
 */
#include "config.h"

#include "formats/pickle/machine.h"

enum {
	SHOWN_CALLS = 3,
	NAME_BYTES = 100,
};

static bool is_call(const struct ferry_value *v)
{
	return v->kind == FERRY_OBJECT && !pickle_fetched(v) &&
	       v->u.object->form <= FERRY_FORM_INSTANCE;
}

static bool takes_state(const struct ferry_value *v)
{
	return v->kind == FERRY_OBJECT || v->kind == FERRY_TENSOR ||
	       v->kind == FERRY_STORAGE || v->kind == FERRY_GLOBAL;
}

static bool is_same(const struct ferry_value *a, const struct ferry_value *b)
{
	return a == b || (a->kind == FERRY_GLOBAL && b->kind == FERRY_GLOBAL &&
			  ferry_value_same_global(a, b));
}

/* v is what Python made of the same object at the first time. */
static bool is_made_again(const struct ferry_value *call,
			  const struct ferry_value *v)
{
	const struct ferry_object *a = call->u.object, *b;

	if (v->kind != FERRY_OBJECT)
		return false;
	b = v->u.object;
	return a->form == b->form && a->args->kind == b->args->kind &&
	       is_same(a->callable, b->callable) &&
	       (a->args->kind != FERRY_TUPLE ||
		a->args->u.list.n == b->args->u.list.n);
}

static void name_lost(struct pickle_machine *m, const struct ferry_value *v)
{
	const struct ferry_value *callable = v->u.object->callable;
	char module[NAME_BYTES], name[NAME_BYTES];

	if (m->n_lost++ >= SHOWN_CALLS)
		return;
	ferry_buffer_add_str(&m->lost, m->n_lost > 1 ? ", " : "");
	if (callable->kind != FERRY_GLOBAL) {
		ferry_buffer_add_str(&m->lost, "what another call gave");
		return;
	}
	ferry_escape(module, sizeof(module), callable->u.global.module,
		     callable->u.global.module_len);
	ferry_escape(name, sizeof(name), callable->u.global.name,
		     callable->u.global.name_len);
	ferry_buffer_printf(&m->lost, "%s.%s", module, name);
}

static int settle(struct pickle_machine *m, struct ferry_value *call,
		  struct ferry_value *target)
{
	if (target) {
		call->u.object->flags |= FERRY_DISCARDED;
		return pickle_add_state(m, target, call);
	}
	name_lost(m, call);
	return m->lost.failed ? pickle_nomem(m) : 0;
}

int pickle_discard_fetched(struct pickle_machine *m,
			   const struct ferry_value *fetched)
{
	struct ferry_value *call = m->discarded;

	m->discarded = NULL;
	return is_made_again(call, fetched) ? 0 :
		settle(m, call, m->discarded_on);
}

static bool is_fetch_next(struct pickle_machine *m)
{
	if (m->in.p == m->in.end && pickle_input_fill(&m->in, 1))
		return false;
	return *m->in.p == 'g' || *m->in.p == 'h' || *m->in.p == 'j';
}

int pickle_discard(struct pickle_machine *m, struct ferry_value *v)
{
	struct ferry_value *target = NULL;

	if (!is_call(v))
		return 0;
	if (m->n > m->fence && takes_state(m->stack[m->n - 1]))
		target = m->stack[m->n - 1];
	if (!is_fetch_next(m))
		return settle(m, v, target);
	m->discarded = v;
	m->discarded_on = target;
	return 0;
}

int pickle_discard_report(struct pickle_machine *m)
{
	uint64_t n = m->n_lost;

	if (!n || !m->options->findings)
		return 0;
	if (ferry_findings_add(m->options->findings, FERRY_WARNING, "calls",
			       "", FERRY_NO_OFFSET, "%llu call%s whose result%s "
			       "thrown away %s not kept: %s%s",
			       (unsigned long long)n, n == 1 ? "" : "s",
			       n == 1 ? " is" : "s are",
			       n == 1 ? "is" : "are", m->lost.data,
			       n > SHOWN_CALLS ? ", ..." : ""))
		return pickle_nomem(m);
	return 0;
}
