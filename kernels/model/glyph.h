/* glyph - the ByT5 encoder of the quoted texts: bytes to rows that the DiT reads as its text
 * stream.
 *
 * Pre-norm T5 blocks with gated tanh GELU, no biases, unscaled attention with one relative bias
 * table that all layers share, every text for itself. Source: T5EncoderModel, GLM-Image
 * pipeline. */
#ifndef KERNELS_MODEL_GLYPH_H
#define KERNELS_MODEL_GLYPH_H

#include "kernels/model/bind.h"
#include "kernels/model/graph.h"
#include "weights/tokenizer/byt5.h"

struct glyph_layer {
    int group;
    const struct weight *norm1, *norm2; /* [width] */
    const struct weight *qkv;           /* [3 inner, width], inner = heads * head_dim */
    const struct weight *out;           /* [width, inner] */
    const struct weight *wi;            /* [2 ffn, width]: gate | up */
    const struct weight *wo;            /* [width, ffn] */
};

struct glyph {
    const struct glyph_config *cfg;
    const struct weight *table; /* [vocab, width] */
    struct glyph_layer layer[LIMIT_LAYERS];
    const struct weight *norm;              /* [width] */
    int first, last;                        /* groups of the table and of the norm */
    const struct stored_tensor *bias_table; /* [buckets, heads] in the files */
    tensor bias;                            /* f32 [heads, 2 GLYPH_SPAN - 1], see ops.h attn.bias */
};

/* Longest text: tokens with end id, one parity pad. */
enum { GLYPH_SPAN = LIMIT_GLYPH_TOKENS + 1 };

/* Bucket of the distance d = key - query, bidirectional, each step in float as the reference. */
int glyph_bucket(const struct glyph_config *, int d);

void glyph_bind(struct glyph *, struct bind *, const struct glyph_config *);

/* The bias table lives in model memory: its size, then its contents (allocates on the host). */
void glyph_place(struct glyph *, struct arena *);
int glyph_fill(struct glyph *, struct dev *, struct fail *);

/* rows [L, width] = the texts of `ids`, one after another. `name` for traces ("glyph"): under a
 * tap, texts are padded to the longest, as the reference does, with the same
 * result. */
void glyph_encode(const struct graph *, const struct glyph *, const struct byt5 *ids, tensor rows,
                  const char *name);

#endif
