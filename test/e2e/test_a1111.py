"""test_a1111 - the Python client for AUTOMATIC1111's API, unmodified, and the requests of other programs."""

import clients  # first: it goes on in the environment that has the libraries

import base64
import json
import threading

import webuiapi

from clients import picture
from harness import LONG, QUICK, Server, run

server = Server(None, "--concurrency", "1", "--job-seconds", "86400")
PROMPT = QUICK["prompt"]
SMALL = {"prompt": PROMPT, "width": 64, "height": 64, "steps": 2}
ENDLESS = {**LONG, "width": 512, "height": 512}


def api(to=None):
    to = to or server
    return webuiapi.WebUIApi(host=to.host, port=to.port)


def ask(path, body=None, to=None, **headers):
    """(status, object)"""
    status, _, text = (to or server).get(path, "GET" if body is None else "POST", headers, body)
    return status, json.loads(text)


def b64(text):
    return picture(base64.b64decode(text))


def until(true):
    """Poll, as these clients do; what is true."""
    done = threading.Event()
    for _ in range(600):
        got = true()
        if got:
            return got
        done.wait(0.05)
    raise AssertionError("it does not come")


def a_picture():
    """catches: an answer that the client does not read, parameters that say something else than was drawn"""
    got = api().txt2img(prompt=PROMPT, negative_prompt="a square", width=100, height=70, steps=2, cfg_scale=1.5, seed=7)
    assert got.image.size == (96, 64)
    info = got.info
    assert (info["seed"], info["width"], info["height"], info["steps"]) == (7, 96, 64, 2), info
    assert info["negative_prompt"] == "a square" and info["cfg_scale"] == 1.5
    assert info["all_prompts"] == [PROMPT] and len(info["infotexts"]) == 1
    assert got.parameters["width"] == 100 and isinstance(got.parameters["width"], int), got.parameters
    for note in ("the size 100x70 was brought to 96x64", "negative_prompt is accepted and not used"):
        assert any(n.startswith(note) for n in info["notes"]), (note, info["notes"])
    again = api().txt2img(prompt=PROMPT, width=96, height=64, steps=2, cfg_scale=1.5, seed=7)
    assert again.image.tobytes() == got.image.tobytes()


def several():
    """catches: batches that are one picture; seeds that are not those of the pictures"""
    got = api().txt2img(prompt=PROMPT, width=64, height=64, steps=2, seed=5, batch_size=2, n_iter=2)
    assert len(got.images) == 4 and got.info["all_seeds"] == [5, 6, 7, 8], got.info
    assert len({i.tobytes() for i in got.images}) == 4
    status, answer = ask("/sdapi/v1/txt2img", {**SMALL, "batch_size": 6, "n_iter": 2})
    assert status == 422 and set(answer) == {"error", "detail", "body", "errors"}, answer


def ranges():
    """catches: a request that is refused where the nearest value would do"""
    status, answer = ask("/sdapi/v1/txt2img", {**SMALL, "cfg_scale": 30, "seed": -1, "subseed": -1})
    info = json.loads(answer["info"])
    assert status == 200 and info["cfg_scale"] == 20 and "cfg_scale 30 was brought to 20" in info["notes"], info
    status, answer = ask("/sdapi/v1/txt2img", {**SMALL, "prompt": ""})
    assert status == 422 and "prompt" in answer["detail"], answer


def progress_and_interrupt():
    """catches: progress of nothing, a preview that is none, an interrupt that ends others' work"""
    client = api()
    idle = client.get_progress()
    assert idle["progress"] == 0 and idle["state"]["job_count"] == 0 and idle["current_image"] is None, idle
    got = []
    asking = threading.Thread(target=lambda: got.append(ask("/sdapi/v1/txt2img", ENDLESS)))
    asking.start()
    seen = until(lambda: (p := client.get_progress()) and p["current_image"] and p["progress"] > 0 and p)
    assert b64(seen["current_image"])[0] == "PNG" and seen["eta_relative"] > 0
    assert seen["state"]["job_count"] == 1 and seen["state"]["sampling_steps"] == 200, seen["state"]
    assert ask("/sdapi/v1/progress?skip_current_image=true")[1]["current_image"] is None
    other = json.loads(server.get("/v1/jobs", "POST", {}, {"spec": ENDLESS})[2])["job"]
    assert client.interrupt() == {}
    asking.join()
    assert got[0][0] == 410, got
    assert json.loads(server.get("/v1/jobs/" + other)[2])["state"] in ("queued", "running")
    server.get("/v1/jobs/" + other, "DELETE")
    client.util_wait_for_ready(0.1)


