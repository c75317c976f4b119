"""Does the model change what it is told, and nothing else? Judges 48 held-out pairs.

usage: evaluate_edits.py FOLDER codes             what the tower reads, what the prior answers
       evaluate_edits.py FOLDER pictures OUT.png  the whole pipeline, judged in pixels, and a sheet
       The environment's DARKROOM may name the program that draws; otherwise the reference does.

Sources are pictures of the world that nothing was trained on, 256x256, seeds 0 to 47. A pair is
*followed* if every cell that the edit changes looks like the target's, and *kept* if every other
cell looks like the source's, in colour and outline: of all cells that the world has, the one
nearest to what was drawn, pixel by pixel, has that name, or looks the same.
"""
import collections
import os
import random
import re
import subprocess
import sys
import tempfile
import warnings

import numpy as np
import torch
from PIL import Image, ImageDraw

import edits
import world
from evaluate import make_sheet, open_pipeline

COUNT, ROWS, COLS = 48, 8, 8
ALIKE = 4                          # mean levels: below, two cells look the same
LEAST = 36                         # of the pairs


def render(spec):
    return world.render(spec, ROWS, COLS)


def cells(picture):
    """[ROWS*COLS, pixels*3] of a picture [ROWS*CELL, COLS*CELL, 3]"""
    a = np.asarray(picture).astype(np.float32).reshape(ROWS, world.CELL, COLS, world.CELL, 3)
    return a.transpose(0, 2, 1, 3, 4).reshape(ROWS * COLS, -1)


class Reader:
    """What a picture shows: of each cell, the nearest of the world's, pixel by pixel."""

    def __init__(self, pairs, pictures=1500):
        rng, self.names = random.Random(1), {}
        for _ in range(pictures):
            spec = world.sample_crowd(rng, ROWS, COLS) if rng.random() < .5 \
                else world.sample_spec(rng, COLS)
            self.add(render(spec))
        for source, target, *_ in pairs:
            self.add(render(source)), self.add(render(target))
        blocks = np.frombuffer(b''.join(self.names), np.float32).reshape(len(self.names), -1)
        self.cells, self.names = torch.from_numpy(blocks.copy()), np.array(list(self.names.values()))
        self.square = (self.cells ** 2).sum(1)

    def add(self, canvas):
        self.names.update(zip(map(bytes, cells(canvas.picture())), shown(canvas)))

    def __call__(self, picture):
        """The nearest cells [ROWS*COLS, pixels*3], and their names"""
        drawn = torch.from_numpy(cells(picture))
        nearest = (self.square - 2 * drawn @ self.cells.T).argmin(1)
        return self.cells[nearest].numpy(), self.names[nearest]


def shown(canvas):
    """The names of a canvas's cells; those of sky and ground without the step of their gradient"""
    known = world.cell_names()
    return np.array([re.sub(r'^(\w+\.[a-z]+)\.\d+$', r'\1', known[k])
                     for k in world.codes(canvas).ravel()])


def judge(read, source, target, drawn):
    """(followed, kept) of two canvases and a picture"""
    before, after = cells(source.picture()), cells(target.picture())
    changes = np.abs(before - after).mean(1) > ALIKE
    nearest, names = read(drawn)
    right = (names == shown(target)) | (np.abs(nearest - after).mean(1) <= ALIKE)
    return bool(right[changes].all()), bool(right[~changes].all())


def judge_codes(source, target, drawn):
    """The same of grids of codes"""
    changes, right = source != target, drawn == target
    return bool(right[changes].all()), bool(right[~changes].all())


# ---------------------------------------------------------------- codes
@torch.no_grad()
def answer(pipe, pictures, texts, seed=0):
    """(codes that the tower reads [n, ROWS, COLS], codes that the prior answers)"""
    torch.manual_seed(seed)
    read, answers = [], []
    for picture, text in zip(pictures, texts):
        chat = [dict(role='user', content=[dict(type='image', image=Image.fromarray(picture)),
                                           dict(type='text', text=text)])]
        inputs = pipe.processor.apply_chat_template(
            [chat], tokenize=True, target_h=ROWS * world.CELL, target_w=COLS * world.CELL,
            return_dict=True, return_tensors='pt')
        model = pipe.vision_language_encoder
        grid = inputs['image_grid_thw'][:1]
        features = model.get_image_features(inputs['pixel_values'], grid).pooler_output
        codes = model.get_image_tokens(torch.cat(list(features)), grid)
        read.append(codes.view(ROWS, COLS).numpy())
        out = model.generate(**inputs, do_sample=True, max_new_tokens=ROWS * COLS + 1)
        out = out[0, inputs['input_ids'].shape[1]:][:ROWS * COLS]
        answers.append(out.view(ROWS, COLS).numpy())
    return np.stack(read), np.stack(answers)


