#!/usr/bin/env python3
"""Make the corpus of CAIMAN-ASR checkpoints: small, by the real libraries.

	python3 make.py sentencepiece	# needs sentencepiece: pieces.model, below datasets
	python3 make.py old		# torch 1.13 (CPython 3.11.2): releases 1.0-1.13
	python3 make.py new		# torch 2: releases 1.11-1.14 and later

The layouts are those the releases' own savers give: the keys in their order,
state dicts with their metadata, the optimizer's groups, protocols.  The model
is the smallest there is: F5 E8 L1=1 L2=1 S1 P4 LP1 J4 and 30 classes.
"""
import enum
import os
import struct
import sys
import types
from collections import OrderedDict

here = os.path.dirname(os.path.abspath(__file__))

F, E, L1, L2, S, P, LP, J, C = 5, 8, 1, 1, 1, 4, 1, 4, 30
LABELS = [" "] + [chr(c) for c in range(ord("a"), ord("z") + 1)] + ["'"]


def path(name):
    return os.path.join(here, name)


def make_sentencepiece():
    import sentencepiece

    words = ("the quick brown fox jumps over a lazy dog while six big "
             "jackdaws love my sphinx of quartz and vex hymns").split()
    os.makedirs(path("datasets/sentencepieces"), exist_ok=True)
    text = path("sentences.txt")
    with open(text, "w") as f:
        for i in range(200):
            f.write(" ".join(words[(i * k + k) % len(words)]
                             for k in range(1, 9)) + "\n")
    sentencepiece.SentencePieceTrainer.train(
        input=text, model_prefix=path("datasets/sentencepieces/pieces"), vocab_size=C - 1,
        model_type="unigram", normalization_rule_name="identity",
        bos_id=-1, eos_id=-1, minloglevel=2, hard_vocab_limit=True,
        character_coverage=1.0)
    os.remove(text)
    os.remove(path("datasets/sentencepieces/pieces.vocab"))


def shapes():
    def lstm(name, layers, first, hidden):
        for i in range(layers):
            yield f"{name}.lstm.weight_ih_l{i}", [4 * hidden, hidden if i else first]
            yield f"{name}.lstm.weight_hh_l{i}", [4 * hidden, hidden]
            yield f"{name}.lstm.bias_ih_l{i}", [4 * hidden]
            yield f"{name}.lstm.bias_hh_l{i}", [4 * hidden]

    yield from lstm("encoder.pre_rnn", L1, F, E)
    yield from lstm("encoder.post_rnn", L2, S * E, E)
    yield "prediction.embed.weight", [C - 1, P]
    yield from lstm("prediction.dec_rnn", LP, P, P)
    yield "joint_pred.weight", [J, P]
    yield "joint_pred.bias", [J]
    yield "joint_enc.weight", [J, E]
    yield "joint_enc.bias", [J]
    yield "joint_net.2.weight", [C, J]
    yield "joint_net.2.bias", [C]


MODULES = ("", "encoder", "encoder.pre_rnn", "encoder.pre_rnn.lstm",
           "encoder.pre_rnn.dropout", "encoder.stack_time", "encoder.post_rnn",
           "encoder.post_rnn.lstm", "encoder.post_rnn.dropout", "prediction",
           "prediction.embed", "prediction.dec_rnn", "prediction.dec_rnn.lstm",
           "prediction.dec_rnn.dropout", "joint_pred", "joint_enc", "joint_net",
           "joint_net.0", "joint_net.1", "joint_net.2")


def state_dict(seed, layers=False, joint_fc=False, module=False):
    import torch

    g = torch.Generator().manual_seed(seed)
    out = OrderedDict()
    for name, shape in shapes():
        out[name] = torch.rand(shape, generator=g) * 0.4 - 0.2
    if layers:          # the CUDA LSTM of 1.4 and 1.5 names each twice
        for net in ("encoder.pre_rnn", "encoder.post_rnn", "prediction.dec_rnn"):
            out = insert_layers(out, net)
    if joint_fc:
        for kind in ("weight", "bias"):
            out["joint_fc." + kind] = out["joint_net.2." + kind].clone()
    if module:
        out = OrderedDict(("module." + k, v) for k, v in out.items())
    out._metadata = OrderedDict((m, {"version": 1}) for m in MODULES)
    return out


