"""test_openai - the OpenAI libraries, unmodified, and the requests of programs that speak their API."""

import clients  # first: it goes on in the environment that has the libraries

import asyncio
import base64
import http.client
import json
import os
import re
import subprocess
import threading
import urllib.request

import openai

from clients import picture
from harness import LONG, QUICK, Server, run

server = Server(None, "--concurrency", "1", "--job-seconds", "86400", "--queue", "4")
PROMPT = QUICK["prompt"]
FEW = {"steps": 2}  # of this server's own, so that a test is quick
ENDLESS = {**LONG, "width": 512, "height": 512}


def client(to=None, **more):
    return openai.OpenAI(base_url=(to or server).url + "/v1", **{"api_key": "sk-none", "max_retries": 0, **more})


def post(body, to=None, path="/v1/images/generations", **headers):
    """(status, headers, object)"""
    status, head, text = (to or server).get(path, "POST", headers, body)
    return status, head, json.loads(text)


def png(b64):
    return picture(base64.b64decode(b64))


def a_picture():
    """catches: an answer that the library does not read"""
    got = client().images.generate(model="gpt-image-1", prompt=PROMPT, size="64x64", extra_body=FEW)
    assert len(got.data) == 1 and got.size == "64x64" and got.created > 1700000000, got
    assert png(got.data[0].b64_json) == ("PNG", 64, 64)
    assert got.notes == [], got.notes


def several():
    """catches: pictures that are one and the same; seeds that do not give the same again"""
    got = client().images.generate(model="dall-e-3", prompt=PROMPT, size="64x64", n=3, extra_body=FEW)
    assert len({p.b64_json for p in got.data}) == 3, got
    again = client().images.generate(prompt=PROMPT, size="64x64", n=2, extra_body={**FEW, "seed": got.data[1].seed})
    assert again.data[0].b64_json == got.data[1].b64_json
    assert again.data[1].seed == got.data[1].seed + 1


def sizes():
    """catches: a size that is refused where the nearest would do, or changed in secret"""
    for asked, got in (("auto", "256x256"), ("100x70", "96x64"), ("1024x1792", "288x512")):
        answer = client().images.generate(prompt=PROMPT, size=asked, extra_body=FEW)
        size = "%dx%d" % png(answer.data[0].b64_json)[1:]
        assert size == answer.size == got, (asked, size, answer.size)
        said = f"the size {asked} was brought to {got}"
        assert answer.notes == ([] if asked == "auto" else [said]), answer.notes


def an_address():
    """catches: an address that does not lead to the picture"""
    got = client().images.generate(prompt=PROMPT, size="64x64", response_format="url", extra_body=FEW)
    assert got.data[0].b64_json is None
    with urllib.request.urlopen(got.data[0].url, timeout=20) as answer:
        assert picture(answer.read()) == ("PNG", 64, 64)


def what_is_not_used():
    """catches: a member that is refused, or taken in silence"""
    got = client().images.generate(model="gpt-image-1", prompt=PROMPT, size="64x64", quality="high", style="vivid",
                                   background="opaque", moderation="low", user="ada",
                                   extra_body={**FEW, "negative_prompt": "a square"})
    for name in ("quality", "style", "background", "moderation", "negative_prompt"):
        assert any(note.startswith(name + " is accepted and not used") for note in got.notes), (name, got.notes)


def a_stream():
    """catches: partial pictures that are none, too many or too late; a stream without its end"""
    for n in (0, 3):
        events = list(client().images.generate(prompt=PROMPT, size="256x256", stream=True, partial_images=n,
                                               extra_body={"steps": 200}))
        assert [e.type for e in events] == n * ["image_generation.partial_image"] + ["image_generation.completed"]
        assert [e.partial_image_index for e in events[:-1]] == list(range(n))
        for e in events[:-1]:
            assert png(e.b64_json)[0] == e.output_format.upper() == "PNG"
            assert e.size == "256x256" and e.created_at > 1700000000
        assert png(events[-1].b64_json) == ("PNG", 256, 256)


