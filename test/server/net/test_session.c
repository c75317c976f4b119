/* test_session - fragments, too much, the wrong kind: one error each,
 * and the connection goes on. */
#include "server/net/session.h"

#include "test/server/harness.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct harness harness;
static struct session *session;
static int wakes;

static void want_write(void *arg)
{
    (void)arg;
    wakes++;
}

static uint32_t signs_in; /* as whom; 0: nobody */

static int sign_in(void *arg, int64_t now, const char *text, size_t len, uint32_t *user,
                   struct fail *f)
{
    (void)arg, (void)now;
    assert_non_null(memmem(text, len, "type", 4));
    *user = signs_in;
    return signs_in ? 0 : fail_set(f, ERR_UNAUTHORIZED, "who?");
}

static const struct session_conn CONN = {.want_write = want_write, .sign_in = sign_in};

static int set_up(void **state)
{
    (void)state;
    wakes = 0;
    if (harness_open(&harness) || session_new(&session, harness.hub, &CONN, NULL)
        || session_user(session, USER_NONE, NULL))
        return -1;
    session_hello(session, 1000, blob_copy("{\"type\":\"hello\"}", 16));
    return 0;
}

static int set_up_early(void **state)
{
    (void)state;
    wakes = 0;
    return harness_open(&harness) || session_new(&session, harness.hub, &CONN, NULL)
           || session_user(session, USER_NONE, NULL);
}

/* A service with the user 7, and a connection that has said nothing yet. */
static int set_up_unknown(void **state)
{
    struct user ada = {.id = 7, .name = "ada", .role = ROLE_USER};

    (void)state;
    wakes = 0;
    signs_in = 0;
    return harness_open(&harness) || hub_users(harness.hub, 0, &ada, 1)
           || session_new(&session, harness.hub, &CONN, NULL);
}

static int tear_down(void **state)
{
    (void)state;
    session_free(session, 1000);
    hub_free(harness.hub);
    return 0;
}

static void piece(const char *bytes, size_t len, bool first, bool last, bool binary)
{
    struct session_fragment p = {bytes, len, first, last, binary};

    session_receive(session, 1000, &p);
}

static void whole(const char *text)
{
    piece(text, strlen(text), true, true, false);
}

/* The next message must hold this text. */
static void expect(const char *says)
{
    bool binary;
    struct blob *b = session_next(session, 1000, &binary);
    char text[4096];

    if (!b) fail_msg("nothing came where '%s' was due", says);
    snprintf(text, sizeof text, "%.*s", (int)b->len, (const char *)b->data);
    if (!strstr(text, says)) fail_msg("'%s' lacks '%s'", text, says);
    assert_false(binary);
    blob_unref(b);
}

static void expect_nothing(void)
{
    bool binary;

    assert_null(session_next(session, 1000, &binary));
}

/* catches: an answer before hello, a second hello, a wake that is missing */
static void hello_first(void **state)
{
    (void)state;
    assert_int_equal(wakes, 1);
    whole("{\"type\":\"ping\",\"ref\":\"p\"}");
    assert_true(wakes >= 2);
    expect("hello");
    expect("\"pong\",\"ref\":\"p\"");
    expect_nothing();
}

/* catches: a message that was cut at a fragment, or joined with its neighbour */
static void fragments(void **state)
{
    const char text[] = "{\"type\":\"ping\",\"ref\":\"bytewise\"}";

    (void)state;
    expect("hello");
    for (size_t i = 0; i + 1 < sizeof text; i++)
        piece(text + i, 1, i == 0, i + 2 == sizeof text, false);
    expect("bytewise");
    piece("{\"type\":\"ping\",", 15, true, false, false);
    piece("", 0, false, false, false);
    piece("\"ref\":\"two\"}", 12, false, true, false);
    whole("{\"type\":\"ping\",\"ref\":\"three\"}");
    expect("two");
    expect("three");
    expect_nothing();
}

/* catches: an overrun, several errors for one message, a connection that is dead afterwards */
static void too_long(void **state)
{
    static char big[LIMIT_MESSAGE_BYTES + 1];

    (void)state;
    expect("hello");
    memset(big, ' ', sizeof big);
    piece(big, sizeof big, true, true, false); /* in one piece */
    expect("too_large");
    for (int i = 0; i < 300; i++) /* in many */
        piece(big, 1000, i == 0, i == 299, false);
    expect("too_large");
    expect_nothing();
    memcpy(big, "{\"type\":\"ping\",\"ref\":\"fits\"}", 28);
    piece(big, 40000, true, false, false);
    piece(big + 40000, LIMIT_MESSAGE_BYTES - 40000, false, true, false);
    expect("fits");
    expect_nothing();
}

