/* crew - the device: which jobs are on it, what it tells, how many it takes, whether it lives. */
#include "server/hub_in.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* --- who is on it --------------------------------------------------------------------------------- */

void crew_hold(struct hub *h, int64_t now, struct job *j)
{
    if (h->n_resident == 0) h->heard_us = now;
    ledger_hold(&h->ledger, j->id, &j->plan);
    h->resident[h->n_resident++] = j;
    j->resident = true;
    j->dropping = false;
}

void crew_release(struct hub *h, struct job *j)
{
    int i = 0;

    while (h->resident[i] != j)
        i++;
    ledger_release(&h->ledger, j->id);
    h->resident[i] = h->resident[--h->n_resident];
    j->resident = j->dropping = false;
    push_touch(h);
}

static struct job *find_resident(const struct hub *h, uint64_t id)
{
    for (int i = 0; i < h->n_resident; i++)
        if (h->resident[i]->id == id) return h->resident[i];
    return NULL;
}

/* --- plans ---------------------------------------------------------------------------------------- */

static int shrink(int side, int eighths)
{
    int s = side * eighths / 8 / LIMIT_SIDE_STEP * LIMIT_SIDE_STEP;

    return s < LIMIT_SIDE_MIN ? LIMIT_SIDE_MIN : s;
}

/* Name the largest picture of about this shape that takes at most `bytes`. */
static void advise_size(const struct hub *h, const struct spec *spec, uint64_t bytes,
                        struct fail *f)
{
    for (int eighths = 7; eighths > 0; eighths--) {
        struct spec s = *spec;
        struct plan p;

        s.width = shrink(spec->width, eighths);
        s.height = shrink(spec->height, eighths);
        if (h->out.plan(h->out.arg, &s, &p, NULL) != 0) continue;
        if (p.cost.run_bytes + p.cost.scratch_bytes > bytes) continue;
        fail_advise(f, "Ask for %dx%d or less, which fits.", s.width, s.height);
        return;
    }
}

static double mb(uint64_t bytes)
{
    return (double)bytes / 1e6;
}

int crew_plan(const struct hub *h, const struct spec *spec, struct plan *p, struct fail *f)
{
    int err = h->out.plan(h->out.arg, spec, p, f);

    if (err) return err;
    if (ledger_ever_fits(&h->ledger, p)) return 0;
    fail_set(f, ERR_TOO_BIG_FOR_DEVICE, "A picture of %dx%d takes %.0f MB; the device has %.0f MB",
             spec->width, spec->height, mb(p->cost.run_bytes + p->cost.scratch_bytes),
             mb(h->ledger.budget));
    advise_size(h, spec, h->ledger.budget, f);
    return ERR_TOO_BIG_FOR_DEVICE;
}

/* Plan a waiting job; one that can never run ends. */
static bool plan_waiting(struct hub *h, struct job *j)
{
    struct fail f;

    if (crew_plan(h, &j->spec, &j->plan, &f) != 0) {
        life_end(h, j, JOB_FAILED, &f);
        return false;
    }
    j->planned = true;
    return true;
}

void crew_plan_some(struct hub *h)
{
    int some = 32;

    if (!h->ready || !h->planning) return;
    for (int i = 0; i < h->queue.n;) {
        struct job *j = h->queue.at[i];

        if (!j->planned && some-- == 0) return;
        if (j->planned || plan_waiting(h, j)) i++;
    }
    h->planning = false;
    push_touch(h);
}

/* --- how many ------------------------------------------------------------------------------------- */

/* The ordinary picture, which the cap is computed for. */
static int plan_ordinary(const struct hub *h, struct spec *s, struct plan *p)
{
    char prompt[] = "a picture";

    spec_defaults(s, h->conf.limits);
    s->prompt = prompt;
    if (s->seed == SPEC_SEED_PICK) s->seed = 0;
    return h->out.plan(h->out.arg, s, p, NULL);
}

