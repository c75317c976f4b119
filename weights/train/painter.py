"""Trains the diffusion transformer and its glyph encoder: codes + noise -> latents, flow matching.

Edits are drawn with the source picture in view, as the pipeline does, and some without it.

usage: painter.py SECONDS [--from FOLDER [--whole] | --resume] [--rate F] [--seed N]
       RUN/painter.seconds, if written while it runs, moves the end (and the decay with it)
"""
import argparse
import time

import numpy as np
import torch
import torch.nn.functional as F

from common import CODES, DIT, RUN
from nets import HALF, Painter, glyph_ids
from optim import Optimizer, save, seconds_now

PATCHES = 3072                     # of a batch
NO_PRIOR = .1                      # share of samples without prior and text, for guidance
SETS = dict(square=.4, wide=.05, tall=.05, large=.08)      # of latents.py: share of the batches
EDITS = {'edits': .32, 'edits-wide': .03, 'edits-tall': .03, 'edits-large': .04}
ALONE = .3                         # of the batches of edits draw the target without its source
WIDTH = DIT['num_attention_heads'] * DIT['attention_head_dim']
GLYPHS = 6                         # longest word + the end mark


class Latents:
    """One file of latents.py: batches of pictures of one size."""

    def __init__(self, name):
        data = np.load(RUN / 'latents' / f'{name}.npz')
        self.latents = torch.from_numpy(data['latents'])
        self.grids = torch.from_numpy(data['grids'])
        self.glyphs = torch.zeros(len(self.latents), GLYPHS, dtype=torch.long)
        for row, word in zip(self.glyphs, data['words']):
            ids = glyph_ids(str(word))
            row[:len(ids)] = torch.tensor(ids)
        self.sources = [torch.from_numpy(data[k]) for k in ('sources', 'source_grids')] \
            if 'sources' in data else None
        h, w = self.latents.shape[-2:]
        self.patches, self.size = h * w // 4, torch.tensor([8. * h, 8. * w])

    def prior(self, index, grids=None):
        grid = (self.grids if grids is None else grids)[index].long()
        return grid.repeat_interleave(2, 1).repeat_interleave(2, 2).flatten(1)


def remember(model, data, index):
    """The sources of a batch, as the pipeline shows them before it draws. Not learnt through: the
    same weights learn to draw the picture, and what they keep of a source is to be read."""
    latents, grids = data.sources
    with torch.no_grad(), torch.autocast('cpu', torch.bfloat16, enabled=HALF):
        return model.remember(latents[index].float(), data.prior(index, grids),
                              data.size.expand(len(index), 2))


def loss(model, data, index, sigma, noise, drop, alone=False):
    """Squared error of the velocity [B]; `alone` leaves the sources out"""
    source = remember(model, data, index) if data.sources and not alone else None
    x, s = data.latents[index].float(), sigma.view(-1, 1, 1, 1)
    nothing = F.pad(torch.ones(1, dtype=torch.long), (0, GLYPHS - 1))
    glyphs = torch.where(drop[:, None], nothing, data.glyphs[index])
    with torch.autocast('cpu', torch.bfloat16, enabled=HALF):
        v = model((1 - s) * x + s * noise, glyphs, (glyphs > 0).long(), data.prior(index), drop,
                  1000 * sigma - 1, data.size.expand(len(index), 2), source, ~drop)
    return ((v.float() - (noise - x)) ** 2).mean((1, 2, 3))


def sample_sigma(n):
    """Stratified; half uniform, half logit-normal"""
    u = (torch.rand(1) + torch.arange(n) / n) % 1
    bell = torch.sigmoid(torch.special.ndtri(u.clamp(1e-4, 1 - 1e-4)) + .2)
    sigma = torch.where(torch.rand(n) < .5, u, bell)
    return sigma[torch.randperm(n)].clamp(.002, 1)


