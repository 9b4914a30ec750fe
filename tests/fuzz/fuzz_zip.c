/* Fuzz: the zip reader, every member read. */
#include "config.h"

#include <stddef.h>
#include <stdint.h>

#include "formats/zip/zip.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Deflated members may be a thousand times the input. */
#define MEMBER_BYTES_MAX (1 << 20)

static void read_member(struct zip *z, const struct zip_member *m)
{
	struct ferry_source *src;
	uint8_t b[512];
	size_t n;

	if (m->nbytes > MEMBER_BYTES_MAX || zip_member_source(z, m, &src, NULL))
		return;
	for (uint64_t at = 0; at < src->nbytes; at += n) {
		n = sizeof(b);
		if (n > src->nbytes - at)
			n = (size_t)(src->nbytes - at);
		if (ferry_source_read(src, b, at, n, NULL))
			break;
	}
	ferry_source_unref(src);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ferry_source *src;
	struct zip *z;

	if (ferry_source_from_memory(&src, data, size, "fuzz", NULL))
		return 0;
	for (int duplicates = 0; duplicates < 2; duplicates++) {
		if (zip_open(&z, src, duplicates, NULL))
			continue;
		for (size_t i = 0; i < zip_count(z) && i < 100; i++) {
			const struct zip_member *m = zip_member(z, i);

			read_member(z, m);
			zip_find(z, m->name, m->name_len);
		}
		zip_free(z);
	}
	ferry_source_unref(src);
	return 0;
}
