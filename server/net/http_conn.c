/* http_conn - reads a head and a body, lets the routes answer, writes the reply; what is answered
 * later waits as an exchange. */
#include "server/net/http_conn.h"

#include "server/base/clock.h"
#include "server/http/exchange.h"
#include "server/http/head.h"
#include "server/http/negotiate.h"
#include "server/http/reply.h"
#include "server/net/access.h"
#include "server/net/asking.h"
#include "server/net/bodies.h"
#include "server/net/http_asked.h"
#include "server/net/http_out.h"
#include "server/net/upgrade.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    READ_BYTES = 16 << 10,    /* dropped at once */
    TURN_BYTES = 256 << 10,   /* of a stream, before others get their turn */
    FIRST_BYTES = 1024,       /* of the buffer for a head; browsers send 500 to 700 */
    LINGER_BYTES = 1 << 20,   /* dropped behind the last reply */
    HEAD_SECONDS = 10,        /* for a head to arrive */
    BODY_SECONDS = 30,        /* for a body, and longer for a large one .. */
    SLOWEST_BYTES = 64 << 10, /* .. a second for so many */
    IDLE_SECONDS = 30,        /* between two requests, and for a client to take some of a reply */
    LINGER_SECONDS = 2
};

enum state {
    READING, /* a head */
    BODY,
    WAITING, /* for an exchange to answer */
    WRITING,
    STREAMING,
    LINGERING
};

struct http_conn {
    int fd;
    enum state state;
    uint32_t events; /* that epoll reports */
    char *in;        /* what was read and not used */
    size_t n, cap;
    struct http_asked *request;
    int64_t reserved; /* bytes that its body will have, counted with those of others */
    struct http_reply reply;
    struct http_out out;
    bool last;    /* the connection ends with this reply */
    bool blocked; /* STREAMING: the socket takes no more for now */
    int64_t dropped;
};

/* --- life ------------------------------------------------------------------------------------- */

static void set_timer(struct conn *c, int seconds)
{
    wheel_set(&c->all->wheel, &c->timer, clock_us() + (int64_t)seconds * 1000000);
}

static void want(struct conn *c, uint32_t events)
{
    struct epoll_event e = {.events = events, .data.ptr = c};

    if (c->http->events == events) return;
    c->http->events = events;
    epoll_ctl(c->all->epoll_fd, EPOLL_CTL_MOD, c->http->fd, &e);
}

bool http_conn_open(struct conn *c, int fd)
{
    struct http_conn *h = calloc(1, sizeof *h);
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};

    if (!h) {
        close(fd);
        return false;
    }
    h->fd = fd;
    h->events = EPOLLIN;
    h->reply.fd = -1;
    c->http = h;
    epoll_ctl(c->all->epoll_fd, EPOLL_CTL_ADD, fd, &e);
    set_timer(c, HEAD_SECONDS);
    return true;
}

static void drop_request(struct conn *c)
{
    struct http_conn *h = c->http;

    http_asked_free(h->request);
    h->request = NULL;
    bodies_release(c, &h->reserved);
}

/* The exchange is over; gone: its client left before. */
static void drop_exchange(struct conn *c, bool gone)
{
    struct http_conn *h = c->http;

    if (!h->reply.exchange) return;
    exchange_free(h->reply.exchange, clock_us(), gone);
    h->reply.exchange = NULL;
    c->all->n_exchanges--;
    c->all->stir(c->all->net);
}

static void forget(struct conn *c)
{
    struct http_conn *h = c->http;

    drop_exchange(c, true);
    drop_request(c);
    reply_free(&h->reply);
    http_out_free(&h->out);
    free(h->in);
    free(h);
    c->http = NULL;
}

void http_conn_close(struct conn *c)
{
    /* to close it is not enough: a helper that is being started has a copy of it until it executes,
     * and while that lives epoll tells of what was a connection */
    epoll_ctl(c->all->epoll_fd, EPOLL_CTL_DEL, c->http->fd, NULL);
    close(c->http->fd);
    forget(c);
}

