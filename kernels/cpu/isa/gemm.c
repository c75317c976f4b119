/* gemm - register tiles of C = A B: the loop in which the CPU device spends its life. */
#include "kernels/cpu/isa/act.h"
#include "kernels/cpu/isa/names.h"

#define NR (2 * VW)

/* The largest tile: its sums, two vectors of B and one of A fill the registers. */
#if VW == 16
#    define TILE 14
#else
#    define TILE 6
#endif

#define UNROLL _Pragma("GCC unroll 16")

/* One vector of B at pair or row k of a panel. */
INLINE vf load_b(const void *b, int64_t at, enum pack pack)
{
    if (pack == PACK_BF) return vload_bf((const uint16_t *)b + at);
    return vload((const float *)b + at); /* PACK_DP: pairs, moved as floats */
}

INLINE vf step(vf sum, const float *a, vf b, enum pack pack)
{
#ifdef __AVX512BF16__
    if (pack == PACK_DP) return _mm512_dpbf16_ps(sum, (__m512bh)vset(*a), (__m512bh)b);
#endif
    (void)pack;
    return vfma(vset(*a), b, sum);
}

/* Bias, activation, residual and rounding of a finished tile. Not inlined: every tile shape would carry
 * every activation, unrolled, and compile for a minute. */
static __attribute__((noinline)) void finish(const struct gemm_block *g, int i, int j, int rows,
                                             int vecs, const float *done)
{
    const struct epilogue *e = &g->out;
    for (int r = i; r < i + rows; r++)
        for (int col = j; col < j + vecs * VW; col += VW, done += VW) {
            const int n = lanes(col, g->n);
            if (n <= 0) continue;
            vf v = vload(done);
            if (e->bias) v = v + vload(e->bias + col);
            v = rnd(v, e->bf);
            if (e->act != ACT_NONE) v = rnd(activate(v, e->act), e->bf);
            if (e->r) v = v + get(e->r, r * e->ldr + col, n, e->bf);
            set(e->y, r * e->ldy + col, v, n, e->bf);
        }
}

/* rows x (vecs vectors of columns) from row i and column j of the block. */
INLINE void tile(const struct gemm_block *g, int i, int j, int rows, int vecs, enum pack pack)
{
    const float *a = (const float *)g->a + (int64_t)i * GEMM_STRIDE;
    const char *b[4];
    const int64_t kk = pack == PACK_DP ? (g->k + 1) / 2 : g->k;
    vf sum[14][8];
    float done[14 * 8 * VW];
    UNROLL
    for (int p = 0; p < (vecs + 1) / 2; p++)
        b[p] = (const char *)g->b + (j / NR + p) * g->panel;
    UNROLL
    for (int r = 0; r < rows; r++)
        UNROLL
    for (int v = 0; v < vecs; v++)
        sum[r][v] = g->first ? vset(0) : vload(g->c + (i + r) * GEMM_COLS + j + v * VW);
    for (int64_t k = 0; k < kk; k++) {
        vf w[8];
        UNROLL
        for (int v = 0; v < vecs; v++)
            w[v] = load_b(b[v / 2], k * NR + v % 2 * VW, pack);
        UNROLL
        for (int r = 0; r < rows; r++)
            UNROLL
        for (int v = 0; v < vecs; v++)
            sum[r][v] = step(sum[r][v], a + r * GEMM_STRIDE + k, w[v], pack);
    }
    float *c = g->last ? done : g->c + i * GEMM_COLS + j;
    const int64_t ldc = g->last ? vecs * VW : GEMM_COLS;
    UNROLL
    for (int r = 0; r < rows; r++)
        UNROLL
    for (int v = 0; v < vecs; v++)
        vstore(c + r * ldc + v * VW, sum[r][v]);
    if (g->last) finish(g, i, j, rows, vecs, done);
}

/* A strip of columns, all rows: the largest tiles first. Wide strips are for few rows, where one
 * panel would leave the multipliers waiting for their own results. */
#define STRIP(vecs, pack)                                    \
    do {                                                     \
        int i = 0;                                           \
        if (vecs <= 2) {                                     \
            for (; i + TILE <= g->m; i += TILE)              \
                tile(g, i, j, TILE, vecs < 2 ? 1 : 2, pack); \
            for (; TILE > 8 && i + 8 <= g->m; i += 8)        \
                tile(g, i, j, 8, vecs < 2 ? 1 : 2, pack);    \
            for (; i + 4 <= g->m; i += 4)                    \
                tile(g, i, j, 4, vecs < 2 ? 1 : 2, pack);    \
        }                                                    \
        for (; i + 2 <= g->m; i += 2)                        \
            tile(g, i, j, 2, vecs, pack);                    \
        for (; i < g->m; i++)                                \
            tile(g, i, j, 1, vecs, pack);                    \
    } while (0)

INLINE void block(const struct gemm_block *g, enum pack pack)
{
    int j = 0;
    if (g->m < 4)
        for (; j + 4 * NR <= g->n; j += 4 * NR)
            STRIP(8, pack);
    for (; j + VW < g->n; j += NR)
        STRIP(2, pack);
    if (j < g->n) STRIP(1, pack);
}

void NAME(gemm_f32)(const struct gemm_block *g)
{
    block(g, PACK_F32);
}

void NAME(gemm_bf)(const struct gemm_block *g)
{
    block(g, PACK_BF);
}

void NAME(gemm_dp)(const struct gemm_block *g)
{
    block(g, PACK_DP);
}
