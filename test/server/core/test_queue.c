/* test_queue - first accepted, first started; a job that was requeued keeps its place. */
#include "server/core/queue.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { N = 3000 };

/* catches: a wrong place after any mixture of arrivals, departures and returns */
static void places_are_always_those_of_the_order(void **state)
{
    static struct job jobs[N];
    struct queue s;
    uint64_t r = 1;
    int in = 0;

    (void)state;
    memset(jobs, 0, sizeof jobs);
    queue_init(&s);
    assert_int_equal(queue_reserve(&s, N), 0);
    for (int i = 0; i < N; i++)
        jobs[i].order = (uint64_t)i + 1;
    for (int step = 0; step < 20000; step++) {
        struct job *j;

        r = r * 6364136223846793005u + 1442695040888963407u;
        j = &jobs[(r >> 33) % N];
        if (queue_place(&s, j) > 0) {
            assert_ptr_equal(s.at[queue_place(&s, j) - 1], j);
            queue_remove(&s, j);
            in--;
        } else {
            queue_add(&s, j);
            in++;
        }
        assert_int_equal(s.n, in);
    }
    for (int i = 1; i < s.n; i++)
        assert_true(queue_before(s.at[i - 1], s.at[i]));
    queue_free(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(places_are_always_those_of_the_order)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
