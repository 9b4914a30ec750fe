/* What an item is, which rule takes it, and what its plan says. */
#include "config.h"

#include "core/batch/batch.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <ferry/sys/buffer.h>

#include "core/batch/record.h"
#include "core/registry/registry.h"

const char *ferry__keep(struct ferry_migration *m, const char *text)
{
	return text ? ferry_store_strndup(m->store, text, strlen(text)) : NULL;
}

/* What follows the name in the text, where that has room for `cap` bytes of it;
 * NULL: it begins otherwise. */
static const char *after_name(const char *text, const char *source, size_t cap)
{
	char name[512];
	size_t n = strlen(ferry_escape(name, cap, source, strlen(source)));

	if (strncmp(text, name, n) || (text[n] != ':' && text[n] != ' '))
		return NULL;
	return text + n + 1 + (text[n] == ':' && text[n + 1] == ' ');
}

const char *ferry__beside_name(const char *text, const char *source)
{
	static const size_t caps[] = { 512, 256, 160 };
	const char *rest = NULL;

	for (size_t i = 0; i < sizeof(caps) / sizeof(caps[0]) && !rest; i++)
		rest = after_name(text, source, caps[i]);
	return rest ? rest : text;
}

void ferry__entry_fail(struct ferry_migration *m, struct ferry__entry *e,
		       const struct ferry_error *why)
{
	const char *said = ferry__beside_name(why->text, e->item.source);
	char text[sizeof(why->text) + 40];

	snprintf(text, sizeof(text), "%s", said);
	if (why->offset != FERRY_NO_OFFSET)
		snprintf(text, sizeof(text), "%s (at byte %" PRIu64 ")",
			 said, why->offset);
	e->item.state = FERRY_ITEM_FAILED;
	e->item.code = why->code;
	e->item.reason = ferry__keep(m, text);
	e->action = FERRY__FAIL;
	e->matched = true;
}

void ferry__entry_skip(struct ferry_migration *m, struct ferry__entry *e,
		       const char *reason)
{
	e->item.reason = ferry__keep(m, reason);
	e->action = m->o.copy_others ? FERRY__COPY : FERRY__SKIP;
	if (e->action == FERRY__SKIP)
		e->item.state = FERRY_ITEM_SKIPPED;
}

/* ---- matching ------------------------------------------------------------ */

static bool has_upgrade(const struct ferry_migration *m, const char *type)
{
	const struct ferry_known *row;
	const struct ferry_conversion *c;

	for (size_t i = 0; (row = ferry_session_get(m->s,
					FERRY_KNOWN_CONVERSIONS, i)); i++) {
		c = row->conversion;
		if (c->flags & FERRY_CONVERSION_UPGRADE &&
		    !strcmp(c->roles[0].type, type) &&
		    !strcmp(c->output, type))
			return true;
	}
	return false;
}

/* A configuration or a log: nothing that was asked for. */
static bool is_other(const struct ferry_migration *m,
		     const struct ferry__entry *e)
{
	const struct ferry_job *job = &e->rule->job;

	if (e->tensors || e->action != FERRY__CONVERT)
		return false;
	return !e->item.type ||
	       (!job->to && !(job->upgrade && has_upgrade(m, e->item.type)));
}

static int plan_output(struct ferry_migration *m, struct ferry__entry *e,
		       struct ferry_plan **out, struct ferry_error *err)
{
	struct ferry_buffer path = FERRY_BUFFER_INIT;
	int rc;

	ferry_buffer_printf(&path, "%s%s", e->item.output,
			    ferry__makes_directory(m, e) ? "/" : "");
	rc = path.failed ? ferry_fail_nomem(err, "a file name") :
	     ferry__plan_entry(m, e, path.data, out, err);
	ferry_buffer_release(&path);
	return rc;
}

/* What holds no tensors, and that nothing leads to what is wanted from. */
static void pass_over(struct ferry_migration *m, struct ferry__entry *e)
{
	struct ferry_error why = FERRY_ERROR_INIT;
	struct ferry_plan *p = NULL;

	if (plan_output(m, e, &p, &why) == FERRY_NOTFOUND) {
		ferry__entry_skip(m, e, why.text);
		e->item.output = NULL;
	}
	ferry_plan_free(p);
}

