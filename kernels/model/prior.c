/* prior - decoder layers, caches, sampling. */
#include "kernels/model/prior.h"

#include "kernels/number.h"

#include <math.h>
#include <string.h>

#define EMBEDDING "model.language_model.embed_tokens.weight"

/* A layer's last pass takes the norm of the next layer, or the one before the head, along: that one
 * is stored with the layer. */
void prior_bind(struct prior *w, struct bind *b, const struct model_config *c)
{
    const enum part part = PART_PRIOR;

    w->cfg = &c->ar;
    w->sampling = &c->sample;
    w->codes = c->vq.codes;
    w->prompt = model_tensor(b->model, part, EMBEDDING);
    w->first = bind_group(b, part);
    w->table = bind_table_rows(b, part, c->ar.rows, EMBEDDING);
    w->norm = bind_vector(b, part, "model.language_model.layers.0.input_layernorm.weight");
    for (int i = 0; i < c->ar.layers; i++) {
        struct prior_layer *l = &w->layer[i];
        char p[64];

        snprintf(p, sizeof p, "model.language_model.layers.%d", i);
        l->group = bind_group(b, part);
        l->norm_attn = bind_vector(b, part, "%s.post_self_attn_layernorm.weight", p);
        l->norm_ff = bind_vector(b, part, "%s.post_attention_layernorm.weight", p);
        l->norm_out = bind_vector(b, part, "%s.post_mlp_layernorm.weight", p);
        if (i + 1 < c->ar.layers)
            l->norm_next = bind_vector(
                b, part, "model.language_model.layers.%d.input_layernorm.weight", i + 1);
        else
            l->norm_next = bind_vector(b, part, "model.language_model.norm.weight");
        l->qkv =
            bind_linear(b, part, WITH_BIAS,
                        "%s.self_attn.q_proj %s.self_attn.k_proj %s.self_attn.v_proj", p, p, p);
        l->out = bind_linear(b, part, NO_BIAS, "%s.self_attn.o_proj", p);
        l->gate_up = bind_linear(b, part, NO_BIAS, "%s.mlp.gate_up_proj", p);
        l->down = bind_linear(b, part, NO_BIAS, "%s.mlp.down_proj", p);
    }
    w->last = bind_group(b, part);
    w->head = bind_linear(b, part, NO_BIAS, "lm_head");
}

int64_t prior_cache_rows(const struct prior_seq *s)
{
    return s->prompt + s->samples - 1;
}

int64_t prior_chunks(int64_t prompt, int whole)
{
    return whole ? 1 : (prompt + PRIOR_CHUNK - 1) / PRIOR_CHUNK;
}

int64_t prior_calls(const struct prior_seq *s)
{
    return s->chunks - 1 + s->samples; /* the last chunk samples a token */
}

void prior_seek(struct prior_seq *s, int64_t calls)
{
    s->prefilled = calls < s->chunks ? calls : s->chunks;
    s->sampled = calls < s->chunks ? 0 : calls - s->chunks + 1;
}

void prior_place_tokens(struct prior_seq *s, struct arena *a, int teacher_forced)
{
    s->state = arena_tensor(a, DT_I32, 1, AR_STATE);
    s->tokens = arena_tensor(a, DT_I32, 1, s->samples);
    s->teacher_forced = teacher_forced ? arena_tensor(a, DT_I32, 1, s->samples) : tensor_none();
}

void prior_place(struct prior_seq *s, struct arena *a, const struct ar_config *c, enum dtype type)
{
    int64_t rows = prior_cache_rows(s);

    s->text = arena_tensor(a, type, s->prompt, c->width);
    s->rope = arena_tensor(a, DT_F32, rows, c->rotary);
    s->kv = arena_tensor(a, type, c->layers * 2 * rows, (int64_t)c->kv_heads * c->head_dim);
}

void prior_embed(const struct prior *w, enum dtype type, const int32_t *ids, int64_t n, void *rows)
{
    const int64_t width = w->cfg->width;

    for (int64_t i = 0; i < n; i++) {
        char *to = (char *)rows + (size_t)(i * width) * dtype_size(type);

        if (type == DT_BF16)
            dtype_to_bf16(w->prompt, ids[i] * width, width, (uint16_t *)(void *)to);
        else
            dtype_to_f32(w->prompt, ids[i] * width, width, (float *)(void *)to);
    }
}

/* The first row of a chunk of the prompt. */
static int64_t chunk_row(const struct prior_seq *s, int64_t chunk)
{
    return s->prompt * chunk / s->chunks;
}

/* Rows that this call feeds, and rows that the cache has before it. */
static int64_t fed(const struct prior_seq *s)
{
    return s->sampled ? 1 : chunk_row(s, s->prefilled + 1) - chunk_row(s, s->prefilled);
}

