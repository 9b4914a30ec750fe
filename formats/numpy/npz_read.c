/* A zip of arrays. */
#include "config.h"

#include "formats/numpy/npz.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <ferry/sys/alloc.h>
#include <ferry/sys/buffer.h>
#include <ferry/sys/ckd.h>

#include "formats/json/json.h"

/* A member beyond both is taken for a bomb. */
#define BOMB_NBYTES (UINT64_C(4) << 30)
#define BOMB_RATIO 100

/* The same for pickles and JSON, which become many times as much memory. */
#define VALUES_NBYTES (UINT64_C(16) << 20)
#define VALUES_RATIO 32

/* Array headers: far more than an archive of the smallest arrays has. */
#define HEADERS_NBYTES (UINT64_C(1) << 20)
#define HEADERS_RATIO 2

/* Longer BYTES are left in the file. */
#define BYTES_IN_MEMORY (64 << 10)

/* What zip calls text without a flag: code page 437, from 0x80. */
static const uint16_t cp437[128] = {
	0x00c7, 0x00fc, 0x00e9, 0x00e2, 0x00e4, 0x00e0, 0x00e5, 0x00e7,
	0x00ea, 0x00eb, 0x00e8, 0x00ef, 0x00ee, 0x00ec, 0x00c4, 0x00c5,
	0x00c9, 0x00e6, 0x00c6, 0x00f4, 0x00f6, 0x00f2, 0x00fb, 0x00f9,
	0x00ff, 0x00d6, 0x00dc, 0x00a2, 0x00a3, 0x00a5, 0x20a7, 0x0192,
	0x00e1, 0x00ed, 0x00f3, 0x00fa, 0x00f1, 0x00d1, 0x00aa, 0x00ba,
	0x00bf, 0x2310, 0x00ac, 0x00bd, 0x00bc, 0x00a1, 0x00ab, 0x00bb,
	0x2591, 0x2592, 0x2593, 0x2502, 0x2524, 0x2561, 0x2562, 0x2556,
	0x2555, 0x2563, 0x2551, 0x2557, 0x255d, 0x255c, 0x255b, 0x2510,
	0x2514, 0x2534, 0x252c, 0x251c, 0x2500, 0x253c, 0x255e, 0x255f,
	0x255a, 0x2554, 0x2569, 0x2566, 0x2560, 0x2550, 0x256c, 0x2567,
	0x2568, 0x2564, 0x2565, 0x2559, 0x2558, 0x2552, 0x2553, 0x256b,
	0x256a, 0x2518, 0x250c, 0x2588, 0x2584, 0x258c, 0x2590, 0x2580,
	0x03b1, 0x00df, 0x0393, 0x03c0, 0x03a3, 0x03c3, 0x00b5, 0x03c4,
	0x03a6, 0x0398, 0x03a9, 0x03b4, 0x221e, 0x03c6, 0x03b5, 0x2229,
	0x2261, 0x00b1, 0x2265, 0x2264, 0x2320, 0x2321, 0x00f7, 0x2248,
	0x00b0, 0x2219, 0x00b7, 0x221a, 0x207f, 0x00b2, 0x25a0, 0x00a0,
};

static void add_cp437(struct ferry_buffer *b, unsigned char c)
{
	uint16_t u = c < 0x80 ? c : cp437[c - 0x80];
	char three[3] = { (char)(0xe0 | u >> 12),
			  (char)(0x80 | (u >> 6 & 0x3f)),
			  (char)(0x80 | (u & 0x3f)) };
	char two[2] = { (char)(0xc0 | u >> 6), (char)(0x80 | (u & 0x3f)) };

	if (u < 0x80)
		ferry_buffer_add(b, &c, 1);
	else if (u < 0x800)
		ferry_buffer_add(b, two, 2);
	else
		ferry_buffer_add(b, three, 3);
}

/* The key numpy gives a member: without ".npy". */
static struct ferry_value *member_key(struct ferry_store *store,
				      const struct zip_member *m)
{
	struct ferry_buffer b = FERRY_BUFFER_INIT;
	struct ferry_value *key = NULL;
	size_t n = m->name_len;

	if (n >= 4 && !memcmp(m->name + n - 4, ".npy", 4))
		n -= 4;
	if (npy_is_utf8(m->name, n))
		return ferry_string(store, m->name, n);
	for (size_t i = 0; i < n; i++)
		add_cp437(&b, (unsigned char)m->name[i]);
	if (!b.failed)
		key = ferry_string(store, b.data, b.n);
	ferry_buffer_release(&b);
	return key;
}

static int fail_bomb(const struct zip_member *m, struct ferry_error *err)
{
	char name[128];

	ferry_escape(name, sizeof(name), m->name, m->name_len);
	return ferry_fail(err, FERRY_LIMIT, "npz", m->header_offset,
			  "member '%s' would inflate from %" PRIu64 " to %"
			  PRIu64 " bytes; --set npz-ratio=any takes it all the "
			  "same", name, m->compressed, m->nbytes);
}

