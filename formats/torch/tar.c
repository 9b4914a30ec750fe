/* The tar that torch.save() wrote in its first releases. */
#include "config.h"

#include "formats/torch/tar.h"

#include <string.h>

#include <ferry/sys/bytes.h>
#include <ferry/sys/ckd.h>
#include <ferry/sys/map.h>

#include "formats/pickle/pickle.h"
#include "formats/torch/pid.h"
#include "formats/torch/rebuild.h"
#include "formats/torch/torch.h"

#define ORIGIN "torch-tar"

enum {
	BLOCK_BYTES = 512,
	NAME_BYTES = 100,
	SIZE_AT = 124,
	SIZE_BYTES = 12,
	CHECKSUM_AT = 148,
	CHECKSUM_BYTES = 8,
	TYPE_AT = 156,
};

static int fail(struct ferry_error *err, uint64_t offset, const char *text)
{
	return ferry_fail(err, FERRY_MALFORMED, ORIGIN, offset, "%s", text);
}

static int fail_nomem(struct ferry_error *err)
{
	return ferry_fail_nomem(err, "tar checkpoint");
}

/* ---- members ----------------------------------------------------------- */

static const char *const member_names[TORCH_TAR_MEMBERS] = {
	"sys_info", "storages", "tensors", "pickle",
};

int torch_tar_member_named(const char *name, size_t n)
{
	n = strnlen(name, n);
	if (n > 2 && !memcmp(name, "./", 2)) {
		name += 2;
		n -= 2;
	}
	for (int i = 0; i < TORCH_TAR_MEMBERS; i++) {
		if (n == strlen(member_names[i]) &&
		    !memcmp(name, member_names[i], n))
			return i;
	}
	return -1;
}

/* Octal text, or (GNU) a binary number behind a first byte of 0x80. */
static bool read_number(const uint8_t *b, size_t n, uint64_t *out)
{
	*out = 0;
	if (b[0] == 0x80) {
		*out = ferry_be64(b + n - 8);
		return true;
	}
	while (n && *b == ' ') {
		b++;
		n--;
	}
	for (; n && *b >= '0' && *b <= '7'; b++, n--)
		*out = *out << 3 | (uint64_t)(*b - '0');
	return !n || *b == ' ' || *b == '\0';
}

static bool checksum_holds(const uint8_t *b)
{
	uint64_t sum = 0, recorded;

	for (int i = 0; i < BLOCK_BYTES; i++)
		sum += i >= CHECKSUM_AT && i < CHECKSUM_AT + CHECKSUM_BYTES ?
			' ' : b[i];
	return read_number(b + CHECKSUM_AT, CHECKSUM_BYTES, &recorded) &&
	       recorded == sum;
}

static bool is_end(const uint8_t *b)
{
	for (int i = 0; i < BLOCK_BYTES; i++) {
		if (b[i])
			return false;
	}
	return true;
}

static int check_members(const struct torch_tar_member *members,
			 struct ferry_error *err)
{
	for (int i = TORCH_TAR_STORAGES; i < TORCH_TAR_MEMBERS; i++) {
		if (!members[i].present)
			return ferry_fail(err, FERRY_MALFORMED, ORIGIN,
					  FERRY_NO_OFFSET, "tar archive has no "
					  "member \"%s\": not a checkpoint of "
					  "torch", member_names[i]);
	}
	return 0;
}

int torch_tar_find(struct ferry_source *src,
		   struct torch_tar_member members[TORCH_TAR_MEMBERS],
		   struct ferry_error *err)
{
	uint8_t b[BLOCK_BYTES];
	uint64_t at = 0, n, next;
	int r, which;

	memset(members, 0, TORCH_TAR_MEMBERS * sizeof(*members));
	for (; at < src->nbytes; at = next) {
		r = ferry_source_read(src, b, at, sizeof(b), err);
		if (r)
			return r;
		if (is_end(b))
			break;
		if (!checksum_holds(b) ||
		    !read_number(b + SIZE_AT, SIZE_BYTES, &n))
			return fail(err, at, "tar header is damaged");
		at += BLOCK_BYTES;
		if (ferry_ckd_outside(at, n, src->nbytes))
			return fail(err, src->nbytes, "file looks cut off: a "
				    "tar member reaches past its end; copy it "
				    "again");
		next = at + (n + BLOCK_BYTES - 1) / BLOCK_BYTES * BLOCK_BYTES;
		which = torch_tar_member_named((const char *)b, NAME_BYTES);
		if (which >= 0 && (b[TYPE_AT] == '0' || !b[TYPE_AT]))
			members[which] = (struct torch_tar_member){
				at, n, true,
			};
	}
	return check_members(members, err);
}

