/*
 * Lazy tensor operations.  Each gives a new TENSOR value in the store; no
 * tensor data is read before somebody reads the result, and then in bounded
 * memory.  Inputs stay as they are and must live as long as the result (in one
 * store they do).  `extra` and requires_grad are carried over where the
 * operation leaves them meaningful, and dropped where not.
 *
 * Errors: MISUSE for shapes that do not fit (the sentence says which), LIMIT
 * for overflow, UNSUPPORTED for a dtype the operation does not know.
 */
#ifndef FERRY_SYS_OPS_H
#define FERRY_SYS_OPS_H

#include <ferry/sys/build.h>
#include <ferry/tensor.h>

FERRY_BEGIN

/* Views: same storage.  Written out by a transfer, or cast and then written, a
 * permuted tensor reads what it shows of its source once and in blocks, of
 * which each thread holds one: see struct ferry_grid. */
FERRY_API int ferry_op_permute(struct ferry_store *s, struct ferry_value *t,
			       const unsigned *axes, struct ferry_value **out,
			       struct ferry_error *err);
FERRY_API int ferry_op_transpose(struct ferry_store *s, struct ferry_value *t,
				 unsigned a, unsigned b,
				 struct ferry_value **out,
				 struct ferry_error *err);
/* Elements start, start+step, ... below stop along dim; step >= 1. */
FERRY_API int ferry_op_slice(struct ferry_store *s, struct ferry_value *t,
			     unsigned dim, uint64_t start, uint64_t stop,
			     uint64_t step, struct ferry_value **out,
			     struct ferry_error *err);

/* A view where strides allow it, else over a dense copy (lazy). */
FERRY_API int ferry_op_reshape(struct ferry_store *s, struct ferry_value *t,
			       unsigned ndim, const uint64_t *shape,
			       struct ferry_value **out,
			       struct ferry_error *err);
/* Dense, C order, CONJ and NEG resolved; `t` itself when it is so already. */
FERRY_API int ferry_op_contiguous(struct ferry_store *s, struct ferry_value *t,
				  struct ferry_value **out,
				  struct ferry_error *err);
/*
 * Convert elements as torch's Tensor.to() does: to a narrower float round to
 * nearest, ties to even, NaN and subnormals bit-equal to torch's CPU kernels;
 * float8 saturation and NaN as torch's; float to integer truncates; to bool is
 * "not zero"; complex to real drops the imaginary part.
 *
 * Where torch itself gives several answers (it has a vector loop, and other
 * code for short, strided and last elements) this gives that of the loop, of
 * torch 2.13 on x86-64 with AVX2: a NaN of float32 or float64 becomes 0xffff in
 * bfloat16 (0x7fc0 from other dtypes); float8_e4m3fn saturates at 448; what
 * does not fit an integer becomes what CVTTPS2DQ and its kind leave: the least
 * int32 or int64, of which narrower integers are the low bits.
 *
 * Quantised and packed dtypes are UNSUPPORTED.  Kernels use AVX2, F16C or
 * AVX-512 where the CPU has them, capped by FERRY_CPU=scalar|avx2|avx512; the
 * bits never depend on it.
 */
FERRY_API int ferry_op_cast(struct ferry_store *s, struct ferry_value *t,
			    enum ferry_dtype dtype, struct ferry_value **out,
			    struct ferry_error *err);
/* Along dim; all inputs of one dtype and equal other dimensions. */
FERRY_API int ferry_op_concat(struct ferry_store *s,
			      struct ferry_value *const *tensors, size_t n,
			      unsigned dim, struct ferry_value **out,
			      struct ferry_error *err);

/*
 * The mean of n tensors of one shape and dtype, element by element, as adding
 * them in order to a copy of the first and then dividing by n gives it, each
 * step rounded to the stored dtype: bit-equal to torch's in-place add_() and
 * div_() on CPU.  `divisor` divides (n when 0).  Dtypes float64, float32,
 * float16, bfloat16, complex64 and complex128; torch adds no others.
 *
 * As with casts, the bits are those of the vector loops of torch 2.13 on
 * x86-64.  Older releases differ in float16 NaNs, in complex quotients, and in
 * rounding the divisor to float16 or bfloat16 first (257 becomes 256).  Where
 * both parts of a complex number take part in making a NaN, its sign and
 * payload are not told.
 *
 * Read in pieces: memory does not grow with n or the size, and no more than a
 * few inputs need be open at a time.
 */
FERRY_API int ferry_op_mean(struct ferry_store *s,
			    struct ferry_value *const *tensors, size_t n,
			    uint64_t divisor, struct ferry_value **out,
			    struct ferry_error *err);
/*
 * Resize the last two dimensions of a float32 or float64 tensor to height x
 * width by bicubic interpolation, A = -0.75, indices clamped, no antialias,
 * align_corners false: as torch.nn.functional.interpolate(mode="bicubic"), to
 * within 1e-5 of unit-scale data.  Other floating dtypes by way of float32.
 * Torch 2.13 is meant, whose positions of float32 are single precision; 1.13
 * has doubles there, which takes it past 1e-5 where a side is above some 100.
 * Memory: some rows.  LIMIT for rows of more than 1,048,576 elements.
 */
FERRY_API int ferry_op_resize_bicubic(struct ferry_store *s,
				      struct ferry_value *t, uint64_t height,
				      uint64_t width, struct ferry_value **out,
				      struct ferry_error *err);

/*
 * A storage put together from dense parts: byte range [0, nbytes) in which
 * element (i...) of part k stands at (offset + sum(i * strides)) elements;
 * bytes no part covers are zero, a byte two parts cover comes from the earlier.
 * How strides, gaps and aliases are restored from a format without them.
 */
struct ferry_part {
	struct ferry_value *tensor;	/* dense: its C-order data is used */
	const int64_t *strides;		/* [ndim] in the storage, elements */
	uint64_t offset;		/* elements */
};

FERRY_API int ferry_op_assemble(struct ferry_store *s, enum ferry_dtype dtype,
				uint64_t nbytes, const struct ferry_part *parts,
				size_t n, struct ferry_storage **out,
				struct ferry_error *err);

/*
 * The bytes of t densely in C order: range [*offset, +ferry_tensor_nbytes)
 * of *src, which is the storage's own source where t is contiguous, else a
 * lazy gather.  *src is the store's.
 */
FERRY_API int ferry_tensor_source(struct ferry_store *s,
				  const struct ferry_tensor *t,
				  struct ferry_source **src, uint64_t *offset,
				  struct ferry_error *err);

/* Bytes of the elements a tensor can reach, from the first to the last:
 * *first and *end are byte offsets in its storage (equal when empty). */
FERRY_API void ferry_tensor_extent(const struct ferry_tensor *t,
				   uint64_t *first, uint64_t *end);

FERRY_END

#endif
