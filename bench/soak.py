#!/usr/bin/python3
"""soak - mixed load on one server, and whether it grows: memory, descriptors, threads, log.

    bench/soak.sh [--seconds 3600] [--settle 600] [--threads 1] [--binary build/darkroom] [--model weights/tiny]

Clients submit pictures of several sizes in all lanes, watch those of others with previews, cancel, leave in the middle
and come back with the last number they saw, read streams over HTTP, do not read at all, send what is no message, and
guess tokens; options and users change meanwhile. Bounds, broken: exit status 1.

    memory       is looked at in pauses without clients and jobs, as a picture takes more than what a leak would: after
                 --settle (at most half of the run) and 1100 jobs (until then those that are kept in memory fill) the
                 median of the last third is less than 1 % above that of the first
    descriptors  as many as before when all clients are gone again; so are the threads
    log          less than 200 bytes a job and 2 KiB a minute
    answers      every job that was accepted has ended, no request was answered with 500
"""
import argparse
import asyncio
import json
import os
import random
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

import websockets

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import service  # noqa: E402  (this folder's)

PROMPTS = ["a red circle on a blue background", "a boat on the sea at night", "一座灯塔", 'a sign that says "OPEN"']
PAUSES = 24  # in the whole run
KEPT = 1100  # jobs after which those that are kept in memory (LIMIT_JOBS_KEPT) are as many as they will be


class Load:
    def __init__(self, server, address, data, config):
        self.server, self.address, self.data, self.config = server, address, data, config
        self.random = random.Random(7)
        self.accepted, self.ended, self.wrong = set(), set(), []
        self.over, self.go = False, asyncio.Event()
        self.go.set()

    def busy(self):
        return self.go.is_set() and not self.over

    def spec(self):
        r = self.random
        side = r.choice((64, 64, 64, 64, 64, 64, 64, 128, 256))
        return {"prompt": r.choice(PROMPTS), "width": side, "height": side, "steps": r.choice((2, 2, 2, 4, 8)),
                "guidance": r.choice((1, 1.5))}

    async def read(self, ws, seconds):
        """What comes in that time, noted."""
        until = time.monotonic() + seconds
        last = {}
        while (left := until - time.monotonic()) > 0:
            try:
                m = await asyncio.wait_for(ws.recv(), left)
            except asyncio.TimeoutError:
                break
            if not isinstance(m, str):
                continue
            m = json.loads(m)
            if m["type"] == "accepted":
                self.accepted.add(m["job"])
            if m["type"] == "end":
                self.ended.add(m["job"])
            if "seq" in m:
                last[m.get("job")] = m["seq"]
        return last

    async def drawer(self):
        """Submits, watches, cancels, leaves, comes back."""
        r, last = self.random, {}
        while self.busy():
            async with service.connect(self.address) as ws:
                await ws.send(json.dumps({"type": "previews", "format": r.choice(("jpeg", "png", "none")),
                                          "max_px": 128, "every_ms": 0}))
                for job, seq in list(last.items())[-20:]:
                    if job and job not in self.ended:
                        await ws.send(json.dumps({"type": "watch", "job": job, "seq": seq}))
                last = {}
                for _ in range(r.randrange(1, 30)):
                    await ws.send(json.dumps({"type": "submit", "spec": {**self.spec(), "lane": r.choice(("normal", "batch"))}}))
                    last.update(await self.read(ws, r.random() * 0.4))
                    if r.random() < 0.1 and last:
                        await ws.send(json.dumps({"type": "cancel", "job": r.choice([j for j in last if j] or ["0" * 16])}))
                    if not self.busy():
                        break
                if r.random() < 0.5:
                    last.update(await self.read(ws, 2))

    async def looker(self):
        """Lists, statistics, pages and numbers over HTTP."""
        while self.busy():
            for path in ("/", "/app.js", "/v1/jobs?limit=50", "/v1/stats", "/metrics", "/readyz", "/nothing", "/queue"):
                await asyncio.to_thread(self.get, path)
                await asyncio.sleep(0.1)

    def get(self, path, headers=None):
        try:
            with urllib.request.urlopen(urllib.request.Request(f"http://{self.address}{path}", headers=headers or {}),
                                        timeout=60) as answer:
                return answer.read().decode(errors="replace")
        except urllib.error.HTTPError as e:
            e.read()
            if e.code >= 500 and e.code != 503:
                self.wrong.append((path, e.code))
            return ""

    async def stranger(self):
        """What no client should do."""
        r = self.random
        while self.busy():
            async with service.connect(self.address) as ws:
                for _ in range(20):
                    await ws.send(r.choice(("{", '{"type":"nothing"}', '{"type":"submit","spec":{"width":3}}', "[]",
                                            json.dumps({"type": "watch", "job": "f" * 16}))))
                await self.read(ws, 1)
            await asyncio.to_thread(self.get, "/v1/session", {"Authorization": "Bearer dr_" + 49 * "a"})

    async def deaf(self):
        """Asks for all previews and reads nothing, then goes without a close."""
        while self.busy():
            ws = await service.connect(self.address)
            await ws.send(json.dumps({"type": "previews", "format": "png", "max_px": 512, "every_ms": 0}))
            await ws.send(json.dumps({"type": "submit", "spec": {"prompt": PROMPTS[0], "width": 256, "height": 256, "steps": 8}}))
            ws.transport.pause_reading()
            for _ in range(10):
                if self.busy():
                    await asyncio.sleep(1)
            ws.transport.abort()

    async def operator(self):
        """Changes options, makes backups."""
        n = 0
        while self.busy():
            n += 1
            with open(self.config + ".new", "w") as f:
                f.write(f"queue = {30 + n % 2}\nkeep-size = 8M\n")
            os.rename(self.config + ".new", self.config)
            self.server.send_signal(signal.SIGHUP)
            backup = os.path.join(self.data, f"backup-{n}")
            done = await asyncio.to_thread(subprocess.run, [self.binary, "backup", backup, "--data", self.data],
                                           capture_output=True, text=True)
            if done.returncode:
                self.wrong.append(("backup", done.stderr))
            else:
                os.unlink(backup)
            for _ in range(30):
                if self.busy():
                    await asyncio.sleep(1)

    async def anew(self, what):
        """It goes on when its connection was closed: a slow reader's is."""
        while not self.over:
            await self.go.wait()
            try:
                await what()
            except (websockets.ConnectionClosed, OSError, asyncio.TimeoutError):
                await asyncio.sleep(0.2)


