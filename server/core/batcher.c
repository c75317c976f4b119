/* batcher - the one that is due first leads; level ones join where sharing gains. */
#include "server/core/batcher.h"

#include <assert.h>

static bool picked_already(const int *picked, int n, int run)
{
    for (int i = 0; i < n; i++)
        if (picked[i] == run) return true;
    return false;
}

/* What it will have used after its next quantum. */
static int64_t finish_us(const struct batcher_run *r)
{
    return r->used_us + r->quantum_us;
}

static bool any_urgent(const struct batcher_run *runs, int n)
{
    for (int i = 0; i < n; i++)
        if (runs[i].urgent && runs[i].phase != GLM_DONE) return true;
    return false;
}

/* The run of these phases whose next quantum ends first by its share, or -1. */
static int first_due(const struct batcher_run *runs, int n, unsigned phases)
{
    bool urgent = any_urgent(runs, n);
    int best = -1;

    for (int i = 0; i < n; i++) {
        if (runs[i].phase == GLM_DONE || !(phases >> runs[i].phase & 1)) continue;
        if (urgent && !runs[i].urgent) continue;
        if (best < 0 || finish_us(&runs[i]) < finish_us(&runs[best])) best = i;
    }
    return best;
}

/* The run that was passed over for longer than the bound, the longest of them, or -1. */
static int longest_passed_over(const struct batcher_run *runs, int n)
{
    int first = -1;

    for (int i = 0; i < n; i++) {
        if (runs[i].phase == GLM_DONE || runs[i].passed_over_us < BATCHER_PASSED_OVER_US) continue;
        if (first < 0 || runs[i].passed_over_us > runs[first].passed_over_us) first = i;
    }
    return first;
}

bool batcher_shares(enum glm_phase phase, bool prefill, int64_t so_far_us, int64_t part_us)
{
    if (prefill) return false;
    if (phase == GLM_PRIOR) return true;
    return so_far_us > 0 && part_us > 0 && so_far_us + part_us <= BATCHER_SHARED_US;
}

static bool is_level(const struct batcher_run *r, const struct batcher_run *leader)
{
    return r->phase == GLM_PRIOR || r->used_us <= finish_us(leader);
}

/* The least served run that may join the picked ones, or -1. */
static int next_to_join(const struct batcher_run *runs, int n, const int *picked, int n_picked,
                        int64_t so_far_us)
{
    const struct batcher_run *leader = &runs[picked[0]];
    int best = -1;

    for (int i = 0; i < n; i++) {
        const struct batcher_run *r = &runs[i];

        if (r->phase != leader->phase || r->urgent != leader->urgent) continue;
        if (!is_level(r, leader)) continue;
        if (!batcher_shares(r->phase, r->prefill || leader->prefill, so_far_us, r->quantum_us))
            continue;
        if (best >= 0 && r->used_us >= runs[best].used_us) continue;
        if (!picked_already(picked, n_picked, i)) best = i;
    }
    return best;
}

int batcher_pick(const struct batcher_run *runs, int n, int max, unsigned at_hand, int *picked)
{
    bool turns = at_hand != BATCHER_ALL || any_urgent(runs, n);
    int leader = turns ? longest_passed_over(runs, n) : -1, count = 0;
    int64_t so_far_us = 0;

    assert(n >= 0 && max >= 0);
    if (leader < 0) leader = first_due(runs, n, at_hand);
    if (leader < 0) leader = first_due(runs, n, BATCHER_ALL);
    for (int next = leader; next >= 0 && count < max;) {
        picked[count++] = next;
        so_far_us += runs[next].quantum_us;
        next = next_to_join(runs, n, picked, count, so_far_us);
    }
    return count;
}

double batcher_part(const struct batcher_run *runs, const int *picked, int n_picked, int i)
{
    double all = 0;

    assert(i >= 0 && i < n_picked);
    for (int k = 0; k < n_picked; k++) {
        if (!(runs[picked[k]].cost > 0)) return 1.0 / n_picked;
        all += runs[picked[k]].cost;
    }
    return runs[picked[i]].cost / all;
}

void batcher_charge(struct batcher_run *runs, int n, const int *picked, int n_picked,
                    int64_t elapsed_us)
{
    assert(n_picked >= 0 && n_picked <= n && elapsed_us >= 0);
    for (int i = 0; i < n; i++)
        runs[i].passed_over_us += elapsed_us;
    for (int i = 0; i < n_picked; i++) {
        struct batcher_run *r = &runs[picked[i]];

        r->passed_over_us = 0;
        r->used_us += (int64_t)((double)elapsed_us * batcher_part(runs, picked, n_picked, i)) + 1;
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
