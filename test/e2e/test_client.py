"""test_client - `darkroom client` on servers with and without users: what it draws, shows, and says when it cannot."""

import contextlib
import os
import pty
import re
import socket
import subprocess
import tempfile
import threading
import time

from harness import BIN, TMP, Server, free_port, generate, run

SMALL = ["--width", "64", "--height", "64", "--steps", "2", "--seed", "7"]
PROMPT = 'a red "circle" on a \\ blue background, caf\u00e9'
server = Server(None, "--concurrency", "1")


def client(*args, to=None, env=None, cwd=None):
    """(status, standard output, standard error)"""
    done = subprocess.run([BIN, "client", *args, "--server", to or server.url], capture_output=True, cwd=cwd,
                          timeout=120, env={**os.environ, **(env or {})})
    return done.returncode, done.stdout, done.stderr.decode()


def read(path):
    with open(path, "rb") as f:
        return f.read()


def a_picture():
    """catches: another picture than `generate` makes, a prompt or a field that arrives as another"""
    home = tempfile.mkdtemp(dir=TMP)
    mine, theirs = os.path.join(home, "mine.png"), os.path.join(home, "theirs.png")
    status, out, said = client(PROMPT, *SMALL, "--noise-seed", "9", "--guidance", "1.25", "-o", mine)
    assert status == 0, said
    assert re.match(rb".*mine.png: 64x64, seed 7, [0-9.]+ s on 127.0.0.1\n$", out), out
    assert re.search(r"denoise: \d+ to do, \d+ % done", said), said
    status, said = generate(PROMPT, *SMALL, "--noise-seed", "9", "--guidance", "1.25", "-o", theirs)
    assert status == 0, said
    assert read(mine) == read(theirs)


def names_and_streams():
    """catches: a file without a name, words among the bytes on standard output"""
    home = tempfile.mkdtemp(dir=TMP)
    status, out, said = client("a red circle", *SMALL, cwd=home)
    assert status == 0 and os.listdir(home) == ["64x64-seed7.png"], (said, os.listdir(home))
    status, out, said = client("a red circle", *SMALL, "-o", "-")
    assert status == 0 and out == read(os.path.join(home, "64x64-seed7.png")), said


def a_bar():
    """catches: a place in the queue that is not shown, a bar that stands still, or stays"""
    assert server.get("/v1/pause", "POST")[0] == 200
    main, side = pty.openpty()
    process = subprocess.Popen([BIN, "client", "a red circle", "--server", server.url, "-o", "-"],
                               stdout=subprocess.DEVNULL, stderr=side)
    os.close(side)
    seen = b""
    while b"place 1" not in seen:
        seen += os.read(main, 4096)
    assert server.get("/v1/resume", "POST")[0] == 200
    while True:
        try:
            more = os.read(main, 4096)
        except OSError:  # the other side is closed
            break
        if not more:
            break
        seen += more
    os.close(main)
    assert process.wait(60) == 0, seen
    text = seen.decode()
    assert re.search("prior +\u2588*\u2591* +\\d+ %  \\d+/\\d+", text), text
    assert re.search("\r\033\\[K[^\r]*: 256x256, seed", text), text


def what_is_refused():
    """catches: a refusal without the server's own words, a wrong status"""
    status, out, said = client("a red circle", "--width", "65", "-o", "-")
    assert status == 2 and "not a multiple of 32" in said and "Use 64 or 96" in said, (status, said)
    status, out, said = client(" ", "-o", "-")
    assert status == 2 and out == b"", (status, said)
    for wrong in ("https://127.0.0.1", "127.0.0.1:7860", "http://", "http://a:b", "http://a b/", "http://u@h/"):
        status, _, said = client("a red circle", to=wrong)
        assert status == 2 and "--server" in said, (wrong, status, said)
    assert client("a red circle", "-o", "/nonexistent/x.png")[0] == 1


def what_is_not_there():
    """catches: a wait for a server that is not there, or is another one"""
    status, _, said = client("a red circle", to=f"http://127.0.0.1:{free_port()}")
    assert status == 1 and "Cannot reach 127.0.0.1" in said, said
    status, _, said = client("a red circle", to="http://no-such-host.invalid")
    assert status == 1 and "There is no no-such-host.invalid" in said and "--server" in said, said
    status, _, said = client("a red circle", to=server.url + "/lab/")
    assert status == 1 and "There is nothing at this address" in said, said
    with socket.create_server(("127.0.0.1", 0)) as other:
        def answer():
            line, _ = other.accept()
            line.recv(65536)
            line.sendall(b"220 mail ready\r\n")
            line.close()
        thread = threading.Thread(target=answer)
        thread.start()
        status, _, said = client("a red circle", to=f"http://127.0.0.1:{other.getsockname()[1]}")
        thread.join()
        assert status == 1 and "does not answer as an HTTP server" in said, said


