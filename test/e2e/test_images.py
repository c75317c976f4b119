"""test_images - pictures that begin with pictures, as the command line draws and plans them.

catches: an image that changes nothing, a size that is changed unsaid, a model that takes images it never learnt to
use, a file of a server's user decoded by name"""

import os
import random
import struct
import subprocess
import tempfile
import zlib

from harness import words_alone

DARKROOM = os.environ.get("DARKROOM_BIN", "build/darkroom")
MODEL = "test/golden/edit/model"


def png(path, width, height, seed):
    draw = random.Random(seed)
    rows = b"".join(b"\0" + bytes(draw.randrange(256) for _ in range(3 * width)) for _ in range(height))

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    with open(path, "wb") as f:
        f.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
                + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def run(*args):
    return subprocess.run([DARKROOM, *args], text=True, capture_output=True, timeout=120)


def generate(out, *args, model=MODEL):
    return run("generate", "make it green", "--model", model, "--device", "cpu", "--dtype", "f32", "--width", "128",
               "--height", "128", "--steps", "2", "--seed", "7", "-o", out, *args)


def read(path):
    with open(path, "rb") as f:
        return f.read()


def main():
    with tempfile.TemporaryDirectory() as folder:
        a, b, out = (os.path.join(folder, n) for n in ("a.png", "b.png", "out.png"))
        png(a, 64, 96, 1)
        png(b, 90, 100, 2)
        seen = set()
        for images in ([], ["--image", a], ["--image", a, "--image", b], ["--image", b, "--image", a]):
            r = generate(out, *images)
            assert r.returncode == 0, r.stderr
            assert ("vision: " in r.stderr) == bool(images), r.stderr
            assert ("b.png: 90x100 is brought to 96x96" in r.stderr) == (b in images), r.stderr
            seen.add(read(out))
            assert generate(out, *images).returncode == 0 and read(out) in seen
        assert len(seen) == 4

        r = generate(out, *["--image", a] * 5)
        assert r.returncode and "4 times" in r.stderr, r.stderr
        r = generate(out, "--image", "README.md")
        assert r.returncode and "neither a PNG nor a JPEG" in r.stderr, r.stderr
        r = generate(out, "--image", a, model=words_alone(MODEL))
        assert r.returncode and "words alone" in r.stderr, r.stderr

        r = run("plan", "--model", MODEL, "--device", "cpu", "--image", "64x96", "--image", "90x100")
        lines = [line.split() for line in r.stdout.splitlines()]
        assert r.returncode == 0 and "90x100, which is brought to 96x96" in r.stdout, r.stdout + r.stderr
        phases = [line[0] for line in lines if "quanta" in line]
        assert phases == ["glyph", "vision", "encode", "prior", "denoise", "decode"], phases
        r = run("plan", "--model", MODEL, "--device", "cpu")
        assert r.returncode == 0 and "vision" not in r.stdout, r.stdout
        for wrong in ("64", "64x", "x64", "0x64", "64x64,", "64x64 64x64"):
            assert run("plan", "--model", MODEL, "--image", wrong).returncode, wrong
    print("1 passed, 0 failed")


main()
