/* The gate: a descriptor is checked as data before anything in it is called. */
#include "config.h"

#include "core/registry/registry.h"

#include <stdio.h>
#include <string.h>

/* Bytes of a struct up to and with its last field of the first release. */
#define FIRST_SIZE(type, last) \
	(offsetof(type, last) + sizeof(((type *)0)->last))

struct gate {
	struct ferry_session *s;
	const char *plugin;	/* its name, once known */
	const char *file;
	struct ferry_error *err;
};

static int refuse(struct gate *g, const char *fmt, ...) FERRY_PRINTF(2, 3);

static int refuse(struct gate *g, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return ferry_fail(g->err, FERRY_PLUGIN, "plugin", FERRY_NO_OFFSET,
			  "plugin %s: %s", g->file, text);
}

static bool is_word(const char *name, const char *more)
{
	if (!name || *name < 'a' || *name > 'z')
		return false;
	for (name++; *name; name++)
		if (!(*name >= 'a' && *name <= 'z') &&
		    !(*name >= '0' && *name <= '9') && *name != '-' &&
		    !strchr(more, *name))
			return false;
	return true;
}

/* Words joined by single slashes. */
static bool is_type_name(const char *name)
{
	return is_word(name, "/._") && !strstr(name, "//") &&
	       name[strlen(name) - 1] != '/';
}

static int check_name(struct gate *g, const char *what, const char *name,
		      bool ok)
{
	char shown[96];

	if (ok)
		return 0;
	if (!name)
		return refuse(g, "%s has no name; a name is expected", what);
	ferry_escape(shown, sizeof(shown), name, strlen(name));
	return refuse(g, "%s is named '%s'; expected lower-case letters, "
		      "digits and '-', beginning with a letter", what, shown);
}

static int check_size(struct gate *g, const char *what, size_t found,
		      size_t expected)
{
	if (found >= expected)
		return 0;
	return refuse(g, "%s has struct_size %zu; expected at least %zu, as "
		      "ABI %d.0 has it", what, found, expected,
		      FERRY_ABI_MAJOR);
}

/* The session's own copy: fields the plugin does not have yet are zero. */
static int copy(struct gate *g, const void *found, size_t struct_size,
		size_t size, void *out)
{
	char **copied = out;

	*copied = ferry_store_alloc(g->s->store, size);
	if (!*copied)
		return ferry_fail_nomem(g->err, "a plugin");
	memset(*copied, 0, size);
	memcpy(*copied, found, struct_size < size ? struct_size : size);
	return 0;
}

static int check_options(struct gate *g, const char *what, const char *name,
			 const struct ferry_option_spec *specs)
{
	for (; specs && specs->name; specs++)
		if (!is_word(specs->name, ""))
			return refuse(g, "%s '%s' has an option named '%s'; "
				      "expected lower-case letters, digits "
				      "and '-'", what, name, specs->name);
	return 0;
}

static int check_format(struct gate *g, const void *one)
{
	const struct ferry_format *f = one;
	int rc = check_name(g, "a format", f->name, is_word(f->name, ""));

	if (rc)
		return rc;
	if (!f->title)
		return refuse(g, "format '%s' has no title", f->name);
	if (!f->probe)
		return refuse(g, "format '%s' has no probe callback; one is "
			      "required", f->name);
	if (!f->read && !f->write)
		return refuse(g, "format '%s' has neither a read nor a write "
			      "callback; one of them is required", f->name);
	if (f->max_rank > FERRY_MAX_RANK)
		return refuse(g, "format '%s' declares rank %u; expected at "
			      "most %d", f->name, f->max_rank, FERRY_MAX_RANK);
	rc = check_options(g, "format", f->name, f->read_options);
	return rc ? rc : check_options(g, "format", f->name,
				       f->write_options);
}

static int check_type(struct gate *g, const void *one)
{
	const struct ferry_artifact_type *t = one;
	int rc = check_name(g, "an artifact type", t->name,
			    is_type_name(t->name));

	if (rc)
		return rc;
	if (!t->title)
		return refuse(g, "artifact type '%s' has no title", t->name);
	if (!t->recognise)
		return refuse(g, "artifact type '%s' has no recognise "
			      "callback; one is required", t->name);
	if (!t->check_by != !t->check_options)
		return refuse(g, "artifact type '%s' has one of check_by and "
			      "check_options; both are required, or neither",
			      t->name);
	rc = check_options(g, "artifact type", t->name, t->average_options);
	return rc ? rc : check_options(g, "artifact type", t->name,
				       t->check_options);
}

static int check_conversion(struct gate *g, const void *one)
{
	const struct ferry_conversion *c = one;
	const struct ferry_role *role = c->roles;
	int rc = check_name(g, "a conversion", c->name,
			    is_type_name(c->name));

	if (rc)
		return rc;
	if (!c->title)
		return refuse(g, "conversion '%s' has no title", c->name);
	if (!role || !role->name || !role->type || role->optional ||
	    !strcmp(role->type, FERRY_ANY_TYPE))
		return refuse(g, "conversion '%s' has no main input; its first "
			      "role must name an artifact type and not be "
			      "optional", c->name);
	for (; role->name; role++)
		if (!is_word(role->name, "_") ||
		    (role->type && !is_type_name(role->type)))
			return refuse(g, "conversion '%s' has a role '%s' whose "
				      "name or type is not well formed",
				      c->name, role->name);
	if (!is_type_name(c->output))
		return refuse(g, "conversion '%s' names no output type",
			      c->name);
	if (!c->run)
		return refuse(g, "conversion '%s' has no run callback; one is "
			      "required", c->name);
	if (c->flags & FERRY_CONVERSION_UPGRADE &&
	    strcmp(c->roles->type, c->output))
		return refuse(g, "conversion '%s' is marked as an upgrade but "
			      "leads from '%s' to '%s'; an upgrade is of a type "
			      "to itself", c->name, c->roles->type, c->output);
	return check_options(g, "conversion", c->name, c->options);
}

