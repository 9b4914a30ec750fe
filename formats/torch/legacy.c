/* The stream of pickles that torch.save() wrote before 1.6: magic number,
 * protocol, system, object, storage keys; then the storages' bytes. */
#include "config.h"

#include "formats/torch/torch.h"

#include <string.h>

#include <ferry/sys/bytes.h>
#include <ferry/sys/ckd.h>
#include <ferry/sys/map.h>

#include "formats/pickle/pickle.h"
#include "formats/torch/pid.h"
#include "formats/torch/rebuild.h"

#define PROTOCOL_VERSION 1001
/* 0x1950a86a20f9469cfc6c */
static const uint8_t magic[] = {
	0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19,
};

struct stream {
	struct torch_rebuild rebuild;
	struct ferry_document *doc;
	struct ferry_source *src;	/* kept by the document's store */
	uint64_t at;			/* what follows what was read */
	struct ferry_map storages;	/* key -> struct torch_known */
	struct ferry_map views;		/* view key -> struct torch_known */
	struct ferry_map placed;	/* keys whose bytes were found */
	size_t n_modules;
	unsigned protocol;
};

static int fail(struct ferry_error *err, uint64_t offset, const char *text)
{
	return ferry_fail(err, FERRY_MALFORMED, "torch-legacy", offset, "%s",
			  text);
}

static int fail_nomem(struct ferry_error *err)
{
	return ferry_fail_nomem(err, "storages of a stream");
}

/* ---- persistent ids ---------------------------------------------------- */

static int new_storage(struct stream *s, const struct torch_pid *pid,
		       uint64_t nbytes, struct torch_known *out,
		       struct ferry_error *err)
{
	struct ferry_store *store = s->doc->store;
	struct ferry_storage *st;
	struct ferry_value *v;

	/* Its place is known once the keys have been read. */
	st = ferry_storage(store, pid->dtype->dtype, s->src, 0, nbytes);
	v = st ? ferry_storage_value(store, st) : NULL;
	if (!v)
		return fail_nomem(err);
	if (pid->untyped)
		st->flags |= FERRY_UNTYPED;
	*out = (struct torch_known){ st, v };
	return 0;
}

static int root_storage(struct stream *s, const struct torch_pid *pid,
			const struct torch_known **out,
			struct ferry_error *err)
{
	struct torch_known *known;

	known = torch_known_take(&s->storages, s->doc->store, pid->key,
				 pid->nkey);
	*out = known;
	if (!known)
		return fail_nomem(err);
	if (!known->value)
		return new_storage(s, pid, pid->nbytes, known, err);
	if (known->storage->nbytes != pid->nbytes)
		return fail(err, s->at, "a storage is named with two sizes");
	return 0;
}

/* Elements [offset, offset + numel) of a root, under a key of their own. */
static int view_storage(struct stream *s, const struct torch_pid *pid,
			const struct torch_known *root,
			const struct torch_known **out,
			struct ferry_error *err)
{
	struct ferry_value *const *item = pid->view->u.list.items;
	uint64_t offset, numel, nbytes;
	struct torch_known *known;
	const char *key;
	size_t n;
	int r;

	if (!torch_text(item[0], &key, &n) || !torch_count(item[1], &offset) ||
	    !torch_count(item[2], &numel) ||
	    ferry_ckd_mul(&nbytes, numel, pid->dtype->itemsize))
		return fail(err, s->at, "view of a storage is not (key, "
			    "offset, size)");
	known = torch_known_take(&s->views, s->doc->store, key, n);
	*out = known;
	if (!known)
		return fail_nomem(err);
	if (known->value)
		return 0;
	r = new_storage(s, pid, nbytes, known, err);
	return r ? r : torch_rebuild_add_view(&s->rebuild, known->storage,
					      root->storage, offset, err);
}

static int persistent(void *ctx, struct ferry_store *store,
		      struct ferry_value *id, struct ferry_value **out,
		      struct ferry_error *err)
{
	struct stream *s = ctx;
	const struct torch_known *known;
	struct torch_pid pid;
	int r;

