/* test_device - devices: cap, memory, failures, watchdog, time limit, drain, in the simulated
 * world. */
#include "test/sim/listener.h"

/* What is told of the only or another device, in parts. */
static const struct cap_device *told(const struct world *w, int device)
{
    struct concurrency c;

    hub_concurrency(w->hub, &c);
    assert_string_equal(c.why, hub_why_cap(w->hub));
    assert_true(device < c.devices);
    return c.device[device];
}

/* catches: more jobs on the device than its cap, and a wait without its reason */
static void a_place_says_why_it_waits(void **state)
{
    struct world *w = ready_world();
    struct listener *e = listener_new(w);

    (void)state;
    assert_int_equal(w->hub->devices.at[0].cap, 4);
    assert_non_null(strstr(hub_why_cap(w->hub), "4 pictures of 256x256 fit"));
    assert_int_equal(told(w, 0)->why, CAP_MEMORY);
    assert_int_equal(told(w, 0)->fits, 4);
    assert_int_equal(told(w, 0)->width, 256);
    assert_int_equal(told(w, 0)->height, 256);
    assert_true(told(w, 0)->bytes == w->budget && told(w, 0)->picture_bytes * 4 <= w->budget);
    for (int i = 0; i < 6; i++)
        command(w, e, "{\"type\":\"submit\",\"spec\":{\"prompt\":\"x\"}}");
    store_all(w);
    go_on(w, 1);
    listen_all(w, e);
    assert_int_equal(w->hub->devices.at[0].n_resident, 4);
    HEARD(e, "\"position\":1,\"ahead\":4,");
    HEARD(e, "\"position\":2,\"ahead\":5,");
    HEARD(e, "\"why\":\"slots\"");
    HEARD(e, "\"why\":\"turn\"");
    listener_free(w, e);
    world_free(w);
}

/* catches: a first estimate that does not know what kind of device it is for; one that forgets what
 * it guessed when another device cannot say */
static void a_device_says_how_fast_it_is(void **state)
{
    struct world *w = world_new(1);
    struct device_event n = {.kind = DEVICE_READY, .budget = w->budget, .rate = 3e11};

    (void)state;
    hub_device_event(w->hub, w->now, &n);
    assert_true(eta_rate(&w->hub->eta, ETA_DENOISE, 0, 1, 1) > 2.9e11);
    n.rate = 0;
    hub_device_event(w->hub, w->now, &n);
    assert_true(eta_rate(&w->hub->eta, ETA_DENOISE, 0, 1, 1) < 3.1e11);
    assert_true(eta_rate(&w->hub->eta, ETA_DENOISE, 0, 1, 1) > 2.9e11);
    world_free(w);
}

/* catches: a cap that ignores --concurrency or the device's useful batch, or that has no reason */
static void the_cap_says_why(void **state)
{
    struct world *w = world_new(1);
    struct device_event n = {.kind = DEVICE_READY, .budget = w->budget, .batch_useful = 2};

    (void)state;
    assert_int_equal(told(w, 0)->why, CAP_STARTING);
    hub_device_event(w->hub, w->now, &n);
    assert_int_equal(w->hub->devices.at[0].cap, 2);
    assert_int_equal(told(w, 0)->why, CAP_USEFUL);
    assert_int_equal(told(w, 0)->cap, 2);
    assert_int_equal(told(w, 0)->fits, 4);
    assert_non_null(strstr(hub_why_cap(w->hub), "more than 2 would only slow"));
    w->hub->conf.concurrency = 3; /* asked for: against that, not against memory */
    hub_device_event(w->hub, w->now, &n);
    assert_int_equal(w->hub->devices.at[0].cap, 3);
    assert_non_null(strstr(hub_why_cap(w->hub), "--concurrency is 3; 4 pictures"));
    assert_int_equal(told(w, 0)->why, CAP_OPTION);
    w->hub->conf.concurrency = 9;
    hub_device_event(w->hub, w->now, &n);
    assert_int_equal(w->hub->devices.at[0].cap, 4);
    assert_int_equal(told(w, 0)->why, CAP_MEMORY);
    n.budget = 1;
    hub_device_event(w->hub, w->now, &n);
    assert_int_equal(w->hub->devices.at[0].cap, 1);
    n.budget = UINT64_MAX;
    n.batch_useful = w->hub->conf.concurrency = 0;
    hub_device_event(w->hub, w->now, &n);
    assert_int_equal(w->hub->devices.at[0].cap, LIMIT_BATCH);
    assert_non_null(strstr(hub_why_cap(w->hub), "share one batch"));
    assert_int_equal(told(w, 0)->why, CAP_BATCH);
    world_free(w);
}

