/* test_histogram - every value lands in one bucket, and a quantile names the bucket's bound. */
#include "server/base/histogram.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* catches: a value on a bound in the wrong bucket, one that is lost above the last */
static void buckets(void **state)
{
    struct histogram l = {0};

    (void)state;
    assert_int_equal(histogram_quantile(&l, 0.99), 0);
    histogram_add(&l, -5);
    histogram_add(&l, 250);
    histogram_add(&l, 251);
    assert_int_equal(l.count[0], 2);
    assert_int_equal(l.count[1], 1);
    histogram_add(&l, INT64_MAX / 2);
    assert_int_equal(l.count[HISTOGRAM_BUCKETS], 1);
    assert_int_equal(l.n, 4);
    assert_int_equal(histogram_quantile(&l, 0.5), 250);
    assert_int_equal(histogram_quantile(&l, 0.75), 500);
    assert_int_equal(histogram_quantile(&l, 0.99), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(buckets)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
