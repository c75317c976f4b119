/* test_timeline - the future is played in order, as the batcher shares the device. */
#include "server/core/timeline.h"

#include "test/server/core/eta_harness.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define WAITS(p) .plan = (p), .turn.lane = LANE_NORMAL

static void simulate(const struct eta *e, struct timeline_item *items, int residents, int n,
                     int cap, const struct ledger *l)
{
    const struct dispatch_state one = {
        .device = {{.cap = cap, .ledger = *l}}, .devices = 1, .limit = LEDGER_MAX};

    timeline_play(e, items, residents, n, &one, NULL);
}

/* catches: a queue played out of order, more at a time than the cap, places without memory */
static void the_queue_is_played_in_order(void **state)
{
    struct eta e;
    struct job_plan p = plan(1e9, 1e9);
    struct timeline_item it[6];
    struct ledger l;

    (void)state;
    eta_init(&e, 1e9);                                /* each job: 2 s of device time */
    p.cost.flops[GLM_PRIOR] = p.cost.work[GLM_PRIOR]; /* nothing to share */
    ledger_init(&l, 1000);
    for (int i = 0; i < 6; i++)
        it[i] = (struct timeline_item){WAITS(&p), .pixels = PX};
    it[0].view = (struct glm_progress){
        .phase = GLM_DENOISE, .done = 5, .total = 10, .left = 0.5}; /* 0.5 s left */
    simulate(&e, it, 1, 6, 1, &l);
    for (int i = 0; i < 6; i++) {
        assert_true(near(it[i].start_s, i == 0 ? 0 : 0.5 + 2 * (i - 1)));
        assert_true(near(it[i].end_s, 0.5 + 2 * i));
    }
    simulate(&e, it, 1, 6, 2, &l); /* they take their places earlier, and end as before */
    for (int i = 0; i < 6; i++) {
        assert_true(near(it[i].start_s, i < 2 ? 0 : 0.5 + 2 * (i - 2)));
        assert_true(near(it[i].end_s, 0.5 + 2 * i));
    }
    l.budget = 150; /* one at a time, whatever the cap says */
    simulate(&e, it, 0, 3, 4, &l);
    assert_true(near(it[1].start_s, 0.5) && near(it[2].start_s, 2.5));
    l.budget = 50; /* none fits: nothing can be said, and the loop ends */
    simulate(&e, it, 0, 3, 4, &l);
    assert_true(it[0].start_s < 0 && it[2].end_s < 0);
}

/* catches: a job without a plan yet that stops the forecast or gets a time that
 * cannot be known */
static void behind_an_unknown_job_nothing_is_known(void **state)
{
    struct eta e;
    struct job_plan p = plan(1e9, 0);
    struct timeline_item it[3] = {
        {WAITS(&p), .pixels = PX}, {WAITS(NULL)}, {WAITS(&p), .pixels = PX}};
    struct ledger l;

    (void)state;
    eta_init(&e, 1e9);
    ledger_init(&l, 1000);
    simulate(&e, it, 0, 3, 2, &l);
    assert_true(near(it[0].end_s, 1) && it[1].start_s < 0 && it[2].end_s < 0);
}

/* catches: an estimate that forgets the second device,
 * or gives it what the first one has no memory for */
static void two_devices_halve_the_wait(void **state)
{
    struct eta e;
    struct job_plan p = plan(1e9, 0);
    struct timeline_item it[4];
    struct dispatch_state on = {.devices = 2, .limit = 2};

    (void)state;
    eta_init(&e, 1e9);
    for (int i = 0; i < 4; i++)
        it[i] = (struct timeline_item){WAITS(&p), .pixels = PX};
    it[0].view = (struct glm_progress){.phase = GLM_PRIOR, .done = 5, .total = 10, .left = 0.5};
    it[0].device = 1;
    for (int d = 0; d < 2; d++)
        on.device[d] = (struct dispatch_device){.cap = 1, .ledger = {.budget = 1000}};
    timeline_play(&e, it, 1, 4, &on, NULL);
    assert_true(near(it[0].end_s, 0.5) && near(it[1].start_s, 0) && near(it[2].start_s, 0.5));
    assert_true(it[1].device == 0 && it[2].device == 1 && near(it[3].start_s, 1));
    on.limit = 1; /* one at a time on both, as with --concurrency 1 */
    timeline_play(&e, it, 1, 4, &on, NULL);
    assert_true(near(it[1].start_s, 0.5) && near(it[2].start_s, 1.5) && near(it[3].start_s, 2.5));
    on.limit = 2;
    on.device[1].cap = 0; /* away */
    timeline_play(&e, it, 0, 4, &on, NULL);
    assert_true(near(it[3].start_s, 2.5));
}

/* catches: a small picture that is forecast at the pace of large ones; large ones that are forecast
 * as if they shared the device */
