#!/usr/bin/env bash
# gpu - everything that needs a card, in one command of under ten minutes: bench/gpu.sh [--dry]
#
# Needs nvcc, gcc, python3; takes cuBLASLt and cuDNN where find.sh sees them (python3's nvidia packages, CUDA's folders), PyTorch
# for the comparison, and the product's own libraries for the end-to-end part. A part that fails or runs out of
# time loses nothing of the others: each has its own log in $OUT (or build/gpu/out), and the summary lists them all.
# --dry: build everything, run what runs without a card, print what would follow.
set -u
cd "$(dirname "$0")/.."
dry=0; [ "${1:-}" = --dry ] && dry=1
B=build/gpu OUT=${OUT:-$PWD/build/gpu/out}
mkdir -p $B "$OUT"
summary=$OUT/summary.txt
{ date -u '+%F %T UTC'; git describe --always --dirty 2>/dev/null; uname -m; nproc; } >"$summary"
nvidia-smi --query-gpu=name,driver_version,clocks.sm,clocks.mem,power.limit --format=csv,noheader >>"$summary" 2>&1

say() { echo "$*" | tee -a "$summary"; }
# part NAME SECONDS COMMAND...: run it, keep its log, note how it ended
part() {
    local name=$1 limit=$2 t=$SECONDS rc
    shift 2
    timeout "$limit" "$@" >"$OUT/$name.txt" 2>&1
    rc=$?
    say "$name: $([ $rc -eq 0 ] && echo ok || { [ $rc -eq 124 ] && echo "out of time" || echo "FAILED ($rc)"; }), $((SECONDS - t)) s"
    tail -4 "$OUT/$name.txt" | sed 's/^/    /' | tee -a "$summary"
    return $rc
}
# card NAME SECONDS COMMAND...: a part that needs a card
card() {
    if [ $dry -eq 1 ]; then say "$1: waits for a card: ${*:3}"; else part "$@"; fi
}

# -- build: no product libraries, one architecture, all cores ------------------------------------------------
eval "$(kernels/cuda/find.sh "$PWD/build" | sed 's/=\(.*\)/="\1"/')"
[ -n "${NVCC:-}" ] || { say "no nvcc: nothing to do"; exit 1; }
arch=${CUDA_ARCH:-90a}
inc=() && for d in $CUDA_INC ${LIB_INC:-}; do inc+=(-isystem "$d"); done
say "libraries: ${LIB_PATH:-none}"

