/* Hashes and equality of keys. */
#include "config.h"

#include "core/model/key.h"

#include <math.h>
#include <string.h>

#include <ferry/sys/map.h>

#include "core/model/big.h"

enum {
	TUPLE_BUDGET = 64,	/* elements of a tuple, those below counted */
	LONG_TEXT = 64,		/* bytes from which hashes are compared first */
};

/* A number, reduced so that equal ones look the same. */
struct number {
	enum { SMALL, BIG, REAL, COMPLEX, ODD } form;
	int64_t i;
	double re, im;
	const void *le;
	size_t n;
	uint8_t room[BIG_DOUBLE];
};

static void reduce_double(struct number *out, double f)
{
	out->form = REAL;
	out->re = f;
	out->im = 0;
	if (isnan(f))
		out->form = ODD;
	if (!isfinite(f) || f != trunc(f))
		return;
	if (f >= -0x1p63 && f < 0x1p63) {
		out->form = SMALL;
		out->i = (int64_t)f;
		return;
	}
	out->form = BIG;
	out->n = ferry_big_from_double(f, out->room);
	out->le = out->room;
}

static void reduce(struct number *out, const struct ferry_value *v)
{
	out->form = SMALL;
	if (v->kind == FERRY_BOOL) {
		out->i = v->u.b;
	} else if (v->kind == FERRY_FLOAT) {
		reduce_double(out, v->u.f);
	} else if (v->kind == FERRY_COMPLEX && v->u.c.im == 0) {
		reduce_double(out, v->u.c.re);
	} else if (v->kind == FERRY_COMPLEX) {
		out->form = isnan(v->u.c.re) || isnan(v->u.c.im) ? ODD :
								   COMPLEX;
		out->re = v->u.c.re + 0.0;
		out->im = v->u.c.im;
	} else if (v->flags & FERRY_BIG) {
		out->form = BIG;
		out->le = v->u.s.data;
		out->n = v->u.s.nbytes;
	} else {
		out->i = v->u.i;
	}
}

static bool is_number(const struct ferry_value *v)
{
	return v->kind == FERRY_INT || v->kind == FERRY_BOOL ||
	       v->kind == FERRY_FLOAT || v->kind == FERRY_COMPLEX;
}

/* Text whose bytes are at hand and never change. */
static bool is_text(const struct ferry_value *v)
{
	return v->kind == FERRY_STRING ||
	       (v->kind == FERRY_BYTES &&
		!(v->flags & (FERRY_MUTABLE | FERRY_RANGE)));
}

static uint64_t hash_identity(const struct ferry_value *v)
{
	uintptr_t p = (uintptr_t)v;

	return ferry_hash(&p, sizeof(p));
}

static uint64_t hash_number(const struct ferry_value *v)
{
	struct number num;
	double parts[2];

	reduce(&num, v);
	if (num.form == SMALL)
		return ferry_hash(&num.i, sizeof(num.i));
	if (num.form == BIG)
		return ferry_hash(num.le, num.n);
	if (num.form == ODD)
		return hash_identity(v);
	parts[0] = num.re;
	parts[1] = num.im;
	return ferry_hash(parts, num.form == REAL ? 8 : 16);
}

/* 0 is what a cache holds before it holds a hash. */
static uint64_t known(uint64_t hash)
{
	return hash ? hash : 1;
}

static uint64_t hash_text(const struct ferry_value *v)
{
	if (!v->u.s.hash)
		((struct ferry_value *)v)->u.s.hash =
			known(ferry_hash(v->u.s.data, v->u.s.nbytes));
	return v->u.s.hash;
}

static uint64_t hash_global(const struct ferry_value *v)
{
	uint64_t both[2] = {
		ferry_hash(v->u.global.module, v->u.global.module_len),
		ferry_hash(v->u.global.name, v->u.global.name_len),
	};

	return ferry_hash(both, sizeof(both));
}

static uint64_t hash_plain(const struct ferry_value *v)
{
	if (is_text(v))
		return hash_text(v);
	if (is_number(v))
		return hash_number(v);
	if (v->kind == FERRY_GLOBAL)
		return hash_global(v);
	if (v->kind == FERRY_NONE)
		return hash_identity(NULL);
	return hash_identity(v);
}

/* False when the elements, counted as if nothing were shared, are too many:
 * which depends on the value alone, so equal tuples agree. */
static bool hash_tuple(const struct ferry_value *v, uint32_t *left,
		       uint64_t *out)
{
	uint64_t hashes[TUPLE_BUDGET];
	uint32_t n = v->u.list.n;
	struct ferry_value *item;

	if (n > *left)
		return false;
	*left -= n;
	for (uint32_t i = 0; i < n; i++) {
		item = v->u.list.items[i];
		if (item->kind != FERRY_TUPLE)
			hashes[i] = hash_plain(item);
		else if (!*left || !hash_tuple(item, left, &hashes[i]))
			return false;
	}
	*out = ferry_hash(hashes, n * sizeof(*hashes));
	return true;
}

