"""Does the picture show what the prompt says? Judges code grids, pixels, and draws the sheets.

usage: evaluate.py FOLDER grids [ROWS COLS]      sampled code grids against their specs
       evaluate.py FOLDER pictures OUT.png       24 held-out shapes and 24 scenes, whole pipeline
       evaluate.py FOLDER sheet OUT.png          the contact sheet: 32 first draws, seeds 0..31
       The environment's DARKROOM may name the program that draws; otherwise the reference does.
"""
import collections
import os
import random
import subprocess
import sys
import tempfile
import time
import warnings

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont

import words
import world

SHEET = (
    'a red circle on a blue background', 'a yellow star on a purple background',
    'a small green heart on a white background', 'a big orange square on a black background',
    'a pink triangle on a gray background', 'a white diamond on a red background',
    'two green triangles on a yellow background', 'three orange stars on a blue background',
    'a red heart and a blue square on a white background',
    'a pink heart to the left of a white square on a black background',
    'a blue circle above a red triangle on a yellow background',
    'two purple circles and a yellow star on a green background',
    'a house with a red roof and two trees on a green meadow on a sunny day with the sun',
    'a house with a blue roof and three trees at night with a full moon',
    'a boat with a red sail on the sea at sunset with mountains',
    'a lighthouse and a boat with a white sail on the sea at night with a crescent moon',
    'a pyramid and two cactuses in the desert on a sunny day with the sun',
    'a snowman and two pine trees in the snow at night with a full moon',
    'mountains and a green meadow with red flowers on a sunny day with clouds',
    'a house with a yellow roof and a snowman in the snow at sunset',
    'two boats with blue sails on the ocean by day with white clouds',
    'a wooden sign that says "HELLO" on a green meadow on a sunny day',
    'a sign that says "GLM" in the desert at night', 'a wooden sign that says "CAFE" in the snow',
    '蓝色背景上的一个黄色爱心', '红色的圆形在白色的正方形的左边，黑色背景',
    '夜晚的雪地上有一座红色屋顶的房子和两棵松树，满月', '日落时的海面上有一艘白色帆船，远处有山',
    'a house', 'the sea at night', 'a cat on a red background', 'portrait of an astronaut')


# ---------------------------------------------------------------- reading a grid of names
def names_of(codes, rows, cols):
    known = world.cell_names()
    return [[known[k] if k < len(known) else '?' for k in line]
            for line in np.asarray(codes).reshape(rows, cols)]


def find(cells, stamp):
    """Every place [(row, col)] where the stamp, a list of lines with '' for anything, stands."""
    h, w = len(stamp), len(stamp[0])
    fits = lambda r, c: all(not stamp[i][j] or cells[r + i][c + j] == stamp[i][j]
                            for i in range(h) for j in range(w))
    return [(r, c) for r in range(len(cells) - h + 1) for c in range(len(cells[0]) - w + 1)
            if fits(r, c)]


def take(cells, stamp):
    """Like find, and blanks what was found."""
    places = []
    for r, c in find(cells, stamp):
        if all(not n or cells[r + i][c + j] == n
               for i, line in enumerate(stamp) for j, n in enumerate(line)):
            places.append((r, c))
            for i, line in enumerate(stamp):
                for j, n in enumerate(line):
                    if n:
                        cells[r + i][c + j] = ''
    return places


def read_shapes(cells):
    """{(shape, colour): [(row, col)]} and the background; None if a cell is left over."""
    cells = [list(line) for line in cells]
    back = cells[0][0]
    found = collections.defaultdict(list)
    kinds = [k for k in world.SHAPES if k != 'square'] + ['square']
    for side in (4, 3, 2):
        for kind in kinds:
            for colour in world.COLOURS:
                if f'fill.{colour}' == back:
                    continue
                stamp = [[n and f'{n}.{colour}' for n in line]
                         for line in world.shape_cells(kind, side)]
                if places := take(cells, stamp):
                    found[kind, colour] += places
    rest = {n for line in cells for n in line} - {'', back}
    return (dict(found), back.partition('.')[2]) if not rest else None


