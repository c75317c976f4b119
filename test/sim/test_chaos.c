/* test_chaos - the real core under random operations of clients, disk, device and encoder.
 *
 * Clients submit good and bad requests, some of them sweeps, repeat keys, watch with old numbers,
 * cancel, read slowly, break off and come back; in every second world users come and go and share
 * jobs with guests; runs fail, the device fails, gets stuck, runs out of memory, writes are late or
 * fail, the process is killed with writes half done, or drained. After every operation the
 * invariants of the service are checked. A failure prints its seed and step; seeds.txt has the
 * worlds that are always run.
 *     DARKROOM_SEED=7 build/release/test/sim/test_chaos
 *     DARKROOM_OPERATIONS=1000000 build/release/test/sim/test_chaos      a new seed each time */
#include "test/sim/chaos_client.h"
#include "test/sim/chaos_shares.h"
#include "test/sim/level.h"

#include <time.h>

enum { OPERATIONS = 100000 };

/* --- disk, device and encoder ----------------------------------------------------------------- */

static void op_preview(struct chaos *x)
{
    struct hub *h = x->w->hub;
    struct board_image im[BOARD_CLASSES];
    struct job *j;
    struct blob *b;
    int n = 0;

    struct device *c = &h->devices.at[pick(x->w, h->devices.n)];

    if (c->n_resident == 0) return;
    j = c->resident[pick(x->w, c->n_resident)];
    b = blob_copy("picture", 7);
    for (int class = 0; class < BOARD_CLASSES; class ++)
        if (j->run.demand_classes & 1u << class)
            im[n++] = (struct board_image){
                .class = class, .width = board_class_px(class), .height = 16, .image = b};
    hub_preview(h, x->w->now, j->id, PHASE_PRIOR, im, n);
    blob_unref(b);
}

static void op_trouble(struct chaos *x)
{
    struct world *w = x->w;
    struct fake_device *d = &w->dev[pick(w, w->hub->devices.n)];
    struct fail f;
    bool was;

    if (!d->open) return;
    switch (pick(w, 4)) {
    case 0:
        if (d->n_runs == 0) break;
        fail_set(&f, chance(w, 0.3) ? ERR_OUT_OF_MEMORY : ERR_BAD_PROMPT, "a bad run");
        run_end(w, d, pick(w, d->n_runs), &f);
        break;
    case 1:
        if (chance(w, 0.3)) {
            worker_fails_on(w, d, chance(w, 0.5) ? ERR_OUT_OF_MEMORY : ERR_DEVICE, pick(w, 4));
            x->device_due = w->now + pick(w, 2000000);
        }
        break;
    case 2: /* stuck: no event for a long time */
        if (!chance(w, 0.1) || w->event_first != w->event_end) break;
        w->n_busy = d->n_runs > 0 ? 1 : 0;
        if (d->n_runs > 0) w->busy_jobs[0] = d->runs[pick(w, d->n_runs)].job;
        for (int i = 0; i < 61; i++) {
            w->now += 1000000;
            world_enter(w);
            hub_tick(w->hub, w->now);
        }
        w->n_busy = 0;
        break;
    case 3: /* the process is stopped and goes on: no device is stuck */
        if (!chance(w, 0.1)) break;
        was = w->hub->devices.at[d - w->dev].stuck;
        w->now += 100000000;
        world_enter(w);
        hub_tick(w->hub, w->now);
        MUST(w, w->hub->devices.at[d - w->dev].stuck == was, "stuck, as the process stood still");
        break;
    default: break;
    }
}

/* Those who are not away, in the hub and for its next start. */
static void set_users(struct chaos *x)
{
    struct world *w = x->w;

    w->n_users = 0;
    for (int i = 0; i < CHAOS_USERS; i++)
        if (!x->away[i]) w->users[w->n_users++] = x->user[i];
    world_enter(w);
    assert_int_equal(hub_users(w->hub, w->now, w->users, w->n_users), 0);
}

/* Users of different weights and bounds; the first is an admin, who stays. */
static void first_users(struct chaos *x)
{
    x->users = true;
    for (int i = 0; i < CHAOS_USERS; i++) {
        user_defaults(&x->user[i]);
        x->user[i].id = (uint32_t)(1 + 3 * i);
        x->user[i].lanes = (1U << LANES) - 1;
        x->user[i].weight = 1 << i % 3;
    }
    x->user[0].role = ROLE_ADMIN;
    x->user[3].running = 1;
    x->user[3].waiting = 10;
    set_users(x);
}

