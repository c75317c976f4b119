/* dispatch - which waiting job starts next, and on which device. */
#include "server/core/dispatch.h"

#include <assert.h>
#include <stddef.h>

static bool has_place(const struct dispatch_device *d)
{
    return d->ledger.n < d->cap && d->ledger.n < LEDGER_MAX;
}

bool dispatch_room(const struct dispatch_state *s)
{
    int residents = 0;
    bool place = false;

    assert(s->devices >= 1 && s->devices <= LIMIT_DEVICES);
    for (int i = 0; i < s->devices; i++) {
        residents += s->device[i].ledger.n;
        place = place || has_place(&s->device[i]);
    }
    return place && residents < s->limit;
}

bool dispatch_lacks_memory(const struct dispatch_state *s, const struct job_plan *plan)
{
    for (int i = 0; i < s->devices; i++)
        if (has_place(&s->device[i]) && !ledger_fits(&s->device[i].ledger, plan)) return true;
    return false;
}

/* The device for a job: the least taken one with a place and memory for it; -1: it has to wait. */
static int choose_device(const struct dispatch_state *s, const struct job_plan *plan)
{
    int best = -1;

    for (int i = 0; i < s->devices; i++) {
        const struct dispatch_device *d = &s->device[i], *b = &s->device[best < 0 ? i : best];

        if (!has_place(d) || !ledger_fits(&d->ledger, plan)) continue;
        if (best < 0 || d->ledger.n * b->cap < b->ledger.n * d->cap) best = i;
    }
    return best;
}

/* The waiting job whose turn it is. First come, first served: it is not passed over. */
static int choose_job(const struct dispatch_job *waiting, int n)
{
    (void)waiting;
    return n > 0 ? 0 : -1;
}

struct dispatch_choice dispatch_next(const struct dispatch_state *s,
                                     const struct dispatch_job *waiting, int n)
{
    struct dispatch_choice c = {DISPATCH_WAIT, -1, -1};
    int job = choose_job(waiting, n);

    assert(n >= 0 && n <= DISPATCH_WINDOW);
    if (job < 0 || waiting[job].leaving || !dispatch_room(s)) return c;
    c.job = job;
    if (!waiting[job].plan) {
        c.verdict = DISPATCH_PLAN;
        return c;
    }
    c.device = choose_device(s, waiting[job].plan);
    if (c.device >= 0) c.verdict = DISPATCH_START;
    return c;
}
