/* test_body - bodies by length and in chunks, whole and in pieces, and how to get one wrong. */
#include "server/http/body.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { MAX = 20 };

/* Feed in pieces of `step` bytes: 0 and the body in out, or the status; *left: not used. */
static int feed(const struct head *h, const char *wire, size_t n, size_t step, char *out,
                size_t *left)
{
    struct body b;
    struct fail f;
    size_t at = 0, len = 0;
    int status = body_begin(&b, h, MAX, &f);

    while (!status && at < n && !body_whole(&b)) {
        size_t used, give = n - at < step ? n - at : step;
        struct body_piece p;

        status = body_feed(&b, wire + at, give, &used, &p, &f);
        memcpy(out + len, p.at, p.n);
        len += p.n;
        at += used;
    }
    out[len] = 0;
    *left = n - at;
    return status ? status : body_whole(&b) ? 0 : -1;
}

static void expect(const struct head *h, const char *wire, size_t n, int status, const char *body,
                   size_t rest)
{
    for (size_t step = 1; step <= n + 1; step++) {
        char out[256];
        size_t left;
        int got = feed(h, wire, n, step, out, &left);

        if (got != status)
            fail_msg("%s: %d instead of %d in steps of %zu", wire, got, status, step);
        if (status) continue;
        assert_string_equal(out, body);
        assert_int_equal(left, rest);
    }
}

static const struct head CHUNKED = {.chunked = true};
#define CHUNKS(wire, status, body, rest) \
    expect(&CHUNKED, wire, sizeof(wire) - 1, status, body, rest)

/* catches: bytes of the next request taken, or some of the body left */
static void lengths(void **state)
{
    struct head h = {.length = 5}, none = {.length = 0}, most = {.length = MAX},
                more = {.length = MAX + 1};

    (void)state;
    expect(&h, "helloGET /", 10, 0, "hello", 5);
    expect(&h, "hell", 4, -1, "", 0);
    expect(&none, "GET /", 5, 0, "", 5);
    expect(&most, "01234567890123456789x", 21, 0, "01234567890123456789", 1);
    expect(&more, "x", 1, 413, "", 0);
}

/* catches: a chunked body that ends elsewhere when it comes in pieces */
static void chunks(void **state)
{
    (void)state;
    CHUNKS("0\r\n\r\nGET", 0, "", 3);
    CHUNKS("5\r\nhello\r\n0\r\n\r\n", 0, "hello", 0);
    CHUNKS("1\r\na\r\n0002\r\nbc\r\nA\r\n0123456789\r\n00\r\n\r\n", 0, "abc0123456789", 0);
    CHUNKS("5;name=value;x\r\nhello\r\n0;last\r\n\r\n", 0, "hello", 0);
    CHUNKS("2\r\n\r\n\r\n0\r\nTrailer: x\r\nOther: y\r\n\r\nGET", 0, "\r\n", 3);
    CHUNKS("5\r\nhello\r\n0\r\n", -1, "", 0);
    CHUNKS("14\r\n01234567890123456789\r\n0\r\n\r\n", 0, "01234567890123456789", 0);
}

/* catches: what two readers take for two bodies */
static void wrong(void **state)
{
    static char extension[300], trailer[5000];

    (void)state;
    CHUNKS("\r\n", 400, "", 0);
    CHUNKS("x\r\n", 400, "", 0);
    CHUNKS("-1\r\n", 400, "", 0);
    CHUNKS("+1\r\n", 400, "", 0);
    CHUNKS(" 1\r\n", 400, "", 0);
    CHUNKS("1 \r\n", 400, "", 0);
    CHUNKS("0x1\r\n", 400, "", 0);
    CHUNKS("1\na\r\n", 400, "", 0);
    CHUNKS("1\r\r\n", 400, "", 0);
    CHUNKS("1\ra\r\n", 400, "", 0);
    CHUNKS("1\r\nab\r\n", 400, "", 0);
    CHUNKS("1\r\na\n", 400, "", 0);
    CHUNKS("1\r\na\rb", 400, "", 0);
    CHUNKS("1;a\nb\r\n", 400, "", 0);
    CHUNKS("1;a\0b\r\n", 400, "", 0);
    CHUNKS("0\r\nA: b\nC: d\r\n\r\n", 400, "", 0);
    CHUNKS("0\r\nA\1: b\r\n\r\n", 400, "", 0);
    CHUNKS("000000001\r\n", 400, "", 0);
    CHUNKS("FFFFFFFF\r\n", 413, "", 0);
    CHUNKS("15\r\n", 413, "", 0);
    CHUNKS("A\r\n0123456789\r\nB\r\n", 413, "", 0);
    memset(extension, 'x', sizeof extension);
    memcpy(extension, "1;", 2);
    expect(&CHUNKED, extension, sizeof extension, 400, "", 0);
    memset(trailer, 'x', sizeof trailer);
    memcpy(trailer, "0\r\n", 3);
    CHUNKS("0\r\n", -1, "", 0);
    for (size_t step = 1; step < 2000; step += 700) {
        char out[256];
        size_t left;

        assert_int_equal(feed(&CHUNKED, trailer, sizeof trailer, step, out, &left), 400);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(lengths), cmocka_unit_test(chunks),
                                       cmocka_unit_test(wrong)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
