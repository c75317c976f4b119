/* test_ops - every operation but attention and convolutions, at odd shapes, on every instruction
 * set, type and thread count of this machine, against plain loops in double. Catches wrong indices
 * at vector and tile ends, reads and writes outside a row, dependence on strides, and arithmetic
 * that is not what ops.h says. */
#include "test/kernels/ops_harness.h"

static double act_of(double x, enum activation act)
{
    switch (act) {
    case ACT_NONE: return x;
    case ACT_SILU: return x / (1 + exp(-x));
    case ACT_GELU_TANH:
        return x / (1 + exp(-2 * sqrt(2 / 3.14159265358979323846) * (x + 0.044715 * x * x * x)));
    case ACT_GELU_ERF: return 0.5 * x * erfc(-x / sqrt(2));
    }
    return x;
}

/* -- matrices ---------------------------------------------------------------------------------- */

static void linear_case(struct harness *l, int64_t m, int64_t k, int64_t n, enum activation act,
                        int add, int bias, enum dtype out)
{
    float *w, *b;
    tensor x, y;
    double *want;
    struct weight *p;

    harness_reset(l, "linear m %d k %d n %d act %d add %d bias %d out %d", (int)m, (int)k, (int)n,
                  act, add, bias, out);
    w = harness_source(l, n * k, 1);
    b = harness_source(l, n, 1);
    x = harness_tensor(l, harness_type(l), m, k);
    y = harness_tensor(l, out, m, n);
    want = harness_doubles(l, m * n);
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < n; j++) {
            double s = bias ? (double)b[j] : 0;

            for (int64_t c = 0; c < k; c++)
                s += harness_get(x, i, c) * (double)w[j * k + c];
            want[i * n + j] = act_of(s, act) + (add ? harness_get(y, i, j) : 0);
        }
    p = harness_weight(l, USE_LINEAR, w, bias ? b : NULL, n, k, 0);
    l->op->linear(l->d, y, x, p, act, add);
    harness_near(l, y, want, harness_tol(l));
    l->op->weight_free(l->d, p);
}

static void linear(struct harness *l)
{
    static const int m[] = {1, 2, 3, 5, 13, 29, 97}, k[] = {1, 7, 33, 192},
                     n[] = {1, 5, 16, 33, 67, 131};

    for (int i = 0; i < 7; i++)
        for (int j = 0; j < 4; j++)
            for (int c = 0; c < 6; c++)
                linear_case(l, m[i], k[j], n[c], (enum activation)((i + j + c) % 4), (i + c) % 2,
                            (i + j) % 3 > 0, (j + c) % 5 ? harness_type(l) : DT_F32);
}

/* More than one block of k, of rows and of columns. */
static void linear_large(struct harness *l)
{
    linear_case(l, 3, 1701, 70, ACT_NONE, 1, 1, harness_type(l));
    linear_case(l, 90, 801, 37, ACT_GELU_TANH, 0, 1, harness_type(l));
    linear_case(l, 2, 65, 1031, ACT_SILU, 0, 1, DT_F32);
    linear_case(l, 200, 40, 530, ACT_NONE, 0, 0, harness_type(l));
}

/* Parts stacked along the rows are one matrix, and their biases one vector. */
static void linear_stacked(struct harness *l)
{
    enum { M = 5, K = 19, A = 7, B = 3, C = 30 };
    struct weight_spec s = {.use = USE_LINEAR, .n = 3, .name = "qkv"};
    const int rows[] = {A, B, C};
    float *w, *b;
    tensor x, y, z;
    struct weight *one, *three;

    harness_reset(l, "stacked linear");
    w = harness_source(l, (A + B + C) * K, 1);
    b = harness_source(l, A + B + C, 1);
    x = harness_tensor(l, harness_type(l), M, K);
    y = harness_empty(l, harness_type(l), M, A + B + C);
    z = harness_same(l, y);
    one = harness_weight(l, USE_LINEAR, w, b, A + B + C, K, 0);
    for (int i = 0, at = 0; i < 3; at += rows[i++]) {
        s.part[i] = (struct source){w + at * K, DTYPE_F32, rows[i], K};
        s.bias[i] = (struct source){b + at, DTYPE_F32, rows[i], 1};
    }
    assert_int_equal(l->op->weight_new(l->d, &three, &s, NULL), 0);
    l->op->linear(l->d, y, x, one, ACT_NONE, 0);
    l->op->linear(l->d, z, x, three, ACT_NONE, 0);
    harness_bytes_equal(l, y, z);
    l->op->weight_free(l->d, one);
    l->op->weight_free(l->d, three);
}

