/* test_client - answers in order, jobs in turn, text before other jobs' previews,
 * one wake each time that messages wait. */
#include "server/core/client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct scene {
    struct clients clients;
    struct account account;
    struct client *client;
    struct job *job[4];
    int wakes, follows;
};

static struct job *find(void *arg, uint64_t id)
{
    struct scene *s = arg;

    return id >= 1 && id <= 4 ? s->job[id - 1] : NULL;
}

static void wake(void *arg, void *session)
{
    struct scene *s = arg;

    assert_ptr_equal(session, &s->wakes);
    s->wakes++;
}

static void followed(void *arg, struct job *j)
{
    struct scene *s = arg;

    (void)j;
    s->follows++;
}

static int scene_new(void **state)
{
    struct scene *s = calloc(1, sizeof *s);

    assert_non_null(s);
    s->clients = (struct clients){
        .due = INT64_MAX, .find = find, .wake = wake, .followed = followed, .arg = s};
    for (uint64_t i = 0; i < 4; i++) {
        struct spec spec = {.prompt = NULL};

        s->job[i] = job_new(i + 1, &s->account, &spec, 0);
        assert_non_null(s->job[i]);
    }
    s->client = client_open(&s->clients, &s->wakes, &s->account);
    assert_non_null(s->client);
    *state = s;
    return 0;
}

static int scene_free(void **state)
{
    struct scene *s = *state;

    if (s->client) client_close(&s->clients, s->client);
    for (int i = 0; i < 4; i++)
        job_free(s->job[i]);
    free(s);
    return 0;
}

static struct blob *text(const char *t)
{
    return blob_copy(t, strlen(t));
}

/* The next message; "" when there is none. */
static const char *next(struct scene *s, int64_t now)
{
    static char out[256];
    bool binary;
    struct blob *b = client_next(&s->clients, s->client, now, NULL, 0, &binary);

    if (!b) return "";
    snprintf(out, sizeof out, "%s", binary ? "preview" : (const char *)b->data);
    blob_unref(b);
    return out;
}

static void follow(struct scene *s, uint64_t job, uint64_t seq)
{
    struct pending_reply *a = client_reply_new(&s->clients, s->client, "r");

    a->act = REPLY_FOLLOW;
    a->job = job;
    a->seq = seq;
    client_reply_follows(a);
    client_reply_ready(&s->clients, a, text("ok"));
    assert_string_equal(next(s, 0), "ok");
}

static void post_phase(struct scene *s, int job)
{
    struct event e = {.kind = EVENT_PHASE, .u.phase = {PHASE_PRIOR, 9}};

    assert_true(board_post(&s->job[job]->board, &e) > 0);
    clients_posted(&s->clients, s->job[job], 0);
}

static void post_preview(struct scene *s, int job, int64_t now)
{
    struct blob *b = text("image");
    struct board_image im = {.class = s->client->class, .width = 8, .height = 8, .image = b};

    assert_true(board_post_preview(&s->job[job]->board, PHASE_PRIOR, &im, 1) > 0);
    clients_posted(&s->clients, s->job[job], now);
    blob_unref(b);
}

/* catches: a later command's answer that overtakes one that waits for the disk */
static void answers_keep_their_order(void **state)
{
    struct scene *s = *state;
    struct pending_reply *a = client_reply_new(&s->clients, s->client, "1");
    struct pending_reply *b = client_reply_new(&s->clients, s->client, "2");
    struct pending_reply *c = client_reply_new(&s->clients, s->client, "3");

    client_reply_ready(&s->clients, b, text("two"));
    assert_int_equal(s->wakes, 0);
    assert_string_equal(next(s, 0), "");
    client_reply_ready(&s->clients, a, text("one"));
    assert_int_equal(s->wakes, 1);
    assert_string_equal(next(s, 0), "one");
    assert_string_equal(next(s, 0), "two");
    assert_string_equal(next(s, 0), "");
    client_reply_ready(&s->clients, c, text("three"));
    assert_string_equal(next(s, 0), "three");
    assert_int_equal(client_backlog(s->client), 0);
}

/* catches: events of a job before the answer that starts them */
static void following_begins_with_its_answer(void **state)
{
    struct scene *s = *state;
    struct pending_reply *a = client_reply_new(&s->clients, s->client, "1");
    struct pending_reply *b = client_reply_new(&s->clients, s->client, "2");

    post_phase(s, 0);
    b->act = REPLY_FOLLOW;
    b->job = 1;
    client_reply_follows(b);
    client_reply_ready(&s->clients, b, text("two"));
    assert_false(client_follows(s->client, s->job[0]));
    assert_string_equal(next(s, 0), "");
    client_reply_ready(&s->clients, a, text("one"));
    assert_true(client_follows(s->client, s->job[0]));
    assert_string_equal(next(s, 0), "one");
    assert_string_equal(next(s, 0), "two");
    assert_non_null(strstr(next(s, 0), "\"phase\""));
    assert_string_equal(next(s, 0), "");
}

