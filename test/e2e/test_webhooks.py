"""test_webhooks - the end of a job is posted, signed, to listed hosts alone, until somebody takes it."""

import base64
import collections
import hashlib
import hmac
import http.server
import json
import os
import queue
import re
import signal
import sqlite3
import ssl
import subprocess
import threading
import time

from harness import BIN, MODEL, QUICK, Server, folder, run

KEY = b"a secret of thirty-two bytes....."
SECRET = "whsec_" + base64.b64encode(KEY).decode()


class Receiver:
    """Listens on this machine; answers by the first part of the path, and keeps what came."""

    def __init__(self, certificate=None):
        self.came, self.release = queue.Queue(), threading.Event()
        self.scheme = "https" if certificate else "http"
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                outer.came.put((self.path, self.headers, body))
                what = self.path.strip("/")
                if what.startswith("hang"):
                    outer.release.wait(60)
                self.send_response({"fail": 500, "hang-fail": 500, "move": 302, "gone": 410}.get(what, 204))
                if what == "move":
                    self.send_header("Location", f"http://127.0.0.1:{outer.port}/moved")
                self.end_headers()

            def do_GET(self):
                outer.came.put(("GET", self.headers, b"{}"))
                self.send_error(404)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        if certificate:
            tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            tls.load_cert_chain(*certificate)
            self.server.socket = tls.wrap_socket(self.server.socket, server_side=True)
            self.server.handle_error = lambda *_: None  # a client that does not trust it
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def take(self):
        """The next post: its path and message, whose signature is right."""
        path, headers, body = self.came.get(timeout=60)
        stamp = headers["webhook-timestamp"]
        assert abs(int(stamp) - time.time()) < 300, stamp
        signed = f"{headers['webhook-id']}.{stamp}.".encode() + body
        want = "v1," + base64.b64encode(hmac.new(KEY, signed, hashlib.sha256).digest()).decode()
        assert hmac.compare_digest(headers["webhook-signature"], want), headers
        assert headers["Content-Type"] == "application/json", headers
        message = json.loads(body)
        assert headers["webhook-id"] == "job_" + message["job"], headers
        return path, message

    def url(self, path, host="127.0.0.1"):
        return f"{self.scheme}://{host}:{self.port}/{path}"


def serve(data, *hosts, ca=None):
    more = ("--webhook-ca", ca) if ca else ()
    return Server(data, "--webhook-hosts", ",".join(hosts), *more, env={"DARKROOM_WEBHOOK_SECRET": SECRET})


def submit(server, url, **more):
    status, _, body = server.get("/v1/jobs", "POST", body={"spec": QUICK, "webhook": url, "fresh": True, **more})
    assert status == 202, body
    return json.loads(body)["job"]


def rows(server):
    db = sqlite3.connect(os.path.join(server.data, "darkroom.db"), timeout=20)
    found = db.execute("SELECT tries, url FROM hooks").fetchall()
    db.close()
    return found


def metric(server, name):
    text = server.get("/metrics")[2].decode()
    return int(re.search(rf"(?m)^darkroom_webhooks_{name}_total (\d+)$", text).group(1))


def wait_for(what):
    while not what():
        time.sleep(0.05)


async def posts_the_end():
    """catches: an end that is not posted, twice, or without what it came to; of a sweep each cell's"""
    receiver = Receiver()
    server = serve(None, f"127.0.0.1:{receiver.port}")
    job = submit(server, receiver.url("ok"), key="k1")
    path, message = receiver.take()
    assert path == "/ok" and message["job"] == job and message["state"] == "done" and message["key"] == "k1", message
    assert message["spec"]["prompt"] == QUICK["prompt"] and message["type"] == "job", message
    row = json.loads(server.get(f"/v1/jobs/{job}")[2])
    assert message["result"] == row["result"] and server.get(message["result"]["url"])[0] == 200, (message, row)
    held = submit(server, receiver.url("ok"), hold=True)
    assert server.get(f"/v1/jobs/{held}", "DELETE")[0] == 200
    _, message = receiver.take()
    assert message["job"] == held and message["state"] == "cancelled", message
    sweep = submit(server, receiver.url("ok"), n=2)
    assert receiver.take()[1]["job"] == sweep
    wait_for(lambda: metric(server, "delivered") == 3 and not rows(server))
    assert receiver.came.empty() and metric(server, "failed") == 0
    server.stop()


