/* Digests of files and tensors. */
#include "config.h"

#include "core/batch/digest.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <openssl/evp.h>
#ifdef HAVE_XXHASH_DISPATCH
#include <xxh_x86dispatch.h>
#else
#include <xxhash.h>
#endif

#include <ferry/sys/alloc.h>
#include <ferry/sys/sink.h>
#include <ferry/tensor.h>

#define PIECE ((size_t)1 << 20)
#define ENDS 4096
#define COMBINE ((size_t)64 << 10)	/* bytes worth two combinations */

void ferry__digest_init(struct ferry__digest *d, enum ferry_digest_kind kind)
{
	d->kind = kind;
	d->crc = 0;
	d->context = NULL;
	if (kind == FERRY_DIGEST_XXH128)
		d->context = XXH3_createState();
	else if (kind == FERRY_DIGEST_SHA256)
		d->context = EVP_MD_CTX_new();
	if (!d->context)
		return;
	if (kind == FERRY_DIGEST_XXH128 ?
	    XXH3_128bits_reset(d->context) != XXH_OK :
	    !EVP_DigestInit_ex(d->context, EVP_sha256(), NULL))
		ferry__digest_drop(d);
}

void ferry__digest_drop(struct ferry__digest *d)
{
	if (d->kind == FERRY_DIGEST_XXH128)
		XXH3_freeState(d->context);
	else
		EVP_MD_CTX_free(d->context);
	d->context = NULL;
}

void ferry__digest_add(struct ferry__digest *d, const void *data, size_t n)
{
	if (d->kind == FERRY_DIGEST_CRC32)
		d->crc = ferry_crc32(d->crc, data, n);
	else if (d->context && (d->kind == FERRY_DIGEST_XXH128 ?
		 XXH3_128bits_update(d->context, data, n) != XXH_OK :
		 !EVP_DigestUpdate(d->context, data, n)))
		ferry__digest_drop(d);
}

void ferry__digest_add_both(struct ferry__digest *a, struct ferry__digest *b,
			    const void *data, size_t n)
{
	uint32_t crc;

	if (a->kind == FERRY_DIGEST_CRC32 && n >= COMBINE) {
		crc = ferry_crc32(0, data, n);
		a->crc = ferry_crc32_combine(a->crc, crc, n);
		b->crc = ferry_crc32_combine(b->crc, crc, n);
	} else {
		ferry__digest_add(a, data, n);
		ferry__digest_add(b, data, n);
	}
}

static void put_hex(char *to, const unsigned char *sum, size_t n)
{
	static const char hex[] = "0123456789abcdef";

	for (size_t i = 0; i < n; i++) {
		to[2 * i] = hex[sum[i] >> 4];
		to[2 * i + 1] = hex[sum[i] & 15];
	}
	to[2 * n] = '\0';
}

int ferry__digest_end(struct ferry__digest *d, char out[FERRY__DIGEST_TEXT],
		      struct ferry_error *err)
{
	unsigned char sum[EVP_MAX_MD_SIZE];
	XXH128_canonical_t canonical;
	bool good = d->context;

	if (d->kind == FERRY_DIGEST_CRC32) {
		snprintf(out, FERRY__DIGEST_TEXT, "crc32:%08x",
			 (unsigned)d->crc);
		return 0;
	}
	if (good && d->kind == FERRY_DIGEST_XXH128) {
		XXH128_canonicalFromHash(&canonical,
					 XXH3_128bits_digest(d->context));
		memcpy(out, "xxh128:", 7);
		put_hex(out + 7, canonical.digest, sizeof(canonical.digest));
	} else if (good) {
		good = EVP_DigestFinal_ex(d->context, sum, NULL);
		memcpy(out, "sha256:", 7);
		put_hex(out + 7, sum, 32);
	}
	ferry__digest_drop(d);
	return good ? 0 : ferry_fail_nomem(err, "a digest");
}

const char *ferry_digest_kind_name(enum ferry_digest_kind kind)
{
	static const char *const names[] = {
		[FERRY_DIGEST_XXH128] = "xxh128",
		[FERRY_DIGEST_SHA256] = "sha256",
		[FERRY_DIGEST_CRC32] = "crc32",
	};

	return (size_t)kind < sizeof(names) / sizeof(names[0]) ? names[kind] :
								 NULL;
}

bool ferry__digest_kind_of(const char *text, enum ferry_digest_kind *out)
{
	size_t n = strcspn(text, ":");
	const char *name;

	for (int i = 0; text[n]; i++) {
		name = ferry_digest_kind_name((enum ferry_digest_kind)i);
		if (!name)
			break;
		*out = (enum ferry_digest_kind)i;
		if (strlen(name) == n && !memcmp(name, text, n))
			return true;
	}
	return false;
}

int ferry__digest_bytes(enum ferry_digest_kind kind, const void *data,
			size_t n, char out[FERRY__DIGEST_TEXT],
			struct ferry_error *err)
{
	struct ferry__digest d;

	ferry__digest_init(&d, kind);
	ferry__digest_add(&d, data, n);
	return ferry__digest_end(&d, out, err);
}

