/* lifecycle - the moves of one job, each with all that follows from it. */
#include "server/core/lifecycle.h"

#include "server/core/notify.h"
#include "server/core/phases.h"
#include "server/core/previews.h"

#include <assert.h>
#include <string.h>

/* Count it in or out of what is in its state: pictures alone, so no sweep. */
static void count(struct hub *h, const struct job *j, int by)
{
    if (j->sweep) return;
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

void lifecycle_recall(struct hub *h, struct job *j)
{
    registry_insert(&h->registry, j);
    count(h, j, 1);
}

void lifecycle_move(struct hub *h, struct job *j, enum job_move move)
{
    count(h, j, -1);
    if (job_move(j, move) != 0) assert(!"a move that the table of job.c does not know");
    count(h, j, 1);
    if (j->parent) j->parent->sweep->touched = h->sweeps_touched = true;
    notify_touch(h);
}

void lifecycle_forget(struct hub *h, struct job *j)
{
    assert(j->state == JOB_ADMIT);
    count(h, j, -1);
    registry_drop(&h->registry, j);
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

static unsigned in_memory(const struct job *j)
{
    unsigned bits = 0;

    for (int i = 0; i < j->spec.images; i++)
        bits |= (unsigned)(j->source[i] != NULL) << i;
    return bits;
}

struct hub_row lifecycle_row(const struct job *j)
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
                            .favourite = j->favourite,
                            .private = j->private,
                            .in_memory = in_memory(j),
                            .steps = j->steps,
                            .unwatched_ms = j->leave.unwatched_ms,
                            .place = j->place,
                            .sweep = j->sweep ? j->sweep->axes : NULL,
                            .cells = j->sweep ? j->sweep->kept : NULL,
                            .state = STATE_QUEUED};
}

void lifecycle_placed(struct hub *h, const struct job *j)
{
    struct hub_row r = lifecycle_row(j);

    assert(j->state != JOB_ADMIT);
    h->out.store_place(h->out.arg, &r);
    notify_touch(h);
}

