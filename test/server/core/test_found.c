/* test_found - a request whose picture is there already is answered with it. */
#include "test/sim/listener.h"

struct stage {
    struct world *w;
    struct listener *ada, *ben;
    uint64_t job; /* ada's, done */
};

static const char REQUEST[] =
    "{\"type\":\"submit\",\"ref\":\"r\",\"spec\":{\"prompt\":\"x\",\"width\":96,"
    "\"seed\":%d%s}%s}";

static void connect(struct stage *s)
{
    s->ada = listener_of(s->w, 1);
    s->ben = listener_of(s->w, 2);
}

static void disconnect(struct stage *s)
{
    listener_free(s->w, s->ada);
    listener_free(s->w, s->ben);
}

/* Ask for a picture; all that is heard until nothing is left to do. */
static const char *submit(struct stage *s, struct listener *e, int seed, const char *field,
                          const char *more)
{
    command(s->w, e, REQUEST, seed, field, more);
    go_on(s->w, 40);
    listen_all(s->w, e);
    return e->text;
}

static struct stage stage_new(void)
{
    struct stage s = {.w = world_new(1)};

    s.w->model = 77;
    worker_open(s.w);
    deliver_all(s.w);
    world_user(s.w, "ada", ROLE_USER);
    world_user(s.w, "ben", ROLE_USER);
    connect(&s);
    submit(&s, s.ada, 5, "", "");
    s.job = newest(s.w);
    NOT_HEARD(s.ada, "cached");
    return s;
}

static void stage_free(struct stage *s)
{
    disconnect(s);
    world_free(s->w);
}

static void restart(struct stage *s, uint64_t model)
{
    disconnect(s);
    world_kill(s->w, 0);
    world_boot(s->w);
    connect(s);
    s->w->model = model;
    worker_open(s->w);
    deliver_all(s->w);
}

static int accepts(const struct stage *s)
{
    return s->w->n_disk;
}

/* catches: a picture that is drawn twice, or shown without its result; an answer that does not say
 * so, or to another request */
static void it_is_answered_from_the_picture(void **state)
{
    struct stage s = stage_new();
    int before = accepts(&s);
    char job[64];

    (void)state;
    snprintf(job, sizeof job, "{\"type\":\"accepted\",\"job\":\"%s\"", hex(s.job));
    submit(&s, s.ada, 5, ",\"lane\":\"batch\"", ",\"key\":\"k2\"");
    assert_non_null(strstr(s.ada->text, job));
    HEARD(s.ada, "\"ref\":\"r\",\"key\":\"k2\"");
    HEARD(s.ada, "\"cached\":true");
    assert_int_equal(count(s.ada->text, "\"type\":\"result\""), 1);
    assert_int_equal(count(s.ada->text, "\"type\":\"end\""), 1);
    submit(&s, s.ada, 5, "", ",\"watch\":false");
    HEARD(s.ada, "\"cached\":true");
    NOT_HEARD(s.ada, "\"type\":\"end\"");
    restart(&s, 77);
    submit(&s, s.ada, 5, "", "");
    HEARD(s.ada, "\"cached\":true");
    assert_int_equal(accepts(&s), before);
    stage_free(&s);
}

static void expect_drawn(struct stage *s, struct listener *e, int seed, const char *field,
                         const char *more)
{
    int before = accepts(s);

    submit(s, e, seed, field, more);
    NOT_HEARD(e, "cached");
    HEARD(e, "\"type\":\"end\"");
    assert_true(accepts(s) > before);
}

/* catches: an old picture where a new one was asked for, or another's */
static void another_request_is_drawn(void **state)
{
    struct stage s = stage_new();

    (void)state;
    expect_drawn(&s, s.ada, 5, "", ",\"fresh\":true");
    expect_drawn(&s, s.ada, 6, "", "");
    expect_drawn(&s, s.ada, -1, "", "");
    expect_drawn(&s, s.ada, -1, "", "");
    expect_drawn(&s, s.ada, 5, ",\"steps\":3", "");
    expect_drawn(&s, s.ada, 5, "", ",\"n\":2");
    expect_drawn(&s, s.ben, 5, "", "");
    restart(&s, 78);
    expect_drawn(&s, s.ada, 5, "", "");
    restart(&s, 0);
    expect_drawn(&s, s.ada, 5, "", "");
    stage_free(&s);
}

/* catches: a result that was deleted, or removed for its age, and is promised all the same */
static void a_picture_that_is_gone_is_drawn_again(void **state)
{
    struct stage s = stage_new();

    (void)state;
    truth_of(s.w, s.job)->disk->file = false;
    expect_drawn(&s, s.ada, 5, "", "");
    submit(&s, s.ada, 5, "", "");
    HEARD(s.ada, "\"cached\":true");
    remove_job(s.w, s.ada, newest(s.w));
    expect_drawn(&s, s.ada, 5, "", "");
    stage_free(&s);
}

/* catches: a job that is not finished and answers for its picture; rights that are not asked for */
static void what_is_not_done_is_not_found(void **state)
{
    struct stage s = stage_new();
    int before = accepts(&s);

    (void)state;
    command(s.w, s.ada, REQUEST, 8, "", "");
    command(s.w, s.ada, REQUEST, 8, "", "");
    go_on(s.w, 60);
    assert_int_equal(accepts(&s), before + 2);
    s.w->users[0].role = ROLE_VIEWER;
    assert_int_equal(hub_users(s.w->hub, s.w->now, s.w->users, s.w->n_users), 0);
    listen_all(s.w, s.ada);
    submit(&s, s.ada, 5, "", "");
    HEARD(s.ada, "\"code\":\"forbidden\"");
    stage_free(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_answered_from_the_picture),
        cmocka_unit_test(another_request_is_drawn),
        cmocka_unit_test(a_picture_that_is_gone_is_drawn_again),
        cmocka_unit_test(what_is_not_done_is_not_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
