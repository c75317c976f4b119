/* cublaslt - large products through cuBLASLt, looked for when a device is opened.
 *
 * One algorithm serves a weight's shape for every number of rows. It is timed at 4,096 rows, the
 * first time that the shape is asked for, among those that do not split k, and kept in the cache
 * folder. So a row's bits do not depend on the other rows. Thread: the device's worker. */
#ifndef KERNELS_CUDA_CUBLASLT_H
#define KERNELS_CUDA_CUBLASLT_H

#include "kernels/cuda/launch.h"

struct cublaslt;

/* A product as plain data: y' [n, m] = w [k, n]' x [k, m], columns first. */
struct cublaslt_shape {
    /* the caller's: rows of x, rows of w, inner */
    int m, n, k;
    /* ldw is k */
    int64_t ldx, ldy;
    /* x and w are bf16; y is float although they are */
    int bf, y_f32;
    /* epilogue: bias, then tanh GELU; beta 1: y is added to */
    int bias, gelu, beta;
    /* an activation that the library does not have, for a kernel of ours afterwards; or 0 */
    int after;
};

/* 0: the library cannot do it (alignment, or an activation between product and sum). */
int cublaslt_plan(struct cublaslt_shape *, const struct cu_product *, int bf);
/* The same for shapes that take the same algorithm: of everything but m and the strides. */
uint64_t cublaslt_key(const struct cublaslt_shape *);

/* NULL: not found, or without the headers at build time.
 *   work   workspace on the device, shared with everything else on the stream
 *   cache, model   of tuning.h */
struct cublaslt *cublaslt_open(void *stream, void *work, size_t bytes, const char *cache,
                               const char *model);
void cublaslt_close(struct cublaslt *);
/* ", cuBLASLt 13.1", or ", no cuBLASLt" */
void cublaslt_describe(const struct cublaslt *, char *out, size_t size);
/* 1: on the stream. Negative: refused, nothing happened; cublaslt_why() tells the reason. */
const char *cublaslt_why(const struct cublaslt *);
int cublaslt_run(struct cublaslt *, const struct cublaslt_shape *, const struct cu_product *);

#endif
