/* safetensors - one model part's shards, in memory or mapped read-only, every offset checked.
 *
 * A file is: u64 header length (little endian), a JSON object name -> {dtype, shape, data_offsets},
 * the data. Opening checks everything that a reader relies on: header length and JSON, known
 * dtypes, at most LIMIT_TENSOR_DIMS dimensions, products without overflow, bytes equal to shape
 * times dtype, tensors that neither overlap nor leave holes nor trailing bytes, no name twice in
 * one file or across shards, and for a sharded part an index whose every entry exists in the shard
 * that it names (a file name without a folder) and no tensor that the index lacks.
 * All failures are ERR_MODEL (ERR_OUT_OF_MEMORY aside), naming file and tensor.
 * The handle is immutable after opening: any thread may read. Files up to 64 MiB are read into
 * memory. Larger ones are mapped, so that their pages are read from the disk when they are first
 * used; such a file must not be cut short meanwhile (SIGBUS): replace it by renaming another.
 * Source: the format's README in huggingface/safetensors. */
#ifndef WEIGHTS_SAFETENSORS_SAFETENSORS_H
#define WEIGHTS_SAFETENSORS_SAFETENSORS_H

#include "weights/safetensors/dtype.h"

#include "proto/fail.h"

#include <stddef.h>

struct safetensors;

/* Open one file. */
int safetensors_open(struct safetensors **out, const char *path, struct fail *);

/* The same for a file image in memory, which must outlive the handle; `name` is for messages. */
int safetensors_open_memory(struct safetensors **out, const void *bytes, size_t size,
                            const char *name, struct fail *);

/* Open a part's folder: `stem`.safetensors.index.json, else `stem`.safetensors, else the only
 * index, else the only *.safetensors in it. */
int safetensors_open_part(struct safetensors **out, const char *dir, const char *stem,
                          struct fail *);
void safetensors_close(struct safetensors *); /* NULL is fine; its tensors become invalid */

size_t safetensors_count(const struct safetensors *);
size_t safetensors_files(const struct safetensors *);
/* i < count; sorted by name. */
const struct stored_tensor *safetensors_at(const struct safetensors *, size_t i);
/* NULL when there is none of that name. */
const struct stored_tensor *safetensors_find(const struct safetensors *, const char *name);
/* A `__metadata__` string of the first file, NULL when absent; borrowed. */
const char *safetensors_meta(const struct safetensors *, const char *key);

#endif