/* ---- the checkpoint ---------------------------------------------------- */

struct tar_reader {
	struct torch_rebuild rebuild;
	struct ferry_document *doc;
	struct ferry_source *src;	/* kept by the store */
	struct ferry_source *member;	/* the one being read */
	uint64_t base;			/* of member in src */
	uint64_t at;			/* in member */
	struct ferry_map objects;	/* int64 key -> STORAGE or TENSOR */
	uint64_t n_storages, n_tensors;
	/* Told of every pickle before it is read, or NULL. */
	int (*seen)(void *ctx, struct ferry_source *src, uint64_t offset,
		    const char *name, struct ferry_error *err);
	void *seen_ctx;
};

static int enter(struct tar_reader *t, const struct torch_tar_member *m,
		 const char *name, struct ferry_error *err)
{
	int r;

	r = ferry_source_range(&t->member, t->src, m->offset, m->nbytes, name,
			       err);
	if (r)
		return r;
	if (ferry_store_take_source(t->doc->store, t->member)) {
		ferry_source_unref(t->member);
		return fail_nomem(err);
	}
	t->base = m->offset;
	t->at = 0;
	return 0;
}

static int next_pickle(struct tar_reader *t,
		       const struct pickle_reader_options *options,
		       struct ferry_value **out, struct ferry_error *err)
{
	int r = 0;

	if (t->seen)
		r = t->seen(t->seen_ctx, t->member, t->at, t->member->name,
			    err);
	return r ? r : pickle_read(t->member, t->at, t->doc->store, options,
				   out, &t->at, err);
}

static int next_plain(struct tar_reader *t, struct ferry_value **out,
		      struct ferry_error *err)
{
	struct pickle_reader_options options = {
		.origin = ORIGIN,
		.findings = t->doc->findings,
	};

	return next_pickle(t, &options, out, err);
}

static int next_bytes(struct tar_reader *t, void *buf, size_t n,
		      struct ferry_error *err)
{
	int r = ferry_source_read(t->member, buf, t->at, n, err);

	if (!r)
		t->at += n;
	return r;
}

/* How many records follow; each takes bytes, so a wrong count ends in an
 * error. */
static int next_count(struct tar_reader *t, uint64_t *out,
		      struct ferry_error *err)
{
	struct ferry_value *v;
	int r = next_plain(t, &v, err);

	if (!r && !torch_count(v, out))
		r = fail(err, t->base + t->at, "count of records is not a "
			 "number");
	return r;
}

static int next_tuple(struct tar_reader *t, uint32_t n,
		      struct ferry_value ***items, struct ferry_error *err)
{
	struct ferry_value *v;
	int r = next_plain(t, &v, err);

	if (r)
		return r;
	if (v->kind != FERRY_TUPLE || v->u.list.n != n)
		return ferry_fail(err, FERRY_MALFORMED, ORIGIN,
				  t->base + t->at, "record is not a tuple of "
				  "%u", n);
	*items = v->u.list.items;
	return 0;
}

static int put_object(struct tar_reader *t, const struct ferry_value *key,
		      const struct ferry_value *object,
		      struct ferry_error *err)
{
	if (key->kind != FERRY_INT || (key->flags & FERRY_BIG))
		return fail(err, t->base + t->at, "key is not a number");
	if (ferry_map_put(&t->objects, &key->u.i, sizeof(key->u.i),
			  (uint64_t)(uintptr_t)object))
		return fail_nomem(err);
	return 0;
}

static struct ferry_value *get_object(const struct tar_reader *t, int64_t key)
{
	uint64_t known;

	if (!ferry_map_get(&t->objects, &key, sizeof(key), &known))
		return NULL;
	return (struct ferry_value *)(uintptr_t)known;
}

static struct ferry_storage *get_storage(const struct tar_reader *t,
					 const struct ferry_value *key)
{
	struct ferry_value *v = NULL;

	if (key->kind == FERRY_INT && !(key->flags & FERRY_BIG))
		v = get_object(t, key->u.i);
	return v && v->kind == FERRY_STORAGE ? v->u.st.storage : NULL;
}

/* ---- storages ---------------------------------------------------------- */

static int add_storage(struct tar_reader *t, const struct ferry_value *key,
		       enum ferry_dtype dtype, uint64_t offset, uint64_t nbytes,
		       struct ferry_storage **out, struct ferry_error *err)
{
	struct ferry_store *store = t->doc->store;
	struct ferry_value *v;

	*out = ferry_storage(store, dtype, t->src, offset, nbytes);
	v = *out ? ferry_storage_value(store, *out) : NULL;
	return v ? put_object(t, key, v, err) : fail_nomem(err);
}

