/*
 * Reports as JSON on stdout.
 *
 * ASCII only, no raw control characters.  Values of a document that JSON has
 * no word for are objects with one key that begins with "$": $tensor, $tuple,
 * $set, $frozenset, $dict (pairs, where keys are not all plain strings),
 * $bytes, $float, $complex, $int, $global, $object, $storage, $same (the path
 * where a shared value stands first).
 */
#ifndef CLI_JSON_OUT_H
#define CLI_JSON_OUT_H

#include <jansson.h>

#include <ferry/findings.h>
#include <ferry/value.h>

/* Set a member that is new to the caller; running out of memory ends the
 * process. */
void cli_json_set(json_t *object, const char *key, json_t *value);
void cli_json_add(json_t *array, json_t *value);

/* A string of any bytes: what is not UTF-8 is escaped as for a terminal. */
json_t *cli_json_text(const char *text);
json_t *cli_json_textn(const char *text, size_t n);
/* A number; above 2^63 - 1 a string of digits. */
json_t *cli_json_uint(uint64_t n);
json_t *cli_json_float(double f);

/* The value and all below it, `depth` levels down (0: no limit). */
json_t *cli_json_value(const struct ferry_value *v, unsigned depth);

/* [{"level", "code", "path", "offset", "text"}]; f may be NULL. */
json_t *cli_json_findings(const struct ferry_findings *f,
			  enum ferry_level least);

/* Print and free: indented, or on one line. */
void cli_json_print(json_t *json);
void cli_json_print_line(json_t *json);

/* {"file", "error": {"code", "origin", "offset", "text"}, "findings"} on one
 * line, the last where there are any. */
void cli_json_error(const char *file, const struct ferry_error *err,
		    const struct ferry_findings *found);

#endif
