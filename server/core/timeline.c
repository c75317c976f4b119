/* timeline - from one end of a stage to the next. */
#include "server/core/timeline.h"

#include "server/core/batcher.h"

#include <assert.h>
#include <math.h>
#include <string.h>

/* --- how fast --------------------------------------------------------------------------------- */

static double rate_of(const struct timeline *t, const struct timeline_run *r, int batch)
{
    return eta_rate(t->eta, r->stage, r->size[r->stage], batch, r->own[r->stage]);
}

static bool is_urgent(const struct timeline_run *r)
{
    return r->turn.lane == LANE_URGENT;
}

/* As the batcher sees it; nothing but urgent runs has one passed over here. */
static void batched(struct batcher_run *b, const struct timeline_run *r)
{
    b->place = r->place.at;
    b->urgent = is_urgent(r);
    b->phase = eta_phase_of(r->stage);
    b->prefill = r->stage == ETA_PREFILL;
    b->own = r->own[r->stage];
    b->ahead = 0;
    for (int s = ETA_GLYPH; s <= ETA_PREFILL; s++)
        b->ahead += r->work[s];
    b->tokens = r->work[ETA_TOKENS];
    b->passed_over_us = 0;
}

/* Of a stage without quanta, of all its work. */
static double quantum_of(const struct timeline_run *r)
{
    double quantum = r->quantum[r->stage];

    return quantum > 0 ? quantum : r->work[r->stage];
}

/* The residents of a device have changed, or their stages: who is computed now, and how fast. */
static void set_rates(struct timeline *t, int device)
{
    struct timeline_run *run = t->device[device].run;
    struct batcher_run as[LEDGER_MAX];
    int picked[LEDGER_MAX], n = t->device[device].n, batch;
    double seconds = 0;

    for (int i = 0; i < n; i++) {
        batched(&as[i], &run[i]);
        run[i].rate = 0;
    }
    batch = batcher_pick(as, n, LIMIT_BATCH, BATCHER_ALL, picked);
    for (int i = 0; i < batch; i++)
        seconds += quantum_of(&run[picked[i]]) / rate_of(t, &run[picked[i]], batch);
    for (int i = 0; i < batch; i++)
        run[picked[i]].rate = quantum_of(&run[picked[i]]) / seconds;
}

/* --- residents -------------------------------------------------------------------------------- */

/* To the next stage with work. False: there is none. */
static bool next_stage(struct timeline_run *r)
{
    while (r->stage < ETA_STAGES && !(r->work[r->stage] > 0))
        r->stage++;
    return r->stage < ETA_STAGES;
}

static void set_work(struct timeline_run *r, const struct timeline_item *it)
{
    const struct glm_cost *c = &it->plan->cost;

    for (int s = 0; s < ETA_STAGES; s++) {
        enum eta_stage stage = (enum eta_stage)s;

        r->work[s] = eta_work(c, &it->view, stage);
        r->quantum[s] = eta_quantum(c, stage);
        r->own[s] = eta_own(c, stage);
        r->size[s] = eta_size(stage, c, it->pixels);
    }
}

/* When it is drawn alone. */
static double seconds_left(const struct timeline *t, const struct timeline_run *r)
{
    double sum = 0;

    for (int s = (int)r->stage; s < ETA_STAGES; s++)
        if (r->work[s] > 0)
            sum += r->work[s] / eta_rate(t->eta, (enum eta_stage)s, r->size[s], 1, r->own[s]);
    return sum;
}

/* Its place there, as device_hold() has it. */
static void put_in_order(struct timeline *t, int device, struct timeline_run *r)
{
    struct timeline_run *run = t->device[device].run;
    struct order_member others[LEDGER_MAX];
    int n = 0;

    for (int i = 0; i < t->device[device].n; i++)
        if (is_urgent(&run[i]) == is_urgent(r))
            others[n++] = (struct order_member){&run[i].place, seconds_left(t, &run[i])};
    order_join(&r->place, seconds_left(t, r), others, n);
}

static void place(struct timeline *t, int device, const struct timeline_run *r)
{
    struct dispatch_device *d = &t->on.device[device];

    assert(t->device[device].n < LEDGER_MAX);
    dispatch_hold(d, r->hold, &r->turn);
    d->resident[d->ledger.n - 1].fixed = r->stage == ETA_DECODE;
    t->device[device].run[t->device[device].n++] = *r;
    if (r->item) r->item->device = device;
    set_rates(t, device);
}

