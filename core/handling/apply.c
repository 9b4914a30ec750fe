/* Applying rules to a weights mapping. */
#include "config.h"

#include "core/handling/rules.h"

#include <string.h>

#include <ferry/sys/alloc.h>
#include <ferry/sys/map.h>

#define SHOWN_NAMES 3

/* One mapping of several. */
struct part {
	struct ferry_value *weights;
	struct ferry__names names;
	struct ferry__caster *caster;	/* from the first cast on */
};

struct run {
	const struct ferry_rules *rules;
	struct part *parts;
	size_t n_parts;
	struct part *part;		/* that is looked at */
	struct ferry_document *doc;
	struct ferry__matcher matcher;
	struct ferry_buffer name;	/* one that is being made */
	struct ferry_findings *out;
	struct ferry_error *err;
};

/* What one rule did. */
struct tally {
	size_t seen;		/* names before it */
	size_t hit;		/* names it matched */
	size_t done;		/* names it changed */
	struct ferry_buffer shown;
};

static void tally_name(struct tally *t, const struct ferry__entry *e)
{
	char text[120];

	if (t->done++ >= SHOWN_NAMES)
		return;
	ferry_escape(text, sizeof(text), e->name, e->n_name);
	ferry_buffer_printf(&t->shown, "%s%s", t->done > 1 ? ", " : "", text);
}

static int matches(struct run *r, const struct ferry__rule *rule,
		   const struct ferry__entry *e)
{
	if (!rule->has_pattern)
		return 1;
	return ferry__pattern_match(&rule->pattern, &r->matcher, e->name,
				    e->n_name, r->err);
}

static int drop(struct run *r, const struct ferry__rule *rule,
		struct ferry__entry *e, struct tally *t)
{
	int rc = matches(r, rule, e);

	if (rc <= 0)
		return rc;
	t->hit++;
	tally_name(t, e);
	e->dropped = true;
	return 0;
}

static int set_name(struct run *r, struct ferry__entry *e, const char *name,
		    size_t n)
{
	char shown[200];

	if (!n || n >= UINT32_MAX) {
		ferry_escape(shown, sizeof(shown), e->name, e->n_name);
		return ferry_fail(r->err, FERRY_MISUSE, "handling",
				  FERRY_NO_OFFSET, "name '%s' would become %s",
				  shown, n ? "too long" : "empty");
	}
	if (n == e->n_old && !memcmp(name, e->old, n)) {
		e->name = e->old;
	} else {
		e->name = ferry_store_strndup(r->part->names.scratch, name, n);
		if (!e->name)
			return ferry_fail_nomem(r->err, "names");
	}
	e->n_name = (uint32_t)n;
	return 0;
}

static int rename_entry(struct run *r, const struct ferry__rule *rule,
			struct ferry__entry *e, struct tally *t)
{
	struct ferry_buffer *name = &r->name;
	int rc;

	name->n = 0;
	rc = ferry__pattern_replace(&rule->pattern, &r->matcher, &rule->to,
				    e->name, e->n_name, name, r->err);
	if (rc <= 0)
		return rc;
	t->hit++;
	tally_name(t, e);
	return name->failed ? ferry_fail_nomem(r->err, "names") :
	       set_name(r, e, name->data ? name->data : "", name->n);
}

static int strip(struct run *r, const struct ferry__rule *rule,
		 struct ferry__entry *e, struct tally *t)
{
	char shown[200];

	if (e->n_name < rule->n_prefix ||
	    memcmp(e->name, rule->prefix, rule->n_prefix)) {
		if (!rule->required)
			return 0;
		ferry_escape(shown, sizeof(shown), e->name, e->n_name);
		return ferry_fail(r->err, FERRY_MISUSE, "handling",
				  FERRY_NO_OFFSET, "name '%s' does not begin "
				  "with the required prefix '%s'", shown,
				  rule->prefix);
	}
	t->hit++;
	tally_name(t, e);
	return set_name(r, e, e->name + rule->n_prefix,
			e->n_name - rule->n_prefix);
}

static int add(struct run *r, const struct ferry__rule *rule,
	       struct ferry__entry *e, struct tally *t)
{
	struct ferry_buffer *name = &r->name;

	name->n = 0;
	ferry_buffer_add(name, rule->prefix, rule->n_prefix);
	ferry_buffer_add(name, e->name, e->n_name);
	t->hit++;
	tally_name(t, e);
	return name->failed ? ferry_fail_nomem(r->err, "names") :
	       set_name(r, e, name->data, name->n);
}

static bool wants_cast(const struct ferry__rule *rule,
		       const struct ferry_tensor *t)
{
	if (ferry_dtype_is_complex(t->dtype) ||
	    ferry_dtype_is_quantized(t->dtype))
		return false;
	return rule->all || ferry_dtype_is_float(t->dtype);
}

