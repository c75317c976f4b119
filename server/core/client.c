/* client - the hub's side of one connection. */
#include "server/core/client.h"

#include <assert.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

static void wake(struct clients *cs, struct client *c)
{
    if (c->woken) return;
    c->woken = true;
    cs->wake(cs->arg, c->session);
}

/* --- rings ------------------------------------------------------------------------------------ */

static void ring_leave(struct subscription *s)
{
    struct subscription **head = &s->client->ring[s->ring];

    if (s->ring == RING_NONE) return;
    if (s->next == s) {
        *head = NULL;
    } else {
        s->next->prev = s->prev;
        s->prev->next = s->next;
        if (*head == s) *head = s->next;
    }
    s->ring = RING_NONE;
}

/* Join at the end. */
static void ring_join(struct subscription *s, int ring)
{
    struct subscription **head = &s->client->ring[ring];

    assert(ring == RING_TEXT || ring == RING_IMAGE);
    ring_leave(s);
    s->ring = ring;
    if (*head) {
        s->next = *head;
        s->prev = (*head)->prev;
        s->prev->next = s->next->prev = s;
    } else {
        *head = s->next = s->prev = s;
    }
}

/* Move a subscription into the ring it belongs to; in that ring already, it keeps its place. */
static void place(struct clients *cs, struct subscription *s, int64_t now)
{
    const struct board *b = &s->job->board;
    int ring = RING_NONE;
    uint64_t at;

    if (board_has_text(b, s->seq)) {
        ring = RING_TEXT;
    } else if (board_next(b, s->seq, s->client->class, &at) >= 0) {
        if (s->preview_us <= now)
            ring = RING_IMAGE;
        else if (s->preview_us < cs->due)
            cs->due = s->preview_us;
    }
    if (ring == s->ring) return;
    if (ring == RING_NONE)
        ring_leave(s);
    else
        ring_join(s, ring);
}

/* --- subscriptions ---------------------------------------------------------------------------- */

static struct subscription *find(const struct client *c, const struct job *j)
{
    struct subscription *s = c->subscriptions;

    while (s && s->job != j)
        s = s->client_next;
    return s;
}

bool client_sees(const struct client *c, const struct job *j)
{
    if (c->shared && (j->id == c->shared || j->place.parent == c->shared)) return true;
    return account_sees(c->account, j->owner);
}

bool client_follows(const struct client *c, const struct job *j)
{
    return find(c, j) != NULL;
}

bool client_full(const struct client *c)
{
    return c->n_subscriptions + c->n_wanted >= LIMIT_WATCHES;
}

static void subscription_free(struct clients *cs, struct subscription *s)
{
    struct job *j = s->job;

    assert(s->client->n_subscriptions > 0);
    ring_leave(s);
    *(s->job_prev ? &s->job_prev->job_next : &j->subscriptions) = s->job_next;
    if (s->job_next) s->job_next->job_prev = s->job_prev;
    *(s->client_prev ? &s->client_prev->client_next : &s->client->subscriptions) = s->client_next;
    if (s->client_next) s->client_next->client_prev = s->client_prev;
    s->client->n_subscriptions--;
    free(s);
    cs->followed(cs->arg, j);
}

static struct subscription *subscription_new(struct client *c, struct job *j)
{
    struct subscription *s = calloc(1, sizeof *s);

    if (!s) return NULL;
    s->client = c;
    s->job = j;
    s->job_next = j->subscriptions;
    if (j->subscriptions) j->subscriptions->job_prev = s;
    j->subscriptions = s;
    s->client_next = c->subscriptions;
    if (c->subscriptions) c->subscriptions->client_prev = s;
    c->subscriptions = s;
    c->n_subscriptions++;
    return s;
}

static void follow(struct clients *cs, struct client *c, struct job *j, uint64_t seq)
{
    struct subscription *s = find(c, j);

    if (!s && j->board.at[EVENT_END] && j->board.at[EVENT_END] <= seq) return;
    if (!s) s = subscription_new(c, j);
    if (!s) {
        c->broken = true;
        return;
    }
    s->seq = seq;
    s->preview_us = INT64_MIN;
    place(cs, s, INT64_MIN);
    cs->followed(cs->arg, j);
}

static void narrow(struct clients *cs, struct client *c)
{
    struct subscription *next;

    for (struct subscription *s = c->subscriptions; s; s = next) {
        next = s->client_next;
        if (!client_sees(c, s->job)) subscription_free(cs, s);
    }
}

void clients_narrow(struct clients *cs, const struct account *a)
{
    for (struct client *c = cs->first; c; c = c->next)
        if (c->account == a) narrow(cs, c);
}

