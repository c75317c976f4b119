/* test_uploads - files in parts: their order, their bounds in number, memory and time, what is kept
 * of private ones, and answers to clients that are gone. */
#include "test/server/harness.h"

#include "server/core/hub.h"

#include "proto/frame.h"
#include "proto/spec_images.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SECOND INT64_C(1000000)

static struct {
    int n;
    struct hub_file last;
    char bytes[64];
} taken;

static void take(const struct hub_file *file)
{
    taken.n++;
    taken.last = *file;
    snprintf(taken.bytes, sizeof taken.bytes, "%.*s", (int)file->bytes->len, file->bytes->data);
}

static void sleeper(struct waker *w)
{
    (void)w;
}

static struct harness r;
static struct waker waker = {.wake = sleeper};

static int set_up(void **state)
{
    (void)state;
    memset(&taken, 0, sizeof taken);
    if (harness_open(&r)) return -1;
    r.take = take;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    hub_free(r.hub);
    return 0;
}

static struct client *connect(void)
{
    return hub_open(r.hub, &waker, USER_NONE);
}

/* The next message as text; "": there is none. */
static const char *next(struct client *c, int64_t now)
{
    static char text[600];
    bool binary;
    struct blob *b = hub_next(r.hub, now, c, &binary);

    snprintf(text, sizeof text, "%.*s", b ? (int)b->len : 0, b ? (const char *)b->data : "");
    blob_unref(b);
    return text;
}

static const char *ask(struct client *c, int64_t now, const char *text)
{
    hub_text(r.hub, now, c, text, strlen(text));
    return next(c, now);
}

/* Begin an upload of so many bytes: its id, "" when it was refused. */
static const char *begin(struct client *c, int64_t now, int bytes, bool private)
{
    static char id[17];
    char text[96];
    const char *got;

    snprintf(text, sizeof text, "{\"type\":\"upload\",\"bytes\":%d,\"private\":%s}", bytes,
             private ? "true" : "false");
    got = strstr(ask(c, now, text), "\"upload\":\"");
    snprintf(id, sizeof id, "%.16s", got ? got + 10 : "");
    return id;
}

static void part(struct client *c, int64_t now, const char *id, int at, const char *bytes)
{
    uint8_t message[FRAME_HEADER + 64] = "DRKM\1\2";
    const size_t n = strlen(bytes);
    const uint64_t upload = strtoull(id, NULL, 16);

    for (int i = 0; i < 8; i++)
        message[8 + i] = (uint8_t)(upload >> 8 * i);
    message[16] = (uint8_t)at;
    message[28] = (uint8_t)n;
    memcpy(message + FRAME_HEADER, bytes, n);
    hub_chunk(r.hub, now, c, message, FRAME_HEADER + n);
}

static const char *about(const char *type, const char *id)
{
    static char text[96];

    snprintf(text, sizeof text, "{\"type\":\"%s\",\"upload\":\"%s\"}", type, id);
    return text;
}

static void come_back(int64_t now, const char *digest, bool private)
{
    struct hub_image i = {.ticket = taken.last.ticket,
                          .image = {.width = 64, .height = 96},
                          .bytes = 5,
                          .private = private,
                          .png = private ? taken.last.bytes : NULL,
                          .changed = "[]"};

    assert_true(spec_digest_parse(digest, i.image.digest));
    hub_image(r.hub, now, &i, NULL);
}

#define DIGEST "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

/* catches: bytes in another order, an answer before the picture is kept, or out of its order */
static void in_parts(void **state)
{
    struct client *c = connect(), *d;
    char id[17];

    (void)state;
    snprintf(id, sizeof id, "%s", begin(c, 0, 6, false));
    part(c, 0, id, 0, "abc");
    part(c, 0, id, 4, "xy");
    assert_non_null(strstr(next(c, 0), "\"conflict\""));
    part(c, 0, id, 3, "def");
    assert_string_equal(next(c, 0), "");
    assert_non_null(strstr(ask(c, 0, about("commit", id)), "\"conflict\""));
    hub_close(r.hub, 0, c);
    d = connect();
    assert_non_null(strstr(ask(d, 0, about("upload", id)), "\"received\":3"));
    part(d, 0, id, 3, "def");
    assert_string_equal(ask(d, 0, about("commit", id)), "");
    assert_string_equal(ask(d, 0, "{\"type\":\"ping\"}"), "");
    assert_int_equal(taken.n, 1);
    assert_string_equal(taken.bytes, "abcdef");
    come_back(0, DIGEST, false);
    assert_non_null(strstr(next(d, 0), "\"type\":\"image\",\"digest\":\"" DIGEST "\""));
    assert_non_null(strstr(next(d, 0), "\"pong\""));
    assert_non_null(strstr(ask(d, 0, about("commit", id)), "\"not_found\""));
    hub_close(r.hub, 0, d);
}