/* One goes, with all its connections, or comes back. */
static void op_users(struct chaos *x)
{
    int user = 1 + pick(x->w, CHAOS_USERS - 1);

    x->comings++;
    x->away[user] = !x->away[user];
    for (int i = user; x->away[user] && i < CLIENTS; i += CHAOS_USERS)
        disconnect(x, &x->c[i]);
    set_users(x);
    if (x->away[user]) shares_leave(x, user);
}

static void start_again(struct chaos *x, unsigned written)
{
    x->restarts++;
    x->abandoned += (long)x->w->hub->stats.totals.abandoned;
    for (int i = 0; i < CLIENTS; i++)
        disconnect(x, &x->c[i]);
    for (int i = 0; i < GUESTS; i++)
        guest_leave(x, &x->guest[i]);
    world_kill(x->w, written);
    world_boot(x->w);
    if (chance(x->w, 0.2)) x->w->model = x->asked_model = 1 + (uint64_t)pick(x->w, 2);
    x->device_due = x->w->now + pick(x->w, 500000);
}

/* What runs is saved, everything is stored, and the process ends. */
static void stop(struct chaos *x)
{
    struct world *w = x->w;

    for (int i = 0; !hub_idle(w->hub) && i < 1000; i++) {
        worker_take(w);
        event_deliver(w);
        encoder_answer(w, ERR_OK);
        store_answer(w, chance(w, 0.98));
    }
    MUST(w, hub_idle(w->hub), "a drain that does not end");
    start_again(x, 0);
}

static void op_restart(struct chaos *x)
{
    if (chance(x->w, 0.5)) {
        start_again(x, (unsigned)pick(x->w, 8));
        return;
    }
    hub_drain(x->w->hub, x->w->now);
    stop(x);
}

/* An administrator's drain ends the hub by its deadline, or as soon as nothing runs. */
static void check_drain(struct chaos *x)
{
    struct world *w = x->w;
    const struct hub *h = w->hub;
    int busy = h->in[JOB_ADMIT] + h->in[JOB_RUNNING] + h->in[JOB_SAVING] + h->in[JOB_ENDING];

    if (!h->draining) return;
    MUST(w, h->stopping || (busy > 0 && h->called_us < h->drain_us), "a drain that goes on");
    if (!hub_stopping(h)) return;
    x->drains++;
    stop(x);
}

/* A device that is lost comes back, or reports that it does not. */
static void open_one(struct chaos *x, int i)
{
    struct world *w = x->w;
    struct device_event *n;

    if (w->dev[i].open) return;
    if (w->now >= x->device_due) {
        worker_open_on(w, &w->dev[i]);
    } else if (chance(w, 0.05)) {
        struct fake_device *d = &w->dev[i];

        worker_take(w);
        n = event_new(w, d, DEVICE_LOST, 0);
        n->batch = 1 + pick(w, 9);
        for (n->n = 0; n->n < d->n_runs; n->n++) /* they were on their way */
            n->run[n->n].job = d->runs[n->n].job;
        d->n_runs = 0;
        fail_set(&n->fail, ERR_DEVICE, "it is gone");
    }
}

static void encode_one(struct world *w)
{
    enum err code = chance(w, 0.5) ? ERR_OUT_OF_MEMORY : ERR_INTERNAL;

    encoder_answer(w, chance(w, 0.98) ? ERR_OK : code);
}

static void op_world(struct chaos *x)
{
    struct world *w = x->w;

    switch (pick(w, 8)) {
    case 0:
        for (int n = pick(w, 4); n >= 0; n--)
            store_answer(w, chance(w, 0.99));
        break;
    case 1: encode_one(w); break;
    case 2:
        op_preview(x);
        if (w->n_disk > 0 && chance(w, 0.1))
            w->disk[pick(w, w->n_disk)]->file = false; /* too old */
        break;
    case 3:
        open_one(x, pick(w, w->hub->devices.n));
        if (chance(w, 0.02)) op_trouble(x);
        break;
    case 4:
        for (int n = pick(w, 6); n >= 0; n--)
            event_deliver(w);
        break;
    default: worker_step(w, 1000 + pick(w, 30000));
    }
}

static void pass_time(struct chaos *x)
{
    struct world *w = x->w;

    w->now += pick(w, 12000);
    if (hub_due(w->hub) > w->now || !chance(w, 0.7)) return;
    world_enter(w);
    hub_tick(w->hub, w->now);
}

