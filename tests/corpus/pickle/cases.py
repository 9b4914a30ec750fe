#!/usr/bin/env python3
"""Write the inputs of this corpus: valid/<case>/input and invalid/<case>/input.

The expectations beside them are written by the test itself when
FERRY_UPDATE_CORPUS is set, and are to be read before they are kept.
"""
import collections
import os
import pickle
import struct
import sys

VALUES = {
    "none": None,
    "bools": [True, False],
    "ints": [0, 1, -1, 255, 256, 65535, 65536, 2**31 - 1, 2**31, -2**31,
             -2**31 - 1, 2**63 - 1, 2**63, -2**63 - 1, 2**80, -2**2100],
    "floats": [0.0, -0.0, 1.5, -1e300, 5e-324, float("inf"), float("-inf")],
    "strings": ["", "a", "é€\U0001f600", "\ud800", "line\nbreak\\u0041\0",
                "x" * 300],
    "bytes": [b"", b"abc", bytes(range(256)), b"\xff" * 300],
    "bytearrays": [bytearray(), bytearray(b"ab\xff")],
    "tuples": [(), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4)],
    "complex": 1.5 - 2j,
    "sets": [set(), {1}, frozenset(), frozenset([1])],
    "dict": {"a": 1, 2: "b", (3, "c"): None, b"d": 4.0, None: []},
    "ordered-dict": collections.OrderedDict([("b", 1), ("a", 2)]),
    "defaultdict": collections.defaultdict(list, {"k": [1]}),
    "counter": collections.Counter("aab"),
    "deque": collections.deque([1, 2], 5),
    "builtins": [int, str, range(1, 9, 2), slice(1, None), Ellipsis,
                 type(None), ValueError, len],
}


def shared():
    part = [1]
    return [part, part, {"k": part}]


def cycle():
    loop = [1]
    loop.append(loop)
    pair = {"self": None}
    pair["self"] = pair
    loop.append(pair)
    return loop


def tuple_cycle():
    inner = []
    outer = (inner, 1, 2, 3)
    inner.append(outer)
    return outer


def state():
    value = collections.OrderedDict(w=1)
    value._metadata = collections.OrderedDict({"": {"version": 1}})
    return value


VALUES.update({"shared": shared(), "cycle": cycle(),
               "tuple-cycle": tuple_cycle(), "state": state()})


def text(opcode, data):
    return opcode + struct.pack("<I", len(data)) + data


VALID = {
    "python2-string": b"U\x03abc.",
    "python2-string-long": b"T\x03\0\0\0ab\xff.",
    "python2-string-quoted": b"S'a\\'\\x41\\n\\101\\q'\n.",
    "python2-instance": b"(i__main__\nPoint\np0\n(dp1\nS'x'\nI1\nsb.",
    "python2-instance-obj": b"(c__main__\nPoint\nK\x01K\x02o}U\x01xK\x01sb.",
    "python2-ordered-dict":
        b"\x80\x02ccollections\nOrderedDict\n](](U\x01aK\x01ee\x85R.",
    "unicode-escapes": b"Va\\u20ac\\U0001f600\\\\u0041\xe9\n.",
    "int-forms": b"(I01\nI00\nI1\nI0x10\nI-7\nL5\nL5L\n"
                 b"L123456789012345678901234567890L\nl.",
    "float-forms": b"(F1.5\nF-inf\nFnan\nF1e3\nl.",
    "long-of-no-bytes": b"\x80\x02\x8a\x00.",
    "mark-list-dict": b"((K\x01K\x02l(K\x03K\x04dt.",
    "pop-and-dup": b"K\x01K\x02" + b"0" + b"2\x86.",
    "pop-takes-mark": b"(K\x01(0l.",
    "pop-mark": b"K\x01(K\x02K\x031.",
    "persistent-text": b"Pid 7\n.",
    "persistent": b"(K\x01X\x01\0\0\0atQ.",
    "extension": b"(\x82\x05\x83\x00\x01\x84\x01\x02\x03\x04l.",
    "newobj-ex": b"\x80\x04c__main__\nC\n(K\x01t}(\x8c\x01kK\x02u\x92.",
    "stack-global": b"\x80\x04\x8c\x03mod\x8c\x05A.B.C\x93.",
    "stack-global-below-4": b"\x80\x02X\3\0\0\0modX\4\0\0\0na\nm\x93.",
    "renamed-module": b"\x80\x02c__builtin__\nxrange\n.",
    "not-renamed-at-4": b"\x80\x04cQueue\nQueue\n.",
    "frame-ends-late": b"\x80\x04\x95\x02\0\0\0\0\0\0\0N.",
    "duplicate-keys": b"}(K\x01K\x0aK\x02K\x0bK\x01K\x0cG\x40\0\0\0\0\0\0\0"
                      b"\x88\x88Nu.",
    "state-twice": b"\x80\x02cm\nC\n)\x81}b]b.",
    "state-first": b"\x80\x02cm\nC\n)\x81}bK\x01a.",
    "state-between-items": b"\x80\x02cm\nC\n)\x81K\x01a}bK\x02a.",
    "dict-items-first": b"\x80\x02cm\nC\n)\x81K\x01K\x02sK\x03a.",
    "class-given-state": b"\x80\x02cm\nC\nN}\x86b.",
    "add-items": b"\x80\x04cm\nC\n)\x81(K\x01K\x02\x90.",
    "sparse-memo": b"\x80\x02Nr\xff\xff\xff\xff0]q\x05j\xff\xff\xff\xffa"
                   b"h\x05\x86.",
    "memo-overwritten": b"\x80\x02K\x01q\x00K\x02q\x00h\x00\x86.",
    "bytes-in-python3-text": b"\x80\x02c_codecs\nencode\nX\3\0\0\0a\xc3\xbf"
                             b"X\6\0\0\0latin1\x86R.",
    "encode-of-other-text": b"\x80\x02c_codecs\nencode\nX\3\0\0\0\xe2\x82\xac"
                            b"X\6\0\0\0latin1\x86R.",
    "set-of-shared-list": b"\x80\x02]q\x00(K\x01ec__builtin__\nset\n"
                          b"h\x00\x85R\x86.",
    "bytearray-of-text": b"\x80\x02c__builtin__\nbytearray\nX\1\0\0\0a"
                         b"X\7\0\0\0latin-1\x86R.",
    "bytearray8": b"\x80\x05\x96\x03\0\0\0\0\0\0\0abc.",
    "readonly-buffer": b"\x80\x05C\x03abc\x98.",
    "call-is-data": b"cposix\nsystem\n(Vecho hello\ntR.",
    "after-stop": b"K\x01.anything",
    "enum-by-getattr": b"\x80\x02c__builtin__\ngetattr\n"
                       b"cm\nColor\nX\3\0\0\0RED\x86R.",
    # what __reduce__ of six parts gives, and an object met in its arguments
    "state-by-call": b"\x80\x02cm\nC\n)Rq\x00cm\nset\nh\x00}\x86R0.",
    "state-by-call-shared": b"\x80\x02]q\x01(cm\nC\n)Rq\x00cm\nset\nh\x00}"
                            b"\x86R0h\x00e.",
    "state-and-call": b"\x80\x02cm\nC\n)Rq\x00}bcm\nset\nh\x00K\x01\x86R0.",
    "made-again": b"\x80\x02cm\nC\n]q\x00(cm\nC\nh\x00\x85Rq\x01e\x85R0"
                  b"h\x01.",
    "call-thrown-away": b"\x80\x02cm\nf\n)R0K\x01.",
    "reused-arguments": b"\x80\x02cm\nf\n(K\x01tq\x00R0cm\ng\nh\x00R.",
}

