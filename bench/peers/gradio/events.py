"""events - what it costs a server to tell each of many watchers of each event: processor time, by message.

    bench/peers/gradio/run.sh events [--watchers 200] [--steps 60] [--seconds 4]

Three servers in one run, one after the other, with the same sockets reading: darkroom while it draws one picture that
all of them watch (of its threads the one that serves, as drawing and encoding have others), a Python websockets server
that broadcasts 120 bytes 40 times a second, and Gradio 6 with a generator that yields 40 times a second to each. What
the kernel takes of it, to hand bytes to a socket of the same machine, is printed beside it: no server that writes to
each socket comes below."""
import argparse
import asyncio
import contextlib
import json
import os
import select
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(os.path.dirname(HERE)))
os.environ.update(GRADIO_ANALYTICS_ENABLED="False", HF_HUB_OFFLINE="1", no_proxy="127.0.0.1")
import service  # noqa: E402  (bench/)
import viewers  # noqa: E402

TICK = 1 / 40

BROADCAST = f"""
import asyncio, websockets
async def main():
    there = set()
    async def stay(ws):
        there.add(ws)
        await ws.wait_closed()
        there.discard(ws)
    async with websockets.serve(stay, "127.0.0.1", 0, compression=None) as server:
        print("http://127.0.0.1:%d" % server.sockets[0].getsockname()[1], flush=True)
        while True:
            websockets.broadcast(there, '{{"type":"step","value":"' + "x" * 94 + '"}}')
            await asyncio.sleep({TICK})
asyncio.run(main())
"""

GENERATOR = f"""
import time, gradio
def tell(seconds):
    end = time.time() + seconds
    while time.time() < end:
        yield "x" * 20
        time.sleep({TICK})
with gradio.Blocks() as app:
    there, said = gradio.Number(), gradio.Textbox()
    there.change(tell, there, said, api_name="tell", concurrency_limit=None)
app.queue(max_size=None)
_, url, _ = app.launch(server_name="127.0.0.1", prevent_thread_lock=True, quiet=True, max_threads=400)
print(url.rstrip("/"), flush=True)
app.block_thread()
"""


class Readers(threading.Thread):
    """Reads all sockets; counts the messages by what each has, and their bytes."""

    def __init__(self, sockets, mark):
        super().__init__(daemon=True)
        self.sockets, self.mark = {s.fileno(): s for s in sockets}, mark
        self.messages = self.bytes = 0
        self.over = threading.Event()

    def run(self):
        poll = select.epoll()
        for fd, s in self.sockets.items():
            s.setblocking(False)
            poll.register(fd, select.EPOLLIN)
        while not self.over.is_set():
            for fd, _ in poll.poll(0.1):
                data = self.sockets[fd].recv(1 << 16)
                self.messages += data.count(self.mark)
                self.bytes += len(data)
                if not data:
                    poll.unregister(fd)

    def end(self):
        self.over.set()
        self.join()
        for s in self.sockets.values():
            s.close()


def cpu(process, thread=""):
    """Seconds of the processor that it, or its first thread ("/task/PID"), had: (all, the kernel's)"""
    with open(f"/proc/{process.pid}{thread}/stat") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    user, system = (int(fields[i]) / os.sysconf("SC_CLK_TCK") for i in (11, 12))
    return user + system, system


def since(then, now):
    return [b - a for a, b in zip(then, now)]


def socket_to(url, *requests):
    host, port = url.removeprefix("http://").rsplit(":", 1)
    s = socket.create_connection((host, int(port)))
    for request in requests:
        s.sendall(request)
    return s


@contextlib.contextmanager
def program(text):
    """(process, url) of a Python server that prints its url first."""
    p = subprocess.Popen([sys.executable, "-c", text], text=True, stdout=subprocess.PIPE)
    try:
        yield p, p.stdout.readline().strip()
    finally:
        p.terminate()
        p.wait()


async def drawn(ws, server, url, a):
    """One picture that all watch: (messages, bytes, processor, kernel)"""
    thread = f"/task/{server.pid}"
    spec = {"prompt": viewers.PROMPT, "seed": 5, "width": 256, "height": 256, "steps": a.steps}
    await ws.send(json.dumps({"type": "submit", "fresh": True, "spec": spec, "hold": True, "watch": False}))
    job = (await viewers.answer(ws, "accepted"))["job"]
    ask = [viewers.frame({"type": "previews", "format": "none"}), viewers.frame({"type": "watch", "job": job})]
    readers = Readers([socket_to(url, viewers.REQUEST, *ask) for _ in range(a.watchers)], b'"type":')
    readers.start()
    await asyncio.sleep(1)
    readers.messages = readers.bytes = 0
    before = cpu(server, thread)
    await ws.send(json.dumps({"type": "watch", "job": job}))
    await ws.send(json.dumps({"type": "release", "job": job}))
    await viewers.answer(ws, "result")
    await asyncio.sleep(0.2)
    took = since(before, cpu(server, thread))
    readers.end()
    return readers.messages, readers.bytes, *took


async def ours(a):
    with tempfile.TemporaryDirectory() as folder, service.running(a, folder, "--connections", "2000") as (p, address):
        async with service.connect(address) as ws:
            await viewers.answer(ws, "hello")
            await ws.send(json.dumps({"type": "previews", "format": "none"}))
            runs = [await drawn(ws, p, "http://" + address, a) for _ in range(a.runs)]
    return [statistics.median(values) for values in zip(*runs)]


def watched(process, readers, seconds):
    """What a server does in that time for those who read already."""
    time.sleep(1)
    readers.messages, readers.bytes, before = 0, 0, cpu(process)
    time.sleep(seconds)
    took = since(before, cpu(process))
    readers.end()
    return readers.messages, readers.bytes, *took


def broadcast(a):
    with program(BROADCAST) as (p, url):
        readers = Readers([socket_to(url, viewers.REQUEST) for _ in range(a.watchers)], b'"type":')
        readers.start()
        return watched(p, readers, a.seconds)


def generated(a):
    with program(GENERATOR) as (p, url):
        def listen(k):
            body = json.dumps({"fn_index": 0, "data": [a.seconds + 30], "session_hash": f"w{k}"}).encode()
            ask = urllib.request.Request(f"{url}/gradio_api/queue/join", body, {"Content-Type": "application/json"})
            urllib.request.urlopen(ask).read()
            return socket_to(url, f"GET /gradio_api/queue/data?session_hash=w{k} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        readers = Readers([listen(k) for k in range(a.watchers)], b'"process_generating"')
        readers.start()
        return watched(p, readers, a.seconds)


def line(name, messages, size, took, kernel):
    print(f"{name:18} {messages:7.0f} messages of {size / max(messages, 1):4.0f} bytes: {took / max(messages, 1) * 1e6:7.1f} us each, "
          f"{kernel / max(messages, 1) * 1e6:6.1f} of them the kernel's; {messages / max(took, 1e-9):9.0f} a second of a core")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    service.options(parser)
    parser.set_defaults(threads=1)
    parser.add_argument("--watchers", type=int, default=200)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--runs", type=int, default=3)
    a = parser.parse_args()
    line("darkroom", *asyncio.run(ours(a)))
    line("websockets", *broadcast(a))
    line("Gradio", *generated(a))
