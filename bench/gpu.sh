#!/usr/bin/env bash
# gpu - everything that needs a GPU, in one command of under ten minutes.
#   bench/gpu.sh [--build | --emulated]
#
# Needs nvcc, gcc, make, python3; takes cuBLASLt and cuDNN where find.sh sees them (python3's nvidia
# packages, CUDA's folders) and PyTorch for the comparison. Parts run in the order of what they
# tell, and one that fails or runs out of time loses nothing of the others. Each has its own log in
# build/gpu/out; $OUT/all.txt has their output as soon as they end (few files: a
# borrowed machine may hand back no more than eight), $OUT/summary.txt how they ended.
#   --build     only build, on a machine without a GPU but with nvcc, jansson, pcre2 and libsodium
#               (their static libraries are linked in), after `make cuda-deps`, which brings the
#               headers of cuBLASLt and cuDNN: without either it fails. Carry build/gpu along with
#               the tree, and nothing is built where the GPU is. Otherwise gpu_engine is left out
#               where jansson, pcre2 or libsodium are missing.
#   --emulated  the same programs on the emulated GPU (test/simt), small shapes: is the plumbing
#               right?
#   LIMIT=570   seconds for all parts together; SKIP="torch sanitize whole-512" leaves parts out by
#               name or first word
set -u
export LC_ALL=C # globs come in one order on every machine
cd "$(dirname "$0")/.."
mode=${1:-} B=build/gpu J=build/gpu-objects L=build/gpu/out OUT=${OUT:-$PWD/build/gpu/out}
LIMIT=${LIMIT:-570} SKIP=${SKIP:-} patience=1
# the emulated GPU is slow, and nothing is measured on it
[ "$mode" = --emulated ] && LIMIT=7200 patience=15
mkdir -p $B $J $L "$OUT"
rm -f $L/*.txt "$OUT/all.txt"
summary=$OUT/summary.txt
{ date -u '+%F %T UTC'; git describe --always --dirty 2>/dev/null; uname -m; nproc; } >"$summary"
nvidia-smi --query-gpu=name,driver_version,clocks.sm,clocks.mem,power.limit \
    --format=csv,noheader >>"$summary" 2>&1

say() { echo "$*" | tee -a "$summary"; }
# part NAME SECONDS COMMAND...: run it within what is left, keep its log, note how it ended
part() {
    local name=$1 limit=$(($2 * patience)) left=$((LIMIT - SECONDS)) t=$SECONDS rc
    shift 2
    for skip in $SKIP; do
        [ "$name" = "$skip" ] || [ "${name%%-*}" = "$skip" ] || continue
        say "$name: skipped"
        return 1
    done
    [ $left -lt "$limit" ] && limit=$left
    [ "$limit" -lt 4 ] && { say "$name: no time left"; return 1; }
    timeout -k 5 "$limit" "$@" >"$L/$name.txt" 2>&1
    rc=$?
    { echo "== $name"; tail -c 300000 "$L/$name.txt"; } >>"$OUT/all.txt"
    case $rc in 0) end=ok ;; 124) end='out of time' ;; *) end="FAILED ($rc)" ;; esac
    say "$name: $end, $((SECONDS - t)) s"
    tail -4 "$L/$name.txt" | sed 's/^/    /' | tee -a "$summary"
    return $rc
}
# gpu NAME SECONDS PROGRAM ...: a part on the GPU (or the emulated one)
gpu() {
    if [ -x "$B/$3" ]; then part "$1" "$2" "$B/$3" "${@:4}"; else say "$1: $3 was not built"; fi
}

# Libraries that are opened at run time, where python3 and CUDA keep them: what was built elsewhere
# looks here.
folders=$(python3 -c 'import glob, sys
print(":".join(d for p in sys.path if p for d in glob.glob(p + "/nvidia/*/lib")))' 2>/dev/null)
export DARKROOM_CUDA_LIBS="$folders:$(ls -d /usr/local/cuda*/lib64 2>/dev/null | tr '\n' ':')"
export LD_LIBRARY_PATH="$DARKROOM_CUDA_LIBS${LD_LIBRARY_PATH:-}"
# the libraries say why they refuse something, in the part's log
export CUDNN_LOGLEVEL_DBG=1 CUDNN_LOGDEST_DBG=stderr CUBLASLT_LOG_LEVEL=1

# -- build: no product libraries but those linked in, one architecture, all cores ------------------
isa=(base avx2 avx512 avx512bf amx)
avx512='-mavx512f -mavx512bw -mavx512vl -mavx512dq -mfma -mprefer-vector-width=512'
flags=('' '-mavx2 -mfma -mf16c' "$avx512" "$avx512 -mavx512bf16"
    "$avx512 -mavx512bf16 -mamx-tile -mamx-bf16")
