/* The mean of the inputs, in the place of the main one. */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <ferry/sys/alloc.h>
#include <ferry/sys/map.h>
#include <ferry/sys/ops.h>

#include "core/chain/plan.h"

/* ---- one type ------------------------------------------------------------ */

static const char *shown_path(const struct ferry__input *in, char out[256])
{
	return ferry_escape(out, 256, in->path, strlen(in->path));
}

/* An input of no clear type may yet be of the first one's. */
static int look_again(struct ferry_plan *p, struct ferry__input *in,
		      struct ferry_error *err)
{
	struct ferry_recognised what;
	int rc = ferry_recognise(p->s, in->doc, in->path,
				 p->what.type->name, &what, err);

	if (!rc && what.score > 0)
		in->what = what;
	return rc;
}

static int check_type(struct ferry_plan *p, struct ferry__input *in,
		      struct ferry_error *err)
{
	const char *type = p->what.type->name;
	char path[256];
	int rc = in->what.type ? 0 : look_again(p, in, err);

	if (rc || (in->what.type == p->what.type && in->what.score > 0))
		return rc;
	shown_path(in, path);
	if (p->job.from || !in->what.type)
		return ferry_fail(err, FERRY_UNSUPPORTED, "plan",
				  FERRY_NO_OFFSET, "input %s does not look "
				  "like a '%s', as the others are: a mean is of "
				  "one type", path, type);
	return ferry_fail(err, FERRY_UNSUPPORTED, "plan", FERRY_NO_OFFSET,
			  "input %s is of type '%s', and the first is of type "
			  "'%s': a mean is of one type; --from=TYPE reads all "
			  "as one", path, in->what.type->name, type);
}

static int check_types(struct ferry_plan *p, struct ferry_error *err)
{
	int rc = ferry__need_type(p, err);

	if (rc)
		return rc;
	if (!p->what.type)
		return ferry_fail(err, FERRY_UNSUPPORTED, "plan",
				  FERRY_NO_OFFSET, "no artifact type here "
				  "recognises the first input, so its weights "
				  "are not known; --from says what it is");
	for (size_t i = 0; i < p->job.n_inputs && !rc; i++) {
		rc = check_type(p, &p->inputs[i], err);
		p->inputs[i].used = true;
	}
	return rc;
}

/* ---- the type's own rule ------------------------------------------------- */

static int call_average(struct ferry_plan *p, struct ferry_document *const *docs,
			struct ferry_document *out, struct ferry_error *err)
{
	const struct ferry_artifact_type *t = p->what.type->type;
	struct ferry_options options = {
		.specs = t->average_options, .settings = p->job.settings,
		.n = p->job.n_settings,
	};
	struct ferry_findings *found;
	int rc = ferry_findings_new(&found, err);

	if (rc)
		return rc;
	rc = ferry__callback_result(t->average(docs, p->job.n_inputs, &options,
					       out, found, err),
				    "average", t->name, err);
	if (!rc && !out->root)
		rc = ferry_fail(err, FERRY_PLUGIN, "plugin", FERRY_NO_OFFSET,
				"average of '%s' (plugin %s) gave no document; "
				"this is a bug of the plugin", t->name,
				p->what.type->plugin);
	if (!rc)
		rc = ferry_document_check(out, err);
	if (!rc)
		rc = ferry__take_losses(p, found, false, err);
	ferry_findings_free(found);
	return rc;
}

static int average_by_type(struct ferry_plan *p, struct ferry_error *err)
{
	struct ferry_document **docs, *out;
	int rc;

	docs = ferry_store_array(p->store, p->job.n_inputs, sizeof(*docs));
	if (!docs)
		return ferry_fail_nomem(err, "a plan");
	for (size_t i = 0; i < p->job.n_inputs; i++)
		docs[i] = p->inputs[i].doc;
	rc = ferry_document_new(&out, p->store, err);
	if (rc)
		return rc;
	rc = ferry__keep_made(p, out, err);
	if (rc) {
		ferry_document_free(out);
		return rc;
	}
	rc = call_average(p, docs, out, err);
	if (rc)
		return rc;
	if (!out->hints)
		out->hints = p->doc->hints;
	p->doc = out;
	return ferry__add_step(p, "average", p->what.type->name, err,
			       "mean of %zu input%s, as the type has it",
			       p->job.n_inputs,
			       p->job.n_inputs == 1 ? "" : "s");
}

