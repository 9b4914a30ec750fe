#!/usr/bin/env python3
"""linnaeus: what ferry makes of pretrained weights against torch and re, and
configs against yacs.

	linnaeus.py FERRY WORK CORPUS [YACS]

YACS is a directory with yacs and PyYAML; without it configs are not tested.
"""
import json
import os
import subprocess
import sys

import torch

ferry, work, corpus = sys.argv[1:4]
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(corpus, "linnaeus"))
sys.path[:0] = sys.argv[4:5]

from models import (METADATA, ConvNeXt, MFormerV1, OrderedDict,  # noqa: E402
                    Refused, RopeVit, load_documented, load_pretrained,
                    metaformer, stitched)

failures = []
done = 0


def run(*args):
    return subprocess.run([ferry, *map(str, args)], capture_output=True,
                          text=True)


def save(name, value):
    path = os.path.join(work, name)
    torch.save(value, path)
    return path


def same(what, want, *args):
    """A run gives these names in this order, and these tensors; or fails."""
    global done
    done += 1
    out = os.path.join(work, "out.pth")
    r = run("convert", "--overwrite", "-q", "--allow-loss=empty", *args, out)
    if want is None:
        if r.returncode == 0:
            failures.append("%s: is not refused" % what)
        return
    if r.returncode:
        failures.append("%s: %s" % (what, r.stderr.strip()))
        return
    got = torch.load(out, map_location="cpu")
    if list(got) != list(want):
        failures.append("%s: names %s, not %s" % (
            what, [k for k in got if k not in want],
            [k for k in want if k not in got]))
        return
    for k, v in want.items():
        table = "relative_position_bias_table" in k
        equal = (got[k].shape == v.shape and got[k].dtype == v.dtype and
                 (torch.allclose(got[k], v, rtol=0, atol=1e-5) if table else
                  torch.equal(got[k], v)))
        if not equal:
            failures.append("%s: %s differs" % (what, k))


def attempt(function, *args, **kw):
    try:
        return function(*args, **kw)
    except Refused:
        return None


# ---- one file ---------------------------------------------------------------

def roots():
    v1 = MFormerV1().state_dict()
    for prefix in "", "module.":
        weights = OrderedDict((prefix + k, v) for k, v in v1.items())
        meta = metaformer((3, 5), 3, prefix)
        yield "model" + prefix, {"model": weights, "epoch": 3}
        yield "meta" + prefix, {"model": meta, "state_dict": weights}
        yield "ema" + prefix, {"state_dict_ema": meta, "state_dict": weights,
                               "arch": "x"}
        yield "state_dict" + prefix, {"state_dict": meta, "epoch": 1}
        yield "whole" + prefix, meta
    large = metaformer((27, 13), 4)
    yield "large", {"model": large}
    mixed = OrderedDict(list(metaformer().items())[:4])
    mixed["module.x"] = torch.rand(2)
    yield "mixed", {"model": mixed}
    yield "heads", {"model": OrderedDict([("head.weight", torch.rand(2))])}


def one_run(name, root, path, model, source, ddp, size):
    for semantics, load in (("upstream", load_pretrained),
                            ("documented", load_documented)):
        want = attempt(load, root, model, source, size, ddp)
        same("%s %s for %s, source %r, ddp %s, %d" % (
                 semantics, name, model, source, ddp, size), want,
             path, "--model", model, "--set", "semantics=" + semantics,
             "--set", "pretrained-source=" + source,
             "--set", "img-size=%d" % size,
             "--set", "target-ddp=" + ("no", "yes")[ddp])


def one_file():
    for name, root in roots():
        path = save("in.pth", root)
        for model in METADATA:
            for source in "", "metaformer", "stitched_convnext_ropevit":
                for ddp in False, True:
                    for size in (64, 384) if source else (384,):
                        one_run(name, root, path, model, source, ddp, size)


def told():
    """A run says that the other semantics differ when they do, and then
    only."""
    agree = 0
    for name, root in roots():
        path = save("in.pth", root)
        for model in METADATA:
            for source in "", "metaformer":
                code, guide = (attempt(load, root, model, source, 64)
                               for load in (load_pretrained, load_documented))
                if code is None or guide is None:
                    continue
                shapes = [[(k, v.shape) for k, v in w.items()]
                          for w in (code, guide)]
                r = run("plan", path, "--model", model, "--set", "img-size=64",
                        "--set", "pretrained-source=" + source)
                agree += shapes[0] == shapes[1]
                if ("semantics=documented would" in r.stdout) == (
                        sorted(shapes[0]) == sorted(shapes[1])):
                    failures.append("told: %s, %s, source %r: %s" % (
                        name, model, source, r.stdout))
    if not agree:
        failures.append("told: the semantics never agree")


# ---- two files --------------------------------------------------------------

