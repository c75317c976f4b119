/* latents - latents to tokens and back, a step of the flow, latents as the decoder reads them. */
#include "kernels/cuda/kernel.cuh"

enum { THREADS = 256 };

/* Where value i of channel c of a latent w wide is among the tokens: tokens[p][c*4 + dy*2 + dx] is
 * latents[c][2py + dy][2px + dx]. */
static __device__ __forceinline__ int64_t token_at(int64_t ldt, int c, int i, int w)
{
    const int y = i / w, x = i % w;
    const int64_t p = (int64_t)(y / 2) * (w / 2) + x / 2;

    return p * ldt + c * 4 + y % 2 * 2 + x % 2;
}

template <class T>
__global__ void patchify_kernel(T *tokens, int64_t ldt, const float *latents, int64_t ldl, int h,
                                int w)
{
    const int i = blockIdx.x * THREADS + threadIdx.x, c = blockIdx.y;

    dep_launch();
    dep_wait();
    if (i >= h * w) return;
    tokens[token_at(ldt, c, i, w)] = from_float<T>(latents[c * ldl + i]);
}

template <class T>
__global__ void unpatchify_kernel(float *latents, int64_t ldl, const T *tokens, int64_t ldt, int h,
                                  int w)
{
    const int i = blockIdx.x * THREADS + threadIdx.x, c = blockIdx.y;

    dep_launch();
    dep_wait();
    if (i >= h * w) return;
    latents[c * ldl + i] = to_float(tokens[token_at(ldt, c, i, w)]);
}

void cu_patchify(const struct cu_queue *q, int bf, void *tokens, int64_t ldt, const float *latents,
                 int64_t ldl, int channels, int h, int w)
{
    const dim3 grid(blocks_for(h * w, THREADS), channels);

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
    const dim3 grid(blocks_for(h * w, THREADS), channels);

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
    launch(euler_kernel, dim3(blocks_for(e->cols, THREADS), e->rows), dim3(THREADS), 0, q, *e);
}

/* A thread a pixel and channel, channels fastest: stores are coalesced, latents come from the
 * cache. */
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
    const dim3 grid(blocks_for((int64_t)pixels * channels, THREADS));

    if (bf)
        launch(denorm_kernel<bf16>, grid, dim3(THREADS), 0, q, (bf16 *)z, ldz, x, ldx, mean, std,
               pixels, channels);
    else
        launch(denorm_kernel<float>, grid, dim3(THREADS), 0, q, (float *)z, ldz, x, ldx, mean, std,
               pixels, channels);
}
