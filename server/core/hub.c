/* hub - the entries of the core; each does its one thing and settles. */
#include "server/core/hub.h"

#include "server/core/abandon.h"
#include "server/core/admin.h"
#include "server/core/capacity.h"
#include "server/core/commands.h"
#include "server/core/core.h"
#include "server/core/deletion.h"
#include "server/core/device_events.h"
#include "server/core/ending.h"
#include "server/core/favour.h"
#include "server/core/forecast.h"
#include "server/core/lifecycle.h"
#include "server/core/notify.h"
#include "server/core/placing.h"
#include "server/core/previews.h"
#include "server/core/private.h"
#include "server/core/respond.h"
#include "server/core/restore.h"
#include "server/core/search.h"
#include "server/core/shares.h"
#include "server/core/sweeps.h"
#include "server/core/uploads.h"

#include <assert.h>
#include <stdlib.h>

/* FLOPs a second of a small CPU, until a device says more. */
static const double RATE_GUESS = 2e10;

/* --- start and end ---------------------------------------------------------------------------- */

static struct job *clients_find(void *arg, uint64_t id)
{
    struct hub *h = arg;

    return registry_find(&h->registry, id);
}

static void clients_wake(void *arg, void *session)
{
    struct hub *h = arg;

    h->out.wake(h->out.arg, session);
}

static void clients_followed(void *arg, struct job *j)
{
    previews_followed(arg, j);
    abandon_changed(arg, j);
}

int hub_new(struct hub **out, const struct hub_conf *conf, const struct hub_out *callbacks)
{
    struct hub *h = calloc(1, sizeof *h);

    *out = h;
    if (!h) return ERR_OUT_OF_MEMORY;
    h->conf = *conf;
    h->out = *callbacks;
    if (accounts_init(&h->accounts) != 0) {
        free(h);
        *out = NULL;
        return ERR_OUT_OF_MEMORY;
    }
    shares_init(h);
    registry_init(&h->registry, h->out.random(h->out.arg), conf->kept);
    queue_init(&h->queue);
    eta_init(&h->eta, RATE_GUESS);
    h->lanes.eta = &h->eta;
    stats_init(&h->stats);
    h->stats.done = conf->done;
    h->stats.failed = conf->failed;
    h->stats.cancelled = conf->cancelled;
    h->clients = (struct clients){.due = INT64_MAX,
                                  .find = clients_find,
                                  .wake = clients_wake,
                                  .followed = clients_followed,
                                  .arg = h};
    h->again_us = h->abandon_us = h->drain_us = h->private_us = h->share_us = INT64_MAX;
    h->uploads_us = INT64_MAX;
    h->pushed_us = h->estimated_us = h->rates_us = INT64_MIN / 2;
    devices_init(&h->devices, conf->devices);
    capacity_explain(h);
    return 0;
}

void hub_free(struct hub *h)
{
    if (!h) return;
    while (h->clients.first)
        client_close(&h->clients, h->clients.first);
    for (struct job *j = h->registry.newest; j; j = j->links.older)
        j->run.device = NULL;
    registry_free(&h->registry);
    uploads_free(h);
    notices_free(&h->clients.notices);
    accounts_free(&h->accounts);
    queue_free(&h->queue);
    free(h->items);
    free(h);
}

/* --- time ------------------------------------------------------------------------------------- */

/* What every entry ends with: start what can start, push what is due. Never called from below this
 * file. */
static void hub_settle(struct hub *h, int64_t now)
{
    device_events_awake(h, now);
    assert(h->n_storing >= 0 && h->n_encoding >= 0 && h->unplaced >= 0);
    stats_begin(&h->stats, now);
    abandon_look(h, now);
    private_look(h, now);
    uploads_look(h, now);
    shares_look(h, now);
    admin_look(h, now);
    if (lanes_settle(&h->lanes, &h->queue, &h->accounts)) notify_touch(h);
    placing_dispatch(h, now);
    sweeps_settle(h, now, forecast_push(h, now));
}

int hub_users(struct hub *h, int64_t now, const struct user *users, int n)
{
    int err = accounts_set(&h->accounts, users, n);

    if (!err) lifecycle_orphans(h);
    if (!err) admin_users(h);
    h->share_us = h->uploads_us = INT64_MIN; /* an owner may be gone */
    lanes_changed(&h->lanes, &h->accounts);
    hub_settle(h, now);
    return err;
}

void hub_tune(struct hub *h, int64_t now, const struct hub_tuning *t)
{
    admin_tune(h, t);
    hub_settle(h, now);
}

void hub_tick(struct hub *h, int64_t now)
{
    device_events_awake(h, now);
    ending_again(h, now);
    placing_plan_some(h);
    device_events_watch(h, now);
    clients_tick(&h->clients, now);
    hub_settle(h, now);
}

