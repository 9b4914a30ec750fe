/* Opening, proving and scanning files. */
#include "config.h"

#include "core/registry/registry.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "core/io/output.h"
#include "core/registry/option.h"

/* What ferry_input.priv points to. */
struct context {
	size_t dir;			/* bytes of the directory in the path */
	struct ferry_buffer *paths;
	struct ferry_output *output;
};

/* A file being read: its source, format and what the reader is given. */
struct opened {
	struct ferry_session *session;
	struct ferry_source *source;
	const struct ferry_known *format;
	struct ferry_options options;
	struct context context;
	struct ferry_input input;
};

bool ferry__stays_inside(const char *name)
{
	size_t n;

	if (!*name || *name == '/')
		return false;
	while (*name) {
		n = strcspn(name, "/");
		if (!n || (n == 1 && *name == '.') ||
		    (n == 2 && !memcmp(name, "..", 2)))
			return false;
		name += n;
		if (*name == '/' && !*++name)
			return false;
	}
	return true;
}

/* Where a file of an output lies before it gets its name; 0: not one of them */
static int find_unnamed(struct ferry_output *output, const char *name,
			const char **path, struct ferry_error *err)
{
	struct ferry_sink *sink;

	*path = NULL;
	for (size_t i = 0; output && i < ferry_output_count(output); i++) {
		sink = ferry_output_get(output, i);
		if (strcmp(ferry__base_name(sink->path), name))
			continue;
		*path = sink->temp_path;
		return ferry_sink_flush(sink, err);
	}
	return 0;
}

static int note_path(struct context *c, const char *path,
		     struct ferry_error *err)
{
	if (!c->paths)
		return 0;
	ferry_buffer_add(c->paths, path, strlen(path) + 1);
	return c->paths->failed ? ferry_fail_nomem(err, "a file name") : 0;
}

static int open_sibling(struct context *c, const char *path, const char *name,
			struct ferry_source **out, struct ferry_error *err)
{
	struct ferry_error why = FERRY_ERROR_INIT;
	const char *unnamed;
	char shown[256];
	int rc = find_unnamed(c->output, name, &unnamed, err);

	if (rc)
		return rc;
	rc = ferry_source_open_file(out, unnamed ? unnamed : path, &why);
	if (!rc)
		return note_path(c, path, err);
	ferry_escape(shown, sizeof(shown), path, strlen(path));
	if (rc == FERRY_NOTFOUND)
		return ferry_fail(err, rc, "open", FERRY_NO_OFFSET,
				  "file %s is named in it but missing: put it "
				  "beside this file", shown);
	return ferry_fail(err, rc, why.origin, why.offset, "%s", why.text);
}

int ferry_input_sibling(const struct ferry_input *in, const char *name,
			struct ferry_source **out, struct ferry_error *err)
{
	struct context none = { .dir = 0 };
	struct context *c = in->priv ? in->priv : &none;
	struct ferry_buffer path = FERRY_BUFFER_INIT;
	char shown[256];
	int rc;

	if (!ferry__stays_inside(name)) {
		ferry_escape(shown, sizeof(shown), name, strlen(name));
		return ferry_fail(err, FERRY_MALFORMED, "open",
				  FERRY_NO_OFFSET, "file name '%s' in it leaves "
				  "the directory; only files beside it are "
				  "read", shown);
	}
	ferry_buffer_printf(&path, "%.*s%s", (int)c->dir, in->path, name);
	rc = path.failed ? ferry_fail_nomem(err, "a file name") :
	     open_sibling(c, path.data, name, out, err);
	ferry_buffer_release(&path);
	return rc;
}

int ferry__callback_result(int rc, const char *what, const char *name,
			   struct ferry_error *err)
{
	if (!rc)
		return 0;
	if (rc > 0 || rc < FERRY_PLUGIN)
		return ferry_fail(err, FERRY_PLUGIN, "plugin", FERRY_NO_OFFSET,
				  "%s of '%s' returned %d; 0 or a ferry_code "
				  "is expected", what, name, rc);
	ferry_fail(err, rc, "plugin", FERRY_NO_OFFSET,
		   "%s of '%s' failed (%s) and did not say why", what, name,
		   ferry_code_name(rc));
	return rc;
}

static int check_settings(const struct ferry_known *format,
			  const char *const *settings, size_t n,
			  struct ferry_error *err)
{
	const struct ferry_option_spec *spec = format->format->read_options;
	struct ferry_buffer known = FERRY_BUFFER_INIT;
	char shown[96];
	size_t i = 0;