static void say_cap(struct hub *h, const struct spec *s, const struct plan *p)
{
    char fit[120];

    snprintf(fit, sizeof fit,
             "%d%s picture%s of %dx%d fit%s beside the model (%.0f MB each of %.0f MB)",
             h->cap_memory, h->cap_memory == LEDGER_MAX ? " or more" : "",
             h->cap_memory == 1 ? "" : "s", s->width, s->height, h->cap_memory == 1 ? "s" : "",
             mb(p->cost.run_bytes), mb(h->ledger.budget));
    if (h->cap == h->cap_failure && h->cap_failure < LEDGER_MAX)
        snprintf(h->why_cap, sizeof h->why_cap,
                 "lowered to %d since the device ran out of memory; by plan %s", h->cap, fit);
    else if (h->cap == h->conf.concurrency)
        snprintf(h->why_cap, sizeof h->why_cap, "--concurrency is %d; %s", h->cap, fit);
    else if (h->cap == h->cap_worth && h->cap < h->cap_memory)
        snprintf(h->why_cap, sizeof h->why_cap, "more than %d would only slow each other; %s",
                 h->cap, fit);
    else if (h->cap == LEDGER_MAX)
        snprintf(h->why_cap, sizeof h->why_cap, "%d share one batch at most; %s", h->cap, fit);
    else
        snprintf(h->why_cap, sizeof h->why_cap, "%s", fit);
}

/* The least of what memory, experience and reason allow; a person may ask for less or, against reason,
 * for more. */
static void set_cap(struct hub *h)
{
    struct spec s;
    struct plan p = {.scratch_more = 0};
    int wish;

    h->cap_memory = 1;
    if (plan_ordinary(h, &s, &p) == 0) h->cap_memory = ledger_count(&h->ledger, &p);
    if (h->cap_memory < 1) h->cap_memory = 1;
    h->cap = h->cap_memory;
    if (h->cap > h->cap_failure) h->cap = h->cap_failure;
    wish = h->conf.concurrency > 0 ? h->conf.concurrency : h->cap_worth;
    if (wish > 0 && h->cap > wish) h->cap = wish;
    say_cap(h, &s, &p);
    push_touch(h);
}

static void lower_cap(struct hub *h, int residents)
{
    int to = residents > 1 ? residents - 1 : 1;

    if (to < h->cap_failure) h->cap_failure = to;
    if (h->ready) set_cap(h);
}

void crew_fill(struct hub *h, int64_t now)
{
    while (h->ready && !h->stuck && !h->stopping && h->queue.n > 0) {
        struct job *j = h->queue.at[0];

        if (j->resident || h->n_resident >= h->cap) return;
        if (!j->planned && !plan_waiting(h, j)) continue;
        if (!ledger_fits(&h->ledger, &j->plan)) return;
        life_start(h, now, j);
    }
}

/* --- previews that are wanted ---------------------------------------------------------------------- */

struct hub_wish crew_wish(const struct job *j)
{
    struct hub_wish w = {0, 0, LIMIT_PREVIEW_EVERY_MS};

    for (const struct viewer *v = j->viewers; v; v = v->job_next) {
        int class = v->peer->class;

        if (class < 0) continue;
        w.classes |= 1u << class;
        if (board_class_px(class) > w.max_px) w.max_px = board_class_px(class);
        if (v->peer->previews.every_ms < w.every_ms) w.every_ms = v->peer->previews.every_ms;
    }
    if (!w.classes) w.every_ms = 0;
    return w;
}

void crew_followed(struct hub *h, struct job *j)
{
    struct hub_wish w;

    if (j->state != JOB_RUNNING) return;
    w = crew_wish(j);
    if (w.classes == j->wish_classes && w.every_ms == j->wish_every_ms) return;
    j->wish_classes = w.classes;
    j->wish_every_ms = w.every_ms;
    h->out.wish(h->out.arg, j->id, &w);
}

/* --- quanta ---------------------------------------------------------------------------------------- */

static void post_progress(struct hub *h, int64_t now, struct job *j, enum glm_phase phase, int done,
                          int total)
{
    struct event e = {.kind = EVENT_PROGRESS,
                      .u.progress = {(enum event_phase)phase, done, total, j->overall,
                                     push_eta_ms(now, j->eta_end_us)}};

    if (done < total && now - j->progress_us < HUB_PROGRESS_US) return;
    j->progress_us = now;
    hub_post(h, now, j, &e);
}

