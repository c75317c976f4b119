/* config - one function per JSON file: read it, refuse unsupported values, compare the sizes. */
#include "weights/config.h"

#include "weights/json.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define WIDTH_MAX 1048576 /* of any dimension that is not a count of layers */

static const char *const part_dirs[PARTS] = {
    [PART_PRIOR] = "vision_language_encoder",
    [PART_GLYPH] = "text_encoder",
    [PART_DIT] = "transformer",
    [PART_VAE] = "vae",
};

const char *config_part_dir(enum part p)
{
    assert(p < PARTS);
    return part_dirs[p];
}

const char *config_part_stem(enum part p)
{
    return p == PART_DIT || p == PART_VAE ? "diffusion_pytorch_model" : "model";
}

static int get_width(struct json_doc *d, const char *path)
{
    return (int)json_get_int(d, path, 1, WIDTH_MAX);
}

static int get_width_or(struct json_doc *d, const char *path, int def)
{
    return (int)json_get_int_or(d, path, 1, WIDTH_MAX, def);
}

static int get_layers_or(struct json_doc *d, const char *path, int def)
{
    return (int)json_get_int_or(d, path, 1, LIMIT_LAYERS, def);
}

/* ---- vision_language_encoder/config.json ---- */

/* Rotary settings are in rope_parameters; older files have rope_scaling, and theta beside it. */
static void read_rope(struct json_doc *d, struct ar_config *a)
{
    bool old = json_at(d, "text_config.rope_scaling") != NULL;
    const char *at = old ? "text_config.rope_scaling" : "text_config.rope_parameters";
    char type[80], theta[80], partial[80], section[80];
    static const int released[3] = {8, 12, 12};
    int sum = 0;
    double base, part;

    snprintf(type, sizeof type, "%s.rope_type", at);
    if (!json_at(d, type)) snprintf(type, sizeof type, "%s.type", at);
    snprintf(theta, sizeof theta, "%s.rope_theta", at);
    snprintf(partial, sizeof partial, "%s.partial_rotary_factor", at);
    snprintf(section, sizeof section, "%s.mrope_section", at);

    json_only_text(d, type, "default", true);
    base = json_get_real_or(d, "text_config.rope_theta", 1e-3, 1e12, 10000.0);
    a->theta = (float)json_get_real_or(d, theta, 1e-3, 1e12, base);
    part = json_get_real_or(d, "text_config.partial_rotary_factor", 0, 1, 1.0);
    part = json_get_real_or(d, partial, 0, 1, part);
    a->rotary = (int)((double)a->head_dim * part);
    if (a->rotary < 2 || a->rotary % 2)
        json_refuse(d, partial, "turns %d of %d dimensions of a head; an even number is needed",
                    a->rotary, a->head_dim);
    a->sections = 3;
    memcpy(a->section, released, sizeof released);
    if (json_at(d, section))
        a->sections = json_get_ints(d, section, 0, a->rotary, 1, CONFIG_SECTIONS_MAX, a->section);
    for (int i = 0; i < a->sections; i++)
        sum += a->section[i];
    if (sum != a->rotary / 2)
        json_refuse(d, section, "adds up to %d; it must be half of the %d rotated dimensions", sum,
                    a->rotary);
}

static void read_ar(struct json_doc *d, struct ar_config *a)
{
    bool null_kv;

    json_only_text(d, "text_config.hidden_act", "silu", true);
    json_only_bool(d, "text_config.attention_bias", true, true);
    json_only_bool(d, "tie_word_embeddings", false, true);
    json_only_bool(d, "text_config.tie_word_embeddings", false, true);
    a->width = get_width_or(d, "text_config.hidden_size", 4096);
    a->layers = get_layers_or(d, "text_config.num_hidden_layers", 40);
    a->heads = get_width_or(d, "text_config.num_attention_heads", 32);
    /* the class's default is 2, but an explicit null means as many as heads */
    null_kv = json_is_null(json_object_get(json_at(d, "text_config"), "num_key_value_heads"));
    a->kv_heads = get_width_or(d, "text_config.num_key_value_heads", null_kv ? a->heads : 2);
    if (!json_at(d, "text_config.head_dim") && a->width % a->heads)
        json_refuse(d, "text_config.num_attention_heads", "is %d, which does not divide %d",
                    a->heads, a->width);
    a->head_dim = get_width_or(d, "text_config.head_dim", a->width / a->heads);
    if (a->heads % a->kv_heads)
        json_refuse(d, "text_config.num_key_value_heads", "is %d, which does not divide %d heads",
                    a->kv_heads, a->heads);
    a->ffn = get_width_or(d, "text_config.intermediate_size", 13696);
    a->vocab = (int)json_get_int_or(d, "text_config.vocab_size", 1, 1 << 24, 168064);
    a->rows = (int)json_get_int_or(d, "text_config.vision_vocab_size", 1, 1 << 24, 16512);
    a->eps = (float)json_get_real_or(d, "text_config.rms_norm_eps", 0, 1, 1e-5);
    if (a->rows > a->vocab)
        json_refuse(d, "text_config.vision_vocab_size", "is %d, more than the vocabulary of %d",
                    a->rows, a->vocab);
    read_rope(d, a);
}

