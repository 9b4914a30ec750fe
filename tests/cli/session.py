"""Run the session of the README's section "Migrate a tree", as it is printed there.

usage: session.py README TREE RECIPE WORK [--print]

"$ ..." lines are run by sh in WORK, which gets TREE as "old" and RECIPE; what
they print, both streams, must be the lines below them, times aside.  --print
shows the session as it is today, to be pasted.
"""
import os
import pathlib
import re
import shutil
import subprocess
import sys


def aside(text):
    return re.sub(r"\b\d+\.\d\d s\b", "N s", text)


def session(readme):
    section = readme.split("### Migrate a tree\n", 1)[1]
    block = section.split("```\n", 2)[1]
    steps = []
    for line in block.splitlines():
        if line.startswith("$ "):
            steps.append((line[2:], []))
        elif line:
            steps[-1][1].append(line)
    return steps


def main():
    readme, tree, recipe, work = map(pathlib.Path, sys.argv[1:5])
    shutil.rmtree(work, ignore_errors=True)
    shutil.copytree(tree, work / "old")
    shutil.copy(recipe, work)
    # As distributed, all of it may be read-only.
    for path in [work / "old", *(work / "old").rglob("*")]:
        path.chmod(path.stat().st_mode | 0o200)
    steps = session(readme.read_text())
    wrong = 0
    for command, wanted in steps:
        shell = f"ferry() {{ \"{os.environ['FERRY']}\" \"$@\"; }}\n{command}"
        got = subprocess.run(["sh", "-c", shell], cwd=work, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True).stdout
        lines = [line for line in got.splitlines() if line]
        if "--print" in sys.argv:
            print(f"$ {command}\n{got}")
        elif aside("\n".join(lines)) != aside("\n".join(wanted)):
            wrong += 1
            print(f"$ {command}\nprints:\n{got}and the README has:\n" + "\n".join(wanted))
    if not steps:
        sys.exit("the README has no session")
    print(f"{len(steps)} commands, {wrong} print something else")
    sys.exit(wrong != 0)


if __name__ == "__main__":
    main()
