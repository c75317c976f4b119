/* net - the context of libwebsockets, its callbacks by protocol, and the loop.
 *
 * libwebsockets polls; what is not a WebSocket is a descriptor that it only watches: the
 * listening socket, the signals, the epoll instance of connections that speak HTTP, and the one
 * timer. Work that is due is never a timer of libwebsockets: those run before it polls, and what
 * they cause would wait until something else ends the poll. */
#include "server/net/net.h"

#include "server/base/clock.h"
#include "server/net/address.h"
#include "server/net/conn.h"
#include "server/net/handshake.h"
#include "server/net/http_conn.h"
#include "server/net/listen.h"
#include "server/net/ws_conn.h"

#include <libwebsockets.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum {
    SHAKE_SECONDS = 10,      /* for libwebsockets to answer a request that it has whole */
    SHAKES = 64,             /* such requests at a time: each is answered when it is given */
    EVENTS = 256,            /* of epoll, in one turn */
    RX_BYTES = 1024,         /* of a WebSocket's buffer, which each connection keeps */
    OTHER_DESCRIPTORS = 1024 /* that may have lower numbers than a connection's */
};

struct net {
    struct net_conf conf;
    struct conns conns;
    struct lws_context *context;
    lws_retry_bo_t no_pings;
    int listen_fd, signal_fd, timer_fd, spare_fd;
    int64_t alarm_us, armed_us; /* what net_alarm() asked for; what the timer is set to */
    char url[128];
    int port;
    bool made;    /* the file of the unix socket is ours */
    bool adopted; /* libwebsockets closes the descriptors */
    bool stopping, closed;
    char own[256]; /* this machine's name */
};

static struct net *net_of(struct lws *wsi)
{
    return lws_context_user(lws_get_context(wsi));
}

/* --- the timer -------------------------------------------------------------------------------- */

static void arm(struct net *n, int64_t at_us)
{
    struct itimerspec when = {.it_value = {at_us / 1000000, at_us % 1000000 * 1000}};

    if (at_us < 1) at_us = 1; /* long ago; 0 would disarm the timer */
    if (at_us == n->armed_us) return;
    n->armed_us = at_us;
    if (at_us == INT64_MAX) memset(&when, 0, sizeof when);
    timerfd_settime(n->timer_fd, TFD_TIMER_ABSTIME, &when, NULL);
}

/* A callback that ran before the poll has left something to do. */
static void stir(void *net)
{
    arm(net, 1);
}

static void timer_due(struct conn *c)
{
    if (c->http)
        http_conn_timer(c);
    else
        ws_conn_timer(c);
}

static void serve_ready(struct net *n)
{
    struct conn *c;

    while ((c = n->conns.ready)) {
        conn_not_ready(c);
        http_conn_ready(c);
    }
}

static void make_round(struct net *n)
{
    struct timer *due;
    int64_t next;

    while ((due = wheel_due(&n->conns.wheel, clock_us())))
        timer_due(conn_of(due));
    do { /* a request that goes on may cause more */
        serve_ready(n);
        n->conf.round(n->conf.arg);
    } while (n->conns.ready);
    next = wheel_next(&n->conns.wheel);
    arm(n, n->alarm_us < next ? n->alarm_us : next);
}

/* --- callbacks -------------------------------------------------------------------------------- */

static int on_timer(struct lws *wsi, enum lws_callback_reasons why, void *user, void *in,
                    size_t len)
{
    struct net *n = net_of(wsi);
    uint64_t times;

    (void)user, (void)in, (void)len;
    if (why == LWS_CALLBACK_RAW_RX_FILE && read(n->timer_fd, &times, sizeof times) > 0)
        n->armed_us = INT64_MAX; /* the round that follows does the work */
    return 0;
}

static void accepted(struct net *n, int fd, const struct address *from)
{
    struct conn *c = n->stopping ? NULL : conn_new(&n->conns, from);

    if (!c)
        close(fd);
    else if (!http_conn_open(c, fd))
        conn_free(c);
}