/* Held, it has no place and no times; nothing is learnt from how long it takes. */
static void post_held(struct hub *h, int64_t now, struct job *j)
{
    h->n_held++;
    j->owner->held++;
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

/* What was foreseen with a job that comes or goes is void, where playing the queue anew is cheap;
 * a long one is played four times a second. */
static void forecast_void(struct hub *h)
{
    if (h->queue.n <= HUB_CHEAP_JOBS) h->estimated_us = INT64_MIN / 2;
}

void lifecycle_hold(struct hub *h, int64_t now, struct job *j)
{
    assert(j->state == JOB_QUEUED && !j->held);
    leave(h, j, lanes_hold);
    forecast_void(h);
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
    j->owner->held--;
    lanes_release(&h->lanes, &h->queue, j);
    await(h, j);
    if (!j->planned) h->planning = true;
}

void lifecycle_release(struct hub *h, struct job *j)
{
    assert(j->state == JOB_QUEUED && j->held);
    unhold(h, j);
    forecast_void(h);
    lifecycle_placed(h, j);
}

/* --- the device and back ---------------------------------------------------------------------- */

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

void lifecycle_start(struct hub *h, int64_t now, struct job *j, struct device *d)
{
    const struct spec spec = job_drawn(j);
    struct hub_work w = {.job = j->id,
                         .spec = &spec,
                         .plan = &j->plan,
                         .checkpoint = j->run.checkpoint,
                         .steps = j->steps};
    int phase = first_phase(j);

    assert(j->planned && j->state == JOB_QUEUED);
    memcpy(w.source, j->source, sizeof w.source);
    leave(h, j, lanes_start);
    lifecycle_move(h, j, MOVE_START);
    device_hold(d, now, j, &h->eta);
    w.place = j->run.place.at;
    if (!j->run.started_us && j->forecast.accepted_us)
        stats_wait(&h->stats, (enum user_lane)j->spec.lane, now - j->forecast.accepted_us);
    j->run.started_us = now;
    j->run.displaced = false;
    j->run.used_us = j->run.past_us = j->run.past_used_us = 0;
    j->run.from = 0;
    j->run.keep = w.keep = !j->private;
    if (h->refused > 0) h->refused--;
    j->run.view =
        (struct glm_progress){.phase = (enum glm_phase)phase, .total = j->plan.cost.quanta[phase]};
    j->forecast.sent_place = 0;
    j->run.progress_us = INT64_MIN / 2;
    j->run.waits = j->forecast.sent_why = -1;
    w.demand = previews_demand(j);
    j->run.demand_classes = w.demand.classes;
    j->run.demand_every_ms = w.demand.every_ms;
    w.scratch = ledger_scratch(&d->ledger, NULL);
    board_clear(&j->board, EVENT_QUEUE);
    clients_posted(&h->clients, j, now);
    notify_post(
        h, now, j,
        &(struct event){.kind = EVENT_PHASE,
                        .u.phase = {phases_wire((enum glm_phase)phase), j->run.view.total}});
    h->out.start(h->out.arg, d->index, &w);
    drop_checkpoint(j);
}

void lifecycle_requeue(struct hub *h, int64_t now, struct job *j)
{
    assert(j->state == JOB_RUNNING || j->state == JOB_SAVING);
    lifecycle_move(h, j, MOVE_REQUEUE);
    blob_unref(j->end.tokens); /* of a picture that was lost with the encoder */
    j->end.tokens = NULL;
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
    device_drop(j);
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

/* --- the end ---------------------------------------------------------------------------------- */

/* The numbers that `result` and `end` will get: nothing else is posted once a job is ending. */
void lifecycle_store_end(struct hub *h, struct job *j)
{
    struct hub_row r = lifecycle_row(j);
    bool picture = j->end.outcome == JOB_DONE && !j->sweep;

    assert(j->state == JOB_ENDING);
    r.state = job_outcome(j);
    r.result_seq = picture ? j->board.seq + 1 : 0;
    r.end_seq = j->board.seq + (picture ? 2 : 1);
    r.result_digest = picture ? j->end.digest : NULL;
    r.result_bytes = j->end.bytes;
    r.result_us = j->run.spent_us;
    r.steps = j->end.steps;
    r.tokens = j->end.outcome == JOB_DONE ? j->end.tokens : NULL;
    r.model = j->end.model;
    r.error = r.state == STATE_FAILED ? &j->end.error : NULL;
    r.again = j->end.tried == r.state;
    j->end.tried = r.state;
    h->n_storing++;
    h->out.store_end(h->out.arg, &r, picture ? j->end.file : NULL);
}

void lifecycle_end(struct hub *h, struct job *j, enum job_state outcome, const struct fail *why)
{
    assert(outcome >= JOB_DONE && (outcome == JOB_FAILED) == (why != NULL) && !j->sweep);
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
        device_drop(j);
        h->out.drop(h->out.arg, j->run.device->index, j->id);
    }
    lifecycle_store_end(h, j);
}

void lifecycle_cancel(struct hub *h, struct job *j)
{
    assert(j->state < JOB_ENDING && !j->sweep);
    j->end.cancelled_us = h->called_us;
    if (j->state == JOB_ADMIT)
        j->end.early = true;
    else
        lifecycle_end(h, j, JOB_CANCELLED, NULL);
    forecast_void(h);
}

void lifecycle_orphans(struct hub *h)
{
    struct job *older;

    for (struct job *j = h->registry.newest; j; j = older) {
        older = j->links.older;
        if (!j->owner->gone || j->owner->user.id == USER_NONE) continue;
        if (j->state < JOB_ENDING && !j->sweep) lifecycle_cancel(h, j);
    }
}

void lifecycle_lose(struct hub *h, int64_t now, struct job *j, const struct fail *why)
{
    if (j->state != JOB_RUNNING && j->state != JOB_SAVING) return;
    if (++j->run.retries < HUB_RETRIES_MAX)
        lifecycle_requeue(h, now, j);
    else
        lifecycle_end(h, j, JOB_FAILED, why);
}
