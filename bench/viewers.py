#!/usr/bin/python3
"""viewers - what it costs to be watched: hundreds of viewers of one drawing, some of which do not read.

    bench/viewers.py [--viewers 500] [--stalled 50] [--steps 60] [--runs 3] [--threads 1] [--apart]
                     [--binary build/darkroom] [--model weights/tiny]

One picture is drawn again and again, in turn without viewers, with all of them, and with some that read nothing and
one that reads a kilobyte a second. Viewers follow its job with previews, in a process of their own. Printed: the
picture's own seconds; the server's processor time; messages delivered, and what one costs; the longest silence of a
viewer that reads; the server's own histogram of the time from a quantum to its frame in the socket. With --apart the
thread that draws has one processor and everything else the other, viewers too: what the drawing itself loses, on a
machine with as many processors as threads that are busy.
"""
import argparse
import asyncio
import json
import multiprocessing
import os
import re
import select
import socket
import statistics
import tempfile
import time
import urllib.request

import service

REQUEST = ("GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
           "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
           "Sec-WebSocket-Protocol: darkroom.v1\r\n\r\n").encode()
PROMPT = "a red circle on a blue background"


def frame(message):
    """A masked text frame with the mask 0."""
    body = json.dumps(message).encode()
    head = bytes([0x81, 0x80 | len(body)]) if len(body) < 126 else bytes([0x81, 0xFE]) + len(body).to_bytes(2, "big")
    return head + bytes(4) + body


def viewer(address, job):
    host, port = address.rsplit(":", 1)
    s = socket.create_connection((host, int(port)))
    s.sendall(REQUEST)
    s.sendall(frame({"type": "previews", "format": "jpeg", "max_px": 256}))
    s.sendall(frame({"type": "watch", "job": job}))
    return s


def watch(address, job, readers, stalled, pipe):
    """Read until told to stop; answers (messages, longest silence of a reader in seconds)."""
    all_of_them = [viewer(address, job) for _ in range(readers + stalled)]
    reading, slow = all_of_them[:readers], all_of_them[readers:readers + 1]
    poll, messages, newest, silence = select.epoll(), 0, {}, 0.0
    by_fd = {s.fileno(): s for s in reading}
    for s in reading:
        s.setblocking(False)
        poll.register(s, select.EPOLLIN)
        newest[s.fileno()] = time.monotonic()
    poll.register(pipe, select.EPOLLIN)
    pipe.send("ready")
    begun, last_slow = False, time.monotonic()
    while True:
        for fd, _ in poll.poll(0.2):
            if fd == pipe.fileno():
                if pipe.recv() == "begin":
                    begun, messages, silence = True, 0, 0.0
                    newest = {f: time.monotonic() for f in newest}
                    continue
                pipe.send((messages, silence))
                return
            try:
                data = by_fd[fd].recv(1 << 16)
            except BlockingIOError:
                continue
            now = time.monotonic()
            messages += data.count(b'"type":') + data.count(b"\xff\xd8\xff")
            if begun:
                silence = max(silence, now - newest[fd])
            newest[fd] = now
        if slow and time.monotonic() - last_slow > 1:
            slow[0].recv(1024, socket.MSG_DONTWAIT)
            last_slow = time.monotonic()


def cpu_of(process):
    with open(f"/proc/{process.pid}/stat") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def picture(ws, server, address, a, readers, stalled):
    """Hold a job until its viewers are there, then let it run."""
    spec = {"prompt": PROMPT, "seed": 5, "width": 256, "height": 256, "steps": a.steps}
    here, there = multiprocessing.Pipe()
    await ws.send(json.dumps({"type": "submit", "fresh": True, "spec": spec, "hold": True, "watch": False}))
    job = (await answer(ws, "accepted"))["job"]
    child = multiprocessing.Process(target=watch, args=(address, job, readers, stalled, there))
    child.start()
    await asyncio.to_thread(here.recv)
    await asyncio.sleep(1)
    cpu = cpu_of(server)
    here.send("begin")
    await ws.send(json.dumps({"type": "watch", "job": job}))
    await ws.send(json.dumps({"type": "release", "job": job}))
    result = await answer(ws, "result")
    cpu = cpu_of(server) - cpu
    here.send("stop")
    messages, silence = await asyncio.to_thread(here.recv)
    child.join()
    return {"seconds": result["seconds"], "cpu": cpu, "messages": messages, "silence": silence}


async def answer(ws, kind):
    while True:
        m = await ws.recv()
        if isinstance(m, str):
            m = json.loads(m)
            if m["type"] == "error":
                raise RuntimeError(m)
            if m["type"] == kind:
                return m


def frame_lag(address):
    with urllib.request.urlopen(f"http://{address}/metrics") as f:
        text = f.read().decode()
    buckets = [(le, int(n)) for le, n in re.findall(r'frame_lag_seconds_bucket\{le="([^"]+)"\} (\d+)', text)]
    total = buckets[-1][1]
    for share in (0.5, 0.99):
        le = next(le for le, n in buckets if n >= share * total)
        print(f"frame lag p{share * 100:.0f}   <= {float(le) * 1e3:.2f} ms of {total} frames")


def set_apart(server):
    """The server's drawing thread on the last processor, its others and this program on the first ones."""
    *others, last = sorted(os.sched_getaffinity(0))
    for thread in os.listdir(f"/proc/{server.pid}/task"):
        with open(f"/proc/{server.pid}/task/{thread}/comm") as comm:
            os.sched_setaffinity(int(thread), {last} if comm.read().strip() == "worker" else others)
    os.sched_setaffinity(0, others)


async def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    service.options(parser)
    parser.set_defaults(threads=1)
    parser.add_argument("--viewers", type=int, default=500)
    parser.add_argument("--stalled", type=int, default=50)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--apart", action="store_true", help="the drawing thread has a processor of its own")
    a = parser.parse_args()
    cases = {"no viewer": (0, 0), f"{a.viewers} viewers": (a.viewers, 0),
             f"{a.viewers} and {a.stalled} stalled, 1 slow": (a.viewers, a.stalled + 1)}
    with tempfile.TemporaryDirectory() as folder, service.running(a, folder, "--connections", "2000") as (p, address):
        if a.apart:
            set_apart(p)
        async with service.connect(address) as ws:
            await answer(ws, "hello")
            seen = {name: [] for name in cases}
            await picture(ws, p, address, a, 0, 0)  # the first one also fits the colours of previews
            for _ in range(a.runs):
                for name, (readers, stalled) in cases.items():
                    seen[name].append(await picture(ws, p, address, a, readers, stalled))
            for name, runs in seen.items():
                mid = {k: statistics.median(r[k] for r in runs) for k in runs[0]}
                alone = statistics.median(r["cpu"] for r in seen["no viewer"])
                cost = (mid["cpu"] - alone) / mid["messages"] * 1e6 if mid["messages"] else 0
                longer = mid["seconds"] / statistics.median(r["seconds"] for r in seen["no viewer"]) - 1
                print(f"{name:32} picture {mid['seconds']:.3f} s {longer * 100:+5.1f} %   server {mid['cpu']:.2f} s   "
                      f"{mid['messages']:.0f} messages, {cost:.1f} us each   longest silence {mid['silence']:.2f} s")
            frame_lag(address)


if __name__ == "__main__":
    asyncio.run(main())
