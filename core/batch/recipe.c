/* Recipes: rules out of trees of texts, and matching. */
#include "config.h"

#include "core/batch/recipe.h"

#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/batch/digest.h"

static const char *const action_names[] = {
	[FERRY__CONVERT] = "convert", [FERRY__COPY] = "copy",
	[FERRY__SKIP] = "skip", [FERRY__FAIL] = "fail",
};

const char *ferry__action_name(enum ferry__action action)
{
	return action_names[action];
}

/* One rule being read. */
struct reader {
	struct ferry_store *store;
	struct ferry__rule *rule;
	struct ferry_job *job;
	const char *key;
	struct ferry_error *err;
	int rc;
};

static void complain(struct reader *r, const char *what)
{
	if (!r->rc)
		r->rc = ferry_fail(r->err, FERRY_MISUSE, "recipe",
				   FERRY_NO_OFFSET, "'%s' %s", r->key, what);
}

static const char *keep(struct reader *r, const char *text)
{
	const char *copy = ferry_store_strndup(r->store, text, strlen(text));

	if (!copy && !r->rc)
		r->rc = ferry_fail_nomem(r->err, "a recipe");
	return copy;
}

static void take_text(struct reader *r, json_t *v, const char **out)
{
	if (!json_is_string(v))
		complain(r, "is to be a text");
	else
		*out = keep(r, json_string_value(v));
}

static void take_bool(struct reader *r, json_t *v, bool *out)
{
	if (!json_is_boolean(v))
		complain(r, "is to be true or false");
	else
		*out = json_is_true(v);
}

/* A text, or a list of them. */
static void take_list(struct reader *r, json_t *v, const char *const **out,
		      size_t *n)
{
	size_t count = json_is_array(v) ? json_array_size(v) : 1;
	const char **list = ferry_store_array(r->store, count, sizeof(*list));

	*n = 0;
	*out = list;
	if (!list) {
		r->rc = ferry_fail_nomem(r->err, "a recipe");
		return;
	}
	for (size_t i = 0; i < count && !r->rc; i++)
		take_text(r, json_is_array(v) ? json_array_get(v, i) : v,
			  &list[(*n)++]);
}

static void take_globs(struct reader *r, json_t *v, struct ferry__globs *out)
{
	const char *const *items = NULL;

	take_list(r, v, &items, &out->n);
	out->items = (const char **)items;
}

/* A mapping as "NAME=VALUE", by name. */
static void take_pairs(struct reader *r, json_t *v, const char *const **out,
		       size_t *n)
{
	struct ferry_buffer b = FERRY_BUFFER_INIT;
	const char **list, *key;
	json_t *value;

	if (!json_is_object(v)) {
		take_list(r, v, out, n);
		return;
	}
	list = ferry_store_array(r->store, json_object_size(v), sizeof(*list));
	*out = list;
	*n = 0;
	if (!list)
		r->rc = ferry_fail_nomem(r->err, "a recipe");
	json_object_foreach(v, key, value) {
		if (r->rc)
			break;
		b.n = 0;
		ferry_buffer_printf(&b, "%s=%s", key,
				    json_is_true(value) ? "yes" :
				    json_is_false(value) ? "no" :
				    json_is_string(value) ?
				    json_string_value(value) : "");
		list[(*n)++] = b.failed ? NULL : keep(r, b.data);
	}
	ferry_buffer_release(&b);
}

/* ---- edits --------------------------------------------------------------- */

static const char *const edit_names[] = {
	[FERRY_EDIT_DROP] = "drop", [FERRY_EDIT_KEEP] = "keep",
	[FERRY_EDIT_RENAME] = "rename",
	[FERRY_EDIT_STRIP_PREFIX] = "strip-prefix",
	[FERRY_EDIT_ADD_PREFIX] = "add-prefix", [FERRY_EDIT_CAST] = "cast",
};

#define N_EDITS (sizeof(edit_names) / sizeof(edit_names[0]))

/* "a=>b" of a renaming, "a:b" of a cast. */
static void split_edit(struct reader *r, struct ferry_edit *e, const char *sep)
{
	const char *at = strstr(e->a, sep);

	if (!at)
		return;
	e->b = at + strlen(sep);
	e->a = ferry_store_strndup(r->store, e->a, (size_t)(at - e->a));
	if (!e->a)
		r->rc = ferry_fail_nomem(r->err, "a recipe");
}

/* N_EDITS: none. */
static size_t edit_of(const char *name)
{
	size_t kind = 0;

	while (kind < N_EDITS && strcmp(edit_names[kind], name))
		kind++;
	return kind;
}

