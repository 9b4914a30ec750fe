#!/usr/bin/env python3
"""A tree of checkpoints as a team has them after some years, and what became of it.

	tree.py make OLD CORPUS		add what this Python's frameworks write
	tree.py check OLD NEW HOW	hold what was made against what it was made of

make is to be run by a Python with torch 1.13 and then by one with torch 2.13,
numpy and safetensors, which adds the test corpus' files of CAIMAN-ASR,
AudioCraft and ksuit.  doc/examples/tree is what it makes; nothing random in it.

check loads every output with what this Python has (weights_only=True where torch
2 takes it), and each source, and compares bit by bit.  HOW is "upgrade" (all is
kept), "weights" (the model alone, as safetensors) or "recipe"
(doc/examples/tree.yaml).  The last line counts.
"""
import importlib.abc
import importlib.machinery
import pathlib
import shutil
import sys
import types
import warnings

import numpy as np
import torch

MODERN = int(torch.__version__.split(".")[0]) >= 2


# ---- making ---------------------------------------------------------------------

def values(shape, start, dtype=torch.float32):
    n = int(np.prod(shape))
    return (torch.arange(start, start + n, dtype=torch.float64) * 0.618 % 1 - 0.5).to(dtype).reshape(shape)


def state_dict(width, start, dtype=torch.float32, prefix=""):
    names = [("embed.weight", (3 * width, width)), ("layers.0.weight", (width, width)), ("layers.0.bias", (width,)),
             ("layers.1.weight", (width, width)), ("layers.1.bias", (width,)), ("norm.weight", (width,))]
    state = {}
    for i, (name, shape) in enumerate(names):
        state[prefix + name] = values(shape, start + 1000 * i, dtype)
    state[prefix + "head.weight"] = state[prefix + "embed.weight"]
    return state


