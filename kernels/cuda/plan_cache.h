/* plan_cache - plans as cuDNN writes them, cached on disk.
 *
 * A plan that cuDNN compiled at run time is made again from its text in milliseconds. A key has one
 * of PLAN_CACHE_FILES places for each version of cuDNN and model of GPU; a newer key takes the
 * place. A file that is cut short or altered is not used. Thread: the device's worker; processes
 * may share a folder. */
#ifndef KERNELS_CUDA_PLAN_CACHE_H
#define KERNELS_CUDA_PLAN_CACHE_H

#include <stddef.h>
#include <stdint.h>

enum { PLAN_CACHE_FILES = 64, PLAN_CACHE_BYTES = 1 << 20 };

struct plan_cache {
    /* what its files' names begin with; "": nothing is kept */
    char stem[512];
};

/* cache: folder, or NULL. model: as in tuning.h. */
void plan_cache_open(struct plan_cache *, const char *cache, size_t version, const char *model);
/* The text, for free(); NULL: not there. */
char *plan_cache_read(const struct plan_cache *, uint64_t key, size_t *size);
/* Longer texts than PLAN_CACHE_BYTES, and those that cannot be written, are left out. */
void plan_cache_write(const struct plan_cache *, uint64_t key, const char *text, size_t size);

#endif