/* (key, location, class), a count, data. */
static int read_storage(struct tar_reader *t, struct ferry_error *err)
{
	const struct torch_dtype *dtype = NULL;
	struct ferry_storage *st;
	struct ferry_value **item;
	uint64_t nbytes;
	uint8_t b[8];
	bool untyped;
	int r;

	r = next_tuple(t, 3, &item, err);
	if (r)
		return r;
	if (item[2]->kind == FERRY_GLOBAL)
		dtype = torch_dtype_of_storage(item[2]->u.global.name,
					       item[2]->u.global.name_len,
					       &untyped);
	if (!dtype)
		return fail(err, t->base + t->at, "storage has a class that is "
			    "not one of torch's");
	r = next_bytes(t, b, sizeof(b), err);
	if (r)
		return r;
	if (ferry_ckd_mul(&nbytes, ferry_le64(b), dtype->itemsize) ||
	    ferry_ckd_outside(t->at, nbytes, t->member->nbytes))
		return fail(err, t->base + t->at,
			    "storage reaches past its tar member");
	r = add_storage(t, item[0], dtype->dtype, t->base + t->at, nbytes, &st,
			err);
	t->at += nbytes;
	return r;
}

/* (key, root key, offset, numel), in elements of the root. */
static int read_view(struct tar_reader *t, const struct ferry_value *v,
		     struct ferry_error *err)
{
	struct ferry_storage *root = NULL, *part;
	uint64_t offset, numel, nbytes, at;
	unsigned itemsize;
	int r;

	if (v->kind == FERRY_TUPLE && v->u.list.n == 4)
		root = get_storage(t, v->u.list.items[1]);
	if (!root || !torch_count(v->u.list.items[2], &offset) ||
	    !torch_count(v->u.list.items[3], &numel))
		return fail(err, t->base + t->at, "view of a storage is not "
			    "(key, storage, offset, size)");
	itemsize = torch_dtype_find(root->dtype)->itemsize;
	if (ferry_ckd_mul(&nbytes, numel, itemsize) ||
	    ferry_ckd_mul(&at, offset, itemsize) ||
	    ferry_ckd_outside(at, nbytes, root->nbytes))
		return fail(err, t->base + t->at,
			    "view reaches outside its storage");
	r = add_storage(t, v->u.list.items[0], root->dtype, root->offset + at,
			nbytes, &part, err);
	if (!r)
		r = torch_rebuild_add_view(&t->rebuild, part, root, offset,
					   err);
	return r;
}

static int read_storages(struct tar_reader *t, struct ferry_error *err)
{
	struct ferry_value *views;
	int r;

	r = next_count(t, &t->n_storages, err);
	for (uint64_t i = 0; !r && i < t->n_storages; i++)
		r = read_storage(t, err);
	if (!r)
		r = next_plain(t, &views, err);
	if (r)
		return r;
	if (views->kind != FERRY_LIST)
		return fail(err, t->base + t->at,
			    "list of storage views is missing");
	for (uint32_t i = 0; !r && i < views->u.list.n; i++)
		r = read_view(t, views->u.list.items[i], err);
	return r;
}

/* ---- tensors ----------------------------------------------------------- */

/* (key, storage, class); rank, 4 bytes unused, sizes, strides, offset. */
static int read_tensor(struct tar_reader *t, struct ferry_error *err)
{
	uint8_t b[16 * FERRY_MAX_RANK + 8];
	uint64_t shape[FERRY_MAX_RANK];
	int64_t strides[FERRY_MAX_RANK];
	struct ferry_value **item, *tensor;
	struct ferry_storage *st;
	uint32_t ndim;
	int r;

	r = next_tuple(t, 3, &item, err);
	if (!r)
		r = next_bytes(t, b, 8, err);
	if (r)
		return r;
	st = get_storage(t, item[1]);
	if (!st)
		return fail(err, t->base + t->at,
			    "tensor names a storage that is not there");
	ndim = ferry_le32(b);
	if (ndim > FERRY_MAX_RANK)
		return ferry_fail(err, FERRY_LIMIT, ORIGIN, t->base + t->at,
				  "tensor of %u dimensions: %d are the most "
				  "that ferry takes", ndim, FERRY_MAX_RANK);
	r = next_bytes(t, b, 16 * (size_t)ndim + 8, err);
	if (r)
		return r;
	for (uint32_t i = 0; i < ndim; i++) {
		shape[i] = ferry_le64(b + 8 * i);
		strides[i] = (int64_t)ferry_le64(b + 8 * (ndim + i));
	}
	r = torch_rebuild_tensor(&t->rebuild, st, st->dtype, ndim, shape,
				 strides, ferry_le64(b + 16 * (size_t)ndim),
				 &tensor, err);
	return r ? r : put_object(t, item[0], tensor, err);
}

