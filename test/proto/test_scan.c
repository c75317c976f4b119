/* test_scan - messages that no reader takes still say what they are. */
#include "proto/command.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* Scan in pieces of this size. */
static struct command scanned(const char *bytes, size_t len, size_t piece)
{
    struct command c = {.kind = 3, .ref = "x", .job = 9};
    struct scan s;

    scan_init(&s);
    for (size_t at = 0; at < len; at += piece)
        scan_feed(&s, bytes + at, len - at < piece ? len - at : piece);
    command_scanned(&s, &c);
    return c;
}

/* catches: an error without the ref of its message; a ref that belongs to something else */
static void finds(void **state)
{
#define CASE(text, kind, ref, job)             \
    {                                          \
        text, sizeof(text) - 1, kind, ref, job \
    }
    static const struct {
        const char *bytes;
        size_t len;
        int kind;
        const char *ref;
        uint64_t job;
    } cases[] = {
        CASE("{\"type\":\"submit\",\"ref\":\"r1\",\"spec\":{\"prompt\":\"a\0b\"}}", COMMAND_SUBMIT,
             "r1", 0),
        CASE("{\"spec\":{\"prompt\":\"\\ud83d\"},\"ref\":\"r2\",\"type\":\"quote\"}", COMMAND_QUOTE,
             "r2", 0),
        CASE("{\"spec\":{\"ref\":\"no\",\"type\":\"ping\"},\"ref\":\"r3\"}", -1, "r3", 0),
        CASE("{\"a\":[\"ref\",{\"ref\":\"no\"}],\"ref\":\"r4\",\"type\":\"cancel\",\"job\":"
             "\"00000000000000ff\"",
             COMMAND_CANCEL, "r4", 255),
        CASE("{ \"ref\" : \"r5\" , \"type\" :\"watch\" , \"job\":\"xyz\", \"seq\":", COMMAND_WATCH,
             "r5", 0),
        CASE("{\"a\":\"\\\",\\\"ref\\\":\\\"no\\\"\",\"ref\":\"r6\"}", -1, "r6", 0),
        CASE("{\"a\":\"\\\\\",\"ref\":\"r7\"}", -1, "r7", 0),
        CASE("{\"ref\":\"first\",\"ref\":\"second\"}", -1, "first", 0),
        CASE("{\"ref\":7,\"type\":\"dance\"}", -1, "", 0),
        CASE("{\"ref\":\"with blank\"}", -1, "", 0),
        CASE("{\"ref\":\"\\u0041\"}", -1, "", 0),
        CASE("{\"ref\":\"0123456789012345678901234567890123456789012345678901234567890123\"}", -1,
             "0123456789012345678901234567890123456789012345678901234567890123", 0),
        CASE("{\"ref\":\"01234567890123456789012345678901234567890123456789012345678901234\"}", -1,
             "", 0),
        CASE("[\"ref\",\"no\"]", -1, "", 0),
        CASE("\"ref\":\"no\"", -1, "", 0),
        CASE("", -1, "", 0),
        CASE("]]]{\"ref\":\"no\"}", -1, "", 0),
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (size_t piece = 1; piece < 80; piece += 13) {
            struct command c = scanned(cases[i].bytes, cases[i].len, piece);

            assert_int_equal(c.kind, cases[i].kind);
            assert_string_equal(c.ref, cases[i].ref);
            assert_int_equal(c.job, cases[i].job);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(finds)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
