/* norm - RMS norm, layer norm with modulation, norm and rotation of heads: one pass over each row.
 *
 * All are bound by memory. A block takes a row and reads it again for the second step, when it is
 * still in the first cache. */
#include "kernels/cuda/rows.cuh"

/* 1 / sqrt(mean of the squares + eps) of a row, by all threads of the block; part: as in
 * block_sum. */
template <class T, int V>
static __device__ __forceinline__ float rms_of(const T *x, int cols, float eps, float *part)
{
    float v[V], sum = 0;

    for (int i = threadIdx.x * V; i < cols; i += blockDim.x * V) {
        load<T, V>(v, x + i);
        for (int j = 0; j < V; j++)
            sum += v[j] * v[j];
    }
    return 1.0f / sqrtf(block_sum(sum, part) / (float)cols + eps);
}

/* y = x rsqrt(mean(x^2) + eps) w. */
template <class T, int V>
__global__ void rms_kernel(T *y, int64_t ldy, const T *x, int64_t ldx, const float *w, int cols,
                           float eps)
{
    __shared__ float part[32];
    const T *xr = x + blockIdx.x * ldx;
    T *yr = y + blockIdx.x * ldy;
    float v[V];

    dep_launch();
    dep_wait();
    const float r = rms_of<T, V>(xr, cols, eps, part);
    for (int i = threadIdx.x * V; i < cols; i += blockDim.x * V) {
        load<T, V>(v, xr + i);
        for (int j = 0; j < V; j++)
            v[j] = rnd<T>(v[j] * r) * w[i + j];
        store<T, V>(yr + i, v);
    }
}

template <class T>
static void rms(const struct cu_queue *q, void *y, int64_t ldy, const void *x, int64_t ldx,
                const float *w, int rows, int cols, float eps)
{
    const int v = wide<T>::V;

    if (!rows) return;
    if (cols % v == 0 && aligned16(y, ldy, sizeof(T)) && aligned16(x, ldx, sizeof(T)))
        launch(rms_kernel<T, wide<T>::V>, dim3(rows), dim3(row_threads(cols / v)), 0, q, (T *)y,
               ldy, (const T *)x, ldx, w, cols, eps);
    else
        launch(rms_kernel<T, 1>, dim3(rows), dim3(row_threads(cols)), 0, q, (T *)y, ldy,
               (const T *)x, ldx, w, cols, eps);
}

void cu_rms(const struct cu_queue *q, int bf, void *y, int64_t ldy, const void *x, int64_t ldx,
            const float *w, int rows, int cols, float eps)
{
    if (bf)
        rms<bf16>(q, y, ldy, x, ldx, w, rows, cols, eps);
    else
        rms<float>(q, y, ldy, x, ldx, w, rows, cols, eps);
}

/* Two norms while a row is in the cache. Sums are taken as rms_kernel takes them, to the same
 * bits. */
template <class T, int V>
__global__ void rms_pair_kernel(T *x, int64_t ldx, const T *a, int64_t lda, const float *w, T *y,
                                int64_t ldy, const float *w2, int cols, float eps)
{
    __shared__ float part[32];
    T *xr = x + blockIdx.x * ldx, *yr = y + blockIdx.x * ldy;
    const T *ar = a + blockIdx.x * lda;
    float v[V], o[V], next = 0;

    dep_launch();
    dep_wait();
    const float r = rms_of<T, V>(ar, cols, eps, part);
    for (int i = threadIdx.x * V; i < cols; i += blockDim.x * V) {
        load<T, V>(v, ar + i);
        load<T, V>(o, xr + i);
        for (int j = 0; j < V; j++) {
            o[j] = rnd<T>(o[j] + rnd<T>(rnd<T>(v[j] * r) * w[i + j]));
            next += o[j] * o[j];
        }
        store<T, V>(xr + i, o);
    }
    const float s = 1.0f / sqrtf(block_sum(next, part) / (float)cols + eps);
    /* what this thread has written */
    for (int i = threadIdx.x * V; i < cols; i += blockDim.x * V) {
        load<T, V>(o, xr + i);
        for (int j = 0; j < V; j++)
            o[j] = rnd<T>(o[j] * s) * w2[i + j];
        store<T, V>(yr + i, o);
    }
}

