/* test_eta - rates are learnt, ranges are earned, and nothing ever is not a number. */
#include "server/core/eta.h"

#include "test/server/core/eta_harness.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { PX_CLASS = 4 };

static void range(const struct eta *e, double seconds, double *low, double *high)
{
    *low = seconds * e->span[ETA_WAITS].low;
    *high = seconds * e->span[ETA_WAITS].high;
}

/* catches: a rate that is the mean of rates instead of work over time */
static void uneven_quanta_average_by_time(void **state)
{
    struct eta e;

    (void)state;
    eta_init(&e, 1e9);
    for (int i = 0; i < 400; i++) {
        eta_learn(&e, ETA_TOKENS, PX_CLASS, 1, 1e6, 100000, 10); /* a prefill: slow */
        for (int t = 0; t < 9; t++)
            eta_learn(&e, ETA_TOKENS, PX_CLASS, 1, 1e6, 10000, 10);
    }
    /* 10e6 FLOPs in 190 ms */
    assert_true(fabs(eta_rate(&e, ETA_TOKENS, PX_CLASS, 1, 1) / (10e6 / 0.19) - 1) < 0.2);
}

/* catches: an estimate that still remembers an idle machine after it has become a busy one */
static void old_measurements_fade_within_some_pictures(void **state)
{
    struct eta e;

    (void)state;
    eta_init(&e, 1e9);
    for (int i = 0; i < 5000; i++)
        eta_learn(&e, ETA_DENOISE, PX_CLASS, 1, 1e6, 10000, 20);
    for (int i = 0; i < 10 * 20; i++) /* ten pictures */
        eta_learn(&e, ETA_DENOISE, PX_CLASS, 1, 1e6, 20000, 20);
    assert_true(fabs(eta_rate(&e, ETA_DENOISE, PX_CLASS, 1, 1) / 50e6 - 1) < 0.1);
}

/* catches: an estimate that jumps to the guess as soon as something is a little different */
static void what_was_not_measured_borrows_from_the_nearest(void **state)
{
    struct eta e;

    (void)state;
    eta_init(&e, 123);
    assert_true(near(eta_rate(&e, ETA_PREFILL, PX_CLASS, 1, 1), 123));
    eta_learn(&e, ETA_PREFILL, PX_CLASS, 2, 1e15, 1000000000000, 10);
    eta_learn(&e, ETA_PREFILL, PX_CLASS, 8, 4e15, 1000000000000, 10);
    eta_learn(&e, ETA_PREFILL, PX_CLASS + 2, 1, 7e15, 1000000000000, 10);
    assert_true(near(eta_rate(&e, ETA_PREFILL, PX_CLASS, 2, 1), 1e9));
    assert_true(near(eta_rate(&e, ETA_PREFILL, PX_CLASS, 4, 1), 1e9));
    assert_true(near(eta_rate(&e, ETA_PREFILL, PX_CLASS, 7, 1), 4e9));
    assert_true(near(eta_rate(&e, ETA_PREFILL, PX_CLASS + 3, 4, 1), 7e9));
    assert_true(fabs(eta_rate(&e, ETA_DENOISE, PX_CLASS, 1, 1) / 4e9 - 1) < 0.1);
    assert_false(eta_measured(&e));
    eta_learn(&e, ETA_TOKENS, PX_CLASS + 2, 1, 5e15, 1000000000000, 10); /* of any size */
    assert_true(near(eta_rate(&e, ETA_TOKENS, 0, 1, 1), 5e9));
    /* where a member adds a quarter of its quantum, five together take twice the time of one */
    assert_true(near(eta_rate(&e, ETA_TOKENS, 0, 5, 0.25), 12.5e9));
    eta_learn(&e, ETA_GLYPH, 0, 5, 5e15, 1000000000000, 1);
    assert_true(near(eta_rate(&e, ETA_GLYPH, 0, 1, 0.25), 2e9));
    eta_learn(&e, ETA_DENOISE, PX_CLASS, 1, 5e15, 1000000000000, 10);
    eta_learn(&e, ETA_DECODE, PX_CLASS, 1, 5e15, 1000000000000, 10);
    assert_true(eta_measured(&e));
}

/* catches: a long prompt that is refused because one short quantum was held up */
static void a_short_measurement_says_little_of_other_sizes(void **state)
{
    struct eta e;

    (void)state;
    eta_init(&e, 1e9);
    for (int i = 0; i < 10; i++)
        eta_learn(&e, ETA_DENOISE, PX_CLASS, 1, 1e9, 1000000, 10);
    eta_learn(&e, ETA_PREFILL, 1, 1, 1e6, 20000, 1); /* twenty times as long as it should */
    assert_true(near(eta_rate(&e, ETA_PREFILL, 1, 1, 1), 5e7));
    assert_true(eta_rate(&e, ETA_PREFILL, 9, 1, 1) > 5e8);
}

