/* turn - which residents share the next quantum: least served first, and all in its phase go along.
 *
 * Each run carries the device time that it has used, a batch's time shared out equally. The run that
 * has used least leads, so none starves whatever the others do; every other run in the leader's phase
 * joins, because a shared quantum costs less than two. A run that arrives starts level with the least
 * served of those that are there: it neither waits for them nor makes them wait for its past.
 * Pure; used by the worker over its own residents. */
#ifndef SERVER_TURN_H
#define SERVER_TURN_H

#include "kernels/glm.h"

#include <stdint.h>

struct turn_run {
    enum glm_phase phase; /* as the run's view says */
    int64_t used_us;      /* turn_join and turn_charge write it */
};

/* Choose among runs[0..n) that are not GLM_DONE: writes at most max indices to picked, the leader
 * first, then the least served ones of its phase. Ties go to the lower index, so keep runs in the order of
 * their arrival. Returns how many, 0 when no run can go on. */
int turn_pick(const struct turn_run *runs, int n, int max, int *picked);
/* A quantum of elapsed_us was shared by the picked ones. */
void turn_charge(struct turn_run *runs, const int *picked, int n_picked, int64_t elapsed_us);
/* runs[n - 1] has just arrived. */
void turn_join(struct turn_run *runs, int n);

#endif
