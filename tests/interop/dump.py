"""Describe what a framework loads, so that two loads can be compared as text.

usage: dump.py --batch | FILE [--weights-only] [--mmap] [--loader torch|safetensors|numpy|pickle]
               [--values-only]

One line a value, in graph order: types, sharing and cycles by number, keys in
order, tensors by dtype, shape, strides, offset, storage and a hash of their
bytes.  --values-only leaves out strides, offsets, storages and sharing.
"""
import argparse
import enum
import hashlib
import json
import struct
import sys
import types
import warnings

sys.path.insert(0, __file__.rsplit("/", 1)[0])


class Dump:
    def __init__(self, values_only):
        self.values_only = values_only
        self.ids = {}
        self.keep = []
        self.storages = {}
        self.lines = []

    def line(self, depth, text):
        self.lines.append("  " * depth + text)

    def seen(self, depth, value, what):
        if self.values_only:
            return False
        if id(value) in self.ids:
            self.line(depth, f"ref {self.ids[id(value)]}")
            return True
        self.ids[id(value)] = len(self.ids)
        self.keep.append(value)
        self.line(depth, f"#{self.ids[id(value)]} {what}")
        return False

    def name(self, cls):
        return f"{cls.__module__}.{cls.__qualname__}"

    def tensor_bytes(self, t):
        import torch

        t = t.detach()
        if t.is_quantized:
            t = t.int_repr()
        t = t.resolve_conj().resolve_neg().contiguous().reshape(-1)
        if t.numel() == 0:
            return b""
        if hasattr(t, "untyped_storage"):
            storage = t.untyped_storage()
        else:
            storage = t.storage()._untyped() if hasattr(t.storage(), "_untyped") else t.storage().untyped()
        start = t.storage_offset() * t.element_size()
        raw = torch.tensor([], dtype=torch.uint8).set_(storage, start, (t.numel() * t.element_size(),), (1,)) \
            if not hasattr(t, "view") or t.dtype != torch.uint8 else t
        return raw.numpy().tobytes()

    def storage_of(self, t):
        if hasattr(t, "untyped_storage"):
            return t.untyped_storage()
        return t.storage()._untyped() if hasattr(t.storage(), "_untyped") else t.storage().untyped()

    def tensor(self, depth, t):
        import torch

        kind = type(t).__name__
        if t.layout != torch.strided:
            self.line(depth, f"{kind} {t.layout} {t.dtype} {tuple(t.shape)}")
            parts = []
            if t.layout == torch.sparse_coo:
                parts = [t._indices(), t._values()]
                self.line(depth, f"coalesced {t.is_coalesced()}")
            elif t.layout in (torch.sparse_csr, getattr(torch, "sparse_bsr", None)):
                parts = [t.crow_indices(), t.col_indices(), t.values()]
            else:
                parts = [t.ccol_indices(), t.row_indices(), t.values()]
            for part in parts:
                self.tensor(depth + 1, part)
            return
        if getattr(t, "is_nested", False):
            self.line(depth, f"{kind} nested {t.dtype}")
            for part in t.unbind():
                self.tensor(depth + 1, part)
            return
        text = f"{kind} {t.dtype} {tuple(t.shape)} grad={t.requires_grad}"
        if t.device.type == "meta":
            self.line(depth, text + f" meta {t.stride()}")
            return
        if t.is_quantized:
            if t.qscheme() == torch.per_tensor_affine:
                text += f" q({t.q_scale()!r},{t.q_zero_point()!r})"
            else:
                text += f" q({t.q_per_channel_scales().tolist()},{t.q_per_channel_zero_points().tolist()},{t.q_per_channel_axis()})"
        if not self.values_only:
            storage = self.storage_of(t)
            number = "-"
            if storage.nbytes():
                number = self.storages.setdefault(storage.data_ptr(), len(self.storages))
            text += f" stride={t.stride()} offset={t.storage_offset()} storage={number}/{storage.nbytes()}"
            text += f" conj={t.is_conj()} neg={t.is_neg()}"
        text += " " + hashlib.sha256(self.tensor_bytes(t)).hexdigest()[:16]
        self.line(depth, text)
        extra = {k: v for k, v in getattr(t, "__dict__", {}).items()}
        if extra:
            self.value(depth + 1, extra)

    def array(self, depth, a):
        text = f"ndarray {a.dtype.str} {a.shape}"
        if not self.values_only:
            text += f" strides={a.strides}"
        if a.dtype.hasobject:
            self.line(depth, text)
            for item in a.reshape(-1):
                self.value(depth + 1, item)
            return
        self.line(depth, text + " " + hashlib.sha256(a.tobytes()).hexdigest()[:16])

    def value(self, depth, v):
        module = type(v).__module__
        if v is None or isinstance(v, (bool, type(Ellipsis), type(NotImplemented))):
            return self.line(depth, repr(v))
        if type(v) is int:
            return self.line(depth, f"int {v if v.bit_length() < 10000 else hash(v)}")
        if type(v) is float:
            return self.line(depth, "float " + struct.pack(">d", v).hex())
        if type(v) is complex:
            return self.line(depth, "complex " + struct.pack(">dd", v.real, v.imag).hex())
        if type(v) is str:
            return self.line(depth, f"str {v!a}")
        if type(v) is bytes:
            return self.line(depth, f"bytes {len(v)} {hashlib.sha256(v).hexdigest()[:16]}")
        if isinstance(v, type) or isinstance(v, (types.FunctionType, types.BuiltinFunctionType)):
            return self.line(depth, f"global {v.__module__}.{v.__qualname__}")
        if module.split(".")[0] == "torch" and type(v).__name__ in ("dtype", "layout", "device", "memory_format", "qscheme"):
            return self.line(depth, f"{type(v).__name__} {v}")
        if isinstance(v, enum.Enum):
            return self.line(depth, f"enum {self.name(type(v))}.{v.name}")
        if self.seen(depth, v, self.name(type(v))):
            return
        if self.values_only:
            self.line(depth, "dict" if isinstance(v, dict) else type(v).__name__)
        depth += 1
        self.content(depth, v)

    def content(self, depth, v):
        module = type(v).__module__
        torch = sys.modules.get("torch")
        numpy = sys.modules.get("numpy")
        if torch and isinstance(v, torch.Tensor):
            return self.tensor(depth, v)
        if torch and type(v).__name__.endswith("Storage") and module.startswith("torch"):
            raw = bytes(v.untyped()) if hasattr(v, "untyped") else bytes(v._untyped() if hasattr(v, "_untyped") else v)
            return self.line(depth, f"storage {hashlib.sha256(raw).hexdigest()[:16]}")
        if numpy and isinstance(v, numpy.ndarray):
            return self.array(depth, v)
        if numpy and isinstance(v, numpy.generic):
            return self.line(depth, f"{v.dtype.str} {v.tobytes().hex()}")
        if numpy and isinstance(v, numpy.dtype):
            return self.line(depth, v.str)
        if isinstance(v, bytearray):
            return self.line(depth, v.hex()[:64])
        if isinstance(v, dict):
            for key, item in v.items():
                self.value(depth, key)
                self.value(depth + 1, item)
        elif isinstance(v, (list, tuple)):
            for item in v:
                self.value(depth, item)
        elif isinstance(v, (set, frozenset)):
            for item in sorted(v, key=repr):
                self.value(depth, item)
        if hasattr(v, "maxlen"):
            self.line(depth, f"maxlen {v.maxlen}")
            for item in v:
                self.value(depth, item)
        if hasattr(v, "default_factory"):
            self.value(depth, v.default_factory)
        state = getattr(v, "__dict__", None)
        if state and not isinstance(v, type):
            for key, item in state.items():
                self.line(depth, f".{key}")
                self.value(depth + 1, item)
        for cls in type(v).__mro__:
            for slot in getattr(cls, "__slots__", ()):
                if isinstance(slot, str) and hasattr(v, slot) and module not in ("collections", "datetime", "pathlib", "decimal", "fractions", "builtins"):
                    self.line(depth, f".{slot}")
                    self.value(depth + 1, getattr(v, slot))
        if not isinstance(v, (dict, list, tuple, set, frozenset)) and not state:
            self.line(depth, repr(v) if " at 0x" not in repr(v) else "")


