/* arena - hands out aligned pieces of one block of memory that it does not own and never touches.
 *
 * The block may be host memory, device memory or (dry device) no memory at all: an arena only
 * computes addresses. Scratch is a stack: remember arena_mark(), give everything after it back with
 * arena_release(). An arena that is full sticks in `failed` and returns NULL; a plan made on
 * the dry device beforehand prevents that. Thread: its owner's. */
#ifndef KERNELS_ARENA_H
#define KERNELS_ARENA_H

#include "kernels/tensor.h"

#define ARENA_ALIGN 256 /* bytes; the most that cuBLASLt and AVX-512 want */

struct arena {
    char *base;  /* first byte, ARENA_ALIGN aligned; opaque */
    size_t size; /* bytes */
    size_t used; /* bytes handed out, a multiple of ARENA_ALIGN */
    size_t peak; /* the largest `used` so far: what the dry device reports */
    int failed;  /* something did not fit */
};

void arena_init(struct arena *a, void *base, size_t size);
/* ARENA_ALIGN aligned; NULL when it does not fit. */
void *arena_alloc(struct arena *a, size_t bytes);
tensor arena_tensor(struct arena *a, enum dtype type, int64_t rows, int64_t cols); /* packed */
size_t arena_mark(const struct arena *a);
void arena_release(struct arena *a, size_t mark);

#endif
