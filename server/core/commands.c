/* commands - executes the commands of a connection and answers each exactly once. */
#include "server/core/commands.h"

#include "server/core/abandon.h"
#include "server/core/acceptance.h"
#include "server/core/capacity.h"
#include "server/core/forecast.h"
#include "server/core/lifecycle.h"
#include "server/core/notify.h"
#include "server/core/placing.h"
#include "server/core/reorder.h"
#include "server/core/report.h"

#include "proto/answer.h"

#include <assert.h>
#include <math.h>
#include <string.h>

static void reply(struct hub *h, struct pending_reply *a, struct text *t)
{
    client_reply_ready(&h->clients, a, blob_from_text(t));
    text_free(t);
}

static void begin(struct text *t)
{
    text_init(t, BLOB_HEAD, LIMIT_OUTBOX_BYTES);
}

static void reply_ok(struct hub *h, struct pending_reply *a, const struct command *c,
                     const struct job *j)
{
    struct text t;

    begin(&t);
    answer_ok(a->ref, (enum command_kind)c->kind, c->job, j ? (int)job_public(j) : -1, &t);
    reply(h, a, &t);
}

static void reply_error(struct hub *h, struct pending_reply *a, const struct command *c,
                        const struct fail *f)
{
    struct text t;

    a->act = REPLY_NONE;
    stats_refusal(&h->stats, f->code);
    begin(&t);
    answer_error(a->ref, c->kind, c->job, f, &t);
    reply(h, a, &t);
}

/* A job that this client may see; somebody else's does not exist for it. */
static struct job *find_job(const struct hub *h, const struct client *p, uint64_t id)
{
    struct job *j = lifecycle_find(h, id);

    return j && account_sees(p->account, j->owner) ? j : NULL;
}

static void reply_unknown(struct hub *h, struct pending_reply *a, const struct command *c)
{
    struct fail f;

    fail_field(&f, ERR_NOT_FOUND, "job", "There is no such job");
    fail_advise(&f, "Only the newest jobs are remembered; `list` says which.");
    reply_error(h, a, c, &f);
}

/* --- submit ----------------------------------------------------------------------------------- */

/* Whether the queue takes one more; what can start at once does not count as waiting. */
static int check_room(struct hub *h, int64_t now, struct fail *f)
{
    int waiting = h->in[JOB_QUEUED] + h->in[JOB_ADMIT];
    int cap = capacity_cap(h), on = devices_residents(&h->devices);
    int at_once = devices_ready(&h->devices) && cap > on ? cap - on : 0;

    if (waiting < h->conf.queue_max + at_once) return 0;
    fail_set(f, ERR_QUEUE_FULL, "%d jobs wait, which is as many as this server keeps", waiting);
    f->retry_after_ms = forecast_retry_ms(h, now);
    return ERR_QUEUE_FULL;
}

/* Whether its owner may have one more wait. */
static int check_waiting(const struct hub *h, int64_t now, const struct account *a, struct fail *f)
{
    if (a->user.waiting == 0 || a->waiting < a->user.waiting) return 0;
    fail_set(f, ERR_RATE_LIMITED, "%d of your jobs wait, which is as many as you may have",
             a->waiting);
    fail_advise(f, "Wait for one of them, or cancel one.");
    f->retry_after_ms = forecast_free_ms(h, now, a);
    return ERR_RATE_LIMITED;
}

static int check_stopping(const struct hub *h, struct fail *f)
{
    if (!h->stopping) return 0;
    fail_set(f, ERR_SHUTTING_DOWN, "The server is stopping");
    f->retry_after_ms = 3000;
    return ERR_SHUTTING_DOWN;
}

static int check_watches(const struct client *p, const struct job *j, bool watch, struct fail *f)
{
    if (!watch || !client_full(p) || (j && client_follows(p, j))) return 0;
    fail_field(f, ERR_RATE_LIMITED, "watch", "This connection follows %d jobs already",
               LIMIT_WATCHES);
    return fail_advise(f, "Unwatch some, or submit with \"watch\": false.");
}

