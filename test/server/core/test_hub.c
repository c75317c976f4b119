/* test_hub - accepting, ending, restarting, following: one rule a test, in the simulated world. */
#include "test/sim/listener.h"

/* --- acceptance ------------------------------------------------------------------------------- */

/* catches: an `accepted` that a power cut can take back */
static void accepted_only_when_on_disk(void **state)
{
    struct world *w = ready_world();
    struct listener *e = listener_new(w);

    (void)state;
    command(w, e, "{\"type\":\"submit\",\"ref\":\"a\",\"spec\":{\"prompt\":\"x\"}}");
    listen_all(w, e);
    assert_int_equal(e->len, 0);
    store_answer(w, true);
    listen_all(w, e);
    HEARD(e, "{\"type\":\"accepted\"");
    HEARD(e, "\"ref\":\"a\"");
    HEARD(e, "{\"type\":\"phase\"");
    listener_free(w, e);
    world_free(w);
}

/* catches: a job that exists although its submit was answered with an error */
static void a_job_that_cannot_be_stored_never_was(void **state)
{
    struct world *w = ready_world();
    struct listener *e = listener_new(w);

    (void)state;
    command(w, e, "{\"type\":\"submit\",\"key\":\"k\",\"spec\":{\"prompt\":\"x\"}}");
    store_answer(w, false);
    listen_all(w, e);
    HEARD(e, "\"code\":\"io\"");
    assert_int_equal(w->hub->registry.n, 0);
    command(w, e, "{\"type\":\"submit\",\"key\":\"k\",\"spec\":{\"prompt\":\"x\"}}");
    store_answer(w, true);
    listen_all(w, e);
    HEARD(e, "{\"type\":\"accepted\"");
    listener_free(w, e);
    world_free(w);
}

/* catches: answers that overtake each other, or events before the answer that starts them */
static void answers_keep_the_order_of_commands(void **state)
{
    struct world *w = ready_world();
    struct listener *e = listener_new(w);
    const char *accepted, *pong, *phase;

    (void)state;
    command(w, e, "{\"type\":\"submit\",\"ref\":\"a\",\"spec\":{\"prompt\":\"x\"}}");
    command(w, e, "{\"type\":\"ping\",\"ref\":\"b\"}");
    command(w, e, "nonsense");
    listen_all(w, e);
    assert_int_equal(e->len, 0);
    store_answer(w, true);
    listen_all(w, e);
    accepted = strstr(e->text, "\"accepted\"");
    pong = strstr(e->text, "\"pong\"");
    phase = strstr(e->text, "\"phase\"");
    assert_true(accepted && pong && phase && accepted < pong && pong < phase);
    HEARD(e, "\"bad_request\"");
    listener_free(w, e);
    world_free(w);
}

/* catches: two jobs from a repeated submit, or another request behind a known key */
static void a_key_names_one_request(void **state)
{
    struct world *w = ready_world();
    struct listener *e = listener_new(w);
    const char *submit = "{\"type\":\"submit\",\"key\":\"k\",\"spec\":{\"prompt\":\"x\"}}";

    (void)state;
    command(w, e, "%s", submit);
    command(w, e, "%s", submit); /* while the first is on its way to the disk */
    command(w, e, "{\"type\":\"submit\",\"key\":\"k\",\"spec\":{\"prompt\":\"x\",\"seed\":3}}");
    store_all(w);
    listen_all(w, e);
    assert_int_equal(count(e->text, "\"type\":\"accepted\""), 2);
    assert_int_equal(count(e->text, "\"code\":\"conflict\""), 1);
    assert_int_equal(count(e->text, "\"type\":\"phase\""), 1);
    assert_int_equal(w->hub->registry.n, 1);
    go_on(w, 20);
    world_kill(w, 0);
    world_boot(w);
    e->client = hub_open(w->hub, e, USER_NONE);
    command(w, e, "%s", submit); /* done before the server was started again */
    listen_all(w, e);
    assert_int_equal(count(e->text, "\"type\":\"accepted\""), 1);
    assert_int_equal(count(e->text, "\"state\":\"done\""), 1);
    assert_int_equal(w->hub->registry.n, 1);
    listener_free(w, e);
    world_free(w);
}

