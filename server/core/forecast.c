/* forecast - places, expected times and statistics, whenever they change, at most four times a
 * second. */
#include "server/core/forecast.h"

#include "server/core/capacity.h"
#include "server/core/notify.h"
#include "server/core/report.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

/* --- estimates -------------------------------------------------------------------------------- */

static bool reserve_items(struct hub *h, int n)
{
    struct eta_item *items;

    if (n <= h->n_items) return true;
    n += n / 2 + 32;
    items = realloc(h->items, (size_t)n * sizeof *items);
    if (!items) return false;
    h->items = items;
    h->n_items = n;
    return true;
}

static struct eta_item item_of(const struct job *j)
{
    struct eta_item it = {.plan = j->planned ? &j->plan : NULL,
                          .pixels = j->spec.width * j->spec.height};

    if (j->state == JOB_RUNNING) {
        it.view = j->run.view;
        it.device = j->run.device->index;
    }
    return it;
}

/* Residents that go on, then the queue, then `more` (may be NULL). Returns how many of h->items
 * were simulated, 0 when nothing can be said now. What is being dropped counts as gone. */
static int simulate(struct hub *h, struct eta_item *more)
{
    struct dispatch_state on;
    int n = 0, residents;

    if (!devices_working(&h->devices) || h->stopping) return 0;
    if (!reserve_items(h, devices_residents(&h->devices) + h->queue.n + 1)) return 0;
    for (int k = 0; k < h->devices.n; k++) {
        const struct device *c = &h->devices.at[k];

        for (int i = 0; i < c->n_resident; i++)
            if (c->resident[i]->state == JOB_RUNNING) h->items[n++] = item_of(c->resident[i]);
    }
    residents = n;
    for (int i = 0; i < h->queue.n; i++)
        h->items[n++] = item_of(h->queue.at[i]);
    if (more) h->items[n++] = *more;
    capacity_state(h, &on);
    eta_simulate(&h->eta, h->items, residents, n, &on);
    if (more) *more = h->items[n - 1];
    return n;
}

const struct eta_item *forecast_queue(struct hub *h)
{
    int n = simulate(h, NULL);

    return n ? h->items + n - h->queue.n : NULL;
}

static int64_t at_time(int64_t now, double seconds)
{
    return seconds < 0 || !(seconds < 1e9) ? -1 : now + (int64_t)(seconds * 1e6);
}

static void keep(struct job *j, int64_t now, const struct eta_item *it)
{
    j->forecast.start_us = it ? at_time(now, it->start_s) : -1;
    j->forecast.end_us = it ? at_time(now, it->end_s) : -1;
}

static void forecast(const struct hub *h, int64_t now, struct job *j, const struct eta_item *it)
{
    keep(j, now, it);
    if (j->forecast.end_us >= 0 && j->forecast.run_us == 0)
        j->forecast.run_us =
            j->forecast.end_us - j->run.started_us - (int64_t)(h->eta.tail_s * 1e6);
}

static void estimate(struct hub *h, int64_t now)
{
    int n = simulate(h, NULL), i = 0;

    for (int k = 0; k < h->devices.n; k++)
        for (int r = 0; r < h->devices.at[k].n_resident; r++)
            if (h->devices.at[k].resident[r]->state == JOB_RUNNING)
                forecast(h, now, h->devices.at[k].resident[r], n ? &h->items[i++] : NULL);
    for (int q = 0; q < h->queue.n; q++)
        keep(h->queue.at[q], now, n ? &h->items[i++] : NULL);
}

void forecast_quote(struct hub *h, struct eta_item *item)
{
    if (!simulate(h, item)) item->start_s = item->end_s = -1;
}

int64_t forecast_first_ms(const struct hub *h, int64_t now)
{
    return h->queue.n > 0 ? notify_eta_ms(now, h->queue.at[0]->forecast.start_us) : -1;
}

/* --- places ----------------------------------------------------------------------------------- */

static enum event_why why(const struct hub *h, const struct job *j, int place)
{
    if (h->stopping) return WHY_STOPPING;
    if (h->n_refused > 0) return WHY_DISK;
    if (devices_working(&h->devices) && place > 1) return WHY_TURN;
    return capacity_why(h, j);
}

/* Has its end moved so far that a person would want to know? */
static bool moved_far(const struct job *j, int64_t now)
{
    int64_t by, enough;

    if ((j->forecast.end_us < 0) != (j->forecast.sent_end_us < 0)) return true;
    if (j->forecast.end_us < 0) return false;
    by = llabs(j->forecast.end_us - j->forecast.sent_end_us);
    enough = (j->forecast.end_us > now ? j->forecast.end_us - now : 0) / 20;
    return by > 250000 && by > enough;
}

static void post_queue(struct hub *h, int64_t now, struct job *j, int place, int ahead,
                       enum event_why reason)
{
    struct event e = {.kind = EVENT_QUEUE,
                      .u.queue = {.position = place,
                                  .ahead = ahead,
                                  .start_ms = notify_eta_ms(now, j->forecast.start_us),
                                  .eta_ms = notify_eta_ms(now, j->forecast.end_us),
                                  .eta_lo_ms = -1,
                                  .eta_hi_ms = -1,
                                  .why = reason}};
    double low, high;

    assert(j->state == JOB_QUEUED && place >= 1);
    if (j->forecast.end_us >= 0) {
        eta_range(&h->eta, (double)e.u.queue.eta_ms, &low, &high);
        e.u.queue.eta_lo_ms = (int64_t)floor(low);
        e.u.queue.eta_hi_ms = (int64_t)ceil(high);
    }
    if (j->forecast.sent_place == 0) h->unplaced--;
    j->forecast.sent_place = place;
    j->forecast.sent_ahead = ahead;
    j->forecast.sent_why = (int)reason;
    j->forecast.sent_end_us = j->forecast.end_us;
    notify_post(h, now, j, &e);
}

static void push_places(struct hub *h, int64_t now)
{
    for (int i = 0; i < h->queue.n; i++) {
        struct job *j = h->queue.at[i];
        enum event_why reason = why(h, j, i + 1);
        int ahead = i + h->in[JOB_RUNNING];

        if (j->forecast.sent_place == i + 1 && j->forecast.sent_ahead == ahead
            && j->forecast.sent_why == (int)reason && !moved_far(j, now))
            continue;
        post_queue(h, now, j, i + 1, ahead, reason);
    }
}

/* Places of jobs that were not sent one yet. New jobs mostly stand at the end of the queue. */
static void push_unplaced(struct hub *h, int64_t now)
{
    for (int i = h->queue.n - 1; i >= 0 && h->unplaced > 0; i--) {
        struct job *j = h->queue.at[i];

        if (j->forecast.sent_place == 0)
            post_queue(h, now, j, i + 1, i + h->in[JOB_RUNNING], why(h, j, i + 1));
    }
    assert(h->unplaced == 0);
}

void forecast_push(struct hub *h, int64_t now)
{
    if (now >= forecast_due(h)) {
        h->touched = h->moved = false;
        h->pushed_us = now;
        estimate(h, now);
        push_places(h, now);
        report_push(h, now);
    }
    push_unplaced(h, now);
}

int64_t forecast_due(const struct hub *h)
{
    return h->touched || h->moved ? h->pushed_us + HUB_PUSH_US : INT64_MAX;
}
