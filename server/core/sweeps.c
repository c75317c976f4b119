/* sweeps - what the jobs of a sweep's cells come to, told as one. */
#include "server/core/sweeps.h"

#include "server/core/forecast.h"
#include "server/core/lifecycle.h"
#include "server/core/notify.h"

#include "proto/url.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- made and found --------------------------------------------------------------------------- */

/* What its row holds of its cells, anew. */
static int write_kept(struct job *p)
{
    struct job_sweep *s = p->sweep;
    struct cell cells[LIMIT_CELLS];
    struct text t;
    size_t len;
    char *kept;

    for (int i = 0; i < s->n; i++)
        cells[i] = s->cell[i].kept;
    text_init(&t, 0, LIMIT_OUTBOX_BYTES);
    cells_write(cells, s->n, &t);
    kept = text_take(&t, &len);
    if (!kept) return ERR_OUT_OF_MEMORY;
    free(s->kept);
    s->kept = kept;
    return 0;
}

int sweeps_make(struct job *p, const char *axes, const struct cell *cells, int n)
{
    struct job_sweep *s = calloc(1, sizeof *s + (size_t)n * sizeof s->cell[0]);

    assert(n >= 1 && n <= LIMIT_CELLS && !p->sweep);
    if (!s) return ERR_OUT_OF_MEMORY;
    p->sweep = s;
    s->n = s->counts.cells = n;
    s->axes = strdup(axes);
    for (int i = 0; i < n; i++)
        s->cell[i] = (struct job_cell){.kept = cells[i], .sent = STATE_QUEUED};
    if (!s->axes || board_cells(&p->board, n) != 0) return ERR_OUT_OF_MEMORY;
    return write_kept(p);
}

void sweeps_own(struct job *p, int cell, struct job *j)
{
    assert(cell < p->sweep->n && p->sweep->cell[cell].kept.job == j->id);
    p->sweep->cell[cell].job = j;
    j->parent = p;
    j->unnoted = true;
}

void sweeps_begin(struct hub *h, struct job *p)
{
    struct job_sweep *s = p->sweep;

    assert(p->state == JOB_ADMIT && !s->next && !s->prev);
    lifecycle_move(h, p, MOVE_STORED);
    s->next = h->sweeps;
    if (h->sweeps) h->sweeps->sweep->prev = p;
    h->sweeps = p;
    s->touched = h->sweeps_touched = true;
}

static void leave(struct hub *h, struct job *p)
{
    struct job_sweep *s = p->sweep;

    *(s->prev ? &s->prev->sweep->next : &h->sweeps) = s->next;
    if (s->next) s->next->sweep->prev = s->prev;
    s->next = s->prev = NULL;
}

/* --- noting ----------------------------------------------------------------------------------- */

static int *count_of(struct event_counts *c, int state)
{
    return state == STATE_DONE ? &c->done : state == STATE_FAILED ? &c->failed : &c->cancelled;
}

static bool post_cell(struct hub *h, int64_t now, struct job *p, int i, const struct job *j)
{
    char url[URL_TEXT];
    struct event_result result;
    struct event e = {.kind = EVENT_CELL, .u.cell = {.cell = i, .state = job_public(j)}};

    if (j->state == JOB_DONE) {
        result = job_result(j, url);
        e.u.cell.result = &result;
    }
    if (j->state == JOB_FAILED) e.u.cell.error = &j->end.error;
    notify_post(h, now, p, &e);
    return p->board.cell[i].at == p->board.seq;
}

/* One more is over. It keeps its place in the list of jobs for as long as others do. */
static void note_end(struct job *p, int i)
{
    struct job_sweep *s = p->sweep;
    struct job *j = s->cell[i].job;
    struct cell *kept = &s->cell[i].kept;

    kept->state = (int)job_public(j);
    memcpy(kept->digest, j->end.digest, sizeof kept->digest);
    if (s->counts.failed == 0 && kept->state == STATE_FAILED) p->end.error = j->end.error;
    (*count_of(&s->counts, kept->state))++;
    s->cell[i].job = j->parent = NULL;
    j->unnoted = false;
}

void sweeps_recall(struct job *p, int cell)
{
    const struct cell *kept = &p->sweep->cell[cell].kept;

    (*count_of(&p->sweep->counts, kept->state < 0 ? STATE_CANCELLED : kept->state))++;
}

