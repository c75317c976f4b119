/* chaos_shares - what test_chaos knows of shared jobs: which secrets were given, which of them show
 * a job now, and guests who look at one. */
#ifndef TEST_SIM_CHAOS_SHARES_H
#define TEST_SIM_CHAOS_SHARES_H

#include "test/sim/chaos_client.h"

static inline int64_t chaos_unix_ms(const struct chaos *x)
{
    return x->w->conf.unix_ms + x->w->hub->called_us / 1000;
}

static inline void share_hash(uint64_t bits, uint8_t hash[SHARE_HASH_BYTES])
{
    memset(hash, 0, SHARE_HASH_BYTES);
    memcpy(hash, &bits, sizeof bits);
}

/* A user goes, and the shares end. What became of them on the disk is not known: here a user comes
 * back under the same number, which none does outside. */
static inline void shares_leave(struct chaos *x, int user)
{
    for (unsigned i = 0; i < SHARES && i < x->n_shares; i++)
        if (x->share[i].user == user) x->share[i].ending++;
}

/* Does it show a job now? */
static inline bool share_shows(const struct chaos *x, const struct chaos_share *s, uint64_t *mark)
{
    const struct hub *h = x->w->hub;
    uint8_t hash[SHARE_HASH_BYTES];
    uint64_t job;

    share_hash(s->bits, hash);
    job = hub_shared(h, h->called_us, hash, mark);
    MUST(x->w, job == 0 || job == s->job, "a secret that shows another job");
    return job != 0;
}

/* By this command all secrets of the job that were given before end, at once, whatever the disk
 * will answer; unless it is refused before. */
static inline void shares_end(struct chaos *x, uint64_t job, unsigned ref, bool refused)
{
    uint64_t mark;

    for (unsigned i = 0; i < SHARES && i < x->n_shares; i++) {
        struct chaos_share *s = &x->share[i];

        if (s->job != job || s->ref >= ref) continue;
        s->ending++;
        MUST(x->w, refused || !share_shows(x, s, &mark), "a secret that still shows its job");
    }
}

/* Whose job it is, one that is forgotten too: a command that names it brings it back. */
static inline bool is_own(const struct chaos *x, const struct chaos_client *c, uint64_t job)
{
    const struct saved *d = truth_of(x->w, job)->disk;

    return d && !d->deleted && d->row.owner == c->client->account->user.id;
}

/* A job is shared by who may, and by no other; a new secret takes the place of the old one. */
static inline void op_share(struct chaos *x, struct chaos_client *c, uint64_t job)
{
    struct world *w = x->w;
    bool may = x->users && is_own(x, c, job) && !truth_of(w, job)->disk->row.private;
    int ttl_s = 1 + pick(w, 30);
    unsigned sent = c->ref_end;
    char id[ID_TEXT];

    id_format(job, id);
    w->secret = 0;
    command(x, c, may ? 'g' : 'G', "\"type\":\"share\",\"job\":\"%s\",\"ttl_s\":%d", id, ttl_s);
    MUST(w, !w->secret || may, "a secret for who may not share");
    if (may && c->ref_end != sent) shares_end(x, job, x->next_ref, !w->secret);
    if (!w->secret) return;
    x->share[x->n_shares++ % SHARES] =
        (struct chaos_share){.job = job,
                             .bits = w->secret,
                             .ref = x->next_ref,
                             .user = (int)((c - x->c) % CHAOS_USERS),
                             .until_ms = chaos_unix_ms(x) + ttl_s * INT64_C(1000)};
}

static inline void op_unshare(struct chaos *x, struct chaos_client *c, uint64_t job)
{
    bool may = x->users && (is_own(x, c, job) || c->client->account->user.role == ROLE_ADMIN);
    unsigned sent = c->ref_end;
    char id[ID_TEXT];

    id_format(job, id);
    command(x, c, may ? 'g' : 'G', "\"type\":\"unshare\",\"job\":\"%s\"", id);
    if (may && c->ref_end != sent) shares_end(x, job, x->next_ref, false);
}

/* What was answered holds, over all that happens to the process: a secret that was given shows its
 * job until something ends it, and what was ended shows nothing. */