/* catches: a ninth upload, one that is never given up, one that is given up while bytes come */
static void bounds(void **state)
{
    struct client *c = connect();
    char id[17];

    (void)state;
    snprintf(id, sizeof id, "%s", begin(c, 0, 6, false));
    for (int i = 1; i < LIMIT_UPLOADS; i++)
        assert_int_equal(strlen(begin(c, 0, 6, false)), 16);
    assert_string_equal(begin(c, 0, 6, false), "");
    part(c, 60 * SECOND, id, 0, "abc");
    assert_true(hub_due(r.hub) <= LIMIT_UPLOAD_IDLE_S * SECOND);
    hub_tick(r.hub, LIMIT_UPLOAD_IDLE_S * SECOND);
    assert_non_null(strstr(ask(c, 130 * SECOND, about("upload", id)), "\"received\":3"));
    assert_int_equal(strlen(begin(c, 130 * SECOND, 6, false)), 16);
    hub_tick(r.hub, 300 * SECOND);
    assert_non_null(strstr(ask(c, 300 * SECOND, about("upload", id)), "\"not_found\""));
    assert_non_null(
        strstr(ask(c, 300 * SECOND, "{\"type\":\"upload\",\"bytes\":33554433}"), "\"too_large\""));
    hub_close(r.hub, 300 * SECOND, c);
}

static struct client *connect_from(uint64_t host)
{
    struct client *c = connect();

    hub_comes_from(c, host);
    return c;
}

/* Begin one as large as any until it is refused: how many were not. */
static int begin_large(struct client *c, int64_t now)
{
    int n = 0;

    while (*begin(c, now, LIMIT_IMAGE_BYTES, false))
        n++;
    return n;
}

/* catches: a sender that takes all slots or all memory from others; connections from one machine
 * that count as many; connections of this machine that count as one */
static void shares(void **state)
{
    struct client *greedy[2] = {connect_from(1), connect_from(1)},
                  *others[3] = {connect_from(2), connect(), connect()};

    (void)state;
    assert_int_equal(begin_large(greedy[0], 0), 4);
    assert_int_equal(begin_large(greedy[1], 0), 0);
    assert_int_equal(begin_large(others[0], 0), 2);
    assert_int_equal(begin_large(others[1], 0), 1);
    assert_int_equal(begin_large(others[2], 0), 0);
    for (int i = 0; i < LIMIT_UPLOADS; i++) {
        assert_int_equal(strlen(begin(others[2], SECOND, 6, false)), 16);
        assert_string_equal(begin(greedy[0], SECOND, 6, false), "");
    }
    assert_string_equal(begin(others[2], SECOND, 6, false), "");
    for (int i = 0; i < 2; i++)
        hub_close(r.hub, SECOND, greedy[i]);
    for (int i = 0; i < 3; i++)
        hub_close(r.hub, SECOND, others[i]);
}

/* catches: slots that are kept by opening and closing connections; an upload that goes although its
 * client is there, or had no time to come back; one client for which others' uploads go again and
 * again */
static void left_alone(void **state)
{
    struct client *c = connect(), *d;
    char first[17], kept[17];

    (void)state;
    snprintf(kept, sizeof kept, "%s", begin(c, 0, 6, false));
    for (int i = 1; i < LIMIT_UPLOADS_ALL; i += 4) {
        d = connect();
        for (int k = 0; k < 4 && i + k < LIMIT_UPLOADS_ALL; k++) {
            const char *id = begin(d, i, 6, false);

            assert_int_equal(strlen(id), 16);
            if (i + k == 1) snprintf(first, sizeof first, "%s", id);
        }
        hub_close(r.hub, i, d);
    }
    d = connect();
    assert_string_equal(begin(d, 5 * SECOND, 6, false), "");
    assert_int_equal(strlen(begin(d, 11 * SECOND, 6, false)), 16);
    assert_non_null(strstr(ask(d, 11 * SECOND, about("upload", first)), "\"not_found\""));
    assert_non_null(strstr(ask(d, 11 * SECOND, about("upload", kept)), "\"received\":0"));
    assert_string_equal(begin(d, 11 * SECOND, LIMIT_IMAGE_BYTES, false), "");
    hub_close(r.hub, 11 * SECOND, c);
    hub_close(r.hub, 11 * SECOND, d);
}

/* catches: an upload that a byte now and then, or a question, keeps for ever */
static void too_slow(void **state)
{
    enum { MOST = LIMIT_UPLOAD_S + 60 };
    struct client *c = connect();
    char id[17];

    (void)state;
    snprintf(id, sizeof id, "%s", begin(c, 0, LIMIT_UPLOAD_SLOWEST * 60, false));
    for (int at = 0; at < MOST; at += 60) {
        part(c, at * SECOND, id, at / 60, "a");
        hub_tick(r.hub, at * SECOND);
        assert_non_null(strstr(ask(c, at * SECOND, about("upload", id)), "\"received\":"));
    }
    assert_true(hub_due(r.hub) <= MOST * SECOND);
    hub_tick(r.hub, MOST * SECOND);
    assert_non_null(strstr(ask(c, MOST * SECOND, about("upload", id)), "\"not_found\""));
    hub_close(r.hub, MOST * SECOND, c);
}

