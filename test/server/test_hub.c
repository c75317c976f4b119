/* test_hub - the rules of the service, one by one, with a faked disk, device, encoder and clock. */
#include "test/sim/world.h"

#include "proto/id.h"

/* A connection that reads everything at once into one string, messages separated by newlines. */
struct ear {
    struct peer *peer;
    char text[1 << 20];
    size_t len;
};

static void listen_all(struct world *w, struct ear *e)
{
    struct blob *b;
    bool binary;

    e->len = 0;
    while ((b = hub_next(w->hub, w->now, e->peer, &binary)) != NULL) {
        if (!binary && e->len + b->len + 2 < sizeof e->text) {
            memcpy(e->text + e->len, b->data, b->len);
            e->len += b->len;
        }
        e->text[e->len++] = '\n';
        blob_unref(b);
    }
    e->text[e->len] = '\0';
}

static struct ear *ear_new(struct world *w)
{
    struct ear *e = calloc(1, sizeof *e);

    assert_non_null(e);
    e->peer = hub_open(w->hub, e);
    assert_non_null(e->peer);
    return e;
}

static void ear_free(struct world *w, struct ear *e)
{
    if (e->peer) hub_close(w->hub, e->peer);
    free(e);
}

__attribute__((format(printf, 3, 4))) static void say(struct world *w, struct ear *e,
                                                      const char *format, ...)
{
    char text[2048];
    va_list ap;
    int n;

    va_start(ap, format);
    n = vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    hub_text(w->hub, w->now, e->peer, text, (size_t)n);
}

static int count(const char *text, const char *what)
{
    int n = 0;

    for (const char *at = text; (at = strstr(at, what)) != NULL; at++)
        n++;
    return n;
}

#define HEARD(e, what)     assert_true(count((e)->text, what) > 0)
#define NOT_HEARD(e, what) assert_int_equal(count((e)->text, what), 0)

static struct world *ready_world(void)
{
    struct world *w = world_new(1);

    worker_open(w);
    note_deliver(w);
    return w;
}

static void deliver_all(struct world *w)
{
    while (w->note_first != w->note_end)
        note_deliver(w);
}

static void store_all(struct world *w)
{
    while (w->write_first != w->write_end)
        store_answer(w, true);
}

/* n quanta of 10 ms, everything around them at once. */
static void go_on(struct world *w, int n)
{
    for (int i = 0; i < n; i++) {
        w->now += 10000;
        worker_step(w, 10000);
        deliver_all(w);
        while (w->picture_first != w->picture_end)
            encoder_answer(w, true);
        store_all(w);
        hub_tick(w->hub, w->now);
    }
}

static uint64_t newest(const struct world *w)
{
    return w->hub->shelf.newest->id;
}

static const char *hex(uint64_t id)
{
    static char text[4][ID_TEXT];
    static int at;

    at = (at + 1) % 4;
    id_format(id, text[at]);
    return text[at];
}

/* --- acceptance ------------------------------------------------------------------------------------ */

/* catches: an `accepted` that a power cut can take back */
static void accepted_only_when_on_disk(void **state)
{
    struct world *w = ready_world();
    struct ear *e = ear_new(w);

    (void)state;
    say(w, e, "{\"type\":\"submit\",\"ref\":\"a\",\"spec\":{\"prompt\":\"x\"}}");
    listen_all(w, e);
    assert_int_equal(e->len, 0);
    store_answer(w, true);
    listen_all(w, e);
    HEARD(e, "{\"type\":\"accepted\"");
    HEARD(e, "\"ref\":\"a\"");
    HEARD(e, "{\"type\":\"phase\"");
    ear_free(w, e);
    world_free(w);
}

/* catches: a job that exists although its submit was answered with an error */
static void a_job_that_cannot_be_stored_never_was(void **state)
{
    struct world *w = ready_world();
    struct ear *e = ear_new(w);

    (void)state;
    say(w, e, "{\"type\":\"submit\",\"key\":\"k\",\"spec\":{\"prompt\":\"x\"}}");
    store_answer(w, false);
    listen_all(w, e);
    HEARD(e, "\"code\":\"io\"");
    assert_int_equal(w->hub->shelf.n, 0);
    say(w, e, "{\"type\":\"submit\",\"key\":\"k\",\"spec\":{\"prompt\":\"x\"}}");
    store_answer(w, true);
    listen_all(w, e);
    HEARD(e, "{\"type\":\"accepted\"");
    ear_free(w, e);
    world_free(w);
}

