/* lifecycle - the moves of one job, each with all that follows from it. */
#include "server/core/lifecycle.h"

#include "server/core/capacity.h"
#include "server/core/forecast.h"
#include "server/core/notify.h"
#include "server/core/previews.h"

#include "proto/answer.h"
#include "proto/url.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* Count it in or out of what is in its state. */
static void count(struct hub *h, const struct job *j, int by)
{
    h->in[j->state] += by;
    if (j->state == JOB_ADMIT || j->state == JOB_QUEUED) j->owner->waiting += by;
    if (j->state == JOB_RUNNING) j->owner->running += by;
    assert(h->in[j->state] >= 0 && j->owner->waiting >= 0 && j->owner->running >= 0);
}

void lifecycle_add(struct hub *h, struct job *j)
{
    registry_add(&h->registry, j);
    count(h, j, 1);
}

void lifecycle_move(struct hub *h, struct job *j, enum job_move move)
{
    count(h, j, -1);
    if (job_move(j, move) != 0) assert(!"a move that the table of job.c does not know");
    count(h, j, 1);
    notify_touch(h);
}

struct job *lifecycle_find(const struct hub *h, uint64_t id)
{
    struct job *j = registry_find(&h->registry, id);

    return j && j->state != JOB_ADMIT ? j : NULL;
}

/* --- waiting ---------------------------------------------------------------------------------- */

/* A waiting job has a place to be sent, from here to leave(). */
static void await(struct hub *h, const struct job *j)
{
    assert(j->state == JOB_QUEUED);
    h->unplaced += j->forecast.sent_place == 0;
}

/* It waits no more, for this reason: lanes_start() or lanes_leave(). */
static void leave(struct hub *h, struct job *j,
                  void (*how)(struct lanes *, struct queue *, struct job *))
{
    assert(j->state == JOB_QUEUED);
    how(&h->lanes, &h->queue, j);
    h->unplaced -= j->forecast.sent_place == 0;
}

static struct hub_row row_of(const struct job *j)
{
    return (struct hub_row){.job = j->id,
                            .order = j->order,
                            .created_ms = j->created_ms,
                            .owner = j->owner->user.id,
                            .key = j->key,
                            .digest = j->digest,
                            .spec = &j->spec,
                            .accepted_seq = j->board.at[EVENT_ACCEPTED],
                            .held = j->held,
                            .rank = j->rank,
                            .state = STATE_QUEUED};
}

void lifecycle_placed(struct hub *h, const struct job *j)
{
    struct hub_row r = row_of(j);

    assert(j->state == JOB_QUEUED);
    h->out.store_place(h->out.arg, &r);
    notify_touch(h);
}

/* Held, it has no place and no times; nothing is learnt from how long it takes. */
static void post_held(struct hub *h, int64_t now, struct job *j)
{
    h->n_held++;
    j->forecast.sent_place = 0;
    j->forecast.start_us = j->forecast.end_us = -1;
    j->forecast.first_us = 0;
    notify_post(
        h, now, j,
        &(struct event){
            .kind = EVENT_QUEUE,
            .u.queue = {
                .start_ms = -1, .eta_ms = -1, .eta_lo_ms = -1, .eta_hi_ms = -1, .why = WHY_HELD}});
}

void lifecycle_wait(struct hub *h, int64_t now, struct job *j)
{
    assert(j->state == JOB_ADMIT);
    lifecycle_move(h, j, MOVE_STORED);
    if (j->held) {
        post_held(h, now, j);
    } else {
        lanes_ready(&h->lanes, j);
        await(h, j);
    }
    if (!j->planned) h->planning = true;
}

void lifecycle_hold(struct hub *h, int64_t now, struct job *j)
{
    assert(j->state == JOB_QUEUED && !j->held);
    leave(h, j, lanes_hold);
    j->held = true;
    post_held(h, now, j);
    lifecycle_placed(h, j);
}

/* Back into the queue, to stay or to leave it properly. */
static void unhold(struct hub *h, struct job *j)
{
    if (!j->held) return;
    j->held = false;
    h->n_held--;
    lanes_release(&h->lanes, &h->queue, j);
    await(h, j);
    if (!j->planned) h->planning = true;
}

void lifecycle_release(struct hub *h, struct job *j)
{
    assert(j->state == JOB_QUEUED && j->held);
    unhold(h, j);
    lifecycle_placed(h, j);
}

