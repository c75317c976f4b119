/* test_prompt - grids and ids of a request; prompts that carry image tokens. */
#include "weights/tokenizer/prompt.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* catches: rounding in place of truncation, rows and columns exchanged, a wrong token count */
static void grids(void **state)
{
    static const int cases[][7] = {
        /* height, width, H, W, h, w, tokens with the end */
        {512, 512, 16, 16, 16, 16, 513},    {1024, 1024, 32, 32, 16, 16, 1281},
        {1152, 768, 36, 24, 19, 13, 1112},  {768, 1152, 24, 36, 13, 19, 1112},
        {1024, 1152, 32, 36, 15, 16, 1393}, {960, 1280, 30, 40, 13, 18, 1435},
        {2048, 1024, 64, 32, 22, 11, 2291}, {512, 2048, 16, 64, 8, 32, 1281},
        {1088, 1920, 34, 60, 12, 21, 2293}, {2048, 2048, 64, 64, 16, 16, 4353},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const int *c = cases[i];
        struct grid large = prompt_large(c[0], c[1]), small = prompt_preview(large);

        assert_int_equal(large.rows, c[2]);
        assert_int_equal(large.cols, c[3]);
        assert_int_equal(small.rows, c[4]);
        assert_int_equal(small.cols, c[5]);
        assert_int_equal(large.rows * large.cols + small.rows * small.cols + 1, c[6]);
    }
}

/* A configuration whose special tokens are those of template.json: 20 visual ids, 16 codes. */
static struct model_config config(const struct bpe *b)
{
    struct model_config c = {.ar = {.rows = 20}, .vq = {.codes = 16}};

    c.token = (struct token_config){.image_start = 16,
                                    .image_end = 17,
                                    .bos = "<|dit_token_16|>",
                                    .eos = "<|dit_token_17|>",
                                    .image_text = "<|image|>",
                                    .grid_bos = "<sop>",
                                    .grid_eos = "<eop>"};
    c.token.image = bpe_id(b, "<|image|>");
    return c;
}

static struct bpe *tokenizer(void)
{
    struct bpe *b;
    struct fail f = {0};

    if (bpe_open(&b, "test/weights", "template.json", &f)) fail_msg("%s", f.message);
    return b;
}

/* catches: a suffix in another order, sizes exchanged, the template left out */
static void suffix(void **state)
{
    struct bpe *b = tokenizer();
    struct model_config c = config(b);
    struct prompt p;
    struct fail f = {0};
    struct token_list want;
    static const char all[] = "a cat<sop>36 24<eop><sop>19 13<eop><|dit_token_16|>";

    (void)state;
    token_list_init(&want, 1000);
    assert_int_equal(bpe_encode(b, all, strlen(all), true, &want, &f), 0);
    assert_int_equal(want.v[0], bpe_id(b, "[gMASK]"));
    assert_int_equal(prompt_text_to_image(&p, b, &c, "a cat", 5, 1152, 768, true, &f), 0);
    assert_int_equal(p.ids.n, want.n);
    assert_memory_equal(p.ids.v, want.v, want.n * sizeof *want.v);
    assert_int_equal(p.ids.v[p.ids.n - 1], 16);
    assert_int_equal(p.tokens, 1111);
    assert_int_equal(p.large.rows, 36);
    assert_int_equal(p.preview.cols, 13);
    prompt_free(&p);
    token_list_free(&want);
    bpe_close(b);
}

static int with(const char *text, bool user, struct fail *f)
{
    struct bpe *b = tokenizer();
    struct model_config c = config(b);
    struct prompt p;
    int err;

    memset(f, 0, sizeof *f);
    err = prompt_text_to_image(&p, b, &c, text, strlen(text), 64, 64, user, f);
    if (!err) prompt_free(&p);
    assert_true(!p.ids.v);
    bpe_close(b);
    return err;
}

/* catches: a prompt that shifts the grids, or a refusal that does not say what to take out */
static void image_tokens_are_refused(void **state)
{
    static const char *const frame[] = {"<|image|>", "<|dit_token_16|>", "<|dit_token_17|>"};
    char text[100];
    struct fail f;

    (void)state;
    for (int i = 0; i < 3; i++) {
        snprintf(text, sizeof text, "a cat %s on a mat", frame[i]);
        for (int user = 0; user < 2; user++) {
            assert_int_equal(with(text, user, &f), ERR_BAD_PROMPT);
            assert_string_equal(f.field, "prompt");
            assert_non_null(strstr(f.message, frame[i]));
            assert_non_null(strstr(f.hint, frame[i]));
        }
    }
    assert_int_equal(with("<|dit_token_3|>", true, &f), ERR_BAD_PROMPT);
    assert_int_equal(with("<|dit_token_3|>", false, &f), 0); /* the reference lets codes pass */
    assert_int_equal(with("<sop> <|user|> <|dit_token_99|> |image|", true, &f), 0);
    assert_int_equal(with("a\xc3", true, &f), ERR_BAD_UTF8);
    assert_int_equal(with("", true, &f), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grids),
        cmocka_unit_test(suffix),
        cmocka_unit_test(image_tokens_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