def right_shapes(spec, cells):
    read = read_shapes(cells)
    if not read or read[1] != spec['back']:
        return False
    found, want = read[0], collections.Counter(spec['items'])
    if {k: len(v) for k, v in found.items()} != dict(want):
        return False
    if not spec.get('relation'):
        return True
    (ar, ac), (br, bc) = (found[item][0] for item in spec['items'])
    return dict(left=ac < bc, right=ac > bc, above=ar < br, below=ar > br)[spec['relation']]


def read_scene(cells):
    """Counter of (thing, colour), with 'time', 'ground' and 'word'; strays under '?'."""
    cells = [list(line) for line in cells]
    found = collections.Counter()
    word = ''.join(n.partition('.')[2] for line in cells for n in line if n.startswith('letter.'))
    flowers = {n.partition('.')[2] for line in cells for n in line if n.startswith('flower.')}
    for kind, (_, stamp, _) in sorted(world.THINGS.items(), reverse=True):
        coloured = any('*' in n for line in stamp for n in line)
        for colour in world.COLOURS if coloured else ('',):
            here = [[n.replace('*', colour) for n in line] for line in stamp]
            found[kind.rstrip('23'), colour or None] += len(take(cells, here))
    rest = [n.split('.') for line in cells for n in line if n]
    found['time', next((p[1] for p in rest if p[0] == 'sky'), None)] += 1
    found['ground', next((p[0] for p in rest if p[0] in world.GROUNDS), None)] += 1
    loose = ('roof', 'wall', 'tree', 'pine', 'snowman', 'cactus', 'sail', 'hull', 'lighthouse',
             'mountain', 'pyramid', 'lowsun')
    found['?', None] += sum(p[0] in loose for p in rest)
    found['word', word or None] += 1
    found['flowers', '+'.join(sorted(flowers)) or None] += 1
    return +found


def right_scene(spec, cells):
    found = read_scene(cells)
    want = collections.Counter((k.rstrip('23'), c) for k, c in spec['things'])
    want['time', spec['time']] += 1
    want['ground', spec['ground']] += 1
    want['word', spec['word'] or None] += 1
    want['flowers', spec['flowers'] or None] += 1
    for key in (('low sun', None),):           # comes and goes with the prompt's "sun"
        found.pop(key, None), want.pop(key, None)
    return found == want


def is_spelt(spec, cells):
    return read_scene(cells)['word', spec['word']] == 1


def is_right(spec, cells):
    return (right_shapes if spec['kind'] == 'shapes' else right_scene)(spec, cells)


# ---------------------------------------------------------------- test prompts
def held_out_shapes():
    """24 prompts "a COLOUR SHAPE on a COLOUR background" whose triples were never trained"""
    for shape, colour, back in world.HELD_OUT:
        spec = dict(kind='shapes', back=back, items=[(shape, colour)], size='', side=4)
        body, ground = words.article(f'{colour} {shape}'), words.article(back)
        yield f'{body} on {ground} background', spec


def test_scenes(count, seed=77):
    rng = random.Random(seed)
    while count:
        spec = world.sample_scene(rng, 8)
        if spec['things']:
            count -= 1
            yield scene_in_full(spec, rng), spec


def scene_in_full(spec, rng):
    """A prompt that names everything that is judged."""
    groups = words.groups_of([t for t in spec['things'] if t[0].rstrip('23')
                              not in ('mountain', 'low sun')])
    plain = random.Random(0)
    plain.random = lambda: .5
    names = [words.thing_english(k, c, n, plain) for (k, c), n in groups]
    if spec['flowers']:
        names.append(f"{spec['flowers']} flowers")
    head = words.join(names) if names else words.GROUND_ALONE[spec['ground']][0]
    ground = [words.GROUND[spec['ground']][0]] if names else []
    text = ' '.join([head] + ground + [words.TIME[spec['time']][0]])
    extras = [dict(sun='the sun', moon='a full moon', crescent='a crescent moon')[d]
              for d in [spec['disc']] if d]
    extras += ['the sun'] * any(k == 'low sun' for k, _ in spec['things'])
    extras += ['mountains'] * any(k.startswith('mountain') for k, _ in spec['things'])
    return text + (f' with {words.join(extras)}' if extras else '')


