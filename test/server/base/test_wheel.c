/* test_wheel - each timer fires once, not early, at most a second late,
 * whatever was set beside it. */
#include "server/base/wheel.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define S 1000000LL

/* catches: a timer that is early, late, lost, or fires twice; one beyond a turn of the ring */
static void all_fire(void **state)
{
    enum { N = 2000 };
    static struct timer t[N];
    static int64_t due[N];
    struct wheel w;
    int64_t now = 12345678, end = now + 4000 * S;
    unsigned x = 7;
    int left = N;

    (void)state;
    wheel_init(&w, now);
    for (int i = 0; i < N; i++) {
        x = x * 1664525 + 1013904223;
        due[i] = now + (int64_t)(x % (i % 3 ? 200 * S : 3600 * S));
        wheel_set(&w, &t[i], due[i]);
    }
    while (left && now < end) {
        struct timer *fired;
        int64_t next = wheel_next(&w);

        assert_true(next > now - S && next < now + 64 * S);
        now = next > now ? next : now;
        while ((fired = wheel_due(&w, now))) {
            ptrdiff_t i = fired - t;

            assert_true(due[i] && due[i] <= now && now <= due[i] + S);
            due[i] = 0;
            left--;
        }
    }
    assert_int_equal(left, 0);
    assert_true(wheel_next(&w) == INT64_MAX);
}

/* catches: a stopped timer that fires, a moved one that fires at its old time, one in the past */
static void moved(void **state)
{
    struct timer a = {0}, b = {0}, c = {0};
    struct wheel w;

    (void)state;
    wheel_init(&w, 0);
    wheel_stop(&w, &a);
    wheel_set(&w, &a, 3 * S);
    wheel_set(&w, &b, 3 * S);
    wheel_set(&w, &c, 3 * S);
    wheel_stop(&w, &b);
    wheel_set(&w, &a, 10 * S);
    assert_true(wheel_due(&w, 5 * S) == &c);
    assert_null(wheel_due(&w, 5 * S));
    wheel_set(&w, &b, 1 * S);
    assert_true(wheel_next(&w) <= 5 * S && wheel_due(&w, 5 * S) == &b);
    assert_null(wheel_due(&w, 9 * S));
    assert_true(wheel_due(&w, 11 * S) == &a);
    assert_int_equal(w.n, 0);
}

/* catches: a wheel that stood still (the machine slept) and steps through every second,
 * or loses some */
static void after_a_sleep(void **state)
{
    struct timer a = {0}, b = {0};
    struct wheel w;

    (void)state;
    wheel_init(&w, 0);
    wheel_set(&w, &a, 30 * S);
    assert_true(wheel_due(&w, 1000000 * S) == &a);
    assert_null(wheel_due(&w, 1000000 * S));
    wheel_set(&w, &b, 1000001 * S);
    assert_null(wheel_due(&w, 1000001 * S - 1));
    assert_true(wheel_due(&w, 1000002 * S) == &b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_fire),
        cmocka_unit_test(moved),
        cmocka_unit_test(after_a_sleep),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