/* catches: a large job that starts beside others although there is no room, or is overtaken */
static void a_large_job_waits_for_memory_in_its_place(void **state)
{
    struct world *w = ready_world();
    struct listener *e = listener_new(w);

    (void)state;
    command(w, e, "{\"type\":\"submit\",\"spec\":{\"prompt\":\"x\"}}");
    command(w, e, "{\"type\":\"submit\",\"spec\":{\"prompt\":\"x\",\"width\":480,\"height\":480}}");
    command(w, e, "{\"type\":\"submit\",\"spec\":{\"prompt\":\"x\",\"steps\":1}}");
    store_all(w);
    listen_all(w, e);
    assert_int_equal(w->hub->devices.at[0].n_resident, 1);
    HEARD(e, "\"why\":\"memory\"");
    go_on(w, 60);
    assert_int_equal(w->hub->in[JOB_DONE], 3);
    listener_free(w, e);
    world_free(w);
}

/* catches: a failing job that takes others with it; a device that stays oversubscribed */
static void out_of_memory_fails_one_and_lowers_the_cap(void **state)
{
    struct world *w = ready_world();
    struct listener *e = listener_new(w);

    (void)state;
    for (int i = 0; i < 3; i++)
        command(w, e, "{\"type\":\"submit\",\"spec\":{\"prompt\":\"x\"}}");
    store_all(w);
    go_on(w, 2);
    worker_device_fails(w, ERR_OUT_OF_MEMORY, 3);
    deliver_all(w);
    store_all(w);
    w->now += 250000;
    hub_tick(w->hub, w->now);
    listen_all(w, e);
    assert_int_equal(count(e->text, "\"type\":\"end\""), 1);
    HEARD(e, "\"code\":\"out_of_memory\"");
    HEARD(e, "Ask for 160x160 or less");
    assert_int_equal(told(w, 0)->why, CAP_FAILED);
    assert_true(*told(w, 0)->message);
    HEARD(e, "\"why\":\"device\"");
    assert_int_equal(w->hub->in[JOB_QUEUED], 2);
    worker_open(w);
    deliver_all(w);
    assert_int_equal(w->hub->devices.at[0].cap, 2);
    assert_non_null(strstr(hub_why_cap(w->hub), "out of memory"));
    assert_int_equal(told(w, 0)->why, CAP_LOWERED);
    assert_int_equal(told(w, 0)->cap, 2);
    go_on(w, 40);
    assert_int_equal(w->hub->in[JOB_DONE], 2);
    listener_free(w, e);
    world_free(w);
}

/* catches: an overall that jumps back when a run has to begin again */
static void overall_never_goes_back_when_the_device_is_lost(void **state)
{
    struct world *w = ready_world();
    struct listener *e = listener_new(w);
    double before;

    (void)state;
    command(w, e, "{\"type\":\"submit\",\"spec\":{\"prompt\":\"x\",\"steps\":20}}");
    store_all(w);
    go_on(w, 15);
    before = w->hub->registry.newest->run.overall;
    assert_true(before > 0.4);
    worker_device_fails(w, ERR_DEVICE, 0); /* no job is a suspect */
    worker_open(w);
    deliver_all(w);
    go_on(w, 1);
    assert_true(w->hub->registry.newest->run.overall >= before);
    go_on(w, 10); /* and it moves on from there */
    assert_true(w->hub->registry.newest->run.overall > before + 0.05);
    go_on(w, 40);
    assert_int_equal(w->hub->in[JOB_DONE], 1);
    listener_free(w, e);
    world_free(w);
}

