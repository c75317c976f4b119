/* test_pool - the CPU device's threads: every task once, also when rounds follow each other faster
 * than threads fall asleep, when they have all gone to sleep, and when there is nothing to do. */
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
    int plain; /* written before a round, read in it: the round must order both */
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
            pool_run(p, round % 3 ? TASKS : 0, count_task, &c);
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
        cmocka_unit_test(respects_affinity),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
