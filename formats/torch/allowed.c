/* Allow-lists of torch's restricted unpickler, and known ways to run code. */
#include "config.h"

#include "formats/torch/allowed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BOTH (TORCH_1_13 | TORCH_2_13)

/* Sorted by name. */
static const struct allowed {
	const char *name;
	unsigned releases;
} allowed[] = {
	{ "_codecs.encode", TORCH_2_13 },
	{ "builtins.bytearray", TORCH_2_13 },
	{ "builtins.complex", TORCH_2_13 },
	{ "builtins.set", TORCH_2_13 },
	{ "collections.Counter", TORCH_2_13 },
	{ "collections.OrderedDict", BOTH },
	{ "torch.BFloat16Storage", BOTH },
	{ "torch.BFloat16Tensor", BOTH },
	{ "torch.BoolStorage", BOTH },
	{ "torch.BoolTensor", BOTH },
	{ "torch.ByteStorage", BOTH },
	{ "torch.ByteTensor", BOTH },
	{ "torch.CharStorage", BOTH },
	{ "torch.CharTensor", BOTH },
	{ "torch.ComplexDoubleStorage", BOTH },
	{ "torch.ComplexFloatStorage", BOTH },
	{ "torch.DoubleStorage", BOTH },
	{ "torch.DoubleTensor", BOTH },
	{ "torch.FloatStorage", BOTH },
	{ "torch.FloatTensor", BOTH },
	{ "torch.HalfStorage", BOTH },
	{ "torch.HalfTensor", BOTH },
	{ "torch.IntStorage", BOTH },
	{ "torch.IntTensor", BOTH },
	{ "torch.LongStorage", BOTH },
	{ "torch.LongTensor", BOTH },
	{ "torch.QInt32Storage", BOTH },
	{ "torch.QInt8Storage", BOTH },
	{ "torch.QUInt2x4Storage", BOTH },
	{ "torch.QUInt4x2Storage", BOTH },
	{ "torch.QUInt8Storage", BOTH },
	{ "torch.ShortStorage", BOTH },
	{ "torch.ShortTensor", BOTH },
	{ "torch.Size", BOTH },
	{ "torch.Tensor", BOTH },
	{ "torch._tensor._rebuild_from_type_v2", TORCH_2_13 },
	{ "torch._utils._rebuild_device_tensor_from_cpu_tensor", TORCH_2_13 },
	{ "torch._utils._rebuild_device_tensor_from_numpy", TORCH_2_13 },
	{ "torch._utils._rebuild_meta_tensor_no_storage", BOTH },
	{ "torch._utils._rebuild_nested_tensor", TORCH_2_13 },
	{ "torch._utils._rebuild_parameter", BOTH },
	{ "torch._utils._rebuild_parameter_with_state", TORCH_2_13 },
	{ "torch._utils._rebuild_qtensor", TORCH_2_13 },
	{ "torch._utils._rebuild_sparse_csr_tensor", TORCH_1_13 },
	{ "torch._utils._rebuild_sparse_tensor", BOTH },
	{ "torch._utils._rebuild_tensor", BOTH },
	{ "torch._utils._rebuild_tensor_v2", BOTH },
	{ "torch._utils._rebuild_tensor_v3", TORCH_2_13 },
	{ "torch._utils._rebuild_wrapper_subclass", TORCH_2_13 },
	{ "torch.bfloat16", TORCH_2_13 },
	{ "torch.bits16", TORCH_2_13 },
	{ "torch.bits1x8", TORCH_2_13 },
	{ "torch.bits2x4", TORCH_2_13 },
	{ "torch.bits4x2", TORCH_2_13 },
	{ "torch.bits8", TORCH_2_13 },
	{ "torch.bool", TORCH_2_13 },
	{ "torch.complex128", BOTH },
	{ "torch.complex32", BOTH },
	{ "torch.complex64", BOTH },
	{ "torch.cuda.BFloat16Storage", BOTH },
	{ "torch.cuda.BFloat16Tensor", BOTH },
	{ "torch.cuda.BoolStorage", BOTH },
	{ "torch.cuda.BoolTensor", BOTH },
	{ "torch.cuda.ByteStorage", BOTH },
	{ "torch.cuda.ByteTensor", BOTH },
	{ "torch.cuda.CharStorage", BOTH },
	{ "torch.cuda.CharTensor", BOTH },
	{ "torch.cuda.ComplexDoubleStorage", BOTH },
	{ "torch.cuda.ComplexFloatStorage", BOTH },
	{ "torch.cuda.DoubleStorage", BOTH },
	{ "torch.cuda.DoubleTensor", BOTH },
	{ "torch.cuda.FloatStorage", BOTH },
	{ "torch.cuda.FloatTensor", BOTH },
	{ "torch.cuda.HalfStorage", BOTH },
	{ "torch.cuda.HalfTensor", BOTH },
	{ "torch.cuda.IntStorage", BOTH },
	{ "torch.cuda.IntTensor", BOTH },
	{ "torch.cuda.LongStorage", BOTH },
	{ "torch.cuda.LongTensor", BOTH },
	{ "torch.cuda.ShortStorage", BOTH },
	{ "torch.cuda.ShortTensor", BOTH },
	{ "torch.cuda.sparse.BFloat16Tensor", BOTH },
	{ "torch.cuda.sparse.ByteTensor", BOTH },
	{ "torch.cuda.sparse.CharTensor", BOTH },
	{ "torch.cuda.sparse.DoubleTensor", BOTH },
	{ "torch.cuda.sparse.FloatTensor", BOTH },
	{ "torch.cuda.sparse.HalfTensor", BOTH },
	{ "torch.cuda.sparse.IntTensor", BOTH },
	{ "torch.cuda.sparse.LongTensor", BOTH },
	{ "torch.cuda.sparse.ShortTensor", BOTH },
	{ "torch.device", TORCH_2_13 },
	{ "torch.float16", BOTH },
	{ "torch.float32", BOTH },
	{ "torch.float4_e2m1fn_x2", TORCH_2_13 },
	{ "torch.float64", BOTH },
	{ "torch.float8_e4m3fn", TORCH_2_13 },
	{ "torch.float8_e4m3fnuz", TORCH_2_13 },
	{ "torch.float8_e5m2", TORCH_2_13 },
	{ "torch.float8_e5m2fnuz", TORCH_2_13 },
	{ "torch.float8_e8m0fnu", TORCH_2_13 },
	{ "torch.int1", TORCH_2_13 },
	{ "torch.int16", BOTH },
	{ "torch.int2", TORCH_2_13 },
	{ "torch.int3", TORCH_2_13 },
	{ "torch.int32", BOTH },
	{ "torch.int4", TORCH_2_13 },
	{ "torch.int5", TORCH_2_13 },
	{ "torch.int6", TORCH_2_13 },
	{ "torch.int64", BOTH },
	{ "torch.int7", TORCH_2_13 },
	{ "torch.int8", BOTH },
	{ "torch.nn.parameter.Parameter", BOTH },
	{ "torch.per_channel_affine", TORCH_2_13 },
	{ "torch.per_channel_affine_float_qparams", TORCH_2_13 },
	{ "torch.per_channel_symmetric", TORCH_2_13 },
	{ "torch.per_tensor_affine", TORCH_2_13 },
	{ "torch.per_tensor_symmetric", TORCH_2_13 },
	{ "torch.qint32", TORCH_2_13 },
	{ "torch.qint8", TORCH_2_13 },
	{ "torch.quint2x4", TORCH_2_13 },
	{ "torch.quint4x2", TORCH_2_13 },
	{ "torch.quint8", TORCH_2_13 },
	{ "torch.serialization._get_layout", BOTH },
	{ "torch.sparse.BFloat16Tensor", BOTH },
	{ "torch.sparse.ByteTensor", BOTH },
	{ "torch.sparse.CharTensor", BOTH },
	{ "torch.sparse.DoubleTensor", BOTH },
	{ "torch.sparse.FloatTensor", BOTH },
	{ "torch.sparse.HalfTensor", BOTH },
	{ "torch.sparse.IntTensor", BOTH },
	{ "torch.sparse.LongTensor", BOTH },
	{ "torch.sparse.ShortTensor", BOTH },
	{ "torch.storage.TypedStorage", BOTH },
	{ "torch.storage.UntypedStorage", BOTH },
	{ "torch.uint1", TORCH_2_13 },
	{ "torch.uint16", TORCH_2_13 },
	{ "torch.uint2", TORCH_2_13 },
	{ "torch.uint3", TORCH_2_13 },
	{ "torch.uint32", TORCH_2_13 },
	{ "torch.uint4", TORCH_2_13 },
	{ "torch.uint5", TORCH_2_13 },
	{ "torch.uint6", TORCH_2_13 },
	{ "torch.uint64", TORCH_2_13 },
	{ "torch.uint7", TORCH_2_13 },
	{ "torch.uint8", TORCH_2_13 },
};

static int compare(const void *key, const void *item)
{
	return strcmp(key, ((const struct allowed *)item)->name);
}

static unsigned releases_of(const char *module, const char *name)
{
	const struct allowed *found;
	char path[160];
	int n = snprintf(path, sizeof(path), "%s.%s", module, name);

	if (n < 0 || (size_t)n >= sizeof(path))
		return 0;
	found = bsearch(path, allowed, sizeof(allowed) / sizeof(allowed[0]),
			sizeof(allowed[0]), compare);
	return found ? found->releases : 0;
}

unsigned torch_allowed_global(const char *module, const char *name)
{
	/* 2.13 takes Python 2's name for the module as well; 1.13 does not. */
	if (!strcmp(module, "__builtin__"))
		return releases_of("builtins", name) & TORCH_2_13;
	return releases_of(module, name);
}

unsigned torch_allowed_opcode(uint8_t opcode)
{
	static const char both[] =
		"\x80.cRb\x81(t\x85\x86\x87)]}\x8f"
		"aesuN\x88\x89JKM\x8aXUQhjqr";

	if (!opcode)
		return 0;
	if (memchr(both, opcode, sizeof(both) - 1))
		return BOTH;
	return opcode == 'G' ? TORCH_2_13 : 0;
}