def two_files():
    def wrapped(weights):
        return OrderedDict(("module." + k, v) for k, v in weights.items())

    conv, rope = ConvNeXt().state_dict(), RopeVit().state_dict()
    convs = {"model": conv, "n": 1}, {"state_dict_ema": wrapped(conv),
                                      "n": 1}, conv
    ropes = {"model": wrapped(rope)}, {"state_dict": rope, "n": 1}, rope
    models = [(MFormerV1(), (2, 1), True),
              (MFormerV1(heads=(3, 2)), (2, 1), True),
              (MFormerV1(dims=(4, 8, 12, 12), ropes=(3, 1)), (3, 1), True),
              (MFormerV1(mixed=False, ropes=(1, 2)), (1, 2), False),
              (MFormerV1(dims=(8, 8, 12, 16)), (2, 1), True)]
    for i, (model, depths, mixed) in enumerate(models):
        target = save("target.pth", {"model": model.state_dict()})
        for k in range(3):
            for documented in False, True:
                a, b = save("conv.pth", convs[k]), save("rope.pth", ropes[k])
                same("stitched %d %d %s" % (i, k, documented),
                     stitched(convs[k], ropes[k], model.state_dict(), depths,
                              mixed, documented),
                     a, "--to", "linnaeus/model", "--with", "ropevit=" + b,
                     "--with", "target=" + target, "--set", "semantics=" +
                     ("upstream", "documented")[documented])
    same("nothing fits", None, save("conv.pth", convs[0]), "--to",
         "linnaeus/model", "--with", "ropevit=" + save("rope.pth", {"x": conv}),
         "--with", "target=" + save("target.pth", {"a": torch.rand(2)}))


# ---- models ------------------------------------------------------------------

def loads():
    """What ferry writes is what load_state_dict takes, and what --expect
    tells of it is what load_state_dict tells."""
    model = MFormerV1()
    target = save("target.pth", {"model": model.state_dict()})
    other = MFormerV1(task="taxa_L20", convs=(2, 2)).state_dict()
    out = os.path.join(work, "loaded.pth")
    r = run("convert", "--overwrite", save("in.pth", {"model": other}), out,
            "--model", "linnaeus/mFormerV1-guide", "--set",
            "semantics=documented", "--expect", target)
    if r.returncode:
        failures.append("expect: %s" % r.stderr)
        return
    told = model.load_state_dict(torch.load(out), strict=False)
    got = json.loads(run("verify", out, "--expect", target, "--json").stdout)
    for code, keys, words in (
            ("missing", told.missing_keys, "are missing"),
            ("unexpected", told.unexpected_keys, "are not expected")):
        listed = [m["name"] for m in got["expect"]["misfits"]
                  if m["misfit"] == code]
        if not keys or sorted(listed) != sorted(keys):
            failures.append("expect: %s: %s, not %s" % (code, listed, keys))
        if "%d tensors %s" % (len(keys), words) not in r.stderr:
            failures.append("expect: %s: %s" % (code, r.stderr))


def variants():
    """The schemas are the names and shapes of real modules."""
    if not hasattr(torch, "get_default_device"):
        return
    sizes = {"sm": ((96, 192, 384, 768), (5, 2), (6, 12)),
             "md": ((96, 192, 384, 768), (10, 2), (6, 12)),
             "lg": ((192, 384, 768, 1536), (10, 2), (12, 24)),
             "xl": ((256, 512, 1024, 2048), (22, 2), (16, 32))}
    for name, (dims, ropes, heads) in sizes.items():
        with torch.device("meta"):
            model = MFormerV1(dims, (3, 3), ropes, heads, task=None, meta=None)
        names = OrderedDict((k, torch.zeros(()).expand(v.shape))
                            for k, v in model.state_dict().items())
        r = run("verify", save("variant.pth", names), "--expect",
                "linnaeus/mFormerV1-" + name)
        if r.returncode:
            failures.append("schema %s: %s%s" % (name, r.stdout, r.stderr))


# ---- configs -----------------------------------------------------------------

def configs():
    try:
        import yaml
        from yacs.config import CfgNode
    except ImportError:
        print("no yacs: configs are not tested")
        return
    cfg = CfgNode({"MODEL": {"NAME": "x", "DIMS": [1, 2], "EMPTY": {},
                             "NONE": None, "RATE": 1e-06, "TEXT": "on"},
                   "DATA": {"MEAN": (0.1, 0.2), "PATH": "a: b # c\n"},
                   "LOSS": {"W": [[1.5, -0.0], []], "BIG": 2 ** 40}},
                  new_allowed=True)
    cfg.LOSS.FILTERS = [{"TYPE": "and", "FILTERS": [{"A": [1]}]}]
    cfg.freeze()
    out = os.path.join(work, "config.yaml")
    root = {"model": MFormerV1().state_dict(), "optimizer": {},
            "lr_scheduler": {"last_epoch": 1}, "epoch": 1, "config": cfg,
            "iteration": 2}
    r = run("convert", "--overwrite", save("ckpt_epoch_1.pth", root), out,
            "--to", "linnaeus/config")
    if r.returncode:
        failures.append("config: %s" % r.stderr)
        return
    with open(out) as f:
        got = yaml.safe_load(f)
    if got != yaml.safe_load(cfg.dump()):
        failures.append("config: %s" % got)


torch.manual_seed(1)
os.makedirs(work, exist_ok=True)
one_file()
told()
two_files()
loads()
variants()
configs()
for f in failures[:20]:
    print("FAIL:", f)
print("torch %s: linnaeus: %d runs, %d failures" % (
    torch.__version__, done, len(failures)))
sys.exit(1 if failures else 0)