/* Whether a device can draw it at all, and in the time that a job may take. The latter only when
 * rates are measured: a guess refuses nothing. */
static int check_plan(const struct hub *h, const struct spec *spec, struct job_plan *plan,
                      struct fail *f)
{
    const struct glm_progress begin = {.total = 0};
    int err = capacity_plan(h, spec, plan, f);
    double seconds;

    if (err || !eta_measured(&h->eta)) return err;
    seconds = eta_seconds(&h->eta, &plan->cost, &begin, spec->width * spec->height);
    if (seconds <= h->conf.job_seconds) return 0;
    return fail_set(f, ERR_TIMEOUT,
                    "This picture would take about %.0f s of computing time; a job may take %d s",
                    ceil(seconds), h->conf.job_seconds);
}

static int64_t ms(double seconds)
{
    return seconds < 0 || !(seconds < 1e9) ? -1 : (int64_t)(seconds * 1e3 + 0.5);
}

/* Times of one more job like this; -1 stays where one is not known. 0, or why it cannot run. */
static int quote_times(struct hub *h, int64_t now, const struct account *a, const struct command *c,
                       struct answer_quote *q, struct fail *f)
{
    struct job_plan plan;
    const struct glm_progress start = {.total = 0};
    struct dispatch_job turn = lanes_next(&h->lanes, a, (enum user_lane)c->spec.lane);
    struct forecast_times t;
    int pixels = c->spec.width * c->spec.height, err = check_plan(h, &c->spec, &plan, f);

    if (err) return err;
    turn.plan = &plan;
    turn.cost_s = eta_seconds(&h->eta, &plan.cost, &start, pixels);
    forecast_quote(h, now, &turn, pixels, &t);
    q->start_ms = t.start_ms;
    q->eta_ms = t.eta_ms;
    q->eta_lo_ms = t.lo_ms;
    q->eta_hi_ms = t.hi_ms;
    q->run_ms = ms(turn.cost_s);
    q->bytes = (int64_t)(plan.cost.run_bytes + plan.cost.scratch_bytes);
    return 0;
}

/* Whether the result is expected in the time that the client would wait. */
static int check_wait(struct hub *h, int64_t now, const struct account *a, const struct command *c,
                      struct fail *f)
{
    struct answer_quote q = {&c->spec, 0, -1, -1, -1, -1, -1, -1};
    int err = quote_times(h, now, a, c, &q, f);

    if (err || q.eta_ms <= c->max_wait_ms) return err;
    fail_field(f, ERR_TIMEOUT, "max_wait_ms", "The result would be there in about %.1f s",
               (double)q.eta_ms / 1e3);
    if (q.run_ms <= c->max_wait_ms) f->retry_after_ms = q.eta_ms - c->max_wait_ms;
    return fail_advise(f, q.run_ms <= c->max_wait_ms
                              ? "Wait longer, or send it again after retry_after_ms."
                              : "Wait longer, or ask for fewer steps or a smaller picture.");
}

/* The key was used before: the same request finds its job, another one is refused. */
static void submit_again(struct hub *h, int64_t now, struct pending_reply *a,
                         const struct command *c, struct job *j, const uint8_t *digest)
{
    struct fail f;

    if (memcmp(j->digest, digest, sizeof j->digest) != 0) {
        fail_field(&f, ERR_CONFLICT, "key", "This key belongs to another request");
        fail_advise(&f, "Use a new key for a new request.");
        reply_error(h, a, c, &f);
        return;
    }
    if (check_watches(a->client, j, c->watch, &f) != 0) {
        reply_error(h, a, c, &f);
        return;
    }
    abandon_submitted(h, j, a->client);
    if (c->watch) client_reply_follows(a);
    if (j->state != JOB_ADMIT) {
        acceptance_reply(h, now, j, a, c->watch);
        return;
    }
    a->job = j->id;
    a->waiter_next = j->waiters;
    j->waiters = a;
}

