/* decode_attention - the prior's attention: one query row against a cache that grows by that row.
 *
 * The number of keys is read from device memory and the grid does not depend on it, so that one
 * captured graph serves all tokens. Keys are cut into at most CU_SPLITS parts of equal length, a
 * function of this sequence alone. A block takes one part for all query heads that share a key
 * head, so keys and values are read once: they are on their way to shared memory, all at once,
 * while the block rotates the queries. The new row is rotated where it is needed, and stored by the
 * one block that owns it. A second kernel joins the parts, in order. */
#include "kernels/cuda/kernel.cuh"

enum { THREADS = 128, QUADS = THREADS / 4, WARPS = THREADS / 32, AT_ONCE = 48 };
/* bytes between rows of keys: two quads of lanes then read different banks */
enum { GAP = 64 };

/* Keys of a part, for a sequence of n keys. */
static __device__ __forceinline__ int part_keys(int n)
{
    const int k = (n + CU_SPLITS - 1) / CU_SPLITS;

    return k < CU_KEYS ? CU_KEYS : k;
}

/* Element c of a head after rotation of its first `rot` dimensions. */
template <class T>
static __device__ __forceinline__ float rotated(const T *h, const float *cs, int c, int rot)
{
    const int half = rot / 2;
    const float x = to_float(h[c]);

    if (c >= rot) return x;
    if (c < half) return rnd<T>(rnd<T>(x * cs[c]) - rnd<T>(to_float(h[c + half]) * cs[half + c]));
    return rnd<T>(rnd<T>(x * cs[c - half]) + rnd<T>(to_float(h[c - half]) * cs[c]));
}

/* Where a part's sums are stored, [seq][split][head][d + 2]: o, then m and l. */
static __host__ __device__ __forceinline__ size_t part_at(int heads, int d, int seq, int split,
                                                          int head)
{
    return (((size_t)seq * CU_SPLITS + split) * heads + head) * (d + 2);
}

size_t cu_decode_work(int heads, int head_dim, int seqs)
{
    return sizeof(float) * part_at(heads, head_dim, seqs, 0, 0);
}

/* What a block keeps in shared memory; there is room for CU_GROUP heads. Keys and values are rows
 * of T, of AT_ONCE keys in bf16 and of half as many in float. */
struct part_mem {
    /* rotated and scaled */
    float q[CU_GROUP][CU_HEAD_DIM];
    float score[AT_ONCE][CU_GROUP];
    float m[CU_GROUP], l[CU_GROUP], shrink[CU_GROUP];
    uint4 k[AT_ONCE * (CU_HEAD_DIM * sizeof(bf16) + GAP) / sizeof(uint4)];
    uint4 v[AT_ONCE * CU_HEAD_DIM * sizeof(bf16) / sizeof(uint4)];
};

template <class T> struct staged {
    enum {
        KEYS = AT_ONCE * sizeof(bf16) / sizeof(T),
        LDK = CU_HEAD_DIM + GAP / sizeof(T),
        LDV = CU_HEAD_DIM
    };
};

/* 16 bytes of global memory to shared memory; they are there after copy_wait(). */
static __device__ __forceinline__ void copy_async(void *to, const void *from)
{
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16;"
                 :
                 : "r"((uint32_t)__cvta_generic_to_shared(to)), "l"(from)
                 : "memory");
#else
    *(uint4 *)to = *(const uint4 *)from;
#endif
}

static __device__ __forceinline__ void copy_wait(void)
{
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
    asm volatile("cp.async.wait_all;" ::: "memory");
#endif
}

/* Request `count` rows of d values. */
template <class T, int V>
static __device__ __forceinline__ void fetch_rows(T *to, int ldt, const T *from, int64_t ld,
                                                  int count, int d)
{
    const int pieces = d / V;

    for (int i = threadIdx.x; i < count * pieces; i += THREADS) {
        const int row = i / pieces, c = i % pieces * V;

        if constexpr (V == 1)
            to[row * ldt + c] = from[row * ld + c];
        else
            copy_async(to + row * ldt + c, from + row * ld + c);
    }
}

/* The new row of k and v, k rotated: to the cache, and to rows of shared memory. */
template <class T>
static __device__ void append_row(const struct cu_decode &a, const struct cu_decode_seq &s,
                                  const T *qkv, int kv, int row, T *ks, T *vs)
{
    const int d = a.head_dim;
    const T *k = qkv + (int64_t)(a.heads + kv) * d, *v = k + (int64_t)a.kv_heads * d;
    const float *cs = s.rope + row * s.ldr;

    for (int c = threadIdx.x; c < d; c += blockDim.x) {
        ks[c] = from_float<T>(rotated<T>(k, cs, c, a.rot));
        vs[c] = v[c];
        ((T *)s.k)[row * s.ldk + kv * d + c] = ks[c];
        ((T *)s.v)[row * s.ldv + kv * d + c] = vs[c];
    }
}

