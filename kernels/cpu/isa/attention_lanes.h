/* attention_lanes - attention by pairs of bfloat16 with the queries in the lanes of the vectors: a
 * part of attention.c, for processors with the dot product or the matrix unit.
 *
 * Scores stand one row a key, 32 queries a row, so maxima, sums and e^x need nothing across lanes,
 * and the weights become the right operand of the second product where they stand. The left ones
 * are keys, pairs along the head, and values, pairs along the keys: broadcast from rows of keys, or
 * for the matrix unit in tiles, whose rows are keys and values of a head. A block of scores stays
 * near the first-level cache. A lane knows nothing of the others. */
#ifndef KERNELS_CPU_ISA_ATTENTION_LANES_H
#define KERNELS_CPU_ISA_ATTENTION_LANES_H

enum {
    LANE_COLS = HAS_TILES ? TILE_SIDE : 2 * VW, /* queries of a group */
    LANE_VECS = LANE_COLS / VW,
    LANE_ROWS = 8, /* of a register tile: keys, or values of a head */
    LANE_STEP = HAS_TILES ? TILE_SIDE : LANE_ROWS,      /* rows of a product */
    LANE_KEYS = HAS_TILES ? ATTN_K / 2 + TILE_PAIRS : 1 /* floats between rows of values */
};

/* Row i of c (= c shrink, or 0) += the sum over k of a[i da + k dk] b[k]; rows of b and c hold
 * LANE_COLS floats, of which `vecs` vectors count. */
struct lane_product {
    float *c;
    const float *a, *b;
    int64_t da, dk;
    int k;
    const vf *shrink;
};

#if HAS_TILES
/* Four tiles of c at a time: rows up to whole ones, whose operands are zeros past the end. */
INLINE void lane_multiply(const struct lane_product *p, int rows, int vecs)
{
    for (int i = 0; i < rows; i += TILE_SIDE) {
        float *c = p->c + i * LANE_COLS;

        for (int r = 0; p->shrink && r < TILE_SIDE; r++)
            for (int v = 0; v < vecs; v++)
                vstore(c + r * LANE_COLS + v * VW,
                       vload(c + r * LANE_COLS + v * VW) * p->shrink[v]);
        if (p->shrink)
            tile_read(c, LANE_COLS * 4, 1);
        else
            tile_clear();
        tile_product((const char *)(p->a + i * p->da), p->da * 4, (const char *)p->b, LANE_COLS * 4,
                     p->k, 1);
        tile_write(c, LANE_COLS * 4, 1);
    }
}
#else
INLINE void lane_tile(const struct lane_product *p, int i, int vecs)
{
    const int64_t da = p->da, dk = p->dk;
    const float *a = p->a + i * da, *b = p->b;
    float *c = p->c + i * LANE_COLS;
    vf sum[LANE_ROWS][LANE_VECS];

#    pragma GCC unroll 8
    for (int r = 0; r < LANE_ROWS; r++)
#    pragma GCC unroll 8
        for (int v = 0; v < vecs; v++) {
            sum[r][v] = vset(0);
            if (p->shrink) sum[r][v] = vload(c + r * LANE_COLS + v * VW) * p->shrink[v];
        }
    for (int k = 0; k < p->k; k++) {
        vf w[LANE_VECS];

#    pragma GCC unroll 8
        for (int v = 0; v < vecs; v++)
            w[v] = vload(b + k * LANE_COLS + v * VW);
#    pragma GCC unroll 8
        for (int r = 0; r < LANE_ROWS; r++)
#    pragma GCC unroll 8
            for (int v = 0; v < vecs; v++)
                sum[r][v] = vdot2(vset(a[r * da + k * dk]), w[v], sum[r][v]);
    }
#    pragma GCC unroll 8
    for (int r = 0; r < LANE_ROWS; r++)
#    pragma GCC unroll 8
        for (int v = 0; v < vecs; v++)
            vstore(c + r * LANE_COLS + v * VW, sum[r][v]);
}

INLINE void lane_multiply(const struct lane_product *p, int rows, int vecs)
{
    for (int i = 0; i < rows; i += LANE_ROWS)
        lane_tile(p, i, vecs);
}
#endif

/* 2^x to 3e-6, less than a thousandth of what rounding it to bfloat16 costs; 0 below -126. */
INLINE vf lane_exp2(vf x)
{
    const vf c = vmax(vset(-150), x), n = vround(c), r = c - n;
    vf p = vfma(vset(0x1.3a02ccp-7f), r, vset(0x1.c9fc46p-5f));

    p = vfma(p, r, vset(0x1.ec0378p-3f));
    p = vfma(p, r, vset(0x1.62e12cp-1f));
    p = vfma(p, r, vset(1));
#if VW == 16
    return vscale2(p, n);
#else
    return vpick_lt(x, vset(-126), vset(0), vscale2(p, vmax(vset(-126), n)));
#endif
}

