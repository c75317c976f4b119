"""test_dashboard - server/deploy/grafana.json, alerts.yml and OPERATING.md name what /metrics has, and nothing else."""

import json
import os
import re

from harness import ROOT, Server, run

NAME = r"\b(?:darkroom|process)_\w+"


def families(metrics):
    """{name: type} of what /metrics announces."""
    return dict(re.findall(r"(?m)^# TYPE (\S+) (\S+)$", metrics))


def wrong(expr, known):
    """Names of an expression that /metrics does not have, with the ends that its histograms have."""
    ends = ("_bucket", "_sum", "_count")
    series = {n + e for n, kind in known.items() if kind == "histogram" for e in ends}
    series |= {n for n, kind in known.items() if kind != "histogram"}
    return sorted(set(re.findall(NAME, expr)) - series)


def known_families():
    server = Server()
    metrics = server.get("/metrics")[2].decode()
    server.kill()
    return families(metrics)


KNOWN = known_families()


def read(*path):
    with open(os.path.join(ROOT, "server", *path)) as f:
        return f.read()


def check(expr):
    """An expression asks for what there is, and for the rate of what is a counter."""
    assert re.search(NAME, expr) and not wrong(expr, KNOWN), (expr, wrong(expr, KNOWN))
    for name in re.findall(r"(?:rate|increase)\((\w+)", expr):
        assert KNOWN.get(name, "histogram") in ("counter", "histogram"), expr


def dashboard():
    """catches: a panel that stays empty as its metric has another name; a rate of what is no counter; a metric that
    is shown nowhere"""
    panels = json.loads(read("deploy", "grafana.json"))["panels"]
    exprs = [target["expr"] for panel in panels for target in panel["targets"]]
    assert len(exprs) >= 30 and len({p["id"] for p in panels}) == len(panels)
    places = [(p["gridPos"]["x"], p["gridPos"]["y"]) for p in panels]
    assert len(set(places)) == len(panels), places
    for expr in exprs:
        check(expr)
    shown = " ".join(exprs)
    for name in KNOWN:
        assert name in shown or name in ("darkroom_jobs_queued", "darkroom_quanta_total", "darkroom_checkpoints_total",
                                         "process_start_time_seconds"), name


def alerts():
    """catches: an alert that never fires as its metric has another name, one that the document does not explain"""
    rules = re.findall(r"(?m)^      - alert: (\w+)\n        expr: (.*)$", read("deploy", "alerts.yml"))
    assert len(rules) >= 10 and len(dict(rules)) == len(rules) == read("deploy", "alerts.yml").count("alert: ")
    for name, expr in rules:
        if name != "DarkroomDown":
            check(expr)
    explained = re.findall(r"(?m)^\| `(Darkroom\w+)` \|", read("OPERATING.md"))
    assert explained == [name for name, _ in rules], set(explained) ^ set(dict(rules))


def document():
    """catches: a metric in OPERATING.md that is not there, or one that it says nothing about"""
    text = read("OPERATING.md")
    table = text[text.index("each `darkroom_..`"):].split("\n\n")[0]
    named = set(re.findall(r"`([a-z_]+)`", " ".join(row.split("|")[1] for row in table.splitlines()[2:])))
    have = {name.removeprefix("darkroom_") for name in KNOWN}
    assert named == have, (named - have, have - named)


def wrong_names_are_found():
    """catches: a check that finds nothing"""
    known = {"darkroom_cap": "gauge", "darkroom_wait_seconds": "histogram"}
    assert not wrong("darkroom_cap + rate(darkroom_wait_seconds_bucket[5m])", known)
    assert wrong("rate(darkroom_cap_total[5m])", known) == ["darkroom_cap_total"]
    assert wrong("darkroom_wait_seconds", known) == ["darkroom_wait_seconds"]


run([dashboard, alerts, document, wrong_names_are_found])
