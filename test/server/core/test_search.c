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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_in_order),
        cmocka_unit_test(refusals),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
