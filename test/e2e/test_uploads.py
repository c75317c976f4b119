"""test_uploads - pictures of clients, over HTTP and as parts of a WebSocket: what becomes of them, whose they are, and what
is left of them after a kill.

The model is that of test/golden/edit, which reads pictures and draws nothing that could be recognised."""

import asyncio
import glob
import hashlib
import io
import json
import os
import signal
import sqlite3
import struct

os.environ["DARKROOM_TEST_MODEL"] = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "golden", "edit",
                                                 "model")

import urllib.error  # noqa: E402
import urllib.request  # noqa: E402

from PIL import Image  # noqa: E402

from harness import LONG, ROOT, Server, folder, run, words_alone  # noqa: E402
from users import add, bearer, sign_in  # noqa: E402

QUICK = {"prompt": "a red circle", "width": 64, "height": 64, "steps": 2, "seed": 7}
SLOW = {**QUICK, "width": 192, "height": 192, "steps": 200}


def picture(width=96, height=64, mode="RGB", kind="PNG", seed=0, **more):
    """A file of some pixels."""
    n = len(Image.new(mode, (1, 1)).getbands())
    pixels = hashlib.shake_128(bytes([seed])).digest(width * height * n)
    out = io.BytesIO()
    Image.frombytes(mode, (width, height), pixels).save(out, kind, **more)
    return out.getvalue()


def post(server, body, kind="image/png", path="/v1/images", **headers):
    request = urllib.request.Request(server.url + path, data=body, headers={"Content-Type": kind, **headers})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as answer:
        return answer.code, json.loads(answer.read())


def form(*parts):
    """multipart/form-data of (name, filename or None, bytes)"""
    body = b""
    for name, filename, value in parts:
        file = f'; filename="{filename}"' if filename else ""
        body += f'--xx\r\nContent-Disposition: form-data; name="{name}"{file}\r\n\r\n'.encode() + value + b"\r\n"
    return body + b"--xx--\r\n"


FORM = "multipart/form-data; boundary=xx"


def part(upload, data, at, n):
    return b"DRKM\1\2\0\0" + bytes.fromhex(upload)[::-1] + struct.pack("<QII", at, 0, len(data[at:at + n])) + data[at:at + n]


async def send(c, data, size=1000, **more):
    """Upload over this WebSocket: the answer to `commit`."""
    begun = await c.ask(type="upload", bytes=len(data), **more)
    assert begun["type"] == "upload" and begun["received"] == 0, begun
    for at in range(0, len(data), size):
        await c.ws.send(part(begun["upload"], data, at, size))
    return await c.ask(type="commit", upload=begun["upload"])


def same(png, file):
    return Image.open(io.BytesIO(png)).tobytes() == Image.open(io.BytesIO(file)).convert("RGB").tobytes()


