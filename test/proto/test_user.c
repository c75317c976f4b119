/* test_user - names of users, roles and lanes. */
#include "proto/user.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* catches: a name that breaks a log line, a header or a path */
static void names(void **state)
{
    const char *good[] = {"a", "7", "Ada", "ada.lovelace@example.org", "a_b-c.d"};
    const char *bad[] = {"", ".", "-rf", "@x", "a b", "a/b", "a\nb", "a\"", "\xc3\xa9", "a:b"};
    char longest[LIMIT_USER_BYTES + 2];

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(user_name_valid(good[i]));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(user_name_valid(bad[i]));
    memset(longest, 'n', sizeof longest);
    longest[LIMIT_USER_BYTES + 1] = 0;
    assert_false(user_name_valid(longest));
    longest[LIMIT_USER_BYTES] = 0;
    assert_true(user_name_valid(longest));
}

/* catches: a role that cannot be named, or one that is named twice */
static void roles(void **state)
{
    (void)state;
    for (int i = 0; i < ROLES; i++)
        assert_int_equal(user_role_parse(user_role_name((enum user_role)i)), i);
    assert_int_equal(user_role_parse("root"), -1);
    assert_int_equal(user_role_parse(""), -1);
}

/* catches: a list that is read as less, or more, than it says */
static void lanes(void **state)
{
    const char *bad[] = {"",     ",",           "normal,", ",normal", "normal batch",
                         "norm", "normalbatch", "all"};
    unsigned set;
    struct fail f;
    char text[64];

    (void)state;
    for (unsigned all = 1; all < 1U << LANES; all++) {
        assert_int_equal(user_lanes_parse(user_lanes_text(all, text, sizeof text), &set, &f), 0);
        assert_int_equal(set, all);
    }
    assert_int_equal(user_lanes_parse("batch,urgent,batch", &set, &f), 0);
    assert_string_equal(user_lanes_text(set, text, sizeof text), "urgent,batch");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(user_lanes_parse(bad[i], &set, &f), ERR_USAGE);
    assert_string_equal(user_lanes_text(7, text, 8), "urgent,");
}

/* catches: a new user who may do nothing, or everything */
static void values_of_a_new_user(void **state)
{
    struct user u;

    (void)state;
    user_defaults(&u);
    assert_int_equal(u.role, ROLE_USER);
    assert_false(u.lanes & 1U << LANE_URGENT);
    assert_true(u.lanes & 1U << LANE_NORMAL && u.weight == 1);
    user_everybody(&u);
    assert_int_equal(u.id, USER_NONE);
    assert_int_equal(u.role, ROLE_ADMIN);
    assert_int_equal(u.lanes, (1U << LANES) - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names),
        cmocka_unit_test(roles),
        cmocka_unit_test(lanes),
        cmocka_unit_test(values_of_a_new_user),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
