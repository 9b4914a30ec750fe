/* Rule sets. */
#include "config.h"

#include "core/handling/rules.h"

#include <inttypes.h>
#include <string.h>

#include <ferry/sys/alloc.h>

static const char *const verbs[] = {
	[FERRY_EDIT_DROP] = "drop",
	[FERRY_EDIT_KEEP] = "keep",
	[FERRY_EDIT_RENAME] = "rename",
	[FERRY_EDIT_STRIP_PREFIX] = "strip prefix",
	[FERRY_EDIT_ADD_PREFIX] = "add prefix",
	[FERRY_EDIT_CAST] = "cast",
	[FERRY__EDIT_RESIZE_BIAS] = "resize bias",
	[FERRY__EDIT_REQUIRE] = "require",
};

int ferry_rules_new(struct ferry_rules **out, struct ferry_error *err)
{
	struct ferry_rules *r = ferry_alloc_zero(1, sizeof(*r));

	if (!r)
		return ferry_fail_nomem(err, "rules");
	*out = r;
	return 0;
}

static void release_rule(struct ferry__rule *rule)
{
	if (rule->has_pattern)
		ferry__pattern_release(&rule->pattern);
	ferry__template_release(&rule->to);
	ferry_alloc_free(rule->prefix);
	ferry_alloc_free(rule->label);
}

void ferry__rules_truncate(struct ferry_rules *r, size_t n)
{
	while (r->n > n)
		release_rule(&r->rules[--r->n]);
}

void ferry_rules_free(struct ferry_rules *r)
{
	if (!r)
		return;
	ferry__rules_truncate(r, 0);
	ferry_store_unref(r->texts);
	ferry_alloc_free(r->rules);
	ferry_alloc_free(r);
}

size_t ferry_rules_count(const struct ferry_rules *r)
{
	return r->n;
}

const char *ferry_rules_label(const struct ferry_rules *r, size_t i)
{
	return i < r->n ? r->rules[i].label : NULL;
}

const struct ferry_option_spec *ferry_rules_options(const struct ferry_rules *r)
{
	static const struct ferry_option_spec none = { .name = NULL };

	return r->options ? r->options : &none;
}

const char *ferry_rules_source(const struct ferry_rules *r, size_t i)
{
	return i < r->n_source ? r->source[i] : NULL;
}

const char *ferry_rules_expect(const struct ferry_rules *r)
{
	return r->expect;
}

bool ferry_rules_strict(const struct ferry_rules *r)
{
	return r->strict;
}

bool ferry_rules_pretrained(const struct ferry_rules *r)
{
	return r->pretrained;
}

static int set_label(struct ferry__rule *rule,
		     const struct ferry__rule_text *text,
		     struct ferry_error *err)
{
	struct ferry_buffer b = FERRY_BUFFER_INIT;

	ferry_buffer_add_str(&b, verbs[text->kind]);
	if (text->dtype)
		ferry_buffer_printf(&b, " to %s",
				    ferry_dtype_name(rule->dtype));
	if (text->pattern)
		ferry_buffer_printf(&b, " '%s'", text->pattern);
	if (text->to)
		ferry_buffer_printf(&b, " => '%s'", text->to);
	if (rule->edge)
		ferry_buffer_printf(&b, " to %" PRIu64 " x %" PRIu64,
				    rule->edge, rule->edge);
	rule->label = b.failed ? NULL : ferry_alloc_strdup(b.data);
	ferry_buffer_release(&b);
	return rule->label ? 0 : ferry_fail_nomem(err, "a rule");
}

static int set_dtype(struct ferry__rule *rule, const char *name,
		     struct ferry_error *err)
{
	char shown[64];

	rule->dtype = ferry_dtype_find(name);
	if (rule->dtype != FERRY_DTYPE_NONE)
		return 0;
	ferry_escape(shown, sizeof(shown), name, strlen(name));
	return ferry_fail(err, FERRY_MISUSE, "handling", FERRY_NO_OFFSET,
			  "dtype '%s' is not known; some are float32, float16, "
			  "bfloat16, float64, float8_e4m3fn", shown);
}

static int set_prefix(struct ferry__rule *rule, const char *prefix,
		      struct ferry_error *err)
{
	if (!*prefix)
		return ferry_fail(err, FERRY_MISUSE, "handling",
				  FERRY_NO_OFFSET, "the prefix is empty");
	rule->prefix = ferry_alloc_strdup(prefix);
	rule->n_prefix = strlen(prefix);
	return rule->prefix ? 0 : ferry_fail_nomem(err, "a rule");
}

