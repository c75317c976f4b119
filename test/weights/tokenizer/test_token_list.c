/* test_token_list - the growing list of ids keeps its bound. */
#include "weights/tokenizer/token_list.h"

#include "proto/fail.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* catches: ids lost while the storage moves */
static void keeps_order(void **state)
{
    struct token_list a;

    (void)state;
    token_list_init(&a, 100000);
    for (int i = 0; i < 100000; i++)
        assert_int_equal(token_list_push(&a, i), 0);
    for (int i = 0; i < 100000; i++)
        assert_int_equal(a.v[i], i);
    token_list_free(&a);
    assert_int_equal(a.n, 0);
}

/* catches: a maximum that is checked too late, or a full list that loses what it had */
static void stops_at_its_maximum(void **state)
{
    struct token_list a;

    (void)state;
    token_list_init(&a, 3);
    for (int i = 0; i < 3; i++)
        assert_int_equal(token_list_push(&a, i), 0);
    assert_int_equal(token_list_push(&a, 3), ERR_TOO_LARGE);
    assert_int_equal(token_list_reserve(&a, SIZE_MAX), ERR_TOO_LARGE);
    assert_int_equal(a.n, 3);
    assert_int_equal(a.v[2], 2);
    token_list_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_order),
        cmocka_unit_test(stops_at_its_maximum),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
