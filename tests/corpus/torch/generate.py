"""Write the checkpoints of this directory.

    generate.py OUT

With torch 2.13 it writes all but the files that only an old torch can make
(legacy_modules.pt, old_numeric_keys.pt: run it with 1.13 as well, which writes
those alone; tensors_folder.pt is of 1.4, {"w": arange(4.0), "b": ones(2)} saved
with _use_new_zipfile_serialization=True).  Everything below `made by hand` needs no torch of its own: it
rewrites archives that torch saved.
"""
import io
import os
import pickle
import struct
import sys
import tarfile
import warnings
import zipfile
import zlib
from collections import OrderedDict, defaultdict

import torch
from torch import nn

warnings.simplefilter("ignore")
OUT = sys.argv[1]
NEW = int(torch.__version__.split(".")[0]) >= 2


def path(name):
    return os.path.join(OUT, name)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(3, 2)
        self.bn = nn.BatchNorm1d(2)

    def forward(self, x):
        return self.bn(self.fc(x))


def net():
    m = Net().eval()
    with torch.no_grad():
        m.fc.weight.copy_(torch.arange(6.0).reshape(2, 3))
        m.fc.bias.copy_(torch.tensor([1.0, -1.0]))
    return m


def basic():
    base = torch.arange(12, dtype=torch.float32).reshape(3, 4)
    tied = torch.arange(4, dtype=torch.int64)
    return {"a": base, "t": base.t(), "row": base[1, 1:3], "tied": tied,
            "tied2": tied, "half": torch.tensor([1.5, -2.0]).half(),
            "scalar": torch.tensor(7.0), "empty": torch.empty(0, 3),
            "mask": torch.tensor([True, False]), "epoch": 3, "name": "n\u00e9"}


# ---- saved by torch ---------------------------------------------------------

def saved_by_new():
    torch.save(basic(), path("basic.pt"))
    torch.save(basic(), path("protocol4.pt"), pickle_protocol=4)
    torch.save(basic(), path("legacy.pt"),
               _use_new_zipfile_serialization=False)
    torch.save(net().state_dict(), path("state_dict.pt"))
    p = nn.Parameter(torch.ones(2))
    p.note = "kept"
    t = torch.ones(2)
    t.tag = 5
    torch.save({"plain": nn.Parameter(torch.zeros(3)), "noted": p,
                "tagged": t}, path("parameters.pt"))
    torch.save({"c": torch.tensor([1 + 2j, 3j]).conj(),
                "n": torch._neg_view(torch.ones(2))}, path("conj.pt"))
    c = torch.tensor([1 + 2j, 3 - 4j])
    torch.save({"a": c, "b": c.conj()}, path("conj_tied.pt"))
    torch.save({"w": torch.ones(2), "counts": defaultdict(int, {"x": 1}),
                "range": range(3), "slice": slice(1, 2), "type": dict},
               path("builtins.pt"), pickle_protocol=4)
    torch.save({"f8": torch.tensor([1.0, 2.0]).to(torch.float8_e4m3fn),
                "u16": torch.arange(3).to(torch.uint16),
                "u64": torch.arange(3).to(torch.uint64)}, path("newer.pt"))
    w = torch.arange(4.0).reshape(2, 2)
    torch.save({"t": torch.quantize_per_tensor(w, 0.5, 1, torch.quint8),
                "c": torch.quantize_per_channel(
                    w, torch.tensor([0.5, 0.25]), torch.tensor([0, 1]), 0,
                    torch.qint8)}, path("quantized.pt"))
    torch.save({"coo": torch.eye(2).to_sparse(),
                "csr": torch.eye(2).to_sparse_csr()}, path("sparse.pt"))
    torch.save({"m": torch.empty(2, 3, device="meta")}, path("meta.pt"))
    torch.save({"v": torch.arange(1000.0)[500:504]}, path("large_view.pt"))
    s = torch.arange(4.0)
    torch.save({"s": s.untyped_storage(), "t": torch.arange(2).storage()},
               path("bare_storages.pt"))
    torch.save({"w": torch.ones(2), "os": os.path.join}, path("refused.pt"))
    scripted = torch.jit.script(net())
    scripted.save(path("script.pt"))
    torch.jit.freeze(scripted).save(path("script_frozen.pt"))
    saved_by_export()


class Tied(Net):
    """Two names of one weight, a view, a buffer and a constant."""
    def __init__(self):
        super().__init__()
        self.tied = self.fc.weight
        self.register_buffer("row", torch.arange(4.0)[1:3])
        self.scale = torch.tensor([2.0, 4.0])

    def forward(self, x):
        y = self.bn(self.fc(x)) * self.scale + self.row
        return y @ self.tied


