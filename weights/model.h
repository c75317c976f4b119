/* model - a model folder, completely opened and checked before anything runs.
 *
 * config + shards + manifest + tokenizer. Immutable after model_open; any thread may read.
 * Folders: vision_language_encoder, text_encoder, transformer, vae, processor, scheduler. */
#ifndef WEIGHTS_MODEL_H
#define WEIGHTS_MODEL_H

#include "weights/config.h"
#include "weights/safetensors/safetensors.h"
#include "weights/tokenizer/bpe.h"

#include <stdint.h>
#include <stdio.h>

struct model {
    struct model_config cfg;
    struct safetensors *part[PARTS];
    struct bpe *bpe;
    int64_t params, bytes; /* of the tensors that the model uses, as stored */
    unsigned absent; /* model_open_sizes: bit `part` for weights, bit PARTS for the tokenizer */
    /* A part's file image of zeros, when its weights are absent. */
    struct zeros {
        void *image;
        size_t bytes;
    } zeros[PARTS];
};

/* Open everything, check every tensor's name, shape and dtype, that the tokenizer has the special
 * tokens with the ids of the configuration and no id past the embedding. Maps files, copies
 * nothing. On failure *m is zeroed and `fail` has the first problem and their number. */
int model_open(struct model *m, const char *dir, struct fail *);
/* For plans, from the configuration alone. Missing weights (or a pointer of git-lfs) are replaced
 * by zeros of the manifest's shapes in bf16, which take address space and no memory; without a
 * tokenizer m->bpe is NULL (see prompt.h). Files that exist are checked as by model_open. */
int model_open_sizes(struct model *m, const char *dir, struct fail *);
void model_close(struct model *m);

/* A tensor that the manifest guarantees; asking for another name is a bug (asserts). The glyph
 * encoder's "shared.weight" also finds its alias. Takes a printf format:
 *   model_tensor(m, PART_DIT, "transformer_blocks.%d.attn1.to_q.weight", i) */
const struct stored_tensor *model_tensor(const struct model *m, enum part, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* `darkroom check --model DIR`: print the folder's parts, tensors, bytes, dtypes and sizes, or the
 * first ten problems. Returns the exit status: 0 usable, 1 not. */
int model_check(const char *dir, FILE *out);

#endif
