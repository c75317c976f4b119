/* attn - softmax(scale q k' + bias) v for a block of queries of one head, keys block by block.
 *
 * The usual online softmax: running maximum m and sum l of every query, o rescaled when m grows. Both products
 * run on register tiles over float copies of the block: q [nq][d] scaled, k transposed [d][ATTN_K],
 * v [ATTN_K][d]. Keys always come in the same blocks from key 0, so a query's result does not depend on
 * who shares its block. */
#include "kernels/cpu/isa/act.h"
#include "kernels/cpu/isa/names.h"

#define UNROLL _Pragma("GCC unroll 16")
#if VW == 16
#    define TILE 8
#else
#    define TILE 4
#endif

/* Columns of the float copies: whole vectors, and no power of two between rows. */
static int pad(int d)
{
    return (d + VW - 1) / VW * VW + 16;
}

struct room {
    float *q, *kt, *v, *s, *o, *m, *l, *shrink;
    int ld, lds;
};

static size_t split(struct room *w, float *base, int d)
{
    const size_t ld = (size_t)pad(d), lds = (size_t)pad(ATTN_K);
    float *p = base;
    *w = (struct room){.ld = (int)ld, .lds = (int)lds};
    w->q = p, p += ATTN_Q * ld;
    w->o = p, p += ATTN_Q * ld;
    w->v = p, p += ATTN_K * ld;
    w->kt = p, p += (size_t)d * lds;
    w->s = p, p += ATTN_Q * lds;
    w->m = p, p += ATTN_Q;
    w->l = p, p += ATTN_Q;
    w->shrink = p, p += ATTN_Q;
    return (size_t)(p - base);
}

size_t NAME(attn_work)(int d)
{
    struct room w;
    static float none[1];
    return split(&w, none, d);
}

/* c[rows][2 vectors] = (c times shrink, or 0) + a[rows][k] b[k][2 vectors]; columns come in pairs of vectors
 * or, at the end, one. */
INLINE void product(float *c, int ldc, const float *a, int lda, const float *b, int ldb, int k,
                    int rows, int vecs, const float *shrink)
{
    vf sum[TILE][2];
    UNROLL
    for (int r = 0; r < rows; r++)
        UNROLL
    for (int v = 0; v < vecs; v++) {
        sum[r][v] = vset(0);
        if (shrink) sum[r][v] = vload(c + r * ldc + v * VW) * vset(shrink[r]);
    }
    for (int i = 0; i < k; i++) {
        vf w[2];
        UNROLL
        for (int v = 0; v < vecs; v++)
            w[v] = vload(b + i * ldb + v * VW);
        UNROLL
        for (int r = 0; r < rows; r++)
            UNROLL
        for (int v = 0; v < vecs; v++)
            sum[r][v] = vfma(vset(a[r * lda + i]), w[v], sum[r][v]);
    }
    UNROLL
    for (int r = 0; r < rows; r++)
        UNROLL
    for (int v = 0; v < vecs; v++)
        vstore(c + r * ldc + v * VW, sum[r][v]);
}

static void multiply(float *c, int ldc, const float *a, int lda, const float *b, int ldb, int m,
                     int n, int k, const float *shrink)
{
    for (int i = 0; i < m; i += i + TILE <= m ? TILE : 1)
        for (int j = 0; j < n; j += 2 * VW) {
            float *cc = c + i * ldc + j;
            const float *aa = a + i * lda, *f = shrink ? shrink + i : NULL;
            int two = n - j > VW;
            if (i + TILE <= m && two)
                product(cc, ldc, aa, lda, b + j, ldb, k, TILE, 2, f);
            else if (i + TILE <= m)
                product(cc, ldc, aa, lda, b + j, ldb, k, TILE, 1, f);
            else if (two)
                product(cc, ldc, aa, lda, b + j, ldb, k, 1, 2, f);
            else
                product(cc, ldc, aa, lda, b + j, ldb, k, 1, 1, f);
        }
}

INLINE const void *row(const void *p, int64_t at, int bf)
{
    return (const char *)p + (size_t)at * (bf ? 2 : 4);
}

