/* cuda - the GPU behind the operations table: how it is opened, and what may be asked of it.
 *
 * Hand-written kernels (launch.h) do everything; where cuBLASLt and cuDNN are found at run time they take the large
 * products, convolutions and attentions in bf16. The binary needs neither of them, nor a driver, to
 * start. All work goes to one stream of the device's own; workspace is allocated when it is opened.
 * Thread: a device belongs to the thread that opened it. */
#ifndef KERNELS_CUDA_CUDA_H
#define KERNELS_CUDA_CUDA_H

#include "kernels/ops.h"

struct cuda_opts {
    int index; /* which card, from 0 */
    uint64_t
        vram; /* bytes that may be used; 0: what the card has. Smaller: as if it were that card */
    const char *cache; /* folder for timed choices; NULL: keep none */
    int no_pdl;        /* 1: without programmatic launches (comparisons) */
    int no_libraries;  /* 1: hand-written kernels only (comparisons) */
};

/* How many cards can be used; 0 with the reason in fail (no driver, too old, none). */
int cuda_count(struct fail *);

/* 0, or ERR_USAGE (no such card), ERR_DEVICE, ERR_OUT_OF_MEMORY. */
int cuda_open(struct dev **out, enum dtype type, const struct cuda_opts *, struct fail *);

/* "NVIDIA H200 (sm_90, 139.8 GB), cuBLASLt 13.1, cuDNN 9.15": lives as long as the device. */
const char *cuda_describe(const struct dev *);
/* Bytes of the card (or of opts.vram), and what is free of them. */
void cuda_memory(struct dev *, uint64_t *total, uint64_t *free);
/* Milliseconds between two marks of the stream; marks are counted from 0, at most 16. */
void cuda_timer_mark(struct dev *, int mark);
double cuda_timer_between(struct dev *, int from, int to);

#endif
