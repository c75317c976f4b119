/* test_attention - attention of the DiT, and of the prior with its cache, at odd shapes, on every
 * instruction set, type and thread count of this machine, against plain loops in double. Catches
 * wrong indices at vector and tile ends, a running maximum that overflows, a rotation, a cache row
 * or a mask that is off by one. */
#include "test/kernels/ops_harness.h"

struct attn_case {
    int heads, kv_heads, dim, nq, nk, bias;
};

/* One query's result in double; keys 0 .. seen-1. */
static void attend(double *o, tensor q, int64_t i, int64_t qc, tensor k, tensor v, int64_t kc,
                   int dim, int64_t seen, double scale, const float *bias)
{
    double *p = calloc((size_t)seen, sizeof *p), top = -1e300, sum = 0;

    assert_non_null(p);
    for (int64_t j = 0; j < seen; j++) {
        for (int c = 0; c < dim; c++)
            p[j] += harness_get(q, i, qc + c) * harness_get(k, j, kc + c) * scale;
        if (bias) p[j] += (double)bias[j];
        if (p[j] > top) top = p[j];
    }
    for (int64_t j = 0; j < seen; j++)
        sum += p[j] = exp(p[j] - top);
    for (int c = 0; c < dim; c++) {
        o[c] = 0;
        for (int64_t j = 0; j < seen; j++)
            o[c] += p[j] / sum * harness_get(v, j, kc + c);
    }
    free(p);
}

static void attention_case(struct harness *l, struct attn_case t)
{
    const int span = (t.nq > t.nk ? t.nq : t.nk) + 2, w = t.heads * t.dim;
    struct attn a = {.heads = t.heads, .kv_heads = t.kv_heads, .head_dim = t.dim, .scale = 1.7f};
    struct attn_seq s[2];
    double *want[2];

    harness_reset(l, "attention heads %d/%d dim %d, %d x %d, bias %d", t.heads, t.kv_heads, t.dim,
                  t.nq, t.nk, t.bias);
    if (t.bias) a.bias = harness_tensor(l, DT_F32, t.heads, 2 * span - 1);
    for (int n = 0; n < 2; n++) { /* the second sequence is the first one's size, less some keys */
        const int nq = t.nq - (n && t.nq > 2 ? 2 : 0), nk = t.nk - (n && t.nk > 3 ? 3 : 0);

        s[n] = (struct attn_seq){.q = harness_tensor(l, harness_type(l), nq, w),
                                 .o = harness_empty(l, harness_type(l), nq, w),
                                 .k = harness_tensor(l, harness_type(l), nk, t.kv_heads * t.dim),
                                 .v = harness_tensor(l, harness_type(l), nk, t.kv_heads * t.dim)};
        want[n] = harness_doubles(l, nq * w);
        for (int i = 0; i < nq; i++)
            for (int h = 0; h < t.heads; h++)
                attend(want[n] + i * w + h * t.dim, s[n].q, i, h * t.dim, s[n].k, s[n].v,
                       h / (t.heads / t.kv_heads) * t.dim, t.dim, nk, (double)a.scale,
                       t.bias ? (float *)a.bias.data + h * a.bias.ld + span - 1 - i : NULL);
    }
    l->op->attention(l->d, &a, s, 2);
    for (int n = 0; n < 2; n++)
        harness_near(l, s[n].o, want[n], 2 * harness_tol(l));
}

static void attention(struct harness *l)
{
    static const struct attn_case t[] = {
        {1, 1, 4, 1, 1, 0},    {3, 1, 12, 5, 7, 1},     {6, 2, 32, 70, 130, 0},
        {2, 2, 33, 64, 64, 1}, {4, 4, 24, 67, 3, 1},    {2, 1, 128, 9, 200, 0},
        {1, 1, 136, 3, 65, 0}, {5, 5, 17, 129, 129, 0}, {2, 1, 20, 650, 140, 1},
    };

    for (size_t i = 0; i < sizeof t / sizeof *t; i++)
        attention_case(l, t[i]);
}

