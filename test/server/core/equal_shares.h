/* equal_shares - a device with so many places that is shared equally, without quanta: what the
 * tests of shares compare with. Jobs come in order and wait for a place. */
#ifndef TEST_SERVER_CORE_EQUAL_SHARES_H
#define TEST_SERVER_CORE_EQUAL_SHARES_H

#include <assert.h>
#include <math.h>
#include <stdbool.h>

enum { EQUAL_MAX = 400 };

struct equal_shares {
    int places, come, started;
    double now, left[EQUAL_MAX], end[EQUAL_MAX];
};

/* Those that have started and not ended. */
static inline int equal_count(const struct equal_shares *e)
{
    int n = 0;

    for (int i = 0; i < e->started; i++)
        n += e->left[i] > 0;
    return n;
}

static inline void equal_start(struct equal_shares *e)
{
    while (e->started < e->come && equal_count(e) < e->places)
        e->started++;
}

/* Each has so much of the device. */
static inline void equal_have(struct equal_shares *e, double much)
{
    for (int i = 0; i < e->started; i++) {
        if (!(e->left[i] > 0)) continue;
        e->left[i] = e->left[i] - much > 1e-9 ? e->left[i] - much : 0;
        if (!(e->left[i] > 0)) e->end[i] = e->now;
    }
}

static inline void equal_until(struct equal_shares *e, double until)
{
    while (e->now < until) {
        double least = HUGE_VAL;
        int n;

        equal_start(e);
        n = equal_count(e);
        if (n == 0) {
            if (until < HUGE_VAL) e->now = until;
            return;
        }
        for (int i = 0; i < e->started; i++)
            if (e->left[i] > 0) least = fmin(least, e->left[i]);
        least = fmin(least, (until - e->now) / n);
        e->now += least * n;
        equal_have(e, least);
    }
}

/* At this time one comes that takes so much alone. */
static inline void equal_come(struct equal_shares *e, double now, double cost)
{
    assert(e->come < EQUAL_MAX && cost > 0);
    equal_until(e, now);
    e->left[e->come++] = cost;
}

#endif
