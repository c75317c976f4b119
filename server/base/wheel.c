/* wheel - the list of a second is found by its number modulo the number of lists. */
#include "server/base/wheel.h"

#include <string.h>

enum { SECOND_US = 1000000 };

void wheel_init(struct wheel *w, int64_t now_us)
{
    memset(w, 0, sizeof *w);
    w->second = now_us / SECOND_US;
}

void wheel_stop(struct wheel *w, struct timer *t)
{
    if (!t->self) return;
    *t->self = t->next;
    if (t->next) t->next->self = t->self;
    t->self = NULL;
    w->n--;
}

/* The second after the time, so that no timer fires early; the last list for all that is far
 * away. */
static int64_t second_of(const struct wheel *w, int64_t at_us)
{
    int64_t second = at_us / SECOND_US + 1, last = w->second + WHEEL_SLOTS - 1;

    if (second < w->second) return w->second;
    return second < last ? second : last;
}

void wheel_set(struct wheel *w, struct timer *t, int64_t at_us)
{
    struct timer **list = &w->slot[second_of(w, at_us) % WHEEL_SLOTS];

    wheel_stop(w, t);
    t->at_us = at_us;
    t->next = *list;
    t->self = list;
    if (t->next) t->next->self = &t->next;
    *list = t;
    w->n++;
}

struct timer *wheel_due(struct wheel *w, int64_t now_us)
{
    int64_t now = now_us / SECOND_US;

    if (!w->n) w->second = now;
    while (w->second <= now) {
        struct timer *t = w->slot[w->second % WHEEL_SLOTS];

        if (!t) {
            if (w->second == now) break;
            w->second++;
            continue;
        }
        wheel_stop(w, t);
        if (t->at_us <= now_us) return t;
        wheel_set(w, t, t->at_us); /* it is further away than one turn: into a later list */
    }
    return NULL;
}

int64_t wheel_next(const struct wheel *w)
{
    int64_t second = w->second;

    if (!w->n) return INT64_MAX;
    while (!w->slot[second % WHEEL_SLOTS])
        second++;
    return second * SECOND_US;
}