/* A side in pixels: a number, or the same number twice in an array. */
static int get_side(struct json_doc *d, const char *path, int def)
{
    int v[2];

    if (!json_is_array(json_at(d, path))) return get_width_or(d, path, def);
    if (json_get_ints(d, path, 1, WIDTH_MAX, 2, 2, v) == 2 && v[0] != v[1])
        json_refuse(d, path, "is not square");
    return d->err ? def : v[0];
}

static void read_vit(struct json_doc *d, struct vit_config *v)
{
    json_only_text(d, "vision_config.hidden_act", "gelu", true);
    json_only_bool(d, "vision_config.attention_bias", true, true);
    json_only_number(d, "vision_config.in_channels", 3, true);
    json_only_number(d, "vision_config.spatial_merge_size", 1, true);
    v->width = get_width_or(d, "vision_config.hidden_size", 1536);
    v->depth = get_layers_or(d, "vision_config.depth", 40);
    v->heads = get_width_or(d, "vision_config.num_heads", 16);
    v->ffn = get_width_or(d, "vision_config.intermediate_size", 6144);
    v->eps = (float)json_get_real_or(d, "vision_config.layer_norm_eps", 0, 1, 1e-6);
    v->patch = get_side(d, "vision_config.patch_size", 16);
    v->side = get_side(d, "vision_config.image_size", 2048) / v->patch;
    if (v->patch != CONFIG_PATCH_PIXELS)
        json_refuse(d, "vision_config.patch_size", "is %d; only %d is implemented", v->patch,
                    CONFIG_PATCH_PIXELS);
    if (v->side < 1 || v->side > 4096)
        json_refuse(d, "vision_config.image_size",
                    "gives %d patches a side; 1 to 4096 are possible", v->side);
    if (v->width % v->heads)
        json_refuse(d, "vision_config.num_heads", "is %d, which does not divide %d", v->heads,
                    v->width);
}

static void read_vq(struct json_doc *d, struct vq_config *q, const struct vit_config *v)
{
    int width;

    q->codes = (int)json_get_int_or(d, "vq_config.num_embeddings", 1, 1 << 24, 16384);
    q->dim = get_width_or(d, "vq_config.embed_dim", 2048);
    width = get_width_or(d, "vq_config.latent_channels", 1536);
    if (width != v->width)
        json_refuse(d, "vq_config.latent_channels", "is %d; the vision tower's width is %d", width,
                    v->width);
}

static void read_token_ids(struct json_doc *d, struct model_config *c)
{
    int64_t last = c->ar.vocab - 1;

    c->token.image_start = (int)json_get_int_or(d, "image_start_token_id", 0, last, 16384);
    c->token.image_end = (int)json_get_int_or(d, "image_end_token_id", 0, last, 16385);
    c->token.image = (int)json_get_int_or(d, "image_token_id", 0, last, 167855);
    if (c->token.image < c->ar.rows)
        json_refuse(d, "image_token_id", "is %d, one of the %d ids that can be drawn",
                    c->token.image, c->ar.rows);
    if (c->ar.rows < c->vq.codes)
        json_refuse(d, "text_config.vision_vocab_size", "is %d, less than the %d image codes",
                    c->ar.rows, c->vq.codes);
    if (c->token.image_start < c->vq.codes || c->token.image_end < c->vq.codes)
        json_refuse(d, "image_start_token_id", "or image_end_token_id is one of the %d image codes",
                    c->vq.codes);
}

static void read_prior(struct json_doc *d, struct model_config *c)
{
    json_only_text(d, "model_type", "glm_image", true);
    read_ar(d, &c->ar);
    read_vit(d, &c->vit);
    read_vq(d, &c->vq, &c->vit);
    read_token_ids(d, c);
}

