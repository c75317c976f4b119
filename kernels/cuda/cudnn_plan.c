/* cudnn_plan - cuDNN's functions, descriptors of graphs, proposals. */
#include "kernels/cuda/cudnn_plan.h"

#if HAVE_CUDNN

#    include <stdbool.h>
#    include <stdlib.h>

#    define PLAN_DEVICEPROP CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP
#    define HEUR_DEVICEPROP CUDNN_ATTR_ENGINEHEUR_DEVICEPROP

int cudnn_plan_open(struct cudnn_api *d)
{
    static const char *const names[] = {"libcudnn.so.9", "libcudnn.so", NULL};
    static const char *const rtc[] = {"libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so", NULL};

    *d = (struct cudnn_api){0};
    /* cuDNN compiles attention with NVRTC, which it opens by name, and NVRTC opens its builtins by
     * name when it compiles: both must be open already, because they may be where only we look */
    dlopen_any(&d->rtc, rtc);
    dlopen_beside(&d->builtins, &d->rtc, "libnvrtc-builtins.so.*");
    if (dlopen_any(&d->lib, names)) {
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
        d->last_error = dlopen_symbol(&d->lib, "cudnnGetLastErrorString");
        if (!d->lib.missing) {
            d->version = d->get_version();
            return 1;
        }
    }
    cudnn_plan_close(d);
    return 0;
}

void cudnn_plan_close(struct cudnn_api *d)
{
    dlopen_close(&d->lib);
    dlopen_close(&d->rtc);
    dlopen_close(&d->builtins);
}

/* While a descriptor is being made: the first error sticks. */
struct maker {
    const struct cudnn_api *api;
    struct cudnn_parts *parts;
    int bad;
};

static cudnnBackendDescriptor_t begin(struct maker *m, cudnnBackendDescriptorType_t type)
{
    cudnnBackendDescriptor_t x = NULL;

    if (!m->bad) m->bad = (int)m->api->create(type, &x);
    if (x) m->parts->part[m->parts->n++] = x;
    return x;
}

static void put(struct maker *m, cudnnBackendDescriptor_t x, cudnnBackendAttributeName_t name,
                cudnnBackendAttributeType_t type, int64_t n, const void *v)
{
    if (!m->bad) m->bad = (int)m->api->set(x, name, type, n, v);
}

static void put_desc(struct maker *m, cudnnBackendDescriptor_t x, cudnnBackendAttributeName_t name,
                     cudnnBackendDescriptor_t v)
{
    put(m, x, name, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &v);
}

