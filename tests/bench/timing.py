"""Commands and their times, as ratios."""
import pathlib
import subprocess
import sys
import time

ROUNDS = 5


# A program's peak counts that of the process that starts it (see getrusage(2)):
# a small one does.
LAUNCHER = """
import os, sys
pid = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ)
_, status, usage = os.wait4(pid, 0)
print(usage.ru_maxrss)
sys.exit(os.waitstatus_to_exitcode(status))
"""


def run(*command):
    """Seconds of a command."""
    words = [str(c) for c in command]
    start = time.perf_counter()
    done = subprocess.run(words, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL)
    seconds = time.perf_counter() - start
    check(words, done)
    return seconds


def peak(*command):
    """Peak resident KiB of a command."""
    words = [str(c) for c in command]
    done = subprocess.run([sys.executable, "-I", "-S", "-c", LAUNCHER, *words], capture_output=True)
    check(words, done)
    return int(done.stdout.split()[-1])


def check(words, done):
    if done.returncode:
        sys.exit(f"{' '.join(words)}: exit {done.returncode}: {done.stderr.decode()[:500]}")


def command(*words, after=()):
    def go():
        for path in after:
            pathlib.Path(path).unlink(missing_ok=True)
        return run(*words)
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
