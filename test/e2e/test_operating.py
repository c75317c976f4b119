"""test_operating - server/OPERATING.md is tried from its own text: its command lines, in their order.

Lines that begin with sudo need a machine of their own: bare_debian.py runs those. What stands for something in the text
(DIR, BACKUP, RESTORED, MODEL, PID, $TOKEN, the port, the folder of the socket) is put in here and nothing else is
changed. A `darkroom serve` replaces the one before it and is waited for."""

import asyncio
import json
import os
import re
import shlex
import subprocess

import websockets

import commands
from harness import BIN, QUICK, ROOT, folder, free_port, run


class Desk:
    """Where the lines are run: a folder with everything that they name."""

    def __init__(self):
        self.home, self.port, self.env = folder(), free_port(), dict(os.environ)
        self.dirs = {"DIR": folder(), "BACKUP": os.path.join(self.home, "backup"),
                     "RESTORED": os.path.join(self.home, "restored")}
        self.server, self.served, self.log = None, {}, ""
        tools = os.path.join(self.home, "bin")
        os.makedirs(tools)
        os.makedirs(self.dirs["BACKUP"])
        os.symlink(BIN, os.path.join(tools, "darkroom"))
        with open(os.path.join(tools, "curl"), "w") as f:  # an error of HTTP is one of the line
            f.write('#!/bin/sh\nexec /usr/bin/curl -sS --fail-with-body --max-time 60 "$@"\n')
        os.chmod(os.path.join(tools, "curl"), 0o755)
        self.env["PATH"] = tools + ":" + self.env["PATH"]

    def put(self, line):
        """The line with what its words stand for."""
        for word, means in {**self.dirs, "MODEL": os.path.join(ROOT, "test", "weights", "released"),
                            "PID": str(self.server.pid) if self.server else "PID"}.items():
            line = re.sub(rf"(?<![A-Za-z]){word}(?![A-Za-z])", means, line)
        return line.replace("7860", str(self.port)).replace("/run/darkroom/http", os.path.join(self.home, "http"))

    def serve(self, line):
        self.end()
        args = shlex.split(self.put(line), comments=True)
        if "--listen" not in args and "--port" not in args:
            args += ["--port", str(self.port)]
        self.server = subprocess.Popen(args, env=self.env, text=True, bufsize=1, stdout=subprocess.PIPE,
                                       stderr=subprocess.STDOUT)
        self.log = ""
        self.until(r" at a time")
        self.served["unix" if "--listen" in args else "tcp"] = line

    def until(self, pattern):
        while not re.search(pattern, self.log):
            new = self.server.stdout.readline()
            assert new, self.log
            self.log += new

    def need(self, kind):
        """The line asks a server of this kind: the one that runs, or its own again."""
        other = {"unix": "tcp", "tcp": "unix"}[kind]
        if self.server is None or self.server.poll() is not None or self.current() == other:
            self.serve(self.served[kind])

    def current(self):
        return "unix" if "unix:" in self.log else "tcp"

    def run(self, line):
        if line.startswith("darkroom serve"):
            return self.serve(line)
        if "curl" in line.split()[0] or line.startswith("kill"):
            self.need("unix" if "--unix-socket" in line else "tcp")
        done = subprocess.run(["bash", "-c", self.put(line)], env=self.env, cwd=self.home, capture_output=True,
                              text=True, timeout=120)
        assert done.returncode == 0, (line, done.stdout[-2000:], done.stderr[-2000:])
        if "--role admin" in line:
            self.env["TOKEN"] = done.stdout.strip()
        return done.stdout

    def end(self):
        if self.server:
            self.server.terminate()
            self.server.stdout.read()
            self.server.wait()
            self.server.stdout.close()
        self.server = None


desk = Desk()


async def picture(token):
    """A picture of the administrator: its address."""
    async with websockets.connect(f"ws://127.0.0.1:{desk.port}/ws", subprotocols=["darkroom.v1"],
                                  extra_headers={"Authorization": "Bearer " + token}) as c:
        await c.send(json.dumps({"type": "submit", "spec": QUICK}))
        while True:
            m = await asyncio.wait_for(c.recv(), 60)
            if isinstance(m, str) and json.loads(m)["type"] == "result":
                return json.loads(m)["url"]


def every_line():
    """catches: a command of the document that does not work as it stands there; pictures that a backup loses"""
    url, ran = None, 0
    for line in commands.lines():
        if line.startswith("sudo "):
            continue
        if line.startswith("darkroom backup"):
            desk.need("tcp")
            url = asyncio.run(picture(desk.env["TOKEN"]))
        said = desk.run(line)
        ran += 1
        if line.startswith("kill -HUP"):
            desk.until("may sign in")
        if "/drain" in line:
            assert desk.server.wait(60) == 0, "it was drained, so it ends"
        if "plan" in line and "--vram" in line:
            assert "24 GB" in said, said
        if line.endswith("/metrics"):
            assert "darkroom_ready 1" in said, said
    assert ran >= 20, ran
    assert url and "RESTORED" in desk.served["tcp"]
    desk.run(f'curl -o /dev/null -H "Authorization: Bearer $TOKEN" http://127.0.0.1:7860{url}')
    desk.end()


def a_wrong_line_is_found():
    """catches: a test that takes whatever the document says"""
    desk.serve("darkroom serve --data DIR")
    for line in ("darkroom usr list --data DIR", "darkroom user add ada --rank admin --data DIR",
                 "curl http://127.0.0.1:7860/ready", "cp -a DIR/pictures BACKUP/"):
        try:
            desk.run(line)
        except AssertionError:
            continue
        assert False, line
    desk.end()


def options_and_files():
    """catches: an option that is not there any more, a list of live options that has fallen behind, a file that moved"""
    text = commands.text()
    table = subprocess.run([BIN, "options"], check=True, capture_output=True, text=True).stdout
    rows = re.findall(r"(?m)^\| `--([a-z-]+)[^|]*\|[^|]*\|[^|]*\| ([^|]*) \|", table)
    known = {name for name, _ in rows}
    ours = re.sub(r"(?m)^.*(curl|systemctl|journalctl|--grace-period).*$", "", text)
    for name in re.findall(r"`(?:darkroom [a-z ]*)?--([a-z-]+)", ours):
        assert name in known or name == "help", name
    live = {name for name, where in rows if "(live)" in where}
    listed = re.search(r"is marked \*live\* in \[OPTIONS.md\]\(OPTIONS.md\): (.*?)\. The log", text, re.S).group(1)
    assert set(re.findall(r"`([a-z-]+)`", listed)) == live, live ^ set(re.findall(r"`([a-z-]+)`", listed))
    for link in re.findall(r"\]\(([^)#:]+)[^)]*\)", text):
        assert os.path.exists(os.path.join(ROOT, "server", link)), link


run([every_line, a_wrong_line_is_found, options_and_files])
