#!/usr/bin/env python3
"""connections - how fast thousands of WebSockets are taken, and what each costs while it is idle.

    bench/connections.py [COUNT]       10,000 on loopback; needs twice as many descriptors

Prints seconds from the first connect() to the last hello, the server's processor time for it, the growth of its
memory a connection (resident and private, after all buffers of the handshake are gone), and its processor time in
the 10 s after, with all of them idle. The server is built with `make`; it serves the bundled model."""

import os
import re
import resource
import select
import socket
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BIN = os.environ.get("DARKROOM_BIN", os.path.join(ROOT, "build", "darkroom"))
AT_A_TIME = 200
REQUEST = ("GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
           "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: darkroom.v1\r\n\r\n").encode()


def start(count, data, *flags):
    process = subprocess.Popen([BIN, "serve", "--port", "0", "--data", data, "--connections", str(count + 100),
                                "--log-level", "error", "--model", os.path.join(ROOT, "weights", "tiny"), *flags],
                               stdout=subprocess.PIPE, text=True)
    said, port = "", None
    while "drawing" not in said:
        line = process.stdout.readline()
        if not line:
            sys.exit("the server does not start")
        said += line
    port = int(re.search(r"address\s+\S+:(\d+)", said).group(1))
    time.sleep(12)  # it learns the colours of previews
    return process, port


def seconds(pid):
    with open(f"/proc/{pid}/stat") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory(pid):
    """(resident, private) bytes"""
    with open(f"/proc/{pid}/smaps_rollup") as rollup:
        text = rollup.read()
    def kib(name):
        return sum(int(n) for n in re.findall(rf"^{name}:\s+(\d+) kB", text, re.M))
    return kib("Rss") << 10, (kib("Private_Clean") + kib("Private_Dirty")) << 10


def connect(port, count):
    """All sockets, each with its hello read."""
    poll, waiting, done = select.epoll(), {}, []
    started = 0
    while len(done) < count:
        while started < count and len(waiting) < AT_A_TIME:
            sock = socket.socket()
            sock.connect(("127.0.0.1", port))
            sock.setblocking(False)
            sock.send(REQUEST)
            poll.register(sock, select.EPOLLIN)
            waiting[sock.fileno()] = sock, b""
            started += 1
        for fd, _ in poll.poll(10):
            sock, got = waiting[fd]
            more = sock.recv(65536)
            if not more:
                sys.exit(f"connection {len(done)} was refused: {got[:200]}")
            got += more
            waiting[fd] = sock, got
            if b'"type":"hello"' in got and got.endswith(b"}"):
                done.append(waiting.pop(fd)[0])
                poll.unregister(fd)
    return done


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10000
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if hard < count + 200:
        sys.exit(f"needs {count + 200} descriptors, the limit is {hard}")
    with tempfile.TemporaryDirectory() as data:
        process, port = start(count, data)
        try:
            warm = connect(port, 100)  # what is allocated once
            for sock in warm:
                sock.close()
            time.sleep(2)
            before, cpu, began = memory(process.pid), seconds(process.pid), time.monotonic()
            socks = connect(port, count)
            took, used = time.monotonic() - began, seconds(process.pid) - cpu
            time.sleep(2)
            after, cpu = memory(process.pid), seconds(process.pid)
            time.sleep(10)
            idle = seconds(process.pid) - cpu
            resident, private = ((a - b) / count / 1024 for a, b in zip(after, before))
            print("| connections | seconds | processor | a second | resident KiB each | private KiB each | idle processor |")
            print("|---:|---:|---:|---:|---:|---:|---:|")
            print(f"| {count} | {took:.2f} | {used:.2f} s | {count / took:.0f} | {resident:.2f} | {private:.2f} | {idle * 10:.2f} % |")
            for sock in socks:
                sock.close()
        finally:
            process.kill()
            process.wait()


if __name__ == "__main__":
    main()
