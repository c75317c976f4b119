/* eta - measured rates, and the queue played forward in order. */
#include "server/core/eta.h"

#include <assert.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

/* About so many pictures back matter: enough to average, few enough to follow a machine whose load
 * changes. */
static const double PICTURES = 3;
/* Mean |ln| of a forecast that rests on a guess: a factor of two either way. */
static const double ERROR_UNKNOWN = 0.7, ERROR_LEAST = 0.02;
/* Nine of ten lie within this many mean deviations of a normal distribution: 1.645 * sqrt(pi /
 * 2). */
static const double NINE_OF_TEN = 2.06;

void eta_init(struct eta *e, double guess)
{
    memset(e, 0, sizeof *e);
    e->guess = guess > 0 ? guess : 1e10;
    e->error = ERROR_UNKNOWN;
}

static int size_class(int pixels)
{
    int c = 0;

    for (int p = LIMIT_SIDE_MIN * LIMIT_SIDE_MIN; p < pixels && c < ETA_SIZES - 1; p *= 2)
        c++;
    return c;
}

static void rate_add(struct eta_rate *r, double flops, double seconds, double fade)
{
    r->flops = r->flops * fade + flops;
    r->seconds = r->seconds * fade + seconds;
}

static bool rate_known(const struct eta_rate *r)
{
    return r->seconds > 0 && r->flops > 0;
}

void eta_learn(struct eta *e, enum glm_phase phase, int pixels, int batch, double flops,
               int64_t elapsed_us, int quanta)
{
    double seconds = (double)elapsed_us / 1e6;
    double fade = 1 - 1 / (PICTURES * (quanta > 1 ? quanta : 1));

    if (phase >= GLM_DONE || batch < 1 || batch > LIMIT_BATCH) return;
    if (!(flops > 0) || !(seconds > 0)) return;
    rate_add(&e->rate[phase][size_class(pixels)][batch - 1], flops, seconds, fade);
    rate_add(&e->all, flops, seconds, fade);
}

void eta_judge(struct eta *e, int64_t said_us, int64_t was_us)
{
    double off, weight;

    if (said_us <= 0 || was_us <= 0) return;
    e->judged++;
    off = fabs(log((double)was_us / (double)said_us));
    weight = 1.0 / (e->judged < 16 ? e->judged + 1 : 16);
    e->error += (off - e->error) * weight;
    if (e->error < ERROR_LEAST) e->error = ERROR_LEAST;
}

void eta_tail(struct eta *e, int64_t us)
{
    double s = (double)us / 1e6;

    if (us < 0) return;
    e->tail_s = e->tail_s > 0 ? e->tail_s + (s - e->tail_s) / 8 : s;
}

/* The measured batch nearest to the wanted one, smaller ones first: they promise less. */
static const struct eta_rate *nearest_batch(const struct eta_rate *row, int batch)
{
    for (int d = 0; d < LIMIT_BATCH; d++) {
        if (batch - d >= 1 && rate_known(&row[batch - d - 1])) return &row[batch - d - 1];
        if (batch + d <= LIMIT_BATCH && rate_known(&row[batch + d - 1])) return &row[batch + d - 1];
    }
    return NULL;
}

double eta_rate(const struct eta *e, enum glm_phase phase, int pixels, int batch)
{
    int size = size_class(pixels);

    assert(phase < GLM_DONE && batch >= 1 && batch <= LIMIT_BATCH);
    for (int d = 0; d < ETA_SIZES; d++) {
        const struct eta_rate *r = NULL;

        if (size - d >= 0) r = nearest_batch(e->rate[phase][size - d], batch);
        if (!r && size + d < ETA_SIZES) r = nearest_batch(e->rate[phase][size + d], batch);
        if (r) return r->flops / r->seconds;
    }
    return rate_known(&e->all) ? e->all.flops / e->all.seconds : e->guess;
}

double eta_left(const struct glm_progress *v, int phase)
{
    if (phase < (int)v->phase) return 0;
    if (phase > (int)v->phase || v->total <= 0) return 1;
    if (v->done >= v->total) return 0;
    return v->done <= 0 ? 1 : v->left;
}

double eta_seconds(const struct eta *e, const struct eta_item *it, int batch)
{
    double sum = 0;

    for (int p = 0; p < GLM_PHASES; p++) {
        double flops = it->plan->cost.flops[p] * eta_left(&it->view, p);

        if (flops > 0) sum += flops / eta_rate(e, (enum glm_phase)p, it->pixels, batch);
    }
    return sum;
}

/* --- the simulation --------------------------------------------------------------------------- */

struct sim_run {
    struct eta_item *item;
    double left;    /* 1 .. 0 of what the item had to do when it joined */
    double seconds; /* of device time for all of it, at the present batch */
};

struct sim_device {
    struct sim_run run[LEDGER_MAX];
    int n;
};

struct sim {
    const struct eta *eta;
    struct dispatch_state on; /* the same residents as in device[] */
    struct sim_device device[LIMIT_DEVICES];
    double now;
    /* eta_rate() looks far for its neighbours; each answer is kept for one simulation */
    double memo[GLM_PHASES][ETA_SIZES][LIMIT_BATCH];
};

