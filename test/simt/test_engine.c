/* The whole engine on an emulated GPU: pictures of the small models, drawn by the CUDA device.
 *
 * Catches: a stage that differs from the CPU device's, a picture that depends on its batch or on a
 * capture, a prior that waits for the host, tokens shown before they are sampled, leaks. */
#include "kernels/cuda/cuda.h"
#include "kernels/engine/engine.h"
#include "test/simt/cuda_runtime.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { SIDE = 32, BYTES = SIDE * SIDE * 3 };

static struct glm *open_model(const char *model, const char *device, enum glm_type type,
                              const char *cache)
{
    struct glm *g;
    struct fail f = {0};
    const struct glm_opts o = {
        .model = model, .device = device, .type = type, .threads = 1, .cache = cache};

    if (glm_open(&g, &o, &f)) fail_msg("%s", f.message);
    return g;
}

static struct glm *engine(const char *device, enum glm_type type, const char *cache)
{
    return open_model("test/golden/plain/model", device, type, cache);
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

static void step(struct glm *g, struct glm_run **r, int n)
{
    struct fail f = {0};

    if (glm_step(g, r, n, &f)) fail_msg("%s", f.message);
}

static void image_of(struct glm_run *r, uint8_t *rgb)
{
    struct glm_picture p = {.rgb = rgb, .capacity = BYTES};
    struct fail f = {0};

    if (glm_run_image(r, &p, &f)) fail_msg("%s", f.message);
}

static double psnr(const uint8_t *a, const uint8_t *b)
{
    double sum = 0;

    for (int i = 0; i < BYTES; i++)
        sum += (a[i] - b[i]) * (a[i] - b[i]);
    return sum > 0 ? 10 * log10(255.0 * 255 * BYTES / sum) : 99;
}

/* Until two tokens before the last: between two of them the host does not wait for the stream, and
 * a preview shows a few tokens less than were asked for. */
static void run_ahead(struct glm *g, struct glm_run *r)
{
    static uint8_t rgb[BYTES];
    struct glm_picture p = {.rgb = rgb, .capacity = sizeof rgb};
    struct fail f = {0};
    int before;

    while (glm_run_progress(r).phase < GLM_PRIOR || glm_run_progress(r).done < 2)
        step(g, &r, 1);
    assert_int_equal(glm_run_preview(r, SIDE, &p, &f), 0); /* requested, not yet arrived */
    before = simt_waits();
    while (glm_run_progress(r).total - glm_run_progress(r).done > 2)
        step(g, &r, 1);
    assert_int_equal(simt_waits(), before);
    assert_int_equal(glm_run_preview(r, SIDE, &p, &f), 1);
}

static void a_picture_is_the_cpus(void **s)
{
    static uint8_t cpu[BYTES], cuda[BYTES];
    char dir[] = "/tmp/simt-XXXXXX", command[64];
    struct glm *ref, *dev;
    struct glm_run *a, *b;
    int before;

    (void)s;
#ifdef __SANITIZE_ADDRESS__
    skip(); /* fibers cost the sanitizer a second a token */
#endif
    assert_non_null(mkdtemp(dir));
    before = simt_blocks();
    ref = engine("cpu", GLM_F32, dir);
    while (glm_preview_fit(ref, NULL) > 0) /* the previews' colours, for both */
        ;
    dev = engine("cuda", GLM_F32, dir);
    a = start(ref, "a \"sign\"", SIDE, 1, 7);
    b = start(dev, "a \"sign\"", SIDE, 1, 7);
    while (glm_run_progress(a).phase != GLM_DONE)
        step(ref, &a, 1);
    run_ahead(dev, b);
    while (glm_run_progress(b).phase != GLM_DONE)
        step(dev, &b, 1);
    assert_memory_equal(a->tokens, b->tokens, sizeof *a->tokens * (size_t)a->prior.samples);
    image_of(a, cpu);
    image_of(b, cuda);
    print_message("%.1f dB\n", psnr(cpu, cuda));
    assert_true(psnr(cpu, cuda) > 50);
    glm_run_free(a);
    glm_run_free(b);
    glm_close(ref);
    glm_close(dev);
    assert_int_equal(simt_blocks(), before);
    snprintf(command, sizeof command, "rm -r %s", dir);
    assert_int_equal(system(command), 0);
}

enum { TOKENS = 9, CELLS = 4 * (SIDE / 8) * (SIDE / 8) };

/* A few tokens and a denoising step of r, among n others that began earlier. */
static void begin_in(struct glm *g, int n, int32_t *tokens, float *latents)
{
    struct glm_run *all[3];
    struct fail f = {0};
    struct glm_run *r;

    for (int i = 0; i < n; i++)
        all[i] = start(g, i ? "" : "other \"words\"", i ? SIDE : 64, 1, 5);
    for (int i = 0; i < 4 && n; i++)
        step(g, all, n);
    r = all[n] = start(g, "x", SIDE, 2, 3);
    step(g, &r, 1);
    for (int i = 0; i < TOKENS; i++) /* the first ones on their own, then recorded, then repeated */
        step(g, all, n + 1);
    g->dev->ops->get(g->dev, tokens, tensor_cols(r->prior.tokens, 0, TOKENS));
    for (int i = 0; i <= n; i++) {
        all[i]->phase = GLM_DENOISE;
        all[i]->done = 0;
    }
    step(g, all, n + 1);
    assert_int_equal(r->dit.latents.rows * r->dit.latents.cols, CELLS);
    g->dev->ops->get(g->dev, latents, r->dit.latents);
    assert_int_equal(g->dev->ops->sync(g->dev, &f), 0);
    for (int i = 0; i <= n; i++)
        glm_run_free(all[i]);
}

static void company_changes_nothing(void **s)
{
    int32_t a[TOKENS], b[TOKENS];
    float x[CELLS], y[CELLS];
    struct glm *g = engine("cuda", GLM_BF16, NULL);

    (void)s;
    begin_in(g, 0, a, x);
    begin_in(g, 2, b, y);
    assert_memory_equal(a, b, sizeof a);
    assert_memory_equal(x, y, sizeof x);
    glm_close(g);
}

/* Saved, freed, and loaded beside another run, so that it has other addresses. */
static struct glm_run *moved(struct glm *g, struct glm_run *r, const struct glm_req *q)
{
    const size_t len = glm_run_save_bytes(r);
    char *bytes = malloc(len);
    struct fail f = {0};
    struct glm_run *between;

