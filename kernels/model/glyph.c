/* glyph - T5 encoder blocks over the quoted texts. */
#include "kernels/model/glyph.h"

#include <math.h>
#include <stdlib.h>

int glyph_bucket(const struct glyph_config *c, int d)
{
    int half = c->buckets / 2, exact = half / 2, base = d > 0 ? half : 0, a = abs(d);
    float far, span;
    int v;

    if (a < exact) return base + a;
    far = (float)log((double)((float)a / (float)exact));
    span = (float)log((double)c->distance / (double)exact);
    v = exact + (int)(far / span * (float)(half - exact));
    return base + (v < half - 1 ? v : half - 1);
}

void glyph_bind(struct glyph *w, struct bind *b, const struct glyph_config *c)
{
    const enum part part = PART_GLYPH;

    w->cfg = c;
    w->first = bind_group(b, part);
    w->table = bind_table(b, part, "shared.weight");
    for (int i = 0; i < c->layers; i++) {
        struct glyph_layer *l = &w->layer[i];
        char at[64], ff[64];

        snprintf(at, sizeof at, "encoder.block.%d.layer.0.SelfAttention", i);
        snprintf(ff, sizeof ff, "encoder.block.%d.layer.1.DenseReluDense", i);
        l->group = bind_group(b, part);
        l->norm1 = bind_vector(b, part, "encoder.block.%d.layer.0.layer_norm.weight", i);
        l->qkv = bind_linear(b, part, NO_BIAS, "%s.q %s.k %s.v", at, at, at);
        l->out = bind_linear(b, part, NO_BIAS, "%s.o", at);
        l->norm2 = bind_vector(b, part, "encoder.block.%d.layer.1.layer_norm.weight", i);
        l->wi = bind_linear(b, part, NO_BIAS, "%s.wi_0 %s.wi_1", ff, ff);
        l->wo = bind_linear(b, part, NO_BIAS, "%s.wo", ff);
    }
    w->last = bind_group(b, part);
    w->norm = bind_vector(b, part, "encoder.final_layer_norm.weight");
    w->bias_table = model_tensor(
        b->model, part, "encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight");
}

void glyph_place(struct glyph *w, struct arena *a)
{
    w->bias = arena_tensor(a, DT_F32, w->cfg->heads, 2 * GLYPH_SPAN - 1);
}

int glyph_fill(struct glyph *w, struct dev *d, struct fail *f)
{
    int64_t cols = w->bias.cols, heads = w->bias.rows, n = w->bias_table->count;
    float *table = calloc((size_t)n, sizeof *table);
    float *bias = calloc((size_t)(heads * cols), sizeof *bias);
    int err = 0;

    if (!table || !bias) {
        err = fail_set(f, ERR_OUT_OF_MEMORY, "no memory for the glyph encoder's bias");
        goto out;
    }
    err = dtype_to_f32(w->bias_table, 0, n, table);
    for (int64_t j = 0; j < cols; j++) {
        int bucket = glyph_bucket(w->cfg, (int)(j - (GLYPH_SPAN - 1)));

        for (int64_t h = 0; h < heads; h++) {
            float v = table[bucket * heads + h];

            bias[h * cols + j] = d->type == DT_BF16 ? bf16_to_f32(f32_to_bf16(v)) : v;
        }
    }
    d->ops->put(d, w->bias, bias);
out:
    free(table);
    free(bias);
    return err;
}

/* Where the texts stand in the matrix of a call: packed, or padded for a trace. */
struct texts {
    const struct byt5 *ids;
    int64_t pad; /* rows of every text, or 0: its own length */
};

static int64_t text_len(const struct texts *t, int i)
{
    return (int64_t)(t->ids->start[i + 1] - t->ids->start[i]);
}

static int64_t text_row(const struct texts *t, int i)
{
    return t->pad ? i * t->pad : (int64_t)t->ids->start[i];
}

static struct texts arrange(const struct byt5 *ids, int padded)
{
    struct texts t = {.ids = ids};
    int64_t longest = 0;

    if (!padded) return t;
    for (int i = 0; i < ids->n; i++)
        if (text_len(&t, i) > longest) longest = text_len(&t, i);
    t.pad = longest;
    return t;
}

