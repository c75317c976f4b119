/* test_log - the gate's arithmetic, and that no byte of a client's reaches a terminal raw. */
#include "server/base/log.h"

#include "proto/text.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include <jansson.h>

/* catches: a gate that never opens again, that lets a flood through, or loses count */
static void gate(void **state)
{
    struct log_bucket g;
    int passed;

    (void)state;
    log_bucket_init(&g, 3, 2);
    for (int i = 0; i < 3; i++)
        assert_int_equal(log_bucket_take(&g, 1000), 0);
    for (int i = 0; i < 1000000; i++)
        assert_int_equal(log_bucket_take(&g, 1000), -1);
    assert_int_equal(log_bucket_take(&g, 1400), -1);
    assert_int_equal(log_bucket_take(&g, 1500), 1000001);
    assert_int_equal(log_bucket_take(&g, 1500), -1);
    assert_int_equal(log_bucket_take(&g, 900), -1); /* a clock that steps back */
    passed = 0;
    for (int i = 0; i < 10; i++)
        passed += log_bucket_take(&g, INT64_MAX / 2) >= 0;
    assert_int_equal(passed, 3);
}

/* catches: lines out of order or twice, one that was overwritten, a token, half a character, a byte
 * that no JSON can have */
static void the_newest_lines_are_kept(void **state)
{
    static struct log_kept kept[LOG_KEPT];
    static char wide[2000];
    int null = open("/dev/null", O_WRONLY);
    static struct log l;

    (void)state;
    log_init(&l, null, LOG_INFO);
    assert_int_equal(log_tail(&l, 0, kept, LOG_KEPT), 0);
    assert_int_equal(log_tail(NULL, 0, kept, LOG_KEPT), 0);
    log_info(&l, "a token dr_0123456789abcdefXYZ, \xff and \x1b[2J");
    log_debug(&l, "invisible");
    for (int i = 0; i < 600; i++)
        memcpy(wide + 3 * i, "\xe7\x81\xab", 3);
    log_warn(&l, "%s", wide);
    assert_int_equal(log_tail(&l, 0, kept, LOG_KEPT), 2);
    assert_string_equal(kept[0].text, "a token dr_*******************, ? and ?[2J");
    assert_true(kept[0].seq == 1 && kept[1].seq == 2 && kept[1].level == LOG_WARN);
    assert_true(strlen(kept[1].text) < LOG_KEPT_BYTES && strlen(kept[1].text) > 500);
    for (size_t i = 0; kept[1].text[i];) {
        size_t n = text_utf8(kept[1].text + i, strlen(kept[1].text + i));

        assert_true(n > 0);
        i += n;
    }
    for (int i = 0; i < LOG_KEPT + 50; i++)
        log_info(&l, "line %d", i);
    assert_int_equal(log_tail(&l, 0, kept, LOG_KEPT), LOG_KEPT);
    assert_int_equal(kept[0].seq, 53);
    assert_string_equal(kept[LOG_KEPT - 1].text, "line 249");
    assert_int_equal(log_tail(&l, 250, kept, LOG_KEPT), 2);
    assert_string_equal(kept[0].text, "line 248");
    assert_int_equal(log_tail(&l, 0, kept, 3), 3);
    assert_string_equal(kept[0].text, "line 247");
    assert_int_equal(log_tail(&l, 252, kept, 3), 0);
    assert_int_equal(log_tail(&l, 9999, kept, 3), 0);
    log_destroy(&l);
    close(null);
}

