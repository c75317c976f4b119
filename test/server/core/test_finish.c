/* test_finish - finish and kept compositions in the simulated world: what is told, when, and how
 * long it takes from then on. */
#include "server/core/lifecycle.h"
#include "test/sim/listener.h"

static struct job *job_of(struct world *w)
{
    return w->hub->registry.newest;
}

static void forget(struct listener *e)
{
    e->text[0] = '\0';
    e->len = 0;
}

/* A job of 200 steps that has done some of them. */
static struct job *some_steps(struct world *w, struct listener *e)
{
    command(w, e, "{\"type\":\"submit\",\"spec\":{\"prompt\":\"x\",\"steps\":200}}");
    store_all(w);
    while (job_of(w)->run.view.phase != GLM_DENOISE || job_of(w)->run.view.done < 5)
        go_on(w, 1);
    listen_all(w, e);
    forget(e);
    return job_of(w);
}

static void finish(struct world *w, struct listener *e, const struct job *j)
{
    command(w, e, "{\"type\":\"finish\",\"ref\":\"f\",\"job\":\"%s\"}", hex(j->id));
    listen_all(w, e);
}

static int64_t left_us(struct world *w, const struct job *j)
{
    hub_tick(w->hub, w->now += HUB_PUSH_US);
    return j->forecast.end_us - w->now;
}

/* catches: an answer before the disk has it, a forecast that still counts the steps that will not
 * be, a picture of all steps */
static void it_is_shorter_at_once(void **state)
{
    struct world *w = ready_world();
    struct listener *e = listener_new(w);
    struct job *j = some_steps(w, e);
    int64_t before = left_us(w, j);

    (void)state;
    finish(w, e, j);
    NOT_HEARD(e, "\"ref\":\"f\"");
    assert_true(left_us(w, j) < before / 10);
    store_all(w);
    listen_all(w, e);
    HEARD(e, "{\"type\":\"ok\",\"ref\":\"f\",\"re\":\"finish\"");
    while (!job_over(j)) {
        go_on(w, 1);
        encoder_answer(w, ERR_OK);
        store_all(w);
    }
    listen_all(w, e);
    HEARD(e, "\"steps_done\":5}");
    HEARD(e, "\"state\":\"done\"");
    listener_free(w, e);
    world_free(w);
}

/* catches: a killed server that draws all steps of a job that was to end early, or forgets the
 * shorter time */
static void a_kill_changes_nothing(void **state)
{
    struct world *w = ready_world();
    struct listener *e = listener_new(w);
    struct job *j = some_steps(w, e);
    uint64_t id = j->id;

    (void)state;
    finish(w, e, j);
    store_all(w);
    world_kill(w, 0);
    e->client = NULL;
    world_boot(w);
    worker_open(w);
    deliver_all(w);
    j = registry_find(&w->hub->registry, id);
    assert_int_equal(j->steps, 5);
    assert_int_equal(j->plan.cost.quanta[GLM_DENOISE], 5);
    while (!job_over(j)) {
        go_on(w, 1);
        encoder_answer(w, ERR_OK);
        store_all(w);
    }
    assert_int_equal(j->end.steps, 5);
    listener_free(w, e);
    world_free(w);
}

/* catches: a disk that refuses the finish, and a client that is told that it was stored, then or
 * when it asks again */
static void a_full_disk_is_told(void **state)
{
    struct world *w = ready_world();
    struct listener *e = listener_new(w);
    struct job *j = some_steps(w, e);

    (void)state;
    finish(w, e, j);
    store_answer(w, false);
    listen_all(w, e);
    HEARD(e, "\"ref\":\"f\",\"re\":\"finish\"");
    HEARD(e, "\"code\":\"io\"");
    for (int again = 0; again < 2; again++) {
        forget(e);
        finish(w, e, j);
        listen_all(w, e);
        NOT_HEARD(e, "\"re\":\"finish\"");
        store_answer(w, again > 0);
        listen_all(w, e);
        HEARD(e, again ? "\"type\":\"ok\"" : "\"code\":\"io\"");
    }
    while (!job_over(j)) {
        go_on(w, 1);
        encoder_answer(w, ERR_OK);
        store_all(w);
    }
    assert_int_equal(j->end.steps, 5); /* in this life it ends early all the same */
    listener_free(w, e);
    world_free(w);
}

/* catches: a finish of nothing; one whose client is gone before the disk answers */
static void what_cannot_be_finished(void **state)
{
    struct world *w = ready_world();
    struct listener *e = listener_new(w);
    struct job *j;

    (void)state;
    command(w, e, "{\"type\":\"submit\",\"spec\":{\"prompt\":\"x\",\"steps\":200}}");
    store_all(w);
    finish(w, e, job_of(w));
    HEARD(e, "\"code\":\"conflict\"");
    HEARD(e, "no denoising step yet");
    command(w, e, "{\"type\":\"cancel\",\"job\":\"%s\"}", hex(job_of(w)->id));
    forget(e);
    finish(w, e, job_of(w));
    HEARD(e, "over already");
    go_on(w, 2);
    store_all(w);
    j = some_steps(w, e);
    finish(w, e, j);
    hub_close(w->hub, w->now, e->client);
    e->client = NULL;
    store_all(w);
    assert_int_equal(j->steps, 5);
    listener_free(w, e);
    world_free(w);
}

static struct job *done(struct world *w, struct listener *e, const char *submit)
{
    struct job *j;

    command(w, e, "%s", submit);
    store_all(w);
    j = job_of(w);
    while (!job_over(j)) {
        go_on(w, 1);
        encoder_answer(w, ERR_OK);
        store_all(w);
    }
    listen_all(w, e);
    forget(e);
    return j;
}

/* catches: a plan, a quote or a phase of a prior that is not drawn; seeds that are not told */
static void a_kept_composition_has_no_prior(void **state)
{
    struct world *w = ready_world();
    struct listener *e = listener_new(w);
    struct job *from, *j;

    (void)state;
    do
        from = done(w, e, "{\"type\":\"submit\",\"spec\":{\"prompt\":\"x\",\"seed\":7}}");
    while (!from->end.kept); /* tokens are lost now and then */
    command(w, e, "{\"type\":\"submit\",\"n\":2,\"spec\":{\"prompt\":\"x\",\"prior_from\":\"%s\"}}",
            hex(from->id));
    store_all(w);
    listen_all(w, e);
    HEARD(e, "\"seed\":7,\"noise_seed\":");
    HEARD(e, "\"sweep\":{\"noise_seed\":[");
    NOT_HEARD(e, "\"error\"");
    j = job_of(w)->sweep->cell[1].job;
    assert_int_equal(j->plan.cost.quanta[GLM_PRIOR], 0);
    assert_true(j->plan.cost.quanta[GLM_DENOISE] > 0);
    assert_int_equal(j->spec.seed, 7);
    assert_int_equal(j->spec.noise_seed, job_of(w)->sweep->cell[0].job->spec.noise_seed + 1);
    listener_free(w, e);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_shorter_at_once),
        cmocka_unit_test(a_kill_changes_nothing),
        cmocka_unit_test(a_full_disk_is_told),
        cmocka_unit_test(what_cannot_be_finished),
        cmocka_unit_test(a_kept_composition_has_no_prior),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
