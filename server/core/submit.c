/* submit - what is checked before a request becomes a job, and what it would come to. */
#include "server/core/submit.h"

#include "server/core/abandon.h"
#include "server/core/acceptance.h"
#include "server/core/capacity.h"
#include "server/core/composition.h"
#include "server/core/forecast.h"
#include "server/core/request.h"
#include "server/core/respond.h"
#include "server/core/sources.h"

#include "proto/answer.h"

#include <string.h>

/* --- submit ----------------------------------------------------------------------------------- */

/* Whether the queue takes n more; what can start at once does not count as waiting. */
static int check_room(struct hub *h, int64_t now, int n, struct fail *f)
{
    int waiting = h->in[JOB_QUEUED] + h->in[JOB_ADMIT];
    int cap = capacity_cap(h), on = devices_residents(&h->devices);
    int at_once = devices_ready(&h->devices) && cap > on ? cap - on : 0;

    if (waiting + n <= h->conf.queue_max + at_once) return 0;
    h->stats.totals.limited[LIMITED_QUEUE]++;
    if (n > h->conf.queue_max) {
        fail_field(f, ERR_QUEUE_FULL, "sweep",
                   "%d pictures are more than this server's queue keeps", n);
        return fail_advise(f, "Ask for at most %d together.", h->conf.queue_max);
    }
    if (n > 1)
        fail_set(f, ERR_QUEUE_FULL, "%d jobs wait, and %d more would be above the %d that it keeps",
                 waiting, n, h->conf.queue_max);
    else
        fail_set(f, ERR_QUEUE_FULL, "%d jobs wait, which is as many as this server keeps", waiting);
    f->retry_after_ms = forecast_retry_ms(h, now);
    return ERR_QUEUE_FULL;
}

