/* simt - enough of CUDA's language to run its kernels on a CPU: blocks, threads, barriers,
 * shuffles.
 *
 * Included in front of a .cu file that is compiled as C++ with SIMT defined. Blocks run one after
 * another; the threads of a block are fibers that run until they meet a barrier or a warp
 * operation. A barrier that not all threads of the block (or of the warp) reach is an error, shared
 * memory starts out as NaN, and fibers run in ascending or descending order, or blocks do
 * (simt_order): results that depend on the order show a missing barrier. Thread: one at a time. */
#ifndef TEST_SIMT_SIMT_H
#define TEST_SIMT_SIMT_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct uint4 {
    uint32_t x, y, z, w;
};
struct float4 {
    float x, y, z, w;
};

struct dim3 {
    unsigned x, y, z;
    dim3(unsigned a = 1, unsigned b = 1, unsigned c = 1) : x(a), y(b), z(c) {}
};

extern dim3 gridDim, blockDim, blockIdx, threadIdx;

extern "C" {
/* 0: ascending, 1: fibers and blocks descending. */
void simt_order(int order);
void simt_run(dim3 grid, dim3 block, size_t shared, void (*body)(void *), void *arg);
void simt_barrier(void);
/* All lanes of the warp give `bytes`; what each gave can be read until the next warp operation. */
const unsigned char (*simt_exchange(const void *mine, size_t bytes))[64];
void *simt_shared(void);
}

#define __global__ static
#define __device__
#define __host__
#define __forceinline__ inline
#define __shared__      static
#define __restrict__
#define __launch_bounds__(...)
#define __align__(n)            __attribute__((aligned(n)))
#define DYNAMIC_SHARED(T, name) T *name = (T *)simt_shared()

#define __syncthreads() simt_barrier()
#define __threadfence()

static inline void __syncwarp(void)
{
    simt_exchange("", 1);
}

template <class V> static inline V simt_from(V v, int lane)
{
    V r;
    memcpy(&r, simt_exchange(&v, sizeof v)[lane & 31], sizeof r);
    return r;
}

static inline int simt_lane(void)
{
    return (int)(threadIdx.x % 32);
}

template <class V> static inline V __shfl_xor_sync(unsigned, V v, int mask)
{
    int lane = simt_lane();
    return simt_from(v, lane ^ mask);
}
template <class V> static inline V __shfl_sync(unsigned, V v, int lane)
{
    return simt_from(v, lane);
}
/* Fibers are never interrupted in between. */
template <class V> static inline V atomicAdd(V *p, V v)
{
    const V old = *p;

    *p += v;
    return old;
}
template <class V> static inline V __ldg(const V *p)
{
    return *p;
}

static inline int __float2int_rn(float x)
{
    return (int)lrintf(x);
}

struct simt_call {
    virtual void go() = 0;
    virtual ~simt_call() {}
};
template <class F> struct simt_bound : simt_call {
    F f;
    explicit simt_bound(F g) : f(g) {}
    void go() { f(); }
};
static inline void simt_go(void *c)
{
    ((simt_call *)c)->go();
}

/* Runs the call as a kernel, or records it; takes it over. */
void simt_submit(dim3 grid, dim3 block, size_t shared, simt_call *call);

struct cu_queue;
template <class... P, class... A>
static inline void launch(void (*kernel)(P...), dim3 grid, dim3 block, size_t shared,
                          const struct cu_queue *, A... args)
{
    auto f = [=] { kernel(P(args)...); };
    simt_submit(grid, block, shared, new simt_bound<decltype(f)>(f));
}

#endif
