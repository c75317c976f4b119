/* test_lift - long base64 leaves a JSON body, wherever the body is cut, and nothing else does. */
#include "server/http/lift.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include <cmocka.h>

enum { BYTES = 40000 };

struct bed {
    uint8_t bytes[BYTES];
    char code[BYTES / 3 * 4 + 8];
    char body[4 * BYTES];
    struct lift lift;
};

static int set_up(void **state)
{
    struct bed *b = calloc(1, sizeof *b);

    for (int i = 0; b && i < BYTES; i++)
        b->bytes[i] = (uint8_t)(i * 7919 >> 3);
    if (b) sodium_bin2base64(b->code, sizeof b->code, b->bytes, BYTES, 1);
    *state = b;
    return b ? 0 : -1;
}

static int tear_down(void **state)
{
    free(*state);
    return 0;
}

/* The body in pieces of n bytes. */
static int feed(struct bed *b, size_t n)
{
    const size_t len = strlen(b->body);
    struct fail f;
    int status = 0;

    lift_init(&b->lift);
    for (size_t at = 0; at < len && !status; at += n)
        status = lift_feed(&b->lift, b->body + at, len - at < n ? len - at : n, &f);
    return status;
}

static void expect_file(const struct bed *b, int i)
{
    assert_true(lift_good(&b->lift.one[i]));
    assert_int_equal(b->lift.one[i].len, BYTES);
    assert_memory_equal(b->lift.one[i].bytes, b->bytes, BYTES);
}

/* catches: a symbol lost where two pieces meet, a string that loses its quotes, an address with a
 * picture's head that is decoded with the picture */
static void pictures_leave_wherever_the_body_is_cut(void **state)
{
    static const size_t pieces[] = {1, 2, 3, 5, 64, 1000, 32768, 32769, 65536, SIZE_MAX / 2};
    struct bed *b = *state;

    snprintf(b->body, sizeof b->body,
             "{\"prompt\":\"a \\\"b\\\\\",\"all\":[\"%s\",\"data:image/png;base64,%s\"],\"n\":1}",
             b->code, b->code);
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        assert_int_equal(feed(b, pieces[i]), 0);
        assert_int_equal(b->lift.n, 2);
        assert_string_equal(
            b->lift.text.at,
            "{\"prompt\":\"a \\\"b\\\\\",\"all\":[{\"lifted\":0},{\"lifted\":1}],\"n\":1}");
        expect_file(b, 0);
        expect_file(b, 1);
        lift_free(&b->lift);
    }
}

/* catches: "\/" as some languages write it, lines as others do */
static void escapes_and_lines_are_read(void **state)
{
    struct bed *b = *state;
    char *to = b->body;

    *to++ = '[';
    *to++ = '"';

    for (const char *from = b->code; *from; from++) {
        if (*from == '/') *to++ = '\\';
        *to++ = *from;
        if ((from - b->code) % 76 != 75) continue;
        memcpy(to, "\\r\\n", 4);
        to += 4;
    }
    memcpy(to, "\"]", 3);
    for (size_t n = 1; n < 8; n++) {
        assert_int_equal(feed(b, n), 0);
        assert_string_equal(b->lift.text.at, "[{\"lifted\":0}]");
        expect_file(b, 0);
        lift_free(&b->lift);
    }
}

/* catches: a long text that is taken for a picture and lost */
static void other_strings_stay(void **state)
{
    struct bed *b = *state;

    memset(b->body, 'a', 3 * BYTES);
    b->body[0] = b->body[3 * BYTES - 1] = '"';
    memcpy(b->body + 1000, "\\u00e9 \\\" ", 10);
    assert_int_equal(feed(b, 777), 0);
    assert_int_equal(b->lift.n, 0);
    assert_string_equal(b->lift.text.at, b->body);
    lift_free(&b->lift);
    snprintf(b->body, sizeof b->body, "[\"%.32000s\",\"%.32000s\"]", b->code,
             b->code); /* long together */
    assert_int_equal(feed(b, 777), 0);
    assert_int_equal(b->lift.n, 0);
    assert_string_equal(b->lift.text.at, b->body);
    lift_free(&b->lift);
}