/* catches: NaN or infinity from quanta without work or without time */
static void nonsense_teaches_nothing(void **state)
{
    struct eta e;
    double low, high;

    (void)state;
    eta_init(&e, -5);
    assert_true(eta_rate(&e, ETA_TOKENS, PX_CLASS, 1, 1) > 0);
    eta_learn(&e, ETA_TOKENS, PX_CLASS, 1, 0, 1000, 10);
    eta_learn(&e, ETA_TOKENS, PX_CLASS, 1, (double)NAN, 1000, 10);
    eta_learn(&e, ETA_TOKENS, PX_CLASS, 1, 1e6, 0, 10);
    eta_learn(&e, ETA_TOKENS, PX_CLASS, 0, 1e6, 10, 10);
    eta_learn(&e, ETA_TOKENS, PX_CLASS, LIMIT_BATCH + 1, 1e6, 10, 10);
    eta_learn(&e, ETA_STAGES, PX_CLASS, 1, 1e6, 10, 10);
    assert_true(near(eta_rate(&e, ETA_TOKENS, PX_CLASS, 1, 1), 1e10));
    eta_judge(&e, ETA_WAITS, 0, 100);
    eta_judge(&e, ETA_WAITS, 100, 0);
    range(&e, 10, &low, &high);
    assert_true(low > 0 && low < 10 && high > 10 && isfinite(high));
}

/* catches: a range that stays wide although forecasts are good, or narrow although they are bad */
static void the_range_is_earned(void **state)
{
    struct eta e;
    double low, high, wide;

    (void)state;
    eta_init(&e, 1e9);
    range(&e, 10, &low, &wide);
    assert_true(wide > 30);
    eta_learn(&e, ETA_DENOISE, PX_CLASS, 1, 1e6, 1000, 10);
    range(&e, 10, &low, &high);
    assert_true(high > 12 && high < 20);
    for (int i = 0; i < 100; i++)
        eta_judge(&e, ETA_WAITS, 1000000, 1050000);
    range(&e, 10, &low, &high);
    assert_true(low > 8.5 && high > 10.5 && high < 12);
    for (int i = 0; i < ETA_JUDGED - 8; i++)
        eta_judge(&e, ETA_WAITS, 1000000, 3000000);
    range(&e, 10, &low, &high);
    assert_true(high > 30 && low < 12);
    assert_true(e.span[ETA_WAITS].mid > 2.4); /* most take three times as long as is played */
    eta_tail(&e, 20000);
    assert_true(near(e.known.tail_s, 0.02));
}

/* catches: a range that one job of twenty makes wide, or that leaves out one of five */
static void nine_of_ten_are_inside(void **state)
{
    struct eta e;
    double low, high;
    int inside = 0;

    (void)state;
    eta_init(&e, 1e9);
    for (int i = 0; i < 1000; i++) { /* up to 20 % off, one of 32 threefold */
        int64_t us = 1000000 + (i * 7919 % 401 - 200) * 1000;

        if (i % 32 == 5) us *= 3;
        range(&e, 1, &low, &high);
        if (i >= 100) {
            inside += (double)us >= low * 1e6 && (double)us <= high * 1e6;
            assert_true(high / low < 2);
        }
        eta_judge(&e, ETA_WAITS, 1000000, us);
    }
    assert_true(inside >= 810);
}

/* catches: a record of small jobs, which nothing disturbs, spoilt by large ones that small ones
 * delay; a kind that was never seen and is taken for a certain one */
static void each_kind_has_its_own_record(void **state)
{
    struct eta e;

    (void)state;
    eta_init(&e, 1e9);
    eta_learn(&e, ETA_DENOISE, PX_CLASS, 1, 1e6, 1000, 10);
    for (int i = 0; i < 40; i++) {
        eta_judge(&e, ETA_SMALLEST, 1000000, 1000000 + i % 5 * 1000);
        eta_judge(&e, ETA_LARGEST, 1000000, 1200000 + i % 5 * 200000);
    }
    assert_true(e.span[ETA_SMALLEST].high / e.span[ETA_SMALLEST].low < 1.3);
    assert_true(e.span[ETA_LARGEST].mid > 1.3 && e.span[ETA_LARGEST].mid < 1.6);
    assert_true(e.span[ETA_LARGEST].low > 1.1 && e.span[ETA_LARGEST].high > 2);
    assert_true(e.span[ETA_WAITS].low < 1 && e.span[ETA_WAITS].high > 1.9);
}

/* catches: equal jobs that count as smaller than each other; a rank among jobs of long ago, or one
 * that does not tell the largest */