statics="-l:libjansson.a -l:libpcre2-8.a -l:libsodium.a"
c='-std=c11 -D_GNU_SOURCE -O2 -g -fopenmp -ffunction-sections -I. -MMD -MP'
object() { # SOURCE OBJECT FLAGS: how it is made
    printf '%s: %s\n\t@mkdir -p $(@D)\n\tgcc %s %s -c -o $@ $<\n' "$2" "$1" "$c ${inc[*]}" "$3"
}
kernel() { # SOURCE OBJECT: the same for nvcc, which tells registers and spills into a log
    printf '%s: %s\n\t@mkdir -p $(@D)\n\t%s -std=c++17 -O2 -lineinfo -I.' "$2" "$1" "$NVCC"
    printf ' -Xcompiler -Wall,-fno-exceptions -gencode arch=compute_%s,code=sm_%s' "$arch" "$arch"
    printf ' -Xptxas -v -MMD -MP -MF $(@:.o=.d) -c -o $@ $< 2>$@.log || { cat $@.log; false; }\n'
}
program() { # NAME OBJECTS LIBRARIES
    printf 'all: %s\n%s: bench/%s.c %s\n' "$B/$1" "$B/$1" "$1" "$2"
    printf '\tgcc %s -Wl,--gc-sections -MF %s.d -o $@ $(filter %%.c %%.o,$^)' "$c ${inc[*]}" "$J/$1"
    printf ' -L%s -lcudart_static %s -lrt -ldl -l:libstdc++.a' "$CUDA_LIB" "$3"
    printf ' -lpthread -lm && strip -g $@\n'
}
rules() { # a makefile of its own: the product's asks for libraries that are not here
    local f o i objs= more=
    local few="proto/fail.c weights/safetensors/dtype.c kernels/*.c kernels/{cpu,cuda,model}/*.c"
    few+=" kernels/memory/{offload,residency}.c test/simt/{pair,cases,condition_cases}.c"
    few+=" bench/gpu_{net,meter}.c"
    local all="proto/*.c weights/*.c weights/{safetensors,tokenizer}/*.c"
    all+=" kernels/{engine,memory,report}/*.c"
    few=" $(eval echo "$few") "
    few=${few/ kernels\/cuda\/stub.c/}
    for f in $(printf '%s\n' $few ${whole:+$(eval echo "$all")} | sort -u); do
        o=$J/${f%.c}.o
        case "$few" in *" $f "*) objs+=" $o" ;; *) more+=" $o" ;; esac
        object "$f" "$o" "-DCUDA_LIB_PATH=\\\"${LIB_PATH:-}\\\""
    done
    for f in kernels/cpu/isa/*.c; do
        for i in ${!isa[*]}; do
            [ "$i" -gt 0 ] && [ "$(uname -m)" != x86_64 ] && continue
            o=$J/${f%.c}.${isa[i]}.o objs+=" $J/${f%.c}.${isa[i]}.o"
            object "$f" "$o" "-DISA=${isa[i]} ${flags[i]}"
        done
    done
    for f in kernels/cuda/*.cu; do
        o=$J/${f%.cu}.cu.o objs+=" $J/${f%.cu}.cu.o"
        kernel "$f" "$o"
    done
    for f in gpu_ops gpu_speed gpu_stage; do program $f "$objs" ''; done
    [ "$whole" ] && program gpu_engine "$objs$more" "$statics"
    echo "-include \$(shell find $J -name '*.d')"
}
mark=$(cat bench/gpu_*.[ch] proto/*.[ch] weights/{,*/}*.[ch] kernels/{,*/}*.[ch]* \
    kernels/cpu/isa/* test/simt/{pair,cases,condition_cases}.c | sha256sum | cut -c1-16)
# programs that know both libraries name them
complete() { for f in cublasLt cudnn; do grep -q "lib$f.so" "$B/gpu_ops" || return 1; done; }
if [ "$mode" = --emulated ]; then
    part build 900 make -s -j2 CUDA=0 emulated || exit 1
    B=build/release/emulated
elif [ "$(cat $B/mark 2>/dev/null)" = "$mark" ] && complete &&
    $B/gpu_ops --started >/dev/null 2>&1; then
    say "build: what was carried along starts here"
else
    eval "$(kernels/cuda/find.sh "$PWD/build" | sed 's/=\(.*\)/="\1"/')"
    [ -n "${NVCC:-}" ] || { say "no nvcc: nothing to do"; exit 1; }
    arch=${CUDA_ARCH:-90a} inc=() whole=
    for d in $CUDA_INC ${LIB_INC:-}; do inc+=(-isystem "$d"); done
    echo 'int main(void) { return 0; }' |
        gcc -include jansson.h -include sodium.h -xc - -o /dev/null $statics -lpthread \
            2>/dev/null &&
        whole=1
    say "libraries: ${LIB_PATH:-none}; the whole engine: ${whole:-no}"
    [[ ${LIB_PATH:-} == *:* ]] || {
        say "the headers of cuBLASLt or cuDNN are not here: make cuda-deps"
        exit 1
    }
    rm -f $B/mark
    # objects know the headers that they were made with; make does not
    flags_now="$c ${inc[*]} $arch $NVCC ${LIB_PATH:-}"
    [ "$(cat $J/flags 2>/dev/null)" = "$flags_now" ] || rm -rf $J
    mkdir -p $J
    echo "$flags_now" >$J/flags
    rules >$J/rules.mk
    limit=240
    [ "$mode" = --build ] && LIMIT=1800 limit=1700
    part build $limit make -s -j"$(nproc)" -f $J/rules.mk all || exit 1
    complete || { say "the programs do not name cuBLASLt and cuDNN"; exit 1; }
    echo "$mark" >$B/mark
    cat $J/kernels/cuda/*.log >$L/ptxas.txt 2>/dev/null
    say "spills: $(grep -c ' [1-9][0-9]* bytes spill' $L/ptxas.txt)"
fi
if [ "$mode" = --build ]; then
    rm -rf $B/cache
    say "built in $SECONDS s: $(du -sh --exclude=out $B | cut -f1) to carry"
    exit 0
fi

# -- the parts -------------------------------------------------------------------------------------
released=test/weights/released small= px=(512 1024 2048) tiny=weights/tiny tiny_px=256
steps=(50 10) four=4 edit=$released
if [ "$mode" = --emulated ]; then
    small=small released=test/golden/plain/model px=(32 32 32) tiny=test/golden/plain/model
    tiny_px=32 steps=(2 1) four=2 edit=test/golden/edit/model
fi
export GPU_CACHE=$B/cache
mkdir -p $B/cache
gpu ops-bf16 40 gpu_ops odd bf16
on=$(grep -m1 ' against ' $L/ops-bf16.txt 2>/dev/null)
say "    $on"
if [ "$mode" != --emulated ] && [[ $on == *', no cu'* ]]; then
    say "a library is missing: what follows would measure our own kernels alone"
    exit 1
fi
gpu prior 60 gpu_speed prior $B/cache $small
gpu dit 60 gpu_speed dit $B/cache $small
gpu whole-512 60 gpu_engine whole $released "${px[0]}" "${steps[0]}" 1
gpu vae 40 gpu_speed vae $B/cache $small
gpu same 60 gpu_engine same $tiny $tiny_px
gpu stage-bf16 50 gpu_stage bf16 $small
gpu same-edit 60 gpu_engine same test/golden/edit/model 64 2
gpu images 40 gpu_speed images $B/cache $small
gpu whole-1024 60 gpu_engine whole $released "${px[1]}" "${steps[0]}" 1
rates=$(sed -nE 's/^copy ([0-9]+) GB.s, bf16 product ([0-9]+) TFLOP.*/\1 \2/p' \
    $L/dit.txt $L/prior.txt 2>/dev/null | head -1)
