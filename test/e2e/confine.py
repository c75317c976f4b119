"""confine - a command with fewer rights than ours, as a unit of systemd or a container gives it.

    confine.py unit COMMAND ..        the calls that SystemCallFilter= of darkroom.service allows (any other kills),
                                      no capabilities, no new code in memory
    confine.py no-filter COMMAND ..   a system without seccomp filters: asking for one fails"""

import ctypes
import os
import re
import struct
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
UNIT = os.path.join(ROOT, "server", "deploy", "darkroom.service")
LOAD, EQUAL, RETURN = 0x20, 0x15, 0x06
KILL, ALLOW, ERROR = 0x80000000, 0x7fff0000, 0x00050000
SET_SECCOMP, FILTER, NO_NEW_PRIVS, DROP_BOUNDING, DENY_NEW_CODE = 22, 2, 38, 24, 65
EINVAL = 22


def sets():
    """{"@name": its calls and sets}, as systemd has them"""
    text = subprocess.run(["systemd-analyze", "syscall-filter", "--no-pager"], check=True, capture_output=True,
                          text=True).stdout
    found = {}
    for line in text.splitlines():
        if line.startswith("@"):
            members = found.setdefault(line.split()[0], [])
        elif line.startswith("    ") and not line.strip().startswith("#"):
            members.append(line.split()[0])
    return found


def members(known, name):
    return set().union(*(members(known, m) for m in known[name])) if name.startswith("@") else {name}


def numbers():
    """{call: its number on this machine}"""
    text = subprocess.run(["gcc", "-E", "-dM", "-include", "sys/syscall.h", "-x", "c", "/dev/null"], check=True,
                          capture_output=True, text=True).stdout
    return {name: int(n) for name, n in re.findall(r"#define __NR_(\w+) (\d+)", text)}


def allowed():
    known, calls = sets(), set()
    with open(UNIT) as f:
        lines = re.findall(r"(?m)^SystemCallFilter=(~?)(.*)$", f.read())
    assert lines
    for without, names in lines:
        for name in names.split():
            calls = calls - members(known, name) if without else calls | members(known, name)
    if os.geteuid() == 0:  # SQLite calls it as root, which the unit's server is not
        calls.add("fchown")
    known_numbers = numbers()
    return sorted(known_numbers[c] for c in calls | members(known, "@default") if c in known_numbers)


def enter(program):
    """program: (code, yes, no, value) .."""
    libc = ctypes.CDLL(None, use_errno=True)
    code = b"".join(struct.pack("HBBI", *line) for line in program)
    memory = ctypes.create_string_buffer(code)
    head = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(program), ctypes.addressof(memory)))
    assert libc.prctl(NO_NEW_PRIVS, 1, 0, 0, 0) == 0
    assert libc.prctl(SET_SECCOMP, FILTER, head, 0, 0) == 0, os.strerror(ctypes.get_errno())


def as_unit():
    libc = ctypes.CDLL(None)
    calls = allowed()
    for capability in range(64):
        libc.prctl(DROP_BOUNDING, capability, 0, 0, 0)  # fails for what the kernel does not know, or we do not have
    assert libc.prctl(DENY_NEW_CODE, 1, 0, 0, 0) == 0
    lines = [(LOAD, 0, 0, 0)]
    for n in calls:
        lines += [(EQUAL, 0, 1, n), (RETURN, 0, 0, ALLOW)]
    enter(lines + [(RETURN, 0, 0, KILL)])


def without_filters():
    n = numbers()
    enter([(LOAD, 0, 0, 0), (EQUAL, 1, 0, n["seccomp"]), (EQUAL, 0, 4, n["prctl"]), (LOAD, 0, 0, 16),
           (EQUAL, 1, 0, SET_SECCOMP), (RETURN, 0, 0, ALLOW), (RETURN, 0, 0, ERROR | EINVAL), (RETURN, 0, 0, ALLOW)])


def main():
    {"unit": as_unit, "no-filter": without_filters}[sys.argv[1]]()
    os.execv(sys.argv[2], sys.argv[2:])


if __name__ == "__main__":
    main()
