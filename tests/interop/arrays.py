#!/usr/bin/env python3
"""npy and npz against the numpy (and torch) of the interpreter that runs it.

    arrays.py FERRY DIRECTORY

Every dtype, order, byte order, shape and kind of archive is written by numpy,
carried by ferry and loaded by numpy, and compared bit by bit; state dicts go
from torch to numpy and back.
"""
import io
import os
import pathlib
import subprocess
import sys
import warnings
import zipfile

import numpy as np

warnings.simplefilter("ignore")
ferry, work = sys.argv[1], pathlib.Path(sys.argv[2])
work.mkdir(parents=True, exist_ok=True)
random = np.random.RandomState(3)
DTYPES = ["b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4",
          "f8", "c8", "c16"]
SHAPES = [(), (0,), (1,), (7,), (0, 3), (3, 0, 2), (1, 5), (5, 1), (6, 7),
          (2, 3, 4), (2, 1, 3, 2, 2), (300, 200)]
failures = checks = 0


def check(what, good):
    global failures, checks
    checks += 1
    if not good:
        failures += 1
        print("FAILED:", what)


def carry(*args):
    run = subprocess.run([ferry, "convert", "--overwrite", *map(str, args)],
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    check("ferry convert %s: %s" % (args, run.stdout.decode()),
          run.returncode == 0)
    return run.returncode == 0


def little(a):
    return np.asarray(a).astype(a.dtype.newbyteorder("<"))


def same(a, b):
    a, b = little(a), little(b)
    return (a.dtype == b.dtype and a.shape == b.shape and
            a.tobytes("C") == b.tobytes("C"))


def filled(descr, shape):
    n = int(np.prod(shape)) * np.dtype(descr).itemsize
    if descr[-2] == "b":
        return random.randint(0, 2, n).astype("u1").view("?").reshape(shape)
    return np.frombuffer(random.bytes(n), descr).reshape(shape)


def arrays():
    out = {}
    for descr in DTYPES:
        for endian in "<>":
            for shape in SHAPES:
                a = filled(endian + descr, shape)
                key = "%s/%s/%s" % (descr, "le" if endian == "<" else "be",
                                    "x".join(map(str, shape)))
                out[key] = a
                if len(shape) > 1:
                    out[key + "/F"] = np.asfortranarray(a)
    out["gr\u00f6\u00dfe.\u6a21\u578b"] = filled("<f4", (3,))
    out["text"] = np.array(["a", "\u03b2\u03b2", ""])
    out["bytes"] = np.array([b"a\0b", b""])
    out["date"] = np.array(["2020-02-02", "NaT"], "M8[s]")
    return out


def versions(path, given):
    with zipfile.ZipFile(path, "w") as z:
        for i, (key, a) in enumerate(given.items()):
            f = io.BytesIO()
            np.lib.format.write_array(f, a, version=(1 + i % 3, 0))
            z.writestr(key + ".npy", f.getvalue())


def compare(what, path, given, order=True):
    got = np.load(path)
    check(what + ": keys", list(got.files) == list(given))
    for key, a in given.items():
        b = got[key]
        check("%s: %s" % (what, key), same(a, b) and (
            not order or a.flags.c_contiguous == b.flags.c_contiguous))


def archives():
    given = arrays()
    np.savez(work / "stored.npz", **given)
    np.savez_compressed(work / "deflated.npz", **given)
    versions(work / "versions.npz", given)
    for name in ("stored", "deflated", "versions"):
        if carry(work / (name + ".npz"), work / "out.npz"):
            compare(name, work / "out.npz", given)
        if (carry(work / (name + ".npz"), work / "out.safetensors") and
                carry(work / "out.safetensors", work / "back.npz")):
            back = np.load(work / "back.npz")
            for key, a in given.items():
                check("safetensors %s" % key, same(a, back[key]))


def files():
    for key, a in arrays().items():
        path = work / "one.npy"
        np.save(path, a)
        if not carry(path, work / "two.npy"):
            continue
        b = np.load(work / "two.npy")
        check("npy " + key, same(a, b))
        f = io.BytesIO()
        np.save(f, a.astype(a.dtype.newbyteorder("<"), order="K"))
        check("npy bytes " + key,
              np.lib.NumpyVersion(np.__version__) < "2.0.0" or
              f.getvalue() == (work / "two.npy").read_bytes())


def torch_dicts():
    import torch

    w = torch.randn(6, 4)
    flat = torch.arange(20.)
    model = {"w": w, "tied": w, "view": flat[3:9].view(2, 3).t(),
             "flat": flat, "half": torch.randn(3).half(),
             "bf16": torch.randn(5).bfloat16(), "i": torch.tensor(7),
             "z": torch.zeros(0, 3), "c": torch.randn(2, dtype=torch.cfloat),
             "conj": torch.randn(3, dtype=torch.cfloat).conj()}
    torch.save({"model": model, "epoch": 3, "lr": float("nan")},
               work / "t.pt")
    # what this torch keeps: 1.13 forgets that a tensor is conjugated
    model = torch.load(work / "t.pt")["model"]
    if not (carry(work / "t.pt", work / "t.npz") and
            carry(work / "t.npz", work / "t2.pt")):
        return
    z = np.load(work / "t.npz")
    for key, t in model.items():
        a = z["model." + key]
        t = t.resolve_conj().contiguous()
        raw = t.view(torch.int16).numpy() if t.dtype == torch.bfloat16 else \
            t.numpy()
        check("torch to numpy " + key, a.shape == tuple(t.shape) and
              a.tobytes() == raw.tobytes())
    back = torch.load(work / "t2.pt")
    check("torch scalars", back["epoch"] == 3 and back["lr"] != back["lr"])
    for key, t in model.items():
        b = back["model"][key]
        check("torch back " + key, b.dtype == t.dtype and
              b.stride() == t.stride() and
              b.storage_offset() == t.storage_offset() and
              bool((b.resolve_conj() == t.resolve_conj()).all()))
    m = back["model"]
    check("torch ties", m["w"] is m["tied"] and
          m["view"].storage().data_ptr() == m["flat"].storage().data_ptr())


def objects():
    inner = {"conv": {"w": filled("<f4", (2, 3)), "names": ["a", "b"]}}
    np.save(work / "dict.npy", np.array(inner, dtype=object))
    if carry(work / "dict.npy", work / "dict.npz"):
        z = np.load(work / "dict.npz")
        check("object array", same(inner["conv"]["w"], z["conv.w"]))


archives()
files()
objects()
try:
    torch_dicts()
except ImportError:
    pass
print("numpy %s: %d checks, %d failed" % (np.__version__, checks, failures))
sys.exit(failures != 0)
