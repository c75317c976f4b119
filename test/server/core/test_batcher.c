/* test_batcher - the first in the order is served first, phases are never mixed, company is
 * kept where it gains. */
#include "server/core/batcher.h"

#include "test/server/core/eta_harness.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { EARLY = 1 << GLM_GLYPH | 1 << GLM_PRIOR, LATE = 1 << GLM_DENOISE | 1 << GLM_DECODE };

/* Of pictures without condition images. */
static enum glm_phase next_phase(enum glm_phase p)
{
    return p == GLM_GLYPH ? GLM_PRIOR : (enum glm_phase)(p + 1);
}

/* catches: a batch of two phases, a finished run that is stepped, more than the batch may hold */
static void the_first_in_the_order_leads_and_its_phase_goes_along(void **state)
{
    struct batcher_run r[] = {
        {.phase = GLM_PRIOR, .place = 50},  {.phase = GLM_DENOISE, .place = 10},
        {.phase = GLM_PRIOR, .place = 20},  {.phase = GLM_DONE},
        {.phase = GLM_DENOISE, .place = 5}, {.phase = GLM_DENOISE, .place = 90}};
    int picked[LIMIT_BATCH];

    (void)state;
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

/* catches: tokens that wait in one quantum with a part of another's long prompt */
static void a_prompt_is_read_alone(void **state)
{
    struct batcher_run r[] = {{.phase = GLM_PRIOR, .place = 5, .prefill = true, .ahead = 9},
                              {.phase = GLM_PRIOR, .place = 7},
                              {.phase = GLM_PRIOR, .place = 6, .prefill = true, .ahead = 9},
                              {.phase = GLM_PRIOR, .place = 9}};
    int picked[LIMIT_BATCH];

    (void)state;
    assert_int_equal(batcher_pick(r, 4, LIMIT_BATCH, BATCHER_ALL, picked), 1);
    assert_int_equal(picked[0], 0);
    r[0].place = r[2].place = 100;
    assert_int_equal(batcher_pick(r, 4, LIMIT_BATCH, BATCHER_ALL, picked), 2);
    assert_true(picked[0] == 1 && picked[1] == 3);
}

/* catches: company that slows the leader by more than it gains; company that is not kept although
 * it costs nearly nothing, whichever run leads */
static void company_is_kept_where_it_gains(void **state)
{
    struct batcher_run r[5];
    int picked[LIMIT_BATCH];

    (void)state;
    for (int i = 0; i < 5; i++)
        r[i] = (struct batcher_run){.phase = GLM_DENOISE, .place = i, .own = 0.5};
    assert_int_equal(batcher_pick(r, 5, LIMIT_BATCH, BATCHER_ALL, picked), 5);
    r[1].own = 0.51;
    assert_int_equal(batcher_pick(r, 5, LIMIT_BATCH, BATCHER_ALL, picked), 4);
    assert_true(picked[0] == 0 && picked[1] == 2 && picked[2] == 3 && picked[3] == 4);
    r[1].place = -1; /* a large one leads, small ones go along */
    assert_int_equal(batcher_pick(r, 5, LIMIT_BATCH, BATCHER_ALL, picked), 5);
    assert_true(picked[0] == 1 && picked[1] == 0);
    for (int i = 0; i < 5; i++)
        r[i].own = 1;
    assert_int_equal(batcher_pick(r, 5, LIMIT_BATCH, BATCHER_ALL, picked), 1);
    assert_int_equal(picked[0], 1);
}

/* catches: runs that come to their tokens one after the other, so that none are ever shared; a long
 * prompt that holds up a leader with few tokens left */
static void one_that_can_share_tokens_is_brought_to_them(void **state)
{
    struct batcher_run r[] = {
        {.phase = GLM_PRIOR, .place = 1, .own = 0.1, .tokens = 100},
        {.phase = GLM_PRIOR, .place = 9, .prefill = true, .ahead = 81, .tokens = 100},
        {.phase = GLM_GLYPH, .place = 8, .ahead = 80, .tokens = 300},
        {.phase = GLM_DENOISE, .place = 2}};
    int picked[LIMIT_BATCH];

    (void)state;
    assert_int_equal(batcher_pick(r, 4, LIMIT_BATCH, BATCHER_ALL, picked), 1);
    assert_int_equal(picked[0], 2); /* 80 + 10 of the 180 that it would take alone */
    assert_int_equal(batcher_pick(r, 4, LIMIT_BATCH, 1 << GLM_PRIOR, picked), 1);
    assert_int_equal(picked[0], 0); /* not where other weights would have to come */
    r[0].tokens = 99;
    assert_int_equal(batcher_pick(r, 4, LIMIT_BATCH, BATCHER_ALL, picked), 1);
    assert_int_equal(picked[0], 0);
    r[0].tokens = 102; /* no more can be shared than the other has itself */
    r[2].phase = GLM_DONE;
    assert_int_equal(batcher_pick(r, 4, LIMIT_BATCH, BATCHER_ALL, picked), 1);
    assert_int_equal(picked[0], 0);
    r[1].ahead = 80;
    r[1].urgent = true; /* then it leads anyway */
    assert_int_equal(batcher_pick(r, 4, LIMIT_BATCH, BATCHER_ALL, picked), 1);
    assert_int_equal(picked[0], 1);
    r[1].urgent = false;
    r[0].urgent = true;
    assert_int_equal(batcher_pick(r, 4, LIMIT_BATCH, BATCHER_ALL, picked), 1);
    assert_int_equal(picked[0], 0);
}

/* --- pictures in an order --------------------------------------------------------------------- */

enum { RUNS = 6 };

/* Quanta of a phase of each, as long as they like; alone or together they take the same. */
struct pictures {
    struct batcher_run run[RUNS];
    int left[RUNS][GLM_PHASES]; /* quanta */
    int64_t quantum_us[RUNS], cost_us[RUNS], end_us[RUNS];
};

static void make(struct pictures *p, unsigned seed)
{
    for (int i = 0; i < RUNS; i++) {
        p->cost_us[i] = 0;
        p->quantum_us[i] = 1000 * (1 + (int64_t)(seed * 7919u + (unsigned)i * 104729u) % 200);
        for (int k = 0; k < GLM_PHASES; k++) {
            p->left[i][k] = 1 + (int)((seed * 31u + (unsigned)(i * 17 + k * 5)) % 9);
            p->cost_us[i] += p->left[i][k] * p->quantum_us[i];
        }
        p->run[i] = (struct batcher_run){.place = (int)(seed * 5 + (unsigned)i * 3) % 7, .own = 1};
    }
}

/* When it ends if each has the device alone until it is through. */
static int64_t end_in_order_us(const struct pictures *p, int run)
{
    int64_t us = 0;

    for (int i = 0; i < RUNS; i++)
        if (p->run[i].place <= p->run[run].place) us += p->cost_us[i];
    return us;
}

static int64_t step(struct pictures *p, int run)
{
    if (--p->left[run][p->run[run].phase] == 0)
        p->run[run].phase = (enum glm_phase)(p->run[run].phase + 1);
    return p->quantum_us[run];
}

/* catches: a picture that moves at the pace of others, a phase of short quanta that waits behind
 * one of long ones, or the reverse; one that shares what it need not */
static void each_has_the_device_until_it_is_through(void **state)
{
    (void)state;
    for (unsigned seed = 1; seed <= 200; seed++) {
        struct pictures p;
        int64_t now = 0;
        int picked[LIMIT_BATCH];

        make(&p, seed);
        while (batcher_pick(p.run, RUNS, LIMIT_BATCH, BATCHER_ALL, picked) > 0) {
            now += step(&p, picked[0]);
            if (p.run[picked[0]].phase == GLM_DONE) p.end_us[picked[0]] = now;
        }
        for (int i = 0; i < RUNS; i++)
            assert_int_equal(p.end_us[i], end_in_order_us(&p, i));
    }
}

/* catches: a run that is never chosen because its quanta are free of charge */
static void quanta_of_no_time_still_count(void **state)
{
    struct pictures p;
    int picked[LIMIT_BATCH], quanta = 0, all = 0;

    (void)state;
    make(&p, 5);
    for (int i = 0; i < RUNS; i++)
        for (int k = 0; k < GLM_PHASES; k++)
            all += p.left[i][k];
    while (batcher_pick(p.run, RUNS, LIMIT_BATCH, BATCHER_ALL, picked) > 0) {
        step(&p, picked[0]);
        batcher_passed(p.run, RUNS, picked, 1, 0);
        assert_true(++quanta <= all);
    }
    assert_int_equal(quanta, all);
}

/* catches: a change of weights for every quantum, as the order would have it */
static void all_priors_are_done_before_one_change(void **state)
{
    struct batcher_run r[] = {{.phase = GLM_PRIOR, .place = 1},
                              {.phase = GLM_GLYPH, .place = 2},
                              {.phase = GLM_PRIOR, .place = 3}};
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
        batcher_passed(r, 3, picked, n, 20000);
        for (int i = 0; i < n; i++) {
            struct batcher_run *p = &r[picked[i]];

            if (--left[picked[i]] > 0) continue;
            p->phase = next_phase(p->phase);
            left[picked[i]] = p->phase == GLM_DENOISE ? 10 * (picked[i] + 1) : 5;
        }
    }
    assert_int_equal(changes, 1);
}

