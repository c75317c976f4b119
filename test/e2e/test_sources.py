"""test_sources - pictures that begin with others (`images`): results and uploads of one's own, by digest or job. Their
bytes are those of `darkroom generate --image`, also after a kill, and when what they came from was removed.

The model is that of test/golden/edit, which reads pictures and draws nothing that could be recognised."""

import json
import os
import re
import signal
import subprocess
import urllib.request

os.environ["DARKROOM_TEST_MODEL"] = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "golden", "edit",
                                                 "model")

from harness import BIN, Server, folder, generate, run  # noqa: E402 (it reads DARKROOM_TEST_MODEL)
from users import add, sign_in  # noqa: E402

QUICK = {"prompt": "a red circle", "width": 64, "height": 64, "steps": 2, "seed": 7}
# of many tokens: in four of them the order of two pictures may show nowhere, which differs between f32 and bf16
LARGE = {**QUICK, "width": 128, "height": 128}
SLOW = {**QUICK, "width": 192, "height": 192, "steps": 200}


def by_type(messages, kind):
    return [m for m in messages if isinstance(m, dict) and m["type"] == kind]


async def draw(c, spec, **more):
    """`accepted`, `result` and all messages of a picture."""
    accepted = await c.submit(spec, **more)
    seen = await c.end_of(accepted["job"], 110)
    assert by_type(seen, "end")[0]["state"] == "done", seen
    return accepted, by_type(seen, "result")[0], seen


def saved(server, result, **options):
    path = os.path.join(folder(), "picture.png")
    status, _, png = server.get(result["url"], **options)
    assert status == 200
    with open(path, "wb") as f:
        f.write(png)
    return path


