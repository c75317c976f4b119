/* pool - the CPU device's own threads: one job at a time, cut into numbered tasks.
 *
 * Why not OpenMP: its threads spin while they wait and starve the service's loop on a small
 * machine, and ThreadSanitizer cannot see its barriers. Here a worker spins for some microseconds,
 * because the next operation usually follows at once, then sleeps. The caller works too. Which
 * thread takes which task is left to chance, so a task's result must not depend on it.
 * Thread: pool_run by one thread at a time. */
#ifndef KERNELS_CPU_POOL_H
#define KERNELS_CPU_POOL_H

#include "proto/fail.h"

struct pool;

/* `thread` 0 .. threads-1 runs the task: which thread buffer it may use. */
typedef void pool_fn(void *ctx, int task, int thread);

int pool_new(struct pool **, int threads, struct fail *); /* >= 1, the caller included */
void pool_free(struct pool *);
int pool_threads(const struct pool *);
/* fn(ctx, 0 .. tasks-1, thread), in any order, all done when it returns. */
void pool_run(struct pool *, int tasks, pool_fn *fn, void *ctx);

/* Threads that the process may use: affinity, cut by the quota of its control group. */
int pool_available(void);

#endif
