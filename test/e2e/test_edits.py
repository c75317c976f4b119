"""test_edits - pictures from pictures by other people's libraries, unmodified: OpenAI's images.edit, webuiapi's img2img and
gradio_client's handle_file.

The model is that of test/golden/edit, which reads pictures and draws nothing that could be recognised."""

import clients  # first: it goes on in the environment that has the libraries

import base64
import io
import json
import os
import re
import subprocess

os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
os.environ["DARKROOM_TEST_MODEL"] = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "golden", "edit",
                                                 "model")

import gradio_client  # noqa: E402
import httpx  # noqa: E402
import openai  # noqa: E402
import webuiapi  # noqa: E402
from gradio_client import handle_file  # noqa: E402
from gradio_client.snippet import generate_bash_snippet  # noqa: E402
from PIL import Image  # noqa: E402

from clients import picture  # noqa: E402
from harness import TMP, Server, run  # noqa: E402

server = Server()
PROMPT = "the same at night"
FEW = {"steps": 2, "seed": 7}


def client():
    return openai.OpenAI(base_url=server.url + "/v1", api_key="sk-none", max_retries=0)


def file(color, kind="PNG", size=(96, 64)):
    out = io.BytesIO()
    Image.new("RGB", size, color).save(out, kind)
    out.name = "picture." + kind.lower()
    out.seek(0)
    return out


def images_of(url):
    """The spec's images of the newest job."""
    job = json.loads(server.get("/v1/jobs?limit=1")[2])["jobs"][0]
    return job["spec"].get("images", [])


def an_edit():
    """catches: a picture that is not sent on, or another one"""
    red = client().images.edit(model="gpt-image-1", image=file("red"), prompt=PROMPT, size="64x64", extra_body=FEW)
    assert picture(base64.b64decode(red.data[0].b64_json)) == ("PNG", 64, 64), red
    used = images_of(server)
    assert len(used) == 1, used
    kept = Image.open(io.BytesIO(server.get("/v1/images/" + used[0])[2]))
    assert kept.size == (96, 64) and kept.getpixel((5, 5)) == (255, 0, 0)
    blue = client().images.edit(image=file("blue", "JPEG"), prompt=PROMPT, size="64x64", extra_body=FEW)
    words = client().images.generate(prompt=PROMPT, size="64x64", extra_body=FEW)
    assert len({p.data[0].b64_json for p in (red, blue, words)}) == 3, "one does not matter"


def several_pictures():
    """catches: pictures in another order, or a fifth one that is lost without a word"""
    client().images.edit(image=[file("red"), file("lime"), file("blue")], prompt=PROMPT, size="64x64", extra_body=FEW)
    colors = [Image.open(io.BytesIO(server.get("/v1/images/" + d)[2])).getpixel((0, 0)) for d in images_of(server)]
    assert colors == [(255, 0, 0), (0, 255, 0), (0, 0, 255)], colors
    two = client().images.edit(image=file("red"), prompt=PROMPT, n=2, size="64x64", extra_body=FEW)
    assert len({p.b64_json for p in two.data}) == 2
    try:
        client().images.edit(image=5 * [file("red")], prompt=PROMPT)
    except openai.BadRequestError as error:
        raise AssertionError(error)
    except openai.APIStatusError as error:
        assert error.status_code == 422 and "4" in error.message, error


def a_stream():
    """catches: events that the library does not know"""
    events = list(client().images.edit(image=file("red"), prompt=PROMPT, size="64x64", stream=True, partial_images=1,
                                       extra_body={"steps": 20, "seed": 3}))
    assert events[-1].type == "image_edit.completed", events[-1].type
    assert all(e.type == "image_edit.partial_image" for e in events[:-1])
    assert picture(base64.b64decode(events[-1].b64_json)) == ("PNG", 64, 64)


def refusals():
    """catches: a mask that is ignored, a file that is no picture, a request without one"""
    for more, words in (({"mask": file("white")}, "mask"), ({"image": io.BytesIO(b"no picture")}, "PNG")):
        try:
            client().images.edit(**{"image": file("red"), "prompt": PROMPT, **more})
        except openai.APIStatusError as error:
            assert error.status_code == 422 and words in error.message, error
        else:
            raise AssertionError(more)
    status, _, body = server.get("/v1/images/edits", "POST", body={"prompt": PROMPT})
    assert status == 422 and json.loads(body)["error"]["param"] == "image", body


