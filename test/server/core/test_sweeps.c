/* test_sweeps - one job of many pictures: its cells, its events, its end, over restarts too. */
#include "test/sim/listener.h"

#include <jansson.h>

static const char SWEEP[] =
    "{\"type\":\"submit\",\"ref\":\"s\",\"key\":\"k\",\"spec\":{\"prompt\":\"x\","
    "\"width\":96,\"seed\":7},\"sweep\":{\"steps\":[1,6],\"seed\":2}%s}";
enum { CELLS = 4 };

struct stage {
    struct world *w;
    struct listener *ada, *ben;
    uint64_t sweep, cell[CELLS];
};

static void connect(struct stage *s)
{
    s->ada = listener_of(s->w, 1);
    s->ben = listener_of(s->w, 2);
}

/* One device that draws one picture at a time. */
static struct stage stage_new(void)
{
    struct stage s = {.w = ready_world()};

    s.w->hub->conf.concurrency = s.w->conf.concurrency = 1;
    world_user(s.w, "ada", ROLE_USER);
    world_user(s.w, "ben", ROLE_USER);
    connect(&s);
    return s;
}

static void disconnect(struct stage *s)
{
    listener_free(s->w, s->ada);
    listener_free(s->w, s->ben);
    s->ada = s->ben = NULL;
}

static void stage_free(struct stage *s)
{
    disconnect(s);
    world_free(s->w);
}

/* The process is killed, and starts again with an open device. */
static void restart(struct stage *s)
{
    disconnect(s);
    world_kill(s->w, 0);
    world_boot(s->w);
    connect(s);
    worker_open(s->w);
    deliver_all(s->w);
    store_all(s->w);
}

static struct job *job_of(const struct stage *s, uint64_t id)
{
    return registry_find(&s->w->hub->registry, id);
}

static void submit(struct stage *s, const char *more)
{
    command(s->w, s->ada, SWEEP, more);
    store_all(s->w);
    s->sweep = newest(s->w);
    for (int i = 0; i < CELLS; i++)
        s->cell[i] = job_of(s, s->sweep)->sweep->cell[i].kept.job;
}

static const char *ask(struct stage *s, struct listener *e, const char *message)
{
    listen_all(s->w, e);
    command(s->w, e, "%s", message);
    listen_all(s->w, e);
    return e->text;
}

static const char *ask_about(struct stage *s, struct listener *e, const char *type, uint64_t job)
{
    char text[128];

    snprintf(text, sizeof text, "{\"type\":\"%s\",\"job\":\"%s\"}", type, hex(job));
    return ask(s, e, text);
}

static void expect_heard(const struct listener *e, const char *format, ...)
{
    char text[1024];
    va_list ap;

    va_start(ap, format);
    vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    if (!strstr(e->text, text)) fail_msg("not heard: %s\nbut: %s", text, e->text);
}

#define ANSWERS(said, what) assert_non_null(strstr(said, what))

/* catches: cells in another order, with other values, or that are not jobs; a sweep that is drawn
 * or counted itself */
static void cells_are_jobs_in_the_order_that_is_written(void **state)
{
    static const int steps[CELLS] = {1, 1, 6, 6}, seeds[CELLS] = {7, 8, 7, 8};
    struct stage s = stage_new();

    (void)state;
    submit(&s, "");
    listen_all(s.w, s.ada);
    expect_heard(s.ada,
                 "\"sweep\":{\"steps\":[1,6],\"seed\":[7,8]},\"cells\":[\"%s\",\"%s\",\"%s\",",
                 hex(s.cell[0]), hex(s.cell[1]), hex(s.cell[2]));
    for (int i = 0; i < CELLS; i++) {
        const struct job *j = job_of(&s, s.cell[i]);

        assert_int_equal(j->spec.steps, steps[i]);
        assert_int_equal(j->spec.seed, seeds[i]);
        assert_int_equal(j->order, i + 1);
        ask_about(&s, s.ada, "watch", s.cell[i]);
        expect_heard(s.ada, "\"parent\":\"%s\",\"cell\":%d,\"at\":[%d,%d]}", hex(s.sweep), i, i / 2,
                     i % 2);
    }
    assert_int_equal(s.w->hub->in[JOB_QUEUED] + s.w->hub->in[JOB_RUNNING], CELLS);
    assert_int_equal(s.w->hub->accounts.at[1]->waiting, CELLS - 1);
    go_on(s.w, 100);
    assert_int_equal(s.w->hub->stats.done, CELLS);
    stage_free(&s);
}

