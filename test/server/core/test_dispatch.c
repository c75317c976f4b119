/* test_dispatch - the rule by which a waiting job starts next on a device. */
#include "server/core/dispatch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const struct job_plan SMALL = {.cost = {.run_bytes = 100}},
                             LARGE = {.cost = {.run_bytes = 600}};

/* Two devices of 1000 bytes, two places each. */
static struct dispatch_state two(void)
{
    struct dispatch_state s = {.devices = 2, .limit = 4};

    for (int i = 0; i < 2; i++)
        s.device[i] = (struct dispatch_device){.cap = 2, .ledger = {.budget = 1000}};
    return s;
}

/* A waiting job. */
static struct dispatch_job of(enum user_lane lane, const struct job_plan *p)
{
    return (struct dispatch_job){.plan = p, .lane = lane, .cost_s = 1};
}

static struct dispatch_job normal(const struct job_plan *p)
{
    return of(LANE_NORMAL, p);
}

static void hold_in(struct dispatch_state *s, int device, uint64_t job, enum user_lane lane,
                    const struct job_plan *p)
{
    struct dispatch_job j = of(lane, p);

    j.begin = (double)job;
    dispatch_hold(&s->device[device], job, &j);
}

static void hold(struct dispatch_state *s, int device, uint64_t job, const struct job_plan *p)
{
    hold_in(s, device, job, LANE_NORMAL, p);
}

/* catches: a job that starts beside many while another device idles */
static void the_least_taken_device_gets_it(void **state)
{
    struct dispatch_state s = two();
    struct dispatch_job w[] = {normal(&SMALL), normal(&SMALL)};
    struct dispatch_choice c = dispatch_next(&s, w, 2);

    (void)state;
    assert_int_equal(c.verdict, DISPATCH_START);
    assert_true(c.job == 0 && c.device == 0); /* alike: the lower index */
    hold(&s, 0, 1, &SMALL);
    assert_int_equal(dispatch_next(&s, w, 2).device, 1);
    hold(&s, 1, 2, &SMALL);
    s.device[1].cap = 4; /* a quarter taken, not half */
    assert_int_equal(dispatch_next(&s, w, 2).device, 1);
}

/* catches: a small job that overtakes a large one, which then never finds room */
static void a_job_that_lacks_memory_is_not_overtaken(void **state)
{
    struct dispatch_state s = two();
    struct dispatch_job w[] = {normal(&LARGE), normal(&SMALL)};

    (void)state;
    hold(&s, 0, 1, &LARGE);
    hold(&s, 1, 2, &LARGE);
    assert_true(dispatch_room(&s) && dispatch_lacks_memory(&s, &LARGE));
    assert_false(dispatch_lacks_memory(&s, &SMALL));
    assert_int_equal(dispatch_next(&s, w, 2).verdict, DISPATCH_WAIT);
    assert_int_equal(dispatch_next(&s, w + 1, 1).verdict, DISPATCH_START);
}

/* catches: more residents than the limit of all devices, or than a device that takes none */
static void full_is_full(void **state)
{
    struct dispatch_state s = two();
    struct dispatch_job w = normal(&SMALL);

    (void)state;
    s.limit = 1;
    hold(&s, 0, 1, &SMALL);
    assert_false(dispatch_room(&s));
    assert_int_equal(dispatch_next(&s, &w, 1).verdict, DISPATCH_WAIT);
    s.limit = 4;
    s.device[0].cap = s.device[1].cap = 0;
    assert_int_equal(dispatch_next(&s, &w, 1).verdict, DISPATCH_WAIT);
    assert_false(dispatch_lacks_memory(&s, &LARGE)); /* there is no place to lack it on */
}

/* catches: a guess at what an unplanned job takes, a second run
 * of a job whose first is still there */
static void the_rule_asks_for_a_plan_and_waits_for_the_last_run(void **state)
{
    struct dispatch_state s = two();
    struct dispatch_job unplanned = normal(NULL), leaving = normal(&SMALL);

    (void)state;
    leaving.leaving = true;
    assert_int_equal(dispatch_next(&s, &unplanned, 1).verdict, DISPATCH_PLAN);
    assert_int_equal(dispatch_next(&s, &leaving, 1).verdict, DISPATCH_WAIT);
    assert_int_equal(dispatch_next(&s, NULL, 0).verdict, DISPATCH_WAIT);
    s.device[0].cap = s.device[1].cap = 0; /* no model is open: nothing can be planned */
    unplanned.lane = LANE_URGENT;
    assert_int_equal(dispatch_next(&s, &unplanned, 1).verdict, DISPATCH_WAIT);
}

