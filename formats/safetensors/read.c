/* Files to a document. */
#include "config.h"

#include "formats/safetensors/safetensors.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <ferry/sys/alloc.h>

#include "formats/json/json.h"
#include "formats/safetensors/files.h"
#include "formats/safetensors/restore.h"
#include "formats/safetensors/sha256.h"

#define ORIGIN "safetensors"
#define SHOWN 160
#define SIDECAR_MAX (UINT64_C(2) << 30)

const struct ferry_option_spec safetensors_read_options[] = {
	{ "document", "yes",
	  "restore what ferry kept beside the tensors (yes), or read the "
	  "tensors alone (no)" },
	{ "gaps", "sane",
	  "any: take storages above 4 GiB of which less than a hundredth has "
	  "data" },
	{ NULL, NULL, NULL },
};

static int fail_nomem(struct ferry_error *err)
{
	return ferry_fail_nomem(err, "a document");
}

static bool has_suffix(const char *name, const char *suffix)
{
	size_t n = strlen(name), m = strlen(suffix);

	return n >= m && !strcmp(name + n - m, suffix);
}

static bool contains(const uint8_t *p, size_t n, const char *what)
{
	return memmem(p, n, what, strlen(what));
}

int safetensors_probe(const struct ferry_probe *probe)
{
	uint64_t n = 0;
	size_t i;

	if (st_is_index(probe->head, probe->nhead)) {
		if (!contains(probe->head, probe->nhead, "\"weight_map\"") &&
		    !contains(probe->tail, probe->ntail, ST_SUFFIX "\""))
			return 0;
		if (has_suffix(probe->name, ST_INDEX_SUFFIX))
			return 95;
		return contains(probe->tail, probe->ntail, ST_SUFFIX "\"") ?
			85 : 0;
	}
	if (probe->nhead <= ST_LENGTH_BYTES)
		return 0;
	for (i = ST_LENGTH_BYTES; i--;)
		n = n << 8 | probe->head[i];
	if (n > ST_MAX_HEADER)
		return 0;
	for (i = ST_LENGTH_BYTES; i < probe->nhead; i++)
		if (!strchr(" \t\r\n", probe->head[i]) || !probe->head[i])
			break;
	if (i == probe->nhead || probe->head[i] != '{')
		return 0;
	/* Cut off, but there is nothing else that it could be. */
	if (n > probe->nbytes - ST_LENGTH_BYTES)
		return has_suffix(probe->name, ST_SUFFIX) ? 60 : 30;
	return contains(probe->head, probe->nhead, "\"dtype\"") ||
	       contains(probe->head, probe->nhead, "\"" ST_METADATA "\"") ||
	       n <= 8 ? 90 : 70;
}

/* ---- without what ferry keeps -------------------------------------------- */

static int add_tensors(struct ferry_document *doc,
		       const struct st_files *files, struct ferry_error *err)
{
	struct ferry_store *store = doc->store;
	int rc = 0;

	for (size_t i = 0; i < files->n; i++) {
		const struct st_file *f = &files->files[i];

		for (size_t k = 0; k < f->header.n && !rc; k++) {
			const struct st_tensor *t = &f->header.tensors[k];
			const struct st_at at = { .file = f, .tensor = t };
			struct ferry_value *key, *value;

			key = ferry_string(store, t->name, t->name_len);
			rc = st_plain_tensor(store, &at, &value, err);
			if (!rc && (!key || ferry_dict_set(store, doc->root,
							   key, value)))
				rc = fail_nomem(err);
		}
	}
	return rc;
}

/* The tensor that a metadata pair says is known under its key as well. */
static struct ferry_value *aliased(const struct ferry_document *doc,
				   const struct ferry_pair *pair)
{
	struct ferry_value *tensor;

	if (pair->value->kind != FERRY_STRING ||
	    pair->key->kind != FERRY_STRING ||
	    ferry_value_is(pair->key, ST_FORMAT_KEY) ||
	    ferry_value_is(pair->key, ST_DOCUMENT_KEY) ||
	    ferry_value_is(pair->key, ST_SIDECAR_KEY) ||
	    ferry_dict_find(doc->root, pair->key))
		return NULL;
	tensor = ferry_dict_find(doc->root, pair->value);
	return tensor && tensor->kind == FERRY_TENSOR ? tensor : NULL;
}

