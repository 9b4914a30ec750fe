/* Values to YAML text, as OmegaConf.to_yaml and yaml.safe_dump write it. */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include <ferry/sys/alloc.h>

#include "formats/yaml/emit.h"
#include "formats/yaml/held.h"
#include "formats/yaml/scalar.h"

#define NO_ANCHOR 0u
#define SEEN UINT32_MAX
#define MOST_KEY 128		/* characters of a key on one line, tag too */
#define MOST_OUT (UINT64_C(1) << 30)

struct writer {
	struct emitter e;
	enum yaml_style style;
	bool sort_keys;
	struct ferry_store *store;
	uint32_t *anchors;	/* by id: NO_ANCHOR, SEEN or a number */
	uint32_t n_ids, n_anchors;
	struct ferry_marks written;
	uint32_t nodes, max_nodes;
	struct ferry_buffer text;	/* of a scalar */
	struct ferry_error *err;
};

static int fail_nomem(struct writer *w)
{
	return ferry_fail_nomem(w->err, "YAML text");
}

static int check_depth(struct writer *w, unsigned depth)
{
	return depth <= FERRY_MAX_DEPTH ? 0 :
	       ferry_fail(w->err, FERRY_LIMIT, "yaml", FERRY_NO_OFFSET,
			  "document is more than %d deep, or goes round in a "
			  "circle", FERRY_MAX_DEPTH);
}

/* ---- the pairs of a mapping, the items of a sequence --------------------- */

/* What is written of a DICT or a set, in order; the caller frees it. */
static struct ferry_pair *held_pairs(struct writer *w,
				     const struct ferry_value *v, uint32_t *n)
{
	bool dict = v->kind == FERRY_DICT;
	uint32_t all = dict ? v->u.dict.n : v->u.list.n;
	struct ferry_pair *pairs = ferry_alloc_zero((size_t)all + 1,
						    sizeof(*pairs));

	*n = 0;
	if (!pairs)
		return NULL;
	for (uint32_t i = 0; i < all; i++) {
		struct ferry_pair pair = { ferry_none(), ferry_none() };

		if (dict)
			pair = v->u.dict.pairs[i];
		else
			pair.key = v->u.list.items[i];
		if (yaml_held_key(pair.key) &&
		    yaml_held(pair.value, w->style) != NOT_HELD)
			pairs[(*n)++] = pair;
	}
	if (w->sort_keys)
		yaml_sort_pairs(pairs, *n);
	return pairs;
}

static const struct ferry_value *sequence_of(const struct ferry_value *v)
{
	return v->kind == FERRY_OBJECT ? v->u.object->args : v;
}

/* ---- anchors ------------------------------------------------------------- */

static uint32_t *anchor_of(struct writer *w, const struct ferry_value *v)
{
	if (!w->anchors || !v->id || v->id > w->n_ids)
		return NULL;
	switch (v->kind) {
	case FERRY_TUPLE:
		return v->u.list.n ? &w->anchors[v->id] : NULL;
	case FERRY_LIST:
	case FERRY_SET:
	case FERRY_FROZENSET:
	case FERRY_DICT:
	case FERRY_OBJECT:
		return &w->anchors[v->id];
	default:
		return NULL;
	}
}

static int number_anchors(struct writer *w, const struct ferry_value *v,
			  unsigned depth);

static int number_pairs(struct writer *w, const struct ferry_value *v,
			unsigned depth)
{
	struct ferry_pair *pairs;
	uint32_t n;
	int rc = 0;

	pairs = held_pairs(w, v, &n);
	if (!pairs)
		return fail_nomem(w);
	for (uint32_t i = 0; i < n && !rc; i++) {
		rc = number_anchors(w, pairs[i].key, depth + 1);
		if (!rc)
			rc = number_anchors(w, pairs[i].value, depth + 1);
	}
	ferry_alloc_free(pairs);
	return rc;
}

/* Numbers are given in the order in which values are met again. */
static int number_anchors(struct writer *w, const struct ferry_value *v,
			  unsigned depth)
{
	enum held held = yaml_held(v, w->style);
	uint32_t *anchor = anchor_of(w, v);
	int rc = check_depth(w, depth);

	if (rc || held == NOT_HELD)
		return rc;
	if (anchor && *anchor) {
		if (*anchor == SEEN)
			*anchor = ++w->n_anchors;
		return 0;
	}
	if (anchor)
		*anchor = SEEN;
	if (held == HELD_DICT || held == HELD_SET)
		return number_pairs(w, v, depth);
	for (uint32_t i = 0; held == HELD_LIST && !rc &&
	     i < sequence_of(v)->u.list.n; i++)
		rc = number_anchors(w, sequence_of(v)->u.list.items[i],
				    depth + 1);
	return rc;
}

/* "id001", or "" */
static void anchor_name(struct writer *w, const struct ferry_value *v,
			char out[16])
{
	const uint32_t *anchor = anchor_of(w, v);

	out[0] = '\0';
	if (anchor && *anchor && *anchor != SEEN)
		snprintf(out, 16, "id%03u", *anchor);
}

