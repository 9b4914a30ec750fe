/* Every sidecar below a directory against what it tells of. */
#include "config.h"

#include "core/batch/batch.h"

#include <errno.h>
#include <fts.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <ferry/sys/buffer.h>

#include "core/batch/digest.h"
#include "core/batch/record.h"
#include "core/batch/replacement.h"
#include "core/io/target.h"

struct proving {
	const atomic_bool *cancel;
	struct ferry_store *store;
	char *wrong;
	size_t cap;
	void (*each)(void *ctx, const char *output, uint64_t nbytes,
		     const char *wrong);
	void *ctx;
};

static void complain(struct proving *p, const char *name, const char *what)
{
	char shown[256];

	snprintf(p->wrong, p->cap, "%s %s",
		 ferry_escape(shown, sizeof(shown), name, strlen(name)), what);
}

/* 0: as told; 1: wrong. */
static int prove_file(struct proving *p, const char *dir, const json_t *row,
		      uint64_t *nbytes, struct ferry_error *err)
{
	const char *name = ferry__record_text(p->store,
					      json_object_get(row, "name"));
	const char *told = ferry__record_get(row, "digest");
	struct ferry_buffer path = FERRY_BUFFER_INIT;
	char digest[FERRY__DIGEST_TEXT];
	enum ferry_digest_kind kind;
	struct stat st;
	int rc = 1;

	if (!name || !told || !ferry_stays_inside(name) ||
	    !ferry__digest_kind_of(told, &kind)) {
		complain(p, "its sidecar", "is none of this ferry's");
		return 1;
	}
	ferry_buffer_printf(&path, "%s%s", dir, name);
	if (path.failed || stat(path.data, &st)) {
		complain(p, name, "is not there");
	} else if ((uint64_t)st.st_size != ferry__record_uint(row, "nbytes")) {
		complain(p, name, "has another size than its sidecar tells");
	} else {
		*nbytes += (uint64_t)st.st_size;
		rc = ferry__digest_file(kind, path.data, p->cancel, digest,
					err);
		if (!rc && strcmp(digest, told))
			rc = 1;
		if (rc == 1)
			complain(p, name, "has other bytes than its sidecar "
				 "tells");
	}
	ferry_buffer_release(&path);
	return rc;
}

static int prove_sidecar(struct proving *p, const char *path, uint64_t *nbytes,
			 struct ferry_error *err)
{
	struct ferry_error why = FERRY_ERROR_INIT;
	struct ferry_buffer dir = FERRY_BUFFER_INIT;
	json_t *sidecar, *files;
	int rc = 0;

	if (ferry__record_read(&sidecar, path, FERRY__SIDECAR_MOST, &why)) {
		snprintf(p->wrong, p->cap, "%.*s", (int)p->cap - 1, why.text);
		return 1;
	}
	files = json_object_get(sidecar, "output");
	if (!json_array_size(files)) {
		complain(p, "its sidecar", "tells of no files");
		rc = 1;
	}
	ferry_buffer_printf(&dir, "%.*s", (int)ferry_target_dir(path), path);
	for (size_t i = 0; !rc && i < json_array_size(files); i++)
		rc = prove_file(p, dir.failed ? "" : dir.data,
				json_array_get(files, i), nbytes, err);
	ferry_buffer_release(&dir);
	json_decref(sidecar);
	return rc;
}

static bool is_file(const FTSENT *entry, const char *ending)
{
	size_t end = strlen(ending), n = entry->fts_namelen;

	return entry->fts_info == FTS_F && n > end &&
	       !strcmp(entry->fts_name + n - end, ending);
}

static bool is_ledger(const FTSENT *entry)
{
	return entry->fts_info == FTS_D && entry->fts_level > 0 &&
	       !strcmp(entry->fts_name, FERRY__LEDGER);
}

static int prove_entry(struct proving *p, const FTSENT *entry,
		       struct ferry_error *err)
{
	struct ferry_buffer output = FERRY_BUFFER_INIT;
	uint64_t nbytes = 0;
	int rc = ferry_store_new(&p->store, err);

	if (rc)
		return rc;
	ferry_buffer_printf(&output, "%.*s", (int)(entry->fts_pathlen -
						   strlen(FERRY__SIDECAR)),
			    entry->fts_path);
	rc = output.failed ? ferry_fail_nomem(err, "a file name") :
	     prove_sidecar(p, entry->fts_path, &nbytes, err);
	if (rc >= 0)
		p->each(p->ctx, output.data, nbytes, rc ? p->wrong : NULL);
	ferry_store_unref(p->store);
	ferry_buffer_release(&output);
	return rc < 0 ? rc : 0;
}

static int fail_root(const FTSENT *entry, struct ferry_error *err)
{
	char shown[256];

	return ferry_fail_errno(err, entry->fts_errno, "%s: can't look into "
				"it", ferry_escape(shown, sizeof(shown),
						   entry->fts_path,
						   entry->fts_pathlen));
}

static int visit(struct proving *p, FTS *fts, FTSENT *entry,
		 struct ferry_error *err)
{
	if (is_ledger(entry)) {
		fts_set(fts, entry, FTS_SKIP);
		return 0;
	}
	if (is_file(entry, FERRY__SIDECAR))
		return prove_entry(p, entry, err);
	if (is_file(entry, FERRY__MOVING)) {
		p->each(p->ctx, entry->fts_path, 0, "tells of a set that a run "
			"in place was stopped at: run that again to end it");
		return 0;
	}
	if (entry->fts_info != FTS_DNR && entry->fts_info != FTS_ERR &&
	    entry->fts_info != FTS_NS)
		return 0;
	if (!entry->fts_level)
		return fail_root(entry, err);
	snprintf(p->wrong, p->cap, "can't be looked into: %s",
		 strerror(entry->fts_errno));
	p->each(p->ctx, entry->fts_path, 0, p->wrong);
	return 0;
}

static int by_name(const FTSENT **a, const FTSENT **b)
{
	return strcmp((*a)->fts_name, (*b)->fts_name);
}

int ferry_ledger_verify(const char *dst, const atomic_bool *cancel,
			void (*each)(void *ctx, const char *output,
				     uint64_t nbytes, const char *wrong),
			void *ctx, struct ferry_error *err)
{
	char wrong[800], *path = strdup(dst);
	char *const roots[] = { path, NULL };
	struct proving p = { .cancel = cancel, .wrong = wrong,
			     .cap = sizeof(wrong), .each = each, .ctx = ctx };
	FTS *fts = path ? fts_open(roots, FTS_PHYSICAL | FTS_COMFOLLOW |
				   FTS_NOCHDIR, by_name) : NULL;
	FTSENT *entry;
	int rc = fts ? 0 : ferry_fail_nomem(err, "a directory");

	while (!rc && (entry = fts_read(fts)))
		rc = visit(&p, fts, entry, err);
	if (fts)
		fts_close(fts);
	free(path);
	return rc;
}
