"""gpu_ratio - this engine against PyTorch in one run, from the logs of bench/gpu.sh."""
import pathlib
import re
import sys

out = pathlib.Path(sys.argv[1])


def read(name, pattern):
    path = out / f"{name}.txt"
    found = re.search(pattern, path.read_text()) if path.exists() else None
    return float(found.group(1)) if found else None


ours = {
    "prior, position 300": read("prior", r"prior, position  300, batch  1 +([\d.]+) ms"),
    "DiT 1024": read("dit", r"DiT, 1024 x 1024, batch 1, a step of both branches +([\d.]+) ms"),
    "VAE 1024": read("vae", r"VAE, 1024 x 1024 +([\d.]+) ms"),
    "VAE 2048": read("vae", r"VAE, 2048 x 2048 +([\d.]+) ms"),
}
torch = (out / "torch.txt").read_text() if (out / "torch.txt").exists() else ""
for what, ms in ours.items():
    for line in torch.splitlines():
        found = re.match(re.escape(what) + r"(.*?) +([\d.]+) ms", line)
        if found and ms:
            theirs = float(found.group(2))
            print(f"{what}{found.group(1)}: {theirs:.2f} ms there, {ms:.2f} ms here:",
                  f"{theirs / ms:.2f} x")
