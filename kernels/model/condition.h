/* condition - host arithmetic of condition images: sizes, and pixels as the two towers read them.
 *
 * An image is seen twice: by the vision tower at half its size, and by the VAE's encoder at its
 * own. Both must find the same grid, which not every size gives: others are brought to the nearest
 * that does. Source: GlmImageImageProcessorPil (smart_resize), GlmImagePipeline, grid_sample.
 * Thread: any. */
#ifndef KERNELS_MODEL_CONDITION_H
#define KERNELS_MODEL_CONDITION_H

#include "kernels/model/resample.h"
#include "weights/config.h"
#include "weights/safetensors/safetensors.h"
#include "weights/tokenizer/prompt.h"

/* Values of a patch that the vision tower reads. */
#define CONDITION_PATCH (3 * CONFIG_PATCH_PIXELS * CONFIG_PATCH_PIXELS)

struct condition_size {
    struct resample_size legal; /* the image, as given or brought to */
    struct grid grid;           /* cells of the vision tower, 16 x 16 pixels of the halved image */
    struct resample_size vae; /* pixels for the encoder: 32 a cell, at most 31 less than `legal` */
};

/* The sizes of an image of w x h pixels, both at least 1. 1: it had to be brought to another size;
 * 0: it is used as it is. */
int condition_size(const struct image_config *, int w, int h, struct condition_size *);

/* Patch `cell` of the halved image rgb [16 rows, 16 cols, 3]: channel by channel, row by row. */
void condition_patch(float out[CONDITION_PATCH], const struct image_config *, const uint8_t *rgb,
                     struct grid, int64_t cell);
/* The position of a cell: row [width] of the table [side * side, width], read between its rows.
 * `round`: they are rounded to bf16 first. `row` has room for width floats. */
void condition_position(float *out, float *row, const struct vit_config *,
                        const struct stored_tensor *table, struct grid, int64_t cell, int round);
/* n values of an encoder's pixels, -1 .. 1. */
void condition_pixels(float *out, const uint8_t *rgb, int64_t n);
/* Every code for 2 x 2 patches: those of patches first .. first + n - 1. */
void condition_prior(int32_t *ids, const int32_t *codes, struct grid, int64_t first, int64_t n);

#endif