/* The numbers that `result` and `end` will get: nothing else is posted once a job is ending. */
static void store_end(struct hub *h, const struct job *j)
{
    struct hub_row r = row_of(j);
    bool done = j->end.outcome == JOB_DONE;

    assert(j->state == JOB_ENDING);
    r.state = done ? STATE_DONE : j->end.outcome == JOB_CANCELLED ? STATE_CANCELLED : STATE_FAILED;
    r.result_seq = done ? j->board.seq + 1 : 0;
    r.end_seq = j->board.seq + (done ? 2 : 1);
    r.result_digest = j->end.digest;
    r.result_bytes = j->end.bytes;
    r.result_us = j->run.spent_us;
    r.error = r.state == STATE_FAILED ? &j->end.error : NULL;
    h->n_storing++;
    h->out.store_end(h->out.arg, &r, done ? j->end.file : NULL);
}

/* --- acceptance ------------------------------------------------------------------------------- */

static uint64_t new_id(struct hub *h)
{
    uint64_t id;

    do
        id = h->out.random(h->out.arg);
    while (id == 0 || registry_find(&h->registry, id));
    return id;
}

struct job *lifecycle_accept(struct hub *h, int64_t now, struct account *owner, struct command *c,
                             const uint8_t *digest, const struct job_plan *plan)
{
    struct spec *spec = &c->spec;
    struct job *j;
    struct hub_row r;

    if (queue_reserve(&h->queue, h->registry.n + 1) != 0) return NULL;
    if (spec->seed == SPEC_SEED_PICK) spec->seed = (int64_t)(h->out.random(h->out.arg) >> 32);
    j = job_new(new_id(h), owner, spec, h->conf.boot << 32);
    if (!j) return NULL;
    j->planned = plan != NULL;
    if (plan) j->plan = *plan;
    memccpy(j->key, c->key, '\0', sizeof j->key - 1);
    memcpy(j->digest, digest, sizeof j->digest);
    j->created_ms = notify_unix_ms(h, now);
    if (!board_post(&j->board, &(struct event){.kind = EVENT_ACCEPTED,
                                               .u.accepted = {.spec = &j->spec,
                                                              .key = j->key,
                                                              .created_ms = j->created_ms}})) {
        job_free(j);
        return NULL;
    }
    j->order = j->rank = ++h->last_order;
    j->held = c->hold;
    lifecycle_add(h, j);
    if (!j->held) lanes_join(&h->lanes, &h->queue, j);
    notify_touch(h);
    r = row_of(j);
    h->n_storing++;
    h->out.store_accept(h->out.arg, &r);
    return j;
}

void lifecycle_reply(struct hub *h, int64_t now, const struct job *j, struct pending_reply *a,
                     bool watch)
{
    uint64_t seq = j->board.at[EVENT_ACCEPTED];
    struct event e = {.kind = EVENT_ACCEPTED,
                      .u.accepted = {.spec = &j->spec, .key = j->key, .created_ms = j->created_ms}};
    struct forecast_times times;
    struct text t;

    assert(seq > 0);
    a->job = j->id;
    a->seq = seq;
    a->act = watch ? REPLY_JOIN : REPLY_NONE;
    if (!job_over(j) && j->forecast.end_us > now) {
        forecast_job(h, now, j, &times);
        e.u.accepted.eta_ms = times.eta_ms;
        e.u.accepted.eta_lo_ms = times.lo_ms;
        e.u.accepted.eta_hi_ms = times.hi_ms;
    }
    text_init(&t, BLOB_HEAD, LIMIT_OUTBOX_BYTES);
    event_encode(&e, j->id, seq, a->ref, &t);
    client_reply_ready(&h->clients, a, blob_from_text(&t));
    text_free(&t);
}

/* Take the submits that wait for a job, in the order in which they came. */
static struct pending_reply *take_waiters(struct job *j)
{
    struct pending_reply *in_order = NULL;

    while (j->waiters) {
        struct pending_reply *a = j->waiters;

        j->waiters = a->waiter_next;
        a->waiter_next = in_order;
        in_order = a;
    }
    return in_order;
}

