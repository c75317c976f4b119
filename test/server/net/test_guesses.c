/* test_guesses - wrong tokens cost an address time, and nobody else. */
#include "server/net/guesses.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static struct guesses guesses;

static struct address from(const char *host)
{
    struct address a;

    assert_int_equal(address_parse(host, 1, &a, NULL), 0);
    return a;
}

/* catches: guessing that goes on; a wait that is wrong, never ends, or grows with each try */
static void failures_are_slowed(void **state)
{
    struct address a = from("10.0.0.1"), b = from("10.0.0.2");
    int64_t wait, now = 1000;

    (void)state;
    guesses_init(&guesses, 42);
    for (int i = 0; i < GUESSES; i++)
        assert_int_equal(guesses_fail(&guesses, &a, now), 0);
    wait = guesses_fail(&guesses, &a, now);
    assert_int_equal(wait, GUESS_COST_US);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(guesses_fail(&guesses, &a, now), wait);
    assert_int_equal(guesses_fail(&guesses, &b, now), 0);
    assert_int_equal(guesses_fail(&guesses, &a, now + wait - 1), 1);
    assert_int_equal(guesses_fail(&guesses, &a, now + wait), 0);
    assert_true(guesses_fail(&guesses, &a, now + wait) > 0);
    now += 1000 * GUESS_COST_US; /* long ago: all of them again */
    for (int i = 0; i < GUESSES; i++)
        assert_int_equal(guesses_fail(&guesses, &a, now), 0);
    assert_true(guesses_fail(&guesses, &a, now) > 0);
}

static int64_t exhaust(const char *host)
{
    struct address a = from(host);
    int64_t wait = 0;

    for (int i = 0; i <= GUESSES; i++)
        wait = guesses_fail(&guesses, &a, 1000);
    return wait;
}

/* catches: a client that changes the lower half of its IPv6 address for each guess */
static void networks_count_as_one(void **state)
{
    struct address same = from("2001:db8:1:2:ffff::9"), next = from("2001:db8:1:3::1"),
                   mapped = from("::ffff:10.0.0.9"), other = from("::ffff:10.0.0.8");

    (void)state;
    guesses_init(&guesses, 43);
    assert_true(exhaust("2001:db8:1:2::1") > 0);
    assert_true(guesses_fail(&guesses, &same, 1000) > 0);
    assert_int_equal(guesses_fail(&guesses, &next, 1000), 0);
    assert_true(exhaust("::ffff:10.0.0.9") > 0);
    assert_true(guesses_fail(&guesses, &mapped, 1000) > 0);
    assert_int_equal(guesses_fail(&guesses, &other, 1000), 0);
}

/* catches: a table that grows, or that forgets the worst guesser for addresses that failed once */
static void the_table_is_bounded(void **state)
{
    struct address worst = from("192.0.2.1");
    char host[32];

    (void)state;
    guesses_init(&guesses, 44);
    assert_true(exhaust("192.0.2.1") > 0);
    for (int i = 0; i < 20000; i++) {
        struct address a;

        snprintf(host, sizeof host, "10.%d.%d.1", i / 250, i % 250);
        a = from(host);
        assert_int_equal(guesses_fail(&guesses, &a, 1000), 0);
    }
    assert_true(guesses_fail(&guesses, &worst, 1000) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(failures_are_slowed),
                                       cmocka_unit_test(networks_count_as_one),
                                       cmocka_unit_test(the_table_is_bounded)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
