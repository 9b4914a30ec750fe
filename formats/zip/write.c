/* Zip archives, written stored: laid out first, data carried over, then the
 * headers, whose sizes and checksums are known by then. */
#include "config.h"

#include "formats/zip/zip.h"

#include <string.h>

#include <ferry/sys/alloc.h>
#include <ferry/sys/buffer.h>
#include <ferry/sys/bytes.h>
#include <ferry/sys/ckd.h>

#include "formats/zip/layout.h"

#define ALIGN_MAX 4096

/* 1980-01-01, the earliest date the format knows: outputs are reproducible. */
#define DOS_DATE 0x0021

/* Padding for a clone is at most one block; it must buy several. */
#define CLONE_BLOCKS_MIN 16

struct entry {
	char *name;
	uint8_t *head;
	size_t nhead;
	struct ferry_source *src;	/* may be NULL */
	uint64_t src_offset, src_nbytes;
	uint64_t nbytes;		/* head and source */
	uint64_t header, data;		/* offsets in the sink */
	uint32_t crc32;
	uint16_t name_len;
	uint16_t padding;
};

struct zip_writer {
	struct ferry_sink *sink;
	struct entry *entries;
	size_t n, cap;
	uint32_t align;
	struct ferry_findings *findings;	/* may be NULL */
};

int zip_writer_new(struct zip_writer **out, struct ferry_sink *sink,
		   uint32_t align, struct ferry_error *err)
{
	struct zip_writer *w;

	if (align > ALIGN_MAX || (align & (align - 1)))
		return ferry_fail(err, FERRY_MISUSE, "zip", FERRY_NO_OFFSET,
				  "alignment %u is not a power of two up to %d",
				  align, ALIGN_MAX);
	w = ferry_alloc_zero(1, sizeof(*w));
	if (!w)
		return ferry_fail_nomem(err, "zip writer");
	w->sink = sink;
	w->align = align;
	*out = w;
	return 0;
}

void zip_writer_findings(struct zip_writer *w, struct ferry_findings *out)
{
	w->findings = out;
}

void zip_writer_free(struct zip_writer *w)
{
	if (!w)
		return;
	for (size_t i = 0; i < w->n; i++) {
		ferry_alloc_free(w->entries[i].name);
		ferry_alloc_free(w->entries[i].head);
		ferry_source_unref(w->entries[i].src);
	}
	ferry_alloc_free(w->entries);
	ferry_alloc_free(w);
}

/* ---- members ----------------------------------------------------------- */

static int grow(struct zip_writer *w, struct ferry_error *err)
{
	size_t cap = w->cap ? 2 * w->cap : 16;
	struct entry *entries;

	if (w->n < w->cap)
		return 0;
	entries = ferry_alloc_resize(w->entries, cap, sizeof(*entries));
	if (!entries)
		return ferry_fail_nomem(err, "list of zip records");
	w->entries = entries;
	w->cap = cap;
	return 0;
}

static int add(struct zip_writer *w, const char *name, const void *head,
	       size_t n, struct entry **out, struct ferry_error *err)
{
	size_t len = strlen(name);
	struct entry *e;
	int r;

	if (!len || len > UINT16_MAX)
		return ferry_fail(err, FERRY_UNSUPPORTED, "zip",
				  FERRY_NO_OFFSET, "record name of %zu bytes: "
				  "zip takes 1 to 65535", len);
	r = grow(w, err);
	if (r)
		return r;
	e = &w->entries[w->n];
	memset(e, 0, sizeof(*e));
	e->name = ferry_alloc_strdup(name);
	e->head = n ? ferry_alloc(n) : NULL;
	if (!e->name || (n && !e->head)) {
		ferry_alloc_free(e->name);
		ferry_alloc_free(e->head);
		return ferry_fail_nomem(err, "zip record");
	}
	if (n)
		memcpy(e->head, head, n);
	e->name_len = (uint16_t)len;
	e->nhead = n;
	e->nbytes = n;
	w->n++;
	*out = e;
	return 0;
}

