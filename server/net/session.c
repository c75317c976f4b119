/* session - fragments are joined, too long ones are skipped to their end, each mistake is told
 * once. */
#include "server/net/session.h"

#include "proto/answer.h"
#include "proto/frame.h"
#include "proto/limits.h"
#include "proto/scan.h"
#include "server/base/waker.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* A message of several fragments. Such are rare; thousands of idle connections are not. */
struct message {
    struct scan scan; /* what it says it is, for the error when it is too long */
    bool too_long, binary;
    char *text; /* cap bytes */
    size_t len, cap;
};

/* "Who are you?", "not this one", hello */
enum { SESSION_FIRST = 3 };

struct session {
    struct waker waker; /* the hub's */
    struct hub *hub;
    struct client *client; /* NULL: it is not known whose it is */
    uint64_t shared;       /* of a guest: the job that it sees */
    uint64_t host;         /* as hub_comes_from() */
    struct session_conn conn;
    struct blob *first[SESSION_FIRST]; /* errors before it is known, then hello: not sent yet */
    int n_first;
    bool open;               /* hello was given */
    bool spoke;              /* its first message was read */
    bool refused;            /* .. and let nobody in */
    struct message *message; /* that is being joined, or held; NULL: none */
    bool held;               /* it is whole, and waits for hello */
    int64_t idle_us;         /* when all was sent last */
    bool skipping;           /* the rest of a message that was refused */
};

static void wake(struct waker *waker)
{
    struct session *s = (struct session *)(void *)waker;

    s->conn.want_write(s->conn.arg);
}

int session_new(struct session **out, struct hub *hub, const struct session_conn *conn,
                struct fail *f)
{
    struct session *s = calloc(1, sizeof *s);

    *out = s;
    if (!s) return fail_set(f, ERR_OUT_OF_MEMORY, "No memory for a connection.");
    s->waker.wake = wake;
    s->hub = hub;
    s->conn = *conn;
    return 0;
}

void session_shared(struct session *s, uint64_t job)
{
    assert(!s->client);
    s->shared = job;
}

void session_comes_from(struct session *s, uint64_t host)
{
    assert(!s->client);
    s->host = host;
}

int session_user(struct session *s, uint32_t user, struct fail *f)
{
    assert(!s->client);
    s->client = s->shared ? hub_open_guest(s->hub, &s->waker, s->shared)
                          : hub_open(s->hub, &s->waker, user);
    if (s->client) hub_comes_from(s->client, s->host);
    return s->client ? 0 : fail_set(f, ERR_OUT_OF_MEMORY, "No memory for a connection.");
}

int session_of_user(const struct session *s, uint32_t user)
{
    return hub_connections(s->hub, user);
}

bool session_known(const struct session *s)
{
    return s->client != NULL;
}

bool session_is_cut(const struct session *s)
{
    return s->client && hub_is_cut(s->client);
}

bool session_refused(const struct session *s)
{
    return s->refused;
}

bool session_is_open(const struct session *s)
{
    return s->open;
}

bool session_reads(const struct session *s)
{
    return !s->held;
}

/* Takes the reference. */
static void say_first(struct session *s, struct blob *m)
{
    if (m && s->n_first < SESSION_FIRST)
        s->first[s->n_first++] = m;
    else
        blob_unref(m);
    s->conn.want_write(s->conn.arg);
}

/* An error: from the hub, or before it knows of the session. */
static void tell(struct session *s, int64_t now, const struct command *about, const struct fail *f)
{
    struct text t;

    if (s->client) {
        hub_error(s->hub, now, s->client, about, f);
        return;
    }
    text_init(&t, BLOB_HEAD, LIMIT_MESSAGE_BYTES);
    answer_error(about ? about->ref : NULL, about ? about->kind : -1, about ? about->job : 0, f,
                 &t);
    say_first(s, blob_from_text(&t));
}

static void refuse(struct session *s, int64_t now, enum err code, const char *message,
                   const char *hint)
{
    struct fail f;

    fail_set(&f, code, "%s", message);
    fail_advise(&f, "%s", hint);
    s->skipping = true;
    tell(s, now, NULL, &f);
    s->refused = !s->client;
}

/* --- the first message ------------------------------------------------------------------------ */

static void scanned(const char *text, size_t len, struct scan *scan)
{
    scan_init(scan);
    scan_feed(scan, text, len);
}

