/* group_norm - latents, norms over whole pictures, and pixels.
 *
 * GroupNorm takes three launches: sums of every group over each row of the picture, one scale and one shift a
 * channel, one pass that applies them with the activation. Sums are taken around the row's first pixel, in
 * float over at most 64 pixels, then in double: they do not cancel, and depend neither on timing nor on
 * how many rows a launch is given. */
#include "kernels/cuda/kernel.cuh"

enum { THREADS = 256, PIXELS = 64 };

static int blocks_of(int64_t n)
{
    return (int)((n + THREADS - 1) / THREADS);
}

/* tokens[p][c*4 + dy*2 + dx] = latents[c][2py + dy][2px + dx] */
template <class T>
__global__ void patchify_kernel(T *tokens, int64_t ldt, const float *latents, int64_t ldl, int h,
                                int w)
{
    const int i = blockIdx.x * THREADS + threadIdx.x, c = blockIdx.y;
    dep_launch();
    dep_wait();
    if (i >= h * w) return;
    const int y = i / w, x = i % w;
    const int64_t p = (int64_t)(y / 2) * (w / 2) + x / 2;
    tokens[p * ldt + c * 4 + y % 2 * 2 + x % 2] = from_float<T>(latents[c * ldl + i]);
}

template <class T>
__global__ void unpatchify_kernel(float *latents, int64_t ldl, const T *tokens, int64_t ldt, int h,
                                  int w)
{
    const int i = blockIdx.x * THREADS + threadIdx.x, c = blockIdx.y;
    dep_launch();
    dep_wait();
    if (i >= h * w) return;
    const int y = i / w, x = i % w;
    const int64_t p = (int64_t)(y / 2) * (w / 2) + x / 2;
    latents[c * ldl + i] = to_float(tokens[p * ldt + c * 4 + y % 2 * 2 + x % 2]);
}

void cu_patchify(const struct cu_queue *q, int bf, void *tokens, int64_t ldt, const float *latents,
                 int64_t ldl, int channels, int h, int w)
{
    const dim3 grid(blocks_of(h * w), channels);
    if (bf)
        launch(patchify_kernel<bf16>, grid, dim3(THREADS), 0, q, (bf16 *)tokens, ldt, latents, ldl,
               h, w);
    else
        launch(patchify_kernel<float>, grid, dim3(THREADS), 0, q, (float *)tokens, ldt, latents,
               ldl, h, w);
}

void cu_unpatchify(const struct cu_queue *q, int bf, float *latents, int64_t ldl,
                   const void *tokens, int64_t ldt, int channels, int h, int w)
{
    const dim3 grid(blocks_of(h * w), channels);
    if (bf)
        launch(unpatchify_kernel<bf16>, grid, dim3(THREADS), 0, q, latents, ldl,
               (const bf16 *)tokens, ldt, h, w);
    else
        launch(unpatchify_kernel<float>, grid, dim3(THREADS), 0, q, latents, ldl,
               (const float *)tokens, ldt, h, w);
}

__global__ void euler_kernel(const struct cu_euler e)
{
    const int i = blockIdx.x * THREADS + threadIdx.x, r = blockIdx.y;
    dep_launch();
    dep_wait();
    if (i >= e.cols) return;
    float v = e.vc[r * e.ldvc + i], *x = e.x + r * e.ldx + i;
    if (e.vu) {
        const float u = e.vu[r * e.ldvu + i];
        v = u + e.guidance * (v - u);
    }
    if (e.clean) e.clean[r * e.ldclean + i] = *x - e.sigma * v;
    *x += e.dsigma * v;
}

void cu_euler(const struct cu_queue *q, const struct cu_euler *e)
{
    launch(euler_kernel, dim3(blocks_of(e->cols), e->rows), dim3(THREADS), 0, q, *e);
}

/* A thread a pixel and channel, channels fastest: stores are coalesced, the few latents are in the cache. */
template <class T>
__global__ void denorm_kernel(T *z, int64_t ldz, const float *x, int64_t ldx, const float *mean,
                              const float *std, int pixels, int channels)
{
    const int64_t i = (int64_t)blockIdx.x * THREADS + threadIdx.x;
    const int c = (int)(i % channels);
    const int64_t p = i / channels;
    dep_launch();
    dep_wait();
    if (p >= pixels) return;
    z[p * ldz + c] = from_float<T>(rnd<T>(rnd<T>(x[c * ldx + p]) * std[c]) + mean[c]);
}

void cu_denorm(const struct cu_queue *q, int bf, void *z, int64_t ldz, const float *x, int64_t ldx,
               const float *mean, const float *std, int pixels, int channels)
{
    const dim3 grid(blocks_of((int64_t)pixels * channels));
    if (bf)
        launch(denorm_kernel<bf16>, grid, dim3(THREADS), 0, q, (bf16 *)z, ldz, x, ldx, mean, std,
               pixels, channels);
    else
        launch(denorm_kernel<float>, grid, dim3(THREADS), 0, q, (float *)z, ldz, x, ldx, mean, std,
               pixels, channels);
}

/* -- GroupNorm -------------------------------------------------------------------------------------- */

