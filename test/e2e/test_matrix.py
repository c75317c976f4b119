"""test_matrix - two users, a viewer, an admin, a guest of one job and a stranger times every message and route.

matrix.json has exactly the allowed answers; test/server/test_matrix.c sees to it that no message
and no route is missing. Beside the answers: nothing that others are sent holds a word of ada's."""

import asyncio
import json
import os

import websockets

from harness import LONG, Server, run
from users import bare, bearer, sign_in

with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "matrix.json"), encoding="utf-8") as f:
    MATRIX = json.load(f)

USERS = ("viewer", "ada", "ben", "admin")
SECRET = "a secret of ada"
OF_ADA = {"prompt": SECRET, "width": 64, "height": 64, "steps": 2, "seed": 7}
# what runs and waits until it is cancelled, on a machine of any speed
ENDLESS = {**LONG, "prompt": SECRET, "width": 512, "height": 512}
OF_SIGNED = {"prompt": SECRET, "size": "64x64", "steps": 2, "seed": 9}
OF_BOTH = {"prompt": "a red circle", "width": 64, "height": 64, "steps": 2, "seed": 8}


class Stage:
    """A server with users, jobs and pictures, and one connection of each user."""

    async def __aenter__(self):
        self.server = Server(None, "--concurrency", "1", "--job-seconds", "86400")
        roles = {"viewer": "viewer", "ada": "user", "ben": "user", "admin": "admin"}
        self.token = {name: self.server.user("add", name, "--role", roles[name]) for name in USERS}
        self.clients, self.heard = {}, {}
        for name in USERS:
            self.clients[name] = await self.server.connect(**sign_in(self.token[name])).__aenter__()
            self.listen(name)
        await self.make_jobs()
        share = await self.clients["ada"].ask(type="share", job=self.words["$done"])
        self.token["guest"] = share["token"]
        self.clients["guest"] = await self.server.connect(**sign_in(share["token"])).__aenter__()
        self.listen("guest")
        return self

    async def __aexit__(self, *_):
        for client in self.clients.values():
            await client.__aexit__()
        self.server.stop()

    def listen(self, name):
        """Keep all that this connection is sent."""
        client, heard = self.clients[name], self.heard.setdefault(name, [])
        read = client.read

        async def reading(timeout=60):
            message = await read(timeout)
            heard.append(message)
            return message
        client.read = reading

    async def make_jobs(self):
        ada, ben = self.clients["ada"], self.clients["ben"]
        done = await ada.submit(OF_ADA, key="of-ada")
        result = [m for m in await ada.end_of(done["job"]) if isinstance(m, dict) and m["type"] == "result"]
        both = []
        for client in (ada, ben):
            job = (await client.submit(OF_BOTH))["job"]
            both += [m["digest"] for m in await client.end_of(job)
                     if isinstance(m, dict) and m["type"] == "result"]
        assert both[0] == both[1], "the same request gives the same picture"
        asked = {**OF_SIGNED, "response_format": "url"}
        url = json.loads(self.server.get("/v1/images/generations", "POST", bearer(self.token["ada"]), asked)[2])["data"][0]["url"]
        self.running = (await ada.submit(ENDLESS))["job"]
        self.words = {"$done": done["job"], "$digest": result[0]["digest"], "$both": both[0],
                      "$signed": url[len(self.server.url):], "$signature": url.split("?")[1],
                      "$unknown": "0123456789abcdef"}

    async def make_room(self):
        """From now on nothing runs for ever: what is submitted is drawn."""
        if self.running:
            await self.clients["ada"].ask(type="cancel", job=self.running)
        self.running = None

    async def waiting(self):
        """A job of ada's that waits behind a long one."""
        job = (await self.clients["ada"].submit(ENDLESS))["job"]
        self.words["$waiting"] = job
        return job

    def filled(self, value):
        text = json.dumps(value)
        for word, stands_for in self.words.items():
            text = text.replace(word, stands_for)
        return json.loads(text)


def said(answer):
    return answer["code"] if answer["type"] == "error" else answer["type"]


async def stranger_says(server, message):
    async with bare(server) as c:
        await c.recv()
        await c.send(json.dumps({**message, "ref": "r"}))
        answer = json.loads(await c.recv())
        assert answer["ref"] == "r", answer
        try:
            while True:
                raise AssertionError(await asyncio.wait_for(c.recv(), 10))
        except websockets.ConnectionClosed as end:
            assert end.rcvd.code == 4001
        return said(answer)


