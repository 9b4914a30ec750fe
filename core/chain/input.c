/* The inputs of a plan: read into one store, recognised, narrowed. */
#include "config.h"

#include <inttypes.h>
#include <string.h>

#include "core/chain/plan.h"

static int describe_read(struct ferry_plan *p, const struct ferry__input *in,
			 struct ferry_error *err)
{
	struct ferry__amount amount;
	char path[256], size[32];
	int rc = ferry__measure(in->doc, &amount, err);

	if (rc)
		return rc;
	p->tensors_in += amount.tensors;
	ferry_escape(path, sizeof(path), in->path, strlen(in->path));
	return ferry__add_step(p, "read", in->format->name, err,
			       "%s: %s, %" PRIu64 " tensor%s, %s", path,
			       in->format->title, amount.tensors,
			       amount.tensors == 1 ? "" : "s",
			       ferry_bytes_text(amount.storage_nbytes, size));
}

/* What the reader could not have of a file is lost to the output. */
static bool is_missing(const struct ferry_finding *f)
{
	static const char *const codes[] = {
		"sidecar", "stale-document", "records", "program", "calls",
		"files",
	};

	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if (f->level == FERRY_WARNING && !strcmp(f->code, codes[i]))
			return true;
	return false;
}

/* Who wants a part of the tensors, or another type, wants no program, nothing
 * run and no other files. */
static bool is_asked_for(const struct ferry_plan *p,
			 const struct ferry_finding *f)
{
	return (!strcmp(f->code, "program") || !strcmp(f->code, "calls") ||
		!strcmp(f->code, "files")) &&
	       (p->job.weights || p->job.n_select || p->job.to);
}

static bool is_violation(const struct ferry_finding *f)
{
	return f->level == FERRY_VIOLATION;
}

static int take_findings(struct ferry_plan *p,
			 const struct ferry_findings *from,
			 bool (*is_lost)(const struct ferry_finding *),
			 struct ferry_error *err)
{
	struct ferry_findings *lost, *rest = NULL;
	const struct ferry_finding *f;
	int rc = ferry_findings_new(&lost, err);

	if (rc)
		return rc;
	rc = ferry_findings_new(&rest, err);
	for (size_t i = 0; !rc && (f = ferry_findings_get(from, i)); i++)
		if (ferry_findings_add(is_lost(f) ? lost : rest,
				       is_asked_for(p, f) ? FERRY_NOTE :
							    f->level,
				       f->code, f->path, f->offset, "%s",
				       f->text))
			rc = ferry_fail_nomem(err, "findings");
	if (!rc)
		rc = ferry__take_losses(p, lost, false, err);
	if (!rc)
		rc = ferry__take_remarks(p, rest, err);
	ferry_findings_free(rest);
	ferry_findings_free(lost);
	return rc;
}

static int read_file(struct ferry_plan *p, struct ferry__input *in,
		     const char *format, struct ferry_error *err)
{
	struct ferry__reading how = {
		.settings = p->job.settings, .n_settings = p->job.n_settings,
		.store = p->store, .paths = &p->paths,
	};
	int rc;

	if (format) {
		how.format = ferry_session_find(p->s, FERRY_KNOWN_FORMATS,
						format);
		if (!how.format)
			return ferry__fail_unknown(p->s, FERRY_KNOWN_FORMATS,
						   "format", format, err);
	}
	rc = ferry__read_document(p->s, in->path, &how, &in->doc, err);
	if (rc)
		return rc;
	in->format = ferry_session_find(p->s, FERRY_KNOWN_FORMATS,
					in->doc->format);
	return 0;
}

static int describe_open(struct ferry_plan *p, const struct ferry__input *in,
			 struct ferry_error *err)
{
	char path[256], size[32];

	ferry_escape(path, sizeof(path), in->path, strlen(in->path));
	return ferry__add_step(p, "read", "file", err, "%s: a file of %s",
			       path, ferry_bytes_text(in->source->nbytes,
						       size));
}

int ferry__tell_input(struct ferry_plan *p, struct ferry__input *in,
		      struct ferry_error *err)
{
	int rc;

	in->used = true;
	if (in->told || (!in->doc && !in->source))
		return 0;
	in->told = true;
	if (!in->doc)
		return describe_open(p, in, err);
	rc = take_findings(p, in->doc->findings, is_missing, err);
	return rc ? rc : describe_read(p, in, err);
}

static int read_input(struct ferry_plan *p, struct ferry__input *in,
		      const char *format, struct ferry_error *err)
{
	bool used = in->used;
	int rc = read_file(p, in, format, err);

	if (!rc)
		rc = ferry__tell_input(p, in, err);
	in->used = used;
	return rc;
}

int ferry__fail_unlike(const char *type, struct ferry_error *err)
{
	return ferry_fail(err, FERRY_UNSUPPORTED, "plan", FERRY_NO_OFFSET,
			  "the content does not look like a '%s': leave out "
			  "--from to have it recognised", type);
}

