/* ferry verify: prove a file. */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ferry/work.h>

#include "cli/compare.h"
#include "cli/expect.h"
#include "cli/json_out.h"
#include "cli/memory.h"
#include "cli/progress.h"
#include "cli/migrate_report.h"
#include "cli/report.h"
#include "cli/survey.h"
#include "cli/text.h"
#include "cli/verb.h"

enum { AGAINST = 1, AS, FORMAT, STRICT, WEIGHTS, EXPECT, DIM, ORDER,
       LEDGER, SET };

struct verify {
	const char *against, *as, *format;
	struct cli_comparison how;
	struct cli_expectation expect;
	size_t dims_cap;
	const char **settings;
	size_t n_settings, settings_cap;
	struct ferry_findings *found;
	struct cli_file file, other;
	struct cli_sum sum;
	size_t n_violations, n_warnings;
	bool ledger;
};

static const struct cli_option options[] = {
	{ AGAINST, "against", 0, "FILE",
	  "compare every tensor and value with this file, too" },
	{ AS, "as", 0, "TYPE",
	  "check the rules of this artifact type (ferry types); found out when "
	  "not given" },
	{ FORMAT, "from-format", 0, "FORMAT",
	  "how the file is encoded; found out when not given" },
	{ SET, "set", 0, "KEY=VALUE",
	  "an option of the format or of the type's rules, such as "
	  "release=1.9 (ferry types --options); may be repeated" },
	{ WEIGHTS, "weights", 'w', NULL,
	  "with --against: compare the models' weights alone, by name" },
	{ EXPECT, "expect", 'e', "SCHEMA|FILE",
	  "tell which weights don't fit a tensor schema, by its name or a file, "
	  "or another checkpoint's: missing, unexpected, of another shape or "
	  "dtype" },
	{ DIM, "dim", 0, "NAME=N",
	  "with --expect: a dimension of the schema; may be repeated" },
	{ ORDER, "order", 0, NULL,
	  "with --expect: the order of names counts, too" },
	{ LEDGER, "ledger", 0, NULL,
	  "the operand is a directory that ferry migrate wrote: every file that "
	  "a sidecar below it tells of" },
	{ STRICT, "strict", 0, NULL,
	  "with --against: compare strides and sharing too" },
	{ 0 },
};

static void print_violations(const struct cli *c, const struct verify *v)
{
	const struct ferry_finding *f;

	if (c->json)
		return;
	for (size_t i = 0; (f = ferry_findings_get(v->found, i)); i++) {
		if (f->level != FERRY_VIOLATION) {
			cli_warn(c, v->file.path, f);
			continue;
		}
		printf("violation: ");
		if (*f->path) {
			cli_put_message(stdout, f->path);
			fputs(": ", stdout);
		}
		cli_put_message(stdout, f->text);
		if (f->offset != FERRY_NO_OFFSET)
			printf(" (at byte %" PRIu64 ")", f->offset);
		putchar('\n');
	}
}

static void print_result(const struct cli *c, const struct verify *v)
{
	const char *type = cli_file_type(&v->file);
	char a[CLI_NUMBER_CAP], b[CLI_NUMBER_CAP];

	if (c->quiet)
		return;
	cli_puts(stdout, v->file.path);
	if (v->n_violations)
		printf(": %zu violation%s", v->n_violations,
		       cli_plural(v->n_violations));
	else if (v->against && !v->how.equal)
		printf(": whole, but different from the other file");
	else if (v->expect.what && !v->expect.fits)
		printf(": whole, but not as expected");
	else if (!v->n_warnings)
		printf(": ok");
	if (v->n_warnings)
		printf("%s %zu warning%s", v->n_violations ? "," : ":",
		       v->n_warnings, cli_plural(v->n_warnings));
	printf(": %s tensor%s", cli_count(a, v->sum.n_tensors),
	       cli_plural(v->sum.n_tensors));
	if (v->sum.n_names > v->sum.n_tensors)
		printf(" (%s names)", cli_count(a, v->sum.n_names));
	printf(", %s, %s, %s\n", ferry_bytes_text(v->sum.nbytes, b),
	       v->file.doc->format, type ? type : "of no known type");
}

static void print_json(struct verify *v, bool ok)
{
	json_t *json = json_object();

	cli_json_set(json, "file", cli_json_text(v->file.path));
	cli_json_set(json, "format", cli_json_text(v->file.doc->format));
	cli_json_set(json, "type", cli_json_text(cli_file_type(&v->file)));
	cli_json_set(json, "ok", json_boolean(ok));
	cli_json_set(json, "tensors", cli_json_uint(v->sum.n_tensors));
	cli_json_set(json, "nbytes", cli_json_uint(v->sum.nbytes));
	cli_json_set(json, "warnings", cli_json_uint(v->n_warnings));
	cli_json_set(json, "findings", cli_json_findings(v->found, FERRY_NOTE));
	if (v->how.json) {
		cli_json_set(json, "against", v->how.json);
		v->how.json = NULL;
	}
	if (v->expect.what)
		cli_json_set(json, "expect", cli_json_expectation(&v->expect));
	cli_json_print(json);
}

