/* cublaslt - large products through cuBLASLt, which is looked for when a device is opened.
 *
 * One algorithm serves a weight's shape for every number of rows: it is chosen by timing at 4,096 rows, the first
 * time that shape is asked for, among those without a split of k, and kept in the cache folder. So a
 * row's bits do not depend on the other rows. Thread: the device's worker. */
#ifndef KERNELS_CUDA_CUBLASLT_H
#define KERNELS_CUDA_CUBLASLT_H

#include "kernels/cuda/launch.h"

struct cublaslt;

/* What a product asks of the library, as plain data: y' [n, m] = w [k, n]' x [k, m], columns first. */
struct cublaslt_shape {
    int m, n, k;          /* of the caller: rows of x, rows of w, inner */
    int64_t ldx, ldy;     /* ldw is k */
    int bf, y_f32;        /* types of x and w; y is float although they are bf16 */
    int bias, gelu, beta; /* epilogue: bias, then tanh GELU; beta 1: y is added to */
    int after; /* activation that the library does not have: a kernel of ours afterwards, or 0 */
};

/* 0: the library cannot do it (alignment, or an activation between product and sum). */
int cublaslt_plan(struct cublaslt_shape *, const struct cu_product *, int bf);
/* Same choice of algorithm: everything but m and the strides. */
uint64_t cublaslt_key(const struct cublaslt_shape *);

/* NULL when the library is missing or fails to start. work: workspace on the card, shared; cache, card: of tuning.h. */
struct cublaslt *cublaslt_open(void *stream, void *work, size_t bytes, const char *cache,
                               const char *card);
void cublaslt_close(struct cublaslt *);
void cublaslt_describe(const struct cublaslt *, char *out,
                       size_t size); /* ", cuBLASLt 13.1", or ", no cuBLASLt" */
/* 1: it is on the stream. 0: not possible, nothing happened. negative: it failed. */
int cublaslt_run(struct cublaslt *, const struct cublaslt_shape *, const struct cu_product *);

#endif
