#!/usr/bin/python3
"""images - seeing and encoding one condition image on the processor, against the reference, in turn in one run.

    bench/images.py --torch PYTHON [--model FOLDER] [--side 512] [--runs 7] [--threads 2] [--dtype float32]

PYTHON is an interpreter with torch, transformers 5 and diffusers 0.39 (weights/train/README.md says which). Both keep
the model loaded and use the same folder and number of threads; they take turns: A B A B. `vision` is from the
tower's pixels to the codes, `encode` from the encoder's pixels to the keys and values of the image: what the pipeline
does for one image, without reading and resizing it. Prints the median of each, the median ratio and its range; then
the same of the processor's time, of all threads, which a busy machine disturbs least. A folder that takes no images
(no_images.json) is used as if it did.
"""
import argparse
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile

THEIRS = r"""
import os, sys, time, warnings
warnings.filterwarnings("ignore")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
import torch, diffusers, transformers
from diffusers.models.transformers.transformer_glm_image import GlmImageKVCache
diffusers.utils.logging.set_verbosity_error(); transformers.utils.logging.set_verbosity_error()
diffusers.utils.logging.disable_progress_bar()
folder, side, threads, dtype = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), getattr(torch, sys.argv[4])
torch.set_num_threads(threads)
pipe = diffusers.GlmImagePipeline.from_pretrained(folder, torch_dtype=dtype)
model, vae, dit = pipe.vision_language_encoder.model, pipe.vae, pipe.transformer
cells = side // 32
grid = torch.tensor([[1, cells, cells]])
patch = model.config.vision_config.patch_size
patches = torch.rand(cells * cells, 3 * patch * patch, dtype=dtype) * 2 - 1
pixels = torch.rand(1, 3, side, side, dtype=dtype) * 2 - 1
empty = torch.zeros(1, 0, dit.config.text_embed_dim, dtype=dtype)
shape = (1, vae.config.latent_channels, 1, 1)
mean = torch.tensor(vae.config.latents_mean, dtype=dtype).view(shape)
std = torch.tensor(vae.config.latents_std, dtype=dtype).view(shape)

def see():
    rows = model.get_image_features(patches, grid).pooler_output
    return model.get_image_tokens(torch.cat(rows), grid)

def encode(codes):
    ids = codes.view(1, 1, cells, cells).float()
    ids = torch.nn.functional.interpolate(ids, scale_factor=2, mode="nearest").long().view(1, -1)
    latent = (vae.encode(pixels).latent_dist.mode() - mean) / std
    cache = GlmImageKVCache(num_layers=dit.config.num_layers)
    cache.set_mode("write")
    dit(hidden_states=latent, encoder_hidden_states=empty, prior_token_id=ids,
        prior_token_drop=torch.full_like(ids, False, dtype=torch.bool), timestep=torch.zeros(1),
        target_size=torch.tensor([[side, side]]), crop_coords=torch.zeros(1, 2), attention_kwargs=None,
        kv_caches=cache, return_dict=False)

print("ready", flush=True)
with torch.no_grad():
    for line in sys.stdin:
        t0, c0 = time.perf_counter(), time.process_time()
        codes = see()
        t1, c1 = time.perf_counter(), time.process_time()
        encode(codes)
        print("vision", t1 - t0, c1 - c0, "encode", time.perf_counter() - t1, time.process_time() - c1, flush=True)
"""


def start(command, threads):
    env = dict(os.environ, OMP_NUM_THREADS=str(threads))
    return subprocess.Popen(command, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, env=env)


def read(p, word):
    for line in p.stdout:
        if line.startswith(word):
            return line.split()
    sys.exit(f"the other process ended without saying {word!r}:\n{p.stderr.read()[-2000:]}")


def seconds(p):
    p.stdin.write("\n")
    p.stdin.flush()
    words = read(p, "vision")
    return [float(words[i]) for i in (1, 2, 4, 5)]


def copy_of(folder, to):
    """Hard to tell from the folder, but that images are allowed."""
    shutil.copytree(folder, to, symlinks=False)
    (to / "no_images.json").unlink(missing_ok=True)
    return to


def report(name, ours, theirs, dtype):
    ratio = [y / x for x, y in zip(ours, theirs)]
    print(f"{name:7}  darkroom {1e3 * statistics.median(ours):9.1f} ms ({1e3 * min(ours):.1f} .. {1e3 * max(ours):.1f})")
    print(f"{'':7} diffusers {1e3 * statistics.median(theirs):9.1f} ms ({1e3 * min(theirs):.1f} .. "
          f"{1e3 * max(theirs):.1f})  {dtype}")
    print(f"{'':7}     ratio {statistics.median(ratio):9.2f} ({min(ratio):.2f} .. {max(ratio):.2f})", flush=True)


def main():
    here = pathlib.Path(__file__).resolve().parent.parent
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--torch", required=True, metavar="PYTHON")
    p.add_argument("--model", default=str(here / "weights/tiny"))
    p.add_argument("--binary", default=str(here / "build/release/bench/images"))
    p.add_argument("--side", type=int, default=512)
    p.add_argument("--runs", type=int, default=7)
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--type", default="", help="of ours: f32 or bf16; without it, what is faster here")
    p.add_argument("--dtype", default="float32", help="of the reference: float32 or bfloat16")
    a = p.parse_args()
    with tempfile.TemporaryDirectory() as tmp:
        folder = str(copy_of(pathlib.Path(a.model), pathlib.Path(tmp) / "model"))
        mine = start([a.binary, folder, str(a.side), str(a.threads)] + ([a.type] if a.type else []), a.threads)
        other = start([a.torch, "-c", THEIRS, folder, str(a.side), str(a.threads), a.dtype], a.threads)
        try:
            read(other, "ready")
            ours, theirs = [], []
            for k in range(-1, a.runs):  # -1: warm both
                x, y = seconds(mine), seconds(other)
                if k >= 0:
                    ours.append(x)
                    theirs.append(y)
        finally:
            mine.kill()
            other.kill()
    print(f"one image of {a.side}x{a.side}, {a.threads} threads, {a.runs} runs in turn, {pathlib.Path(a.model).name}")
    for i, name in enumerate(["vision", "  cpu", "encode", "  cpu"]):
        report(name, [x[i] for x in ours], [y[i] for y in theirs], a.dtype)


if __name__ == "__main__":
    main()