static void accepted(struct hub *h, int64_t now, struct job *j)
{
    lifecycle_wait(h, now, j);
    if (!j->held) forecast_accepted(h, now, j);
    for (struct pending_reply *a = take_waiters(j), *next; a; a = next) {
        next = a->waiter_next;
        lifecycle_reply(h, now, j, a, a->wanted);
    }
    if (j->end.early) lifecycle_end(h, j, JOB_CANCELLED, NULL);
}

/* The disk did not take the row: answer the submits with the error and forget the job. */
static void refused(struct hub *h, struct job *j, const struct fail *why)
{
    for (struct pending_reply *a = take_waiters(j), *next; a; a = next) {
        struct text t;

        next = a->waiter_next;
        a->job = 0;
        text_init(&t, BLOB_HEAD, LIMIT_OUTBOX_BYTES);
        answer_error(a->ref, COMMAND_SUBMIT, 0, why, &t);
        client_reply_ready(&h->clients, a, blob_from_text(&t));
        text_free(&t);
    }
    if (!j->held) lanes_leave(&h->lanes, &h->queue, j);
    notify_touch(h);
    count(h, j, -1);
    registry_drop(&h->registry, j);
}

/* Compare the first estimate with what came, and hand out measured rates to be kept. What a device
 * or a disk that failed has added teaches nothing. */
static void judge(struct hub *h, int64_t now, const struct job *j, bool was_refused)
{
    if (j->end.outcome != JOB_DONE) return;
    stats_run(&h->stats, j->run.spent_us);
    if (j->run.retries == 0 && !was_refused) {
        eta_tail(&h->eta, now - j->run.started_us - (j->run.spent_us - j->run.past_us));
        eta_judge(&h->eta, j->forecast.kind, j->forecast.first_us, now - j->forecast.accepted_us);
        stats_estimate(&h->stats, j->forecast.first_us, now - j->forecast.accepted_us);
    }
    if (now - h->rates_us < HUB_RATES_US) return;
    h->rates_us = now;
    h->out.rates(h->out.arg, &h->eta.known);
}

/* --- on the device ---------------------------------------------------------------------------- */

static int first_phase(const struct job *j)
{
    int p = 0;

    while (p < GLM_DECODE && j->plan.cost.quanta[p] <= 0)
        p++;
    return p;
}

static void drop_checkpoint(struct job *j)
{
    blob_unref(j->run.checkpoint);
    j->run.checkpoint = NULL;
}

static void start(struct hub *h, int64_t now, struct job *j, struct device *d)
{
    struct hub_work w = {
        .job = j->id, .spec = &j->spec, .plan = &j->plan, .checkpoint = j->run.checkpoint};
    int phase = first_phase(j);

    assert(j->planned && j->state == JOB_QUEUED);
    leave(h, j, lanes_start);
    lifecycle_move(h, j, MOVE_START);
    device_hold(d, now, j);
    if (!j->run.started_us && j->forecast.accepted_us)
        stats_wait(&h->stats, now - j->forecast.accepted_us);
    j->run.started_us = now;
    j->run.displaced = false;
    j->run.used_us = j->run.past_us = j->run.past_used_us = 0;
    j->run.from = 0;
    j->run.keep = w.keep = true;
    if (h->refused > 0) h->refused--;
    j->run.view =
        (struct glm_progress){.phase = (enum glm_phase)phase, .total = j->plan.cost.quanta[phase]};
    j->forecast.sent_place = 0;
    j->run.progress_us = INT64_MIN / 2;
    w.demand = previews_demand(j);
    j->run.demand_classes = w.demand.classes;
    j->run.demand_every_ms = w.demand.every_ms;
    w.scratch = ledger_scratch(&d->ledger, NULL);
    board_clear(&j->board, EVENT_QUEUE);
    clients_posted(&h->clients, j, now);
    notify_post(h, now, j,
                &(struct event){.kind = EVENT_PHASE,
                                .u.phase = {(enum event_phase)phase, j->run.view.total}});
    h->out.start(h->out.arg, d->index, &w);
    drop_checkpoint(j);
}

