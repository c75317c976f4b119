#!/usr/bin/python3
"""load - what the service costs: over `generate`, to accept a job, to get a preview into the socket, to draw it.

    bench/load.py [--runs 7] [--submits 300] [--viewers 50] [--threads 2] [--binary build/darkroom]
                  [--model weights/tiny]

Each pair of figures is measured in turn in one run on one server. `frame lag` is the server's own histogram
(/metrics): from the end of a quantum to its preview frame in the socket, with all viewers watching.
"""
import argparse
import asyncio
import json
import re
import statistics
import subprocess
import tempfile
import time
import urllib.request

import service

PROMPT = "a red circle on a blue background"


async def until(ws, kinds, jobs=None):
    while True:
        m = await ws.recv()
        if isinstance(m, str):
            m = json.loads(m)
            if m["type"] in kinds and (jobs is None or m.get("job") in jobs):
                return m


async def draw(ws, **spec):
    """(seconds from submit to result, the result's own running time)"""
    before = time.perf_counter()
    await ws.send(json.dumps({"type": "submit", "fresh": True, "spec": {"prompt": PROMPT, "seed": 5, **spec}}))
    result = await until(ws, ("result",))
    took = time.perf_counter() - before
    await until(ws, ("end",))
    return took, result["seconds"]


async def previews(ws, how):
    await ws.send(json.dumps({"type": "previews", "format": how, "max_px": 256}))
    await until(ws, ("ok",))


async def overhead(a, ws):
    served, alone, inside = [], [], []
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(a.runs):
            took, seconds = await draw(ws)
            served.append(took)
            inside.append(took - seconds)
            args = ["generate", PROMPT, "--model", a.model, "-S", "5", "-t", str(a.threads), "-o", folder + "/x.png"]
            out = subprocess.run([a.binary, *args], capture_output=True, text=True, check=True).stdout
            alone.append(float(re.search(r"([0-9.]+) s on", out).group(1)))
    m = statistics.median
    print(f"a picture, submit to result        {m(served) * 1e3:8.1f} ms   generate {m(alone) * 1e3:.0f} ms; "
          f"around the drawing itself {m(inside) * 1e3:.1f} ms")


async def preview_cost(a, ws):
    runs = {"jpeg": [], "none": []}
    for _ in range(a.runs):
        for how in runs:
            await previews(ws, how)
            runs[how].append((await draw(ws))[1])
    ratio = statistics.median(x / y for x, y in zip(runs["jpeg"], runs["none"]))
    print(f"running time with previews / without {ratio:6.3f}")


async def batching(a, ws):
    one, four = [], []
    for _ in range(a.runs):
        before = time.perf_counter()
        for _ in range(4):
            await draw(ws)
        one.append(time.perf_counter() - before)
        before = time.perf_counter()
        for seed in range(4):
            await ws.send(json.dumps({"type": "submit", "fresh": True, "spec": {"prompt": PROMPT, "seed": seed}}))
        for _ in range(4):
            await until(ws, ("end",))
        four.append(time.perf_counter() - before)
    ratio = statistics.median(x / y for x, y in zip(one, four))
    print(f"4 pictures one by one / together     {ratio:6.2f}")


async def accepting(a, ws, name):
    took, jobs = [], []
    spec = {"prompt": PROMPT, "width": 64, "height": 64, "steps": 1}
    for i in range(a.submits):
        before = time.perf_counter()
        await ws.send(json.dumps({"type": "submit", "fresh": True, "spec": spec, "watch": False}))
        jobs.append((await until(ws, ("accepted", "error")))["job"])
        took.append((time.perf_counter() - before) * 1e3)
        await ws.send(json.dumps({"type": "cancel", "job": jobs[-1]}))
        await until(ws, ("ok", "error"))
        await asyncio.sleep(0.005)
    took.sort()
    print(f"submit to accepted, {name:16s} {took[len(took) // 2]:8.1f} ms   p99 {took[len(took) * 99 // 100]:.1f} ms")


async def frames(a, address, ws):
    viewers = [await service.connect(address) for _ in range(a.viewers)]
    await previews(ws, "jpeg")
    for _ in range(a.runs):
        await ws.send(json.dumps({"type": "submit", "fresh": True, "spec": {"prompt": PROMPT, "seed": 5}}))
        job = (await until(ws, ("accepted",)))["job"]
        for v in viewers:
            await v.send(json.dumps({"type": "watch", "job": job}))
        await asyncio.gather(*(until(v, ("end",)) for v in [ws, *viewers]))
    for v in viewers:
        await v.close()
    text = urllib.request.urlopen(f"http://{address}/metrics").read().decode()
    rows = [(le, int(n)) for le, n in re.findall(r'frame_lag_seconds_bucket\{le="([^"]+)"\} (\d+)', text)]
    total = rows[-1][1]
    for share in (0.5, 0.99):
        le = next(le for le, n in rows if n >= share * total)
        print(f"frame lag p{share * 100:.0f}, {a.viewers + 1} viewers     <= {float(le) * 1e3:8.2f} ms   "
              f"of {total} frames")


async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--submits", type=int, default=300)
    parser.add_argument("--viewers", type=int, default=50)
    service.options(parser)
    a = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        flags = "--queue", "4096", "--connections-per-ip", "1000"
        with service.running(a, folder, *flags) as (_, address):
            async with service.connect(address) as ws:
                await draw(ws)
                await overhead(a, ws)
                await preview_cost(a, ws)
                await batching(a, ws)
                await accepting(a, ws, "idle")
                busy = await service.connect(address)
                spec = {"prompt": PROMPT, "steps": 200, "width": 256, "height": 256}
                await busy.send(json.dumps({"type": "submit", "fresh": True, "spec": spec}))
                await accepting(a, ws, "while it draws")
                await busy.close()
                await frames(a, address, ws)


asyncio.run(main())
