"""test_http - /v1 with plain HTTP clients: jobs, their events as a stream, waits, errors, and what a connection does."""

import base64
import gzip
import http.client
import json
import os
import re
import socket
import subprocess
import threading
import time

from harness import LONG, QUICK, Server, run

server = Server(None, "--concurrency", "1", "--job-seconds", "86400")
ENDLESS = {**LONG, "width": 512, "height": 512}  # runs until it is cancelled, on a machine of any speed


class Line:
    """One connection that is kept."""

    def __init__(self, to=None):
        self.http = http.client.HTTPConnection((to or server).host, (to or server).port, timeout=60)

    def ask(self, method, path, body=None, **headers):
        """(status, headers, object or None)"""
        headers = {k.replace("_", "-"): v for k, v in headers.items()}
        if body is not None:
            headers["Content-Type"] = "application/json"
        self.http.request(method, path, None if body is None else json.dumps(body), headers)
        answer = self.http.getresponse()
        text = answer.read()
        return answer.status, answer.headers, json.loads(text) if text else None

    def submit(self, spec, path="/v1/jobs", **headers):
        status, head, job = self.ask("POST", path, {"spec": spec}, **headers)
        assert status in (200, 202), (status, job)
        assert head["Location"] == "/v1/jobs/" + job["job"], head
        return job


class Stream:
    """A stream of server-sent events: dictionaries of id, event and data; {"comment": ..} for a comment."""

    def __init__(self, path, **headers):
        self.http = http.client.HTTPConnection(server.host, server.port, timeout=60)
        self.http.request("GET", path, headers={k.replace("_", "-"): v for k, v in headers.items()})
        self.answer = self.http.getresponse()
        assert self.answer.status == 200, (self.answer.status, self.answer.read())
        assert self.answer.headers["Content-Type"] == "text/event-stream"

    def __iter__(self):
        event = {}
        while True:
            line = self.answer.readline().decode()
            if not line:
                return
            name, _, value = line.rstrip("\n").partition(": ")
            if name == "data":
                value = json.loads(value)
            if line == "\n":
                if event and "retry" not in event:
                    yield event
                event = {}
            elif line.startswith(":"):
                yield {"comment": line}
            else:
                event[name] = value

    def close(self):
        self.http.close()


def a_job():
    """catches: an accepted job that is nowhere, an answer in other words than those of list"""
    line = Line()
    job = line.submit(QUICK, "/v1/jobs?wait=50")
    assert job["state"] == "done" and job["spec"]["prompt"] == QUICK["prompt"], job
    status, head, picture = line.http.request("GET", job["result"]["url"]), None, line.http.getresponse()
    assert picture.status == 200 and picture.read()[:4] == b"\x89PNG"
    assert line.ask("GET", "/v1/jobs/" + job["job"])[2] == job
    rows = line.ask("GET", "/v1/jobs?state=done&limit=1")[2]["jobs"]
    assert [{"type": "job", **r} for r in rows] == [job]
    assert line.ask("GET", f"/v1/jobs?before={job['job']}")[2]["jobs"] == []
    assert line.ask("HEAD", "/v1/jobs/" + job["job"])[2] is None
    status, _, problem = line.ask("DELETE", "/v1/jobs/" + job["job"])
    assert status == 409 and problem["code"] == "conflict", problem
    assert line.ask("POST", f"/v1/jobs/{job['job']}/delete")[2]["re"] == "delete"
    assert line.ask("GET", "/v1/jobs/" + job["job"])[0] == 404


def several():
    """catches: pictures of one request that cannot be told apart, or are not waited for"""
    line = Line()
    status, _, job = line.ask("POST", "/v1/jobs?wait=50", {"spec": QUICK, "n": 2})
    assert status == 200 and job["state"] == "done" and len(job["cells"]) == 2, job
    cells = line.ask("GET", "/v1/jobs?parent=" + job["job"])[2]["jobs"]
    assert {c["job"] for c in cells} == set(job["cells"]) and len({c["result"]["digest"] for c in cells}) == 2
    assert list(Stream(f"/v1/jobs/{job['job']}/events"))[-1]["data"]["state"] == "done"