/* One quantum and what follows from it, but for the disk. */
static void quantum(struct world *w)
{
    w->now += 10000;
    worker_step(w, 10000);
    deliver_all(w);
    while (w->picture_first != w->picture_end)
        encoder_answer(w, ERR_OK);
    hub_tick(w->hub, w->now);
}

/* catches: a viewer who does not hear of a cell, or of the end, or hears of it twice; a progress
 * that falls, or counts a picture of one step like one of six */
static void its_viewers_hear_of_each_cell(void **state)
{
    struct stage s = stage_new();
    char *all = calloc(1, 1 << 20);
    double last = -1, half = 0;
    size_t len = 0;

    (void)state;
    assert_non_null(all);
    submit(&s, "");
    while (!strstr(all, "\"type\":\"end\"")) {
        listen_all(s.w, s.ada);
        assert_true(len + s.ada->len < 1 << 20);
        memcpy(all + len, s.ada->text, s.ada->len + 1);
        len += s.ada->len;
        if (s.w->write_first != s.w->write_end)
            store_answer(s.w, true);
        else
            quantum(s.w);
    }
    for (char *rest = all, *line; (line = strtok_r(NULL, "\n", &rest));) {
        json_t *m = json_loads(line, 0, NULL);
        double now = json_number_value(json_object_get(m, "overall"));

        assert_non_null(strstr(line, hex(s.sweep)));
        if (strstr(line, "\"type\":\"progress\"")) {
            assert_true(now >= last);
            last = now;
            if (json_integer_value(json_object_get(m, "done")) == 2 && half <= 0) half = now;
            assert_null(json_object_get(m, "phase"));
        }
        json_decref(m);
        line[strlen(line)] = '\n'; /* for the counts below */
    }
    assert_true(half > 0.05 && half < 0.45);
    for (int i = 0; i < CELLS; i++) {
        char text[64];

        snprintf(text, sizeof text, "\"cell\":%d,\"state\":\"running\"", i);
        assert_int_equal(count(all, text), 1);
        snprintf(text, sizeof text, "\"cell\":%d,\"state\":\"done\",\"result\":{\"url\":\"/i/", i);
        assert_int_equal(count(all, text), 1);
    }
    assert_int_equal(count(all, "\"type\":\"end\""), 1);
    assert_int_equal(count(all, "\"counts\":{\"cells\":4,\"done\":4,\"failed\":0,\"cancelled\":0}"),
                     1);
    assert_int_equal(count(all, "\"state\":\"done\",\"url\":\"/i/"), CELLS);
    free(all);
    stage_free(&s);
}

static void expect_nothing(const struct stage *s)
{
    assert_int_equal(s->w->hub->registry.n, 0);
    assert_int_equal(s->w->hub->queue.n, 0);
    assert_int_equal(s->w->write_first, s->w->write_end);
    assert_null(s->w->hub->sweeps);
    assert_int_equal(s->w->hub->accounts.at[1]->waiting, 0);
}

