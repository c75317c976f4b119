/* group_norm - group norm over whole pictures, whose rows may come in bands.
 *
 * Three launches: sums of each group over each row of the picture; one scale and one shift a
 * channel; one pass that applies them with the activation. Sums are taken around the row's first
 * pixel, in float over at most 64 pixels, then in double: so they do not cancel, and depend neither
 * on timing nor on how many rows a launch is given. */
#include "kernels/cuda/kernel.cuh"

enum { THREADS = 256, PIXELS = 64 };

/* Threads of a block that share a pixel, each with V channels; the others take other pixels. */
template <int V> static __host__ __device__ int lanes_for(int channels)
{
    const int n = (channels + V - 1) / V;

    return n < THREADS ? n : THREADS;
}

/* Sums and sums of squares of the V channels at x, over every `deep`-th pixel from `start` on. */
template <class T, int V>
static __device__ __forceinline__ void pixel_sums(double *sum, double *sq, const T *x, int64_t ldx,
                                                  int start, int width, int deep)
{
    float v[V], pivot[V];

    load<T, V>(pivot, x);
    for (int p = start; p < width; p += deep * PIXELS) {
        float s[V] = {}, t[V] = {};
        const int left = (width - p + deep - 1) / deep, n = left < PIXELS ? left : PIXELS;

#pragma unroll 4
        for (int i = 0; i < n; i++) {
            load<T, V>(v, x + (p + i * deep) * ldx);
#pragma unroll
            for (int j = 0; j < V; j++) {
                const float d = v[j] - pivot[j];

                s[j] += d;
                t[j] += d * d;
            }
        }
#pragma unroll
        for (int j = 0; j < V; j++) {
            const double m = (double)pivot[j], d = (double)s[j];

            sum[j] += n * m + d;
            sq[j] += (double)t[j] + 2 * m * d + n * m * m;
        }
    }
}

/* A block a row: sum and sum of squares over the row's pixels and each group's channels. */
template <class T, int V>
__global__ void __launch_bounds__(THREADS)
    sums_kernel(double *part, const T *rows, int64_t ldx, int width, int channels, int groups)
{
    DYNAMIC_SHARED(double, all); /* [channels][2] */
    const int lanes = lanes_for<V>(channels), deep = THREADS / lanes;
    const int lane = threadIdx.x % lanes, start = threadIdx.x / lanes,
              wide_group = channels / groups;
    const T *x = rows + (int64_t)blockIdx.x * width * ldx;

    dep_launch();
    dep_wait();
    for (int c = threadIdx.x; c < 2 * channels; c += THREADS)
        all[c] = 0;
    for (int c0 = 0; c0 < channels; c0 += lanes * V) {
        const int c = c0 + lane * V;
        double sum[V] = {}, sq[V] = {};

        if (c < channels && start < deep) pixel_sums<T, V>(sum, sq, x + c, ldx, start, width, deep);
        for (int turn = 0; turn < deep; turn++) { /* one after another: the order is fixed */
            __syncthreads();
            if (turn == start && c < channels)
                for (int j = 0; j < V; j++) {
                    all[2 * (c + j)] += sum[j];
                    all[2 * (c + j) + 1] += sq[j];
                }
        }
    }
    __syncthreads();
    for (int g = threadIdx.x; g < groups; g += THREADS) {
        double sum = 0, sq = 0;

        for (int c = g * wide_group; c < (g + 1) * wide_group; c++) {
            sum += all[2 * c];
            sq += all[2 * c + 1];
        }
        part[2 * ((int64_t)blockIdx.x * groups + g)] = sum;
        part[2 * ((int64_t)blockIdx.x * groups + g) + 1] = sq;
    }
}

/* A block a group: scale and shift of its channels. */
__global__ void __launch_bounds__(THREADS)
    stats_kernel(float *scale, float *shift, const double *part, const float *w, const float *b,
                 int runs, int64_t pixels, int channels, int groups, float eps)
{
    __shared__ double real[32];
    const int g = blockIdx.x, wide_group = channels / groups;
    double sum = 0, sq = 0;

    dep_launch();
    dep_wait();
    for (int i = threadIdx.x; i < runs; i += THREADS) {
        sum += part[2 * ((int64_t)i * groups + g)];
        sq += part[2 * ((int64_t)i * groups + g) + 1];
    }
    const double n = (double)pixels * wide_group;
    const double mean = block_sum(sum, real) / n;
    double var = block_sum(sq, real) / n - mean * mean;
    var = var > 0 ? var : (var == var ? 0 : var);
    const double r = 1 / sqrt(var + (double)eps);
    for (int c = g * wide_group + threadIdx.x; c < (g + 1) * wide_group; c += THREADS) {
        scale[c] = (float)(r * (double)w[c]);
        shift[c] = (float)((double)b[c] - mean * r * (double)w[c]);
    }
}

