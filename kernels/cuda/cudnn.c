/* cudnn - graphs as data, then as cuDNN's descriptors; plans by description. */
#include "kernels/cuda/cudnn.h"
#include "kernels/cuda/dlopen.h"
#include "kernels/cuda/tuning.h"

#include <assert.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* -- descriptions ---------------------------------------------------------------------------------------- */

static int aligned(const void *p, int64_t ld)
{
    return (uintptr_t)p % 16 == 0 && ld % 8 == 0;
}

/* A picture [h*w, c] with ld values between pixels. */
static struct cudnn_tensor picture(const void *data, int64_t c, int64_t h, int64_t w, int64_t ld)
{
    return (struct cudnn_tensor){
        .dim = {1, c, h, w}, .stride = {h * w * ld, 1, w * ld, ld}, .data = data};
}

static int add_tensor(struct cudnn_graph *g, struct cudnn_tensor t)
{
    assert(g->tensors < CUDNN_TENSORS);
    g->tensor[g->tensors] = t;
    return g->tensors++;
}

static int add_op(struct cudnn_graph *g, enum cudnn_op_kind kind, const int *in, int n,
                  struct cudnn_tensor out)
{
    struct cudnn_op *op = &g->op[g->ops++];
    *op = (struct cudnn_op){.kind = kind};
    for (int i = 0; i < n; i++)
        op->in[i] = in[i];
    return op->out = add_tensor(g, out);
}

int cudnn_graph_conv(struct cudnn_graph *g, const struct cudnn_conv *c)
{
    const int64_t side = c->side, per = side * side * c->c;
    const int64_t oh = c->h + 2 * c->pad_h - side + 1, ow = c->w_in;
    *g = (struct cudnn_graph){0};
    if (c->c % 8 || c->n % 8 || oh < 1 || !c->bias) return 0;
    if (!aligned(c->x, c->ldx) || !aligned(c->y, c->ldy) || !aligned(c->w, 0)) return 0;
    if (c->add && !aligned(c->add, c->lda)) return 0;
    const struct cudnn_tensor y = picture(c->y, c->n, oh, ow, c->ldy);
    struct cudnn_tensor sum = picture(NULL, c->n, oh, ow, c->n),
                        bias = picture(c->bias, c->n, 1, 1, c->n);
    struct cudnn_tensor w = {
        .dim = {c->n, c->c, side, side}, .stride = {per, 1, side * c->c, c->c}, .data = c->w};
    sum.inner = 1;
    sum.type = CUDNN_F32;
    int in[2] = {add_tensor(g, picture(c->x, c->c, c->h, c->w_in, c->ldx)), add_tensor(g, w)};
    in[0] = add_op(g, CUDNN_OP_CONV, in, 2, sum);
    g->op[0].pad_h = c->pad_h;
    g->op[0].pad_w = c->side / 2;
    in[1] = add_tensor(g, bias);
    in[0] = add_op(g, CUDNN_OP_ADD, in, 2, c->add ? sum : y);
    if (!c->add) return 1;
    in[1] = add_tensor(g, picture(c->add, c->n, oh, ow, c->lda));
    add_op(g, CUDNN_OP_ADD, in, 2, y);
    return 1;
}

/* Rows of heads side by side: [1, heads, rows, d]. */
static struct cudnn_tensor heads_of(const void *data, int64_t heads, int64_t rows, int64_t d,
                                    int64_t ld)
{
    return (struct cudnn_tensor){
        .dim = {1, heads, rows, d}, .stride = {rows * ld, d, ld, 1}, .data = data};
}

int cudnn_graph_attention(struct cudnn_graph *g, const struct cu_attn *a)
{
    const int64_t d = a->head_dim;
    *g = (struct cudnn_graph){0};
    if (a->bias || a->start || d % 8 || d > 128) return 0;
    if (!aligned(a->q, a->ldq) || !aligned(a->k, a->ldk) || !aligned(a->v, a->ldv)
        || !aligned(a->o, a->ldo))
        return 0;
    struct cudnn_tensor scale = {.dim = {1, 1, 1, 1}, .stride = {1, 1, 1, 1}, .type = CUDNN_F32};
    scale.by_value = 1;
    scale.value = a->scale;
    const int in[4] = {add_tensor(g, heads_of(a->q, a->heads, a->nq, d, a->ldq)),
                       add_tensor(g, heads_of(a->k, a->heads / a->group, a->nk, d, a->ldk)),
                       add_tensor(g, heads_of(a->v, a->heads / a->group, a->nk, d, a->ldv)),
                       add_tensor(g, scale)};
    add_op(g, CUDNN_OP_SDPA, in, 4, heads_of(a->o, a->heads, a->nq, d, a->ldo));
    return 1;
}