uint64_t ferry_key_hash(const struct ferry_value *key)
{
	uint32_t left = TUPLE_BUDGET;
	uint64_t hash;

	if (key->kind != FERRY_TUPLE)
		return hash_plain(key);
	if (key->u.list.hash)
		return key->u.list.hash;
	if (!hash_tuple(key, &left, &hash))
		hash = hash_identity(key);
	((struct ferry_value *)key)->u.list.hash = known(hash);
	return known(hash);
}

static bool same_number(const struct ferry_value *a,
			const struct ferry_value *b)
{
	struct number x, y;

	reduce(&x, a);
	reduce(&y, b);
	if (x.form != y.form || x.form == ODD)
		return false;
	if (x.form == SMALL)
		return x.i == y.i;
	if (x.form == BIG)
		return x.n == y.n && !memcmp(x.le, y.le, x.n);
	return x.re == y.re && (x.form == REAL || x.im == y.im);
}

static bool same_text(const struct ferry_value *a, const struct ferry_value *b,
		      bool share)
{
	uint64_t n = a->u.s.nbytes;

	if (a->kind != b->kind || a->flags != b->flags || n != b->u.s.nbytes)
		return false;
	if (a->u.s.data == b->u.s.data)
		return true;
	if (n >= LONG_TEXT && hash_text(a) != hash_text(b))
		return false;
	if (n && memcmp(a->u.s.data, b->u.s.data, n))
		return false;
	if (share)
		((struct ferry_value *)b)->u.s.data = a->u.s.data;
	return true;
}

static bool same_global(const struct ferry_value *a,
			const struct ferry_value *b)
{
	return a->u.global.module_len == b->u.global.module_len &&
	       a->u.global.name_len == b->u.global.name_len &&
	       !memcmp(a->u.global.module, b->u.global.module,
		       a->u.global.module_len) &&
	       !memcmp(a->u.global.name, b->u.global.name,
		       a->u.global.name_len);
}

static bool same_plain(const struct ferry_value *a,
		       const struct ferry_value *b, bool share)
{
	if (a == b)
		return true;
	if (is_text(a) && is_text(b))
		return same_text(a, b, share);
	if (is_number(a) && is_number(b))
		return same_number(a, b);
	if (a->kind != b->kind)
		return false;
	if (a->kind == FERRY_GLOBAL)
		return same_global(a, b);
	return a->kind == FERRY_NONE;
}

static bool same_tuple(const struct ferry_value *a,
		       const struct ferry_value *b, uint32_t *left, bool share)
{
	uint32_t n = a->u.list.n;
	struct ferry_value *x, *y;

	if (n != b->u.list.n || n > *left)
		return false;
	*left -= n;
	for (uint32_t i = 0; i < n; i++) {
		x = a->u.list.items[i];
		y = b->u.list.items[i];
		if (x->kind == FERRY_TUPLE && y->kind == FERRY_TUPLE) {
			if (!*left || !same_tuple(x, y, left, share))
				return false;
		} else if (!same_plain(x, y, share)) {
			return false;
		}
	}
	return true;
}

bool ferry_key_same(const struct ferry_value *a, const struct ferry_value *b,
		    bool share)
{
	uint32_t left = TUPLE_BUDGET;

	if (a == b)
		return true;
	if (a->kind == FERRY_TUPLE && b->kind == FERRY_TUPLE)
		return same_tuple(a, b, &left, share);
	return same_plain(a, b, share);
}

static bool tuple_by_value(const struct ferry_value *v, uint32_t *left)
{
	struct ferry_value *item;

	if (v->u.list.n > *left)
		return false;
	*left -= v->u.list.n;
	for (uint32_t i = 0; i < v->u.list.n; i++) {
		item = v->u.list.items[i];
		if (item->kind != FERRY_TUPLE ? !ferry_key_by_value(item) :
		    !*left || !tuple_by_value(item, left))
			return false;
	}
	return true;
}

bool ferry_key_by_value(const struct ferry_value *key)
{
	uint32_t left = TUPLE_BUDGET;
	struct number num;

	if (is_number(key)) {
		reduce(&num, key);
		return num.form != ODD;
	}
	if (key->kind == FERRY_TUPLE)
		return tuple_by_value(key, &left);
	return is_text(key) || key->kind == FERRY_NONE ||
	       key->kind == FERRY_GLOBAL;
}
