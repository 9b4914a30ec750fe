/* Documents, the check that closes a read, and the marks of walkers. */
#include "config.h"

#include <ferry/sys/build.h>

#include <ferry/sys/alloc.h>
#include <ferry/tensor.h>

#include "core/model/child.h"

enum { PATH_BYTES = 400 };

int ferry_document_new(struct ferry_document **out, struct ferry_store *store,
		       struct ferry_error *err)
{
	struct ferry_document *doc = ferry_alloc_zero(1, sizeof(*doc));
	int code;

	if (!doc)
		return ferry_fail_nomem(err, "a document");
	code = ferry_findings_new(&doc->findings, err);
	if (!code && store)
		doc->store = ferry_store_ref(store);
	else if (!code)
		code = ferry_store_new(&doc->store, err);
	if (code) {
		ferry_document_free(doc);
		return code;
	}
	*out = doc;
	return 0;
}

void ferry_document_free(struct ferry_document *doc)
{
	if (!doc)
		return;
	ferry_findings_free(doc->findings);
	ferry_store_unref(doc->store);
	ferry_alloc_free(doc);
}

int ferry_marks_init(struct ferry_marks *m, const struct ferry_store *store)
{
	m->n = ferry_store_ids(store);
	m->bits = ferry_alloc_zero((size_t)m->n / 64 + 1, sizeof(*m->bits));
	return m->bits ? 0 : FERRY_NOMEM;
}

void ferry_marks_release(struct ferry_marks *m)
{
	ferry_alloc_free(m->bits);
	m->bits = NULL;
	m->n = 0;
}

struct check {
	struct ferry_step *steps;	/* [FERRY_MAX_DEPTH] */
	size_t n;
	struct ferry_marks marks;
};

/* Fail with the path of the value in question in front. */
static int fail_at(const struct check *c, enum ferry_code code,
		   const char *text, struct ferry_error *err)
{
	struct ferry_buffer path = FERRY_BUFFER_INIT;
	char shown[PATH_BYTES + 100];

	ferry_steps_path(&path, c->steps, c->n, PATH_BYTES);
	ferry_escape(shown, sizeof(shown), path.data ? path.data : "", path.n);
	ferry_buffer_release(&path);
	return ferry_fail(err, code, "", FERRY_NO_OFFSET, "'%s': %s", shown,
			  text);
}

static int check_tensor(const struct check *c, const struct ferry_tensor *t,
			struct ferry_error *err)
{
	struct ferry_error why;
	int code;

	if (!ferry_tensor_check(t, "tensor", NULL))
		return 0;
	why = (struct ferry_error)FERRY_ERROR_INIT;
	code = ferry_tensor_check(t, "tensor", &why);
	return fail_at(c, code, why.text, err);
}

static bool is_whole(const struct ferry_object *o)
{
	return o->args && (o->callable || o->form == FERRY_FORM_PERSISTENT ||
			   o->form == FERRY_FORM_EXTENSION ||
			   o->form == FERRY_FORM_SELF);
}

/* Check the value itself, and enter it when it has not been before. */
static int visit(struct check *c, struct ferry_value *v,
		 struct ferry_error *err)
{
	int code;

	if (!v)
		return fail_at(c, FERRY_MALFORMED, "a value is missing", err);
	if (v->kind < FERRY_LIST || v->kind == FERRY_GLOBAL ||
	    v->kind == FERRY_STORAGE || ferry_mark(&c->marks, v))
		return 0;
	if (v->kind == FERRY_OBJECT && !is_whole(v->u.object))
		return fail_at(c, FERRY_MALFORMED,
			       "object has no class or no arguments", err);
	if (v->kind == FERRY_TENSOR) {
		code = check_tensor(c, v->u.tensor, err);
		if (code || !v->u.tensor->extra)
			return code;
	}
	if (c->n == FERRY_MAX_DEPTH)
		return fail_at(c, FERRY_LIMIT, "values are nested deeper than "
			       "1000 levels", err);
	c->steps[c->n++] = (struct ferry_step){ .value = v };
	return 0;
}

static int check_all(struct check *c, struct ferry_value *root,
		     struct ferry_error *err)
{
	struct ferry_step *step;
	int code = visit(c, root, err);

	while (!code && c->n) {
		step = &c->steps[c->n - 1];
		if (ferry_child_next(step->value, &step->at, &step->child))
			code = visit(c, step->child.value, err);
		else
			c->n--;
	}
	return code;
}

int ferry_document_check(struct ferry_document *doc, struct ferry_error *err)
{
	struct check c = { 0 };
	int code;

	c.steps = ferry_alloc(FERRY_MAX_DEPTH * sizeof(*c.steps));
	if (!c.steps || ferry_marks_init(&c.marks, doc->store))
		code = ferry_fail_nomem(err, "checking the document");
	else
		code = check_all(&c, doc->root, err);
	ferry_marks_release(&c.marks);
	ferry_alloc_free(c.steps);
	return code;
}
