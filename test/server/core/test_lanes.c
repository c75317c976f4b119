/* test_lanes - users of one lane share the devices; lanes go one before the other. */
#include "test/sim/level.h"
#include "test/sim/listener.h"

enum { USERS = 4 };

/* Users 1 to USERS of equal weight, one connection each. */
static struct world *shared_world(uint64_t seed, struct listener *e[USERS])
{
    struct world *w = world_new(seed);

    for (int i = 0; i < USERS; i++)
        world_user(w, (const char[]){(char)('a' + i), 0}, ROLE_USER)->lanes = (1U << LANES) - 1;
    assert_int_equal(hub_users(w->hub, w->now, w->users, USERS), 0);
    w->budget = UINT64_MAX / 4;
    w->conf.queue_max = 4096;
    w->hub->conf.queue_max = 4096;
    worker_open(w);
    event_deliver(w);
    for (uint32_t i = 0; i < USERS; i++)
        e[i] = listener_of(w, i + 1);
    return w;
}

static void leave(struct world *w, struct listener *e[USERS])
{
    for (int i = 0; i < USERS; i++)
        listener_free(w, e[i]);
    world_free(w);
}

static struct job *submit(struct world *w, struct listener *e, const char *lane, int side,
                          int steps)
{
    command(w, e,
            "{\"type\":\"submit\",\"watch\":false,\"spec\":{\"prompt\":\"x\",\"width\":%d,"
            "\"height\":%d,"
            "\"steps\":%d,\"lane\":\"%s\"}}",
            side, side, steps, lane);
    return w->hub->registry.newest;
}

/* Device-seconds that an account's jobs have had. */
static double used(const struct world *w, uint32_t user)
{
    double us = 0;

    for (const struct job *j = w->hub->registry.newest; j; j = j->links.older)
        if (j->owner->user.id == user) us += (double)(j->run.used_us + j->share.used_us);
    return us / 1e6;
}

/* catches: a user who gets more than another because there are more, or larger, jobs of it; one who
 * saves up what was not used */
static void users_with_work_waiting_stay_level(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 12; seed++) {
        struct listener *e[USERS];
        struct world *w = shared_world(seed, e);

        w->hub->conf.concurrency = (int)(seed % 4);
        for (int i = 0; i < 600; i++) {
            int who = pick(w, USERS);

            if (chance(w, 0.25))
                for (int n = pick(w, who == 0 ? 12 : 3); n >= 0; n--)
                    submit(w, e[who], chance(w, 0.3) ? "batch" : "normal", 64 << pick(w, 3),
                           4 + pick(w, 40));
            if (chance(w, 0.05) && w->hub->queue.n > 0) {
                const struct job *j = w->hub->queue.at[pick(w, w->hub->queue.n)];

                if (j->state == JOB_QUEUED)
                    command(w, e[j->owner->user.id - 1], "{\"type\":\"cancel\",\"job\":\"%s\"}",
                            hex(j->id));
            }
            turn(w);
            check_level(w, 1);
            for (int k = 0; k < USERS; k++)
                listen_all(w, e[k]);
        }
        leave(w, e);
    }
}

/* catches: a picture that waits for somebody's batch of a hundred; a share that follows the
 * number of jobs and not their device time */
static void a_hundred_jobs_do_not_hold_up_one(void **state)
{
    struct listener *e[USERS];
    struct world *w = shared_world(3, e);
    struct job *small;
    double before;

    (void)state;
    w->hub->conf.concurrency = 1;
    for (int i = 0; i < 100; i++)
        submit(w, e[0], "normal", 256, 20);
    store_all(w);
    for (int i = 0; i < 40; i++)
        turn(w);
    small = submit(w, e[1], "normal", 64, 4);
    store_all(w);
    assert_true(queue_place(&w->hub->queue, small) <= 2);
    while (small->state != JOB_DONE)
        turn(w);
    assert_true(w->hub->accounts.at[1]->waiting > 90);
    for (int i = 0; i < 200; i++) /* from now on the second has small ones without end */
        submit(w, e[1], "normal", 64, 8);
    store_all(w);
    before = used(w, 1) - used(w, 2);
    for (int i = 0; i < 1500; i++)
        turn(w);
    assert_true(w->hub->accounts.at[1]->waiting > 0 && w->hub->accounts.at[2]->waiting > 0);
    assert_true(fabs(used(w, 1) - used(w, 2) - before) <= 2 * largest(w));
    leave(w, e);
}

