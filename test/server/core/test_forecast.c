/* test_forecast - times come with the first answer, count all that is there, and are kept to. */
#include "test/sim/listener.h"

#include <math.h>

/* A time in what was heard, in milliseconds; -1: there is none. */
static long long time_in(const struct listener *e, const char *member)
{
    const char *at = strstr(e->text, member);

    return at ? strtoll(at + strlen(member), NULL, 10) : -1;
}

static void forget(struct listener *e)
{
    e->text[0] = '\0';
    e->len = 0;
}

/* catches: jobs that are accepted, or wait, without a time; a first estimate that does not know the
 * jobs that are stored with it */
static void a_time_comes_with_accepted(void **state)
{
    struct world *w = ready_world();
    struct listener *e = listener_new(w);
    long long one, third;

    (void)state;
    w->hub->conf.concurrency = 1;
    command(w, e, "{\"type\":\"submit\",\"spec\":{\"prompt\":\"x\"}}");
    store_all(w);
    listen_all(w, e);
    HEARD(e, "\"type\":\"accepted\"");
    HEARD(e, "\"eta_range_ms\":[");
    one = time_in(e, "\"eta_ms\":");
    assert_true(one > 0);
    for (int i = 0; i < 3; i++)
        command(w, e, "{\"type\":\"submit\",\"spec\":{\"prompt\":\"x\"}}");
    forget(e);
    store_all(w);
    listen_all(w, e);
    NOT_HEARD(e, "\"eta_ms\":null");
    third = time_in(e, "\"position\":3,\"ahead\":3,\"start_ms\":");
    assert_true(third > 2 * one && third < 4 * one);
    listener_free(w, e);
    world_free(w);
}

/* catches: a viewer of a job that runs and waits for its turn, and hears nothing until then; one
 * who is told that it waits when it is drawn again */
static void one_that_waits_for_its_turn_is_told(void **state)
{
    struct world *w = ready_world();
    struct listener *e = listener_new(w);
    const struct job *large;
    long long before;

    (void)state;
    command(w, e, "{\"type\":\"submit\",\"spec\":{\"prompt\":\"x\",\"steps\":90}}");
    store_all(w);
    large = w->hub->registry.newest;
    go_on(w, 30);
    listen_all(w, e);
    before = (large->forecast.end_us - w->now) / 1000;
    NOT_HEARD(e, "\"why\":\"turn\"}");
    command(w, e,
            "{\"type\":\"submit\",\"watch\":false,\"spec\":{\"prompt\":\"x\",\"steps\":30,"
            "\"width\":64,\"height\":64}}");
    store_all(w);
    listen_all(w, e);
    forget(e);
    go_on(w, 30);
    assert_true(large->state == JOB_RUNNING && large->run.waits == WHY_TURN);
    listen_all(w, e);
    HEARD(e, "\"type\":\"progress\"");
    HEARD(e, "\"why\":\"turn\"}");
    assert_true(time_in(e, "\"eta_ms\":") > before); /* the other one's time is in it */
    while (large->run.waits == WHY_TURN)
        go_on(w, 1);
    forget(e);
    go_on(w, 5);
    listen_all(w, e);
    HEARD(e, "\"type\":\"progress\"");
    NOT_HEARD(e, "\"why\":");
    listener_free(w, e);
    world_free(w);
}

/* catches: a job that is drawn until its limit ends it, although its time was known; one that is
 * refused for a guess */
static void a_job_that_takes_too_long_is_refused(void **state)
{
    static const char LONG[] =
        "{\"type\":\"submit\",\"spec\":{\"prompt\":\"x\",\"steps\":200,\"width\":512}}";
    struct world *w = ready_world();
    struct listener *e = listener_new(w);

    (void)state;
    w->hub->conf.job_seconds = 1;
    command(w, e, "%s", LONG);
    command(w, e, "{\"type\":\"submit\",\"spec\":{\"prompt\":\"x\",\"steps\":5}}");
    store_all(w);
    listen_all(w, e);
    NOT_HEARD(e, "\"type\":\"error\"");
    go_on(w, 60);
    forget(e);
    command(w, e, "%s", LONG);
    listen_all(w, e);
    HEARD(e, "\"code\":\"timeout\"");
    HEARD(e, "s of computing time; a job may take 1 s");
    HEARD(e, "--job-seconds");
    listener_free(w, e);
    world_free(w);
}

