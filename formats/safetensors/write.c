/* A document to one file, or to shards and an index. */
#include "config.h"

#include "formats/safetensors/safetensors.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ferry/sys/alloc.h>

#include "formats/json/json.h"
#include "formats/safetensors/inventory.h"
#include "formats/safetensors/kept.h"
#include "formats/safetensors/notes.h"
#include "formats/safetensors/place.h"
#include "formats/safetensors/sha256.h"
#include "formats/safetensors/stale.h"

#define ORIGIN "safetensors"
#define DEFAULT_SHARD UINT64_C(5000000000)

const struct ferry_option_spec safetensors_write_options[] = {
	{ "shard-size", NULL,
	  "cut into files of at most this size, with an index" },
	{ "header-limit", "100000000",
	  "keep what is beside the tensors in a file of its own when the "
	  "header would be longer" },
	{ "document", "yes",
	  "keep what is beside the tensors (yes), or write the tensors alone "
	  "(no)" },
	{ NULL, NULL, NULL },
};

struct writer {
	struct st_inventory inv;
	struct ferry_output *output;
	const struct ferry_options *options;
	struct ferry_findings *findings;
	struct ferry_store *store;	/* of the metadata */
	struct st_item **order;		/* items as they lie */
	struct ferry_value *metadata;	/* DICT: what is not a tensor */
	struct ferry_buffer kept;	/* typed JSON; empty: not needed */
	uint64_t shard_size;		/* 0: one file */
	uint64_t header_limit;
	bool is_index;			/* the output's name is an index's */
	struct ferry_error *err;
};

static int fail_nomem(struct writer *w)
{
	return ferry_fail_nomem(w->err, "a safetensors file");
}

static bool has_suffix(const char *name, const char *suffix)
{
	size_t n = strlen(name), m = strlen(suffix);

	return n >= m && !strcmp(name + n - m, suffix);
}

/* ---- metadata ------------------------------------------------------------ */

static int set_text(struct writer *w, const char *key, const char *text,
		    size_t n)
{
	struct ferry_value *value = ferry_string(w->store, text, n);

	if (!value || ferry_dict_set_str(w->store, w->metadata, key, value))
		return fail_nomem(w);
	return 0;
}

/* What came with the tensors from a file of this format goes with them. */
static int add_foreign(struct writer *w)
{
	const struct ferry_document *doc = w->inv.doc;
	const struct ferry_value *from;
	struct ferry_value *format;

	if (!doc->about || !doc->format || strcmp(doc->format, ORIGIN))
		return 0;
	format = ferry_dict_get(doc->about, ST_FORMAT_KEY);
	if (format && ferry_dict_set_str(w->store, w->metadata, ST_FORMAT_KEY,
					 format))
		return fail_nomem(w);
	from = ferry_dict_get(doc->about, "metadata");
	if (!from || from->kind != FERRY_DICT)
		return 0;
	for (uint32_t i = 0; i < from->u.dict.n; i++) {
		const struct ferry_pair *p = &from->u.dict.pairs[i];

		if (p->key->kind != FERRY_STRING ||
		    ferry_value_is(p->key, ST_DOCUMENT_KEY) ||
		    ferry_value_is(p->key, ST_SIDECAR_KEY))
			continue;
		if (ferry_dict_set(w->store, w->metadata, p->key, p->value))
			return fail_nomem(w);
	}
	return 0;
}

/* metadata[repeat] = name, as others do it. */
static int add_aliases(struct writer *w)
{
	for (size_t i = 0; i < w->inv.n_aliases; i++) {
		const struct st_alias *a = &w->inv.aliases[i];
		int rc;

		if (ferry_dict_get(w->metadata, a->name))
			continue;
		rc = set_text(w, a->name, a->item->name,
			      strlen(a->item->name));
		if (rc)
			return rc;
	}
	return 0;
}

static int make_metadata(struct writer *w)
{
	int rc;

	w->metadata = ferry_dict(w->store, 4);
	if (!w->metadata)
		return fail_nomem(w);
	rc = set_text(w, ST_FORMAT_KEY, "pt", 2);
	if (!rc)
		rc = add_foreign(w);
	return rc ? rc : add_aliases(w);
}

