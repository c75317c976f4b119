#!/usr/bin/env python3
"""seeds - write the vectors of proto/vectors as starting points for the fuzzers.

    seeds.py FOLDER    makes FOLDER/fuzz_command and FOLDER/fuzz_frame
"""
import json
import pathlib
import sys

VECTORS = pathlib.Path(__file__).parents[2] / "proto/vectors"


def content(case):
    if "hex" in case:
        return bytes.fromhex(case["hex"])
    r = case.get("repeat")
    text = r["before"] + r["unit"] * min(r["count"], 40) + r["after"] if r else case["text"]
    return text.encode("utf-8", "surrogatepass")


def main(folder):
    for name, files in {"fuzz_command": ["client", "invalid"], "fuzz_frame": ["frames"]}.items():
        out = pathlib.Path(folder) / name
        out.mkdir(parents=True, exist_ok=True)
        for file in files:
            for i, case in enumerate(json.loads((VECTORS / f"{file}.json").read_text())["cases"]):
                (out / f"{file}{i:03}").write_bytes(content(case))


main(sys.argv[1])
