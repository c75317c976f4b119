/* cuda - the GPU behind the table of ops.h: how it is opened, and what may be asked of it.
 *
 * Kernels of our own (launch.h) can do everything. Where cuBLASLt and cuDNN are found at run time,
 * they take the large products, convolutions and attentions in bf16. The binary starts without
 * them and without a driver. All work goes to one stream of the device's own; its workspace is
 * allocated when it is opened.
 * Thread: a device belongs to the thread that opened it. */
#ifndef KERNELS_CUDA_CUDA_H
#define KERNELS_CUDA_CUDA_H

#include "kernels/ops.h"

struct cuda_opts {
    /* which GPU, from 0 */
    int index;
    /* bytes that may be used; 0: all that the GPU has. Less: as if the GPU were that small */
    uint64_t vram;
    /* folder for results of tuning (tuning.h); NULL: they are not kept */
    const char *cache;
    /* for comparisons: 1 without programmatic dependent launches */
    int no_pdl;
    /* for comparisons: 1 without cuBLASLt and cuDNN */
    int no_libraries;
};

/* How many GPUs can be used; 0 with the reason in fail (no driver, too old, none). */
int cuda_count(struct fail *);

/* 0, or ERR_USAGE (no such GPU), ERR_DEVICE, ERR_OUT_OF_MEMORY. */
int cuda_open(struct dev **out, enum dtype type, const struct cuda_opts *, struct fail *);

/* "NVIDIA H200 (sm_90, 139.8 GB), cuBLASLt 13.1, cuDNN 9.15": valid as long as the device. */
const char *cuda_describe(const struct dev *);
/* What the libraries did so far: "products 840 of 840, convolutions 0 of 12 (no plan: ...),
 * attentions 60 of 60"; returns how often one refused what its description allows, so that a
 * slower kernel of ours did it. */
uint64_t cuda_libraries(const struct dev *, char *out, size_t size);
/* Bytes of the GPU (or opts.vram), and how many of them are free. */
void cuda_memory(struct dev *, uint64_t *total, uint64_t *free);
/* Milliseconds between two points of the stream; points are counted from 0, at most 16. */
void cuda_timer_mark(struct dev *, int point);
double cuda_timer_between(struct dev *, int from, int to);

#endif
