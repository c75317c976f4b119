/* half - 16-bit floats of model files as floats, and floats as bfloat16 (round to nearest even). */
#ifndef KERNELS_CPU_HALF_H
#define KERNELS_CPU_HALF_H

#include "weights/safetensors/dtype.h"

#include <stdint.h>
#include <string.h>

static inline uint16_t half_bits(float f)
{
    uint32_t u;

    memcpy(&u, &f, sizeof u);
    if ((u & 0x7fffffffu) > 0x7f800000u) return (uint16_t)((u >> 16) | 0x40u);
    return (uint16_t)((u + 0x7fffu + ((u >> 16) & 1u)) >> 16);
}

static inline float half_float(uint16_t b)
{
    uint32_t u = (uint32_t)b << 16;
    float f;

    memcpy(&f, &u, sizeof f);
    return f;
}

/* The nearest bfloat16. */
static inline float half_round(float f)
{
    return half_float(half_bits(f));
}

static inline float half_f16(uint16_t h)
{
    uint32_t sign = (uint32_t)(h & 0x8000u) << 16, e = h >> 10 & 31u, m = h & 0x3ffu, u;
    float f;

    if (e == 0) { /* zero and subnormal: m 2^-24 */
        f = (float)m * 0x1p-24f;
        return sign ? -f : f;
    }
    u = sign | (e == 31 ? 0x7f800000u : (e + 112) << 23) | m << 13;
    memcpy(&f, &u, sizeof f);
    return f;
}

/* n elements from element `at` of an array of enum stored_dtype F32, F16 or BF16, aligned or
 * not. */
static inline void half_read(float *y, const void *data, int type, int64_t at, int64_t n)
{
    if (type == DTYPE_F32) {
        memcpy(y, (const char *)data + at * 4, (size_t)n * 4);
        return;
    }
    for (int64_t i = 0; i < n; i++) {
        uint16_t b;

        memcpy(&b, (const char *)data + (at + i) * 2, sizeof b);
        y[i] = type == DTYPE_F16 ? half_f16(b) : half_float(b);
    }
}

#endif
