/* test_limits - how often users and connections may ask, and what they are told beyond that. */
#include "test/sim/listener.h"

#include "server/core/bucket.h"

/* catches: more than the rate in the long run, less than it after a pause, a wait that is too
 * short or too long */
static void a_bucket_keeps_its_rate(void **state)
{
    struct bucket b = {0};
    int64_t now = 5000000, wait;
    int got = 0;

    (void)state;
    for (int i = 0; i < 1000; i++)
        assert_int_equal(bucket_take(&b, now, 0), 0);
    while ((wait = bucket_take(&b, now, 4)) == 0)
        got++;
    assert_int_equal(got, 4 * BUCKET_SECONDS);
    assert_int_equal(wait, 250000);
    assert_true(bucket_take(&b, now + wait - 1, 4) > 0);
    assert_int_equal(bucket_take(&b, now + wait, 4), 0);
    for (got = 0; now < 105000000; now += 10000)
        got += bucket_take(&b, now, 4) == 0;
    assert_in_range(got, 398, 401);
    for (got = 0, now += 1000000000; bucket_take(&b, now, 4) == 0;)
        got++;
    assert_int_equal(got, 4 * BUCKET_SECONDS);
}

#define SUBMIT "{\"type\":\"submit\",\"ref\":\"s\",\"spec\":{\"prompt\":\"x\"}}"

/* How many of n requests in a row are let in. */
static int let_in(struct world *w, struct listener *e, int n)
{
    int in = 0;

    for (int i = 0; i < n; i++) {
        command(w, e, SUBMIT);
        store_all(w);
        listen_all(w, e);
        in += count(e->text, "\"type\":\"accepted\"");
    }
    return in;
}

static uint64_t limited(const struct world *w, enum stats_limit limit)
{
    return w->hub->stats.totals.limited[limit];
}

/* catches: a user who gets more by another connection, or less by another user */
static void submits_are_limited_by_user(void **state)
{
    struct world *w = ready_world();
    struct listener *ada, *again, *ben;

    (void)state;
    w->hub->conf.submits_per_s = 1;
    world_user(w, "ada", ROLE_USER);
    world_user(w, "ben", ROLE_USER);
    ada = listener_of(w, 1);
    again = listener_of(w, 1);
    ben = listener_of(w, 2);
    assert_int_equal(let_in(w, ada, 12), 10);
    HEARD(ada, "\"ref\":\"s\",\"re\":\"submit\",\"code\":\"rate_limited\"");
    HEARD(ada, "\"retry_after_ms\":1000");
    assert_int_equal(let_in(w, again, 1), 0);
    assert_int_equal(let_in(w, ben, 1), 1);
    w->now += 1000000;
    assert_int_equal(let_in(w, again, 2), 1);
    assert_int_equal(limited(w, LIMITED_SUBMITS), 4);
    assert_int_equal(hub_connections(w->hub, 1), 2);
    listener_free(w, again);
    assert_int_equal(hub_connections(w->hub, 1), 1);
    listener_free(w, ada);
    listener_free(w, ben);
    world_free(w);
}

/* catches: without users, one connection that takes what others may; a known key that counts */
static void without_users_by_connection(void **state)
{
    static const char KEY[] =
        "{\"type\":\"submit\",\"key\":\"k\",\"spec\":{\"prompt\":\"x\",\"seed\":1}}";
    struct world *w = ready_world();
    struct listener *a = listener_new(w), *b = listener_new(w);

    (void)state;
    w->hub->conf.submits_per_s = 1;
    command(w, a, KEY);
    assert_int_equal(let_in(w, a, 12), 9 + 1); /* the key's answer is among them */
    command(w, a, KEY);
    listen_all(w, a);
    HEARD(a, "\"type\":\"accepted\"");
    assert_int_equal(let_in(w, b, 1), 1);
    assert_int_equal(hub_connections(w->hub, USER_NONE), 0);
    listener_free(w, a);
    listener_free(w, b);
    world_free(w);
}

/* catches: messages without end; a refusal that does not say of what; another connection that has
 * to wait, too */
static void messages_are_limited_by_connection(void **state)
{
    struct world *w = ready_world();
    struct listener *a = listener_new(w), *b = listener_new(w);

    (void)state;
    w->hub->conf.messages_per_s = 2;
    for (int i = 0; i < 22; i++)
        command(w, a, "{\"type\":\"ping\",\"ref\":\"p%d\"}", i);
    listen_all(w, a);
    assert_int_equal(count(a->text, "\"type\":\"pong\""), 20);
    HEARD(a, "\"ref\":\"p21\",\"re\":\"ping\",\"code\":\"rate_limited\"");
    HEARD(a, "\"retry_after_ms\":500");
    command(w, b, "{\"type\":\"ping\"}");
    listen_all(w, b);
    HEARD(b, "\"type\":\"pong\"");
    w->now += 500000;
    command(w, a, "{\"type\":\"ping\"}");
    listen_all(w, a);
    HEARD(a, "\"type\":\"pong\"");
    assert_int_equal(limited(w, LIMITED_MESSAGES), 2);
    listener_free(w, a);
    listener_free(w, b);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bucket_keeps_its_rate),
        cmocka_unit_test(submits_are_limited_by_user),
        cmocka_unit_test(without_users_by_connection),
        cmocka_unit_test(messages_are_limited_by_connection),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
