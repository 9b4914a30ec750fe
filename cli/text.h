/*
 * Text for people: escaped names, sizes, plurals, and the name that was
 * probably meant.
 */
#ifndef CLI_TEXT_H
#define CLI_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <ferry/value.h>

/* Write bytes of a file's making, escaped for a terminal, never cut. */
void cli_put(FILE *f, const char *text, size_t n);
void cli_puts(FILE *f, const char *text);

/*
 * Write a message of ferry's, whose names are escaped already, with the middle
 * of every word that would fill more than a line left out: a path into deep
 * nesting, such as 0.0.0.  Names of files (with a slash) stay whole.
 */
void cli_put_message(FILE *f, const char *text);

/* True when cli_put() would write exactly these bytes. */
bool cli_is_plain(const char *text, size_t n);

#define CLI_NUMBER_CAP 40

/* "1,234,567".  Returns out. */
char *cli_count(char out[CLI_NUMBER_CAP], uint64_t n);

/* "s" unless n is 1. */
const char *cli_plural(uint64_t n);

/*
 * Parse "1024", "512M", "5GB" (powers of 1000) or "5GiB" (powers of 1024); a
 * bare K, M, G or T is a power of 1000 too.  False when it is none.
 */
bool cli_parse_bytes(const char *text, uint64_t *out);

/* The one of names (count n) close enough to be a slip for text, or NULL. */
const char *cli_nearest(const char *text, const char *const *names, size_t n);

/* Name a person knows a value's class by: "dict", "argparse.Namespace"; for
 * objects "module.name".  Raw bytes, NUL-terminated, borrowed or in buf. */
const char *cli_class(const struct ferry_value *v, char *buf, size_t cap);

/* "[3, 4]".  Returns out; a shape that does not fit ends in "...]". */
char *cli_shape(char *out, size_t cap, const struct ferry_tensor *t);

#endif