/* catches: `ok` before the disk has done it, another client's answer, an error that is lost */
static void removed_when_the_disk_says_so(void **state)
{
    static const char ask_for[] = "{\"type\":\"discard\",\"image\":\"" DIGEST "\",\"ref\":\"x\"}";
    struct client *c = connect(), *d = connect();
    uint64_t first, second;
    struct fail f;

    (void)state;
    assert_string_equal(ask(c, 0, ask_for), "");
    first = r.discard;
    assert_string_equal(ask(d, 0, ask_for), "");
    second = r.discard;
    assert_true(first && second && first != second);
    assert_string_equal(ask(d, 0, "{\"type\":\"ping\"}"), "");
    fail_field(&f, ERR_NOT_FOUND, "image", "There is no such upload");
    hub_discarded(r.hub, 0, second, &f);
    assert_string_equal(next(c, 0), "");
    assert_non_null(strstr(next(d, 0), "\"not_found\""));
    assert_non_null(strstr(next(d, 0), "\"pong\""));
    hub_discarded(r.hub, 0, first, NULL);
    assert_string_equal(next(c, 0), "{\"type\":\"ok\",\"ref\":\"x\",\"re\":\"discard\"}");
    assert_string_equal(ask(c, 0, ask_for), "");
    hub_close(r.hub, 0, c);
    hub_discarded(r.hub, 0, r.discard, NULL);
    hub_close(r.hub, 0, d);
}

/* catches: a private picture that is forgotten too early, or stays */
static void private_ones(void **state)
{
    struct client *c = connect();
    char id[17];

    (void)state;
    snprintf(id, sizeof id, "%s", begin(c, 0, 3, true));
    part(c, 0, id, 0, "abc");
    assert_string_equal(ask(c, 0, about("commit", id)), "");
    assert_true(taken.last.private);
    taken.last.bytes = blob_copy("a png", 5);
    come_back(SECOND, DIGEST, true);
    blob_unref(taken.last.bytes);
    assert_non_null(strstr(next(c, SECOND), "\"private\":true"));
    assert_non_null(hub_private_upload(r.hub, USER_NONE, DIGEST));
    assert_non_null(strstr(ask(c, SECOND, "{\"type\":\"uploads\"}"), DIGEST));
    hub_tick(r.hub, 600 * SECOND);
    assert_non_null(hub_private_upload(r.hub, USER_NONE, DIGEST));
    hub_tick(r.hub, 601 * SECOND);
    assert_null(hub_private_upload(r.hub, USER_NONE, DIGEST));
    hub_close(r.hub, 601 * SECOND, c);
}

/* catches: an upload that is there in memory and on disk, and goes from one of them alone; an error
 * for one that is in memory alone */
static void private_ones_that_are_on_disk_too(void **state)
{
    static const char ask_for[] = "{\"type\":\"discard\",\"image\":\"" DIGEST "\"}";
    struct client *c = connect();
    char id[17];

    (void)state;
    snprintf(id, sizeof id, "%s", begin(c, 0, 3, true));
    part(c, 0, id, 0, "abc");
    assert_string_equal(ask(c, 0, about("commit", id)), "");
    taken.last.bytes = blob_copy("a png", 5);
    come_back(0, DIGEST, true);
    blob_unref(taken.last.bytes);
    assert_non_null(strstr(next(c, 0), "\"private\":true"));
    assert_string_equal(ask(c, 0, ask_for), "");
    assert_null(hub_private_upload(r.hub, USER_NONE, DIGEST));
    assert_true(r.discard && r.discard_forgotten);
    hub_discarded(r.hub, 0, r.discard, NULL);
    assert_non_null(strstr(next(c, 0), "\"ok\""));
    assert_string_equal(ask(c, 0, ask_for), "");
    assert_false(r.discard_forgotten);
    hub_close(r.hub, 0, c);
}

/* catches: an answer to a connection that is closed, memory that is counted for ever */
static void a_client_that_is_gone(void **state)
{
    struct client *c = connect();
    char id[17];

    (void)state;
    for (int i = 0; i < 3 * LIMIT_UPLOADS; i++) {
        snprintf(id, sizeof id, "%s", begin(c, i * 2 * SECOND, 3, false));
        assert_int_equal(strlen(id), 16);
        part(c, i * 2 * SECOND, id, 0, "abc");
        assert_string_equal(ask(c, i * 2 * SECOND, about("commit", id)), "");
        hub_close(r.hub, i * 2 * SECOND, c);
        come_back(i * 2 * SECOND, DIGEST, false);
        c = connect();
    }
    hub_close(r.hub, 100 * SECOND, c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(in_parts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(bounds, set_up, tear_down),
        cmocka_unit_test_setup_teardown(shares, set_up, tear_down),
        cmocka_unit_test_setup_teardown(left_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(too_slow, set_up, tear_down),
        cmocka_unit_test_setup_teardown(removed_when_the_disk_says_so, set_up, tear_down),
        cmocka_unit_test_setup_teardown(private_ones, set_up, tear_down),
        cmocka_unit_test_setup_teardown(private_ones_that_are_on_disk_too, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_client_that_is_gone, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
