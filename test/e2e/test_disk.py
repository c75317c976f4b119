"""test_disk - what the disk and the operator do to a server that runs: full, cut, removed, damaged, closed."""

import asyncio
import json
import os
import resource
import shutil
import signal
import socket
import sqlite3
import subprocess
import urllib.error
import urllib.request

from harness import BIN, LONG, MODEL, QUICK, ROOT, Server, folder, run


EDIT_MODEL = os.path.join(ROOT, "test", "golden", "edit", "model")  # one that reads pictures


def model_copy():
    copy = os.path.join(folder(), "model")
    shutil.copytree(MODEL, copy)
    return copy


def files_of(top, ending):
    return [os.path.join(root, n) for root, _, names in os.walk(top) for n in names if n.endswith(ending)]


async def draw(server, **more):
    """One picture: the result, after its end was `done`."""
    async with server.connect() as c:
        job = (await c.submit({**QUICK, **more}))["job"]
        seen = await c.end_of(job)
        assert seen[-1]["state"] == "done", seen[-1]
        return next(m for m in seen if isinstance(m, dict) and m["type"] == "result")


# --- a process that stands still --------------------------------------------------------------------

async def stopped_for_a_while():
    """catches: a pause (Ctrl+Z, docker pause) that is charged to a job's time limit"""
    server = Server(None, "--job-seconds", "10")
    async with server.connect() as c:
        job = (await c.submit(QUICK))["job"]  # a fraction of the limit, on a busy machine too
        await c.until(lambda m: m["type"] == "progress")
        server.process.send_signal(signal.SIGSTOP)
        await asyncio.sleep(11.5)
        server.process.send_signal(signal.SIGCONT)
        end = (await c.until(lambda m: m["type"] == "end" and m["job"] == job))[-1]
        assert end["state"] == "done", end
    server.kill()


# --- files that are not what they should be --------------------------------------------------------

async def model_cut_short():
    """catches: SIGBUS in a server whose weight files are truncated or rewritten in place"""
    model = model_copy()
    server = Server(None, "--model", model)
    before = await draw(server, seed=1)
    for path in files_of(model, ".safetensors"):
        os.truncate(path, 100)
    assert (await draw(server, seed=2))["digest"] != before["digest"]
    assert (await draw(server, seed=1))["digest"] == before["digest"]
    assert server.process.poll() is None
    server.kill()


async def database_cut_short():
    """catches: a server that ends without a sentence when a file that SQLite maps is truncated"""
    server = Server()
    await draw(server)
    os.truncate(os.path.join(server.data, "darkroom.db-shm"), 0)
    try:
        await draw(server)
    except Exception:
        pass
    assert server.process.wait(10) == 70
    rest = server.process.stdout.read()
    assert "cut short" in rest, rest
    server.kill()
    again = Server(server.data)
    await draw(again)
    again.kill()


def model_of_pipes():
    """catches: a command that waits for ever on a fifo in the place of a model's file"""
    for name in ("text_encoder/config.json", "vae/diffusion_pytorch_model.safetensors", "processor/tokenizer.json"):
        model = model_copy()
        os.remove(os.path.join(model, name))
        os.mkfifo(os.path.join(model, name))
        for command in (["check"], ["plan"], ["generate", "x", "-o", "/dev/null"]):
            done = subprocess.run([BIN, *command, "--model", model], capture_output=True, text=True, timeout=20)
            said = done.stdout + done.stderr
            assert done.returncode == 1 and os.path.basename(name) in said, (name, command, done)


