/* What a file is, at a glance. */
#include "config.h"

#include "cli/overview.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <ferry/abilities.h>

#include "cli/json_out.h"
#include "cli/memory.h"
#include "cli/report.h"
#include "cli/scalar.h"
#include "cli/text.h"
#include "cli/verdict.h"

#define STRING_MOST 100
#define TIES_MOST 10
#define NAMES_MOST 8
#define KEY_WIDTH 16
#define ABOUT_WIDTH 62

static int count_weights(struct cli *c, struct cli_overview *o,
			 struct ferry_error *err)
{
	struct ferry_value *weights = NULL;
	int rc = ferry_weights(c->session, o->file.doc, o->file.type.type,
			       &weights, err);

	o->has_weights = weights != NULL;
	if (rc || !weights)
		return rc;
	if (weights != o->file.doc->root)
		return cli_sum_below(NULL, &o->weights, o->file.doc, weights,
				     err);
	o->weights = o->survey.distinct;
	return 0;
}

static int scan(struct cli *c, struct cli_overview *o, struct ferry_error *err)
{
	struct ferry_open_options how = { .format = o->file.doc->format };
	struct ferry_abilities can;

	if (!o->format)
		return 0;
	ferry_known_abilities(o->format, &can);
	if (!can.scans && !(can.flags & FERRY_FORMAT_DIRECTORY))
		return 0;
	return ferry_scan(c->session, o->file.path, &how, &o->scan, err);
}

/* Of all files of a directory. */
static uint64_t about_nbytes(const struct ferry_document *doc)
{
	const struct ferry_value *v = doc->about ?
				      ferry_dict_get(doc->about, "nbytes") :
				      NULL;

	return v && v->kind == FERRY_INT && !(v->flags & FERRY_BIG) ?
	       (uint64_t)v->u.i : 0;
}

int cli_overview_init(struct cli *c, struct cli_overview *o)
{
	struct ferry_error err = FERRY_ERROR_INIT;
	struct stat st;
	int rc;

	o->nbytes = stat(o->file.path, &st) ? 0 : S_ISDIR(st.st_mode) ?
		    about_nbytes(o->file.doc) : (uint64_t)st.st_size;
	o->format = ferry_session_find(c->session, FERRY_KNOWN_FORMATS,
				       o->file.doc->format);
	rc = cli_survey_init(&o->survey, o->file.doc, &err);
	if (!rc)
		rc = ferry_describe(c->session, o->file.doc, o->file.type.type,
				    &o->facts, &err);
	if (!rc)
		rc = count_weights(c, o, &err);
	if (!rc)
		rc = scan(c, o, &err);
	return rc ? cli_failed(c, o->file.path, &err) : CLI_DONE;
}

void cli_overview_release(struct cli_overview *o)
{
	cli_survey_release(&o->survey);
	ferry_document_free(o->scan);
	cli_file_close(&o->file);
}

static void put_key(const char *key)
{
	printf("  %-*s ", KEY_WIDTH, key);
}

static void put_word(FILE *f, const struct ferry_value *v)
{
	if (v->kind == FERRY_STRING)
		cli_put(f, v->u.s.data, v->u.s.nbytes);
	else
		cli_put_value(f, v, STRING_MOST);
}

/* "key value" */
static char *pair_text(const struct ferry_pair *p, size_t *n)
{
	char *text = NULL;
	FILE *f = open_memstream(&text, n);

	if (!f)
		cli_out_of_memory();
	put_word(f, p->key);
	fputc(' ', f);
	put_word(f, p->value);
	if (fclose(f))
		cli_out_of_memory();
	return text;
}

static void put_facts(const struct ferry_value *facts)
{
	if (!facts || facts->kind != FERRY_DICT)
		return;
	for (uint32_t i = 0; i < facts->u.dict.n; i++) {
		const struct ferry_pair *p = &facts->u.dict.pairs[i];
		char *label = cli_label(p->key);
		int pad = KEY_WIDTH;

		fputs("  ", stdout);
		cli_puts(stdout, label);
		for (const char *s = label; *s && pad; s++)
			pad--;
		printf("%*s ", pad, "");
		put_word(stdout, p->value);
		putchar('\n');
		free(label);
	}
}