/* catches: a sweep of which a part is accepted; an error that does not say which cell it is */
static void it_is_refused_as_a_whole(void **state)
{
    struct stage s = stage_new();
    static const char FIELDS[] = "{\"type\":\"submit\",\"spec\":{\"prompt\":\"x\"},\"sweep\":%s%s}";
    char text[256];

    (void)state;
    snprintf(text, sizeof text, FIELDS, "{\"seed\":99}", "");
    ANSWERS(ask(&s, s.ada, text), "\"code\":\"queue_full\"");
    snprintf(text, sizeof text, FIELDS, "{\"prompt\":[\"x\",\"<image>\"]}", "");
    ANSWERS(ask(&s, s.ada, text), "In cell 1 (prompt \\\"<image>\\\"): image tokens");
    ANSWERS(s.ada->text, "\"code\":\"bad_prompt\"");
    snprintf(text, sizeof text, FIELDS, "{\"width\":[256,1024],\"height\":[512]}", "");
    ANSWERS(ask(&s, s.ada, text), "too_big_for_device");
    ANSWERS(s.ada->text, "In cell 1 (width 1024, height 512)");
    s.w->users[0].waiting = 3;
    assert_int_equal(hub_users(s.w->hub, s.w->now, s.w->users, s.w->n_users), 0);
    snprintf(text, sizeof text, FIELDS, "{\"seed\":4}", "");
    ANSWERS(ask(&s, s.ada, text), "\"code\":\"rate_limited\"");
    snprintf(text, sizeof text, FIELDS, "{\"lane\":[\"normal\",\"urgent\"]}", "");
    ANSWERS(ask(&s, s.ada, text), "\"code\":\"forbidden\",\"field\":\"lane\"");
    expect_nothing(&s);
    stage_free(&s);
}

/* catches: a queue that is said to be full of the jobs that wait, when it is what comes together
 * that is too much */
static void what_is_too_much_is_said(void **state)
{
    static const char TEN[] =
        "{\"type\":\"submit\",\"spec\":{\"prompt\":\"x\"},\"n\":10,\"hold\":true}";
    struct stage s = stage_new();

    (void)state;
    s.w->hub->conf.queue_max = 12;
    command(s.w, s.ada, "%s", TEN);
    store_all(s.w);
    ANSWERS(ask(&s, s.ada, TEN), "10 jobs wait, and 10 more would be above the 12 that it keeps");
    stage_free(&s);
}

/* catches: a disk that has taken some of the rows; a waiter who is not told */
static void the_disk_takes_all_rows_or_none(void **state)
{
    struct stage s = stage_new();

    (void)state;
    command(s.w, s.ada, SWEEP, "");
    command(s.w, s.ada, SWEEP, "");
    store_answer(s.w, false);
    listen_all(s.w, s.ada);
    assert_int_equal(count(s.ada->text, "\"code\":\"io\""), 2);
    expect_nothing(&s);
    assert_int_equal(s.w->n_disk, 0);
    stage_free(&s);
}

/* catches: a time that is the first picture's, or that of one in another place */
static void its_times_are_those_of_the_last_cell(void **state)
{
    struct stage s = stage_new();
    json_t *quote, *whole;
    double one, all;

    (void)state;
    for (int i = 0; i < 3; i++) {
        submit(&s, i ? ",\"watch\":false" : "");
        go_on(s.w, 100);
        remove_job(s.w, s.ada, s.sweep);
    }
    quote = json_loads(ask(&s, s.ada, "{\"type\":\"quote\",\"spec\":{\"prompt\":\"x\"}}"), 0, NULL);
    whole = json_loads(ask(&s, s.ada, "{\"type\":\"quote\",\"spec\":{\"prompt\":\"x\"},\"n\":5}"),
                       0, NULL);
    one = json_number_value(json_object_get(quote, "eta_ms"));
    all = json_number_value(json_object_get(whole, "eta_ms"));
    assert_true(one > 0 && all > 4 * one && all < 6 * one);
    assert_int_equal(json_integer_value(json_object_get(whole, "cells")), 5);
    ANSWERS(ask(&s, s.ada,
                "{\"type\":\"submit\",\"spec\":{\"prompt\":\"x\"},\"n\":5,\"max_wait_ms\":9}"),
            "\"field\":\"max_wait_ms\"");
    json_decref(quote);
    json_decref(whole);
    stage_free(&s);
}

