/* test_finish - a picture that ends before its last step is what the last step predicted, however
 * it came to its end. */
#include "test/kernels/engine/engine_harness.h"

#include <math.h>
#include <stdlib.h>

enum { SIDE = 64, BYTES = SIDE * SIDE * 3, STEPS = 5 };

static const char MODEL[] = "test/golden/odd/model";

static struct glm_req five(uint64_t seed)
{
    struct glm_req q = request("a \"sign\"", SIDE, SIDE, seed);

    q.steps = STEPS;
    return q;
}

static void stop(struct glm_run *r, int steps)
{
    struct fail f = {0};

    if (glm_run_finish(r, steps, &f)) fail_msg("%s", f.message);
}

/* To that many steps. */
static struct glm_run *step_to(struct glm *g, const struct glm_req *q, int steps)
{
    struct glm_run *r = start(g, q);

    while (glm_run_progress(r).phase < GLM_DENOISE || glm_run_steps(r) < steps)
        step_some(g, &r, 1);
    return r;
}

static void draw(struct glm *g, struct glm_run *r, struct glm_run *other, int steps, uint8_t *rgb)
{
    struct glm_run *all[2] = {r, other};
    struct glm_picture p = {.rgb = rgb, .capacity = BYTES};
    struct fail f = {0};

    memset(rgb, 0, BYTES);
    finish(g, all, other ? 2 : 1);
    assert_int_equal(glm_run_steps(r), steps);
    if (glm_run_image(r, &p, &f)) fail_msg("%s", f.message);
    glm_run_free(r);
    glm_run_free(other);
}

static float *copy(tensor t)
{
    size_t bytes = (size_t)(t.rows * t.cols) * sizeof(float);
    float *v = malloc(bytes);

    assert_non_null(v);
    assert_int_equal(t.ld, t.cols);
    memcpy(v, t.data, bytes);
    return v;
}

/* catches: noise that is decoded, a noise level of another step. The velocity follows from what the
 * step made of the latents. */
static void what_is_decoded_is_the_prediction(void **state)
{
    struct glm *g = open_engine(MODEL, GLM_F32, 1, NULL);
    const struct glm_req q = five(7);

    (void)state;
    for (int k = 1; k < STEPS; k++) {
        struct glm_run *r = step_to(g, &q, k - 1);
        const float *sigma = r->dit.sigma;
        const int64_t n = r->dit.latents.rows * r->dit.latents.cols;
        float *x = copy(r->dit.latents), *y;

        step_some(g, &r, 1);
        y = copy(r->dit.latents);
        stop(r, 1);
        assert_int_equal(glm_run_progress(r).phase, GLM_DECODE);
        for (int64_t i = 0; i < n; i++) {
            const double v =
                ((double)y[i] - (double)x[i]) / ((double)sigma[k] - (double)sigma[k - 1]);
            const double clean = (double)x[i] - (double)sigma[k - 1] * v;
            const double have = (double)((const float *)r->dit.latents.data)[i];

            if (!(fabs(have - clean) <= 2e-4 * (1 + fabs(clean))))
                fail_msg("step %d: %g, not %g", k, have, clean);
        }
        glm_run_free(r);
        free(x);
        free(y);
    }
    glm_close(g);
}

/* catches: a picture that depends on when it was said that it ends, on company, threads or a
 * checkpoint in between */
static void it_is_the_same_however_it_ends(void **state)
{
    static uint8_t at_once[BYTES], other[BYTES], whole[BYTES];

    (void)state;
    for (enum glm_type type = GLM_F32; type <= GLM_BF16; type++) {
        struct glm *g = open_engine(MODEL, type, 1, NULL), *two = open_engine(MODEL, type, 2, NULL);
        const struct glm_req q = five(7), company = five(8);

        draw(g, start(g, &q), NULL, STEPS, whole);
        for (int k = 1; k < STEPS; k++) {
            struct glm_run *r = step_to(g, &q, k);

            stop(r, 1); /* it has done more */
            draw(g, r, NULL, k, at_once);
            assert_true(memcmp(at_once, whole, BYTES) != 0);
            r = start(two, &q);
            stop(r, k); /* beforehand */
            stop(r, 1); /* the first one holds */
            draw(two, r, start(two, &company), k, other);
            assert_memory_equal(at_once, other, BYTES);
        }
        glm_close(g);
        glm_close(two);
    }
}

