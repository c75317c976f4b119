#!/usr/bin/env bash
# numbers - section by section what the product promises, in one run of five minutes on one machine
# that does nothing else.
#   bench/numbers.sh [PYTHON]      PYTHON: one with torch, transformers 5 and diffusers 0.39;
#                                  without it the ratios to them are left out. FIRST=0 leaves out
#                                  the clone.
# The table goes to the terminal and to bench/results/DATE-PROCESSOR.txt.
set -u
cd "$(dirname "$0")/.."
torch=${1:-}
threads=$(nproc)
mkdir -p bench/results
model=$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1)
out=bench/results/$(date -u +%Y-%m-%d)-$(tr -cs 'A-Za-z0-9\n' - <<<"${model:-unknown}").txt

part() { # title, seconds, command ...
    local said=${*:3}
    # a table names no folder of its machine
    printf '\n-- %s\n$ %s\n' "$1" "${said//"${torch:-/no}"/PYTHON}"
    timeout -k 5 "$2" "${@:3}" 2>&1 || printf 'ended with %d\n' $?
}

all() {
    printf '%s  commit %s\n%s, %s threads; load before: %s\n' "$(date -u '+%F %R UTC')" \
        "$(git describe --always --dirty 2>/dev/null)" "${model:-unknown}" "$threads" \
        "$(cut -d' ' -f1-3 /proc/loadavg)"
    part 'four pictures together against one by one, in the engine' 90 \
        build/release/bench/steps --threads "$threads" --runs 7
    part 'the same in f32' 90 build/release/bench/steps --threads "$threads" --runs 4 --type f32
    part 'the service: overhead, previews, batching, accepting, frames' 200 \
        /usr/bin/python3 bench/load.py --threads "$threads"
    if [ -n "$torch" ]; then
        part 'a picture, submit to result, against diffusers' 120 \
            /usr/bin/python3 bench/picture.py --torch "$torch" --threads "$threads" --runs 5
        part 'a DiT block of the released width, f32' 120 \
            "$torch" bench/block.py f32 --threads "$threads" --runs 2
        part 'a DiT block of the released width, bf16' 120 \
            "$torch" bench/block.py bf16 --threads "$threads" --runs 2
    fi
    [ "${FIRST:-1}" = 0 ] || part 'from clone to the first picture' 240 bench/first.sh
    printf '\nload after: %s\n' "$(cut -d' ' -f1-3 /proc/loadavg)"
}

make all bench >/dev/null || exit 1
all | tee "$out"
