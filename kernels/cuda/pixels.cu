/* pixels - the decoder's picture in 8 bits, and previews straight from latents. */
#include "kernels/cuda/kernel.cuh"

enum { THREADS = 256 };

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
    const dim3 grid(blocks_for((int64_t)pixels * 3, THREADS));

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
    launch(latent_kernel, dim3(blocks_for(pixels, THREADS)), dim3(THREADS), 0, q, rgb, latents, ldl,
           map, ldm, pixels, channels);
}
