/* commands - executes the commands of a connection and answers each exactly once. */
#include "server/core/commands.h"

#include "server/core/abandon.h"
#include "server/core/admin.h"
#include "server/core/deletion.h"
#include "server/core/favour.h"
#include "server/core/finish.h"
#include "server/core/lifecycle.h"
#include "server/core/notify.h"
#include "server/core/recall.h"
#include "server/core/reorder.h"
#include "server/core/report.h"
#include "server/core/respond.h"
#include "server/core/search.h"
#include "server/core/shares.h"
#include "server/core/submit.h"
#include "server/core/sweeps.h"
#include "server/core/uploads.h"

#include "proto/answer.h"

#include <assert.h>
#include <string.h>

/* --- watch, cancel ---------------------------------------------------------------------------- */

static void watch(struct hub *h, struct pending_reply *a, const struct command *c)
{
    struct job *j = respond_job(h, a->client, c->job);
    struct fail f;

    if (!j) {
        respond_unknown(h, a, c);
        return;
    }
    if (submit_watches(h, a->client, j, true, &f) != 0) {
        fail_advise(&f, "Unwatch some first.");
        respond_error(h, a, c, &f);
        return;
    }
    a->act = REPLY_FOLLOW;
    a->job = j->id;
    a->seq = c->seq;
    client_reply_follows(a);
    respond_ok(h, a, c, j);
}

