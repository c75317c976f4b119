"""service - the service that a benchmark runs against: started, connected to, ended.

    with service.running(a, folder, "--queue", "4096") as (server, address):
        async with service.connect(address) as ws: ...

`a` are the arguments of the benchmark, of which --binary, --model and --threads (options()) are used here."""
import contextlib
import os
import re
import signal
import subprocess
import sys

import websockets


def options(parser):
    """The options that every benchmark of the service has."""
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--binary", default="build/darkroom")
    parser.add_argument("--model", default="weights/tiny")


@contextlib.contextmanager
def running(a, folder, *flags, stderr=subprocess.DEVNULL):
    """(process, "host:port") of a server that draws, its data in the folder; ended as a service manager ends it."""
    p = subprocess.Popen([a.binary, "serve", "--port", "0", "--model", a.model, "--data", folder,
                          "--threads", str(a.threads), *flags],
                         text=True, stdout=subprocess.PIPE, stderr=stderr,
                         # as a variable, which older programs do not refuse
                         env={**os.environ, "DARKROOM_SUBMITS_PER_SECOND": "0"})
    try:
        log = ""
        while "drawing" not in log:
            line = p.stdout.readline()
            if not line:
                sys.exit("the server did not start")
            log += line
        yield p, re.search(r"http://(\S+)", log).group(1)
    finally:
        p.send_signal(signal.SIGTERM)
        p.wait()


def connect(address):
    return websockets.connect(f"ws://{address}/ws", subprotocols=["darkroom.v1"], max_size=None, compression=None)
