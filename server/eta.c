/* eta - measured rates, and the queue played forward in order. */
#include "server/eta.h"

#include <assert.h>
#include <math.h>
#include <string.h>

/* About so many pictures back matter: enough to average, few enough to follow a machine whose load changes. */
static const double PICTURES = 3;
/* Mean |ln| of a forecast that rests on a guess: a factor of two either way. */
static const double ERROR_UNKNOWN = 0.7, ERROR_LEAST = 0.02;
/* Nine of ten lie within this many mean deviations of a normal distribution: 1.645 * sqrt(pi / 2). */
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

    for (int d = 0; d < ETA_SIZES; d++) {
        const struct eta_rate *r = NULL;

        if (size - d >= 0) r = nearest_batch(e->rate[phase][size - d], batch);
        if (!r && size + d < ETA_SIZES) r = nearest_batch(e->rate[phase][size + d], batch);
        if (r) return r->flops / r->seconds;
    }
    return rate_known(&e->all) ? e->all.flops / e->all.seconds : e->guess;
}

/* The part of a phase that is still to come: 0 .. 1. */
static double left_of(const struct glm_view *v, int phase)
{
    if (phase < (int)v->phase) return 0;
    if (phase > (int)v->phase || v->total <= 0) return 1;
    if (v->done >= v->total) return 0;
    return v->done <= 0 ? 1 : 1 - (double)v->done / v->total;
}

double eta_seconds(const struct eta *e, const struct eta_item *it, int batch)
{
    double sum = 0;

    for (int p = 0; p < GLM_PHASES; p++) {
        double flops = it->plan->cost.flops[p] * left_of(&it->view, p);

        if (flops > 0) sum += flops / eta_rate(e, (enum glm_phase)p, it->pixels, batch);
    }
    return sum;
}

/* --- the simulation ----------------------------------------------------------------------------- */

struct sim_run {
    struct eta_item *item;
    double left;    /* 1 .. 0 of what the item had to do when it joined */
    double seconds; /* of device time for all of it, at the present batch */
};

struct sim {
    const struct eta *eta;
    struct ledger ledger;
    struct sim_run run[LEDGER_MAX];
    int n, cap;
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

static void sim_seconds(struct sim *s, struct sim_run *r)
{
    r->seconds = 0;
    for (int p = 0; p < GLM_PHASES; p++) {
        double flops = r->item->plan->cost.flops[p] * left_of(&r->item->view, p);

        if (flops > 0) r->seconds += flops / sim_rate(s, p, r->item->pixels, s->n);
    }
}

/* All n residents share from now on. */
static void sim_share(struct sim *s)
{
    for (int i = 0; i < s->n; i++)
        sim_seconds(s, &s->run[i]);
}

static void sim_join(struct sim *s, struct eta_item *it)
{
    ledger_hold(&s->ledger, (uint64_t)(uintptr_t)it, it->plan);
    s->run[s->n++] = (struct sim_run){it, 1, 0};
    it->start_s = s->now;
}

static bool sim_room(const struct sim *s, const struct eta_item *it)
{
    return s->n < s->cap && s->n < LEDGER_MAX && it->plan && ledger_fits(&s->ledger, it->plan);
}

/* Time until a run ends when all n go on sharing equally. */
static double sim_until(const struct sim *s, const struct sim_run *r)
{
    return r->left * r->seconds * s->n;
}

/* Let time pass until the first run ends, and take it away. */
static void sim_finish_one(struct sim *s)
{
    int first = 0;
    double dt;

    for (int i = 1; i < s->n; i++)
        if (sim_until(s, &s->run[i]) < sim_until(s, &s->run[first])) first = i;
    dt = sim_until(s, &s->run[first]);
    for (int i = 0; i < s->n; i++) {
        double all = s->run[i].seconds * s->n;

        s->run[i].left = all > 0 ? fmax(0, s->run[i].left - dt / all) : 0;
    }
    s->now += dt;
    s->run[first].item->end_s = s->now + s->eta->tail_s;
    ledger_release(&s->ledger, (uint64_t)(uintptr_t)s->run[first].item);
    s->run[first] = s->run[--s->n];
}

void eta_simulate(const struct eta *e, struct eta_item *items, int residents, int n, int cap,
                  const struct ledger *l)
{
    struct sim s = {.eta = e, .cap = cap};
    int next = 0;

    /* residents are there whatever the budget says now, so they must not trip the ledger */
    ledger_init(&s.ledger, UINT64_MAX);
    for (int i = 0; i < n; i++)
        items[i].start_s = items[i].end_s = -1;
    for (; next < residents && next < LEDGER_MAX; next++)
        if (items[next].plan) sim_join(&s, &items[next]);
    s.ledger.budget = l->budget;
    next = residents;
    for (;;) {
        while (next < n && sim_room(&s, &items[next]))
            sim_join(&s, &items[next++]);
        if (s.n == 0) break; /* all done, or the next one's needs are not known */
        sim_share(&s);
        sim_finish_one(&s);
    }
}

void eta_range(const struct eta *e, double seconds, double *low, double *high)
{
    double f = exp(NINE_OF_TEN * e->error);

    *low = seconds / f;
    *high = seconds * f;
}
