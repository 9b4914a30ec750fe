#!/usr/bin/env python3
"""CAIMAN-ASR artifacts against the libraries that upstream uses.

	caiman.py FERRY WORK CORPUS pydantic	by a Python with pydantic (1 or 2) and yaml
	caiman.py FERRY WORK CORPUS torch	by a Python with torch

pydantic: the models of the inference config are built as upstream has them and
given a generated set of configs; ferry must take and refuse the same ones, with
the same number of violations, and make the same config.
torch: what ferry writes is loaded and held against checkpoints put together
here by the rules of the releases.
"""
import copy
import importlib.util
import math
import os
import random
import shutil
import subprocess
import sys

ferry, work, corpus, part = sys.argv[1:5]
failures = []


def fail(what):
    failures.append(what)
    print("FAIL:", what)


def run(*args):
    return subprocess.run([ferry, *map(str, args)], capture_output=True,
                          text=True)


def path(*names):
    return os.path.join(corpus, "caiman", *names)


# ---- pydantic ------------------------------------------------------------------

RNNT_IGNORED = """custom_lstm enc_batch_norm enc_dropout enc_freeze
    enc_rw_dropout forget_gate_bias hidden_hidden_bias_scale weights_init_scale
    joint_apex_relu_dropout joint_apex_transducer joint_dropout pred_batch_norm
    pred_dropout pred_rw_dropout quantize gpu_unavailable
    hard_activation_functions enc_lr_factor pred_lr_factor joint_enc_lr_factor
    joint_pred_lr_factor joint_net_lr_factor""".split()


def models(release):
    """The schema of a release, ignored names dropped before validation."""
    import pydantic

    def model(name, ignore, fields):
        def drop(cls, values):
            if isinstance(values, dict):
                return {k: v for k, v in values.items() if k not in ignore}
            return values

        if pydantic.VERSION.startswith("2"):
            space = {"model_config": pydantic.ConfigDict(extra="forbid"),
                     "drop": pydantic.model_validator(mode="before")(
                         classmethod(drop))}
        else:
            space = {"Config": type("Config", (), {"extra": "forbid"}),
                     "drop": pydantic.root_validator(
                         pre=True, allow_reuse=True)(drop)}
        space["__annotations__"] = fields
        space["__module__"] = __name__
        return type(name, (pydantic.BaseModel,), space)

    new = release >= (1, 9)
    features = model("Features", ["stats_path"] if new else [], dict(
        dither=float, n_fft=int, n_filt=int, normalize=str, sample_rate=int,
        window=str, window_size=float, window_stride=float))
    splicing = model("Splicing", [], dict(frame_stacking=int,
                                          frame_subsampling=int))
    val = model("Val", ["audio_dataset"], dict(
        filterbank_features=features, frame_splicing=splicing))
    rnnt = model("Rnnt", RNNT_IGNORED, dict(
        enc_n_hid=int, enc_post_rnn_layers=int, enc_pre_rnn_layers=int,
        enc_stack_time_factor=int, in_feats=int, joint_n_hid=int,
        pred_n_hid=int, pred_rnn_layers=int))
    tokenizer = model("Tokenizer", ["sampling"] if new else [],
                      dict(labels=list, sentpiece_model=str))
    ignore = ["input_train", "grad_noise_scheduler"]
    ignore += ["ngram"] if release >= (1, 11) else []
    ignore += ["user_tokens"] if release >= (1, 13) else []
    return model("Root", ignore, dict(input_val=val, rnnt=rnnt,
                                      tokenizer=tokenizer))


def validate(model, config):
    """(the plain config, None) or (None, places of the errors)."""
    import pydantic

    try:
        if pydantic.VERSION.startswith("2"):
            return model.model_validate(config).model_dump(), None
        return model.parse_obj(config).dict(), None
    except pydantic.ValidationError as e:
        return None, [".".join(map(str, x["loc"])) for x in e.errors()]


SCALARS = [8, -3, 0, 10 ** 30, 8.0, 8.7, -8.7, 1e-5, 1e22, 2.0 ** 63, -0.0,
           float("inf"), True, False, None, "8", " 8 ", "+8", "-8", "0008",
           "1_000", "1__0", "_1", "8.0", "8.00", "8.", "8.7", ".5", "x", "",
           "0x10", "1e3", "1e-05", "nan", "inf", "-Infinity", "8.0_0",
           "0_8.0", "1_0.0", "+_8", "-01", "00-1", "+-8", "true", [], [1],
           {}, {"a": 1}, "\u00a08", "9" * 40, "9" * 40 + ".0", "1_.0", "5e-324"]


