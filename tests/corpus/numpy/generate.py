#!/usr/bin/env python3
"""Make this corpus with the numpy of the interpreter that runs it.

    generate.py DIRECTORY

writes the files numpy makes, and expect.txt: for each array its file, key,
dtype, shape and the CRC-32 of its elements, little-endian in C order.
verdicts.txt says which headers numpy takes.
"""
import io
import os
import struct
import sys
import warnings
import zipfile
import zlib

import numpy as np

warnings.simplefilter("ignore")
out = sys.argv[1]
os.makedirs(out, exist_ok=True)
random = np.random.RandomState(7)
expect = []

PLAIN = ["b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8",
         "f2", "f4", "f8", "c8", "c16"]
NAMES = {"b1": "bool", "i1": "int8", "i2": "int16", "i4": "int32",
         "i8": "int64", "u1": "uint8", "u2": "uint16", "u4": "uint32",
         "u8": "uint64", "f2": "float16", "f4": "float32", "f8": "float64",
         "c8": "complex64", "c16": "complex128"}


def path(name):
    return os.path.join(out, name)


def bits(descr, shape):
    """Any bits: NaNs with payloads, infinities and subnormals among them."""
    dtype = np.dtype(descr)
    n = int(np.prod(shape)) * dtype.itemsize
    if dtype.kind == "b":
        return random.randint(0, 2, n).astype("u1").view("?").reshape(shape)
    return np.frombuffer(random.bytes(n), dtype).reshape(shape)


def as_model(a):
    """The dtype and the array that the model has for it."""
    a = np.asarray(a)
    little = a.astype(a.dtype.newbyteorder("<"))
    kind = a.dtype.kind
    if kind == "U":
        n = a.dtype.itemsize // 4
        return "uint32", np.frombuffer(little.tobytes(), "<u4").reshape(
            a.shape + (n,))
    if kind in "SV":
        return "uint8", np.frombuffer(little.tobytes(), "u1").reshape(
            a.shape + (a.dtype.itemsize,))
    if kind in "Mm":
        return "int64", np.frombuffer(little.tobytes(), "<i8").reshape(a.shape)
    return NAMES[a.dtype.str[1:]], little


def expects(file, key, a, name=None):
    dtype, a = as_model(a)
    shape = ",".join(map(str, a.shape)) or "-"
    expect.append("%s %s %s %s %08x\n" % (
        file, key, name or dtype, shape, zlib.crc32(a.tobytes("C"))))


def npy(a, version=None):
    f = io.BytesIO()
    np.lib.format.write_array(f, a, version)
    return f.getvalue()


def archive(file, arrays, deflated=False, version=None, plain=True):
    kind = zipfile.ZIP_DEFLATED if deflated else zipfile.ZIP_STORED
    with zipfile.ZipFile(path(file), "w", kind) as z:
        for key, (a, v) in arrays.items():
            info = zipfile.ZipInfo(key + ".npy")
            info.compress_type = kind
            z.writestr(info, npy(a, v))
            if plain:
                expects(file, key, a)


def matrix():
    arrays = {}
    for descr in PLAIN:
        for order in "CF":
            for endian in "<>":
                for version in (1, 2, 3):
                    a = bits(endian + descr, (2, 3, 4))
                    if order == "F":
                        a = np.asfortranarray(a)
                    key = "%s-%s-%s-%d" % (
                        descr, order, "le" if endian == "<" else "be", version)
                    arrays[key] = (a, (version, 0))
    archive("matrix.npz", arrays)


def shapes():
    arrays = {}
    for shape in [(), (0,), (1,), (5,), (0, 3), (3, 0), (3, 0, 2), (1, 4),
                  (4, 1), (2, 3, 4, 5), (2, 1, 3, 1, 2, 1)]:
        a = bits("<f4", shape)
        key = "x".join(map(str, shape)) or "scalar"
        arrays[key] = (a, None)
        if len(shape) > 1:
            arrays[key + "-F"] = (np.asfortranarray(a), None)
            arrays[key + "-F-be"] = (np.asfortranarray(
                a.astype(">f4")), None)
    archive("shapes.npz", arrays)
    archive("deflated.npz", arrays, deflated=True)