gpu whole-edit 60 gpu_engine whole $edit "${px[1]}" "${steps[1]}" 1 1
gpu table 40 gpu_engine table $released "${px[1]}" ${rates:-4300 790}
if [ "$mode" != --emulated ] && python3 -c 'import torch' 2>/dev/null; then
    part torch 120 python3 bench/gpu_torch.py
else
    say "torch: not here, no comparison"
fi
gpu stage-f32 50 gpu_stage f32 $small
gpu wide-bf16 50 gpu_ops wide bf16
gpu whole-4x512 60 gpu_engine whole $released "${px[0]}" "${steps[0]}" $four
if command -v compute-sanitizer >/dev/null && [ "$mode" != --emulated ]; then
    for tool in memcheck racecheck initcheck; do
        part sanitize-$tool 50 compute-sanitizer --tool $tool --error-exitcode 9 \
            $B/gpu_ops odd bf16 no-lib no-pdl
    done
else
    say "sanitize: compute-sanitizer is not here"
fi
gpu ops-f32 40 gpu_ops odd f32
gpu ops-hand 40 gpu_ops odd bf16 no-lib
gpu ops-no-pdl 40 gpu_ops odd bf16 no-pdl
gpu wide-f32 60 gpu_ops wide f32
gpu whole-2048 80 gpu_engine whole $released "${px[2]}" "${steps[1]}" 1

if [ "$mode" != --emulated ]; then
    keep=bench/results/gpu-$(date -u +%Y%m%d-%H%M%S).txt
    mkdir -p bench/results
    [ -s $L/torch.txt ] && python3 bench/gpu_ratio.py $L | tee $L/ratios.txt
    parts='prior dit vae images whole-512 whole-1024 whole-edit whole-4x512 whole-2048'
    parts+=' table torch ratios'
    { cat "$summary"; for f in $parts; do
        [ -e "$L/$f.txt" ] && { echo "== $f"; cat "$L/$f.txt"; }; done; } >"$keep"
    cp "$keep" "$OUT/"
fi
say "done in $SECONDS s"