int npz_archive_open(struct npz_archive *a, struct ferry_source *src,
		     struct ferry_store *store,
		     const struct numpy_read_options *options,
		     struct ferry_error *err)
{
	a->store = store;
	a->options = options;
	if (ferry_ckd_mul(&a->header_nbytes, src->nbytes, HEADERS_RATIO) ||
	    ferry_ckd_add(&a->header_nbytes, a->header_nbytes, HEADERS_NBYTES))
		a->header_nbytes = UINT64_MAX;
	return zip_open(&a->zip, src, true, err);
}

void npz_archive_close(struct npz_archive *a)
{
	zip_free(a->zip);
}

static int check_ratio(const struct npz_archive *a, const struct zip_member *m,
		       uint64_t nbytes, unsigned ratio, struct ferry_error *err)
{
	if (a->options->any_ratio || m->nbytes <= nbytes ||
	    m->nbytes / ratio <= m->compressed)
		return 0;
	return fail_bomb(m, err);
}

int npz_check_values(const struct npz_archive *a, const struct zip_member *m,
		     struct ferry_error *err)
{
	return check_ratio(a, m, VALUES_NBYTES, VALUES_RATIO, err);
}

int npz_header_read(struct npz_archive *a, struct ferry_source *src,
		    struct npy_header *out, struct ferry_error *err)
{
	int rc = npy_header_read(src, a->store, out, err);

	if (!rc && out->data > a->header_nbytes)
		rc = ferry_fail(err, FERRY_LIMIT, "npz", FERRY_NO_OFFSET,
				"array headers are longer than all of the "
				"archive");
	if (!rc)
		a->header_nbytes -= out->data;
	return rc;
}

int npz_member_source(struct npz_archive *a, const struct zip_member *m,
		      struct ferry_source **out, struct ferry_error *err)
{
	struct ferry_source *src;
	int rc = check_ratio(a, m, BOMB_NBYTES, BOMB_RATIO, err);

	if (!rc)
		rc = zip_member_source(a->zip, m, &src, err);
	if (rc)
		return rc;
	if (ferry_store_take_source(a->store, src)) {
		ferry_source_unref(src);
		return ferry_fail_nomem(err, "a member of an archive");
	}
	*out = src;
	return 0;
}

int npz_bytes(struct ferry_store *store, struct ferry_source *src,
	      unsigned flags, struct ferry_value **out,
	      struct ferry_error *err)
{
	char *data;
	int rc = 0;

	if (src->nbytes > BYTES_IN_MEMORY) {
		*out = ferry_bytes_range(store, src, 0, src->nbytes, flags);
		return *out ? 0 : ferry_fail_nomem(err, "bytes");
	}
	data = ferry_alloc((size_t)src->nbytes + 1);
	if (data)
		rc = ferry_source_read(src, data, 0, (size_t)src->nbytes, err);
	if (data && !rc) {
		*out = ferry_bytes(store, data, src->nbytes, flags);
		rc = *out ? 0 : ferry_fail_nomem(err, "bytes");
	}
	ferry_alloc_free(data);
	return data ? rc : ferry_fail_nomem(err, "bytes");
}

static int is_array(struct ferry_source *src, bool *out,
		    struct ferry_error *err)
{
	char magic[NPY_MAGIC_NBYTES];
	int rc;

	*out = false;
	if (src->nbytes < sizeof(magic))
		return 0;
	rc = ferry_source_read(src, magic, 0, sizeof(magic), err);
	*out = !rc && !memcmp(magic, NPY_MAGIC, sizeof(magic));
	return rc;
}

/* As numpy has it, what a member holds is told by its content alone. */
static int read_member(struct npz_archive *a, const struct zip_member *m,
		       const char *key, struct ferry_document *doc,
		       struct ferry_value **out, struct ferry_error *err)
{
	struct ferry_source *src;
	struct npy_header h;
	bool array;
	int rc = npz_member_source(a, m, &src, err);

	if (!rc)
		rc = is_array(src, &array, err);
	if (rc)
		return rc;
	if (!array)
		return npz_bytes(doc->store, src, 0, out, err);
	rc = npz_header_read(a, src, &h, err);
	if (!rc && npy_has_object(h.descr))
		rc = npz_check_values(a, m, err);
	return rc ? rc : npy_array_read(src, &h, doc, key, a->options, out,
					err);
}

/* Say which member, as offsets are counted from its beginning. */
static int fail_member(const struct zip_member *m,
		       const struct ferry_error *why, struct ferry_error *err)
{
	char name[128], place[48] = "";

	ferry_escape(name, sizeof(name), m->name, m->name_len);
	if (why->offset != FERRY_NO_OFFSET)
		snprintf(place, sizeof(place), " (byte %" PRIu64 " of it)",
			 why->offset);
	return ferry_fail(err, why->code, "npz", m->header_offset,
			  "member '%s'%s: %s", name, place, why->text);
}