static int on_listen(struct lws *wsi, enum lws_callback_reasons why, void *user, void *in,
                     size_t len)
{
    struct net *n = net_of(wsi);
    struct address from;

    (void)user, (void)in, (void)len;
    if (why != LWS_CALLBACK_RAW_RX_FILE) return 0;
    for (int fd; (fd = listen_accept(n->listen_fd, &n->spare_fd, &from)) >= 0;)
        accepted(n, fd, &from);
    return 0;
}

static int on_signal(struct lws *wsi, enum lws_callback_reasons why, void *user, void *in,
                     size_t len)
{
    struct net *n = net_of(wsi);
    struct signalfd_siginfo info;

    (void)user, (void)in, (void)len;
    if (why != LWS_CALLBACK_RAW_RX_FILE) return 0;
    while (read(n->signal_fd, &info, sizeof info) == (ssize_t)sizeof info)
        n->conf.signal(n->conf.arg, (int)info.ssi_signo);
    return 0;
}

static int on_epoll(struct lws *wsi, enum lws_callback_reasons why, void *user, void *in,
                    size_t len)
{
    struct net *n = net_of(wsi);
    struct epoll_event events[EVENTS];
    int got;

    (void)user, (void)in, (void)len;
    if (why != LWS_CALLBACK_RAW_RX_FILE) return 0;
    got = epoll_wait(n->conns.epoll_fd, events, EVENTS, 0);
    for (int i = 0; i < got; i++)
        http_conn_event(events[i].data.ptr, events[i].events);
    return 0;
}

static int on_watch(struct lws *wsi, enum lws_callback_reasons why, void *user, void *in,
                    size_t len)
{
    struct net *n = net_of(wsi);

    (void)user, (void)in, (void)len;
    if (why == LWS_CALLBACK_RAW_RX_FILE) n->conf.watched(n->conf.arg, n->conf.watch_fd);
    return 0;
}

/* A request of our own writing that becomes a WebSocket, and the end of every connection. */
static int on_shake(struct lws *wsi, enum lws_callback_reasons why, void *user, void *in,
                    size_t len)
{
    struct conn *c = wsi ? lws_get_opaque_user_data(wsi) : NULL;

    (void)user, (void)in, (void)len;
    switch (why) {
    case LWS_CALLBACK_SERVER_NEW_CLIENT_INSTANTIATED:
        c = net_of(wsi)->conns.upgrading;
        lws_set_opaque_user_data(wsi, c);
        if (c) c->wsi = wsi;
        return c ? 0 : -1;
    case LWS_CALLBACK_HTTP: return -1;
    case LWS_CALLBACK_FILTER_PROTOCOL_CONNECTION: return -1; /* no WebSocket without subprotocol */
    case LWS_CALLBACK_WSI_DESTROY:
        if (!c) return 0;
        lws_set_opaque_user_data(wsi, NULL);
        if (c->all->upgrading == c) c->all->upgrading = NULL;
        conn_free(c);
        return 0;
    default: return 0;
    }
}

static int on_ws(struct lws *wsi, enum lws_callback_reasons why, void *user, void *in, size_t len)
{
    struct conn *c = wsi ? lws_get_opaque_user_data(wsi) : NULL;

    (void)user;
    if (why == LWS_CALLBACK_EVENT_WAIT_CANCELLED) {
        struct net *n = net_of(wsi);

        n->conf.events(n->conf.arg);
        return 0;
    }
    return c ? ws_conn_event(c, why, in, len) : 0;
}

static const struct lws_protocols PROTOCOLS[] = {
    {.name = "darkroom-shake", .callback = on_shake},
    {.name = HANDSHAKE_SUBPROTOCOL, .callback = on_ws, .rx_buffer_size = RX_BYTES},
    {.name = "darkroom-listen", .callback = on_listen},
    {.name = "darkroom-signal", .callback = on_signal},
    {.name = "darkroom-epoll", .callback = on_epoll},
    {.name = "darkroom-timer", .callback = on_timer},
    {.name = "darkroom-watch", .callback = on_watch},
    {0},
};

/* --- life ------------------------------------------------------------------------------------- */

static int open_unix(struct net *n, struct fail *f)
{
    int err = listen_unix(n->conf.socket, &n->listen_fd, f);

    n->made = !err;
    snprintf(n->url, sizeof n->url, "unix:%.107s", n->conf.socket);
    return err;
}