def mutate(rng, config):
    """One to four changes somewhere in a section that counts."""
    config = copy.deepcopy(config)
    sections = [(), ("input_val",), ("input_val", "filterbank_features"),
                ("input_val", "frame_splicing"), ("rnnt",), ("tokenizer",)]
    for _ in range(rng.randint(1, 4)):
        at = config
        for key in rng.choice(sections):
            at = at.get(key) if isinstance(at, dict) else None
        if not isinstance(at, dict) or not at:
            continue
        key = rng.choice(sorted(at))
        change = rng.random()
        if change < 0.1:
            del at[key]
        elif change < 0.2:
            at["extra%d" % rng.randint(0, 3)] = rng.choice(SCALARS)
        elif not isinstance(at[key], dict) or change > 0.9:
            at[key] = rng.choice(SCALARS)
    return config


def same(a, b):
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, float):
        return (a == b and math.copysign(1, a) == math.copysign(1, b)) or (
            a != a and b != b)
    return a == b


def told(text):
    """How many violations ferry told of."""
    i = text.find(" violation")
    return int(text[:i].rsplit(" ", 1)[1]) if i > 0 else 0


compared = [0]


def compare_config(name, release, config):
    import yaml

    source, out = f"{work}/{name}.yaml", f"{work}/{name}.out.yaml"
    with open(source, "w") as f:
        yaml.safe_dump(config, f, sort_keys=False)
    with open(source) as f:
        config = yaml.safe_load(f)
    want, errors = validate(models(release), config)
    r = run("convert", "--overwrite", "--from", "caiman/config", source, out,
            "--to", "caiman/inference-config", "--allow-loss", "--set",
            "release=%d.%d" % release)
    if errors:
        # With rnnt gone and more, it is no config to ferry at all.
        if "does not look like" in r.stderr and "rnnt" in errors:
            return False
        if r.returncode == 0 or told(r.stderr) != len(errors):
            fail(f"{name} {release}: pydantic refuses {errors}, ferry: "
                 f"{r.returncode} {r.stderr}")
    elif r.returncode:
        fail(f"{name} {release}: pydantic takes it, ferry: {r.stderr}")
    else:
        with open(out) as f:
            got = yaml.safe_load(f)
        if not same(want, got):
            fail(f"{name} {release}: {want} is not {got}")
    if os.path.exists(out):
        os.remove(out)
    compared[0] += 1
    if compared[0] % 10 == 1:
        compare_verdict(name, release, source, errors)
    os.remove(source)
    return not errors


def compare_verdict(name, release, source, errors):
    """The same rules asked for by name, beside those of the loader."""
    v = run("verify", "--as", "caiman/config", source, "--set",
            "release=%d.%d" % release)
    if errors and (v.returncode != 4 or "violation: " not in v.stdout):
        fail(f"{name} {release}: pydantic refuses {errors}, ferry verify: "
             f"{v.returncode} {v.stdout} {v.stderr}")
    if not errors and ("to release" in v.stdout or "must be an integer: it is "
                       in v.stdout or v.returncode not in (0, 4)):
        fail(f"{name} {release}: pydantic takes it, ferry verify: {v.stdout}")


def pydantic_part():
    import pydantic
    import yaml

    second = pydantic.VERSION.startswith("2")
    releases = [(1, 12), (1, 14)] if second else [(1, 8), (1, 9), (1, 11)]
    with open(path("config.yaml")) as f:
        base = yaml.safe_load(f)
    rng, taken, n = random.Random(20), 0, 0
    for release in releases:
        config = copy.deepcopy(base)
        if release < (1, 13):
            del config["user_tokens"]
        if release < (1, 11):
            del config["ngram"]
        if release < (1, 9):
            del config["tokenizer"]["sampling"]
            del config["input_val"]["filterbank_features"]["stats_path"]
        compare_config("base", release, base)
        taken += compare_config("fit", release, config)
        for i in range(len(SCALARS)):
            for section, key in (("rnnt", "in_feats"),
                                 ("tokenizer", "sentpiece_model"),
                                 ("tokenizer", "labels")):
                each = copy.deepcopy(config)
                each[section][key] = SCALARS[i]
                taken += compare_config(f"{key}-{i}", release, each)
                n += 1
            each = copy.deepcopy(config)
            each["input_val"]["filterbank_features"]["dither"] = SCALARS[i]
            taken += compare_config(f"dither-{i}", release, each)
        for i in range(150):
            taken += compare_config(f"mutant-{i}", release,
                                    mutate(rng, config))
            n += 1
    print(f"pydantic {pydantic.VERSION}: {n} configs, {taken} taken")


