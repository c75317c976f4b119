/* vae_encoder - a condition image's pixels to latents.
 *
 * Level i runs its residual blocks to channels[i] and halves the picture (not the last); two rooms
 * take turns to hold the picture between two levels, all of it in scratch. The posterior's mode is
 * taken: the half of the last convolution that gives the variance is computed and not used.
 * Source: AutoencoderKL.encode, GlmImagePipeline (prepare_condition). */
#ifndef KERNELS_MODEL_VAE_ENCODER_H
#define KERNELS_MODEL_VAE_ENCODER_H

#include "kernels/model/vae_block.h"

struct vae_encoder_level {
    int group;
    int in, out;               /* channels */
    struct vae_block *block;   /* cfg->blocks of them */
    const struct weight *down; /* [out, out, 3, 3]; NULL for the last level */
};

struct vae_encoder {
    const struct vae_config *cfg;
    struct vae_common common;
    const struct weight *conv_in; /* [channels[0], 3, 3, 3] */
    struct vae_encoder_level level[CONFIG_VAE_LEVELS];
    struct vae_block mid[2];
    const struct weight *norm, *norm_bias; /* [channels[last]] */
    const struct weight *conv_out;         /* [2 latent, channels[last], 3, 3] */
    const struct weight *mean, *std;       /* [latent] */
    struct vae_block *blocks;              /* all levels' blocks, owned */
    int first, last;                       /* groups: conv_in; from the middle on */
};

void vae_encoder_bind(struct vae_encoder *, struct bind *, const struct vae_config *, enum dtype);
void vae_encoder_unbind(struct vae_encoder *); /* the list of blocks; the list has the weights */

/* latents f32 [latent, h/8 * wd/8] = the normalised latents of pixels T [h*wd, 3] in -1 .. 1; h and
 * wd are multiples of 16. `name` for traces ("cond.0"). */
void vae_encode(const struct graph *, const struct vae_encoder *, tensor latents, tensor pixels,
                int h, int wd, const char *name);

#endif
