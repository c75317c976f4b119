/* preview_colors - how previews get their colours: latents to RGB by a linear map, codes by their
 * mean colour.
 *
 * Both are fitted to the model itself when it is first opened (preview_fit.h) and kept in a file
 * named after its digest, so any checkpoint has previews. Plain host data; previews only, never a
 * result. */
#ifndef KERNELS_ENGINE_PREVIEW_COLORS_H
#define KERNELS_ENGINE_PREVIEW_COLORS_H

#include "proto/fail.h"

#include <stdint.h>

struct preview_colors {
    int channels, codes; /* 0 channels: nothing fitted, no previews */
    float *latent; /* [3, channels + 1]: 0..255 of a latent; the last column is the constant */
    uint8_t *code; /* [codes, 3] */
};

int preview_colors_new(struct preview_colors *, int channels, int codes,
                       struct fail *); /* zeroed */
void preview_colors_free(struct preview_colors *);

/* Sums for least squares of 3 colours on channels + 1 numbers, and for the means of codes. */
struct preview_colors_fit {
    int channels, codes;
    double *xx;    /* [channels + 1, channels + 1] */
    double *xy;    /* [channels + 1, 3] */
    double *sum;   /* [codes, 3] */
    int64_t *seen; /* [codes] */
};

int preview_colors_fit_new(struct preview_colors_fit *, int channels, int codes, struct fail *);
void preview_colors_fit_free(struct preview_colors_fit *);

/* Add a finished picture: rgb [8h, 8w, 3] with its latents [channels, h, w], with its codes [h/4,
 * w/4], or both; NULL: not that. */
void preview_colors_fit_add(struct preview_colors_fit *, const uint8_t *rgb, int h, int w,
                            const float *latents, const int32_t *codes);
/* Solve into m->latent, and into m->code; codes that were never seen get the mean of all. */
void preview_colors_fit_latent(struct preview_colors_fit *, struct preview_colors *);
void preview_colors_fit_code(const struct preview_colors_fit *, struct preview_colors *);

/* rgb [8h, 8w, 3] of latents as m->latent sees them: a picture that was not decoded. */
void preview_colors_show(const struct preview_colors *, uint8_t *rgb, const float *latents, int h,
                         int w);

/* The cache: `dir`/preview-DIGEST. load: 1 found and valid, 0 not there (or not of this model). */
int preview_colors_load(struct preview_colors *, const char *dir, const char *digest);
int preview_colors_save(const struct preview_colors *, const char *dir, const char *digest,
                        struct fail *);

#endif
