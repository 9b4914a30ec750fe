/* Dates: PyYAML's timestamps, as the objects that Python's pickle makes. */
#include "config.h"

#include <string.h>

#include "formats/yaml/scalar.h"

#define DAY_SECONDS 86400

struct cursor {
	const char *p, *end;
};

/* Between `least` and `most` digits. */
static bool take_number(struct cursor *c, unsigned least, unsigned most,
			unsigned *out)
{
	unsigned n = 0;

	for (*out = 0; n < most && c->p < c->end && *c->p >= '0' &&
	     *c->p <= '9'; n++)
		*out = *out * 10 + (unsigned)(*c->p++ - '0');
	return n >= least;
}

static bool take_char(struct cursor *c, char want)
{
	if (c->p == c->end || *c->p != want)
		return false;
	c->p++;
	return true;
}

static bool take_blanks(struct cursor *c)
{
	const char *from = c->p;

	while (take_char(c, ' ') || take_char(c, '\t'))
		;
	return c->p > from;
}

/* More than six digits are cut, not rounded. */
static void take_fraction(struct cursor *c, unsigned *out)
{
	unsigned n = 0, digit;

	*out = 0;
	for (; take_number(c, 1, 1, &digit); n++)
		if (n < 6)
			*out = *out * 10 + digit;
	for (; n < 6; n++)
		*out *= 10;
}

static bool take_zone(struct cursor *c, struct yaml_time *out)
{
	unsigned hours, minutes = 0;
	bool minus;

	take_blanks(c);
	out->has_zone = true;
	if (take_char(c, 'Z'))
		return true;
	minus = take_char(c, '-');
	if ((!minus && !take_char(c, '+')) || !take_number(c, 1, 2, &hours) ||
	    (take_char(c, ':') && !take_number(c, 2, 2, &minutes)))
		return false;
	out->zone = (int)(hours * 3600 + minutes * 60);
	if (minus)
		out->zone = -out->zone;
	return true;
}

bool yaml_scan_time(const char *text, size_t n, struct yaml_time *out)
{
	struct cursor c = { text, text + n };

	memset(out, 0, sizeof(*out));
	if (!take_number(&c, 4, 4, &out->year) || !take_char(&c, '-') ||
	    !take_number(&c, 1, 2, &out->month) || !take_char(&c, '-') ||
	    !take_number(&c, 1, 2, &out->day))
		return false;
	if (c.p == c.end)
		return true;
	out->has_time = true;
	if (!take_char(&c, 'T') && !take_char(&c, 't') && !take_blanks(&c))
		return false;
	if (!take_number(&c, 1, 2, &out->hour) || !take_char(&c, ':') ||
	    !take_number(&c, 2, 2, &out->minute) || !take_char(&c, ':') ||
	    !take_number(&c, 2, 2, &out->second))
		return false;
	if (take_char(&c, '.'))
		take_fraction(&c, &out->micro);
	return c.p == c.end || (take_zone(&c, out) && c.p == c.end);
}

static unsigned days_in(unsigned month, unsigned year)
{
	static const uint8_t days[] = {
		31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31,
	};
	bool leap = year % 4 == 0 && (year % 100 || year % 400 == 0);

	return days[month - 1] + (month == 2 && leap);
}

static bool is_lawful(const struct yaml_time *t)
{
	return t->year && t->month && t->month <= 12 && t->day &&
	       t->day <= days_in(t->month, t->year) && t->hour < 24 &&
	       t->minute < 60 && t->second < 60 &&
	       t->zone > -DAY_SECONDS && t->zone < DAY_SECONDS;
}

static struct ferry_value *call(struct ferry_store *store, const char *name,
				struct ferry_value *args)
{
	struct ferry_value *callable;

	callable = ferry_global(store, "datetime", strlen("datetime"), name,
				strlen(name));
	if (!callable || !args)
		return NULL;
	return ferry_object(store, FERRY_FORM_CALL, callable, args, NULL);
}

static struct ferry_value *make_zone(struct ferry_store *store, int zone)
{
	struct ferry_value *args, *delta, *part;
	int parts[3] = { zone < 0 ? -1 : 0, zone < 0 ? zone + DAY_SECONDS :
			 zone, 0 };

	args = ferry_sequence(store, FERRY_TUPLE, 3);
	for (unsigned i = 0; i < 3; i++) {
		part = ferry_int(store, parts[i]);
		if (!args || !part || ferry_list_add(store, args, part))
			return NULL;
	}
	delta = call(store, "timedelta", args);
	args = ferry_sequence(store, FERRY_TUPLE, 1);
	if (!delta || !args || ferry_list_add(store, args, delta))
		return NULL;
	return call(store, "timezone", args);
}

