"""test_nginx - server/deploy/nginx.conf and nginx-basic-auth.conf, run by nginx before the real program.

The files are used as they are, but for ports and paths. What nginx's own timeout of a minute does
to a job of 90 s is tried with one of 5 s and a silence twice as long. Nginx runs below a folder of its own, needs no
rights, and is ended with the test."""

import asyncio
import atexit
import base64
import http.client
import json
import os
import re
import socket
import ssl
import subprocess
import sys
import time
import urllib.parse

import websockets

from harness import FITTED, LONG, QUICK, ROOT, Server, UnixServer, folder, free_port, run
from users import add, bearer

NGINX = "/usr/sbin/nginx"
NAME = "pictures.example.org"
ORIGIN = "https://" + NAME
PASSWORD = "a word"
TIMEOUT_S = 5


def certificate(where):
    """A key and its certificate for NAME."""
    pem, key = os.path.join(where, "cert.pem"), os.path.join(where, "cert.key")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                    "-nodes", "-days", "2", "-subj", "/CN=" + NAME, "-addext", "subjectAltName=DNS:" + NAME,
                    "-keyout", key, "-out", pem], check=True, capture_output=True)
    return pem, key


def replaced(text, *changes):
    """Each change is (what is there, what is put, how often): what has rotted is found here."""
    for old, new, times in changes:
        assert text.count(old) == times, (old, text.count(old))
        text = text.replace(old, new)
    return text