/* catches: all that a full queue refuses are told to come back at the same moment */
static void the_refused_come_back_one_after_the_other(void **state)
{
    struct world *w = ready_world();
    struct listener *e = listener_new(w);
    long long ms[8];

    (void)state;
    w->hub->conf.concurrency = 1;
    w->hub->conf.queue_max = 8;
    for (int i = 0; i < 9; i++)
        command(w, e, "{\"type\":\"submit\",\"spec\":{\"prompt\":\"x\"}}");
    store_all(w);
    listen_all(w, e);
    for (int i = 0; i < 8; i++) {
        forget(e);
        command(w, e, "{\"type\":\"submit\",\"spec\":{\"prompt\":\"x\"}}");
        listen_all(w, e);
        ms[i] = time_in(e, "\"retry_after_ms\":");
        assert_true(ms[i] >= 100);
    }
    assert_true(ms[7] > 5 * ms[0] && ms[7] < 11 * ms[0]);
    for (int i = 1; i < 4; i++)
        assert_true(ms[i] > ms[i - 1]);
    listener_free(w, e);
    world_free(w);
}

static long long range_end(const struct listener *e)
{
    const char *at = strstr(e->text, "\"eta_range_ms\":[");

    return at ? strtoll(strchr(at, ',') + 1, NULL, 10) : -1;
}

/* catches: a form that promises another time than the submit then does, a refusal that sends the
 * client back at another time than the queue moves on */
static void quote_accepted_and_refused_agree(void **state)
{
    static const char SPEC[] = "\"spec\":{\"prompt\":\"x\",\"steps\":9}";
    struct world *w = ready_world();
    struct listener *e = listener_new(w);
    long long eta = 0, low, high, start, retry;

    (void)state;
    w->hub->conf.concurrency = 2;
    w->hub->conf.queue_max = 4;
    for (int i = 0; i < 20; i++) {
        command(w, e, "{\"type\":\"submit\",%s}", SPEC);
        command(w, e, "{\"type\":\"submit\",%s}", SPEC);
        store_all(w);
        go_on(w, 60);
        listen_all(w, e);
    }
    for (int i = 0; i < 6; i++) {
        forget(e);
        command(w, e, "{\"type\":\"quote\",%s}", SPEC);
        listen_all(w, e);
        eta = time_in(e, "\"eta_ms\":");
        low = time_in(e, "\"eta_range_ms\":[");
        high = range_end(e);
        assert_true(low > 0 && low <= eta && eta <= high);
        forget(e);
        command(w, e, "{\"type\":\"submit\",%s}", SPEC);
        store_all(w);
        listen_all(w, e);
        assert_true(llabs(time_in(e, "\"eta_ms\":") - eta) <= 1);
        assert_true(llabs(time_in(e, "\"eta_range_ms\":[") - low) <= 1);
        assert_true(llabs(range_end(e) - high) <= 1);
    }
    start = (w->hub->queue.at[0]->forecast.start_us - w->now) / 1000;
    forget(e);
    command(w, e, "{\"type\":\"submit\",%s}", SPEC);
    listen_all(w, e);
    HEARD(e, "\"code\":\"queue_full\"");
    retry = time_in(e, "\"retry_after_ms\":");
    assert_true(start > 100 && retry >= start && retry <= start + start / 4 + 1);
    listener_free(w, e);
    world_free(w);
}

static long long quoted(struct world *w, struct listener *e, const char *spec)
{
    const char *quote;

    listen_all(w, e);
    forget(e);
    command(w, e, "{\"type\":\"quote\",%s}", spec);
    listen_all(w, e);
    quote = strstr(e->text, "\"type\":\"quote\"");
    assert_non_null(quote);
    return strtoll(strstr(quote, "\"eta_ms\":") + strlen("\"eta_ms\":"), NULL, 10);
}