int zip_writer_add_memory(struct zip_writer *w, const char *name,
			  const void *data, size_t n, struct ferry_error *err)
{
	struct entry *e;

	return add(w, name, data, n, &e, err);
}

int zip_writer_add_source(struct zip_writer *w, const char *name,
			  const void *head, size_t n, struct ferry_source *src,
			  uint64_t offset, uint64_t nbytes,
			  struct ferry_error *err)
{
	struct entry *e;
	uint64_t total;
	int r;

	if (ferry_ckd_outside(offset, nbytes, src->nbytes) ||
	    ferry_ckd_add(&total, nbytes, n))
		return ferry_fail(err, FERRY_MISUSE, "zip", FERRY_NO_OFFSET,
				  "range of %llu bytes at %llu is outside its "
				  "source of %llu bytes",
				  (unsigned long long)nbytes,
				  (unsigned long long)offset,
				  (unsigned long long)src->nbytes);
	r = add(w, name, head, n, &e, err);
	if (r)
		return r;
	e->src = ferry_source_ref(src);
	e->src_offset = offset;
	e->src_nbytes = nbytes;
	e->nbytes = total;
	return 0;
}

/* ---- layout ------------------------------------------------------------ */

static size_t zip64_bytes(const struct entry *e)
{
	return e->nbytes >= ZIP_FULL32 ? 4 + 16 : 0;
}

static uint32_t distance(uint64_t from, uint64_t phase, uint32_t align)
{
	return (uint32_t)((phase - from) & (align - 1));
}

/* Padding that puts the data at `start` where it aligns and, if it can be had
 * besides, where its source's blocks fall on blocks of the sink. */
static uint16_t choose_padding(struct zip_writer *w, const struct entry *e,
			       uint64_t start)
{
	uint32_t block, phase;
	uint64_t want;

	if (!e->src || !e->src_nbytes ||
	    !ferry_sink_can_clone(w->sink, e->src, e->src_offset,
				  e->src_nbytes, &block, &phase))
		return (uint16_t)distance(start, 0, w->align);
	want = (uint64_t)phase - e->nhead;
	if (!block || (block & (block - 1)) || block > 32768 ||
	    block < w->align || (want & (w->align - 1)) ||
	    e->src_nbytes / CLONE_BLOCKS_MIN < block)
		return (uint16_t)distance(start, 0, w->align);
	return (uint16_t)distance(start, want, block);
}

static int lay_out(struct zip_writer *w, uint64_t *end, struct ferry_error *err)
{
	uint64_t at = 0;

	for (size_t i = 0; i < w->n; i++) {
		struct entry *e = &w->entries[i];

		e->header = at;
		at += ZIP_LOCAL_BYTES + e->name_len + zip64_bytes(e);
		if (w->align > 1) {
			at += 4;
			e->padding = choose_padding(w, e, at);
			at += e->padding;
		}
		e->data = at;
		if (ferry_ckd_add(&at, at, e->nbytes) || at > INT64_MAX)
			return ferry_fail(err, FERRY_LIMIT, "zip",
					  FERRY_NO_OFFSET,
					  "archive would pass 2^63 bytes");
	}
	*end = at;
	return 0;
}

/* ---- data -------------------------------------------------------------- */

/* The CRCs of the members, from those of their transfers. */
static int take_crcs(struct zip_writer *w, const struct ferry_transfer *t,
		     struct ferry_error *err)
{
	for (size_t i = 0; i < w->n; i++) {
		struct entry *e = &w->entries[i];

		e->crc32 = ferry_crc32(0, e->head, e->nhead);
		if (!e->src || !e->src_nbytes)
			continue;
		e->crc32 = ferry_crc32_combine(e->crc32, t->crc32,
					       e->src_nbytes);
		if (t++->crc32_differs &&
		    ferry_findings_add(w->findings, FERRY_WARNING,
				       "crc-mismatch", e->name,
				       FERRY_NO_OFFSET, "the bytes of '%s' "
				       "don't match their recorded CRC-32: "
				       "the input may be damaged", e->name))
			return ferry_fail_nomem(err, "findings");
	}
	return 0;
}

