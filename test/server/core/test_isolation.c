/* test_isolation - what users of one service see and may do of each other's: nothing. */
#include "test/sim/listener.h"

struct stage {
    struct world *w;
    struct listener *ada, *ben, *viewer, *admin;
};

static struct stage stage_new(void)
{
    struct stage s = {.w = ready_world()};

    world_user(s.w, "ada", ROLE_USER);
    world_user(s.w, "ben", ROLE_USER);
    world_user(s.w, "vera", ROLE_VIEWER);
    world_user(s.w, "root", ROLE_ADMIN);
    s.ada = listener_of(s.w, 1);
    s.ben = listener_of(s.w, 2);
    s.viewer = listener_of(s.w, 3);
    s.admin = listener_of(s.w, 4);
    return s;
}

static void stage_free(struct stage *s)
{
    listener_free(s->w, s->ada);
    listener_free(s->w, s->ben);
    listener_free(s->w, s->viewer);
    listener_free(s->w, s->admin);
    world_free(s->w);
}

/* The job of a submit of this user that has just been accepted. */
static uint64_t submit(struct stage *s, struct listener *of, const char *more)
{
    command(s->w, of, "{\"type\":\"submit\",\"spec\":{\"prompt\":\"a secret\",\"width\":96}%s}",
            more);
    store_all(s->w);
    return newest(s->w);
}

/* Send a message about a job and read what is answered. */
static const char *ask(struct stage *s, struct listener *e, const char *type, uint64_t job)
{
    command(s->w, e, "{\"type\":\"%s\",\"job\":\"%s\"}", type, hex(job));
    listen_all(s->w, e);
    return e->text;
}

/* catches: a message that tells one user of another's job, or changes it */
static void another_users_job_does_not_exist(void **state)
{
    const char *types[] = {"watch", "unwatch", "cancel"};
    struct stage s = stage_new();
    struct listener *others[] = {s.ben, s.viewer};
    uint64_t job = submit(&s, s.ada, "");

    (void)state;
    for (int o = 0; o < 2; o++) {
        for (int i = 0; i < 3; i++) {
            const char *there = ask(&s, others[o], types[i], job);

            assert_non_null(strstr(there, "\"code\":\"not_found\""));
            assert_null(strstr(there, "secret"));
        }
        command(s.w, others[o], "{\"type\":\"list\",\"before\":\"%s\"}", hex(job));
        command(s.w, others[o], "{\"type\":\"list\"}");
        listen_all(s.w, others[o]);
        assert_non_null(strstr(others[o]->text, "not_found"));
        assert_non_null(strstr(others[o]->text, "\"jobs\":[]"));
    }
    go_on(s.w, 40);
    listen_all(s.w, s.ben);
    NOT_HEARD(s.ben, "result");
    assert_non_null(strstr(ask(&s, s.ada, "watch", job), "\"state\":\"done\""));
    stage_free(&s);
}

/* catches: what a user may do that changes too late, a connection that is not told, an
 * administrator of before who goes on seeing others' jobs */
static void a_change_of_a_user_is_in_force(void **state)
{
    struct stage s = stage_new();
    uint64_t job = submit(&s, s.ada, "");
    struct user *admin = NULL;

    (void)state;
    for (int i = 0; i < s.w->n_users; i++)
        if (s.w->users[i].role == ROLE_ADMIN) admin = &s.w->users[i];
    assert_non_null(strstr(ask(&s, s.admin, "watch", job), "\"type\":\"ok\""));
    command(s.w, s.admin, "{\"type\":\"stats\",\"on\":true}");
    listen_all(s.w, s.admin);
    HEARD(s.admin, hex(job));
    assert_int_equal(hub_users(s.w->hub, s.w->now, s.w->users, s.w->n_users), 0);
    listen_all(s.w, s.admin);
    NOT_HEARD(s.admin, "\"type\":\"user\"");
    admin->role = ROLE_USER;
    admin->weight = 2;
    assert_int_equal(hub_users(s.w->hub, s.w->now, s.w->users, s.w->n_users), 0);
    listen_all(s.w, s.admin);
    assert_int_equal(count(s.admin->text, "\"type\":\"user\""), 1);
    HEARD(s.admin, "\"role\":\"user\"");
    go_on(s.w, 40);
    listen_all(s.w, s.admin);
    NOT_HEARD(s.admin, hex(job));
    assert_non_null(strstr(ask(&s, s.admin, "watch", job), "not_found"));
    listen_all(s.w, s.ada);
    HEARD(s.ada, "result");
    NOT_HEARD(s.ada, "\"type\":\"user\"");
    stage_free(&s);
}

