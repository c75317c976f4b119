/* recent - a sum over the last ten minutes. */
#include "server/core/recent.h"

#include <assert.h>
#include <string.h>

enum { SLOT_US = RECENT_US / RECENT_SLOTS };

/* Empty the slots that nothing was added to since the newest one. */
static void advance(struct recent *w, int64_t now)
{
    int64_t no = now / SLOT_US;

    if (no - w->newest >= RECENT_SLOTS) memset(w->slot, 0, sizeof w->slot);
    while (w->newest < no && no - w->newest < RECENT_SLOTS)
        w->slot[++w->newest % RECENT_SLOTS] = 0;
    if (w->newest < no) w->newest = no;
}

void recent_add(struct recent *w, int64_t now, int64_t amount)
{
    assert(now >= 0 && amount >= 0);
    advance(w, now);
    w->slot[w->newest % RECENT_SLOTS] += amount;
}

int64_t recent_sum(const struct recent *w, int64_t now)
{
    int64_t no = now / SLOT_US, sum = 0;

    for (int64_t at = no - RECENT_SLOTS + 1; at <= w->newest; at++)
        if (at >= 0 && at > w->newest - RECENT_SLOTS) sum += w->slot[at % RECENT_SLOTS];
    return sum;
}