static void a_job_is_ranked_among_the_newest(void **state)
{
    struct eta e;

    (void)state;
    eta_init(&e, 1e9);
    assert_int_equal(eta_rank(&e, 5), ETA_SMALLEST);
    for (int i = 0; i < ETA_JUDGED; i++)
        eta_comes(&e, 1000);
    assert_int_equal(eta_rank(&e, 1000), ETA_SMALLEST);
    assert_int_equal(eta_rank(&e, 2000), ETA_LARGEST);
    for (int i = 0; i < ETA_JUDGED; i++)
        eta_comes(&e, i % 4 + 1);
    assert_int_equal(eta_rank(&e, 1), ETA_SMALLEST);
    assert_int_equal(eta_rank(&e, 2.5), ETA_SMALL);
    assert_int_equal(eta_rank(&e, 3.5), ETA_LARGE);
    assert_int_equal(eta_rank(&e, 9), ETA_LARGEST);
    eta_comes(&e, 0); /* not known */
    assert_int_equal(eta_rank(&e, 1), ETA_SMALLEST);
}

/* catches: arithmetic that counts as shared, weights that count for each member; a picture without
 * a plan that joins more than tokens */
static void what_a_member_adds_is_its_arithmetic(void **state)
{
    struct job_plan p = plan(1e9, 4e8);
    const struct glm_cost none = {.run_bytes = 1};

    (void)state;
    p.cost.flops[GLM_PRIOR] = 2e8; /* of ten quanta, each with 8e7 of weights */
    p.cost.prefill = 0.28;         /* one chunk: 8e7 and 2e8 of arithmetic */
    assert_true(near(eta_own(&p.cost, ETA_PREFILL), 1 - 0.8 / 2.8));
    assert_true(near(eta_own(&p.cost, ETA_TOKENS), 0));
    assert_true(near(eta_own(&p.cost, ETA_DENOISE), 1));
    p.cost.flops[GLM_DENOISE] = 1e8;
    assert_true(near(eta_own(&p.cost, ETA_DENOISE), 0.25));
    assert_true(near(eta_own(&none, ETA_TOKENS), 0) && near(eta_own(&none, ETA_DENOISE), 1));
}

/* catches: measurements that do not survive a restart, or nonsense that does */
static void an_earlier_start_is_recalled(void **state)
{
    struct eta a, b;

    (void)state;
    eta_init(&a, 1e9);
    eta_init(&b, 1e9);
    eta_learn(&a, ETA_DENOISE, PX_CLASS, 2, 5e6, 1000, 10);
    eta_tail(&a, 30000);
    for (int i = 0; i < ETA_JUDGED + 8; i++)
        eta_judge(&a, ETA_WAITS, 1000000, 1100000);
    a.known.rate[ETA_DECODE][0][0] = (struct eta_rate){(double)NAN, 1};
    for (int i = 0; i < 2; i++)
        eta_comes(&a, 6 + i);
    a.known.came[a.known.n_came++] = (double)NAN;
    eta_recall(&b, &a.known);
    assert_true(near(eta_rate(&b, ETA_DENOISE, PX_CLASS, 2, 1), 5e9) && near(b.known.tail_s, 0.03));
    assert_true(near(eta_rate(&b, ETA_DECODE, PX_CLASS, 2, 1), 5e9)
                && b.known.judged[ETA_WAITS] == ETA_JUDGED);
    assert_true(b.known.n_came == 2 && b.known.came[1] == 7);
}

/* catches: a forecast that leaves out what copying weights costs:
 * one second before ten steps of a tenth */
static void swapping_is_a_part_of_the_rate(void **state)
{
    struct eta e;
    struct job_plan p = plan(0, 1e9);
    const struct glm_progress begin = {.total = 0};

    (void)state;
    eta_init(&e, 1e9);
    for (int picture = 0; picture < 12; picture++)
        for (int q = 0; q < 10; q++)
            eta_learn(&e, ETA_DENOISE, PX_CLASS, 1, 1e8, q ? 100000 : 1100000, 10);
    assert_true(fabs(eta_seconds(&e, &p.cost, &begin, PX) - 2) < 0.15);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(uneven_quanta_average_by_time),
        cmocka_unit_test(old_measurements_fade_within_some_pictures),
        cmocka_unit_test(what_was_not_measured_borrows_from_the_nearest),
        cmocka_unit_test(a_short_measurement_says_little_of_other_sizes),
        cmocka_unit_test(nonsense_teaches_nothing),
        cmocka_unit_test(the_range_is_earned),
        cmocka_unit_test(nine_of_ten_are_inside),
        cmocka_unit_test(each_kind_has_its_own_record),
        cmocka_unit_test(a_job_is_ranked_among_the_newest),
        cmocka_unit_test(what_a_member_adds_is_its_arithmetic),
        cmocka_unit_test(an_earlier_start_is_recalled),
        cmocka_unit_test(swapping_is_a_part_of_the_rate),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
