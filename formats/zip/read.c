/* Zip archives, read from the central directory. */
#include "config.h"

#include "formats/zip/zip.h"

#include <stdlib.h>
#include <string.h>

#include <ferry/sys/alloc.h>
#include <ferry/sys/bytes.h>
#include <ferry/sys/ckd.h>
#include <ferry/sys/map.h>

#include "formats/zip/layout.h"

/* How far from the end the end record is looked for: the longest comment, and
 * as much again of whatever was appended. */
#define SEARCH_FIRST 1024
#define SEARCH_BYTES (2 * (ZIP_COMMENT_MAX + 1))

/* Read at a time for local headers: the least, also where they are far apart;
 * twice as much as before for as long as they lie closer than that. */
#define WINDOW_LEAST ((size_t)4 << 10)
#define WINDOW_MOST ((size_t)64 << 10)

#define DIRECTORY_BYTES_MAX (UINT64_C(512) << 20)

/* Deflate's shortest code for its longest match: 2 bits for 258 bytes. */
#define INFLATE_RATIO_MAX 1032

struct zip {
	struct ferry_source *src;
	struct zip_member *members;
	uint64_t *limits;	/* where the room of each member ends */
	char *names;
	size_t n;
	struct ferry_map map;
	/* The bytes read last: headers of small records lie close together. */
	uint8_t *window;	/* WINDOW_MOST, from the first read on */
	uint64_t window_at;
	size_t window_n, window_next;
};

struct directory {
	uint64_t start, nbytes;
	uint64_t count;
	uint64_t base;		/* what recorded offsets count from */
};

static int fail(struct ferry_error *err, enum ferry_code code, uint64_t offset,
		const char *text)
{
	return ferry_fail(err, code, "zip", offset, "%s", text);
}

static int fail_member(struct ferry_error *err, enum ferry_code code,
		       uint64_t offset, const struct zip_member *m,
		       const char *text)
{
	char name[200];

	ferry_escape(name, sizeof(name), m->name, m->name_len);
	return ferry_fail(err, code, "zip", offset, "record \"%s\" %s", name,
			  text);
}

/* ---- the end records --------------------------------------------------- */

static int read_end64(struct zip *z, uint64_t locator, struct directory *dir,
		      uint64_t *end, struct ferry_error *err)
{
	uint8_t b[ZIP_END64_BYTES];
	uint64_t at;
	int r;

	r = ferry_source_read(z->src, b, locator, ZIP_LOCATOR_BYTES, err);
	if (r)
		return r;
	if (ferry_le32(b) != ZIP_LOCATOR_SIGNATURE)
		return 0;
	at = ferry_le64(b + 8);
	/* In an archive behind other bytes the recorded offset is relative;
	 * then the record is where every writer puts it. */
	for (int attempt = 0; attempt < 2; attempt++) {
		if (attempt)
			at = locator - ZIP_END64_BYTES;
		if (ferry_ckd_outside(at, ZIP_END64_BYTES, locator))
			continue;
		r = ferry_source_read(z->src, b, at, sizeof(b), err);
		if (r)
			return r;
		if (ferry_le32(b) != ZIP_END64_SIGNATURE)
			continue;
		if (ferry_le32(b + 16) || ferry_le32(b + 20))
			return fail(err, FERRY_UNSUPPORTED, at,
				    "archive is split over several files; "
				    "join them first");
		dir->count = ferry_le64(b + 32);
		dir->nbytes = ferry_le64(b + 40);
		dir->start = ferry_le64(b + 48);
		*end = at;
		return 0;
	}
	return fail(err, FERRY_MALFORMED, locator,
		    "zip64 end record is not where its locator says");
}

static bool has_entry_at(struct zip *z, const struct directory *dir,
			 uint64_t start)
{
	uint8_t b[4];

	if (!dir->count)
		return dir->nbytes == 0;
	return !ferry_ckd_outside(start, sizeof(b), z->src->nbytes) &&
	       !ferry_source_read(z->src, b, start, sizeof(b), NULL) &&
	       ferry_le32(b) == ZIP_ENTRY_SIGNATURE;
}

/* 1: *dir is set; 0: no archive ends at this end record. */
static int locate_directory(struct zip *z, uint64_t at, const uint8_t *b,
			    struct directory *dir, struct ferry_error *err)
{
	uint64_t recorded, end = at;
	int r;

