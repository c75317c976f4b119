/* shares - one hash and one time in each job; all are looked at when the first time has come. */
#include "server/core/shares.h"

#include "server/core/ending.h"
#include "server/core/notify.h"
#include "server/core/respond.h"

#include "proto/answer.h"

#include <assert.h>
#include <string.h>

void shares_init(struct hub *h)
{
    h->guest = (struct account){.slot = -1};
    h->guest.user = (struct user){.id = USER_GUEST, .role = ROLE_GUEST, .weight = 1};
}

/* --- share, unshare --------------------------------------------------------------------------- */

/* Nothing shows it any more. */
static void cut(struct hub *h, struct job *j)
{
    j->guests.until_ms = 0;
    memset(j->guests.hash, 0, sizeof j->guests.hash);
    clients_unshare(&h->clients, j->id);
}

/* Give the disk what holds now. ticket: of the answer that waits for it; 0: none does. */
static void store(struct hub *h, struct job *j, uint64_t ticket)
{
    struct hub_share s = {.job = j->id, .ticket = ticket, .until_ms = j->guests.until_ms};

    assert(j->state != JOB_ADMIT && !j->private);
    memcpy(s.hash, j->guests.hash, sizeof s.hash);
    j->guests.storing++;
    h->n_storing++;
    h->out.store_share(h->out.arg, &s);
}

/* When the look at a job that is shared until then is due. */
static void expect(struct hub *h, int64_t now, int64_t until_ms)
{
    int64_t due = now + (until_ms - notify_unix_ms(h, now)) * 1000;

    if (due < h->share_us) h->share_us = due;
}

static int check(const struct hub *h, const struct client *p, const struct job *j, struct fail *f)
{
    if (h->accounts.users == 0) {
        fail_field(f, ERR_CONFLICT, "job", "Everybody who reaches this server sees its jobs");
        return fail_advise(f, "Give the address of the page; where there are users, jobs are "
                              "shared one by one.");
    }
    if (p->account != j->owner) {
        fail_field(f, ERR_FORBIDDEN, "job", "Only its owner may share a job");
        return fail_advise(f, "Ask its owner.");
    }
    if (!j->private) return 0;
    fail_field(f, ERR_CONFLICT, "job", "A private job is not shared");
    return fail_advise(f, "Submit it again without \"private\".");
}

void shares_obey(struct hub *h, int64_t now, struct pending_reply *a, const struct command *c)
{
    struct job *j = respond_job(h, a->client, c->job);
    char secret[SHARE_TEXT];
    struct fail f;
    struct text t;

    if (!j) {
        respond_unknown(h, a, c);
        return;
    }
    if (check(h, a->client, j, &f) != 0) {
        respond_error(h, a, c, &f);
        return;
    }
    cut(h, j);
    h->out.secret(h->out.arg, secret, j->guests.hash);
    j->guests.until_ms = notify_unix_ms(h, now) + (int64_t)c->ttl_s * 1000;
    expect(h, now, j->guests.until_ms);
    respond_begin(&t);
    answer_shared(a->ref, j->id, secret, j->guests.until_ms, &t);
    store(h, j, respond_later(h, a, &t));
}

static bool is_shared(const struct job *j)
{
    return j->guests.until_ms || j->guests.disk_ms || j->guests.storing > 0;
}

void shares_revoke(struct hub *h, struct pending_reply *a, const struct command *c)
{
    struct job *j = respond_job(h, a->client, c->job);
    struct text t;

    if (!j) {
        respond_unknown(h, a, c);
        return;
    }
    if (!is_shared(j)) {
        respond_ok(h, a, c, j);
        return;
    }
    cut(h, j);
    respond_begin(&t);
    answer_ok(a->ref, COMMAND_UNSHARE, j->id, (int)job_public(j), &t);
    store(h, j, respond_later(h, a, &t));
}

/* --- guests ----------------------------------------------------------------------------------- */

static bool over(const struct hub *h, int64_t now, const struct job *j)
{
    return j->guests.until_ms <= notify_unix_ms(h, now) || j->owner->gone;
}