/* ---- vision_language_encoder/generation_config.json ---- */

static void read_sampling(struct json_doc *d, struct model_config *c)
{
    /* logits processors of generate() that are not implemented: only the value that disables
     * each */
    json_only_number(d, "repetition_penalty", 1, true);
    json_only_number(d, "encoder_repetition_penalty", 1, true);
    json_only_number(d, "typical_p", 1, true);
    json_only_number(d, "epsilon_cutoff", 0, true);
    json_only_number(d, "eta_cutoff", 0, true);
    json_only_number(d, "no_repeat_ngram_size", 0, true);
    json_only_number(d, "num_beams", 1, true);
    json_only_null(d, "min_p");
    json_only_null(d, "top_h");
    json_only_null(d, "suppress_tokens");
    json_only_null(d, "begin_suppress_tokens");
    json_only_null(d, "bad_words_ids");
    json_only_null(d, "sequence_bias");
    json_only_null(d, "forced_eos_token_id");
    json_only_null(d, "guidance_scale");
    c->sample.temperature = json_get_real_or(d, "temperature", 1e-6, 1e6, 1.0);
    c->sample.top_p = json_get_real_or(d, "top_p", 0, 1, 1.0);
    c->sample.top_k = (int)json_get_int_or(d, "top_k", 0, 1 << 30, 50);
}

/* ---- text_encoder/config.json ---- */

static void read_glyph(struct json_doc *d, struct model_config *c)
{
    struct glyph_config *g = &c->glyph;

    json_only_text(d, "model_type", "t5", true);
    json_only_text(d, "feed_forward_proj", "gated-gelu", false);
    json_only_text(d, "dense_act_fn", "gelu_new", true);
    json_only_bool(d, "is_gated_act", true, true);
    g->width = get_width(d, "d_model");
    g->head_dim = get_width(d, "d_kv");
    g->heads = get_width(d, "num_heads");
    g->ffn = get_width(d, "d_ff");
    g->layers = (int)json_get_int(d, "num_layers", 1, LIMIT_LAYERS);
    g->buckets = (int)json_get_int_or(d, "relative_attention_num_buckets", 4, 65536, 32);
    g->distance = (int)json_get_int_or(d, "relative_attention_max_distance", 1, 1 << 20, 128);
    g->eps = (float)json_get_real_or(d, "layer_norm_epsilon", 0, 1, 1e-6);
    g->vocab = (int)json_get_int(d, "vocab_size", 259, 1 << 24);
    if (g->distance <= g->buckets / 4)
        json_refuse(d, "relative_attention_max_distance",
                    "is %d; it must exceed a quarter of the "
                    "%d buckets",
                    g->distance, g->buckets);
}

/* ---- transformer/config.json ---- */

static void read_dit(struct json_doc *d, struct model_config *c)
{
    struct dit_config *t = &c->dit;

    json_only_text(d, "_class_name", "GlmImageTransformer2DModel", false);
    json_only_number(d, "patch_size", 2, false);
    t->patch = 2;
    t->layers = (int)json_get_int(d, "num_layers", 1, LIMIT_LAYERS);
    t->heads = (int)json_get_int(d, "num_attention_heads", 1, 4096);
    t->head_dim = (int)json_get_int(d, "attention_head_dim", 4, 4096);
    t->width = t->heads * t->head_dim;
    t->channels = (int)json_get_int(d, "in_channels", 1, CONFIG_LATENTS_MAX);
    t->text = get_width(d, "text_embed_dim");
    t->time = get_width(d, "time_embed_dim");
    t->cond = get_width(d, "condition_dim");
    t->codes = (int)json_get_int(d, "prior_vq_quantizer_codebook_size", 1, 1 << 24);
    json_only_number(d, "out_channels", t->channels, false);
    if (t->head_dim % 4)
        json_refuse(d, "attention_head_dim", "is %d; a multiple of 4 is needed", t->head_dim);
    if (t->width > WIDTH_MAX)
        json_refuse(d, "attention_head_dim", "times %d heads is too wide", t->heads);
    if (t->time % 2) json_refuse(d, "time_embed_dim", "is %d; an even number is needed", t->time);
    if (t->cond % 2) json_refuse(d, "condition_dim", "is %d; an even number is needed", t->cond);
    if (t->text != c->glyph.width)
        json_refuse(d, "text_embed_dim", "is %d; the text encoder's d_model is %d", t->text,
                    c->glyph.width);
    if (t->codes != c->vq.codes)
        json_refuse(d, "prior_vq_quantizer_codebook_size", "is %d; the quantiser has %d codes",
                    t->codes, c->vq.codes);
}