void clients_unshare(struct clients *cs, uint64_t job)
{
    for (struct client *c = cs->first; c; c = c->next) {
        if (c->shared != job) continue;
        c->shared = 0;
        narrow(cs, c);
        wake(cs, c);
    }
}

void clients_forget(struct clients *cs, struct job *j)
{
    while (j->subscriptions)
        subscription_free(cs, j->subscriptions);
    if (j->guests.until_ms) clients_unshare(cs, j->id);
}

/* --- answers ---------------------------------------------------------------------------------- */

struct pending_reply *client_reply_new(struct clients *cs, struct client *c, const char *ref)
{
    struct pending_reply *a = calloc(1, sizeof *a);

    if (!a) {
        c->broken = true;
        wake(cs, c);
        return NULL;
    }
    a->client = c;
    memccpy(a->ref, ref, '\0', sizeof a->ref - 1);
    *c->last = a;
    c->last = &a->next;
    if (!c->held) c->held = a;
    c->backlog += sizeof *a;
    return a;
}

void client_reply_follows(struct pending_reply *a)
{
    assert(!a->wanted && !a->text);
    a->wanted = true;
    a->client->n_wanted++;
}

static void act(struct clients *cs, const struct pending_reply *a)
{
    struct client *c = a->client;
    struct job *j = a->job ? cs->find(cs->arg, a->job) : NULL;

    if (j && !client_sees(c, j)) j = NULL; /* not any more */
    if (a->wanted) c->n_wanted--;
    if (a->act == REPLY_STATS) c->stats = true;
    if (a->act == REPLY_FOLLOW && j) follow(cs, c, j, a->seq);
    if (a->act == REPLY_JOIN && j && !find(c, j)) follow(cs, c, j, a->seq);
    if (a->act == REPLY_UNFOLLOW && j && find(c, j)) subscription_free(cs, find(c, j));
}

void client_reply_wait(struct pending_reply *a, struct job *j)
{
    a->job = j->id;
    a->waiter_next = j->waiters;
    j->waiters = a;
}

struct pending_reply *client_waiters(struct job *j)
{
    struct pending_reply *in_order = NULL;

    while (j->waiters) {
        struct pending_reply *a = j->waiters;

        j->waiters = a->waiter_next;
        a->waiter_next = in_order;
        in_order = a;
    }
    return in_order;
}

void client_reply_ready(struct clients *cs, struct pending_reply *a, struct blob *text)
{
    struct client *c = a->client;

    assert(!a->text);
    c->backlog -= a->expected;
    a->expected = 0;
    a->text = text ? text : blob_copy("", 0);
    if (!text || !a->text) c->broken = true;
    if (a->text) c->backlog += a->text->len;
    while (c->held && c->held->text) {
        act(cs, c->held);
        c->held = c->held->next;
    }
    if (c->broken || (c->first && c->first->text)) wake(cs, c);
}

void client_reply_expect(struct client *c, size_t bytes)
{
    struct pending_reply *a;

    if (!c->first) return;
    a = (struct pending_reply *)(void *)((char *)c->last - offsetof(struct pending_reply, next));
    assert(!a->next && !a->expected);
    if (a->text) return;
    a->expected = bytes;
    c->backlog += bytes;
}

size_t client_backlog(const struct client *c)
{
    return c->broken ? SIZE_MAX : c->backlog;
}

static struct blob *reply_take(struct client *c)
{
    struct pending_reply *a = c->first;
    struct blob *text = a->text;

    assert(text && c->backlog >= sizeof *a + text->len);
    c->first = a->next;
    if (!c->first) c->last = &c->first;
    c->backlog -= sizeof *a + text->len;
    free(a);
    return text;
}

/* --- the connection --------------------------------------------------------------------------- */

struct client *client_open(struct clients *cs, void *session, struct account *a)
{
    struct client *c = calloc(1, sizeof *c);

    if (!c) return NULL;
    c->session = session;
    c->account = a;
    c->number = ++cs->opened;
    a->clients++;
    c->notice_seq = cs->notice_seq; /* hello has those of before */
    c->last = &c->first;
    c->previews = COMMAND_PREVIEWS_DEFAULT;
    c->class = board_class(c->previews.format, c->previews.max_px);
    c->next = cs->first;
    if (cs->first) cs->first->prev = c;
    cs->first = c;
    return c;
}

/* Unlink a reply from the job that it waits for: its client is being freed. */
static void forget_waiter(struct clients *cs, struct pending_reply *a)
{
    struct job *j = a->job ? cs->find(cs->arg, a->job) : NULL;
    struct pending_reply **at;

    if (a->text || !j) return;
    for (at = &j->waiters; *at; at = &(*at)->waiter_next) {
        if (*at != a) continue;
        *at = a->waiter_next;
        return;
    }
}

