/* device_events - handles the devices' events: quanta, the ends of runs, failures; and the
 * watchdog for their silence. */
#include "server/core/device_events.h"

#include "server/core/capacity.h"
#include "server/core/composition.h"
#include "server/core/finish.h"
#include "server/core/lifecycle.h"
#include "server/core/notify.h"
#include "server/core/phases.h"
#include "server/core/placing.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static void release(struct hub *h, struct job *j)
{
    assert(j->run.device);
    device_release(j);
    notify_touch(h);
}

/* --- quanta ----------------------------------------------------------------------------------- */

static void post_progress(struct hub *h, int64_t now, struct job *j, enum glm_phase phase, int done,
                          int total)
{
    if (done < total && now - j->run.progress_us < HUB_PROGRESS_US) return;
    j->run.progress_us = now;
    notify_progress(h, now, j, phase, done, total);
}

static void show(struct hub *h, int64_t now, struct job *j, const struct glm_progress *v)
{
    struct glm_progress before = j->run.view;
    double part = (v->overall - j->run.from) / (1 - j->run.from);
    double overall = j->run.floor + (1 - j->run.floor) * part;

    j->run.view = *v;
    if (overall > j->run.overall) j->run.overall = overall < 1 ? overall : 1;
    if (v->phase == before.phase) {
        post_progress(h, now, j, v->phase, v->done, v->total);
        return;
    }
    post_progress(h, now, j, before.phase, before.total, before.total);
    if (v->phase >= GLM_DONE) return;
    notify_post(h, now, j,
                &(struct event){.kind = EVENT_PHASE, .u.phase = {phases_wire(v->phase), v->total}});
    if (v->done > 0) post_progress(h, now, j, v->phase, v->done, v->total);
}

static void check_time(struct hub *h, struct job *j)
{
    struct fail f;

    if (j->run.view.phase >= GLM_DONE) return;
    if (j->run.past_used_us + j->run.used_us <= (int64_t)h->conf.job_seconds * 1000000) return;
    fail_set(&f, ERR_TIMEOUT, "The picture took more than %d s of computing time",
             h->conf.job_seconds);
    fail_advise(&f, "Ask for fewer steps or a smaller size.");
    lifecycle_end(h, j, JOB_FAILED, &f);
}

/* Planned work of the quantum that this run has advanced by. */
static double done_by(const struct job *j, enum glm_phase phase, const struct glm_progress *after)
{
    return j->plan.cost.work[phase] * (eta_left(&j->run.view, phase) - eta_left(after, phase));
}

/* What each has done of a quantum, and the sum; < 0: not all of them are known. */
static double work_of(const struct device *c, const struct device_event *n, double *work)
{
    double all = 0;

    for (int i = 0; i < n->n; i++) {
        const struct job *j = device_find(c, n->run[i].job);

        if (!j || j->plan.cost.quanta[n->phase] <= 0) return -1;
        work[i] = done_by(j, n->phase, &n->run[i].view);
        all += work[i];
    }
    return all;
}

/* The prior begins with its prompt. */
static bool prefills(const struct job *j, enum glm_phase phase)
{
    const struct glm_progress *v = &j->run.view;

    return phase == GLM_PRIOR && (v->prefill || v->phase < GLM_PRIOR || v->done == 0);
}

static int max(int a, int b)
{
    return a > b ? a : b;
}

static void learn(struct hub *h, const struct device *c, const struct device_event *n, double work,
                  int64_t elapsed_us)
{
    enum eta_stage stage = ETA_STAGES;
    int size = 0, quanta = 0;

    for (int i = 0; i < n->n; i++) {
        const struct job *j = device_find(c, n->run[i].job);

        stage = eta_stage_of(n->phase, prefills(j, n->phase));
        quanta = max(quanta, eta_quanta(&j->plan.cost, stage));
        size = max(size, eta_size(stage, &j->plan.cost, j->spec.width * j->spec.height));
    }
    eta_learn(&h->eta, stage, size, n->n, work, elapsed_us, quanta);
    stats_quantum(&h->stats, n->phase, n->n, elapsed_us);
    h->stats.totals.previews_missed += n->previews_missed;
}

/* Less the time for which the process was stopped: that was no work. A quantum shorter than the
 * stop ended before it and is left as it is. */
