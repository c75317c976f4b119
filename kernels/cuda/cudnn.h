/* cudnn - convolutions and fused attention through cuDNN's graph interface, looked for when a device is opened.
 *
 * A graph is first described as plain data (tensors with shapes and strides, operations that name
 * them), which tests can look at without a card; then the same data becomes descriptors. Plans are kept
 * per description. Thread: the device's worker. */
#ifndef KERNELS_CUDA_CUDNN_H
#define KERNELS_CUDA_CUDNN_H

#include "kernels/cuda/launch.h"

enum { DNN_TENSORS = 8, DNN_OPS = 3, DNN_DIMS = 4 };

enum dnn_type { DNN_BF16, DNN_F32 };

struct dnn_tensor {
    int64_t dim[DNN_DIMS],
        stride[DNN_DIMS]; /* pictures: n c h w; attention: batch, heads, rows, columns */
    enum dnn_type type;
    int inner;   /* 1: exists only inside the graph */
    float value; /* by_value: what it is */
    int by_value;
    const void *data; /* else where it lies */
};

enum dnn_kind {
    DNN_CONV, /* in: x, w; out: y */
    DNN_ADD,  /* in: a, b; out: y */
    DNN_SDPA  /* in: q, k, v, scale; out: o: one fused node, from cuDNN 9.13 on */
};

struct dnn_op {
    enum dnn_kind kind;
    int in[4], out;   /* indexes of tensors */
    int pad_h, pad_w; /* conv */
};

struct dnn_graph {
    int tensors, ops;
    struct dnn_tensor tensor[DNN_TENSORS];
    struct dnn_op op[DNN_OPS];
};

/* A convolution of ours, or a band of rows of one that has its halo rows in x (then pad_h is 0). */
struct dnn_conv {
    void *y;
    const void *x, *w, *bias, *add;
    int h, w_in, c, n, side; /* h: rows of x */
    int pad_h;
    int64_t ldy, ldx, lda;
};

/* 0: not for the library (channels that are no multiple of 8). */
int dnn_plan_conv(struct dnn_graph *, const struct dnn_conv *);
/* 0: not for the library: heads that are no multiple of 8 up to 128, biases, masks, strides that are not
 * whole 16 bytes. */
int dnn_plan_attn(struct dnn_graph *, const struct cu_attn *);

struct dnn;

/* NULL: not there. work: workspace on the card, shared. try: memory on the card for results that are thrown away; a plan
 * for a shape is the fastest of a few proposals, timed the first time that it is asked for and kept (choice.h). */
struct dnn *dnn_open(void *stream, void *work, size_t bytes, void *try, size_t try_bytes,
                     const char *cache, const char *card);
void dnn_close(struct dnn *);
void dnn_describe(const struct dnn *, char *out, size_t size);
/* 1: on the stream. 0: not possible, nothing happened. negative: it failed. */
int dnn_conv(struct dnn *, const struct dnn_conv *);
int dnn_attn(struct dnn *, const struct cu_attn *);

#endif
