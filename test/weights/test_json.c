/* test_json - the getters name file and key, and the first failure sticks. */
#include "weights/json.h"

#include "test/weights/scratch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct fail f;

/* Open `text` as dir/a/b.json. */
static int open_text(struct json_doc *d, const char *text, size_t n)
{
    struct scratch s;
    int err;

    memset(&f, 0, sizeof f);
    assert_int_equal(scratch_new(&s), 0);
    assert_int_equal(scratch_write(&s, "a/b.json", text, n), 0);
    err = json_open(d, s.dir, "a/b.json", &f);
    scratch_free(&s);
    return err;
}

static void says(const char *text)
{
    if (!strstr(f.message, text)) fail_msg("\"%s\" does not say \"%s\"", f.message, text);
    assert_int_equal(f.code, ERR_MODEL);
}

/* catches: a file that is missing, no JSON, no object, or has a key twice,
 * taken for a configuration */
static void bad_files(void **state)
{
    static const char *const bad[][2] = {
        {"", "is not JSON"},
        {"{", "is not JSON: line 1"},
        {"[1]", "not a JSON object"},
        {"3", "is not JSON"},
        {"{\"a\":1,\"a\":2}", "a is there twice"},
        {"{\"a\":\"\xc3\"}", "is not JSON"},
    };
    struct json_doc d;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(open_text(&d, bad[i][0], strlen(bad[i][0])), ERR_MODEL);
        says(bad[i][1]);
        says("a/b.json");
        assert_int_equal(json_get_int_or(&d, "a", 0, 9, 5), 5);
        json_close(&d);
    }
    assert_int_equal(json_open(&d, "/nonexistent", "x.json", &f), ERR_MODEL);
    says("x.json is missing");
    json_close(&d);
    assert_int_equal(json_open(&d, "/", "tmp", &f), ERR_MODEL); /* a folder is no file */
    json_close(&d);
}

static const char all[] = "{\"i\":7,\"r\":2.5,\"w\":8.0,\"t\":\"hi\",\"b\":true,\"n\":null,"
                          "\"o\":{\"p\":{\"q\":9}},\"is\":[1,2,3.0],\"rs\":[1,-2.5]}";

/* catches: a value not read, a default that wins over a value, null taken for a value */
static void good_values(void **state)
{
    struct json_doc d;
    int is[4];
    float rs[2];

    (void)state;
    assert_int_equal(open_text(&d, all, strlen(all)), 0);
    assert_int_equal(json_get_int(&d, "i", 7, 7), 7);
    assert_int_equal(json_get_int(&d, "w", 0, 9), 8);
    assert_int_equal(json_get_int(&d, "o.p.q", 0, 9), 9);
    assert_int_equal(json_get_int_or(&d, "n", 0, 9, 4), 4);
    assert_int_equal(json_get_int_or(&d, "o.x.q", 0, 9, 4), 4);
    assert_true(json_get_real(&d, "r", 0, 9) == 2.5);
    assert_true(json_get_real_or(&d, "i", 0, 9, 1) == 7);
    assert_true(json_get_bool_or(&d, "b", false));
    assert_true(json_get_bool_or(&d, "x", true));
    assert_string_equal(json_get_text(&d, "t"), "hi");
    assert_int_equal(json_get_ints(&d, "is", 1, 3, 1, 4, is), 3);
    assert_int_equal(is[2], 3);
    assert_int_equal(json_get_reals(&d, "rs", 2, 2, rs), 2);
    assert_true(rs[1] == -2.5f);
    json_only_text(&d, "t", "hi", false);
    json_only_bool(&d, "b", true, false);
    json_only_number(&d, "r", 2.5, false);
    json_only_text(&d, "x", "hi", true);
    json_only_null(&d, "n");
    assert_int_equal(d.err, 0);
    json_close(&d);
}

static void get(struct json_doc *d, int k)
{
    int is[4];
    float rs[4];

    switch (k) {
    case 0: json_get_int(d, "i", 0, 6); break;
    case 1: json_get_int(d, "r", 0, 6); break;
    case 2: json_get_int(d, "o.p.x", 0, 6); break;
    case 3: json_get_real(d, "t", 0, 6); break;
    case 4: json_get_real(d, "r", 3, 6); break;
    case 5: json_get_bool_or(d, "i", true); break;
    case 6: json_get_text(d, "i"); break;
    case 7: json_get_ints(d, "is", 1, 2, 1, 4, is); break;
    case 8: json_get_ints(d, "is", 1, 3, 4, 4, is); break;
    case 9: json_get_ints(d, "rs", -9, 9, 1, 4, is); break;
    case 10: json_get_reals(d, "o", 1, 4, rs); break;
    case 11: json_only_text(d, "t", "ho", false); break;
    case 12: json_only_bool(d, "b", false, false); break;
    case 13: json_only_number(d, "r", 2, false); break;
    case 14: json_only_null(d, "i"); break;
    case 15: json_only_text(d, "x", "hi", false); break;
    default: json_only_bool(d, "t", true, false); break;
    }
}

/* catches: a wrong type or range let through, or reported without its key, value and expectation */
static void wrong_values(void **state)
{
    static const char *const message[] = {
        "a/b.json: i is 7; expected an integer from 0 to 6",
        "r is 2.5; expected an integer",
        "o.p.x is missing; expected an integer",
        "t is \"hi\"; expected a number from 0 to 6",
        "r is 2.5; expected a number from 3 to 6",
        "i is 7; expected true or false",
        "i is 7; expected a string",
        "is entry 2 is not an integer from 1 to 2",
        "is has 3 entries; expected an array of 4 numbers",
        "rs entry 1 is not an integer",
        "expected an array of 1 to 4 numbers",
        "t is \"hi\"; only \"ho\" is implemented",
        "b is true; only false is implemented",
        "r is 2.5; only 2 is implemented",
        "i is 7; only null is implemented",
        "x is absent; only \"hi\" is implemented",
        "t is \"hi\"; only true is implemented",
    };

    (void)state;
    for (int k = 0; k < (int)(sizeof message / sizeof *message); k++) {
        struct json_doc d;

        assert_int_equal(open_text(&d, all, strlen(all)), 0);
        get(&d, k);
        assert_int_equal(d.err, ERR_MODEL);
        says(message[k]);
        json_close(&d);
    }
}

/* catches: a later failure that hides the first one */
static void the_first_failure_sticks(void **state)
{
    struct json_doc d;

    (void)state;
    assert_int_equal(open_text(&d, all, strlen(all)), 0);
    json_get_int(&d, "i", 0, 6);
    for (int k = 1; k < 17; k++)
        get(&d, k);
    json_refuse(&d, "t", "is last");
    says("i is 7");
    assert_string_equal(f.field, "i");
    json_close(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_files),
        cmocka_unit_test(good_values),
        cmocka_unit_test(wrong_values),
        cmocka_unit_test(the_first_failure_sticks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
