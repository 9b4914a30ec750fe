"""Write tiny-gpt.pt: a character model trained for a moment, saved the way
training scripts save: weights under "model", optimizer, arguments, epoch.
Needs PyTorch; the result ships with ferry so that nobody else does."""
import argparse
import pathlib

import torch
from torch import nn

TEXT = """ferry carries checkpoints from one framework to another.
it reads what a framework saved without running a byte of it."""


class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, heads, batch_first=True)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))

    def forward(self, x):
        mask = torch.triu(torch.ones(x.shape[1], x.shape[1], dtype=torch.bool), 1)
        y = self.norm1(x)
        x = x + self.attention(y, y, y, attn_mask=mask, need_weights=False)[0]
        return x + self.mlp(self.norm2(x))


class TinyGPT(nn.Module):
    def __init__(self, vocabulary, width=32, layers=2, context=32):
        super().__init__()
        self.tokens = nn.Embedding(vocabulary, width)
        self.positions = nn.Embedding(context, width)
        self.blocks = nn.ModuleList(Block(width, 4) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, vocabulary, bias=False)
        self.head.weight = self.tokens.weight
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))

    def forward(self, ids):
        x = self.tokens(ids) + self.positions.weight[: ids.shape[1]]
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x))


def main():
    torch.manual_seed(1)
    letters = sorted(set(TEXT))
    data = torch.tensor([letters.index(c) for c in TEXT])
    model = nn.DataParallel(TinyGPT(len(letters)))
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for step in range(60):
        at = torch.randint(0, len(data) - 33, (8,))
        batch = torch.stack([data[i : i + 33] for i in at])
        loss = nn.functional.cross_entropy(model(batch[:, :-1]).flatten(0, 1), batch[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        model.module.steps += 1
    torch.save({"epoch": 1, "loss": loss.item(), "model": model.state_dict(), "optimizer": optimizer.state_dict(),
                "args": argparse.Namespace(lr=3e-3, width=32, layers=2, letters="".join(letters))},
               pathlib.Path(__file__).with_name("tiny-gpt.pt"))


if __name__ == "__main__":
    main()
