/* test_condition_ops - the operations that only condition images need, against plain loops, on
 * every instruction set, in both types. */
#include "test/kernels/ops_harness.h"

/* catches: a bias forgotten or added twice, eps outside the root, a norm without its mean, a tail
 * of a row that is left out */
static void layer_norm(struct harness *l)
{
    static const int n[] = {1, 6, 33, 97, 256};

    for (int c = 0; c < 5; c++) {
        const int m = 5, k = n[c];
        float *w, *b;
        struct weight *pw, *pb;
        tensor x, y;
        double *want;

        harness_reset(l, "layer norm %d", k);
        w = harness_source(l, k, 2);
        b = harness_source(l, k, 1);
        pw = harness_weight(l, USE_VECTOR, w, NULL, k, 1, 0);
        pb = harness_weight(l, USE_VECTOR, b, NULL, k, 1, 0);
        x = harness_tensor(l, harness_type(l), m, k);
        y = harness_empty(l, harness_type(l), m, k);
        want = harness_doubles(l, m * k);
        for (int i = 0; i < m; i++) {
            double mean = 0, var = 0;

            for (int j = 0; j < k; j++)
                mean += harness_get(x, i, j) / k;
            for (int j = 0; j < k; j++)
                var += pow(harness_get(x, i, j) - mean, 2) / k;
            for (int j = 0; j < k; j++)
                want[i * k + j] =
                    (harness_get(x, i, j) - mean) / sqrt(var + 1e-3) * (double)w[j] + (double)b[j];
        }
        l->op->layer_norm(l->d, y, x, pw, pb, 1e-3f);
        harness_near(l, y, want, harness_tol(l));
        l->op->layer_norm(l->d, x, x, pw, pb, 1e-3f);
        harness_bytes_equal(l, x, y);
        l->op->weight_free(l->d, pw);
        l->op->weight_free(l->d, pb);
    }
}

/* catches: the last of equal scores, a factor of another column, a negative best score */
static void argmax(struct harness *l)
{
    enum { ROWS = 7, COLS = 53 };
    float *f;
    struct weight *w;
    tensor scores, ids;

    harness_reset(l, "argmax");
    f = harness_source(l, COLS, 1);
    for (int j = 0; j < COLS; j++)
        f[j] = j == 20 ? 4 : 1 + (float)(j % 3) / 4;
    w = harness_weight(l, USE_VECTOR, f, NULL, COLS, 1, 0);
    scores = harness_tensor(l, DT_F32, ROWS, COLS);
    ids = harness_empty(l, DT_I32, ROWS, 1);
    for (int j = 0; j < COLS; j++) {
        harness_set(scores, 0, j, j == 20 ? 0.5 : j == 30 ? 1.1 : 0); /* 2 against 1.1 */
        harness_set(scores, 1, j, j == 9 || j == 12 ? 3 : -1);        /* equal factors */
        harness_set(scores, 2, j, j == 52 ? -1 : -8);
    }
    l->op->argmax(l->d, ids, scores, w);
    assert_int_equal((int)harness_get(ids, 0, 0), 20);
    assert_int_equal((int)harness_get(ids, 1, 0), 9);
    assert_int_equal((int)harness_get(ids, 2, 0), 52);
    for (int i = 3; i < ROWS; i++) {
        const int best = (int)harness_get(ids, i, 0);

        for (int j = 0; j < COLS; j++)
            assert_true(harness_get(scores, i, j) * (double)f[j]
                        <= harness_get(scores, i, best) * (double)f[best] + 1e-6);
    }
    harness_gaps(l, ids);
    l->op->weight_free(l->d, w);
}

static void half_case(struct harness *l, int h, int w, int ci, int co)
{
    float *f, *b;
    tensor x, y;
    double *want;
    struct weight *filter;

    harness_reset(l, "conv_half %dx%d %d to %d", h, w, ci, co);
    f = harness_source(l, (int64_t)co * ci * 9, 1);
    b = harness_source(l, co, 1);
    x = harness_tensor(l, harness_type(l), h * w, ci);
    y = harness_empty(l, harness_type(l), h * w / 4, co);
    want = harness_doubles(l, (int64_t)h * w / 4 * co);
    for (int p = 0; p < h * w / 4; p++)
        for (int o = 0; o < co; o++) {
            double s = (double)b[o];

            for (int t = 0; t < 9; t++) {
                const int r = p / (w / 2) * 2 + t / 3, c = p % (w / 2) * 2 + t % 3;

                for (int i = 0; i < ci && r < h && c < w; i++)
                    s += (double)f[(o * ci + i) * 9 + t] * harness_get(x, r * w + c, i);
            }
            want[p * co + o] = s;
        }
    filter = harness_weight(l, USE_CONV, f, b, co, ci * 9, 3);
    l->op->conv_half(l->d, y, x, filter, h, w);
    harness_near(l, y, want, harness_tol(l));
    l->op->weight_free(l->d, filter);
}

/* catches: padding on all sides, odd rows instead of even ones, a window that runs into the next
 * row, channels that are no vector's width */
static void conv_half(struct harness *l)
{
    half_case(l, 2, 2, 1, 1);
    half_case(l, 4, 6, 5, 3);
    half_case(l, 8, 2, 17, 33);
    half_case(l, 6, 14, 48, 31);
    half_case(l, 2, 50, 131, 6);
    half_case(l, 18, 4, 16, 16);
    half_case(l, 4, 398, 16, 20);
    half_case(l, 6, 170, 64, 33);
}

/* catches: mean and deviation exchanged, pixels and channels exchanged, denorm() instead */
static void renorm(struct harness *l)
{
    enum { PIXELS = 35, CHANNELS = 5 };
    float *m, *s;
    struct weight *mean, *std;
    tensor z, x;
    double *want;

    harness_reset(l, "renorm");
    m = harness_source(l, CHANNELS, 2);
    s = harness_source(l, CHANNELS, 1);
    for (int c = 0; c < CHANNELS; c++)
        s[c] = 2 + s[c];
    mean = harness_weight(l, USE_VECTOR, m, NULL, CHANNELS, 1, 0);
    std = harness_weight(l, USE_VECTOR, s, NULL, CHANNELS, 1, 0);
    z = harness_tensor(l, harness_type(l), PIXELS, CHANNELS);
    x = harness_empty(l, DT_F32, CHANNELS, PIXELS);
    want = harness_doubles(l, PIXELS * CHANNELS);
    for (int c = 0; c < CHANNELS; c++)
        for (int p = 0; p < PIXELS; p++)
            want[c * PIXELS + p] = (harness_get(z, p, c) - (double)m[c]) / (double)s[c];
    l->op->renorm(l->d, x, z, mean, std);
    harness_near(l, x, want, harness_tol(l));
    l->op->weight_free(l->d, mean);
    l->op->weight_free(l->d, std);
}

EACH(layer_norm)
EACH(argmax)
EACH(conv_half)
EACH(renorm)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_layer_norm),
        cmocka_unit_test(every_argmax),
        cmocka_unit_test(every_conv_half),
        cmocka_unit_test(every_renorm),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