def an_interrupted_batch():
    """catches: the pictures that were finished, lost with those that were not"""
    got = []
    asking = threading.Thread(target=lambda: got.append(ask(
        "/sdapi/v1/txt2img", {**SMALL, "steps": 150, "n_iter": 4})))
    asking.start()
    seen = until(lambda: (p := api().get_progress()) and p["state"]["job_no"] > 0 and p["current_image"] and p)
    assert seen["state"]["job_count"] == 4 and 0.2 < seen["progress"] < 1 and seen["eta_relative"] > 0, seen["state"]
    assert b64(seen["current_image"])[0] == "PNG"
    rows = ask("/v1/jobs?state=running")[1]["jobs"]
    assert len(rows) == 1 and rows[0]["counts"]["cells"] == 4 and rows[0]["job"] == seen["state"]["job"], rows
    assert ask("/sdapi/v1/interrupt", {}) == (200, {})
    asking.join()
    status, answer = got[0]
    assert status == 200 and 1 <= len(answer["images"]) < 4, (status, len(answer["images"]))


def odd_numbers():
    """catches: numbers sent as text, which the original takes, that are left out in secret"""
    status, answer = ask("/sdapi/v1/txt2img", {"prompt": PROMPT, "width": "64", "height": "96", "steps": "3", "cfg_scale": "2", "seed": "5",
                                               "batch_size": "2", "n_iter": "1"})
    assert status == 200, answer
    info = json.loads(answer["info"])
    assert [info[k] for k in ("width", "height", "steps", "cfg_scale", "seed")] == [64, 96, 3, 2, 5], info
    assert len(answer["images"]) == 2, len(answer["images"])
    for name in ("width", "height", "steps", "cfg_scale", "seed", "batch_size", "n_iter"):
        for wrong in ("abc", "nan", False, [1]):
            status, answer = ask("/sdapi/v1/txt2img", {**SMALL, name: wrong})
            assert status == 422 and answer["errors"].startswith(name), (name, wrong, status, answer)
    status, answer = ask("/sdapi/v1/txt2img", {**SMALL, "send_images": False})
    assert status == 200 and answer["images"] == [] and json.loads(answer["info"])["steps"] == 2, answer


def lists():
    """catches: a list that a front end asks for at its start and does not get"""
    client = api()
    assert client.util_get_model_names() == ["tiny"] and client.util_get_current_model() == "tiny"
    client.util_set_model("tiny")
    assert client.get_options()["sd_model_checkpoint"] == "tiny"
    for call in (client.get_samplers, client.get_schedulers, client.get_upscalers, client.get_sd_models):
        assert call()[0], call
    for call in (client.get_loras, client.get_sd_vae, client.get_hypernetworks, client.get_face_restorers,
                 client.get_prompt_styles, client.get_realesrgan_models, client.get_latent_upscale_modes):
        assert call() == [], call
    for call in (client.get_cmd_flags, client.get_memory, client.get_embeddings, client.get_scripts):
        assert isinstance(call(), dict), call
    ram = client.get_memory()["ram"]
    assert 0 < ram["used"] < ram["total"] and ram["free"] == ram["total"] - ram["used"], ram
    assert client.refresh_checkpoints() is None
    assert ask("/internal/ping") == (200, {})
    assert ask("/sdapi/v1/nothing")[0] == 404 and ask("/sdapi/v1/nothing", {})[0] == 404