def insert_layers(old, net):
    out, prefix = OrderedDict(), net + ".lstm."
    names = list(old)
    last = max(i for i, n in enumerate(names) if n.startswith(prefix))
    for i, name in enumerate(names):
        out[name] = old[name]
        if i == last:
            for n in [n for n in names if n.startswith(prefix)]:
                kind, _, layer = n[len(prefix):].rpartition("_l")
                out[f"{prefix}layers.{layer}.{kind}"] = old[n]
    return out


def optimizer(weights, groups, state_too):
    import torch

    names = [n for n in weights if "layers." not in n and "joint_fc" not in n]
    index = {n: i for i, n in enumerate(names)}
    parts = ["encoder.", "prediction.", "joint_enc.", "joint_pred.", "joint_net."]
    if groups == 3:
        parts = ["encoder.", "prediction.", "joint_"]
    param_groups, state, order = [], {}, []
    for part in parts:
        order.append([n for n in names if n.startswith(part)])
    if groups == 3:     # the joint layers in the order of the later groups
        order[2].sort(key=lambda n: ("enc" not in n, "pred" not in n))
    at = 0
    for members in order:
        param_groups.append({
            "lr": 0.004, "bias_correction": True, "betas": (0.9, 0.999),
            "eps": 1e-9, "weight_decay": 1e-3, "grad_averaging": True,
            "max_grad_norm": 1.0, "step": 100,
            "params": list(range(at, at + len(members)))})
        for n in members[:1] if state_too else []:  # the file stays small
            state[at] = {"exp_avg": torch.zeros(weights[n].shape),
                         "exp_avg_sq": torch.ones(weights[n].shape)}
        at += len(members)
    assert at == len(index)
    return {"state": state, "param_groups": param_groups}


def unk_handling():
    """The class whose member upstream saves, under the name it has there."""
    for name in ("caiman_asr_train", "caiman_asr_train.data",
                 "caiman_asr_train.data.unk_handling"):
        sys.modules.setdefault(name, types.ModuleType(name))
    module = sys.modules["caiman_asr_train.data.unk_handling"]
    if not hasattr(module, "UnkHandling"):
        module.UnkHandling = enum.Enum(
            "UnkHandling", [("FAIL", "FAIL"), ("WARN", "WARN")],
            module=module.__name__, qualname="UnkHandling")
    return module.UnkHandling


PIECES = "/datasets/sentencepieces/pieces.model"


def tokenizer_kw(release):
    if release < (1, 6):
        return None
    if release < (1, 9):
        return {"labels": LABELS, "sentpiece_model": PIECES}
    if release < (1, 13):
        return {"labels": LABELS, "sentpiece_model": PIECES, "sampling": 0.05}
    return {"sentpiece_model": PIECES, "labels": LABELS, "sampling": 0.05,
            "unk_handling": unk_handling().FAIL}


def training(release, groups=5, **kinds):
    raw = state_dict(7, **kinds)
    ema = None if release == (1, 6) else state_dict(11, **kinds)
    out = {"epoch": 10, "step": 100, "best_wer": 0.0305, "state_dict": raw,
           "ema_state_dict": ema,
           "optimizer": optimizer(raw, groups, release in ((1, 0), (1, 14)))}
    if release >= (1, 6):
        out["tokenizer_kw"] = tokenizer_kw(release)
    if release >= (1, 9):
        out["logmel_norm_weight"] = 1.0
    return out


