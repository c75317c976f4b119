/* test_glyph - the relative distances of the glyph encoder. */
#include "kernels/model/glyph.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const struct glyph_config CONFIG = {.buckets = 32, .distance = 128};

/* catches: the decoder's one-sided buckets, a boundary off by one */
static void buckets_are_the_table(void **state)
{
    static const int from[] = {8, 12, 16, 23, 32, 46, 64, 91};

    (void)state;
    for (int a = 0; a < 2100; a++) {
        int want = a;

        for (int i = 0; i < 8 && a >= 8; i++)
            if (a >= from[i]) want = 8 + i;
        assert_int_equal(glyph_bucket(&CONFIG, -a), want);
        if (a) assert_int_equal(glyph_bucket(&CONFIG, a), 16 + want);
    }
}

/* catches: the number of buckets or the distance taken as constants */
static void buckets_follow_the_config(void **state)
{
    const struct glyph_config c = {.buckets = 20, .distance = 50};

    (void)state;
    assert_int_equal(glyph_bucket(&c, -4), 4);
    assert_int_equal(glyph_bucket(&c, 1), 11);
    assert_int_equal(glyph_bucket(&c, -49), 9);
    assert_int_equal(glyph_bucket(&c, 4000), 19);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buckets_are_the_table),
        cmocka_unit_test(buckets_follow_the_config),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
