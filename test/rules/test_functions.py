"""functions - how long functions and files are.

The product's functions: median <= 12 lines, nine in ten <= 25, none > 60, from brace to brace.
Tests and benchmarks: none > 60. Relies on clang-format: a body is from a line `{` to a line `}`."""

import re

from rules import expect, files, finish, lines

PRODUCT = ("server/*", "kernels/*", "weights/*", "proto/*")
CODE = (".c", ".h", ".cu", ".cuh", ".cc")
FILES = CODE + (".js", ".mjs", ".css", ".html", ".py", ".sh", ".mk", "Makefile")
MEDIAN, NINETY, LONGEST, FILE = 12, 25, 60, 700


def functions(text):
    """(name, first line, lines of the body) of every function."""
    found, start, name, head = [], 0, "", 0
    for n, line in enumerate(text, 1):
        if re.match(r"[A-Za-z_]", line):  # where a declaration begins; a long one has more lines
            head = n
        if line == "{":
            start = n
            names = re.findall(r"(\w+)\(", "".join(text[head - 1 : n - 1]))
            name = next((w for w in names if not re.match(r"__|alignas$", w)), "?")
        elif line == "}" and start:
            found.append((name, start, n - start + 1))
            start = 0
        elif re.match(r"\w.*\) \{.*\}$", line):
            found.append((re.search(r"(\w+)\(", line).group(1), n, 1))
    return found


def at(sizes, share):
    """The size that `share` of all do not exceed."""
    return sorted(sizes)[max(0, -(-len(sizes) * share // 100) - 1)] if sizes else 0


def too_long(path, text):
    return ["%s:%d %s() has %d lines" % (path, n, name, size)
            for name, n, size in functions(text) if size > LONGEST]


def samples():
    """The rule itself: it must see what it is there to see."""
    short = ["static int f(int a)", "{", "    return a;", "}"]
    long = ["struct x *g(int a,", "            int b)", "{"] + ["    a++;"] * 59 + ["}"]
    table = ["struct t {", "    int a;", "};", "static const int x[] = {", "    1,", "};"]
    seen = functions(short + table + long + ["void h(void) {}"])
    expect("functions are found", [] if seen == [("f", 2, 3), ("g", 13, 61), ("h", 74, 1)]
           else ["found %s" % seen])
    expect("a function of 61 lines is refused", [] if too_long("x.c", long) else ["it is not"])
    expect("the share that is counted", [] if (at(range(1, 11), 50), at(range(1, 11), 90)) == (5, 9)
           else ["5 and 9 of 1 to 10 are %d and %d" % (at(range(1, 11), 50), at(range(1, 11), 90))])


def main():
    samples()
    sizes = []
    for path in files("*"):
        if not path.endswith(FILES):
            continue
        text, bad = lines(path), []
        if len(text) - 1 > FILE:
            bad.append("%s has %d lines, the most is %d" % (path, len(text) - 1, FILE))
        if path.endswith(CODE):
            bad += too_long(path, text)
        if path.endswith(CODE) and path.startswith(tuple(p[:-1] for p in PRODUCT)):
            sizes += [size for _, _, size in functions(text)]
        expect(path, bad)
    print("%d functions of the product: median %d, nine in ten <= %d, longest %d"
          % (len(sizes), at(sizes, 50), at(sizes, 90), max(sizes)))
    expect("median of the functions", [] if at(sizes, 50) <= MEDIAN else [str(at(sizes, 50))])
    expect("nine functions in ten", [] if at(sizes, 90) <= NINETY else [str(at(sizes, 90))])
    finish()


main()
