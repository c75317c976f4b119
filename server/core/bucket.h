/* bucket - how often something may happen: on average so often a second, and after a pause as many
 * at once as ten seconds have.
 *
 * A bucket that leaks (GCRA): one number says when what was taken so far is used up. All zero is a
 * full one. Thread: any; a bucket has one owner. */
#ifndef SERVER_CORE_BUCKET_H
#define SERVER_CORE_BUCKET_H

#include <stdint.h>

#define BUCKET_SECONDS 10

struct bucket {
    int64_t used_us; /* what was taken is used up then */
};

/* Take one of per_second (0: there is no limit). 0, or the microseconds until there is one. */
int64_t bucket_take(struct bucket *, int64_t now, int per_second);

#endif