async def tries_again():
    """catches: a redirect that is followed, a failure that is final, a 410 that is not, one that hangs and holds up
    the others"""
    receiver, other = Receiver(), Receiver()
    server = serve(None, f"127.0.0.1:{receiver.port}", f"127.0.0.1:{other.port}")
    for path in ("fail", "move"):
        submit(server, receiver.url(path))
    came = collections.Counter()
    while min(came["/fail"], came["/move"]) < 2:  # the second time after 5 s
        came[receiver.take()[0]] += 1
    wait_for(lambda: metric(server, "failed") >= 4)
    assert set(came) == {"/fail", "/move"}, came
    assert {url for _, url in rows(server)} == {receiver.url("fail"), receiver.url("move")}
    submit(server, receiver.url("gone"))
    wait_for(lambda: metric(server, "given_up") == 1)
    for _ in range(3):
        submit(server, receiver.url("hang"))
    submit(server, other.url("ok"))
    other.take()
    wait_for(lambda: metric(server, "delivered") == 1)
    receiver.release.set()
    server.stop()


async def a_server_that_stood_still():
    """catches: an answer that has come in time, and is thrown away as the server read it late"""
    receiver = Receiver()
    server = serve(None, f"127.0.0.1:{receiver.port}")
    submit(server, receiver.url("hang"), hold=True)
    assert server.get("/v1/cancel", "POST", body={"all": True})[0] == 200
    receiver.take()
    server.process.send_signal(signal.SIGSTOP)
    receiver.release.set()
    time.sleep(16)  # longer than a post may take
    server.process.send_signal(signal.SIGCONT)
    wait_for(lambda: metric(server, "delivered") == 1)
    wait_for(lambda: not rows(server))
    assert metric(server, "failed") == 0 and receiver.came.empty()
    server.stop()


async def one_try_at_a_time():
    """catches: a post that is sent again while its answer is still to come; a pause that is counted from its beginning"""
    receiver, other = Receiver(), Receiver()
    server = serve(None, f"127.0.0.1:{receiver.port}", f"127.0.0.1:{other.port}")
    submit(server, receiver.url("hang-fail"))
    receiver.take()
    with sqlite3.connect(os.path.join(server.data, "darkroom.db"), timeout=20) as db:
        db.execute("UPDATE hooks SET due_ms = 1")
    submit(server, other.url("ok"))  # it looks for what is due
    other.take()
    wait_for(lambda: rows(server) == [(1, receiver.url("hang-fail"))])
    assert receiver.came.empty()
    before = time.time()
    receiver.release.set()
    wait_for(lambda: metric(server, "failed") == 1)
    with sqlite3.connect(os.path.join(server.data, "darkroom.db"), timeout=20) as db:
        due = lambda: db.execute("SELECT due_ms FROM hooks").fetchone()[0]
        wait_for(lambda: due() != 1)  # written behind the count
        assert due() >= (before + 5) * 1000 - 1
    server.stop()


def authority(home, name):
    """(its certificate, that and the key of a host `name` which it has signed)"""
    at = lambda file: os.path.join(home, f"{name}-{file}")
    openssl = lambda *args: subprocess.run(["openssl", *args], check=True, capture_output=True)
    new = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    openssl("req", "-x509", *new, "-keyout", at("ca.key"), "-out", at("ca.pem"), "-subj", "/CN=lab", "-days", "2")
    openssl("req", *new, "-keyout", at("host.key"), "-out", at("host.csr"), "-subj", f"/CN={name}")
    with open(at("san"), "w") as f:
        f.write(f"subjectAltName=DNS:{name}\n")
    openssl("x509", "-req", "-in", at("host.csr"), "-CA", at("ca.pem"), "-CAkey", at("ca.key"), "-CAcreateserial",
            "-out", at("host.pem"), "-extfile", at("san"), "-days", "2")
    return at("ca.pem"), (at("host.pem"), at("host.key"))


