#!/usr/bin/python3
"""picture - one bundled picture, submit to result, against the diffusers pipeline, in turn in one run.

    bench/picture.py --torch PYTHON [--runs 7] [--threads 2] [--binary build/darkroom] [--model weights/tiny]

PYTHON is an interpreter with torch, transformers 5 and diffusers 0.39 (weights/train/README.md says which). Both
sides keep the model loaded, use the same folder, prompt, size, steps, guidance and number of threads, and take
turns: A B A B. Ours is timed over the WebSocket, from `submit` to `result`; theirs is the pipeline call alone.
Prints the median of each, the median ratio and its range.
"""
import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

import service

PROMPT = "a red circle on a blue background"

THEIRS = r"""
import os, sys, time, warnings
warnings.filterwarnings("ignore")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
import torch, diffusers, transformers
diffusers.utils.logging.set_verbosity_error(); transformers.utils.logging.set_verbosity_error()
diffusers.utils.logging.disable_progress_bar()
folder, threads, dtype, size, steps = sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4]), int(sys.argv[5])
torch.set_num_threads(threads)
pipe = diffusers.GlmImagePipeline.from_pretrained(folder, torch_dtype=getattr(torch, dtype))
pipe.set_progress_bar_config(disable=True)
print("ready", flush=True)
for line in sys.stdin:
    t = time.time()
    # the model may draw a reserved id, which the pipeline cannot take: another seed then
    for seed in range(int(line), int(line) + 20):
        try:
            pipe(prompt=%r, height=size, width=size, num_inference_steps=steps, guidance_scale=1.5,
                 generator=torch.Generator().manual_seed(seed))
            break
        except (RuntimeError, IndexError):
            t = time.time()
    print("seconds", time.time() - t, flush=True)
""" % PROMPT


def theirs(a, dtype):
    env = dict(os.environ, OMP_NUM_THREADS=str(a.threads))
    p = subprocess.Popen([a.torch, "-c", THEIRS, a.model, str(a.threads), dtype, str(a.size), str(a.steps)], text=True,
                         stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=env)
    wait_for(p, "ready")
    return p


def wait_for(p, word):
    for line in p.stdout:
        if word in line:
            return line
    sys.exit(f"the other process ended without saying {word!r}")


def their_seconds(p, seed):
    p.stdin.write(f"{seed}\n")
    p.stdin.flush()
    return float(wait_for(p, "seconds").split()[1])


async def our_seconds(address, a, seed):
    spec = {"prompt": PROMPT, "width": a.size, "height": a.size, "steps": a.steps, "guidance": 1.5, "seed": seed}
    async with service.connect(address) as ws:
        await ws.recv()
        await ws.send(json.dumps({"type": "previews", "format": "none"}))
        t = time.time()
        await ws.send(json.dumps({"type": "submit", "fresh": True, "spec": spec}))
        async for message in ws:
            event = json.loads(message) if isinstance(message, str) else {}
            if event.get("type") in ("error", "end"):
                sys.exit(f"no picture: {message}")
            if event.get("type") == "result":
                return time.time() - t


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--torch", required=True, metavar="PYTHON")
    p.add_argument("--runs", type=int, default=7)
    p.add_argument("--size", type=int, default=256)
    p.add_argument("--steps", type=int, default=20)
    service.options(p)
    p.add_argument("--dtype", default="float32", help="of the pipeline: float32 or bfloat16 (take its faster one)")
    a = p.parse_args()
    with tempfile.TemporaryDirectory() as data, service.running(a, data) as (_, address):
        pipe = theirs(a, a.dtype)
        try:
            ours, other = [], []
            for k in range(-1, a.runs):                 # -1: warm both
                x, y = asyncio.run(our_seconds(address, a, k + 1)), their_seconds(pipe, k + 1)
                if k >= 0:
                    ours.append(x)
                    other.append(y)
        finally:
            pipe.kill()
    ratio = [y / x for x, y in zip(ours, other)]
    print(f"{a.size}x{a.size}, {a.steps} steps, {a.threads} threads, {a.runs} runs in turn")
    print(f"darkroom   {statistics.median(ours):.3f} s  ({min(ours):.3f} .. {max(ours):.3f})")
    print(f"diffusers  {statistics.median(other):.3f} s  ({min(other):.3f} .. {max(other):.3f})  {a.dtype}")
    print(f"ratio      {statistics.median(ratio):.2f}  ({min(ratio):.2f} .. {max(ratio):.2f})")


if __name__ == "__main__":
    main()
