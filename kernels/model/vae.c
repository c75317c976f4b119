/* vae - residual blocks, enlargements, pieces. */
#include "kernels/model/vae.h"

#include <stdlib.h>

static void bind_block(struct vae_block *k, struct bind *b, const char *name, int in, int out)
{
    const enum part part = PART_VAE;
    k->norm1 = bind_vector(b, part, "%s.norm1.weight", name);
    k->norm1_bias = bind_vector(b, part, "%s.norm1.bias", name);
    k->conv1 = bind_conv(b, part, "%s.conv1", name);
    k->norm2 = bind_vector(b, part, "%s.norm2.weight", name);
    k->norm2_bias = bind_vector(b, part, "%s.norm2.bias", name);
    k->conv2 = bind_conv(b, part, "%s.conv2", name);
    k->shortcut = in == out ? NULL : bind_conv(b, part, "%s.conv_shortcut", name);
}

static void bind_level(struct vae *w, struct bind *b, int i)
{
    const int last = CONFIG_VAE_LEVELS - 1;
    struct vae_level *l = &w->level[i];
    char name[96];
    l->out = w->cfg->channels[last - i];
    l->in = w->cfg->channels[last - (i ? i - 1 : 0)];
    l->block = w->blocks + i * (w->cfg->blocks + 1);
    for (int k = 0; k <= w->cfg->blocks; k++) {
        snprintf(name, sizeof name, "decoder.up_blocks.%d.resnets.%d", i, k);
        bind_block(&l->block[k], b, name, k ? l->out : l->in, l->out);
    }
    if (i) l->enlarge = bind_conv(b, PART_VAE, "decoder.up_blocks.%d.upsamplers.0.conv", i - 1);
}

/* The reference converts the statistics to the compute type. */
static const struct weight *bind_stat(struct bind *b, const char *name, const float *v, int n,
                                      enum dtype type)
{
    float rounded[CONFIG_LATENTS_MAX];
    for (int i = 0; i < n; i++)
        rounded[i] = type == DT_BF16 ? bf16_to_f32(f32_to_bf16(v[i])) : v[i];
    return bind_values(b, USE_VECTOR, name, rounded, n, 1);
}

void vae_bind(struct vae *w, struct bind *b, const struct vae_config *c, enum dtype type)
{
    const enum part part = PART_VAE;
    int widest = c->channels[CONFIG_VAE_LEVELS - 1];
    w->cfg = c;
    w->blocks = calloc((size_t)(CONFIG_VAE_LEVELS * (c->blocks + 1)), sizeof *w->blocks);
    if (!w->blocks) {
        b->rc = fail_set(b->fail, ERR_OUT_OF_MEMORY, "no memory for the list of VAE blocks");
        return;
    }
    w->mean = bind_stat(b, "latents_mean", c->mean, c->latent, type);
    w->std = bind_stat(b, "latents_std", c->std, c->latent, type);
    w->conv_in = bind_conv(b, part, "decoder.conv_in");
    bind_block(&w->mid[0], b, "decoder.mid_block.resnets.0", widest, widest);
    bind_block(&w->mid[1], b, "decoder.mid_block.resnets.1", widest, widest);
    for (int i = 0; i < CONFIG_VAE_LEVELS; i++)
        bind_level(w, b, i);
    w->norm = bind_vector(b, part, "decoder.conv_norm_out.weight");
    w->norm_bias = bind_vector(b, part, "decoder.conv_norm_out.bias");
    w->conv_out = bind_conv(b, part, "decoder.conv_out");
}

void vae_unbind(struct vae *w)
{
    free(w->blocks);
    w->blocks = NULL;
}

/* Side of the picture after the given number of pieces, in latents; the picture itself is 8. */
static int scale_after(int pieces)
{
    return pieces < 2 ? 1 : 1 << (pieces - 2);
}

static int channels_after(const struct vae_config *c, int pieces)
{
    const int last = CONFIG_VAE_LEVELS - 1;
    return c->channels[pieces < 2 ? last : last - (pieces - 2)];
}

void vae_place(struct vae_state *s, struct arena *a, const struct vae_config *c, enum dtype type)
{
    int64_t cells = (int64_t)s->h * s->w, most = 0;
    for (int i = 1; i < VAE_PIECES; i++) {
        int64_t scale = scale_after(i), n = cells * scale * scale * channels_after(c, i);
        if (n > most) most = n;
    }
    s->half = arena_tensor(a, type, 1, most);
    s->rgb = arena_tensor(a, DT_U8, 64 * cells, 3);
}

/* h = conv1(silu(norm1(x))) into `t`; out += conv2(silu(norm2(t))). norm1's result goes to `n`. */
static void branch(const struct graph *g, const struct vae *w, const struct vae_block *k,
                   tensor out, tensor x, tensor n, tensor t, int h, int wd)
{
    struct dev *d = g->dev;
    int groups = w->cfg->groups;
    d->ops->group_norm(d, n, x, k->norm1, k->norm1_bias, groups, CONFIG_VAE_EPS, ACT_SILU);
    d->ops->conv(d, t, n, k->conv1, h, wd, 0, tensor_none());
    d->ops->group_norm(d, t, t, k->norm2, k->norm2_bias, groups, CONFIG_VAE_EPS, ACT_SILU);
    d->ops->conv(d, out, t, k->conv2, h, wd, 0, out);
}

/* x = block(x) where the width stays. */
static void block_same(const struct graph *g, const struct vae *w, const struct vae_block *k,
                       tensor x, int h, int wd)
{
    size_t mark = arena_mark(&g->dev->scratch);
    tensor n = graph_temp(g, x.rows, x.cols), t = graph_temp(g, x.rows, x.cols);
    if (!g->dev->scratch.failed) branch(g, w, k, x, x, n, t, h, wd);
    arena_release(&g->dev->scratch, mark);
}

