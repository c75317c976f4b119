"""The reference pipeline and darkroom on the same folder, tokens and noise: the same picture?

The pipeline is used as published. What it drew (tokens) and was given (noise) goes into a trace,
from which `darkroom trace` draws again; both in f32.

usage: DARKROOM=../../build/darkroom compare.py FOLDER [PROMPT [WIDTH HEIGHT [SOURCE.png]]]
       with a SOURCE, or "world" for a picture of the world, the prompt is an instruction
"""
import json
import os
import subprocess
import sys
import tempfile
import warnings

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

import world
from evaluate import open_pipeline

PROMPT = 'a house with a red roof and a tree on a green meadow at sunset with mountains'
STEPS, GUIDANCE, SEED = 20, 1.5, 5
LEAST = 40.                        # dB


def source_picture(name):
    """[PIL picture] of a file or of the world; nothing without a name"""
    if name == 'world':
        spec = dict(kind='shapes', back='yellow', items=[('circle', 'red')], size='', side=4)
        return [Image.fromarray(world.render(spec, 8, 8).picture())]
    return [Image.open(name).convert('RGB')] if name else []


def draw(pipe, prompt, width, height, sources):
    """(picture, tokens of the prior, noise)"""
    gen, tokens = torch.Generator().manual_seed(SEED), []
    noise = torch.randn(1, pipe.transformer.config.in_channels, height // 8, width // 8,
                        generator=gen)
    generate = pipe.vision_language_encoder.generate

    def recorded(**inputs):
        torch.manual_seed(SEED)
        out = generate(**inputs)
        tokens.append(out[0, inputs['input_ids'].shape[1]:])
        return out

    pipe.vision_language_encoder.generate = recorded
    picture = pipe(prompt, image=sources or None, height=height, width=width,
                   num_inference_steps=STEPS, guidance_scale=GUIDANCE,
                   latents=noise.clone()).images[0]
    return np.asarray(picture), tokens[0], noise[0]


def redraw(program, folder, prompt, width, height, sources, tokens, noise):
    request = dict(prompt=prompt, height=height, width=width, steps=STEPS, guidance=GUIDANCE,
                   images=[f'{s.height}x{s.width}' for s in sources], dtype='f32')
    pixels = {f'cond.{k}.rgb': torch.from_numpy(np.array(s)) for k, s in enumerate(sources)}
    with tempfile.TemporaryDirectory() as where:
        asked, got = f'{where}/asked.safetensors', f'{where}/got.safetensors'
        save_file({'ar.tokens': tokens.contiguous(), 'flow.latents.0': noise.contiguous()} | pixels,
                  asked, dict(trace=json.dumps(request, ensure_ascii=False)))
        subprocess.run([program, 'trace', '--like', asked, '-m', folder, '-o', got,
                        '--dtype', 'f32', '--device', 'cpu'], check=True)
        return load_file(got)['image'].numpy()


def main(folder, prompt=PROMPT, width=256, height=256, source=''):
    warnings.filterwarnings('ignore')
    width, height, sources = int(width), int(height), source_picture(source)
    theirs, *given = draw(open_pipeline(folder), prompt, width, height, sources)
    ours = redraw(os.environ['DARKROOM'], folder, prompt, width, height, sources, *given)
    error = theirs.astype(float) - ours
    psnr = 10 * np.log10(255 ** 2 / max((error ** 2).mean(), 1e-9))
    print(f'{width}x{height}: {psnr:.1f} dB, {(error != 0).mean():.2%} of the values differ, by '
          f'{np.abs(error).max():.0f} at most: {prompt}')
    return int(psnr < LEAST)


if __name__ == '__main__':
    sys.exit(main(*sys.argv[1:]))