static void small_ones_pass_who_can_wait(void **state)
{
    struct eta e;
    struct job_plan large = plan(0, 8e9), small = plan(0, 1e9);
    struct timeline_item it[4];
    struct ledger l;

    (void)state;
    eta_init(&e, 1e9);
    ledger_init(&l, 1000);
    for (int i = 0; i < 4; i++)
        it[i] = (struct timeline_item){WAITS(i < 3 ? &large : &small), .pixels = PX};
    simulate(&e, it, 0, 4, 4, &l);
    assert_true(near(it[3].end_s, 1));
    for (int i = 0; i < 3; i++)
        assert_true(near(it[i].end_s, 9 + 8 * i));
    it[0].view = (struct glm_progress){
        .phase = GLM_DENOISE, .done = 5, .total = 10, .left = 0.5}; /* 4 s left */
    it[0].place = (struct order_place){.at = 7, .delay_s = 1.1};
    simulate(&e, it, 1, 4, 4, &l);
    assert_true(near(it[3].end_s, 1) && near(it[0].end_s, 5));
    it[0].place.delay_s = 0.9;
    simulate(&e, it, 1, 4, 4, &l);
    assert_true(near(it[3].end_s, 5) && near(it[0].end_s, 4));
    assert_true(near(it[0].place.delay_s, 0.9)); /* of items nothing is used up */
}

/* catches: tokens that are forecast as if each read the weights for itself; a prompt that shares */
static void tokens_go_faster_together(void **state)
{
    struct eta e;
    struct job_plan p = plan(1e9, 0);
    struct timeline_item it[2];
    struct ledger l;

    (void)state;
    eta_init(&e, 1e9);
    ledger_init(&l, 1000);
    eta_learn(&e, ETA_TOKENS, 0, 1, 1e15, 1000000000000, 10);
    eta_learn(&e, ETA_TOKENS, 0, 2, 2e15, 1250000000000, 10); /* 1.6 times the throughput */
    for (int i = 0; i < 2; i++)
        it[i] = (struct timeline_item){WAITS(&p), .pixels = PX};
    simulate(&e, it, 0, 2, 2, &l);
    assert_true(near(it[0].end_s, 1.25) && near(it[1].end_s, 1.25));
    p.cost.prefill = 0.5;
    eta_learn(&e, ETA_PREFILL, 0, 1, 1e15, 1000000000000, 1);
    simulate(&e, it, 0, 2, 2, &l);
    assert_true(near(it[0].end_s, 1 + 0.625));
    p.cost.prefill = 0.6; /* the second's prompt costs the first more than both gain */
    simulate(&e, it, 0, 2, 2, &l);
    assert_true(near(it[0].end_s, 1) && near(it[1].end_s, 2));
}

/* catches: a pace that is another job's, as it was asked for first: what is borrowed from quanta of
 * one depends on what each job adds to a shared one */
static void each_at_its_own_pace(void **state)
{
    struct eta e;
    struct job_plan light = plan(1e9, 0), heavy = plan(1e9, 0);
    struct timeline_item it[2], turned[2];
    struct ledger l;

    (void)state;
    eta_init(&e, 1e9);
    ledger_init(&l, 1000);
    eta_learn(&e, ETA_TOKENS, 0, 1, 1e15, 1000000000000, 10);
    heavy.cost.flops[GLM_PRIOR] = 0.2e9;
    for (int i = 0; i < 2; i++) {
        it[i] = (struct timeline_item){WAITS(i ? &heavy : &light), .pixels = PX};
        turned[1 - i] = it[i];
    }
    simulate(&e, it, 0, 2, 2, &l);
    simulate(&e, turned, 0, 2, 2, &l);
    assert_true(it[1].end_s < 2); /* they share quanta */
    assert_true(near(it[0].end_s, turned[1].end_s) && near(it[1].end_s, turned[0].end_s));
}

/* catches: a job added to a timeline that gets other times than one that was played with all */
static void what_is_added_is_as_if_it_had_been_there(void **state)
{
    struct eta e;
    struct job_plan p = plan(1e9, 2e9), q = plan(3e9, 1e9);
    struct timeline_item all[12], one;
    struct timeline tail;
    const struct dispatch_state on = {
        .device = {{3, {.budget = 1000}}, {2, {.budget = 1000}}}, .devices = 2, .limit = 4};

    (void)state;
    eta_init(&e, 1e9);
    for (int n = 1; n < 12; n++) {
        for (int i = 0; i <= n; i++)
            all[i] = (struct timeline_item){WAITS(i % 3 ? &p : &q), .pixels = PX};
        timeline_play(&e, all, 0, n, &on, &tail);
        assert_true(tail.open);
        one = all[n];
        timeline_add(&tail, 0, &one);
        timeline_play(&e, all, 0, n + 1, &on, NULL);
        assert_true(near(one.start_s, all[n].start_s) && near(one.end_s, all[n].end_s));
        one = all[n];
        timeline_add(&tail, 1000, &one); /* long after all have ended */
        assert_true(near(one.start_s, 0) && near(one.end_s, n % 3 ? 3 : 4));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_queue_is_played_in_order),
        cmocka_unit_test(behind_an_unknown_job_nothing_is_known),
        cmocka_unit_test(two_devices_halve_the_wait),
        cmocka_unit_test(small_ones_pass_who_can_wait),
        cmocka_unit_test(tokens_go_faster_together),
        cmocka_unit_test(each_at_its_own_pace),
        cmocka_unit_test(what_is_added_is_as_if_it_had_been_there),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