def training(width, start, epoch):
    model = torch.nn.Sequential(torch.nn.Linear(width, width), torch.nn.ReLU(), torch.nn.Linear(width, 3))
    with torch.no_grad():
        for i, parameter in enumerate(model.parameters()):
            parameter.copy_(values(parameter.shape, start + 1000 * i))
            parameter.grad = values(parameter.shape, start + 500 + 1000 * i)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    optimizer.step()
    return {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": epoch, "best": 0.25 + epoch}


# A class that nobody has any more when the checkpoint is read.
def lost_module(width):
    lab = types.ModuleType("lab")
    exec("import torch\nclass Net(torch.nn.Module):\n    pass\n", lab.__dict__)
    lab.Net.__module__ = "lab"
    sys.modules["lab"] = lab
    net = lab.Net()
    net.body = torch.nn.Linear(width, width)
    with torch.no_grad():
        for i, parameter in enumerate(net.parameters()):
            parameter.copy_(values(parameter.shape, 9000 + 100 * i))
    return net


def save(value, path, **how):
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(value, path, **how)


def make_old(old):
    save(state_dict(8, 0), old / "mlp/2019/best.pth", _use_new_zipfile_serialization=False)
    save(lost_module(12), old / "mlp/2019/whole.pth", _use_new_zipfile_serialization=False)
    for epoch in (8, 9):
        save(training(16, 100 * epoch, epoch), old / f"mlp/2022/epoch{epoch}.pt")
    whole = (old / "mlp/2022/epoch9.pt").read_bytes()
    (old / "mlp/2022/epoch10.pt").write_bytes(whole[:len(whole) * 2 // 3])


def copy(corpus, old, pairs):
    for source, target in pairs:
        (old / target).parent.mkdir(parents=True, exist_ok=True)
        if (corpus / source).is_dir():
            shutil.copytree(corpus / source, old / target, dirs_exist_ok=True)
        else:
            shutil.copyfile(corpus / source, old / target)


def make_new(old, corpus):
    from safetensors.torch import save_file
    save(state_dict(8, 50, torch.bfloat16, "module."), old / "gpt/ddp.pt")
    save(training(24, 7, 30), old / "gpt/epoch30.pt")
    plain = {k: v.clone() for k, v in state_dict(8, 70, torch.float16).items()}
    (old / "hub").mkdir(exist_ok=True)
    save_file(plain, old / "hub/model.safetensors", metadata={"format": "pt"})
    (old / "features").mkdir(exist_ok=True)
    np.savez(old / "features/embeddings.npz", words=values((20, 6), 3).numpy(), ids=np.arange(20))
    np.save(old / "features/mean.npy", values((6,), 5, torch.float64).numpy())
    (old / "NOTES.txt").write_text("2019 is what the old cluster left; nobody has lab.Net any more.\n")
    copy(corpus, old, [
        ("torch/tar.pt", "mlp/2016/first.pt"),
        ("caiman/RNN-T_best_checkpoint.pt", "asr/RNN-T_best_checkpoint.pt"),
        ("caiman/config.yaml", "asr/config.yaml"),
        ("caiman/datasets", "asr/datasets"),
        ("caiman/hardware-1.4.pt", "asr/hardware-1.4.pt"),
        ("audiocraft/musicgen/checkpoint.th", "music/0a1b2c3d/checkpoint.th"),
        ("audiocraft/exports/state_dict.bin", "music/state_dict.bin"),
        ("ksuit/run/2026-02-01_ab12c/train", "vision/2026-02-01_ab12c/train"),
    ])


# ---- reading anything -----------------------------------------------------------

class Stand:
    """In the place of a class that is not here; takes whatever it is given."""

    def __new__(cls, *args, **kwargs):
        self = object.__new__(cls)
        self.args = args
        return self

    def __init__(self, *args, **kwargs):
        pass

    def __setstate__(self, state):
        self.state = state

    def __call__(self, *args, **kwargs):
        return Stand()


class Lost(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Modules that nobody has: any name in them is a stand-in."""

    ROOTS = ("audiocraft", "caiman_asr_train", "lab", "omegaconf", "rnnt_train")

    def find_spec(self, name, path=None, target=None):
        return importlib.machinery.ModuleSpec(name, self, is_package=True) if name.split(".")[0] in self.ROOTS else None

    def create_module(self, spec):
        return None

    def exec_module(self, module):
        module.__getattr__ = lambda name: type(name, (Stand,), {"__module__": module.__name__})


def load_torch(path):
    """(document, whether torch takes it as weights alone)"""
    if not MODERN:
        return torch.load(path, map_location="cpu"), False
    try:
        return torch.load(path, map_location="cpu", weights_only=True), True
    except Exception:
        return torch.load(path, map_location="cpu", weights_only=False), False


def load(path):
    name = str(path)
    if name.endswith(".safetensors"):
        from safetensors.torch import load_file
        return load_file(name), True
    if name.endswith((".npz", ".npy")):
        held = np.load(name)
        return ({k: torch.from_numpy(held[k]) for k in held} if name.endswith(".npz") else torch.from_numpy(held)), True
    return load_torch(name)


def tensors(value, at="", seen=None, out=None):
    """Every tensor below a value by its path."""
    out = {} if out is None else out
    seen = set() if seen is None else seen
    if isinstance(value, torch.Tensor):
        out[at] = value.detach()
        return out
    if id(value) in seen:
        return out
    seen.add(id(value))
    if isinstance(value, torch.nn.Module) or (isinstance(value, Stand) and isinstance(getattr(value, "state", None), dict)):
        value = value.__dict__ if isinstance(value, torch.nn.Module) else value.state
    if isinstance(value, dict):
        for key, item in value.items():
            tensors(item, f"{at}.{key}" if at else str(key), seen, out)
    elif isinstance(value, (list, tuple)):
        for i, item in enumerate(value):
            tensors(item, f"{at}.{i}" if at else str(i), seen, out)
    return out


def bits(t):
    t = t.contiguous()
    raw = t.reshape(-1).view(torch.uint8) if t.numel() and t.dim() else t.reshape(1).view(torch.uint8) if t.numel() else t
    return str(t.dtype), tuple(t.shape), raw.numpy().tobytes() if t.numel() else b""


# ---- holding outputs against sources ---------------------------------------------

# Where the model's weights stand in a source; "" is the whole of it.
WEIGHTS = {
    "asr/RNN-T_best_checkpoint.pt": "state_dict",
    "gpt/epoch30.pt": "model", "mlp/2022/epoch8.pt": "model", "mlp/2022/epoch9.pt": "model",
    "music/0a1b2c3d/checkpoint.th": "best_state.model", "music/state_dict.bin": "best_state",
}
# Names that a newer layout has otherwise.
RENAMED = ("asr/hardware-1.4.pt", "vision/")
FILES = (".bin", ".npy", ".npz", ".pt", ".pth", ".safetensors", ".th")
failures = []


def fail(what):
    failures.append(what)
    print("FAIL:", what)


def module_tensors(found):
    """A module's parameters and buffers under the names of its state dict."""
    return {".".join(p for p in name.split(".") if p not in ("_parameters", "_buffers", "_modules")): t for name, t in found.items()}


def below(found, at):
    return {name[len(at) + 1:]: t for name, t in found.items() if name.startswith(at + ".")} if at else found


def hold(what, wanted, got):
    """How many tensors of `got` are bit for bit those of `wanted`, name by name.

    Of several names of one tensor, safetensors holds the first."""
    if what.endswith(".safetensors"):
        held = {wanted[name].data_ptr() for name in got if name in wanted}
        wanted = {name: t for name, t in wanted.items() if name in got or t.data_ptr() not in held}
    if sorted(wanted) != sorted(got):
        fail(f"{what}: names differ: {sorted(set(wanted) ^ set(got))[:6]}")
        return 0
    for name in wanted:
        if bits(wanted[name]) != bits(got[name]):
            fail(f"{what}: {name} differs")
    return len(got)


def hold_among(what, sources, got):
    """Every tensor is bit for bit one of those that it was made of."""
    known = {bits(t) for t in sources.values()}
    for name, t in got.items():
        if bits(t) not in known:
            fail(f"{what}: {name} is of no tensor of the source")
    return len(got)


def sources_of(old, name):
    """The files that an output was made of, by its path; the first names them."""
    if name.startswith("vision/"):
        return sorted((old / "vision").rglob("*.th"))
    path = old / name.replace(".hw.pt", ".pt")
    if path.exists():
        return [path]
    if path.name == "state_dict.bin":
        return [path.parent / "checkpoint.th"]
    return list(path.parent.glob(path.stem + ".*"))[:1]


def all_tensors(paths):
    found = [tensors(load(path)[0], str(i)) for i, path in enumerate(paths)]
    return {name: t for part in found for name, t in part.items()}


def check_file(old, new, path, how):
    """(tensors, 1 when torch takes it as weights alone)"""
    name = str(path.relative_to(new))
    sources = sources_of(old, name)
    if not sources:
        fail(f"{name}: of no source")
        return 0, 0
    key = str(sources[0].relative_to(old))
    after, safe = load(path)
    got = tensors(after)
    if key.startswith(RENAMED):
        return hold_among(name, all_tensors(sources), got), safe
    before = tensors(load(sources[0])[0])
    if how == "upgrade" or path.read_bytes() == sources[0].read_bytes():
        return hold(name, before, got), safe
    if name.endswith(".hw.pt"):
        return hold(name, below(before, "ema_state_dict"), below(got, "state_dict")), safe
    if MODERN and not safe:
        fail(f"{name}: not taken with weights_only=True")
    wanted = module_tensors(below(before, WEIGHTS.get(key, "")))
    if how == "recipe":
        wanted = {name.removeprefix("module."): t for name, t in wanted.items()}
    return hold(name, wanted, below(got, "best_state") if path.suffix == ".bin" else got), safe


def check(old, new, how):
    n = n_tensors = n_safe = 0
    for path in sorted(new.rglob("*")):
        name = str(path.relative_to(new))
        if path.is_dir() or not name.endswith(FILES):
            continue
        # Debian has no safetensors.
        if not MODERN and path.suffix == ".safetensors":
            continue
        n += 1
        k, safe = check_file(old, new, path, how)
        n_tensors += k
        n_safe += safe
    if not MODERN and how == "weights":
        return
    if n < 7:
        fail(f"{new}: only {n} outputs")
    print(f"{n} outputs, {n_tensors} tensors equal, {n_safe} outputs are weights alone to torch {torch.__version__}; {len(failures)} failures")


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    sys.meta_path.append(Lost())
    if sys.argv[1] == "make" and MODERN:
        make_new(pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3]))
    elif sys.argv[1] == "make":
        make_old(pathlib.Path(sys.argv[2]))
    else:
        check(pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3]), sys.argv[4])
    sys.exit(1 if failures else 0)