static inline void check_share(struct chaos *x, const struct chaos_share *s)
{
    struct world *w = x->w;
    bool may = !s->ended && chaos_unix_ms(x) < s->until_ms && !x->away[s->user]
               && registry_find(&w->hub->registry, s->job);
    bool must = may && s->answered && s->ending == 0;
    uint64_t mark;
    bool shows = share_shows(x, s, &mark);

    if (w->early_shares) {
        w->n_wrong += (shows && !may) || (must && !shows);
        return;
    }
    MUST(w, !shows || may, "a secret that shows a job after its end");
    MUST(w, !must || shows, "a secret that was given shows nothing");
    MUST(w, !shows || hub_shares(w->hub, s->job, mark), "its mark");
    x->shown += must;
}

static inline void check_shares(struct chaos *x)
{
    for (unsigned i = 0; i < SHARES && i < x->n_shares; i++)
        check_share(x, &x->share[i]);
}

/* --- guests ----------------------------------------------------------------------------------- */

static inline void guest_leave(struct chaos *x, struct chaos_guest *g)
{
    world_enter(x->w);
    if (g->c.client) hub_close(x->w->hub, x->w->now, g->c.client);
    *g = (struct chaos_guest){.job = 0};
}

static inline void guest_come(struct chaos *x, struct chaos_guest *g)
{
    unsigned n = x->n_shares < SHARES ? x->n_shares : SHARES;
    const struct chaos_share *s = n ? &x->share[pick(x->w, (int)n)] : NULL;
    uint8_t hash[SHARE_HASH_BYTES];
    char id[ID_TEXT];

    if (!s) return;
    share_hash(s->bits, hash);
    g->job = hub_shared(x->w->hub, x->w->now, hash, &g->mark);
    if (!g->job) return;
    g->c.client = hub_open_guest(x->w->hub, &g->c, g->job);
    MUST(x->w, g->c.client, "a guest of a shared job is not let in");
    x->guests++;
    id_format(g->job, id);
    command(x, &g->c, 'w', "\"type\":\"watch\",\"job\":\"%s\",\"seq\":0", id);
}

/* Is it this job, or a cell of it? */
static inline bool is_shown(const struct chaos *x, const struct chaos_guest *g, uint64_t job)
{
    const struct saved *s = truth_of(x->w, job)->disk;

    return job == g->job || (s && s->row.place.parent == g->job);
}

static inline void guest_listen(struct chaos *x, struct chaos_guest *g)
{
    /* a job that was forgotten and came back is shown by its secret again, to who comes anew */
    bool binary, shown = g->c.client->shared == g->job;
    struct blob *b = hub_next(x->w->hub, x->w->now, g->c.client, &binary);
    uint64_t job;
    json_t *m;

    g->told |= !shown && g->c.woken;
    MUST(x->w, !shown || registry_find(&x->w->hub->registry, g->job), "a job that is gone");
    MUST(x->w, shown || g->told, "a guest who is not told that it was the end");
    MUST(x->w, shown != hub_is_cut(g->c.client), "a guest whose connection is not closed, or is");
    if (!b) g->c.woken = false;
    if (!b) return;
    m = binary ? NULL : json_loadb((const char *)b->data, b->len, 0, NULL);
    if (!string(m, "ref")[0] && id_parse(string(m, "job"), &job)) {
        MUST(x->w, shown, "an event for a guest whose time is over");
        MUST(x->w, is_shown(x, g, job), "another job is shown to a guest");
        x->guest_events++;
    }
    MUST(x->w, strcmp(string(m, "type"), "stats") != 0 && strcmp(string(m, "type"), "notice") != 0,
         "a guest is told of others");
    json_decref(m);
    blob_unref(b);
}

/* Guests ask for other jobs too, and get none. */
static inline void op_guest(struct chaos *x)
{
    struct chaos_guest *g = &x->guest[pick(x->w, GUESTS)];
    const struct job *j = x->w->hub->registry.newest;
    char id[ID_TEXT];

    if (!g->c.client) {
        guest_come(x, g);
        return;
    }
    for (int n = pick(x->w, 6); n > 0; n--)
        guest_listen(x, g);
    if (chance(x->w, 0.05) && j) {
        id_format(j->id, id);
        command(x, &g->c, 'w', "\"type\":\"%s\",\"job\":\"%s\"",
                chance(x->w, 0.5) ? "watch" : "cancel", id);
    }
    g->c.ref_first = g->c.ref_end; /* its answers are not looked at */
    if (g->c.client->shared != g->job || chance(x->w, 0.02)) guest_leave(x, g);
}

#endif
