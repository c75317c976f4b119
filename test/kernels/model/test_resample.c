/* test_resample - resized pictures, byte for byte what Pillow makes of them. */
#include "kernels/model/resample.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct vector {
    struct resample_size from, to;
    enum resample_filter filter;
    uint64_t fnv;
};

#include "test/kernels/model/resample_vectors.h"

static uint8_t *picture(uint32_t seed, struct resample_size s)
{
    const size_t n = 3 * (size_t)s.w * (size_t)s.h;
    uint8_t *out = malloc(n);
    uint32_t x = seed;

    assert_non_null(out);
    for (size_t i = 0; i < n; i++) {
        x = 1664525U * x + 1013904223U;
        out[i] = (uint8_t)(seed % 2 ? (x >> 24) / 64 * 64 : x >> 24);
    }
    return out;
}

static uint64_t fnv(const uint8_t *bytes, size_t n)
{
    uint64_t h = 0xcbf29ce484222325U;

    for (size_t i = 0; i < n; i++)
        h = (h ^ bytes[i]) * 0x100000001b3U;
    return h;
}

/* catches: another order of the passes, a tap that is rounded otherwise, a window one pixel off, a
 * pass that is run though its size stays */
static void every_byte_is_pillows(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof VECTORS / sizeof *VECTORS; i++) {
        const struct vector *v = &VECTORS[i];
        const size_t n = 3 * (size_t)v->to.w * (size_t)v->to.h;
        uint8_t *from = picture((uint32_t)i, v->from), *to = malloc(n);

        assert_non_null(to);
        assert_int_equal(resample(to, v->to, from, v->from, v->filter, NULL), 0);
        if (fnv(to, n) != v->fnv)
            fail_msg("%dx%d to %dx%d, filter %d: the bytes differ", v->from.w, v->from.h, v->to.w,
                     v->to.h, v->filter);
        free(from);
        free(to);
    }
}

/* catches: sums that run over where every pixel is at an end of the scale */
static void flat_pictures_stay_flat(void **state)
{
    const struct resample_size from = {50, 40}, to = {31, 77};
    uint8_t in[3 * 50 * 40], out[3 * 31 * 77];

    (void)state;
    for (int v = 0; v <= 255; v += 51)
        for (int filter = RESAMPLE_BICUBIC; filter <= RESAMPLE_LANCZOS; filter++) {
            memset(in, v, sizeof in);
            assert_int_equal(resample(out, to, in, from, (enum resample_filter)filter, NULL), 0);
            for (size_t i = 0; i < sizeof out; i++)
                assert_int_equal(out[i], v);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_byte_is_pillows),
        cmocka_unit_test(flat_pictures_stay_flat),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
