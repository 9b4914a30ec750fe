#!/usr/bin/env python3
"""Pickles of OmegaConf configurations, one set per release.

    python configs.py OUT_DIR

Run under each release that tests/unit/test_omegaconf.c names.  Beside each
pickle NAME-RELEASE.pkl lies what it holds: NAME-RELEASE.txt, the plain values,
and NAME-RELEASE.yaml, what OmegaConf.to_yaml() gives.
"""
import dataclasses
import enum
import pickle
import sys
import typing

import omegaconf
from omegaconf import DictConfig, ListConfig, OmegaConf

RELEASE = omegaconf.__version__
NEW = tuple(int(n) for n in RELEASE.split('.')[:2])
VECTOR = {'a': 1, 'l': [1, 'x'], 's': 'str', 'i': '${a}', 'm': '???',
          'n': None, 'f': 1.5, 'b': True, 'd': {'x': 0}}
TEXT = """
solver: musicgen
sample_rate: 32000
dtype: float32
optim: {lr: 1e-4, betas: [0.9, 0.95], updates_per_epoch: 2000}
schedule: {updates: '${optim.updates_per_epoch}', warm: [[1, 2], [], {a: {}}]}
missing: ???
continue_from: null
name: étude
"""


class Mode(enum.Enum):
    TRAIN = 1
    VALID = 'v'


@dataclasses.dataclass
class Inner:
    n: int = 3
    name: str = omegaconf.MISSING


@dataclasses.dataclass
class Typed:
    i: int = 7
    f: float = 0.5
    b: bool = True
    s: str = 'text'
    mode: Mode = Mode.VALID
    later: typing.Optional[int] = None
    inner: Inner = dataclasses.field(default_factory=Inner)
    sizes: typing.List[int] = dataclasses.field(default_factory=lambda: [1, 2])
    table: typing.Dict[str, float] = dataclasses.field(
        default_factory=lambda: {'x': 1.0})


def special():
    cfg = OmegaConf.create({'after': 1})
    cfg.no_dict = DictConfig(None)
    cfg.no_list = ListConfig(None)
    cfg.missing = DictConfig('???')
    cfg.other = DictConfig('${after}')
    cfg.items = ListConfig('${no_list}')
    return cfg


def flags():
    cfg = OmegaConf.create(VECTOR)
    OmegaConf.set_struct(cfg, True)
    OmegaConf.set_readonly(cfg.d, True)
    return cfg


def cached():
    if NEW == (2, 0):
        OmegaConf.register_resolver('now', lambda p: '2026-01-02')
    else:
        OmegaConf.register_new_resolver('now', lambda p: '2026-01-02',
                                        use_cache=True)
    cfg = OmegaConf.create({'dir': 'out/${now:%Y-%m-%d}'})
    assert cfg.dir == 'out/2026-01-02'
    return cfg


def struct():
    cfg = OmegaConf.create(VECTOR)
    OmegaConf.set_struct(cfg, True)
    return cfg


def cases():
    yield 'vector', OmegaConf.create(VECTOR)
    yield 'struct', struct()
    yield 'one', OmegaConf.create({'a': 1})
    yield 'text', OmegaConf.create(TEXT)
    yield 'list', OmegaConf.create([1, {'a': 2}, [3]])
    yield 'special', special()
    yield 'flags', flags()
    yield 'cached', cached()
    yield 'typed', OmegaConf.structured(Typed)
    if NEW >= (2, 1):
        yield 'member', OmegaConf.create({'m': Mode.TRAIN, 3: 'three',
                                          1.5: [True]})
    if NEW == (2, 3):
        yield 'large', OmegaConf.create({
            f'key{i}': [i, f'text {i}', {'a': i / 4}] for i in range(30)})
    if NEW >= (2, 2):
        import pathlib
        yield 'bytes', OmegaConf.create({'b': b'\x00\xff',
                                         'p': pathlib.Path('/a/b')})
        union = dataclasses.make_dataclass(
            'Union', [('u', typing.Union[int, str], 3),
                      ('v', typing.Union[int, str], 'x')])
        union.__module__ = '__main__'
        globals()['Union'] = union
        yield 'union', OmegaConf.structured(union)


def text(v):
    """As the test's own dump of plain values has it."""
    if isinstance(v, dict):
        return '{' + ', '.join(f'{text(k)}: {text(x)}'
                               for k, x in v.items()) + '}'
    if isinstance(v, list):
        return '[' + ', '.join(map(text, v)) + ']'
    if isinstance(v, enum.Enum):
        return f'"{v.name}"'
    if isinstance(v, bool) or v is None:
        return str(v)
    if isinstance(v, (int, float)):
        return '%.17g' % v
    if isinstance(v, bytes):
        return 'b' + v.hex()
    return f'"{v}"'


def main(out):
    for name, cfg in cases():
        base = f'{out}/{name}-{RELEASE}'
        with open(base + '.pkl', 'wb') as f:
            f.write(pickle.dumps(cfg, 2))
        plain = OmegaConf.to_container(cfg, resolve=False)
        with open(base + '.txt', 'w', encoding='utf-8') as f:
            f.write(text(plain) + '\n')
        with open(base + '.yaml', 'w', encoding='utf-8') as f:
            f.write(OmegaConf.to_yaml(cfg))


if __name__ == '__main__':
    main(sys.argv[1])