/* Every text attends to its own real rows; padding rows compute queries, but are no keys. */
static void attend(const struct graph *g, const struct glyph *w, const struct texts *t, tensor qkv,
                   tensor o)
{
    struct attn_seq seq[LIMIT_GLYPH_TEXTS];
    int64_t inner = (int64_t)w->cfg->heads * w->cfg->head_dim;
    struct attn a = {.heads = w->cfg->heads,
                     .kv_heads = w->cfg->heads,
                     .head_dim = w->cfg->head_dim,
                     .scale = 1.0f,
                     .bias = w->bias};

    for (int i = 0; i < t->ids->n; i++) {
        int64_t row = text_row(t, i), keys = text_len(t, i), n = t->pad ? t->pad : keys;
        tensor q = tensor_rows(qkv, row, n), kv = tensor_rows(qkv, row, keys);

        seq[i] = (struct attn_seq){.q = tensor_cols(q, 0, inner),
                                   .k = tensor_cols(kv, inner, inner),
                                   .v = tensor_cols(kv, 2 * inner, inner),
                                   .o = tensor_rows(o, row, n)};
    }
    g->dev->ops->attention(g->dev, &a, seq, t->ids->n);
}

static void layer(const struct graph *g, const struct glyph *w, const struct glyph_layer *l,
                  const struct texts *t, tensor x)
{
    struct dev *d = g->dev;
    const struct ops *op = d->ops;
    const struct glyph_config *c = w->cfg;
    int64_t m = x.rows, inner = (int64_t)c->heads * c->head_dim;
    size_t mark = arena_mark(&d->scratch);
    tensor h = graph_temp(g, m, c->width);
    tensor wide = graph_temp(g, m, 3 * inner > 2 * c->ffn ? 3 * inner : 2 * c->ffn);
    tensor narrow = graph_temp(g, m, inner > c->ffn ? inner : c->ffn);
    tensor qkv = graph_shape(wide, m, 3 * inner), o = graph_shape(narrow, m, inner);
    tensor gu = graph_shape(wide, m, 2 * c->ffn), f = graph_shape(narrow, m, c->ffn);

    if (!d->scratch.failed) {
        graph_want(g, l->group);
        op->rms(d, h, x, l->norm1, c->eps);
        op->linear(d, qkv, h, l->qkv, ACT_NONE, 0);
        attend(g, w, t, qkv, o);
        op->linear(d, x, o, l->out, ACT_NONE, 1);
        op->rms(d, h, x, l->norm2, c->eps);
        op->linear(d, gu, h, l->wi, ACT_NONE, 0);
        op->glu(d, f, gu, ACT_GELU_TANH);
        op->linear(d, x, f, l->wo, ACT_NONE, 1);
    }
    arena_release(&d->scratch, mark);
}

void glyph_encode(const struct graph *g, const struct glyph *w, const struct byt5 *ids, tensor rows,
                  const char *name)
{
    struct dev *d = g->dev;
    struct texts t = arrange(ids, g->tap != NULL);
    int64_t m = t.pad ? ids->n * t.pad : (int64_t)ids->start[ids->n];
    size_t mark = arena_mark(&d->scratch);
    tensor id = arena_tensor(&d->scratch, DT_I32, m, 1), x = graph_temp(g, m, w->cfg->width);

    if (!d->scratch.failed) {
        d->ops->zero(d, id);
        for (int i = 0; i < ids->n; i++)
            d->ops->put(d, tensor_rows(id, text_row(&t, i), text_len(&t, i)),
                        ids->ids.v + ids->start[i]);
        graph_want(g, w->first);
        d->ops->embed(d, x, w->table, id);
        for (int i = 0; i < w->cfg->layers; i++) {
            layer(g, w, &w->layer[i], &t, x);
            tap(g, x, "%s.block.%d", name, i);
        }
        graph_want(g, w->last);
        d->ops->rms(d, x, x, w->norm, w->cfg->eps);
        for (int i = 0; i < ids->n; i++)
            d->ops->copy(d, tensor_rows(rows, (int64_t)ids->start[i], text_len(&t, i)),
                         tensor_rows(x, text_row(&t, i), text_len(&t, i)));
        tap(g, rows, "%s.rows", name);
    }
    arena_release(&d->scratch, mark);
}