#if HAVE_CUDNN

#    include <cuda_runtime.h>
#    include <cudnn.h>

enum { PLANS = 96, CONFIGS = 8, TRIES = 4, ROUNDS = 3 };
#    define WORKSPACE ((size_t)32 << 20)

/* A plan and the description that it was made for (addresses and values left out). */
struct plan {
    uint64_t key, used;
    cudnnBackendDescriptor_t exec; /* NULL: the library cannot do this one */
    cudnnBackendDescriptor_t
        parts[CUDNN_TENSORS + 2 * CUDNN_OPS + 1]; /* what it was made of, kept alive */
    int n;
};

struct cudnn {
    struct dlopen_lib lib, rtc;
    cudnnHandle_t handle;
    cudaStream_t stream;
    cudaEvent_t ev[2];
    void *work;
    char *try; /* room for a result that is timed and thrown away */
    size_t try_bytes;
    struct tuning tuning; /* which of the proposals, from 1 */
    size_t version;
    uint64_t clock;
    struct plan plan[PLANS];
    __typeof__(cudnnCreate) *create_handle;
    __typeof__(cudnnDestroy) *destroy_handle;
    __typeof__(cudnnSetStream) *set_stream;
    __typeof__(cudnnGetVersion) *get_version;
    __typeof__(cudnnBackendCreateDescriptor) *create;
    __typeof__(cudnnBackendDestroyDescriptor) *destroy;
    __typeof__(cudnnBackendFinalize) *finalize;
    __typeof__(cudnnBackendSetAttribute) *set;
    __typeof__(cudnnBackendGetAttribute) *get;
    __typeof__(cudnnBackendExecute) *execute;
};

static int load(struct cudnn *d)
{
    static const char *const names[] = {"libcudnn.so.9", "libcudnn.so", NULL};
    static const char *const rtc[] = {"libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so", NULL};
    dlopen_any(&d->rtc,
               rtc); /* fused graphs are compiled with it: it must be found where we look */
    if (!dlopen_any(&d->lib, names)) return 0;
    d->create_handle = dlopen_symbol(&d->lib, "cudnnCreate");
    d->destroy_handle = dlopen_symbol(&d->lib, "cudnnDestroy");
    d->set_stream = dlopen_symbol(&d->lib, "cudnnSetStream");
    d->get_version = dlopen_symbol(&d->lib, "cudnnGetVersion");
    d->create = dlopen_symbol(&d->lib, "cudnnBackendCreateDescriptor");
    d->destroy = dlopen_symbol(&d->lib, "cudnnBackendDestroyDescriptor");
    d->finalize = dlopen_symbol(&d->lib, "cudnnBackendFinalize");
    d->set = dlopen_symbol(&d->lib, "cudnnBackendSetAttribute");
    d->get = dlopen_symbol(&d->lib, "cudnnBackendGetAttribute");
    d->execute = dlopen_symbol(&d->lib, "cudnnBackendExecute");
    return !d->lib.missing;
}

/* While a descriptor is being made: the first error sticks. */
struct maker {
    struct cudnn *d;
    struct plan *p;
    int bad;
};

static cudnnBackendDescriptor_t begin(struct maker *m, cudnnBackendDescriptorType_t type)
{
    cudnnBackendDescriptor_t x = NULL;
    if (!m->bad) m->bad = m->d->create(type, &x);
    if (x) m->p->parts[m->p->n++] = x;
    return x;
}

static void put(struct maker *m, cudnnBackendDescriptor_t x, cudnnBackendAttributeName_t name,
                cudnnBackendAttributeType_t type, int64_t n, const void *v)
{
    if (!m->bad) m->bad = m->d->set(x, name, type, n, v);
}

static void put_desc(struct maker *m, cudnnBackendDescriptor_t x, cudnnBackendAttributeName_t name,
                     cudnnBackendDescriptor_t v)
{
    put(m, x, name, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &v);
}

