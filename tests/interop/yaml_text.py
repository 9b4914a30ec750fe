#!/usr/bin/env python3
"""YAML text against the PyYAML and the OmegaConf of the interpreter that runs this.

    yaml_text.py FERRY DIRECTORY

Written: values go from Python to ferry as a pickle, and the text must be what
OmegaConf.to_yaml and yaml.safe_dump give, byte for byte.  Read: texts go from
ferry to Python as a pickle, and the values must be what yaml.safe_load and
OmegaConf.create give, types, order and sharing too; what they refuse, ferry
refuses.
"""
import datetime
import itertools
import math
import pathlib
import pickle
import random
import struct
import subprocess
import sys

import yaml
from omegaconf import OmegaConf

FERRY, WORK = sys.argv[1], pathlib.Path(sys.argv[2])
RANDOM = random.Random(7)
failures = checks = 0


def check(what, good):
    global failures, checks
    checks += 1
    if not good:
        failures += 1
        if failures <= 40:
            print("FAILED:", what)


def ferry(source, target, *settings):
    args = [x for s in settings for x in ("--set", s)]
    run = subprocess.run([FERRY, "convert", "-q", "--overwrite", "--allow-loss", str(source), str(target), *args],
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return run.returncode, run.stdout.decode("utf-8", "replace")


# ---- what is compared ---------------------------------------------------------


def image(value, seen=None):
    """A text that is equal for equal values: types, order, bits, sharing."""
    seen = {} if seen is None else seen
    if isinstance(value, float):
        return "nan" if math.isnan(value) else "f" + struct.pack(">d", value).hex()
    if isinstance(value, (list, dict, set, tuple)) and value:
        if id(value) in seen:
            return f"*{seen[id(value)]}"
        seen[id(value)] = len(seen)
    kind = type(value).__name__
    if isinstance(value, dict):
        return kind + "{" + ", ".join(f"{image(k, seen)}: {image(v, seen)}" for k, v in value.items()) + "}"
    if isinstance(value, set):
        return kind + str(sorted(image(v, seen) for v in value))
    if isinstance(value, (list, tuple)):
        return kind + "[" + ", ".join(image(v, seen) for v in value) + "]"
    return f"{kind} {value!a}"


def plain_image(value):
    """The same without sharing, which OmegaConf does not keep."""
    return image(copied(value))


def copied(value):
    if isinstance(value, dict):
        return {k: copied(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(copied(v) for v in value)
    return value


# ---- strings -------------------------------------------------------------------

WORDS = """y Y yes Yes YES n N no No NO true True TRUE false False FALSE on On ON off Off OFF tRUE yEs null Null NULL nULL ~ ~a
none None = == < << <<< . .. ... .... --- ---- -- - -a ? ?a ! !a & &a * *a @ ` % # #a a#b a# | > , , [ ] { } ' " '' "" \\ a\\b
1 0 -0 +1 01 08 017 0o17 0x 0x1F 0X1f 0b1 0b2 0b 0b_ 0x_ 0_ 1_000 1__0 _1 1_ 1e5 1E5 1e+5 1e-5 1.e5 1.5e3 1.5e+3 .5 .5e3 .5e+3 -.5 +.5
1. 1.0 1_0.5 1.5_0 ._ ._1 .1_ .1__2 1e 1e+ e5 12e 12e03 1.2.3 inf -inf +inf nan NaN -nan infinity Infinity INFINITY .inf -.INF +.Inf .iNF .nan .NaN
.NAN -.nan 1:30 1:70 12:30:45 190:20:30.15 190:20:30. 1:2:3:4:5:6:7 0:30 -1:30 1:5 1:05 1:005 01:30 1_0:30 1:30:
2020-01-01 2020-1-1 2020-01-01T00:00:00 2020-1-1T1:02:03Z 2001-12-14t21:59:43.10-05:00 2001-12-15T02:59:43.1Z
9999-12-31 0001-01-01 20200101 2020-01 12345678901234567890123 -98765432109876543210 0x123456789abcdef0123456789 07777777777777777777777777
0b1111111111111111111111111111111111111111111111111111111111111111111111 1e400 -1e400 1e-400 1.7976931348623157e308 5e-324 4.9e-324
${x} ${a.b} ${now:%Y-%m-%d} ??? a:b a: :a : :: a:: a,b a] [a a} {a 100% it's "it" 'it' C:\\x a&b *x! x*! <a> a>b a|b @a `a
host:port http://a.b/c?d=e&f#g a/b //a \u0661 \u0661\u0662 \uff11.\uff12 \u0661e5 -\u0663 \u00b2 \u2460 caf\u00e9 \u4f60\u597d \U0001f600
\U0001f600\U0001f601 \u200b \ufeff a\ufeff \ufffe \uffff \U0010ffff \U0010fffe \ud7ff \ue000 \ufffd""".split()
SPACED = ["", " ", "  ", " a", "a ", " a ", "a b", "a  b", "- x", "? x", ": x", "x: y", "x : y", "x #y", "x# y", "a\tb", "\ta", "a\t", "\t", "\n", "\n\n",
          "a\n", "\na", "a\nb", "a\n\nb", "a\nb\n", "a\n b", "a \nb", "a\n\n\nb\n\n", " \n", "\n ", "a\r\nb", "\r", "a\rb", "a\x00b", "\x00", "\x07\x08\x0b\x0c\x1b",
          "\x7f", "\x80", "\x85", "a\x85b", "a\u2028b", "a\u2029b", "\u2028", "\u2028\n", "\n\u2028x", "\xa0", "a\xa0b", "\xa01", "1\xa0", " 1", "1 ", " 1 ", "\t1", "1\n", "\u20031\u2003",
          "1 2", "+ 1", "- 1", "1 e5", "2020-01-01 00:00:00", "2020-1-1  1:02:03 +5", "2020-01-01 00:00:00 Z", "2020-01-01 00:00:00.1234567 -05:30", "it's ok", "''", "a''b", "'", "''''",
          "a 'b' c", 'a "b" c', "# a", "a # b", "a #", "--- a", "...a", "---a", "a --- b", "key: [1, 2]", "{a: b}", "a, b", "%a b", "a\\nb", "\x1b[0m", "\x9b",
          "word\\", "x\x7fy", "q\x00\x01\x02", "\u0085\u0085", "a\u0085 b", "é\nü", "\n# a", "a\n# b", "a\n---\nb", "a:\nb", "- a\n- b"]


def folds():
    for n in (70, 74, 75, 76, 77, 78, 79, 80, 81, 82, 120, 121, 122, 123, 124, 127, 128, 130):
        for tail in (" bb cc", "  bb cc", " bb  cc ", " 'b c", ": b c", " #b c d", "\tb c d", "\nb c", " ", " b", "\u00e9 \u00e9 e", "\U0001f600 b\x01 c d"):
            yield "a" * n + tail
            yield "\u00e9" * n + tail
    for words in (20, 40):
        for sep in (" ", "  ", " \t", "' ", "\x01 ", "\\ ", " \xe9", "\n", "\u2028", " \n"):
            yield sep.join("w" * (1 + k % 9) for k in range(words))
            yield sep.join("long" * (1 + k % 9) for k in range(words))
            yield sep.join("wo" * (k % 5) for k in range(words))


def noise(n):
    alphabets = ["ab ", "a \n", "a '\"\n", "a:#- ,", "0123456789._-+eE:", "a\t\\ \x01", "\u00e9 a\x85\u2028\n", "a b\U0001f600\ufeff\xa0 ", "0x1_b7o: -"]
    for _ in range(n):
        alphabet = RANDOM.choice(alphabets)
        yield "".join(RANDOM.choice(alphabet) for _ in range(RANDOM.choice((1, 2, 3, 4, 5, 6, 8, 12, 90, 200))))


def strings():
    found = dict.fromkeys(itertools.chain(WORDS, SPACED, folds(), noise(3000)))
    found.update(dict.fromkeys(chr(c) for c in range(0x100)))
    found.update(dict.fromkeys(a + chr(c) + b for c in range(0x100) for a, b in (("a", "b"), ("", "b"), ("a", ""), ("a ", " b"))))
    return list(found)


def floats():
    yield from (0.0, -0.0, 1.0, -1.5, 0.1, 1e-5, 0.0001, 1e16, 1e15, 123456789012345680.0, 1.5e300, 5e-324, 2.2250738585072014e-308, 2.0 ** -44,
                1.7976931348623157e308, math.inf, -math.inf, math.nan, 0.343, 1e22, 1e23, 9007199254740993.0, 100000000000000000000.0)
    for e in range(-1074, 1024):
        yield 2.0 ** e
    for _ in range(4000):
        f = struct.unpack(">d", RANDOM.getrandbits(64).to_bytes(8, "big"))[0]
        if not math.isnan(f):
            yield f
        yield RANDOM.randrange(10 ** 6) / 10 ** RANDOM.randrange(12)
        yield struct.unpack(">d", RANDOM.getrandbits(52).to_bytes(8, "big"))[0]


INTS = [0, 1, -1, 255, 2 ** 31, -2 ** 31, 2 ** 63 - 1, -2 ** 63, 2 ** 63, 2 ** 64, -2 ** 64, 10 ** 40, -10 ** 100]
BYTES = [b"", b"a", b"ab", b"abc", bytes(range(256)), bytes(56), bytes(57), bytes(58), bytes(171)]
DATES = [datetime.date(2020, 1, 2), datetime.date(1, 1, 1), datetime.datetime(2001, 12, 14, 21, 59, 43), datetime.datetime(2001, 12, 14, 21, 59, 43, 100),
         datetime.datetime(2001, 12, 14, tzinfo=datetime.timezone.utc), datetime.datetime(999, 12, 14, 1, 2, 3, 4, datetime.timezone(datetime.timedelta(hours=-5, minutes=-30))),
         datetime.datetime(2001, 12, 14, tzinfo=datetime.timezone(datetime.timedelta(seconds=3661)))]


def tree(depth, leaves, keys):
    kind = RANDOM.random()
    if depth == 0 or kind < 0.3:
        return RANDOM.choice(leaves)
    size = RANDOM.choice((0, 1, 1, 2, 3, 5))
    if kind < 0.6:
        return [tree(depth - 1, leaves, keys) for _ in range(size)]
    return {RANDOM.choice(keys): tree(depth - 1, leaves, keys) for _ in range(size)}


# ---- writing --------------------------------------------------------------------


def first_difference(a, b):
    for n, (x, y) in enumerate(zip(a.split("\n"), b.split("\n"))):
        if x != y:
            return f"line {n + 1}: {x!a:.300} is not {y!a:.300}"
    return f"{len(a)} and {len(b)} characters"


def write(what, value, wanted, *settings):
    source, target = WORK / "value.pkl", WORK / "value.yaml"
    source.write_bytes(pickle.dumps(value, 2))
    code, said = ferry(source, target, *settings)
    check(f"{what}: {said}", code == 0)
    if code == 0:
        made = target.read_bytes().decode()
        check(f"{what}: {first_difference(made, wanted)}", made == wanted)


def to_yaml(value):
    return OmegaConf.to_yaml(OmegaConf.create(value, flags={"allow_objects": True}))


def held(strings):
    """Those OmegaConf takes: an interpolation must be a lawful one."""
    for s in strings:
        try:
            OmegaConf.create([s])
            yield s
        except Exception:
            pass


def write_omegaconf():
    texts = list(held(strings()))
    write("omegaconf list", texts, to_yaml(texts))
    write("omegaconf dict", {f"k{i}": s for i, s in enumerate(texts)}, to_yaml({f"k{i}": s for i, s in enumerate(texts)}))
    write("omegaconf keys", dict.fromkeys(texts, 1), to_yaml(dict.fromkeys(texts, 1)))
    nested = {s: {"in": [s, {"deep": s, s: [s]}, [[s], {}], []]} for s in texts[:1500]}
    write("omegaconf nested", nested, to_yaml(nested))
    numbers = list(floats()) + INTS + [None, True, False]
    write("omegaconf numbers", numbers, to_yaml(numbers))
    keys = dict.fromkeys([*INTS, *(f for f in floats() if f == f), True, False], "x")
    write("omegaconf number keys", keys, to_yaml(keys))
    write("omegaconf bytes", {"a": BYTES, "b": dict(enumerate(BYTES)), "c": [BYTES]}, to_yaml({"a": BYTES, "b": dict(enumerate(BYTES)), "c": [BYTES]}))
    write("omegaconf byte keys", dict.fromkeys(BYTES, 1), to_yaml(dict.fromkeys(BYTES, 1)))
    paths = {"p": pathlib.PosixPath("/a/b c"), "q": [pathlib.PosixPath("rel/x")], "e": pathlib.PosixPath("")}
    write("omegaconf paths", paths, to_yaml(paths))
    for value in ({}, [], {"a": {}}, [[]], [[], {}], [[[1]]], {"a": [[1, 2], [3, {"b": 4}]]}):
        write(f"omegaconf {value}", value, to_yaml(value))
    leaves = texts + INTS + [0.5, 1e-5, None, True]
    for i in range(40):
        value = {"root": tree(7, leaves, texts + [1, 2.5, True])}
        write(f"omegaconf tree {i}", value, to_yaml(value))


def write_pyyaml():
    texts = strings() + ["\ud800", "a\udfffb"]
    for sort in (True, False):
        how = ("style=pyyaml", f"sort-keys={'yes' if sort else 'no'}")

        def dump(value):
            return yaml.safe_dump(value, sort_keys=sort)

        for name, value in {"list": texts, "keys": dict.fromkeys(texts, 1), "numbers": [*floats(), *INTS], "dates": DATES, "date keys": dict.fromkeys(DATES[:2], DATES),
                            "number keys": dict.fromkeys([3, 1.5, -7, 2 ** 40, 2.5], 0), "mixed keys": {"b": 1, 3: 2, None: 3}, "bytes": BYTES,
                            "byte keys": {b"b": 1, b"a": 2, b"": 3}, "sets": [{"one"}, set(), {"k": {3}}]}.items():
            write(f"pyyaml {name} sorted={sort}", value, dump(value), *how)
        shared, inner = {"x": [1, 2]}, [3]
        value = {"b": shared, "a": [shared, inner], "c": {"d": inner, "e": (), "f": [(), ()]}, "day": [DATES[0], DATES[0]]}
        write(f"pyyaml aliases sorted={sort}", value, dump(value), *how)
        loop = {"name": "loop"}
        loop["self"] = loop
        loop["list"] = [loop, [loop["list"] if "list" in loop else 1]]
        write(f"pyyaml cycle sorted={sort}", loop, dump(loop), *how)
        leaves = texts + INTS + [0.5, 1e-5, None, True, *DATES, b"abc"]
        for i in range(20):
            value = tree(7, leaves, texts)
            write(f"pyyaml tree {i}", value, dump(value), *how)
    for value in ("a", "", "a\nb", 1, None, 1.5, [], {}, b"x", {"x"}, DATES[0], "x" * 90 + " y z"):
        write(f"pyyaml root {value!r}", value, yaml.safe_dump(value), "style=pyyaml")


# ---- reading --------------------------------------------------------------------


def load_omegaconf(text):
    return OmegaConf.to_container(OmegaConf.create(text))


READERS = {"pyyaml": (yaml.safe_load, image), "omegaconf": (load_omegaconf, plain_image)}


def read(what, text, schema):
    load, show = READERS[schema]
    source, target = WORK / "text.yaml", WORK / "text.pkl"
    source.write_bytes(text if isinstance(text, bytes) else text.encode())
    try:
        wanted = show(load(text))
    except RecursionError:
        return
    except Exception as e:
        wanted = None
        why = f"{type(e).__name__}: {e}"
    code, said = ferry(source, target, f"schema={schema}")
    if wanted is None:
        check(f"{schema} {what}: taken, but refused there: {why:.200}", code in (1, 3))
        return
    check(f"{schema} {what}: {said}", code == 0)
    if code == 0:
        with open(target, "rb") as f:
            made = show(pickle.load(f))
        at = next((i for i, (x, y) in enumerate(zip(made, wanted)) if x != y), 0)
        check(f"{schema} {what}: {made[max(0, at - 60):at + 200]} is not {wanted[max(0, at - 60):at + 200]}", made == wanted)


def lawful(lines, schema):
    """The lines that load as items of a list, and those that don't."""
    good, bad = [], []
    for line in lines:
        try:
            load = READERS[schema][0](f"- {line}\n")
            (good if isinstance(load, list) and len(load) == 1 else bad).append(line)
        except Exception:
            bad.append(line)
    return good, bad


def number_texts():
    yield from WORDS
    parts = ["0", "1", "9", "_", ".", "e", "E", "+", "-", ":", "x", "b", "7", "60", "inf", "5e+3", "T", "Z", " "]
    for n in (2, 3, 4):
        for _ in range(2500):
            yield "".join(RANDOM.choice(parts) for _ in range(n))
    for _ in range(3000):
        yield "".join(RANDOM.choice("0123456789_.eE+-:xbo") for _ in range(RANDOM.randrange(1, 9)))
    for f in floats():
        yield repr(f)
    for d in itertools.product(("2020", "0000", "200", "9999"), ("-1", "-01", "-13"), ("-1", "-31", "-00", "-29"), ("", "T1:02:03", " 1:02:03.5", "t01:02:03Z", "  1:02:03 +5", " 24:00:00", " 1:2:3", " 1:02:03.1234567-05:30", " 1:02:03+25")):
        yield "".join(d)


TAGGED = """!!str 1|!!str|!!str ~|!!int "12"|!!int "0o17"|!!int "0x1f"|!!int "-0b101"|!!int " 12 "|!!int "1:30"|!!int abc|!!int ""|!!int "+"|!!int "08"|!!int "1.5"|!!int "1_0"
!!float 12|!!float "1e5"|!!float "inf"|!!float "nan"|!!float "-.inf"|!!float abc|!!float "1:30"|!!float "1:30.5"|!!float "_1_"|!!float ""|!!float " 1.5 "|!!float "1e"|!!float "+-1"
!!bool yes|!!bool "ON"|!!bool maybe|!!bool ""|!!null ""|!!null abc|!!null [1]|!!binary aGVsbG8=|!!binary "aGVs bG8="|!!binary aGVsbG8|!!binary a|!!binary "a==="|!!binary "é"|!!binary "=aGVsbG8="
!!binary ""|!!binary "aG=VsbG8="|!!timestamp 2020-01-01|!!timestamp "2020-1-1"|!!timestamp abc|!!timestamp "2020-02-30"|!!set {a, b, a}|!!set {}|!!set [a]|!!set {a: 1}|!!set a|!!omap [a: 1, b: 2]
!!omap {a: 1}|!!omap [a]|!!omap [{a: 1, b: 2}]|!!omap []|!!pairs [a: 1, a: 2]|!!pairs [[a]]|!!seq [1]|!!seq {a: 1}|!!seq a|!!map {a: 1}|!!map [a]|!!map a|! 12|! "12"|! [1]|! {a: 1}
!foo 1|!!python/name:os.system|!!python/tuple [1]|!!python/object/apply:os.system ["id"]|!!str {=: x}|!!int {=: "5"}|!!int {a: 1}|!!str [a]|!<tag:yaml.org,2002:int> "7"|!<tag:yaml.org,2002:str> 7
!!merge x|!!value x|=|<<|"="|"<<"|!!python/object/apply:pathlib.PosixPath [/, a]|!!python/object/apply:pathlib.PosixPath {a: 1}""".replace("\n", "|").split("|")
# What ferry takes and they refuse, or the other way round: see doc/formats/yaml.md.
KNOWN = {("pyyaml", "tabs"), ("omegaconf", "tabs"), ("pyyaml", "unknown directive"), ("omegaconf", "unknown directive"), ("omegaconf", "interpolation unterminated")}
FILES = {
    "comment": "# a\n", "null": "null", "marker": "---\n", "markers": "---\n...\n", "two": "a: 1\n---\nb: 2\n", "string": "abc", "number": "12", "list": "[1, a]", "bare dash": "-",
    "merge": "a: &a {x: 1, y: 2}\nb:\n  z: 0\n  <<: *a\n  y: 3\n", "merge tag": "a: &a {x: 1}\nb:\n  !!merge <<: *a\n  x: 2\n", "merge list": "a: &a {x: 1, y: 1}\nb: &b {y: 2, z: 2}\nc: {<<: [*a, *b], w: 0}\n",
    "merge twice": "a: &a {x: 1}\nb: &b {x: 2, y: 2}\nc: {<<: *a, <<: *b}\n", "merge deep": "a: &a {x: 1}\nb: &b {<<: *a, y: 2}\nc: {<<: *b, z: 3, x: 0}\n", "merge scalar": "a: {<<: 1}", "merge bad list": "a: {<<: [1]}",
    "merge quoted": "a: {'<<': {x: 1}}", "merge inline": "<<: {x: 1}\ny: 2\n", "merge empty": "a: {<<: {}, b: 1}", "merge empty list": "a: {<<: [], b: 1}", "merge in set": "!!set {<<: {a: 1}, b}",
    "merge in omap": "!!omap [<<: {a: 1}]", "value key": "{=: 1, a: 2}", "value key merge": "a: &a {=: 1}\nb: {<<: *a}",
    "duplicate": "a: 1\nb: 2\na: 3\n", "duplicate number": "1: a\n2: b\n1: c\n", "duplicate across": "1: a\n1.0: b\ntrue: c\n", "duplicate merged": "a: &a {x: 1}\nb: {<<: *a, x: 2, x: 3}",
    "alias": "a: &x [1, 2]\nb: *x\nc: {d: *x}\n", "alias scalar": "a: &x 12\nb: *x\n*x : c\n", "alias unknown": "a: *x", "alias later": "a: *x\nb: &x 1", "anchor twice": "a: &x 1\nb: &x 2\nc: *x",
    "cycle list": "&a [1, *a]", "cycle map": "&a {self: *a, x: [*a]}", "cycle pairs": "&a !!pairs [x: *a]", "null key": "~: 1\na: 2", "list key": "[1, 2]: 3", "map key": "{a: 1}: 2", "set key": "? !!set {a}\n: 1",
    "date key": "2020-01-01: 1", "bytes key": "!!binary YQ==: 1", "float key": "1.5: a\n.nan: b\n", "bool key": "true: a\noff: b\n", "empty key": ": 1", "empty value": "a:\nb:\n", "explicit key": "? a\n: b\n? c\n",
    "long key": "? " + "k" * 2000 + "\n: 1\n", "literal": "a: |\n  x\n   y\n\n  z\nb: >\n  x\n  y\n\n  z\nc: |-\n  x\nd: |+\n  x\n\ne: >-\n  x\n", "literal indent": "a: |2\n   x\n  y\n",
    "folded quotes": "a: 'x\n  y\n\n  z'\nb: \"x\\\n   y\n  z\\n\"\n", "escapes": '"\\0\\a\\b\\t\\n\\v\\f\\r\\e\\"\\\\\\N\\_\\L\\P\\x41\\u00e9\\U0001F600\\/"', "bad escape": '"\\q"', "plain folds": "a: x\n  y\n\n  z\n",
    "tabs": "a:\t1\nb: [1,\t2]\n", "tab indent": "a:\n\tb: 1\n", "crlf": "a: 1\r\nb:\r\n- x\r\n- |\r\n  y\r\n", "bom": "\ufeffa: 1\n", "utf-16": "a: \u00e9\n".encode("utf-16"), "utf-16 be": b"\xfe\xff" + "a: 1\n".encode("utf-16-be"),
    "nel": "a: x\x85b: y\n", "control": "a: \x01", "not utf-8": b"a: \xff\n", "directive": "%YAML 1.1\n---\na: 1\n", "tag directive": "%TAG !e! tag:yaml.org,2002:\n---\na: !e!int '5'\n", "unknown directive": "%FOO bar\n---\na: 1\n",
    "urls": "a: http://x.y/z?a=b#c\nb: [http://x.y, a:b]\n", "flow": "{a: [1, {b: c}], 'd': \"e\", f, ? g : h, i: }", "flow comments": "[1, # a\n 2]", "unclosed": "[1, 2", "unclosed quote": "a: 'x", "bad indent": "a:\n  - 1\n b: 2\n",
    "bad dash": "a: - 1", "colon": "a: b: c", "at": "a: @b", "percent": "a: %b", "comma": "[a, , b]", "block in flow": "[- a]", "indentless": "a:\n- 1\n- 2\nb:\n  - 3\n", "nested dashes": "- - 1\n  - 2\n-\n  - 3\n- \n",
    "dash map": "- a: 1\n  b: 2\n-  c: 3\n", "anchors on collections": "a: &l\n- 1\nb: &m\n  c: *l\nd: *m\n", "deep": "[" * 200 + "]" * 200, "sets shared": "a: &s !!set {x}\nb: *s\n", "date": "a: 2020-01-01\nb: 2001-12-14 21:59:43.1 -5\n",
    "interpolation": "a: ${b}\nb: ${c.d}\nc: {d: '${env:X}'}\n", "interpolation unterminated": "a: ${b", "missing": "a: ???", "yaml 1.2 octal": "a: 0o17", "document end": "a: 1\n...\n", "content after end": "a: 1\n...\nb: 2\n",
}


def read_all():
    for schema in READERS:
        numbers = [t for t in dict.fromkeys(number_texts()) if t.strip() == t and t]
        good, bad = lawful(numbers, schema)
        read("plain scalars", "".join(f"- {t}\n" for t in good), schema)
        for text in RANDOM.sample(bad, min(60, len(bad))):
            read(f"refused {text!r}", f"- {text}\n", schema)
        good, bad = lawful(TAGGED, schema)
        read("tagged", "".join(f"- {t}\n" for t in good), schema)
        for text in bad:
            read(f"refused {text!r}", f"- {text}\n", schema)
        for name, text in FILES.items():
            if (schema, name) in KNOWN or (schema == "omegaconf" and name.startswith("utf-16")):
                continue
            read(name, text, schema)
        good, bad = lawful([repr(s).replace("\n", "") for s in strings()[:2000]], schema)
        read("python strings", "".join(f"- {t}\n" for t in good), schema)


def read_back():
    texts = list(held(strings()))
    for i in range(20):
        value = {"root": tree(7, texts + INTS + [0.5, 1e-5, None, True], texts)}
        read(f"to_yaml tree {i}", to_yaml(value), "omegaconf")
        read(f"safe_dump tree {i}", yaml.safe_dump(value), "pyyaml")
        read(f"flow tree {i}", yaml.safe_dump(value, default_flow_style=True), "pyyaml")
    read("to_yaml strings", to_yaml(texts), "omegaconf")
    read("safe_dump strings", yaml.safe_dump(strings()), "pyyaml")
    read("safe_dump unicode", yaml.safe_dump(strings(), allow_unicode=True), "pyyaml")
    read("safe_dump double", yaml.safe_dump(strings(), default_style='"'), "pyyaml")
    read("safe_dump literal", yaml.safe_dump(strings(), default_style="|"), "pyyaml")
    read("safe_dump folded", yaml.safe_dump(strings(), default_style=">"), "pyyaml")


def main():
    WORK.mkdir(parents=True, exist_ok=True)
    for part in (write_omegaconf, write_pyyaml, read_all, read_back):
        before = checks
        part()
        print(f"{part.__name__}: {checks - before} checks", flush=True)
    print(f"PyYAML {yaml.__version__}, OmegaConf: {checks} checks, {failures} failed")
    return failures != 0


if __name__ == "__main__":
    sys.exit(main())
