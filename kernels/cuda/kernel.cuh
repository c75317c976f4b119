/* kernel - what every kernel of ours starts from: types, 16-byte access, reductions, activations.
 *
 * Kernels are plain C style with one template parameter: T, how activations are stored (float or
 * bf16). All of them compute in float and round where they store; where the CPU device rounds in
 * between, rnd<T>() does. The same sources compile for the CPU (test/simt), where SIMT is defined
 * and a header provides threads, barriers and shuffles: use only what that header has.
 *
 * Programmatic dependent launch: on Hopper a kernel may start while its predecessor still runs.
 * Each kernel calls dep_wait() before it touches what another kernel wrote; only weights may be
 * read before that. */
#ifndef KERNELS_CUDA_KERNEL_CUH
#define KERNELS_CUDA_KERNEL_CUH

#include "kernels/cuda/launch.h"

#ifndef SIMT
#    include <cuda_runtime.h>
#endif

#include <stdint.h>
#include <string.h>

struct bf16 {
    uint16_t v;
};

#define WARP_ALL 0xffffffffu

#ifndef SIMT
#    define DYNAMIC_SHARED(T, name)                 \
        extern __shared__ float4 dynamic_shared_[]; \
        T *name = (T *)dynamic_shared_

template <class... P, class... A>
static inline void launch(void (*kernel)(P...), dim3 grid, dim3 block, size_t shared,
                          const struct cu_queue *q, A... args)
{
    cudaLaunchAttribute pdl = {};
    cudaLaunchConfig_t c = {};

    pdl.id = cudaLaunchAttributeProgrammaticStreamSerialization;
    pdl.val.programmaticStreamSerializationAllowed = 1;
    c.gridDim = grid;
    c.blockDim = block;
    c.dynamicSmemBytes = shared;
    c.stream = (cudaStream_t)q->stream;
    c.attrs = &pdl;
    c.numAttrs = q->pdl ? 1 : 0;
    cudaLaunchKernelEx(&c, kernel, P(args)...);
}
#endif

/* Blocks of `threads` for n values, a thread each. */
static inline int blocks_for(int64_t n, int threads)
{
    return (int)((n + threads - 1) / threads);
}

/* After this the results of earlier kernels can be read. */
static __device__ __forceinline__ void dep_wait(void)
{
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
    asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
}

/* The next kernel may be set up now. */
static __device__ __forceinline__ void dep_launch(void)
{
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
    asm volatile("griddepcontrol.launch_dependents;");
#endif
}

/* -- values ------------------------------------------------------------------------------------ */

/* The bits of x as another type of its size. */
template <class To, class From> static __device__ __forceinline__ To bits_as(From x)
{
    To y;

    static_assert(sizeof y == sizeof x, "types of one size");
    memcpy(&y, &x, sizeof y);
    return y;
}

static __device__ __forceinline__ float to_float(float x)
{
    return x;
}

static __device__ __forceinline__ float to_float(bf16 x)
{
    return bits_as<float>((uint32_t)x.v << 16);
}

template <class T> static __device__ __forceinline__ T from_float(float);

template <> __device__ __forceinline__ float from_float<float>(float x)
{
    return x;
}

/* Round to nearest, ties to even; NaN stays NaN. */
template <> __device__ __forceinline__ bf16 from_float<bf16>(float x)
{
    bf16 r;

#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
    asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(r.v) : "f"(x));
#else
    uint32_t u = bits_as<uint32_t>(x);

    r.v = x != x ? (uint16_t)((u >> 16) | 0x40) : (uint16_t)((u + 0x7fff + (u >> 16 & 1)) >> 16);
#endif
    return r;
}

template <class T> static __device__ __forceinline__ float rnd(float x)
{
    return to_float(from_float<T>(x));
}

/* -- access: V elements at once, V = 1 or 16 bytes' worth -------------------------------------- */

template <class T> struct wide {
    enum { V = 16 / sizeof(T) };
};

template <class T, int V> static __device__ __forceinline__ void load(float *out, const T *p)
{
    if constexpr (V == 1) {
        out[0] = to_float(*p);
    } else {
        const uint4 u = *(const uint4 *)(const void *)p;
        const uint32_t w[4] = {u.x, u.y, u.z, u.w};

#pragma unroll
        for (int i = 0; i < V; i++)
            if constexpr (sizeof(T) == 4)
                out[i] = bits_as<float>(w[i]);
            else
                out[i] = bits_as<float>(i & 1 ? w[i / 2] & 0xffff0000u : w[i / 2] << 16);
    }
}

template <class T, int V> static __device__ __forceinline__ void store(T *p, const float *x)
{
    if constexpr (V == 1) {
        *p = from_float<T>(x[0]);
    } else {
        uint32_t w[4];

#pragma unroll
        for (int i = 0; i < 4; i++)
            if constexpr (sizeof(T) == 4)
                w[i] = bits_as<uint32_t>(x[i]);
            else
                w[i] =
                    from_float<bf16>(x[2 * i]).v | (uint32_t)from_float<bf16>(x[2 * i + 1]).v << 16;
        *(uint4 *)(void *)p = uint4{w[0], w[1], w[2], w[3]};
    }
}

/* V floats of shared memory, 16-byte aligned where V > 1. */
template <int V> static __device__ __forceinline__ void load_floats(float *out, const float *p)
{
    if constexpr (V == 1) {
        out[0] = *p;
    } else {
#pragma unroll
        for (int i = 0; i < V; i += 4) {
            const float4 f = *(const float4 *)(const void *)(p + i);

            out[i] = f.x, out[i + 1] = f.y, out[i + 2] = f.z, out[i + 3] = f.w;
        }
    }
}

/* -- reductions: for all threads, a multiple of 32 and at most 1024 --------------------------- */

static __device__ __forceinline__ float warp_sum(float v)
{
#pragma unroll
    for (int i = 16; i; i >>= 1)
        v += __shfl_xor_sync(WARP_ALL, v, i);
    return v;
}

static __device__ __forceinline__ float warp_max(float v)
{
#pragma unroll
    for (int i = 16; i; i >>= 1)
        v = fmaxf(v, __shfl_xor_sync(WARP_ALL, v, i));
    return v;
}

/* part: 32 values of shared memory. May be called again at once. */
template <class V> static __device__ __forceinline__ V block_sum(V v, V *part)
{
    const int warp = threadIdx.x / 32, warps = blockDim.x / 32;
    V sum = 0;

#pragma unroll
    for (int i = 16; i; i >>= 1)
        v += __shfl_xor_sync(WARP_ALL, v, i);
    __syncthreads();
    if (threadIdx.x % 32 == 0) part[warp] = v;
    __syncthreads();
    for (int i = 0; i < warps; i++)
        sum += part[i];
    return sum;
}

/* -- activations: the formulas of the CPU device ----------------------------------------------- */

static __device__ __forceinline__ float activate(float x, int act)
{
    switch (act) {
    case CU_ACT_SILU: return x / (1.0f + expf(-x));
    case CU_ACT_GELU_TANH: {
        float u = x * (0x1.988454p+0f + 0x1.2444f2p-4f * (x * x));

        return x / (1.0f + expf(-u));
    }
    case CU_ACT_GELU_ERF: return 0.5f * x * (1.0f + erff(x * 0x1.6a09e6p-1f));
    default: return x;
    }
}

#endif
