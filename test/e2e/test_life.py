"""test_life - the server's beginnings and ends: SIGTERM, SIGINT, kill -9 at any moment, a second server."""

import asyncio
import os
import random
import signal
import stat
import subprocess
import time

import websockets

from harness import BIN, LONG, MODEL, QUICK, Server, folder, generate, run

KILLS = int(os.environ.get("DARKROOM_KILLS", "100"))


async def stops_with_error_message(signal_number=signal.SIGTERM):
    """catches: a stop that loses work, keeps clients waiting, takes longer than 5 s, or ends a job"""
    data = folder()
    server = Server(data, "--concurrency", "1")
    async with server.connect() as c:
        running = await c.submit({**LONG, "steps": 30, "seed": 11}, key="runs")
        waiting = await c.submit({**QUICK, "seed": 12}, key="waits")
        await c.until(lambda m: m["type"] == "progress")
        before = time.monotonic()
        server.process.send_signal(signal_number)
        told = (await c.until(lambda m: m["type"] == "error"))[-1]
        assert told["code"] == "shutting_down" and told["retry_after_ms"] > 0
        messages = []
        try:
            while True:
                messages.append(await c.next(10))
        except websockets.ConnectionClosed as closed:
            assert closed.rcvd.code == 1001, closed
        assert not [m for m in messages if isinstance(m, dict) and m["type"] == "end"]
    status, took = server.process.wait(10), time.monotonic() - before
    assert status == 0 and took < 5, (status, took)
    server.kill()
    again = Server(data, "--concurrency", "1")
    async with again.connect() as c:
        assert c.hello["boot_id"]
        for accepted in (running, waiting):
            ok = await c.ask(type="watch", job=accepted["job"], seq=accepted["seq"])
            assert ok["state"] in ("queued", "running"), ok
        same = await c.submit({**QUICK, "seed": 12}, key="waits")
        assert same["job"] == waiting["job"]
        ends = {}
        digests = {}
        while len(ends) < 2:
            m = (await c.until(lambda m: m["type"] in ("end", "result")))[-1]
            assert m["seq"] > running["seq"]
            if m["type"] == "end":
                ends[m["job"]] = m["state"]
            else:
                digests[m["job"]] = m["digest"]
        assert set(ends.values()) == {"done"} and list(ends) == [running["job"], waiting["job"]]
        fresh = await c.submit({**LONG, "steps": 30, "seed": 11})
        result = (await c.until(lambda m: m["type"] == "result"))[-1]
        assert result["job"] == fresh["job"] and result["digest"] == digests[running["job"]], "same bytes"
    again.kill()


async def stops_on_interrupt():
    """catches: Ctrl+C that is taken over or ignored"""
    await stops_with_error_message(signal.SIGINT)


async def stops_at_once_when_idle():
    """catches: an idle server, or one with an idle client, that takes its time to leave"""
    server = Server()
    async with server.connect():
        status, took = server.stop()
    assert status == 0 and took < 3, (status, took)
    server = Server(ready=False)  # while the model is being loaded
    status, took = server.stop()
    assert status == 0 and took < 5, (status, took)


def one_server_a_folder():
    """catches: two servers that write into one data folder"""
    server = Server(ready=False)
    done = subprocess.run([BIN, "serve", "--port", "0", "--model", MODEL, "--data", server.data],
                          capture_output=True, text=True, timeout=30)
    assert done.returncode == 1 and "--data" in done.stderr, done
    server.kill()
    Server(server.data, ready=False).kill()  # a killed server's lock is free


def wrong_model():
    """catches: a server that goes on without a model, an error that does not say what to do"""
    for command in ("serve", "generate"):
        args = ["--port", "0", "--data", folder()] if command == "serve" else ["x"]
        done = subprocess.run([BIN, command, "--model", folder(), *args], capture_output=True, text=True, timeout=30)
        assert done.returncode == 1 and done.stderr.startswith("darkroom: "), done
    done = subprocess.run([BIN, "serve", "--port", "70000"], capture_output=True, text=True, timeout=30)
    assert done.returncode == 2 and "65535" in done.stderr, done
    done = subprocess.run([BIN, "paint"], capture_output=True, text=True, timeout=30)
    assert done.returncode == 2 and "paint" in done.stderr, done
    for args in ([], ["version", "x"], ["options", "--bad"], ["plan", "--width", "x"], ["plan", "x"], ["serve", "--bad"],
                 ["trace"], ["check", "--vram"], ["generate"], ["generate", "a", "b"], ["serve", "--log-level", "loud"]):
        done = subprocess.run([BIN, *args], capture_output=True, text=True, timeout=30)
        assert done.returncode == 2 and done.stderr and not done.stdout, done


