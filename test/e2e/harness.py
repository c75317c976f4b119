"""harness - starts the real program on a free port with a data folder of its own, and connects to it.

Servers are children of the test; each is ended when the test ends, also after a failure. The checks
are in the tests. DARKROOM_BIN names another program than build/darkroom."""

import asyncio
import atexit
import glob
import http.client
import json
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import traceback
import urllib.error
import urllib.request

import websockets

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BIN = os.environ.get("DARKROOM_BIN", os.path.join(ROOT, "build", "darkroom"))
MODEL = os.environ.get("DARKROOM_TEST_MODEL", os.path.join(ROOT, "weights", "tiny"))
TMP = tempfile.mkdtemp(prefix="darkroom-e2e-")
atexit.register(shutil.rmtree, TMP, True)
FITTED = os.environ.get("TEST_FITTED", os.path.join(TMP, "fitted"))

# the smallest picture that goes through every phase, for tests about something else
QUICK = {"prompt": "a red circle on a blue background", "width": 64, "height": 64, "steps": 2}
# long enough to be caught in the middle
LONG = {"prompt": "a red circle on a blue background", "width": 256, "height": 256, "steps": 200}


def folder():
    """A new data folder, with the preview colours that an earlier server has fitted: that takes seconds."""
    new = tempfile.mkdtemp(dir=TMP)
    for fitted in glob.glob(os.path.join(FITTED, "preview-*")):
        shutil.copy(fitted, new)
    return new


def words_alone(model=MODEL):
    """A folder with the parts of this model that says that it was not trained to read pictures."""
    new = tempfile.mkdtemp(dir=TMP)
    for part in os.listdir(model):
        os.symlink(os.path.realpath(os.path.join(model, part)), os.path.join(new, part))
    with open(os.path.join(new, "no_images.json"), "w", encoding="utf-8") as f:
        json.dump(["It draws from words alone."], f)
    return new


def keep_fitted(data):
    """For the servers that come, of other tests too, which may read while we write. False: not fitted yet."""
    found = glob.glob(os.path.join(data, "preview-" + 32 * "[0-9a-f]"))
    os.makedirs(FITTED, exist_ok=True)
    for fitted in found:
        aside = tempfile.mktemp(prefix="aside-", dir=FITTED)
        shutil.copy(fitted, aside)
        os.rename(aside, os.path.join(FITTED, os.path.basename(fitted)))
    return bool(found)