/* catches: a queue without bound, or a refusal without retry_after_ms */
static void a_full_queue_says_when_to_come_back(void **state)
{
    struct world *w = ready_world();
    struct listener *e = listener_new(w);

    (void)state;
    w->hub->conf.queue_max = 3;
    for (int i = 0; i < 3 + w->hub->devices.at[0].cap; i++)
        command(w, e, "{\"type\":\"submit\",\"spec\":{\"prompt\":\"x\"}}");
    store_all(w);
    go_on(w, 2);
    listen_all(w, e);
    NOT_HEARD(e, "queue_full");
    assert_int_equal(w->hub->queue.n, 3);
    command(w, e, "{\"type\":\"submit\",\"spec\":{\"prompt\":\"x\"}}");
    listen_all(w, e);
    HEARD(e, "\"code\":\"queue_full\"");
    HEARD(e, "\"retry_after_ms\":");
    listener_free(w, e);
    world_free(w);
}

/* catches: a request that waits for ever because it can never fit, and a hint that is no help */
static void too_big_is_refused_with_a_size_that_fits(void **state)
{
    struct world *w = ready_world();
    struct listener *e = listener_new(w);

    (void)state;
    command(w, e,
            "{\"type\":\"submit\",\"spec\":{\"prompt\":\"x\",\"width\":1024,\"height\":1024}}");
    listen_all(w, e);
    HEARD(e, "\"code\":\"too_big_for_device\"");
    HEARD(e, "Ask for 384x384 or less");
    command(w, e, "{\"type\":\"submit\",\"spec\":{\"prompt\":\"x\",\"width\":384,\"height\":384}}");
    store_all(w);
    listen_all(w, e);
    HEARD(e, "\"accepted\"");
    listener_free(w, e);
    world_free(w);
}

/* --- the end ---------------------------------------------------------------------------------- */

/* catches: an end that is posted before it is on disk, and so can be posted twice */
static void an_end_is_told_when_it_is_on_disk(void **state)
{
    struct world *w = ready_world();
    struct listener *e = listener_new(w);

    (void)state;
    command(w, e, "{\"type\":\"submit\",\"spec\":{\"prompt\":\"x\"}}");
    store_all(w);
    command(w, e, "{\"type\":\"cancel\",\"job\":\"%s\"}", hex(newest(w)));
    listen_all(w, e);
    HEARD(e, "\"re\":\"cancel\"");
    NOT_HEARD(e, "\"type\":\"end\"");
    command(w, e, "{\"type\":\"cancel\",\"job\":\"%s\"}", hex(newest(w)));
    store_all(w);
    listen_all(w, e);
    NOT_HEARD(e, "conflict");
    HEARD(e, "\"state\":\"cancelled\"");
    assert_int_equal(count(e->text, "\"type\":\"end\""), 1);
    assert_true(w->hub->devices.at[0].n_resident == 1); /* until the worker has freed the run */
    worker_take(w);
    deliver_all(w);
    assert_true(w->hub->devices.at[0].n_resident == 0 && w->hub->devices.at[0].ledger.n == 0);
    listener_free(w, e);
    world_free(w);
}

/* catches: a client that reconnects after a restart and is sent the end again, or never */
static void the_end_keeps_its_number_over_a_restart(void **state)
{
    struct world *w = ready_world();
    struct listener *e = listener_new(w);
    uint64_t id, seq;

    (void)state;
    command(w, e, "{\"type\":\"submit\",\"spec\":{\"prompt\":\"x\"}}");
    store_all(w);
    go_on(w, 20);
    id = newest(w);
    seq = w->hub->registry.newest->board.at[EVENT_END];
    world_kill(w, 0);
    world_boot(w);
    e->client = hub_open(w->hub, e, USER_NONE);
    command(w, e, "{\"type\":\"watch\",\"job\":\"%s\",\"seq\":%llu}", hex(id),
            (unsigned long long)seq);
    listen_all(w, e);
    HEARD(e, "\"state\":\"done\"");
    NOT_HEARD(e, "\"type\":\"end\"");
    command(w, e, "{\"type\":\"watch\",\"job\":\"%s\",\"seq\":%llu}", hex(id),
            (unsigned long long)seq - 1);
    listen_all(w, e);
    NOT_HEARD(e, "\"type\":\"result\"");
    assert_int_equal(count(e->text, "\"type\":\"end\""), 1);
    listener_free(w, e);
    world_free(w);
}

