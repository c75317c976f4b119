/* test_negotiate - what headers ask, read as RFC 9110 says. */
#include "server/http/negotiate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <libdeflate.h>

/* catches: text that a client cannot read, or that is sent three times as long as it need be */
static void encodings(void **state)
{
    (void)state;
    assert_true(negotiate_gzip("gzip, deflate, br"));
    assert_true(negotiate_gzip("br;q=1.0, GZIP;q=0.8, *;q=0.1"));
    assert_true(negotiate_gzip("*"));
    assert_false(negotiate_gzip(""));
    assert_false(negotiate_gzip("gzip;q=0"));
    assert_false(negotiate_gzip("*, gzip;q=0.0"));
    assert_false(negotiate_gzip("deflate, gzipped, identity"));
    assert_false(negotiate_gzip("*;q=0"));
}

/* catches: a page for a program, or JSON for a person's browser */
static void types(void **state)
{
    const char *json = "application/json", *html = "text/html";

    (void)state;
    assert_true(negotiate_prefers("", json, html));
    assert_true(negotiate_prefers("*/*", json, html));
    assert_true(negotiate_prefers("application/json, text/html;q=0.9", json, html));
    assert_false(negotiate_prefers("text/html,application/xhtml+xml,*/*;q=0.8", json, html));
    assert_false(negotiate_prefers("text/*;q=0.5, */*;q=0.1", json, html));
    assert_true(negotiate_prefers("text/html;q=0.1, */*", json, html));
}

/* catches: a page that its reader cannot read */
static void languages(void **state)
{
    static const char *const known[] = {"en", "zh"};
    static const struct {
        const char *accept;
        int best;
    } all[] = {
        {"", 0},
        {"*", 0},
        {"fr", 0},
        {"zh", 1},
        {"zh-CN", 1},
        {"ZH-hant-TW", 1},
        {"zh_CN", 0},
        {"zha", 0},
        {"z", 0},
        {"en,zh", 0},
        {"zh,en", 1},
        {"zh-CN,zh;q=0.9,en;q=0.8", 1},
        {"en-GB,en;q=0.9,zh;q=0.8", 0},
        {"fr, zh;q=0.2", 1},
        {"fr, zh;q=0.2, *;q=0.1", 1},
        {"zh;q=0.2, *", 0},
        {"en;q=0.2, *", 1},
        {"zh;q=0", 0},
        {"en;q=0", 0},
        {"en;q=0, *;q=0.1", 1},
        {"zh-TW;q=0, zh;q=0.5", 1},
        {"en;q=0.5, zh;q=0.5", 0},
        {"zh;q=0.5, en;q=0.5", 1},
        {"en;q=nan, zh;q=0.1", 1},
        {"zh;q=-1, en;q=0", 0},
        {"en, zh;q=inf", 0},
        {"en;q=0.3 , , \tzh;q=0.4", 1},
        {";q=1,zh", 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        int got = negotiate_language(all[i].accept, known, 2);

        if (got != all[i].best) fail_msg("'%s': %s", all[i].accept, known[got]);
    }
}

static void expect_range(const char *text, enum range how, int64_t from, int64_t n)
{
    int64_t f = -1, len = -1;
    enum range got = negotiate_range(text, 100, &f, &len);

    if (got != how) fail_msg("%s: %d instead of %d", text, got, how);
    if (how != RANGE_PART) return;
    if (f != from || len != n) fail_msg("%s: %d bytes from %d", text, (int)len, (int)f);
}

/* catches: bytes from beside the file, a part that is one byte off */
static void ranges(void **state)
{
    (void)state;
    expect_range("bytes=0-0", RANGE_PART, 0, 1);
    expect_range("bytes=10-19", RANGE_PART, 10, 10);
    expect_range("bytes=10-", RANGE_PART, 10, 90);
    expect_range("bytes=-10", RANGE_PART, 90, 10);
    expect_range("bytes=-1000", RANGE_PART, 0, 100);
    expect_range("bytes=99-1000", RANGE_PART, 99, 1);
    expect_range("bytes=100-", RANGE_OUTSIDE, 0, 0);
    expect_range("bytes=-0", RANGE_OUTSIDE, 0, 0);
    expect_range("bytes=5-4", RANGE_NONE, 0, 0);
    expect_range("bytes=-", RANGE_NONE, 0, 0);
    expect_range("bytes=", RANGE_NONE, 0, 0);
    expect_range("bytes=--5", RANGE_NONE, 0, 0);
    expect_range("bytes=1-2,4-5", RANGE_NONE, 0, 0);
    expect_range("bytes=99999999999999999999-", RANGE_NONE, 0, 0);
    expect_range("items=0-5", RANGE_NONE, 0, 0);
}

static char page[4000];

static struct http_reply ask(const char *encoding, const char *match)
{
    struct head head = {.field = {{"accept-encoding", encoding}}, .fields = 1};
    struct http_request q = {.method = "GET", .if_none_match = match, .head = &head};
    struct http_reply r;

    reply_init(&r, 200);
    r.type = "text/css; charset=utf-8";
    r.body = (const uint8_t *)page;
    r.bytes = sizeof page;
    snprintf(r.etag, sizeof r.etag, "\"tag\"");
    negotiate(&r, &q);
    return r;
}

/* catches: bytes that do not unpack, one tag for two encodings, a client that is sent what it
 * has */
static void compressed(void **state)
{
    struct libdeflate_decompressor *d = libdeflate_alloc_decompressor();
    enum libdeflate_result result;
    struct http_reply r;
    char out[sizeof page];
    size_t n;

    (void)state;
    memset(page, 'x', sizeof page);
    r = ask("gzip", "");
    assert_string_equal(r.etag, "\"tag-gz\"");
    assert_string_equal(r.encoding, "gzip");
    assert_string_equal(r.vary, "accept-encoding");
    assert_true(r.bytes < 100);
    result = libdeflate_gzip_decompress(d, r.body, (size_t)r.bytes, out, sizeof out, &n);
    assert_int_equal(result, LIBDEFLATE_SUCCESS);
    assert_memory_equal(out, page, sizeof page);
    reply_free(&r);
    r = ask("br", "\"tag-gz\"");
    assert_null(r.encoding);
    assert_int_equal(r.status, 200);
    assert_string_equal(r.vary, "accept-encoding");
    reply_free(&r);
    r = ask("gzip", "\"other\", W/\"tag-gz\"");
    assert_int_equal(r.status, 304);
    assert_true(r.head);
    reply_free(&r);
    libdeflate_free_decompressor(d);
}

/* catches: an answer of a type that was excluded, a refusal of one that was asked for */
static void what_is_accepted(void **state)
{
    static const struct {
        const char *accept, *types;
        bool takes;
    } all[] = {
        {"", "application/json", true},
        {"*/*", "application/json", true},
        {"text/html, application/json;q=0.1", "application/json", true},
        {"application/*", "application/json", true},
        {"APPLICATION/JSON", "application/json", true},
        {"text/html", "application/json", false},
        {"text/html", "application/json text/html", true},
        {"*/*, application/json;q=0", "application/json", false},
        {"application/json-seq", "application/json", false},
        {"text/*", "text/event-stream", true},
        {"image/png, */*;q=0", "text/event-stream", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (negotiate_accepts(all[i].accept, all[i].types) != all[i].takes)
            fail_msg("%s: %s", all[i].accept, all[i].types);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_is_accepted),
                                       cmocka_unit_test(encodings),
                                       cmocka_unit_test(types),
                                       cmocka_unit_test(languages),
                                       cmocka_unit_test(ranges),
                                       cmocka_unit_test(compressed)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
