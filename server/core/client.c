/* client - the hub's side of one connection. */
#include "server/core/client.h"

#include <assert.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

static void wake(struct clients *ps, struct client *p)
{
    if (p->woken) return;
    p->woken = true;
    ps->wake(ps->arg, p->session);
}

/* --- rings ------------------------------------------------------------------------------------ */

static void ring_leave(struct subscription *v)
{
    struct subscription **head = &v->client->ring[v->ring];

    if (v->ring == RING_NONE) return;
    if (v->next == v) {
        *head = NULL;
    } else {
        v->next->prev = v->prev;
        v->prev->next = v->next;
        if (*head == v) *head = v->next;
    }
    v->ring = RING_NONE;
}

/* Join at the end. */
static void ring_join(struct subscription *v, int ring)
{
    struct subscription **head = &v->client->ring[ring];

    assert(ring == RING_TEXT || ring == RING_IMAGE);
    ring_leave(v);
    v->ring = ring;
    if (*head) {
        v->next = *head;
        v->prev = (*head)->prev;
        v->prev->next = v->next->prev = v;
    } else {
        *head = v->next = v->prev = v;
    }
}

/* Put a subscription where it belongs; it keeps its place when it is there already. */
static void place(struct clients *ps, struct subscription *v, int64_t now)
{
    const struct board *b = &v->job->board;
    int ring = RING_NONE;
    uint64_t at;

    if (board_has_text(b, v->seq)) {
        ring = RING_TEXT;
    } else if (board_next(b, v->seq, v->client->class, &at) >= 0) {
        if (v->preview_us <= now)
            ring = RING_IMAGE;
        else if (v->preview_us < ps->due)
            ps->due = v->preview_us;
    }
    if (ring == v->ring) return;
    if (ring == RING_NONE)
        ring_leave(v);
    else
        ring_join(v, ring);
}

/* --- subscriptions ---------------------------------------------------------------------------- */

static struct subscription *find(const struct client *p, const struct job *j)
{
    struct subscription *v = p->subscriptions;

    while (v && v->job != j)
        v = v->client_next;
    return v;
}

bool client_follows(const struct client *p, const struct job *j)
{
    return find(p, j) != NULL;
}

bool client_full(const struct client *p)
{
    return p->n_subscriptions + p->n_wanted >= LIMIT_WATCHES;
}

static void subscription_free(struct clients *ps, struct subscription *v)
{
    struct job *j = v->job;

    assert(v->client->n_subscriptions > 0);
    ring_leave(v);
    *(v->job_prev ? &v->job_prev->job_next : &j->subscriptions) = v->job_next;
    if (v->job_next) v->job_next->job_prev = v->job_prev;
    *(v->client_prev ? &v->client_prev->client_next : &v->client->subscriptions) = v->client_next;
    if (v->client_next) v->client_next->client_prev = v->client_prev;
    v->client->n_subscriptions--;
    free(v);
    ps->followed(ps->arg, j);
}

static struct subscription *subscription_new(struct client *p, struct job *j)
{
    struct subscription *v = calloc(1, sizeof *v);

    if (!v) return NULL;
    v->client = p;
    v->job = j;
    v->job_next = j->subscriptions;
    if (j->subscriptions) j->subscriptions->job_prev = v;
    j->subscriptions = v;
    v->client_next = p->subscriptions;
    if (p->subscriptions) p->subscriptions->client_prev = v;
    p->subscriptions = v;
    p->n_subscriptions++;
    return v;
}

static void follow(struct clients *ps, struct client *p, struct job *j, uint64_t seq)
{
    struct subscription *v = find(p, j);

    if (!v && j->board.at[EVENT_END] && j->board.at[EVENT_END] <= seq) return;
    if (!v) v = subscription_new(p, j);
    if (!v) {
        p->broken = true;
        return;
    }
    v->seq = seq;
    v->preview_us = INT64_MIN;
    place(ps, v, INT64_MIN);
    ps->followed(ps->arg, j);
}

void clients_forget(struct clients *ps, struct job *j)
{
    while (j->subscriptions)
        subscription_free(ps, j->subscriptions);
}

/* --- answers ---------------------------------------------------------------------------------- */

struct pending_reply *client_reply_new(struct clients *ps, struct client *p, const char *ref)
{
    struct pending_reply *a = calloc(1, sizeof *a);

    if (!a) {
        p->broken = true;
        wake(ps, p);
        return NULL;
    }
    a->client = p;
    memccpy(a->ref, ref, '\0', sizeof a->ref - 1);
    *p->last = a;
    p->last = &a->next;
    if (!p->held) p->held = a;
    p->backlog += sizeof *a;
    return a;
}

void client_reply_follows(struct pending_reply *a)
{
    assert(!a->wanted && !a->text);
    a->wanted = true;
    a->client->n_wanted++;
}

static void act(struct clients *ps, const struct pending_reply *a)
{
    struct client *p = a->client;
    struct job *j = a->job ? ps->find(ps->arg, a->job) : NULL;

    if (a->wanted) p->n_wanted--;
    if (a->act == REPLY_STATS) p->stats = true;
    if (a->act == REPLY_FOLLOW && j) follow(ps, p, j, a->seq);
    if (a->act == REPLY_JOIN && j && !find(p, j)) follow(ps, p, j, a->seq);
    if (a->act == REPLY_UNFOLLOW && j && find(p, j)) subscription_free(ps, find(p, j));
}

