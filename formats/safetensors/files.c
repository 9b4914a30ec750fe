/* Opening a file, or an index and its shards. */
#include "config.h"

#include "formats/safetensors/files.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <ferry/sys/alloc.h>

#include "formats/json/json.h"
#include "formats/json/scan.h"
#include "formats/json/text.h"

#define ORIGIN "safetensors"
#define SHOWN 160
#define INDEX_MAX (UINT64_C(256) << 20)
#define LISTED 5

static int fail_nomem(struct ferry_error *err)
{
	return ferry_fail_nomem(err, "a safetensors header");
}

static char *show(char out[SHOWN], const struct ferry_value *text)
{
	return ferry_escape(out, SHOWN, text->u.s.data,
			    (size_t)text->u.s.nbytes);
}

bool st_is_index(const uint8_t *head, size_t n)
{
	size_t i = 0;

	while (i < n && (head[i] == ' ' || head[i] == '\n' ||
			 head[i] == '\r' || head[i] == '\t'))
		i++;
	/* A tensor file of such a length would need a header of exabytes. */
	return i < n && head[i] == '{' && n >= ST_LENGTH_BYTES &&
	       (head[4] || head[5] || head[6] || head[7]);
}

/* torch.distributed.checkpoint's files look whole and hold slices. */
static int refuse_slices(const struct st_file *f, struct ferry_error *err)
{
	char shown[SHOWN];

	if (!st_header_metadata(&f->header, ST_DCP_KEY))
		return 0;
	ferry_escape(shown, sizeof(shown), f->name, strlen(f->name));
	return ferry_fail(err, FERRY_UNSUPPORTED, ORIGIN, FERRY_NO_OFFSET,
			  "file %s%sholds slices of tensors as "
			  "torch.distributed.checkpoint writes them "
			  "(" ST_DCP_KEY "): consolidate them with it first",
			  shown, *shown ? " " : "");
}

static int open_file(struct st_files *files, struct st_file *f,
		     struct ferry_error *err)
{
	struct ferry_error why = FERRY_ERROR_INIT;
	char shown[SHOWN];
	int rc = st_header_read(&f->header, f->source, &why);

	if (rc && !*f->name)
		return ferry_fail(err, rc, why.origin, why.offset, "%s",
				  why.text);
	if (rc)
		return ferry_fail(err, rc, why.origin, why.offset,
				  "shard %s: %s",
				  ferry_escape(shown, sizeof(shown), f->name,
					       strlen(f->name)), why.text);
	f->first = files->n_tensors;
	files->n_tensors += f->header.n;
	return refuse_slices(f, err);
}

/* __metadata__ as a DICT of texts. */
static int take_metadata(struct st_files *files, const struct st_header *h,
			 struct ferry_error *err)
{
	for (size_t i = 0; i < h->n_metadata; i++) {
		const struct st_pair *p = &h->metadata[i];
		struct ferry_value *key, *value;

		key = ferry_string(files->store, p->key, p->key_len);
		value = ferry_string_borrow(files->store, p->value,
					    p->value_len);
		if (!key || !value ||
		    ferry_dict_set(files->store, files->metadata, key, value))
			return fail_nomem(err);
	}
	return 0;
}

static int open_one(struct st_files *files, const struct ferry_input *in,
		    struct ferry_error *err)
{
	int rc;

	files->files = ferry_alloc_zero(1, sizeof(*files->files));
	if (!files->files)
		return fail_nomem(err);
	files->n = 1;
	files->files[0].name = "";
	files->files[0].source = ferry_source_ref(in->source);
	rc = open_file(files, &files->files[0], err);
	return rc ? rc : take_metadata(files, &files->files[0].header, err);
}

/* ---- an index ------------------------------------------------------------ */

static int read_index(struct st_files *files, struct ferry_source *src,
		      struct ferry_value **map, struct ferry_error *err)
{
	struct ferry_value *root, *metadata;
	char *text;
	int rc;

	if (src->nbytes > INDEX_MAX)
		return ferry_fail(err, FERRY_LIMIT, ORIGIN, FERRY_NO_OFFSET,
				  "index has %" PRIu64 " bytes, the limit is "
				  "%" PRIu64, src->nbytes, INDEX_MAX);
	text = ferry_alloc((size_t)src->nbytes);
	if (!text)
		return fail_nomem(err);
	rc = ferry_source_read(src, text, 0, (size_t)src->nbytes, err);
	if (!rc)
		rc = json_read(text, (size_t)src->nbytes, files->store, &root,
			       err);
	ferry_alloc_free(text);
	if (rc)
		return rc;
	*map = ferry_dict_get(root, "weight_map");
	if (!*map || (*map)->kind != FERRY_DICT)
		return ferry_fail(err, FERRY_MALFORMED, ORIGIN,
				  FERRY_NO_OFFSET,
				  "index has no \"weight_map\" object");
	metadata = ferry_dict_get(root, "metadata");
	if (metadata && metadata->kind == FERRY_DICT)
		files->metadata = metadata;
	return 0;
}