static void settle_action(struct ferry_migration *m, struct ferry__entry *e)
{
	struct ferry_error why = FERRY_ERROR_INIT;

	e->matched = true;
	if (!e->rule) {
		ferry__entry_skip(m, e, "no rule of the recipe takes it");
	} else {
		e->item.rule = e->rule->name;
		e->action = e->rule->action;
		if (is_other(m, e))
			ferry__entry_skip(m, e, "is no checkpoint");
	}
	if (e->rule && e->rule->action == FERRY__SKIP) {
		e->item.state = FERRY_ITEM_SKIPPED;
		e->item.reason = ferry__keep(m, "the recipe says so");
	}
	if (e->action != FERRY__SKIP && ferry__name_output(m, e, &why)) {
		ferry__entry_fail(m, e, &why);
		return;
	}
	if (e->action == FERRY__CONVERT && !e->tensors)
		pass_over(m, e);
	if (e->action == FERRY__COPY && !e->item.output &&
	    ferry__name_output(m, e, &why))
		ferry__entry_fail(m, e, &why);
}

/* What only looked like text of a format is no checkpoint, unless its name says
 * that it should be one. */
static void settle_broken(struct ferry_migration *m, struct ferry__entry *e,
			  const struct ferry_error *why)
{
	struct ferry_error more = FERRY_ERROR_INIT;

	if (e->tensors || why->code == FERRY_IO || why->code == FERRY_NOMEM ||
	    ferry__looks_like_one(m->s, ferry__base_name(e->item.source))) {
		ferry__entry_fail(m, e, why);
		return;
	}
	e->matched = true;
	ferry__entry_skip(m, e, ferry__beside_name(why->text, e->item.source));
	if (e->action == FERRY__COPY && ferry__name_output(m, e, &more))
		ferry__entry_fail(m, e, &more);
}

static void match(struct ferry_migration *m, struct ferry__entry *e)
{
	struct ferry_error why = FERRY_ERROR_INIT;
	struct ferry__traits t = {
		.path = e->path, .type = e->item.type,
		.format = e->item.format, .version = e->item.version,
		.nbytes = e->item.nbytes,
	};

	if (ferry__recipe_match(&m->recipe, &t, &e->rule, &why))
		ferry__entry_fail(m, e, &why);
	else
		settle_action(m, e);
}

static bool template_asks(const struct ferry_migration *m,
			  const struct ferry__entry *e)
{
	const char *t = e->rule && e->rule->output ? e->rule->output :
			m->template;

	return t && (strstr(t, "{type}") || strstr(t, "{version}"));
}

bool ferry__match_early(struct ferry_migration *m, struct ferry__entry *e)
{
	if (e->matched && (e->action != FERRY__COPY || e->item.output))
		return true;
	if (e->matched) {
		settle_action(m, e);
		return true;
	}
	if (m->recipe.by_type || !e->tensors || e->shards || e->directory)
		return false;
	match(m, e);
	if (!template_asks(m, e))
		return true;
	e->matched = false;
	e->item.output = NULL;
	return false;
}

/* ---- reading ------------------------------------------------------------- */

static void take_version(struct ferry_migration *m, struct ferry__entry *e,
			 struct ferry_value *about)
{
	const struct ferry_value *v = about ? ferry_dict_get(about, "version") :
				      NULL;
	char text[64];

	if (!v)
		return;
	if (v->kind == FERRY_INT && !(v->flags & FERRY_BIG))
		snprintf(text, sizeof(text), "%" PRId64, v->u.i);
	else if (v->kind == FERRY_STRING)
		ferry_escape(text, sizeof(text), v->u.s.data,
			     (size_t)v->u.s.nbytes);
	else
		return;
	e->item.version = ferry__keep(m, text);
}

static void recognise(struct ferry_migration *m, struct ferry__entry *e,
		      struct ferry_document *doc)
{
	struct ferry_recognised what;
	struct ferry_value *about;

	if (ferry_recognise(m->s, doc, e->item.source, NULL, &what, NULL) ||
	    !what.type)
		return;
	e->item.type = what.type->name;
	if (!ferry_describe(m->s, doc, what.type, &about, NULL))
		take_version(m, e, about);
}

/* Files beside or in it that its reader opened; its size is theirs. */
static void tell_members(struct ferry__entry *e,
			 const struct ferry_buffer *paths, json_t *members)
{
	const char *at = paths->data;
	uint64_t nbytes = 0;
	struct stat st;

	for (; paths->n && at < paths->data + paths->n; at += strlen(at) + 1) {
		if (!stat(at, &st) && S_ISREG(st.st_mode))
			nbytes += (uint64_t)st.st_size;
		if (strcmp(at, e->item.source))
			json_array_append_new(members,
					      ferry__record_name(at));
	}
	if (json_array_size(members))
		e->item.nbytes = nbytes;
}

