/* cudnn - convolutions and fused attention through cuDNN, looked for when a device is opened.
 *
 * What is asked is described as data (cudnn_graph.h), made into plans (cudnn_plan.h) and kept here
 * by its description. The plan for a description is the fastest of a few proposals, timed the first
 * time that it is asked for, and the choice is kept (tuning.h). Plans that cuDNN compiles are kept,
 * too (plan_cache.h). Thread: the device's worker. */
#ifndef KERNELS_CUDA_CUDNN_H
#define KERNELS_CUDA_CUDNN_H

#include "kernels/cuda/cudnn_graph.h"

struct cudnn;

/* NULL: not found, or without the headers at build time.
 *   work   workspace on the device, shared with everything else on the stream
 *   try    memory on the device for results of timing runs
 *   cache, model   of tuning.h */
struct cudnn *cudnn_open(void *stream, void *work, size_t bytes, void *try, size_t try_bytes,
                         const char *cache, const char *model);
void cudnn_close(struct cudnn *);
/* ", cuDNN 9.15", or ", no cuDNN" */
void cudnn_describe(const struct cudnn *, char *out, size_t size);
/* 1: on the stream. 0: not for the library. Negative: refused; cudnn_why() tells the reason. */
const char *cudnn_why(const struct cudnn *);
int cudnn_conv(struct cudnn *, const struct cudnn_conv *);
int cudnn_attention(struct cudnn *, const struct cu_attn *);

#endif
