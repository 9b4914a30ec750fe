/* numpy's one-word dtypes. */
#include "config.h"

#include "formats/numpy/element.h"

#include <stdio.h>
#include <string.h>

#include <ferry/sys/ckd.h>

struct known {
	const char *descr;	/* without byte order */
	char code;		/* the one-letter name, or 0 */
	uint8_t dtype;
};

static const struct known table[] = {
	{ "b1", '?', FERRY_BOOL8 },
	{ "i1", 'b', FERRY_I8 },
	{ "i2", 'h', FERRY_I16 },
	{ "i4", 'i', FERRY_I32 },
	{ "i8", 'l', FERRY_I64 },
	{ "i8", 'q', FERRY_I64 },
	{ "i8", 'p', FERRY_I64 },
	{ "u1", 'B', FERRY_U8 },
	{ "u2", 'H', FERRY_U16 },
	{ "u4", 'I', FERRY_U32 },
	{ "u8", 'L', FERRY_U64 },
	{ "u8", 'Q', FERRY_U64 },
	{ "u8", 'P', FERRY_U64 },
	{ "f2", 'e', FERRY_F16 },
	{ "f4", 'f', FERRY_F32 },
	{ "f8", 'd', FERRY_F64 },
	{ "c8", 'F', FERRY_C64 },
	{ "c16", 'D', FERRY_C128 },
	/* how ml_dtypes' float8_e5m2 is saved; numpy alone can't load it */
	{ "f1", 0, FERRY_F8_E5M2 },
};

static int unsupported(const char *descr, const char *why,
		       struct ferry_error *err)
{
	char text[80];

	ferry_escape(text, sizeof(text), descr, strlen(descr));
	return ferry_fail(err, FERRY_UNSUPPORTED, "npy", FERRY_NO_OFFSET,
			  "dtype '%s': %s", text, why);
}

static void set_plain(struct element *e, enum ferry_dtype dtype, char order)
{
	e->dtype = dtype;
	e->nbytes = ferry_dtype_size(dtype);
	if (order == '>' && ferry_dtype_swap_size(dtype) > 1)
		e->swap = ferry_dtype_swap_size(dtype);
}

static void set_special(struct element *e, enum ferry_dtype dtype, bool tail,
			uint64_t per)
{
	e->dtype = dtype;
	e->special = true;
	e->tail = tail;
	e->per = per;
	e->nbytes = per * ferry_dtype_size(dtype);
}

/* numpy's and ml_dtypes' names in full: "float32", "bfloat16" */
static bool find_name(const char *descr, struct element *e)
{
	enum ferry_dtype d = ferry_dtype_find(descr);
	unsigned bits = d ? ferry_dtype_bits(d) : 0;

	if (!d || strcmp(ferry_dtype_name(d), descr) || d == FERRY_C32 ||
	    bits % 8 || ferry_dtype_is_quantized(d) || d == FERRY_F4_E2M1_X2 ||
	    (d >= FERRY_BITS8 && d <= FERRY_BITS4X2))
		return false;
	set_plain(e, d, '<');
	return true;
}

static bool find_known(const char *word, char order, struct element *e)
{
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		const struct known *k = &table[i];

		if (strcmp(word, k->descr) && !(k->code && *word == k->code &&
						!word[1]))
			continue;
		set_plain(e, k->dtype, order);
		return true;
	}
	return false;
}

/* Decimal digits to the end; no digits are 0. */
static bool parse_count(const char *text, uint64_t *out)
{
	uint64_t n = 0;

	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return false;
		n = n * 10 + (uint64_t)(*text - '0');
		if (n > INT32_MAX)
			return false;
	}
	*out = n;
	return true;
}

static int parse_void(const char *descr, uint64_t n,
		      const struct numpy_read_options *o, struct element *e,
		      struct ferry_error *err)
{
	if (n == 2 && !o->v2_raw) {
		set_plain(e, FERRY_BF16, '<');
		e->v2 = true;
		return 0;
	}
	if (n == 1 && o->v1) {
		set_plain(e, o->v1, '<');
		return 0;
	}
	if (n == 1 && !o->v1_raw)
		return unsupported(descr, "1-byte elements without a type, as "
				   "libraries that add float8 or int4 to numpy "
				   "save them; say which with npy-v1, for "
				   "instance --set npy-v1=float8_e4m3fn, or "
				   "npy-v1=raw for bytes", err);
	set_special(e, FERRY_U8, true, n);
	snprintf(e->descr, sizeof(e->descr), "|V%u", (unsigned)n);
	return 0;
}

/* word: "S7", "U3", "V16" */
static int parse_sized(const char *descr, const char *word, char order,
		       const struct numpy_read_options *o, struct element *e,
		       struct ferry_error *err)
{
	uint64_t n;

