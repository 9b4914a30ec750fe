/* Sources of plain bytes: memory, ranges of others, zeros. */
#include "config.h"

#include <ferry/sys/source.h>

#include <string.h>

#include <ferry/sys/alloc.h>
#include <ferry/sys/ckd.h>

struct memory_source {
	struct ferry_source base;
	const unsigned char *data;
	void *owned;
};

struct range_source {
	struct ferry_source base;
	struct ferry_source *parent;
	uint64_t offset;
	bool has_crc32;
	uint32_t crc32;
};

int ferry_source_init(struct ferry_source *src,
		      const struct ferry_source_ops *ops, uint64_t nbytes,
		      const char *name, struct ferry_error *err)
{
	char *copy = ferry_alloc_strdup(name ? name : "");

	if (!copy)
		return ferry_fail_nomem(err, "a source's name");
	src->ops = ops;
	src->nbytes = nbytes;
	src->name = copy;
	src->reads = 0;
	atomic_init(&src->refs, 1);
	return 0;
}

struct ferry_source *ferry_source_ref(struct ferry_source *src)
{
	atomic_fetch_add_explicit(&src->refs, 1, memory_order_relaxed);
	return src;
}

void ferry_source_unref(struct ferry_source *src)
{
	const char *name;

	if (!src || atomic_fetch_sub_explicit(&src->refs, 1,
					      memory_order_acq_rel) != 1)
		return;
	name = src->name;
	if (src->ops->free)
		src->ops->free(src);
	else
		ferry_alloc_free(src);
	ferry_alloc_free((void *)name);
}

static int fail_outside(const struct ferry_source *src, uint64_t offset,
			uint64_t n, struct ferry_error *err)
{
	char name[256];

	ferry_escape(name, sizeof(name), src->name, strlen(src->name));
	return ferry_fail(err, FERRY_MALFORMED, "", offset,
			  "%s: ends at byte %llu, but %llu bytes at byte %llu "
			  "are needed; the file is truncated or its index is "
			  "wrong", name, (unsigned long long)src->nbytes,
			  (unsigned long long)n, (unsigned long long)offset);
}

int ferry_source_read(struct ferry_source *src, void *buf, uint64_t offset,
		      size_t n, struct ferry_error *err)
{
	if (ferry_ckd_outside(offset, n, src->nbytes))
		return fail_outside(src, offset, n, err);
	if (!n)
		return 0;
	return src->ops->read(src, buf, offset, n, err);
}

bool ferry_source_file_range(struct ferry_source *src, uint64_t offset,
			     uint64_t n, int *fd, uint64_t *file_offset)
{
	if (!src->ops->file_range ||
	    ferry_ckd_outside(offset, n, src->nbytes))
		return false;
	return src->ops->file_range(src, offset, n, fd, file_offset);
}

bool ferry_source_crc32(struct ferry_source *src, uint64_t offset, uint64_t n,
			uint32_t *out)
{
	if (!src->ops->crc32 || ferry_ckd_outside(offset, n, src->nbytes))
		return false;
	return src->ops->crc32(src, offset, n, out);
}

const void *ferry_source_memory(struct ferry_source *src, uint64_t offset,
				size_t n)
{
	if (!src->ops->memory || ferry_ckd_outside(offset, n, src->nbytes))
		return NULL;
	return src->ops->memory(src, offset, n);
}

size_t ferry_source_chunk(struct ferry_source *src)
{
	return src->ops->chunk ? src->ops->chunk(src) : 0;
}

bool ferry_source_grid(struct ferry_source *src, uint64_t offset, uint64_t n,
		       size_t most, struct ferry_grid *out)
{
	return src->ops->grid && !offset && n == src->nbytes &&
	       src->ops->grid(src, most, out);
}

int ferry_source_read_block(struct ferry_source *src, void *buf,
			    const uint64_t *first, const uint64_t *count,
			    struct ferry_error *err)
{
	return src->ops->read_block(src, buf, first, count, err);
}

static int memory_read(struct ferry_source *src, void *buf, uint64_t offset,
		       size_t n, struct ferry_error *err)
{
	(void)err;
	memcpy(buf, ((struct memory_source *)src)->data + offset, n);
	return 0;
}

static const void *memory_memory(struct ferry_source *src, uint64_t offset,
				 size_t n)
{
	(void)n;
	return ((struct memory_source *)src)->data + offset;
}

static void memory_free(struct ferry_source *src)
{
	ferry_alloc_free(((struct memory_source *)src)->owned);
	ferry_alloc_free(src);
}

static const struct ferry_source_ops memory_ops = {
	.read = memory_read,
	.memory = memory_memory,
	.free = memory_free,
};

static int memory_new(struct ferry_source **out, const void *data, void *owned,
		      size_t n, const char *name, struct ferry_error *err)
{
	struct memory_source *m = ferry_alloc(sizeof(*m));
	int code;

	if (!m)
		return ferry_fail_nomem(err, "a memory source");
	code = ferry_source_init(&m->base, &memory_ops, n, name, err);
	if (code) {
		ferry_alloc_free(m);
		return code;
	}
	m->data = data;
	m->owned = owned;
	*out = &m->base;
	return 0;
}