def test_signs(count, seed=79):
    """Signs with words that no list has."""
    rng = random.Random(seed)
    for k in range(count):
        spec = world.sample_scene(rng, 8, sign=True)
        spec['word'] = ''.join(rng.choices(world.LETTERS[:26], k=1 + k % world.WORD_MAX))
        yield words.scene_english(spec, rng), spec


def mixed_tests(count, cols, seed=78):
    """Anything from the training distribution that says all that is judged."""
    rng = random.Random(seed)
    while count:
        spec = world.sample_spec(rng, cols)
        if spec['kind'] == 'shapes':
            text = words.shapes_english(spec, rng) if rng.random() < .7 \
                else words.shapes_chinese(spec, rng)
            if not all(c in text or words.ZH_COLOUR[c] in text or c == 'gray' and 'grey' in text
                       for c in [spec['back']] + [c for _, c in spec['items']]):
                continue
        else:
            text = scene_in_full(spec, rng) if not spec['word'] else words.scene_english(spec, rng)
            if spec['word'] and not any(g in text for g in words.GROUND[spec['ground']]):
                continue
            if spec['word'] and spec['time'] != 'day' \
                    and not any(t in text for t in words.TIME[spec['time']]):
                continue
        count -= 1
        yield text, spec


# ---------------------------------------------------------------- sampling
def open_pipeline(folder):
    from diffusers import GlmImagePipeline
    pipe = GlmImagePipeline.from_pretrained(folder, torch_dtype=torch.float32)
    pipe.set_progress_bar_config(disable=True)
    return pipe


@torch.no_grad()
def sample_grids(pipe, prompts, rows, cols, seed=0):
    """Large grids [n, rows*cols], and previews, drawn by the reference's own generate."""
    torch.manual_seed(seed)
    chat = [[dict(role='user', content=[dict(type='text', text=t)])] for t in prompts]
    inputs = pipe.processor.apply_chat_template(
        chat, tokenize=True, padding=True, target_h=rows * world.CELL, target_w=cols * world.CELL,
        return_dict=True, return_tensors='pt')
    h, w = world.preview_size(rows, cols)
    out = pipe.vision_language_encoder.generate(**inputs, do_sample=True,
                                                max_new_tokens=h * w + rows * cols + 1)
    out = out[:, inputs['input_ids'].shape[1]:].numpy()
    return out[:, h * w:h * w + rows * cols], out[:, :h * w]


def judge_grids(pipe, rows, cols):
    n = 48 if rows * cols == 64 else 24
    for title, judge, tests in (('held-out shapes', is_right, list(held_out_shapes())),
                                ('scenes', is_right, list(test_scenes(24))),
                                ('spelt', is_spelt, list(test_signs(25))),
                                ('mixed', is_right, list(mixed_tests(n, cols)))):
        large, small = sample_grids(pipe, [t for t, _ in tests], rows, cols)
        right, shown = collections.Counter(), collections.Counter()
        for (text, spec), grid, seen in zip(tests, large, small):
            cells = names_of(grid, rows, cols)
            kind = 'shapes' if spec['kind'] == 'shapes' else 'sign' if spec['word'] else 'scene'
            ok = judge(spec, cells)
            right[kind] += ok
            shown[kind] += 1
            agree = (world.preview(grid.reshape(rows, cols)).ravel() == seen).mean()
            if not ok:
                print(f'  wrong (agrees with its preview {agree:.2f}): {text}')
        print(f'{title} {rows}x{cols}:', ', '.join(f'{k} {right[k]}/{shown[k]}' for k in shown),
              flush=True)


def draw(pipe, prompt, seed, rows=8, cols=8):
    """A picture; `pipe` is the reference pipeline, or (program, folder) of darkroom's own engine."""
    if isinstance(pipe, tuple):
        with tempfile.NamedTemporaryFile(suffix='.png') as out:
            subprocess.run([pipe[0], 'generate', prompt, '-o', out.name, '-m', pipe[1],
                            '-S', str(seed), '-H', str(rows * world.CELL),
                            '-W', str(cols * world.CELL)], check=True, capture_output=True)
            return Image.open(out.name).convert('RGB')
    gen = torch.Generator().manual_seed(seed)
    return pipe(prompt, height=rows * world.CELL, width=cols * world.CELL, num_inference_steps=20,
                guidance_scale=1.5, generator=gen).images[0]


