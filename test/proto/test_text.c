/* test_text - the JSON writer is exact and bounded, the reader strict. */
#include "proto/limits.h"
#include "test/proto/vectors.h"

#include <math.h>

static const char *written(struct text *t)
{
    assert_int_equal(text_check(t, NULL), 0);
    return t->at + t->head;
}

/* catches: numbers that another JSON.stringify writes differently (digests would differ) */
static void numbers_as_javascript(void **state)
{
    json_t *root = vectors_load("numbers.json"), *cases = json_object_get(root, "cases"), *c;
    size_t i;

    (void)state;
    assert_true(json_array_size(cases) >= 20);
    json_array_foreach(cases, i, c)
    {
        char out[TEXT_NUMBER];

        text_number(strtod(json_string_value(c), NULL), out);
        assert_string_equal(out, json_string_value(c));
    }
    json_decref(root);
}

/* catches: a number that does not read back, or is longer than its buffer */
static void numbers_read_back(void **state)
{
    uint64_t x = 88172645463325252u;
    char zero[TEXT_NUMBER];

    (void)state;
    for (int i = 0; i < 20000; i++) {
        double d;
        char out[TEXT_NUMBER];

        x ^= x << 13, x ^= x >> 7, x ^= x << 17;
        memcpy(&d, &x, sizeof d);
        if (!isfinite(d)) continue;
        text_number(d, out);
        assert_true(strtod(out, NULL) == d);
    }
    text_number(-0.0, zero);
    assert_string_equal(zero, "0");
}

/* catches: a missing or doubled comma, a wrong escape, NaN in JSON */
static void every_kind_of_value(void **state)
{
    struct text t;

    (void)state;
    text_init(&t, 0, 1000);
    text_open(&t, NULL, '{');
    text_string(&t, "s", "a\"\\/\b\f\n\r\t\x01\v\x7f");
    text_string(&t, "n", NULL);
    text_open(&t, "a", '[');
    text_close(&t, ']');
    text_open(&t, "b", '[');
    text_int(&t, NULL, INT64_MIN);
    text_real(&t, NULL, NAN);
    text_real(&t, NULL, -INFINITY);
    text_bool(&t, NULL, true);
    text_open(&t, NULL, '{');
    text_close(&t, '}');
    text_close(&t, ']');
    text_id(&t, "id", 10);
    text_ms(&t, "t", -1);
    text_ms(&t, "u", 0);
    text_string(&t, "{", "[");
    text_int(&t, "z", 1);
    text_close(&t, '}');
    assert_string_equal(written(&t),
                        "{\"s\":\"a\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\\u000b\x7f\",\"n\":null,"
                        "\"a\":[],\"b\":[-9223372036854775808,null,null,true,{}],"
                        "\"id\":\"000000000000000a\",\"t\":null,\"u\":0,"
                        "\"{\":\"[\",\"z\":1}");
    text_free(&t);
}

/* catches: an invalid byte from a cut message that makes the whole frame invalid */
static void broken_utf8_is_mended(void **state)
{
    const char *bad[] = {
        "\x80", "\xc0\xaf", "\xed\xa0\x80", "\xe7\xba", "\xf4\x90\x80\x80", "\xf8\x88\x80\x80\x80",
        "\xc3", "\xff"};

    (void)state;
    for (int i = 0; i < 8; i++) {
        struct text t;
        json_t *back;

        text_init(&t, 0, 100);
        text_open(&t, NULL, '[');
        text_string(&t, NULL, bad[i]);
        text_close(&t, ']');
        back = json_loads(written(&t), 0, NULL);
        assert_non_null(back);
        assert_memory_equal(json_string_value(json_array_get(back, 0)), "\xef\xbf\xbd", 3);
        json_decref(back);
        text_free(&t);
    }
    assert_int_equal(text_utf8("\xf0\x9f\x94\xb4", 4), 4);
    assert_int_equal(text_utf8("\xf0\x9f\x94\xb4", 3), 0);
    assert_int_equal(text_utf8("\xef\xbf\xbf", 3), 3);
    assert_int_equal(text_utf8("\xed\x9f\xbf", 3), 3);
    assert_int_equal(text_utf8("", 0), 0);
}

