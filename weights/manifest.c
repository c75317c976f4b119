/* manifest - list every tensor of the topology from the configuration, and compare. */
#include "weights/manifest.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the tensors of the configuration ---- */

/* A list under construction; the first failed allocation sticks. */
struct list {
    struct manifest *m;
    size_t cap;
    enum part part;
    int failed;
};

/* Append one tensor, `nd` dimensions of d, named by printf rules. */
static void put(struct list *l, int nd, const int64_t *d, const char *format, va_list ap)
{
    struct manifest *m = l->m;
    int64_t count = 1;
    struct manifest_tensor *t;

    if (m->n == l->cap && !l->failed) {
        size_t cap = l->cap ? 2 * l->cap : 512;

        t = realloc(m->tensor, cap * sizeof *t);
        l->failed = !t;
        if (t) m->tensor = t;
        if (t) l->cap = cap;
    }
    if (l->failed) return;
    t = &m->tensor[m->n++];
    *t = (struct manifest_tensor){.part = l->part, .nd = nd, .dim = {1, 1, 1, 1}};
    for (int i = 0; i < nd; i++)
        count *= t->dim[i] = d[i];
    vsnprintf(t->name, sizeof t->name, format, ap);
    m->part_n[l->part]++;
    m->part_params[l->part] += count;
}

__attribute__((format(printf, 3, 4))) static void vec(struct list *l, int64_t n, const char *format,
                                                      ...)
{
    va_list ap;

    va_start(ap, format);
    put(l, 1, &n, format, ap);
    va_end(ap);
}

__attribute__((format(printf, 4, 5))) static void mat(struct list *l, int64_t rows, int64_t cols,
                                                      const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    put(l, 2, (const int64_t[]){rows, cols}, format, ap);
    va_end(ap);
}

__attribute__((format(printf, 5, 6))) static void cube(struct list *l, int64_t out, int64_t in,
                                                       int64_t side, const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    put(l, 4, (const int64_t[]){out, in, side, side}, format, ap);
    va_end(ap);
}

/* Weight and bias of a linear layer, of an affine norm, of a convolution. */
static void linear(struct list *l, const char *name, int64_t out, int64_t in)
{
    mat(l, out, in, "%s.weight", name);
    vec(l, out, "%s.bias", name);
}

static void norm(struct list *l, const char *name, int64_t n)
{
    vec(l, n, "%s.weight", name);
    vec(l, n, "%s.bias", name);
}

static void conv(struct list *l, const char *name, int64_t out, int64_t in, int64_t side)
{
    cube(l, out, in, side, "%s.weight", name);
    vec(l, out, "%s.bias", name);
}

/* "prefix + suffix" for the three above. */
struct name {
    char s[MANIFEST_NAME_MAX];
};

__attribute__((format(printf, 1, 2))) static struct name named(const char *format, ...)
{
    struct name n;
    va_list ap;

    va_start(ap, format);
    vsnprintf(n.s, sizeof n.s, format, ap);
    va_end(ap);
    return n;
}

static void prior_layer(struct list *l, const struct ar_config *a, int i)
{
    static const char *const norms[] = {"input_layernorm", "post_self_attn_layernorm",
                                        "post_attention_layernorm", "post_mlp_layernorm"};
    const char *at = "model.language_model.layers.";
    int64_t q = (int64_t)a->heads * a->head_dim, kv = (int64_t)a->kv_heads * a->head_dim;

    for (int k = 0; k < 4; k++)
        vec(l, a->width, "%s%d.%s.weight", at, i, norms[k]);
    linear(l, named("%s%d.self_attn.q_proj", at, i).s, q, a->width);
    linear(l, named("%s%d.self_attn.k_proj", at, i).s, kv, a->width);
    linear(l, named("%s%d.self_attn.v_proj", at, i).s, kv, a->width);
    mat(l, a->width, q, "%s%d.self_attn.o_proj.weight", at, i);
    mat(l, 2 * (int64_t)a->ffn, a->width, "%s%d.mlp.gate_up_proj.weight", at, i);
    mat(l, a->width, a->ffn, "%s%d.mlp.down_proj.weight", at, i);
}