static int read_entry(struct ferry_migration *m, struct ferry__entry *e,
		      json_t *members, struct ferry_error *err)
{
	struct ferry_buffer paths = FERRY_BUFFER_INIT;
	struct ferry__reading how = { .paths = &paths };
	struct ferry_document *doc;
	int rc = ferry__read_document(m->s, e->item.source, &how, &doc, err);

	if (!rc) {
		tell_members(e, &paths, members);
		recognise(m, e, doc);
		ferry_document_free(doc);
	}
	ferry_buffer_release(&paths);
	return rc;
}

/* ---- planning ------------------------------------------------------------ */

static const struct ferry_format *format_of(const struct ferry_migration *m,
					    const char *name)
{
	const struct ferry_known *row = !name ? NULL :
		ferry_session_find(m->s, FERRY_KNOWN_FORMATS, name);

	return row ? row->format : NULL;
}

static bool has_suffix(const struct ferry_format *f, const char *name)
{
	size_t n = strlen(name), k;

	for (const char *const *end = f->suffixes; end && *end; end++) {
		k = strlen(*end);
		if (n >= k && !strcmp(name + n - k, *end))
			return true;
	}
	return false;
}

/* A format that is written under one of the endings that f is read by. */
static const char *heir_of(const struct ferry_migration *m,
			   const struct ferry_format *f)
{
	const struct ferry_known *row;

	for (const char *const *end = f->suffixes; end && *end; end++)
		for (size_t i = 0; (row = ferry_session_get(m->s,
						FERRY_KNOWN_FORMATS, i)); i++)
			if (row->format->write && has_suffix(row->format, *end))
				return row->name;
	return NULL;
}

/* A name that says nothing, or several things, stays in its format. */
static const char *writer_for(const struct ferry_migration *m,
			      const struct ferry__entry *e, const char *output)
{
	const struct ferry_format *f = format_of(m, e->item.format);
	const struct ferry_known *row;

	if (!f || !output || !(f->flags & FERRY_FORMAT_TENSORS))
		return NULL;
	if (f->write && has_suffix(f, output))
		return f->name;
	for (size_t i = 0; (row = ferry_session_get(m->s, FERRY_KNOWN_FORMATS,
						    i)); i++)
		if (row->format->write && has_suffix(row->format, output))
			return NULL;
	return f->write ? f->name : heir_of(m, f);
}

void ferry__job_of(const struct ferry_migration *m,
		   const struct ferry__entry *e, const char *const *input,
		   const char *output, struct ferry_job *out)
{
	*out = e->rule->job;
	out->inputs = input;
	out->n_inputs = 1;
	out->output = output;
	out->overwrite = true;
	out->verify = m->o.verify;
	if (!out->to_format)
		out->to_format = writer_for(m, e, output);
}

bool ferry__makes_directory(const struct ferry_migration *m,
			    const struct ferry__entry *e)
{
	const struct ferry_format *f;
	struct ferry_job job;

	if (e->action != FERRY__CONVERT)
		return false;
	ferry__job_of(m, e, &e->item.source, e->item.output, &job);
	f = format_of(m, job.to_format);
	return f && f->flags & FERRY_FORMAT_DIRECTORY;
}

/* Its type is known, and has an upgrade or is simply written anew. */
static bool is_typeless(struct ferry_migration *m, const struct ferry__entry *e)
{
	struct ferry_recognised what = { .type = NULL };
	struct ferry_document *doc;

	if (ferry_open(m->s, e->item.source, NULL, &doc, NULL))
		return false;
	if (ferry_recognise(m->s, doc, e->item.source, NULL, &what, NULL))
		what.type = NULL;
	ferry_document_free(doc);
	return !what.type;
}

int ferry__plan_entry(struct ferry_migration *m, const struct ferry__entry *e,
		      const char *output, struct ferry_plan **out,
		      struct ferry_error *err)
{
	struct ferry_error why = FERRY_ERROR_INIT;
	struct ferry_job job;
	int rc;