/* catches: an error about a message that is too long, and nothing says which one */
static void too_long_has_a_name(void **state)
{
    static char big[LIMIT_MESSAGE_BYTES + 100];
    static const char head[] = "{\"spec\":{\"prompt\":\"",
                      tail[] = "\"},\"ref\":\"r9\",\"type\":\"submit\"}";

    (void)state;
    expect("hello");
    memset(big, 'x', sizeof big);
    memcpy(big, head, sizeof head - 1);
    memcpy(big + sizeof big - (sizeof tail - 1), tail, sizeof tail - 1);
    for (size_t at = 0; at < sizeof big; at += 1000) {
        size_t n = sizeof big - at < 1000 ? sizeof big - at : 1000;

        piece(big + at, n, at == 0, at + n == sizeof big, false);
    }
    expect("\"ref\":\"r9\",\"re\":\"submit\",\"code\":\"too_large\"");
    expect_nothing();
}

/* catches: binary taken for text, its later fragments taken for a message */
static void binary(void **state)
{
    (void)state;
    expect("hello");
    piece("{\"type\":\"ping\"}", 15, true, false, true);
    piece("{\"type\":\"ping\"}", 15, false, true, false);
    expect("bad_request");
    expect_nothing();
    whole("{\"type\":\"ping\",\"ref\":\"alive\"}");
    expect("alive");
}

/* catches: a command that is answered before hello, lost, or answered twice; one read over it */
static void held(void **state)
{
    (void)state;
    piece("{\"type\":\"ping\",", 15, true, false, false);
    assert_true(session_reads(session));
    piece("\"ref\":\"early\"}", 14, false, true, false);
    assert_false(session_reads(session));
    expect_nothing();
    session_hello(session, 1000, blob_copy("{\"type\":\"hello\"}", 16));
    assert_true(session_reads(session) && wakes >= 1);
    whole("{\"type\":\"ping\",\"ref\":\"late\"}");
    expect("hello");
    expect("early");
    expect("late");
    expect_nothing();
}

/* catches: a held command that is leaked (address sanitizer) */
static void held_and_gone(void **state)
{
    (void)state;
    whole("{\"type\":\"ping\"}");
    assert_false(session_reads(session));
}

/* catches: answers that pile up without end for a client that does not read */
static void slow(void **state)
{
    int sent = 0;

    (void)state;
    while (!session_is_slow(session) && ++sent < 100000)
        whole("{\"type\":\"ping\"}");
    assert_in_range(sent, 1000, 99999);
    for (int i = 0; i < 100; i++)
        whole("{\"type\":\"ping\"}");
    assert_true(session_is_slow(session));
}

/* catches: the latency of a preview counted for another message, with the pause that the client
 * asked for, or for an old preview that a new subscription is sent */
static void latency(void **state)
{
    struct blob *preview = blob_copy("x", 1), *text = blob_copy("y", 1);
    bool binary;

    (void)state;
    preview->computed_us = 5000;
    preview->posted_us = 5400;
    blob_unref(session_next(session, 5100, &binary)); /* hello */
    assert_int_equal(session_latency(session, 5900, preview), 900);
    assert_int_equal(session_latency(session, 5900, text), -1);
    assert_null(session_next(session, 5300, &binary)); /* idle, then posted */
    assert_int_equal(session_latency(session, 5900, preview), 900);
    assert_null(session_next(session, 5500, &binary)); /* posted, then idle */
    assert_int_equal(session_latency(session, 5900, preview), -1);
    blob_unref(preview);
    blob_unref(text);
}

/* catches: a connection that is served before it is known, or stays open after a wrong answer */
static void strangers_are_refused(void **state)
{
    struct fail f;

    (void)state;
    assert_false(session_known(session));
    fail_set(&f, ERR_UNAUTHORIZED, "say who");
    session_error(session, 1000, &f);
    whole("{\"type\":\"list\",\"ref\":\"l1\"}");
    assert_true(session_refused(session) && !session_known(session));
    whole("{\"type\":\"ping\"}");
    expect("say who");
    expect("\"ref\":\"l1\",\"re\":\"list\",\"code\":\"unauthorized\"");
    expect_nothing();
    assert_int_equal(session_backlog(session), 0);
}

/* catches: a first message that is too long, binary or in pieces, and passes for an introduction */
static void strangers_are_refused_in_any_form(void **state)
{
    static char big[LIMIT_MESSAGE_BYTES + 1];

    signs_in = 7;
    piece("{\"type\":\"auth\"}", 15, true, true, true);
    assert_true(session_refused(session));
    expect("bad_request");
    tear_down(state);
    assert_int_equal(set_up_unknown(state), 0);
    signs_in = 7;
    memset(big, ' ', sizeof big);
    piece(big, sizeof big, true, true, false);
    assert_true(session_refused(session));
    expect("too_large");
    expect_nothing();
}

/* catches: an introduction that is held until the model is open; a command behind it that is
 * lost */
