/*
 * A type of several models, and of names of their weights beside them that
 * follow: a document with "first", "second" and "names".
 */
#include "config.h"

#include <stdio.h>

#include "tests/plugins/mock.h"

static struct ferry_value *part(struct ferry_document *doc, const char *key)
{
	return doc->root->kind == FERRY_DICT ? ferry_dict_get(doc->root, key) :
	       NULL;
}

static int recognise(struct ferry_document *doc, const char *file_name,
		     struct ferry_match *out)
{
	(void)file_name;
	if (!part(doc, "names"))
		return 0;
	out->score = 99;
	snprintf(out->reason, sizeof(out->reason), "names");
	return 0;
}

static int handled(struct ferry_document *doc, struct ferry_value **out,
		   struct ferry_error *err)
{
	static const char *const keys[] = { "first", "second" };

	*out = ferry_sequence(doc->store, FERRY_LIST, 2);
	for (size_t i = 0; i < 2 && *out; i++)
		if (part(doc, keys[i]) &&
		    ferry_list_add(doc->store, *out, part(doc, keys[i])))
			*out = NULL;
	return *out ? 0 : ferry_fail_nomem(err, "models");
}

static bool is_was(const struct ferry_renamed *r, const struct ferry_value *v)
{
	return r->n_was == v->u.s.nbytes &&
	       !memcmp(r->was, v->u.s.data, r->n_was);
}

/* Names follow the first model. */
static int renamed(struct ferry_document *doc,
		   const struct ferry_renaming *changes, size_t n,
		   struct ferry_findings *out, struct ferry_error *err)
{
	struct ferry_value *names = part(doc, "names"), *name;
	const struct ferry_renamed *r;

	for (size_t i = 0; i < changes->n; i++) {
		r = &changes->names[i];
		for (uint32_t k = 0; k < names->u.list.n; k++) {
			name = names->u.list.items[k];
			if (name->kind == FERRY_STRING && is_was(r, name))
				names->u.list.items[k] = r->is ?
					ferry_string(doc->store, r->is,
						     r->n_is) : ferry_none();
		}
	}
	return ferry_findings_add(out, FERRY_NOTE, "followed", "names",
				  FERRY_NO_OFFSET, "names followed %zu models",
				  n) ? ferry_fail_nomem(err, "findings") : 0;
}

static const struct ferry_artifact_type models = {
	.struct_size = sizeof(struct ferry_artifact_type),
	.name = "mock/models",
	.title = "several models",
	.recognise = recognise,
	.handled = handled,
	.renamed = renamed,
};

static const struct ferry_artifact_type *const types[] = { &models, NULL };

FERRY_PLUGIN_EXPORT = {
	.struct_size = sizeof(struct ferry_plugin),
	.abi_minor = FERRY_ABI_MINOR,
	.name = "mock-names",
	.version = "1",
	.license = "Apache-2.0",
	.description = "several models",
	.types = types,
};