def savez():
    """As numpy itself writes archives, zip64 records and all."""
    a, b = bits("<f4", (3, 5)), bits("<i8", (7,))
    odd = {"layer/0/kernel": a, "layer.0.bias": b, "Gewichte.gr\u00f6\u00dfe": a,
           "\u6a21\u578b": b, "x.npy": a, "with space": b}
    np.savez(path("savez.npz"), a, b, **odd)
    np.savez_compressed(path("compressed.npz"), a, b, **odd)
    np.savez(path("none.npz"))
    for file in ("savez.npz", "compressed.npz"):
        for key, value in {"arr_0": a, "arr_1": b, **odd}.items():
            expects(file, key.replace(" ", "%20"), value)


def texts():
    dates = np.array(["2020-01-01", "NaT", "1969-12-31"], "M8[D]")
    arrays = {
        "U": np.array(["alpha", "\u03b2", ""]),
        "U-be": np.array(["alpha", "\u03b2", ""]).astype(">U5"),
        "U-scalar": np.array("class name"),
        "U-F": np.asfortranarray(np.array([["a", "bb", "c"],
                                           ["dd", "e", "ff"]])),
        "S": np.array([b"abc", b"\0\xff", b""]),
        "S-be": np.array([b"abc", b"\0\xff", b""]),
        "V5": np.frombuffer(random.bytes(15), "V5"),
        "M8": dates,
        "M8-be": dates.astype(">M8[D]"),
        "M8-25us": dates.astype("M8[25us]"),
        "m8": dates[:1] - dates[2:],
    }
    archive("texts.npz", {k: (v, None) for k, v in arrays.items()})


def fields(file, a):
    def walk(key, a):
        if a.dtype.names is None:
            expects(file, key, a)
            return
        for name in a.dtype.names:
            walk(key + "." + name if key else name, a[name])

    np.save(path(file), a)
    walk("", a)


def records():
    fields("packed.npy", bits([("a", "u1"), ("b", "<f4"), ("c", ">i2")],
                              (3, 2)))
    fields("aligned.npy", np.zeros(4, np.dtype(
        [("a", "u1"), ("b", "<f8"), ("c", "<u2")], align=True)))
    fields("nested.npy", np.asfortranarray(bits(
        [("id", "<u4"), ("pos", [("xyz", ">f4", (3,)), ("t", "<f8")], (2,)),
         ("tag", "S3")], (2, 3))))


class Evil:
    def __reduce__(self):
        return os.system, ("echo this must never run",)


def objects():
    inner = {"conv1": {"weights": bits("<f4", (2, 3)),
                       "biases": bits("<f4", (3,))}}
    np.save(path("dict.npy"), np.array(inner, dtype=object))
    for name, a in inner["conv1"].items():
        expects("dict.npy", "conv1." + name, a)
    evil = np.empty(1, dtype=object)
    evil[0] = Evil()
    np.save(path("evil.npy"), evil)
    list_ = np.empty(2, dtype=object)
    list_[0], list_[1] = "one", {"two": 2}
    np.save(path("objects.npy"), list_)


def single():
    a = bits("<f4", (3, 5))
    np.save(path("plain.npy"), a)
    expects("plain.npy", "-", a)
    f = np.asfortranarray(a)
    np.save(path("fortran.npy"), f)
    expects("fortran.npy", "-", f)
    head = b"{'descr': u'<f4', 'shape': (3L, 5L), 'fortran_order': False}"
    head += b" " * (64 - (10 + len(head)) % 16 - 1) + b"\n"
    with open(path("python2.npy"), "wb") as file:
        file.write(b"\x93NUMPY\1\0" + struct.pack("<H", len(head)) + head +
                   a.tobytes())
    expects("python2.npy", "-", a)


def mixed():
    """Members that are no arrays, twice the same name, a directory."""
    a, b = bits("<f4", (4,)), bits("<f4", (4,))
    with zipfile.ZipFile(path("mixed.npz"), "w") as z:
        z.writestr("readme.txt", b"not an array")
        z.writestr("dir/", b"")
        z.writestr("dir/w.npy", npy(a))
        z.writestr("dir/w.npy", npy(b))
        z.writestr("broken.npy", b"no magic")
        z.writestr("both.npy", npy(a))
        z.writestr("both", npy(b))
    loaded = np.load(path("mixed.npz"))
    expects("mixed.npz", "dir/w", loaded["dir/w"])
    expects("mixed.npz", "both", loaded["both"])