static int admit(struct ferry_plan *p, const struct ferry__input *in,
		 struct ferry_error *err)
{
	const struct ferry_artifact_type *t = in->what.type ?
					      in->what.type->type : NULL;
	struct ferry_findings *found;
	int rc;

	if (!t || !t->admit || in->what.score <= 0)
		return 0;
	rc = ferry_findings_new(&found, err);
	if (rc)
		return rc;
	rc = ferry__callback_result(t->admit(in->doc, found, err), "admit",
				    t->name, err);
	if (!rc)
		rc = take_findings(p, found, is_violation, err);
	ferry_findings_free(found);
	return rc;
}

static int recognise_input(struct ferry_plan *p, struct ferry__input *in,
			   const char *type, struct ferry_error *err)
{
	struct ferry_error why = FERRY_ERROR_INIT;
	int rc = ferry_recognise(p->s, in->doc, in->path, type, &in->what,
				 &why);

	if (!rc && type && in == p->inputs && in->what.score <= 0)
		return ferry__fail_unlike(type, err);
	if (!rc || (rc == FERRY_AMBIGUOUS && !type)) {
		if (in == p->inputs)
			p->unclear = why;
		return admit(p, in, err);
	}
	return ferry_fail(err, rc, why.origin, why.offset, "%s", why.text);
}

/* A role that some conversion has. */
static bool role_exists(const struct ferry_plan *p, const char *name)
{
	const struct ferry_known *row;
	const struct ferry_role *role;

	for (size_t i = 0; (row = ferry_session_get(p->s,
						    FERRY_KNOWN_CONVERSIONS,
						    i)); i++)
		for (role = row->conversion->roles; role->name; role++)
			if (!strcmp(role->name, name))
				return true;
	return false;
}

static int take_with(struct ferry_plan *p, const char *text,
		     struct ferry__input *in, struct ferry_error *err)
{
	const char *equals = strchr(text, '=');
	char shown[160];

	if (equals && equals != text && equals[1]) {
		in->role = ferry_store_strndup(p->store, text,
					       (size_t)(equals - text));
		in->path = equals + 1;
		if (!in->role)
			return ferry_fail_nomem(err, "a plan");
		if (role_exists(p, in->role))
			return 0;
	}
	ferry_escape(shown, sizeof(shown), text, strlen(text));
	return ferry_fail(err, FERRY_MISUSE, "plan", FERRY_NO_OFFSET,
			  in->role ? "--with %s: no conversion has an input "
			  "of that role; ferry conversions lists them" :
			  "--with %s: ROLE=FILE is expected", shown);
}

int ferry__read_inputs(struct ferry_plan *p, struct ferry_error *err)
{
	const struct ferry_job *job = &p->job;
	const char *from = job->n_select && !job->average ? NULL : job->from;
	struct ferry__input *in;
	bool main;
	int rc = 0;

	if (!job->n_inputs)
		return ferry_fail(err, FERRY_MISUSE, "plan", FERRY_NO_OFFSET,
				  "there is no input");
	p->inputs = ferry_store_array(p->store, job->n_inputs + job->n_with,
				      sizeof(*p->inputs));
	if (!p->inputs)
		return ferry_fail_nomem(err, "a plan");
	memset(p->inputs, 0, (job->n_inputs + job->n_with) *
	       sizeof(*p->inputs));
	for (size_t i = 0; i < job->n_inputs && !rc; i++) {
		main = !i || job->average;
		in = &p->inputs[p->n_inputs++];
		in->path = job->inputs[i];
		rc = read_input(p, in, main ? job->from_format : NULL, err);
		if (!rc)
			rc = recognise_input(p, in, main ? from : NULL, err);
	}
	for (size_t i = 0; i < job->n_with && !rc; i++)
		rc = take_with(p, job->with[i], &p->inputs[p->n_inputs++], err);
	p->inputs[0].used = true;
	p->doc = p->inputs[0].doc;
	p->what = p->input_type = p->inputs[0].what;
	return rc;
}

int ferry__read_role(struct ferry_plan *p, struct ferry__input *in,
		     const char *type, struct ferry_error *err)
{
	char path[256];
	int rc;

	if (in->doc)
		return 0;
	rc = read_input(p, in, NULL, err);
	if (!rc)
		rc = recognise_input(p, in, type, err);
	if (rc || !type || in->what.score > 0)
		return rc;
	ferry_escape(path, sizeof(path), in->path, strlen(in->path));
	return ferry_fail(err, FERRY_MISUSE, "plan", FERRY_NO_OFFSET,
			  "%s is given as %s but is not of type '%s'", path,
			  in->role, type);
}