/* Scores of nk keys; the keys that are missing in the last rows weigh nothing. top: of these and
 * what it was. */
INLINE void lane_scores(const struct room *w, const float *qt, int pairs, int nk, int vecs,
                        vf top[LANE_VECS])
{
    struct lane_product p = {.c = w->s, .a = w->kt, .b = qt, .da = w->ld, .dk = 1, .k = pairs};

    for (int j = 0; j < nk; j += LANE_STEP, p.a += LANE_STEP * p.da, p.c += LANE_STEP * LANE_COLS) {
        lane_multiply(&p, LANE_STEP, vecs);
        for (int r = nk - j; r < LANE_STEP; r++)
            for (int v = 0; v < vecs; v++)
                vstore(p.c + r * LANE_COLS + v * VW, vset(-INFINITY));
        for (int r = 0; r < LANE_STEP; r++)
            for (int v = 0; v < vecs; v++)
                top[v] = vmax(top[v], vload(p.c + r * LANE_COLS + v * VW));
    }
}

/* Scores to weights 2^(s by - top), in place, as pairs of bfloat16 along the keys; their sums. */
INLINE void lane_soften(float *s, int nk, int vecs, vf by, const vf top[LANE_VECS],
                        vf sum[LANE_VECS])
{
    for (int j = 0; j < nk; j += 2)
#pragma GCC unroll 8
        for (int v = 0; v < vecs; v++) {
            const float *at = s + j * LANE_COLS + v * VW;
            const vf even = lane_exp2(vfma(vload(at), by, -top[v]));
            const vf odd = lane_exp2(vfma(vload(at + LANE_COLS), by, -top[v]));

            sum[v] = sum[v] + (even + odd);
            vstore(s + j / 2 * LANE_COLS + v * VW, vround_pair(even, odd));
        }
}

/* Pairs along the head that products read. */
INLINE int lane_pairs(const struct attn_block *a)
{
    return HAS_TILES ? up(a->d / 2, TILE_PAIRS) : a->d / 2;
}

/* nk keys, which are copied, for the group of queries from q0 on. */
INLINE void lane_group(const struct room *w, const struct attn_block *a, int q0, int nk, int vecs)
{
    const vf by = vset(a->scale * 0x1.715476p+0f);
    const int keys = up(nk, LANE_STEP);
    vf top[LANE_VECS], shrink[LANE_VECS], sum[LANE_VECS];
    struct lane_product p = {.c = w->o + q0 * w->ld,
                             .a = w->v,
                             .b = w->s,
                             .da = LANE_KEYS,
                             .dk = w->ld,
                             .k = keys / 2,
                             .shrink = shrink};

    for (int v = 0; v < vecs; v++)
        top[v] = vset(-INFINITY), sum[v] = vset(0);
    lane_scores(w, w->q + q0 * w->ld, lane_pairs(a), nk, vecs, top);
    for (int v = 0; v < vecs; v++) {
        const vf was = vload(w->m + q0 + v * VW), most = vmax(was, top[v] * by);

        top[v] = vpick_lt(vset(-INFINITY), most, most, vset(0));
        shrink[v] = lane_exp2(was - top[v]);
        vstore(w->m + q0 + v * VW, top[v]);
    }
    lane_soften(w->s, keys, vecs, by, top, sum);
    for (int v = 0; v < vecs; v++)
        vstore(w->l + q0 + v * VW, vload(w->l + q0 + v * VW) * shrink[v] + sum[v]);
    lane_multiply(&p, a->d, vecs);
}

/* Vectors of the group from q0 on: a lonely query does not pay for 32. */
INLINE int lane_vecs(const struct attn_block *a, int q0)
{
    return a->nq - q0 > LANE_COLS / 2 ? LANE_VECS : LANE_VECS / 2;
}

/* The queries of every group, pairs along the head in rows; lanes without a query hold zeros. */
static void lane_queries(const struct room *w, const struct attn_block *a)
{
    for (int q0 = 0; q0 < a->nq; q0 += VW)
        for (int i = 0; i < lane_pairs(a); i += VW) {
            const int n = lanes(i, a->d / 2);
            float *to = w->q + q0 / LANE_COLS * LANE_COLS * w->ld + q0 % LANE_COLS;
            vf t[VW];

            for (int r = 0; r < VW; r++) {
                t[r] = vset(0);
                if (q0 + r < a->nq)
                    t[r] = get(row(a->q, (q0 + r) * a->ldq, 1), i, n < 0 ? 0 : n, 0);
            }
            vtranspose(t);
            for (int r = 0; r < VW; r++)
                vstore(to + (i + r) * LANE_COLS, t[r]);
        }
}

