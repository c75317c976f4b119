"""test_gradio - gradio_client, unmodified, the two steps with curl, and scripts for Gradio 3."""

import clients  # first: it goes on in the environment that has the libraries

import base64
import http.client
import json
import os
import re
import subprocess
import threading
import urllib.error
import urllib.parse
import urllib.request

import gradio_client
from gradio_client.snippet import generate_bash_snippet
from gradio_client.utils import Status

from clients import picture
from harness import LONG, QUICK, TMP, Server, run

os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
server = Server(None, "--concurrency", "1", "--job-seconds", "86400", "--queue", "4")
PROMPT = QUICK["prompt"]
NAMES = ["prompt", "negative_prompt", "width", "height", "steps", "guidance", "seed", "image"]
SMALL = [PROMPT, "", 64, 64, 2, 1.5, -1]
LASTING = [PROMPT, "", 512, 512, 200, 1.5, -1]


def client(to=None, **more):
    return gradio_client.Client((to or server).url, verbose=False, analytics_enabled=False,
                                download_files=os.path.join(TMP, "downloads"), **more)


def ask(path, body=None, to=None, **headers):
    """(status, object)"""
    status, _, text = (to or server).get(path, "GET" if body is None else "POST", headers, body)
    return status, json.loads(text)


def jobs(state):
    return ask("/v1/jobs?state=" + state)[1]["jobs"]


def until(true):
    """Poll, as these clients do; what is true."""
    done = threading.Event()
    for _ in range(600):
        got = true()
        if got:
            return got
        done.wait(0.05)
    raise AssertionError("it does not come")


def opened(path):
    with open(path, "rb") as f:
        return picture(f.read())


def an_interface():
    """catches: a client that finds no function, or cannot say what it takes"""
    c = client()
    info = c.view_api(return_format="dict", print_info=False)["named_endpoints"]["/predict"]
    names = [p["parameter_name"] for p in info["parameters"]]
    assert names == NAMES, names
    assert [p["parameter_has_default"] for p in info["parameters"]] == [False] + 7 * [True]
    assert info["parameters"][2]["parameter_default"] == 256
    c.close()


def a_prediction():
    """catches: a picture that the client cannot fetch; arguments by name, or left out, that are taken for others"""
    c = client()
    path, text = c.predict(*SMALL, api_name="/predict")
    assert opened(path) == ("PNG", 64, 64) and os.path.basename(path).startswith("64x64_"), path
    path, text = c.predict(prompt=PROMPT, negative_prompt="a square", width=100, height=70, steps=3, seed=7)
    assert opened(path) == ("PNG", 96, 64)
    assert text.startswith("seed 7, 96x64, 3 steps, guidance 1.5, "), text
    assert "the size 100x70 was brought to 96x64" in text, text
    c.close()


def many_at_once():
    """catches: a stream that ends before its session's jobs, or mixes them up"""
    c = client()
    for _ in range(3):
        all = [c.submit(PROMPT, "", 64, 64, 2, 1.5, seed) for seed in range(4)]
        texts = [j.result(timeout=60)[1] for j in all]
        assert [t.split(",")[0] for t in texts] == ["seed 0", "seed 1", "seed 2", "seed 3"], texts
    c.close()


def more_than_one_stream_follows():
    """gradio_client has 40 threads: the 41st job comes when the first is over, while others are not, into the same stream.
    catches: one that the stream does not follow, as it had so many already, so that the client takes it for cancelled"""
    many = Server(None, "--queue", "100")
    c = gradio_client.Client(many.url, verbose=False)
    jobs = [c.submit(PROMPT, "", 64, 64, 1, 1.5, seed) for seed in range(95)]
    texts = [j.result(timeout=100)[1].split(",")[0] for j in jobs]
    assert texts == [f"seed {i}" for i in range(95)], texts
    body = lambda i: {"data": [PROMPT, "", 64, 64, 1, 1.5, 1000 + i], "fn_index": 0, "session_hash": "many"}
    many.get("/v1/pause", "POST", body={})
    want = [json.loads(many.get("/gradio_api/queue/join", "POST", body=body(i))[2])["event_id"] for i in range(60)]
    with urllib.request.urlopen(many.url + "/gradio_api/queue/data?session_hash=many", timeout=60) as stream:
        many.get("/v1/resume", "POST", body={})
        told = [json.loads(line[6:]) for line in stream if line.startswith(b"data: ")]
    assert sorted(m["event_id"] for m in told if m["msg"] == "process_completed") == sorted(want), "each once, of 60 that wait"
    assert told[-1]["msg"] == "close_stream"
    c.close()
    many.stop()


