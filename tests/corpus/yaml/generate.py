#!/usr/bin/env python3
"""Make this corpus with the PyYAML 6.0 and OmegaConf 2.3 of the interpreter that runs it.

    generate.py DIRECTORY [FUZZ-DIRECTORY]

omegaconf.yaml and pyyaml.yaml are what OmegaConf.to_yaml and yaml.safe_dump
write; read and written again they must come out the same.  scalars.tsv has a
plain or tagged scalar a line, and what either library reads it as ("-" where it
refuses).  load.yaml and load.sorted.yaml are a configuration with merge keys
and what is left of it after safe_load, dump without aliases, safe_load.
"""
import datetime
import pathlib
import sys

import yaml
from omegaconf import OmegaConf

out = pathlib.Path(sys.argv[1])

STRINGS = [
    "y", "No", "true", "null", "~", "", "1", "01", "08", "1_000", "+1", "1e5", ".5", "1.", "inf", "-nan", "infinity", "12e03", "0x1F", "0b1", "0o17", "1:30", "2020-01-01", "=", "<<",
    "0x", "0b2", "1e", "e5", "_1", "none", ".", "..", "~a", "==", "<", "???", "${a.b}", "a,b", "a]", "100%", "-a", "C:\\x", "it's", "#a", ", a", "- x", "? x", "x: y", "x #y", "x:", "---", "...x",
    " a", "a ", "a\nb", "a\n", "\n", "a\n b", "a \nb", "\ta", "a\rb", "\x00\x07\x1b\x7f", "a\u2028b", "\ufeff", "\u200b\xa0\u00e9\u4f60", "\U0001f600", "a\x01\U0001f600 b", "\u0661", "\xa01",
    "a" * 77 + " bb cc", "a" * 78 + " bb cc", "a" * 90 + "  b c", "it's " * 30, "tab\t " * 30, "\u00e9 " * 60, "a b\n" * 30, "k" * 122, "k" * 123, "word " * 40 + "\\", "\x01" * 60,
]
NUMBERS = [0, -1, 2 ** 63, -2 ** 70, 10 ** 40, 0.0, -0.0, 0.1, 1e-5, 0.0001, 1e15, 1e16, 1.5e300, 5e-324, 2.0 ** -44, 1.7976931348623157e308, float("inf"), float("-inf"), float("nan"), None, True, False]
NESTED = {"empty": {}, "none": [], "lists": [[1, [2, 3], []], [{"a": 1, "b": [{"c": {}}]}]], "deep": {"a": {"b": {"c": ["x", {"d": ["y"]}]}}}, 1: "int", 2.5: "float", True: "bool"}
SCALARS = """0 1 -1 +1 00 017 08 0_ 1_000 1__0 _1 0o17 0b101 -0b11 0b2 0x1F 0xfg 1:30 12:30:45 1:70 190:20:30.15 9223372036854775808 -18446744073709551616 0xffffffffffffffffffff
1. .5 1.5e3 1.5e+3 1e5 1E5 1e-3 12e03 1_0.5 1_0e5 ._1 .5e3 .5e+3 +.5 -.5 1e400 .inf -.INF +.Inf .nan .NaN nan inf 5e-324 1.2.3 1._5e3
yes No ON off True FALSE tRUE y n null Null ~ nULL 2020-01-01 2020-1-1 2001-12-14t21:59:43.10-05:00 2001-12-14T1:02:03Z 2020-13-01 == = << a:b http://x/y?z#w -a ?a :a
!!str 1|!!int "12"|!!int "0o17"|!!int abc|!!float 12|!!float "1:30"|!!bool "ON"|!!bool x|!!null x|!!binary aGk=|!!binary aGk|!!timestamp "2020-1-1"|!!timestamp x|! 12|! "12"|!foo 1|!!python/name:os.system|!!str {=: x}""".split("\n")
SCALARS = " ".join(SCALARS[:3]).split() + SCALARS[3].split("|")
CONFIG = """\
# anchors, aliases, merge keys in both spellings
input_val:
  audio_dataset: &val_dataset
    sample_rate: &sample_rate 16000
    trim_silence: false
    replacements:
    error_rate: word
  filterbank_features: &val_features {window_size: 0.025, dither: 0.00001, sample_rate: *sample_rate}
input_train:
  audio_dataset:
    !!merge <<: *val_dataset
    trim_silence: true
    max_duration: 16.7
  filterbank_features: *val_features
again:
  <<: [*val_dataset, {error_rate: char, extra: [1, b]}]
  zero: 0
labels: [" ", y, n, "'", null]
"""
FUZZ = {
    "config": CONFIG, "strings": yaml.safe_dump(STRINGS), "dates": "a: 2020-01-01\nb: &d 2001-12-14 21:59:43.1 -5\nc: *d\n? !!set {a, b}\n: 1\n", "sets": "!!set {a, b, 1}", "pairs": "- !!omap [a: 1, b: 2]\n- !!pairs [a: 1, a: 2]\n",
    "cycle": "&a {self: *a, list: &l [*l, *a]}", "binary": "a: !!binary |\n  aGVsbG8gd29ybGQ=\n", "flow": "{a: [1, {b: c}], 'd': \"e\\n\", f, ? g : h}", "blocks": "a: |\n  x\n   y\n\nb: >-\n  x\n  y\nc: |+\n  x\n\n",
    "merge self": "a: &a {<<: *a, x: 1}", "bomb": "a: &a [x]\n" + "".join(f"{chr(98 + i)}: &{chr(98 + i)} [{', '.join(['*' + chr(97 + i)] * 9)}]\n" for i in range(8)),
    "merge bomb": "a: &a {x: 1}\n" + "".join(f"{chr(98 + i)}: &{chr(98 + i)} {{<<: [{', '.join(['*' + chr(97 + i)] * 9)}]}}\n" for i in range(8)), "numbers": "".join(f"- {s}\n" for s in SCALARS if s.isprintable() and s[0] != "!"),
    "tags": "%TAG !e! tag:yaml.org,2002:\n---\na: !e!int '5'\nb: !<tag:yaml.org,2002:str> 7\n", "utf16": "a: \u00e9\n".encode("utf-16"), "sixty": "- 99:59:59:59:59:59:59:59:59:59:59:59:59:59\n- 1:2:3:4:5.5\n",
}


