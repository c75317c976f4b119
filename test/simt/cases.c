/* cases - every operation of ops.h on both devices of a pair, at shapes that cross all tiles. */
#include "test/simt/pair.h"

#include "proto/limits.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static enum dtype T(const struct pair *p)
{
    return p->ref->type;
}

/* -- matrices ---------------------------------------------------------------------------------- */

static void linear_case(struct pair *p, int64_t m, int64_t k, int64_t n, int gap,
                        enum activation act, int add, int bias, int f32)
{
    both x, y;
    int w;

    pair_case(p, "linear %lld x %lld x %lld gap %d act %d add %d bias %d%s", (long long)m,
              (long long)k, (long long)n, gap, act, add, bias, f32 ? " to f32" : "");
    x = pair_tensor(p, T(p), m, k, gap, 1);
    y = pair_tensor(p, f32 ? DT_F32 : T(p), m, n, gap, 1);
    w = pair_weight(p, USE_LINEAR, n, k, 0, bias, 1 / sqrt((double)k));
    PAIR_EACH(p, i, d)
    d->ops->linear(d, y.t[i], x.t[i], p->weight[i][w], act, add);
    pair_near(p, y, pair_tol(p));
}

static void linear_odd(struct pair *p)
{
    static const struct {
        int m, k, n, gap, act, add, bias, f32;
    } t[] = {
        {1, 8, 1, 0, 0, 0, 0, 0},     {1, 192, 70, 8, 0, 0, 1, 0},   {2, 1032, 33, 8, 1, 1, 1, 0},
        {7, 520, 16, 0, 2, 0, 1, 0},  {8, 96, 17, 8, 3, 1, 0, 0},    {9, 200, 40, 0, 0, 1, 1, 0},
        {16, 64, 129, 8, 0, 0, 1, 1}, {16, 2056, 31, 0, 2, 0, 1, 0}, {5, 37, 19, 3, 1, 0, 1, 0},
        {17, 33, 65, 1, 0, 1, 1, 0},  {70, 96, 5, 0, 2, 0, 1, 0},    {33, 16, 130, 0, 1, 0, 0, 1}};

    for (size_t i = 0; i < sizeof t / sizeof *t; i++)
        linear_case(p, t[i].m, t[i].k, t[i].n, t[i].gap, (enum activation)t[i].act, t[i].add,
                    t[i].bias, t[i].f32);
}

/* One pass or two: the same bits on the device on trial. */
static void gated(struct pair *p, int m, int k, int ffn, enum activation act, int bias)
{
    both x, gu, y, z;
    int w;

    pair_case(p, "linear_glu %d x %d x %d, act %d, bias %d", m, k, ffn, act, bias);
    x = pair_tensor(p, T(p), m, k, 8, 1);
    gu = pair_tensor(p, T(p), m, 2 * (int64_t)ffn, 0, 1);
    y = pair_tensor(p, T(p), m, ffn, 8, 1);
    z = pair_tensor(p, T(p), m, ffn, 0, 1);
    w = pair_weight(p, USE_LINEAR, 2 * (int64_t)ffn, k, 0, bias, 3 / sqrt((double)k));
    PAIR_EACH(p, i, d)
    {
        d->ops->linear(d, gu.t[i], x.t[i], p->weight[i][w], ACT_NONE, 0);
        d->ops->glu(d, z.t[i], gu.t[i], act);
        d->ops->linear_glu(d, y.t[i], gu.t[i], x.t[i], p->weight[i][w], act);
    }
    pair_near(p, y, pair_tol(p));
    pair_same(p, y.t[1], z.t[1]);
}

