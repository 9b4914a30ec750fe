"""Files of ksuit and noether: real enums, optimizers and scalers, and what
ferry makes of them loaded again.

usage: ksuit.py FERRY WORK-DIR

Enums are pickled by the CPython that runs this: by value or, from 3.11.0 to
3.11.3, by member name.  Ends in "N passed, N failed".
"""
import enum
import io
import os
import pathlib
import random
import shutil
import subprocess
import sys
import types
from collections import OrderedDict

import torch
from torch import nn

FERRY, WORK = sys.argv[1], pathlib.Path(sys.argv[2])
MODERN = int(torch.__version__.split(".")[0]) >= 2
PASSED = FAILED = 0
LOADED = []
TAG = "E10_U200_S800"


def check(what, ok, why=""):
    global PASSED, FAILED
    PASSED, FAILED = PASSED + bool(ok), FAILED + (not ok)
    if not ok:
        print(f"FAIL ksuit {what}: {why}", flush=True)
    return ok


def convert(what, *arguments):
    done = subprocess.run([FERRY, "convert", "-q", "--no-sync", "--overwrite", *map(str, arguments)], capture_output=True, text=True)
    return check(f"{what} (ferry convert)", done.returncode == 0, done.stderr.strip()[:300])


def restricted(source):
    try:
        return torch.load(source, weights_only=True)
    except Exception as why:
        return why


def load(path):
    """As noether loads: restricted.  torch 1.13 knows fewer kinds of values: there it must load what torch itself saves of the same."""
    got = restricted(path)
    if not MODERN and isinstance(got, Exception):
        plain, again = torch.load(path), io.BytesIO()
        torch.save(plain, again)
        again.seek(0)
        check(f"{path.name}, restricted", isinstance(restricted(again), Exception), f"torch loads its own, but not ours: {got}")
        return plain
    if isinstance(got, Exception):
        raise got
    LOADED.append(path.name)
    return got


def real_enum(module, name, members):
    parts = module.split(".")
    for i in range(1, len(parts) + 1):
        holder = sys.modules.setdefault(".".join(parts[:i]), types.ModuleType(parts[i - 1]))
    cls = enum.StrEnum(name, members, module=module)
    setattr(holder, name, cls)
    return cls


def net():
    return nn.Sequential(OrderedDict(proj=nn.Linear(4, 3), norm=nn.BatchNorm1d(3), head=nn.Linear(3, 2)))


def same(a, b):
    if isinstance(a, torch.Tensor):
        return isinstance(b, torch.Tensor) and torch.equal(a, b)
    if isinstance(a, dict):
        return isinstance(b, dict) and list(a) == list(b) and all(same(a[k], b[k]) for k in a)
    if isinstance(a, (list, tuple)):
        return type(a) is type(b) and len(a) == len(b) and all(map(same, a, b))
    return a == b and type(a) is type(b)


def model_dict(model):
    return {"state_dict": model.state_dict(), "checkpoint_tag": TAG, "training_iteration": {"epoch": 10, "update": 200, "sample": 800},
            "run_id": "2026-02-01_ab12c", "model_config": {"kind": "models.Net", "name": "net", "dim": 4}, "config_kind": "schemas.Net"}


def enums():
    if not hasattr(enum, "StrEnum"):
        print("ksuit: no StrEnum in this CPython, so none of its pickles was tried")
        return
    keys = real_enum("ksuit.writers.checkpoint_writer", "CheckpointKeys",
                     {k.upper(): k for k in ("state_dict", "checkpoint_tag", "training_iteration", "run_id", "model_config", "config_kind")})
    solver = real_enum("models.solvers", "Solver", {"ADAM": "adam"})
    plain = model_dict(net())
    spelled = {keys(k): v for k, v in plain.items()}
    spelled[keys.MODEL_CONFIG] = {**plain["model_config"], "solver": solver.ADAM, "path": pathlib.Path("/a/b")}
    plain["model_config"] = {**plain["model_config"], "solver": "adam", "path": "/a/b"}
    torch.save(spelled, WORK / f"net_cp={TAG}_model.th")
    if not convert("enums", WORK / f"net_cp={TAG}_model.th", WORK / "plain.th", "--upgrade", "--set", "enum=models.solvers.Solver.ADAM=adam"):
        return
    got = load(WORK / "plain.th")
    check("enums", same(plain, got), f"{list(got)}")
    check("no enum is left", all(type(k) is str for k in got))
    net().load_state_dict(got["state_dict"])
    check("_metadata", got["state_dict"]._metadata == plain["state_dict"]._metadata)


