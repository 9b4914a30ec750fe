/* Classes of nodes, and where their parts are. */
#include "config.h"

#include "formats/omegaconf/node.h"

#include <string.h>

static const struct {
	const char *module, *name;
	enum node_class class;
} classes[] = {
	{ "omegaconf.nodes", "AnyNode", NODE_ANY },
	{ "omegaconf.dictconfig", "DictConfig", NODE_DICT },
	{ "omegaconf.listconfig", "ListConfig", NODE_LIST },
	{ "omegaconf.base", "UnionNode", NODE_UNION },
	{ "omegaconf.nodes", "StringNode", NODE_STRING },
	{ "omegaconf.nodes", "IntegerNode", NODE_INTEGER },
	{ "omegaconf.nodes", "FloatNode", NODE_FLOAT },
	{ "omegaconf.nodes", "BooleanNode", NODE_BOOLEAN },
	{ "omegaconf.nodes", "BytesNode", NODE_BYTES },
	{ "omegaconf.nodes", "PathNode", NODE_PATH },
	{ "omegaconf.nodes", "EnumNode", NODE_ENUM },
};

enum node_class omegaconf_class(const struct ferry_value *v)
{
	const struct ferry_value *class;

	if (v->kind != FERRY_OBJECT || v->u.object->form != FERRY_FORM_NEW)
		return NODE_NONE;
	class = v->u.object->callable;
	if (!class || class->kind != FERRY_GLOBAL ||
	    strncmp(class->u.global.module, "omegaconf.", 10))
		return NODE_NONE;
	for (size_t i = 0; i < sizeof(classes) / sizeof(*classes); i++)
		if (ferry_value_is_global(class, classes[i].module,
					  classes[i].name))
			return classes[i].class;
	return strcmp(class->u.global.module, "omegaconf.nodes") ? NODE_NONE
								  : NODE_OTHER;
}

const char *omegaconf_class_name(const struct ferry_value *v)
{
	return omegaconf_class(v) == NODE_NONE ? ferry_kind_name(v->kind)
					       : v->u.object->callable->
						 u.global.name;
}

struct ferry_value *omegaconf_part(const struct ferry_value *object,
				   const char *name)
{
	const struct ferry_value *state;

	if (object->kind != FERRY_OBJECT ||
	    object->u.object->flags & FERRY_STATES)
		return NULL;
	state = object->u.object->state;
	return state && state->kind == FERRY_DICT ? ferry_dict_get(state, name)
						  : NULL;
}

struct ferry_value *omegaconf_metadata(const struct ferry_value *node,
				       const char *name)
{
	const struct ferry_value *metadata = omegaconf_part(node, "_metadata");

	return metadata ? omegaconf_part(metadata, name) : NULL;
}

int omegaconf_put(struct ferry_store *store, struct ferry_value *object,
		  const char *name, struct ferry_value *value)
{
	return !value || ferry_dict_set_str(store, object->u.object->state,
					    name, value) ? FERRY_NOMEM : 0;
}

bool omegaconf_is_missing(const struct ferry_value *v)
{
	return ferry_value_is(v, "???");
}

/* Text with "${" and, after it, "}". */
bool omegaconf_is_interpolation(const struct ferry_value *v)
{
	const char *at;
	size_t left;

	if (v->kind != FERRY_STRING || v->u.s.nbytes < 3)
		return false;
	at = memmem(v->u.s.data, v->u.s.nbytes, "${", 2);
	if (!at)
		return false;
	left = v->u.s.nbytes - (size_t)(at - v->u.s.data);
	return memchr(at, '}', left);
}

bool omegaconf_is(const struct ferry_value *v)
{
	enum node_class class = omegaconf_class(v);

	return class == NODE_DICT || class == NODE_LIST;
}

/* A ListConfig tells 2.1 and 2.2 apart only by a DictConfig in it. */
static enum omegaconf_layout layout_below(const struct ferry_value *list)
{
	const struct ferry_value *content = omegaconf_part(list, "_content");

	for (uint32_t i = 0; content && content->kind == FERRY_LIST &&
			     i < content->u.list.n; i++)
		if (omegaconf_class(content->u.list.items[i]) == NODE_DICT)
			return omegaconf_layout_of(content->u.list.items[i]);
	return OMEGACONF_2_2;
}

enum omegaconf_layout omegaconf_layout_of(const struct ferry_value *config)
{
	const struct ferry_value *type;

	if (!omegaconf_is(config))
		return OMEGACONF_NONE;
	if (!omegaconf_metadata(config, "flags_root"))
		return OMEGACONF_2_0;
	if (omegaconf_class(config) == NODE_LIST)
		return layout_below(config);
	type = omegaconf_metadata(config, "object_type");
	return type && type->kind == FERRY_NONE ? OMEGACONF_2_1
						: OMEGACONF_2_2;
}

static const char *const layouts[] = {
	[OMEGACONF_NONE] = "",
	[OMEGACONF_2_0] = "2.0",
	[OMEGACONF_2_1] = "2.1",
	[OMEGACONF_2_2] = "2.2",
};

enum omegaconf_layout omegaconf_layout_named(const char *text)
{
	if (!strcmp(text, "2.3"))
		return OMEGACONF_2_2;
	for (int i = OMEGACONF_2_0; i <= OMEGACONF_2_2; i++)
		if (!strcmp(text, layouts[i]))
			return (enum omegaconf_layout)i;
	return OMEGACONF_NONE;
}

const char *omegaconf_layout_name(enum omegaconf_layout layout)
{
	return layouts[layout];
}

int omegaconf_flag(const struct ferry_value *node, const char *flag)
{
	const struct ferry_value *flags = omegaconf_metadata(node, "flags");
	const struct ferry_value *v;

	if (!flags || flags->kind != FERRY_DICT)
		return -1;
	v = ferry_dict_get(flags, flag);
	return v && v->kind == FERRY_BOOL ? v->u.b : -1;
}