async def over_http():
    """catches: other pixels than were sent, a digest that is not that of the file, words that do not say what was changed"""
    server = Server()
    data = picture()
    status, sent = post(server, data)
    assert status == 201 and sent["type"] == "image" and (sent["width"], sent["height"]) == (96, 64), sent
    assert sent["changed"] == [] and "used" not in sent, sent
    status, headers, png = server.get("/v1/images/" + sent["digest"])
    assert status == 200 and hashlib.blake2b(png, digest_size=32).hexdigest() == sent["digest"]
    assert same(png, data) and len(png) == sent["bytes"] and headers["Content-Type"] == "image/png"
    assert server.get("/v1/images/" + sent["digest"], "HEAD")[0] == 200
    assert server.get("/v1/images/" + sent["digest"], headers={"If-None-Match": headers["ETag"]})[0] == 304
    assert post(server, form(("image", "a.png", data)), FORM)[1]["digest"] == sent["digest"], "the same picture"
    assert post(server, form(("note", None, b"x"), ("file", "a.png", data)), FORM)[1]["digest"] == sent["digest"]
    assert post(server, data, "application/octet-stream")[1]["digest"] == sent["digest"]
    status, other = post(server, picture(100, 80, "RGBA"))
    assert other["changed"] == ["alpha_on_white"] and other["used"] == {"width": 96, "height": 64}, other
    turned = picture(80, 40, kind="JPEG", exif=Image.Exif())
    exif = Image.Exif()
    exif[0x112] = 6
    turned = post(server, picture(80, 48, kind="JPEG", exif=exif))[1]
    assert turned["changed"] == ["oriented"] and (turned["width"], turned["height"]) == (48, 80), turned
    assert post(server, picture(kind="WEBP", lossless=True))[1]["digest"] == sent["digest"]
    listed = json.loads(server.get("/v1/images")[2])
    assert listed["type"] == "uploads" and sent["digest"] in [i["digest"] for i in listed["images"]], listed
    assert listed["images"][0]["digest"] == sent["digest"] and len(listed["images"]) == 3, "the newest first, each once"
    async with server.connect() as c:
        accepted = await c.submit({**QUICK, "images": [other["digest"]]})
        assert accepted["images"][0]["used"] == {"width": 96, "height": 64}, accepted
        assert (await c.end_of(accepted["job"]))[-1]["state"] == "done"


async def what_is_refused():
    """catches: a file that is no picture, a form without one, a body that is too long, another site's form"""
    server = Server()
    for body, kind, status, code in (
            (b"", "image/png", 422, "bad_image"), (b"GIF89a" + 100 * b"x", "image/gif", 422, "bad_image"),
            (picture()[:-40], "image/png", 422, "bad_image"), (picture(), "text/plain", 415, "bad_request"),
            (picture(), "application/json", 415, "bad_request"), (form(("a", None, b"1")), FORM, 400, "bad_request"),
            (form(("a", "1", picture()), ("b", "2", picture())), FORM, 400, "bad_request"),
            (form(("a", "1", picture()))[:-20], FORM, 400, "bad_request"),
            (b"\x89PNG\r\n\x1a\n" + bytes((32 << 20) + 70000), "image/png", 413, "too_large")):
        try:
            got = post(server, body, kind)
        except (urllib.error.URLError, ConnectionError) as broken:  # refused before all was sent
            assert status == 413, broken
            continue
        assert got[0] == status and got[1]["code"] == code and got[1]["hint"], (kind, got)
    assert post(server, picture(), Origin="http://elsewhere.example")[0] == 403
    assert server.get("/v1/images/" + 64 * "0")[0] == 404
    assert server.get("/v1/images/" + 64 * "0", "DELETE")[0] == 404
    async with server.connect() as c:
        for message, code in (({"type": "upload", "bytes": (32 << 20) + 1}, "too_large"),
                              ({"type": "upload", "upload": 16 * "f"}, "not_found"),
                              ({"type": "commit", "upload": 16 * "f"}, "not_found"),
                              ({"type": "discard", "upload": 16 * "f"}, "not_found"),
                              ({"type": "discard", "image": 64 * "f"}, "not_found")):
            answer = await c.ask(**message)
            assert answer["code"] == code, (message, answer)
        assert (await send(c, b"no picture at all"))["code"] == "bad_image"
        for junk in (b"", b"DRKM", part(16 * "f", b"abc", 0, 3), b"DRKM\1\1" + bytes(40), part(16 * "f", b"abc", 0, 3) + b"x"):
            await c.ws.send(junk)
            answer = (await c.until(lambda m: m["type"] == "error"))[-1]
            assert answer["code"] in ("bad_request", "not_found"), answer
        begun = [await c.ask(type="upload", bytes=1000) for _ in range(9)]
        assert [b["type"] for b in begun] == 8 * ["upload"] + ["error"] and begun[8]["code"] == "rate_limited", begun[8]
        assert (await c.ask(type="discard", upload=begun[0]["upload"]))["type"] == "ok"
        assert (await c.ask(type="upload", bytes=1000))["type"] == "upload", "one was given up"