def look(pid):
    """(resident KiB without what is shared with files, descriptors, threads)"""
    with open(f"/proc/{pid}/status") as f:
        status = f.read()
    kib = int(re.search(r"RssAnon:\s+(\d+)", status).group(1))
    return kib, len(os.listdir(f"/proc/{pid}/fd")), int(re.search(r"Threads:\s+(\d+)", status).group(1))


def number(text, name):
    return float(re.search(rf"(?m)^{name} (\S+)$", text).group(1))


async def pause(load, pid, patience=300):
    """Without clients and jobs for a moment: what look() says then."""
    load.go.clear()
    until = time.monotonic() + patience
    while time.monotonic() < until:
        await asyncio.sleep(1)
        text = await asyncio.to_thread(load.get, "/metrics")
        if text and not any(number(text, "darkroom_" + n) for n in ("websockets", "jobs_running", "jobs_queued")):
            break
    await asyncio.sleep(2)
    seen = look(pid)
    load.go.set()
    return seen


async def soak(a, load, pid, log):
    load.binary = a.binary
    before = await pause(load, pid)
    samples, begun = [], time.monotonic()
    actors = [load.drawer] * 6 + [load.looker, load.looker, load.stranger, load.deaf, load.deaf, load.operator]
    tasks = [asyncio.create_task(load.anew(actor)) for actor in actors]
    print(f"{'minute':>6} {'KiB':>9} {'descriptors':>11} {'threads':>7} {'log KiB':>8} {'jobs':>6}", flush=True)
    while time.monotonic() - begun < a.seconds:
        await asyncio.sleep(max(a.seconds / PAUSES, min(60, a.seconds / 24)))
        kib, fds, threads = await pause(load, pid)
        at = time.monotonic() - begun
        samples.append((at, kib, len(load.accepted)))
        print(f"{at / 60:6.1f} {kib:9} {fds:11} {threads:7} {os.path.getsize(log) >> 10:8} {len(load.accepted):6}", flush=True)
    load.over = True
    load.go.set()
    _, late = await asyncio.wait(tasks, timeout=60)
    for task in late:
        task.cancel()
    load.over = False
    after = await pause(load, pid)
    return before[1:], samples, after[1:]


async def unfinished(load):
    """Accepted jobs that are neither over nor, as the oldest are forgotten, unknown."""
    left = load.accepted - load.ended
    async with service.connect(load.address) as ws:
        for job in sorted(left):
            await ws.send(json.dumps({"type": "watch", "job": job}))
            if len(left) > 100:
                await load.read(ws, 0.01)
        for _ in range(240):
            left = load.accepted - load.ended
            if not left or "darkroom_jobs_queued 0\n" in load.get("/metrics") and "jobs_running 0\n" in load.get("/metrics"):
                break
            await load.read(ws, 0.5)
        await load.read(ws, 1)
    known = json.loads(load.get("/v1/stats") or "{}")
    return known.get("queued", -1), known.get("running", -1)


def judge(a, load, result, log_bytes, waits):
    before, samples, after = result
    settle = min(a.settle, a.seconds / 2)
    late = [kib for at, kib, jobs in samples if at >= settle and jobs >= KEPT] or [0]
    third = max(1, len(late) // 3)
    first, last = max(1, statistics.median(late[:third])), statistics.median(late[-third:])
    growth = last / first - 1
    log_most = 200 * len(load.accepted) + 2048 * (a.seconds / 60 + 1)
    rows = [
        ("memory", f"{first:.0f} KiB after {settle:.0f} s and {KEPT} jobs, {last:.0f} KiB at the end: {growth * 100:+.2f} %, "
         f"{len(late)} pauses (6 or more count)", growth < 0.01 and len(late) >= 6),
        ("descriptors, threads", f"{before} before, {after} after", after == before),
        ("log", f"{log_bytes} bytes, at most {log_most:.0f}", log_bytes < log_most),
        ("answers", f"{len(load.accepted)} jobs accepted, {len(load.ended)} seen to end; queued and running at the end "
         f"{waits}; wrong: {load.wrong[:3]}", waits == (0, 0) and not load.wrong and load.accepted),
    ]
    for name, text, well in rows:
        print(f"{'ok    ' if well else 'BROKEN'} {name}: {text}")
    return 0 if all(well for *_, well in rows) else 1


async def main(a):
    with tempfile.TemporaryDirectory() as folder:
        config, log = os.path.join(folder, "ini"), os.path.join(folder, "log")
        with open(config, "w") as f:
            f.write("queue = 30\nkeep-size = 8M\n")
        with open(log, "w") as stderr, service.running(a, folder, "--config", config, stderr=stderr) as (server, address):
            load = Load(server, address, folder, config)
            result = await soak(a, load, server.pid, log)
            waits = await unfinished(load)
        return judge(a, load, result, os.path.getsize(log), waits)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=3600)
    parser.add_argument("--settle", type=float, default=600)
    service.options(parser)
    sys.exit(asyncio.run(main(parser.parse_args())))
