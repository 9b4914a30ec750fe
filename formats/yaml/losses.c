/* What writing a document as YAML would leave out or change. */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <ferry/sys/alloc.h>

#include "formats/yaml/emit.h"
#include "formats/yaml/held.h"
#include "formats/yaml/scalar.h"

enum loss {
	LOSS_TENSORS,
	LOSS_OBJECTS,
	LOSS_VALUES,
	LOSS_KEYS,
	LOSS_KINDS,
	LOSS_TEXT,
	LOSS_SHARED,
	N_LOSSES,
};

/* A step of the way to a value: a key, or an index. */
struct way {
	const struct way *up;
	const struct ferry_value *key;	/* NULL: index */
	uint32_t index;
};

struct survey {
	enum yaml_style style;
	struct ferry_marks marks;
	uint64_t counts[N_LOSSES];
	char first[N_LOSSES][160];	/* its path */
	unsigned depth;
};

static void add_way(char *out, size_t cap, const struct way *way)
{
	size_t n;

	if (!way)
		return;
	add_way(out, cap, way->up);
	n = strlen(out);
	if (n && n + 1 < cap)
		memcpy(out + n++, ".", 2);
	if (n + 16 > cap)
		return;
	if (!way->key)
		snprintf(out + n, cap - n, "%u", way->index);
	else if (way->key->kind == FERRY_STRING)
		ferry_escape(out + n, cap - n, way->key->u.s.data,
			     (size_t)way->key->u.s.nbytes);
	else if (way->key->kind == FERRY_INT && !(way->key->flags & FERRY_BIG))
		snprintf(out + n, cap - n, "%lld", (long long)way->key->u.i);
	else
		snprintf(out + n, cap - n, "%s",
			 ferry_kind_name(way->key->kind));
}

static void count(struct survey *s, enum loss loss, const struct way *way)
{
	if (!s->counts[loss]++)
		add_way(s->first[loss], sizeof(s->first[loss]), way);
}

static bool has_next_line(const char *p, size_t n)
{
	const char *end = p + n;

	while (p < end && (p = memchr(p, 0xc2, (size_t)(end - p)))) {
		if (end - p > 1 && (unsigned char)p[1] == 0x85)
			return true;
		p++;
	}
	return false;
}

/*
 * What OmegaConf writes and reads otherwise: a next-line character in single
 * quotes is read as a line break, and its own pattern of floats takes what
 * neither Python nor YAML 1.1 takes for one ("1._5e3").
 */
static bool changes(const struct survey *s, const struct ferry_value *v)
{
	const char *text = v->u.s.data;
	size_t n = (size_t)v->u.s.nbytes;
	struct analysis a;

	if (s->style != YAML_STYLE_OMEGACONF)
		return false;
	if (yaml_resolve(text, n, YAML_OMEGACONF) == TAG_FLOAT)
		return yaml_resolve(text, n, YAML_PYYAML) == TAG_STR &&
		       yaml_is_quoted_word(text, n) <= 0;
	if (!has_next_line(text, n))
		return false;
	yaml_analyze(text, n, true, &a);
	return a.single;
}

static void visit(struct survey *s, const struct ferry_value *v,
		  const struct way *way);

static void visit_scalar(struct survey *s, const struct ferry_value *v,
			 const struct way *way)
{
	if (v->kind == FERRY_STRING && changes(s, v))
		count(s, LOSS_TEXT, way);
	if (v->kind == FERRY_BYTES && v->flags & (FERRY_MUTABLE | FERRY_PY2))
		count(s, LOSS_KINDS, way);
	if (v->kind == FERRY_OBJECT && s->style == YAML_STYLE_OMEGACONF)
		count(s, LOSS_KINDS, way);
}

static void visit_dict(struct survey *s, const struct ferry_value *v,
		       const struct way *way)
{
	for (uint32_t i = 0; i < v->u.dict.n; i++) {
		const struct ferry_pair *pair = &v->u.dict.pairs[i];
		const struct way below = { .up = way, .key = pair->key };

		if (!yaml_held_key(pair->key))
			count(s, LOSS_KEYS, &below);
		else if (pair->key->kind == FERRY_NONE &&
			 s->style == YAML_STYLE_OMEGACONF)
			count(s, LOSS_KINDS, &below);
		else
			visit_scalar(s, pair->key, &below);
		visit(s, pair->value, &below);
	}
}