static int open_socket(struct net *n, struct fail *f)
{
    struct address at;
    char host[64];
    int err = handshake_origins(n->conf.origins, f);

    if (!err) err = proxy_base(n->conf.base, f);
    if (!err && n->conf.socket) return open_unix(n, f);
    if (!err) err = address_parse(n->conf.host, n->conf.port, &at, f);
    if (!err) err = address_exposure(&at, n->conf.open || auth_needed(n->conf.auth), f);
    if (!err && !address_local(&at)) n->conns.rules.open = true; /* its own names are served */
    if (!err) err = listen_open(&at, &n->listen_fd, f);
    if (err) return err;
    address_text(&at, host, sizeof host);
    n->port = address_port(&at);
    snprintf(n->url, sizeof n->url, "http://%s:%d", host, n->port);
    return 0;
}

static int open_descriptors(struct net *n, struct fail *f)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    n->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    n->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    n->conns.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (n->signal_fd >= 0 && n->timer_fd >= 0 && n->conns.epoll_fd >= 0) return 0;
    return fail_set(f, ERR_IO, "Cannot make the descriptors of the network loop.");
}

static struct lws_context *create(struct net *n, struct lws_context_creation_info *info)
{
    struct rlimit now, less;
    struct lws_context *context;
    rlim_t want = (rlim_t)(n->conns.room + CONN_REFUSED_MAX) + OTHER_DESCRIPTORS;

    /* its tables hold the soft limit, which may be a million; told a smaller number itself, it
     * looks for every descriptor from the first to the last connection */
    if (getrlimit(RLIMIT_NOFILE, &now)) return lws_create_context(info);
    less = now;
    if (want < less.rlim_cur) less.rlim_cur = want;
    setrlimit(RLIMIT_NOFILE, &less);
    context = lws_create_context(info);
    setrlimit(RLIMIT_NOFILE, &now);
    return context;
}

static int open_context(struct net *n, struct fail *f)
{
    struct lws_context_creation_info info = {
        .port = CONTEXT_PORT_NO_LISTEN_SERVER,
        .vhost_name = "darkroom",
        .protocols = PROTOCOLS,
        .extensions = NULL, /* permessage-deflate of 4.1.6 corrupts data */
        .user = n,
        .options = LWS_SERVER_OPTION_EXPLICIT_VHOSTS | LWS_SERVER_OPTION_VALIDATE_UTF8,
        .retry_and_idle_policy = &n->no_pings,
        .max_http_header_pool = SHAKES,
        .timeout_secs = SHAKE_SECONDS,
    };

    n->context = create(n, &info);
    n->conns.vhost = n->context ? lws_create_vhost(n->context, &info) : NULL;
    return n->conns.vhost ? 0 : fail_set(f, ERR_INTERNAL, "libwebsockets does not start.");
}

static int adopt_file(struct net *n, int fd, const char *protocol, struct fail *f)
{
    lws_adopt_desc_t adopt = {.vh = n->conns.vhost,
                              .type = LWS_ADOPT_RAW_FILE_DESC,
                              .fd.filefd = fd,
                              .vh_prot_name = protocol};

    if (lws_adopt_descriptor_vhost_via_info(&adopt)) return 0;
    return fail_set(f, ERR_INTERNAL, "libwebsockets does not take %s.", protocol);
}

static int adopt_files(struct net *n, struct fail *f)
{
    int err = adopt_file(n, n->listen_fd, "darkroom-listen", f);

    n->adopted = true;
    if (!err) err = adopt_file(n, n->signal_fd, "darkroom-signal", f);
    if (!err) err = adopt_file(n, n->conns.epoll_fd, "darkroom-epoll", f);
    if (!err) err = adopt_file(n, n->timer_fd, "darkroom-timer", f);
    if (!err && n->conf.watch_fd >= 0) err = adopt_file(n, n->conf.watch_fd, "darkroom-watch", f);
    return err;
}

/* Otherwise clients would be refused by a number that is in no option. */
static void tell_room(const struct net *n)
{
    n->conf.traffic->connections_max = n->conns.room;
    if (n->conns.room == n->conf.connections) return;
    log_warn(n->conf.log,
             "connections: at most %d, not %d, as the process may open no more descriptors; raise "
             "LimitNOFILE= of the service or `ulimit -n`",
             n->conns.room, n->conf.connections);
}

