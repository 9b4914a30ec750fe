"""Checkpoints for the interoperability matrix, made by the torch that runs this.

usage: cases.py DIR        writes DIR/<case>.pt and prints a line a case:
                           NAME <tab> weights-only yes/no
"""
import argparse
import collections
import datetime
import decimal
import fractions
import functools
import io
import pathlib
import random
import sys
import uuid
import warnings
import zlib

import numpy as np
import torch

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import shapes  # noqa: E402

MODERN = tuple(int(x) for x in torch.__version__.split("+")[0].split(".")[:2]) >= (2, 7)
CASES = {}


def case(f):
    CASES[f.__name__] = f
    return f


def filled(dtype, *shape):
    generator = torch.Generator().manual_seed(zlib.crc32(repr((str(dtype), shape)).encode()))
    n = int(np.prod(shape)) if shape else 1
    size = torch.tensor([], dtype=dtype).element_size()
    raw = torch.randint(0, 256, (n * size,), dtype=torch.uint8, generator=generator)
    if dtype == torch.bool:
        raw = raw & 1
    return torch.tensor([], dtype=dtype).set_(
        raw.untyped_storage() if hasattr(raw, "untyped_storage") else raw.storage().untyped() if hasattr(raw.storage(), "untyped") else raw.storage()._untyped(), 0,
        shape, torch.empty(shape, device="meta").stride())


def dtypes():
    names = ["float32", "float64", "float16", "bfloat16", "uint8", "int8", "int16", "int32", "int64", "bool",
             "complex64", "complex128"]
    if MODERN:
        names += ["complex32", "uint16", "uint32", "uint64", "float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz",
                  "float8_e5m2fnuz", "float8_e8m0fnu"]
    return [getattr(torch, name) for name in names]


@case
def every_dtype():
    return {str(d): filled(d, 3, 5) for d in dtypes()}


@case
def zero_and_scalar():
    return {**{f"0d.{d}": filled(d) for d in dtypes()}, "empty": torch.empty(0), "empty2": torch.empty(0, 3),
            "empty3": torch.empty(4, 0, 2, dtype=torch.int16), "five": torch.arange(32.).reshape(2, 2, 2, 2, 2)}


@case
def strides():
    base = torch.arange(120.).reshape(2, 3, 4, 5)
    return {"transposed": torch.arange(12.).reshape(3, 4).t(), "channels_last": base.to(memory_format=torch.channels_last),
            "permuted": base.permute(3, 1, 0, 2), "expanded": torch.arange(3.).reshape(3, 1).expand(3, 4),
            "broadcast": torch.tensor(7.).expand(2, 2), "column": torch.arange(12.).reshape(3, 4)[:, 1],
            "step": torch.arange(20)[3:17:2], "window": torch.arange(10.).as_strided((4, 3), (2, 1), 1),
            "row": base[1], "flipped": base.flip(0)}


@case
def views_of_large():
    big = torch.arange(20000.)
    return {"head": big[:3], "tail": big[-3:], "middle": big[5000:5004].reshape(2, 2)}


@case
def lone_view_of_large():
    return {"x": torch.arange(100000.)[:1]}


@case
def tied():
    w = torch.randn(10, 4)
    both = torch.arange(10.)
    return {"embed.weight": w, "head.weight": w, "alias": w.view(4, 10), "left": both[:6], "right": both[4:],
            "list": [w, w]}


@case
def state_dict_with_metadata():
    return shapes.Net().state_dict()


@case
def training():
    model = shapes.Net()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 3)
    for _ in range(2):
        optimizer.zero_grad()
        model(torch.randn(2, 3, 8, 8)).sum().backward()
        optimizer.step()
        scheduler.step()
    return {"epoch": 3, "state_dict": model.state_dict(), "optimizer": optimizer.state_dict(),
            "scheduler": {k: v for k, v in scheduler.state_dict().items() if not callable(v)},
            "args": argparse.Namespace(lr=0.1, path=pathlib.PurePosixPath("/data/x"), flags=[1, "a", None, True]),
            "best": np.float64(0.75), "rng": torch.get_rng_state()}


@case
def whole_module():
    return shapes.Net()


@case
def yolo_like():
    return {"model": shapes.Net().half(), "ema": None, "updates": 7, "date": datetime.datetime(2022, 1, 2, 3, 4, 5, 6)}


@case
def parameters():
    p = torch.nn.Parameter(torch.randn(3, 2))
    q = torch.nn.Parameter(torch.randn(2), requires_grad=False)
    p.tag = "decay"
    grown = torch.randn(3, requires_grad=True) * 2
    return {"p": p, "q": q, "again": p, "plain": grown.detach(), "leaf": torch.zeros(2, requires_grad=True)}


