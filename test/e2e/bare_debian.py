"""bare_debian - the package in a bare Debian 12 whose own systemd runs it: installed, upgraded over the database of an
older one, reloaded, killed, stopped by its watchdog, configured for nginx, removed, purged; then the lines of OPERATING.md
that begin with sudo.

    bare_debian.py OLD.deb NEW.deb [MIRROR]

Not part of `make test`: it needs root, debootstrap, systemd-container and a mirror, and takes some minutes. What it
makes is below a temporary folder (250 MB). OLD.deb is made of an older commit's binary:
server/deploy/debian/build.sh BINARY OUT 0+20251101000000; where that one is older than Type=notify, its unit needs
Type=simple and no WatchdogSec."""

import asyncio
import atexit
import ctypes
import http.client
import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.request

import websockets

import commands
from harness import LONG, QUICK, run

OLD, NEW = (os.path.abspath(p) for p in sys.argv[1:3])
MIRROR = sys.argv[3:]
HOME = tempfile.mkdtemp(prefix="darkroom-debian-")
ROOT = os.path.join(HOME, "root")
CLONE_NEWNET = 0x40000000
WITH = "PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive LC_ALL=C".split()
PATIENCE_S = 120
machine = {}


def outside(*command):
    done = subprocess.run(["env", "-i", *WITH, *command], capture_output=True, text=True)
    assert done.returncode == 0, (command, done.stdout[-3000:], done.stderr[-3000:])
    return done.stdout


def inside(*command, fails=False):
    """A command in the machine: what it prints."""
    done = subprocess.run(["nsenter", "-t", machine["leader"], "--all", "env", "-i", *WITH, *command],
                          capture_output=True, text=True)
    assert fails or done.returncode == 0, (command, done.stdout[-3000:], done.stderr[-3000:])
    return done.stdout + done.stderr if fails else done.stdout


def show(what):
    return inside("systemctl", "show", "--value", "-p", what, "darkroom").strip()


def until(what, wanted):
    begun = time.monotonic()
    while not re.fullmatch(wanted, show(what)):
        assert time.monotonic() - begun < PATIENCE_S, (what, show(what), journal())
        time.sleep(0.2)


def journal():
    return inside("journalctl", "--no-pager", "-q", "-u", "darkroom", "-o", "cat")


def end():
    if "nspawn" in machine:
        machine["nspawn"].terminate()
        machine["nspawn"].wait()
    shutil.rmtree(HOME, True)


