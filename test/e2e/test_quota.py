"""test_quota - a user that has more than it may is told first, then its oldest pictures go, favourites last."""

import os
import signal
import sqlite3

from harness import QUICK, Server, folder, run
from users import add, sign_in


async def told_then_removed():
    """catches: pictures that go without a word, that are still listed when they are gone, a favourite that goes"""
    data = folder()
    token = add(data, "ada")
    path = os.path.join(data, "darkroom.ini")
    with open(path, "w", encoding="utf-8") as f:
        f.write("grace-minutes = 60\n")
    server = Server(data, "--config", path)
    jobs = []
    async with server.connect(**sign_in(token)) as c:
        for seed in range(5):
            job = (await c.submit({**QUICK, "seed": seed}))["job"]
            seen = await c.end_of(job)
            jobs.append((job, next(m for m in seen if isinstance(m, dict) and m["type"] == "result")))
        assert (await c.ask(type="favourite", job=jobs[0][0]))["type"] == "ok"
    bytes_ = [result["bytes"] for _, result in jobs]
    server.stop()
    server = Server(data, "--config", path)
    with sqlite3.connect(os.path.join(data, "darkroom.db")) as db:  # what is kept beside the pictures counts, too
        kept = db.execute("SELECT coalesce((SELECT length(t.tokens) FROM tokens t WHERE t.job=a.job), 0)"
                          " FROM jobs a ORDER BY ord").fetchall()
    server.user("set", "ada", "--disk", str(sum(bytes_) + sum(n for n, in kept) - 1))
    server.process.send_signal(signal.SIGHUP)  # the file is as it was: no look at pictures
    server.stop()
    server = Server(data, "--config", path)  # the first look is at the start
    async with server.connect(**sign_in(token)) as c:
        notices = c.hello["notices"] or [(await c.until(lambda m: m["type"] == "notice"))[-1]]
        said = next(n for n in notices if n["kind"] == "quota")
        assert said["jobs"] == [jobs[1][0]] and said["count"] == 1 and said["bytes"] == bytes_[1] + kept[1][0], said
        assert said["at_ms"] - c.hello["time_ms"] > 50 * 60000, said
        rows = {row["job"]: row for row in (await c.ask(type="list"))["jobs"]}
        assert len(rows) == 5 and rows[jobs[0][0]]["favourite"] is True
        with open(path, "w", encoding="utf-8") as f:
            f.write("grace-minutes = 0\n")
        server.process.send_signal(signal.SIGHUP)
        gone = (await c.until(lambda m: m["type"] == "notice" and m["kind"] == "removed"))[-1]
        assert gone["jobs"] == [jobs[1][0]], gone
        rows = [row["job"] for row in (await c.ask(type="list"))["jobs"]]
        assert rows == [jobs[i][0] for i in (4, 3, 2, 0)], rows
    headers = {"Authorization": "Bearer " + token}
    assert server.get(jobs[1][1]["url"], headers=headers)[0] == 404
    assert server.get(jobs[0][1]["url"], headers=headers)[0] == 200
    server.process.terminate()
    server.log += server.process.stdout.read()
    assert "store: the 1 oldest picture of user 1 was removed (its --disk)" in server.log, server.log
    server.stop()


run([told_then_removed])