static int set_edge(struct ferry__rule *rule,
		    const struct ferry__rule_text *text,
		    struct ferry_error *err)
{
	uint64_t rows = text->stride ? text->image / text->stride : 0;

	if (!rows || rows > UINT16_MAX)
		return ferry_fail(err, FERRY_MISUSE, "handling",
				  FERRY_NO_OFFSET, "an image of %" PRIu64
				  " pixels at a stride of %" PRIu64 " has "
				  "%" PRIu64 " rows; 1 to 65535 can be",
				  text->image, text->stride, rows);
	rule->edge = 2 * rows - 1;
	return 0;
}

static int fill_rule(struct ferry__rule *rule,
		     const struct ferry__rule_text *text,
		     struct ferry_error *err)
{
	bool prefix = text->kind == FERRY_EDIT_STRIP_PREFIX ||
		      text->kind == FERRY_EDIT_ADD_PREFIX;
	int rc = 0;

	rule->kind = text->kind;
	rule->required = text->required;
	rule->all = text->all;
	rule->optional = text->optional;
	rule->unless_present = text->unless_present;
	if (text->kind == FERRY__EDIT_RESIZE_BIAS)
		rc = set_edge(rule, text, err);
	if (!rc && text->kind == FERRY_EDIT_CAST)
		rc = set_dtype(rule, text->dtype, err);
	if (!rc && prefix)
		rc = set_prefix(rule, text->pattern, err);
	if (!rc && !prefix && text->pattern) {
		rc = ferry__pattern_compile(&rule->pattern, text->match,
					    text->pattern, err);
		rule->has_pattern = !rc;
	}
	if (!rc && text->kind == FERRY_EDIT_RENAME)
		rc = ferry__template_parse(&rule->to, text->to, &rule->pattern,
					   err);
	return rc ? rc : set_label(rule, text, err);
}

/* An alias gives a text or a list again for a few bytes of a file. */
static int check_room(struct ferry_rules *r,
		      const struct ferry__rule_text *text,
		      struct ferry_error *err)
{
	r->nbytes += text->pattern ? strlen(text->pattern) : 0;
	r->nbytes += text->to ? strlen(text->to) : 0;
	if (r->n < FERRY__RULES_MOST && r->nbytes <= FERRY__RULES_BYTES)
		return 0;
	return ferry_fail(err, FERRY_LIMIT, "handling", FERRY_NO_OFFSET,
			  "there are more than %d rules, or they have more "
			  "than %d bytes of patterns and names",
			  FERRY__RULES_MOST, FERRY__RULES_BYTES);
}

int ferry__rules_append(struct ferry_rules *r,
			const struct ferry__rule_text *text,
			struct ferry_error *err)
{
	struct ferry__rule rule = { .has_pattern = false };
	size_t cap = r->cap ? 2 * r->cap : 8;
	void *rules;
	int rc = check_room(r, text, err);

	if (rc)
		return rc;
	if (r->n == r->cap) {
		rules = ferry_alloc_resize(r->rules, cap, sizeof(*r->rules));
		if (!rules)
			return ferry_fail_nomem(err, "rules");
		r->rules = rules;
		r->cap = cap;
	}
	rc = fill_rule(&rule, text, err);
	if (rc)
		release_rule(&rule);
	else
		r->rules[r->n++] = rule;
	return rc;
}

int ferry_rules_add(struct ferry_rules *r, const struct ferry_edit *edit,
		    struct ferry_error *err)
{
	struct ferry__rule_text text = {
		.kind = edit->kind, .match = FERRY__REGEX, .pattern = edit->a,
	};

	if ((unsigned)edit->kind > FERRY_EDIT_CAST || !edit->a)
		return ferry_fail(err, FERRY_MISUSE, "handling",
				  FERRY_NO_OFFSET, "an edit has no text");
	if (edit->kind == FERRY_EDIT_CAST) {
		text.dtype = edit->a;
		text.pattern = edit->b;
	} else if (edit->kind == FERRY_EDIT_RENAME) {
		if (!edit->b)
			return ferry_fail(err, FERRY_MISUSE, "handling",
					  FERRY_NO_OFFSET, "rename '%.80s' has "
					  "no replacement", edit->a);
		text.to = edit->b;
	}
	return ferry__rules_append(r, &text, err);
}
