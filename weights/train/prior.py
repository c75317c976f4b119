"""Trains the prior: prompt -> preview grid -> large grid, teacher forcing, endless fresh pictures.

The preview only repeats cells of the large grid, so most batches are *short*: the prompt and one
preview token a cell, which is all that ties picture to prompt, at a quarter of the cost. *Full*
batches hold the sequences that the pipeline produces; they teach the copying. The other sizes
come late.

usage: prior.py SECONDS [--from FOLDER | --resume] [--seed N]
       RUN/prior.seconds, if written while it runs, moves the end (and the decay with it)
"""
import argparse
import random
import time

import numpy as np
import torch
import torch.nn.functional as F

import words
import world
from common import CODES, GRIDS, IMAGE_END, RUN, VISION_VOCAB
from nets import Prior
from optim import Optimizer
from tokens import PromptTokens

TOKENS = 2600                      # of a batch, about
FOREIGN = .05
HELD_OUT = tuple(
    (random.Random(k).choice(world.SHAPES), *random.Random(100 + k).sample(list(world.COLOURS), 2))
    for k in range(24))            # shape, colour, background: never trained, for the evaluation


def new_cells(rows, cols):
    """Where each cell of the large grid stands in a short sequence: [(row, col)] of the preview.

    The first row that shows it, where it is news, and the last column: from that token the full
    sequence goes on to the next cell, so a short one asks the same question at the same place."""
    h, w = world.preview_size(rows, cols)
    row = [next(i for i in range(h) if int((i + .5) * rows / h) == r) for r in range(rows)]
    col = [max(j for j in range(w) if int((j + .5) * cols / w) == c) for c in range(cols)]
    return [(i, j) for i in row for j in col]


def plan(rows, cols, full):
    """Positions, relative to the end of the prompt, of the tokens that follow it: [3, n]"""
    if not full:
        return np.array([(0, r, c) for r, c in new_cells(rows, cols)]).T
    h, w = world.preview_size(rows, cols)
    small = [(0, r, c) for r in range(h) for c in range(w)]
    step = max(h, w)
    large = [(step, step + r, step + c) for r in range(rows) for c in range(cols)]
    return np.array(small + large).T


