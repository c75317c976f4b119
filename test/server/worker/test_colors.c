/* test_colors - the fit of preview colours does not hold up jobs that were forecast without it. */
#include "server/worker/colors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static int more; /* what the engine answers */

/* Of the engine, in its place. */
int glm_preview_fit(struct glm *g, struct fail *f)
{
    (void)g;
    f->message[0] = '\0';
    return more;
}

static struct residents one(bool watched)
{
    return (struct residents){.n = 1, .at = {{.demand.classes = watched}}};
}

/* catches: a job that waits for the whole fit; a fit that waits for an idle device for ever, or
 * takes time from jobs that nobody watches */
static void jobs_come_first(void **state)
{
    const struct residents none = {.n = 0}, watched = one(true), alone = one(false);
    struct colors c = {.missing = false};

    (void)state;
    assert_false(colors_due(&c, &none));
    colors_begin(&c);
    assert_true(colors_due(&c, &none) && colors_due(&c, &watched) && !colors_due(&c, &alone));
    c.us = 100;
    assert_true(colors_due(&c, &none) && !colors_due(&c, &watched));
    c.drawing_us = 399;
    assert_false(colors_due(&c, &watched));
    c.drawing_us = 400;
    assert_true(colors_due(&c, &watched) && !colors_due(&c, &alone));
}

/* catches: a fit that never ends, or that ends a worker whose device is well; time that is not
 * counted, an engine that was opened anew and begins in debt */
static void it_ends(void **state)
{
    const struct residents none = {.n = 0};
    struct colors c;
    struct fail f;

    (void)state;
    colors_begin(&c);
    more = 1;
    assert_int_equal(colors_step(&c, NULL, NULL, &f), 0);
    assert_true(c.missing && c.us >= 0);
    more = 0;
    assert_int_equal(colors_step(&c, NULL, NULL, &f), 0);
    assert_false(colors_due(&c, &none));
    c.us = 1000;
    colors_begin(&c);
    assert_true(c.missing && c.us == 0);
    more = ERR_OUT_OF_MEMORY;
    assert_int_equal(colors_step(&c, NULL, NULL, &f), 0);
    assert_false(c.missing);
    colors_begin(&c);
    more = ERR_DEVICE;
    assert_int_equal(colors_step(&c, NULL, NULL, &f), ERR_DEVICE);
    assert_false(c.missing);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(jobs_come_first),
        cmocka_unit_test(it_ends),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
