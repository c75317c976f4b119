/* gemm - register tiles of C = A B: the loop in which the CPU device spends most of its time. */
#include "kernels/cpu/isa/activation.h"
#include "kernels/cpu/isa/names.h"

#include <string.h>

#define NR (2 * VW) /* of the vectors' panels */

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
    return pack == PACK_DP ? vdot2(vset(*a), b, sum) : vfma(vset(*a), b, sum);
}

/* Columns j .. of so many vectors, whole ones unless `end` cuts the last: bias, activation, sum. */
INLINE void finish_strip(const struct gemm_block *g, int i, int rows, int j, int vecs, int end,
                         enum activation act, int bf)
{
    const struct epilogue e = g->out;
    vf bias[2], v[2];

#pragma GCC unroll 2
    for (int s = 0; s < vecs; s++)
        bias[s] = e.bias ? vload(e.bias + j + s * VW) : vset(0);
    for (; rows-- > 0; i++) {
#pragma GCC unroll 2
        for (int s = 0; s < vecs; s++)
            v[s] = rnd(vload(g->c + i * GEMM_LDC + j + s * VW) + bias[s], bf);
#pragma GCC unroll 2
        for (int s = 0; s < vecs && act != ACT_NONE; s++)
            v[s] = rnd(activate(v[s], act), bf);
#pragma GCC unroll 2
        for (int s = 0; s < vecs; s++) {
            const int at = j + s * VW, n = vecs == 2 ? VW : lanes(at, end);

            if (e.r) v[s] = v[s] + get(e.r, i * e.ldr + at, n, bf);
            set(e.y, i * e.ldy + at, v[s], n, bf);
        }
    }
}

INLINE void finish_rows(const struct gemm_block *g, int i, int rows, int j, int end,
                        enum activation act, int bf)
{
    for (; j + 2 * VW <= end; j += 2 * VW)
        finish_strip(g, i, rows, j, 2, end, act, bf);
    for (; j < end; j += VW)
        finish_strip(g, i, rows, j, 1, end, act, bf);
}

/* The epilogue for rows i .. i + rows, columns j .. end of the block. It stands apart from the
 * tiles, which would each need a copy of every variant of it. */
static __attribute__((noinline)) void finish(const struct gemm_block *g, int i, int rows, int j,
                                             int end)
{
    if (end > g->n) end = g->n;
    switch ((int)g->out.act * 2 + (g->out.bf != 0)) {
    case ACT_NONE * 2: finish_rows(g, i, rows, j, end, ACT_NONE, 0); break;
    case ACT_NONE * 2 + 1: finish_rows(g, i, rows, j, end, ACT_NONE, 1); break;
    case ACT_SILU * 2: finish_rows(g, i, rows, j, end, ACT_SILU, 0); break;
    case ACT_SILU * 2 + 1: finish_rows(g, i, rows, j, end, ACT_SILU, 1); break;
    case ACT_GELU_TANH * 2: finish_rows(g, i, rows, j, end, ACT_GELU_TANH, 0); break;
    case ACT_GELU_TANH * 2 + 1: finish_rows(g, i, rows, j, end, ACT_GELU_TANH, 1); break;
    case ACT_GELU_ERF * 2: finish_rows(g, i, rows, j, end, ACT_GELU_ERF, 0); break;
    case ACT_GELU_ERF * 2 + 1: finish_rows(g, i, rows, j, end, ACT_GELU_ERF, 1); break;
    default: break;
    }
}

/* Rows of A and how they follow each other: `at` holds every third of them, since an instruction
 * reaches two more from there. */
struct rows {
    const float *at[(TILE + 2) / 3];
    int64_t lda;
};

INLINE struct rows rows_of(const struct gemm_block *g, int i, int rows, int lines)
{
    struct rows a = {.lda = lines ? g->lda : GEMM_STRIDE};

#pragma GCC unroll 16
    for (int r = 0; r < rows; r += 3)
        a.at[r / 3] = (const float *)g->a + (i + r) * a.lda;
    return a;
}

/* sum += rows x vecs over the next n of k. */
INLINE void run(vf sum[TILE][8], struct rows *a, const char **b, int64_t panel, int64_t n, int rows,
                int vecs, enum pack pack)
{
    const int64_t nr = NR * (pack == PACK_BF ? 2 : 4);
    vf w[8];

    for (int64_t k = 0; k < n; k++, *b += nr) {
#pragma GCC unroll 16
        for (int v = 0; v < vecs; v++)
            w[v] = load_b(*b + v / 2 * panel, v % 2 * VW, pack);
#pragma GCC unroll 16
        for (int r = 0; r < rows; r++)
#pragma GCC unroll 16
            for (int v = 0; v < vecs; v++)
                sum[r][v] = step(sum[r][v], a->at[r / 3] + r % 3 * a->lda + k, w[v], pack);
    }
}

