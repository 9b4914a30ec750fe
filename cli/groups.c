/* Parameter groups of a file's weights. */
#include "config.h"

#include "cli/groups.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <ferry/filters.h>

#include "cli/json_out.h"
#include "cli/report.h"
#include "cli/text.h"

#define MOST_LINES 10		/* names of a group, when not told */

struct report {
	const struct ferry_tensor_schema *params;
	struct ferry_filter_report filters;
	size_t most;
};

static const char *name_of(const struct report *r,
			   const struct ferry_filter_list *l, size_t i)
{
	return ferry_tensor_schema_get(r->params, l->items[i])->name;
}

static size_t shown(const struct report *r, const struct ferry_filter_list *l)
{
	return l->n < r->most ? l->n : r->most;
}

static json_t *json_names(const struct report *r,
			  const struct ferry_filter_list *l, size_t n)
{
	json_t *out = json_array();

	for (size_t i = 0; i < n; i++)
		cli_json_add(out, cli_json_text(name_of(r, l, i)));
	return out;
}

static json_t *json_number(const char *text)
{
	char *end;
	double f = strtod(text, &end);

	return *end || end == text ? cli_json_text(text) : cli_json_float(f);
}

static json_t *json_group(const struct report *r,
			  const struct ferry_filter_group *g)
{
	size_t n = shown(r, &g->members);
	json_t *out = json_object();

	cli_json_set(out, "matched_count", cli_json_uint(g->members.n));
	cli_json_set(out, "total_params", cli_json_uint(g->members.nelem));
	cli_json_set(out, "matched_names", json_names(r, &g->members, n));
	cli_json_set(out, "has_more", json_boolean(n < g->members.n));
	cli_json_set(out, "remaining_count", cli_json_uint(g->members.n - n));
	if (!g->optimizer)
		return out;
	cli_json_set(out, "lr_multiplier", json_number(g->lr_multiplier));
	cli_json_set(out, "optimizer", cli_json_text(g->optimizer));
	cli_json_set(out, "weight_decay", json_number(g->weight_decay));
	return out;
}

static json_t *json_gradnorm(const struct report *r)
{
	const struct ferry_filter_list *in = &r->filters.included;
	const struct ferry_filter_list *ex = &r->filters.excluded;
	json_t *out = json_object();

	cli_json_set(out, "included", json_names(r, in, in->n));
	cli_json_set(out, "excluded", json_names(r, ex, ex->n));
	cli_json_set(out, "included_count", cli_json_uint(in->n));
	cli_json_set(out, "excluded_count", cli_json_uint(ex->n));
	cli_json_set(out, "using_unified_filter",
		     json_boolean(r->filters.unified));
	return out;
}

static void print_json(const struct report *r, const char *file,
		       const struct ferry_findings *notes)
{
	json_t *out = json_object(), *groups = json_object();

	for (size_t i = 0; i < r->filters.n_groups; i++)
		json_object_set_new(groups, r->filters.groups[i].name,
				    json_group(r, &r->filters.groups[i]));
	cli_json_set(out, "file", cli_json_text(file));
	cli_json_set(out, "groups", groups);
	if (r->filters.has_gradnorm)
		cli_json_set(out, "gradnorm", json_gradnorm(r));
	cli_json_set(out, "findings", cli_json_findings(notes, FERRY_NOTE));
	cli_json_print(out);
}

static void print_list(const struct report *r,
		       const struct ferry_filter_list *l)
{
	size_t n = shown(r, l);

	for (size_t i = 0; i < n; i++) {
		fputs("  ", stdout);
		cli_puts(stdout, name_of(r, l, i));
		putchar('\n');
	}
	if (n < l->n)
		printf("  ... and %zu more\n", l->n - n);
}

static void print_head(const char *name, const struct ferry_filter_list *l)
{
	char count[CLI_NUMBER_CAP], nelem[CLI_NUMBER_CAP];

	cli_puts(stdout, name);
	printf(": %s parameter%s, %s element%s", cli_count(count, l->n),
	       cli_plural(l->n), cli_count(nelem, l->nelem),
	       cli_plural(l->nelem));
}