    assert_non_null(bytes);
    if (glm_run_save(r, bytes, &f)) fail_msg("%s", f.message);
    glm_run_free(r);
    between = start(g, "between", SIDE, 1, 1);
    if (glm_run_load(&r, g, q, bytes, len, &f)) fail_msg("%s", f.message);
    glm_run_free(between);
    free(bytes);
    return r;
}

/* Tokens, and latents after two denoising steps; moved on the way or not. */
static void draw_some(struct glm *g, int move, int32_t *tokens, float *latents)
{
    const struct glm_req q = {.prompt = "x \"y\"",
                              .prompt_len = 5,
                              .width = SIDE,
                              .height = SIDE,
                              .steps = 3,
                              .guidance = 1.5,
                              .seed = 3};
    struct fail f = {0};
    struct glm_run *r;

    assert_int_equal(glm_run_new(&r, g, &q, &f), 0);
    for (int i = 0; i < 1 + TOKENS; i++) {
        step(g, &r, 1);
        if (move && i % 2 == 0) r = moved(g, r, &q);
    }
    g->dev->ops->get(g->dev, tokens, tensor_cols(r->prior.tokens, 0, TOKENS));
    assert_int_equal(g->dev->ops->sync(g->dev, &f), 0);
    r->phase = GLM_DENOISE; /* a few hundred tokens sooner */
    r->done = 0;
    prior_seek(&r->prior, prior_calls(&r->prior));
    for (int i = 0; i < 2; i++) {
        step(g, &r, 1);
        if (move) r = moved(g, r, &q);
    }
    g->dev->ops->get(g->dev, latents, r->dit.latents);
    assert_int_equal(g->dev->ops->sync(g->dev, &f), 0);
    glm_run_free(r);
}

/* catches: a checkpoint of what the stream has not done yet, a capture that outlives its run */
static void a_checkpoint_goes_on(void **s)
{
    int32_t a[TOKENS], b[TOKENS];
    float x[CELLS], y[CELLS];
    struct glm *g = engine("cuda", GLM_BF16, NULL);

    (void)s;
    draw_some(g, 0, a, x);
    draw_some(g, 1, b, y);
    assert_memory_equal(a, b, sizeof a);
    assert_memory_equal(x, y, sizeof x);
    glm_close(g);
}

/* A picture that begins with given tokens and ends after one of three steps. */
static void draw_short(struct glm *g, const void *tokens, size_t len, uint8_t *rgb)
{
    const struct glm_req q = {.prompt = "a \"sign\"",
                              .prompt_len = 8,
                              .width = SIDE,
                              .height = SIDE,
                              .steps = 3,
                              .guidance = 1.5,
                              .seed = 7,
                              .skip_prior = 1,
                              .tokens = tokens,
                              .tokens_len = len};
    struct glm_run *r;
    struct fail f = {0};

    if (glm_run_new(&r, g, &q, &f)) fail_msg("%s", f.message);
    step(g, &r, 1);
    assert_int_equal(glm_run_progress(r).phase, GLM_DENOISE);
    step(g, &r, 1);
    assert_int_equal(glm_run_finish(r, 1, &f), 0);
    assert_int_equal(glm_run_progress(r).phase, GLM_DECODE);
    while (glm_run_progress(r).phase != GLM_DONE)
        step(g, &r, 1);
    assert_int_equal(glm_run_steps(r), 1);
    image_of(r, rgb);
    glm_run_free(r);
}

/* catches: given tokens that the device does not have, latents that are decoded instead of what
 * they predict */
static void a_kept_and_finished_picture_is_the_cpus(void **s)
{
    static uint8_t cpu[BYTES], cuda[BYTES];
    struct glm *ref = engine("cpu", GLM_F32, NULL), *dev = engine("cuda", GLM_F32, NULL);
    struct glm_run *r = start(ref, "a \"sign\"", SIDE, 1, 7);
    size_t len;
    void *tokens;

    (void)s;
    while (glm_run_progress(r).phase != GLM_DONE)
        step(ref, &r, 1);
    len = glm_run_tokens_bytes(r);
    tokens = malloc(len);
    assert_non_null(tokens);
    glm_run_tokens(r, tokens);
    glm_run_free(r);
    draw_short(ref, tokens, len, cpu);
    draw_short(dev, tokens, len, cuda);
    print_message("%.1f dB\n", psnr(cpu, cuda));
    assert_true(psnr(cpu, cuda) > 50);
    free(tokens);
    glm_close(ref);
    glm_close(dev);
}

/* Two images, the second of which is brought to another size. */
struct images {
    struct glm_image image[2];
    uint8_t rgb[2][3 * 96 * 100];
};

static struct glm_req edit_of(struct images *s, uint64_t seed)
{
    static const char prompt[] = "make it \"A\"";

