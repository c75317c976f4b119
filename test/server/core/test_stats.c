/* test_stats - the figures of the statistics. */
#include "server/core/stats.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <math.h>

/* catches: ends that are counted for ever, twice, or from before the window */
static void pictures_a_minute_over_ten_minutes(void **state)
{
    struct stats t = {.begun = false};
    int64_t s = 1000000;

    (void)state;
    assert_true(isnan(stats_pictures(&t, 5 * s)));
    stats_begin(&t, 5 * s);
    assert_true(isnan(stats_pictures(&t, 5 * s)));
    stats_begin(&t, 50 * s); /* too late */
    for (int i = 0; i < 60; i++)
        stats_end(&t, (5 + i) * s, JOB_DONE);
    stats_end(&t, 64 * s, JOB_FAILED);
    stats_end(&t, 64 * s, JOB_CANCELLED);
    assert_true(fabs(stats_pictures(&t, 65 * s) - 60) < 0.01);
    assert_true(fabs(stats_pictures(&t, 605 * s) - 5.5) < 0.01); /* the first slot has left */
    assert_true(stats_pictures(&t, 640 * s) < 4);
    assert_true(stats_pictures(&t, 10000 * s) < 1e-9);
    stats_end(&t, 10000 * s, JOB_DONE);
    assert_true(fabs(stats_pictures(&t, 10000 * s) - 0.1) < 1e-9);
    assert_true(t.done == 61 && t.failed == 1 && t.cancelled == 1);
}

/* catches: a batch that counts as one token */
static void a_batch_makes_as_many_tokens_as_it_has_pictures(void **state)
{
    struct stats t = {.begun = false};

    (void)state;
    stats_begin(&t, 0);
    assert_true(isnan(stats_rate(&t, GLM_PRIOR)));
    for (int i = 0; i < 100; i++)
        stats_quantum(&t, GLM_PRIOR, 4, 20000);
    stats_quantum(&t, GLM_PRIOR, 4, 0);
    stats_quantum(&t, GLM_DONE, 4, 100);
    assert_true(fabs(stats_rate(&t, GLM_PRIOR) - 200) < 1e-6);
}

/* catches: a bound that belongs to the next bucket, a sum without its outliers, a batch lost */
static void totals_only_grow(void **state)
{
    struct stats t;
    const struct stats_histogram *wait = &t.totals.wait[LANE_BATCH];

    (void)state;
    stats_init(&t);
    stats_wait(&t, LANE_BATCH, 1000000);
    stats_wait(&t, LANE_BATCH, 1000001);
    stats_wait(&t, LANE_BATCH, INT64_C(7200000000));
    stats_wait(&t, LANE_BATCH, -5);
    assert_true(wait->n == 4 && wait->count[3] == 1 && wait->count[4] == 1);
    assert_true(wait->count[STATS_BOUNDS] == 1 && wait->count[0] == 1);
    assert_true(fabs(wait->sum - 7202.000001) < 1e-6);
    assert_true(t.totals.wait[LANE_URGENT].n == 0 && t.totals.run[LANE_BATCH].n == 0);
    stats_estimate(&t, 0, 5); /* there was no forecast */
    stats_estimate(&t, 1200000, 1000000);
    stats_estimate(&t, 500000, 1000000);
    assert_true(t.totals.error.n == 2 && fabs(t.totals.error.sum - 0.7) < 1e-9);
    for (int i = 0; i < 3; i++)
        stats_quantum(&t, GLM_DENOISE, LIMIT_BATCH, 500000);
    assert_true(t.totals.quanta[GLM_DENOISE] == 3 && t.totals.batch[LIMIT_BATCH] == 3);
    assert_true(fabs(t.totals.seconds[GLM_DENOISE] - 1.5) < 1e-9);
    stats_refusal(&t, ERR_QUEUE_FULL);
    stats_refusal(&t, ERR_LAST);
    assert_true(t.totals.refused[-ERR_QUEUE_FULL] == 1 && t.totals.refused[-ERR_LAST] == 1);
    stats_checkpoint(&t, 100, 2000);
    stats_checkpoint(&t, 0, 500000);
    assert_true(t.totals.checkpoints == 2 && t.totals.checkpoint_bytes == 100);
    assert_true(fabs(t.totals.checkpoint_seconds - 0.502) < 1e-9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pictures_a_minute_over_ten_minutes),
        cmocka_unit_test(a_batch_makes_as_many_tokens_as_it_has_pictures),
        cmocka_unit_test(totals_only_grow),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
