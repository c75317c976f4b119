"""Trains the image tokenizer: every cell of a picture gives its own code.

The world knows the name of each cell, so this is classification: the vision tower and the codebook
are trained until the nearest code, by the quantiser's cosine, is the cell's. They begin as
`codebook.py` left them, where a cell is read alone; attention adds its neighbours, which tell the
edge of a star on red from that on blue. Pictures are roughened as files and the model's own
pictures are.

usage: vision.py SECONDS [--resume]      -> RUN/vision.pt
"""
import argparse
import io
import random
import time

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from PIL import Image
from transformers import GlmImageConfig
from transformers.models.glm_image.modeling_glm_image import GlmImageVisionModel, GlmImageVQVAE

import edits
import world
from common import GRIDS, PRIOR, RUN
from nets import attend
from optim import Optimizer, save, seconds_now

PATCH = 16                         # the tower sees a cell at half size
TOKENS = 1024                      # of a batch
SHARES = (76, 8, 8, 8)             # of the grids


class Vision(nn.Module):
    """The vision tower and the quantiser: a lean forward over the reference's modules."""

    def __init__(self):
        super().__init__()
        config = GlmImageConfig(**PRIOR)
        self.tower = GlmImageVisionModel._from_config(config.vision_config)
        self.quantiser = GlmImageVQVAE._from_config(config.vq_config)
        self.sharp = nn.Parameter(torch.tensor(20.).log())       # of the softmax, for training
        self.heads = config.vision_config.num_heads

    def place(self, rows, cols):
        """What the table of positions adds to each cell of a grid [rows*cols, width]"""
        table = self.tower.embeddings.position_embedding.weight
        side = int(len(table) ** .5)
        y, x = ((torch.arange(n) + .5) / n * 2 - 1 for n in (rows, cols))
        at = torch.stack(torch.broadcast_tensors(x[None, :], y[:, None]), -1)[None]
        table = table.T.reshape(1, -1, side, side)
        out = F.grid_sample(table, at, align_corners=False, padding_mode='border')
        return out[0].flatten(1).T

    def forward(self, patches, rows, cols):
        """Cosines to every code [B, n, codes] of patches [B, n, 3*PATCH*PATCH]"""
        patch, (b, n, _) = self.tower.patch_embed.proj, patches.shape
        x = F.linear(patches, patch.weight.flatten(1), patch.bias) + self.place(rows, cols)
        for block in self.tower.blocks:
            q, k, v = block.attn.qkv(block.norm1(x)).view(b, n, 3, self.heads, -1).unbind(2)
            o = attend(*(t.transpose(1, 2) for t in (q, k, v)), 0)
            x = x + block.attn.proj(o.transpose(1, 2).flatten(2))
            x = x + block.mlp.fc2(F.gelu(block.mlp.fc1(block.norm2(x))))
        conv, codebook = self.quantiser.quant_conv, self.quantiser.quantize.embedding.weight
        z = F.linear(x, conv.weight.flatten(1), conv.bias)
        return F.normalize(z.float(), dim=-1) @ F.normalize(codebook.float(), dim=-1).T