static void norms(struct pair *p, int rows, int cols, int gap)
{
    both x, a, y;
    int w, v;

    pair_case(p, "rms_add_rms, %d of %d", rows, cols);
    x = pair_tensor(p, T(p), rows, cols, gap, 2);
    a = pair_tensor(p, T(p), rows, cols, gap, 1);
    y = pair_tensor(p, T(p), rows, cols, gap, 1);
    w = pair_weight(p, USE_VECTOR, cols, 1, 0, 0, 1);
    v = pair_weight(p, USE_VECTOR, cols, 1, 0, 0, 1);
    PAIR_EACH(p, i, d)
    {
        d->ops->rms_add_rms(d, x.t[i], a.t[i], p->weight[i][w], a.t[i], p->weight[i][v], 1e-5f);
        d->ops->rms(d, y.t[i], x.t[i], p->weight[i][v], 1e-5f);
    }
    pair_near(p, x, pair_tol(p));
    pair_near(p, a, pair_tol(p));
    pair_same(p, a.t[1], y.t[1]);
}

/* A row's bits are the same alone and among others: 1, 8 and 16 rows, then 17 and `many`. */
static void linear_alone(struct pair *p, int64_t k, int64_t n, int64_t many)
{
    const struct ops *op = p->dev->ops;
    const int64_t m[] = {16, 8, 1, many, 17};
    both x;
    tensor y[5];
    int w;

    pair_case(p, "a row alone and among others, %lld x %lld", (long long)k, (long long)n);
    x = pair_tensor(p, T(p), many, k, 0, 1);
    w = pair_weight(p, USE_LINEAR, n, k, 0, 1, 1 / sqrt((double)k));
    for (int i = 0; i < 5; i++) {
        y[i] = pair_tensor(p, T(p), m[i], n, 0, 1).t[1];
        op->linear(p->dev, y[i], tensor_rows(x.t[1], 0, m[i]), p->weight[1][w], ACT_NONE, 0);
    }
    pair_same(p, tensor_rows(y[0], 0, 8), y[1]);
    pair_same(p, tensor_rows(y[0], 0, 1), y[2]);
    pair_same(p, tensor_rows(y[3], 0, 17), y[4]);
}

static void embed(struct pair *p, int rows, int cols)
{
    static const int32_t id[] = {0, 5, -1, 2, 6, 6};
    both ids, y;
    int w;

    pair_case(p, "embed %d", cols);
    ids = pair_ints(p, 6, 1, id);
    y = pair_tensor(p, T(p), 6, cols, 8, 1);
    w = pair_weight(p, USE_TABLE, rows, cols, 0, 0, 1);
    PAIR_EACH(p, i, d)
    d->ops->embed(d, y.t[i], p->weight[i][w], ids.t[i]);
    pair_near(p, y, 0);
}

/* -- rows -------------------------------------------------------------------------------------- */

static void rms(struct pair *p, int rows, int cols, int gap)
{
    both x, y;
    int w;

    pair_case(p, "rms, %d of %d", rows, cols);
    x = pair_tensor(p, T(p), rows, cols, gap, 3);
    y = pair_tensor(p, T(p), rows, cols, 0, 1);
    w = pair_weight(p, USE_VECTOR, cols, 1, 0, 0, 2);
    PAIR_EACH(p, i, d)
    {
        d->ops->rms(d, y.t[i], x.t[i], p->weight[i][w], 1e-5f);
        d->ops->rms(d, x.t[i], x.t[i], p->weight[i][w], 1e-5f);
    }
    pair_near(p, y, pair_tol(p));
    pair_near(p, x, pair_tol(p));
}

/* Segments of two vectors with a row between them that belongs to none. */
static int two_segs(struct seg *s, int rows, int cols, int rope)
{
    const int half = rows / 2;

    s[0] = (struct seg){
        .row = 0, .n = half, .vec = 1, .shift = cols, .scale = 0, .gate = 2 * cols, .rope = -1};
    s[1] = (struct seg){.row = half + 1,
                        .n = rows - half - 1,
                        .vec = 0,
                        .shift = 0,
                        .scale = 2 * cols,
                        .gate = cols,
                        .rope = rope};
    return 2;
}

