"""Small models with the names of linnaeus', and what load_pretrained makes of
pretrained weights, said again with nothing but re and torch."""
import collections
import re

import torch
import torch.nn as nn
import torch.nn.functional as F

OrderedDict = collections.OrderedDict


class Norm(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.weight = nn.Parameter(torch.rand(n))
        self.bias = nn.Parameter(torch.rand(n))


class Mlp(nn.Module):
    def __init__(self, i, h, o):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(i, h), nn.Linear(h, o)


class ConvBlock(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.gamma = nn.Parameter(torch.rand(d))
        self.dwconv = nn.Conv2d(d, d, 7, padding=3, groups=d)
        self.norm = Norm(d)
        self.pwconv1, self.pwconv2 = nn.Linear(d, 4 * d), nn.Linear(4 * d, d)


class Attention(nn.Module):
    def __init__(self, d, heads, mixed):
        super().__init__()
        if mixed:
            self.freqs = nn.Parameter(torch.rand(2, heads, d // heads // 2))
        self.qkv, self.proj = nn.Linear(d, 3 * d), nn.Linear(d, d)


class RopeBlock(nn.Module):
    def __init__(self, d, heads, mixed):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(d), nn.LayerNorm(d)
        self.attn = Attention(d, heads, mixed)
        self.mlp = Mlp(d, 4 * d, d)


class Down(nn.Module):
    def __init__(self, i, o):
        super().__init__()
        self.norm, self.conv = Norm(i), nn.Conv2d(i, o, 2, 2)


class MFormerV1(nn.Module):
    def __init__(self, dims=(4, 8, 12, 16), convs=(2, 1), ropes=(2, 1),
                 heads=(2, 2), mixed=True, task="taxa_L10", meta="spatial"):
        super().__init__()
        w = dims
        self.stem = nn.Sequential(nn.Conv2d(3, w[0], 4, 4), Norm(w[0]))
        self.downsample_layers = nn.ModuleList(
            Down(w[i], w[i + 1]) for i in range(3))
        self.stages = nn.ModuleList(
            [nn.ModuleList(ConvBlock(w[i]) for _ in range(convs[i]))
             for i in range(2)] +
            [nn.ModuleList(RopeBlock(w[2 + i], heads[i], mixed)
                           for _ in range(ropes[i])) for i in range(2)])
        self.norm_1, self.norm_2 = nn.LayerNorm(w[2]), nn.LayerNorm(w[3])
        self.cls_token_1 = nn.Parameter(torch.rand(1, 1, w[2]))
        self.cls_token_2 = nn.Parameter(torch.rand(1, 1, w[3]))
        for i in (1, 2) if meta else ():
            self.add_module("meta_%s_head_%d" % (meta, i), nn.Sequential(
                nn.Linear(3, w[i + 1]), nn.ReLU(), nn.LayerNorm(w[i + 1])))
        self.cl_1_fc = nn.Sequential(Mlp(w[2], w[2], w[3]),
                                     nn.LayerNorm(w[3]))
        self.aggregate = nn.Conv1d(2, 1, 1)
        self.final_norm = nn.LayerNorm(w[3])
        if task:
            self.head = nn.ModuleDict({task: nn.Linear(w[3], 5)})


class ConvNeXt(nn.Module):
    def __init__(self, dims=(4, 8, 12, 16), depths=(2, 1, 1, 1)):
        super().__init__()
        self.downsample_layers = nn.ModuleList(
            [nn.Sequential(nn.Conv2d(3, dims[0], 4, 4), Norm(dims[0]))] +
            [nn.Sequential(Norm(dims[i]), nn.Conv2d(dims[i], dims[i + 1], 2, 2))
             for i in range(3)])
        self.stages = nn.ModuleList(
            nn.Sequential(*[ConvBlock(dims[i]) for _ in range(depths[i])])
            for i in range(4))
        self.norm = nn.LayerNorm(dims[3])
        self.head = nn.Linear(dims[3], 7)


class RopeBlockVit(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(d), nn.LayerNorm(d)
        self.attn = nn.Module()
        self.attn.qkv, self.attn.proj = nn.Linear(d, 3 * d), nn.Linear(d, d)
        self.mlp = Mlp(d, 4 * d, d)
        self.gamma_1 = nn.Parameter(torch.rand(d))


class RopeVit(nn.Module):
    def __init__(self, d=12, depth=4, freqs=(2, 2, 3)):
        super().__init__()
        self.cls_token = nn.Parameter(torch.rand(1, 1, d))
        self.pos_embed = nn.Parameter(torch.rand(1, 4, d))
        self.freqs = nn.Parameter(torch.rand(*freqs))
        self.register_buffer("freqs_t_x", torch.rand(4))
        self.register_buffer("freqs_t_y", torch.rand(4))
        self.patch_embed = nn.Module()
        self.patch_embed.proj = nn.Conv2d(3, d, 4, 4)
        self.blocks = nn.ModuleList(RopeBlockVit(d) for _ in range(depth))
        self.norm, self.head = nn.LayerNorm(d), nn.Linear(d, 7)


def metaformer(sides=(3, 5), heads=2, prefix=""):
    """Tables of a square side plus one row, and what lies around them."""
    names = OrderedDict()
    names["stage_0.0.weight"] = torch.rand(4, 3, 3, 3)
    for stage, side in zip((3, 4), sides):
        at = "stage_%d.0." % stage
        names[at + "norm1.weight"] = torch.rand(6)
        names[at + "attn.relative_position_bias_table"] = torch.rand(
            side * side + 1, heads)
        names[at + "attn.relative_position_index"] = torch.arange(4)
        names[at + "attn.qkv.weight"] = torch.rand(18, 6)
    names["stage3.1.attn.relative_position_bias_table"] = torch.rand(
        sides[0] ** 2 + 1, heads)
    names["other.relative_position_bias_table"] = torch.rand(8, heads)
    names["cls_token_1"] = torch.rand(1, 1, 6)
    names["meta_1_head_1.0.weight"] = torch.rand(6, 3)
    names["meta_1_other.weight"] = torch.rand(6, 3)
    names["x.head.fc.weight"] = torch.rand(2, 6)
    names["head.weight"] = torch.rand(2, 6)
    names["headroom.weight"] = torch.rand(2)
    names["pre_norm.weight"] = torch.rand(2)
    names["norm.bias"] = torch.rand(2)
    return OrderedDict((prefix + k, v) for k, v in names.items())


METADATA = {
    "linnaeus/mFormerV0": dict(
        drop_params=["head", "meta_"], drop_buffers=["relative_position_index"],
        interpolate=True),
    "linnaeus/mFormerV1": dict(
        drop_params=["head.", "meta_", "pos_embed", "norm.",
                     "downsample_layers."], drop_buffers=[],
        interpolate=False),
    "linnaeus/mFormerV1-guide": dict(
        drop_params=["head.", "meta_", "pos_embed"], drop_buffers=[],
        interpolate=False),
}


class Refused(Exception):
    """load_pretrained gives up."""


def pick(root, *keys):
    for key in keys:
        if key in root:
            root = root[key]
            break
    if not root:
        raise Refused("no weights")
    return root


def interpolated(weights, size):
    out = OrderedDict()
    for k, v in weights.items():
        if "relative_position_index" in k:
            continue
        stride = (16 if re.search("stage_?3", k) else
                  32 if re.search("stage_?4", k) else 0)
        if "relative_position_bias_table" in k and stride:
            old = int((v.shape[0] - 1) ** 0.5)
            new = 2 * (size // stride) - 1
            if new != old:
                grid = v[1:].reshape(old, old, -1).permute(2, 0, 1)[None]
                grid = F.interpolate(grid, size=(new, new), mode="bicubic",
                                     align_corners=False)
                v = torch.cat([v[:1], grid[0].permute(1, 2, 0).reshape(
                    new * new, -1)])
        out[k] = v
    return out


def dropped(weights, meta):
    for p in meta["drop_params"]:
        found = p if p.endswith(".") else p + r"\b"
        weights = OrderedDict((k, v) for k, v in weights.items()
                              if not re.search(found, k))
    return OrderedDict((k, v) for k, v in weights.items()
                       if not any(b in k for b in meta["drop_buffers"]))


def prefixed(weights, ddp):
    has = any(k.startswith("module.") for k in weights)
    if ddp and not has:
        return OrderedDict(("module." + k, v) for k, v in weights.items())
    if not ddp and has:
        return OrderedDict((k[7:] if k.startswith("module.") else k, v)
                           for k, v in weights.items())
    return weights


def load_pretrained(root, model, source="", size=384, ddp=False):
    """What load_state_dict would be given, as the code does it."""
    meta = METADATA[model]
    keys = "model", "state_dict_ema", "state_dict"
    weights = pick(root, *keys)
    if source == "metaformer":
        if meta["interpolate"] and not ddp:
            if "model" not in root:
                raise Refused("no key model")
            weights = interpolated(weights, size)
        weights = OrderedDict(
            (k, v) for k, v in weights.items()
            if not (k.startswith("head") or "head.fc" in k or
                    ("meta_" in k and ("head_1" in k or "head_2" in k))))
    weights = prefixed(weights, ddp)
    if not weights:
        raise Refused("nothing is left")
    if ddp:
        return OrderedDict(("module." + k, v) for k, v in weights.items())
    return dropped(weights, meta)


def load_documented(root, model, source="", size=384, ddp=False):
    """The same as the guide describes it: drop, prefix, interpolate, map.  A
    pattern that ends in a dot begins a word; any other is found anywhere."""
    meta = METADATA[model]
    weights = pick(root, "model", "state_dict_ema", "state_dict")
    for p in meta["drop_params"]:
        start = r"(?<!\w)" if p.endswith(".") else ""
        weights = OrderedDict((k, v) for k, v in weights.items()
                              if not re.search(start + re.escape(p), k))
    for b in meta["drop_buffers"]:
        weights = OrderedDict((k, v) for k, v in weights.items()
                              if b not in k)
    weights = prefixed(weights, ddp)
    if meta["interpolate"]:
        weights = interpolated(weights, size)
    if source == "metaformer":
        weights = OrderedDict(
            (k, v) for k, v in weights.items()
            if not (k.startswith(("head", "module.head")) or "head.fc" in k or
                    ("meta_" in k and re.search("head_[12]", k))))
    return weights


def stitched(convnext, ropevit, target, depths, mixed, documented=False):
    def bare(weights):
        return OrderedDict((k[7:] if k.startswith("module.") else k, v)
                           for k, v in weights.items())

    def take(name, value):
        if name in target and target[name].shape == value.shape:
            out[name] = value

    conv = bare(pick(convnext, "model", "state_dict_ema"))
    rope = bare(pick(ropevit, "model", "state_dict"))
    out = {}
    for a, b in (("downsample_layers.0.", "stem."), ("stages.0.", "stages.0."),
                 ("downsample_layers.1.", "downsample_layers.0."),
                 ("stages.1.", "stages.1."),
                 ("downsample_layers.2.", "downsample_layers.1.")):
        for k, v in conv.items():
            if k.startswith(a):
                rest = k[len(a):]
                if documented and b.startswith("downsample"):
                    rest = {"0": "norm", "1": "conv"}[rest[0]] + rest[1:]
                take(b + rest, v)
    skipped = ("pos_embed patch_embed.proj.weight patch_embed.proj.bias "
               "norm.weight norm.bias head.weight head.bias freqs_t_x "
               "freqs_t_y").split()
    for k, v in rope.items():
        block = re.match(r"blocks\.(\d+)\.(.*)", k)
        if k in skipped:
            continue
        if block and int(block[1]) < sum(depths):
            b = int(block[1])
            stage, b = (2, b) if b < depths[0] else (3, b - depths[0])
            take("stages.%d.%d.%s" % (stage, b, block[2]), v)
        elif k == "cls_token":
            take("cls_token_1", v)
            take("cls_token_2", v)
        elif k == "freqs" and mixed:
            for stage in (2, 3):
                for b in range(depths[stage - 2]):
                    take("stages.%d.%d.attn.freqs" % (stage, b), v.clone())
    if not out:
        raise Refused("nothing is taken")
    return out
