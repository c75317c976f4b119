/* http_conn - four states: reading a head, writing a reply, dropping what still comes, gone. */
#include "server/net/http_conn.h"

#include "server/base/clock.h"
#include "server/http/head.h"
#include "server/http/reply.h"
#include "server/net/upgrade.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    CHUNK_BYTES = 16 << 10, /* of a body in one write */
    TURN_BYTES = 256 << 10, /* written to one connection before others get their turn */
    FIRST_BYTES = 1024,     /* of the buffer for a head; browsers send 500 to 700 */
    LINGER_BYTES = 1 << 20, /* dropped behind the last reply */
    HEAD_SECONDS = 10,      /* for a head to arrive */
    IDLE_SECONDS = 30,      /* between two requests, and for a client to take some of a reply */
    LINGER_SECONDS = 2
};

enum state { READING, WRITING, LINGERING };

struct http_conn {
    int fd;
    enum state state;
    char *in; /* what was read and not used */
    size_t n, cap;
    struct http_reply reply;
    struct text head; /* of the reply */
    size_t head_sent;
    int64_t sent; /* bytes of the reply's body */
    bool last;    /* the connection ends with this reply */
    int64_t dropped;
};

/* --- life ------------------------------------------------------------------------------------- */

static void set_timer(struct conn *c, int seconds)
{
    wheel_set(&c->all->wheel, &c->timer, clock_us() + (int64_t)seconds * 1000000);
}

static void want(struct conn *c, uint32_t events, int op)
{
    struct epoll_event e = {.events = events, .data.ptr = c};

    epoll_ctl(c->all->epoll_fd, op, c->http->fd, &e);
}

bool http_conn_open(struct conn *c, int fd)
{
    struct http_conn *h = calloc(1, sizeof *h);

    if (!h) {
        close(fd);
        return false;
    }
    h->fd = fd;
    h->reply.fd = -1;
    c->http = h;
    want(c, EPOLLIN, EPOLL_CTL_ADD);
    set_timer(c, HEAD_SECONDS);
    return true;
}

static void forget(struct conn *c)
{
    struct http_conn *h = c->http;

    reply_free(&h->reply);
    text_free(&h->head);
    free(h->in);
    free(h);
    c->http = NULL;
}

void http_conn_close(struct conn *c)
{
    close(c->http->fd); /* takes it out of epoll too */
    forget(c);
}

/* It becomes a WebSocket: the descriptor goes on, and what was read behind the head. */
static void hand_over(struct conn *c, const struct head *head)
{
    int fd = c->http->fd;
    char *rest = c->http->in;
    size_t n = c->http->n;

    want(c, 0, EPOLL_CTL_DEL);
    wheel_stop(&c->all->wheel, &c->timer);
    c->http->in = NULL;
    forget(c);
    upgrade_begin(c, head, fd, rest, n);
}

void http_conn_timer(struct conn *c)
{
    conn_free(c);
}

/* --- the reply -------------------------------------------------------------------------------- */

/* What a step of writing or reading came to. */
enum step { DONE, WAIT, GONE };

static enum step put(struct conn *c, const void *bytes, size_t n, int flags, size_t *sent)
{
    ssize_t did = send(c->http->fd, bytes, n, flags | MSG_NOSIGNAL);

    *sent = did > 0 ? (size_t)did : 0;
    if (did < 0 && errno != EAGAIN && errno != EINTR) return GONE;
    return *sent == n ? DONE : WAIT;
}

static enum step put_head(struct conn *c)
{
    struct http_conn *h = c->http;
    bool more = !h->reply.head && h->reply.bytes;
    size_t sent;
    enum step step =
        put(c, h->head.at + h->head_sent, h->head.len - h->head_sent, more ? MSG_MORE : 0, &sent);

    h->head_sent += sent;
    return step;
}

/* Some of the body from memory or from its file. */
static enum step put_body(struct conn *c)
{
    struct http_conn *h = c->http;
    int64_t left = h->reply.bytes - h->sent;
    char chunk[CHUNK_BYTES];
    size_t n = left < CHUNK_BYTES ? (size_t)left : (size_t)CHUNK_BYTES, sent;
    const void *bytes = reply_body(&h->reply, h->sent, chunk, n);
    enum step step;

    /* content-length was sent: hang up, so that the client sees it is cut short */
    if (!bytes) return GONE;
    step = put(c, bytes, n, 0, &sent);
    h->sent += (int64_t)sent;
    return step;
}

static enum step put_reply(struct conn *c)
{
    struct http_conn *h = c->http;
    int64_t until = h->sent + TURN_BYTES;
    enum step step = h->head_sent < h->head.len ? put_head(c) : DONE;

