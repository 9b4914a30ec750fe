/*
 * The layout of a safetensors file: dtypes, names and limits.
 *
 *	offset 0	u64, little-endian: N, bytes of the header
 *	offset 8	the header, a JSON object, padded with spaces
 *	offset 8 + N	the data; offsets in the header are relative to it
 *
 * Source: the format's README and the reference crate, version 0.8.0.
 */
#ifndef FORMATS_SAFETENSORS_LAYOUT_H
#define FORMATS_SAFETENSORS_LAYOUT_H

#include <stddef.h>

#include <ferry/dtype.h>

#define ST_LENGTH_BYTES 8
#define ST_MAX_HEADER 100000000
#define ST_ALIGN 8
#define ST_METADATA "__metadata__"

/* Keys of __metadata__ (of an index: of "metadata"). */
#define ST_FORMAT_KEY "format"
#define ST_DOCUMENT_KEY "ferry.document"
#define ST_SIDECAR_KEY "ferry.sidecar"
#define ST_DCP_KEY "DCP_SHARDING_INFO"

/* Names: of the file beside, of an index, and of bytes kept as a tensor. */
#define ST_SIDECAR_SUFFIX ".ferry.json"
#define ST_SUFFIX ".safetensors"
#define ST_INDEX_SUFFIX ".safetensors.index.json"
#define ST_BYTES_NAME "ferry.bytes"

/* In the order of the reference crate: a file's data is sorted by it,
 * descending, so that every tensor is aligned without gaps. */
enum st_dtype {
	ST_BOOL,
	ST_F4,
	ST_F6_E2M3,
	ST_F6_E3M2,
	ST_U8,
	ST_I8,
	ST_F8_E5M2,
	ST_F8_E4M3,
	ST_F8_E8M0,
	ST_F8_E4M3FNUZ,
	ST_F8_E5M2FNUZ,
	ST_I16,
	ST_U16,
	ST_F16,
	ST_BF16,
	ST_I32,
	ST_U32,
	ST_F32,
	ST_C64,
	ST_F64,
	ST_I64,
	ST_U64,
	ST_N_DTYPES
};

const char *st_dtype_name(enum st_dtype dtype);
unsigned st_dtype_bits(enum st_dtype dtype);
/* ST_N_DTYPES when there is none of that name. */
enum st_dtype st_dtype_find(const char *name, size_t n);

/*
 * What a file's tensor is in the model.  F4 is pairs (torch's float4_e2m1fn_x2,
 * whose shape counts bytes) where the last dimension is even, else single
 * elements; *halved tells.
 */
enum ferry_dtype st_dtype_model(enum st_dtype dtype, unsigned ndim,
				const uint64_t *shape, bool *halved);

/* How a model's dtype is stored. */
enum st_form {
	ST_AS_IS,		/* same shape */
	ST_PAIRS,		/* complex: a last dimension of 2 is added */
	ST_DOUBLED,		/* F4 pairs: the last dimension doubled */
	ST_FLAT,		/* packed: U8 of shape [nbytes] */
};

enum st_dtype st_dtype_stored(enum ferry_dtype dtype, enum st_form *form);

#endif
