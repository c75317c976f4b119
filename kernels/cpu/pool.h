/* pool - the CPU device's own threads: one job at a time, cut into numbered tasks.
 *
 * A job is offered, not ordered: the caller works through its tasks, and awake threads take what
 * they can get; one that sleeps or waits for a processor holds nothing up. Sleepers are woken when
 * the job, or the small jobs that they have missed, pay the wake-up, whose cost pool_new() measures
 * on this machine; between jobs a thread spins for as long as a wake-up takes, then sleeps, so
 * nothing spins while nothing is computed. After waiting for a thread that had lost its processor
 * the caller does short jobs alone for a multiple of that time: they gain little on a busy machine,
 * but lose nothing. Which thread takes which task is left to chance: a task's result must not
 * depend on it.
 *
 * While a task runs, subnormal numbers count as zero (x86: MXCSR's FTZ and DAZ), on the pool's
 * threads and on the caller's, which gets its own mode back: results are the same on every thread
 * and instruction set, and no operation becomes a hundred times slower where values fade out.
 *
 * Why not OpenMP: its threads spin while they wait and starve the service's loop on a small
 * machine, and ThreadSanitizer cannot see its barriers.
 * Thread: pool_run by one thread at a time. */
#ifndef KERNELS_CPU_POOL_H
#define KERNELS_CPU_POOL_H

#include "proto/fail.h"

#include <stdint.h>

/* The least work of a task: several times what it costs to hand one to a thread that is awake (two
 * cache lines, a few tenths of a microsecond). A job below two of them stays with the caller. */
#define POOL_TASK_US 2.0

struct pool;

/* `thread` 0 .. threads-1 runs the task: which thread buffer it may use. */
typedef void pool_fn(void *ctx, int task, int thread);

int pool_new(struct pool **, int threads, struct fail *); /* >= 1, the caller included */
void pool_free(struct pool *);
int pool_threads(const struct pool *);
/* fn(ctx, 0 .. tasks-1, thread), in any order, all done when it returns. us: about what all of it
 * takes one thread, in microseconds. */
void pool_run(struct pool *, int tasks, double us, pool_fn *fn, void *ctx);
/* The jobs since the last call were one chain: together, those that do not pay a wake-up by
 * themselves wake at most threads - 1 threads. */
void pool_chain_end(struct pool *);

/* For tests: threads woken so far; from here on, with all of them asleep, as if a wake-up had been
 * measured to cost so much. */
uint64_t pool_wakes(const struct pool *);
void pool_assume_wake(struct pool *, double us);

/* Threads that the process may use: affinity, cut by the quota of its control group. */
int pool_available(void);

#endif