/* __metadata__ holds texts alone; other JSON, of an index, becomes one. */
static int add_metadata_value(struct ferry_buffer *out,
			      const struct ferry_value *v,
			      struct ferry_error *err)
{
	struct ferry_buffer text = FERRY_BUFFER_INIT;
	int rc;

	if (v->kind == FERRY_STRING) {
		json_quote(out, v->u.s.data, (size_t)v->u.s.nbytes);
		return 0;
	}
	rc = json_write(v, 0, &text, err);
	if (!rc)
		json_quote(out, text.data, text.n);
	ferry_buffer_release(&text);
	return rc;
}

static int metadata_text(struct writer *w, const char *kept_key,
			 const char *kept, size_t n, struct ferry_buffer *out)
{
	int rc = 0;

	ferry_buffer_add(out, "{", 1);
	for (uint32_t i = 0; i < w->metadata->u.dict.n && !rc; i++) {
		const struct ferry_pair *p = &w->metadata->u.dict.pairs[i];

		ferry_buffer_add(out, ",", i ? 1 : 0);
		json_quote(out, p->key->u.s.data, (size_t)p->key->u.s.nbytes);
		ferry_buffer_add(out, ":", 1);
		rc = add_metadata_value(out, p->value, w->err);
	}
	if (kept_key) {
		ferry_buffer_printf(out, ",\"%s\":", kept_key);
		json_quote(out, kept, n);
	}
	ferry_buffer_add(out, "}", 1);
	if (!rc && out->failed)
		rc = fail_nomem(w);
	return rc;
}

/* ---- the file beside ----------------------------------------------------- */

/* Write it; `named` is what the metadata says of it. */
static int write_sidecar(struct writer *w, const char *stem,
			 struct ferry_buffer *named)
{
	struct ferry_buffer name = FERRY_BUFFER_INIT;
	struct ferry_sink *sink;
	char sha256[65];
	int rc = st_sha256(sha256, w->kept.data, w->kept.n, w->err);

	ferry_buffer_add_str(&name, stem);
	ferry_buffer_add_str(&name, ST_SIDECAR_SUFFIX);
	if (!rc && name.failed)
		rc = fail_nomem(w);
	if (!rc)
		rc = ferry_output_open(w->output, name.data, &sink, w->err);
	if (!rc)
		rc = ferry_sink_append(sink, w->kept.data, w->kept.n, w->err);
	if (rc)
		goto out;
	ferry_buffer_add_str(named, "{\"file\":");
	json_quote(named, name.data, name.n);
	ferry_buffer_printf(named, ",\"nbytes\":%zu,\"sha256\":\"%s\"}",
			    w->kept.n, sha256);
	if (named->failed ||
	    ferry_findings_add(w->findings, FERRY_NOTE, "sidecar", "",
			       FERRY_NO_OFFSET, "what is beside the tensors "
			       "(%zu bytes) is in %s: keep the two together",
			       w->kept.n, name.data))
		rc = fail_nomem(w);
out:
	ferry_buffer_release(&name);
	return rc;
}

/* ---- one file ------------------------------------------------------------ */

static int write_tensors(struct writer *w, struct st_item **items, size_t n,
			 struct ferry_sink *sink,
			 const struct ferry_buffer *metadata)
{
	struct ferry_buffer header = FERRY_BUFFER_INIT;
	uint64_t data;
	int rc = st_header_make(items, n, metadata->data, metadata->n, sink,
				&header, w->err);

	if (!rc)
		rc = ferry_sink_append(sink, header.data, header.n, w->err);
	data = header.n;
	ferry_buffer_release(&header);
	return rc ? rc : st_transfer(items, n, sink, data, w->findings,
				     w->err);
}

