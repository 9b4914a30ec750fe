/* What a file's pickles name, and which loaders would take it. */
#include "config.h"

#include "cli/verdict.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/text.h"

#define NAMES_MOST 6

const struct cli_loader cli_loaders[] = {
	{ "weights_only", "weights_only=True" },
	{ "weights_only_1_13", "weights_only=True of torch 1.13" },
	{ NULL, NULL },
};

static const struct ferry_value *get(const struct ferry_value *row,
				     const char *key, int kind)
{
	const struct ferry_value *v = ferry_dict_get(row, key);

	return v && v->kind == kind ? v : NULL;
}

size_t cli_report_rows(const struct ferry_value *report, const char *key)
{
	const struct ferry_value *list = get(report, key, FERRY_LIST);

	return list ? list->u.list.n : 0;
}

const struct ferry_value *cli_report_row(const struct ferry_value *report,
					 const char *key, size_t i)
{
	return get(report, key, FERRY_LIST)->u.list.items[i];
}

int64_t cli_row_int(const struct ferry_value *row, const char *key)
{
	const struct ferry_value *v = get(row, key, FERRY_INT);

	return v && !(v->flags & FERRY_BIG) ? v->u.i : 0;
}

bool cli_row_is(const struct ferry_value *row, const char *key)
{
	const struct ferry_value *v = get(row, key, FERRY_BOOL);

	return v && v->u.b;
}

bool cli_row_says(const struct ferry_value *row, const char *key,
		  const char *text)
{
	const struct ferry_value *v = get(row, key, FERRY_STRING);

	return v && ferry_value_is(v, text);
}

static void append(char *buf, size_t cap, const struct ferry_value *v)
{
	size_t at = strlen(buf);

	if (v)
		snprintf(buf + at, cap - at, "%.*s", (int)v->u.s.nbytes,
			 v->u.s.data);
}

const char *cli_row_name(const struct ferry_value *row, char *buf, size_t cap)
{
	const struct ferry_value *module = get(row, "module", FERRY_STRING);
	const struct ferry_value *name =
		get(row, module ? "name" : "opcode", FERRY_STRING);

	*buf = 0;
	if (module && !module->u.s.nbytes && name && !name->u.s.nbytes)
		return "(computed name)";
	append(buf, cap, module);
	if (module && strlen(buf) + 2 < cap)
		strncat(buf, ".", 2);
	append(buf, cap, name);
	return buf;
}

const struct ferry_value *cli_report_members(const struct ferry_value *report)
{
	return get(report, "members", FERRY_DICT);
}

bool cli_refuses(const struct ferry_value *report,
		 const struct cli_loader *loader)
{
	const struct ferry_value *members = cli_report_members(report);

	for (uint32_t i = 0; members && i < members->u.dict.n; i++)
		if (cli_row_says(members->u.dict.pairs[i].value, loader->key,
				 "refused"))
			return true;
	return cli_row_says(report, loader->key, "refused");
}

/* Names of the refused rows; returns how many there are. */
static size_t put_refused(const struct ferry_value *report, const char *list,
			  const char *prefix, const struct cli_loader *loader,
			  size_t n)
{
	char name[512];

	for (size_t i = 0; i < cli_report_rows(report, list); i++) {
		const struct ferry_value *row = cli_report_row(report, list, i);
		int64_t uses = cli_row_int(row, "count");

		if (!cli_row_says(row, loader->key, "refused") ||
		    n++ >= NAMES_MOST)
			continue;
		fputs(n > 1 ? ", " : " by ", stdout);
		fputs(prefix, stdout);
		cli_puts(stdout, cli_row_name(row, name, sizeof(name)));
		printf(" (%" PRId64 " use%s)", uses,
		       cli_plural((uint64_t)uses));
	}
	return n;
}

static void put_verdict(const struct ferry_value *report,
			const struct cli_loader *loader)
{
	size_t n;

	printf("%s: ", loader->title);
	if (!cli_refuses(report, loader)) {
		puts("loads");
		return;
	}
	fputs("refused", stdout);
	n = put_refused(report, "globals", "", loader, 0);
	n = put_refused(report, "opcodes_refused", "opcode ", loader, n);
	if (n > NAMES_MOST)
		printf(" and %zu more", n - NAMES_MOST);
	putchar('\n');
}

/* "TITLE: loads 2 files; refuses a.th and 3 more" */
static void put_members(const struct ferry_value *members,
			const struct cli_loader *loader, int indent)
{
	size_t asked = 0, refused = 0;

	for (uint32_t i = 0; i < members->u.dict.n; i++) {
		const struct ferry_value *row = members->u.dict.pairs[i].value;

		asked += ferry_dict_get(row, loader->key) != NULL;
		refused += cli_row_says(row, loader->key, "refused");
	}
	if (!asked)
		return;
	printf("%*s%s: loads %zu of %zu file%s", indent, "", loader->title,
	       asked - refused, asked, cli_plural(asked));
	refused = 0;
	for (uint32_t i = 0; i < members->u.dict.n; i++) {
		const struct ferry_pair *p = &members->u.dict.pairs[i];

		if (!cli_row_says(p->value, loader->key, "refused") ||
		    refused++ >= NAMES_MOST)
			continue;
		fputs(refused > 1 ? ", " : "; refuses ", stdout);
		cli_put(stdout, p->key->u.s.data, p->key->u.s.nbytes);
	}
	if (refused > NAMES_MOST)
		printf(" and %zu more", refused - NAMES_MOST);
	putchar('\n');
}

void cli_print_verdicts(const struct ferry_value *report, int indent)
{
	const struct ferry_value *members = cli_report_members(report);
	const struct ferry_value *broken = get(report, "broken", FERRY_STRING);

	if (broken) {
		printf("%*swarning: the pickle breaks off: ", indent, "");
		cli_put(stdout, broken->u.s.data, broken->u.s.nbytes);
		putchar('\n');
	}
	for (const struct cli_loader *l = cli_loaders; l->key; l++) {
		if (members)
			put_members(members, l, indent);
		if (!ferry_dict_get(report, l->key))
			continue;
		printf("%*s", indent, "");
		put_verdict(report, l);
	}
}