static void embed(struct harness *l)
{
    static const int id[] = {8, -1, 0, 3};
    float *w;
    struct weight *t;
    tensor ids, y;
    double *want;

    harness_reset(l, "embed");
    w = harness_source(l, 9 * 13, 1);
    t = harness_weight(l, USE_TABLE, w, NULL, 9, 13, 0);
    ids = harness_empty(l, DT_I32, 4, 1);
    y = harness_empty(l, harness_type(l), 4, 13);
    want = harness_doubles(l, 4 * 13);
    for (int i = 0; i < 4; i++) {
        harness_set(ids, i, 0, id[i]);
        for (int j = 0; j < 13; j++)
            want[i * 13 + j] = id[i] < 0 ? 0 : (double)w[id[i] * 13 + j];
    }
    l->op->embed(l->d, y, t, ids);
    harness_near(l, y, want, 0);
    l->op->weight_free(l->d, t);
}

/* -- rows -------------------------------------------------------------------------------------- */

static void rms(struct harness *l)
{
    static const int n[] = {1, 6, 33, 97, 256};

    for (int c = 0; c < 5; c++) {
        const int m = 5, k = n[c];
        float *w;
        struct weight *p;
        tensor x, y, z, a;
        double *want, *sum;

        harness_reset(l, "rms %d", k);
        w = harness_source(l, k, 2);
        p = harness_weight(l, USE_VECTOR, w, NULL, k, 1, 0);
        x = harness_tensor(l, harness_type(l), m, k);
        y = harness_empty(l, harness_type(l), m, k);
        z = harness_empty(l, harness_type(l), m, k);
        a = harness_tensor(l, harness_type(l), m, k);
        want = harness_doubles(l, m * k), sum = harness_doubles(l, m * k);
        for (int i = 0; i < m; i++) {
            double s = 0;

            for (int j = 0; j < k; j++)
                s += pow(harness_get(x, i, j), 2) / k;
            for (int j = 0; j < k; j++) {
                want[i * k + j] = harness_get(x, i, j) / sqrt(s + 1e-3) * (double)w[j];
                sum[i * k + j] = harness_get(a, i, j) + want[i * k + j];
            }
        }
        l->op->rms(l->d, y, x, p, 1e-3f);
        harness_near(l, y, want, harness_tol(l));
        l->op->rms_add_rms(l->d, a, x, p, z, p, 1e-3f);
        harness_near(l, a, sum, harness_tol(l));
        l->op->rms(l->d, x, x, p, 1e-3f);
        harness_bytes_equal(l, x, y);
        l->op->rms(l->d, x, a, p, 1e-3f);
        harness_bytes_equal(l, x, z);
        l->op->weight_free(l->d, p);
    }
}

static void moments(tensor x, int64_t row, int64_t col, int64_t n, double eps, double *mean,
                    double *scale)
{
    double s = 0, q = 0;

    for (int64_t j = 0; j < n; j++)
        s += harness_get(x, row, col + j);
    for (int64_t j = 0; j < n; j++)
        q += pow(harness_get(x, row, col + j) - s / (double)n, 2);
    *mean = s / (double)n;
    *scale = 1 / sqrt(q / (double)n + eps);
}

