/* dit - the joint transformer over all branches of a batch, guidance and the Euler step. */
#include "kernels/model/dit.h"

#include "weights/config.h"

#include <math.h>
#include <stdlib.h>

/* One branch of one picture in the common matrix. */
struct branch {
    const struct dit_state *s;
    int uncond;
    int64_t row, text, image; /* first row; text rows, then image rows */
    int64_t vec;              /* row of the modulation */
    int64_t rope;             /* first row of the common rotation table */
};

/* Everything that a step decides before it computes. */
struct step {
    const struct dit *w;
    struct branch branch[2 * LIMIT_BATCH];
    int branches;
    int64_t rows;                             /* of the common matrix */
    int64_t table;                            /* rows of the common rotation table */
    const struct dit_state *vec[LIMIT_BATCH]; /* a picture for each distinct (time, size) */
    /* vecs <= pictures. Temporaries have room for `pictures`, so that their size does not depend on
     * which pictures happen to be at the same time. */
    int vecs, pictures;
    tensor temb; /* T [vecs, time] */
    tensor rope; /* f32 [table, head_dim] */
    /* T [rows, width] twice: cached and own keys, values of one branch; none: nothing is cached */
    tensor keys, values;
    /* not a step: a condition image's pass, whose keys and values go to this cache */
    const struct dit_state *to;
    int64_t to_row;
    const char *name; /* its name for traces */
};

void dit_bind(struct dit *w, struct bind *b, const struct dit_config *c)
{
    const enum part part = PART_DIT;

    w->cfg = c;
    w->text = bind_group(b, PART_GLYPH);
    w->glyph1 = bind_linear(b, part, WITH_BIAS, "glyph_projector.net.0.proj");
    w->glyph2 = bind_linear(b, part, WITH_BIAS, "glyph_projector.net.2");
    w->first = bind_group(b, part);
    w->image = bind_linear(b, part, WITH_BIAS, "image_projector.proj");
    w->prior = bind_table(b, part, "prior_token_embedding.weight");
    w->prior1 = bind_linear(b, part, WITH_BIAS, "prior_projector.net.0.proj");
    w->prior2 = bind_linear(b, part, WITH_BIAS, "prior_projector.net.2");
    w->time1 = bind_linear(b, part, WITH_BIAS, "time_condition_embed.timestep_embedder.linear_1");
    w->time2 = bind_linear(b, part, WITH_BIAS, "time_condition_embed.timestep_embedder.linear_2");
    w->size1 = bind_linear(b, part, WITH_BIAS, "time_condition_embed.condition_embedder.linear_1");
    w->size2 = bind_linear(b, part, WITH_BIAS, "time_condition_embed.condition_embedder.linear_2");
    for (int i = 0; i < c->layers; i++) {
        struct dit_layer *l = &w->layer[i];
        char p[64];

        snprintf(p, sizeof p, "transformer_blocks.%d", i);
        l->group = bind_group(b, part);
        l->mod = bind_linear(b, part, WITH_BIAS, "%s.norm1.linear", p);
        l->qkv =
            bind_linear(b, part, WITH_BIAS, "%s.attn1.to_q %s.attn1.to_k %s.attn1.to_v", p, p, p);
        l->out = bind_linear(b, part, WITH_BIAS, "%s.attn1.to_out.0", p);
        l->up = bind_linear(b, part, WITH_BIAS, "%s.ff.net.0.proj", p);
        l->down = bind_linear(b, part, WITH_BIAS, "%s.ff.net.2", p);
    }
    w->last = bind_group(b, part);
    w->norm_out = bind_linear(b, part, WITH_BIAS, "norm_out.linear");
    w->out = bind_linear(b, part, WITH_BIAS, "proj_out");
}

/* y = second(act(first(x))) with the inner rows in scratch. */
static void two_layers(const struct graph *g, tensor y, tensor x, const struct weight *first,
                       enum activation act, const struct weight *second)
{
    struct dev *d = g->dev;
    size_t mark = arena_mark(&d->scratch);
    tensor h = graph_temp(g, y.rows, y.cols);

    if (!d->scratch.failed) {
        d->ops->linear(d, h, x, first, act, 0);
        d->ops->linear(d, y, h, second, ACT_NONE, 0);
    }
    arena_release(&d->scratch, mark);
}