static void modulate(struct pair *p, int rows, int cols, int gap)
{
    struct seg s[2];
    int n;
    both x, y, mod;

    pair_case(p, "ln_mod and gate_add, %d of %d", rows, cols);
    n = two_segs(s, rows, cols, 0);
    x = pair_tensor(p, T(p), rows, cols, gap, 2);
    y = pair_tensor(p, T(p), rows, cols, gap, 1);
    mod = pair_tensor(p, T(p), 2, 3 * (int64_t)cols, gap, 1);
    PAIR_EACH(p, i, d)
    {
        d->ops->ln_mod(d, y.t[i], x.t[i], mod.t[i], s, n, 1e-5f);
        d->ops->gate_add(d, x.t[i], y.t[i], mod.t[i], s, n);
    }
    pair_near(p, y, pair_tol(p));
    pair_near(p, x, pair_tol(p));
}

static void qk(struct pair *p, int rows, int heads, int dim, int gap)
{
    struct seg s[2];
    int n;
    both all, table, x;

    pair_case(p, "qk_norm_rope, %d heads of %d, %d beside", heads, dim, gap);
    n = two_segs(s, rows, 0, 3);
    all = pair_tensor(p, T(p), rows, (int64_t)heads * dim + gap, 0, 2);
    table = pair_tensor(p, DT_F32, rows + 3, dim, 0, 1);
    x = both_cols(all, 8, (int64_t)heads * dim);
    PAIR_EACH(p, i, d)
    d->ops->qk_norm_rope(d, x.t[i], heads, table.t[i], s, n, 1e-5f);
    pair_near(p, all, pair_tol(p));
}

static void activations(struct pair *p, int rows, int cols, int gap)
{
    for (int act = ACT_NONE; act <= ACT_GELU_ERF; act++) {
        both gu, y, z, a, b;

        pair_case(p, "glu and add_act %d, %d of %d", act, rows, cols);
        gu = pair_tensor(p, T(p), rows, 2 * (int64_t)cols, gap, 4);
        y = pair_tensor(p, T(p), rows, cols, gap, 1);
        z = pair_tensor(p, T(p), rows, cols, 0, 1);
        a = pair_tensor(p, T(p), rows, cols, gap, 4);
        b = pair_tensor(p, T(p), rows, cols, 0, 4);
        PAIR_EACH(p, i, d)
        {
            d->ops->glu(d, y.t[i], gu.t[i], (enum activation)act);
            d->ops->add_act(d, z.t[i], a.t[i], tensor_none(), (enum activation)act);
            d->ops->add_act(d, a.t[i], a.t[i], b.t[i], (enum activation)act);
        }
        pair_near(p, y, pair_tol(p));
        pair_near(p, z, pair_tol(p));
        pair_near(p, a, pair_tol(p));
    }
}

/* -- attention --------------------------------------------------------------------------------- */

static void attention(struct pair *p, int heads, int kv, int dim, int nq, int nk, int bias)
{
    int span;
    both qkv, o, b;

    pair_case(p, "attention %d/%d of %d, %d x %d%s", heads, kv, dim, nq, nk, bias ? " biased" : "");
    span = (nq > nk ? nq : nk) + 1;
    qkv = pair_tensor(p, T(p), nq > nk ? nq : nk, (int64_t)(heads + 2 * kv) * dim, 0, 1);
    o = pair_tensor(p, T(p), nq, (int64_t)heads * dim, 0, 1);
    b = bias ? pair_tensor(p, DT_F32, heads, 2 * span - 1, 0, 2) : both_none();
    PAIR_EACH(p, i, d)
    {
        const struct attn a = {.heads = heads,
                               .kv_heads = kv,
                               .head_dim = dim,
                               .scale = 2 / sqrtf((float)dim),
                               .bias = b.t[i]};
        tensor all = qkv.t[i];
        const struct attn_seq s = {
            .q = tensor_rows(tensor_cols(all, 0, (int64_t)heads * dim), 0, nq),
            .k = tensor_rows(tensor_cols(all, (int64_t)heads * dim, (int64_t)kv * dim), 0, nk),
            .v = tensor_rows(tensor_cols(all, (int64_t)(heads + kv) * dim, (int64_t)kv * dim), 0,
                             nk),
            .o = o.t[i]};

        d->ops->attention(d, &a, &s, 1);
    }
    pair_near(p, o, 2 * pair_tol(p));
}

