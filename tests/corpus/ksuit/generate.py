"""Write the checkpoints of this directory, as ksuit and noether write them.

    generate.py OUT

Run it with torch 2.13; any CPython.  The classes are stand-ins under the names
of the framework's own: a pickle keeps nothing else of a class.  Members of the
enum are pickled in both of CPython's spellings, whatever CPython runs this:
by value (3.11.4 and later) and by member name (3.11.0 to 3.11.3).
"""
import enum
import os
import pathlib
import sys
import types
from collections import OrderedDict

import numpy as np
import torch
from torch import nn

OUT = sys.argv[1]
torch.manual_seed(3)


def module(name):
    parts = name.split(".")
    for i in range(1, len(parts) + 1):
        sys.modules.setdefault(".".join(parts[:i]), types.ModuleType(parts[i - 1]))
    return sys.modules[name]


def str_enum(module_name, name, members, by_name):
    """A StrEnum whose members pickle by value or by name."""
    def reduce_ex(self, protocol):
        if by_name:
            return getattr, (self.__class__, self._name_)
        return self.__class__, (self._value_,)

    cls = enum.Enum(name, members, module=module_name, type=str)
    cls.__reduce_ex__ = reduce_ex
    setattr(module(module_name), name, cls)
    return cls


KEYS = {"STATE_DICT": "state_dict", "CHECKPOINT_TAG": "checkpoint_tag",
        "TRAINING_ITERATION": "training_iteration", "RUN_ID": "run_id",
        "MODEL_CONFIG": "model_config", "CONFIG_KIND": "config_kind",
        "CALLBACK_STATE_DICT": "callback_state_dicts",
        "GRAD_SCALER": "grad_scaler"}


class Plain:
    """noether: plain strings."""


for _name, _value in KEYS.items():
    setattr(Plain, _name, _value)


def ksuit_keys(by_name):
    return str_enum("ksuit.writers.checkpoint_writer", "CheckpointKeys", KEYS, by_name)


ITERATION = {"epoch": 10, "update": 200, "sample": 800}
TAG = "E10_U200_S800"
CONFIG = OrderedDict(kind="models.Encoder", name="encoder", optimizer_config={"kind": "torch.optim.AdamW", "lr": 1e-3},
                     initializers=None, is_frozen=False, forward_properties=["x"], dim=4)