def a_cancelled_one():
    """catches: a file of a picture that there is not, success after a cancel"""
    home = tempfile.mkdtemp(dir=TMP)
    assert server.get("/v1/pause", "POST")[0] == 200
    process = subprocess.Popen([BIN, "client", "a red circle", "--server", server.url, "-o", os.path.join(home, "x.png")],
                               stderr=subprocess.PIPE, text=True)
    assert "place 1" in process.stderr.readline()
    assert server.get("/v1/cancel", "POST", body={"all": True})[0] == 200
    said = process.stderr.read()
    assert process.wait(60) == 1 and "cancelled" in said, said
    process.stderr.close()
    assert os.listdir(home) == []
    assert server.get("/v1/resume", "POST")[0] == 200


class Relay:
    """Passes connections on to a server, which may become another one; cuts them, and keeps their first lines."""

    def __init__(self, to):
        self.to, self.asked, self.open = to, [], []
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.url = "http://127.0.0.1:%d" % self.socket.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            here = self.socket.accept()[0]
            try:
                there = socket.create_connection((self.to.host, self.to.port))
            except OSError:  # it starts anew
                here.close()
                continue
            self.open += [here, there]
            for pair in ((here, there), (there, here)):
                threading.Thread(target=self.pump, args=pair, daemon=True).start()

    def pump(self, one, other):
        try:
            while data := one.recv(65536):
                if data.startswith((b"GET ", b"POST ")):
                    self.asked.append(data.split(b" HTTP")[0].decode())
                other.sendall(data)
        except OSError:  # a reset ends it, too
            pass
        with contextlib.suppress(OSError):
            other.shutdown(socket.SHUT_WR)

    def cut(self):
        cut, self.open = self.open, []
        for end in cut:
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


def lost_connections():
    """catches: a picture that is lost with its connection, events that are read twice or from the first on"""
    home, data = tempfile.mkdtemp(dir=TMP), tempfile.mkdtemp(dir=TMP)
    flags = ("--concurrency", "1", "--threads", "1")
    first = Server(data, *flags)
    relay = Relay(first)
    path = os.path.join(home, "x.png")
    picture = ["a red circle", "--width", "256", "--height", "256", "--steps", "200", "--seed", "7", "-o"]
    process = subprocess.Popen([BIN, "client", *picture, path, "--server", relay.url], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    said = ""
    while "denoise" not in said:
        said = process.stderr.readline()
    relay.cut()
    while "was lost behind event" not in said:
        said = process.stderr.readline()
    seq = re.search(r"lost behind event (\d+); trying again", said).group(1)
    assert int(seq) > 1, said
    while not any(line.endswith(f"/events?seq={seq}") for line in relay.asked):
        time.sleep(0.02)
    first.kill()  # and the server itself, in the middle
    relay.to = Server(data, *flags)
    rest = process.stderr.read()
    assert process.wait(120) == 0, rest
    process.stderr.close()
    numbers = [int(line.rpartition("=")[2]) for line in relay.asked if "/events" in line]
    assert numbers[0] == 0 and numbers == sorted(numbers) and len([n for n in numbers if n]) >= 2, numbers
    status, said = generate(*picture, os.path.join(home, "y.png"))
    assert status == 0 and read(path) == read(os.path.join(home, "y.png")), said
    relay.to.kill()


def users():
    """catches: a token that is not sent with each request, one that is taken from the flag alone"""
    closed = Server(None)
    token = closed.user("add", "ada")
    status, _, said = client("a red circle", *SMALL, "-o", "-", to=closed.url)
    assert status == 1 and "--token" in said and "DARKROOM_TOKEN" in said, said
    assert client("a red circle", *SMALL, "-o", "-", "--token", token, to=closed.url)[0] == 0
    assert client("a red circle", *SMALL, "-o", "-", to=closed.url, env={"DARKROOM_TOKEN": token})[0] == 0
    closed.stop()


run([a_picture, names_and_streams, a_bar, what_is_refused, what_is_not_there, a_cancelled_one, lost_connections, users])
