"""The image tokenizer, without training: picture -> codes.

The vision tower becomes a linear map (63 principal components of the cells that occur and a
constant, which keeps grey levels apart after the quantiser's normalisation; attention and MLP
give zero), the codebook holds the mean cell of every name. A name stands for a cell on any
background, so an edge cell is often read as a similar one: good enough for an overview of a
picture, not a lossless code. Text to image does not use it.

usage: codebook.py [PICTURES]      -> RUN/codebook.pt
"""
import random
import sys

import numpy as np
import torch
import torch.nn.functional as F
from transformers import GlmImageConfig
from transformers.models.glm_image.modeling_glm_image import GlmImageVisionModel, GlmImageVQVAE

import world
from common import CODES, CODE_WIDTH, PRIOR, RUN

PATCH = 16                         # the tower sees a cell at half size


def patches(picture):
    """[cells, PATCH*PATCH*3] in -1..1"""
    h, w, _ = picture.shape
    half = picture.reshape(h // 2, 2, w // 2, 2, 3).astype(np.float32).mean((1, 3))
    cut = half.reshape(h // 32, PATCH, w // 32, PATCH, 3).transpose(0, 2, 1, 3, 4)
    return cut.reshape(-1, PATCH * PATCH * 3) / 127.5 - 1


def collect(rng, count):
    cells, names = [], []
    for _ in range(count):
        canvas = world.render(world.sample_spec(rng, 8), 8, 8)
        cells.append(patches(canvas.picture()))
        names.append(world.codes(canvas).ravel())
    return torch.from_numpy(np.concatenate(cells)), torch.from_numpy(np.concatenate(names))


def mean_cells(cells, code):
    count = torch.bincount(code, minlength=CODES).float()
    mean = torch.zeros(CODES, cells.shape[1]).index_add_(0, code, cells)
    return mean / count.clamp_min(1)[:, None], count > 0


def components(cells, code):
    """Principal components with common cells weighing less; [768, width - 1], centre [768]"""
    weight = torch.bincount(code, minlength=CODES).float()[code] ** -.5
    centre = (cells * weight[:, None]).sum(0) / weight.sum()
    scaled = (cells - centre) * weight[:, None].sqrt()
    _, vector = torch.linalg.eigh(scaled.T @ scaled)
    return vector.flip(1)[:, :CODE_WIDTH - 1], centre


@torch.no_grad()
def write(axes, centre, level, codebook):
    config = GlmImageConfig(**PRIOR)
    vision = GlmImageVisionModel._from_config(config.vision_config)
    quantiser = GlmImageVQVAE._from_config(config.vq_config)
    for block in vision.blocks:
        for linear in (block.attn.proj, block.mlp.fc2):
            linear.weight.zero_()
            linear.bias.zero_()
    vision.embeddings.position_embedding.weight.zero_()
    patch = vision.patch_embed.proj
    patch.weight.zero_()
    patch.bias.zero_()
    n = CODE_WIDTH - 1
    patch.weight[:n] = axes.T.reshape(n, PATCH, PATCH, 3).permute(0, 3, 1, 2)
    patch.bias[:n] = -(centre @ axes)
    patch.bias[n] = level
    quantiser.quant_conv.weight.zero_()
    quantiser.quant_conv.bias.zero_()
    quantiser.quant_conv.weight[range(CODE_WIDTH), range(CODE_WIDTH)] = 1
    quantiser.quantize.embedding.weight.copy_(codebook)
    torch.save(dict(vision=vision.state_dict(), quantiser=quantiser.state_dict()),
               RUN / 'codebook.pt')


def main(count=5000):
    torch.manual_seed(0)
    cells, code = collect(random.Random(21), int(count))
    mean, seen = mean_cells(cells, code)
    axes, centre = components(cells, code)
    project = lambda x: (x - centre) @ axes
    level = project(cells).norm(dim=1).median() * 1.5
    feature = lambda x: F.normalize(F.pad(project(x), (0, 1), value=level.item()), dim=1)
    codebook = torch.zeros(CODES, CODE_WIDTH)
    codebook[:, -1] = -1                       # never nearest
    codebook[seen] = feature(mean[seen])
    write(axes, centre, level, codebook)
    right = torch.cat([(feature(c) @ codebook.T).argmax(1) == k
                       for c, k in zip(cells.split(8192), code.split(8192))])
    print(f'{seen.sum().item()} codes, {right.float().mean():.3f} of cells read as their own code')


if __name__ == '__main__':
    main(*sys.argv[1:])
