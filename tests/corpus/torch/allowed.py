"""Compare the allow-list in formats/torch/allowed.c with the running torch's.

    allowed.py formats/torch/allowed.c
"""
import re
import sys

import torch
import torch._weights_only_unpickler as unpickler

release = "TORCH_" + "_".join(torch.__version__.split(".")[:2])
with open(sys.argv[1]) as f:
    rows = re.findall(r'\{ "([\w.]+)", (BOTH|TORCH_\w+) \}', f.read())
ours = {name for name, which in rows if which in ("BOTH", release)}
theirs = set(unpickler._get_allowed_globals())
for name in sorted(ours - theirs):
    print("only in ferry:", name)
for name in sorted(theirs - ours):
    print("only in torch:", name)
print(release, len(ours), "names")
sys.exit(ours != theirs)