/* Bytes of the entries, near enough to choose between header and file. */
static uint64_t entries_nbytes(const struct writer *w)
{
	uint64_t n = 0;

	for (size_t i = 0; i < w->inv.n; i++)
		n += strlen(w->inv.items[i]->name) + 100 +
		     21 * (uint64_t)w->inv.items[i]->ndim;
	return n;
}

static int write_one(struct writer *w)
{
	struct ferry_buffer text = FERRY_BUFFER_INIT;
	struct ferry_buffer named = FERRY_BUFFER_INIT;
	struct ferry_sink *sink;
	int rc = metadata_text(w, w->kept.n ? ST_DOCUMENT_KEY : NULL,
			       w->kept.data, w->kept.n, &text);

	if (!rc && w->kept.n &&
	    text.n + entries_nbytes(w) > w->header_limit) {
		text.n = 0;
		rc = write_sidecar(w, ferry_output_name(w->output), &named);
		if (!rc)
			rc = metadata_text(w, ST_SIDECAR_KEY, named.data,
					   named.n, &text);
	}
	if (!rc)
		rc = ferry_output_open(w->output, NULL, &sink, w->err);
	if (!rc)
		rc = write_tensors(w, w->order, w->inv.n, sink, &text);
	ferry_buffer_release(&text);
	ferry_buffer_release(&named);
	return rc;
}

/* ---- shards -------------------------------------------------------------- */

static int by_shard_and_place(const void *a, const void *b)
{
	const struct st_item *x = *(const struct st_item *const *)a;
	const struct st_item *y = *(const struct st_item *const *)b;

	if (x->shard != y->shard)
		return x->shard < y->shard ? -1 : 1;
	if (x->dtype != y->dtype)
		return x->dtype > y->dtype ? -1 : 1;
	return strcmp(x->name, y->name);
}

static char *shard_name(struct writer *w, const char *stem, uint32_t at,
			uint32_t of)
{
	struct ferry_buffer name = FERRY_BUFFER_INIT;
	char *kept = NULL;

	ferry_buffer_printf(&name, "%s-%05" PRIu32 "-of-%05" PRIu32 ST_SUFFIX,
			    stem, at + 1, of);
	if (!name.failed)
		kept = ferry_store_strndup(w->store, name.data, name.n);
	ferry_buffer_release(&name);
	return kept;
}

static int by_key(const void *a, const void *b)
{
	const struct ferry_pair *x = a, *y = b;
	uint64_t n = x->key->u.s.nbytes < y->key->u.s.nbytes ?
		x->key->u.s.nbytes : y->key->u.s.nbytes;
	int order = n ? memcmp(x->key->u.s.data, y->key->u.s.data,
			       (size_t)n) : 0;

	if (order)
		return order;
	return (x->key->u.s.nbytes > y->key->u.s.nbytes) -
	       (x->key->u.s.nbytes < y->key->u.s.nbytes);
}

/* Keys of an index are sorted, as those of the usual writers are. */
static int sort_dict(struct writer *w, struct ferry_value *dict)
{
	uint32_t n = dict->u.dict.n;
	struct ferry_pair *pairs = ferry_alloc_zero(n, sizeof(*pairs));
	int rc = 0;

	if (!pairs)
		return fail_nomem(w);
	if (n)
		memcpy(pairs, dict->u.dict.pairs, n * sizeof(*pairs));
	qsort(pairs, n, sizeof(*pairs), by_key);
	if (ferry_dict_replace(w->store, dict, pairs, n))
		rc = fail_nomem(w);
	ferry_alloc_free(pairs);
	return rc;
}

static int fill_index(struct writer *w, const char *stem, uint32_t n_shards,
		      struct ferry_value *root, struct ferry_value *map)
{
	uint64_t total = 0;
	uint32_t shard = UINT32_MAX;
	struct ferry_value *file = NULL;