/* catches: a stuck device that blocks the service for ever, or whose late answer confuses it */
static void the_watchdog_fails_a_stuck_job(void **state)
{
    struct world *w = ready_world();
    struct listener *e = listener_new(w);

    (void)state;
    command(w, e, "{\"type\":\"submit\",\"spec\":{\"prompt\":\"x\"}}");
    command(w, e, "{\"type\":\"submit\",\"spec\":{\"prompt\":\"y\"}}");
    store_all(w);
    go_on(w, 2);
    w->busy_jobs[0] = w->hub->registry.oldest->id;
    w->n_busy = 1;
    assert_true(hub_due(w->hub) < INT64_MAX);
    for (int i = 0; i < 61; i++) {
        if (i < 59) assert_true(hub_due(w->hub) <= w->now + 1000000);
        w->now += 1000000;
        hub_tick(w->hub, w->now);
    }
    store_all(w);
    listen_all(w, e);
    assert_int_equal(count(e->text, "\"code\":\"device\""), 1);
    assert_int_equal(w->hub->in[JOB_QUEUED], 1);
    go_on(w, 40); /* it answers after all */
    assert_int_equal(w->hub->in[JOB_DONE], 1);
    assert_int_equal(w->hub->in[JOB_FAILED], 1);
    listener_free(w, e);
    world_free(w);
}

/* catches: a job that may use the device for ever */
static void a_job_has_a_time_limit(void **state)
{
    struct world *w = ready_world();
    struct listener *e = listener_new(w);

    (void)state;
    w->hub->conf.job_seconds = 1;
    command(w, e, "{\"type\":\"submit\",\"spec\":{\"prompt\":\"x\",\"steps\":200}}");
    store_all(w);
    go_on(w, 99);
    listen_all(w, e);
    NOT_HEARD(e, "timeout");
    go_on(w, 2);
    listen_all(w, e);
    HEARD(e, "\"code\":\"timeout\"");
    worker_take(w);
    assert_int_equal(w->dev[0].n_runs, 0);
    listener_free(w, e);
    world_free(w);
}

/* catches: work that is lost, or clients that are not told why it waits, when the server stops */
static void drain_requeues_and_says_so(void **state)
{
    struct world *w = ready_world();
    struct listener *e = listener_new(w);

    (void)state;
    for (int i = 0; i < 6; i++)
        command(w, e, "{\"type\":\"submit\",\"spec\":{\"prompt\":\"x\"}}");
    store_all(w);
    go_on(w, 2);
    listen_all(w, e);
    hub_drain(w->hub, w->now);
    listen_all(w, e);
    assert_int_equal(count(e->text, "\"why\":\"stopping\""), 6);
    assert_false(hub_idle(w->hub));
    worker_take(w);
    deliver_all(w);
    assert_true(hub_idle(w->hub));
    command(w, e, "{\"type\":\"submit\",\"spec\":{\"prompt\":\"x\"}}");
    listen_all(w, e);
    HEARD(e, "\"code\":\"shutting_down\"");
    world_kill(w, 0);
    world_boot(w);
    assert_int_equal(w->hub->queue.n, 6);
    e->client = NULL;
    listener_free(w, e);
    world_free(w);
}

static struct world *two_devices(void)
{
    struct world *w = world_new(1);

    world_devices(w, 2);
    for (int i = 0; i < 2; i++)
        worker_open_on(w, &w->dev[i]);
    deliver_all(w);
    return w;
}

/* catches: a second device that idles while jobs wait, a job that is on both, a cap that counts
 * one */
