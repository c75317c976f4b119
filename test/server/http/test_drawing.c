/* test_drawing - sizes that foreign clients ask for become sizes that are drawn. */
#include "server/http/drawing.h"

#include "proto/limits.h"
#include "proto/spec.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct spec_limits limits(int side_max)
{
    struct spec_limits l;

    spec_limits_init(&l);
    spec_limits_model(&l, side_max, 256, 20);
    return l;
}

static void expect(int side_max, int w, int h, int want_w, int want_h)
{
    const struct spec_limits l = limits(side_max);
    int got_w = w, got_h = h;

    drawing_legal(&l, &got_w, &got_h);
    if (got_w != want_w || got_h != want_h)
        fail_msg("%dx%d at most %d: %dx%d instead of %dx%d", w, h, side_max, got_w, got_h, want_w,
                 want_h);
}

/* catches: a legal size that is changed; one that is cut where it could be scaled */
static void nearest(void **state)
{
    (void)state;
    expect(512, 256, 256, 256, 256);
    expect(512, 512, 128, 512, 128);
    expect(512, 100, 70, 96, 64);
    expect(512, 1024, 1024, 512, 512);
    expect(512, 1536, 1024, 512, 352);
    expect(512, 1024, 1792, 288, 512);
    expect(512, 30, 3000, 128, 512);
    expect(512, 1, 1, 64, 64);
    expect(512, 0, -5, 64, 64);
    expect(2048, 1024, 1792, 1024, 1792);
    expect(2048, 32, 128, 64, 256);
    expect(2048, 1000000, 1000000, 2048, 2048);
}

/* catches: a size that the decoder of specs refuses after all */
static void always_legal(void **state)
{
    (void)state;
    for (int max = 128; max <= 2048; max *= 2) {
        const struct spec_limits l = limits(max);
        struct spec s;

        spec_defaults(&s, &l);
        s.prompt = (char *)(uintptr_t) "x";
        for (int w = 1; w < 4000; w += 37)
            for (int h = 1; h < 4000; h += 41) {
                s.width = w;
                s.height = h;
                drawing_legal(&l, &s.width, &s.height);
                if (spec_check(&s, &l, NULL))
                    fail_msg("%dx%d at most %d: %dx%d", w, h, max, s.width, s.height);
            }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(nearest), cmocka_unit_test(always_legal)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
