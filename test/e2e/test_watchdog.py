"""test_watchdog - a loop or a store that stands still ends the process, one that was stopped with it does not.

One thread of the server is stopped by a debugger's means (ptrace), the rest goes on: nothing in the server helps."""

import asyncio
import os
import signal
import threading
import time

from harness import QUICK, Server, run
from ptrace import WALL, stop_thread, thread_named

def ends(server, within):
    """(exit status, what it wrote last); None when it still runs."""
    status = server.process.wait(within)
    return status, server.process.stdout.read()


def loop(found):
    server = Server()
    stop_thread(server.process.pid)
    found["loop"] = ends(server, 25)


def store(found):
    server = Server()

    async def submit():
        async with server.connect() as client:
            tid = thread_named(server, "store")
            stop_thread(tid)
            await client.send(type="submit", spec=QUICK)
            while os.waitpid(tid, WALL | os.WNOHANG)[0] == 0:
                await asyncio.sleep(0.5)
    try:
        asyncio.run(asyncio.wait_for(submit(), 60))
    except asyncio.TimeoutError:
        found["store"] = None, "it still runs"
        return
    except Exception:
        pass  # the connection ended with the process
    found["store"] = ends(server, 5)


def whole(found):
    server = Server()
    server.process.send_signal(signal.SIGSTOP)
    time.sleep(14)
    server.process.send_signal(signal.SIGCONT)
    time.sleep(3)
    found["whole"] = server.get("/healthz")[0], server.process.poll()
    server.kill()


def watchdog():
    """catches: a service that stands still for ever; one ended because the machine slept"""
    found = {}
    Server().kill()  # learns what the three need
    threads = [threading.Thread(target=t, args=(found,)) for t in (loop, store, whole)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    status, said = found["loop"]
    assert status == 70 and "the network loop has not moved for 1" in said, found
    status, said = found["store"]
    assert status == 70 and "the job store has not moved for 3" in said, found
    assert found["whole"] == (200, None), found


run([watchdog])
