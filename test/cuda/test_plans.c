/* cuDNN's plans for the released model on an H100 and an H200, proven without a GPU.
 *
 * cuDNN plans from the description of a device: heuristics, run-time compilation and plans are
 * real, only execution is missing. There is a plan for attention and for every convolution of the
 * decoder and the encoder (but the encoder's first, which our own kernel does); the first plan is
 * Hopper's (an engine that cuDNN does not propose for an A100, or kernels for sm_90); it fits the
 * workspace; a convolution's is not compiled at run time, and attention's, which cuDNN always
 * compiles, is the same when it is made again from its text. Catches a graph that cuDNN does not
 * know as a pattern, and so runs on an Ampere kernel or not at all.
 *   test_plans                512 x 512, 768 x 1024, 1024 x 1024, 2048 x 2048 and attention
 *   test_plans WIDTH HEIGHT   decoder and encoder at another size */
#include "kernels/cuda/cudnn_plan.h"
#include "kernels/cuda/plan_cache.h"
#include "test/cuda/shapes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORKSPACE ((int64_t)32 << 20)
/* convolutions that cost less than this share of a decoding may run on any kernel */
#define SMALL     0.01

struct device {
    const char *name;
    int version, multiprocessors, shared, memory_clock, bus, l2;
    unsigned long long memory;
};

static const struct device hopper[] = {
    {"NVIDIA H100 80GB HBM3", 900, 132, 232448, 2619000, 5120, 52428800, 85017493504},
    {"NVIDIA H200", 900, 132, 232448, 3201000, 6144, 62914560, 150754820096}};
static const struct device ampere = {
    "NVIDIA A100-SXM4-80GB", 800, 108, 166912, 1593000, 5120, 41943040, 85017493504};

/* What is known of a plan. */
struct plan {
    int64_t engine, workspace;
    int compiled, sm90;
    /* what was compiled can be kept */
    int survives;
};

struct check {
    struct cudnn_api api;
    cudnnBackendDescriptor_t ampere;
    int passed, failed;
};

static cudnnBackendDescriptor_t describe(const struct cudnn_api *a, const struct device *d)
{
    cudnnBackendDescriptor_t x = NULL;
    char json[1024];
    const int n =
        snprintf(json, sizeof json,
                 "{\"deviceName\":\"%s\",\"cudaDeviceId\":0,\"deviceVer\":%d,\"driverVer\":13000,"
                 "\"isTccDriver\":0,\"l2CacheSize\":%d,\"maxBlockSize\":[1024,1024,64],"
                 "\"maxCtasPerSM\":32,\"maxGridSize\":[2147483647,65535,65535],"
                 "\"maxRegistersPerSM\":65536,\"maxSharedMemoryPerBlock\":49152,"
                 "\"maxSharedMemoryPerBlockOptin\":%d,\"maxThreadsPerBlock\":1024,"
                 "\"maxThreadsPerSM\":2048,\"memClockRateKHz\":%d,\"memoryBusWidth\":%d,"
                 "\"multiProcessorCount\":%d,\"pciDeviceId\":0,\"regsPerBlock\":65536,"
                 "\"reservedSharedMemoryPerBlock\":1024,\"smClockRateKHz\":1980000,"
                 "\"supportCoopLaunch\":1,\"totalGlobalMem\":%llu,\"warpSize\":32}",
                 d->name, d->version, d->l2, d->shared, d->memory_clock, d->bus, d->multiprocessors,
                 d->memory);

    if (!a->create(CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR, &x)
        && !a->set(x, CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION, CUDNN_TYPE_CHAR, n, json)
        && !a->finalize(x))
        return x;
    printf("this cuDNN cannot plan for the description of %s\n", d->name);
    exit(1);
}

/* Whether the plan names kernels for sm_90: those that were compiled for it do. */
static int names_sm90(const struct cudnn_api *a, cudnnBackendDescriptor_t plan)
{
    size_t size;
    char *text = cudnn_plan_text(a, plan, &size);
    const int found = text && strstr(text, "_sm90_") != NULL;

    free(text);
    return found;
}