/* catches: one busy job that keeps the others of a connection waiting */
static void jobs_take_turns(void **state)
{
    struct scene *s = *state;
    const char *order[] = {"0000000000000001", "0000000000000002", "0000000000000003",
                           "0000000000000001"};

    for (uint64_t i = 1; i <= 3; i++)
        follow(s, i, 0);
    for (int i = 0; i < 3; i++)
        post_phase(s, i);
    for (int i = 0; i < 4; i++) {
        assert_non_null(strstr(next(s, 0), order[i]));
        if (i < 2) post_phase(s, 0);
    }
    assert_string_equal(next(s, 0), "");
}

/* catches: text that waits behind another job's preview; a preview that is never sent */
static void text_goes_before_the_previews_of_others(void **state)
{
    struct scene *s = *state;

    follow(s, 1, 0);
    follow(s, 2, 0);
    post_preview(s, 0, 0);
    post_phase(s, 1);
    assert_non_null(strstr(next(s, 0), "\"phase\""));
    assert_string_equal(next(s, 0), "preview");
    post_preview(s, 0, 0);
    post_phase(s, 0); /* the same job: in the order of its numbers */
    assert_string_equal(next(s, 0), "preview");
    assert_non_null(strstr(next(s, 0), "\"phase\""));
}

/* catches: a session that is woken for each event, or never again */
static void woken_once_until_it_has_read_to_the_end(void **state)
{
    struct scene *s = *state;
    int before;

    follow(s, 1, 0);
    assert_string_equal(next(s, 0), "");
    before = s->wakes;
    for (int i = 0; i < 5; i++)
        post_phase(s, 0);
    assert_int_equal(s->wakes, before + 1);
    assert_non_null(strstr(next(s, 0), "\"phase\""));
    post_phase(s, 0);
    assert_int_equal(s->wakes, before + 1);
    assert_non_null(strstr(next(s, 0), "\"phase\""));
    assert_string_equal(next(s, 0), "");
    post_phase(s, 0);
    assert_int_equal(s->wakes, before + 2);
    next(s, 0);
}

/* catches: previews faster than asked for, or one that is held back for ever */
static void a_pause_between_previews_is_kept(void **state)
{
    struct scene *s = *state;
    struct command_previews demand = {.every_ms = 100, .max_px = 64, .format = FRAME_PNG};

    client_previews(&s->clients, s->client, &demand);
    follow(s, 1, 0);
    post_preview(s, 0, 5000);
    assert_string_equal(next(s, 5000), "preview");
    post_preview(s, 0, 50000);
    assert_string_equal(next(s, 50000), "");
    assert_int_equal(s->clients.due, 105000);
    clients_tick(&s->clients, 104999);
    assert_string_equal(next(s, 104999), "");
    clients_tick(&s->clients, 105000);
    assert_string_equal(next(s, 105000), "preview");
    demand.format = FRAME_NONE;
    client_previews(&s->clients, s->client, &demand);
    assert_int_equal(s->client->class, -1);
}

/* catches: a job that answers to a connection which has gone */
static void a_closed_peer_leaves_nothing_behind(void **state)
{
    struct scene *s = *state;
    struct pending_reply *a;

    follow(s, 2, 0);
    a = client_reply_new(&s->clients, s->client, "1");
    a->job = 1;
    s->job[0]->waiters = a;
    client_close(&s->clients, s->client);
    s->client = NULL;
    assert_null(s->job[0]->waiters);
    assert_null(s->job[1]->subscriptions);
    assert_null(s->clients.first);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(answers_keep_their_order, scene_new, scene_free),
        cmocka_unit_test_setup_teardown(following_begins_with_its_answer, scene_new, scene_free),
        cmocka_unit_test_setup_teardown(jobs_take_turns, scene_new, scene_free),
        cmocka_unit_test_setup_teardown(text_goes_before_the_previews_of_others, scene_new,
                                        scene_free),
        cmocka_unit_test_setup_teardown(woken_once_until_it_has_read_to_the_end, scene_new,
                                        scene_free),
        cmocka_unit_test_setup_teardown(a_pause_between_previews_is_kept, scene_new, scene_free),
        cmocka_unit_test_setup_teardown(a_closed_peer_leaves_nothing_behind, scene_new, scene_free),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