static void show(struct hub *h, int64_t now, struct job *j, const struct glm_view *v)
{
    struct glm_view before = j->view;
    double overall = j->floor + (1 - j->floor) * v->overall;

    j->view = *v;
    if (overall > j->overall) j->overall = overall < 1 ? overall : 1;
    if (v->phase == before.phase) {
        post_progress(h, now, j, v->phase, v->done, v->total);
        return;
    }
    post_progress(h, now, j, before.phase, before.total, before.total);
    if (v->phase >= GLM_DONE) return;
    hub_post(
        h, now, j,
        &(struct event){.kind = EVENT_PHASE, .u.phase = {(enum event_phase)v->phase, v->total}});
    if (v->done > 0) post_progress(h, now, j, v->phase, v->done, v->total);
}

static void check_time(struct hub *h, struct job *j)
{
    struct fail f;

    if (j->view.phase >= GLM_DONE) return;
    if (j->used_us <= (int64_t)h->conf.job_seconds * 1000000) return;
    fail_set(&f, ERR_TIMEOUT, "The picture took more than %d s of computing time",
             h->conf.job_seconds);
    fail_advise(&f, "Ask for fewer steps or a smaller size.");
    life_end(h, j, JOB_FAILED, &f);
}

static void learn(struct hub *h, const struct note *n)
{
    double flops = 0;
    int pixels = 0, quanta = 0;

    for (int i = 0; i < n->n; i++) {
        const struct job *j = find_resident(h, n->run[i].job);

        if (!j || j->plan.cost.quanta[n->phase] <= 0) return;
        flops += j->plan.cost.flops[n->phase] / j->plan.cost.quanta[n->phase];
        if (j->plan.cost.quanta[n->phase] > quanta) quanta = j->plan.cost.quanta[n->phase];
        if (j->spec.width * j->spec.height > pixels) pixels = j->spec.width * j->spec.height;
    }
    eta_learn(&h->eta, n->phase, pixels, n->n, flops, n->elapsed_us, quanta);
    tally_quantum(&h->tally, n->phase, n->n, n->elapsed_us);
}

static void note_quantum(struct hub *h, int64_t now, const struct note *n)
{
    assert(n->n > 0 && n->phase < GLM_DONE);
    learn(h, n);
    h->moved = true;
    for (int i = 0; i < n->n; i++) {
        struct job *j = find_resident(h, n->run[i].job);

        if (!j || j->state != JOB_RUNNING) continue;
        j->used_us += n->elapsed_us / n->n;
        show(h, now, j, &n->run[i].view);
        check_time(h, j);
    }
}

/* --- the end of a run ------------------------------------------------------------------------------ */

static void note_drawn(struct hub *h, int64_t now, struct job *j)
{
    h->n_encoding++;
    crew_release(h, j);
    if (j->state != JOB_RUNNING) return; /* cancelled meanwhile */
    j->spent_us = now - j->started_us;
    eta_judge(&h->eta, j->forecast_us, j->spent_us);
    life_move(h, j, MOVE_DRAWN);
}

static void note_failed(struct hub *h, struct job *j, const struct fail *why)
{
    int residents = h->n_resident;
    struct fail f = *why;

    crew_release(h, j);
    if (f.code == ERR_OUT_OF_MEMORY) {
        lower_cap(h, residents);
        if (h->ready)
            advise_size(h, &j->spec, (j->plan.cost.run_bytes + j->plan.cost.scratch_bytes) / 2, &f);
    }
    if (j->state == JOB_RUNNING) life_end(h, j, JOB_FAILED, &f);
}

/* Of the jobs that were in a broken quantum, the one to blame: the largest for want of memory, else the
 * newest. NULL when none of them runs any more. */
static struct job *blame(const struct hub *h, const uint64_t *ids, int n, bool memory)
{
    struct job *worst = NULL;

