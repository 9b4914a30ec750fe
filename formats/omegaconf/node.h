/*
 * Inside: the classes of nodes and the parts of their state.
 */
#ifndef FORMATS_OMEGACONF_NODE_H
#define FORMATS_OMEGACONF_NODE_H

#include "formats/omegaconf/omegaconf.h"

enum node_class {
	NODE_NONE,
	NODE_DICT,
	NODE_LIST,
	NODE_UNION,
	NODE_ANY,
	NODE_STRING,
	NODE_INTEGER,
	NODE_FLOAT,
	NODE_BOOLEAN,
	NODE_BYTES,
	NODE_PATH,
	NODE_ENUM,
	NODE_OTHER,		/* some other class of omegaconf.nodes */
};

enum node_class omegaconf_class(const struct ferry_value *v);
/* "DictConfig", ...; for messages. */
const char *omegaconf_class_name(const struct ferry_value *v);

/* A part of the state of an OBJECT ("_content"), or NULL. */
struct ferry_value *omegaconf_part(const struct ferry_value *object,
				   const char *name);
/* A part of a node's metadata ("flags"), or NULL. */
struct ferry_value *omegaconf_metadata(const struct ferry_value *node,
				       const char *name);

/* Put a part of the state of an object that is this graph's own. */
int omegaconf_put(struct ferry_store *store, struct ferry_value *object,
		  const char *name, struct ferry_value *value);

bool omegaconf_is_missing(const struct ferry_value *v);
bool omegaconf_is_interpolation(const struct ferry_value *v);

/* The parts of a key of OmegaConf.update(), in the store. */
struct omegaconf_key {
	struct ferry_value **parts;	/* STRINGs */
	size_t n;
};
int omegaconf_split_key(struct ferry_store *store, const char *key,
			struct omegaconf_key *out, struct ferry_error *err);

/* The graph's makings, shared by all nodes of it. */
struct omegaconf_kit;
int omegaconf_kit_new(struct omegaconf_kit **out, struct ferry_store *store,
		      enum omegaconf_layout layout, struct ferry_error *err);
/* The node for a plain value below parent (NULL: a root) under key (a STRING,
 * an INT, NONE, ...). */
int omegaconf_make(struct omegaconf_kit *kit, struct ferry_value *plain,
		   struct ferry_value *parent, struct ferry_value *key,
		   struct ferry_value **out);

#endif