def bombs():
    """Little archives that would become much memory."""
    head = b"{'descr': '<f4', 'fortran_order': False, 'shape': ()}"
    head += b" " * 60000
    long = (b"\x93NUMPY\1\0" + struct.pack("<H", len(head)) + head + bytes(4))
    with zipfile.ZipFile(path("bomb-headers.npz"), "w",
                         zipfile.ZIP_DEFLATED) as z:
        for i in range(40):
            z.writestr(zipfile.ZipInfo("%d.npy" % i), long,
                       zipfile.ZIP_DEFLATED)
    with zipfile.ZipFile(path("bomb-document.npz"), "w",
                         zipfile.ZIP_DEFLATED) as z:
        z.writestr(zipfile.ZipInfo("__ferry__.json"),
                   b'{"$ferry":1,"document":[' + b"0," * (9 << 20) + b"0]}",
                   zipfile.ZIP_DEFLATED)
    many = io.BytesIO()
    np.save(many, np.array(None, dtype=object))
    with zipfile.ZipFile(path("bomb-pickle.npz"), "w",
                         zipfile.ZIP_DEFLATED) as z:
        z.writestr(zipfile.ZipInfo("a.npy"), many.getvalue()[:128] +
                   b"N0" * (9 << 20) + b"N.", zipfile.ZIP_DEFLATED)


def extended():
    """What libraries that add dtypes to numpy save."""
    import ml_dtypes

    raw = random.bytes(24)
    for name, kind in [("bfloat16", "bfloat16"),
                       ("float8_e4m3fn", "float8_e4m3fn"),
                       ("float8_e5m2", "float8_e5m2")]:
        a = np.frombuffer(raw, getattr(ml_dtypes, kind))
        np.save(path(kind + ".npy"), a)
        expect.append("%s - %s %d %08x\n" % (
            kind + ".npy", name, len(a), zlib.crc32(raw)))


