"""test_decoder - the process that decodes images, in the real program: what it says, what it may, where it runs."""

import os
import subprocess

from harness import BIN, QUICK, ROOT, Server, folder, run

MODEL = os.path.join(ROOT, "test/golden/edit/model")
IMAGES = os.path.join(ROOT, "test/server/decoder/images")
CONFINE = ("/usr/bin/python3", os.path.join(ROOT, "test/e2e/confine.py"))


def generate(*names, under=()):
    """(status, stderr) of a picture that begins with these images"""
    images = [word for name in names for word in ("--image", os.path.join(IMAGES, name))]
    done = subprocess.run([*under, BIN, "generate", "make it green", "--model", MODEL, "--device", "cpu", "--width",
                           "64", "--height", "64", "--steps", "1", "-o", os.path.join(folder(), "out.png"), *images],
                          capture_output=True, text=True)
    return done.returncode, done.stderr


def says_what_it_changes():
    """catches: a picture that lies on its side, inks that are inverted, a change that is not told"""
    status, said = generate("oriented6.jpg", "inks.jpg", "animated_alpha.webp", "text_bomb.png")
    assert status == 0, said
    assert "oriented6.jpg: it is turned upright" in said and "inks.jpg: its four inks" in said, said
    assert "laid on white; of its animation the first frame" in said, said


def refuses_clearly():
    """catches: a damaged file that is drawn from, a message that names no file"""
    for name, words in (("cut.jpg", "ends early"), ("lying_head.png", "damaged PNG"), ("cut.webp", "damaged WebP"),
                        ("many_scans.jpg", "too many scans"),
                        ("page_first.jpg", "neither a PNG nor a JPEG nor a WebP"), ("list.txt", "neither")):
        status, said = generate(name)
        assert status == 2 and words in said and name in said and "Save it anew" in said, (status, said)


def works_as_a_unit():
    """catches: a call that darkroom.service forbids, to the server or to the process that decodes"""
    status, said = generate("oriented6.jpg", "alpha.png", under=(*CONFINE, "unit"))
    assert status == 0 and "turned upright" in said, (status, said)


async def serves_as_a_unit():
    """catches: a server that the unit's filter ends"""
    server = Server(under=(*CONFINE, "unit"))
    async with server.connect() as c:
        job = (await c.submit(QUICK))["job"]
        assert (await c.end_of(job))[-1]["state"] == "done"
    assert server.stop()[0] == 0


def refuses_without_a_filter():
    """catches: images of strangers that are decoded with all rights, as the system has no seccomp"""
    status, said = generate("plain.png", under=(*CONFINE, "no-filter"))
    assert status == 1 and "no seccomp filters" in said, (status, said)
    status, said = generate(under=(*CONFINE, "no-filter"))
    assert status == 0, (status, said)


run([says_what_it_changes, refuses_clearly, works_as_a_unit, serves_as_a_unit, refuses_without_a_filter])
