/* dispatch - which waiting job starts next, and on which device. */
#include "server/core/dispatch.h"

#include <assert.h>
#include <stddef.h>

/* --- places ----------------------------------------------------------------------------------- */

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

bool dispatch_allows(const struct dispatch_state *s, const struct dispatch_job *j)
{
    int n = 0;

    if (j->most == 0) return true;
    for (int i = 0; i < s->devices; i++)
        for (int k = 0; k < s->device[i].ledger.n; k++)
            n += s->device[i].resident[k].slot == j->slot && !s->device[i].resident[k].leaving;
    return n < j->most;
}

void dispatch_hold(struct dispatch_device *d, uint64_t id, const struct dispatch_job *j)
{
    d->resident[d->ledger.n] =
        (struct dispatch_resident){.lane = j->lane, .begin = j->begin, .slot = j->slot};
    ledger_hold(&d->ledger, id, j->plan);
}

void dispatch_release(struct dispatch_device *d, uint64_t id)
{
    int i = 0;

    while (i < d->ledger.n && d->ledger.held[i].job != id)
        i++;
    ledger_release(&d->ledger, id);
    d->resident[i] = d->resident[d->ledger.n];
}

void dispatch_started(struct dispatch_state *s, const struct dispatch_job *j, bool batch_waits)
{
    s->passed_s = batch_waits && j->lane != LANE_BATCH ? s->passed_s + j->cost_s : 0;
}

/* --- which device ----------------------------------------------------------------------------- */

/* The least taken device with a place and memory for it; -1: none. */
static int choose_device(const struct dispatch_state *s, const struct job_plan *plan)
{
    int best = -1;

    if (!dispatch_room(s)) return -1;
    for (int i = 0; i < s->devices; i++) {
        const struct dispatch_device *d = &s->device[i], *b = &s->device[best < 0 ? i : best];

        if (!has_place(d) || !ledger_fits(&d->ledger, plan)) continue;
        if (best < 0 || d->ledger.n * b->cap < b->ledger.n * d->cap) best = i;
    }
    return best;
}

static int count_urgent(const struct dispatch_device *d)
{
    int n = 0;

    for (int i = 0; i < d->ledger.n; i++)
        n += d->resident[i].lane == LANE_URGENT;
    return n;
}

/* May an urgent job go there, whatever else is on it? Urgent ones have a cap of their own. */
static bool takes_urgent(const struct dispatch_device *d)
{
    return count_urgent(d) < d->cap;
}

/* The device with the fewest urgent jobs that has memory for one more, the cap or not; -1: none. */
static int choose_urgent(const struct dispatch_state *s, const struct job_plan *plan)
{
    int best = -1;

    for (int i = 0; i < s->devices; i++) {
        const struct dispatch_device *d = &s->device[i];

        if (!takes_urgent(d) || !ledger_fits(&d->ledger, plan)) continue;
        if (best < 0 || count_urgent(d) < count_urgent(&s->device[best])) best = i;
    }
    return best;
}

/* --- which gives way -------------------------------------------------------------------------- */

/* Would it fit without those that leave, and without this one (-1: nobody)? */
static bool fits_without(const struct dispatch_device *d, const struct job_plan *plan, int without)
{
    struct dispatch_device rest = *d;

    for (int i = rest.ledger.n - 1; i >= 0; i--)
        if (rest.resident[i].leaving || i == without)
            dispatch_release(&rest, rest.ledger.held[i].job);
    return ledger_fits(&rest.ledger, plan);
}

static bool goes_before(const struct dispatch_resident *a, const struct dispatch_resident *b)
{
    return a->lane != b->lane ? a->lane < b->lane : a->begin < b->begin;
}

/* Of those that may be displaced the one whose turn was last; -1: none. */
static int choose_resident(const struct dispatch_device *d)
{
    int last = -1;

    for (int i = 0; i < d->ledger.n; i++) {
        const struct dispatch_resident *r = &d->resident[i];

        if (r->lane == LANE_URGENT || r->leaving || r->fixed) continue;
        if (last < 0 || goes_before(&d->resident[last], r)) last = i;
    }
    return last;
}

/* An urgent job has no memory anywhere: where enough is about to be free it waits, else one gives
 * way. */
static struct dispatch_choice displace(const struct dispatch_state *s, int job,
                                       const struct job_plan *plan)
{
    struct dispatch_choice c = {DISPATCH_WAIT, job, -1, -1};

    for (int i = 0; i < s->devices; i++)
        if (takes_urgent(&s->device[i]) && fits_without(&s->device[i], plan, -1)) return c;
    for (int i = 0; i < s->devices; i++) {
        int resident = takes_urgent(&s->device[i]) ? choose_resident(&s->device[i]) : -1;

        if (resident < 0) continue;
        /* if not enough yet, another gives way at the next call */
        if (c.device >= 0 && !fits_without(&s->device[i], plan, resident)) continue;
        c = (struct dispatch_choice){DISPATCH_DISPLACE, job, i, resident};
        if (fits_without(&s->device[i], plan, resident)) return c;
    }
    return c;
}

/* Whether any device takes a job of this lane at all, beside those that it has. */
static bool has_room(const struct dispatch_state *s, enum user_lane lane)
{
    bool takes = false;

    if (lane != LANE_URGENT) return dispatch_room(s);
    for (int i = 0; i < s->devices; i++)
        takes = takes || takes_urgent(&s->device[i]);
    return takes;
}

/* --- the rule --------------------------------------------------------------------------------- */

/* The waiting job whose turn it is, -1: none waits. */
static int choose_job(const struct dispatch_state *s, const struct dispatch_job *waiting, int n)
{
    int first[LANES] = {-1, -1, -1};

    for (int i = n - 1; i >= 0; i--)
        first[waiting[i].lane] = i;
    if (first[LANE_URGENT] >= 0) return first[LANE_URGENT];
    if (first[LANE_NORMAL] < 0) return first[LANE_BATCH];
    if (first[LANE_BATCH] < 0) return first[LANE_NORMAL];
    return s->passed_s >= DISPATCH_BATCH * waiting[first[LANE_BATCH]].cost_s ? first[LANE_BATCH]
                                                                             : first[LANE_NORMAL];
}

struct dispatch_choice dispatch_next(const struct dispatch_state *s,
                                     const struct dispatch_job *waiting, int n)
{
    struct dispatch_choice c = {DISPATCH_WAIT, -1, -1, -1};
    int job = choose_job(s, waiting, n);
    bool urgent = job >= 0 && waiting[job].lane == LANE_URGENT;

    assert(n >= 0 && n <= DISPATCH_WINDOW * LANES);
    if (job < 0 || waiting[job].leaving || !has_room(s, waiting[job].lane)) return c;
    c.job = job;
    if (!waiting[job].plan) {
        c.verdict = DISPATCH_PLAN;
        return c;
    }
    c.device = choose_device(s, waiting[job].plan);
    if (c.device < 0 && urgent) c.device = choose_urgent(s, waiting[job].plan);
    if (c.device >= 0) c.verdict = DISPATCH_START;
    return c.device < 0 && urgent ? displace(s, job, waiting[job].plan) : c;
}
