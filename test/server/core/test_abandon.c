/* test_abandon - jobs that are cancelled when nobody looks at them. */
#include "test/sim/listener.h"

#define UNWATCHED                                                                               \
    "\"type\":\"submit\",\"spec\":{\"prompt\":\"x\",\"width\":96},\"on_disconnect\":{\"cancel_" \
    "after_ms\":1000}"

static struct job *job_of(const struct world *w, uint64_t id)
{
    return registry_find(&w->hub->registry, id);
}

/* One picture at a time. */
static struct world *narrow_world(void)
{
    struct world *w = ready_world();

    w->hub->conf.concurrency = 1;
    return w;
}

static uint64_t submit(struct world *w, struct listener *e, const char *more)
{
    command(w, e, "{" UNWATCHED "%s}", more);
    store_all(w);
    listen_all(w, e);
    return newest(w);
}

/* Time passes, nothing else: the hub is called only when it asks for it. */
static void pass(struct world *w, int64_t us)
{
    int64_t end = w->now + us;

    while (w->now < end) {
        int64_t due = hub_due(w->hub);

        w->now = due < end ? (due > w->now ? due : w->now) : end;
        if (hub_due(w->hub) <= w->now) hub_tick(w->hub, w->now);
        if (due >= end) return;
    }
}

static bool ends(struct world *w, uint64_t job)
{
    return job_of(w, job)->state >= JOB_ENDING;
}

/* catches: a time that begins although somebody looks, or ends too late; one that never comes */
static void the_last_viewer_begins_the_time(void **state)
{
    struct world *w = narrow_world();
    struct listener *ada = listener_new(w), *ben = listener_new(w);
    uint64_t runs = submit(w, ada, ""), waits = submit(w, ada, ",\"watch\":false");

    (void)state;
    command(w, ben, "{\"type\":\"watch\",\"job\":\"%s\"}", hex(waits));
    listen_all(w, ben);
    pass(w, 5000000);
    assert_false(ends(w, runs) || ends(w, waits));
    hub_close(w->hub, w->now, ada->client);
    ada->client = NULL;
    pass(w, 999000);
    assert_false(ends(w, runs) || ends(w, waits));
    pass(w, 1000);
    assert_true(ends(w, runs) && !ends(w, waits));
    assert_true(w->orders[(w->order_end - 1) % WORLD_ORDERS].job == runs); /* dropped at once */
    command(w, ben, "{\"type\":\"unwatch\",\"job\":\"%s\"}", hex(waits));
    listen_all(w, ben);
    pass(w, 1000000);
    assert_true(ends(w, waits));
    assert_int_equal(w->hub->stats.totals.abandoned, 2);
    listener_free(w, ada);
    listener_free(w, ben);
    world_free(w);
}

/* catches: a job that is lost although its client came back in time; a key that does not count */
static void coming_back_begins_it_anew(void **state)
{
    struct world *w = narrow_world();
    struct listener *ada = listener_new(w), *again;
    uint64_t job = submit(w, ada, ",\"watch\":false,\"key\":\"k\"");

    (void)state;
    hub_close(w->hub, w->now, ada->client);
    ada->client = NULL;
    pass(w, 900000);
    again = listener_new(w);
    command(w, again, "{\"type\":\"watch\",\"job\":\"%s\"}", hex(job));
    listen_all(w, again);
    pass(w, 900000);
    hub_close(w->hub, w->now, again->client);
    again->client = hub_open(w->hub, again, USER_NONE);
    pass(w, 900000);
    assert_false(ends(w, job));
    command(w, again, "{" UNWATCHED ",\"watch\":false,\"key\":\"k\"}");
    listen_all(w, again);
    HEARD(again, hex(job));
    pass(w, 5000000);
    assert_false(ends(w, job));
    listener_free(w, ada);
    listener_free(w, again);
    pass(w, 1000000);
    assert_true(ends(w, job));
    world_free(w);
}

/* catches: a job that goes on to read its prompt when nobody looks any more */
static void a_prompt_is_not_read_to_its_end(void **state)
{
    struct world *w = narrow_world();
    struct listener *ada = listener_new(w);
    uint64_t job = submit(w, ada, "");

    (void)state;
    worker_step(w, 1000);
    deliver_all(w);
    assert_true(job_of(w, job)->run.view.phase <= GLM_PRIOR);
    assert_int_equal(w->dev[0].n_runs, 1);
    listener_free(w, ada);
    pass(w, 1000000);
    worker_take(w);
    assert_int_equal(w->dev[0].n_runs, 0);
    deliver_all(w);
    store_all(w);
    assert_int_equal(job_of(w, job)->state, JOB_CANCELLED);
    world_free(w);
}

/* catches: held jobs, jobs on their way to the disk and restored ones that stay for ever */
static void it_counts_in_every_state(void **state)
{
    struct world *w = narrow_world();
    struct listener *ada = listener_new(w);
    uint64_t held = submit(w, ada, ",\"hold\":true"), kept, early;

    (void)state;
    kept = submit(w, ada, ",\"hold\":true");
    command(w, ada, "{\"type\":\"amend\",\"job\":\"%s\",\"on_disconnect\":\"keep\"}", hex(kept));
    world_kill(w, 0);
    free(ada);
    w->now += 10000000;
    world_boot(w);
    assert_int_equal(job_of(w, held)->leave.unwatched_ms, 1000);
    pass(w, 999000);
    assert_false(ends(w, held));
    pass(w, 1000);
    assert_true(ends(w, held) && !ends(w, kept));
    ada = listener_new(w);
    command(w, ada, "{" UNWATCHED "}");
    early = newest(w);
    listener_free(w, ada);
    pass(w, 2000000);
    store_all(w);
    store_all(w);
    assert_int_equal(job_of(w, early)->state, JOB_CANCELLED);
    world_free(w);
}

/* catches: a change that is lost, or that counts for a job that is over */
static void it_can_be_amended(void **state)
{
    struct world *w = narrow_world();
    struct listener *ada = listener_new(w);
    uint64_t job = submit(w, ada, "");

    (void)state;
    command(w, ada,
            "{\"type\":\"amend\",\"job\":\"%s\",\"on_disconnect\":{\"cancel_after_ms\":50}}",
            hex(job));
    listen_all(w, ada);
    HEARD(ada, "\"re\":\"amend\"");
    assert_int_equal(truth_of(w, job)->disk->row.unwatched_ms, 50);
    hub_close(w->hub, w->now, ada->client);
    pass(w, 50000);
    assert_true(ends(w, job));
    go_on(w, 2);
    ada->client = hub_open(w->hub, ada, USER_NONE);
    command(w, ada, "{\"type\":\"amend\",\"job\":\"%s\",\"on_disconnect\":\"keep\"}", hex(job));
    listen_all(w, ada);
    HEARD(ada, "\"code\":\"conflict\"");
    listener_free(w, ada);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_last_viewer_begins_the_time),
        cmocka_unit_test(coming_back_begins_it_anew),
        cmocka_unit_test(a_prompt_is_not_read_to_its_end),
        cmocka_unit_test(it_counts_in_every_state),
        cmocka_unit_test(it_can_be_amended),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
