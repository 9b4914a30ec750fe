/* Opening files and directories. */
#include "config.h"

#include "core/registry/opened.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <ferry/sys/ckd.h>

#include "core/io/file_source.h"

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

static void name_context(struct ferry__opened *o, struct ferry_session *s,
			 const char *path, const struct ferry__reading *how)
{
	o->options.specs = o->format->format->read_options;
	o->options.settings = how->settings;
	o->options.n = how->n_settings;
	o->context.session = s;
	o->context.paths = how->paths;
	o->context.output = how->output;
	o->context.depth = how->depth;
	o->input.source = o->source;
	o->input.path = path;
	o->input.options = &o->options;
	o->input.priv = &o->context;
}

static int know_file(struct ferry_session *s, const char *path,
		     const struct ferry__reading *how, struct ferry__opened *o,
		     struct ferry_error *err)
{
	int rc = 0;

	o->format = how->format;
	if (!o->format)
		rc = ferry__identify(s, o->source, path, &o->format, err);
	if (!rc && ferry__is_directory_format(o->format))
		rc = ferry_fail(err, FERRY_UNSUPPORTED, "open", FERRY_NO_OFFSET,
				"format %s is a directory, not a file: name "
				"the directory", o->format->name);
	if (rc)
		return rc;
	name_context(o, s, path, how);
	o->context.prefix = path;
	o->context.dir = (size_t)(ferry__base_name(path) - path);
	return 0;
}

/* "a/b//" -> "a/b/" */
static int name_members(struct ferry__opened *o, const char *path,
			struct ferry_error *err)
{
	struct ferry_directory *d = &o->directory;
	size_t n = strlen(path);
	char *prefix;

	while (n > 1 && path[n - 1] == '/')
		n--;
	prefix = ferry_store_alloc(d->store, n + 2);
	o->context.read = ferry_store_alloc(d->store, d->n);
	if (!prefix || !o->context.read)
		return ferry_fail_nomem(err, "a directory");
	memset(o->context.read, 0, d->n);
	memcpy(prefix, path, n);
	memcpy(prefix + n, "/", 2);
	o->context.prefix = prefix;
	o->context.dir = prefix[n - 1] == '/' ? n : n + 1;
	o->context.directory = d;
	o->input.names = d->names;
	o->input.sizes = d->sizes;
	o->input.n_names = d->n;
	return 0;
}

static int open_directory(struct ferry_session *s, const char *path,
			  const struct ferry__reading *how,
			  struct ferry__opened *o, struct ferry_error *err)
{
	int rc;

	if (!ferry__any_directory_format(s) ||
	    (how->format && !ferry__is_directory_format(how->format)))
		return ferry__diagnose_directory(s, path, err);
	rc = ferry_findings_new(&o->findings, err);
	if (!rc)
		rc = ferry_directory_list(&o->directory, path, o->findings,
					  err);
	o->format = how->format;
	if (!rc && !o->format)
		rc = ferry__identify_directory(s, &o->directory, path,
					       &o->format, err);
	if (rc)
		return rc;
	name_context(o, s, path, how);
	return name_members(o, path, err);
}

static bool is_directory(const char *path)
{
	struct stat st;

	return !stat(path, &st) && S_ISDIR(st.st_mode);
}

int ferry__open_input(struct ferry_session *s, const char *path,
		      const struct ferry__reading *how,
		      struct ferry__opened *o, struct ferry_error *err)
{
	struct ferry_error why = FERRY_ERROR_INIT;
	int rc;

	memset(o, 0, sizeof(*o));
	rc = ferry_source_open_file(&o->source, path, &why);
	if (!rc)
		rc = know_file(s, path, how, o, err);
	else if (is_directory(path))
		rc = open_directory(s, path, how, o, err);
	else if (err && !err->code)
		*err = why;
	if (rc)
		ferry__close_opened(o);
	return rc;
}

void ferry__close_opened(struct ferry__opened *o)
{
	ferry_source_unref(o->source);
	ferry_directory_release(&o->directory);
	ferry_findings_free(o->findings);
}

char *ferry__member_path(const struct ferry__opened *o, const char *name)
{
	struct ferry_buffer path = FERRY_BUFFER_INIT;

	ferry_buffer_printf(&path, "%.*s%s", (int)o->context.dir,
			    o->context.prefix, name);
	return path.failed ? NULL : path.data;
}

