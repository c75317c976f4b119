/* ws_conn - a connection that is a WebSocket: between libwebsockets' callbacks and its session.
 * Thread: the loop's. */
#ifndef SERVER_NET_WS_CONN_H
#define SERVER_NET_WS_CONN_H

#include "server/net/conn.h"

/* One callback of the WebSocket protocol; returns what it returns. */
int ws_conn_event(struct conn *, enum lws_callback_reasons, void *in, size_t len);
/* Send hello if it is there now. Before hello nothing is read: what a client sends waits in its socket. */
void ws_conn_hello(struct conn *);
/* Tell the client why, and close (1001) when that has been read. */
void ws_conn_leave(struct conn *, const struct fail *why);

#endif
