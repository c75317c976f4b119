"""test_net - hostile clients over raw sockets, and every trap of libwebsockets 4.1.6 that is known."""

import asyncio
import json
import os
import re
import resource
import socket
import subprocess
import threading
import time

from harness import BIN, LONG, MODEL, QUICK, RawWebSocket, Server, folder, run

server = Server()


def handshakes():
    """catches: an upgrade that libwebsockets grants by itself: any Origin, POST, version 8, short key"""
    port = server.port
    cases = [
        ({}, 101),
        ({"Origin": f"http://127.0.0.1:{port}"}, 101),
        ({"Sec-WebSocket-Protocol": "foo, darkroom.v1"}, 101),
        ({"Sec-WebSocket-Protocol": None}, 400),
        ({"Sec-WebSocket-Protocol": "darkroom.v2"}, 400),
        ({"Sec-WebSocket-Protocol": "darkroom-http, darkroom.v1"}, 400),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://" + "a" * 300}, 403),
        ({"Origin": f"http://localhost:{port}"}, 403),
        ({"Host": "evil.example"}, 403),
        ({"Host": "evil.example", "Origin": "http://evil.example"}, 403),
        ({"Sec-WebSocket-Version": "8"}, 400),
        ({"Sec-WebSocket-Version": None}, 400),
        ({"Sec-WebSocket-Key": "abc"}, 400),
        ({"Sec-WebSocket-Key": "A" * 24}, 400),
        ({"Sec-WebSocket-Key": None}, 400),
        ({"Upgrade": "h2c"}, (400, 403)),
        ({"Upgrade": "foo"}, (400, 403)),
        ({"Connection": "close"}, 400),
        ({"X": "a\0b"}, 400),
        ({"X": "y" * 17000}, 431),
        ({"Content-Length": "5"}, 400),
    ]
    for headers, status in cases:
        wire = RawWebSocket(server, headers)
        assert wire.status in (status if isinstance(status, tuple) else (status,)), (headers, wire.head)
        wire.close()
    for first in ("POST /ws HTTP/1.1", "PUT /ws HTTP/1.1", "get /ws HTTP/1.1", "GET /ws HTTP/1.0", "GET /ws HTTP/0.9", "GET / HTTP/1.1", "GET /wsx HTTP/1.1"):
        wire = RawWebSocket(server, {}, first)
        assert wire.status != 101, (first, wire.head)
        wire.close()


def refusals_name_cause_and_cure():
    """catches: a refusal behind a proxy that names neither cause nor cure, a log that says nothing or fills up, a name of a
    stranger that is served with --open (DNS rebinding), an origin that can never match"""
    wide = Server(None, "--host", "0.0.0.0", "--open", "--origins", "https://pictures.example.org")
    wide.host = "127.0.0.1"  # where it is reached from here
    cases = [("10.1.2.3", 101), (f"[::1]:{wide.port}", 101), ("localhost", 101), ("otherbox:8080", 101), (socket.gethostname(), 101),
             ("pictures.example.org", 101), ("evil.example", 403), ("127.0.0.1.nip.io", 403), ("pictures.example.org.evil", 403)]
    for host, status in cases:
        wire = RawWebSocket(wide, {"Host": host, "Origin": f"http://{host}"})
        assert wire.status == status, (host, wire.head)
        wire.close()
    for host in ("evil.example", "worse.example"):
        status, _, body = wide.get("/", headers={"Host": host})
        why = json.loads(body)
        assert status == 403 and host in why["message"] and f"--origins https://{host}" in why["hint"], why
    wire = RawWebSocket(wide, {"Origin": "https://other.example"})
    wire.fill()
    assert wire.status == 403 and b"https://other.example" in wire.buffer and b"Host" in wire.buffer, wire.buffer
    wire.close()
    status, headers, body = wide.get("/ws")
    assert status == 400 and b"Upgrade" in body and "content-security-policy" in headers, body
    wide.process.terminate()
    said = [line for line in (wide.log + wide.process.stdout.read()).split("\n") if "refused: " in line]
    wide.kill()
    assert len(said) == 3 and "warn" in said[0], said
    assert "evil.example" in said[0] and "--origins" in said[0] and "https://other.example" in said[1] and "Upgrade" in said[2], said
    for bad in ("*", "https://a.example/", "a.example", "https://a.example:443"):
        done = subprocess.run([BIN, "serve", "--port", "0", "--model", MODEL, "--data", folder(), "--origins", bad],
                              capture_output=True, text=True, timeout=20)
        assert done.returncode == 2 and bad in done.stderr, (bad, done)