template <class T>
static void rms_pair(const struct cu_queue *q, void *x, int64_t ldx, const void *a, int64_t lda,
                     const float *w, void *y, int64_t ldy, const float *w2, int rows, int cols,
                     float eps)
{
    const int v = wide<T>::V;

    if (!rows) return;
    if (cols % v == 0 && aligned16(x, ldx, sizeof(T)) && aligned16(a, lda, sizeof(T))
        && aligned16(y, ldy, sizeof(T)))
        launch(rms_pair_kernel<T, wide<T>::V>, dim3(rows), dim3(row_threads(cols / v)), 0, q,
               (T *)x, ldx, (const T *)a, lda, w, (T *)y, ldy, w2, cols, eps);
    else
        launch(rms_pair_kernel<T, 1>, dim3(rows), dim3(row_threads(cols)), 0, q, (T *)x, ldx,
               (const T *)a, lda, w, (T *)y, ldy, w2, cols, eps);
}

void cu_rms_add_rms(const struct cu_queue *q, int bf, void *x, int64_t ldx, const void *a,
                    int64_t lda, const float *w, void *y, int64_t ldy, const float *w2, int rows,
                    int cols, float eps)
{
    if (bf)
        rms_pair<bf16>(q, x, ldx, a, lda, w, y, ldy, w2, rows, cols, eps);
    else
        rms_pair<float>(q, x, ldx, a, lda, w, y, ldy, w2, rows, cols, eps);
}

template <class T, int V>
__global__ void ln_mod_kernel(T *y, int64_t ldy, const T *x, int64_t ldx, const T *mod,
                              const struct cu_segs segs, int cols, float eps)
{
    __shared__ float part[32];
    const int s = find_seg(segs, blockIdx.x);
    const T *xr = x + blockIdx.x * ldx;
    T *yr = y + blockIdx.x * ldy;
    float v[V], a[V], b[V], mean, r;

    dep_launch();
    dep_wait();
    if (s < 0) return;
    row_moments<T, V>(xr, cols, eps, part, &mean, &r);
    const T *scale = mod + segs.seg[s].scale, *shift = mod + segs.seg[s].shift;
    for (int i = threadIdx.x * V; i < cols; i += blockDim.x * V) {
        load<T, V>(v, xr + i);
        load<T, V>(a, scale + i);
        load<T, V>(b, shift + i);
        for (int j = 0; j < V; j++)
            v[j] = rnd<T>(rnd<T>((v[j] - mean) * r) * rnd<T>(1.0f + a[j])) + b[j];
        store<T, V>(yr + i, v);
    }
}

template <class T>
static void ln_mod(const struct cu_queue *q, void *y, int64_t ldy, const void *x, int64_t ldx,
                   const void *mod, const struct cu_segs *s, int rows, int cols, float eps)
{
    const int v = wide<T>::V;

    if (!rows) return;
    if (cols % v == 0 && aligned16(y, ldy, sizeof(T)) && aligned16(x, ldx, sizeof(T))
        && segs_aligned(mod, s, sizeof(T)))
        launch(ln_mod_kernel<T, wide<T>::V>, dim3(rows), dim3(row_threads(cols / v)), 0, q, (T *)y,
               ldy, (const T *)x, ldx, (const T *)mod, *s, cols, eps);
    else
        launch(ln_mod_kernel<T, 1>, dim3(rows), dim3(row_threads(cols)), 0, q, (T *)y, ldy,
               (const T *)x, ldx, (const T *)mod, *s, cols, eps);
}

void cu_ln_mod(const struct cu_queue *q, int bf, void *y, int64_t ldy, const void *x, int64_t ldx,
               const void *mod, const struct cu_segs *s, int rows, int cols, float eps)
{
    if (bf)
        ln_mod<bf16>(q, y, ldy, x, ldx, mod, s, rows, cols, eps);
    else
        ln_mod<float>(q, y, ldy, x, ldx, mod, s, rows, cols, eps);
}

/* A warp a head; lane l holds the pairs (l, l + d/2), (l + 32, l + 32 + d/2). */
template <class T>
__global__ void qk_kernel(T *x, int64_t ldx, int heads, int d, const float *table, int64_t ldt,
                          const struct cu_segs segs, float eps)
{
    const int row = blockIdx.x, warp = threadIdx.x / 32, lane = threadIdx.x % 32, half = d / 2;
    const int s = find_seg(segs, row), head = blockIdx.y * (blockDim.x / 32) + warp;
    float a[2] = {0, 0}, b[2] = {0, 0}, sum = 0, sq = 0;

    dep_launch();
    dep_wait();
    if (s < 0 || head >= heads) return;
    T *h = x + row * ldx + (int64_t)head * d;
#pragma unroll
    for (int i = 0; i < 2; i++)
        if (lane + 32 * i < half) {
            a[i] = to_float(h[lane + 32 * i]);
            b[i] = to_float(h[half + lane + 32 * i]);
            sum += a[i] + b[i];
        }
    const float mean = warp_sum(sum) / (float)d;
#pragma unroll
    for (int i = 0; i < 2; i++)
        if (lane + 32 * i < half)
            sq += (a[i] - mean) * (a[i] - mean) + (b[i] - mean) * (b[i] - mean);
    const float r = 1.0f / sqrtf(warp_sum(sq) / (float)d + eps);
    const int rope = segs.seg[s].rope;
    const float *cs = table + (rope + (int64_t)row - segs.seg[s].row) * ldt;
#pragma unroll
    for (int i = 0; i < 2; i++) {
        const int j = lane + 32 * i;

        if (j >= half) break;
        float u = (a[i] - mean) * r, v = (b[i] - mean) * r;
        if (rope >= 0) {
            const float p = rnd<T>(u), z = rnd<T>(v), c = cs[j], n = cs[half + j];

            u = p * c - z * n;
            v = z * c + p * n;
        }
        h[j] = from_float<T>(u);
        h[half + j] = from_float<T>(v);
    }
}