int yaml_make_time(struct ferry_store *store, const struct yaml_time *t,
		   struct ferry_value **out)
{
	const uint8_t packed[10] = {
		(uint8_t)(t->year >> 8), (uint8_t)t->year, (uint8_t)t->month,
		(uint8_t)t->day, (uint8_t)t->hour, (uint8_t)t->minute,
		(uint8_t)t->second, (uint8_t)(t->micro >> 16),
		(uint8_t)(t->micro >> 8), (uint8_t)t->micro,
	};
	struct ferry_value *args, *bytes, *zone;

	if (!is_lawful(t))
		return FERRY_MALFORMED;
	args = ferry_sequence(store, FERRY_TUPLE, 2);
	bytes = ferry_bytes(store, packed, t->has_time ? 10 : 4, 0);
	if (!args || !bytes || ferry_list_add(store, args, bytes))
		return FERRY_NOMEM;
	if (t->has_zone) {
		zone = make_zone(store, t->zone);
		if (!zone || ferry_list_add(store, args, zone))
			return FERRY_NOMEM;
	}
	*out = call(store, t->has_time ? "datetime" : "date", args);
	return *out ? 0 : FERRY_NOMEM;
}

/* ---- writing ------------------------------------------------------------- */

/* The arguments of a bare call of datetime.<name>, or NULL. */
static const struct ferry_value *args_of(const struct ferry_value *v,
					 const char *name)
{
	const struct ferry_object *o = v->u.object;

	if (v->kind != FERRY_OBJECT || o->form != FERRY_FORM_CALL ||
	    !o->callable || o->kwargs || o->list || o->dict || o->state ||
	    !ferry_value_is_global(o->callable, "datetime", name) ||
	    !o->args || o->args->kind != FERRY_TUPLE)
		return NULL;
	return o->args;
}

static const uint8_t *packed_of(const struct ferry_value *args, uint64_t n)
{
	const struct ferry_value *v = args->u.list.n ? args->u.list.items[0] :
						       NULL;

	if (!v || v->kind != FERRY_BYTES || v->flags || v->u.s.nbytes != n)
		return NULL;
	return (const uint8_t *)v->u.s.data;
}

/* Seconds of datetime.timezone(datetime.timedelta(days, seconds, 0)). */
static bool zone_of(const struct ferry_value *v, int *out)
{
	const struct ferry_value *args = args_of(v, "timezone"), *part;
	int64_t parts[3];

	if (!args || args->u.list.n != 1)
		return false;
	args = args_of(args->u.list.items[0], "timedelta");
	if (!args || args->u.list.n != 3)
		return false;
	for (unsigned i = 0; i < 3; i++) {
		part = args->u.list.items[i];
		if (part->kind != FERRY_INT || part->flags & FERRY_BIG ||
		    part->u.i < -1 || part->u.i >= DAY_SECONDS)
			return false;
		parts[i] = part->u.i;
	}
	*out = (int)(parts[0] * DAY_SECONDS + parts[1]);
	return !parts[2] && parts[0] <= 0 && parts[1] >= 0;
}

static bool unpack(const struct ferry_value *v, struct yaml_time *t)
{
	const struct ferry_value *args = args_of(v, "date");
	const uint8_t *p;

	memset(t, 0, sizeof(*t));
	p = args && args->u.list.n == 1 ? packed_of(args, 4) : NULL;
	if (!p) {
		args = args_of(v, "datetime");
		p = args && args->u.list.n <= 2 ? packed_of(args, 10) : NULL;
		t->has_time = p;
	}
	if (!p)
		return false;
	t->year = (unsigned)p[0] << 8 | p[1];
	t->month = p[2];
	t->day = p[3];
	if (t->has_time) {
		t->hour = p[4];
		t->minute = p[5];
		t->second = p[6];
		t->micro = (unsigned)p[7] << 16 | (unsigned)p[8] << 8 | p[9];
		t->has_zone = args->u.list.n == 2;
	}
	if (t->has_zone && !zone_of(args->u.list.items[1], &t->zone))
		return false;
	return t->micro < 1000000 && is_lawful(t);
}

bool yaml_is_time(const struct ferry_value *v)
{
	struct yaml_time t;

	return v->kind == FERRY_OBJECT && unpack(v, &t);
}

void yaml_add_time(struct ferry_buffer *out, const struct ferry_value *v)
{
	struct yaml_time t;
	unsigned zone;

	if (!unpack(v, &t))
		return;
	ferry_buffer_printf(out, "%04u-%02u-%02u", t.year, t.month, t.day);
	if (t.has_time)
		ferry_buffer_printf(out, " %02u:%02u:%02u", t.hour, t.minute,
				    t.second);
	if (t.micro)
		ferry_buffer_printf(out, ".%06u", t.micro);
	if (!t.has_zone)
		return;
	zone = (unsigned)(t.zone < 0 ? -t.zone : t.zone);
	ferry_buffer_printf(out, "%c%02u:%02u", t.zone < 0 ? '-' : '+',
			    zone / 3600, zone / 60 % 60);
	if (zone % 60)
		ferry_buffer_printf(out, ":%02u", zone % 60);
}