/* catches: weights that are not kept */
static void weights_say_how_much(void **state)
{
    struct listener *e[USERS];
    struct world *w = shared_world(4, e);

    (void)state;
    w->users[0].weight = 3;
    assert_int_equal(hub_users(w->hub, w->now, w->users, USERS), 0);
    w->hub->conf.concurrency = 1;
    for (int i = 0; i < 200; i++)
        for (int k = 0; k < 2; k++)
            submit(w, e[k], "normal", 128, 10);
    store_all(w);
    for (int i = 0; i < 1500; i++)
        turn(w);
    assert_true(w->hub->accounts.at[1]->waiting > 0);
    assert_true(fabs(used(w, 1) - 3 * used(w, 2)) <= 3 * largest(w));
    leave(w, e);
}

/* catches: a lane that is a mere word; a user whose own jobs change places */
static void lanes_go_one_before_the_other(void **state)
{
    static const char *const LANE[] = {"batch", "normal", "urgent", "normal", "batch"};
    struct listener *e[USERS];
    struct world *w = shared_world(5, e);
    struct job *last = NULL;

    (void)state;
    w->hub->conf.concurrency = 1;
    submit(w, e[2], "normal", 512, 50);
    store_all(w);
    for (int i = 0; i < 5; i++)
        for (int k = 0; k < 2; k++)
            submit(w, e[k], LANE[i], 64 << k, 10);
    store_all(w);
    for (int i = 0; i < w->hub->queue.n; i++) {
        struct job *j = w->hub->queue.at[i];

        assert_true(!last || last->spec.lane <= j->spec.lane);
        assert_true(!last || last->spec.lane != j->spec.lane || last->owner != j->owner
                    || last->order < j->order);
        last = j;
    }
    leave(w, e);
}

/* catches: a quote that puts a job elsewhere than a submit does */
static void a_quote_knows_the_place(void **state)
{
    struct listener *e[USERS];
    struct world *w = shared_world(6, e);
    char place[32];

    (void)state;
    w->hub->conf.concurrency = 1;
    for (int i = 0; i < 20; i++)
        submit(w, e[0], i % 5 ? "normal" : "batch", 256, 20);
    store_all(w);
    for (int i = 0; i < 40; i++)
        turn(w);
    for (int i = 0; i < 6; i++) {
        const char *lane = i % 3 ? "normal" : "batch";
        struct job *j;

        command(w, e[1], "{\"type\":\"quote\",\"spec\":{\"prompt\":\"x\",\"lane\":\"%s\"}}", lane);
        listen_all(w, e[1]);
        j = submit(w, e[1], lane, 256, 4);
        store_all(w);
        snprintf(place, sizeof place, "\"position\":%d,", queue_place(&w->hub->queue, j));
        HEARD(e[1], place);
        listen_all(w, e[1]);
    }
    leave(w, e);
}

/* catches: an urgent job that waits for a place, or for the quanta of others; others that go on
 * while it is drawn */
static void an_urgent_job_takes_the_next_quantum(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct listener *e[USERS];
        struct world *w = shared_world(seed, e);
        struct job *urgent;
        double others;
        int64_t alone;

        w->hub->conf.concurrency = 2;
        for (int i = 0; i < 8; i++)
            submit(w, e[i % 2], i % 3 ? "normal" : "batch", 512, 10 + pick(w, 40));
        store_all(w);
        for (int n = pick(w, 60); n > 0; n--)
            turn(w);
        urgent = submit(w, e[3], "urgent", 256, 20);
        store_all(w);
        turn(w);
        assert_true(urgent->run.used_us > 0);
        others = used(w, 1) + used(w, 2);
        alone = w->now;
        while (urgent->state != JOB_DONE)
            turn(w);
        alone = w->now - alone;
        assert_true(used(w, 1) + used(w, 2) == others);
        assert_true((double)alone <= 1.1 * (double)urgent->run.used_us + 20000);
        leave(w, e);
    }
}

/* catches: work of a displaced job that is thrown away; one that does not come back; viewers who
 * are not told why it waits */
