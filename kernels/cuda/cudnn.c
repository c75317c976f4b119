/* cudnn - plans by description: found, timed, run. */
#include "kernels/cuda/cudnn.h"
#include "kernels/cuda/cudnn_plan.h"
#include "kernels/cuda/plan_cache.h"
#include "kernels/cuda/tuning.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if HAVE_CUDNN

enum { PLANS = 96, TRIES = 4, ROUNDS = 3 };
#    define WORKSPACE ((size_t)32 << 20)

/* A plan, and the key of the description that it was made for. */
struct plan {
    uint64_t key, used;
    /* NULL: cuDNN cannot do this one */
    cudnnBackendDescriptor_t exec;
    struct cudnn_parts parts;
    /* why there is none */
    char why[160];
};

struct cudnn {
    struct cudnn_api api;
    cudaStream_t stream;
    cudaEvent_t event[2];
    void *work;
    /* for results of timing runs */
    char *try;
    size_t try_bytes;
    /* which of the proposals, from 1 */
    struct tuning tuning;
    /* plans that were compiled */
    struct plan_cache cache;
    uint64_t clock;
    const char *why;
    char last[160];
    struct plan plan[PLANS];
};

static void forget(struct cudnn *d, struct plan *p)
{
    if (p->exec) d->api.destroy(p->exec);
    cudnn_plan_drop(&d->api, &p->parts);
    *p = (struct plan){0};
}

/* The address of a tensor at this call; out: where the result goes instead, or NULL. */
static void *address(struct cudnn_graph *g, int i, void *out)
{
    if (out && i == cudnn_graph_result(g)) return out;
    return g->tensor[i].by_value ? (void *)&g->tensor[i].value
                                 : (void *)(uintptr_t)g->tensor[i].data;
}

static int execute(struct cudnn *d, cudnnBackendDescriptor_t exec, struct cudnn_graph *g, void *out)
{
    const struct cudnn_api *a = &d->api;
    void *data[CUDNN_TENSORS];
    int64_t id[CUDNN_TENSORS], n = 0;
    cudnnBackendDescriptor_t v = NULL;
    int bad;

    for (int i = 0; i < g->tensors; i++) {
        if (g->tensor[i].inner) continue;
        id[n] = i + 1;
        data[n++] = address(g, i, out);
    }
    bad = (int)a->create(CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR, &v);
    if (!bad)
        bad = (int)a->set(v, CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, CUDNN_TYPE_VOID_PTR, n, data);
    if (!bad) bad = (int)a->set(v, CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, CUDNN_TYPE_INT64, n, id);
    if (!bad)
        bad = (int)a->set(v, CUDNN_ATTR_VARIANT_PACK_WORKSPACE, CUDNN_TYPE_VOID_PTR, 1, &d->work);
    if (!bad) bad = (int)a->finalize(v);
    if (!bad) bad = (int)a->execute(a->handle, exec, v);
    if (v) a->destroy(v);
    return bad ? -1 : 1;
}

/* Milliseconds of the fastest of a few runs; negative: it does not run. */
static float time_one(struct cudnn *d, cudnnBackendDescriptor_t exec, struct cudnn_graph *g)
{
    float best = -1, ms = 0;

    for (int i = 0; i <= ROUNDS; i++) {
        cudaEventRecord(d->event[0], d->stream);
        if (execute(d, exec, g, d->try) < 0) return -1;
        cudaEventRecord(d->event[1], d->stream);
        if (cudaEventSynchronize(d->event[1]) != cudaSuccess) return -1;
        cudaEventElapsedTime(&ms, d->event[0], d->event[1]);
        if (i && (best < 0 || ms < best)) best = ms;
    }
    return best;
}

static int fastest(struct cudnn *d, const cudnnBackendDescriptor_t *plan, int n,
                   struct cudnn_graph *g)
{
    float least = -1, ms;
    int best = 0;

    for (int i = 0; i < n; i++) {
        ms = time_one(d, plan[i], g);
        if (ms < 0 || (least >= 0 && ms >= least)) continue;
        least = ms;
        best = i;
    }
    return best;
}

/* The best of the proposals: what an earlier timing found; else by timing, where the result fits
 * `try`; else the first. */
static cudnnBackendDescriptor_t choose(struct cudnn *d, cudnnBackendDescriptor_t graph,
                                       struct cudnn_graph *g, uint64_t key)
{
    cudnnBackendDescriptor_t plan[CUDNN_PROPOSALS] = {0};
    const unsigned char *kept = tuning_find(&d->tuning, key);
    /* of attention the first is the best for every number of rows, and each takes a second */
    const int timed =
        !kept && g->op[0].kind != CUDNN_OP_SDPA && cudnn_graph_result_bytes(g) <= d->try_bytes;
    const int most = kept ? kept[0] : timed ? TRIES : 1;
    int best = kept ? kept[0] - 1 : 0, n;

    n = cudnn_plan_propose(&d->api, graph, CUDNN_HEUR_MODE_A, WORKSPACE, plan, most);
    if (!n) n = cudnn_plan_propose(&d->api, graph, CUDNN_HEUR_MODE_FALLBACK, WORKSPACE, plan, 1);
    if (n > 1 && timed) {
        best = fastest(d, plan, n, g);
        tuning_keep(&d->tuning, key, &(unsigned char){(unsigned char)(best + 1)}, 1);
    }
    if (best >= n) best = 0;
    for (int i = 0; i < n; i++)
        if (i != best) d->api.destroy(plan[i]);
    return n ? plan[best] : NULL;
}

