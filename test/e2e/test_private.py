"""test_private - of a private job nothing is on disk, in the log or in the picture: not while it is drawn, not when
it is done, not after kill -9. The control arm: of other jobs all of it is found in the same way."""

import asyncio
import os
import time
import zlib

from harness import LONG, QUICK, Server, folder, run
from users import add, bearer, sign_in

WORD = "xylophone-%d-of-nobody"


def needles(prompt, png=None):
    """What gives it away, as plain bytes and as they stand in JSON, in UTF-16 and packed."""
    found = [prompt.encode(), prompt.encode("utf-16-le")]
    if png:
        found += [png[i:i + 64] for i in range(64, len(png) - 64, len(png) // 8)]
    return found


def leaks(server, words):
    """Files of the data folder, and the log, that hold one of the words; also inside of zlib streams."""
    at = []
    for where, _, names in os.walk(server.data):
        for name in names:
            try:
                with open(os.path.join(where, name), "rb") as f:
                    data = f.read()
            except FileNotFoundError:
                continue
            if name.endswith(".png"):  # compressed texts
                data += b"".join(inflate(data[i:]) for i in range(len(data)) if data[i:i + 2] == b"\x78\x9c")
            if any(word in data for word in words):
                at.append(name)
    return at + (["log"] if any(word in server.log.encode() for word in words) else [])


def inflate(data):
    try:
        return zlib.decompressobj().decompress(data, 1 << 20)
    except zlib.error:
        return b""


def drain_log(server):
    server.log += server.process.stdout.read()


async def nothing_is_written():
    """catches: a prompt or picture that is on disk, in the log or told to an administrator; a picture that cannot be
    fetched, or twice"""
    data = folder()
    ada, root = add(data, "ada"), add(data, "root", "--role", "admin")
    server = Server(data, "--log-level", "debug", "--access-log", "--concurrency", "1", "--job-seconds", "86400")
    async with server.connect(**sign_in(ada)) as c, server.connect(**sign_in(root)) as admin:
        pictures = {}
        for private in (True, False):
            prompt = WORD % private
            job = (await c.submit({**QUICK, "prompt": prompt}, private=private))["job"]
            seen = [m for m in await c.end_of(job) if isinstance(m, dict)]
            result = next(m for m in seen if m["type"] == "result")
            rows = (await admin.ask(type="list"))["jobs"]
            row = next(r for r in rows if r["job"] == job)
            assert row["spec"]["prompt"] == ("" if private else prompt), row
            if private:
                assert "result" not in row and row["private"] is True, row
                assert server.get(result["url"], headers=bearer(root))[0] == 404
                assert server.get(result["url"], "HEAD", bearer(ada))[0] == 200  # which does not count
            small = result["url"].replace("/i/", "/t/").replace(".png", ".jpg")
            assert server.get(small, headers=bearer(ada))[0] == (404 if private else 200)
            found = [r["job"] for r in (await c.ask(type="list", results=True))["jobs"]]
            assert (job in found) != private, found
            status, headers, png = server.get(result["url"], headers=bearer(ada))
            assert status == 200 and len(png) == result["bytes"], status
            assert ("no-store" in headers["Cache-Control"]) == private, headers
            assert (prompt.encode() in png) != private
            pictures[private] = png
            again = server.get(result["url"], headers=bearer(ada))[0]
            assert again == (404 if private else 200), again
            watched = await c.ask(type="watch", job=job)
            assert watched["type"] == ("error" if private else "ok"), watched
        assert leaks(server, needles(WORD % True, pictures[True])) == []
        assert "darkroom.db-wal" in leaks(server, needles(WORD % False, pictures[False])) or \
            "darkroom.db" in leaks(server, needles(WORD % False, pictures[False]))
        assert any(name.endswith(".png") for name in leaks(server, needles("-", pictures[False])))
    server.process.terminate()
    drain_log(server)
    server.process.wait()
    assert leaks(server, needles(WORD % True, pictures[True])) == []
    assert leaks(server, needles(WORD % False)) != []


async def nothing_is_left_by_a_crash():
    """catches: a checkpoint, a temporary file or a row of a private job after kill -9; a client that is not told that
    its job is lost"""
    data = folder()
    server = Server(data, "--concurrency", "2", "--job-seconds", "86400")
    jobs = {}
    async with server.connect() as c:
        for private in (True, False):
            prompt = (WORD + " that takes long") % private
            jobs[private] = (await c.submit({**LONG, "prompt": prompt}, private=private))["job"]
        for job in jobs.values():
            await c.until(lambda m, job=job: m["type"] == "progress" and m["job"] == job)
        end = time.monotonic() + 120
        while not os.path.exists(os.path.join(data, "checkpoints", jobs[False])):
            assert time.monotonic() < end, "no checkpoint of the other job"
            await asyncio.sleep(0.1)
        names = os.listdir(os.path.join(data, "checkpoints"))
        assert not any(jobs[True] in name for name in names), names
        server.kill()
    assert leaks(server, needles((WORD + " that takes long") % True)) == []
    assert leaks(server, needles((WORD + " that takes long") % False)) != []
    server = Server(data, "--concurrency", "2", "--job-seconds", "86400")
    async with server.connect() as c:
        assert (await c.ask(type="watch", job=jobs[True]))["code"] == "not_found"
        assert (await c.ask(type="watch", job=jobs[False]))["type"] == "ok"
        await c.ask(type="cancel", job=jobs[False])
    assert leaks(server, needles((WORD + " that takes long") % True)) == []
    server.stop()


run([nothing_is_written, nothing_is_left_by_a_crash])