/* catches: answers that overtake each other, or events before the answer that starts them */
static void answers_keep_the_order_of_commands(void **state)
{
    struct world *w = ready_world();
    struct ear *e = ear_new(w);
    const char *accepted, *pong, *phase;

    (void)state;
    say(w, e, "{\"type\":\"submit\",\"ref\":\"a\",\"spec\":{\"prompt\":\"x\"}}");
    say(w, e, "{\"type\":\"ping\",\"ref\":\"b\"}");
    say(w, e, "nonsense");
    listen_all(w, e);
    assert_int_equal(e->len, 0);
    store_answer(w, true);
    listen_all(w, e);
    accepted = strstr(e->text, "\"accepted\"");
    pong = strstr(e->text, "\"pong\"");
    phase = strstr(e->text, "\"phase\"");
    assert_true(accepted && pong && phase && accepted < pong && pong < phase);
    HEARD(e, "\"bad_request\"");
    ear_free(w, e);
    world_free(w);
}

/* catches: two jobs from a repeated submit, or another request behind a known key */
static void a_key_names_one_request(void **state)
{
    struct world *w = ready_world();
    struct ear *e = ear_new(w);
    const char *submit = "{\"type\":\"submit\",\"key\":\"k\",\"spec\":{\"prompt\":\"x\"}}";

    (void)state;
    say(w, e, "%s", submit);
    say(w, e, "%s", submit); /* while the first is on its way to the disk */
    say(w, e, "{\"type\":\"submit\",\"key\":\"k\",\"spec\":{\"prompt\":\"x\",\"seed\":3}}");
    store_all(w);
    listen_all(w, e);
    assert_int_equal(count(e->text, "\"type\":\"accepted\""), 2);
    assert_int_equal(count(e->text, "\"code\":\"conflict\""), 1);
    assert_int_equal(count(e->text, "\"type\":\"phase\""), 1);
    assert_int_equal(w->hub->shelf.n, 1);
    go_on(w, 20);
    world_kill(w, 0);
    world_boot(w);
    e->peer = hub_open(w->hub, e);
    say(w, e, "%s", submit); /* done long ago, in another life of the server */
    listen_all(w, e);
    assert_int_equal(count(e->text, "\"type\":\"accepted\""), 1);
    assert_int_equal(count(e->text, "\"state\":\"done\""), 1);
    assert_int_equal(w->hub->shelf.n, 1);
    ear_free(w, e);
    world_free(w);
}

/* catches: a queue without end, or a refusal that does not say when to come back */
static void a_full_queue_says_when_to_come_back(void **state)
{
    struct world *w = ready_world();
    struct ear *e = ear_new(w);

    (void)state;
    w->hub->conf.queue_max = 3;
    for (int i = 0; i < 3 + w->hub->cap; i++)
        say(w, e, "{\"type\":\"submit\",\"spec\":{\"prompt\":\"x\"}}");
    store_all(w);
    go_on(w, 2);
    listen_all(w, e);
    NOT_HEARD(e, "queue_full");
    assert_int_equal(w->hub->queue.n, 3);
    say(w, e, "{\"type\":\"submit\",\"spec\":{\"prompt\":\"x\"}}");
    listen_all(w, e);
    HEARD(e, "\"code\":\"queue_full\"");
    HEARD(e, "\"retry_after_ms\":");
    ear_free(w, e);
    world_free(w);
}

/* catches: a request that waits for ever because it can never fit, and a hint that is no help */
static void too_big_is_refused_with_a_size_that_fits(void **state)
{
    struct world *w = ready_world();
    struct ear *e = ear_new(w);

    (void)state;
    say(w, e, "{\"type\":\"submit\",\"spec\":{\"prompt\":\"x\",\"width\":1024,\"height\":1024}}");
    listen_all(w, e);
    HEARD(e, "\"code\":\"too_big_for_device\"");
    HEARD(e, "Ask for 384x384 or less");
    say(w, e, "{\"type\":\"submit\",\"spec\":{\"prompt\":\"x\",\"width\":384,\"height\":384}}");
    store_all(w);
    listen_all(w, e);
    HEARD(e, "\"accepted\"");
    ear_free(w, e);
    world_free(w);
}