/* A prompt (none: the cache has `cached` rows) and then single rows of several sequences in one
 * call, as the prior does it. */
static void decode(struct pair *p, int heads, int kv, int dim, int rot, int cached, int prompt,
                   int steps)
{
    enum { SEQS = 3 };
    const int64_t inner = (int64_t)(heads + 2 * kv) * dim, cap = cached + prompt + steps + SEQS;
    both k[SEQS], v[SEQS], rope[SEQS], state[SEQS];
    int len[SEQS];

    pair_case(p, "%d rows, prompt of %d and %d tokens, heads %d/%d of %d, rotary %d", cached,
              prompt, steps, heads, kv, dim, rot);
    for (int s = 0; s < SEQS; s++) {
        const int32_t begin[AR_STATE] = {cached ? cached + s : 0};

        k[s] = pair_tensor(p, T(p), cap, (int64_t)kv * dim, 0, 1);
        v[s] = pair_tensor(p, T(p), cap, (int64_t)kv * dim, 0, 1);
        rope[s] = pair_tensor(p, DT_F32, cap, rot, 0, 1);
        state[s] = pair_ints(p, 1, AR_STATE, begin);
        len[s] = begin[AR_LEN];
    }
    for (int t = prompt ? 0 : 1; t <= steps; t++) {
        int rows = 0, n[SEQS];
        both qkv, o;

        for (int s = 0; s < SEQS; s++)
            rows += n[s] = t ? 1 : prompt + s;
        qkv = pair_tensor(p, T(p), rows, inner, 0, 1);
        o = pair_tensor(p, T(p), rows, (int64_t)heads * dim, 0, 1);
        PAIR_EACH(p, i, d)
        {
            const struct attn a = {
                .heads = heads, .kv_heads = kv, .head_dim = dim, .scale = 2 / sqrtf((float)dim)};
            struct ar_seq seq[SEQS];

            for (int s = 0, row = 0; s < SEQS; row += n[s++])
                seq[s] = (struct ar_seq){.row = row,
                                         .n = n[s],
                                         .k = tensor_rows(k[s].t[i], 0, len[s] + n[s]),
                                         .v = tensor_rows(v[s].t[i], 0, len[s] + n[s]),
                                         .rope = tensor_rows(rope[s].t[i], 0, len[s] + n[s]),
                                         .state = state[s].t[i]};
            d->ops->ar_attention(d, o.t[i], qkv.t[i], &a, rot, seq, SEQS);
        }
        pair_near(p, o, 2 * pair_tol(p));
        for (int s = 0; s < SEQS; s++) {
            const int32_t now[AR_STATE] = {len[s] += n[s]};

            PAIR_EACH(p, i, d)
            d->ops->put(d, state[s].t[i], now);
        }
    }
    for (int s = 0; s < SEQS; s++) {
        pair_near(p, both_rows(k[s], 0, len[s]), pair_tol(p));
        pair_near(p, both_rows(v[s], 0, len[s]), 0);
    }
}

/* -- sampling ---------------------------------------------------------------------------------- */

/* Logits of the reference's kind: few values, so that many are equal; then some rows with holes. */
static void fill_logits(struct pair *p, both logits, int rows, int vocab, int levels)
{
    float *v = malloc(sizeof *v * (size_t)(rows * vocab));
    uint32_t r = 12345;

    if (!v) abort();
    for (int i = 0; i < rows * vocab; i++) {
        r = r * 1664525u + 1013904223u;
        v[i] = (float)((int)(r >> 9) % levels) * 8.0f / (float)levels - 2.0f;
        if (i % 7 == 3 && i / vocab == 1) v[i] = -INFINITY;
    }
    PAIR_EACH(p, i, d)
    d->ops->put(d, logits.t[i], v);
    free(v);
}

