/* turn - least served first, and all in its phase go along. */
#include "server/turn.h"

#include <stdbool.h>

static bool picked_already(const int *picked, int n, int run)
{
    for (int i = 0; i < n; i++)
        if (picked[i] == run) return true;
    return false;
}

/* The least served run of a phase (any, when phase is GLM_DONE) that is not picked yet, or -1. */
static int least(const struct turn_run *runs, int n, enum glm_phase phase, const int *picked,
                 int n_picked)
{
    int best = -1;

    for (int i = 0; i < n; i++) {
        if (runs[i].phase == GLM_DONE || (phase != GLM_DONE && runs[i].phase != phase)) continue;
        if (best >= 0 && runs[i].used_us >= runs[best].used_us) continue;
        if (!picked_already(picked, n_picked, i)) best = i;
    }
    return best;
}

int turn_pick(const struct turn_run *runs, int n, int max, int *picked)
{
    enum glm_phase phase = GLM_DONE;
    int count = 0;

    while (count < max) {
        int next = least(runs, n, phase, picked, count);

        if (next < 0) break;
        phase = runs[next].phase;
        picked[count++] = next;
    }
    return count;
}

void turn_charge(struct turn_run *runs, const int *picked, int n_picked, int64_t elapsed_us)
{
    for (int i = 0; i < n_picked; i++)
        runs[picked[i]].used_us += elapsed_us / n_picked + 1;
}

void turn_join(struct turn_run *runs, int n)
{
    int64_t level = INT64_MAX;

    for (int i = 0; i < n - 1; i++)
        if (runs[i].used_us < level) level = runs[i].used_us;
    runs[n - 1].used_us = n > 1 ? level : 0;
}