/* catches: a job that is lost, or overtaken, because the server was killed while it ran */
static void after_a_kill_the_queue_is_whole_and_in_order(void **state)
{
    struct world *w = ready_world();
    struct listener *e = listener_new(w);
    uint64_t first, seq;

    (void)state;
    for (int i = 0; i < 10; i++)
        command(w, e, "{\"type\":\"submit\",\"spec\":{\"prompt\":\"x\",\"seed\":%d}}", i);
    store_all(w);
    go_on(w, 3);
    first = w->hub->registry.oldest->id;
    seq = w->hub->registry.oldest->board.seq;
    world_kill(w, 0);
    world_boot(w);
    assert_int_equal(w->hub->queue.n, 10);
    e->client = hub_open(w->hub, e, USER_NONE);
    command(w, e, "{\"type\":\"watch\",\"job\":\"%s\",\"seq\":%llu}", hex(first),
            (unsigned long long)seq);
    listen_all(w, e);
    NOT_HEARD(e, "\"type\":\"accepted\"");
    HEARD(e, "\"position\":1,");
    HEARD(e, "\"why\":\"starting\"");
    worker_open(w);
    deliver_all(w);
    go_on(w, 200);
    assert_int_equal(w->hub->in[JOB_DONE], 10);
    listen_all(w, e);
    HEARD(e, "\"state\":\"done\"");
    listener_free(w, e);
    world_free(w);
}

/* --- what subscribers see --------------------------------------------------------------------- */

/* catches: a slow reader that gets a backlog instead of the present, or misses the end */
static void a_slow_reader_finds_the_present(void **state)
{
    struct world *w = ready_world();
    struct listener *e = listener_new(w);

    (void)state;
    command(w, e, "{\"type\":\"submit\",\"spec\":{\"prompt\":\"x\",\"steps\":100}}");
    store_all(w);
    go_on(w, 60);
    listen_all(w, e);
    assert_int_equal(count(e->text, "\"type\":\"progress\""), 1);
    assert_int_equal(count(e->text, "\"type\":\"phase\""), 1);
    go_on(w, 100);
    listen_all(w, e);
    assert_int_equal(count(e->text, "\n"), 2); /* result, end */
    HEARD(e, "\"type\":\"end\"");
    listener_free(w, e);
    world_free(w);
}

/* catches: statistics that flood, or stop, or count wrong */
static void statistics_come_on_change_but_not_too_often(void **state)
{
    struct world *w = ready_world();
    struct listener *e = listener_new(w), *other = listener_new(w);

    (void)state;
    command(w, e, "{\"type\":\"stats\",\"ref\":\"s\"}");
    listen_all(w, e);
    HEARD(e, "\"ref\":\"s\"");
    for (int i = 0; i < 6; i++)
        command(w, other, "{\"type\":\"submit\",\"spec\":{\"prompt\":\"x\"}}");
    store_all(w);
    w->now += 300000;
    hub_tick(w->hub, w->now);
    listen_all(w, e);
    assert_int_equal(count(e->text, "\"type\":\"stats\""), 1);
    HEARD(e, "\"running\":4,\"queued\":2,\"done\":0");
    go_on(w, 100);
    listen_all(w, e);
    assert_int_equal(count(e->text, "\"type\":\"stats\""), 1); /* the newest only */
    HEARD(e, "\"running\":0,\"queued\":0,\"done\":6");
    listener_free(w, e);
    listener_free(w, other);
    world_free(w);
}