/* catches: a repeated submit that draws all again; another sweep under the same key */
static void its_key_finds_it(void **state)
{
    struct stage s = stage_new();
    char again[256], job[64];

    (void)state;
    submit(&s, "");
    snprintf(again, sizeof again, SWEEP, "");
    snprintf(job, sizeof job, "\"type\":\"accepted\",\"job\":\"%s\"", hex(s.sweep));
    ANSWERS(ask(&s, s.ada, again), job);
    restart(&s);
    ANSWERS(ask(&s, s.ada, again), job);
    snprintf(again, sizeof again, SWEEP, ",\"watch\":false");
    again[strlen(again) - 1] = '\0';
    ANSWERS(ask(&s, s.ada,
                "{\"type\":\"submit\",\"key\":\"k\",\"spec\":{\"prompt\":\"x\",\"width\":96,"
                "\"seed\":7},\"sweep\":{\"seed\":2,\"steps\":[1,6]}}"),
            "\"code\":\"conflict\"");
    assert_int_equal(s.w->hub->registry.n, CELLS + 1);
    stage_free(&s);
}

/* catches: a cancel that leaves a cell, takes others' jobs, or ends the sweep before its cells */
static void it_is_cancelled_in_whole_or_in_part(void **state)
{
    struct stage s = stage_new();
    char text[128];

    (void)state;
    submit(&s, "");
    ANSWERS(ask_about(&s, s.ada, "cancel", s.cell[1]), "\"re\":\"cancel\"");
    go_on(s.w, 2);
    assert_int_equal(job_of(&s, s.cell[1])->state, JOB_CANCELLED);
    assert_true(job_of(&s, s.sweep)->state < JOB_ENDING);
    snprintf(text, sizeof text, "{\"type\":\"cancel\",\"parent\":\"%s\"}", hex(s.sweep));
    ANSWERS(ask(&s, s.ben, text), "not_found");
    ANSWERS(ask(&s, s.ada, text), "\"count\":3");
    assert_true(job_of(&s, s.sweep)->state < JOB_ENDING);
    go_on(s.w, 2);
    listen_all(s.w, s.ada);
    HEARD(s.ada, "\"state\":\"cancelled\",\"counts\":{\"cells\":4,\"done\":0,\"failed\":0,"
                 "\"cancelled\":4}");
    snprintf(text, sizeof text, "{\"type\":\"cancel\",\"parent\":\"%s\"}", hex(s.cell[0]));
    ANSWERS(ask(&s, s.ada, text), "\"code\":\"conflict\",\"field\":\"parent\"");
    ANSWERS(ask_about(&s, s.ada, "cancel", s.sweep), "\"state\":\"cancelled\"");
    stage_free(&s);
}

/* catches: cells that start although they were submitted as held; a place of what is held */
static void it_is_held_and_released(void **state)
{
    struct stage s = stage_new();

    (void)state;
    submit(&s, ",\"hold\":true");
    go_on(s.w, 5);
    listen_all(s.w, s.ada);
    expect_heard(s.ada, "\"type\":\"queue\",\"job\":\"%s\"", hex(s.sweep));
    HEARD(s.ada, "\"position\":0,\"ahead\":0,\"start_ms\":null,\"eta_ms\":null");
    assert_int_equal(s.w->hub->n_held, CELLS);
    ANSWERS(ask_about(&s, s.ada, "release", s.cell[3]), "\"re\":\"release\"");
    go_on(s.w, 60);
    assert_int_equal(job_of(&s, s.cell[3])->state, JOB_DONE);
    ANSWERS(ask_about(&s, s.ada, "release", s.sweep), "\"state\":\"running\"");
    go_on(s.w, 3);
    ANSWERS(ask_about(&s, s.ada, "hold", s.sweep), "\"re\":\"hold\"");
    go_on(s.w, 100);
    assert_true(job_of(&s, s.sweep)->state == JOB_RUNNING && s.w->hub->n_held > 0);
    ANSWERS(ask_about(&s, s.ada, "reorder\",\"before\":null,\"ref\":\"r", s.sweep), "conflict");
    ANSWERS(ask_about(&s, s.ada, "release", s.sweep), "\"re\":\"release\"");
    go_on(s.w, 100);
    assert_int_equal(job_of(&s, s.sweep)->state, JOB_DONE);
    ANSWERS(ask_about(&s, s.ada, "hold", s.sweep), "conflict");
    stage_free(&s);
}

