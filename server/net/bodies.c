/* bodies - two sums, and a bound. */
#include "server/net/bodies.h"

#include "proto/limits.h"

/* That others, too, are to leave room for. */
static bool has_room(const struct conn *c, int64_t bytes)
{
    const int64_t mine = address_local(&c->address) ? 0 : c->from->bodies;

    return c->all->bodies + mine + 2 * bytes <= LIMIT_BODIES_BYTES;
}

int bodies_reserve(struct conn *c, const struct head *h, int64_t most, int64_t *reserved,
                   struct fail *f)
{
    const int64_t bytes = h->chunked ? most : h->length;

    if (most <= LIMIT_MESSAGE_BYTES) return 0;
    if (!has_room(c, bytes)) {
        fail_set(f, ERR_RATE_LIMITED, "Too many pictures are being received.");
        fail_advise(f, "Send it again in a moment.");
        f->retry_after_ms = 2000;
        return 503;
    }
    *reserved = bytes;
    c->all->bodies += bytes;
    c->from->bodies += bytes;
    return 0;
}

void bodies_release(struct conn *c, int64_t *reserved)
{
    c->all->bodies -= *reserved;
    c->from->bodies -= *reserved;
    *reserved = 0;
}