/* --- invariants ------------------------------------------------------------------------------- */

/* A sweep and its cells know each other, and it is over after them. */
static void check_sweep(struct world *w, const struct job *p)
{
    const struct job_sweep *s = p->sweep;
    int over = s->counts.done + s->counts.failed + s->counts.cancelled, live = 0;

    for (int i = 0; i < s->n; i++) {
        const struct job *j = s->cell[i].job;

        if (!j) continue;
        live++;
        MUST(w, j->parent == p && j->unnoted && j->place.parent == p->id, "another's cell");
        MUST(w, (j->state == JOB_ADMIT) == (p->state == JOB_ADMIT), "accepted without its sweep");
        MUST(w, j->owner == p->owner, "another user's cell");
        MUST(w, p->state <= JOB_RUNNING, "over before its cells");
        MUST(w, p->state == JOB_RUNNING || j->state == JOB_ADMIT || job_public(j) == STATE_QUEUED,
             "a cell has begun, its sweep has not");
    }
    MUST(w, live + over == s->n && s->n == s->counts.cells, "cells that are lost");
    MUST(w, (over == s->n) == (p->state >= JOB_ENDING), "a sweep that does not end");
    MUST(w, queue_place(&w->hub->queue, p) == 0 && !p->run.device, "a sweep is drawn");
}

/* The row of this job, older than the one at `at`: both stand in order of acceptance. */
static int older_mark(const struct world *w, int at, uint64_t job)
{
    do
        at--;
    while (at >= 0 && w->marks[at].job != job);
    return at;
}

/* A job that waits, or waited until it was accepted, and only such a one is in the queue: with the
 * counts of both equal. */
static int check_place(struct world *w, const struct job *j)
{
    const struct hub *h = w->hub;
    int place = queue_place(&h->queue, j);

    MUST(w, j->held == (place == 0), "in the queue or not");
    if (j->state == JOB_QUEUED && !h->touched && devices_ready(&h->devices))
        MUST(w, j->forecast.sent_place == place, "a place that was not told");
    return place > 0;
}

static void check_jobs(struct world *w)
{
    struct hub *h = w->hub;
    int in[JOB_STATES] = {0}, n = 0, resident = 0, held = 0, at = w->n_disk, queued = 0;
    uint64_t order = UINT64_MAX;

    for (struct job *j = h->registry.newest; j; j = j->links.older) {
        const struct mark *disk = NULL;

        if (j->state != JOB_ADMIT) {
            at = older_mark(w, at, j->id);
            MUST(w, at >= 0, "a job that is not on disk, or not in order");
            disk = &w->marks[at];
        }
        MUST(w, !disk || !disk->deleted, "it was deleted");
        MUST(w, !disk || j->favourite == disk->favourite, "a favourite that is not kept");
        MUST(w, j->order < order, "order");
        order = j->order;
        n++;
        MUST(w, job_over(j) == board_ended(&j->board), "over without end, or the reverse");
        MUST(w, j->run.overall >= 0 && j->run.overall <= 1, "overall %f", j->run.overall);
        if (j->sweep) {
            check_sweep(w, j);
            continue;
        }
        in[j->state]++;
        resident += j->run.device != NULL;
        if (j->state <= JOB_QUEUED) queued += check_place(w, j);
        held += j->state == JOB_QUEUED && j->held;
        MUST(w, j->state != JOB_RUNNING || (j->run.device && !j->run.dropping), "runs nowhere");
    }
    MUST(w, queued == h->queue.n, "in the queue, and does not wait");
    MUST(w, memcmp(in, h->in, JOB_DONE * sizeof in[0]) == 0, "counts");
    MUST(w, held == h->n_held, "held jobs");
    MUST(w, n == h->registry.n && resident == devices_residents(&h->devices), "counts");
    for (int i = 0; i < h->devices.n; i++)
        MUST(w, h->devices.at[i].ledger.n == h->devices.at[i].n_resident, "the ledger");
    MUST(w, h->in[JOB_RUNNING] <= h->devices.n * LEDGER_MAX, "runs");
}

/* Whether the connection is one of those that are open. */
static bool is_open(const struct chaos *x, const struct client *p)
{
    for (int i = 0; i < CLIENTS; i++)
        if (x->c[i].client == p) return p != NULL;
    return false;
}

/* A private job is remembered for so long at most, or is looked at again within a second: its end
 * may still be told. Its picture is kept only then. */
