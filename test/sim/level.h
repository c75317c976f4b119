/* level - how far the users of a simulated world are apart in what they have had of the devices. */
#ifndef TEST_SIM_LEVEL_H
#define TEST_SIM_LEVEL_H

#include "test/sim/world.h"

#include <math.h>

/* Has it a job in this lane that ran and waits again? What others start meanwhile is owed. */
static inline bool ran_before(const struct world *w, const struct account *a, enum user_lane lane)
{
    for (int i = 0; i < w->hub->queue.n; i++) {
        const struct job *j = w->hub->queue.at[i];

        if (j->owner == a && j->spec.lane == (int)lane && (j->share.used_us > 0 || j->run.retries))
            return true;
    }
    return false;
}

/* Virtual seconds between the users of a lane who have jobs waiting there; without those who may
 * have only so many at a time, and are behind because of that. */
static inline double most_apart(const struct world *w, enum user_lane lane)
{
    double least = HUGE_VAL, most = -HUGE_VAL;

    for (int i = 0; i < w->hub->accounts.n; i++) {
        const struct account_lane *a = &w->hub->accounts.at[i]->lane[lane];

        if (a->ready == 0 || w->hub->accounts.at[i]->user.running > 0) continue;
        if (ran_before(w, w->hub->accounts.at[i], lane)) continue;
        least = fmin(least, a->next);
        most = fmax(most, a->next);
    }
    return most > least ? most - least : 0;
}

/* Of the jobs that the hub remembers, what the largest one counts for. */
static inline double largest(const struct world *w)
{
    double cost = 0;

    for (const struct job *j = w->hub->registry.newest; j; j = j->links.older) {
        double had = (double)(j->run.used_us + j->share.used_us) / 1e6;

        cost = fmax(cost, fmax(j->share.cost, had / j->owner->user.weight));
    }
    return cost;
}

/* Of two users with work waiting in a lane neither is further beyond the other than this many times
 * the largest job: 1 where what jobs take is known before. */
static inline void check_level(struct world *w, double jobs)
{
    w->largest_s = fmax(w->largest_s, largest(w));
    for (int k = 0; k < LANES; k++)
        MUST(w, most_apart(w, (enum user_lane)k) <= jobs * w->largest_s * 1.001 + 1e-6,
             "lane %d: %f s apart, the largest job has %f", k, most_apart(w, (enum user_lane)k),
             w->largest_s);
}

#endif
