/* test_exchange - requests as clients of the hub, without a socket: answers that come later, waits,
 * streams that are read slowly, and what a client that leaves takes with it. */
#include "server/http/exchange.h"

#include "server/http/events.h"
#include "server/http/jobs.h"
#include "test/server/harness.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char SUBMIT[] = "{\"spec\":{\"prompt\":\"x\"}}";
static const struct http_asker EVERYBODY = {.known = true, .sign_in = "", .sign_out = ""};

static struct harness harness;
static struct backend backend;
static struct http_reply reply;
static int wakes;

static int set_up(void **state)
{
    (void)state;
    if (harness_open(&harness)) return -1;
    backend = (struct backend){.hub = harness.hub, .base = "/lab/"};
    reply_init(&reply, 0);
    wakes = 0;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    reply_free(&reply);
    hub_free(harness.hub);
    return 0;
}

static void wake(void *arg)
{
    (void)arg;
    wakes++;
}

static struct exchange *ask(const struct translator *t, const char *query, const char *body)
{
    struct http_request q = {.query = query,
                             .asker = &EVERYBODY,
                             .body = body,
                             .len = strlen(body),
                             .param = {{"0000000000000000"}}};
    struct exchange *x;

    snprintf(q.param[0].text, sizeof q.param[0].text, "%016llx", (unsigned long long)harness.job);
    x = exchange_new(&backend, t, &q, 0, &reply);
    assert_non_null(x);
    exchange_bind(x, &(struct exchange_conn){.wake = wake});
    return x;
}

static void expect_body(const char *part)
{
    assert_non_null(reply.owned);
    if (!strstr(reply.owned, part)) fail_msg("%s: not %s", reply.owned, part);
}

static void expect_clients(int n)
{
    struct hub_counts counts;

    hub_counts(harness.hub, &counts);
    assert_int_equal(counts.clients, n);
}

/* Accept one job: its id is harness.job. */
static void accept_one(void)
{
    struct exchange *x = ask(&JOBS_SUBMIT, "", SUBMIT);

    hub_stored(harness.hub, 0, harness.job, NULL);
    assert_int_equal(exchange_run(x, 0), EXCHANGE_ANSWERED);
    exchange_free(x, 0, false);
}

/* catches: an answer before the disk has the job, or without its address */
static void accepted(void **state)
{
    struct exchange *x = ask(&JOBS_SUBMIT, "", SUBMIT);
    char location[64];

    (void)state;
    assert_int_equal(exchange_run(x, 0), EXCHANGE_WAITS);
    assert_int_equal(wakes, 0);
    hub_stored(harness.hub, 1, harness.job, NULL);
    assert_int_equal(wakes, 1);
    assert_int_equal(exchange_run(x, 1), EXCHANGE_ANSWERED);
    assert_int_equal(reply.status, 202);
    snprintf(location, sizeof location, "/lab/v1/jobs/%016llx", (unsigned long long)harness.job);
    assert_string_equal(reply.location, location);
    expect_body("{\"type\":\"job\",\"job\":\"");
    exchange_free(x, 1, false);
    expect_clients(0);
}

/* catches: a disk that refuses, and a client that waits for ever */
static void refused(void **state)
{
    struct exchange *x = ask(&JOBS_SUBMIT, "", SUBMIT);
    struct fail f;

    (void)state;
    fail_set(&f, ERR_IO, "no room");
    hub_stored(harness.hub, 1, harness.job, &f);
    assert_int_equal(exchange_run(x, 1), EXCHANGE_ANSWERED);
    assert_int_equal(reply.status, 500);
    expect_body("\"code\":\"io\"");
    exchange_free(x, 1, false);
}

/* catches: a job that is lost, or a hub that answers nobody, when a client leaves too early */
static void left_early(void **state)
{
    struct exchange *x = ask(&JOBS_SUBMIT, "", SUBMIT);

    (void)state;
    exchange_free(x, 1, true);
    hub_stored(harness.hub, 2, harness.job, NULL);
    expect_clients(0);
    x = ask(&JOBS_SHOW, "", "");
    assert_int_equal(exchange_run(x, 3), EXCHANGE_ANSWERED);
    assert_int_equal(reply.status, 200);
    exchange_free(x, 3, false);
}