	(void)store;
	r = torch_pid_parse(id, &pid, err);
	if (r)
		return r;
	if (pid.module) {
		s->n_modules++;
		*out = pid.module;
		return 0;
	}
	r = root_storage(s, &pid, &known, err);
	if (!r && pid.view)
		r = view_storage(s, &pid, known, &known, err);
	if (!r)
		*out = known->value;
	return r;
}

static int reduce(void *ctx, struct ferry_store *store,
		  struct ferry_value *object, bool built,
		  struct ferry_value **out, struct ferry_error *err)
{
	struct stream *s = ctx;

	return torch_rebuild_reduce(&s->rebuild, store, object, built, out,
				    err);
}

/* ---- the pickles ------------------------------------------------------- */

static int next_pickle(struct stream *s, bool object, struct ferry_value **out,
		       struct ferry_error *err)
{
	struct pickle_reader_options options = {
		.origin = "torch-legacy",
		.findings = s->doc->findings,
	};
	uint64_t end = s->at;
	int r;

	if (object) {
		options.persistent = persistent;
		options.reduce = reduce;
		options.ctx = s;
	}
	r = pickle_read(s->src, s->at, s->doc->store, &options, out, &end, err);
	s->at = end;
	return r;
}

static bool is_magic(const struct ferry_value *v)
{
	return v->kind == FERRY_INT && (v->flags & FERRY_BIG) &&
	       v->u.s.nbytes == sizeof(magic) &&
	       !memcmp(v->u.s.data, magic, sizeof(magic));
}

static int read_head(struct stream *s, struct ferry_error *err)
{
	struct ferry_value *v;
	uint64_t version;
	uint8_t b[2];
	int r;

	r = ferry_source_read(s->src, b, 0, sizeof(b), err);
	if (r)
		return r;
	s->protocol = b[0] == 0x80 ? b[1] : 0;
	r = next_pickle(s, false, &v, err);
	if (r)
		return r;
	if (!is_magic(v))
		return fail(err, 0, "stream does not begin with torch's magic "
			    "number");
	r = next_pickle(s, false, &v, err);
	if (r)
		return r;
	if (!torch_count(v, &version) || version != PROTOCOL_VERSION)
		return ferry_fail(err, FERRY_UNSUPPORTED, "torch-legacy", s->at,
				  "stream protocol is not %d, the only one "
				  "that was ever used", PROTOCOL_VERSION);
	/* The sender's byte order and type sizes: storages are little-endian
	 * whatever it says. */
	return next_pickle(s, false, &v, err);
}

/* ---- the storages ------------------------------------------------------ */

static int place_storage(struct stream *s, const struct ferry_value *key,
			 struct ferry_error *err)
{
	const struct torch_dtype *dtype;
	const struct torch_known *known;
	struct ferry_storage *st;
	const char *text;
	uint8_t b[8];
	uint64_t nbytes;
	size_t n;
	int r;

	if (!torch_text(key, &text, &n))
		return fail(err, s->at, "storage key is not a text");
	known = torch_known_find(&s->storages, text, n);
	if (!known)
		return fail(err, s->at, "list of storage keys has one that the "
			    "object does not name");
	if (ferry_map_get(&s->placed, text, n, NULL))
		return fail(err, s->at, "list of storage keys has one twice");
	if (ferry_map_put(&s->placed, text, n, 1))
		return fail_nomem(err);
	st = known->storage;
	r = ferry_source_read(s->src, b, s->at, sizeof(b), err);
	if (r)
		return r;
	dtype = torch_dtype_find(st->dtype);
	if (ferry_ckd_mul(&nbytes, ferry_le64(b), dtype->itemsize) ||
	    nbytes != st->nbytes)
		return ferry_fail(err, FERRY_MALFORMED, "torch-legacy", s->at,
				  "storage of %llu elements where the object "
				  "names one of %llu bytes; the file is "
				  "damaged", (unsigned long long)ferry_le64(b),
				  (unsigned long long)st->nbytes);
	st->offset = s->at + sizeof(b);
	if (ferry_ckd_outside(st->offset, nbytes, s->src->nbytes))
		return ferry_fail(err, FERRY_MALFORMED, "torch-legacy",
				  s->src->nbytes, "file looks cut off: a "
				  "storage of %llu bytes begins at %llu and "
				  "the file has %llu; copy it again",
				  (unsigned long long)nbytes,
				  (unsigned long long)st->offset,
				  (unsigned long long)s->src->nbytes);
	s->at = st->offset + nbytes;
	return 0;
}