/* catches: an administrator who cannot stop a job */
static void an_admin_sees_and_cancels_all(void **state)
{
    struct stage s = stage_new();
    uint64_t job = submit(&s, s.ada, "");

    (void)state;
    command(s.w, s.admin, "{\"type\":\"list\"}");
    listen_all(s.w, s.admin);
    HEARD(s.admin, hex(job));
    assert_non_null(strstr(ask(&s, s.admin, "cancel", job), "\"type\":\"ok\""));
    go_on(s.w, 4);
    listen_all(s.w, s.ada);
    HEARD(s.ada, "\"state\":\"cancelled\"");
    stage_free(&s);
}

/* catches: a viewer who draws; a user in a lane that is not its own */
static void who_may_not_draw_is_told_why(void **state)
{
    struct stage s = stage_new();

    (void)state;
    command(s.w, s.viewer, "{\"type\":\"submit\",\"spec\":{\"prompt\":\"x\"}}");
    command(s.w, s.ada, "{\"type\":\"submit\",\"spec\":{\"prompt\":\"x\",\"lane\":\"urgent\"}}");
    listen_all(s.w, s.viewer);
    listen_all(s.w, s.ada);
    HEARD(s.viewer, "\"code\":\"forbidden\"");
    HEARD(s.ada, "\"field\":\"lane\"");
    assert_null(s.w->hub->registry.newest);
    stage_free(&s);
}

/* catches: a key that finds another user's job, or is taken by it */
static void keys_belong_to_their_users(void **state)
{
    struct stage s = stage_new();
    uint64_t a = submit(&s, s.ada, ",\"key\":\"k\""), b = submit(&s, s.ben, ",\"key\":\"k\"");

    (void)state;
    assert_true(a != b);
    assert_true(submit(&s, s.ada, ",\"key\":\"k\"") == b); /* nothing newer */
    listen_all(s.w, s.ben);
    assert_null(strstr(s.ben->text, hex(a)));
    stage_free(&s);
}

/* catches: statistics that name another's job; one's own without a name */
static void the_queue_is_anonymous(void **state)
{
    struct stage s = stage_new();
    uint64_t a = submit(&s, s.ada, ""), b = submit(&s, s.ben, "");

    (void)state;
    command(s.w, s.ada, "{\"type\":\"stats\"}");
    command(s.w, s.ben, "{\"type\":\"stats\"}");
    command(s.w, s.admin, "{\"type\":\"stats\"}");
    for (int i = 0; i < 30; i++) { /* and those that are pushed */
        s.w->now += 300000;
        go_on(s.w, 1);
        listen_all(s.w, s.ada);
        listen_all(s.w, s.ben);
        listen_all(s.w, s.admin);
        if (i > 2) continue;
        HEARD(s.ada, hex(a));
        assert_null(strstr(s.ada->text, hex(b)));
        assert_null(strstr(s.ben->text, hex(a)));
        HEARD(s.admin, hex(a));
        HEARD(s.admin, hex(b));
    }
    stage_free(&s);
}

static const char *statistics(struct stage *s, struct listener *e)
{
    command(s->w, e, "{\"type\":\"stats\",\"on\":false}");
    listen_all(s->w, e);
    return e->text;
}

