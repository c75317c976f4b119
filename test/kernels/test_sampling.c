/* test_sampling - the sampling rule against a slow restatement of the reference, and the draw
 * against its distribution. */
#include "kernels/sampling.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { MAX = 3000 };

static uint32_t seed = 5;
static double unit(void)
{
    seed = seed * 1664525u + 1013904223u;
    return (double)(seed >> 8) / (1 << 24);
}

static const float *sorting;
static int by_value(const void *a, const void *b) /* ascending, of equals the higher id first */
{
    int32_t i = *(const int32_t *)a, j = *(const int32_t *)b;

    if (sorting[i] != sorting[j]) return sorting[i] < sorting[j] ? -1 : 1;
    return i > j ? -1 : 1;
}

/* Sorting, softmax and cumulative sum as the reference's processors do them;
 * returns how many are kept. */
static int slow_sampling(double *probs, const float *logits, int n, const struct sampling *sampling)
{
    static float l[MAX];
    static int32_t id[MAX];
    double sum = 0, below = 0;
    int m = 0, first = 0;

    for (int i = 0; i < n; i++) {
        l[i] = logits[i] / (float)sampling->temperature;
        if (sampling->limit && i >= sampling->limit) l[i] = -INFINITY;
        probs[i] = 0;
        id[i] = i;
    }
    sorting = l;
    qsort(id, (size_t)n, sizeof *id, by_value);
    if (sampling->top_k > 0 && sampling->top_k < n) {
        float least = l[id[n - sampling->top_k]];

        for (int i = 0; i < n; i++)
            if (l[i] < least) l[i] = -INFINITY;
    }
    for (int i = 0; i < n; i++)
        sum += (double)expf(l[id[i]] - l[id[n - 1]]);
    if (sampling->top_p < 1)
        for (first = 0; first < n - 1; first++) {
            below += (double)(float)((double)expf(l[id[first]] - l[id[n - 1]]) / sum);
            if (!((float)below <= (float)(1 - sampling->top_p))) break;
        }
    sum = 0;
    for (int i = first; i < n; i++)
        sum += exp((double)l[id[i]] - (double)l[id[n - 1]]);
    for (int i = first; i < n; i++) {
        probs[id[i]] = exp((double)l[id[i]] - (double)l[id[n - 1]]) / sum;
        m += (float)((double)expf(l[id[i]] - l[id[n - 1]]) / sum) > 0; /* a float may underflow */
    }
    return m;
}

static void compare(const float *logits, int n, const struct sampling *sampling)
{
    static double want[MAX];
    static float probs[MAX];
    static int32_t ids[MAX];
    void *work = malloc(sampling_work(n));
    double sum = 0;
    int kept, slow;

    assert_non_null(work);
    kept = sampling_keep(ids, probs, logits, n, sampling, work);
    slow = slow_sampling(want, logits, n, sampling);
    if (kept != slow)
        fail_msg("n %d T %g p %g k %d limit %d: kept %d, not %d", n, sampling->temperature,
                 sampling->top_p, sampling->top_k, sampling->limit, kept, slow);
    for (int i = 0; i < kept; i++) {
        double p = (double)probs[i];

        assert_true(ids[i] >= 0 && ids[i] < n && want[ids[i]] > 0);
        assert_true(fabs(p - want[ids[i]]) <= 1e-6 * want[ids[i]] + 1e-12);
        if (i) {
            assert_true(probs[i] <= probs[i - 1]);
            if (logits[ids[i]] == logits[ids[i - 1]]) assert_true(ids[i] > ids[i - 1]);
        }
        sum += p;
    }
    assert_true(fabs(sum - 1) < 1e-5);
    free(work);
}

static void keeps_what_the_reference_keeps(void **state)
{
    static float logits[MAX];

    (void)state;
    for (int round = 0; round < 400; round++) {
        const int n = 1 + (int)(unit() * (round % 3 ? 200 : MAX - 1));
        const double spread = exp(unit() * 5 - 2), grain = round % 2 ? 0 : 0.25;
        struct sampling sampling;

        for (int i = 0; i < n; i++) {
            double v = (unit() + unit() + unit() - 1.5) * spread * 2;

            logits[i] = (float)(grain > 0 ? floor(v / grain) * grain : v); /* coarse ones tie */
        }
        sampling = (struct sampling){.temperature = 0.3 + unit() * 1.5,
                                     .top_p = round % 5 ? unit() : 1,
                                     .top_k = round % 4 ? 0 : 1 + (int)(unit() * 60),
                                     .limit = round % 7 ? 0 : (n + 1) / 2};
        compare(logits, n, &sampling);
    }
}

