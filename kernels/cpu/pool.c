/* pool - numbered tasks over threads that spin briefly, then sleep. */
#include "kernels/cpu/pool.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Pauses before sleeping: about 20 us, longer than the gap between two operations of the graph. */
#define SPINS 400

struct pool;
struct member {
    struct pool *pool;
    pthread_t handle;
    int thread;
};

struct pool {
    int threads; /* with the caller */
    /* the job; written before `round` moves, read after */
    pool_fn *fn;
    void *ctx;
    int tasks;
    atomic_int next;   /* task to take */
    atomic_uint round; /* job number; odd steps of two, the lowest bit means: leave */
    atomic_int busy;   /* members that have not finished this round */
    pthread_mutex_t lock;
    pthread_cond_t wake, done;
    int sleeping; /* members in `wake`; under the lock */
    int waiting;  /* the caller is in `done`; under the lock */
    struct member member[];
};

static void relax(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

static void work(struct pool *p, int thread)
{
    int task;

    while ((task = atomic_fetch_add_explicit(&p->next, 1, memory_order_relaxed)) < p->tasks)
        p->fn(p->ctx, task, thread);
}

/* Until the round is no longer `seen`. */
static unsigned await_round(struct pool *p, unsigned seen)
{
    unsigned now;

    for (int i = 0; i < SPINS; i++) {
        now = atomic_load_explicit(&p->round, memory_order_acquire);
        if (now != seen) return now;
        relax();
    }
    pthread_mutex_lock(&p->lock);
    p->sleeping++;
    while ((now = atomic_load_explicit(&p->round, memory_order_acquire)) == seen)
        pthread_cond_wait(&p->wake, &p->lock);
    p->sleeping--;
    pthread_mutex_unlock(&p->lock);
    return now;
}

static void *member_main(void *arg)
{
    struct member *m = arg;
    struct pool *p = m->pool;
    unsigned seen = 0;

    for (;;) {
        seen = await_round(p, seen);
        if (seen & 1) return NULL;
        work(p, m->thread);
        if (atomic_fetch_sub_explicit(&p->busy, 1, memory_order_acq_rel) == 1) {
            pthread_mutex_lock(&p->lock);
            if (p->waiting) pthread_cond_signal(&p->done);
            pthread_mutex_unlock(&p->lock);
        }
    }
}

/* Start round: the lock orders it with members that are about to sleep. */
static void announce(struct pool *p, unsigned step)
{
    pthread_mutex_lock(&p->lock);
    atomic_fetch_add_explicit(&p->round, step, memory_order_release);
    if (p->sleeping) pthread_cond_broadcast(&p->wake);
    pthread_mutex_unlock(&p->lock);
}

static void await_members(struct pool *p)
{
    for (int i = 0; i < SPINS; i++) {
        if (atomic_load_explicit(&p->busy, memory_order_acquire) == 0) return;
        relax();
    }
    pthread_mutex_lock(&p->lock);
    p->waiting = 1;
    while (atomic_load_explicit(&p->busy, memory_order_acquire) != 0)
        pthread_cond_wait(&p->done, &p->lock);
    p->waiting = 0;
    pthread_mutex_unlock(&p->lock);
}

void pool_run(struct pool *p, int tasks, pool_fn *fn, void *ctx)
{
    if (tasks <= 1 || p->threads == 1) {
        for (int i = 0; i < tasks; i++)
            fn(ctx, i, 0);
        return;
    }
    p->fn = fn;
    p->ctx = ctx;
    p->tasks = tasks;
    atomic_store_explicit(&p->next, 0, memory_order_relaxed);
    atomic_store_explicit(&p->busy, p->threads - 1, memory_order_relaxed);
    announce(p, 2);
    work(p, 0);
    await_members(p);
}

int pool_new(struct pool **out, int threads, struct fail *fail)
{
    struct pool *p;

    *out = NULL;
    p = calloc(1, sizeof *p + sizeof *p->member * (size_t)threads);
    if (!p) return fail_set(fail, ERR_OUT_OF_MEMORY, "no memory for %d threads", threads);
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->wake, NULL);
    pthread_cond_init(&p->done, NULL);
    for (p->threads = 1; p->threads < threads; p->threads++) {
        struct member *m = &p->member[p->threads];
        int err;

        *m = (struct member){.pool = p, .thread = p->threads};
        err = pthread_create(&m->handle, NULL, member_main, m);
        if (err) {
            pool_free(p);
            return fail_set(fail, ERR_OUT_OF_MEMORY, "cannot start %d threads: %s", threads,
                            strerror(err));
        }
    }
    *out = p;
    return 0;
}

void pool_free(struct pool *p)
{
    if (!p) return;
    announce(p, 1);
    for (int i = 1; i < p->threads; i++)
        pthread_join(p->member[i].handle, NULL);
    pthread_cond_destroy(&p->wake);
    pthread_cond_destroy(&p->done);
    pthread_mutex_destroy(&p->lock);
    free(p);
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
