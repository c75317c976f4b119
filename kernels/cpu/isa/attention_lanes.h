/* attention_lanes - attention by pairs of bfloat16 with the queries in the lanes of the vectors: a
 * part of attention.c, for processors with the dot product and without the matrix unit.
 *
 * Scores stand one row a key, 32 queries a row, so maxima, sums and e^x need nothing across lanes,
 * and both products read one operand as pairs that are broadcast: keys along the head, values
 * along the keys. A block of scores stays near the first-level cache. A lane knows nothing of the
 * others. */
#ifndef KERNELS_CPU_ISA_ATTENTION_LANES_H
#define KERNELS_CPU_ISA_ATTENTION_LANES_H

enum {
    LANE_COLS = 2 * VW, /* queries of a group */
    LANE_ROWS = 8       /* of a register tile: keys, or values of a head */
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

INLINE void lane_tile(const struct lane_product *p, int i, int vecs)
{
    const int64_t da = p->da, dk = p->dk;
    const float *a = p->a + i * da, *b = p->b;
    float *c = p->c + i * LANE_COLS;
    vf sum[LANE_ROWS][2];

#pragma GCC unroll 8
    for (int r = 0; r < LANE_ROWS; r++)
#pragma GCC unroll 2
        for (int v = 0; v < vecs; v++) {
            sum[r][v] = vset(0);
            if (p->shrink) sum[r][v] = vload(c + r * LANE_COLS + v * VW) * p->shrink[v];
        }
    for (int k = 0; k < p->k; k++) {
        vf w[2];

#pragma GCC unroll 2
        for (int v = 0; v < vecs; v++)
            w[v] = vload(b + k * LANE_COLS + v * VW);
#pragma GCC unroll 8
        for (int r = 0; r < LANE_ROWS; r++)
#pragma GCC unroll 2
            for (int v = 0; v < vecs; v++)
                sum[r][v] = vdot2(vset(a[r * da + k * dk]), w[v], sum[r][v]);
    }
#pragma GCC unroll 8
    for (int r = 0; r < LANE_ROWS; r++)
#pragma GCC unroll 2
        for (int v = 0; v < vecs; v++)
            vstore(c + r * LANE_COLS + v * VW, sum[r][v]);
}

/* 2^x to 3e-6, less than a thousandth of what rounding it to bfloat16 costs; 0 below -126. */
INLINE vf lane_exp2(vf x)
{
    const vf c = vmax(vset(-150), x), n = vround(c), r = c - n;
    vf p = vfma(vset(0x1.3a02ccp-7f), r, vset(0x1.c9fc46p-5f));

    p = vfma(p, r, vset(0x1.ec0378p-3f));
    p = vfma(p, r, vset(0x1.62e12cp-1f));
    return vscale2(vfma(p, r, vset(1)), n);
}

/* Scores of nk keys; the keys that are missing in the last tile weigh nothing. top: of these and
 * what it was. */
INLINE void lane_scores(const struct room *w, const float *qt, int pairs, int nk, int vecs,
                        vf top[2])
{
    const struct lane_product p = {
        .c = w->s, .a = w->kt, .b = qt, .da = w->ld, .dk = 1, .k = pairs};

    for (int j = 0; j < nk; j += LANE_ROWS) {
        float *s = w->s + j * LANE_COLS;

        lane_tile(&p, j, vecs);
        for (int r = nk - j; r < LANE_ROWS; r++)
            for (int v = 0; v < vecs; v++)
                vstore(s + r * LANE_COLS + v * VW, vset(-INFINITY));
        for (int r = 0; r < LANE_ROWS; r++)
            for (int v = 0; v < vecs; v++)
                top[v] = vmax(top[v], vload(s + r * LANE_COLS + v * VW));
    }
}

/* Scores to weights 2^(s by - top), in place, as pairs of bfloat16 along the keys; their sums. */
INLINE void lane_soften(float *s, int nk, int vecs, vf by, const vf top[2], vf sum[2])
{
    for (int j = 0; j < nk; j += 2)
#pragma GCC unroll 2
        for (int v = 0; v < vecs; v++) {
            const float *at = s + j * LANE_COLS + v * VW;
            const vf even = lane_exp2(vfma(vload(at), by, -top[v]));
            const vf odd = lane_exp2(vfma(vload(at + LANE_COLS), by, -top[v]));

            sum[v] = sum[v] + (even + odd);
            vstore(s + j / 2 * LANE_COLS + v * VW, vround_pair(even, odd));
        }
}

/* nk keys, which are copied, for the group of queries from q0 on. */
INLINE void lane_group(const struct room *w, const struct attn_block *a, int q0, int nk, int vecs)
{
    const vf by = vset(a->scale * 0x1.715476p+0f);
    const int keys = up(nk, LANE_ROWS);
    vf top[2], shrink[2], sum[2] = {vset(0), vset(0)};
    struct lane_product p = {.c = w->o + q0 * w->ld,
                             .a = w->v,
                             .b = w->s,
                             .da = 1,
                             .dk = w->ld,
                             .k = keys / 2,
                             .shrink = shrink};

    for (int v = 0; v < vecs; v++)
        top[v] = vset(-INFINITY);
    lane_scores(w, w->q + q0 * w->ld, a->d / 2, nk, vecs, top);
    for (int v = 0; v < vecs; v++) {
        const vf was = vload(w->m + q0 + v * VW), most = vmax(was, top[v] * by);

        top[v] = vpick_lt(vset(-INFINITY), most, most, vset(0));
        shrink[v] = lane_exp2(was - top[v]);
        vstore(w->m + q0 + v * VW, top[v]);
    }
    lane_soften(w->s, keys, vecs, by, top, sum);
    for (int v = 0; v < vecs; v++)
        vstore(w->l + q0 + v * VW, vload(w->l + q0 + v * VW) * shrink[v] + sum[v]);
    for (int c = 0; c < a->d; c += LANE_ROWS)
        lane_tile(&p, c, vecs);
}

/* Vectors of the group from q0 on: a lonely query does not pay for 32. */
INLINE int lane_vecs(const struct attn_block *a, int q0)
{
    return a->nq - q0 > VW ? 2 : 1;
}

/* The queries of every group, pairs along the head in rows; lanes without a query hold zeros. */
static void lane_queries(const struct room *w, const struct attn_block *a)
{
    for (int q0 = 0; q0 < a->nq; q0 += VW)
        for (int i = 0; i < a->d / 2; i += VW) {
            float *to = w->q + q0 / LANE_COLS * LANE_COLS * w->ld + q0 % LANE_COLS;
            vf t[VW];

            for (int r = 0; r < VW; r++) {
                t[r] = vset(0);
                if (q0 + r < a->nq)
                    t[r] = get(row(a->q, (q0 + r) * a->ldq, 1), i, lanes(i, a->d / 2), 0);
            }
            vtranspose(t);
            for (int r = 0; r < VW; r++)
                vstore(to + (i + r) * LANE_COLS, t[r]);
        }
}

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

/* One block of keys for all queries. */
static void lane_keys(const struct room *w, const struct attn_block *a, int64_t j0, int nk)
{
    const int end = up(nk, LANE_ROWS);

    load_rows(w->kt, w->ld, row(a->k, j0 * a->ldk, 1), a->ldk, nk, a->d, 1, 1);
    zeros(w->kt + nk * w->ld, w->ld, end - nk, a->d / 2);
    load_pairs(w, a, j0, nk);
    zeros(w->v + (nk + 1) / 2 * w->ld, w->ld, end / 2 - (nk + 1) / 2, w->ld);
    for (int q0 = 0; q0 < a->nq; q0 += LANE_COLS)
        if (lane_vecs(a, q0) == 2)
            lane_group(w, a, q0, nk, 2);
        else
            lane_group(w, a, q0, nk, 1);
}

static void attend_lanes(const struct attn_block *a)
{
    struct room w;

    split(&w, a->work, a->d);
    for (int i = 0; i < up(a->nq, LANE_COLS); i++)
        w.m[i] = -INFINITY, w.l[i] = 0;
    memset(w.o, 0, sizeof(float) * (size_t)(up(a->nq, LANE_COLS) * w.ld));
    lane_queries(&w, a);
    for (int64_t j0 = 0; j0 < a->nk; j0 += ATTN_K)
        lane_keys(&w, a, j0, a->nk - j0 < ATTN_K ? (int)(a->nk - j0) : ATTN_K);
    lane_results(&w, a);
}

#endif
