"""users - what the tests of users share: signing in, and connections that say nothing by themselves."""

import subprocess

import websockets

from harness import BIN


def add(data, *args):
    """Add a user to a data folder; its token."""
    done = subprocess.run([BIN, "user", "add", *args, "--data", data], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def bearer(token):
    return {"Authorization": "Bearer " + token}


def sign_in(token):
    """Options of a connection."""
    return {"extra_headers": bearer(token)}


def bare(server, **options):
    """A WebSocket that has received nothing."""
    return websockets.connect(f"ws://{server.host}:{server.port}/ws", subprotocols=["darkroom.v1"],
                              **options)