static void submit(struct hub *h, int64_t now, struct pending_reply *a, struct command *c)
{
    uint8_t digest[SPEC_DIGEST_BYTES];
    struct job_plan plan = {.scratch_more = 0};
    struct fail f;
    struct job *j = registry_find_key(&h->registry, a->client->account, c->key);
    int err = spec_digest(&c->spec, digest) ? fail_set(&f, ERR_OUT_OF_MEMORY, "No memory") : 0;

    if (!err && j) {
        submit_again(h, now, a, c, j, digest);
        return;
    }
    if (!err) err = account_may_draw(a->client->account, (enum user_lane)c->spec.lane, &f);
    if (!err) err = check_stopping(h, &f);
    if (!err) err = check_watches(a->client, NULL, c->watch, &f);
    if (!err) err = check_waiting(h, now, a->client->account, &f);
    if (!err) err = check_room(h, now, &f);
    if (!err && devices_ready(&h->devices)) err = check_plan(h, &c->spec, &plan, &f);
    if (!err && devices_ready(&h->devices) && c->max_wait_ms && !c->hold)
        err = check_wait(h, now, a->client->account, c, &f);
    if (err) {
        reply_error(h, a, c, &f);
        return;
    }
    j = acceptance_begin(h, now, a->client->account, c, digest,
                         devices_ready(&h->devices) ? &plan : NULL);
    if (!j) {
        fail_set(&f, ERR_OUT_OF_MEMORY, "No memory for another job");
        reply_error(h, a, c, &f);
        return;
    }
    if (!j->held) forecast_added(h, now, j);
    abandon_submitted(h, j, a->client);
    if (c->watch) client_reply_follows(a);
    a->job = j->id;
    j->waiters = a;
}

/* --- quote ------------------------------------------------------------------------------------ */

static void quote(struct hub *h, int64_t now, struct pending_reply *a, const struct command *c)
{
    const struct account *who = a->client->account;
    const struct dispatch_job turn = lanes_next(&h->lanes, who, (enum user_lane)c->spec.lane);
    int place = lanes_place(&h->queue, &turn);
    struct answer_quote q = {&c->spec, 0, -1, -1, -1, -1, -1, -1};
    struct fail f;
    struct text t;

    if (devices_ready(&h->devices) && quote_times(h, now, who, c, &q, &f) != 0) {
        reply_error(h, a, c, &f);
        return;
    }
    q.position = q.start_ms == 0 && place == 0 ? 0 : place + 1;
    begin(&t);
    answer_quote(a->ref, &q, &t);
    reply(h, a, &t);
}

/* --- watch, cancel ---------------------------------------------------------------------------- */

static void watch(struct hub *h, struct pending_reply *a, const struct command *c)
{
    struct job *j = find_job(h, a->client, c->job);
    struct fail f;

    if (!j) {
        reply_unknown(h, a, c);
        return;
    }
    if (check_watches(a->client, j, true, &f) != 0) {
        fail_advise(&f, "Unwatch some first.");
        reply_error(h, a, c, &f);
        return;
    }
    a->act = REPLY_FOLLOW;
    a->job = j->id;
    a->seq = c->seq;
    client_reply_follows(a);
    reply_ok(h, a, c, j);
}

static void unwatch(struct hub *h, struct pending_reply *a, const struct command *c)
{
    struct job *j = find_job(h, a->client, c->job);

    if (!j) {
        reply_unknown(h, a, c);
        return;
    }
    a->act = REPLY_UNFOLLOW;
    a->job = j->id;
    reply_ok(h, a, c, j);
}