/* catches: escape sequences, forged lines, tokens, a level that is not obeyed, an over-long line */
static void lines(void **state)
{
    int pipes[2];
    static char text[8192], big[4000];
    struct log l;
    size_t n;
    int newlines;

    (void)state;
    assert_int_equal(pipe(pipes), 0);
    log_init(&l, pipes[1], LOG_INFO);
    log_info(&l, "user %s", "x\x1b[2J\nforged");
    log_debug(&l, "invisible");
    log_library(&l, LOG_WARN, "library line\n");
    memset(big, 'b', sizeof big - 1);
    log_error(&l, "%s", big);
    log_error(NULL, "nowhere");
    log_info(&l, "c1 \xc2\x9b"
                 "2J, line \xe2\x80\xa8, turn \xe2\x80\xae\xe2\x81\xa6, caf\xc3\xa9 \xe2\x80\x93");
    log_info(&l, "asked for /dr_0123456789abcdefXYZ?x, dr_short, dr_");
    log_destroy(&l);
    close(pipes[1]);
    n = 0;
    for (ssize_t got; (got = read(pipes[0], text + n, sizeof text - 1 - n)) > 0;)
        n += (size_t)got;
    close(pipes[0]);
    assert_non_null(strstr(text, "Z info  user x?[2J?forged\n"));
    assert_non_null(strstr(text, "Z warn  library line\n"));
    assert_null(strstr(text, "invisible"));
    newlines = 0;
    for (char *s = text; *s; s++)
        newlines += *s == '\n';
    assert_int_equal(newlines, 5);
    assert_non_null(strstr(text, "c1 ??2J, line ???, turn ??????, caf\xc3\xa9 \xe2\x80\x93\n"));
    assert_non_null(strstr(text, "asked for /dr_*******************?x, dr_short, dr_\n"));
    assert_int_equal(log_level_parse("warn"), LOG_WARN);
    assert_int_equal(log_level_parse("loud"), -1);
}

/* catches: a service that blocks because its log is not read */
static void nobody_reads(void **state)
{
    int pipes[2];
    static char text[1 << 20], big[900];
    struct log l;
    ssize_t n;

    (void)state;
    assert_int_equal(pipe(pipes), 0);
    log_init(&l, pipes[1], LOG_INFO);
    memset(big, 'b', sizeof big - 1);
    alarm(20); /* a write that blocks ends the test */
    for (int i = 0; i < 200; i++)
        log_info(&l, "%s", big);
    n = read(pipes[0], text, sizeof text);
    assert_in_range(n, 32768, 65536);
    log_info(&l, "again");
    n = read(pipes[0], text, sizeof text - 1);
    assert_true(n > 0);
    text[n] = 0;
    assert_non_null(strstr(text, "again (1"));
    assert_non_null(strstr(text, " lines dropped before)"));
    alarm(0);
    log_destroy(&l);
    close(pipes[0]);
    close(pipes[1]);
}

/* The wall clock, as an administrator has set it. */
static time_t set_back;

int clock_gettime(clockid_t id, struct timespec *t)
{
    long err = syscall(SYS_clock_gettime, id, t);

    if (id == CLOCK_REALTIME) t->tv_sec -= set_back;
    return (int)err;
}

/* catches: a log that is silent until a wall clock that was set back has caught up */
static void wall_clock_set_back(void **state)
{
    int pipes[2];
    static char text[1 << 16];
    struct log l;
    ssize_t n;

    (void)state;
    assert_int_equal(pipe(pipes), 0);
    log_init(&l, pipes[1], LOG_INFO);
    for (int i = 0; i < 1000; i++)
        log_info(&l, "x"); /* more than its burst */
    set_back = 3600;
    log_info(&l, "at once");
    usleep(100000);
    log_info(&l, "again");
    set_back = 0;
    n = read(pipes[0], text, sizeof text - 1);
    assert_true(n > 0);
    text[n] = 0;
    assert_non_null(strstr(text, "again"));
    log_destroy(&l);
    close(pipes[0]);
    close(pipes[1]);
}

/* The next line of a text, parsed. */
static json_t *object(char **rest)
{
    char *line = strsep(rest, "\n");
    json_t *o = line ? json_loads(line, 0, NULL) : NULL;

    if (!o) fail_msg("not JSON: %s", line ? line : "nothing");
    for (const char *s = line; *s; s++)
        assert_true((unsigned char)*s >= 0x20 && *s != 0x7f);
    return o;
}

