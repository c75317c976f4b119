/* gpu_engine - the whole engine on a GPU, through its public header (kernels/glm.h):
 *
 *   gpu_engine same MODEL SIDE [IMAGES]      MODEL drawn by the CPU device and by the GPU, from so
 *                                            many condition images; ends in a verdict
 *   gpu_engine whole MODEL SIDE STEPS BATCH [IMAGES]
 *                                            seconds from prompt to picture, by phase; bytes
 *                                            against the plan
 *   gpu_engine table MODEL SIDE COPY PRODUCT
 *                                            every operation's time, share and fraction of the
 *                                            roofline, for a token, a step and a decoding; COPY in
 *                                            GB/s and PRODUCT in TFLOP/s of the same run
 *
 * whole and table need MODEL's configuration alone: weights are made on the GPU. The table asks
 * for the time between two events around each operation, without programmatic launches and
 * recordings: it says what an operation takes, `whole` says what they take together. */
#include "bench/gpu_meter.h"
#include "kernels/cuda/cuda.h"
#include "kernels/cuda/device.h"
#include "kernels/engine/engine.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void stop(const char *what, const struct fail *f)
{
    printf("%s: %s; %s\n", what, f->message, f->hint);
    exit(2);
}

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static struct glm *engine(const char *model, const char *device, enum glm_type type,
                          enum engine_use use)
{
    struct glm *g;
    struct fail f = {0};
    const struct glm_opts o = {
        .model = model, .device = device, .type = type, .cache = getenv("GPU_CACHE")};

    if (engine_open(&g, &o, use, &f)) stop("open", &f);
    return g;
}

/* Waves of colour: images of about the picture's size, whose sides are legal. */
static const struct glm_image *images(int side)
{
    static struct glm_image image[LIMIT_IMAGES];
    const int n = side < 64 ? 64 : side;
    uint8_t *rgb;

    if (image[0].width == n) return image;
    rgb = malloc(3 * (size_t)n * (size_t)n);
    if (!rgb) exit(1);
    for (int y = 0; y < n; y++)
        for (int i = 0; i < 3 * n; i++)
            rgb[3 * (size_t)n * (size_t)y + (size_t)i] =
                (uint8_t)(128 + 120 * sin(0.05 * i / 3 + 0.03 * y * (i % 3 + 1)));
    for (int i = 0; i < LIMIT_IMAGES; i++)
        image[i] = (struct glm_image){.rgb = rgb, .width = n, .height = n};
    return image;
}

static struct glm_req request(int side, int steps, uint64_t seed, int n)
{
    static const char prompt[] = "a red square on a white background";

    return (struct glm_req){.prompt = prompt,
                            .prompt_len = sizeof prompt - 1,
                            .width = side,
                            .height = side,
                            .steps = steps,
                            .guidance = 1.5,
                            .seed = seed,
                            .image = images(side),
                            .images = n};
}

static struct glm_run *start(struct glm *g, const struct glm_req *q)
{
    struct glm_run *r;
    struct fail f = {0};

    if (glm_run_new(&r, g, q, &f)) stop("a picture", &f);
    return r;
}

static void step(struct glm *g, struct glm_run **r, int n)
{
    struct fail f = {0};

    if (glm_step(g, r, n, &f)) stop("a step", &f);
    for (int i = 0; i < n; i++)
        if (glm_run_failed(r[i], &f)) stop("a picture", &f);
}

/* -- same -------------------------------------------------------------------------------------- */

struct drawn {
    uint8_t *rgb;
    int32_t *tokens, *codes; /* of the picture; of its images */
    size_t count, cells;
};

static int32_t *copy_of(const int32_t *v, size_t n)
{
    int32_t *to = calloc(n + 1, sizeof *to);

    if (!to) exit(1);
    if (n) memcpy(to, v, n * sizeof *to);
    return to;
}

static int differing(const int32_t *a, const int32_t *b, size_t n)
{
    int differ = 0;

    for (size_t i = 0; i < n; i++)
        differ += a[i] != b[i];
    return differ;
}

static struct drawn draw(struct glm *g, int side, int from, const struct glm_inject *in)
{
    struct glm_req q = request(side, 8, 11, from);
    const size_t bytes = (size_t)side * (size_t)side * 3;
    struct drawn d = {.rgb = malloc(bytes)};
    struct glm_picture p = {.rgb = d.rgb, .capacity = bytes};
    struct fail f = {0};
    struct glm_run *r;

    q.inject = in;
    r = start(g, &q);
    while (glm_run_progress(r).phase != GLM_DONE)
        step(g, &r, 1);
    d.count = (size_t)r->prior.samples;
    d.cells = (size_t)r->cells;
    d.tokens = copy_of(r->tokens, d.count);
    d.codes = copy_of(r->codes, d.cells);
    if (!d.rgb) exit(1);
    if (glm_run_image(r, &p, &f)) stop("the picture", &f);
    glm_run_free(r);
    return d;
}

