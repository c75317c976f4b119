/* report - the answers to `list`, `job`, `users` and `log`, and the statistics. */
#include "server/core/report.h"

#include "server/core/capacity.h"
#include "server/core/notify.h"
#include "server/core/phases.h"
#include "server/core/private.h"

#include "proto/answer.h"

#include <assert.h>
#include <stdio.h>

struct listing {
    struct answer_job job[LIMIT_LIST];
    struct event_result result[LIMIT_LIST];
    char url[LIMIT_LIST][URL_TEXT];
    struct spec spec[LIMIT_LIST]; /* of private jobs: without the prompt */
    int n;
};

/* An administrator is told whose job it is, when it is another's. */
static void name_owner(const struct account *a, struct answer_job *row, const struct job *j)
{
    if (a->user.role == ROLE_ADMIN && j->owner != a && j->owner->user.name[0])
        row->user = j->owner->user.name;
}

/* What its owner alone may see. */
static void hide(struct listing *r, struct answer_job *row)
{
    static char nothing[] = "";
    struct spec *spec = &r->spec[row - r->job];

    *spec = *row->spec;
    spec->prompt = nothing;
    row->spec = spec;
    row->key = "";
    row->result = NULL;
    row->error = NULL;
}

/* What a guest has no use for. */
static void hide_from(const struct client *p, struct answer_job *row)
{
    if (p->account->user.role != ROLE_GUEST) return;
    row->key = "";
    row->shared_until_ms = 0;
}

/* Does a list that is asked for like this hold it? Guests of one cell do not see its sweep. */
static bool lists(const struct client *p, const struct command *c, const struct job *j)
{
    if (j->state == JOB_ADMIT || (c->state >= 0 && (int)job_public(j) != c->state)) return false;
    if (!client_sees(p, j)) return false;
    if (c->shared) return j->guests.until_ms != 0;
    return j->place.parent == c->parent || (!c->parent && j->id == p->shared);
}

static void add_row(const struct hub *h, int64_t now, struct listing *r, const struct job *j)
{
    struct answer_job *row = &r->job[r->n];
    struct event_result *result = &r->result[r->n];

    assert(r->n < LIMIT_LIST);
    *row = (struct answer_job){.job = j->id,
                               .state = job_public(j),
                               .created_ms = j->created_ms,
                               .eta_ms = notify_eta_ms(now, j->forecast.end_us),
                               .overall = j->run.overall,
                               .spec = &j->spec,
                               .why = -1,
                               .device = -1,
                               .key = j->key,
                               .favourite = j->favourite,
                               .private = j->private,
                               .shared_until_ms = j->guests.until_ms,
                               .sweep.place = &j->place,
                               .counts = j->sweep ? &j->sweep->counts : NULL};
    row->phase = j->run.view.phase < GLM_DONE ? phases_wire(j->run.view.phase) : PHASE_DECODE;
    if (j->state == JOB_QUEUED && !j->held)
        row->position = j->sweep ? j->forecast.sent_place : queue_place(&h->queue, j);
    if (j->state == JOB_FAILED) row->error = &j->end.error;
    if (j->state == JOB_DONE && !j->sweep) {
        *result = job_result(j, r->url[r->n]);
        row->result = result;
    }
    r->n++;
}

struct blob *report_list(const struct hub *h, int64_t now, const struct client *p,
                         const struct job *from, const struct command *c, const char *ref)
{
    struct listing rows;
    const struct job *j = from;
    struct text t;
    struct blob *b;

    assert(c->limit >= 0 && c->limit <= LIMIT_LIST);
    rows.n = 0;
    for (; j; j = j->links.older) {
        if (!lists(p, c, j)) continue;
        if (rows.n == c->limit) break;
        add_row(h, now, &rows, j);
        if (!private_open(p->account, j)) hide(&rows, &rows.job[rows.n - 1]);
        hide_from(p, &rows.job[rows.n - 1]);
        name_owner(p->account, &rows.job[rows.n - 1], j);
    }
    text_init(&t, BLOB_HEAD, LIMIT_OUTBOX_BYTES);
    answer_list(ref, rows.job, rows.n, j != NULL, &t);
    b = blob_from_text(&t);
    text_free(&t);
    return b;
}

struct blob *report_job(const struct hub *h, int64_t now, const struct client *p,
                        const struct job *j, const char *ref)
{
    struct listing rows;
    uint64_t cells[LIMIT_CELLS];
    struct text t;
    struct blob *b;

    rows.n = 0;
    add_row(h, now, &rows, j);
    rows.job[0].sweep = job_sweep(j, cells);
    hide_from(p, &rows.job[0]);
    name_owner(p->account, &rows.job[0], j);
    text_init(&t, BLOB_HEAD, LIMIT_OUTBOX_BYTES);
    answer_job(ref, &rows.job[0], &t);
    b = blob_from_text(&t);
    text_free(&t);
    return b;
}

