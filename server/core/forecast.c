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
    struct timeline_item *items;

    if (n <= h->n_items) return true;
    n += n / 2 + 32;
    items = realloc(h->items, (size_t)n * sizeof *items);
    if (!items) return false;
    h->items = items;
    h->n_items = n;
    return true;
}

/* A job that is being suspended, or was, goes on from where it stands. */
static struct timeline_item item_of(const struct hub *h, const struct job *j)
{
    struct timeline_item it = {.plan = j->planned ? &j->plan : NULL,
                               .turn = lanes_turn(&h->lanes, j),
                               .pixels = j->spec.width * j->spec.height,
                               .place = j->run.place};

    if (j->state == JOB_RUNNING || j->run.checkpoint || j->run.device) it.view = j->run.view;
    if (j->state == JOB_RUNNING) it.device = j->run.device->index;
    return it;
}

/* Play the jobs on the devices that go on, then what waits. Writes those of h->items that are the
 * queue's, none in a pause; NULL when nothing can be said now. What is being dropped counts as
 * gone.
 *   more   more jobs, n_more of them in the queue's order, NULL: none; they stand where their turns
 *          put them, and of the queue behind them only those count that can share the devices with
 *          them; their times are written into them
 *   after  as timeline_play() has it */
static struct timeline_item *play(struct hub *h, struct timeline_item *more, int n_more,
                                  struct timeline *after)
{
    struct dispatch_state on;
    int at[LIMIT_CELLS], n = 0, added = 0, residents, last = h->queue.n;

    assert(n_more >= 0 && n_more <= LIMIT_CELLS);
    if (n_more) last = lanes_place(&h->queue, &more[n_more - 1].turn) + LEDGER_MAX * h->devices.n;
    if (after) after->open = false;
    if (!devices_working(&h->devices) || h->stopping) return NULL;
    if (!reserve_items(h, devices_residents(&h->devices) + h->queue.n + n_more)) return NULL;
    for (int k = 0; k < h->devices.n; k++) {
        const struct device *c = &h->devices.at[k];

        for (int i = 0; i < c->n_resident; i++)
            if (c->resident[i]->state == JOB_RUNNING) h->items[n++] = item_of(h, c->resident[i]);
    }
    residents = n;
    for (int i = 0; capacity_open(h) && i <= h->queue.n && i <= last; i++) {
        for (; added < n_more && lanes_place(&h->queue, &more[added].turn) == i; added++) {
            at[added] = n;
            h->items[n++] = more[added];
        }
        if (i < h->queue.n) h->items[n++] = item_of(h, h->queue.at[i]);
    }
    capacity_state(h, &on);
    timeline_play(&h->eta, h->items, residents, n, &on, after);
    while (added-- > 0)
        more[added] = h->items[at[added]];
    return h->items + residents;
}

const struct timeline_item *forecast_queue(struct hub *h)
{
    return !capacity_open(h) ? NULL : play(h, NULL, 0, NULL);
}

static int64_t at_time(int64_t now, double seconds)
{
    return seconds < 0 || !(seconds < 1e9) ? -1 : now + (int64_t)(seconds * 1e6);
}

static double planned_work(const struct job_plan *plan)
{
    const struct glm_progress begin = {.total = 0};

    return plan ? eta_all_work(&plan->cost, &begin) : 0;
}

static enum eta_kind kind_of(const struct hub *h, const struct timeline_item *it)
{
    if (it->start_s > 0) return ETA_WAITS;
    return eta_rank(&h->eta, planned_work(it->plan));
}

static void keep(const struct hub *h, struct job *j, int64_t now, const struct timeline_item *it)
{
    static const struct timeline_item unknown = {.start_s = -1, .end_s = -1};
    double mid;

    if (!it) it = &unknown;
    if (!j->forecast.accepted_us) j->forecast.kind = kind_of(h, it);
    /* one that was to start at once, and waits after all, is told as those that wait with it */
    mid = h->eta.span[it->start_s > 0 ? ETA_WAITS : j->forecast.kind].mid;
    j->forecast.start_us = at_time(now, it->start_s * mid);
    j->forecast.end_us = at_time(now, it->end_s * mid);
    j->forecast.played_us = at_time(now, it->end_s);
}

static void estimate(struct hub *h, int64_t now)
{
    const struct timeline_item *queue = play(h, NULL, 0, &h->tail), *it = h->items;

    h->estimated_us = now;
    h->added = false;
    for (int k = 0; k < h->devices.n; k++)
        for (int r = 0; r < h->devices.at[k].n_resident; r++)
            if (h->devices.at[k].resident[r]->state == JOB_RUNNING)
                keep(h, h->devices.at[k].resident[r], now, queue ? it++ : NULL);
    for (int q = 0; q < h->queue.n; q++)
        keep(h, h->queue.at[q], now, queue && capacity_open(h) ? &queue[q] : NULL);
}

