/* SHA-256 by libcrypto. */
#include "config.h"

#include "formats/safetensors/sha256.h"

#include <openssl/evp.h>

int st_sha256(char out[65], const void *data, size_t n,
	      struct ferry_error *err)
{
	static const char hex[] = "0123456789abcdef";
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned nbytes = 0;

	if (!EVP_Digest(data, n, digest, &nbytes, EVP_sha256(), NULL) ||
	    nbytes != 32)
		return ferry_fail_nomem(err, "a SHA-256");
	for (unsigned i = 0; i < nbytes; i++) {
		out[2 * i] = hex[digest[i] >> 4];
		out[2 * i + 1] = hex[digest[i] & 15];
	}
	out[64] = 0;
	return 0;
}
