/* Formulas: a parser that computes as it goes. */
#include "config.h"

#include "core/handling/schema_formula.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <ferry/error.h>
#include <ferry/sys/alloc.h>

struct formula {
	struct ferry__scope *scope;
	const char *start, *at, *end;
	unsigned depth;
	bool idle;		/* the branch of a ?: that is not taken */
};

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

bool ferry__formula_is_name(const char *text, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (!is_letter(text[i]) && !(i && is_digit(text[i])))
			return false;
	return n;
}

struct ferry__variable *ferry__scope_find(struct ferry__scope *s,
					  const char *name, size_t n)
{
	size_t i = s->n;

	while (i--) {
		s->work++;
		if (s->items[i].n == n && !memcmp(s->items[i].name, name, n))
			return &s->items[i];
	}
	return NULL;
}

bool ferry__scope_push(struct ferry__scope *s, const char *name, size_t n,
		       int64_t value)
{
	size_t cap = s->cap ? 2 * s->cap : 16;
	struct ferry__variable *items = s->items;

	if (s->n == s->cap) {
		items = ferry_alloc_resize(items, cap, sizeof(*items));
		if (!items)
			return false;
		s->items = items;
		s->cap = cap;
	}
	items[s->n++] = (struct ferry__variable){ name, n, value };
	return true;
}

void ferry__scope_release(struct ferry__scope *s)
{
	ferry_alloc_free(s->items);
	s->items = NULL;
	s->n = s->cap = 0;
}

static FERRY_PRINTF(2, 3) bool fail(struct formula *f, const char *fmt, ...)
{
	char text[80];
	char why[96];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	ferry_escape(text, sizeof(text), f->start,
		     (size_t)(f->end - f->start));
	snprintf(f->scope->why, sizeof(f->scope->why),
		 "formula '%s' character %zu: %s", text,
		 (size_t)(f->at - f->start) + 1, why);
	return false;
}

/* The next character that is no space; NUL at the end. */
static char peek(struct formula *f)
{
	while (f->at < f->end && (*f->at == ' ' || *f->at == '\t'))
		f->at++;
	return f->at < f->end ? *f->at : '\0';
}

static bool take(struct formula *f, const char *token)
{
	size_t n = strlen(token);

	peek(f);
	if ((size_t)(f->end - f->at) < n || memcmp(f->at, token, n))
		return false;
	f->at += n;
	return true;
}

static bool enter(struct formula *f)
{
	if (++f->depth > FERRY__FORMULA_DEPTH)
		return fail(f, "is nested more than %d deep",
			    FERRY__FORMULA_DEPTH);
	if (++f->scope->work <= f->scope->most)
		return true;
	f->scope->exhausted = true;
	return fail(f, "formulas of this file take more than %" PRIu64
		    " steps", f->scope->most);
}

static bool ternary(struct formula *f, int64_t *out);

static bool number(struct formula *f, int64_t *out)
{
	*out = 0;
	while (f->at < f->end && is_digit(*f->at)) {
		if (__builtin_mul_overflow(*out, 10, out) ||
		    __builtin_add_overflow(*out, *f->at - '0', out))
			return fail(f, "the number overflows 63 bits");
		f->at++;
	}
	return true;
}

static bool name(struct formula *f, int64_t *out)
{
	const char *start = f->at;
	struct ferry__variable *v;
	size_t n;

	while (f->at < f->end && (is_letter(*f->at) || is_digit(*f->at)))
		f->at++;
	n = (size_t)(f->at - start);
	v = ferry__scope_find(f->scope, start, n);
	if (!v) {
		f->at = start;
		return fail(f, "no dimension and no loop is called '%.*s'",
			    n < 40 ? (int)n : 40, start);
	}
	*out = v->value;
	return true;
}

static bool primary(struct formula *f, int64_t *out)
{
	char c = peek(f);

	if (is_digit(c))
		return number(f, out);
	if (is_letter(c))
		return name(f, out);
	if (!take(f, "("))
		return fail(f, c ? "a number, a name or ( is expected" :
			    "ends where a number or a name is expected");
	if (!ternary(f, out))
		return false;
	return take(f, ")") || fail(f, ") is expected");
}

static bool unary(struct formula *f, int64_t *out)
{
	bool done;

	if (!enter(f))
		return false;
	if (take(f, "-")) {
		done = unary(f, out) &&
		       (!__builtin_sub_overflow(0, *out, out) || f->idle ||
			fail(f, "overflows 63 bits"));
	} else {
		done = primary(f, out);
	}
	f->depth--;
	return done;
}