static void visit_list(struct survey *s, const struct ferry_value *v,
		       const struct way *way)
{
	if (v->kind == FERRY_TUPLE || v->kind == FERRY_FROZENSET ||
	    (v->kind == FERRY_SET && s->style == YAML_STYLE_OMEGACONF))
		count(s, LOSS_KINDS, way);
	for (uint32_t i = 0; i < v->u.list.n; i++) {
		const struct way below = { .up = way, .index = i };
		const struct ferry_value *item = v->u.list.items[i];

		if ((v->kind == FERRY_SET || v->kind == FERRY_FROZENSET) &&
		    !yaml_held_key(item))
			count(s, LOSS_KEYS, &below);
		else
			visit(s, item, &below);
	}
}

static void visit_not_held(struct survey *s, const struct ferry_value *v,
			   const struct way *way)
{
	if (v->kind == FERRY_TENSOR)
		count(s, LOSS_TENSORS, way);
	else
		count(s, v->kind == FERRY_COMPLEX ? LOSS_VALUES :
						    LOSS_OBJECTS, way);
}

static bool is_container(const struct ferry_value *v)
{
	return v->kind == FERRY_LIST || v->kind == FERRY_DICT ||
	       v->kind == FERRY_SET || v->kind == FERRY_OBJECT ||
	       ((v->kind == FERRY_TUPLE || v->kind == FERRY_FROZENSET) &&
		v->u.list.n);
}

static void visit(struct survey *s, const struct ferry_value *v,
		  const struct way *way)
{
	enum held held = yaml_held(v, s->style);
	bool again = is_container(v) && ferry_mark(&s->marks, v);

	if (again && held != NOT_HELD && s->style == YAML_STYLE_OMEGACONF)
		count(s, LOSS_SHARED, way);
	if (again || s->depth >= FERRY_MAX_DEPTH)
		return;
	s->depth++;
	if (held == NOT_HELD)
		visit_not_held(s, v, way);
	else if (held == HELD_SCALAR)
		visit_scalar(s, v, way);
	else if (held == HELD_DICT)
		visit_dict(s, v, way);
	else if (v->kind != FERRY_OBJECT)
		visit_list(s, v, way);
	s->depth--;
}

static int report(const struct survey *s, struct ferry_findings *out)
{
	static const struct {
		const char *code, *what, *fate;
	} words[LOSS_SHARED] = {
		[LOSS_TENSORS] = { "tensors", "no tensors", "be lost" },
		[LOSS_OBJECTS] = { "objects", "no classes and calls",
				   "be lost" },
		[LOSS_VALUES] = { "values", "no complex numbers", "be lost" },
		[LOSS_KEYS] = { "keys", "no keys that are containers or "
				"objects", "be lost" },
		[LOSS_KINDS] = { "kinds", "lists for tuples, and no kinds of "
				 "its own for others", "change" },
		[LOSS_TEXT] = { "text", "no form in which OmegaConf reads such "
				"a string back", "change" },
	};

	for (int i = 0; i < LOSS_SHARED; i++)
		if (s->counts[i] &&
		    ferry_findings_add(out, FERRY_WARNING, words[i].code,
				       s->first[i], FERRY_NO_OFFSET,
				       "YAML has %s: %" PRIu64 " would %s, "
				       "here first", words[i].what,
				       s->counts[i], words[i].fate))
			return FERRY_NOMEM;
	if (!s->counts[LOSS_SHARED])
		return 0;
	return ferry_findings_add(out, FERRY_NOTE, "shared",
				  s->first[LOSS_SHARED], FERRY_NO_OFFSET,
				  "shared values are written in full each "
				  "time: %" PRIu64 " of them, here first",
				  s->counts[LOSS_SHARED]);
}

int yaml_losses(struct ferry_store *store, const struct ferry_value *root,
		const struct yaml_writer *writer, struct ferry_findings *out,
		struct ferry_error *err)
{
	struct survey *s = ferry_alloc_zero(1, sizeof(*s));
	int rc = s ? ferry_marks_init(&s->marks, store) : FERRY_NOMEM;

	if (!rc) {
		s->style = writer ? writer->style : YAML_STYLE_OMEGACONF;
		visit(s, root, NULL);
		rc = report(s, out);
		ferry_marks_release(&s->marks);
	}
	ferry_alloc_free(s);
	return rc ? ferry_fail_nomem(err, "findings") : 0;
}
