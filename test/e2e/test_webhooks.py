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
import sqlite3
import subprocess
import threading
import time

from harness import BIN, MODEL, QUICK, Server, folder, run

KEY = b"a secret of thirty-two bytes....."
SECRET = "whsec_" + base64.b64encode(KEY).decode()


class Receiver:
    """Listens on this machine; answers by the first part of the path, and keeps what came."""

    def __init__(self):
        self.came, self.release = queue.Queue(), threading.Event()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                outer.came.put((self.path, self.headers, body))
                what = self.path.strip("/")
                if what == "hang":
                    outer.release.wait(60)
                self.send_response({"fail": 500, "move": 302, "gone": 410}.get(what, 204))
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
        return f"http://{host}:{self.port}/{path}"


def serve(data, *hosts):
    return Server(data, "--webhook-hosts", ",".join(hosts), env={"DARKROOM_WEBHOOK_SECRET": SECRET})


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
    # a try may fail on a busy machine, and is then repeated: each end comes once all the same
    wait_for(lambda: metric(server, "delivered") == 3 and not rows(server))
    assert receiver.came.empty()
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
                        (("--webhook-hosts", "a.example", "--webhook-secret", "x"), "whsec_")):
        done = subprocess.run([BIN, "serve", "--port", "0", "--model", MODEL, "--data", folder(), *flags],
                              capture_output=True, text=True, timeout=60)
        assert done.returncode == 2 and want in done.stderr, (flags, done)


run([posts_the_end, tries_again, survives, listed_alone, refuses])