class Server:
    """One run of `darkroom serve`."""

    def __init__(self, data=None, *flags, ready=True, env=None, under=()):
        self.fitted = bool(glob.glob(os.path.join(FITTED, "preview-*")))
        self.data = data or folder()  # under: a command that runs it, such as ("prlimit", "--nofile=1024:1024")
        self.process = subprocess.Popen(
            [*under, BIN, "serve", "--port", "0", "--model", MODEL, "--data", self.data, *flags],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, bufsize=1,
            env={**os.environ, **(env or {})})
        atexit.register(self.kill)
        self.log = ""
        match = self.read_until(r"address\s+http://(\S+):(\d+)")
        self.host, self.port = match.group(1), int(match.group(2))
        if ready:
            self.wait_ready()

    def read_until(self, pattern):
        while True:
            match = re.search(pattern, self.log)
            if match:
                return match
            line = self.process.stdout.readline()
            if not line:
                raise RuntimeError(f"the server ended with {self.process.wait()}: {self.log}")
            self.log += line

    def wait_ready(self):
        self.read_until(r"drawing\s+\d+ at a time")
        while not self.fitted:  # the first server fits the colours, which takes longer on a busy machine
            self.fitted = keep_fitted(self.data)
            if self.process.poll() is not None:
                raise RuntimeError(f"the server ended with {self.process.returncode}: {self.log}")
            time.sleep(0.05)

    @property
    def url(self):
        return f"http://{self.host}:{self.port}"

    def connect(self, **options):
        """A WebSocket that has received hello, as an async context manager."""
        return Client(f"ws://{self.host}:{self.port}/ws", options)

    def get(self, path, method="GET", headers=None, body=None):
        """(status, headers, body); body: an object, sent as JSON"""
        request = urllib.request.Request(self.url + path, method=method, headers=headers or {})
        if body is not None:
            request.data = json.dumps(body).encode()
            request.add_header("Content-Type", "application/json")
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as answer:
            return answer.code, answer.headers, answer.read()

    def status(self, path, method="GET", headers=None, body=None):
        """The status of what may be a stream without an end."""
        line = http.client.HTTPConnection(self.host, self.port, timeout=20)
        headers = {**(headers or {}), **({} if body is None else {"Content-Type": "application/json"})}
        line.request(method, path, None if body is None else json.dumps(body), headers)
        status = line.getresponse().status
        line.close()
        return status

    def user(self, *args):
        """`darkroom user ..` with this server's folder: what it prints (a token), or fails."""
        done = subprocess.run([BIN, "user", *args, "--data", self.data], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def raw(self):
        return socket.create_connection((self.host.strip("[]"), self.port), timeout=20)

    def cpu_seconds(self):
        with open(f"/proc/{self.process.pid}/stat") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def stop(self):
        """SIGTERM; returns (exit status, seconds it took)."""
        before = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(15)
        except subprocess.TimeoutExpired:
            status = None
        took = time.monotonic() - before
        self.kill()
        return status, took

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdout.close()


class UnixServer:
    """One run of `darkroom serve` on a unix socket, as it is behind a proxy; it has a model when made."""

    def __init__(self, data, *flags):
        self.host, self.port, self.path = "localhost", 80, os.path.join(data, "socket")
        self.process = subprocess.Popen(
            [BIN, "serve", "--model", MODEL, "--data", data, "--listen", "unix:" + self.path, *flags],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, bufsize=1)
        atexit.register(self.stop)
        self.log = ""
        while " at a time" not in self.log:
            line = self.process.stdout.readline()
            if not line:
                raise RuntimeError(f"the server ended with {self.process.wait()}: {self.log}")
            self.log += line

    def connection(self):
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(20)
        s.connect(self.path)
        return s

    def stop(self):
        """SIGTERM; the exit status."""
        if self.process.poll() is None:
            self.process.terminate()
            self.log += self.process.stdout.read()
        self.process.stdout.close()
        return self.process.wait()


class Client:
    """Messages as dictionaries; preview frames as bytes."""

    def __init__(self, url, options):
        self.url, self.options, self.count = url, options, 0
        self.held = []  # read while waiting for something else

    async def __aenter__(self):
        options = {"subprotocols": ["darkroom.v1"], "max_size": None, "compression": None, **self.options}
        self.ws = await websockets.connect(self.url, **options)
        self.hello = await self.read()
        return self

    async def __aexit__(self, *_):
        await self.ws.close()

    async def read(self, timeout=60):
        message = await asyncio.wait_for(self.ws.recv(), timeout)
        return json.loads(message) if isinstance(message, str) else message

    async def send(self, **message):
        await self.ws.send(json.dumps(message))

    async def ask(self, **message):
        """Send a command and return its direct answer; what comes in between is held."""
        self.count += 1
        ref = f"r{self.count}"
        await self.send(ref=ref, **message)
        while True:
            answer = await self.read()
            if isinstance(answer, dict) and answer.get("ref") == ref:
                return answer
            self.held.append(answer)

    async def submit(self, spec, fresh=True, **more):
        """A job that is drawn, although the same picture may be there, unless fresh is False."""
        answer = await self.ask(type="submit", spec=spec, **({"fresh": True} if fresh else {}), **more)
        assert answer["type"] == "accepted", answer
        return answer

    async def next(self, timeout=60):
        return self.held.pop(0) if self.held else await self.read(timeout)

    async def until(self, want, timeout=60):
        """All messages up to the first dictionary for which want() is true, that one last."""
        seen = []
        deadline = time.monotonic() + timeout
        while True:
            message = await self.next(max(0.01, deadline - time.monotonic()))
            seen.append(message)
            if isinstance(message, dict) and want(message):
                return seen

    async def end_of(self, job, timeout=60):
        """All messages of a job up to its end (frames too)."""
        seen = await self.until(lambda m: m["type"] == "end" and m["job"] == job, timeout)
        return [m for m in seen if frame_job(m) == job if isinstance(m, bytes)] + \
               [m for m in seen if isinstance(m, dict) and m.get("job") == job]


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def frame_job(frame):
    return frame[8:16][::-1].hex() if isinstance(frame, bytes) else None


class RawWebSocket:
    """A WebSocket of bare bytes, for what a correct client does not send."""

    def __init__(self, server, headers=None, first="GET /ws HTTP/1.1", receive_buffer=None):
        if isinstance(server, UnixServer):
            self.socket = server.connection()
        else:
            self.socket = socket.socket()
            self.socket.settimeout(20)
            if receive_buffer:
                self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
            self.socket.connect((server.host, server.port))
        have = {"Host": f"{server.host}:{server.port}", "Upgrade": "websocket", "Connection": "Upgrade",
                "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version": "13",
                "Sec-WebSocket-Protocol": "darkroom.v1", **(headers or {})}
        lines = [first] + [f"{k}: {v}" for k, v in have.items() if v is not None]
        self.socket.sendall("\r\n".join(lines + ["", ""]).encode())
        self.buffer = b""
        self.head = self.take_head()
        self.status = int(self.head.split(" ")[1]) if self.head else 0

    def fill(self):
        try:
            more = self.socket.recv(65536)
        except ConnectionResetError:
            more = b""
        self.buffer += more
        return bool(more)

    def take_head(self):
        while b"\r\n\r\n" not in self.buffer:
            if not self.fill():
                return ""
        head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
        return head.decode().lower()

    def send(self, payload, opcode=1, last=True, length=None, mask=True):
        n = len(payload) if length is None else length
        head = bytes([(0x80 if last else 0) | opcode])
        bit = 0x80 if mask else 0
        if n < 126:
            head += bytes([bit | n])
        elif n < 65536:
            head += bytes([bit | 126]) + struct.pack(">H", n)
        else:
            head += bytes([bit | 127]) + struct.pack(">Q", n)
        self.socket.sendall(head + (b"\0\0\0\0" if mask else b"") + payload)

    def frame(self):
        """(opcode, payload) of the next frame, or None when the server has closed the connection."""
        def need(n):
            while len(self.buffer) < n:
                if not self.fill():
                    return False
            return True
        if not need(2):
            return None
        opcode, n, at = self.buffer[0] & 15, self.buffer[1] & 127, 2
        if n >= 126:
            wide = 2 if n == 126 else 8
            if not need(2 + wide):
                return None
            n, at = int.from_bytes(self.buffer[2:2 + wide], "big"), 2 + wide
        if not need(at + n):
            return None
        payload, self.buffer = self.buffer[at:at + n], self.buffer[at + n:]
        return opcode, payload

    def close_code(self):
        """Read to the close frame: its code; None when the connection just ended."""
        while True:
            got = self.frame()
            if got is None:
                return None
            if got[0] == 8:
                return int.from_bytes(got[1][:2], "big")

    def pong(self):
        """Read to the next pong: its payload. Pings are answered."""
        while True:
            got = self.frame()
            assert got and got[0] != 8, got
            if got[0] == 9:
                self.send(got[1], 10)
            if got[0] == 10:
                return got[1]

    def message(self, kind):
        """Read to the next text message of a type; None when the connection ended."""
        while True:
            got = self.frame()
            if got is None or got[0] == 8:
                return None
            if got[0] == 1:
                message = json.loads(got[1])
                if message["type"] == kind:
                    return message

    def alive(self):
        self.send(b'{"type":"ping"}')
        return self.message("pong") is not None

    def close(self):
        self.socket.close()


def generate(*args):
    """`darkroom generate`: (status, output)"""
    done = subprocess.run([BIN, "generate", "--model", MODEL, *args], capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def run(tests):
    """Run functions (plain or async) in order; print `N passed, M failed`."""
    passed = failed = 0
    only = sys.argv[1:]
    for test in tests:
        if only and test.__name__ not in only:
            continue
        before = time.monotonic()
        try:
            result = test()
            if asyncio.iscoroutine(result):
                asyncio.run(asyncio.wait_for(result, 300))
            passed += 1
            print(f"ok {test.__name__} ({time.monotonic() - before:.1f} s)", flush=True)
        except BaseException:
            failed += 1
            traceback.print_exc(file=sys.stdout)
            print(f"FAILED {test.__name__}", flush=True)
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed or not passed else 0)
