/*
 * Records of the ledger as trees: names of any bytes, reading and writing whole
 * files.
 */
#ifndef CORE_BATCH_RECORD_H
#define CORE_BATCH_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include <ferry/error.h>
#include <ferry/sys/buffer.h>
#include <ferry/sys/build.h>

/* A text; {"bytes": HEX} where it is not UTF-8 or has a NUL.  NULL text gives
 * null. */
json_t *ferry__record_name(const char *text);
/* The reverse, in the store; NULL when it is neither, or memory is out. */
const char *ferry__record_text(struct ferry_store *store, const json_t *name);

/* A number of a record, or 0. */
uint64_t ferry__record_uint(const json_t *record, const char *key);
/* A text of a record, borrowed, or NULL. */
const char *ferry__record_get(const json_t *record, const char *key);
/* Set what has a value. */
void ferry__record_put(json_t *record, const char *key, const char *text);

/* At most `most` bytes; NOTFOUND, IO, LIMIT, MALFORMED. */
int ferry__record_read(json_t **out, const char *path, size_t most,
		       struct ferry_error *err);
/* All n bytes; an errno, or 0. */
int ferry__write_all(int fd, const void *data, size_t n);
/* In the directory `aside`, then renamed.  Keys are sorted, and a file
 * or a tensor has a line. */
int ferry__record_write(json_t *record, const char *aside, const char *path,
			bool sync, struct ferry_error *err);

#endif