/* Whether the first message of a connection says who it is, or must. */
static bool introduces(const struct session *s, const char *text, size_t len)
{
    struct scan scan;

    if (s->spoke) return false;
    if (!s->client) return true;
    scanned(text, len, &scan);
    return strcmp(scan.type, "auth") == 0;
}

static void introduce(struct session *s, int64_t now, const char *text, size_t len)
{
    struct command about;
    struct scan scan;
    struct fail f;
    uint32_t user;
    int err = s->conn.sign_in(s->conn.arg, now, text, len, &user, &f);

    if (!err && !s->client) err = session_user(s, user, &f);
    if (!err) return;
    scanned(text, len, &scan);
    command_scanned(&scan, &about);
    s->refused = true;
    tell(s, now, &about, &f);
}

static void deliver(struct session *s, int64_t now, const char *text, size_t len)
{
    bool first = introduces(s, text, len);

    s->spoke = true;
    if (first)
        introduce(s, now, text, len);
    else
        hub_text(s->hub, now, s->client, text, len);
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

/* Bytes of the longest message of its kind. */
static size_t longest(bool binary)
{
    return binary ? FRAME_HEADER + LIMIT_CHUNK_BYTES : LIMIT_MESSAGE_BYTES;
}

/* false: no memory. */
static bool append(struct session *s, const struct session_fragment *p)
{
    struct message *m = s->message;

    if (!m) {
        m = s->message = calloc(1, sizeof *m);
        if (!m) return false;
        scan_init(&m->scan);
        m->binary = p->binary;
    }
    if (!m->binary) scan_feed(&m->scan, p->bytes, p->len);
    m->too_long |= p->len > longest(m->binary) - m->len;
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
        fail_set(&f, ERR_TOO_LARGE, "The message is longer than %zu bytes.", longest(m->binary));
        command_scanned(&m->scan, &about);
        tell(s, now, &about, &f);
        s->refused = !s->client;
    } else if (m->binary) {
        hub_chunk(s->hub, now, s->client, m->text, m->len);
    } else {
        deliver(s, now, m->text, m->len);
    }
    forget_message(s);
}

static void take(struct session *s, int64_t now, const struct session_fragment *p)
{
    if (p->first) {
        s->skipping = false;
        forget_message(s);
        if (p->binary && !s->open)
            refuse(s, now, ERR_BAD_REQUEST, "A binary message came where text is due.",
                   "Send one JSON object as a text message.");
        else if (p->last && s->open && p->len <= longest(p->binary)) {
            if (p->binary) /* whole already: no copy */
                hub_chunk(s->hub, now, s->client, p->bytes, p->len);
            else
                deliver(s, now, p->bytes, p->len);
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
    s->held = !s->open && s->client
              && (s->message->too_long || !introduces(s, s->message->text, s->message->len));
    if (!s->held) take_message(s, now);
}

void session_free(struct session *s, int64_t now)
{
    if (!s) return;
    if (s->client) hub_close(s->hub, now, s->client);
    for (int i = 0; i < s->n_first; i++)
        blob_unref(s->first[i]);
    forget_message(s);
    free(s);
}

void session_receive(struct session *s, int64_t now, const struct session_fragment *p)
{
    assert(!s->held);
    if (session_is_slow(s) || s->refused) return;
    take(s, now, p);
}

void session_hello(struct session *s, int64_t now, struct blob *hello)
{
    assert(s->client && !s->open);
    s->open = true;
    say_first(s, hello);
    if (!s->held) return;
    s->held = false;
    take_message(s, now);
}

struct blob *session_next(struct session *s, int64_t now, bool *binary)
{
    struct blob *m;

    *binary = false;
    if (s->n_first) {
        m = s->first[0];
        memmove(s->first, s->first + 1, (size_t)--s->n_first * sizeof *s->first);
        return m;
    }
    if (!s->open) return NULL;
    m = hub_next(s->hub, now, s->client, binary);
    if (!m) s->idle_us = now;
    return m;
}

int64_t session_latency(const struct session *s, int64_t now, const struct blob *m)
{
    return m->computed_us && s->idle_us <= m->posted_us ? now - m->computed_us : -1;
}

void session_error(struct session *s, int64_t now, const struct fail *why)
{
    tell(s, now, NULL, why);
}

size_t session_backlog(const struct session *s)
{
    return s->client ? hub_backlog(s->client) : 0;
}

bool session_is_slow(const struct session *s)
{
    return session_backlog(s) > LIMIT_OUTBOX_BYTES;
}