int64_t prior_cached(const struct prior_seq *s)
{
    return s->sampled ? s->prompt + s->sampled - 1 : chunk_row(s, s->prefilled);
}

/* 1: this call is not the last chunk of the prompt. */
static int more_chunks(const struct prior_seq *s)
{
    return s->prefilled + 1 < s->chunks;
}

static tensor cache_rows(const struct prior_seq *s, int layer, int half, int64_t n)
{
    return tensor_rows(s->kv, (2 * layer + half) * prior_cache_rows(s), n);
}

tensor prior_cache(const struct prior_seq *s, int layer, int half)
{
    return cache_rows(s, layer, half, prior_cached(s));
}

/* As far as it is in use after this call. */
static tensor cache(const struct prior_seq *s, int layer, int half)
{
    return cache_rows(s, layer, half, prior_cached(s) + fed(s));
}

/* Prompts bring their rows along; sampled tokens are looked up in the table. h: x with the first
 * layer's norm. */
static void embed(const struct graph *g, const struct prior *w, struct prior_seq *const *seq, int n,
                  tensor x, tensor h)
{
    struct dev *d = g->dev;

    graph_want(g, w->first);
    assert(seq[0]->sampled || n == 1);
    if (!seq[0]->sampled)
        d->ops->copy(d, x, tensor_rows(seq[0]->text, prior_cached(seq[0]), x.rows));
    for (int i = 0; i < n && seq[0]->sampled; i++)
        d->ops->embed(d, tensor_rows(x, i, 1), w->table, tensor_cols(seq[i]->state, AR_NEXT, 1));
    d->ops->rms(d, h, x, w->norm, w->cfg->eps);
}

static void attend(const struct graph *g, const struct prior *w, int layer,
                   struct prior_seq *const *seq, int n, tensor qkv, tensor o)
{
    const struct ar_config *c = w->cfg;
    struct ar_seq s[LIMIT_BATCH];
    struct attn a = {.heads = c->heads,
                     .kv_heads = c->kv_heads,
                     .head_dim = c->head_dim,
                     .scale = 1.0f / sqrtf((float)c->head_dim)};
    int64_t row = 0;

    for (int i = 0; i < n; i++) {
        s[i] = (struct ar_seq){.row = row,
                               .n = fed(seq[i]),
                               .k = cache(seq[i], layer, 0),
                               .v = cache(seq[i], layer, 1),
                               .rope =
                                   tensor_rows(seq[i]->rope, 0, prior_cached(seq[i]) + fed(seq[i])),
                               .state = seq[i]->state};
        row += fed(seq[i]);
    }
    g->dev->ops->ar_attention(g->dev, o, qkv, &a, c->rotary, s, n);
}

/* x: the stream. h: its norm before the layer, and before the next one after it. */
static void layer(const struct graph *g, const struct prior *w, int i, struct prior_seq *const *seq,
                  int n, tensor x, tensor h)
{
    struct dev *d = g->dev;
    const struct ops *op = d->ops;
    const struct ar_config *c = w->cfg;
    const struct prior_layer *l = &w->layer[i];
    int64_t m = x.rows, inner = (int64_t)c->heads * c->head_dim;
    int64_t all = inner + 2 * (int64_t)c->kv_heads * c->head_dim;
    size_t mark = arena_mark(&d->scratch);
    tensor wide = graph_temp(g, m, all > 2 * c->ffn ? all : 2 * c->ffn);
    tensor narrow = graph_temp(g, m, inner > c->ffn ? inner : c->ffn);
    tensor qkv = graph_shape(wide, m, all), o = graph_shape(narrow, m, inner);
    tensor gu = graph_shape(wide, m, 2 * c->ffn), f = graph_shape(narrow, m, c->ffn);

    if (!d->scratch.failed) {
        graph_want(g, l->group);
        op->linear(d, qkv, h, l->qkv, ACT_NONE, 0);
        attend(g, w, i, seq, n, qkv, o);
        op->linear(d, h, o, l->out, ACT_NONE, 0);
        op->rms_add_rms(d, x, h, l->norm_attn, h, l->norm_ff, c->eps);
        op->linear_glu(d, f, gu, h, l->gate_up, ACT_SILU);
        op->linear(d, h, f, l->down, ACT_NONE, 0);
        op->rms_add_rms(d, x, h, l->norm_out, h, l->norm_next, c->eps);
    }
    arena_release(&d->scratch, mark);
}

static void sample(const struct graph *g, const struct prior *w, struct prior_seq *const *seq,
                   int n, tensor logits)
{
    struct sample row[LIMIT_BATCH];

    for (int i = 0; i < n; i++)
        row[i] = (struct sample){.state = seq[i]->state,
                                 .tokens = seq[i]->tokens,
                                 .teacher_forced = seq[i]->teacher_forced,
                                 .advance = fed(seq[i]),
                                 .seed = seq[i]->seed,
                                 .picture = seq[i]->picture,
                                 .temperature = w->sampling->temperature,
                                 .top_p = w->sampling->top_p,
                                 .top_k = w->sampling->top_k,
                                 .codes = w->codes,
                                 .strict = seq[i]->strict};
    g->dev->ops->sample(g->dev, logits, row, n);
}