def the_same_again():
    """catches: a picture that another session has drawn, whose job this session's stream does not find"""
    for _ in range(2):
        c = client()
        path, text = c.submit(PROMPT, "", 64, 64, 3, 1.5, 77).result(timeout=60)
        assert opened(path) == ("PNG", 64, 64) and text.startswith("seed 77, "), text
        c.close()


def states():
    """catches: a wait without a place, a run without steps, a cancel that is none"""
    c = client()
    first = c.submit(*LASTING)
    until(lambda: first.status().code == Status.PROGRESS)
    unit = until(lambda: (d := first.status().progress_data) and d[0].progress and d[0])
    assert 0 < unit.progress < 1 and unit.length > 0 and unit.desc in ("glyph", "prior", "denoise"), unit
    second = c.submit(*LASTING)
    until(lambda: len(jobs("queued")) == 1)  # each call has a thread: the order is theirs
    third = c.submit(*LASTING)
    waits = until(lambda: (s := third.status()).code == Status.IN_QUEUE and s.eta and s)
    assert waits.rank == 1 and waits.queue_size == 3 and waits.eta > 0, waits
    for job in (third, second, first):
        job.cancel()
    until(lambda: not jobs("queued") and not jobs("running"))
    assert c.predict(*SMALL)[1].startswith("seed "), "the session goes on"
    c.close()


def errors():
    """catches: a failure that the client does not show, or takes for another one"""
    c = client()
    for data, word in ((["", "", 64, 64, 2, 1.5, 1], "prompt"), ([7, "", 64, 64, 2, 1.5, 1], "prompt")):
        try:
            c.predict(*data)
            raise AssertionError(f"{data} is drawn")
        except Exception as e:
            assert type(e).__name__ == "ValidationError" and word in str(e), (type(e), e)
    running = c.submit(*LASTING)
    until(lambda: jobs("running"))
    all = [c.submit(*LASTING) for _ in range(4)]
    until(lambda: len(jobs("queued")) == 4)
    try:
        c.predict(*SMALL)
        raise AssertionError("a full queue takes more")
    except Exception as e:
        assert "full" in str(e), e
    for j in jobs("queued") + jobs("running"):
        server.get("/v1/jobs/" + j["job"], "DELETE")
    for job in (running, *all):
        assert "cancelled" in str(job.exception(timeout=60)), job.exception()
    c.close()


def two_steps():
    """As Gradio's page on curl shows it. catches: an event that is not found, data that is cut"""
    at = server.url + "/gradio_api/call/predict"
    first = subprocess.run(["curl", "-s", "-X", "POST", at, "-H", "Content-Type: application/json", "-d",
                            json.dumps({"data": [PROMPT, "", 1000, 70, 2, 1.5, 5]})], capture_output=True, text=True)
    event = json.loads(first.stdout)["event_id"]
    for _ in range(2):  # also when it is over
        second = subprocess.run(["curl", "-s", "-N", f"{at}/{event}"], capture_output=True, text=True)
        found = re.fullmatch(r"event: complete\ndata: (.*)\n\n", second.stdout)
        file, text = json.loads(found.group(1))
        assert "the size 1000x70 was brought to 512x128" in text, text
        assert file["meta"] == {"_type": "gradio.FileData"} and file["orig_name"].startswith("512x128_")
        got = server.get(urllib.parse.urlsplit(file["url"]).path)
        assert got[0] == 200 and picture(got[2]) == ("PNG", 512, 128) and len(got[2]) == file["size"]
    assert ask("/gradio_api/call/predict/0123456789abcdef")[0] == 404
    assert server.get("/gradio_api/file=outputs/64x64_" + 64 * "0" + ".png")[0] == 404
    assert server.get("/gradio_api/file=outputs/../darkroom.db")[0] == 404


