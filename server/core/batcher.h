/* batcher - which residents share the next quantum: the one whose share is due first leads, and
 * those that are as little served join where a shared quantum costs less than two.
 *
 * Residents share device time, not steps. Each run carries the device time that it has used: of a
 * shared quantum each pays by the planned work of its own part. The run leads that will have used
 * least after its next quantum (weighted fair queueing: Demers, Keshav, Shenker 1989), so each of n
 * residents gets an n-th of the device whatever sizes the others have, and a small picture waits
 * for a large one's quantum only when that is being computed as it arrives.
 *
 * Who joins the leader
 * - A token reads all weights of the prior for one row of work, so all that sample tokens go along.
 * - A prompt is prefilled alone: its quanta are far longer than a token's and gain nothing.
 * - In the other phases those that are level with the leader, at most one of its quanta ahead, as
 *   long as the quantum stays below BATCHER_SHARED_US. Longer ones are bound by arithmetic and not
 *   by reading weights (measured: 1.00 times the throughput in processor time, 1.04 at best), and
 *   small pictures would have to wait for them.
 *
 * Urgent runs are alone among themselves: as long as one is there, none that is not leads or
 * joins. So an urgent one has its first quantum within one quantum of its arrival.
 *
 * A run that arrives starts level with the least served of those that are there: it neither waits
 * for them nor makes them wait for its past.
 *
 * Where weights take turns on the device, changing to another phase costs as much as seconds of
 * work. Then the leader comes from the phases whose weights are at hand as long as any run is in
 * one of them, so all waiting priors are done before one change. None starves: a run that has been
 * passed over for BATCHER_PASSED_OVER_US leads the next quantum, also where urgent ones go before
 * it. Pure; used by the worker over its
 * own residents, and by the timeline of the forecast, which asks batcher_shares(). */
#ifndef SERVER_CORE_BATCHER_H
#define SERVER_CORE_BATCHER_H

#include "kernels/glm.h"

#include <stdbool.h>
#include <stdint.h>

#define BATCHER_ALL            (~0U) /* every phase is at hand */
/* with offloaded weights a change of phase costs a second or two: two a minute are affordable */
#define BATCHER_PASSED_OVER_US 60000000
#define BATCHER_SHARED_US      30000 /* a quantum that others join is planned to take less */

struct batcher_run {
    bool urgent;            /* goes before all that are not */
    enum glm_phase phase;   /* as the run's progress says */
    int64_t used_us;        /* batcher_join and batcher_charge write it */
    int64_t passed_over_us; /* device time of others since its own last quantum */
    bool prefill;           /* as the run's progress says */
    double cost;            /* planned work of its next quantum; <= 0: unknown, counts as equal */
    int64_t quantum_us;     /* how long that will take alone; <= 0: unknown, it is not joined */
};

/* May a run whose own part takes part_us join a quantum of this phase that takes so_far_us? */
bool batcher_shares(enum glm_phase, bool prefill, int64_t so_far_us, int64_t part_us);
/* Choose among runs[0..n) that are not GLM_DONE: writes at most max indices to picked, the leader
 * first, then those that join, the least served first. at_hand: bit p for phase p (glm_at_hand).
 * Ties go to the lower index, so keep runs in the order of their arrival. Returns how many, 0 when
 * no run can go on. */
int batcher_pick(const struct batcher_run *runs, int n, int max, unsigned at_hand, int *picked);
/* The part of a quantum that picked[i] pays for: 0 .. 1, all together 1. */
double batcher_part(const struct batcher_run *runs, const int *picked, int n_picked, int i);
/* A quantum of elapsed_us was shared by the picked ones of the n. */
void batcher_charge(struct batcher_run *runs, int n, const int *picked, int n_picked,
                    int64_t elapsed_us);
/* runs[n - 1] has just arrived. */
void batcher_join(struct batcher_run *runs, int n);

#endif
