/* test_census - thousands of addresses come and go; each count is right at every step. */
#include "server/net/census.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

/* catches: a count of another address, a port that makes a new one,
 * an entry that stays or goes early */
static void counts(void **state)
{
    enum { ADDRESSES = 3000, EACH = 3 };
    static struct census_entry *in[ADDRESSES][EACH];
    static struct census s;
    struct fail f;

    (void)state;
    for (int k = 0; k < EACH; k++) {
        for (int i = 0; i < ADDRESSES; i++) {
            struct address a;
            char text[64];

            if (i % 2)
                snprintf(text, sizeof text, "10.0.%d.%d", i / 256, i % 256);
            else
                snprintf(text, sizeof text, "2001:db8::%x", i);
            assert_int_equal(address_parse(text, 1000 + k, &a, &f), 0);
            in[i][k] = census_enter(&s, &a);
            assert_non_null(in[i][k]);
            assert_int_equal(in[i][k]->n, k + 1);
            assert_true(address_same_host(&in[i][k]->from, &a) && in[i][k] == in[i][0]);
        }
    }
    for (int k = 0; k < EACH; k++)
        for (int i = 0; i < ADDRESSES; i++)
            census_leave(in[(i * 7) % ADDRESSES][k]);
    for (int i = 0; i < CENSUS_LISTS; i++)
        assert_null(s.list[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(counts)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
