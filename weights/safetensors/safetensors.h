/* safetensors - one model part's shards, mapped read-only, every offset checked; and a writer.
 *
 * A file is: u64 header length (little endian), a JSON object name -> {dtype, shape, data_offsets},
 * the data. Opening checks everything a reader could trip over: header length and JSON, known
 * dtypes, at most LIMIT_TENSOR_DIMS dimensions, products without overflow, bytes equal to shape
 * times dtype, tensors that neither overlap nor leave holes nor trailing bytes, no name twice in
 * one file or across shards, and for a sharded part an index whose every entry exists in the shard
 * that it names (a file name without a folder) and no tensor that the index lacks.
 * All failures are ERR_MODEL (ERR_OUT_OF_MEMORY aside), naming file and tensor.
 * The handle is immutable after opening: any thread may read. Pages come in from the disk as they are touched.
 * Source: the format's README in huggingface/safetensors. */
#ifndef WEIGHTS_SAFETENSORS_SAFETENSORS_H
#define WEIGHTS_SAFETENSORS_SAFETENSORS_H

#include "proto/fail.h"
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

struct stored_tensor {
    const char *name;
    enum stored_dtype dtype;
    int nd;                         /* 0 (a scalar) to LIMIT_TENSOR_DIMS */
    int64_t dim[LIMIT_TENSOR_DIMS]; /* row-major; unused entries are 1 */
    int64_t count;                  /* product of dim */
    const void
        *data; /* into the map; aligned only as far as the file is: read by dtype_to_* or memcpy */
    size_t bytes;     /* count * dtype_bytes(dtype) */
    const char *file; /* base name of its shard */
};

struct safetensors;

/* Open one file. */
int safetensors_open(struct safetensors **out, const char *path, struct fail *);

/* The same for a file image in memory, which must outlive the handle; `name` is for messages. */
int safetensors_open_memory(struct safetensors **out, const void *bytes, size_t size,
                            const char *name, struct fail *);

/* Open a part's folder: `stem`.safetensors.index.json, else `stem`.safetensors, else the only index,
 * else the only *.safetensors in it. */
int safetensors_open_part(struct safetensors **out, const char *dir, const char *stem,
                          struct fail *);
void safetensors_close(struct safetensors *); /* NULL is fine; all stored_tensor die with it */

size_t safetensors_count(const struct safetensors *);
size_t safetensors_files(const struct safetensors *);
/* i < count; sorted by name. */
const struct stored_tensor *safetensors_at(const struct safetensors *, size_t i);
/* NULL when there is none of that name. */
const struct stored_tensor *safetensors_find(const struct safetensors *, const char *name);
/* A `__metadata__` string of the first file, NULL when absent; borrowed. */
const char *safetensors_meta(const struct safetensors *, const char *key);

size_t dtype_bytes(enum stored_dtype);     /* bytes of one element */
const char *dtype_name(enum stored_dtype); /* "BF16", as files spell it */
/* "[4096,4096] F32" into buf; returns buf. */
const char *dtype_describe(const struct stored_tensor *, char *buf, size_t size);

/* Convert n elements from `first` on to float / to the integers; the source may be unaligned.
 * dtype_to_f32 and dtype_to_bf16 take F32, F16, BF16 and F64; dtype_to_i64 takes I64, I32, I16, I8, U8, BOOL.
 * Anything else, or a span past the end, is ERR_INTERNAL and writes nothing. */
int dtype_to_f32(const struct stored_tensor *, int64_t first, int64_t n, float *out);
int dtype_to_bf16(const struct stored_tensor *, int64_t first, int64_t n, uint16_t *out);
int dtype_to_i64(const struct stored_tensor *, int64_t first, int64_t n, int64_t *out);

/* Single values; f32 to bf16 rounds to nearest even, NaN stays a (quiet) NaN. */
float bf16_to_f32(uint16_t);
uint16_t f32_to_bf16(float);
float f16_to_f32(uint16_t);

/* What safetensors_write stores. `data` is count * dtype_bytes(dtype) bytes in row-major order. */
struct safetensors_entry {
    const char *name;
    enum stored_dtype dtype;
    int nd;
    int64_t dim[LIMIT_TENSOR_DIMS];
    const void *data;
};

/* Write a file as torch's safetensors reads it: data sorted by falling element size, then name, the
 * header padded to 8 bytes. `meta` is n_meta pairs key, value. Goes to a temporary name first and is
 * renamed when complete. ERR_IO names the path; a name given twice is ERR_INTERNAL. */
int safetensors_write(const char *path, const struct safetensors_entry *, size_t n,
                      const char *const (*meta)[2], size_t n_meta, struct fail *);

#endif
