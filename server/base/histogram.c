/* histogram - fixed bounds, so that counts of different servers can be added. */
#include "server/base/histogram.h"

const int64_t HISTOGRAM_BOUNDS_US[HISTOGRAM_BUCKETS] = {
    250, 500, 1000, 2000, 3000, 5000, 10000, 20000, 50000, 100000, 300000, 1000000};

void histogram_add(struct histogram *h, int64_t us)
{
    int i = 0;

    if (us < 0) us = 0;
    while (i < HISTOGRAM_BUCKETS && us > HISTOGRAM_BOUNDS_US[i])
        i++;
    h->count[i]++;
    h->n++;
    h->sum_us += us;
}

int64_t histogram_quantile(const struct histogram *h, double share)
{
    uint64_t seen = 0;

    if (!h->n) return 0;
    for (int i = 0; i < HISTOGRAM_BUCKETS; i++) {
        seen += h->count[i];
        if ((double)seen >= share * (double)h->n) return HISTOGRAM_BOUNDS_US[i];
    }
    return -1;
}
