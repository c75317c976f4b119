/* test_utf8 - what is UTF-8 and what is not; walking in both directions. */
#include "weights/tokenizer/utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* catches: overlong forms, surrogates, cut or stray bytes,
 * or planes past the last one let through */
static void refuses_what_is_not_utf8(void **state)
{
    static const char *const bad[] = {
        "\x80",
        "\xc0\x80",
        "\xc1\xbf",
        "\xc3",
        "\xc3(",
        "\xe0\x80\x80",
        "\xe0\x9f\xbf",
        "\xed\xa0\x80",
        "\xed\xbf\xbf",
        "\xe4\xb8",
        "\xf0\x8f\xbf\xbf",
        "\xf4\x90\x80\x80",
        "\xf5\x80\x80\x80",
        "\xff",
        "a\xfe",
        "\xf0\x9f\x98",
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(utf8_valid(bad[i], strlen(bad[i])));
}

/* catches: a border of a length class refused; a wrong code point; a wrong step backwards */
static void walks_both_ways(void **state)
{
    static const struct {
        const char *s;
        uint32_t c;
    } good[] = {
        {"\x7f", 0x7f},
        {"\xc2\x80", 0x80},
        {"\xdf\xbf", 0x7ff},
        {"\xe0\xa0\x80", 0x800},
        {"\xed\x9f\xbf", 0xd7ff},
        {"\xee\x80\x80", 0xe000},
        {"\xef\xbf\xbf", 0xffff},
        {"\xf0\x90\x80\x80", 0x10000},
        {"\xf4\x8f\xbf\xbf", 0x10ffff},
    };

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        size_t n = strlen(good[i].s), k = 0;

        assert_true(utf8_valid(good[i].s, n));
        assert_int_equal(utf8_next(good[i].s, n, &k), good[i].c);
        assert_int_equal(k, n);
        assert_int_equal(utf8_last(good[i].s, n), n);
    }
    assert_true(utf8_valid("a\0b", 3));
    assert_true(utf8_valid("", 0));
}

/* catches: Python's extra separators missing or given to others; a scan past the start */
static void white_space(void **state)
{
    (void)state;
    assert_int_equal(utf8_space_after("a \xe3\x80\x80\t", 6, false), 5);
    assert_int_equal(utf8_space_after("  ", 2, false), 2);
    assert_int_equal(utf8_space_before("\xc2\xa0\n x", 5, false), 4);
    assert_int_equal(utf8_space_before("\x1c", 1, false), 0);
    assert_int_equal(utf8_space_before("\x1c", 1, true), 1);
    assert_int_equal(utf8_space_before("\xe2\x80\x8b", 3, true), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_what_is_not_utf8),
        cmocka_unit_test(walks_both_ways),
        cmocka_unit_test(white_space),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
