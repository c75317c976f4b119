/* test_search - a list of results is asked of the store and answered once, also when its client is
 * gone or there are too many. */
#include "test/server/harness.h"

#include "server/core/hub.h"
#include "server/core/search.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct asked {
    int n;
    struct hub_search last;
    char words[512];
};

static struct asked asked;

static void search(const struct hub_search *s)
{
    asked.n++;
    asked.last = *s;
    snprintf(asked.words, sizeof asked.words, "%s|%s|%d", s->ref, s->what->words, s->limit);
}

static void sleeper(struct waker *w)
{
    (void)w;
}

static void say(struct harness *r, struct client *c, const char *text)
{
    hub_text(r->hub, 0, c, text, strlen(text));
}

/* The next message as text; "": there is none. */
static const char *next(struct harness *r, struct client *c)
{
    static char text[512];
    bool binary;
    struct blob *b = hub_next(r->hub, 0, c, &binary);

    snprintf(text, sizeof text, "%.*s", b ? (int)b->len : 0, b ? (const char *)b->data : "");
    blob_unref(b);
    return text;
}

static void answer(struct harness *r, uint64_t ticket, const char *text)
{
    struct blob *b = blob_copy(text, strlen(text));

    hub_found(r->hub, 0, ticket, b, NULL);
    blob_unref(b);
}

static const char LIST[] = "{\"type\":\"list\",\"results\":true,\"ref\":\"x\",\"search\":\"boat\"}";

/* catches: answers out of order; a search that says less than was asked; an answer sent twice */
static void answers_in_order(void **state)
{
    struct harness r;
    struct client *c;
    struct waker w = {.wake = sleeper};

    (void)state;
    asked = (struct asked){0};
    assert_int_equal(harness_open(&r), 0);
    r.search = search;
    c = hub_open(r.hub, &w, USER_NONE);
    say(&r, c, LIST);
    say(&r, c, "{\"type\":\"ping\"}");
    assert_int_equal(asked.n, 1);
    assert_true(asked.last.all && !asked.last.only);
    assert_string_equal(asked.words, "x|boat|50");
    assert_string_equal(next(&r, c), "");
    answer(&r, asked.last.ticket + 1, "another one");
    assert_string_equal(next(&r, c), "");
    answer(&r, asked.last.ticket, "the list");
    assert_string_equal(next(&r, c), "the list");
    assert_non_null(strstr(next(&r, c), "\"pong\""));
    answer(&r, asked.last.ticket, "again");
    assert_string_equal(next(&r, c), "");
    hub_close(r.hub, 0, c);
    hub_free(r.hub);
}

/* catches: a store that cannot read and a client that waits for ever; one that asks without end;
 * an answer for a client that has gone */
static void refusals(void **state)
{
    struct harness r;
    struct client *c;
    struct waker w = {.wake = sleeper};
    struct fail f;
    uint64_t first;

    (void)state;
    asked = (struct asked){0};
    assert_int_equal(harness_open(&r), 0);
    r.search = search;
    c = hub_open(r.hub, &w, USER_NONE);
    for (int i = 0; i < SEARCHES_MAX + 1; i++)
        say(&r, c, LIST);
    assert_int_equal(asked.n, SEARCHES_MAX);
    first = asked.last.ticket - SEARCHES_MAX + 1;
    fail_set(&f, ERR_IO, "Cannot read.");
    hub_found(r.hub, 0, first, NULL, &f);
    assert_non_null(strstr(next(&r, c), "\"io\""));
    for (int i = 1; i < SEARCHES_MAX; i++) {
        answer(&r, first + (uint64_t)i, "a list");
        assert_string_equal(next(&r, c), "a list");
    }
    assert_non_null(strstr(next(&r, c), "\"rate_limited\""));
    say(&r, c, LIST);
    hub_close(r.hub, 0, c);
    answer(&r, asked.last.ticket, "too late");
    hub_free(r.hub);
}

static const uint8_t DIGEST[SPEC_DIGEST_BYTES] = {1};

/* A finished picture that the hub does not remember. */
static struct hub_row forgotten_row(const struct spec *spec)
{
    return (struct hub_row){.job = 0xabc,
                            .order = 1,
                            .created_ms = 7,
                            .key = "old",
                            .digest = DIGEST,
                            .spec = spec,
                            .accepted_seq = 2,
                            .state = STATE_DONE,
                            .result_seq = 3,
                            .end_seq = 4,
                            .result_digest = "00000000000000000000000000000000"
                                             "00000000000000000000000000000000",
                            .result_bytes = 5,
                            .result_us = 6};
}

#define ABOUT(type) "{\"type\":\"" type "\",\"job\":\"0000000000000abc\"}"

/* catches: a picture in the gallery that nothing can be done with; one that comes back twice, in
 * another order, or that is counted anew */
static void forgotten_jobs_come_back(void **state)
{
    static char prompt[] = "a forgotten boat";
    struct spec spec = {.prompt = prompt,
                        .width = 64,
                        .height = 64,
                        .steps = 2,
                        .guidance = 1,
                        .seed = 3,
                        .noise_seed = SPEC_SEED_PICK};
    const struct hub_row row = forgotten_row(&spec);
    struct hub_counts before, after;
    struct harness r;
    struct client *c;
    struct waker w = {.wake = sleeper};
    struct fail full;

    (void)state;
    fail_set(&full, ERR_IO, "The disk is full.");
    assert_int_equal(harness_open(&r), 0);
    c = hub_open(r.hub, &w, USER_NONE);
    say(&r, c, ABOUT("job"));
    assert_non_null(strstr(next(&r, c), "not_found"));
    r.forgotten = &row;
    hub_counts(r.hub, &before);
    say(&r, c, "{\"type\":\"list\"}");
    assert_null(strstr(next(&r, c), "forgotten"));
    say(&r, c, ABOUT("job"));
    assert_non_null(strstr(next(&r, c), "a forgotten boat"));
    say(&r, c, ABOUT("favourite"));
    assert_non_null(strstr(next(&r, c), "\"ok\""));
    say(&r, c, ABOUT("watch"));
    assert_non_null(strstr(next(&r, c), "\"state\":\"done\""));
    assert_non_null(strstr(next(&r, c), "\"accepted\""));
    assert_non_null(strstr(next(&r, c), "\"result\""));
    assert_non_null(strstr(next(&r, c), "\"end\""));
    say(&r, c, "{\"type\":\"list\"}");
    assert_non_null(strstr(next(&r, c), "\"favourite\":true"));
    hub_counts(r.hub, &after);
    assert_int_equal(after.done, before.done);
    say(&r, c, ABOUT("delete"));
    assert_string_equal(next(&r, c), "");
    hub_deleted(r.hub, 0, &r.deletion, &full);
    assert_non_null(strstr(next(&r, c), "\"io\""));
    say(&r, c, ABOUT("delete")); /* it is there */
    r.forgotten = NULL;          /* as the store has it then */
    hub_deleted(r.hub, 0, &r.deletion, NULL);
    assert_non_null(strstr(next(&r, c), "\"ok\""));
    say(&r, c, ABOUT("job"));
    assert_non_null(strstr(next(&r, c), "not_found"));
    hub_close(r.hub, 0, c);
    hub_free(r.hub);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_in_order),
        cmocka_unit_test(refusals),
        cmocka_unit_test(forgotten_jobs_come_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
