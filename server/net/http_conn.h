/* http_conn - a connection that speaks HTTP: its requests go to the routes, their replies to the socket.
 * Results are what a callback of libwebsockets returns. Thread: the loop's. */
#ifndef SERVER_NET_HTTP_CONN_H
#define SERVER_NET_HTTP_CONN_H

#include "server/net/conn.h"

#define HTTP_CONN_KEEP_SECONDS 30 /* an idle connection */

/* A request's headers are there; path is decoded, len bytes. */
int http_conn_request(struct conn *, const char *path, size_t len);
/* The socket can take more of the reply. */
int http_conn_writeable(struct conn *);

/* Does a body follow? Any length but zero, written once, and any transfer coding count. */
bool http_conn_has_body(struct lws *);
/* Head and body in one go, for replies of a few hundred bytes; true when the socket is gone. */
bool http_conn_write_whole(struct lws *, const struct http_reply *, bool last);

#endif
