/* attn - softmax(scale q k' + bias) v for a block of queries of one head, keys block by block.
 *
 * The usual online softmax: running maximum m and sum l of every query, o rescaled when m grows. Both
 * products run on register tiles over float copies of the block: q [nq][d] scaled, k transposed
 * [d][ATTN_K], v [ATTN_K][d]. A single query (decoding) reads keys and values where they are. Keys always come
 * in the same blocks from key 0, so a query's result does not depend on who shares its block. */
#include "kernels/cpu/isa/act.h"
#include "kernels/cpu/isa/names.h"

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
    float *q, *kt, *v, *s, *o;
    float *m, *l, *top, *shrink,
        *sum; /* per query: maximum, sum; of this block: both, and e^(m - top) */
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
    w->kt = p, p += ld * lds;
    w->s = p, p += ATTN_Q * lds;
    w->m = p, p += ATTN_Q;
    w->l = p, p += ATTN_Q;
    w->top = p, p += ATTN_Q;
    w->shrink = p, p += ATTN_Q;
    w->sum = p, p += ATTN_Q;
    return (size_t)(p - base);
}

size_t NAME(attn_work)(int d)
{
    struct room w;
    static float none[1];
    return split(&w, none, d);
}

/* c[rows][vecs] = (c times shrink, or 0) + a[rows][k] b[k][vecs]; vecs: vectors of columns. */
INLINE void product(float *c, int ldc, const float *a, int lda, const float *b, int ldb, int k,
                    int rows, int vecs, const float *shrink)
{
    vf sum[TILE][2], w[2];
#pragma GCC unroll 8
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 8
        for (int v = 0; v < vecs; v++) {
            sum[r][v] = vset(0);
            if (shrink) sum[r][v] = vload(c + r * ldc + v * VW) * vset(shrink[r]);
        }
    for (int i = 0; i < k; i++) {
#pragma GCC unroll 8
        for (int v = 0; v < vecs; v++)
            w[v] = vload(b + i * ldb + v * VW);
#pragma GCC unroll 8
        for (int r = 0; r < rows; r++)
#pragma GCC unroll 8
            for (int v = 0; v < vecs; v++)
                sum[r][v] = vfma(vset(a[r * lda + i]), w[v], sum[r][v]);
    }
#pragma GCC unroll 8
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 8
        for (int v = 0; v < vecs; v++)
            vstore(c + r * ldc + v * VW, sum[r][v]);
}