def cut(picture):
    """uint8 [height, width, 3] -> [cells, 3*PATCH*PATCH], as the reference's processor gives it"""
    h, w, _ = picture.shape
    half = Image.fromarray(picture).resize((w // 2, h // 2), Image.BICUBIC)
    x = np.asarray(half).astype(np.float32) / 127.5 - 1
    x = x.reshape(h // 32, PATCH, w // 32, PATCH, 3).transpose(0, 2, 4, 1, 3)
    return x.reshape(-1, 3 * PATCH * PATCH)


def roughen(picture, rng, noise):
    """Cells of a picture as files and the model's own pictures are: compressed, a little off in
    colour, grainy"""
    if rng.random() < .2:
        file = io.BytesIO()
        Image.fromarray(picture).save(file, 'JPEG', quality=rng.randint(55, 95))
        picture = np.asarray(Image.open(file))
    patches = cut(picture)
    if rng.random() < .6:
        normal = lambda shape: noise.standard_normal(shape, np.float32)
        patches += normal(patches.shape) * np.float32(rng.uniform(0, .03))
        patches += normal(3).repeat(PATCH * PATCH) * np.float32(.02)
    return patches


class Pictures:
    def __init__(self, seed):
        self.rng, self.noise = random.Random(seed), np.random.default_rng(seed)

    def spec(self, rows, cols):
        u = self.rng.random()
        if u < .4:
            return world.sample_crowd(self.rng, rows, cols)
        if u < .8:
            return edits.sample_pair(self.rng, rows, cols)[1]
        return world.sample_spec(self.rng, cols)

    def batch(self, rows, cols, rough=True):
        patches, codes = [], []
        for _ in range(TOKENS // (rows * cols)):
            canvas = world.render(self.spec(rows, cols), rows, cols)
            picture = canvas.picture()
            patches.append(roughen(picture, self.rng, self.noise) if rough else cut(picture))
            codes.append(world.codes(canvas).ravel())
        return torch.from_numpy(np.stack(patches)), torch.from_numpy(np.stack(codes))


@torch.no_grad()
def judge(model, count=12):
    """Shares of cells, and of whole pictures, that are read right, of pictures not trained on"""
    out = []
    for rough in (False, True):
        pictures, cells, whole = Pictures(990), [], []
        for _ in range(count):
            patches, codes = pictures.batch(8, 8, rough)
            right = model(patches, 8, 8).argmax(-1) == codes
            cells.append(right.float().mean())
            whole.append(right.all(1).float().mean())
        out.append(f'cells {np.mean(cells):.4f}, pictures {np.mean(whole):.3f}')
    return f'clean: {out[0]}; rough: {out[1]}'


@torch.no_grad()
def begin(model):
    """From codebook.py; what attention and MLP add starts small."""
    old = torch.load(RUN / 'codebook.pt')
    model.tower.load_state_dict(old['vision'])
    model.quantiser.load_state_dict(old['quantiser'])
    for block in model.tower.blocks:
        for linear in (block.attn.proj, block.mlp.fc2):
            linear.weight.normal_(std=.02)
    model.tower.embeddings.position_embedding.weight.normal_(std=.02)


def keep(model):
    """RUN/vision.pt: both parts, for export.py"""
    torch.save(dict(vision=model.tower.state_dict(), quantiser=model.quantiser.state_dict()),
               RUN / 'vision.pt')


def train(args):
    torch.set_num_threads(1)
    torch.manual_seed(6)
    model, average, pictures, rng = Vision(), Vision(), Pictures(args.seed), random.Random(6)
    if args.resume:
        model.load_state_dict(torch.load(RUN / 'tower.pt')['last'])
    else:
        begin(model)
    print(judge(model), flush=True)
    optimizer = Optimizer(model, lambda n, p: p.dim() == 2 and 'blocks' in n, decay=.01)
    start, saved, step, log = time.time(), time.time(), 0, []
    while (spent := time.time() - start) < (limit := seconds_now('vision', args.seconds)):
        grid, = rng.choices(GRIDS, SHARES)
        patches, codes = pictures.batch(*grid)
        value = F.cross_entropy((model(patches, *grid) * model.sharp.exp()).flatten(0, 1),
                                codes.flatten(), label_smoothing=.01)
        value.backward()
        optimizer.step(args.rate * min(1, (step + 1) / 40, (1 - spent / limit) / .6 + .02))
        step += 1
        log.append(value.item())
        if step % 50 == 0:
            print(f'{spent:.0f}s step {step}: {np.mean(log):.4f}', flush=True)
            log = []
        if time.time() - saved > 120 or spent + 2 > limit:
            average.load_state_dict(optimizer.average)
            print('  held out', judge(average), flush=True)
            keep(average)
            save('tower', model, optimizer)
            saved = time.time()
    average.load_state_dict(optimizer.average)
    print('held out', judge(average, 40), flush=True)
    keep(average)
    save('tower', model, optimizer)


@torch.no_grad()
def check():
    """The lean forward against the reference modules."""
    model, (rows, cols) = Vision(), (8, 12)
    for p in model.parameters():
        p.add_(torch.randn_like(p) * .02)
    patches = torch.randn(1, rows * cols, 3 * PATCH * PATCH)
    cosines = model(patches, rows, cols)[0]
    x = model.tower(patches[0], torch.tensor([[1, rows, cols]])).last_hidden_state
    z, codebook = (model.quantiser.quant_conv(x.view(1, rows, cols, -1).permute(0, 3, 1, 2)),
                   model.quantiser.quantize.embedding.weight)
    theirs = F.normalize(z[0].flatten(1).T, dim=1) @ F.normalize(codebook, dim=1).T
    print('vision', (cosines - theirs).abs().max().item())


if __name__ == '__main__':
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('seconds', type=float, help='0: only check the forward')
    parser.add_argument('--resume', action='store_true', help='go on from RUN/tower.pt')
    parser.add_argument('--rate', type=float, default=1, help='factor of the learning rates')
    parser.add_argument('--seed', type=int, default=7)
    arguments = parser.parse_args()
    train(arguments) if arguments.seconds else check()