async def every_message():
    """catches: a message that tells one user of another, or does something to it; a right that is
    missing; a stranger who is answered"""
    wrong = []
    async with Stage() as stage:
        for row in MATRIX["messages"]:
            for who in ("stranger", "guest", *USERS):
                if "$waiting" in json.dumps(row["send"]):
                    await stage.waiting()
                message = {"type": row["message"], **stage.filled(row["send"])}
                got = await stranger_says(stage.server, message) if who == "stranger" else \
                    said(await stage.clients[who].ask(**message))
                if got != row[who]:
                    wrong.append(f"{who}: {message}: {got} instead of {row[who]}")
                if "$waiting" in stage.words:
                    await stage.clients["ada"].ask(type="cancel", job=stage.words.pop("$waiting"))
        assert not wrong, "\n".join(wrong)
        await others_hear_nothing(stage)
        await the_log_names_nothing(stage)


async def the_log_names_nothing(stage):
    """What an administrator reads of the log: no prompt, no token, also of one that came in an address."""
    assert await stranger_says(stage.server, {"type": "auth", "token": stage.token["ada"] + "x"}) == "unauthorized"
    answer = await stage.clients["admin"].ask(type="log", limit=200)
    lines = json.dumps(answer)
    assert answer["lines"] and SECRET not in lines, lines
    assert not any(token[:20] in lines for token in stage.token.values()), lines
    people = await stage.clients["admin"].ask(type="users")
    assert [row["user"]["name"] for row in people["users"]] == list(USERS), people
    assert "dr_" not in json.dumps(people), people


async def others_hear_nothing(stage):
    """Everything that ben and the viewer were ever sent, and what is listed for them."""
    for name in ("ben", "viewer"):
        client = stage.clients[name]
        rows = (await client.ask(type="list", limit=200))["jobs"]
        for sweep in [j["job"] for j in rows if "counts" in j]:
            rows += (await client.ask(type="list", parent=sweep))["jobs"]
        assert all(j["spec"]["prompt"] != SECRET for j in rows), rows
        await client.ask(type="stats")
        mine = {j["job"] for j in rows}
        for message in stage.heard[name]:
            if isinstance(message, bytes):
                assert message[8:16][::-1].hex() in mine, "a preview of another's"
                continue
            assert SECRET not in json.dumps(message), message
            for j in message["jobs"] if message["type"] == "stats" else ():
                assert j.get("job") in mine | {None}, j
    rows = (await stage.clients["guest"].ask(type="list", limit=200))["jobs"]
    done = stage.words["$done"]
    assert [j["job"] for j in rows] == [done] and "key" not in rows[0], rows
    for message in stage.heard["guest"]:
        assert not isinstance(message, bytes), "a preview of another's"
        assert message["type"] in ("error", "hello") or message.get("job", done) == done, message
        assert message["type"] != "notice", message
    seen = json.dumps([m for m in stage.heard["admin"] if not isinstance(m, bytes)])
    assert SECRET in seen and stage.running in seen
    await stage.clients["admin"].ask(type="cancel", job=stage.running)


async def every_route():
    """catches: a picture or number for those who may not have it; a picture that one of two owners
    does not get; a cookie that is another right than its token"""
    wrong = []
    async with Stage() as stage:
        cookie = {}
        for name in USERS:
            headers = stage.server.get("/v1/session", "POST", bearer(stage.token[name]))[1]
            cookie[name] = {"Cookie": headers["Set-Cookie"].split(";")[0]}
        for row in MATRIX["routes"]:
            for who in ("stranger", "local", "guest", *USERS):
                via = {} if who == "local" else {"Via": "1.1 somewhere"}
                proofs = [{}] if who in ("stranger", "local") else [bearer(stage.token[who])]
                proofs += [cookie[who]] if who in cookie else []
                for proof in proofs:
                    if "$waiting" in row["path"]:
                        await stage.waiting()
                    path, body = stage.filled(row["path"]), stage.filled(row.get("body"))
                    if row.get("draws"):
                        await stage.make_room()
                    if row.get("stream") and row["method"] != "HEAD":
                        status = stage.server.status(path, row["method"], {**via, **proof}, body)
                    else:
                        status, headers, body = stage.server.get(path, row["method"], {**via, **proof}, body)
                    if "$waiting" in row["path"]:
                        await stage.clients["ada"].ask(type="cancel", job=stage.words.pop("$waiting"))
                    if status != row[who]:
                        wrong.append(f"{who} {list(proof)}: {row['method']} {path}: {status} instead "
                                     f"of {row[who]}")
                    if "/i/" in path and status == 200:
                        assert headers["Cache-Control"].startswith("private"), headers
                    if status == 404 and "/i/" in path:
                        assert b"no such picture" in body or row["method"] == "HEAD", body
        assert not wrong, "\n".join(wrong)
        await stage.make_room()


run([every_message, every_route])
