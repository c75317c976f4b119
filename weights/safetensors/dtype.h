/* dtype - element types of safetensors files, and their conversion, one span at a time.
 *
 * Pure functions, any thread. */
#ifndef WEIGHTS_SAFETENSORS_DTYPE_H
#define WEIGHTS_SAFETENSORS_DTYPE_H

#include "proto/limits.h"

#include <stddef.h>
#include <stdint.h>

enum stored_dtype {
    DTYPE_F32,
    DTYPE_F16,
    DTYPE_BF16,
    DTYPE_F64,
    DTYPE_I64,
    DTYPE_I32,
    DTYPE_I16,
    DTYPE_I8,
    DTYPE_U8,
    DTYPE_BOOL,
    DTYPES
};

/* One tensor of a safetensors file. */
struct stored_tensor {
    const char *name;
    enum stored_dtype dtype;
    int nd;                         /* 0 (a scalar) to LIMIT_TENSOR_DIMS */
    int64_t dim[LIMIT_TENSOR_DIMS]; /* row-major; unused entries are 1 */
    int64_t count;                  /* product of dim */
    /* Into the mapped file, aligned only as far as the file is: read with dtype_to_* or memcpy. */
    const void *data;
    size_t bytes;     /* count * dtype_bytes(dtype) */
    const char *file; /* base name of its shard */
};

size_t dtype_bytes(enum stored_dtype);     /* bytes of one element */
const char *dtype_name(enum stored_dtype); /* "BF16", as files spell it */
/* "[4096,4096] F32" into buf; returns buf. */
const char *dtype_describe(const struct stored_tensor *, char *buf, size_t size);

/* Convert n elements from `first` on to float / to the integers; the source may be unaligned.
 * dtype_to_f32 and dtype_to_bf16 take F32, F16, BF16 and F64; dtype_to_i64 takes I64, I32, I16, I8,
 * U8 and BOOL. Another type, or a span past the end, is ERR_INTERNAL and writes nothing. */
int dtype_to_f32(const struct stored_tensor *, int64_t first, int64_t n, float *out);
int dtype_to_bf16(const struct stored_tensor *, int64_t first, int64_t n, uint16_t *out);
int dtype_to_i64(const struct stored_tensor *, int64_t first, int64_t n, int64_t *out);

/* Single values; f32 to bf16 rounds to nearest even, NaN stays a (quiet) NaN. */
float bf16_to_f32(uint16_t);
uint16_t f32_to_bf16(float);
float f16_to_f32(uint16_t);

#endif
