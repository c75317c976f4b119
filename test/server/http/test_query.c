/* test_query - parameters of an address, and the commands that they make. */
#include "server/http/query.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const char *const NONE[] = {NULL}, *const WAIT[] = {"wait", NULL};

static void expect(const char *query, enum command_kind kind, const char *json)
{
    json_t *got = json_object(), *want = json_loads(json, JSON_DECODE_INT_AS_REAL, NULL);
    struct fail f;

    assert_non_null(want);
    if (query_command(query, kind, WAIT, got, &f)) fail_msg("%s: %s", query, f.message);
    if (!json_equal(got, want)) fail_msg("%s: %s", query, json_dumps(got, 0));
    json_decref(got);
    json_decref(want);
}

/* catches: a value that is read as another type than its member has */
static void members(void **state)
{
    (void)state;
    expect("", COMMAND_LIST, "{}");
    expect("limit=5&state=done&before=1234567890123456", COMMAND_LIST,
           "{\"limit\":5,\"state\":\"done\",\"before\":\"1234567890123456\"}");
    expect("wait=5&&limit=7&", COMMAND_LIST, "{\"limit\":7}");
    expect("prompt=5&width=128&guidance=2.5&lane=batch", COMMAND_QUOTE,
           "{\"spec\":{\"prompt\":\"5\",\"width\":128,\"guidance\":2.5,\"lane\":\"batch\"}}");
    expect("prompt=a+red%20%e7%ba%a2%26", COMMAND_QUOTE,
           "{\"spec\":{\"prompt\":\"a red \\u7ea2&\"}}");
    expect("limit=x&state=", COMMAND_LIST, "{\"limit\":\"x\",\"state\":\"\"}");
    expect("limit=[1]", COMMAND_LIST, "{\"limit\":\"[1]\"}");
    expect("on=true", COMMAND_STATS, "{\"on\":true}");
}

static void refuse(const char *query, enum command_kind kind, enum err code, const char *field)
{
    json_t *got = json_object();
    struct fail f;

    assert_int_equal(query_command(query, kind, NONE, got, &f), code);
    assert_string_equal(f.field, field);
    json_decref(got);
}

/* catches: a misspelt parameter that is passed over, bytes that are no text */
static void wrong(void **state)
{
    (void)state;
    refuse("limits=5", COMMAND_LIST, ERR_BAD_FIELD, "limits");
    refuse("spec=5", COMMAND_QUOTE, ERR_BAD_FIELD, "spec");
    refuse("prompt=%ff", COMMAND_QUOTE, ERR_BAD_UTF8, "prompt");
    refuse("=5", COMMAND_LIST, ERR_BAD_FIELD, "");
}

/* catches: a name that stands twice, of which one reader takes the first and another the last; one
 * in other letters that are the same; half an escape; names without end */
static void checked(void **state)
{
    static const struct {
        const char *query;
        int err;
        const char *field;
    } cases[] = {
        {"", 0, ""},
        {"wait=50&a=1&&=2&=3&b", 0, ""},
        {"wait=50&wait=1", ERR_BAD_FIELD, "wait"},
        {"wait=1&x&wait=1", ERR_BAD_FIELD, "wait"},
        {"wait&wait", ERR_BAD_FIELD, "wait"},
        {"wait=1&w%61it=2", ERR_BAD_FIELD, "wait"},
        {"a+b=1&a%20b=2", ERR_BAD_FIELD, "a b"},
        {"wait=1&Wait=2", 0, ""},
        {"a=%0", ERR_BAD_REQUEST, ""},
        {"a=%00", ERR_BAD_REQUEST, ""},
        {"a=%", ERR_BAD_REQUEST, ""},
    };
    char many[8 * (QUERY_PAIRS + 1)];
    size_t n = 0;
    struct fail f;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (query_check(cases[i].query, &f) != cases[i].err) fail_msg("%s", cases[i].query);
        if (cases[i].err) assert_string_equal(f.field, cases[i].field);
    }
    for (int i = 0; i < QUERY_PAIRS; i++)
        n += (size_t)snprintf(many + n, sizeof many - n, "a%d&", i);
    assert_int_equal(query_check(many, &f), 0);
    snprintf(many + n, sizeof many - n, "b");
    assert_int_equal(query_check(many, &f), ERR_BAD_REQUEST);
}

/* catches: a word for true that is taken for false */
static void truths(void **state)
{
    bool on;
    struct fail f;

    (void)state;
    assert_true(query_true("private=True", "private", &on, &f) == 0 && on);
    assert_true(query_true("private=1", "private", &on, &f) == 0 && on);
    assert_true(query_true("private=false", "private", &on, &f) == 0 && !on);
    assert_true(query_true("a=true", "private", &on, &f) == 0 && !on);
    assert_int_equal(query_true("private=tru", "private", &on, &f), ERR_BAD_FIELD);
    assert_int_equal(query_true("private=", "private", &on, &f), ERR_BAD_FIELD);
    assert_int_equal(query_true("private=true%20and", "private", &on, &f), ERR_BAD_FIELD);
}

/* catches: a number with a sign, a fraction or a tail */
static void whole(void **state)
{
    const char *bad[] = {"n=-1", "n=1.5", "n=", "n=11", "n=5x", "n=99999999999999999999"};
    int64_t n;
    struct fail f;
    char text[4];

    (void)state;
    assert_int_equal(query_whole("a=b&n=7", "n", 0, 10, 3, &n, &f), 0);
    assert_int_equal(n, 7);
    assert_int_equal(query_whole("a=b", "n", 0, 10, 3, &n, &f), 0);
    assert_int_equal(n, 3);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(query_whole(bad[i], "n", 0, 10, 3, &n, &f), ERR_BAD_FIELD);
    assert_true(query_value("x&y=abc", "y", text, sizeof text));
    assert_string_equal(text, "abc");
    assert_true(query_value("y=abcd", "y", text, sizeof text));
    assert_string_equal(text, "");
    assert_false(query_value("x", "y", text, sizeof text));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(members), cmocka_unit_test(wrong),
                                       cmocka_unit_test(checked), cmocka_unit_test(truths),
                                       cmocka_unit_test(whole)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