/* Scores of `count` keys in shared memory: four lanes a key, each with every fourth piece of it. */
template <class T, int V>
static __device__ __forceinline__ void score_keys(part_mem *mem, int count, int group, int d)
{
    const T *ks = (const T *)mem->k;
    const int t = threadIdx.x % 4;

    for (int i0 = 0; i0 < count; i0 += QUADS) {
        const int i = i0 + threadIdx.x / 4;
        float dot[CU_GROUP] = {}, v[V];

        for (int c = V * t; c < d && i < count; c += 4 * V) {
            load<T, V>(v, ks + i * staged<T>::LDK + c);
#pragma unroll
            for (int g = 0; g < CU_GROUP; g++)
                if (g < group) {
                    float q[V];

                    load_floats<V>(q, &mem->q[g][c]);
#pragma unroll
                    for (int n = 0; n < V; n++)
                        dot[g] += q[n] * v[n];
                }
        }
#pragma unroll
        for (int g = 0; g < CU_GROUP; g++) {
            if (g >= group) break;
            dot[g] += __shfl_xor_sync(WARP_ALL, dot[g], 1);
            dot[g] += __shfl_xor_sync(WARP_ALL, dot[g], 2);
            if (t == 0 && i < count) mem->score[i][g] = dot[g];
        }
    }
}

/* Scores to weights e^(s - m), a warp a head. When the maximum grows, earlier sums shrink with
 * it. */
static __device__ __forceinline__ void soften(part_mem *mem, int count, int group)
{
    const int lane = threadIdx.x % 32;

    for (int g = threadIdx.x / 32; g < group; g += WARPS) {
        float top = mem->m[g], sum = 0;

        for (int i = lane; i < count; i += 32)
            top = fmaxf(top, mem->score[i][g]);
        top = warp_max(top);
        for (int i = lane; i < count; i += 32) {
            const float e = expf(mem->score[i][g] - top);

            mem->score[i][g] = e;
            sum += e;
        }
        sum = warp_sum(sum);
        if (lane == 0) {
            mem->shrink[g] = expf(mem->m[g] - top);
            mem->l[g] = mem->l[g] * mem->shrink[g] + sum;
            mem->m[g] = top;
        }
        __syncwarp();
    }
}

/* The queries of a group, rotated and scaled; nothing is summed yet. */
template <class T>
static __device__ __forceinline__ void begin_part(part_mem *mem, const struct cu_decode &a,
                                                  const struct cu_decode_seq &s, const T *qkv,
                                                  int kv, int len)
{
    const int d = a.head_dim, group = a.heads / a.kv_heads;

#pragma unroll 4
    for (int i = threadIdx.x; i < group * d; i += THREADS)
        mem->q[i / d][i % d] = a.scale
                               * rotated<T>(qkv + (int64_t)(kv * group + i / d) * d,
                                            s.rope + len * s.ldr, i % d, a.rot);
    if (threadIdx.x < CU_GROUP) {
        mem->m[threadIdx.x] = -INFINITY;
        mem->l[threadIdx.x] = 0;
    }
}

template <class T, int V>
__global__ void __launch_bounds__(THREADS) decode_kernel(const struct cu_decode a)
{
    DYNAMIC_SHARED(part_mem, mem);
    const struct cu_decode_seq &s = a.seq[blockIdx.z];
    const int d = a.head_dim, kv = blockIdx.y, group = a.heads / a.kv_heads, split = blockIdx.x;
    const int col = threadIdx.x;
    T *ks = (T *)mem->k, *vs = (T *)mem->v;
    float o[CU_GROUP] = {};

    dep_launch();
    dep_wait();
    const int len = *s.len, n = len + 1, per = part_keys(n), k0 = split * per;
    const int k1 = k0 + per < n ? k0 + per : n;
    if (k0 >= n) return;
    const T *qkv = (const T *)a.qkv + s.row * a.ldqkv;
    const T *kc = (const T *)s.k + kv * d, *vc = (const T *)s.v + kv * d;
    for (int j0 = k0; j0 < k1; j0 += staged<T>::KEYS) {
        const int left = k1 - j0, count = left < staged<T>::KEYS ? left : staged<T>::KEYS;
        const int old = j0 + count == n ? count - 1 : count;

        fetch_rows<T, V>(ks, staged<T>::LDK, kc + j0 * s.ldk, s.ldk, old, d);
        fetch_rows<T, V>(vs, staged<T>::LDV, vc + j0 * s.ldv, s.ldv, old, d);
        if (old < count)
            append_row<T>(a, s, qkv, kv, len, ks + old * staged<T>::LDK, vs + old * staged<T>::LDV);
        if (j0 == k0) begin_part<T>(mem, a, s, qkv, kv, len);
        copy_wait();
        __syncthreads();
        score_keys<T, V>(mem, count, group, d);
        __syncthreads();
        soften(mem, count, group);
        __syncthreads();
        if (col < d) {
#pragma unroll
            for (int g = 0; g < CU_GROUP; g++)
                if (g < group) o[g] *= mem->shrink[g];
#pragma unroll 4
            for (int i = 0; i < count; i++) {
                const float v = to_float(vs[i * staged<T>::LDV + col]);

#pragma unroll
                for (int g = 0; g < CU_GROUP; g++)
                    if (g < group) o[g] += mem->score[i][g] * v;
            }
        }
        __syncthreads();
    }
#pragma unroll
    for (int g = 0; g < CU_GROUP; g++) {
        if (g >= group || col >= d) break;
        float *p = a.part + part_at(a.heads, d, blockIdx.z, split, kv * group + g);
        p[col] = o[g];
        if (col == 0) {
            p[d] = mem->m[g];
            p[d + 1] = mem->l[g];
        }
    }
}

