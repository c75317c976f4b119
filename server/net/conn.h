/* conn - one accepted connection, and the list of all: counting, the limits, what both protocols
 * share.
 *
 * It begins as HTTP, on a descriptor and an epoll instance of our own (http_conn.h), because
 * what libwebsockets 4.1.6 reads as HTTP it reads too leniently, and some of it for ever. When a
 * request for a WebSocket has passed every check (upgrade.h), the descriptor goes to
 * libwebsockets (ws_conn.h).
 * Thread: the loop's. */
#ifndef SERVER_NET_CONN_H
#define SERVER_NET_CONN_H

#include "server/base/log.h"
#include "server/base/traffic.h"
#include "server/base/wheel.h"
#include "server/http/routes.h"
#include "server/net/auth.h"
#include "server/net/census.h"
#include "server/net/handshake.h"
#include "server/net/session.h"

#include <libwebsockets.h>
#include <stdbool.h>
#include <stdint.h>

#define CONN_REFUSED_MAX 32 /* connections over the limit that may wait for their refusal */
#define CONN_WARNINGS    4  /* kinds of refusal that are logged: three headers, and tokens */
#define CONN_WARN_US     INT64_C(60000000) /* between two log lines about the same kind */

/* What all connections share; filled in by net. */
struct conns {
    struct conn *first;
    int n, n_sessions;
    int n_exchanges;    /* requests that wait for an answer, or read a stream */
    int64_t bodies;     /* bytes of large bodies that are being received, or wait for an answer */
    struct conn *ready; /* those that can go on */
    int room, per_ip;   /* most in all; most from one address, 0: the default */
    int per_user;       /* most of one user, 0: any number */
    struct census census;
    struct wheel wheel; /* the timers of all */
    int epoll_fd;       /* those that speak HTTP */
    struct lws_vhost *vhost;
    struct conn *upgrading; /* the one that libwebsockets is being given */
    struct handshake_rules rules;
    struct auth *auth; /* who is asking */
    bool trust_proxy;
    const char *base; /* "/", or the path below which a proxy serves this */
    int ping_seconds, hangup_seconds;
    struct log *log;
    int64_t warned_us[CONN_WARNINGS]; /* when each kind was logged last; 0: never */
    struct http *http;
    struct traffic *traffic;
    void (*close_http)(struct conn *); /* http_conn_close */
    void (*stir)(void *net);           /* make a round soon: something has changed outside of one */
    void *net;
    /* as in struct net_conf */
    void *arg;
    struct session *(*open_session)(void *arg, const struct session_conn *);
    struct blob *(*hello)(void *arg, const struct auth_who *);
};

struct http_conn;

struct conn {
    struct conns *all;
    struct conn *next, **self;             /* list of all */
    struct conn *ready_next, **ready_self; /* of those that can go on; self NULL: it is not one */
    struct census_entry *from;
    struct address address; /* of this one; of a WebSocket behind a proxy the client's */
    bool over;              /* above a limit: its first request is refused .. */
    bool over_address;      /* .. that on its address */
    struct timer timer;     /* what it is for depends on the protocol */
    struct http_conn *http; /* while it speaks HTTP */
    /* a WebSocket; the rest is ws_conn's */
    struct lws *wsi;
    struct session *session;
    bool crowded; /* its user has as many as it may */
    bool known;   /* whose it is: */
    struct auth_who who;
    int closing;      /* close it with this when all has been sent; 0: no */
    int64_t asked_us; /* when its present silence was first pinged, or 0 */
    int64_t heard_us; /* when a message or pong came, or it was not listened to any more */
    bool ping;        /* a ping is due */
    bool deaf;        /* nothing is read from it .. */
    bool full;        /* .. as much of what it was answered waits */
    int looks;        /* .. and it has taken nothing of that since so many looks */
    uint64_t acked;   /* bytes that had arrived there at the last look */
    int close_code;   /* hang up with this; 0: no */
};

/* Count one that has been accepted from there, which then speaks a protocol. NULL: there are far
 * too many, or no memory. */
struct conn *conn_new(struct conns *, const struct address *from);
void conn_free(struct conn *);
/* Too many wrong tokens came from there: log it, once a minute. */
void conn_warn_tokens(struct conn *, const struct address *from);
/* What answers its request can go on, as soon as nothing of the hub is being called. */
void conn_ready(struct conn *);
void conn_not_ready(struct conn *);
/* The connection that a timer is part of. */
struct conn *conn_of(struct timer *);

#endif
