"""test_edits - pictures from pictures by other people's libraries, unmodified: OpenAI's images.edit and webuiapi's img2img.

The model is that of test/golden/edit, which reads pictures and draws nothing that could be recognised."""

import clients  # first: it goes on in the environment that has the libraries

import base64
import io
import json
import os

os.environ["DARKROOM_TEST_MODEL"] = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "golden", "edit",
                                                 "model")

import openai  # noqa: E402
import webuiapi  # noqa: E402
from PIL import Image  # noqa: E402

from clients import picture  # noqa: E402
from harness import Server, run  # noqa: E402

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


run([an_edit, several_pictures, a_stream, refusals, as_json, img2img])
