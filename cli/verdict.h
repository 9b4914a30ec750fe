/*
 * What a file's pickles name, and which loaders would take it: readings of the
 * report of ferry_scan().
 */
#ifndef CLI_VERDICT_H
#define CLI_VERDICT_H

#include <stdbool.h>
#include <stddef.h>

#include <ferry/value.h>

/* A loader that refuses what it does not know. */
struct cli_loader {
	const char *key;	/* in the report and in its rows */
	const char *title;	/* for people */
};

/* Ends in a NULL key. */
extern const struct cli_loader cli_loaders[];

/* Of a directory: the reports of its files by name, or NULL. */
const struct ferry_value *cli_report_members(const struct ferry_value *report);

/* True when the report says that the loader would not take the file, or one of
 * the directory's. */
bool cli_refuses(const struct ferry_value *report,
		 const struct cli_loader *loader);

/* Of a directory: how many of its files each loader refuses, and which.
 * Otherwise "TITLE: loads" or "TITLE: refused by NAME (2 uses), opcode ..." for each
 * loader, one line each, indented; before them that a pickle breaks off. */
void cli_print_verdicts(const struct ferry_value *report, int indent);

/* Rows of the report: a DICT each. */
size_t cli_report_rows(const struct ferry_value *report, const char *key);
const struct ferry_value *cli_report_row(const struct ferry_value *report,
					 const char *key, size_t i);

/* "module.name" of a row of "globals", "(computed name)" where the pickle makes
 * it up as it runs; in buf or static. */
const char *cli_row_name(const struct ferry_value *row, char *buf, size_t cap);
/* An INT of a row, or 0. */
int64_t cli_row_int(const struct ferry_value *row, const char *key);
/* A BOOL of a row, or false. */
bool cli_row_is(const struct ferry_value *row, const char *key);
/* A STRING of a row; false when it has none or another. */
bool cli_row_says(const struct ferry_value *row, const char *key,
		  const char *text);

#endif
