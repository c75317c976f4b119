#!/usr/bin/env python3
"""images - small files of every kind, and what Pillow 13 makes of their pixels, for test_image.

    images.py    writes images/ beside it; needs pillow and numpy of test/golden/requirements.txt

images/list.txt has a line a file: name, width, height, orientation, what is changed (a dash: nothing), and FNV-1a of
the pixels; or name and `refused`. The pixels are Pillow's exif_transpose and convert("RGB"), apart from two things:
what is transparent is laid on white here, and of 16-bit gray, which Pillow cuts off at 255, the upper 8 bits are taken.
"""
import io
import pathlib
import struct
import zlib

import numpy as np
from PIL import Image, ImageCms, ImageOps

W, H = 40, 28
OUT = pathlib.Path(__file__).parent / "images"
random = np.random.default_rng(7)
noise = random.integers(0, 256, (H, W, 4))


def drawing(channels=3, w=W, h=H):
    """Ramps, stripes, and a field of noise."""
    y, x = np.mgrid[0:h, 0:w]
    a = np.stack([x * 255 // w, y * 255 // h, (x + y) * 5 % 256, 255 - x * y % 256], -1)
    a[h // 3:h // 2, w // 3:w // 2] = noise[h // 3:h // 2, w // 3:w // 2]
    return a[..., :channels].astype(np.uint8)


def saved(image, kind, **how):
    out = io.BytesIO()
    image.save(out, kind, **how)
    return out.getvalue()


def chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(pixels, depth, colour, interlaced=False, extra=b""):
    """A PNG of an array, by hand: Pillow writes neither 16-bit colour nor interlaced ones."""
    passes = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
    rows = b""
    for x, y, dx, dy in passes if interlaced else ((0, 0, 1, 1),):
        rows += b"".join(b"\0" + row.tobytes() for row in pixels[y::dy, x::dx])
    h, w = pixels.shape[:2]
    head = struct.pack(">IIBBBBB", w, h, depth, colour, 0, 0, interlaced)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + extra + chunk(b"IDAT", zlib.compress(rows, 9))
            + chunk(b"IEND", b""))


def exif(orientation):
    e = Image.Exif()
    e[274] = orientation
    return e.tobytes()


def frames(image):
    return {"save_all": True, "append_images": [ImageOps.flip(image)], "duration": 100}


def pngs(rgb, rgba, profile):
    gray, palette = rgb.convert("L"), rgb.quantize(16)
    wide = drawing().astype(">u2") * 257 ^ noise[..., :3].astype(">u2")
    plain = saved(rgb, "PNG")
    text = chunk(b"iTXt", b"k\0\1\0\0\0" + zlib.compress(bytes(8 << 20), 9))
    yield "plain.png", plain
    yield "profile.png", saved(rgb, "PNG", icc_profile=profile)
    yield "alpha.png", saved(rgba, "PNG")
    yield "gray.png", saved(gray, "PNG")
    yield "gray_alpha.png", saved(rgba.convert("LA"), "PNG")
    yield "bits1.png", saved(rgb.convert("1"), "PNG")
    yield "palette.png", saved(palette, "PNG")
    yield "palette_alpha.png", saved(palette, "PNG", transparency=3)
    yield "colour_key.png", saved(rgb, "PNG", transparency=(0, 0, 0))
    yield "gray_key.png", saved(gray, "PNG", transparency=200)
    yield "gray16.png", saved(Image.fromarray((np.arange(H * W).reshape(H, W) * 58).astype(np.uint16)), "PNG")
    yield "rgb16.png", png(wide.astype(">u2"), 16, 2)
    yield "alpha16.png", png((drawing(4).astype(np.uint16) * 257).astype(">u2"), 16, 6)
    yield "interlaced.png", png(drawing(), 8, 2, True)
    yield "interlaced_alpha.png", png(drawing(4), 8, 6, True)
    yield "oriented.png", saved(rgb, "PNG", exif=exif(5))
    yield "animated.png", saved(rgb, "PNG", **frames(rgb))
    yield "text_bomb.png", png(drawing(), 8, 2, extra=text)
    yield "followed_by_zip.png", plain + b"PK\3\4" + bytes(60)
    yield "cut.png", plain[:-200]
    yield "wrong_checksum.png", plain[:-20] + bytes([plain[-20] ^ 1]) + plain[-19:]
    yield "lying_head.png", plain[:16] + struct.pack(">II", W, H + 1) + plain[24:]
    yield "unknown_critical.png", png(drawing(), 8, 2, extra=chunk(b"CgBI", b"\0\0\0\0"))


def many_scans(progressive):
    """The first scan of a progressive JPEG a hundred times more: small, and each goes through all of the picture."""
    at = progressive.index(b"\xff\xda")
    end = progressive.index(b"\xff\xc4", at)
    return progressive[:end] + 100 * progressive[at:end] + progressive[end:]


def jpegs(rgb, profile):
    odd = Image.fromarray(drawing(w=39, h=27))
    half, progressive = saved(odd, "JPEG", quality=80, subsampling=2), saved(odd, "JPEG", progressive=True)
    yield "plain.jpg", saved(rgb, "JPEG", quality=90, subsampling=0)
    yield "half.jpg", half
    yield "across.jpg", saved(odd, "JPEG", quality=80, subsampling=1)
    yield "progressive.jpg", progressive
    yield "gray.jpg", saved(rgb.convert("L"), "JPEG")
    yield "inks.jpg", saved(Image.fromarray(drawing(4), "CMYK"), "JPEG", quality=95)
    yield "profile.jpg", saved(rgb, "JPEG", icc_profile=profile)
    yield "restart.jpg", saved(odd, "JPEG", restart_marker_blocks=2)
    for o in range(1, 9):
        yield f"oriented{o}.jpg", saved(odd, "JPEG", exif=exif(o))
    yield "followed_by_page.jpg", half + b"<script>alert(1)</script>"
    yield "page_first.jpg", b"<html>" + half
    yield "cut.jpg", half[:-200]
    yield "cut_progressive.jpg", progressive[:-100]
    yield "no_end_progressive.jpg", progressive[:-2]
    yield "many_scans.jpg", many_scans(progressive)


def riff(name, data):
    return name + struct.pack("<I", len(data)) + data + bytes(len(data) % 2)


def frame_in_canvas(frame, x, y):
    """An animation whose first frame covers a part of the picture, by hand: Pillow's cover all of it."""
    w, h = frame.size
    still = saved(frame, "WEBP", lossless=True, exact=True)
    pixels = still[still.index(b"VP8L"):]
    three = [struct.pack("<I", n)[:3] for n in (W - 1, H - 1, x // 2, y // 2, w - 1, h - 1, 100)]
    head = riff(b"VP8X", b"\x12\0\0\0" + three[0] + three[1])
    frames = riff(b"ANIM", b"\xff\0\0\xff\0\0") + 2 * riff(b"ANMF", b"".join(three[2:]) + b"\0" + pixels)
    return riff(b"RIFF", b"WEBP" + head + frames)


def webps(rgb, rgba, profile):
    lossy = saved(rgb, "WEBP", quality=80)
    small = Image.fromarray(drawing(4, 20, 16), "RGBA")
    yield "lossy.webp", lossy
    yield "lossless.webp", saved(rgb, "WEBP", lossless=True)
    yield "lossy_alpha.webp", saved(rgba, "WEBP", quality=80)
    yield "lossless_alpha.webp", saved(rgba, "WEBP", lossless=True, exact=True)
    yield "oriented.webp", saved(rgb, "WEBP", quality=80, exif=exif(6), icc_profile=profile)
    yield "animated.webp", saved(rgb, "WEBP", **frames(rgb))
    yield "animated_alpha.webp", saved(small, "WEBP", lossless=True, **frames(small))
    yield "small_frame.webp", frame_in_canvas(small, 6, 8)
    yield "cut.webp", lossy[:-40]
    yield "lying_head.webp", lossy[:4] + struct.pack("<I", 0x7fffffff) + lossy[8:]


def laid_on_white(image):
    rgba = np.array(image.convert("RGBA")).astype(int)
    alpha = rgba[..., 3:]
    return ((rgba[..., :3] * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)


def pixels(data):
    """(pixels, what is changed), as the decoder is to have them; OSError: it refuses."""
    file = Image.open(io.BytesIO(data))
    changes = []
    if "icc_profile" in file.info:
        changes.append("profile_ignored")
    if file.mode == "CMYK":
        changes.append("cmyk_converted")
    if file.format == "PNG" and data[24] == 16:
        changes.append("depth_reduced")
    if getattr(file, "n_frames", 1) > 1:
        changes.append("first_frame")
    image = ImageOps.exif_transpose(file)
    if file.getexif().get(274, 1) != 1:
        changes.insert(0, "oriented")
    if image.mode == "I;16":
        gray = (np.array(image) >> 8).astype(np.uint8)
        return np.stack([gray] * 3, -1), changes
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        changes.insert(changes[:1] == ["oriented"], "alpha_on_white")
        return laid_on_white(image), changes
    return np.array(image.convert("RGB")), changes


def fnv(data):
    h = 0xcbf29ce484222325
    for byte in data:
        h = (h ^ byte) * 0x100000001b3 % 2**64
    return h


# what Pillow reads and the decoder does not, or the other way round
REFUSED = {"many_scans.jpg", "unknown_critical.png", "lying_head.webp"}
BOMBS = {"text_bomb.png": "plain.png"}


def main():
    OUT.mkdir(exist_ok=True)
    rgb, rgba = Image.fromarray(drawing()), Image.fromarray(drawing(4), "RGBA")
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    profile = profile[:24] + bytes(12) + profile[36:]  # the date
    files = dict([*pngs(rgb, rgba, profile), *jpegs(rgb, profile), *webps(rgb, rgba, profile)])
    lines = []
    for name, data in files.items():
        (OUT / name).write_bytes(data)
        try:
            if name in REFUSED:
                raise OSError
            image, changes = pixels(files[BOMBS.get(name, name)])
            o = Image.open(io.BytesIO(files[BOMBS.get(name, name)])).getexif().get(274, 1)
            h, w = image.shape[:2]
            lines.append(f"{name} {w} {h} {o} {','.join(changes) or '-'} {fnv(image.tobytes()):016x}")
        except (OSError, SyntaxError):
            lines.append(f"{name} refused")
    (OUT / "list.txt").write_text("\n".join(lines) + "\n")


main()
