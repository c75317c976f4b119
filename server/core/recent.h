/* recent - a sum over the last ten minutes, kept in slots of ten seconds. Pure; thread: the
 * loop's. */
#ifndef SERVER_CORE_RECENT_H
#define SERVER_CORE_RECENT_H

#include <stdint.h>

#define RECENT_SLOTS 60
#define RECENT_US    (RECENT_SLOTS * INT64_C(10000000))

/* All zero: empty. */
struct recent {
    int64_t newest; /* number of the newest slot, counted from the clock's beginning */
    int64_t slot[RECENT_SLOTS];
};

void recent_add(struct recent *, int64_t now, int64_t amount);
/* What was added in the slot of this moment and the 59 before it. */
int64_t recent_sum(const struct recent *, int64_t now);

#endif
