/* http_conn - a connection that speaks HTTP/1.1: heads in, replies out, one request after the
 * other.
 *
 * While a reply is being written nothing is read, so a client that sends requests faster than it
 * reads replies waits in its own socket. A request that cannot be followed by another one (it is
 * refused for its form, carries a body, or asks to close) ends the connection: the reply, then
 * the end of what we send, then what still comes is read and dropped for a moment, as closing a
 * socket with unread bytes would take the reply from the client. Any of these calls may free the
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
/* It has taken too long. */
void http_conn_timer(struct conn *);
/* Forget the HTTP side; the descriptor is closed with it. */
void http_conn_close(struct conn *);

#endif