/* Whether the plan made again from its text is the same: what a restart finds in the cache. */
static int survives(const struct cudnn_api *a, cudnnBackendDescriptor_t plan)
{
    size_t size = 0, again = 0;
    char *text = cudnn_plan_text(a, plan, &size), *other = NULL;
    cudnnBackendDescriptor_t copy = text ? cudnn_plan_parse(a, text, size, WORKSPACE) : NULL;
    int same;

    if (copy) other = cudnn_plan_text(a, copy, &again);
    same = other && size == again && size <= PLAN_CACHE_BYTES && !memcmp(text, other, size);
    if (copy) a->destroy(copy);
    free(text);
    free(other);
    return same;
}

static struct plan look(const struct cudnn_api *a, cudnnBackendDescriptor_t plan)
{
    cudnnBackendDescriptor_t config = NULL, engine = NULL;
    struct plan p = {.engine = -1};
    int64_t n;

    if (!a->create(CUDNN_BACKEND_ENGINECFG_DESCRIPTOR, &config)
        && !a->create(CUDNN_BACKEND_ENGINE_DESCRIPTOR, &engine)
        && !a->get(plan, CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1,
                   &n, &config)
        && !a->get(config, CUDNN_ATTR_ENGINECFG_ENGINE, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &n,
                   &engine)) {
        a->get(engine, CUDNN_ATTR_ENGINE_GLOBAL_INDEX, CUDNN_TYPE_INT64, 1, &n, &p.engine);
    }
    a->get(plan, CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE, CUDNN_TYPE_INT64, 1, &n, &p.workspace);
    p.compiled = cudnn_plan_compiled(a, plan);
    p.survives = !p.compiled || survives(a, plan);
    p.sm90 = names_sm90(a, plan);
    if (engine) a->destroy(engine);
    if (config) a->destroy(config);
    return p;
}

/* The first `most` plans of a graph; returns how many there are. */
static int plans(struct check *c, cudnnBackendDescriptor_t device, const struct cudnn_graph *g,
                 struct plan *out, int most)
{
    cudnnBackendDescriptor_t graph, found[CUDNN_PROPOSALS] = {0};
    struct cudnn_parts parts = {0};
    int n = 0;

    c->api.device = device;
    graph = cudnn_plan_graph(&c->api, &parts, g);
    if (graph) n = cudnn_plan_propose(&c->api, graph, CUDNN_HEUR_MODE_A, WORKSPACE, found, most);
    for (int i = 0; i < n; i++) {
        out[i] = look(&c->api, found[i]);
        c->api.destroy(found[i]);
    }
    cudnn_plan_drop(&c->api, &parts);
    return n;
}

/* Whether the engine is one that an A100 is offered, too. */
static int also_ampere(struct check *c, const struct cudnn_graph *g, int64_t engine)
{
    struct plan p[CUDNN_PROPOSALS];
    const int n = plans(c, c->ampere, g, p, CUDNN_PROPOSALS);

    for (int i = 0; i < n; i++)
        if (p[i].engine == engine) return 1;
    return 0;
}

static void check_shape(struct check *c, cudnnBackendDescriptor_t device, const struct shape *s,
                        double share)
{
    const int is_conv = s->graph.op[0].kind == CUDNN_OP_CONV;
    struct plan p = {0};
    const int n = plans(c, device, &s->graph, &p, 1);
    const int is_hopper = n && (p.sm90 || (!p.compiled && !also_ampere(c, &s->graph, p.engine)));
    const int fast = is_hopper || (is_conv && share < SMALL);
    const int well =
        n && fast && p.workspace <= WORKSPACE && p.survives && !(is_conv && p.compiled);

    if (n)
        printf("  %-46s %4d %6.2f%% engine %2lld %-6s %-11s %5.2f MB %s\n", s->what, s->calls,
               100 * share, (long long)p.engine, is_hopper ? "sm_90" : "older",
               p.compiled ? "compiled" : "precompiled", (double)p.workspace / 1e6,
               well ? "ok" : "FAILED");
    else
        printf("  %-46s %4d %6.2f%% NO PLAN FAILED\n", s->what, s->calls, 100 * share);
    fflush(stdout);
    well ? c->passed++ : c->failed++;
}