/* ---- the mean of the weights --------------------------------------------- */

struct averaging {
	struct ferry_plan *p;
	size_t n;			/* inputs */
	struct ferry_places names;	/* of the first's weights */
	struct ferry_map at;		/* name -> its index */
	struct ferry_value **tensors;	/* [names.n][n] */
	struct ferry_store *scratch;
	struct ferry_map means;		/* the same views of all -> mean */
	struct ferry_map done;		/* id of a tensor -> its mean */
	uint64_t averaged;
	struct ferry_value *fixed;	/* LIST: what has no mean */
	size_t *fixed_at;		/* index of each name */
	struct ferry_error *err;
};

static struct ferry_value **row(const struct averaging *a, size_t i)
{
	return a->tensors + i * a->n;
}

static int find_weights(struct averaging *a, size_t k,
			struct ferry_document *out)
{
	const struct ferry__input *in = &a->p->inputs[k];
	struct ferry_value *weights = NULL;
	char path[256];
	int rc = ferry_weights(a->p->s, in->doc, in->what.type, &weights,
			       a->err);

	if (rc)
		return rc;
	*out = *in->doc;
	out->root = weights;
	if (weights)
		return 0;
	return ferry_fail(a->err, FERRY_UNSUPPORTED, "plan", FERRY_NO_OFFSET,
			  "input %s, of type '%s', has no weights to take the "
			  "mean of", shown_path(in, path),
			  in->what.type->name);
}

static int take_first(struct averaging *a)
{
	struct ferry_document doc;
	int rc = find_weights(a, 0, &doc);

	if (!rc)
		rc = ferry_places_init(&a->names, &doc, a->err);
	if (rc)
		return rc;
	a->tensors = ferry_alloc_zero(a->names.n * a->n + 1,
				      sizeof(*a->tensors));
	a->fixed_at = ferry_alloc_zero(a->names.n + 1, sizeof(*a->fixed_at));
	if (!a->tensors || !a->fixed_at)
		return ferry_fail_nomem(a->err, "a mean");
	for (size_t i = 0; i < a->names.n; i++) {
		row(a, i)[0] = a->names.items[i].value;
		if (ferry_map_put(&a->at, a->names.items[i].name,
				  strlen(a->names.items[i].name), i))
			return ferry_fail_nomem(a->err, "a mean");
	}
	return 0;
}

static int fail_name(struct averaging *a, const char *name, size_t with,
		     size_t without)
{
	char shown[200], has[256], lacks[256];

	ferry_escape(shown, sizeof(shown), name, strlen(name));
	return ferry_fail(a->err, FERRY_MISUSE, "plan", FERRY_NO_OFFSET,
			  "weight '%s' is in %s but not in %s: a mean is of "
			  "weights with the same names", shown,
			  shown_path(&a->p->inputs[with], has),
			  shown_path(&a->p->inputs[without], lacks));
}

static int fill_column(struct averaging *a, size_t k,
		       const struct ferry_places *places)
{
	const char *name;
	uint64_t i;

	for (size_t j = 0; j < places->n; j++) {
		name = places->items[j].name;
		if (!ferry_map_get(&a->at, name, strlen(name), &i))
			return fail_name(a, name, k, 0);
		row(a, i)[k] = places->items[j].value;
	}
	for (i = 0; i < a->names.n; i++)
		if (!row(a, i)[k])
			return fail_name(a, a->names.items[i].name, 0, k);
	return 0;
}

static int take_other(struct averaging *a, size_t k)
{
	struct ferry_document doc;
	struct ferry_places places;
	int rc = find_weights(a, k, &doc);

	if (!rc)
		rc = ferry_places_init(&places, &doc, a->err);
	if (rc)
		return rc;
	rc = fill_column(a, k, &places);
	ferry_places_release(&places);
	return rc;
}