static void an_introduction_comes_first(void **state)
{
    (void)state;
    signs_in = 7;
    piece("{\"type\":", 8, true, false, false);
    piece("\"auth\"}", 7, false, true, false);
    assert_true(session_known(session) && !session_refused(session) && session_reads(session));
    expect_nothing();
    whole("{\"type\":\"ping\",\"ref\":\"p\"}");
    assert_false(session_reads(session));
    session_hello(session, 1000, blob_copy("{\"type\":\"hello\"}", 16));
    expect("hello");
    expect("\"pong\",\"ref\":\"p\"");
    whole("{\"type\":\"auth\",\"ref\":\"again\"}"); /* is no command any more */
    expect("bad_request");
    expect_nothing();
}

/* catches: a user who is removed while it signs in */
static void an_unknown_user_is_not_let_in(void **state)
{
    (void)state;
    signs_in = 8;
    whole("{\"type\":\"auth\"}");
    assert_true(session_refused(session));
    expect("out_of_memory");
    expect_nothing();
}

/* catches: a program with a token that a service without users refuses, or answers */
static void a_needless_introduction_is_read(void **state)
{
    (void)state;
    expect("hello");
    signs_in = 7;
    whole("{\"type\":\"auth\",\"token\":\"x\"}");
    assert_false(session_refused(session));
    expect_nothing();
    whole("{\"type\":\"ping\",\"ref\":\"p\"}");
    expect("pong");
}

/* catches: a wrong token beside a right cookie that goes unnoticed */
static void a_wrong_introduction_ends_a_known_one(void **state)
{
    (void)state;
    expect("hello");
    signs_in = 0;
    whole("{\"type\":\"auth\",\"token\":\"x\"}");
    assert_true(session_refused(session));
    expect("unauthorized");
}

static void want_nothing(struct waker *w)
{
    (void)w;
}

/* catches: a guest that stays connected when what it saw is not shared any more, also where the
 * same secret shows it again by the time that it reads; another whose connection is closed */
static void a_guest_that_was_cut_off_is_known(void **state)
{
    static const uint8_t DIGEST[SPEC_DIGEST_BYTES] = {1};
    struct spec spec = {.prompt = (char *)(uintptr_t) "x", .width = 64, .height = 64, .steps = 1};
    const struct hub_row row = {.job = 5,
                                .order = 1,
                                .owner = 7,
                                .key = "",
                                .digest = DIGEST,
                                .spec = &spec,
                                .accepted_seq = 1,
                                .state = STATE_CANCELLED,
                                .end_seq = 2,
                                .shared_ms = 1767225600000 + 3600000};
    static const char DELETE[] = "{\"type\":\"delete\",\"job\":\"0000000000000005\"}";
    struct waker waker = {.wake = want_nothing};
    struct client *ada;
    struct fail f;

    (void)state;
    assert_int_equal(hub_restore(harness.hub, 0, &row, &f), 0);
    assert_false(session_is_cut(session));
    session_shared(session, 5);
    assert_int_equal(session_user(session, USER_GUEST, &f), 0);
    assert_false(session_is_cut(session));
    ada = hub_open(harness.hub, &waker, 7);
    assert_non_null(ada);
    hub_text(harness.hub, 0, ada, DELETE, sizeof DELETE - 1);
    assert_true(session_is_cut(session));
    assert_false(hub_is_cut(ada));
    hub_close(harness.hub, 0, ada);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(hello_first, set_up, tear_down),
        cmocka_unit_test_setup_teardown(fragments, set_up, tear_down),
        cmocka_unit_test_setup_teardown(too_long, set_up, tear_down),
        cmocka_unit_test_setup_teardown(too_long_has_a_name, set_up, tear_down),
        cmocka_unit_test_setup_teardown(binary, set_up, tear_down),
        cmocka_unit_test_setup_teardown(held, set_up_early, tear_down),
        cmocka_unit_test_setup_teardown(held_and_gone, set_up_early, tear_down),
        cmocka_unit_test_setup_teardown(slow, set_up, tear_down),
        cmocka_unit_test_setup_teardown(latency, set_up, tear_down),
        cmocka_unit_test_setup_teardown(strangers_are_refused, set_up_unknown, tear_down),
        cmocka_unit_test_setup_teardown(strangers_are_refused_in_any_form, set_up_unknown,
                                        tear_down),
        cmocka_unit_test_setup_teardown(an_introduction_comes_first, set_up_unknown, tear_down),
        cmocka_unit_test_setup_teardown(an_unknown_user_is_not_let_in, set_up_unknown, tear_down),
        cmocka_unit_test_setup_teardown(a_needless_introduction_is_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_wrong_introduction_ends_a_known_one, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_guest_that_was_cut_off_is_known, set_up_unknown,
                                        tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
