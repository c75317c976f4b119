/* prompt - what the prior reads and draws for a text-to-image request: ids and grids.
 *
 *   ids   = BPE(prompt <sop>H W<eop><sop>h w<eop> <start of image>), H = height/32, W = width/32
 *   grids = drawn in the order preview (h, w), then large (H, W); one id a cell
 * Preview: h = trunc(sqrt(H/W)*16), w = trunc(sqrt(W/H)*16) in double.
 * Source: GLM-Image processor, _build_prompt_with_target_shape. */
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
    struct grid preview;   /* drawn first */
    struct grid large;     /* drawn second; its codes are the picture */
    int tokens;            /* preview + large cells: what must be drawn */
};

/* The two grids of a picture of height x width pixels (multiples of 32). */
struct grid prompt_large(int height, int width);
struct grid prompt_preview(struct grid large);

/* Ids and grids. A prompt that contains the texts of the image tokens is ERR_BAD_PROMPT, saying which
 * one to take out: always for start, end and placeholder of an image, which break the grids' places;
 * with `user` also for every other visual token (ids below ar.rows), which nobody types by accident.
 * Other special texts such as <sop> become their ids. ERR_BAD_UTF8; sizes are the caller's to check.
 * Without a tokenizer (NULL, for plans) there are as many ids as the text can become, all 0. */
int prompt_text_to_image(struct prompt *, const struct bpe *, const struct model_config *,
                         const char *text, size_t len, int height, int width, bool user,
                         struct fail *);
void prompt_free(struct prompt *);

#endif