/* --- the end ---------------------------------------------------------------------------------------- */

/* catches: an end that is told before it is safe, and so can be told twice */
static void an_end_is_told_when_it_is_on_disk(void **state)
{
    struct world *w = ready_world();
    struct ear *e = ear_new(w);

    (void)state;
    say(w, e, "{\"type\":\"submit\",\"spec\":{\"prompt\":\"x\"}}");
    store_all(w);
    say(w, e, "{\"type\":\"cancel\",\"job\":\"%s\"}", hex(newest(w)));
    listen_all(w, e);
    HEARD(e, "\"re\":\"cancel\"");
    NOT_HEARD(e, "\"type\":\"end\"");
    say(w, e, "{\"type\":\"cancel\",\"job\":\"%s\"}", hex(newest(w)));
    store_all(w);
    listen_all(w, e);
    NOT_HEARD(e, "conflict");
    HEARD(e, "\"state\":\"cancelled\"");
    assert_int_equal(count(e->text, "\"type\":\"end\""), 1);
    assert_true(w->hub->n_resident == 1); /* until the worker lets go */
    worker_take(w);
    deliver_all(w);
    assert_true(w->hub->n_resident == 0 && w->hub->ledger.n == 0);
    ear_free(w, e);
    world_free(w);
}

/* catches: a result that is announced although the disk lost it */
static void a_result_that_cannot_be_stored_is_a_failure(void **state)
{
    struct world *w = ready_world();
    struct ear *e = ear_new(w);

    (void)state;
    say(w, e, "{\"type\":\"submit\",\"spec\":{\"prompt\":\"x\"}}");
    store_all(w);
    while (w->note_first == w->note_end || w->hub->n_resident > 0) {
        worker_step(w, 10000);
        if (w->n_runs == 0) break;
    }
    deliver_all(w);
    encoder_answer(w, true);
    store_answer(w, false); /* the file */
    listen_all(w, e);
    NOT_HEARD(e, "\"type\":\"end\"");
    w->now = hub_due(w->hub) > w->now + 1000000 ? hub_due(w->hub) : w->now + 1000000;
    hub_tick(w->hub, w->now);
    store_answer(w, true); /* that it failed */
    listen_all(w, e);
    NOT_HEARD(e, "\"type\":\"result\"");
    HEARD(e, "\"state\":\"failed\"");
    HEARD(e, "\"code\":\"io\"");
    ear_free(w, e);
    world_free(w);
}

/* catches: a viewer that reconnects after a restart and hears the end again, or never */
static void the_end_keeps_its_number_over_a_restart(void **state)
{
    struct world *w = ready_world();
    struct ear *e = ear_new(w);
    uint64_t id, seq;

    (void)state;
    say(w, e, "{\"type\":\"submit\",\"spec\":{\"prompt\":\"x\"}}");
    store_all(w);
    go_on(w, 20);
    id = newest(w);
    seq = w->hub->shelf.newest->board.at[EVENT_END];
    world_kill(w, 0);
    world_boot(w);
    e->peer = hub_open(w->hub, e);
    say(w, e, "{\"type\":\"watch\",\"job\":\"%s\",\"seq\":%llu}", hex(id), (unsigned long long)seq);
    listen_all(w, e);
    HEARD(e, "\"state\":\"done\"");
    NOT_HEARD(e, "\"type\":\"end\"");
    say(w, e, "{\"type\":\"watch\",\"job\":\"%s\",\"seq\":%llu}", hex(id),
        (unsigned long long)seq - 1);
    listen_all(w, e);
    NOT_HEARD(e, "\"type\":\"result\"");
    assert_int_equal(count(e->text, "\"type\":\"end\""), 1);
    ear_free(w, e);
    world_free(w);
}

