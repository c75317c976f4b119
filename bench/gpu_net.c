/* gpu_net - shapes and noise. */
#include "bench/gpu_net.h"

#include "kernels/cuda/device.h"
#include "kernels/cuda_sizes.h"
#include "kernels/model/condition.h"
#include "weights/safetensors/dtype.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct net_config net_released(int layers)
{
    return (struct net_config){.ar = {.width = 4096,
                                      .layers = layers ? layers : 40,
                                      .heads = 32,
                                      .kv_heads = 2,
                                      .head_dim = 128,
                                      .ffn = 13696,
                                      .vocab = 168064,
                                      .rows = 16512,
                                      .eps = 1e-5f,
                                      .theta = 10000,
                                      .rotary = 64},
                               .sampling = {.temperature = 0.9, .top_p = 0.75, .top_k = 16512},
                               .dit = {.layers = layers ? layers : 30,
                                       .heads = 32,
                                       .head_dim = 128,
                                       .width = 4096,
                                       .channels = 16,
                                       .text = 1472,
                                       .time = 512,
                                       .cond = 256,
                                       .codes = 16384,
                                       .patch = 2},
                               .vae = {.channels = {128, 512, 1024, 1024},
                                       .blocks = layers ? 1 : 3,
                                       .latent = 16,
                                       .groups = 32},
                               .vit = {.width = 1536,
                                       .depth = layers ? layers : 40,
                                       .heads = 16,
                                       .ffn = 6144,
                                       .side = 128,
                                       .patch = CONFIG_PATCH_PIXELS,
                                       .eps = 1e-6f},
                               .codes = 16384,
                               .code_dim = 2048};
}

struct net_config net_small(void)
{
    struct net_config c = net_released(2);

    c.ar.width = 64;
    c.ar.heads = 4;
    c.ar.head_dim = 16;
    c.ar.ffn = 88;
    c.ar.vocab = c.ar.rows = 160;
    c.ar.rotary = 8;
    c.sampling.top_k = 160;
    c.dit.heads = 4;
    c.dit.head_dim = 16;
    c.dit.width = 64;
    c.dit.channels = 4;
    c.dit.text = 24;
    c.dit.time = 32;
    c.dit.cond = 16;
    c.dit.codes = c.codes = 128;
    c.vae.channels[0] = 8;
    c.vae.channels[1] = c.vae.channels[2] = 16;
    c.vae.channels[3] = 32;
    c.vae.latent = 4;
    c.vae.groups = 4;
    c.vit.width = 48;
    c.vit.heads = 2;
    c.vit.ffn = 96;
    c.code_dim = 40;
    return c;
}

void maker_check(struct maker *m, int err, const struct fail *f, const char *what)
{
    if (!err && !m->d->scratch.failed && !m->mem.failed) return;
    printf("%s: %s\n", what, err ? f->message : "an arena is too small");
    exit(1);
}

void maker_open(struct maker *m, struct dev *d, size_t bytes, size_t scratch)
{
    struct fail f = {0};
    void *base = NULL, *work = NULL;
    uint32_t r = 1;

    *m = (struct maker){.d = d, .values = 1 << 26};
    m->noise = malloc((size_t)m->values * 2);
    if (!m->noise) exit(1);
    for (int64_t i = 0; i < m->values; i++) {
        const float v = (float)((r = r * 1664525u + 1013904223u) >> 8) / (1 << 23) - 1;

        m->noise[i] = f32_to_bf16(v * 0.03f);
    }
    maker_check(m, d->ops->mem_new(d, &base, bytes, &f), &f, "memory");
    maker_check(m, d->ops->mem_new(d, &work, scratch, &f), &f, "scratch");
    arena_init(&m->mem, base, bytes);
    arena_init(&d->scratch, work, scratch);
}

tensor maker_tensor(struct maker *m, enum dtype type, int64_t rows, int64_t cols)
{
    tensor t = arena_tensor(&m->mem, type, rows, cols);

    maker_check(m, 0, NULL, "a tensor");
    return t;
}

void maker_fill(struct maker *m, tensor t)
{
    const int64_t each = m->values / t.cols < t.rows ? m->values / t.cols : t.rows;
    float *f = t.type == DT_F32 ? malloc((size_t)(each * t.cols) * sizeof *f) : NULL;

    if (t.type == DT_F32 && !f) exit(1);
    for (int64_t i = 0; f && i < each * t.cols; i++)
        f[i] = 30 * bf16_to_f32(m->noise[i]);
    for (int64_t i = 0; i < t.rows; i += each) {
        const int64_t n = t.rows - i < each ? t.rows - i : each;

        m->d->ops->put(m->d, tensor_rows(t, i, n), f ? (const void *)f : m->noise);
    }
    free(f);
}

