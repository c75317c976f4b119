"""test_openapi - openapi.yaml has every route, command, field and error of the running server, and nothing else; schemathesis
sends what the file allows and what it forbids, and holds each answer against it.

The file's commands are made of asyncapi.yaml: --write makes them anew. matrix.json has every route and command of the
program (test/server/test_matrix.c). x-dialects has what other services' addresses begin with: test/clients holds them
against the clients, schemathesis leaves them out. DARKROOM_CLIENTS names the folder that test/clients/install has filled."""

import json
import os
import re
import subprocess
import sys

import yaml

from harness import QUICK, ROOT, TMP, Server, run

PATHS = {name: os.path.join(ROOT, "proto", name + ".yaml") for name in ("openapi", "asyncapi")}
CLIENTS = os.environ.get("DARKROOM_CLIENTS", os.path.join(ROOT, "build", "clients"))
BEGIN, END = "  # commands:begin", "  # commands:end"
NOT_IN_A_BODY = {"type", "ref", "watch"}  # they say which command it is, or something about a connection
CONNECTION = {"watch", "unwatch", "previews", "auth", "upload", "commit"}
OWN_ANSWER = {"submit": None, "list": "list", "job": "job", "quote": "quote", "users": "users", "log": "log", "stats": "stats", "ping": "pong",
              "uploads": "uploads"}
# what stops or pauses the server for all, and streams without an end
LEFT_OUT = ["/v1/pause", "/v1/resume", "/v1/drain", "/v1/set", "/v1/stats/events", "/ws", "/i/{digest}.png", "/t/{digest}.jpg"]
# of routes that are beginnings
NAMES = {"/i/": r"\{digest\}\.png", "/t/": r"\{digest\}\.jpg"}


def load(name):
    with open(PATHS[name], encoding="utf-8") as file:
        return yaml.safe_load(file)


def commands():
    """{name: its message's payload} of asyncapi.yaml"""
    api = load("asyncapi")
    listed = api["channels"]["/ws"]["publish"]["message"]["oneOf"]
    found = {}
    for ref in listed:
        payload = api["components"]["messages"][ref["$ref"].split("/")[-1]]["payload"]
        if "properties" not in payload:
            continue  # a binary one
        found[payload["properties"]["type"]["const"]] = (ref["$ref"].split("/")[-1], payload)
    return found


def body(message, payload, about_job):
    """The lines of a request body, or none when there is nothing to say."""
    left_out = NOT_IN_A_BODY | ({"job"} if about_job else set()) | ({"on"} if message == "statsCommand" else set())
    members = [m for m in payload["properties"] if m not in left_out]
    required = [m for m in payload.get("required", []) if m not in left_out]
    if not members:
        return []
    lines = ["      requestBody:", "        required: " + ("true" if required else "false"), "        content:",
             "          application/json:", "            schema:", "              type: object",
             "              additionalProperties: false"]
    if required:
        lines.append("              required: [" + ", ".join(required) + "]")
    lines.append("              properties:")
    at = f"asyncapi.yaml#/components/messages/{message}/payload/properties/"
    return lines + [f"                {m}: {{$ref: '{at}{m}'}}" for m in members]


def answers(name):
    known = OWN_ANSWER.get(name)
    if name == "submit":
        return ["        '200': {$ref: '#/components/responses/job'}", "        '202': {$ref: '#/components/responses/job'}"]
    if not known:
        return ["        '200': {$ref: '#/components/responses/ok'}"]
    return [f"        '200': {{description: {known}, content: {{application/json: {{schema: "
            f"{{$ref: 'asyncapi.yaml#/components/messages/{known}/payload'}}}}}}}}"]


def operation(path, name, message, payload, about_job):
    lines = [f"  {path}:"]
    if about_job:
        lines.append("    parameters: [{$ref: '#/components/parameters/job'}]")
    lines += ["    post:", f"      summary: The command {name} of PROTOCOL.md."]
    lines += body(message, payload, about_job) + ["      responses:"] + answers(name)
    return lines + ["        default: {$ref: '#/components/responses/problem'}"]


