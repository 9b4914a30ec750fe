/*
 * Inside of the model: the children of a value, one after the other, and the
 * names of the steps to them.
 *
 * An OBJECT is entered through its dict items; without any, through its state
 * when that is a DICT or a (DICT, slots) pair; without that, through its list
 * items.  Such a step has no name of its own, nor has the step to a payload;
 * all others are named after the field ("args", "state", ...).
 */
#ifndef CORE_MODEL_CHILD_H
#define CORE_MODEL_CHILD_H

#include <ferry/sys/buffer.h>
#include <ferry/value.h>

enum ferry_role {
	FERRY_ROLE_ITEM,	/* of LIST, TUPLE, SET, FROZENSET */
	FERRY_ROLE_KEY,		/* of DICT */
	FERRY_ROLE_VALUE,
	FERRY_ROLE_CALLABLE,	/* of OBJECT */
	FERRY_ROLE_ARGS,
	FERRY_ROLE_KWARGS,
	FERRY_ROLE_LIST,
	FERRY_ROLE_DICT,
	FERRY_ROLE_STATE,
	FERRY_ROLE_EXTRA,	/* of TENSOR */
};

struct ferry_child {
	struct ferry_value *value;	/* NULL: the document is broken */
	enum ferry_role role;
	uint32_t index;			/* ITEM, KEY, VALUE */
};

/* The child after *at (which begins as 0); false when there is none. */
bool ferry_child_next(const struct ferry_value *parent, uint64_t *at,
		      struct ferry_child *out);

/* The field through which an OBJECT is entered; CALLABLE when none. */
enum ferry_role ferry_object_entry(const struct ferry_object *o);

/* True for a TUPLE state of two, each NONE or a DICT, not of FERRY_STATES. */
bool ferry_object_has_slots(const struct ferry_object *o);

/*
 * Append the name of the step to a child: a key's text, an index, the field of
 * an object; at most cap bytes.  False: the step has no name.
 */
bool ferry_child_name(struct ferry_buffer *b, const struct ferry_value *parent,
		      const struct ferry_child *child, size_t cap);

/* The text of a key that stands at index in its dict, at most cap bytes. */
void ferry_key_text(struct ferry_buffer *b, const struct ferry_value *key,
		    uint32_t index, size_t cap);

/* A value of a walk, and the child that it is at. */
struct ferry_step {
	struct ferry_value *value;
	uint64_t at;
	struct ferry_child child;
};

/* The document path of the child of the last of n steps, at most cap bytes. */
void ferry_steps_path(struct ferry_buffer *b, const struct ferry_step *steps,
		      size_t n, size_t cap);

#endif
