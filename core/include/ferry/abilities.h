/*
 * What a format, artifact type or conversion declares it can do: for listings
 * and for tools that choose one.  Plugin writers fill the same fields in
 * ferry/sys/plugin.h.
 */
#ifndef FERRY_ABILITIES_H
#define FERRY_ABILITIES_H

#include <stdbool.h>
#include <stdint.h>

#include <ferry/session.h>

FERRY_BEGIN

/* An option a user gives as --set NAME=VALUE (or a flag the CLI maps). */
struct ferry_option_spec {
	const char *name;	/* [a-z][a-z0-9-]*; a list ends in NULL */
	const char *fallback;	/* the default as text; NULL: unset */
	const char *help;	/* one line */
};

enum ferry_format_flags {
	FERRY_FORMAT_NESTED = 1 << 0,	/* holds any document tree */
	FERRY_FORMAT_SHARED = 1 << 1,	/* tensors may share a storage */
	FERRY_FORMAT_STRIDED = 1 << 2,	/* keeps strides */
	FERRY_FORMAT_OBJECTS = 1 << 3,	/* keeps classes and calls */
	FERRY_FORMAT_SHARDS = 1 << 4,	/* can be several files */
	FERRY_FORMAT_TENSORS = 1 << 5,	/* holds tensor data at all */
	FERRY_FORMAT_LOSSLESS = 1 << 6,	/* NESTED, SHARED, STRIDED and OBJECTS
					 * by way of typed metadata */
	FERRY_FORMAT_DIRECTORY = 1 << 7, /* a directory, not a file */
};

/* The type of a role that takes a document of whatever type. */
#define FERRY_ANY_TYPE "any"

/* An input of a conversion. */
struct ferry_role {
	const char *name;	/* "model", "config"; a list ends in NULL */
	const char *type;	/* artifact type, FERRY_ANY_TYPE (given by its
				 * role's name alone, never the main input), or
				 * NULL: a plain file */
	bool optional;
	const char *help;
};

/* Everything borrowed from the session; what does not apply is zero. */
struct ferry_abilities {
	/* formats; suffixes for artifact types too: NULL-terminated or NULL */
	const char *const *suffixes;
	uint32_t flags;			/* enum ferry_format_flags */
	uint64_t dtypes;		/* mask of what it writes or holds */
	bool reads, writes, verifies, scans;
	const struct ferry_option_spec *read_options;
	const struct ferry_option_spec *write_options;
	/* artifact types */
	bool describes, checks, has_weights;
	/* conversions */
	const struct ferry_role *roles;	/* the first is the main input */
	const char *output;		/* artifact type */
	uint32_t cost;
	const struct ferry_option_spec *options;
	bool upgrades;			/* FERRY_CONVERSION_UPGRADE */
	const char *output_suffix;	/* types: see ferry/sys/plugin.h */
	const struct ferry_option_spec *average_options;
	const struct ferry_option_spec *check_options;	/* of ferry_verify() */
};

/* Fill *out from what `known` declared; all zero for plugins and models. */
FERRY_API void ferry_known_abilities(const struct ferry_known *known,
				     struct ferry_abilities *out);

FERRY_END

#endif
