/* The library session of a run, and opening files with it. */
#include "config.h"

#include "cli/session.h"

#include <string.h>

#include "cli/report.h"

int cli_session_open(struct cli *c)
{
	struct ferry_session_options options = {
		.plugin_path = c->plugin_path,
		.plugin_files = c->plugin_files,
		.n_plugin_files = c->n_plugin_files,
		.schema_path = c->schema_path,
	};
	struct ferry_error err = FERRY_ERROR_INIT;

	if (ferry_session_new(&c->session, &options, &err))
		return cli_failed(c, NULL, &err);
	cli_warn_all(c, NULL, ferry_session_findings(c->session),
		     FERRY_WARNING);
	return CLI_DONE;
}

void cli_session_close(struct cli *c)
{
	ferry_session_free(c->session);
	c->session = NULL;
}

int cli_file_open(struct cli *c, struct cli_file *out, const char *path,
		  const char *format, const char *type)
{
	struct ferry_open_options options = { .format = format };
	struct ferry_error err = FERRY_ERROR_INIT;

	memset(out, 0, sizeof(*out));
	out->path = path;
	if (ferry_open(c->session, path, &options, &out->doc, &err))
		return cli_failed(c, path, &err);
	cli_warn_all(c, path, out->doc->findings, FERRY_WARNING);
	if (!ferry_recognise(c->session, out->doc, path, type, &out->type,
			     &err))
		return CLI_DONE;
	cli_file_close(out);
	return cli_failed(c, path, &err);
}

void cli_file_close(struct cli_file *file)
{
	ferry_document_free(file->doc);
	file->doc = NULL;
}

const char *cli_file_type(const struct cli_file *file)
{
	return file->type.type ? file->type.type->name : NULL;
}

int cli_file_weights(struct cli *c, struct cli_file *file,
		     struct ferry_value **out)
{
	struct ferry_error err = FERRY_ERROR_INIT;

	*out = NULL;
	if (ferry_weights(c->session, file->doc, file->type.type, out, &err))
		return cli_failed(c, file->path, &err);
	if (*out)
		return CLI_DONE;
	ferry_fail(&err, FERRY_UNSUPPORTED, "cli", FERRY_NO_OFFSET,
		   "%s has no weights that ferry knows of: ferry inspect shows "
		   "what is in it", cli_file_type(file) ? cli_file_type(file) :
		   "this file (of no known type)");
	return cli_failed(c, file->path, &err);
}