def saved_by_export():
    m = Tied().eval()
    m.load_state_dict(net().state_dict(), strict=False)
    m.load_state_dict({"row": torch.tensor([1.0, 2.0])}, strict=False)
    program = torch.export.export(m, (torch.ones(4, 3),))
    torch.export.save(program, path("export.pt2"))

    def saved(value):
        b = io.BytesIO()
        torch.save(value, b)
        return b.getvalue()
    # The records of torch 2.1 to 2.7.
    pack("export_old.pt2", [
        ("serialized_exported_program.json", b"{}"),
        ("serialized_state_dict.pt", saved(program.state_dict)),
        ("serialized_constants.pt", saved(program.constants)),
        ("serialized_example_inputs.pt", saved(program.example_inputs)),
        ("version", b"8.1")], prefix="")


def saved_by_old():
    torch.save(net(), path("legacy_modules.pt"),
               _use_new_zipfile_serialization=False)
    torch.save({str(i): torch.full((1,), i) for i in range(12)},
               path("old_numeric_keys.pt"))


# ---- made by hand --------------------------------------------------------------

def records(name):
    with zipfile.ZipFile(path(name)) as z:
        return [(i.filename.split("/", 1)[1], z.read(i)) for i in z.infolist()]


def pack(name, items, prefix="archive/", method=zipfile.ZIP_STORED):
    """Write records; an item may be (name, data, method)."""
    with zipfile.ZipFile(path(name), "w") as z:
        for item in items:
            info = zipfile.ZipInfo(prefix + item[0])
            info.compress_type = item[2] if len(item) > 2 else method
            z.writestr(info, item[1])


def without(items, *names):
    return [i for i in items if i[0] not in names]


def patch(source, name, edit):
    with open(path(source), "rb") as f:
        data = bytearray(f.read())
    data = edit(data) or data
    with open(path(name), "wb") as f:
        f.write(data)


class Pid:
    def __init__(self, *pid):
        self.pid = pid


class Call:
    """What pickles as a call of a name, whatever the name."""

    def __init__(self, module, name, *args):
        self.module, self.name, self.args = module, name, args


class Name:
    def __init__(self, module, name):
        self.module, self.name = module, name


class Writer(pickle._Pickler):
    """Names classes that need not exist."""

    def persistent_id(self, obj):
        return obj.pid if isinstance(obj, Pid) else None

    def save(self, obj, save_persistent_id=True):
        if isinstance(obj, Name):
            self.write(b"c" + obj.module.encode() + b"\n" +
                       obj.name.encode() + b"\n")
        elif isinstance(obj, Call):
            self.save(Name(obj.module, obj.name))
            self.save(obj.args)
            self.write(b"R")
        else:
            super().save(obj, save_persistent_id)


def dumps(obj, protocol=2):
    f = io.BytesIO()
    Writer(f, protocol).dump(obj)
    return f.getvalue()


def storage(cls, key, numel, *more):
    return Pid("storage", Name("torch", cls), key, "cpu", numel, *more)


def rebuild(st, offset, size, stride, *more):
    return Call("torch._utils", "_rebuild_tensor_v2", st, offset, size, stride,
                False, OrderedDict(), *more)


FLOATS = struct.pack("<6f", *range(6))


def by_hand(name, obj, data=FLOATS, **kw):
    pack(name, [("data.pkl", dumps(obj)), ("data/0", data),
                ("version", b"3\n")], **kw)