def formats():
    """catches: a format that is another one, in answers, streams and partial pictures; a quality without an effect"""
    for name in ("jpeg", "webp"):
        size = {}
        for quality in (100, 5):
            got = client().images.generate(prompt=PROMPT, size="64x64", n=2, output_format=name,
                                           output_compression=quality, extra_body={**FEW, "seed": 3})
            assert [png(p.b64_json) for p in got.data] == 2 * [(name.upper(), 64, 64)] and got.output_format == name
            size[quality] = len(got.data[0].b64_json)
        assert size[5] < size[100], size
        events = list(client().images.generate(prompt=PROMPT, size="64x64", n=2, stream=True, partial_images=1,
                                               output_format=name, extra_body={"steps": 20}))
        for e in events:
            assert png(e.b64_json)[0] == name.upper() and e.output_format == name, (e.type, e.output_format)
        ends = [e for e in events if e.type == "image_generation.completed"]
        assert len(ends) == 2
        events = list(client().images.generate(prompt=PROMPT, size="256x256", stream=True, partial_images=1,
                                               output_format=name, extra_body={"steps": 200}))
        assert [(e.type, e.output_format, png(e.b64_json)[0].lower()) for e in events] == [
            ("image_generation.partial_image", name, name), ("image_generation.completed", name, name)]


def asynchronous():
    """catches: requests of one client that wait for each other in the wrong way"""
    async def all_at_once():
        async with openai.AsyncOpenAI(base_url=server.url + "/v1", api_key="sk-none") as c:
            ask = lambda: c.images.generate(prompt=PROMPT, size="64x64", extra_body=FEW)
            got = await asyncio.gather(ask(), ask(), ask())
            assert len({g.data[0].b64_json for g in got}) == 3
            events = [e async for e in await c.images.generate(prompt=PROMPT, size="64x64", stream=True, extra_body=FEW)]
            assert events[-1].type == "image_generation.completed"
    asyncio.run(all_at_once())


