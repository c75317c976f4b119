"""test_proxy - behind a proxy: its user, its client's address, TLS before it, a path, a unix socket."""

import asyncio
import http.client
import json
import os
import re
import socket
import subprocess

import websockets

from harness import BIN, MODEL, QUICK, Server, folder, run
from users import add, bare, bearer


class Local(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path):
        super().__init__("localhost")
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(20)
        self.sock.connect(self.path)

    def ask(self, path, method="GET", headers=None):
        self.request(method, path, headers=headers or {})
        answer = self.getresponse()
        return answer.status, answer.headers, answer.read()


def forwarded(user, address="203.0.113.9", proto="https"):
    return {"X-Forwarded-User": user, "X-Forwarded-For": address, "X-Forwarded-Proto": proto}


async def a_proxy_names_its_user():
    """catches: a user that anybody can claim to be, a name that becomes a user, a proxy's password
    that is taken for a token"""
    data = folder()
    token = add(data, "ada")
    add(data, "ben", "--role", "admin")
    server = Server(data, "--trust-proxy")
    who = {**forwarded("ada"), "Authorization": "Basic YWRhOng="}
    assert json.loads(server.get("/v1/session", headers=who)[2])["user"]["name"] == "ada"
    async with bare(server, extra_headers=who) as c:
        assert json.loads(await c.recv())["user"]["name"] == "ada"
    assert server.get("/metrics", headers=who)[0] == 403
    assert server.get("/metrics", headers=forwarded("ben"))[0] == 200
    assert server.get("/metrics", headers={"X-Forwarded-For": "203.0.113.9"})[0] == 401
    for name in ("eve", "Ada", "a" * 4000, "ada ben", "%61da", "<script>"):
        status, _, body = server.get("/v1/session", headers=forwarded(name))
        assert status == 401 and json.loads(body)["code"] == "unauthorized", (name, status)
    assert server.user("list").count("\n") == 2, "nobody was made a user"
    both = {**forwarded("ben"), **bearer(token)}
    assert json.loads(server.get("/v1/session", headers=both)[2])["user"]["name"] == "ada"
    assert "; Secure" in server.get("/v1/session", "POST", both)[1]["Set-Cookie"]
    plain = server.get("/v1/session", "POST", {**forwarded("ben", proto="http"), **bearer(token)})
    assert "Secure" not in plain[1]["Set-Cookie"]
    with server.raw() as s:
        s.sendall((f"GET /v1/session HTTP/1.1\r\nHost: {server.host}\r\nX-Forwarded-User: ada\r\n"
                   "X-Forwarded-User: ben\r\n\r\n").encode())
        assert s.recv(4096).split(b" ")[1] == b"400"
    server.stop()
    server = Server(data)  # without --trust-proxy
    assert server.get("/v1/session", headers=forwarded("ada"))[0] == 401
    server.stop()


async def guesses_count_by_the_clients_address():
    """catches: one guesser behind the proxy that slows all others down"""
    data = folder()
    add(data, "ada")
    server = Server(data, "--trust-proxy")
    wrong = bearer("dr_" + 49 * "a")
    ask = lambda address: server.get("/v1/session", headers={**wrong, "X-Forwarded-For": address})[0]
    assert [ask("203.0.113.9") for _ in range(14)][-1] == 429
    assert ask("203.0.113.10") == 401
    assert ask("203.0.113.10, 203.0.113.9") == 429, "what the client claims is not believed"
    async with bare(server, extra_headers={"X-Forwarded-For": "203.0.113.9"}) as c:
        await c.recv()
        await c.send(json.dumps({"type": "auth", "token": "dr_" + 49 * "a"}))
        assert json.loads(await c.recv())["code"] == "rate_limited"
    server.stop()


async def below_a_path():
    """catches: a page, socket, picture or cookie that is looked for at the root"""
    data = folder()
    token = add(data, "ada")
    server = Server(data, "--base", "/lab/")
    for path in ("/lab/", "/lab", "/lab/app.js", "/lab/i18n/en.js", "/lab/healthz", "/healthz"):
        assert server.get(path)[0] == 200, path
    for path in ("/lab/lab/", "/labx", "/lab/nothing"):
        assert server.get(path)[0] == 404, path
    given = server.get("/lab/v1/session", "POST", bearer(token))[1]["Set-Cookie"]
    assert "Path=/lab/;" in given, given
    cookie = {"Cookie": given.split(";")[0]}
    async with websockets.connect(f"ws://{server.host}:{server.port}/lab/ws", extra_headers=cookie,
                                  subprotocols=["darkroom.v1"]) as c:
        assert json.loads(await c.recv())["user"]["name"] == "ada"
        await c.send(json.dumps({"type": "submit", "spec": QUICK}))
        url = None
        while url is None:
            message = await asyncio.wait_for(c.recv(), 60)
            url = json.loads(message).get("url") if isinstance(message, str) else None
    assert server.get("/lab" + url, headers=cookie)[0] == 200
    ended = server.get("/lab/v1/session", "DELETE", cookie)[1]["Set-Cookie"]
    assert "Path=/lab/;" in ended, "else the cookie stays"
    server.stop()
    done = subprocess.run([BIN, "serve", "--model", MODEL, "--base", "lab", "--port", "0", "--data", folder()],
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 2 and "--base" in done.stderr, done


async def a_unix_socket():
    """catches: a socket that everybody of this machine may use, one that is left behind, taken from
    another server, or on which a WebSocket does not work"""
    data = folder()
    path = os.path.join(data, "socket")
    token = add(data, "ada")
    args = [BIN, "serve", "--model", MODEL, "--data", data, "--trust-proxy", "--listen", "unix:" + path]
    process = subprocess.Popen(args, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        log = ""
        while not re.search(r"drawing\s+\d+ at a time", log):
            line = process.stdout.readline()
            assert line, log
            log += line
        assert "unix:" + path in log
        assert os.stat(path).st_mode & 0o777 == 0o660
        assert Local(path).ask("/v1/session")[0] == 401
        assert Local(path).ask("/v1/session", headers=forwarded("ada"))[0] == 200
        assert Local(path).ask("/metrics")[0] == 200 and Local(path).ask("/metrics", headers=forwarded(""))[0] == 401
        async with websockets.unix_connect(path, "ws://localhost/ws", extra_headers=bearer(token),
                                           subprotocols=["darkroom.v1"]) as c:
            assert json.loads(await c.recv())["user"]["name"] == "ada"
            await c.send(json.dumps({"type": "submit", "spec": QUICK}))
            while True:
                message = await asyncio.wait_for(c.recv(), 60)
                if isinstance(message, str) and json.loads(message)["type"] == "end":
                    assert json.loads(message)["state"] == "done"
                    break
        other = [BIN, "serve", "--model", MODEL, "--data", folder(), "--listen", "unix:" + path]
        done = subprocess.run(other, capture_output=True, text=True, timeout=60)
        assert done.returncode == 1 and "Address already in use" in done.stderr, done
        assert Local(path).ask("/healthz")[0] == 200, "the other took its socket away"
        process.kill()
        process.wait()
        assert os.path.exists(path)
        process = subprocess.Popen(args, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        line = "x"
        while line and " at a time" not in line:
            line = process.stdout.readline()
        assert line, "a socket that is left over is replaced"
        process.terminate()
        process.stdout.read()
        assert process.wait(20) == 0 and not os.path.exists(path)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


run([a_proxy_names_its_user, guesses_count_by_the_clients_address, below_a_path, a_unix_socket])