INVALID = {
    "empty": b"",
    "no-stop": b"\x80\x02K\x01",
    "unknown-opcode": b"\x80\x02\xff.",
    "html": b"<!DOCTYPE html>",
    "git-lfs-pointer": b"version https://git-lfs.github.com/spec/v1\n",
    "protocol-6": b"\x80\x06N.",
    "argument-cut": b"\x80\x02J\x01\x02",
    "string-longer-than-file": b"\x80\x02X\xff\xff\xff\x7fabc.",
    "bytes-longer-than-file": b"\x80\x04\x8e" + b"\xff" * 8 + b"abc.",
    "line-without-end": b"cmodule",
    "string-not-utf8": b"\x80\x02X\x02\0\0\0\xc3\x28.",
    "string-overlong": b"\x80\x02X\x02\0\0\0\xc0\x80.",
    "name-not-utf8": b"c\xff\nname\n.",
    "name-empty": b"c\n\n.",
    "negative-binstring": b"T\xff\xff\xff\xff.",
    "negative-long": b"\x8b\xff\xff\xff\xff.",
    "stack-empty": b".",
    "stack-underflow": b"\x80\x02K\x01\x86.",
    "below-the-mark": b"\x80\x02K\x01(\x85.",
    "no-mark": b"\x80\x02K\x01t.",
    "pop-of-nothing": b"0.",
    "memo-missing": b"\x80\x02h\x07.",
    "memo-index-text": b"gx\n.",
    "put-of-nothing": b"\x80\x02q\x00.",
    "dict-odd": b"(K\x01d.",
    "setitems-odd": b"}(K\x01u.",
    "unhashable-key": b"}]K\x01s.",
    "append-to-int": b"\x80\x02K\x01K\x02a.",
    "append-to-dict": b"\x80\x02}K\x02a.",
    "setitem-on-list": b"\x80\x02]K\x00K\x02s.",
    "additems-on-list": b"\x80\x04](K\x02\x90.",
    "build-on-list": b"\x80\x02]}b.",
    "call-of-int": b"\x80\x02K\x01)R.",
    "arguments-no-tuple": b"\x80\x02cm\nf\n]R.",
    "kwargs-no-dict": b"\x80\x04cm\nC\n)]\x92.",
    "obj-of-nothing": b"(o.",
    "stack-global-of-int": b"\x80\x04K\x01\x8c\x01a\x93.",
    "stack-global-computed": b"\x80\x04cm\nf\n)R\x8c\x01a\x93.",
    "frame-past-end": b"\x80\x04\x95\xff\0\0\0\0\0\0\0N.",
    "int-text": b"Iabc\n.",
    "long-text": b"L12x\n.",
    "long-digits": b"L" + b"9" * 30000 + b"L\n.",
    "float-text": b"F1.2.3\n.",
    "float-hex": b"F0x1p3\n.",
    "string-unquoted": b"Sabc\n.",
    "string-bad-escape": b"S'\\xZ'\n.",
    "unicode-bad-escape": b"V\\u12\n.",
    "extension-0": b"\x82\x00.",
    "extension-negative": b"\x84\xff\xff\xff\xff.",
    "persistent-not-ascii": b"P\xff\n.",
    "next-buffer": b"\x80\x05\x97.",
    "readonly-list": b"\x80\x05]\x98.",
}


def write(kind, name, data):
    folder = os.path.join(os.path.dirname(os.path.abspath(sys.argv[0])), kind,
                          name)
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "input"), "wb") as file:
        file.write(data)


for name, value in VALUES.items():
    for protocol in range(6):
        write("valid", "%s-protocol-%d" % (name, protocol),
              pickle.dumps(value, protocol))
for name, data in VALID.items():
    write("valid", name, data)
for name, data in INVALID.items():
    write("invalid", name, data)