static int check_file(struct cli *c, struct verify *v)
{
	struct ferry_open_options how = {
		.format = v->format, .settings = v->settings,
		.n_settings = v->n_settings,
	};
	struct ferry_error err = FERRY_ERROR_INIT;
	struct cli_progress progress;
	struct ferry_work work = {
		.progress = cli_progress_step, .progress_ctx = &progress,
	};
	int rc = cli_sum_below(NULL, &v->sum, v->file.doc, v->file.doc->root,
			       &err);

	cli_progress_init(&progress, c->quiet);
	if (!rc)
		rc = ferry_verify(c->session, v->file.path, &how, v->as, &work,
				  v->found, &err);
	cli_progress_clear(&progress);
	if (rc)
		return cli_failed(c, v->file.path, &err);
	v->n_violations = ferry_findings_count_level(v->found,
						     FERRY_VIOLATION);
	v->n_warnings = ferry_findings_count_level(v->found, FERRY_WARNING);
	return CLI_DONE;
}

static int compare_file(struct cli *c, struct verify *v)
{
	int status = cli_file_open(c, &v->other, v->against, NULL, NULL);

	if (status)
		return status;
	return cli_compare(c, &v->how, &v->other, &v->file);
}

static int verify_file(struct cli *c, struct verify *v)
{
	int status = cli_session_open(c);
	struct cli silent = *c;
	bool ok;

	/* What the reader warns of is among what is found. */
	silent.quiet = true;
	if (!status)
		status = cli_file_open(&silent, &v->file, c->operands[0],
				       v->format, v->as);
	if (!status)
		status = check_file(c, v);
	if (!status && v->against)
		status = compare_file(c, v);
	if (!status && v->expect.what)
		status = cli_expect(c, &v->expect, &v->file);
	if (status)
		return status;
	ok = !v->n_violations && (!v->against || v->how.equal) &&
	     (!v->expect.what || v->expect.fits);
	print_violations(c, v);
	if (v->expect.what && !c->json)
		cli_print_expectation(&v->expect);
	if (c->json)
		print_json(v, ok);
	else
		print_result(c, v);
	return ok ? CLI_DONE : CLI_UNVERIFIED;
}

static int take(struct verify *v, int id, const char *arg)
{
	switch (id) {
	case AGAINST:
		v->against = arg;
		break;
	case AS:
		v->as = arg;
		break;
	case FORMAT:
		v->format = arg;
		break;
	case EXPECT:
		v->expect.what = arg;
		break;
	case DIM:
		v->expect.dims = cli_grow(v->expect.dims, v->expect.n_dims,
					  &v->dims_cap,
					  sizeof(*v->expect.dims));
		v->expect.dims[v->expect.n_dims++] = arg;
		break;
	case ORDER:
		v->expect.order = true;
		break;
	case LEDGER:
		v->ledger = true;
		break;
	case SET:
		v->settings = cli_grow(v->settings, v->n_settings,
				       &v->settings_cap,
				       sizeof(*v->settings));
		v->settings[v->n_settings++] = arg;
		break;
	case STRICT:
		v->how.strict = true;
		break;
	case WEIGHTS:
		v->how.weights = true;
		break;
	}
	return CLI_END;
}

/* Options that don't go together. */
static int check_options(struct cli *c, const struct verify *v)
{
	if (v->ledger && (v->against || v->expect.what || v->as || v->format ||
			  v->n_settings))
		return cli_usage(c, "--ledger stands alone: each output is "
				 "proved by its sidecar");
	if (!v->against && (v->how.strict || v->how.weights))
		return cli_usage(c, "--%s needs --against",
				 v->how.strict ? "strict" : "weights");
	if (!v->expect.what && (v->expect.n_dims || v->expect.order))
		return cli_usage(c, "--%s needs --expect", v->expect.order ?
				 "order" : "dim");
	for (size_t i = 0; i < v->n_settings; i++)
		if (*v->settings[i] == '=' || !strchr(v->settings[i], '='))
			return cli_usage(c, "--set needs KEY=VALUE");
	return CLI_END;
}

static int run(struct cli *c)
{
	struct ferry_error err = FERRY_ERROR_INIT;
	struct verify v = { 0 };
	const char *arg;
	int id, status;

	while ((id = cli_next(c, &arg)) > 0)
		take(&v, id, arg);
	if (!id)
		id = check_options(c, &v);
	if (id)
		status = cli_ended(id);
	else if (v.ledger)
		status = cli_ledger_verify(c, c->operands[0]);
	else if (ferry_findings_new(&v.found, &err))
		status = cli_failed(c, NULL, &err);
	else
		status = verify_file(c, &v);
	cli_file_close(&v.file);
	cli_file_close(&v.other);
	cli_expectation_release(&v.expect);
	free(v.expect.dims);
	free(v.settings);
	ferry_findings_free(v.found);
	return status;
}

const struct cli_verb cli_verify = {
	.name = "verify",
	.operands = "FILE|DIR",
	.summary = "prove a file: structure, bounds, checksums, the rules of "
		   "its type",
	.detail = "Every byte is read. The exit status is 4 when a "
		  "violation was found, the file differs from "
		  "--against or does not fit --expect; a warning, such as a wrong CRC that loaders "
		  "pass over, leaves it 0 but is not called ok.",
	.tables = (const struct cli_option *const[]){ options, NULL },
	.min_operands = 1,
	.max_operands = 1,
	.run = run,
};
