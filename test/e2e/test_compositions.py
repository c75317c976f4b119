"""test_compositions - pictures that keep an earlier one's composition, and pictures that are finished before their
last step: what their bytes are, after restarts and kills too."""

import hashlib
import json
import os
import re
import sqlite3

from harness import QUICK, Server, folder, generate, run

SPEC = {**QUICK, "prompt": 'a "sign" and a red circle on a blue background', "seed": 7}
# some seconds, most of them steps
SLOW = {**SPEC, "width": 256, "height": 256, "steps": 200}


def by_type(messages, kind):
    return [m for m in messages if isinstance(m, dict) and m["type"] == kind]


async def draw(c, spec):
    """The accepted, the result and the phases of a picture, as far as they were not replaced by later ones."""
    accepted = await c.submit(spec)
    seen = await c.end_of(accepted["job"], 110)
    assert by_type(seen, "end")[0]["state"] == "done", seen
    return accepted, by_type(seen, "result")[0], [m["phase"] for m in by_type(seen, "phase")]


def vary(job, **more):
    return {**SPEC, "seed": -1, "prior_from": job, **more}


def generated(*more):
    path = os.path.join(folder(), "out.png")
    status, output = generate(SPEC["prompt"], "-W", "64", "-H", "64", "-s", "2", "-S", "7", "-o", path, *more)
    assert status == 0, output
    with open(path, "rb") as f:
        return hashlib.blake2b(f.read(), digest_size=32).hexdigest()


def parameters(server, result):
    status, _, png = server.get(result["url"])
    assert status == 200 and hashlib.blake2b(png, digest_size=32).hexdigest() == result["digest"]
    return json.loads(re.search(rb"parameters\0(\{.*?\})", png).group(1))


async def the_same_bytes(kind):
    data = folder()
    server = Server(data, "--dtype", kind, "--job-seconds", "86400")
    async with server.connect() as c:
        first, picture, _ = await draw(c, SPEC)
        assert picture["digest"] == generated("--dtype", kind)
        own = vary(first["job"], noise_seed=7)
        second, again, phases = await draw(c, own)
        assert "prior" not in phases, phases
        assert again["digest"] == picture["digest"]
        assert second["spec"]["seed"] == 7 and second["spec"]["prior_from"] == first["job"]
        assert "noise_seed" not in second["spec"], "it equals the seed"
        third, noise, _ = await draw(c, vary(second["job"]))
        assert noise["digest"] != picture["digest"] and third["spec"]["noise_seed"] >= 0
        whole = (await draw(c, {**SPEC, "noise_seed": third["spec"]["noise_seed"]}))[1]
        assert whole["digest"] == noise["digest"], "a composition of its own, but the same one"
        assert parameters(server, noise)["noise_seed"] == third["spec"]["noise_seed"]
        assert noise["digest"] == generated("--dtype", kind, "--noise-seed", str(third["spec"]["noise_seed"]))
        jobs = [(await c.submit(s))["job"] for s in (own, {**QUICK, "seed": 3}, own, vary(third["job"], noise_seed=7))]
        digest = {}
        while len(digest) < len(jobs):
            result = (await c.until(lambda m: m["type"] == "result"))[-1]
            digest[result["job"]] = result["digest"]
        assert [digest[jobs[i]] for i in (0, 2, 3)] == 3 * [picture["digest"]], "together with others"
        several = await c.submit(vary(first["job"], noise_seed=6), n=2)
        assert several["sweep"] == {"noise_seed": [6, 7]}, several
        await c.end_of(several["job"])
        assert (await c.ask(type="watch", job=several["cells"][1]))["state"] == "done"
        result = by_type(await c.end_of(several["cells"][1]), "result")[0]
        assert result["digest"] == picture["digest"], "a cell with the first one's noise"
    server.kill()
    server = Server(data, "--dtype", kind, "--job-seconds", "86400")
    async with server.connect() as c:
        assert (await draw(c, own))[1]["digest"] == picture["digest"], "after a kill"
    server.stop()


async def same_bytes_in_f32():
    """catches: tokens that are kept, copied or used otherwise than they were sampled; a seed that draws the wrong
    thing; metadata that does not say all that a picture depends on"""
    await the_same_bytes("f32")


async def same_bytes_in_bf16():
    """catches: the same in the other arithmetic"""
    await the_same_bytes("bf16")


def forget_tokens(data, job):
    db = sqlite3.connect(os.path.join(data, "darkroom.db"))
    with db:
        assert db.execute("DELETE FROM tokens WHERE job=?", (int(job, 16) - (1 << 64 if int(job, 16) >> 63 else 0),)).rowcount == 1
    db.close()


