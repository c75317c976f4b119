/* test_config - the released configuration is read right;
 * what is not implemented is refused by key. */
#include "weights/config.h"

#include "test/weights/folder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define RELEASED "test/weights/released"

/* catches: a key read from the wrong place, a default of the reference that is not ours */
static void the_released_model(void **state)
{
    static struct model_config c;
    struct fail f = {0};

    (void)state;
    if (config_load(&c, RELEASED, &f)) fail_msg("%s", f.message);
    assert_int_equal(c.ar.width, 4096);
    assert_int_equal(c.ar.head_dim, 128);
    assert_int_equal(c.ar.kv_heads, 2);
    assert_int_equal(c.ar.rotary, 64);
    assert_int_equal(c.ar.sections, 3);
    assert_int_equal(c.ar.section[2], 12);
    assert_true(c.ar.theta == 10000.0f && c.ar.eps == 1e-5f);
    assert_int_equal(c.ar.rows, 16512);
    assert_int_equal(c.vit.side, 128);
    assert_int_equal(c.vq.codes, 16384); /* from the class, not the file */
    assert_int_equal(c.glyph.heads * c.glyph.head_dim, 384);
    assert_int_equal(c.dit.width, 4096);
    assert_true(c.flow.base_shift == 0.25 && c.flow.max_shift == 0.75);
    assert_int_equal(c.vae.channels[3], 1024);
    assert_true(c.vae.mean[1] == 1.875f && c.vae.std[15] == 2.15625f);
    assert_true(c.sample.temperature == 0.9 && c.sample.top_p == 0.75);
    assert_int_equal(c.sample.top_k, 16512);
    assert_int_equal(c.image.min_pixels, 262144);
    assert_int_equal(c.token.image, 167855);
    assert_string_equal(c.token.eos, "<|dit_token_16385|>"); /* an object with content */
    assert_string_equal(c.token.image_text, "<|image|>");    /* from extra_special_tokens */
}

/* Load the released files with one key changed. */
static int load_with(struct model_config *c, const char *file, const char *key, const char *value,
                     struct fail *f)
{
    struct scratch s;
    int err;

    memset(f, 0, sizeof *f);
    assert_int_equal(scratch_new(&s), 0);
    if (folder_copy(&s, RELEASED, file, key, value)) fail_msg("no copy of " RELEASED);
    err = config_load(c, s.dir, f);
    scratch_free(&s);
    return err;
}

#define AR   "vision_language_encoder/config.json"
#define GEN  "vision_language_encoder/generation_config.json"
#define T5   "text_encoder/config.json"
#define DIT  "transformer/config.json"
#define FLOW "scheduler/scheduler_config.json"
#define VAE  "vae/config.json"
#define PRE  "processor/preprocessor_config.json"
#define TOK  "processor/tokenizer_config.json"

/* Each row, file, key and value, is a model that would run and draw nonsense. */
static const char *const bad[][3] = {
    {"model_index.json", "_class_name", "\"StableDiffusionPipeline\""},
    {AR, "model_type", "\"llama\""},
    {AR, "text_config.hidden_act", "\"gelu\""},
    {AR, "text_config.attention_bias", "false"},
    {AR, "tie_word_embeddings", "true"},
    {AR, "text_config.rope_parameters.rope_type", "\"yarn\""},
    {AR, "text_config.rope_parameters.mrope_section", "[8,12,13]"},
    {AR, "text_config.rope_parameters.mrope_section", "[8,12.5,12]"},
    {AR, "text_config.rope_parameters.partial_rotary_factor", "0.4921875"}, /* 63 dimensions */
    {AR, "text_config.rope_parameters.partial_rotary_factor", "0"},
    {AR, "text_config.num_key_value_heads", "3"},
    {AR, "text_config.num_attention_heads", "30"},
    {AR, "text_config.num_hidden_layers", "0"},
    {AR, "text_config.num_hidden_layers", "100000"},
    {AR, "text_config.hidden_size", "\"wide\""},
    {AR, "text_config.vision_vocab_size", "200000"},
    {AR, "text_config.vision_vocab_size", "16383"},
    {AR, "vision_config.hidden_act", "\"gelu_pytorch_tanh\""},
    {AR, "vision_config.spatial_merge_size", "2"},
    {AR, "vision_config.patch_size", "14"},
    {AR, "vision_config.num_heads", "7"},
    {AR, "vq_config.latent_channels", "100"},
    {AR, "image_token_id", "5"},
    {AR, "image_token_id", "168064"},
    {AR, "image_start_token_id", "16383"},
    {GEN, "temperature", "0"},
    {GEN, "top_p", "1.5"},
    {GEN, "repetition_penalty", "1.1"},
    {GEN, "num_beams", "4"},
    {GEN, "min_p", "0.1"},
    {T5, "feed_forward_proj", "\"relu\""},
    {T5, "feed_forward_proj", NULL},
    {T5, "vocab_size", "258"},
    {T5, "d_model", NULL},
    {T5, "relative_attention_max_distance", "8"},
    {DIT, "_class_name", "\"FluxTransformer2DModel\""},
    {DIT, "patch_size", "1"},
    {DIT, "attention_head_dim", "126"},
    {DIT, "out_channels", "17"},
    {DIT, "text_embed_dim", "1471"},
    {DIT, "time_embed_dim", "511"},
    {DIT, "condition_dim", "255"},
    {DIT, "prior_vq_quantizer_codebook_size", "16000"},
    {FLOW, "_class_name", "\"DDIMScheduler\""},
    {FLOW, "time_shift_type", "\"exponential\""},
    {FLOW, "time_shift_type", NULL},
    {FLOW, "use_dynamic_shifting", "false"},
    {FLOW, "use_dynamic_shifting", NULL},
    {FLOW, "invert_sigmas", "true"},
    {FLOW, "stochastic_sampling", "true"},
    {FLOW, "use_karras_sigmas", "true"},
    {FLOW, "use_exponential_sigmas", "true"},
    {FLOW, "use_beta_sigmas", "true"},
    {FLOW, "shift_terminal", "0.1"},
    {VAE, "use_quant_conv", "true"},
    {VAE, "use_quant_conv", NULL},
    {VAE, "use_post_quant_conv", "true"},
    {VAE, "mid_block_add_attention", "true"},
    {VAE, "mid_block_add_attention", NULL},
    {VAE, "act_fn", "\"relu\""},
    {VAE, "norm_num_groups", "33"},
    {VAE, "block_out_channels", "[128,512,1024]"},
    {VAE, "down_block_types", "[\"DownEncoderBlock2D\",\"AttnDownEncoderBlock2D\",\"a\",\"b\"]"},
    {VAE, "up_block_types", NULL},
    {VAE, "latents_mean", "[1,2]"},
    {VAE, "latents_std", NULL},
    {VAE, "latents_std", "[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,0]"},
    {VAE, "latent_channels", "17"},
    {PRE, "patch_size", "14"},
    {PRE, "merge_size", "2"},
    {PRE, "resample", "2"},
    {PRE, "rescale_factor", "0.5"},
    {PRE, "image_std", "[0.5,0.5,0]"},
    {PRE, "max_pixels", "100"},
    {PRE, "size.longest_edge", NULL},
    {TOK, "bos_token", NULL},
    {TOK, "grid_eos_token", "\"\""},
    {TOK, "eos_token", "{\"text\":\"x\"}"},
};

