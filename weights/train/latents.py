"""Pictures of the world as VAE latents: what the diffusion model is trained on.

Edits (COUNT pairs) hold the source's latents and codes too.

usage: latents.py NAME ROWS COLS COUNT SEED [CROWDED]      -> RUN/latents/NAME.npz
       CROWDED is the share of crowded pictures, see world.py, or the word "edits"
"""
import random
import sys

import numpy as np
import torch
from diffusers import AutoencoderKL

import edits
import world
from common import RUN

CROWDS = .35                       # of the sources are as full as can be


def encode(vae, picture):
    mean, std = (torch.tensor(vae.config[k]).view(1, -1, 1, 1)
                 for k in ('latents_mean', 'latents_std'))
    x = torch.from_numpy(picture.copy()).permute(2, 0, 1)[None].float() / 127.5 - 1
    x = x.contiguous(memory_format=torch.channels_last)
    return ((vae.encode(x).latent_dist.mode() - mean) / std)[0].half().numpy()


def read(canvas):
    return world.codes(canvas).astype(np.int16)


def pairs(vae, rng, rows, cols, count):
    """Sources beside their targets"""
    out = dict(latents=[], grids=[], sources=[], source_grids=[], words=[])
    for _ in range(count):
        pair = edits.crowded_pair if rng.random() < CROWDS else edits.sample_pair
        source, target, _ = pair(rng, rows, cols)
        before, after = (world.render(s, rows, cols) for s in (source, target))
        for name, value in (('latents', encode(vae, after.picture())), ('grids', read(after)),
                            ('sources', encode(vae, before.picture())),
                            ('source_grids', read(before)), ('words', target.get('word', ''))):
            out[name].append(value)
    return {name: np.stack(values) if name != 'words' else np.array(values)
            for name, values in out.items()}


@torch.no_grad()
def main(name, rows, cols, count, seed, crowded):
    torch.set_num_threads(1)
    rng = random.Random(seed)
    vae = AutoencoderKL.from_pretrained(RUN / 'vae').to(memory_format=torch.channels_last).eval()
    (RUN / 'latents').mkdir(parents=True, exist_ok=True)
    if crowded == 'edits':
        np.savez(RUN / 'latents' / f'{name}.npz', **pairs(vae, rng, rows, cols, count))
        return
    crowded = float(crowded)
    latents, grids, words = [], [], []
    for _ in range(count):
        spec = world.sample_crowd(rng, rows, cols, world.HELD_OUT) if rng.random() < crowded \
            else world.sample_spec(rng, cols, world.HELD_OUT)
        canvas = world.render(spec, rows, cols)
        latents.append(encode(vae, canvas.picture()))
        grids.append(read(canvas))
        words.append(spec.get('word', ''))
    np.savez(RUN / 'latents' / f'{name}.npz', latents=np.stack(latents), grids=np.stack(grids),
             words=np.array(words))
    print(name, np.stack(latents).shape)


if __name__ == '__main__':
    main(sys.argv[1], *map(int, sys.argv[2:6]), (sys.argv + ['0'])[6])
