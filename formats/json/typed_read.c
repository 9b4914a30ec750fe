/* Typed JSON to a document: containers, identity, and which tag means what. */
#include "config.h"

#include "formats/json/typed_read.h"

#include <ferry/sys/alloc.h>

#include "formats/json/typed.h"

int typed_nomem(struct ferry_error *err)
{
	return ferry_fail_nomem(err, "a document");
}

int typed_next(struct typed *t, enum json_token *token,
	       struct ferry_error *err)
{
	return json_scan_next(&t->r.scan, token, err);
}

/* The value that comes next. */
int typed_read_next(struct typed *t, unsigned depth,
		    struct ferry_value **out, struct ferry_error *err)
{
	enum json_token token;
	int rc = typed_next(t, &token, err);

	return rc ? rc : typed_read_any(t, token, depth, out, err);
}

int typed_expect(struct typed *t, enum json_token want, const char *what,
		 struct ferry_error *err)
{
	return json_scan_expect(&t->r.scan, want, what, err);
}

static int check_depth(struct typed *t, unsigned depth,
		       struct ferry_error *err)
{
	if (depth <= TYPED_MAX_DEPTH)
		return 0;
	return ferry_fail(err, FERRY_LIMIT, "json", t->r.scan.start,
			  "document is more than %d deep", TYPED_MAX_DEPTH);
}

/* ---- identity ------------------------------------------------------------ */

int typed_remember(struct typed *t, const struct spot *spot,
		   struct ferry_value *v, struct ferry_error *err)
{
	if (!spot->id)
		return 0;
	if (t->n == t->cap) {
		size_t cap = t->cap ? t->cap * 2 : 64;
		void *values = ferry_alloc_resize(t->values, cap,
						  sizeof(*t->values));
		void *ids;

		if (!values)
			return typed_nomem(err);
		t->values = values;
		ids = ferry_alloc_resize(t->ids, cap, sizeof(*t->ids));
		if (!ids)
			return typed_nomem(err);
		t->ids = ids;
		t->cap = cap;
	}
	if (t->n && t->ids[t->n - 1] >= spot->id)
		return json_scan_fail(&t->r.scan, err,
				      "$id %llu does not rise",
				      (unsigned long long)spot->id);
	t->ids[t->n] = spot->id;
	t->values[t->n++] = v;
	return 0;
}

static struct ferry_value *recall(const struct typed *t, uint64_t id)
{
	size_t low = 0, high = t->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (t->ids[middle] < id)
			low = middle + 1;
		else
			high = middle;
	}
	return low < t->n && t->ids[low] == id ? t->values[low] : NULL;
}

static int read_ref(struct typed *t, const struct spot *spot,
		    struct ferry_value **out, struct ferry_error *err)
{
	enum json_token token;
	uint64_t id;
	int rc = typed_next(t, &token, err);

	if (rc)
		return rc;
	*out = json_scan_u64(&t->r.scan, token, &id) && !spot->id ?
		recall(t, id) : NULL;
	if (!*out)
		return json_scan_fail(&t->r.scan, err,
				      "$ref is not the $id of a value before");
	return 0;
}

/* ---- containers ---------------------------------------------------------- */

/* Items up to the bracket that closes them. */
int typed_read_items(struct typed *t, struct ferry_value *list,
		     unsigned depth, struct ferry_error *err)
{
	for (;;) {
		struct ferry_value *item;
		enum json_token token;
		int rc = typed_next(t, &token, err);

		if (rc || token == JSON_END_ARRAY)
			return rc;
		rc = typed_read_any(t, token, depth + 1, &item, err);
		if (rc)
			return rc;
		rc = ferry_list_add(t->r.store, list, item);
		if (rc)
			return ferry_fail(err, rc, "json", t->r.scan.start,
					  "sequence is too long");
	}
}

static int read_sequence(struct typed *t, const struct spot *spot,
			 struct ferry_value **out, struct ferry_error *err)
{
	int rc = typed_expect(t, JSON_BEGIN_ARRAY, "'['", err);

	if (rc)
		return rc;
	*out = ferry_sequence(t->r.store, spot->kind, 0);
	if (!*out)
		return typed_nomem(err);
	rc = typed_remember(t, spot, *out, err);
	return rc ? rc : typed_read_items(t, *out, spot->depth, err);
}

/* Pairs up to the closing brace; `token` is the first key or that brace. */
static int read_members(struct typed *t, struct ferry_value *dict,
			enum json_token token, unsigned depth,
			struct ferry_error *err)
{
	int rc = 0;

	while (!rc && token != JSON_END_OBJECT) {
		struct ferry_value *key, *value;

		rc = json_read_key(&t->r, &key, err);
		if (!rc)
			rc = typed_read_next(t, depth + 1, &value, err);
		if (!rc)
			rc = json_set_new(&t->r, dict, key, value, err);
		if (!rc)
			rc = typed_next(t, &token, err);
	}
	return rc;
}

