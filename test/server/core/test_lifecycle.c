/* test_lifecycle - ends that the disk does not take, and a process that stands still. */
#include "test/sim/listener.h"

/* Draw the only job's picture; it is with the encoder. */
static void draw(struct world *w)
{
    while (w->event_first == w->event_end || w->hub->devices.at[0].n_resident > 0) {
        worker_step(w, 10000);
        if (w->dev[0].n_runs == 0) break;
    }
    deliver_all(w);
}

/* The same with a new job, up to where its file is on the way to the disk. */
static void draw_one(struct world *w, struct listener *e)
{
    command(w, e, "{\"type\":\"submit\",\"spec\":{\"prompt\":\"x\"}}");
    store_all(w);
    draw(w);
    encoder_answer(w, ERR_OK);
}

static void a_second_later(struct world *w)
{
    w->now += 1000000;
    hub_tick(w->hub, w->now);
}

/* catches: a finished picture that is lost to a disk that was full for a moment; one that is
 * announced before the disk has it; work that goes on while nothing can be stored */
static void a_result_waits_for_a_full_disk(void **state)
{
    struct world *w = ready_world();
    struct listener *e = listener_new(w), *other = listener_new(w);
    struct hub_counts n;
    struct concurrency told;

    (void)state;
    draw_one(w, e);
    for (int i = 0; i < 5; i++) {
        store_answer(w, false);
        listen_all(w, e);
        NOT_HEARD(e, "\"type\":\"end\"");
        hub_counts(w->hub, &n);
        assert_string_equal(n.disk, "the disk is full");
        assert_non_null(strstr(hub_why_cap(w->hub), "the disk is full"));
        hub_concurrency(w->hub, &told);
        assert_string_equal(told.disk, "the disk is full");
        a_second_later(w);
        assert_int_equal(w->write_end - w->write_first, 1); /* asked again, once */
    }
    store_answer(w, false);
    command(w, other, "{\"type\":\"submit\",\"spec\":{\"prompt\":\"y\"}}");
    store_all(w);
    assert_int_equal(w->hub->in[JOB_RUNNING], 0); /* its picture would have no place to go */
    w->now += 300000;
    hub_tick(w->hub, w->now);
    listen_all(w, other);
    HEARD(other, "\"why\":\"disk\"");
    a_second_later(w);
    store_all(w);
    listen_all(w, e);
    HEARD(e, "\"type\":\"result\"");
    HEARD(e, "\"state\":\"done\"");
    hub_counts(w->hub, &n);
    assert_null(n.disk);
    assert_int_equal(w->hub->in[JOB_RUNNING], 1);
    listener_free(w, e);
    listener_free(w, other);
    world_free(w);
}

/* catches: a service that stays "full" after a submit was refused and nothing else came */
static void a_probe_ends_the_refusal(void **state)
{
    struct world *w = ready_world();
    struct listener *e = listener_new(w);
    struct hub_counts n;
    struct concurrency told;
    struct fail f;

    (void)state;
    command(w, e, "{\"type\":\"submit\",\"spec\":{\"prompt\":\"x\"}}");
    store_answer(w, false);
    hub_counts(w->hub, &n);
    assert_non_null(n.disk);
    hub_disk(w->hub, w->now, NULL);
    hub_counts(w->hub, &n);
    assert_null(n.disk);
    assert_null(strstr(hub_why_cap(w->hub), "full"));
    hub_concurrency(w->hub, &told);
    assert_null(told.disk);
    fail_set(&f, ERR_IO, "one reason");
    hub_disk(w->hub, w->now, &f);
    fail_set(&f, ERR_IO, "another one");
    hub_disk(w->hub, w->now, &f);
    assert_non_null(strstr(hub_why_cap(w->hub), "another one"));
    listener_free(w, e);
    world_free(w);
}

/* catches: an end that is tried for ever although its row can never be written */
static void a_row_that_breaks_a_rule_fails_its_job(void **state)
{
    struct world *w = ready_world();
    struct listener *e = listener_new(w);
    struct fail f;

    (void)state;
    draw_one(w, e);
    fail_set(&f, ERR_INTERNAL, "a bad row");
    for (int i = 0; i < 2; i++) {
        uint64_t job = w->writes[w->write_first % WORLD_ORDERS]->row.job;

        saved_free(w->writes[w->write_first++ % WORLD_ORDERS]);
        hub_stored(w->hub, w->now, job, &f);
        a_second_later(w);
    }
    listen_all(w, e);
    NOT_HEARD(e, "\"type\":\"result\"");
    HEARD(e, "\"state\":\"failed\"");
    HEARD(e, "\"code\":\"internal\"");
    assert_int_equal(w->hub->n_refused, 0);
    listener_free(w, e);
    world_free(w);
}

/* A finished picture finds no memory at so many tries in turn; the job's last state. */
static enum job_state draw_short(int tries, void (*lose)(struct world *))
{
    struct world *w = ready_world();
    struct listener *e = listener_new(w);
    struct job *j;
    enum job_state state;