INLINE void load_rows(float *y, int ldy, const void *x, int64_t ldx, int n, int d, float scale,
                      int bf)
{
    for (int r = 0; r < n; r++)
        for (int i = 0; i < d; i += VW)
            vstore(y + r * ldy + i, vset(scale) * get(row(x, r * ldx, bf), i, lanes(i, d), bf));
}

/* kt[i][j] = k[j][i]; missing keys are zeros. */
INLINE void load_kt(const struct room *w, const struct attn_block *a, int64_t j0, int nk, int bf)
{
    for (int j = 0; j < ATTN_K; j++) {
        const void *x = row(a->k, (j0 + j) * a->ldk, bf);
        for (int i = 0; i < a->d; i++)
            w->kt[i * w->lds + j] = j >= nk ? 0
                                    : bf    ? bf_to_f(((const uint16_t *)x)[i])
                                            : ((const float *)x)[i];
    }
}

/* How many of the nk keys from j0 query i may see. */
INLINE int visible(const struct attn_block *a, int i, int64_t j0, int nk)
{
    if (a->causal < 0) return nk;
    int64_t n = a->causal + i + 1 - j0;
    return n < 0 ? 0 : n < nk ? (int)n : nk;
}

/* One row of scores to weights e^(s - m); returns how much the earlier sum shrinks. */
INLINE float soften(float *s, int n, const float *bias, float *m, float *l)
{
    vf top = vset(*m), sum = vset(0);
    for (int j = 0; j < ATTN_K; j += VW) {
        int k = lanes(j, n);
        vf v = vload(s + j);
        if (bias && k > 0) v = v + vload_n(bias + j, k);
        if (k < VW) {
            float t[VW];
            vstore(t, v);
            for (int i = k < 0 ? 0 : k; i < VW; i++)
                t[i] = -INFINITY;
            v = vload(t);
        }
        vstore(s + j, v);
        top = vmax(top, v);
    }
    float peak = vtop(top), shrink;
    if (!(peak > -INFINITY)) peak = 0; /* nothing visible yet, or NaN, which then spreads */
    for (int j = 0; j < ATTN_K; j += VW) {
        vf e = vexp(vload(s + j) - vset(peak));
        vstore(s + j, e);
        sum = sum + e;
    }
    float t[VW];
    vstore(t, vexp(vset(*m - peak)));
    shrink = t[0];
    *l = *l * shrink + vsum(sum);
    *m = peak;
    return shrink;
}

INLINE void attend(const struct attn_block *a, int bf)
{
    struct room w;
    split(&w, a->work, a->d);
    load_rows(w.q, w.ld, a->q, a->ldq, a->nq, a->d, a->scale, bf);
    memset(w.o, 0, sizeof(float) * (size_t)(ATTN_Q * w.ld));
    for (int i = 0; i < a->nq; i++)
        w.m[i] = -INFINITY, w.l[i] = 0;
    for (int64_t j0 = 0; j0 < a->nk; j0 += ATTN_K) {
        int nk = a->nk - j0 < ATTN_K ? (int)(a->nk - j0) : ATTN_K;
        if (visible(a, a->nq - 1, j0, nk) == 0) break;
        load_kt(&w, a, j0, nk, bf);
        load_rows(w.v, w.ld, row(a->v, j0 * a->ldv, bf), a->ldv, nk, a->d, 1.0f, bf);
        multiply(w.s, w.lds, w.q, w.ld, w.kt, w.lds, a->nq, ATTN_K, a->d, NULL);
        for (int i = 0; i < a->nq; i++)
            w.shrink[i] = soften(w.s + i * w.lds, visible(a, i, j0, nk),
                                 a->bias ? a->bias + j0 - i : NULL, &w.m[i], &w.l[i]);
        multiply(w.o, w.ld, w.s, w.lds, w.v, w.ld, a->nq, a->d, nk, w.shrink);
    }
    for (int i = 0; i < a->nq; i++)
        for (int c = 0; c < a->d; c += VW)
            set((char *)a->o + (size_t)(i * a->ldo) * (bf ? 2 : 4), c,
                vload(w.o + i * w.ld + c) / vset(w.l[i]), lanes(c, a->d), bf);
}

void NAME(attn)(const struct attn_block *a, int bf)
{
    if (bf)
        attend(a, 1);
    else
        attend(a, 0);
}