static void vision_block(struct list *l, const struct vit_config *v, int i)
{
    const char *at = "model.visual.blocks.";

    norm(l, named("%s%d.norm1", at, i).s, v->width);
    norm(l, named("%s%d.norm2", at, i).s, v->width);
    linear(l, named("%s%d.attn.qkv", at, i).s, 3 * (int64_t)v->width, v->width);
    linear(l, named("%s%d.attn.proj", at, i).s, v->width, v->width);
    linear(l, named("%s%d.mlp.fc1", at, i).s, v->ffn, v->width);
    linear(l, named("%s%d.mlp.fc2", at, i).s, v->width, v->ffn);
}

static void build_prior(struct list *l, const struct model_config *c)
{
    const struct vit_config *v = &c->vit;

    mat(l, c->ar.vocab, c->ar.width, "model.language_model.embed_tokens.weight");
    for (int i = 0; i < c->ar.layers; i++)
        prior_layer(l, &c->ar, i);
    vec(l, c->ar.width, "model.language_model.norm.weight");
    mat(l, c->ar.rows, c->ar.width, "lm_head.weight");
    conv(l, "model.visual.patch_embed.proj", v->width, 3, v->patch);
    mat(l, (int64_t)v->side * v->side, v->width,
        "model.visual.embeddings.position_embedding.weight");
    for (int i = 0; i < v->depth; i++)
        vision_block(l, v, i);
    mat(l, c->vq.codes, c->vq.dim, "model.vqmodel.quantize.embedding.weight");
    conv(l, "model.vqmodel.quant_conv", c->vq.dim, v->width, 1);
    conv(l, "model.vqmodel.post_quant_conv", v->width, c->vq.dim, 1);
}

static void glyph_block(struct list *l, const struct glyph_config *g, int i)
{
    int64_t inner = (int64_t)g->heads * g->head_dim;
    struct name attn = named("encoder.block.%d.layer.0", i);
    struct name ff = named("encoder.block.%d.layer.1", i);

    vec(l, g->width, "%s.layer_norm.weight", attn.s);
    for (const char *p = "qkv"; *p; p++)
        mat(l, inner, g->width, "%s.SelfAttention.%c.weight", attn.s, *p);
    mat(l, g->width, inner, "%s.SelfAttention.o.weight", attn.s);
    if (i == 0)
        mat(l, g->buckets, g->heads, "%s.SelfAttention.relative_attention_bias.weight", attn.s);
    vec(l, g->width, "%s.layer_norm.weight", ff.s);
    mat(l, g->ffn, g->width, "%s.DenseReluDense.wi_0.weight", ff.s);
    mat(l, g->ffn, g->width, "%s.DenseReluDense.wi_1.weight", ff.s);
    mat(l, g->width, g->ffn, "%s.DenseReluDense.wo.weight", ff.s);
}

static void build_glyph(struct list *l, const struct model_config *c)
{
    mat(l, c->glyph.vocab, c->glyph.width, "shared.weight");
    for (int i = 0; i < c->glyph.layers; i++)
        glyph_block(l, &c->glyph, i);
    vec(l, c->glyph.width, "encoder.final_layer_norm.weight");
}

static void dit_block(struct list *l, const struct dit_config *t, int i)
{
    static const char *const projections[] = {"to_q", "to_k", "to_v", "to_out.0"};
    const char *at = "transformer_blocks.";
    int64_t w = t->width;

    linear(l, named("%s%d.norm1.linear", at, i).s, 12 * w, t->time);
    for (int k = 0; k < 4; k++)
        linear(l, named("%s%d.attn1.%s", at, i, projections[k]).s, w, w);
    linear(l, named("%s%d.ff.net.0.proj", at, i).s, 4 * w, w);
    linear(l, named("%s%d.ff.net.2", at, i).s, w, 4 * w);
}

