/* Text for people. */
#include "config.h"

#include "cli/text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <ferry/error.h>

/* Each byte of input takes at most 4 of output: \xNN. */
#define PIECE 256

#define WORD_MOST 120
#define WORD_ENDS 40

bool cli_is_plain(const char *text, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c < 0x20 || c > 0x7e || c == '\\')
			return false;
	}
	return true;
}

/* Bytes of text up to a UTF-8 boundary at or before PIECE. */
static size_t piece(const char *text, size_t n)
{
	size_t end = n < PIECE ? n : PIECE;

	if (end == n)
		return n;
	for (size_t back = 0; back < 4; back++)
		if (((unsigned char)text[end - back] & 0xc0) != 0x80)
			return end - back;
	return end;
}

void cli_put(FILE *f, const char *text, size_t n)
{
	char out[4 * PIECE + 16];

	if (cli_is_plain(text, n)) {
		fwrite(text, 1, n, f);
		return;
	}
	while (n) {
		size_t take = piece(text, n);

		fputs(ferry_escape(out, sizeof(out), text, take), f);
		text += take;
		n -= take;
	}
}

/* Length of `want` bytes or a little less, not inside a character. */
static size_t whole(const char *text, size_t want)
{
	while (want && ((unsigned char)text[want] & 0xc0) == 0x80)
		want--;
	return want;
}

void cli_put_message(FILE *f, const char *text)
{
	while (*text) {
		size_t n = strcspn(text, " "), head, tail;

		if (n > WORD_MOST && !memchr(text, '/', n)) {
			head = whole(text, WORD_ENDS);
			tail = whole(text, n - WORD_ENDS);
			fprintf(f, "%.*s...%.*s", (int)head, text,
				(int)(n - tail), text + tail);
		} else {
			fwrite(text, 1, n, f);
		}
		text += n;
		n = strspn(text, " ");
		fwrite(text, 1, n, f);
		text += n;
	}
}

void cli_puts(FILE *f, const char *text)
{
	cli_put(f, text, strlen(text));
}

char *cli_count(char out[CLI_NUMBER_CAP], uint64_t n)
{
	char digits[24];
	int len = snprintf(digits, sizeof(digits), "%" PRIu64, n);
	char *p = out;

	for (int i = 0; i < len; i++) {
		if (i && (len - i) % 3 == 0)
			*p++ = ',';
		*p++ = digits[i];
	}
	*p = 0;
	return out;
}

const char *cli_plural(uint64_t n)
{
	return n == 1 ? "" : "s";
}

/* The factor a unit stands for, or 0. */
static uint64_t unit_factor(const char *unit)
{
	static const char letters[] = "KMGTPE";
	const char *at;
	uint64_t factor = 1;
	uint64_t base = 1000;

	if (!*unit || !strcasecmp(unit, "B"))
		return 1;
	at = strchr(letters, *unit & ~0x20);
	if (!at)
		return 0;
	if (!strcasecmp(unit + 1, "iB") || !strcasecmp(unit + 1, "i"))
		base = 1024;
	else if (unit[1] && strcasecmp(unit + 1, "B"))
		return 0;
	for (long i = 0; i <= at - letters; i++)
		factor *= base;
	return factor;
}

bool cli_parse_bytes(const char *text, uint64_t *out)
{
	unsigned long long n;
	uint64_t factor;
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	n = strtoull(text, &end, 10);
	if (errno)
		return false;
	factor = unit_factor(end);
	return factor && !__builtin_mul_overflow(n, factor, out);
}

#define WORD 31

/* Edits (insert, delete, replace, swap of neighbours) from a to b. */
static unsigned distance(const char *a, const char *b)
{
	unsigned d[WORD + 2][WORD + 2];
	size_t na = strlen(a), nb = strlen(b);

	if (na > WORD || nb > WORD)
		return WORD;
	for (size_t i = 0; i <= na; i++)
		d[i][0] = (unsigned)i;
	for (size_t j = 0; j <= nb; j++)
		d[0][j] = (unsigned)j;
	for (size_t i = 1; i <= na; i++) {
		for (size_t j = 1; j <= nb; j++) {
			unsigned best = d[i - 1][j - 1];

			best += a[i - 1] != b[j - 1];
			if (d[i - 1][j] + 1 < best)
				best = d[i - 1][j] + 1;
			if (d[i][j - 1] + 1 < best)
				best = d[i][j - 1] + 1;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] &&
			    a[i - 2] == b[j - 1] && d[i - 2][j - 2] + 1 < best)
				best = d[i - 2][j - 2] + 1;
			d[i][j] = best;
		}
	}
	return d[na][nb];
}

const char *cli_nearest(const char *text, const char *const *names, size_t n)
{
	size_t len = strlen(text);
	unsigned best = len < 3 ? 1 : len < 6 ? 2 : 3;
	const char *found = NULL;

	for (size_t i = 0; i < n; i++) {
		unsigned d = distance(text, names[i]);

		if (len >= 3 && !strncmp(names[i], text, len))
			d = 1;
		if (d < best || (d == best && !found)) {
			best = d;
			found = names[i];
		}
	}
	return found;
}

const char *cli_class(const struct ferry_value *v, char *buf, size_t cap)
{
	const struct ferry_value *g = v;

	if (v->kind == FERRY_OBJECT) {
		g = v->u.object->callable;
		if (!g)
			return v->u.object->form == FERRY_FORM_PERSISTENT ?
				       "persistent" : "extension";
		if (g->kind != FERRY_GLOBAL)
			return "object";
	} else if (v->kind != FERRY_GLOBAL) {
		return ferry_kind_name(v->kind);
	}
	snprintf(buf, cap, "%s.%s", g->u.global.module, g->u.global.name);
	return buf;
}

char *cli_shape(char *out, size_t cap, const struct ferry_tensor *t)
{
	size_t at = (size_t)snprintf(out, cap, "[");

	for (unsigned i = 0; i < t->ndim; i++) {
		if (at + 28 > cap) {
			snprintf(out + at, cap - at, "...");
			at += 3;
			break;
		}
		at += (size_t)snprintf(out + at, cap - at, "%s%" PRIu64,
				       i ? ", " : "", t->shape[i]);
	}
	snprintf(out + at, cap - at, "]");
	return out;
}
