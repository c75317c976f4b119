/* vision - binding, layers, the nearest entry of the codebook. */
#include "kernels/model/vision.h"

#include <math.h>
#include <stdlib.h>

/* Rows whose products with the codebook are there at a time. */
enum { MATCH_ROWS = 256 };

#define CODEBOOK "model.vqmodel.quantize.embedding"

/* 1 / max(length, 1e-12) of every entry. */
static int inverse_lengths(const struct stored_tensor *t, float *row, float *out)
{
    const int64_t n = t->dim[0], dim = t->dim[1];
    int err = 0;

    for (int64_t i = 0; i < n && !err; i++) {
        double sum = 0;

        err = dtype_to_f32(t, i * dim, dim, row);
        for (int64_t k = 0; k < dim; k++)
            sum += (double)row[k] * (double)row[k];
        out[i] = (float)(1 / fmax(sqrt(sum), 1e-12));
    }
    return err;
}

static void bind_inverse(struct vision *w, struct bind *b)
{
    float *out = calloc((size_t)w->codes, sizeof *out), *row = calloc((size_t)w->dim, sizeof *row);

    if (b->err) goto out;
    if (!out || !row
        || inverse_lengths(model_tensor(b->model, PART_PRIOR, CODEBOOK ".weight"), row, out))
        b->err = fail_set(b->fail, ERR_OUT_OF_MEMORY, "no memory for the codebook's lengths");
    else
        w->inverse = bind_values(b, USE_VECTOR, "lengths of the codebook", out, w->codes, 1);
out:
    free(out);
    free(row);
}

static void bind_layer(struct vision_layer *l, struct bind *b, int i)
{
    const enum part part = PART_PRIOR;
    char p[64];

    snprintf(p, sizeof p, "model.visual.blocks.%d", i);
    l->group = bind_images_group(b, part);
    l->norm1 = bind_vector(b, part, "%s.norm1.weight", p);
    l->norm1_bias = bind_vector(b, part, "%s.norm1.bias", p);
    l->qkv = bind_linear(b, part, WITH_BIAS, "%s.attn.qkv", p);
    l->out = bind_linear(b, part, WITH_BIAS, "%s.attn.proj", p);
    l->norm2 = bind_vector(b, part, "%s.norm2.weight", p);
    l->norm2_bias = bind_vector(b, part, "%s.norm2.bias", p);
    l->up = bind_linear(b, part, WITH_BIAS, "%s.mlp.fc1", p);
    l->down = bind_linear(b, part, WITH_BIAS, "%s.mlp.fc2", p);
}

void vision_bind(struct vision *w, struct bind *b, const struct model_config *c)
{
    const enum part part = PART_PRIOR;

    w->cfg = &c->vit;
    w->codes = c->vq.codes;
    w->dim = c->vq.dim;
    w->position = model_tensor(b->model, part, "model.visual.embeddings.position_embedding.weight");
    w->first = bind_images_group(b, part);
    w->patch = bind_linear(b, part, WITH_BIAS, "model.visual.patch_embed.proj");
    for (int i = 0; i < c->vit.depth; i++)
        bind_layer(&w->layer[i], b, i);
    w->last = bind_images_group(b, part);
    w->quant = bind_linear(b, part, WITH_BIAS, "model.vqmodel.quant_conv");
    w->codebook = bind_linear(b, part, NO_BIAS, CODEBOOK);
    bind_inverse(w, b);
}

static void attend(const struct graph *g, const struct vision *w, tensor o, tensor qkv)
{
    const int64_t n = w->cfg->width, dim = n / w->cfg->heads;
    const struct attn a = {.heads = w->cfg->heads,
                           .kv_heads = w->cfg->heads,
                           .head_dim = (int)dim,
                           .scale = 1.0f / sqrtf((float)dim)};
    const struct attn_seq s = {.q = tensor_cols(qkv, 0, n),
                               .k = tensor_cols(qkv, n, n),
                               .v = tensor_cols(qkv, 2 * n, n),
                               .o = o};

    g->dev->ops->attention(g->dev, &a, &s, 1);
}

static void layer(const struct graph *g, const struct vision *w, const struct vision_layer *l,
                  tensor x)
{
    struct dev *d = g->dev;
    const struct ops *op = d->ops;
    const struct vit_config *c = w->cfg;
    const int64_t m = x.rows, n = c->width;
    size_t mark = arena_mark(&d->scratch);
    tensor h = graph_temp(g, m, n), wide = graph_temp(g, m, 3 * n > c->ffn ? 3 * n : c->ffn);
    tensor qkv = graph_shape(wide, m, 3 * n), f = graph_shape(wide, m, c->ffn);

    if (!d->scratch.failed) {
        graph_want(g, l->group);
        op->layer_norm(d, h, x, l->norm1, l->norm1_bias, c->eps);
        op->linear(d, qkv, h, l->qkv, ACT_NONE, 0);
        attend(g, w, h, qkv);
        op->linear(d, x, h, l->out, ACT_NONE, 1);
        op->layer_norm(d, h, x, l->norm2, l->norm2_bias, c->eps);
        op->linear(d, f, h, l->up, ACT_GELU_ERF, 0);
        op->linear(d, x, f, l->down, ACT_NONE, 1);
    }
    arena_release(&d->scratch, mark);
}

/* ids I32 [cells, 1] of x. */
static void quantise(const struct graph *g, const struct vision *w, tensor ids, tensor x)
{
    struct dev *d = g->dev;
    const int64_t most = x.rows < MATCH_ROWS ? x.rows : MATCH_ROWS;
    size_t mark = arena_mark(&d->scratch);
    tensor z = graph_temp(g, x.rows, w->dim);
    tensor scores = arena_tensor(&d->scratch, DT_F32, most, w->codes);

    if (!d->scratch.failed) {
        graph_want(g, w->last);
        d->ops->linear(d, z, x, w->quant, ACT_NONE, 0);
        tap(g, z, "vit.z");
    }
    for (int64_t r = 0; r < x.rows && !d->scratch.failed; r += most) {
        const int64_t n = x.rows - r < most ? x.rows - r : most;

        d->ops->linear(d, tensor_rows(scores, 0, n), tensor_rows(z, r, n), w->codebook, ACT_NONE,
                       0);
        d->ops->argmax(d, tensor_rows(ids, r, n), tensor_rows(scores, 0, n), w->inverse);
    }
    arena_release(&d->scratch, mark);
}

void vision_encode(const struct graph *g, const struct vision *w, tensor codes, tensor patches,
                   tensor positions)
{
    struct dev *d = g->dev;
    size_t mark = arena_mark(&d->scratch);
    tensor x = graph_temp(g, patches.rows, w->cfg->width);

    if (!d->scratch.failed) {
        tap(g, patches, "vit.pixels");
        graph_want(g, w->first);
        d->ops->linear(d, x, patches, w->patch, ACT_NONE, 0);
        tap(g, x, "vit.patch");
        d->ops->add_act(d, x, x, positions, ACT_NONE);
        tap(g, x, "vit.embed");
        for (int i = 0; i < w->cfg->depth; i++) {
            layer(g, w, &w->layer[i], x);
            tap(g, x, "vit.block.%d", i);
        }
        quantise(g, w, codes, x);
        tap_vector(g, codes, "vit.codes");
    }
    arena_release(&d->scratch, mark);
}
