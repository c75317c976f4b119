/* vae_encoder - binding, levels, latents. */
#include "kernels/model/vae_encoder.h"

#include <stdlib.h>

enum { LAST = CONFIG_VAE_LEVELS - 1 };

static void bind_level(struct vae_encoder *w, struct bind *b, int i)
{
    struct vae_encoder_level *l = &w->level[i];
    char name[96];

    l->group = bind_images_group(b, PART_VAE);
    l->in = w->cfg->channels[i ? i - 1 : 0];
    l->out = w->cfg->channels[i];
    l->block = w->blocks + i * w->cfg->blocks;
    for (int k = 0; k < w->cfg->blocks; k++) {
        snprintf(name, sizeof name, "encoder.down_blocks.%d.resnets.%d", i, k);
        vae_bind_block(&l->block[k], b, name, k ? l->out : l->in, l->out);
    }
    if (i < LAST) l->down = bind_conv(b, PART_VAE, "encoder.down_blocks.%d.downsamplers.0.conv", i);
}

void vae_encoder_bind(struct vae_encoder *w, struct bind *b, const struct vae_config *c,
                      enum dtype type)
{
    const int top = c->channels[LAST];

    w->cfg = c;
    w->common = (struct vae_common){.groups = c->groups, .band = VAE_BAND};
    w->blocks = calloc((size_t)(CONFIG_VAE_LEVELS * c->blocks), sizeof *w->blocks);
    if (!w->blocks) {
        b->err = fail_set(b->fail, ERR_OUT_OF_MEMORY, "no memory for the list of VAE blocks");
        return;
    }
    w->first = bind_images_group(b, PART_VAE);
    w->conv_in = bind_conv(b, PART_VAE, "encoder.conv_in");
    for (int i = 0; i < CONFIG_VAE_LEVELS; i++)
        bind_level(w, b, i);
    w->last = bind_images_group(b, PART_VAE);
    vae_bind_block(&w->mid[0], b, "encoder.mid_block.resnets.0", top, top);
    vae_bind_block(&w->mid[1], b, "encoder.mid_block.resnets.1", top, top);
    w->norm = bind_vector(b, PART_VAE, "encoder.conv_norm_out.weight");
    w->norm_bias = bind_vector(b, PART_VAE, "encoder.conv_norm_out.bias");
    w->conv_out = bind_conv(b, PART_VAE, "encoder.conv_out");
    w->mean = vae_bind_stat(b, "latents_mean", c->mean, c->latent, type);
    w->std = vae_bind_stat(b, "latents_std", c->std, c->latent, type);
}

void vae_encoder_unbind(struct vae_encoder *w)
{
    free(w->blocks);
    w->blocks = NULL;
}

/* x = all blocks of level i; `from` is its input, for the first level x itself. */
static void blocks(const struct graph *g, const struct vae_encoder *w, int i, tensor x, tensor from,
                   int h, int wd)
{
    const struct vae_encoder_level *l = &w->level[i];

    if (l->block[0].shortcut) {
        vae_block_change(g, &w->common, &l->block[0], x, from, h, wd);
    } else {
        if (i) g->dev->ops->copy(g->dev, x, from);
        vae_block_same(g, &w->common, &l->block[0], x, h, wd);
    }
    for (int k = 1; k < w->cfg->blocks; k++)
        vae_block_same(g, &w->common, &l->block[k], x, h, wd);
}

/* out [h/2 * wd/2, channels] = level i of `in`, for the first level of the pixels. */
static void level(const struct graph *g, const struct vae_encoder *w, int i, tensor out, tensor in,
                  int h, int wd, const char *name)
{
    struct dev *d = g->dev;
    size_t mark = arena_mark(&d->scratch);
    tensor x = graph_temp(g, in.rows, w->level[i].out);

    if (!d->scratch.failed) {
        if (!i) {
            graph_want(g, w->first);
            d->ops->conv(d, x, in, w->conv_in, h, wd, 0, 0, tensor_none());
            tap_picture(g, x, h, wd, "%s.vae.conv_in", name);
        }
        graph_want(g, w->level[i].group);
        blocks(g, w, i, x, in, h, wd);
        d->ops->conv_half(d, out, x, w->level[i].down, h, wd);
        tap_picture(g, out, h / 2, wd / 2, "%s.vae.down.%d", name, i);
    }
    arena_release(&d->scratch, mark);
}

