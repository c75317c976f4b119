/* test_fail - every error code has its own wire name, status and advice. */
#include "proto/fail.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* catches: a new code without a row in the table, or two codes that share a name */
static void every_code_has_a_row(void **state)
{
    (void)state;
    for (int a = 0; a >= ERR_LAST; a--) {
        assert_int_equal(fail_from_wire(fail_wire((enum err)a)), a);
        assert_true(fail_status((enum err)a) >= 200);
        if (a < 0) assert_true(strlen(fail_hint((enum err)a)) > 10);
    }
    assert_string_equal(fail_wire((enum err) - 999), "internal");
}

/* catches: a stale field or retry time left from an earlier failure */
static void set_starts_afresh(void **state)
{
    struct fail f;

    (void)state;
    memset(&f, 0xff, sizeof f);
    assert_int_equal(fail_field(&f, ERR_BAD_FIELD, "width", "width is %d", 3), ERR_BAD_FIELD);
    assert_string_equal(f.field, "width");
    assert_string_equal(f.message, "width is 3");
    assert_int_equal(f.retry_after_ms, 0);
    assert_int_equal(fail_advise(&f, "use %d", 64), ERR_BAD_FIELD);
    assert_string_equal(f.hint, "use 64");
    assert_int_equal(fail_set(&f, ERR_IO, "no"), ERR_IO);
    assert_string_equal(f.field, "");
    assert_int_equal(fail_set(NULL, ERR_IO, "no"), ERR_IO);
}

/* catches: two sentences that run into one another, or a full stop twice */
static void sentence_has_full_stops(void **state)
{
    char text[FAIL_SENTENCE];
    struct fail f;

    (void)state;
    fail_set(&f, ERR_BAD_FIELD, "prompt is empty");
    fail_advise(&f, "Say it.");
    fail_sentence(&f, text);
    assert_string_equal(text, "prompt is empty. Say it.");
    fail_set(&f, ERR_BAD_FIELD, "It is empty.");
    fail_advise(&f, "Say it.");
    fail_sentence(&f, text);
    assert_string_equal(text, "It is empty. Say it.");
    *f.hint = 0;
    fail_sentence(&f, text);
    assert_string_equal(text, "It is empty.");
    memset(f.message, 'm', sizeof f.message - 1);
    memset(f.hint, 'h', sizeof f.hint - 1);
    fail_sentence(&f, text);
    assert_int_equal(strlen(text), sizeof text - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_has_a_row),
        cmocka_unit_test(set_starts_afresh),
        cmocka_unit_test(sentence_has_full_stops),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
