/* test_plan - what a picture is planned to take tells its prompt from its tokens. */
#include "kernels/glm.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

/* catches: work in which a long prompt makes the tokens of the picture look longer, as the prompt's
 * part of the FLOPs is another one than its part of the time; a prompt that costs nothing */
static void the_prompt_has_its_own_work(void **state)
{
    enum { LETTERS = 1500 };
    const struct glm_opts o = {.model = "weights/tiny", .device = "cpu", .threads = 1};
    struct glm *g;
    char text[LETTERS + 1];
    struct glm_req q = {
        .prompt = "x", .prompt_len = 1, .width = 256, .height = 256, .steps = 1, .guidance = 1.5};
    struct glm_cost few, many;
    double a, b;

    (void)state;
    assert_int_equal(glm_open(&g, &o, NULL), 0);
    for (int i = 0; i < LETTERS; i++)
        text[i] = i % 3 == 2 ? ' ' : (char)('a' + i % 26);
    text[LETTERS] = '\0';
    assert_int_equal(glm_plan(g, &q, &few, NULL), 0);
    q.prompt = text;
    q.prompt_len = LETTERS;
    assert_int_equal(glm_plan(g, &q, &many, NULL), 0);
    assert_int_equal(few.chunks, 1);
    assert_true(many.chunks > 1);
    assert_int_equal(few.quanta[GLM_PRIOR] - few.chunks, many.quanta[GLM_PRIOR] - many.chunks);
    a = few.work[GLM_PRIOR] * (1 - few.prefill);
    b = many.work[GLM_PRIOR] * (1 - many.prefill);
    assert_true(b > a && b < 1.5 * a);
    assert_true(many.flops[GLM_PRIOR] * (1 - many.prefill)
                > 1.5 * few.flops[GLM_PRIOR] * (1 - few.prefill));
    assert_true(many.work[GLM_PRIOR] * many.prefill > 50 * few.work[GLM_PRIOR] * few.prefill);
    glm_close(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_prompt_has_its_own_work),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
