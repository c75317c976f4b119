"""test_flow - the whole way of a prompt over real sockets, and everything that may happen on it."""

import asyncio
import contextlib
import hashlib
import json
import os
import struct
import zlib

from harness import LONG, MODEL, QUICK, Server, folder, frame_job, generate, run

server = Server()
PHASES = ["glyph", "prior", "denoise", "decode"]


def chunks(png):
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    at = 8
    while at < len(png):
        n, kind = struct.unpack(">I4s", png[at:at + 8])
        body = png[at + 8:at + 8 + n]
        assert zlib.crc32(kind + body) == struct.unpack(">I", png[at + 8 + n:at + 12 + n])[0]
        yield kind, body
        at += 12 + n


async def settle(c):
    """Answers overtake events: when the second pong is here, what the first one overtook is too."""
    for _ in range(2):
        assert (await c.ask(type="ping"))["type"] == "pong"


def suggested(name):
    """What the model's folder suggests; None: nothing."""
    path = os.path.join(MODEL, name)
    return json.load(open(path)) if os.path.exists(path) else None


async def full_flow():
    """catches: a phase, preview or result that is missing or out of order; overall that goes back"""
    async with server.connect() as c:
        hello = c.hello
        assert hello["type"] == "hello" and hello["protocol"] == "darkroom.v1", hello
        assert hello["concurrency"]["cap"] >= 1 and hello["concurrency"]["why"]
        assert {"width": hello["defaults"]["width"], "height": hello["defaults"]["height"]} in hello["sizes"]
        assert suggested("sizes.json") in (None, [[s["width"], s["height"]] for s in hello["sizes"]]), hello
        assert suggested("examples.json") in (None, hello["examples"]), hello
        spec = {"prompt": 'a red circle, 红色 "HI"', "width": 256, "height": 256, "steps": 8, "seed": 7}
        accepted = await c.submit(spec, key="full")
        assert accepted["spec"]["seed"] == 7 and accepted["key"] == "full"
        job = accepted["job"]
        seen = await c.until(lambda m: m["type"] == "end")
        events = [m for m in seen if isinstance(m, dict) and m.get("job") == job]
        frames = [m for m in seen if isinstance(m, bytes)]
        assert [e["seq"] for e in events] == sorted({e["seq"] for e in events})
        phases = [e["phase"] for e in events if e["type"] in ("phase", "progress")]
        assert sorted(phases, key=PHASES.index) == phases and "prior" in phases and "denoise" in phases
        overall = [e["overall"] for e in events if e["type"] == "progress"]
        assert overall == sorted(overall) and 0 <= overall[0] and overall[-1] <= 1
        assert {f[7] for f in frames} >= {1, 2}, "previews in both long phases"
        for f in frames:
            assert f[:7] == b"DRKM\x01\x01\x01" and frame_job(f) == job
            width, height, size = struct.unpack("<HHI", f[24:32])
            assert len(f) == 32 + size and 0 < width <= 256 and 0 < height <= 256
            assert f[32:34] == b"\xff\xd8"
        assert events[-2]["type"] == "result" and events[-1] == {**events[-1], "type": "end", "state": "done"}
        result = events[-2]
        status, headers, png = server.get(result["url"])
        assert status == 200 and len(png) == result["bytes"]
        assert hashlib.blake2b(png, digest_size=32).hexdigest() == result["digest"]
        assert "immutable" in headers["cache-control"] and headers["etag"] == f'"{result["digest"]}"'
        texts = {body.split(b"\0")[0]: body for kind, body in chunks(png) if kind in (b"tEXt", b"iTXt")}
        assert spec["prompt"].encode() in texts[b"prompt"] and b'"seed":7' in texts[b"parameters"]
        assert b"model" in texts and b"version" in texts
        status, headers, _ = server.get(result["url"] + "?download=1")
        assert "256x256-seed7-" in headers["content-disposition"]