/* catches: a quote right behind `cancel`, `hold` or `release` that says what was true before it */
static void a_quote_counts_what_was_said_before_it(void **state)
{
    static const char SPEC[] = "\"spec\":{\"prompt\":\"x\",\"steps\":9}";
    struct world *w = ready_world();
    struct listener *e = listener_new(w);
    long long all, fewer;
    uint64_t last;

    (void)state;
    w->hub->conf.concurrency = 1;
    for (int i = 0; i < 20; i++) { /* its rates are known then */
        command(w, e, "{\"type\":\"submit\",%s}", SPEC);
        store_all(w);
        go_on(w, 60);
    }
    for (int i = 0; i < 4; i++)
        command(w, e, "{\"type\":\"submit\",%s}", SPEC);
    store_all(w);
    last = w->hub->registry.newest->id;
    all = quoted(w, e, SPEC);
    command(w, e, "{\"type\":\"hold\",\"job\":\"%016llx\"}", (unsigned long long)last);
    fewer = quoted(w, e, SPEC);
    assert_true(fewer < all * 9 / 10);
    command(w, e, "{\"type\":\"release\",\"job\":\"%016llx\"}", (unsigned long long)last);
    assert_true(llabs(quoted(w, e, SPEC) - all) <= 1);
    command(w, e, "{\"type\":\"cancel\",\"job\":\"%016llx\"}", (unsigned long long)last);
    assert_true(llabs(quoted(w, e, SPEC) - fewer) <= 1);
    command(w, e, "{\"type\":\"cancel\",\"all\":true}");
    assert_true(quoted(w, e, SPEC) < all / 3);
    listener_free(w, e);
    world_free(w);
}

/* catches: a count or lettering that is not the model's answer, or is made up without a model */
static void a_quote_tells_how_the_prompt_is_read(void **state)
{
    struct world *w = ready_world();
    struct listener *e = listener_new(w);

    (void)state;
    command(w, e, "{\"type\":\"quote\",\"spec\":{\"prompt\":\"\\\"HOME\\\"\"}}");
    listen_all(w, e);
    HEARD(e, "\"tokens\":6,\"lettering\":[\"HOME\"]");
    forget(e);
    command(
        w, e,
        "{\"type\":\"quote\",\"spec\":{\"prompt\":\"x\"},\"sweep\":{\"prompt\":[\"ab\",\"abc\"]}}");
    listen_all(w, e);
    HEARD(e, "\"cells\":2,\"tokens\":2,\"lettering\":[]");
    listener_free(w, e);
    world_free(w);
    w = world_new(0);
    e = listener_new(w);
    command(w, e, "{\"type\":\"quote\",\"spec\":{\"prompt\":\"x\"}}");
    listen_all(w, e);
    HEARD(e, "\"type\":\"quote\"");
    NOT_HEARD(e, "tokens");
    listener_free(w, e);
    world_free(w);
}

/* catches: jobs at the end of a long queue that get no time, or one before those that are ahead */
static void a_long_queue_is_estimated_at_its_end(void **state)
{
    static const char SUBMIT[] =
        "{\"type\":\"submit\",\"watch\":false,\"spec\":{\"prompt\":\"x\",\"steps\":%d}}";
    struct world *w = ready_world();
    struct listener *e = listener_new(w);

    (void)state;
    w->hub->conf.queue_max = LIMIT_QUEUE_MAX;
    for (int i = 0; i < 2000; i++) {
        w->now += 100;
        command(w, e, SUBMIT, 1 + i % 50);
        store_all(w);
        listen_all(w, e);
    }
    for (int i = 1; i < w->hub->queue.n; i++) {
        const struct job *j = w->hub->queue.at[i];

        assert_true(j->forecast.start_us >= w->hub->queue.at[i - 1]->forecast.start_us);
    }
    listener_free(w, e);
    world_free(w);
}

/* catches: a quote that goes before others and plays all of a long queue for each, or leaves it
 * with a job too many */
