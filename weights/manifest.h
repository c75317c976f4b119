/* manifest - the tensors that a model of this topology has, by part, name and shape.
 *
 * Built from the configuration alone, so the same code binds the released model (1,853 tensors,
 * 17,664,886,627 parameters) and any smaller folder. Code that uses the tensors does not check
 * shapes again. */
#ifndef WEIGHTS_MANIFEST_H
#define WEIGHTS_MANIFEST_H

#include "weights/config.h"
#include "weights/safetensors/safetensors.h"

#include <stddef.h>
#include <stdint.h>

#define MANIFEST_NAME_MAX 96
#define MANIFEST_PROBLEMS 10                            /* sentences kept; all are counted */
#define MANIFEST_ALIAS    "encoder.embed_tokens.weight" /* the glyph encoder's shared.weight */

struct manifest_tensor {
    enum part part;
    int nd;
    int64_t dim[LIMIT_TENSOR_DIMS];
    char name[MANIFEST_NAME_MAX];
};

struct manifest {
    struct manifest_tensor *tensor; /* grouped by part, in the order of enum part */
    size_t n;
    size_t part_n[PARTS];
    int64_t part_params[PARTS];
};

/* ERR_OUT_OF_MEMORY only. */
int manifest_build(struct manifest *, const struct model_config *, struct fail *);
void manifest_free(struct manifest *);

/* Differences, one sentence each with part, tensor, file, expected and found. */
struct manifest_report {
    size_t problems; /* missing, wrong shape, wrong dtype */
    size_t warnings; /* tensors that the model does not use (listed after problems while room) */
    char line[MANIFEST_PROBLEMS][320];
    size_t lines;
};

/* A part's tensor by its name in the manifest, also under its alias; NULL when it is missing. */
const struct stored_tensor *manifest_find(const struct safetensors *, enum part, const char *name);

/* Compare with the opened parts. A part that is NULL is skipped.
 * Weights must be F32, F16 or BF16. `encoder.embed_tokens.weight` is accepted as an alias of the
 * glyph encoder's `shared.weight` (either name or both). Returns 0, or ERR_MODEL when
 * report->problems > 0. */
int manifest_check(const struct manifest *, const struct safetensors *const part[PARTS],
                   struct manifest_report *);

#endif
