/* test_preview_colors - colours of previews: the fit finds what is there, the file keeps it. */
#include "kernels/engine/preview_colors.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { C = 3, CODES = 5, H = 8, W = 12 };

/* A world in which colours are linear in latents: what the fit must find. */
static const float TRUTH[3][C + 1] = {{40, 0, 5, 120}, {0, -30, 10, 100}, {7, 7, 7, 90}};

static float latents[C * H * W];
static uint8_t rgb[64 * H * W * 3];
static int32_t codes[H / 4 * W / 4];

static void make_world(unsigned seed)
{
    for (int i = 0; i < C * H * W; i++) {
        seed = seed * 1664525u + 1013904223u;
        latents[i] = (float)((int)(seed >> 24) - 128) / 100;
    }
    for (int y = 0; y < 8 * H; y++)
        for (int x = 0; x < 8 * W; x++)
            for (int c = 0; c < 3; c++) {
                float v = TRUTH[c][C];

                for (int k = 0; k < C; k++)
                    v += TRUTH[c][k] * latents[k * H * W + y / 8 * W + x / 8];
                rgb[(y * 8 * W + x) * 3 + c] = (uint8_t)lrintf(v);
            }
    for (int i = 0; i < H / 4 * W / 4; i++)
        codes[i] = i % 4; /* the last code is never seen */
}

static void fit_world(struct preview_colors *m)
{
    struct preview_colors_fit fit;

    assert_int_equal(preview_colors_new(m, C, CODES, NULL), 0);
    assert_int_equal(preview_colors_fit_new(&fit, C, CODES, NULL), 0);
    for (unsigned i = 0; i < 3; i++) {
        make_world(i);
        preview_colors_fit_add(&fit, rgb, H, W, latents, codes);
    }
    preview_colors_fit_code(&fit, m);
    preview_colors_fit_latent(&fit, m);
    preview_colors_fit_free(&fit);
}

/* catches: a system that is set up or solved wrong, channels exchanged, the constant forgotten */
static void a_linear_world_is_found(void **state)
{
    struct preview_colors m;
    static uint8_t seen[sizeof rgb];

    (void)state;
    fit_world(&m);
    for (int c = 0; c < 3; c++)
        for (int k = 0; k <= C; k++)
            assert_true(fabsf(m.latent[c * (C + 1) + k] - TRUTH[c][k]) < 0.5f);
    preview_colors_show(&m, seen, latents, H, W);
    for (size_t i = 0; i < sizeof rgb; i++)
        assert_true(abs(seen[i] - rgb[i]) <= 1);
    preview_colors_free(&m);
}

/* catches: means over the wrong cells; a code never seen that is black */
static void codes_get_the_mean_of_their_cells(void **state)
{
    struct preview_colors m;
    struct preview_colors_fit fit;

    (void)state;
    assert_int_equal(preview_colors_new(&m, C, CODES, NULL), 0);
    assert_int_equal(preview_colors_fit_new(&fit, C, CODES, NULL), 0);
    make_world(1);
    for (int y = 0; y < 8 * H; y++)
        for (int x = 0; x < 8 * W; x++)
            memset(rgb + (y * 8 * W + x) * 3, 20 * codes[y / 32 * (W / 4) + x / 32], 3);
    preview_colors_fit_add(&fit, rgb, H, W, NULL, codes);
    preview_colors_fit_code(&fit, &m);
    for (int i = 0; i < 4; i++)
        assert_int_equal(m.code[3 * i + 1], 20 * i);
    assert_in_range(m.code[3 * 4], 20, 40);
    preview_colors_fit_free(&fit);
    preview_colors_free(&m);
}

/* catches: latents that never vary and so have no unique solution: no NaN may come of it */
static void a_flat_world_gives_numbers(void **state)
{
    struct preview_colors m;
    struct preview_colors_fit fit;

    (void)state;
    assert_int_equal(preview_colors_new(&m, C, CODES, NULL), 0);
    assert_int_equal(preview_colors_fit_new(&fit, C, CODES, NULL), 0);
    memset(latents, 0, sizeof latents);
    memset(rgb, 77, sizeof rgb);
    preview_colors_fit_add(&fit, rgb, H, W, latents, NULL);
    preview_colors_fit_latent(&fit, &m);
    for (int i = 0; i < 3 * (C + 1); i++)
        assert_true(isfinite(m.latent[i]));
    assert_true(fabsf(m.latent[C] - 77) < 0.1f);
    preview_colors_fit_free(&fit);
    preview_colors_free(&m);
}

/* catches: a file of another model, or half a file, taken for whole */
static void only_a_whole_file_of_this_model_is_loaded(void **state)
{
    char dir[] = "/tmp/darkroom-colours-XXXXXX", path[96];
    struct preview_colors m, back, other;

    (void)state;
    assert_non_null(mkdtemp(dir));
    fit_world(&m);
    assert_int_equal(preview_colors_save(&m, dir, "abc", NULL), 0);
    assert_int_equal(preview_colors_new(&back, C, CODES, NULL), 0);
    assert_int_equal(preview_colors_new(&other, C, CODES + 1, NULL), 0);
    assert_int_equal(preview_colors_load(&back, dir, "abd"), 0);
    assert_int_equal(preview_colors_load(&other, dir, "abc"), 0);
    assert_int_equal(preview_colors_load(&back, dir, "abc"), 1);
    assert_memory_equal(back.latent, m.latent, 3 * (C + 1) * sizeof(float));
    assert_memory_equal(back.code, m.code, 3 * CODES);
    snprintf(path, sizeof path, "%s/preview-abc", dir);
    assert_int_equal(truncate(path, 70), 0);
    assert_int_equal(preview_colors_load(&back, dir, "abc"), 0);
    unlink(path);
    rmdir(dir);
    assert_int_equal(preview_colors_save(&m, "/proc/none", "abc", NULL), ERR_IO);
    preview_colors_free(&m);
    preview_colors_free(&back);
    preview_colors_free(&other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_linear_world_is_found),
        cmocka_unit_test(codes_get_the_mean_of_their_cells),
        cmocka_unit_test(a_flat_world_gives_numbers),
        cmocka_unit_test(only_a_whole_file_of_this_model_is_loaded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