async def begin_large(c):
    """As many as this connection may begin: how many"""
    for n in range(9):
        begun = await c.ask(type="upload", bytes=32 << 20)
        if begun["type"] == "error":
            assert begun["code"] == "rate_limited" and begun["retry_after_ms"] > 0, begun
            return n
    return 9


async def shared_among_strangers():
    """catches: one client that takes all the room for uploads, over a WebSocket or as bodies that do not come; a machine
    behind the proxy that has a share for each of its connections"""
    server = Server(None, "--trust-proxy")
    ada, ben = ({"extra_headers": {"X-Forwarded-For": a}} for a in ("203.0.113.7", "203.0.113.8"))
    async with server.connect(**ada) as one, server.connect(**ada) as two, server.connect(**ben) as other, \
            server.connect() as near:
        assert await begin_large(one) == 4 and await begin_large(two) == 0
        assert await begin_large(other) == 2
        assert await begin_large(near) == 1
        assert post(server, picture())[0] == 201
        assert post(server, picture(), **{"X-Forwarded-For": "203.0.113.9"})[0] == 201
        assert post(server, picture(), **{"X-Forwarded-For": "203.0.113.7"})[0] == 429, "it has its share"
    lines = []
    for _ in range(8):
        lines.append(server.raw())
        lines[-1].sendall(f"POST /v1/images/edits HTTP/1.1\r\nHost: {server.host}:{server.port}\r\n".encode()
                          + b"Content-Type: application/json\r\nContent-Length: 67000000\r\n\r\n{")
    refused = server.raw()
    refused.sendall(f"POST /v1/images/edits HTTP/1.1\r\nHost: {server.host}:{server.port}\r\n".encode()
                    + b"Content-Type: application/json\r\nContent-Length: 67000000\r\n\r\n{")
    assert refused.recv(100).startswith(b"HTTP/1.1 503")
    assert post(server, picture(64, 64, seed=30))[0] == 201, "a smaller one has room"


async def in_parts():
    """catches: parts in the wrong order that are taken, an upload that is lost with its connection"""
    server = Server()
    data = picture(200, 160, seed=3)
    async with server.connect() as c:
        await c.submit(SLOW)
        sent = await send(c, data, 1 << 14)
        assert sent["type"] == "image" and same(server.get("/v1/images/" + sent["digest"])[2], data), sent
        begun = await c.ask(type="upload", bytes=len(data))
        await c.ws.send(part(begun["upload"], data, 0, 5000))
        await c.ws.send(part(begun["upload"], data, 6000, 5000))
        answer = (await c.until(lambda m: m["type"] == "error"))[-1]
        assert answer["code"] == "conflict" and answer["field"] == "upload", answer
        await c.ws.send(part(begun["upload"], data, 5000, 1000))  # dropped: it would go on, but was not asked for
        answer = await c.ask(type="commit", upload=begun["upload"])
        assert answer["code"] == "conflict", answer
    async with server.connect() as c:
        again = await c.ask(type="upload", upload=begun["upload"])
        assert again["received"] == 5000, again
        for at in range(5000, len(data), 1 << 14):
            await c.ws.send(part(begun["upload"], data, at, 1 << 14))
        both = await asyncio.gather(c.ask(type="commit", upload=begun["upload"]))
        assert both[0]["digest"] == sent["digest"], both
        assert (await c.ask(type="commit", upload=begun["upload"]))["code"] == "not_found", "it is over"
        accepted = await c.submit({**QUICK, "images": [sent["digest"]]})
        assert (await c.ask(type="discard", image=sent["digest"]))["type"] in ("ok", "error")
        await c.ask(type="cancel", all=True)
        await c.end_of(accepted["job"])


