/* Zip archives: what is written is read back, and what lies is refused. */
#include "config.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include <ferry/sys/alloc.h>
#include <ferry/sys/buffer.h>
#include <ferry/sys/bytes.h>
#include <ferry/sys/sink.h>

#include "formats/zip/layout.h"
#include "formats/zip/zip.h"

static struct ferry_error err;
static struct zip *zip;
static struct ferry_source *archive;
static char dir[64], path[96];

static void begin(void)
{
	ferry_error_clear(&err);
	snprintf(dir, sizeof(dir), "/tmp/ferry-zip-XXXXXX");
	cr_assert_not_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/a.zip", dir);
}

static void close_archive(void)
{
	zip_free(zip);
	zip = NULL;
	ferry_source_unref(archive);
	archive = NULL;
}

static void end(void)
{
	close_archive();
	unlink(path);
	rmdir(dir);
}

TestSuite(zip, .init = begin, .fini = end);

/* ---- archives by hand -------------------------------------------------- */

struct part {
	const char *name;
	const void *data;
	size_t n;
	/* What the headers say, where it is not the truth. */
	uint16_t method, flags;
	uint32_t crc32, declared;
	bool wrong_crc, same_place, other_local_name;
};

struct image {
	struct ferry_buffer bytes, directory;
	size_t n;
	size_t last_header;
};

static void add_number(struct ferry_buffer *b, uint64_t v, size_t n)
{
	uint8_t le[16] = { 0 };

	ferry_put_le64(le, v);
	ferry_buffer_add(b, le, n);
}

/* From "version needed" to the length of the extra field. */
static void add_fields(struct ferry_buffer *b, const struct part *p)
{
	uint32_t crc = p->wrong_crc ? p->crc32 :
		ferry_crc32(0, p->data, p->n);

	add_number(b, 20, 2);
	add_number(b, p->flags, 2);
	add_number(b, p->method, 2);
	add_number(b, 0, 4);
	add_number(b, crc, 4);
	add_number(b, p->n, 4);
	add_number(b, p->declared ? p->declared : p->n, 4);
	add_number(b, strlen(p->name), 2);
	add_number(b, 0, 2);
}

static void add_part(struct image *m, const struct part *p)
{
	if (!p->same_place)
		m->last_header = m->bytes.n;
	add_number(&m->bytes, ZIP_LOCAL_SIGNATURE, 4);
	add_fields(&m->bytes, p);
	ferry_buffer_add_str(&m->bytes, p->name);
	if (p->other_local_name)
		m->bytes.data[m->bytes.n - 1] ^= 1;
	ferry_buffer_add(&m->bytes, p->data, p->n);
	add_number(&m->directory, ZIP_ENTRY_SIGNATURE, 4);
	add_number(&m->directory, 0, 2);
	add_fields(&m->directory, p);
	add_number(&m->directory, 0, 10);
	add_number(&m->directory, m->last_header, 4);
	ferry_buffer_add_str(&m->directory, p->name);
	m->n++;
}

static void finish(struct image *m, const char *comment)
{
	size_t start = m->bytes.n;

	ferry_buffer_add(&m->bytes, m->directory.data, m->directory.n);
	add_number(&m->bytes, ZIP_END_SIGNATURE, 4);
	add_number(&m->bytes, 0, 4);
	add_number(&m->bytes, m->n, 2);
	add_number(&m->bytes, m->n, 2);
	add_number(&m->bytes, m->directory.n, 4);
	add_number(&m->bytes, start, 4);
	add_number(&m->bytes, strlen(comment), 2);
	ferry_buffer_add_str(&m->bytes, comment);
	ferry_buffer_release(&m->directory);
}

static int open_bytes(const void *data, size_t n, bool allow_duplicates)
{
	void *copy = ferry_alloc(n);

	memcpy(copy, data, n);
	cr_assert_eq(ferry_source_take_memory(&archive, copy, n, "test", NULL),
		     0);
	return zip_open(&zip, archive, allow_duplicates, &err);
}

static int open_image(struct image *m, bool allow_duplicates)
{
	int r = open_bytes(m->bytes.data, m->bytes.n, allow_duplicates);

	ferry_buffer_release(&m->bytes);
	return r;
}

static int open_parts(const struct part *parts, size_t n)
{
	struct image m = { 0 };

	for (size_t i = 0; i < n; i++)
		add_part(&m, &parts[i]);
	finish(&m, "");
	return open_image(&m, false);
}