/* Two segments with a row between them that belongs to none and must stay. */
static void ln_mod(struct harness *l)
{
    static const int n[] = {4, 31, 64, 193};
    const struct seg seg[] = {{.row = 0, .n = 2, .vec = 1, .shift = 0, .scale = 0, .gate = 0},
                              {.row = 3, .n = 3, .vec = 0, .shift = 0, .scale = 0, .gate = 0}};

    for (int c = 0; c < 4; c++) {
        const int k = n[c];
        struct seg s[2] = {seg[0], seg[1]};
        tensor x, y, mod, g;
        double *want, *gated;

        harness_reset(l, "ln_mod %d", k);
        for (int i = 0; i < 2; i++)
            s[i].shift = k * (1 + i), s[i].scale = k * (2 - 2 * i), s[i].gate = 3 * k;
        x = harness_tensor(l, harness_type(l), 6, k);
        y = harness_tensor(l, harness_type(l), 6, k);
        mod = harness_tensor(l, harness_type(l), 2, 4 * k);
        g = harness_same(l, y);
        want = harness_doubles(l, 6 * k);
        gated = harness_doubles(l, 6 * k);
        for (int i = 0; i < 6; i++) {
            const struct seg *e = i < 2 ? &s[0] : i > 2 ? &s[1] : NULL;
            double mean, scale;

            moments(x, i, 0, k, 1e-5, &mean, &scale);
            for (int j = 0; j < k; j++) {
                want[i * k + j] = gated[i * k + j] = harness_get(y, i, j);
                if (!e) continue;
                want[i * k + j] = (harness_get(x, i, j) - mean) * scale
                                      * (1 + harness_get(mod, e->vec, e->scale + j))
                                  + harness_get(mod, e->vec, e->shift + j);
                gated[i * k + j] += harness_get(mod, e->vec, e->gate + j) * harness_get(x, i, j);
            }
        }
        l->op->ln_mod(l->d, y, x, mod, s, 2, 1e-5f);
        harness_near(l, y, want, harness_tol(l));
        l->op->gate_add(l->d, g, x, mod, s, 2);
        harness_near(l, g, gated, harness_tol(l));
    }
}

static void qk_norm_rope(struct harness *l)
{
    static const int dims[] = {4, 12, 32, 72, 128, 136};

    for (int c = 0; c < 6; c++) {
        const int dim = dims[c], heads = 3, rows = 5, half = dim / 2;
        const struct seg s[] = {{.row = 1, .n = 1, .rope = -1}, {.row = 2, .n = 3, .rope = 4}};
        tensor wide, x, was, table;
        double *want;

        harness_reset(l, "qk_norm_rope %d", dim);
        wide = harness_tensor(l, harness_type(l), rows, heads * dim + 9);
        x = tensor_cols(wide, 4, heads * dim);
        was = harness_same(l, wide);
        table = harness_tensor(l, DT_F32, 8, dim);
        want = harness_doubles(l, rows * (heads * dim + 9));
        for (int i = 0; i < rows; i++)
            for (int j = 0; j < heads * dim + 9; j++)
                want[i * (heads * dim + 9) + j] = harness_get(wide, i, j);
        for (int i = 1; i < rows; i++)
            for (int h = 0; h < heads; h++) {
                double mean, scale, *o = want + i * (heads * dim + 9) + 4 + h * dim;

                moments(was, i, 4 + h * dim, dim, 1e-5, &mean, &scale);
                for (int j = 0; j < half; j++) {
                    double a = (o[j] - mean) * scale, b = (o[j + half] - mean) * scale;
                    double cs = i < 2 ? 1 : harness_get(table, 4 + i - 2, j);
                    double sn = i < 2 ? 0 : harness_get(table, 4 + i - 2, half + j);

                    o[j] = a * cs - b * sn;
                    o[j + half] = b * cs + a * sn;
                }
            }
        l->op->qk_norm_rope(l->d, x, heads, table, s, 2, 1e-5f);
        harness_near(l, wide, want, harness_tol(l));
    }
}

static void glu_and_add(struct harness *l)
{
    static const int n[] = {1, 15, 48, 133};

    for (int c = 0; c < 4; c++)
        for (int act = ACT_NONE; act <= ACT_GELU_ERF; act++) {
            const int k = n[c], m = 3;
            tensor gu, y, a, b;
            double *want, *sum, *one;

            harness_reset(l, "glu and add_act %d, act %d", k, act);
            gu = harness_tensor(l, harness_type(l), m, 2 * k);
            y = harness_empty(l, harness_type(l), m, k);
            a = harness_tensor(l, harness_type(l), m, k);
            b = harness_tensor(l, harness_type(l), m, k);
            want = harness_doubles(l, m * k);
            sum = harness_doubles(l, m * k);
            one = harness_doubles(l, m * k);
            for (int i = 0; i < m * k; i++) {
                want[i] = harness_get(gu, i / k, k + i % k)
                          * act_of(harness_get(gu, i / k, i % k), (enum activation)act);
                sum[i] = act_of(harness_get(a, i / k, i % k) + harness_get(b, i / k, i % k),
                                (enum activation)act);
                one[i] = act_of(harness_get(a, i / k, i % k), (enum activation)act);
            }
            l->op->glu(l->d, y, gu, (enum activation)act);
            harness_near(l, y, want, harness_tol(l));
            l->op->add_act(l->d, y, a, tensor_none(), (enum activation)act);
            harness_near(l, y, one, harness_tol(l));
            l->op->add_act(l->d, a, a, b, (enum activation)act);
            harness_near(l, a, sum, harness_tol(l));
        }
}

