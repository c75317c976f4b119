/* attention - softmax(scale q k' + bias) v for a block of queries of one head, keys block by block.
 *
 * The usual online softmax: running maximum m and sum l of every query, o rescaled when m grows.
 * Both products run on register tiles over copies of the block: q [nq][d], k transposed
 * [d][ATTN_K], v [ATTN_K][d], as floats or (`dp`) as pairs of bfloat16 along d for q k' and along
 * the keys for the weights times v, which are rounded for it. A single query (decoding) reads keys
 * and values where they are. Keys always come in the same blocks from key 0, so a query's result
 * does not depend on the other queries of its block. */
#include "kernels/cpu/isa/activation.h"
#include "kernels/cpu/isa/names.h"

/* Rows of the largest tile of two vectors: chains enough that none waits for itself. */
#if VW == 16
#    define TILE 8
#else
#    define TILE 6
#endif

static int up(int n, int to)
{
    return (n + to - 1) / to * to;
}

/* Columns of the float copies: whole vectors and tiles, and no power of two between rows. */
static int pad(int d)
{
    return up(d, HAS_TILES ? TILE_SIDE : VW) + 16;
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
    w->q = p, p += ATTN_MOST * ld;
    w->o = p, p += ATTN_MOST * ld;
    w->v = p, p += ATTN_K * ld;
    w->kt = p, p += ld * lds; /* d rows, or d / 2 of pairs and the rest of a tile */
    w->s = p, p += ATTN_Q * lds;
    w->m = p, p += ATTN_MOST;
    w->l = p, p += ATTN_MOST;
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

/* c[rows][vecs] = (c times shrink, or 0) + a[rows][k] b[k][vecs]; vecs: vectors of columns; k:
 * values or pairs. */
INLINE void product(float *c, int ldc, const float *a, int lda, const float *b, int ldb, int k,
                    int rows, int vecs, const float *shrink, int dp)
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
                sum[r][v] = dp ? vdot2(vset(a[r * lda + i]), w[v], sum[r][v])
                               : vfma(vset(a[r * lda + i]), w[v], sum[r][v]);
    }
#pragma GCC unroll 8
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 8
        for (int v = 0; v < vecs; v++)
            vstore(c + r * ldc + v * VW, sum[r][v]);
}

struct operand {
    const float *at;
    int ld;
};

/* Tiles of `rows` rows from row i on, as many as m has; returns the first row that is left. */
INLINE int tiles(float *c, int ldc, struct operand a, struct operand b, int i, int m, int rows,
                 int vecs, int k, const float *shrink, int dp)
{
    for (; i + rows <= m; i += rows)
        product(c + i * ldc, ldc, a.at + i * a.ld, a.ld, b.at, b.ld, k, rows, vecs,
                shrink ? shrink + i : NULL, dp);
    return i;
}

#if HAS_TILES
static void scale(float *row, int n, float by)
{
    for (int c = 0; by != 1 && c < n; c += VW)
        vstore(row + c, vload(row + c) * vset(by));
}

/* The same for pairs, on the matrix unit. Rows and columns past the end of C are written too, up to
 * whole tiles; what they hold mixes with nothing. Pairs past the end are zeros in both operands. */
static void multiply_pairs(float *c, int ldc, struct operand a, struct operand b, int m, int n,
                           int k, const float *shrink)
{
    for (int i = 0; shrink && i < m; i++)
        scale(c + i * ldc, n, shrink[i]);
    for (int i = 0; i < m; i += TILE_SIDE)
        for (int j = 0; j < n; j += TILE_SIDE) {
            const int two = m - i > TILE_ROWS;
            float *to = c + i * ldc + j;

            if (shrink)
                tile_read(to, ldc * 4, two);
            else
                tile_clear();
            tile_product((const char *)(a.at + i * a.ld), a.ld * 4, (const char *)(b.at + j),
                         b.ld * 4, k, two);
            tile_write(to, ldc * 4, two);
        }
}
#endif