async def others_are_not_found():
    """catches: an upload that another user sees, goes on with, removes or draws from; one digest that two users have and one
    removes"""
    data = folder()
    tokens = {n: add(data, n, *r) for n, r in (("ada", ()), ("bob", ()), ("root", ("--role", "admin")),
                                               ("eve", ("--role", "viewer")))}
    server = Server(data)
    mine = post(server, picture(), **bearer(tokens["ada"]))[1]
    assert post(server, picture())[0] == 401 and post(server, picture(), **bearer(tokens["eve"]))[0] == 403
    async with server.connect(**sign_in(tokens["ada"])) as ada, server.connect(**sign_in(tokens["bob"])) as bob, \
            server.connect(**sign_in(tokens["root"])) as root:
        begun = await ada.ask(type="upload", bytes=100)
        for name, c in (("bob", bob), ("root", root)):
            proof = bearer(tokens[name])
            assert server.get("/v1/images/" + mine["digest"], headers=proof)[0] == 404
            assert server.get("/i/" + mine["digest"] + ".png", headers=proof)[0] == 404
            assert server.get("/v1/images/" + mine["digest"], "DELETE", proof)[0] == 404
            assert (await c.ask(type="uploads"))["images"] == []
            assert (await c.ask(type="submit", spec={**QUICK, "images": [mine["digest"]]}))["code"] == "not_found"
            for message in ({"type": "upload", "upload": begun["upload"]}, {"type": "commit", "upload": begun["upload"]},
                            {"type": "discard", "upload": begun["upload"]}):
                assert (await c.ask(**message))["code"] == "not_found"
            await c.ws.send(part(begun["upload"], bytes(100), 0, 100))
            assert (await c.until(lambda m: m["type"] == "error"))[-1]["code"] == "not_found"
        assert (await ada.ask(type="upload", upload=begun["upload"]))["received"] == 0
        assert post(server, picture(), **bearer(tokens["bob"]))[1]["digest"] == mine["digest"], "each has it"
        assert len(glob.glob(os.path.join(data, "images", "*"))) == 1, "one file"
        assert (await bob.ask(type="discard", image=mine["digest"]))["type"] == "ok"
        await draw(bob, QUICK)  # behind what the disk was told before
        assert (await bob.ask(type="uploads"))["images"] == []
        assert server.get("/v1/images/" + mine["digest"], headers=bearer(tokens["ada"]))[0] == 200
        slow = await ada.submit({**SLOW, "images": [mine["digest"]]})
        answer = await ada.ask(type="discard", image=mine["digest"])
        assert answer["code"] == "conflict" and answer["field"] == "image", answer
        await ada.ask(type="cancel", job=slow["job"])
        await ada.end_of(slow["job"])
        assert (await ada.ask(type="discard", image=mine["digest"]))["type"] == "ok"
        await draw(ada, QUICK)
        assert glob.glob(os.path.join(data, "images", "*")) == [], "nobody has it"


async def draw(c, spec, **more):
    accepted = await c.submit(spec, **more)
    seen = await c.end_of(accepted["job"], 110)
    assert seen[-1]["state"] == "done", seen
    return [m for m in seen if isinstance(m, dict) and m["type"] == "result"][0]


async def words_for_private():
    """catches: a picture that was to be private and is kept, as the word was another one or stood elsewhere too"""
    server = Server()
    file = picture(seed=11)
    field = lambda *words: form(*(("private", None, w) for w in words), ("image", "a.png", file))
    for query, words, private in (
            ("?private=True", (), True), ("?private=1", (), True), ("", (b"True",), True), ("", (b"1",), True), ("", (b"yes",), True),
            ("?private=false", (), None), ("", (b"false",), None), ("?private=tru", (), "private"), ("?private=", (), "private"),
            ("?private", (), "private"), ("", (b"tru",), "private"), ("", (b"",), "private"), ("", (b"true", b"false"), "private"),
            ("?private=true", (b"false",), "private"), ("?private=true&private=false", (), "private"), ("?prviate=true", (), "prviate")):
        status, answer = post(server, field(*words), FORM, "/v1/images" + query)
        if isinstance(private, str):
            assert (status, answer["code"], answer["field"]) == (422, "bad_field", private), (query, words, status, answer)
        else:
            assert status == 201 and answer.get("private") is private, (query, words, status, answer)
            assert server.get("/v1/images/" + answer["digest"], "DELETE")[0] == 200
    assert json.loads(server.get("/v1/images")[2])["images"] == []