def layouts():
    r = records("basic.pt")
    core = without(r, ".format_version", ".storage_alignment",
                   ".data/serialization_id")
    pack("deflated.pt", core, method=zipfile.ZIP_DEFLATED)
    pack("no_version.pt", without(core, "version"))
    pack("dot_version.pt", without(core, "version") +
         [(".data/version", b"6\n")])
    for v in (b"0\n", b"11\n", b"abc"):
        pack("version_%s.pt" % v.decode().strip(),
             without(core, "version") + [("version", v)])
    with zipfile.ZipFile(path("macosx.pt"), "w") as z:
        for n, d in core:
            z.writestr("outer/inner/" + n, d)
        z.writestr("__MACOSX/outer/inner/data.pkl", b"junk")
    pack("extra.pt", core + [("extra/notes.txt", b"hello"),
                             ("data/99", b"of no tensor"), ("empty/", b"")])
    pack("script_extra.pt", records("script.pt") +
         [("extra/labels.json", b"[]")])
    pack("upper.pt", [(n.upper(), d) for n, d in core])
    pack("no_folder.pt", core, prefix="")
    with zipfile.ZipFile(path("two_folders.pt"), "w") as z:
        z.writestr("x/README", b"hello")
        for folder in "ab":
            for n, d in core:
                z.writestr(folder + "/" + n, d)
    pack("missing.pt", without(core, "data/0"))
    pack("short.pt", [(n, d[:-4] if n == "data/0" else d) for n, d in core])
    pack("duplicate.pt", core + [("data/0", b"\0" * 48)])
    first, second = "94712839201000", "94712839201064"
    obj = {"a": rebuild(storage("FloatStorage", first, 6), 0, (2, 3),
                        (3, 1)),
           "b": rebuild(storage("LongStorage", second, 1), 0, (), ())}
    pack("pointer_keys.pt", [("data.pkl", dumps(obj)),
                             ("data/" + first, FLOATS),
                             ("data/" + second, struct.pack("<q", 9)),
                             ("version", b"3\n")])
    patch("basic.pt", "embedded.pt", lambda d: bytearray(b"#!junk\n") + d)
    patch("basic.pt", "trailing.pt", lambda d: d + bytearray(100))
    patch("basic.pt", "truncated.pt", lambda d: d[:len(d) // 2])

    def wrong_crc(d):
        at = d.index(b"PK\x01\x02")
        while b"/data/0" not in bytes(d[at + 46:at + 46 + 20]):
            at = d.index(b"PK\x01\x02", at + 4)
        d[at + 16] ^= 0xff

    patch("basic.pt", "wrong_crc.pt", wrong_crc)

    def no_crcs(d):
        at = d.find(b"PK\x01\x02")
        while at >= 0:
            d[at + 16:at + 20] = bytes(4)
            at = d.find(b"PK\x01\x02", at + 4)

    patch("basic.pt", "no_crcs.pt", no_crcs)

    def encrypted(d):
        d[d.index(b"PK\x01\x02") + 8] |= 1

    patch("basic.pt", "encrypted.pt", encrypted)

    def overlap(d):
        first = d.index(b"PK\x01\x02")
        second = d.index(b"PK\x01\x02", first + 4)
        d[second + 42:second + 46] = d[first + 42:first + 46]

    patch("basic.pt", "overlap.pt", overlap)

    def bomb(d):
        at = d.index(b"PK\x01\x02")
        d[at + 24:at + 28] = struct.pack("<I", 0xfffffff0)

    patch("deflated.pt", "bomb.pt", bomb)


def big_endian():
    obj = {
        "f": rebuild(storage("FloatStorage", "0", 6), 0, (2, 3), (3, 1)),
        "c": rebuild(storage("ComplexFloatStorage", "1", 1), 0, (1,), (1,)),
        "u": Call("torch._utils", "_rebuild_tensor_v3",
                  Pid("storage", Name("torch.storage", "UntypedStorage"), "2",
                      "cpu", 4), 0, (2,), (1,), False, OrderedDict(),
                  Name("torch", "uint16")),
        "b": rebuild(storage("ByteStorage", "3", 2), 0, (2,), (1,)),
    }
    pack("big_endian.pt", [
        ("data.pkl", dumps(obj)), ("byteorder", b"big"),
        ("data/0", struct.pack(">6f", *range(6))),
        ("data/1", struct.pack(">2f", 1, 2)),
        ("data/2", struct.pack(">2H", 1, 515)),
        ("data/3", b"\x01\x02"), ("version", b"3\n")])
    st = Pid("storage", Name("torch.storage", "UntypedStorage"), "0", "cpu",
             24)

    def v3(dtype, n):
        return Call("torch._utils", "_rebuild_tensor_v3", st, 0, (n,), (1,),
                    False, OrderedDict(), Name("torch", dtype))

    pack("big_endian_mixed.pt", [
        ("data.pkl", dumps([v3("uint16", 12), v3("uint32", 6)])),
        ("byteorder", b"big"), ("data/0", bytes(24)), ("version", b"3\n")])


def rebuilds():
    st = storage("FloatStorage", "0", 6)
    by_hand("tensor_v1.pt", {"x": Call(
        "torch._utils", "_rebuild_tensor", st, 2, (2, 2), (2, 1))})
    by_hand("out_of_bounds.pt", rebuild(st, 1, (2, 3), (3, 1)))
    by_hand("negative_stride.pt", rebuild(st, 5, (6,), (-1,)))
    by_hand("overflow.pt", rebuild(st, 0, (2 ** 62, 2 ** 62), (2 ** 62, 1)))
    by_hand("few_arguments.pt", Call(
        "torch._utils", "_rebuild_tensor_v2", st, 0, (6,), (1,)))
    by_hand("rank.pt", rebuild(st, 0, (1,) * 65, (1,) * 65))
    by_hand("ranks_differ.pt", rebuild(st, 0, (2, 3), (1,)))
    by_hand("not_storage.pt", rebuild("FloatStorage", 0, (6,), (1,)))
    by_hand("metadata.pt", {"x": rebuild(st, 0, (6,), (1,),
                                         {"conj": True, "vendor": "x"})})
    by_hand("unknown_storage.pt", rebuild(storage("OddStorage", "0", 6), 0,
                                          (6,), (1,)))
    by_hand("unknown_pid.pt", Pid("thing", 1))
    by_hand("two_classes.pt", [
        rebuild(st, 0, (6,), (1,)),
        rebuild(storage("IntStorage", "0", 6), 0, (6,), (1,))])
    by_hand("unknown_class.pt", {
        "x": Call("os", "system", "echo never"),
        "w": rebuild(st, 0, (6,), (1,))})
    pack("protocol0.pt", [
        ("data.pkl", b"Pstorage 0\n."), ("data/0", FLOATS),
        ("version", b"3\n")])


MAGIC = 0x1950a86a20f9469cfc6c


def legacy_bytes(obj, items, protocol=2, keys=None, counts=None):
    out = [pickle.dumps(MAGIC, protocol), pickle.dumps(1001, protocol),
           pickle.dumps({"little_endian": True, "protocol_version": 1001,
                         "type_sizes": {"short": 2, "int": 4, "long": 8}},
                        protocol),
           dumps(obj, protocol), pickle.dumps(keys or sorted(items), protocol)]
    for key in keys or sorted(items):
        size, data = items[key]
        n = (counts or {}).get(key, len(data) // size)
        out.append(struct.pack("<q", n) + data)
    return b"".join(out)


def write(name, data):
    with open(path(name), "wb") as f:
        f.write(data)


def legacy():
    root = ("storage", Name("torch", "FloatStorage"), "100", "cpu", 6)
    obj = {"whole": rebuild(Pid(*root, None), 0, (6,), (1,)),
           "view": rebuild(Pid(*root, ("200", 2, 3)), 1, (2,), (1,)),
           "bare": Pid(*root, ("201", 4, 2))}
    items = {"100": (4, FLOATS)}
    for p in (1, 2, 4):
        write("legacy_views_p%d.pt" % p, legacy_bytes(obj, items, p))
    good = legacy_bytes(obj, items)
    write("legacy_truncated.pt", good[:-5])
    write("legacy_trailing.pt", good + b"more")
    write("legacy_count.pt", legacy_bytes(obj, items, counts={"100": 5}))
    write("legacy_missing_key.pt", legacy_bytes(obj, items, keys=["100"])
          .replace(pickle.dumps(["100"], 2), pickle.dumps([], 2)))
    write("legacy_view_outside.pt", legacy_bytes(
        {"view": rebuild(Pid(*root, ("200", 5, 3)), 0, (1,), (1,))}, items))


def tar():
    cls = Name("torch", "FloatStorage")
    storages = (pickle.dumps(1, 2) + dumps((11, "cpu", cls)) +
                struct.pack("<q", 6) + FLOATS +
                pickle.dumps([(12, 11, 2, 3)], 2))

    def tensor(key, st, size, stride, offset):
        return (dumps((key, st, Name("torch", "FloatTensor"))) +
                struct.pack("<ii", len(size), 0) +
                struct.pack("<%dq" % len(size), *size) +
                struct.pack("<%dq" % len(size), *stride) +
                struct.pack("<q", offset))

    tensors = (pickle.dumps(2, 2) + tensor(21, 11, (2, 3), (3, 1), 0) +
               tensor(22, 12, (2,), (1,), 1))
    obj = OrderedDict([("a", Pid("21")), ("b", Pid("22")), ("n", 5)])

    class Ids(Writer):
        def persistent_id(self, o):
            return o.pid[0] if isinstance(o, Pid) else None

    f = io.BytesIO()
    Ids(f, 2).dump(obj)
    members = [("sys_info", pickle.dumps({"protocol_version": 1000}, 2)),
               ("storages", storages), ("tensors", tensors),
               ("pickle", f.getvalue())]

    def pack_tar(name, items, fmt):
        with tarfile.open(path(name), "w", format=fmt) as t:
            for n, data in items:
                info = tarfile.TarInfo(n)
                info.size = len(data)
                t.addfile(info, io.BytesIO(data))

    pack_tar("tar.pt", members, tarfile.USTAR_FORMAT)
    pack_tar("tar_gnu.pt", members, tarfile.GNU_FORMAT)
    pack_tar("tar_no_tensors.pt", members[:2] + members[3:],
             tarfile.USTAR_FORMAT)
    with open(path("tar.pt"), "rb") as f:
        data = f.read()
    write("tar_truncated.pt", data[:1400])


os.makedirs(OUT, exist_ok=True)
if NEW:
    saved_by_new()
    layouts()
    big_endian()
    rebuilds()
    legacy()
    tar()
else:
    saved_by_old()
