#!/usr/bin/env python3
"""Checkpoints of linnaeus' layout, of a small mFormerV1, by torch and yacs.

    python make.py OUT        with torch 1.13 or newer and yacs 0.1.8
"""
import os
import sys

import torch
from yacs.config import CfgNode

from models import (ConvNeXt, MFormerV1, OrderedDict, RopeVit, load_pretrained,
                    metaformer, stitched)


def config():
    cfg = CfgNode({
        "MODEL": {
            "TYPE": "mFormerV1", "NAME": "mFormerV1_tiny", "IMG_SIZE": 64,
            "PRETRAINED": None, "PRETRAINED_SOURCE": "",
            "CONVNEXT_STAGES": {"DEPTHS": [2, 1, 1, 1],
                                "DIMS": [4, 8, 12, 16]},
            "ROPE_STAGES": {"DEPTHS": [2, 1], "DIMS": [12, 16],
                            "NUM_HEADS": [2, 2], "ROPE_MIXED": True},
        },
        "DATA": {"IMG_SIZE": 64, "MEAN": (0.485, 0.456, 0.406),
                 "TASK_KEYS_H5": ["taxa_L10"]},
        "TRAIN": {"EPOCHS": 10, "AMP_OPT_LEVEL": "O0"},
        "OPTIMIZER": {"NAME": "adamw", "BASE_LR": 1e-6, "PARAMETER_GROUPS": {
            "ENABLED": True}},
        "LOSS": {"GRAD_WEIGHTING": {"TASK": {"EXCLUDE_CONFIG": {
            "TYPE": "or"}}}},
        "EXPERIMENT": {"NAME": "yes", "GROUP": "012"},
        "AUG": {},
    })
    cfg.LOSS.GRAD_WEIGHTING.TASK.EXCLUDE_CONFIG.FILTERS = [
        {"TYPE": "name", "MATCH_TYPE": "startswith",
         "PATTERNS": ["head.", "meta_"]}]
    cfg.freeze()
    return cfg


def training(model, wrapped=False):
    weights = model.state_dict()
    if wrapped:
        weights = torch.nn.ModuleDict({"module": model}).state_dict()
    params = list(model.parameters())
    a = torch.optim.AdamW(params[:3], lr=1e-4)
    b = torch.optim.SGD(params[3:], lr=1e-2)
    groups = {}
    for i, (name, o) in enumerate((("adam", a), ("sgd", b))):
        d = o.state_dict()
        for g in d["param_groups"]:
            g.update(optimizer_name=name, optimizer_group_idx=i)
        groups[name] = {"state": {}, "param_groups": d["param_groups"]}
    out = {
        "model": weights,
        "optimizer": {"_version": 2, "_param_shapes":
                      [tuple(p.shape) for p in params], "optimizers": groups},
        "lr_scheduler": {"adam": {"last_epoch": 5}, "sgd": {"last_epoch": 5}},
        "epoch": 5,
        "config": config(),
        "iteration": 600,
        "training_progress": {
            "current_stage": "TRAINING", "current_epoch": 5,
            "global_step": 600, "expected_total_steps": 1200,
            "pending_validations": [], "completed_validations": ["val"],
            "partial_validation_indices": [0]},
        "wandb_run_id": "abc123",
        "metrics_tracker": {"phase_metrics": {"val": {"loss": {
            "name": "loss", "value": 0.5, "best": 0.25, "best_epoch": 4,
            "count": 6, "higher_is_better": False}}}},
    }
    if wrapped:
        out["optimizer"] = {"main": a.state_dict()}
        del out["training_progress"], out["wandb_run_id"]
    return out


def main(out):
    torch.manual_seed(7)
    os.makedirs(out, exist_ok=True)

    def save(name, value):
        torch.save(value, os.path.join(out, name))

    model = MFormerV1()
    save("ckpt_epoch_5.pth", training(model))
    save("wrapped.pth", training(model, True))
    convnext = {"model": ConvNeXt().state_dict()}
    ropevit = {"model": OrderedDict(
        ("module." + k, v) for k, v in RopeVit().state_dict().items())}
    save("convnext.pth", convnext)
    save("ropevit.pth", ropevit)
    target = model.state_dict()
    save("stitched.pth", stitched(convnext, ropevit, target, (2, 1), True))
    save("stitched-documented.pth",
         stitched(convnext, ropevit, target, (2, 1), True, True))
    meta = {"model": metaformer()}
    save("metaformer.pth", meta)
    save("metaformer-V0.pth", load_pretrained(
        meta, "linnaeus/mFormerV0", "metaformer", 64))
    save("mFormerV1.pth", load_pretrained(
        {"model": target}, "linnaeus/mFormerV1"))


main(sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(
    os.path.abspath(__file__)))