static int64_t worked_us(struct device *c, int64_t elapsed_us)
{
    if (c->stood_us > 0 && elapsed_us > c->stood_us) {
        elapsed_us -= c->stood_us;
        c->stood_us = 0;
    }
    return elapsed_us;
}

static bool has_urgent(const struct device *c)
{
    for (int i = 0; i < c->n_resident; i++)
        if (c->resident[i]->state == JOB_RUNNING && c->resident[i]->spec.lane == LANE_URGENT)
            return true;
    return false;
}

/* Those that were not in this quantum wait for their turn; forecast tells their viewers. */
static void note_turns(const struct device *c, const struct device_event *n)
{
    int why = has_urgent(c) ? WHY_URGENT : WHY_TURN;

    for (int i = 0; i < c->n_resident; i++)
        c->resident[i]->run.waits = why;
    for (int i = 0; i < n->n; i++) {
        struct job *j = device_find(c, n->run[i].job);

        if (j) j->run.waits = -1;
    }
}

static void charge(struct hub *h, int64_t now, struct job *j, int64_t us)
{
    j->run.used_us += us;
    recent_add(&j->owner->used, now, us);
    recent_add(&h->stats.used, now, us);
}

/* Each job is charged for its own part of the quantum. */
static void quantum_done(struct hub *h, int64_t now, struct device *c, struct device_event *n)
{
    const bool finishing = finish_views(c, n);
    double work[LIMIT_BATCH], all = finishing ? -1 : work_of(c, n, work);
    int64_t elapsed_us = worked_us(c, n->elapsed_us);

    assert(n->n <= LIMIT_BATCH);
    assert(n->n > 0 && n->phase < GLM_DONE);
    if (all > 0) learn(h, c, n, all, elapsed_us);
    h->moved = true;
    note_turns(c, n);
    for (int i = 0; i < n->n; i++) {
        struct job *j = device_find(c, n->run[i].job);

        if (!j || j->state != JOB_RUNNING) continue;
        charge(h, now, j,
               all > 0 ? (int64_t)((double)elapsed_us * work[i] / all) : elapsed_us / n->n);
        show(h, now, j, &n->run[i].view);
        check_time(h, j);
    }
}

/* As in learn(), of a picture that is no job. */
static void rate_measured(struct hub *h, const struct device_event *n)
{
    const struct glm_progress *v = &n->before;
    enum eta_stage stage;
    double work;

    assert(n->phase < GLM_DONE && n->n == 1);
    stage = eta_stage_of(n->phase, n->phase == GLM_PRIOR && (v->prefill || v->done == 0));
    work = n->cost.work[n->phase] * (eta_left(v, n->phase) - eta_left(&n->run[0].view, n->phase));
    eta_learn(&h->eta, stage, eta_size(stage, &n->cost, n->pixels), 1, work, n->elapsed_us,
              eta_quanta(&n->cost, stage));
}

/* --- the end of a run ------------------------------------------------------------------------- */

static void run_finished(struct hub *h, int64_t now, struct job *j, const struct device_event *n)
{
    assert(j->state == JOB_RUNNING || j->run.dropping);
    h->n_encoding++;
    release(h, j);
    if (j->state != JOB_RUNNING && j->state != JOB_QUEUED) return; /* cancelled meanwhile */
    j->end.steps = n->steps < j->spec.steps ? n->steps : 0;
    j->end.tokens = n->tokens && j->run.keep ? blob_ref(n->tokens) : NULL;
    lifecycle_finished(h, now, j);
}

/* Where it stands, as if it had just come there: no quantum is learnt from. */
static void run_resumed(struct hub *h, int64_t now, struct job *j, const struct glm_progress *view)
{
    assert(view->overall < 1);
    j->run.from = view->overall;
    j->run.past_us = j->run.ran_us;
    j->run.past_used_us = j->run.ran_used_us;
    if (j->run.floor < j->run.from) j->run.floor = j->run.from;
    if (j->state == JOB_RUNNING) show(h, now, j, view);
    notify_touch(h);
}

/* Of a job whose end is decided no run will go on from it. */
static void store_checkpoint(struct hub *h, const struct job *j, struct blob *checkpoint,
                             int64_t us)
{
    if (j->run.keep && (j->state == JOB_RUNNING || j->state == JOB_QUEUED))
        h->out.store_checkpoint(h->out.arg, j->id, checkpoint);
    stats_checkpoint(&h->stats, checkpoint->len, us);
}