static void end(struct maker *m, cudnnBackendDescriptor_t x)
{
    if (!m->bad) m->bad = (int)m->api->finalize(x);
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
    const int64_t dims = 2, one[2] = {1, 1}, step[2] = {op->stride, op->stride};
    const int64_t pre[2] = {op->pad_h, op->pad_w}, post[2] = {op->post_h, op->post_w};
    const float alpha = 1, beta = 0;
    cudnnBackendDescriptor_t c = begin(m, CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR);
    cudnnBackendDescriptor_t x;

    put(m, c, CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, CUDNN_TYPE_INT64, 1, &dims);
    put(m, c, CUDNN_ATTR_CONVOLUTION_COMP_TYPE, CUDNN_TYPE_DATA_TYPE, 1, &type);
    put(m, c, CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_TYPE_CONVOLUTION_MODE, 1, &mode);
    put(m, c, CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, CUDNN_TYPE_INT64, 2, pre);
    put(m, c, CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, CUDNN_TYPE_INT64, 2, post);
    put(m, c, CUDNN_ATTR_CONVOLUTION_DILATIONS, CUDNN_TYPE_INT64, 2, one);
    put(m, c, CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, CUDNN_TYPE_INT64, 2, step);
    end(m, c);
    x = begin(m, CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR);
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
    cudnnBackendDescriptor_t x;

    put(m, c, CUDNN_ATTR_POINTWISE_MODE, CUDNN_TYPE_POINTWISE_MODE, 1, &mode);
    put(m, c, CUDNN_ATTR_POINTWISE_MATH_PREC, CUDNN_TYPE_DATA_TYPE, 1, &type);
    end(m, c);
    x = begin(m, CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR);
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

cudnnBackendDescriptor_t cudnn_plan_graph(const struct cudnn_api *d, struct cudnn_parts *parts,
                                          const struct cudnn_graph *g)
{
    struct maker m = {.api = d, .parts = parts};
    cudnnBackendDescriptor_t t[CUDNN_TENSORS], op[CUDNN_OPS], x;

    for (int i = 0; i < g->tensors; i++)
        t[i] = make_tensor(&m, &g->tensor[i], i + 1);
    for (int i = 0; i < g->ops; i++)
        op[i] = make_op(&m, &g->op[i], t);
    x = begin(&m, CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR);
    if (d->handle) put(&m, x, CUDNN_ATTR_OPERATIONGRAPH_HANDLE, CUDNN_TYPE_HANDLE, 1, &d->handle);
    put(&m, x, CUDNN_ATTR_OPERATIONGRAPH_OPS, CUDNN_TYPE_BACKEND_DESCRIPTOR, g->ops, op);
    end(&m, x);
    return m.bad ? NULL : x;
}

void cudnn_plan_drop(const struct cudnn_api *d, struct cudnn_parts *parts)
{
    while (parts->n > 0)
        d->destroy(parts->part[--parts->n]);
}

/* For which GPU a plan is. */
static int set_device(const struct cudnn_api *d, cudnnBackendDescriptor_t plan)
{
    if (d->handle)
        return (int)d->set(plan, CUDNN_ATTR_EXECUTION_PLAN_HANDLE, CUDNN_TYPE_HANDLE, 1,
                           &d->handle);
    return (int)d->set(plan, PLAN_DEVICEPROP, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &d->device);
}

/* The plan when it can be built and needs no more than that workspace; else NULL. */
static cudnnBackendDescriptor_t finish(const struct cudnn_api *d, cudnnBackendDescriptor_t plan,
                                       int bad, int64_t workspace)
{
    int64_t needs = 0, n = 0;

    if (!bad) bad = (int)d->finalize(plan);
    if (!bad)
        bad = (int)d->get(plan, CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE, CUDNN_TYPE_INT64, 1, &n,
                          &needs);
    if (!bad && needs <= workspace) return plan;
    d->destroy(plan);
    return NULL;
}

/* A plan of one configuration. */
static cudnnBackendDescriptor_t build(const struct cudnn_api *d, cudnnBackendDescriptor_t config,
                                      int64_t workspace)
{
    cudnnBackendDescriptor_t x = NULL;
    int bad;

    if (d->create(CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR, &x)) return NULL;
    bad = set_device(d, x);
    if (!bad)
        bad = (int)d->set(x, CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, CUDNN_TYPE_BACKEND_DESCRIPTOR,
                          1, &config);
    return finish(d, x, bad, workspace);
}

cudnnBackendDescriptor_t cudnn_plan_parse(const struct cudnn_api *d, const char *text, size_t size,
                                          int64_t workspace)
{
    cudnnBackendDescriptor_t x = NULL;
    int bad;

    if (d->create(CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR, &x)) return NULL;
    bad = set_device(d, x);
    if (!bad)
        bad = (int)d->set(x, CUDNN_ATTR_EXECUTION_PLAN_JSON_REPRESENTATION, CUDNN_TYPE_CHAR,
                          (int64_t)size, text);
    return finish(d, x, bad, workspace);
}

char *cudnn_plan_text(const struct cudnn_api *d, cudnnBackendDescriptor_t plan, size_t *size)
{
    const cudnnBackendAttributeName_t json = CUDNN_ATTR_EXECUTION_PLAN_JSON_REPRESENTATION;
    int64_t most = 0, n = 0;
    char *text;

    if (d->get(plan, json, CUDNN_TYPE_CHAR, 0, &most, NULL) || most < 1) return NULL;
    text = calloc((size_t)most + 1, 1);
    if (text && !d->get(plan, json, CUDNN_TYPE_CHAR, most, &n, text)) {
        *size = (size_t)n;
        return text;
    }
    free(text);
    return NULL;
}

static int notes_compilation(const struct cudnn_api *d, cudnnBackendDescriptor_t engine)
{
    cudnnBackendBehaviorNote_t note[CUDNN_BEHAVIOR_NOTE_TYPE_COUNT];
    int64_t n = 0;

    if (d->get(engine, CUDNN_ATTR_ENGINE_BEHAVIOR_NOTE, CUDNN_TYPE_BEHAVIOR_NOTE,
               CUDNN_BEHAVIOR_NOTE_TYPE_COUNT, &n, note))
        return 1;
    for (int64_t i = 0; i < n; i++)
        if (note[i] == CUDNN_BEHAVIOR_NOTE_RUNTIME_COMPILATION) return 1;
    return 0;
}

int cudnn_plan_compiled(const struct cudnn_api *d, cudnnBackendDescriptor_t plan)
{
    cudnnBackendDescriptor_t config = NULL, engine = NULL;
    int64_t n = 0;
    int compiled = 1;

    if (!d->create(CUDNN_BACKEND_ENGINECFG_DESCRIPTOR, &config)
        && !d->create(CUDNN_BACKEND_ENGINE_DESCRIPTOR, &engine)
        && !d->get(plan, CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1,
                   &n, &config)
        && !d->get(config, CUDNN_ATTR_ENGINECFG_ENGINE, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &n,
                   &engine))
        compiled = notes_compilation(d, engine);
    if (engine) d->destroy(engine);
    if (config) d->destroy(config);
    return compiled;
}

/* The heuristics' configurations for a graph; returns how many. */
static int64_t ask(const struct cudnn_api *d, cudnnBackendDescriptor_t h,
                   cudnnBackendDescriptor_t graph, cudnnBackendHeurMode_t mode,
                   cudnnBackendDescriptor_t config[CUDNN_PROPOSALS])
{
    int64_t n = 0;
    int bad = (int)d->set(h, CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, CUDNN_TYPE_BACKEND_DESCRIPTOR,
                          1, &graph);

    if (!bad && !d->handle)
        bad = (int)d->set(h, HEUR_DEVICEPROP, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &d->device);
    if (!bad) bad = (int)d->set(h, CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_HEUR_MODE, 1, &mode);
    if (!bad) bad = (int)d->finalize(h);
    for (int i = 0; i < CUDNN_PROPOSALS && !bad; i++)
        bad = (int)d->create(CUDNN_BACKEND_ENGINECFG_DESCRIPTOR, &config[i]);
    if (!bad)
        bad = (int)d->get(h, CUDNN_ATTR_ENGINEHEUR_RESULTS, CUDNN_TYPE_BACKEND_DESCRIPTOR,
                          CUDNN_PROPOSALS, &n, config);
    return bad ? 0 : n < CUDNN_PROPOSALS ? n : CUDNN_PROPOSALS;
}

int cudnn_plan_propose(const struct cudnn_api *d, cudnnBackendDescriptor_t graph,
                       cudnnBackendHeurMode_t mode, int64_t workspace,
                       cudnnBackendDescriptor_t plan[CUDNN_PROPOSALS], int most)
{
    cudnnBackendDescriptor_t h = NULL, config[CUDNN_PROPOSALS] = {0};
    int64_t n;
    int count = 0;

    if (d->create(CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR, &h)) return 0;
    n = ask(d, h, graph, mode, config);
    for (int i = 0; i < n && count < most; i++)
        if ((plan[count] = build(d, config[i], workspace))) count++;
    for (int i = 0; i < CUDNN_PROPOSALS; i++)
        if (config[i]) d->destroy(config[i]);
    d->destroy(h);
    return count;
}

#endif
