"""What one writes to have a tree's weights as safetensors: torch and two processes.

usage: peer.py SRC DST
"""
import multiprocessing
import pathlib
import sys


def prepare():
    import torch
    torch.set_num_threads(1)


def convert(pair):
    import torch
    from safetensors.torch import save_file
    source, target = pair
    save_file(torch.load(source, map_location="cpu", weights_only=True)["model"], target, metadata={"format": "pt"})


if __name__ == "__main__":
    source, target = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    pairs = []
    for path in sorted(source.rglob("*.pt")):
        out = (target / path.relative_to(source)).with_suffix(".safetensors")
        out.parent.mkdir(parents=True, exist_ok=True)
        pairs.append((path, out))
    with multiprocessing.Pool(2, prepare) as pool:
        for _ in pool.imap_unordered(convert, pairs, chunksize=32):
            pass