/* catches: a job that is lost, or overtaken, because the server was killed while it ran */
static void after_a_kill_the_queue_is_whole_and_in_order(void **state)
{
    struct world *w = ready_world();
    struct ear *e = ear_new(w);
    uint64_t first, seq;

    (void)state;
    for (int i = 0; i < 10; i++)
        say(w, e, "{\"type\":\"submit\",\"spec\":{\"prompt\":\"x\",\"seed\":%d}}", i);
    store_all(w);
    go_on(w, 3);
    first = w->hub->shelf.oldest->id;
    seq = w->hub->shelf.oldest->board.seq;
    world_kill(w, 0);
    world_boot(w);
    assert_int_equal(w->hub->queue.n, 10);
    e->peer = hub_open(w->hub, e);
    say(w, e, "{\"type\":\"watch\",\"job\":\"%s\",\"seq\":%llu}", hex(first),
        (unsigned long long)seq);
    listen_all(w, e);
    NOT_HEARD(e, "\"type\":\"accepted\"");
    HEARD(e, "\"position\":1,");
    HEARD(e, "\"why\":\"starting\"");
    worker_open(w);
    deliver_all(w);
    go_on(w, 60);
    assert_int_equal(w->hub->in[JOB_DONE], 10);
    listen_all(w, e);
    HEARD(e, "\"state\":\"done\"");
    ear_free(w, e);
    world_free(w);
}

/* --- the device ------------------------------------------------------------------------------------- */

/* catches: more jobs on the device than the cap says, and a wait that does not say why */
static void a_place_says_why_it_waits(void **state)
{
    struct world *w = ready_world();
    struct ear *e = ear_new(w);

    (void)state;
    assert_int_equal(w->hub->cap, 4);
    assert_non_null(strstr(hub_why_cap(w->hub), "4 pictures of 256x256 fit"));
    for (int i = 0; i < 6; i++)
        say(w, e, "{\"type\":\"submit\",\"spec\":{\"prompt\":\"x\"}}");
    store_all(w);
    go_on(w, 1);
    listen_all(w, e);
    assert_int_equal(w->hub->n_resident, 4);
    HEARD(e, "\"position\":1,\"ahead\":4,");
    HEARD(e, "\"position\":2,\"ahead\":5,");
    HEARD(e, "\"why\":\"slots\"");
    HEARD(e, "\"why\":\"turn\"");
    ear_free(w, e);
    world_free(w);
}

/* catches: a cap that ignores what the operator or the device says, or does not say why */
static void the_cap_says_why(void **state)
{
    struct world *w = world_new(1);
    struct note n = {.kind = NOTE_READY, .budget = w->budget, .worth = 2};

    (void)state;
    hub_note(w->hub, w->now, &n);
    assert_int_equal(w->hub->cap, 2);
    assert_non_null(strstr(hub_why_cap(w->hub), "more than 2 would only slow"));
    w->hub->conf.concurrency = 3; /* asked for: against that, not against memory */
    hub_note(w->hub, w->now, &n);
    assert_int_equal(w->hub->cap, 3);
    assert_non_null(strstr(hub_why_cap(w->hub), "--concurrency is 3; 4 pictures"));
    w->hub->conf.concurrency = 9;
    hub_note(w->hub, w->now, &n);
    assert_int_equal(w->hub->cap, 4);
    n.budget = 1;
    hub_note(w->hub, w->now, &n);
    assert_int_equal(w->hub->cap, 1);
    n.budget = UINT64_MAX;
    n.worth = w->hub->conf.concurrency = 0;
    hub_note(w->hub, w->now, &n);
    assert_int_equal(w->hub->cap, LIMIT_BATCH);
    assert_non_null(strstr(hub_why_cap(w->hub), "share one batch"));
    world_free(w);
}