def make_commands():
    """The lines between the markers."""
    lines = []
    for name, (message, payload) in commands().items():
        if name in CONNECTION:
            continue
        members, required = payload["properties"], payload.get("required", [])
        if "job" in members:
            lines += operation("/v1/jobs/{job}/" + name, name, message, payload, True)
        if "job" not in required and f"/v1/{name}" not in ("/v1/quote", "/v1/stats"):
            lines += operation(f"/v1/{name}", name, message, payload, False)
    return lines


def quote_parameters():
    """The lines of a spec as parameters."""
    spec, at = load("asyncapi")["components"]["schemas"]["request"], "asyncapi.yaml#/components/schemas/"
    lines = "".join(f"        - {{name: {m}, in: query, {'required: true, ' if m in spec['required'] else ''}schema: "
                    f"{{$ref: '{at}request/properties/{m}'}}}}\n" for m in spec["properties"])
    return lines + f"        - {{name: n, in: query, description: So many pictures., schema: {{$ref: '{at}pictures'}}}}\n"


def make(text):
    """The file with all that follows from others made anew."""
    begin, end = text.index(BEGIN), text.index(END)
    text = text[:text.index("\n", begin) + 1] + "\n".join(make_commands()) + "\n" + text[end:]
    for name in ("quote", "stats"):  # beside their GET
        _, payload = commands()[name]
        message = commands()[name][0]
        post = "\n".join(operation("", name, message, payload, False)[1:]) + "\n"
        at = text.index(f"  /v1/{name}:\n")
        end = re.compile(r"^  [/#]", re.M).search(text, at + 4).start()
        got = text[at:end]
        got = got[:got.index("    post:")] if "    post:" in got else got
        text = text[:at] + got + post + text[end:]
    text = re.sub(r"(  /v1/quote:\n(?:.*\n){2}      parameters:\n)(?:        - .*\n)+", lambda m: m.group(1) + quote_parameters(), text)
    with open(os.path.join(ROOT, "proto", "PROTOCOL.md"), encoding="utf-8") as file:
        table = file.read().split("<!-- errors:begin")[1].split("<!-- errors:end")[0]
    codes = re.findall(r"^\| `(\w+)` \|", table, re.M)
    text = re.sub(r"    code: \{enum: \[.*\]\}", "    code: {enum: [" + ", ".join(codes) + "]}", text)
    members = [m for m in commands()["submit"][1]["properties"] if m not in NOT_IN_A_BODY]
    lines = "".join(f"        {m}: {{$ref: 'asyncapi.yaml#/components/messages/submit/payload/properties/{m}'}}\n" for m in members)
    return re.sub(r"(    submit:\n(?:.*\n){3}      properties:\n)(?:        .*\n)+", lambda m: m.group(1) + lines, text)


def current():
    """catches: a command, member or code that the file lacks, or has no more"""
    with open(PATHS["openapi"], encoding="utf-8") as file:
        text = file.read()
    assert make(text) == text, "proto/openapi.yaml is stale: run this test with --write"


def operations():
    return {(path, method.upper()) for path, item in load("openapi")["paths"].items() for method in item if method != "parameters"}


def routes():
    """catches: a route without a word, or a word without a route"""
    with open(os.path.join(ROOT, "test", "e2e", "matrix.json"), encoding="utf-8") as file:
        matrix = json.load(file)
    served = {(r["route"], r["method"]) for r in matrix["routes"] if r["method"] != "HEAD"}
    said, foreign = operations(), tuple(load("openapi")["x-dialects"])
    for begin in foreign:
        assert any(path.startswith(begin) for path, _ in served), (begin, "is no route's beginning")
    extra = {(path.removesuffix("{name}"), method) for path, method in said if path.startswith(foreign)} - served
    assert not extra, extra
    for path, method in served:
        words = re.escape(path).replace(r"\{command\}", r"[a-z_]+") + NAMES.get(path, r"\{name\}" if path.endswith("s/") else "")
        found = [s for s in said if s[1] == method and re.fullmatch(words, s[0])]
        statuses = [r["admin"] for r in matrix["routes"] if (r["route"], r["method"]) == (path, method)]
        assert found or all(s == 405 for s in statuses), (path, method, "is not in openapi.yaml")
    known = {m["message"] for m in matrix["messages"]}
    assert known == set(commands()) - {"auth"}, known ^ set(commands())


