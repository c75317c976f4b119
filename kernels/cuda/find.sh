#!/usr/bin/env bash
# find - where CUDA is on this machine, as lines `NAME=value` for the Makefile. No nvcc: no lines.
#   $1  the build folder, where `make cuda-deps` puts cuBLAS and cuDNN
#   NVCC CUDA_INC CUDA_LIB  the compiler, its headers, the folder of libcudart_static.a
#   LIB_INC LIB_PATH        where headers and libraries of cuBLASLt and cuDNN are, as far as found
nvcc=${NVCC:-$(command -v nvcc || ls /usr/local/cuda*/bin/nvcc 2>/dev/null | tail -1)}
[ -x "$nvcc" ] || exit 0
plan=$("$nvcc" --dryrun -x cu -c /dev/null -o /dev/null 2>&1)
inc=$(sed -nE 's/^#\$ INCLUDES="-I([^"]*)".*/\1/p' <<<"$plan")
lib=$(sed -nE 's/^#\$ LIBRARIES=//p' <<<"$plan" | grep -oE '"-L[^"]*"' | tr -d '"' | sed 's/^-L//' |
    while read -r d; do [ -e "$d/libcudart_static.a" ] && echo "$d"; done | head -1)
[ -e "$inc/cuda_runtime.h" ] && [ -n "$lib" ] || exit 0

sites() {
    echo "$1/cuda-libs"
    for py in python3 /usr/bin/python3; do
        "$py" -c 'import site, sys
places = site.getsitepackages() + [site.getusersitepackages()] + sys.path
print(*filter(None, places), sep="\n")' 2>/dev/null
    done | awk '!seen[$0]++'
}

found=() paths=()
have() { # folder of headers, of libraries, header: take both unless that header is there already
    local f
    [ -e "$1/$3" ] || return 1
    for f in "${found[@]}"; do [ -e "$f/$3" ] && return 0; done
    found+=("$1") paths+=("$2")
}
for header in cublasLt.h cudnn.h; do
    while read -r site; do
        for d in "$site"/nvidia/{cu13,cu12,cublas,cudnn}; do
            have "$d/include" "$d/lib" "$header" && break 2
        done
    done < <(sites "$1")
    have "$inc" "$lib" "$header" || have /usr/include /usr/lib/x86_64-linux-gnu "$header" ||
        have /usr/include/x86_64-linux-gnu /usr/lib/x86_64-linux-gnu "$header"
done
printf 'NVCC=%s\nCUDA_INC=%s\nCUDA_LIB=%s\n' "$nvcc" "$inc" "$lib"
printf 'LIB_INC=%s\nLIB_PATH=%s\n' "${found[*]}" "$(IFS=:; echo "${paths[*]}")"