/* The shards in the order in which the map names them first. */
static int list_shards(struct st_files *files, const struct ferry_value *map,
		       struct ferry_error *err)
{
	struct ferry_map seen = FERRY_MAP_INIT;
	char name[SHOWN];
	int rc = 0;

	files->files = ferry_alloc_zero((size_t)map->u.dict.n + 1,
					sizeof(*files->files));
	if (!files->files)
		return fail_nomem(err);
	for (uint32_t i = 0; i < map->u.dict.n && !rc; i++) {
		const struct ferry_value *file = map->u.dict.pairs[i].value;
		uint64_t at = files->n;

		if (file->kind != FERRY_STRING || !file->u.s.nbytes ||
		    memchr(file->u.s.data, 0, (size_t)file->u.s.nbytes)) {
			rc = ferry_fail(err, FERRY_MALFORMED, ORIGIN,
					FERRY_NO_OFFSET, "index gives no file "
					"name for tensor '%s'",
					show(name, map->u.dict.pairs[i].key));
			break;
		}
		if (ferry_map_get(&seen, file->u.s.data,
				  (size_t)file->u.s.nbytes, NULL))
			continue;
		files->files[at].name = ferry_store_strndup(files->store,
							    file->u.s.data,
							    (size_t)
							    file->u.s.nbytes);
		if (!files->files[at].name ||
		    ferry_map_put(&seen, file->u.s.data,
				  (size_t)file->u.s.nbytes, at))
			rc = fail_nomem(err);
		files->n++;
	}
	ferry_map_release(&seen);
	return rc;
}

static int refuse_twice(const struct st_files *files, const char *name,
			size_t a, size_t b, struct ferry_error *err)
{
	char shown_a[SHOWN], shown_b[SHOWN];
	const char *file_a = files->files[a].name;
	const char *file_b = files->files[b].name;

	return ferry_fail(err, FERRY_MALFORMED, ORIGIN, FERRY_NO_OFFSET,
			  "tensor '%s' is in two shards, %s and %s", name,
			  ferry_escape(shown_a, SHOWN, file_a, strlen(file_a)),
			  ferry_escape(shown_b, SHOWN, file_b,
				       strlen(file_b)));
}

static bool is_in_map(const struct ferry_value *map, const struct st_tensor *t)
{
	struct ferry_value key = { .kind = FERRY_STRING };

	key.u.s.data = t->name;
	key.u.s.nbytes = t->name_len;
	return ferry_dict_find(map, &key);
}

/* Every tensor of the shard, once among all; those not in the map are told. */
static int index_shard(struct st_files *files, size_t at,
		       const struct ferry_value *map,
		       struct ferry_findings *findings,
		       struct ferry_error *err)
{
	const struct st_file *f = &files->files[at];
	size_t strangers = 0;
	int rc = 0;

	for (size_t i = 0; i < f->header.n && !rc; i++) {
		const struct st_tensor *t = &f->header.tensors[i];
		char name[SHOWN];
		uint64_t other;

		ferry_escape(name, sizeof(name), t->name, t->name_len);
		if (ferry_map_get(&files->index, t->name, t->name_len, &other))
			return refuse_twice(files, name, (size_t)other, at,
					    err);
		rc = ferry_map_put(&files->index, t->name, t->name_len, at);
		if (!rc && !is_in_map(map, t) && ++strangers <= LISTED)
			rc = ferry_findings_add(findings, FERRY_WARNING,
						"not-in-index", t->name,
						FERRY_NO_OFFSET,
						"tensor is in shard %s but not "
						"in the index", f->name);
	}
	if (!rc && strangers > LISTED)
		rc = ferry_findings_add(findings, FERRY_WARNING,
					"not-in-index", f->name,
					FERRY_NO_OFFSET,
					"%zu more tensors of this shard are "
					"not in the index",
					strangers - LISTED);
	return rc ? fail_nomem(err) : 0;
}

/* Every name of the map is in the shard that the map says. */
static int check_map(const struct st_files *files,
		     const struct ferry_value *map, struct ferry_error *err)
{
	char names[LISTED * 64] = "", name[64], file[SHOWN];
	const struct ferry_value *first = NULL;
	size_t missing = 0;

	for (uint32_t i = 0; i < map->u.dict.n; i++) {
		const struct ferry_pair *p = &map->u.dict.pairs[i];
		size_t used = strlen(names);
		uint64_t at;

		if (ferry_map_get(&files->index, p->key->u.s.data,
				  (size_t)p->key->u.s.nbytes, &at) &&
		    strlen(files->files[at].name) == p->value->u.s.nbytes &&
		    !memcmp(files->files[at].name, p->value->u.s.data,
			    (size_t)p->value->u.s.nbytes))
			continue;
		if (missing++ >= LISTED)
			continue;
		ferry_escape(name, sizeof(name) - 4, p->key->u.s.data,
			     (size_t)p->key->u.s.nbytes);
		snprintf(names + used, sizeof(names) - used, "%s'%s'",
			 used ? ", " : "", name);
		if (!first)
			first = p->value;
	}
	if (!missing)
		return 0;
	return ferry_fail(err, FERRY_MALFORMED, ORIGIN, FERRY_NO_OFFSET,
			  "index names %zu tensor%s not in the shard it "
			  "says: %s%s (the first in %s)", missing,
			  missing == 1 ? " that is" : "s that are", names,
			  missing > LISTED ? ", ..." : "", show(file, first));
}

