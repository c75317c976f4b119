"""test_service - what goes with a service manager: sd_notify's messages, darkroom.service, darkroom.ini."""

import asyncio
import os
import re
import signal
import socket
import subprocess
import threading

from harness import BIN, LONG, QUICK, ROOT, Server, folder, run
from ptrace import stop_thread

DEPLOY = os.path.join(ROOT, "server", "deploy")


class Manager:
    """The end of systemd: a socket of datagrams, and a server that knows it."""

    def __init__(self, *flags, abstract=False, watchdog_us=1000000, under=()):
        home = folder()
        name = os.path.join(home, "notify")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.settimeout(60)
        self.socket.bind("\0" + name if abstract else name)
        self.heard = []
        env = {"NOTIFY_SOCKET": "@" + name if abstract else name, "WATCHDOG_USEC": str(watchdog_us)}
        self.server = Server(home, *flags, env=env, under=under)

    def next(self):
        self.heard.append(self.socket.recv(4096).decode())
        return self.heard[-1]

    def until(self, wanted):
        """The messages up to one that matches."""
        seen = [self.next()]
        while not re.fullmatch(wanted, seen[-1], re.S):
            seen.append(self.next())
        return seen

    def rest(self):
        """What came before the server ended."""
        self.server.process.wait(30)
        self.socket.setblocking(False)
        seen = []
        try:
            while True:
                seen.append(self.socket.recv(4096).decode())
        except BlockingIOError:
            return seen


async def tells_what_it_does():
    """catches: `systemctl start` that waits for ever or comes back too early, a reload that never ends, a status
    that stays, no sign of life while it draws"""
    m = Manager()
    begun = m.until("READY=1")
    assert begun[0] == "STATUS=Opens the model", begun
    m.until("STATUS=0 jobs run, 0 wait, 0 clients")
    async with m.server.connect() as c:
        job = (await c.submit(LONG))["job"]
        await asyncio.to_thread(m.until, "STATUS=1 jobs run, 0 wait, 1 clients")
        for _ in range(3):
            await asyncio.to_thread(m.until, "WATCHDOG=1")
        await c.send(type="cancel", job=job)
        await c.end_of(job)
    m.until("STATUS=0 jobs run, 0 wait, 0 clients")
    m.server.process.send_signal(signal.SIGHUP)
    assert m.until(r"RELOADING=1\nMONOTONIC_USEC=\d+")
    assert m.until("READY=1")[-1] == "READY=1"
    m.server.process.terminate()
    left = m.rest()
    assert "STOPPING=1" in left and "READY=1" not in left, left
    assert m.server.process.returncode == 0
    m = Manager(abstract=True)
    m.until("READY=1")
    m.server.kill()


def only_a_loop_that_turns():
    """catches: a sign of life that another thread gives, or a timer, for a loop that stands still"""
    m = Manager(watchdog_us=400000)
    m.until("WATCHDOG=1")
    stopped = threading.Event()
    status = []

    def hold():  # who traces must wait for the end
        stop_thread(m.server.process.pid)
        stopped.set()
        status.append(m.server.process.wait(60))
    threading.Thread(target=hold).start()
    stopped.wait(20)
    m.socket.setblocking(False)
    try:
        while True:
            m.socket.recv(4096)
    except BlockingIOError:
        pass
    assert "WATCHDOG=1" not in m.rest(), m.heard  # ten seconds, until its own watchdog has ended it
    assert m.server.process.returncode == 70


