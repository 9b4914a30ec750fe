/* Comparing two files, for diff and verify. */
#include "config.h"

#include "cli/compare.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/contrast.h"
#include "cli/json_out.h"
#include "cli/report.h"
#include "cli/survey.h"
#include "cli/text.h"

bool cli_parse_tolerance(const char *text, struct cli_comparison *how)
{
	char *end;

	how->atol = strtod(text, &end);
	if (end == text)
		return false;
	if (*end == ',') {
		text = end + 1;
		how->rtol = strtod(text, &end);
		if (end == text)
			return false;
	}
	return !*end && how->atol >= 0 && how->rtol >= 0 &&
	       isfinite(how->atol) && isfinite(how->rtol);
}

static void print_difference(void *ctx, enum cli_mark mark, const char *path,
			     const char *text)
{
	(void)ctx;
	printf("%c ", "-+~"[mark]);
	cli_puts(stdout, *path ? path : "(root)");
	printf("  %s\n", text);
}

static void add_difference(void *ctx, enum cli_mark mark, const char *path,
			   const char *text)
{
	static const char *const words[] = { "only-a", "only-b", "changed" };
	json_t *row = json_object();

	cli_json_set(row, "what", json_string(words[mark]));
	cli_json_set(row, "path", cli_json_text(path));
	cli_json_set(row, "text", cli_json_text(text));
	cli_json_add(ctx, row);
}

static void put_part(uint64_t n, const char *what, const char *how, int *first)
{
	char text[CLI_NUMBER_CAP];

	if (!n)
		return;
	printf("%s%s %s%s%s%s", *first ? "" : ", ", cli_count(text, n), what,
	       *what ? cli_plural(n) : "", *what ? " " : "", how);
	*first = 0;
}

static void put_only(uint64_t n, const char *path, int *first)
{
	if (!n)
		return;
	put_part(n, "", "only in ", first);
	cli_puts(stdout, path);
}

static void print_summary(const struct cli_contrast *k,
			  const struct cli_file *a, const struct cli_file *b)
{
	char text[CLI_NUMBER_CAP];
	int first = 1;

	puts(cli_contrast_equal(k) ? "equal" : "different");
	put_part(k->tensors_equal, "tensor", "equal", &first);
	put_part(k->tensors_changed, "tensor", "changed", &first);
	put_part(k->values_equal, "value", "equal", &first);
	put_part(k->values_changed, "value", "changed", &first);
	put_only(k->only_a, a->path, &first);
	put_only(k->only_b, b->path, &first);
	if (k->nbytes)
		printf("%s%s compared", first ? "" : ", ",
		       ferry_bytes_text(k->nbytes, text));
	if (!first || k->nbytes)
		putchar('\n');
}

static json_t *counts_json(const struct cli_contrast *k)
{
	json_t *json = json_object();

	cli_json_set(json, "tensors_equal", cli_json_uint(k->tensors_equal));
	cli_json_set(json, "tensors_changed",
		     cli_json_uint(k->tensors_changed));
	cli_json_set(json, "values_equal", cli_json_uint(k->values_equal));
	cli_json_set(json, "values_changed", cli_json_uint(k->values_changed));
	cli_json_set(json, "only_a", cli_json_uint(k->only_a));
	cli_json_set(json, "only_b", cli_json_uint(k->only_b));
	cli_json_set(json, "nbytes", cli_json_uint(k->nbytes));
	return json;
}

static json_t *begin_json(const struct cli_file *a, const struct cli_file *b)
{
	json_t *json = json_object();

	cli_json_set(json, "a", cli_json_text(a->path));
	cli_json_set(json, "b", cli_json_text(b->path));
	return json;
}

static int contrast(struct cli *c, struct cli_comparison *how,
		    struct cli_file *a, struct cli_file *b,
		    struct ferry_value *wa, struct ferry_value *wb)
{
	json_t *list = c->json ? json_array() : NULL;
	struct cli_contrast k = {
		.how = {
			.data = !how->structure_only,
			.containers = !strcmp(a->doc->format, b->doc->format),
			.atol = how->atol,
			.rtol = how->rtol,
		},
		.differs = list ? add_difference : print_difference,
		.ctx = list,
	};
	struct ferry_error err = FERRY_ERROR_INIT;
	int rc;

	if (how->weights)
		rc = cli_contrast_weights(&k, a->doc, wa, b->doc, wb, &err);
	else
		rc = cli_contrast_documents(&k, a->doc, b->doc, &err);
	how->equal = cli_contrast_equal(&k);
	how->tensors_equal = k.tensors_equal;
	how->values_equal = k.values_equal;
	how->nbytes = k.nbytes;
	if (!rc && list) {
		how->json = begin_json(a, b);
		cli_json_set(how->json, "equal", json_boolean(how->equal));
		cli_json_set(how->json, "counts", counts_json(&k));
		cli_json_set(how->json, "differences", list);
	} else if (!rc && !c->quiet) {
		print_summary(&k, a, b);
	}
	if (rc)
		json_decref(list);
	cli_contrast_release(&k);
	return rc ? cli_failed(c, NULL, &err) : CLI_DONE;
}

static void print_findings(const struct ferry_findings *f, bool equal)
{
	const struct ferry_finding *item;
	size_t n = ferry_findings_count(f);

	for (size_t i = 0; (item = ferry_findings_get(f, i)); i++)
		printf("~ %s  %s\n", *item->path ? item->path : "(root)",
		       item->text);
	if (equal)
		puts("equal, with strides and sharing");
	else
		printf("different\n%zu difference%s\n", n, cli_plural(n));
}

static int compare_strictly(struct cli *c, struct cli_comparison *how,
			    struct cli_file *a, struct cli_file *b,
			    struct ferry_value *wa, struct ferry_value *wb)
{
	struct ferry_compare all = {
		.data = !how->structure_only,
		.strides = true,
		.sharing = true,
		.atol = how->atol,
		.rtol = how->rtol,
		.most = 10000,
	};
	struct ferry_document x = *a->doc, y = *b->doc;
	struct ferry_error err = FERRY_ERROR_INIT;
	struct ferry_findings *found;
	struct cli_sum sum = { 0 };
	int rc;

	if (ferry_findings_new(&found, &err))
		return cli_failed(c, NULL, &err);
	x.root = wa ? wa : x.root;
	y.root = wb ? wb : y.root;
	rc = ferry_document_compare(&x, &y, &all, found, &err);
	how->equal = rc == 1;
	if (rc >= 0 && !cli_sum_below(&sum, NULL, &x, x.root, NULL)) {
		how->tensors_equal = sum.n_tensors;
		how->nbytes = sum.nbytes;
	}
	if (rc >= 0 && c->json) {
		how->json = begin_json(a, b);
		cli_json_set(how->json, "equal", json_boolean(how->equal));
		cli_json_set(how->json, "differences",
			     cli_json_findings(found, FERRY_NOTE));
	} else if (rc >= 0 && !c->quiet) {
		print_findings(found, how->equal);
	}
	ferry_findings_free(found);
	return rc < 0 ? cli_failed(c, NULL, &err) : CLI_DONE;
}

int cli_compare(struct cli *c, struct cli_comparison *how, struct cli_file *a,
		struct cli_file *b)
{
	struct ferry_value *wa = NULL, *wb = NULL;
	int status;

	if (how->weights) {
		status = cli_file_weights(c, a, &wa);
		if (!status)
			status = cli_file_weights(c, b, &wb);
		if (status)
			return status;
	}
	return how->strict ? compare_strictly(c, how, a, b, wa, wb) :
			     contrast(c, how, a, b, wa, wb);
}