static int fail_read(const char *path, int e, struct ferry_error *err)
{
	char shown[256];

	ferry_escape(shown, sizeof(shown), path, strlen(path));
	return ferry_fail_errno(err, e, "%s: can't read it", shown);
}

static int is_cancelled(const atomic_bool *cancel, struct ferry_error *err)
{
	if (!cancel || !atomic_load(cancel))
		return 0;
	return ferry_fail(err, FERRY_CANCELLED, "", FERRY_NO_OFFSET,
			  "cancelled");
}

static int add_all(struct ferry__digest *d, int fd, const char *path,
		   const atomic_bool *cancel, struct ferry_error *err)
{
	void *buf = ferry_alloc(PIECE);
	ssize_t n = 1;
	int rc = buf ? 0 : ferry_fail_nomem(err, "a buffer");

	while (!rc && n) {
		n = read(fd, buf, PIECE);
		if (n < 0 && errno != EINTR)
			rc = fail_read(path, errno, err);
		if (n > 0)
			ferry__digest_add(d, buf, (size_t)n);
		if (!rc)
			rc = is_cancelled(cancel, err);
	}
	ferry_alloc_free(buf);
	return rc;
}

int ferry__digest_file(enum ferry_digest_kind kind, const char *path,
		       const atomic_bool *cancel,
		       char out[FERRY__DIGEST_TEXT], struct ferry_error *err)
{
	struct ferry__digest d;
	int fd = open(path, O_RDONLY | O_CLOEXEC), rc;

	if (fd < 0)
		return fail_read(path, errno, err);
	ferry__digest_init(&d, kind);
	rc = add_all(&d, fd, path, cancel, err);
	close(fd);
	if (!rc)
		return ferry__digest_end(&d, out, err);
	ferry__digest_drop(&d);
	return rc;
}

int ferry__digest_ends(int fd, const char *path, uint64_t nbytes,
		       char out[FERRY__DIGEST_TEXT], struct ferry_error *err)
{
	unsigned char ends[2 * ENDS];
	uint64_t tail = nbytes > ENDS ? nbytes - ENDS : 0;
	ssize_t a = pread(fd, ends, ENDS, 0), b;

	if (a < 0)
		return fail_read(path, errno, err);
	b = pread(fd, ends + a, ENDS, (off_t)tail);
	if (b < 0)
		return fail_read(path, errno, err);
	return ferry__digest_bytes(FERRY_DIGEST_XXH128, ends, (size_t)(a + b),
				   out, err);
}

int ferry__digest_ends_of(const void *data, size_t n,
			  char out[FERRY__DIGEST_TEXT],
			  struct ferry_error *err)
{
	size_t k = n < ENDS ? n : ENDS;
	struct ferry__digest d;

	ferry__digest_init(&d, FERRY_DIGEST_XXH128);
	ferry__digest_add(&d, data, k);
	ferry__digest_add(&d, (const char *)data + n - k, k);
	return ferry__digest_end(&d, out, err);
}

/* Elements that are read at a time, on a byte boundary of packed dtypes. */
static uint64_t step_of(const struct ferry_tensor *t, uint64_t nelem)
{
	uint64_t nbytes = ferry_tensor_nbytes(t);
	uint64_t step = nbytes > PIECE ? nelem / (nbytes / PIECE + 1) : nelem;

	step &= ~UINT64_C(7);
	return step ? step : nelem;
}

/* Bytes of the first n elements. */
static size_t bytes_before(const struct ferry_tensor *t, uint64_t nelem,
			   uint64_t n)
{
	return (size_t)(n == nelem ? ferry_tensor_nbytes(t) :
			n * ferry_dtype_bits(t->dtype) / 8);
}

static int add_tensor(struct ferry__digest *d, const struct ferry_tensor *t,
		      const atomic_bool *cancel, struct ferry_error *err)
{
	uint64_t nelem = ferry_tensor_nelem(t), step = step_of(t, nelem), n;
	char *buf = ferry_alloc(bytes_before(t, nelem, step) + 16);
	int rc = buf ? 0 : ferry_fail_nomem(err, "a buffer");

	for (uint64_t at = 0; at < nelem && !rc; at += n) {
		n = nelem - at < step ? nelem - at : step;
		rc = ferry_tensor_read(t, at, n, buf, err);
		if (!rc)
			ferry__digest_add(d, buf,
					  bytes_before(t, nelem, at + n) -
					  bytes_before(t, nelem, at));
		if (!rc)
			rc = is_cancelled(cancel, err);
	}
	ferry_alloc_free(buf);
	return rc;
}

int ferry__digest_tensor(enum ferry_digest_kind kind,
			 const struct ferry_tensor *t,
			 const atomic_bool *cancel,
			 char out[FERRY__DIGEST_TEXT], struct ferry_error *err)
{
	struct ferry__digest d;
	int rc;

	ferry__digest_init(&d, kind);
	rc = add_tensor(&d, t, cancel, err);
	if (!rc)
		return ferry__digest_end(&d, out, err);
	ferry__digest_drop(&d);
	return rc;
}