def works_without_a_manager():
    """catches: a variable that makes no sense and keeps it from starting"""
    for path in ("", "/", "relative", "/nowhere/at/all", "/" + 200 * "x"):
        server = Server(env={"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "much", "WATCHDOG_PID": "1"})
        assert server.get("/readyz")[0] == 200
        assert server.stop()[0] == 0


def exposure(text):
    """What `systemd-analyze security` says of a unit."""
    unit = os.path.join(folder(), "darkroom.service")
    with open(unit, "w") as f:
        f.write(text)
    done = subprocess.run(["systemd-analyze", "security", "--offline=true", "--no-pager", unit],
                          capture_output=True, text=True)
    return float(re.search(r"Overall exposure level for darkroom.service: ([\d.]+)", done.stdout).group(1))


def unit():
    """catches: a unit that gives the server more than it needs, a check that finds nothing"""
    with open(os.path.join(DEPLOY, "darkroom.service")) as f:
        text = f.read()
    assert exposure(text) <= 2.5
    assert exposure(re.sub(r"(?m)^(Protect|Private|Restrict|System|Capab|No)\w+=.*$", "", text)) > 2.5
    for line in ("Type=notify", "WatchdogSec=60", "ExecReload=/bin/sh -c 'kill -HUP $MAINPID'", "Restart=on-failure",
                 "ExecStart=/usr/bin/darkroom serve --config /etc/darkroom/darkroom.ini"):
        assert line in text.splitlines(), line


async def without_new_code():
    """catches: MemoryDenyWriteExecute=yes of the unit that keeps it from drawing (PCRE2 compiles at run time)"""
    deny = "import ctypes, os, sys; assert ctypes.CDLL(None).prctl(65, 1, 0, 0, 0) == 0; os.execv(sys.argv[1], sys.argv[1:])"
    server = Server(under=("/usr/bin/python3", "-c", deny))
    async with server.connect() as c:
        job = (await c.submit(QUICK))["job"]
        assert (await c.end_of(job))[-1]["state"] == "done"
    server.stop()


def options():
    """{name: (default, commands)} by `darkroom options`."""
    table = subprocess.run([BIN, "options"], check=True, capture_output=True, text=True).stdout
    rows = re.findall(r"(?m)^\| `--([a-z-]+)[^`]*` \| [^|]* \| ([^|]*) \| ([^|]*) \|", table)
    return {name: (default.strip(), commands.split()) for name, default, commands in rows}


def ini():
    """catches: a file that lacks an option, says another default, or that the server does not take"""
    with open(os.path.join(DEPLOY, "darkroom.ini")) as f:
        text = f.read()
    given = dict(re.findall(r"(?m)^(?:; )?([a-z-]+) = (.*)$", text))
    known = {name: default for name, (default, commands) in options().items() if "serve" in commands}
    del known["config"]
    assert sorted(given) == sorted(known), set(given) ^ set(known)
    examples = ("model", "listen", "trust-proxy", "base", "origins", "open", "data", "access-log",
                "webhook-hosts", "webhook-secret", "webhook-ca")
    for name, value in given.items():
        assert name in examples or value == known[name], (name, value, known[name])
    home = folder()
    path = os.path.join(home, "darkroom.ini")
    whole = re.sub(r"(?m)^; ([a-z-]+ = .*)$", r"\1", text)
    ca = os.path.join(home, "ca.pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                    "-subj", "/CN=ca", "-keyout", os.path.join(home, "key.pem"), "-out", ca], check=True,
                   capture_output=True)
    for name, value in (("model", os.path.join(ROOT, "weights", "tiny")), ("data", home), ("port", "0"),
                        ("webhook-ca", ca),
                        ("listen", f"unix:{home}/http")):
        whole = re.sub(rf"(?m)^{name} = .*$", f"{name} = {value}", whole)
    for file in (text.replace("/var/lib/darkroom", home) + "port = 0\n", whole):
        with open(path, "w") as f:
            f.write(file)
        process = subprocess.Popen([BIN, "serve", "--config", path], stdout=subprocess.PIPE, text=True,
                                   stderr=subprocess.STDOUT)
        log = ""
        while " at a time" not in log:
            line = process.stdout.readline()
            assert line, log
            log += line
        process.terminate()
        process.stdout.read()
        assert process.wait(20) == 0
        process.stdout.close()


run([tells_what_it_does, only_a_loop_that_turns, works_without_a_manager, unit, without_new_code, ini])
