/* batcher - which residents share the next quantum: least served first, and all in its phase go
 * along.
 *
 * Each run carries the device time that it has used, a batch's time shared out equally. The run
 * that has used least leads, so none starves whatever the others do; every other run in the
 * leader's phase joins, because a shared quantum costs less than two. Only a prompt is read alone:
 * its quanta are far longer than a token's and gain nothing by company. A run that arrives starts
 * level with the least served of those that are there: it neither waits for them nor makes them
 * wait for its past.
 *
 * Where weights take turns on the device, changing to another phase costs as much as seconds of
 * work. Then the leader comes from the phases whose weights are at hand as long as any run is in
 * one of them, so all waiting priors are done before one change. Nobody starves: whoever has been
 * passed over for BATCHER_PASSED_OVER_US leads the next quantum. Pure; used by the worker over its
 * own residents. */
#ifndef SERVER_CORE_BATCHER_H
#define SERVER_CORE_BATCHER_H

#include "kernels/glm.h"

#include <stdbool.h>
#include <stdint.h>

#define BATCHER_ALL (~0U) /* every phase is at hand */
#define BATCHER_PASSED_OVER_US \
    60000000 /* two changes a minute, each a second or two, are bearable */

struct batcher_run {
    enum glm_phase phase;   /* as the run's view says */
    int64_t used_us;        /* batcher_join and batcher_charge write it */
    int64_t passed_over_us; /* device time of others since its own last quantum */
    bool reading;           /* as the run's view says */
};

/* Choose among runs[0..n) that are not GLM_DONE: writes at most max indices to picked, the leader
 * first, then the least served ones of its phase. at_hand: bit p for phase p (glm_at_hand). Ties go
 * to the lower index, so keep runs in the order of their arrival. Returns how many, 0 when no run
 * can go on. */
int batcher_pick(const struct batcher_run *runs, int n, int max, unsigned at_hand, int *picked);
/* A quantum of elapsed_us was shared by the picked ones of the n. */
void batcher_charge(struct batcher_run *runs, int n, const int *picked, int n_picked,
                    int64_t elapsed_us);
/* runs[n - 1] has just arrived. */
void batcher_join(struct batcher_run *runs, int n);

#endif
