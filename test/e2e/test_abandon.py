"""test_abandon - on_disconnect: what nobody waits for any more is cancelled, and only that."""

import asyncio

from harness import LONG, QUICK, Server, folder, run

SOON = {"cancel_after_ms": 200}
# reading it takes many quanta; it is never drawn to its end
READING = {**LONG, "prompt": "a red circle on a blue background, " * 400}


async def state_of(client, job):
    rows = (await client.ask(type="list", limit=200))["jobs"]
    return next(row["state"] for row in rows if row["job"] == job)


async def until(client, job, state):
    """Ask until the job is in that state; without watching it."""
    for _ in range(600):
        if await state_of(client, job) == state:
            return
        await asyncio.sleep(0.05)
    raise AssertionError(await state_of(client, job))


async def what_nobody_looks_at_is_cancelled():
    """catches: a picture that is drawn for somebody who has left, in whatever state; one that is cancelled although
    its client came back, or never said so"""
    server = Server(None, "--concurrency", "1", "--job-seconds", "86400")
    async with server.connect() as witness:
        async with server.connect() as gone:
            reads = await gone.submit(READING, on_disconnect=SOON)
            waits = await gone.submit(LONG, on_disconnect=SOON)
            held = await gone.submit(QUICK, on_disconnect=SOON, hold=True)
            kept = await gone.submit(QUICK, hold=True, on_disconnect="keep")
            seen = await gone.submit(QUICK, hold=True, on_disconnect=SOON)
            amended = await gone.submit(QUICK, hold=True)
            answer = await gone.ask(type="amend", job=amended["job"], on_disconnect=SOON)
            assert answer["type"] == "ok", answer
            await gone.until(lambda m: m["type"] == "phase" and m["job"] == reads["job"])
            assert (await witness.ask(type="watch", job=seen["job"]))["type"] == "ok"
        for job in (reads, waits, held, amended):
            await until(witness, job["job"], "cancelled")
        assert await state_of(witness, kept["job"]) == "queued"
        assert await state_of(witness, seen["job"]) == "queued"
        metrics = server.get("/metrics")[2].decode()
        assert "darkroom_jobs_abandoned_total 4\n" in metrics, metrics
        last = await witness.submit(QUICK)
        await witness.end_of(last["job"])
    server.stop()


async def it_survives_a_restart():
    """catches: a time that the row does not keep, or that counts while the server is down"""
    data = folder()
    server = Server(data)
    async with server.connect() as c:
        job = (await c.submit(QUICK, hold=True, on_disconnect={"cancel_after_ms": 1500}))["job"]
        kept = (await c.submit(QUICK, hold=True, on_disconnect={"cancel_after_ms": 86400000}))["job"]
        server.kill()
    await asyncio.sleep(2)
    server = Server(data)
    async with server.connect() as c:
        await until(c, job, "cancelled")
        assert await state_of(c, kept) == "queued"
    server.stop()


run([what_nobody_looks_at_is_cancelled, it_survives_a_restart])
