/* Every sidecar below a directory against what it tells of. */
#include "config.h"

#include "core/batch/batch.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <ferry/sys/buffer.h>

#include "core/batch/digest.h"
#include "core/batch/record.h"
#include "core/io/directory.h"
#include "core/io/target.h"

struct proving {
	const atomic_bool *cancel;
	struct ferry_store *store;
	char *wrong;
	size_t cap;
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

int ferry_ledger_verify(const char *dst, const atomic_bool *cancel,
			void (*each)(void *ctx, const char *output,
				     uint64_t nbytes, const char *wrong),
			void *ctx, struct ferry_error *err)
{
	struct ferry_buffer path = FERRY_BUFFER_INIT;
	size_t end = strlen(FERRY__SIDECAR), n;
	char wrong[800];
	struct proving p = { .cancel = cancel, .wrong = wrong,
			     .cap = sizeof(wrong) };
	struct ferry_directory d;
	uint64_t nbytes;
	int rc = ferry_directory_list(&d, dst, NULL, err);

	if (rc)
		return rc;
	for (size_t i = 0; i < d.n && rc >= 0; i++) {
		n = strlen(d.names[i]);
		if (n <= end || strcmp(d.names[i] + n - end, FERRY__SIDECAR))
			continue;
		path.n = 0;
		nbytes = 0;
		ferry_buffer_printf(&path, "%s/%s", dst, d.names[i]);
		rc = path.failed ? ferry_fail_nomem(err, "a file name") :
		     ferry_store_new(&p.store, err);
		if (rc)
			break;
		rc = prove_sidecar(&p, path.data, &nbytes, err);
		path.data[path.n - end] = '\0';
		if (rc >= 0)
			each(ctx, path.data, nbytes, rc ? wrong : NULL);
		ferry_store_unref(p.store);
	}
	ferry_buffer_release(&path);
	ferry_directory_release(&d);
	return rc < 0 ? rc : 0;
}