/* Whose jobs a filter means. NULL: f says why there is no such user for this client. */
static const struct account *filter_owner(const struct hub *h, const struct client *p,
                                          const struct command *c, struct fail *f)
{
    const struct account *of = *c->user ? accounts_named(&h->accounts, c->user) : p->account;

    if (*c->user && (p->account->gone || p->account->user.role != ROLE_ADMIN)) {
        fail_field(f, ERR_FORBIDDEN, "user", "Only an administrator may name a user");
        fail_advise(f, "Leave \"user\" out to cancel your own jobs.");
        return NULL;
    }
    if (!of) fail_field(f, ERR_NOT_FOUND, "user", "There is no user %s", c->user);
    return of;
}

/* state: enum event_state, -1 for all that have not ended. */
static bool matches(const struct job *j, const struct account *owner, int state)
{
    if (j->owner != owner || j->state >= JOB_ENDING || j->end.early) return false;
    return state < 0 || state == (j->state == JOB_ADMIT ? STATE_QUEUED : (int)job_public(j));
}

static void cancel_all(struct hub *h, struct pending_reply *a, const struct command *c)
{
    struct fail f;
    struct text t;
    const struct account *owner = filter_owner(h, a->client, c, &f);
    int n = 0;

    if (!owner) {
        reply_error(h, a, c, &f);
        return;
    }
    for (const struct job *j = h->registry.newest; j; j = j->links.older)
        n += matches(j, owner, c->state);
    begin(&t);
    answer_count(a->ref, COMMAND_CANCEL, n, &t);
    reply(h, a, &t);
    for (struct job *j = h->registry.newest; j; j = j->links.older)
        if (matches(j, owner, c->state)) lifecycle_cancel(h, j);
}

static void cancel(struct hub *h, struct pending_reply *a, const struct command *c)
{
    struct job *j = find_job(h, a->client, c->job);
    bool ending = j && (j->state == JOB_ENDING || job_over(j));
    struct fail f;

    if (!j) {
        reply_unknown(h, a, c);
    } else if (ending && j->end.outcome != JOB_CANCELLED) {
        fail_field(&f, ERR_CONFLICT, "job", "The job is over already");
        fail_advise(&f, "Nothing is left to cancel.");
        reply_error(h, a, c, &f);
    } else {
        reply_ok(h, a, c, j);
        if (!ending) lifecycle_cancel(h, j);
    }
}

/* --- hold, release, reorder ------------------------------------------------------------------- */

static bool is_over(const struct job *j)
{
    return j->state == JOB_ENDING || job_over(j);
}

/* Whether a job that this client may command waits; else the client is told why not. */
static bool waits(struct hub *h, struct pending_reply *a, const struct command *c,
                  const struct job *j)
{
    struct fail f;

    if (j && j->state == JOB_QUEUED) return true;
    if (!j) {
        reply_unknown(h, a, c);
        return false;
    }
    fail_field(&f, ERR_CONFLICT, "job", is_over(j) ? "The job is over" : "The job runs already");
    fail_advise(&f, "Only waiting jobs can be held, released and moved.");
    reply_error(h, a, c, &f);
    return false;
}

static void hold(struct hub *h, int64_t now, struct pending_reply *a, const struct command *c)
{
    struct job *j = find_job(h, a->client, c->job);

    if (!waits(h, a, c, j)) return;
    reply_ok(h, a, c, j);
    if (!j->held) lifecycle_hold(h, now, j);
}

static void release(struct hub *h, struct pending_reply *a, const struct command *c)
{
    struct job *j = find_job(h, a->client, c->job);

    if (j && (j->state == JOB_RUNNING || j->state == JOB_SAVING)) {
        reply_ok(h, a, c, j);
        return;
    }
    if (!waits(h, a, c, j)) return;
    reply_ok(h, a, c, j);
    if (j->held) lifecycle_release(h, j);
}

