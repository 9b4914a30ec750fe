/*
 * Handling: rules applied to a model's weights between the steps of a chain.
 *
 * Rules are data: a YAML file in schemas/ found by model name, or a user's own.
 *
 *	name: example/model
 *	description: one line
 *	rules:
 *	  - strip_prefix: "module."        # optional: {prefix: …, required: true}
 *	  - drop: "^head\\."               # match: regex (default)
 *	  - drop: {match: glob, pattern: "*.num_batches_tracked"}
 *	  - keep: {match: prefix, pattern: "encoder."}
 *	  - rename: {pattern: "^backbone\\.(.*)$", to: "\\1"}
 *	  - add_prefix: "model."
 *	  - cast: {dtype: bfloat16, pattern: "weight$"}
 *
 * doc/handling.md has the rest: options and conditions, the metadata with
 * which pretrained weights are loaded, procedures shared by several models.
 *
 * match is regex (PCRE2 search, UTF, \1 or $1 in `to`), word (a regex that ends
 * at the end of a word, unless it ends in "."), component ("head." at the
 * beginning of a word; any other text anywhere), prefix, substring, glob
 * (* and ? cross dots, whole name) or exact.  Rules run in order, each over the
 * names the one before it left.  Two names that would become one are an error
 * naming both; a rule that matched nothing is a warning.
 *
 * Thread: a rule set is read-only once loaded.
 */
#ifndef FERRY_HANDLING_H
#define FERRY_HANDLING_H

#include <ferry/abilities.h>
#include <ferry/findings.h>
#include <ferry/plan.h>
#include <ferry/value.h>

FERRY_BEGIN

struct ferry_rules;
struct ferry_store;

FERRY_API int ferry_rules_new(struct ferry_rules **out,
			      struct ferry_error *err);
FERRY_API void ferry_rules_free(struct ferry_rules *r);
/* Append one rule; MISUSE for a bad pattern, with the position in it. */
FERRY_API int ferry_rules_add(struct ferry_rules *r,
			      const struct ferry_edit *edit,
			      struct ferry_error *err);
/* Append the rules of a file; MALFORMED with line and column. */
FERRY_API int ferry_rules_load(struct ferry_rules *r, const char *path,
			       struct ferry_error *err);
/*
 * The same for a file with options: settings are "NAME=VALUE" (those that the
 * file does not know are left alone), and the store's session knows where the
 * procedures lie that the file names.  MISUSE for a value an option does not
 * have.
 */
FERRY_API int ferry_rules_load_for(struct ferry_rules *r, const char *path,
				   const struct ferry_store *store,
				   const char *const *settings, size_t n,
				   struct ferry_error *err);
/* The same for a model by its name; NOTFOUND, with names that are like it. */
FERRY_API int ferry_rules_load_model(struct ferry_rules *r,
				     struct ferry_session *s, const char *name,
				     const char *const *settings, size_t n,
				     struct ferry_error *err);
FERRY_API size_t ferry_rules_count(const struct ferry_rules *r);
/* What the i-th rule is, for people: "drop '^head'"; NULL past the last. */
FERRY_API const char *ferry_rules_label(const struct ferry_rules *r, size_t i);
/* The options of the files loaded; ends in a NULL name; borrowed. */
FERRY_API const struct ferry_option_spec *
ferry_rules_options(const struct ferry_rules *r);
/* The i-th key of the root under which the weights are sought, the first that
 * is there; "" is the root itself; NULL past the last: the type's rule. */
FERRY_API const char *ferry_rules_source(const struct ferry_rules *r, size_t i);
/* The tensor schema the result is to fit, or NULL; whether names must neither
 * be missing nor unexpected; and whether a file says how pretrained weights are
 * loaded, of which the former is a part. */
FERRY_API const char *ferry_rules_expect(const struct ferry_rules *r);
FERRY_API bool ferry_rules_strict(const struct ferry_rules *r);
FERRY_API bool ferry_rules_pretrained(const struct ferry_rules *r);

/*
 * Apply to the weights mapping (DICT or OBJECT with dict items) inside doc, in
 * place.  Names are the mapping's own keys; nested mappings are joined by ".".
 * Metadata that names modules (the "_metadata" state beside a state dict:
 * a dict of dicts keyed by module path) follows renames and prefixes.
 * Rules that cast tied tensors leave them tied.  Keep rules that follow each
 * other keep what any of them matches.
 * What was dropped, renamed and cast, and rules without a match, go to `out`.
 *
 * MISUSE: a collision, a name that would be empty, a required prefix that is
 * missing; LIMIT: a pattern that takes too many steps.  After a failure names
 * are as they were, but tensors may be cast already: free the document.
 */
FERRY_API int ferry_rules_apply(const struct ferry_rules *r,
				struct ferry_document *doc,
				struct ferry_value *weights,
				struct ferry_findings *out,
				struct ferry_error *err);

FERRY_END

#endif