/* What the reader knows about the file: for a second look, so on few lines. */
static void put_about(const struct ferry_value *about)
{
	size_t n, at = 0;
	char *text;

	if (!about || about->kind != FERRY_DICT || !about->u.dict.n)
		return;
	put_key("about");
	for (uint32_t i = 0; i < about->u.dict.n; i++) {
		const struct ferry_pair *p = &about->u.dict.pairs[i];

		text = pair_text(p, &n);
		if (at && at + n > ABOUT_WIDTH) {
			printf(",\n%*s", KEY_WIDTH + 3, "");
			at = 0;
		}
		printf("%s%s", at ? ", " : "", text);
		at += n + 2;
		free(text);
	}
	putchar('\n');
}

static void put_type(const struct cli_overview *o)
{
	put_key("type");
	if (o->file.type.type) {
		printf("%s: ", o->file.type.type->name);
		cli_puts(stdout, o->file.type.reason);
		putchar('\n');
	} else {
		puts("not recognised");
	}
}

/* "4 tensors", and how many names they have where that differs. */
static void put_count(const struct cli_sum *sum, const char *before,
		      const char *after)
{
	char n[CLI_NUMBER_CAP];

	printf("%s tensor%s", cli_count(n, sum->n_tensors),
	       cli_plural(sum->n_tensors));
	if (sum->n_names > sum->n_tensors)
		printf("%s%s names%s", before, cli_count(n, sum->n_names),
		       after);
}

static void put_sum(const struct cli_sum *sum)
{
	char size[CLI_NUMBER_CAP];

	printf("%s in ", cli_count(size, sum->nelem));
	put_count(sum, " (", ")");
	printf(", %s\n", ferry_bytes_text(sum->nbytes, size));
}

static void put_dtypes(const struct cli_survey *s)
{
	char size[CLI_NUMBER_CAP];
	const char *between = "";

	put_key("dtypes");
	for (int d = 0; d < FERRY_N_DTYPES; d++) {
		const struct cli_sum *sum = &s->by_dtype[d];

		if (!sum->n_tensors)
			continue;
		printf("%s%s %s (", between,
		       ferry_dtype_name((enum ferry_dtype)d),
		       ferry_bytes_text(sum->nbytes, size));
		put_count(sum, ", ", "");
		putchar(')');
		between = ", ";
	}
	putchar('\n');
}

static void put_storages(const struct cli_survey *s)
{
	char a[CLI_NUMBER_CAP], b[CLI_NUMBER_CAP], c[CLI_NUMBER_CAP];

	put_key("storages");
	printf("%s, %s", cli_count(a, s->n_storages),
	       ferry_bytes_text(s->storage_nbytes, b));
	if (s->n_ties)
		printf("; %zu shared by several names", s->n_ties);
	if (s->unreached_nbytes)
		printf("; %s reached by no tensor",
		       ferry_bytes_text(s->unreached_nbytes, c));
	putchar('\n');
}

void cli_print_overview(const struct cli_overview *o)
{
	const struct cli_survey *s = &o->survey;
	char size[CLI_NUMBER_CAP];

	cli_puts(stdout, o->file.path);
	printf(": %s%s%s%s, %s\n", o->file.doc->format,
	       o->format && o->format->title ? " (" : "",
	       o->format && o->format->title ? o->format->title : "",
	       o->format && o->format->title ? ")" : "",
	       ferry_bytes_text(o->nbytes, size));
	put_type(o);
	put_facts(o->facts);
	put_about(o->file.doc->about);
	if (o->has_weights &&
	    !(o->facts && ferry_dict_get(o->facts, "parameters"))) {
		put_key("parameters");
		put_sum(&o->weights);
	}
	if (s->all.n_tensors) {
		put_key(o->has_weights ? "all elements" : "elements");
		put_sum(&s->distinct);
		put_dtypes(s);
		put_storages(s);
	}
	if (o->scan)
		cli_print_verdicts(o->scan->root, 2);
}

