/* cudnn - convolutions and fused attention through cuDNN's graph interface, looked for when a device is opened.
 *
 * A graph is first described as plain data (tensors with shapes and strides, operations that name
 * them), which tests can look at without a card; then the same data becomes descriptors. Plans are kept
 * per description. Thread: the device's worker. */
#ifndef KERNELS_CUDA_CUDNN_H
#define KERNELS_CUDA_CUDNN_H

#include "kernels/cuda/launch.h"

enum { CUDNN_TENSORS = 8, CUDNN_OPS = 3, CUDNN_DIMS = 4 };

enum cudnn_type { CUDNN_BF16, CUDNN_F32 };

struct cudnn_tensor {
    int64_t dim[CUDNN_DIMS],
        stride[CUDNN_DIMS]; /* pictures: n c h w; attention: batch, heads, rows, columns */
    enum cudnn_type type;
    int inner;   /* 1: exists only inside the graph */
    float value; /* by_value: what it is */
    int by_value;
    const void *data; /* else where it lies */
};

enum cudnn_op_kind {
    CUDNN_OP_CONV, /* in: x, w; out: y */
    CUDNN_OP_ADD,  /* in: a, b; out: y */
    CUDNN_OP_SDPA  /* in: q, k, v, scale; out: o: one fused node, from cuDNN 9.13 on */
};

struct cudnn_op {
    enum cudnn_op_kind kind;
    int in[4], out;   /* indexes of tensors */
    int pad_h, pad_w; /* conv */
};

struct cudnn_graph {
    int tensors, ops;
    struct cudnn_tensor tensor[CUDNN_TENSORS];
    struct cudnn_op op[CUDNN_OPS];
};

/* A convolution of ours, or a band of rows of one that has its halo rows in x (then pad_h is 0). */
struct cudnn_conv {
    void *y;
    const void *x, *w, *bias, *add;
    int h, w_in, c, n, side; /* h: rows of x */
    int pad_h;
    int64_t ldy, ldx, lda;
};

/* 0: not for the library (channels that are no multiple of 8). */
int cudnn_graph_conv(struct cudnn_graph *, const struct cudnn_conv *);
/* 0: not for the library: heads that are no multiple of 8 up to 128, biases, masks, strides that are not
 * whole 16 bytes. */
int cudnn_graph_attention(struct cudnn_graph *, const struct cu_attn *);

struct cudnn;

/* NULL: not there. work: workspace on the card, shared. try: memory on the card for results that are thrown away; a plan
 * for a shape is the fastest of a few proposals, timed the first time that it is asked for and kept (tuning.h). */
struct cudnn *cudnn_open(void *stream, void *work, size_t bytes, void *try, size_t try_bytes,
                         const char *cache, const char *card);
void cudnn_close(struct cudnn *);
void cudnn_describe(const struct cudnn *, char *out, size_t size);
/* 1: on the stream. 0: not possible, nothing happened. negative: it failed. */
int cudnn_conv(struct cudnn *, const struct cudnn_conv *);
int cudnn_attention(struct cudnn *, const struct cu_attn *);

#endif
