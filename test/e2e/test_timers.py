"""test_timers - work that is due is done without an unrelated wake-up: the last statistics come when nothing else does."""

import asyncio
import os
import subprocess

from harness import QUICK, TMP, Server, run

HERE = os.path.dirname(os.path.abspath(__file__))


def shim():
    out = os.path.join(TMP, "poll_shim.so")
    subprocess.run([os.environ.get("CC", "gcc").split()[-1], "-shared", "-fPIC", "-O1", "-o", out,
                    os.path.join(HERE, "poll_shim.c"), "-ldl"], check=True)
    return out


async def last_statistics():
    """catches: statistics that say `running` until something else wakes the loop: a timer ripe before a poll"""
    Server().kill()  # learns what the slow one needs
    server = Server(env={"LD_PRELOAD": shim()})
    late = []
    async with server.connect() as client:
        await client.ask(type="stats", on=True)
        for _ in range(15):
            job = (await client.submit(QUICK))["job"]
            await client.until(lambda m: m["type"] == "end" and m["job"] == job)
            try:
                await client.until(lambda m: m["type"] == "stats" and m["running"] == 0 and m["queued"] == 0, 2)
            except asyncio.TimeoutError:
                late.append(job)
    server.kill()
    assert not late, f"{len(late)} of 15 times the last statistics did not come within 2 s"


run([last_statistics])