int ferry__name_file(const char *path, const struct ferry_error *why, int rc,
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

int ferry__copy_findings(const struct ferry_findings *from, const char *member,
			 struct ferry_findings *to, struct ferry_error *err)
{
	struct ferry_buffer path = FERRY_BUFFER_INIT;
	const struct ferry_finding *f;
	int rc = 0;

	for (size_t i = 0; !rc && (f = ferry_findings_get(from, i)); i++) {
		path.n = 0;
		ferry_buffer_printf(&path, "%s%s%s", member ? member : "",
				    member && *f->path ? ": " : "", f->path);
		rc = path.failed ? FERRY_NOMEM :
		     ferry_findings_add(to, f->level, f->code, path.data,
					f->offset, "%s", f->text);
	}
	ferry_buffer_release(&path);
	return rc ? ferry_fail_nomem(err, "findings") : 0;
}

static int call_reader(struct ferry__opened *o, struct ferry_document *doc,
		       struct ferry_error *err)
{
	const struct ferry_format *f = o->format->format;
	int rc;

	if (!f->read)
		return ferry_fail(err, FERRY_UNSUPPORTED, "open",
				  FERRY_NO_OFFSET, "format %s can be written "
				  "but not read", f->name);
	if (o->source)
		ferry_source_hold(o->source);
	rc = ferry__callback_result(f->read(&o->input, doc, err), "reader",
				    f->name, err);
	if (o->source)
		ferry_source_let_go(o->source);
	if (!rc && !doc->root)
		rc = ferry_fail(err, FERRY_PLUGIN, "plugin", FERRY_NO_OFFSET,
				"reader of '%s' (plugin %s) succeeded but gave "
				"no document; this is a bug of the plugin",
				f->name, o->format->plugin);
	doc->format = f->name;
	return rc ? rc : ferry_document_check(doc, err);
}

/* What a directory is made of, for people. */
static int describe_directory(const struct ferry__opened *o,
			      struct ferry_document *doc,
			      struct ferry_error *err)
{
	struct ferry_store *store = doc->store;
	uint64_t nbytes = 0;

	for (size_t i = 0; i < o->directory.n; i++)
		if (ferry_ckd_add(&nbytes, nbytes, o->directory.sizes[i]))
			nbytes = UINT64_MAX;
	if (!doc->about)
		doc->about = ferry_dict(store, 2);
	if (!doc->about || doc->about->kind != FERRY_DICT ||
	    ferry_dict_set_str(store, doc->about, "files",
			       ferry_uint(store, o->directory.n)) ||
	    ferry_dict_set_str(store, doc->about, "nbytes",
			       ferry_uint(store, nbytes)))
		return ferry_fail_nomem(err, "a directory");
	return 0;
}

static int fill(struct ferry__opened *o, struct ferry_document *doc,
		struct ferry_error *err)
{
	int rc = ferry__store_know(doc->store, o->context.session, err);

	o->context.findings = doc->findings;
	doc->path = ferry_store_strndup(doc->store, o->input.path,
					strlen(o->input.path));
	if (!rc && !doc->path)
		rc = ferry_fail_nomem(err, "a path");
	if (!rc && o->findings)
		rc = ferry__copy_findings(o->findings, NULL, doc->findings,
					  err);
	if (!rc)
		rc = call_reader(o, doc, err);
	return rc || o->source ? rc : describe_directory(o, doc, err);
}

int ferry__read_opened(struct ferry__opened *o, struct ferry_store *store,
		       struct ferry_document **out, struct ferry_error *err)
{
	struct ferry_error why = FERRY_ERROR_INIT;
	struct ferry_document *doc;
	int rc = ferry_document_new(&doc, store, err);

	if (rc)
		return rc;
	rc = fill(o, doc, &why);
	if (rc) {
		ferry_document_free(doc);
		return ferry__name_file(o->input.path, &why, rc, err);
	}
	*out = doc;
	return 0;
}

int ferry__read_document(struct ferry_session *s, const char *path,
			 const struct ferry__reading *how,
			 struct ferry_document **out, struct ferry_error *err)
{
	struct ferry__opened o;
	int rc = ferry__open_input(s, path, how, &o, err);

	if (rc)
		return rc;
	rc = ferry__note_path(&o.context, path, err);
	if (!rc)
		rc = ferry__read_opened(&o, how->store, out, err);
	if (!rc && how->proof) {
		rc = ferry__prove(&o, *out, how->work, how->proof, err);
		if (rc)
			ferry_document_free(*out);
		if (rc)
			*out = NULL;
	}
	ferry__close_opened(&o);
	return rc;
}

int ferry__check_open_settings(const struct ferry_known *format,
			       const struct ferry_artifact_type *type,
			       const char *const *settings, size_t n,
			       struct ferry_error *err)
{
	const struct ferry_option_spec *reads = format->format->read_options,
				       *checks = type ? type->check_options :
							NULL;
	struct ferry_buffer known = FERRY_BUFFER_INIT;
	char shown[96];
	size_t i = 0;

	while (i < n && (ferry__option_known(reads, settings[i]) ||
			 ferry__option_known(checks, settings[i])))
		i++;
	if (i == n)
		return 0;
	for (; reads && reads->name; reads++)
		ferry_buffer_printf(&known, " %s", reads->name);
	for (; checks && checks->name; checks++)
		ferry_buffer_printf(&known, " %s", checks->name);
	ferry_escape(shown, sizeof(shown), settings[i], strlen(settings[i]));
	ferry_fail(err, FERRY_MISUSE, "open", FERRY_NO_OFFSET,
		   "setting '%s' is not one of reading %s%s%s; it has%s", shown,
		   format->name, type ? " or checking " : "",
		   type ? type->name : "", known.n ? known.data : " none");
	ferry_buffer_release(&known);
	return FERRY_MISUSE;
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

int ferry__open_asked(struct ferry_session *s, const char *path,
		      const struct ferry_open_options *options,
		      struct ferry__opened *o, struct ferry_error *err)
{
	struct ferry__reading how;
	int rc = public_reading(s, options, &how, err);

	return rc ? rc : ferry__open_input(s, path, &how, o, err);
}

int ferry__open_public(struct ferry_session *s, const char *path,
		       const struct ferry_open_options *options,
		       struct ferry__opened *o, struct ferry_error *err)
{
	int rc = ferry__open_asked(s, path, options, o, err);

	if (rc)
		return rc;
	rc = ferry__check_open_settings(o->format, NULL, o->options.settings,
					o->options.n, err);
	if (rc)
		ferry__close_opened(o);
	return rc;
}

int ferry_open(struct ferry_session *s, const char *path,
	       const struct ferry_open_options *options,
	       struct ferry_document **out, struct ferry_error *err)
{
	struct ferry__opened o;
	int rc = ferry__open_public(s, path, options, &o, err);

	if (rc)
		return rc;
	rc = ferry__read_opened(&o, options ? options->store : NULL, out, err);
	ferry__close_opened(&o);
	return rc;
}
