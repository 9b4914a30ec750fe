#!/usr/bin/env python3
"""Make the files of this folder: a module's weights, filters, what they take.

What is expected comes from torch's own module tree: the class of the module
that owns a parameter, the parameter's dimensions, and Python's words for names.
"""
import json
import os
import re
import sys

import torch
from torch import nn


class Block(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(dim))
        self.dwconv = nn.Conv2d(dim, dim, 3, padding=1, groups=dim)
        self.norm = nn.LayerNorm(dim)
        self.mlp = nn.Sequential(nn.Linear(dim, 2 * dim), nn.GELU(),
                                 nn.Linear(2 * dim, dim))


class Net(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.cls_token = nn.Parameter(torch.zeros(1, 1, 4))
        self.stem = nn.Sequential(nn.Conv2d(3, 4, 4, 4), nn.BatchNorm2d(4))
        self.stages = nn.ModuleList(
            nn.Sequential(Block(4), Block(4)) for _ in range(2))
        self.freqs = nn.Parameter(torch.zeros(2, 2))
        self.norm = nn.LayerNorm(4)
        self.head = nn.ModuleDict({"taxa": nn.Linear(4, classes)})
        self.meta_head_1 = nn.Linear(2, 4)


STAGES = {"conv": ["stem.", "stages.0."], "mixed": ["stages.1."],
          "gates": ["gamma"]}
LAYERS = {"Conv2d", "LayerNorm"}
FROZEN = "stem."

GROUPS = """groups:
  ENABLED: true
  DEFAULT: {OPTIMIZER: sgd, WEIGHT_DECAY: 0.01, LR_MULTIPLIER: 3}
  flat:
    FILTER: {TYPE: Dimension, DIMENSIONS: [0, 1]}
    WEIGHT_DECAY: 0
  kernels:
    filter: {type: convolutional}
  depthwise:
    filter: {type: convolutional, name_patterns: [dwconv], layer_types: [Conv2d]}
  layers:
    filter: {type: layer_type, layer_types: [Conv2d, LayerNorm]}
    lr_multiplier: 0.5
    optimizer: muon
  root: {filter: {type: layer_type, layer_types: [Net]}}
  first: {filter: {type: name, match_type: startswith, patterns: [stem., head]}}
  biases: {filter: {type: name, match_type: endswith, patterns: [bias]}}
  deep: {filter: {type: name, match_type: regex, patterns: ['\\bmlp\\.[02]\\.w']}}
  parts: {filter: {type: name, patterns: [norm, meta_]}}
  conv: {filter: {type: stage_based, stages: [conv]}}
  mixed: {filter: {type: stage_based, stages: [mixed]}}
  gates: {filter: {type: stage_based, stages: gates}}
  new: {filter: {type: initialization}}
  both:
    filter:
      type: and
      filters:
        - {type: name, patterns: [stages]}
        - {type: not, filter: {type: name, match_type: endswith, patterns: bias}}
        - {type: dimension, dimensions: [2, 4]}
  either:
    filter: {type: or, filters: [{type: name, patterns: [head]}, {type: name, patterns: [freqs]}]}
  rest: {filter: {type: all_except, except: {type: name, patterns: [stages]}}}
  all: {filter: {type: and, filters: []}}
  none: {filter: {type: or, filters: []}}
  lost: {lr_multiplier: 2}
buffers: {type: name, match_type: regex, patterns: ['running_|num_batches']}
frozen: {type: name, match_type: startswith, patterns: ["%s"]}
gradnorm: {}
""" % FROZEN


def owners(net):
    return {(path + "." if path else "") + name: type(module).__name__
            for path, module in net.named_modules()
            for name, _ in module.named_parameters(recurse=False)}


def stage(name):
    found = None
    for s, parts in STAGES.items():
        for part in parts:
            if part in name:
                found = s
    return found


def expected(net, old):
    own = owners(net)
    was = {n: p.shape for n, p in old.named_parameters()}
    rules = {
        "flat": lambda n, p: p.dim() < 2,
        "kernels": lambda n, p: p.dim() == 4,
        "depthwise": lambda n, p: p.dim() == 4 and "dwconv" in n,
        "layers": lambda n, p: own[n] in LAYERS,
        "root": lambda n, p: own[n] == "Net",
        "first": lambda n, p: n.startswith(("stem.", "head")),
        "biases": lambda n, p: n.endswith("bias"),
        "deep": lambda n, p: re.search(r"\bmlp\.[02]\.w", n),
        "parts": lambda n, p: "norm" in n or "meta_" in n,
        "conv": lambda n, p: stage(n) == "conv",
        "mixed": lambda n, p: stage(n) == "mixed",
        "gates": lambda n, p: stage(n) == "gates",
        "new": lambda n, p: was.get(n) != p.shape,
        "both": lambda n, p: "stages" in n and not n.endswith("bias") and
        p.dim() in (2, 4),
        "either": lambda n, p: "head" in n or "freqs" in n,
        "rest": lambda n, p: "stages" not in n,
        "all": lambda n, p: True,
        "none": lambda n, p: False,
        "DEFAULT": lambda n, p: False,
    }
    for group, rule in rules.items():
        names = [n for n, p in net.named_parameters() if rule(n, p)]
        count = sum(p.numel() for n, p in net.named_parameters()
                    if rule(n, p))
        yield "groups/%s/matched_names" % group, names
        yield "groups/%s/matched_count" % group, len(names)
        yield "groups/%s/total_params" % group, count
    out = [n for n, _ in net.named_parameters()
           if "head" in n or "meta_" in n or n.startswith(FROZEN)]
    yield "gradnorm/excluded", out
    yield "gradnorm/included", [n for n, _ in net.named_parameters()
                                if n not in out]


def main():
    os.chdir(os.path.dirname(os.path.abspath(__file__)))
    torch.manual_seed(1)
    net, old = Net(5), Net(7)
    del old.freqs
    # The order of parameters, which buffers do not disturb.
    torch.save(net.state_dict(), "net.pt")
    torch.save({"module." + k: v for k, v in net.state_dict().items()},
               "wrapped.pt")
    torch.save(old.state_dict(), "old.pt")
    with open("groups.yaml", "w") as f:
        f.write(GROUPS)
        f.write("stages: %s\nlayer_types:\n" % json.dumps(STAGES))
        for path, module in net.named_modules():
            f.write("  \"%s\": %s\n" % (path, type(module).__name__))
    with open("expected.txt", "w") as f:
        for path, value in expected(net, old):
            f.write("%s %s\n" % (path, json.dumps(value,
                                                  separators=(",", ":"))))


sys.exit(main())