async def same_seed_same_bytes():
    """catches: bytes that depend on who shares the batch, or a service that draws unlike `generate`"""
    async with server.connect() as c:
        jobs = [(await c.submit({**QUICK, "seed": seed}))["job"] for seed in (5, 6, 5)]
        digests = {}
        while len(digests) < 3:
            m = (await c.until(lambda m: m["type"] == "result"))[-1]
            digests[m["job"]] = m["digest"]
        assert digests[jobs[0]] == digests[jobs[2]] != digests[jobs[1]]
        path = folder() + "/out.png"
        status, output = generate(QUICK["prompt"], "-W", "64", "-H", "64", "-s", "2", "-S", "5", "-o", path)
        assert status == 0, output
        with open(path, "rb") as f:
            assert hashlib.blake2b(f.read(), digest_size=32).hexdigest() == digests[jobs[0]]


async def many_jobs_many_subscribers():
    """catches: events that reach the wrong subscriber, twice or not at all"""
    async with server.connect() as a, server.connect() as b, server.connect() as d:
        jobs = [(await a.submit({**QUICK, "seed": i}))["job"] for i in range(4)]
        for job in jobs[:2]:
            assert (await b.ask(type="watch", job=job))["type"] == "ok"
        await d.ask(type="watch", job=jobs[3])
        await d.ask(type="unwatch", job=jobs[3])

        async def ends(c, n):
            got = []
            while len(got) < n:
                got.append((await c.until(lambda m: m["type"] == "end"))[-1]["job"])
            return got
        assert sorted(await ends(a, 4)) == sorted(jobs)
        assert sorted(await ends(b, 2)) == sorted(jobs[:2])
        await settle(a)
        assert not [m for m in a.held if isinstance(m, dict) and m["type"] == "end"]
        await settle(d)
        assert not [m for m in d.held if isinstance(m, dict) and m["type"] == "end"]


async def two_hundred_subscribers():
    """catches: a limit of subscribers, an event that a late or a quiet subscriber does not get, two ends for one"""
    async with server.connect() as first, contextlib.AsyncExitStack() as stack:
        job = (await first.submit({**QUICK, "steps": 40}))["job"]
        subscribers = [await stack.enter_async_context(server.connect()) for _ in range(200)]
        for v in subscribers:
            await v.send(type="watch", job=job)
        assert (await first.end_of(job))[-1]["state"] == "done"
        for v in subscribers:
            seen = [m for m in await v.until(lambda m: m["type"] == "end")
                    if isinstance(m, dict) and m.get("job") == job]
            seqs = [m["seq"] for m in seen if "seq" in m]
            assert seqs == sorted(set(seqs)) and [m["type"] for m in seen].count("result") == 1, seen
            await v.send(type="ping")
            assert (await v.until(lambda m: True))[-1]["type"] == "pong"  # nothing after the end


async def reconnect_with_seq():
    """catches: a duplicate or lost terminal event, a board that is not caught up with"""
    async with server.connect() as c:
        job = (await c.submit(QUICK))["job"]
        events = [m for m in await c.end_of(job) if isinstance(m, dict)]
        last = events[-1]["seq"]
        result = next(e for e in events if e["type"] == "result")
    async with server.connect() as c:
        assert (await c.ask(type="watch", job=job, seq=last))["state"] == "done"
        await settle(c)
        assert not c.held
        for seq, want in ((result["seq"], ["end"]), (0, ["accepted", "result", "end"])):
            await c.ask(type="watch", job=job, seq=seq)
            got = await c.until(lambda m: m["type"] == "end")
            assert [m["type"] for m in got] == want and got[-1]["seq"] == last
        await settle(c)
        assert not c.held


async def idempotent_keys():
    """catches: a repeated submit that draws twice, a key that hides another request"""
    async with server.connect() as a, server.connect() as b:
        first = await a.submit(QUICK, key="same")
        again = await b.submit(QUICK, key="same")
        assert again["job"] == first["job"] and again["spec"]["seed"] == first["spec"]["seed"]
        other = await b.ask(type="submit", spec={**QUICK, "width": 96}, key="same")
        assert other["type"] == "error" and other["code"] == "conflict"
        await a.end_of(first["job"])
        await b.end_of(first["job"])
        late = await a.ask(type="submit", spec=QUICK, key="same")
        assert late["job"] == first["job"]


