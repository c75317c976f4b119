/* test_admin - what administrators do to the whole service, and that nobody else does. */
#include "test/sim/listener.h"

struct stage {
    struct world *w;
    struct listener *ada, *admin;
};

/* One device that draws one picture at a time. */
static struct stage stage_new(void)
{
    struct stage s = {.w = ready_world()};

    s.w->hub->conf.concurrency = 1;
    world_user(s.w, "ada", ROLE_USER);
    world_user(s.w, "root", ROLE_ADMIN);
    s.ada = listener_of(s.w, 1);
    s.admin = listener_of(s.w, 2);
    return s;
}

static void stage_free(struct stage *s)
{
    listener_free(s->w, s->ada);
    listener_free(s->w, s->admin);
    world_free(s->w);
}

static uint64_t submit(struct stage *s)
{
    command(s->w, s->ada, "{\"type\":\"submit\",\"spec\":{\"prompt\":\"x\",\"width\":96}}");
    store_all(s->w);
    return newest(s->w);
}

static const char *ask(struct stage *s, struct listener *e, const char *message)
{
    listen_all(s->w, e);
    command(s->w, e, "%s", message);
    listen_all(s->w, e);
    return e->text;
}

#define ANSWERS(said, what) assert_non_null(strstr(said, what))

static enum job_state state_of(const struct stage *s, uint64_t job)
{
    return registry_find(&s->w->hub->registry, job)->state;
}

static int held_by(const struct stage *s, uint32_t user)
{
    const struct notice *out[NOTICE_KINDS];
    uint64_t seq;

    return hub_notices(s->w->hub, user, out, &seq);
}

/* catches: a drain that lets something in or start, does not say so, or does not end in time */
static void a_drain_lets_what_runs_end(void **state)
{
    struct stage s = stage_new();
    uint64_t runs = submit(&s), waits = submit(&s);
    struct hub_counts n;

    (void)state;
    listen_all(s.w, s.ada);
    ANSWERS(ask(&s, s.admin, "{\"type\":\"drain\",\"deadline_ms\":60000}"), "\"re\":\"drain\"");
    HEARD(s.admin, "\"kind\":\"drain\"");
    listen_all(s.w, s.ada);
    HEARD(s.ada, "\"in_ms\":60000");
    HEARD(s.ada, "in 60 s at the latest");
    HEARD(s.ada, "\"why\":\"stopping\"");
    assert_int_equal(held_by(&s, 1), 1);
    hub_counts(s.w->hub, &n);
    assert_true(n.stopping && !hub_stopping(s.w->hub));
    ANSWERS(ask(&s, s.ada, "{\"type\":\"submit\",\"spec\":{\"prompt\":\"x\"}}"),
            "\"code\":\"shutting_down\"");
    HEARD(s.ada, "\"retry_after_ms\":63000");
    go_on(s.w, 60);
    assert_int_equal(state_of(&s, runs), JOB_DONE);
    assert_int_equal(state_of(&s, waits), JOB_QUEUED);
    assert_true(hub_stopping(s.w->hub) && hub_idle(s.w->hub));
    ANSWERS(ask(&s, s.admin, "{\"type\":\"drain\",\"cancel\":true}"), "\"code\":\"conflict\"");
    stage_free(&s);
}

/* catches: a run that goes on beyond the deadline, or is lost by it */
static void its_deadline_saves_what_runs(void **state)
{
    struct stage s = stage_new();
    uint64_t runs = submit(&s);

    (void)state;
    go_on(s.w, 2);
    ask(&s, s.admin, "{\"type\":\"drain\",\"deadline_ms\":100,\"text\":\"a new disk\"}");
    HEARD(s.admin, "\"text\":\"a new disk\"");
    assert_true(hub_due(s.w->hub) <= s.w->now + 100000);
    s.w->now += 100000;
    hub_tick(s.w->hub, s.w->now);
    assert_true(hub_stopping(s.w->hub));
    worker_take(s.w);
    deliver_all(s.w);
    assert_int_equal(state_of(&s, runs), JOB_QUEUED);
    assert_non_null(registry_find(&s.w->hub->registry, runs)->run.checkpoint);
    stage_free(&s);
}

/* catches: a service that stays closed, or a word that stays, after the drain was taken back */
static void it_can_be_taken_back(void **state)
{
    struct stage s = stage_new();
    uint64_t runs = submit(&s), waits = submit(&s);

    (void)state;
    ask(&s, s.admin, "{\"type\":\"drain\",\"deadline_ms\":60000}");
    listen_all(s.w, s.ada);
    ANSWERS(ask(&s, s.admin, "{\"type\":\"drain\",\"cancel\":true}"), "\"re\":\"drain\"");
    listen_all(s.w, s.ada);
    HEARD(s.ada, "\"kind\":\"drain\",\"text\":null");
    assert_int_equal(held_by(&s, 1), 0);
    go_on(s.w, 60);
    assert_int_equal(state_of(&s, runs), JOB_DONE);
    assert_int_equal(state_of(&s, waits), JOB_DONE);
    assert_false(hub_stopping(s.w->hub));
    assert_true(hub_due(s.w->hub) > s.w->now + 1000000);
    ANSWERS(ask(&s, s.ada, "{\"type\":\"submit\",\"ref\":\"a\",\"spec\":{\"prompt\":\"x\"}}"), "");
    store_all(s.w);
    listen_all(s.w, s.ada);
    HEARD(s.ada, "\"type\":\"accepted\"");
    stage_free(&s);
}