static double sim_rate(struct sim *s, int phase, int pixels, int batch)
{
    double *m = &s->memo[phase][size_class(pixels)][batch - 1];

    if (*m == 0) *m = eta_rate(s->eta, (enum glm_phase)phase, pixels, batch);
    return *m;
}

static void sim_seconds(struct sim *s, struct sim_run *r, int batch)
{
    r->seconds = 0;
    for (int p = 0; p < GLM_PHASES; p++) {
        double flops = r->item->plan->cost.flops[p] * eta_left(&r->item->view, p);

        if (flops > 0) r->seconds += flops / sim_rate(s, p, r->item->pixels, batch);
    }
}

/* All residents of each device share it from now on. */
static void sim_share(struct sim *s)
{
    for (int d = 0; d < s->on.devices; d++)
        for (int i = 0; i < s->device[d].n; i++)
            sim_seconds(s, &s->device[d].run[i], s->device[d].n);
}

static void sim_join(struct sim *s, int device, struct eta_item *it)
{
    struct sim_device *d = &s->device[device];

    assert(d->n < LEDGER_MAX);
    ledger_hold(&s->on.device[device].ledger, (uint64_t)(uintptr_t)it, it->plan);
    d->run[d->n++] = (struct sim_run){it, 1, 0};
    it->start_s = s->now;
    it->device = device;
}

/* Residents are there whatever the budget says now, so the ledger gets it after they have
 * joined. */
static void sim_residents(struct sim *s, struct eta_item *items, int n,
                          const struct dispatch_state *on)
{
    s->on.devices = on->devices;
    s->on.limit = on->limit;
    for (int d = 0; d < on->devices; d++)
        ledger_init(&s->on.device[d].ledger, UINT64_MAX);
    for (int i = 0; i < n; i++)
        if (items[i].plan && s->device[items[i].device].n < LEDGER_MAX)
            sim_join(s, items[i].device, &items[i]);
    for (int d = 0; d < on->devices; d++) {
        s->on.device[d].cap = on->device[d].cap;
        s->on.device[d].ledger.budget = on->device[d].ledger.budget;
    }
}

/* Start the job that dispatch_next() chooses among the waiting items. False: none can start now. */
static bool sim_start_one(struct sim *s, struct eta_item *items, int n)
{
    struct dispatch_job waiting[DISPATCH_WINDOW];
    int item[DISPATCH_WINDOW], count = 0;
    struct dispatch_choice c;

    if (n == 0 || !dispatch_room(&s->on)) return false;
    for (int i = 0; i < n && count < DISPATCH_WINDOW; i++) {
        if (items[i].start_s >= 0) continue;
        waiting[count] = (struct dispatch_job){.plan = items[i].plan};
        item[count++] = i;
    }
    c = dispatch_next(&s->on, waiting, count);
    if (c.verdict != DISPATCH_START) return false; /* it has to wait, or its needs are not known */
    sim_join(s, c.device, &items[item[c.job]]);
    return true;
}

/* Time until a run ends when all of its device go on sharing equally. */
static double sim_until(const struct sim_device *d, const struct sim_run *r)
{
    return r->left * r->seconds * d->n;
}

static void sim_pass(struct sim_device *d, double dt)
{
    for (int i = 0; i < d->n; i++) {
        double all = d->run[i].seconds * d->n;

        d->run[i].left = all > 0 ? fmax(0, d->run[i].left - dt / all) : 0;
    }
}

/* Let time pass until the first run ends, and take it away. 0: there is none. */
static bool sim_finish_one(struct sim *s)
{
    struct sim_device *at = NULL;
    int first = 0;
    double dt = 0;

    for (int k = 0; k < s->on.devices; k++)
        for (int i = 0; i < s->device[k].n; i++) {
            double until = sim_until(&s->device[k], &s->device[k].run[i]);

            if (at && until >= dt) continue;
            at = &s->device[k];
            first = i;
            dt = until;
        }
    if (!at) return false;
    for (int k = 0; k < s->on.devices; k++)
        sim_pass(&s->device[k], dt);
    s->now += dt;
    at->run[first].item->end_s = s->now + s->eta->tail_s;
    ledger_release(&s->on.device[at - s->device].ledger, (uint64_t)(uintptr_t)at->run[first].item);
    at->run[first] = at->run[--at->n];
    return true;
}

void eta_simulate(const struct eta *e, struct eta_item *items, int residents, int n,
                  const struct dispatch_state *on)
{
    struct sim s = {.eta = e};
    int next = residents;

    assert(on->devices >= 1 && on->devices <= LIMIT_DEVICES);
    assert(residents >= 0 && residents <= n);
    for (int i = 0; i < n; i++)
        items[i].start_s = items[i].end_s = -1;
    sim_residents(&s, items, residents, on);
    do {
        while (sim_start_one(&s, items + next, n - next))
            while (next < n && items[next].start_s >= 0)
                next++;
        sim_share(&s);
    } while (sim_finish_one(&s));
}

void eta_range(const struct eta *e, double seconds, double *low, double *high)
{
    double f = exp(NINE_OF_TEN * e->error);

    *low = seconds / f;
    *high = seconds * f;
}