async def cancel_running_and_queued():
    """catches: a cancel that is not heard, one that ends another job, a second end"""
    one = Server(None, "--concurrency", "1")
    async with one.connect() as c:
        running = (await c.submit(LONG))["job"]
        queued = (await c.submit(LONG))["job"]
        places = (await c.until(lambda m: m["type"] == "queue" and m["job"] == queued))[-1]
        assert places["position"] == 1 and places["why"] in ("turn", "slots", "memory")
        await c.until(lambda m: m["type"] == "progress" and m["job"] == running)
        assert (await c.ask(type="cancel", job=queued))["type"] == "ok"
        assert (await c.end_of(queued))[-1]["state"] == "cancelled"
        assert (await c.ask(type="cancel", job=running))["type"] == "ok"
        assert (await c.end_of(running))[-1]["state"] == "cancelled"
        assert (await c.ask(type="cancel", job=running))["type"] == "ok"
        assert (await c.ask(type="cancel", job="00000000000000aa"))["code"] == "not_found"
        job = (await c.submit(QUICK))["job"]
        assert (await c.end_of(job))[-1]["state"] == "done"
        assert (await c.ask(type="cancel", job=job))["code"] == "conflict"
    one.kill()


async def queue_full_and_timeout():
    """catches: a queue without end, a refusal that does not say when to retry, a job without limit"""
    small = Server(None, "--concurrency", "1", "--queue", "2")
    async with small.connect() as c:
        first = (await c.submit({**LONG, "width": 512, "height": 512}))["job"]
        await c.until(lambda m: m["type"] in ("phase", "progress"))
        waiting = [(await c.submit(QUICK))["job"] for _ in range(2)]
        full = await c.ask(type="submit", spec=QUICK)
        assert full["code"] == "queue_full" and full["retry_after_ms"] > 0 and full["hint"], full
        await c.ask(type="cancel", job=first)
        for job in waiting:
            assert (await c.end_of(job))[-1]["state"] == "done"
    small.kill()


async def too_long_for_the_limit():
    """catches: a job that runs past its limit; one whose time is known to be beyond it and that is drawn all the same"""
    hasty = Server(None, "--job-seconds", "2")
    long = {**LONG, "width": 512, "height": 512}
    async with hasty.connect() as c:
        answer = await c.ask(type="submit", spec=long)
        if answer["type"] == "accepted":  # nothing was measured yet
            end = (await c.end_of(answer["job"]))[-1]
            assert end["state"] == "failed" and end["error"]["code"] == "timeout", end
        accepted = await c.submit(QUICK)
        assert accepted["eta_ms"] > 0 and accepted["eta_range_ms"][0] <= accepted["eta_ms"] <= accepted["eta_range_ms"][1]
        await c.end_of(accepted["job"])
        for what in ("submit", "quote"):
            answer = await c.ask(type=what, spec=long)
            assert answer["code"] == "timeout" and "a job may take 2 s" in answer["message"], answer
    hasty.kill()


async def lists_quotes_stats():
    """catches: an answer that is missing or that contradicts what happened"""
    async with server.connect() as c:
        job = (await c.submit(QUICK))["job"]
        await c.end_of(job)
        rows = (await c.ask(type="list", limit=1))["jobs"]
        assert rows[0]["job"] == job and rows[0]["state"] == "done" and rows[0]["result"]["digest"]
        older = (await c.ask(type="list", limit=5, before=job))["jobs"]
        assert job not in [r["job"] for r in older]
        quote = await c.ask(type="quote", spec=QUICK)
        assert quote["type"] == "quote" and quote["bytes"] > 0 and quote["run_ms"] > 0
        # the model's own rule: four kinds of marks, one after another, and apostrophes are marks
        words = "a sign says “火”, it's a cat's \"HOME\" and 「門」, not “"
        read = await c.ask(type="quote", spec={**QUICK, "prompt": words})
        assert read["lettering"] == ["s a cat", "火", "HOME", "門"], read
        assert quote["lettering"] == [] and 0 < quote["tokens"] < read["tokens"] <= len(words.encode()), (quote, read)
        twice = await c.ask(type="quote", spec={**QUICK, "prompt": QUICK["prompt"] + " " + QUICK["prompt"]})
        assert 2 * quote["tokens"] <= twice["tokens"] <= 2 * quote["tokens"] + 1, (quote, twice)
        stats = await c.ask(type="stats", on=False)
        assert stats["done"] >= 1 and stats["running"] == 0 and stats["cap"] >= 1


