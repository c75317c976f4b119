/* session - fragments are joined, too long ones are skipped to their end, each mistake is told
 * once. */
#include "server/net/session.h"

#include "proto/limits.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct session {
    struct hub *hub;
    struct client *client;
    struct blob *hello; /* not sent yet */
    bool open;          /* hello was given */
    void (*want_write)(void *);
    void *arg;
    char *text; /* the message so far, or the one that is held; cap bytes */
    size_t len, cap;
    bool held;       /* whole, and waits for hello */
    int64_t idle_us; /* when all was sent last */
    bool skipping;   /* the rest of a message that was refused */
};

int session_new(struct session **out, struct hub *hub, void (*want_write)(void *), void *arg,
                struct fail *f)
{
    struct session *s = calloc(1, sizeof *s);

    *out = s;
    if (!s) return fail_set(f, ERR_OUT_OF_MEMORY, "No memory for a connection.");
    s->hub = hub;
    s->want_write = want_write;
    s->arg = arg;
    s->client = hub_open(hub, s);
    if (!s->client) {
        free(s);
        *out = NULL;
        return fail_set(f, ERR_OUT_OF_MEMORY, "No memory for a connection.");
    }
    return 0;
}

bool session_is_open(const struct session *s)
{
    return s->open;
}

bool session_reads(const struct session *s)
{
    return !s->held;
}

void session_free(struct session *s, int64_t now)
{
    if (!s) return;
    hub_close(s->hub, now, s->client);
    blob_unref(s->hello);
    free(s->text);
    free(s);
}

void session_wake(void *arg, void *session)
{
    struct session *s = session;

    (void)arg;
    s->want_write(s->arg);
}

static void refuse(struct session *s, int64_t now, enum err code, const char *message,
                   const char *hint)
{
    struct fail f;

    fail_set(&f, code, "%s", message);
    fail_advise(&f, "%s", hint);
    s->skipping = true;
    s->len = 0;
    hub_error(s->hub, now, s->client, &f);
}

static void refuse_long(struct session *s, int64_t now, const struct session_fragment *p)
{
    struct fail f;

    (void)p;
    fail_set(&f, ERR_TOO_LARGE, "The message is longer than %d bytes.", LIMIT_MESSAGE_BYTES);
    s->skipping = true;
    s->len = 0;
    hub_error(s->hub, now, s->client, &f);
}

/* Room for `more` bytes behind the text; false: no memory. */
static bool grow(struct session *s, size_t more)
{
    size_t need = s->len + more, cap = need < 4096 ? 4096 : 2 * need;
    char *text;

    if (need <= s->cap) return true;
    text = realloc(s->text, cap);
    if (!text) return false;
    s->text = text;
    s->cap = cap;
    return true;
}

/* Long messages are rare; thousands of idle connections are not. */
static void forget_text(struct session *s)
{
    free(s->text);
    s->text = NULL;
    s->len = s->cap = 0;
}

static void append(struct session *s, int64_t now, const struct session_fragment *p)
{
    if (p->len > LIMIT_MESSAGE_BYTES - s->len)
        refuse_long(s, now, p);
    else if (!grow(s, p->len))
        refuse(s, now, ERR_OUT_OF_MEMORY, "No memory for the message.", "Send it again later.");
    else {
        if (p->len) memcpy(s->text + s->len, p->bytes, p->len);
        s->len += p->len;
    }
}

static void take(struct session *s, int64_t now, const struct session_fragment *p)
{
    if (p->first) {
        s->skipping = false;
        s->len = 0;
        if (p->binary)
            refuse(s, now, ERR_BAD_REQUEST, "A binary message came where text is due.",
                   "Send one JSON object as a text message.");
        else if (p->last && s->open && p->len <= LIMIT_MESSAGE_BYTES) {
            hub_text(s->hub, now, s->client, p->bytes, p->len); /* whole already: no copy */
            return;
        }
    }
    if (!s->skipping) append(s, now, p);
    if (!p->last || s->skipping) return;
    s->held = !s->open;
    if (s->held) return;
    hub_text(s->hub, now, s->client, s->text, s->len);
    forget_text(s);
}

void session_receive(struct session *s, int64_t now, const struct session_fragment *p)
{
    assert(!s->held);
    if (session_is_slow(s)) return;
    take(s, now, p);
}

void session_hello(struct session *s, int64_t now, struct blob *hello)
{
    s->hello = hello;
    s->open = true;
    s->want_write(s->arg);
    if (!s->held) return;
    s->held = false;
    hub_text(s->hub, now, s->client, s->text, s->len);
    forget_text(s);
}

struct blob *session_next(struct session *s, int64_t now, bool *binary)
{
    struct blob *m = s->hello;

    *binary = false;
    if (!s->open) return NULL;
    s->hello = NULL;
    if (!m) m = hub_next(s->hub, now, s->client, binary);
    if (!m) s->idle_us = now;
    return m;
}

int64_t session_latency(const struct session *s, int64_t now, const struct blob *m)
{
    return m->computed_us && s->idle_us <= m->posted_us ? now - m->computed_us : -1;
}

void session_error(struct session *s, int64_t now, const struct fail *why)
{
    hub_error(s->hub, now, s->client, why);
}

size_t session_backlog(const struct session *s)
{
    return hub_backlog(s->client);
}

bool session_is_slow(const struct session *s)
{
    return hub_backlog(s->client) > LIMIT_OUTBOX_BYTES;
}
