/* Typed JSON: numbers, texts, bytes and globals. */
#include "config.h"

#include "formats/json/typed_read.h"

#include <string.h>

#include <ferry/sys/alloc.h>

/* Bytes of the longest integer; more than any real one. */
#define MAX_INT_BYTES (1 << 20)

static int read_hex_double(struct typed *t, double *out,
			   struct ferry_error *err)
{
	uint64_t bits = 0;

	if (t->r.scan.nstr != 20 || memcmp(t->r.scan.str, "nan:", 4) != 0)
		goto bad;
	for (size_t i = 4; i < 20; i++) {
		int digit = json_hex_digit(t->r.scan.str[i]);

		if (digit < 0)
			goto bad;
		bits = bits << 4 | (unsigned)digit;
	}
	memcpy(out, &bits, sizeof(bits));
	return 0;
bad:
	return json_scan_fail(&t->r.scan, err, "text is no float");
}

/* A number, or the words for what JSON has no number for. */
static int read_double(struct typed *t, double *out, struct ferry_error *err)
{
	uint64_t bits = 0;
	enum json_token token;
	int rc = typed_next(t, &token, err);

	if (rc)
		return rc;
	if (token == JSON_NUMBER) {
		rc = json_parse_real(t->r.scan.str, t->r.scan.nstr, out);
		if (rc == FERRY_NOMEM)
			return typed_nomem(err);
		if (rc)
			return json_scan_fail(&t->r.scan, err,
					      "number is no float64");
		return 0;
	}
	if (token != JSON_TEXT)
		return json_scan_fail(&t->r.scan, err, "value is no float");
	if (json_scan_is(&t->r.scan, "inf"))
		bits = UINT64_C(0x7ff0000000000000);
	else if (json_scan_is(&t->r.scan, "-inf"))
		bits = UINT64_C(0xfff0000000000000);
	else if (json_scan_is(&t->r.scan, "nan"))
		bits = UINT64_C(0x7ff8000000000000);
	else
		return read_hex_double(t, out, err);
	memcpy(out, &bits, sizeof(bits));
	return 0;
}

int typed_read_float(struct typed *t, const struct spot *spot,
		     struct ferry_value **out, struct ferry_error *err)
{
	double f;
	int rc = read_double(t, &f, err);

	(void)spot;
	if (rc)
		return rc;
	*out = ferry_float(t->r.store, f);
	return *out ? 0 : typed_nomem(err);
}

int typed_read_complex(struct typed *t, const struct spot *spot,
		       struct ferry_value **out, struct ferry_error *err)
{
	double re, im;
	int rc = typed_expect(t, JSON_BEGIN_ARRAY, "'['", err);

	(void)spot;
	if (!rc)
		rc = read_double(t, &re, err);
	if (!rc)
		rc = read_double(t, &im, err);
	if (!rc)
		rc = typed_expect(t, JSON_END_ARRAY, "']'", err);
	if (rc)
		return rc;
	*out = ferry_complex(t->r.store, re, im);
	return *out ? 0 : typed_nomem(err);
}

static int read_hex_int(struct typed *t, struct ferry_value **out,
			struct ferry_error *err)
{
	const char *hex = t->r.scan.str + 2;
	size_t n = (t->r.scan.nstr - 2) / 2;
	unsigned char *le;

	if (t->r.scan.nstr % 2 || !n || n > MAX_INT_BYTES)
		return json_scan_fail(&t->r.scan, err,
				      "text is no integer in hexadecimal");
	le = ferry_alloc(n);
	if (!le)
		return typed_nomem(err);
	for (size_t i = 0; i < n; i++) {
		int high = json_hex_digit(hex[2 * i]);
		int low = json_hex_digit(hex[2 * i + 1]);

		if (high < 0 || low < 0) {
			ferry_alloc_free(le);
			return json_scan_fail(&t->r.scan, err,
					      "text is no integer in "
					      "hexadecimal");
		}
		le[n - 1 - i] = (unsigned char)(high << 4 | low);
	}
	*out = ferry_big(t->r.store, le, n);
	ferry_alloc_free(le);
	return *out ? 0 : typed_nomem(err);
}

int typed_read_int(struct typed *t, const struct spot *spot,
		   struct ferry_value **out, struct ferry_error *err)
{
	int rc = typed_expect(t, JSON_TEXT, "an integer as text", err);

	(void)spot;
	if (rc)
		return rc;
	if (t->r.scan.nstr > 2 && !memcmp(t->r.scan.str, "0x", 2))
		return read_hex_int(t, out, err);
	return json_located(&t->r, json_parse_int(t->r.store, t->r.scan.str,
						  t->r.scan.nstr, out, err),
			    err);
}

static int read_base64(struct typed *t, char **data, size_t *n,
		       struct ferry_error *err)
{
	return json_located(&t->r, json_parse_base64(t->r.store,
						     t->r.scan.str,
						     t->r.scan.nstr, data, n,
						     err), err);
}

int typed_read_str(struct typed *t, const struct spot *spot,
		   struct ferry_value **out, struct ferry_error *err)
{
	char *data;
	size_t n;
	int rc = typed_expect(t, JSON_TEXT, "text", err);

	(void)spot;
	if (!rc)
		rc = read_base64(t, &data, &n, err);
	if (rc)
		return rc;
	*out = ferry_string_borrow(t->r.store, data, n);
	return *out ? 0 : typed_nomem(err);
}

