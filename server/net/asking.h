/* asking - who sends a request on a connection, as the routes are told. Thread: the loop's. */
#ifndef SERVER_NET_ASKING_H
#define SERVER_NET_ASKING_H

#include "server/http/reply.h"
#include "server/net/conn.h"

/* Points into itself: it stays where it is while it is used. */
struct asking {
    struct http_asker asker; /* the first member: sign() finds the others by it */
    struct auth *auth;
    struct address from;
    const char *base;
    struct auth_result r;
    char sign_in[AUTH_COOKIE_BYTES], sign_out[AUTH_COOKIE_BYTES];
};

/* Who sent this head; kept with the connection, too (known, who). Many wrong tokens are logged. */
void asking_begin(struct asking *, struct conn *, const struct head *);

#endif