def save(content, *name):
    path = os.path.join(OUT, *name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    torch.save(content, path)


def net(n=4):
    return nn.Sequential(OrderedDict(proj=nn.Linear(n, 3), norm=nn.BatchNorm1d(3)))


def model_file(keys, model, tag=TAG, config=CONFIG, state_dict=None, **extra):
    out = {keys.STATE_DICT: model.state_dict() if state_dict is None else state_dict,
           keys.CHECKPOINT_TAG: tag,
           keys.TRAINING_ITERATION: dict(ITERATION), keys.RUN_ID: "2026-02-01_ab12c", **extra}
    if config is not None:
        out[keys.MODEL_CONFIG] = dict(config)
        out[keys.CONFIG_KIND] = "schemas.EncoderConfig"
    return out


def optimizer_file(model):
    named = list(model.named_parameters())
    decay = [p for n, p in named if "bias" not in n]
    rest = [p for n, p in named if "bias" in n]
    optimizer = torch.optim.AdamW([
        {"params": decay, "name": "decay", "exclude_from_wd": False},
        {"params": rest, "name": "rest", "exclude_from_wd": True, "weight_decay": 0.0, "lr_scale": 0.5, "original_lr": 1e-3}], lr=1e-3)
    for _ in range(2):
        optimizer.zero_grad()
        model(torch.randn(5, 4)).square().sum().backward()
        optimizer.step()
    names = {id(p): n for n, p in named}
    out = optimizer.state_dict()
    out["param_idx_to_name"] = {i: names[id(p)] for i, p in enumerate(decay + rest)}
    return out


BEST = {"best_metric_value": 0.25, "tolerances_is_exceeded": {2: True, 5: False}, "tolerance_counter": 3,
        "metric_at_exceeded_tolerance": {2: 0.375}}
OTHER = {"history": [1.0, 2.0]}


def scaler():
    """What torch.amp.GradScaler.state_dict() gives."""
    return {"scale": 65536.0, "growth_factor": 2.0, "backoff_factor": 0.5, "growth_interval": 2000, "_growth_tracker": 7}


def trainer_file(layout, keys=Plain, callbacks=None, scaled=True):
    callbacks = [None, dict(BEST), None] if callbacks is None else callbacks
    if layout == "T0":
        out = {**ITERATION, keys.CALLBACK_STATE_DICT: callbacks}
    else:
        out = {keys.CALLBACK_STATE_DICT: callbacks, keys.TRAINING_ITERATION: dict(ITERATION)}
    if scaled:
        out[keys.GRAD_SCALER] = scaler()
    return out


def ema_state(model):
    return {**{n: p.detach() * 0.5 for n, p in model.named_parameters()}, **dict(model.named_buffers())}


def singles():
    model = net()
    save(model_file(Plain, model), "models", f"encoder_cp={TAG}_model.th")
    by_value = ksuit_keys(False)
    save(model_file(by_value, model), "ksuit", f"encoder_cp={TAG}_model.th")
    save(trainer_file("T1", by_value), "ksuit", f"encoder_cp={TAG}_trainer.th")
    solver = str_enum("models.solvers", "Solver", {"ADAM": "adam"}, False)
    save(model_file(Plain, model, config={**CONFIG, "solver": solver.ADAM, "weights": pathlib.PurePosixPath("/data/w.th"),
                                          "eps": np.float64(1e-6), "depth": np.int32(3), "kinds": {solver.ADAM: 1},
                                          "activation": nn.GELU, "shape": torch.Size([2, 3]), "dtype": torch.bfloat16}),
         "models", "objects_cp=last_model.th")
    by_name = ksuit_keys(True)
    save(model_file(by_name, model), "ksuit", "encoder_cp=last_model.th")
    save(trainer_file("T1", by_name), "ksuit", "encoder_cp=last_trainer.th")
    solver = str_enum("models.solvers", "Solver", {"ADAM": "adam"}, True)
    save(model_file(Plain, model, config={**CONFIG, "solver": solver.ADAM}), "models", "by_name_cp=last_model.th")
    save({"state_dict": nn.Sequential(OrderedDict(linear=nn.Linear(4, 4))).state_dict()}, "models", "dummy_model_ema_cp=latest_model.th")
    save(model_file(Plain, model, state_dict=ema_state(model), ema=0.9999), "models", f"encoder_ema=0.9999_cp={TAG}_model.th")
    save(model_file(Plain, model, state_dict=ema_state(model), ema=0.99), "models", f"encoder_cp={TAG}_ema=0.99_model.th")
    save(optimizer_file(model), "models", f"encoder_cp={TAG}_optim.th")
    for layout in ("T0", "T1"):
        save(trainer_file(layout), "trainers", f"{layout}_cp={TAG}_trainer.th")
    save(trainer_file("T2", callbacks={"BestCheckpointCallback": dict(BEST)}), "trainers", f"T2_cp={TAG}_trainer.th")
    save(trainer_file("T1", callbacks=[dict(BEST), None, dict(BEST)], scaled=False), "trainers", "two_cp=latest_trainer.th")
    save(trainer_file("T1", callbacks=[dict(OTHER), dict(BEST)]), "trainers", "other_cp=latest_trainer.th")


def run():
    """A run of v1.1 with a composite model in two stages."""
    where = ("run", "2026-02-01_ab12c", "train", "checkpoints")
    for tag in ("E5_U100_S400", TAG, "latest"):
        for leaf in ("encoder", "decoder"):
            model = net()
            save(model_file(Plain, model, tag, {**CONFIG, "name": leaf}), *where, f"autoencoder.{leaf}_cp={tag}_model.th")
            if tag == "latest":
                save(optimizer_file(model), *where, f"autoencoder.{leaf}_cp={tag}_optim.th")
                save(model_file(Plain, model, tag, state_dict=ema_state(model), ema=0.99), *where,
                     f"autoencoder.{leaf}_cp={tag}_ema=0.99_model.th")
        if tag == "latest":
            save(trainer_file("T1"), *where, f"autoencoder_cp={tag}_trainer.th")
    save(model_file(Plain, net(), "best_model.loss.val.total.tolerance5", CONFIG), *where,
         "autoencoder.encoder_cp=best_model.loss.val.total.tolerance5_model.th")
    where = ("run", "2026-02-01_ab12c", "finetune", "checkpoints")
    save(model_file(Plain, net(), "last", CONFIG), *where, "head_cp=last_model.th")


singles()
run()