def optimizer():
    model = net()
    optim = torch.optim.AdamW([{"params": [p], "name": n} for n, p in model.named_parameters()], lr=1e-3)
    model(torch.randn(5, 4)).sum().backward()
    optim.step()
    saved = optim.state_dict()
    saved["param_idx_to_name"] = dict(enumerate(n for n, _ in model.named_parameters()))
    torch.save(saved, WORK / f"net_cp={TAG}_optim.th")
    if not convert("optimizer", WORK / f"net_cp={TAG}_optim.th", WORK / "optim.th", "--set", "patterns-to-rename=proj=>lin"):
        return
    got = load(WORK / "optim.th")
    names = got.pop("param_idx_to_name")
    check("optimizer names", names == {i: n.replace("proj", "lin") for i, n in saved["param_idx_to_name"].items()}, names)
    check("optimizer state", same(saved["state"], got["state"]) and same(saved["param_groups"], got["param_groups"]))
    optim.load_state_dict(got)


def trainer():
    scaler = torch.amp.GradScaler("cpu") if MODERN else torch.cuda.amp.GradScaler(enabled=False)
    best = {"best_metric_value": float("inf"), "tolerances_is_exceeded": {2: False}, "tolerance_counter": 0, "metric_at_exceeded_tolerance": {}}
    old = {"epoch": 1, "update": 2, "sample": 3, "callback_state_dicts": [None, best], "grad_scaler": scaler.state_dict()}
    torch.save(old, WORK / "net_cp=latest_trainer.th")
    if not convert("trainer", WORK / "net_cp=latest_trainer.th", WORK / "trainer.th", "--upgrade"):
        return
    got = load(WORK / "trainer.th")
    check("trainer", same(got, {"callback_state_dicts": {"BestCheckpointCallback": best},
                                "training_iteration": {"epoch": 1, "update": 2, "sample": 3}, "grad_scaler": scaler.state_dict()}), got)
    if got["grad_scaler"]:
        scaler.load_state_dict(got["grad_scaler"])


def moved(weights, keys, removed, renamed):
    """What noether's documentation says of a previous run's weights."""
    out = dict(weights)
    for key in keys:
        del out[key]
    for text in removed:
        out = {k: v for k, v in out.items() if text not in k}
    for src, dst in renamed:
        for key in [k for k in out if src in k]:
            value = out.pop(key)
            out[key.replace(src, dst)] = value
    return out


def transformations():
    rng = random.Random(5)
    parts = ["a", "b", "ab", "aa", "w", "bias"]
    for n in range(60):
        weights = OrderedDict()
        for _ in range(rng.randint(3, 14)):
            weights[".".join(rng.choices(parts, k=rng.randint(1, 4)))] = torch.tensor(float(len(weights)))
        text = lambda: rng.choice(["a", "b", ".", "a.", ".b", "aa", "bias", "w"])
        keys = rng.sample(list(weights), rng.randint(0, 1))
        removed = [text() + text() for _ in range(rng.randint(0, 1))]
        renamed = [(text(), rng.choice(["", "x", "a", "b.", "ab"])) for _ in range(rng.randint(0, 3))]
        if not (keys or removed or renamed):
            continue
        expected = moved(weights, keys, removed, renamed)
        torch.save({"state_dict": weights, "checkpoint_tag": "last"}, WORK / "moved_cp=last_model.th")
        settings = [f"keys-to-remove={k}" for k in keys] + [f"patterns-to-remove={t}" for t in removed] + \
                   [f"patterns-to-rename={s}=>{d}" for s, d in renamed]
        if not expected or not convert(f"transformation {n}", WORK / "moved_cp=last_model.th", WORK / "moved.th", "--allow-loss",
                                       *[w for s in settings for w in ("--set", s)]):
            continue
        got = load(WORK / "moved.th")["state_dict"]
        check(f"transformation {n}: {settings}", same(expected, dict(got)), f"{list(expected)} became {list(got)}")


def run():
    where = WORK / "run" / "train" / "checkpoints"
    where.mkdir(parents=True)
    models = {}
    for leaf in ("encoder", "decoder"):
        models[leaf] = model_dict(net())
        torch.save(models[leaf], where / f"ae.{leaf}_cp={TAG}_model.th")
    if convert("composite", WORK / "run", WORK / "ae.th", "--to", "ksuit/model", "--set", "tag=U200"):
        whole = nn.ModuleDict({leaf: net() for leaf in ("decoder", "encoder")})
        got = load(WORK / "ae.th")
        whole.load_state_dict(got["state_dict"])
        check("composite", all(torch.equal(whole[leaf].state_dict()[k], v) for leaf, m in models.items() for k, v in m["state_dict"].items()))
        if convert("apart", WORK / "ae.th", f"{WORK / 'apart'}/", "--to", "ksuit/run", "--set", "name=ae", "--set", "stage=train"):
            for leaf, model in models.items():
                back = load(WORK / "apart" / "train" / "checkpoints" / f"ae.{leaf}_cp={TAG}_model.th")
                check(f"apart {leaf}", same(model, back))
                check(f"apart {leaf} _metadata", dict(back["state_dict"]._metadata) == dict(model["state_dict"]._metadata))


