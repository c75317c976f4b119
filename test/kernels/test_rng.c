/* test_rng - the generator against its published vectors, and the samples against their
 * distributions: a slip in a round, a counter or a polynomial, or a stream that repeats another,
 * shows here. */
#include "kernels/rng.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Random123's kat_vectors, philox4x32 10. */
static void philox_known_answers(void **state)
{
    static const uint32_t v[3][10] = {
        {0, 0, 0, 0, 0, 0, 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8},
        {0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0x408f276d,
         0x41c83b0e, 0xa20bc7c6, 0x6d5451fd},
        {0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344, 0xa4093822, 0x299f31d0, 0xd16cfe09,
         0x94fdcceb, 0x5001e420, 0x24126ea1},
    };

    (void)state;
    for (int i = 0; i < 3; i++) {
        uint32_t out[4];

        rng_philox(out, v[i], v[i] + 4);
        assert_memory_equal(out, v[i] + 6, sizeof out);
    }
}

static void log_is_accurate(void **state)
{
    (void)state;
    for (int i = 1; i < 100000; i++) {
        double x = i < 50000 ? i * 2e-5 : exp((i - 75000) * 0.02), want = log(x);
        double e = fabs(rng_log(x) - want);

        if (!(e <= 1e-14 * fabs(want) + 1e-18)) fail_msg("log %.17g is off by %g", x, e);
    }
}

/* Moments up to the fourth, the far tail, and neighbours without correlation. */
static void normals_are_normal(void **state)
{
    enum { N = 1 << 20 };
    double m1 = 0, m2 = 0, m3 = 0, m4 = 0, lag = 0, pair = 0;
    int beyond = 0;
    float *x = malloc(sizeof *x * N);
    double s;

    (void)state;
    assert_non_null(x);
    rng_normals(x, N, 12345, 0, RNG_NOISE);
    for (int i = 0; i < N; i++) {
        double v = (double)x[i];

        m1 += v, m2 += v * v, m3 += v * v * v, m4 += v * v * v * v;
        if (i) lag += v * (double)x[i - 1];
        if (i >= 2) pair += v * v * (double)x[i - 2] * (double)x[i - 2];
        if (fabs(v) > 3) beyond++;
    }
    s = sqrt((double)N); /* five standard deviations each */
    assert_true(fabs(m1 / N) < 5 / s);
    assert_true(fabs(m2 / N - 1) < 5 * sqrt(2) / s);
    assert_true(fabs(m3 / N) < 5 * sqrt(15) / s);
    assert_true(fabs(m4 / N - 3) < 5 * sqrt(96) / s);
    assert_true(fabs(lag / N) < 5 / s);
    assert_true(fabs(pair / N - 1) < 5 * sqrt(8) / s);
    assert_true(abs(beyond - 2831) < 5 * 53); /* 2 (1 - Phi(3)) N */
    free(x);
}

/* Box-Muller with the library's functions; ours must round to the same floats but for rare ties. */
static void normals_match_their_formula(void **state)
{
    enum { N = 40000 };
    static float x[N];
    int differ = 0;

    (void)state;
    rng_normals(x, N, 77, 3, RNG_NOISE);
    for (int i = 0; i < N; i += 4) {
        uint32_t w[4];

        rng_block(w, 77, 3, RNG_NOISE, (uint64_t)(i / 4));
        for (int k = 0; k < 4; k += 2) {
            double r = sqrt(-2 * log(rng_unit(w[k]))), t = w[k + 1] * 0x1p-32 * 2 * acos(-1.0);
            double c = r * cos(t), s = r * sin(t);

            assert_true(fabs((double)x[i + k] - c) <= 1e-6 * fabs(c) + 1e-12);
            assert_true(fabs((double)x[i + k + 1] - s) <= 1e-6 * fabs(s) + 1e-12);
            differ += x[i + k] != (float)c || x[i + k + 1] != (float)s;
        }
    }
    assert_true(differ <= 2);
}

/* The bytes of a picture must never change between versions or machines. */
static void normals_keep_their_bytes(void **state)
{
    float x[7], y[5];
    uint64_t h = 1469598103934665603u;
    static float many[4096];

    (void)state;
    rng_normals(x, 7, 42, 1, RNG_NOISE);
    rng_normals(y, 5, 42, 1, RNG_NOISE);
    assert_memory_equal(x, y, sizeof y); /* a shorter draw is a prefix */
    rng_normals(many, 4096, 0x123456789abcdefu, 7, RNG_NOISE);
    for (size_t i = 0; i < sizeof many; i++)
        h = (h ^ ((const unsigned char *)many)[i]) * 1099511628211u;
    assert_int_equal(h, 0xdcf055bb6501c542u);
}

static void streams_differ(void **state)
{
    float a[64], b[64];

    (void)state;
    rng_normals(a, 64, 1, 0, RNG_NOISE);
    rng_normals(b, 64, 1, 1, RNG_NOISE);
    assert_memory_not_equal(a, b, sizeof a);
    rng_normals(b, 64, (uint64_t)1 << 32 | 1, 0, RNG_NOISE);
    assert_memory_not_equal(a, b, sizeof a);
    rng_normals(b, 64, 1, 0, RNG_TOKEN);
    assert_memory_not_equal(a, b, sizeof a);
}

static void exponentials_are_exponential(void **state)
{
    enum { N = 1 << 18 };
    double sum = 0, sq = 0;
    int tail = 0;

    (void)state;
    for (uint32_t i = 0; i < N; i++) {
        double e = rng_exponential(9, 0, i / 512, i % 512);

        assert_true(e > 0 && e < 23);
        sum += e, sq += e * e;
        tail += e > 2;
    }
    assert_true(fabs(sum / N - 1) < 5 / sqrt((double)N));
    assert_true(fabs(sq / N - 2) < 5 * sqrt(20.0 / N));
    assert_true(fabs(tail / (double)N - exp(-2)) < 5 * sqrt(0.117 / N));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(philox_known_answers),
        cmocka_unit_test(log_is_accurate),
        cmocka_unit_test(normals_are_normal),
        cmocka_unit_test(normals_match_their_formula),
        cmocka_unit_test(normals_keep_their_bytes),
        cmocka_unit_test(streams_differ),
        cmocka_unit_test(exponentials_are_exponential),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