/* ---- scalars ------------------------------------------------------------- */

static int describe_string(struct writer *w, const struct ferry_value *v,
			   struct scalar *s)
{
	int quoted = 0;

	s->tag = "!!str";
	s->text = v->u.s.data;
	s->n = (size_t)v->u.s.nbytes;
	s->plain_tag = yaml_resolve(s->text, s->n, YAML_PYYAML) == TAG_STR;
	s->quoted_tag = true;
	if (w->style == YAML_STYLE_OMEGACONF)
		quoted = yaml_is_quoted_word(s->text, s->n);
	if (quoted < 0)
		return fail_nomem(w);
	s->style = quoted ? STYLE_SINGLE : STYLE_ANY;
	return 0;
}

static int describe_int(struct writer *w, const struct ferry_value *v)
{
	const char *text;

	if (!(v->flags & FERRY_BIG)) {
		ferry_buffer_printf(&w->text, "%lld", (long long)v->u.i);
		return 0;
	}
	text = ferry_int_text(w->store, v);
	if (!text)
		return fail_nomem(w);
	ferry_buffer_add_str(&w->text, text);
	return 0;
}

/* Text that is made for the value, in w->text. */
static int make_text(struct writer *w, const struct ferry_value *v,
		     struct scalar *s)
{
	w->text.n = 0;
	s->plain_tag = true;
	switch (v->kind) {
	case FERRY_NONE:
		s->tag = "!!null";
		ferry_buffer_add_str(&w->text, "null");
		return 0;
	case FERRY_BOOL:
		s->tag = "!!bool";
		ferry_buffer_add_str(&w->text, v->u.b ? "true" : "false");
		return 0;
	case FERRY_INT:
		s->tag = "!!int";
		return describe_int(w, v);
	case FERRY_FLOAT:
		s->tag = "!!float";
		yaml_add_float(&w->text, v->u.f);
		return 0;
	case FERRY_BYTES:
		s->tag = "!!binary";
		s->plain_tag = false;
		s->style = STYLE_LITERAL;
		return yaml_add_binary(&w->text, v, w->err);
	default:
		s->tag = "!!timestamp";
		yaml_add_time(&w->text, v);
		s->plain_tag = yaml_resolve(w->text.data, w->text.n,
					    YAML_PYYAML) == TAG_TIMESTAMP;
		return 0;
	}
}

static int describe(struct writer *w, const struct ferry_value *v,
		    struct scalar *s)
{
	int rc;

	memset(s, 0, sizeof(*s));
	if (v->kind == FERRY_STRING)
		return describe_string(w, v, s);
	rc = make_text(w, v, s);
	if (!rc && w->text.failed)
		rc = fail_nomem(w);
	s->text = w->text.n ? w->text.data : "";
	s->n = w->text.n;
	return rc;
}

/* ---- nodes --------------------------------------------------------------- */

static int write_node(struct writer *w, const struct ferry_value *v,
		      struct place place, unsigned depth);

static bool is_simple_key(struct writer *w, const struct ferry_value *key,
			  const struct scalar *s)
{
	struct analysis a;
	char anchor[16];

	anchor_name(w, key, anchor);
	yaml_analyze(s->text, s->n, w->e.unicode, &a);
	return strlen(anchor) + strlen(s->tag) + a.chars < MOST_KEY &&
	       !a.empty && !a.multiline;
}

static int write_pair(struct writer *w, const struct ferry_pair *pair,
		      unsigned depth)
{
	const struct place inside = { .mapping = true };
	const struct place key = { .mapping = true, .simple_key = true };
	struct scalar s;
	bool simple;
	int rc = describe(w, pair->key, &s);

	if (rc)
		return rc;
	simple = is_simple_key(w, pair->key, &s);
	emit_indent(&w->e);
	if (!simple)
		emit_marker(&w->e, "?");
	rc = write_node(w, pair->key, simple ? key : inside, depth + 1);
	if (rc)
		return rc;
	if (simple) {
		emit_indicator(&w->e, ":", false);
	} else {
		emit_indent(&w->e);
		emit_marker(&w->e, ":");
	}
	return write_node(w, pair->value, inside, depth + 1);
}

static int write_pairs(struct writer *w, const struct ferry_value *v,
		       unsigned depth)
{
	int indent = w->e.indent, rc = 0;
	struct ferry_pair *pairs;
	uint32_t n;

	pairs = held_pairs(w, v, &n);
	if (!pairs)
		return fail_nomem(w);
	if (!n)
		emit_indicator(&w->e, "{}", true);
	w->e.indent = indent < 0 ? 0 : indent + (int)w->e.step;
	for (uint32_t i = 0; i < n && !rc; i++)
		rc = write_pair(w, &pairs[i], depth);
	w->e.indent = indent;
	ferry_alloc_free(pairs);
	return rc;
}

static int write_items(struct writer *w, const struct ferry_value *v,
		       struct place place, unsigned depth)
{
	bool indentless = place.mapping && !w->e.indention;
	int indent = w->e.indent, rc = 0;