static int transfer(struct zip_writer *w, struct ferry_error *err)
{
	struct ferry_transfer *t;
	size_t n = 0;
	int r;

	t = ferry_alloc_zero(w->n + 1, sizeof(*t));
	if (!t)
		return ferry_fail_nomem(err, "list of transfers");
	for (size_t i = 0; i < w->n; i++) {
		const struct entry *e = &w->entries[i];

		if (!e->src || !e->src_nbytes)
			continue;
		t[n].source = e->src;
		t[n].source_offset = e->src_offset;
		t[n].nbytes = e->src_nbytes;
		t[n].sink_offset = e->data + e->nhead;
		t[n].want_crc32 = true;
		t[n++].trust_crc32 = true;
	}
	r = n ? ferry_sink_transfer(w->sink, t, n, err) : 0;
	if (!r)
		r = take_crcs(w, t, err);
	ferry_alloc_free(t);
	return r;
}

/* ---- headers ----------------------------------------------------------- */

static uint16_t name_flags(const struct entry *e)
{
	for (size_t i = 0; i < e->name_len; i++) {
		if ((unsigned char)e->name[i] >= 0x80)
			return ZIP_FLAG_UTF8;
	}
	return 0;
}

static uint32_t saturate(uint64_t v)
{
	return v >= ZIP_FULL32 ? ZIP_FULL32 : (uint32_t)v;
}

/* What local header and central entry have in common, from "version needed"
 * to the length of the name: 24 bytes. */
static void put_shared(uint8_t *b, const struct entry *e, bool zip64)
{
	ferry_put_le16(b, zip64 ? 45 : 20);
	ferry_put_le16(b + 2, name_flags(e));
	ferry_put_le16(b + 4, ZIP_STORED);
	ferry_put_le16(b + 6, 0);
	ferry_put_le16(b + 8, DOS_DATE);
	ferry_put_le32(b + 10, e->crc32);
	ferry_put_le32(b + 14, saturate(e->nbytes));
	ferry_put_le32(b + 18, saturate(e->nbytes));
	ferry_put_le16(b + 22, e->name_len);
}

static void add_local(const struct zip_writer *w, const struct entry *e,
		      struct ferry_buffer *out)
{
	uint8_t b[ZIP_LOCAL_BYTES] = { 0 }, extra[20];
	size_t n64 = zip64_bytes(e);
	uint8_t *padding;

	ferry_put_le32(b, ZIP_LOCAL_SIGNATURE);
	put_shared(b + 4, e, n64 > 0);
	ferry_put_le16(b + 28, (uint16_t)(e->data - e->header -
					  ZIP_LOCAL_BYTES - e->name_len));
	ferry_buffer_add(out, b, sizeof(b));
	ferry_buffer_add(out, e->name, e->name_len);
	if (n64) {
		ferry_put_le16(extra, ZIP_EXTRA_ZIP64);
		ferry_put_le16(extra + 2, 16);
		ferry_put_le64(extra + 4, e->nbytes);
		ferry_put_le64(extra + 12, e->nbytes);
		ferry_buffer_add(out, extra, n64);
	}
	if (w->align <= 1)
		return;
	ferry_put_le16(extra, ZIP_EXTRA_PADDING);
	ferry_put_le16(extra + 2, e->padding);
	ferry_buffer_add(out, extra, 4);
	padding = ferry_buffer_extend(out, e->padding);
	if (padding)
		memset(padding, 'Z', e->padding);
}

static int write_locals(struct zip_writer *w, struct ferry_error *err)
{
	struct ferry_buffer b = FERRY_BUFFER_INIT;
	int r = 0;

	for (size_t i = 0; !r && i < w->n; i++) {
		const struct entry *e = &w->entries[i];

		b.n = 0;
		add_local(w, e, &b);
		ferry_buffer_add(&b, e->head, e->nhead);
		r = b.failed ? ferry_fail_nomem(err, "local header") :
			ferry_sink_write_at(w->sink, b.data, b.n, e->header,
					    err);
	}
	ferry_buffer_release(&b);
	return r;
}