/* A cell whose row was lost: it was accepted, and did not end well. */
static void note_lost(struct job *p, int i)
{
    p->sweep->cell[i].kept.state = STATE_FAILED;
    if (p->sweep->counts.failed++ == 0)
        fail_set(&p->end.error, ERR_INTERNAL, "The row of cell %d is missing on the disk", i);
}

static void note_cells(struct hub *h, int64_t now, struct job *p)
{
    struct job_sweep *s = p->sweep;

    s->touched = false;
    for (int i = 0; i < s->n; i++) {
        struct job_cell *c = &s->cell[i];
        bool told = true;

        if (!c->job && c->kept.state < 0) note_lost(p, i);
        if (!c->job) continue;
        if (c->sent != (int)job_public(c->job)) told = post_cell(h, now, p, i, c->job);
        if (told) c->sent = (int)job_public(c->job);
        if (job_over(c->job))
            note_end(p, i);
        else
            s->touched |= !told;
    }
    h->sweeps_touched |= s->touched;
}

static int over(const struct job *p)
{
    const struct event_counts *c = &p->sweep->counts;

    return c->done + c->failed + c->cancelled;
}

/* --- places, times, progress ------------------------------------------------------------------ */

/* Its cell that starts next, and that one's place; NULL: none is in the queue. */
static const struct job *first_waiting(const struct hub *h, const struct job *p, int *place)
{
    const struct job *first = NULL;

    for (int i = 0; i < p->sweep->n; i++) {
        const struct job *j = p->sweep->cell[i].job;
        int at = j && j->state == JOB_QUEUED && !j->held ? queue_place(&h->queue, j) : 0;

        if (at == 0 || (first && at > *place)) continue;
        first = j;
        *place = at;
    }
    return first;
}

const struct job *sweeps_last(const struct job *p)
{
    const struct job *last = NULL;

    for (int i = 0; i < p->sweep->n; i++) {
        const struct job *j = p->sweep->cell[i].job;

        if (!j || j->state == JOB_SAVING || j->state == JOB_ENDING) continue;
        if (j->forecast.end_us < 0) return NULL;
        if (!last || j->forecast.end_us > last->forecast.end_us) last = j;
    }
    return last;
}

static double overall(const struct job *p)
{
    double all = 0, done = 0;

    for (int i = 0; i < p->sweep->n; i++) {
        const struct job_cell *c = &p->sweep->cell[i];

        all += c->kept.cost;
        done += c->kept.cost * (c->job ? c->job->run.overall : 1);
    }
    return done < all ? done / all : 1;
}

static void post_queue(struct hub *h, int64_t now, struct job *p, int place,
                       const struct job *first, const struct job *last)
{
    struct event e = {.kind = EVENT_QUEUE};
    struct forecast_times t = {-1, -1, -1, -1};

    if (last) forecast_job(h, now, last, &t);
    e.u.queue =
        (struct event_queue){.position = place,
                             .ahead = first ? first->forecast.sent_ahead : 0,
                             .start_ms = first ? notify_eta_ms(now, first->forecast.start_us) : -1,
                             .eta_ms = t.eta_ms,
                             .eta_lo_ms = t.lo_ms,
                             .eta_hi_ms = t.hi_ms,
                             .why = first ? (enum event_why)first->forecast.sent_why : WHY_HELD};
    if (e.u.queue.start_ms > t.eta_ms) e.u.queue.start_ms = t.eta_ms;
    p->forecast.sent_place = place;
    p->forecast.sent_ahead = e.u.queue.ahead;
    p->forecast.sent_why = (int)e.u.queue.why;
    p->forecast.sent_end_us = p->forecast.end_us;
    notify_post(h, now, p, &e);
}

/* While none has started: the place of the first, the end of the last. */
static void tell_place(struct hub *h, int64_t now, struct job *p)
{
    int place = 0;
    const struct job *first = first_waiting(h, p, &place), *last = sweeps_last(p);

    p->forecast.end_us = last ? last->forecast.end_us : -1;
    if (p->board.at[EVENT_QUEUE] && p->forecast.sent_place == place
        && (!first
            || (p->forecast.sent_ahead == first->forecast.sent_ahead
                && p->forecast.sent_why == first->forecast.sent_why && !forecast_moved(p, now))))
        return;
    if (first && first->forecast.sent_place == 0) return; /* it is told first */
    post_queue(h, now, p, place, first, last);
}

