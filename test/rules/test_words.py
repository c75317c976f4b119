"""words - one meaning a name, few allocations in the server, many assertions in what decides.

Names that were given up for the field's own (crew_next(), struct peer) do not come back. Every
target of make that names no file is phony."""

import os
import re
import subprocess
from collections import defaultdict

from rules import expect, files, finish, lines

ALLOCATION = re.compile(r"\b(malloc|calloc|realloc|reallocarray|aligned_alloc|posix_memalign|"
                        r"strn?dup|v?asprintf)\(")
ASSERTION = re.compile(r"\b(static_)?assert\(")
# of a function's family or a struct; sched_getaffinity() and its kind are the system's
GIVEN_UP = re.compile(r"\b((?:desk|crew|peer|shelf|tally|sched(?!_[gs]etaffinity)|resid)_\w+"
                      r"(?=\()|struct (?:desk|crew|peer|viewer|shelf|tally|sched|turn|note|wish)\b)")
LINES_PER_ALLOCATION, ASSERTIONS_PER_1000 = 200, 10


def code(path):
    """The text without comments and strings, the lines where they were."""
    text = "\n".join(lines(path))
    pattern = r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\''
    return re.sub(pattern, lambda m: "\n" * m.group(0).count("\n") or " ", text, flags=re.S)


def tags(text):
    """Names of the structs, unions and enums that a file defines, and of the enums' constants."""
    found = re.findall(r"^(?:\w+ )*(?:struct|union|enum) (\w+) \{", text, flags=re.M)
    for body in re.findall(r"^(?:\w+ )*enum(?: \w+)? \{([^}]*)\}", text, flags=re.M):
        found += re.findall(r"(?:^|,)\s*(\w+)", body)
    return found


def twice(texts):
    """Complaints: what a header defines, another file defines as well; {path: code}."""
    where = defaultdict(list)
    for path, text in texts.items():
        for tag in set(tags(text)):
            where[tag].append(path)
    return ["%s: %s" % (tag, ", ".join(at)) for tag, at in sorted(where.items())
            if len(at) > 1 and any(f.endswith((".h", ".cuh")) for f in at)]


def rate(texts, pattern):
    """(hits, lines)"""
    return (sum(len(pattern.findall(t)) for t in texts.values()),
            sum(t.count("\n") for t in texts.values()))


def given_up(texts):
    """Complaints: names that the tree has given up."""
    return ["%s: %s" % (path, name) for path, text in texts.items()
            for name in sorted(set(GIVEN_UP.findall(text)))]


def phony():
    """Complaints: targets without a file that .PHONY leaves out, and the other way round."""
    made = subprocess.run(["make", "-qp", "CUDA=0", "help"], stdout=subprocess.PIPE, text=True,
                          stderr=subprocess.DEVNULL).stdout
    bad = []
    for block in made.split("# Files\n")[1].split("\n\n"):
        target = re.match(r"([\w-]+|\$\(\w+\)):", block)
        if target and "# Not a target" not in block:
            name, told = target.group(1), "#  Phony target" in block
            if told == os.path.isfile(name):
                bad.append(name + (" is a file, but phony" if told else " is no file, not phony"))
    return bad


def samples():
    text = ("enum x { RED, GREEN = 2,\n BLUE };\nstruct y {\n int a;\n};\n"
            "struct z *f(struct y *p);\n{\n enum { IN };\n}")
    seen = tags(text)
    expect("tags are found", [] if seen == ["x", "y", "RED", "GREEN", "BLUE"] else [str(seen)])
    expect("a tag of a header is refused in another file",
           [] if twice({"a.c": "struct y {\n};", "b.h": "struct y {\n};"}) else ["it is not"])
    expect("two files may each have a tag of their own",
           twice({"a.c": "struct y {\n};", "b.c": "struct y {\n};"}))
    for old in ("a = crew_next(h);", "struct peer *p;", "sched_add(s, j);"):
        expect(old + " is refused", [] if given_up({"x.c": old}) else ["it is not"])
    for new in ("sched_getaffinity(0, 1, &s);", "struct notes n;", "device_hold(d);"):
        expect(new + " is not", given_up({"x.c": new}))
    for call in ("malloc(1)", "calloc(1, 2)", "strdup(s)"):
        expect(call + " allocates", [] if ALLOCATION.search("p = " + call) else ["not seen"])


def main():
    samples()
    product = {f: code(f) for f in files("server/*.[ch]", "kernels/*.[ch]", "kernels/*.cu*",
                                         "weights/*.[ch]", "proto/*.[ch]")}
    expect("a tag or a constant means one thing", twice(product))
    other = {f: code(f) for f in files("test/*.[ch]", "test/*.cu*", "test/*.cc", "bench/*.[ch]")}
    expect("names that were given up", given_up({**product, **other}))
    server = {f: t for f, t in product.items() if f.startswith("server/")}
    hits, of = rate(server, ALLOCATION)
    print("server: %d allocations in %d lines" % (hits, of))
    expect("one allocation in 200 lines of server/ at most",
           [] if hits * LINES_PER_ALLOCATION <= of else ["%d in %d lines" % (hits, of)])
    core = {f: t for f, t in product.items() if f.startswith("server/core/")}
    hits, of = rate(core, ASSERTION)
    print("server/core: %d assertions in %d lines" % (hits, of))
    expect("ten assertions in a thousand lines of server/core/ at least",
           [] if hits * 1000 >= of * ASSERTIONS_PER_1000 else ["%d in %d lines" % (hits, of)])
    expect("phony targets", phony())
    finish()


main()