async def page_while_loading():
    """catches: a page that waits for the model; a client that is greeted too early or never"""
    server = Server(ready=False)
    assert server.get("/")[0] == 200
    async with server.connect() as c:
        assert c.hello["model"]["name"] and c.hello["concurrency"]["cap"] >= 1
        job = (await c.submit(QUICK))["job"]
        assert (await c.end_of(job))[-1]["state"] == "done"
    server.kill()


def picture(kind):
    """Most are quick; one is long enough for checkpoints, one displaces what runs."""
    spec = {**LONG, "steps": 20} if kind == 3 else QUICK
    return {**spec, "seed": kind, **({"lane": "urgent"} if kind == 4 else {})}


class Ledger:
    """What the test was promised over all the servers that it killed."""

    def __init__(self):
        self.accepted = []  # (job, key, seed, seq) in order
        self.ended = {}  # job: (seq, digest)

    async def check(self, c):
        rows, before = [], {}
        while True:
            page = await c.ask(type="list", limit=200, **before)
            rows += page["jobs"]
            if not page["more"]:
                break
            before = {"before": rows[-1]["job"]}
        listed = [r["job"] for r in reversed(rows)]
        mine = [a[0] for a in self.accepted]
        assert [j for j in listed if j in set(mine)] == mine, "accepted jobs, all of them, in order"
        keys = [r["key"] for r in rows]
        assert len(keys) == len(set(keys)), "one job a key"
        states = {r["job"]: r for r in rows}
        for job, (_, digest) in self.ended.items():
            assert states[job]["state"] == "done" and states[job]["result"]["digest"] == digest
        return [j for j in mine if states[j]["state"] in ("queued", "running")]

    async def live(self, c, names, seconds):
        """Submit, listen and take notes until time is up."""
        until = time.monotonic() + seconds
        try:
            for key, seed in names:
                await c.send(type="submit", spec=picture(seed), key=key, fresh=True)
            while True:
                self.note(await c.next(max(0.001, until - time.monotonic())))
        except (asyncio.TimeoutError, websockets.ConnectionClosed):
            pass

    def note(self, m):
        if not isinstance(m, dict):
            return
        if m["type"] == "accepted" and m["job"] not in [a[0] for a in self.accepted]:
            self.accepted.append((m["job"], m["key"], m["spec"]["seed"], m["seq"]))
        if m["type"] == "result":
            self.ended[m["job"]] = (m["seq"], m["digest"])