async def private_ones():
    """catches: a private upload on disk, or one that a job draws from that is not private"""
    data = folder()
    server = Server(data)
    file = picture(seed=9)
    sent = post(server, file, path="/v1/images?private=true")[1]
    assert sent["private"] is True, sent
    async with server.connect() as c:
        by_parts = await send(c, picture(seed=10), private=True)
        assert by_parts["private"] is True, by_parts
        listed = (await c.ask(type="uploads"))["images"]
        assert [i["private"] for i in listed] == [True, True], listed
        answer = await c.ask(type="submit", spec={**QUICK, "images": [sent["digest"]]})
        assert answer["code"] == "bad_field" and "private" in answer["message"], answer
        result = await draw(c, {**QUICK, "images": [sent["digest"], by_parts["digest"]]}, private=True)
        assert server.get(result["url"])[0] == 200
        assert same(server.get("/v1/images/" + sent["digest"])[2], file), "its owner gets it"
        for where, _, names in os.walk(data):
            for name in names:
                with open(os.path.join(where, name), "rb") as f:
                    assert sent["digest"].encode() not in f.read() + name.encode(), name
        assert os.listdir(os.path.join(data, "images")) == []
        assert (await c.ask(type="discard", image=sent["digest"]))["type"] == "ok"
        assert server.get("/v1/images/" + sent["digest"])[0] == 404
    assert sent["digest"] not in server.log


async def kills():
    """catches: half a file that is left by a kill while uploading, an upload that was answered and is gone, a job that does
    not go on to the same bytes after a kill while it encodes its pictures"""
    data = folder()
    server = Server(data, "--concurrency", "1")
    file = picture(256, 224, seed=5)
    kept = post(server, file)[1]
    async with server.connect() as c:
        want = (await draw(c, {**SLOW, "images": 4 * [kept["digest"]]}))["digest"]
        begun = await c.ask(type="upload", bytes=len(file))
        await c.ws.send(part(begun["upload"], file, 0, 1 << 16))
        await c.ask(type="ping")
        job = await c.submit({**SLOW, "images": 4 * [kept["digest"]]})
        await c.until(lambda m: m["type"] in ("phase", "progress") and m["job"] == job["job"]
                      and m["phase"] in ("vision", "encode"))
    server.process.send_signal(signal.SIGKILL)
    server.kill()
    server = Server(data, "--concurrency", "1")
    assert len(glob.glob(os.path.join(data, "images", "*"))) == 1
    async with server.connect() as c:
        assert (await c.ask(type="upload", upload=begun["upload"]))["code"] == "not_found"
        assert [i["digest"] for i in (await c.ask(type="uploads"))["images"]] == [kept["digest"]]
        await c.ask(type="watch", job=job["job"], seq=0)
        seen = await c.end_of(job["job"], 110)
        assert [m for m in seen if isinstance(m, dict) and m["type"] == "result"][0]["digest"] == want, "other bytes"
    for n in range(6):  # while the answer to an upload is on its way
        line = server.raw()
        more = picture(400, 400, seed=20 + n)
        line.sendall(b"POST /v1/images HTTP/1.1\r\nHost: " + f"{server.host}:{server.port}".encode()
                     + b"\r\nContent-Type: image/png\r\nContent-Length: %d\r\n\r\n" % len(more) + more)
        answer = line.recv(4096) if n % 2 else b""
        server.process.send_signal(signal.SIGKILL)
        server.kill()
        line.close()
        server = Server(data)
        files = {os.path.basename(p)[:64] for p in glob.glob(os.path.join(data, "images", "*"))}
        rows = {i["digest"] for i in json.loads(server.get("/v1/images")[2])["images"]}
        assert files == rows, "a file without a row, or a row without a file"
        assert not answer or json.loads(answer.split(b"\r\n\r\n", 1)[1])["digest"] in rows, "it was answered"


