/* test_batcher - no run starves, phases are never mixed, company is kept where it is possible. */
#include "server/core/batcher.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* catches: a batch of two phases, a finished run that is stepped, more than the batch may hold */
static void the_least_served_leads_and_its_phase_goes_along(void **state)
{
    struct batcher_run r[] = {{GLM_PRIOR, 50, 0, 0},  {GLM_DENOISE, 10, 0, 0},
                              {GLM_PRIOR, 20, 0, 0},  {GLM_DONE, 0, 0, 0},
                              {GLM_DENOISE, 5, 0, 0}, {GLM_DENOISE, 90, 0, 0}};
    int picked[LIMIT_BATCH];

    (void)state;
    assert_int_equal(batcher_pick(r, 6, LIMIT_BATCH, BATCHER_ALL, picked), 3);
    assert_true(picked[0] == 4 && picked[1] == 1 && picked[2] == 5);
    assert_int_equal(batcher_pick(r, 6, 2, BATCHER_ALL, picked), 2);
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
    struct batcher_run r[] = {
        {GLM_PRIOR, 5, 0, 1}, {GLM_PRIOR, 7, 0, 0}, {GLM_PRIOR, 6, 0, 1}, {GLM_PRIOR, 9, 0, 0}};
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
        int64_t us = r[picked[0]].reading ? 200000 : 500;

        *(r[picked[0]].reading ? &read : &drawn) += us;
        batcher_charge(r, 4, picked, n, us);
    }
    assert_true(llabs(read - drawn) <= read / 20);
}

/* catches: a phase of short quanta that waits behind one of long ones, or the reverse */
static void device_time_is_shared_not_turns(void **state)
{
    struct batcher_run r[] = {{GLM_PRIOR, 0, 0, 0}, {GLM_DENOISE, 0, 0, 0}};
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
    struct batcher_run r[3] = {
        {GLM_DENOISE, 9000000, 0, 0}, {GLM_DENOISE, 8000000, 0, 0}, {GLM_PRIOR, 0, 0, 0}};
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
    struct batcher_run r[] = {{GLM_PRIOR, 0, 0, 0}, {GLM_DENOISE, 0, 0, 0}};
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

enum { EARLY = 1 << GLM_GLYPH | 1 << GLM_PRIOR, LATE = 1 << GLM_DENOISE | 1 << GLM_DECODE };

/* catches: a change of weights for every quantum, as the least served would have it */
static void all_priors_are_done_before_one_change(void **state)
{
    struct batcher_run r[] = {{GLM_PRIOR, 0, 0, 0}, {GLM_GLYPH, 0, 0, 0}, {GLM_PRIOR, 0, 0, 0}};
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
    struct batcher_run r[] = {{GLM_DENOISE, 0, 0, 0}, {GLM_PRIOR, 0, 0, 0}};
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
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