/* A name that must be text without NUL, kept by the store. */
int typed_keep_name(struct typed *t, char **out, struct ferry_error *err)
{
	if (memchr(t->r.scan.str, 0, t->r.scan.nstr))
		return json_scan_fail(&t->r.scan, err, "name holds a NUL");
	*out = ferry_store_strndup(t->r.store, t->r.scan.str, t->r.scan.nstr);
	return *out ? 0 : typed_nomem(err);
}

/* {"stored": name} in place of base64. */
static int read_stored_bytes(struct typed *t, const struct spot *spot,
			     struct ferry_value **out,
			     struct ferry_error *err)
{
	char *name;
	int rc = typed_expect(t, JSON_KEY, "\"stored\"", err);

	if (!rc && !json_scan_is(&t->r.scan, "stored"))
		rc = json_scan_fail(&t->r.scan, err,
				    "bytes are neither base64 nor \"stored\"");
	if (!rc)
		rc = typed_expect(t, JSON_TEXT, "a name", err);
	if (!rc)
		rc = typed_keep_name(t, &name, err);
	if (!rc && !t->options->bytes)
		rc = ferry_fail(err, FERRY_UNSUPPORTED, "json",
				t->r.scan.start,
				"bytes are stored as '%s', outside this text",
				name);
	if (!rc)
		rc = t->options->bytes(t->options->ctx, t->r.store, name,
				       spot->flags, out, err);
	if (!rc)
		rc = typed_expect(t, JSON_END_OBJECT, "'}'", err);
	return rc;
}

int typed_read_bytes(struct typed *t, const struct spot *spot,
		     struct ferry_value **out, struct ferry_error *err)
{
	enum json_token token;
	char *data;
	size_t n;
	int rc = typed_next(t, &token, err);

	if (rc)
		return rc;
	if (token == JSON_BEGIN_OBJECT) {
		rc = read_stored_bytes(t, spot, out, err);
	} else if (token == JSON_TEXT) {
		rc = read_base64(t, &data, &n, err);
		if (!rc) {
			*out = ferry_bytes(t->r.store, data, n, spot->flags);
			rc = *out ? 0 : typed_nomem(err);
		}
	} else {
		rc = json_scan_fail(&t->r.scan, err, "value is no bytes");
	}
	return rc ? rc : typed_remember(t, spot, *out, err);
}

/* ---- globals ------------------------------------------------------------- */

int typed_make_global(struct typed *t, unsigned flags, const char *module,
		      size_t nm, const char *name, size_t nn,
		      struct ferry_value **out, struct ferry_error *err)
{
	struct ferry_buffer key = FERRY_BUFFER_INIT;
	uint64_t known;
	char *kept;
	int rc = 0;

	ferry_buffer_printf(&key, "%u:%zu:", flags, nm);
	ferry_buffer_add(&key, module, nm);
	ferry_buffer_add(&key, name, nn);
	if (key.failed) {
		rc = typed_nomem(err);
		goto out;
	}
	if (ferry_map_get(&t->globals, key.data, key.n, &known)) {
		*out = (struct ferry_value *)(uintptr_t)known;
		goto out;
	}
	*out = ferry_global(t->r.store, module, nm, name, nn);
	kept = ferry_store_strndup(t->r.store, key.data, key.n);
	if (!*out || !kept ||
	    ferry_map_put(&t->globals, kept, key.n, (uintptr_t)*out))
		rc = typed_nomem(err);
	else
		(*out)->flags = (uint8_t)flags;
out:
	ferry_buffer_release(&key);
	return rc;
}

/* "module:name", the text being the last token. */
int typed_split_global(struct typed *t, unsigned flags,
		       struct ferry_value **out, struct ferry_error *err)
{
	const char *text = t->r.scan.str;
	size_t n = t->r.scan.nstr;
	const char *colon = n ? memchr(text, ':', n) : NULL;
	size_t nm;

	if (!colon)
		return json_scan_fail(&t->r.scan, err,
				      "global is not \"module:name\"");
	nm = (size_t)(colon - text);
	return typed_make_global(t, flags, text, nm, colon + 1, n - nm - 1, out,
				 err);
}

int typed_read_global(struct typed *t, const struct spot *spot,
		      struct ferry_value **out, struct ferry_error *err)
{
	struct ferry_value *module, *name;
	enum json_token token;
	int rc = typed_next(t, &token, err);

	if (rc)
		return rc;
	if (token == JSON_TEXT)
		return typed_split_global(t, spot->flags, out, err);
	if (token != JSON_BEGIN_ARRAY)
		return json_scan_fail(&t->r.scan, err,
				      "global is not \"module:name\"");
	rc = typed_read_next(t, spot->depth + 1, &module, err);
	if (!rc)
		rc = typed_read_next(t, spot->depth + 1, &name, err);
	if (!rc)
		rc = typed_expect(t, JSON_END_ARRAY, "']'", err);
	if (rc)
		return rc;
	if (module->kind != FERRY_STRING || name->kind != FERRY_STRING ||
	    module->u.s.nbytes > UINT32_MAX || name->u.s.nbytes > UINT32_MAX)
		return json_scan_fail(&t->r.scan, err,
				      "global's module and name are no text");
	return typed_make_global(t, spot->flags, module->u.s.data,
				 (size_t)module->u.s.nbytes, name->u.s.data,
				 (size_t)name->u.s.nbytes, out, err);
}