@case
def bare_tensor():
    return torch.randn(4, 4)


@case
def bare_parameter():
    return torch.nn.Parameter(torch.randn(4, 4))


@case
def sparse():
    coo = torch.sparse_coo_tensor(torch.tensor([[0, 1, 1], [2, 0, 2]]), torch.tensor([3., 4., 5.]), (2, 3))
    return {"coo": coo, "coalesced": coo.coalesce(), "csr": torch.eye(3).to_sparse_csr()}


@case
def quantized():
    x = torch.randn(4, 6)
    return {"tensor": torch.quantize_per_tensor(x, 0.1, 3, torch.qint8), "u": torch.quantize_per_tensor(x, 0.1, 3, torch.quint8),
            "i32": torch.quantize_per_tensor(x, 0.01, 0, torch.qint32),
            "channel": torch.quantize_per_channel(x, torch.tensor([.1, .2, .3, .4]), torch.tensor([0, 1, 2, 3]), 0, torch.qint8)}


@case
def meta():
    return {"m": torch.empty(3, 4, device="meta"), "x": torch.ones(2)}


@case
def conj_and_neg():
    if not MODERN:
        return {"x": torch.ones(2)}
    z = torch.randn(3, dtype=torch.complex64)
    return {"conj": z.conj(), "neg": torch._neg_view(torch.randn(3)), "both": torch._neg_view(torch.randn(2, dtype=torch.complex64)).conj()}


@case
def nested():
    if not MODERN:
        return {"x": torch.ones(2)}
    return {"n": torch.nested.nested_tensor([torch.ones(2, 3), torch.zeros(1, 3)])}


@case
def subclass():
    t = torch.randn(3).as_subclass(shapes.Tagged)
    t.note = "kept"
    return {"t": t, "plain": torch.ones(1)}


@case
def storages():
    t = torch.arange(6.)
    return {"t": t, "s": t.storage(), "alone": torch.arange(3, dtype=torch.int32).storage()}


@case
def plain_values():
    shared = [1, 2]
    loop = {"self": None, "shared": shared, "again": shared}
    loop["self"] = loop
    knot = ([],)
    knot[0].append(knot)
    return {"int": [0, 1, -1, 255, 256, 65535, 65536, 2**31 - 1, 2**31, -2**31, -2**31 - 1, 2**63, -2**63, 2**64, -2**64 - 1, 10**100, -10**700],
            "float": [0.0, -0.0, 1.5, float("inf"), float("-inf"), float("nan"), 5e-324, 1e308], "text": ["", "x" * 300, "h\xe9\u20ac\U0001f600", "a\x00b\n", "\ud800"],
            "none": None, "bools": (True, False), "tuples": [(), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4)], "loop": loop, "knot": knot,
            "bytes": [b"", b"abc", bytes(range(256)), bytearray(b"xyz"), bytearray()], "sets": [set(), {1, 2}, frozenset(), frozenset({"a"})],
            "complex": 1 - 2j, "range": range(1, 10, 2), "slice": slice(1, None, 2), "dots": ..., "ni": NotImplemented, "type": int, "nonetype": type(None),
            1: "int key", None: "none key", (1, "a"): "tuple key", 2.5: "float key", True and "t": 1,
            "names": ["a.b", "a/b", "\x1b[31mred\x07", "", " "], "equal": {"a": {"w": torch.ones(1)}, "b": {"w": torch.zeros(1)}}}


@case
def stdlib():
    return {"od": collections.OrderedDict([("b", 1), ("a", 2)]), "dd": collections.defaultdict(list, {"x": [1]}), "counter": collections.Counter("hello"),
            "deque": collections.deque([1, 2, 3], maxlen=5), "ns": argparse.Namespace(a=1), "when": datetime.datetime(2020, 1, 2, 3, 4, 5, 678),
            "day": datetime.date(2020, 2, 29), "delta": datetime.timedelta(1, 2, 3), "tz": datetime.timezone(datetime.timedelta(hours=1)),
            "path": pathlib.PurePosixPath("/a/b"), "decimal": decimal.Decimal("1.50"), "fraction": fractions.Fraction(1, 3), "uuid": uuid.UUID(int=5),
            "partial": functools.partial(int, base=2), "rng": random.Random(3).getstate()}