def addresses():
    """catches: a command of the file that the server has at another address, or not at all"""
    server = Server()
    unknown = "0123456789abcdef"
    for name in set(commands()) - {"drain"}:
        status, _, answer = server.get(f"/v1/jobs/{unknown}/{name}", "POST", body={})
        has = json.loads(answer).get("field") not in (None, "") or status == 422 or status == 200
        assert has == (("/v1/jobs/{job}/" + name, "POST") in operations()), (name, status, answer)
        if name in ("pause", "resume"):
            continue
        status, _, answer = server.get(f"/v1/{name}", "POST", body={})
        assert (status != 404) == (("/v1/" + name, "POST") in operations()), (name, status, answer)
    model = json.loads(server.get("/v1/model")[2])
    fields = load("asyncapi")["components"]["schemas"]["request"]["properties"]
    assert [f["name"] for f in model["fields"]] == list(fields)
    asked = {p["name"] for p in load("openapi")["paths"]["/v1/quote"]["get"]["parameters"]}
    assert asked == {*fields, "n"}, asked ^ set(fields)
    server.kill()


def schemathesis():
    """catches: an answer that the file does not allow, a server error, a method that is taken and not said"""
    program = os.path.join(CLIENTS, "bin", "schemathesis")
    if not os.path.exists(program):
        raise AssertionError(f"{program} is not there: test/clients/install build/clients")
    server = Server(None, "--queue", "4096")
    jobs = ["0123456789abcdef"]
    for more, query in (({}, "?wait=50"), ({"hold": True}, "")):
        jobs.append(json.loads(server.get("/v1/jobs" + query, "POST", body={"spec": QUICK, **more})[2])["job"])
    with open(PATHS["openapi"], encoding="utf-8") as file:
        text = file.read().replace("maximum: 50, default: 0}}", "maximum: 1, default: 0}}")  # of wait: a test has not so much time
    at = "job: {name: job, in: path, required: true, schema: "
    assert text.count(at) == 1
    text = re.sub(at + r"\{.*?\}\}", at + "{enum: ['" + "', '".join(jobs) + "']}}", text)  # jobs that there are
    for name, content in (("openapi", text), ("asyncapi", open(PATHS["asyncapi"], encoding="utf-8").read())):
        with open(os.path.join(TMP, name + ".yaml"), "w", encoding="utf-8") as file:
            file.write(content)
    with open(os.path.join(TMP, "schemathesis.toml"), "w", encoding="utf-8") as file:  # what a busy server answers is no bug
        file.write('[checks.not_a_server_error]\nexpected-statuses = ["2xx", "3xx", "4xx", 503, 504]\n')
    command = [program, "run", os.path.join(TMP, "openapi.yaml"), "--url", server.url, "--seed", "1", "--max-examples", "12",
               "--phases", "examples,coverage,fuzzing", "--generation-deterministic", "--no-color",
               "--checks", "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,"
               "response_schema_conformance,unsupported_method", "--request-timeout", "30", "--suppress-health-check", "all"]
    foreign = tuple(load("openapi")["x-dialects"])
    for path in LEFT_OUT + [path for path, _ in operations() if path.startswith(foreign)]:
        command += ["--exclude-path", path]
    done = subprocess.run(command, capture_output=True, text=True, cwd=TMP)
    assert done.returncode == 0, done.stdout[-20000:] + done.stderr[-2000:]
    assert server.get("/healthz")[0] == 200
    print(re.search(r"Test cases:\n\s+(.*)", done.stdout).group(1))
    server.kill()


if sys.argv[1:] == ["--write"]:
    with open(PATHS["openapi"], encoding="utf-8") as openapi:
        renewed = make(openapi.read())
    with open(PATHS["openapi"], "w", encoding="utf-8") as openapi:
        openapi.write(renewed)
else:
    run([current, routes, addresses, schemathesis])
