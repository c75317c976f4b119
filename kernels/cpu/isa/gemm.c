/* gemm - register tiles of C = A B: the loop in which the CPU device spends its life. */
#include "kernels/cpu/isa/act.h"
#include "kernels/cpu/isa/names.h"

#define NR (2 * VW)

/* The largest tile: its sums, two vectors of B and one of A fill the registers. */
#if VW == 16
#    define TILE 14
#    define HALF 8
#else
#    define TILE 6
#    define HALF 4
#endif

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

INLINE void finish_row(const struct gemm_block *g, int i, int j, int end, enum act act, int bf)
{
    const struct epilogue *e = &g->out;
    for (; j < end; j += VW) {
        int n = lanes(j, end);
        vf v = vload(g->c + i * GEMM_COLS + j);
        if (e->bias) v = v + vload(e->bias + j);
        v = rnd(v, bf);
        if (act != ACT_NONE) v = rnd(activate(v, act), bf);
        if (e->r) v = v + get(e->r, i * e->ldr + j, n, bf);
        set(e->y, i * e->ldy + j, v, n, bf);
    }
}

/* The epilogue for rows i .. i + rows, columns j .. end of the block. It stands apart from the tiles,
 * which would each need a copy of every variant of it. */
static __attribute__((noinline)) void finish(const struct gemm_block *g, int i, int rows, int j,
                                             int end)
{
    if (end > g->n) end = g->n;
    for (; rows-- > 0; i++)
        switch ((int)g->out.act * 2 + (g->out.bf != 0)) {
        case ACT_NONE * 2: finish_row(g, i, j, end, ACT_NONE, 0); break;
        case ACT_NONE * 2 + 1: finish_row(g, i, j, end, ACT_NONE, 1); break;
        case ACT_SILU * 2: finish_row(g, i, j, end, ACT_SILU, 0); break;
        case ACT_SILU * 2 + 1: finish_row(g, i, j, end, ACT_SILU, 1); break;
        case ACT_GELU_TANH * 2: finish_row(g, i, j, end, ACT_GELU_TANH, 0); break;
        case ACT_GELU_TANH * 2 + 1: finish_row(g, i, j, end, ACT_GELU_TANH, 1); break;
        case ACT_GELU_ERF * 2: finish_row(g, i, j, end, ACT_GELU_ERF, 0); break;
        case ACT_GELU_ERF * 2 + 1: finish_row(g, i, j, end, ACT_GELU_ERF, 1); break;
        default: break;
        }
}

/* rows x (vecs vectors of columns) from row i and column j of the block. */
INLINE void tile(const struct gemm_block *g, int i, int j, int rows, int vecs, enum pack pack)
{
    const float *a = (const float *)g->a + (int64_t)i * GEMM_STRIDE;
    const int64_t kk = pack == PACK_DP ? (g->k + 1) / 2 : g->k;
    const int64_t nr = NR * (pack == PACK_BF ? 2 : 4);
    const char *b = (const char *)g->b + j / NR * g->panel;
    float *c = g->c + i * GEMM_COLS + j;
    vf sum[TILE][8], w[8];
#pragma GCC unroll 16
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 16
        for (int v = 0; v < vecs; v++)
            sum[r][v] = g->first ? vset(0) : vload(c + r * GEMM_COLS + v * VW);
    for (int64_t k = 0; k < kk; k++, b += nr) {
#pragma GCC unroll 16
        for (int v = 0; v < vecs; v++)
            w[v] = load_b(b + v / 2 * g->panel, v % 2 * VW, pack);
#pragma GCC unroll 16
        for (int r = 0; r < rows; r++)
#pragma GCC unroll 16
            for (int v = 0; v < vecs; v++)
                sum[r][v] = step(sum[r][v], a + r * GEMM_STRIDE + k, w[v], pack);
    }
#pragma GCC unroll 16
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 16
        for (int v = 0; v < vecs; v++)
            vstore(c + r * GEMM_COLS + v * VW, sum[r][v]);
    if (g->last) finish(g, i, rows, j, j + vecs * VW);
}

/* A strip of columns, all rows: the largest tiles first. */
INLINE void strip(const struct gemm_block *g, int j, int vecs, enum pack pack)
{
    int i = 0;
    for (; i + TILE <= g->m; i += TILE)
        tile(g, i, j, TILE, vecs, pack);
    for (; i + HALF <= g->m; i += HALF)
        tile(g, i, j, HALF, vecs, pack);
    for (; i + 2 <= g->m; i += 2)
        tile(g, i, j, 2, vecs, pack);
    if (i < g->m) tile(g, i, j, 1, vecs, pack);
}

/* Wide strips are for few rows: one panel would leave the multipliers waiting for their sums. */
INLINE void block(const struct gemm_block *g, enum pack pack)
{
    int j = 0;
    if (g->m <= 3)
        for (; j + 4 * NR <= g->n; j += 4 * NR) {
            if (g->m >= 2) tile(g, 0, j, 2, 8, pack);
            if (g->m % 2) tile(g, g->m - 1, j, 1, 8, pack);
        }
    for (; j + VW < g->n; j += NR)
        strip(g, j, 2, pack);
    if (j < g->n) strip(g, j, 1, pack);
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
