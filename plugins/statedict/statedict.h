/*
 * The shapes in which training code keeps a model's weights: a mapping of names
 * to tensors, a mapping around one, a pickled tree of modules, a script module.
 */
#ifndef PLUGINS_STATEDICT_H
#define PLUGINS_STATEDICT_H

#include <ferry/sys/plugin.h>

enum shape {
	SHAPE_OTHER,
	SHAPE_VALUES,		/* no tensor anywhere */
	SHAPE_TENSOR,		/* one tensor */
	SHAPE_TENSORS,		/* containers of tensors alone */
	SHAPE_STATE_DICT,	/* names to tensors, nothing else */
	SHAPE_CHECKPOINT,	/* weights beside other things */
	SHAPE_MODULE,		/* a tree of pickled modules */
	SHAPE_SCRIPT,		/* a tree of script modules */
	SHAPE_OPTIMIZER,	/* an optimizer's state and groups */
};

/* Where the weights of a document are. */
struct weights {
	struct ferry_value *value;	/* a mapping, or a module; or NULL */
	char path[120];			/* document path, "" for the root */
	bool module;			/* value is a tree of modules */
	bool named;			/* under a key known for weights */
};

/* shape.c */
bool is_tensor(struct ferry_value *v);
bool is_module(const struct ferry_value *v);
bool is_script(const struct ferry_value *v);
bool is_optimizer(struct ferry_value *v);
/* A mapping of names to tensors (and nested ones), little else.  The budget is
 * the entries that may still be looked at: a graph can be shared endlessly. */
#define LOOK_MOST 5000000
bool holds_weights(struct ferry_value *v, size_t *budget);
/* Names to tensors, nothing else: their number, else 0. */
size_t state_dict_size(struct ferry_value *v);
void find_weights(struct ferry_document *doc, struct weights *out);
/* A value stands at or above the place of the weights. */
bool leads_to(const struct ferry_pair *pair, const struct weights *w);
enum shape document_shape(struct ferry_document *doc, struct ferry_match *out);

/* flatten.c: "a.b.weight" to tensor for a tree of modules or nested mappings.
 * Decorated tensors stay so.  LIMIT for trees that have no end. */
int flatten_module(struct ferry_store *store, struct ferry_value *module,
		   struct ferry_value **out, struct ferry_error *err);
int flatten_mapping(struct ferry_store *store, struct ferry_value *mapping,
		    struct ferry_value **out, struct ferry_error *err);
/* A new mapping of bare tensors in `store`, of the same class and with the same
 * state (its module versions) as the old one. */
int bare_mapping(struct ferry_store *store, struct ferry_value *mapping,
		 struct ferry_value **out, struct ferry_error *err);

/* describe.c */
int describe_weights(struct ferry_document *doc, struct ferry_value *out,
		     struct ferry_error *err);
int describe_checkpoint(struct ferry_document *doc, struct ferry_value *out,
			struct ferry_error *err);
int describe_optimizer(struct ferry_document *doc, struct ferry_value *out,
		       struct ferry_error *err);
/* Tensors below v and their bytes, each counted once. */
struct amount {
	uint64_t tensors, nelem, nbytes;
};
int measure(struct ferry_document *doc, struct ferry_value *v,
	    struct amount *out, struct ferry_error *err);

/* types.c, conversions.c */
extern const struct ferry_artifact_type *const statedict_types[];
extern const struct ferry_conversion *const statedict_conversions[];
/* The weights of a document of any of the types. */
int statedict_weights(struct ferry_document *doc, struct ferry_value **out,
		      struct ferry_error *err);

#endif