static double psnr(const uint8_t *a, const uint8_t *b, size_t n)
{
    double sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += (double)((a[i] - b[i]) * (a[i] - b[i]));
    return sum > 0 ? 10 * log10(255.0 * 255 * (double)n / sum) : 99;
}

/* The same tokens in both, so that a draw on the edge does not make another picture of it; how many
 * tokens differ when each device samples its own is printed beside it. */
static int same(const char *model, int side, int from)
{
    const size_t n = (size_t)side * (size_t)side * 3;
    int failed = 0;

    for (enum glm_type type = GLM_F32; type <= GLM_BF16; type++) {
        struct glm *cpu = engine(model, "cpu", type, ENGINE_DRAW);
        struct glm *gpu = engine(model, "cuda", type, ENGINE_DRAW);
        double t0, db, bar;
        struct drawn a, own, b, again;
        struct glm_inject in;
        int differ, stable, well;

        if (type == GLM_F32) printf("%s against %s\n", cuda_describe(gpu->dev), cpu->dev->label);
        t0 = now();
        a = draw(cpu, side, from, NULL);
        own = draw(gpu, side, from, NULL);
        in = (struct glm_inject){.tokens = a.tokens, .token_count = a.count};
        b = draw(gpu, side, from, &in);
        again = draw(gpu, side, from, &in);
        differ = differing(a.tokens, own.tokens, a.count);
        db = psnr(a.rgb, b.rgb, n);
        bar = type == GLM_F32 ? 50 : 30;
        stable = !memcmp(b.rgb, again.rgb, n);
        well = db >= bar && stable;
        printf("%s, %d x %d: %.1f dB (at least %.0f), %d of %zu tokens differ, %s, %.1f s: %s\n",
               type == GLM_F32 ? "f32" : "bf16", side, side, db, bar, differ, a.count,
               stable ? "twice the same bytes" : "NOT THE SAME TWICE", now() - t0,
               well ? "ok" : "FAILED");
        if (from)
            printf("  %d of the images' %zu codes differ\n", differing(a.codes, b.codes, a.cells),
                   a.cells);
        fflush(stdout);
        failed += !well;
        glm_close(cpu);
        glm_close(gpu);
    }
    printf("%d passed, %d failed\n", 2 - failed, failed);
    return failed != 0;
}

/* -- whole ------------------------------------------------------------------------------------- */

/* Random weights of about the size that keeps a row's variance; norms and biases small. */
static void fill_weights(struct glm *g)
{
    struct cuda *c = cuda_of(g->dev);

    for (int i = 0; i < g->stages.list.n; i++) {
        const struct cuda_weight *w = cuda_weight_of(g->stages.list.w[i]);
        const int bf = c->bf && w->use != USE_VECTOR;
        const double fan = (double)(w->in * (w->k ? w->k * w->k : 1));
        const float scale = w->use == USE_VECTOR || w->use == USE_TABLE ? 1 : (float)sqrt(3 / fan);

        cu_noise(&c->q, bf, w->data, w->bytes / (bf ? 2 : 4), scale, (uint64_t)i);
    }
}

static struct glm *gpu_engine(const char *model)
{
    struct glm *g = engine(model, "cuda", GLM_BF16, ENGINE_BARE);
    struct fail f = {0};

    if (g->stages.offload) {
        printf("the weights do not fit this GPU whole: nothing is measured\n");
        exit(2);
    }
    fill_weights(g);
    if (g->dev->ops->sync(g->dev, &f)) stop("weights", &f);
    return g;
}

static void jump(struct glm_run **r, int n, enum glm_phase phase)
{
    for (int i = 0; i < n; i++) {
        r[i]->phase = phase;
        r[i]->done = 0;
    }
}

/* A few quanta of every phase: choices are timed, plans built, kernels loaded. */
static void warm(struct glm *g, const struct glm_req *q, int n)
{
    struct glm_run *r[LIMIT_BATCH];

    for (int i = 0; i < n; i++)
        r[i] = start(g, q);
    while (glm_run_progress(r[0]).phase < GLM_PRIOR)
        step(g, r, n);
    while (glm_run_progress(r[0]).phase == GLM_PRIOR && glm_run_progress(r[0]).done < 4)
        step(g, r, n);
    jump(r, n, GLM_DENOISE);
    step(g, r, n);
    jump(r, n, GLM_DECODE);
    while (glm_run_progress(r[0]).phase == GLM_DECODE)
        step(g, r, n);
    for (int i = 0; i < n; i++)
        glm_run_free(r[i]);
}

static void print_phases(const double begun[GLM_PHASES + 1], const struct glm_cost *cost, int n)
{
    for (int p = 0; p < GLM_PHASES; p++) {
        const double s = begun[p + 1] - begun[p];

        if (!cost->quanta[p]) continue;
        printf("  %-8s %8.3f s, %9.3f ms a quantum, %6.0f TFLOP/s\n",
               glm_phase_name((enum glm_phase)p), s, s * 1e3 / cost->quanta[p],
               n * cost->flops[p] / s / 1e12);
    }
}

