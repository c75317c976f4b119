/* test_batcher - each gets its share of device time, phases are never mixed, company is kept where
 * it gains. */
#include "server/core/batcher.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { EARLY = 1 << GLM_GLYPH | 1 << GLM_PRIOR, LATE = 1 << GLM_DENOISE | 1 << GLM_DECODE };

/* catches: a batch of two phases, a finished run that is stepped, more than the batch may hold */
static void the_least_served_leads_and_its_phase_goes_along(void **state)
{
    struct batcher_run r[] = {
        {.phase = GLM_PRIOR, .used_us = 50},  {.phase = GLM_DENOISE, .used_us = 10},
        {.phase = GLM_PRIOR, .used_us = 20},  {.phase = GLM_DONE},
        {.phase = GLM_DENOISE, .used_us = 5}, {.phase = GLM_DENOISE, .used_us = 90}};
    int picked[LIMIT_BATCH];

    (void)state;
    for (int i = 0; i < 6; i++)
        r[i].quantum_us = r[i].phase == GLM_DENOISE ? 9000 : 0;
    assert_int_equal(batcher_pick(r, 6, LIMIT_BATCH, LATE, picked), 3);
    assert_true(picked[0] == 4 && picked[1] == 1 && picked[2] == 5);
    assert_int_equal(batcher_pick(r, 6, 2, LATE, picked), 2);
    assert_true(picked[0] == 4 && picked[1] == 1);
    r[4].phase = r[1].phase = r[5].phase = GLM_DONE;
    assert_int_equal(batcher_pick(r, 6, LIMIT_BATCH, BATCHER_ALL, picked), 2);
    assert_true(picked[0] == 2 && picked[1] == 0);
    assert_int_equal(batcher_pick(r, 0, LIMIT_BATCH, BATCHER_ALL, picked), 0);
    assert_int_equal(batcher_pick(&r[3], 1, LIMIT_BATCH, BATCHER_ALL, picked), 0);
}

/* catches: tokens that wait in one quantum with a part of another's long prompt, or device time
 * that a prompt gets beyond its share */
static void a_prompt_is_read_alone(void **state)
{
    struct batcher_run r[] = {{.phase = GLM_PRIOR, .used_us = 5, .prefill = true},
                              {.phase = GLM_PRIOR, .used_us = 7},
                              {.phase = GLM_PRIOR, .used_us = 6, .prefill = true},
                              {.phase = GLM_PRIOR, .used_us = 9}};
    int64_t read = 0, drawn = 0;
    int picked[LIMIT_BATCH];

    (void)state;
    assert_int_equal(batcher_pick(r, 4, LIMIT_BATCH, BATCHER_ALL, picked), 1);
    assert_int_equal(picked[0], 0);
    r[0].used_us = r[2].used_us = 100;
    assert_int_equal(batcher_pick(r, 4, LIMIT_BATCH, BATCHER_ALL, picked), 2);
    assert_true(picked[0] == 1 && picked[1] == 3);
    for (int i = 0; i < 4; i++)
        r[i].used_us = 0;
    for (int i = 0; i < 100000; i++) {
        int n = batcher_pick(r, 4, LIMIT_BATCH, BATCHER_ALL, picked);
        int64_t us = r[picked[0]].prefill ? 200000 : 500;

        *(r[picked[0]].prefill ? &read : &drawn) += us;
        batcher_charge(r, 4, picked, n, us);
    }
    assert_true(llabs(read - drawn) <= read / 20);
}

/* catches: a phase of short quanta that waits behind one of long ones, or the reverse */
static void device_time_is_shared_not_turns(void **state)
{
    struct batcher_run r[] = {{.phase = GLM_PRIOR}, {.phase = GLM_DENOISE}};
    int64_t time[2] = {0, 0}, quantum[2] = {4000, 200000};
    int picked[LIMIT_BATCH], n;

    (void)state;
    for (int i = 0; i < 5000; i++) {
        n = batcher_pick(r, 2, LIMIT_BATCH, BATCHER_ALL, picked);
        assert_int_equal(n, 1);
        time[picked[0]] += quantum[picked[0]];
        batcher_charge(r, 2, picked, n, quantum[picked[0]]);
    }
    assert_true(llabs(time[0] - time[1]) <= 2 * 200000);
}

/* catches: a newcomer that stops the others for as long as they have run already,
 * or waits so long */
static void a_newcomer_starts_level(void **state)
{
    struct batcher_run r[3] = {{.phase = GLM_DENOISE, .used_us = 9000000},
                               {.phase = GLM_DENOISE, .used_us = 8000000},
                               {.phase = GLM_PRIOR}};
    int picked[LIMIT_BATCH], turns = 0;

    (void)state;
    batcher_join(r, 3);
    assert_int_equal(r[2].used_us, 8000000);
    for (int i = 0; i < 100; i++) {
        int n = batcher_pick(r, 3, LIMIT_BATCH, BATCHER_ALL, picked);

        turns += picked[0] == 2;
        batcher_charge(r, 3, picked, n, 10000);
    }
    assert_true(turns > 20 && turns < 80);
    r[0].used_us = 77;
    batcher_join(r, 1);
    assert_int_equal(r[0].used_us, 0);
}

