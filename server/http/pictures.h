/* pictures - /i/<digest>.png from the store, to look at or, with ?download=1, to keep under a name.
 * Thread: the loop's. */
#ifndef SERVER_HTTP_PICTURES_H
#define SERVER_HTTP_PICTURES_H

#include "server/core/hub.h"
#include "server/http/exchange.h"
#include "server/http/reply.h"
#include "server/store/store.h"

/* Is its address signed (grant.h), so that no token is needed? */
bool pictures_granted(const struct store *, const struct hub *, const struct http_request *);
/* To a guest only what belongs to its job; hub NULL: nothing. */
void pictures_route(struct store *, const struct hub *, const struct http_request *,
                    struct http_reply *);
/* /t/<digest>.jpg: the same, small; made when it is first asked for, and kept. Not of private jobs,
 * of which nothing is on disk. */
extern const struct translator PICTURES_THUMBNAIL;
/* The same of a private job, whose picture is in memory: it is copied, and kept by no cache. False:
 * there is none of this address for who asks. */
bool pictures_private(const struct hub *, const struct http_request *, struct http_reply *);

#endif