static void check_private(struct chaos *x)
{
    const struct hub *h = x->w->hub;

    for (const struct job *j = h->registry.newest; j; j = j->links.older) {
        x->privates += j->private && j->state == JOB_DONE;
        if (!job_over(j) || j->sweep) continue;
        MUST(x->w, (j->end.file != NULL) == (j->private && j->state == JOB_DONE), "whose picture");
        MUST(x->w,
             !j->private || j->run.device || j->parent || h->called_us < j->end.until_us
                 || h->private_us <= h->called_us + 1000000,
             "a private job that is not forgotten");
    }
}

/* No job outlives its time without a viewer, by the time of the hub's last call. */
static void check_viewers(struct chaos *x)
{
    struct world *w = x->w;

    for (struct job *j = w->hub->registry.newest; j; j = j->links.older) {
        const struct client *p = j->leave.submitter;
        struct truth *t;

        MUST(w, !p || is_open(x, p), "the submitter is gone");
        if (job_over(j)) continue;
        t = truth_of(w, j->id);
        if (j->leave.unwatched_ms != t->unwatched_ms || j->subscriptions || p)
            t->unwatched_us = 0;
        else if (!t->unwatched_us)
            t->unwatched_us = w->hub->called_us;
        t->unwatched_ms = j->leave.unwatched_ms;
        if (j->sweep || j->leave.unwatched_ms == 0 || j->state >= JOB_ENDING || j->end.early
            || !t->unwatched_us)
            continue;
        MUST(w, w->hub->called_us < t->unwatched_us + j->leave.unwatched_ms * INT64_C(1000),
             "nobody has looked for too long");
    }
}

static void check_queue(struct world *w)
{
    struct hub *h = w->hub;
    int64_t last = 0;

    for (int i = 0; i < h->queue.n; i++) {
        struct job *j = h->queue.at[i];

        if (i > 0 && h->queue.at[i - 1]->spec.lane != j->spec.lane) last = 0;
        MUST(w, i == 0 || queue_before(h->queue.at[i - 1], j), "order");
        if (j->state == JOB_QUEUED && j->forecast.start_us >= 0 && !h->touched
            && j->owner->user.running == 0) {
            MUST(w, j->forecast.start_us >= last, "starts before those ahead of it");
            last = j->forecast.start_us;
        }
        MUST(w, j->forecast.end_us < 0 || j->forecast.end_us >= j->forecast.start_us,
             "ends before it starts");
    }
}

/* No accepted job is lost: what is on disk without an end is in the hub. */
static void check_disk(struct world *w)
{
    for (int i = 0; i < w->n_disk; i++)
        if (w->disk[i]->row.state == STATE_QUEUED && !w->disk[i]->deleted)
            MUST(w, registry_find(&w->hub->registry, w->disk[i]->row.job), "a job is lost");
}

/* --- the run ---------------------------------------------------------------------------------- */

/* All that is held, or waits in a pause, may start. */
static void release_all(struct chaos *x)
{
    struct chaos_client *c = &x->c[0];

    if (!c->client) connect(x, c);
    listen_to_end(x, c);
    command(x, c, 'a', "\"type\":\"resume\"");
    command(x, c, 'a', "\"type\":\"drain\",\"cancel\":true");
    for (struct job *j = x->w->hub->registry.newest; j; j = j->links.older) {
        char id[ID_TEXT];

        if (!j->held || j->state != JOB_QUEUED) continue;
        id_format(j->id, id);
        command(x, c, 'r', "\"type\":\"%s\",\"job\":\"%s\"", j->private ? "cancel" : "release", id);
        listen_to_end(x, c);
    }
}