static void take_edit(struct reader *r, json_t *v, struct ferry_edit *out)
{
	const char *name = json_object_iter_key(json_object_iter(v));
	size_t kind;

	if (json_object_size(v) != 1) {
		complain(r, "is a list of mappings of one key each");
		return;
	}
	kind = edit_of(name);
	if (kind == N_EDITS) {
		complain(r, "knows drop, keep, rename, strip-prefix, "
			 "add-prefix and cast");
		return;
	}
	*out = (struct ferry_edit){ .kind = (enum ferry_edit_kind)kind };
	take_text(r, json_object_get(v, name), &out->a);
	if (r->rc)
		return;
	if (out->kind == FERRY_EDIT_RENAME)
		split_edit(r, out, "=>");
	if (out->kind == FERRY_EDIT_CAST)
		split_edit(r, out, ":");
	if (out->kind == FERRY_EDIT_RENAME && !r->rc && !out->b)
		complain(r, "has a rename without =>: REGEX=>NEW is expected");
}

static void take_edits(struct reader *r, json_t *v)
{
	size_t n = json_array_size(v);
	struct ferry_edit *list = ferry_store_array(r->store, n, sizeof(*list));

	if (!list)
		r->rc = ferry_fail_nomem(r->err, "a recipe");
	if (!json_is_array(v))
		complain(r, "is to be a list");
	for (size_t i = 0; i < n && !r->rc; i++)
		take_edit(r, json_array_get(v, i), &list[i]);
	r->job->edits = list;
	r->job->n_edits = n;
}

/* ---- what matches -------------------------------------------------------- */

static bool parse_size(const char *text, uint64_t *out)
{
	static const struct { const char *word; double times; } units[] = {
		{ "", 1 }, { "B", 1 }, { "K", 1e3 }, { "KB", 1e3 },
		{ "M", 1e6 }, { "MB", 1e6 }, { "G", 1e9 }, { "GB", 1e9 },
		{ "T", 1e12 }, { "TB", 1e12 }, { "KiB", 1024.0 },
		{ "MiB", 1048576.0 }, { "GiB", 1073741824.0 },
		{ "TiB", 1099511627776.0 },
	};
	double n = 0;
	size_t digits = strspn(text, "0123456789");

	if (!digits || digits > 15)
		return false;
	for (size_t i = 0; i < digits; i++)
		n = n * 10 + (text[i] - '0');
	text += digits;
	text += strspn(text, " ");
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (!strcmp(text, units[i].word)) {
			n *= units[i].times;
			*out = n < 1e18 ? (uint64_t)n : (uint64_t)1e18;
			return true;
		}
	return false;
}

static void narrow(uint64_t *least, uint64_t *most, const char *sign,
		   uint64_t n)
{
	uint64_t low = 0, high = UINT64_MAX;

	if (!strncmp(sign, ">=", 2))
		low = n;
	else if (*sign == '>')
		low = n + 1;
	else if (!strncmp(sign, "<=", 2))
		high = n;
	else
		high = n ? n - 1 : 0;
	if (low > *least)
		*least = low;
	if (high < *most)
		*most = high;
}

static void take_sizes(struct reader *r, json_t *v)
{
	const char *const *list = NULL;
	size_t n, signs;
	uint64_t size;

	take_list(r, v, &list, &n);
	for (size_t i = 0; i < n && !r->rc; i++) {
		signs = strspn(list[i], "<>=");
		if (signs < 1 || signs > 2 || *list[i] == '=' ||
		    !parse_size(list[i] + signs + strspn(list[i] + signs, " "),
				&size)) {
			complain(r, "is to be a bound, such as \">1GB\" or "
				 "\"<=10MiB\"");
			return;
		}
		narrow(&r->rule->size_least, &r->rule->size_most, list[i],
		       size);
	}
}

static void take_regex(struct reader *r, json_t *v)
{
	struct ferry__pattern *p = ferry_store_alloc(r->store, sizeof(*p));
	const char *text = NULL;

	take_text(r, v, &text);
	if (!p && !r->rc)
		r->rc = ferry_fail_nomem(r->err, "a recipe");
	if (r->rc)
		return;
	memset(p, 0, sizeof(*p));
	r->rc = ferry__pattern_compile(p, FERRY__REGEX, text, r->err);
	if (!r->rc)
		r->rule->regex = p;
}