/* What decorates a tensor stays around the one that takes its place. */
static int cast(struct run *r, const struct ferry__rule *rule,
		struct ferry__entry *e, struct tally *t)
{
	struct ferry_value **slot = ferry__tensor_slot(&e->value), *now;
	int rc = slot ? matches(r, rule, e) : 0;

	if (rc <= 0)
		return rc;
	t->hit++;
	if (!wants_cast(rule, (*slot)->u.tensor))
		return 0;
	if (!r->part->caster) {
		rc = ferry__caster_new(&r->part->caster, &r->part->names, r->doc->store,
				       r->err);
		if (rc)
			return rc;
	}
	rc = ferry__caster_cast(r->part->caster, *slot, rule->dtype, &now, r->err);
	if (rc)
		return rc;
	if (now != *slot)
		tally_name(t, e);
	*slot = now;
	return 0;
}

static int resize(struct run *r, const struct ferry__rule *rule,
		  struct ferry__entry *e, struct tally *t)
{
	struct ferry_value **slot = ferry__tensor_slot(&e->value), *now;
	int rc = slot ? matches(r, rule, e) : 0;

	if (rc <= 0)
		return rc;
	t->hit++;
	rc = ferry__resize_bias(r->doc->store, e->name, e->n_name, *slot,
				rule->edge, &now, r->err);
	if (rc)
		return rc;
	if (now != *slot)
		tally_name(t, e);
	*slot = now;
	return 0;
}

static int require(struct run *r, const struct ferry__rule *rule,
		   struct ferry__entry *e, struct tally *t)
{
	int rc = t->hit ? 0 : matches(r, rule, e);

	if (rc > 0)
		t->hit++;
	return rc < 0 ? rc : 0;
}

static int apply_one(struct run *r, const struct ferry__rule *rule,
		     struct ferry__entry *e, struct tally *t)
{
	t->seen++;
	switch (rule->kind) {
	case FERRY_EDIT_DROP:
		return drop(r, rule, e, t);
	case FERRY_EDIT_RENAME:
		return rename_entry(r, rule, e, t);
	case FERRY_EDIT_STRIP_PREFIX:
		return strip(r, rule, e, t);
	case FERRY_EDIT_ADD_PREFIX:
		return add(r, rule, e, t);
	case FERRY__EDIT_RESIZE_BIAS:
		return resize(r, rule, e, t);
	case FERRY__EDIT_REQUIRE:
		return require(r, rule, e, t);
	default:
		return cast(r, rule, e, t);
	}
}

static int report(struct run *r, const struct ferry__rule *rule,
		  const struct tally *t)
{
	static const char *const codes[] = {
		[FERRY_EDIT_DROP] = "dropped",
		[FERRY_EDIT_KEEP] = "dropped",
		[FERRY_EDIT_RENAME] = "renamed",
		[FERRY_EDIT_STRIP_PREFIX] = "renamed",
		[FERRY_EDIT_ADD_PREFIX] = "renamed",
		[FERRY_EDIT_CAST] = "cast",
		[FERRY__EDIT_RESIZE_BIAS] = "resized",
		[FERRY__EDIT_REQUIRE] = "",
	};
	const char *code = codes[rule->kind];

	if (!t->hit && rule->optional)
		return 0;
	if (t->hit && rule->kind == FERRY__EDIT_REQUIRE)
		return 0;
	if (!t->hit)
		return ferry_findings_add(r->out, FERRY_WARNING,
					  "rule-unmatched", "",
					  FERRY_NO_OFFSET,
					  "rule %s matched none of %zu names",
					  rule->label, t->seen);
	return ferry_findings_add(r->out, FERRY_NOTE, code, "",
				  FERRY_NO_OFFSET,
				  "rule %s: %zu of %zu names %s%s%s%s",
				  rule->label, t->done, t->seen, code,
				  t->shown.n ? " (" : "",
				  t->shown.n ? t->shown.data : "",
				  !t->shown.n ? "" :
				  t->done > SHOWN_NAMES ? ", ...)" : ")");
}

static int check_collisions(struct run *r)
{
	struct ferry_map seen = FERRY_MAP_INIT;
	const struct ferry__entry *e, *f;
	char a[160], b[160], name[160];
	uint64_t at;
	int rc = 0;

	for (size_t i = 0; i < r->part->names.n && !rc; i++) {
		e = &r->part->names.entries[i];
		if (e->dropped || !e->old)
			continue;
		if (!ferry_map_get(&seen, e->name, e->n_name, &at)) {
			if (ferry_map_put(&seen, e->name, e->n_name, i))
				rc = ferry_fail_nomem(r->err, "names");
			continue;
		}
		f = &r->part->names.entries[at];
		if (e->name == e->old && f->name == f->old)
			continue;
		ferry_escape(a, sizeof(a), f->old, f->n_old);
		ferry_escape(b, sizeof(b), e->old, e->n_old);
		ferry_escape(name, sizeof(name), e->name, e->n_name);
		rc = ferry_fail(r->err, FERRY_MISUSE, "handling",
				FERRY_NO_OFFSET, "'%s' and '%s' would both "
				"become '%s': drop one of them or change the "
				"rule", a, b, name);
	}
	ferry_map_release(&seen);
	return rc;
}