def fields_that_stand_twice():
    """catches: a form that says two things, of which the last is taken in silence"""
    for name, values in (("prompt", ("a boat", "a house")), ("n", ("1", "1")), ("stream", ("false", "true"))):
        fields = {"prompt": PROMPT, "size": "64x64", **{k: str(v) for k, v in FEW.items()}, name: list(values)}
        answer = httpx.post(server.url + "/v1/images/edits", data=fields, files={"image": file("red")}, timeout=60)
        assert answer.status_code == 422 and answer.json()["error"]["param"] == name, (name, answer.text)


def as_json():
    """catches: `images` of JSON that are not read: base64, or the address of a picture of this server"""
    data = "data:image/png;base64," + base64.b64encode(file("red").read()).decode()
    first = server.get("/v1/images/edits", "POST", body={"prompt": PROMPT, "size": "64x64", **FEW,
                                                         "images": [{"image_url": data}]})
    assert first[0] == 200, first
    digest = images_of(server)[0]
    url = {"image_url": f"{server.url}/v1/images/{digest}"}
    again = server.get("/v1/images/edits", "POST", body={"prompt": PROMPT, "size": "64x64", **FEW, "images": [url]})
    assert json.loads(again[2])["data"][0]["b64_json"] == json.loads(first[2])["data"][0]["b64_json"]
    status, _, body = server.get("/v1/images/edits", "POST", body={"prompt": PROMPT, "images": [{"image_url": "%%%"}]})
    assert status == 422 and json.loads(body)["error"]["param"] == "images", body


def img2img():
    """catches: init_images that are not read by the library's way of sending them, or a mask that is ignored"""
    api = webuiapi.WebUIApi(host=server.host, port=server.port)
    red = Image.open(file("red"))
    got = api.img2img(images=[red], prompt=PROMPT, width=64, height=64, steps=2, seed=7, cfg_scale=1.5)
    assert got.image.size == (64, 64) and len(images_of(server)) == 1
    assert "init_images" not in got.parameters
    blue = api.img2img(images=[Image.open(file("blue"))], prompt=PROMPT, width=64, height=64, steps=2, seed=7, cfg_scale=1.5)
    assert blue.image.tobytes() != got.image.tobytes()
    try:
        api.img2img(images=[red], mask_image=red, prompt=PROMPT, width=64, height=64, steps=2)
    except RuntimeError as error:
        assert "mask" in str(error), error
    else:
        raise AssertionError("a mask")
    init = base64.b64encode(file("red").getvalue()).decode()
    for mask, wanted in ((None, 200), ("", 200), (init, 422)):
        ask = {"prompt": PROMPT, "width": 64, "height": 64, "steps": 1, "init_images": [init], "mask": mask}
        assert server.get("/sdapi/v1/img2img", "POST", body=ask)[0] == wanted, mask


# --- Gradio ---------------------------------------------------------------------------------------------------------------

SMALL = [PROMPT, "", 64, 64, 2, 1.5, 7]


def gradio(to=None, **more):
    return gradio_client.Client((to or server).url, verbose=False, analytics_enabled=False,
                                download_files=os.path.join(TMP, "downloads"), **more)


def on_disk(color, kind="PNG"):
    path = os.path.join(TMP, f"{color}.{kind.lower()}")
    with open(path, "wb") as out:
        out.write(file(color, kind).read())
    return path


def read(path):
    with open(path, "rb") as opened:
        return opened.read()


def colors():
    """Of the pictures that the newest job begins with."""
    return [Image.open(io.BytesIO(server.get("/v1/images/" + d)[2])).getpixel((0, 0)) for d in images_of(server)]