static void print_settings(const struct ferry_filter_group *g)
{
	if (!g->optimizer)
		return;
	fputs("; lr_multiplier ", stdout);
	cli_puts(stdout, g->lr_multiplier);
	fputs(", optimizer ", stdout);
	cli_puts(stdout, g->optimizer);
	fputs(", weight_decay ", stdout);
	cli_puts(stdout, g->weight_decay);
}

static void print_text(const struct report *r)
{
	for (size_t i = 0; i < r->filters.n_groups; i++) {
		const struct ferry_filter_group *g = &r->filters.groups[i];

		print_head(g->name, &g->members);
		print_settings(g);
		putchar('\n');
		print_list(r, &g->members);
	}
	if (!r->filters.has_gradnorm)
		return;
	print_head("gradnorm included", &r->filters.included);
	putchar('\n');
	print_list(r, &r->filters.included);
	print_head("gradnorm excluded", &r->filters.excluded);
	putchar('\n');
	print_list(r, &r->filters.excluded);
}

/* Names and shapes of a file's weights. */
static int list_weights(struct cli *c, struct cli_file *file,
			struct ferry_tensor_schema **out)
{
	struct ferry_error err = FERRY_ERROR_INIT;
	struct ferry_value *weights;
	int status = cli_file_weights(c, file, &weights);

	if (status)
		return status;
	if (ferry_tensor_schema_of(out, file->doc, weights, &err))
		return cli_failed(c, file->path, &err);
	return CLI_DONE;
}

static int list_initial(struct cli *c, const char *path,
			struct ferry_tensor_schema **out)
{
	struct cli_file file = { 0 };
	int status = cli_file_open(c, &file, path, NULL, NULL);

	if (!status)
		status = list_weights(c, &file, out);
	cli_file_close(&file);
	return status;
}

static const struct ferry_known *find_model(struct cli *c, const char *name)
{
	return ferry_session_find(c->session, FERRY_KNOWN_MODELS, name);
}

static int load_filters(struct cli *c, const struct cli_groups *g,
			struct ferry_findings *notes,
			struct ferry_filters **out)
{
	const struct ferry_known *model = NULL;
	struct ferry_error err = FERRY_ERROR_INIT;
	const char *at = g->filters;
	int rc;

	if (access(g->filters, F_OK))
		model = find_model(c, g->filters);
	rc = ferry_filters_load(out, model ? model->file : g->filters, notes,
				&err);
	if (!rc && g->model) {
		at = g->model;
		model = find_model(c, g->model);
		rc = model ? ferry_filters_take_stages(*out, model->file, &err)
			   : ferry_fail(&err, FERRY_NOTFOUND, "cli",
					FERRY_NO_OFFSET, "no such model; ferry "
					"models lists them");
	}
	return rc ? cli_failed(c, at, &err) : CLI_DONE;
}

static int make_report(struct cli *c, const struct cli_file *file,
		       const struct cli_groups *g,
		       const struct ferry_tensor_schema *initial,
		       struct report *r)
{
	struct ferry_error err = FERRY_ERROR_INIT;
	struct ferry_findings *notes = NULL;
	struct ferry_filters *filters = NULL;
	int status;

	if (ferry_findings_new(&notes, &err))
		return cli_failed(c, file->path, &err);
	status = load_filters(c, g, notes, &filters);
	if (!status && ferry_filters_report(&r->filters, filters, r->params,
					    initial, notes, &err))
		status = cli_failed(c, file->path, &err);
	if (!status) {
		cli_warn_all(c, NULL, notes, FERRY_WARNING);
		if (c->json)
			print_json(r, file->path, notes);
		else
			print_text(r);
		ferry_filter_report_release(&r->filters);
	}
	ferry_filters_free(filters);
	ferry_findings_free(notes);
	return status;
}

int cli_print_groups(struct cli *c, struct cli_file *file,
		     const struct cli_groups *g)
{
	struct ferry_tensor_schema *params = NULL, *initial = NULL;
	struct report r = { .most = g->most };
	int status = list_weights(c, file, &params);

	if (!r.most)
		r.most = c->json ? SIZE_MAX : MOST_LINES;
	r.params = params;
	if (!status && g->initial)
		status = list_initial(c, g->initial, &initial);
	if (!status)
		status = make_report(c, file, g, initial, &r);
	ferry_tensor_schema_free(params);
	ferry_tensor_schema_free(initial);
	return status;
}