/* ---- scheduler/scheduler_config.json ---- */

static void read_flow(struct json_doc *d, struct model_config *c)
{
    struct flow_config *f = &c->flow;

    json_only_text(d, "_class_name", "FlowMatchEulerDiscreteScheduler", false);
    json_only_text(d, "time_shift_type", "linear", false);
    json_only_bool(d, "use_dynamic_shifting", true, false);
    json_only_bool(d, "invert_sigmas", false, true);
    json_only_bool(d, "stochastic_sampling", false, true);
    json_only_bool(d, "use_karras_sigmas", false, true);
    json_only_bool(d, "use_exponential_sigmas", false, true);
    json_only_bool(d, "use_beta_sigmas", false, true);
    json_only_null(d, "shift_terminal");
    f->train_steps = (int)json_get_int_or(d, "num_train_timesteps", 1, 1000000, 1000);
    f->base_shift = json_get_real_or(d, "base_shift", -1000, 1000, 0.5);
    f->max_shift = json_get_real_or(d, "max_shift", -1000, 1000, 1.15);
    f->base_len = (int)json_get_int_or(d, "base_image_seq_len", 1, 1 << 30, 256);
}

/* ---- vae/config.json ---- */

/* Every level is of the one kind that is implemented. */
static void only_blocks(struct json_doc *d, const char *path, const char *kind)
{
    const json_t *a = json_at(d, path), *v;
    size_t i;

    if (!json_is_array(a) || json_array_size(a) != CONFIG_VAE_LEVELS)
        json_refuse(d, path, "is not an array of %d blocks", CONFIG_VAE_LEVELS);
    json_array_foreach(a, i, v) if (!json_is_string(v) || strcmp(json_string_value(v), kind) != 0)
        json_refuse(d, path, "entry %zu is %s; only %s is implemented", i,
                    json_is_string(v) ? json_string_value(v) : "no string", kind);
}

static void read_vae(struct json_doc *d, struct model_config *c)
{
    struct vae_config *v = &c->vae;

    json_only_text(d, "_class_name", "AutoencoderKL", false);
    json_only_text(d, "act_fn", "silu", true);
    json_only_bool(d, "mid_block_add_attention", false, false);
    json_only_bool(d, "use_quant_conv", false, false);
    json_only_bool(d, "use_post_quant_conv", false, false);
    json_only_number(d, "in_channels", 3, true);
    json_only_number(d, "out_channels", 3, true);
    only_blocks(d, "down_block_types", "DownEncoderBlock2D");
    only_blocks(d, "up_block_types", "UpDecoderBlock2D");
    json_get_ints(d, "block_out_channels", 1, 65536, CONFIG_VAE_LEVELS, CONFIG_VAE_LEVELS,
                  v->channels);
    v->blocks = get_layers_or(d, "layers_per_block", 1);
    v->groups = get_width_or(d, "norm_num_groups", 32);
    v->latent = (int)json_get_int(d, "latent_channels", 1, CONFIG_LATENTS_MAX);
    json_get_reals(d, "latents_mean", v->latent, v->latent, v->mean);
    json_get_reals(d, "latents_std", v->latent, v->latent, v->std);
    for (int i = 0; i < CONFIG_VAE_LEVELS; i++)
        if (v->channels[i] % v->groups)
            json_refuse(d, "block_out_channels",
                        "entry %d is %d; it must be a multiple of the %d "
                        "groups",
                        i, v->channels[i], v->groups);
    for (int i = 0; i < v->latent; i++)
        if (!(v->std[i] > 0)) json_refuse(d, "latents_std", "entry %d is not positive", i);
    if (v->latent != c->dit.channels)
        json_refuse(d, "latent_channels", "is %d; the transformer has %d", v->latent,
                    c->dit.channels);
}

/* ---- processor/ ---- */

