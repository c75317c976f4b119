/* test_wakes - what the threads of the CPU device cost while tokens are decoded, counted in
 * wake-ups: times differ from machine to machine, these do not. */
#include "kernels/cpu/cpu.h"
#include "kernels/engine/engine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* As on a machine of some years ago: no operation of a token pays a wake-up by itself. */
static const double FLOPS_US = 40e3, BYTES_US = 40e3, WAKE_US = 60;

/* catches: two threads slower than one, since operations of microseconds wake a thread each */
static void a_token_wakes_a_thread_once_at_most(void **state)
{
    const struct glm_opts o = {
        .model = "weights/tiny", .device = "cpu", .type = GLM_F32, .threads = 2};
    const struct glm_req q = {
        .prompt = "a red circle", .prompt_len = 12, .width = 256, .height = 256, .steps = 1};
    struct glm_run *r;
    struct glm *g;
    struct pool *p;
    uint64_t tokens = 0;

    (void)state;
    assert_int_equal(glm_open(&g, &o, NULL), 0);
    assert_int_equal(glm_run_new(&r, g, &q, NULL), 0);
    p = cpu_of(g->dev)->pool;
    cpu_of(g->dev)->flops_us = FLOPS_US;
    cpu_of(g->dev)->bytes_us = BYTES_US;
    while (glm_run_progress(r).phase < GLM_PRIOR || glm_run_progress(r).done == 0)
        assert_int_equal(glm_step(g, &r, 1, NULL), 0);
    pool_assume_wake(p, WAKE_US);
    for (; glm_run_progress(r).phase == GLM_PRIOR; tokens++)
        assert_int_equal(glm_step(g, &r, 1, NULL), 0);
    assert_true(tokens > 100);
    if (pool_wakes(p) > tokens) print_error("%d wake-ups\n", (int)pool_wakes(p));
    assert_true(pool_wakes(p) <= tokens);
    assert_true(pool_wakes(p) > 0); /* yet they share the work */
    glm_run_free(r);
    glm_close(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_token_wakes_a_thread_once_at_most),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
