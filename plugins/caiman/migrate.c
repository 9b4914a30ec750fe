/* What both migrations share. */
#include "config.h"

#include "plugins/caiman/migrate.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "plugins/caiman/weights.h"

int note(const struct ferry_conversion_args *args, const char *path,
	 struct ferry_error *err, const char *fmt, ...)
{
	char text[300];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (ferry_findings_add(args->findings, FERRY_NOTE, "migration", path,
			       FERRY_NO_OFFSET, "%s", text))
		return ferry_fail_nomem(err, "findings");
	return 0;
}

int hint_protocol(struct ferry_document *out, const struct release *release,
		  struct ferry_error *err)
{
	struct making hints = make(out->store, NULL);

	put(&hints, "protocol", ferry_cstring(out->store, release->protocol));
	out->hints = hints.dict;
	return hints.failed ? ferry_fail_nomem(err, "hints") : 0;
}

int version_to_write(const struct ferry_conversion_args *args,
		     const struct release *release, const char **out,
		     struct ferry_error *err)
{
	*out = ferry_option(args->options, "version");
	if (!*out)
		*out = release->version;
	if (*out || !release->has_version)
		return 0;
	return ferry_fail(err, FERRY_MISUSE, "caiman", FERRY_NO_OFFSET,
			  "release '%s' has no number that is known: say what "
			  "the checkpoint's version is to be with --set "
			  "version=NUMBER", release->name);
}

struct ferry_value *unk_member(struct ferry_store *store,
			       const struct release *release,
			       const char *name)
{
	const char *module = release->unk_handling, *class;
	struct ferry_value *args, *text = ferry_cstring(store, name), *global;

	class = module ? strchr(module, ' ') : NULL;
	if (!class)
		return text;
	global = ferry_global(store, module, (size_t)(class - module),
			      class + 1, strlen(class + 1));
	args = ferry_sequence(store, FERRY_TUPLE, 1);
	if (!text || !global || !args || ferry_list_add(store, args, text))
		return NULL;
	return ferry_object(store, FERRY_FORM_CALL, global, args, NULL);
}

int migration_begin(struct migration *m, origin_finder *find,
		    const struct ferry_conversion_args *args,
		    struct ferry_error *err)
{
	int rc;

	memset(m, 0, sizeof(*m));
	m->args = args;
	m->err = err;
	m->out = make(args->store, NULL);
	rc = releases_load(args->store, &m->all, err);
	if (!rc)
		rc = release_wanted(&m->all, args->options, &m->to, err);
	if (!rc)
		rc = find(args->inputs[0], &m->all, &m->from, err);
	if (rc)
		return rc;
	if (m->to->index < m->from.first->index)
		return ferry_fail(err, FERRY_MISUSE, "caiman",
				  FERRY_NO_OFFSET, "the checkpoint has the "
				  "layout of release %s, which is newer than "
				  "%s: migration goes forward only",
				  m->from.release, m->to->name);
	return hint_protocol(args->out, m->to, err);
}

int migration_weights(struct migration *m, const char *key)
{
	struct ferry_value *weights = at(m->args->inputs[0]->root, key);
	int rc;

	if (!weights)
		return 0;
	rc = canonical_weights(m->args->store, weights, key,
			       m->args->findings, &weights, m->err);
	if (!rc)
		put(&m->out, key, weights);
	return rc;
}

int migration_end(struct migration *m)
{
	const struct ferry_value *items =
		ferry_value_items(m->args->inputs[0]->root);
	const struct ferry_pair *pair;
	char name[80];
	int rc = 0;

	for (uint32_t i = 0; i < items->u.dict.n && !rc && !m->out.failed;
	     i++) {
		pair = &items->u.dict.pairs[i];
		if (ferry_dict_find(m->out.dict, pair->key))
			continue;
		if (ferry_dict_set(m->args->store, m->out.dict, pair->key,
				   pair->value))
			m->out.failed = true;
		if (pair->key->kind != FERRY_STRING)
			continue;
		ferry_escape(name, sizeof(name), pair->key->u.s.data,
			     pair->key->u.s.nbytes);
		if (strcmp(name, "raw_prefix_token_map"))
			rc = note(m->args, name, m->err, "'%s' is no key of "
				  "release %s: it is kept at the end", name,
				  m->to->name);
	}
	m->args->out->root = m->out.dict;
	return rc ? rc : m->out.failed ? ferry_fail_nomem(m->err,
							  "a checkpoint") : 0;
}