static void sample(struct pair *p, int rows, int vocab, int codes, int levels, double top_p,
                   int top_k, int strict)
{
    enum { DRAWS = 6 };
    both logits, state[16], tokens[16];

    pair_case(p, "sample %d of %d codes of %d, %d levels, top p %g, top k %d%s", rows, codes, vocab,
              levels, top_p, top_k, strict ? ", strict" : "");
    logits = pair_tensor(p, DT_F32, rows, vocab, 0, 1);
    fill_logits(p, logits, rows, vocab, levels);
    for (int s = 0; s < rows; s++) {
        const int32_t zero[AR_STATE] = {7}, none[DRAWS] = {0};

        state[s] = pair_ints(p, 1, AR_STATE, zero);
        tokens[s] = pair_ints(p, 1, DRAWS, none);
    }
    PAIR_EACH(p, i, d)
    {
        struct sample w[16];

        for (int s = 0; s < rows; s++)
            w[s] = (struct sample){.state = state[s].t[i],
                                   .tokens = tokens[s].t[i],
                                   .advance = 1 + s,
                                   .seed = 0x123456789abcdefu + (uint64_t)s,
                                   .picture = (uint32_t)s,
                                   .temperature = 0.9f,
                                   .top_p = top_p,
                                   .top_k = top_k,
                                   .codes = codes,
                                   .strict = strict};
        for (int k = 0; k < DRAWS; k++)
            d->ops->sample(d, logits.t[i], w, rows);
    }
    for (int s = 0; s < rows; s++) {
        pair_near(p, tokens[s], 0);
        pair_near(p, state[s], 0);
    }
}

static void sample_forced(struct pair *p)
{
    static const int32_t zero[AR_STATE] = {3}, none[4] = {0}, given[4] = {5, -1, 900, 2};
    both logits, state, tokens, forced;

    pair_case(p, "sample of given tokens");
    logits = pair_tensor(p, DT_F32, 1, 70, 0, 1);
    state = pair_ints(p, 1, AR_STATE, zero);
    tokens = pair_ints(p, 1, 4, none);
    forced = pair_ints(p, 1, 4, given);
    PAIR_EACH(p, i, d)
    for (int k = 0; k < 4; k++) {
        const struct sample w = {.state = state.t[i],
                                 .tokens = tokens.t[i],
                                 .teacher_forced = forced.t[i],
                                 .advance = 1,
                                 .temperature = 1,
                                 .top_p = 1,
                                 .codes = 64};

        d->ops->sample(d, logits.t[i], &w, 1);
    }
    pair_near(p, tokens, 0);
    pair_near(p, state, 0);
}

/* -- flow and pictures ------------------------------------------------------------------------- */

static void flow(struct pair *p, int channels, int h, int w)
{
    const int64_t cells = (int64_t)h * w;
    both x, v, u, c, tokens, back;

    pair_case(p, "patches and Euler, %d channels, %d x %d", channels, h, w);
    x = pair_tensor(p, DT_F32, channels, cells, 0, 2);
    v = pair_tensor(p, DT_F32, channels, cells, 5, 2);
    u = pair_tensor(p, DT_F32, channels, cells, 0, 2);
    c = pair_tensor(p, DT_F32, channels, cells, 0, 1);
    tokens = pair_tensor(p, T(p), cells / 4, 4 * (int64_t)channels, 2, 1);
    back = pair_tensor(p, DT_F32, channels, cells, 0, 1);
    PAIR_EACH(p, i, d)
    {
        d->ops->patchify(d, tokens.t[i], x.t[i], h, w);
        d->ops->unpatchify(d, back.t[i], tokens.t[i], h, w);
        d->ops->euler(d, x.t[i], v.t[i], u.t[i], 1.5f, 0.7f, -0.02f, c.t[i]);
        d->ops->euler(d, back.t[i], v.t[i], tensor_none(), 1.5f, 0.7f, -0.02f, tensor_none());
    }
    pair_near(p, tokens, 0);
    pair_near(p, x, 1e-6);
    pair_near(p, c, 1e-6);
    pair_near(p, back, 1e-6);
}

