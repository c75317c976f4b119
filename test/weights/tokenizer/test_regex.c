/* test_regex - expressions written for Oniguruma mean the same here, or are refused. */
#include "weights/tokenizer/regex.h"

#include "proto/fail.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* The bytes of the first match, "-" for none; into buf. */
static const char *first(const char *pattern, bool literal, const char *text, char buf[64])
{
    struct regex *p;
    char why[100];
    size_t at = 0, end = 0;
    struct regex_scratch *s;
    int found;

    if (regex_open(&p, pattern, strlen(pattern), literal, why, sizeof why))
        fail_msg("%s: %s", pattern, why);
    s = regex_scratch_new(p);
    assert_non_null(s);
    found = regex_find(p, s, text, strlen(text), 0, &at, &end);
    assert_true(found >= 0);
    snprintf(buf, 64, "%.*s", found ? (int)(end - at) : 1, found ? text + at : "-");
    regex_scratch_free(s);
    regex_close(p);
    return buf;
}

/* catches: a class that means something else to PCRE2 than to the reference */
static void means_the_same(void **state)
{
    static const char *const same[][3] = {
        {"\\s", "a\xc2\x85", "\xc2\x85"},           /* next line is white space */
        {"\\s", "\xe1\xa0\x8e", "-"},               /* the Mongolian vowel separator is not */
        {"\\S+", " \xe1\xa0\x8e ", "\xe1\xa0\x8e"}, /* so it is the opposite */
        {"[\\s]+", "x\xe3\x80\x80 y", "\xe3\x80\x80 "},
        {"\\w+", "-\xc2\xbd\xe2\x93\x90_9-", "\xc2\xbd\xe2\x93\x90_9"}, /* a half, a circled b */
        {"\\W", "\xc2\xb2-", "-"},
        {"\\v", "\xe2\x80\xa8\v", "\v"}, /* one character, not PCRE2's class */
        {"\\d+", "a\xd9\xa3\xf0\x9e\x93\xb1x",
         "\xd9\xa3\xf0\x9e\x93\xb1"},                          /* a digit of Unicode 15 */
        {"\\p{L}+", "1\xf0\xb1\x8d\x90!", "\xf0\xb1\x8d\x90"}, /* a letter of Unicode 15 */
        {"\\pL", "1\xf0\xb1\x8d\x90!", "\xf0\xb1\x8d\x90"},
        {"[^\\p{L}]+", "a\xf0\xb1\x8d\x90!", "!"},
        {"\\P{L}+", "a\xf0\xb1\x8d\x90!", "!"},
        {"\\p{^L}+", "a\xf0\xb1\x8d\x90!", "!"},
        {"\\u00e9", "e\xc3\xa9", "\xc3\xa9"},
        {"\\x{e9}+", "e\xc3\xa9\xc3\xa9", "\xc3\xa9\xc3\xa9"},
        {"(?i:'s|'t)", "a'\xc5\xbf", "'\xc5\xbf"}, /* the long s folds to s */
        {"\\p{N}{1,3}", "12345", "123"},
        {"^b$", "a\nb\nc", "b"}, /* lines, as in Ruby */
        {".+", "\na\r", "a\r"},  /* only \n ends a line */
        {"\\s+(?!\\S)", "x   y", "  "},
        {"a++b", "aab", "aab"},
    };
    char buf[64];

    (void)state;
    for (size_t i = 0; i < sizeof same / sizeof *same; i++)
        assert_string_equal(first(same[i][0], false, same[i][1], buf), same[i][2]);
    assert_string_equal(first("a.(", true, "xa.(", buf), "a.(");
}

/* catches: an expression that PCRE2 reads differently, taken as if it were the same */
static void refuses_what_it_cannot_say(void **state)
{
    static const char *const bad[] = {"[a[b]]", "[a&&b]", "[\\W]",   "[\\P{L}]", "a{2}+", "(?m:a)",
                                      "\\h",    "\\R",    "(a)\\1",  "\\p{Han}", "\\",    "\\u12",
                                      "(",      "[]a]",   "\\p{Xx}", "\\p",      "\\G"};
    char why[100];

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct regex *p;
        int err = regex_open(&p, bad[i], strlen(bad[i]), false, why, sizeof why);

        if (err != ERR_MODEL || p || strlen(why) < 5) fail_msg("%s: %d %s", bad[i], err, why);
    }
}

/* catches: a group that repeats a million times and exhausts a stack or a limit */
static void survives_long_matches(void **state)
{
    const size_t n = 1 << 20;
    struct regex *p;
    char why[100], *text = malloc(n);
    size_t at, end;
    struct regex_scratch *s;

    (void)state;
    assert_non_null(text);
    memset(text, 'a', n);
    assert_int_equal(regex_open(&p, "(?:a|b)+c|a+", 12, false, why, sizeof why), 0);
    s = regex_scratch_new(p);
    assert_int_equal(regex_find(p, s, text, n, 0, &at, &end), 1);
    assert_int_equal(end - at, n);
    assert_int_equal(regex_find(p, s, text, n, n, &at, &end), 0);
    regex_scratch_free(s);
    regex_close(p);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(means_the_same),
        cmocka_unit_test(refuses_what_it_cannot_say),
        cmocka_unit_test(survives_long_matches),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
