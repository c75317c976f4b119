"""dialects - from a request to its picture's bytes, over each API in turn, one server, one run.

Usage: python3 bench/dialects.py [ROUNDS]. Each round asks for the same small picture over every API on a
connection that is kept; the order changes with the round. Over the WebSocket the picture is fetched, too."""

import asyncio
import http.client
import json
import os
import statistics
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "test", "e2e"))
from harness import QUICK, Server

ROUNDS = int(sys.argv[1]) if len(sys.argv) > 1 else 60
SIZE = {"width": 64, "height": 64, "steps": 2}
DATA = [QUICK["prompt"], "", 64, 64, 2, 1.5, -1]


class Line:
    def __init__(self, server):
        self.http = http.client.HTTPConnection(server.host, server.port, timeout=60)

    def ask(self, path, body=None):
        self.http.request("POST" if body else "GET", path, json.dumps(body) if body else None,
                          {"Content-Type": "application/json"} if body else {})
        answer = self.http.getresponse()
        text = answer.read()
        assert answer.status in (200, 202), (path, answer.status, text[:300])
        return text

    def openai(self):
        self.ask("/v1/images/generations", {"prompt": QUICK["prompt"], "size": "64x64", "steps": 2})

    def openai_jpeg(self):
        self.ask("/v1/images/generations", {"prompt": QUICK["prompt"], "size": "64x64", "steps": 2, "output_format": "jpeg"})

    def a1111(self):
        self.ask("/sdapi/v1/txt2img", {"prompt": QUICK["prompt"], **SIZE})

    def gradio(self):
        self.ask("/run/predict", {"data": DATA})

    def v1(self):
        job = json.loads(self.ask("/v1/jobs?wait=50", {"spec": QUICK}))
        self.ask(job["result"]["url"])


async def websocket(client, line):
    job = await client.submit(QUICK)
    seen = await client.end_of(job["job"])
    line.ask([m for m in seen if isinstance(m, dict) and m["type"] == "result"][0]["url"])


async def main():
    server = Server(None, "--concurrency", "1")
    line = Line(server)
    took = {name: [] for name in ("websocket", "v1", "openai", "openai_jpeg", "a1111", "gradio")}
    async with server.connect() as client:
        await client.ask(type="previews", format="none")
        for round in range(ROUNDS + 5):
            for i in range(len(took)):
                name = list(took)[(i + round) % len(took)]
                before = time.perf_counter()
                if name == "websocket":
                    await websocket(client, line)
                else:
                    getattr(line, name)()
                if round >= 5:
                    took[name].append((time.perf_counter() - before) * 1000)
    base = took["websocket"]
    for name, all in took.items():
        print(f"{name:12} median {statistics.median(all):7.2f} ms   over the WebSocket, median of pairs "
              f"{statistics.median(a - b for a, b in zip(all, base)):+6.2f} ms   quartiles "
              f"{statistics.quantiles(all)[0]:.1f} {statistics.quantiles(all)[2]:.1f}")
    server.stop()

asyncio.run(main())
