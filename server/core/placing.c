/* placing - which waiting job goes to which device: plans, the dispatch rule, pause, stop. */
#include "server/core/placing.h"

#include "server/core/capacity.h"
#include "server/core/finish.h"
#include "server/core/lifecycle.h"
#include "server/core/notify.h"
#include "server/core/private.h"

#include <math.h>

/* Plan a waiting job; one that can never run ends. */
static bool plan_waiting(struct hub *h, struct job *j)
{
    const struct spec s = job_drawn(j);
    struct fail f;

    if (capacity_plan(h, &s, &j->plan, &f) != 0) {
        lifecycle_end(h, j, JOB_FAILED, &f);
        return false;
    }
    finish_plan(j);
    j->planned = true;
    return true;
}

void placing_plan_some(struct hub *h)
{
    int some = 32;

    if (!devices_ready(&h->devices) || !h->planning) return;
    for (int i = 0; i < h->queue.n;) {
        struct job *j = h->queue.at[i];

        if (!j->planned && some-- == 0) return;
        if (j->planned || j->state == JOB_ADMIT || plan_waiting(h, j)) i++;
    }
    h->planning = false;
    lanes_changed(&h->lanes, &h->accounts);
    notify_touch(h);
}

/* Of a lane the first waiting jobs that may start; those on their way to the disk do not count
 * yet. How many there are in job[] and waiting[] then. */
static int first_of_lane(const struct hub *h, const struct dispatch_state *s, enum user_lane lane,
                         struct job **job, struct dispatch_job *waiting, int n)
{
    int most = n + DISPATCH_WINDOW;

    for (int i = queue_rank(&h->queue, lane, -HUGE_VAL); i < h->queue.n && n < most; i++) {
        struct job *j = h->queue.at[i];

        if (j->spec.lane != (int)lane) break;
        if (j->state == JOB_ADMIT) continue;
        job[n] = j;
        waiting[n] = lanes_turn(&h->lanes, j);
        n += dispatch_allows(s, &waiting[n]);
    }
    return n;
}

/* Its place is needed by an urgent job: it goes on later from where it stands. */
static void displace(struct hub *h, int64_t now, struct job *j)
{
    lifecycle_requeue(h, now, j);
    j->run.displaced = true;
}

/* Follow the rule once. False: nothing can start now. */
static bool dispatch_once(struct hub *h, int64_t now)
{
    struct job *job[DISPATCH_WINDOW * LANES];
    struct dispatch_job waiting[DISPATCH_WINDOW * LANES];
    struct dispatch_state s;
    struct dispatch_choice c;
    int n = 0;

    capacity_state(h, &s);
    if (!dispatch_room(&s) && h->queue.at[0]->spec.lane != LANE_URGENT) return false;
    for (int lane = 0; lane < LANES; lane++)
        n = first_of_lane(h, &s, (enum user_lane)lane, job, waiting, n);
    c = dispatch_next(&s, waiting, n);
    switch (c.verdict) {
    case DISPATCH_WAIT: return false;
    case DISPATCH_PLAN: plan_waiting(h, job[c.job]); return true;
    case DISPATCH_DISPLACE:
        displace(h, now, h->devices.at[c.device].resident[c.resident]);
        return true;
    case DISPATCH_START:
        dispatch_started(&s, &waiting[c.job],
                         queue_rank(&h->queue, LANE_BATCH, -HUGE_VAL) < h->queue.n);
        h->lanes.passed_s = s.passed_s;
        lifecycle_start(h, now, job[c.job], &h->devices.at[c.device]);
        return true;
    }
    return false;
}

void placing_dispatch(struct hub *h, int64_t now)
{
    while (!h->stopping && capacity_open(h) && h->n_refused == 0 && h->queue.n > 0
           && dispatch_once(h, now))
        ;
}

/* What waits meanwhile teaches the estimates nothing. */
static void change(struct hub *h, bool *what, bool to)
{
    if (*what == to) return;
    *what = to;
    for (int i = 0; i < h->queue.n; i++)
        h->queue.at[i]->forecast.first_us = 0;
    notify_touch(h);
    h->pushed_us = INT64_MIN / 2; /* at once */
}

void placing_pause(struct hub *h, bool paused)
{
    change(h, &h->paused, paused);
}

void placing_drain(struct hub *h, bool draining)
{
    change(h, &h->draining, draining);
}

void placing_stop(struct hub *h, int64_t now)
{
    h->stopping = true;
    private_stop(h);
    if (eta_measured(&h->eta)) h->out.rates(h->out.arg, &h->eta.known);
    for (int k = 0; k < h->devices.n; k++)
        for (int i = 0; i < h->devices.at[k].n_resident; i++)
            if (h->devices.at[k].resident[i]->state == JOB_RUNNING)
                lifecycle_requeue(h, now, h->devices.at[k].resident[i]);
    notify_touch(h);
    h->pushed_us = INT64_MIN / 2; /* so that forecast_push() does not hold `stopping` back */
}

int64_t placing_due(const struct hub *h)
{
    return h->planning && devices_ready(&h->devices) ? 0 : INT64_MAX;
}