def train_batch(model, data):
    n = max(1, PATCHES // data.patches)
    index = torch.randint(0, len(data.latents), (n,))
    return loss(model, data, index, sample_sigma(n), torch.randn_like(data.latents[index].float()),
                torch.rand(n) < NO_PRIOR, torch.rand(1).item() < ALONE).mean()


def load_sets():
    """The files that there are, and their shares"""
    found = {name: share for name, share in (SETS | EDITS).items()
             if (RUN / 'latents' / f'{name}.npz').exists()}
    return [Latents(name) for name in found], list(found.values())


def judge(model):
    """Velocity errors on the files that are not trained on"""
    lines = []
    for name in ('val', 'edits-val'):
        if (RUN / 'latents' / f'{name}.npz').exists():
            data = Latents(name)
            lines.append(f'{name} {validate(model, data, True)}')
            lines += [f'{name} with its source {validate(model, data)}'] * bool(data.sources)
    return '\n    '.join(lines)


@torch.no_grad()
def validate(model, data, alone=False):
    gen, out = torch.Generator().manual_seed(9), []
    for i in range(0, len(data.latents), 16):
        index = torch.arange(i, i + 16)
        noise = torch.randn(data.latents[index].shape, generator=gen)
        sigma = (torch.arange(16) + .5) / 16
        out.append(loss(model, data, index, sigma, noise, torch.zeros(16, dtype=torch.bool),
                        alone))
    by_sigma = torch.stack(out).mean(0)
    return f'{by_sigma.mean():.4f} ' + ' '.join(f'{v:.3f}' for v in by_sigma[::3])


# ---------------------------------------------------------------- beginning
def begin(model):
    for name, p in model.named_parameters():
        if name.startswith('t5'):
            if 'relative' in name:
                p.data.normal_(std=.1)
            elif p.dim() > 1:
                scale = 1. if 'shared' in name else p.shape[-1] ** -.5
                p.data.normal_(std=scale * (.4 if '.q.' in name else 1))
        elif 'norm1.linear' in name or 'norm_out' in name:
            p.data.normal_(std=.01) if p.dim() > 1 else p.data.zero_()
            if name.endswith('norm1.linear.bias'):
                for gate in (4, 5, 10, 11):
                    p.data[gate * WIDTH:(gate + 1) * WIDTH] = .3
        elif p.dim() > 1:
            p.data.normal_(std=.002 if 'proj_out' in name else p.shape[1] ** -.5)
        else:
            p.data.zero_()


@torch.no_grad()
def prior_from_latents(model, data):
    """Prior table = partly whitened principal components of the mean latent block of each code,
    behind a projector that is nearly the identity; codes that never occur get the mean."""
    grid, n = data.grids.long(), len(data.latents)
    rows, cols = grid.shape[1:]
    block = data.latents.float().view(n, 16, rows, 4, cols, 4).permute(0, 2, 4, 1, 3, 5)
    block, code = block.reshape(-1, 256), grid.flatten()
    count = torch.bincount(code, minlength=CODES).float()
    mean = torch.zeros(CODES, 256).index_add_(0, code, block) / count.clamp_min(1)[:, None]
    seen = count > 0
    centred = torch.where(seen[:, None], mean - mean[seen].mean(0), 0.)
    value, vector = torch.linalg.eigh(centred.T @ centred / seen.sum())
    value, vector = value.flip(0)[:WIDTH], vector.flip(1)[:, :WIDTH]
    table = centred @ vector * value.clamp_min(1e-4) ** -.25
    model.dit.prior_token_embedding.weight.copy_(table / table[seen].std())
    turn = torch.linalg.qr(torch.randn(WIDTH, WIDTH))[0]
    inner, outer = model.dit.prior_projector.net[0].proj, model.dit.prior_projector.net[2]
    inner.weight.copy_(.7 * turn)
    inner.bias.fill_(1.5)
    outer.weight.copy_(1.5 * turn.T)
    outer.bias.copy_(-(outer.weight @ F.silu(inner.bias)))
    print(f'{seen.sum().item()} codes occur', flush=True)


def warm(model, folder, whole):
    """Everything, or everything but the prior table and projector, of an exported model."""
    from safetensors.torch import load_file
    old = load_file(f'{folder}/transformer/diffusion_pytorch_model.safetensors')
    old = {k: v for k, v in old.items() if whole or 'prior' not in k}
    model.dit.load_state_dict(old, strict=whole)
    model.t5.load_state_dict(load_file(f'{folder}/text_encoder/model.safetensors'), strict=False)


def train(args):
    torch.set_num_threads(1)
    torch.manual_seed(args.seed)
    model, (sets, shares) = Painter(), load_sets()
    if args.resume:
        model.load_state_dict(torch.load(RUN / 'painter.pt')['last'])
    else:
        begin(model)
        if args.warm:
            warm(model, args.warm, args.whole)
        if not args.whole:
            prior_from_latents(model, sets[0])
    optimizer = Optimizer(
        model, lambda n, p: p.dim() == 2 and 'transformer_blocks' in n and 'norm1' not in n,
        decay=.02)
    average = Painter()
    start, saved, seen, step, log = time.time(), time.time(), 0, 0, []
    while (spent := time.time() - start) < (limit := seconds_now('painter', args.seconds)):
        data = sets[torch.multinomial(torch.tensor(shares), 1).item()]
        factor = args.rate * min(1, (step + 1) / 60, (1 - spent / limit) / .6 + .02)
        value = train_batch(model, data)
        value.backward()
        optimizer.step(factor)
        step, seen = step + 1, seen + max(1, PATCHES // data.patches)
        log.append(value.item())
        if step % 50 == 0:
            print(f'{spent:.0f}s step {step} seen {seen}: {np.mean(log):.4f}', flush=True)
            log = []
        if time.time() - saved > 240:
            average.load_state_dict(optimizer.average)
            print('  held out', judge(average), flush=True)
            save('painter', model, optimizer)
            saved = time.time()
    average.load_state_dict(optimizer.average)
    print('  held out', judge(average), flush=True)
    save('painter', model, optimizer)


if __name__ == '__main__':
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('seconds', type=float)
    parser.add_argument('--from', dest='warm', help='start from this exported folder')
    parser.add_argument('--whole', action='store_true', help='all of that folder')
    parser.add_argument('--resume', action='store_true', help='go on from RUN/painter.pt')
    parser.add_argument('--rate', type=float, default=1, help='factor of the learning rates')
    parser.add_argument('--seed', type=int, default=4)
    train(parser.parse_args())
