"""Pairs of pictures and what one says to get from the first to the second.

A source is a picture of the world whose places are pinned, so that what an instruction does not
name stays on its cells. An operation takes a source and gives (target, what it did): the second is
a tuple that `edit_words` puts into English or Chinese. What has to be chosen and is not said is
always chosen alike (a new thing stands in the widest gap, a boat without a colour is white), since
what is left to chance is drawn badly; see README.md.

Pairs whose fingerprint says so are kept for the evaluation, and so are the combinations of shape,
colour and background that text to image never trains (world.HELD_OUT).

usage: edits.py OUT.png [SEED]      16 pairs, source beside target, and their instructions
"""
import random
import sys
import zlib

import numpy as np
from PIL import Image

import edit_words
import world

TRIES = 40
HELD = 16                          # one pair in so many is never trained
DEFAULT = dict(boat='white', house='red')
FITS = dict(meadow=('house', 'tree', 'pine', 'mountain2'), sea=('boat', 'lighthouse', 'mountain2'),
            snow=('house', 'pine', 'snowman', 'mountain2'), desert=('cactus', 'pyramid2'))
SWAPS = dict(tree=('pine',), pine=('tree', 'snowman'), snowman=('pine',), boat=(), house=())
AT_DAY = dict(moon='sun', crescent='sun')
AT_NIGHT = dict(sun='moon')


# ---------------------------------------------------------------- sources
def pin(spec, rows, cols):
    """The same picture, with the place of everything written down."""
    if spec['kind'] == 'shapes':
        places = world.place_shapes(spec, rows, cols)
        items = [(*item, *place, spec['side']) for item, place in zip(spec['items'], places)]
        return dict(kind='crowd', back=spec['back'], items=items)
    if spec['kind'] == 'scene':
        return spec | dict(columns=world.place_things(spec['things'], cols))
    return spec


def groups(spec):
    """{(shape, colour): how many}, in the order of their places"""
    out = {}
    for shape, colour, *_ in spec['items']:
        out[shape, colour] = out.get((shape, colour), 0) + 1
    return out


def bare(kind):
    return kind.rstrip('23')


def kinds(spec):
    return [bare(k) for k, _ in spec['things']]


def reference(spec, group):
    """What names a group: ((shape, colour), whether it is several, whether it is all there is,
    whether its shape alone tells it, whether its colour alone does)"""
    every = groups(spec)
    shapes, colours = [s for s, _ in every], [c for _, c in every]
    return (group, every[group] > 1, len(every) == 1, shapes.count(group[0]) == 1,
            colours.count(group[1]) == 1)


def covers(item, row, col, side):
    _, _, r, c, n = item
    return r < row + side and row < r + n and c < col + side and col < c + n


def free_place(spec, rows, cols, side=2):
    """Where a new shape goes: the first of some places that nothing stands on"""
    top, left = (rows - side) // 2, (cols - side) // 2
    last, end = rows - side, cols - side
    for r, c in ((top, end), (top, 0), (0, end), (last, 0), (0, 0), (last, end), (last, left),
                 (0, left), (top, left)):
        if not any(covers(item, r, c, side) for item in spec['items']):
            return r, c
    return None


def free_column(spec, cols, width):
    """Where a new thing goes: the middle of the widest gap, the last of equals"""
    taken = [False] * cols
    for (kind, _), col in zip(spec['things'], spec['columns']):
        taken[col:col + world.thing_width(kind)] = [True] * world.thing_width(kind)
    best, start = (0, 0), None
    for c in range(cols + 1):
        if c < cols and not taken[c]:
            start = c if start is None else start
        elif start is not None:
            best, start = max(best, (c - start, start)), None
    return best[1] + (best[0] - width) // 2 if best[0] >= width else None


# ---------------------------------------------------------------- operations on shapes
def change_items(spec, group, change):
    return spec | dict(items=[change(i) if i[:2] == group else i for i in spec['items']])


def recolour(spec, rng, rows, cols):
    group = rng.choice(list(groups(spec)))
    colour = rng.choice([c for c in world.COLOURS if c not in (spec['back'], group[1])])
    target = change_items(spec, group, lambda i: (i[0], colour, *i[2:]))
    return target, ('recolour', reference(spec, group), colour)


def reshape(spec, rng, rows, cols):
    group = rng.choice(list(groups(spec)))
    shape = rng.choice([s for s in world.SHAPES if s != group[0]])
    target = change_items(spec, group, lambda i: (shape, *i[1:]))
    return target, ('reshape', reference(spec, group), shape)


def background(spec, rng, rows, cols):
    used = {c for _, c in groups(spec)} | {spec['back']}
    free = [c for c in world.COLOURS if c not in used]
    if not free:
        return None
    back = rng.choice(free)
    return spec | dict(back=back), ('background', back)


