"""Commands and their times, as ratios."""
import os
import pathlib
import subprocess
import sys
import time

ROUNDS = 5


def run(*command):
    """Seconds and peak resident KiB of a command."""
    start = time.perf_counter()
    process = subprocess.Popen([str(c) for c in command], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL)
    stderr = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{' '.join(map(str, command))}: exit {process.returncode}: {stderr.decode()[:500]}")
    return seconds, usage.ru_maxrss


def command(*words, after=()):
    def go():
        for path in after:
            pathlib.Path(path).unlink(missing_ok=True)
        return run(*words)[0]
    return go


def best(*contenders, rounds=ROUNDS):
    times = [[] for _ in contenders]
    for contender in contenders:
        contender()
    for _ in range(rounds):
        for i, contender in enumerate(contenders):
            times[i].append(contender())
    return [min(t) for t in times]


def report(what, ours, theirs, peer, wanted, size=None):
    ratio = theirs / ours
    rate = f"  ({size / ours / 1e9:.2f} GB/s)" if size else ""
    verdict = "" if wanted is None else f"  wanted {wanted:g}  {'ok' if ratio >= wanted else 'MISSED'}"
    print(f"{what:58} {ratio:7.2f} x {peer}{verdict}{rate}", flush=True)


def inner(code):
    def go():
        return float(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)
    return go
