/* submit - what is checked before a request becomes a job, and what it would come to. */
#include "server/core/submit.h"

#include "server/core/abandon.h"
#include "server/core/acceptance.h"
#include "server/core/capacity.h"
#include "server/core/forecast.h"
#include "server/core/respond.h"

#include "proto/answer.h"

#include <assert.h>
#include <math.h>
#include <string.h>

/* --- submit ----------------------------------------------------------------------------------- */

/* Whether the queue takes one more; what can start at once does not count as waiting. */
static int check_room(struct hub *h, int64_t now, struct fail *f)
{
    int waiting = h->in[JOB_QUEUED] + h->in[JOB_ADMIT];
    int cap = capacity_cap(h), on = devices_residents(&h->devices);
    int at_once = devices_ready(&h->devices) && cap > on ? cap - on : 0;

    if (waiting < h->conf.queue_max + at_once) return 0;
    h->stats.totals.limited[LIMITED_QUEUE]++;
    fail_set(f, ERR_QUEUE_FULL, "%d jobs wait, which is as many as this server keeps", waiting);
    f->retry_after_ms = forecast_retry_ms(h, now);
    return ERR_QUEUE_FULL;
}

/* Whether its owner may have one more wait. */
static int check_waiting(struct hub *h, int64_t now, const struct account *a, struct fail *f)
{
    if (a->user.waiting == 0 || a->waiting < a->user.waiting) return 0;
    h->stats.totals.limited[LIMITED_WAITING]++;
    fail_set(f, ERR_RATE_LIMITED, "%d of your jobs wait, which is as many as you may have",
             a->waiting);
    fail_advise(f, "Wait for one of them, or cancel one.");
    f->retry_after_ms = forecast_free_ms(h, now, a);
    return ERR_RATE_LIMITED;
}

/* Whether it has not submitted too often. Without users everybody is one: then by connection. */
static int check_often(struct hub *h, int64_t now, struct client *p, struct fail *f)
{
    bool one = p->account->user.id != USER_NONE;
    int64_t wait =
        bucket_take(one ? &p->account->submits : &p->submits, now, h->conf.submits_per_s);

    if (wait == 0) return 0;
    h->stats.totals.limited[LIMITED_SUBMITS]++;
    fail_set(f, ERR_RATE_LIMITED, "More than %d requests a second came from you",
             h->conf.submits_per_s);
    fail_advise(f, "Send it again after retry_after_ms.");
    f->retry_after_ms = (wait + 999) / 1000;
    return ERR_RATE_LIMITED;
}

static int check_stopping(const struct hub *h, int64_t now, struct fail *f)
{
    if (!h->stopping && !h->draining) return 0;
    fail_set(f, ERR_SHUTTING_DOWN, "The server is stopping");
    f->retry_after_ms = 3000;
    if (h->drain_us < INT64_MAX && h->drain_us > now)
        f->retry_after_ms += (h->drain_us - now) / 1000;
    return ERR_SHUTTING_DOWN;
}

int submit_watches(struct hub *h, const struct client *p, const struct job *j, bool watch,
                   struct fail *f)
{
    if (!watch || !client_full(p) || (j && client_follows(p, j))) return 0;
    h->stats.totals.limited[LIMITED_WATCHES]++;
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
        respond_error(h, a, c, &f);
        return;
    }
    if (submit_watches(h, a->client, j, c->watch, &f) != 0) {
        respond_error(h, a, c, &f);
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

void submit_obey(struct hub *h, int64_t now, struct pending_reply *a, struct command *c)
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
    if (!err) err = check_stopping(h, now, &f);
    if (!err) err = check_often(h, now, a->client, &f);
    if (!err) err = submit_watches(h, a->client, NULL, c->watch, &f);
    if (!err) err = check_waiting(h, now, a->client->account, &f);
    if (!err) err = check_room(h, now, &f);
    if (!err && devices_ready(&h->devices)) err = check_plan(h, &c->spec, &plan, &f);
    if (!err && devices_ready(&h->devices) && c->max_wait_ms && !c->hold)
        err = check_wait(h, now, a->client->account, c, &f);
    if (err) {
        respond_error(h, a, c, &f);
        return;
    }
    j = acceptance_begin(h, now, a->client->account, c, digest,
                         devices_ready(&h->devices) ? &plan : NULL);
    if (!j) {
        fail_set(&f, ERR_OUT_OF_MEMORY, "No memory for another job");
        respond_error(h, a, c, &f);
        return;
    }
    if (!j->held) forecast_added(h, now, j);
    abandon_submitted(h, j, a->client);
    if (c->watch) client_reply_follows(a);
    a->job = j->id;
    j->waiters = a;
}

/* --- quote ------------------------------------------------------------------------------------ */

void submit_quote(struct hub *h, int64_t now, struct pending_reply *a, const struct command *c)
{
    const struct account *who = a->client->account;
    const struct dispatch_job turn = lanes_next(&h->lanes, who, (enum user_lane)c->spec.lane);
    int place = lanes_place(&h->queue, &turn);
    struct answer_quote q = {&c->spec, 0, -1, -1, -1, -1, -1, -1};
    struct fail f;
    struct text t;

    if (devices_ready(&h->devices) && quote_times(h, now, who, c, &q, &f) != 0) {
        respond_error(h, a, c, &f);
        return;
    }
    q.position = q.start_ms == 0 && place == 0 ? 0 : place + 1;
    respond_begin(&t);
    answer_quote(a->ref, &q, &t);
    respond_text(h, a, &t);
}