static struct timeline_run run_of(struct timeline *t, struct timeline_item *it)
{
    struct timeline_run r = {.item = it, .hold = ++t->holds, .turn = it->turn, .place = it->place};

    r.turn.plan = it->plan;
    set_work(&r, it);
    if (!next_stage(&r)) r.stage = ETA_DECODE;
    it->start_s = t->now;
    return r;
}

static void join(struct timeline *t, int device, struct timeline_item *it)
{
    struct timeline_run r = run_of(t, it);

    put_in_order(t, device, &r);
    place(t, device, &r);
}

/* It has been there since before the beginning. */
static void put(struct timeline *t, struct timeline_item *it)
{
    struct timeline_run r = run_of(t, it);

    place(t, it->device, &r);
}

/* Residents are there whatever the budget says now, so the ledger gets it after they have
 * joined. */
static void begin(struct timeline *t, struct timeline_item *items, int n,
                  const struct dispatch_state *on)
{
    t->on.devices = on->devices;
    t->on.limit = on->limit;
    t->on.passed_s = on->passed_s;
    for (int d = 0; d < on->devices; d++)
        ledger_init(&t->on.device[d].ledger, UINT64_MAX);
    for (int i = 0; i < n; i++)
        if (items[i].plan && t->device[items[i].device].n < LEDGER_MAX) put(t, &items[i]);
    for (int d = 0; d < on->devices; d++) {
        t->on.device[d].cap = on->device[d].cap;
        t->on.device[d].ledger.budget = on->device[d].ledger.budget;
    }
}

/* --- time ------------------------------------------------------------------------------------- */

/* Until the first stage of a run on any device ends; negative: nothing runs. */
static double until_next(const struct timeline *t)
{
    double first = -1;

    for (int d = 0; d < t->on.devices; d++)
        for (int i = 0; i < t->device[d].n; i++) {
            const struct timeline_run *r = &t->device[d].run[i];
            double s = r->rate > 0 ? r->work[r->stage] / r->rate : HUGE_VAL;

            if (first < 0 || s < first) first = s;
        }
    return first;
}

static void leave(struct timeline *t, int device, int i)
{
    struct timeline_run *run = t->device[device].run;

    dispatch_release(&t->on.device[device], run[i].hold);
    run[i] = run[--t->device[device].n];
}

static void finish(struct timeline *t, int device, int i)
{
    struct timeline_item *it = t->device[device].run[i].item;

    if (it) it->end_s = t->now + t->eta->known.tail_s;
    leave(t, device, i);
}

/* Let dt pass, which is not longer than until_next(). */
static void pass(struct timeline *t, double dt)
{
    t->now += dt;
    for (int d = 0; d < t->on.devices; d++) {
        bool changed = false;

        for (int i = t->device[d].n - 1; i >= 0; i--) {
            struct timeline_run *r = &t->device[d].run[i];

            if (!(r->rate > 0)) continue;
            if (r->work[r->stage] / r->rate > dt * (1 + 1e-12)) {
                r->work[r->stage] -= dt * r->rate;
                continue;
            }
            r->work[r->stage] = 0;
            changed = true;
            if (!next_stage(r))
                finish(t, d, i);
            else
                t->on.device[d].resident[i].fixed = r->stage == ETA_DECODE;
        }
        if (changed) set_rates(t, d);
    }
}

/* To the next end of a stage. False: nothing runs. */
static bool step(struct timeline *t)
{
    double dt = until_next(t);

    if (dt < 0) return false;
    pass(t, dt);
    return true;
}

/* --- the queue -------------------------------------------------------------------------------- */

/* What dispatch_next() is given: parked runs and waiting items, each with where it comes from. */
struct choice_of {
    struct dispatch_job job[DISPATCH_WINDOW * LANES];
    int parked[DISPATCH_WINDOW * LANES]; /* index, -1: none */
    int item[DISPATCH_WINDOW * LANES];
    int n, in[LANES];
};

static void offer(struct choice_of *c, const struct timeline *t, const struct dispatch_job *j,
                  int parked, int item)
{
    if (c->in[j->lane] == DISPATCH_WINDOW || !dispatch_allows(&t->on, j)) return;
    c->job[c->n] = *j;
    c->parked[c->n] = parked;
    c->item[c->n++] = item;
    c->in[j->lane]++;
}