/* rows x (vecs vectors of columns) from row i and column j of the block. */
INLINE void tile(const struct gemm_block *g, int i, int j, int rows, int vecs, enum pack pack,
                 int lines)
{
    const int64_t kk = pack == PACK_DP ? (g->k + 1) / 2 : g->k;
    const char *b = (const char *)g->b + j / NR * g->panel;
    struct rows a = rows_of(g, i, rows, lines);
    float *c = g->c + i * GEMM_LDC + j;
    vf sum[TILE][8];

#pragma GCC unroll 16
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 16
        for (int v = 0; v < vecs; v++)
            sum[r][v] = g->first ? vset(0) : vload(c + r * GEMM_LDC + v * VW);
    for (int64_t k = 0; k < kk; k += lines ? g->run : kk) {
        run(sum, &a, &b, g->panel, lines ? g->run : kk, rows, vecs, pack);
#pragma GCC unroll 16
        for (int r = 0; r < rows; r += 3)
            a.at[r / 3] += g->jump;
    }
#pragma GCC unroll 16
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 16
        for (int v = 0; v < vecs; v++)
            vstore(c + r * GEMM_LDC + v * VW, sum[r][v]);
}

/* A strip of columns, all rows: the largest tiles first. */
INLINE void strip(const struct gemm_block *g, int j, int vecs, enum pack pack, int lines)
{
    int i = 0;

    for (; i + TILE <= g->m; i += TILE)
        tile(g, i, j, TILE, vecs, pack, lines);
    for (; i + HALF <= g->m; i += HALF)
        tile(g, i, j, HALF, vecs, pack, lines);
    for (; i + 2 <= g->m; i += 2)
        tile(g, i, j, 2, vecs, pack, lines);
    if (i < g->m) tile(g, i, j, 1, vecs, pack, lines);
}

/* Wide strips are for fewer rows than a tile has: one panel would leave the multipliers waiting for
 * their sums, and every panel is read once for all of them. */
INLINE int wide(const struct gemm_block *g, enum pack pack)
{
    int j = 0;

    for (; j + 4 * NR <= g->n; j += 4 * NR) {
        int i = 0;

        for (; VW == 16 && i + 4 <= g->m; i += 4) {
            tile(g, i, j, 4, 4, pack, 0);
            tile(g, i, j + 2 * NR, 4, 4, pack, 0);
        }
        for (; i + 2 <= g->m; i += 2)
            tile(g, i, j, 2, 8, pack, 0);
        if (i < g->m) tile(g, i, j, 1, 8, pack, 0);
    }
    return j;
}

INLINE void block(const struct gemm_block *g, enum pack pack, int lines)
{
    int j = g->m < HALF && !lines ? wide(g, pack) : 0;

    for (; j + VW < g->n; j += NR)
        strip(g, j, 2, pack, lines);
    if (j < g->n) strip(g, j, 1, pack, lines);
    if (g->last) finish(g, 0, g->m, 0, g->n);
}

void NAME(gemm_f32)(const struct gemm_block *g)
{
    block(g, PACK_F32, 0);
}

void NAME(gemm_bf)(const struct gemm_block *g)
{
    block(g, PACK_BF, 0);
}

void NAME(conv_f32)(const struct gemm_block *g)
{
    block(g, PACK_F32, 1);
}

void NAME(conv_bf)(const struct gemm_block *g)
{
    block(g, PACK_BF, 1);
}

#if HAS_TILES
/* Every row count uses the matrix unit, since its sums are rounded unlike the vectors': the bits of
 * a row must not depend on how many rows there are. PACK_DP is the form that it reads. */
enum {
    NEAR = 128, /* pairs of k: a panel of them and 32 rows of A are in the first-level cache */
    PAIRS_BYTES = 2 * TILE_BYTES, /* of a panel, for a pair of k */
    LINE = 64
};

/* Where a block that is no whole tile is completed: rows past its end, pairs of k past its end. */
struct spare {
    float c[TILE_SIDE * TILE_SIDE];
    char a[TILE_SIDE * TILE_BYTES], b[TILE_PAIRS * 2 * TILE_BYTES];
};

/* What is fetched while a block of sums is computed: its part of the panel of B that comes next,
 * for the second-level cache, and the next sums. */
struct ahead {
    const char *b;
    int lines; /* 0: the next rows need the same panel, nothing is fetched */
    const float *c;
};