async def preview_requests():
    """catches: a format or size that is not obeyed, previews for one who wants none"""
    spec = {**LONG, "steps": 10}
    async with server.connect() as png, server.connect() as none:
        await png.ask(type="previews", format="png", max_px=32)
        await none.ask(type="previews", format="none")
        job = (await png.submit(spec))["job"]
        await none.ask(type="watch", job=job)
        frames = [m for m in await png.end_of(job) if isinstance(m, bytes)]
        assert frames and all(f[6] == 2 and f[32:36] == b"\x89PNG" for f in frames)
        assert all(max(struct.unpack("<HH", f[24:28])) <= 32 for f in frames)
        assert not [m for m in await none.end_of(job) if isinstance(m, bytes)]


BAD = [  # message, code, field, words that the hint or message must hold
    ('{"type":"submit"}', "bad_field", "spec", ""),
    ('{"type":"submit","spec":{}}', "bad_field", "prompt", ""),
    ('{"type":"submit","spec":{"prompt":""}}', "bad_prompt", "prompt", ""),
    ('{"type":"submit","spec":{"prompt":"x","width":100}}', "bad_field", "width", "96"),
    ('{"type":"submit","spec":{"prompt":"x","width":0}}', "bad_field", "width", "64"),
    ('{"type":"submit","spec":{"prompt":"x","height":4096}}', "bad_field", "height", ""),
    ('{"type":"submit","spec":{"prompt":"x","width":"64"}}', "bad_field", "width", ""),
    ('{"type":"submit","spec":{"prompt":"x","width":64.5}}', "bad_field", "width", ""),
    ('{"type":"submit","spec":{"prompt":"x","steps":0}}', "bad_field", "steps", "1"),
    ('{"type":"submit","spec":{"prompt":"x","steps":201}}', "bad_field", "steps", "200"),
    ('{"type":"submit","spec":{"prompt":"x","guidance":-1}}', "bad_field", "guidance", ""),
    ('{"type":"submit","spec":{"prompt":"x","guidance":1e9}}', "bad_field", "guidance", "20"),
    ('{"type":"submit","spec":{"prompt":"x","seed":-2}}', "bad_field", "seed", ""),
    ('{"type":"submit","spec":{"prompt":"x","seed":9007199254740992}}', "bad_field", "seed", ""),
    ('{"type":"submit","spec":{"prompt":7}}', "bad_field", "prompt", ""),
    ('{"type":"submit","spec":{"prompt":"x","colour":1}}', "bad_field", "colour", ""),
    ('{"type":"submit","spec":{"prompt":"x","seed":1,"seed":2}}', "bad_field", "seed", ""),
    ('{"type":"submit","spec":{"prompt":"x"},"key":""}', "bad_field", "key", ""),
    ('{"type":"submit","spec":{"prompt":"x"},"extra":1}', "bad_field", "extra", ""),
    ('{"type":"draw"}', "bad_request", "", ""),
    ('{"spec":{}}', "bad_request", "", ""),
    ('[]', "bad_request", "", ""),
    ('{"type":', "bad_request", "", ""),
    ('', "bad_request", "", ""),
    ('{"type":"submit","spec":{"prompt":"\\ud800"}}', "bad_utf8", "", ""),
    ('{"type":"submit","spec":{"prompt":"' + "x" * 16385 + '"}}', "too_large", "prompt", "16384"),
    ('{"type":"submit","spec":{"prompt":"x","width":64,"height":480}}', "bad_field", "", ""),
    ('{"type":"watch","job":"zz"}', "bad_field", "job", ""),
    ('{"type":"watch","job":"00000000000000aa"}', "not_found", "", ""),
    ('{"type":"cancel"}', "bad_field", "job", ""),
    ('{"type":"list","limit":1000}', "bad_field", "limit", "200"),
    ('{"type":"ping"}' + " " * 70000, "too_large", "", ""),
    ('[' * 5000, "bad_request", "", ""),
    (b'{"type":"ping"}', "bad_request", "", ""),
]


