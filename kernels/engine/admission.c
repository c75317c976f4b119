/* admission - the admission rule for pictures of one kind: their own bytes and one scratch for all
 * fit the room. */
#include "kernels/glm.h"

int glm_admission(uint64_t room, const struct glm_cost *c, uint64_t more)
{
    int n = 0;

    if (c->scratch_bytes > room) return 0;
    room -= c->scratch_bytes;
    for (; n < LIMIT_BATCH; n++) {
        const uint64_t next = c->run_bytes + (n ? more : 0);

        if (next < c->run_bytes || next > room) break;
        room -= next;
    }
    return n;
}