def codes_of_pairs(folder):
    pairs = list(edits.tests(COUNT, ROWS, COLS))
    sources = [render(s) for s, *_ in pairs]
    want = np.stack([world.codes(c) for c in sources])
    read, drawn = answer(open_pipeline(folder), [c.picture() for c in sources],
                         [text for *_, text in pairs])
    whole = (read == want).all((1, 2))
    print(f'the tower reads {(read == want).mean():.4f} of the cells, {whole.sum()}/{COUNT} '
          'sources without a mistake')
    goals = [world.codes(render(target)) for _, target, *_ in pairs]
    return report(pairs, [judge_codes(*grids) for grids in zip(want, goals, drawn)])


# ---------------------------------------------------------------- pictures
def draw(pipe, picture, text, seed):
    """A changed picture, by the reference or by (program, folder)"""
    size = dict(height=ROWS * world.CELL, width=COLS * world.CELL)
    if not isinstance(pipe, tuple):
        gen = torch.Generator().manual_seed(seed)
        return pipe(text, image=[Image.fromarray(picture)], num_inference_steps=20,
                    guidance_scale=1.5, generator=gen, **size).images[0]
    with tempfile.TemporaryDirectory() as where:
        Image.fromarray(picture).save(f'{where}/source.png')
        subprocess.run([pipe[0], 'generate', text, '--image', f'{where}/source.png', '-o',
                        f'{where}/out.png', '-m', pipe[1], '-S', str(seed),
                        '-H', str(size['height']), '-W', str(size['width'])],
                       check=True, capture_output=True)
        return Image.open(f'{where}/out.png').convert('RGB')


def pictures_of_pairs(pipe, out):
    pairs, marks, tiles = list(edits.tests(COUNT, ROWS, COLS)), [], []
    read = Reader(pairs)
    print(len(read.cells), 'cells of the world')
    for seed, (source, target, _, text) in enumerate(pairs):
        before, after = render(source), render(target)
        drawn = np.asarray(draw(pipe, before.picture(), text, seed))
        marks.append(judge(read, before, after, drawn))
        tiles.append(beside(before.picture(), drawn, marks[-1]))
    make_sheet(tiles, [text for *_, text in pairs]).save(out)
    return report(pairs, marks)


def beside(before, drawn, marks):
    """Source and result in one tile, and a bar below each that says whether it passed"""
    tile = Image.fromarray(np.concatenate([before, drawn], 1)).resize((256, 128), Image.LANCZOS)
    tall = Image.new('RGB', (256, 256), 'white')
    tall.paste(tile, (0, 64))
    pen = ImageDraw.Draw(tall)
    for k, ok in enumerate(marks):
        pen.rectangle([128 * k, 194, 128 * k + 126, 200], fill='green' if ok else 'red')
    return tall


def report(pairs, marks):
    """Prints what went wrong and the sums; 0 if both bars hold"""
    shown, good = collections.Counter(), collections.Counter()
    for (_, _, done, text), (followed, kept) in zip(pairs, marks):
        shown[done[0]] += 1
        good[done[0]] += followed and kept
        if not (followed and kept):
            print('  ' + ', '.join(['not followed'] * (not followed) + ['not kept'] * (not kept))
                  + f': {text}')
    print(', '.join(f'{kind} {good[kind]}/{shown[kind]}' for kind in shown))
    followed, kept = (sum(m[k] for m in marks) for k in range(2))
    print(f'followed {followed}/{len(marks)}, the rest kept {kept}/{len(marks)}, both '
          f'{sum(map(all, marks))}')
    return int(min(followed, kept) < LEAST)


if __name__ == '__main__':
    warnings.filterwarnings('ignore')
    torch.set_num_threads(int(os.environ.get('OMP_NUM_THREADS', 2)))
    program = os.environ.get('DARKROOM')
    if sys.argv[2] == 'codes':
        sys.exit(codes_of_pairs(sys.argv[1]))
    pipeline = (program, sys.argv[1]) if program else open_pipeline(sys.argv[1])
    sys.exit(pictures_of_pairs(pipeline, sys.argv[3]))
