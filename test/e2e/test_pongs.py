"""test_pongs - what keeps a connection alive: pings of both sides, silence, and the end of a silent one."""

import json
import os
import select
import signal
import socket
import struct
import threading
import time

from harness import RawWebSocket, Server, UnixServer, folder, run

server = Server(None, "--ping-seconds", "1", "--hangup-seconds", "3")
PONGS = int(os.environ.get("PONGS", "100000"))


def pongs():
    """catches: a pong with another payload than its ping's, as the server's own keepalive wrote over it"""
    wires, waits, poll = {}, {}, select.epoll()
    count = {"sent": 0, "got": 0, "theirs": 0}

    def ping(wire):
        count["sent"] += 1
        waits[wire] = struct.pack(">QI", count["sent"], count["sent"] % 97) + b"x" * (count["sent"] % 100)
        wire.send(waits[wire], 9)
        if count["sent"] % 10 == 0:
            wire.send(json.dumps({"type": "ping", "ref": "p"}).encode())

    for _ in range(200):
        wire = RawWebSocket(server)
        wires[wire.socket.fileno()] = wire
        poll.register(wire.socket, select.EPOLLIN)
        ping(wire)
    until = time.monotonic() + 400
    while count["got"] < PONGS:
        assert time.monotonic() < until, count
        for fd, _ in poll.poll(10):
            wire = wires[fd]
            assert wire.fill(), ("closed", count)
            while len(wire.buffer) >= 2 and len(wire.buffer) >= 2 + needs(wire.buffer):
                opcode, payload = wire.frame()
                if opcode == 9:
                    count["theirs"] += 1
                    wire.send(payload, 10)
                assert opcode != 8, ("closed", payload, count)
                if opcode == 10:
                    assert payload == waits[wire], (payload, waits[wire], count)
                    count["got"] += 1
                    ping(wire)
    for wire in wires.values():
        wire.close()


def needs(buffer):
    """Bytes of a frame behind its first two; messages here have at most 65,535."""
    n = buffer[1] & 127
    if n < 126:
        return n
    return 2 + int.from_bytes(buffer[2:4], "big") if len(buffer) >= 4 else 1 << 30


def masked_ping(payload):
    return bytes([0x89, 0x80 | len(payload)]) + b"\0\0\0\0" + payload


def pings_together():
    """catches: pings that arrive in one piece after which a ping stays without its pong, or one with another payload.
    RFC 6455 5.5.3 allows one pong for the newest; libwebsockets has one for the oldest (PROTOCOL.md says so)"""
    wire = RawWebSocket(server)
    for n in (1, 2, 3, 7, 50):
        sent = [b"ping %d of %d" % (i + 1, n) for i in range(n)]
        wire.socket.sendall(b"".join(map(masked_ping, sent)))
        assert wire.pong() == sent[0]
        assert wire.alive()  # all of them were read
        wire.send(b"after %d" % n, 9)
        assert wire.pong() == b"after %d" % n
    wire.close()


def lives(act, seconds=7):
    """Does a connection that acts once a half second, and answers no ping, stay?"""
    wire = RawWebSocket(server)
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        act(wire)
        time.sleep(0.5)
    stays = wire.alive()
    wire.close()
    return stays


def signs_of_life():
    """catches: a client that is hung up on though it sends: only a pong counted"""
    acts = {"text": lambda w: w.send(b'{"type":"ping"}'), "ping": lambda w: w.send(b"hi", 9), "pong": lambda w: w.send(b"", 10),
            "piece": None}
    found = {}

    def pieces():
        wire = RawWebSocket(server)
        for i in range(14):
            wire.send(b" ", 1 if i == 0 else 0, False)
            time.sleep(0.5)
        wire.send(b'{"type":"ping"}', 0, True)
        found["piece"] = wire.message("pong") is not None
        wire.close()
    threads = [threading.Thread(target=lambda n=n, a=a: found.__setitem__(n, lives(a))) for n, a in acts.items() if a]
    threads.append(threading.Thread(target=pieces))
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert all(found.get(name) for name in acts), found


def silence():
    """catches: a silent connection that stays, that is not pinged, or ends without a close frame"""
    wire = RawWebSocket(server)
    before, pings = time.monotonic(), 0
    while True:
        got = wire.frame()
        assert got, "no close frame"
        pings += got[0] == 9
        if got[0] == 8:
            break
    took = time.monotonic() - before
    assert got[1] == (4009).to_bytes(2, "big") + b"silent", got
    assert pings >= 1 and 2.5 < took < 30, (pings, took)
    wire.close()
    gone = RawWebSocket(server)  # one that cannot take the close frame ends too
    gone.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    gone.send(json.dumps({"type": "ping"}).encode())
    gone.close()
    assert RawWebSocket(server).alive()


def stopped():
    """catches: clients that are hung up on as silent because the server itself was stopped for a while"""
    own = Server(None, "--ping-seconds", "1", "--hangup-seconds", "4")
    wire = RawWebSocket(own)
    own.process.send_signal(signal.SIGSTOP)
    time.sleep(6)
    own.process.send_signal(signal.SIGCONT)
    while True:
        got = wire.frame()
        assert got and got[0] != 8, got
        if got[0] == 9:
            break
    wire.send(got[1], 10)
    assert wire.alive()
    wire.close()
    own.kill()


def on_a_unix_socket():
    """catches: a connection of which the kernel tells nothing: never pinged, so that the proxy closes it, or never
    hung up on, or hung up on although it answers; pings that come less often than they should"""
    local = UnixServer(folder(), "--ping-seconds", "1", "--hangup-seconds", "30")
    polite, pings = RawWebSocket(local), []
    while len(pings) < 4:
        opcode, payload = polite.frame()
        if opcode == 9:
            pings.append(time.monotonic())
            polite.send(payload, 10)
    assert pings[-1] - pings[0] < 25, "they came after the half minute in which it would be hung up on"
    local.stop()
    local = UnixServer(folder(), "--ping-seconds", "1", "--hangup-seconds", "3")
    polite, mute = RawWebSocket(local), RawWebSocket(local)
    codes = []
    reader = threading.Thread(target=lambda: codes.append(mute.close_code()))
    reader.start()
    for _ in range(6):
        opcode, payload = polite.frame()
        while opcode != 9:
            opcode, payload = polite.frame()
        polite.send(payload, 10)
    reader.join(20)
    assert codes == [4009] and polite.alive(), codes
    local.stop()


run([pings_together, pongs, signs_of_life, silence, stopped, on_a_unix_socket])
