/* upgrade - from HTTP to WebSocket: the request is checked here, and libwebsockets is given the
 * socket with a request of our own writing, so that it never parses what a client wrote as HTTP.
 * What proxies spoil (Host, Origin, Upgrade) is logged once a minute. Thread: the loop's. */
#ifndef SERVER_NET_UPGRADE_H
#define SERVER_NET_UPGRADE_H

#include "server/http/head.h"
#include "server/net/conn.h"

/* Does the request ask for a WebSocket? */
bool upgrade_wanted(const struct head *);
/* May it, and is its form right? 0, or the HTTP status of a refusal with the reason in f. */
int upgrade_check(struct conn *, const struct head *, struct fail *f);
/* A request that does not ask: may it, by its Host and, if it would change something, its Origin?
 * And is it not for the WebSocket's own path? */
int upgrade_check_plain(struct conn *, const struct head *, struct fail *f);
/* Hand the connection to libwebsockets; it may be gone afterwards. Takes fd, and rest (malloc'ed,
 * or NULL): n bytes that were read behind the head. */
void upgrade_begin(struct conn *, const struct head *, int fd, char *rest, size_t n);

#endif