static void two_devices_share_the_queue(void **state)
{
    struct world *w = two_devices();
    struct listener *e = listener_new(w);
    struct hub_counts n;

    (void)state;
    hub_counts(w->hub, &n);
    assert_int_equal(n.cap, 8);
    assert_non_null(strstr(hub_why_cap(w->hub), "device 0: 4; 4 pictures"));
    assert_non_null(strstr(hub_why_cap(w->hub), "device 1: 4; 4 pictures"));
    for (int i = 0; i < 10; i++)
        command(w, e, "{\"type\":\"submit\",\"spec\":{\"prompt\":\"x\"}}");
    store_all(w);
    for (int i = 0; i < 2; i++)
        assert_int_equal(w->hub->devices.at[i].n_resident, 4);
    go_on(w, 1);
    listen_all(w, e);
    HEARD(e, "\"position\":1,\"ahead\":8,");
    go_on(w, 80);
    assert_int_equal(w->hub->in[JOB_DONE], 10);
    w->hub->conf.concurrency = 3; /* on all devices together */
    for (int i = 0; i < 5; i++)
        command(w, e, "{\"type\":\"submit\",\"spec\":{\"prompt\":\"x\"}}");
    store_all(w);
    assert_int_equal(devices_residents(&w->hub->devices), 3);
    listener_free(w, e);
    world_free(w);
}

/* catches: a broken device that stops the other one, jobs that wait for it, a reason that does not
 * name it */
static void a_device_that_is_away_leaves_its_work_to_others(void **state)
{
    struct world *w = two_devices();
    struct listener *e = listener_new(w);
    struct device_event away = {.kind = DEVICE_LOST, .device = 1, .batch = 3};
    struct hub_counts n;

    (void)state;
    fail_set(&away.fail, ERR_DEVICE, "it fell off the bus");
    for (int i = 0; i < 4; i++)
        command(w, e, "{\"type\":\"submit\",\"spec\":{\"prompt\":\"x\"}}");
    store_all(w);
    go_on(w, 2);
    worker_fails_on(w, &w->dev[1], ERR_DEVICE, 1);
    deliver_all(w);
    store_all(w);
    assert_int_equal(w->hub->in[JOB_FAILED],
                     1); /* the newest of its quantum, as if it were the cause */
    listen_all(w, e);
    HEARD(e, "Ask for 160x160 or less");
    assert_int_equal(w->hub->devices.at[0].n_resident, 3);
    assert_int_equal(w->hub->devices.at[1].n_resident, 0);
    hub_device_event(w->hub, w->now, &away);
    hub_counts(w->hub, &n);
    assert_true(n.ready && n.cap == 4);
    assert_non_null(
        strstr(hub_why_cap(w->hub), "device 1: the device does not come back (tried 3 times)"));
    assert_int_equal(told(w, 0)->why, CAP_MEMORY);
    assert_int_equal(told(w, 1)->why, CAP_LOST);
    assert_int_equal(told(w, 1)->tries, 3);
    assert_string_equal(told(w, 1)->message, "it fell off the bus");
    go_on(w, 60);
    assert_int_equal(w->hub->in[JOB_DONE], 3);

    worker_device_fails(w, ERR_DEVICE, 0); /* now there is none */
    deliver_all(w);
    command(w, e, "{\"type\":\"submit\",\"spec\":{\"prompt\":\"x\"}}");
    store_all(w);
    w->now += 250000;
    hub_tick(w->hub, w->now);
    listen_all(w, e);
    HEARD(e, "\"why\":\"device\"");
    worker_open_on(w, &w->dev[1]);
    deliver_all(w);
    go_on(w, 60);
    assert_int_equal(w->hub->in[JOB_DONE], 4);
    listener_free(w, e);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_place_says_why_it_waits),
        cmocka_unit_test(a_device_says_how_fast_it_is),
        cmocka_unit_test(the_cap_says_why),
        cmocka_unit_test(a_large_job_waits_for_memory_in_its_place),
        cmocka_unit_test(out_of_memory_fails_one_and_lowers_the_cap),
        cmocka_unit_test(overall_never_goes_back_when_the_device_is_lost),
        cmocka_unit_test(the_watchdog_fails_a_stuck_job),
        cmocka_unit_test(a_job_has_a_time_limit),
        cmocka_unit_test(drain_requeues_and_says_so),
        cmocka_unit_test(two_devices_share_the_queue),
        cmocka_unit_test(a_device_that_is_away_leaves_its_work_to_others),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