/* [key, value, ...] up to the bracket. */
static int read_flat_pairs(struct typed *t, struct ferry_value *dict,
			   unsigned depth, struct ferry_error *err)
{
	for (;;) {
		struct ferry_value *key, *value;
		enum json_token token;
		int rc = typed_next(t, &token, err);

		if (rc || token == JSON_END_ARRAY)
			return rc;
		rc = typed_read_any(t, token, depth + 1, &key, err);
		if (!rc)
			rc = typed_next(t, &token, err);
		if (!rc && token == JSON_END_ARRAY)
			rc = json_scan_fail(&t->r.scan, err,
					    "dict ends after a key");
		if (!rc)
			rc = typed_read_any(t, token, depth + 1, &value, err);
		if (!rc)
			rc = json_set_new(&t->r, dict, key, value, err);
		if (rc)
			return rc;
	}
}

/* The pairs of a DICT in either form. */
int typed_read_pairs(struct typed *t, struct ferry_value *dict,
		     unsigned depth, struct ferry_error *err)
{
	enum json_token token;
	int rc = typed_next(t, &token, err);

	if (rc)
		return rc;
	if (token == JSON_BEGIN_ARRAY)
		return read_flat_pairs(t, dict, depth, err);
	if (token != JSON_BEGIN_OBJECT)
		return json_scan_fail(&t->r.scan, err, "dict has no pairs");
	rc = typed_next(t, &token, err);
	return rc ? rc : read_members(t, dict, token, depth, err);
}

static int read_dict(struct typed *t, const struct spot *spot,
		     struct ferry_value **out, struct ferry_error *err)
{
	int rc;

	*out = ferry_dict(t->r.store, 0);
	if (!*out)
		return typed_nomem(err);
	rc = typed_remember(t, spot, *out, err);
	return rc ? rc : typed_read_pairs(t, *out, spot->depth, err);
}

/* ---- any value ----------------------------------------------------------- */

static const struct tag {
	const char *name;
	int (*read)(struct typed *t, const struct spot *spot,
		    struct ferry_value **out, struct ferry_error *err);
	int kind;
	unsigned flags;
	bool closes;		/* read goes past the closing brace */
} tags[] = {
	{ .name = "$ref", .read = read_ref },
	{ .name = "$tensor", .read = typed_read_tensor, .kind = FERRY_TENSOR,
	  .closes = true },
	{ .name = "$odict", .read = typed_read_ordered_dict, .closes = true },
	{ .name = "$call", .read = typed_read_object, .kind = FERRY_FORM_CALL,
	  .closes = true },
	{ .name = "$new", .read = typed_read_object, .kind = FERRY_FORM_NEW,
	  .closes = true },
	{ .name = "$tuple", .read = read_sequence, .kind = FERRY_TUPLE },
	{ .name = "$dict", .read = read_dict },
	{ .name = "$items", .read = read_dict },
	{ .name = "$list", .read = read_sequence, .kind = FERRY_LIST },
	{ .name = "$set", .read = read_sequence, .kind = FERRY_SET },
	{ .name = "$frozenset", .read = read_sequence,
	  .kind = FERRY_FROZENSET },
	{ .name = "$global", .read = typed_read_global },
	{ .name = "$py2global", .read = typed_read_global,
	  .flags = FERRY_PY2 },
	{ .name = "$bytes", .read = typed_read_bytes },
	{ .name = "$bytearray", .read = typed_read_bytes,
	  .flags = FERRY_MUTABLE },
	{ .name = "$py2str", .read = typed_read_bytes, .flags = FERRY_PY2 },
	{ .name = "$str", .read = typed_read_str },
	{ .name = "$int", .read = typed_read_int },
	{ .name = "$float", .read = typed_read_float },
	{ .name = "$complex", .read = typed_read_complex },
	{ .name = "$meta", .read = typed_read_tensor, .kind = FERRY_TENSOR,
	  .flags = FERRY_META, .closes = true },
	{ .name = "$storage", .read = typed_read_tensor, .kind = FERRY_STORAGE,
	  .closes = true },
	{ .name = "$instance", .read = typed_read_object,
	  .kind = FERRY_FORM_INSTANCE, .closes = true },
	{ .name = "$persistent", .read = typed_read_object,
	  .kind = FERRY_FORM_PERSISTENT, .closes = true },
	{ .name = "$extension", .read = typed_read_object,
	  .kind = FERRY_FORM_EXTENSION, .closes = true },
	{ .name = "$self", .read = typed_read_object,
	  .kind = FERRY_FORM_SELF, .closes = true },
};

/* The key just scanned names the tag. */
static int read_tag(struct typed *t, struct spot *spot,
		    struct ferry_value **out, struct ferry_error *err)
{
	char shown[64];

	for (size_t i = 0; i < sizeof(tags) / sizeof(*tags); i++) {
		int rc;

		if (!json_scan_is(&t->r.scan, tags[i].name))
			continue;
		spot->kind = tags[i].kind;
		spot->flags = tags[i].flags;
		rc = tags[i].read(t, spot, out, err);
		if (!rc && !tags[i].closes)
			rc = typed_expect(t, JSON_END_OBJECT, "'}'", err);
		return rc;
	}
	ferry_escape(shown, sizeof(shown), t->r.scan.str, t->r.scan.nstr);
	return json_scan_fail(&t->r.scan, err,
			      "'%s' is no word of typed JSON", shown);
}