/* catches: a large job that starts beside others although there is no room, or is overtaken */
static void a_large_job_waits_for_memory_in_its_place(void **state)
{
    struct world *w = ready_world();
    struct ear *e = ear_new(w);

    (void)state;
    say(w, e, "{\"type\":\"submit\",\"spec\":{\"prompt\":\"x\"}}");
    say(w, e, "{\"type\":\"submit\",\"spec\":{\"prompt\":\"x\",\"width\":480,\"height\":480}}");
    say(w, e, "{\"type\":\"submit\",\"spec\":{\"prompt\":\"x\",\"steps\":1}}");
    store_all(w);
    listen_all(w, e);
    assert_int_equal(w->hub->n_resident, 1);
    HEARD(e, "\"why\":\"memory\"");
    go_on(w, 60);
    assert_int_equal(w->hub->in[JOB_DONE], 3);
    ear_free(w, e);
    world_free(w);
}

/* catches: a failing job that takes others with it; a device that stays oversubscribed */
static void out_of_memory_fails_one_and_lowers_the_cap(void **state)
{
    struct world *w = ready_world();
    struct ear *e = ear_new(w);

    (void)state;
    for (int i = 0; i < 3; i++)
        say(w, e, "{\"type\":\"submit\",\"spec\":{\"prompt\":\"x\"}}");
    store_all(w);
    go_on(w, 2);
    worker_device_fails(w, ERR_OUT_OF_MEMORY, 3);
    deliver_all(w);
    store_all(w);
    w->now += 250000;
    hub_tick(w->hub, w->now);
    listen_all(w, e);
    assert_int_equal(count(e->text, "\"type\":\"end\""), 1);
    HEARD(e, "\"code\":\"out_of_memory\"");
    HEARD(e, "Ask for 160x160 or less");
    HEARD(e, "\"why\":\"starting\"");
    assert_int_equal(w->hub->in[JOB_QUEUED], 2);
    worker_open(w);
    deliver_all(w);
    assert_int_equal(w->hub->cap, 2);
    assert_non_null(strstr(hub_why_cap(w->hub), "out of memory"));
    go_on(w, 40);
    assert_int_equal(w->hub->in[JOB_DONE], 2);
    ear_free(w, e);
    world_free(w);
}

/* catches: an overall that jumps back when a run has to begin again */
static void overall_never_goes_back_when_the_device_is_lost(void **state)
{
    struct world *w = ready_world();
    struct ear *e = ear_new(w);
    double before;

    (void)state;
    say(w, e, "{\"type\":\"submit\",\"spec\":{\"prompt\":\"x\",\"steps\":20}}");
    store_all(w);
    go_on(w, 15);
    before = w->hub->shelf.newest->overall;
    assert_true(before > 0.4);
    worker_device_fails(w, ERR_DEVICE, 0); /* nobody is to blame */
    worker_open(w);
    deliver_all(w);
    go_on(w, 1);
    assert_true(w->hub->shelf.newest->overall >= before);
    go_on(w, 3); /* and it moves on from there */
    assert_true(w->hub->shelf.newest->overall > before + 0.05);
    go_on(w, 40);
    assert_int_equal(w->hub->in[JOB_DONE], 1);
    ear_free(w, e);
    world_free(w);
}

/* catches: a stuck device that blocks the service for ever, or whose late answer confuses it */
static void the_watchdog_fails_a_stuck_job(void **state)
{
    struct world *w = ready_world();
    struct ear *e = ear_new(w);

    (void)state;
    say(w, e, "{\"type\":\"submit\",\"spec\":{\"prompt\":\"x\"}}");
    say(w, e, "{\"type\":\"submit\",\"spec\":{\"prompt\":\"y\"}}");
    store_all(w);
    go_on(w, 2);
    w->busy_jobs[0] = w->hub->shelf.oldest->id;
    w->n_busy = 1;
    assert_true(hub_due(w->hub) < INT64_MAX);
    w->now += 61 * 1000000LL;
    hub_tick(w->hub, w->now);
    store_all(w);
    listen_all(w, e);
    assert_int_equal(count(e->text, "\"code\":\"device\""), 1);
    assert_int_equal(w->hub->in[JOB_QUEUED], 1);
    go_on(w, 40); /* it answers after all */
    assert_int_equal(w->hub->in[JOB_DONE], 1);
    assert_int_equal(w->hub->in[JOB_FAILED], 1);
    ear_free(w, e);
    world_free(w);
}