static void expect(int r, int code, const char *text)
{
	cr_assert_eq(r, code, "%d %s", r, err.text);
	cr_assert(strstr(err.text, text), "%s", err.text);
}

static int find(const char *name, struct ferry_source **out)
{
	const struct zip_member *m = zip_find(zip, name, strlen(name));

	cr_assert_not_null(m, "%s", name);
	return zip_member_source(zip, m, out, &err);
}

static void expect_content(const char *name, const void *data, size_t n)
{
	char *buf = malloc(n + 1);
	struct ferry_source *src;

	cr_assert_eq(find(name, &src), 0, "%s", err.text);
	cr_assert_eq(src->nbytes, n);
	cr_assert_eq(ferry_source_read(src, buf, 0, n, &err), 0);
	cr_assert_eq(memcmp(buf, data, n), 0);
	ferry_source_unref(src);
	free(buf);
}

/* ---- reading ----------------------------------------------------------- */

Test(zip, reads_stored_members)
{
	const struct part parts[] = {
		{ .name = "a/x", .data = "hello", .n = 5 },
		{ .name = "a/empty", .data = "", .n = 0 },
	};

	cr_assert_eq(open_parts(parts, 2), 0, "%s", err.text);
	cr_assert_eq(zip_count(zip), 2);
	cr_assert_str_eq(zip_member(zip, 0)->name, "a/x");
	cr_assert_null(zip_member(zip, 2));
	cr_assert_null(zip_find(zip, "a/y", 3));
	expect_content("a/x", "hello", 5);
	expect_content("a/empty", "", 0);
}

static size_t deflate_raw(const void *data, size_t n, void *out, size_t cap)
{
	z_stream z = { 0 };

	cr_assert_eq(deflateInit2(&z, 9, Z_DEFLATED, -15, 8,
				  Z_DEFAULT_STRATEGY), Z_OK);
	z.next_in = (void *)data;
	z.avail_in = (uInt)n;
	z.next_out = out;
	z.avail_out = (uInt)cap;
	cr_assert_eq(deflate(&z, Z_FINISH), Z_STREAM_END);
	deflateEnd(&z);
	return z.total_out;
}

Test(zip, reads_deflated_members)
{
	static char data[100000], packed[2000];
	struct part p = { .name = "x", .data = packed, .method = ZIP_DEFLATED };

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (char)(i / 1000);
	p.n = deflate_raw(data, sizeof(data), packed, sizeof(packed));
	p.declared = sizeof(data);
	p.crc32 = ferry_crc32(0, data, sizeof(data));
	p.wrong_crc = true;
	cr_assert_eq(open_parts(&p, 1), 0, "%s", err.text);
	expect_content("x", data, sizeof(data));
}

Test(zip, a_recorded_crc_comes_with_the_source)
{
	const struct part parts[] = {
		{ .name = "x", .data = "hello", .n = 5 },
		{ .name = "y", .data = "hello", .n = 5, .wrong_crc = true },
	};
	struct ferry_source *src;
	uint32_t crc;

	cr_assert_eq(open_parts(parts, 2), 0);
	cr_assert_eq(find("x", &src), 0);
	cr_assert(ferry_source_crc32(src, 0, 5, &crc));
	cr_assert_eq(crc, ferry_crc32(0, "hello", 5));
	ferry_source_unref(src);
	cr_assert_eq(find("y", &src), 0);
	cr_assert_not(ferry_source_crc32(src, 0, 5, &crc),
		      "a CRC of 0 was never computed");
	ferry_source_unref(src);
}

Test(zip, bytes_before_and_after_do_not_matter)
{
	const struct part p = { .name = "x", .data = "hello", .n = 5 };
	struct image m = { 0 };
	struct ferry_buffer b = FERRY_BUFFER_INIT;

	add_part(&m, &p);
	finish(&m, "a comment PK\5\6 with a signature in it");
	ferry_buffer_add_str(&b, "#!/bin/sh\n");
	ferry_buffer_add(&b, m.bytes.data, m.bytes.n);
	ferry_buffer_release(&m.bytes);
	ferry_buffer_extend(&b, 300);
	memset(b.data + b.n - 300, 0, 300);
	cr_assert_eq(open_bytes(b.data, b.n, false), 0, "%s", err.text);
	ferry_buffer_release(&b);
	cr_assert_eq(zip_member(zip, 0)->header_offset, 10);
	expect_content("x", "hello", 5);
}