def load(args):
    if args.loader == "torch":
        import inspect
        import torch

        options = {"map_location": "cpu"}
        if "weights_only" in inspect.signature(torch.load).parameters:
            options["weights_only"] = args.weights_only
        if args.mmap:
            options["mmap"] = True
        return torch.load(args.file, **options)
    if args.loader == "safetensors":
        from safetensors import safe_open

        with safe_open(args.file, "pt") as f:
            return {key: f.get_tensor(key) for key in f.keys()}
    if args.loader == "numpy":
        import numpy

        value = numpy.load(args.file, allow_pickle=True)
        return {key: value[key] for key in value.files} if hasattr(value, "files") else value
    import pickle

    with open(args.file, "rb") as f:
        return pickle.load(f)


def describe(options):
    dump = Dump(options.values_only)
    dump.value(0, load(options))
    return "\n".join(dump.lines)


def parse(argv):
    parser = argparse.ArgumentParser()
    parser.add_argument("file")
    parser.add_argument("--weights-only", action="store_true")
    parser.add_argument("--mmap", action="store_true")
    parser.add_argument("--loader", default="torch")
    parser.add_argument("--values-only", action="store_true")
    return parser.parse_args(argv)


def batch():
    """A JSON list of argument lists on stdin; a JSON line each on stdout."""
    for argv in json.load(sys.stdin):
        try:
            result = {"text": describe(parse(argv))}
        except Exception as e:
            result = {"error": f"{type(e).__name__}: {e}"[:500]}
        print(json.dumps(result), flush=True)


def main():
    warnings.simplefilter("ignore")
    sys.setrecursionlimit(20000)
    if sys.argv[1:] == ["--batch"]:
        batch()
    else:
        print(describe(parse(sys.argv[1:])))


if __name__ == "__main__":
    main()