/* Every activation over its whole range, against the library: the approximations are ours. */
static void activations(struct harness *l)
{
    enum { N = 4096 };

    for (int act = ACT_SILU; act <= ACT_GELU_ERF; act++) {
        tensor x, y;

        harness_reset(l, "activation %d", act);
        x = harness_empty(l, harness_type(l), 1, N);
        y = harness_empty(l, harness_type(l), 1, N);
        for (int i = 0; i < N; i++)
            harness_set(x, 0, i, (i % 2 ? 1 : -1) * exp((double)(i - 3000) / 220));
        l->op->add_act(l->d, y, x, tensor_none(), (enum activation)act);
        for (int i = 0; i < N; i++) {
            double v = harness_get(x, 0, i), want = act_of(v, (enum activation)act),
                   e = fabs(harness_get(y, 0, i) - want);
            double tol = (l->bf ? 4e-3 : 4e-7) * fabs(want) + 2e-7 * fmin(1, fabs(v));

            if (!(e <= tol))
                fail_msg("%s(%g) = %g, not %g (%s)", l->what, v, harness_get(y, 0, i), want,
                         l->isa);
        }
    }
}

/* A NaN must come out of everything it goes into: the engine looks for it at the end. */
static void nan_spreads(struct harness *l)
{
    enum { N = 37, AT = 21 };

    for (int act = ACT_NONE; act <= ACT_GELU_ERF; act++) {
        const struct attn a = {.heads = 1, .kv_heads = 1, .head_dim = N, .scale = 1};
        float *w;
        struct weight *p, *v;
        tensor x, y, gu;

        harness_reset(l, "NaN, activation %d", act);
        w = harness_source(l, N * N, 1);
        p = harness_weight(l, USE_LINEAR, w, NULL, N, N, 0);
        v = harness_weight(l, USE_VECTOR, w, NULL, N, 1, 0);
        x = harness_tensor(l, harness_type(l), 2, N);
        y = harness_empty(l, harness_type(l), 2, N);
        gu = harness_tensor(l, harness_type(l), 2, 2 * N);
        harness_set(x, 1, AT, NAN), harness_set(gu, 1, AT, NAN);
        l->op->add_act(l->d, y, x, tensor_none(), (enum activation)act);
        assert_true(isnan(harness_get(y, 1, AT)) && !isnan(harness_get(y, 0, AT)));
        l->op->glu(l->d, y, gu, (enum activation)act);
        assert_true(isnan(harness_get(y, 1, AT)) && !isnan(harness_get(y, 0, AT)));
        l->op->linear(l->d, y, x, p, (enum activation)act, 0);
        assert_true(isnan(harness_get(y, 1, N - 1)) && !isnan(harness_get(y, 0, 0)));
        l->op->rms(l->d, y, x, v, 1e-5f);
        assert_true(isnan(harness_get(y, 1, 0)) && !isnan(harness_get(y, 0, 0)));
        for (int nq = 1; nq <= 2; nq++) { /* a key, seen by every query; both kernels */
            const struct attn_seq q = {.q = tensor_cols(tensor_rows(gu, 0, nq), N, N),
                                       .k = x,
                                       .v = x,
                                       .o = tensor_rows(y, 0, nq)};

            l->op->attention(l->d, &a, &q, 1);
            assert_true(isnan(harness_get(y, 0, 0)) && isnan(harness_get(y, nq - 1, N - 1)));
        }
        l->op->weight_free(l->d, p);
        l->op->weight_free(l->d, v);
    }
}

