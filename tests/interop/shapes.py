"""Classes that the generated checkpoints name.  ferry does not know them."""
import collections
import dataclasses
import enum

import torch


class Colour(enum.Enum):
    RED = 1
    BLUE = "b"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 9


class Plain:
    def __init__(self, **kw):
        self.__dict__.update(kw)

    class Inner:
        def __init__(self, x):
            self.x = x


class Slotted:
    __slots__ = ("a", "b")

    def __init__(self, a, b):
        self.a, self.b = a, b


class WithState:
    def __init__(self, x):
        self.x = x

    def __getstate__(self):
        return ("state", self.x)

    def __setstate__(self, state):
        self.x = state[1]


class Called:
    def __init__(self, *args):
        self.args = args

    def __reduce__(self):
        return Called, self.args, {"more": [1, 2]}


def give(value, state):
    value.__dict__.update(state)


class Given:
    """Its state is set by a function."""

    def __reduce__(self):
        return Given, (), self.__dict__, None, None, give


class Keyword:
    def __new__(cls, *, size):
        self = super().__new__(cls)
        self.size = size
        return self

    def __getnewargs_ex__(self):
        return (), {"size": self.size}


class ListLike(list):
    pass


class DictLike(dict):
    pass


Point = collections.namedtuple("Point", "x y")


@dataclasses.dataclass
class Config:
    lr: float = 1e-3
    betas: tuple = (0.9, 0.999)
    tags: list = dataclasses.field(default_factory=list)


class Tagged(torch.Tensor):
    pass


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 8, 3)
        self.bn = torch.nn.BatchNorm2d(8)
        self.embed = torch.nn.Embedding(10, 8)
        self.head = torch.nn.Linear(8, 10, bias=False)
        self.head.weight = self.embed.weight
        self.register_buffer("scratch", torch.zeros(3), persistent=False)

    def forward(self, x):
        return self.head(torch.relu(self.bn(self.conv(x))).mean((2, 3)))