/* "a" comes before "a.npy", as numpy looks for a key's own name first. */
static bool is_hidden(const struct zip *z, const struct zip_member *m,
		      const struct ferry_value *key)
{
	const char *name = key->u.s.data;
	size_t n = key->u.s.nbytes;

	return n + 4 == m->name_len &&
	       (n < 4 || memcmp(name + n - 4, ".npy", 4)) &&
	       zip_find(z, name, n);
}

static int add_member(struct npz_archive *a, const struct zip_member *m,
		      struct ferry_document *doc, struct ferry_value *root,
		      struct ferry_error *err)
{
	struct ferry_value *key = member_key(doc->store, m), *value;
	struct ferry_error why = FERRY_ERROR_INIT;
	char *text;
	int rc;

	if (!key)
		return ferry_fail_nomem(err, "a member's name");
	if ((!m->nbytes && m->name_len && m->name[m->name_len - 1] == '/') ||
	    is_hidden(a->zip, m, key))
		return 0;
	text = ferry_store_strndup(doc->store, key->u.s.data, key->u.s.nbytes);
	if (!text)
		return ferry_fail_nomem(err, "a member's name");
	rc = read_member(a, m, text, doc, &value, &why);
	if (rc)
		return fail_member(m, &why, err);
	return ferry_dict_set(doc->store, root, key, value) ?
	       ferry_fail_nomem(err, "a member") : 0;
}

/* Of members with one name the last counts, and is the only one read. */
static int read_members(struct npz_archive *a, struct ferry_document *doc,
			struct ferry_value **out, struct ferry_error *err)
{
	size_t n = zip_count(a->zip);
	struct ferry_value *root = ferry_dict(doc->store, (uint32_t)n);
	int rc = root ? 0 : ferry_fail_nomem(err, "a mapping of arrays");

	for (size_t i = 0; !rc && i < n; i++) {
		const struct zip_member *m = zip_member(a->zip, i);

		if (zip_find(a->zip, m->name, m->name_len) != m)
			rc = ferry_findings_add(doc->findings, FERRY_WARNING,
						"duplicate-member", m->name,
						m->header_offset,
						"a later member has the same "
						"name and is taken, as numpy "
						"does") ?
			     ferry_fail_nomem(err, "a warning") : 0;
		else
			rc = add_member(a, m, doc, root, err);
	}
	if (!rc)
		*out = root;
	return rc;
}

/* NPZ_DOCUMENT, when it is ferry's and not something of that name. */
static int find_document(struct npz_archive *a, const struct zip_member **out,
			 struct ferry_error *err)
{
	const struct zip_member *m = zip_find(a->zip, NPZ_DOCUMENT,
					      strlen(NPZ_DOCUMENT));
	struct ferry_source *src;
	char head[64];
	size_t n;
	int rc;

	*out = NULL;
	if (!m)
		return 0;
	rc = npz_member_source(a, m, &src, err);
	if (rc)
		return rc;
	n = src->nbytes < sizeof(head) ? (size_t)src->nbytes : sizeof(head);
	rc = ferry_source_read(src, head, 0, n, err);
	if (!rc && typed_json_probe(head, n))
		*out = m;
	return rc;
}

static int set_about(struct ferry_document *doc, const struct zip *z,
		     struct ferry_error *err)
{
	struct ferry_value *about = ferry_dict(doc->store, 2), *n, *deflated;
	int64_t count = 0;

	for (size_t i = 0; i < zip_count(z); i++)
		count += zip_member(z, i)->method != 0;
	n = ferry_int(doc->store, (int64_t)zip_count(z));
	deflated = ferry_int(doc->store, count);
	if (!about || !n || !deflated ||
	    ferry_dict_set_str(doc->store, about, "members", n) ||
	    ferry_dict_set_str(doc->store, about, "deflated", deflated))
		return ferry_fail_nomem(err, "facts about the file");
	doc->about = about;
	return 0;
}

static int read_archive(struct npz_archive *a, struct ferry_document *doc,
			struct ferry_error *err)
{
	const struct zip_member *m;
	struct ferry_value *root;
	int rc = find_document(a, &m, err);

	if (!rc && m)
		rc = npz_document_read(a, m, doc, &root, err);
	else if (!rc)
		rc = read_members(a, doc, &root, err);
	if (!rc)
		rc = set_about(doc, a->zip, err);
	if (!rc)
		doc->root = root;
	return rc;
}

int npz_read(struct ferry_source *src, struct ferry_document *doc,
	     const struct numpy_read_options *options,
	     struct ferry_error *err)
{
	struct npz_archive a;
	int rc = npz_archive_open(&a, src, doc->store, options, err);

	if (rc)
		return rc;
	rc = read_archive(&a, doc, err);
	npz_archive_close(&a);
	return rc;
}

int npz_verify(struct ferry_source *src, struct ferry_work *work,
	       struct ferry_findings *out, struct ferry_error *err)
{
	struct zip *z;
	int rc = zip_open(&z, src, true, err);

	if (rc)
		return rc;
	rc = zip_verify(z, work, out, err);
	zip_free(z);
	return rc;
}
