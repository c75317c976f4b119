/* session - fragments are joined, too long ones are skipped to their end, each mistake is told
 * once. */
#include "server/net/session.h"

#include "proto/limits.h"
#include "proto/scan.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* A message of several fragments. Such are rare; thousands of idle connections are not. */
struct message {
    struct scan scan; /* what it says it is, for the error when it is too long */
    bool too_long;
    char *text; /* cap bytes */
    size_t len, cap;
};

struct session {
    struct hub *hub;
    struct client *client;
    struct blob *hello; /* not sent yet */
    bool open;          /* hello was given */
    void (*want_write)(void *);
    void *arg;
    struct message *message; /* that is being joined, or held; NULL: none */
    bool held;               /* it is whole, and waits for hello */
    int64_t idle_us;         /* when all was sent last */
    bool skipping;           /* the rest of a message that was refused */
};

int session_new(struct session **out, struct hub *hub, uint32_t user, void (*want_write)(void *),
                void *arg, struct fail *f)
{
    struct session *s = calloc(1, sizeof *s);

    *out = s;
    if (!s) return fail_set(f, ERR_OUT_OF_MEMORY, "No memory for a connection.");
    s->hub = hub;
    s->want_write = want_write;
    s->arg = arg;
    s->client = hub_open(hub, s, user);
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
    hub_error(s->hub, now, s->client, NULL, &f);
}

/* --- joining ---------------------------------------------------------------------------------- */

static void forget_message(struct session *s)
{
    if (s->message) free(s->message->text);
    free(s->message);
    s->message = NULL;
}

/* Room for `more` bytes behind the text; false: no memory. */
static bool grow(struct message *m, size_t more)
{
    size_t need = m->len + more, cap = need < 4096 ? 4096 : 2 * need;
    char *text;

    if (need <= m->cap) return true;
    text = realloc(m->text, cap);
    if (!text) return false;
    m->text = text;
    m->cap = cap;
    return true;
}

/* false: no memory. */
static bool append(struct session *s, const struct session_fragment *p)
{
    struct message *m = s->message;

    if (!m) {
        m = s->message = calloc(1, sizeof *m);
        if (!m) return false;
        scan_init(&m->scan);
    }
    scan_feed(&m->scan, p->bytes, p->len);
    m->too_long |= p->len > LIMIT_MESSAGE_BYTES - m->len;
    if (m->too_long) return true;
    if (!grow(m, p->len)) return false;
    if (p->len) memcpy(m->text + m->len, p->bytes, p->len);
    m->len += p->len;
    return true;
}

/* The whole message is there. */
static void take_message(struct session *s, int64_t now)
{
    struct message *m = s->message;
    struct command about;
    struct fail f;

    if (m->too_long) {
        fail_set(&f, ERR_TOO_LARGE, "The message is longer than %d bytes.", LIMIT_MESSAGE_BYTES);
        command_scanned(&m->scan, &about);
        hub_error(s->hub, now, s->client, &about, &f);
    } else {
        hub_text(s->hub, now, s->client, m->text, m->len);
    }
    forget_message(s);
}

static void take(struct session *s, int64_t now, const struct session_fragment *p)
{
    if (p->first) {
        s->skipping = false;
        forget_message(s);
        if (p->binary)
            refuse(s, now, ERR_BAD_REQUEST, "A binary message came where text is due.",
                   "Send one JSON object as a text message.");
        else if (p->last && s->open && p->len <= LIMIT_MESSAGE_BYTES) {
            hub_text(s->hub, now, s->client, p->bytes, p->len); /* whole already: no copy */
            return;
        }
    }
    if (s->skipping) return;
    if (!append(s, p)) {
        forget_message(s);
        refuse(s, now, ERR_OUT_OF_MEMORY, "No memory for the message.", "Send it again later.");
        return;
    }
    if (!p->last) return;
    s->held = !s->open;
    if (!s->held) take_message(s, now);
}

void session_free(struct session *s, int64_t now)
{
    if (!s) return;
    hub_close(s->hub, now, s->client);
    blob_unref(s->hello);
    forget_message(s);
    free(s);
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
    take_message(s, now);
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
    hub_error(s->hub, now, s->client, NULL, why);
}

size_t session_backlog(const struct session *s)
{
    return hub_backlog(s->client);
}

bool session_is_slow(const struct session *s)
{
    return hub_backlog(s->client) > LIMIT_OUTBOX_BYTES;
}
