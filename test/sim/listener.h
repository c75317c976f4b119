/* listener - a connection that reads everything at once, and helpers for tests in the simulated
 * world. */
#ifndef TEST_SIM_LISTENER_H
#define TEST_SIM_LISTENER_H

#include "test/sim/world.h"

#include "proto/id.h"

/* A connection that reads everything at once into one string, messages separated by newlines. */
struct listener {
    struct client *client;
    char text[1 << 20];
    size_t len;
};

static inline void listen_all(struct world *w, struct listener *e)
{
    struct blob *b;
    bool binary;

    e->len = 0;
    while ((b = hub_next(w->hub, w->now, e->client, &binary)) != NULL) {
        if (!binary && e->len + b->len + 2 < sizeof e->text) {
            memcpy(e->text + e->len, b->data, b->len);
            e->len += b->len;
        }
        e->text[e->len++] = '\n';
        blob_unref(b);
    }
    e->text[e->len] = '\0';
}

static inline struct listener *listener_of(struct world *w, uint32_t user)
{
    struct listener *e = calloc(1, sizeof *e);

    assert_non_null(e);
    e->client = hub_open(w->hub, e, user);
    assert_non_null(e->client);
    return e;
}

static inline struct listener *listener_new(struct world *w)
{
    return listener_of(w, USER_NONE);
}

static inline void listener_free(struct world *w, struct listener *e)
{
    if (e->client) hub_close(w->hub, w->now, e->client);
    free(e);
}

__attribute__((format(printf, 3, 4))) static inline void
command(struct world *w, struct listener *e, const char *format, ...)
{
    char text[2048];
    va_list ap;
    int n;

    va_start(ap, format);
    n = vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    hub_text(w->hub, w->now, e->client, text, (size_t)n);
}

static inline int count(const char *text, const char *what)
{
    int n = 0;

    for (const char *at = text; (at = strstr(at, what)) != NULL; at++)
        n++;
    return n;
}

#define HEARD(e, what)     assert_true(count((e)->text, what) > 0)
#define NOT_HEARD(e, what) assert_int_equal(count((e)->text, what), 0)

static inline struct world *ready_world(void)
{
    struct world *w = world_new(1);

    worker_open(w);
    event_deliver(w);
    return w;
}

static inline void deliver_all(struct world *w)
{
    while (w->event_first != w->event_end)
        event_deliver(w);
}

static inline void store_all(struct world *w)
{
    while (w->write_first != w->write_end)
        store_answer(w, true);
}

/* n quanta of 10 ms, everything around them at once. */
static inline void go_on(struct world *w, int n)
{
    for (int i = 0; i < n; i++) {
        w->now += 10000;
        worker_step(w, 10000);
        deliver_all(w);
        while (w->picture_first != w->picture_end)
            encoder_answer(w, ERR_OK);
        store_all(w);
        hub_tick(w->hub, w->now);
    }
}

/* `delete`, and what it is answered with when the disk has done it. */
static inline const char *remove_job(struct world *w, struct listener *e, uint64_t job)
{
    char id[ID_TEXT];

    id_format(job, id);
    listen_all(w, e);
    command(w, e, "{\"type\":\"delete\",\"job\":\"%s\"}", id);
    listen_all(w, e);
    if (strstr(e->text, "\"re\":\"delete\"")) return e->text;
    store_all(w);
    listen_all(w, e);
    return e->text;
}

static inline uint64_t newest(const struct world *w)
{
    return w->hub->registry.newest->id;
}

static inline const char *hex(uint64_t id)
{
    static char text[4][ID_TEXT];
    static int at;

    at = (at + 1) % 4;
    id_format(id, text[at]);
    return text[at];
}

/* A quantum of every device that works, and all that follows; 1 ms passes when none does. */
static inline void turn(struct world *w)
{
    int64_t before = w->now;

    worker_step(w, 0);
    deliver_all(w);
    while (w->picture_first != w->picture_end)
        encoder_answer(w, ERR_OK);
    store_all(w);
    if (w->now == before) w->now += 1000;
    if (hub_due(w->hub) <= w->now) hub_tick(w->hub, w->now);
}

#endif