def its_own_snippet():
    """What gradio_client writes for curl, with the arguments by their names.
    catches: arguments by name that are taken for others; one that there is not, taken in silence"""
    c = client()
    info = c.view_api(return_format="dict", print_info=False)["named_endpoints"]["/predict"]
    parameters = info["parameters"][:len(SMALL)]  # an example of a picture would be somebody else's file
    for parameter, value in zip(parameters, SMALL):
        parameter["parameter_default"] = parameter["example_input"] = value
    script = generate_bash_snippet("/predict", parameters, server.url, "/gradio_api/")
    assert "/gradio_api/call/v2/predict" in script, script
    done = subprocess.run(["bash", "-O", "lastpipe", "-c", script], capture_output=True, text=True, timeout=60)
    file, text = json.loads(re.search("event: complete\ndata: (.*)\n", done.stdout).group(1))
    assert file["orig_name"].startswith("64x64_") and "64x64, 2 steps, guidance 1.5" in text, done
    status, answer = ask("/gradio_api/call/v2/predict", {"seed": 7, "prompt": PROMPT, "steps": 2})
    found = server.get("/gradio_api/call/predict/" + answer["event_id"])[2].decode()
    assert "seed 7, 256x256, 2 steps" in found, found
    for named, field in (({"prompt": PROMPT, "sampler": "Euler"}, "sampler"), ({"steps": 2}, "prompt")):
        status, answer = ask("/gradio_api/call/v2/predict", named)
        assert status == 422 and answer["detail"][0]["parameter_name"] == field, answer
    c.close()