/* catches: pages of a list that miss or repeat rows */
static void list_pages_newest_first(void **state)
{
    struct world *w = ready_world();
    struct listener *e = listener_new(w);
    uint64_t third;

    (void)state;
    for (int i = 0; i < 5; i++)
        command(w, e, "{\"type\":\"submit\",\"watch\":false,\"spec\":{\"prompt\":\"n%d\"}}", i);
    store_all(w);
    third = w->hub->registry.newest->links.older->links.older->id;
    listen_all(w, e);
    command(w, e, "{\"type\":\"list\",\"limit\":3}");
    listen_all(w, e);
    HEARD(e, "\"n4\"");
    HEARD(e, "\"n2\"");
    NOT_HEARD(e, "\"n1\"");
    HEARD(e, "\"more\":true");
    command(w, e, "{\"type\":\"list\",\"before\":\"%s\"}", hex(third));
    listen_all(w, e);
    NOT_HEARD(e, "\"n2\"");
    HEARD(e, "\"n1\"");
    HEARD(e, "\"n0\"");
    HEARD(e, "\"more\":false");
    listener_free(w, e);
    world_free(w);
}

/* catches: jobs that are over and fill the memory for ever */
static void old_jobs_are_forgotten_after_their_end_was_read(void **state)
{
    struct world *w = ready_world();
    struct listener *e = listener_new(w);

    (void)state;
    w->hub->registry.kept = 2;
    for (int i = 0; i < 6; i++)
        command(w, e, "{\"type\":\"submit\",\"spec\":{\"prompt\":\"x\"}}");
    store_all(w);
    go_on(w, 60);
    assert_int_equal(w->hub->registry.n, 6); /* the ends are not read yet */
    listen_all(w, e);
    assert_int_equal(count(e->text, "\"type\":\"end\""), 6);
    command(w, e, "{\"type\":\"submit\",\"spec\":{\"prompt\":\"x\"}}");
    store_all(w);
    go_on(w, 20);
    assert_true(w->hub->registry.n <= 3);
    listener_free(w, e);
    world_free(w);
}

/* catches: a job that is forgotten while the device still holds its run */
static void a_job_on_the_device_is_not_forgotten(void **state)
{
    struct world *w = ready_world();
    struct listener *e = listener_new(w);

    (void)state;
    w->hub->registry.kept = 0;
    command(w, e, "{\"type\":\"submit\",\"watch\":false,\"spec\":{\"prompt\":\"x\"}}");
    store_all(w);
    command(w, e, "{\"type\":\"cancel\",\"job\":\"%s\"}", hex(newest(w)));
    store_all(w);
    assert_int_equal(w->hub->registry.n, 1);
    worker_take(w);
    deliver_all(w);
    assert_int_equal(w->hub->devices.at[0].n_resident, 0);
    command(w, e, "{\"type\":\"submit\",\"watch\":false,\"spec\":{\"prompt\":\"x\"}}");
    store_all(w);
    go_on(w, 20);
    assert_int_equal(w->hub->registry.n, 0);
    listener_free(w, e);
    world_free(w);
}

/* catches: a quote that keeps something, or disagrees with what then happens */
static void a_quote_is_what_a_submit_would_get(void **state)
{
    struct world *w = ready_world();
    struct listener *e = listener_new(w);

    (void)state;
    command(w, e, "{\"type\":\"quote\",\"spec\":{\"prompt\":\"x\"}}");
    listen_all(w, e);
    HEARD(e, "\"position\":0,\"start_ms\":0,");
    assert_int_equal(w->hub->registry.n, 0);
    for (int i = 0; i < 5; i++)
        command(w, e, "{\"type\":\"submit\",\"spec\":{\"prompt\":\"x\"}}");
    store_all(w);
    listen_all(w, e);
    command(w, e, "{\"type\":\"quote\",\"spec\":{\"prompt\":\"x\"}}");
    listen_all(w, e);
    HEARD(e, "\"position\":2,");
    command(w, e, "{\"type\":\"submit\",\"spec\":{\"prompt\":\"x\"}}");
    command(w, e, "{\"type\":\"quote\",\"spec\":{\"prompt\":\"x\"}}");
    assert_int_equal(w->hub->in[JOB_ADMIT], 1);
    store_all(w); /* answers come in the order of the commands */
    listen_all(w, e);
    HEARD(e, "\"position\":3,");
    listener_free(w, e);
    world_free(w);
}