static void take_match(struct reader *r, json_t *v)
{
	struct ferry__rule *rule = r->rule;
	const char *key;
	json_t *value;

	if (!json_is_object(v))
		complain(r, "is to be a mapping");
	json_object_foreach(v, key, value) {
		r->key = key;
		if (r->rc)
			break;
		else if (!strcmp(key, "type"))
			take_globs(r, value, &rule->type);
		else if (!strcmp(key, "format"))
			take_globs(r, value, &rule->format);
		else if (!strcmp(key, "version"))
			take_globs(r, value, &rule->version);
		else if (!strcmp(key, "path"))
			take_globs(r, value, &rule->path);
		else if (!strcmp(key, "regex"))
			take_regex(r, value);
		else if (!strcmp(key, "size"))
			take_sizes(r, value);
		else
			complain(r, "is nothing to match by: type, format, "
				 "version, path, regex and size are");
	}
}

/* ---- what is done -------------------------------------------------------- */

static void take_do(struct reader *r, json_t *v)
{
	const char *text = json_string_value(v);

	for (int i = FERRY__CONVERT; text && i <= FERRY__SKIP; i++)
		if (!strcmp(text, action_names[i])) {
			r->rule->action = (enum ferry__action)i;
			return;
		}
	complain(r, "is to be convert, copy or skip");
}

static void take_shared(struct reader *r, json_t *v)
{
	static const char *const words[] = { "keep", "copy", "first",
					     "error" };
	const char *text = json_string_value(v);

	for (size_t i = 0; text && i < 4; i++)
		if (!strcmp(text, words[i])) {
			r->job->shared = (enum ferry_shared)i;
			return;
		}
	complain(r, "is to be keep, copy, first or error");
}

static void take_losses(struct reader *r, json_t *v)
{
	if (json_is_boolean(v))
		r->job->allow_all_losses = json_is_true(v);
	else
		take_list(r, v, &r->job->allow_loss, &r->job->n_allow_loss);
}

