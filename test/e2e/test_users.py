"""test_users - users of the real program: who is let in, how, and what ends it."""

import asyncio
import json
import os
import pty
import signal
import subprocess
import time

import websockets

from harness import BIN, LONG, MODEL, QUICK, RawWebSocket, Server, folder, run
from users import add, bare, bearer, sign_in

# the longest that a change may take to be in force, on a busy machine
SOON = 10


async def closed(socket):
    """Read to the end: (code, reason)."""
    try:
        while True:
            await asyncio.wait_for(socket.recv(), SOON)
    except websockets.ConnectionClosed as end:
        return end.rcvd.code, end.rcvd.reason


def until(so):
    end = time.monotonic() + SOON
    while not so():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


async def without_users_all_is_open():
    """catches: a token that is asked for, or refused, by a service that has no users"""
    server = Server()
    async with server.connect() as c:
        assert c.hello["user"] is None
        await c.submit(QUICK)
    async with server.connect(**sign_in("dr_nonsense")) as c:
        assert c.hello["user"] is None
    async with bare(server) as c:
        await c.send('{"type":"auth","token":"dr_nonsense"}')
        await c.send('{"type":"ping","ref":"p"}')
        assert [json.loads(await c.recv())["type"] for _ in range(2)] == ["hello", "pong"]
    assert server.get("/v1/session", "POST")[::2] == (200, b'{"user":null}')
    assert server.get("/metrics")[0] == 200
    server.stop()


async def the_first_message_says_who():
    """catches: a stranger who is served, is not told what to send, or stays for ever"""
    data = folder()
    token = add(data, "ada", "--lanes", "batch", "--waiting", "3")
    server = Server(data)
    async with bare(server) as c:
        question = json.loads(await c.recv())
        assert (question["type"], question["code"]) == ("error", "unauthorized"), question
        assert '"auth"' in question["hint"]
        await c.send(json.dumps({"type": "auth", "token": token}))
        hello = json.loads(await c.recv())
        assert hello["type"] == "hello"
        assert hello["user"] == {"name": "ada", "role": "user", "lanes": ["batch"], "weight": 1,
                                 "limits": {"waiting": 3, "running": None, "disk_bytes": None}}
    async with bare(server) as c:
        assert json.loads(await c.recv())["code"] == "unauthorized"
        before = time.monotonic()
        assert await closed(c) == (4001, "unauthorized")
        assert time.monotonic() - before > 2, "it has a few seconds"
    for first in ('{"type":"list","ref":"l"}', '{"type":"auth","ref":"l"}', "[",
                  json.dumps({"type": "auth", "ref": "l", "token": token[:-1]})):
        async with bare(server) as c:
            await c.recv()
            await c.send(first)
            answer = json.loads(await c.recv())
            assert answer["code"] == "unauthorized", answer
            assert answer.get("ref") == ("l" if "ref" in first else None), answer
            assert await closed(c) == (4001, "unauthorized")
    async with bare(server) as c:
        await c.recv()
        await c.send(b"binary")
        assert json.loads(await c.recv())["code"] == "bad_request"
        assert await closed(c) == (4001, "unauthorized")
    server.stop()


async def headers_and_cookies():
    """catches: a cookie that tells the token, is not taken, or outlives it; a token in a query"""
    data = folder()
    token = add(data, "ada", "--role", "admin")
    server = Server(data)
    async with server.connect(**sign_in(token)) as c:
        assert c.hello["user"]["lanes"] == ["urgent", "normal", "batch"]
    for path in ("/v1/session", f"/v1/session?token={token}", f"/v1/session?access_token={token}"):
        assert server.get(path, "POST")[0] == 401
    status, headers, body = server.get("/v1/session", "POST", bearer(token))
    assert status == 200 and json.loads(body)["user"]["name"] == "ada"
    given = headers["Set-Cookie"]
    assert "HttpOnly" in given and "SameSite=Strict" in given and "Path=/;" in given
    assert "Secure" not in given and token not in given
    cookie = {"Cookie": given.split(";")[0]}
    assert json.loads(server.get("/v1/session", headers=cookie)[2])["user"]["name"] == "ada"
    async with server.connect(extra_headers=cookie) as c:
        assert c.hello["user"]["name"] == "ada"
    secure = server.get("/v1/session", "POST", {**bearer(token), "Host": "pictures.example",
                                                "Origin": "https://pictures.example"})
    assert secure[0] == 403, "a name that is not served"
    secure = server.get("/v1/session", "POST", {**bearer(token), "Host": "localhost",
                                                "Origin": "https://localhost"})
    assert "; Secure" in secure[1]["Set-Cookie"]
    status, headers, body = server.get("/v1/session", "DELETE", cookie)
    assert status == 200 and "Max-Age=0" in headers["Set-Cookie"]
    new = server.user("rotate", "ada")
    until(lambda: server.get("/v1/session", headers=bearer(new))[0] == 200)
    assert server.get("/v1/session", headers=cookie)[0] == 401
    assert server.get("/v1/session", headers=bearer(token))[0] == 401
    again = {"Cookie": server.get("/v1/session", "POST", bearer(new))[1]["Set-Cookie"].split(";")[0]}
    server.stop()
    server = Server(data)  # a cookie is good over restarts
    assert server.get("/v1/session", headers=again)[0] == 200
    other = Server()
    add(other.data, "ada")
    until(lambda: other.get("/v1/session")[0] == 401)
    assert other.get("/v1/session", headers=again)[0] == 401, "another server's"
    other.stop()
    server.stop()