static void multiply(float *c, int ldc, const float *a, int lda, const float *b, int ldb, int m,
                     int n, int k, const float *shrink)
{
    for (int j = 0; j < n; j += 2 * VW) {
        const int two = n - j > VW;
        int i = 0;
        for (; i + TILE <= m; i += TILE) {
            const float *f = shrink ? shrink + i : NULL;
            if (two)
                product(c + i * ldc + j, ldc, a + i * lda, lda, b + j, ldb, k, TILE, 2, f);
            else
                product(c + i * ldc + j, ldc, a + i * lda, lda, b + j, ldb, k, TILE, 1, f);
        }
        for (; i < m; i++) {
            const float *f = shrink ? shrink + i : NULL;
            if (two)
                product(c + i * ldc + j, ldc, a + i * lda, lda, b + j, ldb, k, 1, 2, f);
            else
                product(c + i * ldc + j, ldc, a + i * lda, lda, b + j, ldb, k, 1, 1, f);
        }
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

/* kt[i][j] = k[j][i]; keys that are missing in the last vector are zeros. */
INLINE void load_kt(const struct room *w, const struct attn_block *a, int64_t j0, int nk, int bf)
{
    for (int j = 0; j < nk; j += VW)
        for (int i = 0; i < a->d; i += VW) {
            vf t[VW];
            for (int r = 0; r < VW; r++) {
                t[r] = vset(0);
                if (j + r < nk)
                    t[r] = get(row(a->k, (j0 + j + r) * a->ldk, bf), i, lanes(i, a->d), bf);
            }
            vtranspose(t);
            for (int r = 0; r < VW; r++)
                vstore(w->kt + (i + r) * w->lds + j, t[r]);
        }
}

/* How many of the nk keys from j0 query i may see. */
INLINE int visible(const struct attn_block *a, int i, int64_t j0, int nk)
{
    if (a->causal < 0) return nk;
    int64_t n = a->causal + i + 1 - j0;
    return n < 0 ? 0 : n < nk ? (int)n : nk;
}

/* Row of scores: add the bias, hide what lies behind n, and return the maximum with m. */
INLINE float scores(float *s, int n, int nk, const float *bias, float m)
{
    vf top = vset(m);
    for (int j = 0; j < nk; j += VW) {
        const int k = n - j < VW ? n - j < 0 ? 0 : n - j : VW;
        vf v = vload(s + j);
        if (bias) v = v + vload_n(bias + j, k);
        if (bias || k < VW) {
            if (k < VW) {
                float t[VW];
                vstore(t, v);
                for (int i = k; i < VW; i++)
                    t[i] = -INFINITY;
                v = vload(t);
            }
            vstore(s + j, v);
        }
        top = vmax(top, v);
    }
    return vtop(top);
}

/* Scores to weights e^(s - top); their sum. */
INLINE float soften(float *s, int nk, float top)
{
    vf sum = vset(0);
    for (int j = 0; j < nk; j += VW) {
        vf e = vexp(vload(s + j) - vset(top));
        vstore(s + j, e);
        sum = sum + e;
    }
    return vsum(sum);
}

/* The block's scores to weights; what it does to each query's maximum and sum. */
INLINE void soften_rows(const struct room *w, const struct attn_block *a, int64_t j0, int nk)
{
    for (int i = 0; i < a->nq; i++) {
        const float *bias = a->bias ? a->bias + j0 - i : NULL;
        float top = scores(w->s + i * w->lds, visible(a, i, j0, nk), nk, bias, w->m[i]);
        w->top[i] = top > -INFINITY ? top : 0; /* NaN spreads through the weights */
    }
    for (int i = 0; i < a->nq; i += VW)
        vstore(w->shrink + i, vexp(vload(w->m + i) - vload(w->top + i)));
    for (int i = 0; i < a->nq; i++)
        w->sum[i] = soften(w->s + i * w->lds, nk, w->top[i]);
    for (int i = 0; i < a->nq; i += VW) {
        vstore(w->l + i, vload(w->l + i) * vload(w->shrink + i) + vload(w->sum + i));
        vstore(w->m + i, vload(w->top + i));
    }
}

INLINE void start(const struct room *w, int nq)
{
    for (int i = 0; i < ATTN_Q; i++)
        w->m[i] = -INFINITY, w->l[i] = w->top[i] = w->sum[i] = 0;
    memset(w->o, 0, sizeof(float) * (size_t)(nq * w->ld));
}

INLINE void finish(const struct room *w, const struct attn_block *a, int bf)
{
    for (int i = 0; i < a->nq; i++)
        for (int c = 0; c < a->d; c += VW)
            set((char *)a->o + (size_t)(i * a->ldo) * (bf ? 2 : 4), c,
                vload(w->o + i * w->ld + c) / vset(w->l[i]), lanes(c, a->d), bf);
}

INLINE void attend(const struct attn_block *a, int bf)
{
    struct room w;
    split(&w, a->work, a->d);
    start(&w, a->nq);
    load_rows(w.q, w.ld, a->q, a->ldq, a->nq, a->d, a->scale, bf);
    for (int64_t j0 = 0; j0 < a->nk; j0 += ATTN_K) {
        const int nk = a->nk - j0 < ATTN_K ? (int)(a->nk - j0) : ATTN_K;
        const int wide = (nk + VW - 1) / VW * VW;
        if (visible(a, a->nq - 1, j0, nk) == 0) break;
        load_kt(&w, a, j0, nk, bf);
        load_rows(w.v, w.ld, row(a->v, j0 * a->ldv, bf), a->ldv, nk, a->d, 1.0f, bf);
        multiply(w.s, w.lds, w.q, w.ld, w.kt, w.lds, a->nq, wide, a->d, NULL);
        soften_rows(&w, a, j0, nk);
        multiply(w.o, w.ld, w.s, w.lds, w.v, w.ld, a->nq, a->d, nk, w.shrink);
    }
    finish(&w, a, bf);
}

/* s[j] = q k_j for VW keys at a time: products summed across the head, then across lanes. */
INLINE void dots(const struct room *w, const struct attn_block *a, int64_t j0, int nk, int bf)
{
    for (int j = 0; j < nk; j += VW) {
        vf t[VW];
        for (int r = 0; r < VW; r++) {
            const void *k = row(a->k, (j0 + (j + r < nk ? j + r : 0)) * a->ldk, bf);
            t[r] = vset(0);
            for (int c = 0; c < a->d; c += VW)
                t[r] = vfma(vload(w->q + c), get(k, c, lanes(c, a->d), bf), t[r]);
        }
        vstore(w->s + j, vsums(t));
    }
}

/* o[one vector] = o shrink + sum of s_j v_j, on four chains. */
INLINE void weigh(const struct room *w, const struct attn_block *a, int64_t j0, int nk, int c,
                  int bf)
{
    const int n = lanes(c, a->d);
    vf o[4] = {vload(w->o + c) * vset(w->shrink[0]), vset(0), vset(0), vset(0)};
    int j = 0;
    for (; j + 4 <= nk; j += 4)
#pragma GCC unroll 4
        for (int r = 0; r < 4; r++)
            o[r] =
                vfma(vset(w->s[j + r]), get(row(a->v, (j0 + j + r) * a->ldv, bf), c, n, bf), o[r]);
    for (; j < nk; j++)
        o[0] = vfma(vset(w->s[j]), get(row(a->v, (j0 + j) * a->ldv, bf), c, n, bf), o[0]);
    vstore(w->o + c, (o[0] + o[1]) + (o[2] + o[3]));
}

INLINE void attend_one(const struct attn_block *a, int bf)
{
    struct room w;
    split(&w, a->work, a->d);
    start(&w, 1);
    load_rows(w.q, w.ld, a->q, a->ldq, 1, a->d, a->scale, bf);
    for (int64_t j0 = 0; j0 < a->nk; j0 += ATTN_K) {
        const int nk = a->nk - j0 < ATTN_K ? (int)(a->nk - j0) : ATTN_K;
        if (visible(a, 0, j0, nk) == 0) break;
        dots(&w, a, j0, nk, bf);
        soften_rows(&w, a, j0, nk);
        for (int c = 0; c < a->d; c += VW)
            weigh(&w, a, j0, nk, c, bf);
    }
    finish(&w, a, bf);
}

void NAME(attn)(const struct attn_block *a, int bf)
{
    if (a->nq == 1) {
        if (bf)
            attend_one(a, 1);
        else
            attend_one(a, 0);
    } else {
        if (bf)
            attend(a, 1);
        else
            attend(a, 0);
    }
}