/* All shapes of a decoding or of an encoding. by_hand: as many convolutions are left to our own
 * kernel. */
static void check_vae(struct check *c, cudnnBackendDescriptor_t device, const char *name,
                      void (*collect)(struct shapes *, int, int), int width, int height,
                      int by_hand)
{
    static struct shapes s;
    double flops;

    s = (struct shapes){0};
    collect(&s, width, height);
    flops = s.flops_by_hand;
    for (int i = 0; i < s.n; i++)
        flops += s.shape[i].flops;
    printf("%s, %d x %d: %.1f TFLOP, %d convolutions by our own kernel (%.2f %%)\n", name, width,
           height, flops / 1e12, s.by_hand, 100 * s.flops_by_hand / flops);
    for (int i = 0; i < s.n; i++)
        check_shape(c, device, &s.shape[i], s.shape[i].flops / flops);
    s.by_hand == by_hand &&s.flops_by_hand < SMALL *flops ? c->passed++ : c->failed++;
}

/* The encoder's first convolution reads three channels, which are no multiple of 8. */
static void check_size(struct check *c, cudnnBackendDescriptor_t device, int width, int height)
{
    check_vae(c, device, "decoder", shapes_decoder, width, height, 0);
    check_vae(c, device, "encoder", shapes_encoder, width, height, 1);
}

/* The smallest prompt alone, then patches of the four sizes with one row of text and with 32; the
 * same beside one to four images. Then the vision tower over images of 512 to 2048 pixels. */
static void check_attention(struct check *c, cudnnBackendDescriptor_t device)
{
    static const int rows[] = {37, 1025, 1056, 3073, 3104, 4097, 4128, 16385, 16416};
    static const int cells[] = {256, 768, 1024, 4096};
    static struct shapes s;

    s = (struct shapes){0};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        shapes_attention(&s, rows[i], rows[i]);
    for (int i = 1; i <= 4; i++)
        shapes_attention(&s, 4128, 4128 + 4096 * i);
    shapes_attention(&s, 16416, 32800);
    for (size_t i = 0; i < sizeof cells / sizeof *cells; i++)
        shapes_vision(&s, cells[i]);
    printf("attention of the DiT and of the vision tower\n");
    for (int i = 0; i < s.n; i++)
        check_shape(c, device, &s.shape[i], 1);
    if (s.by_hand) c->failed++;
}

int main(int argc, char **argv)
{
    static const int size[][2] = {{512, 512}, {768, 1024}, {1024, 1024}, {2048, 2048}};
    static struct check c;
    cudnnBackendDescriptor_t device;

    if (!cudnn_plan_open(&c.api)) {
        printf("no cuDNN\n0 passed, 1 failed\n");
        return 1;
    }
    c.ampere = describe(&c.api, &ampere);
    for (size_t i = 0; i < sizeof hopper / sizeof *hopper; i++) {
        device = describe(&c.api, &hopper[i]);
        printf("%s, cuDNN %zu\n", hopper[i].name, c.api.version);
        if (argc == 3) {
            check_size(&c, device, (int)strtol(argv[1], NULL, 10), (int)strtol(argv[2], NULL, 10));
            continue;
        }
        for (size_t k = 0; k < sizeof size / sizeof *size; k++)
            check_size(&c, device, size[k][0], size[k][1]);
        check_attention(&c, device);
    }
    printf("%d passed, %d failed\n", c.passed, c.failed);
    return c.failed || !c.passed;
}