/* catches: a cell that is lost with a restart, or drawn twice; viewers who hear of a state that is
 * no more; an end in other words than before */
static void it_goes_on_after_a_restart(void **state)
{
    struct stage s = stage_new();
    char end[4096];

    (void)state;
    submit(&s, "");
    while (job_of(&s, s.cell[1])->state != JOB_DONE)
        go_on(s.w, 1);
    assert_int_equal(job_of(&s, s.cell[2])->state, JOB_RUNNING);
    restart(&s);
    ask_about(&s, s.ada, "watch\",\"ref\":\"w", s.sweep);
    expect_heard(s.ada, "\"type\":\"accepted\",\"job\":\"%s\"", hex(s.sweep));
    HEARD(s.ada, "\"cell\":0,\"state\":\"done\",\"result\":{\"url\":");
    HEARD(s.ada, "\"cell\":1,\"state\":\"done\",\"result\":{\"url\":");
    assert_int_equal(count(s.ada->text, "\"state\":\"done\",\"result\""), 2);
    go_on(s.w, 100);
    listen_all(s.w, s.ada);
    assert_int_equal(count(s.ada->text, "\"type\":\"end\""), 1);
    snprintf(end, sizeof end, "%s", strstr(s.ada->text, "{\"type\":\"end\""));
    restart(&s);
    ask_about(&s, s.ada, "watch", s.sweep);
    assert_int_equal(count(s.ada->text, "\"type\":\"cell\""), 0);
    ANSWERS(s.ada->text, end);
    assert_null(s.w->hub->sweeps);
    stage_free(&s);
}

/* catches: a sweep that never ends, as the process was killed between its last cell's end and its
 * own; one that is lost or stuck as a row of its cells is missing */
static void what_a_kill_left_is_ended(void **state)
{
    struct stage s = stage_new();

    (void)state;
    submit(&s, "");
    while (job_of(&s, s.sweep)->state != JOB_ENDING)
        if (s.w->write_first != s.w->write_end)
            store_answer(s.w, true);
        else
            quantum(s.w);
    restart(&s);
    assert_int_equal(job_of(&s, s.sweep)->state, JOB_DONE);
    truth_of(s.w, s.sweep)->disk->row.state = STATE_QUEUED;
    truth_of(s.w, s.cell[2])->disk->row.state = STATE_FAILED; /* what it comes to */
    truth_of(s.w, s.cell[2])->disk->deleted = true;
    restart(&s);
    assert_int_equal(job_of(&s, s.sweep)->state, JOB_FAILED);
    ask_about(&s, s.ada, "watch", s.sweep);
    HEARD(s.ada, "1 of 4 pictures failed");
    stage_free(&s);
}

/* catches: cells among the other jobs, or others' among the cells; a sweep without its numbers */
static void lists_have_it_and_its_cells_apart(void **state)
{
    struct stage s = stage_new();
    char text[128];

    (void)state;
    submit(&s, "");
    while (job_of(&s, s.cell[0])->state != JOB_DONE)
        go_on(s.w, 1);
    ask(&s, s.ada, "{\"type\":\"list\",\"ref\":\"l\"}");
    assert_int_equal(count(s.ada->text, "\"created_ms\""), 1);
    HEARD(s.ada, "\"counts\":{\"cells\":4,\"done\":1,\"failed\":0,\"cancelled\":0},\"overall\":0.");
    snprintf(text, sizeof text, "{\"type\":\"list\",\"parent\":\"%s\"}", hex(s.sweep));
    assert_int_equal(count(ask(&s, s.ada, text), "\"cell\":"), CELLS);
    assert_int_equal(count(ask(&s, s.ben, text), "\"cell\":"), 0);
    ask_about(&s, s.ada, "job", s.sweep);
    HEARD(s.ada, "\"sweep\":{\"steps\":[1,6],\"seed\":[7,8]},\"cells\":[");
    ANSWERS(ask_about(&s, s.ben, "watch", s.sweep), "not_found");
    ANSWERS(ask_about(&s, s.ben, "cancel", s.cell[2]), "not_found");
    stage_free(&s);
}

