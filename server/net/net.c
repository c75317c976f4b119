/* net - callbacks of libwebsockets turned into calls of handshake, session and http. */
#include "server/net/net.h"

#include "server/base/clock.h"
#include "server/net/address.h"
#include "server/net/handshake.h"
#include "server/net/listen.h"

#include <assert.h>
#include <libwebsockets.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

enum {
    CHUNK_BYTES = 16 << 10, /* of an HTTP body in one write */
    HEADER_BYTES = 4096,
    REFUSED_MAX = 32,    /* connections over the limit that are told so at a time */
    HEADER_SECONDS = 10, /* for a request's headers to arrive */
    KEEP_SECONDS = 30,   /* an idle HTTP connection */
    PER_IP = 64,         /* connections from one address of another machine */
    CLOSE_SLOW = 4008
};

/* One accepted connection, from accept() to libwebsockets' last word about it. */
struct conn {
    struct net *net;
    struct lws *wsi;
    struct conn *next, **self; /* list of all */
    struct address from;
    bool over;               /* above a limit: to be refused */
    struct session *session; /* a WebSocket */
    bool leaving;            /* close it when it has been read */
    struct http_reply reply; /* being written */
    bool replying, last_request;
    int64_t sent;
};

struct net {
    struct net_conf conf;
    struct handshake_rules rules;
    struct lws_context *context;
    struct lws_vhost *vhost;
    lws_sorted_usec_list_t alarm;
    lws_retry_bo_t idle;
    int listen_fd, signal_fd, spare_fd, room;
    char url[96];
    int port;
    struct conn *conns;
    int n_conns, n_sessions;
    bool stopping, closed;
    int64_t made_us; /* of a preview that nobody was sent yet; 0: none */
};

static struct net *net_of(struct lws *wsi)
{
    return lws_context_user(lws_get_context(wsi));
}

/* --- connections --------------------------------------------------------------------------------- */

static void conn_free(struct conn *c)
{
    *c->self = c->next;
    if (c->next) c->next->self = c->self;
    c->net->n_conns--;
    if (c->session) c->net->n_sessions--;
    session_free(c->session);
    if (c->replying) http_reply_free(&c->reply);
    free(c);
}

/* Proxies, tunnels and scripts of this machine have one address for many people. */
static int most_from(const struct net *n, const struct address *from)
{
    if (n->conf.connections_per_ip) return n->conf.connections_per_ip;
    return address_local(from) ? n->room : PER_IP;
}

static bool over_limit(const struct net *n, const struct address *from)
{
    int same = 0;
    for (const struct conn *c = n->conns; c; c = c->next)
        same += address_same_host(&c->from, from);
    return n->n_conns >= n->room || same >= most_from(n, from);
}

static struct conn *conn_new(struct net *n, const struct address *from)
{
    struct conn *c = calloc(1, sizeof *c);
    if (!c) return NULL;
    c->net = n;
    c->from = *from;
    c->over = over_limit(n, from);
    c->next = n->conns;
    c->self = &n->conns;
    if (c->next) c->next->self = &c->next;
    n->conns = c;
    n->n_conns++;
    return c;
}

static void take_one(struct net *n, int fd, const struct address *from)
{
    struct conn *c = n->n_conns < n->room + REFUSED_MAX ? conn_new(n, from) : NULL;
    if (!c) {
        close(fd);
        return;
    }
    lws_adopt_desc_t adopt = {
        .vh = n->vhost, .type = LWS_ADOPT_SOCKET | LWS_ADOPT_HTTP, .fd.sockfd = fd, .opaque = c};
    struct lws *wsi = lws_adopt_descriptor_vhost_via_info(&adopt); /* closes fd when it fails */
    if (!wsi)
        conn_free(c);
    else
        c->wsi = wsi;
}

static int on_listen(struct lws *wsi, enum lws_callback_reasons why, void *user, void *in,
                     size_t len)
{
    (void)user, (void)in, (void)len;
    if (why != LWS_CALLBACK_RAW_RX_FILE) return 0;
    struct net *n = net_of(wsi);
    struct address from;
    for (int fd; (fd = listen_accept(n->listen_fd, &n->spare_fd, &from)) >= 0;)
        if (n->stopping)
            close(fd);
        else
            take_one(n, fd, &from);
    return 0;
}