def closed_descriptors():
    """catches: log lines in the file that got the number of a closed stdout or stderr"""
    data = folder()
    closed = f"exec {BIN} serve --port 0 --model {MODEL} --data {data} --log-level debug 0<&- 1>&- 2>&-"
    process = subprocess.Popen(["bash", "-c", closed])
    try:
        process.wait(2)
    except subprocess.TimeoutExpired:
        pass
    assert process.poll() is None, "it runs without them"
    process.terminate()
    assert process.wait(10) == 0
    assert os.path.getsize(os.path.join(data, "lock")) == 0
    for path in files_of(data, ""):
        with open(path, "rb") as f:
            assert b"stopping:" not in f.read(), path
    done = subprocess.run(["bash", "-c", f"{BIN} generate --model {MODEL} x -W 64 -H 64 -s 2 -o - >&-"],
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 1, "a picture that went nowhere"


# --- a disk that is full for a while ----------------------------------------------------------------

def health(server):
    status, _, body = server.get("/readyz")
    return status, json.loads(body)


async def disk_full(what, limit):
    """Limit the server while it draws several pictures; all of them must end well after it is lifted."""
    server = Server(None, "--concurrency", "2")
    pid = server.process.pid
    before = resource.prlimit(pid, what)
    async with server.connect() as c:
        jobs = [(await c.submit({**QUICK, "steps": 20, "seed": seed}))["job"] for seed in range(6)]
        await c.until(lambda m: m["type"] == "progress")
        resource.prlimit(pid, what, (limit, before[1]))
        for _ in range(1200):  # a busy machine draws slowly
            status, said = health(server) if what == resource.RLIMIT_FSIZE else (503, {"disk": "?"})
            if status == 503:
                break
            await asyncio.sleep(0.05)
        assert status == 503 and said["disk"], said
        await asyncio.sleep(2)
        if what == resource.RLIMIT_FSIZE:
            refused = await c.ask(type="submit", spec=QUICK)
            assert refused["type"] == "error" and refused["code"] == "io" and refused["retry_after_ms"] > 0, refused
        assert (await c.ask(type="ping"))["type"] == "pong"
        resource.prlimit(pid, what, before)
        ended = {}
        while len(ended) < len(jobs):
            m = (await c.until(lambda m: m["type"] == "end"))[-1]
            ended[m["job"]] = m["state"]
        assert set(ended.values()) == {"done"} and set(ended) == set(jobs), ended
    status, said = health(server)
    assert status == 200 and "disk" not in said, said
    assert (await draw(server, seed=99))["digest"]
    server.process.terminate()
    server.log += server.process.stdout.read()
    assert server.process.wait() == 0
    for job in jobs:  # not once for each time that the disk was asked
        assert server.log.count(f"job {job}: ") == 1, server.log
    server.kill()


async def disk_full_for_a_while():
    """catches: finished pictures that fail because the disk was full for a moment (here: a file size limit, whose
    signal ended the process); a health check that knows nothing of it, or does not recover"""
    await disk_full(resource.RLIMIT_FSIZE, 100)


async def no_descriptor_for_a_while():
    """catches: finished pictures that fail because no descriptor was left for a moment"""
    await disk_full(resource.RLIMIT_NOFILE, 8)


async def submit_recovers():
    """catches: a server that says that its disk is full long after there is room, because it tries again only when a job is submitted"""
    server = Server()
    pid = server.process.pid
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (100, resource.RLIM_INFINITY))
    async with server.connect() as c:
        refused = await c.ask(type="submit", spec=QUICK)
        assert refused["code"] == "io", refused
        assert health(server)[0] == 503
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        for _ in range(60):
            if health(server)[0] == 200:
                break
            await asyncio.sleep(0.1)
        assert health(server)[0] == 200
        await c.submit(QUICK)
    server.kill()


# --- the store's files -----------------------------------------------------------------------------

async def store_removed():
    """catches: jobs that are accepted into a removed database and lost at the next start; a second server in a folder
    whose lock file was removed; an empty store beside pictures, with no line in the log"""
    server = Server()
    await draw(server)
    os.remove(os.path.join(server.data, "lock"))
    done = subprocess.run([BIN, "serve", "--port", "0", "--model", MODEL, "--data", server.data],
                          capture_output=True, text=True, timeout=30)
    assert done.returncode == 1 and "Another darkroom" in done.stderr, done
    shutil.rmtree(os.path.join(server.data, "outputs"))
    result = await draw(server, seed=3)
    assert server.get(result["url"])[0] == 200
    for name in ("darkroom.db", "darkroom.db-wal", "darkroom.db-shm"):
        os.remove(os.path.join(server.data, name))
    async with server.connect() as c:
        refused = await c.ask(type="submit", spec=QUICK)
        assert refused["type"] == "error" and "removed or replaced" in refused["message"], refused
    assert health(server)[0] == 503
    server.kill()
    again = Server(server.data)
    assert "the job store is empty, but outputs/ has 1 files" in again.log, again.log
    await draw(again)
    again.kill()


def refuses(answer, why):
    assert answer["type"] == "error" and answer["code"] == "io" and why in answer["message"], answer