static void a_quote_in_front_leaves_the_queue_alone(void **state)
{
    struct world *w = ready_world();
    struct listener *e = listener_new(w);
    int64_t estimated_us, end_us;
    long long quoted;

    (void)state;
    w->hub->conf.concurrency = 1;
    w->hub->conf.queue_max = LIMIT_QUEUE_MAX;
    for (int i = 0; i < 500; i++)
        command(
            w, e,
            "{\"type\":\"submit\",\"watch\":false,\"spec\":{\"prompt\":\"x\",\"lane\":\"batch\"}}");
    store_all(w);
    w->now += 2 * HUB_PUSH_US;
    hub_tick(w->hub, w->now);
    listen_all(w, e);
    estimated_us = w->hub->estimated_us;
    end_us = w->hub->queue.at[498]->forecast.end_us;
    forget(e);
    command(w, e, "{\"type\":\"quote\",\"spec\":{\"prompt\":\"x\"}}");
    listen_all(w, e);
    HEARD(e, "\"position\":1");
    quoted = time_in(e, "\"eta_ms\":");
    assert_true(quoted > 0 && quoted < (end_us - w->now) / 1000 / 200);
    assert_true(w->hub->tail.open && w->hub->estimated_us == estimated_us);
    forget(e);
    command(w, e, "{\"type\":\"quote\",\"spec\":{\"prompt\":\"x\",\"lane\":\"batch\"}}");
    listen_all(w, e);
    assert_true(llabs(time_in(e, "\"eta_ms\":") - (end_us - w->now) / 1000) < quoted);
    listener_free(w, e);
    world_free(w);
}

/* catches: what was measured is never kept, or at every job; a start that does not use it */
static void what_was_measured_outlives_a_restart(void **state)
{
    struct world *w = ready_world();
    struct listener *e = listener_new(w);

    (void)state;
    for (int i = 0; i < 3; i++)
        command(w, e, "{\"type\":\"submit\",\"spec\":{\"prompt\":\"x\",\"steps\":5}}");
    store_all(w);
    go_on(w, 60);
    assert_int_equal(w->hub->in[JOB_DONE], 3);
    assert_int_equal(w->kept, 1);
    hub_drain(w->hub, w->now);
    assert_int_equal(w->kept, 2);
    for (int k = 0; k < ETA_KINDS; k++)
        assert_true(w->known.judged[k] == 0); /* they were guesses */
    listen_all(w, e);
    world_kill(w, 0);
    world_boot(w);
    e->client = hub_open(w->hub, e, USER_NONE);
    assert_false(eta_measured(&w->hub->eta));
    hub_device_event(
        w->hub, w->now,
        &(struct device_event){.kind = DEVICE_READY, .budget = w->budget, .known = &w->known});
    assert_true(eta_measured(&w->hub->eta));
    listener_free(w, e);
    world_free(w);
}

/* catches: quanta that were measured for no job and teach nothing */
static void a_measured_quantum_teaches(void **state)
{
    struct world *w = ready_world();
    struct device_event event = {.kind = RATE_MEASURED, .n = 1, .pixels = 65536};

    (void)state;
    for (int p = GLM_PRIOR; p < GLM_PHASES; p++) {
        event.cost.work[p] = 1e9;
        event.cost.quanta[p] = 2;
    }
    event.cost.prefill = 0.5;
    event.cost.chunks = 1;
    event.elapsed_us = 500000;
    for (int q = 0; q < 6; q++) {
        assert_false(eta_measured(&w->hub->eta));
        event.phase = (enum glm_phase)(GLM_PRIOR + q / 2);
        event.before = (struct glm_progress){
            .phase = event.phase, .done = q % 2, .total = 2, .left = 1 - 0.5 * (q % 2)};
        event.run[0].view = (struct glm_progress){
            .phase = event.phase, .done = q % 2 + 1, .total = 2, .left = 0.5 - 0.5 * (q % 2)};
        hub_device_event(w->hub, w->now, &event);
        if (q == 4) break;
    }
    assert_true(eta_measured(&w->hub->eta));
    for (int s = ETA_PREFILL; s < ETA_STAGES; s++)
        assert_true(fabs(eta_rate(&w->hub->eta, (enum eta_stage)s, 4, 1, 1) / 1e9 - 1) < 1e-9);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_time_comes_with_accepted),
        cmocka_unit_test(one_that_waits_for_its_turn_is_told),
        cmocka_unit_test(a_job_that_takes_too_long_is_refused),
        cmocka_unit_test(the_refused_come_back_one_after_the_other),
        cmocka_unit_test(quote_accepted_and_refused_agree),
        cmocka_unit_test(a_quote_counts_what_was_said_before_it),
        cmocka_unit_test(a_quote_tells_how_the_prompt_is_read),
        cmocka_unit_test(a_long_queue_is_estimated_at_its_end),
        cmocka_unit_test(a_quote_in_front_leaves_the_queue_alone),
        cmocka_unit_test(what_was_measured_outlives_a_restart),
        cmocka_unit_test(a_measured_quantum_teaches),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