/* As others see it in the queue: what it costs and where it stands, not whose or which it is. */
static void add_place(const struct hub *h, int64_t now, struct listing *r, const struct account *a,
                      const struct job *j)
{
    struct answer_job *row = &r->job[r->n];

    add_row(h, now, r, j);
    row->start_ms = notify_eta_ms(now, j->forecast.start_us);
    row->eta_lo_ms = notify_eta_ms(now, j->forecast.sent_lo_us);
    row->eta_hi_ms = notify_eta_ms(now, j->forecast.sent_hi_us);
    row->why = j->forecast.sent_why;
    if (j->run.device && h->devices.n > 1) row->device = j->run.device->index;
    name_owner(a, row, j);
    if (!account_sees(a, j->owner)) row->job = 0;
}

struct blob *report_stats(const struct hub *h, int64_t now, const struct account *a,
                          const char *ref)
{
    struct listing rows;
    struct concurrency concurrency;
    struct answer_stats s = {.running = h->in[JOB_RUNNING],
                             .queued = h->in[JOB_QUEUED] - h->n_held,
                             .done = h->stats.done,
                             .failed = h->stats.failed,
                             .cancelled = h->stats.cancelled,
                             .concurrency = &concurrency,
                             .tokens_per_s = stats_rate(&h->stats, GLM_PRIOR),
                             .steps_per_s = stats_rate(&h->stats, GLM_DENOISE),
                             .pictures_per_min = stats_pictures(&h->stats, now),
                             .held = a->held,
                             .used_ms = recent_sum(&a->used, now) / 1000,
                             .used_all_ms = recent_sum(&h->stats.used, now) / 1000,
                             .window_ms = RECENT_US / 1000,
                             .jobs = rows.job};
    struct text t;
    struct blob *b;

    capacity_tell(h, &concurrency);
    rows.n = 0;
    for (int k = 0; k < h->devices.n; k++)
        for (int i = 0; i < h->devices.at[k].n_resident; i++)
            if (h->devices.at[k].resident[i]->state == JOB_RUNNING)
                add_place(h, now, &rows, a, h->devices.at[k].resident[i]);
    for (int i = 0; i < h->queue.n && rows.n < LIMIT_LIST; i++)
        if (h->queue.at[i]->state == JOB_QUEUED) add_place(h, now, &rows, a, h->queue.at[i]);
    s.n_jobs = s.running + s.queued;
    text_init(&t, BLOB_HEAD, LIMIT_OUTBOX_BYTES);
    answer_stats(ref, &s, &t);
    b = blob_from_text(&t);
    text_free(&t);
    return b;
}

struct blob *report_users(const struct hub *h, int64_t now, const char *ref)
{
    struct answer_person person[LIMIT_LIST];
    struct answer_users users = {.person = person, .window_ms = RECENT_US / 1000};
    struct text t;
    struct blob *b;

    for (int i = 1; i < h->accounts.n; i++) {
        const struct account *a = h->accounts.at[i];

        if (a->gone) continue;
        if (users.n == LIMIT_LIST) {
            users.more++;
            continue;
        }
        person[users.n++] = (struct answer_person){.user = &a->user,
                                                   .waiting = a->waiting,
                                                   .held = a->held,
                                                   .running = a->running,
                                                   .connections = a->clients,
                                                   .used_ms = recent_sum(&a->used, now) / 1000};
    }
    text_init(&t, BLOB_HEAD, LIMIT_OUTBOX_BYTES);
    answer_users(ref, &users, &t);
    b = blob_from_text(&t);
    text_free(&t);
    return b;
}

struct blob *report_log(const struct hub *h, const struct command *c, const char *ref)
{
    struct answer_line line[LIMIT_LIST];
    struct text t;
    struct blob *b;
    int n;

    assert(c->limit > 0 && c->limit <= LIMIT_LIST);
    n = h->out.log(h->out.arg, c->seq, line, c->limit);
    assert(n >= 0 && n <= c->limit);
    text_init(&t, BLOB_HEAD, LIMIT_OUTBOX_BYTES);
    answer_log(ref, line, n, &t);
    b = blob_from_text(&t);
    text_free(&t);
    return b;
}

void report_push(struct hub *h, int64_t now)
{
    uint64_t seq = h->stats_seq + 1;

    for (const struct client *p = h->clients.first; p; p = p->next) {
        struct account *a = p->account;
        struct blob *b;

        if (!p->stats || a->stats_seq == seq) continue;
        b = report_stats(h, now, a, NULL);
        if (!b) continue;
        blob_unref(a->stats);
        a->stats = b;
        a->stats_seq = seq;
        h->stats_seq = seq;
    }
    clients_stats(&h->clients, h->stats_seq);
}
