/* Proof of a zip archive: every record read, every checksum compared. */
#include "config.h"

#include "formats/zip/zip.h"

struct verifier {
	struct zip *zip;
	struct ferry_work *work;
	struct ferry_findings *findings;
	size_t n_without;	/* records whose CRC was never computed */
};

static int verify_member(struct verifier *v, const struct zip_member *m,
			 struct ferry_error *err)
{
	struct ferry_error broken = FERRY_ERROR_INIT;
	struct ferry_source *src = NULL;
	uint32_t crc = 0;
	int r;

	r = zip_member_source(v->zip, m, &src, &broken);
	if (!r)
		r = ferry_source_prove(src, v->work, &crc, &broken);
	ferry_source_unref(src);
	if (r == FERRY_MALFORMED)
		return ferry_findings_add(v->findings, FERRY_VIOLATION,
					  "broken-record", m->name,
					  broken.offset, "%s", broken.text);
	if (r) {
		if (err && !err->code)
			*err = broken;
		return r;
	}
	v->n_without += !m->crc32 && crc;
	if (crc == m->crc32 || !m->crc32)
		return 0;
	return ferry_findings_add(v->findings, FERRY_WARNING, "crc-mismatch",
				  m->name, m->header_offset,
				  "CRC-32 of the data is %08x, %08x is on "
				  "record", crc, m->crc32);
}

int zip_verify(struct zip *z, struct ferry_work *work,
	       struct ferry_findings *out, struct ferry_error *err)
{
	struct verifier v = { .zip = z, .work = work, .findings = out };
	int r = 0;

	if (work) {
		for (size_t i = 0; i < zip_count(z); i++)
			work->total += zip_member(z, i)->nbytes;
	}
	for (size_t i = 0; !r && i < zip_count(z); i++)
		r = verify_member(&v, zip_member(z, i), err);
	if (!r && v.n_without)
		r = ferry_findings_add(out, FERRY_WARNING, "no-crc", "",
				       FERRY_NO_OFFSET, "%zu of %zu record%s no "
				       "CRC-32 to prove the data by",
				       v.n_without, zip_count(z),
				       zip_count(z) == 1 ? " has" : "s have");
	return r == FERRY_NOMEM ? ferry_fail_nomem(err, "findings") : r;
}