static void what_is_displaced_goes_on_where_it_stood(void **state)
{
    struct listener *e[USERS];
    struct world *w = shared_world(7, e);
    struct job *first, *second, *urgent;
    struct job_plan p;
    double took, left;
    int64_t displaced;

    (void)state;
    first = submit(w, e[0], "normal", 256, 40);
    store_all(w);
    p = first->plan;
    w->hub->devices.at[0].ledger.budget =
        2 * p.cost.run_bytes + p.cost.scratch_bytes + p.scratch_more;
    second = submit(w, e[1], "batch", 256, 40);
    store_all(w);
    command(w, e[1], "{\"type\":\"watch\",\"job\":\"%s\"}", hex(second->id));
    for (int i = 0; i < 30; i++)
        turn(w);
    assert_true(first->state == JOB_RUNNING && second->state == JOB_RUNNING);
    took = second->run.overall;
    listen_all(w, e[1]);
    urgent = submit(w, e[3], "urgent", 256, 10);
    store_all(w);
    assert_int_equal(second->state, JOB_QUEUED); /* of the last lane */
    turn(w);
    turn(w);
    w->now += 300000;
    hub_tick(w->hub, w->now);
    assert_int_equal(urgent->state, JOB_RUNNING);
    listen_all(w, e[1]);
    HEARD(e[1], "\"why\":\"urgent\"");
    displaced = w->now;
    left = (double)(second->forecast.end_us - w->now);
    while (second->state != JOB_DONE) {
        turn(w);
        assert_true(second->run.overall >= took);
    }
    left -= (double)(w->now - displaced);
    MUST(w, fabs(left) < 0.25 * (double)(w->now - displaced), "its end was %f s off", left / 1e6);
    assert_int_equal(truth_of(w, second->id)->starts, 2);
    assert_true(second->run.spent_us >= second->run.used_us + second->share.used_us);
    assert_true(second->run.past_used_us == second->share.used_us);
    /* both have the same picture to draw, and neither has drawn a part twice */
    assert_true(fabs((double)(second->run.used_us + second->share.used_us)
                     - (double)(first->run.used_us + first->share.used_us))
                < 0.02 * (double)first->run.used_us);
    leave(w, e);
}

/* catches: a batch job that waits as long as others come */
static void a_batch_job_has_its_turn_at_last(void **state)
{
    struct listener *e[USERS];
    struct world *w = shared_world(8, e);
    struct job *batch;
    double others;

    (void)state;
    w->hub->conf.concurrency = 1;
    for (int i = 0; i < 3; i++)
        submit(w, e[0], "normal", 128, 10);
    store_all(w);
    batch = submit(w, e[1], "batch", 128, 10);
    store_all(w);
    while (batch->state == JOB_QUEUED) {
        if (w->hub->queue.n < 3) submit(w, e[0], "normal", 128, 10);
        store_all(w);
        turn(w);
    }
    others = used(w, 1);
    while (batch->state != JOB_DONE)
        turn(w);
    others /= used(w, 2);
    MUST(w, others > 14 && others < 21, "%f times its own work was done", others);
    leave(w, e);
}

/* catches: a user who takes more places than it may; one whose waiting jobs hold up the others */
static void a_user_has_so_many_places(void **state)
{
    struct listener *e[USERS];
    struct world *w = shared_world(9, e);

    (void)state;
    w->users[0].running = 1;
    w->users[0].waiting = 30;
    assert_int_equal(hub_users(w->hub, w->now, w->users, USERS), 0);
    w->hub->conf.concurrency = 3;
    for (int i = 0; i < 40; i++)
        submit(w, e[0], "normal", 64, 4);
    store_all(w);
    listen_all(w, e[0]);
    assert_true(count(e[0]->text, "\"code\":\"rate_limited\"") >= 9);
    for (int i = 0; i < 10; i++)
        submit(w, e[1], "normal", 256, 20);
    store_all(w);
    for (int i = 0; i < 200; i++) {
        turn(w);
        assert_true(w->hub->accounts.at[1]->running <= 1);
        if (w->hub->accounts.at[2]->waiting > 2) assert_true(w->hub->accounts.at[2]->running >= 2);
    }
    leave(w, e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(users_with_work_waiting_stay_level),
        cmocka_unit_test(a_hundred_jobs_do_not_hold_up_one),
        cmocka_unit_test(weights_say_how_much),
        cmocka_unit_test(lanes_go_one_before_the_other),
        cmocka_unit_test(a_quote_knows_the_place),
        cmocka_unit_test(an_urgent_job_takes_the_next_quantum),
        cmocka_unit_test(what_is_displaced_goes_on_where_it_stood),
        cmocka_unit_test(a_batch_job_has_its_turn_at_last),
        cmocka_unit_test(a_user_has_so_many_places),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