static int on_signal(struct lws *wsi, enum lws_callback_reasons why, void *user, void *in,
                     size_t len)
{
    (void)user, (void)in, (void)len;
    if (why != LWS_CALLBACK_RAW_RX_FILE) return 0;
    struct net *n = net_of(wsi);
    struct signalfd_siginfo info;
    while (read(n->signal_fd, &info, sizeof info) == (ssize_t)sizeof info)
        n->conf.signal(n->conf.arg, (int)info.ssi_signo);
    return 0;
}

/* --- HTTP ---------------------------------------------------------------------------------------- */

static void header_of(struct lws *wsi, enum lws_token_indexes which, char *out, int bytes)
{
    int n = lws_hdr_copy(wsi, out, bytes, which);
    out[n > 0 ? n : 0] = 0;
}

static const char *method_of(struct lws *wsi)
{
    if (lws_hdr_total_length(wsi, WSI_TOKEN_GET_URI)) return "GET";
    if (lws_hdr_total_length(wsi, WSI_TOKEN_HEAD_URI)) return "HEAD";
    return "other";
}

static bool add(struct lws *wsi, const char *name, const char *value, uint8_t **at, uint8_t *end)
{
    return *value
           && lws_add_http_header_by_name(wsi, (const unsigned char *)name,
                                          (const unsigned char *)value, (int)strlen(value), at, end)
                  != 0;
}

static bool add_number(struct lws *wsi, const char *name, int64_t n, uint8_t **at, uint8_t *end)
{
    char text[24];
    snprintf(text, sizeof text, "%lld", (long long)n);
    return add(wsi, name, text, at, end);
}

/* Status line and headers; true when they did not fit or the socket is gone. */
static bool write_head(struct lws *wsi, const struct http_reply *r, bool last)
{
    uint8_t buffer[LWS_PRE + HEADER_BYTES], *start = buffer + LWS_PRE, *at = start;
    uint8_t *end = buffer + sizeof buffer;
    bool bad = lws_add_http_header_status(wsi, (unsigned)r->status, &at, end) != 0;
    for (const struct http_header *h = HTTP_SECURITY; h->name; h++)
        bad |= add(wsi, h->name, h->value, &at, end);
    if (r->type) bad |= add(wsi, "content-type:", r->type, &at, end);
    if (r->cache) bad |= add(wsi, "cache-control:", r->cache, &at, end);
    if (r->allow) bad |= add(wsi, "allow:", r->allow, &at, end);
    if (r->retry_after_s) bad |= add_number(wsi, "retry-after:", r->retry_after_s, &at, end);
    if (last) bad |= add(wsi, "connection:", "close", &at, end);
    bad |= add(wsi, "etag:", r->etag, &at, end);
    bad |= add(wsi, "content-disposition:", r->disposition, &at, end);
    if (r->status != 304) bad |= add_number(wsi, "content-length:", r->bytes, &at, end);
    return bad || lws_finalize_write_http_header(wsi, start, &at, end);
}

static int finish(struct conn *c)
{
    http_reply_free(&c->reply);
    c->replying = false;
    if (c->last_request) return -1;
    return lws_http_transaction_completed(c->wsi) ? -1 : 0;
}

/* One chunk of the body; -1 hangs up, 1: all of it is written. */
static int write_some(struct conn *c)
{
    uint8_t buffer[LWS_PRE + CHUNK_BYTES], *chunk = buffer + LWS_PRE;
    int64_t left = c->reply.bytes - c->sent;
    size_t n = left < CHUNK_BYTES ? (size_t)left : (size_t)CHUNK_BYTES;
    if (c->reply.fd < 0)
        memcpy(chunk, c->reply.body + c->sent, n);
    else if (pread(c->reply.fd, chunk, n, (off_t)c->sent) != (ssize_t)n)
        return -1; /* the length was promised: cut off, so that nobody takes it for whole */
    bool last = (int64_t)n == left;
    if (lws_write(c->wsi, chunk, n, last ? LWS_WRITE_HTTP_FINAL : LWS_WRITE_HTTP) < 0) return -1;
    c->sent += (int64_t)n;
    return last;
}

