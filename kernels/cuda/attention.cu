/* attention - softmax(scale q k' + bias) v on plain cores, where cuDNN cannot do it.
 *
 * A warp takes a query: a lane scores one key of 32, then the lanes share the columns of v. The
 * softmax is online, from key 0 on, so a query's bits do not depend on its neighbours. */
#include "kernels/cuda/kernel.cuh"

enum { WARPS = 4, COLS = CU_HEAD_DIM / 32 };

/* Dot product of a row of k with q in shared memory; 16 bytes at a time where that is possible. */
template <class T, int V>
static __device__ __forceinline__ float dot(const float *q, const T *k, int d)
{
    float sum = 0, v[V];

    for (int i = 0; i < d; i += V) {
        load<T, V>(v, k + i);
#pragma unroll
        for (int j = 0; j < V; j++)
            sum += q[i + j] * v[j];
    }
    return sum;
}

template <class T, int V> __global__ void attention_kernel(const struct cu_attn a)
{
    __shared__ float qs[WARPS][CU_HEAD_DIM];
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, head = blockIdx.y;
    const int i = blockIdx.x * WARPS + warp, d = a.head_dim, kv = head / a.group;

    dep_launch();
    dep_wait();
    if (i >= a.nq) return;
    const T *q = (const T *)a.q + i * a.ldq + (int64_t)head * d;
    const T *k = (const T *)a.k + (int64_t)kv * d, *v = (const T *)a.v + (int64_t)kv * d;
    const int nk = a.start ? *a.start + i + 1 : a.nk;
    const float *bias = a.bias ? a.bias + head * a.ldb + a.span - 1 - i : NULL;
    for (int c = lane; c < d; c += 32)
        qs[warp][c] = to_float(q[c]) * a.scale;
    __syncwarp();
    float m = -INFINITY, l = 0, o[COLS] = {};
    for (int j0 = 0; j0 < nk; j0 += 32) {
        const int j = j0 + lane, n = nk - j0 < 32 ? nk - j0 : 32;
        float s = -INFINITY;

        if (j < nk) s = dot<T, V>(qs[warp], k + j * a.ldk, d) + (bias ? bias[j] : 0.0f);
        const float top = fmaxf(m, warp_max(s)), shrink = expf(m - top), e = expf(s - top);
        l = l * shrink + warp_sum(e);
        m = top;
#pragma unroll
        for (int c = 0; c < COLS; c++)
            o[c] *= shrink;
        for (int t = 0; t < n; t++) {
            const float p = __shfl_sync(WARP_ALL, e, t);
            const T *vr = v + (j0 + t) * a.ldv;

#pragma unroll
            for (int c = 0; c < COLS; c++)
                if (lane + 32 * c < d) o[c] += p * to_float(vr[lane + 32 * c]);
        }
    }
    T *out = (T *)a.o + i * a.ldo + (int64_t)head * d;
#pragma unroll
    for (int c = 0; c < COLS; c++)
        if (lane + 32 * c < d) out[lane + 32 * c] = from_float<T>(o[c] / l);
}

template <class T> static void attention(const struct cu_queue *q, const struct cu_attn *a)
{
    const int v = wide<T>::V;
    const dim3 grid((a->nq + WARPS - 1) / WARPS, a->heads), block(32 * WARPS);

    if (a->head_dim % v == 0 && a->ldk % v == 0 && (uintptr_t)a->k % 16 == 0)
        launch(attention_kernel<T, wide<T>::V>, grid, block, 0, q, *a);
    else
        launch(attention_kernel<T, 1>, grid, block, 0, q, *a);
}

void cu_attention(const struct cu_queue *q, int bf, const struct cu_attn *a)
{
    if (!a->nq) return;
    if (bf)
        attention<bf16>(q, a);
    else
        attention<float>(q, a);
}
