/* access - requests that were answered, to the counters, and to the log, if it wants them.
 * Thread: the loop's. */
#ifndef SERVER_NET_ACCESS_H
#define SERVER_NET_ACCESS_H

#include "server/http/head.h"
#include "server/net/conn.h"

/* head: of the request; NULL: it could not be read. */
void access_log(const struct conn *, const struct head *, int status, int64_t bytes);

#endif
