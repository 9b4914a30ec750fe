#!/usr/bin/env python3
"""Print tests/unit/cast_vectors.h: what torch's Tensor.to() gives on x86-64.

Digests are the CRC-32 of the converted bytes of all values of an 8- or 16-bit
dtype, or of every 1021st float32 pattern; single cases are there to be read.
"""
import sys
import warnings
import zlib

import numpy as np
import torch

warnings.simplefilter("ignore")
DTYPES = {
    "BOOL8": torch.bool, "U8": torch.uint8, "I8": torch.int8,
    "U16": torch.uint16, "I16": torch.int16, "U32": torch.uint32,
    "I32": torch.int32, "U64": torch.uint64, "I64": torch.int64,
    "F16": torch.float16, "BF16": torch.bfloat16, "F32": torch.float32,
    "F64": torch.float64, "F8_E4M3FN": torch.float8_e4m3fn,
    "F8_E5M2": torch.float8_e5m2, "F8_E4M3FNUZ": torch.float8_e4m3fnuz,
    "F8_E5M2FNUZ": torch.float8_e5m2fnuz, "F8_E8M0FNU": torch.float8_e8m0fnu,
    "C64": torch.complex64, "C128": torch.complex128,
}
REAL = [d for d in DTYPES if not d.startswith("C")]
UNSIGNED = {1: np.uint8, 2: np.uint16, 4: np.uint32, 8: np.uint64}


def raw(t):
    if t.is_complex():
        t = torch.view_as_real(t)
    return t.contiguous().view(-1).view(torch.uint8).numpy().tobytes()


def tensor(bits, dtype):
    bits = np.ascontiguousarray(bits)
    return torch.from_numpy(bits.view(np.uint8).copy()).view(dtype)


def digest(source, bits):
    for to in REAL:
        # Outside of uint32 torch's result depends on the place in the tensor.
        if to == source or (source, to) == ("F32", "U32"):
            continue
        t = tensor(bits, DTYPES[source]).to(DTYPES[to])
        print("\t{ FERRY_%s, FERRY_%s, 0x%08x }," %
              (source, to, zlib.crc32(raw(t))))


CASES = [
    ("F32", "BF16", [0x3f808000, 0x3f818000, 0x3f808001, 0x7f7fffff,
                     0x00000001, 0x80008000, 0x7f800001, 0xffc00000]),
    ("F32", "F16", [0x3f801000, 0x3f803000, 0x477fefff, 0x477ff000, 0x33000000,
                    0x33000001, 0x387fe000, 0x80000000, 0x7f802000,
                    0xffffffff]),
    ("F32", "F8_E4M3FN", [0x43e00000, 0x43e80000, 0x43e80001, 0x7f800000,
                          0xffc00000, 0x3a800000, 0x3a800001, 0x3f880000]),
    ("F32", "F8_E5M2", [0x47600000, 0x47700000, 0x7f800000, 0x7fc00000,
                        0x37000000, 0x37000001]),
    ("F32", "F8_E4M3FNUZ", [0x43700000, 0x43780000, 0x80000000, 0xff800000,
                            0xb8000000]),
    ("F32", "F8_E5M2FNUZ", [0x47600000, 0x47700000, 0x80000000, 0x7fc00000]),
    ("F32", "F8_E8M0FNU", [0, 0x00400000, 0x00400001, 0x3fc00000, 0x01400000,
                           0x7f400000, 0xbf800000, 0x7f800000]),
    ("F32", "I32", [0x3fffffff, 0xbfffffff, 0x4f000000, 0x7fc00000]),
    ("F32", "U8", [0x43800000, 0x43960000, 0xbf800000]),
    ("F32", "U64", [0x5f000000, 0x5f400000, 0x7f800000, 0xbf800000]),
    ("F64", "F32", [0x3ff0000010000000, 0x3ff0000030000000, 0x47efffffefffffff,
                    0x47effffff0000000, 0x36a0000000000001,
                    0x7ff4000000000000]),
    ("F64", "F16", [0x3ff0020000000001, 0x3ff0020000000000]),
    ("F64", "BF16", [0x3ff0100000000001]),
    ("F64", "U8", [0x41ff629ce5d4eeda]),
    ("I64", "F32", [0x0000000001000001, 0x7fffffffffffffff]),
    ("I64", "F16", [65504, 65520, 0xffffffffffffffff]),
    ("U64", "F64", [0xffffffffffffffff, 0xfffffffffffffbff]),
    ("I32", "F8_E4M3FN", [17, 449, 0xffffffef]),
    ("BOOL8", "BF16", [0, 1]),
    ("F16", "F32", [0x0001, 0x7c01, 0xfe00, 0x8000]),
    ("BF16", "F32", [0x7f81, 0x0001]),
]


def cases():
    for source, to, bits in CASES:
        s = DTYPES[source]
        size = torch.empty(0, dtype=s).element_size()
        for b in bits:
            # A long tensor, for short ones take other paths in torch.
            t = tensor(np.full(1024, b, dtype=UNSIGNED[size]), s).to(DTYPES[to])
            n = t.element_size()
            out = int.from_bytes(raw(t)[:n], "little")
            print("\t{ FERRY_%s, FERRY_%s, UINT64_C(0x%x), UINT64_C(0x%x) }," %
                  (source, to, b, out))


print("/* Made by tests/unit/cast_vectors.py with torch %s. */" %
      torch.__version__.split("+")[0])
print("static const struct digest digests[] = {")
for d in ("BOOL8", "U8", "I8", "F8_E4M3FN", "F8_E5M2", "F8_E4M3FNUZ",
          "F8_E5M2FNUZ", "F8_E8M0FNU"):
    values = np.arange(2 if d == "BOOL8" else 256, dtype=np.uint8)
    digest(d, np.resize(values, 4096))
for d in ("U16", "I16", "F16", "BF16"):
    digest(d, np.arange(65536, dtype=np.uint16))
digest("F32", np.arange(0, 1 << 32, 1021, dtype=np.uint64).astype(np.uint32))
print("};\n\nstatic const struct vector vectors[] = {")
cases()
print("};")