static void run_suspended(struct hub *h, struct job *j, struct blob *checkpoint, int64_t us)
{
    release(h, j);
    if (!checkpoint) return;
    store_checkpoint(h, j, checkpoint, us);
    if (j->state != JOB_QUEUED) return;
    blob_unref(j->run.checkpoint);
    j->run.checkpoint = blob_ref(checkpoint);
}

/* A run that has no memory for its finished picture is lost, any other failure is the job's own. */
static void run_failed(struct hub *h, int64_t now, struct job *j, const struct fail *why)
{
    struct device *c = j->run.device;
    int residents = c->n_resident;
    bool drawn = j->run.view.phase == GLM_DONE;
    struct fail f = *why;

    release(h, j);
    if (f.code == ERR_OUT_OF_MEMORY) {
        capacity_lower(h, c, residents);
        if (devices_ready(&h->devices))
            capacity_advise(h, &j->spec, (j->plan.cost.run_bytes + j->plan.cost.scratch_bytes) / 2,
                            &f);
    }
    if (j->state != JOB_RUNNING) return;
    if (f.code == ERR_CONFLICT && j->spec.prior_from && !j->run.whole)
        composition_lost(h, now, j);
    else if (drawn && f.code == ERR_OUT_OF_MEMORY)
        lifecycle_lose(h, now, j, &f);
    else
        lifecycle_end(h, j, JOB_FAILED, &f);
}

/* Of the jobs that were in a broken quantum, the one to blame: the largest for want of memory, else
 * the newest. NULL when none of them runs any more. */
static struct job *blame(const struct device *c, const uint64_t *ids, int n, bool memory)
{
    struct job *worst = NULL;

    for (int i = 0; i < n; i++) {
        struct job *j = device_find(c, ids[i]);

        if (!j || j->state != JOB_RUNNING) continue;
        if (!worst
            || (memory && j->plan.cost.run_bytes != worst->plan.cost.run_bytes
                    ? j->plan.cost.run_bytes > worst->plan.cost.run_bytes
                    : j->order > worst->order))
            worst = j;
    }
    return worst;
}

static void device_failed(struct hub *h, int64_t now, struct device *c,
                          const struct device_event *n)
{
    uint64_t ids[LIMIT_BATCH];
    bool memory = n->fail.code == ERR_OUT_OF_MEMORY;
    struct fail f = n->fail;
    struct job *suspect;

    assert(n->n >= 0 && n->n <= LIMIT_BATCH && n->batch <= n->n);
    for (int i = 0; i < n->n; i++)
        ids[i] = n->run[i].job;
    suspect = blame(c, ids, n->batch, memory);
    if (memory) capacity_lower(h, c, n->n);
    if (suspect && devices_ready(&h->devices))
        capacity_advise(h, &suspect->spec,
                        (suspect->plan.cost.run_bytes + suspect->plan.cost.scratch_bytes) / 2, &f);
    c->ready = false;
    c->failed = true;
    c->why = (struct cap_device){.why = CAP_FAILED};
    snprintf(c->why.message, sizeof c->why.message, "%.100s", n->fail.message);
    capacity_explain(h);
    for (int i = 0; i < n->n; i++) {
        struct job *j = device_find(c, ids[i]);

        if (!j) continue;
        release(h, j);
        if (j == suspect)
            lifecycle_end(h, j, JOB_FAILED, &f);
        else
            lifecycle_lose(h, now, j, &f);
    }
}

static void device_lost(struct hub *h, int64_t now, struct device *c, const struct device_event *n)
{
    assert(n->n >= 0 && n->n <= LIMIT_BATCH);
    c->failed = true;
    c->why = (struct cap_device){.why = CAP_LOST, .tries = n->batch};
    snprintf(c->why.message, sizeof c->why.message, "%.100s", n->fail.message);
    capacity_explain(h);
    for (int i = 0; i < n->n; i++) {
        struct job *j = device_find(c, n->run[i].job);

        if (!j) continue;
        release(h, j);
        lifecycle_lose(h, now, j, &n->fail);
    }
}

