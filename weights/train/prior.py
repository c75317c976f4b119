"""Trains the prior: prompt -> preview grid -> large grid, teacher forcing, endless fresh pictures.

The preview only repeats cells of the large grid, so many batches are cheaper than what the pipeline
produces. *Short* ones hold the prompt and one preview token a cell, which is all that ties picture
to prompt; *middle* ones the large grid too, which copies those; *preview* ones the whole preview,
*full* ones everything. *Word* ones hold signs only and of those the row with the letters, any
letters: to spell is to copy.

*Edit* ones hold a source picture's codes, an instruction and the codes of the changed picture, as
the pipeline has them: no preview. *Crowd* ones are edits of pictures as full as can be: that a cell
is found in the source by its row and column, whatever the length of the text between, is learnt
where nothing else tells what stands there.

usage: prior.py SECONDS [--from FOLDER [--whole] | --resume] [--edits SHARE] [--seed N]
       RUN/prior.seconds, if written while it runs, moves the end (and the decay with it)
"""
import argparse
import random
import time

import numpy as np
import torch
import torch.nn.functional as F

import edit_words
import edits
import words
import world
from common import CODES, GRIDS, IMAGE_END, RUN, VISION_VOCAB
from nets import HALF, Prior
from optim import Optimizer, save, seconds_now
from tokens import PromptTokens

TOKENS = 2600                      # of a batch, about
KINDS = ('short', 'middle', 'preview', 'full')
FOREIGN = .05                      # of the prompts
NEWS = 2.                          # additional weight of a cell that differs from the one before
CHANGE = 4.                        # and of one that differs from the source
LOOK = .15                         # weight of the loss of attention, for each of
LOOKING = (3, 4, 5)                # these layers: a head should look at the source's own cell
MISREAD = .01                      # of the cells of some sources, as the vision tower may


def new_cells(rows, cols):
    """Where each cell of the large grid stands in a short sequence: [(row, col)] of the preview.

    The first row that shows it, where it is news, and the last column: from that token the full
    sequence goes on to the next cell, so a short one asks the same question at the same place."""
    h, w = world.preview_size(rows, cols)
    row = [next(i for i in range(h) if int((i + .5) * rows / h) == r) for r in range(rows)]
    col = [max(j for j in range(w) if int((j + .5) * cols / w) == c) for c in range(cols)]
    return [(i, j) for i in row for j in col]


def plan(rows, cols, kind):
    """Positions, relative to the end of the prompt, of the tokens that follow it: [3, n]"""
    if kind == 'word':
        r = world.sign_row(rows)
        return np.array([(0, *at) for at in new_cells(rows, cols)[r * cols:(r + 1) * cols]]).T
    if kind in ('edit', 'crowd'):
        return np.array([(0, r, c) for r in range(rows) for c in range(cols)]).T
    h, w = world.preview_size(rows, cols)
    seen = [(r, c) for r in range(h) for c in range(w)] if kind in ('full', 'preview') \
        else new_cells(rows, cols)
    small = [(0, r, c) for r, c in seen]
    step = max(h, w)
    large = [(step, step + r, step + c) for r in range(rows) for c in range(cols)]
    return np.array(small + large * (kind in ('full', 'middle'))).T


def text_places(n):
    """Positions of n tokens of text from the start on [3, n]"""
    return np.tile(np.arange(n), (3, 1))


def source_places(rows, cols, n):
    """Positions of a prompt of n tokens that begins with a source: mark, cells, mark, text"""
    cells = [(1, 1 + r, 1 + c) for r in range(rows) for c in range(cols)]
    text = text_places(n - 1 - rows * cols) + 1 + max(rows, cols)
    return np.concatenate([np.zeros((3, 1), int), np.array(cells).T, text], 1)