static int go_on(struct conn *c)
{
    if (!c->replying) return 0;
    int done = write_some(c);
    if (done < 0) return -1;
    if (done) return finish(c);
    lws_set_timeout(c->wsi, PENDING_TIMEOUT_HTTP_CONTENT, KEEP_SECONDS);
    lws_callback_on_writable(c->wsi);
    return 0;
}

static int begin(struct conn *c)
{
    c->replying = true;
    c->sent = 0;
    if (write_head(c->wsi, &c->reply, c->last_request)) return -1;
    if (c->reply.head || !c->reply.bytes) return finish(c);
    lws_callback_on_writable(c->wsi);
    return 0;
}

/* Head and body in one go, for replies of a few hundred bytes; true when the socket is gone. */
static bool write_whole(struct lws *wsi, const struct http_reply *r, bool last)
{
    char body[LWS_PRE + 1024];
    size_t n = (size_t)r->bytes < sizeof body - LWS_PRE ? (size_t)r->bytes : sizeof body - LWS_PRE;
    if (write_head(wsi, r, last)) return true;
    if (r->body) memcpy(body + LWS_PRE, r->body, n);
    return lws_write(wsi, (uint8_t *)body + LWS_PRE, n, LWS_WRITE_HTTP_FINAL) < 0;
}

/* Does a body follow? Any length but zero, written once, and any transfer coding count. */
static bool has_body(struct lws *wsi)
{
    char length[32];
    int n = lws_hdr_total_length(wsi, WSI_TOKEN_HTTP_CONTENT_LENGTH);
    if (lws_hdr_total_length(wsi, WSI_TOKEN_HTTP_TRANSFER_ENCODING)) return true;
    header_of(wsi, WSI_TOKEN_HTTP_CONTENT_LENGTH, length, sizeof length);
    return n > 0 && strspn(length, "0") != (size_t)n;
}

/* libwebsockets 4.1.6 reads a buffered segment again and again when nothing of it is consumed, which
 * is what happens to a body behind a reply that waits to be written: answer at once and hang up. */
static int refuse_body(struct conn *c)
{
    if (strcmp(method_of(c->wsi), "other") != 0 && c->reply.status < 400) {
        struct fail f;
        http_reply_free(&c->reply);
        fail_set(&f, ERR_BAD_REQUEST, "This request carries a body, and none is read here.");
        fail_advise(&f, "Send GET without Content-Length and Transfer-Encoding.");
        http_refuse(&c->reply, &f, 400);
    }
    write_whole(c->wsi, &c->reply, true);
    http_reply_free(&c->reply);
    return -1;
}

static void too_many(struct http_reply *r)
{
    struct fail f;
    fail_set(&f, ERR_RATE_LIMITED, "There are too many connections.");
    f.retry_after_ms = 5000;
    http_refuse(r, &f, 503);
}

static int on_request(struct conn *c, const char *path, size_t len)
{
    char host[256], match[512], query[256], copy[1024];
    struct fail f;
    header_of(c->wsi, WSI_TOKEN_HOST, host, sizeof host);
    header_of(c->wsi, WSI_TOKEN_HTTP_IF_NONE_MATCH, match, sizeof match);
    header_of(c->wsi, WSI_TOKEN_HTTP_URI_ARGS, query, sizeof query);
    snprintf(copy, sizeof copy, "%.*s", (int)(len < sizeof copy ? len : sizeof copy - 1), path);
    struct http_request q = {method_of(c->wsi), copy, query, match};
    c->last_request = c->over || strcmp(q.method, "other") == 0;
    if (c->over)
        too_many(&c->reply);
    else if (!handshake_host(&c->net->rules, host)) {
        fail_set(&f, ERR_FORBIDDEN, "This Host is not served here.");
        http_refuse(&c->reply, &f, 403);
    } else
        http_route(c->net->conf.http, &q, &c->reply);
    return has_body(c->wsi) ? refuse_body(c) : begin(c);
}

/* --- the handshake ------------------------------------------------------------------------------- */

