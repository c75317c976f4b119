/* proxy - what a proxy on this machine says about the client that it speaks for.
 *
 * Only one is believed that connects from a loopback address or a unix socket, and only with
 * --trust-proxy: from anywhere else these headers are a claim of the client's own. Of lists the
 * last item counts, which is the one that our proxy has added.
 * Thread: any, no state. */
#ifndef SERVER_NET_PROXY_H
#define SERVER_NET_PROXY_H

#include "server/http/head.h"
#include "server/net/address.h"

#include <stdbool.h>

struct proxied {
    const char *user;    /* X-Forwarded-User, "" when there is none; points into the head */
    struct address from; /* the last of X-Forwarded-For, else the peer's */
    bool secure;         /* X-Forwarded-Proto says https */
};

/* peer: who connected. trust: --trust-proxy. */
void proxy_read(const struct head *, const struct address *peer, bool trust, struct proxied *);
/* Did it come through a proxy, ours or another, as far as its headers tell? */
bool proxy_passed(const struct head *);

/* Is it a path that a proxy may serve this below: "/" or "/lab/"? 0 or ERR_USAGE. */
int proxy_base(const char *base, struct fail *f);
/* The path below the base; one outside of it is left as it is, as proxies may have cut it off. */
const char *proxy_below(const char *base, const char *path);

#endif
