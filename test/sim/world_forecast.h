/* world_forecast - which job was forecast to start next, so that a start can be held against it. */
#ifndef TEST_SIM_WORLD_FORECAST_H
#define TEST_SIM_WORLD_FORECAST_H

#include "test/sim/world_state.h"

/* Ask for the forecast of every waiting job. A start from now on must be of the job that would
 * start first. */
static inline void forecast_remember(struct world *w)
{
    struct hub *h = w->hub;
    const struct timeline_item *items = forecast_queue(h);

    w->forecasts++;
    for (int i = 0; items && i < h->queue.n; i++) {
        struct truth *t = truth_of(w, h->queue.at[i]->id);

        t->forecast_step = w->forecasts;
        t->forecast_s = items[i].start_s;
    }
}

/* A job starts: no other that the newest forecast knows, and that still waits, may have been due
 * before it in its lane. Jobs that came to wait after the forecast are not in it, and may have
 * changed when `batch` has its turn; what others' jobs really took changes the turns of users. */
static inline void forecast_check(struct world *w, const struct truth *started)
{
    const struct hub *h = w->hub;
    const struct job *j = registry_find(&h->registry, started->id);
    const struct account *owner = j->owner;
    int lane = j->spec.lane;

    if (started->forecast_step != w->forecasts || started->forecast_s < 0) return;
    w->checked++;
    for (int i = 0; i < h->queue.n; i++) {
        const struct truth *t = truth_of(w, h->queue.at[i]->id);

        if (t->forecast_step != w->forecasts || t->forecast_s < 0) continue;
        if (h->queue.at[i]->state == JOB_ADMIT) continue;
        if (t->forecast_s >= started->forecast_s) continue;
        if (h->queue.at[i]->spec.lane != lane || h->queue.at[i]->owner != owner) continue;
        w->n_wrong++;
        MUST(w, w->wrong_forecasts, "a job started that was forecast %f s after another that waits",
             started->forecast_s - t->forecast_s);
    }
}

/* A call of the hub follows that may start a job. The forecast of before is made here and not after
 * each operation, as most calls start none: the hub is as that operation has left it, since what
 * lies between reads alone. out_start() sees to it that no start goes without. */
static inline void world_enter(struct world *w)
{
    if (w->forecast_due) forecast_remember(w);
    w->forecast_due = false;
}

#endif