/* It becomes a WebSocket: the descriptor goes on, and what was read behind the head. */
static void hand_over(struct conn *c)
{
    struct http_conn *h = c->http;
    struct http_asked *r = h->request;
    int fd = h->fd;
    char *rest = h->in;
    size_t n = h->n;

    epoll_ctl(c->all->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
    wheel_stop(&c->all->wheel, &c->timer);
    h->in = NULL;
    h->request = NULL;
    forget(c);
    upgrade_begin(c, &r->head, fd, rest, n);
    http_asked_free(r);
}

/* --- the reply -------------------------------------------------------------------------------- */

/* The connection ends: what still comes is dropped for a moment. */
static void linger(struct conn *c)
{
    shutdown(c->http->fd, SHUT_WR);
    c->http->state = LINGERING;
    want(c, EPOLLIN);
    set_timer(c, LINGER_SECONDS);
}

static void finish(struct conn *c)
{
    struct http_conn *h = c->http;

    drop_exchange(c, false);
    drop_request(c);
    http_sent(c->all->http, &h->reply, clock_us());
    reply_free(&h->reply);
    http_out_free(&h->out);
    if (h->last) {
        linger(c);
        return;
    }
    want(c, EPOLLIN);
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

    switch (http_out_reply(&h->out, h->fd, &h->reply)) {
    case OUT_DONE: finish(c); return true;
    case OUT_GONE: conn_free(c); return false;
    case OUT_WAIT: break;
    }
    want(c, EPOLLOUT);
    h->state = WRITING;
    set_timer(c, IDLE_SECONDS);
    return true;
}

/* To the counters and the log. */
static void note(const struct conn *c)
{
    const struct http_conn *h = c->http;

    access_log(c, h->request ? &h->request->head : NULL, h->reply.status, h->reply.bytes);
}

/* Fit the reply to the headers of its request. */
static void fit(struct conn *c)
{
    struct http_conn *h = c->http;
    const char *origin = head_value(&h->request->head, "origin");

    negotiate(&h->reply, &h->request->q);
    if (handshake_listed(&c->all->rules, origin)) h->reply.origin = origin;
}

/* The reply's head; false: the connection is gone. */
static bool begin_head(struct conn *c, bool last)
{
    struct http_conn *h = c->http;
    bool old = h->request && h->request->head.old;

    if (h->request && h->request->q.method) fit(c);
    note(c);
    h->last = last;
    if (http_out_begin(&h->out, &h->reply, last, old)) {
        drop_request(c);
        return true;
    }
    conn_free(c);
    return false;
}

static bool begin(struct conn *c, bool last)
{
    return begin_head(c, last) && write_some(c);
}

/* --- refusing --------------------------------------------------------------------------------- */

/* The connection cannot go on behind this. false: it is gone. */
static bool refuse(struct conn *c, const struct fail *f, int status)
{
    static const struct head none = {.method = "", .path = ""};
    struct http_conn *h = c->http;
    const struct head *head = h->request ? &h->request->head : &none;

    drop_exchange(c, true);
    reply_free(&h->reply);
    http_refuse(h->request ? h->request->route : NULL, head->method,
                proxy_below(c->all->base, head->path), f, status, &h->reply);
    h->reply.head = strcmp(head->method, "HEAD") == 0;
    return begin(c, true);
}

static bool too_long(struct conn *c)
{
    struct fail f;

    fail_set(&f, ERR_TOO_LARGE, "The head of the request is longer than %d bytes.", HEAD_BYTES);
    fail_advise(&f, "Remove cookies of this host, or send fewer and shorter headers.");
    return refuse(c, &f, 431);
}

static bool too_many(struct conn *c)
{
    struct fail f;

    if (c->over_address) {
        c->all->traffic->refused_address++;
        fail_set(&f, ERR_RATE_LIMITED, "There are too many connections from your address.");
    } else {
        c->all->traffic->refused++;
        fail_set(&f, ERR_RATE_LIMITED, "There are too many connections.");
    }
    fail_advise(&f, "Close some, or come back later.");
    f.retry_after_ms = 5000;
    return refuse(c, &f, 503);
}

static bool too_slow(struct conn *c)
{
    struct fail f;

    fail_set(&f, ERR_TIMEOUT, "The body of the request did not come in time.");
    fail_advise(&f, "Send it again.");
    return refuse(c, &f, 408);
}

/* --- an exchange ------------------------------------------------------------------------------ */

/* When the exchange wants to be called again. */
static void set_alarm(struct conn *c)
{
    int64_t due = exchange_due(c->http->reply.exchange);

    if (due == INT64_MAX)
        wheel_stop(&c->all->wheel, &c->timer);
    else
        wheel_set(&c->all->wheel, &c->timer, due);
}

/* It has answered with a whole reply. false: the connection is gone. */
static bool take_answer(struct conn *c)
{
    struct http_conn *h = c->http;

    h->reply.head = strcmp(h->request->head.method, "HEAD") == 0;
    drop_exchange(c, false);
    return begin(c, h->last || h->request->head.close);
}

enum step { MORE, PAUSE, GONE };

static enum step pause_stream(struct conn *c)
{
    c->http->blocked = true;
    want(c, EPOLLOUT | EPOLLRDHUP);
    set_timer(c, IDLE_SECONDS);
    return PAUSE;
}

static enum step send_some(struct conn *c)
{
    switch (http_out_send(&c->http->out, c->http->fd)) {
    case OUT_DONE: return MORE;
    case OUT_WAIT: return pause_stream(c);
    case OUT_GONE: break;
    }
    return GONE;
}

/* Add what the exchange has. */
static enum step add_some(struct conn *c, size_t *added)
{
    struct http_conn *h = c->http;
    enum exchange_state state = exchange_run(h->reply.exchange, clock_us());
    struct text *out = exchange_out(h->reply.exchange);
    bool good = true;

    if (!out->len && state != EXCHANGE_FINISHED) {
        want(c, EPOLLRDHUP);
        set_alarm(c);
        return PAUSE;
    }
    *added += out->len;
    if (out->len) good = http_out_chunk(&h->out, out);
    if (good && state == EXCHANGE_FINISHED) {
        good = http_out_end(&h->out);
        drop_exchange(c, false);
    }
    if (!good) return GONE;
    return *added > TURN_BYTES ? pause_stream(c) : MORE;
}

/* false: the connection is gone. */
static bool stream_some(struct conn *c)
{
    enum step step;
    size_t added = 0;

    c->http->blocked = false;
    do {
        step = send_some(c);
        if (step == MORE && !c->http->reply.exchange) {
            finish(c);
            return true;
        }
        if (step == MORE) step = add_some(c, &added);
    } while (step == MORE);
    if (step == GONE) conn_free(c);
    return step != GONE;
}

/* Its head may be sent. false: the connection is gone. */
static bool begin_stream(struct conn *c)
{
    struct http_conn *h = c->http;
    const struct head *head = &h->request->head;
    bool last = h->last || head->close;

    if (strcmp(head->method, "HEAD") == 0) return take_answer(c);
    h->state = STREAMING;
    return begin_head(c, last) && stream_some(c);
}

/* Go on with what waits for the hub. false: the connection is gone. */
static bool advance(struct conn *c)
{
    struct http_conn *h = c->http;

    switch (exchange_run(h->reply.exchange, clock_us())) {
    case EXCHANGE_WAITS: break;
    case EXCHANGE_ANSWERED: return take_answer(c);
    case EXCHANGE_STREAMS:
    case EXCHANGE_FINISHED: return begin_stream(c);
    }
    want(c, h->last ? 0 : EPOLLRDHUP);
    set_alarm(c);
    return true;
}

static void wake(void *arg)
{
    conn_ready(arg);
}

/* Make the reply, or begin to. false: the connection is gone. */
static bool respond(struct conn *c)
{
    struct http_conn *h = c->http;

    http_answer(c->all->http, h->request->route, &h->request->q, clock_us(), &h->reply);
    c->all->stir(c->all->net);
    h->last = false;
    if (!h->reply.exchange) return begin(c, h->request->head.close);
    c->all->n_exchanges++;
    exchange_bind(h->reply.exchange, &(struct exchange_conn){.arg = c, .wake = wake});
    h->state = WAITING;
    return advance(c);
}

/* --- requests --------------------------------------------------------------------------------- */

/* The whole request is there. false: the connection is gone. */
static bool dispatch(struct conn *c)
{
    struct http_conn *h = c->http;
    struct http_asked *r = h->request;
    struct asking a;

    asking_begin(&a, c, &r->head);
    r->q.asker = &a.asker;
    return respond(c);
}

/* Read on in the body with what has come. false: the connection is gone. */
static bool take_body(struct conn *c)
{
    struct http_conn *h = c->http;
    struct fail f;
    size_t used;
    int status = http_asked_feed(h->request, h->in, h->n, &used, &f);

    h->n -= used;
    memmove(h->in, h->in + used, h->n);
    if (status) return refuse(c, &f, status);
    return body_whole(&h->request->body) ? dispatch(c) : true;
}

/* The route takes it. false: the connection is gone. */
static bool begin_body(struct conn *c)
{
    static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
    struct http_conn *h = c->http;
    struct http_asked *r = h->request;
    struct fail f;
    int64_t most = http_body_max(r->route);
    int status = http_asked_body(r, most, &f);

    if (!status) status = bodies_reserve(c, &r->head, most, &h->reserved, &f);
    if (status) return refuse(c, &f, status);
    h->state = BODY;
    set_timer(c, BODY_SECONDS + (int)(h->reserved / SLOWEST_BYTES));
    if (r->head.expect && !h->n) send(h->fd, go_on, sizeof go_on - 1, MSG_NOSIGNAL);
    return take_body(c);
}

/* One that asks for no WebSocket. false: the connection is gone. */
static bool serve(struct conn *c)
{
    struct http_conn *h = c->http;
    struct http_asked *r = h->request;
    struct asking a;

    asking_begin(&a, c, &r->head);
    r->q.asker = &a.asker;
    if (http_preflight(&r->q, &h->reply)) return begin(c, head_body(&r->head));
    r->route = http_find(c->all->http, &r->q, &h->reply);
    if (!r->route) return begin(c, head_body(&r->head) || r->head.close);
    return head_body(&r->head) ? begin_body(c) : respond(c);
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

static bool upgrade(struct conn *c)
{
    const struct head *head = &c->http->request->head;
    struct fail f;
    int status = upgrade_check(c, head, &f);

    if (!status) status = identify(c, head, &f);
    if (status) return refuse(c, &f, status);
    c->http->reply.status = 101;
    note(c);
    hand_over(c);
    return false;
}

/* One whole head. false: the connection is gone, or is a WebSocket now. */
static bool answer(struct conn *c)
{
    struct http_asked *r = c->http->request;
    struct head *head = &r->head;
    struct fail f;
    int status;

    head->path = proxy_below(c->all->base, head->path);
    if (c->over) return too_many(c);
    if (upgrade_wanted(head)) return upgrade(c);
    status = upgrade_check_plain(c, head, &f);
    if (status) return refuse(c, &f, status);
    http_asked_read(r);
    return serve(c);
}

/* Answer the requests that have come whole. */
static void take_heads(struct conn *c)
{
    struct http_conn *h = c->http;
    struct fail f;

    while (h->state == READING) {
        size_t n = head_length(h->in, h->n);
        int status;

        if (n > HEAD_BYTES || (!n && h->n >= HEAD_BYTES)) {
            too_long(c);
            return;
        }
        if (!n) return;
        c->known = false;
        h->request = http_asked_new(h->in, n);
        if (!h->request) {
            conn_free(c);
            return;
        }
        h->n -= n;
        memmove(h->in, h->in + n, h->n);
        status = head_parse(&h->request->head, h->request->bytes, n, &f);
        if (status ? !refuse(c, &f, status) : !answer(c)) return;
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
    if (!h->n && h->state == READING) set_timer(c, HEAD_SECONDS);
    h->n += (size_t)n;
    if (h->state == READING || take_body(c)) take_heads(c);
}

static void drop_some(struct conn *c)
{
    char bytes[READ_BYTES];
    ssize_t n = recv(c->http->fd, bytes, sizeof bytes, 0);

    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (n > 0) c->http->dropped += n;
    if (n <= 0 || c->http->dropped > LINGER_BYTES) conn_free(c);
}

/* It sends nothing more: who waits long has gone, others get their answer. */
static void ended(struct conn *c)
{
    struct http_conn *h = c->http;

    if (exchange_lasts(h->reply.exchange)) {
        conn_free(c);
        return;
    }
    h->last = true;
    want(c, 0);
}

void http_conn_event(struct conn *c, uint32_t events)
{
    struct http_conn *h = c->http;
    bool gone = events & (EPOLLERR | EPOLLHUP), alive = true;

    if (gone && (h->state == WAITING || h->state == WRITING || h->state == STREAMING)) {
        conn_free(c);
        return;
    }
    switch (h->state) {
    case READING:
    case BODY: read_some(c); return;
    case LINGERING: drop_some(c); return;
    case WAITING: ended(c); return;
    case WRITING: alive = write_some(c); break;
    case STREAMING:
        alive = !(events & EPOLLRDHUP) && stream_some(c);
        if (events & EPOLLRDHUP) conn_free(c);
        break;
    }
    if (alive) take_heads(c);
}

void http_conn_ready(struct conn *c)
{
    struct http_conn *h = c->http;
    bool alive = true;

    if (!h || !h->reply.exchange) return;
    if (!http_conn_holds(c)) { /* a guest's, whose share has ended */
        conn_free(c);
        return;
    }
    if (h->blocked) return;
    if (h->state == WAITING)
        alive = advance(c);
    else if (h->state == STREAMING)
        alive = stream_some(c);
    if (alive) take_heads(c);
}

void http_conn_timer(struct conn *c)
{
    struct http_conn *h = c->http;

    if (h->state == BODY) {
        too_slow(c);
        return;
    }
    if (!h->reply.exchange || h->blocked) {
        conn_free(c);
        return;
    }
    exchange_timer(h->reply.exchange, clock_us());
    http_conn_ready(c);
}

void http_conn_drain(struct conn *c)
{
    if (!c->http || !c->http->reply.exchange) return;
    exchange_drain(c->http->reply.exchange, clock_us());
    http_conn_ready(c);
}

bool http_conn_holds(const struct conn *c)
{
    const struct exchange *x = c->http ? c->http->reply.exchange : NULL;

    return !x || (c->known && auth_holds(c->all->auth, &c->who) && !exchange_is_cut(x));
}