def results():
    """catches: a picture that no search finds, one that a search finds and is gone, a count that is not of the search"""
    line = Line()
    before = line.ask("GET", "/v1/jobs?results=true&search=gallery")[2]
    assert before["count"] == 0 and before["jobs"] == [], before
    jobs = [line.submit({**QUICK, "prompt": f"A gallery of {i} boats", "seed": i}, "/v1/jobs?wait=50") for i in range(3)]
    found = line.ask("GET", "/v1/jobs?results=true&search=boats%20GALLERY&limit=2")[2]
    assert [{"type": "job", **r} for r in found["jobs"]] == [jobs[2], jobs[1]], found
    assert found["count"] == 3 and found["more"] is True
    assert {"width": QUICK["width"], "height": QUICK["height"]}.items() <= found["sizes"][0].items(), found
    last = line.ask("GET", "/v1/jobs?results=true&search=gallery&limit=2&skip=2")[2]
    assert [r["job"] for r in last["jobs"]] == [jobs[0]["job"]] and not last["more"]
    line.ask("POST", f"/v1/jobs/{jobs[0]['job']}/favourite", {})
    line.ask("POST", f"/v1/jobs/{jobs[1]['job']}/delete")
    marked = line.ask("GET", "/v1/jobs?results=true&search=gallery&favourite=true")[2]
    assert [r["job"] for r in marked["jobs"]] == [jobs[0]["job"]], marked
    assert line.ask("GET", "/v1/jobs?results=true&search=gallery")[2]["count"] == 2
    assert line.ask("GET", "/v1/jobs?search=gallery")[2]["field"] == "search"


def thumbnails():
    """catches: a thumbnail that is large, is made each time anew, or stays when its picture is deleted"""
    line = Line()
    job = line.submit({**QUICK, "width": 512, "height": 320, "prompt": "a wide boat"}, "/v1/jobs?wait=50")
    url = job["result"]["url"].replace("/i/", "/t/").replace(".png", ".jpg")

    def get(path, **headers):
        line.http.request("GET", path, headers=headers)
        answer = line.http.getresponse()
        return answer.status, answer.headers, answer.read()

    status, head, made = get(url)
    assert status == 200 and head["Content-Type"] == "image/jpeg" and "immutable" in head["Cache-Control"], head
    start = made.index(b"\xff\xc0")  # a frame: length, bits, height, width
    assert (int.from_bytes(made[start + 7:start + 9], "big"), int.from_bytes(made[start + 5:start + 7], "big")) == (256, 160)
    outputs = os.path.join(server.data, "outputs")
    line.ask("GET", "/v1/jobs?results=true")  # behind it the thumbnail is kept
    ours = sorted(n for n in os.listdir(outputs) if job["result"]["digest"] in n)
    assert [n[-4:] for n in ours] == [".jpg", ".png"], ours
    assert get(url)[2] == made and get(url, **{"If-None-Match": head["ETag"]})[0] == 304
    assert get(url.replace(".jpg", ".png"))[0] == get(url.replace("/t/", "/i/"))[0] == get("/t/" + "0" * 64 + ".jpg")[0] == 404
    line.ask("POST", f"/v1/jobs/{job['job']}/delete")
    line.ask("GET", "/v1/jobs?results=true")
    assert get(url)[0] == 404 and not [n for n in os.listdir(outputs) if job["result"]["digest"] in n]


def keys():
    """catches: a request that is sent again and draws again; a key that finds another request"""
    line = Line()
    first = line.submit(QUICK, Idempotency_Key="k1")
    again = line.submit(QUICK, "/v1/jobs?wait=50", Idempotency_Key='"k1"')
    assert again["state"] == "done"
    assert first["job"] == again["job"] and first["key"] == "k1"
    status, _, problem = line.ask("POST", "/v1/jobs", {"spec": {**QUICK, "seed": 9}}, Idempotency_Key="k1")
    assert status == 409 and problem["field"] == "key"
    status, _, problem = line.ask("POST", "/v1/jobs", {"spec": QUICK, "key": "k2"}, Idempotency_Key="k1")
    assert status == 422 and problem["field"] == "key"
    status, _, problem = line.ask("POST", "/v1/jobs", {"spec": QUICK}, Idempotency_Key=b"k\xff")
    assert status == 400 and problem["code"] == "bad_utf8" and problem["field"] == "key", problem


def waiting():
    """catches: a wait that has no end, or does not see the end of a job that waits"""
    line, other = Line(), Line()
    running = line.submit(ENDLESS)
    before = time.monotonic()
    job = line.submit(QUICK, "/v1/jobs?wait=1")
    assert job["state"] == "queued" and job["position"] == 1, job
    assert 1 <= time.monotonic() - before < 20
    shown = []
    thread = threading.Thread(target=lambda: shown.append(other.ask("GET", f"/v1/jobs/{job['job']}?wait=50")))
    thread.start()
    assert line.ask("DELETE", "/v1/jobs/" + running["job"])[2]["type"] == "ok"
    thread.join()
    assert shown[0][0] == 200 and shown[0][2]["state"] == "done", shown
    assert line.ask("GET", f"/v1/jobs/{running['job']}?wait=50")[2]["state"] == "cancelled"