class Pictures:
    """Endless samples (prompt ids, their positions, picture ids)"""

    def __init__(self, seed):
        self.rng, self.encode = random.Random(seed), PromptTokens()

    def pair(self, rows, cols, kind):
        """(source grid, instruction, target grid)"""
        rng = self.rng
        source, target, done = (edits.crowded_pair if kind == 'crowd' else edits.sample_pair)(
            rng, rows, cols)
        grids = [world.codes(world.render(s, rows, cols, pixels=False)) for s in (source, target)]
        if rng.random() < .3:
            wrong = np.random.default_rng(rng.getrandbits(32)).random(grids[0].shape) < MISREAD
            grids[0][wrong] = rng.choices(range(len(world.cell_names())), k=wrong.sum())
        return grids[0], edit_words.instruction(done, rng), grids[1]

    def sample_edit(self, rows, cols, kind):
        source, text, target = self.pair(rows, cols, kind)
        prompt = self.encode.edit(source, text, rows, cols)
        return prompt, source_places(rows, cols, len(prompt)), target.ravel()

    def sample(self, rows, cols, kind):
        rng = self.rng
        if kind in ('edit', 'crowd'):
            return self.sample_edit(rows, cols, kind)
        if kind == 'word':
            spec = world.sample_scene(rng, cols, sign=True)
            spec['word'] = ''.join(rng.choices(world.LETTERS, k=rng.choice((2, 3, 4, 5, 5))))
        else:
            spec = world.sample_spec(rng, cols, world.HELD_OUT)
        text = words.foreign(spec, rng) if rng.random() < FOREIGN else words.prompt(spec, rng)
        grid = world.codes(world.render(spec, rows, cols, pixels=False))
        small = world.preview(grid)
        parts = dict(short=[grid], middle=[grid, grid], full=[small, grid], preview=[small],
                     word=[grid[world.sign_row(rows)]])[kind]
        prompt = self.encode(text, rows, cols)
        return prompt, text_places(len(prompt)), np.concatenate([p.ravel() for p in parts])

    def batches(self, rows, cols, kind, count):
        """`count` batches with samples of similar length together; edits of any length, as the way
        back to the source is learnt from texts of many lengths at once"""
        where = plan(rows, cols, kind)
        source = rows * cols if kind in ('edit', 'crowd') else 0
        size = max(1, TOKENS // (where.shape[1] + source + 25))
        pool = [self.sample(rows, cols, kind) for _ in range(size * count)]
        if not source:
            pool.sort(key=lambda s: len(s[0]))
        parts = [pool[i:i + size] for i in range(0, len(pool), size)]
        self.rng.shuffle(parts)
        batches = [self.collate(part, where) for part in parts]
        if kind == 'word':         # the first cell is given: the prompt alone is followed by others
            batches = [(ids, pos, last[:, 1:], target[:, 1:]) for ids, pos, last, target in batches]
        return batches

    @staticmethod
    def collate(samples, where):
        n = where.shape[1]
        longest = max(len(p) for p, *_ in samples) + n - 1
        ids = np.full((len(samples), longest), IMAGE_END)
        pos = np.zeros((len(samples), 3, longest), np.float32)
        last = np.array([[len(p) - 1] for p, *_ in samples]) + np.arange(n)
        for k, (prompt, places, picture) in enumerate(samples):
            m = len(prompt)
            ids[k, :m], pos[k, :, :m] = prompt, places
            ids[k, m:m + n - 1] = picture[:-1]
            pos[k, :, m:m + n - 1] = places[0, -1] + 1 + where[:, :-1]
        target = np.stack([picture for *_, picture in samples])
        return [torch.from_numpy(a) for a in (ids, pos, last, target)]


def loss(model, ids, pos, last, target, seen=None):
    """Cross-entropy of every picture token [B,n]"""
    with torch.autocast('cpu', torch.bfloat16, enabled=HALF):
        h = model(ids, pos, seen)
        h = h.gather(1, last[..., None].expand(-1, -1, h.shape[-1]))
        logits = model.head(h)
    return F.cross_entropy(logits.float().flatten(0, 1), target.flatten(),
                           reduction='none').view(target.shape)


def astray(seen, last):
    """How little the heads look at the cell of the source that the next token is about: cross-entropy
    of the best of them. Text stands between, of any length, so rows and columns of the source are
    found by no fixed distance; from the tokens alone this is learnt very slowly."""
    n, out = last.shape[1], 0.
    for layer in LOOKING:
        weight = seen[layer].float()
        rows = weight.gather(2, last[:, None, :, None].expand(-1, weight.shape[1], -1,
                                                              weight.shape[3]))
        right = rows[..., 1:1 + n].diagonal(dim1=2, dim2=3)
        out = out - right.sum(1).clamp(1e-6, 1).log().mean()
    return out


def news(ids, pos, last, target):
    """Weights [B,n]: a cell that differs from the one before counts more. What is rarely seen is
    uncertain, and an uncertain model goes on with the background: the picture stays empty."""
    return 1 + NEWS * (target != ids.gather(1, last))


def weigh(kind, ids, pos, last, target):
    """Weights of the loss [B,n]: news, and in an edit what the source has not."""
    weight = news(ids, pos, last, target)
    if kind in ('edit', 'crowd'):
        weight = weight + CHANGE * (target != ids[:, 1:1 + target.shape[1]])
    return weight


def choose(rng, progress, share):
    """(rows, cols, kind) of the next batches; `share` of them are edits"""
    late = progress > .6
    if rng.random() < share:
        grid, = rng.choices(GRIDS, (76, 8, 8, 8) if late else (100, 0, 0, 0))
        return (*grid, 'crowd' if rng.random() < .35 * (1 - progress) else 'edit')
    if rng.random() < (.08 if late else .12):
        return 8, 8, 'word'
    kind, = rng.choices(KINDS, (15, 15, 30, 40) if late else (30, 20, 35, 15))
    weights = (52, 16, 16, 16) if late else (76, 8, 8, 8)
    return (*rng.choices(GRIDS, weights)[0], kind)


def begin(model):
    """Codes whose names share parts start alike, in the embedding and in the head."""
    for name, p in model.named_parameters():
        if p.dim() > 1:
            p.data.normal_(std=.5 if 'embed' in name else p.shape[1] ** -.5)
    width, part_of = model.head.weight.shape[1], {}
    gen = torch.Generator().manual_seed(1)
    vector = lambda key: part_of.setdefault(key, torch.randn(width, generator=gen))
    for k, name in enumerate(world.cell_names()):
        parts = name.split('.')
        keys = set(parts) | {name, '.'.join(parts[:2])}
        v = sum(vector(key) for key in sorted(keys)) / len(keys) ** .5
        model.lm.embed_tokens.weight.data[k] = .5 * v
        model.head.weight.data[k] = .3 * width ** -.5 * v


def align_letters(model):
    """The code of a letter starts as the letter's text token, so that spelling is copying."""
    vocab, codes = PromptTokens().bpe.get_vocab(), world.code_of()
    width, embed = model.head.weight.shape[1], model.lm.embed_tokens.weight.data
    for letter in world.LETTERS:
        text = embed[vocab[letter]]
        text = text / text.std()
        k = codes[f'letter.{letter}']
        embed[k] = .35 * text + .7 * embed[k]
        model.head.weight.data[k] = .2 * width ** -.5 * text + .7 * model.head.weight.data[k]


def warm(model, folder):
    """Trunk and text embeddings of an exported model; text tokens are matched by their string."""
    from safetensors.torch import load_file
    from tokenizers import Tokenizer
    old = load_file(f'{folder}/vision_language_encoder/model.safetensors')
    prefix, own = 'model.language_model.', model.lm.state_dict()
    for k in own:
        if k != 'embed_tokens.weight':
            own[k].copy_(old[prefix + k])
    vocab = Tokenizer.from_file(f'{folder}/processor/tokenizer.json').get_vocab()
    for text, k in PromptTokens().bpe.get_vocab().items():
        if k >= VISION_VOCAB and text in vocab:
            own['embed_tokens.weight'][k].copy_(old[prefix + 'embed_tokens.weight'][vocab[text]])


def whole(model, folder):
    """All of an exported model, whose codes and tokens are these."""
    from safetensors.torch import load_file
    old = load_file(f'{folder}/vision_language_encoder/model.safetensors')
    prefix = 'model.language_model.'
    model.lm.load_state_dict({k.removeprefix(prefix): v for k, v in old.items()
                              if k.startswith(prefix)})
    model.head.weight.data.copy_(old['lm_head.weight'])


class Judge:
    """Held-out pairs and prompts, teacher forced: what the prior would do if it never strayed."""

    def __init__(self, pictures):
        self.pairs = []
        for source, target, _, text in edits.tests(48):
            grids = [world.codes(world.render(s, 8, 8, pixels=False)) for s in (source, target)]
            prompt = pictures.encode.edit(grids[0], text, 8, 8)
            self.pairs.append((prompt, source_places(8, 8, len(prompt)), grids[1].ravel()))
        drawn = Pictures(5511)
        self.prompts = drawn.batches(8, 8, 'full', 3)

    @torch.no_grad()
    def __call__(self, model):
        right, changed, kept = [], [], []
        for i in range(0, len(self.pairs), 16):
            ids, pos, last, target = Pictures.collate(self.pairs[i:i + 16], plan(8, 8, 'edit'))
            h = model(ids, pos).gather(1, last[..., None].expand(-1, -1, model.head.in_features))
            hit, same = model.head(h).argmax(-1) == target, target == ids[:, 1:65]
            right.append(hit.all(1)), changed.append((hit | same).all(1))
            kept.append((hit | ~same).all(1))
        full = np.mean([loss(model, *batch).mean().item() for batch in self.prompts])
        count = lambda marks: int(torch.cat(marks).sum())
        return (f'of 48 pairs followed {count(changed)}, rest unchanged {count(kept)}, both '
                f'{count(right)}; text to image {full:.4f}')


def train(args):
    torch.set_num_threads(1)
    torch.manual_seed(args.seed)
    model, pictures, rng = Prior(), Pictures(args.seed), random.Random(args.seed)
    begin(model)
    if args.resume:
        model.load_state_dict(torch.load(RUN / 'prior.pt')['last'])
    elif args.warm:
        (whole if args.whole else warm)(model, args.warm)
    if not args.resume and not args.whole:
        align_letters(model)
    optimizer = Optimizer(model, lambda n, p: p.dim() == 2 and 'layers' in n, lr_rest=4e-3,
                          decay=.02)
    print('parameters', sum(p.numel() for p in model.parameters()), flush=True)
    average, judge = Prior(), Judge(pictures)
    start, saved, count, step, log, ready = time.time(), time.time(), 0, 0, {}, {}
    while (spent := time.time() - start) < (limit := seconds_now('prior', args.seconds)):
        progress = spent / limit
        what = choose(rng, max(progress, args.late), args.edits)
        if not ready.get(what):
            ready[what] = pictures.batches(*what, 8)
        batch = ready[what].pop()
        with_source, seen = what[2] in ('edit', 'crowd'), []
        each, weight = loss(model, *batch, seen if with_source else None), weigh(what[2], *batch)
        value = (each * weight).sum() / weight.sum()
        if with_source:
            missed = astray(seen, batch[2])
            value = value + LOOK * missed
            log.setdefault((0, 0, 'astray'), []).append(missed.item() / len(LOOKING))
        value.backward()
        optimizer.step(args.rate * min(1, (step + 1) / 60, (1 - progress) / .6 + .02))
        step, count = step + 1, count + len(batch[0])
        log.setdefault(what, []).append(each.mean().item())
        if step % 40 == 0:
            text = ', '.join(f'{r}x{c} {kind} {np.mean(v):.4f}'
                             for (r, c, kind), v in sorted(log.items()))
            print(f'{spent:.0f}s step {step} seen {count}: {text}', flush=True)
            log = {}
        if time.time() - saved > 180:
            average.load_state_dict(optimizer.average)
            print('  held out:', judge(average), flush=True)
            save('prior', model, optimizer)
            saved = time.time()
    average.load_state_dict(optimizer.average)
    print('held out:', judge(average), flush=True)
    save('prior', model, optimizer)


if __name__ == '__main__':
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('seconds', type=float)
    parser.add_argument('--from', dest='warm', help='start from this exported folder')
    parser.add_argument('--whole', action='store_true', help='all of that folder, codes too')
    parser.add_argument('--edits', type=float, default=.35, help='share of batches with a source')
    parser.add_argument('--resume', action='store_true', help='go on from RUN/prior.pt')
    parser.add_argument('--late', type=float, default=0, help='the least progress to choose by')
    parser.add_argument('--rate', type=float, default=1, help='factor of the learning rates')
    parser.add_argument('--seed', type=int, default=3)
    train(parser.parse_args())