/* catches: a run that waits for ever behind others that keep coming, in phases that are at hand or
 * urgent */
static void patience_ends(void **state)
{
    struct batcher_run r[] = {{.phase = GLM_DENOISE, .place = 1}, {.phase = GLM_PRIOR, .place = 2}};
    int picked[LIMIT_BATCH];

    (void)state;
    for (int urgent = 0; urgent < 2; urgent++) {
        int64_t longest = 0;
        int led = 0;

        r[1].urgent = urgent;
        for (int i = 0; i < 30000; i++) {
            int n = batcher_pick(r, 2, LIMIT_BATCH, urgent ? BATCHER_ALL : EARLY, picked);

            led += picked[0] == 0;
            batcher_passed(r, 2, picked, n, 10000);
            if (r[0].passed_over_us > longest) longest = r[0].passed_over_us;
        }
        assert_true(longest == BATCHER_PASSED_OVER_US);
        assert_true(led > 0 && led <= 5);
    }
}

/* catches: a look that says another stage, or another share of it, than the plan */
static void a_run_is_seen_as_planned(void **state)
{
    struct job_plan p = plan(1e9, 1e9);
    struct glm_progress v = {.phase = GLM_PRIOR, .total = 10, .left = 1, .prefill = 1};
    struct batcher_run r = {.place = 7, .urgent = true, .passed_over_us = 5};

    (void)state;
    p.cost.prefill = 0.25;
    batcher_look(&r, &p.cost, &v);
    assert_true(r.prefill && near(r.ahead, 0.25e9) && near(r.tokens, 0.75e9));
    v = (struct glm_progress){.phase = GLM_PRIOR, .done = 4, .total = 10, .left = 0.5};
    batcher_look(&r, &p.cost, &v);
    assert_true(!r.prefill && near(r.ahead, 0) && near(r.tokens, 0.5e9));
    assert_true(near(r.own, eta_own(&p.cost, ETA_TOKENS)) && r.own < 1);
    v = (struct glm_progress){.phase = GLM_DENOISE, .total = 10};
    batcher_look(&r, &p.cost, &v);
    assert_true(r.phase == GLM_DENOISE && near(r.tokens, 0) && near(r.own, 1));
    assert_true(near(r.place, 7) && r.urgent && r.passed_over_us == 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_in_the_order_leads_and_its_phase_goes_along),
        cmocka_unit_test(a_prompt_is_read_alone),
        cmocka_unit_test(company_is_kept_where_it_gains),
        cmocka_unit_test(one_that_can_share_tokens_is_brought_to_them),
        cmocka_unit_test(each_has_the_device_until_it_is_through),
        cmocka_unit_test(quanta_of_no_time_still_count),
        cmocka_unit_test(all_priors_are_done_before_one_change),
        cmocka_unit_test(patience_ends),
        cmocka_unit_test(a_run_is_seen_as_planned),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