/* On a GPU, without a byte through the host. */
static struct weight *make_there(struct maker *m, const struct weight_spec *s)
{
    struct cuda *c = cuda_of(m->d);
    struct fail f = {0};
    struct cuda_weight *w = calloc(1, sizeof *w);
    const int64_t taps = s->k ? s->k * s->k : 1, rows = s->part[0].rows, cols = s->part[0].cols;
    const int bf = c->bf && s->use != USE_VECTOR;

    if (!w) exit(1);
    *w = (struct cuda_weight){.use = s->use,
                              .out = rows,
                              .rows = cuda_sizes_weight_rows(c->dev.type, s),
                              .in = cols / taps,
                              .k = s->k,
                              .bytes = cuda_weight_size(m->d, s)};
    maker_check(m, m->d->ops->mem_new(m->d, &w->data, w->bytes, &f), &f, "a weight");
    cuda_weight_parts(w, c->dev.type, s);
    cu_noise(&c->q, bf, w->data, w->bytes / (bf ? 2 : 4), 0.03f, m->made);
    return (struct weight *)w;
}

/* Rows beyond the noise repeat it: up to four parts. */
static const struct weight *weight_of(struct maker *m, struct weight_spec s, int64_t rows,
                                      int64_t cols, int bias)
{
    struct weight *w = NULL;
    struct fail f = {0};
    const uint16_t *from = m->noise + (m->made++ * 7919 % 1009) * 64;
    const int64_t most = (m->values - (from - m->noise)) / cols;

    s.n = 0;
    s.name = "noise";
    if (m->made_there) {
        s.n = 1;
        s.part[0] = (struct source){from, DTYPE_BF16, rows, cols};
        if (bias) s.bias[0] = s.part[0];
        return make_there(m, &s);
    }
    for (int64_t left = rows; left > 0 && s.n < 4; left -= most, s.n++) {
        const int64_t n = left < most ? left : most;

        s.part[s.n] = (struct source){from, DTYPE_BF16, n, cols};
        if (bias) s.bias[s.n] = (struct source){from + 5, DTYPE_BF16, n, 1};
    }
    maker_check(m, m->d->ops->weight_new(m->d, &w, &s, &f), &f, "a weight");
    return w;
}

static const struct weight *weight(struct maker *m, enum weight_use use, int64_t rows, int64_t cols,
                                   int k, int bias)
{
    return weight_of(m, (struct weight_spec){.use = use, .k = k}, rows, cols, bias);
}

static const struct weight *vector(struct maker *m, int64_t n)
{
    return weight(m, USE_VECTOR, n, 1, 0, 0);
}

static const struct weight *linear(struct maker *m, int64_t out, int64_t in, int bias)
{
    return weight(m, USE_LINEAR, out, in, 0, bias);
}

static const struct weight *conv(struct maker *m, int64_t out, int64_t in, int k)
{
    return weight(m, USE_CONV, out, in * k * k, k, 1);
}

static const struct weight *conv_up(struct maker *m, int64_t n)
{
    return weight_of(m, (struct weight_spec){.use = USE_CONV, .k = 3, .up = 1}, n, n * 9, 1);
}

const struct weight *make_square(struct maker *m, int64_t n)
{
    return linear(m, n, n, 1);
}

void make_prior(struct maker *m, struct prior *p, const struct net_config *n)
{
    const struct ar_config *c = &n->ar;
    const int64_t inner = (int64_t)c->heads * c->head_dim, kv = (int64_t)c->kv_heads * c->head_dim;

    *p = (struct prior){.cfg = c, .sampling = &n->sampling, .codes = n->codes};
    p->table = weight(m, USE_TABLE, c->rows, c->width, 0, 0);
    for (int i = 0; i < c->layers; i++) {
        struct prior_layer *l = &p->layer[i];

        l->norm_attn = vector(m, c->width);
        l->norm_ff = vector(m, c->width);
        l->norm_out = vector(m, c->width);
        l->norm_next = vector(m, c->width);
        l->qkv = linear(m, inner + 2 * kv, c->width, 1);
        l->out = linear(m, c->width, inner, 0);
        l->gate_up = linear(m, 2 * (int64_t)c->ffn, c->width, 0);
        l->down = linear(m, c->width, c->ffn, 0);
    }
    p->norm = vector(m, c->width);
    p->head = linear(m, c->rows, c->width, 0);
}

void make_dit(struct maker *m, struct dit *w, const struct net_config *c)
{
    const int64_t n = c->dit.width, time = c->dit.time;

    *w = (struct dit){.cfg = &c->dit};
    w->image = linear(m, n, 4 * c->dit.channels, 1);
    w->time1 = linear(m, time, time, 1);
    w->time2 = linear(m, time, time, 1);
    w->size1 = linear(m, time, 4 * c->dit.cond, 1);
    w->size2 = linear(m, time, time, 1);
    for (int i = 0; i < c->dit.layers; i++) {
        struct dit_layer *l = &w->layer[i];

        l->mod = linear(m, MODS * n, time, 1);
        l->qkv = linear(m, 3 * n, n, 1);
        l->out = linear(m, n, n, 1);
        l->up = linear(m, 4 * n, n, 1);
        l->down = linear(m, n, 4 * n, 1);
    }
    w->norm_out = linear(m, 2 * n, time, 1);
    w->out = linear(m, 4 * c->dit.channels, n, 1);
    w->no_text = weight(m, USE_TABLE, 1, n, 0, 0);
    w->no_prior = weight(m, USE_TABLE, 1, n, 0, 0);
}