static void build_dit(struct list *l, const struct model_config *c)
{
    const struct dit_config *t = &c->dit;
    const char *time = "time_condition_embed.timestep_embedder";
    const char *size = "time_condition_embed.condition_embedder";
    int64_t w = t->width, patch = (int64_t)t->channels * t->patch * t->patch;

    linear(l, "image_projector.proj", w, patch);
    linear(l, "glyph_projector.net.0.proj", w, t->text);
    linear(l, "glyph_projector.net.2", w, w);
    mat(l, t->codes, w, "prior_token_embedding.weight");
    linear(l, "prior_projector.net.0.proj", w, w);
    linear(l, "prior_projector.net.2", w, w);
    linear(l, named("%s.linear_1", time).s, t->time, t->time);
    linear(l, named("%s.linear_2", time).s, t->time, t->time);
    linear(l, named("%s.linear_1", size).s, t->time, 4 * (int64_t)t->cond);
    linear(l, named("%s.linear_2", size).s, t->time, t->time);
    for (int i = 0; i < t->layers; i++)
        dit_block(l, t, i);
    linear(l, "norm_out.linear", 2 * w, t->time);
    linear(l, "proj_out", patch, w);
}

/* One residual block of the VAE; a 1x1 shortcut only where the width changes. */
static void vae_res(struct list *l, struct name at, int in, int out)
{
    norm(l, named("%.70s.norm1", at.s).s, in);
    conv(l, named("%.70s.conv1", at.s).s, out, in, 3);
    norm(l, named("%.70s.norm2", at.s).s, out);
    conv(l, named("%.70s.conv2", at.s).s, out, out, 3);
    if (in != out) conv(l, named("%.70s.conv_shortcut", at.s).s, out, in, 1);
}

static void vae_mid(struct list *l, const char *half, int width)
{
    for (int k = 0; k < 2; k++)
        vae_res(l, named("%s.mid_block.resnets.%d", half, k), width, width);
}

static void build_encoder(struct list *l, const struct vae_config *v)
{
    const int last = CONFIG_VAE_LEVELS - 1, top = v->channels[last];

    conv(l, "encoder.conv_in", v->channels[0], 3, 3);
    for (int i = 0; i <= last; i++) {
        int out = v->channels[i], in = v->channels[i ? i - 1 : 0];

        for (int k = 0; k < v->blocks; k++)
            vae_res(l, named("encoder.down_blocks.%d.resnets.%d", i, k), k ? out : in, out);
        if (i < last)
            conv(l, named("encoder.down_blocks.%d.downsamplers.0.conv", i).s, out, out, 3);
    }
    vae_mid(l, "encoder", top);
    norm(l, "encoder.conv_norm_out", top);
    conv(l, "encoder.conv_out", 2 * (int64_t)v->latent, top, 3);
}

static void build_decoder(struct list *l, const struct vae_config *v)
{
    const int last = CONFIG_VAE_LEVELS - 1, top = v->channels[last];

    conv(l, "decoder.conv_in", top, v->latent, 3);
    vae_mid(l, "decoder", top);
    for (int i = 0; i <= last; i++) {
        int out = v->channels[last - i], in = v->channels[last - (i ? i - 1 : 0)];

        for (int k = 0; k <= v->blocks; k++)
            vae_res(l, named("decoder.up_blocks.%d.resnets.%d", i, k), k ? out : in, out);
        if (i < last) conv(l, named("decoder.up_blocks.%d.upsamplers.0.conv", i).s, out, out, 3);
    }
    norm(l, "decoder.conv_norm_out", v->channels[0]);
    conv(l, "decoder.conv_out", 3, v->channels[0], 3);
}

static void build_vae(struct list *l, const struct model_config *c)
{
    build_encoder(l, &c->vae);
    build_decoder(l, &c->vae);
}

