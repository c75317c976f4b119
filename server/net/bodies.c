/* bodies - one number, and a bound. */
#include "server/net/bodies.h"

#include "proto/limits.h"

int bodies_reserve(struct conns *all, const struct head *h, int64_t most, int64_t *reserved,
                   struct fail *f)
{
    const int64_t bytes = h->chunked ? most : h->length;

    if (most <= LIMIT_MESSAGE_BYTES) return 0;
    if (all->bodies + bytes > LIMIT_BODIES_BYTES) {
        fail_set(f, ERR_RATE_LIMITED, "Too many pictures are being received.");
        fail_advise(f, "Send it again in a moment.");
        f->retry_after_ms = 2000;
        return 503;
    }
    *reserved = bytes;
    all->bodies += bytes;
    return 0;
}
