"""test_decoder - the process that decodes images, in the real program: what it says, what it may, where it runs."""

import asyncio
import glob
import json
import os
import signal
import subprocess
import time
import urllib.error
import urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
MODEL = os.environ["DARKROOM_TEST_MODEL"] = os.path.join(ROOT, "test/golden/edit/model")  # reads images

from harness import BIN, QUICK, Server, folder, run  # noqa: E402

IMAGES = os.path.join(ROOT, "test/server/decoder/images")
CONFINE = ("/usr/bin/python3", os.path.join(ROOT, "test/e2e/confine.py"))


def generate(*names, under=()):
    """(status, stderr) of a picture that begins with these images"""
    images = [word for name in names for word in ("--image", os.path.join(IMAGES, name))]
    done = subprocess.run([*under, BIN, "generate", "make it green", "--model", MODEL, "--device", "cpu", "--width",
                           "64", "--height", "64", "--steps", "1", "-o", os.path.join(folder(), "out.png"), *images],
                          capture_output=True, text=True)
    return done.returncode, done.stderr


def file(name):
    with open(os.path.join(IMAGES, name), "rb") as f:
        return f.read()


def upload(server, name):
    """(status, answer)"""
    request = urllib.request.Request(server.url + "/v1/images", data=file(name),
                                     headers={"Content-Type": "application/octet-stream"})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as answer:
        return answer.code, json.loads(answer.read())


def read(path):
    try:
        with open(path) as f:
            return f.read()
    except OSError:  # it has ended meanwhile
        return ""


def decoder(server):
    """The id of its process that decodes; None: there is none."""
    for path in glob.glob("/proc/[0-9]*/stat"):
        stat = read(path)
        if "(decode-images)" in stat and int(stat.rsplit(")", 1)[1].split()[1]) == server.process.pid:
            return int(path.split("/")[2])
    return None


async def until(what):
    end = time.monotonic() + 60
    while not what():
        assert time.monotonic() < end, "it does not happen"
        await asyncio.sleep(0.02)


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
    """catches: a server that the unit's filter ends, or that decodes nothing there"""
    server = Server(under=(*CONFINE, "unit"))
    status, said = upload(server, "oriented6.jpg")
    assert status == 201, said
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
    server = Server(under=(*CONFINE, "no-filter"))
    server.read_until("the process that decodes them cannot be started: this system has no seccomp filters")
    status, said = upload(server, "plain.png")
    assert status == 500 and said["message"].startswith("Images cannot be read") and said["retry_after_ms"], said
    assert server.get("/readyz")[0] == 200
    server.stop()


async def one_file_feels_its_end():
    """catches: a process that dies and is not started anew, a server that waits for one that hangs"""
    server = Server()
    assert upload(server, "plain.png")[0] == 201
    first = decoder(server)
    os.kill(first, signal.SIGKILL)
    await until(lambda: " Z " in read(f"/proc/{first}/stat"))
    assert upload(server, "alpha.png")[0] == 201
    second = decoder(server)
    assert second not in (None, first)
    os.kill(second, signal.SIGSTOP)
    waits = asyncio.create_task(asyncio.to_thread(upload, server, "gray.png"))
    async with server.connect() as c:
        job = (await c.submit(QUICK))["job"]
        assert (await c.end_of(job))[-1]["state"] == "done"
    assert not waits.done()
    os.kill(second, signal.SIGKILL)
    status, said = await waits
    assert status == 507 and said["code"] == "out_of_memory", (status, said)
    server.read_until(r"images: a file of \d+ bytes ended the process that decodes \(signal 9\)")
    for name in ("cut.jpg", "lying_head.png", "many_scans.jpg", "cut.webp"):
        status, said = upload(server, name)
        assert status == 422 and said["code"] == "bad_image" and said["hint"], (status, said)
    assert upload(server, "gray.png")[0] == 201
    server.stop()


async def it_ends_with_the_server():
    """catches: a stop that waits for a file, a process that stays"""
    server = Server()
    for end in (signal.SIGTERM, signal.SIGKILL):
        await until(lambda: decoder(server))
        child = decoder(server)
        os.kill(child, signal.SIGSTOP)
        waits = asyncio.create_task(asyncio.to_thread(upload, server, "gray.png"))
        await asyncio.sleep(0)
        server.process.send_signal(end)
        assert await asyncio.to_thread(server.process.wait, 60) == (0 if end == signal.SIGTERM else -end)
        await until(lambda: not read(f"/proc/{child}/stat") or " Z " in read(f"/proc/{child}/stat"))
        await asyncio.gather(waits, return_exceptions=True)
        if end == signal.SIGTERM:
            server = Server()


run([says_what_it_changes, refuses_clearly, works_as_a_unit, serves_as_a_unit, refuses_without_a_filter,
     one_file_feels_its_end, it_ends_with_the_server])