class Pictures:
    """Endless samples (prompt ids, picture ids)"""

    def __init__(self, seed):
        self.rng, self.encode = random.Random(seed), PromptTokens()

    def sample(self, rows, cols, full):
        rng = self.rng
        spec = world.sample_spec(rng, cols, HELD_OUT)
        text = words.foreign(spec, rng) if rng.random() < FOREIGN else words.prompt(spec, rng)
        grid = world.codes(world.render(spec, rows, cols, pixels=False))
        picture = grid.ravel()
        if full:
            picture = np.concatenate([world.preview(grid).ravel(), picture])
        return self.encode(text, rows, cols), picture

    def batches(self, rows, cols, full, count):
        """`count` batches with samples of similar length together"""
        where = plan(rows, cols, full)
        size = max(1, TOKENS // (where.shape[1] + 25))
        pool = sorted((self.sample(rows, cols, full) for _ in range(size * count)),
                      key=lambda s: len(s[0]))
        parts = [pool[i:i + size] for i in range(0, len(pool), size)]
        self.rng.shuffle(parts)
        return [self.collate(part, where) for part in parts]

    @staticmethod
    def collate(samples, where):
        n = where.shape[1]
        longest = max(len(p) for p, _ in samples) + n - 1
        ids = np.full((len(samples), longest), IMAGE_END)
        pos = np.zeros((len(samples), 3, longest), np.float32)
        last = np.array([[len(p) - 1] for p, _ in samples]) + np.arange(n)
        for k, (prompt, picture) in enumerate(samples):
            m = len(prompt)
            ids[k, :m], pos[k, :, :m] = prompt, np.arange(m)
            ids[k, m:m + n - 1], pos[k, :, m:m + n - 1] = picture[:-1], m + where[:, :-1]
        target = np.stack([picture for _, picture in samples])
        return [torch.from_numpy(a) for a in (ids, pos, last, target)]


def loss(model, ids, pos, last, target):
    """Cross-entropy of every picture token [B,n]"""
    with torch.autocast('cpu', torch.bfloat16):
        h = model(ids, pos)
        h = h.gather(1, last[..., None].expand(-1, -1, h.shape[-1]))
        logits = model.head(h)
    return F.cross_entropy(logits.float().flatten(0, 1), target.flatten(),
                           reduction='none').view(target.shape)


def choose(rng, progress):
    """(rows, cols, full) of the next batches"""
    late = progress > .6
    full = rng.random() < (.6 if late else .5)
    weights = (76, 7, 7, 3, 3, 4) if late else (94, 3, 3, 0, 0, 0)
    return (*rng.choices(GRIDS, weights)[0], full)


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


def save(model, optimizer):
    path = RUN / 'prior.pt'
    torch.save(dict(last=model.state_dict(), average=optimizer.average), f'{path}.new')
    path.with_suffix('.pt.new').rename(path)


def meet(model, me, other, met):
    """Leaves the weights for the twin process and moves half way to what it left, if new."""
    path, twin = RUN / f'prior.{me}.pt', RUN / f'prior.{other}.pt'
    torch.save(model.state_dict(), f'{path}.new')
    path.with_suffix('.pt.new').rename(path)
    left = twin.stat().st_mtime if twin.exists() else 0
    if left > met:
        with torch.no_grad():
            for mine, theirs in zip(model.state_dict().values(), torch.load(twin).values()):
                mine.lerp_(theirs, .5)
    return max(left, met)


def seconds_now(default):
    path = RUN / 'prior.seconds'
    return float(path.read_text()) if path.exists() else default


def train(args):
    torch.set_num_threads(1)
    torch.manual_seed(args.seed)
    model, pictures, rng = Prior(), Pictures(args.seed), random.Random(args.seed)
    begin(model)
    if args.resume:
        model.load_state_dict(torch.load(RUN / 'prior.pt')['last'])
    elif args.warm:
        warm(model, args.warm)
    if not args.resume:
        align_letters(model)
    optimizer = Optimizer(model, lambda n, p: p.dim() == 2 and 'layers' in n, lr_rest=4e-3,
                          decay=.02)
    print('parameters', sum(p.numel() for p in model.parameters()), flush=True)
    start, saved, seen, step, log = time.time(), 0, 0, 0, {}
    met = start
    while (spent := time.time() - start) < (limit := seconds_now(args.seconds)):
        progress = spent / limit
        rows, cols, full = kind = choose(rng, max(progress, args.late))
        for batch in pictures.batches(rows, cols, full, 8):
            factor = args.rate * min(1, (step + 1) / 60, (1 - progress) / .6 + .02)
            each = loss(model, *batch)
            each.mean().backward()
            optimizer.step(factor)
            step, seen = step + 1, seen + len(batch[0])
            log.setdefault(kind, []).append(each.mean().item())
        if args.twins and step % 16 == 0:
            met = meet(model, *args.twins, met)
        if step % 80 == 0:
            text = ', '.join(f'{r}x{c} {"full" if f else "short"} {np.mean(v):.4f}'
                             for (r, c, f), v in sorted(log.items()))
            print(f'{spent:.0f}s step {step} seen {seen}: {text}', flush=True)
            log = {}
        if time.time() - saved > 180 and (not args.twins or args.twins[0] < args.twins[1]):
            save(model, optimizer)
            saved = time.time()
    if not args.twins or args.twins[0] < args.twins[1]:
        save(model, optimizer)


if __name__ == '__main__':
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('seconds', type=float)
    parser.add_argument('--from', dest='warm', help='start from this exported folder')
    parser.add_argument('--resume', action='store_true', help='go on from RUN/prior.pt')
    parser.add_argument('--late', type=float, default=0, help='the least progress to choose by')
    parser.add_argument('--rate', type=float, default=1, help='factor of the learning rates')
    parser.add_argument('--twins', nargs=2, metavar=('ME', 'OTHER'),
                        help='two processes that average their weights; the first name saves')
    parser.add_argument('--seed', type=int, default=3)
    train(parser.parse_args())