	dir->count = ferry_le16(b + 10);
	dir->nbytes = ferry_le32(b + 12);
	dir->start = ferry_le32(b + 16);
	if (at >= ZIP_LOCATOR_BYTES) {
		r = read_end64(z, at - ZIP_LOCATOR_BYTES, dir, &end, err);
		if (r)
			return r;
	}
	if (end == at && (ferry_le16(b + 4) || ferry_le16(b + 6)))
		return 0;
	recorded = dir->start;
	if (dir->nbytes > end)
		return 0;
	dir->start = end - dir->nbytes;
	dir->base = dir->start - recorded;
	if (dir->start >= recorded && has_entry_at(z, dir, dir->start))
		return 1;
	dir->base = 0;
	dir->start = recorded;
	return !ferry_ckd_outside(recorded, dir->nbytes, end) &&
	       has_entry_at(z, dir, recorded);
}

static int fail_no_end(struct zip *z, bool seen, struct ferry_error *err)
{
	uint64_t n = z->src->nbytes;
	uint8_t b[4] = { 0 };

	if (seen)
		return fail(err, FERRY_MALFORMED, n,
			    "zip end record points at no central directory; "
			    "the file is damaged: copy it again");
	if (n >= sizeof(b) && !ferry_source_read(z->src, b, 0, 4, NULL) &&
	    ferry_le32(b) == ZIP_LOCAL_SIGNATURE)
		return ferry_fail(err, FERRY_MALFORMED, "zip", n,
				  "file looks cut off: it begins as a zip "
				  "archive and ends after %llu bytes without "
				  "an end record; copy or download it again",
				  (unsigned long long)n);
	return ferry_fail(err, FERRY_MALFORMED, "zip", n,
			  "no zip end record in %llu bytes: not a zip archive",
			  (unsigned long long)n);
}

/* 1: found in the last nb bytes; 0: not. */
static int search_end(struct zip *z, size_t nb, struct directory *dir,
		      bool *seen, struct ferry_error *err)
{
	uint64_t n = z->src->nbytes;
	uint8_t *b = ferry_alloc(nb + 1);
	int r;

	if (!b)
		return ferry_fail_nomem(err, "end of a zip archive");
	r = ferry_source_read(z->src, b, n - nb, nb, err);
	for (size_t i = nb; !r && i-- > 0;) {
		if (nb - i < ZIP_END_BYTES ||
		    ferry_le32(b + i) != ZIP_END_SIGNATURE)
			continue;
		*seen = true;
		r = locate_directory(z, n - nb + i, b + i, dir, err);
	}
	ferry_alloc_free(b);
	return r;
}

/* Nearly always nothing follows it. */
static int find_directory(struct zip *z, struct directory *dir,
			  struct ferry_error *err)
{
	static const size_t most[] = { SEARCH_FIRST, SEARCH_BYTES };
	uint64_t n = z->src->nbytes;
	bool seen = false;
	int r = 0;

	for (int i = 0; i < 2 && !r; i++)
		r = search_end(z, n < most[i] ? (size_t)n : most[i], dir,
			       &seen, err);
	if (r < 0)
		return r;
	return r ? 0 : fail_no_end(z, seen, err);
}

/* ---- the central directory --------------------------------------------- */

/* Fields that are full in the entry follow one another in extra field 1. */
static bool read_zip64(const uint8_t *extra, size_t n, struct zip_member *m)
{
	uint64_t *fields[] = { &m->nbytes, &m->compressed, &m->header_offset };
	const uint8_t *p = NULL;
	size_t left = 0;

	while (!p && n >= 4) {
		size_t size = ferry_le16(extra + 2);

		if (size > n - 4)
			break;
		if (ferry_le16(extra) == ZIP_EXTRA_ZIP64) {
			p = extra + 4;
			left = size;
		}
		extra += 4 + size;
		n -= 4 + size;
	}
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		if (*fields[i] != ZIP_FULL32)
			continue;
		/* Exactly 4 GiB - 1 without an extra field is lawful. */
		if (!p)
			continue;
		if (left < 8)
			return false;
		*fields[i] = ferry_le64(p);
		p += 8;
		left -= 8;
	}
	return true;
}