def programs():
    """The requests of programs, as their sources build them.
    catches: a member or header of theirs that is refused"""
    of = [
        ("SillyTavern", {"Authorization": "Basic Og=="},
         {"prompt": PROMPT, "negative_prompt": "lowres", "sampler_name": "Euler", "scheduler": "automatic",
          "steps": 20, "cfg_scale": 7, "width": 64, "height": 64, "restore_faces": False,
          "enable_hr": False, "hr_upscaler": "Latent", "hr_scale": 2, "denoising_strength": 0.7,
          "hr_second_pass_steps": 0, "seed": -1, "clip_skip": 1,
          "override_settings": {"CLIP_stop_at_last_layers": 1, "sd_vae": "Automatic"},
          "save_images": True, "send_images": True, "do_not_save_grid": False,
          "do_not_save_samples": False}),
        ("Open WebUI", {"authorization": ""},
         {"prompt": PROMPT, "batch_size": 1, "width": 64, "height": 64, "steps": 50, "cfg_scale": 7.0,
          "sampler_name": "Euler a", "scheduler": "automatic"}),
        ("Open WebUI", {"authorization": "Basic "},
         {"prompt": PROMPT, "batch_size": 2, "width": 64, "height": 64, "steps": 2, "negative_prompt": ""}),
        ("LibreChat", {"Accept": "application/json, text/plain, */*"},
         {"prompt": PROMPT, "negative_prompt": "lowres", "cfg_scale": 4.5, "steps": 2, "width": 64, "height": 64}),
    ]
    for program, headers, body in of:
        options = ask("/sdapi/v1/options", **headers)[1]  # Open WebUI sends all of them back with another model
        assert ask("/sdapi/v1/options", {**options, "sd_model_checkpoint": "tiny"}, **headers) == (200, None)
        status, answer = ask("/sdapi/v1/txt2img", body, **headers)
        assert status == 200 and len(answer["images"]) == body.get("batch_size", 1), (program, answer)
        assert all(b64(image) == ("PNG", 64, 64) for image in answer["images"]), program
        info = json.loads(answer["info"])
        assert info["infotexts"][0].split("\n")[-1].startswith("Steps: ") and info["width"] == 64, info


def users():
    """catches: progress and interrupts that reach others' jobs, also an administrator's"""
    closed = Server(None, "--concurrency", "1", "--job-seconds", "86400")
    token = {name: closed.user("add", name, "--role", role) for name, role in
             (("ada", "user"), ("ben", "user"), ("root", "admin"))}
    bearer = lambda name: {"Authorization": "Bearer " + token[name]}
    assert ask("/sdapi/v1/txt2img", SMALL, closed)[0] == 401
    basic = webuiapi.WebUIApi(host=closed.host, port=closed.port)  # it can send a name and a password alone
    basic.set_auth("ada", token["ada"])
    assert basic.txt2img(prompt=PROMPT, width=64, height=64, steps=2).image.size == (64, 64)
    basic.set_auth("ada", "another password")
    try:
        basic.txt2img(prompt=PROMPT)
        raise AssertionError("anybody draws")
    except RuntimeError as e:
        assert e.args[0] == 401, e
    got = []
    asking = threading.Thread(target=lambda: got.append(ask("/sdapi/v1/txt2img", ENDLESS, closed, **bearer("ada"))))
    asking.start()
    until(lambda: ask("/sdapi/v1/progress", None, closed, **bearer("ada"))[1]["progress"])
    for name in ("ben", "root"):
        assert ask("/sdapi/v1/interrupt", {}, closed, **bearer(name)) == (200, {})
        state = ask("/sdapi/v1/progress", None, closed, **bearer(name))[1]["state"]
        assert state["job_count"] == 0 and state["job"] == "", state
    assert ask("/sdapi/v1/progress", None, closed, **bearer("ada"))[1]["state"]["job_count"] == 1
    ask("/sdapi/v1/interrupt", {}, closed, **bearer("ada"))
    asking.join()
    assert got[0][0] == 410
    closed.stop()


run([a_picture, several, ranges, progress_and_interrupt, an_interrupted_batch, odd_numbers, lists, programs,
     users])
