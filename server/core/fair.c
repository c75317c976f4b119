/* fair - virtual ends under equal shares. */
#include "server/core/fair.h"

#include <assert.h>
#include <math.h>

static int first_end(const struct fair *f)
{
    int first = 0;

    for (int i = 1; i < f->n; i++)
        if (f->end[i] < f->end[first]) first = i;
    return first;
}

static void forget_ended(struct fair *f)
{
    for (int i = f->n - 1; i >= 0; i--)
        if (f->end[i] <= f->now) f->end[i] = f->end[--f->n];
}

static double left_of(const struct fair *f)
{
    double sum = 0;

    for (int i = 0; i < f->n; i++)
        sum += f->end[i] - f->now;
    return sum;
}

/* To the time at which no more than left is left. It never goes back: when work turns out to take
 * longer than planned, it stands until that has been done. */
static void advance(struct fair *f, double left)
{
    double much;

    forget_ended(f);
    much = left_of(f) - left;
    while (f->n > 0 && much > 0) {
        double step = f->end[first_end(f)] - f->now;

        if (step * f->n > much) {
            f->now += much / f->n;
            return;
        }
        much -= step * f->n;
        f->now += step;
        forget_ended(f);
    }
}

/* The place that ends there, or -1. */
static int find(const struct fair *f, double end)
{
    for (int i = 0; i < f->n; i++)
        if (f->end[i] >= end && f->end[i] <= end) return i;
    return -1;
}

double fair_join(struct fair *f, int places, double left, double cost)
{
    double begin, end;
    int at;

    assert(places >= 1 && places <= LEDGER_MAX && left >= 0 && cost >= 0);
    advance(f, left);
    at = f->n < places ? f->n : first_end(f);
    begin = fmax(at == f->n ? f->now : f->end[at], f->begin);
    end = begin + cost;
    while (find(f, end) >= 0)
        end = nextafter(end, HUGE_VAL);
    f->begin = begin;
    f->end[at] = end;
    if (at == f->n) f->n++;
    return end;
}

void fair_leave(struct fair *f, double end, double left)
{
    int i = find(f, end);

    assert(left >= 0);
    if (i >= 0) f->end[i] -= left;
}