#if HAS_TILES
/* v[c][j/2] = value c of keys j and j + 1, zeros past the ends of both. */
static void lane_values(const struct room *w, const struct attn_block *a, int64_t j0, int nk)
{
    for (int j = 0; j < up(nk, TILE_SIDE); j += 2 * VW)
        for (int c = 0; c < up(a->d, TILE_SIDE); c += VW) {
            const int n = lanes(c, a->d) < 0 ? 0 : lanes(c, a->d);
            vf t[VW];

            for (int r = 0; r < VW; r++) {
                vf even = vset(0), odd = vset(0);

                if (j + 2 * r < nk) even = get(row(a->v, (j0 + j + 2 * r) * a->ldv, 1), c, n, 1);
                if (j + 2 * r + 1 < nk)
                    odd = get(row(a->v, (j0 + j + 2 * r + 1) * a->ldv, 1), c, n, 1);
                t[r] = vpair(even, odd);
            }
            vtranspose(t);
            for (int r = 0; r < VW; r++)
                vstore(w->v + (c + r) * LANE_KEYS + j / 2, t[r]);
        }
}
#else
/* v[j/2][c], a row of zeros past the end of an odd number of them. */
static void lane_values(const struct room *w, const struct attn_block *a, int64_t j0, int nk)
{
    const int pairs = (nk + 1) / 2;

    load_pairs(w, a, j0, nk);
    zeros(w->v + pairs * w->ld, w->ld, up(nk, LANE_ROWS) / 2 - pairs, w->ld);
}
#endif

static void lane_results(const struct room *w, const struct attn_block *a)
{
    for (int q0 = 0; q0 < a->nq; q0 += VW)
        for (int c = 0; c < a->d; c += VW) {
            const float *from = w->o + q0 / LANE_COLS * LANE_COLS * w->ld + q0 % LANE_COLS;
            const vf one = vset(1) / vload(w->l + q0);
            vf t[VW];

            for (int r = 0; r < VW; r++)
                t[r] = vload(from + (c + r) * LANE_COLS) * one;
            vtranspose(t);
            for (int r = 0; r < VW && q0 + r < a->nq; r++)
                set((char *)a->o + (q0 + r) * a->ldo * 2, c, t[r], lanes(c, a->d), 1);
        }
}

/* Rows j0 .. of keys or values lie far from each other, where no processor fetches ahead. */
INLINE void lane_fetch(const void *x, int64_t ldx, int64_t from, int64_t to, int d)
{
    for (int64_t j = from; j < to; j++)
        for (int c = 0; c < d; c += 32)
            __builtin_prefetch(row(x, j * ldx + c, 1), 0, 3);
}

/* One block of keys for all queries. */
static void lane_keys(const struct room *w, const struct attn_block *a, int64_t j0, int nk)
{
    const int from = up(a->d / 2, VW);

    lane_fetch(a->k, a->ldk, j0, j0 + nk, a->d);
    load_rows(w->kt, w->ld, row(a->k, j0 * a->ldk, 1), a->ldk, nk, a->d, 1, 1);
    lane_fetch(a->v, a->ldv, j0, j0 + nk, a->d);
    zeros(w->kt + from, w->ld, nk, lane_pairs(a) - from);
    zeros(w->kt + nk * w->ld, w->ld, up(nk, LANE_STEP) - nk, w->ld);
    lane_values(w, a, j0, nk);
    for (int q0 = 0; q0 < a->nq; q0 += LANE_COLS)
        if (lane_vecs(a, q0) == LANE_VECS)
            lane_group(w, a, q0, nk, LANE_VECS);
        else
            lane_group(w, a, q0, nk, LANE_VECS / 2);
}

static void attend_lanes(const struct attn_block *a)
{
    struct room w;

    split(&w, a->work, a->d);
    for (int i = 0; i < up(a->nq, LANE_COLS); i++)
        w.m[i] = -INFINITY, w.l[i] = 0;
    memset(w.o, 0, sizeof(float) * (size_t)(up(a->nq, LANE_COLS) * w.ld));
    lane_queries(&w, a);
    if (HAS_TILES) tile_start();
    for (int64_t j0 = 0; j0 < a->nk; j0 += ATTN_K)
        lane_keys(&w, a, j0, a->nk - j0 < ATTN_K ? (int)(a->nk - j0) : ATTN_K);
    if (HAS_TILES) tile_end();
    lane_results(&w, a);
}

#endif