/* Whether the job may be put before that one; NULL, of a `before` that is null, is fine. */
static int check_before(const struct job *j, const struct job *next, uint64_t wanted,
                        struct fail *f)
{
    if (!wanted) return 0;
    if (!next) return fail_field(f, ERR_NOT_FOUND, "before", "There is no such job");
    if (next->state == JOB_QUEUED && next->owner == j->owner && next->spec.lane == j->spec.lane)
        return 0;
    fail_field(f, ERR_CONFLICT, "before",
               next->state != JOB_QUEUED ? "That job does not wait"
               : next->owner != j->owner ? "That job is another user's"
                                         : "That job is in another lane");
    return fail_advise(f, "Name a waiting job of the same user and lane, or null.");
}

static void move(struct hub *h, struct pending_reply *a, const struct command *c)
{
    struct job *j = find_job(h, a->client, c->job);
    const struct job *next = c->before ? find_job(h, a->client, c->before) : NULL;
    struct fail f;
    int err;

    if (!waits(h, a, c, j)) return;
    err = check_before(j, next, c->before, &f);
    if (!err && next != j && reorder_before(h, j, next) != 0)
        err = fail_set(&f, ERR_OUT_OF_MEMORY, "No memory to sort the jobs");
    if (err)
        reply_error(h, a, c, &f);
    else
        reply_ok(h, a, c, j);
}

/* --- amend ------------------------------------------------------------------------------------ */

static void amend(struct hub *h, struct pending_reply *a, const struct command *c)
{
    struct job *j = find_job(h, a->client, c->job);
    struct fail f;

    if (!j) {
        reply_unknown(h, a, c);
    } else if (is_over(j)) {
        fail_field(&f, ERR_CONFLICT, "job", "The job is over");
        fail_advise(&f, "What is over cannot be cancelled any more.");
        reply_error(h, a, c, &f);
    } else {
        reply_ok(h, a, c, j);
        abandon_set(h, j, c->unwatched_ms);
        lifecycle_placed(h, j);
    }
}

/* --- delete ----------------------------------------------------------------------------------- */

static int check_deletable(const struct job *j, struct fail *f)
{
    if (!job_over(j)) {
        fail_field(f, ERR_CONFLICT, "job", "The job is not over");
        return fail_advise(f, "Cancel it first, and wait for its end.");
    }
    if (!j->run.device) return 0;
    fail_field(f, ERR_CONFLICT, "job", "The device has not let go of the job yet");
    f->retry_after_ms = 1000;
    return fail_advise(f, "Send it again in a moment.");
}

static void erase(struct hub *h, struct pending_reply *a, const struct command *c)
{
    struct job *j = find_job(h, a->client, c->job);
    struct fail f;

    if (!j) {
        reply_unknown(h, a, c);
    } else if (check_deletable(j, &f) != 0) {
        reply_error(h, a, c, &f);
    } else {
        reply_ok(h, a, c, j);
        clients_forget(&h->clients, j);
        h->out.store_delete(h->out.arg, j->id);
        registry_forget(&h->registry, j);
    }
}

/* --- of administrators ------------------------------------------------------------------------ */

static void pause_queue(struct hub *h, struct pending_reply *a, const struct command *c)
{
    const struct account *who = a->client->account;
    struct fail f;

    if (who->gone || who->user.role != ROLE_ADMIN) {
        fail_set(&f, ERR_FORBIDDEN, "Only an administrator may pause the queue");
        fail_advise(&f, "Hold your own jobs, or ask an administrator.");
        reply_error(h, a, c, &f);
        return;
    }
    reply_ok(h, a, c, NULL);
    placing_pause(h, c->kind == COMMAND_PAUSE);
}

/* --- list, statistics ------------------------------------------------------------------------- */

static void list(struct hub *h, int64_t now, struct pending_reply *a, const struct command *c)
{
    const struct job *from = h->registry.newest;
    struct fail f;

    assert(c->limit > 0 && c->limit <= LIMIT_LIST);
    if (c->before) {
        from = find_job(h, a->client, c->before);
        if (!from) {
            fail_field(&f, ERR_NOT_FOUND, "before", "There is no such job");
            reply_error(h, a, c, &f);
            return;
        }
        from = from->links.older;
    }
    client_reply_ready(&h->clients, a,
                       report_list(h, now, a->client->account, from, c->state, c->limit, a->ref));
}

