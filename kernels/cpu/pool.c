/* pool - offered jobs over threads that spin while work may follow, then sleep. */
#include "kernels/cpu/pool.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* A wake-up in microseconds: between what a quiet machine measures and what is worth waiting. */
static const double WAKE_LEAST = 20, WAKE_MOST = 200;

enum { LONG = 4 }; /* wake-ups that a job must be worth to be long */

struct member {
    struct pool *pool;
    pthread_t handle;
    int thread;
};

struct pool {
    int threads; /* with the caller */
    /* the job; written while no task of an earlier one is left, read by who took a task of it */
    pool_fn *fn;
    void *ctx;
    atomic_ullong job;   /* tasks << 32 | the next one to take */
    atomic_int left;     /* tasks that are not finished */
    atomic_int sleepers; /* members asleep that no ticket waits for; changed under the lock */
    atomic_int leave;
    pthread_mutex_t lock;
    pthread_cond_t wake, done;
    int tickets; /* members that may leave `wake`; under the lock */
    int waiting; /* the caller is in `done`; under the lock */
    /* what a wake-up costs, and how long to spin instead of sleeping; under the lock */
    double wake_us;
    /* the caller's */
    double missed; /* microseconds of work that sleepers had no part in */
    double alone;  /* microseconds of work that the caller does by itself before it shares again */
    int granted;   /* wake-ups for the small jobs of this chain */
    uint64_t wakes;
    struct member member[];
};

static double now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec * 1e-3;
}

/* Subnormal numbers count as zero: arithmetic with them is a hundred times slower. Returns what
 * flush_end() restores. */
static unsigned flush_begin(void)
{
#if defined(__x86_64__)
    enum { FLUSH_TO_ZERO = 1 << 15, DENORMALS_ARE_ZERO = 1 << 6 };
    const unsigned was = __builtin_ia32_stmxcsr();

    __builtin_ia32_ldmxcsr(was | FLUSH_TO_ZERO | DENORMALS_ARE_ZERO);
    return was;
#else
    return 0;
#endif
}

static void flush_end(unsigned was)
{
#if defined(__x86_64__)
    __builtin_ia32_ldmxcsr(was);
#else
    (void)was;
#endif
}

/* About a tenth of a microsecond. */
static void relax(void)
{
#if defined(__x86_64__)
    for (int i = 0; i < 4; i++)
        __builtin_ia32_pause();
#endif
}

static int has_work(struct pool *p)
{
    const unsigned long long job = atomic_load_explicit(&p->job, memory_order_acquire);

    return (uint32_t)job < job >> 32;
}

/* The next task, or -1. Its owner may read fn and ctx: the job cannot end before the task does. */
static int take(struct pool *p)
{
    unsigned long long job = atomic_load_explicit(&p->job, memory_order_acquire);

    while ((uint32_t)job < job >> 32)
        if (atomic_compare_exchange_weak_explicit(&p->job, &job, job + 1, memory_order_acq_rel,
                                                  memory_order_acquire))
            return (int)(uint32_t)job;
    return -1;
}

/* All tasks that can be had; 1 when the last one to finish was among them. */
static int work(struct pool *p, int thread)
{
    int last = 0;

    for (int task = take(p); task >= 0; task = take(p)) {
        p->fn(p->ctx, task, thread);
        last = atomic_fetch_sub_explicit(&p->left, 1, memory_order_acq_rel) == 1;
    }
    return last;
}

/* Sleeps until a ticket comes; returns how long to spin from then on. */
static double rest(struct pool *p)
{
    double spin_us;

    pthread_mutex_lock(&p->lock);
    atomic_fetch_add(&p->sleepers, 1);
    while (p->tickets == 0 && !atomic_load(&p->leave))
        pthread_cond_wait(&p->wake, &p->lock);
    p->tickets--;
    spin_us = p->wake_us;
    pthread_mutex_unlock(&p->lock);
    return spin_us;
}

static int await_work(struct pool *p, double spin_us)
{
    const double until = now_us() + spin_us;

    while (!has_work(p) && now_us() < until)
        relax();
    return has_work(p);
}

