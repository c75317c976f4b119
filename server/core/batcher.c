/* batcher - the first in the order leads; others join where they add little. */
#include "server/core/batcher.h"

#include "server/core/eta.h"

#include <assert.h>
#include <math.h>

void batcher_look(struct batcher_run *r, const struct glm_cost *c, const struct glm_progress *v)
{
    enum eta_stage stage;

    r->phase = v->phase;
    r->prefill = v->prefill;
    r->own = r->ahead = r->tokens = 0;
    if (v->phase >= GLM_DONE) return;
    stage = eta_stage_of(v->phase, v->prefill);
    r->own = eta_own(c, stage);
    r->tokens = eta_work(c, v, ETA_TOKENS);
    for (int s = ETA_GLYPH; s <= ETA_PREFILL; s++)
        r->ahead += eta_work(c, v, (enum eta_stage)s);
}

static bool picked_already(const int *picked, int n, int run)
{
    for (int i = 0; i < n; i++)
        if (picked[i] == run) return true;
    return false;
}

static bool any_urgent(const struct batcher_run *runs, int n)
{
    for (int i = 0; i < n; i++)
        if (runs[i].urgent && runs[i].phase != GLM_DONE) return true;
    return false;
}

/* Of the runs in these phases the first in the order, or -1. */
static int first_of(const struct batcher_run *runs, int n, unsigned phases)
{
    bool urgent = any_urgent(runs, n);
    int best = -1;

    for (int i = 0; i < n; i++) {
        if (runs[i].phase == GLM_DONE || !(phases >> runs[i].phase & 1)) continue;
        if (urgent && !runs[i].urgent) continue;
        if (best < 0 || runs[i].place < runs[best].place) best = i;
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

static bool samples(const struct batcher_run *r)
{
    return r->phase == GLM_PRIOR && !r->prefill;
}

/* Is it before its tokens, and worth being brought to where it can share the leader's? */
static bool is_worth_bringing(const struct batcher_run *r, const struct batcher_run *leader,
                              unsigned at_hand)
{
    double shared = fmin(r->tokens, leader->tokens);

    if (samples(r) || r->phase > GLM_PRIOR || !(at_hand >> r->phase & 1)) return false;
    if (r->urgent != leader->urgent || !(shared > 0)) return false;
    return r->ahead + leader->own * shared <= BATCHER_OWN_MOST * (r->ahead + shared);
}

/* The run that goes on alone, so that it can join the leader afterwards; else the leader. */
static int before_leader(const struct batcher_run *runs, int n, unsigned at_hand, int leader)
{
    int best = -1;

    if (!samples(&runs[leader])) return leader;
    for (int i = 0; i < n; i++)
        if (is_worth_bringing(&runs[i], &runs[leader], at_hand)
            && (best < 0 || runs[i].place < runs[best].place))
            best = i;
    return best < 0 ? leader : best;
}

/* The run that may join the picked ones and that is first in the order, or -1. */
static int next_to_join(const struct batcher_run *runs, int n, const int *picked, int n_picked)
{
    const struct batcher_run *leader = &runs[picked[0]];
    int best = -1;

    if (leader->prefill) return -1;
    for (int i = 0; i < n; i++) {
        const struct batcher_run *r = &runs[i];

        if (r->phase != leader->phase || r->urgent != leader->urgent) continue;
        if (r->prefill || !(r->own <= BATCHER_OWN_MOST)) continue;
        if (best >= 0 && r->place >= runs[best].place) continue;
        if (!picked_already(picked, n_picked, i)) best = i;
    }
    return best;
}

int batcher_pick(const struct batcher_run *runs, int n, int max, unsigned at_hand, int *picked)
{
    bool turns = at_hand != BATCHER_ALL || any_urgent(runs, n);
    int leader = turns ? longest_passed_over(runs, n) : -1, count = 0;

    assert(n >= 0 && max >= 0);
    if (leader < 0) {
        leader = first_of(runs, n, at_hand);
        if (leader < 0) leader = first_of(runs, n, BATCHER_ALL);
        if (leader >= 0) leader = before_leader(runs, n, at_hand, leader);
    }
    for (int next = leader; next >= 0 && count < max;) {
        picked[count++] = next;
        next = next_to_join(runs, n, picked, count);
    }
    return count;
}

void batcher_passed(struct batcher_run *runs, int n, const int *picked, int n_picked,
                    int64_t elapsed_us)
{
    assert(n_picked >= 0 && n_picked <= n && elapsed_us >= 0);
    for (int i = 0; i < n; i++)
        runs[i].passed_over_us += elapsed_us;
    for (int i = 0; i < n_picked; i++)
        runs[picked[i]].passed_over_us = 0;
}