/* catches: a job that may use the device for ever */
static void a_job_has_a_time_limit(void **state)
{
    struct world *w = ready_world();
    struct ear *e = ear_new(w);

    (void)state;
    w->hub->conf.job_seconds = 1;
    say(w, e, "{\"type\":\"submit\",\"spec\":{\"prompt\":\"x\",\"steps\":200}}");
    store_all(w);
    go_on(w, 99);
    listen_all(w, e);
    NOT_HEARD(e, "timeout");
    go_on(w, 2);
    listen_all(w, e);
    HEARD(e, "\"code\":\"timeout\"");
    worker_take(w);
    assert_int_equal(w->n_runs, 0);
    ear_free(w, e);
    world_free(w);
}

/* catches: work that is lost, or clients that are left in the dark, when the server stops */
static void drain_puts_back_and_says_so(void **state)
{
    struct world *w = ready_world();
    struct ear *e = ear_new(w);

    (void)state;
    for (int i = 0; i < 6; i++)
        say(w, e, "{\"type\":\"submit\",\"spec\":{\"prompt\":\"x\"}}");
    store_all(w);
    go_on(w, 2);
    listen_all(w, e);
    hub_drain(w->hub, w->now);
    listen_all(w, e);
    assert_int_equal(count(e->text, "\"why\":\"stopping\""), 6);
    assert_false(hub_idle(w->hub));
    worker_take(w);
    deliver_all(w);
    assert_true(hub_idle(w->hub));
    say(w, e, "{\"type\":\"submit\",\"spec\":{\"prompt\":\"x\"}}");
    listen_all(w, e);
    HEARD(e, "\"code\":\"shutting_down\"");
    world_kill(w, 0);
    world_boot(w);
    assert_int_equal(w->hub->queue.n, 6);
    e->peer = NULL;
    ear_free(w, e);
    world_free(w);
}

/* --- what viewers see ------------------------------------------------------------------------------- */

/* catches: a slow reader that gets a backlog instead of the present, or misses the end */
static void a_slow_reader_finds_the_present(void **state)
{
    struct world *w = ready_world();
    struct ear *e = ear_new(w);

    (void)state;
    say(w, e, "{\"type\":\"submit\",\"spec\":{\"prompt\":\"x\",\"steps\":100}}");
    store_all(w);
    go_on(w, 60);
    listen_all(w, e);
    assert_int_equal(count(e->text, "\"type\":\"progress\""), 1);
    assert_int_equal(count(e->text, "\"type\":\"phase\""), 1);
    go_on(w, 100);
    listen_all(w, e);
    assert_int_equal(count(e->text, "\n"), 2); /* result, end */
    HEARD(e, "\"type\":\"end\"");
    ear_free(w, e);
    world_free(w);
}

static void preview(struct world *w, uint64_t job, int class)
{
    struct blob *b = blob_copy("jpegjpeg", 8);
    struct board_image im = {class, 16, 16, b};

    hub_preview(w->hub, w->now, job, PHASE_PRIOR, &im, 1);
    blob_unref(b);
}

/* catches: previews of another format or size than asked for, or more often */
static void previews_follow_each_viewers_wish(void **state)
{
    struct world *w = ready_world();
    struct ear *e = ear_new(w);
    struct hub_wish wish;
    bool binary;
    struct blob *b;

    (void)state;
    say(w, e, "{\"type\":\"previews\",\"every_ms\":1000,\"max_px\":64,\"format\":\"jpeg\"}");
    say(w, e, "{\"type\":\"submit\",\"spec\":{\"prompt\":\"x\"}}");
    store_all(w);
    wish = crew_wish(w->hub->shelf.newest);
    assert_int_equal(wish.classes, 1u << board_class(FRAME_JPEG, 64));
    assert_int_equal(wish.max_px, 64);
    listen_all(w, e);
    preview(w, newest(w), board_class(FRAME_PNG, 64));
    assert_null(hub_next(w->hub, w->now, e->peer, &binary));
    preview(w, newest(w), board_class(FRAME_JPEG, 64));
    b = hub_next(w->hub, w->now, e->peer, &binary);
    assert_true(b && binary);
    blob_unref(b);
    w->now += 1000;
    preview(w, newest(w), board_class(FRAME_JPEG, 64));
    assert_null(hub_next(w->hub, w->now, e->peer, &binary));
    assert_true(hub_due(w->hub) <= w->now + 1000000);
    w->now += 1000000;
    hub_tick(w->hub, w->now);
    b = hub_next(w->hub, w->now, e->peer, &binary);
    assert_true(b && binary);
    blob_unref(b);
    ear_free(w, e);
    world_free(w);
}

