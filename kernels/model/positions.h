/* positions - where tokens and patches stand: M-RoPE triples and the rotation tables made of them.
 *
 * Host arithmetic, done once per picture. Source: GLM-Image modelling code (get_rope_index, the
 * rotary embeddings of the text model and of the transformer). Thread: any. */
#ifndef KERNELS_MODEL_POSITIONS_H
#define KERNELS_MODEL_POSITIONS_H

#include "weights/config.h"
#include "weights/tokenizer/prompt.h"

#include <stdint.h>

/* Temporal, row and column position of one token. */
struct position {
    int32_t t, h, w;
};

/* The prompt's n ids: a word stands at (p, p, p), p += 1; the cells of a condition image, ids
 * `image`, at (p, p + r, p + c), p += max(rows, cols) after them. Fills out[0 .. n) and returns p
 * after the last. */
int positions_prompt(struct position *out, const int32_t *ids, int n, int32_t image,
                     const struct grid *grid, int grids);

/* The sampled tokens: first the preview grid from `start` on in raster order, then the large grid
 * `max(rows, cols)` further, then one end position. Fills out[0 .. preview + large + 1). */
void positions_samples(struct position *out, int start, struct grid preview, struct grid large);

/* The prior's table, f32 [n, rotary]: cos (rotary/2), then sin, of n positions. Block b of
 * ar->section turns with axis b mod 3. `round` rounds both to bf16, as the reference does there. */
void positions_prior_table(float *out, const struct ar_config *, const struct position *, int n,
                           int round);

/* The DiT's table, f32 [rows*cols, head_dim]: cos (head_dim/2), then sin. The first quarter of the
 * head's pairs turns with the patch's row, the second with its column. */
void positions_patch_table(float *out, int head_dim, int rows, int cols);
/* Its rows first .. first + n - 1 alone. */
void positions_patch_rows(float *out, int head_dim, int cols, int64_t first, int64_t n);

#endif