static void conv(struct pair *p, int h, int w, int ci, int co, int side, int up, int add)
{
    const int oh = up ? 2 * h : h, ow = up ? 2 * w : w, from = oh / 3, rows = (oh + 2) / 3;
    both x, y, band;
    int f;

    pair_case(p, "conv %d x %d, %d to %d, side %d%s%s", h, w, ci, co, side, up ? ", enlarged" : "",
              add ? ", added" : "");
    x = pair_tensor(p, T(p), (int64_t)h * w, ci, 0, 1);
    y = pair_tensor(p, T(p), (int64_t)oh * ow, co, 0, 1);
    band = pair_tensor(p, T(p), (int64_t)rows * ow, co, 0, 1);
    f = up ? pair_weight_up(p, co, ci, 1 / sqrt(ci * 9))
           : pair_weight(p, USE_CONV, co, (int64_t)ci * side * side, side, 1,
                         1 / sqrt(ci * side * side));
    PAIR_EACH(p, i, d)
    {
        const tensor part = tensor_rows(y.t[i], (int64_t)from * ow, (int64_t)rows * ow);

        d->ops->conv(d, band.t[i], x.t[i], p->weight[i][f], h, w, up, from,
                     add ? part : tensor_none());
        d->ops->conv(d, y.t[i], x.t[i], p->weight[i][f], h, w, up, 0, add ? y.t[i] : tensor_none());
    }
    pair_near(p, y, pair_tol(p));
    pair_near(p, band, pair_tol(p));
    if (p->exact)
        pair_same(p, band.t[1], tensor_rows(y.t[1], (int64_t)from * ow, (int64_t)rows * ow));
}

static void group_norm(struct pair *p, int h, int w, int channels, int groups, enum activation act,
                       double shift)
{
    const int pixels = h * w;
    both x, y, far, norm, same;
    int a, b;

    pair_case(p, "group norm %d x %d, %d channels in %d, act %d, around %g", h, w, channels, groups,
              act, shift);
    x = pair_tensor(p, T(p), pixels, channels, 0, 1);
    y = pair_tensor(p, T(p), pixels, channels, 0, 1);
    far = pair_same_value(p, T(p), pixels, channels, shift);
    norm = pair_tensor(p, DT_F32, 2, channels, 0, 1);
    same = pair_tensor(p, DT_F32, 2, channels, 0, 1);
    a = pair_weight(p, USE_VECTOR, channels, 1, 0, 0, 2);
    b = pair_weight(p, USE_VECTOR, channels, 1, 0, 0, 1);
    PAIR_EACH(p, i, d)
    {
        const size_t n = d->ops->work_size(d, WORK_NORM, h, channels, groups);
        tensor sums = arena_tensor(&p->mem[i], DT_U8, 1, (int64_t)n);

        d->ops->add_act(d, x.t[i], x.t[i], far.t[i], ACT_NONE);
        for (int r = 0; r < h; r++)
            d->ops->norm_sums(d, sums, tensor_rows(x.t[i], (int64_t)r * w, w), w, r, groups);
        d->ops->norm_fold(d, same.t[i], sums, h, w, groups, p->weight[i][a], p->weight[i][b],
                          1e-6f);
        d->ops->zero(d, sums);
        d->ops->norm_sums(d, sums, x.t[i], w, 0, groups);
        d->ops->norm_fold(d, norm.t[i], sums, h, w, groups, p->weight[i][a], p->weight[i][b],
                          1e-6f);
        d->ops->norm_act(d, y.t[i], x.t[i], norm.t[i], act);
        d->ops->norm_act(d, x.t[i], x.t[i], norm.t[i], act);
    }
    pair_same(p, norm.t[1], same.t[1]); /* row by row or all at once: the same bits */
    pair_near(p, y, pair_tol(p));
    pair_near(p, x, pair_tol(p));
}

