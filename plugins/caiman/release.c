/* The releases. */
#include "config.h"

#include "plugins/caiman/release.h"

#include <stdio.h>
#include <string.h>

#include <ferry/sys/buffer.h>

#include "formats/yaml/yaml.h"

int schema_load(struct ferry_store *store, const char *name,
		struct ferry_value **out, struct ferry_error *err)
{
	struct ferry_source *src;
	char path[120];
	int rc;

	snprintf(path, sizeof(path), "caiman/%.100s.yaml", name);
	rc = ferry_schema_open(store, path, &src, err);
	if (rc)
		return rc;
	rc = yaml_read_source(src, store, NULL, out, err);
	ferry_source_unref(src);
	return rc;
}

bool has_schema(const struct release *release)
{
	return strcmp(release->config, "none") &&
	       strcmp(release->config, "whole");
}

bool list_has(const struct ferry_value *list, const char *text)
{
	for (uint32_t i = 0; i < list->u.list.n; i++)
		if (ferry_value_is(list->u.list.items[i], text))
			return true;
	return false;
}

const char *list_text(struct ferry_store *store,
		      const struct ferry_value *list, size_t i)
{
	const struct ferry_value *v = list->u.list.items[i];

	return ferry_store_strndup(store, v->u.s.data, v->u.s.nbytes);
}

/* ---- a row ------------------------------------------------------------------- */

struct row {
	struct ferry_store *store;
	const struct ferry_value *from;
	const char *wrong;		/* a key without its value */
	bool failed;			/* memory is out */
};

static struct ferry_value *cell(struct row *row, const char *key, int kind)
{
	struct ferry_value *v = ferry_dict_get(row->from, key);

	if (v && v->kind == kind)
		return v;
	row->wrong = key;
	return NULL;
}

static const struct ferry_value *words(struct row *row, const char *key)
{
	const struct ferry_value *v = cell(row, key, FERRY_LIST);

	for (uint32_t i = 0; v && i < v->u.list.n; i++)
		if (v->u.list.items[i]->kind != FERRY_STRING)
			row->wrong = key;
	return v;
}

static const char *keep(struct row *row, const char *text, size_t n)
{
	const char *kept = ferry_store_strndup(row->store, text, n);

	row->failed |= !kept;
	return kept;
}

static const char *word(struct row *row, const char *key, bool optional)
{
	const struct ferry_value *v = ferry_dict_get(row->from, key);

	if (optional && v && v->kind == FERRY_NONE)
		return NULL;
	v = cell(row, key, FERRY_STRING);
	return v ? keep(row, v->u.s.data, v->u.s.nbytes) : NULL;
}

static bool truth(struct row *row, const char *key)
{
	const struct ferry_value *v = cell(row, key, FERRY_BOOL);

	return v && v->u.b;
}

static unsigned count(struct row *row, const char *key)
{
	const struct ferry_value *v = cell(row, key, FERRY_INT);

	return v && !(v->flags & FERRY_BIG) ? (unsigned)v->u.i : 0;
}

static void read_row(struct row *row, struct release *out)
{
	const struct ferry_value *melalpha = cell(row, "melalpha", FERRY_FLOAT);
	const char *numbered = word(row, "numbered", false);
	char protocol[12];

	out->name = word(row, "release", false);
	out->version = word(row, "version", true);
	out->training = words(row, "training");
	out->tokenizer_kw = words(row, "tokenizer_kw");
	out->hardware = words(row, "hardware");
	out->variants = words(row, "variants");
	out->unk_handling = word(row, "unk_handling", true);
	out->config = word(row, "config", false);
	out->by_step = numbered && !strcmp(numbered, "step");
	out->lstm_layers = truth(row, "lstm_layers");
	out->melalpha_fixed = truth(row, "melalpha_fixed");
	out->norm_weight = truth(row, "norm_weight");
	out->stats_path = truth(row, "stats_path");
	out->melalpha = melalpha ? melalpha->u.f : 0;
	out->groups = count(row, "groups");
	out->pydantic = count(row, "pydantic");
	snprintf(protocol, sizeof(protocol), "%u", count(row, "protocol"));
	out->protocol = keep(row, protocol, strlen(protocol));
	out->has_version = out->hardware && list_has(out->hardware, "version");
}

