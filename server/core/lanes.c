/* lanes - the order in which jobs wait. */
#include "server/core/lanes.h"

#include <assert.h>

static struct account_lane *lane_of(const struct job *j)
{
    return &j->owner->lane[j->spec.lane];
}

/* Device-seconds that a job will take, by its user's weight; 0 until it is planned. */
static double cost_of(const struct lanes *l, const struct job *j)
{
    const struct glm_progress begin = {.total = 0};

    if (!j->planned) return 0;
    return eta_seconds(l->eta, &j->plan.cost, &begin, j->spec.width * j->spec.height)
           / j->owner->user.weight;
}

static void add(struct queue *q, struct job *j)
{
    queue_add(q, j);
    lane_of(j)->waiting++;
    lane_of(j)->ready += j->state != JOB_ADMIT;
}

static void take(struct queue *q, struct job *j)
{
    struct account_lane *a = lane_of(j);

    queue_remove(q, j);
    a->waiting--;
    a->ready -= j->state != JOB_ADMIT;
    assert(a->ready >= 0 && a->ready <= a->waiting);
}

void lanes_join(struct lanes *l, struct queue *q, struct job *j)
{
    struct account_lane *a = lane_of(j);

    if (a->waiting == 0) {
        if (a->next < l->now[j->spec.lane]) a->next = l->now[j->spec.lane];
        a->end = a->next;
    }
    j->share.begin = a->end;
    j->share.cost = cost_of(l, j);
    a->end += j->share.cost;
    add(q, j);
}

static void make_stale(struct lanes *l, struct account_lane *a)
{
    a->stale = a->waiting > 0;
    l->stale = l->stale || a->stale;
}

/* The disk took its time: what others have started meanwhile is not owed to it. */
void lanes_ready(struct lanes *l, struct job *j)
{
    struct account_lane *a = lane_of(j);

    if (a->ready++ > 0 || a->next >= l->now[j->spec.lane]) return;
    a->next = l->now[j->spec.lane];
    make_stale(l, a);
}

/* Virtual seconds that it has had. */
static double taken(const struct job *j)
{
    return (double)(j->share.used_us + j->run.used_us) / 1e6 / j->owner->user.weight;
}

void lanes_return(struct lanes *l, struct queue *q, struct job *j)
{
    struct account_lane *a = lane_of(j);

    j->share.used_us += j->run.used_us;
    j->run.used_us = 0;
    a->next -= j->share.cost;
    j->share.begin = a->next;
    add(q, j);
    make_stale(l, a);
}

void lanes_start(struct lanes *l, struct queue *q, struct job *j)
{
    take(q, j);
    if (l->now[j->spec.lane] < j->share.begin) l->now[j->spec.lane] = j->share.begin;
    lane_of(j)->next += j->share.cost;
}

void lanes_leave(struct lanes *l, struct queue *q, struct job *j)
{
    take(q, j);
    lane_of(j)->next += taken(j);
    make_stale(l, lane_of(j));
}

void lanes_hold(struct lanes *l, struct queue *q, struct job *j)
{
    take(q, j);
    make_stale(l, lane_of(j));
}

void lanes_ranked(struct lanes *l, const struct job *j)
{
    make_stale(l, lane_of(j));
}

void lanes_release(struct lanes *l, struct queue *q, struct job *j)
{
    lanes_join(l, q, j);
    make_stale(l, lane_of(j));
}

void lanes_end(struct lanes *l, const struct job *j)
{
    struct account_lane *a = lane_of(j);

    a->next += taken(j) - j->share.cost;
    if (a->next < l->now[j->spec.lane]) a->next = l->now[j->spec.lane]; /* not before all others */
    make_stale(l, a);
}

void lanes_changed(struct lanes *l, struct accounts *as)
{
    for (int i = 0; i < as->n; i++)
        for (int k = 0; k < LANES; k++)
            make_stale(l, &as->at[i]->lane[k]);
}

/* Each user's jobs by their ranks: one begins where the one before it ends. */
static void place_anew(const struct lanes *l, struct queue *q)
{
    queue_sort(q, queue_older);
    for (int i = 0; i < q->n; i++) {
        struct job *j = q->at[i];
        struct account_lane *a = lane_of(j);

        if (!a->stale) continue;
        j->share.begin = a->end;
        j->share.cost = cost_of(l, j);
        a->end += j->share.cost;
    }
    queue_sort(q, queue_before);
}

bool lanes_settle(struct lanes *l, struct queue *q, struct accounts *as)
{
    if (!l->stale) return false;
    for (int i = 0; i < as->n; i++)
        for (int k = 0; k < LANES; k++)
            as->at[i]->lane[k].end =
                as->at[i]->lane[k].stale ? as->at[i]->lane[k].next : as->at[i]->lane[k].end;
    place_anew(l, q);
    for (int i = 0; i < as->n; i++)
        for (int k = 0; k < LANES; k++)
            as->at[i]->lane[k].stale = false;
    l->stale = false;
    return true;
}

struct dispatch_job lanes_turn(const struct lanes *l, const struct job *j)
{
    return (struct dispatch_job){.plan = j->planned ? &j->plan : NULL,
                                 .leaving = j->run.device != NULL,
                                 .lane = (enum user_lane)j->spec.lane,
                                 .begin = j->share.begin,
                                 .cost_s = cost_of(l, j) * j->owner->user.weight,
                                 .slot = j->owner->slot,
                                 .most = j->owner->user.running};
}

struct dispatch_job lanes_next(const struct lanes *l, const struct account *a, enum user_lane lane)
{
    const struct account_lane *at = &a->lane[lane];
    double begin = at->waiting > 0 ? at->end : at->next;

    if (at->waiting == 0 && begin < l->now[lane]) begin = l->now[lane];
    return (struct dispatch_job){
        .lane = lane, .begin = begin, .slot = a->slot, .most = a->user.running};
}

int lanes_place(const struct queue *q, const struct dispatch_job *j)
{
    return queue_rank(q, j->lane, j->begin);
}