static void unwatch(struct hub *h, struct pending_reply *a, const struct command *c)
{
    struct job *j = respond_job(h, a->client, c->job);

    if (!j) {
        respond_unknown(h, a, c);
        return;
    }
    a->act = REPLY_UNFOLLOW;
    a->job = j->id;
    respond_ok(h, a, c, j);
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

/* state: enum event_state, -1 for all that have not ended. A sweep ends with its cells. */
static bool matches(const struct job *j, const struct account *owner, int state)
{
    if (j->owner != owner || j->state >= JOB_ENDING || j->end.early || j->sweep) return false;
    return state < 0 || state == (j->state == JOB_ADMIT ? STATE_QUEUED : (int)job_public(j));
}

static void cancel_all(struct hub *h, struct pending_reply *a, const struct command *c)
{
    struct fail f;
    struct text t;
    const struct account *owner = filter_owner(h, a->client, c, &f);
    int n = 0;

    if (!owner) {
        respond_error(h, a, c, &f);
        return;
    }
    for (const struct job *j = h->registry.newest; j; j = j->links.older)
        n += matches(j, owner, c->state);
    respond_begin(&t);
    answer_count(a->ref, COMMAND_CANCEL, n, &t);
    respond_text(h, a, &t);
    for (struct job *j = h->registry.newest; j; j = j->links.older)
        if (matches(j, owner, c->state)) lifecycle_cancel(h, j);
}

/* A sweep that this client may see; else the client is told why not. */
static struct job *find_sweep(struct hub *h, struct pending_reply *a, const struct command *c)
{
    struct job *j = respond_job(h, a->client, c->parent);
    struct fail f;

    if (j && j->sweep) return j;
    if (j)
        fail_field(&f, ERR_CONFLICT, "parent", "That job is no sweep");
    else
        fail_field(&f, ERR_NOT_FOUND, "parent", "There is no such job");
    fail_advise(&f, "Use the id that `accepted` of the sweep gave as job.");
    respond_error(h, a, c, &f);
    return NULL;
}

static int cells_to_cancel(const struct job *p)
{
    int n = 0;

    for (int i = 0; i < p->sweep->n; i++)
        n += p->sweep->cell[i].job && p->sweep->cell[i].job->state < JOB_ENDING;
    return n;
}

static void cancel_cells(struct hub *h, struct pending_reply *a, const struct command *c)
{
    struct job *p = find_sweep(h, a, c);
    struct text t;

    if (!p) return;
    respond_begin(&t);
    answer_count(a->ref, COMMAND_CANCEL, cells_to_cancel(p), &t);
    respond_text(h, a, &t);
    sweeps_cancel(h, p);
}

/* An administrator cancels private jobs, too, of which it sees no more than that they are there. */
static void cancel(struct hub *h, struct pending_reply *a, const struct command *c)
{
    struct job *j = lifecycle_find(h, c->job);
    bool ending = j && (j->state == JOB_ENDING || job_over(j));
    struct fail f;

    if (!j || !account_sees(a->client->account, j->owner)) {
        respond_unknown(h, a, c);
    } else if (ending && j->end.outcome != JOB_CANCELLED) {
        fail_field(&f, ERR_CONFLICT, "job", "The job is over already");
        fail_advise(&f, "Nothing is left to cancel.");
        respond_error(h, a, c, &f);
    } else {
        respond_ok(h, a, c, j);
        if (!ending && j->sweep)
            sweeps_cancel(h, j);
        else if (!ending)
            lifecycle_cancel(h, j);
    }
}

/* --- hold, release, reorder ------------------------------------------------------------------- */

static bool is_over(const struct job *j)
{
    return j->state == JOB_ENDING || job_over(j);
}

static int waiting_cells(const struct job *p)
{
    int n = 0;

    for (int i = 0; i < p->sweep->n; i++)
        n += p->sweep->cell[i].job && p->sweep->cell[i].job->state == JOB_QUEUED;
    return n;
}

/* Whether a job that this client may command waits, or a cell of it; else the client is told why
 * not. */
static bool waits(struct hub *h, struct pending_reply *a, const struct command *c,
                  const struct job *j)
{
    struct fail f;

    if (j && (j->sweep ? waiting_cells(j) > 0 : j->state == JOB_QUEUED)) return true;
    if (!j) {
        respond_unknown(h, a, c);
        return false;
    }
    fail_field(&f, ERR_CONFLICT, "job", is_over(j) ? "The job is over" : "The job runs already");
    fail_advise(&f, "Only waiting jobs can be held, released and moved.");
    respond_error(h, a, c, &f);
    return false;
}

static void hold(struct hub *h, int64_t now, struct pending_reply *a, const struct command *c)
{
    struct job *j = respond_job(h, a->client, c->job);

    if (!waits(h, a, c, j)) return;
    respond_ok(h, a, c, j);
    if (j->sweep)
        sweeps_hold(h, now, j);
    else if (!j->held)
        lifecycle_hold(h, now, j);
}

static void release(struct hub *h, struct pending_reply *a, const struct command *c)
{
    struct job *j = respond_job(h, a->client, c->job);

    if (j && (j->state == JOB_RUNNING || j->state == JOB_SAVING)
        && !(j->sweep && waiting_cells(j))) {
        respond_ok(h, a, c, j);
        return;
    }
    if (!waits(h, a, c, j)) return;
    respond_ok(h, a, c, j);
    if (j->sweep)
        sweeps_release(h, j);
    else if (j->held)
        lifecycle_release(h, j);
}

/* Whether the job may be put before that one; NULL, of a `before` that is null, is fine. */
static int check_before(const struct job *j, const struct job *next, uint64_t wanted,
                        struct fail *f)
{
    if (j->sweep) {
        fail_field(f, ERR_CONFLICT, "job", "A sweep has no place of its own");
        return fail_advise(f, "Move its cells.");
    }
    if (!wanted) return 0;
    if (!next) return fail_field(f, ERR_NOT_FOUND, "before", "There is no such job");
    if (next->state == JOB_QUEUED && !next->sweep && next->owner == j->owner
        && next->spec.lane == j->spec.lane)
        return 0;
    fail_field(f, ERR_CONFLICT, "before",
               next->sweep                 ? "A sweep has no place of its own"
               : next->state != JOB_QUEUED ? "That job does not wait"
               : next->owner != j->owner   ? "That job is another user's"
                                           : "That job is in another lane");
    return fail_advise(f, "Name a waiting job of the same user and lane, or null.");
}

static void move(struct hub *h, struct pending_reply *a, const struct command *c)
{
    struct job *j = respond_job(h, a->client, c->job);
    const struct job *next = c->before ? respond_job(h, a->client, c->before) : NULL;
    struct fail f;
    int err;

    if (!waits(h, a, c, j)) return;
    err = check_before(j, next, c->before, &f);
    if (!err && next != j && reorder_before(h, j, next) != 0)
        err = fail_set(&f, ERR_OUT_OF_MEMORY, "No memory to sort the jobs");
    if (err)
        respond_error(h, a, c, &f);
    else
        respond_ok(h, a, c, j);
}

/* --- amend ------------------------------------------------------------------------------------ */

static void amend(struct hub *h, struct pending_reply *a, const struct command *c)
{
    struct job *j = respond_job(h, a->client, c->job);
    struct fail f;

    if (!j) {
        respond_unknown(h, a, c);
    } else if (is_over(j)) {
        fail_field(&f, ERR_CONFLICT, "job", "The job is over");
        fail_advise(&f, "What is over cannot be cancelled any more.");
        respond_error(h, a, c, &f);
    } else {
        respond_ok(h, a, c, j);
        abandon_set(h, j, c->unwatched_ms);
        lifecycle_placed(h, j);
    }
}

/* --- finish ----------------------------------------------------------------------------------- */

static void finish(struct hub *h, struct pending_reply *a, const struct command *c)
{
    struct job *j = respond_job(h, a->client, c->job);
    struct fail f;

    if (!j)
        respond_unknown(h, a, c);
    else if (finish_job(h, j, a, &f) != 0)
        respond_error(h, a, c, &f);
}

/* --- list, statistics ------------------------------------------------------------------------- */

static void list(struct hub *h, int64_t now, struct pending_reply *a, const struct command *c)
{
    const struct job *from = h->registry.newest;
    struct fail f;

    assert(c->limit > 0 && c->limit <= LIMIT_LIST);
    if (c->results) {
        search_obey(h, a, c);
        return;
    }
    if (c->before) {
        from = respond_job(h, a->client, c->before);
        if (!from) {
            fail_field(&f, ERR_NOT_FOUND, "before", "There is no such job");
            respond_error(h, a, c, &f);
            return;
        }
        from = from->links.older;
    }
    client_reply_ready(&h->clients, a, report_list(h, now, a->client, from, c, a->ref));
}

static void one(struct hub *h, int64_t now, struct pending_reply *a, const struct command *c)
{
    const struct job *j = respond_job(h, a->client, c->job);

    if (j)
        client_reply_ready(&h->clients, a, report_job(h, now, a->client, j, a->ref));
    else
        respond_unknown(h, a, c);
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

    respond_begin(&t);
    answer_pong(a->ref, notify_unix_ms(h, now), &t);
    respond_text(h, a, &t);
}

/* The least role that may send a message of this kind, whatever it is about; ROLE_VIEWER, which is
 * 0, where it is not named: a guest may do nothing but what stands here. */
static const enum user_role LEAST[COMMAND_KINDS] = {
    [COMMAND_PAUSE] = ROLE_ADMIN, [COMMAND_RESUME] = ROLE_ADMIN, [COMMAND_DRAIN] = ROLE_ADMIN,
    [COMMAND_USERS] = ROLE_ADMIN, [COMMAND_LOG] = ROLE_ADMIN,    [COMMAND_NOTICE] = ROLE_ADMIN,
    [COMMAND_SET] = ROLE_ADMIN,   [COMMAND_WATCH] = ROLE_GUEST,  [COMMAND_UNWATCH] = ROLE_GUEST,
    [COMMAND_LIST] = ROLE_GUEST,  [COMMAND_JOB] = ROLE_GUEST,    [COMMAND_PREVIEWS] = ROLE_GUEST,
    [COMMAND_PING] = ROLE_GUEST,
};

static int check_role(const struct account *a, enum command_kind kind, struct fail *f)
{
    if (a->user.role == ROLE_GUEST && LEAST[kind] > ROLE_GUEST) {
        fail_set(f, ERR_UNAUTHORIZED, "What you came with shows one job, and takes no %s",
                 command_kind_name(kind));
        return fail_advise(f, "Sign in with a token of your own to do more than look.");
    }
    if (LEAST[kind] <= ROLE_VIEWER || (!a->gone && a->user.role >= LEAST[kind])) return 0;
    fail_set(f, ERR_FORBIDDEN, "Only an administrator may send %s", command_kind_name(kind));
    return fail_advise(f, "Ask an administrator of this server.");
}

static void obey(struct hub *h, int64_t now, struct pending_reply *a, struct command *c)
{
    assert(c->kind >= 0 && c->kind < COMMAND_KINDS);
    switch ((enum command_kind)c->kind) {
    case COMMAND_SUBMIT: submit_obey(h, now, a, c); break;
    case COMMAND_QUOTE: submit_quote(h, now, a, c); break;
    case COMMAND_WATCH: watch(h, a, c); break;
    case COMMAND_UNWATCH: unwatch(h, a, c); break;
    case COMMAND_CANCEL:
        if (c->job)
            cancel(h, a, c);
        else if (c->parent)
            cancel_cells(h, a, c);
        else
            cancel_all(h, a, c);
        break;
    case COMMAND_HOLD: hold(h, now, a, c); break;
    case COMMAND_RELEASE: release(h, a, c); break;
    case COMMAND_REORDER: move(h, a, c); break;
    case COMMAND_FINISH: finish(h, a, c); break;
    case COMMAND_DELETE: deletion_obey(h, a, c); break;
    case COMMAND_AMEND: amend(h, a, c); break;
    case COMMAND_FAVOURITE: favour_obey(h, a, c); break;
    case COMMAND_SHARE: shares_obey(h, now, a, c); break;
    case COMMAND_UNSHARE: shares_revoke(h, a, c); break;
    case COMMAND_PAUSE:
    case COMMAND_RESUME:
    case COMMAND_DRAIN:
    case COMMAND_NOTICE:
    case COMMAND_SET: admin_obey(h, now, a, c); break;
    case COMMAND_USERS: client_reply_ready(&h->clients, a, report_users(h, now, a->ref)); break;
    case COMMAND_LOG: client_reply_ready(&h->clients, a, report_log(h, c, a->ref)); break;
    case COMMAND_UPLOAD:
    case COMMAND_COMMIT:
    case COMMAND_UPLOADS:
    case COMMAND_DISCARD: uploads_obey(h, now, a, c); break;
    case COMMAND_LIST: list(h, now, a, c); break;
    case COMMAND_JOB: one(h, now, a, c); break;
    case COMMAND_PREVIEWS:
        client_previews(&h->clients, a->client, &c->previews);
        respond_ok(h, a, c, NULL);
        break;
    case COMMAND_STATS: stats(h, now, a, c); break;
    case COMMAND_PING: pong(h, now, a); break;
    case COMMAND_KINDS: break;
    }
}

void commands_obey(struct hub *h, int64_t now, struct client *p, struct command *c)
{
    struct pending_reply *a = client_reply_new(&h->clients, p, c->ref);
    struct fail f;

    if (a && check_role(p->account, (enum command_kind)c->kind, &f) != 0)
        respond_error(h, a, c, &f);
    else if (a) {
        recall_named(h, p, c);
        obey(h, now, a, c);
    }
    command_free(c);
}

/* Whether this connection may send one more message. */
static int check_often(struct hub *h, int64_t now, struct client *p, struct fail *f)
{
    int64_t wait = bucket_take(&p->messages, now, h->conf.messages_per_s);

    if (wait == 0) return 0;
    h->stats.totals.limited[LIMITED_MESSAGES]++;
    fail_set(f, ERR_RATE_LIMITED, "More than %d messages a second came on this connection",
             h->conf.messages_per_s);
    fail_advise(f, "Send it again after retry_after_ms.");
    f->retry_after_ms = (wait + 999) / 1000;
    return ERR_RATE_LIMITED;
}

void commands_text(struct hub *h, int64_t now, struct client *p, const char *text, size_t len)
{
    struct command c;
    struct fail f;

    if (check_often(h, now, p, &f) != 0) {
        struct scan s;

        scan_init(&s);
        scan_feed(&s, text, len);
        command_scanned(&s, &c);
        commands_error(h, p, &c, &f);
    } else if (command_decode(text, len, h->conf.limits, &c, &f) == 0) {
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
    if (a) respond_error(h, a, about, f);
}