static void one(struct hub *h, int64_t now, struct pending_reply *a, const struct command *c)
{
    const struct job *j = find_job(h, a->client, c->job);

    if (j)
        client_reply_ready(&h->clients, a, report_job(h, now, j, a->ref));
    else
        reply_unknown(h, a, c);
}

static void stats(struct hub *h, int64_t now, struct pending_reply *a, const struct command *c)
{
    if (c->on) {
        a->act = REPLY_STATS;
        a->client->stats_seq = h->stats_seq; /* the answer is as new as the newest */
    } else {
        a->client->stats = false;
    }
    client_reply_ready(&h->clients, a, report_stats(h, now, a->client->account, a->ref));
}

static void pong(struct hub *h, int64_t now, struct pending_reply *a)
{
    struct text t;

    begin(&t);
    answer_pong(a->ref, notify_unix_ms(h, now), &t);
    reply(h, a, &t);
}

static void obey(struct hub *h, int64_t now, struct pending_reply *a, struct command *c)
{
    assert(c->kind >= 0 && c->kind < COMMAND_KINDS);
    switch ((enum command_kind)c->kind) {
    case COMMAND_SUBMIT: submit(h, now, a, c); break;
    case COMMAND_QUOTE: quote(h, now, a, c); break;
    case COMMAND_WATCH: watch(h, a, c); break;
    case COMMAND_UNWATCH: unwatch(h, a, c); break;
    case COMMAND_CANCEL:
        if (c->job)
            cancel(h, a, c);
        else
            cancel_all(h, a, c);
        break;
    case COMMAND_HOLD: hold(h, now, a, c); break;
    case COMMAND_RELEASE: release(h, a, c); break;
    case COMMAND_REORDER: move(h, a, c); break;
    case COMMAND_DELETE: erase(h, a, c); break;
    case COMMAND_AMEND: amend(h, a, c); break;
    case COMMAND_PAUSE:
    case COMMAND_RESUME: pause_queue(h, a, c); break;
    case COMMAND_LIST: list(h, now, a, c); break;
    case COMMAND_JOB: one(h, now, a, c); break;
    case COMMAND_PREVIEWS:
        client_previews(&h->clients, a->client, &c->previews);
        reply_ok(h, a, c, NULL);
        break;
    case COMMAND_STATS: stats(h, now, a, c); break;
    case COMMAND_PING: pong(h, now, a); break;
    case COMMAND_KINDS: break;
    }
}

void commands_obey(struct hub *h, int64_t now, struct client *p, struct command *c)
{
    struct pending_reply *a = client_reply_new(&h->clients, p, c->ref);

    if (a) obey(h, now, a, c);
    command_free(c);
}

void commands_text(struct hub *h, int64_t now, struct client *p, const char *text, size_t len)
{
    struct command c;
    struct fail f;

    if (command_decode(text, len, h->conf.limits, &c, &f) == 0) {
        commands_obey(h, now, p, &c);
        client_reply_expect(p, len);
    } else {
        commands_error(h, p, &c, &f);
    }
}

void commands_json(struct hub *h, int64_t now, struct client *p, const json_t *message)
{
    struct command c;
    struct fail f;

    if (command_read(message, h->conf.limits, &c, &f) == 0)
        commands_obey(h, now, p, &c);
    else
        commands_error(h, p, &c, &f);
}

void commands_error(struct hub *h, struct client *p, const struct command *about,
                    const struct fail *f)
{
    const struct command nothing = {.kind = -1};
    struct pending_reply *a;

    if (!about) about = &nothing;
    a = client_reply_new(&h->clients, p, about->ref);
    if (a) reply_error(h, a, about, f);
}
