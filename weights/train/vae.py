"""Trains the autoencoder on 64 px crops: absolute and edge error, a small KL, latent noise.

usage: vae.py SECONDS      -> RUN/vae
"""
import random
import sys
import time

import numpy as np
import torch
from diffusers import AutoencoderKL

import world
from common import RUN, VAE
from optim import Optimizer

BATCH, CROP, PICTURES, TEST = 8, 64, 2000, 64


def render_pictures(count, seed):
    rng = random.Random(seed)
    return np.stack([world.render(world.sample_spec(rng, 8), 8, 8).picture()
                     for _ in range(count)])


def to_input(pictures):
    x = torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 127.5 - 1
    return x.contiguous(memory_format=torch.channels_last)


def crops(pictures, rng):
    """Random crops; plain ones are mostly thrown back."""
    out = []
    while len(out) < BATCH:
        i, (r, c) = rng.integers(len(pictures)), rng.integers(0, 257 - CROP, 2)
        crop = pictures[i, r:r + CROP, c:c + CROP]
        if crop.std(axis=(0, 1)).max() > 18 or rng.random() < .3:
            out.append(crop)
    return to_input(np.stack(out))


def edges(t):
    return t[..., 1:] - t[..., :-1], t[..., 1:, :] - t[..., :-1, :]


def loss(model, x):
    q = model.encode(x).latent_dist
    y = model.decode(q.mean + q.std * torch.randn_like(q.mean)).sample
    sharp = sum((a - b).abs().mean() for a, b in zip(edges(y), edges(x)))
    kl = .5 * (q.mean ** 2 + q.var - 1 - q.logvar).mean()
    return (y - x).abs().mean() + sharp + ((y - x) ** 2).mean() + 5e-4 * kl


@torch.no_grad()
def finish(model, pictures):
    """Sets the latents' mean and deviation (in bf16, as exported) and says how good it is."""
    x = to_input(pictures)
    z = torch.cat([model.encode(x[i:i + 1]).latent_dist.mode() for i in range(len(x))])
    short = lambda t: t.bfloat16().float().tolist()
    model.register_to_config(latents_mean=short(z.mean((0, 2, 3))),
                             latents_std=short(z.std((0, 2, 3))))
    y = torch.cat([model.decode(z[i:i + 1]).sample for i in range(len(x))]).clamp(-1, 1)
    psnr = 10 * torch.log10(4 / ((y - x) ** 2).mean((1, 2, 3)))
    print(f'held out: {psnr.mean():.2f} dB')


def train(seconds):
    torch.set_num_threads(1)
    torch.manual_seed(1)
    model = AutoencoderKL(**VAE).to(memory_format=torch.channels_last)
    model.encoder.conv_out.bias.data[VAE['latent_channels']:] = -5.        # start with little noise
    is_matrix = lambda n, p: p.dim() == 4 and min(p.shape[:2]) > 3 and 'conv_out' not in n
    optimizer = Optimizer(model, is_matrix, decay=0.)
    pictures, rng = render_pictures(PICTURES, 31), np.random.default_rng(0)
    start, step, log = time.time(), 0, []
    while (spent := time.time() - start) < seconds:
        value = loss(model, crops(pictures, rng))
        value.backward()
        optimizer.step(min(1, (step + 1) / 40, (1 - spent / seconds) / .7 + .01))
        step += 1
        log.append(value.item())
        if step % 100 == 0:
            print(f'{spent:.0f}s step {step}: {np.mean(log):.4f}', flush=True)
            log = []
    model.load_state_dict(optimizer.average)
    finish(model.eval(), render_pictures(TEST, 32))
    model.to(memory_format=torch.contiguous_format).save_pretrained(RUN / 'vae')


if __name__ == '__main__':
    train(float(sys.argv[1]))
