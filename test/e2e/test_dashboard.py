"""test_dashboard - server/deploy/grafana.json asks for what /metrics has, and for nothing else."""

import json
import os
import re

from harness import ROOT, Server, run


def families(metrics):
    """{name: type} of what /metrics announces."""
    return dict(re.findall(r"(?m)^# TYPE (\S+) (\S+)$", metrics))


def wrong(expr, known):
    """Names of an expression that /metrics does not have, with the ends that its histograms have."""
    ends = ("_bucket", "_sum", "_count")
    series = {n + e for n, kind in known.items() if kind == "histogram" for e in ends}
    series |= {n for n, kind in known.items() if kind != "histogram"}
    return sorted(set(re.findall(r"\bdarkroom_\w+", expr)) - series)


def names_exist():
    """catches: a panel that stays empty as its metric has another name; a rate of what is no counter"""
    with open(os.path.join(ROOT, "server", "deploy", "grafana.json")) as f:
        panels = json.load(f)["panels"]
    server = Server()
    metrics = server.get("/metrics")[2].decode()
    server.kill()
    known = families(metrics)
    exprs = [target["expr"] for panel in panels for target in panel["targets"]]
    assert len(exprs) >= 20 and len({p["id"] for p in panels}) == len(panels)
    for expr in exprs:
        names = re.findall(r"\bdarkroom_\w+", expr)
        assert names and not wrong(expr, known), (expr, wrong(expr, known))
        for name in re.findall(r"rate\((darkroom_\w+)", expr):
            assert known.get(name, "histogram") in ("counter", "histogram"), expr
    shown = " ".join(exprs)
    for name in known:
        assert name in shown or name in ("darkroom_jobs_queued", "darkroom_quanta_total", "darkroom_checkpoints_total"), name


def wrong_names_are_found():
    """catches: a check that finds nothing"""
    known = {"darkroom_cap": "gauge", "darkroom_wait_seconds": "histogram"}
    assert not wrong("darkroom_cap + rate(darkroom_wait_seconds_bucket[5m])", known)
    assert wrong("rate(darkroom_cap_total[5m])", known) == ["darkroom_cap_total"]
    assert wrong("darkroom_wait_seconds", known) == ["darkroom_wait_seconds"]


run([names_exist, wrong_names_are_found])
