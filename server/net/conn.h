/* conn - one accepted connection, and the list of all: counting, the limits, what both protocols share.
 *
 * A connection lives from accept() until libwebsockets destroys its handle: first as HTTP, after an
 * upgrade as a WebSocket. http_conn, upgrade and ws_conn work on it. Thread: the loop's. */
#ifndef SERVER_NET_CONN_H
#define SERVER_NET_CONN_H

#include "server/base/histogram.h"
#include "server/http/routes.h"
#include "server/net/address.h"
#include "server/net/handshake.h"
#include "server/net/session.h"

#include <libwebsockets.h>
#include <stdbool.h>
#include <stdint.h>

#define CONN_REFUSED_MAX 32 /* connections over the limit that are told so at a time */

/* What all connections share; filled in by net. */
struct conns {
    struct conn *first;
    int n, n_sessions;
    int room, per_ip; /* most in all; most from one address, 0: the default */
    struct handshake_rules rules;
    struct http *http;
    struct histogram *frame_lag;
    bool freeing;    /* handles of connections may be gone already: wake none */
    int64_t made_us; /* of a preview that nobody was sent yet; 0: none */
    /* as in struct net_conf */
    void *arg;
    struct session *(*session)(void *arg, void (*want_write)(void *), void *conn);
    struct blob *(*hello)(void *arg);
};

struct conn {
    struct conns *all;
    struct lws *wsi;
    struct conn *next, **self; /* list of all */
    struct address from;
    bool over;               /* above a limit: to be refused */
    struct session *session; /* a WebSocket */
    bool leaving;            /* close it when it has been read */
    struct http_reply reply; /* being written */
    bool replying, last_request;
    int64_t sent; /* bytes of the reply's body */
};

/* Give an accepted socket to libwebsockets as HTTP; fd is taken, also on failure. */
void conn_accept(struct conns *, struct lws_vhost *, int fd, const struct address *from);
void conn_free(struct conn *);

/* A request's header, "" when it is missing or does not fit. */
void conn_header(struct lws *, enum lws_token_indexes which, char *out, int bytes);
const char *conn_method(struct lws *); /* "GET", "HEAD" or "other" */

#endif