static void all_zero(struct harness *l, tensor t, const char *op)
{
    for (int64_t i = 0; i < t.rows * t.cols; i++) {
        const double v = harness_get(t, i / t.cols, i % t.cols);

        if (v != 0) fail_msg("%s, %s: %g (%s, %d threads)", l->what, op, v, l->isa, l->threads);
    }
}

/* Subnormal numbers are zero, on every instruction set and thread: going in, and coming out of an
 * activation that fades. Arithmetic with them would be a hundred times slower. */
static void subnormals_are_zero(struct harness *l)
{
    enum { M = 40, N = 48 };
    const struct attn a = {.heads = 1, .kv_heads = 1, .head_dim = N, .scale = 1};
    float *w;
    struct weight *p, *v;
    tensor x, low, y, gu, none;

    harness_reset(l, "subnormal numbers");
    w = harness_source(l, N * N, 1);
    p = harness_weight(l, USE_LINEAR, w, NULL, N, N, 0);
    v = harness_weight(l, USE_VECTOR, w, NULL, N, 1, 0);
    x = harness_tensor(l, harness_type(l), M, N);
    low = harness_tensor(l, harness_type(l), M, N);
    none = harness_tensor(l, harness_type(l), M, N);
    y = harness_empty(l, harness_type(l), M, N);
    gu = harness_tensor(l, harness_type(l), M, 2 * N);
    for (int i = 0; i < M * N; i++) {
        harness_set(x, i / N, i % N, i % 2 ? 9e-39 : -1e-39);
        harness_set(gu, i / N, i % N, 9e-39);
        harness_set(low, i / N, i % N, -100 - i % 50);
        harness_set(none, i / N, i % N, 0);
    }
    for (int act = ACT_NONE; act <= ACT_GELU_ERF; act++) {
        l->op->linear(l->d, y, x, p, (enum activation)act, 0);
        all_zero(l, y, "linear");
        l->op->glu(l->d, y, gu, (enum activation)act);
        all_zero(l, y, "glu");
        l->op->add_act(l->d, y, act ? low : x, none, (enum activation)act);
        all_zero(l, y, "add_act");
    }
    l->op->rms(l->d, y, x, v, 1e-5f);
    all_zero(l, y, "rms");
    for (int nq = 1; nq <= M; nq += M - 1) {
        const tensor o = tensor_rows(y, 0, nq);
        const struct attn_seq q = {.q = tensor_rows(tensor_cols(gu, N, N), 0, nq),
                                   .k = tensor_cols(gu, N, N),
                                   .v = x,
                                   .o = o};

        l->op->attention(l->d, &a, &q, 1);
        all_zero(l, o, "attention");
    }
    l->op->weight_free(l->d, p);
    l->op->weight_free(l->d, v);
}

/* -- flow and pictures ------------------------------------------------------------------------- */

static void patches(struct harness *l)
{
    const int h = 6, w = 10, ch = 5;
    tensor x, t;
    double *want, *back;

    harness_reset(l, "patchify");
    x = harness_tensor(l, DT_F32, ch, h * w);
    t = harness_empty(l, harness_type(l), h * w / 4, ch * 4);
    want = harness_doubles(l, h * w * ch);
    back = harness_doubles(l, h * w * ch);
    for (int c = 0; c < ch; c++)
        for (int y = 0; y < h; y++)
            for (int p = 0; p < w; p++) {
                want[(y / 2 * (w / 2) + p / 2) * ch * 4 + c * 4 + y % 2 * 2 + p % 2] =
                    harness_get(x, c, y * w + p);
                back[c * h * w + y * w + p] = harness_get(x, c, y * w + p);
            }
    l->op->patchify(l->d, t, x, h, w);
    harness_near(l, t, want, l->bf ? 4e-3 : 0);
    l->op->zero(l->d, x);
    l->op->unpatchify(l->d, x, t, h, w);
    harness_near(l, x, back, l->bf ? 4e-3 : 0);
}