static void end(struct maker *m, cudnnBackendDescriptor_t x)
{
    if (!m->bad) m->bad = m->d->finalize(x);
}

static cudnnBackendDescriptor_t make_tensor(struct maker *m, const struct cudnn_tensor *t,
                                            int64_t id)
{
    cudnnBackendDescriptor_t x = begin(m, CUDNN_BACKEND_TENSOR_DESCRIPTOR);
    const cudnnDataType_t type = t->type == CUDNN_BF16 ? CUDNN_DATA_BFLOAT16 : CUDNN_DATA_FLOAT;
    const int64_t align = t->by_value ? 4 : 16;
    const bool inner = t->inner, by_value = t->by_value;
    put(m, x, CUDNN_ATTR_TENSOR_DATA_TYPE, CUDNN_TYPE_DATA_TYPE, 1, &type);
    put(m, x, CUDNN_ATTR_TENSOR_DIMENSIONS, CUDNN_TYPE_INT64, CUDNN_DIMS, t->dim);
    put(m, x, CUDNN_ATTR_TENSOR_STRIDES, CUDNN_TYPE_INT64, CUDNN_DIMS, t->stride);
    put(m, x, CUDNN_ATTR_TENSOR_UNIQUE_ID, CUDNN_TYPE_INT64, 1, &id);
    put(m, x, CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, CUDNN_TYPE_INT64, 1, &align);
    if (inner) put(m, x, CUDNN_ATTR_TENSOR_IS_VIRTUAL, CUDNN_TYPE_BOOLEAN, 1, &inner);
    if (by_value) put(m, x, CUDNN_ATTR_TENSOR_IS_BY_VALUE, CUDNN_TYPE_BOOLEAN, 1, &by_value);
    end(m, x);
    return x;
}

static cudnnBackendDescriptor_t make_conv(struct maker *m, const struct cudnn_op *op,
                                          const cudnnBackendDescriptor_t *t)
{
    const cudnnDataType_t type = CUDNN_DATA_FLOAT;
    const cudnnConvolutionMode_t mode = CUDNN_CROSS_CORRELATION;
    const int64_t dims = 2, one[2] = {1, 1}, pad[2] = {op->pad_h, op->pad_w};
    const float alpha = 1, beta = 0;
    cudnnBackendDescriptor_t c = begin(m, CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR);
    put(m, c, CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, CUDNN_TYPE_INT64, 1, &dims);
    put(m, c, CUDNN_ATTR_CONVOLUTION_COMP_TYPE, CUDNN_TYPE_DATA_TYPE, 1, &type);
    put(m, c, CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_TYPE_CONVOLUTION_MODE, 1, &mode);
    put(m, c, CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, CUDNN_TYPE_INT64, 2, pad);
    put(m, c, CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, CUDNN_TYPE_INT64, 2, pad);
    put(m, c, CUDNN_ATTR_CONVOLUTION_DILATIONS, CUDNN_TYPE_INT64, 2, one);
    put(m, c, CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, CUDNN_TYPE_INT64, 2, one);
    end(m, c);
    cudnnBackendDescriptor_t x = begin(m, CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR);
    put_desc(m, x, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X, t[op->in[0]]);
    put_desc(m, x, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W, t[op->in[1]]);
    put_desc(m, x, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y, t[op->out]);
    put_desc(m, x, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC, c);
    put(m, x, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA, CUDNN_TYPE_FLOAT, 1, &alpha);
    put(m, x, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA, CUDNN_TYPE_FLOAT, 1, &beta);
    end(m, x);
    return x;
}

static cudnnBackendDescriptor_t make_add(struct maker *m, const struct cudnn_op *op,
                                         const cudnnBackendDescriptor_t *t)
{
    const cudnnDataType_t type = CUDNN_DATA_FLOAT;
    const cudnnPointwiseMode_t mode = CUDNN_POINTWISE_ADD;
    cudnnBackendDescriptor_t c = begin(m, CUDNN_BACKEND_POINTWISE_DESCRIPTOR);
    put(m, c, CUDNN_ATTR_POINTWISE_MODE, CUDNN_TYPE_POINTWISE_MODE, 1, &mode);
    put(m, c, CUDNN_ATTR_POINTWISE_MATH_PREC, CUDNN_TYPE_DATA_TYPE, 1, &type);
    end(m, c);
    cudnnBackendDescriptor_t x = begin(m, CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR);
    put_desc(m, x, CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, c);
    put_desc(m, x, CUDNN_ATTR_OPERATION_POINTWISE_XDESC, t[op->in[0]]);
    put_desc(m, x, CUDNN_ATTR_OPERATION_POINTWISE_BDESC, t[op->in[1]]);
    put_desc(m, x, CUDNN_ATTR_OPERATION_POINTWISE_YDESC, t[op->out]);
    end(m, x);
    return x;
}