static int open_index(struct st_files *files, const struct ferry_input *in,
		      struct ferry_findings *findings,
		      struct ferry_error *err)
{
	struct ferry_value *map = NULL;
	int rc = read_index(files, in->source, &map, err);

	files->is_index = true;
	if (!rc)
		rc = list_shards(files, map, err);
	for (size_t i = 0; i < files->n && !rc; i++) {
		struct st_file *f = &files->files[i];

		rc = ferry_input_sibling(in, f->name, &f->source, err);
		if (!rc)
			rc = open_file(files, f, err);
		if (!rc)
			rc = index_shard(files, i, map, findings, err);
	}
	return rc ? rc : check_map(files, map, err);
}

int st_files_open(struct st_files *out, const struct ferry_input *in,
		  struct ferry_findings *findings, struct ferry_error *err)
{
	struct st_files files = { 0 };
	uint8_t head[FERRY_PROBE_BYTES];
	size_t n = in->source->nbytes < sizeof(head) ?
		(size_t)in->source->nbytes : sizeof(head);
	int rc = ferry_source_read(in->source, head, 0, n, err);

	if (!rc)
		rc = ferry_store_new(&files.store, err);
	if (rc)
		return rc;
	files.metadata = ferry_dict(files.store, 0);
	if (!files.metadata)
		rc = fail_nomem(err);
	else if (st_is_index(head, n))
		rc = open_index(&files, in, findings, err);
	else
		rc = open_one(&files, in, err);
	if (rc)
		st_files_release(&files);
	else
		*out = files;
	return rc;
}

void st_files_release(struct st_files *files)
{
	for (size_t i = 0; i < files->n; i++) {
		st_header_release(&files->files[i].header);
		ferry_source_unref(files->files[i].source);
	}
	ferry_alloc_free(files->files);
	ferry_map_release(&files->index);
	ferry_store_unref(files->store);
	*files = (struct st_files){ 0 };
}

bool st_files_find(const struct st_files *files, const char *name, size_t n,
		   struct st_at *out)
{
	uint64_t at = 0;

	if (files->is_index && !ferry_map_get(&files->index, name, n, &at))
		return false;
	out->file = &files->files[at];
	out->tensor = st_header_find(&out->file->header, name, n);
	if (!out->tensor)
		return false;
	out->ordinal = out->file->first +
		       (size_t)(out->tensor - out->file->header.tensors);
	return true;
}

const struct ferry_value *st_files_text(const struct st_files *files,
					const char *key)
{
	const struct ferry_value *v = ferry_dict_get(files->metadata, key);

	return v && v->kind == FERRY_STRING ? v : NULL;
}

/* ---- the file beside ----------------------------------------------------- */

int st_sidecar_parse(struct st_sidecar *out, const struct st_files *files,
		     const struct ferry_value *text, struct ferry_error *err)
{
	const struct ferry_value *name, *nbytes, *sha256;
	struct ferry_value *root;
	int rc = json_read(text->u.s.data, (size_t)text->u.s.nbytes,
			   files->store, &root, err);

	if (rc)
		return rc;
	name = ferry_dict_get(root, "file");
	nbytes = ferry_dict_get(root, "nbytes");
	sha256 = ferry_dict_get(root, "sha256");
	if (!name || name->kind != FERRY_STRING ||
	    memchr(name->u.s.data, 0, (size_t)name->u.s.nbytes) ||
	    !nbytes || nbytes->kind != FERRY_INT ||
	    nbytes->flags & FERRY_BIG || nbytes->u.i < 0 ||
	    !sha256 || sha256->kind != FERRY_STRING ||
	    sha256->u.s.nbytes != sizeof(out->sha256) - 1)
		return ferry_fail(err, FERRY_MALFORMED, ORIGIN,
				  FERRY_NO_OFFSET, "metadata's \""
				  ST_SIDECAR_KEY "\" does not name a file, its "
				  "size and its SHA-256");
	out->name = ferry_store_strndup(files->store, name->u.s.data,
					(size_t)name->u.s.nbytes);
	if (!out->name)
		return fail_nomem(err);
	out->nbytes = (uint64_t)nbytes->u.i;
	memcpy(out->sha256, sha256->u.s.data, sizeof(out->sha256) - 1);
	out->sha256[sizeof(out->sha256) - 1] = 0;
	return 0;
}
