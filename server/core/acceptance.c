/* acceptance - a submit becomes a job: into the table, onto the disk, its answers. */
#include "server/core/acceptance.h"

#include "server/core/forecast.h"
#include "server/core/lifecycle.h"
#include "server/core/notify.h"

#include "proto/answer.h"

#include <assert.h>
#include <string.h>

static uint64_t new_id(struct hub *h)
{
    uint64_t id;

    do
        id = h->out.random(h->out.arg);
    while (id == 0 || registry_find(&h->registry, id));
    return id;
}

struct job *acceptance_begin(struct hub *h, int64_t now, struct account *owner, struct command *c,
                             const uint8_t *digest, const struct job_plan *plan)
{
    struct spec *spec = &c->spec;
    struct job *j;
    struct hub_row r;

    if (queue_reserve(&h->queue, h->registry.n + 1) != 0) return NULL;
    if (spec->seed == SPEC_SEED_PICK) spec->seed = (int64_t)(h->out.random(h->out.arg) >> 32);
    j = job_new(new_id(h), owner, spec, h->conf.boot << 32);
    if (!j) return NULL;
    j->planned = plan != NULL;
    if (plan) j->plan = *plan;
    memccpy(j->key, c->key, '\0', sizeof j->key - 1);
    memcpy(j->digest, digest, sizeof j->digest);
    j->created_ms = notify_unix_ms(h, now);
    if (!board_post(&j->board, &(struct event){.kind = EVENT_ACCEPTED,
                                               .u.accepted = {.spec = &j->spec,
                                                              .key = j->key,
                                                              .created_ms = j->created_ms}})) {
        job_free(j);
        return NULL;
    }
    j->order = j->rank = ++h->last_order;
    j->held = c->hold;
    j->leave.unwatched_ms = c->unwatched_ms;
    lifecycle_add(h, j);
    if (!j->held) lanes_join(&h->lanes, &h->queue, j);
    notify_touch(h);
    r = lifecycle_row(j);
    h->n_storing++;
    h->out.store_accept(h->out.arg, &r);
    return j;
}

void acceptance_reply(struct hub *h, int64_t now, const struct job *j, struct pending_reply *a,
                      bool watch)
{
    uint64_t seq = j->board.at[EVENT_ACCEPTED];
    struct event e = {.kind = EVENT_ACCEPTED,
                      .u.accepted = {.spec = &j->spec, .key = j->key, .created_ms = j->created_ms}};
    struct forecast_times times;
    struct text t;

    assert(seq > 0);
    a->job = j->id;
    a->seq = seq;
    a->act = watch ? REPLY_JOIN : REPLY_NONE;
    if (!job_over(j) && j->forecast.end_us > now) {
        forecast_job(h, now, j, &times);
        e.u.accepted.eta_ms = times.eta_ms;
        e.u.accepted.eta_lo_ms = times.lo_ms;
        e.u.accepted.eta_hi_ms = times.hi_ms;
    }
    text_init(&t, BLOB_HEAD, LIMIT_OUTBOX_BYTES);
    event_encode(&e, j->id, seq, a->ref, &t);
    client_reply_ready(&h->clients, a, blob_from_text(&t));
    text_free(&t);
}

/* Take the submits that wait for a job, in the order in which they came. */
static struct pending_reply *take_waiters(struct job *j)
{
    struct pending_reply *in_order = NULL;

    while (j->waiters) {
        struct pending_reply *a = j->waiters;

        j->waiters = a->waiter_next;
        a->waiter_next = in_order;
        in_order = a;
    }
    return in_order;
}

static void accepted(struct hub *h, int64_t now, struct job *j)
{
    lifecycle_wait(h, now, j);
    if (!j->held) forecast_accepted(h, now, j);
    for (struct pending_reply *a = take_waiters(j), *next; a; a = next) {
        next = a->waiter_next;
        acceptance_reply(h, now, j, a, a->wanted);
    }
    if (j->end.early) lifecycle_end(h, j, JOB_CANCELLED, NULL);
}

/* The disk did not take the row: answer the submits with the error and forget the job. */
static void refused(struct hub *h, struct job *j, const struct fail *why)
{
    for (struct pending_reply *a = take_waiters(j), *next; a; a = next) {
        struct text t;

        next = a->waiter_next;
        a->job = 0;
        text_init(&t, BLOB_HEAD, LIMIT_OUTBOX_BYTES);
        answer_error(a->ref, COMMAND_SUBMIT, 0, why, &t);
        client_reply_ready(&h->clients, a, blob_from_text(&t));
        text_free(&t);
    }
    if (!j->held) lanes_leave(&h->lanes, &h->queue, j);
    notify_touch(h);
    lifecycle_forget(h, j);
}

void acceptance_stored(struct hub *h, int64_t now, struct job *j, const struct fail *why)
{
    assert(j->state == JOB_ADMIT);
    if (why)
        refused(h, j, why);
    else
        accepted(h, now, j);
}