void client_close(struct clients *cs, struct client *c)
{
    while (c->subscriptions)
        subscription_free(cs, c->subscriptions);
    while (c->first) {
        struct pending_reply *a = c->first;

        forget_waiter(cs, a);
        c->first = a->next;
        blob_unref(a->text);
        blob_unref(a->then);
        free(a);
    }
    *(c->prev ? &c->prev->next : &cs->first) = c->next;
    if (c->next) c->next->prev = c->prev;
    c->account->clients--;
    free(c);
}

void client_previews(struct clients *cs, struct client *c, const struct command_previews *demand)
{
    c->previews = *demand;
    c->class = board_class(demand->format, demand->max_px);
    for (struct subscription *s = c->subscriptions; s; s = s->client_next) {
        s->preview_us = INT64_MIN;
        place(cs, s, INT64_MIN);
        if (s->ring != RING_NONE) wake(cs, c);
        cs->followed(cs->arg, s->job);
    }
}

void clients_posted(struct clients *cs, struct job *j, int64_t now)
{
    for (struct subscription *s = j->subscriptions; s; s = s->job_next) {
        place(cs, s, now);
        if (s->ring != RING_NONE) wake(cs, s->client);
    }
}

void clients_notice(struct clients *cs, struct account *a, const struct notice *n,
                    struct blob *message)
{
    if (!notices_post(a ? &a->notices : &cs->notices, ++cs->notice_seq, n, message)) return;
    for (struct client *c = cs->first; c; c = c->next)
        if (!a || c->account == a) wake(cs, c);
}

unsigned clients_behind(const struct job *j, int64_t now)
{
    unsigned n = 0;

    for (const struct subscription *s = j->subscriptions; s; s = s->job_next) {
        int class = s->client->class;

        if (class < 0 || !j->board.preview[class] || s->preview_us > now) continue;
        if (j->board.at[EVENT_PREVIEW] > s->seq) n++;
    }
    return n;
}

void clients_stats(struct clients *cs, uint64_t seq)
{
    for (struct client *c = cs->first; c; c = c->next)
        if (c->stats && c->stats_seq < seq) wake(cs, c);
}

void clients_tick(struct clients *cs, int64_t now)
{
    if (now < cs->due) return;
    cs->due = INT64_MAX;
    for (struct client *c = cs->first; c; c = c->next) {
        for (struct subscription *s = c->subscriptions; s; s = s->client_next) {
            if (s->ring != RING_NONE) continue;
            place(cs, s, now);
            if (s->ring != RING_NONE) wake(cs, c);
        }
    }
}

/* The next slot of one subscription: the oldest that it has not seen. A preview that comes too soon
 * after the last one is skipped; clients_tick() files it when it may go. */
static struct blob *subscription_take(struct clients *cs, struct subscription *s, int64_t now,
                                      bool *binary)
{
    const struct board *b = &s->job->board;
    int class = s->preview_us <= now ? s->client->class : -1;
    uint64_t at = 0;
    int kind = board_next(b, s->seq, class, &at);
    struct blob *m;

    assert(kind >= 0);
    m = blob_ref(board_message(b, kind, class));
    s->seq = at;
    *binary = kind == EVENT_PREVIEW;
    if (*binary) {
        s->preview_us = now + (int64_t)s->client->previews.every_ms * 1000;
        cs->previews_sent++;
    }
    if (kind == EVENT_END) {
        subscription_free(cs, s);
        return m;
    }
    ring_leave(s);
    place(cs, s, now);
    return m;
}

static struct blob *next_notice(const struct clients *cs, struct client *c)
{
    bool guest = c->account->user.role == ROLE_GUEST; /* notices are for users */
    const struct notice_slot *s =
        guest ? NULL : notices_next(&cs->notices, &c->account->notices, c->notice_seq);

    c->notice_seq = s ? s->seq : cs->notice_seq;
    return s ? blob_ref(s->message) : NULL;
}

struct blob *client_next(struct clients *cs, struct client *c, int64_t now, struct blob *stats,
                         uint64_t stats_seq, bool *binary)
{
    struct blob *notice;

    *binary = false;
    if (c->first && c->first->text) return reply_take(c);
    if (c->notice_seq < cs->notice_seq && (notice = next_notice(cs, c))) return notice;
    if (c->ring[RING_TEXT]) return subscription_take(cs, c->ring[RING_TEXT], now, binary);
    if (c->stats && stats && c->stats_seq < stats_seq) {
        c->stats_seq = stats_seq;
        return blob_ref(stats);
    }
    if (c->ring[RING_IMAGE]) return subscription_take(cs, c->ring[RING_IMAGE], now, binary);
    c->woken = false;
    return NULL;
}
