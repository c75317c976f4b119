/* histogram - how long something took, counted in a few buckets: cheap enough to be always on.
 * Pure; one owner. */
#ifndef SERVER_BASE_HISTOGRAM_H
#define SERVER_BASE_HISTOGRAM_H

#include <stdint.h>

#define LAG_BUCKETS 12

struct lag {
    uint64_t count[LAG_BUCKETS + 1]; /* at most LAG_BOUNDS_US[i]; the last: longer */
    uint64_t n;
    int64_t sum_us;
};

extern const int64_t LAG_BOUNDS_US[LAG_BUCKETS];

void lag_add(struct lag *, int64_t us); /* negative counts as 0 */
/* The bound below which this share (0..1) lies; -1 when it is above the last bound, 0 when empty. */
int64_t lag_quantile(const struct lag *, double share);

#endif