def preferences():
    """catches: a preference that is not kept, or said to be; one that is an error"""
    line = Line()
    status, head, job = line.ask("POST", "/v1/jobs", {"spec": QUICK}, Prefer="respond-async, wait=50")
    assert status == 200 and job["state"] == "done" and head["Preference-Applied"] == "wait=50", (status, head)
    running = line.submit(ENDLESS)
    status, head, _ = line.ask("POST", "/v1/jobs", {"spec": QUICK}, Prefer="respond-async")
    assert status == 202 and head["Preference-Applied"] == "respond-async", (status, head)
    for prefer, query, applied in (("Wait=0", "", "wait=0"), ('wait="0"', "", "wait=0"), ("return=minimal", "", None), ("wait", "", None),
                                   ("respond-asynchronous", "", None), ("wait=50", "?wait=0", None)):
        status, head, job = line.ask("GET", f"/v1/jobs/{running['job']}{query}", Prefer=prefer)
        assert status == 200 and job["state"] in ("queued", "running"), job
        assert head["Preference-Applied"] == applied, (prefer, head)
    line.ask("POST", "/v1/cancel", {"all": True})
    status, head, job = line.ask("GET", f"/v1/jobs/{running['job']}", Prefer="wait=999999999")
    assert job["state"] == "cancelled" and head["Preference-Applied"] == "wait=50", head


def pages():
    """catches: a next page that is not the next, or that there is not; a filter that is lost on the way"""
    line = Line()
    want = [j["job"] for j in line.ask("GET", "/v1/jobs?state=done&limit=200")[2]["jobs"]]
    assert len(want) > 2, want
    got, path = [], "/v1/jobs?state=done&limit=2"
    first = f'<{path}>; rel="first"'
    while path:
        status, head, page = line.ask("GET", path)
        got += [j["job"] for j in page["jobs"]]
        links = head["Link"].split(", ")
        assert status == 200 and links[0] == first and len(links) == 1 + page["more"], head
        path = re.fullmatch('<(.*)>; rel="next"', links[1]).group(1) if page["more"] else None
    assert got == want, (got, want)
    kept, path = [], "/v1/jobs?results=true&limit=2&search=red"
    while path:
        _, head, page = line.ask("GET", path)
        kept += [j["job"] for j in page["jobs"]]
        found = re.search('<([^<]*)>; rel="next"', head["Link"])
        path = found and found.group(1)
    assert len(kept) == len(set(kept)) == page["count"] > 2, (kept, page)
    assert "Link" not in line.ask("GET", '/v1/jobs?results=true&search=">')[1]
    assert line.ask("GET", "/v1/jobs")[1]["Link"].startswith('</v1/jobs>; rel="first"')
    assert "Link" not in line.ask("POST", "/v1/list", {"limit": 1})[1]


def what_is_accepted():
    """catches: an answer of a type that the client has excluded, and a refusal of what it takes"""
    line = Line()
    job = line.ask("GET", "/v1/jobs?limit=1")[2]["jobs"][0]["job"]
    for path, accept, status in (
            ("/v1/jobs", "application/json", 200), ("/v1/jobs", "text/html", 406), ("/v1/jobs", "text/html, */*;q=0.1", 200),
            ("/v1/jobs", "application/json;q=0, */*", 406), ("/v1/stats", "image/png", 406), ("/queue", "image/png", 406),
            (f"/v1/jobs/{job}/events", "application/json", 406), ("/healthz", "image/png", 200),
            ("/sdapi/v1/options", "text/html", 200)):
        got, head, answer = line.ask("GET", path, Accept=accept)
        assert got == status, (path, accept, got)
        if status == 406:
            assert head["Content-Type"] == "application/problem+json" and answer["field"] == "Accept", answer
    before = len(line.ask("GET", "/v1/jobs?limit=200")[2]["jobs"])
    assert line.ask("POST", "/v1/jobs", {"spec": QUICK}, Accept="image/png")[0] == 406
    assert len(line.ask("GET", "/v1/jobs?limit=200")[2]["jobs"]) == before, "refused, and drawn all the same"


