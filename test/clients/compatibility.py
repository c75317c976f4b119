"""compatibility - the table of proto/COMPATIBILITY.md: which client, which version, what works, which test shows it.

Versions are those that are installed; a test that is named must exist, be run by its file, and be no other one."""

import importlib.metadata
import json
import os
import re

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
PATH = os.path.join(ROOT, "proto", "COMPATIBILITY.md")

# client, distribution ("npm:" of JavaScript; None: its requests as its sources build them), what, file, tests
ROWS = [
    ("OpenAI for Python", "openai", "pictures as base64 and addresses, several at once, sizes, JPEG and WebP", "openai",
     ["a_picture", "several", "sizes", "an_address", "formats"]),
    ("OpenAI for Python", "openai", "streams with partial pictures, asynchronous use", "openai",
     ["a_stream", "asynchronous"]),
    ("OpenAI for Python", "openai", "models, errors, tokens, what is repeated, a long wait", "openai",
     ["models", "errors", "users", "a_full_queue", "a_long_wait"]),
    ("OpenAI for Python", "openai", "edits of one or several pictures, as a stream too", "edits",
     ["an_edit", "several_pictures", "a_stream"]),
    ("OpenAI for JavaScript", "npm:openai", "a picture, a stream, an error, models", "openai", ["javascript"]),
    ("Open WebUI, engine openai", None, "a picture", "openai", ["programs"]),
    ("LiteLLM", "litellm", "a picture, several, an address, asynchronous use, an error", "openai", ["litellm_library"]),
    ("LibreChat", None, "a picture as base64 (gpt-image-1) or by its address (DALL-E)", "openai", ["programs"]),
    ("n8n", None, "a picture as base64 or by its address, models", "openai", ["programs"]),
    ("webuiapi", "webuiapi", "txt2img, batches, seeds, info", "a1111", ["a_picture", "several"]),
    ("webuiapi", "webuiapi", "img2img", "edits", ["img2img"]),
    ("webuiapi", "webuiapi", "progress with a preview, interrupt", "a1111",
     ["progress_and_interrupt", "an_interrupted_batch"]),
    ("webuiapi", "webuiapi", "models, samplers and further lists, options", "a1111", ["lists"]),
    ("SillyTavern", None, "a picture, options", "a1111", ["programs"]),
    ("Open WebUI, engine automatic1111", None, "a picture, options", "a1111", ["programs"]),
    ("LibreChat, tool stable-diffusion", None, "a picture", "a1111", ["programs"]),
    ("gradio_client", "gradio_client", "its list of functions, predict, files", "gradio", ["an_interface", "a_prediction"]),
    ("gradio_client", "gradio_client", "submit with places, times, steps; cancel; many at once", "gradio",
     ["states", "many_at_once"]),
    ("gradio_client", "gradio_client", "errors, tokens", "gradio", ["errors", "users"]),
    ("gradio_client", "gradio_client", "pictures to begin with, by handle_file", "edits",
     ["gradio_files", "gradio_refusals"]),
    ("@gradio/client", "npm:@gradio/client", "its list of functions, predict by place and by name, submit, an error",
     "gradio", ["javascript"]),
    ("@gradio/client", "npm:@gradio/client", "a picture to begin with, by handle_file", "edits", ["gradio_javascript"]),
    ("curl, two steps", None, "call/predict and its events; the lines that gradio_client writes for curl", "gradio",
     ["two_steps", "its_own_snippet"]),
    ("curl, upload and two steps", None, "upload, call/predict; the lines that gradio_client writes for curl", "edits",
     ["gradio_curl"]),
    ("scripts for Gradio 3 and 4", None, "api/predict, run/predict", "gradio", ["scripts"]),
    ("scripts for Gradio 3 and 4", None, "pictures to begin with, as data URLs or paths", "edits", ["gradio_scripts"]),
]

HEAD = """# Clients that are served as they are

Written by `test/e2e/test_compatibility.py --write`, checked by it in `make test`. A version: the library itself, unmodified, does what the tests say. No version: the requests that
the program sends, with its headers. [HTTP.md](HTTP.md#other-clients) says what each API gives.

| client | version | what works | shown by |
|---|---|---|---|
"""


def version(distribution):
    if distribution is None:
        return ""
    if not distribution.startswith("npm:"):
        return importlib.metadata.version(distribution)
    with open(os.path.join(HERE, "package.json"), encoding="utf-8") as f:
        return json.load(f)["devDependencies"][distribution[4:]]


def run_by(name):
    """The tests that a file runs."""
    with open(os.path.join(ROOT, "test", "e2e", f"test_{name}.py"), encoding="utf-8") as f:
        text = f.read()
    last = re.search(r"^run\(\[(.*?)\]\)", text, flags=re.S | re.M).group(1)
    return {t for t in re.findall(r"\w+", last) if re.search(rf"^def {t}\(", text, flags=re.M)}


def missing(rows):
    """Tests that are named and not run."""
    return [f"{name}: {t}" for _, _, _, name, tests in rows for t in tests if t not in run_by(name)]


def table():
    lines = []
    for client, distribution, what, name, tests in ROWS:
        shown = f"`test/e2e/test_{name}.py`: " + ", ".join(f"`{t}`" for t in tests)
        lines.append(f"| {client} | {version(distribution)} | {what} | {shown} |\n")
    return HEAD + "".join(lines)
