#!/usr/bin/env python3
"""Print tests/unit/mean_vectors.h: what torch's acc += t; acc /= n gives.

Digests are the CRC-32 of the bytes of the mean of n tensors of 4,096 elements
on x86-64.  The bits of element i of tensor k come from a counter that is mixed;
every fourth number is near 1, every eighth is tiny, every sixteenth an infinity
or a NaN.  In complex results every NaN is written as one pattern first, for the
payload of a NaN that arithmetic made of two is not told by any rule.
"""
import sys
import warnings
import zlib

import numpy as np
import torch

warnings.simplefilter("ignore")
N = 4096
# name: dtype, bits of a number, bits of its mantissa
DTYPES = {
    "F64": (torch.float64, 64, 52), "F32": (torch.float32, 32, 23),
    "F16": (torch.float16, 16, 10), "BF16": (torch.bfloat16, 16, 7),
    "C64": (torch.complex64, 32, 23), "C128": (torch.complex128, 64, 52),
}
UNSIGNED = {16: np.uint16, 32: np.uint32, 64: np.uint64}
# How many tensors, and the divisor.
CASES = [(1, 1), (2, 2), (3, 3), (5, 5), (7, 7), (10, 10), (3, 257), (4, 70001)]


def mix(x):
    x = (x + np.uint64(1)) * np.uint64(0x9e3779b97f4a7c15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xbf58476d1ce4e5b9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94d049bb133111eb)
    return x ^ (x >> np.uint64(31))


def numbers(k, n, width, mantissa):
    i = np.arange(n, dtype=np.uint64)
    v = mix(i + np.uint64(k * 1000003))
    v = v >> np.uint64(64 - width)
    exponent = ((1 << (width - 1 - mantissa)) - 1) << mantissa
    near = ((1 << (width - 2 - mantissa)) - 1) << mantissa
    keep = np.uint64(((1 << width) - 1) ^ exponent)
    v = np.where(i % 4 == 1, (v & keep) | np.uint64(near), v)
    v = np.where(i % 8 == 2, v & keep, v)
    v = np.where(mix(v) % 16 == 3, v | np.uint64(exponent), v)
    v = np.where(mix(v) % 32 == 5, v & ~np.uint64((1 << mantissa) - 1), v)
    return v.astype(UNSIGNED[width])


def tensor(name, k):
    dtype, width, mantissa = DTYPES[name]
    n = N * (2 if dtype.is_complex else 1)
    bits = numbers(k, n, width, mantissa)
    return torch.from_numpy(bits.view(np.uint8).copy()).view(dtype)


def raw(name, t):
    if t.is_complex():
        t = torch.view_as_real(t).contiguous().view(-1)
        t[t != t] = float("nan")
    return t.contiguous().view(torch.uint8).numpy().tobytes()


def main():
    print("/* Made by mean_vectors.py with torch %s. */" % torch.__version__)
    print("static const struct digest digests[] = {")
    for name in DTYPES:
        for n, divisor in CASES:
            acc = tensor(name, 0).clone()
            for k in range(1, n):
                acc += tensor(name, k)
            acc /= divisor
            print("\t{ FERRY_%s, %d, %d, 0x%08x }," %
                  (name, n, divisor, zlib.crc32(raw(name, acc))))
    print("};")


sys.exit(main())