static int check_member(const struct zip_member *m, uint64_t at,
			struct ferry_error *err)
{
	if (memchr(m->name, 0, m->name_len))
		return fail_member(err, FERRY_MALFORMED, at, m,
				   "has a NUL byte in its name");
	if (m->flags & (ZIP_FLAG_ENCRYPTED | ZIP_FLAG_STRONG | ZIP_FLAG_MASKED))
		return fail_member(err, FERRY_UNSUPPORTED, at, m,
				   "is encrypted; decrypt the archive first");
	if (m->method != ZIP_STORED && m->method != ZIP_DEFLATED)
		return fail_member(err, FERRY_UNSUPPORTED, at, m,
				   "is neither stored nor deflated; repack the "
				   "archive without compression");
	if (m->method == ZIP_STORED && m->compressed != m->nbytes)
		return fail_member(err, FERRY_MALFORMED, at, m,
				   "is stored, but its two sizes differ");
	if (m->method == ZIP_DEFLATED &&
	    m->nbytes / INFLATE_RATIO_MAX > m->compressed)
		return fail_member(err, FERRY_MALFORMED, at, m,
				   "declares more bytes than its compressed "
				   "data can hold");
	return 0;
}

/* One entry at b; *size is how long it is. */
static int read_entry(struct zip *z, const struct directory *dir,
		      const uint8_t *b, uint64_t at, size_t n, char **names,
		      size_t *size, struct ferry_error *err)
{
	struct zip_member *m = &z->members[z->n];
	size_t extra, comment;

	if (n < ZIP_ENTRY_BYTES || ferry_le32(b) != ZIP_ENTRY_SIGNATURE)
		return fail(err, FERRY_MALFORMED, at,
			    "central directory has fewer entries than the end "
			    "record counts");
	m->flags = ferry_le16(b + 8);
	m->method = ferry_le16(b + 10);
	m->crc32 = ferry_le32(b + 16);
	m->compressed = ferry_le32(b + 20);
	m->nbytes = ferry_le32(b + 24);
	m->name_len = ferry_le16(b + 28);
	extra = ferry_le16(b + 30);
	comment = ferry_le16(b + 32);
	m->header_offset = ferry_le32(b + 42);
	*size = ZIP_ENTRY_BYTES + m->name_len + extra + comment;
	if (*size > n)
		return fail(err, FERRY_MALFORMED, at,
			    "central directory entry reaches past its end");
	memcpy(*names, b + ZIP_ENTRY_BYTES, m->name_len);
	(*names)[m->name_len] = '\0';
	m->name = *names;
	*names += m->name_len + 1;
	if (!read_zip64(b + ZIP_ENTRY_BYTES + m->name_len, extra, m))
		return fail_member(err, FERRY_MALFORMED, at, m,
				   "has a zip64 field that is too short");
	if (ferry_ckd_add(&m->header_offset, m->header_offset, dir->base))
		return fail_member(err, FERRY_MALFORMED, at, m,
				   "lies outside the archive");
	return check_member(m, at, err);
}

static int read_entries(struct zip *z, const struct directory *dir,
			const uint8_t *b, struct ferry_error *err)
{
	char *names = z->names;
	size_t pos = 0, size = 0;
	int r;

	for (; z->n < dir->count; z->n++) {
		r = read_entry(z, dir, b + pos, dir->start + pos,
			       (size_t)dir->nbytes - pos, &names, &size, err);
		if (r)
			return r;
		pos += size;
	}
	if (dir->nbytes - pos >= ZIP_ENTRY_BYTES &&
	    ferry_le32(b + pos) == ZIP_ENTRY_SIGNATURE)
		return fail(err, FERRY_MALFORMED, dir->start + pos,
			    "central directory has more entries than the end "
			    "record counts");
	return 0;
}

static int read_directory(struct zip *z, const struct directory *dir,
			  struct ferry_error *err)
{
	uint8_t *b;
	int r;