/* Let everything come to its end: every accepted job must. */
static void finish(struct chaos *x)
{
    struct world *w = x->w;
    struct hub *h = w->hub;
    int open = 1;

    for (long i = 0; open > 0 && i < 1000000; i++) {
        w->now += 10000;
        for (int d = 0; d < h->devices.n; d++)
            if (!w->dev[d].open && w->event_first == w->event_end) worker_open_on(w, &w->dev[d]);
        worker_step(w, 10000);
        while (w->event_first != w->event_end)
            event_deliver(w);
        while (w->picture_first != w->picture_end)
            encoder_answer(w, ERR_OK);
        while (w->write_first != w->write_end)
            store_answer(w, true);
        if (hub_due(h) <= w->now) {
            world_enter(w);
            hub_tick(h, w->now);
        }
        if (h->n_held > 0 || h->paused || h->draining) release_all(x);
        open = h->in[JOB_ADMIT] + h->in[JOB_QUEUED] + h->in[JOB_RUNNING] + h->in[JOB_SAVING]
               + h->in[JOB_ENDING] + (h->sweeps != NULL);
    }
    MUST(w, open == 0, "%d jobs never end", open);
    for (int i = 0; i < CLIENTS; i++) {
        struct chaos_client *c = &x->c[i];

        listen_to_end(x, c);
        for (unsigned v = 0; c->client && v < VIEWS && v < c->n_views; v++)
            MUST(w,
                 !c->views[v].watching || !registry_find(&h->registry, c->views[v].job)
                     || c->views[v].seq >= truth_of(w, c->views[v].job)->disk->row.end_seq,
                 "a client that was not sent the end");
    }
    for (int i = 0; i < w->n_disk; i++)
        MUST(w, w->disk[i]->row.state != STATE_QUEUED || w->disk[i]->deleted,
             "a job without end on disk");
}

/* Jobs are shared and not any more, and guests come. */
static void op_sharing(struct chaos *x)
{
    struct chaos_client *c = &x->c[pick(x->w, CLIENTS)];
    int what = pick(x->w, 10);

    if (what >= 3)
        op_guest(x);
    else if (c->client && what > 0)
        op_share(x, c, some_job(x, c));
    else if (c->client)
        op_unshare(x, c, some_job(x, c));
}

static void chaos(uint64_t seed, long operations)
{
    struct chaos *x = calloc(1, sizeof *x);
    struct world *w = world_new(seed);

    assert_non_null(x);
    x->w = w;
    world_devices(w, 1 + (int)(seed % 2));
    w->woken = woken;
    w->model = x->asked_model = 1;
    if (seed % 2 == 0) first_users(x);
    w->conf.kept = w->hub->registry.kept = seed % 2 ? 200 : 5;
    for (w->step = 0; w->step < operations; w->step++) {
        pass_time(x);
        if (chance(w, 0.4))
            op_client(x);
        else
            op_world(x);
        if (x->users && chance(w, 0.05)) op_sharing(x);
        if (chance(w, 0.0005)) op_restart(x);
        if (x->users && chance(w, 0.001)) op_users(x);
        check_jobs(w);
        check_viewers(x);
        if (w->step % 16 == 0) check_private(x);
        if (w->step % 16 == 0) check_shares(x);
        check_drain(x);
        w->forecast_due = true;
        if (w->step % 16 == 0) check_queue(w);
        if (w->step % 16 == 0) check_level(w, 2); /* rates are guesses, runs are lost */
        if (w->step % 1000 == 0) check_disk(w);
    }
    finish(x);
    check_jobs(w);
    print_message("seed %llu: %ld accepted, %d stored, %ld ends read, %ld previews, %ld restarts, "
                  "%ld conflicts, %ld refused as full, %ld sweeps, %ld cells read, %ld finished, "
                  "%ld with a kept composition\n",
                  (unsigned long long)seed, x->accepted, w->n_disk, x->ends, x->previews,
                  x->restarts, x->conflicts, x->full, x->sweeps, x->cells, x->finished, x->varied);
    MUST(w, operations < OPERATIONS || x->cached > 0, "%ld pictures were found", x->cached);
    MUST(w, x->sweeps > operations / 1000 && x->cells > x->sweeps / 5, "next to no sweep");
    MUST(w, operations < OPERATIONS || (x->finished > 20 && x->varied > 100), "few of these");
    MUST(w, operations < OPERATIONS || w->lost_tokens > 20, "few lost tokens");
    x->abandoned += (long)w->hub->stats.totals.abandoned;
    MUST(w, operations < OPERATIONS || x->privates > 0, "no private picture");
    MUST(w, operations < OPERATIONS || (x->drains > 0 && x->notices > 0),
         "no drain came to its end");
    MUST(w, operations < OPERATIONS || !x->users || (x->shown > 100 && x->guest_events > 100),
         "next to nothing was shared");
    MUST(w, x->abandoned > operations / 2000, "%ld jobs lost their viewers", x->abandoned);
    MUST(w, w->checked > operations / 100, "next to no start was forecast");
    MUST(w, x->accepted > operations / 100 && x->ends > operations / 200 && x->restarts > 0,
         "the test did next to nothing");
    for (int i = 0; i < CLIENTS; i++)
        disconnect(x, &x->c[i]);
    for (int i = 0; i < GUESTS; i++)
        guest_leave(x, &x->guest[i]);
    world_free(w);
    free(x);
}

