#!/usr/bin/env python3
"""Write the input of every case here, and hold the verdicts against the
reference: `make.py` writes, `make.py --check` asks the installed safetensors.

A case is <verdict>/<name>/; its `expect` is written by hand: the document as
typed JSON for a valid one, code, offset and a part of the text for an invalid
one.  tests/unit/test_safetensors_corpus.c reads them.
"""

import json
import os
import struct
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
VALID, INVALID = {}, {}
# Refused here, taken by the reference: which of two entries with one name is
# meant is a guess, and an array in place of an object is its parser's leniency.
STRICTER = {"duplicate-name-same-range", "entry-is-array"}


def file(header, data=b"", length=None):
    if not isinstance(header, bytes):
        header = json.dumps(header, separators=(",", ":")).encode()
    if length is None:
        length = len(header)
    return struct.pack("<Q", length) + header + data


def entry(dtype, shape, begin, end):
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


F = entry("F32", [1], 0, 4)
FT = json.dumps(F, separators=(",", ":"))
D4 = b"\0\0\x80\x3f"

VALID["empty"] = file(b"{}")
VALID["leading-space"] = file(b" \t\r\n" + json.dumps({"a": F}).encode(), D4)
VALID["trailing-space"] = file(json.dumps({"a": F}).encode() + b" \t\r\n", D4)
VALID["metadata-null"] = file({"__metadata__": None, "a": F}, D4)
VALID["metadata-key-twice"] = file(
    b'{"__metadata__":{"k":"1","k":"2"},"a":%s}' % FT.encode(), D4)
VALID["metadata-last"] = file({"a": F, "__metadata__": {"x": "y"}}, D4)
VALID["unknown-field"] = file({"a": dict(F, extra=[1, {"b": None}])}, D4)
VALID["order-of-header"] = file(
    {"b": entry("U8", [2], 2, 4), "a": entry("U8", [2], 0, 2)}, b"abcd")
VALID["zero-size-at-start"] = file(
    {"a": entry("U8", [2], 0, 2), "e": entry("F32", [0], 0, 0)}, b"ab")
VALID["zero-size-at-end"] = file(
    {"a": entry("U8", [2], 0, 2), "e": entry("F32", [3, 0], 2, 2)}, b"ab")
VALID["zero-dimension-first"] = file(
    {"e": entry("F32", [0, 1 << 32, 1 << 32], 0, 0)})
VALID["unaligned"] = file(
    {"a": entry("U8", [1], 0, 1), "b": entry("F32", [1], 1, 5)}, b"\1" + D4)
VALID["empty-name"] = file({"": F}, D4)
VALID["escaped-name"] = file(
    b'{"\\u0041\\u00e9\\ud83d\\ude00":%s}' % FT.encode(), D4)
VALID["name-with-nul"] = file(b'{"a\\u0000b":%s}' % FT.encode(), D4)
VALID["scalar"] = file({"a": entry("F32", [], 0, 4)}, D4)
VALID["not-a-number"] = file({"a": F}, b"\1\2\xff\x7f")
VALID["rank-8"] = file({"a": entry("U8", [1] * 8, 0, 1)}, b"x")
VALID["alias"] = file(
    {"__metadata__": {"format": "pt", "b": "a"}, "a": F}, D4)
VALID["format-is-no-alias"] = file(
    {"__metadata__": {"format": "a"}, "a": F}, D4)
DTYPES = ("U64 I64 F64 C64 F32 U32 I32 BF16 F16 U16 I16 F8_E5M2FNUZ "
          "F8_E4M3FNUZ F8_E8M0 F8_E4M3 F8_E5M2 I8 U8 F6_E3M2 F6_E2M3 F4 "
          "BOOL").split()
