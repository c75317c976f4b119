/* checkpoint_pieces - what a checkpoint consists of: a head, which says what it belongs to and
 * how far the run is, then tensors as they are on the device, packed.
 *
 * For engine/ alone. Thread: the device's worker, but for checkpoint_bytes_max(): any. */
#ifndef KERNELS_ENGINE_CHECKPOINT_PIECES_H
#define KERNELS_ENGINE_CHECKPOINT_PIECES_H

#include "kernels/engine/engine.h"

/* Texts are padded with zeros and compared whole. */
struct checkpoint_head {
    char magic[8];
    char version[64], model[72], device[256];
    uint8_t request[32];
    int32_t phase, done, steps; /* steps: of denoising */
};

/* Called with each tensor and its place in the body. */
typedef void checkpoint_fn(struct dev *, void *host, tensor);

/* All that a run in this phase cannot make again from its request, in the order of the body, which
 * begins at `at`. fn NULL: nothing is called. Returns the body's bytes. */
size_t checkpoint_pieces(const struct glm_run *, checkpoint_fn *fn, char *at);
/* The most bytes that a save of this placed run takes. */
size_t checkpoint_bytes_max(const struct glm_run *);

#endif