/* The numbers are spelt out for headers that are older than the library. */
static cudnnBackendDescriptor_t make_sdpa(struct maker *m, const struct cudnn_op *op,
                                          const cudnnBackendDescriptor_t *t)
{
    enum { SDPA = 41, Q = 2800, K = 2801, V = 2802, O = 2803, SCALE = 2805 };
    cudnnBackendDescriptor_t x = begin(m, (cudnnBackendDescriptorType_t)SDPA);
    put_desc(m, x, (cudnnBackendAttributeName_t)Q, t[op->in[0]]);
    put_desc(m, x, (cudnnBackendAttributeName_t)K, t[op->in[1]]);
    put_desc(m, x, (cudnnBackendAttributeName_t)V, t[op->in[2]]);
    put_desc(m, x, (cudnnBackendAttributeName_t)O, t[op->out]);
    put_desc(m, x, (cudnnBackendAttributeName_t)SCALE, t[op->in[3]]);
    end(m, x);
    return x;
}

static cudnnBackendDescriptor_t make_op(struct maker *m, const struct cudnn_op *op,
                                        const cudnnBackendDescriptor_t *t)
{
    switch (op->kind) {
    case CUDNN_OP_CONV: return make_conv(m, op, t);
    case CUDNN_OP_ADD: return make_add(m, op, t);
    case CUDNN_OP_SDPA: return make_sdpa(m, op, t);
    }
    return NULL;
}

static cudnnBackendDescriptor_t make_graph(struct maker *m, const struct cudnn_graph *g)
{
    cudnnBackendDescriptor_t t[CUDNN_TENSORS], op[CUDNN_OPS];
    for (int i = 0; i < g->tensors; i++)
        t[i] = make_tensor(m, &g->tensor[i], i + 1);
    for (int i = 0; i < g->ops; i++)
        op[i] = make_op(m, &g->op[i], t);
    cudnnBackendDescriptor_t x = begin(m, CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR);
    put(m, x, CUDNN_ATTR_OPERATIONGRAPH_HANDLE, CUDNN_TYPE_HANDLE, 1, &m->d->handle);
    put(m, x, CUDNN_ATTR_OPERATIONGRAPH_OPS, CUDNN_TYPE_BACKEND_DESCRIPTOR, g->ops, op);
    end(m, x);
    return x;
}

/* The library's proposals, best first; the first that can be built and fits the workspace is it. */
static cudnnBackendDescriptor_t try_config(struct cudnn *d, cudnnBackendDescriptor_t config)
{
    cudnnBackendDescriptor_t x = NULL;
    int64_t space = 0, n = 0;
    if (d->create(CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR, &x)) return NULL;
    int bad = d->set(x, CUDNN_ATTR_EXECUTION_PLAN_HANDLE, CUDNN_TYPE_HANDLE, 1, &d->handle);
    if (!bad)
        bad = d->set(x, CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1,
                     &config);
    if (!bad) bad = d->finalize(x);
    if (!bad)
        bad = d->get(x, CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE, CUDNN_TYPE_INT64, 1, &n, &space);
    if (!bad && space <= (int64_t)WORKSPACE) return x;
    d->destroy(x);
    return NULL;
}

