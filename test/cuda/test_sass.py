"""test_sass - the machine code of gemv keeps its loads of weights in flight.

The rule, read off the disassembly of each gemv kernel for Hopper (nvcc makes the cubin, nvdisasm of
build/cuda-libs reads it; without one of the two the test is skipped): in the loop, a register that a
load of weights fills is touched next, around the back edge, by a matrix product as its right
operand. A move of it before the back edge, or any other use, waits for the memory that the loop is
there to hide. No kernel of the file keeps anything in local memory."""

import os
import re
import shutil
import subprocess
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
NVCC = shutil.which("nvcc")
NVDISASM = os.path.join(TOP, "build/cuda-libs/nvidia/cu13/bin/nvdisasm")
INSTRUCTION = re.compile(r"/\*([0-9a-f]{4,})\*/\s+(@!?\w+\s+)?([A-Z][\w.]*)\s*(.*?);")
LABEL = re.compile(r"^(\.L_\w+):")
WEIGHT = "LDG.E.NA.128"  # gemv.cu's load_once()


def kernels(text):
    """The instructions of each function: (label or None, opcode, operands)."""
    found, name, label = {}, None, None
    for line in text.splitlines():
        if m := re.match(r"\s*\.section\s+\.text\.(\w+)", line):
            name, label = m.group(1), None
            found[name] = []
        elif m := LABEL.match(line):
            label = m.group(1)
        elif name and (m := INSTRUCTION.search(line)):
            found[name].append((label, m.group(3), m.group(4)))
            label = None
    return found


def loop_of(code):
    """The innermost loop that loads weights: from a label to the branch back to it."""
    at = {}
    for i, (label, op, args) in enumerate(code):
        if label:
            at[label] = i
        back = re.search(r"\.L_\w+", args) if op.startswith("BRA") else None
        if back and back.group() in at:
            body = code[at[back.group()]:i + 1]
            if any(o.startswith(WEIGHT) for _, o, _ in body):
                return body
    return None


def width(op):
    """Registers that an operand named first, or a product's second and third, stands for."""
    if op.startswith(("HMMA", "LDG.E.128", WEIGHT)):
        return 4
    if ".64" in op or op.startswith(("CS2R", "IMAD.WIDE")):
        return 2
    return 1


def touches(op, args):
    """All registers that an instruction may read or write, by operand: what it writes comes last."""
    sets = []
    for i, arg in enumerate(args.split(", ")):
        for m in re.finditer(r"\bR(\d+)(\.64)?", arg):
            n = width(op) if i == 0 else 2 if m.group(2) else 1
            if op.startswith("HMMA"):
                n = (4, 4, 2, 4)[min(i, 3)]
            sets.append((i, set(range(int(m.group(1)), int(m.group(1)) + n))))
    return sorted(sets, key=lambda s: s[0] == 0)


def faults(body):
    """What breaks the rule in a loop."""
    wrong, loads = [], [i for i, (_, op, _) in enumerate(body) if op.startswith(WEIGHT)]
    for i in loads:
        first = int(re.match(r"R(\d+)", body[i][2]).group(1))
        waiting = set(range(first, first + 4))
        for _, op, args in body[i + 1:] + body[:i]:
            for operand, regs in touches(op, args):
                if not regs & waiting:
                    continue
                if not (op.startswith("HMMA") and operand == 2):
                    wrong.append("R%d is used by %s %s" % (first, op, args.strip()))
                waiting -= regs
            if not waiting:
                break
    return wrong


def sample(move):
    """A loop of one load, with or without a move of it before the back edge."""
    lines = [".section .text.gemv_kernel,\"ax\"", ".L_x_1:",
             "/*0010*/ HMMA.16816.F32.BF16 R8, R4, R16, R8 ;",
             "/*0020*/ HMMA.16816.F32.BF16 R8, R4, R18, R8 ;",
             "/*0030*/ @!P3 LDG.E.NA.128.CONSTANT R%d, desc[UR6][R2.64] ;" % (20 if move else 16)]
    lines += ["/*0040*/ MOV R16, R20 ;", "/*0050*/ MOV R17, R21 ;"] if move else []
    return "\n".join(lines + ["/*0060*/ @P4 BRA `(.L_x_1) ;"])


def main():
    results = []

    def check(ok, what):
        results.append(ok)
        if not ok:
            print("FAILED: " + what)

    check(faults(loop_of(kernels(sample(True))["gemv_kernel"])), "the rule is blind to a move")
    check(not faults(loop_of(kernels(sample(False))["gemv_kernel"])), "the rule sees a move")
    if not NVCC or not os.path.exists(NVDISASM):
        print("%s is missing (make cuda-deps)" % ("nvdisasm" if NVCC else "nvcc"))
        print("[  SKIPPED ] 1 test(s)")
        return 0
    with tempfile.TemporaryDirectory() as work:
        cubin = os.path.join(work, "gemv.cubin")
        made = subprocess.run([NVCC, "-std=c++17", "-O2", "-I.", "-arch=sm_90a", "-cubin", "-Xptxas",
                               "-v", "-o", cubin, "kernels/cuda/gemv.cu"], cwd=TOP,
                              capture_output=True, text=True, check=True)
        text = subprocess.run([NVDISASM, "-c", cubin], capture_output=True, text=True,
                              check=True).stdout
    check(set(re.findall(r"(\d+) bytes spill", made.stderr)) == {"0"}, "registers are spilled")
    found = {n: c for n, c in kernels(text).items() if "gemv_kernel" in n}
    check(len(found) == 2, "gemv has %d kernels for bf16" % len(found))
    for name, code in sorted(found.items()):
        body = loop_of(code)
        check(body is not None, "%s: no loop loads weights" % name)
        wrong = faults(body or [])
        loads = sum(op.startswith(WEIGHT) for _, op, _ in body or [])
        check(loads >= 12, "%s: %d loads of weights in the loop" % (name, loads))
        check(not wrong, "%s: %s" % (name, "; ".join(wrong[:4])))
        print("%s: %d loads of 16 bytes a thread in flight" % (name, loads))
    print("%d passed, %d failed" % (sum(map(bool, results)), len(results) - sum(map(bool, results))))
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