static bool same_shape(const struct ferry_tensor *a,
		       const struct ferry_tensor *b)
{
	return a->ndim == b->ndim &&
	       (!a->ndim || !memcmp(a->shape, b->shape,
				    a->ndim * sizeof(*a->shape)));
}

static void describe(const struct ferry_value *v, struct ferry_buffer *out)
{
	const struct ferry_tensor *t = v->u.tensor;

	if (v->kind != FERRY_TENSOR) {
		ferry_buffer_add_str(out, ferry_kind_name(v->kind));
		return;
	}
	ferry_buffer_printf(out, "%s [", ferry_dtype_name(t->dtype));
	for (unsigned d = 0; d < t->ndim && out->n < 200; d++)
		ferry_buffer_printf(out, "%s%" PRIu64, d ? ", " : "",
				    t->shape[d]);
	ferry_buffer_add_str(out, "]");
}

static int fail_unlike(struct averaging *a, size_t i, size_t k)
{
	struct ferry_buffer first = FERRY_BUFFER_INIT;
	struct ferry_buffer other = FERRY_BUFFER_INIT;
	const char *name = a->names.items[i].name;
	char shown[160], path[2][256];

	describe(row(a, i)[0], &first);
	describe(row(a, i)[k], &other);
	ferry_escape(shown, sizeof(shown), name, strlen(name));
	ferry_fail(a->err, FERRY_MISUSE, "plan", FERRY_NO_OFFSET,
		   "weight '%s' is %s in %s but %s in %s: a mean is of weights "
		   "of one dtype and shape", shown,
		   first.data ? first.data : "", shown_path(&a->p->inputs[0],
							    path[0]),
		   other.data ? other.data : "", shown_path(&a->p->inputs[k],
							    path[1]));
	ferry_buffer_release(&first);
	ferry_buffer_release(&other);
	return FERRY_MISUSE;
}

static int check_row(struct averaging *a, size_t i)
{
	const struct ferry_value *first = row(a, i)[0], *v;

	for (size_t k = 1; k < a->n; k++) {
		v = row(a, i)[k];
		if (v->kind != first->kind ||
		    (v->kind == FERRY_TENSOR &&
		     (v->u.tensor->dtype != first->u.tensor->dtype ||
		      !same_shape(v->u.tensor, first->u.tensor))))
			return fail_unlike(a, i, k);
	}
	return 0;
}

/* What makes two names the same bytes seen the same way in every input. */
static void *views_key(struct averaging *a, size_t i, size_t *n)
{
	const struct ferry_tensor *first = row(a, i)[0]->u.tensor, *t;
	size_t head = (2 + (size_t)first->ndim) * sizeof(uint64_t);
	size_t each = (3 + (size_t)first->ndim) * sizeof(uint64_t);
	uint64_t *key;

	*n = head + a->n * each;
	key = ferry_store_alloc(a->scratch, *n);
	if (!key)
		return NULL;
	key[0] = first->dtype;
	key[1] = first->ndim;
	if (first->ndim)
		memcpy(key + 2, first->shape, first->ndim * sizeof(*key));
	for (size_t k = 0; k < a->n; k++) {
		uint64_t *part = key + (head + k * each) / sizeof(*key);

		t = row(a, i)[k]->u.tensor;
		part[0] = t->storage ? t->storage->id : 0;
		part[1] = t->storage ? t->offset : row(a, i)[k]->id;
		part[2] = t->flags & (FERRY_CONJ | FERRY_NEG);
		if (t->ndim)
			memcpy(part + 3, t->strides, t->ndim * sizeof(*part));
	}
	return key;
}

static int fail_tied(struct averaging *a, size_t i)
{
	const struct ferry_place *place = &a->names.items[i];
	const char *other = a->names.items[place->same].name;
	char shown[160], first[160], path[256];

	ferry_escape(shown, sizeof(shown), place->name, strlen(place->name));
	ferry_escape(first, sizeof(first), other, strlen(other));
	return ferry_fail(a->err, FERRY_UNSUPPORTED, "plan", FERRY_NO_OFFSET,
			  "weights '%s' and '%s' are one tensor in %s but not "
			  "in all inputs: put another input first", first,
			  shown, shown_path(&a->p->inputs[0], path));
}