Test(zip, a_file_without_end_is_said_to_be_cut_off)
{
	const struct part p = { .name = "x", .data = "hello", .n = 5 };
	struct image m = { 0 };

	add_part(&m, &p);
	finish(&m, "");
	m.bytes.n -= 10;
	expect(open_image(&m, false), FERRY_MALFORMED, "cut off");
	cr_assert_eq(err.offset, archive->nbytes);
}

Test(zip, other_files_are_not_zip_archives)
{
	expect(open_bytes("<!DOCTYPE html>", 15, false), FERRY_MALFORMED,
	       "not a zip archive");
}

Test(zip, an_empty_file_is_not_a_zip_archive)
{
	expect(open_bytes("", 0, false), FERRY_MALFORMED, "in 0 bytes");
}

Test(zip, an_end_record_may_count_wrongly)
{
	for (int delta = -1; delta <= 1; delta += 2) {
		const struct part parts[] = {
			{ .name = "x", .data = "hello", .n = 5 },
			{ .name = "y", .data = "hello", .n = 5 },
		};
		struct image m = { 0 };

		add_part(&m, &parts[0]);
		add_part(&m, &parts[1]);
		m.n = (size_t)((int)m.n + delta);
		finish(&m, "");
		ferry_error_clear(&err);
		expect(open_image(&m, false), FERRY_MALFORMED,
		       "entries than the");
		close_archive();
	}
}

Test(zip, refuses_overlapping_members)
{
	const struct part parts[] = {
		{ .name = "x", .data = "hello", .n = 5 },
		{ .name = "y", .data = "hello", .n = 5, .same_place = true },
	};

	expect(open_parts(parts, 2), FERRY_MALFORMED, "overlaps");
}

Test(zip, refuses_two_members_of_one_name)
{
	const struct part parts[] = {
		{ .name = "x", .data = "hello", .n = 5 },
		{ .name = "x", .data = "world", .n = 5 },
	};
	struct image m = { 0 };

	expect(open_parts(parts, 2), FERRY_MALFORMED, "twice");
	close_archive();
	add_part(&m, &parts[0]);
	add_part(&m, &parts[1]);
	finish(&m, "");
	cr_assert_eq(open_image(&m, true), 0);
	expect_content("x", "world", 5);
}

Test(zip, refuses_encrypted_members)
{
	const struct part p = { .name = "x", .data = "hello", .n = 5,
				.flags = ZIP_FLAG_ENCRYPTED };

	expect(open_parts(&p, 1), FERRY_UNSUPPORTED, "encrypted");
}

Test(zip, refuses_unknown_methods)
{
	const struct part p = { .name = "x", .data = "hello", .n = 5,
				.method = 12 };

	expect(open_parts(&p, 1), FERRY_UNSUPPORTED, "neither stored");
}

Test(zip, refuses_sizes_that_deflate_can_not_give)
{
	const struct part p = { .name = "x", .data = "hello", .n = 5,
				.method = ZIP_DEFLATED,
				.declared = 0xfffffff0 };

	expect(open_parts(&p, 1), FERRY_MALFORMED, "can hold");
}

Test(zip, refuses_stored_members_of_two_sizes)
{
	const struct part p = { .name = "x", .data = "hello", .n = 5,
				.declared = 6 };

	expect(open_parts(&p, 1), FERRY_MALFORMED, "two sizes differ");
}

Test(zip, refuses_another_name_in_the_local_header)
{
	const struct part p = { .name = "x", .data = "hello", .n = 5,
				.other_local_name = true };
	struct ferry_source *src;

	cr_assert_eq(open_parts(&p, 1), 0);
	expect(find("x", &src), FERRY_MALFORMED, "another name");
}

Test(zip, refuses_split_archives)
{
	const struct part p = { .name = "x", .data = "hello", .n = 5 };
	struct image m = { 0 };

	add_part(&m, &p);
	finish(&m, "");
	m.bytes.data[m.bytes.n - 18] = 1;
	expect(open_image(&m, false), FERRY_MALFORMED, "no central directory");
}

/* ---- verification ------------------------------------------------------ */

static struct ferry_findings *verify(void)
{
	struct ferry_findings *f;

	cr_assert_eq(ferry_findings_new(&f, &err), 0);
	cr_assert_eq(zip_verify(zip, NULL, f, &err), 0, "%s", err.text);
	return f;
}

