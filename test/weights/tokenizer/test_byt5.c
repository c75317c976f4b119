/* test_byt5 - quoted texts and their ids, by the vectors of the model's specification (annex B). */
#include "weights/tokenizer/byt5.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* The quoted texts of a prompt, each followed by "|". */
static const char *spans(const char *prompt, char buf[256])
{
    struct byt5_span span[8];
    size_t n = byt5_spans(prompt, strlen(prompt), span, 8), k = 0;

    buf[0] = 0;
    for (size_t i = 0; i < n && i < 8; i++)
        k += (size_t)snprintf(buf + k, 256 - k, "%.*s|", (int)span[i].len, prompt + span[i].at);
    return buf;
}

/* catches: a mark taken for another, order by position instead of by kind, a wrong restart */
static void quoted_texts(void **state)
{
    static const char *const cases[][2] = {
        {"A sign that says \"HELLO\"", "HELLO|"},
        {"a \"A\" and \"B\"", "A|B|"},
        {"it's a dog's life \"X\"", "s a dog|X|"},
        {"「你好」 “World” 'q' \"z\"", "q|World|z|你好|"},
        {"\"\"", "|"},
        {"no quotes", ""},
        {"‘curly’ single", ""},
        {"『x』 «y» `z`", ""},
        {"“a “b” c”", "b|"},             /* an opening inside starts again */
        {"”a“ “b", ""},                  /* never closed */
        {"「a」b」「c", "a|"},           /* a closing alone is nothing */
        {"'a “b' c”", "a “b|b' c|"},     /* kinds do not see each other */
        {"“x\n'y'\nz”", "y|x\n'y'\nz|"}, /* found twice; lines do not matter */
        {"'''a'", "|a|"},
        {"\"", ""},
    };
    char buf[256];

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal(spans(cases[i][0], buf), cases[i][1]);
}

static struct byt5 prompt(const char *text)
{
    struct byt5 b;
    struct fail f = {0};

    if (byt5_prompt(&b, text, strlen(text), 384, &f)) fail_msg("%s", f.message);
    return b;
}

static void has_ids(const char *text, size_t n, const int32_t *want)
{
    struct byt5 b = prompt(text);

    assert_int_equal(b.ids.n, n);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(b.ids.v[i], want[i]);
    assert_int_equal(b.start[0], 0);
    assert_int_equal(b.start[b.n], n);
    byt5_free(&b);
}

/* catches: the parity pad by tokens instead of texts, a missing end, rows that do not add up to
 * L */
static void rows_and_pads(void **state)
{
    static const struct {
        const char *prompt;
        int texts, pad;
        size_t rows;
    } cases[] = {
        {"A sign that says \"HELLO\"", 1, 0, 6},
        {"a \"A\" and \"B\"", 2, 1, 6},
        {"it's a dog's life \"X\"", 2, 1, 12},
        {"「你好」 “World” 'q' \"z\"", 4, 1, 21},
        {"\"\"", 1, 0, 1},
        {"no quotes", 1, 0, 1},
        {"‘curly’ single", 1, 0, 1},
        {"", 1, 0, 1},
        {"'a' 'b' 'c'", 3, 0, 6},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct byt5 b = prompt(cases[i].prompt);

        assert_int_equal(b.n, cases[i].texts);
        assert_int_equal(b.start[b.n], cases[i].rows);
        assert_int_equal(b.ids.v[0] == 0, cases[i].pad);
        for (int k = 1; k <= b.n; k++)
            assert_int_equal(b.ids.v[b.start[k] - 1], 1);
        byt5_free(&b);
    }
    has_ids("a \"A\" and \"B\"", 6, (const int32_t[]){0, 68, 1, 0, 69, 1});
    has_ids("'é'", 3, (const int32_t[]){0xc3 + 3, 0xa9 + 3, 1});
}