def add_shape(spec, rng, rows, cols):
    place = free_place(spec, rows, cols)
    item = rng.choice(world.SHAPES), rng.choice([c for c in world.COLOURS if c != spec['back']])
    if not place or item in groups(spec):
        return None
    return spec | dict(items=spec['items'] + [(*item, *place, 2)]), ('add shape', item)


def remove_shape(spec, rng, rows, cols):
    group = rng.choice(list(groups(spec)))
    if len(groups(spec)) == 1 and rng.random() < .7:
        return None
    items = [i for i in spec['items'] if i[:2] != group]
    return spec | dict(items=items), ('remove shape', reference(spec, group))


# ---------------------------------------------------------------- operations on scenes
def without(spec, kind):
    left = [(t, c) for t, c in zip(spec['things'], spec['columns']) if bare(t[0]) != kind]
    return spec | dict(things=[t for t, _ in left], columns=[c for _, c in left])


def change_time(spec, rng, rows, cols):
    """The light in the sky goes with the time: the sun is a moon at night, a low sun a high one."""
    time = rng.choice([t for t in world.TIMES if t != spec['time']])
    disc = spec['disc']
    if 'low sun' in kinds(spec):
        disc = disc or 'sun'
    if time != 'sunset':
        disc = dict(day=AT_DAY, night=AT_NIGHT)[time].get(disc, disc)
    return without(spec, 'low sun') | dict(time=time, disc=disc), ('time', time)


def change_ground(spec, rng, rows, cols):
    if spec['ground'] == 'sea' or spec['flowers']:
        return None
    ground = rng.choice([g for g in ('meadow', 'desert', 'snow') if g != spec['ground']])
    return spec | dict(ground=ground), ('ground', ground)


def repaint(spec, rng, rows, cols):
    """Another colour for roofs, sails or flowers"""
    part = rng.choice(('house', 'boat', 'flowers'))
    if part == 'flowers':
        if not spec['flowers']:
            return None
        colour = rng.choice([c for c in world.FLOWERS if c != spec['flowers']])
        return spec | dict(flowers=colour), ('repaint', part, colour, True)
    now = [c for k, c in spec['things'] if k == part]
    if not now:
        return None
    colour = rng.choice([c for c in world.COLOURS if c not in now])
    things = [(k, colour if k == part else c) for k, c in spec['things']]
    return spec | dict(things=things), ('repaint', part, colour, len(now) > 1)


def add_thing(spec, rng, rows, cols):
    kind = rng.choice(FITS[spec['ground']])
    col = free_column(spec, cols, world.thing_width(kind))
    if col is None or spec['word']:
        return None
    said = rng.choice(list(world.COLOURS)) if kind in DEFAULT and rng.random() < .7 else None
    at = sum(c < col for c in spec['columns'])
    things, columns = list(spec['things']), list(spec['columns'])
    things.insert(at, (kind, said or DEFAULT.get(kind)))
    columns.insert(at, col)
    return (spec | dict(things=things, columns=columns),
            ('add thing', bare(kind), said, bare(kind) in kinds(spec)))


def remove_thing(spec, rng, rows, cols):
    if not spec['things']:
        return None
    kind = rng.choice(kinds(spec))
    return without(spec, kind), ('remove thing', kind, kinds(spec).count(kind) > 1)


def swap_thing(spec, rng, rows, cols):
    here = [k for k in kinds(spec) if SWAPS.get(k)]
    if not here:
        return None
    kind = rng.choice(here)
    new, n = rng.choice(SWAPS[kind]), here.count(kind)
    things = [(new, None) if k == kind else (k, c) for k, c in spec['things']]
    return spec | dict(things=things), ('swap', kind, new, n > 1)


def change_sky(spec, rng, rows, cols):
    """Sun, moon, clouds or flowers come or go."""
    what = rng.choice(('disc', 'clouds', 'flowers'))
    if what == 'clouds':
        if spec['time'] == 'night' and not spec['clouds']:
            return None
        name = 'add' if not spec['clouds'] else 'remove'
        return spec | dict(clouds=2 - spec['clouds']), (f'{name} clouds',)
    if what == 'flowers':
        if spec['flowers']:
            return spec | dict(flowers=''), ('remove flowers',)
        if spec['ground'] != 'meadow' or spec['word']:
            return None
        colour = rng.choice(world.FLOWERS)
        return spec | dict(flowers=colour), ('add flowers', colour)
    if spec['disc']:
        return spec | dict(disc=''), ('remove disc', spec['disc'])
    if 'low sun' in kinds(spec) or spec['time'] == 'sunset':
        return None
    disc = 'sun' if spec['time'] == 'day' else rng.choice(('moon', 'crescent'))
    return spec | dict(disc=disc), ('add disc', disc)


