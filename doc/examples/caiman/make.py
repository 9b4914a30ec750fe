#!/usr/bin/env python3
"""Make this example: a small CAIMAN-ASR training as release 1.14 leaves it.

	python3 make.py sentencepiece	# needs sentencepiece
	python3 make.py checkpoint	# needs torch 2

The checkpoint has the layout of the real ones, with 16 mel filters and narrow
layers; the builders are those of the test corpus.
"""
import importlib.util
import os
import sys

here = os.path.dirname(os.path.abspath(__file__))
source = os.path.join(here, "..", "..", "..", "tests", "corpus", "caiman")
spec = importlib.util.spec_from_file_location(
    "make", os.path.join(source, "make.py"))
make = importlib.util.module_from_spec(spec)
spec.loader.exec_module(make)
make.here = here
make.F, make.E, make.L1, make.L2, make.S = 48, 16, 2, 3, 2
make.P, make.LP, make.J, make.C = 16, 2, 16, 50
make.PIECES = "/datasets/sentencepieces/demo.model"


def write_config():
    with open(os.path.join(source, "config.yaml")) as f:
        text = f.read()
    for old, new in (("smallest sizes", "a demonstration's sizes"),
                     ("pieces.model", "demo.model"),
                     ("tiny-winsz0.025", "demo-winsz0.025"),
                     ("ngrams/tiny", "ngrams/demo"),
                     ("n_filt 5", "n_filt 16"), ("stacking: 1", "stacking: 3"),
                     ("subsampling: 1", "subsampling: 3"),
                     ("in_feats: 5", "in_feats: 48"),
                     ("enc_n_hid: 8", "enc_n_hid: 16"),
                     ("pre_rnn_layers: 1", "pre_rnn_layers: 2"),
                     ("post_rnn_layers: 1", "post_rnn_layers: 3"),
                     ("stack_time_factor: 1", "stack_time_factor: 2"),
                     ("pred_n_hid: 4", "pred_n_hid: 16"),
                     ("pred_rnn_layers: 1", "pred_rnn_layers: 2"),
                     ("joint_n_hid: 4", "joint_n_hid: 16")):
        assert old in text, old
        text = text.replace(old, new)
    with open(make.path("config.yaml"), "w") as f:
        f.write(text)


def write_checkpoint():
    import torch

    torch.manual_seed(1)
    stats = "datasets/stats/demo-winsz0.025/"
    os.makedirs(make.path(stats), exist_ok=True)
    os.makedirs(make.path("datasets/ngrams/demo"), exist_ok=True)
    make.save("RNN-T_best_checkpoint.pt", make.training((1, 14)), 5)
    make.save(stats + "melmeans.pt", torch.randn(16) - 11, 5)
    make.save(stats + "melvars.pt", torch.rand(16) * 4 + 15, 5)
    make.save(stats + "meln.pt", torch.tensor([1776.0]), 5)
    with open(make.path("datasets/ngrams/demo/ngram.binary"), "wb") as f:
        f.write(make.ngram_bytes())


if sys.argv[1] == "sentencepiece":
    make.make_sentencepiece()
    folder = make.path("datasets/sentencepieces/")
    os.rename(folder + "pieces.model", folder + "demo.model")
else:
    write_config()
    write_checkpoint()
