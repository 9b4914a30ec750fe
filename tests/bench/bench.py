"""Ferry against named peers, in one run, as ratios.

usage: bench.py FERRY PICKLE-LOAD CONVERT-MANY WORK-DIR MEGABYTES [ONLY]

Times are the best of several, taken in turns after one that does not count; the
cache is warm.  Ratios above 1 are in ferry's favour.  The peers run inside
their own process, import time left out, except where a line says "process".
"""
import os
import pathlib
import pickle
import random
import shutil
import subprocess
import sys
import time

import migrations
from timing import ROUNDS, best, command, inner, peak, report, run

FERRY, PICKLE_LOAD, CONVERT_MANY = sys.argv[1:4]
WORK = pathlib.Path(sys.argv[4])
MEGABYTES = int(sys.argv[5])


# Made in a process of its own: a child's peak memory is never reported as
# less than its parent's was when it was forked.
def save(path, megabytes, n=300):
    inner(f"""
import torch
each = {megabytes} * (1 << 20) // 4 // {n}
generator = torch.Generator().manual_seed(1)
torch.save({{f"module.layer.{{i}}.weight": torch.randn(each, generator=generator) for i in range({n})}}, {str(path)!r})
print(0)""")()


def save_small(path, n):
    inner(f"""
import torch
torch.save({{f"layer.{{i}}.weight": torch.zeros(4) for i in range({n})}}, {str(path)!r})
print(0)""")()


def torch_to_safetensors(source, target):
    code = f"""
import time, torch
from safetensors.torch import save_file
t = time.perf_counter()
save_file(torch.load({str(source)!r}, mmap=True, weights_only=True), {str(target)!r}, metadata={{"format": "pt"}})
print(time.perf_counter() - t)"""
    return inner(code)


def torch_cast(source, target):
    code = f"""
import time, torch
t = time.perf_counter()
state = torch.load({str(source)!r}, mmap=True, weights_only=True)
torch.save({{k: v.to(torch.bfloat16) for k, v in state.items()}}, {str(target)!r})
print(time.perf_counter() - t)"""
    return inner(code)


def copies():
    source, st, back = WORK / "a.pt", WORK / "a.safetensors", WORK / "b.pt"
    save(source, MEGABYTES)
    size = source.stat().st_size
    copy = WORK / "copy"
    run(FERRY, "convert", "-q", "--overwrite", source, st)
    shutil.copyfile(source, copy)
    cp = command("cp", source, copy, after=[copy])
    cp_sync = command("sh", "-c", f"cp {source} {copy} && sync -d {copy}", after=[copy])

    def ferry(a, b, *options):
        return command(FERRY, "convert", "-q", "--overwrite", a, b, *options, after=[b])

    # Each beside its own reference: what a write costs depends on what was
    # written and deleted before it.
    for what, ours in ((".pt -> .safetensors", ferry(source, st, "--no-sync")),
                       (".safetensors -> .pt", ferry(st, back, "--no-sync")),
                       (".pt -> .pt, prefix stripped", ferry(source, back, "--no-sync", "--strip-prefix", "module."))):
        run("sync", "-f", source)
        time_ours, reference = best(ours, cp)
        back.unlink(missing_ok=True)
        report(what, time_ours, reference, "cp", 0.9, size)
    there_sync, reference_sync = best(ferry(source, st), cp_sync, rounds=2)
    report(".pt -> .safetensors, both synced to disk", there_sync, reference_sync, "cp and sync", 0.9, size)
    ours, theirs = best(ferry(source, st, "--no-sync"), torch_to_safetensors(source, WORK / "peer.safetensors"), rounds=2)
    report(".pt -> .safetensors", ours, theirs, "torch.load(mmap) + save_file", 3, size)
    ours, theirs = best(ferry(source, back, "--no-sync", "--cast", "bfloat16"), torch_cast(source, WORK / "peer.pt"), rounds=2)
    report("float32 -> bfloat16, .pt -> .pt", ours, theirs, "torch doing the same", 2, size)
    for path in WORK.iterdir():
        path.unlink()


def memory():
    peaks = {}
    sizes = [m for m in (512, 1024, 2048, 4096) if m <= 2 * MEGABYTES]
    for megabytes in sizes:
        source, target = WORK / "m.pt", WORK / "m.safetensors"
        save(source, megabytes, 100)
        peaks[megabytes] = max(peak(FERRY, "convert", "-q", "--overwrite", source, target, "--no-sync"),
                               peak(FERRY, "convert", "-q", "--overwrite", target, source, "--no-sync"),
                               peak(FERRY, "convert", "-q", "--overwrite", source, target, "--no-sync", "--cast", "bfloat16"))
        source.unlink()
        target.unlink()
    text = ", ".join(f"{m} MiB: {k / 1024:.1f}" for m, k in peaks.items())
    flat = max(peaks.values()) <= 64 * 1024 and (len(peaks) < 2 or max(peaks.values()) < 1.2 * min(peaks.values()))
    print(f"{'peak memory in MiB by size of the model':58} {text}  wanted <= 64, flat  {'ok' if flat else 'MISSED'}", flush=True)


