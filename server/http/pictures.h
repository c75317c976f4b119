/* pictures - /i/<digest>.png from the store, to look at or, with ?download=1, to keep under a name.
 * Thread: the loop's. */
#ifndef SERVER_HTTP_PICTURES_H
#define SERVER_HTTP_PICTURES_H

#include "server/http/reply.h"
#include "server/store/store.h"

void pictures_route(struct store *, const struct http_request *, struct http_reply *);

#endif