static int read_id(struct typed *t, struct spot *spot,
		   struct ferry_error *err)
{
	enum json_token token;
	int rc = typed_next(t, &token, err);

	if (rc)
		return rc;
	if (!json_scan_u64(&t->r.scan, token, &spot->id) || !spot->id)
		return json_scan_fail(&t->r.scan, err,
				      "$id is no positive integer");
	return typed_expect(t, JSON_KEY, "a tag", err);
}

static int read_braced(struct typed *t, unsigned depth,
		       struct ferry_value **out, struct ferry_error *err)
{
	struct spot spot = { .depth = depth };
	enum json_token token;
	int rc = typed_next(t, &token, err);

	if (rc)
		return rc;
	if (token == JSON_KEY && t->r.scan.nstr &&
	    t->r.scan.str[0] == '$') {
		if (json_scan_is(&t->r.scan, "$id"))
			rc = read_id(t, &spot, err);
		return rc ? rc : read_tag(t, &spot, out, err);
	}
	*out = ferry_dict(t->r.store, 0);
	if (!*out)
		return typed_nomem(err);
	return read_members(t, *out, token, depth, err);
}

int typed_read_any(struct typed *t, enum json_token token, unsigned depth,
		   struct ferry_value **out, struct ferry_error *err)
{
	int rc;

	if (token != JSON_BEGIN_OBJECT && token != JSON_BEGIN_ARRAY)
		return json_read_scalar(&t->r, token, out, err);
	rc = check_depth(t, depth, err);
	if (rc)
		return rc;
	if (token == JSON_BEGIN_OBJECT)
		return read_braced(t, depth, out, err);
	*out = ferry_sequence(t->r.store, FERRY_LIST, 0);
	if (!*out)
		return typed_nomem(err);
	return typed_read_items(t, *out, depth, err);
}

/* {"$ferry": 1, "document": ...} and nothing else. */
static int read_envelope(struct typed *t, struct ferry_value **out,
			 struct ferry_error *err)
{
	enum json_token token;
	uint64_t version;
	int rc = typed_expect(t, JSON_BEGIN_OBJECT, "'{'", err);

	if (!rc)
		rc = typed_expect(t, JSON_KEY, "\"$ferry\"", err);
	if (!rc && !json_scan_is(&t->r.scan, "$ferry"))
		rc = json_scan_fail(&t->r.scan, err,
				    "text is not typed JSON: its first key is "
				    "not \"$ferry\"");
	if (!rc)
		rc = typed_next(t, &token, err);
	if (rc)
		return rc;
	if (!json_scan_u64(&t->r.scan, token, &version))
		return json_scan_fail(&t->r.scan, err,
				      "version of typed JSON is no number");
	if (version != TYPED_VERSION)
		return ferry_fail(err, FERRY_UNSUPPORTED, "json",
				  t->r.scan.start,
				  "typed JSON has version %llu, this ferry "
				  "reads version %d",
				  (unsigned long long)version, TYPED_VERSION);
	rc = typed_expect(t, JSON_KEY, "\"document\"", err);
	if (!rc && !json_scan_is(&t->r.scan, "document"))
		rc = json_scan_fail(&t->r.scan, err,
				    "typed JSON has no \"document\"");
	if (!rc)
		rc = typed_read_next(t, 0, out, err);
	if (!rc)
		rc = typed_expect(t, JSON_END_OBJECT, "'}'", err);
	if (!rc)
		rc = typed_expect(t, JSON_END, "the end of the text", err);
	return rc;
}

int typed_json_read(const char *text, size_t n, struct ferry_store *store,
		    const struct typed_json_reader *options,
		    struct ferry_value **out, struct ferry_error *err)
{
	static const struct typed_json_reader none = { 0 };
	struct typed t = {
		.r = { .store = store },
		.options = options ? options : &none,
	};
	struct ferry_value *root = NULL;
	int rc;

	json_scan_init(&t.r.scan, text, n, "json");
	rc = read_envelope(&t, &root, err);
	json_scan_release(&t.r.scan);
	ferry_map_release(&t.r.strings);
	ferry_map_release(&t.globals);
	ferry_alloc_free(t.values);
	ferry_alloc_free(t.ids);
	if (!rc)
		*out = root;
	return rc;
}

bool typed_json_probe(const char *text, size_t n)
{
	enum json_token token;
	struct json_scan s;
	bool typed;

	json_scan_init(&s, text, n, "json");
	typed = !json_scan_next(&s, &token, NULL) &&
		token == JSON_BEGIN_OBJECT &&
		!json_scan_next(&s, &token, NULL) && token == JSON_KEY &&
		json_scan_is(&s, "$ferry");
	json_scan_release(&s);
	return typed;
}