/* catches: statistics that flood, or stop, or count wrong */
static void statistics_come_on_change_but_not_too_often(void **state)
{
    struct world *w = ready_world();
    struct ear *e = ear_new(w), *other = ear_new(w);

    (void)state;
    say(w, e, "{\"type\":\"stats\",\"ref\":\"s\"}");
    listen_all(w, e);
    HEARD(e, "\"ref\":\"s\"");
    for (int i = 0; i < 6; i++)
        say(w, other, "{\"type\":\"submit\",\"spec\":{\"prompt\":\"x\"}}");
    store_all(w);
    w->now += 300000;
    hub_tick(w->hub, w->now);
    listen_all(w, e);
    assert_int_equal(count(e->text, "\"type\":\"stats\""), 1);
    HEARD(e, "\"running\":4,\"queued\":2,\"done\":0");
    go_on(w, 100);
    listen_all(w, e);
    assert_int_equal(count(e->text, "\"type\":\"stats\""), 1); /* the newest only */
    HEARD(e, "\"running\":0,\"queued\":0,\"done\":6");
    ear_free(w, e);
    ear_free(w, other);
    world_free(w);
}

/* catches: pages of a list that miss or repeat rows */
static void list_pages_newest_first(void **state)
{
    struct world *w = ready_world();
    struct ear *e = ear_new(w);
    uint64_t third;

    (void)state;
    for (int i = 0; i < 5; i++)
        say(w, e, "{\"type\":\"submit\",\"watch\":false,\"spec\":{\"prompt\":\"n%d\"}}", i);
    store_all(w);
    third = w->hub->shelf.newest->older->older->id;
    listen_all(w, e);
    say(w, e, "{\"type\":\"list\",\"limit\":3}");
    listen_all(w, e);
    HEARD(e, "\"n4\"");
    HEARD(e, "\"n2\"");
    NOT_HEARD(e, "\"n1\"");
    HEARD(e, "\"more\":true");
    say(w, e, "{\"type\":\"list\",\"before\":\"%s\"}", hex(third));
    listen_all(w, e);
    NOT_HEARD(e, "\"n2\"");
    HEARD(e, "\"n1\"");
    HEARD(e, "\"n0\"");
    HEARD(e, "\"more\":false");
    ear_free(w, e);
    world_free(w);
}

/* catches: jobs that are over and fill the memory for ever */
static void old_jobs_are_forgotten_after_their_end_was_read(void **state)
{
    struct world *w = ready_world();
    struct ear *e = ear_new(w);

    (void)state;
    w->hub->shelf.kept = 2;
    for (int i = 0; i < 6; i++)
        say(w, e, "{\"type\":\"submit\",\"spec\":{\"prompt\":\"x\"}}");
    store_all(w);
    go_on(w, 60);
    assert_int_equal(w->hub->shelf.n, 6); /* nobody has read the ends yet */
    listen_all(w, e);
    assert_int_equal(count(e->text, "\"type\":\"end\""), 6);
    say(w, e, "{\"type\":\"submit\",\"spec\":{\"prompt\":\"x\"}}");
    store_all(w);
    go_on(w, 20);
    assert_true(w->hub->shelf.n <= 3);
    ear_free(w, e);
    world_free(w);
}

/* catches: a job that is forgotten while the device still holds its run */
static void a_job_on_the_device_is_not_forgotten(void **state)
{
    struct world *w = ready_world();
    struct ear *e = ear_new(w);

    (void)state;
    w->hub->shelf.kept = 0;
    say(w, e, "{\"type\":\"submit\",\"watch\":false,\"spec\":{\"prompt\":\"x\"}}");
    store_all(w);
    say(w, e, "{\"type\":\"cancel\",\"job\":\"%s\"}", hex(newest(w)));
    store_all(w);
    assert_int_equal(w->hub->shelf.n, 1);
    worker_take(w);
    deliver_all(w);
    assert_int_equal(w->hub->n_resident, 0);
    say(w, e, "{\"type\":\"submit\",\"watch\":false,\"spec\":{\"prompt\":\"x\"}}");
    store_all(w);
    go_on(w, 20);
    assert_int_equal(w->hub->shelf.n, 0);
    ear_free(w, e);
    world_free(w);
}

