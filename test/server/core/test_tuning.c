/* test_tuning - limits that change while the core runs, and what it counts meanwhile. */
#include "test/sim/listener.h"

/* catches: limits that a running server keeps although it was told others */
static void limits_change_while_it_runs(void **state)
{
    struct world *w = ready_world();
    struct listener *e = listener_new(w);
    struct hub_tuning t = {
        .queue_max = 1, .concurrency = 1, .job_seconds = 300, .stuck_seconds = 300};
    struct hub_counts n;

    (void)state;
    hub_counts(w->hub, &n);
    assert_true(n.cap > 1);
    hub_tune(w->hub, w->now, &t);
    hub_counts(w->hub, &n);
    assert_int_equal(n.cap, 1);
    assert_non_null(strstr(hub_why_cap(w->hub), "--concurrency is 1"));
    for (int i = 0; i < 2; i++)
        command(w, e, "{\"type\":\"submit\",\"spec\":{\"prompt\":\"x\"}}");
    store_all(w);
    command(w, e, "{\"type\":\"submit\",\"spec\":{\"prompt\":\"x\"}}");
    listen_all(w, e);
    HEARD(e, "\"code\":\"queue_full\"");
    t.queue_max = 64;
    t.concurrency = 0;
    hub_tune(w->hub, w->now, &t);
    hub_counts(w->hub, &n);
    assert_true(n.cap > 1 && n.running == 2);
    listener_free(w, e);
    world_free(w);
}

/* catches: what is counted twice, not at all, or for another job */
static void what_happened_is_counted(void **state)
{
    struct world *w = ready_world();
    struct listener *e = listener_new(w);
    struct hub_counts n;

    (void)state;
    command(w, e, "{\"type\":\"submit\",\"spec\":{\"prompt\":\"x\",\"width\":1}}");
    command(w, e, "{\"type\":\"submit\",\"spec\":{\"prompt\":\"x\"}}");
    store_all(w);
    hub_counts(w->hub, &n);
    assert_int_equal(n.clients, 1);
    assert_true(n.promised > 0 && n.promised <= n.budget);
    assert_true(n.totals->wait[LANE_NORMAL].n == 1 && n.totals->run[LANE_NORMAL].n == 0);
    assert_true(n.totals->refused[-ERR_BAD_FIELD] == 1 && n.totals->refused[-ERR_QUEUE_FULL] == 0);
    go_on(w, 200);
    hub_counts(w->hub, &n);
    assert_true(n.done == 1 && n.promised == 0);
    assert_true(n.totals->wait[LANE_NORMAL].n == 1 && n.totals->run[LANE_NORMAL].n == 1
                && n.totals->cancel.n == 0);
    assert_true(n.totals->quanta[GLM_DENOISE] > 0 && n.totals->seconds[GLM_DENOISE] > 0);
    listener_free(w, e);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(limits_change_while_it_runs),
        cmocka_unit_test(what_happened_is_counted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