HEADERS = """\
{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }
{"descr": "<f4", "fortran_order": True, "shape": (2, 3)}
{'shape': (2, 3), 'fortran_order': False, 'descr': '<f4'}
 {'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }
{'descr': '<f4', 'fortran_order': False, 'shape': ()}
{'descr': '<f4', 'fortran_order': False, 'shape': (2,)}
{'descr': '<f4', 'fortran_order': False, 'shape': (2)}
{'descr': '<f4', 'fortran_order': False, 'shape': [2, 3]}
{'descr': '<f4', 'fortran_order': False, 'shape': (True, 2)}
{'descr': '<f4', 'fortran_order': False, 'shape': (2.0, 2)}
{'descr': '<f4', 'fortran_order': False, 'shape': (-1, 2)}
{'descr': '<f4', 'fortran_order': False, 'shape': (0x10, 1_0)}
{'descr': '<f4', 'fortran_order': False, 'shape': (010,)}
{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999, 99999999999)}
{'descr': '<f4', 'fortran_order': False, 'shape': (16384,)}
{'descr': '<f4', 'fortran_order': False, 'shape': (16385,)}
{'descr': '<f4', 'fortran_order': 0, 'shape': (2,)}
{'descr': '<f4', 'fortran_order': None, 'shape': (2,)}
{'descr': '<f4', 'fortran_order': 'False', 'shape': (2,)}
{'descr': '<f4', 'fortran_order': False}
{'descr': '<f4', 'fortran_order': False, 'shape': (2,), 'x': 1}
{'descr': '<f4', 'fortran_order': False, 'shape': (9,), 'shape': (2,)}
{'descr': '<f4', 'fortran_order': False, 'shape': (2,)
{'descr': '<f4', 'fortran_order': False, 'shape': (2,)} x
{'descr': '<f4' 'fortran_order': False, 'shape': (2,)}
{'descr': '<f4',, 'fortran_order': False, 'shape': (2,)}
{'descr': '<f4', 'fortran_order': false, 'shape': (2,)}
['descr', '<f4']
'descr'
{}

{'descr': '<' 'f4', 'fortran_order': False, 'shape': (2,)}
{'descr': ('<f4'), 'fortran_order': (False), 'shape': ((2,))}
{'descr': '\\x3cf4', 'fortran_order': False, 'shape': (2,)}
{'descr': u'<f4', 'fortran_order': False, 'shape': (2,)}
{'descr': r'<f4', 'fortran_order': False, 'shape': (2,)}
{'descr': b'<f4', 'fortran_order': False, 'shape': (2,)}
{'descr': '<f4', 'fortran_order': False, 'shape': (+2,)}
{'descr': 4, 'fortran_order': False, 'shape': (2,)}
{'descr': '', 'fortran_order': False, 'shape': (2,)}
{'descr': 'f4', 'fortran_order': False, 'shape': (2,)}
{'descr': '=f4', 'fortran_order': False, 'shape': (2,)}
{'descr': '|f4', 'fortran_order': False, 'shape': (2,)}
{'descr': 'float32', 'fortran_order': False, 'shape': (2,)}
{'descr': '?', 'fortran_order': False, 'shape': (2,)}
{'descr': 'd', 'fortran_order': False, 'shape': (2,)}
{'descr': '<f3', 'fortran_order': False, 'shape': (2,)}
{'descr': '<f', 'fortran_order': False, 'shape': (2,)}
{'descr': '<q8', 'fortran_order': False, 'shape': (2,)}
{'descr': '<<f4', 'fortran_order': False, 'shape': (2,)}
{'descr': '<i16', 'fortran_order': False, 'shape': (2,)}
{'descr': '|S3', 'fortran_order': False, 'shape': (2,)}
{'descr': '<U-3', 'fortran_order': False, 'shape': (2,)}
{'descr': '<U99999999999', 'fortran_order': False, 'shape': (2,)}
{'descr': '<M8[ns]', 'fortran_order': False, 'shape': (2,)}
{'descr': '<M8[25us]', 'fortran_order': False, 'shape': (2,)}
{'descr': '<M8[lightyear]', 'fortran_order': False, 'shape': (2,)}
{'descr': '<M8', 'fortran_order': False, 'shape': (2,)}
{'descr': [('a', '<f4'), ('b', '|u1')], 'fortran_order': False, 'shape': (2,)}
{'descr': [('a', '<f4'), ('a', '|u1')], 'fortran_order': False, 'shape': (2,)}
{'descr': [('a', '<f4'), ('', '|V4')], 'fortran_order': False, 'shape': (2,)}
{'descr': [('a', '<f4', (2, 2))], 'fortran_order': False, 'shape': (2,)}
{'descr': [('a', '<f4', 3)], 'fortran_order': False, 'shape': (2,)}
{'descr': [(('title', 'a'), '<f4')], 'fortran_order': False, 'shape': (2,)}
{'descr': [('a', [('b', '>i2')])], 'fortran_order': False, 'shape': (2,)}
{'descr': [('a',)], 'fortran_order': False, 'shape': (2,)}
{'descr': [('a', '<f4', 1, 2)], 'fortran_order': False, 'shape': (2,)}
{'descr': [(1, '<f4')], 'fortran_order': False, 'shape': (2,)}
{'descr': [('a', '<f4', -1)], 'fortran_order': False, 'shape': (2,)}
{'descr': ('<f4', (2,)), 'fortran_order': False, 'shape': (2,)}
{'descr': '<f4', 'fortran_order': False, 'shape': (2L, 3L)}
""".split("\n")[:-1]


def verdict(major, text):
    text = text.encode("latin1") + b"\n"
    size = struct.pack("<H" if major == 1 else "<I", len(text))
    raw = b"\x93NUMPY" + bytes([major, 0]) + size + text + bytes(65536)
    try:
        np.load(io.BytesIO(raw), allow_pickle=True)
        return "accept"
    except Exception:
        return "reject"


def verdicts():
    with open(path("verdicts.txt"), "w") as f:
        for major in (1, 3):
            for text in HEADERS:
                f.write("%s %d %s\n" % (verdict(major, text), major, text))


matrix()
shapes()
savez()
texts()
records()
objects()
single()
mixed()
bombs()
try:
    extended()
except ImportError:
    pass
verdicts()
with open(path("expect.txt"), "w") as f:
    f.writelines(expect)