class Nginx:
    """nginx with one of the files of server/deploy, on free ports of this machine."""

    def __init__(self, site, socket_path, passwords="", timeout="1h", more=""):
        self.home = folder()
        self.plain, self.secure = free_port(), free_port()
        pem, key = certificate(self.home)
        self.trust = pem
        with open(os.path.join(ROOT, "server", "deploy", site)) as f:
            text = f.read()
        text = replaced(text, ("unix:/run/darkroom/http;", f"unix:{socket_path};", 1),
                        ("listen 80;", f"listen 127.0.0.1:{self.plain};", 1), ("    listen [::]:80;\n", "", 1),
                        ("listen 443 ", f"listen 127.0.0.1:{self.secure} ", 1),
                        ("    listen [::]:443 ssl http2;\n", "", 1),
                        (f"/etc/ssl/certs/{NAME}.pem", pem, 1), (f"/etc/ssl/private/{NAME}.key", key, 1),
                        ("_timeout 1h;", f"_timeout {timeout};", 2),
                        ("proxy_pass http://darkroom;", "proxy_pass http://darkroom;" + more, 1))
        if passwords:
            text = replaced(text, ("_file /etc/nginx/darkroom.passwd;", f"_file {self.home}/passwd;", 1))
            self.write("passwd", passwords)
        self.write("site", text)
        kept = "".join(f"{kind}_temp_path {self.home}/{kind};\n"
                       for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        as_root = "user root;\n" if os.geteuid() == 0 else ""
        self.write("nginx.conf", f"daemon off;\nworker_processes 1;\npid {self.home}/pid;\n{as_root}"
                   f"error_log stderr notice;\nevents {{}}\nhttp {{\naccess_log {self.home}/access;\n{kept}"
                   f"include {self.home}/site;\n}}\n")
        self.process = subprocess.Popen([NGINX, "-e", "stderr", "-p", self.home, "-c", "nginx.conf"],
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        atexit.register(self.stop)
        line = "x"
        while line and "start worker process " not in line:
            line = self.process.stdout.readline()
        assert line, "nginx ended"

    def write(self, name, text):
        with open(os.path.join(self.home, name), "w") as f:
            f.write(text)

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            self.process.stdout.read()
        self.process.wait()
        self.process.stdout.close()

    def tls(self):
        return ssl.create_default_context(cafile=self.trust)

    def https(self):
        c = http.client.HTTPSConnection(NAME, timeout=20, context=self.tls())
        c._create_connection = lambda *_, **__: socket.create_connection(("127.0.0.1", self.secure), 20)
        return c

    def get(self, path, method="GET", headers=None):
        """(status, headers, body) over TLS, as one who finds NAME at this address."""
        c = self.https()
        c.request(method, path, headers=headers or {})
        answer = c.getresponse()
        got = answer.status, answer.headers, answer.read()
        c.close()
        return got

    def connect(self, headers=None, **options):
        return websockets.connect(f"wss://{NAME}/lab/ws", host="127.0.0.1", port=self.secure, ssl=self.tls(),
                                  server_hostname=NAME,
                                  extra_headers=headers or {}, subprotocols=["darkroom.v1"], max_size=None,
                                  **options)


def behind(data, *flags):
    """The server as the head of the files wants it."""
    return UnixServer(data, "--trust-proxy", "--base", "/lab/", "--origins", ORIGIN, "--concurrency", "1", *flags)


def basic(name, password=PASSWORD):
    return {"Authorization": "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()}


def password_line(name):
    done = subprocess.run(["openssl", "passwd", "-6", PASSWORD], check=True, capture_output=True, text=True)
    return f"{name}:{done.stdout.strip()}\n"


async def message(c, want, timeout=60):
    """The first JSON message that is wanted."""
    while True:
        got = await asyncio.wait_for(c.recv(), timeout)
        if isinstance(got, str) and want(json.loads(got)):
            return json.loads(got)


async def draw(c, spec):
    await c.send(json.dumps({"type": "submit", "spec": spec}))
    result = await message(c, lambda m: m["type"] == "result")
    assert (await message(c, lambda m: m["type"] == "end"))["state"] == "done"
    return result


def page(nginx, headers):
    """The page with all that it loads, from where a browser would look for it."""
    status, _, html = nginx.get("/lab/", headers=headers)
    assert status == 200 and b"<title>darkroom</title>" in html
    wanted = [urllib.parse.urljoin("/lab/", u)
              for u in re.findall(r'<(?:link|script)[^>]*(?:href|src)="([^"]+)"', html.decode())]
    seen = {}
    while wanted:
        path = wanted.pop()
        if path in seen:
            continue
        status, _, body = nginx.get(path, headers=headers)
        seen[path] = status
        if path.endswith(".js"):
            wanted += [urllib.parse.urljoin(path, u)
                       for u in re.findall(r"""(?:from|import\()\s*'(\.[^']+)'""", body.decode())]
    assert len(seen) > 20 and set(seen.values()) == {200}, seen
    assert all(path.startswith("/lab/") for path in seen), seen


async def tokens_over_tls():
    """catches: a page, socket, picture or cookie that does not find its way below the path; a cookie that crosses
    the network in the clear; a user that a client gives itself"""
    data = folder()
    token = add(data, "ada")
    add(data, "root", "--role", "admin")
    server = behind(data)
    nginx = Nginx("nginx.conf", server.path)
    page(nginx, {})
    assert nginx.get("/lab")[1]["Location"] == "/lab/"
    assert nginx.get("/")[0] == 404 and nginx.get("/v1/session")[0] == 404
    plain = http.client.HTTPConnection("127.0.0.1", nginx.plain, timeout=20)
    plain.request("GET", "/lab/?x", headers={"Host": NAME})
    answer = plain.getresponse()
    assert (answer.status, answer.headers["Location"]) == (301, ORIGIN + "/lab/?x")
    plain.close()

    assert nginx.get("/lab/v1/session")[0] == 401
    for claim in ({"X-Forwarded-User": "root"}, {"X-Forwarded-User": "root", "X-Forwarded-For": "127.0.0.1"}):
        assert nginx.get("/lab/v1/session", headers=claim)[0] == 401
        assert nginx.get("/lab/metrics", headers=claim)[0] == 401
        who = nginx.get("/lab/v1/session", headers={**claim, **bearer(token)})[2]
        assert json.loads(who)["user"]["name"] == "ada"
    cookie = nginx.get("/lab/v1/session", "POST", {**bearer(token), "Origin": ORIGIN})[1]["Set-Cookie"]
    for part in ("Path=/lab/", "Secure", "HttpOnly", "SameSite=Strict"):
        assert part in cookie.split("; "), cookie
    assert nginx.get("/lab/v1/session", "POST", {**bearer(token), "Origin": "https://evil.example"})[0] == 403
    signed_in = {"Cookie": cookie.split(";")[0]}
    async with nginx.connect(signed_in, origin=ORIGIN) as c:
        assert (await message(c, lambda m: True))["user"]["name"] == "ada"
        result = await draw(c, QUICK)
    status, headers, png = nginx.get("/lab" + result["url"], headers=signed_in)
    assert status == 200 and headers["Content-Type"] == "image/png" and png.startswith(b"\x89PNG")
    assert nginx.get("/lab" + result["url"])[0] == 401
    nginx.stop()
    server.stop()


async def passwords_of_nginx():
    """catches: a name of nginx's that is not the user here, one that becomes a user by itself, a password that is
    taken for a token, a wrong one that gets in"""
    data = folder()
    add(data, "ada")
    add(data, "ben", "--role", "admin")
    server = behind(data)
    nginx = Nginx("nginx-basic-auth.conf", server.path, "".join(map(password_line, ("ada", "ben", "eve"))))
    assert nginx.get("/lab/")[0] == 401 and nginx.get("/lab/", headers=basic("ada", "a guess"))[0] == 401
    page(nginx, basic("ada"))
    claim = {**basic("ada"), "X-Forwarded-User": "ben"}
    assert json.loads(nginx.get("/lab/v1/session", headers=claim)[2])["user"]["name"] == "ada"
    assert nginx.get("/lab/metrics", headers=claim)[0] == 403
    assert b"darkroom_ready 1" in nginx.get("/lab/metrics", headers=basic("ben"))[2]
    status, _, body = nginx.get("/lab/v1/session", headers=basic("eve"))
    assert status == 401 and json.loads(body)["code"] == "unauthorized"
    async with nginx.connect(basic("ada"), origin=ORIGIN) as c:
        assert (await message(c, lambda m: True))["user"]["name"] == "ada"
        url = (await draw(c, QUICK))["url"]
    assert nginx.get("/lab" + url, headers=basic("ada"))[0] == 200
    assert nginx.get("/lab" + url, headers=basic("eve"))[0] == 401
    try:
        async with nginx.connect():
            assert False, "it got in without a password"
    except websockets.InvalidStatusCode as refused:
        assert refused.status_code == 401
    nginx.stop()
    server.stop()


async def outlives(nginx):
    """Wait in silence for twice nginx's timeout, then for a job behind another one: the end of it, or None when the
    connection was closed."""
    begun = time.monotonic()
    async with nginx.connect(ping_interval=None) as quiet, nginx.connect(ping_interval=None) as busy:
        try:
            await message(quiet, lambda m: m["type"] == "hello")
            await busy.send(json.dumps({"type": "submit", "spec": LONG}))
            first = await message(busy, lambda m: m["type"] == "accepted")
            await asyncio.sleep(2 * TIMEOUT_S + 0.5)  # the silence is what is tested
            await busy.send(json.dumps({"type": "cancel", "job": first["job"]}))
            await quiet.send(json.dumps({"type": "submit", "spec": QUICK}))
            end = await message(quiet, lambda m: m["type"] == "end")
            assert time.monotonic() - begun > 2 * TIMEOUT_S
            return end["state"]
        except websockets.ConnectionClosed:
            return None


async def longer_than_the_timeout():
    """catches: a wait that nginx takes for a server that is gone; the control: without pings it is"""
    server = behind(folder(), "--ping-seconds", "1")
    nginx = Nginx("nginx.conf", server.path, timeout=f"{TIMEOUT_S}s")
    assert await outlives(nginx) == "done"
    nginx.stop()
    server.stop()
    server = behind(folder(), "--ping-seconds", "25")
    nginx = Nginx("nginx.conf", server.path, timeout=f"{TIMEOUT_S}s")
    assert await outlives(nginx) is None, "nginx's timeout was not in force: the test proves nothing"
    nginx.stop()
    server.stop()


def first_event(nginx, job, seconds):
    """The first event of a job that waits, or None when it does not come in that time."""
    c = nginx.https()
    c.request("GET", f"/lab/v1/jobs/{job}/events")
    c.sock.settimeout(seconds)
    try:
        answer = c.getresponse()
        assert answer.status == 200, answer.status
        line = b""
        while not line.startswith(b"event: "):
            line = answer.readline()
        return line.decode().split()[1]
    except TimeoutError:
        return None
    finally:
        c.close()


def events_as_they_come():
    """catches: server-sent events that nginx keeps until there are enough of them; the control: without the header it
    does"""
    server = behind(folder())
    nginx = Nginx("nginx.conf", server.path)
    c = nginx.https()
    body = json.dumps({"spec": QUICK, "hold": True})
    c.request("POST", "/lab/v1/jobs", body, {"Content-Type": "application/json", "Origin": ORIGIN})
    answer = c.getresponse()
    job = json.loads(answer.read())["job"]
    assert answer.status == 202
    c.close()
    assert first_event(nginx, job, 60) == "accepted"
    nginx.stop()
    keeps = Nginx("nginx.conf", server.path, more="proxy_ignore_headers X-Accel-Buffering;")
    assert first_event(keeps, job, 3) is None, "nginx does not buffer: the test proves nothing"
    keeps.stop()
    server.stop()


def elsewhere():
    """In a network of our own, where this machine has an address that is not loopback: a claim from there."""
    data = folder()
    add(data, "ada")
    server = Server(data, "--trust-proxy", "--host", "0.0.0.0")
    claim = {"X-Forwarded-User": "ada"}
    server.host = "192.0.2.1"
    assert server.get("/v1/session")[0] == 401 and server.get("/v1/session", headers=claim)[0] == 401
    assert server.get("/metrics", headers=claim)[0] == 401 and server.get("/metrics")[0] == 401
    server.host = "127.0.0.1"
    assert json.loads(server.get("/v1/session", headers=claim)[2])["user"]["name"] == "ada"
    server.stop()


def claims_from_elsewhere():
    """catches: X-Forwarded-User believed of whoever connects, not of the proxy on this machine"""
    inside = "ip link set lo up && ip addr add 192.0.2.1/32 dev lo && exec /usr/bin/python3 \"$@\""
    done = subprocess.run(["unshare", "--map-root-user", "--net", "sh", "-c", inside, "-", __file__, "--elsewhere"],
                          capture_output=True, text=True, timeout=200, env={**os.environ, "TEST_FITTED": FITTED})
    assert done.returncode == 0 and done.stdout.endswith("1 passed, 0 failed\n"), done.stdout + done.stderr


if sys.argv[1:] == ["--elsewhere"]:
    sys.argv[1:] = []
    run([elsewhere])
run([tokens_over_tls, passwords_of_nginx, longer_than_the_timeout, events_as_they_come, claims_from_elsewhere])