/* The library's proposals, best first: at most `most` that can be built and fit the workspace. */
static int propose(struct cudnn *d, cudnnBackendDescriptor_t graph, cudnnBackendHeurMode_t mode,
                   cudnnBackendDescriptor_t *found, int most)
{
    cudnnBackendDescriptor_t h = NULL, config[CONFIGS] = {0};
    int64_t n = 0;
    int count = 0;
    if (d->create(CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR, &h)) return 0;
    int bad =
        d->set(h, CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &graph);
    if (!bad) bad = d->set(h, CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_HEUR_MODE, 1, &mode);
    if (!bad) bad = d->finalize(h);
    for (int i = 0; i < CONFIGS && !bad; i++)
        bad = d->create(CUDNN_BACKEND_ENGINECFG_DESCRIPTOR, &config[i]);
    if (!bad)
        bad = d->get(h, CUDNN_ATTR_ENGINEHEUR_RESULTS, CUDNN_TYPE_BACKEND_DESCRIPTOR, CONFIGS, &n,
                     config);
    for (int i = 0; i < n && i < CONFIGS && !bad && count < most; i++)
        if ((found[count] = try_config(d, config[i]))) count++;
    for (int i = 0; i < CONFIGS; i++)
        if (config[i]) d->destroy(config[i]);
    d->destroy(h);
    return count;
}

static void forget(struct cudnn *d, struct plan *p)
{
    if (p->exec) d->destroy(p->exec);
    while (p->n > 0)
        d->destroy(p->parts[--p->n]);
    *p = (struct plan){0};
}

static uint64_t mix(uint64_t h, int64_t v)
{
    return (h ^ (uint64_t)v) * 0x100000001b3u;
}

/* Everything but addresses and values. */
static uint64_t key_of(const struct cudnn_graph *g)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (int i = 0; i < g->tensors; i++)
        for (int k = 0; k < CUDNN_DIMS; k++)
            h = mix(mix(h, g->tensor[i].dim[k]), g->tensor[i].stride[k]);
    for (int i = 0; i < g->ops; i++)
        h = mix(mix(mix(h, g->op[i].kind), g->op[i].pad_h), g->op[i].out);
    return h | 1;
}

/* out: where the result goes instead; NULL: where it belongs. */
static int execute(struct cudnn *d, cudnnBackendDescriptor_t exec, struct cudnn_graph *g, void *out)
{
    void *data[CUDNN_TENSORS];
    int64_t id[CUDNN_TENSORS], n = 0;
    cudnnBackendDescriptor_t v = NULL;
    for (int i = 0; i < g->tensors; i++) {
        if (g->tensor[i].inner) continue;
        id[n] = i + 1;
        if (out && i == g->op[g->ops - 1].out) {
            data[n++] = out;
            continue;
        }
        data[n++] = g->tensor[i].by_value ? (void *)&g->tensor[i].value
                                          : (void *)(uintptr_t)g->tensor[i].data;
    }
    int bad = d->create(CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR, &v);
    if (!bad) bad = d->set(v, CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, CUDNN_TYPE_VOID_PTR, n, data);
    if (!bad) bad = d->set(v, CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, CUDNN_TYPE_INT64, n, id);
    if (!bad) bad = d->set(v, CUDNN_ATTR_VARIANT_PACK_WORKSPACE, CUDNN_TYPE_VOID_PTR, 1, &d->work);
    if (!bad) bad = d->finalize(v);
    if (!bad) bad = d->execute(d->handle, exec, v);
    if (v) d->destroy(v);
    return bad ? -1 : 1;
}

/* Bytes that the result spans. */
static size_t result_bytes(const struct cudnn_graph *g)
{
    const struct cudnn_tensor *t = &g->tensor[g->op[g->ops - 1].out];
    int64_t last = 0;
    for (int i = 0; i < CUDNN_DIMS; i++)
        last += (t->dim[i] - 1) * t->stride[i];
    return (size_t)(last + 1) * 2;
}

/* Milliseconds of the fastest of a few runs; negative: it does not run. */
static float time_one(struct cudnn *d, cudnnBackendDescriptor_t exec, struct cudnn_graph *g)
{
    float best = -1, ms = 0;
    for (int i = 0; i <= ROUNDS; i++) {
        cudaEventRecord(d->ev[0], d->stream);
        if (execute(d, exec, g, d->try) < 0) return -1;
        cudaEventRecord(d->ev[1], d->stream);
        if (cudaEventSynchronize(d->ev[1]) != cudaSuccess) return -1;
        cudaEventElapsedTime(&ms, d->ev[0], d->ev[1]);
        if (i && (best < 0 || ms < best)) best = ms;
    }
    return best;
}

/* The best of the proposals: as it was found earlier, by timing where the result has room to be thrown away, else the
 * first. */