/* catches: an urgent job that waits for the cap; one that takes every place of a device for ever */
static void urgent_jobs_start_beyond_the_cap(void **state)
{
    struct dispatch_state s = two();
    struct dispatch_job w[] = {of(LANE_URGENT, &SMALL), normal(&SMALL)};
    struct dispatch_choice c;

    (void)state;
    for (uint64_t i = 0; i < 4; i++)
        hold(&s, i < 2 ? 0 : 1, i + 1, &SMALL);
    assert_int_equal(dispatch_next(&s, w + 1, 1).verdict, DISPATCH_WAIT);
    for (uint64_t i = 0; i < 4; i++) {
        c = dispatch_next(&s, w, 2);
        assert_int_equal(c.verdict, DISPATCH_START);
        assert_true(c.job == 0 && c.device == (int)(i & 1));
        hold_in(&s, c.device, 10 + i, LANE_URGENT, &SMALL);
    }
    assert_int_equal(dispatch_next(&s, w, 2).verdict,
                     DISPATCH_WAIT); /* as many urgent as the cap */
    s.device[1].cap = 0;
    assert_int_equal(dispatch_next(&s, w, 2).verdict, DISPATCH_WAIT);
}

/* catches: the wrong one displaced, more than are needed, work that would be lost, an urgent one */
static void without_memory_one_gives_way(void **state)
{
    struct dispatch_state s = two();
    struct dispatch_job w = of(LANE_URGENT, &LARGE);
    struct dispatch_choice c;

    (void)state;
    s.device[1].cap = 0;
    s.device[0].cap = 3;
    s.device[0].ledger.budget = 1300;
    hold_in(&s, 0, 1, LANE_BATCH, &SMALL);
    hold_in(&s, 0, 2, LANE_NORMAL, &LARGE);
    hold_in(&s, 0, 3, LANE_BATCH, &LARGE);
    c = dispatch_next(&s, &w, 1);
    assert_int_equal(c.verdict, DISPATCH_DISPLACE);
    assert_true(c.device == 0 && c.resident == 2); /* of the last lane, the last turn */
    s.device[0].resident[2].leaving = true;
    assert_int_equal(dispatch_next(&s, &w, 1).verdict, DISPATCH_WAIT); /* it will fit */
    s.device[0].resident[2].leaving = false;
    s.device[0].resident[2].fixed = true;
    c = dispatch_next(&s, &w, 1);
    assert_true(c.verdict == DISPATCH_DISPLACE && c.resident == 0); /* not enough: .. */
    s.device[0].resident[0].leaving = true;
    c = dispatch_next(&s, &w, 1);
    assert_true(c.verdict == DISPATCH_DISPLACE && c.resident == 1); /* .. another one too */
    s.device[0].resident[1].lane = LANE_URGENT;
    assert_int_equal(dispatch_next(&s, &w, 1).verdict, DISPATCH_WAIT);
}

/* catches: batch jobs that never have a turn, or more of them than they are due */
static void batch_gets_a_sixteenth(void **state)
{
    struct dispatch_state s = two();
    struct dispatch_job w[] = {of(LANE_NORMAL, &SMALL), of(LANE_BATCH, &SMALL)};
    int batch = 0;

    (void)state;
    for (int i = 0; i < 1600; i++) {
        struct dispatch_choice c = dispatch_next(&s, w, 2);

        assert_int_equal(c.verdict, DISPATCH_START);
        batch += c.job == 1;
        dispatch_started(&s, &w[c.job], true);
    }
    assert_int_equal(batch, 100);
    dispatch_started(&s, &w[0], false); /* none waits: nothing is owed */
    assert_int_equal(dispatch_next(&s, w, 2).job, 0);
    assert_int_equal(dispatch_next(&s, w + 1, 1).job, 0);
}

/* catches: more jobs of a user on the devices than it may have, one that leaves counted in */
static void a_user_has_so_many_at_a_time(void **state)
{
    struct dispatch_state s = two();
    struct dispatch_job w = normal(&SMALL);

    (void)state;
    w.slot = 7;
    assert_true(dispatch_allows(&s, &w));
    hold(&s, 0, 1, &SMALL);
    dispatch_hold(&s.device[0], 2, &w);
    dispatch_hold(&s.device[1], 3, &w);
    assert_true(dispatch_allows(&s, &w));
    w.most = 2;
    assert_false(dispatch_allows(&s, &w));
    s.device[1].resident[0].leaving = true;
    assert_true(dispatch_allows(&s, &w));
    dispatch_release(&s.device[0], 1);
    assert_int_equal(s.device[0].resident[0].slot, 7); /* moved with its entry */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_least_taken_device_gets_it),
        cmocka_unit_test(a_job_that_lacks_memory_is_not_overtaken),
        cmocka_unit_test(full_is_full),
        cmocka_unit_test(the_rule_asks_for_a_plan_and_waits_for_the_last_run),
        cmocka_unit_test(urgent_jobs_start_beyond_the_cap),
        cmocka_unit_test(without_memory_one_gives_way),
        cmocka_unit_test(batch_gets_a_sixteenth),
        cmocka_unit_test(a_user_has_so_many_at_a_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