def other_sites_change_nothing():
    """catches: a page of a stranger's site that signs its visitor in or out (CSRF)"""
    data = folder()
    token = add(data, "ada")
    server = Server(data)
    for method in ("POST", "DELETE"):
        for origin in ("https://evil.example", "null", f"http://{server.host}:1"):
            status, headers, _ = server.get("/v1/session", method, {**bearer(token), "Origin": origin})
            assert status == 403 and "Set-Cookie" not in headers, (method, origin)
        assert server.get("/v1/session", method, {**bearer(token), "Origin": server.url})[0] == 200
    server.stop()


async def changes_are_in_force_at_once():
    """catches: a user who is removed or gets another token and is still served; one whose jobs go
    on; a first user who does not close the service; a signal that ends it"""
    server = Server(None, "--concurrency", "1")
    async with server.connect() as everybody:
        ada = server.user("add", "ada")
        assert await closed(everybody.ws) == (4001, "unauthorized")
    ben = server.user("add", "ben")
    until(lambda: server.get("/v1/session", headers=bearer(ben))[0] == 200)
    async with server.connect(**sign_in(ada)) as a, server.connect(**sign_in(ben)) as b:
        first = (await b.submit(LONG))["job"]
        await b.until(lambda m: m["type"] == "phase")
        second = (await a.submit(LONG))["job"]
        server.user("rotate", "ben")
        assert await closed(b.ws) == (4001, "unauthorized")
        assert (await a.ask(type="ping"))["type"] == "pong"
        server.user("remove", "ben")
        assert (await a.until(lambda m: m["type"] == "phase" and m["job"] == second))
        assert (await a.ask(type="cancel", job=first))["code"] == "not_found"
        server.user("remove", "ada")
        assert await closed(a.ws) == (4001, "unauthorized")
    cat = server.user("add", "cat", "--role", "admin")
    server.process.send_signal(signal.SIGHUP)
    until(lambda: server.get("/v1/session", headers=bearer(cat))[0] == 200)
    async with server.connect(**sign_in(cat)) as c:
        states = {j["job"]: j["state"] for j in (await c.ask(type="list"))["jobs"]}
        while states != {first: "cancelled", second: "cancelled"}:
            await asyncio.sleep(0.05)
            states = {j["job"]: j["state"] for j in (await c.ask(type="list"))["jobs"]}
    server.stop()


async def set_without_a_break():
    """catches: a change that cuts connections, changes what was not named, comes late, or is not told"""
    data = folder()
    token = add(data, "ada", "--lanes", "normal,batch", "--weight", "3")
    server = Server(data)
    async with server.connect(**sign_in(token)) as c:
        server.user("set", "ada", "--lanes", "urgent", "--waiting", "1")
        now = (await c.until(lambda m: m["type"] == "user", SOON))[-1]["user"]
        assert now["lanes"] == ["urgent"] and now["weight"] == 3 and now["limits"]["waiting"] == 1, now
        assert (await c.ask(type="submit", spec=QUICK))["code"] == "forbidden"
        assert (await c.ask(type="submit", spec={**QUICK, "lane": "urgent"}, hold=True))["type"] == "accepted"
        full = await c.ask(type="submit", spec={**QUICK, "lane": "urgent"}, hold=True)
        assert full["code"] == "rate_limited", full
        server.user("set", "ada", "--role", "viewer")
        await c.until(lambda m: m["type"] == "user" and m["user"]["role"] == "viewer", SOON)
        assert (await c.ask(type="submit", spec=QUICK))["code"] == "forbidden"
        assert len((await c.ask(type="list"))["jobs"]) == 1
    async with server.connect(**sign_in(token)) as c:
        assert c.hello["user"]["role"] == "viewer"
    for args, told in ((("set", "ada"), "Nothing is to change"), (("set", "eve", "--weight", "2"), "no user"),
                       (("set", "ada", "--role", "king"), "no role"), (("add", "n" * 65), "'nnnn"),
                       (("set", "ada/" + "n" * 100, "--weight", "2"), "'ada/nnn"), (("remove", ""), "'' is no name"),
                       (("add", "\x1b[31m\xe9"), "'?[31m\xe9' is no name")):
        done = subprocess.run([BIN, "user", *args, "--data", data], capture_output=True, text=True)
        assert done.returncode != 0 and told in done.stderr, done.stderr
    server.stop()


async def the_last_user_leaves_it_closed():
    """catches: a service that is open to everybody as its last user was removed"""
    data = folder()
    token = add(data, "ada")
    server = Server(data)
    server.user("remove", "ada")
    until(lambda: server.get("/v1/session", headers=bearer(token))[0] == 401)
    async with bare(server) as c:
        assert json.loads(await c.recv())["code"] == "unauthorized"
    server.stop()
    server = Server(data, "--open")
    async with server.connect() as c:
        assert c.hello["user"] is None
    server.stop()


