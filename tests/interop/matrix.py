"""The interoperability matrix: real frameworks write, ferry converts, real
frameworks load, and the two loads are compared value by value.

usage: matrix.py FERRY WORK-DIR PYTHON...

Each PYTHON has a torch of its own.  Ends in "N passed, N failed".
"""
import json
import os
import pathlib
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent


class Tally:
    def __init__(self):
        self.passed = self.failed = 0

    def check(self, what, ok, why=""):
        if ok:
            self.passed += 1
        else:
            self.failed += 1
            print(f"FAIL {what}: {why}", flush=True)
        return ok


TALLY = Tally()


def first_difference(a, b):
    left, right = a.splitlines(), b.splitlines()
    for i, (x, y) in enumerate(zip(left, right)):
        if x != y:
            return f"line {i + 1}: {x.strip()[:150]!r} became {y.strip()[:150]!r}"
    return f"{len(left)} lines became {len(right)}"


class Framework:
    """One interpreter with a torch; loads are queued and run in one process."""

    def __init__(self, python):
        self.python = python
        probe = subprocess.run([python, "-c", "import torch; print(torch.__version__)"], capture_output=True, text=True, check=True)
        self.version = probe.stdout.strip().split("+")[0]
        self.modern = int(self.version.split(".")[0]) >= 2
        self.has_safetensors = subprocess.run([python, "-c", "import safetensors.torch"], capture_output=True).returncode == 0
        self.queue = {}

    def ask(self, path, *options):
        self.queue[(str(path), *options)] = None

    def run(self):
        asked = [k for k, v in self.queue.items() if v is None]
        if not asked:
            return
        done = subprocess.run([self.python, str(HERE / "dump.py"), "--batch"], input=json.dumps([list(k) for k in asked]),
                              capture_output=True, text=True)
        lines = done.stdout.splitlines()
        for key, line in zip(asked, lines):
            self.queue[key] = json.loads(line)
        for key in asked[len(lines):]:
            self.queue[key] = {"error": f"the loader died: {done.stderr[-300:]}"}

    def answer(self, path, *options):
        return self.queue[(str(path), *options)]


class Ferry:
    def __init__(self, command):
        self.command = command

    def convert(self, what, *arguments):
        done = subprocess.run([self.command, "convert", "-q", "--no-sync", *map(str, arguments)], capture_output=True, text=True)
        return TALLY.check(f"{what} (ferry convert)", done.returncode == 0, done.stderr.strip()[:300])


def generate(framework, directory):
    done = subprocess.run([framework.python, str(HERE / "cases.py"), str(directory)], capture_output=True, text=True)
    TALLY.check(f"torch {framework.version} writes its cases", done.returncode == 0, done.stderr[-500:])
    return [tuple(line.split("\t")) for line in done.stdout.splitlines()]


# Which way a case goes back to .pt: suffix of the file between.
WAYS = {"pt": None, "safetensors": ".safetensors", "npz": ".npz"}


def convert_all(ferry, directory, cases):
    for name, _ in cases:
        source = directory / f"{name}.pt"
        for way, suffix in WAYS.items():
            result = directory / f"{name}.{way}.out.pt"
            if suffix:
                between = directory / f"{name}{suffix}"
                if not ferry.convert(f"{directory.name}/{name} to {way}", "--overwrite", source, between):
                    continue
                ferry.convert(f"{directory.name}/{name} back from {way}", "--overwrite", between, result)
            else:
                ferry.convert(f"{directory.name}/{name} to pt", "--overwrite", source, result)


def ask_all(frameworks, directory, cases):
    for framework in frameworks:
        for name, _ in cases:
            files = [directory / f"{name}.pt"] + [directory / f"{name}.{way}.out.pt" for way in WAYS]
            for path in files:
                if not path.exists():
                    continue
                framework.ask(path)
                framework.ask(path, "--weights-only")
                if framework.modern and path is not files[0]:
                    framework.ask(path, "--mmap")
            if framework.has_safetensors and (directory / f"{name}.safetensors").exists():
                framework.ask(directory / f"{name}.safetensors", "--loader", "safetensors")


# Bytes of a storage that no tensor reaches are kept from .pt to .pt only.
STORAGE_LENGTH = re.compile(r"(storage=\d+)/\d+")


def compare(framework, what, original, converted, way, *options):
    before = framework.answer(original, *[o for o in options if o != "--mmap"])
    after = framework.answer(converted, *options)
    if "error" in before:
        return
    if not TALLY.check(what, "error" not in after, after.get("error", "")):
        return
    texts = [before["text"], after["text"]]
    if way != "pt":
        texts = [STORAGE_LENGTH.sub(r"\1", text) for text in texts]
    TALLY.check(what, texts[0] == texts[1], first_difference(*texts))


def compare_all(frameworks, directory, cases):
    for framework in frameworks:
        for name, _ in cases:
            original = directory / f"{name}.pt"
            for way in WAYS:
                result = directory / f"{name}.{way}.out.pt"
                if not result.exists():
                    continue
                what = f"{directory.name}/{name} by way of {way} in torch {framework.version}"
                compare(framework, what, original, result, way)
                compare(framework, what + " weights_only", original, result, way, "--weights-only")
                if framework.modern:
                    compare(framework, what + " mmap", original, result, way, "--mmap")
            key = (str(directory / f"{name}.safetensors"), "--loader", "safetensors")
            if key in framework.queue:
                TALLY.check(f"{directory.name}/{name}.safetensors in safetensors", "error" not in framework.queue[key], framework.queue[key].get("error", ""))


def main():
    ferry, work = Ferry(sys.argv[1]), pathlib.Path(sys.argv[2])
    frameworks = [Framework(python) for python in sys.argv[3:]]
    for framework in frameworks:
        directory = work / f"torch-{framework.version}"
        cases = generate(framework, directory)
        print(f"torch {framework.version}: {len(cases)} cases", flush=True)
        convert_all(ferry, directory, cases)
        ask_all(frameworks, directory, cases)
        for each in frameworks:
            each.run()
        compare_all(frameworks, directory, cases)
    for framework in frameworks:
        extra = subprocess.run([framework.python, str(HERE / "behaviour.py"), sys.argv[1], str(work / f"behaviour-{framework.version}")],
                               capture_output=True, text=True)
        print(extra.stdout, end="")
        passed, failed = 0, 1
        for line in extra.stdout.splitlines()[-1:]:
            words = line.split()
            if len(words) >= 4 and words[1] == "passed,":
                passed, failed = int(words[0]), int(words[2])
        TALLY.passed += passed
        TALLY.failed += failed
        if extra.returncode and not failed:
            TALLY.check(f"behaviour in torch {framework.version}", False, extra.stderr[-500:])
    print(f"{TALLY.passed} passed, {TALLY.failed} failed")
    return TALLY.failed != 0


if __name__ == "__main__":
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    sys.exit(main())