static void init_conns(struct net *n)
{
    const struct net_conf *conf = &n->conf;

    if (gethostname(n->own, sizeof n->own - 1)) n->own[0] = 0;
    n->conns = (struct conns){
        .room = listen_room(conf->connections),
        .per_ip = conf->connections_per_ip,
        .per_user = conf->connections_per_user,
        .epoll_fd = -1,
        .rules = {.host = conf->host, .origins = conf->origins, .open = conf->open, .own = n->own},
        .ping_seconds = conf->ping_seconds,
        .hangup_seconds = conf->hangup_seconds,
        .log = conf->log,
        .http = conf->http,
        .auth = conf->auth,
        .trust_proxy = conf->trust_proxy,
        .base = conf->base,
        .traffic = conf->traffic,
        .close_http = http_conn_close,
        .stir = stir,
        .net = n,
        .arg = conf->arg,
        .open_session = conf->open_session,
        .hello = conf->hello,
    };
    wheel_init(&n->conns.wheel, clock_us());
    tell_room(n);
}

int net_new(struct net **out, const struct net_conf *conf, struct fail *f)
{
    struct net *n = calloc(1, sizeof *n);
    int err;

    *out = NULL;
    if (!n) return fail_set(f, ERR_OUT_OF_MEMORY, "No memory for the network.");
    n->conf = *conf;
    n->listen_fd = n->signal_fd = n->timer_fd = -1;
    n->alarm_us = n->armed_us = INT64_MAX;
    n->spare_fd = dup(STDERR_FILENO);
    init_conns(n);
    err = open_socket(n, f);
    if (!err) err = open_descriptors(n, f);
    if (!err) err = open_context(n, f);
    if (!err) err = adopt_files(n, f);
    if (err)
        net_free(n);
    else
        *out = n;
    return err;
}

void net_free(struct net *n)
{
    if (!n) return;
    n->stopping = true;
    if (n->context) lws_context_destroy(n->context);
    while (n->conns.first)
        conn_free(n->conns.first);
    if (!n->adopted) {
        int fds[] = {n->listen_fd, n->signal_fd, n->timer_fd, n->conns.epoll_fd, n->conf.watch_fd};

        for (size_t i = 0; i < sizeof fds / sizeof *fds; i++)
            if (fds[i] >= 0) close(fds[i]);
    }
    if (n->spare_fd >= 0) close(n->spare_fd);
    if (n->made) unlink(n->conf.socket);
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
    return n->conns.n_sessions + n->conns.n_exchanges;
}

void net_run(struct net *n)
{
    make_round(n);
    while (!n->closed && lws_service(n->context, 0) >= 0)
        make_round(n);
}

void net_stop(struct net *n)
{
    n->closed = true;
}

void net_alarm(struct net *n, int64_t at_us)
{
    n->alarm_us = at_us;
}

void net_wake(void *net)
{
    lws_cancel_service(((struct net *)net)->context);
}

void net_resume(struct net *n)
{
    for (struct conn *c = n->conns.first; c; c = c->next)
        if (c->session && !session_is_open(c->session)) ws_conn_hello(c);
}

void net_users(struct net *n)
{
    for (struct conn *c = n->conns.first, *next; c; c = next) {
        next = c->next;
        ws_conn_users(c);
        if (!http_conn_holds(c)) conn_free(c);
    }
}

void net_tune(struct net *n, const struct net_tuning *t)
{
    n->conns.rules.origins = t->origins;
    n->conns.per_ip = t->connections_per_ip;
    n->conns.per_user = t->connections_per_user;
    n->conns.ping_seconds = t->ping_seconds;
    n->conns.hangup_seconds = t->hangup_seconds;
}

void net_drain(struct net *n, const struct fail *why)
{
    n->stopping = true;
    for (struct conn *c = n->conns.first, *next; c; c = next) {
        next = c->next; /* a request that is answered may end its connection, and no other */
        ws_conn_close(c, why);
        http_conn_drain(c);
    }
}
