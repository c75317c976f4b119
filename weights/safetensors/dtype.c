/* dtype - element types of safetensors and their conversion, one span at a time. */
#include "weights/safetensors/dtype.h"

#include "proto/fail.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    size_t size;
} types[DTYPES] = {
    [DTYPE_F32] = {"F32", 4},   [DTYPE_F16] = {"F16", 2}, [DTYPE_BF16] = {"BF16", 2},
    [DTYPE_F64] = {"F64", 8},   [DTYPE_I64] = {"I64", 8}, [DTYPE_I32] = {"I32", 4},
    [DTYPE_I16] = {"I16", 2},   [DTYPE_I8] = {"I8", 1},   [DTYPE_U8] = {"U8", 1},
    [DTYPE_BOOL] = {"BOOL", 1},
};

size_t dtype_bytes(enum stored_dtype t)
{
    assert(t < DTYPES);
    return types[t].size;
}

const char *dtype_name(enum stored_dtype t)
{
    assert(t < DTYPES);
    return types[t].name;
}

const char *dtype_describe(const struct stored_tensor *t, char *buf, size_t size)
{
    size_t n = 0;

    for (int i = 0; i < t->nd && n < size; i++)
        n += (size_t)snprintf(buf + n, size - n, "%s%" PRId64, i ? "," : "[", t->dim[i]);
    if (n < size) snprintf(buf + n, size - n, "%s %s", t->nd ? "]" : "[]", dtype_name(t->dtype));
    return buf;
}

float bf16_to_f32(uint16_t h)
{
    uint32_t u = (uint32_t)h << 16;
    float f;

    memcpy(&f, &u, sizeof f);
    return f;
}

uint16_t f32_to_bf16(float f)
{
    uint32_t u;

    memcpy(&u, &f, sizeof u);
    if ((u & 0x7fffffff) > 0x7f800000) return (uint16_t)(u >> 16 | 0x40); /* quiet the NaN */
    return (uint16_t)((u + 0x7fff + (u >> 16 & 1)) >> 16);
}

float f16_to_f32(uint16_t h)
{
    uint32_t sign = (uint32_t)(h & 0x8000) << 16, exp = h >> 10 & 31, man = h & 0x3ff, u;
    float f;

    if (exp == 31) {
        u = sign | 0x7f800000 | man << 13;
    } else if (exp) {
        u = sign | (exp + 112) << 23 | man << 13;
    } else { /* zero or subnormal: man * 2^-24 is exact in f32 */
        f = (float)man * 0x1p-24f;
        memcpy(&u, &f, sizeof u);
        u |= sign;
    }
    memcpy(&f, &u, sizeof f);
    return f;
}

/* The first byte of the span, or NULL when it is not inside the tensor. */
static const unsigned char *span(const struct stored_tensor *t, int64_t first, int64_t n)
{
    if (first < 0 || n < 0 || first > t->count || n > t->count - first) return NULL;
    return (const unsigned char *)t->data + (size_t)first * dtype_bytes(t->dtype);
}

/* Unaligned loads; each compiles to one instruction. */
static uint16_t load16(const unsigned char *p, int64_t i)
{
    uint16_t v;

    memcpy(&v, p + 2 * i, sizeof v);
    return v;
}

static float load32(const unsigned char *p, int64_t i)
{
    float v;

    memcpy(&v, p + 4 * i, sizeof v);
    return v;
}

static double load64(const unsigned char *p, int64_t i)
{
    double v;

    memcpy(&v, p + 8 * i, sizeof v);
    return v;
}

int dtype_to_f32(const struct stored_tensor *t, int64_t first, int64_t n, float *out)
{
    const unsigned char *p = span(t, first, n);

    if (!p) return ERR_INTERNAL;
    switch (t->dtype) {
    case DTYPE_F32: memcpy(out, p, (size_t)n * sizeof *out); return 0;
    case DTYPE_BF16:
        for (int64_t i = 0; i < n; i++)
            out[i] = bf16_to_f32(load16(p, i));
        return 0;
    case DTYPE_F16:
        for (int64_t i = 0; i < n; i++)
            out[i] = f16_to_f32(load16(p, i));
        return 0;
    case DTYPE_F64:
        for (int64_t i = 0; i < n; i++)
            out[i] = (float)load64(p, i);
        return 0;
    default: return ERR_INTERNAL;
    }
}

int dtype_to_bf16(const struct stored_tensor *t, int64_t first, int64_t n, uint16_t *out)
{
    const unsigned char *p = span(t, first, n);

    if (!p) return ERR_INTERNAL;
    switch (t->dtype) {
    case DTYPE_BF16: memcpy(out, p, (size_t)n * sizeof *out); return 0;
    case DTYPE_F32:
        for (int64_t i = 0; i < n; i++)
            out[i] = f32_to_bf16(load32(p, i));
        return 0;
    case DTYPE_F16:
        for (int64_t i = 0; i < n; i++)
            out[i] = f32_to_bf16(f16_to_f32(load16(p, i)));
        return 0;
    case DTYPE_F64:
        for (int64_t i = 0; i < n; i++)
            out[i] = f32_to_bf16((float)load64(p, i));
        return 0;
    default: return ERR_INTERNAL;
    }
}

static int64_t load_int(enum stored_dtype t, const unsigned char *p, int64_t i)
{
    int64_t v64;
    int32_t v32;

    switch (t) {
    case DTYPE_I64: memcpy(&v64, p + 8 * i, sizeof v64); return v64;
    case DTYPE_I32: memcpy(&v32, p + 4 * i, sizeof v32); return v32;
    case DTYPE_I16: return (int16_t)load16(p, i);
    case DTYPE_I8: return (int8_t)p[i];
    default: return p[i];
    }
}

int dtype_to_i64(const struct stored_tensor *t, int64_t first, int64_t n, int64_t *out)
{
    const unsigned char *p = span(t, first, n);

    if (!p || t->dtype < DTYPE_I64) return ERR_INTERNAL;
    for (int64_t i = 0; i < n; i++)
        out[i] = load_int(t->dtype, p, i);
    return 0;
}
