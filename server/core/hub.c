/* hub - the heart of the service, from outside in: connections, restart, timer. */
#include "server/core/core.h"

#include "proto/url.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* FLOPs a second of a small CPU, until the first quantum says better. */
static const double RATE_GUESS = 2e10;

/* --- life ----------------------------------------------------------------------------------------- */

static struct job *peers_find(void *arg, uint64_t id)
{
    struct hub *h = arg;

    return shelf_find(&h->shelf, id);
}

static void peers_wake(void *arg, void *session)
{
    struct hub *h = arg;

    h->out.wake(h->out.arg, session);
}

static void peers_followed(void *arg, struct job *j)
{
    crew_followed(arg, j);
}

int hub_new(struct hub **out, const struct hub_conf *conf, const struct hub_out *callbacks)
{
    struct hub *h = calloc(1, sizeof *h);

    *out = h;
    if (!h) return ERR_OUT_OF_MEMORY;
    h->conf = *conf;
    h->out = *callbacks;
    shelf_init(&h->shelf, h->out.random(h->out.arg), conf->kept);
    sched_init(&h->queue);
    eta_init(&h->eta, RATE_GUESS);
    h->tally.done = conf->done;
    h->tally.failed = conf->failed;
    h->tally.cancelled = conf->cancelled;
    h->peers = (struct peers){.due = INT64_MAX,
                              .find = peers_find,
                              .wake = peers_wake,
                              .followed = peers_followed,
                              .arg = h};
    h->again_us = INT64_MAX;
    h->pushed_us = INT64_MIN / 2;
    crew_init(h);
    return 0;
}

void hub_free(struct hub *h)
{
    if (!h) return;
    while (h->peers.first)
        peer_close(&h->peers, h->peers.first);
    for (struct job *j = h->shelf.newest; j; j = j->older)
        j->crew = NULL;
    shelf_free(&h->shelf);
    sched_free(&h->queue);
    blob_unref(h->stats);
    free(h->items);
    free(h);
}

/* --- restart -------------------------------------------------------------------------------------- */

static enum job_state outcome_of(enum event_state s)
{
    return s == STATE_DONE ? JOB_DONE : s == STATE_CANCELLED ? JOB_CANCELLED : JOB_FAILED;
}

/* Its last events under their old numbers, and the moves that led there. */
static int restore_end(struct hub *h, struct job *j, const struct hub_row *r)
{
    char url[URL_TEXT];
    struct event end = {.kind = EVENT_END, .u.end = {r->state, r->error}};
    struct event result = {.kind = EVENT_RESULT,
                           .u.result = {url, r->result_digest, r->spec->width, r->spec->height,
                                        r->spec->seed, (double)r->result_us / 1e6,
                                        r->result_bytes}};

    if (r->state == STATE_DONE) {
        url_picture(r->result_digest, url);
        memccpy(j->result_digest, r->result_digest, '\0', sizeof j->result_digest - 1);
        j->result_bytes = r->result_bytes;
        j->spent_us = r->result_us;
        if (board_restore(&j->board, &result, r->result_seq) != 0) return ERR_OUT_OF_MEMORY;
    }
    if (r->error) j->error = *r->error;
    if (board_restore(&j->board, &end, r->end_seq) != 0) return ERR_OUT_OF_MEMORY;
    j->outcome = outcome_of(r->state);
    life_move(h, j, MOVE_STORED);
    life_move(h, j, MOVE_END);
    life_move(h, j,
              j->outcome == JOB_DONE     ? MOVE_DONE
              : j->outcome == JOB_FAILED ? MOVE_FAILED
                                         : MOVE_CANCELLED);
    shelf_over(&h->shelf, j);
    return 0;
}

static struct job *restore_job(struct hub *h, const struct hub_row *r)
{
    struct spec spec;
    struct job *j;
    struct event accepted;

    if (spec_copy(&spec, r->spec) != 0) return NULL;
    j = job_new(r->job, &spec, h->conf.boot << 32);
    if (!j) {
        spec_free(&spec);
        return NULL;
    }
    memccpy(j->key, r->key, '\0', sizeof j->key - 1);
    memcpy(j->digest, r->digest, sizeof j->digest);
    j->created_ms = r->created_ms;
    j->order = r->order;
    accepted =
        (struct event){.kind = EVENT_ACCEPTED, .u.accepted = {&j->spec, j->key, j->created_ms}};
    if (board_restore(&j->board, &accepted, r->accepted_seq) == 0) return j;
    job_free(j);
    return NULL;
}