async def bad_inputs():
    """catches: a mistake that is let through, answered vaguely, or that costs the connection"""
    async with server.connect() as c:
        job = (await c.submit({**QUICK, "steps": 20}))["job"]
        for message, code, field, words in BAD:
            await c.ws.send(message)
            error = (await c.until(lambda m: m["type"] in ("error", "accepted", "ok", "pong", "list")))[-1]
            shown = message[:80]
            assert error["type"] == "error", (shown, error)
            assert error["code"] == code, (shown, error)
            assert not field or field in error.get("field", ""), (shown, error)
            assert len(error["hint"]) > 10 and words in error["hint"] + error["message"], (shown, error)
        assert (await c.ask(type="ping"))["type"] == "pong"
        if not [m for m in c.held if isinstance(m, dict) and m["type"] == "end"]:
            await c.end_of(job)


async def image_tokens_in_prompt():
    """catches: a prompt that carries picture tokens into the model"""
    async with server.connect() as c:
        for text in ("<|image|>", "a cat <|begin_of_image|> x"):
            answer = await c.ask(type="submit", spec={**QUICK, "prompt": text})
            if answer["type"] == "accepted":
                end = (await c.end_of(answer["job"]))[-1]
                assert end["state"] == "done", end  # not a token of this model: drawn as text
            else:
                assert answer["code"] == "bad_prompt" and answer["hint"], answer


async def one_bad_connection_among_good():
    """catches: a client that breaks the protocol and takes others with it"""
    async with server.connect() as good:
        job = (await good.submit({**QUICK, "steps": 20}))["job"]
        for _ in range(5):
            async with server.connect() as c:
                c.ws.transport.abort()
        assert (await good.end_of(job))[-1]["state"] == "done"


async def two_workers():
    """catches: a second device that idles or makes other pictures; a memory limit that is exceeded"""
    two = Server(None, "--device", "cpu,cpu", "--threads", "1", "--vram", "300M", "--concurrency", "2")
    try:
        async with two.connect() as c:
            assert "2 devices" in c.hello["model"]["device"], c.hello["model"]
            jobs = [(await c.submit({**QUICK, "steps": 6, "seed": i // 2}))["job"] for i in range(4)]
            ends = {}
            while len(ends) < 4:
                m = await c.next()
                if isinstance(m, dict) and m["type"] == "result":
                    ends[m["job"]] = m["digest"]
            assert ends[jobs[0]] == ends[jobs[1]] and ends[jobs[2]] == ends[jobs[3]], ends
            assert len(set(ends.values())) == 2, ends
            async with server.connect() as one:
                job = (await one.submit({**QUICK, "steps": 6, "seed": 0}))["job"]
                digests = [m["digest"] for m in await one.end_of(job)
                           if isinstance(m, dict) and m["type"] == "result"]
                assert digests == [ends[jobs[0]]]
    finally:
        two.stop()


run([full_flow, same_seed_same_bytes, many_jobs_many_subscribers, two_hundred_subscribers,
     reconnect_with_seq, idempotent_keys, cancel_running_and_queued, queue_full_and_timeout, too_long_for_the_limit, lists_quotes_stats, preview_requests, bad_inputs,
     image_tokens_in_prompt, one_bad_connection_among_good, two_workers])