def beyond_this_machine():
    """catches: a service for everybody who can reach it, though nobody has asked for that"""
    data = folder()
    args = [BIN, "serve", "--model", MODEL, "--port", "0", "--host", "0.0.0.0", "--data", data]
    done = subprocess.run(args, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2, done
    assert "darkroom user add" in done.stderr and "--open" in done.stderr, done.stderr
    token = add(data, "ada")
    server = Server(data, "--host", "0.0.0.0")
    assert server.get("/v1/session")[0] == 401
    assert server.get("/v1/session", headers={**bearer(token), "Host": "10.1.2.3:80"})[0] == 200
    assert server.get("/v1/session", headers={**bearer(token), "Host": "evil.example"})[0] == 403
    server.stop()


async def guessing_is_slowed():
    """catches: guessing as fast as one can; users of the same address who are locked out by it;
    tokens in the log"""
    data = folder()
    token = add(data, "ada")
    server = Server(data, "--log-level", "debug")
    wrong = [token[:-8] + f"{i:02d}" + token[-6:] for i in range(10)]
    replies = [server.get("/v1/session", headers=bearer(wrong[i % 10])) for i in range(20)]
    assert replies[0][0] == 401 and replies[0][1]["WWW-Authenticate"].startswith("Bearer")
    status, headers, body = replies[-1]
    assert status == 429 and int(headers["Retry-After"]) >= 1
    assert json.loads(body)["retry_after_ms"] > 0
    async with bare(server) as c:
        await c.recv()
        await c.send(json.dumps({"type": "auth", "token": wrong[0]}))
        answer = json.loads(await c.recv())
        assert answer["code"] == "rate_limited" and answer["retry_after_ms"] > 0
        assert (await closed(c))[0] == 4001
    assert RawWebSocket(server, bearer(wrong[0])).status == 429
    assert server.get("/v1/session", headers=bearer(token))[0] == 200
    assert server.get("/")[0] == 200 and server.get("/healthz")[0] == 200
    async with server.connect(**sign_in(token)) as c:
        await c.submit(QUICK)
    server.read_until("many wrong tokens came from 127.0.0.1")
    server.process.terminate()
    server.log += server.process.stdout.read()
    assert server.log.count("many wrong tokens") == 1 and "dr_" not in server.log, server.log


def hostile_heads():
    """catches: a head that says two things about who asks, or is read beyond its end"""
    data = folder()
    token = add(data, "ada")
    server = Server(data)

    def status(*lines):
        with server.raw() as s:
            head = ["GET /v1/session HTTP/1.1", f"Host: {server.host}", *lines, "", ""]
            s.sendall("\r\n".join(head).encode("latin-1"))
            return int(s.recv(4096).split(b" ")[1])

    good = "Authorization: Bearer " + token
    assert status(good) == 200
    assert status(good.replace("Bearer", "bEARER")) == 200
    assert status(good, good) == 400
    assert status(good, "Authorization: Bearer x") == 400
    assert status("Authorization: Bearer") == 401
    assert status("Authorization:") == 401
    assert status("Authorization: Basic eDp5") == 401
    assert status(good + "\0") == 400
    assert status(good + "x" * 8000) == 401
    assert status(good + "x" * 20000) == 431
    assert status("Cookie: " + "; ".join(f"darkroom_{i:08x}={i}.{i:064x}" for i in range(100))) == 401
    assert status("X-Forwarded-User: ada") == 401
    server.stop()


def a_closed_terminal_ends_it():
    """catches: a server that goes on, unseen, when the terminal that it was started in is closed"""
    master, slave = pty.openpty()
    process = subprocess.Popen([BIN, "serve", "--model", MODEL, "--port", "0", "--data", folder()],
                               stdin=slave, stdout=slave, stderr=slave, start_new_session=True)
    try:
        os.close(slave)
        shown = b""
        while b" at a time" not in shown:
            shown += os.read(master, 4096)
        process.send_signal(signal.SIGHUP)
        while b"may sign in" not in shown:
            shown += os.read(master, 4096)
        assert process.poll() is None, "a signal alone ends nothing"
        os.close(master)
        process.send_signal(signal.SIGHUP)
        process.wait(20)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0


async def nothing_is_asked_while_idle():
    """catches: a server that looks for changes again and again"""
    data = folder()
    add(data, "ada")
    server = Server(data)
    await asyncio.sleep(3)  # what the start still does
    before = server.cpu_seconds()
    await asyncio.sleep(4)
    used = server.cpu_seconds() - before
    assert used <= 0.02, f"{used} s of processor in 4 idle s"
    server.stop()


run([without_users_all_is_open, the_first_message_says_who, headers_and_cookies,
     other_sites_change_nothing, changes_are_in_force_at_once, set_without_a_break, the_last_user_leaves_it_closed,
     beyond_this_machine, guessing_is_slowed, hostile_heads, a_closed_terminal_ends_it,
     nothing_is_asked_while_idle])
