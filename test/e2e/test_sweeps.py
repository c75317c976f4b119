"""test_sweeps - several pictures in one request: drawn, killed half-way, followed, made again alone."""

import asyncio
import os

from harness import QUICK, Server, folder, run

REQUEST = {"sweep": {"steps": [2, 9], "seed": 3}}
CELLS = 6


def own(spec):
    """What a cell's spec has of its own."""
    return {**QUICK, "steps": spec["steps"], "seed": spec["seed"]}


async def follow(c, sweep, from_seq=0):
    """Every event of the sweep from there on, up to its end: checked for order and for a progress that never falls."""
    await c.ask(type="watch", job=sweep, seq=from_seq)
    events = [m for m in await c.until(lambda m: m["type"] == "end" and m["job"] == sweep, 110)
              if isinstance(m, dict) and m.get("job") == sweep and "seq" in m]
    assert all(a["seq"] < b["seq"] for a, b in zip(events, events[1:])), events
    parts = [m["overall"] for m in events if m["type"] == "progress"]
    assert parts == sorted(parts) and all(0 <= p <= 1 for p in parts), parts
    return events


async def goes_on_after_a_kill():
    """catches: a sweep that is accepted in part, loses a cell with the process, draws one twice, or ends before its cells;
    a cell that alone gives another picture"""
    data = folder()
    server = Server(data, "--threads", "1", "--concurrency", "1")
    async with server.connect() as c:
        accepted = await c.submit({**QUICK, "seed": 40}, key="k", **REQUEST)
        sweep, cells = accepted["job"], accepted["cells"]
        assert accepted["sweep"] == {"steps": [2, 9], "seed": [40, 41, 42]} and len(set(cells)) == CELLS, accepted
        first = (await c.until(lambda m: m["type"] == "cell" and m["state"] == "done", 110))[-1]
        assert first["job"] == sweep and first["cell"] == 0, first
        server.kill()  # while the others wait or are drawn
    server = Server(data, "--threads", "1", "--concurrency", "1")
    async with server.connect() as c:
        again = await c.submit({**QUICK, "seed": 40}, key="k", watch=False, **REQUEST)
        assert again["job"] == sweep and again["cells"] == cells and again["seq"] == accepted["seq"], again
        events = await follow(c, sweep, first["seq"])
        end = events[-1]
        assert end["state"] == "done", end
        assert end["counts"] == {"cells": CELLS, "done": CELLS, "failed": 0, "cancelled": 0}, end
        assert [m["job"] for m in end["cells"]] == cells, end
        told = {m["cell"]: m for m in events if m["type"] == "cell" and m["state"] == "done"}
        for i, cell in enumerate(end["cells"]):
            row = await c.ask(type="job", job=cell["job"])
            assert row["parent"] == sweep and row["cell"] == i and row["at"] == [i // 3, i % 3], row
            assert (row["spec"]["steps"], row["spec"]["seed"]) == ((2, 9)[i // 3], 40 + i % 3), row
            assert row["result"]["url"] == cell["url"] and server.get(cell["url"])[0] == 200, row
            assert i not in told or told[i]["result"] == row["result"], (told, row)
        row = await c.ask(type="job", job=cells[4])
        alone = await c.submit(own(row["spec"]))
        result = (await c.until(lambda m: m["type"] == "result" and m["job"] == alone["job"], 110))[-1]
        assert result["digest"] == row["result"]["digest"], (result, row)
        stats = await c.ask(type="stats", on=False)
        assert (stats["done"], stats["queued"], stats["running"]) == (CELLS + 1, 0, 0), stats
    server.kill()
    server = Server(data)
    async with server.connect() as c:
        assert (await follow(c, sweep))[-1] == end
        await c.ask(type="delete", job=sweep)
        listed = await c.ask(type="list", parent=sweep)
        assert [row["job"] for row in (await c.ask(type="list"))["jobs"]] == [alone["job"]] and not listed["jobs"], listed
        others = [cell["url"] for i, cell in enumerate(end["cells"]) if i != 4]
        assert all(server.get(url)[0] == 404 for url in others)
        assert server.get(result["url"])[0] == 200  # the job alone has it still
        await c.ask(type="delete", job=alone["job"])
        server.kill()  # what is said to be gone does not come back
    server = Server(data)
    async with server.connect() as c:
        assert (await c.ask(type="list"))["jobs"] == [] and server.get(result["url"])[0] == 404
        assert os.listdir(os.path.join(data, "outputs")) == []
    server.kill()


async def the_same_picture_is_there():
    """catches: a picture that is drawn twice; one that is promised and gone, or of a job that has not drawn it yet"""
    data, spec = folder(), {**QUICK, "seed": 9}
    server = Server(data)
    async with server.connect() as c:
        first = await c.submit(spec, fresh=False)
        assert "cached" not in first, first
        result = (await c.until(lambda m: m["type"] == "result", 110))[-1]
        await c.until(lambda m: m["type"] == "end")
    server.kill()
    server = Server(data)
    async with server.connect() as c:
        again = await c.submit({**spec, "lane": "batch"}, fresh=False, key="k")
        assert again["cached"] and again["job"] == first["job"] and again["key"] == "k", again
        found = (await c.until(lambda m: m["type"] == "result"))[-1]
        assert found == result, (found, result)
        new = await c.submit(spec)
        assert "cached" not in new and new["job"] != first["job"], new
        drawn = (await c.until(lambda m: m["type"] == "result" and m["job"] == new["job"], 110))[-1]
        assert drawn["digest"] == result["digest"], (drawn, result)
        await c.until(lambda m: m["type"] == "end" and m["job"] == new["job"])
        for job in (first["job"], new["job"]):
            assert (await c.ask(type="delete", job=job))["type"] == "ok"
        last = await c.submit(spec, fresh=False)
        assert "cached" not in last, last
        await c.until(lambda m: m["type"] == "end" and m["job"] == last["job"], 110)
        while server.get(result["url"])[0] != 200:
            await asyncio.sleep(0.01)
        for name in os.listdir(os.path.join(data, "outputs")):
            os.unlink(os.path.join(data, "outputs", name))
        gone = await c.submit(spec, fresh=False)
        assert "cached" not in gone, gone
    server.kill()


async def is_commanded_as_one():
    """catches: a hold, a release or a cancel that misses a cell; a limit that is passed; a forecast of the first picture alone"""
    server = Server(folder(), "--threads", "1", "--concurrency", "1", "--queue", "8")
    async with server.connect() as c:
        full = await c.ask(type="submit", spec=QUICK, sweep={"seed": 20})
        assert full["code"] == "queue_full" and "retry_after_ms" not in full, full
        accepted = await c.submit(QUICK, n=4, hold=True, on_disconnect={"cancel_after_ms": 86400000})
        queue = (await c.until(lambda m: m["type"] == "queue" and m["job"] == accepted["job"]))[-1]
        assert queue["position"] == 0 and queue["why"] == "held", queue
        seeds = [(await c.ask(type="job", job=cell))["spec"]["seed"] for cell in accepted["cells"]]
        assert seeds == list(range(seeds[0], seeds[0] + 4)), seeds
        await c.ask(type="release", job=accepted["cells"][3])
        await c.until(lambda m: m["type"] == "cell" and (m["cell"], m["state"]) == (3, "done"), 110)
        answer = await c.ask(type="cancel", job=accepted["cells"][1])
        assert answer["type"] == "ok", answer
        await c.ask(type="release", job=accepted["job"])
        end = (await c.until(lambda m: m["type"] == "end" and m["job"] == accepted["job"], 110))[-1]
        assert end["state"] == "cancelled" and [m["state"] for m in end["cells"]] == ["done", "cancelled", "done", "done"], end
        one, many = [await c.ask(type="quote", spec=QUICK, n=n) for n in (1, 8)]
        assert many["cells"] == 8 and many["eta_ms"] > 4 * one["eta_ms"], (one, many)
        late = await c.ask(type="submit", spec={**QUICK, "steps": 100}, n=8, max_wait_ms=one["eta_ms"])
        assert late["code"] == "timeout" and late["field"] == "max_wait_ms", late
        held = await c.submit(QUICK, n=3, hold=True)
        count = await c.ask(type="cancel", parent=held["job"])
        assert count["count"] == 3, count
        end = (await c.until(lambda m: m["type"] == "end" and m["job"] == held["job"]))[-1]
        assert end["counts"] == {"cells": 3, "done": 0, "failed": 0, "cancelled": 3}, end
    server.kill()


run([goes_on_after_a_kill, the_same_picture_is_there, is_commanded_as_one])
