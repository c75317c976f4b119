/* batcher - least served first, and all in its phase go along. */
#include "server/core/batcher.h"

#include <assert.h>

static bool picked_already(const int *picked, int n, int run)
{
    for (int i = 0; i < n; i++)
        if (picked[i] == run) return true;
    return false;
}

/* The least served run of these phases that is not picked yet, or -1. */
static int least(const struct batcher_run *runs, int n, unsigned phases, const int *picked,
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
static int longest_passed_over(const struct batcher_run *runs, int n)
{
    int first = -1;

    for (int i = 0; i < n; i++) {
        if (runs[i].phase == GLM_DONE || runs[i].passed_over_us < BATCHER_PASSED_OVER_US) continue;
        if (first < 0 || runs[i].passed_over_us > runs[first].passed_over_us) first = i;
    }
    return first;
}

int batcher_pick(const struct batcher_run *runs, int n, int max, unsigned at_hand, int *picked)
{
    int leader = at_hand == BATCHER_ALL ? -1 : longest_passed_over(runs, n), count = 0;

    assert(n >= 0 && max >= 0);
    if (leader < 0) leader = least(runs, n, at_hand, NULL, 0);
    if (leader < 0) leader = least(runs, n, BATCHER_ALL, NULL, 0);
    while (leader >= 0 && count < max) {
        picked[count++] = leader;
        if (runs[leader].reading) break;
        leader = least(runs, n, 1U << runs[picked[0]].phase, picked, count);
    }
    return count;
}

void batcher_charge(struct batcher_run *runs, int n, const int *picked, int n_picked,
                    int64_t elapsed_us)
{
    assert(n_picked >= 0 && n_picked <= n && elapsed_us >= 0);
    for (int i = 0; i < n; i++) {
        bool was = picked_already(picked, n_picked, i);

        runs[i].passed_over_us = was ? 0 : runs[i].passed_over_us + elapsed_us;
        if (was) runs[i].used_us += elapsed_us / n_picked + 1;
    }
}

void batcher_join(struct batcher_run *runs, int n)
{
    int64_t level = INT64_MAX;

    assert(n >= 1);
    for (int i = 0; i < n - 1; i++)
        if (runs[i].used_us < level) level = runs[i].used_us;
    runs[n - 1].used_us = n > 1 ? level : 0;
    runs[n - 1].passed_over_us = 0;
}