/* catches: a run that is never chosen because its quanta are free of charge */
static void quanta_of_no_time_still_count(void **state)
{
    struct batcher_run r[] = {{.phase = GLM_PRIOR}, {.phase = GLM_DENOISE}};
    int picked[LIMIT_BATCH], led[2] = {0, 0};

    (void)state;
    for (int i = 0; i < 100; i++) {
        int n = batcher_pick(r, 2, LIMIT_BATCH, BATCHER_ALL, picked);

        led[picked[0]]++;
        batcher_charge(r, 2, picked, n, 0);
    }
    assert_int_equal(led[0], 50);
    assert_int_equal(led[1], 50);
}

/* catches: a change of weights for every quantum, as the least served would have it */
static void all_priors_are_done_before_one_change(void **state)
{
    struct batcher_run r[] = {{.phase = GLM_PRIOR}, {.phase = GLM_GLYPH}, {.phase = GLM_PRIOR}};
    int picked[LIMIT_BATCH], left[] = {40, 60, 25}, changes = 0;
    unsigned at_hand = BATCHER_ALL;

    (void)state;
    for (;;) {
        int n = batcher_pick(r, 3, LIMIT_BATCH, at_hand, picked);
        unsigned now;

        if (!n) break;
        now = EARLY >> r[picked[0]].phase & 1 ? EARLY : LATE;
        changes += at_hand != BATCHER_ALL && now != at_hand;
        at_hand = now;
        batcher_charge(r, 3, picked, n, 20000);
        for (int i = 0; i < n; i++) {
            struct batcher_run *p = &r[picked[i]];

            if (--left[picked[i]] > 0) continue;
            p->phase = (enum glm_phase)(p->phase + 1);
            left[picked[i]] = p->phase == GLM_DENOISE ? 10 * (picked[i] + 1) : 5;
        }
    }
    assert_int_equal(changes, 1);
}

/* catches: a run that waits for ever behind others that keep coming */
static void patience_ends(void **state)
{
    struct batcher_run r[] = {{.phase = GLM_DENOISE}, {.phase = GLM_PRIOR}};
    int picked[LIMIT_BATCH];
    int64_t longest = 0;

    (void)state;
    for (int i = 0; i < 30000; i++) {
        int n = batcher_pick(r, 2, LIMIT_BATCH, EARLY, picked);

        batcher_charge(r, 2, picked, n, 10000);
        if (r[0].passed_over_us > longest) longest = r[0].passed_over_us;
    }
    assert_true(longest == BATCHER_PASSED_OVER_US);
    assert_true(r[0].used_us > 0 && r[0].used_us < r[1].used_us / 1000);
}

/* catches: a small picture that moves at the pace of large ones, or is charged for their work */
static void sizes_share_time_and_not_steps(void **state)
{
    struct batcher_run r[4];
    int picked[LIMIT_BATCH];
    int64_t now = 0, steps = 0;

    (void)state;
    for (int i = 0; i < 4; i++)
        r[i] = (struct batcher_run){.phase = GLM_DENOISE,
                                    .cost = i < 3 ? 160e6 : 20e6,
                                    .quantum_us = i < 3 ? 160000 : 20000};
    while (now < 8000000) {
        int n = batcher_pick(r, 4, LIMIT_BATCH, BATCHER_ALL, picked);
        int64_t us = 0;

        for (int i = 0; i < n; i++) {
            us += r[picked[i]].quantum_us;
            steps += picked[i] == 3;
        }
        batcher_charge(r, 4, picked, n, us);
        now += us;
    }
    assert_true(steps >= 92 && steps <= 108); /* a quarter of 8 s */
    for (int i = 0; i < 4; i++)
        assert_true(llabs(r[i].used_us - 2000000) <= 160000);
}

/* catches: short quanta that gain by sharing and are computed one by one; and one that joins
 * although it has had more than its share */
static void short_quanta_are_shared_by_level_runs(void **state)
{
    struct batcher_run r[5];
    int picked[LIMIT_BATCH];

    (void)state;
    for (int i = 0; i < 5; i++)
        r[i] = (struct batcher_run){.phase = GLM_DENOISE, .cost = 7, .quantum_us = 7000};
    assert_int_equal(batcher_pick(r, 5, LIMIT_BATCH, BATCHER_ALL, picked), 4);
    r[1].used_us = 7001;
    assert_int_equal(batcher_pick(r, 5, LIMIT_BATCH, BATCHER_ALL, picked), 4);
    assert_true(picked[0] == 0 && picked[1] == 2 && picked[2] == 3 && picked[3] == 4);
    r[1].phase = r[0].phase = GLM_PRIOR;
    r[0].quantum_us = 5000;
    assert_int_equal(batcher_pick(r, 2, LIMIT_BATCH, BATCHER_ALL, picked), 2);
    for (int i = 0; i < 2; i++)
        r[i].cost = 1 + 2 * i;
    assert_true(batcher_part(r, picked, 2, 0) == 0.25 && batcher_part(r, picked, 2, 1) == 0.75);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_least_served_leads_and_its_phase_goes_along),
        cmocka_unit_test(a_prompt_is_read_alone),
        cmocka_unit_test(device_time_is_shared_not_turns),
        cmocka_unit_test(a_newcomer_starts_level),
        cmocka_unit_test(quanta_of_no_time_still_count),
        cmocka_unit_test(all_priors_are_done_before_one_change),
        cmocka_unit_test(patience_ends),
        cmocka_unit_test(sizes_share_time_and_not_steps),
        cmocka_unit_test(short_quanta_are_shared_by_level_runs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