/* Threads of a block that share a pixel, each with V channels; the rest of the block takes other pixels. */
template <int V> static __host__ __device__ int lanes_for(int channels)
{
    const int n = (channels + V - 1) / V;
    return n < THREADS ? n : THREADS;
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
    float v[V], pivot[V];
    dep_launch();
    dep_wait();
    for (int c = threadIdx.x; c < 2 * channels; c += THREADS)
        all[c] = 0;
    for (int c0 = 0; c0 < channels; c0 += lanes * V) {
        const int c = c0 + lane * V;
        double sum[V] = {}, sq[V] = {};
        if (c < channels && start < deep) {
            load<T, V>(pivot, x + c);
            for (int p = start; p < width; p += deep * PIXELS) {
                float s[V] = {}, t[V] = {};
                const int left = (width - p + deep - 1) / deep, n = left < PIXELS ? left : PIXELS;
#pragma unroll 4
                for (int i = 0; i < n; i++) {
                    load<T, V>(v, x + (p + i * deep) * ldx + c);
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
    const int64_t i = ((int64_t)blockIdx.x * THREADS + threadIdx.x) * V;
    const int64_t p = i / channels;
    const int c = (int)(i % channels);
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
        launch(apply_kernel<T, wide<T>::V>, dim3(blocks_of(n * channels / v)), dim3(THREADS), 0, q,
               (T *)y, ldy, (const T *)x, ldx, scale, shift, n, channels, act);
    else
        launch(apply_kernel<T, 1>, dim3(blocks_of(n * channels)), dim3(THREADS), 0, q, (T *)y, ldy,
               (const T *)x, ldx, scale, shift, n, channels, act);
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

/* -- pixels ------------------------------------------------------------------------------------------ */

template <class T> __global__ void rgb_kernel(uint8_t *rgb, const T *x, int64_t ldx, int pixels)
{
    const int64_t i = (int64_t)blockIdx.x * THREADS + threadIdx.x;
    dep_launch();
    dep_wait();
    if (i >= (int64_t)pixels * 3) return;
    float v = to_float(x[i / 3 * ldx + i % 3]);
    v = rnd<T>(rnd<T>(v * 0.5f) + 0.5f);
    v = v > 0.0f ? v : 0.0f; /* NaN is black */
    v = v < 1.0f ? v : 1.0f;
    rgb[i] = (uint8_t)__float2int_rn(v * 255.0f);
}

void cu_to_rgb8(const struct cu_queue *q, int bf, uint8_t *rgb, const void *x, int64_t ldx,
                int pixels)
{
    const dim3 grid(blocks_of((int64_t)pixels * 3));
    if (bf)
        launch(rgb_kernel<bf16>, grid, dim3(THREADS), 0, q, rgb, (const bf16 *)x, ldx, pixels);
    else
        launch(rgb_kernel<float>, grid, dim3(THREADS), 0, q, rgb, (const float *)x, ldx, pixels);
}

__global__ void latent_kernel(uint8_t *rgb, const float *latents, int64_t ldl, const float *map,
                              int64_t ldm, int pixels, int channels)
{
    const int p = blockIdx.x * THREADS + threadIdx.x;
    dep_launch();
    dep_wait();
    if (p >= pixels) return;
    float v[3] = {map[channels], map[ldm + channels], map[2 * ldm + channels]};
    for (int c = 0; c < channels; c++) {
        const float l = latents[c * ldl + p];
        for (int o = 0; o < 3; o++)
            v[o] += map[o * ldm + c] * l;
    }
    for (int o = 0; o < 3; o++) {
        const float u = v[o] > 0.0f ? v[o] : 0.0f;
        rgb[p * 3 + o] = (uint8_t)__float2int_rn(u < 255.0f ? u : 255.0f);
    }
}

void cu_latent_rgb(const struct cu_queue *q, uint8_t *rgb, const float *latents, int64_t ldl,
                   const float *map, int64_t ldm, int pixels, int channels)
{
    launch(latent_kernel, dim3(blocks_of(pixels)), dim3(THREADS), 0, q, rgb, latents, ldl, map, ldm,
           pixels, channels);
}

/* -- random weights for measurements ---------------------------------------------------------------------- */

template <class T> __global__ void noise_kernel(T *y, size_t n, float scale, uint64_t seed)
{
    const size_t step = (size_t)gridDim.x * THREADS;
    dep_launch();
    dep_wait();
    for (size_t i = (size_t)blockIdx.x * THREADS + threadIdx.x; i < n; i += step) {
        uint64_t z = seed + (i + 1) * 0x9e3779b97f4a7c15u; /* splitmix64 */
        z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
        z = (z ^ z >> 27) * 0x94d049bb133111ebu;
        y[i] = from_float<T>(scale * ((float)(uint32_t)((z ^ z >> 31) >> 40) * 0x1p-23f - 1.0f));
    }
}

void cu_noise(const struct cu_queue *q, int bf, void *y, size_t n, float scale, uint64_t seed)
{
    const size_t blocks = (n + THREADS - 1) / THREADS;
    const dim3 grid((unsigned)(blocks < 4096 ? blocks ? blocks : 1 : 4096));
    if (bf)
        launch(noise_kernel<bf16>, grid, dim3(THREADS), 0, q, (bf16 *)y, n, scale, seed);
    else
        launch(noise_kernel<float>, grid, dim3(THREADS), 0, q, (float *)y, n, scale, seed);
}