/* catches: a word that one connection gets twice or not at all, an old one beside the new one */
static void everybody_is_told_once(void **state)
{
    struct stage s = stage_new();
    struct listener *late;

    (void)state;
    ask(&s, s.admin, "{\"type\":\"notice\",\"text\":\"one\"}");
    ask(&s, s.admin, "{\"type\":\"notice\",\"text\":\"two\"}");
    listen_all(s.w, s.ada);
    NOT_HEARD(s.ada, "\"text\":\"one\"");
    assert_int_equal(count(s.ada->text, "\"text\":\"two\""), 1);
    listen_all(s.w, s.ada);
    NOT_HEARD(s.ada, "notice");
    late = listener_of(s.w, 1);
    listen_all(s.w, late);
    NOT_HEARD(late, "notice"); /* it is in hello */
    assert_int_equal(held_by(&s, 1), 1);
    ask(&s, s.admin, "{\"type\":\"notice\",\"text\":null}");
    listen_all(s.w, late);
    HEARD(late, "\"kind\":\"message\",\"text\":null");
    assert_int_equal(held_by(&s, 1), 0);
    listener_free(s.w, late);
    stage_free(&s);
}

/* catches: a limit that is not in force at once, a cap that is said to be what was asked for, a
 * question that is logged as a change */
static void limits_are_set_by_message(void **state)
{
    struct stage s = stage_new();
    int before = s.w->tuned;

    (void)state;
    ANSWERS(ask(&s, s.admin, "{\"type\":\"set\",\"concurrency\":16,\"queue\":1}"),
            "\"set\":{\"concurrency\":16,\"queue\":1,\"job_seconds\":300}");
    HEARD(s.admin, "fit beside the model");
    assert_true(s.w->tuned > before && capacity_cap(s.w->hub) < 16);
    before = s.w->tuned;
    ANSWERS(ask(&s, s.admin, "{\"type\":\"set\"}"), "\"queue\":1");
    assert_int_equal(s.w->tuned, before); /* who only asks has set nothing */
    ask(&s, s.admin, "{\"type\":\"set\",\"concurrency\":1}");
    HEARD(s.admin, "\"queue\":1");
    HEARD(s.admin, "\"cap\":1,\"why\":\"--concurrency is 1;");
    submit(&s);
    submit(&s);
    ANSWERS(ask(&s, s.ada, "{\"type\":\"submit\",\"spec\":{\"prompt\":\"x\"}}"),
            "\"code\":\"queue_full\"");
    ask(&s, s.admin, "{\"type\":\"set\",\"job_seconds\":5000}");
    assert_true(s.w->hub->conf.stuck_seconds >= 5000);
    stage_free(&s);
}

/* catches: users with numbers that are another's, one that was removed, a line that was read */
static void users_and_log_are_told(void **state)
{
    struct stage s = stage_new();

    (void)state;
    ANSWERS(ask(&s, s.admin, "{\"type\":\"users\",\"ref\":\"u\"}"),
            "\"type\":\"users\",\"ref\":\"u\"");
    HEARD(s.admin, "{\"user\":{\"name\":\"ada\"");
    assert_int_equal(count(s.admin->text, "\"used_ms\":0"), s.w->hub->accounts.users);
    submit(&s);
    submit(&s);
    go_on(s.w, 60);
    ask(&s, s.admin, "{\"type\":\"users\"}");
    assert_true(count(s.admin->text, "\"used_ms\":0") == s.w->hub->accounts.users - 1);
    ANSWERS(ask(&s, s.admin, "{\"type\":\"log\",\"limit\":9}"),
            "{\"seq\":2,\"time_ms\":1767225600124,\"level\":\"info\",\"text\":\"at most 9\"}]");
    HEARD(s.admin, "\"seq\":1,");
    ask(&s, s.admin, "{\"type\":\"log\",\"seq\":1}");
    NOT_HEARD(s.admin, "\"seq\":1,");
    HEARD(s.admin, "at most 50");
    ask(&s, s.admin, "{\"type\":\"log\",\"seq\":2}");
    HEARD(s.admin, "\"lines\":[]");
    stage_free(&s);
}

/* catches: a user who stops the service, or speaks to everybody */
static void others_may_not(void **state)
{
    static const char *const of_admins[] = {"\"drain\",\"deadline_ms\":0",
                                            "\"drain\",\"cancel\":true",
                                            "\"notice\",\"text\":\"x\"",
                                            "\"set\",\"queue\":1",
                                            "\"users\"",
                                            "\"log\"",
                                            "\"pause\"",
                                            "\"resume\""};
    struct stage s = stage_new();
    char message[100];

    (void)state;
    for (size_t i = 0; i < sizeof of_admins / sizeof *of_admins; i++) {
        snprintf(message, sizeof message, "{\"type\":%s}", of_admins[i]);
        ANSWERS(ask(&s, s.ada, message), "\"code\":\"forbidden\"");
    }
    assert_false(s.w->hub->draining || s.w->hub->paused || hub_stopping(s.w->hub));
    assert_int_equal(held_by(&s, 1), 0);
    stage_free(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_drain_lets_what_runs_end),
        cmocka_unit_test(its_deadline_saves_what_runs),
        cmocka_unit_test(it_can_be_taken_back),
        cmocka_unit_test(everybody_is_told_once),
        cmocka_unit_test(limits_are_set_by_message),
        cmocka_unit_test(users_and_log_are_told),
        cmocka_unit_test(others_may_not),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
