/* Proving files: what a read leaves out. */
#include "config.h"

#include "formats/safetensors/safetensors.h"

#include <inttypes.h>
#include <string.h>

#include <ferry/sys/alloc.h>

#include "formats/safetensors/files.h"
#include "formats/safetensors/sha256.h"

#define SHOWN 160

static int violation(struct ferry_findings *out, const char *what,
		     const char *name, struct ferry_error *err)
{
	char shown[SHOWN];

	if (ferry_findings_add(out, FERRY_VIOLATION, "sidecar", "",
			       FERRY_NO_OFFSET,
			       "file %s, which holds the rest of the document, "
			       "%s", ferry_escape(shown, sizeof(shown), name,
						  strlen(name)), what))
		return ferry_fail_nomem(err, "a finding");
	return 0;
}

static int check_content(struct ferry_source *src,
			 const struct st_sidecar *sidecar,
			 struct ferry_findings *out, struct ferry_error *err)
{
	char sha256[65];
	char *text;
	int rc;

	if (src->nbytes != sidecar->nbytes)
		return violation(out, "has another size than it had",
				 sidecar->name, err);
	text = ferry_alloc((size_t)src->nbytes);
	if (!text)
		return ferry_fail_nomem(err, "a document");
	rc = ferry_source_read(src, text, 0, (size_t)src->nbytes, err);
	if (!rc)
		rc = st_sha256(sha256, text, (size_t)src->nbytes, err);
	if (!rc && strcmp(sha256, sidecar->sha256))
		rc = violation(out, "has another content than it had "
			       "(SHA-256)", sidecar->name, err);
	ferry_alloc_free(text);
	return rc;
}

static int check_sidecar(const struct ferry_input *in,
			 const struct st_files *files,
			 struct ferry_findings *out, struct ferry_error *err)
{
	const struct ferry_value *named = st_files_text(files, ST_SIDECAR_KEY);
	struct ferry_source *src = NULL;
	struct st_sidecar sidecar;
	int rc;

	if (!named)
		return 0;
	rc = st_sidecar_parse(&sidecar, files, named, err);
	if (rc)
		return rc;
	rc = ferry_input_sibling(in, sidecar.name, &src, err);
	if (rc == FERRY_NOTFOUND) {
		ferry_error_clear(err);
		return violation(out, "is missing", sidecar.name, err);
	}
	if (!rc)
		rc = check_content(src, &sidecar, out, err);
	ferry_source_unref(src);
	return rc;
}

int safetensors_verify(const struct ferry_input *in,
		       struct ferry_document *doc, struct ferry_work *work,
		       struct ferry_findings *out, struct ferry_error *err)
{
	struct st_files files;
	int rc = st_files_open(&files, in, NULL, err);

	(void)doc;
	if (rc)
		return rc;
	for (size_t i = 0; i < files.n && work; i++)
		work->total += files.files[i].source->nbytes;
	for (size_t i = 0; i < files.n && !rc; i++)
		rc = ferry_source_prove(files.files[i].source, work, NULL,
					err);
	if (!rc)
		rc = check_sidecar(in, &files, out, err);
	st_files_release(&files);
	return rc;
}
