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
        s.device[i] = (struct dispatch_device){2, {.budget = 1000}};
    return s;
}

static void hold(struct dispatch_state *s, int device, uint64_t job, const struct job_plan *p)
{
    ledger_hold(&s->device[device].ledger, job, p);
}

/* catches: a job that starts beside many while another device idles */
static void the_least_taken_device_gets_it(void **state)
{
    struct dispatch_state s = two();
    struct dispatch_job w[] = {{&SMALL, false}, {&SMALL, false}};
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
    struct dispatch_job w[] = {{&LARGE, false}, {&SMALL, false}};

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
    struct dispatch_job w = {&SMALL, false};

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
    struct dispatch_job unplanned = {NULL, false}, leaving = {&SMALL, true};

    (void)state;
    assert_int_equal(dispatch_next(&s, &unplanned, 1).verdict, DISPATCH_PLAN);
    assert_int_equal(dispatch_next(&s, &leaving, 1).verdict, DISPATCH_WAIT);
    assert_int_equal(dispatch_next(&s, NULL, 0).verdict, DISPATCH_WAIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_least_taken_device_gets_it),
        cmocka_unit_test(a_job_that_lacks_memory_is_not_overtaken),
        cmocka_unit_test(full_is_full),
        cmocka_unit_test(the_rule_asks_for_a_plan_and_waits_for_the_last_run),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
