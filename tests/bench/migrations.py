"""Migrations of trees, against Python's way and against copying.

Outputs are not removed between rounds of small files: ext4 looks long for an
inode where many were given up shortly before, and whoever comes next would pay.
"""
import pathlib
import shutil
import subprocess
import sys
import time

from timing import best, command, peak, report, run

HERE = pathlib.Path(__file__).parent
SMALL_ALL, SMALL_FEW = 10000, 600


def make(*words):
    run(sys.executable, HERE / "checkpoints.py", *words)


def verdict(good):
    return "ok" if good else "MISSED"


def line(what, text, good):
    print(f"{what:58} {text}  {verdict(good)}", flush=True)


def bytes_read():
    """Of this process and of children that were waited for."""
    text = pathlib.Path("/proc/self/io").read_text()
    return int(next(row.split()[1] for row in text.splitlines() if row.startswith("rchar")))


class Trees:
    def __init__(self, ferry, work):
        self.ferry, self.work, self.n = ferry, work, 0

    def new(self):
        self.n += 1
        return self.work / f"out{self.n}"

    def migrate(self, source, *options, workers=2, measure=run):
        return measure(self.ferry, "migrate", "-q", f"-j{workers}", source, self.new(), "--to-format", "safetensors", *options)

    def peer(self, source):
        return run(sys.executable, HERE / "peer.py", source, self.new())

    def conversions(self, convert_many, files):
        """Seconds of the conversions alone, one after another."""
        out, names = self.new(), self.work / "list"
        out.mkdir()
        names.write_text("".join(f"{f}\n" for f in files))
        return float(subprocess.run([convert_many, names, out], capture_output=True, text=True, check=True).stdout)

    def clear(self):
        for path in self.work.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def small(trees, convert_many, n):
    source = trees.work / "small"
    make("small", source, n)
    what = f"{n:,} checkpoints of 96 kB -> .safetensors"
    few = sorted(source.rglob("*.pt"))[:1000]
    # The script syncs nothing; what a migration does when not told otherwise
    # stands in a line of its own.
    ways = {"": ["--no-sync"], ", synced": []}
    ours = {way: [trees.migrate(source, "--weights", *options)] for way, options in ways.items()}
    theirs = trees.peer(source)
    for way, options in ways.items():
        ours[way] += [trees.migrate(source, "--weights", *options) for _ in range(2)]
        report(f"{what}, 2 workers{way}", min(ours[way]), theirs, "Python, 2 workers, process", 20)
    # On one worker, so that the times of both add up alike.
    some = trees.work / "some"
    some.mkdir()
    for f in few:
        (some / f.name).symlink_to(f)
    times = [(trees.conversions(convert_many, few), trees.migrate(some, "--weights", workers=1)) for _ in range(4)][1:]
    extra = (min(b for _, b in times) - min(a for a, _ in times)) / len(few) * 1e3
    line(f"{len(few):,} of them, beside converting", f"{extra:7.2f} ms a file  wanted <= 1", extra <= 1)
    dry = min(run(trees.ferry, "migrate", "-q", "-j2", source, trees.new(), "--to-format", "safetensors", "--weights", "--dry-run")
              for _ in range(2))
    most = 10 if n == SMALL_ALL else 2
    line(f"{n:,} checkpoints, dry run", f"{dry:7.2f} s  wanted <= {most}", dry <= most)
    peaks = [trees.migrate(tree, "--weights", measure=peak) for tree in (some if n > 1000 else source / "run01", source)]
    n_few = len(few) if n > 1000 else 100
    told = f"{n_few:,} files: {peaks[0] / 1024:.1f}, {n:,} files: {peaks[1] / 1024:.1f} MiB"
    # The list of items grows; what is at hand (some 100 of them) does not.
    most = peaks[0] + 4096 + n - n_few
    line("peak memory by number of files", f"{told}  wanted <= 64, 4 and 1 KiB a file more", max(peaks) <= 64 * 1024 and peaks[1] <= most)
    trees.clear()


def large(trees, megabytes):
    source = trees.work / "large"
    make("large", source, 10, megabytes)
    out, copy = trees.work / "out", trees.work / "copy"

    def ferry(*options):
        def go():
            seconds = run(trees.ferry, "migrate", "-q", "-j2", source, out, "--to-format", "safetensors", *options)
            shutil.rmtree(out)
            return seconds
        return go

    def cp(script):
        def go():
            seconds = run("sh", "-c", script, "sh", source, copy)
            shutil.rmtree(copy)
            return seconds
        return go

    what = f"10 files of {megabytes} MiB"
    size = 10 * megabytes << 20
    # Digests by SHA-256 of every byte take longer than two cores take to copy
    # it in memory: that is told, and judged where it is not asked for.
    copy_only, copy_and_sync = 'cp -r "$1" "$2"', 'cp -r "$1" "$2" && sync -d "$2"/*'
    for name, options, script, peer, wanted in (
            (what, ["--no-sync"], copy_only, "cp -r", 0.9),
            (f"{what}, synced", [], copy_and_sync, "cp -r and sync", 0.9),
            (f"{what}, SHA-256", ["--no-sync", "--digest=sha256"], copy_only, "cp -r", None),
            (f"{what}, SHA-256, synced", ["--digest=sha256"], copy_and_sync, "cp -r and sync", None)):
        run("sync", "-f", source)
        ours, theirs = best(ferry(*options), cp(script), rounds=3)
        report(name, ours, theirs, peer, wanted, size)
    before = bytes_read()
    start = time.perf_counter()
    run(trees.ferry, "migrate", "-q", "-j2", source, out, "--to-format", "safetensors", "--dry-run")
    seconds, read = time.perf_counter() - start, bytes_read() - before
    line(f"{what}, dry run", f"{seconds:7.2f} s, {read / 1e6:.1f} MB read  wanted <= 5", read <= 5e6)
    trees.clear()


def peak_by_size(trees, sizes):
    peaks = {}
    for megabytes in sizes:
        source = trees.work / f"of{megabytes}"
        make("large", source, 2, megabytes)
        peaks[megabytes] = trees.migrate(source, "--no-sync", measure=peak)
        trees.clear()
    text = ", ".join(f"{m} MiB: {k / 1024:.1f}" for m, k in peaks.items())
    flat = max(peaks.values()) <= 64 * 1024 and max(peaks.values()) < 1.2 * min(peaks.values())
    line("peak memory in MiB by size of the files", f"{text}  wanted <= 64, flat", flat)


def all_of(ferry, convert_many, work, megabytes):
    trees = Trees(ferry, work)
    whole = megabytes >= 2048
    small(trees, convert_many, SMALL_ALL if whole else SMALL_FEW)
    large(trees, 400 if whole else megabytes // 4)
    peak_by_size(trees, (100, 1000) if whole else (megabytes // 8, megabytes))