	for (size_t i = 0; i < w->inv.n; i++) {
		const struct st_item *item = w->order[i];

		if (item->shard != shard) {
			char *name = shard_name(w, stem, item->shard,
						n_shards);

			file = name ? ferry_cstring(w->store, name) : NULL;
			shard = item->shard;
		}
		if (!file || ferry_dict_set_str(w->store, map, item->name,
						file))
			return fail_nomem(w);
		total += item->nbytes;
	}
	if (ferry_dict_set_str(w->store, w->metadata, "total_size",
			       ferry_uint(w->store, total)) ||
	    ferry_dict_set_str(w->store, root, "metadata", w->metadata) ||
	    ferry_dict_set_str(w->store, root, "weight_map", map))
		return fail_nomem(w);
	return 0;
}

/* What is beside the tensors goes into the index, or beside it. */
static int keep_in_index(struct writer *w, const char *index)
{
	struct ferry_buffer named = FERRY_BUFFER_INIT;
	int rc;

	if (!w->kept.n)
		return 0;
	if (w->kept.n <= w->header_limit)
		return set_text(w, ST_DOCUMENT_KEY, w->kept.data, w->kept.n);
	rc = write_sidecar(w, index, &named);
	if (!rc)
		rc = set_text(w, ST_SIDECAR_KEY, named.data, named.n);
	ferry_buffer_release(&named);
	return rc;
}

static int write_index(struct writer *w, const char *stem, const char *index,
		       uint32_t n_shards)
{
	struct ferry_value *root = ferry_dict(w->store, 2);
	struct ferry_value *map = ferry_dict(w->store, (uint32_t)w->inv.n);
	struct ferry_buffer text = FERRY_BUFFER_INIT;
	struct ferry_sink *sink;
	int rc;

	if (!root || !map)
		return fail_nomem(w);
	rc = fill_index(w, stem, n_shards, root, map);
	if (!rc)
		rc = keep_in_index(w, index);
	if (!rc)
		rc = sort_dict(w, map);
	if (!rc)
		rc = sort_dict(w, w->metadata);
	if (!rc)
		rc = json_write(root, 2, &text, w->err);
	ferry_buffer_add(&text, "\n", 1);
	if (!rc && text.failed)
		rc = fail_nomem(w);
	if (!rc)
		rc = w->is_index ?
			ferry_output_open(w->output, NULL, &sink, w->err) :
			ferry_output_open_main(w->output, index, &sink,
					       w->err);
	if (!rc)
		rc = st_note_stale(ferry_sink_path(sink), map, w->findings,
				   w->err);
	if (!rc)
		rc = ferry_sink_append(sink, text.data, text.n, w->err);
	ferry_buffer_release(&text);
	return rc;
}

static int write_shard(struct writer *w, const char *stem, size_t *at,
		       uint32_t shard, uint32_t n_shards)
{
	static char metadata[] = "{\"" ST_FORMAT_KEY "\":\"pt\"}";
	const struct ferry_buffer text = {
		.data = metadata, .n = sizeof(metadata) - 1,
	};
	const char *name = shard_name(w, stem, shard, n_shards);
	struct ferry_sink *sink;
	size_t first = *at;
	int rc;

	if (!name)
		return fail_nomem(w);
	while (*at < w->inv.n && w->order[*at]->shard == shard)
		++*at;
	rc = ferry_output_open(w->output, name, &sink, w->err);
	return rc ? rc : write_tensors(w, w->order + first, *at - first, sink,
				       &text);
}

static int write_shards(struct writer *w, uint32_t n_shards)
{
	const char *name = ferry_output_name(w->output);
	size_t n = strlen(name), at = 0;
	char *stem, *index;
	int rc = 0;

	if (has_suffix(name, ST_INDEX_SUFFIX))
		n -= strlen(ST_INDEX_SUFFIX);
	else if (has_suffix(name, ST_SUFFIX))
		n -= strlen(ST_SUFFIX);
	stem = ferry_store_strndup(w->store, name, n);
	index = ferry_store_alloc(w->store, n + sizeof(ST_INDEX_SUFFIX));
	if (!stem || !index)
		return fail_nomem(w);
	memcpy(index, stem, n);
	memcpy(index + n, ST_INDEX_SUFFIX, sizeof(ST_INDEX_SUFFIX));
	qsort(w->order, w->inv.n, sizeof(struct st_item *),
	      by_shard_and_place);
	for (uint32_t i = 0; i < n_shards && !rc; i++)
		rc = write_shard(w, stem, &at, i, n_shards);
	if (!rc)
		rc = write_index(w, stem, index, n_shards);
	if (!rc && !w->is_index &&
	    ferry_findings_add(w->findings, FERRY_NOTE, "shards", "",
			       FERRY_NO_OFFSET, "cut into %" PRIu32 " files; "
			       "%s names them", n_shards, index))
		rc = fail_nomem(w);
	return rc;
}

