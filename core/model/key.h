/*
 * Inside of the model: values as keys, equal as Python has it.  1, 1.0 and True
 * are one key; NaN equals only itself; strings, bytes and globals go by their
 * content, tuples of up to 64 elements (all levels counted) by their elements,
 * everything else by identity.
 */
#ifndef CORE_MODEL_KEY_H
#define CORE_MODEL_KEY_H

#include <ferry/value.h>

/* Equal keys have equal hashes.  Cached in strings, bytes, big integers and
 * tuples, whence no const promise is kept for those private fields. */
uint64_t ferry_key_hash(const struct ferry_value *key);

/*
 * share: both live in one store, so that equal text may become one piece of
 * memory; the next comparison of the two then costs nothing, however long they
 * are.
 */
bool ferry_key_same(const struct ferry_value *a, const struct ferry_value *b,
		    bool share);

/* Goes by content, so that its like can be found in another document. */
bool ferry_key_by_value(const struct ferry_value *key);

/* The pair of a DICT with the key, or NULL. */
const struct ferry_pair *ferry_dict_pair(const struct ferry_value *dict,
					 const struct ferry_value *key);

#endif