static void device_ready(struct hub *h, struct device *c, const struct device_event *n)
{
    c->ready = true;
    c->failed = false;
    c->ledger.budget = n->budget;
    c->cap_useful = n->batch_useful;
    h->model = n->model;
    if (n->rate > 0) h->eta.guess = n->rate;
    if (n->known && !eta_measured(&h->eta)) eta_recall(&h->eta, n->known);
    h->estimated_us = INT64_MIN / 2; /* what was foreseen without it is void */
    h->planning = true;
    for (int i = 0; i < h->queue.n; i++)
        h->queue.at[i]->planned = false; /* the budget, perhaps the model, is another one */
    capacity_set(h, c);
    placing_plan_some(h);
}

void device_events_apply(struct hub *h, int64_t now, const struct device_event *n)
{
    struct device *c;
    struct device_event seen;
    struct job *j;

    assert(n->device >= 0 && n->device < h->devices.n);
    c = &h->devices.at[n->device];
    j = device_find(c, n->job);
    c->last_seen_us = now;
    if (c->stuck) notify_touch(h);
    c->stuck = false;
    switch (n->kind) {
    case DEVICE_READY: device_ready(h, c, n); break;
    case RATE_MEASURED: rate_measured(h, n); break;
    case QUANTUM_DONE:
        seen = *n;
        quantum_done(h, now, c, &seen);
        break;
    case DEVICE_FAILED: device_failed(h, now, c, n); break;
    case DEVICE_LOST: device_lost(h, now, c, n); break;
    case RUN_FINISHED:
        assert(j);
        run_finished(h, now, j, n);
        break;
    case RUN_DROPPED:
        assert(j);
        if (j->end.cancelled_us) stats_cancel(&h->stats, now - j->end.cancelled_us);
        release(h, j);
        break;
    case RUN_RESUMED:
        assert(j);
        run_resumed(h, now, j, &n->run[0].view);
        break;
    case CHECKPOINT_TAKEN:
        if (j) store_checkpoint(h, j, n->checkpoint, n->elapsed_us);
        break;
    case RUN_SUSPENDED:
        assert(j);
        run_suspended(h, j, n->checkpoint, n->elapsed_us);
        break;
    case RUN_FAILED:
        assert(j);
        run_failed(h, now, j, &n->fail);
        break;
    }
}

/* --- the watchdog ----------------------------------------------------------------------------- */

static int64_t silent_until(const struct hub *h, const struct device *c)
{
    if (c->n_resident == 0 || !device_works(c)) return INT64_MAX;
    return c->last_seen_us + (int64_t)h->conf.stuck_seconds * 1000000;
}

int64_t device_events_due(const struct hub *h)
{
    int64_t due = INT64_MAX, look = h->called_us + HUB_LOOK_US;

    for (int i = 0; i < h->devices.n; i++) {
        int64_t silent = silent_until(h, &h->devices.at[i]);

        if (silent < INT64_MAX && look < due) due = look;
        if (silent < due) due = silent;
    }
    return due;
}

void device_events_awake(struct hub *h, int64_t now)
{
    int64_t gap = now - h->called_us;

    h->called_us = now;
    if (gap <= HUB_PAUSE_US) return;
    gap -= HUB_LOOK_US;
    for (int i = 0; i < h->devices.n; i++) {
        struct device *c = &h->devices.at[i];

        if (c->n_resident == 0) continue;
        c->last_seen_us += gap;
        c->stood_us += gap;
        for (int k = 0; k < c->n_resident; k++)
            c->resident[k]->run.started_us += gap;
    }
}

static void stuck(struct hub *h, int64_t now, struct device *c)
{
    uint64_t ids[LIMIT_BATCH];
    struct job *suspect, *on[LEDGER_MAX];
    struct fail f;
    int n;

    fail_set(&f, ERR_DEVICE, "The device has not answered for %d s", h->conf.stuck_seconds);
    n = h->out.busy(h->out.arg, c->index, ids, LIMIT_BATCH);
    suspect = blame(c, ids, n, false);
    c->stuck = true;
    n = c->n_resident;
    memcpy(on, c->resident, sizeof on);
    for (int i = 0; i < n; i++) {
        if (on[i] == suspect)
            lifecycle_end(h, on[i], JOB_FAILED, &f);
        else
            lifecycle_lose(h, now, on[i], &f);
    }
}

void device_events_watch(struct hub *h, int64_t now)
{
    if (h->planning) return;
    for (int i = 0; i < h->devices.n; i++)
        if (now >= silent_until(h, &h->devices.at[i])) stuck(h, now, &h->devices.at[i]);
}
