"""circles - no two files of the product need each other, by include or by call.

A file here is a .c or .cu with its header: hub.c and hub.h are one. It needs another when it
includes its header, or when its object asks for a symbol that the other's defines: nm says so, thus
a call that the preprocessor or a table hides counts too. A call through a pointer that was handed
over does not; that is how a circle is opened. Also read off the objects: no external name is
defined twice."""

import os
import re
import subprocess

from rules import BUILD, expect, files, finish, lines

PRODUCT = tuple(p + s for p in ("server/*", "kernels/*", "weights/*", "proto/*")
                for s in (".c", ".h", ".cu", ".cuh"))
# programs by themselves, built by the test that runs them
EXAMPLES = "proto/examples/"
# stands in for the CUDA device in a build without CUDA: one of the two is linked
STUB = "kernels/cuda/stub"


def node(path):
    return path.rsplit(".", 1)[0]


def includes(path, text):
    """The nodes whose headers a file includes."""
    found = (re.match(r'\s*#\s*include\s*"([^"]+)"', line) for line in text)
    return {node(m.group(1)) for m in found if m} - {node(path)}


def object_of(path):
    """The objects of a source: one, one for each instruction set, or that of the emulated GPU."""
    stem, name = node(path), os.path.basename(node(path))
    if path.startswith("kernels/cuda/") and stem != STUB:
        return ["%s/simt/%s.o" % (BUILD, name)]
    if path.startswith("kernels/cpu/isa/"):
        folder = "%s/kernels/cpu/isa" % BUILD
        return ["%s/%s" % (folder, o) for o in sorted(os.listdir(folder))
                if re.match(re.escape(name) + r"\.\w+\.o$", o)]
    return ["%s/%s.o" % (BUILD, stem)]


def symbols(sources):
    """(source, object, kind, name) of every external symbol, from one call of nm."""
    of = {o: path for path in sources for o in object_of(path)}
    nm = subprocess.run(["nm", "-A", "-g", "-P", *of], check=True, text=True, capture_output=True)
    for line in nm.stdout.splitlines():
        name, symbol, kind = re.match(r"(.*?): (\S+) (\S)", line).groups()
        yield of[name], name, kind, symbol


def circle(needs):
    """A shortest circle in {node: {node: why}}, as a list of nodes, or none."""
    best = []
    for start in sorted(needs):
        back, todo = {start: None}, [start]
        for at in todo:
            if start in needs.get(at, ()):
                way = [at]
                while back[way[-1]] is not None:
                    way.append(back[way[-1]])
                if not best or len(way) < len(best):
                    best = way[::-1]
                break
            for to in sorted(needs.get(at, ())):
                if to not in back:
                    back[to] = at
                    todo.append(to)
    return best


def circles(needs):
    """Complaints: a circle, and with one of its edges gone the next, until none is left."""
    needs, found = {a: dict(b) for a, b in needs.items()}, []
    while way := circle(needs):
        edges = list(zip(way, way[1:] + way[:1]))
        found.append(", ".join("%s needs %s (%s)" % (a, b, needs[a][b]) for a, b in edges))
        del needs[edges[-1][0]][edges[-1][1]]
    return found


def samples():
    seen = includes("a/x.c", ['  # include "b/y.h"', '#include "a/x.h"', "#include <z.h>"])
    expect("an include is seen", [] if seen == {"b/y"} else [str(seen)])
    ring = {"a": {"b": "include"}, "b": {"c": "f()"}, "c": {"a": "g()"}, "d": {"a": "h()"}}
    expect("a circle of three is refused", [] if len(circles(ring)) == 1 else [str(circles(ring))])
    tree = {"a": {"b": "", "c": ""}, "b": {"c": ""}, "c": {}}
    expect("a tree is not", circles(tree))


def main():
    samples()
    everything = [f for f in files(*PRODUCT) if not f.startswith(EXAMPLES)]
    nodes = {node(f) for f in everything}
    sources = [f for f in everything if not f.endswith((".h", ".cuh"))]
    built = [f for f in sources if object_of(f) and all(map(os.path.exists, object_of(f)))]
    expect("every source is built (make test-build)", sorted(set(sources) - set(built)))

    needs = {n: {} for n in nodes}
    for f in everything:
        for to in includes(f, lines(f)) & nodes - {node(f)}:
            needs[node(f)][to] = "include"
    table = list(symbols(built))
    where = {}
    for path, _, kind, name in table:
        if kind in "TDBRCG":
            where.setdefault(name, set()).add(node(path))
    for path, _, kind, name in table:
        for to in where.get(name, set()) - {node(path)} if kind == "U" else ():
            needs[node(path)].setdefault(to, name)
    expect("no circle of files", circles(needs))

    expect("no external name is defined twice",
           ["%s: %s" % (name, ", ".join(sorted(at))) for name, at in sorted(where.items())
            if len(at - {STUB}) > 1])
    finish()


main()
