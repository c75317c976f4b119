"""test_frames - RFC 6455 from a client's bytes: framing, control frames, fragments, UTF-8, closing.

The cases are those of Autobahn's groups 1 to 7, 9 and 10. The server is no echo, but a `quote` gives its
prompt back, so what was sent is compared with what came. Known deviations of libwebsockets 4.1.6, not tested:
of several pings that arrive together only one is answered, frames without a mask are accepted."""

import json
import os
import random
import struct

from harness import RawWebSocket, Server, run

server = Server()
random.seed(6455)


def frame(payload=b"", opcode=1, last=True, rsv=0):
    """A masked frame as bytes, in the shortest form of its length."""
    mask, n = os.urandom(4), len(payload)
    head = bytes([(0x80 if last else 0) | rsv << 4 | opcode])
    head += (bytes([0x80 | n]) if n < 126 else
             b"\xfe" + struct.pack(">H", n) if n < 65536 else b"\xff" + struct.pack(">Q", n))
    return head + mask + bytes(b ^ mask[i & 3] for i, b in enumerate(payload))


def quote(prompt, length=0):
    """A message whose answer carries the prompt, padded with blanks to a length."""
    spec = {"prompt": prompt, "width": 64, "height": 64}
    text = json.dumps({"type": "quote", "spec": spec}, ensure_ascii=False).encode()
    return text + b" " * (length - len(text))


def pieces(message, sizes, opcode=1, between=b""):
    """A message cut into frames, with other frames between them."""
    at, out = 0, []
    for n in [*sizes, len(message)]:
        out.append(message[at:at + n])
        at += n
        if at >= len(message):
            break
    return between.join(frame(p, opcode if i == 0 else 0, i + 1 == len(out)) for i, p in enumerate(out))


class Talk(RawWebSocket):
    def __init__(self):
        super().__init__(server)
        assert self.status == 101, self.head

    def put(self, data, step=None):
        """Send bytes, at once or `step` at a time."""
        for i in range(0, len(data), step or len(data)):
            self.socket.sendall(data[i:i + (step or len(data))])

    def echo(self, prompt):
        answer = self.message("quote")
        assert answer and answer["spec"]["prompt"] == prompt, answer

    def pong(self, payload):
        while True:
            got = self.frame()
            assert got and got[0] != 8, got
            if got[0] == 10:
                assert got[1] == payload, got
                return


def talks(*cases):
    """Each case on one connection, which must be as good as new afterwards."""
    talk = Talk()
    for data, step, prompt in cases:
        talk.put(data, step)
        talk.echo(prompt)
    assert talk.alive()
    talk.close()


def fails(data, codes, name):
    """The connection ends, with one of these close codes or without a close frame; other connections live on."""
    talk = Talk()
    try:
        talk.put(data)
        code = talk.close_code()
    except OSError:
        code = None
    assert code is None or code in codes, (name, code)
    talk.close()


def lengths():
    """catches: a length field read wrongly, a mask applied wrongly, bytes lost where reads end"""
    texts = ["x", "x" * 100, "\u00e9\u7ea2\U0001f600" * 50]
    cases = []
    for length in (0, 125, 126, 127, 128, 4095, 4096, 4097, 65535, 65536):
        for prompt in texts:
            message = quote(prompt, length)
            cases.append((frame(message), random.choice((None, 1000, 4096)), prompt))
    message = quote("y" * 300)
    cases += [(frame(message), 1, "y" * 300), (frame(message) + frame(quote("z")), None, "y" * 300)]
    talks(*cases)


def pings():
    """catches: a ping without its payload, a pong that counts as a message, a control frame too long"""
    talk = Talk()
    for payload in (b"", b"hello", bytes(range(125)), b"\xfe\xff" * 60):
        talk.put(frame(payload, 9), 1 if len(payload) < 10 else None)
        talk.pong(payload)
    talk.put(frame(b"nobody asked", 10) * 3 + frame(quote("a")))
    talk.echo("a")
    talk.put(b"".join(frame(b"%d" % i, 9) for i in range(10)))
    assert talk.frame()[0] == 10
    assert talk.alive()
    talk.close()
    fails(frame(b"x" * 126, 9), (1002,), "long ping")
    fails(frame(b"x" * 126, 10), (1002,), "long pong")


