/* number - small arithmetic that several files need. Thread: any. */
#ifndef KERNELS_NUMBER_H
#define KERNELS_NUMBER_H

#include <stdint.h>

static inline uint64_t number_max(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* One step of FNV-1a on whole words: a key for a table, not a checksum. Starts with NUMBER_MIX. */
#define NUMBER_MIX 0xcbf29ce484222325u
static inline uint64_t number_mix(uint64_t h, uint64_t v)
{
    return (h ^ v) * 0x100000001b3u;
}

#endif