static void project_codes(const struct graph *g, const struct dit *w, tensor y, tensor ids)
{
    struct dev *d = g->dev;
    size_t mark = arena_mark(&d->scratch);
    tensor e = graph_temp(g, y.rows, y.cols);

    if (!d->scratch.failed) {
        d->ops->embed(d, e, w->prior, ids);
        two_layers(g, y, e, w->prior1, ACT_SILU, w->prior2);
    }
    arena_release(&d->scratch, mark);
}

void dit_project_text(const struct graph *g, const struct dit *w, const struct dit_state *s,
                      tensor rows)
{
    graph_want(g, w->text);
    two_layers(g, s->text, rows, w->glyph1, ACT_GELU_ERF, w->glyph2);
}

void dit_project_prior(const struct graph *g, const struct dit *w, const struct dit_state *s)
{
    graph_want(g, w->first);
    project_codes(g, w, s->prior, s->ids);
}

/* Read one row back as floats. */
static int row_to_host(struct dev *d, tensor t, float *out, struct fail *f)
{
    uint16_t *half = (uint16_t *)out; /* the lower half of the room, expanded from the end */
    int err;

    if (t.type == DT_F32) {
        d->ops->get(d, out, t);
        return d->ops->sync(d, f);
    }
    d->ops->get(d, half, t);
    err = d->ops->sync(d, f);
    for (int64_t i = t.cols - 1; i >= 0; i--)
        out[i] = bf16_to_f32(half[i]);
    return err;
}

int dit_bind_empty(struct dit *w, struct bind *b, const struct graph *g, tensor empty)
{
    struct dev *d = g->dev;
    int64_t n = w->cfg->width;
    float *host = calloc((size_t)n, sizeof *host);
    const int32_t none = -1;
    size_t mark;
    tensor y, id;
    int err;

    if (!host) return fail_set(b->fail, ERR_OUT_OF_MEMORY, "no memory for one row");
    mark = arena_mark(&d->scratch);
    y = graph_temp(g, 1, n);
    id = arena_tensor(&d->scratch, DT_I32, 1, 1);
    graph_want(g, w->text);
    two_layers(g, y, empty, w->glyph1, ACT_GELU_ERF, w->glyph2);
    err = row_to_host(d, y, host, b->fail);
    if (!err) w->no_text = bind_values(b, USE_TABLE, "the text row of \"\"", host, 1, n);
    d->ops->put(d, id, &none);
    graph_want(g, w->first);
    project_codes(g, w, y, id);
    if (!err) err = row_to_host(d, y, host, b->fail);
    if (!err) w->no_prior = bind_values(b, USE_TABLE, "the row of a dropped prior", host, 1, n);
    arena_release(&d->scratch, mark);
    free(host);
    return err ? err : b->err;
}

void dit_place(struct dit_state *s, struct arena *a, const struct dit_config *c, enum dtype type,
               int64_t text)
{
    int64_t cells = (int64_t)s->h * s->w;

    s->text = arena_tensor(a, type, text, c->width);
    s->rope = arena_tensor(a, DT_F32, dit_patches(s), c->head_dim);
    s->times = arena_tensor(a, type, s->steps, c->time);
    s->size = arena_tensor(a, type, 1, 4 * c->cond);
    s->latents = arena_tensor(a, DT_F32, c->channels, cells);
    s->clean = arena_tensor(a, DT_F32, c->channels, cells);
    s->cache = tensor_none();
    if (s->cached) s->cache = arena_tensor(a, type, 2 * c->layers * s->cached, c->width);
}

tensor dit_cache(const struct dit_state *s, int layer, int half)
{
    return tensor_rows(s->cache, (2 * layer + half) * s->cached, s->cached);
}

void dit_place_prior(struct dit_state *s, struct arena *a, const struct dit_config *c,
                     enum dtype type)
{
    s->ids = arena_tensor(a, DT_I32, dit_patches(s), 1);
    s->prior = arena_tensor(a, type, dit_patches(s), c->width);
}

/* The row of the modulation for this picture: pictures at the same time and size share one. */
static int64_t share_vec(struct step *t, const struct dit_state *s)
{
    for (int i = 0; i < t->vecs; i++) {
        const struct dit_state *o = t->vec[i];

        if (o->width == s->width && o->height == s->height
            && !(o->timestep[o->step] != s->timestep[s->step])) /* compared by value, never NaN */
            return i;
    }
    t->vec[t->vecs] = s;
    return t->vecs++;
}

