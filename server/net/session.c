/* session - fragments are joined, too long ones are skipped to their end, each mistake is said once. */
#include "server/net/session.h"

#include "proto/limits.h"

#include <stdlib.h>
#include <string.h>

struct session {
    struct hub *hub;
    struct peer *peer;
    struct blob *hello; /* not sent yet */
    bool greeted;
    void (*want_write)(void *);
    void *arg;
    char *text; /* the message so far, LIMIT_MESSAGE_BYTES when allocated */
    size_t len;
    bool skipping; /* the rest of a message that was refused */
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
    s->peer = hub_open(hub, s);
    if (!s->peer) {
        free(s);
        *out = NULL;
        return fail_set(f, ERR_OUT_OF_MEMORY, "No memory for a connection.");
    }
    return 0;
}

void session_hello(struct session *s, struct blob *hello)
{
    s->hello = hello;
    s->greeted = true;
    s->want_write(s->arg);
}

bool session_greeted(const struct session *s)
{
    return s->greeted;
}

void session_free(struct session *s, int64_t now)
{
    if (!s) return;
    hub_close(s->hub, now, s->peer);
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
    hub_error(s->hub, now, s->peer, &f);
}

static void append(struct session *s, int64_t now, const struct session_piece *p)
{
    if (p->len > LIMIT_MESSAGE_BYTES - s->len) {
        struct fail f;
        fail_set(&f, ERR_TOO_LARGE, "The message is longer than %d bytes.", LIMIT_MESSAGE_BYTES);
        s->skipping = true;
        s->len = 0;
        hub_error(s->hub, now, s->peer, &f);
        return;
    }
    if (!s->text && !(s->text = malloc(LIMIT_MESSAGE_BYTES))) {
        refuse(s, now, ERR_OUT_OF_MEMORY, "No memory for the message.", "Send it again later.");
        return;
    }
    if (p->len) memcpy(s->text + s->len, p->bytes, p->len);
    s->len += p->len;
}

static void take(struct session *s, int64_t now, const struct session_piece *p)
{
    if (p->first) {
        s->skipping = false;
        s->len = 0;
        if (p->binary)
            refuse(s, now, ERR_BAD_REQUEST, "A binary message came where text is due.",
                   "Send one JSON object as a text message.");
        else if (p->last && p->len <= LIMIT_MESSAGE_BYTES) {
            hub_text(s->hub, now, s->peer, p->bytes, p->len); /* whole already: no copy */
            return;
        }
    }
    if (!s->skipping) append(s, now, p);
    if (!p->last || s->skipping) return;
    hub_text(s->hub, now, s->peer, s->text, s->len);
    free(s->text); /* long messages are rare; thousands of idle connections are not */
    s->text = NULL;
    s->len = 0;
}

void session_receive(struct session *s, int64_t now, const struct session_piece *p)
{
    if (session_is_slow(s)) return;
    take(s, now, p);
}

struct blob *session_next(struct session *s, int64_t now, bool *binary)
{
    struct blob *hello = s->hello;
    *binary = false;
    if (!s->greeted) return NULL;
    s->hello = NULL;
    return hello ? hello : hub_next(s->hub, now, s->peer, binary);
}

void session_error(struct session *s, int64_t now, const struct fail *why)
{
    hub_error(s->hub, now, s->peer, why);
}

bool session_is_slow(const struct session *s)
{
    return hub_backlog(s->peer) > LIMIT_OUTBOX_BYTES;
}
