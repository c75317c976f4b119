/* test_ledger - sum of resident bytes + the largest scratch <= budget, and nothing else. */
#include "server/core/ledger.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct job_plan plan(uint64_t run, uint64_t scratch, uint64_t more)
{
    struct job_plan p = {.scratch_more = more};

    p.cost.run_bytes = run;
    p.cost.scratch_bytes = scratch;
    return p;
}

/* catches: scratch counted twice or not at all, an off-by-one at the budget */
static void the_rule(void **state)
{
    struct ledger l;
    struct job_plan a = plan(100, 50, 0), b = plan(200, 80, 0);

    (void)state;
    ledger_init(&l, 380);
    ledger_hold(&l, 1, &a);
    assert_int_equal(ledger_need(&l, NULL), 150);
    assert_int_equal(ledger_need(&l, &b), 380);
    assert_true(ledger_fits(&l, &b));
    l.budget = 379;
    assert_false(ledger_fits(&l, &b));
    l.budget = 380;
    ledger_hold(&l, 2, &b);
    assert_int_equal(ledger_scratch(&l, NULL), 80);
    ledger_release(&l, 2);
    assert_int_equal(ledger_need(&l, NULL), 150);
    ledger_release(&l, 1);
    assert_int_equal(ledger_need(&l, NULL), 0);
}

/* catches: a batch that needs more scratch than was promised when it was alone */
static void scratch_grows_with_those_who_share(void **state)
{
    struct ledger l;
    struct job_plan a = plan(100, 50, 10);

    (void)state;
    ledger_init(&l, 1000);
    for (uint64_t i = 1; i <= 3; i++) {
        ledger_hold(&l, i, &a);
        assert_int_equal(ledger_need(&l, NULL), i * 100 + 50 + (i - 1) * 10);
    }
    assert_int_equal(ledger_count(&l, &a), 8); /* 800 + 50 + 70 <= 1000 < 900 + 50 + 80 */
}

/* catches: a sum that wraps round and lets an enormous picture in */
static void nothing_overflows(void **state)
{
    struct ledger l;
    struct job_plan huge = plan(UINT64_MAX - 5, 100, UINT64_MAX / 2), zero = plan(0, 0, 0);

    (void)state;
    ledger_init(&l, UINT64_MAX - 1);
    assert_false(ledger_fits(&l, &huge));
    assert_false(ledger_ever_fits(&l, &huge));
    assert_int_equal(ledger_count(&l, &huge), 0);
    assert_int_equal(ledger_count(&l, &zero), LEDGER_MAX);
    for (uint64_t i = 1; i <= LEDGER_MAX; i++)
        ledger_hold(&l, i, &zero);
    assert_false(ledger_fits(&l, &zero));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_rule),
        cmocka_unit_test(scratch_grows_with_those_who_share),
        cmocka_unit_test(nothing_overflows),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