/* catches: a cell that goes while its sweep needs it; cells that stay without their sweep */
static void it_is_deleted_with_its_cells(void **state)
{
    struct stage s = stage_new();

    (void)state;
    submit(&s, "");
    while (job_of(&s, s.cell[0])->state != JOB_DONE)
        go_on(s.w, 1);
    ANSWERS(remove_job(s.w, s.ada, s.sweep), "conflict");
    go_on(s.w, 100);
    ANSWERS(remove_job(s.w, s.ada, s.cell[1]), "\"re\":\"delete\"");
    ANSWERS(remove_job(s.w, s.ada, s.sweep), "\"re\":\"delete\"");
    assert_int_equal(s.w->hub->registry.n, 0);
    restart(&s);
    assert_int_equal(s.w->hub->registry.n, 0);
    stage_free(&s);
}

/* catches: a failure that is hidden by the pictures that came out well; a cell that no longer is in
 * memory and is missed when the sweep ends */
static void one_failure_is_told_with_the_rest(void **state)
{
    struct stage s = stage_new();
    struct fail f;

    (void)state;
    s.w->hub->registry.kept = 0;
    submit(&s, "");
    while (job_of(&s, s.cell[2])->state != JOB_RUNNING)
        go_on(s.w, 1);
    assert_null(job_of(&s, s.cell[0]));
    fail_set(&f, ERR_BAD_PROMPT, "a bad run");
    worker_take(s.w);
    run_end(s.w, &s.w->dev[0], 0, &f);
    go_on(s.w, 1);
    listen_all(s.w, s.ada);
    HEARD(s.ada, "\"cell\":2,\"state\":\"failed\",\"error\":{\"code\":\"bad_prompt\"");
    go_on(s.w, 100);
    listen_all(s.w, s.ada);
    HEARD(s.ada,
          "\"state\":\"failed\",\"error\":{\"code\":\"bad_prompt\",\"message\":\"1 of 4 pictures "
          "failed, the first one: a bad run\"");
    HEARD(s.ada, "\"counts\":{\"cells\":4,\"done\":3,\"failed\":1,\"cancelled\":0}");
    stage_free(&s);
}

/* catches: cells that are drawn for nobody */
static void it_is_abandoned_with_its_last_viewer(void **state)
{
    struct stage s = stage_new();

    (void)state;
    submit(&s, ",\"on_disconnect\":{\"cancel_after_ms\":1000}");
    ask_about(&s, s.ben, "watch", s.cell[3]);
    listener_free(s.w, s.ada);
    s.ada = listener_of(s.w, 1);
    ask_about(&s, s.ada, "watch", s.cell[3]);
    s.w->now += 2000000;
    hub_tick(s.w->hub, s.w->now);
    assert_false(job_of(&s, s.cell[3])->state == JOB_CANCELLED);
    ask_about(&s, s.ada, "unwatch", s.cell[3]);
    s.w->now += 2000000;
    hub_tick(s.w->hub, s.w->now);
    go_on(s.w, 2);
    assert_int_equal(job_of(&s, s.sweep)->state, JOB_CANCELLED);
    stage_free(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cells_are_jobs_in_the_order_that_is_written),
        cmocka_unit_test(its_viewers_hear_of_each_cell),
        cmocka_unit_test(it_is_refused_as_a_whole),
        cmocka_unit_test(what_is_too_much_is_said),
        cmocka_unit_test(the_disk_takes_all_rows_or_none),
        cmocka_unit_test(its_times_are_those_of_the_last_cell),
        cmocka_unit_test(its_key_finds_it),
        cmocka_unit_test(it_is_cancelled_in_whole_or_in_part),
        cmocka_unit_test(it_is_held_and_released),
        cmocka_unit_test(it_goes_on_after_a_restart),
        cmocka_unit_test(what_a_kill_left_is_ended),
        cmocka_unit_test(lists_have_it_and_its_cells_apart),
        cmocka_unit_test(it_is_deleted_with_its_cells),
        cmocka_unit_test(one_failure_is_told_with_the_rest),
        cmocka_unit_test(it_is_abandoned_with_its_last_viewer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