def change_word(spec, rng, rows, cols):
    word = world.sample_word(rng)
    if not spec['word'] or word == spec['word']:
        return None
    return spec | dict(word=word), ('word', word)


SHAPE_EDITS = dict(recolour=(recolour, 30), reshape=(reshape, 18), background=(background, 22),
                   add_shape=(add_shape, 16), remove_shape=(remove_shape, 14))
SCENE_EDITS = dict(time=(change_time, 22), ground=(change_ground, 10), repaint=(repaint, 45),
                   add_thing=(add_thing, 18), remove_thing=(remove_thing, 12),
                   swap=(swap_thing, 8), sky=(change_sky, 14))
SIGN_EDITS = dict(word=(change_word, 60), time=(change_time, 25), ground=(change_ground, 15))


# ---------------------------------------------------------------- pairs
def operations(spec):
    if spec['kind'] == 'crowd':
        return SHAPE_EDITS
    return SIGN_EDITS if spec['word'] else SCENE_EDITS


def edit(spec, rng, rows, cols):
    """(target, what was done) of a pinned source; None if the operation drawn does not apply"""
    table = operations(spec)
    if spec['kind'] == 'crowd' and not spec['items']:
        return None
    name, = rng.choices(list(table), [weight for _, weight in table.values()])
    return table[name][0](spec, rng, rows, cols)


def triples(spec):
    items = spec['items'] if spec['kind'] == 'crowd' else ()
    return {(shape, colour, spec['back']) for shape, colour, *_ in items}


def is_kept(source, target):
    """Whether the pair is kept for the evaluation"""
    if triples(source) & set(world.HELD_OUT) or triples(target) & set(world.HELD_OUT):
        return True
    key = repr([sorted(spec.items()) for spec in (source, target)])
    return zlib.crc32(key.encode()) % HELD == 0


def sample_source(rng, rows, cols):
    u = rng.random()
    spec = world.sample_shapes(rng) if u < .46 else world.sample_scene(rng, cols, sign=u > .9)
    return pin(spec, rows, cols)


def sample_pair(rng, rows, cols, kept=False):
    """(source, target, what was done); of the pairs that are trained, or of those that are kept"""
    while True:
        source = sample_source(rng, rows, cols)
        if rng.random() < .2:                  # the result of an edit can be the next source
            before = edit(source, rng, rows, cols)
            source = before[0] if before else source
        for _ in range(TRIES):
            done = edit(source, rng, rows, cols)
            if done and is_kept(source, done[0]) == kept:
                return source, *done


def shows(source, target, rows, cols):
    """Whether the change can be seen: a background may be covered from edge to edge"""
    names = [world.render(s, rows, cols, pixels=False).cells for s in (source, target)]
    return names[0] != names[1]


def crowded_pair(rng, rows, cols):
    """(source, target, what was done) of a picture as full as can be, to train on"""
    while True:
        source = pin(world.sample_crowd(rng, rows, cols, world.HELD_OUT), rows, cols)
        done = edit(source, rng, rows, cols)
        if done and not is_kept(source, done[0]) and shows(source, done[0], rows, cols):
            return source, *done


def drawn_kept(rng, rows, cols):
    """A kept pair that reaches a held-out combination of shape, colour and background"""
    while True:
        source, target, done = sample_pair(rng, rows, cols, kept=True)
        if triples(target) & set(world.HELD_OUT) and not triples(source) & set(world.HELD_OUT):
            return source, target, done


def tests(count, rows=8, cols=8, seed=4242):
    """Held-out pairs: (source, target, done, instruction); a quarter reach held-out combinations,
    every third instruction is Chinese."""
    rng = random.Random(seed)
    for k in range(count):
        pair = drawn_kept(rng, rows, cols) if k % 4 == 0 else sample_pair(rng, rows, cols, True)
        yield *pair, edit_words.instruction(pair[2], rng, chinese=k % 3 == 2)


def main(out, seed='1'):
    rng, tiles = random.Random(int(seed)), []
    for _ in range(16):
        *pair, done = sample_pair(rng, 8, 8)
        tiles.append(np.concatenate([world.render(s, 8, 8).picture() for s in pair], 1))
        print(edit_words.instruction(done, rng), '|', done)
    lines = [np.concatenate(tiles[i:i + 4], 1) for i in range(0, 16, 4)]
    Image.fromarray(np.concatenate(lines)).save(out)


if __name__ == '__main__':
    main(*sys.argv[1:])
