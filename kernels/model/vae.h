/* vae - the decoder: latents to RGB, in pieces that end where the tensors are smallest.
 *
 * Pictures are T [h*w, channels]. Piece 0 is conv_in and the middle; piece i = 1 .. 4 enlarges (not
 * the first), runs the residual blocks of up_blocks[i-1], and the last one makes the 8-bit picture.
 *
 * A block keeps two pictures whole: its own (in the run's memory, where it also waits between two
 * pieces) and the inner convolution's result (scratch). What goes into a convolution is normed band
 * by band of rows, with the statistics of the whole picture: where the bands end does not show in
 * any bit. A level writes its picture over the smaller one that it is made from, row after row:
 * vae_layout() places them so that reading stays ahead. A block's enlarged input that would take
 * more than `whole` bytes is made twice, once for the statistics and once to be used, and is never
 * there as a whole.
 * Source: AutoencoderKL.decode, VaeImageProcessor.postprocess. */
#ifndef KERNELS_MODEL_VAE_H
#define KERNELS_MODEL_VAE_H

#include "kernels/model/vae_block.h"

enum { VAE_PIECES = CONFIG_VAE_LEVELS + 1 };
#define VAE_WHOLE ((size_t)1100 << 20) /* all of a picture of 1024 x 1024, nothing of one of 2048 */

struct vae_level {
    int group;
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
    int first, last;                       /* groups: up to the middle; norm and conv_out */
    struct vae_block mid[2];
    struct vae_level level[CONFIG_VAE_LEVELS];
    struct vae_block *blocks; /* all levels' blocks, owned */
    size_t band, whole;       /* bytes: of a band, of an enlarged input that is kept; for tests */
};

/* One picture while it is decoded. */
struct vae_state {
    int h, w;    /* latents */
    int piece;   /* pieces done */
    tensor room; /* T, flat: the picture so far, at vae_layout()'s place for `piece` */
    tensor rgb;  /* U8 [64 h w, 3] */
};

void vae_bind(struct vae *, struct bind *, const struct vae_config *, enum dtype);
void vae_unbind(struct vae *); /* the list of blocks; the list has the weights */

/* Where the picture after each piece begins in `room`, in elements; returns the room's elements. */
int64_t vae_layout(const struct vae_config *, int h, int w, int64_t at[VAE_PIECES]);
void vae_place(struct vae_state *, struct arena *, const struct vae_config *, enum dtype);

/* The next piece. latents f32 [latent, h*w] are read by the first. */
void vae_step(const struct graph *, const struct vae *, struct vae_state *, tensor latents);

#endif
