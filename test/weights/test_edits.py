"""edits - the pairs from which the bundled model learns to edit are what their instructions say.

An operation changes what it names and leaves every other thing on its cells; what is kept for the
evaluation is never drawn for training; a seed draws the same pairs again."""

import os
import random
import sys

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
sys.path.insert(0, os.path.join(TOP, "weights", "train"))
sys.dont_write_bytecode = True

import edit_words  # noqa: E402
import edits  # noqa: E402
import words  # noqa: E402
import world  # noqa: E402

GRIDS = ((8, 8), (8, 12), (12, 8), (16, 16))
PAIRS = 400                        # of each grid
count = {"passed": 0, "failed": 0}


def expect(name, complaints):
    count["failed" if complaints else "passed"] += 1
    if complaints:
        print("%s:\n  %s" % (name, "\n  ".join(complaints[:5])))


def cells(spec, grid):
    return world.codes(world.render(spec, *grid, pixels=False))


def stands(spec):
    """{(what, where)} of everything that has a place of its own"""
    if spec["kind"] == "crowd":
        return set(spec["items"])
    return set(zip(spec["things"], spec["columns"]))


def stray(source, target, done):
    """What changed though the operation does not name it"""
    gone, new = stands(source) - stands(target), stands(target) - stands(source)
    kind, *of = done
    last = kind.split()[-1]
    if last in ("background", "ground", "word", "disc", "clouds", "flowers"):
        return gone | new
    if kind == "time":
        return {g for g in gone | new if g[0][0] != "low sun"}
    if kind in ("add shape", "add thing"):
        return gone if len(new) == 1 else gone | new
    if kind in ("remove shape", "recolour", "reshape"):
        return {g for g in gone if g[:2] != of[0][0]} | (new if last == "shape" else set())
    if kind == "repaint":
        return {g for g in gone if g[0][0] != of[0]} | {n for n in new if n[0][1] != of[1]}
    return {g for g in gone if edits.bare(g[0][0]) != of[0]}    # remove thing, swap


def says(text, done):
    """Whether the instruction names the new colour or the new word"""
    kind, *of = done
    if kind == "word":
        return of[0] in text
    colour = {"recolour": 1, "background": 0, "repaint": 1}.get(kind)
    if colour is None:
        return bool(text)
    colour = of[colour]
    return any(c in text.lower() for c in (colour, colour.replace("gray", "grey"),
                                           words.ZH_COLOUR[colour]))


def random_pairs(grid, draw, seed=7):
    rng = random.Random(seed)
    return [draw(rng, *grid) for _ in range(PAIRS)]


def pairs_are_what_they_say(grid, draw):
    pairs, rng, name = random_pairs(grid, draw), random.Random(1), f"{draw.__name__} {grid}"
    expect(f"{name}: every pair differs", [str(d) for s, t, d in pairs
                                           if (cells(s, grid) == cells(t, grid)).all()])
    expect(f"{name}: only what is named changes",
           [f"{d}: {stray(s, t, d)}" for s, t, d in pairs if stray(s, t, d)])
    expect(f"{name}: nothing kept for the evaluation is trained",
           [str(d) for s, t, d in pairs if edits.is_kept(s, t)])
    expect(f"{name}: no held-out combination is trained",
           [str(d) for s, t, d in pairs
            if (edits.triples(s) | edits.triples(t)) & set(world.HELD_OUT)])
    for chinese in (False, True):
        told = [(edit_words.instruction(d, rng, chinese), d) for *_, d in pairs]
        expect(f"{name}: instructions say it, Chinese {chinese}",
               [f"{text}: {d}" for text, d in told if not says(text, d)])
        expect(f"{name}: in that language, {chinese}",
               [text for text, d in told if d[0] != "word"
                and any("一" <= c <= "鿿" for c in text) != chinese])


def the_background_changes_only_itself():
    wrong = []
    for source, target, done in random_pairs((8, 8), edits.sample_pair):
        before, after = cells(source, (8, 8)), cells(target, (8, 8))
        code = world.code_of()
        if done[0] == "background":
            wrong += [str(done)] * (set(before[before != after]) != {code["fill." + source["back"]]})
    expect("a new background changes no cell of a shape", wrong)


def the_evaluation_is_fixed():
    first, again = list(edits.tests(48)), list(edits.tests(48))
    expect("48 pairs, the same each time", [] if first == again and len(first) == 48 else ["not"])
    expect("all of them kept", [text for s, t, _, text in first if not edits.is_kept(s, t)])
    reach = [edits.triples(t) & set(world.HELD_OUT) for _, t, *_ in first[::4]]
    expect("every fourth reaches a held-out combination", [] if all(reach) else ["not"])
    chinese = [any("一" <= c <= "鿿" for c in text) for *_, text in first]
    expect("a third is Chinese", [] if chinese == [k % 3 == 2 for k in range(48)] else ["not"])
    every = {edits_kind for _, _, (edits_kind, *_), _ in first}
    expect("most operations occur", [] if len(every) >= 10 else [str(every)])


def a_seed_draws_the_same():
    expect("the same seed", [] if random_pairs((8, 8), edits.sample_pair)
           == random_pairs((8, 8), edits.sample_pair) else ["other pairs"])
    expect("another seed", [] if random_pairs((8, 8), edits.sample_pair)
           != random_pairs((8, 8), edits.sample_pair, 8) else ["the same pairs"])


def main():
    for grid in GRIDS:
        pairs_are_what_they_say(grid, edits.sample_pair)
    pairs_are_what_they_say((8, 8), edits.crowded_pair)
    the_background_changes_only_itself()
    the_evaluation_is_fixed()
    a_seed_draws_the_same()
    print("%d passed, %d failed" % (count["passed"], count["failed"]))
    sys.exit(1 if count["failed"] else 0)


main()