INLINE void multiply(float *c, int ldc, struct operand a, struct operand b, int m, int n, int k,
                     const float *shrink, int dp)
{
#if HAS_TILES
    if (dp) {
        multiply_pairs(c, ldc, a, b, m, n, k, shrink);
        return;
    }
#endif
    for (int j = 0; j < n; j += 2 * VW, c += 2 * VW, b.at += 2 * VW) {
        int i = 0;

        if (n - j > VW) {
            i = tiles(c, ldc, a, b, i, m, TILE, 2, k, shrink, dp);
            if (VW < 16) i = tiles(c, ldc, a, b, i, m, 4, 2, k, shrink, dp);
            i = tiles(c, ldc, a, b, i, m, 2, 2, k, shrink, dp);
            tiles(c, ldc, a, b, i, m, 1, 2, k, shrink, dp);
        } else {
            i = tiles(c, ldc, a, b, i, m, TILE, 1, k, shrink, dp);
            tiles(c, ldc, a, b, i, m, 1, 1, k, shrink, dp);
        }
    }
}

INLINE const void *row(const void *p, int64_t at, int bf)
{
    return (const char *)p + (size_t)at * (bf ? 2 : 4);
}

/* n rows of d values, or of the same bits as pairs. */
INLINE void load_rows(float *y, int ldy, const void *x, int64_t ldx, int n, int d, int bf, int dp)
{
    const int k = dp ? d / 2 : d;

    for (int r = 0; r < n; r++)
        for (int i = 0; i < k; i += VW)
            vstore(y + r * ldy + i, get(row(x, r * ldx, bf), i, lanes(i, k), bf && !dp));
}

/* v[j/2][c] = the values of keys j and j + 1. */
INLINE void load_pairs(const struct room *w, const struct attn_block *a, int64_t j0, int nk)
{
    for (int j = 0; j < nk; j += 2)
        for (int c = 0; c < a->d; c += VW) {
            const int n = lanes(c, a->d);
            vf even = get(row(a->v, (j0 + j) * a->ldv, 1), c, n, 1), odd = vset(0);

            if (j + 1 < nk) odd = get(row(a->v, (j0 + j + 1) * a->ldv, 1), c, n, 1);
            vstore(w->v + j / 2 * w->ld + c, vpair(even, odd));
        }
}

/* kt[i][j] = k[j][i]; keys that are missing in the last vector are zeros. */
INLINE void load_kt(const struct room *w, const struct attn_block *a, int64_t j0, int nk, int bf,
                    int dp)
{
    const int d = dp ? a->d / 2 : a->d;

    for (int j = 0; j < nk; j += VW)
        for (int i = 0; i < d; i += VW) {
            vf t[VW];

            for (int r = 0; r < VW; r++) {
                t[r] = vset(0);
                if (j + r < nk)
                    t[r] = get(row(a->k, (j0 + j + r) * a->ldk, bf), i, lanes(i, d), bf && !dp);
            }
            vtranspose(t);
            for (int r = 0; r < VW; r++)
                vstore(w->kt + (i + r) * w->lds + j, t[r]);
        }
}

INLINE void zeros(float *p, int ld, int rows, int cols)
{
    for (int r = 0; cols > 0 && r < rows; r++)
        memset(p + r * ld, 0, sizeof *p * (size_t)cols);
}

/* Where pairs along the head, in q and kt, end inside a tile: zeros up to its end. */
INLINE void fill_head(const struct room *w, int nq, int pairs)
{
    const int from = up(pairs, VW), n = up(pairs, TILE_PAIRS) - from;

    zeros(w->q + from, w->ld, nq, n);
    zeros(w->kt + from * w->lds, w->lds, n, ATTN_K);
}

/* The same for pairs along the keys, in the weights and v. */
INLINE void fill_keys(const struct room *w, int nq, int nk)
{
    const int pairs = (nk + 1) / 2, end = up(pairs, TILE_PAIRS), from = up(nk, VW) / 2;

    zeros(w->s + from, w->lds, nq, end - from);
    zeros(w->v + pairs * w->ld, w->ld, end - pairs, w->ld);
}

/* How many of the nk keys from j0 query i may see. */
INLINE int visible(const struct attn_block *a, int i, int64_t j0, int nk)
{
    int64_t n;

    if (a->causal < 0) return nk;
    n = a->causal + i + 1 - j0;
    return n < 0 ? 0 : n < nk ? (int)n : nk;
}

