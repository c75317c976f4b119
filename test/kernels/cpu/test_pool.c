/* test_pool - the CPU device's threads: every task once, also when jobs follow each other faster
 * than threads fall asleep, when they have all gone to sleep, and when there is nothing to do; who
 * is woken for what, and how the threads calculate. */
#include "kernels/cpu/pool.h"

#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { TASKS = 64 };

struct count {
    atomic_int task[TASKS], thread[8];
    int plain; /* written before a job, read in it: the job must order both */
};

static void count_task(void *ctx, int task, int thread)
{
    struct count *c = ctx;

    atomic_fetch_add(&c->task[task], c->plain);
    atomic_fetch_add(&c->thread[thread], 1);
}

static void every_task_once(void **state)
{
    (void)state;
    for (int threads = 1; threads <= 5; threads++) {
        struct pool *p;
        struct count c = {.plain = 0};
        int want = 0;

        assert_int_equal(pool_new(&p, threads, NULL), 0);
        assert_int_equal(pool_threads(p), threads);
        for (int round = 0; round < 2000; round++) {
            if (round % 500 == 499) usleep(3000); /* now all of them sleep */
            c.plain = round % 7;
            want += c.plain;
            pool_run(p, round % 3 ? TASKS : 0, round % 5 * 100, count_task, &c);
            if (round % 3 == 0) want -= c.plain;
        }
        for (int i = 0; i < TASKS; i++)
            assert_int_equal(atomic_load(&c.task[i]), want);
        for (int i = threads; i < 8; i++)
            assert_int_equal(atomic_load(&c.thread[i]), 0);
        pool_free(p);
    }
    pool_free(NULL);
}

/* catches: a small job that pays for a sleeping thread, or waits for one */
static void small_jobs_wake_once_a_chain(void **state)
{
    struct count c = {.plain = 1};
    struct pool *p;

    (void)state;
    assert_int_equal(pool_new(&p, 3, NULL), 0);
    pool_assume_wake(p, 50);
    for (int i = 0; i < 1000; i++)
        pool_run(p, 8, 2 * POOL_TASK_US - 1, count_task, &c); /* not worth handing over */
    assert_int_equal(pool_wakes(p), 0);
    assert_int_equal(atomic_load(&c.thread[0]), 8000);
    for (int i = 0; i < 4; i++)
        pool_run(p, 8, 10, count_task, &c); /* together 40 of 50 */
    assert_int_equal(pool_wakes(p), 0);
    assert_int_equal(atomic_load(&c.thread[0]), 8032);
    pool_run(p, 8, 10, count_task, &c);
    assert_int_equal(pool_wakes(p), 1);
    for (int chain = 1; chain <= 20; chain++) { /* one for each member, whatever the machine does */
        for (int i = 0; i < 500; i++)
            pool_run(p, 8, 10, count_task, &c);
        assert_true(pool_wakes(p) <= 2 * (uint64_t)chain);
        pool_chain_end(p);
    }
    pool_free(p);
}

/* catches: a long job left to one thread */
static void a_long_job_wakes_those_it_pays(void **state)
{
    static const struct {
        int tasks, us, wakes;
    } T[] = {{8, 99, 0}, {8, 100, 2}, {8, 149, 2}, {8, 10000, 4}, {3, 10000, 2}, {1, 10000, 0}};

    (void)state;
    for (size_t i = 0; i < sizeof T / sizeof *T; i++) {
        struct count c = {.plain = 1};
        struct pool *p;

        assert_int_equal(pool_new(&p, 5, NULL), 0);
        pool_assume_wake(p, 50);
        if (T[i].us < 100) pool_assume_wake(p, 100); /* nor the first of a chain */
        pool_run(p, T[i].tasks, T[i].us, count_task, &c);
        if (pool_wakes(p) != (uint64_t)T[i].wakes)
            print_error("%d tasks of %d us wake %d\n", T[i].tasks, T[i].us, (int)pool_wakes(p));
        assert_int_equal(pool_wakes(p), T[i].wakes);
        pool_free(p);
    }
}