def reserved():
    """catches: extensions that were not agreed on, opcodes that do not exist"""
    for rsv in range(1, 8):
        for opcode in (1, 2, 9):
            payload = quote("x") if opcode == 1 else b"x"
            fails(frame(payload, opcode, rsv=rsv), (1002,), (rsv, opcode))
    for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15):
        for payload in (b"", b"x"):
            fails(frame(payload, opcode), (1002,), opcode)


def fragments():
    """catches: a message taken before its end, a control frame that joins it, a broken order that is mended"""
    text, prompt = quote("red \u7ea2 circle"), "red \u7ea2 circle"
    ping = frame(b"in between", 9)
    cases = [(pieces(text, [1] * len(text)), None, prompt), (pieces(text, [1] * len(text)), 1, prompt),
             (pieces(text, [0, 0, 5, 0]), None, prompt), (pieces(text, [3, 7], between=ping), None, prompt),
             (pieces(text, [3, 7], between=frame(b"", 10)), None, prompt)]
    big = "w" * 16000
    for size in (64, 256, 1024, 4096, 16384):
        cases.append((pieces(quote(big, 65536), [size] * 1024), None, big))
    cases.append((pieces(quote(big, 65536), [1300] * 60), None, big))
    talks(*cases)
    fails(frame(b"x", 9, last=False), (1002,), "a ping in pieces")
    fails(frame(b"x", 10, last=False), (1002,), "a pong in pieces")
    fails(frame(b"", 8, last=False), (1002,), "a close in pieces")
    fails(frame(text, 0), (1002,), "goes on with nothing")
    fails(frame(text, 0, last=False), (1002,), "goes on with nothing, unfinished")
    fails(frame(b"{", 1, last=False) + frame(text, 1), (1002,), "begins inside a message")
    fails(frame(text) + frame(b"x", 0), (1002,), "goes on after the end")


def characters():
    """catches: a character lost at a cut, bytes that are no text taken for text"""
    prompt = ("\u03ba\u1f79\u03c3\u03bc\u03b5 \u7ea2\u8272 \U0001f468\u200d\U0001f3a8 "
              "\ufffd \uffff \U0010ffff \u0001\u007f")
    text = json.dumps({"type": "quote", "spec": {"prompt": prompt, "width": 64, "height": 64}}).encode()
    raw = quote(prompt)
    talks((pieces(raw, [1] * len(raw)), None, prompt), (frame(text), None, prompt),
          *((pieces(raw, [n]), None, prompt) for n in range(40, 75)))
    for bad in (b"\xce\xba\xff", b"\xf8\x88\x80\x80\x80", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80",
                b"\x80", b"\xe7\xba", b"\xf0\x9f\x98"):
        fails(frame(b'{"type":"ping","ref":"' + bad + b'"}'), (1007,), bad)
        fails(frame(bad), (1007,), bad)
        fails(pieces(b'{"type":"ping","ref":"' + bad + b'"}', [23, 1, 1]), (1007,), bad)


def closing():
    """catches: a close that is not answered, a code that no endpoint may send, words after the last word"""
    for code in (None, 1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999):
        for reason in (b"", b"bye \xe7\xba\xa2", b"r" * 123):
            if code is None and reason:
                continue
            talk = Talk()
            talk.put(frame(b"" if code is None else struct.pack(">H", code) + reason, 8))
            assert talk.close_code() in (code or None, None, 0, 1000), code
            assert talk.frame() is None, "nothing follows a close"
            talk.close()
    for code in (0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999):
        fails(frame(struct.pack(">H", code), 8), (1002,), code)
    fails(frame(b"\x03", 8), (1002,), "half a code")
    fails(frame(struct.pack(">H", 1000) + b"x" * 124, 8), (1002,), "a long close")
    fails(frame(struct.pack(">H", 1000) + b"\xff\xfe", 8), (1002, 1007), "a reason that is no text")
    talk = Talk()
    talk.put(frame(struct.pack(">H", 1000), 8) + frame(quote("late")) + frame(b"late", 9))
    while True:
        got = talk.frame()
        assert got is None or got[0] == 8 or b"late" not in got[1], got
        if got is None:
            break
    talk.close()


run([lengths, pings, reserved, fragments, characters, closing])
