/* histogram - how long something took, counted in a few buckets: cheap enough to be always on.
 * Pure; one owner. */
#ifndef SERVER_BASE_HISTOGRAM_H
#define SERVER_BASE_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_BUCKETS 12

struct histogram {
    uint64_t count[HISTOGRAM_BUCKETS + 1]; /* at most HISTOGRAM_BOUNDS_US[i]; the last: longer */
    uint64_t n;
    int64_t sum_us;
};

extern const int64_t HISTOGRAM_BOUNDS_US[HISTOGRAM_BUCKETS];

void histogram_add(struct histogram *, int64_t us); /* negative counts as 0 */
/* The bound below which this share (0..1) lies; -1 when it is above the last bound, 0 when
 * empty. */
int64_t histogram_quantile(const struct histogram *, double share);

#endif
