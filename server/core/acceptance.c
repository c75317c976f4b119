/* acceptance - a submit becomes a job: into the table, onto the disk, its answers. */
#include "server/core/acceptance.h"

#include "server/core/forecast.h"
#include "server/core/lifecycle.h"
#include "server/core/notify.h"
#include "server/core/sources.h"
#include "server/core/sweeps.h"

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

/* What is accepted together: the jobs of a sweep's cells, and last the job that is answered. */
struct batch {
    struct job *job[LIMIT_CELLS + 1];
    int n;
};

static struct job *make_job(struct hub *h, int64_t now, struct account *owner, const struct spec *s,
                            struct batch *b)
{
    struct spec spec;
    struct job *j;

    if (spec_copy(&spec, s) != 0) return NULL;
    j = job_new(new_id(h), owner, &spec, h->conf.boot << 32);
    if (!j) {
        spec_free(&spec);
        return NULL;
    }
    j->created_ms = notify_unix_ms(h, now);
    b->job[b->n++] = j;
    return j;
}

static bool post_accepted(struct job *j)
{
    uint64_t cells[LIMIT_CELLS];
    struct event e = {.kind = EVENT_ACCEPTED,
                      .u.accepted = {.spec = &j->spec,
                                     .key = j->key,
                                     .private = j->private,
                                     .created_ms = j->created_ms,
                                     .sweep = job_sweep(j, cells)}};

    return board_post(&j->board, &e) != 0;
}

static void set_plan(struct job *j, const struct request *r, int i)
{
    j->planned = r->planned;
    if (r->planned) j->plan = r->plan[i];
}

/* The jobs of the cells. False: no memory. */
static bool make_cells(struct hub *h, int64_t now, struct account *owner, const struct command *c,
                       const struct request *r, struct batch *b)
{
    for (int i = 0; i < r->n; i++) {
        struct sweep_place place;
        struct spec spec;
        struct job *j;

        sweep_cell(&c->sweep, &c->spec, i, &spec, &place);
        spec_seeds(&spec);
        j = make_job(h, now, owner, &spec, b);
        if (!j || spec_digest(&spec, j->digest) != 0) return false;
        j->place = place;
        j->held = c->hold;
        set_plan(j, r, i);
    }
    return true;
}

/* Make the last job of the batch a sweep of those before it. */
static bool make_sweep(const struct command *c, const struct request *r, struct batch *b)
{
    struct job *p = b->job[b->n - 1];
    struct cell cells[LIMIT_CELLS];
    struct text t;
    int err;

    for (int i = 0; i < r->n; i++) {
        b->job[i]->place.parent = p->id;
        cells[i] = (struct cell){
            .job = b->job[i]->id, .cost = r->planned ? r->seconds[i] : 1, .state = -1};
    }
    text_init(&t, 0, LIMIT_OUTBOX_BYTES);
    sweep_write(&c->sweep, &p->spec, &t, NULL);
    err = text_check(&t, NULL);
    if (!err) err = sweeps_make(p, t.at, cells, r->n);
    text_free(&t);
    for (int i = 0; i < r->n && !err; i++)
        sweeps_own(p, i, b->job[i]);
    return !err;
}

static bool make_all(struct hub *h, int64_t now, struct account *owner, const struct command *c,
                     const struct request *r, struct batch *b)
{
    bool sweep = c->sweep.cells > 0;
    struct job *j;

    if (sweep && !make_cells(h, now, owner, c, r, b)) return false;
    j = make_job(h, now, owner, &c->spec, b);
    if (!j) return false;
    memccpy(j->key, c->key, '\0', sizeof j->key - 1);
    j->held = !sweep && c->hold;
    j->leave.unwatched_ms = c->unwatched_ms;
    if (!sweep) set_plan(j, r, 0);
    if (sweep && !make_sweep(c, r, b)) return false;
    for (int i = 0; i < b->n; i++) {
        b->job[i]->private = c->private;
        sources_hold(h, b->job[i]);
        if (!post_accepted(b->job[i])) return false;
    }
    return true;
}

/* Into the table and the queue. */
static void add_all(struct hub *h, int64_t now, const struct batch *b)
{
    for (int i = 0; i < b->n; i++) {
        struct job *j = b->job[i];

        j->order = j->rank = ++h->last_order;
        lifecycle_add(h, j);
        if (!j->held && !j->sweep) lanes_join(&h->lanes, &h->queue, j);
    }
    if (b->n > 1)
        forecast_added_some(h, now);
    else if (!b->job[0]->held)
        forecast_added(h, now, b->job[0]);
    notify_touch(h);
}

/* Those that the client leaves open. With a kept composition the noise is always chosen, as without
 * a seed of its own it would be the earlier picture's. */
static void pick_seeds(struct hub *h, struct command *c)
{
    struct spec *s = &c->spec;

    if (s->seed == SPEC_SEED_PICK) s->seed = (int64_t)(h->out.random(h->out.arg) >> 32);
    if (s->noise_seed == SPEC_SEED_PICK
        && (s->prior_from || sweep_counts(&c->sweep, SPEC_NOISE_SEED)))
        s->noise_seed = (int64_t)(h->out.random(h->out.arg) >> 32);
    if (c->sweep.cells == 0) spec_seeds(s);
}

