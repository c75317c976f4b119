/* isa - which instruction sets this processor has. */
#include "kernels/cpu/isa.h"

int isa_list(const struct isa *out[4])
{
    int n = 0;
#if defined(__x86_64__)
    __builtin_cpu_init();
    int avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw")
                 && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
    if (avx512 && __builtin_cpu_supports("avx512bf16")) out[n++] = &isa_avx512bf;
    if (avx512) out[n++] = &isa_avx512;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) out[n++] = &isa_avx2;
#endif
    out[n++] = &isa_base;
    return n;
}