/* catches: a run that is changed although it has done all its steps */
static void the_last_step_is_the_whole_picture(void **state)
{
    static uint8_t whole[BYTES], stopped[BYTES];
    struct glm *g = open_engine(MODEL, GLM_F32, 1, NULL);
    const struct glm_req q = five(7);
    struct glm_run *r;

    (void)state;
    draw(g, start(g, &q), NULL, STEPS, whole);
    for (int when = 0; when < 3; when++) {
        r = when == 0 ? start(g, &q) : step_to(g, &q, STEPS);
        if (when == 2) step_some(g, &r, 1); /* a piece of the decoder */
        stop(r, when == 0 ? STEPS : 1);
        draw(g, r, NULL, STEPS, stopped);
        assert_memory_equal(whole, stopped, BYTES);
    }
    glm_close(g);
}

static struct glm_run *reload(struct glm *g, const struct glm_req *q, struct glm_run *r)
{
    const size_t len = glm_run_save_bytes(r);
    void *bytes = malloc(len);
    struct glm_run *out;
    struct fail f = {0};

    assert_non_null(bytes);
    if (glm_run_save(r, bytes, &f)) fail_msg("%s", f.message);
    if (glm_run_load(&out, g, q, bytes, len, &f)) fail_msg("%s", f.message);
    glm_run_free(r);
    free(bytes);
    return out;
}

/* catches: a checkpoint that lacks the prediction, or how many steps a finished run has done */
static void it_ends_the_same_from_a_checkpoint(void **state)
{
    static uint8_t at_once[BYTES], other[BYTES];
    struct glm *g = open_engine(MODEL, GLM_BF16, 1, NULL);
    const struct glm_req q = five(7);
    struct glm_run *r = step_to(g, &q, 3);

    (void)state;
    stop(r, 1);
    draw(g, r, NULL, 3, at_once);
    r = reload(g, &q, step_to(g, &q, 3)); /* then finished */
    stop(r, 3);
    draw(g, r, NULL, 3, other);
    assert_memory_equal(at_once, other, BYTES);
    r = reload(g, &q, step_to(g, &q, 1)); /* finished later */
    stop(r, 3);
    draw(g, r, NULL, 3, other);
    assert_memory_equal(at_once, other, BYTES);
    r = step_to(g, &q, 3); /* finished before */
    stop(r, 1);
    step_some(g, &r, 1);
    r = reload(g, &q, r);
    assert_int_equal(glm_run_progress(r).phase, GLM_DECODE);
    draw(g, r, NULL, 3, other);
    assert_memory_equal(at_once, other, BYTES);
    glm_close(g);
}

/* catches: progress that goes back or never comes to its end */
static void progress_goes_on(void **state)
{
    struct glm *g = open_engine(MODEL, GLM_F32, 1, NULL);
    const struct glm_req q = five(7);
    struct glm_run *r = step_to(g, &q, 1);
    struct glm_progress v, before = glm_run_progress(r);

    (void)state;
    stop(r, 2);
    v = glm_run_progress(r);
    assert_int_equal(v.total, 2);
    assert_true(v.left > 0.49 && v.left < 0.51);
    for (; v.phase != GLM_DONE; before = v) {
        v = glm_run_progress(r);
        assert_true(v.overall >= before.overall);
        if (v.phase != GLM_DONE) step_some(g, &r, 1);
    }
    assert_true(v.overall >= 1);
    glm_run_free(r);
    glm_close(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_decoded_is_the_prediction),
        cmocka_unit_test(it_is_the_same_however_it_ends),
        cmocka_unit_test(the_last_step_is_the_whole_picture),
        cmocka_unit_test(it_ends_the_same_from_a_checkpoint),
        cmocka_unit_test(progress_goes_on),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
