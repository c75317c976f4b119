/* cudnn_plan - graphs made into cuDNN's descriptors, and the plans that it proposes for them.
 *
 * A plan is made for a GPU that is open (its handle) or for the description of one that is not
 * there (a device property descriptor, from cuDNN 9.8 on). Internal to cudnn.c and to the check
 * under test/; empty without cuDNN's headers. Thread: the device's worker. */
#ifndef KERNELS_CUDA_CUDNN_PLAN_H
#define KERNELS_CUDA_CUDNN_PLAN_H

#include "kernels/cuda/cudnn_graph.h"
#include "kernels/cuda/dlopen.h"

#if HAVE_CUDNN

#    include <cuda_runtime.h>
#    include <cudnn.h>

/* The library's functions, and for which GPU it plans. */
struct cudnn_api {
    struct dlopen_lib lib, rtc, builtins;
    size_t version;
    /* one of the two */
    cudnnHandle_t handle;
    cudnnBackendDescriptor_t device;
    __typeof__(cudnnCreate) *create_handle;
    __typeof__(cudnnDestroy) *destroy_handle;
    __typeof__(cudnnSetStream) *set_stream;
    __typeof__(cudnnGetVersion) *get_version;
    __typeof__(cudnnBackendCreateDescriptor) *create;
    __typeof__(cudnnBackendDestroyDescriptor) *destroy;
    __typeof__(cudnnBackendFinalize) *finalize;
    __typeof__(cudnnBackendSetAttribute) *set;
    __typeof__(cudnnBackendGetAttribute) *get;
    __typeof__(cudnnBackendExecute) *execute;
    __typeof__(cudnnGetLastErrorString) *last_error;
};

/* 1: the library is open and has all functions. On 0 nothing is left open. */
int cudnn_plan_open(struct cudnn_api *);
void cudnn_plan_close(struct cudnn_api *);

/* The descriptors that a plan is made of: they live as long as the plan. */
struct cudnn_parts {
    cudnnBackendDescriptor_t part[CUDNN_TENSORS + 2 * CUDNN_OPS + 1];
    int n;
};

/* The descriptor of the graph, which belongs to the parts; NULL: cuDNN refuses it. */
cudnnBackendDescriptor_t cudnn_plan_graph(const struct cudnn_api *, struct cudnn_parts *,
                                          const struct cudnn_graph *);
void cudnn_plan_drop(const struct cudnn_api *, struct cudnn_parts *);

/* Whether the plan's kernel was compiled at run time, which takes a second. */
int cudnn_plan_compiled(const struct cudnn_api *, cudnnBackendDescriptor_t plan);
/* A plan as cuDNN writes it, for free(); NULL: it does not. */
char *cudnn_plan_text(const struct cudnn_api *, cudnnBackendDescriptor_t plan, size_t *size);
/* The plan of such a text, for the same version and model of GPU; NULL: it cannot be made. */
cudnnBackendDescriptor_t cudnn_plan_parse(const struct cudnn_api *, const char *text, size_t size,
                                          int64_t workspace);

enum { CUDNN_PROPOSALS = 8 };

/* cuDNN's proposals, best first: at most `most` that can be built and need no more than `workspace`
 * bytes. Returns how many; each is the caller's, for destroy(). */
int cudnn_plan_propose(const struct cudnn_api *, cudnnBackendDescriptor_t graph,
                       cudnnBackendHeurMode_t, int64_t workspace,
                       cudnnBackendDescriptor_t plan[CUDNN_PROPOSALS], int most);

#endif
#endif
