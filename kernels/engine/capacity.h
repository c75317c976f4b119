/* capacity - how a model and its pictures fit a GPU: the mode, what is left for pictures, how many
 * at a time, and why.
 *
 * One calculation for a GPU that is opened and for one that `darkroom plan` plans for. For engine/
 * and report/ alone.
 * Thread: any that may plan. */
#ifndef KERNELS_ENGINE_CAPACITY_H
#define KERNELS_ENGINE_CAPACITY_H

#include "kernels/engine/engine.h"
#include "kernels/memory/residency.h"

struct capacity {
    struct residency plan;
    uint64_t usable; /* bytes of the GPU for weights and pictures */
    uint64_t held;   /* bytes that the weights take of them */
    uint64_t room;   /* bytes left for pictures */
    uint64_t least;  /* usable bytes with which the model could draw one ordinary picture */
    char why[256];   /* a sentence for the operator */
};

/* Places the groups of g->dry_stages. 0, or ERR_TOO_BIG_FOR_DEVICE with the GPU that would do.
 * `swaps`: weights may come and go on this device. out is filled in either case. */
int capacity_of(struct glm *g, uint64_t usable, int swaps, struct capacity *out, struct fail *);

/* How many pictures like this at a time; 0: none. */
int capacity_count(const struct glm *g, const struct capacity *, const struct glm_req *,
                   struct fail *);

/* "31.3 GB", or "4.2 MB" below one: decimal, as bytes are counted here. Returns buf. */
const char *capacity_bytes(uint64_t bytes, char buf[16]);

#endif