/* metadata[dropped] = kept: the convention for names of one tensor. */
static int add_aliases(struct ferry_document *doc,
		       const struct st_files *files, struct ferry_error *err)
{
	const struct ferry_value *metadata = files->metadata;
	struct ferry_store *store = doc->store;
	struct ferry_pair *pairs;
	uint32_t n = 0;
	int rc = 0;

	pairs = ferry_alloc_zero(metadata->u.dict.n, sizeof(*pairs));
	if (!pairs)
		return fail_nomem(err);
	for (uint32_t i = 0; i < metadata->u.dict.n; i++) {
		const struct ferry_pair *p = &metadata->u.dict.pairs[i];

		pairs[n].value = aliased(doc, p);
		pairs[n].key = p->key;
		n += pairs[n].value != NULL;
	}
	for (uint32_t i = 0; i < n && !rc; i++) {
		const struct ferry_tensor *t = pairs[i].value->u.tensor;
		struct ferry_value *key, *value;

		key = ferry_string(store, pairs[i].key->u.s.data,
				   pairs[i].key->u.s.nbytes);
		value = ferry_tensor(store, t->dtype, t->ndim, t->shape,
				     t->strides, t->offset, t->storage);
		if (!key || !value ||
		    ferry_dict_set(store, doc->root, key, value))
			rc = fail_nomem(err);
	}
	ferry_alloc_free(pairs);
	return rc;
}

static int read_plain(struct ferry_document *doc,
		      const struct st_files *files, struct ferry_error *err)
{
	int rc;

	doc->root = ferry_dict(doc->store, files->n_tensors < UINT32_MAX ?
			       (uint32_t)files->n_tensors : 0);
	if (!doc->root)
		return fail_nomem(err);
	rc = add_tensors(doc, files, err);
	return rc ? rc : add_aliases(doc, files, err);
}

/* ---- with it ------------------------------------------------------------- */

/* A finding that the tensors are all that could be had. */
static int warn(struct ferry_document *doc, const char *code,
		const char *what, struct ferry_error *err)
{
	if (ferry_findings_add(doc->findings, FERRY_WARNING, code, "",
			       FERRY_NO_OFFSET, "%s; read as a plain state "
			       "dict: everything but the tensors is missing",
			       what))
		return fail_nomem(err);
	return 0;
}

static int restore(const struct ferry_input *in, struct ferry_document *doc,
		   const struct st_files *files, const char *text, size_t n,
		   struct ferry_error *err)
{
	const char *gaps = ferry_option(in->options, "gaps");
	bool any_gaps = gaps && !strcmp(gaps, "any");
	struct ferry_error why = FERRY_ERROR_INIT;
	char stale[256], what[400];
	int rc = st_restore(doc, files, text, n, any_gaps, &doc->root, stale,
			    &why);

	if (rc < 0)
		return ferry_fail(err, rc, ORIGIN, FERRY_NO_OFFSET,
				  "document kept in the metadata: %s; the "
				  "tensors alone can be read with "
				  "--set document=no", why.text);
	if (!rc)
		return 0;
	snprintf(what, sizeof(what), "document kept in the metadata is of "
		 "other tensors: %s", stale);
	return warn(doc, "stale-document", what, err);
}

/* The text of the file beside; *what says why not. */
static int load_sidecar(const struct ferry_input *in,
			const struct st_sidecar *sidecar, char **text,
			const char **what, struct ferry_error *err)
{
	struct ferry_source *src = NULL;
	char sha256[65];
	int rc = ferry_input_sibling(in, sidecar->name, &src, err);

	if (rc == FERRY_NOTFOUND) {
		ferry_error_clear(err);
		*what = "is missing";
		return 0;
	}
	if (rc)
		return rc;
	if (src->nbytes != sidecar->nbytes || src->nbytes > SIDECAR_MAX) {
		*what = "has another size than it had";
		goto out;
	}
	*text = ferry_alloc((size_t)src->nbytes);
	rc = *text ? ferry_source_read(src, *text, 0, (size_t)src->nbytes,
				       err) : fail_nomem(err);
	if (!rc)
		rc = st_sha256(sha256, *text, (size_t)src->nbytes, err);
	if (!rc && strcmp(sha256, sidecar->sha256))
		*what = "has another content than it had (SHA-256)";
	if (rc || *what) {
		ferry_alloc_free(*text);
		*text = NULL;
	}
out:
	ferry_source_unref(src);
	return rc;
}

static int read_sidecar(const struct ferry_input *in,
			struct ferry_document *doc,
			const struct st_files *files,
			const struct ferry_value *named,
			struct ferry_error *err)
{
	char shown[SHOWN], text[SHOWN + 200];
	const char *what = NULL;
	struct st_sidecar sidecar;
	char *document = NULL;
	int rc = st_sidecar_parse(&sidecar, files, named, err);

	if (!rc)
		rc = load_sidecar(in, &sidecar, &document, &what, err);
	if (rc)
		return rc;
	if (document)
		rc = restore(in, doc, files, document,
			     (size_t)sidecar.nbytes, err);
	ferry_alloc_free(document);
	if (rc || !what)
		return rc;
	ferry_escape(shown, sizeof(shown), sidecar.name, strlen(sidecar.name));
	snprintf(text, sizeof(text), "file %s, which holds the rest of the "
		 "document, %s", shown, what);
	return warn(doc, "sidecar", text, err);
}