Test(zip, verify_tells_wrong_absent_and_broken)
{
	const struct part parts[] = {
		{ .name = "good", .data = "hello", .n = 5 },
		{ .name = "wrong", .data = "hello", .n = 5, .wrong_crc = true,
		  .crc32 = 1 },
		{ .name = "absent", .data = "hello", .n = 5,
		  .wrong_crc = true },
		{ .name = "broken", .data = "hello", .n = 5,
		  .method = ZIP_DEFLATED, .declared = 50 },
	};
	struct ferry_findings *f;

	cr_assert_eq(open_parts(parts, 4), 0, "%s", err.text);
	f = verify();
	cr_assert_eq(ferry_findings_count(f), 3);
	cr_assert_str_eq(ferry_findings_get(f, 0)->code, "crc-mismatch");
	cr_assert_str_eq(ferry_findings_get(f, 0)->path, "wrong");
	cr_assert_eq(ferry_findings_get(f, 0)->level, FERRY_WARNING);
	cr_assert_str_eq(ferry_findings_get(f, 1)->path, "broken");
	cr_assert_eq(ferry_findings_get(f, 1)->level, FERRY_VIOLATION);
	cr_assert_str_eq(ferry_findings_get(f, 2)->code, "no-crc");
	ferry_findings_free(f);
}

Test(zip, verify_stops_when_cancelled)
{
	const struct part p = { .name = "x", .data = "hello", .n = 5 };
	atomic_bool cancel = true;
	struct ferry_work work = { .cancel = &cancel };
	struct ferry_findings *f;

	cr_assert_eq(open_parts(&p, 1), 0);
	cr_assert_eq(ferry_findings_new(&f, &err), 0);
	cr_assert_eq(zip_verify(zip, &work, f, &err), FERRY_CANCELLED);
	ferry_findings_free(f);
}

/* ---- writing ----------------------------------------------------------- */

static struct ferry_work work = { .no_sync = true, .threads = 1 };

struct written {
	struct ferry_output *output;
	struct zip_writer *w;
};

static struct written start(uint32_t align)
{
	struct written x;
	struct ferry_sink *sink;

	cr_assert_eq(ferry_output_new(&x.output, path, true, NULL, 0, &work,
				      &err), 0, "%s", err.text);
	cr_assert_eq(ferry_output_open(x.output, NULL, &sink, &err), 0);
	cr_assert_eq(zip_writer_new(&x.w, sink, align, &err), 0);
	return x;
}

static void finish_and_open(struct written *x)
{
	cr_assert_eq(zip_writer_run(x->w, &err), 0, "%s", err.text);
	zip_writer_free(x->w);
	cr_assert_eq(ferry_output_commit(x->output, &err), 0, "%s", err.text);
	ferry_output_free(x->output);
	cr_assert_eq(ferry_source_open_file(&archive, path, &err), 0);
	cr_assert_eq(zip_open(&zip, archive, false, &err), 0, "%s", err.text);
}

static uint64_t place(const char *name)
{
	struct ferry_source *src;
	uint64_t at = 0;
	int fd;

	cr_assert_eq(find(name, &src), 0);
	cr_assert(ferry_source_file_range(src, 0, src->nbytes, &fd, &at));
	ferry_source_unref(src);
	return at;
}

Test(zip, writes_aligned_members_that_read_back)
{
	static const char bulk[] = "0123456789";
	struct ferry_source *src;
	struct written x = start(64);
	struct ferry_findings *f;

	cr_assert_eq(ferry_source_from_memory(&src, bulk, 10, "bulk", &err), 0);
	cr_assert_eq(zip_writer_add_memory(x.w, "p/first", "one", 3, &err), 0);
	cr_assert_eq(zip_writer_add_source(x.w, "p/both", "head", 4, src, 2, 5,
					   &err), 0);
	cr_assert_eq(zip_writer_add_source(x.w, "p/none", NULL, 0, src, 10, 0,
					   &err), 0);
	cr_assert_eq(zip_writer_add_memory(x.w, "p/\xc3\xa9", "", 0, &err), 0);
	ferry_source_unref(src);
	finish_and_open(&x);
	cr_assert_eq(zip_count(zip), 4);
	cr_assert_str_eq(zip_member(zip, 1)->name, "p/both");
	expect_content("p/first", "one", 3);
	expect_content("p/both", "head23456", 9);
	expect_content("p/none", "", 0);
	cr_assert_eq(place("p/first") % 64, 0);
	cr_assert_eq(place("p/both") % 64, 0);
	cr_assert_eq(zip_member(zip, 0)->flags, 0);
	cr_assert_eq(zip_member(zip, 3)->flags, ZIP_FLAG_UTF8);
	f = verify();
	cr_assert_eq(ferry_findings_count(f), 0);
	ferry_findings_free(f);
}

