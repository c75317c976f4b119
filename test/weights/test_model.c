/* test_model - a folder is opened whole or refused with the tensor, the file and what was
 * expected. */
#include "weights/model.h"
#include "weights/safetensors/safetensors_write.h"

#include "test/weights/folder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define TINY "weights/tiny"

/* The bundled model in a scratch folder: JSON copied, weights and tokenizer linked. */
static void link_model(struct scratch *s)
{
    static const char *const big[] = {
        "vision_language_encoder/model.safetensors", "text_encoder/model.safetensors",
        "transformer/diffusion_pytorch_model.safetensors",
        "vae/diffusion_pytorch_model.safetensors", "processor/tokenizer.json"};
    char from[512], to[512], here[400];

    assert_int_equal(scratch_new(s), 0);
    assert_int_equal(folder_copy(s, TINY, NULL, NULL, NULL), 0);
    assert_non_null(getcwd(here, sizeof here));
    for (size_t i = 0; i < sizeof big / sizeof *big; i++) {
        snprintf(from, sizeof from, "%s/" TINY "/%s", here, big[i]);
        assert_int_equal(symlink(from, scratch_path(s, big[i], to)), 0);
    }
}

/* Rewrite the text encoder's file with one tensor changed by `edit`. */
static void rewrite(const struct scratch *s, const char *name,
                    void (*edit)(struct safetensors_entry *))
{
    static const char file[] = "text_encoder/model.safetensors";
    char path[512];
    struct safetensors *st;
    struct fail f = {0};
    size_t n;
    struct safetensors_entry *e;

    if (safetensors_open(&st, TINY "/text_encoder/model.safetensors", &f))
        fail_msg("%s", f.message);
    n = safetensors_count(st);
    e = calloc(n, sizeof *e);
    assert_non_null(e);
    for (size_t i = 0; i < n; i++) {
        const struct stored_tensor *t = safetensors_at(st, i);

        e[i] = (struct safetensors_entry){
            .name = t->name, .dtype = t->dtype, .nd = t->nd, .data = t->data};
        memcpy(e[i].dim, t->dim, sizeof e[i].dim);
        if (!strcmp(t->name, name)) edit(&e[i]);
    }
    assert_int_equal(unlink(scratch_path(s, file, path)), 0); /* it is a link to the model's own */
    if (safetensors_write(path, e, n, NULL, 0, &f)) fail_msg("%s", f.message);
    free(e);
    safetensors_close(st);
}

static void to_other_name(struct safetensors_entry *e)
{
    e->name = "encoder.block.1.layer.1.DenseReluDense.wi_9.weight";
}

static void to_alias(struct safetensors_entry *e)
{
    e->name = "encoder.embed_tokens.weight";
}

static void to_other_shape(struct safetensors_entry *e)
{
    e->dim[0] *= 2;
    e->dim[1] /= 2;
}

static void to_integers(struct safetensors_entry *e)
{
    e->dtype = DTYPE_I16;
}

/* The bundled model with one tensor of the text encoder edited; model_check's text in `output`. */
static int check_with(const char *name, void (*edit)(struct safetensors_entry *), char *output,
                      size_t size, struct fail *f)
{
    struct scratch s;
    struct model m;
    FILE *out;
    int status, err;

    link_model(&s);
    if (name) rewrite(&s, name, edit);
    out = fmemopen(output, size, "w");
    assert_non_null(out);
    status = model_check(s.dir, out);
    fclose(out);
    memset(f, 0, sizeof *f);
    err = model_open(&m, s.dir, f);
    assert_int_equal(err != 0, status);
    if (!err) model_close(&m);
    scratch_free(&s);
    return err;
}

/* catches: a good folder refused; totals that are not those of its tensors */
static void the_bundled_model_is_good(void **state)
{
    char output[4096], total[64];
    struct model m;
    struct fail f = {0};
    const struct stored_tensor *t;

    (void)state;
    if (check_with(NULL, NULL, output, sizeof output, &f)) fail_msg("%s\n%s", f.message, output);
    assert_int_equal(model_open(&m, TINY, &f), 0);
    snprintf(total, sizeof total, "good: %lld parameters in %lld bytes", (long long)m.params,
             (long long)m.bytes);
    assert_non_null(strstr(output, total));
    assert_non_null(strstr(output, "vision_language_encoder"));
    t = model_tensor(&m, PART_DIT, "transformer_blocks.%d.ff.net.2.weight", 1);
    assert_int_equal(t->dim[0], m.cfg.dit.width);
    assert_int_equal(t->dim[1], 4 * m.cfg.dit.width);
    assert_ptr_equal(model_tensor(&m, PART_GLYPH, "shared.weight"),
                     safetensors_find(m.part[PART_GLYPH], "shared.weight"));
    assert_int_equal(bpe_id(m.bpe, m.cfg.token.bos), m.cfg.token.image_start);
    model_close(&m);
}

#define WI1 "encoder.block.1.layer.1.DenseReluDense.wi_1.weight"