void client_reply_ready(struct clients *ps, struct pending_reply *a, struct blob *text)
{
    struct client *p = a->client;

    assert(!a->text);
    p->backlog -= a->expected;
    a->expected = 0;
    a->text = text ? text : blob_copy("", 0);
    if (!text || !a->text) p->broken = true;
    if (a->text) p->backlog += a->text->len;
    while (p->held && p->held->text) {
        act(ps, p->held);
        p->held = p->held->next;
    }
    if (p->broken || (p->first && p->first->text)) wake(ps, p);
}

void client_reply_expect(struct client *p, size_t bytes)
{
    struct pending_reply *a;

    if (!p->first) return;
    a = (struct pending_reply *)(void *)((char *)p->last - offsetof(struct pending_reply, next));
    assert(!a->next && !a->expected);
    if (a->text) return;
    a->expected = bytes;
    p->backlog += bytes;
}

size_t client_backlog(const struct client *p)
{
    return p->broken ? SIZE_MAX : p->backlog;
}

static struct blob *reply_take(struct client *p)
{
    struct pending_reply *a = p->first;
    struct blob *text = a->text;

    assert(text && p->backlog >= sizeof *a + text->len);
    p->first = a->next;
    if (!p->first) p->last = &p->first;
    p->backlog -= sizeof *a + text->len;
    free(a);
    return text;
}

/* --- the connection --------------------------------------------------------------------------- */

struct client *client_open(struct clients *ps, void *session)
{
    struct client *p = calloc(1, sizeof *p);

    if (!p) return NULL;
    p->session = session;
    p->last = &p->first;
    p->previews = COMMAND_PREVIEWS_DEFAULT;
    p->class = board_class(p->previews.format, p->previews.max_px);
    p->next = ps->first;
    if (ps->first) ps->first->prev = p;
    ps->first = p;
    return p;
}

/* No job may answer to a client that is gone. */
static void forget_waiter(struct clients *ps, struct pending_reply *a)
{
    struct job *j = a->job ? ps->find(ps->arg, a->job) : NULL;
    struct pending_reply **at;

    if (a->text || !j) return;
    for (at = &j->waiters; *at; at = &(*at)->waiter_next) {
        if (*at != a) continue;
        *at = a->waiter_next;
        return;
    }
}

void client_close(struct clients *ps, struct client *p)
{
    while (p->subscriptions)
        subscription_free(ps, p->subscriptions);
    while (p->first) {
        struct pending_reply *a = p->first;

        forget_waiter(ps, a);
        p->first = a->next;
        blob_unref(a->text);
        free(a);
    }
    *(p->prev ? &p->prev->next : &ps->first) = p->next;
    if (p->next) p->next->prev = p->prev;
    free(p);
}

void client_previews(struct clients *ps, struct client *p, const struct command_previews *demand)
{
    p->previews = *demand;
    p->class = board_class(demand->format, demand->max_px);
    for (struct subscription *v = p->subscriptions; v; v = v->client_next) {
        v->preview_us = INT64_MIN;
        place(ps, v, INT64_MIN);
        if (v->ring != RING_NONE) wake(ps, p);
        ps->followed(ps->arg, v->job);
    }
}

void clients_posted(struct clients *ps, struct job *j, int64_t now)
{
    for (struct subscription *v = j->subscriptions; v; v = v->job_next) {
        place(ps, v, now);
        if (v->ring != RING_NONE) wake(ps, v->client);
    }
}

void clients_stats(struct clients *ps, uint64_t seq)
{
    for (struct client *p = ps->first; p; p = p->next)
        if (p->stats && p->stats_seq < seq) wake(ps, p);
}

void clients_tick(struct clients *ps, int64_t now)
{
    if (now < ps->due) return;
    ps->due = INT64_MAX;
    for (struct client *p = ps->first; p; p = p->next) {
        for (struct subscription *v = p->subscriptions; v; v = v->client_next) {
            if (v->ring != RING_NONE) continue;
            place(ps, v, now);
            if (v->ring != RING_NONE) wake(ps, p);
        }
    }
}

/* The next slot of one subscription: the oldest that it has not seen. A preview that comes too soon
 * after the last one is passed over here; its turn comes when no text waits. */
static struct blob *subscription_take(struct clients *ps, struct subscription *v, int64_t now,
                                      bool *binary)
{
    const struct board *b = &v->job->board;
    int class = v->preview_us <= now ? v->client->class : -1;
    uint64_t at = 0;
    int kind = board_next(b, v->seq, class, &at);
    struct blob *m;

    assert(kind >= 0);
    m = blob_ref(board_message(b, (enum event_kind)kind, class));
    v->seq = at;
    *binary = kind == EVENT_PREVIEW;
    if (*binary) v->preview_us = now + (int64_t)v->client->previews.every_ms * 1000;
    if (kind == EVENT_END) {
        subscription_free(ps, v);
        return m;
    }
    ring_leave(v);
    place(ps, v, now);
    return m;
}

struct blob *client_next(struct clients *ps, struct client *p, int64_t now, struct blob *stats,
                         uint64_t stats_seq, bool *binary)
{
    *binary = false;
    if (p->first && p->first->text) return reply_take(p);
    if (p->ring[RING_TEXT]) return subscription_take(ps, p->ring[RING_TEXT], now, binary);
    if (p->stats && stats && p->stats_seq < stats_seq) {
        p->stats_seq = stats_seq;
        return blob_ref(stats);
    }
    if (p->ring[RING_IMAGE]) return subscription_take(ps, p->ring[RING_IMAGE], now, binary);
    p->woken = false;
    return NULL;
}
