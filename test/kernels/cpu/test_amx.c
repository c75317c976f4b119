/* test_amx - the matrix unit's product for every kind of tail, on any machine: the tile
 * instructions are emulated (tiles.h), so that every index and carried sum is tested. What else is
 * written for the unit runs emulated in the tests of operations. */
#include "kernels/cpu/isa.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

extern const struct isa isa_emulated;

enum { PANELS = 2, KMAX = 800 };

enum { ROWS = 192, COLS = PANELS * 32 };

struct operands {
    uint16_t a[ROWS * GEMM_STRIDE * 2];
    uint16_t b[PANELS * KMAX * 32];
    float c[ROWS * 1040], y[ROWS][COLS];
    double want[ROWS][COLS];
};

static void fill(uint16_t *p, size_t n, uint32_t seed)
{
    for (size_t i = 0; i < n; i++) {
        seed = seed * 1664525 + 1013904223;
        p[i] = (uint16_t)((seed >> 17 & 0x7f) | 0x3f00 | (seed >> 31) << 15); /* +-0.5 .. 1 */
    }
}

static double value(uint16_t half)
{
    const uint32_t u = (uint32_t)half << 16;
    float f;

    memcpy(&f, &u, sizeof f);
    return (double)f;
}

/* want += A B for values k0 .. k0 + n of k. */
static void add_up(struct operands *l, int rows, int cols, int k, int k0, int n)
{
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < cols; j++)
            for (int p = 0; p < n; p++) {
                const int at = k0 + p;
                const size_t b =
                    ((size_t)(j / 32 * ((k + 1) / 2) + at / 2) * 32 + (size_t)j % 32) * 2;

                l->want[i][j] +=
                    value(l->a[i * GEMM_STRIDE * 2 + p]) * value(l->b[b + (size_t)at % 2]);
            }
}

/* k in two blocks when it is long; the largest difference over the largest value. */
static double difference(struct operands *l, int m, int n, int k)
{
    double most = 1e-30, off = 0;

    memset(l->want, 0, sizeof l->want);
    for (int k0 = 0; k0 < k; k0 += 768) {
        struct gemm_block g = {.a = l->a, .m = m, .n = n, .c = l->c};

        g.k = k - k0 < 768 ? k - k0 : 768;
        g.panel = (k + 1) / 2 * 128;
        g.b = (const char *)l->b + k0 / 2 * 128;
        g.first = k0 == 0, g.last = k0 + g.k == k;
        g.out = (struct epilogue){.y = l->y, .ldy = COLS};
        fill(l->a, sizeof l->a / 2, (uint32_t)k0 + 7);
        for (int i = 0; g.k % 2 && i < m; i++)
            l->a[i * GEMM_STRIDE * 2 + g.k] = 0;
        isa_emulated.gemm[PACK_DP](&g);
        add_up(l, m, n, k, k0, g.k);
    }
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++) {
            const double d = fabs((double)l->y[i][j] - l->want[i][j]);

            if (!(d <= off)) off = d;
            if (fabs(l->want[i][j]) > most) most = fabs(l->want[i][j]);
        }
    return off / most;
}

/* catches: a wrong stride, a tail of rows or of k that reads its neighbour, a sum not carried on */
static void every_shape_agrees(void **state)
{
    static const int M[] = {1, 2, 15, 16, 17, 31, 32, 33, 64, 65, 83, 84, 192};
    static const int N[] = {1, 31, 32, 33, 64}, K[] = {1, 2, 31, 32, 33, 192, 767, 768, 769, 800};
    struct operands *l;

    (void)state;
    assert_true(isa_emulated.rows <= ROWS && isa_emulated.ldc <= 1040 && isa_emulated.nr == 32);
    l = malloc(sizeof *l);
    assert_non_null(l);
    fill(l->b, sizeof l->b / 2, 1);
    for (size_t m = 0; m < sizeof M / sizeof *M; m++)
        for (size_t n = 0; n < sizeof N / sizeof *N; n++)
            for (size_t k = 0; k < sizeof K / sizeof *K; k++) {
                const double d = difference(l, M[m], N[n], K[k]);

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