	while (i < n && ferry__option_known(spec, settings[i]))
		i++;
	if (i == n)
		return 0;
	for (; spec && spec->name; spec++)
		ferry_buffer_printf(&known, " %s", spec->name);
	ferry_escape(shown, sizeof(shown), settings[i], strlen(settings[i]));
	ferry_fail(err, FERRY_MISUSE, "open", FERRY_NO_OFFSET,
		   "setting '%s' is not one of reading %s; it has%s", shown,
		   format->name, known.n ? known.data : " none");
	ferry_buffer_release(&known);
	return FERRY_MISUSE;
}

static int open_input(struct ferry_session *s, const char *path,
		      const struct ferry__reading *how, struct opened *o,
		      struct ferry_error *err)
{
	struct stat st;
	int rc;

	if (!stat(path, &st) && S_ISDIR(st.st_mode))
		return ferry__diagnose_directory(s, path, err);
	rc = ferry_source_open_file(&o->source, path, err);
	if (rc)
		return rc;
	o->session = s;
	o->format = how->format;
	if (!o->format)
		rc = ferry__identify(s, o->source, path, &o->format, err);
	if (rc) {
		ferry_source_unref(o->source);
		return rc;
	}
	o->options.specs = o->format->format->read_options;
	o->options.settings = how->settings;
	o->options.n = how->n_settings;
	o->context.dir = (size_t)(ferry__base_name(path) - path);
	o->context.paths = how->paths;
	o->context.output = how->output;
	o->input.source = o->source;
	o->input.path = path;
	o->input.options = &o->options;
	o->input.priv = &o->context;
	return 0;
}

/* Errors of a reader speak of the file; say which. */
static int name_file(const char *path, const struct ferry_error *why, int rc,
		     struct ferry_error *err)
{
	char shown[256];

	ferry_escape(shown, sizeof(shown), path, strlen(path));
	if (rc == FERRY_NOMEM || !strncmp(why->text, shown, strlen(shown)))
		return ferry_fail(err, rc, why->origin, why->offset, "%s",
				  why->text);
	return ferry_fail(err, rc, why->origin, why->offset, "%s: %s", shown,
			  why->text);
}

static int call_reader(struct opened *o, struct ferry_document *doc,
		       struct ferry_error *err)
{
	const struct ferry_format *f = o->format->format;
	int rc;

	if (!f->read)
		return ferry_fail(err, FERRY_UNSUPPORTED, "open",
				  FERRY_NO_OFFSET, "format %s can be written "
				  "but not read", f->name);
	rc = ferry__callback_result(f->read(&o->input, doc, err), "reader",
				    f->name, err);
	if (!rc && !doc->root)
		rc = ferry_fail(err, FERRY_PLUGIN, "plugin", FERRY_NO_OFFSET,
				"reader of '%s' (plugin %s) succeeded but gave "
				"no document; this is a bug of the plugin",
				f->name, o->format->plugin);
	doc->format = f->name;
	return rc ? rc : ferry_document_check(doc, err);
}

static int read_opened(struct opened *o, struct ferry_store *store,
		       struct ferry_document **out, struct ferry_error *err)
{
	struct ferry_error why = FERRY_ERROR_INIT;
	struct ferry_document *doc;
	int rc = ferry_document_new(&doc, store, err);

	if (rc)
		return rc;
	rc = ferry__store_know(doc->store, o->session, &why);
	if (!rc)
		rc = call_reader(o, doc, &why);
	if (rc) {
		ferry_document_free(doc);
		return name_file(o->input.path, &why, rc, err);
	}
	*out = doc;
	return 0;
}

static int prove(struct opened *o, struct ferry_document *doc,
		 struct ferry_work *work, struct ferry_findings *out,
		 struct ferry_error *err)
{
	const struct ferry_format *f = o->format->format;

	if (!f->verify)
		return 0;
	return ferry__callback_result(f->verify(&o->input, doc, work, out, err),
				      "verify", f->name, err);
}

int ferry__read_document(struct ferry_session *s, const char *path,
			 const struct ferry__reading *how,
			 struct ferry_document **out, struct ferry_error *err)
{
	struct opened o = { .source = NULL };
	int rc = open_input(s, path, how, &o, err);

	if (rc)
		return rc;
	rc = note_path(&o.context, path, err);
	if (!rc)
		rc = read_opened(&o, how->store, out, err);
	if (!rc && how->proof) {
		rc = prove(&o, *out, how->work, how->proof, err);
		if (rc)
			ferry_document_free(*out);
		if (rc)
			*out = NULL;
	}
	ferry_source_unref(o.source);
	return rc;
}