static int read_storages(struct stream *s, struct ferry_error *err)
{
	struct ferry_value *keys;
	int r;

	r = next_pickle(s, false, &keys, err);
	if (r)
		return r;
	if (keys->kind != FERRY_LIST)
		return fail(err, s->at, "storage keys are not a list");
	for (uint32_t i = 0; !r && i < keys->u.list.n; i++)
		r = place_storage(s, keys->u.list.items[i], err);
	if (r)
		return r;
	if (keys->u.list.n != s->storages.n)
		return fail(err, s->at, "list of storage keys lacks one that "
			    "the object names");
	for (size_t i = 0; i < s->rebuild.n_views; i++) {
		const struct torch_view *v = &s->rebuild.views[i];

		v->part->offset = v->root->offset + v->offset *
			torch_dtype_find(v->root->dtype)->itemsize;
	}
	if (s->at < s->src->nbytes &&
	    ferry_findings_add(s->doc->findings, FERRY_WARNING,
			       "trailing-bytes", "", s->at,
			       "%llu byte%s the last storage",
			       (unsigned long long)(s->src->nbytes - s->at),
			       s->src->nbytes - s->at == 1 ? " follows" :
							     "s follow"))
		return fail_nomem(err);
	return 0;
}

static int describe(struct stream *s, struct ferry_error *err)
{
	struct ferry_document *doc = s->doc;
	struct ferry_store *st = doc->store;

	doc->about = ferry_dict(st, 6);
	if (!doc->about ||
	    ferry_dict_set_str(st, doc->about, "kind",
			       ferry_cstring(st, "torch.save stream")) ||
	    ferry_dict_set_str(st, doc->about, "writer",
			       ferry_cstring(st, "torch 0.1.9 to 1.5, or later "
					     "in the old form")) ||
	    (s->protocol &&
	     ferry_dict_set_str(st, doc->about, "protocol",
				ferry_int(st, s->protocol))) ||
	    ferry_dict_set_str(st, doc->about, "storages",
			       ferry_uint(st, s->storages.n)) ||
	    ferry_dict_set_str(st, doc->about, "module_sources",
			       ferry_uint(st, s->n_modules)))
		return fail_nomem(err);
	return 0;
}

/* ---- the format's callbacks -------------------------------------------- */

int torch_legacy_read(const struct ferry_input *in, struct ferry_document *doc,
		      struct ferry_error *err)
{
	struct stream s = {
		.rebuild = { .store = doc->store, .findings = doc->findings },
		.doc = doc,
		.src = in->source,
	};
	int r;

	if (ferry_store_take_source(doc->store, ferry_source_ref(s.src))) {
		ferry_source_unref(s.src);
		return fail_nomem(err);
	}
	r = read_head(&s, err);
	if (!r)
		r = next_pickle(&s, true, &doc->root, err);
	if (!r)
		r = read_storages(&s, err);
	if (!r)
		r = describe(&s, err);
	ferry_map_release(&s.storages);
	ferry_map_release(&s.views);
	ferry_map_release(&s.placed);
	torch_rebuild_release(&s.rebuild);
	return r;
}

/* There are no checksums: every byte is read, so that the disk has its say. */
int torch_stream_verify(const struct ferry_input *in,
			struct ferry_document *doc, struct ferry_work *work,
			struct ferry_findings *out, struct ferry_error *err)
{
	int r;

	(void)doc;
	if (work)
		work->total += in->source->nbytes;
	r = ferry_source_prove(in->source, work, NULL, err);
	if (!r && ferry_findings_add(out, FERRY_NOTE, "no-checksums", "",
				     FERRY_NO_OFFSET, "this format has no "
				     "checksums: sizes and bounds were "
				     "checked, data was read"))
		r = ferry_fail_nomem(err, "findings");
	return r;
}
