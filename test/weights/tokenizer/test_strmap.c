/* test_strmap - the hash table finds what was put in and nothing else. */
#include "weights/tokenizer/strmap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

/* catches: keys lost when the table grows, keys that differ only in length or in a NUL */
static void finds_what_was_set(void **state)
{
    struct strmap m = {0};
    char key[16];

    (void)state;
    assert_int_equal(strmap_get(&m, "x", 1), -1);
    for (int i = 0; i < 20000; i++) {
        int n = snprintf(key, sizeof key, "k%d", i);

        assert_int_equal(strmap_set(&m, key, (size_t)n, i), 0);
    }
    for (int i = 0; i < 20000; i++) {
        int n = snprintf(key, sizeof key, "k%d", i);

        assert_int_equal(strmap_get(&m, key, (size_t)n), i);
    }
    assert_int_equal(strmap_get(&m, "k20000", 6), -1);
    assert_int_equal(strmap_set(&m, "a\0b", 3, 7), 0);
    assert_int_equal(strmap_get(&m, "a\0c", 3), -1);
    assert_int_equal(strmap_get(&m, "a", 1), -1);
    assert_int_equal(strmap_get(&m, "a\0b", 3), 7);
    assert_int_equal(strmap_set(&m, "a\0b", 3, 8), 0);
    assert_int_equal(strmap_get(&m, "a\0b", 3), 8);
    assert_int_equal(m.n, 20001);
    strmap_free(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(finds_what_was_set)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