/* The constants of the released model, and the corners of each parameter. */
static void corners(void **state)
{
    static float l[8] = {1, 3, 3, -2, 3, 0, -0.0f, 2};
    static const struct sampling sampling[] = {
        {.temperature = 0.9, .top_p = 0.75},
        {.temperature = 1, .top_p = 0},
        {.temperature = 1, .top_p = 1e-9},
        {.temperature = 1, .top_p = 1, .top_k = 2},
        {.temperature = 1, .top_p = 1},
        {.temperature = 0.01, .top_p = 0.9999},
        {.temperature = 1, .top_p = 0.8},
        {.temperature = 1, .top_p = 1, .limit = 1},
        {.temperature = 1, .top_p = 1, .top_k = 100},
    };

    (void)state;
    for (size_t i = 0; i < sizeof sampling / sizeof *sampling; i++)
        compare(l, 8, &sampling[i]);
}

/* Without a nucleus, what underflows to 0 is not kept: the reference cannot draw it either. */
static void underflow_is_not_kept(void **state)
{
    float l[4] = {-300, 0, -50, -150}, probs[4];
    int32_t ids[4];
    const struct sampling sampling = {.temperature = 1, .top_p = 1};
    void *work = malloc(sampling_work(4));

    (void)state;
    assert_non_null(work);
    assert_int_equal(sampling_keep(ids, probs, l, 4, &sampling, work), 2);
    assert_int_equal(ids[0], 1);
    assert_int_equal(ids[1], 2);
    free(work);
}

/* 1 - 0.8 rounded from double is not 1 - (float)0.8: four equal tokens and p 0.8 show it. */
static void cut_is_taken_in_double(void **state)
{
    float l[5] = {0, 0, 0, 0, 0}, probs[5];
    int32_t ids[5];
    const struct sampling sampling = {.temperature = 1, .top_p = 0.8};
    void *work = malloc(sampling_work(5));

    (void)state;
    assert_non_null(work);
    assert_int_equal(sampling_keep(ids, probs, l, 5, &sampling, work), 4); /* 0.2 <= 0.2 goes */
    assert_int_equal(ids[3], 3);
    free(work);
}

static void refuses_what_has_no_largest(void **state)
{
    float l[3] = {NAN, 1, 2}, probs[3];
    int32_t ids[3];
    const struct sampling sampling = {.temperature = 1, .top_p = 0.9};
    void *work = malloc(sampling_work(3));

    (void)state;
    assert_non_null(work);
    assert_int_equal(sampling_keep(ids, probs, l, 3, &sampling, work), 0);
    l[0] = INFINITY;
    assert_int_equal(sampling_keep(ids, probs, l, 3, &sampling, work), 0);
    l[0] = l[1] = l[2] = -INFINITY;
    assert_int_equal(sampling_keep(ids, probs, l, 3, &sampling, work), 0);
    l[2] = 0;
    assert_int_equal(sampling_keep(ids, probs, l, 3, &sampling, work), 1);
    assert_int_equal(ids[0], 2);
    free(work);
}

/* Chi-square over 40,000 draws at fixed seeds; the bound is the 99.9 % point
 * of 11 degrees of freedom. */
static void draws_follow_the_probabilities(void **state)
{
    enum { KEPT = 12, N = 40000 };
    int32_t ids[KEPT];
    float p[KEPT];
    double total = 0;

    (void)state;
    for (int i = 0; i < KEPT; i++) {
        ids[i] = 17 * i + (i % 3);
        p[i] = (float)exp(-0.35 * i);
        total += (double)p[i];
    }
    for (int i = 0; i < KEPT; i++)
        p[i] = (float)((double)p[i] / total);
    for (uint64_t s = 1; s <= 5; s++) {
        int seen[KEPT] = {0};
        double chi = 0;

        for (uint32_t n = 0; n < N; n++) {
            int32_t id = sampling_draw(ids, p, KEPT, s, n / 1000, n % 1000);

            for (int i = 0; i < KEPT; i++)
                seen[i] += ids[i] == id;
        }
        for (int i = 0; i < KEPT; i++) {
            double want = (double)p[i] * N;

            chi += (seen[i] - want) * (seen[i] - want) / want;
        }
        if (!(chi < 31.3)) fail_msg("seed %d: chi-square %g", (int)s, chi);
    }
}

/* The race gives a token its own clock: taking another token away does not move it. */
static void draws_are_stable(void **state)
{
    int32_t ids[3] = {4, 9, 2};
    float p[3] = {0.4f, 0.35f, 0.25f};
    int same = 0, n = 0;

    (void)state;
    for (uint32_t i = 0; i < 1000; i++) {
        int32_t all = sampling_draw(ids, p, 3, 1, 0, i), two = sampling_draw(ids, p, 2, 1, 0, i);

        assert_int_equal(all, sampling_draw(ids, p, 3, 1, 0, i));
        if (all != 2) same += all == two, n++;
    }
    assert_int_equal(same, n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_what_the_reference_keeps),
        cmocka_unit_test(corners),
        cmocka_unit_test(underflow_is_not_kept),
        cmocka_unit_test(cut_is_taken_in_double),
        cmocka_unit_test(refuses_what_has_no_largest),
        cmocka_unit_test(draws_follow_the_probabilities),
        cmocka_unit_test(draws_are_stable),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
