/* batcher - which residents share the next quantum: the first in the device's order (order.h)
 * leads, and others join where that costs it less than they gain.
 *
 * Who joins the leader
 * - One whose part adds at most half of what it would take alone. A quantum reads the weights
 *   and makes its calls once for all its members, and only the arithmetic is each one's own
 *   (eta_own). If one joins, the leader ends later by the joining one's own part, and that one
 *   earlier by the rest, so up to a half the sum of both times falls. Tokens read all weights
 *   for one row, so they go together; denoising steps do not on a processor, and on a GPU only
 *   small ones.
 * - A prompt is prefilled alone, as its quanta are long and gain nothing. But while the leader
 *   samples tokens, one that has not come so far is brought there first, if its prompt and its own
 *   parts are together at most half of what prompt and tokens would take alone: the same rule
 *   for all tokens that the two can share. Both members' tokens are taken to be alike.
 *
 * Urgent runs are alone among themselves: as long as one is there, none that is not leads or
 * joins. So an urgent one has its first quantum within one quantum of its arrival.
 *
 * Where weights take turns on the device, changing to another phase costs as much as seconds of
 * work. Then the leader comes from the phases whose weights are at hand as long as any run is in
 * one of them, so all waiting priors are done before one change.
 *
 * None starves: the order lets each be passed by so much work and no more. Where urgent ones go
 * before it, or phases that are at hand, a run that has been passed over for
 * BATCHER_PASSED_OVER_US leads the next quantum.
 * Pure; used by the worker over its own residents, and by the timeline of the forecast. */
#ifndef SERVER_CORE_BATCHER_H
#define SERVER_CORE_BATCHER_H

#include "kernels/glm.h"

#include <stdbool.h>
#include <stdint.h>

#define BATCHER_ALL            (~0U) /* every phase is at hand */
/* with offloaded weights a change of phase costs a second or two: two a minute are affordable */
#define BATCHER_PASSED_OVER_US 60000000
#define BATCHER_OWN_MOST       0.5 /* of a quantum: one that adds more than that does not join */

struct batcher_run {
    double place; /* in the device's order */
    bool urgent;  /* goes before all that are not */
    enum glm_phase phase;
    bool prefill;
    double own;             /* part of its quanta that it adds to a batch: 0 .. 1 */
    double ahead;           /* planned work until it samples its first token */
    double tokens;          /* planned work of the tokens that it has not sampled */
    int64_t passed_over_us; /* device time of others since its own last quantum */
};

/* Where a run stands: all but its place, its urgency and passed_over_us. cost: work 0 when unknown,
 * then it shares quanta of tokens only. */
void batcher_look(struct batcher_run *, const struct glm_cost *, const struct glm_progress *);
/* Choose among runs[0..n) that are not GLM_DONE: writes at most max indices to picked, the leader
 * first, then those that join, in the order. at_hand: bit p for phase p (glm_at_hand). Ties
 * go to the lower index, so keep runs in the order of their arrival. Returns how many, 0 when no
 * run can go on. */
int batcher_pick(const struct batcher_run *runs, int n, int max, unsigned at_hand, int *picked);
/* A quantum of elapsed_us was shared by the picked ones of the n. */
void batcher_passed(struct batcher_run *runs, int n, const int *picked, int n_picked,
                    int64_t elapsed_us);

#endif