int64_t hub_due(const struct hub *h)
{
    int64_t due = h->again_us;

    if (placing_due(h) < due) due = placing_due(h);
    if (forecast_due(h) < due) due = forecast_due(h);
    if (device_events_due(h) < due) due = device_events_due(h);
    if (h->clients.due < due) due = h->clients.due;
    if (abandon_due(h) < due) due = abandon_due(h);
    if (admin_due(h) < due) due = admin_due(h);
    if (private_due(h) < due) due = private_due(h);
    if (uploads_due(h) < due) due = uploads_due(h);
    if (shares_due(h) < due) due = shares_due(h);
    return due;
}

void hub_drain(struct hub *h, int64_t now)
{
    if (!h->stopping) placing_stop(h, now);
    hub_settle(h, now);
}

bool hub_idle(const struct hub *h)
{
    return devices_residents(&h->devices) == 0 && h->n_encoding == 0 && h->n_storing == 0;
}

/* --- connections ------------------------------------------------------------------------------ */

struct client *hub_open(struct hub *h, void *session, uint32_t user)
{
    struct account *a = accounts_find(&h->accounts, user);

    return a ? client_open(&h->clients, session, a) : NULL;
}

void hub_comes_from(struct client *p, uint64_t host)
{
    p->host = host;
}

struct client *hub_open_guest(struct hub *h, void *session, uint64_t job)
{
    const struct job *j = registry_find(&h->registry, job);
    struct client *c =
        j && j->guests.until_ms ? client_open(&h->clients, session, &h->guest) : NULL;

    if (c) c->shared = job;
    return c;
}

bool hub_is_cut(const struct client *c)
{
    return c->account->user.role == ROLE_GUEST && c->shared == 0;
}

uint64_t hub_shared(const struct hub *h, int64_t now, const uint8_t hash[SHARE_HASH_BYTES],
                    uint64_t *mark)
{
    return shares_find(h, now, hash, mark);
}

bool hub_shares(const struct hub *h, uint64_t job, uint64_t mark)
{
    return shares_hold(h, job, mark);
}

bool hub_pictures(const struct hub *h, uint64_t job, const char *digest)
{
    return shares_picture(h, job, digest);
}

void hub_close(struct hub *h, int64_t now, struct client *p)
{
    abandon_closed(h, p);
    uploads_closed(h, p);
    client_close(&h->clients, p);
    hub_settle(h, now);
}

void hub_text(struct hub *h, int64_t now, struct client *p, const char *text, size_t len)
{
    device_events_awake(h, now);
    commands_text(h, now, p, text, len);
    hub_settle(h, now);
}

void hub_json(struct hub *h, int64_t now, struct client *p, const json_t *message)
{
    device_events_awake(h, now);
    commands_json(h, now, p, message);
    hub_settle(h, now);
}

void hub_command(struct hub *h, int64_t now, struct client *p, struct command *c)
{
    device_events_awake(h, now);
    commands_obey(h, now, p, c);
    hub_settle(h, now);
}

void hub_error(struct hub *h, int64_t now, struct client *p, const struct command *about,
               const struct fail *f)
{
    commands_error(h, p, about, f);
    hub_settle(h, now);
}

struct blob *hub_next(struct hub *h, int64_t now, struct client *p, bool *binary)
{
    return client_next(&h->clients, p, now, p->account->stats, p->account->stats_seq, binary);
}

size_t hub_backlog(const struct client *p)
{
    return client_backlog(p);
}

/* --- answers of the other threads ------------------------------------------------------------- */

int hub_restore(struct hub *h, int64_t now, const struct hub_row *r, struct fail *f)
{
    int err = restore_row(h, now, r, f);

    hub_settle(h, now);
    return err;
}

void hub_stored(struct hub *h, int64_t now, uint64_t job, const struct fail *why)
{
    ending_stored(h, now, job, why);
    hub_settle(h, now);
}

void hub_share_stored(struct hub *h, int64_t now, const struct hub_share *s, const struct fail *why)
{
    shares_stored(h, now, s, why);
    hub_settle(h, now);
}

void hub_removal(struct hub *h, int64_t now, const struct removal *r)
{
    favour_removal(h, now, r);
    hub_settle(h, now);
}

void hub_found(struct hub *h, int64_t now, uint64_t ticket, struct blob *answer,
               const struct fail *why)
{
    search_found(h, ticket, answer, why);
    hub_settle(h, now);
}

void hub_chunk(struct hub *h, int64_t now, struct client *p, const void *message, size_t len)
{
    struct fail f;

    device_events_awake(h, now);
    if (uploads_chunk(h, now, p, message, len, &f) != 0) commands_error(h, p, NULL, &f);
    hub_settle(h, now);
}

