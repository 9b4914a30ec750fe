/* Values without identity; the usual ones are constants. */
#include "config.h"

#include <ferry/sys/build.h>

#include "core/model/store.h"

#define INT1(n) { .kind = FERRY_INT, .u.i = (n) }
#define INT4(n) INT1(n), INT1((n) + 1), INT1((n) + 2), INT1((n) + 3)
#define INT16(n) INT4(n), INT4((n) + 4), INT4((n) + 8), INT4((n) + 12)
#define INT64(n) INT16(n), INT16((n) + 16), INT16((n) + 32), INT16((n) + 48)

enum { LEAST_SMALL = -16, MOST_SMALL = 255 };

static const struct ferry_value none = { .kind = FERRY_NONE };
static const struct ferry_value bools[] = {
	{ .kind = FERRY_BOOL, .u.b = false },
	{ .kind = FERRY_BOOL, .u.b = true },
};
static const struct ferry_value small_ints[] = {
	INT16(-16), INT64(0), INT64(64), INT64(128), INT64(192),
};

struct ferry_value *ferry_none(void)
{
	return (struct ferry_value *)&none;
}

struct ferry_value *ferry_bool(bool b)
{
	return (struct ferry_value *)&bools[b];
}

struct ferry_value *ferry_int(struct ferry_store *s, int64_t i)
{
	struct ferry_value *v;

	if (i >= LEAST_SMALL && i <= MOST_SMALL)
		return (struct ferry_value *)&small_ints[i - LEAST_SMALL];
	v = store_scalar(s, FERRY_INT);
	if (v)
		v->u.i = i;
	return v;
}

struct ferry_value *ferry_float(struct ferry_store *s, double f)
{
	struct ferry_value *v = store_scalar(s, FERRY_FLOAT);

	if (v)
		v->u.f = f;
	return v;
}

struct ferry_value *ferry_complex(struct ferry_store *s, double re, double im)
{
	struct ferry_value *v = store_value(s, FERRY_COMPLEX);

	if (v) {
		v->u.c.re = re;
		v->u.c.im = im;
	}
	return v;
}
