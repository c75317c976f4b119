"""test_streams - byte streams that a strict HTTP server must survive: two and three requests a connection, every
split, framing that can be read in two ways, and bytes changed at random. The server answers /healthz all the while.

The first two tests know what each request is to be answered and check it; the third only that every connection
ends and nothing else suffers. STREAMS_SEED names another series of random bytes."""

import http.client
import os
import random
import re
import socket
import time

from harness import Server, run

server = Server()
SEED = int(os.environ.get("STREAMS_SEED", "1"))
HOST = b"Host: 127.0.0.1\r\n"
END = b"GET /healthz HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n"
BATCH = 120


def req(first, headers=b"", body=b"", host=HOST):
    return first + b"\r\n" + host + headers + b"\r\n" + body


def forms():
    """(bytes, status, does the connection go on) of requests whose answer is known."""
    etag = server.get("/")[1]["etag"].encode()
    on = [  # bytes, status; each may be followed by another request
        (req(b"GET / HTTP/1.1"), 200), (req(b"HEAD / HTTP/1.1"), 200), (req(b"GET /healthz HTTP/1.1"), 200),
        (req(b"GET / HTTP/1.1", b"If-None-Match: " + etag + b"\r\n"), 304), (req(b"HEAD /none HTTP/1.1"), 404),
        (req(b"GET / HTTP/1.1", b"Content-Length: 0\r\n"), 200), (b"\r\n" + req(b"GET /healthz HTTP/1.1"), 200),
        (req(b"GET /healthz?a=%00 HTTP/1.1", b"Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\n"), 200),
        (req(b"get / HTTP/1.1"), 405), (req(b"OPTIONS * HTTP/1.1"), 405), (req(b"POST / HTTP/1.1"), 405),
        (req(b"POST / HTTP/1.1", b"Content-Length: 0\r\n"), 405), (req(b"GET / HTTP/1.1", b"X: " + b"y" * 9000 + b"\r\n"), 200),
    ]
    json, quote = b"Content-Type: application/json\r\n", b'{"spec":{"prompt":"x"}}'
    length, chunked = b"Content-Length: %d\r\n", b"Transfer-Encoding: chunked\r\n"
    for extra in (b"", b"Expect: 100-continue\r\n"):
        on += [
            (req(b"POST /v1/quote HTTP/1.1", json + length % len(quote) + extra, quote), 200),
            (req(b"POST /v1/quote HTTP/1.1", json + chunked + extra, b"%x\r\n%s\r\n0\r\n\r\n" % (len(quote), quote)), 200),
            (req(b"POST /v1/quote HTTP/1.1", json + chunked + extra,
                 b"".join(b"1;a=b\r\n%c\r\n" % c for c in quote) + b"00\r\nX: y\r\n\r\n"), 200),
            (req(b"POST /v1/quote HTTP/1.1", json + length % 5 + extra, b"GET /"), 400),
            (req(b"POST /v1/ping HTTP/1.1", json + chunked + extra, b"0\r\n\r\n"), 200),
            (req(b"POST /v1/jobs/0123456789abcdef/hold HTTP/1.1", json + length % 2 + extra, b"{}"), 404),
        ]
    on += [(req(b"GET /v1/jobs HTTP/1.1"), 200), (req(b"HEAD /v1/jobs HTTP/1.1"), 200), (req(b"POST /v1/ping HTTP/1.1"), 200),
           (req(b"GET /v1/jobs/x/events HTTP/1.1"), 404), (req(b"DELETE /v1/jobs/0123456789abcdef HTTP/1.1"), 404),
           (req(b"GET /v1/quote HTTP/1.1"), 422), (req(b"HEAD /v1/stats/events HTTP/1.1"), 200)]
    off = []  # each ends the connection
    smuggled = b"GET /none HTTP/1.1\r\nHost: x\r\n\r\n"
    for body in (b"1\nx\n0\n\n", b"1 \r\nx\r\n0\r\n\r\n", b"-1\r\n", b"0x1\r\nx\r\n0\r\n\r\n", b"1\r\nxy\r\n0\r\n\r\n", b"\r\n\r\n",
                 b"1\r\nx0\r\n\r\n", b"1;a\nb\r\nx\r\n0\r\n\r\n", b"0\r\nX: y\n\r\n", b"1\rx\r\n"):
        off.append((req(b"POST /v1/ping HTTP/1.1", json + chunked, body + smuggled), 400))
    off += [
        (req(b"POST /v1/ping HTTP/1.1", json + length % 70000, b"x" * 300), 413),
        (req(b"POST /v1/ping HTTP/1.1", json + chunked, b"FFFFFF\r\nxx"), 413), (req(b"POST /v1/ping HTTP/1.1", json + chunked, b"F" * 17 + b"\r\n"), 413),
        (req(b"POST /v1/ping HTTP/1.1", length % 2, b"{}"), 415),
        (req(b"POST /v1/ping HTTP/1.1", b"Content-Type: text/plain\r\n" + chunked, b"0\r\n\r\n"), 415),
        (req(b"POST /v1/ping HTTP/1.1", json + length % 2 + b"Connection: close\r\n", b"{}"), 200),
        (req(b"POST /v1/ping HTTP/1.0", json + length % 2, b"{}"), 200),
        (req(b"GET /v1/jobs HTTP/1.1", json + length % 2, b"{}"), 400),
        (req(b"POST /v1/session HTTP/1.1", json + length % 2, b"{}"), 400),
    ]
    for method in (b"POST", b"PUT", b"DELETE", b"PATCH", b"OPTIONS"):
        for headers, body in ((b"Content-Length: 1\r\n", b""), (b"Content-Length: 1\r\n", b"x"),
                              (b"Content-Length: 70000\r\n", b"x" * 5000),
                              (b"Transfer-Encoding: chunked\r\n", b"1\r\nx\r\n0\r\n\r\n"),
                              (b"Content-Length: 5\r\nExpect: 100-continue\r\n", b"")):
            off.append((req(method + b" / HTTP/1.1", headers, body), 405))
    for headers in (b"Content-Length: 1\r\nContent-Length: 1\r\n", b"Content-Length: 0\r\nContent-Length: 5\r\n",
                    b"Content-Length: -1\r\n", b"Content-Length: +1\r\n", b"Content-Length: 18446744073709551616\r\n",
                    b"Content-Length: 18446744073709551615\r\n", b"Content-Length: 1, 1\r\n", b"Content-Length:\r\n",
                    b"Content-Length : 5\r\n", b"Content-Length\t: 5\r\n", b" Content-Length: 5\r\n",
                    b"X: a\r\n Content-Length: 5\r\n", b"X: a\nContent-Length: 5\r\n", b"X: a\rContent-Length: 5\r\n",
                    b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", b"X: a\0b\r\n", b"X\0: a\r\n",
                    b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", b"Host: 127.0.0.1\r\n", b"no colon\r\n"):
        for method in (b"GET", b"HEAD", b"POST"):
            off.append((req(method + b" / HTTP/1.1", headers, smuggled), 400))
    off += [
        (req(b"GET / HTTP/1.1", host=b""), 400), (req(b"GET / HTTP/1.0"), 200), (req(b"HEAD / HTTP/1.0", host=b""), 403),
        (req(b"GET / HTTP/1.1", b"Connection: close\r\n"), 200), (req(b"GET / HTTP/2.0"), 505),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0", 505), (req(b"GET / http/1.1"), 400),
        (req(b"HEAD / HTTP/1.1", host=b"Host: evil.example\r\n"), 403), (req(b"GET /\0 HTTP/1.1"), 400),
        (req(b"GET /%00 HTTP/1.1"), 400), (req(b"GET /%zz HTTP/1.1"), 400), (req(b"GET x HTTP/1.1"), 400),
        (req(b"GET  / HTTP/1.1"), 400), (req(b"G\0T / HTTP/1.1"), 400), (req(b"GET /"), 400),
        (req(b"GET / HTTP/1.1", b"Content-Length: 1\r\n", b"x"), 400), (req(b"HEAD / HTTP/1.1", b"Content-Length: 1\r\n"), 400),
        (req(b"POST / HTTP/1.1", b"Transfer-Encoding: gzip, chunked\r\n"), 501),
        (req(b"POST / HTTP/1.0", b"Transfer-Encoding: chunked\r\n"), 400), (req(b"POST / HTTP/1.1", b"Expect: more\r\n"), 417),
        (req(b"GET / HTTP/1.1", b"X: " + b"y" * 17000 + b"\r\n"), 431), (req(b"GET / HTTP/1.1", b"X: y\r\n" * 200), 431),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\r\n\r\n\r\n", 400), (req(b"GET /ws HTTP/1.1"), 400),
        (req(b"GET /ws HTTP/1.0", b"Upgrade: websocket\r\nConnection: Upgrade\r\n"), 400),
    ]
    return [(b, s, True) for b, s in on] + [(b, s, False) for b, s in off]


class Health:
    """One connection of its own that asks all the time; an answer takes less than a second."""

    def __init__(self):
        self.line = http.client.HTTPConnection(server.host, server.port, timeout=10)
        self.worst = 0

    def check(self, what):
        before = time.monotonic()
        self.line.request("GET", "/healthz")
        answer = self.line.getresponse()
        assert answer.status == 200 and answer.read(), what
        self.worst = max(self.worst, time.monotonic() - before)
        assert self.worst < 1, (what, self.worst)


def read_all(sock, limit=None):
    got = b""
    while limit is None or len(got) < limit:
        try:
            more = sock.recv(1 << 18)
        except ConnectionResetError:
            break
        if not more:
            break
        got += more
    return got


def statuses(answer, heads):
    """Statuses of the replies in order; heads: which of the requests were HEAD. The bytes must fit exactly."""
    found = []
    while answer:
        head, blank, answer = answer.partition(b"\r\n\r\n")
        assert blank and head.startswith(b"HTTP/1.1 "), (head[:200], found)
        status = int(head[9:12])
        if status == 100:
            continue
        assert b"content-security-policy: default-src 'none'" in head, head
        found.append(status)
        if status == 304 or (len(heads) >= len(found) and heads[len(found) - 1]):
            continue
        length = int(re.search(rb"content-length: (\d+)", head).group(1))
        assert len(answer) >= length, (head, len(answer))
        answer = answer[length:]
    return found


def expected(parts):
    want = []
    for _, status, goes_on in parts:
        want.append(status)
        if not goes_on:
            return want
    return want + [200]


def check_batch(health, streams):
    """streams: [(parts, where to cut)]; all first pieces, a look at the server, then the second ones."""
    socks = []
    for parts, cut in streams:
        sock = socket.create_connection((server.host, server.port), timeout=10)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        data = b"".join(p[0] for p in parts) + END
        sock.sendall(data[:cut])
        socks.append((sock, data[cut:]))
    health.check(streams[-1])
    for sock, rest in socks:
        try:
            sock.sendall(rest)
        except OSError:
            pass  # refused before its end
    health.check(streams[-1])
    for (sock, _), (parts, cut) in zip(socks, streams):
        heads = [p[0].lstrip(b"\r\n").startswith(b"HEAD") for p in parts]
        try:
            got = statuses(read_all(sock), heads)
        except TimeoutError:
            raise AssertionError(("the connection stays", [p[0][:300] for p in parts], cut))
        assert got == expected(parts), (got, expected(parts), [p[0][:300] for p in parts], cut)
        sock.close()


def check_all(streams):
    health = Health()
    for i in range(0, len(streams), BATCH):
        check_batch(health, streams[i:i + BATCH])
    return health


def pairs_and_triples():
    """catches: a loop that re-reads for ever, a body taken for a request, an ambiguous one that is answered"""
    pick, all_forms = random.Random(SEED), forms()
    goes_on = [f for f in all_forms if f[2]]
    streams = []
    for first in goes_on:
        for second in all_forms:
            data = len(first[0]) + len(second[0])
            streams.append(([first, second], pick.choice([0, len(first[0]), data, pick.randrange(data)])))
    for form in all_forms:
        streams.append(([form], pick.randrange(len(form[0]))))
    while len(streams) < 5000:
        parts = [pick.choice(goes_on), pick.choice(goes_on), pick.choice(all_forms)]
        streams.append((parts, pick.randrange(sum(len(p[0]) for p in parts))))
    check_all(streams)


def every_split():
    """catches: a head that is read differently when it comes in two pieces"""
    all_forms = [f for f in forms() if len(f[0]) < 400]
    goes_on = [f for f in all_forms if f[2]]
    pick = random.Random(SEED)
    streams = []
    while len(streams) < 7000:
        parts = [pick.choice(goes_on), pick.choice(all_forms)]
        for cut in range(1, sum(len(p[0]) for p in parts)):
            streams.append((parts, cut))
    check_all(streams)


def mutate(pick, data):
    data = bytearray(data)
    odd = [b"\r", b"\n", b"\r\n", b"\r\n\r\n", b" ", b"\t", b":", b"\0", b"\xff", b"%", b"0", b"Content-Length: 3\r\n", b"GET / "]
    for _ in range(pick.randrange(1, 5)):
        at = pick.randrange(len(data) + 1)
        how = pick.randrange(4)
        if how == 0:
            data[at:at + 1] = bytes([pick.randrange(256)])
        elif how == 1:
            data[at:at] = pick.choice(odd)
        elif how == 2:
            del data[at:at + pick.randrange(1, 6)]
        else:
            other = pick.randrange(len(data) + 1)
            data[at:at] = data[other:other + pick.randrange(40)]
    return bytes(data)


def mutated():
    """catches: bytes of any kind that hold the loop, end the process or leave a connection for ever"""
    pick, health = random.Random(SEED + 1), Health()
    seeds = [f[0] for f in forms() if len(f[0]) < 6000] + [
        req(b"GET /ws HTTP/1.1", b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: darkroom.v1\r\n", b"\x89\x80\0\0\0\0\x81\x80\0\0\0\0")] * 6
    for _ in range(0, 8000, BATCH):
        socks = []
        for _ in range(BATCH):
            data = mutate(pick, b"".join(pick.choice(seeds) for _ in range(pick.randrange(1, 4))))
            sock = socket.create_connection((server.host, server.port), timeout=10)
            cut = pick.randrange(len(data) + 1)
            sock.sendall(data[:cut])
            socks.append((sock, data, cut))
        health.check(SEED)
        for sock, data, cut in socks:
            try:
                sock.sendall(data[cut:])
                sock.shutdown(socket.SHUT_WR)
            except OSError:
                pass
        health.check(SEED)
        for sock, data, _ in socks:
            try:
                read_all(sock)
            except TimeoutError:
                raise AssertionError(("the connection stays", data))
            sock.close()
    before = server.cpu_seconds()
    time.sleep(1)
    assert server.cpu_seconds() - before < 0.3, "the loop spins"


def lingering():
    """catches: a refusal that a client never sees, as its unread body resets the connection"""
    for size in (10000, 300000):
        sock = server.raw()
        sock.sendall(f"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {size}\r\n\r\n".encode())
        sock.sendall(b"x" * size)
        answer = read_all(sock)
        assert answer.startswith(b"HTTP/1.1 405 ") and b"connection: close" in answer, answer[:200]
        sock.close()
    sock = server.raw()  # one that sends on and on is not listened to for ever
    sock.sendall(b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 999999999\r\n\r\n")
    before = time.monotonic()
    try:
        while time.monotonic() - before < 10:
            sock.sendall(b"x" * 1000)
            time.sleep(0.01)
        assert False, "it is still read from"
    except OSError:
        pass
    assert server.get("/healthz")[0] == 200


def long_heads():
    """catches: cookies of other services that end a connection without an answer"""
    def ask(cookie, path="/"):
        sock = server.raw()
        sock.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: {'c' * cookie}\r\nConnection: close\r\n\r\n".encode())
        answer = read_all(sock)
        sock.close()
        return answer
    for cookie in (4000, 4200, 8000, 16000):
        assert ask(cookie).startswith(b"HTTP/1.1 200 "), cookie
    for cookie in (17000, 40000):
        answer = ask(cookie)
        assert answer.startswith(b"HTTP/1.1 431 ") and b"16384" in answer and b"ookie" in answer, (cookie, answer[:300])
    upgrade = ("GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
               f"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: darkroom.v1\r\nCookie: {'c' * 15000}\r\n\r\n")
    sock = server.raw()
    sock.sendall(upgrade.encode())
    assert sock.recv(100).startswith(b"HTTP/1.1 101 ")
    sock.close()


run([pairs_and_triples, every_split, mutated, lingering, long_heads])