/* catches: a model whose settings this engine does not follow is loaded anyway */
static void refused(void **state)
{
    static struct model_config c;
    struct fail f;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const char *last = strrchr(bad[i][1], '.');
        int err = load_with(&c, bad[i][0], bad[i][1], bad[i][2], &f);
        /* norm_num_groups is refused where it does not fit, latent_channels where it must agree */
        const char *key = !strcmp(bad[i][1], "norm_num_groups") ? "block_out_channels"
                          : !strcmp(bad[i][1], "latent_channels") && !strcmp(bad[i][0], VAE)
                              ? "latent"
                              : (last ? last + 1 : bad[i][1]);

        if (err != ERR_MODEL || !strstr(f.message, bad[i][0]) || !strstr(f.message, key))
            fail_msg("%s %s = %s: %d \"%s\"", bad[i][0], bad[i][1],
                     bad[i][2] ? bad[i][2] : "absent", err, f.message);
    }
}

/* catches: a legal variation refused, or not followed */
static void accepted(void **state)
{
    static struct model_config c;
    struct fail f;

    (void)state;
    assert_int_equal(load_with(&c, AR, "text_config.head_dim", "192", &f),
                     ERR_MODEL); /* sections */
    assert_int_equal(load_with(&c, AR, "text_config.num_key_value_heads", "null", &f), 0);
    assert_int_equal(c.ar.kv_heads, 32);
    assert_int_equal(
        load_with(&c, AR, "text_config.rope_parameters.mrope_section", "[4,4,4,4,4,4,8]", &f), 0);
    assert_int_equal(c.ar.sections, 7);
    assert_int_equal(load_with(&c, AR, "text_config.rope_scaling",
                               "{\"type\":\"default\",\"partial_rotary_factor\":0.25,"
                               "\"mrope_section\":[4,6,6]}",
                               &f),
                     0);
    assert_int_equal(c.ar.rotary, 32);
    assert_int_equal(load_with(&c, AR, "vision_config.image_size", "[1024,1024]", &f), 0);
    assert_int_equal(c.vit.side, 64);
    assert_int_equal(load_with(&c, GEN, "top_k", NULL, &f), 0);
    assert_int_equal(c.sample.top_k, 50);
    assert_int_equal(load_with(&c, GEN, "temperature", NULL, &f), 0);
    assert_true(c.sample.temperature == 1.0f);
    assert_int_equal(load_with(&c, PRE, "min_pixels", "4096", &f), 0);
    assert_int_equal(c.image.min_pixels, 4096);
    assert_int_equal(load_with(&c, FLOW, "base_shift", NULL, &f), 0);
    assert_true(c.flow.base_shift == 0.5);
}

/* catches: the bundled model's own configuration refused */
static void the_bundled_model(void **state)
{
    static struct model_config c;
    struct fail f = {0};

    (void)state;
    if (config_load(&c, "weights/tiny", &f)) fail_msg("%s", f.message);
    assert_int_equal(config_load(&c, "weights/none", &f), ERR_MODEL);
    assert_non_null(strstr(f.message, "no folder weights/none"));
    assert_int_equal(config_load(&c, "weights", &f), ERR_MODEL);
    assert_non_null(strstr(f.message, "model_index.json is missing"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_released_model),
        cmocka_unit_test(refused),
        cmocka_unit_test(accepted),
        cmocka_unit_test(the_bundled_model),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
