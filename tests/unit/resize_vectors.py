#!/usr/bin/env python3
"""Print tests/unit/resize_vectors.h: what torch's bicubic interpolation gives.

The input's element i is (i * 7919 % 1009) / 512 - 1.
"""
import sys

import torch
from torch.nn.functional import interpolate

CASES = [(1, 3, 3, 5, 5), (1, 3, 3, 2, 2), (2, 7, 5, 11, 3), (1, 5, 7, 2, 16),
         (3, 4, 4, 4, 4), (1, 1, 1, 3, 2), (1, 13, 13, 9, 9), (1, 2, 9, 5, 4)]


def main():
    print("/* Made by resize_vectors.py with torch %s. */" % torch.__version__)
    numbers, rows = [], []
    for dtype, name in ((torch.float32, "F32"), (torch.float64, "F64")):
        for n, h, w, oh, ow in CASES:
            i = torch.arange(n * h * w, dtype=torch.int64)
            t = ((i * 7919 % 1009).to(dtype) / 512 - 1).view(1, n, h, w)
            out = interpolate(t, (oh, ow), mode="bicubic", align_corners=False)
            rows.append("\t{ FERRY_%s, %d, %d, %d, %d, %d, %d }," %
                        (name, n, h, w, oh, ow, len(numbers)))
            numbers += out.view(-1).tolist()
    print("static const struct resized resized[] = {")
    print("\n".join(rows))
    print("};\n\nstatic const double numbers[] = {")
    for i in range(0, len(numbers), 4):
        print("\t" + " ".join("%.9g," % x for x in numbers[i:i + 4]))
    print("};")


sys.exit(main())