int ferry_source_from_memory(struct ferry_source **out, const void *data,
			     size_t n, const char *name,
			     struct ferry_error *err)
{
	return memory_new(out, data, NULL, n, name, err);
}

int ferry_source_take_memory(struct ferry_source **out, void *data, size_t n,
			     const char *name, struct ferry_error *err)
{
	return memory_new(out, data, data, n, name, err);
}

static int range_read(struct ferry_source *src, void *buf, uint64_t offset,
		      size_t n, struct ferry_error *err)
{
	struct range_source *r = (struct range_source *)src;

	return r->parent->ops->read(r->parent, buf, r->offset + offset, n,
				    err);
}

static bool range_file_range(struct ferry_source *src, uint64_t offset,
			     uint64_t n, int *fd, uint64_t *file_offset)
{
	struct range_source *r = (struct range_source *)src;

	return ferry_source_file_range(r->parent, r->offset + offset, n, fd,
				       file_offset);
}

static bool range_crc32(struct ferry_source *src, uint64_t offset, uint64_t n,
			uint32_t *out)
{
	struct range_source *r = (struct range_source *)src;

	if (r->has_crc32 && offset == 0 && n == src->nbytes) {
		*out = r->crc32;
		return true;
	}
	return ferry_source_crc32(r->parent, r->offset + offset, n, out);
}

static const void *range_memory(struct ferry_source *src, uint64_t offset,
				size_t n)
{
	struct range_source *r = (struct range_source *)src;

	return ferry_source_memory(r->parent, r->offset + offset, n);
}

static size_t range_chunk(struct ferry_source *src)
{
	return ferry_source_chunk(((struct range_source *)src)->parent);
}

static bool range_grid(struct ferry_source *src, size_t most,
		       struct ferry_grid *out)
{
	struct range_source *r = (struct range_source *)src;

	return ferry_source_grid(r->parent, r->offset, src->nbytes, most, out);
}

static int range_read_block(struct ferry_source *src, void *buf,
			    const uint64_t *first, const uint64_t *count,
			    struct ferry_error *err)
{
	return ferry_source_read_block(((struct range_source *)src)->parent,
				       buf, first, count, err);
}

static void range_free(struct ferry_source *src)
{
	ferry_source_unref(((struct range_source *)src)->parent);
	ferry_alloc_free(src);
}

static const struct ferry_source_ops range_ops = {
	.read = range_read,
	.file_range = range_file_range,
	.crc32 = range_crc32,
	.memory = range_memory,
	.chunk = range_chunk,
	.grid = range_grid,
	.read_block = range_read_block,
	.free = range_free,
};

static int range_new(struct ferry_source **out, struct ferry_source *src,
		     uint64_t offset, uint64_t n, const uint32_t *crc32,
		     const char *name, struct ferry_error *err)
{
	struct range_source *r;
	int code;

	if (ferry_ckd_outside(offset, n, src->nbytes))
		return fail_outside(src, offset, n, err);
	r = ferry_alloc(sizeof(*r));
	if (!r)
		return ferry_fail_nomem(err, "a range source");
	code = ferry_source_init(&r->base, &range_ops, n,
				 name ? name : src->name, err);
	if (code) {
		ferry_alloc_free(r);
		return code;
	}
	r->has_crc32 = crc32 != NULL;
	r->crc32 = crc32 ? *crc32 : 0;
	r->offset = offset;
	/* A range of a plain range needs no second hop per read. */
	while (src->ops == &range_ops &&
	       !((struct range_source *)src)->has_crc32) {
		r->offset += ((struct range_source *)src)->offset;
		src = ((struct range_source *)src)->parent;
	}
	r->parent = ferry_source_ref(src);
	*out = &r->base;
	return 0;
}

int ferry_source_range(struct ferry_source **out, struct ferry_source *src,
		       uint64_t offset, uint64_t n, const char *name,
		       struct ferry_error *err)
{
	return range_new(out, src, offset, n, NULL, name, err);
}

int ferry_source_range_crc32(struct ferry_source **out,
			     struct ferry_source *src, uint64_t offset,
			     uint64_t n, uint32_t crc32, const char *name,
			     struct ferry_error *err)
{
	return range_new(out, src, offset, n, &crc32, name, err);
}

static int zero_read(struct ferry_source *src, void *buf, uint64_t offset,
		     size_t n, struct ferry_error *err)
{
	(void)src;
	(void)offset;
	(void)err;
	memset(buf, 0, n);
	return 0;
}

static const struct ferry_source_ops zero_ops = {
	.read = zero_read,
};

int ferry_source_zero(struct ferry_source **out, uint64_t nbytes,
		      struct ferry_error *err)
{
	struct ferry_source *src = ferry_alloc(sizeof(*src));
	int code;

	if (!src)
		return ferry_fail_nomem(err, "a zero source");
	code = ferry_source_init(src, &zero_ops, nbytes, "zeros", err);
	if (code) {
		ferry_alloc_free(src);
		return code;
	}
	*out = src;
	return 0;
}