/* Whether some name begins with the prefix that a rule would add. */
static bool is_present(const struct run *r, const struct ferry__rule *rule)
{
	const struct ferry__entry *e;

	for (size_t i = 0; i < r->part->names.n; i++) {
		e = &r->part->names.entries[i];
		if (e->old && !e->dropped && e->n_name >= rule->n_prefix &&
		    !memcmp(e->name, rule->prefix, rule->n_prefix))
			return true;
	}
	return false;
}

/* In the mapping that is looked at. */
static int apply_here(struct run *r, const struct ferry__rule *rule,
		      struct tally *t)
{
	bool renames = rule->kind == FERRY_EDIT_RENAME ||
		       rule->kind == FERRY_EDIT_STRIP_PREFIX ||
		       rule->kind == FERRY_EDIT_ADD_PREFIX;
	struct ferry__entry *e;
	int rc = 0;

	for (size_t i = 0; i < r->part->names.n && !rc; i++) {
		e = &r->part->names.entries[i];
		if (e->old && !e->dropped)
			rc = apply_one(r, rule, e, t);
	}
	return !rc && renames && t->done ? check_collisions(r) : rc;
}

static int check_required(struct run *r, const struct ferry__rule *rule,
			  const struct tally *t)
{
	if (rule->kind != FERRY__EDIT_REQUIRE || t->hit)
		return 0;
	return ferry_fail(r->err, FERRY_MISUSE, "handling", FERRY_NO_OFFSET,
			  t->seen ? "rule %s: none of the %zu names matches" :
			  "rule %s: no name is left", rule->label, t->seen);
}

static int apply_rule(struct run *r, const struct ferry__rule *rule)
{
	struct tally t = { .seen = 0 };
	size_t present = 0;
	int rc = 0;

	for (size_t i = 0; i < r->n_parts && !rc; i++) {
		r->part = &r->parts[i];
		if (rule->unless_present && is_present(r, rule))
			present++;
		else
			rc = apply_here(r, rule, &t);
	}
	if (!rc)
		rc = check_required(r, rule, &t);
	if (!rc && present < r->n_parts && report(r, rule, &t))
		rc = ferry_fail_nomem(r->err, "findings");
	ferry_buffer_release(&t.shown);
	return rc;
}

static int keep_entry(struct run *r, const struct ferry__rule *rules,
		      size_t n, struct tally *t, struct ferry__entry *e)
{
	bool kept = false;
	int rc;

	for (size_t i = 0; i < n; i++) {
		rc = matches(r, &rules[i], e);
		if (rc < 0)
			return rc;
		t[i].seen++;
		t[i].hit += (size_t)rc;
		t[i].done += (size_t)rc;
		kept |= rc;
	}
	e->dropped = !kept;
	return 0;
}

/* How many names are looked at, and how many of them go. */
struct kept {
	size_t seen, dropped;
};

static int keep_here(struct run *r, const struct ferry__rule *rules, size_t n,
		     struct tally *t, struct kept *k)
{
	struct ferry__entry *e;
	int rc = 0;

	for (size_t i = 0; i < r->part->names.n && !rc; i++) {
		e = &r->part->names.entries[i];
		if (!e->old || e->dropped)
			continue;
		rc = keep_entry(r, rules, n, t, e);
		k->seen++;
		k->dropped += e->dropped;
	}
	return rc;
}

static int report_kept(struct run *r, const struct ferry__rule *rules, size_t n,
		       const struct tally *t, const struct kept *k)
{
	int rc = 0;

	for (size_t i = 0; i < n && !rc; i++)
		rc = t[i].hit ? ferry_findings_add(r->out, FERRY_NOTE, "kept",
						   "", FERRY_NO_OFFSET,
						   "rule %s: %zu of %zu names "
						   "kept", rules[i].label,
						   t[i].hit, k->seen) :
		     report(r, &rules[i], &t[i]);
	if (!rc && k->dropped)
		rc = ferry_findings_add(r->out, FERRY_NOTE, "dropped", "",
					FERRY_NO_OFFSET, "%zu of %zu names "
					"that no keep rule matched dropped",
					k->dropped, k->seen);
	return rc ? ferry_fail_nomem(r->err, "findings") : 0;
}

