"""compare - what darkroom and Gradio add to a picture: from the request to its bytes at the client, less the drawing.

    bench/peers/gradio/run.sh [--runs 40] [--side 256] [--steps 20]

darkroom draws for real, and its result says how long that took; Gradio sleeps for exactly that long instead, then returns
a picture of the same size. One client each, in Python, connected before; the two take turns in one run on one machine."""
import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(os.path.dirname(HERE)))
os.environ.update(GRADIO_ANALYTICS_ENABLED="False", HF_HUB_OFFLINE="1", no_proxy="127.0.0.1")
import service  # noqa: E402  (bench/)
from gradio_client import Client  # noqa: E402


async def ours(ws, address, a):
    """(seconds at the client, seconds of drawing)"""
    begun = time.perf_counter()
    await ws.send(json.dumps({"type": "submit", "spec": {"prompt": a.prompt, "width": a.side, "height": a.side,
                                                         "steps": a.steps}}))
    while True:
        m = await ws.recv()
        if isinstance(m, str) and (m := json.loads(m))["type"] in ("result", "error"):
            break
    picture = await asyncio.to_thread(lambda: urllib.request.urlopen(f"http://{address}{m['url']}").read())
    took = time.perf_counter() - begun
    assert len(picture) == m["bytes"]
    while json.loads(await ws.recv())["type"] != "end":
        pass
    return took, m["seconds"]


def theirs(client, a, seconds):
    begun = time.perf_counter()
    path = client.predict(a.prompt, seconds, api_name="/draw")
    took = time.perf_counter() - begun
    assert os.path.getsize(path) > 1000
    return took


def line(name, added):
    ms = sorted(x * 1e3 for x in added)
    print(f"{name:10} adds {statistics.median(ms):7.1f} ms (p10 {ms[len(ms) // 10]:.1f}, p90 {ms[len(ms) * 9 // 10]:.1f}, "
          f"{len(ms)} runs)")


async def main(a):
    with tempfile.TemporaryDirectory() as folder, service.running(a, folder) as (_, address):
        gradio = subprocess.Popen([sys.executable, os.path.join(HERE, "app.py"), str(a.side)], text=True,
                                  stdout=subprocess.PIPE, cwd=folder)
        try:
            client = Client(gradio.stdout.readline().strip(), verbose=False, download_files=folder)
            async with service.connect(address) as ws:
                await ws.send(json.dumps({"type": "previews", "format": "none"}))
                added = {"darkroom": [], "Gradio": []}
                for i in range(a.runs + 3):
                    took, drawing = await ours(ws, address, a)
                    other = await asyncio.to_thread(theirs, client, a, drawing)
                    if i >= 3:  # the first ones open what stays open
                        added["darkroom"].append(took - drawing)
                        added["Gradio"].append(other - drawing)
                print(f"a picture of {a.side}x{a.side}, {a.steps} steps: drawn in {drawing * 1e3:.0f} ms")
                for name, values in added.items():
                    line(name, values)
        finally:
            gradio.terminate()
            gradio.wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=40)
    parser.add_argument("--side", type=int, default=256)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--prompt", default="a red circle on a blue background")
    service.options(parser)
    asyncio.run(main(parser.parse_args()))