async def store_cut_short():
    """catches: jobs that are accepted into a database whose file or log was truncated in place, and lost at the next
    start; also when a job's end is what is written first, behind which the log is as long as before"""
    for name in ("darkroom.db", "darkroom.db-wal"):
        for end_first in (False, True):
            server = Server()
            await draw(server)
            async with server.connect() as c:
                job = (await c.submit({**LONG, "steps": 5}))["job"] if end_first else None
                os.truncate(os.path.join(server.data, name), 0)
                if job:
                    await c.ask(type="cancel", job=job)
                    await c.end_of(job)
                for _ in range(2):
                    refuses(await c.ask(type="submit", spec=QUICK), "cut short")
            assert health(server)[0] == 503
            server.kill()


async def store_tidied():
    """catches: a database that is taken for damaged when another program has made its files smaller, as it may"""
    server = Server()
    async with server.connect() as c:
        for seed in range(3):
            await c.submit({**QUICK, "seed": seed, "prompt": "a red circle " * 1000}, hold=True)
        await c.ask(type="cancel", all=True)
        path = os.path.join(server.data, "darkroom.db")
        with sqlite3.connect(path) as other:
            other.execute("DELETE FROM jobs")
        other.execute("VACUUM")
        before = os.path.getsize(path + "-wal")
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        assert os.path.getsize(path + "-wal") < before
        other.close()
        job = (await c.submit(QUICK))["job"]
        await c.end_of(job)
    server.kill()
    again = Server(server.data)
    async with again.connect() as c:
        assert (await c.ask(type="job", job=job))["state"] == "done"
    again.kill()


async def data_folder_replaced():
    """catches: jobs that are accepted into a data folder that was moved away, where the next start does not look"""
    server = Server()
    os.rename(server.data, server.data + "-old")
    os.mkdir(server.data)
    async with server.connect() as c:
        refuses(await c.ask(type="submit", spec=QUICK), "data folder was removed or replaced")
    shutil.rmtree(server.data)
    os.symlink(server.data + "-old", server.data)  # it is the same folder again
    for _ in range(100):
        if health(server)[0] == 200:
            break
        await asyncio.sleep(0.1)
    await draw(server)
    server.kill()


async def upload_without_store():
    """catches: an upload that is answered as kept, in a database that was removed"""
    server = Server(None, "--model", EDIT_MODEL)
    png = server.get("/icon-192.png")[2]
    ask = urllib.request.Request(server.url + "/v1/images", data=png, headers={"Content-Type": "image/png"}, method="POST")
    assert urllib.request.urlopen(ask, timeout=20).status == 201
    os.remove(os.path.join(server.data, "darkroom.db"))
    try:
        status = urllib.request.urlopen(ask, timeout=20).status
    except urllib.error.HTTPError as refused:
        status, why = refused.code, json.loads(refused.read())
    assert status == 500 and "removed or replaced" in why["message"], (status, why)
    server.kill()


# --- descriptors -----------------------------------------------------------------------------------

async def downloads_that_are_not_read():
    """catches: pictures of everybody that fail because clients who do not read hold all descriptors"""
    server = Server(None, "--connections", "2000", under=("prlimit", "--nofile=1024:1024"))
    result = await draw(server, width=256, height=256, steps=1)
    ask = f"GET {result['url']} HTTP/1.1\r\nHost: {server.host}:{server.port}\r\n\r\n".encode()
    clients = []
    for _ in range(560):
        client = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect((server.host, server.port))
        client.sendall(ask * 60)
        clients.append(client)
    async with server.connect() as c:
        await c.ask(type="ping")
    open_now = len(os.listdir(f"/proc/{server.process.pid}/fd"))
    assert 560 <= open_now < 560 + 48, f"{open_now} descriptors"
    print(f"   {open_now - 560} descriptors besides 560 connections")
    assert (await draw(server, seed=7))["digest"] != result["digest"]
    whole = server.get(result["url"])[2]
    clients[0].settimeout(20)
    got = bytearray()
    while len(got) < 60 * len(whole):
        more = clients[0].recv(1 << 20)
        assert more, "the pictures are sent whole once somebody reads"
        got += more
    assert got.count(whole) >= 50, got.count(whole)
    for client in clients:
        client.close()
    server.kill()


run([stopped_for_a_while, disk_full_for_a_while, no_descriptor_for_a_while, submit_recovers, store_removed, store_cut_short, store_tidied,
     data_folder_replaced, upload_without_store,
     downloads_that_are_not_read, model_cut_short, database_cut_short, model_of_pipes, closed_descriptors])