static void expect_text(json_t *o, const char *level, const char *text)
{
    assert_string_equal(json_string_value(json_object_get(o, "level")), level);
    assert_string_equal(json_string_value(json_object_get(o, "text")), text);
    assert_int_equal(strlen(json_string_value(json_object_get(o, "time"))), 24);
    json_decref(o);
}

/* catches: a line that no parser reads: quotes, control bytes, torn or wrong UTF-8, one that is
 * longer than a pipe takes at once */
static void json_lines(void **state)
{
    int pipes[2];
    static char text[32768], odd[1020], harmless[1020];
    char *rest = text;
    struct log l;
    ssize_t n;

    (void)state;
    assert_int_equal(pipe(pipes), 0);
    log_init(&l, pipes[1], LOG_INFO);
    l.json = true;
    log_info(&l, "say \"%s\"", "x\x1b[2J\n\\\x7f");
    log_library(&l, LOG_WARN, "\xff torn \xe4\xb8");
    memset(odd, 1, sizeof odd - 1);
    memset(harmless, '?', sizeof harmless - 1);
    log_error(&l, "%s", odd);
    for (int i = 0; i < 1000; i++)
        log_bucket_take(&l.bucket[LOG_OURS], 0);
    l.bucket[LOG_OURS].tokens = 1000;
    log_info(&l, "last");
    n = read(pipes[0], text, sizeof text - 1);
    assert_true(n > 0);
    text[n] = 0;
    expect_text(object(&rest), "info", "say \"x\x1b[2J\n\\?\"");
    expect_text(object(&rest), "warn", "\xef\xbf\xbd torn \xef\xbf\xbd\xef\xbf\xbd");
    expect_text(object(&rest), "error", harmless);
    assert_non_null(strstr(rest, "\"text\":\"last\",\"dropped\":"));
    expect_text(object(&rest), "info", "last");
    assert_string_equal(rest, "");
    log_destroy(&l);
    close(pipes[0]);
    close(pipes[1]);
}

/* catches: requests in a log that did not ask for them, a path that forges a line, a user that is
 * not there */
static void requests(void **state)
{
    const struct log_request r = {.from = "::1",
                                  .user = "",
                                  .method = "GET",
                                  .path = "/\x1b\n\"x\"",
                                  .status = 404,
                                  .bytes = INT64_C(5000000000)};
    struct log_request known = r;
    static char text[4096];
    char *rest = text;
    struct log l;
    json_t *o;
    int pipes[2];
    ssize_t n;

    (void)state;
    known.user = "ada";
    assert_int_equal(pipe(pipes), 0);
    log_init(&l, pipes[1], LOG_ERROR);
    log_request(NULL, &r);
    log_request(&l, &r);
    l.access = true;
    log_request(&l, &r);
    l.json = true;
    log_request(&l, &known);
    n = read(pipes[0], text, sizeof text - 1);
    assert_true(n > 0);
    text[n] = 0;
    assert_string_equal(strsep(&rest, "\n") + 24, " access ::1 - GET /??\"x\" 404 5000000000");
    o = object(&rest);
    assert_string_equal(json_string_value(json_object_get(o, "level")), "access");
    assert_string_equal(json_string_value(json_object_get(o, "user")), "ada");
    assert_string_equal(json_string_value(json_object_get(o, "path")), "/\x1b\n\"x\"");
    assert_int_equal(json_integer_value(json_object_get(o, "status")), 404);
    assert_int_equal(json_integer_value(json_object_get(o, "bytes")), 5000000000);
    json_decref(o);
    assert_string_equal(rest, "");
    log_destroy(&l);
    close(pipes[0]);
    close(pipes[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gate),
        cmocka_unit_test(lines),
        cmocka_unit_test(the_newest_lines_are_kept),
        cmocka_unit_test(json_lines),
        cmocka_unit_test(requests),
        cmocka_unit_test(nobody_reads),
        cmocka_unit_test(wall_clock_set_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
