"""test_checkpoints - a picture that is half drawn goes on after kill -9, SIGTERM and a change of the program's
arithmetic, to the bytes that it would have had."""

import asyncio
import hashlib
import os
import random
import signal

from harness import Server, folder, generate, run

ONE = ("--threads", "1")  # some seconds on any machine
SPEC = {"prompt": "a \"sign\" and a red circle on a blue background", "width": 512, "height": 512, "steps": 60, "seed": 5}


def digest_of_generate(*more):
    path = os.path.join(folder(), "out.png")
    status, output = generate(SPEC["prompt"], "-W", str(SPEC["width"]), "-H", str(SPEC["height"]), "-s", str(SPEC["steps"]),
                              "-S", str(SPEC["seed"]), "-o", path, *more)
    assert status == 0, output
    with open(path, "rb") as f:
        return hashlib.blake2b(f.read(), digest_size=32).hexdigest()


def checkpoint(data, job):
    return os.path.join(data, "checkpoints", job)


def version(data, job):
    try:
        return os.stat(checkpoint(data, job)).st_ino, os.stat(checkpoint(data, job)).st_mtime_ns
    except FileNotFoundError:
        return None


async def changed(data, job, known, c=None):
    """A newer checkpoint is on disk; False: the job ended before."""
    end = asyncio.ensure_future(c.until(lambda m: m["type"] == "end" and m["job"] == job, 110)) if c else None
    while version(data, job) in (known, None):
        if end and end.done():
            return False
        await asyncio.sleep(0.01)
    if end:
        end.cancel()
    return True


async def goes_on_at(server, job):
    """Percent, as the server logs it: a client may come when the job has ended."""
    return int((await asyncio.to_thread(server.read_until, rf"job {job} goes on at (\d+) %")).group(1))


async def gone(data, job):
    while version(data, job):
        await asyncio.sleep(0.01)


async def result_of(c, job):
    """The digest; all of a job that has ended is told to those who watch it later."""
    result = (await c.until(lambda m: m["type"] == "result" and m["job"] == job, 110))[-1]
    end = (await c.until(lambda m: m["type"] == "end" and m["job"] == job))[-1]
    assert end["state"] == "done"
    return result["digest"]


async def goes_on_after_a_kill():
    """catches: a picture that begins again although it was saved, or goes on to other bytes; a file that stays"""
    random.seed(11)
    data, job, reached = folder(), None, []
    for kill in range(2):
        server = Server(data, *ONE)
        known = version(data, job) if job else None
        async with server.connect() as c:
            if job:
                if (await c.ask(type="watch", job=job))["state"] == "done":
                    break  # before the kill
                reached.append(await goes_on_at(server, job))
            else:
                job = (await c.submit(SPEC))["job"]
            if not await changed(data, job, known, c if kill else None):
                break  # a fast machine
            await asyncio.sleep(random.random() * 0.3)  # anywhere in what follows: also while the next one is written
            server.kill()  # before the client says goodbye, for which it would wait: it has not read
    server.kill()
    server = Server(data, *ONE)
    async with server.connect() as c:
        if (await c.ask(type="watch", job=job))["state"] != "done":
            reached.append(await goes_on_at(server, job))
        digest = await result_of(c, job)
    await asyncio.wait_for(gone(data, job), 20)
    server.kill()
    assert reached[0] >= 5 and reached == sorted(reached), reached
    print("   went on at " + ", ".join(f"{r} %" for r in reached))
    assert digest == digest_of_generate()


async def goes_on_after_a_stop():
    """catches: a stop that throws away what was drawn since the last checkpoint"""
    data = folder()
    server = Server(data, *ONE)
    async with server.connect() as c:
        job = (await c.submit(SPEC))["job"]
        before = (await c.until(lambda m: m["type"] == "progress" and m["phase"] == "denoise" and m["done"] >= 2, 100))[-1]
        server.process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(server.process.wait, 20) == 0
    server.kill()
    server = Server(data, *ONE)
    async with server.connect() as c:
        await c.ask(type="watch", job=job)
        after = await goes_on_at(server, job)
        assert after >= int(100 * before["overall"]), (before, after)
        await c.ask(type="cancel", job=job)
        await asyncio.wait_for(gone(data, job), 20)
    server.kill()


async def begins_again_where_bytes_would_change():
    """catches: a picture of which one half is drawn in another number format; a damaged file that stops a job"""
    data = folder()
    server = Server(data, *ONE, "--dtype", "f32")
    async with server.connect() as c:
        job = (await c.submit(SPEC))["job"]
        await changed(data, job, None)
    server.kill()
    server = Server(data, *ONE, "--dtype", "bf16")
    async with server.connect() as c:
        await asyncio.to_thread(server.read_until, rf"job {job} begins again: the checkpoint is of another kind of device")
    server.kill()
    with open(checkpoint(data, job), "r+b") as f:
        f.seek(2000)
        byte = f.read(1)
        f.seek(2000)
        f.write(bytes([byte[0] ^ 1]))
    server = Server(data, *ONE, "--dtype", "f32")
    async with server.connect() as c:
        await c.ask(type="watch", job=job)
        await result_of(c, job)
        server.read_until(rf"job {job}: {SPEC['width']}x")
        assert "goes on" not in server.log and "begins again" not in server.log, server.log
    server.kill()


run([goes_on_after_a_kill, goes_on_after_a_stop, begins_again_where_bytes_would_change])
