"""test_reload - SIGHUP: the ini file is read again, and nobody is disconnected."""

import asyncio
import os
import signal

import websockets

from harness import LONG, QUICK, Server, folder, run


def write(path, *lines):
    with open(path + ".new", "w") as f:
        f.write("".join(line + "\n" for line in lines))
    os.rename(path + ".new", path)


def reread(server, path, *lines):
    """The server's own words about the new file, and only those about this one."""
    write(path, *lines)
    server.log = ""
    server.process.send_signal(signal.SIGHUP)
    server.read_until(r"users: \d+ may sign in")
    return server.log


async def rereads_the_file():
    """catches: SIGHUP that ends the server or drops a socket, a live option that keeps its old value, one that
    needs a restart and is not named, a flag that the file overrides"""
    path = os.path.join(folder(), "darkroom.ini")
    write(path, "queue = 1", "log-level = info", "connections = 50")
    server = Server(None, "--config", path, "--concurrency", "1", "--keep-days", "7")
    async with server.connect() as c:
        running = await c.submit(LONG)
        await c.until(lambda m: m["type"] == "progress")
        await c.submit(QUICK)
        full = await c.ask(type="submit", spec=QUICK)
        assert full["type"] == "error" and full["code"] == "queue_full", full
        words = reread(server, path, "queue = 3", "connections = 60", "keep-days = 1", "concurrency = 2")
        assert f"{path} was read again; changed: queue" in words and "keep-days" not in words, words
        assert "need a restart: connections" in words and "concurrency" not in words, words
        await c.submit(QUICK)
        async with server.connect() as new:
            assert new.hello["limits"]["queue"] == 3, new.hello["limits"]
        words = reread(server, path, "queue = many")
        assert "all stay as they were" in words and "queue must be" in words, words
        await c.submit(QUICK)
        assert "queue" in reread(server, path, "connections = 50")
        await c.send(type="cancel", job=running["job"])
        await c.until(lambda m: m["type"] == "end" and m["job"] == running["job"])
    status, _ = server.stop()
    assert status == 0, status


async def origins_change():
    """catches: a page of another origin that still gets in, or does not get in yet"""
    path = os.path.join(folder(), "darkroom.ini")
    write(path, "queue = 4")
    server = Server(None, "--config", path)

    async def answers():
        try:
            async with server.connect(origin="https://lab.example"):
                return 101
        except websockets.InvalidStatusCode as refused:
            return refused.status_code
    assert await answers() == 403
    assert "changed: origins" in reread(server, path, "queue = 4", "origins = https://lab.example")
    assert await answers() == 101
    assert "all stay" in reread(server, path, "origins = lab.example/path")
    assert await answers() == 101
    assert "changed: origins" in reread(server, path, "queue = 4")
    assert await answers() == 403
    server.kill()


def logs_louder():
    """catches: a level that stays"""
    path = os.path.join(folder(), "darkroom.ini")
    write(path, "log-level = error")
    server = Server(None, "--config", path)
    assert "changed: log-level" in reread(server, path, "log-level = info")
    assert "may sign in" in reread(server, path, "log-level = info")
    server.kill()


run([rereads_the_file, origins_change, logs_louder])
