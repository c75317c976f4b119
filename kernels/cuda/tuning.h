/* tuning - autotuning results by key, cached on disk.
 *
 * One file for each library, its version and model of GPU: records of 8 bytes of key and 64 of the
 * library's own. A file that is cut short loses its last record, a foreign one all of them: what is
 * lost is timed again. Thread: the device's worker. */
#ifndef KERNELS_CUDA_TUNING_H
#define KERNELS_CUDA_TUNING_H

#include <stddef.h>
#include <stdint.h>

enum { TUNING_RECORDS = 128, TUNING_BYTES = 64 };

struct tuning_record {
    /* never 0 */
    uint64_t key;
    unsigned char what[TUNING_BYTES];
};

struct tuning {
    /* "": memory alone */
    char file[512];
    struct tuning_record record[TUNING_RECORDS];
    int n;
};

/* cache: folder, NULL: memory alone. model: of the GPU, "sm90-132" (architecture,
 * multiprocessors). */
void tuning_open(struct tuning *, const char *cache, const char *library, size_t version,
                 const char *model);
/* TUNING_BYTES, or NULL. */
const void *tuning_find(const struct tuning *, uint64_t key);
/* For this run alone. Where it is kept, or NULL when there is no more room. */
const void *tuning_hold(struct tuning *, uint64_t key, const void *what, size_t bytes);
/* The same, and for the next runs. */
const void *tuning_keep(struct tuning *, uint64_t key, const void *what, size_t bytes);

#endif