void lifecycle_requeue(struct hub *h, int64_t now, struct job *j)
{
    assert(j->state == JOB_RUNNING || j->state == JOB_SAVING);
    lifecycle_move(h, j, MOVE_REQUEUE);
    j->run.floor = j->run.overall;
    j->run.ran_us = j->run.past_us + now - j->run.started_us;
    j->run.ran_used_us = j->run.past_used_us + j->run.used_us;
    board_clear(&j->board, EVENT_PHASE);
    board_clear(&j->board, EVENT_PROGRESS);
    board_clear(&j->board, EVENT_PREVIEW);
    clients_posted(&h->clients, j, now);
    j->forecast.start_us = j->forecast.end_us = -1;
    lanes_return(&h->lanes, &h->queue, j);
    await(h, j);
    if (!j->run.device || j->run.dropping) return;
    j->run.dropping = true;
    h->out.suspend(h->out.arg, j->run.device->index, j->id);
}

void lifecycle_finished(struct hub *h, int64_t now, struct job *j)
{
    if (j->state == JOB_QUEUED) {
        unhold(h, j);
        leave(h, j, lanes_start);
        j->forecast.sent_place = 0;
        board_clear(&j->board, EVENT_QUEUE);
        clients_posted(&h->clients, j, now);
    }
    j->run.spent_us = j->run.past_us + now - j->run.started_us;
    lifecycle_move(h, j, MOVE_FINISHED);
}

/* Plan a waiting job; one that can never run ends. */
static bool plan_waiting(struct hub *h, struct job *j)
{
    struct fail f;

    if (capacity_plan(h, &j->spec, &j->plan, &f) != 0) {
        lifecycle_end(h, j, JOB_FAILED, &f);
        return false;
    }
    j->planned = true;
    return true;
}

void lifecycle_plan_some(struct hub *h)
{
    int some = 32;

    if (!devices_ready(&h->devices) || !h->planning) return;
    for (int i = 0; i < h->queue.n;) {
        struct job *j = h->queue.at[i];

        if (!j->planned && some-- == 0) return;
        if (j->planned || j->state == JOB_ADMIT || plan_waiting(h, j)) i++;
    }
    h->planning = false;
    lanes_changed(&h->lanes, &h->accounts);
    notify_touch(h);
}

/* Of a lane the first waiting jobs that may start; those on their way to the disk do not count
 * yet. How many there are in job[] and waiting[] then. */
static int first_of_lane(const struct hub *h, const struct dispatch_state *s, enum user_lane lane,
                         struct job **job, struct dispatch_job *waiting, int n)
{
    int most = n + DISPATCH_WINDOW;

    for (int i = queue_rank(&h->queue, lane, -HUGE_VAL); i < h->queue.n && n < most; i++) {
        struct job *j = h->queue.at[i];

        if (j->spec.lane != (int)lane) break;
        if (j->state == JOB_ADMIT) continue;
        job[n] = j;
        waiting[n] = lanes_turn(&h->lanes, j);
        n += dispatch_allows(s, &waiting[n]);
    }
    return n;
}

/* Its place is needed by an urgent job: it goes on later from where it stands. */
static void displace(struct hub *h, int64_t now, struct job *j)
{
    lifecycle_requeue(h, now, j);
    j->run.displaced = true;
}

/* Follow the rule once. False: nothing can start now. */
static bool dispatch_once(struct hub *h, int64_t now)
{
    struct job *job[DISPATCH_WINDOW * LANES];
    struct dispatch_job waiting[DISPATCH_WINDOW * LANES];
    struct dispatch_state s;
    struct dispatch_choice c;
    int n = 0;

    capacity_state(h, &s);
    if (!dispatch_room(&s) && h->queue.at[0]->spec.lane != LANE_URGENT) return false;
    for (int lane = 0; lane < LANES; lane++)
        n = first_of_lane(h, &s, (enum user_lane)lane, job, waiting, n);
    c = dispatch_next(&s, waiting, n);
    switch (c.verdict) {
    case DISPATCH_WAIT: return false;
    case DISPATCH_PLAN: plan_waiting(h, job[c.job]); return true;
    case DISPATCH_DISPLACE:
        displace(h, now, h->devices.at[c.device].resident[c.resident]);
        return true;
    case DISPATCH_START:
        dispatch_started(&s, &waiting[c.job],
                         queue_rank(&h->queue, LANE_BATCH, -HUGE_VAL) < h->queue.n);
        h->lanes.passed_s = s.passed_s;
        start(h, now, job[c.job], &h->devices.at[c.device]);
        return true;
    }
    return false;
}