/* catches: a missing, reshaped or retyped tensor that is found only while drawing */
static void wrong_tensors_are_named(void **state)
{
    static const struct {
        void (*edit)(struct safetensors_entry *);
        const char *says[3];
    } bad[] = {
        {to_other_name,
         {"tensor " WI1 " is missing; expected [", "wi_9.weight is not used", "note:"}},
        {to_other_shape, {"text_encoder/model.safetensors: tensor " WI1, "expected [", "BF16"}},
        {to_integers, {WI1 " is I16; expected F32, F16 or BF16", "wrong:", "not usable"}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char output[4096] = "";
        struct fail f;

        assert_int_equal(check_with(WI1, bad[i].edit, output, sizeof output, &f), ERR_MODEL);
        for (int k = 0; k < 3; k++)
            if (!strstr(output, bad[i].says[k]))
                fail_msg("no \"%s\" in\n%s", bad[i].says[k], output);
        assert_non_null(strstr(f.message, WI1));
    }
}

/* catches: the other name of the glyph encoder's table refused */
static void the_alias_is_accepted(void **state)
{
    char output[4096];
    struct fail f;

    (void)state;
    if (check_with("shared.weight", to_alias, output, sizeof output, &f)) fail_msg("%s", output);
    assert_null(strstr(output, "note:"));
}

/* Open the bundled model with one JSON key changed. */
static void opens_with(const char *file, const char *key, const char *value, const char *says)
{
    struct scratch s;
    struct model m;
    struct fail f = {0};

    link_model(&s);
    assert_int_equal(folder_copy(&s, TINY, file, key, value), 0);
    assert_int_equal(model_open(&m, s.dir, &f), ERR_MODEL);
    if (!strstr(f.message, says)) fail_msg("\"%s\" does not say \"%s\"", f.message, says);
    assert_null(m.bpe);
    scratch_free(&s);
}

/* catches: sizes, ids or texts of the JSON files that do not fit weights and tokenizer */
static void files_that_disagree(void **state)
{
    static struct model_config c;
    char start[24], says[64];

    (void)state;
    opens_with("text_encoder/config.json", "d_ff", "193", "expected [193,");
    assert_int_equal(config_load(&c, TINY, NULL), 0);
    snprintf(start, sizeof start, "%d", c.token.image_start);
    snprintf(says, sizeof says, "image_end_token_id is %s", start);
    opens_with("vision_language_encoder/config.json", "image_end_token_id", start, says);
    opens_with("processor/tokenizer_config.json", "grid_bos_token", "\"<nope>\"", "<nope>");
    opens_with("processor/tokenizer_config.json", "image_token", "\"<sop>\"", "image_token_id");
}

/* catches: a crash or silence on folders that hold nothing; more than ten lines of complaint */
static void hopeless_folders(void **state)
{
    char output[8192] = "";
    struct scratch s;
    int lines = 0;
    FILE *out;

    (void)state;
    link_model(&s);
    assert_int_equal(folder_copy(&s, TINY, "transformer/config.json", "num_layers", "200"), 0);
    out = fmemopen(output, sizeof output, "w");
    assert_int_equal(model_check(s.dir, out), 1);
    fclose(out);
    for (const char *p = output; (p = strstr(p, "wrong: ")); p++)
        lines++;
    assert_int_equal(lines, 10);
    assert_non_null(strstr(output, "more\n"));
    scratch_free(&s);
    out = fmemopen(output, sizeof output, "w");
    assert_int_equal(model_check("/nonexistent", out), 1);
    fclose(out);
    assert_non_null(strstr(output, "there is no folder /nonexistent"));
}

/* catches: a plan that wants 35 GB of weights before it says whether they would fit; sizes that are
 * not the manifest's */
static void sizes_need_the_configuration_alone(void **state)
{
    struct model m;
    struct fail f = {0};
    const struct stored_tensor *t;

    (void)state;
    assert_int_equal(model_open(&m, "test/weights/released", &f), ERR_MODEL);
    if (model_open_sizes(&m, "test/weights/released", &f)) fail_msg("%s", f.message);
    assert_true(m.params == 17664886627 && m.absent == 0x1f && !m.bpe);
    t = model_tensor(&m, PART_DIT, "transformer_blocks.29.ff.net.2.weight");
    assert_true(t->dim[0] == 4096 && t->dim[1] == 16384);
    assert_int_equal(((const char *)t->data)[t->bytes - 1], 0);
    model_close(&m);
    assert_int_equal(model_open_sizes(&m, TINY, &f), 0); /* what is there is used */
    assert_true(m.absent == 0 && m.bpe);
    model_close(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_bundled_model_is_good),
        cmocka_unit_test(sizes_need_the_configuration_alone),
        cmocka_unit_test(wrong_tensors_are_named),
        cmocka_unit_test(the_alias_is_accepted),
        cmocka_unit_test(files_that_disagree),
        cmocka_unit_test(hopeless_folders),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
