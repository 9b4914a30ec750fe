/*
 * Persistent ids: how a pickle of torch's names a storage.
 *
 *	("storage", class, key, location, numel)	zip
 *	("storage", class, key, location, numel, view)	stream; view is None or
 *							(key, offset, numel)
 *	("module", class, source file, source text)	stream: the class
 */
#ifndef FORMATS_TORCH_PID_H
#define FORMATS_TORCH_PID_H

#include <ferry/sys/map.h>
#include <ferry/value.h>

#include "formats/torch/dtype.h"

struct torch_pid {
	struct ferry_value *module;	/* the class, or NULL: a storage */
	const struct torch_dtype *dtype;
	bool untyped;
	const char *key;		/* opaque; borrowed from the id */
	size_t nkey;
	uint64_t numel, nbytes;
	struct ferry_value *view;	/* TUPLE of 3, or NULL */
};

/* MALFORMED for another shape, UNSUPPORTED for an unknown storage class. */
int torch_pid_parse(const struct ferry_value *id, struct torch_pid *out,
		    struct ferry_error *err);

/*
 * Storages by the key that ids name them with.  The value is what every id of
 * that key stands for: a STORAGE until the pickle gives it items or a state,
 * which makes it an OBJECT in place.  The storage is always what it was.
 */
struct torch_known {
	struct ferry_storage *storage;
	struct ferry_value *value;
};

/* NULL: not named yet.  Valid as long as the store it was added with. */
const struct torch_known *torch_known_find(const struct ferry_map *map,
					   const char *key, size_t n);
/* The same, but a key that is not named yet is added, with nothing in it: to be
 * set to a STORAGE as it was made.  NULL when memory is out. */
struct torch_known *torch_known_take(struct ferry_map *map,
				     struct ferry_store *store,
				     const char *key, size_t n);

/* The text of a STRING, or of the BYTES Python 2 wrote for one. */
bool torch_text(const struct ferry_value *v, const char **data, size_t *n);
bool torch_text_is(const struct ferry_value *v, const char *text);
/* A non-negative INT of 63 bits. */
bool torch_count(const struct ferry_value *v, uint64_t *out);

#endif
