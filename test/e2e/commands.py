"""commands - the command lines of server/OPERATING.md, for the tests that run them."""

import os
import re

from harness import ROOT

PATH = os.path.join(ROOT, "server", "OPERATING.md")


def text():
    with open(PATH) as f:
        return f.read()


def blocks(kind):
    """What stands in the fences of a kind, in order."""
    return re.findall(rf"(?ms)^```{kind}\n(.*?)^```$", text())


def lines():
    """Command lines in order; one that goes on in the next line is one."""
    whole = "".join(blocks("sh")).replace("\\\n", " ")
    return [re.sub(r"\s+", " ", line).strip() for line in whole.splitlines() if line.strip()]