static void pixels(struct pair *p, int n, int channels)
{
    both x, z, y, map, rgb, small;
    int m, s;

    pair_case(p, "denorm, to_rgb8, latent_rgb: %d pixels, %d channels", n, channels);
    x = pair_tensor(p, DT_F32, channels, n, 0, 2);
    z = pair_tensor(p, T(p), n, channels, 0, 1);
    y = pair_tensor(p, T(p), n, 3, 2, 1.5);
    map = pair_tensor(p, DT_F32, 3, channels + 1, 0, 60);
    rgb = pair_tensor(p, DT_U8, n, 3, 0, 200);
    small = pair_tensor(p, DT_U8, n, 3, 0, 200);
    m = pair_weight(p, USE_VECTOR, channels, 1, 0, 0, 1);
    s = pair_weight(p, USE_VECTOR, channels, 1, 0, 0, 2);
    PAIR_EACH(p, i, d)
    {
        d->ops->denorm(d, z.t[i], x.t[i], p->weight[i][m], p->weight[i][s]);
        d->ops->to_rgb8(d, rgb.t[i], y.t[i]);
        d->ops->latent_rgb(d, small.t[i], x.t[i], map.t[i]);
    }
    pair_near(p, z, T(p) == DT_BF16 ? 0 : 1e-6);
    pair_near(p, rgb, 0);
    pair_near(p, small, 1.01 / 255); /* sums in another order may round to the neighbour */
}

/* -- all --------------------------------------------------------------------------------------- */

static void odd(struct pair *p)
{
    linear_odd(p);
    linear_alone(p, 520, 40, 33);
    gated(p, 1, 72, 24, ACT_SILU, 0);
    gated(p, 3, 1032, 13, ACT_SILU, 1);
    gated(p, 16, 64, 40, ACT_GELU_TANH, 1);
    gated(p, 19, 40, 9, ACT_SILU, 0);
    norms(p, 5, 192, 0);
    norms(p, 3, 97, 3);
    norms(p, 2, 4104, 8);
    embed(p, 7, 40);
    embed(p, 7, 13);
    rms(p, 5, 192, 0);
    rms(p, 3, 97, 3);
    rms(p, 2, 4100, 4);
    modulate(p, 9, 96, 8);
    modulate(p, 6, 37, 1);
    qk(p, 7, 6, 32, 12);
    qk(p, 7, 6, 32, 16);
    qk(p, 5, 3, 128, 12);
    qk(p, 5, 37, 128, 24);
    qk(p, 5, 9, 24, 16);
    activations(p, 5, 48, 8);
    activations(p, 3, 301, 1);
    attention(p, 3, 3, 24, 11, 7, 1);
    attention(p, 6, 2, 32, 9, 70, 0);
    attention(p, 2, 1, 128, 5, 33, 0);
    attention(p, 2, 2, 6, 4, 40, 1);
    decode(p, 6, 2, 32, 16, 0, 13, 4);
    decode(p, 4, 2, 128, 64, 0, 150, 2);
    decode(p, 4, 1, 64, 32, 3200, 0, 2);
    decode(p, 3, 1, 12, 6, 0, 5, 3);
    decode(p, 3, 1, 12, 6, 3100, 0, 1);
    sample(p, 3, 2080, 2048, 40, 0.75, 2080, 0);
    sample(p, 2, 300, 256, 5, 0.75, 0, 0);
    sample(p, 2, 300, 256, 100000, 0.9, 20, 1);
    sample(p, 2, 513, 513, 3, 1, 0, 0);
    sample(p, 1, 70, 64, 1, 0.3, 0, 1);
    sample(p, 2, 2080, 2048, 100000, 0.97, 500, 0);
    sample(p, 2, 2080, 2048, 7, 0.5, 900, 0);
    sample(p, 1, 4100, 4096, 100000, 0.02, 0, 0);
    sample_forced(p);
    flow(p, 16, 6, 10);
    conv(p, 5, 7, 5, 3, 3, 0, 0);
    conv(p, 6, 3, 16, 24, 3, 1, 0);
    conv(p, 3, 5, 40, 16, 1, 0, 1);
    conv(p, 9, 8, 16, 70, 3, 0, 1);
    group_norm(p, 7, 11, 48, 1, ACT_SILU, 0);
    group_norm(p, 10, 103, 64, 32, ACT_NONE, 16);
    group_norm(p, 1, 130, 7, 7, ACT_SILU, 0);
    group_norm(p, 3, 2100, 8, 2, ACT_SILU, 0);
    pixels(p, 133, 16);
}