/* A job is shared, and a job that was shared is not any more, and both times the process is killed
 * as soon as the answer is read. How many of the two do not hold. */
static int kill_after_answers(bool early)
{
    struct chaos *x = calloc(1, sizeof *x);
    struct world *w = world_new(2);
    struct chaos_client *c = &x->c[0];
    uint64_t job;
    int wrong;

    assert_non_null(x);
    x->w = w;
    w->woken = woken;
    first_users(x);
    connect(x, c);
    command(x, c, 's', "\"type\":\"submit\",\"spec\":{\"prompt\":\"x\"}");
    store_answer(w, true);
    job = w->hub->registry.newest->id;
    for (int i = 0; i < 2; i++) {
        w->early_shares = early && i == 0;
        op_share(x, c, job);
        store_answer(w, true);
        if (i == 1) {
            w->early_shares = early;
            op_unshare(x, c, job);
            store_answer(w, true);
        }
        listen_to_end(x, c);
        start_again(x, 0);
        connect(x, c);
        check_shares(x);
    }
    assert_true(x->share[0].answered && x->share[1].answered && x->share[1].ended);
    wrong = w->n_wrong;
    disconnect(x, c);
    world_free(w);
    free(x);
    return wrong;
}

/* catches: an `unshare` that was answered and that a crash takes back, a `share` that it loses; and
 * a check of both that cannot fail: it must see both when the disk answers before it has them */
static void an_answer_is_not_taken_back(void **state)
{
    (void)state;
    assert_int_equal(kill_after_answers(false), 0);
    assert_int_equal(kill_after_answers(true), 2);
}

/* The worlds of seeds.txt; how many. */
static int kept_seeds(void)
{
    FILE *file = fopen("test/sim/seeds.txt", "r");
    char line[256];
    int n = 0;

    assert_non_null(file);
    while (fgets(line, sizeof line, file)) {
        char *end;
        uint64_t seed = strtoull(line, &end, 10);
        long operations = strtol(end, NULL, 10);

        if (*line == '#') continue;
        assert_true(operations > 0);
        chaos(seed, operations);
        n++;
    }
    fclose(file);
    return n;
}

/* catches: orders of events that no other test has */
static void no_order_of_events_breaks_a_rule(void **state)
{
    const char *seed = getenv("DARKROOM_SEED"), *operations = getenv("DARKROOM_OPERATIONS");

    (void)state;
    if (seed || operations)
        chaos(seed ? strtoull(seed, NULL, 10) : (uint64_t)time(NULL),
              operations ? strtol(operations, NULL, 10) : OPERATIONS);
    else
        assert_true(kept_seeds() >= 4);
}

/* catches: a check of forecasts that cannot fail. The test swaps the first two jobs of the queue,
 * which the hub does not notice. */
static void a_start_that_was_not_forecast_is_seen(void **state)
{
    struct world *w = world_new(1);
    struct command c;
    struct client *p = hub_open(w->hub, w, USER_NONE);
    struct job *first;
    uint64_t order;

    (void)state;
    w->hub->conf.concurrency = 1;
    worker_open(w);
    event_deliver(w);
    for (int i = 0; i < 3; i++) {
        static const char SUBMIT[] = "{\"type\":\"submit\",\"spec\":{\"prompt\":\"x\"}}";

        assert_int_equal(command_decode(SUBMIT, sizeof SUBMIT - 1, &w->limits, &c, NULL), 0);
        hub_command(w->hub, w->now, p, &c);
        store_answer(w, true);
    }
    assert_int_equal(w->hub->queue.n, 2);
    forecast_remember(w);
    first = w->hub->queue.at[0];
    w->hub->queue.at[0] = w->hub->queue.at[1];
    w->hub->queue.at[1] = first;
    order = first->rank;
    first->rank = w->hub->queue.at[0]->rank;
    w->hub->queue.at[0]->rank = order;
    first->share.begin = w->hub->queue.at[0]->share.begin; /* a tie, which the rank decides */
    w->wrong_forecasts = true;
    while (w->hub->queue.n == 2) {
        worker_step(w, 10000);
        while (w->event_first != w->event_end)
            event_deliver(w);
    }
    assert_int_equal(w->n_wrong, 1);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_start_that_was_not_forecast_is_seen),
        cmocka_unit_test(an_answer_is_not_taken_back),
        cmocka_unit_test(no_order_of_events_breaks_a_rule),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