/* catches: literal special tokens spelt as bytes, white space around them kept, the end doubled */
static void literal_specials(void **state)
{
    struct token_list ids;

    (void)state;
    has_ids("'a <pad> b'", 4, (const int32_t[]){100, 0, 101, 1});
    has_ids("'a</s>'", 2, (const int32_t[]){100, 1});
    has_ids("'a</s>\t'", 2, (const int32_t[]){100, 1});
    has_ids("'</s>a'", 3, (const int32_t[]){1, 100, 1});
    has_ids("'\x1c<unk>\xe3\x80\x80'", 2, (const int32_t[]){2, 1});
    has_ids("' <extra_id_0> '", 4, (const int32_t[]){35, 259, 35, 1});
    has_ids("'<extra_id_12><extra_id_124>'", 3, (const int32_t[]){271, 383, 1});
    token_list_init(&ids, 100);
    assert_int_equal(byt5_encode(&ids, "<extra_id_1>", 12, 260), 0); /* past a vocabulary of 260 */
    assert_int_equal(ids.n, 13);
    token_list_free(&ids);
}

/* catches: a limit that counts without the end, or a text cut to nothing */
static void long_texts(void **state)
{
    (void)state;
    for (size_t n = LIMIT_GLYPH_TOKENS - 2; n < LIMIT_GLYPH_TOKENS + 3; n++) {
        char *text = malloc(n + 2);
        struct byt5 b;

        assert_non_null(text);
        memset(text, 'y', n + 2);
        text[0] = text[n + 1] = '"';
        assert_int_equal(byt5_prompt(&b, text, n + 2, 384, NULL), 0);
        assert_int_equal(b.ids.n, n + 1 < LIMIT_GLYPH_TOKENS ? n + 1 : LIMIT_GLYPH_TOKENS);
        assert_int_equal(b.ids.v[b.ids.n - 1], 1);
        byt5_free(&b);
        free(text);
    }
}

/* catches: more texts than there is room for, bytes that are no text */
static void refused(void **state)
{
    char text[3 * (LIMIT_GLYPH_TEXTS + 1) + 1];
    struct byt5 b;
    struct fail f = {0};

    (void)state;
    for (int i = 0; i <= LIMIT_GLYPH_TEXTS; i++)
        memcpy(text + 3 * i, "'a'", 4);
    assert_int_equal(byt5_prompt(&b, text, strlen(text) - 3, 384, &f), 0);
    assert_int_equal(b.n, LIMIT_GLYPH_TEXTS);
    byt5_free(&b);
    assert_int_equal(byt5_prompt(&b, text, strlen(text), 384, &f), ERR_BAD_PROMPT);
    assert_string_equal(f.field, "prompt");
    assert_non_null(strstr(f.hint, "at most"));
    assert_int_equal(byt5_prompt(&b, "'\xff'", 3, 384, &f), ERR_BAD_UTF8);
}

/* catches: 130 apostrophes refused as "65 quoted texts" with no word about them; advice that does
 * not help */
static void apostrophes_are_named(void **state)
{
    enum { TIMES = 2 * (LIMIT_GLYPH_TEXTS + 1) };
    char plain[TIMES * 12 + 1] = "", curly[TIMES * 12 + 1] = "";
    struct byt5 b;
    struct fail f = {0};

    (void)state;
    for (int i = 0; i < TIMES; i++) {
        memcpy(plain + strlen(plain), "it's here ", 11);
        memcpy(curly + strlen(curly), "it\u2019s here ", 13);
    }
    assert_int_equal(byt5_prompt(&b, plain, strlen(plain), 384, &f), ERR_BAD_PROMPT);
    assert_non_null(strstr(f.message, "65 quoted texts, 65 of them between apostrophes"));
    assert_non_null(strstr(f.hint, "write \u2019 for an apostrophe"));
    assert_int_equal(byt5_prompt(&b, curly, strlen(curly), 384, &f), 0);
    assert_int_equal(b.ids.n, 1);
    byt5_free(&b);
    for (char *at = plain; (at = strchr(at, '\''));)
        *at = '"';
    assert_int_equal(byt5_prompt(&b, plain, strlen(plain), 384, &f), ERR_BAD_PROMPT);
    assert_null(strstr(f.message, "apostrophe"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quoted_texts),     cmocka_unit_test(rows_and_pads),
        cmocka_unit_test(literal_specials), cmocka_unit_test(long_texts),
        cmocka_unit_test(refused),          cmocka_unit_test(apostrophes_are_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