/* catches: one connection that follows jobs without bound */
static void a_connection_follows_so_many_jobs(void **state)
{
    struct world *w = ready_world();
    struct listener *e = listener_new(w);
    int accepted = 0;

    (void)state;
    w->hub->conf.queue_max = 2 * LIMIT_WATCHES;
    for (int i = 0; i < LIMIT_WATCHES; i++) {
        command(w, e, "{\"type\":\"submit\",\"spec\":{\"prompt\":\"x\"}}");
        if (i % 64 != 63) continue;
        store_all(w);
        listen_all(w, e);
        accepted += count(e->text, "\"type\":\"accepted\"");
    }
    assert_int_equal(accepted, LIMIT_WATCHES);
    command(w, e, "{\"type\":\"submit\",\"spec\":{\"prompt\":\"x\"}}");
    listen_all(w, e);
    assert_int_equal(count(e->text, "\"code\":\"rate_limited\""), 1);
    command(w, e, "{\"type\":\"submit\",\"watch\":false,\"spec\":{\"prompt\":\"x\"}}");
    store_all(w);
    listen_all(w, e);
    assert_int_equal(count(e->text, "\"type\":\"accepted\""), 1);
    listener_free(w, e);
    world_free(w);
}

/* --- entries ---------------------------------------------------------------------------------- */

static void enter_tick(struct world *w, struct listener *e)
{
    (void)e;
    hub_tick(w->hub, w->now);
}

static void enter_drain(struct world *w, struct listener *e)
{
    (void)e;
    hub_drain(w->hub, w->now);
}

static void enter_drain_again(struct world *w, struct listener *e)
{
    (void)e;
    w->hub->stopping = true;
    hub_drain(w->hub, w->now);
}

static void enter_close(struct world *w, struct listener *e)
{
    (void)e;
    listener_free(w, listener_new(w));
}

static void enter_text(struct world *w, struct listener *e)
{
    command(w, e, "{\"type\":\"ping\"}");
}

static void enter_bad_text(struct world *w, struct listener *e)
{
    command(w, e, "{\"type\":");
}

static void enter_command(struct world *w, struct listener *e)
{
    struct command c;

    assert_int_equal(command_decode("{\"type\":\"ping\"}", 15, &w->limits, &c, NULL), 0);
    hub_command(w->hub, w->now, e->client, &c);
}

static void enter_error(struct world *w, struct listener *e)
{
    struct fail f;

    fail_set(&f, ERR_BAD_REQUEST, "a binary message");
    hub_error(w->hub, w->now, e->client, NULL, &f);
}

static void enter_stored(struct world *w, struct listener *e)
{
    (void)e;
    store_answer(w, true);
}

static void enter_refused(struct world *w, struct listener *e)
{
    (void)e;
    store_answer(w, false);
}

static void enter_encoded(struct world *w, struct listener *e)
{
    struct fail f;

    (void)e;
    fail_set(&f, ERR_INTERNAL, "the encoder broke");
    w->hub->n_encoding++;
    hub_encoded(w->hub, w->now, 12345, NULL, "", &f); /* of a job that is gone */
}

static void enter_preview(struct world *w, struct listener *e)
{
    (void)e;
    hub_preview(w->hub, w->now, 12345, PHASE_PRIOR, NULL, 0); /* of a job that is gone */
}

static void enter_device_event(struct world *w, struct listener *e)
{
    struct device_event n = {.kind = DEVICE_READY, .budget = w->budget};

    (void)e;
    hub_device_event(w->hub, w->now, &n);
}

static void enter_disk(struct world *w, struct listener *e)
{
    (void)e;
    hub_disk(w->hub, w->now, NULL);
}

static void enter_restore(struct world *w, struct listener *e)
{
    struct hub_row r = w->disk[0]->row;
    struct fail f;

    (void)e;
    r.job = 12345;
    r.order = w->hub->last_order + 1;
    truth_of(w, r.job)->disk = w->disk[0];
    assert_int_equal(hub_restore(w->hub, w->now, &r, &f), 0);
}

