/* Counting the pieces of a sentencepiece model. */
#include "config.h"

#include "plugins/caiman/sentencepiece.h"

#include <inttypes.h>
#include <string.h>

#include <ferry/sys/alloc.h>

struct message {
	const uint8_t *data;
	uint64_t at, nbytes;
};

static bool varint(struct message *m, uint64_t *out)
{
	*out = 0;
	for (unsigned shift = 0; m->at < m->nbytes && shift < 64; shift += 7) {
		uint8_t byte = m->data[m->at++];

		*out |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80))
			return true;
	}
	return false;
}

static bool skip(struct message *m, uint64_t n)
{
	if (n > m->nbytes - m->at)
		return false;
	m->at += n;
	return true;
}

/* The field after its tag; groups are of no use in this message. */
static bool skip_field(struct message *m, unsigned wire)
{
	uint64_t n;

	switch (wire) {
	case 0:
		return varint(m, &n);
	case 1:
		return skip(m, 8);
	case 2:
		return varint(m, &n) && skip(m, n);
	case 5:
		return skip(m, 4);
	default:
		return false;
	}
}

int sentencepiece_count(const uint8_t *data, uint64_t nbytes, uint64_t *pieces,
			struct ferry_error *err)
{
	struct message m = { .data = data, .nbytes = nbytes };
	uint64_t tag, start;

	*pieces = 0;
	while (m.at < nbytes) {
		start = m.at;
		if (!varint(&m, &tag) || !(tag >> 3) ||
		    !skip_field(&m, tag & 7))
			return ferry_fail(err, FERRY_MALFORMED, "sentencepiece",
					  start, "byte %" PRIu64 " of the "
					  "sentencepiece model is no field of "
					  "a protobuf message", start);
		*pieces += tag == (1 << 3 | 2);
	}
	return 0;
}

int sentencepiece_count_in(const struct ferry_value *bytes, uint64_t *pieces,
			   struct ferry_error *err)
{
	uint64_t n = bytes->flags & FERRY_RANGE ? bytes->u.range.nbytes :
						  bytes->u.s.nbytes;
	void *data;
	int rc;

	if (n > SENTENCEPIECE_MAX_NBYTES)
		return ferry_fail(err, FERRY_LIMIT, "sentencepiece",
				  FERRY_NO_OFFSET, "sentencepiece model of "
				  "%" PRIu64 " bytes is more than %" PRIu64,
				  n, SENTENCEPIECE_MAX_NBYTES);
	if (!(bytes->flags & FERRY_RANGE))
		return sentencepiece_count((const uint8_t *)bytes->u.s.data, n,
					   pieces, err);
	data = ferry_alloc(n);
	if (!data)
		return ferry_fail_nomem(err, "a sentencepiece model");
	rc = ferry_source_read(bytes->u.range.source, data,
			       bytes->u.range.offset, n, err);
	if (!rc)
		rc = sentencepiece_count(data, n, pieces, err);
	ferry_alloc_free(data);
	return rc;
}

bool bytes_begin(const struct ferry_value *bytes, const char *with)
{
	char head[80];
	size_t n = strlen(with);

	if (bytes->kind != FERRY_BYTES || n > sizeof(head))
		return false;
	if (!(bytes->flags & FERRY_RANGE))
		return bytes->u.s.nbytes >= n &&
		       !memcmp(bytes->u.s.data, with, n);
	return bytes->u.range.nbytes >= n &&
	       !ferry_source_read(bytes->u.range.source, head,
				  bytes->u.range.offset, n, NULL) &&
	       !memcmp(head, with, n);
}