static cudnnBackendDescriptor_t choose(struct cudnn *d, cudnnBackendDescriptor_t graph,
                                       struct cudnn_graph *g, uint64_t key)
{
    cudnnBackendDescriptor_t found[CONFIGS] = {0};
    const unsigned char *kept = tuning_find(&d->tuning, key);
    const int timed = !kept && result_bytes(g) <= d->try_bytes;
    int best = kept ? kept[0] - 1 : 0;
    float least = -1;
    int n = propose(d, graph, CUDNN_HEUR_MODE_A, found, kept ? best + 1 : timed ? TRIES : 1);
    if (!n) n = propose(d, graph, CUDNN_HEUR_MODE_FALLBACK, found, 1);
    for (int i = 0; i < n && n > 1 && timed; i++) {
        const float ms = time_one(d, found[i], g);
        if (ms < 0 || (least >= 0 && ms >= least)) continue;
        least = ms;
        best = i;
    }
    if (best >= n) best = 0;
    if (n > 1 && timed)
        tuning_keep(&d->tuning, key, &(unsigned char){(unsigned char)(best + 1)}, 1);
    for (int i = 0; i < n; i++)
        if (i != best) d->destroy(found[i]);
    return n ? found[best] : NULL;
}

static struct plan *find_plan(struct cudnn *d, struct cudnn_graph *g)
{
    const uint64_t key = key_of(g);
    struct plan *oldest = &d->plan[0];
    for (int i = 0; i < PLANS; i++) {
        if (d->plan[i].key == key) return &d->plan[i];
        if (d->plan[i].used < oldest->used) oldest = &d->plan[i];
    }
    forget(d, oldest);
    oldest->key = key;
    struct maker m = {.d = d, .p = oldest};
    cudnnBackendDescriptor_t graph = make_graph(&m, g);
    if (!m.bad) oldest->exec = choose(d, graph, g, key);
    return oldest;
}

static int run(struct cudnn *d, struct cudnn_graph *g)
{
    struct plan *p = find_plan(d, g);
    p->used = ++d->clock;
    return p->exec ? execute(d, p->exec, g, NULL) : 0;
}

int cudnn_conv(struct cudnn *d, const struct cudnn_conv *c)
{
    struct cudnn_graph g;
    return cudnn_graph_conv(&g, c) ? run(d, &g) : 0;
}

int cudnn_attention(struct cudnn *d, const struct cu_attn *a)
{
    struct cudnn_graph g;
    if (d->version < 91300) return 0;
    return cudnn_graph_attention(&g, a) ? run(d, &g) : 0;
}

struct cudnn *cudnn_open(void *stream, void *work, size_t bytes, void *try, size_t try_bytes,
                         const char *cache, const char *card)
{
    struct cudnn *d = calloc(1, sizeof *d);
    if (!d) return NULL;
    d->work = work;
    d->try = try;
    d->try_bytes = try_bytes;
    d->stream = stream;
    if (bytes < WORKSPACE || !load(d) || d->create_handle(&d->handle)) {
        dlopen_close(&d->lib);
        dlopen_close(&d->rtc);
        free(d);
        return NULL;
    }
    d->version = d->get_version();
    tuning_open(&d->tuning, cache, "cudnn", d->version, card);
    if (!d->set_stream(d->handle, stream) && cudaEventCreate(&d->ev[0]) == cudaSuccess
        && cudaEventCreate(&d->ev[1]) == cudaSuccess)
        return d;
    cudnn_close(d);
    return NULL;
}

void cudnn_close(struct cudnn *d)
{
    if (!d) return;
    for (int i = 0; i < PLANS; i++)
        forget(d, &d->plan[i]);
    for (int i = 0; i < 2; i++)
        if (d->ev[i]) cudaEventDestroy(d->ev[i]);
    d->destroy_handle(d->handle);
    dlopen_close(&d->lib);
    dlopen_close(&d->rtc);
    free(d);
}

void cudnn_describe(const struct cudnn *d, char *out, size_t size)
{
    if (d)
        snprintf(out, size, ", cuDNN %zu.%zu", d->version / 10000, d->version / 100 % 100);
    else
        snprintf(out, size, ", no cuDNN");
}

#else /* built without the library's headers */

struct cudnn *cudnn_open(void *stream, void *work, size_t bytes, void *try, size_t try_bytes,
                         const char *cache, const char *card)
{
    (void)stream, (void)work, (void)bytes, (void)try, (void)try_bytes, (void)cache, (void)card;
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
