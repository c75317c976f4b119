/* test_head - requests that two readers could read in two ways: each must be refused. */
#include "server/http/head.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static char bytes[2 * HEAD_BYTES];

static int parse_n(struct head *h, const char *text, size_t len)
{
    struct fail f;
    size_t n;

    memcpy(bytes, text, len);
    n = head_length(bytes, len);
    assert_true(n > 0);
    return head_parse(h, bytes, n, &f);
}

static int parse(struct head *h, const char *text)
{
    return parse_n(h, text, strlen(text));
}

/* catches: a value with its blanks, a path with its escapes, a name that keeps its case */
static void one(void **state)
{
    struct head h;
    char list[64];

    (void)state;
    assert_int_equal(parse(&h, "\r\nGET /i/a%20b?x=%41&y HTTP/1.1\r\nHOST:  x:1 \t\r\nX-A:\r\n"
                               "accept: a\r\nAccept: b\r\nConnection: Upgrade,  close\r\n\r\nrest"),
                     0);
    assert_string_equal(h.method, "GET");
    assert_string_equal(h.path, "/i/a b");
    assert_string_equal(h.query, "x=%41&y");
    assert_string_equal(head_value(&h, "host"), "x:1");
    assert_string_equal(head_value(&h, "x-a"), "");
    assert_string_equal(head_value(&h, "x-b"), "");
    assert_true(head_list(&h, "accept", list, sizeof list));
    assert_string_equal(list, "a, b");
    assert_false(head_list(&h, "accept", list, 4));
    assert_string_equal(list, "");
    assert_true(head_has(&h, "connection", "upgrade") && h.close && !head_body(&h));
    assert_false(head_has(&h, "connection", "grade"));
    assert_int_equal(parse(&h, "GET / HTTP/1.0\r\n\r\n"), 0);
    assert_true(h.old && h.close && h.fields == 0);
    assert_int_equal(parse(&h, "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n"), 0);
}