Test(zip, without_alignment_there_is_no_padding)
{
	struct written x = start(0);

	cr_assert_eq(zip_writer_add_memory(x.w, "a", "xyz", 3, &err), 0);
	finish_and_open(&x);
	cr_assert_eq(place("a"), ZIP_LOCAL_BYTES + 1);
	cr_assert_eq(archive->nbytes, ZIP_LOCAL_BYTES + 1 + 3 +
		     ZIP_ENTRY_BYTES + 1 + ZIP_END_BYTES);
}

Test(zip, a_recorded_crc_is_checked_where_the_bytes_are_seen)
{
	const struct ferry_finding *f;
	struct ferry_findings *found;
	struct ferry_source *bytes, *src;
	struct written x = start(64);

	cr_assert_eq(ferry_findings_new(&found, &err), 0);
	zip_writer_findings(x.w, found);

	cr_assert_eq(ferry_source_from_memory(&bytes, "hello", 5, "b", &err),
		     0);
	cr_assert_eq(ferry_source_range_crc32(&src, bytes, 0, 5, 0x1234, "r",
					      &err), 0);
	cr_assert_eq(zip_writer_add_source(x.w, "a", NULL, 0, src, 0, 5, &err),
		     0);
	ferry_source_unref(src);
	ferry_source_unref(bytes);
	finish_and_open(&x);
	cr_assert_eq(zip_member(zip, 0)->crc32,
		     crc32(0, (const void *)"hello", 5));
	cr_assert_eq(ferry_findings_count(found), 1);
	f = ferry_findings_get(found, 0);
	cr_assert_eq(f->level, FERRY_WARNING);
	cr_assert_str_eq(f->code, "crc-mismatch");
	cr_assert_str_eq(f->path, "a");
	ferry_findings_free(found);
}

Test(zip, writes_seventy_thousand_members)
{
	struct written x = start(64);
	char name[16];

	for (int i = 0; i < 70000; i++) {
		snprintf(name, sizeof(name), "m/%d", i);
		cr_assert_eq(zip_writer_add_memory(x.w, name, name, 3, &err),
			     0);
	}
	finish_and_open(&x);
	cr_assert_eq(zip_count(zip), 70000);
	expect_content("m/69999", "m/69999", 3);
}

Test(zip, an_empty_archive_is_one)
{
	struct written x = start(64);

	finish_and_open(&x);
	cr_assert_eq(zip_count(zip), 0);
}

Test(zip, refuses_odd_alignments)
{
	struct zip_writer *w;

	cr_assert_eq(zip_writer_new(&w, NULL, 48, &err), FERRY_MISUSE);
	ferry_error_clear(&err);
	cr_assert_eq(zip_writer_new(&w, NULL, 8192, &err), FERRY_MISUSE);
}

Test(zip, refuses_ranges_outside_their_source)
{
	struct ferry_source *src;
	struct written x = start(64);

	cr_assert_eq(ferry_source_from_memory(&src, "hello", 5, "b", &err), 0);
	cr_assert_eq(zip_writer_add_source(x.w, "a", NULL, 0, src, 3, 3, &err),
		     FERRY_MISUSE);
	ferry_source_unref(src);
	zip_writer_free(x.w);
	ferry_output_free(x.output);
}

/* ---- how much is read -------------------------------------------------- */

struct counted {
	struct ferry_source base;
	uint64_t reads, nbytes;
};

static int counted_read(struct ferry_source *src, void *buf, uint64_t offset,
			size_t n, struct ferry_error *error)
{
	struct counted *c = (struct counted *)src;

	c->reads++;
	c->nbytes += n;
	return ferry_source_read(archive, buf, offset, n, error);
}

static const struct ferry_source_ops counted_ops = { .read = counted_read };

/* What it takes to find the data of n members of nb bytes each. */
static struct counted count_reads(int n, size_t nb)
{
	struct counted *c = ferry_alloc_zero(1, sizeof(*c)), all;
	void *data = ferry_alloc_zero(1, nb);
	struct written x = start(64);
	struct ferry_source *src;
	struct zip *z;
	char name[16];