static int read_tensors(struct tar_reader *t, struct ferry_error *err)
{
	int r = next_count(t, &t->n_tensors, err);

	for (uint64_t i = 0; !r && i < t->n_tensors; i++)
		r = read_tensor(t, err);
	return r;
}

/* ---- the object -------------------------------------------------------- */

/* A key as a number or as its decimal text. */
static bool read_key(const struct ferry_value *id, int64_t *out)
{
	const char *text;
	size_t n;

	if (id->kind == FERRY_INT && !(id->flags & FERRY_BIG)) {
		*out = id->u.i;
		return true;
	}
	if (!torch_text(id, &text, &n) || !n || n > 18)
		return false;
	*out = 0;
	for (size_t i = 0; i < n; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		*out = *out * 10 + (text[i] - '0');
	}
	return true;
}

static int persistent(void *ctx, struct ferry_store *store,
		      struct ferry_value *id, struct ferry_value **out,
		      struct ferry_error *err)
{
	struct tar_reader *t = ctx;
	int64_t key;

	(void)store;
	/* (class, source file, source text) */
	if (id->kind == FERRY_TUPLE && id->u.list.n) {
		*out = id->u.list.items[0];
		return 0;
	}
	*out = read_key(id, &key) ? get_object(t, key) : NULL;
	if (*out)
		return 0;
	return fail(err, FERRY_NO_OFFSET, "pickle names a storage or tensor "
		    "that is not there");
}

static int reduce(void *ctx, struct ferry_store *store,
		  struct ferry_value *object, bool built,
		  struct ferry_value **out, struct ferry_error *err)
{
	struct tar_reader *t = ctx;

	return torch_rebuild_reduce(&t->rebuild, store, object, built, out,
				    err);
}

static int read_object(struct tar_reader *t, struct ferry_error *err)
{
	struct pickle_reader_options options = {
		.persistent = persistent,
		.reduce = reduce,
		.ctx = t,
		.origin = ORIGIN,
		.findings = t->doc->findings,
	};

	return next_pickle(t, &options, &t->doc->root, err);
}

static int describe(struct tar_reader *t, struct ferry_error *err)
{
	struct ferry_document *doc = t->doc;
	struct ferry_store *s = doc->store;

	doc->about = ferry_dict(s, 4);
	if (!doc->about ||
	    ferry_dict_set_str(s, doc->about, "kind",
			       ferry_cstring(s, "torch.save tar")) ||
	    ferry_dict_set_str(s, doc->about, "writer",
			       ferry_cstring(s, "torch 0.1.8 or earlier")) ||
	    ferry_dict_set_str(s, doc->about, "storages",
			       ferry_uint(s, t->n_storages)) ||
	    ferry_dict_set_str(s, doc->about, "tensors",
			       ferry_uint(s, t->n_tensors)))
		return fail_nomem(err);
	return 0;
}

static int read_members(struct tar_reader *t, struct ferry_error *err)
{
	struct torch_tar_member m[TORCH_TAR_MEMBERS];
	int r;

	if (ferry_store_take_source(t->doc->store, ferry_source_ref(t->src))) {
		ferry_source_unref(t->src);
		return fail_nomem(err);
	}
	r = torch_tar_find(t->src, m, err);
	if (!r)
		r = enter(t, &m[TORCH_TAR_STORAGES], "storages", err);
	if (!r)
		r = read_storages(t, err);
	if (!r)
		r = enter(t, &m[TORCH_TAR_TENSORS], "tensors", err);
	if (!r)
		r = read_tensors(t, err);
	if (!r)
		r = enter(t, &m[TORCH_TAR_PICKLE], "pickle", err);
	if (!r)
		r = read_object(t, err);
	ferry_map_release(&t->objects);
	torch_rebuild_release(&t->rebuild);
	return r;
}

int torch_tar_each_pickle(struct ferry_source *src,
			  int (*seen)(void *ctx, struct ferry_source *src,
				      uint64_t offset, const char *name,
				      struct ferry_error *err),
			  void *ctx, struct ferry_error *err)
{
	struct tar_reader t = { .src = src, .seen = seen, .seen_ctx = ctx };
	int r;

	r = ferry_document_new(&t.doc, NULL, err);
	if (r)
		return r;
	t.rebuild.store = t.doc->store;
	r = read_members(&t, err);
	ferry_document_free(t.doc);
	return r;
}

int torch_tar_read(const struct ferry_input *in, struct ferry_document *doc,
		   struct ferry_error *err)
{
	struct tar_reader t = {
		.rebuild = { .store = doc->store, .findings = doc->findings },
		.doc = doc,
		.src = in->source,
	};
	int r = read_members(&t, err);

	return r ? r : describe(&t, err);
}