def addresses_of_dialects():
    """catches: a wrong address or method that is refused in another form than the dialect's clients read"""
    line = Line()
    for method, path, status, keys in (
            ("GET", "/v1/images/generations", 405, {"error"}), ("POST", "/v1/images/none", 404, {"error"}),
            ("DELETE", "/v1/models/gpt-image-1", 405, {"error"}),
            ("GET", "/sdapi/v1/txt2img", 404, {"error", "detail", "body", "errors"}),
            ("PUT", "/sdapi/v1/options", 405, {"error", "detail", "body", "errors"}),
            ("GET", "/internal/none", 404, {"error", "detail", "body", "errors"}),
            ("GET", "/gradio_api/queue/join", 405, {"error", "detail", "code"}),
            ("GET", "/gradio_api/none/x/y", 404, {"error", "detail", "code"}),
            ("GET", "/run/predict", 405, {"error", "detail", "code"}), ("POST", "/run/other", 404, {"error", "detail", "code"}),
            ("POST", "/call/predict/x/y", 404, {"error", "detail", "code"}), ("GET", "/api/other", 404, {"error", "detail", "code"}),
            ("POST", "/v1/chat/completions", 404, {"error"}), ("GET", "/v1/chat", 404, {"error"}), ("DELETE", "/v1/files/x", 404, {"error"}),
            ("POST", "/v1/chat%2Fcompletions", 404, {"error"}), ("POST", "/v1/jobsx", 404, {"error"}),
            ("GET", "/upload", 405, {"error", "detail", "code"})):
        got, head, answer = line.ask(method, path)
        assert got == status and set(answer) == keys, (path, got, answer)
        assert head["Content-Type"] == "application/json" and (status != 405 or head["Allow"]), head


def ours_alone():
    """catches: an address of this server's own that is refused in another's form"""
    line = Line()
    for method, path in (("GET", "/v1/jobs/x/y/z"), ("GET", "/v1/hold"), ("POST", "/v1/watch"), ("PUT", "/v1/quote"), ("GET", "/v1/images/none"),
                         ("GET", "/v1/stats/none"), ("GET", "/v2/chat"), ("GET", "/v1"), ("POST", "/v1/queue"), ("GET", "/none")):
        got, head, answer = line.ask(method, path)
        assert got in (404, 405) and head["Content-Type"] == "application/problem+json" and answer["code"], (path, got, answer)


def said_twice():
    """catches: what says two things, of which one is taken in silence: parameters, headers; and what nobody reads"""
    line, job = Line(), "0123456789abcdef"
    for method, path, field in (
            ("POST", "/v1/jobs?wait=50&wait=1", "wait"), ("POST", "/v1/jobs?wait=1&w%61it=1", "wait"), ("GET", f"/v1/jobs/{job}?wait=1&wait=0", "wait"),
            ("GET", f"/v1/jobs/{job}/events?seq=1&seq=2", "seq"), ("GET", f"/v1/jobs/{job}/events?previews=1&previews=0", "previews"),
            ("GET", f"/v1/jobs/{job}/events?max_px=64&previews=1&max_px=65", "max_px"), ("GET", "/v1/quote?prompt=a&prompt=b", "prompt"),
            ("GET", "/v1/jobs?limit=1&limit=2", "limit"), ("GET", "/v1/stats?x=1", "x"), ("GET", "/v1/queue?x=1&x=2", "x"), ("GET", "/v1/queue?x=1", "x"),
            ("GET", "/v1/model?x", "x"), ("GET", "/v1/session?x", "x"), ("GET", "/v1/stats/events?x", "x"), ("GET", "/v1/images?x", "x"),
            ("DELETE", "/v1/images/" + 64 * "0" + "?x", "x"), ("GET", "/v1/images/" + 64 * "0" + "?x", "x"), ("POST", "/v1/pause?x", "x")):
        status, head, answer = line.ask(method, path, {"spec": QUICK} if method == "POST" else None)
        assert (status, answer["code"], answer["field"]) == (422, "bad_field", field) and answer["hint"], (path, status, answer)
        assert head["Content-Type"] == "application/problem+json", head
    for path, keys in (("/sdapi/v1/progress?skip_current_image=true&skip_current_image=false", {"error", "detail", "body", "errors"}),
                       ("/gradio_api/queue/data?session_hash=a&session_hash=b", {"error", "detail", "code"}), ("/v1/models?a&a", {"error"})):
        status, _, answer = line.ask("GET", path)
        assert status == 422 and set(answer) == keys, (path, status, answer)
    assert line.ask("GET", "/sdapi/v1/progress?skip_current_image=True")[0] == 200 and line.ask("GET", "/queue?x=1")[0] == 200
    assert line.ask("GET", "/v1/queue?x=%zz")[2]["code"] == "bad_request"
    assert line.ask("GET", "/healthz?a=1&a=2&b=%zz")[0] == 200  # whatever a probe puts there
    for name in ("Idempotency-Key", "Last-Event-ID", "Range", "If-Range", "Content-Type"):
        line = Line()
        line.http.putrequest("GET", "/v1/jobs")
        line.http.putheader(name, "1")
        line.http.putheader(name, "2")
        line.http.endheaders()
        answer = line.http.getresponse()
        problem = json.loads(answer.read())
        assert answer.status == 400 and problem["field"] == name.lower(), (name, problem)


