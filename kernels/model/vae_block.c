/* vae_block - binding, bands of rows, norms, blocks. */
#include "kernels/model/vae_block.h"

void vae_bind_block(struct vae_block *k, struct bind *b, const char *name, int in, int out)
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

const struct weight *vae_bind_stat(struct bind *b, const char *name, const float *v, int n,
                                   enum dtype type)
{
    float rounded[CONFIG_LATENTS_MAX];

    for (int i = 0; i < n; i++)
        rounded[i] = type == DT_BF16 ? bf16_to_f32(f32_to_bf16(v[i])) : v[i];
    return bind_values(b, USE_VECTOR, name, rounded, n, 1);
}

int vae_band_rows(const struct vae_common *c, int h, int64_t line)
{
    const size_t most = c->band / (size_t)line;

    return tensor_band(h, most < 3 ? 1 : most < (size_t)h + 2 ? (int)most - 2 : h);
}

void vae_conv_normed(const struct graph *g, const struct vae_common *c, tensor y, tensor x,
                     tensor norm, const struct weight *conv, int h, int wd, tensor add)
{
    struct dev *d = g->dev;
    const int n = vae_band_rows(c, h, wd * x.cols * (int64_t)dtype_size(x.type));
    size_t mark = arena_mark(&d->scratch);
    tensor t = graph_temp(g, (int64_t)(n + 2) * wd, x.cols);

    for (int r = 0; r < h && !d->scratch.failed; r += n) {
        const int m = vae_rows_at(r, n, h), from = r ? r - 1 : 0, to = r + m < h ? r + m + 1 : h;

        if (!r) d->ops->zero(d, vae_lines(t, 0, 1, wd));
        d->ops->norm_act(d, vae_lines(t, from - r + 1, to - from, wd),
                         vae_lines(x, from, to - from, wd), norm, ACT_SILU);
        if (r + m == h) d->ops->zero(d, vae_lines(t, m + 1, 1, wd));
        d->ops->conv(d, vae_lines(y, r, m, wd), vae_lines(t, 0, m + 2, wd), conv, m + 2, wd, 0, 1,
                     tensor_given(add) ? vae_lines(add, r, m, wd) : add);
    }
    arena_release(&d->scratch, mark);
}

struct vae_norm vae_norm_new(const struct graph *g, const struct vae_common *c, int h,
                             int64_t channels)
{
    struct dev *d = g->dev;
    const size_t n = d->ops->work_size(d, WORK_NORM, h, channels, c->groups);

    return (struct vae_norm){.sums = arena_tensor(&d->scratch, DT_U8, 1, (int64_t)n),
                             .norm = arena_tensor(&d->scratch, DT_F32, 2, channels)};
}

void vae_norm_fold(const struct graph *g, const struct vae_common *c, const struct vae_norm *n,
                   const struct weight *a, const struct weight *b, int h, int wd)
{
    g->dev->ops->norm_fold(g->dev, n->norm, n->sums, h, wd, c->groups, a, b, CONFIG_VAE_EPS);
}

void vae_norm_of(const struct graph *g, const struct vae_common *c, const struct vae_norm *n,
                 tensor x, const struct weight *a, const struct weight *b, int h, int wd)
{
    g->dev->ops->norm_sums(g->dev, n->sums, x, wd, 0, c->groups);
    vae_norm_fold(g, c, n, a, b, h, wd);
}

void vae_second_half(const struct graph *g, const struct vae_common *c, const struct vae_block *k,
                     tensor x, tensor t, int h, int wd)
{
    size_t mark = arena_mark(&g->dev->scratch);
    const struct vae_norm n = vae_norm_new(g, c, h, t.cols);

    if (!g->dev->scratch.failed) {
        vae_norm_of(g, c, &n, t, k->norm2, k->norm2_bias, h, wd);
        vae_conv_normed(g, c, x, t, n.norm, k->conv2, h, wd, x);
    }
    arena_release(&g->dev->scratch, mark);
}

void vae_block_same(const struct graph *g, const struct vae_common *c, const struct vae_block *k,
                    tensor x, int h, int wd)
{
    size_t mark = arena_mark(&g->dev->scratch);
    tensor t = graph_temp(g, x.rows, x.cols);
    const struct vae_norm n = vae_norm_new(g, c, h, x.cols);

    if (!g->dev->scratch.failed) {
        vae_norm_of(g, c, &n, x, k->norm1, k->norm1_bias, h, wd);
        vae_conv_normed(g, c, t, x, n.norm, k->conv1, h, wd, tensor_none());
        vae_second_half(g, c, k, x, t, h, wd);
    }
    arena_release(&g->dev->scratch, mark);
}

void vae_tap_norm(const struct graph *g, tensor x, tensor norm, int h, int wd, const char *name)
{
    size_t mark = arena_mark(&g->dev->scratch);
    tensor y = graph_temp(g, x.rows, x.cols);

    if (!g->dev->scratch.failed) {
        g->dev->ops->norm_act(g->dev, y, x, norm, ACT_NONE);
        tap_picture(g, y, h, wd, "%s.norm_out", name);
    }
    arena_release(&g->dev->scratch, mark);
}

/* The shortcut first: it needs x as it is. */
void vae_block_change(const struct graph *g, const struct vae_common *c, const struct vae_block *k,
                      tensor y, tensor x, int h, int wd)
{
    struct dev *d = g->dev;
    size_t mark = arena_mark(&d->scratch);
    tensor t = graph_temp(g, y.rows, y.cols);
    const struct vae_norm n = vae_norm_new(g, c, h, x.cols);

    if (!d->scratch.failed) {
        d->ops->conv(d, y, x, k->shortcut, h, wd, 0, 0, tensor_none());
        vae_norm_of(g, c, &n, x, k->norm1, k->norm1_bias, h, wd);
        vae_conv_normed(g, c, t, x, n.norm, k->conv1, h, wd, tensor_none());
        vae_second_half(g, c, k, y, t, h, wd);
    }
    arena_release(&d->scratch, mark);
}