async def removed_before_the_answer():
    """catches: an upload that is there again after a kill, though its user was told that it is gone"""
    data = folder()
    server = Server(data)
    for n in range(4):
        digest = post(server, picture(seed=40 + n))[1]["digest"]
        if n % 2:
            status, _, answer = server.get("/v1/images/" + digest, "DELETE")
            assert status == 200 and json.loads(answer)["type"] == "ok", answer
        else:
            async with server.connect() as c:
                assert (await c.ask(type="discard", image=digest))["type"] == "ok"
        server.process.send_signal(signal.SIGKILL)
        server.kill()
        server = Server(data)
        assert json.loads(server.get("/v1/images")[2])["images"] == [], n
        assert os.listdir(os.path.join(data, "images")) == [], n
    status, _, answer = server.get("/v1/images/" + digest, "DELETE")
    assert status == 404 and json.loads(answer)["code"] == "not_found", answer


async def removed_in_time():
    """catches: an upload that stays for ever, or goes while a job has it"""
    data = folder()
    server = Server(data, "--upload-hours", "1")
    old, used = post(server, picture(seed=1))[1], post(server, picture(seed=2))[1]
    async with server.connect() as c:
        await draw(c, {**QUICK, "images": [used["digest"]]})
    server.stop()
    with sqlite3.connect(os.path.join(data, "darkroom.db"), timeout=30) as db:
        db.execute("UPDATE images SET used_ms = used_ms - 3700000")
    server = Server(data, "--upload-hours", "1")  # looks at its start
    async with server.connect() as c:
        for n in range(100):
            left = {i["digest"] for i in (await c.ask(type="uploads"))["images"]}
            if old["digest"] not in left:
                break
            await draw(c, {**QUICK, "seed": n})
        assert left == {used["digest"]}, left
        assert len(glob.glob(os.path.join(data, "images", "*"))) == 1


async def a_bound():
    """catches: uploads that fill more of the disk than their user may, or push all of its pictures out"""
    data = folder()
    token = add(data, "ada", "--disk", "60000")
    server = Server(data, "--grace-minutes", "0")
    first = post(server, picture(110, 110, seed=1), **bearer(token))
    assert first[0] == 201, first
    again = post(server, picture(110, 110, seed=2), **bearer(token))
    assert again[0] == 413 and again[1]["code"] == "too_large" and again[1]["field"] == "image", again
    async with server.connect(**sign_in(token)) as c:
        assert (await c.ask(type="discard", image=first[1]["digest"]))["type"] == "ok"
        await draw(c, QUICK)  # behind what the disk was told before
    assert post(server, picture(110, 110, seed=2), **bearer(token))[0] == 201


async def a_model_that_reads_none():
    """catches: an upload that nothing could be drawn from"""
    server = Server(None, "--model", words_alone(os.path.join(ROOT, "weights", "tiny")))
    status, answer = post(server, picture())
    assert status == 400 and answer["code"] == "bad_request" and "words" in answer["message"], answer
    async with server.connect() as c:
        assert c.hello["capabilities"] == ["text_to_image"] and "vision" not in c.hello["phases"], c.hello
        assert "images" not in [f["name"] for f in c.hello["fields"]]
        answer = await c.ask(type="submit", spec={**LONG, "images": [64 * "0"]})
        assert answer["code"] == "bad_field" and answer["field"] == "images" and "words" in answer["message"], answer


if __name__ == "__main__":
    run([over_http, what_is_refused, shared_among_strangers, in_parts, others_are_not_found, words_for_private, private_ones, kills,
         removed_before_the_answer, removed_in_time,
         a_bound, a_model_that_reads_none])