def words_of_a_path():
    """catches: an escaped slash that parts words, so that a proxy and this server see two addresses; one that is lost inside a word"""
    line = Line()
    for path in ("/v1%2fqueue", "/v1%2Fqueue", "/v1/jobs%2F0123456789abcdef", "/%2Fv1/queue", "/v1/queue%2f", "/healthz%2F", "%2Fhealthz",
                 "/sdapi%2fv1/options", "/sdapi/v1/x%2Foptions", "/gradio_api%2Finfo", "/i%2F" + 64 * "0" + ".png"):
        assert line.ask("GET", path)[0] in (400, 404), path
        line = Line()
    assert line.ask("GET", "/v1/%71ueue")[0] == 200
    status, _, answer = line.ask("GET", "/v1/models/someone%2Fa-model")
    assert status == 404 and '"someone/a-model"' in answer["error"]["message"], answer


def every_command():
    """catches: a command of the table that has no address"""
    line = Line()
    running, waits = line.submit(ENDLESS), line.submit(QUICK)
    at = "/v1/jobs/" + waits["job"]
    assert line.ask("POST", at + "/hold")[2] == {"type": "ok", "re": "hold", "job": waits["job"], "state": "queued"}
    assert line.ask("GET", at)[2]["position"] == 0
    assert line.ask("POST", at + "/release", {})[0] == 200
    assert line.ask("POST", at + "/reorder", {"before": None})[0] == 200
    assert line.ask("POST", at + "/reorder")[2]["field"] == "before"
    assert line.ask("POST", "/v1/pause")[0] == 200
    assert line.ask("GET", "/v1/quote?prompt=a+%E2%97%8F&width=128&guidance=2.5")[2]["spec"]["guidance"] == 2.5
    assert line.ask("POST", "/v1/resume")[0] == 200
    assert line.ask("GET", "/v1/stats")[2]["running"] == 1
    assert line.ask("GET", "/v1/model")[2]["protocol"] == "darkroom.v1"
    assert line.ask("POST", "/v1/cancel", {"all": True})[2]["count"] == 2
    for name in ("watch", "unwatch", "nonsense"):
        assert line.ask("POST", f"{at}/{name}")[0] == 404
    assert line.ask("POST", at + "/favourite")[0] == 200 and line.ask("GET", at)[2]["favourite"] is True
    assert line.ask("POST", at + "/favourite", {"on": False})[0] == 200 and "favourite" not in line.ask("GET", at)[2]
    assert line.ask("POST", "/v1/hold")[0] == 404 and line.ask("POST", "/v1/previews")[0] == 404
    assert line.ask("GET", f"/v1/jobs/{running['job']}?wait=50")[2]["state"] == "cancelled"


def events():
    """catches: a stream that misses an event, gives one twice, or does not end"""
    line = Line()
    job = line.submit({**QUICK, "steps": 8})["job"]
    seen = list(Stream(f"/v1/jobs/{job}/events"))
    assert [e["data"]["seq"] for e in seen] == [int(e["id"]) for e in seen]
    assert all(e["event"] == e["data"]["type"] and e["data"]["job"] == job for e in seen)
    ids = [int(e["id"]) for e in seen]
    assert ids == sorted(set(ids)) and seen[0]["event"] == "accepted" and seen[-1]["event"] == "end"
    resumed = list(Stream(f"/v1/jobs/{job}/events", Last_Event_ID=str(ids[-2])))
    assert resumed == seen[-1:], resumed
    assert list(Stream(f"/v1/jobs/{job}/events?seq={ids[-2]}")) == resumed
    status, _, nothing = line.ask("GET", f"/v1/jobs/{job}/events", Last_Event_ID=str(ids[-1]))
    assert status == 204 and nothing is None
    assert line.ask("GET", f"/v1/jobs/{job}/events", Last_Event_ID="x")[0] == 422


def previews():
    """catches: previews that nobody asked for, or that are no pictures"""
    line = Line()
    job = line.submit({**LONG, "steps": 30})["job"]
    without = Stream(f"/v1/jobs/{job}/events")
    images = [e["data"] for e in Stream(f"/v1/jobs/{job}/events?previews=1&max_px=64") if e["event"] == "preview"]
    assert images and all(base64.b64decode(i["data"])[:2] == b"\xff\xd8" for i in images)
    assert all(max(i["width"], i["height"]) <= 64 and i["mime"] == "image/jpeg" for i in images)
    assert all(e["event"] != "preview" for e in without)


def statistics():
    """catches: statistics that stand still"""
    stream, line = iter(Stream("/v1/stats/events")), Line()
    assert next(stream)["data"]["running"] == 0
    line.submit(ENDLESS)
    assert any(e.get("data", {}).get("running") == 1 for e in stream)
    line.ask("POST", "/v1/cancel", {"all": True})
    assert any(e.get("data", {}).get("running") == 0 for e in stream)


