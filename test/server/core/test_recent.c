/* test_recent - a sum over the last ten minutes. */
#include "server/core/recent.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const int64_t S = 1000000;

/* catches: what is older than ten minutes still counted; what is newer not */
static void ten_minutes_count(void **state)
{
    struct recent w = {.newest = 0};

    (void)state;
    assert_int_equal(recent_sum(&w, 0), 0);
    recent_add(&w, 5 * S, 3);
    recent_add(&w, 9 * S, 4);
    recent_add(&w, 12 * S, 10);
    assert_int_equal(recent_sum(&w, 12 * S), 17);
    assert_int_equal(recent_sum(&w, 599 * S), 17);
    assert_int_equal(recent_sum(&w, 600 * S), 10); /* the first slot has left */
    assert_int_equal(recent_sum(&w, 610 * S), 0);
}

/* catches: slots of an earlier round that are read again after a long pause, or after one that is
 * no multiple of the window */
static void old_slots_are_emptied(void **state)
{
    struct recent w = {.newest = 0};

    (void)state;
    for (int i = 0; i < 60; i++)
        recent_add(&w, i * 10 * S, 1);
    assert_int_equal(recent_sum(&w, 595 * S), 60);
    recent_add(&w, 795 * S, 1);
    assert_int_equal(recent_sum(&w, 795 * S), 41);
    recent_add(&w, 100000 * S, 2);
    assert_int_equal(recent_sum(&w, 100000 * S), 2);
    assert_int_equal(recent_sum(&w, 100000 * S + RECENT_US), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ten_minutes_count),
        cmocka_unit_test(old_slots_are_emptied),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