/* The released model's widths, few enough rows that a CPU follows. */
static void wide(struct pair *p)
{
    linear_case(p, 1, 4096, 4608, 0, ACT_NONE, 0, 1, 0);
    linear_case(p, 4, 4096, 27392, 0, ACT_NONE, 0, 0, 0);
    linear_case(p, 16, 13696, 4096, 0, ACT_NONE, 0, 0, 0);
    linear_case(p, 2, 4096, 16512, 0, ACT_NONE, 0, 0, 1);
    linear_case(p, 1, 512, 49152, 0, ACT_NONE, 0, 1, 0);
    linear_case(p, 131, 4096, 12288, 0, ACT_NONE, 0, 1, 0);
    linear_case(p, 131, 4096, 16384, 0, ACT_GELU_TANH, 0, 1, 0);
    linear_case(p, 131, 16384, 4096, 0, ACT_NONE, 1, 1, 0);
    linear_case(p, 40, 1472, 4096, 0, ACT_GELU_ERF, 0, 1, 0);
    linear_case(p, 64, 4096, 4096, 0, ACT_SILU, 0, 1, 0);
    linear_case(p, 256, 64, 4096, 0, ACT_NONE, 1, 1, 0);
    linear_case(p, 256, 4096, 64, 0, ACT_NONE, 0, 1, 0);
    linear_alone(p, 4096, 4096, 1000);
    linear_alone(p, 4096, 16384, 300);
    gated(p, 1, 4096, 13696, ACT_SILU, 0);
    gated(p, 16, 4096, 13696, ACT_SILU, 0);
    norms(p, 16, 4096, 0);
    embed(p, 1000, 4096);
    rms(p, 40, 4096, 0);
    modulate(p, 300, 4096, 0);
    qk(p, 300, 64, 128, 24);
    activations(p, 20, 13696, 0);
    attention(p, 32, 32, 128, 289, 289, 0);
    attention(p, 6, 6, 64, 46, 46, 1);
    attention(p, 32, 32, 128, 1057, 1057, 0);
    decode(p, 32, 2, 128, 64, 0, 300, 3);
    sample(p, 4, 16512, 16384, 4000, 0.75, 16512, 0);
    sample(p, 2, 16512, 16384, 60, 0.75, 16512, 1);
    flow(p, 16, 64, 64);
    conv(p, 16, 16, 16, 1024, 3, 0, 0);
    conv(p, 16, 16, 1024, 1024, 3, 0, 1);
    conv(p, 16, 16, 1024, 1024, 3, 1, 0);
    conv(p, 32, 32, 1024, 512, 1, 0, 0);
    conv(p, 64, 64, 128, 3, 3, 0, 0);
    group_norm(p, 64, 64, 1024, 32, ACT_SILU, 0);
    group_norm(p, 256, 256, 128, 32, ACT_SILU, 0);
    pixels(p, 65536, 16);
}

void pair_cases(struct pair *p, enum pair_size size)
{
    if (size == PAIR_ODD)
        odd(p);
    else
        wide(p);
    pair_condition_cases(p, size);
    pair_end(p);
}