/* Scores far apart and large: the running maximum must move, and nothing overflow. */
static void attention_extreme(struct harness *l)
{
    enum { NK = 150, DIM = 8 };
    struct attn a = {.heads = 1, .kv_heads = 1, .head_dim = DIM, .scale = 1};
    struct attn_seq s;
    double *want;

    harness_reset(l, "attention with extreme scores");
    s = (struct attn_seq){.q = harness_empty(l, harness_type(l), 2, DIM),
                          .o = harness_empty(l, harness_type(l), 2, DIM),
                          .k = harness_empty(l, harness_type(l), NK, DIM),
                          .v = harness_tensor(l, harness_type(l), NK, DIM)};
    for (int c = 0; c < DIM; c++) {
        harness_set(s.q, 0, c, 32), harness_set(s.q, 1, c, -32);
        for (int j = 0; j < NK; j++)
            harness_set(s.k, j, c, j - 70);
    }
    want = harness_doubles(l, 2 * DIM);
    for (int c = 0; c < DIM; c++) /* all weight on the last key, and on the first */
        want[c] = harness_get(s.v, NK - 1, c), want[DIM + c] = harness_get(s.v, 0, c);
    l->op->attention(l->d, &a, &s, 1);
    harness_near(l, s.o, want, harness_tol(l));
}

/* catches: a query whose result depends on the others that share its copies of keys and values, or
 * on being the only one there */
static void attention_in_parts(struct harness *l)
{
    enum { N = 650, DIM = 24, HEADS = 2 };
    static const int part[][2] = {{0, 1}, {1, 4}, {5, 129}, {134, 516}};
    const struct attn a = {.heads = HEADS, .kv_heads = 1, .head_dim = DIM, .scale = 0.3f};
    struct attn_seq s;
    tensor whole, parts;

    harness_reset(l, "attention in parts");
    s = (struct attn_seq){.q = harness_tensor(l, harness_type(l), N, HEADS * DIM),
                          .k = harness_tensor(l, harness_type(l), 200, DIM),
                          .v = harness_tensor(l, harness_type(l), 200, DIM)};
    s.o = whole = harness_empty(l, harness_type(l), N, HEADS * DIM);
    parts = harness_empty(l, harness_type(l), N, HEADS * DIM);
    l->op->attention(l->d, &a, &s, 1);
    for (size_t i = 0; i < sizeof part / sizeof *part; i++) {
        const struct attn_seq some = {.q = tensor_rows(s.q, part[i][0], part[i][1]),
                                      .o = tensor_rows(parts, part[i][0], part[i][1]),
                                      .k = s.k,
                                      .v = s.v};

        l->op->attention(l->d, &a, &some, 1);
    }
    harness_bytes_equal(l, whole, parts);
}

/* Two sequences with their caches, and the same caches as they should be. */
struct ar_pair {
    int heads, kv, dim, rot;
    struct ar_seq s[2];
    tensor k[2], v[2];
};

enum { CAP = 170, PROMPT = 151, STEPS = 4 }; /* more than one block of queries and of keys */

static int ar_len(const struct ar_seq *s)
{
    return ((int32_t *)s->state.data)[AR_LEN];
}

static void ar_start(struct harness *l, struct ar_pair *p)
{
    const int wide = p->kv * p->dim;

    for (int n = 0; n < 2; n++) {
        struct ar_seq *s = &p->s[n];

        *s = (struct ar_seq){.k = harness_empty(l, harness_type(l), CAP, wide),
                             .v = harness_empty(l, harness_type(l), CAP, wide),
                             .rope = harness_tensor(l, DT_F32, CAP, p->rot),
                             .state = harness_empty(l, DT_I32, 1, AR_STATE)};
        memset(s->state.data, 0, sizeof(int32_t) * AR_STATE);
        p->k[n] = harness_empty(l, DT_F32, CAP, wide);
        p->v[n] = harness_empty(l, DT_F32, CAP, wide);
        if (l->bf)
            for (int i = 0; i < CAP * p->rot; i++)
                harness_set(
                    s->rope, i / p->rot, i % p->rot,
                    (double)half_round((float)harness_get(s->rope, i / p->rot, i % p->rot)));
    }
}

