/* graph - what all stages share: the device that they run on, and the tap on their tensors.
 *
 * A stage is a header with its weights and its state, every field with its shape, and functions
 * that read like the paper. Stages know no host memory but what put() and get() take, allocate
 * nothing, and take temporaries from dev.scratch, which is empty again when they return.
 * Thread: the device's worker. */
#ifndef KERNELS_MODEL_GRAPH_H
#define KERNELS_MODEL_GRAPH_H

#include "kernels/memory/offload.h"
#include "kernels/ops.h"

#include <stdint.h>

/* How the rows of a tapped tensor become the array that a trace stores. */
enum tap_shape {
    TAP_ROWS,   /* [rows, cols] */
    TAP_VECTOR, /* [rows * cols] */
    TAP_PLANES, /* [rows, h, w]: latents, one row a channel */
    TAP_PICTURE /* [cols, h, w] from the picture [h*w, cols] */
};

/* Called with each named tensor when it is made: the trace command. */
struct tap {
    void (*see)(void *ctx, const char *name, tensor t, enum tap_shape, int h, int w);
    void *ctx;
};

struct graph {
    struct dev *dev;
    const struct tap *tap;   /* NULL: none */
    struct offload *offload; /* NULL: all weights stay on the device */
};

/* The weights of this group (bind_group) are used from here to the next want. */
static inline void graph_want(const struct graph *g, int group)
{
    if (g->offload) offload_want(g->offload, group);
}

/* All of a part is there; 1 when it will stay as long as nothing else is wanted. */
static inline int graph_steady(const struct graph *g, int part)
{
    return !g->offload || offload_steady(g->offload, part);
}

/* Show `t` under a printf-like name; nothing happens without a tap. */
void tap(const struct graph *, tensor t, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void tap_vector(const struct graph *, tensor t, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void tap_planes(const struct graph *, tensor t, int h, int w, const char *format, ...)
    __attribute__((format(printf, 5, 6)));
void tap_picture(const struct graph *, tensor t, int h, int w, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

/* A temporary of the compute type from the device's scratch. */
static inline tensor graph_temp(const struct graph *g, int64_t rows, int64_t cols)
{
    return arena_tensor(&g->dev->scratch, g->dev->type, rows, cols);
}

/* Floats to a packed tensor of the compute type or of F32; v is overwritten. */
void graph_put(struct dev *, tensor, float *v);

/* The same memory as a packed matrix of another shape; it must not need more room. */
static inline tensor graph_shape(tensor t, int64_t rows, int64_t cols)
{
    assert(t.ld == t.cols && rows * cols <= t.rows * t.cols);
    return tensor_at(t.data, t.type, rows, cols);
}

#endif
