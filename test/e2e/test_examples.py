"""test_examples - the scripts of proto/examples draw on a server: each is refused, cancelled, and ends with its picture.

Python, JavaScript, the shell and C are always tried. Go and Rust are where their compilers are installed, and else are
named as skipped: they are too large for what they show. The first one stands in the README as it is."""

import json
import os
import re
import shutil
import subprocess
import sys

from harness import ROOT, Server, folder, run

EXAMPLES = os.path.join(ROOT, "proto", "examples")
PROMPT = 'a red "circle" on a \\ blue background, caf\u00e9'  # with what JSON escapes, and what UTF-8 encodes
server = Server(None, "--concurrency", "1")


def compiled(*command):
    """An example that is built first: what runs it."""
    def build(source):
        program = os.path.join(folder(), "draw")
        words = [{"SOURCE": source, "PROGRAM": program}.get(word, word) for word in command]
        subprocess.run(words, check=True, capture_output=True, timeout=200)
        return [program]
    return build


def script(*command):
    return lambda source: [*command, source]


# example: what must be installed, whether it may be missing, how it is run
WAYS = {
    "draw.py": (sys.executable, False, script(sys.executable, "-u")),
    "draw.mjs": ("node", False, script("node")),
    "draw.sh": ("curl", False, script("sh")),
    "draw.c": ("cc", False, compiled("cc", "-Wall", "-Wextra", "-Werror", "SOURCE", "-o", "PROGRAM", "-lwebsockets",
                                    "-ljansson")),
    "draw.go": ("go", True, compiled("go", "build", "-o", "PROGRAM", "SOURCE")),
    "draw.rs": ("rustc", True, compiled("rustc", "-O", "SOURCE", "-o", "PROGRAM")),
}
built = {}


class Example:
    """One run, in a folder of its own."""

    def __init__(self, name, prompt):
        if name not in built:
            built[name] = WAYS[name][2](os.path.join(EXAMPLES, name))
        where = [server.host, str(server.port)] if name == "draw.c" else [server.url]
        self.home, self.said = folder(), ""
        self.process = subprocess.Popen([*built[name], prompt, *where], cwd=self.home, text=True, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def until(self, pattern):
        """Read to a line that has it."""
        while not re.search(pattern, self.said):
            line = self.process.stdout.readline()
            assert line, (self.process.wait(), self.said)
            self.said += line

    def end(self):
        """The exit status, and the file or None."""
        self.said += self.process.stdout.read()
        self.process.stdout.close()
        path = os.path.join(self.home, "picture.png")
        status = self.process.wait()
        if not os.path.exists(path):
            return status, None
        with open(path, "rb") as f:
            return status, f.read()


def ask(path, method="GET", **options):
    status, _, text = server.get(path, method, **options)
    assert status < 300, (path, status, text)
    return json.loads(text)


def waiting(name):
    """A run that follows its job, which waits until `resume`: (run, job)"""
    ask("/v1/pause", "POST")
    example = Example(name, PROMPT)
    example.until(r'(?m)^place |^queue |"type":"queue"')  # as each of them shows it
    job = ask("/v1/jobs?limit=1")["jobs"][0]
    assert (job["state"], job["spec"]["prompt"]) == ("queued", PROMPT), job
    return example, job["job"]


def draws(name):
    """catches: an example that shows no progress, or whose file is not the picture; a prompt that arrives as another"""
    example, job = waiting(name)
    ask("/v1/resume", "POST")
    status, picture = example.end()
    assert status == 0, example.said
    assert re.search(r"(?s)prior.*denoise", example.said), example.said
    url = ask("/v1/jobs/" + job)["result"]["url"]
    assert picture and picture == server.get(url)[2], (name, example.said)


def tells_of_an_end(name):
    """catches: an example that waits for ever, or ends with 0, when its job is cancelled"""
    example, job = waiting(name)
    ask("/v1/jobs/" + job, "DELETE")
    status, picture = example.end()
    ask("/v1/resume", "POST")
    assert status not in (0, None) and picture is None, (name, status, example.said)


def tells_of_an_error(name):
    """catches: an example that waits for ever, or is silent, when its request is refused"""
    example = Example(name, " ")
    status, picture = example.end()
    assert status not in (0, None) and picture is None, (name, status, example.said)
    assert "bad_prompt" in example.said, (name, example.said)


def length():
    """catches: an example that is no example any more"""
    assert sorted(os.listdir(EXAMPLES)) == sorted(WAYS)
    for name in WAYS:
        with open(os.path.join(EXAMPLES, name)) as f:
            assert len(f.readlines()) <= 40, name


def the_readme():
    """catches: a first script that is not the one that is tested"""
    with open(os.path.join(ROOT, "README.md")) as readme, open(os.path.join(EXAMPLES, "draw.py")) as example:
        assert re.findall(r"(?ms)^```python\n(.*?)^```$", readme.read()) == [example.read()]


def each(check, name):
    def test():
        check(name)
    test.__name__ = f"{name[5:]}_{check.__name__}"
    return test


present = [name for name, (tool, optional, _) in WAYS.items() if shutil.which(tool) or not optional]
for name in WAYS:
    if name not in present:
        print(f"skipped {name}: there is no {WAYS[name][0]}")
run([length, the_readme, *(each(check, name) for name in present for check in (draws, tells_of_an_end, tells_of_an_error))])
