/* test_fair - virtual ends are those of equal shares, and serving the first of them breaks no
 * promise. */
#include "server/core/fair.h"

#include "test/server/core/equal_shares.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { JOBS = EQUAL_MAX };

/* The same jobs with equal shares, and with the first virtual end alone on the device. */
struct sets {
    struct equal_shares equal;
    struct fair fair;
    double at[JOBS], left[JOBS], virtual_end[JOBS], end[JOBS];
    int come, started;
};

static uint64_t state_of_random;

static double uniform(void)
{
    state_of_random = state_of_random * 6364136223846793005ULL + 1442695040888963407ULL;
    return (double)(state_of_random >> 11) / 9007199254740992.0;
}

static void start(struct sets *t)
{
    int in = 0;

    for (int i = 0; i < t->started; i++)
        in += t->left[i] > 0;
    for (; t->started < t->come && in < t->equal.places; t->started++, in++) {
        double left = 0;

        for (int i = 0; i < t->started; i++)
            left += t->left[i];
        t->virtual_end[t->started] =
            fair_join(&t->fair, t->equal.places, left, t->left[t->started]);
    }
}

static int first_virtual_end(const struct sets *t)
{
    int first = -1;

    for (int i = 0; i < t->started; i++)
        if (t->left[i] > 0 && (first < 0 || t->virtual_end[i] < t->virtual_end[first])) first = i;
    return first;
}

static void serve_first(struct sets *t, double now, double until)
{
    while (now < until) {
        int first;
        double much;

        start(t);
        first = first_virtual_end(t);
        if (first < 0) return;
        much = fmin(t->left[first], until - now);
        now += much;
        t->left[first] = t->left[first] - much > 1e-9 ? t->left[first] - much : 0;
        if (t->left[first] > 0) continue;
        t->end[first] = now;
        fair_leave(&t->fair, t->virtual_end[first], 0);
    }
}

static void play(struct sets *t, int set)
{
    double load = 0.4 + 0.03 * set; /* up to more than the device can do */

    state_of_random = 7 + (uint64_t)set;
    memset(t, 0, sizeof *t);
    t->equal.places = 1 + set % 5 * 3;
    for (int i = 0; i < JOBS; i++) {
        double before = i > 0 ? t->at[i - 1] : 0;

        t->at[i] = set % 3 ? before - log(1 - uniform()) * 10 / load : i / 6 * 80.0;
        serve_first(t, before, t->at[i]);
        t->left[i] = uniform() < 0.2 ? 20 + 30 * uniform() : 1 + 8 * uniform();
        equal_come(&t->equal, t->at[i], t->left[i]);
        t->come++;
    }
    equal_until(&t->equal, HUGE_VAL);
    serve_first(t, t->at[JOBS - 1], HUGE_VAL);
}

/* catches: virtual ends that are not those of equal shares; one that ends later than it would with
 * an equal share, in a place or after waiting for one; a gain that is none */
static void none_ends_later_than_with_equal_shares(void **state)
{
    static struct sets t;

    (void)state;
    for (int set = 0; set < 30; set++) {
        double equal = 0, first = 0;

        play(&t, set);
        for (int i = 0; i < JOBS; i++) {
            assert_true(t.end[i] <= t.equal.end[i] + 1e-4);
            for (int k = 0; k < i; k++)
                if (t.virtual_end[i] < t.virtual_end[k] - 1e-6)
                    assert_true(t.equal.end[i] <= t.equal.end[k] + 1e-4);
            equal += t.equal.end[i] - t.at[i];
            first += t.end[i] - t.at[i];
        }
        assert_true(t.equal.places > 1 ? first < 0.95 * equal : fabs(first - equal) < 1);
    }
}

/* catches: two of equal cost that change places, or cannot be told apart */
static void the_later_of_two_alike_ends_later(void **state)
{
    struct fair f = {.n = 0};
    double end[LEDGER_MAX];

    (void)state;
    for (int i = 0; i < LEDGER_MAX; i++) {
        end[i] = fair_join(&f, LEDGER_MAX, 5.0 * i, 5);
        assert_true(i == 0 || end[i] > end[i - 1]);
    }
    assert_true(end[LEDGER_MAX - 1] < 5 + 1e-9);
}

/* catches: work that a cancelled run never had, and that still counts as the others' share */
static void what_will_not_be_done_is_not_waited_for(void **state)
{
    struct fair f = {.n = 0};
    double first, second;

    (void)state;
    first = fair_join(&f, LEDGER_MAX, 0, 10);
    second = fair_join(&f, LEDGER_MAX, 10, 10);
    fair_leave(&f, first, 10);
    assert_true(fabs(fair_join(&f, LEDGER_MAX, 10, 5) - 5) < 1e-9);
    memset(&f, 0, sizeof f);
    first = fair_join(&f, LEDGER_MAX, 0, 10);
    second = fair_join(&f, LEDGER_MAX, 10, 10);
    fair_leave(&f, first, 4); /* it had 6 */
    assert_true(fabs(fair_join(&f, LEDGER_MAX, 10, 5) - 8)
                < 1e-9); /* 6 of 16 done: each has had 3 */
    fair_leave(&f, second, 0);
    fair_leave(&f, 77, 1); /* none of them */
    assert_true(fabs(fair_join(&f, LEDGER_MAX, 0, 1) - f.now - 1) < 1e-9);
    assert_int_equal(f.n, 1); /* with nothing left to do all have ended */
}

/* catches: one that passes others of its size, which came before it, as it is given the place of a
 * cancelled one */
static void a_free_place_is_no_reason_to_pass(void **state)
{
    struct fair f = {.n = 0};
    double end[5];

    (void)state;
    for (int i = 0; i < 4; i++)
        end[i] = fair_join(&f, 2, 10.0 * (i < 2 ? i : 1), 10);
    assert_true(end[2] > 19 && end[3] > end[2]);
    fair_leave(&f, end[3], 10);
    fair_leave(&f, end[2], 10);
    end[4] = fair_join(&f, 2, 10, 10);
    assert_true(end[4] > end[1] + 9);
}

/* catches: a virtual time that goes back when work turns out to take longer, more places than there
 * are, an end that is not finite */
static void whatever_is_measured_it_goes_on(void **state)
{
    struct fair f = {.n = 0};
    double now = 0;

    (void)state;
    state_of_random = 3;
    for (int i = 0; i < 20000; i++) {
        double end =
            fair_join(&f, LEDGER_MAX, uniform() * 100, uniform() < 0.1 ? 0 : uniform() * 50);

        assert_true(isfinite(end) && f.now >= now && f.n <= LEDGER_MAX);
        now = f.now;
        if (uniform() < 0.7) fair_leave(&f, end, uniform() < 0.3 ? uniform() * 10 : 0);
    }
    assert_true(now > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(none_ends_later_than_with_equal_shares),
        cmocka_unit_test(the_later_of_two_alike_ends_later),
        cmocka_unit_test(what_will_not_be_done_is_not_waited_for),
        cmocka_unit_test(a_free_place_is_no_reason_to_pass),
        cmocka_unit_test(whatever_is_measured_it_goes_on),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