    command(w, e, "{\"type\":\"submit\",\"spec\":{\"prompt\":\"x\"}}");
    store_all(w);
    j = w->hub->registry.oldest;
    for (int i = 0; i < tries; i++)
        lose(w);
    if (j->state == JOB_RUNNING) {
        draw(w);
        encoder_answer(w, ERR_OK);
    }
    store_all(w);
    listen_all(w, e);
    state = j->state;
    if (state == JOB_FAILED) HEARD(e, "\"code\":\"out_of_memory\"");
    if (state == JOB_DONE) HEARD(e, "\"type\":\"result\"");
    listener_free(w, e);
    world_free(w);
    return state;
}

static void no_memory_to_encode(struct world *w)
{
    draw(w);
    encoder_answer(w, ERR_OUT_OF_MEMORY);
}

static void no_memory_to_fetch(struct world *w)
{
    struct device_event *n;

    do
        worker_step(w, 10000);
    while (w->dev[0].n_runs > 0);
    while (w->events[w->event_first % WORLD_ORDERS]->kind != RUN_FINISHED)
        event_deliver(w);
    n = w->events[w->event_first % WORLD_ORDERS];
    n->kind = RUN_FAILED;
    fail_set(&n->fail, ERR_OUT_OF_MEMORY, "No memory for the finished picture");
    deliver_all(w);
}

/* catches: a finished picture that is lost as memory was short for a moment; one that is drawn for
 * ever */
static void a_picture_is_drawn_again(void **state)
{
    void (*const LOSE[])(struct world *) = {no_memory_to_encode, no_memory_to_fetch};

    (void)state;
    for (int i = 0; i < 2; i++)
        for (int tries = 0; tries <= HUB_RETRIES_MAX; tries++)
            assert_int_equal(draw_short(tries, LOSE[i]),
                             tries < HUB_RETRIES_MAX ? JOB_DONE : JOB_FAILED);
}

/* catches: a pause (Ctrl+Z, docker pause) that counts as a job's computing time, as silence of a
 * device, or as time that the picture took */
static void a_process_that_stands_still(void **state)
{
    struct world *w = ready_world();
    struct listener *e = listener_new(w);
    struct job *j;

    (void)state;
    w->hub->conf.job_seconds = 5;
    command(w, e, "{\"type\":\"submit\",\"spec\":{\"prompt\":\"x\"}}");
    store_all(w);
    go_on(w, 2);
    j = w->hub->registry.oldest;
    w->now += 1000000000;
    hub_tick(w->hub, w->now); /* the timer is due before the device's next event */
    assert_false(w->hub->devices.at[0].stuck);
    worker_step(w, 1000010000);
    deliver_all(w);
    assert_int_equal(j->state, JOB_RUNNING);
    assert_true(j->run.used_us < 2000000);
    go_on(w, 60);
    store_all(w);
    assert_int_equal(j->state, JOB_DONE);
    assert_true(j->run.spent_us < 5000000);
    listener_free(w, e);
    world_free(w);
}

/* catches: a time limit that a long quantum escapes */
static void a_long_quantum_is_no_pause(void **state)
{
    struct world *w = ready_world();
    struct listener *e = listener_new(w);

    (void)state;
    w->hub->conf.job_seconds = 5;
    command(w, e, "{\"type\":\"submit\",\"spec\":{\"prompt\":\"x\"}}");
    store_all(w);
    go_on(w, 2);
    for (int i = 0; i < 20; i++) {
        w->now += 1000000;
        hub_tick(w->hub, w->now);
    }
    worker_step(w, 20000000);
    deliver_all(w);
    listen_all(w, e);
    store_all(w);
    listen_all(w, e);
    HEARD(e, "\"code\":\"timeout\"");
    listener_free(w, e);
    world_free(w);
}

/* catches: a due time from which nothing can be subtracted (90 jobs wait at start) */
static void many_jobs_wait_at_start(void **state)
{
    struct world *w = ready_world();
    struct listener *e = listener_new(w);

    (void)state;
    w->hub->conf.queue_max = 200;
    for (int i = 0; i < 90; i++)
        command(w, e, "{\"type\":\"submit\",\"spec\":{\"prompt\":\"x\"}}");
    store_all(w);
    world_kill(w, 0);
    world_boot(w);
    worker_open(w);
    deliver_all(w);
    assert_in_range(hub_due(w->hub), 0, w->now);
    for (int i = 0; i < 3; i++)
        hub_tick(w->hub, w->now);
    assert_true(hub_due(w->hub) > w->now);
    e->client = hub_open(w->hub, e, USER_NONE);
    listener_free(w, e);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_result_waits_for_a_full_disk),
        cmocka_unit_test(a_probe_ends_the_refusal),
        cmocka_unit_test(a_row_that_breaks_a_rule_fails_its_job),
        cmocka_unit_test(a_picture_is_drawn_again),
        cmocka_unit_test(a_process_that_stands_still),
        cmocka_unit_test(a_long_quantum_is_no_pause),
        cmocka_unit_test(many_jobs_wait_at_start),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