static void enter_bad_restore(struct world *w, struct listener *e)
{
    struct fail f;

    (void)e;
    assert_int_equal(hub_restore(w->hub, w->now, &w->disk[0]->row, &f), ERR_IO);
}

/* A hub where a job runs, another waits, a third is on its way to the disk and every message has
 * been read. */
static struct world *quiet_world(struct listener **e)
{
    struct world *w = ready_world();

    *e = listener_new(w);
    w->hub->conf.concurrency = 1;
    command(w, *e, "{\"type\":\"stats\"}");
    for (int i = 0; i < 2; i++)
        command(w, *e, "{\"type\":\"submit\",\"watch\":false,\"spec\":{\"prompt\":\"x\"}}");
    store_all(w);
    command(w, *e, "{\"type\":\"submit\",\"watch\":false,\"spec\":{\"prompt\":\"x\"}}");
    w->now += 300000;
    hub_tick(w->hub, w->now);
    listen_all(w, *e);
    assert_int_equal(w->hub->in[JOB_RUNNING], 1);
    assert_int_equal(w->hub->in[JOB_QUEUED], 1);
    assert_false(w->hub->touched);
    return w;
}

/* catches: an entry after which what is due is neither started nor pushed until something else
 * happens */
static void every_entry_settles(void **state)
{
    static const struct {
        const char *name;
        void (*call)(struct world *, struct listener *);
        bool stops; /* nothing is started any more */
    } ENTRY[] = {{"hub_tick", enter_tick, false},
                 {"hub_drain", enter_drain, true},
                 {"hub_drain again", enter_drain_again, true},
                 {"hub_close", enter_close, false},
                 {"hub_text", enter_text, false},
                 {"hub_text, unreadable", enter_bad_text, false},
                 {"hub_command", enter_command, false},
                 {"hub_error", enter_error, false},
                 {"hub_stored", enter_stored, false},
                 {"hub_stored, refused", enter_refused, false},
                 {"hub_encoded", enter_encoded, false},
                 {"hub_preview", enter_preview, false},
                 {"hub_device_event", enter_device_event, false},
                 {"hub_disk", enter_disk, false},
                 {"hub_restore", enter_restore, false},
                 {"hub_restore, refused", enter_bad_restore, false}};

    (void)state;
    for (size_t i = 0; i < sizeof ENTRY / sizeof ENTRY[0]; i++) {
        struct listener *e;
        struct world *w = quiet_world(&e);

        print_message("%s\n", ENTRY[i].name);
        w->hub->conf.concurrency = 0; /* the waiting job may start, */
        w->hub->touched = true;       /* and news are due */
        w->now += 300000;
        ENTRY[i].call(w, e);
        assert_false(w->hub->touched);
        assert_int_equal(w->hub->pushed_us, w->now);
        if (!ENTRY[i].stops) assert_true(w->hub->in[JOB_RUNNING] >= 2);
        listen_all(w, e);
        HEARD(e, "\"type\":\"stats\"");
        listener_free(w, e);
        world_free(w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accepted_only_when_on_disk),
        cmocka_unit_test(a_job_that_cannot_be_stored_never_was),
        cmocka_unit_test(answers_keep_the_order_of_commands),
        cmocka_unit_test(a_key_names_one_request),
        cmocka_unit_test(a_full_queue_says_when_to_come_back),
        cmocka_unit_test(too_big_is_refused_with_a_size_that_fits),
        cmocka_unit_test(an_end_is_told_when_it_is_on_disk),
        cmocka_unit_test(the_end_keeps_its_number_over_a_restart),
        cmocka_unit_test(after_a_kill_the_queue_is_whole_and_in_order),
        cmocka_unit_test(a_slow_reader_finds_the_present),
        cmocka_unit_test(statistics_come_on_change_but_not_too_often),
        cmocka_unit_test(list_pages_newest_first),
        cmocka_unit_test(old_jobs_are_forgotten_after_their_end_was_read),
        cmocka_unit_test(a_job_on_the_device_is_not_forgotten),
        cmocka_unit_test(a_quote_is_what_a_submit_would_get),
        cmocka_unit_test(a_connection_follows_so_many_jobs),
        cmocka_unit_test(every_entry_settles),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