static int fail_row(const char *key, size_t row, struct ferry_error *err)
{
	return ferry_fail(err, FERRY_MALFORMED, "caiman", FERRY_NO_OFFSET,
			  "caiman/releases.yaml: release %zu has no '%s', or "
			  "not of the right kind", row + 1, key);
}

static int find_newest(struct row *top, struct releases *all,
		       struct ferry_error *err)
{
	const char *name = word(top, "newest", false);

	if (top->failed)
		return ferry_fail_nomem(err, "the table of releases");
	for (all->newest = 0; name && all->newest < all->n; all->newest++)
		if (!strcmp(all->items[all->newest].name, name))
			return 0;
	return ferry_fail(err, FERRY_MALFORMED, "caiman", FERRY_NO_OFFSET,
			  "caiman/releases.yaml: 'newest' names no release");
}

int releases_load(struct ferry_store *store, struct releases *out,
		  struct ferry_error *err)
{
	struct ferry_value *file;
	const struct ferry_value *rows;
	struct row row = { .store = store };
	int rc = schema_load(store, "releases", &file, err);

	if (rc)
		return rc;
	row.from = file;
	rows = file->kind == FERRY_DICT ? cell(&row, "releases", FERRY_LIST) :
					  NULL;
	if (!rows || !rows->u.list.n)
		return fail_row("releases", 0, err);
	out->n = rows->u.list.n;
	out->items = ferry_store_array(store, out->n, sizeof(*out->items));
	if (!out->items)
		return ferry_fail_nomem(err, "the table of releases");
	for (size_t i = 0; i < out->n; i++) {
		row.from = rows->u.list.items[i];
		out->items[i] = (struct release){ .index = i };
		if (row.from->kind == FERRY_DICT)
			read_row(&row, &out->items[i]);
		else
			row.wrong = "release";
		if (row.failed)
			return ferry_fail_nomem(err, "the table of releases");
		if (row.wrong)
			return fail_row(row.wrong, i, err);
	}
	row.from = file;
	return find_newest(&row, out, err);
}

/* ---- the one that is wanted --------------------------------------------------- */

/* "1.9", "v1.9.0" and "1.9.0" are one. */
static bool is_named(const struct release *r, const char *text)
{
	size_t n;

	if (*text == 'v')
		text++;
	n = strlen(text);
	return n && !strncmp(r->name, text, n) &&
	       (!r->name[n] || !strcmp(r->name + n, ".0"));
}

static int fail_unknown(const struct releases *all, const char *text,
			struct ferry_error *err)
{
	struct ferry_buffer names = FERRY_BUFFER_INIT;
	char quoted[60];
	int rc;

	for (size_t i = 0; i < all->n; i++) {
		ferry_buffer_add_str(&names, i ? ", " : "");
		ferry_buffer_add_str(&names, all->items[i].name);
	}
	ferry_escape(quoted, sizeof(quoted), text, strlen(text));
	rc = names.failed ? ferry_fail_nomem(err, "names") :
	     ferry_fail(err, FERRY_MISUSE, "caiman", FERRY_NO_OFFSET,
			"release '%s' is not known: give one of %s", quoted,
			names.data);
	ferry_buffer_release(&names);
	return rc;
}

int release_wanted(const struct releases *all,
		   const struct ferry_options *options,
		   const struct release **out, struct ferry_error *err)
{
	const char *text = ferry_option(options, "release");

	*out = &all->items[all->newest];
	if (!text)
		return 0;
	for (size_t i = 0; i < all->n; i++) {
		*out = &all->items[i];
		if (is_named(*out, text))
			return 0;
	}
	return fail_unknown(all, text, err);
}