/* 0, or the status of a refusal. Every header is copied: what libwebsockets passes may be moved. */
static int check_handshake(struct conn *c, struct fail *f)
{
    char up[32], connection[64], version[8], key[64], protocols[128], host[256], origin[256],
        path[64];
    struct lws *wsi = c->wsi;
    header_of(wsi, WSI_TOKEN_UPGRADE, up, sizeof up);
    header_of(wsi, WSI_TOKEN_CONNECTION, connection, sizeof connection);
    header_of(wsi, WSI_TOKEN_VERSION, version, sizeof version);
    header_of(wsi, WSI_TOKEN_KEY, key, sizeof key);
    header_of(wsi, WSI_TOKEN_PROTOCOL, protocols, sizeof protocols);
    header_of(wsi, WSI_TOKEN_HOST, host, sizeof host);
    header_of(wsi, WSI_TOKEN_ORIGIN, origin, sizeof origin);
    header_of(wsi, WSI_TOKEN_GET_URI, path, sizeof path);
    struct handshake s = {method_of(wsi), path, up,    connection, version, key,
                          protocols,      host, origin};
    if (c->over) {
        fail_set(f, ERR_RATE_LIMITED, "There are too many connections.");
        f->retry_after_ms = 5000;
        return 503;
    }
    /* an Origin too long to be copied is not "no Origin" */
    if (lws_hdr_total_length(wsi, WSI_TOKEN_ORIGIN) && !*origin) snprintf(origin, 2, "?");
    if (has_body(wsi)) {
        fail_set(f, ERR_BAD_REQUEST, "An upgrade carries no body.");
        return 400;
    }
    return handshake_check(&c->net->rules, &s, f);
}

/* Answer at once, headers and body: libwebsockets ends the transaction when told 1. */
static int refuse_upgrade(struct conn *c, const struct fail *why, int status)
{
    struct http_reply r;
    bool body = has_body(c->wsi);
    http_refuse(&r, why, status);
    bool bad = write_whole(c->wsi, &r, body);
    http_reply_free(&r);
    return bad || body ? -1 : 1;
}

static int on_confirm(struct conn *c)
{
    struct fail f = {0};
    int status = check_handshake(c, &f);
    return status ? refuse_upgrade(c, &f, status) : 0;
}

static int on_http(struct lws *wsi, enum lws_callback_reasons why, void *user, void *in, size_t len)
{
    struct conn *c = wsi ? lws_get_opaque_user_data(wsi) : NULL;
    (void)user;
    if (!c) return 0;
    c->wsi = wsi;
    switch (why) {
    case LWS_CALLBACK_HTTP: return on_request(c, in, len);
    case LWS_CALLBACK_HTTP_WRITEABLE: return go_on(c);
    case LWS_CALLBACK_HTTP_CONFIRM_UPGRADE: return on_confirm(c);
    case LWS_CALLBACK_FILTER_PROTOCOL_CONNECTION: return -1; /* no WebSocket without subprotocol */
    case LWS_CALLBACK_WSI_DESTROY:
        lws_set_opaque_user_data(wsi, NULL);
        conn_free(c);
        return 0;
    default: return 0;
    }
}

/* --- WebSocket ----------------------------------------------------------------------------------- */

static void want_write(void *arg)
{
    struct conn *c = arg;
    lws_callback_on_writable(c->wsi);
}

static int hang_up(struct conn *c, int code, const char *reason)
{
    unsigned char text[64];
    size_t n = strlen(reason);
    memcpy(text, reason, n);
    lws_close_reason(c->wsi, (enum lws_close_status)code, text, n);
    return -1;
}

/* Before hello nothing is read: what a client sends meanwhile waits in its socket. */
static void greet(struct conn *c)
{
    struct blob *hello = c->net->conf.hello(c->net->conf.arg);
    lws_rx_flow_control(c->wsi, hello != NULL);
    if (hello) session_hello(c->session, hello);
}

static int on_open(struct conn *c)
{
    struct net *n = c->net;
    c->session = n->conf.greet(n->conf.arg, want_write, c);
    if (!c->session) return hang_up(c, LWS_CLOSE_STATUS_UNEXPECTED_CONDITION, "internal");
    n->n_sessions++;
    greet(c);
    return 0;
}

static int on_receive(struct conn *c, const char *in, size_t len)
{
    struct session_piece piece = {.bytes = in,
                                  .len = len,
                                  .first = lws_is_first_fragment(c->wsi) != 0,
                                  .last = lws_is_final_fragment(c->wsi) != 0,
                                  .binary = lws_frame_is_binary(c->wsi) != 0};
    if (!c->session || c->leaving) return 0;
    session_receive(c->session, clock_us(), &piece);
    return session_is_slow(c->session) ? hang_up(c, CLOSE_SLOW, "slow") : 0;
}

