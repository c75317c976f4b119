/* census - how many connections each address has, without looking at the others. Owner: the
 * loop. */
#ifndef SERVER_NET_CENSUS_H
#define SERVER_NET_CENSUS_H

#include "server/net/address.h"

#include <stdint.h>

enum { CENSUS_LISTS = 1024 };

/* One address with connections. */
struct census_entry {
    struct address from; /* of the first one; the ports of the others differ */
    int n;
    int64_t bodies; /* bytes of their large bodies (bodies.h) */
    struct census_entry *next, **self;
};

struct census {
    struct census_entry *list[CENSUS_LISTS]; /* by hash; all zero: empty */
};

/* One more from this address; n of the result counts it. NULL: no memory. */
struct census_entry *census_enter(struct census *, const struct address *from);
/* One less; the entry is freed with its last one. */
void census_leave(struct census_entry *);

#endif