def no_compression():
    """catches: permessage-deflate, whose 4.1.6 form corrupts data"""
    wire = RawWebSocket(server, {"Sec-WebSocket-Extensions": "permessage-deflate; client_max_window_bits"})
    assert wire.status == 101 and "extensions" not in wire.head, wire.head
    wire.close()


def listening(port):
    """Local addresses of listening sockets with this port, as /proc writes them."""
    found = []
    for name in ("tcp", "tcp6"):
        with open(f"/proc/net/{name}") as table:
            for line in table.readlines()[1:]:
                fields = line.split()
                if fields[3] == "0A" and int(fields[1].split(":")[1], 16) == port:
                    found.append(fields[1].split(":")[0])
    return found


def bound_to_loopback_alone():
    """catches: `iface` that binds every interface; a start beyond loopback without --open"""
    assert listening(server.port) == ["0100007F"], listening(server.port)
    for host in ("0.0.0.0", "::"):
        done = subprocess.run([BIN, "serve", "--port", "0", "--model", MODEL, "--data", folder(), "--host", host],
                              capture_output=True, text=True, timeout=20)
        assert done.returncode != 0 and "--open" in done.stderr, done
    wide = Server(None, "--host", "0.0.0.0", "--open", ready=False)
    assert listening(wide.port) == ["00000000"]
    wide.kill()
    taken = subprocess.run([BIN, "serve", "--port", str(server.port), "--model", MODEL, "--data", folder()],
                           capture_output=True, text=True, timeout=20)
    assert taken.returncode != 0 and "--port" in taken.stderr, taken


def bad_utf8():
    """catches: text that is not UTF-8 taken for text"""
    for bad in (b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b'{"type":"ping","ref":"\xf8\x88\x80\x80\x80"}'):
        wire = RawWebSocket(server)
        wire.send(bad)
        assert wire.close_code() in (1007, None), bad
        wire.close()


def fragments_and_huge_frames():
    """catches: a message cut at a frame, control frames that break one, a length that is believed"""
    wire = RawWebSocket(server)
    text = b'{"type":"ping","ref":"pieces"}'
    for i, byte in enumerate(text):
        wire.send(bytes([byte]), 1 if i == 0 else 0, i + 1 == len(text))
        if i == 5:
            wire.send(b"between", 9)
    assert wire.message("pong")["ref"] == "pieces"
    wire.send(b"", 1)
    assert wire.message("error")["code"] == "bad_request"
    wire.send(b'{"type":"ping"}', 2)
    assert wire.message("error")["code"] == "bad_request"
    wire.send(b" " * (10 << 20))
    error = wire.message("error")
    assert error["code"] == "too_large" and "65536" in error["message"].replace(",", ""), error
    for i in range(40):
        wire.send(b" " * 4096, 1 if i == 0 else 0, i == 39)
    assert wire.message("error")["code"] == "too_large"
    wire.send(json.dumps({"type": "ping", "x" * 200: 1}).encode())
    assert wire.message("error")["code"] == "bad_field"
    assert wire.alive()
    wire.close()
    wire = RawWebSocket(server)  # a frame that promises more bytes than can be sent
    wire.send(b"{", length=1 << 62)
    wire.socket.sendall(b"x" * 100000)
    wire.close()
    wire = RawWebSocket(server)  # a known deviation: libwebsockets accepts it; nothing else may change
    wire.send(b'{"type":"ping"}', mask=False)
    wire.close()
    for opcode in (3, 7, 11):  # reserved
        wire = RawWebSocket(server)
        wire.send(b"x", opcode)
        assert wire.close_code() in (1002, None)
        wire.close()
    assert RawWebSocket(server).alive()


def symbols():
    """catches: what must not be used of libwebsockets: its JSON parser (overruns its path on long keys), its file
    server (follows links), its broadcast (a silent no-op with a foreign table), its own listening"""
    names = subprocess.run(["nm", "-D", BIN], capture_output=True, text=True).stdout
    assert "lws_write" in names and "lws_cancel_service" in names
    for name in ("lejp", "lws_serve_http_file", "lws_callback_on_writable_all", "lws_cancel_service_pt", "lws_plat"):
        assert name not in names, name


