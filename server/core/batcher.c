/* batcher - least served first, and all in its phase go along. */
#include "server/core/batcher.h"

static bool picked_already(const int *picked, int n, int run)
{
    for (int i = 0; i < n; i++)
        if (picked[i] == run) return true;
    return false;
}

/* The least served run of these phases that is not picked yet, or -1. */
static int least(const struct turn_run *runs, int n, unsigned phases, const int *picked,
                 int n_picked)
{
    int best = -1;

    for (int i = 0; i < n; i++) {
        if (runs[i].phase == GLM_DONE || !(phases >> runs[i].phase & 1)) continue;
        if (best >= 0 && runs[i].used_us >= runs[best].used_us) continue;
        if (n_picked && runs[i].reading) continue;
        if (!picked_already(picked, n_picked, i)) best = i;
    }
    return best;
}

/* Who has lost patience, the longest first; -1: nobody. */
static int impatient(const struct turn_run *runs, int n)
{
    int first = -1;

    for (int i = 0; i < n; i++) {
        if (runs[i].phase == GLM_DONE || runs[i].waited_us < TURN_PATIENCE_US) continue;
        if (first < 0 || runs[i].waited_us > runs[first].waited_us) first = i;
    }
    return first;
}

int turn_pick(const struct turn_run *runs, int n, int max, unsigned at_hand, int *picked)
{
    int leader = at_hand == TURN_ALL ? -1 : impatient(runs, n), count = 0;

    if (leader < 0) leader = least(runs, n, at_hand, NULL, 0);
    if (leader < 0) leader = least(runs, n, TURN_ALL, NULL, 0);
    while (leader >= 0 && count < max) {
        picked[count++] = leader;
        if (runs[leader].reading) break;
        leader = least(runs, n, 1U << runs[picked[0]].phase, picked, count);
    }
    return count;
}

void turn_charge(struct turn_run *runs, int n, const int *picked, int n_picked, int64_t elapsed_us)
{
    for (int i = 0; i < n; i++) {
        bool was = picked_already(picked, n_picked, i);

        runs[i].waited_us = was ? 0 : runs[i].waited_us + elapsed_us;
        if (was) runs[i].used_us += elapsed_us / n_picked + 1;
    }
}

void turn_join(struct turn_run *runs, int n)
{
    int64_t level = INT64_MAX;

    for (int i = 0; i < n - 1; i++)
        if (runs[i].used_us < level) level = runs[i].used_us;
    runs[n - 1].used_us = n > 1 ? level : 0;
    runs[n - 1].waited_us = 0;
}
