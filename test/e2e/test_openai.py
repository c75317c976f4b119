"""test_openai - the OpenAI libraries, unmodified, and the requests of programs that speak their API."""

import clients  # first: it goes on in the environment that has the libraries

import base64

import openai

from clients import png_size
from harness import QUICK, Server, run

server = Server(None, "--concurrency", "1", "--job-seconds", "86400")
PROMPT = QUICK["prompt"]
FEW = {"steps": 2}  # of this server's own, so that a test is quick


def client(to=None, **more):
    return openai.OpenAI(base_url=(to or server).url + "/v1", **{"api_key": "sk-none", **more})


def a_picture():
    """catches: an answer that the library does not read"""
    got = client().images.generate(model="gpt-image-1", prompt=PROMPT, size="64x64", extra_body=FEW)
    assert len(got.data) == 1 and got.size == "64x64", got
    assert png_size(base64.b64decode(got.data[0].b64_json)) == (64, 64)


run([a_picture])