/* A block a head and sequence: o = sum of parts, each shrunk to the largest maximum. A part's
 * maximum and sum are read once, by one thread, those of all parts together. */
template <class T>
__global__ void __launch_bounds__(CU_HEAD_DIM) join_kernel(const struct cu_decode a)
{
    __shared__ float top[CU_SPLITS], sum[CU_SPLITS];
    const struct cu_decode_seq &s = a.seq[blockIdx.y];
    const int d = a.head_dim, head = blockIdx.x, c = threadIdx.x;

    dep_launch();
    dep_wait();
    const int n = *s.len + 1, per = part_keys(n), parts = (n + per - 1) / per;
    const size_t step = part_at(a.heads, d, 0, 1, 0);
    const float *p = a.part + part_at(a.heads, d, blockIdx.y, 0, head);
    float m = -INFINITY, l = 0, o = 0;
    for (int i = c; i < parts; i += blockDim.x) {
        top[i] = p[i * step + d];
        sum[i] = p[i * step + d + 1];
    }
    __syncthreads();
#pragma unroll 8
    for (int i = 0; i < parts; i++)
        m = fmaxf(m, top[i]);
    if (c >= d) return;
#pragma unroll 8
    for (int i = 0; i < parts; i++) {
        const float w = expf(top[i] - m);

        l += w * sum[i];
        o += w * p[i * step + c];
    }
    ((T *)a.o)[s.row * a.ldo + (int64_t)head * d + c] = from_float<T>(o / l);
}

template <class T, int V> static void decode(const struct cu_queue *q, const struct cu_decode *a)
{
    launch(decode_kernel<T, V>, dim3(CU_SPLITS, a->kv_heads, a->n), dim3(THREADS), sizeof(part_mem),
           q, *a);
    launch(join_kernel<T>, dim3(a->heads, a->n), dim3((a->head_dim + 31) / 32 * 32), 0, q, *a);
}

template <class T> static bool wide_rows(const struct cu_decode *a)
{
    const int v = wide<T>::V;
    bool ok = a->head_dim % v == 0;

    for (int i = 0; i < a->n; i++)
        ok = ok && (a->seq[i].ldk | a->seq[i].ldv) % v == 0
             && ((uintptr_t)a->seq[i].k | (uintptr_t)a->seq[i].v) % 16 == 0;
    return ok;
}

template <class T> static void decode_any(const struct cu_queue *q, const struct cu_decode *a)
{
    if (wide_rows<T>(a))
        decode<T, wide<T>::V>(q, a);
    else
        decode<T, 1>(q, a);
}

void cu_decode(const struct cu_queue *q, int bf, const struct cu_decode *a)
{
    if (!a->n) return;
    if (bf)
        decode_any<bf16>(q, a);
    else
        decode_any<float>(q, a);
}

/* A warp a head: blockIdx.y counts q's heads, then k's; k's warps take v along. */
template <class T> __global__ void append_kernel(const struct cu_decode a)
{
    const struct cu_decode_seq &s = a.seq[0];
    const int d = a.head_dim, head = blockIdx.y, half = a.rot / 2, lane = threadIdx.x;

    dep_launch();
    dep_wait();
    const int row = *s.len + (int)blockIdx.x;
    T *h = (T *)a.qkv + ((int64_t)s.row + blockIdx.x) * a.ldqkv + (int64_t)head * d;
    const float *cs = s.rope + row * s.ldr;
    for (int c = lane; c < half; c += 32) {
        const float x = rotated<T>(h, cs, c, a.rot), y = rotated<T>(h, cs, c + half, a.rot);

        h[c] = from_float<T>(x);
        h[c + half] = from_float<T>(y);
    }
    __syncwarp();
    if (head < a.heads) return;
    const int kv = head - a.heads;
    for (int c = lane; c < d; c += 32) {
        ((T *)s.k)[row * s.ldk + kv * d + c] = h[c];
        ((T *)s.v)[row * s.ldv + kv * d + c] = h[(int64_t)a.kv_heads * d + c];
    }
}

void cu_append(const struct cu_queue *q, int bf, const struct cu_decode *a, int n)
{
    const dim3 grid(n, a->heads + a->kv_heads), block(32);

    if (!n) return;
    if (bf)
        launch(append_kernel<bf16>, grid, block, 0, q, *a);
    else
        launch(append_kernel<float>, grid, block, 0, q, *a);
}