void hub_upload(struct hub *h, int64_t now, struct client *p, const char *ref, const void *bytes,
                size_t len, bool private)
{
    struct pending_reply *a = client_reply_new(&h->clients, p, ref);

    device_events_awake(h, now);
    if (a) uploads_whole(h, now, a, bytes, len, private);
    hub_settle(h, now);
}

void hub_image(struct hub *h, int64_t now, const struct hub_image *i, const struct fail *why)
{
    uploads_taken(h, now, i, why);
    hub_settle(h, now);
}

void hub_deleted(struct hub *h, int64_t now, const struct hub_deletion *d, const struct fail *why)
{
    deletion_stored(h, now, d, why);
    hub_settle(h, now);
}

void hub_discarded(struct hub *h, int64_t now, uint64_t ticket, const struct fail *why)
{
    uploads_discarded(h, ticket, why);
    hub_settle(h, now);
}

struct blob *hub_private_upload(const struct hub *h, uint32_t user, const char *digest)
{
    const struct account *a = accounts_find(&h->accounts, user);
    uint8_t which[SPEC_DIGEST_BYTES];
    const struct private_image *m =
        a && spec_digest_parse(digest, which) ? uploads_private(h, a, which) : NULL;

    return m ? m->file : NULL;
}

struct blob *hub_private(const struct hub *h, uint32_t user, const char *digest, uint64_t *job)
{
    return private_picture(h, user, digest, job);
}

void hub_fetched(struct hub *h, int64_t now, uint64_t job)
{
    private_fetched(h, now, job);
    hub_settle(h, now);
}

void hub_disk(struct hub *h, int64_t now, const struct fail *why)
{
    ending_disk(h, now, why);
    hub_settle(h, now);
}

void hub_encoded(struct hub *h, int64_t now, uint64_t job, struct blob *file, const char *digest,
                 const struct fail *why)
{
    ending_encoded(h, now, job, file, digest, why);
    hub_settle(h, now);
}

void hub_preview(struct hub *h, int64_t now, uint64_t job, enum event_phase phase,
                 const struct board_image *images, int n)
{
    previews_post(h, now, job, phase, images, n);
    hub_settle(h, now);
}

void hub_device_event(struct hub *h, int64_t now, const struct device_event *n)
{
    device_events_awake(h, now);
    device_events_apply(h, now, n);
    hub_settle(h, now);
}

/* --- for hello and /healthz ------------------------------------------------------------------- */

static void count_devices(const struct hub *h, struct hub_counts *out)
{
    for (int i = 0; i < h->devices.n; i++) {
        const struct device *d = &h->devices.at[i];

        if (!d->ready) continue;
        out->budget += d->ledger.budget;
        out->promised += ledger_need(&d->ledger, NULL);
    }
}

void hub_counts(const struct hub *h, struct hub_counts *out)
{
    *out = (struct hub_counts){.ready = devices_ready(&h->devices),
                               .stopping = h->stopping || h->draining,
                               .cap = capacity_cap(h),
                               .running = h->in[JOB_RUNNING],
                               .queued = h->in[JOB_QUEUED],
                               .done = h->stats.done,
                               .failed = h->stats.failed,
                               .cancelled = h->stats.cancelled,
                               .disk = h->disk.code ? h->disk.message : NULL,
                               .previews_sent = h->clients.previews_sent,
                               .previews_replaced = h->clients.previews_replaced,
                               .totals = &h->stats.totals};
    for (int i = 0; i < h->queue.n; i++)
        out->waiting[h->queue.at[i]->spec.lane]++;
    for (const struct client *p = h->clients.first; p; p = p->next)
        out->clients++;
    count_devices(h, out);
}

bool hub_knows(const struct hub *h, uint32_t user)
{
    return user != USER_NONE && accounts_find(&h->accounts, user);
}

int hub_connections(const struct hub *h, uint32_t user)
{
    const struct account *a = user == USER_NONE ? NULL : accounts_find(&h->accounts, user);

    return a ? a->clients : 0;
}

bool hub_stopping(const struct hub *h)
{
    return h->stopping;
}

int hub_notices(const struct hub *h, uint32_t user, const struct notice **out, uint64_t *seq)
{
    const struct account *a = accounts_find(&h->accounts, user);
    int n = notices_held(&h->clients.notices, out, NOTICE_KINDS);

    *seq = h->clients.notice_seq;
    return a ? n + notices_held(&a->notices, out + n, NOTICE_KINDS - n) : n;
}

const char *hub_why_cap(const struct hub *h)
{
    return h->devices.why_cap;
}

void hub_concurrency(const struct hub *h, struct concurrency *out)
{
    capacity_tell(h, out);
}
