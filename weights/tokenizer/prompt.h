/* prompt - the prior's input: the prompt's ids, and the grids to sample.
 *
 *   ids   = BPE(prompt <sop>H W<eop><sop>h w<eop> <start of image>), H = height/32, W = width/32
 *   grids = sampled in the order preview (h, w), then large (H, W); one id a cell
 * Preview: h = trunc(sqrt(H/W)*16), w = trunc(sqrt(W/H)*16) in double.
 * With condition images there is no preview grid:
 *   ids   = BPE(images prompt <sop>H W<eop> <start of image>); an image is <start of image>, one
 *           placeholder a cell of its grid, <end of image>; the tokenizer's template is not used
 * Source: GLM-Image processor (_build_prompt_with_target_shape), its chat template. */
#ifndef WEIGHTS_TOKENIZER_PROMPT_H
#define WEIGHTS_TOKENIZER_PROMPT_H

#include "weights/config.h"
#include "weights/tokenizer/bpe.h"
#include "weights/tokenizer/token_list.h"

#include <stdbool.h>

struct grid {
    int rows, cols;
};

struct prompt {
    struct token_list ids; /* P of them */
    struct grid preview;   /* sampled first; 0 x 0 with condition images */
    struct grid large;     /* sampled second; its codes are the picture */
    int tokens;            /* cells of preview and large: ids to sample */
};

/* The two grids of a picture of height x width pixels (multiples of 32). */
struct grid prompt_large(int height, int width);
struct grid prompt_preview(struct grid large);

/* Ids and grids. A prompt that contains the texts of the image tokens is ERR_BAD_PROMPT, naming the
 * one to remove: always for start, end and placeholder of an image, which would shift the grids;
 * with `user` also for every other visual token (ids below ar.rows), which are not typed by
 * accident. Other special texts such as <sop> become their ids. ERR_BAD_UTF8; the caller checks the
 * sizes. Without a tokenizer (NULL, for plans) the ids are 0, as many as the text can have at
 * most. */
int prompt_text_to_image(struct prompt *, const struct bpe *, const struct model_config *,
                         const char *text, size_t len, int height, int width, bool user,
                         struct fail *);
/* The same with n condition images, whose grids are given; n 0: prompt_text_to_image(). */
int prompt_with_images(struct prompt *, const struct bpe *, const struct model_config *,
                       const char *text, size_t len, int height, int width,
                       const struct grid *image, int n, bool user, struct fail *);
void prompt_free(struct prompt *);

#endif
