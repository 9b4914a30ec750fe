/* Memory of the command itself. */
#include "config.h"

#include "cli/memory.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ferry/plan.h>

void cli_out_of_memory(void)
{
	ferry_abort_outputs();
	fputs("ferry: out of memory\n", stderr);
	exit(1);
}

void *cli_array(size_t n, size_t size)
{
	void *p = calloc(n ? n : 1, size);

	if (!p)
		cli_out_of_memory();
	return p;
}

void *cli_grow(void *old, size_t n, size_t *cap, size_t size)
{
	size_t want;
	void *p;

	if (n < *cap)
		return old;
	want = *cap < 8 ? 16 : *cap * 2;
	if (want < *cap || want > SIZE_MAX / size)
		cli_out_of_memory();
	p = realloc(old, want * size);
	if (!p)
		cli_out_of_memory();
	*cap = want;
	return p;
}

char *cli_copy(const char *text)
{
	char *p = strdup(text);

	if (!p)
		cli_out_of_memory();
	return p;
}

char *cli_text(const char *fmt, ...)
{
	va_list ap;
	char *p;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&p, fmt, ap);
	va_end(ap);
	if (n < 0)
		cli_out_of_memory();
	return p;
}
