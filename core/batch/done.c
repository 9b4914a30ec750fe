/* Who a source is, and whether its output is made. */
#include "config.h"

#include "core/batch/batch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <ferry/sys/buffer.h>

#include "core/batch/digest.h"
#include "core/batch/record.h"
#include "core/io/target.h"
#include "core/registry/registry.h"

bool ferry__in_place(const struct ferry__entry *e)
{
	return e->item.output && !strcmp(e->item.output, e->item.source);
}

/* ---- identity ------------------------------------------------------------ */

static int fail_open(const char *path, int e, struct ferry_error *err)
{
	char shown[256];

	ferry_escape(shown, sizeof(shown), path, strlen(path));
	if (e == ENOENT)
		return ferry_fail(err, FERRY_NOTFOUND, "", FERRY_NO_OFFSET,
				  "%s: is not there", shown);
	if (!e)
		return ferry_fail(err, FERRY_IO, "", FERRY_NO_OFFSET,
				  "%s: is no regular file", shown);
	return ferry_fail_errno(err, e, "%s: can't open it", shown);
}

/* {path, nbytes, mtime_ns, ends} */
static int identify_file(const char *path, const char *name, json_t *list,
			 uint64_t *nbytes, struct ferry_error *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), rc = 0;
	char ends[FERRY__DIGEST_TEXT];
	struct stat st;
	json_t *file;

	if (fd < 0)
		return fail_open(path, errno, err);
	if (fstat(fd, &st))
		rc = fail_open(path, errno, err);
	else if (!S_ISREG(st.st_mode))
		rc = fail_open(path, 0, err);
	else
		rc = ferry__digest_ends(fd, path, (uint64_t)st.st_size, ends,
					err);
	close(fd);
	if (rc)
		return rc;
	*nbytes += (uint64_t)st.st_size;
	file = json_pack("{so sI sI ss}", "path", ferry__record_name(name),
			 "nbytes", (json_int_t)st.st_size, "mtime_ns",
			 (json_int_t)st.st_mtim.tv_sec * 1000000000 +
			 st.st_mtim.tv_nsec, "ends", ends);
	return json_array_append_new(list, file) ?
	       ferry_fail_nomem(err, "a record") : 0;
}

/* Below SRC, as the entry's own path is; as it is, where it lies elsewhere. */
static const char *name_below(const struct ferry__entry *e, const char *path)
{
	size_t root = strlen(e->item.source) - strlen(e->path);

	return strlen(path) > root ? path + root : path;
}

struct identifying {
	const struct ferry__entry *entry;
	json_t *list;
	struct ferry_error *err;
};

/* No part of the item, so its size does not count. */
static int identify_beside(void *ctx, const char *path)
{
	const struct identifying *i = ctx;
	uint64_t nbytes = 0;

	return identify_file(path, name_below(i->entry, path), i->list,
			     &nbytes, i->err);
}

static bool is_wanted(const struct ferry__entry *e, const char *path)
{
	struct stat st;

	return !e->rest || !lstat(path, &st);
}

int ferry__identify_source(const struct ferry__entry *e, json_t **out,
			   uint64_t *nbytes, struct ferry_error *err)
{
	json_t *list = json_array();
	struct identifying beside = { e, list, err };
	int rc = list ? 0 : ferry_fail_nomem(err, "a record");

	*nbytes = 0;
	if (!rc && !e->directory && is_wanted(e, e->item.source))
		rc = identify_file(e->item.source, e->path, list, nbytes, err);
	for (size_t i = 0; i < e->n_members && !rc; i++)
		if (is_wanted(e, e->members[i]))
			rc = identify_file(e->members[i],
					   name_below(e, e->members[i]), list,
					   nbytes, err);
	if (!rc && !e->rest && e->rule && e->action == FERRY__CONVERT)
		rc = ferry__each_beside(e, identify_beside, &beside, err);
	if (rc)
		json_decref(list);
	else
		*out = list;
	return rc;
}

