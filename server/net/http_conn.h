/* http_conn - a connection that speaks HTTP/1.1: requests in, replies out, one after the other.
 *
 * While a reply is being made or written nothing is read, so a client that sends requests faster
 * than it reads replies waits in its own socket. A request that cannot be followed by another one
 * (it is refused for its form or before its body was read, or asks to close) ends the connection:
 * the reply, then the end of what we send, then what still comes is read and dropped for a moment,
 * as closing a socket with unread bytes would take the reply from the client. A reply that is made
 * later (exchange.h) is gone on with when its exchange is woken. Any of these calls may free the
 * connection.
 * Thread: the loop's. */
#ifndef SERVER_NET_HTTP_CONN_H
#define SERVER_NET_HTTP_CONN_H

#include "server/net/conn.h"

/* Speak HTTP on an accepted, non-blocking socket; fd is taken, also on failure. false: no
 * memory. */
bool http_conn_open(struct conn *, int fd);
/* epoll reported these events. */
void http_conn_event(struct conn *, uint32_t events);
/* It has taken too long, or what answers has asked for this time. */
void http_conn_timer(struct conn *);
/* What answers its request has something to go on with (conn_ready). */
void http_conn_ready(struct conn *);
/* The server stops: what waits for an answer gets one. */
void http_conn_drain(struct conn *);
/* Is whoever waits for an answer here still let in? */
bool http_conn_holds(const struct conn *);
/* Forget the HTTP side; the descriptor is closed with it. */
void http_conn_close(struct conn *);

#endif
