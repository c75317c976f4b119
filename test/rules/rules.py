"""rules - what the rules in Python share: the project's files, one way to count, the last line.

A rule runs from anywhere, BUILD names the build folder whose objects it reads (build/release)."""

import fnmatch
import os
import subprocess
import sys

os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
BUILD = os.environ.get("BUILD", "build/release")
count = {"passed": 0, "failed": 0}


def tracked():
    """Tracked and new files, without git every file outside build/ and hidden folders."""
    git = ["git", "ls-files", "-co", "--exclude-standard"]
    done = subprocess.run(git, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    if done.returncode == 0:
        return sorted({f for f in done.stdout.splitlines() if os.path.isfile(f)})
    found = []
    for folder, below, names in os.walk("."):
        below[:] = [d for d in below if d[0] != "." and d not in ("build", "node_modules")]
        found += [os.path.join(folder, n)[2:] for n in names]
    return sorted(found)


ALL = tracked()


def files(*patterns):
    """Those whose whole path matches a pattern; * matches slashes too."""
    return [f for f in ALL if any(fnmatch.fnmatchcase(f, p) for p in patterns)]


def lines(path):
    with open(path, encoding="utf-8") as f:
        return f.read().split("\n")


def expect(name, complaints):
    """Passed when there is no complaint; else they are printed."""
    count["failed" if complaints else "passed"] += 1
    if complaints:
        print("%s:\n  %s" % (name, "\n  ".join(complaints)))


def finish():
    print("%d passed, %d failed" % (count["passed"], count["failed"]))
    sys.exit(0 if count["passed"] and not count["failed"] else 1)