    if (h->reply.head) return step;
    while (step == DONE && h->sent < h->reply.bytes)
        step = h->sent < until ? put_body(c) : WAIT;
    reply_rest(&h->reply);
    return step;
}

/* The connection ends: what still comes is dropped for a moment. */
static void linger(struct conn *c)
{
    shutdown(c->http->fd, SHUT_WR);
    c->http->state = LINGERING;
    want(c, EPOLLIN, EPOLL_CTL_MOD);
    set_timer(c, LINGER_SECONDS);
}

static void finish(struct conn *c)
{
    struct http_conn *h = c->http;

    reply_free(&h->reply);
    text_free(&h->head);
    h->head_sent = 0;
    if (h->last) {
        linger(c);
        return;
    }
    if (h->state == WRITING) want(c, EPOLLIN, EPOLL_CTL_MOD);
    h->state = READING;
    set_timer(c, h->n ? HEAD_SECONDS : IDLE_SECONDS);
    if (h->n) return;
    free(h->in);
    h->in = NULL;
    h->cap = 0;
}

/* Write what the socket takes; false: the connection is gone. */
static bool write_some(struct conn *c)
{
    struct http_conn *h = c->http;

    switch (put_reply(c)) {
    case DONE: finish(c); return true;
    case GONE: conn_free(c); return false;
    case WAIT: break;
    }
    if (h->state == READING) want(c, EPOLLOUT, EPOLL_CTL_MOD);
    h->state = WRITING;
    set_timer(c, IDLE_SECONDS);
    return true;
}

static bool begin(struct conn *c, bool last)
{
    struct http_conn *h = c->http;

    h->last = last;
    h->sent = 0;
    text_init(&h->head, 0, 8192);
    reply_head(&h->reply, last, &h->head);
    if (!h->head.code) return write_some(c);
    conn_free(c);
    return false;
}

/* --- requests --------------------------------------------------------------------------------- */

/* To the log, if it wants requests. head NULL: it could not be read. */
static void note(const struct conn *c, const struct head *head, const struct user *user, int status,
                 int64_t bytes)
{
    static const struct head unread = {.method = "-", .path = "-"};
    struct proxied p = {.from = c->address};
    char from[64];

    if (!c->all->log || !c->all->log->access) return;
    if (head) proxy_read(head, &c->address, c->all->trust_proxy, &p);
    if (!head || !head->method || !head->path) head = &unread;
    address_text(&p.from, from, sizeof from);
    log_request(c->all->log, &(struct log_request){.from = from,
                                                   .user = user ? user->name : "",
                                                   .method = head->method,
                                                   .path = head->path,
                                                   .status = status,
                                                   .bytes = bytes});
}

/* head NULL: it could not be read. */
static bool refuse(struct conn *c, const struct head *head, const struct fail *f, int status)
{
    struct http_reply *r = &c->http->reply;

    reply_fail(r, f, status);
    r->head = head && strcmp(head->method, "HEAD") == 0;
    note(c, head, NULL, status, r->bytes);
    return begin(c, true);
}

static bool too_long(struct conn *c)
{
    struct fail f;

    fail_set(&f, ERR_TOO_LARGE, "The head of the request is longer than %d bytes.", HEAD_BYTES);
    fail_advise(&f, "Remove cookies of this host, or send fewer and shorter headers.");
    return refuse(c, NULL, &f, 431);
}

static bool too_many(struct conn *c, const struct head *head)
{
    struct fail f;

    fail_set(&f, ERR_RATE_LIMITED, "There are too many connections.");
    f.retry_after_ms = 5000;
    return refuse(c, head, &f, 503);
}

/* No route reads a body yet. */
static bool refuse_body(struct conn *c, const struct head *head)
{
    struct fail f;

    reply_free(&c->http->reply);
    fail_set(&f, ERR_BAD_REQUEST, "This request carries a body, and none is read here.");
    fail_advise(&f, "Send GET without Content-Length and Transfer-Encoding.");
    return refuse(c, head, &f, 400);
}

/* Cookies of a page that came over TLS, which ends before us, are for TLS alone. */
static bool is_secure(const struct head *head, const struct proxied *p)
{
    return p->secure || strncmp(head_value(head, "origin"), "https://", 8) == 0;
}

/* Whose request it was; NULL: no user's. */
static const struct user *route(struct conn *c, const struct head *head, struct http_request *q)
{
    struct auth *auth = c->all->auth;
    struct auth_result r;
    struct proxied p;
    char sign_in[AUTH_COOKIE_BYTES] = "", sign_out[AUTH_COOKIE_BYTES];
    struct http_asker asker = {.near = address_local(&c->address) && !proxy_passed(head),
                               .why = &r.why,
                               .sign_in = sign_in,
                               .sign_out = sign_out};

    proxy_read(head, &c->address, c->all->trust_proxy, &p);
    auth_head(auth, head, &p, clock_us(), &r);
    if (r.why.code == ERR_RATE_LIMITED) conn_warn_tokens(c, &p.from);
    asker.known = r.known;
    if (r.known) asker.user = auth_user(auth, &r.who);
    if (r.token) auth_cookie(auth, &r.who, c->all->base, is_secure(head, &p), sign_in);
    auth_cookie_end(auth, c->all->base, sign_out);
    q->asker = &asker;
    http_route(c->all->http, q, &c->http->reply);
    return asker.user;
}

