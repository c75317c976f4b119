/* net - the context of libwebsockets, its callbacks by protocol, and the loop. */
#include "server/net/net.h"

#include "server/base/clock.h"
#include "server/net/address.h"
#include "server/net/conn.h"
#include "server/net/handshake.h"
#include "server/net/http_conn.h"
#include "server/net/listen.h"
#include "server/net/upgrade.h"
#include "server/net/ws_conn.h"

#include <assert.h>
#include <libwebsockets.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

enum { HEADER_SECONDS = 10 }; /* for a request's headers to arrive */

struct net {
    struct net_conf conf;
    struct conns conns;
    struct lws_context *context;
    struct lws_vhost *vhost;
    lws_sorted_usec_list_t alarm;
    lws_retry_bo_t idle;
    int listen_fd, signal_fd, spare_fd;
    char url[96];
    int port;
    bool stopping, closed;
};

static struct net *net_of(struct lws *wsi)
{
    return lws_context_user(lws_get_context(wsi));
}

/* --- callbacks --------------------------------------------------------------------------------- */

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
            conn_accept(&n->conns, n->vhost, fd, &from);
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

static int on_http(struct lws *wsi, enum lws_callback_reasons why, void *user, void *in, size_t len)
{
    struct conn *c = wsi ? lws_get_opaque_user_data(wsi) : NULL;
    (void)user;
    if (!c) return 0;
    c->wsi = wsi;
    switch (why) {
    case LWS_CALLBACK_HTTP: return http_conn_request(c, in, len);
    case LWS_CALLBACK_HTTP_WRITEABLE: return http_conn_writeable(c);
    case LWS_CALLBACK_HTTP_CONFIRM_UPGRADE: return upgrade_confirm(c);
    case LWS_CALLBACK_FILTER_PROTOCOL_CONNECTION: return -1; /* no WebSocket without subprotocol */
    case LWS_CALLBACK_WSI_DESTROY:
        lws_set_opaque_user_data(wsi, NULL);
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
        .fd_limit_per_thread = (unsigned)(n->conns.room + CONN_REFUSED_MAX + 16),
        .max_http_header_pool = (unsigned short)(n->conns.room + CONN_REFUSED_MAX),
        .timeout_secs = HEADER_SECONDS,
        .keepalive_timeout = HTTP_CONN_KEEP_SECONDS,
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
    n->conns = (struct conns){
        .room = listen_room(conf->connections < 60000 ? conf->connections : 60000),
        .per_ip = conf->connections_per_ip,
        .rules = {.host = conf->host, .origins = conf->origins, .open = conf->open},
        .http = conf->http,
        .frame_lag = conf->frame_lag,
        .arg = conf->arg,
        .session = conf->greet,
        .hello = conf->hello,
    };
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
    n->stopping = n->conns.freeing = true;
    if (n->context) lws_context_destroy(n->context);
    while (n->conns.first)
        conn_free(n->conns.first);
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
    return n->conns.n_sessions;
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
    for (struct conn *c = n->conns.first; c; c = c->next)
        if (c->session && !session_greeted(c->session)) ws_conn_hello(c);
}

void net_made(struct net *n, int64_t us)
{
    n->conns.made_us = us;
}

void net_farewell(struct net *n, const struct fail *why)
{
    n->stopping = true;
    for (struct conn *c = n->conns.first; c; c = c->next)
        ws_conn_leave(c, why);
}