def javascript():
    """catches: the same for the library for JavaScript"""
    done = subprocess.run(["node", clients.ROOT + "/test/clients/gradio.mjs", server.url, clients.NODE_MODULES],
                          capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    got = json.loads(done.stdout)
    assert got["names"] == NAMES, got["names"]
    for key, seed in (("one", 7), ("two", 8), ("data", 9)):
        file, text = got[key]
        assert text.startswith(f"seed {seed}, 64x64, 4 steps"), text
        data = server.get(urllib.parse.urlsplit(file["url"]).path)[2]
        assert picture(data) == ("PNG", 64, 64)
    assert got["stages"][-1] == "complete" and set(got["stages"][:-1]) <= {"pending", "generating"}, got["stages"]
    assert "prompt is empty" in got["error"], got["error"]


def scripts():
    """Scripts for the interface of Gradio 3 and 4.
    catches: an answer that is none of a data URL; a size that is changed in secret"""
    for path in ("/api/predict", "/api/predict/", "/run/predict", "/gradio_api/api/predict", "/gradio_api/run/predict"):
        status, answer = ask(path, {"data": [PROMPT, "a square", 60, 64, 2, 1.5, 3], "fn_index": 0, "session_hash": "x"})
        assert status == 200 and answer["is_generating"] is False and answer["duration"] > 0, answer
        url, text = answer["data"]
        assert url.startswith("data:image/png;base64,")
        assert picture(base64.b64decode(url.split(",")[1])) == ("PNG", 64, 64)
        for note in ("seed 3", "the size 60x64 was brought to 64x64", "negative_prompt is accepted and not used"):
            assert note in text, text
    status, answer = ask("/run/predict", {"data": [PROMPT]})
    assert status == 200 and "256x256" in answer["data"][1]
    for body in ({}, {"data": []}, {"data": 8 * [1]}, {"data": [""]}):
        status, answer = ask("/run/predict", body)
        assert status == 422 and answer["error"] and answer["detail"][0]["is_valid"] is False, answer


def odd_data():
    """catches: numbers sent as text that are left out in secret; digits without end in a note"""
    status, answer = ask("/api/predict", {"data": [PROMPT, "", "64", " 96 ", "2", "1.25", "7"]})
    assert status == 200 and "seed 7, 64x96, 2 steps, guidance 1.25" in answer["data"][1], (status, answer["data"][1:])
    status, answer = ask("/api/predict", {"data": [PROMPT, None, 64, 64, 2, "", None, None]})
    assert status == 200 and ", 64x64, 2 steps, guidance 1.5" in answer["data"][1], (status, answer)
    for place, name in enumerate(("width", "height", "steps", "guidance", "seed"), 2):
        for wrong in ("abc", "12abc", "inf", "0x40", True, [64], {}):
            data = [PROMPT, "", 64, 64, 2, 1.5, 3]
            data[place] = wrong
            status, answer = ask("/api/predict", {"data": data})
            assert status == 422 and answer["detail"][0]["parameter_name"] == name, (name, wrong, status, answer)
    status, answer = ask("/api/predict", {"data": [PROMPT, "", 1e300, 64, 1, 1.5, 3]})
    assert status == 200 and "the size 1e+300x64 was brought to" in answer["data"][1], answer["data"][1:]
    mean = ask("/v1/queue")[1]["avg_event_process_time"]
    assert mean > 0 and abs(answer["average_duration"] - mean) < 1e-6, (answer["average_duration"], mean)


def without_the_prefix():
    """Addresses as Gradio 3 and 4 had them.
    catches: one that there is with /gradio_api alone"""
    assert ask("/info") == ask("/gradio_api/info")
    status, answer = ask("/call/predict", {"data": SMALL})
    assert status == 200, answer
    text = server.get("/call/predict/" + answer["event_id"])[2].decode()
    assert text.startswith("event: complete\n") and "outputs/64x64_" in text, text
    status, answer = ask("/queue/join", {"data": SMALL, "fn_index": 0, "session_hash": "old"})
    assert '"process_completed"' in server.get("/queue/data?session_hash=old")[2].decode()
    assert ask("/cancel", {"event_id": answer["event_id"]}) == (200, {"success": True})
    assert ask("/reset", {"event_id": None}) == (200, {"success": True})
    assert server.status("/heartbeat/old") == 200
    status, answer = ask("/queue/status")
    assert status == 200 and {"queue_size", "avg_event_process_time", "rank_eta", "queue_eta"} <= set(answer), answer
    for nothing in ("no-event", 16 * "0"):
        assert server.get("/call/predict/" + nothing)[0] == 404, nothing
    assert server.get("/upload")[1]["Allow"] == "POST"


def streams():
    """catches: a line that gradio_client does not take; a session that sees another's jobs"""
    lines = {}
    for session in ("ada", "ben"):
        status, answer = ask("/gradio_api/queue/join", {"data": SMALL, "fn_index": 0, "session_hash": session})
        lines[session] = answer["event_id"]
    for session, event in lines.items():
        data = server.get("/gradio_api/queue/data?session_hash=" + session)[2].decode()
        blocks = [b for b in data.split("\n\n") if b]
        assert all(b.startswith("data: ") for b in blocks), data
        messages = [json.loads(b[6:]) for b in blocks]
        assert {m["event_id"] for m in messages} == {event, None} and messages[-1]["msg"] == "close_stream", messages
        assert [m["success"] for m in messages if m["msg"] == "process_completed"] == [True]
    line = http.client.HTTPConnection(server.host, server.port, timeout=20)
    line.request("GET", "/gradio_api/heartbeat/ada")
    answer = line.getresponse()
    assert answer.headers["Content-Type"] == "text/event-stream" and answer.readline() == b"data: ALIVE\n"
    line.close()
    assert server.get("/gradio_api/queue/data")[0] == 422
    assert ask("/gradio_api/cancel", {"fn_index": 0, "session_hash": "ada", "event_id": lines["ada"]})[0] == 200
    assert ask("/gradio_api/reset", {"event_id": None}) == (200, {"success": True})


def signing_in():
    """All ways of the two clients to say who one is.
    catches: a way that ends in an error; a wrong password that gets in, or a guest's token that gets a cookie"""
    closed = Server()
    token = closed.user("add", "ada")
    for way in ({"auth": ("ada", token)}, {"token": token}, {"headers": {"Authorization": "Bearer " + token}},
                {"auth": ("any name", token), "token": "hf_of_another_service"}):
        c = client(closed, **way)
        path, _ = c.predict(*SMALL)
        assert opened(path) == ("PNG", 64, 64), way
        c.close()
    status, job = ask("/v1/jobs?wait=50", {"spec": QUICK}, closed, Authorization="Bearer " + token)
    status, shared = ask(f"/v1/jobs/{job['job']}/share", {}, closed, Authorization="Bearer " + token)
    for wrong in ("guess", "", token[:-1], token + "1", shared["token"]):
        try:
            client(closed, auth=("ada", wrong))
            raise RuntimeError("signed in with " + wrong)
        except gradio_client.exceptions.AuthenticationError:
            pass
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    post = lambda text: urllib.request.urlopen(urllib.request.Request(closed.url + "/login", text.encode(), form))
    for text in ("", "password", "password=" + 5000 * "x", "username=ada", "password=%zz", "password=%00" + token):
        try:
            raise RuntimeError(text, post(text).status)
        except urllib.error.HTTPError as e:
            assert e.code == 401 and "Set-Cookie" not in e.headers, (text, e.code)
    for way, value, code in (("AUTH", token, 0), ("TOKEN", token, 0), ("AUTH", "guess", 1)):
        node = subprocess.run(["node", clients.ROOT + "/test/clients/gradio.mjs", closed.url, clients.NODE_MODULES],
                              capture_output=True, text=True, timeout=120, env={**os.environ, way: value})
        assert node.returncode == code, (way, value, node.returncode, node.stderr)
        assert code or json.loads(node.stdout)["data"], node.stdout
    c = client(auth=("any", "thing"))  # a server without users asks nobody
    c.close()
    closed.stop()


def users():
    """catches: a session that is reached with another user's token"""
    closed = Server()
    token = {name: closed.user("add", name) for name in ("ada", "ben")}
    bearer = lambda name: {"Authorization": "Bearer " + token[name]}
    c = client(closed, headers=bearer("ada"))
    path, _ = c.predict(*SMALL)
    assert opened(path) == ("PNG", 64, 64)
    status, answer = ask("/gradio_api/call/predict", {"data": SMALL}, closed, **bearer("ada"))
    assert ask("/gradio_api/call/predict/" + answer["event_id"], None, closed, **bearer("ben"))[0] == 404
    assert ask("/gradio_api/cancel", {"event_id": answer["event_id"]}, closed, **bearer("ben"))[0] == 404
    assert closed.get("/config")[0] == 401
    c.close()
    token["root"] = closed.user("add", "root", "--role", "admin")
    status, job = ask("/v1/jobs", {"spec": LONG}, closed, **bearer("ada"))
    page = lambda name: closed.get("/queue", headers={"Accept": "text/html", **bearer(name)})[2].decode()
    assert "<th>User</th>" in page("root") and f"<td>ada</td><td>{job['job']}</td>" in page("root"), page("root")
    assert "ada" not in page("ben") and job["job"] not in page("ben"), page("ben")
    closed.stop()


run([an_interface, a_prediction, many_at_once, more_than_one_stream_follows, the_same_again, states, errors, two_steps, its_own_snippet, javascript, scripts,
     odd_data, without_the_prefix, streams, signing_in, users])