static void put_tie(const struct cli_survey *s, const struct cli_tie *tie)
{
	const struct cli_span *spans = s->spans + tie->at;
	char size[CLI_NUMBER_CAP];

	fputs("  ", stdout);
	for (size_t i = 0; i < tie->n && i < NAMES_MOST; i++) {
		fputs(!i ? "" : tie->same ? " = " : ", ", stdout);
		cli_puts(stdout, s->places.items[spans[i].place].name);
	}
	if (tie->n > NAMES_MOST)
		printf(" and %zu more", tie->n - NAMES_MOST);
	printf(tie->same ? "  (%s)\n" : "  (views of one storage, %s)\n",
	       ferry_bytes_text(spans->storage->nbytes, size));
}

void cli_print_ties(const struct cli_overview *o)
{
	const struct cli_survey *s = &o->survey;

	if (!s->n_ties)
		return;
	puts("ties:");
	for (size_t i = 0; i < s->n_ties && i < TIES_MOST; i++)
		put_tie(s, &s->ties[i]);
	if (s->n_ties > TIES_MOST)
		printf("  ... and %zu more: --json lists them\n",
		       s->n_ties - TIES_MOST);
}

static json_t *sum_json(const struct cli_sum *sum)
{
	json_t *json = json_object();

	cli_json_set(json, "tensors", cli_json_uint(sum->n_tensors));
	cli_json_set(json, "names", cli_json_uint(sum->n_names));
	cli_json_set(json, "elements", cli_json_uint(sum->nelem));
	cli_json_set(json, "nbytes", cli_json_uint(sum->nbytes));
	return json;
}

static json_t *ties_json(const struct cli_survey *s)
{
	json_t *list = json_array(), *row, *names;

	for (size_t i = 0; i < s->n_ties; i++) {
		row = json_object();
		names = json_array();
		for (size_t k = 0; k < s->ties[i].n; k++) {
			const struct cli_span *x = &s->spans[s->ties[i].at + k];

			cli_json_add(names, cli_json_text(
				s->places.items[x->place].name));
		}
		cli_json_set(row, "names", names);
		cli_json_set(row, "same", json_boolean(s->ties[i].same));
		cli_json_add(list, row);
	}
	return list;
}

static json_t *storages_json(const struct cli_survey *s)
{
	json_t *json = json_object();

	cli_json_set(json, "count", cli_json_uint(s->n_storages));
	cli_json_set(json, "nbytes", cli_json_uint(s->storage_nbytes));
	cli_json_set(json, "unreached_nbytes",
		     cli_json_uint(s->unreached_nbytes));
	return json;
}

static json_t *dtypes_json(const struct cli_survey *s)
{
	json_t *json = json_object();

	for (int d = 0; d < FERRY_N_DTYPES; d++)
		if (s->by_dtype[d].n_tensors)
			cli_json_set(json,
				     ferry_dtype_name((enum ferry_dtype)d),
				     sum_json(&s->by_dtype[d]));
	return json;
}

json_t *cli_json_overview(const struct cli_overview *o)
{
	const struct cli_survey *s = &o->survey;
	json_t *json = json_object();

	cli_json_set(json, "file", cli_json_text(o->file.path));
	cli_json_set(json, "nbytes", cli_json_uint(o->nbytes));
	cli_json_set(json, "format", cli_json_text(o->file.doc->format));
	cli_json_set(json, "type", cli_json_text(cli_file_type(&o->file)));
	if (o->file.type.type)
		cli_json_set(json, "reason",
			     cli_json_text(o->file.type.reason));
	if (o->facts)
		cli_json_set(json, "facts", cli_json_value(o->facts, 0));
	if (o->file.doc->about)
		cli_json_set(json, "about",
			     cli_json_value(o->file.doc->about, 0));
	if (o->has_weights)
		cli_json_set(json, "parameters", sum_json(&o->weights));
	cli_json_set(json, "all", sum_json(&s->distinct));
	cli_json_set(json, "dtypes", dtypes_json(s));
	cli_json_set(json, "storages", storages_json(s));
	cli_json_set(json, "ties", ties_json(s));
	if (o->scan)
		cli_json_set(json, "scan", cli_json_value(o->scan->root, 0));
	cli_json_set(json, "warnings",
		     cli_json_findings(o->file.doc->findings, FERRY_WARNING));
	return json;
}