static bool serve(struct conn *c, const struct head *head)
{
    struct http_request q = {
        .method = head->method, .path = head->path, .query = head->query, .if_none_match = ""};
    const struct http_reply *r = &c->http->reply;
    const struct user *user;
    bool body = head_body(head);
    char match[512];

    if (head_list(head, "if-none-match", match, sizeof match)) q.if_none_match = match;
    user = route(c, head, &q);
    if (body && r->status < 400) return refuse_body(c, head);
    note(c, head, user, r->status, r->bytes);
    return begin(c, body || head->close);
}

/* Whose WebSocket it will be; one without a token may say so in its first message. 0 or an HTTP
 * status. */
static int identify(struct conn *c, const struct head *head, struct fail *f)
{
    struct auth_result r;
    struct proxied p;

    proxy_read(head, &c->address, c->all->trust_proxy, &p);
    auth_head(c->all->auth, head, &p, clock_us(), &r);
    c->address = p.from;
    if (r.why.code == ERR_RATE_LIMITED) conn_warn_tokens(c, &p.from);
    c->known = r.known;
    c->who = r.who;
    if (!r.wrong) return 0;
    *f = r.why;
    return fail_status(f->code);
}

/* One whole head. false: the connection is gone, or is a WebSocket now. */
static bool answer(struct conn *c, struct head *head)
{
    struct fail f;
    int status;

    head->path = proxy_below(c->all->base, head->path);
    if (c->over) return too_many(c, head);
    if (upgrade_wanted(head)) {
        status = upgrade_check(c, head, &f);
        if (!status) status = identify(c, head, &f);
        if (status) return refuse(c, head, &f, status);
        note(c, head, c->known ? auth_user(c->all->auth, &c->who) : NULL, 101, 0);
        hand_over(c, head);
        return false;
    }
    status = upgrade_check_plain(c, head, &f);
    return status ? refuse(c, head, &f, status) : serve(c, head);
}

/* Answer the requests that have come whole. */
static void take_heads(struct conn *c)
{
    struct http_conn *h = c->http;
    struct fail f;

    while (h->state == READING) {
        size_t n = head_length(h->in, h->n);
        char bytes[HEAD_BYTES];
        struct head head;
        int status;

        if (n > HEAD_BYTES || (!n && h->n >= HEAD_BYTES)) {
            too_long(c);
            return;
        }
        if (!n) return;
        memcpy(bytes, h->in, n);
        h->n -= n;
        memmove(h->in, h->in + n, h->n);
        status = head_parse(&head, bytes, n, &f);
        if (status ? !refuse(c, &head, &f, status) : !answer(c, &head)) return;
    }
}

/* --- events ----------------------------------------------------------------------------------- */

/* Room for more of the head; false: no memory. */
static bool make_room(struct http_conn *h)
{
    size_t cap = h->cap ? 2 * h->cap : FIRST_BYTES;
    char *in;

    if (h->n < h->cap) return true;
    in = realloc(h->in, cap);
    if (!in) return false;
    h->in = in;
    h->cap = cap;
    return true;
}

static void read_some(struct conn *c)
{
    struct http_conn *h = c->http;
    ssize_t n;

    if (!make_room(h)) {
        conn_free(c);
        return;
    }
    n = recv(h->fd, h->in + h->n, h->cap - h->n, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (n <= 0) {
        conn_free(c);
        return;
    }
    if (!h->n) set_timer(c, HEAD_SECONDS);
    h->n += (size_t)n;
    take_heads(c);
}

static void drop_some(struct conn *c)
{
    char bytes[CHUNK_BYTES];
    ssize_t n = recv(c->http->fd, bytes, sizeof bytes, 0);

    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (n > 0) c->http->dropped += n;
    if (n <= 0 || c->http->dropped > LINGER_BYTES) conn_free(c);
}

void http_conn_event(struct conn *c, uint32_t events)
{
    switch (c->http->state) {
    case READING: read_some(c); break;
    case LINGERING: drop_some(c); break;
    case WRITING:
        if (events & (EPOLLERR | EPOLLHUP))
            conn_free(c);
        else if (write_some(c) && c->http->state == READING)
            take_heads(c);
    }
}
