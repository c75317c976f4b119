/* test_account - users come, go and come back; what each may do. */
#include "server/core/account.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct user user(uint32_t id, enum user_role role)
{
    struct user u;

    user_defaults(&u);
    u.id = id;
    u.role = role;
    return u;
}

/* catches: a service without users in which something is forbidden, and one that stays so open when
 * the first user is added */
static void everybody_until_there_are_users(void **state)
{
    struct accounts as;
    struct account *all;
    struct user ada = user(3, ROLE_USER);
    struct fail f;

    (void)state;
    assert_int_equal(accounts_init(&as), 0);
    all = accounts_find(&as, USER_NONE);
    assert_non_null(all);
    for (int lane = 0; lane < LANES; lane++)
        assert_int_equal(account_may_draw(all, (enum user_lane)lane, &f), 0);
    assert_true(account_sees(all, all));
    assert_int_equal(accounts_set(&as, &ada, 1), 0);
    assert_null(accounts_find(&as, USER_NONE));
    assert_int_equal(account_may_draw(all, LANE_NORMAL, &f), ERR_FORBIDDEN);
    assert_false(account_sees(all, all));
    assert_int_equal(accounts_set(&as, NULL, 0), 0);
    assert_ptr_equal(accounts_find(&as, USER_NONE), all);
    assert_int_equal(account_may_draw(all, LANE_URGENT, &f), 0);
    accounts_free(&as);
}

/* catches: an account that moves while jobs point at it; a removed user who still may do things; a
 * stored job whose owner was removed and that cannot be restored */
static void users_come_and_go(void **state)
{
    struct accounts as;
    struct user users[200];
    struct account *a[200], *stranger;

    (void)state;
    assert_int_equal(accounts_init(&as), 0);
    stranger = accounts_owner(&as, 77);
    assert_true(stranger && stranger->gone);
    for (uint32_t i = 0; i < 200; i++)
        users[i] = user(2 * i + 1, ROLE_USER);
    assert_int_equal(accounts_set(&as, users, 100), 0);
    for (uint32_t i = 0; i < 100; i++)
        a[i] = accounts_find(&as, 2 * i + 1);
    assert_ptr_equal(a[38], stranger); /* 77 is back */
    assert_null(accounts_find(&as, 2));
    assert_int_equal(accounts_set(&as, users + 50, 150), 0);
    for (uint32_t i = 0; i < 100; i++) {
        assert_ptr_equal(accounts_find(&as, 2 * i + 1), i < 50 ? NULL : a[i]);
        assert_ptr_equal(accounts_owner(&as, 2 * i + 1), a[i]);
        assert_int_equal(a[i]->gone, i < 50);
        assert_false(i < 50 && account_sees(a[i], a[i]));
    }
    assert_int_equal(as.users, 150);
    accounts_free(&as);
}

/* catches: a role that sees or draws more, or less, than it should */
static void what_each_role_may(void **state)
{
    struct user users[] = {user(1, ROLE_VIEWER), user(2, ROLE_USER), user(3, ROLE_ADMIN),
                           user(4, ROLE_USER)};
    struct accounts as;
    struct fail f;

    (void)state;
    users[3].lanes = 1U << LANE_BATCH;
    assert_int_equal(accounts_init(&as), 0);
    assert_int_equal(accounts_set(&as, users, 4), 0);
    for (uint32_t i = 1; i <= 4; i++)
        for (uint32_t k = 0; k <= 4; k++)
            assert_int_equal(account_sees(accounts_find(&as, i), accounts_owner(&as, k)),
                             i == k || i == 3);
    assert_int_equal(account_may_draw(accounts_find(&as, 1), LANE_NORMAL, &f), ERR_FORBIDDEN);
    assert_int_equal(account_may_draw(accounts_find(&as, 2), LANE_NORMAL, &f), 0);
    assert_int_equal(account_may_draw(accounts_find(&as, 2), LANE_URGENT, &f), ERR_FORBIDDEN);
    assert_string_equal(f.field, "lane");
    assert_string_equal(f.hint, "Use normal,batch.");
    assert_int_equal(account_may_draw(accounts_find(&as, 4), LANE_NORMAL, &f), ERR_FORBIDDEN);
    accounts_free(&as);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everybody_until_there_are_users),
        cmocka_unit_test(users_come_and_go),
        cmocka_unit_test(what_each_role_may),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