	if (dir->count > dir->nbytes / ZIP_ENTRY_BYTES)
		return fail(err, FERRY_MALFORMED, dir->start,
			    "end record counts more entries than the central "
			    "directory has room for");
	if (dir->nbytes > DIRECTORY_BYTES_MAX)
		return fail(err, FERRY_LIMIT, dir->start,
			    "central directory is larger than 512 MiB");
	b = ferry_alloc((size_t)dir->nbytes + 1);
	/* Names and their terminators take less than the entries. */
	z->names = ferry_alloc((size_t)dir->nbytes + 1);
	z->members = ferry_alloc_zero((size_t)dir->count + 1,
				      sizeof(*z->members));
	z->limits = ferry_alloc_zero((size_t)dir->count + 1,
				     sizeof(*z->limits));
	if (!b || !z->names || !z->members || !z->limits)
		r = ferry_fail_nomem(err, "central directory");
	else
		r = ferry_source_read(z->src, b, dir->start,
				      (size_t)dir->nbytes, err);
	if (!r)
		r = read_entries(z, dir, b, err);
	ferry_alloc_free(b);
	return r;
}

/* ---- places and names -------------------------------------------------- */

static int by_offset(const void *a, const void *b)
{
	const struct zip_member *const *x = a, *const *y = b;

	if ((*x)->header_offset != (*y)->header_offset)
		return (*x)->header_offset < (*y)->header_offset ? -1 : 1;
	return *x < *y ? -1 : *x > *y;
}

static int check_places(struct zip *z, uint64_t end, struct ferry_error *err)
{
	const struct zip_member **order;
	bool sorted = true;
	int r = 0;

	order = ferry_alloc_zero(z->n + 1, sizeof(*order));
	if (!order)
		return ferry_fail_nomem(err, "order of zip records");
	for (size_t i = 0; i < z->n; i++) {
		order[i] = &z->members[i];
		sorted = sorted && (!i || by_offset(&order[i - 1],
						    &order[i]) < 0);
	}
	if (!sorted)
		qsort(order, z->n, sizeof(*order), by_offset);
	for (size_t i = 0; !r && i < z->n; i++) {
		const struct zip_member *m = order[i];
		bool last = i + 1 == z->n;
		uint64_t limit = last ? end : order[i + 1]->header_offset;
		uint64_t room = ZIP_LOCAL_BYTES + m->name_len;

		if (ferry_ckd_add(&room, room, m->compressed) ||
		    ferry_ckd_outside(m->header_offset, room, limit))
			r = fail_member(err, FERRY_MALFORMED, m->header_offset,
					m, last ?
					"reaches into the central directory; "
					"the file is damaged" :
					"overlaps the record after it");
		z->limits[m - z->members] = limit;
	}
	ferry_alloc_free(order);
	return r;
}

static int index_names(struct zip *z, bool allow_duplicates,
		       struct ferry_error *err)
{
	int r = ferry_map_reserve(&z->map, z->n);

	for (size_t i = 0; i < z->n && !r; i++) {
		const struct zip_member *m = &z->members[i];

		r = allow_duplicates ?
			ferry_map_put(&z->map, m->name, m->name_len, i) :
			ferry_map_add(&z->map, m->name, m->name_len, i, NULL);
		if (r > 0)
			return fail_member(err, FERRY_MALFORMED,
					   m->header_offset, m,
					   "is in the archive twice");
	}
	return r ? ferry_fail_nomem(err, "index of zip records") : 0;
}

int zip_open(struct zip **out, struct ferry_source *src, bool allow_duplicates,
	     struct ferry_error *err)
{
	struct directory dir = { 0 };
	struct zip *z = ferry_alloc_zero(1, sizeof(*z));
	int r;

	if (!z)
		return ferry_fail_nomem(err, "zip archive");
	z->src = ferry_source_ref(src);
	r = find_directory(z, &dir, err);
	if (!r)
		r = read_directory(z, &dir, err);
	if (!r)
		r = check_places(z, dir.start, err);
	if (!r)
		r = index_names(z, allow_duplicates, err);
	if (r) {
		zip_free(z);
		return r;
	}
	*out = z;
	return 0;
}

void zip_free(struct zip *z)
{
	if (!z)
		return;
	ferry_map_release(&z->map);
	ferry_alloc_free(z->members);
	ferry_alloc_free(z->limits);
	ferry_alloc_free(z->names);
	ferry_alloc_free(z->window);
	ferry_source_unref(z->src);
	ferry_alloc_free(z);
}

size_t zip_count(const struct zip *z)
{
	return z->n;
}

const struct zip_member *zip_member(const struct zip *z, size_t i)
{
	return i < z->n ? &z->members[i] : NULL;
}