static void add_branch(struct step *t, const struct dit_state *s, int uncond, int64_t vec)
{
    struct branch *b = &t->branch[t->branches++];

    *b = (struct branch){.s = s,
                         .uncond = uncond,
                         .row = t->rows,
                         .text = uncond ? 1 : s->text.rows,
                         .image = dit_patches(s),
                         .vec = vec,
                         .rope = t->table};
    t->rows += b->text + b->image;
}

/* The layout: branches of a picture side by side, one table of rotations a picture. */
static void arrange(struct step *t, const struct dit *w, struct dit_state *const *s, int n)
{
    *t = (struct step){.w = w, .pictures = n};
    for (int i = 0; i < n; i++) {
        int64_t vec = share_vec(t, s[i]);

        add_branch(t, s[i], 0, vec);
        if (s[i]->guidance > 1.0f) add_branch(t, s[i], 1, vec);
        t->table += dit_patches(s[i]);
    }
}

static const char *branch_name(const struct branch *b)
{
    return b->uncond ? "uncond" : "cond";
}

/* Of the names of a branch's tensors: "dit.cond". */
struct prefix {
    char s[24];
};

static struct prefix prefix(const struct step *t, const struct branch *b)
{
    struct prefix p;

    snprintf(p.s, sizeof p.s, "%s%s", t->name ? "" : "dit.", t->name ? t->name : branch_name(b));
    return p;
}

static int tapped(const struct graph *g, const struct step *t)
{
    return g->tap && t->branch[0].s->step == 0;
}

static tensor text_rows(const struct branch *b, tensor x)
{
    return tensor_rows(x, b->row, b->text);
}

static tensor image_rows(const struct branch *b, tensor x)
{
    return tensor_rows(x, b->row + b->text, b->image);
}

/* A temporary with one row a modulation vector. */
static tensor per_vec(const struct graph *g, const struct step *t, int64_t cols)
{
    return tensor_rows(graph_temp(g, t->pictures, cols), 0, t->vecs);
}

/* temb [vecs, time] = silu(time embedding + size embedding). */
static void condition(const struct graph *g, struct step *t)
{
    struct dev *d = g->dev;
    const struct dit *w = t->w;
    size_t mark = arena_mark(&d->scratch);
    tensor times = per_vec(g, t, w->cfg->time), sizes = per_vec(g, t, 4 * w->cfg->cond);
    tensor b = per_vec(g, t, w->cfg->time);

    if (!d->scratch.failed) {
        for (int i = 0; i < t->vecs; i++) {
            const struct dit_state *s = t->vec[i];

            d->ops->copy(d, tensor_rows(times, i, 1), tensor_rows(s->times, s->step, 1));
            d->ops->copy(d, tensor_rows(sizes, i, 1), s->size);
        }
        two_layers(g, t->temb, times, w->time1, ACT_SILU, w->time2);
        two_layers(g, b, sizes, w->size1, ACT_SILU, w->size2);
        d->ops->add_act(d, t->temb, t->temb, b, ACT_SILU);
    }
    arena_release(&d->scratch, mark);
    if (!tapped(g, t)) return;
    for (int i = 0; i < t->branches; i++)
        tap_vector(g, tensor_rows(t->temb, t->branch[i].vec, 1), "%s.temb",
                   prefix(t, &t->branch[i]).s);
}

/* The image projector alone, which a trace wants to see before the prior is added. */
static void tap_image(const struct graph *g, const struct step *t, const struct branch *b, tensor x,
                      tensor patches)
{
    size_t mark = arena_mark(&g->dev->scratch);
    tensor y = graph_temp(g, b->image, x.cols);

    if (!g->dev->scratch.failed) {
        g->dev->ops->linear(g->dev, y, patches, t->w->image, ACT_NONE, 0);
        if (b->text) tap(g, text_rows(b, x), "%s.txt_in", prefix(t, b).s);
        tap(g, y, "%s.img_in", prefix(t, b).s);
        tap(g, image_rows(b, x), "%s.prior", prefix(t, b).s);
    }
    arena_release(&g->dev->scratch, mark);
}

/* The unconditional branch's rows repeat one row: a table with one entry. */
static void repeat_row(const struct graph *g, tensor y, const struct weight *row)
{
    struct dev *d = g->dev;
    size_t mark = arena_mark(&d->scratch);
    tensor zeros = arena_tensor(&d->scratch, DT_I32, y.rows, 1);

    if (!d->scratch.failed) {
        d->ops->zero(d, zeros);
        d->ops->embed(d, y, row, zeros);
    }
    arena_release(&d->scratch, mark);
}