/* Only the last row of every sequence needs logits. h: the stream after the last norm. */
static void finish(const struct graph *g, const struct prior *w, struct prior_seq *const *seq,
                   int n, tensor h)
{
    struct dev *d = g->dev;
    size_t mark = arena_mark(&d->scratch);
    tensor last = graph_temp(g, n, w->cfg->width);
    tensor logits = arena_tensor(&d->scratch, DT_F32, n, w->cfg->rows);

    if (!d->scratch.failed) {
        int64_t row = 0;

        for (int i = 0; i < n && h.rows > n; i++) {
            row += fed(seq[i]);
            d->ops->copy(d, tensor_rows(last, i, 1), tensor_rows(h, row - 1, 1));
        }
        graph_want(g, w->last);
        d->ops->linear(d, logits, h.rows > n ? last : h, w->head, ACT_NONE, 0);
        tap(g, logits, "ar.logits");
        sample(g, w, seq, n, logits);
    }
    arena_release(&d->scratch, mark);
}

/* Nothing is sampled after such a chunk, so the host itself says how long the cache is now. */
static void pass(struct dev *d, const struct prior_seq *s)
{
    const int32_t rows = (int32_t)(prior_cached(s) + fed(s));

    d->ops->put(d, tensor_cols(s->state, AR_LEN, 1), &rows);
}

/* The sequences take one step together. */
static void together(const struct graph *g, const struct prior *w, struct prior_seq *const *seq,
                     int n)
{
    struct dev *d = g->dev;
    int64_t m = 0;
    int tapped;
    size_t mark;
    tensor x, h;

    for (int i = 0; i < n; i++)
        m += fed(seq[i]);
    tapped = g->tap && !seq[0]->sampled;
    mark = arena_mark(&d->scratch);
    x = graph_temp(g, m, w->cfg->width);
    h = graph_temp(g, m, w->cfg->width);
    if (!d->scratch.failed) {
        embed(g, w, seq, n, x, h);
        if (tapped) tap(g, x, "ar.embed");
        for (int i = 0; i < w->cfg->layers; i++) {
            layer(g, w, i, seq, n, x, h);
            if (tapped) tap(g, x, "ar.layer.%d", i);
        }
        if (tapped) tap(g, h, "ar.norm");
        if (more_chunks(seq[0]))
            pass(d, seq[0]);
        else
            finish(g, w, seq, n, h);
    }
    arena_release(&d->scratch, mark);
}

/* What a step of single tokens depends on, but for the numbers in device memory. */
static uint64_t step_key(const struct dev *d, struct prior_seq *const *seq, int n)
{
    uint64_t h = number_mix(NUMBER_MIX, (uintptr_t)d->scratch.base);

    for (int i = 0; i < n; i++) {
        const struct prior_seq *s = seq[i];
        const void *const at[] = {s->kv.data, s->rope.data, s->state.data, s->tokens.data,
                                  s->teacher_forced.data};

        for (size_t k = 0; k < sizeof at / sizeof *at; k++)
            h = number_mix(h, (uintptr_t)at[k]);
        h = number_mix(number_mix(h, s->seed), (uint64_t)s->picture << 1 | (uint64_t)s->strict);
        h = number_mix(number_mix(h, (uint64_t)s->prompt), (uint64_t)s->samples);
    }
    return h;
}

/* Single tokens: the same calls every time, so a device that can repeats what it has recorded. */
static void tokens(const struct graph *g, const struct prior *w, struct prior_seq *const *seq,
                   int n)
{
    const struct ops *op = g->dev->ops;
    const int record = op->begin && !g->tap && graph_steady(g, PART_PRIOR);

    if (record && op->begin(g->dev, step_key(g->dev, seq, n))) return;
    together(g, w, seq, n);
    if (record) op->end(g->dev);
}

/* Prompts go one by one: the other pictures of a step must not decide how a row's products are
 * computed. */
void prior_step(const struct graph *g, const struct prior *w, struct prior_seq *const *seq, int n)
{
    struct prior_seq *going[LIMIT_BATCH];
    int count = 0;

    assert(n <= LIMIT_BATCH);
    for (int i = 0; i < n; i++)
        if (seq[i]->sampled)
            going[count++] = seq[i];
        else
            together(g, w, &seq[i], 1);
    if (count) tokens(g, w, going, count);
    for (int i = 0; i < n; i++)
        prior_seek(seq[i], seq[i]->prefilled + (seq[i]->sampled ? seq[i]->sampled - 1 : 0) + 1);
}