async def killed_at_any_moment():
    """catches: a lost or doubled job, a broken order, other bytes, a result that is gone"""
    random.seed(4)
    data, ledger, names = folder(), Ledger(), []
    queued_seen = 0
    for i in range(KILLS):
        server = Server(data, "--queue", "4096", "--concurrency", str(1 + i % 3))
        async with server.connect() as c:
            queued_seen += len(await ledger.check(c))
            known = {a[1] for a in ledger.accepted}
            names = [n for n in names if n[0] not in known] + [(f"k{i}-{n}", (0, 1, 4, 2, 0, 1, 4, 3)[(i // 3 + n) % 8]) for n in range(i % 3)]
            await ledger.live(c, names, random.random() ** 2 * 0.5)
            server.process.kill()
        server.kill()
    server = Server(data)
    async with server.connect() as c:
        waiting = await ledger.check(c)
        for job, _, _, _ in ledger.accepted:
            await c.ask(type="watch", job=job)
        while len(ledger.ended) < len(ledger.accepted):
            ledger.note(await c.next())
        await ledger.check(c)
        by_seed = {}
        for job, _, seed, seq in ledger.accepted:
            assert ledger.ended[job][0] > seq
            by_seed.setdefault(seed, set()).add(ledger.ended[job][1])
        assert all(len(d) == 1 for d in by_seed.values()), by_seed
        for digests in by_seed.values():
            status, _, body = server.get(f"/i/{next(iter(digests))}.png")
            assert status == 200 and body.startswith(b"\x89PNG")
    server.kill()
    assert len(ledger.accepted) >= KILLS // 3 and queued_seen > 0, "the test must have caught work in flight"
    print(f"   {KILLS} kills, {len(ledger.accepted)} jobs accepted, {queued_seen} found unfinished after a kill, "
          f"{len(waiting)} at the end")
    leftovers = [n for n in os.listdir(os.path.join(data, "outputs")) if n.endswith(".part")]
    assert len(leftovers) <= 2, leftovers


def generate_command():
    """catches: a command that does not draw, forgets its seed, or takes what the model cannot do"""
    path = os.path.join(folder(), "out.png")
    size = ["-W", "64", "-H", "64", "-s", "2"]
    status, output = generate("a blue square", *size, "-o", path)
    assert status == 0 and "seed" in output and os.path.getsize(path) > 100, output
    status, output = generate("a blue square", "-W", "100", "-o", path)
    assert status == 2 and "width" in output, output
    for prompt in ("", "\u3000", "\u200b\u2060", "it's here " * 130):
        status, output = generate(prompt, *size, "-o", path + ".not")
        assert status == 2 and "prompt" in output and not os.path.exists(path + ".not"), output
    status, output = generate("a blue square", *size, "-o", "/nonexistent/x.png")
    assert status == 1 and "/nonexistent" in output and "done" not in output, output  # before it draws
    status, output = generate("a blue square", *size, "-o", folder())
    assert status == 1 and "is a folder" in output and "done" not in output, output
    for name, words, code in (("", "empty", 2), (path + "/", "is a folder", 1), (path + "/x.png", "Not a directory", 1),
                              (os.path.join(folder(), "n" * 252), "too long", 1), ("/" + "p/" * 2500 + "x", "too long", 1),
                              ("/proc/x.png", "Cannot write", 1)):
        before = sorted(os.listdir(os.path.dirname(path)))
        status, output = generate("a blue square", *size, "-o", name)
        assert status == code and words in output and "done" not in output, (name[:50], status, output)
        assert sorted(os.listdir(os.path.dirname(path))) == before, "nothing is left behind"
    nowhere, loop = os.path.join(folder(), "nowhere"), os.path.join(folder(), "loop")
    os.symlink("missing/x.png", nowhere)
    os.symlink("loop", loop)
    for name in (nowhere, loop):  # a link to what cannot be made
        status, output = generate("a blue square", *size, "-o", name)
        assert status == 1 and "Cannot write" in output and "done" not in output, (name, output)
    pipe = os.path.join(folder(), "pipe")
    os.mkfifo(pipe)
    reader = subprocess.Popen(["cat", pipe], stdout=subprocess.PIPE)
    status, output = generate("a blue square", *size, "-o", pipe)  # not replaced by a file
    assert stat.S_ISFIFO(os.stat(pipe).st_mode), output
    assert reader.communicate(timeout=20)[0].startswith(b"\x89PNG"), output
    early = subprocess.Popen([BIN, "generate", "--model", MODEL, "a blue square", *size, "-o", pipe],
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while "waits for it" not in (output := early.stderr.readline()):
        assert output, "it has ended without a reader"
    assert subprocess.run(["cat", pipe], stdout=subprocess.PIPE, timeout=20).stdout.startswith(b"\x89PNG")
    assert early.wait(20) == 0, early.communicate()
    early.communicate()
    linked, link = os.path.join(folder(), "a.png"), os.path.join(folder(), "link.png")
    os.symlink(linked, link)
    status, output = generate("a blue square", *size, "-o", link)  # as /dev/stdout is one
    assert os.path.islink(link) and open(linked, "rb").read().startswith(b"\x89PNG"), output
    with open(path, "wb") as out:
        done = subprocess.run([BIN, "generate", "--model", MODEL, "a blue square", *size, "-o", "-"], stdout=out,
                              stderr=subprocess.PIPE, text=True)
    data = open(path, "rb").read()
    assert done.returncode == 0 and "seed" in done.stderr
    assert data.startswith(b"\x89PNG") and data.endswith(b"IEND\xaeB\x60\x82")
    with open("/dev/full", "wb") as full:
        done = subprocess.run([BIN, "generate", "--model", MODEL, "x", *size, "-o", "-"],
                              stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == 1 and b"No space" in done.stderr, done


def trace_command():
    """catches: a wrong path that is blamed on the model, or noticed after the work"""
    def trace(*args):
        done = subprocess.run([BIN, "trace", "--model", MODEL, *args], capture_output=True, text=True, timeout=60)
        assert done.returncode == 1, done
        return done.stderr
    out, junk = os.path.join(folder(), "out"), os.path.join(folder(), "junk")
    for option in ("--like", "--logits"):
        output = trace(option, "/nonexistent/ref", "--out", out)
        assert "No such file" in output and "/nonexistent/ref must be" in output, output
        with open(junk, "wb") as f:
            f.write(b"x" * 1000)
        assert "must be a safetensors file" in trace(option, junk, "--out", out)
        output = trace(option, junk, "--out", "/nonexistent/out")
        assert "Cannot write /nonexistent/out" in output, output


run([stops_with_error_message, stops_on_interrupt, stops_at_once_when_idle, one_server_a_folder,
     wrong_model, page_while_loading, killed_at_any_moment, generate_command,
     trace_command])