/* The same with V pairs in a row a lane, and `lanes` (a power of two, half a head) lanes a head. */
template <class T, int V>
__global__ void qk_wide_kernel(T *x, int64_t ldx, int heads, int d, int lanes, const float *table,
                               int64_t ldt, const struct cu_segs segs, float eps)
{
    const int row = blockIdx.x, half = d / 2, s = find_seg(segs, row);
    const int head = blockIdx.y * (blockDim.x / lanes) + threadIdx.x / lanes;
    const int j = threadIdx.x % lanes * V;
    float a[V] = {}, b[V] = {}, sum = 0, sq = 0;

    dep_launch();
    dep_wait();
    if (s < 0) return;
    T *h = x + row * ldx + (int64_t)head * d + j;
    if (head < heads) {
        load<T, V>(a, h);
        load<T, V>(b, h + half);
    }
#pragma unroll
    for (int i = 0; i < V; i++)
        sum += a[i] + b[i];
    for (int m = lanes / 2; m; m >>= 1)
        sum += __shfl_xor_sync(WARP_ALL, sum, m);
    const float mean = sum / (float)d;
#pragma unroll
    for (int i = 0; i < V; i++)
        sq += (a[i] - mean) * (a[i] - mean) + (b[i] - mean) * (b[i] - mean);
    for (int m = lanes / 2; m; m >>= 1)
        sq += __shfl_xor_sync(WARP_ALL, sq, m);
    const float r = 1.0f / sqrtf(sq / (float)d + eps);
    if (head >= heads) return;
#pragma unroll
    for (int i = 0; i < V; i++)
        a[i] = (a[i] - mean) * r, b[i] = (b[i] - mean) * r;
    if (segs.seg[s].rope >= 0) {
        const float *cs = table + (segs.seg[s].rope + (int64_t)row - segs.seg[s].row) * ldt + j;
        float c[V], n[V];

        load_floats<V>(c, cs);
        load_floats<V>(n, cs + half);
#pragma unroll
        for (int i = 0; i < V; i++) {
            const float p = rnd<T>(a[i]), z = rnd<T>(b[i]);

            a[i] = p * c[i] - z * n[i];
            b[i] = z * c[i] + p * n[i];
        }
    }
    store<T, V>(h, a);
    store<T, V>(h + half, b);
}

template <class T>
static void qk(const struct cu_queue *q, void *x, int64_t ldx, int heads, int d, const float *table,
               int64_t ldt, const struct cu_segs *s, int rows, float eps)
{
    enum { THREADS = 256 };
    const int v = wide<T>::V, lanes = d / 2 / v, warps = heads < 8 ? heads : 8;

    if (!rows) return;
    if (d % (2 * v) == 0 && lanes <= 32 && !(lanes & (lanes - 1)) && aligned16(x, ldx, sizeof(T))
        && aligned16(table, ldt, sizeof(float)))
        launch(qk_wide_kernel<T, wide<T>::V>, dim3(rows, blocks_for(heads, THREADS / lanes)),
               dim3(THREADS), 0, q, (T *)x, ldx, heads, d, lanes, table, ldt, *s, eps);
    else
        launch(qk_kernel<T>, dim3(rows, blocks_for(heads, warps)), dim3(32 * warps), 0, q, (T *)x,
               ldx, heads, d, table, ldt, *s, eps);
}

void cu_qk_norm_rope(const struct cu_queue *q, int bf, void *x, int64_t ldx, int heads,
                     int head_dim, const float *table, int64_t ldt, const struct cu_segs *s,
                     int rows, float eps)
{
    if (bf)
        qk<bf16>(q, x, ldx, heads, head_dim, table, ldt, s, rows, eps);
    else
        qk<float>(q, x, ldx, heads, head_dim, table, ldt, s, rows, eps);
}
