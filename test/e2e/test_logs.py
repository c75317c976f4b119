"""test_logs - whatever clients send, wherever they put it: the log has its form, its bound, and no token and no prompt."""

import asyncio
import json
import os
import re
import select
import subprocess
import time
import urllib.parse
import urllib.request

from harness import BIN, MODEL, QUICK, RawWebSocket, Server, folder, free_port, run
from users import add, bare, bearer

HOSTILE = "\x1b[2J\x07\x9b31m\u202egnp\u2028\x7f"
PLAIN = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (error|warn |info |debug|access) [^\x00-\x1f\x7f-\x9f\u2028-\u202e]*"


def well_formed(log, as_json):
    """Every line but those of the start, which are for people."""
    lines = [line for line in log.split("\n") if line and not re.match(r"darkroom |  [a-z]+ ", line)]
    assert len(lines) > 10, log
    for line in lines:
        if as_json:
            o = json.loads(line)
            assert {"time", "level"} <= set(o), line
            assert not re.search(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e]", line), line.encode()
        else:
            assert re.fullmatch(PLAIN, line), line.encode()


def wire(server, text):
    """Bytes as they are; the first bytes of an answer."""
    with server.raw() as s:
        s.sendall(text.encode() if isinstance(text, str) else text)
        try:
            return s.recv(4096)
        except ConnectionResetError:
            return b""


async def everywhere(server, token):
    """A token where it belongs and where it does not, and what a terminal would obey."""
    path = urllib.parse.quote(HOSTILE)
    for t in (token, token[:-1] + "0"):
        for at in (f"/?token={t}", f"/{t}", f"/i/{t}.png", f"/v1/jobs/{t}", f"/ws?t={t}", f"/{path}{t}"):
            server.get(at)
            server.get(at, "DELETE", {"Referer": "http://x/" + t, "User-Agent": t})
        for name in ("Authorization", "Cookie", "Origin", "Host", "X-Forwarded-User", "Sec-WebSocket-Protocol"):
            server.get("/v1/session", headers={name: t})
            wire(server, f"GET /ws HTTP/1.1\r\nHost: {server.host}\r\n{name}: {t}\r\nUpgrade: websocket\r\n"
                 "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
        server.get("/v1/session", headers={"Authorization": "Basic " + t})
        wire(server, f"{t} / HTTP/1.1\r\nHost: x\r\n\r\n")
    for name in ("Host", "Origin", "User-Agent", "X-Forwarded-For"):
        wire(server, f"GET / HTTP/1.1\r\nHost: {server.host}\r\n{name}: {HOSTILE}\r\n\r\n")
    wire(server, b"GET /\xff\xfe\x00\x1b HTTP/1.1\r\n\r\n")
    async with bare(server) as c:
        await c.send(json.dumps({"type": "auth", "token": token + HOSTILE}))
    async with bare(server, extra_headers=bearer(token)) as c:
        for m in ({"type": HOSTILE}, {"type": token}, {"type": "watch", "job": HOSTILE}, {"type": "ping", "ref": HOSTILE},
                  {"type": "submit", "spec": {**QUICK, "prompt": "a secret lighthouse " + HOSTILE, "seed": 1}},
                  {"type": "submit", "key": token, "spec": {**QUICK, "prompt": "a secret lighthouse"}}):
            await c.send(json.dumps(m))
        done = 0
        while done == 0:
            m = await asyncio.wait_for(c.recv(), 60)
            done += isinstance(m, str) and json.loads(m)["type"] == "end"
    w = RawWebSocket(server, bearer(token))
    w.send(HOSTILE.encode())
    w.close()


async def no_token_and_no_prompt():
    """catches: a token or a prompt in the log, at any level and in both forms; a line that a client forged; a character
    that a terminal obeys"""
    for form in ("text", "json"):
        data = folder()
        token = add(data, "ada")
        server = Server(data, "--log-level", "debug", "--access-log", "--log-format", form)
        await everywhere(server, token)
        server.user("rotate", "ada")
        server.read_until("may sign in")
        server.process.terminate()
        log = server.log + server.process.stdout.read()
        server.kill()
        for part in (token, token[:24], token[3:20], token[-20:], "lighthouse", "\x1b", "\x9b", "\u202e"):
            assert part not in log, (form, part, [x for x in log.split("\n") if part in x])
        well_formed(log, form == "json")


def a_flood_is_bounded():
    """catches: a log that grows as fast as clients ask; lines that are left out and not counted"""
    server = Server(None, "--access-log", "--log-format", "json")
    asks, n = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", 4000
    with server.raw() as s:
        for i in range(0, n, 50):
            s.sendall(asks * 50)
            got = b""
            while got.count(b"HTTP/1.1 200") < 50:
                got += s.recv(65536)
    asked = 0
    while '"path":"/readyz"' not in server.log:  # a line passes again after a moment, and tells what was left out
        assert server.get("/readyz")[0] == 200
        asked += 1
        while select.select([server.process.stdout], [], [], 0.2)[0]:
            server.log += server.process.stdout.readline()
    server.process.terminate()
    log = server.log + server.process.stdout.read()
    server.kill()
    lines = [json.loads(line) for line in log.split("\n") if '"level":"access"' in line]
    left_out = sum(line.get("dropped", 0) for line in lines)
    assert len(lines) + left_out == n + asked, (len(lines), left_out, asked)
    assert left_out > 0 and len(lines) < n, "nothing was left out: the test proves nothing"


def emptied_in_place():
    """catches: a hole of NULs, as large as what was written before, when logrotate (copytruncate) empties the log"""
    path = os.path.join(folder(), "log")
    port = free_port()
    with open(path, "wb") as log:  # as `> log 2>&1` does: not for appending
        process = subprocess.Popen([BIN, "serve", "--port", str(port), "--model", MODEL, "--data", folder(),
                                    "--access-log"], stdout=log, stderr=subprocess.STDOUT)

    def written(what):
        begun = time.monotonic()
        while what not in (text := open(path, "rb").read()):
            assert process.poll() is None and time.monotonic() - begun < 60, text
            time.sleep(0.05)
        return text

    try:
        written(b" at a time")
        for i in range(3):
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz?{i}", timeout=20):
                pass
            assert b"\0" not in written(b"GET /healthz")
            os.truncate(path, 0)
    finally:
        process.terminate()
        process.wait()
    with open(path, "rb") as f:
        assert b"\0" not in f.read()


run([no_token_and_no_prompt, a_flood_is_bounded, emptied_in_place])