/* out = block(x) where it changes; x is used up. */
static void block_change(const struct graph *g, const struct vae *w, const struct vae_block *k,
                         tensor out, tensor x, int h, int wd)
{
    size_t mark = arena_mark(&g->dev->scratch);
    tensor t = graph_temp(g, out.rows, out.cols);
    if (!g->dev->scratch.failed) {
        g->dev->ops->conv(g->dev, out, x, k->shortcut, h, wd, 0, tensor_none());
        branch(g, w, k, out, x, x, t, h, wd);
    }
    arena_release(&g->dev->scratch, mark);
}

/* The level's input: what the last piece left, enlarged except for the first level. h, wd: of `to`. */
static void fetch(const struct graph *g, const struct vae_level *l, int i, tensor to, tensor from,
                  int h, int wd)
{
    if (!l->enlarge) {
        g->dev->ops->copy(g->dev, to, from);
        return;
    }
    g->dev->ops->conv(g->dev, to, from, l->enlarge, h / 2, wd / 2, 1, tensor_none());
    tap_picture(g, to, h, wd, "vae.up.%d", i - 1);
}

/* x [h*wd, out] = all blocks of level i. */
static void level(const struct graph *g, const struct vae *w, int i, tensor x, tensor from, int h,
                  int wd)
{
    struct dev *d = g->dev;
    const struct vae_level *l = &w->level[i];
    if (!l->block[0].shortcut) {
        fetch(g, l, i, x, from, h, wd);
        block_same(g, w, &l->block[0], x, h, wd);
    } else {
        size_t mark = arena_mark(&d->scratch);
        tensor in = graph_temp(g, x.rows, l->in);
        if (!d->scratch.failed) {
            fetch(g, l, i, in, from, h, wd);
            block_change(g, w, &l->block[0], x, in, h, wd);
        }
        arena_release(&d->scratch, mark);
    }
    for (int k = 1; k <= w->cfg->blocks; k++)
        block_same(g, w, &l->block[k], x, h, wd);
}

static void first_piece(const struct graph *g, const struct vae *w, struct vae_state *s, tensor x,
                        tensor latents)
{
    struct dev *d = g->dev;
    size_t mark = arena_mark(&d->scratch);
    tensor z = graph_temp(g, x.rows, w->cfg->latent);
    if (!d->scratch.failed) {
        d->ops->denorm(d, z, latents, w->mean, w->std);
        tap_picture(g, z, s->h, s->w, "vae.in");
        d->ops->conv(d, x, z, w->conv_in, s->h, s->w, 0, tensor_none());
        tap_picture(g, x, s->h, s->w, "vae.conv_in");
    }
    arena_release(&d->scratch, mark);
    block_same(g, w, &w->mid[0], x, s->h, s->w);
    block_same(g, w, &w->mid[1], x, s->h, s->w);
    tap_picture(g, x, s->h, s->w, "vae.mid");
}

/* The norm before its activation: nobody needs it but a trace. */
static void watch_norm(const struct graph *g, const struct vae *w, tensor x, int h, int wd)
{
    size_t mark = arena_mark(&g->dev->scratch);
    tensor y = graph_temp(g, x.rows, x.cols);
    if (!g->dev->scratch.failed) {
        g->dev->ops->group_norm(g->dev, y, x, w->norm, w->norm_bias, w->cfg->groups, CONFIG_VAE_EPS,
                                ACT_NONE);
        tap_picture(g, y, h, wd, "vae.norm_out");
    }
    arena_release(&g->dev->scratch, mark);
}

static void last_piece(const struct graph *g, const struct vae *w, struct vae_state *s, tensor x,
                       int h, int wd)
{
    struct dev *d = g->dev;
    size_t mark = arena_mark(&d->scratch);
    tap_picture(g, x, h, wd, "vae.up.%d", CONFIG_VAE_LEVELS - 1);
    if (g->tap) watch_norm(g, w, x, h, wd);
    tensor y = graph_temp(g, x.rows, 3);
    if (!d->scratch.failed) {
        d->ops->group_norm(d, x, x, w->norm, w->norm_bias, w->cfg->groups, CONFIG_VAE_EPS,
                           ACT_SILU);
        d->ops->conv(d, y, x, w->conv_out, h, wd, 0, tensor_none());
        tap_picture(g, y, h, wd, "vae.out");
        d->ops->to_rgb8(d, s->rgb, y);
    }
    arena_release(&d->scratch, mark);
}

void vae_step(const struct graph *g, const struct vae *w, struct vae_state *s, tensor latents)
{
    struct dev *d = g->dev;
    int i = s->piece, scale = scale_after(i + 1), h = s->h * scale, wd = s->w * scale;
    int64_t before = (int64_t)s->h * s->w * scale_after(i) * scale_after(i);
    size_t mark = arena_mark(&d->scratch);
    tensor x = graph_temp(g, (int64_t)h * wd, channels_after(w->cfg, i + 1));
    if (!d->scratch.failed) {
        if (i == 0)
            first_piece(g, w, s, x, latents);
        else
            level(g, w, i - 1, x, graph_shape(s->half, before, channels_after(w->cfg, i)), h, wd);
        if (i == VAE_PIECES - 1)
            last_piece(g, w, s, x, h, wd);
        else
            d->ops->copy(d, graph_shape(s->half, x.rows, x.cols), x);
    }
    arena_release(&d->scratch, mark);
    s->piece++;
}
