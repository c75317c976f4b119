/* vision - a condition image to codes: the vision tower and its quantiser.
 *
 * Pre-norm layers with affine norms and erf GELU, full attention within one image, no last norm;
 * positions are read off a table by bilinear interpolation. The code of a cell is the entry of the
 * codebook in whose direction its vector points most: computed as the largest product with an
 * entry divided by the entry's length, as the vector's own length changes nothing.
 * Source: GlmImageVisionModel, GlmImageVQVAE. */
#ifndef KERNELS_MODEL_VISION_H
#define KERNELS_MODEL_VISION_H

#include "kernels/model/bind.h"
#include "kernels/model/graph.h"

struct vision_layer {
    int group;
    const struct weight *norm1, *norm1_bias, *norm2, *norm2_bias; /* [width] */
    const struct weight *qkv;                                     /* [3 width, width], bias */
    const struct weight *out;                                     /* [width, width], bias */
    const struct weight *up, *down; /* [ffn, width], [width, ffn], bias */
};

struct vision {
    const struct vit_config *cfg;
    const struct weight *patch; /* [width, 3 * 16 * 16], bias */
    struct vision_layer layer[LIMIT_LAYERS];
    const struct weight *quant;    /* [dim, width], bias */
    const struct weight *codebook; /* [codes, dim] */
    const struct weight *inverse;  /* [codes]: 1 / length of every entry */
    int codes, dim;
    int first, last;                      /* groups: patch; quantiser */
    const struct stored_tensor *position; /* [side * side, width] in the model's files */
};

void vision_bind(struct vision *, struct bind *, const struct model_config *);

/* codes I32 [cells, 1] of one image from its patches T [cells, 3 * 16 * 16] and the positions T
 * [cells, width] of its cells. */
void vision_encode(const struct graph *, const struct vision *, tensor codes, tensor patches,
                   tensor positions);

#endif