void lifecycle_dispatch(struct hub *h, int64_t now)
{
    while (!h->stopping && !h->paused && h->n_refused == 0 && h->queue.n > 0
           && dispatch_once(h, now))
        ;
}

/* What waits meanwhile teaches the estimates nothing. */
void lifecycle_pause(struct hub *h, bool paused)
{
    if (h->paused == paused) return;
    h->paused = paused;
    for (int i = 0; i < h->queue.n; i++)
        h->queue.at[i]->forecast.first_us = 0;
    notify_touch(h);
    h->pushed_us = INT64_MIN / 2; /* at once */
}

void lifecycle_drain(struct hub *h, int64_t now)
{
    h->stopping = true;
    if (eta_measured(&h->eta)) h->out.rates(h->out.arg, &h->eta.known);
    for (int k = 0; k < h->devices.n; k++)
        for (int i = 0; i < h->devices.at[k].n_resident; i++)
            if (h->devices.at[k].resident[i]->state == JOB_RUNNING)
                lifecycle_requeue(h, now, h->devices.at[k].resident[i]);
    notify_touch(h);
    h->pushed_us = INT64_MIN / 2; /* so that forecast_push() does not hold `stopping` back */
}

/* --- the end ---------------------------------------------------------------------------------- */

void lifecycle_end(struct hub *h, struct job *j, enum job_state outcome, const struct fail *why)
{
    assert(outcome >= JOB_DONE && (outcome == JOB_FAILED) == (why != NULL));
    if (j->state == JOB_QUEUED) {
        unhold(h, j);
        leave(h, j, lanes_leave);
    } else
        lanes_end(&h->lanes, j);
    lifecycle_move(h, j, MOVE_END);
    drop_checkpoint(j);
    j->end.outcome = outcome;
    if (why) j->end.error = *why;
    if (j->run.device && !j->run.dropping) {
        j->run.dropping = true;
        h->out.drop(h->out.arg, j->run.device->index, j->id);
    }
    store_end(h, j);
}

static bool post_result(struct hub *h, int64_t now, struct job *j)
{
    char url[URL_TEXT];
    struct event e = {.kind = EVENT_RESULT,
                      .u.result = {.url = url,
                                   .digest = j->end.digest,
                                   .width = j->spec.width,
                                   .height = j->spec.height,
                                   .seed = j->spec.seed,
                                   .seconds = (double)j->run.spent_us / 1e6,
                                   .bytes = j->end.bytes}};

    if (j->board.at[EVENT_RESULT]) return true;
    url_picture(j->end.digest, url);
    notify_post(h, now, j, &e);
    return j->board.at[EVENT_RESULT] != 0;
}

/* The end is durable: post `result` and `end`. What memory refuses is tried again. */
static void post_end(struct hub *h, int64_t now, struct job *j)
{
    static const enum job_move MOVE[] = {
        [JOB_DONE] = MOVE_DONE, [JOB_FAILED] = MOVE_FAILED, [JOB_CANCELLED] = MOVE_CANCELLED};
    struct event end = {.kind = EVENT_END};
    bool was_refused = j->end.refused;

    j->end.on_disk = true;
    if (j->end.refused) h->n_refused--;
    j->end.refused = false;
    if (j->end.outcome == JOB_DONE && !post_result(h, now, j)) {
        h->again_us = now + HUB_AGAIN_US;
        return;
    }
    end.u.end.state = j->end.outcome == JOB_DONE        ? STATE_DONE
                      : j->end.outcome == JOB_CANCELLED ? STATE_CANCELLED
                                                        : STATE_FAILED;
    end.u.end.error = j->end.outcome == JOB_FAILED ? &j->end.error : NULL;
    notify_post(h, now, j, &end);
    if (!board_ended(&j->board)) {
        h->again_us = now + HUB_AGAIN_US;
        return;
    }
    blob_unref(j->end.file);
    j->end.file = NULL;
    lifecycle_move(h, j, MOVE[j->end.outcome]);
    stats_end(&h->stats, now, j->end.outcome);
    judge(h, now, j, was_refused);
    registry_over(&h->registry, j);
}

void lifecycle_cancel(struct hub *h, struct job *j)
{
    assert(j->state < JOB_ENDING);
    j->end.cancelled_us = h->called_us;
    if (j->state == JOB_ADMIT)
        j->end.early = true;
    else
        lifecycle_end(h, j, JOB_CANCELLED, NULL);
}