	if (!v->u.list.n)
		emit_indicator(&w->e, "[]", true);
	if (indent < 0)
		w->e.indent = 0;
	else if (!indentless)
		w->e.indent = indent + (int)w->e.step;
	for (uint32_t i = 0; i < v->u.list.n && !rc; i++) {
		const struct ferry_value *item = v->u.list.items[i];

		if (yaml_held(item, w->style) == NOT_HELD)
			item = ferry_none();
		emit_indent(&w->e);
		emit_marker(&w->e, "-");
		rc = write_node(w, item, (struct place){ 0 }, depth + 1);
	}
	w->e.indent = indent;
	return rc;
}

static int write_scalar(struct writer *w, const struct ferry_value *v,
			struct place place)
{
	struct scalar s;
	int rc = describe(w, v, &s);

	if (!rc)
		emit_scalar(&w->e, &s, &place);
	return rc;
}

static void write_path_tag(struct writer *w, const struct ferry_value *v)
{
	char tag[64];

	snprintf(tag, sizeof(tag), "!!python/object/apply:pathlib.%s",
		 v->u.object->callable->u.global.name);
	emit_indicator(&w->e, tag, true);
}

/* The anchor of a value met first, or an alias of one met again. */
static bool write_anchor(struct writer *w, const struct ferry_value *v)
{
	char name[16], text[17];
	bool again;

	anchor_name(w, v, name);
	if (!*name)
		return false;
	again = ferry_mark(&w->written, v);
	snprintf(text, sizeof(text), "%c%s", again ? '*' : '&', name);
	emit_indicator(&w->e, text, true);
	return again;
}

static int check_amount(struct writer *w, unsigned depth)
{
	if (w->e.out->failed)
		return fail_nomem(w);
	if (w->nodes++ >= w->max_nodes || w->e.out->n > MOST_OUT)
		return ferry_fail(w->err, FERRY_LIMIT, "yaml", FERRY_NO_OFFSET,
				  "document is more than %u values or %llu "
				  "bytes as YAML; shared values are written "
				  "each time", w->max_nodes,
				  (unsigned long long)MOST_OUT);
	return check_depth(w, depth);
}

static int write_node(struct writer *w, const struct ferry_value *v,
		      struct place place, unsigned depth)
{
	int rc = check_amount(w, depth);

	if (rc || write_anchor(w, v))
		return rc;
	switch (yaml_held(v, w->style)) {
	case HELD_SCALAR:
		return write_scalar(w, v, place);
	case HELD_LIST:
		if (v->kind == FERRY_OBJECT)
			write_path_tag(w, v);
		return write_items(w, sequence_of(v), place, depth);
	case HELD_SET:
		emit_indicator(&w->e, "!!set", true);
		return write_pairs(w, v, depth);
	case HELD_DICT:
		return write_pairs(w, v, depth);
	default:
		return ferry_fail(w->err, FERRY_UNSUPPORTED, "yaml",
				  FERRY_NO_OFFSET,
				  "YAML has no form for a value of kind %s",
				  ferry_kind_name(v->kind));
	}
}

static int write_document(struct writer *w, const struct ferry_value *root)
{
	int rc = write_node(w, root, (struct place){ .root = true }, 0);

	if (rc)
		return rc;
	emit_indent(&w->e);
	if (w->e.open_ended) {
		emit_indicator(&w->e, "...", true);
		emit_indent(&w->e);
	}
	return w->e.out->failed ? fail_nomem(w) : 0;
}

static int prepare_anchors(struct writer *w, const struct ferry_value *root)
{
	if (w->style != YAML_STYLE_PYYAML)
		return 0;
	w->n_ids = ferry_store_ids(w->store);
	w->anchors = ferry_alloc_zero((size_t)w->n_ids + 1,
				      sizeof(*w->anchors));
	if (!w->anchors || ferry_marks_init(&w->written, w->store))
		return fail_nomem(w);
	return number_anchors(w, root, 0);
}

int yaml_write(struct ferry_store *store, const struct ferry_value *root,
	       const struct yaml_writer *writer, struct ferry_buffer *out,
	       struct ferry_error *err)
{
	static const struct yaml_writer defaults = { 0 };
	const struct yaml_writer *how = writer ? writer : &defaults;
	struct writer w = {
		.style = how->style, .sort_keys = how->sort_keys,
		.store = store, .err = err,
		.max_nodes = how->max_nodes ? how->max_nodes : YAML_MAX_NODES,
		.e = {
			.out = out, .indent = -1, .whitespace = true,
			.indention = true,
			.unicode = how->style == YAML_STYLE_OMEGACONF,
			.step = how->indent > 1 && how->indent < 10 ?
				how->indent : 2,
		},
	};
	int rc;

	w.e.width = how->width > 2 * w.e.step ? how->width : 80;
	rc = prepare_anchors(&w, root);
	if (!rc)
		rc = write_document(&w, root);
	ferry_alloc_free(w.anchors);
	ferry_marks_release(&w.written);
	ferry_buffer_release(&w.text);
	return rc;
}