static void whole(const char *model, int side, int steps, int n, int from)
{
    struct glm *g = gpu_engine(model);
    struct glm_run *r[LIMIT_BATCH];
    const struct glm_req q = request(side, steps, 1, from);
    struct glm_cost cost;
    struct fail f = {0};
    char line[600];
    uint64_t total, left, scratch;
    double begun[GLM_PHASES + 1], first = 0, last = 0;
    double t0, all, plan;
    enum glm_phase at = GLM_GLYPH;

    if (glm_plan(g, &q, &cost, &f) || glm_plan_batch(g, &q, n, &scratch, &f)) stop("plan", &f);
    printf("%s\n", cuda_describe(g->dev));
    warm(g, &q, n);
    t0 = now();
    for (int i = 0; i < n; i++)
        r[i] = start(g, &q);
    begun[at] = now();
    while (glm_run_progress(r[0]).phase != GLM_DONE) {
        const struct glm_progress v = glm_run_progress(r[0]);
        const double t = now();

        step(g, r, n);
        if (v.phase == GLM_PRIOR && v.done >= 10 && v.done < 60) first += now() - t;
        if (v.phase == GLM_PRIOR && v.done >= v.total - 60 && v.done < v.total - 10)
            last += now() - t;
        while (at < glm_run_progress(r[0]).phase)
            begun[++at] = now();
    }
    all = now() - t0;
    cuda_memory(g->dev, &total, &left);
    printf("%d x %d, %d steps, %d images, %d at a time: %.2f s from prompt to picture\n", side,
           side, steps, from, n, all);
    print_phases(begun, &cost, n);
    printf("  tokens 10 to 60: %.3f ms each, the last ones: %.3f ms\n", first * 20, last * 20);
    if (steps != 50)
        printf("  with 50 steps: %.2f s\n",
               all + (50.0 / steps - 1) * (begun[GLM_DENOISE + 1] - begun[GLM_DENOISE]));
    plan = (double)(g->info.weight_bytes + (uint64_t)n * cost.run_bytes + scratch);
    printf(
        "  bytes: planned %.3f GB (weights %.3f, %d x %.3f, scratch %.3f); taken %.3f GB, of the "
        "GPU's %.3f GB %.3f are left\n",
        plan / 1e9, (double)g->info.weight_bytes / 1e9, n, (double)cost.run_bytes / 1e9,
        (double)scratch / 1e9, (double)cuda_of(g->dev)->used / 1e9, (double)total / 1e9,
        (double)left / 1e9);
    cuda_libraries(g->dev, line, sizeof line);
    printf("  libraries: %s\n", line);
    for (int i = 0; i < n; i++)
        glm_run_free(r[i]);
    glm_close(g);
}

/* -- table ------------------------------------------------------------------------------------- */

static void table(const char *model, int side, double copy, double product)
{
    struct glm *g = gpu_engine(model);
    const struct glm_req q = request(side, 2, 1, 0);
    struct meter *m = meter_new(g->dev);
    struct glm_run *r;

    warm(g, &q, 1);
    cuda_of(g->dev)->q.pdl = 0;
    r = start(g, &q);
    step(g, &r, 1);
    for (int i = 0; i < 3; i++)
        step(g, &r, 1);
    meter_begin(m);
    step(g, &r, 1);
    meter_print(m, "a token", copy, product);
    jump(&r, 1, GLM_DENOISE);
    step(g, &r, 1);
    meter_begin(m);
    step(g, &r, 1);
    meter_print(m, "a step", copy, product);
    jump(&r, 1, GLM_DECODE);
    meter_begin(m);
    while (glm_run_progress(r).phase == GLM_DECODE)
        step(g, &r, 1);
    meter_print(m, "a decoding", copy, product);
    meter_free(m);
    glm_run_free(r);
    glm_close(g);
}

/* A whole number of the command line. */
static int number(const char *s)
{
    return (int)strtol(s, NULL, 10);
}

int main(int argc, char **argv)
{
    const char *what = argc > 3 ? argv[1] : "";
    const int side = argc > 3 ? number(argv[3]) : 0;

    if (!strcmp(what, "same")) return same(argv[2], side, argc > 4 ? number(argv[4]) : 0);
    if (!strcmp(what, "whole") && argc > 5)
        whole(argv[2], side, number(argv[4]), number(argv[5]), argc > 6 ? number(argv[6]) : 0);
    else if (!strcmp(what, "table") && argc > 5)
        table(argv[2], side, 1e9 * number(argv[4]), 1e12 * number(argv[5]));
    else
        return fprintf(stderr, "see the top of gpu_engine.c\n"), 2;
    return 0;
}
