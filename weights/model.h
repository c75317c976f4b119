/* model - a model folder, opened and verified whole before anything runs.
 *
 * config + shards + manifest + tokenizer. Immutable after model_open; any thread may read.
 * Folders: vision_language_encoder, text_encoder, transformer, vae, processor, scheduler. */
#ifndef WEIGHTS_MODEL_H
#define WEIGHTS_MODEL_H

#include "weights/bpe.h"
#include "weights/config.h"
#include "weights/safetensors.h"

#include <stdint.h>
#include <stdio.h>

struct model {
    struct model_config cfg;
    struct safetensors *part[PARTS];
    struct bpe *bpe;
    int64_t params, bytes; /* of the tensors that the model uses, as stored */
};

/* Open everything, check every tensor's name, shape and dtype, that the tokenizer has the special
 * tokens with the ids of the configuration and no id past the embedding. Maps files, copies nothing.
 * On failure *m is zeroed and `fail` says the first problem and how many there are. */
int model_open(struct model *m, const char *dir, struct fail *);
void model_close(struct model *m);

/* A tensor that the manifest guarantees; asking for another name is a bug (asserts). The glyph
 * encoder's "shared.weight" also finds its alias. printf-like, so that layers read well:
 *   model_tensor(m, PART_DIT, "transformer_blocks.%d.attn1.to_q.weight", i) */
const struct st_tensor *model_tensor(const struct model *m, enum part, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* `darkroom check --model DIR`: print what the folder holds (parts, tensors, bytes, dtypes, sizes), or the first
 * ten things wrong. Returns the exit status: 0 good, 1 not. */
int model_check(const char *dir, FILE *out);

#endif
