/* SHA-256 of a file beside, as hexadecimal text. */
#ifndef FORMATS_SAFETENSORS_SHA256_H
#define FORMATS_SAFETENSORS_SHA256_H

#include <stddef.h>

#include <ferry/error.h>

int st_sha256(char out[65], const void *data, size_t n,
	      struct ferry_error *err);

#endif
