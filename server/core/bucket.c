/* bucket - each one that is taken moves the time by its share of a second. */
#include "server/core/bucket.h"

int64_t bucket_take(struct bucket *b, int64_t now, int per_second)
{
    int64_t share, from = b->used_us > now ? b->used_us : now, wait;

    if (per_second <= 0) return 0;
    share = 1000000 / per_second;
    wait = from + share - now - BUCKET_SECONDS * INT64_C(1000000);
    if (wait > 0) return wait;
    b->used_us = from + share;
    return 0;
}
