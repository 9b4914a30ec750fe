/* Weights against a tensor schema or another checkpoint. */
#include "config.h"

#include "cli/expect.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <ferry/dtype.h>

#include "cli/json_out.h"
#include "cli/report.h"
#include "cli/table.h"
#include "cli/text.h"

static const struct {
	const char *code;
	const char *word;	/* of the sum: "2 of another shape" */
} kinds[] = {
	{ "missing", "missing" },
	{ "unexpected", "unexpected" },
	{ "shape", "of another shape" },
	{ "dtype", "of another dtype" },
	{ "order", "out of order" },
};

#define N_KINDS (sizeof(kinds) / sizeof(kinds[0]))

int cli_expect(struct cli *c, struct cli_expectation *e, struct cli_file *file)
{
	struct ferry_error err = FERRY_ERROR_INIT;
	struct ferry_value *weights;
	int status, rc;

	if (ferry_tensor_schema_expected(&e->wanted, c->session,
					 file->doc->store, e->what, e->dims,
					 e->n_dims, &err))
		return cli_failed(c, NULL, &err);
	status = cli_file_weights(c, file, &weights);
	if (status)
		return status;
	rc = ferry_findings_new(&e->misfits, &err);
	if (!rc)
		rc = ferry_tensor_schema_of(&e->found, file->doc, weights,
					    &err);
	if (!rc)
		rc = ferry_tensor_schema_check(e->wanted, file->doc, weights,
					       e->order ? FERRY_SCHEMA_ORDER :
					       0, e->misfits, &err);
	if (rc < 0)
		return cli_failed(c, file->path, &err);
	e->fits = rc > 0;
	return CLI_DONE;
}

void cli_expectation_release(struct cli_expectation *e)
{
	ferry_tensor_schema_free(e->wanted);
	ferry_tensor_schema_free(e->found);
	ferry_findings_free(e->misfits);
}

static size_t count(const struct cli_expectation *e, const char *code)
{
	const struct ferry_finding *f;
	size_t n = 0;

	for (size_t i = 0; (f = ferry_findings_get(e->misfits, i)); i++)
		n += !strcmp(f->code, code);
	return n;
}

static void put_dtypes(FILE *f, uint64_t mask)
{
	const char *between = "";

	for (int d = 0; d < FERRY_N_DTYPES; d++) {
		if (!(mask & FERRY_DTYPE_BIT(d)))
			continue;
		fprintf(f, "%s%s", between,
			ferry_dtype_name((enum ferry_dtype)d));
		between = "|";
	}
}

/* "float32 [3, 4]", or "-" for none. */
static void put_spec(struct cli_table *t, const struct ferry_tensor_spec *spec)
{
	char text[512];
	FILE *f;

	if (!spec) {
		cli_cell(t, "-");
		return;
	}
	f = fmemopen(text, sizeof(text), "w");
	if (!f) {
		cli_cell(t, "?");
		return;
	}
	put_dtypes(f, spec->dtypes);
	fputs(spec->dtypes ? " [" : "[", f);
	for (unsigned i = 0; i < spec->ndim; i++)
		fprintf(f, "%s%" PRIu64, i ? ", " : "", spec->shape[i]);
	fputc(']', f);
	fclose(f);
	text[sizeof(text) - 1] = '\0';
	cli_cell(t, text);
}

static void put_row(struct cli_table *t, const struct cli_expectation *e,
		    const struct ferry_finding *f)
{
	cli_cell(t, f->code);
	cli_cell_done(t, f->path);
	put_spec(t, ferry_tensor_schema_at(e->wanted, f->path));
	put_spec(t, ferry_tensor_schema_at(e->found, f->path));
}

static void put_sum(const struct cli_expectation *e)
{
	char text[CLI_NUMBER_CAP];
	const char *between = ": ";
	size_t n;

	cli_puts(stdout, e->what);
	printf(e->fits ? ": fits" : ": does not fit");
	for (size_t i = 0; i < N_KINDS; i++) {
		n = count(e, kinds[i].code);
		if (!n)
			continue;
		printf("%s%s %s", between, cli_count(text, n), kinds[i].word);
		between = ", ";
	}
	n = ferry_tensor_schema_count(e->wanted);
	printf("%s%s tensor%s expected\n", e->fits ? ": " : "; ",
	       cli_count(text, n), cli_plural(n));
}

static void put_shift(const struct cli_expectation *e)
{
	char prefix[64];
	int shift = ferry_tensor_schema_shift(e->misfits, prefix,
					      sizeof(prefix));

	if (!shift)
		return;
	fputs(shift > 0 ? "hint: names begin with " :
	      "hint: names are expected to begin with ", stdout);
	cli_puts(stdout, prefix);
	fputs(shift > 0 ? ": ferry convert --strip-prefix=" :
	      ": ferry convert --add-prefix=", stdout);
	cli_puts(stdout, prefix);
	putchar('\n');
}

void cli_print_expectation(const struct cli_expectation *e)
{
	const struct ferry_finding *f;
	struct cli_table t;
	size_t n = ferry_findings_count(e->misfits), i;

	if (n) {
		cli_table_init(&t, "llll");
		cli_cell(&t, "MISFIT");
		cli_cell(&t, "TENSOR");
		cli_cell(&t, "EXPECTED");
		cli_cell(&t, "FOUND");
		for (i = 0; (f = ferry_findings_get(e->misfits, i)); i++)
			put_row(&t, e, f);
		cli_table_print(&t, 0);
		cli_table_release(&t);
		if (n > i)
			printf("... and %zu more\n", n - i);
	}
	put_sum(e);
	put_shift(e);
}

static json_t *spec_json(const struct ferry_tensor_spec *spec)
{
	json_t *json = json_object(), *shape = json_array();
	json_t *dtypes = json_array();

	if (!spec) {
		json_decref(json);
		json_decref(shape);
		json_decref(dtypes);
		return json_null();
	}
	for (unsigned i = 0; i < spec->ndim; i++)
		cli_json_add(shape, cli_json_uint(spec->shape[i]));
	for (int d = 0; d < FERRY_N_DTYPES; d++)
		if (spec->dtypes & FERRY_DTYPE_BIT(d))
			cli_json_add(dtypes, cli_json_text(ferry_dtype_name(
				(enum ferry_dtype)d)));
	cli_json_set(json, "shape", shape);
	cli_json_set(json, "dtypes", dtypes);
	return json;
}

json_t *cli_json_expectation(const struct cli_expectation *e)
{
	json_t *json = json_object(), *rows = json_array(), *row;
	const struct ferry_finding *f;

	for (size_t i = 0; (f = ferry_findings_get(e->misfits, i)); i++) {
		row = json_object();
		cli_json_set(row, "misfit", cli_json_text(f->code));
		cli_json_set(row, "name", cli_json_text(f->path));
		cli_json_set(row, "expected", spec_json(
			ferry_tensor_schema_at(e->wanted, f->path)));
		cli_json_set(row, "found", spec_json(
			ferry_tensor_schema_at(e->found, f->path)));
		cli_json_add(rows, row);
	}
	cli_json_set(json, "what", cli_json_text(e->what));
	cli_json_set(json, "fits", json_boolean(e->fits));
	cli_json_set(json, "tensors", cli_json_uint(
		ferry_tensor_schema_count(e->wanted)));
	for (size_t i = 0; i < N_KINDS; i++)
		cli_json_set(json, kinds[i].code,
			     cli_json_uint(count(e, kinds[i].code)));
	cli_json_set(json, "misfits", rows);
	return json;
}
