/* device - the devices: which jobs are on each, what they tell, how many they take, whether they live. */
#include "server/core/core.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static void say_caps(struct hub *h);

/* --- who is on it --------------------------------------------------------------------------------- */

void crew_init(struct hub *h)
{
    h->n_crew = h->conf.devices > 1 ? h->conf.devices : 1;
    for (int i = 0; i < h->n_crew; i++) {
        struct crew *c = &h->crew[i];

        *c = (struct crew){.index = i, .cap = 1, .cap_memory = 1, .cap_failure = LEDGER_MAX};
        ledger_init(&c->ledger, 0);
        snprintf(c->why_cap, sizeof c->why_cap, "the model is being loaded");
    }
    say_caps(h);
}

void crew_hold(struct crew *c, int64_t now, struct job *j)
{
    if (c->n_resident == 0) c->heard_us = now;
    ledger_hold(&c->ledger, j->id, &j->plan);
    c->resident[c->n_resident++] = j;
    j->crew = c;
    j->dropping = false;
}

void crew_release(struct hub *h, struct job *j)
{
    struct crew *c = j->crew;
    int i = 0;

    while (c->resident[i] != j)
        i++;
    ledger_release(&c->ledger, j->id);
    c->resident[i] = c->resident[--c->n_resident];
    j->crew = NULL;
    j->dropping = false;
    push_touch(h);
}

static struct job *find_resident(const struct crew *c, uint64_t id)
{
    for (int i = 0; i < c->n_resident; i++)
        if (c->resident[i]->id == id) return c->resident[i];
    return NULL;
}

bool crew_ready(const struct hub *h)
{
    for (int i = 0; i < h->n_crew; i++)
        if (h->crew[i].ready) return true;
    return false;
}

static bool works(const struct crew *c)
{
    return c->ready && !c->stuck;
}

bool crew_working(const struct hub *h)
{
    for (int i = 0; i < h->n_crew; i++)
        if (works(&h->crew[i])) return true;
    return false;
}

int crew_residents(const struct hub *h)
{
    int n = 0;

    for (int i = 0; i < h->n_crew; i++)
        n += h->crew[i].n_resident;
    return n;
}

int crew_cap(const struct hub *h)
{
    bool any = crew_ready(h);
    int n = 0;

    for (int i = 0; i < h->n_crew; i++)
        if (h->crew[i].ready || !any) n += h->crew[i].cap;
    return h->conf.concurrency > 0 && n > h->conf.concurrency ? h->conf.concurrency : n;
}

