/* test_exif - the orientation tag in both byte orders, and in data that is none. */
#include "server/decoder/exif.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { TIFF = 8 + 2 + 2 * 12 };

static size_t put(uint8_t *out, int little, uint32_t v, int n)
{
    for (int i = 0; i < n; i++)
        out[little ? i : n - 1 - i] = (uint8_t)(v >> 8 * i);
    return (size_t)n;
}

/* A directory of two entries at `offset`, the second with the tag. */
static size_t make(uint8_t out[TIFF], int little, uint32_t offset, int type, uint32_t value)
{
    size_t n = 0;

    memset(out, 0, TIFF);
    memcpy(out, little ? "II" : "MM", 2);
    put(out + 2, little, 42, 2);
    put(out + 4, little, offset, 4);
    n = 8 + put(out + 8, little, 2, 2);
    put(out + n, little, 271, 2);
    n += 12;
    put(out + n, little, 274, 2);
    put(out + n + 2, little, (uint32_t)type, 2);
    put(out + n + 4, little, 1, 4);
    put(out + n + 8, little, value, type == 3 ? 2 : 4);
    return n + 12;
}

/* catches: a byte order, a type or a value taken for another one */
static void both_orders_and_types_are_read(void **state)
{
    uint8_t tiff[6 + TIFF] = "Exif\0";

    (void)state;
    for (int little = 0; little < 2; little++)
        for (int type = 1; type < 6; type++)
            for (uint32_t value = 0; value < 11; value++) {
                const size_t n = make(tiff + 6, little, 8, type, value);
                const int good = (type == 3 || type == 4) && value >= 1 && value <= 8;

                assert_int_equal(exif_orientation(tiff + 6, n), good ? (int)value : 1);
                assert_int_equal(exif_orientation(tiff, 6 + n), good ? (int)value : 1);
            }
}

/* catches: an offset that points out of the data (a sanitizer sees a byte too many) */
static void what_is_damaged_is_upright(void **state)
{
    static const uint32_t offsets[] = {0,  7,    9,          30,         33,
                                       34, 1000, 0x7fffffff, 0xffffffff, 0xfffffff8};
    uint8_t tiff[TIFF];

    (void)state;
    for (size_t n = 0; n < TIFF; n++) {
        uint8_t *part = malloc(n ? n : 1);

        make(tiff, 1, 8, 3, 6);
        memcpy(part, tiff, n);
        assert_int_equal(exif_orientation(part, n), 1);
        free(part);
    }
    for (size_t i = 0; i < sizeof offsets / sizeof *offsets; i++) {
        uint8_t *whole = malloc(TIFF);

        make(whole, 0, offsets[i], 3, 6);
        assert_int_equal(exif_orientation(whole, TIFF), 1);
        free(whole);
    }
    assert_int_equal(exif_orientation((const uint8_t *)"Exif\0\0Exif\0\0", 12), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_orders_and_types_are_read),
        cmocka_unit_test(what_is_damaged_is_upright),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