/* The tail as it is now; a quarter of a second is near enough. */
static void freshen(struct hub *h, int64_t now)
{
    if (now - h->estimated_us >= HUB_PUSH_US) estimate(h, now);
}

static void add(struct timeline *tail, const struct hub *h, int64_t now, struct timeline_item *item)
{
    timeline_add(tail, (double)(now - h->estimated_us) / 1e6, item);
}

/* Can the whole queue be played again for one job? */
static bool is_cheap(const struct hub *h)
{
    return h->queue.n <= HUB_CHEAP_JOBS;
}

/* At the end of the queue it costs little; where it goes before others all is played again, where
 * that is cheap. */
void forecast_added(struct hub *h, int64_t now, struct job *j)
{
    bool last = h->queue.at[h->queue.n - 1] == j;
    struct timeline_item item = item_of(h, j);

    assert(j->state == JOB_ADMIT && h->queue.n > 0);
    if (now - h->estimated_us >= HUB_PUSH_US || (!last && is_cheap(h))) {
        estimate(h, now);
        return;
    }
    if (!last) return;
    add(&h->tail, h, now, &item);
    keep(h, j, now, capacity_open(h) ? &item : NULL);
    h->added = true;
}

void forecast_added_some(struct hub *h, int64_t now)
{
    if (is_cheap(h) || now - h->estimated_us >= HUB_PUSH_US) estimate(h, now);
}

/* Jobs that were accepted after it share the device with it and delay it, so where that is cheap
 * the whole queue is played again. A long queue is played four times a second at most: until then a
 * job at its end has the estimate that was made when it was added. */
void forecast_accepted(struct hub *h, int64_t now, struct job *j)
{
    assert(j->state == JOB_QUEUED);
    if ((h->added && is_cheap(h)) || now - h->estimated_us >= HUB_PUSH_US) estimate(h, now);
    j->forecast.accepted_us = now;
    if (j->planned) eta_comes(&h->eta, planned_work(&j->plan));
    /* a guess says nothing about how right measured rates are */
    if (eta_measured(&h->eta) && j->forecast.end_us >= 0)
        j->forecast.first_us = j->forecast.played_us - now;
}

/* Whether they all come behind what waits. */
static bool are_last(const struct hub *h, const struct timeline_item *more, int n)
{
    int i = 0;

    while (i < n && lanes_place(&h->queue, &more[i].turn) == h->queue.n)
        i++;
    return i == n;
}

static void play_more(struct hub *h, int64_t now, struct timeline_item *more, int n)
{
    struct timeline tail;

    for (int i = 0; i < n; i++)
        more[i].start_s = more[i].end_s = -1;
    if (!capacity_open(h)) return;
    if (!are_last(h, more, n)) {
        play(h, more, n, NULL);
        return;
    }
    freshen(h, now);
    tail = h->tail;
    for (int i = 0; i < n; i++)
        add(&tail, h, now, &more[i]);
}

/* A time as it is told, with the range that belongs to it. */
static void tell(const struct hub *h, enum eta_kind kind, int64_t start_ms, int64_t eta_ms,
                 struct forecast_times *out)
{
    const struct eta_span *span = &h->eta.span[kind];

    *out = (struct forecast_times){start_ms, eta_ms, -1, -1};
    if (eta_ms < 0) return;
    out->lo_ms = (int64_t)floor((double)eta_ms * span->low / span->mid);
    out->hi_ms = (int64_t)ceil((double)eta_ms * span->high / span->mid);
}

void forecast_job(const struct hub *h, int64_t now, const struct job *j, struct forecast_times *out)
{
    tell(h, j->forecast.start_us > now ? ETA_WAITS : j->forecast.kind,
         notify_eta_ms(now, j->forecast.start_us), notify_eta_ms(now, j->forecast.end_us), out);
}

void forecast_quote(struct hub *h, int64_t now, struct timeline_item *more, int n,
                    struct forecast_times *out)
{
    const struct timeline_item *last = more;
    double start_s = INFINITY, end_s = 0, mid;
    enum eta_kind kind;

    assert(n > 0);
    play_more(h, now, more, n);
    for (int i = 0; i < n; i++) {
        start_s = fmin(start_s, more[i].start_s);
        end_s = more[i].end_s < 0 || end_s < 0 ? -1 : fmax(end_s, more[i].end_s);
        if (more[i].end_s >= last->end_s) last = &more[i];
    }
    kind = kind_of(h, last);
    mid = h->eta.span[kind].mid;
    tell(h, kind, notify_eta_ms(now, at_time(now, start_s * mid)),
         notify_eta_ms(now, at_time(now, end_s * mid)), out);
}

