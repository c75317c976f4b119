/* vae_block - residual blocks and group norms, which encoder and decoder share.
 *
 * Pictures are T [h*w, channels]. What goes into a convolution is normed band by band of rows with
 * the statistics of the whole picture: where the bands end does not show in any bit.
 * Source: ResnetBlock2D. */
#ifndef KERNELS_MODEL_VAE_BLOCK_H
#define KERNELS_MODEL_VAE_BLOCK_H

#include "kernels/model/bind.h"
#include "kernels/model/graph.h"

#define VAE_BAND ((size_t)20 << 20) /* large enough to fill a GPU, small enough for its cache */

/* x + conv2(silu(norm2(conv1(silu(norm1(x)))))), x through `shortcut` where the width changes. */
struct vae_block {
    const struct weight *norm1, *norm1_bias; /* [in] */
    const struct weight *norm2, *norm2_bias; /* [out] */
    const struct weight *conv1, *conv2;      /* [out, in, 3, 3], [out, out, 3, 3] */
    const struct weight *shortcut;           /* [out, in, 1, 1], or NULL: in = out */
};

/* What all blocks of one half go by. */
struct vae_common {
    int groups;  /* of every norm */
    size_t band; /* bytes of a band */
};

void vae_bind_block(struct vae_block *, struct bind *, const char *name, int in, int out);
/* latents_mean or latents_std: the reference converts them to the compute type. */
const struct weight *vae_bind_stat(struct bind *, const char *name, const float *v, int n,
                                   enum dtype);

/* Rows of a band of a picture of h rows, so that they and a neighbour on each side fit; at least
 * one. line: bytes of a row. */
int vae_band_rows(const struct vae_common *, int h, int64_t line);
/* Of the band that begins at row r: the last one may be shorter. */
static inline int vae_rows_at(int r, int n, int h)
{
    return h - r < n ? h - r : n;
}
/* n lines of a picture that is wd wide. */
static inline tensor vae_lines(tensor x, int first, int n, int wd)
{
    return tensor_rows(x, (int64_t)first * wd, (int64_t)n * wd);
}

/* The statistics of a whole picture, and what its norm makes of them: scratch. */
struct vae_norm {
    tensor sums, norm;
};

struct vae_norm vae_norm_new(const struct graph *, const struct vae_common *, int h,
                             int64_t channels);
void vae_norm_fold(const struct graph *, const struct vae_common *, const struct vae_norm *,
                   const struct weight *w, const struct weight *b, int h, int wd);
/* norm_sums() of all of x, then the fold. */
void vae_norm_of(const struct graph *, const struct vae_common *, const struct vae_norm *, tensor x,
                 const struct weight *w, const struct weight *b, int h, int wd);
/* y = conv(silu(norm of x)) (+ add), a band at a time. */
void vae_conv_normed(const struct graph *, const struct vae_common *, tensor y, tensor x,
                     tensor norm, const struct weight *conv, int h, int wd, tensor add);
/* The last norm before its activation, under a name that only a trace needs. */
void vae_tap_norm(const struct graph *, tensor x, tensor norm, int h, int wd, const char *name);

/* x += conv2(silu(norm2(t))). */
void vae_second_half(const struct graph *, const struct vae_common *, const struct vae_block *,
                     tensor x, tensor t, int h, int wd);
/* x = block(x) where the width stays. */
void vae_block_same(const struct graph *, const struct vae_common *, const struct vae_block *,
                    tensor x, int h, int wd);
/* y = block(x) where it changes, x whole. */
void vae_block_change(const struct graph *, const struct vae_common *, const struct vae_block *,
                      tensor y, tensor x, int h, int wd);

#endif
