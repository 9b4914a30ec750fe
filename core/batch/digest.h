/*
 * Digests of files and tensors.  As text "xxh128:HEX" (XXH3 of 128 bits, as
 * xxhsum -H2 prints it), "sha256:HEX", "crc32:HEX".
 *
 * Thread: a digest belongs to one thread.
 */
#ifndef CORE_BATCH_DIGEST_H
#define CORE_BATCH_DIGEST_H

#include <stddef.h>
#include <stdint.h>

#include <ferry/migrate.h>

#define FERRY__DIGEST_TEXT 72

struct ferry__digest {
	enum ferry_digest_kind kind;
	uint32_t crc;
	void *context;		/* a library's; NULL: could not be made */
};

/* A failure shows at the end. */
void ferry__digest_init(struct ferry__digest *d, enum ferry_digest_kind kind);
void ferry__digest_add(struct ferry__digest *d, const void *data, size_t n);
/* To two digests of one kind. */
void ferry__digest_add_both(struct ferry__digest *a, struct ferry__digest *b,
			    const void *data, size_t n);
/* Ends the digest; after this it holds nothing. */
int ferry__digest_end(struct ferry__digest *d, char out[FERRY__DIGEST_TEXT],
		      struct ferry_error *err);
void ferry__digest_drop(struct ferry__digest *d);

/* The kind of a digest's text; false: of none that is known. */
bool ferry__digest_kind_of(const char *text, enum ferry_digest_kind *out);

/* Of n bytes. */
int ferry__digest_bytes(enum ferry_digest_kind kind, const void *data,
			size_t n, char out[FERRY__DIGEST_TEXT],
			struct ferry_error *err);
/* Of a file, from its start to its end. */
int ferry__digest_file(enum ferry_digest_kind kind, const char *path,
		       const atomic_bool *cancel,
		       char out[FERRY__DIGEST_TEXT], struct ferry_error *err);
/* Of its first and last 4,096 bytes, by XXH128. */
int ferry__digest_ends(int fd, const char *path, uint64_t nbytes,
		       char out[FERRY__DIGEST_TEXT], struct ferry_error *err);
/* The same, of the n bytes that are all of it. */
int ferry__digest_ends_of(const void *data, size_t n,
			  char out[FERRY__DIGEST_TEXT],
			  struct ferry_error *err);
/* Of the elements, densely in C order. */
int ferry__digest_tensor(enum ferry_digest_kind kind,
			 const struct ferry_tensor *t,
			 const atomic_bool *cancel,
			 char out[FERRY__DIGEST_TEXT],
			 struct ferry_error *err);

#endif
