/* Proving a file, or a directory with all that is in it. */
#include "config.h"

#include "core/registry/opened.h"

#include <inttypes.h>
#include <string.h>

#include <ferry/sys/alloc.h>

#include "core/io/output.h"

/* The members of a directory, one after another. */
struct members {
	struct ferry__opened *o;
	struct ferry_work *work;
	struct ferry_findings *out;
	uint64_t unknown;		/* of no format known here */
};

static int add(struct members *m, enum ferry_level level, const char *code,
	       const char *name, const struct ferry_error *why,
	       struct ferry_error *err)
{
	if (why->code == FERRY_NOMEM || why->code == FERRY_CANCELLED)
		return ferry_fail(err, why->code, why->origin, why->offset,
				  "%s", why->text);
	return ferry_findings_add(m->out, level, code, name, why->offset, "%s",
				  why->text) ?
	       ferry_fail_nomem(err, "findings") : 0;
}

/* A file that no format takes is none of ours, unless it is a broken one. */
static int add_unknown(struct members *m, const char *name,
		       const struct ferry_error *why, struct ferry_error *err)
{
	if (why->code == FERRY_UNSUPPORTED || why->code == FERRY_AMBIGUOUS) {
		m->unknown++;
		return 0;
	}
	return add(m, FERRY_WARNING, "file", name, why, err);
}

static int prove_known(struct members *m, size_t i, const char *path,
		       const struct ferry_known *format,
		       struct ferry_error *err)
{
	const char *name = m->o->directory.names[i];
	bool violates = m->o->context.read[i] ||
			format->format->flags & FERRY_FORMAT_TENSORS;
	struct ferry_error why = FERRY_ERROR_INIT;
	struct ferry_document *doc = NULL;
	struct ferry_findings *found;
	struct ferry__reading how = {
		.format = format, .work = m->work,
		.depth = m->o->context.depth + 1,
	};
	int rc = ferry_findings_new(&found, err);

	if (rc)
		return rc;
	how.proof = found;
	rc = ferry__read_document(m->o->context.session, path, &how, &doc,
				  &why);
	/* What the directory's reader read, it has told the warnings of. */
	if (rc)
		rc = add(m, violates ? FERRY_VIOLATION : FERRY_WARNING, "file",
			 name, &why, err);
	else if (!m->o->context.read[i])
		rc = ferry__copy_findings(doc->findings, name, m->out, err);
	if (!rc)
		rc = ferry__copy_findings(found, name, m->out, err);
	ferry_document_free(doc);
	ferry_findings_free(found);
	return rc;
}

static int prove_member(struct members *m, size_t i, struct ferry_error *err)
{
	struct ferry_error why = FERRY_ERROR_INIT;
	const struct ferry_known *format;
	char *path = ferry__member_path(m->o, m->o->directory.names[i]);
	int rc;

	if (!path)
		return ferry_fail_nomem(err, "a file name");
	rc = ferry_identify(m->o->context.session, path, &format, &why);
	rc = rc ? add_unknown(m, m->o->directory.names[i], &why, err) :
	     prove_known(m, i, path, format, err);
	ferry_alloc_free(path);
	return rc;
}

static int prove_members(struct ferry__opened *o, struct ferry_work *work,
			 struct ferry_findings *out, struct ferry_error *err)
{
	struct members m = { .o = o, .work = work, .out = out };
	int rc = 0;

	for (size_t i = 0; i < o->directory.n && !rc; i++) {
		rc = ferry_work_check(work, err);
		if (!rc)
			rc = prove_member(&m, i, err);
	}
	if (!rc && m.unknown &&
	    ferry_findings_add(out, FERRY_NOTE, "unknown-files", "",
			       FERRY_NO_OFFSET, "%" PRIu64 " file%s of no "
			       "format known here not checked", m.unknown,
			       m.unknown == 1 ? " was" : "s were"))
		rc = ferry_fail_nomem(err, "findings");
	return rc;
}

int ferry__prove(struct ferry__opened *o, struct ferry_document *doc,
		 struct ferry_work *work, struct ferry_findings *out,
		 struct ferry_error *err)
{
	const struct ferry_format *f = o->format->format;
	int rc = 0;

	if (!o->source)
		rc = prove_members(o, work, out, err);
	if (rc || !f->verify)
		return rc;
	return ferry__callback_result(f->verify(&o->input, doc, work, out, err),
				      "verify", f->name, err);
}

/* Its rules, or what the options make of them where one is given. */
static int call_check(const struct ferry__opened *o,
		      const struct ferry_artifact_type *t,
		      struct ferry_document *doc, struct ferry_findings *out,
		      struct ferry_error *err)
{
	struct ferry_options options = {
		.specs = t->check_options, .settings = o->options.settings,
		.n = o->options.n,
	};
	bool asked = false;

	for (size_t i = 0; i < options.n; i++)
		asked |= ferry__option_known(options.specs,
					     options.settings[i]);
	if (asked)
		return ferry__callback_result(t->check_by(doc, &options, out,
							  err),
					      "check_by", t->name, err);
	return !t->check ? 0 :
	       ferry__callback_result(t->check(doc, out, err), "check",
				      t->name, err);
}

static int check_artifact(const struct ferry__opened *o,
			  struct ferry_document *doc, const char *type,
			  struct ferry_findings *out, struct ferry_error *err)
{
	struct ferry_error why = FERRY_ERROR_INIT;
	struct ferry_recognised what = { .type = NULL };
	const struct ferry_artifact_type *t;
	bool tied;
	int rc = ferry_recognise(o->context.session, doc, o->input.path, type,
				 &what, &why);

	tied = rc == FERRY_AMBIGUOUS && !type;
	if (rc && !tied)
		return ferry_fail(err, rc, why.origin, why.offset, "%s",
				  why.text);
	t = what.type ? what.type->type : NULL;
	rc = ferry__check_open_settings(o->format, t, o->options.settings,
					o->options.n, err);
	if (!rc && tied)
		return ferry_findings_add(out, FERRY_WARNING, "ambiguous", "",
					  FERRY_NO_OFFSET, "%s", why.text);
	if (rc || !t)
		return rc;
	if (type && what.score <= 0)
		return ferry_findings_add(out, FERRY_VIOLATION, "type", "",
					  FERRY_NO_OFFSET, "does not look like "
					  "a '%s'", t->name) ?
		       ferry_fail_nomem(err, "findings") : 0;
	if (t->admit)
		rc = ferry__callback_result(t->admit(doc, out, err), "admit",
					    t->name, err);
	return rc ? rc : call_check(o, t, doc, out, err);
}

int ferry_verify(struct ferry_session *s, const char *path,
		 const struct ferry_open_options *options, const char *type,
		 struct ferry_work *work, struct ferry_findings *out,
		 struct ferry_error *err)
{
	struct ferry_error why = FERRY_ERROR_INIT;
	struct ferry_work own = { 0 };
	struct ferry_document *doc;
	struct ferry__opened o;
	int rc = ferry__open_asked(s, path, options, &o, err);

	if (rc)
		return rc;
	rc = ferry__read_opened(&o, options ? options->store : NULL, &doc, err);
	if (rc) {
		ferry__close_opened(&o);
		return rc;
	}
	rc = ferry__copy_findings(doc->findings, NULL, out, &why);
	if (!rc)
		rc = ferry__prove(&o, doc, work ? work : &own, out, &why);
	if (!rc)
		rc = check_artifact(&o, doc, type, out, &why);
	ferry_document_free(doc);
	ferry__close_opened(&o);
	return rc ? ferry__name_file(path, &why, rc, err) : 0;
}