/* catches: a body that is taken for the next request, or a request for a body */
static void bodies(void **state)
{
    struct head h;
    static const char *const bad[] = {
        "Content-Length: -1",
        "Content-Length: +1",
        "Content-Length: 0x10",
        "Content-Length: 1 1",
        "Content-Length: 1,1",
        "Content-Length:",
        "Content-Length: 18446744073709551616",
        "Content-Length: 9999999999999999999",
        "Content-Length: 1\r\nContent-Length: 1",
        "Content-Length: 1\r\ncontent-length: 2",
        "Content-Length: 0\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "Content-Length : 5",
        "Content-Length\t: 5",
        " Content-Length: 5",
        "X: a\r\n Content-Length: 5",
        "X: a\r\n\tb",
        "X: a\nContent-Length: 5",
        "X: a\rContent-Length: 5",
        "X: a\r\r\nContent-Length: 5",
        "X\nY: a",
        ": a",
        "no colon",
        "X: \x01",
        "X: \x7f",
        "X(Y): a",
        "Host: y",
        "Origin: a\r\nOrigin: b",
        "Idempotency-Key: a\r\nidempotency-key: b",
        "Last-Event-ID: 1\r\nLast-Event-ID: 2",
        "Range: bytes=0-1\r\nRange: bytes=2-3",
    };

    (void)state;
    assert_int_equal(parse(&h, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 007\r\n\r\n"), 0);
    assert_true(h.length == 7 && head_body(&h) && !h.chunked);
    assert_int_equal(parse(&h, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"), 0);
    assert_false(head_body(&h));
    assert_int_equal(parse(&h, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: Chunked\r\n"
                               "Expect: 100-Continue\r\n\r\n"),
                     0);
    assert_true(h.chunked && head_body(&h) && h.expect);
    assert_int_equal(parse(&h, "POST / HTTP/1.1\r\nHost: x\r\nExpect: wonders\r\n\r\n"), 417);
    assert_int_equal(
        parse(&h, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"), 501);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char text[256];

        snprintf(text, sizeof text, "POST / HTTP/1.1\r\nHost: x\r\n%s\r\n\r\n", bad[i]);
        if (parse(&h, text) != 400) fail_msg("taken: %s", bad[i]);
    }
}

/* catches: an address with scheme and host that is refused, or whose host is not the one checked */
static void addresses_with_host(void **state)
{
    static const struct {
        const char *target, *host, *path, *query;
    } cases[] = {
        {"http://y:1/a%20b?x=/", "y:1", "/a b", "x=/"},
        {"HTTPS://y/", "y", "/", ""},
        {"http://y", "y", "/", ""},
        {"http://y?x", "y", "/", "x"},
        {"/http://y/", "x", "/http://y/", ""},
    };
    struct head h;
    char text[128];

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", cases[i].target);
        assert_int_equal(parse(&h, text), 0);
        assert_string_equal(head_value(&h, "host"), cases[i].host);
        assert_string_equal(h.path, cases[i].path);
        assert_string_equal(h.query, cases[i].query);
    }
}

/* catches: a slash inside a word that parts it */
static void escaped_slashes(void **state)
{
    static const struct {
        const char *target, *path;
    } cases[] = {{"/v1%2fqueue", "/v1%2Fqueue"},
                 {"/v1%2Fqueue", "/v1%2Fqueue"},
                 {"/%2f%2F/%71", "/%2F%2F/q"},
                 {"/a%2f", "/a%2F"},
                 {"/a%5c%2e%2e", "/a\\.."}};
    struct head h;
    char text[128];

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", cases[i].target);
        assert_int_equal(parse(&h, text), 0);
        assert_string_equal(h.path, cases[i].path);
    }
    assert_int_equal(parse(&h, "GET %2Fv1 HTTP/1.1\r\nHost: x\r\n\r\n"), 400);
}

/* catches: lines that end in LF alone and are waited for in silence */
static void bare_line_feeds(void **state)
{
    static const char *const cases[] = {"GET / HTTP/1.1\nHost: x\n\n", "\n", "\r\n\n",
                                        "GET / HTTP/1.1\r\nHost: x\n"};
    struct head h;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(parse(&h, cases[i]), 400);
    assert_int_equal(head_length("GET / HTTP/1.1\r\nHost: x\r\n", 25), 0);
}

/* catches: what is no HTTP/1 at all, U+0000 anywhere, an address that is not one */
static void first_lines(void **state)
{
    static const struct {
        const char *line;
        int status;
    } cases[] = {
        {"GET / HTTP/1.1", 0},           {"GET /%7e?%00 HTTP/1.1", 0},
        {"get / HTTP/1.1", 0},           {"GET / HTTP/2.0", 505},
        {"PRI * HTTP/2.0", 505},         {"GET / HTTP/0.9", 505},
        {"GET / HTTP/1.10", 505},        {"GET /", 400},
        {"GET / http/1.1", 400},         {"GET  / HTTP/1.1", 400},
        {"GET / HTTP/1.1 ", 400},        {" GET / HTTP/1.1", 400},
        {"GET\t/ HTTP/1.1", 400},        {"GET x HTTP/1.1", 400},
        {"GET * HTTP/1.1", 400},         {"G(T / HTTP/1.1", 400},
        {"GET /a\tb HTTP/1.1", 400},     {"GET /\xc3\xa4 HTTP/1.1", 400},
        {"GET /%0 HTTP/1.1", 400},       {"GET /%zz HTTP/1.1", 400},
        {"GET /%00 HTTP/1.1", 400},      {"GET / HTTP/1.1\n", 400},
        {"GET ftp://x/ HTTP/1.1", 400},  {"CONNECT x:1 HTTP/1.1", 400},
        {"GET http:///x HTTP/1.1", 400}, {"\x16\x03\x01", 400},
    };
    struct head h;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[128];

        snprintf(text, sizeof text, "%s\r\nHost: x\r\n\r\n", cases[i].line);
        if (parse(&h, text) != cases[i].status) fail_msg("wrong: %s", cases[i].line);
    }
    assert_int_equal(parse(&h, "GET / HTTP/1.1\r\n\r\n"), 400);
#define TEXT(s) s, sizeof s - 1
    assert_int_equal(parse_n(&h, TEXT("GET /\0 HTTP/1.1\r\nHost: x\r\n\r\n")), 400);
    assert_int_equal(parse_n(&h, TEXT("GET / HTTP/1.1\r\nHost: x\0y\r\n\r\n")), 400);
    assert_int_equal(parse_n(&h, TEXT("GET / HTTP/1.1\r\nHost: x\r\nA\0: b\r\n\r\n")), 400);
    assert_int_equal(parse_n(&h, TEXT("GET / HTTP/1.1\r\nHost: x\r\nA: b\0\r\n\r\n")), 400);
#undef TEXT
}

/* catches: more lines than there is room for, a head that is never whole, one read past its end */
static void sizes(void **state)
{
    static const char whole[] = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
    struct head h;
    size_t n = 0;

    (void)state;
    for (size_t i = 0; i < sizeof whole - 1; i++)
        assert_int_equal(head_length(whole, i), 0);
    assert_int_equal(head_length(whole, sizeof whole - 1), sizeof whole - 1);
    assert_int_equal(head_length(NULL, 0), 0);
    assert_int_equal(head_length("\r\n\r\n", 4), 0); /* an empty line, and not all of a head */
    n = (size_t)snprintf(bytes, sizeof bytes, "GET / HTTP/1.1\r\nHost: x\r\n");
    for (int i = 1; i <= HEAD_FIELDS; i++) {
        struct fail f;
        char copy[sizeof bytes];

        memcpy(copy, bytes, n);
        memcpy(copy + n, "\r\n", 2);
        assert_int_equal(head_parse(&h, copy, n + 2, &f), 0);
        assert_int_equal(h.fields, i);
        n += (size_t)snprintf(bytes + n, sizeof bytes - n, "A: b\r\n");
    }
    memcpy(bytes + n, "\r\n", 2);
    assert_int_equal(head_parse(&h, bytes, n + 2, NULL), 431);
}

/* catches: a read outside the bytes (under the address sanitizer), an endless loop */
static void mutants(void **state)
{
    static const char seed[] = "POST /i/%41?x HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n"
                               "Transfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n";
    static const char odd[] = "\r\n \t:%\0/?\x7f\xff"
                              "0A";
    unsigned x = 1;

    (void)state;
    for (int round = 0; round < 50000; round++) {
        size_t len = sizeof seed - 1, n;
        char *copy = malloc(len);
        struct head h;

        memcpy(copy, seed, len);
        for (int i = 0; i < 1 + round % 4; i++) {
            x = x * 1664525 + 1013904223;
            copy[(x >> 8) % len] = odd[(x >> 24) % (sizeof odd - 1)];
        }
        n = head_length(copy, len);
        if (n) head_parse(&h, copy, n, NULL);
        free(copy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one),
        cmocka_unit_test(bodies),
        cmocka_unit_test(first_lines),
        cmocka_unit_test(addresses_with_host),
        cmocka_unit_test(escaped_slashes),
        cmocka_unit_test(bare_line_feeds),
        cmocka_unit_test(sizes),
        cmocka_unit_test(mutants),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
