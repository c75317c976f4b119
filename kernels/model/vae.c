/* vae - residual blocks, enlargements, pieces; bands of rows. */
#include "kernels/model/vae.h"

#include <stdlib.h>

static void bind_level(struct vae *w, struct bind *b, int i)
{
    const int last = CONFIG_VAE_LEVELS - 1;
    struct vae_level *l = &w->level[i];
    char name[96];

    l->group = bind_group(b, PART_VAE);
    l->out = w->cfg->channels[last - i];
    l->in = w->cfg->channels[last - (i ? i - 1 : 0)];
    l->block = w->blocks + i * (w->cfg->blocks + 1);
    for (int k = 0; k <= w->cfg->blocks; k++) {
        snprintf(name, sizeof name, "decoder.up_blocks.%d.resnets.%d", i, k);
        vae_bind_block(&l->block[k], b, name, k ? l->out : l->in, l->out);
    }
    snprintf(name, sizeof name, "decoder.up_blocks.%d.upsamplers.0.conv", i - 1);
    if (i) l->enlarge = bind_conv_up(b, PART_VAE, name);
}

void vae_bind(struct vae *w, struct bind *b, const struct vae_config *c, enum dtype type)
{
    const enum part part = PART_VAE;
    int widest = c->channels[CONFIG_VAE_LEVELS - 1];

    w->cfg = c;
    w->band = VAE_BAND;
    w->whole = VAE_WHOLE;
    w->blocks = calloc((size_t)(CONFIG_VAE_LEVELS * (c->blocks + 1)), sizeof *w->blocks);
    if (!w->blocks) {
        b->err = fail_set(b->fail, ERR_OUT_OF_MEMORY, "no memory for the list of VAE blocks");
        return;
    }
    w->first = bind_group(b, part);
    w->mean = vae_bind_stat(b, "latents_mean", c->mean, c->latent, type);
    w->std = vae_bind_stat(b, "latents_std", c->std, c->latent, type);
    w->conv_in = bind_conv(b, part, "decoder.conv_in");
    vae_bind_block(&w->mid[0], b, "decoder.mid_block.resnets.0", widest, widest);
    vae_bind_block(&w->mid[1], b, "decoder.mid_block.resnets.1", widest, widest);
    for (int i = 0; i < CONFIG_VAE_LEVELS; i++)
        bind_level(w, b, i);
    w->last = bind_group(b, part);
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

/* Writing row R of an enlarged picture must leave the rows from (R - 1) / 2 on of the small one
 * alone. */
int64_t vae_layout(const struct vae_config *c, int h, int w, int64_t at[VAE_PIECES])
{
    const int64_t unit = ARENA_ALIGN;
    int64_t next = 0, most = 0;

    for (int i = VAE_PIECES - 1; i > 0; i--) {
        const int64_t scale = scale_after(i + 1), line = w * scale * channels_after(c, i + 1);
        const int64_t size = h * scale * line, slack = 2 * line;

        at[i] = 0;
        if (i < VAE_PIECES - 1) at[i] = at[i + 1] + slack + (next > size ? next - size : 0);
        at[i] = (at[i] + unit - 1) / unit * unit;
        if (at[i] + size > most) most = at[i] + size;
        next = size;
    }
    at[0] = at[1]; /* the first level does not enlarge */
    return most;
}

void vae_place(struct vae_state *s, struct arena *a, const struct vae_config *c, enum dtype type)
{
    int64_t at[VAE_PIECES];

    s->room = arena_tensor(a, type, 1, vae_layout(c, s->h, s->w, at));
    s->rgb = arena_tensor(a, DT_U8, 64 * (int64_t)s->h * s->w, 3);
}

/* -- blocks ------------------------------------------------------------------------------------ */

static struct vae_common common(const struct vae *w)
{
    return (struct vae_common){.groups = w->cfg->groups, .band = w->band};
}

/* The enlarged input of a level, h x wd, of which a window of n rows and their neighbours is
 * there. */
struct window {
    const struct vae_level *l;
    tensor from, rows; /* half the size; [(n + 2) wd, l->in]: line 0 is row r - 1 of band r */
    int h, wd, n;
};

/* Rows [a, b) of the input, raw, to line `line` of the window. */
static void enlarge(const struct graph *g, const struct window *v, int a, int b, int line)
{
    if (b == a) return;
    g->dev->ops->conv(g->dev, vae_lines(v->rows, line, b - a, v->wd), v->from, v->l->enlarge,
                      v->h / 2, v->wd / 2, 1, a, tensor_none());
}

/* The input's statistics. A window that holds all of it keeps it for the second time. */
static void look_at_input(const struct graph *g, const struct vae *w, const struct window *v,
                          const struct vae_norm *n)
{
    const struct vae_common c = common(w);
    for (int r = 0; r < v->h; r += v->n) {
        const int m = vae_rows_at(r, v->n, v->h);

        enlarge(g, v, r, r + m, 1);
        g->dev->ops->norm_sums(g->dev, n->sums, vae_lines(v->rows, 1, m, v->wd), v->wd, r,
                               w->cfg->groups);
    }
    vae_norm_fold(g, &c, n, v->l->block[0].norm1, v->l->block[0].norm1_bias, v->h, v->wd);
}

/* x = shortcut(input), t = conv1(silu(norm1(input))), band by band. The last two lines of a window
 * are the first two of the next one; shortcut runs one row ahead of conv1. */
static void pass_input(const struct graph *g, const struct window *v, const struct vae_norm *n,
                       tensor x, tensor t)
{
    struct dev *d = g->dev;
    const struct vae_block *k = &v->l->block[0];

    for (int r = 0, made = 0; r < v->h; r += v->n) {
        const int m = vae_rows_at(r, v->n, v->h), last = r + m == v->h,
                  to = last ? v->h : r + m + 1;
        const tensor in = vae_lines(v->rows, made - r + 1, to - made, v->wd);

        if (!r) d->ops->zero(d, vae_lines(v->rows, 0, 1, v->wd));
        for (int i = 0; r && i < 2; i++)
            d->ops->copy(d, vae_lines(v->rows, i, 1, v->wd),
                         vae_lines(v->rows, v->n + i, 1, v->wd));
        if (v->n < v->h) enlarge(g, v, made, to, made - r + 1);
        if (to > made) {
            d->ops->conv(d, vae_lines(x, made, to - made, v->wd), in, k->shortcut, to - made, v->wd,
                         0, 0, tensor_none());
            d->ops->norm_act(d, in, in, n->norm, ACT_SILU);
        }
        if (last) d->ops->zero(d, vae_lines(v->rows, m + 1, 1, v->wd));
        d->ops->conv(d, vae_lines(t, r, m, v->wd), vae_lines(v->rows, 0, m + 2, v->wd), k->conv1,
                     m + 2, v->wd, 0, 1, tensor_none());
        made = to;
    }
}

/* x = block(enlarged input) where the width changes. */
static void block_change(const struct graph *g, const struct vae *w, int i, tensor x, tensor from,
                         int h, int wd)
{
    const struct vae_common c = common(w);
    struct dev *d = g->dev;
    const struct vae_level *l = &w->level[i];
    const int64_t line = (int64_t)wd * l->in * (int64_t)dtype_size(d->type);
    const int keep = g->tap || (size_t)(line * h) <= w->whole;
    struct window v = {.l = l, .from = from, .h = h, .wd = wd};
    size_t mark, inner;
    tensor t;
    struct vae_norm n;

    v.n = keep ? h : vae_band_rows(&c, h, line);
    mark = arena_mark(&d->scratch);
    t = graph_temp(g, x.rows, x.cols);
    inner = arena_mark(&d->scratch);
    v.rows = graph_temp(g, (int64_t)(v.n + 2) * wd, l->in);
    n = vae_norm_new(g, &c, h, l->in);
    if (!d->scratch.failed) {
        look_at_input(g, w, &v, &n);
        if (keep) tap_picture(g, vae_lines(v.rows, 1, h, wd), h, wd, "vae.up.%d", i - 1);
        pass_input(g, &v, &n, x, t);
    }
    arena_release(&d->scratch, inner);
    if (!d->scratch.failed) vae_second_half(g, &c, &l->block[0], x, t, h, wd);
    arena_release(&d->scratch, mark);
}

/* x = the enlarged `from`, which x overwrites as it grows. */
static void fetch(const struct graph *g, const struct vae *w, int i, tensor x, tensor from, int h,
                  int wd)
{
    const struct vae_common c = common(w);
    struct dev *d = g->dev;
    const int n = vae_band_rows(&c, h, wd * x.cols * (int64_t)dtype_size(x.type));
    size_t mark = arena_mark(&d->scratch);
    tensor t = graph_temp(g, (int64_t)n * wd, x.cols);

    for (int r = 0; r < h && !d->scratch.failed; r += n) {
        const tensor band = vae_lines(t, 0, vae_rows_at(r, n, h), wd);

        d->ops->conv(d, band, from, w->level[i].enlarge, h / 2, wd / 2, 1, r, tensor_none());
        d->ops->copy(d, vae_lines(x, r, vae_rows_at(r, n, h), wd), band);
    }
    arena_release(&d->scratch, mark);
    tap_picture(g, x, h, wd, "vae.up.%d", i - 1);
}

/* x [h*wd, out] = all blocks of level i. */
static void level(const struct graph *g, const struct vae *w, int i, tensor x, tensor from, int h,
                  int wd)
{
    const struct vae_common c = common(w);
    const struct vae_level *l = &w->level[i];

    graph_want(g, l->group);
    if (!l->block[0].shortcut) {
        if (l->enlarge) fetch(g, w, i, x, from, h, wd);
        vae_block_same(g, &c, &l->block[0], x, h, wd);
    } else {
        block_change(g, w, i, x, from, h, wd);
    }
    for (int k = 1; k <= w->cfg->blocks; k++)
        vae_block_same(g, &c, &l->block[k], x, h, wd);
}

static void first_piece(const struct graph *g, const struct vae *w, struct vae_state *s, tensor x,
                        tensor latents)
{
    const struct vae_common c = common(w);
    struct dev *d = g->dev;
    size_t mark = arena_mark(&d->scratch);
    tensor z = graph_temp(g, x.rows, w->cfg->latent);

    graph_want(g, w->first);
    if (!d->scratch.failed) {
        d->ops->denorm(d, z, latents, w->mean, w->std);
        tap_picture(g, z, s->h, s->w, "vae.in");
        d->ops->conv(d, x, z, w->conv_in, s->h, s->w, 0, 0, tensor_none());
        tap_picture(g, x, s->h, s->w, "vae.conv_in");
    }
    arena_release(&d->scratch, mark);
    vae_block_same(g, &c, &w->mid[0], x, s->h, s->w);
    vae_block_same(g, &c, &w->mid[1], x, s->h, s->w);
    tap_picture(g, x, s->h, s->w, "vae.mid");
}

static void last_piece(const struct graph *g, const struct vae *w, struct vae_state *s, tensor x,
                       int h, int wd)
{
    const struct vae_common c = common(w);
    struct dev *d = g->dev;
    size_t mark = arena_mark(&d->scratch);
    struct vae_norm n;
    tensor y;

    tap_picture(g, x, h, wd, "vae.up.%d", CONFIG_VAE_LEVELS - 1);
    n = vae_norm_new(g, &c, h, x.cols);
    graph_want(g, w->last);
    /* room for 8 columns: a device may compute that many at a time */
    y = tensor_cols(graph_temp(g, x.rows, 8), 0, 3);
    if (!d->scratch.failed) {
        vae_norm_of(g, &c, &n, x, w->norm, w->norm_bias, h, wd);
        if (g->tap) vae_tap_norm(g, x, n.norm, h, wd, "vae");
        vae_conv_normed(g, &c, y, x, n.norm, w->conv_out, h, wd, tensor_none());
        tap_picture(g, y, h, wd, "vae.out");
        d->ops->to_rgb8(d, s->rgb, y);
    }
    arena_release(&d->scratch, mark);
}

/* The picture after piece i, h x wd. */
static tensor picture(const struct vae *w, const struct vae_state *s, int i)
{
    int64_t at[VAE_PIECES];
    const int64_t scale = scale_after(i + 1), n = scale * scale * s->h * s->w;
    const int64_t cols = channels_after(w->cfg, i + 1);
    char *data;

    vae_layout(w->cfg, s->h, s->w, at);
    data = (char *)s->room.data + (size_t)at[i] * dtype_size(s->room.type);
    assert(at[i] + n * cols <= s->room.cols);
    return tensor_at(data, s->room.type, n, cols);
}

void vae_step(const struct graph *g, const struct vae *w, struct vae_state *s, tensor latents)
{
    const int i = s->piece, scale = scale_after(i + 1), h = s->h * scale, wd = s->w * scale;
    const tensor x = picture(w, s, i);

    if (i == 0)
        first_piece(g, w, s, x, latents);
    else
        level(g, w, i - 1, x, picture(w, s, i - 1), h, wd);
    if (i == VAE_PIECES - 1) last_piece(g, w, s, x, h, wd);
    s->piece++;
}
