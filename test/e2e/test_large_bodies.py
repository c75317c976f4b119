"""test_large_bodies - pictures inside of JSON, up to the largest body: read in every dialect, and nothing else waits for them.

The model is that of test/golden/edit, which reads pictures and draws nothing that could be recognised."""

import base64
import hashlib
import http.client
import io
import json
import os

os.environ["DARKROOM_TEST_MODEL"] = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "golden", "edit",
                                                 "model")

from PIL import Image  # noqa: E402

from harness import Server, run  # noqa: E402

QUICK = {"prompt": "a red circle", "steps": 2, "seed": 7}
server = Server()


def encoded(seed):
    """A picture whose text is so long that it is decoded while it comes."""
    out = io.BytesIO()
    Image.frombytes("RGB", (128, 96), hashlib.shake_128(bytes([seed])).digest(128 * 96 * 3)).save(out, "PNG")
    text = base64.b64encode(out.getvalue()).decode()
    assert len(text) > 40000
    return text


def post(path, body):
    status, _, answer = server.get(path, "POST", body=body)
    return status, json.loads(answer)


def sources():
    job = json.loads(server.get("/v1/jobs?limit=1")[2])["jobs"][0]
    return job["spec"].get("images", [])


def pixels(digest):
    return Image.open(io.BytesIO(server.get("/v1/images/" + digest)[2])).convert("RGB").tobytes()


def expect(seeds):
    assert [pixels(d) for d in sources()] == [hashlib.shake_128(bytes([s])).digest(128 * 96 * 3) for s in seeds]


def every_dialect():
    """catches: a long picture that is lost, or another one, where a dialect allows it in several forms"""
    head = "data:image/png;base64,"
    forms = [{"image_url": head + encoded(1)}, {"image_url": {"url": encoded(2)}}, encoded(3)]
    status, answer = post("/v1/images/edits", {**QUICK, "size": "64x64", "images": forms})
    assert status == 200, answer
    expect([1, 2, 3])
    status, answer = post("/sdapi/v1/img2img", {**QUICK, "width": 64, "height": 64, "init_images":
                                                [head + encoded(4), encoded(5)]})
    assert status == 200 and "init_images" not in answer["parameters"], answer
    expect([4, 5])
    for image in head + encoded(6), {"url": head + encoded(6)}, [{"path": None, "url": encoded(6)}]:
        status, answer = post("/run/predict", {"data": ["a red circle", "", 64, 64, 2, 1.5, 7, image]})
        assert status == 200, answer
        expect([6])


def what_is_none():
    """catches: long texts that are taken for pictures in other fields, or text without a bound"""
    long = 50000 * "a"
    status, answer = post("/v1/images/edits", {**QUICK, "prompt": long, "images": [encoded(1)]})
    assert status == 422 and answer["error"]["param"] == "prompt", answer
    status, answer = post("/v1/images/edits", {**QUICK, "images": [{"image_url": long + "!"}]})
    assert status == 422 and answer["error"]["param"] == "images", answer
    status, answer = post("/v1/images/edits", {**QUICK, "images": [{"image_url": {"lifted": 0}}]})
    assert status == 422 and answer["error"]["param"] == "images", answer
    status, answer = post("/v1/images/edits", {**QUICK, "images": 5 * [encoded(1)]})
    assert status == 422 and "4" in answer["error"]["message"], answer
    try:
        status, answer = post("/v1/images/edits", {**QUICK, "user": 3000000 * "a "})
    except OSError:
        return  # it was refused while it came
    assert status == 413, (status, answer)


def loop_ns():
    """What the network's thread has computed."""
    with open(f"/proc/{server.process.pid}/task/{server.process.pid}/schedstat") as file:
        return int(file.read().split()[0])


def others_are_served():
    """catches: the largest body read at its end, which would stop everyone else for seconds: 95 % of the thread's time were
    behind its last byte"""
    part = base64.b64encode(hashlib.shake_128(b"x").digest(11900001))
    body = b'{"prompt":"x","init_images":["' + b'","'.join(4 * [part]) + b'"]}'
    assert 60 << 20 < len(body) < 64 << 20
    line = http.client.HTTPConnection(server.host, server.port, timeout=300)
    line.putrequest("POST", "/sdapi/v1/img2img")
    line.putheader("Content-Type", "application/json")
    line.putheader("Content-Length", str(len(body)))
    line.endheaders()
    first = loop_ns()
    for at in range(0, len(body) - 1, 4 << 20):
        line.send(body[at:min(at + (4 << 20), len(body) - 1)])
        assert server.get("/v1/jobs?limit=1")[0] == 200
    while server.get("/v1/jobs?limit=1")[0] != 200:
        pass
    before = loop_ns()
    line.send(body[-1:])
    answer = line.getresponse()
    text = answer.read()
    after = loop_ns()
    assert answer.status == 422 and json.loads(text)["error"] == "bad_image", (answer.status, text)
    share = (after - before) / (after - first)
    print(f"the body: {(before - first) / 1e6:.0f} ms of the thread, behind its last byte {(after - before) / 1e6:.0f} ms")
    assert share < 0.6, f"{share:.2f} of the thread's {(after - first) / 1e6:.0f} ms were behind the last byte"


if __name__ == "__main__":
    run([every_dialect, what_is_none, others_are_served])