/* catches: an administrator who is not told whose job it is; a user who is told; device time that
 * is counted for another user, or for none; others' held jobs among one's own */
static void the_queue_tells_ones_own_share(void **state)
{
    struct stage s = stage_new();
    uint64_t a = submit(&s, s.ada, "");

    (void)state;
    submit(&s, s.ben, ",\"hold\":true");
    go_on(s.w, 200);
    assert_int_equal(registry_find(&s.w->hub->registry, a)->state, JOB_DONE);
    s.w->now += 300000;
    statistics(&s, s.ada);
    HEARD(s.ada, "\"held\":0");
    HEARD(s.ada, "\"window_ms\":600000");
    NOT_HEARD(s.ada, "\"used\":{\"ms\":0");
    statistics(&s, s.ben);
    HEARD(s.ben, "\"held\":1,\"used\":{\"ms\":0");
    NOT_HEARD(s.ben, "\"all_ms\":0");
    for (int i = 0; i < 8; i++)
        submit(&s, i % 2 ? s.ada : s.ben, "");
    statistics(&s, s.admin);
    HEARD(s.admin, "\"user\":\"ada\"");
    HEARD(s.admin, "\"user\":\"ben\"");
    HEARD(s.admin, "\"start_ms\"");
    HEARD(s.admin, "\"why\":\"turn\"");
    statistics(&s, s.ada);
    NOT_HEARD(s.ada, "\"user\"");
    stage_free(&s);
}

/* catches: a removed user whose jobs go on, or who still gets events */
static void a_removed_users_jobs_end(void **state)
{
    struct stage s = stage_new();
    uint64_t a = submit(&s, s.ada, ""), b = submit(&s, s.ben, ""), c = submit(&s, s.ada, "");

    (void)state;
    go_on(s.w, 2);
    assert_int_equal(hub_users(s.w->hub, s.w->now, s.w->users + 1, 3), 0);
    assert_null(hub_open(s.w->hub, &s, 1));
    go_on(s.w, 60);
    assert_int_equal(registry_find(&s.w->hub->registry, a)->state, JOB_CANCELLED);
    assert_int_equal(registry_find(&s.w->hub->registry, c)->state, JOB_CANCELLED);
    assert_int_equal(registry_find(&s.w->hub->registry, b)->state, JOB_DONE);
    assert_non_null(strstr(ask(&s, s.ada, "watch", a), "not_found"));
    stage_free(&s);
}

/* catches: a job that changes its owner, or has none, after a restart; one that is drawn though
 * its user was removed meanwhile */
static void owners_survive_a_restart(void **state)
{
    struct stage s = stage_new();
    uint64_t a = submit(&s, s.ada, ""), b = submit(&s, s.ben, "");

    (void)state;
    world_kill(s.w, 0);
    memmove(s.w->users, s.w->users + 1, 2 * sizeof *s.w->users);
    s.w->n_users = 2; /* ben and vera */
    world_boot(s.w);
    worker_open(s.w);
    s.ada->client = s.viewer->client = s.admin->client = NULL;
    s.ben->client = hub_open(s.w->hub, s.ben, 2);
    go_on(s.w, 60);
    assert_non_null(strstr(ask(&s, s.ben, "watch", b), "\"state\":\"done\""));
    assert_non_null(strstr(ask(&s, s.ben, "watch", a), "not_found"));
    assert_int_equal(registry_find(&s.w->hub->registry, a)->state, JOB_CANCELLED);
    stage_free(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(another_users_job_does_not_exist),
        cmocka_unit_test(an_admin_sees_and_cancels_all),
        cmocka_unit_test(a_change_of_a_user_is_in_force),
        cmocka_unit_test(who_may_not_draw_is_told_why),
        cmocka_unit_test(keys_belong_to_their_users),
        cmocka_unit_test(the_queue_is_anonymous),
        cmocka_unit_test(the_queue_tells_ones_own_share),
        cmocka_unit_test(a_removed_users_jobs_end),
        cmocka_unit_test(owners_survive_a_restart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
