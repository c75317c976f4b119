/* cudnn_graph - what cuDNN is asked, as plain data: tensors with shapes, operations on them.
 *
 * Tests look at it without a GPU and without the library; cudnn_plan makes descriptors of it.
 * Thread: any. */
#ifndef KERNELS_CUDA_CUDNN_GRAPH_H
#define KERNELS_CUDA_CUDNN_GRAPH_H

#include "kernels/cuda/launch.h"

enum { CUDNN_TENSORS = 8, CUDNN_OPS = 3, CUDNN_DIMS = 4 };

enum cudnn_type { CUDNN_BF16, CUDNN_F32 };

/* Dimensions of pictures: n c h w; of attention: batch, heads, rows, columns. */
struct cudnn_tensor {
    int64_t dim[CUDNN_DIMS], stride[CUDNN_DIMS];
    enum cudnn_type type;
    /* 1: exists only inside the graph */
    int inner;
    /* 1: a number, `value`, that is handed over at each call */
    int by_value;
    float value;
    /* else its address on the device */
    const void *data;
};

enum cudnn_op_kind {
    CUDNN_OP_CONV, /* in: x, w; out: y */
    CUDNN_OP_ADD,  /* in: a, b; out: y */
    CUDNN_OP_SDPA  /* in: q, k, v, scale; out: o. One fused node, from cuDNN 9.13.1 on */
};

struct cudnn_op {
    enum cudnn_op_kind kind;
    /* indexes of tensors */
    int in[4], out;
    /* conv: zeros above and on the left; below and on the right; step of the window */
    int pad_h, pad_w, post_h, post_w, stride;
};

struct cudnn_graph {
    int tensors, ops;
    struct cudnn_tensor tensor[CUDNN_TENSORS];
    struct cudnn_op op[CUDNN_OPS];
};

/* A convolution, or a band of rows of one whose halo rows are in x. */
struct cudnn_conv {
    void *y;
    const void *x, *w, *bias, *add;
    /* h: rows of x */
    int h, w_in, c, n, side;
    /* zeros around x; step of the window */
    int above, below, left, right, stride;
    int64_t ldy, ldx, lda;
};

/* Rows and columns of its result. */
int cudnn_conv_rows(const struct cudnn_conv *);
int cudnn_conv_columns(const struct cudnn_conv *);

/* 0: not for the library (channels that are no multiple of 8, no bias, rows not 16-byte
 * aligned). */
int cudnn_graph_conv(struct cudnn_graph *, const struct cudnn_conv *);
/* 0: not for the library (heads that are no multiple of 8 up to 128, a bias, a causal mask, strides
 * that are not whole 16 bytes). */
int cudnn_graph_attention(struct cudnn_graph *, const struct cu_attn *);

/* Never 0; the same for graphs that differ in addresses and values alone. */
uint64_t cudnn_graph_key(const struct cudnn_graph *);
/* The tensor of the result, and the bytes that it spans. */
int cudnn_graph_result(const struct cudnn_graph *);
size_t cudnn_graph_result_bytes(const struct cudnn_graph *);

#endif