/* Norm, the last convolution, the mean of what it gives. */
static void leave(const struct graph *g, const struct vae_encoder *w, tensor latents, tensor x,
                  int h, int wd, const char *name)
{
    struct dev *d = g->dev;
    const int64_t cols = 2 * (int64_t)w->cfg->latent;
    char stage[64];
    size_t mark = arena_mark(&d->scratch);
    const struct vae_norm n = vae_norm_new(g, &w->common, h, x.cols);
    /* room for whole eights of columns: a device may compute that many at a time */
    const tensor wide = graph_temp(g, x.rows, (cols + 7) / 8 * 8);
    const tensor y = tensor_cols(wide, 0, cols), mean = tensor_cols(wide, 0, w->cfg->latent);

    if (!d->scratch.failed) {
        snprintf(stage, sizeof stage, "%s.vae", name);
        vae_norm_of(g, &w->common, &n, x, w->norm, w->norm_bias, h, wd);
        if (g->tap) vae_tap_norm(g, x, n.norm, h, wd, stage);
        vae_conv_normed(g, &w->common, y, x, n.norm, w->conv_out, h, wd, tensor_none());
        tap_picture(g, mean, h, wd, "%s.mean", stage);
        d->ops->renorm(d, latents, mean, w->mean, w->std);
        tap_planes(g, latents, h, wd, "%s.latents", name);
    }
    arena_release(&d->scratch, mark);
}

/* The last level, which stays as large as it is, the middle and the end. */
static void finish(const struct graph *g, const struct vae_encoder *w, tensor latents, tensor x,
                   tensor in, int h, int wd, const char *name)
{
    graph_want(g, w->level[LAST].group);
    blocks(g, w, LAST, x, in, h, wd);
    tap_picture(g, x, h, wd, "%s.vae.down.%d", name, LAST);
    graph_want(g, w->last);
    vae_block_same(g, &w->common, &w->mid[0], x, h, wd);
    vae_block_same(g, &w->common, &w->mid[1], x, h, wd);
    tap_picture(g, x, h, wd, "%s.vae.mid", name);
    leave(g, w, latents, x, h, wd, name);
}

/* Elements of the room that the picture after level i takes, of h x wd pixels. */
static int64_t after(const struct vae_encoder *w, int i, int h, int wd)
{
    const int halved = i < LAST ? i + 1 : LAST;

    return (int64_t)(h >> halved) * (wd >> halved) * w->level[i].out;
}

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

void vae_encode(const struct graph *g, const struct vae_encoder *w, tensor latents, tensor pixels,
                int h, int wd, const char *name)
{
    size_t mark = arena_mark(&g->dev->scratch);
    const tensor room[2] = {graph_temp(g, 1, larger(after(w, 0, h, wd), after(w, 2, h, wd))),
                            graph_temp(g, 1, larger(after(w, 1, h, wd), after(w, LAST, h, wd)))};
    tensor in = pixels;

    tap_picture(g, pixels, h, wd, "%s.vae.pixels", name);
    for (int i = 0; i < CONFIG_VAE_LEVELS && !g->dev->scratch.failed; i++) {
        const int high = h >> i, wide = wd >> i, half = i < LAST;
        const tensor out =
            graph_shape(room[i % 2], (int64_t)(high >> half) * (wide >> half), w->level[i].out);

        if (half)
            level(g, w, i, out, in, high, wide, name);
        else
            finish(g, w, latents, out, in, high, wide, name);
        in = out;
    }
    arena_release(&g->dev->scratch, mark);
}