BITS = {"BOOL": 8, "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6, "BF16": 16, "C64": 64}


def every_dtype():
    header, at = {}, 0
    for name in DTYPES:
        bits = BITS.get(name) or (8 if name.startswith("F8") else
                                  int(name[1:]))
        n = 4 * bits // 8
        header[name] = entry(name, [4], at, at + n)
        at += n
    return file(header, bytes(i & 1 for i in range(at)))


VALID["every-dtype"] = every_dtype()
VALID["f4-odd"] = file({"a": entry("F4", [2, 3], 0, 3)}, b"abc")

INVALID["no-bytes"] = b""
INVALID["seven-bytes"] = b"\2\0\0\0\0\0\0"
INVALID["header-too-large"] = file(b"{}", length=100000001)
INVALID["header-length-huge"] = file(b"{}", length=(1 << 64) - 1)
INVALID["header-past-end"] = file(b"{}", length=3)
INVALID["header-empty"] = file(b"")
INVALID["trailing-data"] = file(b"{}", b"x")
INVALID["file-longer"] = file({"a": F}, D4 + b"x")
INVALID["file-shorter"] = file({"a": F}, D4[:3])
INVALID["not-utf8"] = file(b'{"\xff":%s}' % FT.encode(), D4)
INVALID["byte-order-mark"] = file(b"\xef\xbb\xbf{}")
INVALID["trailing-nul"] = file(b"{}\0")
INVALID["trailing-garbage"] = file(b"{}x")
INVALID["trailing-comma"] = file(b'{"a":%s,}' % FT.encode(), D4)
INVALID["top-level-array"] = file(b"[]")
INVALID["top-level-text"] = file(b'"a"')
INVALID["duplicate-name-same-range"] = file(
    b'{"a":%s,"a":%s}' % (FT.encode(), FT.encode()), D4)
INVALID["duplicate-name"] = file(
    b'{"a":%s,"a":{"dtype":"U8","shape":[2],"data_offsets":[4,6]}}'
    % FT.encode(), D4 + b"ab")
INVALID["metadata-twice"] = file(
    b'{"__metadata__":{},"__metadata__":{},"a":%s}' % FT.encode(), D4)
INVALID["metadata-number"] = file({"__metadata__": {"a": 1}})
INVALID["metadata-array"] = file({"__metadata__": []})
INVALID["field-twice"] = file(
    b'{"a":{"dtype":"F32","dtype":"F32","shape":[1],"data_offsets":[0,4]}}',
    D4)
INVALID["no-dtype"] = file({"a": {"shape": [1], "data_offsets": [0, 4]}}, D4)
INVALID["no-shape"] = file({"a": {"dtype": "F32", "data_offsets": [0, 4]}}, D4)
INVALID["no-offsets"] = file({"a": {"dtype": "F32", "shape": [1]}}, D4)
INVALID["entry-is-array"] = file({"a": ["F32", [1], [0, 4]]}, D4)
INVALID["entry-is-null"] = file({"a": None})
INVALID["unknown-dtype"] = file({"a": entry("F33", [1], 0, 4)}, D4)
INVALID["lower-case-dtype"] = file({"a": entry("f32", [1], 0, 4)}, D4)
INVALID["dtype-is-number"] = file({"a": entry(32, [1], 0, 4)}, D4)
INVALID["shape-real"] = file({"a": entry("F32", [1.0], 0, 4)}, D4)
INVALID["shape-negative"] = file({"a": entry("F32", [-1], 0, 4)}, D4)
INVALID["shape-minus-zero"] = file(
    b'{"a":{"dtype":"F32","shape":[-0],"data_offsets":[0,0]}}')
INVALID["shape-leading-zero"] = file(
    b'{"a":{"dtype":"F32","shape":[01],"data_offsets":[0,4]}}', D4)
INVALID["shape-too-large"] = file(
    b'{"a":{"dtype":"F32","shape":[18446744073709551616],'
    b'"data_offsets":[0,4]}}', D4)
INVALID["shape-overflows"] = file(
    {"a": entry("F32", [1 << 32, 1 << 32, 0], 0, 0)})
INVALID["bits-overflow"] = file({"a": entry("F32", [1 << 60], 0, 0)})
INVALID["three-offsets"] = file(
    {"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4, 4]}}, D4)
INVALID["one-offset"] = file(
    {"a": {"dtype": "F32", "shape": [1], "data_offsets": [0]}}, D4)
INVALID["offsets-reversed"] = file({"a": entry("F32", [1], 4, 0)}, D4)
INVALID["hole-at-start"] = file({"a": entry("F32", [1], 4, 8)}, D4 + D4)
INVALID["hole"] = file(
    {"a": F, "b": entry("U8", [1], 5, 6)}, D4 + b"xy")
INVALID["overlap"] = file(
    {"a": F, "b": entry("U8", [2], 3, 5)}, D4 + b"x")
INVALID["zero-size-in-the-middle"] = file(
    {"a": F, "e": entry("F32", [0], 2, 2)}, D4)
INVALID["size-differs"] = file({"a": entry("F32", [2], 0, 4)}, D4)
INVALID["offset-past-end"] = file({"a": entry("F32", [1 << 40], 0, 4 << 40)},
                                  D4)
INVALID["half-a-byte"] = file({"a": entry("F4", [3], 0, 1)}, b"x")
INVALID["lone-surrogate"] = file(b'{"\\ud800":%s}' % FT.encode(), D4)
INVALID["slices"] = file(
    {"__metadata__": {"format": "pt",
                      "DCP_SHARDING_INFO": '{"a":{"saved_offsets":[0]}}',
                      "DCP_VERSION": "1.0"}, "a": F}, D4)
# Refused on another ground than the reference's, which takes them.
OTHER = {"slices"}

ONE = {"x": file({"a": F}, D4), "y": file({"b": F, "c": entry(
    "U8", [2], 4, 6)}, D4 + b"hi")}


def index(files, weight_map, metadata=None):
    text = json.dumps({"metadata": metadata or {"total_size": 10},
                       "weight_map": weight_map}, indent=2)
    return {"input.safetensors.index.json": text.encode(),
            **{name + ".safetensors": data for name, data in files.items()}}


MAP = {"a": "x.safetensors", "b": "y.safetensors", "c": "y.safetensors"}
VALID["index"] = index(ONE, MAP)
VALID["index-with-metadata"] = index(
    ONE, MAP, {"total_size": -5, "author": "me", "b2": "b"})
VALID["index-without-metadata"] = {
    **index(ONE, MAP), "input.safetensors.index.json":
    json.dumps({"weight_map": MAP}).encode()}
VALID["index-forgets-a-tensor"] = index(
    ONE, {"a": "x.safetensors", "b": "y.safetensors"})
INVALID["index-shard-missing"] = index({"x": ONE["x"]}, MAP)
INVALID["index-tensor-missing"] = index(ONE, {**MAP, "d": "x.safetensors"})
INVALID["index-tensor-elsewhere"] = index(ONE, {**MAP, "b": "x.safetensors"})
INVALID["index-tensor-twice"] = index({"x": ONE["x"], "y": ONE["x"]},
                                      {"a": "x.safetensors",
                                       "b": "y.safetensors"})
INVALID["index-leaves-directory"] = index(ONE, {"a": "../x.safetensors"})
INVALID["index-absolute"] = index(ONE, {"a": "/etc/passwd"})
INVALID["index-without-map"] = {
    "input.safetensors.index.json": b'{"metadata": {"total_size": 1}}'}
INVALID["index-map-of-numbers"] = index(ONE, {"a": 1})
INVALID["index-shard-broken"] = index({"x": ONE["x"][:-1]},
                                      {"a": "x.safetensors"})


def kept(document, header, data, **metadata):
    text = json.dumps({"$ferry": 1, "document": document},
                      separators=(",", ":"))
    return file({"__metadata__": {"format": "pt", "ferry.document": text,
                                  **metadata}, **header}, data)


T = {"$tensor": "a"}
VALID["document"] = kept({"model": T, "step": {"$tuple": [3]}}, {"a": F}, D4)
VALID["document-stale"] = kept({"model": {"$tensor": "b"}}, {"a": F}, D4)
VALID["document-of-fewer"] = kept(
    {"model": T}, {"a": F, "b": entry("U8", [1], 4, 5)}, D4 + b"x")
VALID["document-other-size"] = kept(
    {"model": {"$tensor": "a", "dtype": "float32", "shape": [2]}}, {"a": F},
    D4)
VALID["document-strides"] = kept(
    [{"$tensor": "a", "shape": [2, 2], "strides": [1, 2], "storage": 1,
      "nbytes": 4}], {"a": entry("U8", [2, 2], 0, 4)}, b"abcd")
VALID["document-alias"] = kept({"x": T, "y": T}, {"a": F}, D4, y="a")
VALID["document-bytes"] = kept(
    {"x": {"$bytes": {"stored": "ferry.bytes.0"}}},
    {"ferry.bytes.0": entry("U8", [4], 0, 4)}, b"long")
VALID["sidecar-missing"] = file({"__metadata__": {
    "ferry.sidecar": json.dumps({"file": "gone.ferry.json", "nbytes": 1,
                                 "sha256": "0" * 64})}, "a": F}, D4)
VALID["sidecar-changed"] = {
    "input.safetensors": file({"__metadata__": {
        "ferry.sidecar": json.dumps({"file": "rest.ferry.json", "nbytes": 26,
                                     "sha256": "0" * 64})}, "a": F}, D4),
    "rest.ferry.json": b'{"$ferry":1,"document":[]}'}
INVALID["document-broken"] = file(
    {"__metadata__": {"ferry.document": '{"$ferry":1,"document":[}'},
     "a": F}, D4)
INVALID["document-unknown-word"] = kept({"$what": 1}, {"a": F}, D4)
INVALID["document-out-of-storage"] = kept(
    [{"$tensor": "a", "shape": [1], "strides": [1], "offset": 1, "storage": 1,
      "nbytes": 4}], {"a": F}, D4)
INVALID["document-storage-differs"] = kept(
    [{"$tensor": "a", "storage": 1, "nbytes": 8},
     {"$tensor": "b", "storage": 1, "nbytes": 4}],
    {"a": F, "b": entry("F32", [1], 4, 8)}, D4 + D4)
INVALID["document-storage-bomb"] = kept(
    [{"$tensor": "a", "storage": 1, "nbytes": 1 << 50}], {"a": F}, D4)
INVALID["sidecar-nonsense"] = file(
    {"__metadata__": {"ferry.sidecar": '{"file":"x"}'}, "a": F}, D4)
INVALID["sidecar-leaves-directory"] = file({"__metadata__": {
    "ferry.sidecar": json.dumps({"file": "../x", "nbytes": 1,
                                 "sha256": "0" * 64})}, "a": F}, D4)
OTHER |= {n for n in INVALID if n.startswith(("document-", "sidecar-"))}


def write():
    for verdict, cases in (("valid", VALID), ("invalid", INVALID)):
        for name, content in cases.items():
            folder = os.path.join(HERE, verdict, name)
            os.makedirs(folder, exist_ok=True)
            if isinstance(content, bytes):
                content = {"input.safetensors": content}
            for path, data in content.items():
                with open(os.path.join(folder, path), "wb") as out:
                    out.write(data)


def check():
    import safetensors

    wrong = 0
    for cases, want in ((VALID, True), (INVALID, False)):
        for name, content in cases.items():
            if not isinstance(content, bytes):
                continue
            if name in STRICTER | OTHER:
                expected = True
            else:
                expected = want
            try:
                safetensors.deserialize(content)
                taken, why = True, ""
            except Exception as error:
                taken, why = False, str(error)
            if taken != expected:
                wrong += 1
                print(f"{name}: the reference {'takes' if taken else 'refuses'}"
                      f" it {why}")
    print(f"{len(VALID) + len(INVALID)} cases, {wrong} verdicts differ")
    return wrong != 0


if __name__ == "__main__":
    write()
    sys.exit(check() if "--check" in sys.argv else 0)
