/*
 * Values without children as text, and the children of the others.
 */
#ifndef CLI_SCALAR_H
#define CLI_SCALAR_H

#include <stdio.h>

#include <ferry/value.h>

#define CLI_FLOAT_CAP 40

/* The shortest text that reads back as f: "0.1", "1e-05", "nan", "2.0". */
char *cli_float(char out[CLI_FLOAT_CAP], double f);

/* A big INT as "-0x1f..."; free with free(). */
char *cli_big(const struct ferry_value *v);

/*
 * One line that says what a value is: the value itself for scalars (strings
 * quoted, escaped, and cut after `most` bytes; 0: never), "float32 [3, 4]" for
 * a tensor, "dict of 3" for a container.
 */
void cli_put_value(FILE *f, const struct ferry_value *v, size_t most);

/* A key as a component of a path: strings raw, others as cli_put_value().
 * Free with free(). */
char *cli_label(const struct ferry_value *key);

/* Items in a container: of an OBJECT, its dict or list items, else those of
 * its state. */
uint64_t cli_n_items(const struct ferry_value *v);

/*
 * Call fn for each child in order, with its label.  Objects show their items
 * first, then "(args)", "(kwargs)" and "(state)"; a state without items beside
 * it is shown as if it were the object.  Payloads are not followed.  Stops at
 * and returns the first result that is not 0.
 */
typedef int cli_child_fn(void *ctx, const char *label,
			 struct ferry_value *child);
int cli_each_child(const struct ferry_value *v, cli_child_fn *fn, void *ctx);

/* Same for the values that hold it together: keys and callables too. */
int cli_each_part(const struct ferry_value *v,
		  int (*fn)(void *ctx, struct ferry_value *part), void *ctx);

#endif
