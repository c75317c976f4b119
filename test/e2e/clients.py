"""clients - what tests with other people's client libraries share: the environment that has them.

`make test` installs them (test/clients/install), pinned and unmodified, below build/clients. A test that imports this
first goes on in the Python of that environment."""

import os
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FOLDER = os.environ.get("DARKROOM_CLIENTS", os.path.join(ROOT, "build", "clients"))
PYTHON = os.path.join(FOLDER, "bin", "python")
NODE_MODULES = os.path.join(FOLDER, "node", "node_modules")

if os.path.realpath(sys.prefix) != os.path.realpath(FOLDER):
    if not os.path.exists(PYTHON):
        sys.exit(f"There is no {PYTHON}: run test/clients/install, or `make test`.")
    os.execv(PYTHON, [PYTHON, *sys.argv])


def picture(data):
    """(format, width, height) of a file that Pillow has read to its last pixel."""
    import io
    from PIL import Image
    with Image.open(io.BytesIO(data)) as image:
        image.load()
        return image.format, *image.size
