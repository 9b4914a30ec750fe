/*
 * Bringing checkpoints to a newer release.
 */
#ifndef PLUGINS_CAIMAN_MIGRATE_H
#define PLUGINS_CAIMAN_MIGRATE_H

#include "plugins/caiman/origin.h"
#include "plugins/caiman/shape.h"

/* What both edits begin with. */
struct migration {
	const struct ferry_conversion_args *args;
	struct releases all;
	const struct release *to;
	struct origin from;
	struct making out;
	struct ferry_error *err;
};

/* MISUSE when the release that is asked for is older than the checkpoint. */
int migration_begin(struct migration *m, origin_finder *find,
		    const struct ferry_conversion_args *args,
		    struct ferry_error *err);
/* The weights under a key, under their lasting names. */
int migration_weights(struct migration *m, const char *key);
/* What the source has under no key that is written: taken over, and noted. */
int migration_end(struct migration *m);
/* {"protocol": the release's} */
int hint_protocol(struct ferry_document *out, const struct release *release,
		  struct ferry_error *err);
int note(const struct ferry_conversion_args *args, const char *path,
	 struct ferry_error *err, const char *fmt, ...) FERRY_PRINTF(4, 5);

extern const struct ferry_conversion upgrade_training, upgrade_hardware;

/* The member of the release's enumeration (or the plain text) for FAIL or
 * WARN. */
struct ferry_value *unk_member(struct ferry_store *store,
			       const struct release *release,
			       const char *name);

/* The `version` to write: the option, the release's, or MISUSE. */
int version_to_write(const struct ferry_conversion_args *args,
		     const struct release *release, const char **out,
		     struct ferry_error *err);

#define VERSION_OPTION \
	{ "version", NULL, "what `version` says; default: the release" }

#endif