	cr_assert(c && data);
	for (int i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "m/%d", i);
		cr_assert_eq(zip_writer_add_memory(x.w, name, data, nb, &err),
			     0);
	}
	ferry_alloc_free(data);
	finish_and_open(&x);
	cr_assert_eq(ferry_source_init(&c->base, &counted_ops, archive->nbytes,
				       "c", &err), 0);
	cr_assert_eq(zip_open(&z, &c->base, false, &err), 0);
	c->reads = c->nbytes = 0;
	for (int i = 0; i < n; i++) {
		cr_assert_eq(zip_member_source(z, zip_member(z, (size_t)i),
					       &src, &err), 0);
		ferry_source_unref(src);
	}
	all = *c;
	zip_free(z);
	ferry_source_unref(&c->base);
	close_archive();
	return all;
}

Test(zip, headers_close_together_are_read_together)
{
	struct counted all = count_reads(1000, 1000);

	cr_expect_leq(all.reads, 25, "%llu reads",
		      (unsigned long long)all.reads);
	all = count_reads(100, 100000);
	cr_expect_leq(all.reads, 100);
	cr_expect_leq(all.nbytes, 100 * 4096);
}

/* ---- zip64 ------------------------------------------------------------- */

/* One member whose central sizes and offset are all in the extra field, and
 * whose local header has the odd field of torch's writer. */
Test(zip, reads_zip64_fields_wherever_they_are)
{
	struct ferry_buffer b = FERRY_BUFFER_INIT;
	size_t start, end64;

	add_number(&b, ZIP_LOCAL_SIGNATURE, 4);
	add_number(&b, 0, 2);
	add_number(&b, 0x0808, 2);
	add_number(&b, 0, 6);
	add_number(&b, 0, 4);
	add_number(&b, 0, 8);
	add_number(&b, 1, 2);
	add_number(&b, 12, 2);
	ferry_buffer_add_str(&b, "x");
	add_number(&b, 0x00080001, 4);
	add_number(&b, 0, 8);
	ferry_buffer_add_str(&b, "hello");
	start = b.n;
	add_number(&b, ZIP_ENTRY_SIGNATURE, 4);
	add_number(&b, 0, 4);
	add_number(&b, 0x0808, 2);
	add_number(&b, 0, 6);
	add_number(&b, ferry_crc32(0, "hello", 5), 4);
	add_number(&b, UINT64_MAX, 8);
	add_number(&b, 1, 2);
	add_number(&b, 28, 2);
	add_number(&b, 0, 8);
	add_number(&b, 0, 2);
	add_number(&b, UINT32_MAX, 4);
	ferry_buffer_add_str(&b, "x");
	add_number(&b, 0x00180001, 4);
	add_number(&b, 5, 8);
	add_number(&b, 5, 8);
	add_number(&b, 0, 8);
	end64 = b.n;
	add_number(&b, ZIP_END64_SIGNATURE, 4);
	add_number(&b, 44, 8);
	add_number(&b, 0, 4);
	add_number(&b, 0, 8);
	add_number(&b, 1, 8);
	add_number(&b, 1, 8);
	add_number(&b, end64 - start, 8);
	add_number(&b, start, 8);
	add_number(&b, ZIP_LOCATOR_SIGNATURE, 4);
	add_number(&b, 0, 4);
	add_number(&b, end64, 8);
	add_number(&b, 1, 4);
	add_number(&b, ZIP_END_SIGNATURE, 4);
	add_number(&b, 0, 4);
	add_number(&b, UINT64_MAX, 8);
	add_number(&b, UINT64_MAX, 4);
	add_number(&b, 0, 2);
	cr_assert_eq(open_bytes(b.data, b.n, false), 0, "%s", err.text);
	ferry_buffer_release(&b);
	expect_content("x", "hello", 5);
}

/* ---- memory ------------------------------------------------------------ */

Test(zip, every_failed_allocation_is_reported)
{
	const struct part p = { .name = "x", .data = "hello", .n = 5 };
	struct image m = { 0 };
	int r = FERRY_NOMEM;

	add_part(&m, &p);
	finish(&m, "");
	cr_assert_eq(ferry_source_from_memory(&archive, m.bytes.data, m.bytes.n,
					      "test", &err), 0);
	for (uint64_t nth = 1; r; nth++) {
		ferry_error_clear(&err);
		ferry_alloc_fail_at(nth);
		r = zip_open(&zip, archive, false, &err);
		ferry_alloc_fail_at(0);
		cr_assert(!r || r == FERRY_NOMEM, "%d %s", r, err.text);
		cr_assert_lt(nth, 100);
	}
	ferry_source_unref(archive);
	archive = NULL;
	ferry_buffer_release(&m.bytes);
	zip_free(zip);
	zip = NULL;
}
