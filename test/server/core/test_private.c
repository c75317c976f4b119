/* test_private - jobs that are nowhere but in memory, and only for their owner. */
#include "test/sim/listener.h"

struct stage {
    struct world *w;
    struct listener *ada, *ben, *admin;
};

static struct stage stage_new(void)
{
    struct stage s = {.w = ready_world()};

    s.w->hub->conf.concurrency = 1;
    world_user(s.w, "ada", ROLE_USER);
    world_user(s.w, "ben", ROLE_USER);
    world_user(s.w, "root", ROLE_ADMIN);
    s.ada = listener_of(s.w, 1);
    s.ben = listener_of(s.w, 2);
    s.admin = listener_of(s.w, 3);
    return s;
}

static void stage_free(struct stage *s)
{
    listener_free(s->w, s->ada);
    listener_free(s->w, s->ben);
    listener_free(s->w, s->admin);
    world_free(s->w);
}

static uint64_t submit(struct stage *s, const char *more)
{
    command(
        s->w, s->ada,
        "{\"type\":\"submit\",\"private\":true,\"key\":\"k%d\",\"spec\":{\"prompt\":\"a secret\","
        "\"width\":96,\"seed\":7}%s}",
        s->w->n_disk, more);
    store_all(s->w);
    return newest(s->w);
}

static const char *ask(struct stage *s, struct listener *e, const char *type, uint64_t job)
{
    listen_all(s->w, e);
    command(s->w, e, "{\"type\":\"%s\",\"job\":\"%s\"}", type, hex(job));
    listen_all(s->w, e);
    return e->text;
}

#define ANSWERS(said, what) assert_non_null(strstr(said, what))

static struct job *job_of(const struct stage *s, uint64_t job)
{
    return registry_find(&s->w->hub->registry, job);
}

/* catches: an administrator who reads a private prompt, or cannot stop the job; another user who
 * finds out that it is there */
static void an_admin_sees_that_it_is_there(void **state)
{
    struct stage s = stage_new();
    uint64_t job = submit(&s, ",\"hold\":true");

    (void)state;
    listen_all(s.w, s.ada);
    HEARD(s.ada, "\"private\":true");
    HEARD(s.ada, "a secret");
    command(s.w, s.admin, "{\"type\":\"list\"}");
    command(s.w, s.ben, "{\"type\":\"list\"}");
    command(s.w, s.ada, "{\"type\":\"list\"}");
    listen_all(s.w, s.admin);
    HEARD(s.admin, hex(job));
    HEARD(s.admin, "\"private\":true");
    NOT_HEARD(s.admin, "secret");
    NOT_HEARD(s.admin, "\"key\"");
    listen_all(s.w, s.ben);
    NOT_HEARD(s.ben, hex(job));
    listen_all(s.w, s.ada);
    HEARD(s.ada, "a secret");
    ANSWERS(ask(&s, s.admin, "watch", job), "not_found");
    ANSWERS(ask(&s, s.admin, "job", job), "not_found");
    ANSWERS(ask(&s, s.ben, "cancel", job), "not_found");
    ANSWERS(ask(&s, s.admin, "cancel", job), "\"re\":\"cancel\"");
    stage_free(&s);
}

/* catches: a private picture that another user is given, that stays when it was fetched, or that
 * is not there to be fetched; an end that nobody is told, as `result` was enough to fetch it */
