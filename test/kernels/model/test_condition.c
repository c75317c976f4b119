/* test_condition - sizes of condition images, and the values that the towers read of them. */
#include "kernels/model/condition.h"
#include "weights/safetensors/dtype.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const struct image_config RELEASED = {
    .min_pixels = 512 * 512, .max_pixels = 2048 * 2048, .patch = 16, .merge = 1};

struct size {
    int w, h, changed, legal_w, legal_h, cols, rows;
};

/* catches: a grid rounded up at a half, a size that only one tower can read taken as it is, a small
 * or long image that is not brought within the limits */
static void sizes_are_those_that_both_towers_read(void **state)
{
    static const struct size SIZES[] = {
        {1024, 1024, 0, 1024, 1024, 32, 32},  {512, 512, 0, 512, 512, 16, 16},
        {768, 1152, 0, 768, 1152, 24, 36},    {2048, 2048, 0, 2048, 2048, 64, 64},
        {1056, 1056, 0, 1056, 1056, 33, 33},  {1000, 1000, 0, 1000, 1000, 31, 31},
        {1008, 1008, 1, 1024, 1024, 32, 32},  {1040, 1040, 1, 1024, 1024, 32, 32},
        {256, 256, 1, 512, 512, 16, 16},      {1280, 720, 1, 1280, 704, 40, 22},
        {2000, 3000, 1, 1376, 2048, 43, 64},  {4096, 4096, 1, 2048, 2048, 64, 64},
        {2048, 512, 0, 2048, 512, 64, 16},    {3000, 500, 1, 2048, 512, 64, 16},
        {1, 1, 1, 512, 512, 16, 16},          {1, 100000, 1, 512, 2048, 16, 64},
        {16384, 16384, 1, 2048, 2048, 64, 64}};

    (void)state;
    for (size_t i = 0; i < sizeof SIZES / sizeof *SIZES; i++) {
        const struct size *want = &SIZES[i];
        struct condition_size s;

        assert_int_equal(condition_size(&RELEASED, want->w, want->h, &s), want->changed);
        if (s.legal.w != want->legal_w || s.legal.h != want->legal_h || s.grid.cols != want->cols
            || s.grid.rows != want->rows)
            fail_msg("%dx%d is used as %dx%d, grid %dx%d", want->w, want->h, s.legal.w, s.legal.h,
                     s.grid.cols, s.grid.rows);
        assert_int_equal(s.vae.w, 32 * s.grid.cols);
        assert_int_equal(s.vae.h, 32 * s.grid.rows);
    }
}

/* catches: a size for which both towers never agree, whatever an image's sides are */
static void every_size_ends_legal(void **state)
{
    (void)state;
    for (int w = 1; w < 5000; w += 37)
        for (int h = 1; h < 5000; h += 41) {
            struct condition_size s, again;

            condition_size(&RELEASED, w, h, &s);
            assert_int_equal(condition_size(&RELEASED, s.legal.w, s.legal.h, &again), 0);
            assert_int_equal(s.vae.w, 32 * s.grid.cols);
            assert_int_equal(s.vae.h, 32 * s.grid.rows);
        }
}

/* catches: channels inside pixels, rows and columns exchanged, a patch read past its row */
static void patches_go_channel_by_channel(void **state)
{
    const struct image_config c = {.mean = {0.5f, 0, 0}, .std = {0.5f, 1, 1}};
    const struct grid g = {1, 2};
    uint8_t rgb[16 * 32 * 3];
    float out[CONDITION_PATCH];

    (void)state;
    for (int p = 0; p < 16 * 32; p++)
        for (int k = 0; k < 3; k++)
            rgb[3 * p + k] = (uint8_t)(k == 0 ? 255 : k == 1 ? p / 32 : p % 32);
    condition_patch(out, &c, rgb, g, 1);
    assert_true(out[0] >= 1 && out[255] <= 1);
    for (int i = 0; i < 256; i++) {
        assert_int_equal((int)lrintf(255 * out[256 + i]), i / 16);
        assert_int_equal((int)lrintf(255 * out[512 + i]), 16 + i % 16);
    }
}

/* catches: corners instead of centres, sampling past the border, rows and columns exchanged */
static void positions_lie_between_the_tables_rows(void **state)
{
    const struct vit_config v = {.width = 1, .side = 4};
    const float table[16] = {0, 1, 2, 3, 10, 11, 12, 13, 20, 21, 22, 23, 30, 31, 32, 33};
    const struct stored_tensor t = {
        .data = table, .dtype = DTYPE_F32, .nd = 2, .dim = {16, 1}, .count = 16};
    const struct grid two = {2, 1}, eight = {8, 8};
    float out, row;

    (void)state;
    condition_position(&out, &row, &v, &t, two, 0, 0);
    assert_true(fabsf(out - 6.5f) < 1e-5f); /* row 0.5, column 1.5 */
    condition_position(&out, &row, &v, &t, two, 1, 0);
    assert_true(fabsf(out - 26.5f) < 1e-5f);
    condition_position(&out, &row, &v, &t, eight, 0, 0);
    assert_true(fabsf(out) < 1e-5f);
    condition_position(&out, &row, &v, &t, eight, 63, 0);
    assert_true(fabsf(out - 33.0f) < 1e-5f);
    condition_position(&out, &row, &v, &t, eight, 1, 0); /* column 0.25 */
    assert_true(fabsf(out - 0.25f) < 1e-5f);
}

/* catches: codes repeated along one side alone, a part that begins anew */
static void every_code_is_four_patches(void **state)
{
    const int32_t codes[6] = {1, 2, 3, 4, 5, 6};
    const int32_t want[24] = {1, 1, 2, 2, 3, 3, 1, 1, 2, 2, 3, 3,
                              4, 4, 5, 5, 6, 6, 4, 4, 5, 5, 6, 6};
    const struct grid g = {2, 3};
    int32_t ids[24];

    (void)state;
    condition_prior(ids, codes, g, 0, 24);
    assert_memory_equal(ids, want, sizeof ids);
    condition_prior(ids, codes, g, 11, 3);
    assert_memory_equal(ids, want + 11, 3 * sizeof *ids);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_are_those_that_both_towers_read),
        cmocka_unit_test(every_size_ends_legal),
        cmocka_unit_test(patches_go_channel_by_channel),
        cmocka_unit_test(positions_lie_between_the_tables_rows),
        cmocka_unit_test(every_code_is_four_patches),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
