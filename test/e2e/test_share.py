"""test_share - a shared job is watched by its address, by nothing else, and until the share ends."""

import asyncio
import http.client
import json
import os
import urllib.request

import websockets

from harness import QUICK, Server, run
from users import bare, bearer, sign_in

KILLS = 10  # rounds of two


def picture(messages):
    return next(m for m in messages if isinstance(m, dict) and m["type"] == "result")["url"]


async def drawn(client, seed):
    job = (await client.submit({**QUICK, "seed": seed}))["job"]
    return job, picture(await client.end_of(job))


async def closed(socket):
    """The code of its end; what comes before it."""
    try:
        while True:
            await asyncio.wait_for(socket.recv(), 60)
    except websockets.ConnectionClosed as end:
        return end.rcvd.code


def other_job(answer, job):
    return next(row["job"] for row in answer["jobs"] if row["job"] != job)


async def a_guest_watches():
    """catches: a guest that is not let in, that gets another's picture, or a right or cookie with it"""
    server = Server()
    token = server.user("add", "ada")
    async with server.connect(**sign_in(token)) as ada:
        job, url = await drawn(ada, 1)
        _, other = await drawn(ada, 2)
        status, _, body = server.get(f"/v1/jobs/{job}/share", "POST", bearer(token), {"ttl_s": 3600})
        secret = json.loads(body)["token"]
        assert status == 200 and secret.startswith("drs_"), body
        assert [j["job"] for j in (await ada.ask(type="list", shared=True))["jobs"]] == [job]
        async with bare(server) as guest:
            await guest.recv()
            await guest.send(json.dumps({"type": "auth", "token": secret}))
            hello = json.loads(await guest.recv())
            assert hello["type"] == "hello" and hello["user"]["role"] == "guest" and not hello["notices"], hello
            await guest.send(json.dumps({"type": "watch", "job": job}))
            heard = [json.loads(await guest.recv())["type"]]
            while heard[-1] != "end":
                heard.append(json.loads(await guest.recv())["type"])
            assert "result" in heard, heard
        assert server.get(url, headers=bearer(secret))[0] == 200
        assert server.get(url)[0] == 401
        assert server.get(f"{url}?share={secret}&token={secret}")[0] == 401
        assert server.get(other, headers=bearer(secret))[0] == 404
        status, headers, _ = server.get("/v1/session", "POST", bearer(secret))
        assert status == 401 and "Set-Cookie" not in headers
        status, _, body = server.get("/v1/jobs", headers=bearer(secret))
        assert status == 200 and [j["job"] for j in json.loads(body)["jobs"]] == [job], body
        assert "key" not in json.loads(body)["jobs"][0]
        assert server.get(f"/v1/jobs/{job}", headers=bearer(secret))[0] == 200
        events = server.get(f"/v1/jobs/{job}/events", headers=bearer(secret))[2].decode()
        assert "event: result" in events and "event: end" in events, events
        strange = other_job(await ada.ask(type="list"), job)
        for path in (f"/v1/jobs/{strange}", f"/v1/jobs/{strange}/events"):
            assert server.get(path, headers=bearer(secret))[0] == 404, path
        for path, method in (("/v1/stats", "GET"), ("/v1/quote?prompt=x", "GET"), (f"/v1/jobs/{job}", "DELETE"),
                             (f"/v1/jobs/{job}/cancel", "POST"), ("/v1/jobs", "POST")):
            assert server.get(path, method, bearer(secret), {} if method == "POST" else None)[0] == 401, path
        wrong = secret[:-1] + ("a" if secret[-1] != "a" else "b")
        assert server.get(url, headers=bearer(wrong))[0] == 401
    server.stop()
    assert secret not in server.log
    for folder, _, names in os.walk(server.data):
        for name in names:
            with open(os.path.join(folder, name), "rb") as file:
                assert secret.encode() not in file.read(), name


async def a_share_ends():
    """catches: a guest that stays connected, or is let in again, when the share has ended"""
    server = Server()
    token = server.user("add", "ada")
    async with server.connect(**sign_in(token)) as ada:
        job, url = await drawn(ada, 1)
        for how in ("unshare", "share", "time"):
            more = {"ttl_s": 10} if how == "time" else {}
            secret = (await ada.ask(type="share", job=job, **more))["token"]
            async with bare(server, **sign_in(secret)) as guest:
                if how != "time":
                    assert (await ada.ask(type=how, job=job))["type"] == "ok"
                assert await closed(guest) == 4001
            status, _, body = server.get(url, headers=bearer(secret))
            assert status == 401 and json.loads(body)["code"] == "unauthorized", body
    server.stop()


def read_on(stream):
    try:
        return stream.read()
    except (http.client.IncompleteRead, ConnectionError) as end:
        return getattr(end, "partial", b"")


async def a_stream_ends_with_its_share():
    """catches: events that go on by HTTP when the share is taken back"""
    server = Server()
    token = server.user("add", "ada")
    async with server.connect(**sign_in(token)) as ada:
        job = (await ada.ask(type="submit", spec=QUICK, hold=True))["job"]
        secret = (await ada.ask(type="share", job=job))["token"]
        address = f"http://127.0.0.1:{server.port}/v1/jobs/{job}/events"
        with urllib.request.urlopen(urllib.request.Request(address, headers=bearer(secret)), timeout=60) as stream:
            while b"event: queue" not in stream.readline():
                pass
            assert (await ada.ask(type="unshare", job=job))["type"] == "ok"
            rest = await asyncio.get_running_loop().run_in_executor(None, read_on, stream)
        assert b"event: end" not in rest, rest
    server.stop()


async def a_share_survives_a_restart():
    """catches: a share that a restart ends, an old one that it brings back"""
    server = Server()
    token = server.user("add", "ada")
    async with server.connect(**sign_in(token)) as ada:
        job, url = await drawn(ada, 1)
        old = (await ada.ask(type="share", job=job))["token"]
        secret = (await ada.ask(type="share", job=job))["token"]
        assert (await ada.ask(type="ping"))["type"] == "pong"
    server.stop()
    server = Server(server.data)
    assert server.get(url, headers=bearer(secret))[0] == 200
    assert server.get(url, headers=bearer(old))[0] == 401
    server.stop()


async def what_was_answered_survives_a_kill():
    """catches: a share that comes back, or one that is lost, when the process is killed right after its answer"""
    server = Server()
    token = server.user("add", "ada")
    async with server.connect(**sign_in(token)) as ada:
        job, url = await drawn(ada, 1)
    for _ in range(KILLS):
        async with server.connect(**sign_in(token)) as ada:
            first = (await ada.ask(type="share", job=job))["token"]
            second = (await ada.ask(type="share", job=job))["token"]
            server.kill()
        server = Server(server.data, ready=False)
        assert server.get(url, headers=bearer(second))[0] == 200
        assert server.get(url, headers=bearer(first))[0] == 401
        async with server.connect(**sign_in(token)) as ada:
            assert (await ada.ask(type="unshare", job=job))["type"] == "ok"
            server.kill()
        server = Server(server.data, ready=False)
        assert server.get(url, headers=bearer(second))[0] == 401
    server.stop()


run([a_guest_watches, a_share_ends, a_stream_ends_with_its_share, a_share_survives_a_restart,
     what_was_answered_survives_a_kill])