static int check_plugin(struct gate *g, const struct ferry_plugin *found)
{
	int rc = check_size(g, "its descriptor", found->struct_size,
			    FIRST_SIZE(struct ferry_plugin, conversions));

	if (rc)
		return rc;
	if (found->abi_minor > FERRY_ABI_MINOR)
		return refuse(g, "it was compiled for ABI %d.%u; this ferry "
			      "has %d.%d: install a newer ferry, or compile "
			      "the plugin against this one", FERRY_ABI_MAJOR,
			      found->abi_minor, FERRY_ABI_MAJOR,
			      FERRY_ABI_MINOR);
	rc = check_name(g, "it", found->name, is_word(found->name, ""));
	if (!rc && !found->version)
		rc = refuse(g, "it has no version; a version is expected");
	return rc;
}

/* What a plugin brings of one sort, in a list that ends in NULL. */
struct sort {
	const char *what;
	size_t first;		/* bytes of it in the first ABI */
	size_t nbytes;
	int (*check)(struct gate *g, const void *one);
};

static const struct sort formats = {
	"a format", FIRST_SIZE(struct ferry_format, scan),
	sizeof(struct ferry_format), check_format,
};

static const struct sort types = {
	"an artifact type", FIRST_SIZE(struct ferry_artifact_type, dtypes),
	sizeof(struct ferry_artifact_type), check_type,
};

static const struct sort conversions = {
	"a conversion", FIRST_SIZE(struct ferry_conversion, run),
	sizeof(struct ferry_conversion), check_conversion,
};

/* The i-th of a list of pointers to structs, which begin with their size. */
static const void *item(const void *list, size_t i)
{
	const void *one;

	memcpy(&one, (const char *)list + i * sizeof(one), sizeof(one));
	return one;
}

/* *list becomes one of copies. */
static int take(struct gate *g, const struct sort *sort, void *list)
{
	const void *found = item(list, 0);
	size_t struct_size;
	void **copies;
	size_t n = 0;
	int rc = 0;

	if (!found)
		return 0;
	while (item(found, n))
		n++;
	copies = ferry_store_array(g->s->store, n + 1, sizeof(*copies));
	if (!copies)
		return ferry_fail_nomem(g->err, "a plugin");
	for (size_t i = 0; i < n && !rc; i++) {
		memcpy(&struct_size, item(found, i), sizeof(struct_size));
		rc = check_size(g, sort->what, struct_size, sort->first);
		if (!rc)
			rc = copy(g, item(found, i), struct_size, sort->nbytes,
				  &copies[i]);
		if (!rc)
			rc = sort->check(g, copies[i]);
	}
	copies[n] = NULL;
	memcpy(list, &copies, sizeof(copies));
	return rc;
}

static int check_free(struct gate *g, enum ferry_known_kind kind,
		      const char *what, const char *name)
{
	const struct ferry_known *row = ferry__row_named(g->s, kind, name);

	if (!row)
		return 0;
	return refuse(g, "%s '%s' of plugin '%s' is already brought by plugin "
		      "'%s': load only one of them", what, name, g->plugin,
		      row->plugin);
}

static int check_duplicates(struct gate *g, const struct ferry_plugin *p)
{
	int rc = 0;

	for (size_t i = 0; p->formats && p->formats[i] && !rc; i++) {
		rc = check_free(g, FERRY_KNOWN_FORMATS, "format",
				p->formats[i]->name);
		for (size_t j = 0; j < i && !rc; j++)
			if (!strcmp(p->formats[i]->name, p->formats[j]->name))
				rc = refuse(g, "it brings format '%s' twice",
					    p->formats[i]->name);
	}
	for (size_t i = 0; p->types && p->types[i] && !rc; i++) {
		rc = check_free(g, FERRY_KNOWN_TYPES, "artifact type",
				p->types[i]->name);
		for (size_t j = 0; j < i && !rc; j++)
			if (!strcmp(p->types[i]->name, p->types[j]->name))
				rc = refuse(g, "it brings artifact type '%s' "
					    "twice", p->types[i]->name);
	}
	for (size_t i = 0; p->conversions && p->conversions[i] && !rc; i++) {
		rc = check_free(g, FERRY_KNOWN_CONVERSIONS, "conversion",
				p->conversions[i]->name);
		for (size_t j = 0; j < i && !rc; j++)
			if (!strcmp(p->conversions[i]->name,
				    p->conversions[j]->name))
				rc = refuse(g, "it brings conversion '%s' "
					    "twice", p->conversions[i]->name);
	}
	return rc;
}

int ferry__gate(struct ferry_session *s, const struct ferry_plugin *found,
		const char *file, const struct ferry_plugin **out,
		struct ferry_error *err)
{
	struct gate g = { .s = s, .file = file, .err = err };
	struct ferry_plugin *p;
	int rc = check_plugin(&g, found);

	if (!rc)
		rc = copy(&g, found, found->struct_size, sizeof(*p), &p);
	if (rc)
		return rc;
	g.plugin = p->name;
	rc = take(&g, &formats, &p->formats);
	if (!rc)
		rc = take(&g, &types, &p->types);
	if (!rc)
		rc = take(&g, &conversions, &p->conversions);
	if (!rc)
		rc = check_duplicates(&g, p);
	if (!rc)
		*out = p;
	return rc;
}
