/* test_eta - rates are learnt, the future is played in order, and nothing ever is not a number. */
#include "server/core/eta.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <math.h>

enum { PX = 256 * 256 };

static struct job_plan plan(double prior, double denoise)
{
    struct job_plan p = {.scratch_more = 0};

    p.cost.run_bytes = 100;
    p.cost.scratch_bytes = 10;
    p.cost.flops[GLM_PRIOR] = prior;
    p.cost.flops[GLM_DENOISE] = denoise;
    p.cost.quanta[GLM_PRIOR] = p.cost.quanta[GLM_DENOISE] = 10;
    return p;
}

static bool near(double a, double b)
{
    return fabs(a - b) <= 1e-6 * (1 + fabs(b));
}

static void simulate(const struct eta *e, struct eta_item *items, int residents, int n, int cap,
                     const struct ledger *l)
{
    const struct dispatch_state one = {.device = {{cap, *l}}, .devices = 1, .limit = LEDGER_MAX};

    eta_simulate(e, items, residents, n, &one);
}

/* catches: a rate that is the mean of rates instead of work over time */
static void uneven_quanta_average_by_time(void **state)
{
    struct eta e;

    (void)state;
    eta_init(&e, 1e9);
    for (int i = 0; i < 400; i++) {
        eta_learn(&e, GLM_PRIOR, PX, 1, 1e6, 100000, 10); /* a prefill: slow */
        for (int t = 0; t < 9; t++)
            eta_learn(&e, GLM_PRIOR, PX, 1, 1e6, 10000, 10);
    }
    /* 10e6 FLOPs in 190 ms */
    assert_true(fabs(eta_rate(&e, GLM_PRIOR, PX, 1) / (10e6 / 0.19) - 1) < 0.2);
}

/* catches: an estimate that still remembers an idle machine after it has become a busy one */
static void old_measurements_fade_within_some_pictures(void **state)
{
    struct eta e;

    (void)state;
    eta_init(&e, 1e9);
    for (int i = 0; i < 5000; i++)
        eta_learn(&e, GLM_DENOISE, PX, 1, 1e6, 10000, 20);
    for (int i = 0; i < 10 * 20; i++) /* ten pictures */
        eta_learn(&e, GLM_DENOISE, PX, 1, 1e6, 20000, 20);
    assert_true(fabs(eta_rate(&e, GLM_DENOISE, PX, 1) / 50e6 - 1) < 0.1);
}

/* catches: an estimate that jumps to the guess as soon as something is a little different */
static void what_was_not_measured_borrows_from_the_nearest(void **state)
{
    struct eta e;

    (void)state;
    eta_init(&e, 123);
    assert_true(near(eta_rate(&e, GLM_PRIOR, PX, 1), 123));
    eta_learn(&e, GLM_PRIOR, PX, 2, 1e6, 1000, 10);
    eta_learn(&e, GLM_PRIOR, PX, 8, 4e6, 1000, 10);
    eta_learn(&e, GLM_PRIOR, 4 * PX, 1, 7e6, 1000, 10);
    assert_true(near(eta_rate(&e, GLM_PRIOR, PX, 2), 1e9));
    assert_true(near(eta_rate(&e, GLM_PRIOR, PX, 4), 1e9));
    assert_true(near(eta_rate(&e, GLM_PRIOR, PX, 7), 4e9));
    assert_true(near(eta_rate(&e, GLM_PRIOR, 8 * PX, 4), 7e9));
    assert_true(near(eta_rate(&e, GLM_DENOISE, PX, 1), 12e6 / (3e-3) * 1)
                || fabs(eta_rate(&e, GLM_DENOISE, PX, 1) / 4e9 - 1) < 0.1);
}

/* catches: NaN or infinity from quanta without work or without time */
static void nonsense_teaches_nothing(void **state)
{
    struct eta e;
    double low, high;

    (void)state;
    eta_init(&e, -5);
    assert_true(eta_rate(&e, GLM_PRIOR, PX, 1) > 0);
    eta_learn(&e, GLM_PRIOR, PX, 1, 0, 1000, 10);
    eta_learn(&e, GLM_PRIOR, PX, 1, (double)NAN, 1000, 10);
    eta_learn(&e, GLM_PRIOR, PX, 1, 1e6, 0, 10);
    eta_learn(&e, GLM_PRIOR, PX, 0, 1e6, 10, 10);
    eta_learn(&e, GLM_PRIOR, PX, LIMIT_BATCH + 1, 1e6, 10, 10);
    eta_learn(&e, GLM_DONE, PX, 1, 1e6, 10, 10);
    assert_true(near(eta_rate(&e, GLM_PRIOR, PX, 1), 1e10));
    eta_judge(&e, 0, 100);
    eta_judge(&e, 100, 0);
    eta_range(&e, 10, &low, &high);
    assert_true(low > 0 && low < 10 && high > 10 && isfinite(high));
}

