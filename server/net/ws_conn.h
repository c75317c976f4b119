/* ws_conn - a connection that is a WebSocket: between libwebsockets' callbacks and its session.
 *
 * Keeping alive is done here, not by libwebsockets, whose own ping overwrites the payload of a pong
 * that waits to be sent. What counts as a sign of life is any byte that the kernel has received.
 * Thread: the loop's. */
#ifndef SERVER_NET_WS_CONN_H
#define SERVER_NET_WS_CONN_H

#include "server/net/conn.h"

/* One callback of the WebSocket protocol; returns what it returns. */
int ws_conn_event(struct conn *, enum lws_callback_reasons, void *in, size_t len);
/* Send hello if it is there now and it is known to whom. Until then one message is read and
 * held. */
void ws_conn_hello(struct conn *);
/* The users have changed: close it at once (4001) if it belongs to none of them any more. */
void ws_conn_users(struct conn *);
/* Tell the client why, and close (1001) when that has been sent. */
void ws_conn_close(struct conn *, const struct fail *why);
/* Time to look whether it is silent, or does not read. */
void ws_conn_timer(struct conn *);

#endif
