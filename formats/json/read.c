/* JSON text to values. */
#include "config.h"

#include "formats/json/json.h"
#include "formats/json/read.h"

static int fail_nomem(struct ferry_error *err)
{
	return ferry_fail_nomem(err, "a JSON value");
}

/* Say where: what the numbers' and bytes' parsers can't know. */
int json_located(const struct json_reader *r, int rc, struct ferry_error *err)
{
	if (rc && err && err->offset == FERRY_NO_OFFSET &&
	    rc != FERRY_NOMEM && rc != FERRY_IO)
		err->offset = r->scan.base + r->scan.start;
	return rc;
}

static int read_real(struct json_reader *r, struct ferry_value **out,
		     struct ferry_error *err)
{
	double f;
	int rc = json_parse_real(r->scan.str, r->scan.nstr, &f);

	if (rc == FERRY_NOMEM)
		return fail_nomem(err);
	if (rc)
		return ferry_fail(err, FERRY_LIMIT, r->scan.origin,
				  r->scan.base + r->scan.start,
				  "number is too large for a float64");
	*out = ferry_float(r->store, f);
	return *out ? 0 : fail_nomem(err);
}

int json_read_scalar(struct json_reader *r, enum json_token token,
		     struct ferry_value **out, struct ferry_error *err)
{
	switch (token) {
	case JSON_LITERAL_NULL:
		*out = ferry_none();
		return 0;
	case JSON_LITERAL_TRUE:
	case JSON_LITERAL_FALSE:
		*out = ferry_bool(token == JSON_LITERAL_TRUE);
		return 0;
	case JSON_TEXT:
		*out = json_intern(r->store, &r->strings, r->scan.str,
				   r->scan.nstr);
		return *out ? 0 : fail_nomem(err);
	case JSON_NUMBER:
		if (r->scan.is_real)
			return read_real(r, out, err);
		return json_located(r, json_parse_int(r->store, r->scan.str,
						      r->scan.nstr, out, err),
				    err);
	default:
		return json_scan_fail(&r->scan, err,
				      "JSON text ends inside a value");
	}
}

int json_read_key(struct json_reader *r, struct ferry_value **out,
		  struct ferry_error *err)
{
	*out = json_intern(r->store, &r->strings, r->scan.str, r->scan.nstr);
	return *out ? 0 : fail_nomem(err);
}

/* Set a key that must be new: JSON does not say which of two would hold. */
int json_set_new(struct json_reader *r, struct ferry_value *dict,
		 struct ferry_value *key, struct ferry_value *value,
		 struct ferry_error *err)
{
	uint32_t n = dict->u.dict.n;
	char shown[128];
	int rc = ferry_dict_set(r->store, dict, key, value);

	if (rc == FERRY_NOMEM)
		return fail_nomem(err);
	if (rc)
		return ferry_fail(err, rc, r->scan.origin,
				  r->scan.base + r->scan.start,
				  "object has a key that can't be kept");
	if (dict->u.dict.n > n)
		return 0;
	if (key->kind != FERRY_STRING)
		return json_scan_fail(&r->scan, err,
				      "object has the same key twice");
	ferry_escape(shown, sizeof(shown), key->u.s.data,
		     (size_t)key->u.s.nbytes);
	return json_scan_fail(&r->scan, err, "object has the key '%s' twice",
			      shown);
}

static int read_array(struct json_reader *r, unsigned depth,
		      struct ferry_value **out, struct ferry_error *err)
{
	struct ferry_value *list = ferry_sequence(r->store, FERRY_LIST, 0);

	if (!list)
		return fail_nomem(err);
	for (;;) {
		struct ferry_value *item;
		enum json_token token;
		int rc = json_scan_next(&r->scan, &token, err);

		if (rc)
			return rc;
		if (token == JSON_END_ARRAY)
			break;
		rc = json_read_plain(r, token, depth + 1, &item, err);
		if (rc)
			return rc;
		rc = ferry_list_add(r->store, list, item);
		if (rc)
			return ferry_fail(err, rc, r->scan.origin,
					  r->scan.base + r->scan.start,
					  "array is too long");
	}
	*out = list;
	return 0;
}

static int read_object(struct json_reader *r, unsigned depth,
		       struct ferry_value **out, struct ferry_error *err)
{
	struct ferry_value *dict = ferry_dict(r->store, 0);

	if (!dict)
		return fail_nomem(err);
	for (;;) {
		struct ferry_value *key, *value;
		enum json_token token;
		int rc = json_scan_next(&r->scan, &token, err);

		if (rc)
			return rc;
		if (token == JSON_END_OBJECT)
			break;
		rc = json_read_key(r, &key, err);
		if (!rc)
			rc = json_scan_next(&r->scan, &token, err);
		if (!rc)
			rc = json_read_plain(r, token, depth + 1, &value, err);
		if (!rc)
			rc = json_set_new(r, dict, key, value, err);
		if (rc)
			return rc;
	}
	*out = dict;
	return 0;
}

int json_check_depth(struct json_reader *r, unsigned depth,
		     struct ferry_error *err)
{
	if (depth < FERRY_MAX_DEPTH)
		return 0;
	return ferry_fail(err, FERRY_LIMIT, r->scan.origin,
			  r->scan.base + r->scan.start,
			  "JSON text is nested more than %d deep",
			  FERRY_MAX_DEPTH);
}

int json_read_plain(struct json_reader *r, enum json_token token,
		    unsigned depth, struct ferry_value **out,
		    struct ferry_error *err)
{
	int rc;

	if (token != JSON_BEGIN_OBJECT && token != JSON_BEGIN_ARRAY)
		return json_read_scalar(r, token, out, err);
	rc = json_check_depth(r, depth, err);
	if (rc)
		return rc;
	if (token == JSON_BEGIN_OBJECT)
		return read_object(r, depth, out, err);
	return read_array(r, depth, out, err);
}

int json_read(const char *text, size_t n, struct ferry_store *store,
	      struct ferry_value **out, struct ferry_error *err)
{
	struct json_reader r = { .store = store };
	struct ferry_value *root = NULL;
	enum json_token token;
	int rc;

	json_scan_init(&r.scan, text, n, "json");
	rc = json_scan_next(&r.scan, &token, err);
	if (!rc)
		rc = json_read_plain(&r, token, 0, &root, err);
	if (!rc)
		rc = json_scan_next(&r.scan, &token, err);
	json_scan_release(&r.scan);
	ferry_map_release(&r.strings);
	if (!rc)
		*out = root;
	return rc;
}
