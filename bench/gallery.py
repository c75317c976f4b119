"""gallery.py BINARY [PICTURES [node]] - what a search among many results takes, and what a scroll of the gallery takes.

Makes a data folder with so many finished pictures (10000), each a file of its own; asks for pages of them over HTTP, counting
processor time of the thread that finds them; with `node`, scrolls the page in Chromium (gallery.mjs, needs test/web/node_modules)."""

import hashlib
import json
import os
import random
import re
import sqlite3
import struct
import subprocess
import sys
import tempfile
import time
import urllib.request
import zlib

HERE = os.path.dirname(os.path.abspath(__file__))
MODEL = os.path.join(HERE, "..", "weights", "tiny")
WORDS = "red blue green circle square boat sea house mountain lighthouse night day tree".split()
QUERIES = ["limit=100", "limit=100&skip=9000", "limit=100&search=lighthouse+boat", "limit=100&width=384&height=256", "search=nothing+like+it"]


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(i, w, h):
    """Two colours and a gradient, another file for each i."""
    r = random.Random(i)
    a, b, edge = [r.randrange(256) for _ in range(3)], [r.randrange(256) for _ in range(3)], r.randrange(20, 200)
    rows = b"".join(b"\0" + bytes((x * (h - y) + z * y) // h for x, z in zip(a, b)) * edge + bytes(b) * (w - edge) for y in range(h))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", w, h, 8, 2, 0, 0, 0)) + chunk(b"tEXt", b"n\0%d" % i)
            + chunk(b"IDAT", zlib.compress(rows, 1)) + chunk(b"IEND", b""))


def fill(data, n):
    """n results like the one that is there."""
    db = sqlite3.connect(data + "/darkroom.db", timeout=60)
    names = [r[1] for r in db.execute("pragma table_info(jobs)")]
    row = dict(zip(names, db.execute("select * from jobs").fetchone()))
    for i in range(1, n):
        w, h = (256, 256) if i % 3 else (384, 256)
        r, file = random.Random(i), png(i, w, h)
        digest = hashlib.blake2b(file, digest_size=32).hexdigest()
        spec = {"prompt": " ".join(r.choice(WORDS) for _ in range(9)), "width": w, "height": h, "steps": 20, "guidance": 1.5, "seed": i}
        more = {"job": i, "ord": row["ord"] + i, "created_ms": row["created_ms"] + i, "spec": json.dumps(spec, separators=(",", ":")),
                "result": digest, "bytes": len(file), "file": f"{w}x{h}-seed{i}-{digest}.png"}
        with open(f"{data}/outputs/{more['file']}", "wb") as f:
            f.write(file)
        db.execute(f"insert into jobs values({','.join('?' * len(names))})", list({**row, **more}.values()))
    db.commit()


def start(binary, data):
    process = subprocess.Popen([binary, "serve", "--model", MODEL, "--data", data, "--port", "0"], stdout=subprocess.PIPE, text=True)
    url = next(found.group(0) for line in process.stdout if (found := re.search(r"http://\S+", line))).rstrip("/")
    while True:
        try:
            urllib.request.urlopen(url + "/readyz")
            return process, url
        except OSError:
            time.sleep(0.1)


def seconds_of(process):
    """Processor time of the thread that finds results."""
    for task in os.scandir(f"/proc/{process.pid}/task"):
        with open(task.path + "/comm", encoding="ascii") as f:
            if f.read().strip() == "find-results":
                with open(task.path + "/schedstat", encoding="ascii") as s:
                    return int(s.read().split()[0]) / 1e9
    raise SystemExit("there is no such thread")


def main(binary, n=10000, node=None):
    data = tempfile.mkdtemp(prefix="darkroom-gallery-")
    process, url = start(binary, data)
    body = json.dumps({"spec": {"prompt": "the first", "width": 64, "height": 64, "steps": 2}}).encode()
    urllib.request.urlopen(urllib.request.Request(url + "/v1/jobs?wait=50", body, {"Content-Type": "application/json"})).read()
    process.terminate()
    process.wait()
    fill(data, int(n))
    process, url = start(binary, data)
    for query in QUERIES:
        before = seconds_of(process)
        for _ in range(10):
            answer = json.load(urllib.request.urlopen(f"{url}/v1/jobs?results=true&{query}"))
        print(f"{query:45} {(seconds_of(process) - before) * 100:6.1f} ms of processor time, {answer['count']} found")
    if node:
        subprocess.run([node, os.path.join(HERE, "gallery.mjs"), url], check=True)
    process.terminate()
    process.wait()
    subprocess.run(["rm", "-rf", data], check=True)


main(*sys.argv[1:])
