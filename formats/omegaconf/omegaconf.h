/*
 * OmegaConf's configuration objects, as pickles hold them, and plain values.
 *
 * A configuration is a graph of OBJECTs (omegaconf.dictconfig DictConfig,
 * omegaconf.listconfig ListConfig, omegaconf.nodes AnyNode and its typed kin,
 * omegaconf.base UnionNode), each with the state a release gives it; nodes
 * point back to their parents, so the graph is full of cycles.  Plain values
 * are DICT, LIST and scalars: what OmegaConf.to_container(cfg) gives without
 * resolving.  Nothing is resolved, called or imported.
 *
 * Source of facts: what omegaconf 2.0.6, 2.1.2, 2.2.3 and 2.3.0 pickle, tried
 * out by tests/interop/audiocraft.py.
 *
 * Thread: no state outside of the arguments.
 */
#ifndef FORMATS_OMEGACONF_H
#define FORMATS_OMEGACONF_H

#include <ferry/findings.h>
#include <ferry/sys/build.h>

/* The most nodes of one configuration that is read or made: LIMIT above. */
#define OMEGACONF_MOST 1000000u
/* Containers within containers: LIMIT above. */
#define OMEGACONF_DEEPEST 300u

/* Which releases give their nodes this state. */
enum omegaconf_layout {
	OMEGACONF_NONE,		/* not a configuration */
	OMEGACONF_2_0,		/* no flags_root */
	OMEGACONF_2_1,		/* object_type of a DictConfig is None */
	OMEGACONF_2_2,		/* .. is dict: 2.2 and 2.3 */
};

/* A DictConfig or a ListConfig. */
bool omegaconf_is(const struct ferry_value *v);
/* The layout of one, by its root and nodes near it. */
enum omegaconf_layout omegaconf_layout_of(const struct ferry_value *config);
/* "2.0", "2.1", "2.2"; NONE for any other text. */
enum omegaconf_layout omegaconf_layout_named(const char *text);
const char *omegaconf_layout_name(enum omegaconf_layout layout);

/* ---- reading ---------------------------------------------------------------- */

/* What plain values can't say, counted. */
struct omegaconf_survey {
	uint32_t dicts, lists, scalars;
	uint32_t typed;		/* nodes that are not AnyNode, unions too */
	uint32_t missing;	/* "???" */
	uint32_t interpolations;
	uint32_t enums;		/* members, as keys too */
	uint32_t flags;		/* nodes with any flag set */
	uint32_t cached;	/* values a resolver left in the cache */
};

/*
 * The plain values of a configuration, in order.  A missing value is "???", an
 * interpolation its text, an enum member its name, a path the OBJECT it is
 * pickled as.  Strings and other scalars are those of the configuration.
 *
 * findings gets a WARNING "enum" for a member whose name the file does not
 * tell: its value stands for it.  survey and findings may be NULL.
 * MALFORMED with the key path for a node that lacks what it must have.
 */
int omegaconf_plain(struct ferry_store *store, const struct ferry_value *config,
		    struct omegaconf_survey *survey,
		    struct ferry_findings *findings, struct ferry_value **out,
		    struct ferry_error *err);

/*
 * The node (or plain value: DICTs and LISTs are walked alike) at keys joined
 * by ".", or NULL.  omegaconf_value() is the scalar of a scalar node, and any
 * other value itself.
 */
struct ferry_value *omegaconf_at(struct ferry_value *config, const char *keys);
struct ferry_value *omegaconf_value(struct ferry_value *node);

/*
 * A flag ("struct", "readonly") as the node itself has it: 1, 0, or -1 for
 * unset.
 */
int omegaconf_flag(const struct ferry_value *node, const char *flag);

/*
 * Whether OmegaConf 2.1 and later take a STRING as a value: each "${" in it
 * that no backslash escapes begins an interpolation that ends.  What a resolver
 * is given is not looked at closely.
 */
bool omegaconf_is_text(const struct ferry_value *v);
/* The first STRING among plain values that is none, or NULL. */
const struct ferry_value *
omegaconf_find_no_text(const struct ferry_value *plain);

/* ---- making ----------------------------------------------------------------- */

struct omegaconf_maker {
	enum omegaconf_layout layout;	/* NONE: the newest */
	bool is_struct;			/* the root's flag, as Hydra sets it */
};

/*
 * OmegaConf.create(plain): a DICT or LIST of DICTs, LISTs (or TUPLEs) and
 * scalars; all scalars AnyNodes.  maker NULL: the defaults.  Strings of one
 * character are one object each and others are shared as in `plain`, so that
 * Python's pickler, told so, gives the bytes it gives for the same text.
 *
 * UNSUPPORTED with the path for a key or value OmegaConf takes not.
 */
int omegaconf_create(struct ferry_store *store, struct ferry_value *plain,
		     const struct omegaconf_maker *maker,
		     struct ferry_value **out, struct ferry_error *err);

/* ---- changing ---------------------------------------------------------------- */

/*
 * OmegaConf.update(config, key, value): key is "a.b", "a[0].b" or "[a].b".  A
 * DICT is merged into a mapping, a LIST takes a list's place, and what stands
 * between and is no mapping becomes one.  Nodes that stay keep their metadata;
 * new ones have the layout of the whole.
 *
 * MISUSE for a key that a struct lacks, unless `force` is set; for a node that
 * is read-only; for a typed node that does not take the value; for a list's key
 * that is no index of it; for text that is no value (omegaconf_is_text()).
 * Keys that were added are told as NOTEs "config".
 */
int omegaconf_update(struct ferry_store *store, struct ferry_value *config,
		     const char *key, struct ferry_value *value, bool force,
		     struct ferry_findings *findings, struct ferry_error *err);

/* del config[key], whether it is a struct or not.  NOTFOUND names what is
 * missing and what there is. */
int omegaconf_delete(struct ferry_store *store, struct ferry_value *config,
		     const char *key, struct ferry_error *err);

#endif