/* catches: a wait without an end, or one that does not end with the job or the server */
static void waits(void **state)
{
    struct exchange *x, *other;

    (void)state;
    accept_one();
    x = ask(&JOBS_SHOW, "wait=5", "");
    assert_int_equal(exchange_run(x, 0), EXCHANGE_WAITS);
    assert_true(exchange_lasts(x));
    assert_int_equal(exchange_due(x), 5000000);
    exchange_timer(x, 4999999);
    assert_int_equal(exchange_run(x, 4999999), EXCHANGE_WAITS);
    exchange_timer(x, 5000000);
    assert_int_equal(exchange_run(x, 5000000), EXCHANGE_ANSWERED);
    expect_body("\"state\":\"queued\"");
    exchange_free(x, 5000000, false);
    reply_free(&reply);
    x = ask(&JOBS_SHOW, "wait=5", "");
    assert_int_equal(exchange_run(x, 6000000), EXCHANGE_WAITS);
    exchange_drain(x, 6000001);
    assert_int_equal(exchange_run(x, 6000001), EXCHANGE_ANSWERED);
    exchange_free(x, 6000001, false);
    reply_free(&reply);
    x = ask(&JOBS_SHOW, "wait=5", "");
    assert_int_equal(exchange_run(x, 7000000), EXCHANGE_WAITS);
    wakes = 0;
    {
        struct http_reply second;
        struct http_request q = {.query = "", .asker = &EVERYBODY, .body = ""};

        snprintf(q.param[0].text, sizeof q.param[0].text, "%016llx",
                 (unsigned long long)harness.job);
        reply_init(&second, 0);
        other = exchange_new(&backend, &JOBS_CANCEL, &q, 7000001, &second);
        assert_int_equal(exchange_run(other, 7000001), EXCHANGE_ANSWERED);
        exchange_free(other, 7000001, false);
        reply_free(&second);
    }
    hub_stored(harness.hub, 7000002, harness.job, NULL);
    assert_true(wakes > 0);
    assert_int_equal(exchange_run(x, 7000002), EXCHANGE_ANSWERED);
    expect_body("\"state\":\"cancelled\"");
    exchange_free(x, 7000002, false);
}

/* catches: a stream that takes more from the hub than its client reads */
static void slow_reader(void **state)
{
    struct exchange *x;
    struct text *out;

    (void)state;
    accept_one();
    x = ask(&EVENTS_JOB, "", "");
    assert_int_equal(exchange_run(x, 0), EXCHANGE_STREAMS);
    assert_true(reply.stream);
    out = exchange_out(x);
    assert_non_null(strstr(out->at, "event: accepted"));
    assert_null(strstr(out->at, "event: queue"));
    exchange_run(x, 1);
    assert_null(strstr(out->at, "event: queue"));
    text_free(out);
    exchange_run(x, 2);
    assert_non_null(strstr(out->at, "event: queue"));
    text_free(out);
    assert_int_equal(exchange_run(x, 3), EXCHANGE_STREAMS);
    assert_int_equal(out->len, 0);
    assert_int_equal(exchange_due(x), 15000000 + 2);
    exchange_timer(x, 15000002);
    assert_string_equal(out->at, ":\n\n");
    text_free(out);
    exchange_drain(x, 15000003);
    assert_int_equal(exchange_state(x), EXCHANGE_FINISHED);
    assert_non_null(strstr(out->at, "shutting_down"));
    exchange_free(x, 15000004, false);
    expect_clients(0);
}

/* catches: a stream of no job, or of other previews than were asked for */
static void streams_of_nothing(void **state)
{
    struct exchange *x = ask(&EVENTS_JOB, "", "");

    (void)state;
    assert_int_equal(exchange_run(x, 0), EXCHANGE_ANSWERED);
    assert_int_equal(reply.status, 404);
    exchange_free(x, 0, false);
    x = ask(&EVENTS_JOB, "seq=-1", "");
    assert_int_equal(reply.status, 422);
    exchange_free(x, 0, false);
    reply_free(&reply);
    accept_one();
    reply_free(&reply);
    x = ask(&EVENTS_JOB, "previews=1&max_px=5", "");
    exchange_run(x, 0);
    assert_int_equal(reply.status, 422);
    exchange_free(x, 0, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(accepted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(left_early, set_up, tear_down),
        cmocka_unit_test_setup_teardown(waits, set_up, tear_down),
        cmocka_unit_test_setup_teardown(slow_reader, set_up, tear_down),
        cmocka_unit_test_setup_teardown(streams_of_nothing, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