/* catches: a quote that keeps something, or disagrees with what then happens */
static void a_quote_is_what_a_submit_would_get(void **state)
{
    struct world *w = ready_world();
    struct ear *e = ear_new(w);

    (void)state;
    say(w, e, "{\"type\":\"quote\",\"spec\":{\"prompt\":\"x\"}}");
    listen_all(w, e);
    HEARD(e, "\"position\":0,\"start_ms\":0,");
    assert_int_equal(w->hub->shelf.n, 0);
    for (int i = 0; i < 5; i++)
        say(w, e, "{\"type\":\"submit\",\"spec\":{\"prompt\":\"x\"}}");
    store_all(w);
    listen_all(w, e);
    say(w, e, "{\"type\":\"quote\",\"spec\":{\"prompt\":\"x\"}}");
    listen_all(w, e);
    HEARD(e, "\"position\":2,");
    ear_free(w, e);
    world_free(w);
}

/* catches: one connection that follows jobs without bound */
static void a_connection_follows_so_many_jobs(void **state)
{
    struct world *w = ready_world();
    struct ear *e = ear_new(w);

    (void)state;
    w->hub->conf.queue_max = 4096;
    for (int i = 0; i < LIMIT_WATCHES + 1; i++)
        say(w, e, "{\"type\":\"submit\",\"spec\":{\"prompt\":\"x\"}}");
    store_all(w);
    listen_all(w, e);
    assert_int_equal(count(e->text, "\"type\":\"accepted\""), LIMIT_WATCHES);
    assert_int_equal(count(e->text, "\"code\":\"rate_limited\""), 1);
    say(w, e, "{\"type\":\"submit\",\"watch\":false,\"spec\":{\"prompt\":\"x\"}}");
    store_all(w);
    listen_all(w, e);
    assert_int_equal(count(e->text, "\"type\":\"accepted\""), 1);
    ear_free(w, e);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accepted_only_when_on_disk),
        cmocka_unit_test(a_job_that_cannot_be_stored_never_was),
        cmocka_unit_test(answers_keep_the_order_of_commands),
        cmocka_unit_test(a_key_names_one_request),
        cmocka_unit_test(a_full_queue_says_when_to_come_back),
        cmocka_unit_test(too_big_is_refused_with_a_size_that_fits),
        cmocka_unit_test(an_end_is_told_when_it_is_on_disk),
        cmocka_unit_test(a_result_that_cannot_be_stored_is_a_failure),
        cmocka_unit_test(the_end_keeps_its_number_over_a_restart),
        cmocka_unit_test(after_a_kill_the_queue_is_whole_and_in_order),
        cmocka_unit_test(a_place_says_why_it_waits),
        cmocka_unit_test(the_cap_says_why),
        cmocka_unit_test(a_large_job_waits_for_memory_in_its_place),
        cmocka_unit_test(out_of_memory_fails_one_and_lowers_the_cap),
        cmocka_unit_test(overall_never_goes_back_when_the_device_is_lost),
        cmocka_unit_test(the_watchdog_fails_a_stuck_job),
        cmocka_unit_test(a_job_has_a_time_limit),
        cmocka_unit_test(drain_puts_back_and_says_so),
        cmocka_unit_test(a_slow_reader_finds_the_present),
        cmocka_unit_test(previews_follow_each_viewers_wish),
        cmocka_unit_test(statistics_come_on_change_but_not_too_often),
        cmocka_unit_test(list_pages_newest_first),
        cmocka_unit_test(old_jobs_are_forgotten_after_their_end_was_read),
        cmocka_unit_test(a_job_on_the_device_is_not_forgotten),
        cmocka_unit_test(a_quote_is_what_a_submit_would_get),
        cmocka_unit_test(a_connection_follows_so_many_jobs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
