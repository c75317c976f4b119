"""test_backup - `darkroom backup` beside a server that writes, and a server that begins from the copy."""

import asyncio
import os
import shutil
import stat
import subprocess

from harness import BIN, QUICK, Server, folder, run


def bare():
    """An empty folder."""
    new = os.path.join(folder(), "bare")
    os.mkdir(new)
    return new


def backup(data, path):
    done = subprocess.run([BIN, "backup", path, "--data", data], capture_output=True, text=True, timeout=60)
    return done.returncode, done.stderr


async def copies_while_it_draws():
    """catches: a copy that blocks the server, is torn, others may read, or lacks a job that was accepted"""
    server, place = Server(), bare()
    async with server.connect() as c:
        first = (await c.submit({**QUICK, "seed": 7}, key="kept"))["job"]
        end = await c.end_of(first)
        jobs = [(await c.submit({**QUICK, "seed": n}))["job"] for n in range(8)]
        path = os.path.join(place, "copy.db")
        status, said = await asyncio.get_running_loop().run_in_executor(None, backup, server.data, path)
        assert status == 0, said
        left = set(jobs)
        while left:
            left.discard((await c.until(lambda m: m["type"] == "end"))[-1]["job"])
    assert os.listdir(place) == ["copy.db"] and stat.S_IMODE(os.stat(path).st_mode) == 0o600
    before = open(path, "rb").read()
    status, said = backup(server.data, path)
    assert status == 1 and "File exists" in said and open(path, "rb").read() == before, said
    data = folder()
    shutil.copy(path, os.path.join(data, "darkroom.db"))
    shutil.copytree(os.path.join(server.data, "outputs"), os.path.join(data, "outputs"))
    server.kill()
    again = Server(data)
    async with again.connect() as c:
        same = await c.submit({**QUICK, "seed": 7}, key="kept")
        assert same["job"] == first, "the job of the copy, found by its key"
        for job in jobs:  # accepted before the copy was made: in it, and drawn if they were not yet
            assert (await c.ask(type="watch", job=job))["state"] in ("queued", "running", "done"), job
    result = next(m for m in end if isinstance(m, dict) and m["type"] == "result")
    assert again.get(result["url"])[0] == 200
    again.kill()


def leaves_nothing_behind():
    """catches: half a file, a copy of no database, a wrong path that is not named"""
    empty, place = bare(), bare()
    status, said = backup(empty, os.path.join(place, "x.db"))
    assert status == 1 and "no job store" in said and not os.listdir(place), said
    server = Server()
    status, said = backup(server.data, "/nonexistent/x.db")
    assert status == 1 and "/nonexistent/x.db" in said, said
    done = subprocess.run(["bash", "-c", f"ulimit -f 8; {BIN} backup {place}/x.db --data {server.data}"],
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and not os.listdir(place), (done, os.listdir(place))
    done = subprocess.run([BIN, "backup"], capture_output=True, text=True)
    assert done.returncode == 2 and "backup FILE" in done.stderr, done
    server.kill()


run([copies_while_it_draws, leaves_nothing_behind])