bool ferry__is_source_told(const struct ferry__entry *e, const char *path,
			   const json_t *sidecar, size_t i)
{
	const json_t *told = json_object_get(sidecar, "source");
	size_t n = json_array_size(told);
	json_t *list = json_array();
	uint64_t nbytes = 0;
	int rc = list ? identify_file(path, name_below(e, path), list, &nbytes,
				      NULL) : FERRY_NOMEM;
	bool is = rc == FERRY_NOTFOUND;

	for (size_t tries = 0; !rc && !is && tries < n; tries++)
		is = json_equal(json_array_get(told, (i + tries) % n),
				json_array_get(list, 0));
	json_decref(list);
	return is;
}

/* ---- sidecars ------------------------------------------------------------ */

bool ferry__is_as_told(const char *dir, const json_t *file)
{
	const char *ends = ferry__record_get(file, "ends");
	struct ferry_buffer path = FERRY_BUFFER_INIT;
	char found[FERRY__DIGEST_TEXT];
	struct ferry_store *store;
	const char *name;
	struct stat st;
	bool good;
	int fd = -1;

	if (ferry_store_new(&store, NULL))
		return false;
	name = ferry__record_text(store, json_object_get(file, "name"));
	if (name && ends && ferry_stays_inside(name)) {
		ferry_buffer_printf(&path, "%s%s", dir, name);
		fd = path.failed ? -1 : open(path.data, O_RDONLY | O_CLOEXEC |
					     O_NONBLOCK);
	}
	good = fd >= 0 && !fstat(fd, &st) && S_ISREG(st.st_mode) &&
	       (uint64_t)st.st_size == ferry__record_uint(file, "nbytes") &&
	       !ferry__digest_ends(fd, path.data, (uint64_t)st.st_size, found,
				   NULL) &&
	       !strcmp(found, ends);
	if (fd >= 0)
		close(fd);
	ferry_buffer_release(&path);
	ferry_store_unref(store);
	return good;
}

bool ferry__is_proved(const char *dir, const json_t *file,
		      const atomic_bool *cancel)
{
	const char *told = ferry__record_get(file, "digest");
	struct ferry_buffer path = FERRY_BUFFER_INIT;
	char found[FERRY__DIGEST_TEXT];
	enum ferry_digest_kind kind;
	struct ferry_store *store;
	const char *name;
	bool good;

	if (!told || !ferry__digest_kind_of(told, &kind) ||
	    ferry_store_new(&store, NULL))
		return false;
	name = ferry__record_text(store, json_object_get(file, "name"));
	ferry_buffer_printf(&path, "%s%s", dir, name ? name : "");
	good = name && ferry_stays_inside(name) && !path.failed &&
	       !ferry__digest_file(kind, path.data, cancel, found, NULL) &&
	       !strcmp(found, told);
	ferry_buffer_release(&path);
	ferry_store_unref(store);
	return good;
}

static bool outputs_stand(const char *output, const json_t *sidecar,
			  const struct ferry__wanted *wanted, bool proved,
			  uint64_t *nbytes)
{
	const json_t *files = json_object_get(sidecar, "output");
	struct ferry_buffer dir = FERRY_BUFFER_INIT;
	bool good = json_array_size(files) > 0;

	ferry_buffer_add(&dir, output, ferry_target_dir(output));
	*nbytes = 0;
	for (size_t i = 0; good && i < json_array_size(files); i++) {
		const char *at = dir.data ? dir.data : "";
		const json_t *row = json_array_get(files, i);

		good = !dir.failed && ferry__is_as_told(at, row) &&
		       (!proved || ferry__is_proved(at, row, wanted->cancel));
		*nbytes += ferry__record_uint(json_array_get(files, i),
					      "nbytes");
	}
	ferry_buffer_release(&dir);
	return good;
}