/* catches: a queue played out of order, more at a time than the cap, places without memory */
static void the_queue_is_played_in_order(void **state)
{
    struct eta e;
    struct job_plan p = plan(1e9, 1e9);
    struct eta_item it[6];
    struct ledger l;

    (void)state;
    eta_init(&e, 1e9); /* each job: 2 s of device time */
    ledger_init(&l, 1000);
    for (int i = 0; i < 6; i++)
        it[i] = (struct eta_item){.plan = &p, .pixels = PX};
    it[0].view = (struct glm_progress){
        .phase = GLM_DENOISE, .done = 5, .total = 10, .left = 0.5}; /* 0.5 s left */
    simulate(&e, it, 1, 6, 1, &l);
    for (int i = 0; i < 6; i++) {
        assert_true(near(it[i].start_s, i == 0 ? 0 : 0.5 + 2 * (i - 1)));
        assert_true(near(it[i].end_s, 0.5 + 2 * i));
    }
    simulate(&e, it, 1, 6, 2, &l); /* shared: 0 ends after 1 s, 1 has 1.5 s left then */
    assert_true(near(it[0].end_s, 1) && near(it[1].start_s, 0) && near(it[2].start_s, 1));
    assert_true(near(it[1].end_s, 4) && near(it[5].end_s, 10.5));
    l.budget = 150; /* one at a time, whatever the cap says */
    simulate(&e, it, 0, 3, 4, &l);
    assert_true(near(it[1].start_s, 0.5) && near(it[2].start_s, 2.5));
    l.budget = 50; /* none fits: nothing can be said, and the loop ends */
    simulate(&e, it, 0, 3, 4, &l);
    assert_true(it[0].start_s < 0 && it[2].end_s < 0);
}

/* catches: a job without a plan yet that stops the forecast or gets a time that cannot be known */
static void behind_an_unknown_job_nothing_is_known(void **state)
{
    struct eta e;
    struct job_plan p = plan(1e9, 0);
    struct eta_item it[3] = {
        {.plan = &p, .pixels = PX}, {.plan = NULL}, {.plan = &p, .pixels = PX}};
    struct ledger l;

    (void)state;
    eta_init(&e, 1e9);
    ledger_init(&l, 1000);
    simulate(&e, it, 0, 3, 2, &l);
    assert_true(near(it[0].end_s, 1) && it[1].start_s < 0 && it[2].end_s < 0);
}

/* catches: a range that stays wide although forecasts are good, or narrow although they are bad */
static void the_range_is_earned(void **state)
{
    struct eta e;
    double low, high, wide;

    (void)state;
    eta_init(&e, 1e9);
    eta_range(&e, 10, &low, &wide);
    assert_true(wide > 30);
    for (int i = 0; i < 100; i++)
        eta_judge(&e, 1000000, 1050000);
    eta_range(&e, 10, &low, &high);
    assert_true(low > 8.5 && high > 10.5 && high < 12);
    for (int i = 0; i < 100; i++)
        eta_judge(&e, 1000000, 3000000);
    eta_range(&e, 10, &low, &high);
    assert_true(high > 30);
    eta_tail(&e, 20000);
    assert_true(near(e.tail_s, 0.02));
}

/* catches: an estimate that forgets the second device,
 * or gives it what the first one has no memory for */
static void two_devices_halve_the_wait(void **state)
{
    struct eta e;
    struct job_plan p = plan(1e9, 0);
    struct eta_item it[4];
    struct dispatch_state on = {.devices = 2, .limit = 2};

    (void)state;
    eta_init(&e, 1e9);
    for (int i = 0; i < 4; i++)
        it[i] = (struct eta_item){.plan = &p, .pixels = PX};
    it[0].view = (struct glm_progress){.phase = GLM_PRIOR, .done = 5, .total = 10, .left = 0.5};
    it[0].device = 1;
    for (int d = 0; d < 2; d++)
        on.device[d] = (struct dispatch_device){1, {.budget = 1000}};
    eta_simulate(&e, it, 1, 4, &on);
    assert_true(near(it[0].end_s, 0.5) && near(it[1].start_s, 0) && near(it[2].start_s, 0.5));
    assert_true(it[1].device == 0 && it[2].device == 1 && near(it[3].start_s, 1));
    on.limit = 1; /* one at a time on both, as with --concurrency 1 */
    eta_simulate(&e, it, 1, 4, &on);
    assert_true(near(it[1].start_s, 0.5) && near(it[2].start_s, 1.5) && near(it[3].start_s, 2.5));
    on.limit = 2;
    on.device[1].cap = 0; /* away */
    eta_simulate(&e, it, 0, 4, &on);
    assert_true(near(it[3].start_s, 2.5));
}

/* catches: a forecast that leaves out what copying weights costs:
 * one second before ten steps of a tenth */
static void swapping_is_a_part_of_the_rate(void **state)
{
    struct eta e;
    struct job_plan p = plan(0, 1e9);
    struct eta_item it = {.plan = &p, .pixels = PX};

    (void)state;
    eta_init(&e, 1e9);
    for (int picture = 0; picture < 12; picture++)
        for (int q = 0; q < 10; q++)
            eta_learn(&e, GLM_DENOISE, PX, 1, 1e8, q ? 100000 : 1100000, 10);
    assert_true(fabs(eta_seconds(&e, &it, 1) - 2) < 0.15);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(uneven_quanta_average_by_time),
        cmocka_unit_test(old_measurements_fade_within_some_pictures),
        cmocka_unit_test(what_was_not_measured_borrows_from_the_nearest),
        cmocka_unit_test(nonsense_teaches_nothing),
        cmocka_unit_test(the_queue_is_played_in_order),
        cmocka_unit_test(behind_an_unknown_job_nothing_is_known),
        cmocka_unit_test(the_range_is_earned),
        cmocka_unit_test(two_devices_halve_the_wait),
        cmocka_unit_test(swapping_is_a_part_of_the_rate),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