/* x = [text; patches + prior] of every branch. */
static void enter(const struct graph *g, const struct step *t, tensor x)
{
    struct dev *d = g->dev;

    for (int i = 0; i < t->branches; i++) {
        const struct branch *b = &t->branch[i];
        size_t mark = arena_mark(&d->scratch);
        tensor patches = graph_temp(g, b->image, 4 * t->w->cfg->channels);

        if (!d->scratch.failed) {
            if (b->uncond) {
                repeat_row(g, text_rows(b, x), t->w->no_text);
                repeat_row(g, image_rows(b, x), t->w->no_prior);
            } else {
                if (b->text) d->ops->copy(d, text_rows(b, x), b->s->text);
                d->ops->copy(d, image_rows(b, x), b->s->prior);
            }
            d->ops->patchify(d, patches, b->s->latents, b->s->h, b->s->w);
            if (tapped(g, t)) tap_image(g, t, b, x, patches);
            d->ops->linear(d, image_rows(b, x), patches, t->w->image, ACT_NONE, 1);
        }
        arena_release(&d->scratch, mark);
    }
}

/* Two segments a branch, text and image; the vectors of the attention half (0) or of the FF's
 * (6). */
static int segments(const struct step *t, int half, struct seg *seg)
{
    int64_t d = t->w->cfg->width;
    int n = 0;

    for (int i = 0; i < t->branches; i++) {
        const struct branch *b = &t->branch[i];

        for (int text = b->text ? 1 : 0; text >= 0; text--)
            seg[n++] = (struct seg){.row = text ? b->row : b->row + b->text,
                                    .n = text ? b->text : b->image,
                                    .vec = b->vec,
                                    .shift = (MOD_SHIFT_ATTN + half + text) * d,
                                    .scale = (MOD_SCALE_ATTN + half + text) * d,
                                    .gate = (MOD_GATE_ATTN + half + text) * d,
                                    .rope = text ? -1 : b->rope};
    }
    return n;
}

/* This layer's keys and values of a condition image. */
static void remember(const struct graph *g, const struct step *t, int layer, tensor k, tensor v)
{
    const struct dit_state *to = t->to;

    g->dev->ops->copy(g->dev, tensor_rows(dit_cache(to, layer, 0), t->to_row, k.rows), k);
    g->dev->ops->copy(g->dev, tensor_rows(dit_cache(to, layer, 1), t->to_row, v.rows), v);
}

/* The keys or the values of a branch behind those of its condition images. */
static tensor join(const struct graph *g, tensor room, tensor cached, tensor own)
{
    const tensor all = tensor_rows(room, 0, cached.rows + own.rows);

    g->dev->ops->copy(g->dev, tensor_rows(all, 0, cached.rows), cached);
    g->dev->ops->copy(g->dev, tensor_rows(all, cached.rows, own.rows), own);
    return all;
}

static int sees_images(const struct branch *b)
{
    return !b->uncond && b->s->cached > 0;
}

/* Branches with condition images one by one, as they take turns in t->keys; then the others. */
static void attend(const struct graph *g, const struct step *t, int layer, tensor qkv, tensor o)
{
    struct dev *d = g->dev;
    const struct dit_config *c = t->w->cfg;
    tensor q = tensor_cols(qkv, 0, c->width), k = tensor_cols(qkv, c->width, c->width);
    tensor v = tensor_cols(qkv, 2 * (int64_t)c->width, c->width);
    const struct attn a = {.heads = c->heads,
                           .kv_heads = c->heads,
                           .head_dim = c->head_dim,
                           .scale = 1.0f / sqrtf((float)c->head_dim)};
    struct attn_seq s[2 * LIMIT_BATCH];
    int plain = 0;

    for (int i = 0; i < t->branches; i++) {
        const struct branch *b = &t->branch[i];
        const int64_t n = b->text + b->image;
        struct attn_seq one = {.q = tensor_rows(q, b->row, n),
                               .k = tensor_rows(k, b->row, n),
                               .v = tensor_rows(v, b->row, n),
                               .o = tensor_rows(o, b->row, n)};

        if (sees_images(b)) {
            one.k = join(g, t->keys, dit_cache(b->s, layer, 0), one.k);
            one.v = join(g, t->values, dit_cache(b->s, layer, 1), one.v);
            d->ops->attention(d, &a, &one, 1);
        } else {
            s[plain++] = one;
        }
    }
    if (plain) d->ops->attention(d, &a, s, plain);
}