static void make_block(struct maker *m, struct vae_block *k, int in, int out)
{
    k->norm1 = vector(m, in);
    k->norm1_bias = vector(m, in);
    k->norm2 = vector(m, out);
    k->norm2_bias = vector(m, out);
    k->conv1 = conv(m, out, in, 3);
    k->conv2 = conv(m, out, out, 3);
    k->shortcut = in == out ? NULL : conv(m, out, in, 1);
}

void make_vae(struct maker *m, struct vae *v, const struct net_config *n)
{
    const struct vae_config *c = &n->vae;
    const int last = CONFIG_VAE_LEVELS - 1, top = c->channels[last], each = c->blocks + 1;

    *v = (struct vae){.cfg = c, .band = VAE_BAND, .whole = VAE_WHOLE};
    v->blocks = calloc((size_t)(CONFIG_VAE_LEVELS * each), sizeof *v->blocks);
    if (!v->blocks) exit(1);
    v->mean = vector(m, c->latent);
    v->std = vector(m, c->latent);
    v->conv_in = conv(m, top, c->latent, 3);
    v->norm = vector(m, c->channels[0]);
    v->norm_bias = vector(m, c->channels[0]);
    v->conv_out = conv(m, 3, c->channels[0], 3);
    for (int i = 0; i < 2; i++)
        make_block(m, &v->mid[i], top, top);
    for (int i = 0; i < CONFIG_VAE_LEVELS; i++) {
        struct vae_level *l = &v->level[i];

        l->out = c->channels[last - i];
        l->in = c->channels[last - (i ? i - 1 : 0)];
        l->block = v->blocks + i * each;
        for (int k = 0; k < each; k++)
            make_block(m, &l->block[k], k ? l->out : l->in, l->out);
        if (i) l->enlarge = conv_up(m, l->in);
    }
}

void make_encoder(struct maker *m, struct vae_encoder *w, const struct net_config *n)
{
    const struct vae_config *c = &n->vae;
    const int last = CONFIG_VAE_LEVELS - 1, top = c->channels[last];

    *w = (struct vae_encoder){.cfg = c, .common = {.groups = c->groups, .band = VAE_BAND}};
    w->blocks = calloc((size_t)(CONFIG_VAE_LEVELS * c->blocks), sizeof *w->blocks);
    if (!w->blocks) exit(1);
    w->conv_in = conv(m, c->channels[0], 3, 3);
    for (int i = 0; i < CONFIG_VAE_LEVELS; i++) {
        struct vae_encoder_level *l = &w->level[i];

        l->in = c->channels[i ? i - 1 : 0];
        l->out = c->channels[i];
        l->block = w->blocks + i * c->blocks;
        for (int k = 0; k < c->blocks; k++)
            make_block(m, &l->block[k], k ? l->out : l->in, l->out);
        if (i < last) l->down = conv(m, l->out, l->out, 3);
    }
    for (int i = 0; i < 2; i++)
        make_block(m, &w->mid[i], top, top);
    w->norm = vector(m, top);
    w->norm_bias = vector(m, top);
    w->conv_out = conv(m, 2 * (int64_t)c->latent, top, 3);
    w->mean = vector(m, c->latent);
    w->std = vector(m, c->latent);
}

void make_vision(struct maker *m, struct vision *w, const struct net_config *n)
{
    const struct vit_config *c = &n->vit;

    *w = (struct vision){.cfg = c, .codes = n->codes, .dim = n->code_dim};
    w->patch = linear(m, c->width, CONDITION_PATCH, 1);
    for (int i = 0; i < c->depth; i++) {
        struct vision_layer *l = &w->layer[i];

        l->norm1 = vector(m, c->width);
        l->norm1_bias = vector(m, c->width);
        l->norm2 = vector(m, c->width);
        l->norm2_bias = vector(m, c->width);
        l->qkv = linear(m, 3 * (int64_t)c->width, c->width, 1);
        l->out = linear(m, c->width, c->width, 1);
        l->up = linear(m, c->ffn, c->width, 1);
        l->down = linear(m, c->width, c->ffn, 1);
    }
    w->quant = linear(m, n->code_dim, c->width, 1);
    w->codebook = linear(m, n->codes, n->code_dim, 0);
    w->inverse = vector(m, n->codes);
}