    for (int k = 0; k < 2; k++)
        for (size_t i = 0; i < sizeof s->rgb[k]; i++)
            s->rgb[k][i] = (uint8_t)(i / 7 * (i % 3 + 1) + 40 * seed + (size_t)k);
    s->image[0] = (struct glm_image){s->rgb[0], 64, 96};
    s->image[1] = (struct glm_image){s->rgb[1], 90, 50};
    return (struct glm_req){.prompt = prompt,
                            .prompt_len = sizeof prompt - 1,
                            .width = SIDE,
                            .height = SIDE,
                            .steps = 2,
                            .guidance = 1.5,
                            .seed = seed,
                            .image = s->image,
                            .images = 2};
}

/* Draws until `phase` begins. */
static struct glm_run *draw_to(struct glm *g, const struct glm_req *q, enum glm_phase phase)
{
    struct glm_run *r;
    struct fail f = {0};

    if (glm_run_new(&r, g, q, &f)) fail_msg("%s", f.message);
    while (glm_run_progress(r).phase < phase)
        step(g, &r, 1);
    return r;
}

/* catches: a stage of condition images that differs from the CPU device's, keys and values that a
 * branch does not find, memory that is not what was planned */
static void a_picture_from_pictures_is_the_cpus(void **s)
{
    static uint8_t cpu[BYTES], cuda[BYTES];
    static struct images images;
    const struct glm_req q = edit_of(&images, 2);
    struct glm *ref = open_model("test/golden/edit/model", "cpu", GLM_F32, NULL);
    struct glm *dev = open_model("test/golden/edit/model", "cuda", GLM_F32, NULL);
    struct glm_cost c;
    struct glm_run *a, *b;
    struct fail f = {0};

    (void)s;
    assert_int_equal(glm_plan(dev, &q, &c, &f), 0);
    dev->dev->scratch.peak = 0;
    a = draw_to(ref, &q, GLM_DONE);
    b = draw_to(dev, &q, GLM_DONE);
    assert_memory_equal(a->codes, b->codes, sizeof *a->codes * (size_t)a->cells);
    assert_memory_equal(a->tokens, b->tokens, sizeof *a->tokens * (size_t)a->prior.samples);
    image_of(a, cpu);
    image_of(b, cuda);
    print_message("%.1f dB\n", psnr(cpu, cuda));
    assert_true(psnr(cpu, cuda) > 50);
    assert_int_equal(b->bytes, c.run_bytes);
    assert_int_equal(dev->dev->scratch.peak, c.scratch_bytes);
    glm_run_free(a);
    glm_run_free(b);
    glm_close(ref);
    glm_close(dev);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_picture_is_the_cpus),
        cmocka_unit_test(company_changes_nothing),
        cmocka_unit_test(a_checkpoint_goes_on),
        cmocka_unit_test(a_kept_and_finished_picture_is_the_cpus),
        cmocka_unit_test(a_picture_from_pictures_is_the_cpus),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