int hub_restore(struct hub *h, int64_t now, const struct hub_row *r, struct fail *f)
{
    struct job *j;

    if (r->order <= h->last_order || shelf_find(&h->shelf, r->job))
        return fail_set(f, ERR_IO, "the stored job %016llx is out of order",
                        (unsigned long long)r->job);
    if (sched_reserve(&h->queue, h->shelf.n + 1) != 0 || !(j = restore_job(h, r)))
        return fail_set(f, ERR_OUT_OF_MEMORY, "no memory for the stored jobs");
    h->last_order = r->order;
    shelf_add(&h->shelf, j);
    h->in[JOB_ADMIT]++;
    if (r->state == STATE_DONE || r->state == STATE_FAILED || r->state == STATE_CANCELLED) {
        if (restore_end(h, j, r) == 0) return 0;
        return fail_set(f, ERR_OUT_OF_MEMORY, "no memory for the stored jobs");
    }
    life_move(h, j, MOVE_STORED);
    sched_add(&h->queue, j);
    h->planning = true;
    push_queue_new(h, now, j);
    return 0;
}

/* --- time ----------------------------------------------------------------------------------------- */

int64_t hub_unix_ms(const struct hub *h, int64_t now)
{
    return h->conf.unix_ms + now / 1000;
}

void hub_post(struct hub *h, int64_t now, struct job *j, const struct event *e)
{
    if (board_post(&j->board, e)) peers_posted(&h->peers, j, now);
}

void hub_settle(struct hub *h, int64_t now)
{
    tally_begin(&h->tally, now);
    crew_fill(h, now);
    push_due(h, now);
}

void hub_tick(struct hub *h, int64_t now)
{
    life_again(h, now);
    crew_plan_some(h);
    crew_watch(h, now);
    peers_tick(&h->peers, now);
    hub_settle(h, now);
}

int64_t hub_due(const struct hub *h)
{
    int64_t due = h->again_us;

    if (push_time(h) < due) due = push_time(h);
    if (crew_due(h) < due) due = crew_due(h);
    if (h->peers.due < due) due = h->peers.due;
    return due;
}

void hub_drain(struct hub *h, int64_t now)
{
    if (h->stopping) return;
    h->stopping = true;
    for (int k = 0; k < h->n_crew; k++)
        for (int i = 0; i < h->crew[k].n_resident; i++)
            if (h->crew[k].resident[i]->state == JOB_RUNNING)
                life_put_back(h, now, h->crew[k].resident[i]);
    push_touch(h);
    h->pushed_us = INT64_MIN / 2; /* the last word is not held back */
    hub_settle(h, now);
}

bool hub_idle(const struct hub *h)
{
    return crew_residents(h) == 0 && h->n_encoding == 0 && h->n_storing == 0;
}

/* --- connections ---------------------------------------------------------------------------------- */

struct peer *hub_open(struct hub *h, void *session)
{
    return peer_open(&h->peers, session);
}

void hub_close(struct hub *h, struct peer *p)
{
    peer_close(&h->peers, p);
}

struct blob *hub_next(struct hub *h, int64_t now, struct peer *p, bool *binary)
{
    return peer_next(&h->peers, p, now, h->stats, h->stats_seq, binary);
}

size_t hub_backlog(const struct peer *p)
{
    return peer_backlog(p);
}

/* --- for others to see ---------------------------------------------------------------------------- */

void hub_counts(const struct hub *h, struct hub_counts *out)
{
    *out = (struct hub_counts){.ready = crew_ready(h),
                               .stopping = h->stopping,
                               .cap = crew_cap(h),
                               .running = h->in[JOB_RUNNING],
                               .queued = h->in[JOB_QUEUED],
                               .done = h->tally.done,
                               .failed = h->tally.failed,
                               .cancelled = h->tally.cancelled};
}

const char *hub_why_cap(const struct hub *h)
{
    return h->why_cap;
}
