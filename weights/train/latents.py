"""Pictures of the world as VAE latents: what the diffusion model is trained on.

usage: latents.py NAME ROWS COLS COUNT SEED [CROWDED]      -> RUN/latents/NAME.npz
       CROWDED is the share of crowded pictures, see world.py
"""
import random
import sys

import numpy as np
import torch
from diffusers import AutoencoderKL

import world
from common import RUN


def encode(vae, picture):
    mean, std = (torch.tensor(vae.config[k]).view(1, -1, 1, 1)
                 for k in ('latents_mean', 'latents_std'))
    x = torch.from_numpy(picture.copy()).permute(2, 0, 1)[None].float() / 127.5 - 1
    x = x.contiguous(memory_format=torch.channels_last)
    return ((vae.encode(x).latent_dist.mode() - mean) / std)[0].half().numpy()


@torch.no_grad()
def main(name, rows, cols, count, seed, crowded):
    torch.set_num_threads(1)
    rng = random.Random(seed)
    vae = AutoencoderKL.from_pretrained(RUN / 'vae').to(memory_format=torch.channels_last).eval()
    latents, grids, words = [], [], []
    for _ in range(count):
        spec = world.sample_crowd(rng, rows, cols, world.HELD_OUT) if rng.random() < crowded \
            else world.sample_spec(rng, cols, world.HELD_OUT)
        canvas = world.render(spec, rows, cols)
        latents.append(encode(vae, canvas.picture()))
        grids.append(world.codes(canvas).astype(np.int16))
        words.append(spec.get('word', ''))
    (RUN / 'latents').mkdir(parents=True, exist_ok=True)
    np.savez(RUN / 'latents' / f'{name}.npz', latents=np.stack(latents), grids=np.stack(grids),
             words=np.array(words))
    print(name, np.stack(latents).shape)


if __name__ == '__main__':
    main(sys.argv[1], *map(int, sys.argv[2:6]), float((sys.argv + [0])[6]))
