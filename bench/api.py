#!/usr/bin/env python3
"""api - what the HTTP API costs beside the WebSocket: time until accepted, memory of a stream, a kept connection.

    bench/api.py [STREAMS]            1,000 on loopback

Prints, in one run of one server: milliseconds from a submit to its accepted over HTTP on a kept connection, over HTTP with
a new connection each, and over a WebSocket, while a picture is drawn; requests a second of GET /healthz kept and new; and
the growth of the server's memory a stream while STREAMS clients read the events of a job that waits. The server is built
with `make`; it serves the bundled model."""

import asyncio
import http.client
import json
import os
import resource
import select
import socket
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import websockets
from connections import memory, seconds, start  # noqa: E402
import tempfile

SUBMITS = 200
LONG = {"prompt": "a red circle", "width": 512, "height": 512, "steps": 200}
SMALL = {"prompt": "a red circle", "width": 64, "height": 64, "steps": 1}


def post(line, path, body):
    line.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
    answer = line.getresponse()
    text = answer.read()
    assert answer.status in (200, 202), text
    return json.loads(text)


def connection(port):
    line = http.client.HTTPConnection("127.0.0.1", port)
    line.connect()
    line.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return line


def submit(line):
    before = time.monotonic()
    post(line, "/v1/jobs", {"spec": SMALL, "hold": True})
    return time.monotonic() - before


async def submit_ws(ws):
    before = time.monotonic()
    await ws.send(json.dumps({"type": "submit", "spec": SMALL, "hold": True, "watch": False}))
    assert json.loads(await ws.recv())["type"] == "accepted"
    return time.monotonic() - before


async def submits(port):
    """Milliseconds of each way, in turn, so that what else the machine does meets all alike."""
    line, kept, new, socket_ = connection(port), [], [], []
    async with websockets.connect(f"ws://127.0.0.1:{port}/ws", subprotocols=["darkroom.v1"], compression=None) as ws:
        await ws.recv()
        for _ in range(SUBMITS):
            kept.append(submit(line))
            new.append(submit(connection(port)))
            socket_.append(await submit_ws(ws))
    post(line, "/v1/cancel", {"state": "queued"})
    return kept, new, socket_


def health(port, keep, n=2000):
    line, before = connection(port), time.monotonic()
    for _ in range(n):
        if not keep:
            line = connection(port)
        line.request("GET", "/healthz")
        line.getresponse().read()
    return n / (time.monotonic() - before)


def show(what, took):
    took = sorted(t * 1000 for t in took)
    print(f"| {what} | {took[len(took) // 2]:.2f} | {took[int(len(took) * 0.99)]:.2f} |", flush=True)


def streams(port, pid, count):
    line = connection(port)
    job = post(line, "/v1/jobs", {"spec": SMALL, "hold": True})["job"]
    before, socks = memory(pid), []
    for _ in range(count):
        sock = socket.create_connection(("127.0.0.1", port))
        sock.sendall(f"GET /v1/jobs/{job}/events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        socks.append(sock)
    for sock in socks:
        while b"event: accepted" not in sock.recv(65536):
            pass
    after, busy = memory(pid), seconds(pid)
    time.sleep(10)
    busy = (seconds(pid) - busy) / 10
    post(line, f"/v1/jobs/{job}/release", {})
    began, waiting = time.monotonic(), {s.fileno(): s for s in socks}
    poll = select.epoll()
    for sock in socks:
        poll.register(sock, select.EPOLLIN)
    ended = set()
    while len(ended) < count:
        for fd, _ in poll.poll(60):
            if b"event: end" in waiting[fd].recv(65536):
                ended.add(fd)
                poll.unregister(fd)
    print(f"{count} streams: {(after[0] - before[0]) / count / 1024:.2f} KiB resident, {(after[1] - before[1]) / count / 1024:.2f} KiB "
          f"private each; {busy * 100:.2f} % of a processor while idle; all had read the end {time.monotonic() - began:.2f} s after release")


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(count + 200, 4096), resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    with tempfile.TemporaryDirectory() as data:
        process, port = start(count, data, "--queue", "4096", "--concurrency", "1", "--job-seconds", "86400")
        try:
            print(f"GET /healthz: {health(port, True):.0f} a second on a kept connection, {health(port, False):.0f} with a new one each")
            running = post(connection(port), "/v1/jobs", {"spec": LONG})["job"]
            print("| accepted while a picture is drawn | p50 ms | p99 ms |\n|---|---:|---:|")
            for what, took in zip(("HTTP, kept connection", "HTTP, new connection", "WebSocket"), asyncio.run(submits(port))):
                show(what, took)
            post(connection(port), f"/v1/jobs/{running}/cancel", {})
            time.sleep(5)  # its memory is given back
            streams(port, process.pid, count)
        finally:
            process.kill()
            process.wait()


main()
