/* test_manifest - the released model has exactly 1,853 tensors;
 * what differs from it is reported. */
#include "weights/manifest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct model_config cfg;

static int load_released(void **state)
{
    struct fail f = {0};

    (void)state;
    if (!config_load(&cfg, "test/weights/released", &f)) return 0;
    print_message("%s\n", f.message);
    return -1;
}

/* catches: a tensor forgotten, counted twice or of the wrong size anywhere in 35 GB */
static void the_released_model_counts(void **state)
{
    struct manifest m;
    int64_t total = 0;

    (void)state;
    assert_int_equal(manifest_build(&m, &cfg, NULL), 0);
    assert_int_equal(m.part_n[PART_PRIOR], 1011);
    assert_int_equal(m.part_n[PART_DIT], 443);
    assert_int_equal(m.part_n[PART_GLYPH], 111);
    assert_int_equal(m.part_n[PART_VAE], 288);
    assert_int_equal(m.n, 1853);
    assert_int_equal(m.part_params[PART_PRIOR], 10114245632);
    assert_int_equal(m.part_params[PART_DIT], 6926882880);
    assert_int_equal(m.part_params[PART_GLYPH], 217657472);
    assert_int_equal(m.part_params[PART_VAE], 406100643);
    for (int p = 0; p < PARTS; p++)
        total += m.part_params[p];
    assert_int_equal(total, 17664886627);
    manifest_free(&m);
}

static const struct manifest_tensor *named(const struct manifest *m, const char *name)
{
    for (size_t i = 0; i < m->n; i++)
        if (!strcmp(m->tensor[i].name, name)) return &m->tensor[i];
    fail_msg("no tensor %s", name);
    return NULL;
}

/* catches: a transposed shape, a name with a typing error (Annex A of the model's specification) */
static void names_and_shapes(void **state)
{
    static const struct {
        const char *name;
        int nd;
        int64_t dim[4];
    } want[] = {
        {"model.language_model.embed_tokens.weight", 2, {168064, 4096}},
        {"model.language_model.layers.39.post_mlp_layernorm.weight", 1, {4096}},
        {"model.language_model.layers.0.self_attn.k_proj.bias", 1, {256}},
        {"model.language_model.layers.7.mlp.gate_up_proj.weight", 2, {27392, 4096}},
        {"model.language_model.layers.7.mlp.down_proj.weight", 2, {4096, 13696}},
        {"lm_head.weight", 2, {16512, 4096}},
        {"model.visual.patch_embed.proj.weight", 4, {1536, 3, 16, 16}},
        {"model.visual.embeddings.position_embedding.weight", 2, {16384, 1536}},
        {"model.visual.blocks.39.attn.qkv.weight", 2, {4608, 1536}},
        {"model.vqmodel.quantize.embedding.weight", 2, {16384, 2048}},
        {"model.vqmodel.post_quant_conv.weight", 4, {1536, 2048, 1, 1}},
        {"image_projector.proj.weight", 2, {4096, 64}},
        {"glyph_projector.net.0.proj.weight", 2, {4096, 1472}},
        {"time_condition_embed.condition_embedder.linear_1.weight", 2, {512, 1024}},
        {"transformer_blocks.29.norm1.linear.weight", 2, {49152, 512}},
        {"transformer_blocks.3.attn1.to_out.0.bias", 1, {4096}},
        {"transformer_blocks.3.ff.net.2.weight", 2, {4096, 16384}},
        {"norm_out.linear.weight", 2, {8192, 512}},
        {"shared.weight", 2, {384, 1472}},
        {"encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight", 2, {32, 6}},
        {"encoder.block.11.layer.0.SelfAttention.o.weight", 2, {1472, 384}},
        {"encoder.block.11.layer.1.DenseReluDense.wi_1.weight", 2, {3584, 1472}},
        {"encoder.down_blocks.1.resnets.0.conv_shortcut.weight", 4, {512, 128, 1, 1}},
        {"encoder.down_blocks.2.downsamplers.0.conv.weight", 4, {1024, 1024, 3, 3}},
        {"encoder.conv_out.weight", 4, {32, 1024, 3, 3}},
        {"decoder.conv_in.weight", 4, {1024, 16, 3, 3}},
        {"decoder.up_blocks.2.resnets.0.conv_shortcut.weight", 4, {512, 1024, 1, 1}},
        {"decoder.up_blocks.3.resnets.3.conv2.bias", 1, {128}},
        {"decoder.conv_out.weight", 4, {3, 128, 3, 3}},
    };
    struct manifest m;

    (void)state;
    assert_int_equal(manifest_build(&m, &cfg, NULL), 0);
    for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
        const struct manifest_tensor *t = named(&m, want[i].name);

        assert_int_equal(t->nd, want[i].nd);
        for (int k = 0; k < t->nd; k++)
            assert_int_equal(t->dim[k], want[i].dim[k]);
    }
    manifest_free(&m);
}

/* catches: a name cut off because the longest one does not fit its field */
static void no_name_is_cut(void **state)
{
    struct manifest m;
    struct model_config big = cfg;

    (void)state;
    big.ar.layers = big.vit.depth = big.glyph.layers = big.dit.layers = big.vae.blocks =
        LIMIT_LAYERS;
    assert_int_equal(manifest_build(&m, &big, NULL), 0);
    for (size_t i = 0; i < m.n; i++) {
        const char *dot = strrchr(m.tensor[i].name, '.');

        assert_true(dot && (!strcmp(dot, ".weight") || !strcmp(dot, ".bias")));
    }
    manifest_free(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_released_model_counts),
        cmocka_unit_test(names_and_shapes),
        cmocka_unit_test(no_name_is_cut),
    };

    return cmocka_run_group_tests(tests, load_released, NULL);
}
