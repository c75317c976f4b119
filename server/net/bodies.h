/* bodies - memory for large bodies that are being received, of all connections together.
 *
 * One machine may have as much as is then still free, so that the next one finds room, too; on this
 * one, where proxies and scripts share an address, each connection may.
 * Thread: the loop's. */
#ifndef SERVER_NET_BODIES_H
#define SERVER_NET_BODIES_H

#include "proto/fail.h"
#include "server/http/head.h"
#include "server/net/conn.h"

/* What the body of this head, of at most `most` bytes, will take: *reserved, 0 for a small one. 0,
 * or an HTTP status. */
int bodies_reserve(struct conn *, const struct head *, int64_t most, int64_t *reserved,
                   struct fail *);
/* With the request: it is 0 then. */
void bodies_release(struct conn *, int64_t *reserved);

#endif