/* ---- the whole ----------------------------------------------------------- */

static int read_options(struct writer *w)
{
	const char *name = ferry_output_name(w->output);
	int rc = 0;

	w->header_limit = ST_MAX_HEADER;
	if (ferry_option(w->options, "header-limit"))
		rc = ferry_option_bytes(w->options, "header-limit",
					&w->header_limit, w->err);
	if (w->header_limit > ST_MAX_HEADER)
		w->header_limit = ST_MAX_HEADER;
	w->is_index = has_suffix(name, ST_INDEX_SUFFIX);
	if (w->is_index)
		w->shard_size = DEFAULT_SHARD;
	if (rc || !ferry_option(w->options, "shard-size"))
		return rc;
	rc = ferry_option_bytes(w->options, "shard-size", &w->shard_size,
				w->err);
	if (!rc && !w->shard_size)
		rc = ferry_fail(w->err, FERRY_MISUSE, "option",
				FERRY_NO_OFFSET,
				"option shard-size is 0: give a size such as "
				"5GB");
	return rc;
}

static int order_items(struct writer *w)
{
	ferry_alloc_free(w->order);
	w->order = ferry_alloc_zero(w->inv.n, sizeof(struct st_item *));
	if (!w->order)
		return fail_nomem(w);
	if (w->inv.n)
		memcpy(w->order, w->inv.items,
		       w->inv.n * sizeof(struct st_item *));
	st_sort(w->order, w->inv.n);
	return 0;
}

/* The typed JSON, where the tensors alone would not do.  It may add items. */
static int keep_document(struct writer *w)
{
	bool wanted = true, cut;
	int rc = order_items(w);

	cut = w->shard_size && (w->is_index || st_deal(w->inv.items, w->inv.n,
						       w->shard_size) > 1);

	if (!rc && ferry_option(w->options, "document"))
		rc = ferry_option_bool(w->options, "document", &wanted,
				       w->err);
	if (rc || !wanted || (!cut && st_is_plain(&w->inv, w->order)))
		return rc;
	rc = st_kept_write(&w->inv, &w->kept, w->err);
	return rc ? rc : order_items(w);
}

static int write_all(struct writer *w)
{
	uint32_t n_shards = 1;
	int rc = keep_document(w);

	if (!rc)
		rc = make_metadata(w);
	if (!rc)
		rc = st_find_sources(w->inv.doc->store, w->inv.items, w->inv.n,
				     w->err);
	if (rc)
		return rc;
	if (w->shard_size)
		n_shards = st_deal(w->inv.items, w->inv.n, w->shard_size);
	return n_shards > 1 || w->is_index ? write_shards(w, n_shards) :
					  write_one(w);
}

int safetensors_write(struct ferry_document *doc, struct ferry_output *output,
		      const struct ferry_options *options,
		      struct ferry_findings *out, struct ferry_error *err)
{
	struct writer w = {
		.output = output, .options = options, .findings = out,
		.err = err,
	};
	int rc = read_options(&w);

	if (!rc)
		rc = ferry_store_new(&w.store, err);
	if (rc)
		return rc;
	rc = st_inventory_init(&w.inv, doc, err);
	if (!rc)
		st_inventory_cut(&w.inv);
	if (!rc)
		rc = write_all(&w);
	st_inventory_release(&w.inv);
	ferry_alloc_free(w.order);
	ferry_buffer_release(&w.kept);
	ferry_store_unref(w.store);
	return rc;
}