static int on_writeable(struct conn *c)
{
    bool binary = false;
    if (!c->session) return 0;
    if (session_is_slow(c->session)) return hang_up(c, CLOSE_SLOW, "slow");
    struct blob *m = session_next(c->session, clock_us(), &binary);
    if (!m) return c->leaving ? hang_up(c, LWS_CLOSE_STATUS_GOINGAWAY, "shutting_down") : 0;
    /* the blob's head is scribbled on by this thread alone; its bytes stay as they are */
    uint8_t *bytes = (uint8_t *)m->memory + BLOB_HEAD;
    int sent = lws_write(c->wsi, bytes, m->len, binary ? LWS_WRITE_BINARY : LWS_WRITE_TEXT);
    blob_unref(m);
    if (sent < 0) return -1;
    if (binary && c->net->made_us) {
        histogram_add(c->net->conf.frame_lag, clock_us() - c->net->made_us);
        c->net->made_us = 0;
    }
    lws_callback_on_writable(c->wsi);
    return 0;
}

static int on_ws(struct lws *wsi, enum lws_callback_reasons why, void *user, void *in, size_t len)
{
    (void)user;
    if (why == LWS_CALLBACK_EVENT_WAIT_CANCELLED) {
        struct net *n = net_of(wsi);
        n->conf.events(n->conf.arg);
        return 0;
    }
    struct conn *c = wsi ? lws_get_opaque_user_data(wsi) : NULL;
    struct fail f;
    if (!c) return 0;
    switch (why) {
    case LWS_CALLBACK_FILTER_PROTOCOL_CONNECTION: return check_handshake(c, &f) ? -1 : 0;
    case LWS_CALLBACK_ESTABLISHED: return on_open(c);
    case LWS_CALLBACK_RECEIVE: return on_receive(c, in, len);
    case LWS_CALLBACK_SERVER_WRITEABLE: return on_writeable(c);
    case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE: /* half a code would be echoed */
        return len == 1 ? hang_up(c, LWS_CLOSE_STATUS_PROTOCOL_ERR, "") : 0;
    case LWS_CALLBACK_CLOSED:
        if (c->session) c->net->n_sessions--;
        session_free(c->session);
        c->session = NULL;
        return 0;
    default: return 0;
    }
}

/* The names of all but the second cannot be asked for: handshake refuses them. */
static const struct lws_protocols PROTOCOLS[] = {
    {.name = "darkroom-http", .callback = on_http},
    {.name = HANDSHAKE_SUBPROTOCOL, .callback = on_ws, .rx_buffer_size = 4096},
    {.name = "darkroom-listen", .callback = on_listen},
    {.name = "darkroom-signal", .callback = on_signal},
    {0},
};

/* --- life ---------------------------------------------------------------------------------------- */

static int open_socket(struct net *n, struct fail *f)
{
    struct address at;
    char host[64];
    int err = address_parse(n->conf.host, n->conf.port, &at, f);
    if (!err) err = address_exposure(&at, n->conf.open, f);
    if (!err) err = listen_open(&at, &n->listen_fd, f);
    if (err) return err;
    address_text(&at, host, sizeof host);
    n->port = address_port(&at);
    snprintf(n->url, sizeof n->url, "http://%s:%d", host, n->port);
    n->rules = (struct handshake_rules){n->conf.host, n->conf.origins, n->conf.open};
    return 0;
}

static int open_signals(struct net *n, struct fail *f)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    n->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return n->signal_fd < 0 ? fail_set(f, ERR_IO, "Cannot listen to signals.") : 0;
}

