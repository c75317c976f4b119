/* vae - the decoder: latents to RGB, in pieces that end where the tensors are smallest.
 *
 * Pictures are T [h*w, channels]. Piece 0 is conv_in and the middle; piece i = 1 .. 4 enlarges (not the
 * first), runs the residual blocks of up_blocks[i-1], and the last one makes the 8-bit picture. Between
 * pieces the picture so far waits in the run's memory, before the enlargement, where it is smallest.
 * Source: AutoencoderKL.decode, VaeImageProcessor.postprocess. */
#ifndef KERNELS_MODEL_VAE_H
#define KERNELS_MODEL_VAE_H

#include "kernels/model/bind.h"
#include "kernels/model/graph.h"

enum { VAE_PIECES = CONFIG_VAE_LEVELS + 1 };

/* x + conv2(silu(norm2(conv1(silu(norm1(x)))))), x through `shortcut` where the width changes. */
struct vae_block {
    const struct weight *norm1, *norm1_bias; /* [in] */
    const struct weight *norm2, *norm2_bias; /* [out] */
    const struct weight *conv1, *conv2;      /* [out, in, 3, 3], [out, out, 3, 3] */
    const struct weight *shortcut;           /* [out, in, 1, 1], or NULL: in = out */
};

struct vae_level {
    const struct weight *enlarge; /* [in, in, 3, 3] after nearest 2x; NULL for the first level */
    int in, out;                  /* channels */
    struct vae_block *block;      /* cfg->blocks + 1 of them */
};

struct vae {
    const struct vae_config *cfg;
    const struct weight *mean, *std;       /* [latent] */
    const struct weight *conv_in;          /* [channels[last], latent, 3, 3] */
    const struct weight *norm, *norm_bias; /* [channels[0]] */
    const struct weight *conv_out;         /* [3, channels[0], 3, 3] */
    struct vae_block mid[2];
    struct vae_level level[CONFIG_VAE_LEVELS];
    struct vae_block *blocks; /* all levels' blocks, owned */
};

/* One picture while it is decoded. */
struct vae_state {
    int h, w;    /* latents */
    int piece;   /* pieces done */
    tensor half; /* T, flat: the picture so far */
    tensor rgb;  /* U8 [64 h w, 3] */
};

void vae_bind(struct vae *, struct bind *, const struct vae_config *, enum dtype);
void vae_unbind(struct vae *); /* the list of blocks; the list has the weights */

void vae_place(struct vae_state *, struct arena *, const struct vae_config *, enum dtype);

/* The next piece. latents f32 [latent, h*w] are read by the first. */
void vae_step(const struct graph *, const struct vae *, struct vae_state *, tensor latents);

#endif