def a_reader_that_stops():
    """catches: a stream that fills memory for who does not read, or holds up others"""
    line = Line()
    job = line.submit({**LONG, "steps": 60})["job"]
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    sock.connect((server.host, server.port))
    sock.sendall(f"GET /v1/jobs/{job}/events?previews=1&max_px=512&format=png HTTP/1.1\r\nHost: x\r\n\r\n".replace(
        "Host: x", "Host: localhost").encode())
    got, state = b"", ""
    while state != "done":  # on a slow machine too: who takes nothing for 30 s is closed
        got += sock.recv(4096)
        state = line.ask("GET", f"/v1/jobs/{job}?wait=10")[2]["state"]
    while b"\r\n0\r\n\r\n" not in got:
        more = sock.recv(65536)
        assert more, got[-200:]
        got += more
    assert b"event: end" in got and len(got) < 4 << 20
    sock.close()


def clients_that_leave():
    """catches: requests of clients that have gone and are kept"""
    line = Line()
    running = line.submit(ENDLESS)["job"]
    socks = []
    for path in (f"/v1/jobs/{running}/events", f"/v1/jobs/{running}?wait=50", "/v1/stats/events") * 5:
        sock = server.raw()
        sock.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        socks.append(sock)
    for sock in socks:
        sock.close()
    assert line.ask("GET", "/v1/stats")[0] == 200
    metrics = ""
    while "\ndarkroom_clients 1\n" not in metrics and "\ndarkroom_clients 0\n" not in metrics:
        metrics = server.get("/metrics")[2].decode()
        assert "darkroom_clients" in metrics, metrics
    line.ask("POST", "/v1/cancel", {"all": True})


