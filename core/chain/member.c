/* The files of an output that is a directory: documents of their own. */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "core/chain/hold.h"
#include "core/chain/plan.h"
#include "core/io/output.h"

/* A member as it is written. */
struct member {
	struct ferry_output *output;	/* of the directory */
	const char *name;
	struct ferry_document *doc;
	const struct ferry_known *writer;
	struct ferry_options options;
	struct ferry_findings *found;
};

static int choose(struct member *m, const char *format, struct ferry_error *err)
{
	struct ferry_session *s = m->output->session;
	int rc = format ? ferry__writer_named(s, format, &m->writer, err) :
		 ferry__writer_of(s, m->name, &m->writer, err);

	if (rc || !ferry__is_directory_format(m->writer))
		return rc;
	return ferry_fail(err, FERRY_MISUSE, "plan", FERRY_NO_OFFSET,
			  "format %s is a directory; a file of an output can't "
			  "be one", m->writer->name);
}

static int check_settings(const struct member *m, struct ferry_error *err)
{
	char shown[96];

	for (size_t i = 0; i < m->options.n; i++) {
		if (ferry__option_known(m->options.specs,
					m->options.settings[i]))
			continue;
		ferry_escape(shown, sizeof(shown), m->options.settings[i],
			     strlen(m->options.settings[i]));
		return ferry_fail(err, FERRY_MISUSE, "plan", FERRY_NO_OFFSET,
				  "setting '%s' is not one of writing %s",
				  shown, m->writer->name);
	}
	return 0;
}

/* What the writer can't hold is refused; the rest is told with the name. */
static int take_losses(struct member *m, struct ferry_findings *out,
		       struct ferry_error *err)
{
	struct ferry__holding holding;
	const struct ferry_finding *f;
	int rc = ferry__hold(m->writer, m->doc, &m->options, &holding,
			     m->found, err);

	for (size_t i = 0; !rc && (f = ferry_findings_get(m->found, i)); i++)
		if (f->level != FERRY_NOTE)
			return ferry_fail(err, FERRY_LOSSY, "plan",
					  FERRY_NO_OFFSET, "%s%s%s (%s)",
					  f->path, *f->path ? ": " : "",
					  f->text, f->code);
	return rc ? rc : ferry__copy_findings(m->found, m->name, out, err);
}

static int write_file(struct member *m, struct ferry_findings *out,
		      struct ferry_error *err)
{
	const struct ferry_format *f = m->writer->format;
	struct ferry_output *file;
	int rc = ferry_output_new_file(&file, m->output, m->name, err);

	if (rc)
		return rc;
	rc = ferry__callback_result(f->write(m->doc, file, &m->options, out,
					     err), "writer", f->name, err);
	if (!rc)
		rc = ferry_output_commit(file, err);
	ferry_output_free(file);
	return rc;
}

static int write_member(struct member *m, struct ferry_findings *out,
			struct ferry_error *err)
{
	int rc = check_settings(m, err);

	if (!rc)
		rc = ferry_document_check(m->doc, err);
	if (!rc)
		rc = take_losses(m, out, err);
	return rc ? rc : write_file(m, out, err);
}

int ferry_output_document(struct ferry_output *output, const char *name,
			  struct ferry_document *doc, const char *format,
			  const char *const *settings, size_t n,
			  struct ferry_findings *out, struct ferry_error *err)
{
	struct member m = { .output = output, .name = name, .doc = doc };
	struct ferry_error why = FERRY_ERROR_INIT;
	char shown[256];
	int rc;

	if (!output->tree)
		return ferry_fail(err, FERRY_MISUSE, "plan", FERRY_NO_OFFSET,
				  "an output that is a file has no documents in "
				  "it");
	rc = choose(&m, format, err);
	if (rc)
		return rc;
	m.options = (struct ferry_options){
		.specs = m.writer->format->write_options,
		.settings = settings, .n = n,
	};
	rc = ferry_findings_new(&m.found, err);
	if (rc)
		return rc;
	rc = write_member(&m, out, &why);
	ferry_findings_free(m.found);
	if (!rc)
		return 0;
	ferry_escape(shown, sizeof(shown), name, strlen(name));
	return ferry_fail(err, rc, why.origin, why.offset,
			  strstr(why.text, shown) ? "%.0s%s" : "%s: %s", shown,
			  why.text);
}