int manifest_build(struct manifest *m, const struct model_config *c, struct fail *f)
{
    static void (*const build[PARTS])(struct list *, const struct model_config *) = {
        [PART_PRIOR] = build_prior,
        [PART_GLYPH] = build_glyph,
        [PART_DIT] = build_dit,
        [PART_VAE] = build_vae,
    };
    struct list l = {.m = m};

    memset(m, 0, sizeof *m);
    for (int p = 0; p < PARTS; p++) {
        l.part = (enum part)p;
        build[p](&l, c);
    }
    if (!l.failed) return 0;
    manifest_free(m);
    return fail_set(f, ERR_OUT_OF_MEMORY, "no memory for the list of tensors");
}

void manifest_free(struct manifest *m)
{
    free(m->tensor);
    memset(m, 0, sizeof *m);
}

/* ---- comparing with the files ---- */

__attribute__((format(printf, 2, 3))) static void report(struct manifest_report *r,
                                                         const char *format, ...)
{
    va_list ap;

    if (r->lines == MANIFEST_PROBLEMS) return;
    va_start(ap, format);
    vsnprintf(r->line[r->lines], sizeof r->line[0], format, ap);
    va_end(ap);
    r->lines++;
}

static int same_shape(const struct manifest_tensor *want, const struct stored_tensor *got)
{
    if (want->nd != got->nd) return 0;
    return !memcmp(want->dim, got->dim, sizeof want->dim);
}

const struct stored_tensor *manifest_find(const struct safetensors *st, enum part part,
                                          const char *name)
{
    const struct stored_tensor *t = safetensors_find(st, name);

    if (t || part != PART_GLYPH || strcmp(name, "shared.weight") != 0) return t;
    return safetensors_find(st, MANIFEST_ALIAS);
}

static void check_one(const struct manifest_tensor *want, const struct stored_tensor *got,
                      struct manifest_report *r)
{
    char shape[96], found[96];
    struct stored_tensor like = {.dtype = got ? got->dtype : DTYPE_BF16, .nd = want->nd};

    memcpy(like.dim, want->dim, sizeof like.dim);
    dtype_describe(&like, shape, sizeof shape);
    if (got && same_shape(want, got) && got->dtype <= DTYPE_BF16) return;
    r->problems++;
    if (!got) {
        *strchr(shape, ' ') = 0;
        report(r, "%s: tensor %s is missing; expected %s", config_part_dir(want->part), want->name,
               shape);
    } else if (!same_shape(want, got)) {
        report(r, "%s/%s: tensor %s is %s; expected %s", config_part_dir(want->part), got->file,
               want->name, dtype_describe(got, found, sizeof found), shape);
    } else {
        report(r, "%s/%s: tensor %s is %s; expected F32, F16 or BF16", config_part_dir(want->part),
               got->file, want->name, dtype_name(got->dtype));
    }
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Tensors of one part that the model does not use. */
static void check_extra(const struct manifest_tensor *want, size_t n, const struct safetensors *st,
                        enum part part, struct manifest_report *r)
{
    const char **name = malloc((n + 1) * sizeof *name);

    if (!name) return; /* warnings only */
    for (size_t i = 0; i < n; i++)
        name[i] = want[i].name;
    qsort(name, n, sizeof *name, by_name);
    for (size_t i = 0; i < safetensors_count(st); i++) {
        const struct stored_tensor *t = safetensors_at(st, i);

        if (bsearch(&t->name, name, n, sizeof *name, by_name)) continue;
        if (part == PART_GLYPH && !strcmp(t->name, MANIFEST_ALIAS)) continue;
        r->warnings++;
        report(r, "%s/%s: tensor %s is not used", config_part_dir(part), t->file, t->name);
    }
    free(name);
}

int manifest_check(const struct manifest *m, const struct safetensors *const part[PARTS],
                   struct manifest_report *r)
{
    const struct manifest_tensor *want = m->tensor;

    memset(r, 0, sizeof *r);
    for (; want < m->tensor + m->n; want++) {
        const struct safetensors *st = part[want->part];

        if (st) check_one(want, manifest_find(st, want->part, want->name), r);
    }
    want = m->tensor;
    for (int p = 0; p < PARTS; want += m->part_n[p++])
        if (part[p]) check_extra(want, m->part_n[p], part[p], (enum part)p, r);
    return r->problems ? ERR_MODEL : 0;
}