static uint64_t mark_of(const struct job *j)
{
    uint64_t mark;

    memcpy(&mark, j->guests.hash, sizeof mark);
    return mark;
}

/* In a time that does not depend on where they differ. */
static bool same(const uint8_t a[SHARE_HASH_BYTES], const uint8_t b[SHARE_HASH_BYTES])
{
    unsigned differs = 0;

    for (int i = 0; i < SHARE_HASH_BYTES; i++)
        differs |= (unsigned)(a[i] ^ b[i]);
    return differs == 0;
}

uint64_t shares_find(const struct hub *h, int64_t now, const uint8_t hash[SHARE_HASH_BYTES],
                     uint64_t *mark)
{
    uint64_t found = 0;

    for (const struct job *j = h->registry.newest; j; j = j->links.older) {
        if (!j->guests.until_ms || !same(j->guests.hash, hash) || over(h, now, j)) continue;
        found = j->id;
        *mark = mark_of(j);
    }
    return found;
}

bool shares_hold(const struct hub *h, uint64_t job, uint64_t mark)
{
    const struct job *j = registry_find(&h->registry, job);

    return j && j->guests.until_ms && mark_of(j) == mark;
}

bool shares_picture(const struct hub *h, uint64_t job, const char *digest)
{
    const struct job *j = registry_find(&h->registry, job);

    if (!j || !j->guests.until_ms) return false;
    if (!j->sweep) return j->state == JOB_DONE && strcmp(j->end.digest, digest) == 0;
    for (int i = 0; i < j->sweep->n; i++)
        if (strcmp(j->sweep->cell[i].kept.digest, digest) == 0) return true;
    return false;
}

/* --- the disk's answer ------------------------------------------------------------------------ */

/* No change is on its way any more: what the disk has holds. */
static void follow_disk(struct hub *h, int64_t now, struct job *j)
{
    struct job_guests *g = &j->guests;
    bool on = g->disk_ms > notify_unix_ms(h, now) && !j->owner->gone;

    if (!on && !g->until_ms) return;
    if (on && g->until_ms == g->disk_ms && same(g->hash, g->disk_hash)) return;
    cut(h, j);
    if (!on) return;
    g->until_ms = g->disk_ms;
    memcpy(g->hash, g->disk_hash, sizeof g->hash);
    expect(h, now, g->until_ms);
}

static void settle(struct hub *h, int64_t now, struct job *j, const struct hub_share *s, bool ok)
{
    assert(j->guests.storing > 0);
    j->guests.storing--;
    if (ok) {
        j->guests.disk_ms = s->until_ms;
        memcpy(j->guests.disk_hash, s->hash, sizeof j->guests.disk_hash);
    }
    if (j->guests.storing == 0) follow_disk(h, now, j);
}

void shares_stored(struct hub *h, int64_t now, const struct hub_share *s, const struct fail *why)
{
    struct job *j = registry_find(&h->registry, s->job); /* NULL: it was deleted meanwhile */
    const struct command about = {.kind = s->until_ms ? COMMAND_SHARE : COMMAND_UNSHARE,
                                  .job = s->job};

    ending_answered(h, now, why);
    if (j) settle(h, now, j, s, !why);
    if (s->ticket) respond_stored(h, s->ticket, &about, why);
}

/* --- their end -------------------------------------------------------------------------------- */

/* The job is not remembered any more: its guests see nothing, and are told so. */
static void end_lost(struct hub *h)
{
    h->registry.lost_shared = false;
    for (const struct client *c = h->clients.first; c; c = c->next)
        if (c->shared && !registry_find(&h->registry, c->shared))
            clients_unshare(&h->clients, c->shared);
}

void shares_look(struct hub *h, int64_t now)
{
    if (h->registry.lost_shared) end_lost(h);
    if (now < h->share_us) return;
    h->share_us = INT64_MAX;
    for (struct job *j = h->registry.newest; j; j = j->links.older) {
        if (!j->guests.until_ms) continue;
        if (!over(h, now, j)) {
            expect(h, now, j->guests.until_ms);
            continue;
        }
        cut(h, j);
        store(h, j, 0);
    }
}

int64_t shares_due(const struct hub *h)
{
    return h->share_us;
}