static int read_kept(const struct ferry_input *in, struct ferry_document *doc,
		     const struct st_files *files, struct ferry_error *err)
{
	const struct ferry_value *text = st_files_text(files, ST_DOCUMENT_KEY);
	const struct ferry_value *named = st_files_text(files, ST_SIDECAR_KEY);
	bool wanted = true;
	int rc = 0;

	if (ferry_option(in->options, "document"))
		rc = ferry_option_bool(in->options, "document", &wanted, err);
	if (rc || !wanted)
		return rc;
	if (text)
		return restore(in, doc, files, text->u.s.data,
			       (size_t)text->u.s.nbytes, err);
	return named ? read_sidecar(in, doc, files, named, err) : 0;
}

/* ---- about --------------------------------------------------------------- */

/* A copy of a plain value in another store. */
static struct ferry_value *copy(struct ferry_store *store,
				const struct ferry_value *v)
{
	struct ferry_buffer text = FERRY_BUFFER_INIT;
	struct ferry_value *out = NULL;

	if (v->kind == FERRY_STRING)
		return ferry_string(store, v->u.s.data, v->u.s.nbytes);
	if (json_write(v, 0, &text, NULL) ||
	    json_read(text.data, text.n, store, &out, NULL))
		out = NULL;
	ferry_buffer_release(&text);
	return out;
}

/* metadata[dropped] = kept, which the document says in its own way. */
static bool is_alias(const struct st_files *files, const struct ferry_pair *p)
{
	struct st_at at;

	return p->value->kind == FERRY_STRING &&
	       !ferry_value_is(p->key, ST_FORMAT_KEY) &&
	       st_files_find(files, p->value->u.s.data,
			     (size_t)p->value->u.s.nbytes, &at) &&
	       !st_files_find(files, p->key->u.s.data,
			      (size_t)p->key->u.s.nbytes, &at);
}

/* What others keep beside the tensors, for people and for writing it again. */
static struct ferry_value *foreign_metadata(struct ferry_document *doc,
					    const struct st_files *files)
{
	const struct ferry_value *from = files->metadata;
	struct ferry_value *to = ferry_dict(doc->store, 0);

	for (uint32_t i = 0; to && i < from->u.dict.n; i++) {
		const struct ferry_pair *p = &from->u.dict.pairs[i];
		struct ferry_value *key, *value;

		if (ferry_value_is(p->key, ST_DOCUMENT_KEY) ||
		    ferry_value_is(p->key, ST_SIDECAR_KEY) ||
		    ferry_value_is(p->key, ST_FORMAT_KEY) ||
		    (files->is_index && ferry_value_is(p->key, "total_size")) ||
		    is_alias(files, p))
			continue;
		key = copy(doc->store, p->key);
		value = copy(doc->store, p->value);
		if (!key || !value ||
		    ferry_dict_set(doc->store, to, key, value))
			return NULL;
	}
	return to;
}

static int fill_about(struct ferry_document *doc,
		      const struct st_files *files, struct ferry_error *err)
{
	struct ferry_store *s = doc->store;
	struct ferry_value *about = ferry_dict(s, 0);
	struct ferry_value *metadata = foreign_metadata(doc, files);
	const struct ferry_value *format = ferry_dict_get(files->metadata,
							  ST_FORMAT_KEY);
	uint64_t header = 0;

	for (size_t i = 0; i < files->n; i++)
		header += files->files[i].header.header_nbytes;
	if (!about || !metadata ||
	    ferry_dict_set_str(s, about, "tensors",
			       ferry_uint(s, files->n_tensors)) ||
	    ferry_dict_set_str(s, about, "header_nbytes",
			       ferry_uint(s, header)) ||
	    (files->is_index &&
	     ferry_dict_set_str(s, about, "shards",
				ferry_uint(s, files->n))) ||
	    (format &&
	     ferry_dict_set_str(s, about, ST_FORMAT_KEY, copy(s, format))) ||
	    (metadata->u.dict.n &&
	     ferry_dict_set_str(s, about, "metadata", metadata)))
		return fail_nomem(err);
	doc->about = about;
	return 0;
}

static int take_sources(struct ferry_document *doc, struct st_files *files,
			struct ferry_error *err)
{
	for (size_t i = 0; i < files->n; i++) {
		struct ferry_source *src;

		src = ferry_source_ref(files->files[i].source);
		if (ferry_store_take_source(doc->store, src)) {
			ferry_source_unref(src);
			return fail_nomem(err);
		}
	}
	return 0;
}

int safetensors_read(const struct ferry_input *in, struct ferry_document *doc,
		     struct ferry_error *err)
{
	struct st_files files;
	int rc = st_files_open(&files, in, doc->findings, err);

	if (rc)
		return rc;
	rc = take_sources(doc, &files, err);
	if (!rc)
		rc = read_kept(in, doc, &files, err);
	if (!rc && !doc->root)
		rc = read_plain(doc, &files, err);
	if (!rc)
		rc = fill_about(doc, &files, err);
	st_files_release(&files);
	return rc;
}