/* h = attention of the normed rows h. 0: a condition image's keys and values are all that is asked
 * of this layer. */
static int attention(const struct graph *g, const struct step *t, int layer, const struct seg *seg,
                     int nseg, tensor h, tensor wide)
{
    struct dev *d = g->dev;
    const struct dit_config *c = t->w->cfg;
    const int64_t n = c->width;
    tensor qkv = graph_shape(wide, h.rows, 3 * n);

    d->ops->linear(d, qkv, h, t->w->layer[layer].qkv, ACT_NONE, 0);
    d->ops->qk_norm_rope(d, tensor_cols(qkv, 0, 2 * n), 2 * c->heads, t->rope, seg, nseg,
                         CONFIG_DIT_EPS);
    if (t->to) remember(g, t, layer, tensor_cols(qkv, n, n), tensor_cols(qkv, 2 * n, n));
    if (t->to && layer == c->layers - 1 && !g->tap) return 0;
    attend(g, t, layer, qkv, h);
    return 1;
}

/* x and h [rows, width] and wide [rows, 4 width] are all that a block needs: q, k, v and the
 * attention's projection take turns with the feed-forward's inner rows. */
static void block(const struct graph *g, const struct step *t, int layer, tensor x, tensor h,
                  tensor wide, tensor mod)
{
    struct dev *d = g->dev;
    const struct ops *op = d->ops;
    const struct dit_layer *l = &t->w->layer[layer];
    tensor projected = graph_shape(wide, x.rows, x.cols);
    struct seg seg[4 * LIMIT_BATCH];
    int nseg = segments(t, 0, seg);

    graph_want(g, l->group);
    op->linear(d, mod, t->temb, l->mod, ACT_NONE, 0);
    op->ln_mod(d, h, x, mod, seg, nseg, CONFIG_DIT_EPS);
    if (!attention(g, t, layer, seg, nseg, h, wide)) return;
    op->linear(d, projected, h, l->out, ACT_NONE, 0);
    op->gate_add(d, x, projected, mod, seg, nseg);
    segments(t, MOD_SHIFT_FF - MOD_SHIFT_ATTN, seg);
    op->ln_mod(d, h, x, mod, seg, nseg, CONFIG_DIT_EPS);
    op->linear(d, wide, h, l->up, ACT_GELU_TANH, 0);
    op->linear(d, h, wide, l->down, ACT_NONE, 0);
    op->gate_add(d, x, h, mod, seg, nseg);
}

static void tap_block(const struct graph *g, const struct step *t, int layer, tensor x, tensor mod)
{
    for (int i = 0; i < t->branches; i++) {
        const struct branch *b = &t->branch[i];

        if (!layer) tap_vector(g, tensor_rows(mod, b->vec, 1), "%s.mod.0", prefix(t, b).s);
        if (b->text) tap(g, text_rows(b, x), "%s.block.%d.txt", prefix(t, b).s, layer);
        tap(g, image_rows(b, x), "%s.block.%d.img", prefix(t, b).s, layer);
    }
}

/* Room for the most keys that a branch with condition images has. */
static void place_keys(const struct graph *g, struct step *t)
{
    int64_t most = 0;

    for (int i = 0; i < t->branches; i++) {
        const struct branch *b = &t->branch[i];
        const int64_t n = b->s->cached + b->text + b->image;

        if (sees_images(b) && n > most) most = n;
    }
    if (!most) return;
    t->keys = graph_temp(g, most, t->w->cfg->width);
    t->values = graph_temp(g, most, t->w->cfg->width);
}

static void blocks(const struct graph *g, struct step *t, tensor x, tensor h)
{
    struct dev *d = g->dev;
    size_t mark = arena_mark(&d->scratch);
    tensor wide = graph_temp(g, x.rows, 4 * x.cols), mod = per_vec(g, t, MODS * x.cols);

    place_keys(g, t);

    for (int i = 0; i < t->w->cfg->layers && !d->scratch.failed; i++) {
        block(g, t, i, x, h, wide, mod);
        if (tapped(g, t)) tap_block(g, t, i, x, mod);
    }
    arena_release(&d->scratch, mark);
}

