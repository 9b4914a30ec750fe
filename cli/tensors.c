/* The tensors of a document as a table or JSON. */
#include "config.h"

#include "cli/tensors.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/json_out.h"
#include "cli/scalar.h"
#include "cli/stats.h"
#include "cli/table.h"
#include "cli/text.h"

static const char *layout(const struct ferry_tensor *t)
{
	return !t->storage ? "no data" :
	       ferry_tensor_is_contiguous(t) ? "dense" : "strided";
}

static void put_headers(struct cli_table *t, bool with_stats)
{
	static const char *const names[] = { "NAME", "DTYPE", "SHAPE", "BYTES",
					     "SHARED", "LAYOUT" };
	static const char *const more[] = { "MIN", "MAX", "MEAN", "STD" };

	for (size_t i = 0; i < 6; i++)
		cli_cell(t, names[i]);
	for (size_t i = 0; with_stats && i < 4; i++)
		cli_cell(t, more[i]);
}

static void put_tensor(struct cli_table *t, const struct ferry_place *p,
		       bool shared)
{
	const struct ferry_tensor *tensor = p->value->u.tensor;
	char shape[512];

	cli_cell(t, p->name);
	if (p->value->kind == FERRY_STORAGE) {
		cli_cell(t, ferry_dtype_name(p->value->u.st.storage->dtype));
		cli_cell(t, "storage");
		cli_cell_fmt(t, "%" PRIu64, p->value->u.st.storage->nbytes);
		cli_cell(t, shared ? "yes" : "-");
		cli_cell(t, "dense");
		return;
	}
	cli_cell(t, ferry_dtype_name(tensor->dtype));
	cli_cell(t, cli_shape(shape, sizeof(shape), tensor));
	cli_cell_fmt(t, "%" PRIu64, ferry_tensor_nbytes(tensor));
	cli_cell(t, shared ? "yes" : "-");
	cli_cell(t, layout(tensor));
}

/* Statistics, with the counts of what is not finite after the last. */
static void put_stats(struct cli_table *t, const struct cli_stats *s)
{
	char text[128];
	int n;

	if (!s->known || !s->n_finite) {
		cli_cell(t, "-");
		cli_cell(t, "-");
		cli_cell(t, "-");
		n = snprintf(text, sizeof(text), "-");
	} else {
		cli_cell_fmt(t, "%.6g", s->min);
		cli_cell_fmt(t, "%.6g", s->max);
		cli_cell_fmt(t, "%.6g", s->mean);
		n = snprintf(text, sizeof(text), "%.6g", s->std);
	}
	if (s->n_nan)
		n += snprintf(text + n, sizeof(text) - (size_t)n,
			      "  %" PRIu64 " nan", s->n_nan);
	if (s->n_inf)
		snprintf(text + n, sizeof(text) - (size_t)n,
			 "  %" PRIu64 " inf", s->n_inf);
	cli_cell(t, text);
}

static int stats_of(struct cli_stats *out, const struct ferry_place *p,
		    struct ferry_error *err)
{
	*out = (struct cli_stats){ 0 };
	if (p->value->kind != FERRY_TENSOR)
		return 0;
	return cli_stats(out, p->value->u.tensor, err);
}

int cli_print_tensors(const struct cli_survey *s, bool with_stats,
		      struct ferry_error *err)
{
	unsigned char *shared = cli_survey_shared(s);
	struct cli_table t;
	int rc = 0;

	cli_table_init(&t, with_stats ? "lllrllrrrl" : "lllrll");
	put_headers(&t, with_stats);
	for (size_t i = 0; i < s->places.n && !rc; i++) {
		struct cli_stats stats;

		put_tensor(&t, &s->places.items[i], shared[i]);
		if (!with_stats)
			continue;
		rc = stats_of(&stats, &s->places.items[i], err);
		put_stats(&t, &stats);
	}
	if (!rc)
		cli_table_print(&t, 0);
	cli_table_release(&t);
	free(shared);
	return rc;
}

static json_t *stats_json(const struct cli_stats *s)
{
	json_t *json = json_object();

	if (s->n_finite) {
		cli_json_set(json, "min", cli_json_float(s->min));
		cli_json_set(json, "max", cli_json_float(s->max));
		cli_json_set(json, "mean", cli_json_float(s->mean));
		cli_json_set(json, "std", cli_json_float(s->std));
	}
	cli_json_set(json, "finite", cli_json_uint(s->n_finite));
	cli_json_set(json, "nan", cli_json_uint(s->n_nan));
	cli_json_set(json, "inf", cli_json_uint(s->n_inf));
	cli_json_set(json, "zero", cli_json_uint(s->n_zero));
	return json;
}

static json_t *tensor_json(const struct ferry_place *p, bool shared)
{
	const struct ferry_tensor *t = p->value->u.tensor;
	json_t *json = json_object(), *shape = json_array();

	cli_json_set(json, "name", cli_json_text(p->name));
	if (p->value->kind == FERRY_STORAGE) {
		json_decref(shape);
		cli_json_set(json, "storage",
			     cli_json_value(p->value, 0));
		return json;
	}
	for (unsigned i = 0; i < t->ndim; i++)
		cli_json_add(shape, cli_json_uint(t->shape[i]));
	cli_json_set(json, "dtype", json_string(ferry_dtype_name(t->dtype)));
	cli_json_set(json, "shape", shape);
	cli_json_set(json, "nbytes", cli_json_uint(ferry_tensor_nbytes(t)));
	cli_json_set(json, "shared", json_boolean(shared));
	cli_json_set(json, "contiguous",
		     json_boolean(ferry_tensor_is_contiguous(t)));
	if (t->storage)
		cli_json_set(json, "storage", json_integer(t->storage->id));
	return json;
}

int cli_json_tensors(json_t **out, const struct cli_survey *s, bool with_stats,
		     struct ferry_error *err)
{
	unsigned char *shared = cli_survey_shared(s);
	json_t *list = json_array(), *row;
	int rc = 0;

	for (size_t i = 0; i < s->places.n && !rc; i++) {
		const struct ferry_place *p = &s->places.items[i];
		struct cli_stats stats;

		row = tensor_json(p, shared[i]);
		cli_json_add(list, row);
		if (!with_stats)
			continue;
		rc = stats_of(&stats, p, err);
		if (stats.known)
			cli_json_set(row, "stats", stats_json(&stats));
	}
	free(shared);
	if (rc)
		json_decref(list);
	else
		*out = list;
	return rc;
}