async def over_tls():
    """catches: a certificate that is not checked: of whom, and for which host; an own authority that is not used"""
    home = folder()
    ca, host = authority(home, "localhost")
    other, _ = authority(home, "other.lan")
    receiver, stranger = Receiver(host), Receiver(authority(home, "else.lan")[1])
    hosts = (f"localhost:{receiver.port}:private", f"localhost:{stranger.port}:private")
    server = serve(None, *hosts, ca=ca)
    submit(server, receiver.url("ok", "localhost"))
    assert receiver.take()[0] == "/ok"
    wait_for(lambda: metric(server, "delivered") == 1)
    submit(server, stranger.url("ok", "localhost"))
    server.read_until("localhost:%d: SSL" % stranger.port)
    server.stop()
    for wrong in (other, None):  # another authority, and none but the machine's
        server = serve(None, *hosts, ca=wrong)
        submit(server, receiver.url("ok", "localhost"))
        server.read_until("localhost:%d: SSL" % receiver.port)
        assert metric(server, "delivered") == 0
        server.stop()
    both = os.path.join(home, "both.pem")
    with open(both, "w") as f:
        f.writelines(open(path).read() for path in (other, ca))
    server = serve(None, *hosts, ca=both)
    submit(server, receiver.url("ok", "localhost"))
    assert receiver.take()[0] == "/ok" and stranger.came.empty() and receiver.came.empty()
    server.stop()


async def survives():
    """catches: a post that is lost with the server, or with its job"""
    receiver = Receiver()
    data = folder()
    server = serve(data, f"127.0.0.1:{receiver.port}")
    job = submit(server, receiver.url("fail"))
    receiver.take()
    wait_for(lambda: metric(server, "failed") == 1)
    assert server.get(f"/v1/jobs/{job}/delete", "POST")[0] == 200
    server.kill()
    server = serve(data, f"127.0.0.1:{receiver.port}")
    _, message = receiver.take()
    assert message["job"] == job and message["state"] == "done", message
    server.kill()
    with sqlite3.connect(os.path.join(data, "darkroom.db")) as db:
        db.execute("UPDATE hooks SET tries = 10, due_ms = 0")
    server = serve(data, f"127.0.0.1:{receiver.port}")
    receiver.take()
    wait_for(lambda: metric(server, "given_up") == 1)
    assert not rows(server)
    server.stop()


async def listed_alone():
    """catches: a post into a private network by a name that leads there, or to a host that nobody listed"""
    receiver = Receiver()
    server = serve(None, f"localhost:{receiver.port}")
    for url in (receiver.url("ok"), "https://evil.example/", f"http://localhost:{receiver.port + 1}/", "file:///etc/passwd"):
        status, _, body = server.get("/v1/jobs", "POST", body={"spec": QUICK, "webhook": url})
        assert status == 422 and json.loads(body)["field"] == "webhook", (url, body)
    status, _, body = server.get("/v1/jobs", "POST", body={
        "spec": QUICK, "webhook": receiver.url("ok", "localhost"), "private": True})
    assert status == 422 and json.loads(body)["field"] == "webhook", body
    submit(server, receiver.url("ok", "localhost"))
    wait_for(lambda: metric(server, "failed") + metric(server, "delivered") > 0)
    assert receiver.came.empty() and metric(server, "delivered") == 0 and rows(server)
    server.stop()
    server = serve(None, f"localhost:{receiver.port}:private")
    submit(server, receiver.url("ok", "localhost"))
    assert receiver.take()[0] == "/ok"
    server.stop()
    server = Server()
    status, _, body = server.get("/v1/jobs", "POST", body={"spec": QUICK, "webhook": receiver.url("ok")})
    assert status == 422 and "--webhook-hosts" in json.loads(body)["hint"], body
    server.stop()


def refuses():
    """catches: a server that starts with a list that cannot match, or without a secret"""
    for flags, want in ((("--webhook-hosts", "http://a.example"), "is no host"),
                        (("--webhook-hosts", "a.example"), "needs --webhook-secret"),
                        (("--webhook-hosts", "a.example", "--webhook-secret", "x"), "whsec_"),
                        (("--webhook-hosts", "a.example", "--webhook-ca", "/none"), "--webhook-ca /none: No such file"),
                        (("--webhook-hosts", "a.example", "--webhook-ca", "/etc/passwd"), "has no certificate")):
        done = subprocess.run([BIN, "serve", "--port", "0", "--model", MODEL, "--data", folder(), *flags],
                              capture_output=True, text=True, timeout=60)
        assert done.returncode == 2 and want in done.stderr, (flags, done)


run([posts_the_end, tries_again, a_server_that_stood_still, one_try_at_a_time, over_tls, survives, listed_alone, refuses])