/* What soften multiplies the scores by: with a bias they are scaled before it is added, so by 1. */
INLINE float still(const struct attn_block *a)
{
    return a->bias ? 1.0f : a->scale;
}

/* Row of scores: add the bias, hide what follows n, and return the maximum with m. */
INLINE float scores(const struct attn_block *a, float *s, int n, int nk, const float *bias, float m)
{
    vf top = vset(-INFINITY);
    float most;

    for (int j = 0; j < nk; j += VW) {
        const int k = n - j < VW ? n - j < 0 ? 0 : n - j : VW;
        vf v = vload(s + j);

        if (bias) v = vfma(v, vset(a->scale), vload_n(bias + j, k));
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
    most = vtop(top) * still(a);
    return most > m ? most : m;
}

/* Scores to weights e^(s k - top), in place, as bfloat16 for the pairs of `dp`; their sum. */
INLINE float soften(float *s, int nk, float k, float top, int dp)
{
    vf sum = vset(0);

    for (int j = 0; j < nk; j += VW) {
        vf e = vexp(vfma(vload(s + j), vset(k), vset(-top)));

        set(s, j, e, VW, dp);
        sum = sum + e;
    }
    return vsum(sum);
}

/* The block's scores to weights; what it does to each query's maximum and sum. */
INLINE void soften_rows(const struct room *w, const struct attn_block *a, int64_t j0, int nk,
                        int dp)
{
    for (int i = 0; i < a->nq; i++) {
        const float *bias = a->bias ? a->bias + j0 - i : NULL;
        float top = scores(a, w->s + i * w->lds, visible(a, i, j0, nk), nk, bias, w->m[i]);

        w->top[i] = top > -INFINITY ? top : 0; /* NaN spreads through the weights */
    }
    for (int i = 0; i < a->nq; i += VW)
        vstore(w->shrink + i, vexp(vload(w->m + i) - vload(w->top + i)));
    for (int i = 0; i < a->nq; i++)
        w->sum[i] = soften(w->s + i * w->lds, nk, still(a), w->top[i], dp);
    for (int i = 0; i < a->nq; i += VW) {
        vstore(w->l + i, vload(w->l + i) * vload(w->shrink + i) + vload(w->sum + i));
        vstore(w->m + i, vload(w->top + i));
    }
}

INLINE void start(const struct room *w, int nq)
{
    for (int i = 0; i < up(nq, VW); i++)
        w->m[i] = -INFINITY, w->l[i] = 0;
    for (int i = 0; i < ATTN_Q; i++)
        w->top[i] = w->sum[i] = 0;
    memset(w->o, 0, sizeof(float) * (size_t)(nq * w->ld));
}

INLINE void finish(const struct room *w, const struct attn_block *a, int bf)
{
    for (int i = 0; i < a->nq; i++)
        for (int c = 0; c < a->d; c += VW)
            set((char *)a->o + (size_t)(i * a->ldo) * (bf ? 2 : 4), c,
                vload(w->o + i * w->ld + c) / vset(w->l[i]), lanes(c, a->d), bf);
}

/* What belongs to ATTN_Q queries from q0 on. */
INLINE struct room room_of(const struct room *w, int q0)
{
    struct room r = *w;

    r.q += q0 * w->ld;
    r.o += q0 * w->ld;
    r.m += q0;
    r.l += q0;
    return r;
}

INLINE struct attn_block queries_of(const struct attn_block *a, int q0)
{
    struct attn_block b = *a;

    b.nq = a->nq - q0 < ATTN_Q ? a->nq - q0 : ATTN_Q;
    if (a->causal >= 0) b.causal += q0;
    if (a->bias) b.bias -= q0;
    return b;
}

/* One block of scores: the nk keys from j0, which are copied, for up to ATTN_Q queries. */
INLINE void attend_block(const struct room *w, const struct attn_block *a, int64_t j0, int nk,
                         int dp)
{
    const struct operand q = {w->q, w->ld}, kt = {w->kt, w->lds}, p = {w->s, w->lds},
                         v = {w->v, w->ld};

    multiply(w->s, w->lds, q, kt, a->nq, up(nk, VW), dp ? a->d / 2 : a->d, NULL, dp);
    soften_rows(w, a, j0, nk, dp);
    if (dp && HAS_TILES) fill_keys(w, a->nq, nk);
    multiply(w->o, w->ld, p, v, a->nq, a->d, dp ? (nk + 1) / 2 : nk, w->shrink, dp);
}

/* One block of keys for all queries. */
INLINE void attend_keys(const struct room *w, const struct attn_block *a, int64_t j0, int nk,
                        int bf, int dp)
{
    load_kt(w, a, j0, nk, bf, dp);
    if (dp)
        load_pairs(w, a, j0, nk);
    else
        load_rows(w->v, w->ld, row(a->v, j0 * a->ldv, bf), a->ldv, nk, a->d, bf, 0);
    for (int q0 = 0; q0 < a->nq; q0 += ATTN_Q) {
        const struct room r = room_of(w, q0);
        const struct attn_block b = queries_of(a, q0);

        if (visible(&b, b.nq - 1, j0, nk) > 0) attend_block(&r, &b, j0, nk, dp);
    }
}

INLINE void attend(const struct attn_block *a, int bf, int dp)
{
    struct room w;

    split(&w, a->work, a->d);
    start(&w, a->nq);
    load_rows(w.q, w.ld, a->q, a->ldq, a->nq, a->d, bf, dp);
    if (dp && HAS_TILES) {
        fill_head(&w, a->nq, a->d / 2);
        tile_start();
    }
    for (int64_t j0 = 0; j0 < a->nk; j0 += ATTN_K) {
        const int nk = a->nk - j0 < ATTN_K ? (int)(a->nk - j0) : ATTN_K;

        if (visible(a, a->nq - 1, j0, nk) == 0) break;
        attend_keys(&w, a, j0, nk, bf, dp);
    }
    if (dp && HAS_TILES) tile_end();
    finish(&w, a, bf);
}

/* s[j] = q k_j for VW keys at a time: products summed across the head, then across lanes. */
INLINE void dots(const struct room *w, const struct attn_block *a, int64_t j0, int nk, int bf,
                 int dp)
{
    const int d = dp ? a->d / 2 : a->d;

    for (int j = 0; j < nk; j += VW) {
        vf t[VW];

        for (int r = 0; r < VW; r++) {
            const void *k = row(a->k, (j0 + (j + r < nk ? j + r : 0)) * a->ldk, bf);

            t[r] = vset(0);
            for (int c = 0; c < d; c += VW) {
                vf q = vload(w->q + c), v = get(k, c, lanes(c, d), bf && !dp);

                t[r] = dp ? vdot2(q, v, t[r]) : vfma(q, v, t[r]);
            }
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

INLINE void attend_one(const struct attn_block *a, int bf, int dp)
{
    struct room w;

    split(&w, a->work, a->d);
    start(&w, 1);
    load_rows(w.q, w.ld, a->q, a->ldq, 1, a->d, bf, dp);
    for (int64_t j0 = 0; j0 < a->nk; j0 += ATTN_K) {
        const int nk = a->nk - j0 < ATTN_K ? (int)(a->nk - j0) : ATTN_K;

        if (visible(a, 0, j0, nk) == 0) break;
        dots(&w, a, j0, nk, bf, dp);
        soften_rows(&w, a, j0, nk, 0);
        for (int c = 0; c < a->d; c += VW)
            weigh(&w, a, j0, nk, c, bf);
    }
    finish(&w, a, bf);
}

#if HAS_DP
#    include "kernels/cpu/isa/attention_lanes.h"
#endif

/* The form must not depend on how many queries happen to share a block. */
void NAME(attn)(const struct attn_block *a, int bf)
{
    const int how = bf ? HAS_DP && a->d % 2 == 0 ? 2 : 1 : 0;

#if HAS_DP
    if (how == 2 && !a->decoded && !a->bias && a->causal < 0) {
        attend_lanes(a);
        return;
    }
#endif
    switch (how + 3 * (a->decoded && a->nq == 1)) {
    case 0: attend(a, 0, 0); break;
    case 1: attend(a, 1, 0); break;
    case 2: attend(a, 1, HAS_DP); break;
    case 3: attend_one(a, 0, 0); break;
    case 4: attend_one(a, 1, 0); break;
    case 5: attend_one(a, 1, HAS_DP); break;
    }
}
