/* tuning - what was found by timing, by key, kept in a file of the cache folder from run to run.
 *
 * One file a library, its version and kind of card: records of 8 bytes of key and 64 of the library's own. A file that
 * is cut short loses its last record, a strange one all: what is lost is timed again. Thread: the device's worker. */
#ifndef KERNELS_CUDA_TUNING_H
#define KERNELS_CUDA_TUNING_H

#include <stddef.h>
#include <stdint.h>

enum { TUNING_RECORDS = 128, TUNING_BYTES = 64 };

struct tuning_record {
    uint64_t key; /* never 0 */
    unsigned char what[TUNING_BYTES];
};

struct tuning {
    char file[512]; /* "": nowhere */
    struct tuning_record record[TUNING_RECORDS];
    int n;
};

/* cache NULL: kept in memory alone. card: "sm90-132". */
void tuning_open(struct tuning *, const char *cache, const char *library, size_t version,
                 const char *card);
const void *tuning_find(const struct tuning *, uint64_t key); /* 64 bytes, or NULL */
/* NULL when there is no more room; else where it is kept. */
const void *tuning_keep(struct tuning *, uint64_t key, const void *what, size_t bytes);

#endif
