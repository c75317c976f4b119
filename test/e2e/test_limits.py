"""test_limits - how much one address, one user and one connection may have, in the real program."""

import asyncio
import json
import os
import re
import signal

import websockets

from harness import QUICK, RawWebSocket, Server, folder, run
from users import add, bare, bearer, sign_in


def limited(server, limit):
    text = server.get("/metrics")[2].decode()
    return int(re.search(r'darkroom_limited_total\{limit="%s"\} (\d+)' % limit, text).group(1))


async def refused(socket):
    """What a connection is told, and how it is closed."""
    told = json.loads(await asyncio.wait_for(socket.recv(), 20))
    try:
        while True:
            await asyncio.wait_for(socket.recv(), 20)
    except websockets.ConnectionClosed as end:
        return told, end.rcvd.code


async def connections_of_a_user():
    """catches: a user who takes all connections, one who cannot come back, one who is asked to sign in again"""
    data = folder()
    ada, ben = add(data, "ada"), add(data, "ben")
    server = Server(data, "--connections-per-user", "2")
    async with server.connect(**sign_in(ada)), server.connect(**sign_in(ada)):
        async with bare(server, extra_headers=bearer(ada)) as c:
            told, code = await refused(c)
            assert told["code"] == "rate_limited" and told["retry_after_ms"] > 0 and code == 4010, (told, code)
        async with bare(server) as c:
            await c.recv()
            await c.send(json.dumps({"type": "auth", "token": ada}))
            told, code = await refused(c)
            assert told["code"] == "rate_limited" and code == 4010, (told, code)
        async with server.connect(**sign_in(ben)):
            pass
        assert server.get("/v1/session", headers=bearer(ada))[0] == 200
        assert limited(server, "connections_user") == 2
    for _ in range(100):  # until the server has seen them go
        async with bare(server, extra_headers=bearer(ada)) as c:
            if json.loads(await c.recv())["type"] == "hello":
                break
        await asyncio.sleep(0.05)
    else:
        raise AssertionError("ada cannot come back")
    server.stop()


async def submits_and_messages():
    """catches: limits that are not there, that SIGHUP does not change, or that are not counted"""
    path = os.path.join(folder(), "darkroom.ini")
    with open(path, "w", encoding="utf-8") as f:
        f.write("submits-per-second = 1\nmessages-per-second = 3\nqueue = 1000\n")
    server = Server(None, "--config", path)
    async with server.connect() as c:
        answers = [await c.ask(type="submit", spec=QUICK, hold=True) for _ in range(14)]
        last = answers[-1]
        assert last["code"] == "rate_limited" and 0 < last["retry_after_ms"] <= 1000, last
        assert sum(a["type"] == "accepted" for a in answers) >= 10
        while (await c.ask(type="ping"))["type"] == "pong":
            pass
        assert limited(server, "submits") >= 1 and limited(server, "messages") >= 1
        with open(path, "w", encoding="utf-8") as f:
            f.write("submits-per-second = 0\nmessages-per-second = 0\nqueue = 1000\n")
        server.process.send_signal(signal.SIGHUP)
        server.read_until("changed: submits-per-second, messages-per-second")
        for _ in range(100):
            assert (await c.ask(type="submit", spec=QUICK, hold=True))["type"] == "accepted"
    server.kill()


def connections_of_an_address():
    """catches: a refusal that does not say what is too many"""
    server = Server(None, "--connections-per-ip", "3")
    open_ones = [RawWebSocket(server) for _ in range(3)]
    assert all(c.status == 101 for c in open_ones)
    status, headers, body = server.get("/healthz")
    assert status == 503 and b"from your address" in body and int(headers["Retry-After"]) > 0, body
    for c in open_ones:
        c.close()
    server.kill()


def connections_that_descriptors_allow():
    """catches: a number of connections that is lowered silently"""
    server = Server(None, "--connections", "300", under=("prlimit", "--nofile=256:256"))
    most = int(re.search(r"at most (\d+), not 300, as the process may open no more", server.log).group(1))
    assert f"\ndarkroom_connections_max {most}\n" in server.get("/metrics")[2].decode() and 100 < most < 256
    server.stop()
    server = Server(None, "--connections", "300")
    assert "at most" not in server.log
    assert "\ndarkroom_connections_max 300\n" in server.get("/metrics")[2].decode()
    server.stop()


run([connections_of_a_user, submits_and_messages, connections_of_an_address,
     connections_that_descriptors_allow])