static void euler(struct harness *l)
{
    for (int guided = 0; guided < 2; guided++) {
        tensor x, c, u, clean;
        double *want, *guess;

        harness_reset(l, "euler, guided %d", guided);
        x = harness_tensor(l, DT_F32, 3, 35);
        c = harness_tensor(l, DT_F32, 3, 35);
        u = harness_tensor(l, DT_F32, 3, 35);
        clean = harness_empty(l, DT_F32, 3, 35);
        want = harness_doubles(l, 105);
        guess = harness_doubles(l, 105);
        for (int i = 0; i < 105; i++) {
            double vc = harness_get(c, i / 35, i % 35), vu = harness_get(u, i / 35, i % 35);
            double v = guided ? vu + 3.5 * (vc - vu) : vc;

            guess[i] = harness_get(x, i / 35, i % 35) - 0.7 * v;
            want[i] = harness_get(x, i / 35, i % 35) - 0.1 * v;
        }
        l->op->euler(l->d, x, c, guided ? u : tensor_none(), 3.5f, 0.7f, -0.1f,
                     guided ? clean : tensor_none());
        harness_near(l, x, want, 1e-6);
        if (guided) harness_near(l, clean, guess, 1e-6);
    }
}

static void denorm(struct harness *l)
{
    float *m, *s;
    struct weight *mean, *std;
    tensor x, z;
    double *want;

    harness_reset(l, "denorm");
    m = harness_source(l, 5, 1);
    s = harness_source(l, 5, 2);
    mean = harness_weight(l, USE_VECTOR, m, NULL, 5, 1, 0);
    std = harness_weight(l, USE_VECTOR, s, NULL, 5, 1, 0);
    x = harness_tensor(l, DT_F32, 5, 21);
    z = harness_empty(l, harness_type(l), 21, 5);
    want = harness_doubles(l, 105);
    for (int i = 0; i < 105; i++)
        want[i] = harness_get(x, i % 5, i / 5) * (double)s[i % 5] + (double)m[i % 5];
    l->op->denorm(l->d, z, x, mean, std);
    harness_near(l, z, want, harness_tol(l));
    l->op->weight_free(l->d, mean);
    l->op->weight_free(l->d, std);
}

/* A mean 300 times the deviation: statistics in one float would cancel. */
static void group_norm_case(struct harness *l, int h, int width, int ch, int groups, double mean,
                            enum activation act)
{
    const int pixels = h * width;
    const int each = ch / groups;
    float *w, *b;
    struct weight *pw, *pb;
    tensor x, y, norm, same, sums;
    double *want;
    int64_t bytes;

    harness_reset(l, "group norm %d x %d x %d in %d groups, mean %g", h, width, ch, groups, mean);
    w = harness_source(l, ch, 2);
    b = harness_source(l, ch, 1);
    pw = harness_weight(l, USE_VECTOR, w, NULL, ch, 1, 0);
    pb = harness_weight(l, USE_VECTOR, b, NULL, ch, 1, 0);
    x = harness_tensor(l, harness_type(l), pixels, ch);
    for (int i = 0; i < pixels * ch; i++)
        harness_set(x, i / ch, i % ch, harness_get(x, i / ch, i % ch) + mean);
    want = harness_doubles(l, (int64_t)pixels * ch);
    for (int g = 0; g < groups; g++) {
        double s = 0, q = 0, n = (double)pixels * each;

        for (int i = 0; i < pixels * each; i++)
            s += harness_get(x, i / each, g * each + i % each);
        for (int i = 0; i < pixels * each; i++)
            q += pow(harness_get(x, i / each, g * each + i % each) - s / n, 2);
        for (int i = 0; i < pixels * each; i++) {
            const int c = g * each + i % each;
            double v = (harness_get(x, i / each, c) - s / n) / sqrt(q / n + 1e-6);

            want[i / each * ch + c] = act_of(v * (double)w[c] + (double)b[c], act);
        }
    }
    y = harness_empty(l, harness_type(l), pixels, ch);
    norm = harness_empty(l, DT_F32, 2, ch);
    same = harness_empty(l, DT_F32, 2, ch);
    bytes = (int64_t)l->op->work_size(l->d, WORK_NORM, h, ch, groups);
    sums = arena_tensor(&l->mem, DT_U8, 1, bytes);
    l->op->norm_sums(l->d, sums, x, width, 0, groups);
    l->op->norm_fold(l->d, norm, sums, h, width, groups, pw, pb, 1e-6f);
    l->op->norm_act(l->d, y, x, norm, act);
    harness_near(l, y, want, mean > 1 ? 5e-5 : harness_tol(l));
    memset(sums.data, 0xff, (size_t)bytes);
    for (int r = 0; r < h; r++) /* row by row, and in place */
        l->op->norm_sums(l->d, sums, tensor_rows(x, (int64_t)r * width, width), width, r, groups);
    l->op->norm_fold(l->d, same, sums, h, width, groups, pw, pb, 1e-6f);
    harness_bytes_equal(l, same, norm);
    l->op->norm_act(l->d, x, x, norm, act);
    harness_bytes_equal(l, x, y);
    l->op->weight_free(l->d, pw);
    l->op->weight_free(l->d, pb);
}