def paths():
    """catches: a path that leaves the page or the results, a method that does something"""
    for path in ("/../etc/passwd", "/i/../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/i/%2e%2e/darkroom.db",
                 "/outputs/", "/darkroom.db", "/.git/config", "//etc/passwd", "/index.html%00.png", "/i/" + "0" * 64 + ".png"):
        sock = server.raw()
        sock.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode())
        answer = b""
        while True:
            more = sock.recv(65536)
            if not more:
                break
            answer += more
            if b"root:" in answer or len(answer) > 1 << 20:
                break
            head, _, body = answer.partition(b"\r\n\r\n")
            length = re.search(rb"content-length: (\d+)", head)
            if length and len(body) >= int(length.group(1)):
                break
        sock.close()
        status = answer.split(b" ")[1] if answer else b"closed"
        assert status in (b"404", b"403", b"400", b"closed"), (path, answer[:200])
    for method in ("POST", "PUT", "DELETE", "OPTIONS"):
        status, headers, _ = server.get("/", method)
        assert status in (403, 404, 405), (method, status)


def page_and_headers():
    """catches: a CSP that lets any WebSocket host in, a missing header, a page that is kept for ever"""
    status, headers, body = server.get("/")
    assert status == 200 and b"<!doctype html>" in body.lower()
    csp = headers["content-security-policy"]
    assert "default-src 'none'" in csp and "connect-src 'self';" in csp and "ws:" not in csp and "unsafe" not in csp
    assert headers["x-content-type-options"] == "nosniff" and headers["referrer-policy"] == "no-referrer"
    status, _, body = server.get("/", headers={"If-None-Match": headers["etag"]})
    assert status == 304 and body == b""
    for path in re.findall(r'(?:src|href)="([^"#:]+)"', server.get("/")[2].decode()):
        assert server.get("/" + path)[0] == 200, path
    assert server.get("/", "HEAD")[2] == b""
    status, headers, body = server.get("/healthz")
    assert status == 200 and json.loads(body)["ok"] is True
    status, headers, body = server.get("/readyz")
    assert status == 200 and json.loads(body)["lacks"] == []
    assert b"darkroom_ready 1" in server.get("/metrics")[2]
    assert server.get("/", headers={"Host": "rebound.example"})[0] == 403


def limits_per_address():
    """catches: one address that takes all connections; a refusal without a status"""
    few = Server(None, "--connections-per-ip", "3")
    wires = [RawWebSocket(few) for _ in range(3)]
    assert [w.status for w in wires] == [101] * 3
    more = RawWebSocket(few)
    assert more.status == 503 and "retry-after" in more.head, more.head
    more.close()
    assert all(w.alive() for w in wires)
    wires.pop().close()
    deadline = time.monotonic() + 5
    while RawWebSocket(few).status != 101:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    few.kill()