/* catches: a text that grows past its limit, or that is sent after it failed */
static void limit_sticks(void **state)
{
    struct text t;
    struct fail f;
    size_t len = 99;

    (void)state;
    text_init(&t, 8, 5);
    text_raw(&t, "12345");
    assert_int_equal(text_check(&t, &f), 0);
    text_raw(&t, "6");
    text_raw(&t, "");
    assert_int_equal(text_check(&t, &f), ERR_TOO_LARGE);
    assert_int_equal(f.code, ERR_TOO_LARGE);
    assert_int_equal(t.len, 5);
    assert_null(text_take(&t, &len));
    text_free(&t);
    assert_int_equal(text_check(&t, NULL), 0);
}

/* catches: no room in front for the sender, or a buffer freed twice */
static void head_is_left_free(void **state)
{
    struct text t;
    size_t len = 0;
    char *at;

    (void)state;
    text_init(&t, 16, 1000);
    for (int i = 0; i < 300; i++)
        text_raw(&t, "ab");
    at = text_take(&t, &len);
    assert_int_equal(len, 600);
    memset(at, 0, 16);
    assert_memory_equal(at + 16, "abab", 4);
    assert_int_equal(at[16 + 600], 0);
    free(at);
    text_free(&t);
    at = text_take(&t, &len);
    assert_non_null(at);
    assert_int_equal(len, 0);
    free(at);
}

static int mallocs_left;
static void *fail_malloc(size_t size)
{
    return mallocs_left-- > 0 ? malloc(size) : NULL;
}

/* catches: a crash, a leak or an answer when memory runs out inside the parser */
static void parser_without_memory(void **state)
{
    const char *text = "{\"a\":[1,\"two\",{\"three\":null}]}";
    int failures = 0;

    (void)state;
    json_set_alloc_funcs(fail_malloc, free);
    for (int n = 0;; n++) {
        struct fail f;
        json_t *root;

        mallocs_left = n;
        root = text_parse(text, strlen(text), 1000, &f);
        json_decref(root);
        if (root) break;
        failures += f.code == ERR_OUT_OF_MEMORY;
    }
    json_set_alloc_funcs(malloc, free);
    assert_true(failures > 5);
}

/* catches: reading past the given length, or accepting more than the limit */
static void parse_is_bounded(void **state)
{
    struct fail f;
    char *exact;
    json_t *root;

    (void)state;
    assert_null(text_parse("{}", 2, 1, &f));
    assert_int_equal(f.code, ERR_TOO_LARGE);
    exact = malloc(2);
    assert_non_null(exact);
    memcpy(exact, "{}", 2);
    root = text_parse(exact, 2, 2, &f);
    assert_non_null(root);
    json_decref(root);
    memcpy(exact, "\"\\", 2);
    assert_null(text_parse(exact, 2, 2, &f));
    free(exact);
}

/* catches: a crash where nobody wants to know what is wrong, as in a stored row */
static void nothing_is_told(void **state)
{
    static const char *const bad[] = {"",
                                      "{",
                                      "\xff",
                                      "{\"a\":\"\xff\"}",
                                      "{\"a\":1e999}",
                                      "[]",
                                      "{\"a\":1,\"a\":2}",
                                      "{\"a\":\"\\ud800\"}",
                                      "{\"\\u0000\":1}"};

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_null(text_parse(bad[i], strlen(bad[i]), 1000, NULL));
    assert_null(text_parse("{}", 2, 1, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_as_javascript), cmocka_unit_test(numbers_read_back),
        cmocka_unit_test(every_kind_of_value),   cmocka_unit_test(broken_utf8_is_mended),
        cmocka_unit_test(limit_sticks),          cmocka_unit_test(head_is_left_free),
        cmocka_unit_test(parser_without_memory), cmocka_unit_test(parse_is_bounded),
        cmocka_unit_test(nothing_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