# ---- torch -----------------------------------------------------------------------

def corpus_maker():
    spec = importlib.util.spec_from_file_location("make", path("make.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def equal(a, b, at=""):
    import torch

    if type(a) is not type(b):
        return fail(f"{at}: {type(a)} is not {type(b)}")
    if isinstance(a, dict):
        if list(a) != list(b):
            return fail(f"{at}: {list(a)} is not {list(b)}")
        for k in a:
            equal(a[k], b[k], f"{at}.{k}")
    elif isinstance(a, (list, tuple)):
        if len(a) != len(b):
            return fail(f"{at}: lengths differ")
        for i, (x, y) in enumerate(zip(a, b)):
            equal(x, y, f"{at}.{i}")
    elif isinstance(a, torch.Tensor):
        if a.dtype != b.dtype or not torch.equal(a, b):
            fail(f"{at}: tensors differ")
    elif a != b:
        fail(f"{at}: {a} is not {b}")


def load(name, strict=True):
    import torch

    version = tuple(map(int, torch.__version__.split(".")[:2]))
    strict = strict and protocol(name) == 2     # as weights_only wants it
    if strict and version >= (2, 0):
        return torch.load(name, weights_only=True)
    if version >= (2, 0):
        return torch.load(name, weights_only=False)
    return torch.load(name)


def protocol(name):
    import zipfile

    with zipfile.ZipFile(name) as z:
        member = [n for n in z.namelist() if n.endswith("/data.pkl")][0]
        return z.read(member)[1]


def convert(*args):
    r = run("convert", "--overwrite", *args)
    if r.returncode:
        fail(f"convert {args}: {r.stderr}")
    return not r.returncode


DATASETS = "/datasets=" + path("datasets")


def export(make, name, release, *more):
    out = f"{work}/{name}.hw.pt"
    if not convert(path("RNN-T_best_checkpoint.pt"), more[0], out, "--to",
                   "caiman/hardware", "--map-path", DATASETS, "--set",
                   "variant=" + path("tiny.yaml"), "--set",
                   f"release={release}", *more[1:]):
        return None
    return out


def whole(config_path):
    import yaml

    def ordered(v):
        if isinstance(v, dict):
            return {k: ordered(v[k]) for k in sorted(v)}
        return [ordered(x) for x in v] if isinstance(v, list) else v

    with open(config_path) as f:
        return ordered(yaml.safe_load(f))


def exports(make):
    """Each release's hardware checkpoint of one training."""
    try:
        import yaml
    except ImportError:
        yaml = None
    older = f"{work}/older.yaml"
    with open(path("config.yaml")) as f, open(older, "w") as g:
        g.write(f.read().split("tokenizer:", 1)[1].join(["tokenizer:", ""])
                .replace("  sampling: 0.05\n", "")
                .split("\nngram:")[0] + "\n")
    with open(older) as f:
        text = f.read()
    with open(older, "w") as g:
        g.write("".join(line for line in text.splitlines(True)
                        if "stats_path" not in line))
    stats = ["--with", "mel-means=" + path("datasets/stats/tiny-winsz0.025/"
                                           "melmeans.pt"),
             "--with", "mel-vars=" + path("datasets/stats/tiny-winsz0.025/"
                                          "melvars.pt")]
    for release, name, more in (
            ((1, 14), "1.14.0", [path("config.yaml")]),
            ((1, 13), "1.13.0", [path("config.yaml")]),
            ((1, 8), "1.8.0", [older, *stats]),
            ((1, 6), "1.7.0", [older, *stats]),
            ((1, 5), "1.5.0", [older, *stats]),
            ((1, 0), "1.0.0", [older, *stats])):
        out = export(make, name, name, *more)
        if not out:
            continue
        want = make.hardware(release)
        if release == (1, 5):
            if yaml is None:
                continue
            want["rnnt_config"] = whole(older)
        equal(want, load(out), f"hardware {name}")
        if protocol(out) != (5 if release == (1, 14) else 2):
            fail(f"hardware {name}: protocol {protocol(out)}")


def migrations(make):
    """Old checkpoints brought to the newest release."""
    make.unk_handling()
    for name in ("1.0", "1.4", "1.8", "1.11"):
        out = f"{work}/migrated-{name}.hw.pt"
        if not convert(path(f"hardware-{name}.pt"), out, "--set",
                       "release=1.14.0", "--with",
                       "config=" + path("config.yaml")):
            continue
        want = make.hardware((1, 14))
        if name != "1.11":
            want["ngram"] = {"binary": None, "scale_factor": None}
        equal(want, load(out), f"migrated hardware {name}")
    for name in ("1.0", "1.5", "1.9", "1.13-getattr"):
        out = f"{work}/migrated-{name}.pt"
        more = ["--set", "norm-weight=1"] if name < "1.9" and \
            name != "1.13-getattr" else []
        if not convert(path(f"training-{name}.pt"), out, "--set",
                       "release=1.14.0", "--with",
                       "config=" + path("config.yaml"), *more):
            continue
        want = make.training((1, 14))
        got = load(out, strict=False)
        want["optimizer"]["state"] = got["optimizer"]["state"]
        equal(want, got, f"migrated training {name}")


def average(make, release):
    import torch

    files, docs = [], []
    for i in range(3):
        doc = make.training(release)
        for key in ("state_dict", "ema_state_dict"):
            for t in doc[key].values():
                t.add_(torch.randn(t.shape) * 10.0 ** i)
        files.append(f"{work}/average-{i}.pt")
        torch.save(doc, files[-1])
        docs.append(doc)
    out = f"{work}/average.pt"
    r = run("average", "--overwrite", *files, out)
    if r.returncode:
        return fail(f"average: {r.stderr}")
    got = load(out)
    for key in ("state_dict", "ema_state_dict"):
        want = type(docs[0][key])((k, v.clone())
                                  for k, v in docs[0][key].items())
        for doc in docs[1:]:
            for k, v in doc[key].items():
                want[k] += v
        for v in want.values():
            v /= len(docs)
        equal(want, got[key], f"average {key}")
    rest = {k: v for k, v in got.items() if not k.endswith("state_dict")}
    expected = {"epoch": 0, "step": 0, "best_wer": 0, "optimizer": None,
                "tokenizer_kw": docs[0].get("tokenizer_kw"),
                "logmel_norm_weight": 1.0}
    if "tokenizer_kw" not in docs[0]:
        del expected["tokenizer_kw"]
    equal(expected, rest, "average")


def variant(make):
    """A model of the real variant `testing`: taken until 1.12."""
    import torch

    make.F, make.E, make.L1, make.L2, make.S = 240, 1024, 2, 3, 2
    make.P, make.LP, make.J, make.C = 512, 2, 512, 1024
    doc = make.training((1, 9))
    doc["ema_state_dict"] = doc["state_dict"]   # half the file
    doc["optimizer"] = None
    source, out = f"{work}/testing.pt", f"{work}/testing.hw.pt"
    torch.save(doc, source)
    for release, code in (("1.12.0", 0), ("1.14.0", 1)):
        r = run("plan", source, "--with", "config=" + path("config.yaml"),
                "--to", "caiman/hardware", "--map-path", DATASETS, "--set",
                f"release={release}", "--allow-loss")
        said = "no model that release 1.14.0 takes" in r.stderr
        if ("user_tokens" in r.stderr) != (code == 0) or said != (code == 1):
            fail(f"variant testing by {release}: {r.stderr}")
    config = f"{work}/testing.yaml"
    with open(path("config.yaml")) as f, open(config, "w") as g:
        g.write("tokenizer:" + f.read().split("\ntokenizer:", 1)[1])
    if convert(source, config, out, "--to", "caiman/hardware", "--map-path",
               DATASETS, "--set", "release=1.12.0", "--allow-loss"):
        equal(dict(doc["state_dict"]), dict(load(out)["state_dict"]),
              "variant testing")
    os.remove(source)
    if os.path.exists(out):
        os.remove(out)


def torch_part():
    import torch

    make = corpus_maker()
    exports(make)
    migrations(make)
    average(make, (1, 9))
    average(make, (1, 3))
    variant(make)
    print(f"torch {torch.__version__}: done")


shutil.rmtree(work, ignore_errors=True)
os.makedirs(work)
{"pydantic": pydantic_part, "torch": torch_part}[part]()
if failures:
    sys.exit(f"{len(failures)} failures")
shutil.rmtree(work)