def config(full):
    features = {"dither": 0.00001, "n_fft": 512, "n_filt": 5,
                "normalize": "per_feature", "sample_rate": 16000,
                "window": "hann", "window_size": 0.025, "window_stride": 0.01}
    splicing = {"frame_stacking": 1, "frame_subsampling": 1}
    rnnt = {"enc_n_hid": E, "enc_post_rnn_layers": L2,
            "enc_pre_rnn_layers": L1, "enc_stack_time_factor": S,
            "in_feats": F, "joint_n_hid": J, "pred_n_hid": P,
            "pred_rnn_layers": LP}
    tokenizer = {"labels": list(LABELS), "sentpiece_model": PIECES}
    if not full:
        return {"input_val": {"filterbank_features": features,
                              "frame_splicing": splicing},
                "rnnt": rnnt, "tokenizer": tokenizer}
    rnnt = dict(sorted({**rnnt, "custom_lstm": False, "enc_batch_norm": False,
                        "enc_dropout": 0.1, "forget_gate_bias": 1.0,
                        "hard_activation_functions": False,
                        "joint_dropout": 0.3, "pred_batch_norm": False,
                        "pred_dropout": 0.3}.items()))
    val = {"audio_dataset": {"normalize_transcripts": False,
                             "sample_rate": 16000, "trim_silence": False},
           "filterbank_features": dict(features),
           "frame_splicing": dict(splicing)}
    train = {"audio_dataset": {"max_duration": 16.7,
                               "normalize_transcripts": False,
                               "sample_rate": 16000, "trim_silence": True},
             "filterbank_features": dict(features),
             "frame_splicing": dict(splicing)}
    return {"input_train": train, "input_val": val, "rnnt": rnnt,
            "tokenizer": tokenizer}


def mel_means():
    import torch
    return torch.tensor([-13.797253, -13.004684, -12.5, -11.75, -10.125])


def mel_vars():
    import torch
    return torch.tensor([15.785038, 16.5, 17.25, 18.0, 19.5])


def ngram_bytes():
    magic = b"mmap lm http://kheafield.com/code format version 5\n\0"
    sanity = struct.pack("<fffIIQQ", 0.0, 1.0, -0.5, 1, 0xFFFFFFFF, 1, 0)
    return magic.ljust(56, b"\0") + sanity + bytes(range(256))


def hardware(release, **kinds):
    pieces = open(path("datasets/sentencepieces/pieces.model"), "rb").read()
    out = {"state_dict": state_dict(11, **kinds), "epoch": 10, "step": 100,
           "best_wer": 0.0305, "melmeans": mel_means(), "melvars": mel_vars(),
           "melalpha": 0.0 if release >= (1, 9) else 0.001,
           "sentpiece_model": pieces}
    if release >= (1, 11):
        out["ngram"] = {"binary": ngram_bytes(), "scale_factor": 0.05}
    if release >= (1, 2):
        out["version"] = "%d.%d.0" % release
        out["rnnt_config"] = config(full=release < (1, 6))
    return out


def save(name, value, protocol=2):
    import torch
    torch.save(value, path(name), pickle_protocol=protocol)


def make_old():
    import numpy
    import torch

    if not torch.__version__.startswith("1.13"):
        sys.exit("this part needs torch 1.13")
    save("training-1.0.pt", training((1, 0), groups=3))
    save("training-1.5.pt", training((1, 5), layers=True))
    save("training-1.6.pt", training((1, 6), joint_fc=True))
    save("training-1.9.pt", training((1, 9)))
    if sys.version_info[:3] < (3, 11, 4):
        save("training-1.13-getattr.pt", training((1, 13)))
    save("hardware-1.0.pt", hardware((1, 0)))
    save("hardware-1.4.pt", hardware((1, 4), layers=True))
    save("hardware-1.8.pt", hardware((1, 8), joint_fc=True))
    numpy.save(path("melmeans.npy"), mel_means().numpy())


def make_new():
    import torch

    if int(torch.__version__.split(".")[0]) < 2:
        sys.exit("this part needs torch 2")
    save("RNN-T_best_checkpoint.pt", training((1, 14)), 5)
    later = training((1, 14))
    later["raw_prefix_token_map"] = {"<EOS>": [29], "x": [1, 2]}
    save("training-later.pt", later, 5)
    save("hardware-1.11.pt", hardware((1, 11)))
    save("hardware-1.14.hw.pt", hardware((1, 14)), 5)
    stats = "datasets/stats/tiny-winsz0.025/"
    for folder in (stats, "datasets/ngrams/tiny"):
        os.makedirs(path(folder), exist_ok=True)
    save(stats + "melmeans.pt", mel_means(), 5)
    save(stats + "melvars.pt", mel_vars(), 5)
    save(stats + "meln.pt", torch.tensor([1776.0]), 5)
    with open(path("datasets/ngrams/tiny/ngram.binary"), "wb") as f:
        f.write(ngram_bytes())


if __name__ == "__main__":
    {"sentencepiece": make_sentencepiece, "old": make_old,
     "new": make_new}[sys.argv[1]]()