static void add_entry(const struct entry *e, struct ferry_buffer *out)
{
	uint8_t b[ZIP_ENTRY_BYTES] = { 0 }, extra[4 + 24];
	size_t n = 4;

	if (e->nbytes >= ZIP_FULL32) {
		ferry_put_le64(extra + n, e->nbytes);
		ferry_put_le64(extra + n + 8, e->nbytes);
		n += 16;
	}
	if (e->header >= ZIP_FULL32) {
		ferry_put_le64(extra + n, e->header);
		n += 8;
	}
	ferry_put_le16(extra, ZIP_EXTRA_ZIP64);
	ferry_put_le16(extra + 2, (uint16_t)(n - 4));
	if (n == 4)
		n = 0;
	ferry_put_le32(b, ZIP_ENTRY_SIGNATURE);
	ferry_put_le16(b + 4, n ? 45 : 20);
	put_shared(b + 6, e, n > 0);
	ferry_put_le16(b + 30, (uint16_t)n);
	ferry_put_le32(b + 42, saturate(e->header));
	ferry_buffer_add(out, b, sizeof(b));
	ferry_buffer_add(out, e->name, e->name_len);
	ferry_buffer_add(out, extra, n);
}

static void add_end(const struct zip_writer *w, uint64_t start, uint64_t nbytes,
		    struct ferry_buffer *out)
{
	uint8_t b[ZIP_END64_BYTES] = { 0 };
	uint16_t n = w->n >= ZIP_FULL16 ? ZIP_FULL16 : (uint16_t)w->n;

	if (n == ZIP_FULL16 || start >= ZIP_FULL32 || nbytes >= ZIP_FULL32) {
		ferry_put_le32(b, ZIP_END64_SIGNATURE);
		ferry_put_le64(b + 4, ZIP_END64_BYTES - 12);
		ferry_put_le16(b + 12, 45);
		ferry_put_le16(b + 14, 45);
		ferry_put_le64(b + 24, w->n);
		ferry_put_le64(b + 32, w->n);
		ferry_put_le64(b + 40, nbytes);
		ferry_put_le64(b + 48, start);
		ferry_buffer_add(out, b, ZIP_END64_BYTES);
		memset(b, 0, sizeof(b));
		ferry_put_le32(b, ZIP_LOCATOR_SIGNATURE);
		ferry_put_le64(b + 8, start + nbytes);
		ferry_put_le32(b + 16, 1);
		ferry_buffer_add(out, b, ZIP_LOCATOR_BYTES);
		memset(b, 0, sizeof(b));
	}
	ferry_put_le32(b, ZIP_END_SIGNATURE);
	ferry_put_le16(b + 8, n);
	ferry_put_le16(b + 10, n);
	ferry_put_le32(b + 12, saturate(nbytes));
	ferry_put_le32(b + 16, saturate(start));
	ferry_buffer_add(out, b, ZIP_END_BYTES);
}

static int write_directory(struct zip_writer *w, uint64_t start,
			   struct ferry_error *err)
{
	struct ferry_buffer b = FERRY_BUFFER_INIT;
	int r;

	for (size_t i = 0; i < w->n; i++)
		add_entry(&w->entries[i], &b);
	add_end(w, start, b.n, &b);
	r = b.failed ? ferry_fail_nomem(err, "central directory") :
		ferry_sink_seek(w->sink, start, err);
	if (!r)
		r = ferry_sink_append(w->sink, b.data, b.n, err);
	ferry_buffer_release(&b);
	return r;
}

int zip_writer_run(struct zip_writer *w, struct ferry_error *err)
{
	uint64_t end = 0;
	int r;

	if (ferry_sink_tell(w->sink))
		return ferry_fail(err, FERRY_MISUSE, "zip", FERRY_NO_OFFSET,
				  "a zip archive must begin its file");
	r = lay_out(w, &end, err);
	if (!r)
		r = transfer(w, err);
	if (!r)
		r = write_locals(w, err);
	if (!r)
		r = write_directory(w, end, err);
	return r;
}
