#!/usr/bin/env python3
"""Vectors for test/kernels/model/test_resample: what Pillow 13 makes of pictures that a rule draws.

    resample.py > test/kernels/model/resample_vectors.h

Byte i of a picture is the upper byte of x[i+1], x[i+1] = 1664525 x[i] + 1013904223 mod 2^32, x[0] = its index in the
list; every second one is smoothed to bytes / 64 * 64, so that flat areas and clipping occur. A result is kept as its
FNV-1a. Needs pillow and numpy of requirements.txt.
"""
import itertools

import numpy as np
from PIL import Image

SIZES = [((64, 64), (32, 32)), ((100, 70), (96, 64)), ((70, 100), (64, 96)), ((33, 200), (16, 31)), ((200, 33), (31, 16)),
         ((31, 17), (64, 48)), ((17, 31), (17, 90)), ((31, 17), (90, 17)), ((128, 256), (120, 64)), ((256, 128), (64, 120)),
         ((40, 300), (36, 60)), ((300, 40), (60, 36)), ((5, 3), (1, 1)), ((1, 1), (7, 5)), ((97, 97), (96, 97)),
         ((97, 97), (97, 96)), ((48, 160), (96, 32)), ((160, 48), (32, 96)), ((64, 48), (64, 48)), ((150, 151), (75, 50))]


def picture(seed, w, h):
    x, out = seed, np.empty(w * h * 3, np.uint8)
    for i in range(out.size):
        x = (1664525 * x + 1013904223) % 2**32
        out[i] = x >> 24
    return (out // 64 * 64 if seed % 2 else out).reshape(h, w, 3)


def fnv(data):
    h = 0xCBF29CE484222325
    for b in data:
        h = (h ^ b) * 0x100000001B3 % 2**64
    return h


print("/* resample_vectors - made by test/golden/resample.py with Pillow %s. */" % Image.__version__)
print("static const struct vector VECTORS[] = {")
for i, (((w, h), (ow, oh)), f) in enumerate(itertools.product(SIZES, ("BICUBIC", "LANCZOS"))):
    y = Image.fromarray(picture(i, w, h)).resize((ow, oh), getattr(Image.Resampling, f))
    print("    {{%d, %d}, {%d, %d}, RESAMPLE_%s, 0x%016xu}," % (w, h, ow, oh, f, fnv(y.tobytes())))
print("};")
