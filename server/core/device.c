/* device - which jobs are on each device, what each may hold, whether it works. */
#include "server/core/device.h"

#include "server/core/eta.h"

#include <assert.h>

void devices_init(struct devices *ds, int n)
{
    assert(n <= LIMIT_DEVICES);
    ds->n = n > 1 ? n : 1;
    ds->why_cap[0] = '\0';
    ds->why_seq = 0;
    for (int i = 0; i < ds->n; i++) {
        struct device *d = &ds->at[i];

        *d = (struct device){.index = i, .cap = 1, .cap_memory = 1, .cap_failure = LEDGER_MAX};
        ledger_init(&d->ledger, 0);
    }
}

bool devices_ready(const struct devices *ds)
{
    for (int i = 0; i < ds->n; i++)
        if (ds->at[i].ready) return true;
    return false;
}

bool devices_working(const struct devices *ds)
{
    for (int i = 0; i < ds->n; i++)
        if (device_works(&ds->at[i])) return true;
    return false;
}

int devices_residents(const struct devices *ds)
{
    int n = 0;

    for (int i = 0; i < ds->n; i++)
        n += ds->at[i].n_resident;
    return n;
}

int devices_cap(const struct devices *ds)
{
    bool any = devices_ready(ds);
    int n = 0;

    for (int i = 0; i < ds->n; i++)
        if (ds->at[i].ready || !any) n += ds->at[i].cap;
    return n;
}

const struct ledger *devices_largest(const struct devices *ds)
{
    const struct ledger *most = NULL;

    for (int i = 0; i < ds->n; i++)
        if (ds->at[i].ready && (!most || ds->at[i].ledger.budget > most->budget))
            most = &ds->at[i].ledger;
    return most;
}

static struct dispatch_resident resident_of(const struct job *j)
{
    return (struct dispatch_resident){.lane = (enum user_lane)j->spec.lane,
                                      .begin = j->share.begin,
                                      .leaving = j->run.dropping,
                                      .fixed = j->run.view.phase >= GLM_DECODE,
                                      .slot = j->owner->slot};
}

void devices_state(const struct devices *ds, int limit, struct dispatch_state *out)
{
    assert(limit >= 0);
    out->limit = limit;
    out->devices = ds->n;
    for (int i = 0; i < ds->n; i++) {
        const struct device *d = &ds->at[i];

        assert(d->ledger.n == d->n_resident);
        out->device[i].cap = device_works(d) ? d->cap : 0;
        out->device[i].ledger = d->ledger;
        for (int k = 0; k < d->n_resident; k++)
            out->device[i].resident[k] = resident_of(d->resident[k]);
    }
}

/* --- one device ------------------------------------------------------------------------------- */

bool device_works(const struct device *d)
{
    return d->ready && !d->stuck;
}

bool device_has_place(const struct device *d)
{
    return device_works(d) && d->n_resident < d->cap;
}

static bool is_urgent(const struct job *j)
{
    return j->spec.lane == LANE_URGENT;
}

static double seconds_left(const struct eta *e, const struct job *j, const struct glm_progress *v)
{
    return eta_seconds(e, &j->plan.cost, v, j->spec.width * j->spec.height);
}

/* All that go on and are urgent, or are not. */
static int members(struct device *d, const struct eta *e, bool urgent, struct order_member *out)
{
    int n = 0;

    for (int i = 0; i < d->n_resident; i++) {
        struct job *j = d->resident[i];

        if (j->run.dropping || is_urgent(j) != urgent) continue;
        out[n++] = (struct order_member){&j->run.place, seconds_left(e, j, &j->run.view)};
    }
    return n;
}

void device_hold(struct device *d, int64_t now, struct job *j, const struct eta *e)
{
    const struct glm_progress begin = {.total = 0};
    struct order_member others[LEDGER_MAX];
    int n = members(d, e, is_urgent(j), others);

    assert(!j->run.device && d->n_resident < LEDGER_MAX);
    if (d->n_resident == 0) {
        d->last_seen_us = now;
        d->stood_us = 0;
    }
    order_join(&j->run.place, seconds_left(e, j, j->run.checkpoint ? &j->run.view : &begin), others,
               n);
    ledger_hold(&d->ledger, j->id, &j->plan);
    d->resident[d->n_resident++] = j;
    j->run.device = d;
    j->run.dropping = false;
}

void device_drop(struct job *j)
{
    assert(j->run.device && !j->run.dropping);
    j->run.dropping = true;
}

void device_release(struct job *j)
{
    struct device *d = j->run.device;
    int i = 0;

    assert(d && d->n_resident > 0);
    if (!j->run.dropping) device_drop(j);
    while (d->resident[i] != j)
        i++;
    ledger_release(&d->ledger, j->id);
    d->resident[i] = d->resident[--d->n_resident];
    j->run.device = NULL;
    j->run.dropping = false;
}

struct job *device_find(const struct device *d, uint64_t job)
{
    for (int i = 0; i < d->n_resident; i++)
        if (d->resident[i]->id == job) return d->resident[i];
    return NULL;
}
