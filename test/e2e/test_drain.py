"""test_drain - an orderly end by message, and the other words of administrators, in the real program."""

import asyncio
import json

from harness import LONG, QUICK, Server, folder, run
from users import add, sign_in

# what no machine draws within the test
ENDLESS = {**LONG, "width": 512, "height": 512}


async def notice(client, kind):
    return (await client.until(lambda m: m["type"] == "notice" and m["kind"] == kind))[-1]


async def a_drain_ends_it():
    """catches: a server that drops what runs, lets something new in, tells nobody, or does not end by itself"""
    data = folder()
    ada, root = add(data, "ada"), add(data, "root", "--role", "admin")
    server = Server(data, "--concurrency", "1", "--job-seconds", "86400")
    async with server.connect(**sign_in(ada)) as c, server.connect(**sign_in(root)) as admin:
        runs = (await c.submit(ENDLESS))["job"]
        waits = (await c.submit(QUICK))["job"]
        await c.until(lambda m: m["type"] == "progress")
        answer = await admin.ask(type="drain", deadline_ms=3000)
        assert answer == {"type": "ok", "ref": answer["ref"], "re": "drain"}, answer
        said = await notice(c, "drain")
        assert said["in_ms"] == 3000 and "3 s" in said["text"] and said["at_ms"] > 1.6e12, said
        refused = await c.ask(type="submit", spec=QUICK)
        assert refused["code"] == "shutting_down" and refused["retry_after_ms"] > 1000, refused
        status, _, body = server.get("/readyz")
        assert status == 503 and json.loads(body)["lacks"] == ["draining"], body
        async with server.connect(**sign_in(ada)) as late:
            assert [n["kind"] for n in late.hello["notices"]] == ["drain"], late.hello["notices"]
            assert late.hello["notices"][0]["at_ms"] == said["at_ms"]
        bye = (await c.until(lambda m: m["type"] == "error" and m["code"] == "shutting_down"
                             and "ref" not in m))[-1]
        assert bye["retry_after_ms"] > 0
    assert server.process.wait(20) == 0  # so that Restart=on-failure leaves it alone
    server = Server(data, "--concurrency", "1", "--job-seconds", "86400")
    async with server.connect(**sign_in(ada)) as c:
        assert c.hello["notices"] == []
        await c.ask(type="watch", job=waits)
        await c.ask(type="watch", job=runs)
        await c.until(lambda m: m["type"] == "progress" and m["job"] == runs)
        await c.ask(type="cancel", job=runs)
        await c.until(lambda m: m["type"] == "end" and m["job"] == waits)
    server.stop()


async def it_ends_when_nothing_runs():
    """catches: a server that waits for its deadline with nothing to do; one that cannot be kept"""
    server = Server(None, "--concurrency", "1", "--job-seconds", "86400")
    async with server.connect() as c:
        runs = (await c.submit(ENDLESS))["job"]
        await c.until(lambda m: m["type"] == "phase" and m["job"] == runs)
        assert (await c.ask(type="drain", deadline_ms=86400000))["type"] == "ok"
        assert (await c.ask(type="drain", cancel=True))["type"] == "ok"
        assert server.get("/readyz")[0] == 200
        waits = (await c.submit(QUICK))["job"]
        await c.ask(type="drain", deadline_ms=86400000, text="the room is painted")
        await c.ask(type="cancel", job=runs)
        end = await c.until(lambda m: m["type"] == "error" and "re" not in m)
        assert not any(m["type"] == "phase" and m.get("job") == waits for m in end if isinstance(m, dict))
    assert server.process.wait(20) == 0


async def words_and_limits():
    """catches: a word that is not shown or stays, a limit that is not what hello says then"""
    server = Server()
    async with server.connect() as admin, server.connect() as c:
        await admin.ask(type="notice", text="Tea is ready.")
        assert (await notice(c, "message"))["text"] == "Tea is ready."
        async with server.connect() as late:
            assert late.hello["notices"] == [{"kind": "message", "text": "Tea is ready."}]
        await admin.ask(type="notice", text=None)
        assert (await notice(c, "message"))["text"] is None
        now = await admin.ask(type="set", queue=3, concurrency=1)
        assert now["set"]["queue"] == 3 and now["concurrency"]["cap"] == 1, now
        assert "--concurrency is 1" in now["concurrency"]["why"], now
        async with server.connect() as late:
            assert late.hello["limits"]["queue"] == 3 and late.hello["notices"] == []
        assert (await admin.ask(type="set"))["set"] == now["set"]
        server.read_until("an administrator set concurrency 1, queue 3")
    server.stop()


run([a_drain_ends_it, it_ends_when_nothing_runs, words_and_limits])