/* In place the source is gone: what was done to it tells. */
static bool same_rule(const struct ferry__entry *e, const json_t *sidecar)
{
	const char *ferry = ferry__record_get(sidecar, "ferry");
	json_t *rule = json_loads(e->rule ? e->rule->text : "{}", 0, NULL);
	bool same = ferry && !strcmp(ferry, PACKAGE_VERSION) &&
		    json_equal(rule, json_object_get(sidecar, "rule"));

	json_decref(rule);
	return same;
}

bool ferry__is_rest(const json_t *source, const json_t *sidecar)
{
	const json_t *told = json_object_get(sidecar, "source");
	size_t i, tries, at = 0, n = json_array_size(told);
	json_t *file;

	if (!json_is_true(json_object_get(sidecar, "source_removed")) ||
	    json_array_size(source) >= n)
		return false;
	/* They stand in one order, mostly. */
	json_array_foreach(source, i, file) {
		for (tries = 0; tries < n; tries++, at = (at + 1) % n)
			if (json_equal(file, json_array_get(told, at)))
				break;
		if (tries == n)
			return false;
	}
	return true;
}

static bool is_key(const struct ferry__entry *e, const char *key,
		   const json_t *source, const json_t *sidecar)
{
	const char *told = ferry__record_get(sidecar, "key");

	if (!told)
		return false;
	if (ferry__in_place(e))
		return same_rule(e, sidecar);
	return !strcmp(told, key) ||
	       (ferry__is_rest(source, sidecar) && same_rule(e, sidecar));
}

int ferry__key_of(const char *ferry, json_t *source, json_t *rule,
		  const char *output, char key[FERRY__DIGEST_TEXT],
		  struct ferry_error *err)
{
	json_t *what = json_pack("{ss sO sO so}", "ferry", ferry, "source",
				 source, "rule", rule, "output",
				 ferry__record_name(ferry__base_name(output)));
	char *text = what ? json_dumps(what, JSON_SORT_KEYS | JSON_COMPACT) :
		     NULL;
	int rc = text ? ferry__digest_bytes(FERRY_DIGEST_SHA256, text,
					    strlen(text), key, err) :
		 ferry_fail_nomem(err, "a record");

	free(text);
	json_decref(what);
	return rc;
}

/* Not one that was copied from another output, or edited: what it tells would
 * be replaced and removed. */
static bool is_own(const struct ferry__entry *e, const json_t *sidecar)
{
	const char *ferry = ferry__record_get(sidecar, "ferry");
	const char *told = ferry__record_get(sidecar, "key");
	json_t *source = json_object_get(sidecar, "source");
	json_t *rule = json_object_get(sidecar, "rule");
	char key[FERRY__DIGEST_TEXT];

	return ferry__record_uint(sidecar, "ferry_sidecar") == 1 && ferry &&
	       told && source && rule &&
	       !ferry__key_of(ferry, source, rule, e->item.output, key, NULL) &&
	       !strcmp(told, key);
}

bool ferry__is_done(struct ferry__entry *e, const struct ferry__wanted *wanted,
		    json_t **before)
{
	struct ferry_buffer path = FERRY_BUFFER_INIT;
	json_t *sidecar = NULL;
	bool done = false;

	*before = NULL;
	ferry_buffer_printf(&path, "%s" FERRY__SIDECAR, e->item.output);
	if (!path.failed && !ferry__record_read(&sidecar, path.data,
						FERRY__SIDECAR_MOST, NULL) &&
	    json_is_object(sidecar) && is_own(e, sidecar)) {
		done = (!wanted->verified ||
			json_is_true(json_object_get(sidecar, "verified"))) &&
		       is_key(e, wanted->key, wanted->source, sidecar) &&
		       outputs_stand(e->item.output, sidecar, wanted,
				     wanted->proved || json_is_true(
				     json_object_get(sidecar, "moving")),
				     &e->item.bytes_out);
		*before = json_incref(sidecar);
	}
	json_decref(sidecar);
	ferry_buffer_release(&path);
	return done;
}