static void *member_main(void *arg)
{
    struct member *m = arg;
    struct pool *p = m->pool;
    double spin_us;

    flush_begin();
    spin_us = rest(p);
    while (!atomic_load(&p->leave)) {
        if (!await_work(p, spin_us)) {
            spin_us = rest(p);
        } else if (work(p, m->thread)) {
            pthread_mutex_lock(&p->lock);
            if (p->waiting) pthread_cond_signal(&p->done);
            pthread_mutex_unlock(&p->lock);
        }
    }
    return NULL;
}

/* Wakes n of the sleepers, or as many as there are. */
static void wake(struct pool *p, int n)
{
    int sleepers;

    pthread_mutex_lock(&p->lock);
    sleepers = atomic_load(&p->sleepers);
    if (n > sleepers) n = sleepers;
    p->tickets += n;
    p->wakes += (uint64_t)n;
    atomic_fetch_sub(&p->sleepers, n);
    for (int i = 0; i < n; i++)
        pthread_cond_signal(&p->wake);
    pthread_mutex_unlock(&p->lock);
}

static int all_finished(struct pool *p)
{
    return atomic_load_explicit(&p->left, memory_order_acquire) == 0;
}

/* Until all tasks are finished; what is left runs on other threads. */
static void await_others(struct pool *p)
{
    const double until = now_us() + p->wake_us;

    while (!all_finished(p) && now_us() < until)
        relax();
    if (all_finished(p)) return;
    pthread_mutex_lock(&p->lock);
    p->waiting = 1;
    while (!all_finished(p))
        pthread_cond_wait(&p->done, &p->lock);
    p->waiting = 0;
    pthread_mutex_unlock(&p->lock);
}

static void offer(struct pool *p, int tasks, pool_fn *fn, void *ctx)
{
    p->fn = fn;
    p->ctx = ctx;
    atomic_store_explicit(&p->left, tasks, memory_order_relaxed);
    atomic_store_explicit(&p->job, (unsigned long long)tasks << 32, memory_order_release);
}

/* How many threads to wake for a job: those that it pays by itself, or one when the small jobs that
 * sleepers missed would have paid it. Waking late loses at most what a wake-up costs. */
static int worth_waking(struct pool *p, int tasks, double us)
{
    const int sleepers = atomic_load(&p->sleepers), lacking = tasks - p->threads + sleepers;
    const int n = lacking < sleepers ? lacking : sleepers;

    if (n <= 0) return 0;
    if (us >= 2 * p->wake_us) return us < n * p->wake_us ? (int)(us / p->wake_us) : n;
    p->missed += us;
    if (p->missed < p->wake_us || p->granted == p->threads - 1) return 0;
    p->missed = 0;
    p->granted++;
    return 1;
}

/* A thread that lost its processor in the middle of a task holds the caller up for milliseconds:
 * a share of a short job that took longer than all of it is paid for with so many times the wait
 * without sharing. */
static void share(struct pool *p, double us)
{
    enum { TIMES = 8 };
    double start, waited;

    if (work(p, 0)) return;
    start = now_us();
    await_others(p);
    waited = now_us() - start;
    if (us < LONG * p->wake_us && waited > us) p->alone = TIMES * waited;
}

/* A long job is shared even so: on a busy machine two threads get more of the processors. */
static int worth_sharing(struct pool *p, int tasks, double us)
{
    if (tasks <= 1 || p->threads == 1 || us < 2 * POOL_TASK_US) return 0;
    if (us >= LONG * p->wake_us || p->alone <= 0) return 1;
    p->alone -= us;
    return 0;
}

void pool_run(struct pool *p, int tasks, double us, pool_fn *fn, void *ctx)
{
    const unsigned was = flush_begin();

    if (worth_sharing(p, tasks, us)) {
        const int n = worth_waking(p, tasks, us);

        offer(p, tasks, fn, ctx);
        if (n > 0) wake(p, n);
        share(p, us);
    } else {
        for (int i = 0; i < tasks; i++)
            fn(ctx, i, 0);
    }
    flush_end(was);
}

void pool_chain_end(struct pool *p)
{
    p->granted = 0;
}

static void nothing(void *ctx, int task, int thread)
{
    (void)ctx, (void)task, (void)thread;
}

