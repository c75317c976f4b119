/* test_resume - jobs that go on from a checkpoint, in the simulated world. */
#include "server/core/lifecycle.h"
#include "test/sim/listener.h"

static const char SUBMIT[] = "{\"type\":\"submit\",\"spec\":{\"prompt\":\"x\",\"steps\":20}}";

static struct job *job_of(struct world *w)
{
    return w->hub->registry.newest;
}

/* A job after 15 quanta of 10 ms; its overall. */
static double half_drawn(struct world *w, struct listener *e)
{
    command(w, e, SUBMIT);
    store_all(w);
    go_on(w, 15);
    assert_true(job_of(w)->run.overall > 0.4 && job_of(w)->run.overall < 0.9);
    return job_of(w)->run.overall;
}

/* Save it now, as its worker does in its own time. */
static void take_checkpoint(struct world *w)
{
    struct fake_device *d = &w->dev[0];

    event_new(w, d, CHECKPOINT_TAKEN, d->runs[0].job)->checkpoint = run_save(&d->runs[0]);
    deliver_all(w);
}

static void start_again(struct world *w, struct listener *e)
{
    world_kill(w, 0);
    e->client = NULL;
    world_boot(w);
    worker_open(w);
    deliver_all(w);
}

static double rate_of(const struct world *w, enum eta_stage stage)
{
    double work = 0, seconds = 0;

    for (int s = 0; s < ETA_SIZES; s++)
        for (int n = 0; n < LIMIT_BATCH; n++) {
            work += w->hub->eta.known.rate[stage][s][n].work;
            seconds += w->hub->eta.known.rate[stage][s][n].seconds;
        }
    return work / seconds;
}

/* catches: a job that begins again although it was saved; progress that begins at 0; a rate that is
 * learnt from the work of an earlier start */
static void a_killed_job_goes_on(void **state)
{
    struct world *w = ready_world();
    struct listener *e = listener_new(w);
    double before = half_drawn(w, e), rate = rate_of(w, ETA_DENOISE);
    int quanta = 0;

    (void)state;
    take_checkpoint(w);
    assert_non_null(truth_of(w, newest(w))->checkpoint);
    start_again(w, e);
    worker_take(w);
    deliver_all(w);
    assert_true(job_of(w)->run.overall >= before);
    go_on(w, 2);
    assert_true(rate_of(w, ETA_DENOISE) < rate * 1.01);
    for (; w->hub->in[JOB_DONE] == 0; quanta++)
        go_on(w, 1);
    assert_in_range(quanta, 1, 15);
    assert_null(truth_of(w, newest(w))->checkpoint); /* goes with the end */
    listener_free(w, e);
    world_free(w);
}

/* catches: a stop that throws away what was drawn, or does not wait until it is saved */
static void a_stop_saves(void **state)
{
    struct world *w = ready_world();
    struct listener *e = listener_new(w);
    double before = half_drawn(w, e);

    (void)state;
    hub_drain(w->hub, w->now);
    assert_false(hub_idle(w->hub));
    worker_take(w);
    deliver_all(w);
    assert_true(hub_idle(w->hub));
    start_again(w, e);
    worker_take(w);
    deliver_all(w);
    assert_true(job_of(w)->run.overall >= before);
    listener_free(w, e);
    world_free(w);
}

/* catches: a checkpoint of a job that is over, which would stay for ever; of one that must not be
 * written */
static void what_is_not_needed_is_not_written(void **state)
{
    struct world *w = ready_world();
    struct listener *e = listener_new(w);
    char cancel[64];

    (void)state;
    half_drawn(w, e);
    blob_unref(truth_of(w, newest(w))->checkpoint);
    truth_of(w, newest(w))->checkpoint = NULL;
    job_of(w)->run.keep = false;
    take_checkpoint(w);
    assert_null(truth_of(w, newest(w))->checkpoint);
    job_of(w)->run.keep = true;
    snprintf(cancel, sizeof cancel, "{\"type\":\"cancel\",\"job\":\"%016llx\"}",
             (unsigned long long)newest(w));
    command(w, e, cancel);
    take_checkpoint(w);
    assert_null(truth_of(w, newest(w))->checkpoint);
    go_on(w, 1);
    assert_int_equal(w->hub->in[JOB_CANCELLED], 1);
    listener_free(w, e);
    world_free(w);
}

/* catches: a picture that was finished before its suspend arrived, and is drawn again */
static void a_suspend_that_comes_too_late(void **state)
{
    struct world *w = ready_world();
    struct listener *e = listener_new(w);

    (void)state;
    command(w, e, SUBMIT);
    store_all(w);
    while (w->hub->in[JOB_SAVING] == 0 && w->picture_first == w->picture_end) {
        struct fake_device *d = &w->dev[0];

        worker_step(w, 10000);
        if (d->n_runs == 0) hub_drain(w->hub, w->now); /* its last quantum is not reported yet */
        deliver_all(w);
    }
    assert_int_equal(w->hub->in[JOB_SAVING], 1);
    encoder_answer(w, ERR_OK);
    store_all(w);
    assert_int_equal(w->hub->in[JOB_DONE], 1);
    assert_true(hub_idle(w->hub));
    listen_all(w, e);
    HEARD(e, "\"state\":\"done\"");
    listener_free(w, e);
    world_free(w);
}

/* catches: a suspended job that goes on from an older checkpoint, as the disk is slow; memory that
 * a checkpoint takes for ever */
static void memory_is_quicker_than_the_disk(void **state)
{
    struct world *w = ready_world();
    struct listener *e = listener_new(w);
    struct job *j;
    struct truth *t;

    (void)state;
    half_drawn(w, e);
    j = job_of(w);
    t = truth_of(w, j->id);
    lifecycle_requeue(w->hub, w->now, j);
    worker_take(w);
    deliver_all(w);
    assert_non_null(t->checkpoint);
    blob_unref(t->checkpoint); /* not written yet */
    t->checkpoint = NULL;
    worker_take(w);
    assert_int_equal(j->state, JOB_RUNNING);
    assert_null(j->run.checkpoint);
    assert_true(w->dev[0].runs[0].view.overall > 0.4);
    deliver_all(w);
    go_on(w, 15);
    assert_int_equal(w->hub->in[JOB_DONE], 1);
    listener_free(w, e);
    world_free(w);
}

/* catches: a job that has its whole time again each time it is suspended */
static void the_time_limit_counts_all_that_it_goes_on_from(void **state)
{
    struct world *w = ready_world();
    struct listener *e = listener_new(w);
    struct job *j;

    (void)state;
    w->hub->conf.job_seconds = 1;
    half_drawn(w, e);
    j = job_of(w);
    j->run.used_us = 980000;
    lifecycle_requeue(w->hub, w->now, j);
    worker_take(w);
    deliver_all(w);
    go_on(w, 15);
    assert_int_equal(j->state, JOB_FAILED);
    assert_int_equal(j->end.error.code, ERR_TIMEOUT);
    listener_free(w, e);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_killed_job_goes_on),
        cmocka_unit_test(a_stop_saves),
        cmocka_unit_test(what_is_not_needed_is_not_written),
        cmocka_unit_test(a_suspend_that_comes_too_late),
        cmocka_unit_test(memory_is_quicker_than_the_disk),
        cmocka_unit_test(the_time_limit_counts_all_that_it_goes_on_from),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