static void read_image(struct json_doc *d, struct model_config *c)
{
    struct image_config *p = &c->image;
    const int64_t most = (int64_t)1 << 40;
    double scale;

    json_only_number(d, "patch_size", CONFIG_PATCH_PIXELS, false);
    json_only_number(d, "merge_size", 1, false);
    json_only_number(d, "temporal_patch_size", 1, false);
    json_only_number(d, "resample", 3, true);
    json_only_bool(d, "do_resize", true, true);
    json_only_bool(d, "do_rescale", true, true);
    json_only_bool(d, "do_normalize", true, true);
    scale = json_get_real_or(d, "rescale_factor", 0, 1, 1.0 / 255);
    if (!(fabs(scale * 255 - 1) < 1e-9)) json_refuse(d, "rescale_factor", "is not 1/255");
    p->patch = CONFIG_PATCH_PIXELS;
    p->merge = 1;
    p->min_pixels =
        json_get_int(d, json_at(d, "min_pixels") ? "min_pixels" : "size.shortest_edge", 1, most);
    p->max_pixels =
        json_get_int(d, json_at(d, "max_pixels") ? "max_pixels" : "size.longest_edge", 1, most);
    json_get_reals(d, "image_mean", 3, 3, p->mean);
    json_get_reals(d, "image_std", 3, 3, p->std);
    if (p->max_pixels < p->min_pixels) json_refuse(d, "max_pixels", "is less than the minimum");
    for (int i = 0; i < 3; i++)
        if (!(p->std[i] > 0)) json_refuse(d, "image_std", "entry %d is not positive", i);
}

/* A special token's text: a string, an object with its content, or one of extra_special_tokens. */
static void get_token(struct json_doc *d, const char *key, char out[LIMIT_TOKEN_BYTES])
{
    char path[80];
    const char *s;

    snprintf(path, sizeof path, "%s", key);
    if (!json_at(d, path)) snprintf(path, sizeof path, "extra_special_tokens.%s", key);
    if (json_is_object(json_at(d, path))) strncat(path, ".content", sizeof path - strlen(path) - 1);
    if (!json_at(d, path)) snprintf(path, sizeof path, "%s", key);
    s = json_get_text(d, path);
    if (!d->err && (!*s || strlen(s) >= LIMIT_TOKEN_BYTES))
        json_refuse(d, path, "is empty or longer than %d bytes", LIMIT_TOKEN_BYTES - 1);
    snprintf(out, LIMIT_TOKEN_BYTES, "%s", s);
}

static void read_tokens(struct json_doc *d, struct model_config *c)
{
    get_token(d, "bos_token", c->token.bos);
    get_token(d, "eos_token", c->token.eos);
    get_token(d, "image_token", c->token.image_text);
    get_token(d, "grid_bos_token", c->token.grid_bos);
    get_token(d, "grid_eos_token", c->token.grid_eos);
}

static void read_index(struct json_doc *d, struct model_config *c)
{
    (void)c;
    json_only_text(d, "_class_name", "GlmImagePipeline", false);
}

/* In this order: later files are checked against earlier ones. */
static const struct {
    const char *name;
    void (*read)(struct json_doc *, struct model_config *);
} files[] = {
    {"model_index.json", read_index},
    {"vision_language_encoder/config.json", read_prior},
    {"vision_language_encoder/generation_config.json", read_sampling},
    {"text_encoder/config.json", read_glyph},
    {"transformer/config.json", read_dit},
    {"scheduler/scheduler_config.json", read_flow},
    {"vae/config.json", read_vae},
    {"processor/preprocessor_config.json", read_image},
    {"processor/tokenizer_config.json", read_tokens},
};

int config_load(struct model_config *c, const char *dir, struct fail *f)
{
    struct fail own;
    struct stat st;

    if (!f) f = &own;
    memset(c, 0, sizeof *c);
    if (stat(dir, &st) || !S_ISDIR(st.st_mode))
        return fail_set(f, ERR_MODEL, "there is no folder %s", dir);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        struct json_doc d;
        int err;

        if (!json_open(&d, dir, files[i].name, f)) files[i].read(&d, c);
        err = d.err;
        json_close(&d);
        if (err) return err;
    }
    return 0;
}

int config_sample_size(const char *dir, int *side, struct fail *f)
{
    struct json_doc d;
    int err;

    if (!json_open(&d, dir, "vae/config.json", f))
        *side = (int)json_get_int_or(&d, "sample_size", 1, 65536, 1024);
    err = d.err;
    json_close(&d);
    return err;
}

int config_side_max(const struct model_config *c)
{
    int side = c->vit.side * c->vit.patch / LIMIT_SIDE_STEP * LIMIT_SIDE_STEP;

    return side > LIMIT_SIDE_MAX ? LIMIT_SIDE_MAX : side;
}
