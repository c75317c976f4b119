/* test_conv_ops - convolutions at odd shapes, whole and in bands, on every instruction set, type
 * and thread count of this machine, against plain loops in double. */
#include "test/kernels/ops_harness.h"

static double pixel(tensor x, int h, int w, int up, int64_t y, int64_t c, int64_t ch)
{
    if (y < 0 || c < 0 || y >= h << up || c >= w << up) return 0;
    return harness_get(x, (y >> up) * w + (c >> up), ch);
}

static void conv_case(struct harness *l, int h, int w, int ci, int co, int k, int up, int add)
{
    const int oh = h << up, ow = w << up;
    float *f, *b;
    tensor x, y, r;
    double *want;
    struct weight *filter;

    harness_reset(l, "conv %dx%d %d to %d side %d up %d add %d", h, w, ci, co, k, up, add);
    f = harness_source(l, (int64_t)co * ci * k * k, 1);
    b = harness_source(l, co, 1);
    x = harness_tensor(l, harness_type(l), h * w, ci);
    y = harness_empty(l, harness_type(l), oh * ow, co);
    r = harness_tensor(l, harness_type(l), oh * ow, co);
    want = harness_doubles(l, (int64_t)oh * ow * co);
    for (int p = 0; p < oh * ow; p++)
        for (int o = 0; o < co; o++) {
            double s = (double)b[o] + (add ? harness_get(r, p, o) : 0);

            for (int c = 0; c < ci; c++)
                for (int t = 0; t < k * k; t++)
                    s += (double)f[(o * ci + c) * k * k + t]
                         * pixel(x, h, w, up, p / ow + t / k - k / 2, p % ow + t % k - k / 2, c);
            want[p * co + o] = s;
        }
    filter = harness_weight(l, USE_CONV, f, b, co, ci * k * k, k);
    l->op->conv(l->d, y, x, filter, h, w, up, 0, add ? r : tensor_none());
    harness_near(l, y, want, harness_tol(l));
    for (int from = 0; from < oh; from += 2) { /* any band of rows is the same, to the bit */
        const int n = (oh - from < 2 ? oh - from : 2) * ow;
        tensor band = harness_empty(l, harness_type(l), n, co);

        l->op->conv(l->d, band, x, filter, h, w, up, from,
                    add ? tensor_rows(r, from * ow, n) : tensor_none());
        harness_bytes_equal(l, band, tensor_rows(y, from * ow, n));
    }
    l->op->weight_free(l->d, filter);
}

/* catches: a neighbourhood that reads the next line or another piece's pixels, zeros missing at one
 * side, taps out of order, pieces that are not as long as their lines */
static void conv(struct harness *l)
{
    /* h, w, ci, co, k, up, add; 200 and 93 wide: lines in several pieces */
    static const int at[][7] = {
        {5, 7, 5, 3, 3, 0, 0},    {5, 7, 5, 3, 3, 1, 0},    {1, 1, 1, 1, 3, 1, 1},
        {6, 4, 17, 33, 1, 0, 1},  {9, 13, 48, 31, 3, 0, 1}, {2, 3, 131, 6, 3, 1, 1},
        {3, 50, 16, 16, 3, 0, 0}, {17, 3, 7, 20, 1, 1, 0},  {3, 200, 5, 20, 3, 0, 1},
        {2, 93, 64, 3, 3, 1, 0},
    };

    for (size_t i = 0; i < sizeof at / sizeof *at; i++)
        conv_case(l, at[i][0], at[i][1], at[i][2], at[i][3], at[i][4], at[i][5], at[i][6]);
}

EACH(conv)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_conv),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