@case
def classes():
    shared = shapes.Plain(a=1)
    shared.me = shared
    given = shapes.Given()
    given.tensor, given.me = torch.ones(3), given
    return {"colour": shapes.Colour.RED, "colours": [shapes.Colour.BLUE, shapes.Colour.RED], "level": shapes.Level.HIGH, "plain": shared, "again": shared,
            "slots": shapes.Slotted(1, [2]), "state": shapes.WithState({"t": torch.ones(2)}), "called": shapes.Called(1, "x"), "given": given, "given again": [given], "kw": shapes.Keyword(size=3),
            "list": shapes.ListLike([1, 2]), "dict": shapes.DictLike(a=1), "point": shapes.Point(1, torch.zeros(2)), "config": shapes.Config(tags=["x"]),
            "cls": shapes.Plain, "inner": shapes.Plain.Inner(4), "function": torch.relu}


@case
def numpy_values():
    a = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    return {"a": a, "fortran": np.asfortranarray(a), "view": a[:, 1], "big": a.astype(">f4"), "i": np.arange(3), "b": np.array([True, False]),
            "zero": np.zeros((0, 2)), "scalar": np.float32(1.5), "int": np.int64(-3), "bool": np.bool_(True), "str": np.array(["ab", "c"]),
            "object": np.array([1, "x", None], dtype=object), "dtype": np.dtype("f4"), "struct": np.zeros(2, dtype=[("x", "f4"), ("y", "i2")]),
            "complex": np.array([1 + 2j]), "0d": np.array(5.0)}


@case
def torch_values():
    return {"size": torch.Size([1, 2]), "device": torch.device("cpu"), "cuda": torch.device("cuda", 1), "dtypes": [torch.float16, torch.bfloat16, torch.bool, torch.int64],
            "layout": torch.strided, "qscheme": torch.per_tensor_affine}


@case
def many_small():
    return {f"layer.{i}.weight": torch.full((2,), float(i)) for i in range(1200)}


@case
def long_lists():
    return {"tokens": list(range(5000)), "pairs": {str(i): i for i in range(2500)}, "deep": functools.reduce(lambda a, _: [a], range(150), 0)}


@case
def equal_leaf_keys():
    return {"a": {"weight": torch.ones(1), "b.weight": torch.ones(2)}, "a.weight": torch.zeros(1), "module.x": torch.ones(1), "x.module.y": torch.ones(1),
            3: torch.ones(1), "3": torch.zeros(1)}


@case
def control_names():
    return {"\x1b]0;boo\x07": torch.ones(1), "new\nline": torch.ones(1), "nul\x00nul": torch.ones(1), "": torch.ones(1), "\u202egnp": torch.ones(1)}


def save_variants(directory):
    """The same content in other containers and protocols."""
    content = {"w": torch.arange(6.).reshape(2, 3), "n": {"b": True, "f": 0.5, "t": (1, "x"), "bytes": b"\x00\xff"}}
    for protocol in (0, 1, 2, 3, 4, 5):
        if protocol:
            torch.save(content, directory / f"protocol_{protocol}.pt", pickle_protocol=protocol)
        torch.save(content, directory / f"legacy_protocol_{protocol}.pt", pickle_protocol=max(protocol, 1),
                   _use_new_zipfile_serialization=False)
        yield f"legacy_protocol_{protocol}", False
        if protocol:
            yield f"protocol_{protocol}", False
    torch.save(shapes.Net().state_dict(), directory / "legacy_state_dict.pt", _use_new_zipfile_serialization=False)
    yield "legacy_state_dict", True
    torch.save(shapes.Net(), directory / "legacy_module.pt", _use_new_zipfile_serialization=False)
    yield "legacy_module", False
    w = torch.arange(100.)
    torch.save({"a": w[10:20], "b": w[15:], "c": w}, directory / "legacy_views.pt", _use_new_zipfile_serialization=False)
    yield "legacy_views", True
    buffer = io.BytesIO()
    torch.save(content, buffer)
    (directory / "from_buffer.pt").write_bytes(buffer.getvalue())
    yield "from_buffer", False


def weights_only_takes(path):
    try:
        torch.load(path, weights_only=True)
        return True
    except Exception:
        return False


def main():
    directory = pathlib.Path(sys.argv[1])
    directory.mkdir(parents=True, exist_ok=True)
    warnings.simplefilter("ignore")
    torch.manual_seed(0)
    for name, make in CASES.items():
        path = directory / f"{name}.pt"
        torch.save(make(), path)
        print(f"{name}\t{'yes' if weights_only_takes(path) else 'no'}")
    for name, _ in save_variants(directory):
        print(f"{name}\t{'yes' if weights_only_takes(directory / (name + '.pt')) else 'no'}")


if __name__ == "__main__":
    main()