int ferry__read_named(struct ferry_plan *p, struct ferry__input *in,
		      const char *type, struct ferry_error *err)
{
	struct ferry_recognised what;
	char path[256];
	int rc = in->doc ? 0 : read_file(p, in, NULL, err);

	if (rc || !type)
		return rc;
	rc = ferry_recognise(p->s, in->doc, in->path, type, &what, err);
	if (rc || what.score > 0)
		return rc;
	ferry_escape(path, sizeof(path), in->path, strlen(in->path));
	return ferry_fail(err, FERRY_UNSUPPORTED, "plan", FERRY_NO_OFFSET,
			  "file %s, which the input names, is not of type "
			  "'%s': say where the right one lies with --map-path "
			  "FROM=TO", path, type);
}

int ferry__open_role(struct ferry_plan *p, struct ferry__input *in,
		     struct ferry_error *err)
{
	int rc;

	if (in->source)
		return 0;
	rc = ferry_source_open_file(&in->source, in->path, err);
	if (rc)
		return rc;
	ferry_buffer_add(&p->paths, in->path, strlen(in->path) + 1);
	return p->paths.failed ? ferry_fail_nomem(err, "a file name") : 0;
}

/* ---- select -------------------------------------------------------------- */

/* Keys of the deepest mapping that the path leads to. */
static void offer_near(struct ferry__nearest *near, struct ferry_value *root,
		       const char *path, char *parent, size_t cap)
{
	struct ferry_value *at = root, *items;
	const char *dot = path;
	char key[96];

	for (const char *next = path; (next = strchr(next, '.')); next++) {
		if ((size_t)(next - path) >= cap)
			break;
		memcpy(parent, path, (size_t)(next - path));
		parent[next - path] = '\0';
		items = ferry_value_at(root, parent);
		if (!items)
			continue;
		at = items;
		dot = next + 1;
	}
	ferry__nearest_init(near, dot);
	items = ferry_value_items(at);
	parent[0] = '\0';
	if (dot != path && (size_t)(dot - path) < cap) {
		memcpy(parent, path, (size_t)(dot - path) - 1);
		parent[dot - path - 1] = '\0';
	}
	for (uint32_t i = 0; items && i < items->u.dict.n; i++) {
		const struct ferry_value *k = items->u.dict.pairs[i].key;

		if (k->kind != FERRY_STRING || k->u.s.nbytes >= sizeof(key))
			continue;
		memcpy(key, k->u.s.data, k->u.s.nbytes);
		key[k->u.s.nbytes] = '\0';
		ferry__nearest_offer(near, key);
	}
}

static int not_found(struct ferry_plan *p, const char *path,
		     struct ferry_error *err)
{
	struct ferry__nearest near;
	char parent[128], within[160], hint[320], shown[160];

	offer_near(&near, p->doc->root, path, parent, sizeof(parent));
	ferry__nearest_text(&near, hint, sizeof(hint));
	ferry_escape(shown, sizeof(shown), path, strlen(path));
	ferry_escape(within, sizeof(within), parent, strlen(parent));
	return ferry_fail(err, FERRY_NOTFOUND, "plan", FERRY_NO_OFFSET,
			  "nothing stands at '%s'%s%s%s%s; ferry inspect shows "
			  "the paths", shown, *within && near.n ? " (below '" :
			  "", *within && near.n ? within : "",
			  *within && near.n ? "')" : "", hint);
}

static int select_many(struct ferry_plan *p, struct ferry_value **out,
		       struct ferry_error *err)
{
	struct ferry_value *dict = ferry_dict(p->store,
					      (uint32_t)p->job.n_select);
	struct ferry_value *found;

	for (size_t i = 0; dict && i < p->job.n_select; i++) {
		found = ferry_value_at(p->doc->root, p->job.select[i]);
		if (!found)
			return not_found(p, p->job.select[i], err);
		if (ferry_dict_set_str(p->store, dict, p->job.select[i],
				       found))
			return ferry_fail_nomem(err, "a selection");
	}
	*out = dict;
	return dict ? 0 : ferry_fail_nomem(err, "a selection");
}

int ferry__select(struct ferry_plan *p, struct ferry_error *err)
{
	struct ferry_buffer paths = FERRY_BUFFER_INIT;
	struct ferry_value *root = NULL;
	char shown[400];
	int rc;

	if (!p->job.n_select)
		return 0;
	if (p->job.n_select == 1) {
		root = ferry_value_at(p->doc->root, p->job.select[0]);
		rc = root ? 0 : not_found(p, p->job.select[0], err);
	} else {
		rc = select_many(p, &root, err);
	}
	if (rc)
		return rc;
	p->doc->root = root;
	p->doc->hints = NULL;
	for (size_t i = 0; i < p->job.n_select; i++)
		ferry_buffer_printf(&paths, "%s%s", i ? ", " : "",
				    p->job.select[i]);
	ferry_escape(shown, sizeof(shown), paths.data ? paths.data : "",
		     paths.n);
	rc = ferry__add_step(p, "select", p->job.n_select == 1 ? shown :
			     "several", err, "%s: of kind %s", shown,
			     ferry_kind_name(root->kind));
	ferry_buffer_release(&paths);
	return rc ? rc : ferry__plan_recognise(p, p->job.average ? NULL :
					       p->job.from, err);
}
