#!/usr/bin/env python3
"""block - a DiT block at the released width: ours against PyTorch, in turn in one run.

    PYTHON bench/block.py [f32|bf16] [--tokens 1024] [--threads 2] [--runs 3]

Run it with an interpreter that has torch and diffusers 0.39, after `make bench`. Theirs is diffusers' own
block on random weights, its modulation included (one row); both have 32 text rows. Ours and theirs take turns.
"""
import argparse
import statistics
import subprocess
import time

import torch
from diffusers.models.transformers.transformer_glm_image import GlmImageTransformerBlock


def theirs(dtype, tokens, threads, runs):
    torch.set_num_threads(threads)
    block = GlmImageTransformerBlock(4096, 32, 128, 512).to(dtype).eval()
    x, y = torch.randn(1, tokens, 4096, dtype=dtype), torch.randn(1, 32, 4096, dtype=dtype)
    temb = torch.randn(1, 512, dtype=dtype)
    rope = torch.randn(tokens, 128), torch.randn(tokens, 128)
    with torch.inference_mode():
        block(x, y, temb, rope)
        while True:
            took = []
            for _ in range(runs):
                t = time.time()
                block(x, y, temb, rope)
                took.append(time.time() - t)
            yield took


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("dtype", nargs="?", default="f32", choices=["f32", "bf16"])
    p.add_argument("--tokens", type=int, default=1024)
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--runs", type=int, default=3)
    p.add_argument("--turns", type=int, default=2)
    p.add_argument("--binary", default="build/release/bench/block")
    a = p.parse_args()
    other = theirs(torch.float32 if a.dtype == "f32" else torch.bfloat16, a.tokens, a.threads, a.runs)
    ours, others = [], []
    for _ in range(a.turns):
        out = subprocess.run([a.binary, a.dtype, str(a.tokens), str(a.threads), str(a.runs)], capture_output=True,
                             text=True, check=True).stdout
        ours += [float(v) for v in out.split()]
        others += next(other)
    x, y = statistics.median(ours), statistics.median(others)
    print(f"DiT block, width 4096, {a.tokens} image tokens, {a.dtype}, {a.threads} threads, {len(ours)} runs in turn")
    print(f"darkroom  {x:.3f} s  ({min(ours):.3f} .. {max(ours):.3f})")
    print(f"torch     {y:.3f} s  ({min(others):.3f} .. {max(others):.3f})")
    print(f"ratio     {y / x:.2f}")


if __name__ == "__main__":
    main()