void lifecycle_orphans(struct hub *h)
{
    struct job *older;

    for (struct job *j = h->registry.newest; j; j = older) {
        older = j->links.older;
        if (!j->owner->gone || j->owner->user.id == USER_NONE) continue;
        if (j->state < JOB_ENDING) lifecycle_cancel(h, j);
    }
}

void lifecycle_again(struct hub *h, int64_t now)
{
    struct job *older;

    if (now < h->again_us) return;
    h->again_us = INT64_MAX;
    for (struct job *j = h->registry.newest; j; j = older) {
        older = j->links.older;
        if (j->state != JOB_ENDING) continue;
        if (j->end.on_disk) post_end(h, now, j);
        if (!j->end.refused || j->end.asked) continue;
        j->end.asked = true;
        store_end(h, j);
    }
}

int64_t lifecycle_due(const struct hub *h)
{
    return h->planning && devices_ready(&h->devices) ? 0 : h->again_us;
}

void lifecycle_lose(struct hub *h, int64_t now, struct job *j, const struct fail *why)
{
    if (j->state != JOB_RUNNING && j->state != JOB_SAVING) return;
    if (++j->run.retries < HUB_RETRIES_MAX)
        lifecycle_requeue(h, now, j);
    else
        lifecycle_end(h, j, JOB_FAILED, why);
}

/* --- answers of the disk and the encoder ------------------------------------------------------ */

/* Whether the same row may be taken later: the disk is full, no descriptor is left, .. */
static bool may_pass(const struct fail *why)
{
    return why->code == ERR_IO || why->code == ERR_OUT_OF_MEMORY;
}

void lifecycle_disk(struct hub *h, int64_t now, const struct fail *why)
{
    bool was = h->disk.code != 0;

    h->disk = why ? *why : (struct fail){0};
    if (was == (why != NULL)) return;
    if (was && h->n_refused > 0) h->again_us = now;
    capacity_explain(h);
}

/* An end that cannot be stored is not posted: after a restart the job would run again and come to
 * another one. The disk is asked until it takes it. A finished picture waits in memory; since
 * nothing is started meanwhile, there are at most as many as were on the devices and with the
 * encoder. */
static void end_not_stored(struct hub *h, int64_t now, struct job *j, const struct fail *why)
{
    if (!may_pass(why) && j->end.outcome != JOB_DONE) {
        post_end(h, now, j); /* its row is wrong: another try changes nothing */
        return;
    }
    if (!may_pass(why)) {
        blob_unref(j->end.file);
        j->end.file = NULL;
        j->end.outcome = JOB_FAILED;
        j->end.error = *why;
    }
    if (!j->end.refused) h->n_refused++;
    j->end.refused = true;
    j->end.asked = false;
    if (h->again_us == INT64_MAX) h->again_us = now + HUB_AGAIN_US;
}

void lifecycle_stored(struct hub *h, int64_t now, uint64_t job, const struct fail *why)
{
    struct job *j = registry_find(&h->registry, job);

    assert(j && h->n_storing > 0);
    h->n_storing--;
    if (!why || may_pass(why)) lifecycle_disk(h, now, why);
    if (j->state == JOB_ADMIT && why)
        refused(h, j, why);
    else if (j->state == JOB_ADMIT)
        accepted(h, now, j);
    else if (why)
        end_not_stored(h, now, j, why);
    else
        post_end(h, now, j);
}

void lifecycle_encoded(struct hub *h, int64_t now, uint64_t job, struct blob *file,
                       const char *digest, const struct fail *why)
{
    struct job *j = registry_find(&h->registry, job);

    assert(h->n_encoding > 0);
    h->n_encoding--;
    if (!j || j->state != JOB_SAVING) return; /* cancelled meanwhile */
    if (!file && why->code == ERR_OUT_OF_MEMORY) {
        lifecycle_lose(h, now, j, why);
        return;
    }
    if (file) {
        j->end.file = blob_ref(file);
        j->end.bytes = (int64_t)file->len;
        memccpy(j->end.digest, digest, '\0', sizeof j->end.digest - 1);
        lifecycle_end(h, j, JOB_DONE, NULL);
    } else {
        lifecycle_end(h, j, JOB_FAILED, why);
    }
}