/* A plan that was compiled in an earlier run, or NULL. */
static cudnnBackendDescriptor_t recall(const struct cudnn *d, uint64_t key)
{
    cudnnBackendDescriptor_t plan = NULL;
    size_t size = 0;
    char *text = plan_cache_read(&d->cache, key, &size);

    if (text) plan = cudnn_plan_parse(&d->api, text, size, WORKSPACE);
    free(text);
    return plan;
}

static void remember(const struct cudnn *d, cudnnBackendDescriptor_t plan, uint64_t key)
{
    size_t size = 0;
    char *text = cudnn_plan_compiled(&d->api, plan) ? cudnn_plan_text(&d->api, plan, &size) : NULL;

    if (text) plan_cache_write(&d->cache, key, text, size);
    free(text);
}

/* What went wrong, and the library's own last word on it. */
static void say(const struct cudnn *d, char *out, size_t size, const char *what)
{
    const int n = snprintf(out, size, "%s: ", what);

    d->api.last_error(out + n, size - (size_t)n);
}

static struct plan *find_plan(struct cudnn *d, struct cudnn_graph *g)
{
    const uint64_t key = cudnn_graph_key(g);
    struct plan *oldest = &d->plan[0];
    cudnnBackendDescriptor_t graph;

    for (int i = 0; i < PLANS; i++) {
        if (d->plan[i].key == key) return &d->plan[i];
        if (d->plan[i].used < oldest->used) oldest = &d->plan[i];
    }
    forget(d, oldest);
    oldest->key = key;
    oldest->exec = recall(d, key);
    graph = oldest->exec ? NULL : cudnn_plan_graph(&d->api, &oldest->parts, g);
    if (graph) oldest->exec = choose(d, graph, g, key);
    if (graph && oldest->exec) remember(d, oldest->exec, key);
    if (!oldest->exec) say(d, oldest->why, sizeof oldest->why, "no plan");
    return oldest;
}

static int run(struct cudnn *d, struct cudnn_graph *g)
{
    struct plan *p = find_plan(d, g);
    int taken = -1;

    p->used = ++d->clock;
    d->why = p->why;
    if (!p->exec) return taken;
    taken = execute(d, p->exec, g, NULL);
    if (taken < 0) {
        say(d, d->last, sizeof d->last, "a plan that does not run");
        d->why = d->last;
    }
    return taken;
}

const char *cudnn_why(const struct cudnn *d)
{
    return d->why;
}

int cudnn_conv(struct cudnn *d, const struct cudnn_conv *c)
{
    struct cudnn_graph g;

    return cudnn_graph_conv(&g, c) ? run(d, &g) : 0;
}

int cudnn_attention(struct cudnn *d, const struct cu_attn *a)
{
    struct cudnn_graph g;

    if (!cudnn_graph_attention(&g, a)) return 0;
    if (d->api.version >= 91301) return run(d, &g);
    d->why = "attention as one node came with cuDNN 9.13.1";
    return -1;
}

struct cudnn *cudnn_open(void *stream, void *work, size_t bytes, void *try, size_t try_bytes,
                         const char *cache, const char *model)
{
    struct cudnn *d = calloc(1, sizeof *d);

    if (!d) return NULL;
    d->work = work;
    d->try = try;
    d->try_bytes = try_bytes;
    d->stream = stream;
    if (bytes >= WORKSPACE && cudnn_plan_open(&d->api) && !d->api.create_handle(&d->api.handle)
        && !d->api.set_stream(d->api.handle, stream) && cudaEventCreate(&d->event[0]) == cudaSuccess
        && cudaEventCreate(&d->event[1]) == cudaSuccess) {
        tuning_open(&d->tuning, cache, "cudnn", d->api.version, model);
        plan_cache_open(&d->cache, cache, d->api.version, model);
        return d;
    }
    cudnn_close(d);
    return NULL;
}

void cudnn_close(struct cudnn *d)
{
    if (!d) return;
    for (int i = 0; i < PLANS; i++)
        forget(d, &d->plan[i]);
    for (int i = 0; i < 2; i++)
        if (d->event[i]) cudaEventDestroy(d->event[i]);
    if (d->api.handle) d->api.destroy_handle(d->api.handle);
    cudnn_plan_close(&d->api);
    free(d);
}

void cudnn_describe(const struct cudnn *d, char *out, size_t size)
{
    if (d)
        snprintf(out, size, ", cuDNN %zu.%zu", d->api.version / 10000, d->api.version / 100 % 100);
    else
        snprintf(out, size, ", no cuDNN");
}

#else /* built without the library's headers */

struct cudnn *cudnn_open(void *stream, void *work, size_t bytes, void *try, size_t try_bytes,
                         const char *cache, const char *model)
{
    (void)stream, (void)work, (void)bytes, (void)try, (void)try_bytes, (void)cache, (void)model;
    return NULL;
}

void cudnn_close(struct cudnn *d)
{
    (void)d;
}

void cudnn_describe(const struct cudnn *d, char *out, size_t size)
{
    (void)d;
    snprintf(out, size, ", no cuDNN");
}

const char *cudnn_why(const struct cudnn *d)
{
    (void)d;
    return "";
}

int cudnn_conv(struct cudnn *d, const struct cudnn_conv *c)
{
    (void)d, (void)c;
    return 0;
}

int cudnn_attention(struct cudnn *d, const struct cu_attn *a)
{
    (void)d, (void)a;
    return 0;
}

#endif