static void it_is_gone_when_it_was_fetched(void **state)
{
    struct stage s = stage_new();
    uint64_t job = submit(&s, ""), found = 0;
    const char *digest;

    (void)state;
    go_on(s.w, 60);
    assert_int_equal(job_of(&s, job)->state, JOB_DONE);
    digest = job_of(&s, job)->end.digest;
    assert_null(hub_private(s.w->hub, 2, digest, &found));
    assert_null(hub_private(s.w->hub, 3, digest, &found));
    assert_non_null(hub_private(s.w->hub, 1, digest, &found));
    assert_int_equal(found, job);
    assert_non_null(job_of(&s, job));
    hub_fetched(s.w->hub, s.w->now, job);
    assert_null(hub_private(s.w->hub, 1, digest, &found));
    listen_all(s.w, s.ada);
    ANSWERS(s.ada->text, "\"type\":\"end\"");
    s.w->now += 1000000;
    hub_tick(s.w->hub, s.w->now);
    assert_null(job_of(&s, job));
    ANSWERS(ask(&s, s.ada, "watch", job), "not_found");
    stage_free(&s);
}

/* catches: one that is never fetched and stays */
static void it_is_gone_after_a_time(void **state)
{
    struct stage s = stage_new();
    uint64_t job = submit(&s, ""), plain;
    int64_t over;

    (void)state;
    command(s.w, s.ada, "{\"type\":\"submit\",\"spec\":{\"prompt\":\"x\",\"width\":96}}");
    store_all(s.w);
    plain = newest(s.w);
    go_on(s.w, 100);
    listen_all(s.w, s.ada);
    over = job_of(&s, job)->end.until_us;
    assert_true(over > s.w->now && hub_due(s.w->hub) <= over);
    s.w->now = over - 1;
    hub_tick(s.w->hub, s.w->now);
    assert_non_null(job_of(&s, job));
    s.w->now = over;
    hub_tick(s.w->hub, s.w->now);
    assert_null(job_of(&s, job));
    assert_int_equal(job_of(&s, plain)->state, JOB_DONE);
    assert_null(job_of(&s, plain)->end.file);
    stage_free(&s);
}

/* catches: a stop that keeps private jobs, or waits for ever for them; a restart that has one */
static void a_stop_ends_them(void **state)
{
    struct stage s = stage_new();
    uint64_t runs = submit(&s, ""), waits = submit(&s, ""), plain;

    (void)state;
    command(s.w, s.ada, "{\"type\":\"submit\",\"spec\":{\"prompt\":\"x\",\"width\":96}}");
    store_all(s.w);
    plain = newest(s.w);
    go_on(s.w, 2);
    listen_all(s.w, s.ada);
    hub_drain(s.w->hub, s.w->now);
    worker_take(s.w);
    deliver_all(s.w);
    store_all(s.w);
    assert_true(hub_idle(s.w->hub));
    listen_all(s.w, s.ada);
    assert_int_equal(count(s.ada->text, "\"code\":\"shutting_down\""), 2);
    assert_true(job_over(job_of(&s, runs)) && job_over(job_of(&s, waits)));
    world_kill(s.w, 0);
    world_boot(s.w);
    assert_null(job_of(&s, runs));
    assert_non_null(job_of(&s, plain));
    free(s.ada);
    free(s.ben);
    free(s.admin);
    world_free(s.w);
}

/* catches: a key that hands a private job to a request that is none, or the reverse */
static void a_key_tells_them_apart(void **state)
{
    static const char SUBMIT[] =
        "{\"type\":\"submit\",\"private\":%s,\"key\":\"k\",\"spec\":{\"prompt\":\"x\",\"seed\":1}}";
    struct stage s = stage_new();
    char text[200];

    (void)state;
    for (int i = 0; i < 3; i++) {
        snprintf(text, sizeof text, SUBMIT, i == 1 ? "false" : "true");
        command(s.w, s.ada, "%s", text);
        store_all(s.w);
        listen_all(s.w, s.ada);
        ANSWERS(s.ada->text, i == 1 ? "\"code\":\"conflict\"" : "\"type\":\"accepted\"");
    }
    stage_free(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_admin_sees_that_it_is_there),
        cmocka_unit_test(it_is_gone_when_it_was_fetched),
        cmocka_unit_test(it_is_gone_after_a_time),
        cmocka_unit_test(a_stop_ends_them),
        cmocka_unit_test(a_key_tells_them_apart),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