static void tell_progress(struct hub *h, int64_t now, struct job *p, bool pushed)
{
    const struct job *last = sweeps_last(p);
    double now_at = overall(p);
    bool moved = now_at > p->run.overall;
    struct event e = {.kind = EVENT_PROGRESS};

    p->forecast.end_us = last ? last->forecast.end_us : -1;
    if (moved) p->run.overall = now_at;
    if (p->board.at[EVENT_PROGRESS] && p->sweep->sent_over == over(p)
        && !(pushed && (moved || forecast_moved(p, now))))
        return;
    p->sweep->sent_over = over(p);
    p->forecast.sent_end_us = p->forecast.end_us;
    e.u.progress =
        (struct event_progress){.phase = PHASE_NONE,
                                .done = over(p),
                                .total = p->sweep->n,
                                .overall = p->run.overall,
                                .eta_ms = last ? notify_eta_ms(now, last->forecast.end_us) : -1};
    notify_post(h, now, p, &e);
}

/* --- begin and end ---------------------------------------------------------------------------- */

static bool has_begun(const struct job *p)
{
    for (int i = 0; i < p->sweep->n; i++) {
        const struct job *j = p->sweep->cell[i].job;

        if (!j || job_public(j) != STATE_QUEUED) return true;
    }
    return false;
}

static void start(struct hub *h, int64_t now, struct job *p)
{
    lifecycle_move(h, p, MOVE_START);
    board_clear(&p->board, EVENT_QUEUE);
    clients_posted(&h->clients, p, now);
}

/* Failed when a cell has, else cancelled when one was. */
static void end(struct hub *h, struct job *p)
{
    const struct event_counts *c = &p->sweep->counts;
    struct fail *why = &p->end.error;
    char first[sizeof why->message];

    if (write_kept(p) != 0) { /* at the next settling */
        p->sweep->touched = h->sweeps_touched = true;
        return;
    }
    snprintf(first, sizeof first, "%s", why->message);
    if (c->failed > 0)
        snprintf(why->message, sizeof why->message,
                 "%d of %d pictures failed, the first one: %.300s", c->failed, c->cells, first);
    leave(h, p);
    lifecycle_move(h, p, MOVE_END);
    p->end.outcome = c->failed > 0 ? JOB_FAILED : c->cancelled > 0 ? JOB_CANCELLED : JOB_DONE;
    lifecycle_store_end(h, p);
}

static void settle(struct hub *h, int64_t now, struct job *p, bool pushed)
{
    note_cells(h, now, p);
    if (over(p) == p->sweep->n) {
        end(h, p);
        return;
    }
    if (p->state == JOB_QUEUED && has_begun(p)) start(h, now, p);
    if (p->state == JOB_QUEUED)
        tell_place(h, now, p);
    else
        tell_progress(h, now, p, pushed);
}

void sweeps_settle(struct hub *h, int64_t now, bool pushed)
{
    if (!pushed && !h->sweeps_touched) return;
    h->sweeps_touched = false;
    for (struct job *p = h->sweeps, *next; p; p = next) {
        next = p->sweep->next;
        if (pushed || p->sweep->touched) settle(h, now, p, pushed);
    }
}

/* --- commands --------------------------------------------------------------------------------- */

int sweeps_cancel(struct hub *h, struct job *p)
{
    int n = 0;

    for (int i = 0; i < p->sweep->n; i++) {
        struct job *j = p->sweep->cell[i].job;

        if (!j || j->state >= JOB_ENDING || j->end.early) continue;
        lifecycle_cancel(h, j);
        n++;
    }
    return n;
}

int sweeps_hold(struct hub *h, int64_t now, struct job *p)
{
    int n = 0;

    for (int i = 0; i < p->sweep->n; i++) {
        struct job *j = p->sweep->cell[i].job;

        if (!j || j->state != JOB_QUEUED) continue;
        if (!j->held) lifecycle_hold(h, now, j);
        n++;
    }
    p->sweep->touched = h->sweeps_touched = true;
    return n;
}

int sweeps_release(struct hub *h, struct job *p)
{
    int n = 0;

    for (int i = 0; i < p->sweep->n; i++) {
        struct job *j = p->sweep->cell[i].job;

        if (!j || j->state != JOB_QUEUED) continue;
        if (j->held) lifecycle_release(h, j);
        n++;
    }
    p->sweep->touched = h->sweeps_touched = true;
    return n;
}