/* Parked ones are few and come first in their lanes; items stand in the order of the queue. */
static void gather(struct choice_of *c, const struct timeline *t, const struct timeline_item *items,
                   int n)
{
    c->n = 0;
    memset(c->in, 0, sizeof c->in);
    for (int i = 0; i < t->n_parked; i++)
        offer(c, t, &t->parked[i].turn, i, -1);
    for (int i = 0; i < n; i++) {
        struct dispatch_job j;

        if (items[i].start_s >= 0) continue;
        j = items[i].turn;
        j.plan = items[i].plan;
        offer(c, t, &j, -1, i);
        if (c->in[j.lane] == DISPATCH_WINDOW && t->lane_end[j.lane])
            i = (int)(t->lane_end[j.lane] - items) - 1; /* the rest of its lane is not looked at */
    }
}

static void unpark(struct timeline *t, int i, int device)
{
    struct timeline_run r = t->parked[i];

    t->n_parked--;
    memmove(t->parked + i, t->parked + i + 1, (size_t)(t->n_parked - i) * sizeof *t->parked);
    put_in_order(t, device, &r);
    place(t, device, &r);
}

static bool park(struct timeline *t, int device, int i)
{
    struct timeline_run *run = t->device[device].run;

    if (t->n_parked == TIMELINE_PARKED) return false;
    t->parked[t->n_parked++] = run[i];
    leave(t, device, i);
    set_rates(t, device);
    return true;
}

/* Nothing can start: only urgent items, which come first and are never parked, need no room. */
static bool must_wait(const struct timeline *t, const struct timeline_item *items, int n)
{
    if (n > 0 && items[0].turn.lane == LANE_URGENT) return false;
    return (n == 0 && t->n_parked == 0) || !dispatch_room(&t->on);
}

/* Do what dispatch_next() chooses among the waiting items once. False: nothing can be done now. */
static bool start_one(struct timeline *t, struct timeline_item *items, int n)
{
    struct choice_of from;
    struct dispatch_choice c;

    if (must_wait(t, items, n)) return false;
    gather(&from, t, items, n);
    c = dispatch_next(&t->on, from.job, from.n);
    if (c.verdict == DISPATCH_DISPLACE) return park(t, c.device, c.resident);
    if (c.verdict != DISPATCH_START) return false; /* it has to wait, or its needs are not known */
    dispatch_started(&t->on, &from.job[c.job], from.in[LANE_BATCH] > 0);
    if (from.parked[c.job] >= 0)
        unpark(t, from.parked[c.job], c.device);
    else
        join(t, c.device, &items[from.item[c.job]]);
    return true;
}

/* A copy that outlives the items. */
static void keep(struct timeline *after, const struct timeline *t)
{
    *after = *t;
    after->open = true;
    memset(after->lane_end, 0, sizeof after->lane_end);
    for (int d = 0; d < t->on.devices; d++)
        for (int i = 0; i < t->device[d].n; i++)
            after->device[d].run[i].item = NULL;
    for (int i = 0; i < t->n_parked; i++)
        after->parked[i].item = NULL;
}

void timeline_play(const struct eta *e, struct timeline_item *items, int residents, int n,
                   const struct dispatch_state *on, struct timeline *after)
{
    struct timeline t = {.eta = e};
    int next = residents;

    assert(on->devices >= 1 && on->devices <= LIMIT_DEVICES);
    assert(residents >= 0 && residents <= n);
    for (int i = 0; i < n; i++)
        items[i].start_s = items[i].end_s = -1;
    if (after) after->open = false;
    begin(&t, items, residents, on);
    for (int i = residents; i < n; i++)
        t.lane_end[items[i].turn.lane] = &items[i + 1];
    do {
        while (start_one(&t, items + next, n - next))
            while (next < n && items[next].start_s >= 0)
                next++;
        if (after && !after->open && next == n && t.n_parked == 0) keep(after, &t);
    } while (step(&t));
}

void timeline_add(struct timeline *t, double since_s, struct timeline_item *item)
{
    struct timeline rest;

    item->start_s = item->end_s = -1;
    if (!t->open) return;
    while (t->now < since_s) {
        double dt = until_next(t), most = since_s - t->now;

        if (dt < 0)
            t->now = since_s;
        else
            pass(t, dt < most ? dt : most);
    }
    while (!start_one(t, item, 1))
        if (!step(t)) {
            t->open = false;
            return;
        }
    rest = *t;
    keep(t, &rest);
    while (item->end_s < 0 && step(&rest))
        ;
    item->start_s -= since_s;
    if (item->end_s >= 0) item->end_s -= since_s;
}