def what(text, load):
    try:
        [value] = load(f"- {text}\n")
    except Exception:
        return "-"
    if value is None or isinstance(value, bool):
        return str(value)
    if isinstance(value, float):
        return "float " + yaml.safe_dump([value])[2:].strip()
    if isinstance(value, (bytes, datetime.date)):
        return f"{type(value).__name__} {value.hex() if isinstance(value, bytes) else value}"
    return f"{type(value).__name__} {value}"


class Unshared(yaml.SafeDumper):
    def ignore_aliases(self, data):
        return True


def main():
    value = {"strings": STRINGS, "keys": {s: i for i, s in enumerate(STRINGS)}, "numbers": NUMBERS, "bytes": [b"", b"hi", bytes(range(256))], "nested": NESTED, "paths": [pathlib.PosixPath("/a/b")]}
    (out / "omegaconf.yaml").write_bytes(OmegaConf.to_yaml(OmegaConf.create(value)).encode())
    del value["paths"]
    shared = {"x": [1, 2]}
    value.update(shared=[shared, shared], sets=[{"one"}, set()], dates=[datetime.date(2020, 1, 2), datetime.datetime(2001, 2, 3, 4, 5, 6, 70, datetime.timezone(datetime.timedelta(hours=-5)))], more=["a\x85b"])
    value["loop"] = [value["nested"]]
    value["nested"]["loop"] = value["loop"]
    (out / "pyyaml.yaml").write_bytes(yaml.safe_dump(value, sort_keys=False).encode())
    rows = [(s, what(s, yaml.safe_load), what(s, lambda t: OmegaConf.to_container(OmegaConf.create(t)))) for s in SCALARS]
    (out / "scalars.tsv").write_text("".join("\t".join(r) + "\n" for r in rows))
    (out / "load.yaml").write_text(CONFIG)
    (out / "load.sorted.yaml").write_text(yaml.dump(yaml.safe_load(CONFIG), Dumper=Unshared))
    for name, text in FUZZ.items() if len(sys.argv) > 2 else ():
        path = pathlib.Path(sys.argv[2]) / (name.replace(" ", "-") + ".yaml")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())


main()