/* The most that a picture may take: of the largest device. */
static const struct ledger *largest(const struct hub *h)
{
    const struct ledger *most = NULL;

    for (int i = 0; i < h->n_crew; i++)
        if (h->crew[i].ready && (!most || h->crew[i].ledger.budget > most->budget))
            most = &h->crew[i].ledger;
    return most;
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
    const struct ledger *l = largest(h);
    int err = h->out.plan(h->out.arg, spec, p, f);

    if (err) return err;
    if (ledger_ever_fits(l, p)) return 0;
    fail_set(f, ERR_TOO_BIG_FOR_DEVICE, "A picture of %dx%d takes %.0f MB; the device has %.0f MB",
             spec->width, spec->height, mb(p->cost.run_bytes + p->cost.scratch_bytes),
             mb(l->budget));
    advise_size(h, spec, l->budget, f);
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

    if (!crew_ready(h) || !h->planning) return;
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

static void say_cap(const struct hub *h, struct crew *c, const struct spec *s, const struct plan *p)
{
    char fit[120];

    snprintf(fit, sizeof fit,
             "%d picture%s of %dx%d fit%s beside the model (%.0f MB each of %.0f MB)",
             c->cap_memory, c->cap_memory == 1 ? "" : "s", s->width, s->height,
             c->cap_memory == 1 ? "s" : "", mb(p->cost.run_bytes), mb(c->ledger.budget));
    if (c->cap == c->cap_failure && c->cap_failure < LEDGER_MAX)
        snprintf(c->why_cap, sizeof c->why_cap,
                 "lowered to %d since the device ran out of memory; by plan %s", c->cap, fit);
    else if (c->cap == h->conf.concurrency)
        snprintf(c->why_cap, sizeof c->why_cap, "--concurrency is %d; %s", c->cap, fit);
    else if (c->cap == c->cap_worth && c->cap < c->cap_memory)
        snprintf(c->why_cap, sizeof c->why_cap, "more than %d would only slow each other; %s",
                 c->cap, fit);
    else if (c->cap == LEDGER_MAX)
        snprintf(c->why_cap, sizeof c->why_cap, "%d share one batch at most; %s", c->cap, fit);
    else
        snprintf(c->why_cap, sizeof c->why_cap, "%s", fit);
}

/* One device speaks for itself; of several, alike ones together would say the same again and again. */
static void say_caps(struct hub *h)
{
    size_t at = 0;

    h->why_cap[0] = '\0';
    for (int i = 0; i < h->n_crew && at + 1 < sizeof h->why_cap; i++) {
        const struct crew *c = &h->crew[i];
        char count[32] = "";

        if (h->n_crew > 1) snprintf(count, sizeof count, "device %d: %d; ", i, c->cap);
        if (h->n_crew > 1 && !c->ready) snprintf(count, sizeof count, "device %d: ", i);
        at += (size_t)snprintf(h->why_cap + at, sizeof h->why_cap - at, "%s%s%.150s", i ? ". " : "",
                               count, c->why_cap);
    }
    push_touch(h);
}

/* The least of what memory, experience and reason allow; a person may ask for less or, against reason,
 * for more. */
static void set_cap(struct hub *h, struct crew *c)
{
    struct spec s;
    struct plan p = {.scratch_more = 0};
    int wish;

    c->cap_memory = 1;
    if (plan_ordinary(h, &s, &p) == 0) c->cap_memory = ledger_count(&c->ledger, &p);
    if (c->cap_memory < 1) c->cap_memory = 1;
    c->cap = c->cap_memory;
    if (c->cap > c->cap_failure) c->cap = c->cap_failure;
    wish = h->conf.concurrency > 0 ? h->conf.concurrency : c->cap_worth;
    if (wish > 0 && c->cap > wish) c->cap = wish;
    say_cap(h, c, &s, &p);
    say_caps(h);
}

static void lower_cap(struct hub *h, struct crew *c, int residents)
{
    int to = residents > 1 ? residents - 1 : 1;

    if (to < c->cap_failure) c->cap_failure = to;
    if (c->ready) set_cap(h, c);
}

static bool has_place(const struct crew *c)
{
    return works(c) && c->n_resident < c->cap;
}

/* Of the devices that have a place and memory for it, the one that is least taken. */
static struct crew *choose(struct hub *h, const struct job *j)
{
    struct crew *best = NULL;

    for (int i = 0; i < h->n_crew; i++) {
        struct crew *c = &h->crew[i];

        if (!has_place(c) || !ledger_fits(&c->ledger, &j->plan)) continue;
        if (!best || c->n_resident * best->cap < best->n_resident * c->cap) best = c;
    }
    return best;
}

void crew_fill(struct hub *h, int64_t now)
{
    while (crew_working(h) && !h->stopping && h->queue.n > 0) {
        struct job *j = h->queue.at[0];
        struct crew *c;

        if (j->crew || crew_residents(h) >= crew_cap(h)) return;
        if (!j->planned && !plan_waiting(h, j)) continue;
        c = choose(h, j);
        if (!c) return;
        life_start(h, now, j, c);
    }
}

enum event_why crew_why(const struct hub *h, const struct job *j)
{
    bool place = false, memory = false, failed = true;

    for (int i = 0; i < h->n_crew; i++) {
        const struct crew *c = &h->crew[i];

        failed = failed && c->failed;
        place = place || has_place(c);
        memory = memory || (has_place(c) && !ledger_fits(&c->ledger, &j->plan));
    }
    if (!crew_working(h)) return failed ? WHY_DEVICE : WHY_STARTING;
    return place && memory && j->planned ? WHY_MEMORY : WHY_SLOTS;
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
    h->out.wish(h->out.arg, j->crew->index, j->id, &w);
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

static void learn(struct hub *h, const struct crew *c, const struct note *n)
{
    double flops = 0;
    int pixels = 0, quanta = 0;

    for (int i = 0; i < n->n; i++) {
        const struct job *j = find_resident(c, n->run[i].job);

        if (!j || j->plan.cost.quanta[n->phase] <= 0) return;
        flops += j->plan.cost.flops[n->phase]
                 * (eta_left(&j->view, n->phase) - eta_left(&n->run[i].view, n->phase));
        if (j->plan.cost.quanta[n->phase] > quanta) quanta = j->plan.cost.quanta[n->phase];
        if (j->spec.width * j->spec.height > pixels) pixels = j->spec.width * j->spec.height;
    }
    eta_learn(&h->eta, n->phase, pixels, n->n, flops, n->elapsed_us, quanta);
    tally_quantum(&h->tally, n->phase, n->n, n->elapsed_us);
}

static void note_quantum(struct hub *h, int64_t now, const struct crew *c, const struct note *n)
{
    assert(n->n > 0 && n->phase < GLM_DONE);
    learn(h, c, n);
    h->moved = true;
    for (int i = 0; i < n->n; i++) {
        struct job *j = find_resident(c, n->run[i].job);

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
    struct crew *c = j->crew;
    int residents = c->n_resident;
    struct fail f = *why;

    crew_release(h, j);
    if (f.code == ERR_OUT_OF_MEMORY) {
        lower_cap(h, c, residents);
        if (crew_ready(h))
            advise_size(h, &j->spec, (j->plan.cost.run_bytes + j->plan.cost.scratch_bytes) / 2, &f);
    }
    if (j->state == JOB_RUNNING) life_end(h, j, JOB_FAILED, &f);
}

/* Of the jobs that were in a broken quantum, the one to blame: the largest for want of memory, else the
 * newest. NULL when none of them runs any more. */
static struct job *blame(const struct crew *c, const uint64_t *ids, int n, bool memory)
{
    struct job *worst = NULL;

    for (int i = 0; i < n; i++) {
        struct job *j = find_resident(c, ids[i]);

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

static void note_device(struct hub *h, int64_t now, struct crew *c, const struct note *n)
{
    uint64_t ids[LIMIT_BATCH];
    bool memory = n->fail.code == ERR_OUT_OF_MEMORY;
    struct fail f = n->fail;
    struct job *guilty;

    for (int i = 0; i < n->n; i++)
        ids[i] = n->run[i].job;
    guilty = blame(c, ids, n->batch, memory);
    if (memory) lower_cap(h, c, n->n);
    if (guilty && crew_ready(h))
        advise_size(h, &guilty->spec,
                    (guilty->plan.cost.run_bytes + guilty->plan.cost.scratch_bytes) / 2, &f);
    c->ready = false;
    c->failed = true;
    snprintf(c->why_cap, sizeof c->why_cap,
             "the device has failed and is being opened again: %.100s", n->fail.message);
    say_caps(h);
    for (int i = 0; i < n->n; i++) {
        struct job *j = find_resident(c, ids[i]);

        if (!j) continue;
        crew_release(h, j);
        if (j == guilty)
            life_end(h, j, JOB_FAILED, &f);
        else
            lose(h, now, j, &f);
    }
}

static void note_away(struct hub *h, int64_t now, struct crew *c, const struct note *n)
{
    c->failed = true;
    snprintf(c->why_cap, sizeof c->why_cap,
             "the device does not come back (tried %d time%s): %.100s", n->batch,
             n->batch == 1 ? "" : "s", n->fail.message);
    say_caps(h);
    for (int i = 0; i < n->n; i++) {
        struct job *j = find_resident(c, n->run[i].job);

        if (!j) continue;
        crew_release(h, j);
        lose(h, now, j, &n->fail);
    }
}

static void note_ready(struct hub *h, struct crew *c, const struct note *n)
{
    c->ready = true;
    c->failed = false;
    c->ledger.budget = n->budget;
    c->cap_worth = n->worth;
    h->planning = true;
    for (int i = 0; i < h->queue.n; i++)
        h->queue.at[i]->planned = false; /* the budget, perhaps the model, is another one */
    set_cap(h, c);
    crew_plan_some(h);
}

void hub_note(struct hub *h, int64_t now, const struct note *n)
{
    struct crew *c = &h->crew[n->device];
    struct job *j = find_resident(c, n->job);

    assert(n->device >= 0 && n->device < h->n_crew);
    c->heard_us = now;
    if (c->stuck) push_touch(h);
    c->stuck = false;
    switch (n->kind) {
    case NOTE_READY: note_ready(h, c, n); break;
    case NOTE_QUANTUM: note_quantum(h, now, c, n); break;
    case NOTE_DEVICE: note_device(h, now, c, n); break;
    case NOTE_AWAY: note_away(h, now, c, n); break;
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

static int64_t silent_until(const struct hub *h, const struct crew *c)
{
    if (c->n_resident == 0 || !works(c)) return INT64_MAX;
    return c->heard_us + (int64_t)h->conf.stuck_seconds * 1000000;
}

int64_t crew_due(const struct hub *h)
{
    int64_t due = INT64_MAX;

    if (h->planning && crew_ready(h)) return INT64_MIN; /* go on at once */
    for (int i = 0; i < h->n_crew; i++)
        if (silent_until(h, &h->crew[i]) < due) due = silent_until(h, &h->crew[i]);
    return due;
}

static void stuck(struct hub *h, int64_t now, struct crew *c)
{
    uint64_t ids[LIMIT_BATCH];
    struct job *guilty, *on[LEDGER_MAX];
    struct fail f;
    int n;

    fail_set(&f, ERR_DEVICE, "The device has not answered for %d s", h->conf.stuck_seconds);
    n = h->out.busy(h->out.arg, c->index, ids, LIMIT_BATCH);
    guilty = blame(c, ids, n, false);
    c->stuck = true;
    n = c->n_resident;
    memcpy(on, c->resident, sizeof on);
    for (int i = 0; i < n; i++) {
        if (on[i] == guilty)
            life_end(h, on[i], JOB_FAILED, &f);
        else
            lose(h, now, on[i], &f);
    }
}

void crew_watch(struct hub *h, int64_t now)
{
    if (h->planning) return;
    for (int i = 0; i < h->n_crew; i++)
        if (now >= silent_until(h, &h->crew[i])) stuck(h, now, &h->crew[i]);
}
