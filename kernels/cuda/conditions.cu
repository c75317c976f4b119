/* conditions - what condition images alone need: affine layer norm, the best score of a row,
 * latents as the encoder gives them. */
#include "kernels/cuda/rows.cuh"

enum { THREADS = 256 };

/* y = LN(x) w + b. */
template <class T, int V>
__global__ void ln_kernel(T *y, int64_t ldy, const T *x, int64_t ldx, const float *w,
                          const float *b, int cols, float eps)
{
    __shared__ float part[32];
    const T *xr = x + blockIdx.x * ldx;
    T *yr = y + blockIdx.x * ldy;
    float v[V], mean, r;

    dep_launch();
    dep_wait();
    row_moments<T, V>(xr, cols, eps, part, &mean, &r);
    for (int i = threadIdx.x * V; i < cols; i += blockDim.x * V) {
        float f[V], t[V];

        load<T, V>(v, xr + i);
        load_floats<V>(f, w + i);
        load_floats<V>(t, b + i);
        for (int j = 0; j < V; j++)
            v[j] = (v[j] - mean) * r * f[j] + t[j];
        store<T, V>(yr + i, v);
    }
}

template <class T>
static void layer_norm(const struct cu_queue *q, void *y, int64_t ldy, const void *x, int64_t ldx,
                       const float *w, const float *b, int rows, int cols, float eps)
{
    const int v = wide<T>::V;

    if (!rows) return;
    if (cols % v == 0 && aligned16(y, ldy, sizeof(T)) && aligned16(x, ldx, sizeof(T)))
        launch(ln_kernel<T, wide<T>::V>, dim3(rows), dim3(row_threads(cols / v)), 0, q, (T *)y, ldy,
               (const T *)x, ldx, w, b, cols, eps);
    else
        launch(ln_kernel<T, 1>, dim3(rows), dim3(row_threads(cols)), 0, q, (T *)y, ldy,
               (const T *)x, ldx, w, b, cols, eps);
}

void cu_layer_norm(const struct cu_queue *q, int bf, void *y, int64_t ldy, const void *x,
                   int64_t ldx, const float *w, const float *b, int rows, int cols, float eps)
{
    if (bf)
        layer_norm<bf16>(q, y, ldy, x, ldx, w, b, rows, cols, eps);
    else
        layer_norm<float>(q, y, ldy, x, ldx, w, b, rows, cols, eps);
}

/* A larger score, or an equal one with a lower index. */
static __device__ __forceinline__ void keep_better(float *most, int *best, float v, int i)
{
    if (v > *most || (v == *most && i < *best)) {
        *most = v;
        *best = i;
    }
}

/* A block a row. Which thread sees which score changes nothing: scores and indices are compared
 * exactly. */
__global__ void argmax_kernel(int32_t *ids, int64_t ldi, const float *scores, int64_t lds,
                              const float *factor, int cols)
{
    __shared__ float tops[THREADS / 32];
    __shared__ int places[THREADS / 32];
    const float *s = scores + blockIdx.x * lds;
    float most = -INFINITY;
    int best = 0x7fffffff;

    dep_launch();
    dep_wait();
    for (int i = threadIdx.x; i < cols; i += THREADS)
        keep_better(&most, &best, s[i] * factor[i], i);
    for (int m = 16; m; m >>= 1) {
        const float v = __shfl_xor_sync(WARP_ALL, most, m);
        const int i = __shfl_xor_sync(WARP_ALL, best, m);

        keep_better(&most, &best, v, i);
    }
    if (threadIdx.x % 32 == 0) {
        tops[threadIdx.x / 32] = most;
        places[threadIdx.x / 32] = best;
    }
    __syncthreads();
    if (threadIdx.x) return;
    for (int i = 1; i < THREADS / 32; i++)
        keep_better(&most, &best, tops[i], places[i]);
    /* of NaN alone nothing is best; the first, as on the CPU */
    ids[blockIdx.x * ldi] = best < cols ? best : 0;
}

void cu_argmax(const struct cu_queue *q, int32_t *ids, int64_t ldi, const float *scores,
               int64_t lds, const float *factor, int rows, int cols)
{
    if (!rows) return;
    launch(argmax_kernel, dim3(rows), dim3(THREADS), 0, q, ids, ldi, scores, lds, factor, cols);
}

/* A thread a channel and pixel, pixels fastest: stores are coalesced, the picture comes from the
 * cache. */
template <class T>
__global__ void renorm_kernel(float *x, int64_t ldx, const T *z, int64_t ldz, const float *mean,
                              const float *std, int pixels)
{
    const int p = blockIdx.x * THREADS + threadIdx.x, c = blockIdx.y;

    dep_launch();
    dep_wait();
    if (p >= pixels) return;
    x[c * ldx + p] = rnd<T>(rnd<T>(to_float(z[p * ldz + c]) - mean[c]) / std[c]);
}

void cu_renorm(const struct cu_queue *q, int bf, float *x, int64_t ldx, const void *z, int64_t ldz,
               const float *mean, const float *std, int pixels, int channels)
{
    const dim3 grid(blocks_for(pixels, THREADS), channels);

    if (bf)
        launch(renorm_kernel<bf16>, grid, dim3(THREADS), 0, q, x, ldx, (const bf16 *)z, ldz, mean,
               std, pixels);
    else
        launch(renorm_kernel<float>, grid, dim3(THREADS), 0, q, x, ldx, (const float *)z, ldz, mean,
               std, pixels);
}
