#!/usr/bin/env python3
"""seeds - write starting points for the fuzzers: the vectors of proto/vectors and of test/weights, and the images of
test/server/decoder.

    seeds.py FOLDER    makes FOLDER/fuzz_command, fuzz_frame, fuzz_bpe, fuzz_safetensors, fuzz_http, fuzz_png,
                       fuzz_jpeg, fuzz_webp
"""
import json
import pathlib
import sys

VECTORS = pathlib.Path(__file__).parents[2] / "proto/vectors"
TESTS = pathlib.Path(__file__).parents[1] / "weights"


def content(case):
    if "hex" in case:
        return bytes.fromhex(case["hex"])
    r = case.get("repeat")
    text = r["before"] + r["unit"] * min(r["count"], 40) + r["after"] if r else case["text"]
    return text.encode("utf-8", "surrogatepass")


def weight_file(tensors):
    header = {"__metadata__": {"trace": "{}"}}
    at = 0
    for name, (dtype, size, shape) in tensors.items():
        count = size
        for n in shape:
            count *= n
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [at, at + count]}
        at += count
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + bytes(at)


def weights():
    words = json.loads((TESTS / "bpe_vectors.json").read_text())["words"]
    yield "fuzz_bpe", [w.encode() for w in words] + ["".join(words[i::7]).encode() for i in range(7)]
    yield "fuzz_safetensors", [weight_file({}), weight_file({"a": ("F32", 4, [2, 3]), "b": ("BF16", 2, [1, 1, 1, 5])}),
                               weight_file({"s": ("I64", 8, []), "e": ("U8", 1, [0, 9]), "h": ("F16", 2, [3])})]


def images():
    folder = pathlib.Path(__file__).parents[1] / "server/decoder/images"
    for name, kind in {"fuzz_png": "png", "fuzz_jpeg": "jpg", "fuzz_webp": "webp"}.items():
        yield name, [p.read_bytes() for p in sorted(folder.glob(f"*.{kind}"))]


def requests():
    head, chunked = b" HTTP/1.1\r\nHost: x\r\n", b"Transfer-Encoding: chunked\r\n\r\n"
    yield b"POST /v1/jobs" + head + b"Content-Length: 2\r\n\r\n{}"
    yield b"POST /v1/jobs" + head + chunked + b"2;a=b\r\n{}\r\n0\r\nA: b\r\n\r\n"
    for query in ("limit=5&state=done&before=0000019b76da0001", "prompt=a+red%20circle&width=64&guidance=1.5&lane=batch", "on=true", "max_px=64&format=png"):
        yield b"GET /v1/x?" + query.encode() + head + b"\r\n"


def main(folder):
    for name, files in {"fuzz_command": ["client", "invalid"], "fuzz_frame": ["frames"]}.items():
        out = pathlib.Path(folder) / name
        out.mkdir(parents=True, exist_ok=True)
        for file in files:
            for i, case in enumerate(json.loads((VECTORS / f"{file}.json").read_text())["cases"]):
                (out / f"{file}{i:03}").write_bytes(content(case))
    for name, seeds in [*weights(), *images(), ("fuzz_http", list(requests()))]:
        out = pathlib.Path(folder) / name
        out.mkdir(parents=True, exist_ok=True)
        for i, seed in enumerate(seeds):
            (out / f"seed{i:03}").write_bytes(seed)


main(sys.argv[1])
