/* test_address - which addresses only this machine can reach. */
#include "server/net/address.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* catches: listening beyond this machine without --open */
static void exposure(void **state)
{
    struct address a;
    struct fail f;
    const struct {
        const char *host;
        bool local;
    } cases[] = {{"127.0.0.1", true}, {"127.8.9.1", true}, {"localhost", true},
                 {"::1", true},       {"0.0.0.0", false},  {"::", false},
                 {"10.1.2.3", false}, {"fe80::1", false},  {"::ffff:127.0.0.1", true}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(address_parse(cases[i].host, 7860, &a, &f), 0);
        assert_int_equal(address_local(&a), cases[i].local);
        assert_int_equal(address_exposure(&a, false, &f), cases[i].local ? 0 : ERR_USAGE);
        assert_int_equal(address_exposure(&a, true, &f), 0);
        assert_int_equal(address_port(&a), 7860);
    }
    assert_int_equal(address_parse("example.org", 1, &a, &f), ERR_USAGE);
}

static uint64_t number(const char *host)
{
    struct address a;

    assert_int_equal(address_parse(host, 1, &a, NULL), 0);
    return address_number(&a);
}

/* catches: a machine that counts as two, two that count as one, one that counts as none */
static void numbers(void **state)
{
    (void)state;
    assert_true(number("10.0.0.1") == number("10.0.0.1"));
    assert_true(number("10.0.0.1") != number("10.0.0.2"));
    assert_true(number("2001:db8:1:2:ffff::9") == number("2001:db8:1:2::1"));
    assert_true(number("2001:db8:1:2::1") != number("2001:db8:1:3::1"));
    assert_true(number("::ffff:10.0.0.9") != number("::ffff:10.0.0.8"));
    assert_true(number("::2") != 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exposure),
        cmocka_unit_test(numbers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