def problems():
    """catches: an error without its code, hint or status; a body of another kind that is read"""
    line = Line()
    for method, path, body, status, code in (
            ("POST", "/v1/jobs", {"spec": {}}, 422, "bad_field"), ("POST", "/v1/jobs", {}, 422, "bad_field"),
            ("POST", "/v1/jobs", [], 400, "bad_request"), ("POST", "/v1/jobs", {"spec": {"prompt": "x", "width": 65}}, 422, "bad_field"),
            ("POST", "/v1/jobs", {"spec": QUICK, "type": "submit"}, 422, "bad_field"),
            ("POST", "/v1/jobs", {"spec": QUICK, "watch": True}, 422, "bad_field"),
            ("GET", "/v1/jobs/" + 16 * "0", None, 404, "not_found"),
            ("POST", "/v1/jobs?wait=51", {"spec": QUICK}, 422, "bad_field"), ("POST", "/v1/jobs?wiat=5", {"spec": QUICK}, 422, "bad_field"),
            ("POST", "/v1/jobs?wait=%zz", {"spec": QUICK}, 400, "bad_request"),
            ("GET", "/v1/jobs?limit=x", None, 422, "bad_field"), ("GET", "/v1/jobs?state=done&state=done", None, 422, "bad_field"),
            ("GET", "/v1/jobs/0123456789abcdef", None, 404, "not_found"), ("GET", "/v1/jobs/X", None, 404, "not_found"),
            ("PUT", "/v1/jobs", None, 405, "bad_request"), ("GET", "/v1/jobs/x/y/z", None, 404, "not_found"),
            ("POST", "/v1/jobs/0123456789abcdef/hold", {"job": "0123456789abcdef"}, 422, "bad_field")):
        got, head, problem = line.ask(method, path, body)
        assert (got, problem["code"], problem["status"]) == (status, code, status), (path, body, got, problem)
        assert head["Content-Type"] == "application/problem+json" and problem["hint"] and problem["title"], problem
    assert line.ask("PUT", "/v1/jobs")[1]["Allow"] == "GET, HEAD, POST"
    answer = subprocess.run(["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "-d", "{}", server.url + "/v1/jobs"],
                            capture_output=True, text=True).stdout
    assert answer == "415", answer
    status, _, problem = line.ask("POST", "/v1/jobs", {"spec": QUICK}, Content_Encoding="gzip")
    assert status == 415 and problem["field"] == "Content-Encoding", problem


def encodings_and_parts():
    """catches: bytes that are not what was asked for: packed, cut, or sent again to who has them"""
    line = Line()
    job = line.submit(QUICK, "/v1/jobs?wait=50")

    def get(path, **headers):
        line.http.request("GET", path, headers={k.replace("_", "-"): v for k, v in headers.items()})
        answer = line.http.getresponse()
        return answer.status, answer.headers, answer.read()

    for path in ("/", "/app.js", "/v1/model"):
        plain, packed = get(path), get(path, Accept_Encoding="gzip")
        assert packed[1]["Content-Encoding"] == "gzip" and plain[1]["Content-Encoding"] is None
        assert path == "/v1/model" or gzip.decompress(packed[2]) == plain[2]
        assert "accept-encoding" in packed[1]["Vary"] and len(packed[2]) < len(plain[2]) / 2
    tag = get("/app.js", Accept_Encoding="gzip")[1]["ETag"]
    assert get("/app.js", Accept_Encoding="gzip", If_None_Match=tag)[0] == 304
    assert get("/app.js", If_None_Match=tag)[0] == 200
    shown = get("/v1/jobs/" + job["job"])
    assert get("/v1/jobs/" + job["job"], If_None_Match=shown[1]["ETag"])[0] == 304
    url, whole = job["result"]["url"], get(job["result"]["url"], Accept_Encoding="gzip")
    assert whole[1]["Content-Encoding"] is None and whole[1]["Accept-Ranges"] == "bytes"
    size = len(whole[2])
    status, head, part = get(url, Range="bytes=8-99")
    assert status == 206 and part == whole[2][8:100] and head["Content-Range"] == f"bytes 8-99/{size}"
    assert get(url, Range="bytes=-16", If_Range=whole[1]["ETag"])[2] == whole[2][-16:]
    assert get(url, Range="bytes=-16", If_Range='"another"')[2] == whole[2]
    status, head, _ = get(url, Range=f"bytes={size}-")
    assert status == 416 and head["Content-Range"] == f"bytes */{size}"


def other_sites():
    """catches: a page of another site that reads or changes something without --origins, or cannot with it"""
    listed = Server(None, "--origins", "https://app.example.org")
    for to, origin, status, allowed in ((server, "https://app.example.org", 403, None), (listed, "https://evil.example", 403, None),
                                        (listed, "https://app.example.org", 200, "https://app.example.org"),
                                        (listed, listed.url, 200, None), (listed, "null", 403, None)):
        line = Line(to)
        got, head, _ = line.ask("POST", "/v1/ping", {}, Origin=origin)
        assert (got, head["Access-Control-Allow-Origin"]) == (status, allowed), (origin, got, head)
        head = line.ask("GET", "/v1/stats", Origin=origin)[1]
        assert head["Access-Control-Allow-Origin"] == allowed and head["Access-Control-Allow-Credentials"] is None
        line = Line(to)
        asked = {"Access_Control_Request_Method": "POST", "Access_Control_Request_Headers": "authorization"}
        got, head, _ = line.ask("OPTIONS", "/v1/jobs", Origin=origin, **asked)
        assert got == (204 if status == 200 else 403), (origin, got)
        assert head["Access-Control-Allow-Origin"] == allowed
        if allowed:
            assert head["Access-Control-Allow-Methods"] == "GET, HEAD, POST" and "origin" in head.get_all("Vary")
            names = head["Access-Control-Allow-Headers"].split(", ")
            assert {"authorization", "*"} <= set(names), "OpenAI's library in a page sends X-Stainless-Lang and more"
            shown = Line(to).ask("POST", "/v1/images/generations", {}, Origin=origin)[1]
            assert {"retry-after-ms", "x-should-retry"} <= set(shown["Access-Control-Expose-Headers"].split(", "))
    listed.kill()


def the_queue():
    """catches: a page for programs, JSON for people; numbers that are not those of the queue"""
    line = Line()
    line.submit(QUICK, "/v1/jobs?wait=50")
    running, waits = line.submit(ENDLESS)["job"], line.submit(QUICK)["job"]
    status, head, queue = line.ask("GET", "/queue")
    assert head["Content-Type"] == "application/json" and "accept" in head["Vary"]
    assert queue["queue_size"] == 1 and queue["running"] == 1, queue
    assert [j["job"] for j in queue["jobs"]] == [running, waits]
    assert queue["rank_eta"] >= queue["queue_eta"] > 0 and queue["avg_event_process_time"] > 0, queue
    assert line.ask("GET", "/v1/queue", Accept="text/html, */*;q=0.1")[1]["Content-Type"] == "application/json"
    line.http.request("GET", "/queue", headers={"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
    answer = line.http.getresponse()
    page = answer.read().decode()
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8" and running in page and "waits, place 1" in page, page
    assert 'rel="icon" href="icon.svg"' in page, "else a browser asks for /favicon.ico"
    assert line.ask("HEAD", "/queue")[0] == 200 and server.get("/queue.css")[0] == 200
    line.ask("POST", "/v1/cancel", {"all": True})


def the_queue_in_its_readers_language():
    """catches: a page that its reader cannot read, a cache that gives it to another reader, English left in between"""
    line = Line()
    running, _ = line.submit(ENDLESS)["job"], line.submit(QUICK)["job"]

    def page(languages):
        line.http.putrequest("GET", "/queue")
        for name, value in [("Accept", "text/html"), *[("Accept-Language", l) for l in languages]]:
            line.http.putheader(name, value)
        line.http.endheaders()
        answer = line.http.getresponse()
        return answer, answer.read().decode()

    for languages, tag in (
            ([], "en"), (["*"], "en"), (["de"], "en"), (["zh-CN,zh;q=0.9,en;q=0.8"], "zh-Hans"), (["en-US,en;q=0.9,zh;q=0.5"], "en"),
            (["zh-Hant-TW"], "zh-Hans"), (["fr", "zh;q=0.1"], "zh-Hans"), (["zh;q=0"], "en"), (["zh, " + "x" * 600], "en")):
        answer, html = page(languages)
        assert answer.status == 200 and answer.headers["Content-Language"] == tag, (languages, answer.headers)
        assert f'<html lang="{tag}">' in html and running in html, html
        assert [v.strip() for v in answer.headers["Vary"].split(",")] == ["accept", "accept-language", "accept-encoding"], answer.headers
    html = page(["zh"])[1]
    assert "等待，第 1 位" in html and "同时最多 " in html and "内存可放下 " in html and "<title>队列 · 暗房</title>" in html, html
    words = re.sub(r"<[^>]*>", "\n", re.sub(r"<(style|script).*?</\1>|refresh", "", html, flags=re.S))
    left = set(re.findall(r"[A-Za-z]{3,}", words.replace("--concurrency", ""))) - {"darkroom"}
    assert not [w for w in left if not re.fullmatch("[0-9a-f]+", w)], left
    line.http.request("GET", "/queue", headers={"Accept": "application/json", "Accept-Language": "zh"})
    answer = line.http.getresponse()
    assert "Content-Language" not in answer.headers and json.loads(answer.read())["why_cap"], answer.headers
    assert "accept-language" not in answer.headers["Vary"]
    line.ask("POST", "/v1/cancel", {"all": True})


def a_full_queue():
    """catches: a refusal that does not say when to come back"""
    small = Server(None, "--concurrency", "1", "--queue", "1", "--job-seconds", "86400")
    line = Line(small)
    line.submit(ENDLESS)
    line.submit(QUICK)
    status, head, problem = line.ask("POST", "/v1/jobs", {"spec": QUICK})
    assert status == 503 and problem["code"] == "queue_full" and int(head["Retry-After"]) >= 1, problem
    assert problem["retry_after_ms"] > 0
    small.kill()


def curl_reads_along():
    """catches: events that stay in a buffer until the stream ends"""
    line = Line()
    job = line.submit(ENDLESS)["job"]
    curl = subprocess.Popen(["curl", "-sN", f"{server.url}/v1/jobs/{job}/events"], stdout=subprocess.PIPE, text=True)
    while "event: progress" not in curl.stdout.readline():
        assert curl.poll() is None
    line.ask("DELETE", "/v1/jobs/" + job)
    rest = curl.stdout.read()
    assert '"state":"cancelled"' in rest and curl.wait() == 0


def stopping():
    """catches: a wait or a stream that keeps a server from stopping, or ends without a word why"""
    last = Server(None, "--concurrency", "1", "--job-seconds", "86400")
    line, other = Line(last), Line(last)
    job = line.submit(ENDLESS)["job"]
    got = []
    threads = [threading.Thread(target=lambda: got.append(line.ask("GET", f"/v1/jobs/{job}?wait=50")))]
    other.http.request("GET", f"/v1/jobs/{job}/events")
    answer = other.http.getresponse()
    threads += [threading.Thread(target=lambda: got.append(answer.read()))]
    for t in threads:
        t.start()
    time.sleep(0.3)  # for the wait to begin; a later one is answered, too
    status, took = last.stop()
    for t in threads:
        t.join()
    assert status == 0 and took < 4, (status, took)
    stream = next(g for g in got if isinstance(g, bytes))
    assert b'"code":"shutting_down"' in stream, stream[-300:]
    assert [g for g in got if not isinstance(g, bytes)][0][0] in (200, 503)


run([a_job, several, results, thumbnails, keys, waiting, preferences, pages, what_is_accepted, addresses_of_dialects, ours_alone, said_twice, words_of_a_path, every_command, events, previews, statistics, a_reader_that_stops, clients_that_leave, problems,
     encodings_and_parts, other_sites, the_queue, the_queue_in_its_readers_language, a_full_queue, curl_reads_along, stopping])