isa=(base avx2 avx512 avx512bf)
avx512='-mavx512f -mavx512bw -mavx512vl -mavx512dq -mfma -mprefer-vector-width=512'
flags=('' '-mavx2 -mfma -mf16c' "$avx512" "$avx512 -mavx512bf16")
rules() { # a makefile of its own: the product's asks for libraries that are not here
    local c='-std=c11 -D_GNU_SOURCE -O2 -g -fopenmp -ffunction-sections -I.' o f i
    local srcs="proto/fail.c kernels/arena.c kernels/rng.c kernels/law.c kernels/dry.c $(ls kernels/cpu/*.c kernels/cuda/*.c kernels/model/*.c | grep -v /none.c | tr '\n' ' ')"
    srcs+="weights/st.c test/simt/pair.c test/simt/cases.c"
    echo "all: $B/gpu_ops $B/gpu_speed"
    local objs=
    for f in $srcs; do
        o=$B/${f%.c}.o objs+=" $B/${f%.c}.o"
        printf '%s: %s\n\t@mkdir -p $(@D)\n\tgcc %s %s -DCUDA_LIB_PATH=\\"%s\\" -c -o $@ $<\n' "$o" "$f" "$c" "${inc[*]}" "${LIB_PATH:-}"
    done
    for f in kernels/cpu/isa/*.c; do
        for i in 0 1 2 3; do
            [ $i -gt 0 ] && [ "$(uname -m)" != x86_64 ] && continue
            o=$B/${f%.c}.${isa[i]}.o objs+=" $B/${f%.c}.${isa[i]}.o"
            printf '%s: %s\n\t@mkdir -p $(@D)\n\tgcc %s %s -DISA=%s -c -o $@ $<\n' "$o" "$f" "$c" "${flags[i]}" "${isa[i]}"
        done
    done
    for f in kernels/cuda/*.cu; do
        o=$B/${f%.cu}.cu.o objs+=" $B/${f%.cu}.cu.o"
        printf '%s: %s\n\t@mkdir -p $(@D)\n\t%s -std=c++17 -O2 -lineinfo -I. -Xcompiler -Wall,-fno-exceptions -gencode arch=compute_%s,code=sm_%s -Xptxas -v -c -o $@ $< 2>$@.log\n' "$o" "$f" "$NVCC" "$arch" "$arch"
    done
    for f in gpu_ops gpu_speed; do
        printf '%s: bench/%s.c %s\n\tgcc %s %s -Wl,--gc-sections -o $@ $^ -L%s -lcudart_static -lrt -ldl -lstdc++ -lpthread -lm\n' "$B/$f" "$f" "$objs" "$c" "${inc[*]}" "$CUDA_LIB"
    done
}
rules >$B/rules.mk
part build 300 make -s -j"$(nproc)" -f $B/rules.mk all || exit 1
cat $B/kernels/cuda/*.log >"$OUT/ptxas.txt" 2>/dev/null
say "spills: $(grep -c ' [1-9][0-9]* bytes spill' "$OUT/ptxas.txt")"

# -- right? odd shapes first, then the released widths; by hand, with libraries, without early launches ---------
card ops-f32 40 $B/gpu_ops odd f32
card ops-bf16 40 $B/gpu_ops odd bf16
card ops-hand 40 $B/gpu_ops odd bf16 no-lib
card ops-late 40 $B/gpu_ops odd bf16 late
card wide-bf16 60 $B/gpu_ops wide bf16
card wide-f32 60 $B/gpu_ops wide f32

# -- fast? ----------------------------------------------------------------------------------------------------
mkdir -p $B/cache
card prior 60 $B/gpu_speed prior $B/cache
card dit 60 $B/gpu_speed dit $B/cache
card vae 40 $B/gpu_speed vae $B/cache
if python3 -c 'import torch' 2>/dev/null; then
    card torch 120 python3 bench/gpu_torch.py
else
    say "torch: not here, no comparison"
fi

# -- memory and races -------------------------------------------------------------------------------------------
if command -v compute-sanitizer >/dev/null; then
    for tool in memcheck racecheck initcheck; do
        card sanitize-$tool 60 compute-sanitizer --tool $tool --error-exitcode 9 $B/gpu_ops odd bf16 no-lib late
    done
else
    say "sanitizers: compute-sanitizer is not here"
fi

# -- the bundled model end to end, where the product's libraries are ----------------------------------------------
if pkg-config --exists jansson libpcre2-8 libsodium libwebsockets 2>/dev/null && make -s -j"$(nproc)" CUDA=1 CUDA_ARCH="$arch" build/darkroom >"$OUT/product.txt" 2>&1; then
    for device in cpu cuda; do
        card "picture-$device" 60 build/darkroom generate --device $device --seed 1 'a red square on a white background' -o "$OUT/$device.png"
    done
else
    say "pictures: the product does not build here (its libraries are missing)"
fi

if [ $dry -eq 0 ]; then
    keep=bench/results/gpu-$(date -u +%Y%m%d-%H%M%S).txt
    mkdir -p bench/results
    { cat "$summary"; for f in prior dit vae torch; do [ -e "$OUT/$f.txt" ] && { echo "== $f"; cat "$OUT/$f.txt"; }; done; } >"$keep"
    cp "$keep" "$OUT/"
fi
say "done in $SECONDS s"
