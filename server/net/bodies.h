/* bodies - memory for large bodies that are being received, of all connections together.
 * Thread: the loop's. */
#ifndef SERVER_NET_BODIES_H
#define SERVER_NET_BODIES_H

#include "proto/fail.h"
#include "server/http/head.h"
#include "server/net/conn.h"

/* What the body of this head, of at most `most` bytes, will take: *reserved, which is to be given
 * back (conns.bodies) with the request; 0 for a small one. 0, or an HTTP status. */
int bodies_reserve(struct conns *, const struct head *, int64_t most, int64_t *reserved,
                   struct fail *);

#endif