def post(server, path, to):
    """An upload: `image`."""
    with open(path, "rb") as f:
        request = urllib.request.Request(server.url + to, data=f.read(), headers={"Content-Type": "image/png"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.loads(answer.read())


def generated(spec, *images):
    """The bytes of `darkroom generate`."""
    path = os.path.join(folder(), "out.png")
    flags = [x for i in images for x in ("--image", i)]
    status, output = generate(spec["prompt"], "-W", str(spec["width"]), "-H", str(spec["height"]), "-s",
                              str(spec["steps"]), "-S", str(spec["seed"]), "-o", path, *flags)
    assert status == 0, output
    with open(path, "rb") as f:
        return f.read()


def pixels(png):
    """The compressed pixels, as texts differ."""
    return b"".join(re.findall(rb"IDAT(.*?)IEND", png, re.S))


async def the_bytes_of_generate():
    """catches: a picture that is made from others than were named, or in another order; phases and sizes that clients
    are not told"""
    server = Server()
    async with server.connect() as c:
        assert "image_to_image" in c.hello["capabilities"], c.hello["capabilities"]
        assert c.hello["phases"] == ["glyph", "vision", "encode", "prior", "denoise", "decode"]
        assert [f for f in c.hello["fields"] if f["name"] == "images"][0]["max"] == 4
        a = (await draw(c, QUICK))[:2]
        b = (await draw(c, {**QUICK, "seed": 8, "width": 96}))[:2]
        files = [saved(server, r) for _, r in (a, b)]
        accepted, result, seen = await draw(c, {**LARGE, "images": [a[1]["digest"], b[0]["job"]]})
        assert accepted["spec"]["images"] == [a[1]["digest"], b[1]["digest"]], accepted
        assert [(i["width"], i["height"]) for i in accepted["images"]] == [(64, 64), (96, 64)], accepted
        phases = {m["phase"] for m in by_type(seen, "progress") + by_type(seen, "phase")}
        assert phases <= set(c.hello["phases"]), phases
        drawn = server.get(result["url"])[2]
        assert pixels(drawn) == pixels(generated(LARGE, *files))
        other = (await draw(c, {**LARGE, "images": [b[1]["digest"], a[1]["digest"]]}))[1]
        assert pixels(server.get(other["url"])[2]) == pixels(generated(LARGE, *reversed(files))) != pixels(drawn)
        again = await c.submit({**LARGE, "images": [a[0]["job"], b[0]["job"]]}, fresh=False)
        assert again["cached"] and again["job"] == accepted["job"], "the same picture, named otherwise"
        words = (await draw(c, QUICK))[1]
        assert words["digest"] == a[1]["digest"], "words alone"
        quote = await c.ask(type="quote", spec={**QUICK, "images": [a[0]["job"]]})
        assert quote["type"] == "quote" and quote["spec"]["images"] == [a[1]["digest"]], quote
        plain = await c.ask(type="quote", spec=QUICK)
        assert quote["bytes"] > plain["bytes"], (quote, plain)


async def what_is_refused():
    """catches: a picture that is not there, is not done, or is none"""
    server = Server()
    async with server.connect() as c:
        for images, code in ((["0" * 64], "not_found"), (["0" * 16], "bad_field"), (["f" * 16], "not_found"),
                             (["a"], "bad_field"), ("f" * 16, "bad_field"), (5 * ["f" * 64], "bad_field")):
            answer = await c.ask(type="submit", spec={**QUICK, "images": images})
            assert answer["code"] == code and answer["field"] == "images" and answer["hint"], (images, answer)
        slow = await c.submit(SLOW)
        answer = await c.ask(type="submit", spec={**QUICK, "images": [slow["job"]]})
        assert answer["code"] == "conflict" and answer["field"] == "images", answer
        sweep = await c.submit(QUICK, n=2)
        answer = await c.ask(type="submit", spec={**QUICK, "images": [sweep["job"]]})
        assert answer["code"] == "conflict" and answer["field"] == "images", answer
        assert (await c.submit({**QUICK, "images": []}))["spec"].get("images") is None, "none"
        await c.ask(type="cancel", all=True)


async def others_are_not_found():
    """catches: a picture of another user that a job begins with, for an administrator too; a private one in a job that is
    not"""
    data = folder()
    tokens = {n: add(data, n, *r) for n, r in (("ada", ()), ("bob", ()), ("root", ("--role", "admin")))}
    server = Server(data)
    async with server.connect(**sign_in(tokens["ada"])) as ada, server.connect(**sign_in(tokens["bob"])) as bob, \
            server.connect(**sign_in(tokens["root"])) as root:
        a, result, _ = await draw(ada, QUICK)
        for c in (bob, root):
            for name in (a["job"], result["digest"]):
                for kind in ("submit", "quote"):
                    answer = await c.ask(type=kind, spec={**QUICK, "images": [name]})
                    assert answer["code"] == "not_found", answer
        p, secret, _ = await draw(ada, {**QUICK, "seed": 9}, private=True)
        for name in (p["job"], secret["digest"]):
            answer = await ada.ask(type="submit", spec={**QUICK, "images": [name]})
            assert answer["code"] == "bad_field" and "private" in answer["message"], answer
            answer = await bob.ask(type="submit", spec={**QUICK, "images": [name]}, private=True)
            assert answer["code"] == "not_found", answer
            await draw(ada, {**QUICK, "images": [name]}, private=True)
        assert not os.path.exists(os.path.join(data, "images", secret["digest"] + ".png"))
        mixed = await draw(ada, {**QUICK, "images": [secret["digest"], a["job"]]}, private=True)
        assert mixed[0]["private"] is True


async def kept_until_drawn():
    """catches: a job that cannot be drawn, or is drawn otherwise, when what it began with was removed or the server was
    killed meanwhile"""
    data = folder()
    server = Server(data, "--concurrency", "1")
    async with server.connect() as c:
        a, source, _ = await draw(c, QUICK)
        path = saved(server, source)
        slow = await c.submit({**SLOW, "images": [a["job"]]})
        waits = await c.submit({**QUICK, "images": [a["job"]]})
        assert (await c.ask(type="delete", job=a["job"]))["type"] == "ok"
        await c.submit({**QUICK, "seed": 3}, hold=True)  # behind what the disk was told before
        assert server.get(source["url"])[0] == 404
        answer = await c.ask(type="submit", spec={**QUICK, "images": [a["job"]]})
        assert answer["code"] == "not_found", answer
        await c.until(lambda m: m["type"] == "progress" and m["job"] == slow["job"] and m["phase"] == "denoise", 110)
    server.process.send_signal(signal.SIGKILL)
    server.kill()
    server = Server(data, "--concurrency", "1")
    async with server.connect() as c:
        for job, spec in ((slow["job"], SLOW), (waits["job"], QUICK)):
            await c.ask(type="watch", job=job, seq=0)
            seen = await c.end_of(job, 200)
            assert by_type(seen, "end")[0]["state"] == "done", seen
            result = by_type(seen, "result")[0]
            assert pixels(server.get(result["url"])[2]) == pixels(generated(spec, path)), "other bytes"
        again = await c.submit({**QUICK, "seed": 8, "images": [source["digest"]]})
        assert again["type"] == "accepted", "it is kept as long as jobs that began with it"
        await c.end_of(again["job"])


async def private_jobs_keep_theirs():
    """catches: a private job whose picture is removed while it waits, one that is kept behind its end, an upload that is
    there in memory and on disk and goes from one of them alone"""
    data = folder()
    server = Server(data, "--concurrency", "1")
    async with server.connect() as c:
        a, source, _ = await draw(c, QUICK)
        b, other, _ = await draw(c, {**QUICK, "seed": 8})
        files = [saved(server, source), saved(server, other)]
        upload = post(server, files[1], "/v1/images")
        slow = await c.submit(SLOW)
        images = [source["digest"], upload["digest"]]
        waits = await c.submit({**QUICK, "images": images}, private=True)
        for job in (a, b):
            assert (await c.ask(type="delete", job=job["job"]))["type"] == "ok"
        answer = await c.ask(type="discard", image=upload["digest"])
        assert answer.get("code") == "conflict", answer
        await c.submit({**QUICK, "seed": 3}, hold=True)  # behind what the disk was told before
        assert server.get(source["url"])[0] == 404
        await c.ask(type="cancel", job=slow["job"])
        seen = await c.end_of(waits["job"], 110)
        assert by_type(seen, "end")[0]["state"] == "done", by_type(seen, "end")
        assert pixels(server.get(by_type(seen, "result")[0]["url"])[2]) == pixels(generated(QUICK, *files))
        assert (await c.ask(type="discard", image=upload["digest"]))["type"] == "ok"
        assert (await c.ask(type="discard", image=upload["digest"]))["code"] == "not_found"
        assert os.listdir(os.path.join(data, "images")) == []
        for path in ("/v1/images?private=true", "/v1/images"):
            twice = post(server, files[0], path)
        assert (await c.ask(type="discard", image=twice["digest"]))["type"] == "ok"
        assert (await c.ask(type="uploads"))["images"] == []
        assert os.listdir(os.path.join(data, "images")) == []


async def the_command():
    """catches: `darkroom client --image` that sends another picture, or none"""
    server = Server()
    async with server.connect() as c:
        path = saved(server, (await draw(c, QUICK))[1])
    out = os.path.join(folder(), "out.png")
    flags = ["-W", "64", "-H", "64", "-s", "2", "-S", "7", "--image", path, "--image", path, "-o", out]
    done = subprocess.run([BIN, "client", QUICK["prompt"], "--server", server.url, *flags], capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr
    with open(out, "rb") as f:
        assert pixels(f.read()) == pixels(generated(QUICK, path, path))
    done = subprocess.run([BIN, "client", "x", "--server", server.url, "--image", __file__], capture_output=True, timeout=60)
    assert done.returncode != 0 and b"PNG" in done.stderr, done.stderr


async def sweeps():
    """catches: cells that begin with other pictures than their own"""
    server = Server()
    async with server.connect() as c:
        jobs = [await draw(c, {**QUICK, "seed": s}) for s in (1, 2)]
        digests = [r["digest"] for _, r, _ in jobs]
        sweep = await c.submit(QUICK, sweep={"images": [[jobs[0][0]["job"]], [], digests]})
        assert sweep["sweep"]["images"] == [digests[:1], [], digests], sweep
        seen = await c.end_of(sweep["job"])
        assert by_type(seen, "end")[0]["state"] == "done", seen
        ends = by_type(seen, "end")[0]["cells"]
        got = [pixels(server.get(e["url"])[2]) for e in ends]
        alone = [(await draw(c, {**QUICK, "images": i}))[1] for i in (digests[:1], [], digests)]
        assert got == [pixels(server.get(r["url"])[2]) for r in alone] and len(set(got)) == 3


if __name__ == "__main__":
    run([the_bytes_of_generate, what_is_refused, others_are_not_found, kept_until_drawn, private_jobs_keep_theirs,
         the_command, sweeps])
