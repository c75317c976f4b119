/* test_png - a file that an independent decoder reads back to the same pixels and words. */
#include "server/worker/png.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <spng.h>

static uint8_t *pixels(int w, int h)
{
    uint8_t *rgb = malloc((size_t)w * (size_t)h * 3);

    for (int i = 0; i < w * h * 3; i++)
        rgb[i] = (uint8_t)(i * i / 7 + i);
    return rgb;
}

/* catches: wrong pixels, a chunk whose CRC or place is wrong (spng checks both) */
static void reads_back(void **state)
{
    const int sizes[][2] = {{1, 1}, {3, 70}, {64, 32}};

    (void)state;
    for (int i = 0; i < 3; i++) {
        int w = sizes[i][0], h = sizes[i][1];
        size_t len, want = (size_t)w * (size_t)h * 3;
        uint8_t *rgb = pixels(w, h), *file, *back = malloc(want);
        struct png_text texts[] = {{"prompt", "plain"}, {"other", "\xe7\xba\xa2\xe5\x9c\x86"}};
        struct spng_text got[4];
        spng_ctx *ctx = spng_ctx_new(0);
        uint32_t n = 0;

        assert_int_equal(png_encode(rgb, w, h, texts, 2, &file, &len, NULL), 0);
        spng_set_crc_action(ctx, SPNG_CRC_ERROR, SPNG_CRC_ERROR);
        spng_set_png_buffer(ctx, file, len);
        assert_int_equal(spng_decode_image(ctx, back, want, SPNG_FMT_RGB8, 0), 0);
        assert_memory_equal(back, rgb, want);
        assert_int_equal(spng_get_text(ctx, NULL, &n), 0);
        assert_int_equal(n, 2);
        assert_int_equal(spng_get_text(ctx, got, &n), 0);
        assert_string_equal(got[0].keyword, "prompt");
        assert_string_equal(got[0].text, "plain");
        assert_int_equal(got[0].type, SPNG_TEXT);
        assert_string_equal(got[1].text, texts[1].value);
        assert_int_equal(got[1].type, SPNG_ITXT);
        spng_ctx_free(ctx);
        free(rgb);
        free(file);
        free(back);
    }
}

/* catches: a request's parameters that are missing from the file,
 * or bytes that differ between runs */
static void same_request_same_bytes(void **state)
{
    struct spec s = {.prompt = (char *)(uintptr_t) "a \"sign\"",
                     .width = 8,
                     .height = 8,
                     .steps = 3,
                     .guidance = 1.5,
                     .seed = 42,
                     .lane = LANE_NORMAL,
                     .noise_seed = SPEC_SEED_PICK};
    struct glm_picture p = {.rgb = pixels(8, 8), .width = 8, .height = 8};
    uint8_t *a, *b;
    size_t n, m;
    char da[PNG_DIGEST_TEXT], db[PNG_DIGEST_TEXT];

    (void)state;
    assert_int_equal(png_encode_spec(&p, &s, 3, "tiny", "1.0", &a, &n, NULL), 0);
    assert_int_equal(png_encode_spec(&p, &s, 3, "tiny", "1.0", &b, &m, NULL), 0);
    assert_int_equal(n, m);
    assert_memory_equal(a, b, n);
    assert_non_null(memmem(a, n, "\"seed\":42", 9));
    assert_non_null(memmem(a, n, "model\0tiny", 10));
    png_digest(a, n, da);
    b[n - 20] ^= 1;
    png_digest(b, m, db);
    assert_int_equal(strlen(da), 64);
    assert_string_not_equal(da, db);
    free(a);
    free(b);
    free(p.rgb);
}

/* catches: a file that says more steps than were done, or only one of its two seeds */
static void what_was_done_is_in_the_file(void **state)
{
    static const char WANT[] = "\"steps\":3,\"guidance\":1.5,\"seed\":42,\"noise_seed\":7,"
                               "\"steps_done\":2}";
    struct spec s = {.prompt = (char *)(uintptr_t) "x",
                     .width = 8,
                     .height = 8,
                     .steps = 3,
                     .guidance = 1.5,
                     .seed = 42,
                     .lane = LANE_BATCH,
                     .noise_seed = 7,
                     .prior_from = 99};
    struct glm_picture p = {.rgb = pixels(8, 8), .width = 8, .height = 8};
    uint8_t *a;
    size_t n;

    (void)state;
    assert_int_equal(png_encode_spec(&p, &s, 2, "tiny", "1.0", &a, &n, NULL), 0);
    assert_non_null(memmem(a, n, WANT, sizeof WANT - 1));
    assert_null(memmem(a, n, "prior_from", 10));
    free(a);
    free(p.rgb);
}

/* catches: another hash or length than BLAKE2b-256 */
static void known_digest(void **state)
{
    char hex[PNG_DIGEST_TEXT];

    (void)state;
    png_digest("abc", 3, hex);
    assert_string_equal(hex, "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_back),
        cmocka_unit_test(same_request_same_bytes),
        cmocka_unit_test(what_was_done_is_in_the_file),
        cmocka_unit_test(known_digest),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