/* Names that are tied in every input stay tied. */
static int find_mean(struct averaging *a, size_t i, struct ferry_value **out)
{
	struct ferry_error why = FERRY_ERROR_INIT;
	const char *name = a->names.items[i].name;
	char shown[160];
	uint64_t found;
	size_t n;
	void *key = views_key(a, i, &n);
	int rc;

	if (!key)
		return ferry_fail_nomem(a->err, "a mean");
	if (ferry_map_get(&a->means, key, n, &found)) {
		*out = (struct ferry_value *)(uintptr_t)found;
		return 0;
	}
	rc = ferry_op_mean(a->p->store, row(a, i), a->n, 0, out, &why);
	ferry_escape(shown, sizeof(shown), name, strlen(name));
	if (rc)
		return ferry_fail(a->err, rc, why.origin, why.offset,
				  "weight '%s': %s", shown, why.text);
	a->averaged++;
	return ferry_map_put(&a->means, key, n, (uintptr_t)*out) ?
	       ferry_fail_nomem(a->err, "a mean") : 0;
}

/* The means take the places of the first's tensors where all are made, for
 * each is made of them. */
static int average_row(struct averaging *a, size_t i)
{
	struct ferry_value *first = row(a, i)[0], *mean;
	uint64_t found;
	int rc = find_mean(a, i, &mean);

	if (rc)
		return rc;
	if (ferry_map_get(&a->done, &first->id, sizeof(first->id), &found))
		return found == (uintptr_t)mean ? 0 : fail_tied(a, i);
	return ferry_map_put(&a->done, &first->id, sizeof(first->id),
			     (uintptr_t)mean) ?
	       ferry_fail_nomem(a->err, "a mean") : 0;
}

static void put_means(struct averaging *a)
{
	struct ferry_tensor *t, *mean;
	uint64_t found;

	for (size_t i = 0; i < a->names.n; i++) {
		struct ferry_value *v = row(a, i)[0];

		if (!ferry_map_get(&a->done, &v->id, sizeof(v->id), &found))
			continue;
		t = v->u.tensor;
		mean = ((struct ferry_value *)(uintptr_t)found)->u.tensor;
		mean->extra = t->extra;
		mean->flags |= t->flags & FERRY_REQUIRES_GRAD;
		v->u.tensor = mean;
	}
}

static bool has_mean(const struct ferry_value *v)
{
	enum ferry_dtype d;

	if (v->kind != FERRY_TENSOR)
		return false;
	d = v->u.tensor->dtype;
	return ferry_dtype_is_complex(d) ||
	       (ferry_dtype_is_float(d) && ferry_dtype_size(d));
}

static int average_all(struct averaging *a)
{
	int rc = 0;

	a->fixed = ferry_sequence(a->p->store, FERRY_LIST, 0);
	if (!a->fixed)
		return ferry_fail_nomem(a->err, "a mean");
	for (size_t i = 0; i < a->names.n && !rc; i++) {
		rc = check_row(a, i);
		if (rc)
			break;
		if (has_mean(row(a, i)[0])) {
			rc = average_row(a, i);
			continue;
		}
		a->fixed_at[a->fixed->u.list.n] = i;
		if (ferry_list_add(a->p->store, a->fixed, row(a, i)[0]))
			rc = ferry_fail_nomem(a->err, "a mean");
	}
	return rc;
}

/* ---- what has no mean must be equal -------------------------------------- */

struct difference {
	size_t inputs, input, name;	/* how many differ; the first */
};

