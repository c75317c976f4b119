"""app - the same service in Gradio: a prompt in, after some seconds of sleep a picture out. Prints its address.

    app.py SIDE"""
import sys
import time

import gradio
import numpy
from PIL import Image

SIDE = int(sys.argv[1])
PICTURE = Image.fromarray(numpy.random.default_rng(1).integers(0, 256, (SIDE, SIDE, 3), dtype=numpy.uint8))


def draw(prompt, seconds):
    time.sleep(seconds)
    return PICTURE


app = gradio.Interface(draw, [gradio.Textbox(), gradio.Number()], gradio.Image(type="pil", format="png"), api_name="draw")
app.queue(default_concurrency_limit=1)
_, url, _ = app.launch(server_name="127.0.0.1", prevent_thread_lock=True, quiet=True)
print(url, flush=True)
app.block_thread()