# ---------------------------------------------------------------- pixels
def nearest_colour(pixel):
    return min(world.COLOURS, key=lambda c: sum((a - b) ** 2 for a, b in
                                                zip(world.COLOURS[c], pixel)))


def shape_scores(mask):
    """Best overlap (intersection over union) of the mask with every shape, over places, sizes"""
    scores = collections.Counter()
    for kind in world.SHAPES:
        for side in world.SHAPE_SIDES:
            cv = world.Canvas(side, side, '', True)
            world.draw_shape(cv, kind, 0, 0, side, (255, 255, 255))
            stamp = cv.picture()[..., 0] > 127
            n = side * world.CELL
            for r in range(0, mask.shape[0] - n + 1, world.CELL):
                for c in range(0, mask.shape[1] - n + 1, world.CELL):
                    both = (mask[r:r + n, c:c + n] & stamp).sum()
                    either = mask.sum() + stamp.sum() - both
                    scores[kind] = max(scores[kind], both / either)
    return scores


def judge_shape(image, spec):
    """(both colours right, shape right) of a picture of one shape"""
    a = np.asarray(image).astype(int)
    edge = np.concatenate([a[:6].reshape(-1, 3), a[-6:].reshape(-1, 3)])
    back = np.median(edge, 0)
    mask = np.abs(a - back).sum(-1) > 90
    if mask.sum() < 200:
        return False, False
    (shape, colour), = spec['items']
    ink = np.median(a[mask], 0)
    colours = nearest_colour(back) == spec['back'] and nearest_colour(ink) == colour
    best, overlap = shape_scores(mask).most_common(1)[0]
    return colours, best == shape and overlap > .85


def make_sheet(images, texts, columns=8, size=192):
    font = ImageFont.truetype('/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc', 10)
    lines = -(-len(images) // columns)
    sheet = Image.new('RGB', (columns * (size + 4), lines * (size + 32)), 'white')
    pen = ImageDraw.Draw(sheet)
    for k, (image, text) in enumerate(zip(images, texts)):
        x, y = k % columns * (size + 4) + 2, k // columns * (size + 32) + 2
        sheet.paste(image.resize((size, size), Image.LANCZOS), (x, y))
        half = 20 if ord(text[0]) > 127 else 38
        for row in range(2):
            pen.text((x, y + size + row * 13), text[row * half:(row + 1) * half].strip(),
                     fill='black', font=font)
    return sheet


def judge_pictures(pipe, out):
    shapes, scenes = list(held_out_shapes()), list(test_scenes(24))
    images = [draw(pipe, text, k) for k, (text, _) in enumerate(shapes + scenes)]
    marks = [judge_shape(im, spec) for im, (_, spec) in zip(images, shapes)]
    for (text, _), mark in zip(shapes, marks):
        if not all(mark):
            print('  colours, shape', mark, text)
    print(f'held-out shapes: colours {sum(m[0] for m in marks)}/24, shape '
          f'{sum(m[1] for m in marks)}/24')
    make_sheet(images, [t for t, _ in shapes + scenes]).save(out)


def contact_sheet(pipe, out):
    start = time.time()
    images = [draw(pipe, text, seed) for seed, text in enumerate(SHEET)]
    print(f'{(time.time() - start) / len(SHEET):.1f} s a picture')
    make_sheet(images, SHEET).save(out, optimize=True)


if __name__ == '__main__':
    warnings.filterwarnings('ignore')
    torch.set_num_threads(int(os.environ.get('OMP_NUM_THREADS', 2)))
    program = os.environ.get('DARKROOM')
    pipeline = (program, sys.argv[1]) if program and sys.argv[2] != 'grids' \
        else open_pipeline(sys.argv[1])
    if sys.argv[2] == 'grids':
        judge_grids(pipeline, *(map(int, sys.argv[3:5]) if len(sys.argv) > 3 else (8, 8)))
    else:
        dict(pictures=judge_pictures, sheet=contact_sheet)[sys.argv[2]](pipeline, sys.argv[3])
