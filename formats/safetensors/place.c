/* The order and the place of tensors in files. */
#include "config.h"

#include "formats/safetensors/place.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <ferry/sys/alloc.h>
#include <ferry/sys/bytes.h>
#include <ferry/sys/ckd.h>
#include <ferry/sys/ops.h>

#include "formats/json/json.h"

#define ORIGIN "safetensors"

static int by_dtype_and_name(const void *a, const void *b)
{
	const struct st_item *x = *(const struct st_item *const *)a;
	const struct st_item *y = *(const struct st_item *const *)b;

	if (x->dtype != y->dtype)
		return x->dtype > y->dtype ? -1 : 1;
	return strcmp(x->name, y->name);
}

void st_sort(struct st_item **items, size_t n)
{
	qsort(items, n, sizeof(*items), by_dtype_and_name);
}

uint32_t st_deal(struct st_item **items, size_t n, uint64_t limit)
{
	uint32_t shards = 0, open = UINT32_MAX;
	uint64_t used = 0;

	for (size_t i = 0; i < n; i++) {
		struct st_item *item = items[i];

		if (item->nbytes > limit) {
			item->shard = shards++;
			continue;
		}
		if (open == UINT32_MAX || item->nbytes > limit - used) {
			open = shards++;
			used = 0;
		}
		item->shard = open;
		used += item->nbytes;
	}
	return shards ? shards : 1;
}

/* ---- the header ---------------------------------------------------------- */

static void add_entry(struct ferry_buffer *out, const struct st_item *item)
{
	json_quote(out, item->name, strlen(item->name));
	ferry_buffer_add_str(out, ":{\"dtype\":\"");
	ferry_buffer_add_str(out, st_dtype_name(item->dtype));
	ferry_buffer_add_str(out, "\",\"shape\":[");
	ferry_buffer_add_uints(out, item->shape, item->ndim);
	ferry_buffer_add_str(out, "],\"data_offsets\":[");
	ferry_buffer_add_uint(out, item->begin);
	ferry_buffer_add_str(out, ",");
	ferry_buffer_add_uint(out, item->begin + item->nbytes);
	ferry_buffer_add_str(out, "]}");
}

static int assign(struct st_item **items, size_t n, struct ferry_error *err)
{
	uint64_t at = 0;

	for (size_t i = 0; i < n; i++) {
		items[i]->begin = at;
		if (ferry_ckd_add(&at, at, items[i]->nbytes) ||
		    at > INT64_MAX / 2)
			return ferry_fail(err, FERRY_LIMIT, ORIGIN,
					  FERRY_NO_OFFSET,
					  "tensors have more bytes than a file "
					  "can");
	}
	return 0;
}

/* Bytes of data that would lie congruent, by where the data begins. */
struct votes {
	uint64_t *weights;		/* by residue / ST_ALIGN */
	uint32_t align;
};

static int vote(struct votes *v, struct ferry_sink *sink,
		const struct st_item *item, struct ferry_error *err)
{
	uint32_t align, phase, at;

	if (!ferry_sink_can_clone(sink, item->source, item->source_offset,
				  item->nbytes, &align, &phase) ||
	    align < ST_ALIGN)
		return 0;
	at = (uint32_t)((phase - item->begin) & (align - 1));
	if (!v->weights) {
		v->align = align;
		v->weights = ferry_alloc_zero(align / ST_ALIGN,
					      sizeof(*v->weights));
		if (!v->weights)
			return ferry_fail_nomem(err, "a header");
	}
	if (v->align == align && at % ST_ALIGN == 0)
		v->weights[at / ST_ALIGN] += item->nbytes;
	return 0;
}

/* The offset of the data: at least `least`, aligned, congruent to most of what
 * can be shared. */
static int place_data(struct st_item **items, size_t n,
		      struct ferry_sink *sink, uint64_t least, uint64_t *out,
		      struct ferry_error *err)
{
	struct votes v = { 0 };
	uint32_t best = 0;
	int rc = 0;