struct stuck {
    atomic_int here, others;
};

static void stuck_task(void *ctx, int task, int thread)
{
    struct stuck *s = ctx;

    (void)task;
    atomic_fetch_add(&s->here, 1);
    while (atomic_load(&s->here) < 2)
        usleep(50);
    if (thread > 0) usleep(20000); /* as if it had lost its processor */
}

static void others_task(void *ctx, int task, int thread)
{
    struct stuck *s = ctx;

    (void)task;
    if (thread > 0) atomic_fetch_add(&s->others, 1);
}

/* catches: on a busy machine every small job waits for the thread that has no processor */
static void a_late_thread_is_left_out(void **state)
{
    struct stuck s = {.here = 0};
    struct pool *p;

    (void)state;
    assert_int_equal(pool_new(&p, 2, NULL), 0);
    pool_assume_wake(p, 50);
    pool_run(p, 2, 199, stuck_task, &s);
    for (int i = 0; i < 1000; i++)
        pool_run(p, 8, 100, others_task, &s);
    assert_int_equal(atomic_load(&s.others), 0);
    pool_assume_wake(p, 50); /* asleep again */
    atomic_store(&s.here, 0);
    pool_run(p, 2, 200, stuck_task, &s); /* a long one: only with two threads does it end */
    pool_free(p);
}

#if defined(__x86_64__)
static const unsigned MODE = 0x1f80 | 1 << 13; /* as at start, but rounding down */

/* Two threads at once: neither can take both tasks. */
struct halves {
    atomic_int here, bad;
};

static void halve_task(void *ctx, int task, int thread)
{
    struct halves *h = ctx;
    volatile float tiny = 1e-38f, half = 0.5f;

    (void)task, (void)thread;
    if (tiny * half != 0) atomic_store(&h->bad, 1);
    atomic_fetch_add(&h->here, 1);
    while (atomic_load(&h->here) < 2)
        usleep(50);
}

/* catches: subnormal numbers on one thread and zero on the other; a caller left in another mode */
static void subnormals_are_zero_in_tasks_alone(void **state)
{
    const unsigned was = __builtin_ia32_stmxcsr();
    volatile float tiny = 1e-38f, half = 0.5f;

    (void)state;
    for (int threads = 1; threads <= 2; threads++) {
        struct halves h = {.here = 2 - threads};
        struct pool *p;

        assert_int_equal(pool_new(&p, threads, NULL), 0);
        pool_assume_wake(p, 50); /* all asleep: the job wakes the other one for sure */
        __builtin_ia32_ldmxcsr(MODE);
        pool_run(p, threads, 1e6, halve_task, &h);
        assert_int_equal(__builtin_ia32_stmxcsr() & ~0x3fu, MODE); /* but for its flags */
        assert_true(tiny * half > 0);
        __builtin_ia32_ldmxcsr(was);
        assert_int_equal(atomic_load(&h.bad), 0);
        pool_free(p);
    }
}
#endif

/* No more threads than the processors that this process was given. */
static void respects_affinity(void **state)
{
    cpu_set_t was, one;

    (void)state;
    assert_true(pool_available() >= 1);
    assert_int_equal(sched_getaffinity(0, sizeof was, &was), 0);
    CPU_ZERO(&one);
    for (size_t i = 0; i < CPU_SETSIZE && !CPU_COUNT(&one); i++)
        if (CPU_ISSET(i, &was)) CPU_SET(i, &one);
    assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
    assert_int_equal(pool_available(), 1);
    assert_int_equal(sched_setaffinity(0, sizeof was, &was), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_task_once),
        cmocka_unit_test(small_jobs_wake_once_a_chain),
        cmocka_unit_test(a_long_job_wakes_those_it_pays),
        cmocka_unit_test(a_late_thread_is_left_out),
#if defined(__x86_64__)
        cmocka_unit_test(subnormals_are_zero_in_tasks_alone),
#endif
        cmocka_unit_test(respects_affinity),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