const struct zip_member *zip_find(const struct zip *z, const char *name,
				  size_t n)
{
	uint64_t i;

	return ferry_map_get(&z->map, name, n, &i) ? &z->members[i] : NULL;
}

/* ---- content ----------------------------------------------------------- */

/* The window is to begin at `at`, which is outside of it. */
static int move_window(struct zip *z, uint64_t at, struct ferry_error *err)
{
	uint64_t end = z->window_at + z->window_n, left = z->src->nbytes - at;
	bool near = z->window_n && at >= z->window_at &&
		    at < end + WINDOW_LEAST;
	size_t n = near ? 2 * z->window_next : WINDOW_LEAST;
	int r;

	if (!z->window)
		z->window = ferry_alloc(WINDOW_MOST);
	if (!z->window)
		return ferry_fail_nomem(err, "zip headers");
	if (n > WINDOW_MOST)
		n = WINDOW_MOST;
	z->window_next = n;
	if (n > left)
		n = (size_t)left;
	z->window_n = 0;
	r = ferry_source_read(z->src, z->window, at, n, err);
	if (r)
		return r;
	z->window_at = at;
	z->window_n = n;
	return 0;
}

/* n bytes at offset, from the window where they are in it. */
static int read_near(struct zip *z, void *buf, uint64_t at, size_t n,
		     struct ferry_error *err)
{
	int r;

	if (n > WINDOW_LEAST || ferry_ckd_outside(at, n, z->src->nbytes))
		return ferry_source_read(z->src, buf, at, n, err);
	if (at < z->window_at || at - z->window_at > z->window_n ||
	    n > z->window_n - (at - z->window_at)) {
		r = move_window(z, at, err);
		if (r)
			return r;
	}
	memcpy(buf, z->window + (at - z->window_at), n);
	return 0;
}

static int check_name(struct zip *z, const struct zip_member *m,
		      struct ferry_error *err)
{
	char name[256];
	size_t n;
	int r;

	for (size_t done = 0; done < m->name_len; done += n) {
		n = m->name_len - done;
		if (n > sizeof(name))
			n = sizeof(name);
		r = read_near(z, name, m->header_offset + ZIP_LOCAL_BYTES +
			      done, n, err);
		if (r)
			return r;
		if (memcmp(name, m->name + done, n))
			return fail_member(err, FERRY_MALFORMED,
					   m->header_offset, m, "has another "
					   "name in its local header");
	}
	return 0;
}

/* Where the data of m begins, by its local header. */
static int data_offset(struct zip *z, const struct zip_member *m, uint64_t *out,
		       struct ferry_error *err)
{
	uint8_t b[ZIP_LOCAL_BYTES];
	uint64_t at = m->header_offset, limit = z->limits[m - z->members];
	int r;

	r = read_near(z, b, at, sizeof(b), err);
	if (r)
		return r;
	if (ferry_le32(b) != ZIP_LOCAL_SIGNATURE)
		return fail_member(err, FERRY_MALFORMED, at, m,
				   "has no local header where the central "
				   "directory says; the file is damaged");
	if (ferry_le16(b + 26) != m->name_len)
		return fail_member(err, FERRY_MALFORMED, at, m,
				   "has another name in its local header");
	r = check_name(z, m, err);
	if (r)
		return r;
	*out = at + ZIP_LOCAL_BYTES + m->name_len + ferry_le16(b + 28);
	if (ferry_ckd_outside(*out, m->compressed, limit))
		return fail_member(err, FERRY_MALFORMED, at, m,
				   "overlaps what comes after it");
	return 0;
}

int zip_member_source(struct zip *z, const struct zip_member *m,
		      struct ferry_source **out, struct ferry_error *err)
{
	struct ferry_source *raw;
	uint64_t at;
	int r;

	r = data_offset(z, m, &at, err);
	if (r)
		return r;
	if (m->method == ZIP_STORED && m->crc32)
		return ferry_source_range_crc32(out, z->src, at, m->nbytes,
						m->crc32, m->name, err);
	r = ferry_source_range(&raw, z->src, at, m->compressed, m->name, err);
	if (r || m->method == ZIP_STORED) {
		if (!r)
			*out = raw;
		return r;
	}
	r = ferry_source_inflate(out, raw, m->nbytes, m->name, err);
	ferry_source_unref(raw);
	return r;
}