def averages():
    """Averages of parts together, apart, as a model, and out of weights alone."""
    where = WORK / "averages" / "train" / "checkpoints"
    where.mkdir(parents=True)
    made = {}
    for leaf in ("encoder", "decoder"):
        made[leaf] = {"state_dict": {k: v / 2 for k, v in net().state_dict().items()}, "checkpoint_tag": "latest",
                      "training_iteration": {"epoch": 1, "update": 2, "sample": 3}, "run_id": "2026-02-01_ab12c", "ema": 0.999}
        torch.save(made[leaf], where / f"ae.{leaf}_ema=0.999_cp=latest_model.th")
    if not convert("averages", WORK / "averages", WORK / "average.th", "--to", "ksuit/ema"):
        return
    got = load(WORK / "average.th")
    check("averages", type(got["state_dict"]) is dict and all(torch.equal(got["state_dict"][f"{leaf}.{k}"], v)
                                                             for leaf, m in made.items() for k, v in m["state_dict"].items()))
    if convert("averages apart", WORK / "average.th", f"{WORK / 'averages-apart'}/", "--to", "ksuit/run", "--set", "name=ae", "--set", "stage=train"):
        for leaf, average in made.items():
            back = load(WORK / "averages-apart" / "train" / "checkpoints" / f"ae.{leaf}_ema=0.999_cp=latest_model.th")
            check(f"averages apart {leaf}", same(average, back))
    if convert("average as a model", where / "ae.encoder_ema=0.999_cp=latest_model.th", WORK / "ema-model.th", "--to", "ksuit/model"):
        net().load_state_dict(load(WORK / "ema-model.th")["state_dict"])


def resumed():
    """The files that resume, each as noether loads it; a run brought to the head."""
    where = WORK / "resumed" / "train" / "checkpoints"
    where.mkdir(parents=True)
    model = net()
    optim = torch.optim.AdamW(model.parameters(), lr=1e-3)
    model(torch.randn(5, 4)).sum().backward()
    optim.step()
    saved = optim.state_dict()
    saved["param_idx_to_name"] = dict(enumerate(n for n, _ in model.named_parameters()))
    torch.save(model_dict(model), where / "net_cp=latest_model.th")
    torch.save(saved, where / "net_cp=latest_optim.th")
    torch.save({"callback_state_dicts": [None], "training_iteration": {"epoch": 1, "update": 2, "sample": 3}}, where / "net_cp=latest_trainer.th")
    if not convert("resumed", WORK / "resumed", f"{WORK / 'resumed-head'}/", "--upgrade", "--set", "loader=resume"):
        return
    to = WORK / "resumed-head" / "train" / "checkpoints"
    model.load_state_dict(load(to / "net_cp=latest_model.th")["state_dict"])
    got = load(to / "net_cp=latest_optim.th")
    check("resumed optimizer", same(got, saved))
    got.pop("param_idx_to_name")
    optim.load_state_dict(got)
    check("resumed trainer", load(to / "net_cp=latest_trainer.th") == {"callback_state_dicts": {}, "training_iteration": {"epoch": 1, "update": 2, "sample": 3}})


def weights():
    """Weights of anything as a model's file, and by way of other formats."""
    model = net()
    torch.save(model.state_dict(), WORK / "weights.pt")
    for through in ("safetensors", "npz", "pt"):
        if not convert(f"weights to {through}", WORK / "weights.pt", WORK / f"through.{through}", "--to", "state-dict") or \
           not convert(f"weights of {through}", WORK / f"through.{through}", WORK / f"made-{through}.th", "--to", "ksuit/model", "--set", "tag=last"):
            continue
        got = load(WORK / f"made-{through}.th")
        check(f"weights of {through}", same(dict(got["state_dict"]), dict(model.state_dict())) and got["checkpoint_tag"] == "last")
        net().load_state_dict(got["state_dict"])


shutil.rmtree(WORK, ignore_errors=True)
WORK.mkdir(parents=True)
torch.manual_seed(1)
for part in (enums, optimizer, trainer, transformations, run, averages, resumed, weights):
    part()
print(f"ksuit, torch {torch.__version__}, CPython {sys.version.split()[0]}: {len(LOADED)} files loaded restricted, {PASSED} passed, {FAILED} failed")
sys.exit(FAILED > 0)
