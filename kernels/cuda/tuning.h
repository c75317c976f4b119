/* tuning - what was found by timing, by key, kept in a file of the cache folder from run to run.
 *
 * One file a library, its version and kind of card: records of 8 bytes of key and 64 of the library's own. A file that
 * is cut short loses its last record, a strange one all: what is lost is timed again. Thread: the device's worker. */
#ifndef KERNELS_CUDA_TUNING_H
#define KERNELS_CUDA_TUNING_H

#include <stddef.h>
#include <stdint.h>

enum { CHOICES = 128, CHOICE_BYTES = 64 };

struct choice {
    uint64_t key; /* never 0 */
    unsigned char what[CHOICE_BYTES];
};

struct choices {
    char file[512]; /* "": nowhere */
    struct choice kept[CHOICES];
    int n;
};

/* cache NULL: kept in memory alone. card: "sm90-132". */
void choices_open(struct choices *, const char *cache, const char *library, size_t version,
                  const char *card);
const void *choices_find(const struct choices *, uint64_t key); /* 64 bytes, or NULL */
/* NULL when there is no more room; else where it is kept. */
const void *choices_keep(struct choices *, uint64_t key, const void *what, size_t bytes);

#endif
