#!/usr/bin/python3
"""eta - how right the first estimates are: what `accepted` says against when the result came.

    bench/eta.py [--jobs 24] [--seed 1] [--load 0.7] [--threads 2] [--binary build/darkroom]
                 [--model weights/tiny] [--warm 5] [--old] [--only WORDS] [--cancels 0] [--prompts]

Eight sets, each on a server of its own, after --warm jobs one by one: default cap and cap 1, one size and mixed sizes
and steps, in bursts (2 to 8 submits in one go, then all their ends) and spread (arrivals at random, the device busy for
--load of the time). Errors are |real / estimate - 1|, `bias` is the median with its sign; `inside`: the real time within
the stated range; `width`: median of the range's end over its beginning. With --old the first estimate of any message
counts, for servers whose `accepted` has none; --only takes the sets whose name has these words. --cancels: the part of
the jobs under way that is cancelled after each submit or burst, and does not count; with --prompts mixed sets have
prompts of 20 to 16,000 letters. --first: instead of the sets, the first picture after a start, asked for as soon as the
server serves: three times with a new data folder, each then started once more with what it has measured.
"""
import argparse
import asyncio
import json
import random
import statistics
import tempfile
import time

import service

SIZES = (128, 192, 256, 384)
LETTERS = (20, 200, 1000, 4000, 16000)
WORDS = "a red circle beside a blue boat on a green sea, "


class Client:
    """One connection that notes when each job was accepted, first forecast, and ended."""

    def __init__(self, ws, a):
        self.ws, self.old, self.cancels, self.jobs, self.answers = ws, a.old, a.cancels, {}, []
        self.changed = asyncio.Condition()
        self.reader = asyncio.create_task(self.read())

    async def read(self):
        async for m in self.ws:
            if isinstance(m, str):
                async with self.changed:
                    self.take(json.loads(m), time.perf_counter())
                    self.changed.notify_all()

    def take(self, m, now):
        if m["type"] in ("quote", "error"):
            self.answers.append(m)
        if m["type"] == "accepted":
            self.jobs[m["job"]] = {"accepted": now}
        job = self.jobs.get(m.get("job"))
        if job is None:
            return
        if "eta" not in job and (m["type"] == "accepted" or self.old) and m.get("eta_ms"):
            job["eta"], job["range"], job["since"] = m["eta_ms"] / 1e3, m.get("eta_range_ms"), now
        if m["type"] == "result":
            job["end"] = now
        if m["type"] == "end" and m["state"] != "done":
            job["end"], job["gone"] = now, True

    async def submit(self, spec):
        await self.ws.send(json.dumps({"type": "submit", "spec": {"prompt": "a red circle", **spec}}))

    async def cancel_some(self, n, rng):
        await self.until(lambda: len(self.jobs) >= n)
        for job, times in self.jobs.items():
            if "end" not in times and rng.random() < self.cancels:
                await self.ws.send(json.dumps({"type": "cancel", "job": job}))

    async def quote(self, spec):
        self.answers.clear()
        await self.ws.send(json.dumps({"type": "quote", "spec": {"prompt": "a red circle", **spec}}))
        await self.until(lambda: self.answers)
        return self.answers[0]

    async def until(self, what):
        async with self.changed:
            await self.changed.wait_for(what)

    async def ended(self, n):
        await self.until(lambda: len(self.jobs) >= n and all("end" in j for j in self.jobs.values()))


def spec(a, rng, mixed):
    if not mixed:
        return {"width": 256, "height": 256, "steps": 15}
    s = {"width": rng.choice(SIZES), "height": rng.choice(SIZES), "steps": rng.randint(4, 30)}
    if a.prompts:
        s["prompt"] = (WORDS * 500)[: rng.choice(LETTERS)]
    return s


async def bursts(c, a, rng, mixed):
    n = len(c.jobs)
    while n < a.warm + a.jobs:
        for _ in range(rng.randint(2, 8)):
            await c.submit(spec(a, rng, mixed))
            n += 1
        await c.cancel_some(n, rng)
        await c.ended(n)


async def spread(c, a, rng, mixed):
    wants = [spec(a, rng, mixed) for _ in range(a.jobs)]
    run = statistics.mean([(await c.quote(s))["run_ms"] for s in wants]) / 1e3
    for s in wants:
        await asyncio.sleep(rng.expovariate(a.load / run))
        await c.submit(s)
        await c.cancel_some(0, rng)
    await c.ended(a.warm + a.jobs)


def row(name, jobs):
    off, inside, width, none = [], 0, [], 0
    for j in jobs:
        if "gone" in j:
            continue
        if "eta" not in j:
            none += 1
            continue
        took = j["end"] - j["since"]
        off.append(took / j["eta"] - 1)
        if j["range"]:
            inside += j["range"][0] <= took * 1e3 <= j["range"][1]
            width.append(j["range"][1] / j["range"][0])
    bias = statistics.median(off) if off else 0
    off = sorted(map(abs, off))
    if not off:
        return print(f"{name:28s} no estimates")
    w = f"{statistics.median(width):8.2f}" if width else "       -"
    print(f"{name:28s} {len(jobs):5d} {off[len(off) // 2] * 100:9.1f} % {off[len(off) * 9 // 10] * 100:7.1f} % "
          f"{bias * 100:+7.1f} % {100 * inside / len(off):7.0f} % {w}" + (f"   {none} without estimate" if none else ""), flush=True)


async def one_set(a, cap, mixed, how):
    """Its jobs, without the warm ones."""
    name = f"cap {cap or 'default'}, {'mixed' if mixed else 'one size'}, {how.__name__}"
    if not all(word in name for word in a.only.split()):
        return []
    rng = random.Random(a.seed)
    with tempfile.TemporaryDirectory() as folder:
        with service.running(a, folder, *(("--concurrency", str(cap)) if cap else ())) as (_, address):
            ws = await service.connect(address)
            c = Client(ws, a)
            for i in range(a.warm):
                await c.submit(spec(a, rng, mixed))
                await c.ended(i + 1)
            await how(c, a, rng, mixed)
            await ws.close()
    jobs = list(c.jobs.values())[a.warm:]
    row(name, jobs)
    return jobs


async def first(a, folder, name):
    """The first picture after a start."""
    with service.running(a, folder) as (_, address):
        ws = await service.connect(address)
        c = Client(ws, a)
        await c.submit(spec(a, None, False))
        await c.ended(1)
        await ws.close()
    job = next(iter(c.jobs.values()))
    took, (low, high) = job["end"] - job["since"], job["range"]
    print(f"{name:28s} estimate {job['eta'] * 1e3:6.0f} ms, range {low:5.0f} to {high:5.0f}, took {took * 1e3:6.0f} ms", flush=True)


async def firsts(a):
    for _ in range(3):
        with tempfile.TemporaryDirectory() as folder:
            await first(a, folder, "a new data folder")
            await first(a, folder, "started again")


async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--jobs", type=int, default=24)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--load", type=float, default=0.7)
    parser.add_argument("--warm", type=int, default=5)
    parser.add_argument("--cancels", type=float, default=0)
    parser.add_argument("--prompts", action="store_true")
    parser.add_argument("--only", default="")
    parser.add_argument("--old", action="store_true")
    parser.add_argument("--first", action="store_true")
    service.options(parser)
    a = parser.parse_args()
    if a.first:
        return await firsts(a)
    print(f"{'':28s}  jobs  error median     p90      bias   inside    width")
    jobs = []
    for cap in (0, 1):
        for mixed in (False, True):
            for how in (bursts, spread):
                jobs += await one_set(a, cap, mixed, how)
    row("all together", jobs)


asyncio.run(main())
