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

/* How many pictures like p the ledger takes one after the other. */
static int held(uint64_t budget, const struct job_plan *p)
{
    struct ledger l;

    ledger_init(&l, budget);
    while (ledger_fits(&l, p))
        ledger_hold(&l, (uint64_t)l.n + 1, p);
    return l.n;
}

/* catches: an engine that plans for another number of pictures than the ledger lets in, and a cap
 * that the ledger does not reach */
static void the_engine_plans_by_the_same_rule(void **state)
{
    static const uint64_t B[] = {
        0, 1, 2, 3, 7, 50, 99, 100, 101, 1ull << 40, UINT64_MAX / 2, UINT64_MAX - 1};
    enum { N = sizeof B / sizeof *B };

    (void)state;
    for (int i = 0; i < N * N * N * N; i++) {
        struct job_plan p = plan(B[i % N], B[i / N % N], B[i / N / N % N]);
        uint64_t budget = B[i / N / N / N];
        struct ledger l;
        int n;

        ledger_init(&l, budget);
        n = ledger_count(&l, &p);
        assert_int_equal(n, glm_admission(budget, &p.cost, p.scratch_more));
        assert_int_equal(n, held(budget, &p));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_rule),
        cmocka_unit_test(scratch_grows_with_those_who_share),
        cmocka_unit_test(nothing_overflows),
        cmocka_unit_test(the_engine_plans_by_the_same_rule),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
