/*
 * Zip archives as checkpoints use them: read from the central directory, stored
 * or deflated members, zip64; written stored, aligned, with real CRCs.
 *
 * Sources: APPNOTE 6.3.10; doc/formats/zip.md for what checkpoint writers do.
 */
#ifndef FORMATS_ZIP_H
#define FORMATS_ZIP_H

#include <ferry/findings.h>
#include <ferry/sys/build.h>
#include <ferry/sys/sink.h>
#include <ferry/sys/source.h>

struct zip_member {
	const char *name;	/* as stored, NUL-terminated; no NUL inside */
	uint32_t name_len;
	uint16_t method;	/* 0 stored, 8 deflated */
	uint16_t flags;
	uint32_t crc32;
	uint64_t compressed, nbytes;
	uint64_t header_offset;	/* of the local header */
};

struct zip;

/*
 * Read and check the central directory: counts against bytes, offsets in
 * bounds, no two members overlapping, no duplicate names unless allowed, a
 * declared inflated size no larger than deflate can give (1032:1).
 *
 * MALFORMED with a diagnosis: no end record (how many bytes there are, and that
 * the file looks cut off), local header not where it should be, ...
 * UNSUPPORTED: encrypted members, methods other than 0 and 8, split archives.
 */
int zip_open(struct zip **out, struct ferry_source *src, bool allow_duplicates,
	     struct ferry_error *err);
void zip_free(struct zip *z);

size_t zip_count(const struct zip *z);
const struct zip_member *zip_member(const struct zip *z, size_t i);
/* Exact name; with duplicates the last.  NULL when absent. */
const struct zip_member *zip_find(const struct zip *z, const char *name,
				  size_t n);
/*
 * The member's content as a source of its own: a range of the archive with its
 * recorded CRC when stored (a recorded CRC of 0 over data counts as absent), an
 * inflating source when deflated.  Checks the local header.
 */
int zip_member_source(struct zip *z, const struct zip_member *m,
		      struct ferry_source **out, struct ferry_error *err);
/* Read every member; VIOLATION for broken streams, WARNING for wrong CRCs, and
 * one for all that are absent. */
int zip_verify(struct zip *z, struct ferry_work *work,
	       struct ferry_findings *out, struct ferry_error *err);

/*
 * Writing: add members in the order they shall lie, then zip_writer_run().
 * Small contents are given as memory (copied), bulk as a source range.  Data is
 * aligned to `align` (power of two, at most 4096) with an extra field of id
 * 0x4246 padded with 'Z', as torch does; 0 or 1: no padding.
 *
 * Placement for cloning: when the sink can clone a member's source range, its
 * data is placed congruent to it (see ferry_sink_can_clone()) provided that
 * keeps `align`.
 */
struct zip_writer;

int zip_writer_new(struct zip_writer **out, struct ferry_sink *sink,
		   uint32_t align, struct ferry_error *err);
/* Where zip_writer_run() shall report, as warnings, the members whose bytes
 * don't match the CRC recorded in their source; borrowed, may be NULL. */
void zip_writer_findings(struct zip_writer *w, struct ferry_findings *out);
void zip_writer_free(struct zip_writer *w);
int zip_writer_add_memory(struct zip_writer *w, const char *name,
			  const void *data, size_t n, struct ferry_error *err);
/* head (n bytes, copied, may be NULL) comes before the source range. */
int zip_writer_add_source(struct zip_writer *w, const char *name,
			  const void *head, size_t n, struct ferry_source *src,
			  uint64_t offset, uint64_t nbytes,
			  struct ferry_error *err);
/* Lay out, transfer, write local headers, central directory, end records;
 * zip64 where sizes, offsets or the count (>= 65535) need it. */
int zip_writer_run(struct zip_writer *w, struct ferry_error *err);

#endif