    for (int i = 0; i < n; i++) {
        struct job *j = find_resident(h, ids[i]);

        if (!j || j->state != JOB_RUNNING) continue;
        if (!worst
            || (memory && j->plan.cost.run_bytes != worst->plan.cost.run_bytes
                    ? j->plan.cost.run_bytes > worst->plan.cost.run_bytes
                    : j->order > worst->order))
            worst = j;
    }
    return worst;
}

/* A run is lost through no fault of its own; but a job that this happens to again and again may well
 * be the cause. */
static void lose(struct hub *h, int64_t now, struct job *j, const struct fail *why)
{
    if (j->state != JOB_RUNNING) return;
    if (++j->losses < HUB_LOSSES_MAX)
        life_put_back(h, now, j);
    else
        life_end(h, j, JOB_FAILED, why);
}

static void note_device(struct hub *h, int64_t now, const struct note *n)
{
    uint64_t ids[LIMIT_BATCH];
    bool memory = n->fail.code == ERR_OUT_OF_MEMORY;
    struct fail f = n->fail;
    struct job *guilty;

    for (int i = 0; i < n->n; i++)
        ids[i] = n->run[i].job;
    guilty = blame(h, ids, n->batch, memory);
    if (memory) lower_cap(h, n->n);
    if (memory && guilty && h->ready)
        advise_size(h, &guilty->spec,
                    (guilty->plan.cost.run_bytes + guilty->plan.cost.scratch_bytes) / 2, &f);
    h->ready = false;
    for (int i = 0; i < n->n; i++) {
        struct job *j = find_resident(h, ids[i]);

        if (!j) continue;
        crew_release(h, j);
        if (j == guilty)
            life_end(h, j, JOB_FAILED, &f);
        else
            lose(h, now, j, &f);
    }
}

static void note_ready(struct hub *h, const struct note *n)
{
    h->ready = true;
    h->ledger.budget = n->budget;
    h->cap_worth = n->worth;
    h->planning = true;
    for (int i = 0; i < h->queue.n; i++)
        h->queue.at[i]->planned = false; /* the budget, perhaps the model, is another one */
    set_cap(h);
    crew_plan_some(h);
}

void hub_note(struct hub *h, int64_t now, const struct note *n)
{
    struct job *j = find_resident(h, n->job);

    h->heard_us = now;
    if (h->stuck) push_touch(h);
    h->stuck = false;
    switch (n->kind) {
    case NOTE_READY: note_ready(h, n); break;
    case NOTE_QUANTUM: note_quantum(h, now, n); break;
    case NOTE_DEVICE: note_device(h, now, n); break;
    case NOTE_DRAWN:
        assert(j);
        note_drawn(h, now, j);
        break;
    case NOTE_GONE:
        assert(j);
        crew_release(h, j);
        break;
    case NOTE_FAILED:
        assert(j);
        note_failed(h, j, &n->fail);
        break;
    }
    hub_settle(h, now);
}

/* --- the watchdog ---------------------------------------------------------------------------------- */

static int64_t silent_until(const struct hub *h)
{
    return h->heard_us + (int64_t)h->conf.stuck_seconds * 1000000;
}

int64_t crew_due(const struct hub *h)
{
    if (h->planning && h->ready) return INT64_MIN; /* go on at once */
    if (h->n_resident == 0 || h->stuck || !h->ready) return INT64_MAX;
    return silent_until(h);
}

void crew_watch(struct hub *h, int64_t now)
{
    uint64_t ids[LIMIT_BATCH];
    struct job *guilty, *on[LEDGER_MAX];
    struct fail f;
    int n;

    if (now < crew_due(h) || h->planning) return;
    fail_set(&f, ERR_DEVICE, "The device has not answered for %d s", h->conf.stuck_seconds);
    n = h->out.busy(h->out.arg, ids, LIMIT_BATCH);
    guilty = blame(h, ids, n, false);
    h->stuck = true;
    n = h->n_resident;
    memcpy(on, h->resident, sizeof on);
    for (int i = 0; i < n; i++) {
        if (on[i] == guilty)
            life_end(h, on[i], JOB_FAILED, &f);
        else
            lose(h, now, on[i], &f);
    }
}