static int all_sleep(struct pool *p)
{
    return atomic_load(&p->sleepers) == p->threads - 1;
}

static int comes_true(struct pool *p, int (*what)(struct pool *))
{
    const double until = now_us() + WAKE_MOST;

    while (!what(p) && now_us() < until)
        relax();
    return what(p);
}

/* From the call to a sleeper's finished task: the fastest of some, since a busy machine disturbs
 * most of them. */
static double measure_wake(struct pool *p)
{
    double best = WAKE_MOST;

    for (int i = 0; i < 8 && comes_true(p, all_sleep); i++) {
        const double start = now_us();

        offer(p, 1, nothing, NULL);
        wake(p, 1);
        comes_true(p, all_finished);
        if (now_us() - start < best) best = now_us() - start;
        if (!work(p, 0)) await_others(p); /* it may not have come at all */
    }
    return best > WAKE_LEAST ? best : WAKE_LEAST;
}

static void set_wake(struct pool *p, double us)
{
    pthread_mutex_lock(&p->lock);
    p->wake_us = us;
    pthread_mutex_unlock(&p->lock);
}

static int start_members(struct pool *p, int threads, struct fail *fail)
{
    for (; p->threads < threads; p->threads++) {
        struct member *m = &p->member[p->threads];
        int err;

        *m = (struct member){.pool = p, .thread = p->threads};
        err = pthread_create(&m->handle, NULL, member_main, m);
        if (err)
            return fail_set(fail, ERR_OUT_OF_MEMORY, "cannot start %d threads: %s", threads,
                            strerror(err));
    }
    return 0;
}

int pool_new(struct pool **out, int threads, struct fail *fail)
{
    struct pool *p;
    int err;

    *out = NULL;
    p = calloc(1, sizeof *p + sizeof *p->member * (size_t)threads);
    if (!p) return fail_set(fail, ERR_OUT_OF_MEMORY, "no memory for %d threads", threads);
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->wake, NULL);
    pthread_cond_init(&p->done, NULL);
    p->threads = 1;
    err = start_members(p, threads, fail);
    if (err) {
        pool_free(p);
        return err;
    }
    if (threads > 1) set_wake(p, measure_wake(p));
    p->wakes = 0;
    *out = p;
    return 0;
}

void pool_assume_wake(struct pool *p, double us)
{
    set_wake(p, us);
    p->missed = p->granted = 0;
    p->wakes = 0;
    while (!all_sleep(p))
        relax();
}

void pool_free(struct pool *p)
{
    if (!p) return;
    pthread_mutex_lock(&p->lock);
    atomic_store(&p->leave, 1);
    pthread_cond_broadcast(&p->wake);
    pthread_mutex_unlock(&p->lock);
    for (int i = 1; i < p->threads; i++)
        pthread_join(p->member[i].handle, NULL);
    pthread_cond_destroy(&p->wake);
    pthread_cond_destroy(&p->done);
    pthread_mutex_destroy(&p->lock);
    free(p);
}

uint64_t pool_wakes(const struct pool *p)
{
    return p->wakes;
}

int pool_threads(const struct pool *p)
{
    return p->threads;
}

/* Whole processors of "QUOTA PERIOD" (cgroup 2) or of two files (cgroup 1); 0: no limit known. */
static int quota(void)
{
    long long q = -1, period = -1;
    FILE *f = fopen("/sys/fs/cgroup/cpu.max", "re");

    if (f) {
        if (fscanf(f, "%lld %lld", &q, &period) != 2) q = -1;
        fclose(f);
    } else {
        FILE *a = fopen("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "re");
        FILE *b = fopen("/sys/fs/cgroup/cpu/cpu.cfs_period_us", "re");

        if (!a || !b || fscanf(a, "%lld", &q) != 1 || fscanf(b, "%lld", &period) != 1) q = -1;
        if (a) fclose(a);
        if (b) fclose(b);
    }
    return q > 0 && period > 0 ? (int)((q + period - 1) / period) : 0;
}

int pool_available(void)
{
    cpu_set_t set;
    int n = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1, q = quota();

    return q > 0 && q < n ? q : n > 0 ? n : 1;
}