async def nothing_accepted_fails():
    """catches: a job that is lost or another picture as the earlier job, or its tokens, went while it waited; tokens
    that stay"""
    data = folder()
    server = Server(data, "--job-seconds", "86400")
    async with server.connect() as c:
        first, picture, _ = await draw(c, SPEC)
        own = vary(first["job"], noise_seed=7)
        held = [(await c.submit(own, hold=True))["job"] for _ in range(3)]
        assert (await c.ask(type="delete", job=first["job"]))["type"] == "ok"
        assert (await c.ask(type="submit", spec=own))["code"] == "not_found"
        await c.ask(type="release", job=held[0])
        seen = await c.end_of(held[0])
        assert by_type(seen, "result")[0]["digest"] == picture["digest"]
        assert "prior" not in [m["phase"] for m in by_type(seen, "phase")]
        await c.ask(type="cancel", job=held[1])
        await c.end_of(held[1])
    server.kill()
    forget_tokens(data, held[2])
    server = Server(data, "--job-seconds", "86400")
    async with server.connect() as c:
        await c.ask(type="watch", job=held[2])
        await c.ask(type="release", job=held[2])
        seen = await c.end_of(held[2])
        assert by_type(seen, "result")[0]["digest"] == picture["digest"], "it draws its own"
        server.read_until(f"job {held[2]} draws a composition of its own")
        for job in (held[0], held[2]):
            await c.ask(type="delete", job=job)
    server.stop()
    db = sqlite3.connect(os.path.join(data, "darkroom.db"))
    assert db.execute("SELECT count(*) FROM tokens").fetchone() == (0,)
    db.close()


async def what_does_not_match_is_refused():
    """catches: a composition under a prompt or size that did not draw it; a picture that is not there yet"""
    server = Server(None, "--job-seconds", "86400")
    async with server.connect() as c:
        first = (await draw(c, SPEC))[0]["job"]
        waits = (await c.submit(SPEC, hold=True))["job"]
        for spec, code, field in ((vary(first, prompt="a dog"), "conflict", "prompt"),
                                  (vary(first, width=96), "conflict", "width"),
                                  (vary(first, height=96), "conflict", "height"),
                                  (vary(first, seed=8), "bad_field", "seed"),
                                  (vary(waits), "conflict", "prior_from"),
                                  (vary("0123456789abcdef"), "not_found", "prior_from")):
            for kind in ("submit", "quote"):
                answer = await c.ask(type=kind, spec=spec)
                assert answer["type"] == "error" and (answer["code"], answer["field"]) == (code, field), answer
                assert answer["hint"], answer
        answer = await c.ask(type="quote", spec=vary(first, seed=7))
        assert answer["type"] == "quote" and answer["spec"]["seed"] == 7, answer
    server.stop()


async def steps_of(c, job, n, timeout=110):
    await c.until(lambda m: m["type"] == "progress" and m["job"] == job and m["phase"] == "denoise" and m["done"] >= n, timeout)


async def it_finishes_early():
    """catches: a job that goes on to its last step, that fails, that says other steps than it has done; an answer
    without effect"""
    server = Server(None, "--job-seconds", "86400")
    async with server.connect() as c:
        waits = (await c.submit(SLOW, hold=True))["job"]
        answer = await c.ask(type="finish", job=waits)
        assert answer["code"] == "conflict" and "no denoising step" in answer["message"], answer
        job = (await c.submit(SLOW))["job"]
        await steps_of(c, job, 3)
        assert (await c.ask(type="finish", job=job))["type"] == "ok"
        assert (await c.ask(type="finish", job=job))["type"] in ("ok", "error")
        seen = await c.end_of(job)
        result = by_type(seen, "result")[0]
        assert by_type(seen, "end")[0]["state"] == "done" and 3 <= result["steps_done"] < 200, result
        told = parameters(server, result)
        assert told["steps"] == 200 and told["steps_done"] == result["steps_done"], told
        row = (await c.ask(type="job", job=job))["result"]
        assert row["steps_done"] == result["steps_done"]
        assert (await c.ask(type="finish", job=job))["code"] == "conflict"
        print(f"   finished after {result['steps_done']} of 200 steps")
        again = await c.submit({**SLOW, "prior_from": job, "noise_seed": 7, "steps": 3})
        end = by_type(await c.end_of(again["job"]), "result")[0]
        assert "steps_done" not in end, "its composition was kept"
    server.stop()


async def a_finish_survives_a_kill():
    """catches: a picture of all steps, or of other ones, though it was answered that it ends"""
    data, short = folder(), 0
    for _ in range(3):
        server = Server(data, "--threads", "1", "--job-seconds", "86400")
        async with server.connect() as c:
            job = (await c.submit({**SLOW, "width": 512, "height": 512}))["job"]
            await steps_of(c, job, 2)
            assert (await c.ask(type="finish", job=job))["type"] == "ok"
            server.kill()
        server = Server(data, "--threads", "1", "--job-seconds", "86400")
        async with server.connect() as c:
            over = (await c.ask(type="watch", job=job))["state"] == "done"
            result = by_type(await c.end_of(job, 200), "result")[0]
            assert 2 <= result["steps_done"] < 200, result
            assert parameters(server, result)["steps_done"] == result["steps_done"]
            short += not over
        server.stop()
    assert short, "no job was killed before its end"


run([same_bytes_in_f32, same_bytes_in_bf16, nothing_accepted_fails, what_does_not_match_is_refused, it_finishes_early,
     a_finish_survives_a_kill])
