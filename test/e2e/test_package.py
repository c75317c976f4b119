"""test_package - the Debian package: what is in it, what its scripts may do, and that its tree serves.

Installing, upgrading and purging it in a bare Debian is test/e2e/bare_debian.sh, which needs root and a mirror."""

import asyncio
import json
import os
import re
import subprocess
import urllib.request

import websockets

from harness import BIN, QUICK, ROOT, folder, run

DEBIAN = os.path.join(ROOT, "server", "deploy", "debian")


def shell(*args, **options):
    return subprocess.run(args, check=True, capture_output=True, text=True, **options).stdout


class Package:
    def __init__(self, *version):
        self.out = folder()
        self.path = shell(os.path.join(DEBIAN, "build.sh"), BIN, self.out, *version).strip()
        self.tree, self.scripts = os.path.join(self.out, "tree"), os.path.join(self.out, "scripts")
        shell("dpkg-deb", "-x", self.path, self.tree)
        shell("dpkg-deb", "-e", self.path, self.scripts)

    def bytes(self):
        with open(self.path, "rb") as f:
            return f.read()

    def field(self, name):
        return shell("dpkg-deb", "-f", self.path, name).strip()

    def files(self):
        """{path: (mode, owner)} of what is no folder."""
        rows = (line.split(None, 5) for line in shell("dpkg-deb", "-c", self.path).splitlines())
        return {row[5][1:]: (row[0], row[1]) for row in rows if row[0][0] != "d"}

    def text(self, path):
        with open(os.path.join(self.tree, path.lstrip("/"))) as f:
            return f.read()


package = Package()


def contents():
    """catches: a file that is missing, may be changed by others, or is another one than its sum says"""
    files = package.files()
    for path in ("/usr/bin/darkroom", "/usr/share/man/man1/darkroom.1.gz", "/lib/systemd/system/darkroom.service", "/etc/darkroom/darkroom.ini",
                 "/usr/share/doc/darkroom/copyright", "/usr/share/doc/darkroom/changelog.gz",
                 "/usr/share/doc/darkroom/OPERATING.md", "/usr/share/darkroom/tiny/model_index.json"):
        assert path in files, path
    for path, (mode, owner) in files.items():
        assert mode == ("-rwxr-xr-x" if path == "/usr/bin/darkroom" else "-rw-r--r--"), (path, mode)
        assert owner == "root/root", (path, owner)
        assert re.match(r"/(usr/(bin|share/(darkroom|doc/darkroom|man/man1))|lib/systemd/system|etc/darkroom)/", path), path
    shell("md5sum", "-c", "--quiet", os.path.join(package.scripts, "md5sums"), cwd=package.tree)
    with open(os.path.join(package.scripts, "md5sums")) as f:
        summed = {"/" + line.split(None, 1)[1].strip() for line in f}
    assert summed == {f for f in files if not f.startswith("/etc/")}
    with open(os.path.join(package.scripts, "conffiles")) as f:
        assert f.read().split() == [f for f in files if f.startswith("/etc/")]
    starts = re.search(r"(?m)^ExecStart=(\S+) serve --config (\S+)$", package.text("/lib/systemd/system/darkroom.service"))
    assert set(starts.groups()) <= set(files)


def fields():
    """catches: a library that is needed and not named, a name that nobody can install"""
    assert package.field("Package") == "darkroom" and package.field("Maintainer")
    assert int(package.field("Installed-Size")) > 10000
    needed = re.findall(r"NEEDED\)\s+Shared library: \[([^]]+)\]", shell("readelf", "-d", BIN))
    depends = package.field("Depends")
    for library in needed:
        if library.startswith(("ld-linux", "libgcc")):
            continue
        path = shell("sh", "-c", f"ldconfig -p | grep -m 1 -F '{library} ' | sed 's/.* => //'").strip()
        owner = shell("sh", "-c", f"dpkg-query -S '{path}' 2>/dev/null || dpkg-query -S \"$(realpath '{path}')\"")
        assert re.search(rf"(^|, ){re.escape(owner.split(':')[0])}\b", depends), (library, owner, depends)
    assert re.search(r"\badduser\b", depends)