static void group_norm(struct harness *l)
{
    group_norm_case(l, 1, 1, 6, 3, 0, ACT_NONE);
    group_norm_case(l, 6, 50, 16, 1, 0, ACT_SILU);
    group_norm_case(l, 257, 1, 18, 6, 0.5, ACT_SILU);
    group_norm_case(l, 4, 10, 96, 32, 0, ACT_NONE);
    if (!l->bf) group_norm_case(l, 10, 100, 33, 1, 300, ACT_NONE);
}

static void colours(struct harness *l)
{
    enum { N = 301 };
    tensor x, rgb, lat, map;
    double *want;

    harness_reset(l, "to_rgb8 and latent_rgb");
    x = harness_empty(l, harness_type(l), N, 3);
    rgb = harness_empty(l, DT_U8, N, 3);
    for (int i = 0; i < N * 3; i++)
        harness_set(x, i / 3, i % 3, (double)(i - 450) / 400);
    harness_set(x, 7, 1, NAN);
    l->op->to_rgb8(l->d, rgb, x);
    for (int i = 0; i < N * 3; i++) {
        float v = (float)harness_get(x, i / 3, i % 3) * 0.5f;

        if (l->bf)
            v = half_round(half_round(v) + 0.5f);
        else
            v = v + 0.5f;
        v = v > 0 ? v < 1 ? v : 1 : 0;
        if (harness_get(rgb, i / 3, i % 3) != (double)nearbyintf(v * 255)) fail_msg("pixel %d", i);
    }
    harness_gaps(l, rgb);
    lat = harness_tensor(l, DT_F32, 5, N);
    map = harness_tensor(l, DT_F32, 3, 6);
    want = harness_doubles(l, N * 3);
    for (int o = 0; o < 3; o++)
        for (int c = 0; c < 6; c++)
            harness_set(map, o, c, harness_get(map, o, c) * 200);
    for (int i = 0; i < N * 3; i++) {
        double v = harness_get(map, i % 3, 5);

        for (int c = 0; c < 5; c++)
            v += harness_get(map, i % 3, c) * harness_get(lat, c, i / 3);
        want[i] = v < 0 ? 0 : v > 255 ? 255 : v;
    }
    l->op->latent_rgb(l->d, rgb, lat, map);
    harness_near(l, rgb, want, 0.51 / 255);
}

EACH(linear)
EACH(linear_large)
EACH(linear_stacked)
EACH(embed)
EACH(rms)
EACH(ln_mod)
EACH(qk_norm_rope)
EACH(glu_and_add)
EACH(activations)
EACH(nan_spreads)
EACH(subnormals_are_zero)
EACH(patches)
EACH(euler)
EACH(denorm)
EACH(group_norm)
EACH(colours)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_linear),
        cmocka_unit_test(every_linear_large),
        cmocka_unit_test(every_linear_stacked),
        cmocka_unit_test(every_embed),
        cmocka_unit_test(every_rms),
        cmocka_unit_test(every_ln_mod),
        cmocka_unit_test(every_qk_norm_rope),
        cmocka_unit_test(every_glu_and_add),
        cmocka_unit_test(every_activations),
        cmocka_unit_test(every_nan_spreads),
        cmocka_unit_test(every_patches),
        cmocka_unit_test(every_euler),
        cmocka_unit_test(every_denorm),
        cmocka_unit_test(every_group_norm),
        cmocka_unit_test(every_colours),
        cmocka_unit_test(every_subnormals_are_zero),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
