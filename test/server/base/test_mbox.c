/* test_mbox - order for each sender, one wake per filling, nothing lost between threads. */
#include "server/base/mbox.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

struct device_event {
    struct msg m;
    int from, number;
};

enum { SENDERS = 4, EACH = 5000 };

static struct msg *note(int from, int number)
{
    struct device_event *n = malloc(sizeof *n);

    assert_non_null(n);
    *n = (struct device_event){.from = from, .number = number};
    return &n->m;
}

static void count_wake(void *arg)
{
    atomic_fetch_add((atomic_int *)arg, 1);
}

static int free_all(struct msg *list)
{
    int n = 0;

    for (struct msg *next; list; list = next, n++) {
        next = list->next;
        free(list);
    }
    return n;
}

/* catches: a wake for every message, or none after the box was emptied */
static void wakes_when_it_was_empty(void **state)
{
    struct mbox b;
    atomic_int wakes = 0;

    (void)state;
    mbox_init(&b, count_wake, &wakes);
    assert_null(mbox_take(&b));
    for (int i = 0; i < 10; i++)
        mbox_push(&b, note(0, i));
    assert_int_equal(atomic_load(&wakes), 1);
    assert_int_equal(free_all(mbox_take(&b)), 10);
    mbox_push(&b, note(0, 11));
    assert_int_equal(atomic_load(&wakes), 2);
    assert_int_equal(free_all(mbox_take(&b)), 1);
    mbox_destroy(&b);
}

/* catches: a wait that ignores its time limit */
static void wait_ends(void **state)
{
    struct mbox b;

    (void)state;
    mbox_init(&b, NULL, NULL);
    assert_null(mbox_wait(&b, 1));
    mbox_push(&b, note(0, 0));
    assert_int_equal(free_all(mbox_wait(&b, 100000)), 1);
    mbox_destroy(&b);
}

struct sender {
    struct mbox *box;
    int from;
};

static void *send_all(void *arg)
{
    struct sender *s = arg;

    for (int i = 0; i < EACH; i++)
        mbox_push(s->box, note(s->from, i));
    return NULL;
}

/* catches: a lost or doubled message, a broken list, a sender's order turned round */
static void many_senders(void **state)
{
    struct mbox b;
    struct sender senders[SENDERS];
    pthread_t threads[SENDERS];
    int next[SENDERS] = {0}, got = 0;

    (void)state;
    mbox_init(&b, NULL, NULL);
    for (int i = 0; i < SENDERS; i++) {
        senders[i] = (struct sender){&b, i};
        assert_int_equal(pthread_create(&threads[i], NULL, send_all, &senders[i]), 0);
    }
    while (got < SENDERS * EACH)
        for (struct msg *m = mbox_wait(&b, -1), *after; m; m = after, got++) {
            struct device_event *n = (struct device_event *)m;

            after = m->next;
            assert_int_equal(n->number, next[n->from]++);
            free(n);
        }
    for (int i = 0; i < SENDERS; i++)
        pthread_join(threads[i], NULL);
    assert_null(mbox_take(&b));
    mbox_destroy(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wakes_when_it_was_empty),
        cmocka_unit_test(wait_ends),
        cmocka_unit_test(many_senders),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