/* Keep rules that follow each other keep what any of them matches. */
static int keep(struct run *r, const struct ferry__rule *rules, size_t n)
{
	struct tally *t = ferry_alloc_zero(n, sizeof(*t));
	struct kept k = { 0, 0 };
	int rc = t ? 0 : ferry_fail_nomem(r->err, "rules");

	for (size_t i = 0; i < r->n_parts && !rc; i++) {
		r->part = &r->parts[i];
		rc = keep_here(r, rules, n, t, &k);
	}
	if (!rc)
		rc = report_kept(r, rules, n, t, &k);
	ferry_alloc_free(t);
	return rc;
}

static int apply_all(struct run *r)
{
	const struct ferry__rule *rules = r->rules->rules;
	size_t n = r->rules->n, end;
	int rc = 0;

	for (size_t i = 0; i < n && !rc; i = end) {
		end = i + 1;
		if (rules[i].kind != FERRY_EDIT_KEEP) {
			rc = apply_rule(r, &rules[i]);
			continue;
		}
		while (end < n && rules[end].kind == FERRY_EDIT_KEEP)
			end++;
		rc = keep(r, &rules[i], end - i);
	}
	return rc;
}

/* Every name the mapping had, and what became of it. */
static int list_names(struct run *r, struct ferry_renaming *out)
{
	const struct ferry__names *names = &r->part->names;
	const struct ferry__entry *e;
	struct ferry_renamed *list;

	list = ferry_store_array(names->scratch, names->n, sizeof(*list));
	if (!list)
		return ferry_fail_nomem(r->err, "names");
	*out = (struct ferry_renaming){ r->part->weights, list, 0 };
	for (size_t i = 0; i < names->n; i++) {
		e = &names->entries[i];
		if (!e->old)
			continue;
		list[out->n++] = (struct ferry_renamed){
			.was = e->old, .n_was = e->n_old,
			.is = e->dropped ? NULL : e->name,
			.n_is = e->dropped ? 0 : e->n_name,
		};
	}
	return 0;
}

static int tell_changes(struct run *r, ferry__on_renamed told, void *ctx)
{
	struct ferry_renaming *changes;
	size_t n = 0;
	int rc = 0;

	changes = ferry_alloc_zero(r->n_parts, sizeof(*changes));
	if (!changes)
		return ferry_fail_nomem(r->err, "names");
	for (size_t i = 0; i < r->n_parts && !rc; i++) {
		r->part = &r->parts[i];
		if (ferry__names_changed(&r->part->names))
			rc = list_names(r, &changes[n++]);
	}
	if (!rc && n)
		rc = told(ctx, changes, n, r->err);
	ferry_alloc_free(changes);
	return rc;
}

static int put_part(struct run *r)
{
	int rc = ferry__names_put(&r->part->names, r->doc, r->err);

	return rc ? rc : ferry__follow(&r->part->names, r->doc, r->err);
}

static int run_rules(struct run *r, ferry__on_renamed told, void *ctx)
{
	int rc = apply_all(r);

	for (size_t i = 0; i < r->n_parts && !rc; i++) {
		r->part = &r->parts[i];
		rc = put_part(r);
	}
	return rc || !told ? rc : tell_changes(r, told, ctx);
}

static int collect_parts(struct run *r, struct ferry_value *const *weights,
			 size_t n)
{
	int rc = 0;

	r->parts = ferry_alloc_zero(n, sizeof(*r->parts));
	if (!r->parts)
		return ferry_fail_nomem(r->err, "names");
	for (size_t i = 0; i < n && !rc; i++) {
		r->parts[i].weights = weights[i];
		rc = ferry__names_collect(&r->parts[i].names, r->doc,
					  weights[i], r->err);
		r->n_parts += !rc;
	}
	return rc;
}

int ferry__rules_apply(const struct ferry_rules *r, struct ferry_document *doc,
		       struct ferry_value *const *weights, size_t n,
		       ferry__on_renamed told, void *ctx,
		       struct ferry_findings *out, struct ferry_error *err)
{
	struct run run = { .rules = r, .doc = doc, .out = out, .err = err };
	int rc = collect_parts(&run, weights, n);

	if (!rc) {
		rc = ferry__matcher_init(&run.matcher, err);
		if (!rc)
			rc = run_rules(&run, told, ctx);
		ferry__matcher_release(&run.matcher);
	}
	for (size_t i = 0; i < run.n_parts; i++) {
		ferry__caster_free(run.parts[i].caster);
		ferry__names_release(&run.parts[i].names);
	}
	ferry_alloc_free(run.parts);
	ferry_buffer_release(&run.name);
	return rc;
}

int ferry_rules_apply(const struct ferry_rules *r, struct ferry_document *doc,
		      struct ferry_value *weights, struct ferry_findings *out,
		      struct ferry_error *err)
{
	return ferry__rules_apply(r, doc, &weights, 1, NULL, NULL, out, err);
}