/* Index in a->fixed of the first that differs; 1: all are equal. */
static int compare_fixed(struct averaging *a, size_t k, size_t *first)
{
	struct ferry_compare how = { .data = true, .most = 1 };
	struct ferry_document mine = *a->p->inputs[0].doc;
	struct ferry_document theirs = *a->p->inputs[k].doc;
	struct ferry_findings *found;
	const struct ferry_finding *f;
	uint32_t n = a->fixed->u.list.n;
	int rc;

	mine.root = a->fixed;
	theirs.root = ferry_sequence(a->p->store, FERRY_LIST, n);
	for (uint32_t i = 0; theirs.root && i < n; i++)
		if (ferry_list_add(a->p->store, theirs.root,
				   row(a, a->fixed_at[i])[k]))
			theirs.root = NULL;
	if (!theirs.root)
		return ferry_fail_nomem(a->err, "a mean");
	rc = ferry_findings_new(&found, a->err);
	if (rc)
		return rc;
	rc = ferry_document_compare(&mine, &theirs, &how, found, a->err);
	f = ferry_findings_get(found, 0);
	*first = 0;
	for (const char *c = f ? f->path : ""; *c >= '0' && *c <= '9'; c++)
		*first = 10 * *first + (size_t)(*c - '0');
	if (*first >= n)
		*first = 0;
	ferry_findings_free(found);
	return rc;
}

static int tell_difference(struct averaging *a, const struct difference *d)
{
	const char *name = a->names.items[d->name].name;
	struct ferry_findings *found;
	char path[256], first[256];
	int rc = ferry_findings_new(&found, a->err);

	if (rc)
		return rc;
	rc = ferry_findings_add(found, FERRY_WARNING, "integers", name,
				FERRY_NO_OFFSET, "what is no floating dtype has "
				"no mean and differs in %zu of %zu inputs "
				"(first in %s): that of %s is kept", d->inputs,
				a->n, shown_path(&a->p->inputs[d->input], path),
				shown_path(&a->p->inputs[0], first)) ?
	     ferry_fail_nomem(a->err, "findings") :
	     ferry__take_losses(a->p, found, false, a->err);
	ferry_findings_free(found);
	return rc;
}

static int check_fixed(struct averaging *a)
{
	struct difference d = { .inputs = 0 };
	size_t first = 0;
	int rc;

	for (size_t k = 1; a->fixed->u.list.n && k < a->n; k++) {
		rc = compare_fixed(a, k, &first);
		if (rc < 0)
			return rc;
		if (rc)
			continue;
		if (!d.inputs++) {
			d.input = k;
			d.name = a->fixed_at[first];
		}
	}
	return d.inputs ? tell_difference(a, &d) : 0;
}

/* ---- all of it ----------------------------------------------------------- */

static int tell(struct averaging *a)
{
	char path[256];
	struct ferry_plan *p = a->p;
	int rc = ferry__add_step(p, "average", p->what.type->name, a->err,
				 "mean of %zu input%s: %" PRIu64 " tensor%s",
				 a->n, a->n == 1 ? "" : "s", a->averaged,
				 a->averaged == 1 ? "" : "s");

	if (rc || a->n == 1)
		return rc;
	return ferry_findings_add(p->findings, FERRY_NOTE, "average", "",
				  FERRY_NO_OFFSET, "all but the weights is that "
				  "of %s", shown_path(&p->inputs[0], path)) ?
	       ferry_fail_nomem(a->err, "findings") : 0;
}

static int average_weights(struct ferry_plan *p, struct ferry_error *err)
{
	struct averaging a = { .p = p, .n = p->job.n_inputs, .err = err };
	int rc = ferry_store_new(&a.scratch, err);

	if (rc)
		return rc;
	rc = take_first(&a);
	for (size_t k = 1; k < a.n && !rc; k++)
		rc = take_other(&a, k);
	if (!rc)
		rc = average_all(&a);
	if (!rc)
		rc = check_fixed(&a);
	if (!rc) {
		put_means(&a);
		rc = tell(&a);
	}
	ferry_map_release(&a.at);
	ferry_map_release(&a.means);
	ferry_map_release(&a.done);
	ferry_places_release(&a.names);
	ferry_alloc_free(a.tensors);
	ferry_alloc_free(a.fixed_at);
	ferry_store_unref(a.scratch);
	return rc;
}

int ferry__average(struct ferry_plan *p, struct ferry_error *err)
{
	int rc;

	if (!p->job.average)
		return 0;
	rc = check_types(p, err);
	if (rc)
		return rc;
	if (!p->what.type->type->average)
		return average_weights(p, err);
	p->average_options = p->what.type->type->average_options;
	return average_by_type(p, err);
}
