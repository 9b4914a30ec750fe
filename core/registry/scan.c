/* Scanning: what a file names, or each file of a directory. */
#include "config.h"

#include "core/registry/opened.h"

#include <string.h>

#include <ferry/sys/alloc.h>

static int call_scan(struct ferry__opened *o, struct ferry_document *doc,
		     struct ferry_error *err)
{
	const struct ferry_format *f = o->format->format;
	int rc;

	if (!f->scan)
		return ferry_fail(err, FERRY_UNSUPPORTED, "scan",
				  FERRY_NO_OFFSET, "format %s names no classes "
				  "or calls: there is nothing to scan", f->name);
	rc = ferry__callback_result(f->scan(&o->input, doc->store, &doc->root,
					    err), "scan", f->name, err);
	doc->format = f->name;
	if (!rc && !doc->root)
		rc = ferry_fail(err, FERRY_PLUGIN, "plugin", FERRY_NO_OFFSET,
				"scan of '%s' succeeded but gave no report",
				f->name);
	return rc;
}

/* Is it one that may be scanned: its format, or NULL. */
static int scannable(struct ferry_session *s, const char *path,
		     const struct ferry_known **format, struct ferry_error *err)
{
	struct ferry_error why = FERRY_ERROR_INIT;
	int rc = ferry_identify(s, path, format, &why);

	if (rc == FERRY_NOMEM)
		return ferry_fail_nomem(err, "a scan");
	if (rc || !(*format)->format->scan)
		*format = NULL;
	return 0;
}

static int scan_member(struct ferry__opened *o, const char *path,
		       const char *name, struct ferry_document *all,
		       struct ferry_error *err)
{
	struct ferry__reading how = { .format = NULL };
	struct ferry_error why = FERRY_ERROR_INIT;
	struct ferry_document *doc;
	struct ferry__opened member;
	int rc = scannable(o->context.session, path, &how.format, err);

	if (rc || !how.format)
		return rc;
	rc = ferry__open_input(o->context.session, path, &how, &member, &why);
	if (rc)
		return ferry__name_file(path, &why, rc, err);
	rc = ferry_document_new(&doc, all->store, err);
	if (!rc) {
		rc = call_scan(&member, doc, &why);
		if (rc)
			ferry__name_file(path, &why, rc, err);
		else if (ferry_dict_set_str(all->store, all->root, name,
					    doc->root))
			rc = ferry_fail_nomem(err, "a scan");
		ferry_document_free(doc);
	}
	ferry__close_opened(&member);
	return rc;
}

/* {"members": {NAME: report}} */
static int scan_members(struct ferry__opened *o, struct ferry_document *doc,
			struct ferry_error *err)
{
	struct ferry_value *report = ferry_dict(doc->store, 1);
	char *path;
	int rc = 0;

	doc->root = ferry_dict(doc->store, 0);
	if (!report || !doc->root ||
	    ferry_dict_set_str(doc->store, report, "members", doc->root))
		return ferry_fail_nomem(err, "a scan");
	for (size_t i = 0; i < o->directory.n && !rc; i++) {
		path = ferry__member_path(o, o->directory.names[i]);
		rc = path ? scan_member(o, path, o->directory.names[i], doc,
					err) : ferry_fail_nomem(err, "a scan");
		ferry_alloc_free(path);
	}
	doc->root = report;
	doc->format = o->format->name;
	return rc;
}

int ferry_scan(struct ferry_session *s, const char *path,
	       const struct ferry_open_options *options,
	       struct ferry_document **out, struct ferry_error *err)
{
	struct ferry_error why = FERRY_ERROR_INIT;
	struct ferry_document *doc;
	struct ferry__opened o;
	int rc = ferry__open_public(s, path, options, &o, err);

	if (rc)
		return rc;
	rc = ferry_document_new(&doc, NULL, err);
	if (!rc) {
		rc = o.source ? call_scan(&o, doc, &why) :
		     scan_members(&o, doc, &why);
		if (rc) {
			ferry_document_free(doc);
			rc = ferry__name_file(path, &why, rc, err);
		} else {
			*out = doc;
		}
	}
	ferry__close_opened(&o);
	return rc;
}