def boots():
    """A bare Debian with both packages' dependencies downloaded, which then has no network but its own."""
    outside("debootstrap", "--variant=minbase", "--include=systemd,systemd-sysv,dbus", "bookworm", ROOT, *MIRROR)
    for name, deb in (("old", OLD), ("new", NEW)):
        shutil.copy(deb, f"{ROOT}/srv/{name}.deb")
        outside("chroot", ROOT, "apt-get", "-qq", "update")
        outside("chroot", ROOT, "apt-get", "-qq", "-y", "--download-only", "--no-install-recommends", "install",
                f"/srv/{name}.deb")
    os.makedirs(f"{ROOT}/srv/beside")
    shutil.copy(NEW, f"{ROOT}/srv/beside")
    outside("chroot", ROOT, "apt-get", "-qq", "-y", "--download-only", "install", "nginx", "openssl")
    with open(f"{ROOT}/etc/apt/apt.conf.d/90yes", "w") as f:
        f.write('APT::Get::Assume-Yes "true";\n')
    log = open(os.path.join(HOME, "boot"), "w")
    machine["nspawn"] = subprocess.Popen(
        ["systemd-nspawn", "-q", "-D", ROOT, "--boot", "--register=no", "--keep-unit", "--private-network"],
        stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
    while "leader" not in machine:
        time.sleep(0.2)
        assert machine["nspawn"].poll() is None
        with open(f"/proc/{machine['nspawn'].pid}/task/{machine['nspawn'].pid}/children") as f:
            for pid in f.read().split():
                machine["leader"] = pid
    begun = time.monotonic()
    while "running" not in inside("systemctl", "is-system-running", fails=True):
        assert time.monotonic() - begun < PATIENCE_S, inside("systemctl", "--failed", fails=True)
        time.sleep(0.5)
    net = os.open(f"/proc/{machine['leader']}/ns/net", os.O_RDONLY)
    assert ctypes.CDLL(None).setns(net, CLONE_NEWNET) == 0
    os.close(net)


def install(name):
    inside("apt-get", "-qq", "-y", "--no-install-recommends", "--allow-downgrades", "install", f"/srv/{name}.deb")


def get(path, headers=None):
    with urllib.request.urlopen(urllib.request.Request("http://127.0.0.1:7860" + path, headers=headers or {}),
                                timeout=20) as answer:
        return answer.read()


def connect(**options):
    return websockets.connect("ws://127.0.0.1:7860/ws", subprotocols=["darkroom.v1"], max_size=None, **options)


async def message(c, want):
    while True:
        got = await asyncio.wait_for(c.recv(), PATIENCE_S)
        if isinstance(got, str) and want(json.loads(got)):
            return json.loads(got)


async def submit(c, spec):
    await c.send(json.dumps({"type": "submit", "spec": spec}))
    return (await message(c, lambda m: m["type"] == "accepted"))["job"]


async def installs():
    """catches: a dependency that is missing, a service that does not start or draws nothing as it is confined"""
    install("old")
    until("ActiveState", "active")
    begun = time.monotonic()
    while True:
        try:
            get("/healthz")
            break
        except OSError:
            assert time.monotonic() - begun < PATIENCE_S, journal()
            time.sleep(0.2)
    async with connect() as c:
        job = await submit(c, QUICK)
        end = await message(c, lambda m: m["type"] == "end" and m["job"] == job)
        assert end["state"] == "done", end
        machine["done"] = job
        machine["waits"] = [await submit(c, {**LONG, "steps": 60}) for _ in range(3)]


async def upgrades():
    """catches: an old database that is not read, a job that is lost on the way, an old process that stays"""
    before = show("MainPID")
    install("new")
    assert show("ActiveState") == "active" and show("MainPID") not in ("0", before), journal()
    assert show("Type") == "notify" and "jobs run" in show("StatusText"), show("StatusText")
    async with connect() as c:
        for job in [machine["done"], *machine["waits"]]:
            await c.send(json.dumps({"type": "watch", "job": job}))
        ended, urls = {}, []
        while len(ended) < 4:
            m = await message(c, lambda m: m["type"] in ("result", "end"))
            if m["type"] == "end":
                ended[m["job"]] = m["state"]
            else:
                urls.append(m["url"])
    assert set(ended.values()) == {"done"} and len(urls) == 4, (ended, urls, journal())
    assert all(get(url).startswith(b"\x89PNG") for url in urls)
    level = re.search(r"Overall exposure level for darkroom.service: ([\d.]+)",
                      inside("systemd-analyze", "security", "--no-pager", "darkroom"))
    assert float(level.group(1)) <= 2.5, level


def change(text):
    with open(f"{ROOT}/etc/darkroom/darkroom.ini", "a") as f:
        f.write(text)


def reloads():
    """catches: `systemctl reload` that restarts, hangs or changes nothing"""
    before = show("MainPID")
    change("queue = 9\n")
    inside("systemctl", "reload", "darkroom")
    assert "changed: queue" in journal() and show("MainPID") == before and show("ActiveState") == "active"


def starts_again():
    """catches: a server that was killed, or stands still, and stays so"""
    before, times = show("MainPID"), int(show("NRestarts"))
    inside("systemctl", "kill", "-s", "KILL", "darkroom")
    until("NRestarts", str(times + 1))
    until("SubState", "running")
    assert show("MainPID") != before
    os.makedirs(f"{ROOT}/etc/systemd/system/darkroom.service.d")
    with open(f"{ROOT}/etc/systemd/system/darkroom.service.d/quick.conf", "w") as f:
        f.write("[Service]\nWatchdogSec=3\n")
    inside("systemctl", "daemon-reload")
    inside("systemctl", "restart", "darkroom")
    times = int(show("NRestarts"))
    inside("systemctl", "kill", "-s", "STOP", "darkroom")
    until("NRestarts", str(times + 1))
    until("SubState", "running")
    assert "Watchdog timeout" in journal()
    shutil.rmtree(f"{ROOT}/etc/systemd/system/darkroom.service.d")
    inside("systemctl", "daemon-reload")


def mistakes_are_said():
    """catches: a mistake in the options that is tried again and again, or that `systemctl start` calls a success"""
    with open(f"{ROOT}/etc/darkroom/darkroom.ini") as f:
        good = f.read()
    change("speed = 9\n")
    inside("systemctl", "restart", "darkroom", fails=True)
    until("ActiveState", "failed")
    assert "there is no option 'speed'" in journal() and show("NRestarts") == "0"
    with open(f"{ROOT}/etc/darkroom/darkroom.ini", "w") as f:
        f.write(good)
    inside("systemctl", "reset-failed", "darkroom")
    inside("systemctl", "start", "darkroom")


async def users():
    """catches: a command that runs as another user than the server; nginx's user that does not reach the socket"""
    token = inside("runuser", "-u", "darkroom", "--", "darkroom", "user", "add", "ada", "--data", "/var/lib/darkroom")
    begun = time.monotonic()
    while True:
        try:
            who = get("/v1/session", {"Authorization": "Bearer " + token.strip()})
            break
        except OSError:
            assert time.monotonic() - begun < PATIENCE_S
            time.sleep(0.2)
    assert json.loads(who)["user"]["name"] == "ada"
    change("listen = unix:/run/darkroom/http\ntrust-proxy = yes\nbase = /lab/\n")
    inside("systemctl", "restart", "darkroom")
    reach = ("/usr/bin/perl", "-MIO::Socket::UNIX", "-e",
             "exit !IO::Socket::UNIX->new(Peer => '/run/darkroom/http')")
    assert subprocess.run(["nsenter", "-t", machine["leader"], "--all", "runuser", "-u", "www-data", "--", *reach]
                          ).returncode == 1, "everybody reaches it"
    inside("adduser", "--quiet", "www-data", "darkroom")
    inside("runuser", "-u", "www-data", "--", *reach)


def goes():
    """catches: a configuration that an upgrade overwrites, a removal that takes the pictures, a purge that leaves them"""
    inside("dpkg", "--force-confold", "-i", "/srv/new.deb")
    assert "queue = 9" in inside("cat", "/etc/darkroom/darkroom.ini")
    inside("apt-get", "-qq", "-y", "remove", "darkroom")
    assert inside("systemctl", "is-active", "darkroom", fails=True).strip() == "inactive"
    kept = inside("find", "/var/lib/darkroom/outputs", "-name", "*.png")
    assert kept.count(".png") >= 4, kept
    assert "queue = 9" in inside("cat", "/etc/darkroom/darkroom.ini")
    install("new")
    until("SubState", "running")
    inside("apt-get", "-qq", "-y", "purge", "darkroom")
    left = inside("find", "/", "-xdev", "(", "-path", "/proc", "-o", "-path", "/sys", "-o", "-path", "/srv", "-o",
                  "-path", "/var/cache/apt", "-o", "-path", "/var/log", ")", "-prune", "-o", "-name", "*darkroom*",
                  "-print")
    assert not left.strip(), left
    assert inside("systemctl", "is-system-running", fails=True).strip() in ("running", "degraded")
    assert not inside("systemctl", "list-unit-files", "darkroom*", "--no-legend", fails=True).strip()


def follows_the_document():
    """catches: a step of OPERATING.md that does not work as it stands there"""
    steps = [line.removeprefix("sudo ") for line in commands.lines() if line.startswith("sudo ")]
    assert len(steps) >= 15 and steps[-1] == "apt purge darkroom", steps
    for step in steps:
        if step.startswith("apt install nginx"):
            change("".join(commands.blocks("ini")))
        if step.startswith("apt purge"):
            name = "pictures.example.org"
            context = ssl.create_default_context(cafile=f"{ROOT}/etc/ssl/certs/{name}.pem")
            c = http.client.HTTPSConnection(name, timeout=60, context=context)
            c._create_connection = lambda *_, **__: socket.create_connection(("127.0.0.1", 443), 60)
            c.request("GET", "/lab/readyz")
            answer = c.getresponse()
            assert answer.status == 200 and json.loads(answer.read())["ok"], answer.status
            c.close()
        if step.startswith("-u darkroom "):
            step = "runuser -u darkroom -- " + step.removeprefix("-u darkroom ")
        inside("sh", "-c", "cd /srv/beside && " + step)


atexit.register(end)
sys.argv[1:] = []
run([boots, installs, upgrades, reloads, starts_again, mistakes_are_said, users, goes, follows_the_document])