def inspect():
    source = WORK / "ten.pt"
    save_small(source, 10000)
    code = f"import torch; torch.load({str(source)!r})"
    ours, theirs = best(command(FERRY, "inspect", source), command(sys.executable, "-c", code), rounds=3)
    report("inspect 10,000 tensors", ours, theirs, "python -c torch.load, process", 50)
    # Both beyond what caches hold, else the smaller one is flattered.
    times = {}
    for n in (50000, 200000):
        save_small(source, n)
        times[n] = best(command(FERRY, "convert", "-q", "--overwrite", "--no-sync", source, WORK / "ten.safetensors"), rounds=3)[0]
    growth = times[200000] / times[50000]
    print(f"{'200,000 tensors against 50,000':58} {growth:7.2f} x the time  wanted <= 5 (4 is linear)  {'ok' if growth <= 5 else 'MISSED'}", flush=True)
    for path in WORK.iterdir():
        path.unlink()


def objects():
    r = random.Random(4)
    items = [{"id": i, "name": f"item {i % 5000}", "score": r.random(), "tags": [i % 7, None, True], "pair": (i, "x")} for i in range(170000)]
    for protocol in (2, 4):
        path = WORK / "objects.pkl"
        path.write_bytes(pickle.dumps(items, protocol))

        def theirs():
            with open(path, "rb") as f:
                start = time.perf_counter()
                value = pickle.load(f)
                seconds = time.perf_counter() - start
            del value
            return seconds

        def ours():
            return float(subprocess.run([PICKLE_LOAD, str(path)], capture_output=True, text=True, check=True).stdout)

        import gc
        gc.disable()
        a, b = best(ours, theirs)
        gc.enable()
        report(f"1,000,000 small objects, protocol {protocol}", a, b, "pickle.load (collector off)", 1)
        path.unlink()


# A .pt with other names takes every tensor over.  Between the formats blocks
# rarely fall on blocks: a .safetensors has no room between tensors, and a .pt
# keeps them on multiples of 64; what lies so by chance is shared.
def extents(kind, mount, megabytes):
    source, st, back, copy = (mount / name for name in ("a.pt", "a.safetensors", "b.pt", "copy"))
    save(source, megabytes, 20)
    run(FERRY, "convert", "-q", source, st)
    for what, a, b, options, wanted in ((".pt -> .pt, prefix stripped", source, back, ("--strip-prefix", "module."), 10),
                                        (".safetensors -> .pt", st, back, (), None),
                                        (".pt -> .safetensors", source, st, (), None)):
        run("sync", "-f", source)
        ours, theirs = best(command(FERRY, "convert", "-q", "--no-sync", a, b, *options, after=[b]),
                            command("cp", "--reflink=never", a, copy, after=[copy]))
        report(f"{what}, shared extents on {kind}", ours, theirs, "cp --reflink=never", wanted)


def shared_extents():
    if os.geteuid():
        print("shared extents: SKIPPED, mounting needs root")
        return
    megabytes = min(MEGABYTES, 1024)
    for kind, make in (("xfs", ["mkfs.xfs", "-q"]), ("btrfs", ["mkfs.btrfs", "-q"])):
        image, mount = WORK / f"{kind}.img", WORK / kind
        if not shutil.which(make[0]):
            print(f"shared extents on {kind}: SKIPPED, no {make[0]}")
            continue
        mount.mkdir(exist_ok=True)
        with open(image, "wb") as f:
            f.truncate((megabytes * 6 + 600) << 20)
        if subprocess.run([*make, str(image)], capture_output=True).returncode or \
                subprocess.run(["mount", "-o", "loop", str(image), str(mount)], capture_output=True).returncode:
            print(f"shared extents on {kind}: SKIPPED, it can't be mounted here")
            continue
        try:
            extents(kind, mount, megabytes)
        finally:
            subprocess.run(["umount", str(mount)])
            image.unlink()


def clear():
    for mount in WORK.glob("*"):
        if mount.is_mount():
            subprocess.run(["umount", str(mount)])
    shutil.rmtree(WORK, ignore_errors=True)


def main():
    clear()
    WORK.mkdir(parents=True)
    print(f"{MEGABYTES} MiB, {os.cpu_count()} cores, best of {ROUNDS}")
    rows = {"copies": copies, "memory": memory, "inspect": inspect, "objects": objects, "shared": shared_extents,
            "migrate": lambda: migrations.all_of(FERRY, CONVERT_MANY, WORK, MEGABYTES)}
    try:
        for name in sys.argv[6:] or rows:
            rows[name]()
    finally:
        clear()


if __name__ == "__main__":
    main()