	if (!parse_count(word + 1, &n) || (*word == 'U' && n > INT32_MAX / 4))
		return unsupported(descr, "its size is no number numpy takes",
				   err);
	if (*word == 'V')
		return parse_void(descr, n, o, e, err);
	if (*word == 'U') {
		set_special(e, FERRY_U32, true, n);
		e->swap = order == '>' ? 4 : 0;
		snprintf(e->descr, sizeof(e->descr), "<U%u", (unsigned)n);
		return 0;
	}
	set_special(e, FERRY_U8, true, n);
	snprintf(e->descr, sizeof(e->descr), "|S%u", (unsigned)n);
	return 0;
}

static bool is_unit(const char *unit)
{
	static const char *const known[] = { "Y", "M", "W", "D", "h", "m", "s",
					     "ms", "us", "ns", "ps", "fs", "as",
					     "generic" };
	size_t n = strlen(unit);

	while (*unit >= '0' && *unit <= '9')
		unit++, n--;
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (n == strlen(known[i]) + 1 && unit[n - 1] == ']' &&
		    !memcmp(unit, known[i], n - 1))
			return true;
	return false;
}

/* word: "M8[ns]", "m8" */
static int parse_time(const char *descr, const char *word, char order,
		      struct element *e, struct ferry_error *err)
{
	const char *unit = word + 1;

	if (*unit == '8')
		unit++;
	if (*unit && (*unit != '[' || !is_unit(unit + 1)))
		return unsupported(descr, "its unit of time is unknown", err);
	set_special(e, FERRY_I64, false, 1);
	e->swap = order == '>' ? 8 : 0;
	snprintf(e->descr, sizeof(e->descr), "<%c8%s", *word, unit);
	return 0;
}

static int parse_word(const char *descr, const char *word, char order,
		      const struct numpy_read_options *o, struct element *e,
		      struct ferry_error *err)
{
	if (find_known(word, order, e))
		return 0;
	if (!strcmp(word, "O") || !strcmp(word, "O8") || !strcmp(word, "O4")) {
		e->object = true;
		return 0;
	}
	if (*word == 'S' || *word == 'a' || *word == 'U' || *word == 'V')
		return parse_sized(descr, word, order, o, e, err);
	if (*word == 'M' || *word == 'm')
		return parse_time(descr, word, order, e, err);
	if (!strcmp(word, "f16") || !strcmp(word, "f12") ||
	    !strcmp(word, "c32") || !strcmp(word, "c24") ||
	    !strcmp(word, "g") || !strcmp(word, "G"))
		return unsupported(descr, "a long double is laid out as the "
				   "machine that wrote it does; save it as "
				   "float64", err);
	if (word == descr && find_name(descr, e))
		return 0;
	return unsupported(descr, "not a dtype ferry knows", err);
}

int element_parse(const struct ferry_value *value,
		  const struct numpy_read_options *options,
		  struct element *out, struct ferry_error *err)
{
	char descr[ELEMENT_DESCR_MAX];
	const char *word = descr;
	struct element e = { .per = 1 };
	char order = '<';
	int rc;

	if (value->kind != FERRY_STRING ||
	    value->u.s.nbytes >= sizeof(descr) ||
	    memchr(value->u.s.data, 0, value->u.s.nbytes))
		return ferry_fail(err, FERRY_UNSUPPORTED, "npy",
				  FERRY_NO_OFFSET, "dtype is not one of "
				  "numpy's short names such as '<f4'");
	memcpy(descr, value->u.s.data, value->u.s.nbytes);
	descr[value->u.s.nbytes] = 0;
	if (*word && strchr("<>|=", *word))
		order = *word++;
	rc = parse_word(descr, word, order, options, &e, err);
	if (!rc)
		*out = e;
	return rc;
}

const char *element_descr(enum ferry_dtype dtype)
{
	static const char *const descrs[FERRY_N_DTYPES] = {
		[FERRY_BOOL8] = "|b1",
		[FERRY_U8] = "|u1",
		[FERRY_I8] = "|i1",
		[FERRY_U16] = "<u2",
		[FERRY_I16] = "<i2",
		[FERRY_U32] = "<u4",
		[FERRY_I32] = "<i4",
		[FERRY_U64] = "<u8",
		[FERRY_I64] = "<i8",
		[FERRY_F16] = "<f2",
		[FERRY_F32] = "<f4",
		[FERRY_F64] = "<f8",
		[FERRY_C64] = "<c8",
		[FERRY_C128] = "<c16",
		[FERRY_BF16] = "<V2",
		[FERRY_F8_E4M3FN] = "|V1",
		[FERRY_F8_E5M2] = "|V1",
		[FERRY_F8_E4M3FNUZ] = "|V1",
		[FERRY_F8_E5M2FNUZ] = "|V1",
		[FERRY_F8_E8M0FNU] = "|V1",
	};

	return dtype < FERRY_N_DTYPES ? descrs[dtype] : NULL;
}

uint64_t numpy_dtypes(void)
{
	uint64_t mask = 0;

	for (int d = 1; d < FERRY_N_DTYPES; d++)
		if (element_descr(d) && element_descr(d)[1] != 'V')
			mask |= FERRY_DTYPE_BIT(d);
	return mask;
}