def upload(*names, to=None, path="/gradio_api/upload", **headers):
    """The paths of these files."""
    files = [("files", (os.path.basename(name), read(name))) for name in names]
    answer = httpx.post((to or server).url + path, files=files, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.json()


def call(image, to=None, path="/gradio_api/call/predict", **headers):
    """(status, object)"""
    status, _, body = (to or server).get(path, "POST", headers, {"data": [*SMALL, image]})
    return status, json.loads(body)


def completed(event):
    answer = server.get("/gradio_api/call/predict/" + event)[2].decode()
    return json.loads(re.search(r"event: complete\ndata: (.*)\n", answer).group(1))


def gradio_files():
    """catches: an argument that is not listed, a file that is not sent on, several in another order"""
    c = gradio()
    image = c.view_api(return_format="dict", print_info=False)["named_endpoints"]["/predict"]["parameters"][-1]
    assert (image["parameter_name"], image["parameter_has_default"], image["parameter_default"]) == ("image", True, None)
    assert (image["python_type"]["type"], image["component"]) == ("filepath", "Image"), image
    red, text = c.predict(*SMALL, handle_file(on_disk("red")))
    assert picture(read(red)) == ("PNG", 64, 64) and text.startswith("seed 7, 64x64, 2 steps"), text
    assert colors() == [(255, 0, 0)]
    digest = images_of(server)[0]
    blue, _ = c.predict(PROMPT, width=64, height=64, steps=2, guidance=1.5, seed=7, image=handle_file(on_disk("blue", "JPEG")))
    assert len(images_of(server)) == 1
    words, _ = c.predict(*SMALL)
    assert images_of(server) == []
    assert len({read(p) for p in (red, blue, words)}) == 3, "one does not matter"
    again, _ = c.predict(*SMALL, handle_file(f"{server.url}/gradio_api/file=uploads/{digest}.png"))
    assert read(again) == read(red), "its address"
    c.predict(*SMALL, [handle_file(on_disk(color)) for color in ("blue", "red", "lime")])
    assert colors() == [(0, 0, 255), (255, 0, 0), (0, 255, 0)], colors()
    c.close()


def gradio_refusals():
    """catches: a file that is no picture, a path that is none, an error in another form than the library's"""
    c, note = gradio(), os.path.join(TMP, "note.txt")
    with open(note, "w", encoding="utf-8") as out:
        out.write("no picture")
    try:
        c.predict(*SMALL, handle_file(note))
    except httpx.HTTPStatusError as error:
        answer = error.response.json()
        assert error.response.status_code == 422 and set(answer) == {"error", "detail", "code"}, answer
        assert answer["code"] == "bad_image" and "PNG" in answer["error"], answer
    else:
        raise AssertionError("it is taken")
    c.close()
    red, at = read(on_disk("red")), server.url + "/upload"
    cut = {"content": b"--x\r\nContent-Disposition: form-data; name=\"files\"; filename=\"a\"\r\n\r\nabc",
           "headers": {"Content-Type": "multipart/form-data; boundary=x"}}
    for request, status, code in (({"files": 5 * [("files", ("a.png", red))]}, 422, "bad_field"),
                                  ({"files": [("image", ("a.png", red))]}, 422, "bad_field"), (cut, 400, "bad_request"),
                                  ({"content": red, "headers": {"Content-Type": "image/png"}}, 415, "bad_request"),
                                  ({"json": {}}, 415, "bad_request"), ({}, 400, "bad_request")):
        answer = httpx.post(at, **request)
        assert (answer.status_code, answer.json()["code"]) == (status, code) and answer.json()["error"], answer.text
    path = upload(on_disk("red"))[0]
    for image in ("a.png", {"path": "/tmp/a.png"}, {"meta": {}}, 7, [7], 5 * [{"path": path}]):
        status, answer = call(image)
        assert status == 422 and answer["detail"][0]["parameter_name"] == "image", (image, answer)
    unknown = f"uploads/{64 * '0'}.png"
    for image in ({"path": unknown}, [{"path": path}, {"path": unknown}]):
        status, answer = call(image)
        assert (status, answer["code"]) == (404, "not_found"), (image, answer)
    for name in (unknown, "uploads/", "uploads/../darkroom.db"):
        assert server.get("/gradio_api/file=" + name)[0] == 404, name


def gradio_curl():
    """An upload, then the two steps. catches: a path that names no picture; lines of the library's own that fail"""
    red, blue = on_disk("red"), on_disk("blue")
    sent = subprocess.run(["curl", "-s", server.url + "/gradio_api/upload", "-F", "files=@" + red, "-F", "files=@" + blue],
                          capture_output=True, text=True)
    paths = json.loads(sent.stdout)
    assert len(paths) == 2 and all(re.fullmatch(r"uploads/[0-9a-f]{64}\.png", p) for p in paths), paths
    assert upload(red, blue, path="/upload") == paths, "the same files"
    for path, color in zip(paths, ((255, 0, 0), (0, 0, 255))):
        for begin in ("/file=", "/gradio_api/file="):
            status, _, got = server.get(begin + path)
            assert status == 200 and Image.open(io.BytesIO(got)).getpixel((0, 0)) == color
    status, answer = call({"path": paths[1], "meta": {"_type": "gradio.FileData"}})
    drawn = completed(answer["event_id"])[0]
    assert colors() == [(0, 0, 255)]
    for of in (drawn["path"], drawn["url"]):  # a result is begun with, too
        status, answer = call({"path": of})
        completed(answer["event_id"])
        assert images_of(server) == [drawn["orig_name"].split("_")[1][:64]], images_of(server)
    c = gradio()
    info = c.view_api(return_format="dict", print_info=False)["named_endpoints"]["/predict"]
    c.close()
    for parameter, value in zip(info["parameters"], SMALL):
        parameter["parameter_default"] = parameter["example_input"] = value
    script = generate_bash_snippet("/predict", info["parameters"], server.url, "/gradio_api/")
    assert "/gradio_api/upload" in script, script
    done = subprocess.run(["bash", "-O", "lastpipe", "-c", script.replace("/path/to/your/file", red)], capture_output=True,
                          text=True, timeout=60)
    assert "event: complete" in done.stdout and colors() == [(255, 0, 0)], done


def gradio_scripts():
    """catches: a data URL that is not read, or is too long for an ordinary request"""
    noise = Image.frombytes("RGB", (192, 192), os.urandom(192 * 192 * 3))
    out = io.BytesIO()
    noise.save(out, "PNG")
    url = "data:image/png;base64," + base64.b64encode(out.getvalue()).decode()
    assert len(url) > 100000
    for path in ("/api/predict", "/run/predict", "/gradio_api/run/predict"):
        status, answer = call(url, path=path)
        assert status == 200, answer
        kept = Image.open(io.BytesIO(server.get("/v1/images/" + images_of(server)[0])[2]))
        assert kept.tobytes() == noise.tobytes()
    status, same = call({"path": f"uploads/{images_of(server)[0]}.png"}, path="/run/predict")
    assert status == 200 and same["data"][0] == answer["data"][0], "the path of what was sent"
    status, answer = call("data:image/png;base64,AAAA", path="/run/predict")
    assert (status, answer["code"]) == (422, "bad_image"), answer
    for request, status in (({"files": [("data", ("a", b"1"))]}, 400), ({"content": b"{}", "headers": {"Content-Type": "text/plain"}}, 415)):
        answer = httpx.post(server.url + "/run/predict", **request)
        assert answer.status_code == status and answer.json()["error"], answer.text


def gradio_javascript():
    """catches: the same for the library for JavaScript"""
    done = subprocess.run(["node", clients.ROOT + "/test/clients/gradio.mjs", server.url, clients.NODE_MODULES, on_disk("lime")],
                          capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    drawn, text = json.loads(done.stdout)["edited"]
    assert text.startswith("seed 7, 64x64, 4 steps") and drawn["orig_name"].startswith("64x64_"), text
    assert colors() == [(0, 255, 0)]


def gradio_users():
    """catches: another user's picture that is found by its path"""
    closed = Server()
    token = {"ada": closed.user("add", "ada"), "ben": closed.user("add", "ben"),
             "viewer": closed.user("add", "viewer", "--role", "viewer")}
    bearer = {name: {"Authorization": "Bearer " + value} for name, value in token.items()}
    path = upload(on_disk("red"), to=closed, **bearer["ada"])[0]
    for name, drawn, seen in (("ben", 404, 404), ("ada", 200, 200)):
        for at in ("/gradio_api/call/predict", "/gradio_api/queue/join", "/run/predict"):
            status, answer = call({"path": path}, closed, at, **bearer[name])
            assert status == drawn and (drawn == 200 or answer["code"] == "not_found"), (name, at, answer)
        assert closed.get("/gradio_api/file=" + path, headers=bearer[name])[0] == seen
    c = gradio(closed, headers=bearer["ben"])
    try:
        c.predict(*SMALL, handle_file(f"{closed.url}/gradio_api/file={path}"))
    except Exception as error:
        assert "404" in str(error), error
    else:
        raise AssertionError("ada's picture is ben's")
    mine, _ = c.predict(*SMALL, handle_file(on_disk("red")))
    assert picture(read(mine)) == ("PNG", 64, 64), "his own, of the same bytes"
    c.close()
    files = {"files": [("files", ("a.png", read(on_disk("red"))))]}
    for headers, status in ((bearer["viewer"], 403), ({}, 401)):
        answer = httpx.post(closed.url + "/upload", headers=headers, **files)
        assert answer.status_code == status and answer.json()["error"], answer.text
    closed.stop()


run([an_edit, several_pictures, a_stream, refusals, fields_that_stand_twice, as_json, img2img, gradio_files, gradio_refusals, gradio_curl, gradio_scripts,
     gradio_javascript, gradio_users])