/* A part for each of so many steps. */
INLINE void fetch(struct ahead *next, int steps, int step)
{
    const int lines = (next->lines + steps - 1) / steps, rows = (TILE_SIDE + steps - 1) / steps;

    for (int l = step * lines; l < (step + 1) * lines; l++)
        __builtin_prefetch(next->b + (int64_t)l * LINE, 0, 2);
    for (int r = step * rows; next->lines && r < (step + 1) * rows; r++) {
        __builtin_prefetch(next->c + r * GEMM_LDC, 1, 3);
        __builtin_prefetch(next->c + r * GEMM_LDC + TILE_ROWS, 1, 3);
    }
}

/* Pairs p .. p + pairs; the last ones, fewer than a tile's, are completed with zeros. */
static void tile_sum(const struct gemm_block *g, int i, int j, int p, int pairs, struct spare *s,
                     struct ahead next)
{
    const int64_t lda = GEMM_STRIDE * 4, ldb = PAIRS_BYTES;
    const int rows = g->m - i < TILE_SIDE ? g->m - i : TILE_SIDE, two = rows > TILE_ROWS;
    const int rest = pairs % TILE_PAIRS, whole = pairs - rest, steps = whole / TILE_PAIRS;
    const char *a = (const char *)g->a + i * lda + p * 4;
    const char *b = (const char *)g->b + j / GEMM_NR * g->panel + p * ldb;

    for (int k = 0; k < steps; k++) {
        fetch(&next, steps, k);
        tile_product(a + k * TILE_BYTES, lda, b + k * TILE_PAIRS * ldb, ldb, TILE_PAIRS, two);
    }
    if (!rest) return;
    memset(s->a, 0, sizeof s->a);
    memset(s->b, 0, sizeof s->b);
    for (int r = 0; r < rows; r++)
        memcpy(s->a + r * TILE_BYTES, a + r * lda + whole * 4, (size_t)rest * 4);
    memcpy(s->b, b + whole * ldb, (size_t)(rest * ldb));
    tile_product(s->a, TILE_BYTES, s->b, ldb, TILE_PAIRS, two);
}

/* Up to 32 rows from row i by the panel at column j. */
static void tile_block(const struct gemm_block *g, int i, int j, int p, int pairs, struct spare *s,
                       struct ahead next)
{
    const int rows = g->m - i < TILE_SIDE ? g->m - i : TILE_SIDE, two = rows > TILE_ROWS;
    const int part = rows < TILE_SIDE, zero = g->first && p == 0;
    float *home = g->c + i * GEMM_LDC + j, *c = part ? s->c : home;
    const int64_t ldc = part ? TILE_SIDE * 4 : GEMM_LDC * 4;

    for (int r = 0; part && !zero && r < rows; r++)
        memcpy(c + r * TILE_SIDE, home + r * GEMM_LDC, TILE_SIDE * 4);
    if (zero)
        tile_clear();
    else
        tile_read(c, ldc, two);
    tile_sum(g, i, j, p, pairs, s, next);
    tile_write(c, ldc, two);
    for (int r = 0; part && r < rows; r++)
        memcpy(home + r * GEMM_LDC, c + r * TILE_SIDE, TILE_SIDE * 4);
}

/* All rows by pairs p .. p + pairs of the panel at column j; `after` is the panel that follows. */
static void tile_rows(const struct gemm_block *g, int j, int p, int pairs, struct spare *s,
                      const char *after)
{
    const int blocks = (g->m + TILE_SIDE - 1) / TILE_SIDE;
    const int lines = blocks > 1 ? pairs * (PAIRS_BYTES / LINE) / blocks + 1 : 0;

    for (int k = 0; k < blocks; k++)
        tile_block(g, k * TILE_SIDE, j, p, pairs, s,
                   (struct ahead){.b = after + (int64_t)k * lines * LINE,
                                  .lines = lines,
                                  .c = g->c + (k + 1) % blocks * TILE_SIDE * GEMM_LDC + j});
}

void NAME(gemm_dp)(const struct gemm_block *g)
{
    const int pairs = (g->k + 1) / 2;
    struct spare s;

    tile_start();
    for (int j = 0; j < g->n; j += GEMM_NR) {
        const char *b = (const char *)g->b + j / GEMM_NR * g->panel;

        for (int p = 0; p < pairs; p += NEAR) {
            const int n = pairs - p < NEAR ? pairs - p : NEAR;

            tile_rows(g, j, p, n, &s, p + n < pairs ? b + (p + n) * PAIRS_BYTES : b + g->panel);
        }
        if (g->last) finish(g, 0, g->m, j, j + GEMM_NR);
    }
    tile_end();
}
#else
void NAME(gemm_dp)(const struct gemm_block *g)
{
    block(g, PACK_DP, 0);
}
#endif