/* Whether its owner may have n more wait. */
static int check_waiting(struct hub *h, int64_t now, const struct account *a, int n, struct fail *f)
{
    if (a->user.waiting == 0 || a->waiting + n <= a->user.waiting) return 0;
    h->stats.totals.limited[LIMITED_WAITING]++;
    if (n > a->user.waiting) {
        fail_field(f, ERR_RATE_LIMITED, "sweep", "%d of your jobs may wait; these would be %d",
                   a->user.waiting, n);
        return fail_advise(f, "Ask for fewer together.");
    }
    fail_set(f, ERR_RATE_LIMITED, "%d of your jobs wait, which is as many as you may have",
             a->waiting);
    fail_advise(f, "Wait for one of them, or cancel one.");
    f->retry_after_ms = forecast_free_ms(h, now, a);
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

static int64_t ms(double seconds)
{
    return seconds < 0 || !(seconds < 1e9) ? -1 : (int64_t)(seconds * 1e3 + 0.5);
}

/* Times of these pictures; -1 stays where one is not known. */
static void quote_times(struct hub *h, int64_t now, const struct account *a,
                        const struct request *r, struct answer_quote *q)
{
    struct forecast_times t;

    request_times(h, now, a, r, &t);
    q->start_ms = t.start_ms;
    q->eta_ms = t.eta_ms;
    q->eta_lo_ms = t.lo_ms;
    q->eta_hi_ms = t.hi_ms;
    q->run_ms = ms(request_seconds(r));
    q->bytes = request_bytes(r);
}

/* Whether the result, of a sweep the last one, is expected in the time that the client would
 * wait. */
static int check_wait(struct hub *h, int64_t now, const struct account *a, const struct command *c,
                      const struct request *r, struct fail *f)
{
    struct answer_quote q = {.eta_ms = -1};

    if (!r->planned || !c->max_wait_ms || c->hold) return 0;
    quote_times(h, now, a, r, &q);
    if (q.eta_ms <= c->max_wait_ms) return 0;
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

    if (memcmp(j->digest, digest, sizeof j->digest) != 0 || j->private != c->private) {
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
        acceptance_reply(h, now, j, a, c->watch, NULL);
        return;
    }
    client_reply_wait(a, j);
}

/* The job that has drawn this picture already, if its file is still there. Cells of sweeps are
 * drawn in any case: each has a job, and a row, of its own. */
static struct job *find_picture(struct hub *h, const struct account *owner, const struct command *c)
{
    uint8_t picture[SPEC_DIGEST_BYTES];
    struct spec s = c->spec;
    struct job *j;

    if (c->private || c->fresh || c->sweep.cells) return NULL;
    if (s.seed == SPEC_SEED_PICK || !h->model) return NULL;
    if (s.prior_from && s.noise_seed == SPEC_SEED_PICK) return NULL; /* it is to be another one */
    spec_seeds(&s);
    if (spec_picture_digest(&s, picture) != 0) return NULL;
    j = registry_find_picture(&h->registry, owner, picture, h->model);
    if (!j || j->private) return NULL;
    return h->out.has_picture(h->out.arg, owner->user.id, j->end.digest) ? j : NULL;
}

static void submit_found(struct hub *h, int64_t now, struct pending_reply *a,
                         const struct command *c, struct job *j)
{
    struct fail f;
    int err = request_allowed(a->client->account, c, &f);

    if (!err) err = request_often(h, now, a->client, &f);
    if (!err) err = submit_watches(h, a->client, j, c->watch, &f);
    if (err) {
        respond_error(h, a, c, &f);
        return;
    }
    if (c->watch) client_reply_follows(a);
    acceptance_reply(h, now, j, a, c->watch, c);
}

static int digest_of(const struct command *c, uint8_t out[SPEC_DIGEST_BYTES], struct fail *f)
{
    int err = c->sweep.cells ? sweep_digest(&c->sweep, &c->spec, out) : spec_digest(&c->spec, out);

    return err ? fail_set(f, ERR_OUT_OF_MEMORY, "No memory") : 0;
}

/* The tokens of an earlier picture are taken to the new row, which a private job has not. */
static int check_private(const struct command *c, struct fail *f)
{
    if (!c->private || !c->spec.prior_from) return 0;
    fail_field(f, ERR_BAD_FIELD, "prior_from", "A private job cannot take another's composition");
    return fail_advise(f, "Leave \"private\" or \"prior_from\" out.");
}

/* It is kept with the row, which a private job has not. */
static int check_webhook(struct hub *h, const struct command *c, struct fail *f)
{
    if (!*c->webhook) return 0;
    if (!c->private) return h->out.webhook(h->out.arg, c->webhook, f);
    fail_field(f, ERR_BAD_FIELD, "webhook", "The end of a private job is not posted");
    return fail_advise(f, "Leave \"private\" or \"webhook\" out.");
}

/* Whether all that it asks for can be accepted now. */
static int check_submit(struct hub *h, int64_t now, struct client *p, struct command *c,
                        struct request *r, struct fail *f)
{
    int n = c->sweep.cells ? c->sweep.cells : 1, err = request_allowed(p->account, c, f);

    if (!err) err = check_stopping(h, now, f);
    if (!err) err = request_often(h, now, p, f);
    if (!err) err = submit_watches(h, p, NULL, c->watch, f);
    if (!err) err = check_waiting(h, now, p->account, n, f);
    if (!err) err = check_room(h, now, n, f);
    if (!err) err = check_private(c, f);
    if (!err) err = composition_check(h, p->account, c, f);
    if (!err) err = request_plan(h, c, r, f);
    return err ? err : check_wait(h, now, p->account, c, r, f);
}

void submit_obey(struct hub *h, int64_t now, struct pending_reply *a, struct command *c)
{
    uint8_t digest[SPEC_DIGEST_BYTES];
    struct request r;
    struct fail f;
    struct job *j = registry_find_key(&h->registry, a->client->account, c->key);
    int err = digest_of(c, digest, &f);

    if (!err) err = check_webhook(h, c, &f);
    if (!err && j) {
        submit_again(h, now, a, c, j, digest);
        return;
    }
    if (!err) err = sources_check(h, a->client->account, c, &f);
    if (!err && (j = find_picture(h, a->client->account, c))) {
        submit_found(h, now, a, c, j);
        return;
    }
    if (!err) err = check_submit(h, now, a->client, c, &r, &f);
    if (err) {
        respond_error(h, a, c, &f);
        return;
    }
    j = acceptance_begin(h, now, a->client->account, c, digest, &r);
    if (!j) {
        fail_set(&f, ERR_OUT_OF_MEMORY, "No memory for another job");
        respond_error(h, a, c, &f);
        return;
    }
    abandon_submitted(h, j, a->client);
    if (c->watch) client_reply_follows(a);
    client_reply_wait(a, j);
}

/* --- quote ------------------------------------------------------------------------------------ */

/* How the model reads the prompt; unknown without a model. */
static int read_prompt(struct hub *h, const struct request *r, struct answer_quote *q,
                       struct fail *f)
{
    struct glm_words w;
    int err;

    q->tokens = -1;
    if (!r->planned) return 0;
    err = h->out.words(h->out.arg, r->spec[0].prompt, &w, f);
    if (err) return err;
    q->tokens = w.tokens;
    q->texts = w.texts;
    for (int i = 0; i < w.texts; i++)
        q->text[i] = (struct answer_piece){w.text[i].at, w.text[i].len};
    return 0;
}

void submit_quote(struct hub *h, int64_t now, struct pending_reply *a, struct command *c)
{
    const struct account *who = a->client->account;
    const struct dispatch_job turn = lanes_next(&h->lanes, who, (enum user_lane)c->spec.lane);
    int place = lanes_place(&h->queue, &turn);
    struct answer_quote q = {&c->spec, 0, -1, -1, -1, -1, -1, -1, .cells = c->sweep.cells};
    struct request r;
    struct fail f;
    struct text t;

    if ((who->user.role >= ROLE_USER && request_allowed(who, c, &f) != 0)
        || sources_check(h, who, c, &f) != 0 || composition_check(h, who, c, &f) != 0
        || request_plan(h, c, &r, &f) != 0 || read_prompt(h, &r, &q, &f) != 0) {
        respond_error(h, a, c, &f);
        return;
    }
    if (r.planned) quote_times(h, now, who, &r, &q);
    q.position = q.start_ms == 0 && place == 0 ? 0 : place + 1;
    respond_begin(&t);
    answer_quote(a->ref, &q, &t);
    respond_text(h, a, &t);
}