def javascript():
    """catches: the same for the library for JavaScript"""
    done = subprocess.run(["node", clients.ROOT + "/test/clients/openai.mjs", server.url, clients.NODE_MODULES],
                          capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    got = json.loads(done.stdout)
    assert png(got["picture"]) == ("PNG", 64, 64) and got["size"] == "64x64"
    assert got["events"][-1]["type"] == "image_generation.completed"
    for event in got["events"]:
        assert png(event["picture"])[0] == "PNG"
    assert got["error"] == {"kind": "UnprocessableEntityError", "status": 422, "code": "bad_field", "param": "n",
                            "type": "invalid_request_error"}, got["error"]
    assert "gpt-image-1" in got["models"]


def models():
    """catches: a program that finds no model, or not the one it has built in"""
    names = [m.id for m in client().models.list()]
    assert names[1:] == ["gpt-image-1", "dall-e-3"], names
    assert client().models.retrieve("dall-e-3").object == "model"
    try:
        client().models.retrieve("dall-e-9")
        raise AssertionError("there is such a model")
    except openai.NotFoundError as e:
        assert e.code == "not_found" and e.param == "model", e


def errors():
    """catches: errors that the library does not read"""
    for more, status, param in (({"prompt": ""}, 422, "prompt"), ({"n": 0}, 422, "n"), ({"size": "big"}, 422, "size"),
                                ({"prompt": "x", "response_format": "gif"}, 422, "response_format"),
                                ({"stream": "yes"}, 422, "stream"), ({"partial_images": 4}, 422, "partial_images")):
        try:
            client().images.generate(**{"prompt": PROMPT, **more})
            raise AssertionError(f"{more} is taken")
        except openai.APIStatusError as e:
            assert (e.status_code, e.param, e.type) == (status, param, "invalid_request_error"), (more, e)
            assert e.response.headers["x-should-retry"] == "false"
    for body, kind in ((b"{", "application/json"), (b"prompt=x", "application/x-www-form-urlencoded")):
        line = http.client.HTTPConnection(server.host, server.port, timeout=20)
        line.request("POST", "/v1/images/generations", body, {"Content-Type": kind})
        answer = line.getresponse()
        assert set(json.loads(answer.read())["error"]) == {"message", "type", "param", "code"}
        assert answer.status == (400 if b"{" in body else 415)


def what_there_is_not():
    """catches: an address of OpenAI's that is not here and is refused in a form that its libraries do not read"""
    c, message = client(), [{"role": "user", "content": "x"}]
    for ask in (lambda: c.chat.completions.create(model="x", messages=message), lambda: c.responses.create(model="x", input="x"),
                lambda: c.embeddings.create(model="x", input="x"), lambda: c.completions.create(model="x", prompt="x"),
                lambda: c.audio.speech.create(model="x", input="x", voice="alloy"), lambda: c.moderations.create(input="x"),
                lambda: c.files.list(), lambda: c.batches.retrieve("b"), lambda: c.fine_tuning.jobs.list(), lambda: c.vector_stores.list(),
                lambda: c.videos.list(), lambda: c.images.create_variation(image=b"x"), lambda: c.chat.completions.retrieve("x/y")):
        try:
            ask()
            raise AssertionError("it is there")
        except openai.NotFoundError as e:
            assert (e.code, e.type, e.param) == ("not_found", "invalid_request_error", None) and e.body["message"], e.body
            assert e.response.headers["x-should-retry"] == "false"
    for body, head, status in ((b"0\r\n\r\n", "Content-Length: 5\r\nTransfer-Encoding: chunked", 400), (b"", "Origin: https://evil.example", 403),
                               (b"", "Host: evil.example", 403), (b"{}", "Content-Length: 2\r\nContent-Encoding: gzip\r\nContent-Type: application/json", 415)):
        host = "" if head.startswith("Host") else f"Host: {server.host}:{server.port}\r\n"
        with server.raw() as s:
            s.sendall(f"POST /v1/images/generations HTTP/1.1\r\n{host}{head}\r\nConnection: close\r\n\r\n".encode() + body)
            answer = http.client.HTTPResponse(s)
            answer.begin()
            said = json.loads(answer.read())
        assert answer.status == status and set(said) == {"error"} and said["error"]["code"], (head, answer.status, said)


class Busy:
    """The device draws what never ends; what comes waits."""

    def __enter__(self):
        self.job = post({"spec": ENDLESS}, path="/v1/jobs")[2]["job"]
        until(lambda: jobs("running"))

    def __exit__(self, *_):
        server.get("/v1/jobs/" + self.job, "DELETE")


def jobs(state):
    return json.loads(server.get("/v1/jobs?state=" + state)[2])["jobs"]


def until(true):
    """Poll: what another connection causes has no event here."""
    done = threading.Event()
    for _ in range(600):
        if true():
            return
        done.wait(0.05)
    raise AssertionError("it does not come")


def a_full_queue():
    """catches: a library that gives up at once, or repeats without a pause"""
    with Busy():
        waiting = [post({"spec": QUICK}, path="/v1/jobs")[2]["job"] for _ in range(4)]
        status, head, answer = post({"prompt": PROMPT})
        assert status == 503 and answer["error"]["code"] == "queue_full", answer
        assert head["x-should-retry"] == "true" and int(head["retry-after-ms"]) > 0, head
        for job in waiting:
            server.get("/v1/jobs/" + job, "DELETE")


def what_is_not_repeated():
    """catches: a library that asks again for what takes too long"""
    short, sent = Server(None, "--job-seconds", "1"), []
    hooks = {"request": [lambda request: sent.append(request.url.path)]}
    patient = client(short, max_retries=2, http_client=openai.DefaultHttpxClient(event_hooks=hooks))
    patient.images.generate(prompt=PROMPT, size="64x64", extra_body=FEW)
    try:
        patient.images.generate(prompt=PROMPT, size="512x512", extra_body={"steps": 200})
        raise AssertionError("it took less than a second")
    except openai.InternalServerError as e:
        assert (e.status_code, e.code, e.type) == (504, "timeout", "server_error"), e
    assert sent == 2 * ["/v1/images/generations"], sent
    short.stop()


def what_is_cancelled():
    """catches: a request that waits for ever for a job that has ended otherwise"""
    with Busy():
        got = []
        asking = threading.Thread(target=lambda: got.append(post({"prompt": PROMPT})))
        asking.start()
        until(lambda: jobs("queued"))
        server.get("/v1/jobs/" + jobs("queued")[0]["job"], "DELETE")
        asking.join()
    status, head, answer = got[0]
    assert status == 410 and answer["error"]["code"] == "cancelled" and head["x-should-retry"] == "false", status


def clients_that_leave():
    """catches: pictures that are drawn although their reader is gone"""
    with Busy():
        for stream in (False, True):
            line = http.client.HTTPConnection(server.host, server.port, timeout=20)
            line.request("POST", "/v1/images/generations", json.dumps({"prompt": PROMPT, "n": 2, "stream": stream}),
                         {"Content-Type": "application/json"})
            until(lambda: [j["counts"]["cells"] for j in jobs("queued")] == [2])
            line.sock.close()
            line.close()
            until(lambda: not jobs("queued"))


def a_long_wait():
    """catches: a silence that a proxy would end; white space that a library does not skip"""
    got = []
    assert post({}, path="/v1/pause")[0] == 200
    try:
        ask = lambda: client().images.generate(prompt=PROMPT, size="64x64", extra_body=FEW)
        asking = threading.Thread(target=lambda: got.append(ask()))
        asking.start()
        line = http.client.HTTPConnection(server.host, server.port, timeout=60)
        line.request("POST", "/v1/images/generations", json.dumps({"prompt": PROMPT, "size": "64x64", **FEW}),
                     {"Content-Type": "application/json"})
        answer = line.getresponse()  # with the first beat, long before the picture
        assert answer.status == 200 and answer.read(1) == b"\n"
    finally:
        assert post({}, path="/v1/resume")[0] == 200
    assert png(json.loads(answer.read())["data"][0]["b64_json"]) == ("PNG", 64, 64)
    asking.join()
    assert png(got[0].data[0].b64_json) == ("PNG", 64, 64)


def users():
    """catches: a key that opens nothing, or one that opens without being right; errors in another form"""
    closed = Server()
    token = closed.user("add", "ada")
    viewer = closed.user("add", "vic", "--role", "viewer")
    draw = {"prompt": PROMPT, "size": "64x64", "extra_body": FEW}
    assert png(client(closed, api_key=token).images.generate(**draw).data[0].b64_json) == ("PNG", 64, 64)
    for key, error in (("sk-none", openai.AuthenticationError), (viewer, openai.PermissionDeniedError)):
        try:
            client(closed, api_key=key).images.generate(**draw)
            raise AssertionError(f"{key} draws")
        except error as e:
            assert e.body["message"] and e.type in ("authentication_error", "permission_error"), e.body
    closed.stop()


def signed_addresses():
    """Who got an address fetches it as browsers do, without a key.
    catches: one that needs the key, or shows another picture, or goes on when the picture or its user is gone"""
    closed = Server()
    token = {name: closed.user("add", name) for name in ("ada", "ben")}
    ada = client(closed, api_key=token["ada"])
    got = ada.images.generate(prompt=PROMPT, size="64x64", n=2, response_format="url", output_format="jpeg", extra_body=FEW)
    assert got.output_format == "png" and "an address leads to the stored file" in got.notes[0], got.notes
    urls = [p.url for p in got.data]
    (one, signature), two = urls[0].split("?"), urls[1].split("?")[0]
    path = lambda url: url[len(closed.url):]
    for to in urls:
        for header in ({}, {"Authorization": "Bearer " + token["ben"]}, {"Authorization": "Bearer wrong"}):
            status, head, data = closed.get(path(to), headers=header)
            assert status == 200 and picture(data) == ("PNG", 64, 64), (to, header, status)
            assert head["Cache-Control"].startswith("private") and "Set-Cookie" not in head, head
        assert closed.get(path(to), "HEAD")[0] == 200 and closed.get(path(to) + "&download=1")[0] == 200
        assert closed.get(path(to), headers={"Range": "bytes=0-3"})[2] == b"\x89PNG"
    late = re.sub(r"until=\d+", "until=9999999999", urls[0])
    for to in (one, two + "?" + signature, late, re.sub(r"by=\d+", "by=99", urls[0]), urls[0][:-1], one.replace("/i/", "/t/").replace(".png", ".jpg") + "?" + signature,
               closed.url + "/v1/jobs?" + signature, closed.url + "/v1/images/" + one.split("/")[-1][:64] + "?" + signature):
        assert closed.get(path(to))[0] == 401, to
    assert closed.get(path(two + "?" + signature), headers={"Authorization": "Bearer " + token["ben"]})[0] == 404
    _, _, rows = closed.get("/v1/jobs?results=true", headers={"Authorization": "Bearer " + token["ada"]})
    rows = json.loads(rows)["jobs"]
    gone = next(r["job"] for r in rows if r["result"]["digest"] in one)
    assert closed.get(f"/v1/jobs/{gone}/delete", "POST", {"Authorization": "Bearer " + token["ada"]}, {})[0] == 200
    assert closed.get(path(urls[0]))[0] == 404 and closed.get(path(urls[1]))[0] == 200
    closed.user("remove", "ada")
    while closed.get("/v1/jobs", headers={"Authorization": "Bearer " + token["ada"]})[0] == 200:
        pass
    assert closed.get(path(urls[1]))[0] == 401
    closed.stop()


def litellm_library():
    """catches: an answer or an error that LiteLLM does not read"""
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # it asks nobody for prices
    import litellm
    litellm.suppress_debug_info = True
    to = {"api_base": server.url + "/v1", "api_key": "sk-none", "prompt": PROMPT, "size": "64x64", "extra_body": FEW}
    got = litellm.image_generation(model="openai/gpt-image-1", n=2, **to)
    assert [png(p.b64_json) for p in got.data] == 2 * [("PNG", 64, 64)] and got.size == "64x64", got
    got = asyncio.run(litellm.aimage_generation(model="openai/gpt-image-1", **to))
    assert png(got.data[0].b64_json) == ("PNG", 64, 64)
    got = litellm.image_generation(model="openai/dall-e-3", **to)
    with urllib.request.urlopen(got.data[0].url, timeout=20) as answer:
        assert picture(answer.read()) == ("PNG", 64, 64)
    try:
        litellm.image_generation(model="openai/gpt-image-1", **{**to, "prompt": ""})
        raise AssertionError("nothing is drawn")
    except litellm.BadRequestError as e:
        assert "prompt is empty" in str(e), e


def fetched(item):
    """What is at the address that an answer gives."""
    with urllib.request.urlopen(item["url"], timeout=20) as answer:
        return picture(answer.read())


def programs():
    """The requests of programs as their sources build them, and their answers as these read them: Open WebUI
    (routers/images.py), LibreChat (OpenAIImageTools.js, DALLE3.js), n8n (OpenAi/v2/actions/image/generate).
    catches: a member, a header or a query of theirs that is refused, an answer without what they look for"""
    bearer = {"Authorization": "Bearer sk-none", "Content-Type": "application/json"}
    who = {"X-OpenWebUI-User-Name": "Ada", "X-OpenWebUI-User-Id": "1", "X-OpenWebUI-User-Email": "a@b.c",
           "X-OpenWebUI-User-Role": "user"}
    inside = lambda item: png(item["b64_json"])
    webui = lambda item: fetched(item) if item.get("url") else inside(item)
    of = [
        ("Open WebUI", webui, "", who, {"model": "gpt-image-1", "prompt": PROMPT, "n": 1, "size": "auto"}),
        ("Open WebUI", webui, "?api-version=2025-04-01-preview", who,
         {"model": "dall-e-2", "prompt": PROMPT, "n": 2, "size": "512x512", "response_format": "b64_json"}),
        ("LibreChat", inside, "", {}, {"model": "gpt-image-1", "prompt": PROMPT, "n": 1, "background": "auto",
                                       "output_format": "png", "quality": "auto", "size": "auto"}),
        ("LibreChat", inside, "", {}, {"model": "gpt-image-1", "prompt": PROMPT, "n": 1, "background": "transparent",
                                       "output_format": "webp", "output_compression": 100, "quality": "high",
                                       "size": "1536x1024"}),
        ("LibreChat, DALL-E", fetched, "", {}, {"model": "dall-e-3", "quality": "standard", "style": "vivid",
                                                "size": "1024x1024", "prompt": PROMPT, "n": 1}),
        ("n8n", inside, "", {"Accept": "application/json"},
         {"prompt": PROMPT, "model": "dall-e-3", "response_format": "b64_json", "quality": "standard",
          "size": "1024x1024", "style": "vivid"}),
        ("n8n, addresses", fetched, "", {"Accept": "application/json"},
         {"prompt": PROMPT, "model": "dall-e-3", "response_format": "url"}),
        ("n8n 2.2", inside, "", {"Accept": "application/json"}, {"prompt": PROMPT, "model": "gpt-image-1-mini"}),
    ]
    for program, read, query, headers, body in of:
        path = "/v1/images/generations" + query
        status, _, answer = post({**body, **FEW}, path=path, **bearer, **headers)
        assert status == 200 and len(answer["data"]) == body.get("n", 1), (program, answer)
        want = "WEBP" if body.get("output_format") == "webp" else "PNG"
        assert all(read(item)[0] == want for item in answer["data"]), program
    listed = json.loads(server.get("/v1/models", headers=bearer)[2])["data"]  # n8n offers those that begin so
    assert any(m["id"].startswith(("dall-", "gpt-image")) for m in listed), listed


run([a_picture, several, sizes, an_address, what_is_not_used, a_stream, formats, asynchronous, javascript, models, errors, what_there_is_not,
     a_full_queue, what_is_not_repeated, what_is_cancelled, clients_that_leave, a_long_wait, users, signed_addresses,
     litellm_library, programs])