template <class T, int V>
__global__ void apply_kernel(T *y, int64_t ldy, const T *x, int64_t ldx, const float *scale,
                             const float *shift, int64_t pixels, int channels, int act)
{
    /* counted in accesses of V values, of which there are fewer than 2^32: 32-bit division */
    const uint32_t i = blockIdx.x * THREADS + threadIdx.x, pieces = (uint32_t)channels / V;
    const int64_t p = i / pieces;
    const int c = (int)(i % pieces) * V;
    float v[V], a[V], b[V];

    dep_launch();
    dep_wait();
    if (p >= pixels) return;
    load<T, V>(v, x + p * ldx + c);
    load_floats<V>(a, scale + c);
    load_floats<V>(b, shift + c);
#pragma unroll
    for (int j = 0; j < V; j++)
        v[j] = activate(rnd<T>(fmaf(v[j], a[j], b[j])), act);
    store<T, V>(y + p * ldy + c, v);
}

template <class T>
static void norm_sums(const struct cu_queue *q, double *sums, const void *x, int64_t ldx, int rows,
                      int width, int channels, int groups)
{
    const int v = wide<T>::V;
    const size_t shared = sizeof(double) * 2 * (size_t)channels;

    if (channels % v == 0 && ldx % v == 0 && (uintptr_t)x % 16 == 0)
        launch(sums_kernel<T, wide<T>::V>, dim3(rows), dim3(THREADS), shared, q, sums, (const T *)x,
               ldx, width, channels, groups);
    else
        launch(sums_kernel<T, 1>, dim3(rows), dim3(THREADS), shared, q, sums, (const T *)x, ldx,
               width, channels, groups);
}

void cu_norm_sums(const struct cu_queue *q, int bf, double *sums, const void *x, int64_t ldx,
                  int rows, int width, int channels, int groups)
{
    if (bf)
        norm_sums<bf16>(q, sums, x, ldx, rows, width, channels, groups);
    else
        norm_sums<float>(q, sums, x, ldx, rows, width, channels, groups);
}

void cu_norm_fold(const struct cu_queue *q, float *scale, float *shift, const double *sums,
                  const float *w, const float *b, int rows, int width, int channels, int groups,
                  float eps)
{
    launch(stats_kernel, dim3(groups), dim3(THREADS), 0, q, scale, shift, sums, w, b, rows,
           (int64_t)rows * width, channels, groups, eps);
}

template <class T>
static void norm_act(const struct cu_queue *q, void *y, int64_t ldy, const void *x, int64_t ldx,
                     const float *scale, const float *shift, int64_t n, int channels, int act)
{
    const int v = wide<T>::V;

    if (channels % v == 0 && ldx % v == 0 && ldy % v == 0
        && ((uintptr_t)x | (uintptr_t)y | (uintptr_t)scale | (uintptr_t)shift) % 16 == 0)
        launch(apply_kernel<T, wide<T>::V>, dim3(blocks_for(n * channels / v, THREADS)),
               dim3(THREADS), 0, q, (T *)y, ldy, (const T *)x, ldx, scale, shift, n, channels, act);
    else
        launch(apply_kernel<T, 1>, dim3(blocks_for(n * channels, THREADS)), dim3(THREADS), 0, q,
               (T *)y, ldy, (const T *)x, ldx, scale, shift, n, channels, act);
}

void cu_norm_act(const struct cu_queue *q, int bf, void *y, int64_t ldy, const void *x, int64_t ldx,
                 const float *scale, const float *shift, int64_t n, int channels, int act)
{
    if (!n) return;
    if (bf)
        norm_act<bf16>(q, y, ldy, x, ldx, scale, shift, n, channels, act);
    else
        norm_act<float>(q, y, ldy, x, ldx, scale, shift, n, channels, act);
}
