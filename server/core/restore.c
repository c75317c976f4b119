/* restore - makes the jobs of earlier runs of the server from their rows. */
#include "server/core/restore.h"

#include "server/core/abandon.h"
#include "server/core/lifecycle.h"
#include "server/core/sources.h"
#include "server/core/sweeps.h"

#include "proto/url.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* Its cells, which are older and stand in the table already. False: no memory, or damaged. */
static bool restore_cells(struct hub *h, struct job *p, const struct hub_row *r)
{
    struct cell cells[LIMIT_CELLS];
    int n = cells_parse(r->cells, cells);
    bool over = r->state != STATE_QUEUED;

    if (n < 1 || sweeps_make(p, r->sweep, cells, n) != 0) return false;
    for (int i = 0; i < n; i++) {
        struct job *j = registry_find(&h->registry, cells[i].job);

        if (over) sweeps_recall(p, i);
        if (j && over) j->unnoted = false;
        if (!over) p->sweep->cell[i].kept.state = p->sweep->cell[i].sent = -1;
        if (j && !over) sweeps_own(p, i, j);
    }
    return true;
}

static enum job_state outcome_of(enum event_state s)
{
    return s == STATE_DONE ? JOB_DONE : s == STATE_CANCELLED ? JOB_CANCELLED : JOB_FAILED;
}

/* Its last events under their old numbers, and the moves that led there. */
static int restore_end(struct hub *h, struct job *j, const struct hub_row *r)
{
    char url[URL_TEXT];
    struct event end = {.kind = EVENT_END,
                        .u.end = {.state = r->state,
                                  .error = r->error,
                                  .counts = j->sweep ? &j->sweep->counts : NULL,
                                  .cells = r->cells}};
    struct event result = {.kind = EVENT_RESULT,
                           .u.result = {url, r->result_digest, r->spec->width, r->spec->height,
                                        r->spec->seed, (double)r->result_us / 1e6, r->result_bytes,
                                        r->steps}};

    assert(r->end_seq > 0);
    if (r->state == STATE_DONE && !j->sweep) {
        url_picture(r->result_digest, url);
        memccpy(j->end.digest, r->result_digest, '\0', sizeof j->end.digest - 1);
        j->end.bytes = r->result_bytes;
        j->end.steps = r->steps;
        j->end.kept = r->kept;
        j->run.spent_us = r->result_us;
        job_identify(j, r->model);
        if (board_restore(&j->board, &result, r->result_seq) != 0) return ERR_OUT_OF_MEMORY;
    }
    if (r->error) j->end.error = *r->error;
    if (board_restore(&j->board, &end, r->end_seq) != 0) return ERR_OUT_OF_MEMORY;
    j->end.outcome = outcome_of(r->state);
    lifecycle_move(h, j, MOVE_STORED);
    lifecycle_move(h, j, MOVE_END);
    lifecycle_move(h, j,
                   j->end.outcome == JOB_DONE     ? MOVE_DONE
                   : j->end.outcome == JOB_FAILED ? MOVE_FAILED
                                                  : MOVE_CANCELLED);
    registry_over(&h->registry, j);
    return 0;
}

static struct job *restore_job(struct hub *h, const struct hub_row *r)
{
    struct account *owner = accounts_owner(&h->accounts, r->owner);
    uint64_t cells[LIMIT_CELLS];
    struct spec spec;
    struct job *j;
    struct event accepted;

    if (!owner || spec_copy(&spec, r->spec) != 0) return NULL;
    j = job_new(r->job, owner, &spec, h->conf.boot << 32);
    if (!j) {
        spec_free(&spec);
        return NULL;
    }
    if (r->state == STATE_QUEUED) sources_restore(h, j);
    memccpy(j->key, r->key, '\0', sizeof j->key - 1);
    memcpy(j->digest, r->digest, sizeof j->digest);
    j->created_ms = r->created_ms;
    j->order = r->order;
    j->rank = r->rank ? r->rank : r->order;
    j->held = r->held;
    j->favourite = r->favourite;
    j->guests.until_ms = j->guests.disk_ms = r->shared_ms;
    memcpy(j->guests.hash, r->share, sizeof j->guests.hash);
    memcpy(j->guests.disk_hash, r->share, sizeof j->guests.disk_hash);
    if (r->shared_ms) h->share_us = INT64_MIN;
    j->steps = r->steps;
    j->leave.unwatched_ms = r->unwatched_ms;
    j->place = r->place;
    j->unnoted = r->place.parent != 0;
    if (r->sweep && !restore_cells(h, j, r)) {
        job_free(j);
        return NULL;
    }
    accepted = (struct event){.kind = EVENT_ACCEPTED,
                              .u.accepted = {.spec = &j->spec,
                                             .key = j->key,
                                             .created_ms = j->created_ms,
                                             .sweep = job_sweep(j, cells)}};
    if (board_restore(&j->board, &accepted, r->accepted_seq) == 0) return j;
    job_free(j);
    return NULL;
}

int restore_row(struct hub *h, int64_t now, const struct hub_row *r, struct fail *f)
{
    struct job *j;

    if (r->order <= h->last_order || registry_find(&h->registry, r->job))
        return fail_set(f, ERR_IO, "the stored job %016llx is out of order",
                        (unsigned long long)r->job);
    if (queue_reserve(&h->queue, h->registry.n + 1) != 0 || !(j = restore_job(h, r)))
        return fail_set(f, ERR_OUT_OF_MEMORY, "no memory for the stored jobs");
    h->last_order = r->order;
    lifecycle_add(h, j);
    if (r->state == STATE_DONE || r->state == STATE_FAILED || r->state == STATE_CANCELLED) {
        if (restore_end(h, j, r) == 0) return 0;
        return fail_set(f, ERR_OUT_OF_MEMORY, "no memory for the stored jobs");
    }
    abandon_changed(h, j);
    if (j->sweep) {
        sweeps_begin(h, j);
        return 0;
    }
    if (!j->held) lanes_join(&h->lanes, &h->queue, j);
    if (!j->held && j->rank != j->order) lanes_ranked(&h->lanes, j);
    lifecycle_wait(h, now, j);
    if (j->owner->gone && r->owner != USER_NONE) lifecycle_end(h, j, JOB_CANCELLED, NULL);
    return 0;
}

int restore_forgotten(struct hub *h, const struct hub_row *r)
{
    const struct job *sweep = r->place.parent ? registry_find(&h->registry, r->place.parent) : NULL;
    enum job_state state = outcome_of(r->state);
    struct job *j;

    if (registry_find(&h->registry, r->job) || (sweep && !job_over(sweep))) return ERR_CONFLICT;
    j = restore_job(h, r);
    if (!j) return ERR_OUT_OF_MEMORY;
    j->unnoted = false;
    lifecycle_recall(h, j);
    if (restore_end(h, j, r) != 0) {
        lifecycle_forget(h, registry_find(&h->registry, r->job));
        return ERR_OUT_OF_MEMORY;
    }
    if (!r->sweep) h->in[state]--; /* it was counted when it ended */
    return 0;
}