def manual():
    """catches: a command that the manual page does not have, or one that is gone; a page that man cannot set"""
    with open(os.path.join(DEBIAN, "darkroom.1")) as f:
        text = f.read()
    listed = set(re.findall(r"(?m)^\.TP\n\.B ([a-z]+)$", text))
    usage = shell(BIN, "help")
    have = set(re.findall(r"(?m)^  darkroom ([a-z]+)", usage)) - {"version"}
    assert listed == have, (listed ^ have, usage)
    assert text.count(".SH ") == 6 and "/etc/darkroom/darkroom.ini" in text


def versions():
    """catches: a later commit whose package is taken for an older one; bytes that differ between two builds"""
    assert package.bytes() == Package().bytes()
    older, newer = "0+20251231235959", package.field("Version")
    shell("dpkg", "--compare-versions", older, "lt", newer)
    shell("dpkg", "--compare-versions", newer, "lt", "1.0") if newer.startswith("0") else None
    other = Package("1.2+3.gabc")
    assert other.field("Version") == "1.2+3.gabc" and "1.2+3.gabc" in os.path.basename(other.path)


def scripts():
    """catches: a script that goes on after an error, does not parse, or removes what is not its own"""
    for name in ("postinst", "prerm", "postrm"):
        path = os.path.join(package.scripts, name)
        shell("sh", "-n", path)
        with open(path) as f:
            text = f.read()
        assert text.startswith("#!/bin/sh\n") and "\nset -e\n" in text, name
        assert os.stat(path).st_mode & 0o777 == 0o755, name
        for removed in re.findall(r"\brm .*", text):
            assert removed == "rm -rf /var/lib/darkroom /run/darkroom" and name == "postrm", removed
    # an abort, or a state without systemd, is no error: the user is there already in what these do
    shell("sh", os.path.join(package.scripts, "prerm"), "upgrade", "1")
    shell("sh", os.path.join(package.scripts, "postrm"), "upgrade", "1")


def documents():
    """catches: a link in the documents that leads nowhere once it is installed"""
    doc = "/usr/share/doc/darkroom"
    files = set(package.files())
    for name in ("OPERATING.md", "OPTIONS.md"):
        for link in re.findall(r"\]\(([^)#:]+)[^)]*\)", package.text(f"{doc}/{name}")):
            assert os.path.normpath(f"{doc}/{link}") in files, (name, link)


async def serves():
    """catches: a tree whose program does not start, or does not find the bundled model"""
    home = folder()
    binary = os.path.join(package.tree, "usr/bin/darkroom")
    config = os.path.join(package.tree, "etc/darkroom/darkroom.ini")
    process = subprocess.Popen([binary, "serve", "--config", config, "--data", home, "--port", "0"],
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        log = ""
        while " at a time" not in log:
            line = process.stdout.readline()
            assert line, log
            log += line
        assert os.path.join(package.tree, "usr/share/darkroom/tiny") in log, log
        at = re.search(r"address\s+http://(\S+)", log).group(1)
        with urllib.request.urlopen(f"http://{at}/", timeout=20) as answer:
            assert b"<title>darkroom</title>" in answer.read()
        async with websockets.connect(f"ws://{at}/ws", subprotocols=["darkroom.v1"]) as c:
            await c.send(json.dumps({"type": "submit", "spec": QUICK}))
            while True:
                message = await asyncio.wait_for(c.recv(), 60)
                if isinstance(message, str) and json.loads(message)["type"] == "end":
                    assert json.loads(message)["state"] == "done"
                    break
    finally:
        process.terminate()
        process.stdout.read()
        process.wait()
        process.stdout.close()


run([contents, fields, manual, versions, scripts, documents, serves])
