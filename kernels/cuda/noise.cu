/* noise - pseudo-random values made on the device, for measurements. */
#include "kernels/cuda/kernel.cuh"

enum { THREADS = 256 };

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
