/* File names, tags and iterations. */
#include "config.h"

#include "plugins/ksuit/ksuit.h"

#include <ferry/sys/buffer.h>

static const char *const part_names[] = {
	[PART_NONE] = "", [PART_MODEL] = "model", [PART_OPTIM] = "optim",
	[PART_TRAINER] = "trainer",
};

const char *part_name(enum part part)
{
	return part_names[part];
}

size_t slice_find(struct slice in, struct slice what, size_t at)
{
	const char *found;

	if (at > in.n || what.n > in.n - at)
		return SIZE_MAX;
	if (!what.n)
		return at;
	found = memmem(in.p + at, in.n - at, what.p, what.n);
	return found ? (size_t)(found - in.p) : SIZE_MAX;
}

static size_t find_last(struct slice in, const char *what)
{
	size_t found = SIZE_MAX, at = 0;

	while ((at = slice_find(in, slice_of(what), at)) != SIZE_MAX)
		found = at++;
	return found;
}

static bool ends(struct slice *s, const char *with)
{
	size_t n = strlen(with);

	if (s->n < n || memcmp(s->p + s->n - n, with, n))
		return false;
	s->n -= n;
	return true;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static size_t digits(struct slice s, size_t at)
{
	size_t n = 0;

	while (at + n < s.n && is_digit(s.p[at + n]))
		n++;
	return n;
}

/* What Python prints of a factor: 0.9999, 1e-05, 1. */
static bool is_float(struct slice s)
{
	size_t at = digits(s, 0);

	if (!at)
		return false;
	if (at < s.n && s.p[at] == '.') {
		if (!digits(s, at + 1))
			return false;
		at += 1 + digits(s, at + 1);
	}
	if (at < s.n && s.p[at] == 'e') {
		at++;
		if (at < s.n && (s.p[at] == '-' || s.p[at] == '+'))
			at++;
		if (!digits(s, at))
			return false;
		at += digits(s, at);
	}
	return at == s.n;
}

/* Cut "_ema=<factor>" off the end. */
static bool take_ema(struct slice *s, struct slice *ema)
{
	size_t at = find_last(*s, "_ema=");
	struct slice factor;

	if (at == SIZE_MAX || !at)
		return false;
	factor = (struct slice){ s->p + at + 5, s->n - at - 5 };
	if (!is_float(factor))
		return false;
	*ema = factor;
	s->n = at;
	return true;
}

bool name_parse(const char *path, struct file_name *out)
{
	const char *slash = strrchr(path, '/');
	struct slice all = slice_of(slash ? slash + 1 : path);
	size_t at;

	memset(out, 0, sizeof(*out));
	if (!ends(&all, ".th"))
		return false;
	if (ends(&all, "_model"))
		out->part = PART_MODEL;
	else if (ends(&all, "_optim"))
		out->part = PART_OPTIM;
	else if (ends(&all, "_trainer"))
		out->part = PART_TRAINER;
	at = find_last(all, "_cp=");
	if (!out->part || at == SIZE_MAX || !at || at + 4 == all.n) {
		out->part = PART_NONE;
		return false;
	}
	out->model = (struct slice){ all.p, at };
	out->tag = (struct slice){ all.p + at + 4, all.n - at - 4 };
	if (out->part == PART_MODEL && !take_ema(&out->model, &out->ema))
		out->old = take_ema(&out->tag, &out->ema);
	return true;
}

void name_split_info(struct file_name *name, struct slice tag)
{
	if (!tag.n || name->tag.n < tag.n + 2 || name->tag.p[tag.n] != '_' ||
	    memcmp(name->tag.p, tag.p, tag.n))
		return;
	name->info.p = name->tag.p + tag.n + 1;
	name->info.n = name->tag.n - tag.n - 1;
	name->tag.n = tag.n;
	name->old = true;
}

static void add_information(struct ferry_buffer *b,
			    const struct file_name *name)
{
	if (name->ema.n) {
		ferry_buffer_add_str(b, "_ema=");
		ferry_buffer_add(b, name->ema.p, name->ema.n);
	}
	if (name->info.n) {
		ferry_buffer_add_str(b, "_");
		ferry_buffer_add(b, name->info.p, name->info.n);
	}
}

char *name_build(struct ferry_store *store, const struct file_name *name,
		 bool head)
{
	struct ferry_buffer b = FERRY_BUFFER_INIT;
	char *tag = tag_spelled(store, name->tag, head), *out = NULL;

	ferry_buffer_add(&b, name->model.p, name->model.n);
	if (head)
		add_information(&b, name);
	ferry_buffer_printf(&b, "_cp=%s", tag ? tag : "");
	if (!head)
		add_information(&b, name);
	ferry_buffer_printf(&b, "_%s.th", part_name(name->part));
	if (tag && !b.failed)
		out = ferry_store_strndup(store, b.data, b.n);
	ferry_buffer_release(&b);
	return out;
}

/* ---- tags ------------------------------------------------------------------ */

/* Where the number of "best_model.<metric>.tolerance[=]N" begins, and whether
 * "=" stands before it; SIZE_MAX when it is no such tag. */
static size_t tolerance(struct slice tag, bool *equals)
{
	size_t at = find_last(tag, ".tolerance");

	if (!slice_starts(tag, "best_model.") && !slice_starts(tag, "best."))
		return SIZE_MAX;
	if (at == SIZE_MAX)
		return SIZE_MAX;
	at += strlen(".tolerance");
	*equals = at < tag.n && tag.p[at] == '=';
	at += *equals;
	return at < tag.n && at + digits(tag, at) == tag.n ? at : SIZE_MAX;
}

char *tag_spelled(struct ferry_store *store, struct slice tag, bool head)
{
	struct ferry_buffer b = FERRY_BUFFER_INIT;
	bool equals = false;
	size_t at = tolerance(tag, &equals);
	char *out;

	if (at == SIZE_MAX || equals == head)
		return ferry_store_strndup(store, tag.p, tag.n);
	ferry_buffer_add(&b, tag.p, at - equals);
	if (head)
		ferry_buffer_add_str(&b, "=");
	ferry_buffer_add(&b, tag.p + at, tag.n - at);
	out = b.failed ? NULL : ferry_store_strndup(store, b.data, b.n);
	ferry_buffer_release(&b);
	return out;
}

static struct slice without_best(struct slice tag)
{
	size_t n = slice_starts(tag, "best_model.") ? 11 :
		   slice_starts(tag, "best.") ? 5 : 0;

	return (struct slice){ tag.p + n, tag.n - n };
}

bool tag_equal(struct slice a, struct slice b)
{
	struct slice x = without_best(a), y = without_best(b);
	bool xe = false, ye = false;
	size_t i, j;

	if (slice_is(a, b))
		return true;
	if (x.n == a.n || y.n == b.n)
		return false;
	if (slice_is(x, y))
		return true;
	i = tolerance(a, &xe);
	j = tolerance(b, &ye);
	if (i == SIZE_MAX || j == SIZE_MAX || xe == ye)
		return false;
	x.n = (size_t)(a.p + i - xe - x.p);
	y.n = (size_t)(b.p + j - ye - y.p);
	return slice_is(x, y) &&
	       slice_is((struct slice){ a.p + i, a.n - i },
			(struct slice){ b.p + j, b.n - j });
}

/* ---- iterations -------------------------------------------------------------- */

static struct slice number(struct slice s, size_t at, size_t n)
{
	while (n > 1 && s.p[at] == '0') {
		at++;
		n--;
	}
	return (struct slice){ s.p + at, n };
}

bool iteration_at(struct slice text, struct iteration *out)
{
	static const char *const marks[] = { "E", "_U", "_S" };
	size_t at = 0, n;

	for (int i = 0; i < 3; i++) {
		n = strlen(marks[i]);
		if (text.n - at < n || memcmp(text.p + at, marks[i], n))
			return false;
		at += n;
		n = digits(text, at);
		if (!n)
			return false;
		out->digits[i] = number(text, at, n);
		at += n;
	}
	out->text = (struct slice){ text.p, at };
	return true;
}

bool iteration_find(struct slice text, struct iteration *out)
{
	for (; text.n; text.p++, text.n--)
		if (*text.p == 'E' && iteration_at(text, out))
			return true;
	return false;
}

bool iteration_minimal(struct slice text, int *which, struct slice *out)
{
	static const char letters[] = "EUS";
	const char *found = text.n > 1 ? strchr(letters, text.p[0]) : NULL;

	if (!found || !*found || 1 + digits(text, 1) != text.n)
		return false;
	*which = (int)(found - letters);
	*out = number(text, 1, text.n - 1);
	return true;
}