static int public_reading(struct ferry_session *s,
			  const struct ferry_open_options *options,
			  struct ferry__reading *out, struct ferry_error *err)
{
	memset(out, 0, sizeof(*out));
	if (!options)
		return 0;
	if (options->format) {
		out->format = ferry_session_find(s, FERRY_KNOWN_FORMATS,
						 options->format);
		if (!out->format)
			return ferry__fail_unknown(s, FERRY_KNOWN_FORMATS,
						   "format", options->format,
						   err);
	}
	out->settings = options->settings;
	out->n_settings = options->n_settings;
	out->store = options->store;
	return 0;
}

static int open_public(struct ferry_session *s, const char *path,
		       const struct ferry_open_options *options,
		       struct opened *o, struct ferry_error *err)
{
	struct ferry__reading how;
	int rc = public_reading(s, options, &how, err);

	memset(o, 0, sizeof(*o));
	if (!rc)
		rc = open_input(s, path, &how, o, err);
	if (rc)
		return rc;
	rc = check_settings(o->format, how.settings, how.n_settings, err);
	if (rc)
		ferry_source_unref(o->source);
	return rc;
}

int ferry_open(struct ferry_session *s, const char *path,
	       const struct ferry_open_options *options,
	       struct ferry_document **out, struct ferry_error *err)
{
	struct opened o;
	int rc = open_public(s, path, options, &o, err);

	if (rc)
		return rc;
	rc = read_opened(&o, options ? options->store : NULL, out, err);
	ferry_source_unref(o.source);
	return rc;
}

static int copy_findings(const struct ferry_findings *from,
			 struct ferry_findings *to, struct ferry_error *err)
{
	const struct ferry_finding *f;
	int rc = 0;

	for (size_t i = 0; from && !rc; i++) {
		f = ferry_findings_get(from, i);
		if (!f)
			break;
		rc = ferry_findings_add(to, f->level, f->code, f->path,
					f->offset, "%s", f->text);
	}
	return rc ? ferry_fail_nomem(err, "findings") : 0;
}

static int check_artifact(struct ferry_session *s, struct ferry_document *doc,
			  const char *path, const char *type,
			  struct ferry_findings *out, struct ferry_error *err)
{
	struct ferry_error why = FERRY_ERROR_INIT;
	struct ferry_recognised what;
	const struct ferry_artifact_type *t;
	int rc = ferry_recognise(s, doc, path, type, &what, &why);

	if (rc == FERRY_AMBIGUOUS && !type)
		return ferry_findings_add(out, FERRY_WARNING, "ambiguous", "",
					  FERRY_NO_OFFSET, "%s", why.text);
	if (rc)
		return ferry_fail(err, rc, why.origin, why.offset, "%s",
				  why.text);
	t = what.type ? what.type->type : NULL;
	if (t && type && what.score <= 0)
		return ferry_findings_add(out, FERRY_VIOLATION, "type", "",
					  FERRY_NO_OFFSET, "does not look like "
					  "a '%s'", t->name) ?
		       ferry_fail_nomem(err, "findings") : 0;
	if (!t || !t->check)
		return 0;
	return ferry__callback_result(t->check(doc, out, err), "check",
				      t->name, err);
}

int ferry_verify(struct ferry_session *s, const char *path,
		 const struct ferry_open_options *options, const char *type,
		 struct ferry_work *work, struct ferry_findings *out,
		 struct ferry_error *err)
{
	struct ferry_error why = FERRY_ERROR_INIT;
	struct ferry_work own = { 0 };
	struct ferry_document *doc;
	struct opened o;
	int rc = open_public(s, path, options, &o, err);

	if (rc)
		return rc;
	rc = read_opened(&o, options ? options->store : NULL, &doc, err);
	if (rc) {
		ferry_source_unref(o.source);
		return rc;
	}
	rc = copy_findings(doc->findings, out, &why);
	if (!rc)
		rc = prove(&o, doc, work ? work : &own, out, &why);
	if (!rc)
		rc = check_artifact(s, doc, path, type, out, &why);
	ferry_document_free(doc);
	ferry_source_unref(o.source);
	return rc ? name_file(path, &why, rc, err) : 0;
}

static int call_scan(struct opened *o, struct ferry_document *doc,
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

int ferry_scan(struct ferry_session *s, const char *path,
	       const struct ferry_open_options *options,
	       struct ferry_document **out, struct ferry_error *err)
{
	struct ferry_error why = FERRY_ERROR_INIT;
	struct ferry_document *doc;
	struct opened o;
	int rc = open_public(s, path, options, &o, err);

	if (rc)
		return rc;
	rc = ferry_document_new(&doc, NULL, err);
	if (!rc) {
		rc = call_scan(&o, doc, &why);
		if (rc) {
			ferry_document_free(doc);
			rc = name_file(path, &why, rc, err);
		} else {
			*out = doc;
		}
	}
	ferry_source_unref(o.source);
	return rc;
}