static int open_context(struct net *n, struct fail *f)
{
    n->idle = (lws_retry_bo_t){.secs_since_valid_ping = (uint16_t)n->conf.ping_seconds,
                               .secs_since_valid_hangup = (uint16_t)n->conf.hangup_seconds};
    struct lws_context_creation_info info = {
        .port = CONTEXT_PORT_NO_LISTEN_SERVER,
        .vhost_name = "darkroom",
        .server_string = "darkroom",
        .protocols = PROTOCOLS,
        .extensions = NULL, /* permessage-deflate of 4.1.6 corrupts data */
        .user = n,
        .options = LWS_SERVER_OPTION_EXPLICIT_VHOSTS | LWS_SERVER_OPTION_VALIDATE_UTF8,
        .retry_and_idle_policy = &n->idle,
        .fd_limit_per_thread = (unsigned)(n->room + REFUSED_MAX + 16),
        .max_http_header_pool = (unsigned short)(n->room + REFUSED_MAX),
        .timeout_secs = HEADER_SECONDS,
        .keepalive_timeout = KEEP_SECONDS,
    };
    n->context = lws_create_context(&info);
    n->vhost = n->context ? lws_create_vhost(n->context, &info) : NULL;
    return n->vhost ? 0 : fail_set(f, ERR_INTERNAL, "libwebsockets does not start.");
}

static int adopt_file(struct net *n, int fd, const char *protocol, struct fail *f)
{
    lws_adopt_desc_t adopt = {
        .vh = n->vhost, .type = LWS_ADOPT_RAW_FILE_DESC, .fd.filefd = fd, .vh_prot_name = protocol};
    if (lws_adopt_descriptor_vhost_via_info(&adopt)) return 0;
    return fail_set(f, ERR_INTERNAL, "libwebsockets does not take %s.", protocol);
}

int net_new(struct net **out, const struct net_conf *conf, struct fail *f)
{
    struct net *n = calloc(1, sizeof *n);
    *out = NULL;
    if (!n) return fail_set(f, ERR_OUT_OF_MEMORY, "No memory for the network.");
    n->conf = *conf;
    n->listen_fd = n->signal_fd = -1;
    n->spare_fd = dup(STDERR_FILENO);
    n->room = listen_room(conf->connections < 60000 ? conf->connections : 60000);
    int err = open_socket(n, f);
    if (!err) err = open_signals(n, f);
    if (!err) err = open_context(n, f);
    if (!err) err = adopt_file(n, n->listen_fd, "darkroom-listen", f);
    if (!err) err = adopt_file(n, n->signal_fd, "darkroom-signal", f);
    if (err)
        net_free(n);
    else
        *out = n;
    return err;
}

void net_free(struct net *n)
{
    if (!n) return;
    bool adopted = n->vhost != NULL; /* libwebsockets closes what it has adopted */
    n->stopping = true;
    if (n->context) lws_context_destroy(n->context);
    while (n->conns)
        conn_free(n->conns);
    if (!adopted && n->listen_fd >= 0) close(n->listen_fd);
    if (!adopted && n->signal_fd >= 0) close(n->signal_fd);
    if (n->spare_fd >= 0) close(n->spare_fd);
    free(n);
}

const char *net_url(const struct net *n)
{
    return n->url;
}

int net_port(const struct net *n)
{
    return n->port;
}

int net_sessions(const struct net *n)
{
    return n->n_sessions;
}

void net_run(struct net *n)
{
    n->conf.round(n->conf.arg);
    while (!n->closed && lws_service(n->context, 0) >= 0)
        n->conf.round(n->conf.arg);
}

void net_stop(struct net *n)
{
    n->closed = true;
}

static void rang(lws_sorted_usec_list_t *sul)
{
    (void)sul; /* the round that follows every service call does the work */
}

void net_alarm(struct net *n, int64_t at_us)
{
    int64_t in = at_us - clock_us();
    if (at_us == INT64_MAX)
        lws_sul_cancel(&n->alarm);
    else
        lws_sul_schedule(n->context, 0, &n->alarm, rang, in > 1 ? in : 1);
}

void net_wake(void *net)
{
    lws_cancel_service(((struct net *)net)->context);
}

void net_resume(struct net *n)
{
    for (struct conn *c = n->conns; c; c = c->next)
        if (c->session && !session_greeted(c->session)) greet(c);
}

void net_made(struct net *n, int64_t us)
{
    n->made_us = us;
}

void net_farewell(struct net *n, const struct fail *why)
{
    n->stopping = true;
    for (struct conn *c = n->conns; c; c = c->next) {
        if (!c->session || c->leaving) continue;
        c->leaving = true;
        session_error(c->session, why);
        lws_callback_on_writable(c->wsi);
    }
}