/* Texts of a job, by the names of convert's options. */
static const char **text_of(struct ferry_job *job, const char *key)
{
	const struct { const char *name; const char **at; } all[] = {
		{ "from", &job->from }, { "to", &job->to },
		{ "from-format", &job->from_format },
		{ "to-format", &job->to_format }, { "model", &job->model },
		{ "rules", &job->rules }, { "expect", &job->expect },
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (!strcmp(all[i].name, key))
			return all[i].at;
	return NULL;
}

static void take_key(struct reader *r, const char *key, json_t *v)
{
	struct ferry_job *job = r->job;
	const char **text = text_of(job, key);

	r->key = key;
	if (text)
		take_text(r, v, text);
	else if (!strcmp(key, "name"))
		take_text(r, v, &r->rule->name);
	else if (!strcmp(key, "match"))
		take_match(r, v);
	else if (!strcmp(key, "do"))
		take_do(r, v);
	else if (!strcmp(key, "output"))
		take_text(r, v, &r->rule->output);
	else if (!strcmp(key, "upgrade"))
		take_bool(r, v, &job->upgrade);
	else if (!strcmp(key, "weights"))
		take_bool(r, v, &job->weights);
	else if (!strcmp(key, "select"))
		take_list(r, v, &job->select, &job->n_select);
	else if (!strcmp(key, "with"))
		take_pairs(r, v, &job->with, &job->n_with);
	else if (!strcmp(key, "map-path"))
		take_pairs(r, v, &job->map_paths, &job->n_map_paths);
	else if (!strcmp(key, "set"))
		take_pairs(r, v, &job->settings, &job->n_settings);
	else if (!strcmp(key, "shared"))
		take_shared(r, v);
	else if (!strcmp(key, "allow-loss"))
		take_losses(r, v);
	else if (!strcmp(key, "edits"))
		take_edits(r, v);
	else if (edit_of(key) < N_EDITS)
		complain(r, "stands in the list of a rule's 'edits'");
	else
		complain(r, "is no key of a rule; doc/migrate.md lists them");
}

/* Files that the job names are a part of what it does. */
static void tell_file(json_t *files, const char *path)
{
	char digest[FERRY__DIGEST_TEXT];

	if (path && !ferry__digest_file(FERRY_DIGEST_SHA256, path, NULL,
					digest, NULL))
		json_object_set_new(files, path, json_string(digest));
}

static void tell_files(const struct ferry_job *job, json_t *bare)
{
	json_t *files = json_object();
	const char *equals;

	tell_file(files, job->rules);
	tell_file(files, job->expect);
	for (size_t i = 0; i < job->n_with; i++) {
		equals = strchr(job->with[i], '=');
		tell_file(files, equals ? equals + 1 : NULL);
	}
	if (json_object_size(files))
		json_object_set(bare, "files", files);
	json_decref(files);
}

/* What it does, without what it is called and what it matches. */
static void tell(struct reader *r)
{
	json_t *bare = json_copy(r->rule->tree);
	char *text;

	tell_files(r->job, bare);

	json_object_del(bare, "name");
	json_object_del(bare, "match");
	json_object_del(bare, "output");
	text = bare ? json_dumps(bare, JSON_SORT_KEYS | JSON_COMPACT) : NULL;
	json_decref(bare);
	if (text)
		r->rule->text = keep(r, text);
	else
		r->rc = ferry_fail_nomem(r->err, "a recipe");
	free(text);
}

static int read_rule(struct ferry__recipe *recipe, size_t i, json_t *tree,
		     const char *where, struct ferry_error *err)
{
	struct ferry_error why = FERRY_ERROR_INIT;
	struct ferry__rule *rule = &recipe->rules[i];
	struct reader r = { .store = recipe->store, .rule = rule,
			    .job = &rule->job, .key = "a rule", .err = &why };
	char name[32];
	const char *key;
	json_t *value;

	rule->size_most = UINT64_MAX;
	rule->tree = json_incref(tree);
	recipe->n++;
	if (!json_is_object(tree))
		complain(&r, "is to be a mapping");
	json_object_foreach(tree, key, value)
		if (!r.rc)
			take_key(&r, key, value);
	snprintf(name, sizeof(name), "rule %zu", i + 1);
	if (!r.rc && !rule->name)
		rule->name = keep(&r, name);
	if (!r.rc)
		tell(&r);
	if (rule->type.n || rule->version.n)
		recipe->by_type = true;
	if (!r.rc)
		return 0;
	return ferry_fail(err, r.rc, "recipe", why.offset, "%s: rule %zu: %s",
			  where, i + 1, why.text);
}

int ferry__recipe_from_tree(struct ferry__recipe *out, json_t *rules,
			    const char *where, struct ferry_error *err)
{
	size_t n = json_array_size(rules);
	int rc;

	memset(out, 0, sizeof(*out));
	if (!n)
		return ferry_fail(err, FERRY_MISUSE, "recipe", FERRY_NO_OFFSET,
				  "%s: has no rules: a list of them is "
				  "expected under 'rules'", where);
	rc = ferry_store_new(&out->store, err);
	if (rc)
		return rc;
	out->rules = ferry_store_array(out->store, n, sizeof(*out->rules));
	if (!out->rules)
		rc = ferry_fail_nomem(err, "a recipe");
	else
		memset(out->rules, 0, n * sizeof(*out->rules));
	for (size_t i = 0; i < n && !rc; i++)
		rc = read_rule(out, i, json_array_get(rules, i), where, err);
	if (rc)
		ferry__recipe_release(out);
	return rc;
}

void ferry__recipe_release(struct ferry__recipe *r)
{
	for (size_t i = 0; i < r->n; i++) {
		json_decref(r->rules[i].tree);
		if (r->rules[i].regex)
			ferry__pattern_release(r->rules[i].regex);
	}
	ferry_store_unref(r->store);
	memset(r, 0, sizeof(*r));
}

/* ---- matching ------------------------------------------------------------ */

static bool globs_match(const struct ferry__globs *g, const char *text)
{
	for (size_t i = 0; i < g->n; i++)
		if (text && !fnmatch(g->items[i], text, 0))
			return true;
	return !g->n;
}

static int regex_matches(const struct ferry__rule *rule, const char *path,
			 struct ferry_error *err)
{
	struct ferry__matcher m;
	int rc;

	if (!rule->regex)
		return 1;
	rc = ferry__matcher_init(&m, err);
	if (rc)
		return rc;
	rc = ferry__pattern_match(rule->regex, &m, path, strlen(path), err);
	ferry__matcher_release(&m);
	return rc;
}

int ferry__recipe_match(const struct ferry__recipe *r,
			const struct ferry__traits *item,
			const struct ferry__rule **out,
			struct ferry_error *err)
{
	const struct ferry__rule *rule;
	int rc;

	*out = NULL;
	for (size_t i = 0; i < r->n; i++) {
		rule = &r->rules[i];
		if (!globs_match(&rule->type, item->type) ||
		    !globs_match(&rule->format, item->format) ||
		    !globs_match(&rule->version, item->version) ||
		    !globs_match(&rule->path, item->path) ||
		    item->nbytes < rule->size_least ||
		    item->nbytes > rule->size_most)
			continue;
		rc = regex_matches(rule, item->path, err);
		if (rc < 0)
			return rc;
		if (rc) {
			*out = rule;
			return 0;
		}
	}
	return 0;
}
