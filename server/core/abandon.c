/* abandon - one look over all jobs when viewers have changed, or the first time has passed. */
#include "server/core/abandon.h"

#include "server/core/lifecycle.h"
#include "server/core/sweeps.h"

#include <assert.h>

void abandon_changed(struct hub *h, const struct job *j)
{
    if (j->leave.unwatched_ms > 0 || (j->parent && j->parent->leave.unwatched_ms > 0))
        h->abandon_us = INT64_MIN;
}

void abandon_submitted(struct hub *h, struct job *j, struct client *p)
{
    j->leave.submitter = p;
    p->submitted = true;
    abandon_changed(h, j);
}

void abandon_closed(struct hub *h, const struct client *p)
{
    if (!p->submitted) return;
    for (struct job *j = h->registry.newest; j; j = j->links.older) {
        if (j->leave.submitter != p) continue;
        j->leave.submitter = NULL;
        abandon_changed(h, j);
    }
}

void abandon_set(struct hub *h, struct job *j, int unwatched_ms)
{
    assert(unwatched_ms >= 0 && !job_over(j));
    if (unwatched_ms != j->leave.unwatched_ms) j->leave.since_us = 0;
    j->leave.unwatched_ms = unwatched_ms;
    abandon_changed(h, j);
}

static bool is_viewed(const struct job *j)
{
    bool viewed = j->subscriptions || j->leave.submitter;

    for (int i = 0; j->sweep && !viewed && i < j->sweep->n; i++)
        viewed = j->sweep->cell[i].job && j->sweep->cell[i].job->subscriptions;
    return viewed;
}

/* When it is cancelled unless somebody comes; INT64_MAX: not at all. */
static int64_t end_of(int64_t now, struct job *j)
{
    bool viewed = is_viewed(j);

    if (j->leave.unwatched_ms == 0 || j->state >= JOB_ENDING || j->end.early) return INT64_MAX;
    if (viewed) j->leave.since_us = 0;
    if (viewed) return INT64_MAX;
    if (!j->leave.since_us) j->leave.since_us = now;
    return j->leave.since_us + (int64_t)j->leave.unwatched_ms * 1000;
}

/* How many pictures are given up. */
static int give_up(struct hub *h, struct job *j)
{
    if (j->sweep) return sweeps_cancel(h, j);
    lifecycle_cancel(h, j);
    return 1;
}

void abandon_look(struct hub *h, int64_t now)
{
    struct job *older;

    if (now < h->abandon_us) return;
    h->abandon_us = INT64_MAX;
    for (struct job *j = h->registry.newest; j; j = older) {
        int64_t end = end_of(now, j);

        older = j->links.older;
        if (end <= now) {
            h->stats.totals.abandoned += (uint64_t)give_up(h, j);
        } else if (end < h->abandon_us)
            h->abandon_us = end;
    }
}

int64_t abandon_due(const struct hub *h)
{
    return h->abandon_us;
}