struct job *acceptance_begin(struct hub *h, int64_t now, struct account *owner, struct command *c,
                             const uint8_t *digest, const struct request *r)
{
    struct hub_row rows[LIMIT_CELLS + 1];
    struct batch b = {.n = 0};
    struct job *j;

    if (queue_reserve(&h->queue, h->registry.n + r->n + 1) != 0) return NULL;
    pick_seeds(h, c);
    if (!make_all(h, now, owner, c, r, &b)) {
        while (b.n > 0)
            job_free(b.job[--b.n]);
        return NULL;
    }
    j = b.job[b.n - 1];
    memcpy(j->digest, digest, sizeof j->digest);
    add_all(h, now, &b);
    for (int i = 0; i < b.n; i++)
        rows[i] = lifecycle_row(b.job[i]);
    if (*c->webhook) rows[b.n - 1].webhook = c->webhook;
    h->n_storing++;
    h->out.store_accept(h->out.arg, rows, b.n);
    return j;
}

void acceptance_reply(struct hub *h, int64_t now, const struct job *j, struct pending_reply *a,
                      bool watch, const struct command *found)
{
    uint64_t seq = j->board.at[EVENT_ACCEPTED], cells[LIMIT_CELLS];
    const struct job *last = j->sweep ? sweeps_last(j) : j;
    struct event e = {.kind = EVENT_ACCEPTED,
                      .u.accepted = {.spec = &j->spec,
                                     .key = found ? found->key : j->key,
                                     .private = j->private,
                                     .created_ms = j->created_ms,
                                     .sweep = job_sweep(j, cells),
                                     .cached = found != NULL}};
    struct forecast_times times;
    struct text t;

    assert(seq > 0);
    a->job = j->id;
    a->seq = seq;
    a->act = watch ? REPLY_JOIN : REPLY_NONE;
    if (!job_over(j) && last && last->forecast.end_us > now) {
        forecast_job(h, now, last, &times);
        e.u.accepted.eta_ms = times.eta_ms;
        e.u.accepted.eta_lo_ms = times.lo_ms;
        e.u.accepted.eta_hi_ms = times.hi_ms;
    }
    text_init(&t, BLOB_HEAD, LIMIT_OUTBOX_BYTES);
    event_encode(&e, j->id, seq, a->ref, &t);
    client_reply_ready(&h->clients, a, blob_from_text(&t));
    text_free(&t);
}

/* They wait from now on, with times as of now. */
static void begin_cells(struct hub *h, int64_t now, struct job *p)
{
    for (int i = 0; i < p->sweep->n; i++)
        lifecycle_wait(h, now, p->sweep->cell[i].job);
    for (int i = 0; i < p->sweep->n; i++)
        if (!p->sweep->cell[i].job->held) forecast_accepted(h, now, p->sweep->cell[i].job);
    sweeps_begin(h, p);
}

static void end_early(struct hub *h, struct job *p)
{
    for (int i = 0; i < p->sweep->n; i++)
        if (p->sweep->cell[i].job->end.early)
            lifecycle_end(h, p->sweep->cell[i].job, JOB_CANCELLED, NULL);
}

static void accepted(struct hub *h, int64_t now, struct job *j)
{
    if (j->sweep)
        begin_cells(h, now, j);
    else
        lifecycle_wait(h, now, j);
    if (!j->held && !j->sweep) forecast_accepted(h, now, j);
    for (struct pending_reply *a = client_waiters(j), *next; a; a = next) {
        next = a->waiter_next;
        acceptance_reply(h, now, j, a, a->wanted, NULL);
    }
    if (j->sweep) end_early(h, j);
    if (j->end.early) lifecycle_end(h, j, JOB_CANCELLED, NULL);
}

static void forget(struct hub *h, struct job *j)
{
    if (!j->held && !j->sweep) lanes_leave(&h->lanes, &h->queue, j);
    lifecycle_forget(h, j);
}

/* The disk did not take the rows: answer the submits with the error and forget the jobs. */
static void refused(struct hub *h, struct job *j, const struct fail *why)
{
    for (struct pending_reply *a = client_waiters(j), *next; a; a = next) {
        struct text t;

        next = a->waiter_next;
        a->job = 0;
        text_init(&t, BLOB_HEAD, LIMIT_OUTBOX_BYTES);
        answer_error(a->ref, COMMAND_SUBMIT, 0, why, &t);
        client_reply_ready(&h->clients, a, blob_from_text(&t));
        text_free(&t);
    }
    for (int i = 0; j->sweep && i < j->sweep->n; i++)
        forget(h, j->sweep->cell[i].job);
    forget(h, j);
    notify_touch(h);
}

void acceptance_stored(struct hub *h, int64_t now, struct job *j, const struct fail *why)
{
    assert(j->state == JOB_ADMIT);
    if (why)
        refused(h, j, why);
    else
        accepted(h, now, j);
}
