/* safetensors_write - write named tensors to one file that torch's safetensors reads. */
#ifndef WEIGHTS_SAFETENSORS_SAFETENSORS_WRITE_H
#define WEIGHTS_SAFETENSORS_SAFETENSORS_WRITE_H

#include "weights/safetensors/dtype.h"

#include "proto/fail.h"

/* A tensor to write. `data` is count * dtype_bytes(dtype) bytes in row-major order. */
struct safetensors_entry {
    const char *name;
    enum stored_dtype dtype;
    int nd;
    int64_t dim[LIMIT_TENSOR_DIMS];
    const void *data;
};

/* Write a file as torch's safetensors reads it: data sorted by falling element size, then name, the
 * header padded to 8 bytes. `meta` is n_meta pairs key, value. Written under a temporary name and
 * renamed when complete. ERR_IO names the path; a name given twice is ERR_INTERNAL. */
int safetensors_write(const char *path, const struct safetensors_entry *, size_t n,
                      const char *const (*meta)[2], size_t n_meta, struct fail *);

#endif
