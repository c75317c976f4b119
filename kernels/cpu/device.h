/* device - what the files of the CPU device share: the device, its weights, and how work is cut.
 *
 * An operation is cut into tasks by rows, columns or heads; every task runs the loops of one
 * instruction set (isa.h) in the thread buffer of the thread that took it. The buffers are made
 * when the device is opened, so an operation allocates nothing. Operations count their work in
 * FLOPs of a one-row product, roughly: it decides how they are cut, never what they give.
 * Thread: the device's worker. */
#ifndef KERNELS_CPU_DEVICE_H
#define KERNELS_CPU_DEVICE_H

#include "kernels/cpu/isa.h"
#include "kernels/cpu/pool.h"
#include "kernels/ops.h"

#define CPU_HEAD_DIM_MAX 512 /* of attention: what a thread buffer has room for */

struct cpu {
    struct dev dev; /* first: a struct dev * of this device is one of these */
    const struct isa *isa;
    enum pack pack; /* of the weights */
    int bf;         /* T is bfloat16 */
    struct pool *pool;
    /* measured when opened: FLOPs a microsecond of one row's product with weights that are near,
     * and bytes a microsecond of what is not in the second-level cache, as weights are not */
    double flops_us, bytes_us;
    char *buffers;      /* one for every thread of the pool */
    size_t buffer_size; /* bytes of one */
    int failed;         /* sticky */
    struct fail fail;
};

/* linear, conv: panels (isa.h). table: rows of T. vector: floats. */
struct cpu_weight {
    enum weight_use use;
    int64_t out, in; /* conv: in = k*k*channels; table: rows, cols */
    int k;           /* conv: side */
    size_t bytes;    /* of data and bias */
    void *data;
    float *bias; /* NULL or `out` values, padded with zeros to whole panels */
};

static inline const struct cpu_weight *cpu_weight_of(const struct weight *w)
{
    return (const struct cpu_weight *)w;
}

static inline struct cpu *cpu_of(struct dev *d)
{
    return (struct cpu *)d;
}

/* 0 when an earlier failure, of the device or of its scratch, forbids further work. */
int cpu_ready(struct dev *);
void cpu_fail(struct cpu *, enum err, const char *why);

/* The thread buffer of `thread`: workspace of the task that it runs. */
static inline void *cpu_buffer(const struct cpu *c, int thread)
{
    return c->buffers + (size_t)thread * c->buffer_size;
}

/* FLOPs to microseconds of one thread. */
static inline double cpu_us(const struct cpu *c, double flops)
{
    return flops / c->flops_us;
}

/* How many tasks are worth their handing over: one for each thread, or four when each is still
 * long, so that threads which start late have less to catch up. */
int cpu_tasks(const struct cpu *, double flops);

/* pool_run() of a job of so many FLOPs. */
void cpu_run(const struct cpu *, int tasks, double flops, pool_fn *fn, void *ctx);

/* What reading so many bytes of weights costs, in FLOPs. */
static inline double cpu_reading(const struct cpu *c, double bytes)
{
    return bytes / c->bytes_us * c->flops_us;
}

/* Measures flops_us with the first thread buffer, and bytes_us. */
void cpu_measure(struct cpu *);

/* Runs fn over rows 0 .. n-1 in runs of rows, as many as `bytes` of traffic a row make
 * worthwhile. */
typedef void cpu_rows_fn(const struct cpu *, const void *ctx, int64_t row, int64_t n);
void cpu_rows(struct cpu *, int64_t n, int64_t bytes, cpu_rows_fn *, const void *ctx);

#endif
