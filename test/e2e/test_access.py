"""test_access - the access log: what was asked, by whom, and never a token."""

import json
import subprocess

from harness import BIN, RawWebSocket, Server, folder, run


def line_of(server, path):
    """The logged request for a path, as an object."""
    match = server.read_until(r'(?m)^(\{"time".*"level":"access".*"path":"%s".*\})$' % path)
    return json.loads(match.group(1))


async def every_request():
    """catches: a request without a line, one that names another user, a token or a query in the log"""
    data = folder()
    added = subprocess.run([BIN, "user", "add", "ada", "--data", data], capture_output=True, text=True)
    token = added.stdout.strip()
    assert token.startswith("dr_"), added
    server = Server(data, "--access-log", "--log-format", "json")
    bearer = {"Authorization": "Bearer " + token}
    assert server.get("/healthz?token=" + token)[0] == 200
    said = line_of(server, "/healthz")
    assert (said["method"], said["status"], said["user"]) == ("GET", 200, None), said
    assert said["from"] == "127.0.0.1" and said["bytes"] > 10, said
    assert server.get("/v1/session", headers=bearer)[0] == 200
    assert line_of(server, "/v1/session")["user"] == "ada"
    assert server.get("/i/none", headers={"Authorization": "Bearer " + token[:-1] + "x"})[0] == 401
    said = line_of(server, "/i/none")
    assert (said["status"], said["user"]) == (401, None), said
    async with server.connect(extra_headers=bearer):
        said = line_of(server, "/ws")
        assert (said["status"], said["user"]) == (101, "ada"), said
    wire = RawWebSocket(server, first="GET /\x1b[2J HTTP/1.1")
    assert wire.status == 400, wire.head
    server.read_until(r'"status":400,')
    status, _ = server.stop()
    assert status == 0
    assert token not in server.log and token[4:20] not in server.log and "\x1b" not in server.log


def only_on_request():
    """catches: a log that grows with every request although that was not asked for"""
    server = Server()
    assert server.get("/healthz")[0] == 200
    server.process.terminate()
    rest = server.process.stdout.read()
    assert "stopping" in rest and "healthz" not in server.log + rest, rest
    server.kill()


run([every_request, only_on_request])
