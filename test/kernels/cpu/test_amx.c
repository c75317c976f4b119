/* test_amx - the matrix unit's product against the vectors', on a processor without one: the tile
 * instructions are emulated in C, so that every index, tail and carried sum is tested anywhere with
 * AVX-512 BF16. */
#pragma GCC target("avx512f,avx512bw,avx512vl,avx512dq,avx512bf16,fma,amx-tile,amx-bf16")
#include <immintrin.h>
#include <math.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static char unit[8][16][64];
static int configured;

static float half(const char *p)
{
    uint16_t h;
    uint32_t u;
    float f;

    memcpy(&h, p, 2);
    u = (uint32_t)h << 16;
    memcpy(&f, &u, 4);
    return f;
}

static void load(int t, const void *base, int64_t stride)
{
    assert_true(configured);
    for (int r = 0; r < 16; r++)
        memcpy(unit[t][r], (const char *)base + r * stride, 64);
}

static void store(int t, void *base, int64_t stride)
{
    assert_true(configured);
    for (int r = 0; r < 16; r++)
        memcpy((char *)base + r * stride, unit[t][r], 64);
}

/* As the manual has it: the even and the odd products are summed apart, then added to the tile. */
static void dot(int c, int a, int b)
{
    for (int m = 0; m < 16; m++)
        for (int n = 0; n < 16; n++) {
            float even = 0, odd = 0, sum;

            for (int k = 0; k < 16; k++) {
                even += half(unit[a][m] + 4 * k) * half(unit[b][k] + 4 * n);
                odd += half(unit[a][m] + 4 * k + 2) * half(unit[b][k] + 4 * n + 2);
            }
            memcpy(&sum, unit[c][m] + 4 * n, 4);
            sum += even + odd;
            memcpy(unit[c][m] + 4 * n, &sum, 4);
        }
}

/* palette 1, 64 bytes and 16 rows for each of the eight tiles, the rest zero */
static void configure(const void *p)
{
    const uint8_t *b = p;

    for (int i = 0; i < 64; i++) {
        const int want = i == 0                            ? 1
                         : i >= 16 && i < 32 && i % 2 == 0 ? 64
                         : i >= 48 && i < 56               ? 16
                                                           : 0;

        assert_int_equal(b[i], want);
    }
    configured = 1;
}

#undef _tile_loadconfig
#undef _tile_release
#undef _tile_loadd
#undef _tile_stored
#undef _tile_zero
#undef _tile_dpbf16ps
#define _tile_loadconfig(p)     configure(p)
#define _tile_release()         (configured = 0)
#define _tile_loadd(t, p, s)    load(t, p, s)
#define _tile_stored(t, p, s)   store(t, p, s)
#define _tile_zero(t)           memset(unit[t], 0, sizeof unit[t])
#define _tile_dpbf16ps(c, a, b) dot(c, a, b)
#ifndef __AMX_BF16__
#    define __AMX_BF16__ 1
#endif
#define ISA played
#include "kernels/cpu/isa/gemm.c"

enum { PANELS = 2, KMAX = 800 };

struct operands {
    uint16_t a[GEMM_ROWS * GEMM_STRIDE * 2];
    uint16_t b[PANELS * KMAX * 32];
    float c[2][GEMM_ROWS * GEMM_LDC], y[2][GEMM_ROWS][PANELS * 32];
};

static void fill(uint16_t *p, size_t n, uint32_t seed)
{
    for (size_t i = 0; i < n; i++) {
        seed = seed * 1664525 + 1013904223;
        p[i] = (uint16_t)((seed >> 17 & 0x7f) | 0x3f00 | (seed >> 31) << 15); /* +-0.5 .. 1 */
    }
}

/* k in two blocks when it is long; both ways; the largest difference over the largest value. */
static double difference(struct operands *l, const struct isa *other, int m, int n, int k)
{
    double most = 1e-30, off = 0;

    for (int way = 0; way < 2; way++)
        for (int k0 = 0; k0 < k; k0 += 768) {
            struct gemm_block g = {.a = l->a, .m = m, .n = n, .c = l->c[way]};

            g.k = k - k0 < 768 ? k - k0 : 768;
            g.panel = (k + 1) / 2 * 128;
            g.b = (const char *)l->b + k0 / 2 * 128;
            g.first = k0 == 0, g.last = k0 + g.k == k;
            g.out = (struct epilogue){.y = l->y[way], .ldy = PANELS * 32};
            fill(l->a, sizeof l->a / 2, (uint32_t)k0 + 7);
            for (int i = 0; g.k % 2 && i < m; i++)
                l->a[i * GEMM_STRIDE * 2 + g.k] = 0;
            if (way)
                gemm_dp_played(&g);
            else
                other->gemm[PACK_DP](&g);
        }
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++) {
            const double d = fabs((double)l->y[0][i][j] - (double)l->y[1][i][j]);

            if (!(d <= off)) off = d;
            if (fabs((double)l->y[0][i][j]) > most) most = fabs((double)l->y[0][i][j]);
        }
    return off / most;
}

/* catches: a wrong stride, a tail of rows or of k that reads its neighbour, a sum not carried on */
static void every_shape_agrees(void **state)
{
    const struct isa *list[ISA_MOST];
    const struct isa *vectors = NULL;
    static const int M[] = {1, 2, 15, 16, 17, 31, 32, 33, 64, 65, 83, 84};
    static const int N[] = {1, 31, 32, 33, 64}, K[] = {1, 2, 31, 32, 33, 192, 767, 768, 769, 800};
    struct operands *l;

    (void)state;
    for (int i = 0, n = isa_list(list); i < n; i++)
        if (list[i] == &isa_avx512bf) vectors = list[i];
    if (!vectors) skip();
    l = malloc(sizeof *l);
    assert_non_null(l);
    fill(l->b, sizeof l->b / 2, 1);
    for (size_t m = 0; m < sizeof M / sizeof *M; m++)
        for (size_t n = 0; n < sizeof N / sizeof *N; n++)
            for (size_t k = 0; k < sizeof K / sizeof *K; k++) {
                const double d = difference(l, vectors, M[m], N[n], K[k]);

                if (!(d <= 1e-5)) print_error("%d x %d x %d: off by %g\n", M[m], N[n], K[k], d);
                assert_true(d <= 1e-5);
            }
    free(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_shape_agrees),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