int64_t forecast_retry_ms(struct hub *h, int64_t now)
{
    int n = h->queue.n, k = h->refused < n ? h->refused++ : n - 1;
    int64_t spread = (int64_t)(h->out.random(h->out.arg) % 1024), ms = -1;

    if (n > 0) ms = notify_eta_ms(now, h->queue.at[k]->forecast.start_us);
    if (ms < 0) ms = 2000;
    if (ms < 100) ms = 100;
    return ms + ms * spread / 4096;
}

int64_t forecast_free_ms(const struct hub *h, int64_t now, const struct account *a)
{
    int64_t ms = -1;

    for (int i = 0; i < h->queue.n && ms < 0; i++)
        if (h->queue.at[i]->owner == a) ms = notify_eta_ms(now, h->queue.at[i]->forecast.start_us);
    return ms < 0 ? 2000 : ms < 100 ? 100 : ms;
}

/* --- places ----------------------------------------------------------------------------------- */

static enum event_why why(const struct hub *h, const struct job *j, int place)
{
    if (h->stopping || h->draining) return WHY_STOPPING;
    if (h->paused) return WHY_PAUSED;
    if (h->n_refused > 0) return WHY_DISK;
    if (j->run.displaced) return WHY_URGENT;
    if (devices_working(&h->devices) && place > 1) return WHY_TURN;
    return capacity_why(h, j);
}

bool forecast_moved(const struct job *j, int64_t now)
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
    struct event e = {.kind = EVENT_QUEUE};
    struct forecast_times t;

    assert(j->state == JOB_QUEUED && place >= 1);
    forecast_job(h, now, j, &t);
    e.u.queue.position = place;
    e.u.queue.ahead = ahead;
    e.u.queue.start_ms = t.start_ms;
    e.u.queue.eta_ms = t.eta_ms;
    e.u.queue.eta_lo_ms = t.lo_ms;
    e.u.queue.eta_hi_ms = t.hi_ms;
    e.u.queue.why = reason;
    if (j->forecast.sent_place == 0) h->unplaced--;
    j->forecast.sent_place = place;
    j->forecast.sent_ahead = ahead;
    j->forecast.sent_why = (int)reason;
    j->forecast.sent_end_us = j->forecast.end_us;
    j->forecast.sent_lo_us = t.lo_ms < 0 ? -1 : now + t.lo_ms * 1000;
    j->forecast.sent_hi_us = t.hi_ms < 0 ? -1 : now + t.hi_ms * 1000;
    notify_post(h, now, j, &e);
}

static void push_places(struct hub *h, int64_t now)
{
    for (int i = 0; i < h->queue.n; i++) {
        struct job *j = h->queue.at[i];
        enum event_why reason = why(h, j, i + 1);
        int ahead = i + h->in[JOB_RUNNING];

        if (j->state == JOB_ADMIT) continue;
        if (j->forecast.sent_place == i + 1 && j->forecast.sent_ahead == ahead
            && j->forecast.sent_why == (int)reason && !forecast_moved(j, now))
            continue;
        post_queue(h, now, j, i + 1, ahead, reason);
    }
}

/* Residents that wait for their turn have no quanta: tell that they wait, and for how long. */
static void push_waiting(struct hub *h, int64_t now)
{
    for (int d = 0; d < h->devices.n; d++)
        for (int i = 0; i < h->devices.at[d].n_resident; i++) {
            struct job *j = h->devices.at[d].resident[i];
            const struct glm_progress *v = &j->run.view;

            if (j->state != JOB_RUNNING || j->run.waits < 0 || v->phase >= GLM_DONE) continue;
            if (j->run.waits == j->forecast.sent_why && !forecast_moved(j, now)) continue;
            notify_progress(h, now, j, v->phase, v->done, v->total);
        }
}

/* Places of jobs on disk that were not sent one yet. New jobs mostly stand at the end. */
static void push_unplaced(struct hub *h, int64_t now)
{
    for (int i = h->queue.n - 1; i >= 0 && h->unplaced > 0; i--) {
        struct job *j = h->queue.at[i];

        if (j->state == JOB_QUEUED && j->forecast.sent_place == 0)
            post_queue(h, now, j, i + 1, i + h->in[JOB_RUNNING], why(h, j, i + 1));
    }
    assert(h->unplaced == 0);
}

bool forecast_push(struct hub *h, int64_t now)
{
    bool due = now >= forecast_due(h);

    if (due) {
        h->touched = h->moved = false;
        h->pushed_us = now;
        estimate(h, now);
        push_places(h, now);
        push_waiting(h, now);
        report_push(h, now);
    }
    push_unplaced(h, now);
    return due;
}

int64_t forecast_due(const struct hub *h)
{
    return h->touched || h->moved ? h->pushed_us + HUB_PUSH_US : INT64_MAX;
}
