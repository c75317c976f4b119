/* isa_list - which instruction sets this processor has. */
#include "kernels/cpu/isa.h"

#include <math.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
enum { M = 37, N = 64, K = 77, READ = 64 }; /* no whole tiles in any direction; rows read of A */

/* One product by both: 0 when they agree. A holds M rows of K bfloat16 (as pairs), B panels. */
static int compare(const struct isa *one, const struct isa *two, uint16_t *a, uint16_t *b, float *c)
{
    const struct isa *isa[2] = {one, two};
    float y[2][M][N];

    for (int i = 0; i < M; i++)
        for (int k = 0; k < K; k++) /* 1 .. 1.75 */
            a[i * GEMM_STRIDE * 2 + k] = (uint16_t)(0x3f80 + (i * 31 + k * 17) % 97);
    for (int k = 0; k < K; k++)
        for (int j = 0; j < N; j++) {
            const int at = (j / 32 * ((K + 1) / 2) + k / 2) * 64 + j % 32 * 2 + k % 2;

            b[at] = (uint16_t)((k * 7 + j * 13) % 89 | (k + j) % 2 << 15 | 0x3f80);
        }
    for (int n = 0; n < 2; n++) {
        struct gemm_block g = {.a = a, .b = b, .m = M, .n = N, .k = K, .c = c};

        g.panel = (K + 1) / 2 * 128;
        g.first = g.last = 1;
        g.out = (struct epilogue){.y = y[n], .ldy = N};
        isa[n]->gemm[PACK_DP](&g);
        g.first = 0; /* and once more on top of it */
        isa[n]->gemm[PACK_DP](&g);
    }
    for (int i = 0; i < M * N; i++)
        if (!(fabsf(y[0][i / N][i % N] - y[1][i / N][i % N]) <= 1e-2f)) return -1;
    return 0;
}

/* The matrix unit needs the kernel's permission, and is used only if its product agrees with the
 * vectors'. */
static int amx_works(void)
{
    enum { ARCH_REQ_XCOMP_PERM = 0x1023, XFEATURE_XTILEDATA = 18 };
    uint16_t *a, *b;
    float *c;
    int works;

    if (!__builtin_cpu_supports("amx-tile") || !__builtin_cpu_supports("amx-bf16")) return 0;
    if (syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA)) return 0;
    a = calloc(READ * GEMM_STRIDE * 2, sizeof *a);
    b = calloc((size_t)(K + 1) * N, sizeof *b);
    c = calloc((size_t)M * (size_t)isa_amx.ldc, sizeof *c); /* the wider one's */
    works = a && b && c && compare(&isa_amx, &isa_avx512bf, a, b, c) == 0;
    free(a);
    free(b);
    free(c);
    return works;
}
#endif

int isa_list(const struct isa *out[ISA_MOST])
{
    int n = 0;
#if defined(__x86_64__)
    int avx512, bf16;

    __builtin_cpu_init();
    avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw")
             && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
    bf16 = avx512 && __builtin_cpu_supports("avx512bf16");
    if (bf16 && amx_works()) out[n++] = &isa_amx;
    if (bf16) out[n++] = &isa_avx512bf;
    if (avx512) out[n++] = &isa_avx512;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) out[n++] = &isa_avx2;
#endif
    out[n++] = &isa_base;
    return n;
}