	*out = (least + ST_ALIGN - 1) / ST_ALIGN * ST_ALIGN;
	for (size_t i = 0; i < n && !rc; i++)
		rc = vote(&v, sink, items[i], err);
	if (!rc && v.weights) {
		for (uint32_t i = 1; i < v.align / ST_ALIGN; i++)
			if (v.weights[i] > v.weights[best])
				best = i;
		if (v.weights[best])
			*out += (best * ST_ALIGN - *out) & (v.align - 1);
	}
	ferry_alloc_free(v.weights);
	return rc;
}

int st_header_make(struct st_item **items, size_t n, const char *metadata,
		   size_t metadata_len, struct ferry_sink *sink,
		   struct ferry_buffer *out, struct ferry_error *err)
{
	size_t start = out->n;
	uint64_t data;
	char *pad;
	int rc = assign(items, n, err);

	if (rc)
		return rc;
	ferry_buffer_add(out, "\0\0\0\0\0\0\0", ST_LENGTH_BYTES);
	ferry_buffer_add_str(out, "{\"" ST_METADATA "\":");
	ferry_buffer_add(out, metadata, metadata_len);
	for (size_t i = 0; i < n; i++) {
		ferry_buffer_add(out, ",", 1);
		add_entry(out, items[i]);
	}
	ferry_buffer_add(out, "}", 1);
	if (out->failed)
		return ferry_fail_nomem(err, "a safetensors header");
	rc = place_data(items, n, sink, out->n - start, &data, err);
	if (rc)
		return rc;
	if (data - ST_LENGTH_BYTES > ST_MAX_HEADER)
		return ferry_fail(err, FERRY_LIMIT, ORIGIN, FERRY_NO_OFFSET,
				  "header of %zu tensor%s has %" PRIu64
				  " bytes, the format's limit is %d; write "
				  "shards (--shard-size)", n, n == 1 ? "" : "s",
				  data - ST_LENGTH_BYTES, ST_MAX_HEADER);
	pad = ferry_buffer_extend(out, (size_t)data - (out->n - start));
	if (!pad)
		return ferry_fail_nomem(err, "a safetensors header");
	memset(pad, ' ', (size_t)(out->data + out->n - pad));
	ferry_put_le64(out->data + start, data - ST_LENGTH_BYTES);
	return 0;
}

/* ---- the data ------------------------------------------------------------ */

int st_find_sources(struct ferry_store *store, struct st_item **items,
		    size_t n, struct ferry_error *err)
{
	int rc = 0;

	for (size_t i = 0; i < n && !rc; i++)
		rc = ferry_tensor_source(store, items[i]->tensor,
					 &items[i]->source,
					 &items[i]->source_offset, err);
	return rc;
}

static int report_crc(const struct ferry_transfer *t,
		      struct ferry_findings *out, struct ferry_error *err)
{
	if (!ferry_findings_add(out, FERRY_WARNING, "crc-mismatch",
				t->source->name, FERRY_NO_OFFSET,
				"the bytes of '%s' don't match their recorded "
				"CRC-32: the input may be damaged",
				t->source->name))
		return 0;
	return ferry_fail_nomem(err, "findings");
}

int st_transfer(struct st_item **items, size_t n, struct ferry_sink *sink,
		uint64_t data, struct ferry_findings *out,
		struct ferry_error *err)
{
	struct ferry_transfer *jobs = ferry_alloc_zero(n, sizeof(*jobs));
	size_t n_jobs = 0;
	int rc;

	if (!jobs)
		return ferry_fail_nomem(err, "a list of transfers");
	for (size_t i = 0; i < n; i++) {
		const struct st_item *item = items[i];
		struct ferry_transfer *last = n_jobs ? &jobs[n_jobs - 1] :
						       NULL;

		if (!item->nbytes)
			continue;
		if (last && last->source == item->source &&
		    last->source_offset + last->nbytes == item->source_offset) {
			last->nbytes += item->nbytes;
			continue;
		}
		jobs[n_jobs++] = (struct ferry_transfer){
			.source = item->source,
			.source_offset = item->source_offset,
			.nbytes = item->nbytes,
			.sink_offset = data + item->begin,
			.check_crc32 = true,
		};
	}
	rc = ferry_sink_transfer(sink, jobs, n_jobs, err);
	for (size_t i = 0; i < n_jobs && !rc; i++)
		if (jobs[i].crc32_differs)
			rc = report_crc(&jobs[i], out, err);
	ferry_alloc_free(jobs);
	return rc;
}
