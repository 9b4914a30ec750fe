/* A file or directory being read: what open.c makes and its neighbours use. */
#ifndef CORE_REGISTRY_OPENED_H
#define CORE_REGISTRY_OPENED_H

#include "core/io/directory.h"
#include "core/registry/option.h"
#include "core/registry/registry.h"

/* What ferry_input.priv points to. */
struct ferry__context {
	struct ferry_session *session;
	const char *prefix;		/* path of the directory, with a slash */
	size_t dir;			/* bytes of it that count */
	struct ferry_buffer *paths;
	struct ferry_output *output;
	struct ferry_findings *findings; /* of the document being read */
	const struct ferry_directory *directory; /* NULL: a file */
	unsigned char *read;		/* by index in it: a member was read */
	unsigned depth;			/* documents that led here */
};

struct ferry__opened {
	struct ferry_source *source;		/* NULL: a directory */
	struct ferry_directory directory;
	struct ferry_findings *findings;	/* of listing it */
	const struct ferry_known *format;
	struct ferry_options options;
	struct ferry__context context;
	struct ferry_input input;
};

/* Open and identify; release with ferry__close_opened(). */
int ferry__open_input(struct ferry_session *s, const char *path,
		      const struct ferry__reading *how,
		      struct ferry__opened *o, struct ferry_error *err);
/* With public options, which are checked. */
int ferry__open_public(struct ferry_session *s, const char *path,
		       const struct ferry_open_options *options,
		       struct ferry__opened *o, struct ferry_error *err);
/* .. which are checked later, when the type is known. */
int ferry__open_asked(struct ferry_session *s, const char *path,
		      const struct ferry_open_options *options,
		      struct ferry__opened *o, struct ferry_error *err);
/* MISUSE for a setting of neither the reader nor the type's check (type may be
 * NULL). */
int ferry__check_open_settings(const struct ferry_known *format,
			       const struct ferry_artifact_type *type,
			       const char *const *settings, size_t n,
			       struct ferry_error *err);
void ferry__close_opened(struct ferry__opened *o);
int ferry__read_opened(struct ferry__opened *o, struct ferry_store *store,
		       struct ferry_document **out, struct ferry_error *err);

/* The format's check of the content, and that of a directory's members. */
int ferry__prove(struct ferry__opened *o, struct ferry_document *doc,
		 struct ferry_work *work, struct ferry_findings *out,
		 struct ferry_error *err);

/* The path of a member, or of a file beside: NULL when memory is out. */
char *ferry__member_path(const struct ferry__opened *o, const char *name);
/* Errors speak of the file; say which. */
int ferry__name_file(const char *path, const struct ferry_error *why, int rc,
		     struct ferry_error *err);
int ferry__note_path(struct ferry__context *c, const char *path,
		     struct ferry_error *err);

#endif