static bool good_with(struct bed *b, const char *end)
{
    bool good;

    snprintf(b->body, sizeof b->body, "[\"%.40000s%s\"]", b->code, end);
    assert_int_equal(feed(b, 4096), 0);
    assert_int_equal(b->lift.n, 1);
    good = lift_good(&b->lift.one[0]);
    lift_free(&b->lift);
    return good;
}

/* catches: what is no base64 taken as a file, a length below nothing after too many pads */
static void what_is_none_is_told(void **state)
{
    static const char *const bad[] = {
        "A",    "AA",   "AAA",      "!AAA", "=",     "==",         "===",     "====",    "A===",
        "AB==", "AAB=", "AA==AAAA", "AA=A", "AA===", "\\u0041AAA", "\\\"AAA", "AA======"};
    static const char *const good[] = {"", "AAAA", "AA==", "AAA=", "A A\\nA A", "AA= =\\n"};

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (good_with(*state, bad[i])) fail_msg("'%s' at the end is taken", bad[i]);
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        if (!good_with(*state, good[i])) fail_msg("'%s' at the end is refused", good[i]);
}

/* catches: text without a bound, a file without one, more pictures than there is room for */
static void everything_has_a_bound(void **state)
{
    struct bed *b = *state;
    char piece[65536];
    struct fail f;
    int status = 0, fed = 0;

    memset(piece, ' ', sizeof piece);
    lift_init(&b->lift);
    while (!status && fed++ < 100)
        status = lift_feed(&b->lift, piece, sizeof piece, &f);
    assert_int_equal(status, 413);
    assert_int_equal(f.code, ERR_TOO_LARGE);
    lift_free(&b->lift);

    memset(piece, 'A', sizeof piece);
    lift_init(&b->lift);
    assert_int_equal(lift_feed(&b->lift, "[\"", 2, &f), 0);
    for (fed = 0; fed < 1000; fed++) /* 48 MiB of bytes */
        assert_int_equal(lift_feed(&b->lift, piece, sizeof piece, &f), 0);
    assert_in_range(b->lift.one[0].len, LIMIT_IMAGE_BYTES + 1, LIMIT_IMAGE_BYTES + 4);
    for (int i = 0; i < 2 * LIFT_KEPT; i++) {
        assert_int_equal(lift_feed(&b->lift, "\",\"", 3, &f), 0);
        assert_int_equal(lift_feed(&b->lift, piece, sizeof piece, &f), 0);
    }
    assert_int_equal(b->lift.n, 1 + 2 * LIFT_KEPT);
    assert_true(b->lift.text.len < 1000);
    lift_free(&b->lift);
}

/* catches: a client's own object that reaches past the pictures */
static void only_what_was_lifted_is_found(void **state)
{
    struct bed *b = *state;
    json_t *o;

    snprintf(b->body, sizeof b->body,
             "[\"%s\",{\"lifted\":1},{\"lifted\":-1},{\"lifted\":1e99},{\"lifted\":\"0\"},7]",
             b->code);
    assert_int_equal(feed(b, 4096), 0);
    o = json_loads(b->lift.text.at, JSON_DECODE_INT_AS_REAL, NULL);
    assert_int_equal(json_array_size(o), 6);
    assert_ptr_equal(lift_find(&b->lift, json_array_get(o, 0)), &b->lift.one[0]);
    for (size_t i = 1; i < 6; i++)
        assert_null(lift_find(&b->lift, json_array_get(o, i)));
    assert_null(lift_find(NULL, json_array_get(o, 0)));
    json_decref(o);
    lift_free(&b->lift);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pictures_leave_wherever_the_body_is_cut),
        cmocka_unit_test(escapes_and_lines_are_read),
        cmocka_unit_test(other_strings_stay),
        cmocka_unit_test(what_is_none_is_told),
        cmocka_unit_test(everything_has_a_bound),
        cmocka_unit_test(only_what_was_lifted_is_found),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
