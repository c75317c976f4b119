/* rows - what kernels over rows share: threads for a row, alignment, the segment of a row. */
#ifndef KERNELS_CUDA_ROWS_CUH
#define KERNELS_CUDA_ROWS_CUH

#include "kernels/cuda/kernel.cuh"

/* Threads for a row of `pieces` accesses: enough for two a thread, whole warps, at most 512. */
static inline int row_threads(int pieces)
{
    int t = (pieces + 31) / 32 * 32;

    return t > 512 ? 512 : t < 32 ? 32 : t;
}

static inline bool aligned16(const void *p, int64_t ld, int size)
{
    return (uintptr_t)p % 16 == 0 && ld * size % 16 == 0;
}

/* The segment that holds a row, or -1: a few comparisons, the same in the whole block. */
static __device__ __forceinline__ int find_seg(const struct cu_segs &s, int row)
{
    for (int i = 0; i < s.n; i++)
        if (row >= s.seg[i].row && row < s.seg[i].row + s.seg[i].n) return i;
    return -1;
}

/* Mean and 1 / standard deviation of a block's row, in two passes: in one the difference of sums
 * would cancel. part: 32 values of shared memory. */
template <class T, int V>
static __device__ __forceinline__ void row_moments(const T *x, int cols, float eps, float *part,
                                                   float *mean, float *r)
{
    float v[V], sum = 0, sq = 0;

    for (int i = threadIdx.x * V; i < cols; i += blockDim.x * V) {
        load<T, V>(v, x + i);
        for (int j = 0; j < V; j++)
            sum += v[j];
    }
    *mean = block_sum(sum, part) / (float)cols;
    for (int i = threadIdx.x * V; i < cols; i += blockDim.x * V) {
        load<T, V>(v, x + i);
        for (int j = 0; j < V; j++)
            sq += (v[j] - *mean) * (v[j] - *mean);
    }
    *r = 1.0f / sqrtf(block_sum(sq, part) / (float)cols + eps);
}

static inline bool segs_aligned(const void *mod, const struct cu_segs *s, int size)
{
    int64_t all = 0;

    for (int i = 0; i < s->n; i++)
        all |= (int64_t)s->seg[i].shift | s->seg[i].scale | s->seg[i].gate;
    return aligned16(mod, all, size);
}

#endif