static bool divide(struct formula *f, char op, int64_t a, int64_t b,
		   int64_t *out)
{
	if (f->idle) {
		*out = 0;
		return true;
	}
	if (!b || (a == INT64_MIN && b == -1))
		return fail(f, b ? "overflows 63 bits" : "division by 0");
	if (op == '/' && a % b)
		return fail(f, "%" PRId64 " is no multiple of %" PRId64, a, b);
	*out = op == '/' ? a / b : a % b;
	return true;
}

static bool product(struct formula *f, int64_t *out)
{
	int64_t right;
	bool done;
	char op;

	if (!unary(f, out))
		return false;
	for (op = peek(f); op == '*' || op == '/' || op == '%'; op = peek(f)) {
		f->at++;
		if (!unary(f, &right))
			return false;
		if (op == '*')
			done = !__builtin_mul_overflow(*out, right, out) ||
			       f->idle || fail(f, "overflows 63 bits");
		else
			done = divide(f, op, *out, right, out);
		if (!done)
			return false;
	}
	return true;
}

static bool sum(struct formula *f, int64_t *out)
{
	int64_t right;
	bool over;
	char op;

	if (!product(f, out))
		return false;
	for (op = peek(f); op == '+' || op == '-'; op = peek(f)) {
		f->at++;
		if (!product(f, &right))
			return false;
		over = op == '+' ? __builtin_add_overflow(*out, right, out) :
				   __builtin_sub_overflow(*out, right, out);
		if (over && !f->idle)
			return fail(f, "overflows 63 bits");
	}
	return true;
}

static bool compare(unsigned op, int64_t a, int64_t b)
{
	switch (op) {
	case 0:
		return a == b;
	case 1:
		return a != b;
	case 2:
		return a <= b;
	case 3:
		return a >= b;
	case 4:
		return a < b;
	default:
		return a > b;
	}
}

static bool comparison(struct formula *f, int64_t *out)
{
	static const char *const ops[] = { "==", "!=", "<=", ">=", "<", ">" };
	int64_t right;
	unsigned i;

	if (!sum(f, out))
		return false;
	for (i = 0; i < sizeof(ops) / sizeof(*ops); i++) {
		if (!take(f, ops[i]))
			continue;
		if (!sum(f, &right))
			return false;
		*out = compare(i, *out, right);
		return true;
	}
	return true;
}

static bool ternary(struct formula *f, int64_t *out)
{
	int64_t yes, no;
	bool idle = f->idle, done;

	if (!enter(f) || !comparison(f, out))
		return false;
	if (take(f, "?")) {
		f->idle = idle || !*out;
		done = ternary(f, &yes);
		if (done && !take(f, ":"))
			done = fail(f, ": is expected");
		f->idle = idle || *out;
		done = done && ternary(f, &no);
		f->idle = idle;
		if (!done)
			return false;
		*out = *out ? yes : no;
	}
	f->depth--;
	return true;
}

bool ferry__formula_value(struct ferry__scope *s, const char *text, size_t n,
			  int64_t *out)
{
	struct formula f = {
		.scope = s, .start = text, .at = text, .end = text + n,
	};

	s->work += n;
	if (n > FERRY__FORMULA_MOST) {
		f.end = text + 40;
		return fail(&f, "has %zu bytes; a formula may have %d", n,
			    FERRY__FORMULA_MOST);
	}
	if (!ternary(&f, out))
		return false;
	return !peek(&f) || fail(&f, "an operator is expected");
}

bool ferry__formula_fill(struct ferry__scope *s, const char *text,
			 struct ferry_buffer *out)
{
	const char *open, *close;
	int64_t value;

	for (;;) {
		open = strchr(text, '{');
		if (!open)
			break;
		close = strchr(open, '}');
		if (!close) {
			snprintf(s->why, sizeof(s->why), "{ without a }");
			return false;
		}
		ferry_buffer_add(out, text, (size_t)(open - text));
		if (!ferry__formula_value(s, open + 1,
					  (size_t)(close - open) - 1, &value))
			return false;
		ferry_buffer_printf(out, "%" PRId64, value);
		text = close + 1;
	}
	s->work += strlen(text);
	ferry_buffer_add_str(out, text);
	return true;
}