/* Element c of head h (q, then k, then v) in row i of sequence b, rotated to its position. */
static double rotated(struct harness *l, const struct ar_pair *p, tensor qkv, int b, int i, int h,
                      int c)
{
    const struct ar_seq *s = &p->s[b];
    const int64_t row = s->row + i, at = ar_len(s) + i;
    const int half = p->rot / 2, col = h * p->dim + c;
    double x = harness_get(qkv, row, col), y = 0, cs = 1, sn = 0;

    if (h < p->heads + p->kv && c < p->rot) {
        y = c < half ? -harness_get(qkv, row, col + half) : harness_get(qkv, row, col - half);
        cs = harness_get(s->rope, at, c % half);
        sn = harness_get(s->rope, at, half + c % half);
    }
    x = x * cs + y * sn;
    return l->bf ? (double)half_round((float)x) : x;
}

/* What the rows of sequence b give: keys and values into the caches, the result into want. */
static void ar_expect(struct harness *l, struct ar_pair *p, tensor qkv, tensor q, int b,
                      double *want, double scale)
{
    const struct ar_seq *s = &p->s[b];
    const int heads = p->heads, kv = p->kv, dim = p->dim, len = ar_len(s);

    for (int i = 0; i < s->n; i++)
        for (int h = 0; h < heads + 2 * kv; h++)
            for (int c = 0; c < dim; c++) {
                const double x = rotated(l, p, qkv, b, i, h, c);

                if (h < heads)
                    harness_set(q, s->row + i, h * dim + c, x);
                else if (h < heads + kv)
                    harness_set(p->k[b], len + i, (h - heads) * dim + c, x);
                else
                    harness_set(p->v[b], len + i, (h - heads - kv) * dim + c, x);
            }
    for (int i = 0; i < s->n; i++)
        for (int h = 0; h < heads; h++)
            attend(want + (s->row + i) * heads * dim + h * dim, q, s->row + i, h * dim, p->k[b],
                   p->v[b], h / (heads / kv) * dim, dim, len + i + 1, scale, NULL);
}

/* A prompt of n rows, then single rows: rotation, cache and causal mask,
 * for two sequences at once. */
static void ar_case(struct harness *l, int heads, int kv, int dim, int rot)
{
    const struct attn a = {.heads = heads, .kv_heads = kv, .head_dim = dim, .scale = 0.6f};
    struct ar_pair p = {.heads = heads, .kv = kv, .dim = dim, .rot = rot};

    harness_reset(l, "ar_attention heads %d/%d dim %d rot %d", heads, kv, dim, rot);
    ar_start(l, &p);
    for (int step = 0; step <= STEPS; step++) {
        const int n0 = step ? 1 : PROMPT, n1 = step ? 1 : PROMPT - 30;
        tensor qkv, o, q;
        double *want;

        p.s[0].row = 0, p.s[0].n = n0, p.s[1].row = n0, p.s[1].n = n1;
        qkv = harness_tensor(l, harness_type(l), n0 + n1, (heads + 2 * kv) * dim);
        o = harness_empty(l, harness_type(l), n0 + n1, heads * dim);
        q = harness_empty(l, DT_F32, n0 + n1, heads * dim);
        want = harness_doubles(l, (n0 + n1) * heads * dim);
        for (int b = 0; b < 2; b++)
            ar_expect(l, &p, qkv, q, b, want, (double)a.scale);
        l->op->ar_attention(l->d, o, qkv, &a, rot, p.s, 2);
        harness_near(l, o, want, (l->bf ? 2 : 1) * 2 * harness_tol(l));
        for (int b = 0; b < 2; b++)
            ((int32_t *)p.s[b].state.data)[AR_LEN] += (int32_t)p.s[b].n;
    }
}

static void ar_attention(struct harness *l)
{
    ar_case(l, 6, 2, 32, 16);
    ar_case(l, 3, 1, 10, 10);
    ar_case(l, 2, 2, 64, 32);
    ar_case(l, 4, 1, 128, 64);
    ar_case(l, 5, 5, 7, 2);
}

EACH(attention)
EACH(attention_extreme)
EACH(attention_in_parts)
EACH(ar_attention)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_attention),
        cmocka_unit_test(every_attention_extreme),
        cmocka_unit_test(every_attention_in_parts),
        cmocka_unit_test(every_ar_attention),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
