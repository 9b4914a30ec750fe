/* Bytes and holes. */
#include "config.h"

#include "formats/pickle/output.h"

#include <string.h>

#include <ferry/sys/alloc.h>
#include <ferry/sys/ckd.h>

enum {
	CHUNK = 1 << 20,
};

struct output_source {
	struct ferry_source base;
	struct pickle_output out;
};

void pickle_output_release(struct pickle_output *out)
{
	for (size_t i = 0; i < out->n_holes; i++)
		ferry_source_unref(out->holes[i].source);
	ferry_alloc_free(out->holes);
	ferry_buffer_release(&out->bytes);
	*out = (struct pickle_output){ 0 };
}

static int add_hole(struct pickle_output *out, struct ferry_source *source,
		    uint64_t offset, uint64_t n, struct ferry_error *err)
{
	size_t cap = out->cap_holes ? 2 * out->cap_holes : 16;
	struct pickle_hole *holes;

	if (out->n_holes == out->cap_holes) {
		holes = ferry_alloc_resize(out->holes, cap, sizeof(*holes));
		if (!holes)
			return ferry_fail_nomem(err, "the parts of a pickle");
		out->holes = holes;
		out->cap_holes = cap;
	}
	out->holes[out->n_holes++] = (struct pickle_hole){
		.position = out->bytes.n + out->hole_bytes,
		.before = out->bytes.n,
		.source = ferry_source_ref(source),
		.offset = offset,
		.nbytes = n,
	};
	out->hole_bytes += n;
	return 0;
}

int pickle_output_range(struct pickle_output *out, struct ferry_source *source,
			uint64_t offset, uint64_t n, struct ferry_error *err)
{
	size_t part;
	void *to;
	int ret = 0;

	if (n >= out->least_hole)
		return add_hole(out, source, offset, n, err);
	while (n && !ret) {
		part = n < CHUNK ? (size_t)n : CHUNK;
		to = ferry_buffer_extend(&out->bytes, part);
		if (!to)
			return ferry_fail_nomem(err, "a pickle");
		ret = ferry_source_read(source, to, offset, part, err);
		offset += part;
		n -= part;
	}
	return ret;
}

/* The number of holes that start at or before position. */
static size_t holes_until(const struct pickle_output *out, uint64_t position)
{
	size_t low = 0, high = out->n_holes, at;

	while (low < high) {
		at = (low + high) / 2;
		if (out->holes[at].position <= position)
			low = at + 1;
		else
			high = at;
	}
	return low;
}

/* Read from what lies at offset, up to its end: *part bytes. */
static int read_part(struct pickle_output *out, uint64_t nbytes, void *buf,
		     uint64_t offset, size_t *part, struct ferry_error *err)
{
	size_t next = holes_until(out, offset);
	const struct pickle_hole *hole = next ? &out->holes[next - 1] : NULL;
	uint64_t end = next < out->n_holes ? out->holes[next].position : nbytes;
	uint64_t past = hole ? hole->position + hole->nbytes : 0;
	bool inside = offset < past;

	if (inside)
		end = past;
	if (*part > end - offset)
		*part = (size_t)(end - offset);
	if (inside)
		return ferry_source_read(hole->source, buf,
					 hole->offset + offset - hole->position,
					 *part, err);
	memcpy(buf,
	       out->bytes.data + (hole ? hole->before : 0) + (offset - past),
	       *part);
	return 0;
}

static int source_read(struct ferry_source *src, void *buf, uint64_t offset,
		       size_t n, struct ferry_error *err)
{
	struct pickle_output *out = &((struct output_source *)src)->out;
	size_t part;
	int ret = 0;

	while (n && !ret) {
		part = n;
		ret = read_part(out, src->nbytes, buf, offset, &part, err);
		buf = (char *)buf + part;
		offset += part;
		n -= part;
	}
	return ret;
}

static bool source_file_range(struct ferry_source *src, uint64_t offset,
			      uint64_t n, int *fd, uint64_t *file_offset)
{
	struct pickle_output *out = &((struct output_source *)src)->out;
	size_t next = holes_until(out, offset);
	const struct pickle_hole *hole = next ? &out->holes[next - 1] : NULL;

	if (!hole || ferry_ckd_outside(offset - hole->position, n,
				       hole->nbytes))
		return false;
	return ferry_source_file_range(hole->source,
				       hole->offset + offset - hole->position,
				       n, fd, file_offset);
}

static const void *source_memory(struct ferry_source *src, uint64_t offset,
				 size_t n)
{
	struct pickle_output *out = &((struct output_source *)src)->out;

	(void)n;
	return out->n_holes ? NULL : out->bytes.data + offset;
}

static size_t source_chunk(struct ferry_source *src)
{
	struct pickle_output *out = &((struct output_source *)src)->out;

	return out->n_holes ? CHUNK : 0;
}

static void source_free(struct ferry_source *src)
{
	pickle_output_release(&((struct output_source *)src)->out);
	ferry_alloc_free(src);
}

static const struct ferry_source_ops output_ops = {
	.read = source_read,
	.file_range = source_file_range,
	.memory = source_memory,
	.chunk = source_chunk,
	.free = source_free,
};

int pickle_output_source(struct pickle_output *out, struct ferry_source **src,
			 struct ferry_error *err)
{
	struct output_source *source;
	int ret;

	source = ferry_alloc_zero(1, sizeof(*source));
	if (!source)
		return ferry_fail_nomem(err, "a pickle");
	ret = ferry_source_init(&source->base, &output_ops,
				out->bytes.n + out->hole_bytes, "a pickle",
				err);
	if (ret) {
		ferry_alloc_free(source);
		return ret;
	}
	source->out = *out;
	*out = (struct pickle_output){ 0 };
	*src = &source->base;
	return 0;
}
