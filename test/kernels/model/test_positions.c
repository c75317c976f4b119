/* test_positions - where tokens stand, and the angles that follow. */
#include "kernels/model/positions.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void assert_position(struct position p, int t, int h, int w)
{
    assert_int_equal(p.t, t);
    assert_int_equal(p.h, h);
    assert_int_equal(p.w, w);
}

/* catches: the large grid drawn first, a counter that does not jump by the longer side, no end
 * entry */
static void draws_go_preview_first(void **state)
{
    struct grid large = prompt_large(64, 96), preview = prompt_preview(large);
    struct position d[254];
    const int p = 7, q = p + 19;

    (void)state;
    assert_int_equal(preview.rows, 13);
    assert_int_equal(preview.cols, 19);
    positions_samples(d, p, preview, large);
    assert_position(d[0], p, p, p);
    assert_position(d[1], p, p, p + 1);
    assert_position(d[18], p, p, p + 18);
    assert_position(d[19], p, p + 1, p);
    assert_position(d[246], p, p + 12, p + 18);
    assert_position(d[247], q, q, q);
    assert_position(d[248], q, q, q + 1);
    assert_position(d[250], q, q + 1, q);
    assert_position(d[252], q, q + 1, q + 2);
    assert_position(d[253], q + 3, q + 3, q + 3);
}

/* catches: sections that restart the frequencies, or that do not go round T, H, W, T */
static void sections_take_turns(void **state)
{
    struct ar_config c = {.rotary = 10, .theta = 100.0f, .sections = 4, .section = {1, 2, 1, 1}};
    struct position p = {3, 5, 7};
    const int axis[5] = {3, 5, 5, 7, 3};
    float table[10];

    (void)state;
    positions_prior_table(table, &c, &p, 1, 0);
    for (int i = 0; i < 5; i++) {
        double angle = axis[i] * pow(100.0, -2.0 * i / 10.0);

        assert_true(fabs((double)table[i] - cos(angle)) < 1e-6);
        assert_true(fabs((double)table[5 + i] - sin(angle)) < 1e-6);
    }
    positions_prior_table(table, &c, &p, 1, 1);
    for (int i = 0; i < 10; i++) {
        uint32_t bits;

        memcpy(&bits, &table[i], sizeof bits);
        assert_int_equal(bits & 0xffff, 0);
    }
}

/* catches: rows and columns exchanged, a quarter too many, positions that do not start at 0 */
static void patches_turn_by_row_then_column(void **state)
{
    float table[6 * 12];

    (void)state;
    positions_patch_table(table, 12, 2, 3);
    for (int k = 0; k < 6; k++)
        for (int j = 0; j < 6; j++) {
            int at = j < 3 ? k / 3 : k % 3;
            double angle = at * pow(10000.0, -2.0 * (j % 3) / 6.0);

            assert_true(fabs((double)table[12 * k + j] - cos(angle)) < 1e-6);
            assert_true(fabs((double)table[12 * k + 6 + j] - sin(angle)) < 1e-6);
        }
}

/* catches: an image whose cells are counted one by one, that moves the counter by its cells or its
 * shorter side, whose columns run along the rows; an end marker inside the image */
static void images_stand_in_the_prompt_as_grids(void **state)
{
    enum { START = 50, END, IMAGE, WORD };
    static const int32_t ids[] = {START, IMAGE, IMAGE, END, START, IMAGE, IMAGE, END, WORD, START};
    const struct grid grid[2] = {{1, 2}, {2, 1}};
    struct position p[10];

    (void)state;
    assert_int_equal(positions_prompt(p, ids, 10, IMAGE, grid, 2), 10);
    assert_position(p[0], 0, 0, 0);
    assert_position(p[1], 1, 1, 1);
    assert_position(p[2], 1, 1, 2);
    assert_position(p[3], 3, 3, 3);
    assert_position(p[4], 4, 4, 4);
    assert_position(p[5], 5, 5, 5);
    assert_position(p[6], 5, 6, 5);
    assert_position(p[7], 7, 7, 7);
    assert_position(p[8], 8, 8, 8);
    assert_int_equal(positions_prompt(p, ids + 8, 2, IMAGE, NULL, 0), 2);
    assert_position(p[1], 1, 1, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(draws_go_preview_first),
        cmocka_unit_test(images_stand_in_the_prompt_as_grids),
        cmocka_unit_test(sections_take_turns),
        cmocka_unit_test(patches_turn_by_row_then_column),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
