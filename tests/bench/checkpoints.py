"""Make trees of checkpoints for the benchmark.

usage: checkpoints.py small DIR NUMBER
       checkpoints.py large DIR NUMBER MEGABYTES

Small ones are what a training of a small model saves: weights, Adam's two
moments of each, settings; 96 kB.  Each has its own values.  Prints 0.
"""
import pathlib
import shutil
import sys

import torch

kind, folder, number = sys.argv[1], pathlib.Path(sys.argv[2]), int(sys.argv[3])
torch.set_num_threads(1)
torch.manual_seed(1)


class Block(torch.nn.Module):
    def __init__(self, width):
        super().__init__()
        self.norm1, self.norm2 = torch.nn.LayerNorm(width), torch.nn.LayerNorm(width)
        self.qkv, self.out = torch.nn.Linear(width, 3 * width), torch.nn.Linear(width, width)
        self.up, self.down = torch.nn.Linear(width, 2 * width), torch.nn.Linear(2 * width, width)


def small():
    model = torch.nn.Sequential(torch.nn.Linear(8, 16), Block(16), Block(16), torch.nn.LayerNorm(16), torch.nn.Linear(16, 32))
    optimizer = torch.optim.Adam(model.parameters())
    for parameter in model.parameters():
        parameter.grad = torch.randn_like(parameter)
    optimizer.step()
    state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "config": {"width": 16, "name": "tiny"}}
    for i in range(number):
        run = folder / f"run{i // 500:02d}"
        run.mkdir(parents=True, exist_ok=True)
        state["model"]["0.weight"].add_(0.01)
        torch.save({**state, "epoch": i}, run / f"epoch{i:05d}.pt")


def large(megabytes):
    folder.mkdir(parents=True)
    each = megabytes * (1 << 20) // 4 // 20
    torch.save({f"layer.{i}.weight": torch.randn(each) for i in range(20)}, folder / "0.pt")
    for i in range(1, number):
        shutil.copyfile(folder / "0.pt", folder / f"{i}.pt")


small() if kind == "small" else large(int(sys.argv[4]))
print(0)
