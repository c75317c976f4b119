/* net - the libwebsockets shell: one listening socket, one service thread, every known trap of
 * 4.1.6 avoided.
 *
 * It owns the connections: counts them in all and by address, lets handshake decide who may open
 * a WebSocket, gives WebSockets to sessions and requests to http, and writes what these hand it,
 * one message a writeable callback. Other threads call net_wake() and nothing else.
 *
 * Known deviation from RFC 6455: unmasked frames of a client are accepted; libwebsockets does
 * not show the mask bit to its callbacks.
 * Thread: the loop's, but for net_wake(). */
#ifndef SERVER_NET_NET_H
#define SERVER_NET_NET_H

#include "server/base/log.h"
#include "server/base/traffic.h"
#include "server/http/routes.h"
#include "server/net/auth.h"
#include "server/net/session.h"

#include <stdbool.h>
#include <stdint.h>

struct net;

struct net_conf {
    const char *host, *origins; /* borrowed */
    int port;                   /* 0: a free one */
    bool open;
    int connections, connections_per_ip; /* the latter 0: 64, but any number from this machine */
    int connections_per_user;            /* 0: any number */
    int ping_seconds, hangup_seconds;
    struct log *log;
    struct http *http;
    struct auth *auth; /* who is asking; before net_new() it knows the users */
    bool trust_proxy;
    const char *base;   /* "/lab/": borrowed */
    const char *socket; /* path of a unix socket to listen on instead of host and port, or NULL */
    int watch_fd;       /* readable when the users have changed, taken by net_new(); -1: none */
    struct traffic *traffic; /* is counted into */

    void *arg;
    /* A WebSocket is open: make its session, or NULL to hang up. */
    struct session *(*open_session)(void *arg, const struct session_conn *);
    /* The first message for this user, or NULL while there is none: one command is read until
     * net_resume(). */
    struct blob *(*hello)(void *arg, const struct auth_who *);
    void (*events)(void *arg);            /* net_wake() was called */
    void (*signal)(void *arg, int which); /* SIGTERM, SIGINT or SIGHUP came */
    void (*watched)(void *arg, int fd);   /* watch_fd is readable */
    void (*round)(void *arg);             /* after every round of inputs; ends with net_alarm() */
};

/* Binds, and takes over SIGTERM, SIGINT and SIGHUP, which the caller has blocked in all threads.
 * ERR_USAGE, ERR_IO. */
int net_new(struct net **out, const struct net_conf *, struct fail *f);
void net_free(struct net *); /* NULL is fine */

/* "http://127.0.0.1:7860" */
const char *net_url(const struct net *);
int net_port(const struct net *);

/* Serve until net_stop(). */
void net_run(struct net *);
void net_stop(struct net *);
/* Call round() again at this time of clock_us() at the latest; INT64_MAX: not at all. */
void net_alarm(struct net *, int64_t at_us);
/* Wake the loop: events() is called soon. Any thread. */
void net_wake(void *net);

/* hello() returns a message now: send it to the connections that wait for it. */
void net_resume(struct net *);

/* The users of conf.auth have changed: close what belongs to none of them any more. */
void net_users(struct net *);

/* As in struct net_conf; origins are borrowed from now on and have passed handshake_origins().
 * Connections that are open get them when they are looked at next. */
struct net_tuning {
    const char *origins;
    int connections_per_ip, connections_per_user, ping_seconds, hangup_seconds;
};
void net_tune(struct net *, const struct net_tuning *);

/* Tell every session why and close it (1001) when it has been read; take no more connections. */
void net_drain(struct net *, const struct fail *why);
/* Open WebSockets, and requests that wait for an answer or read a stream. */
int net_sessions(const struct net *);

#endif