/* h = LN(x) (1 + scale) + shift with the vectors of norm_out; here the scale comes first. */
static void norm_out(const struct graph *g, const struct step *t, tensor h, tensor x)
{
    struct dev *d = g->dev;
    struct seg seg[4 * LIMIT_BATCH];
    int nseg = segments(t, 0, seg);
    size_t mark;
    tensor mod;

    for (int i = 0; i < nseg; i++) {
        seg[i].scale = 0;
        seg[i].shift = x.cols;
    }
    mark = arena_mark(&d->scratch);
    mod = per_vec(g, t, 2 * x.cols);
    if (!d->scratch.failed) {
        d->ops->linear(d, mod, t->temb, t->w->norm_out, ACT_NONE, 0);
        d->ops->ln_mod(d, h, x, mod, seg, nseg, CONFIG_DIT_EPS);
    }
    arena_release(&d->scratch, mark);
}

/* Velocity of both branches, guidance, Euler: latents and the predicted picture of one run. */
static void advance(const struct graph *g, const struct step *t, const struct branch *b, tensor y)
{
    struct dev *d = g->dev;
    const struct dit_state *s = b->s;
    int i = s->step, guided = s->guidance > 1.0f;
    size_t mark = arena_mark(&d->scratch);
    tensor v[2] = {tensor_none(), tensor_none()};

    for (int k = 0; k <= guided; k++) {
        v[k] = arena_tensor(&d->scratch, DT_F32, t->w->cfg->channels, (int64_t)s->h * s->w);
        if (d->scratch.failed) break;
        d->ops->unpatchify(d, v[k], image_rows(b + k, y), s->h, s->w);
        tap_planes(g, v[k], s->h, s->w, "flow.%s.%d", branch_name(b + k), i);
    }
    if (!d->scratch.failed) {
        d->ops->euler(d, s->latents, v[0], v[1], s->guidance, s->sigma[i],
                      s->sigma[i + 1] - s->sigma[i], s->clean);
        tap_planes(g, s->latents, s->h, s->w, "flow.latents.%d", i + 1);
    }
    arena_release(&d->scratch, mark);
}

static void rotations(const struct graph *g, const struct step *t)
{
    for (int i = 0; i < t->branches; i++) {
        const struct branch *b = &t->branch[i];

        if (!b->uncond)
            g->dev->ops->copy(g->dev, tensor_rows(t->rope, b->rope, b->image), b->s->rope);
    }
}

static void leave(const struct graph *g, const struct step *t, tensor x, tensor h)
{
    struct dev *d = g->dev;
    size_t mark = arena_mark(&d->scratch);
    tensor y = graph_temp(g, x.rows, 4 * t->w->cfg->channels);

    graph_want(g, t->w->last);
    norm_out(g, t, h, x);
    if (!d->scratch.failed) {
        d->ops->linear(d, y, h, t->w->out, ACT_NONE, 0);
        for (int i = 0; i < t->branches; i++)
            if (!t->branch[i].uncond) advance(g, t, &t->branch[i], y);
    }
    arena_release(&d->scratch, mark);
}

/* All rows through all blocks; the steps of a picture also through what follows them. */
static void pass(const struct graph *g, struct step *t)
{
    struct dev *d = g->dev;
    const struct dit_config *c = t->w->cfg;
    size_t mark = arena_mark(&d->scratch);
    tensor x, h;

    t->temb = per_vec(g, t, c->time);
    t->rope = arena_tensor(&d->scratch, DT_F32, t->table, c->head_dim);
    x = graph_temp(g, t->rows, c->width);
    h = graph_temp(g, t->rows, c->width);
    if (!d->scratch.failed) {
        rotations(g, t);
        graph_want(g, t->w->first);
        condition(g, t);
        enter(g, t, x);
        blocks(g, t, x, h);
        if (!t->to) leave(g, t, x, h);
    }
    arena_release(&d->scratch, mark);
}

void dit_step(const struct graph *g, const struct dit *w, struct dit_state *const *s, int n)
{
    struct step t;

    arrange(&t, w, s, n);
    pass(g, &t);
    for (int i = 0; i < n; i++)
        s[i]->step++;
}

void dit_remember(const struct graph *g, const struct dit *w, const struct dit_state *s,
                  const struct dit_state *to, int64_t row, const char *name)
{
    struct step t = {.w = w, .pictures = 1, .to = to, .to_row = row, .name = name};

    assert(!s->text.rows && !s->cached && s->step == 0);
    t.vecs = 1;
    t.vec[0] = s;
    add_branch(&t, s, 0, 0);
    t.table = dit_patches(s);
    pass(g, &t);
}
