"""What ferry does to real checkpoints, judged by the torch that runs this.

usage: behaviour.py FERRY WORK-DIR      ends in "N passed, N failed"
"""
import argparse
import collections
import hashlib
import io
import json
import os
import pathlib
import pickle
import struct
import subprocess
import sys
import tarfile
import traceback
import warnings
import zipfile
import zlib

import numpy as np
import torch

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import shapes  # noqa: E402

MODERN = int(torch.__version__.split(".")[0]) >= 2
FERRY = sys.argv[1]
WORK = pathlib.Path(sys.argv[2])
CHECKS = []


def check(f):
    CHECKS.append(f)
    return f


def ferry(*arguments, status=0):
    done = subprocess.run([FERRY, *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == status, f"exit {done.returncode}, not {status}: ferry {' '.join(map(str, arguments))}: {done.stderr.strip()[:400]}"
    return done


def load(path, **options):
    options.setdefault("map_location", "cpu")
    if MODERN:
        options.setdefault("weights_only", False)
    return torch.load(path, **options)


def bits(t):
    t = t.detach().contiguous()
    if t.dtype == torch.bool or t.numel() == 0:
        return t.numpy().tobytes()
    size = t.element_size()
    raw = t.reshape(-1).view({1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64, 16: torch.complex128}[size])
    return raw.numpy().tobytes()


def same(a, b):
    assert type(a) is type(b), (type(a), type(b))
    if isinstance(a, torch.Tensor):
        assert a.dtype == b.dtype and a.shape == b.shape, (a.dtype, b.dtype, a.shape, b.shape)
        assert bits(a) == bits(b), f"values differ ({a.dtype}, {tuple(a.shape)})"
    elif isinstance(a, dict):
        assert list(a) == list(b), (list(a)[:5], list(b)[:5])
        for key in a:
            same(a[key], b[key])
    elif isinstance(a, (list, tuple)):
        assert len(a) == len(b)
        for x, y in zip(a, b):
            same(x, y)
    else:
        assert a == b, (a, b)


def path(name):
    return WORK / name


def saved(value, name, **options):
    torch.save(value, path(name), **options)
    return path(name)


def float_patterns():
    """Float32 bit patterns: all special regions and a spread of the rest."""
    regions = [np.arange(start, start + 4096, dtype=np.uint64) for start in
               (0, 0x00800000 - 2048, 0x33000000 - 2048, 0x33800000, 0x38800000 - 2048, 0x47000000, 0x477FE000, 0x477FEF00,
                0x7F7F0000, 0x7F7FF000, 0x7F800000 - 2048, 0x7FC00000 - 2048, 0x43E00000 - 2048, 0x43700000 - 2048, 0x3C000000 - 2048, 0x37000000 - 2048)]
    spread = np.arange(0, 1 << 32, 4093, dtype=np.uint64)
    all_patterns = np.concatenate(regions + [r | 0x80000000 for r in regions] + [spread]).astype(np.uint32)
    return torch.from_numpy(all_patterns.view(np.int32)).view(torch.float32)


def cast_targets():
    names = ["float16", "bfloat16", "float64"]
    return names + (["float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz"] if MODERN else [])


@check
def casts_are_torchs_bits():
    x = float_patterns().clone()
    y = x.double() * 1.0000001
    half = torch.arange(65536, dtype=torch.int32).to(torch.int16)
    sources = {"f32": x, "f64": y, "f16": half.clone().view(torch.float16), "bf16": half.clone().view(torch.bfloat16)}
    source = saved(sources, "cast.pt")
    for name in cast_targets() + ["float32"]:
        dtype = getattr(torch, name)
        for middle in ("cast.out.pt", "cast.out.safetensors"):
            ferry("convert", "-q", "--overwrite", source, path(middle), "--cast", name)
            result = path(middle)
            if middle.endswith("safetensors"):
                ferry("convert", "-q", "--overwrite", result, path("cast.back.pt"))
                result = path("cast.back.pt")
            got = load(result)
            for key, value in sources.items():
                want = value.to(dtype)
                assert got[key].dtype == dtype, (key, name, got[key].dtype)
                # Which NaN a cast gives changed between the releases.
                nan = np.zeros(value.numel(), bool) if MODERN else value.isnan().numpy()
                differ = ~nan & (np.frombuffer(bits(want), np.uint8) != np.frombuffer(bits(got[key]), np.uint8)).reshape(value.numel(), -1).any(1)
                first = int(differ.argmax())
                assert not differ.any(), f"{key} to {name}: {differ.sum()} differ, first {value[first]!r}: {want[first]!r} became {got[key][first]!r}"


@check
def cast_leaves_integers_alone():
    state = {"w": torch.randn(3), "n": torch.arange(3), "b": torch.tensor([True])}
    ferry("convert", "-q", "--overwrite", saved(state, "ints.pt"), path("ints.out.pt"), "--cast", "bfloat16")
    same({**state, "w": state["w"].bfloat16()}, load(path("ints.out.pt")))


@check
def casts_keep_ties():
    w = torch.randn(10, 4)
    source = saved({"a.weight": w, "b.weight": w, "half": w[5:]}, "ties.pt")
    for middle in ("ties.out.pt", "ties.out.safetensors"):
        ferry("convert", "-q", "--overwrite", source, path(middle), "--cast", "bfloat16")
        result = path(middle)
        if middle.endswith("safetensors"):
            ferry("convert", "-q", "--overwrite", result, path("ties.back.pt"))
            result = path("ties.back.pt")
        got = load(result)
        same({"a.weight": w.bfloat16(), "b.weight": w.bfloat16(), "half": w[5:].bfloat16()}, got)
        assert got["a.weight"].data_ptr() == got["b.weight"].data_ptr(), middle


@check
def handling_edits_names():
    state = collections.OrderedDict((f"module.{k}", v) for k, v in shapes.Net().state_dict().items() if k != "head.weight")
    state["module.inner.module.x"] = torch.ones(1)
    source = saved(state, "ddp.pt")
    ferry("convert", "-q", "--overwrite", source, path("ddp.out.pt"), "--strip-prefix", "module.")
    stripped = load(path("ddp.out.pt"))
    same(collections.OrderedDict((k[len("module."):], v) for k, v in state.items()), stripped)
    ferry("convert", "-q", "--overwrite", source, path("ddp.out.safetensors"), "--strip-prefix", "module.", "--drop", "^bn\\.", "--rename", r"^conv\.(.*)$=>stem.\1",
          "--add-prefix", "net.")
    ferry("convert", "-q", "--overwrite", path("ddp.out.safetensors"), path("ddp.out2.pt"))
    names = [k[len("module."):].replace("conv.", "stem.", 1) for k in state if not k.startswith("module.bn.")]
    assert list(load(path("ddp.out2.pt"))) == ["net." + n for n in names], list(load(path("ddp.out2.pt")))
    done = subprocess.run([FERRY, "convert", "--overwrite", str(source), str(path("ddp.bad.pt")), "--rename", r"\.(weight|bias)$=>.p"], capture_output=True, text=True)
    assert done.returncode != 0 and "conv" in done.stderr and not path("ddp.bad.pt").exists(), done.stderr


@check
def weights_alone():
    model = shapes.Net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    model(torch.randn(2, 3, 8, 8)).sum().backward()
    optimizer.step()
    whole = {"epoch": 3, "model": model.state_dict(), "optimizer": optimizer.state_dict(), "args": argparse.Namespace(lr=0.1)}
    source = saved(whole, "whole.pt")
    ferry("convert", "-q", "--overwrite", source, path("weights.pt"), "--weights")
    got = load(path("weights.pt"), weights_only=True)
    assert list(got) == list(whole["model"])
    same([*whole["model"].values()], [*got.values()])
    shapes.Net().load_state_dict(got)
    source = saved(model, "module.pt")
    ferry("convert", "-q", "--overwrite", source, path("module.weights.pt"), "--weights")
    got = load(path("module.weights.pt"), weights_only=True)
    assert sorted(got) == sorted(model.state_dict()), sorted(got)
    shapes.Net().load_state_dict(got)
    done = ferry("convert", "--overwrite", path("whole.pt"), path("whole.safetensors"))
    assert "--weights" in done.stderr and "optimizer" in done.stderr, done.stderr


@check
def select_takes_a_part():
    source = saved({"a": {"b": torch.ones(2), "c": 3}, "d": [1, torch.zeros(1)]}, "select.pt")
    ferry("convert", "-q", "--overwrite", source, path("select.out.pt"), "--select", "a")
    same({"b": torch.ones(2), "c": 3}, load(path("select.out.pt")))
    ferry("convert", "-q", source, path("select.none.pt"), "--select", "a.x", status=3)


@check
def safetensors_are_the_references():
    try:
        from safetensors.torch import load_file, save_file
    except ImportError:
        return
    state = {"w": torch.randn(3, 4), "b": torch.randn(4).half(), "n": torch.arange(3), "z": torch.empty(0, 2), "s": torch.tensor(1.5)}
    save_file(state, path("reference.safetensors"), metadata={"format": "pt"})
    reference = path("reference.safetensors").read_bytes()
    ordered = load_file(path("reference.safetensors"))
    header = json.loads(reference[8:8 + struct.unpack("<Q", reference[:8])[0]])
    source = saved({k: ordered[k].clone() for k in header if k != "__metadata__"}, "reference.pt")
    ferry("convert", "-q", "--overwrite", source, path("ours.safetensors"))
    assert path("ours.safetensors").read_bytes() == reference, "not byte-identical to save_file"
    ferry("convert", "-q", "--overwrite", path("reference.safetensors"), path("reference.out.pt"))
    got = load(path("reference.out.pt"), weights_only=True)
    assert set(got) == set(state)
    same([state[k] for k in state], [got[k] for k in state])


@check
def shards_are_one_document():
    try:
        from safetensors.torch import load_file
    except ImportError:
        return
    state = {f"layer.{i}": torch.randn(1000) for i in range(20)}
    source = saved(state, "shards.pt")
    where = path("shards")
    where.mkdir(exist_ok=True)
    ferry("convert", "-q", "--overwrite", source, where / "model.safetensors", "--shard-size", "20KB")
    index = json.loads((where / "model.safetensors.index.json").read_text())
    assert set(index["weight_map"]) == set(state)
    assert index["metadata"]["total_size"] == 80000, index["metadata"]
    loaded = {}
    for shard in sorted(set(index["weight_map"].values())):
        assert (where / shard).stat().st_size < 22000
        loaded.update(load_file(where / shard))
    same([state[k] for k in state], [loaded[k] for k in state])
    ferry("convert", "-q", "--overwrite", where / "model.safetensors.index.json", path("shards.out.pt"))
    same(state, load(path("shards.out.pt")))
    lost = sorted(set(index["weight_map"].values()))[1]
    (where / lost).rename(where / "gone")
    done = subprocess.run([FERRY, "convert", str(where / "model.safetensors.index.json"), str(path("x.pt"))], capture_output=True, text=True)
    assert done.returncode == 1 and lost in done.stderr, done.stderr
    (where / "gone").rename(where / lost)


@check
def numpy_both_ways():
    arrays = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "f": np.asfortranarray(np.arange(6.).reshape(2, 3)), "be": np.arange(3, dtype=">i4"),
              "scalar": np.array(2.5), "empty": np.zeros((0, 3)), "x/y": np.arange(3, dtype=np.uint8), "c": np.array([1 + 2j]), "b": np.array([True, False])}
    for writer in (np.savez, np.savez_compressed):
        writer(path("arrays.npz"), **arrays)
        ferry("convert", "-q", "--overwrite", path("arrays.npz"), path("arrays.pt"))
        got = load(path("arrays.pt"))
        assert list(got) == list(arrays)
        for key, a in arrays.items():
            assert got[key].numpy().dtype == a.dtype.newbyteorder("="), key
            assert np.array_equal(got[key].numpy(), a), key
    state = {"w": torch.randn(3, 4), "i": torch.arange(5), "h": torch.randn(2).half(), "t": torch.randn(2, 3).t()}
    ferry("convert", "-q", "--overwrite", saved(state, "to_npz.pt"), path("to.npz"))
    with np.load(path("to.npz")) as loaded:
        for key, t in state.items():
            assert np.array_equal(loaded[key], t.numpy()) and loaded[key].dtype == t.numpy().dtype, key
    ferry("convert", "-q", "--overwrite", saved(torch.randn(3, 4), "one.pt"), path("one.npy"))
    assert np.array_equal(np.load(path("one.npy")), load(path("one.pt")).numpy())


def rezip(source, target, change, compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w", compression) as new:
        for item in old.infolist():
            for name, data in change(item.filename, old.read(item)):
                new.writestr(name, data)
    return target


STATE = {"w": torch.arange(6.).reshape(2, 3), "n": torch.arange(4, dtype=torch.int16), "c": torch.tensor([1 + 2j])}


def converts_equal(source, want=None):
    ferry("convert", "-q", "--overwrite", source, path("equal.out.pt"))
    same(STATE if want is None else want, load(path("equal.out.pt")))


@check
def rezipped_archives():
    source = saved(STATE, "plain.pt")
    converts_equal(rezip(source, path("deflated.pt"), lambda n, d: [(n, d)], zipfile.ZIP_DEFLATED))
    converts_equal(rezip(source, path("renamed.pt"), lambda n, d: [(n.replace("plain/", "weird name/"), d)]))
    converts_equal(rezip(source, path("macos.pt"), lambda n, d: [(n, d), ("__MACOSX/._" + n.split("/")[-1], b"x")] if n.endswith("data.pkl") else [(n, d)]))
    converts_equal(rezip(source, path("dotversion.pt"), lambda n, d: [(n.replace("/version", "/.data/version"), d)]))

    def big_endian(name, data):
        if "/data/" in name:
            size = {b"w": 4, b"n": 2, b"c": 4}[{24: b"w", 8: b"n"}.get(len(data), b"c")] if len(data) in (24,) else 4
            key = name.split("/")[-1]
            size = {"0": 4, "1": 2, "2": 4}[key]
            data = b"".join(data[i:i + size][::-1] for i in range(0, len(data), size))
        if name.endswith("/byteorder"):
            return []
        extra = [(name[:-len("version")] + "byteorder", b"big")] if name.endswith("plain/version") else []
        return [(name, data)] + extra

    converts_equal(rezip(source, path("big_endian.pt"), big_endian))

    def pointer_keys(name, data):
        if name.endswith("data.pkl"):
            for i in range(3):
                data = data.replace(b"X\x01\x00\x00\x00%d" % i, b"X\x05\x00\x00\x0094%d77" % i)
        if "/data/" in name:
            name = name[:-1] + f"94{name[-1]}77"
        return [(name, data)]

    converts_equal(rezip(source, path("pointers.pt"), pointer_keys))


@check
def wrong_crcs_are_a_warning():
    raw = bytearray(saved(STATE, "crc.pt").read_bytes())
    at = 0
    while True:
        at = raw.find(b"PK\x01\x02", at)
        if at < 0:
            break
        raw[at + 16] ^= 0x55
        at += 4
    path("badcrc.pt").write_bytes(raw)
    converts_equal(path("badcrc.pt"))
    for target in ("badcrc.out.pt", "badcrc.out.safetensors"):
        warned = ferry("convert", "--overwrite", path("badcrc.pt"), path(target)).stderr
        assert "CRC" in warned, warned
    with zipfile.ZipFile(path("badcrc.out.pt")) as z:
        assert z.testzip() is None
    done = subprocess.run([FERRY, "verify", str(path("badcrc.pt"))], capture_output=True, text=True)
    assert "crc" in (done.stdout + done.stderr).lower(), done.stdout + done.stderr
    with zipfile.ZipFile(saved(STATE, "goodcrc.pt")) as z:
        assert z.testzip() is None
    ferry("convert", "-q", "--overwrite", path("goodcrc.pt"), path("goodcrc.out.pt"))
    with zipfile.ZipFile(path("goodcrc.out.pt")) as z:
        assert z.testzip() is None
        for item in z.infolist():
            with open(path("goodcrc.out.pt"), "rb") as f:
                f.seek(item.header_offset)
                head = f.read(30)
            start = item.header_offset + 30 + sum(struct.unpack("<HH", head[26:30]))
            assert start % 64 == 0, (item.filename, start)


@check
def old_tar_archives():
    def pickled(*values):
        return b"".join(pickle.dumps(v, protocol=2) for v in values)

    data = np.arange(6, dtype=np.float32)
    storages = pickled(1) + pickle.dumps((1001, "cpu", torch.FloatStorage), 2) + struct.pack("<q", 6) + data.tobytes() + pickled([])
    tensors = pickled(2)
    for key, sizes, strides, offset in ((7, (2, 3), (3, 1), 0), (8, (2,), (1,), 4)):
        tensors += pickle.dumps((key, 1001, torch.FloatTensor), 2) + struct.pack("<ii", len(sizes), 0)
        tensors += struct.pack(f"<{len(sizes)}q", *sizes) + struct.pack(f"<{len(sizes)}q", *strides) + struct.pack("<q", offset)

    class Pickler(pickle._Pickler):
        def persistent_id(self, value):
            return str(value[1]) if isinstance(value, tuple) and value[:1] == ("tensor",) else None

    out = io.BytesIO()
    Pickler(out, 2).dump({"w": ("tensor", 7), "tail": ("tensor", 8), "epoch": 5})
    with tarfile.open(path("old.pth"), "w") as tar:
        for name, content in (("sys_info", pickled({})), ("storages", storages), ("tensors", tensors), ("pickle", out.getvalue())):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    ferry("convert", "-q", "--overwrite", path("old.pth"), path("old.out.pt"))
    got = load(path("old.out.pt"))
    same({"w": torch.arange(6.).reshape(2, 3), "tail": torch.tensor([4., 5.]), "epoch": 5}, got)
    got["w"][1, 1] = 99
    assert got["tail"][0] == 99, "the two tensors no longer share a storage"


@check
def averages_of_meta_tensors_stay_apart():
    torch.save({"a": torch.empty(3, device="meta"), "b": torch.empty(3, device="meta", requires_grad=True), "w": torch.ones(2)}, path("meta.pt"))
    ferry("average", "-q", "--overwrite", path("meta.pt"), path("meta.pt"), path("meta.mean.pt"))
    got = load(path("meta.mean.pt"))
    assert got["b"].requires_grad and not got["a"].requires_grad


@check
def torchscript_weights():
    model = shapes.Net().eval()
    scripted = torch.jit.trace(model, torch.randn(1, 3, 8, 8))
    scripted.save(str(path("scripted.pt")))
    ferry("convert", "-q", "--overwrite", path("scripted.pt"), path("scripted.weights.pt"), "--weights")
    got = load(path("scripted.weights.pt"), weights_only=True)
    want = model.state_dict()
    same([want[k] for k in sorted(want)], [got[k] for k in sorted(want)])
    model.load_state_dict(got, strict=False)


@check
def seventy_thousand_tensors():
    state = {f"t{i}": torch.tensor(float(i)) for i in range(70000)}
    source = saved(state, "many.pt")
    ferry("convert", "-q", "--overwrite", source, path("many.out.pt"))
    ferry("convert", "-q", "--overwrite", source, path("many.safetensors"))
    ferry("convert", "-q", "--overwrite", path("many.safetensors"), path("many.back.pt"))
    for name in ("many.out.pt", "many.back.pt"):
        got = load(path(name))
        assert list(got) == list(state)
        assert all(float(v) == float(k[1:]) for k, v in got.items())
    for name in ("many.pt", "many.out.pt", "many.safetensors", "many.back.pt"):
        path(name).unlink()


@check
def larger_than_four_gigabytes():
    if os.environ.get("FERRY_TEST_LARGE") != "1" or not MODERN:
        return
    big = torch.zeros((1 << 32) + 10, dtype=torch.uint8)
    big[::65537] = 7
    big[-1] = 9
    digest = hashlib.sha256(big.numpy()).hexdigest()
    after = torch.arange(5.)
    source = saved({"big": big, "view": big[-20:], "after": after}, "large.pt")
    del big
    for middle in ("large.out.pt", "large.safetensors"):
        ferry("convert", "-q", "--overwrite", source, path(middle))
        result = path(middle)
        if middle.endswith(".safetensors"):
            ferry("convert", "-q", "--overwrite", result, path("large.back.pt"))
            result.unlink()
            result = path("large.back.pt")
        got = load(result, mmap=True, weights_only=True)
        assert hashlib.sha256(got["big"].numpy()).hexdigest() == digest
        assert got["view"].tolist()[-1] == 9 and got["view"].data_ptr() == got["big"].data_ptr() + (1 << 32) - 10
        assert got["after"].tolist() == after.tolist()
        del got
        result.unlink()
    source.unlink()


@check
def nothing_is_executed():
    class Evil:
        def __reduce__(self):
            return os.system, (f"touch {path('executed')}",)

    source = saved({"w": torch.ones(2), "evil": Evil()}, "evil.pt")
    ferry("convert", "-q", "--overwrite", source, path("evil.safetensors"))
    ferry("convert", "-q", "--overwrite", source, path("evil.weights.pt"), "--select", "w")
    scan = ferry("scan", source).stdout
    assert "system" in scan, scan
    ferry("inspect", source)
    ferry("verify", source)
    assert not path("executed").exists()


@check
def damage_is_explained():
    whole = saved(STATE, "whole_file.pt").read_bytes()
    cases = {"cut.pt": (whole[:len(whole) // 2], "cut"), "page.pt": (b"<!DOCTYPE html><html><body>Sign in</body></html>", "HTML"),
             "pointer.pt": (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12\n", "LFS"), "gz.pt": (b"\x1f\x8b\x08" + bytes(50), "gzip"),
             "empty.pt": (b"", "empty"), "zeros.pt": (bytes(5000), "zero")}
    for name, (content, word) in cases.items():
        path(name).write_bytes(content)
        done = subprocess.run([FERRY, "convert", str(path(name)), str(path("never.safetensors"))], capture_output=True, text=True)
        assert done.returncode in (1, 3), (name, done.returncode)
        assert word.lower() in done.stderr.lower(), f"{name}: {done.stderr}"
        assert not path("never.safetensors").exists()


@check
def verify_against_the_source():
    source = saved(STATE, "against.pt")
    ferry("convert", "-q", "--overwrite", source, path("against.safetensors"), "--verify")
    ferry("verify", path("against.safetensors"), "--against", source)
    raw = bytearray(path("against.safetensors").read_bytes())
    raw[-1] ^= 1
    path("against.safetensors").write_bytes(raw)
    ferry("verify", path("against.safetensors"), "--against", source, status=4)
    ferry("diff", path("against.safetensors"), source, status=1)


def main():
    WORK.mkdir(parents=True, exist_ok=True)
    warnings.simplefilter("ignore")
    torch.manual_seed(0)
    passed = failed = 0
    for f in CHECKS:
        try:
            f()
            passed += 1
        except Exception as e:
            failed += 1
            where = traceback.extract_tb(e.__traceback__)
            line = next((t.lineno for t in reversed(where) if t.filename == __file__), 0)
            print(f"FAIL {f.__name__} in torch {torch.__version__} (line {line}): {type(e).__name__}: {str(e)[:600]}", flush=True)
    print(f"{passed} passed, {failed} failed")
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