def descriptors_run_out():
    """catches: a loop that spins, and a log that floods, when no descriptor is left"""
    resource.setrlimit(resource.RLIMIT_NOFILE, (4096, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    small = Server()
    spent = -1.0
    while small.cpu_seconds() - spent > 0.05:  # an idle server measures itself first
        spent = small.cpu_seconds()
        time.sleep(0.5)
    resource.prlimit(small.process.pid, resource.RLIMIT_NOFILE, (48, 48))
    socks = []
    for _ in range(120):
        try:
            socks.append(small.raw())
        except OSError:
            break
    time.sleep(0.3)
    before, logged = small.cpu_seconds(), len(small.log)
    time.sleep(1.5)
    assert small.cpu_seconds() - before < 0.5, small.cpu_seconds() - before
    for sock in socks:
        sock.close()
    time.sleep(0.3)
    wire = RawWebSocket(small)
    assert wire.status == 101 and wire.alive()
    wire.close()
    small.process.kill()
    rest = small.process.stdout.read()
    assert len(small.log[logged:] + rest) < 20000, len(rest)
    small.kill()


def tx_queue(port, peer):
    with open("/proc/net/tcp") as table:
        for line in table.readlines()[1:]:
            fields = line.split()
            if fields[1].endswith(f":{port:04X}") and fields[2].endswith(f":{peer:04X}"):
                return int(fields[4].split(":")[0], 16)
    return None


async def slow_reader():
    """catches: megabytes of kernel memory for one stalled reader, stale frames, others held up"""
    wire = RawWebSocket(server, receive_buffer=4096)
    peer = wire.socket.getsockname()[1]
    wire.send(json.dumps({"type": "previews", "max_px": 512, "format": "png"}).encode())
    async with server.connect() as good:
        job = (await good.submit({**LONG, "steps": 60}))["job"]
        wire.send(json.dumps({"type": "watch", "job": job}).encode())
        seen = await good.end_of(job, 100)
        sent = [m for m in seen if isinstance(m, dict)]
        assert sent[-1]["state"] == "done"
        queued = tx_queue(server.port, peer)
        assert queued is not None and queued < 200000, queued
    got = 0
    while True:
        opcode, payload = wire.frame()
        got += opcode == 1
        if opcode == 1 and json.loads(payload)["type"] == "end":
            break
    assert got < len(sent), "a stalled reader must skip what is stale"
    wire.close()


def reader_that_never_reads():
    """catches: answers that pile up without end for one connection, one that is kept though it never reads"""
    wire = RawWebSocket(server, receive_buffer=4096)
    wire.socket.settimeout(1)
    ask = b'{"type":"stats","on":false}'
    head = bytes([0x81, 0x80 | len(ask)]) + b"\0\0\0\0"
    try:
        for _ in range(4000):
            wire.socket.sendall((head + ask) * 100)
    except OSError:
        pass
    else:
        assert False, "the server went on taking requests"
    until = time.monotonic() + 45  # 20 s without taking anything, 5 s for the close frame, the kernel's own 30 s
    while tx_queue(server.port, wire.socket.getsockname()[1]) is not None:
        assert time.monotonic() < until, "it is kept"
        time.sleep(0.2)
    wire.close()
    assert RawWebSocket(server).alive()


def reader_that_reads():
    """catches: a client that is closed as slow though it reads all the time"""
    wire, asks, got = RawWebSocket(server), 4000, 0

    def send():
        for i in range(asks):
            wire.send(json.dumps({"type": "list", "ref": f"r{i}"} if i % 2 else {"type": "stats", "on": False, "ref": f"r{i}"}).encode())
    sender = threading.Thread(target=send)
    sender.start()
    while got < asks:
        frame = wire.frame()
        assert frame and frame[0] != 8, (got, frame)
        got += frame[0] == 1 and json.loads(frame[1]).get("ref") == f"r{got}"
    sender.join()
    wire.close()


def big_submits():
    """catches: a client closed as slow as its long answers wait for the disk, though it reads all the time"""
    wide, asks, got = Server(None, "--queue", "4096", "--submits-per-second", "0"), 600, 0
    wire = RawWebSocket(wide)

    def send():
        for i in range(asks):
            prompt = f"{i} " + "a red circle " * 1200
            wire.send(json.dumps({"type": "submit", "ref": f"r{i}", "watch": False, "spec": {**QUICK, "prompt": prompt}}).encode())
    sender = threading.Thread(target=send)
    sender.start()
    while got < asks:
        frame = wire.frame()
        assert frame and frame[0] != 8, (got, frame)
        message = json.loads(frame[1]) if frame[0] == 1 else {}
        if message.get("ref") == f"r{got}":
            assert message["type"] == "accepted", message
            got += 1
    sender.join()
    wide.kill()


def errors_have_names():
    """catches: an error that a client with several submits under way cannot give to one of them"""
    wire = RawWebSocket(server)
    for i, bad in enumerate((b'"a\\u0000b"', b'"\\ud83d"', b'"' + b"x" * 70000 + b'"', b'"\x01"', b"NaN")):
        for text in (b'{"type":"submit","ref":"r%d","spec":{"prompt":%s}}' % (i, bad), b'{"spec":{"prompt":%s},"ref":"r%d","type":"submit"}' % (bad, i)):
            wire.send(text)
            error = wire.message("error")
            assert error["ref"] == f"r{i}" and error["re"] == "submit", (text[:60], error)
    wire.close()


def late_reader():
    """catches: a client that is closed, or loses an answer, as it begins to read late; one that stays deaf"""
    wire = RawWebSocket(server, receive_buffer=4096)
    ask = b'{"type":"stats","on":false}'
    for _ in range(30):
        wire.socket.sendall((bytes([0x81, 0x80 | len(ask)]) + b"\0\0\0\0" + ask) * 100)
    time.sleep(8)
    got = 0
    while got < 3000:
        frame = wire.frame()
        assert frame and frame[0] != 8, (got, frame)
        got += frame[0] == 1 and json.loads(frame[1])["type"] == "stats"
    assert wire.alive()
    wire.close()


def slow_ones():
    """catches: a header that takes for ever, an idle WebSocket that stays, one that is alive and hung up on"""
    idle = Server(None, "--ping-seconds", "1", "--hangup-seconds", "3")
    found = {}

    def header():
        sock = idle.raw()
        sock.sendall(b"GET / HTTP/1.1\r\nHost: x")
        before = time.monotonic()
        try:
            sock.recv(1)
        except OSError:
            pass
        found["header"] = time.monotonic() - before

    def silent():
        wire = RawWebSocket(idle)
        before, pings = time.monotonic(), 0
        while True:
            got = wire.frame()
            if got is None or got[0] == 8:
                break
            pings += got[0] == 9
        found["silent"], found["pings"] = time.monotonic() - before, pings

    def polite():
        wire = RawWebSocket(idle)
        until = time.monotonic() + 6
        wire.socket.settimeout(8)
        while time.monotonic() < until:
            got = wire.frame()
            if got is None or got[0] == 8:
                found["polite"] = False
                return
            if got[0] == 9:
                wire.send(got[1], 10)
        found["polite"] = wire.alive()

    threads = [threading.Thread(target=t) for t in (header, silent, polite)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert found["header"] < 19 and found["silent"] < 10 and found["pings"] >= 1 and found["polite"], found
    idle.kill()


def garbage():
    """catches: bytes that are no HTTP at all taking the server down"""
    for junk in (b"\0" * 5000, b"GET", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc" + os.urandom(500),
                 b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 5000 + b"\r\n", b"GET /" + b"a" * 20000 + b" HTTP/1.1\r\n\r\n",
                 b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 99999999999\r\n\r\nx",
                 b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" * 50):
        sock = server.raw()
        try:
            sock.sendall(junk)
            sock.settimeout(0.3)
            sock.recv(65536)
        except OSError:
            pass
        sock.close()
    for _ in range(20):
        wire = RawWebSocket(server)
        wire.socket.sendall(os.urandom(3000))
        wire.close()
    assert RawWebSocket(server).alive() and server.get("/healthz")[0] == 200


def bodies_behind_replies():
    """catches: a loop that re-reads for ever a body behind a request whose answer is done or waits to be written"""
    etag = server.get("/")[1]["etag"]
    firsts = ["HEAD / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
              "GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", "HEAD / HTTP/1.1\r\nHost: evil.example\r\n\r\n",
              f"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nIf-None-Match: {etag}\r\n\r\n", ""]
    bodies = ["Content-Length: 1\r\n\r\n", "Content-Length: 1\r\n\r\nx", "Content-Length: 70000\r\n\r\n" + "x" * 5000,
              "Content-Length: 0\r\nContent-Length: 5\r\n\r\nhello", "Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n",
              "Content-Length: -1\r\n\r\nx", "Content-Length: 0\r\n\r\n"]
    for first in firsts:
        for method in ("POST", "PUT", "DELETE", "OPTIONS", "GET", "HEAD", "PATCH"):
            for body in bodies:
                sock = server.raw()
                sock.sendall((first + f"{method} / HTTP/1.1\r\nHost: 127.0.0.1\r\n" + body).encode())
                status, _, _ = server.get("/healthz")  # get() gives up after 20 s
                assert status == 200, (first, method, body[:60])
                sock.close()
    for method, status in (("POST", b"405"), ("GET", b"400"), ("HEAD", b"400")):
        sock = server.raw()
        sock.sendall(f"{method} / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1\r\n\r\n".encode())
        answer = sock.recv(65536)
        assert answer.split(b" ")[1] == status and b"connection: close" in answer, answer
        sock.close()


run([handshakes, refusals_name_cause_and_cure, no_compression, bound_to_loopback_alone, bad_utf8, fragments_and_huge_frames, symbols, paths,
     page_and_headers, limits_per_address, descriptors_run_out, slow_reader, reader_that_never_reads, reader_that_reads, big_submits,
     late_reader, errors_have_names, slow_ones, garbage,
     bodies_behind_replies])