	ferry__job_of(m, e, &e->item.source, output, &job);
	rc = ferry__with_of(m->store, e, &job.with, err);
	if (rc)
		return rc;
	rc = ferry_plan_new(out, m->s, &job, &why);
	if ((rc == FERRY_NOTFOUND || rc == FERRY_AMBIGUOUS) && job.upgrade &&
	    !job.to && is_typeless(m, e)) {
		ferry_error_clear(&why);
		job.upgrade = false;
		rc = ferry_plan_new(out, m->s, &job, &why);
	}
	return rc ? ferry_fail(err, rc, why.origin, why.offset, "%s",
			       why.text) : 0;
}

static bool is_allowed(const struct ferry_job *job, const char *kind)
{
	for (size_t i = 0; i < job->n_allow_loss; i++)
		if (!strcmp(job->allow_loss[i], kind))
			return true;
	return job->allow_all_losses;
}

static bool has_word(const char *list, const char *word)
{
	size_t n = strlen(word);

	for (; list && (list = strstr(list, word)); list += n)
		if (!list[n] || list[n] == ',')
			return true;
	return false;
}

void ferry__tell_losses(const struct ferry_migration *m,
			struct ferry__entry *e, const struct ferry_plan *p,
			struct ferry_buffer *refused)
{
	struct ferry_buffer kinds = FERRY_BUFFER_INIT;
	const struct ferry_finding *f;

	for (size_t i = 0; (f = ferry_findings_get(ferry_plan_findings(p),
						   i)); i++) {
		if (f->level != FERRY_WARNING)
			continue;
		if (!is_allowed(&e->rule->job, f->code) && refused->n < 400)
			ferry_buffer_printf(refused, "%s%s: %.300s",
					    refused->n ? "; " : "", f->code,
					    f->text);
		if (kinds.n < 400 && !has_word(kinds.data, f->code))
			ferry_buffer_printf(&kinds, "%s%s", kinds.n ? "," : "",
					    f->code);
	}
	if (kinds.n)
		e->item.losses = ferry_store_strndup(m->store, kinds.data,
						     kinds.n);
	ferry_buffer_release(&kinds);
}

static void tell_steps(struct ferry_migration *m, struct ferry__entry *e,
		       const struct ferry_plan *p)
{
	struct ferry_buffer text = FERRY_BUFFER_INIT;
	const struct ferry_step *step;

	for (size_t i = 0; (step = ferry_plan_step(p, i)); i++)
		if (strcmp(step->what, "check"))
			ferry_buffer_printf(&text, "%s%s %s", i ? ", " : "",
					    step->what, step->name);
	e->item.plan = ferry__keep(m, text.data);
	ferry_buffer_release(&text);
}

static void plan(struct ferry_migration *m, struct ferry__entry *e)
{
	struct ferry_error why = FERRY_ERROR_INIT;
	struct ferry_buffer refused = FERRY_BUFFER_INIT;
	struct ferry_plan *p;
	int rc = plan_output(m, e, &p, &why);

	e->planned = true;
	if (rc) {
		ferry__entry_fail(m, e, &why);
		return;
	}
	tell_steps(m, e, p);
	ferry__tell_losses(m, e, p, &refused);
	e->item.to_format = ferry__keep(m, ferry_plan_output_format(p));
	e->item.to_type = ferry__keep(m, ferry_plan_output_type(p));
	e->item.bytes_out = ferry_plan_bytes_out(p);
	e->item.state = FERRY_ITEM_PLANNED;
	if (ferry_plan_refused(p)) {
		ferry_fail(&why, FERRY_LOSSY, "plan", FERRY_NO_OFFSET,
			   "would lose %s; --allow-loss or the recipe's "
			   "allow-loss allows it", refused.data ?
			   refused.data : "something");
		ferry__entry_fail(m, e, &why);
	}
	ferry_buffer_release(&refused);
	ferry_plan_free(p);
}

void ferry__survey_entry(struct ferry_migration *m, struct ferry__entry *e,
			 bool full, json_t *members)
{
	struct ferry_error why = FERRY_ERROR_INIT;

	if (!e->matched || (full && e->action == FERRY__CONVERT &&
			    !e->item.type)) {
		if (read_entry(m, e, members, &why))
			settle_broken(m, e, &why);
		else if (!e->matched)
			match(m, e);
	}
	if (full && e->action == FERRY__CONVERT && e->item.output)
		plan(m, e);
	if (full && e->action == FERRY__COPY)
		e->item.bytes_out = e->item.nbytes;
	if (full && e->action == FERRY__COPY)
		e->item.state = FERRY_ITEM_PLANNED;
}
