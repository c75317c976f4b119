/* The whole engine on an imagined card: pictures of the small models, drawn by the CUDA device.
 *
 * Catches: a stage that differs from the CPU device's, a picture that depends on its company or on a recording,
 * a prior that waits for the host, tokens shown before they are drawn, memory that leaks. */
#include "kernels/cuda/cuda.h"
#include "kernels/engine.h"
#include "test/simt/cuda_runtime.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { SIDE = 32, BYTES = SIDE * SIDE * 3 };

static struct glm *engine(const char *device, enum glm_type type, const char *cache)
{
    struct glm *g;
    struct fail f = {0};
    const struct glm_opts o = {.model = "test/golden/odd/model",
                               .device = device,
                               .type = type,
                               .threads = 1,
                               .cache = cache};
    if (glm_open(&g, &o, &f)) fail_msg("%s", f.message);
    return g;
}

static struct glm_run *start(struct glm *g, const char *prompt, int width, int steps, uint64_t seed)
{
    struct glm_run *r;
    struct fail f = {0};
    const struct glm_req q = {.prompt = prompt,
                              .prompt_len = strlen(prompt),
                              .width = width,
                              .height = SIDE,
                              .steps = steps,
                              .guidance = 1.5,
                              .seed = seed};
    if (glm_run_new(&r, g, &q, &f)) fail_msg("%s", f.message);
    return r;
}

/* All that are in the phase of the one that is furthest behind; 0: all are done. */
static int step(struct glm *g, struct glm_run **all, int n)
{
    struct glm_run *batch[LIMIT_BATCH];
    struct fail f = {0};
    enum glm_phase least = GLM_DONE;
    int count = 0;
    for (int i = 0; i < n; i++)
        if (glm_run_view(all[i]).phase < least) least = glm_run_view(all[i]).phase;
    for (int i = 0; i < n && least < GLM_DONE; i++)
        if (glm_run_view(all[i]).phase == least) batch[count++] = all[i];
    if (count && glm_step(g, batch, count, &f)) fail_msg("%s", f.message);
    return count;
}

static void draw(struct glm *g, int company, uint8_t *rgb, int32_t *tokens)
{
    struct glm_picture p = {.rgb = rgb, .capacity = BYTES};
    struct fail f = {0};
    struct glm_run *all[3];
    int n = 0;
    for (int i = 0; i < company; i++)
        all[n++] = start(g, i ? "other \"words\"" : "", i % 2 ? 32 : 64, 1, 5);
    for (int i = 0; i < 2 * company; i++)
        step(g, all, n);
    all[n++] = start(g, "a \"sign\"", SIDE, 2, 7);
    while (step(g, all, n)) {}
    if (glm_run_image(all[n - 1], &p, &f)) fail_msg("%s", f.message);
    memcpy(tokens, all[n - 1]->tokens, sizeof *tokens * (size_t)all[n - 1]->prior.draws);
    for (int i = 0; i < n; i++)
        glm_run_free(all[i]);
}

static double psnr(const uint8_t *a, const uint8_t *b)
{
    double sum = 0;
    for (int i = 0; i < BYTES; i++)
        sum += (a[i] - b[i]) * (a[i] - b[i]);
    return sum > 0 ? 10 * log10(255.0 * 255 * BYTES / sum) : 99;
}

static void a_picture_is_the_cpus(void **s)
{
    (void)s;
    static uint8_t cpu[BYTES], cuda[BYTES];
    static int32_t a[4096], b[4096];
    const int before = simt_blocks();
    struct glm *ref = engine("cpu", GLM_F32, NULL), *dev = engine("cuda", GLM_F32, NULL);
    draw(ref, 0, cpu, a);
    draw(dev, 0, cuda, b);
    assert_memory_equal(a, b, sizeof a);
    print_message("%.1f dB\n", psnr(cpu, cuda));
    assert_true(psnr(cpu, cuda) > 50);
    glm_close(ref);
    glm_close(dev);
    assert_int_equal(simt_blocks(), before);
}

static void company_changes_nothing(void **s)
{
    (void)s;
    static uint8_t alone[BYTES], other[BYTES];
    static int32_t a[4096], b[4096];
    struct glm *g = engine("cuda", GLM_BF16, NULL);
    draw(g, 0, alone, a);
    draw(g, 2, other, b);
    assert_memory_equal(a, b, sizeof a);
    assert_memory_equal(alone, other, sizeof alone);
    glm_close(g);
}

/* Between two tokens nobody waits for the stream; a preview shows a few tokens less than were asked for. */
static void the_prior_runs_ahead(void **s)
{
    (void)s;
    static uint8_t rgb[BYTES];
    char dir[] = "/tmp/simt-XXXXXX", path[64];
    struct fail f = {0};
    struct glm_picture p = {.rgb = rgb, .capacity = sizeof rgb};
    assert_non_null(mkdtemp(dir));
    glm_close(engine("cpu", GLM_F32,
                     dir)); /* learns the colours of previews, which here would take minutes */
    struct glm *g = engine("cuda", GLM_F32, dir);
    struct glm_run *r = start(g, "x", SIDE, 1, 3);
    while (glm_run_view(r).phase < GLM_PRIOR || glm_run_view(r).done < 2)
        assert_int_equal(glm_step(g, &r, 1, &f), 0);
    assert_int_equal(glm_run_preview(r, SIDE, &p, &f),
                     0); /* two asked for, none known to be there */
    const int before = simt_waits();
    int tokens = 0;
    for (; glm_run_view(r).total - glm_run_view(r).done > 1; tokens++)
        assert_int_equal(glm_step(g, &r, 1, &f), 0);
    assert_true(tokens > 2);
    assert_int_equal(simt_waits(), before);
    assert_int_equal(glm_run_preview(r, SIDE, &p, &f), 1);
    assert_int_equal(glm_step(g, &r, 1, &f), 0); /* the last one is looked at */
    assert_true(simt_waits() > before && glm_run_view(r).phase == GLM_DENOISE);
    glm_run_free(r);
    glm_close(g);
    snprintf(path, sizeof path, "rm -r %s", dir);
    assert_int_equal(system(path), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_picture_is_the_cpus),
        cmocka_unit_test(company_changes_nothing),
        cmocka_unit_test(the_prior_runs_ahead),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
