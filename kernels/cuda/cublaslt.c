/* cublaslt - products described, algorithms timed, products run. */
#include "kernels/cuda/cublaslt.h"
#include "kernels/cuda/dlopen.h"
#include "kernels/cuda/tuning.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int cublaslt_plan(struct cublaslt_shape *s, const struct cu_product *p, int bf)
{
    /* values in 16 bytes */
    const int per = bf ? 8 : 4, out = bf && !p->y_f32 ? 8 : 4;
    const int late = p->act == CU_ACT_SILU || p->act == CU_ACT_GELU_ERF;

    *s = (struct cublaslt_shape){
        .m = p->m, .n = p->n, .k = p->k, .ldx = p->ldx, .ldy = p->ldy, .bf = bf};
    s->y_f32 = p->y_f32;
    s->bias = p->bias != NULL;
    s->gelu = p->act == CU_ACT_GELU_TANH;
    s->beta = p->add;
    s->after = late ? p->act : 0;
    if (p->k % per || p->ldx % per || p->n % out || p->ldy % out) return 0;
    if (((uintptr_t)p->x | (uintptr_t)p->w | (uintptr_t)p->y) % 16) return 0;
    /* y + act(.): the library adds first */
    if (p->add && p->act != CU_ACT_NONE) return 0;
    /* the library's bias would be float */
    if (p->y_f32 && (p->bias || p->act != CU_ACT_NONE)) return 0;
    return 1;
}

uint64_t cublaslt_key(const struct cublaslt_shape *s)
{
    const int64_t part[] = {s->n, s->k, s->bf, s->y_f32, s->bias, s->gelu, s->beta};
    uint64_t h = 0xcbf29ce484222325u;

    for (size_t i = 0; i < sizeof part / sizeof *part; i++)
        h = (h ^ (uint64_t)part[i]) * 0x100000001b3u;
    return h | 1;
}

#if HAVE_CUBLASLT

#    include <cublasLt.h>

enum { TRY_ROWS = 4096, CANDIDATES = 12, ROUNDS = 3 };
_Static_assert(sizeof(cublasLtMatmulAlgo_t) <= TUNING_BYTES, "an algorithm is kept as it is");
#    define WORKSPACE ((size_t)32 << 20)

struct cublaslt {
    struct dlopen_lib lib;
    cublasLtHandle_t handle;
    cudaStream_t stream;
    char *work;
    struct tuning tuning;
    size_t version;
    char why[160];
    /* the library's functions */
    __typeof__(cublasLtCreate) *create;
    __typeof__(cublasLtDestroy) *destroy;
    __typeof__(cublasLtGetVersion) *get_version;
    __typeof__(cublasLtMatmul) *matmul;
    __typeof__(cublasLtMatmulDescCreate) *desc_create;
    __typeof__(cublasLtMatmulDescDestroy) *desc_destroy;
    __typeof__(cublasLtMatmulDescSetAttribute) *desc_set;
    __typeof__(cublasLtMatrixLayoutCreate) *layout_create;
    __typeof__(cublasLtMatrixLayoutDestroy) *layout_destroy;
    __typeof__(cublasLtMatmulPreferenceCreate) *pref_create;
    __typeof__(cublasLtMatmulPreferenceDestroy) *pref_destroy;
    __typeof__(cublasLtMatmulPreferenceSetAttribute) *pref_set;
    __typeof__(cublasLtMatmulAlgoGetHeuristic) *heuristic;
    __typeof__(cublasLtMatmulAlgoConfigGetAttribute) *config_get;
    __typeof__(cublasLtMatmulAlgoCheck) *check;
    __typeof__(cublasLtGetStatusString) *status_string;
};

static int load(struct cublaslt *l)
{
    static const char *const names[] = {"libcublasLt.so.13", "libcublasLt.so.12", "libcublasLt.so",
                                        NULL};
    if (!dlopen_any(&l->lib, names)) return 0;
    l->create = dlopen_symbol(&l->lib, "cublasLtCreate");
    l->destroy = dlopen_symbol(&l->lib, "cublasLtDestroy");
    l->get_version = dlopen_symbol(&l->lib, "cublasLtGetVersion");
    l->matmul = dlopen_symbol(&l->lib, "cublasLtMatmul");
    l->desc_create = dlopen_symbol(&l->lib, "cublasLtMatmulDescCreate");
    l->desc_destroy = dlopen_symbol(&l->lib, "cublasLtMatmulDescDestroy");
    l->desc_set = dlopen_symbol(&l->lib, "cublasLtMatmulDescSetAttribute");
    l->layout_create = dlopen_symbol(&l->lib, "cublasLtMatrixLayoutCreate");
    l->layout_destroy = dlopen_symbol(&l->lib, "cublasLtMatrixLayoutDestroy");
    l->pref_create = dlopen_symbol(&l->lib, "cublasLtMatmulPreferenceCreate");
    l->pref_destroy = dlopen_symbol(&l->lib, "cublasLtMatmulPreferenceDestroy");
    l->pref_set = dlopen_symbol(&l->lib, "cublasLtMatmulPreferenceSetAttribute");
    l->heuristic = dlopen_symbol(&l->lib, "cublasLtMatmulAlgoGetHeuristic");
    l->config_get = dlopen_symbol(&l->lib, "cublasLtMatmulAlgoConfigGetAttribute");
    l->check = dlopen_symbol(&l->lib, "cublasLtMatmulAlgoCheck");
    l->status_string = dlopen_symbol(&l->lib, "cublasLtGetStatusString");
    return !l->lib.missing;
}

/* A product made into the library's descriptors. */
struct call {
    cublasLtMatmulDesc_t desc;
    cublasLtMatrixLayout_t w, x, y;
};

static void drop(struct cublaslt *l, struct call *c)
{
    if (c->desc) l->desc_destroy(c->desc);
    if (c->w) l->layout_destroy(c->w);
    if (c->x) l->layout_destroy(c->x);
    if (c->y) l->layout_destroy(c->y);
}

static cublasLtEpilogue_t epilogue(const struct cublaslt_shape *s)
{
    if (s->gelu) return s->bias ? CUBLASLT_EPILOGUE_GELU_BIAS : CUBLASLT_EPILOGUE_GELU;
    return s->bias ? CUBLASLT_EPILOGUE_BIAS : CUBLASLT_EPILOGUE_DEFAULT;
}

/* y' = w' x' columns first: w is [k, n] and transposed, x [k, m], y [n, m]. */
static int make(struct cublaslt *l, struct call *c, const struct cublaslt_shape *s, int m,
                const void *bias)
{
    const cudaDataType_t in = s->bf ? CUDA_R_16BF : CUDA_R_32F;
    const cudaDataType_t out = s->bf && !s->y_f32 ? CUDA_R_16BF : CUDA_R_32F;
    const cublasOperation_t t = CUBLAS_OP_T, plain = CUBLAS_OP_N;
    const cublasLtEpilogue_t e = epilogue(s);
    int bad;

    *c = (struct call){0};
    bad = l->desc_create(&c->desc, CUBLAS_COMPUTE_32F, CUDA_R_32F);
    if (!bad) bad = l->desc_set(c->desc, CUBLASLT_MATMUL_DESC_TRANSA, &t, sizeof t);
    if (!bad) bad = l->desc_set(c->desc, CUBLASLT_MATMUL_DESC_TRANSB, &plain, sizeof plain);
    if (!bad) bad = l->desc_set(c->desc, CUBLASLT_MATMUL_DESC_EPILOGUE, &e, sizeof e);
    if (!bad && s->bias)
        bad = l->desc_set(c->desc, CUBLASLT_MATMUL_DESC_BIAS_POINTER, &bias, sizeof bias);
    if (!bad) bad = l->layout_create(&c->w, in, (uint64_t)s->k, (uint64_t)s->n, s->k);
    if (!bad) bad = l->layout_create(&c->x, in, (uint64_t)s->k, (uint64_t)m, s->ldx);
    if (!bad) bad = l->layout_create(&c->y, out, (uint64_t)s->n, (uint64_t)m, s->ldy);
    if (bad) drop(l, c);
    return !bad;
}

static cublasStatus_t go(struct cublaslt *l, const struct call *c, const struct cublaslt_shape *s,
                         const cublasLtMatmulAlgo_t *algo, void *y, const void *x, const void *w)
{
    const float one = 1, beta = s->beta ? 1 : 0;

    return l->matmul(l->handle, c->desc, &one, w, c->w, x, c->x, &beta, y, c->y, y, c->y, algo,
                     l->work, WORKSPACE, l->stream);
}

/* Whether the algorithm adds along k in one piece: then the order of additions does not depend on
 * the number of rows. */
static int whole_k(struct cublaslt *l, const cublasLtMatmulAlgo_t *a)
{
    int32_t split = 1;
    uint32_t reduce = 0;
    size_t got;

    if (l->config_get(a, CUBLASLT_ALGO_CONFIG_SPLITK_NUM, &split, sizeof split, &got)) return 0;
    if (l->config_get(a, CUBLASLT_ALGO_CONFIG_REDUCTION_SCHEME, &reduce, sizeof reduce, &got))
        return 0;
    return split <= 1 && reduce == CUBLASLT_REDUCTION_SCHEME_NONE;
}

static int propose(struct cublaslt *l, const struct call *c, cublasLtMatmulHeuristicResult_t *r)
{
    cublasLtMatmulPreference_t pref = NULL;
    const size_t space = WORKSPACE;
    const uint32_t none = CUBLASLT_REDUCTION_SCHEME_NONE;
    /* what cublaslt_plan() lets pass; the library would take 256 for granted */
    const uint32_t align = 16;
    static const cublasLtMatmulPreferenceAttributes_t operand[] = {
        CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES,
        CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES};
    int n = 0, kept = 0, bad = l->pref_create(&pref);

    if (!bad)
        bad = l->pref_set(pref, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &space, sizeof space);
    if (!bad)
        bad = l->pref_set(pref, CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, &none, sizeof none);
    for (size_t i = 0; i < sizeof operand / sizeof *operand && !bad; i++)
        bad = l->pref_set(pref, operand[i], &align, sizeof align);
    if (!bad)
        bad = l->heuristic(l->handle, c->desc, c->w, c->x, c->y, c->y, pref, CANDIDATES, r, &n);
    if (pref) l->pref_destroy(pref);
    for (int i = 0; i < n && !bad; i++)
        if (r[i].state == CUBLAS_STATUS_SUCCESS && whole_k(l, &r[i].algo)) r[kept++] = r[i];
    return kept;
}

/* Milliseconds of the fastest of a few runs; negative: it does not run. */
static float time_one(struct cublaslt *l, const struct call *c, const struct cublaslt_shape *s,
                      const cublasLtMatmulAlgo_t *a, char *y, char *x, char *w, cudaEvent_t ev[2])
{
    float best = -1, ms = 0;

    for (int i = 0; i <= ROUNDS; i++) {
        cudaEventRecord(ev[0], l->stream);
        if (go(l, c, s, a, y, x, w)) return -1;
        cudaEventRecord(ev[1], l->stream);
        if (cudaEventSynchronize(ev[1]) != cudaSuccess) return -1;
        cudaEventElapsedTime(&ms, ev[0], ev[1]);
        if (i && (best < 0 || ms < best)) best = ms;
    }
    return best;
}

/* Random operands of TRY_ROWS rows, in memory of their own: zeros would run faster than real
 * data. */
struct operands {
    char *y, *x, *w, *bias;
};

static int make_operands(struct cublaslt *l, struct operands *o, const struct cublaslt_shape *s)
{
    const struct cu_queue q = {.stream = l->stream};
    const size_t unit = s->bf ? 2 : 4, m = TRY_ROWS, n = (size_t)s->n, k = (size_t)s->k;

    if (cudaMalloc((void **)&o->y, (m * k + n * k + n) * unit + m * n * 4) != cudaSuccess) {
        cudaGetLastError();
        return 0;
    }
    o->x = o->y + m * n * 4;
    o->w = o->x + m * k * unit;
    o->bias = o->w + n * k * unit;
    cu_noise(&q, s->bf, o->x, m * k, 1, 1);
    cu_noise(&q, s->bf, o->w, n * k + n, 0.02f, 2);
    return 1;
}

/* The fastest of the proposals; 0: none runs. */
static int fastest(struct cublaslt *l, const struct call *c, const struct cublaslt_shape *s,
                   const struct operands *o, cudaEvent_t event[2], cublasLtMatmulAlgo_t *out)
{
    cublasLtMatmulHeuristicResult_t r[CANDIDATES];
    const int n = propose(l, c, r);
    float best = -1, ms;

    for (int i = 0; i < n; i++) {
        ms = time_one(l, c, s, &r[i].algo, o->y, o->x, o->w, event);
        if (ms < 0 || (best >= 0 && ms >= best)) continue;
        best = ms;
        *out = r[i].algo;
    }
    return best >= 0;
}

/* The first proposal, untimed: for a GPU without room for operands. */
static int first(struct cublaslt *l, const struct cublaslt_shape *s, cublasLtMatmulAlgo_t *out)
{
    cublasLtMatmulHeuristicResult_t r[CANDIDATES];
    struct call c;
    int n;

    if (!make(l, &c, s, TRY_ROWS, l->work)) return 0;
    n = propose(l, &c, r);
    if (n) *out = r[0].algo;
    drop(l, &c);
    return n > 0;
}

/* Times algorithms for a shape; 0: none runs. */
static int time_all(struct cublaslt *l, const struct cublaslt_shape *s, const struct operands *o,
                    cublasLtMatmulAlgo_t *out)
{
    cudaEvent_t event[2] = {NULL, NULL};
    struct call c;
    int found = 0;

    if (cudaEventCreate(&event[0]) == cudaSuccess && cudaEventCreate(&event[1]) == cudaSuccess
        && make(l, &c, s, TRY_ROWS, o->bias)) {
        found = fastest(l, &c, s, o, event, out);
        drop(l, &c);
    }
    for (int i = 0; i < 2; i++)
        if (event[i]) cudaEventDestroy(event[i]);
    return found;
}

/* The algorithm for a shape, from now on. Without memory to time it, it is kept for this run alone:
 * the next one may have room. */
static const void *tune(struct cublaslt *l, const struct cublaslt_shape *asked, uint64_t key)
{
    struct cublaslt_shape s = *asked;
    cublasLtMatmulAlgo_t best;
    struct operands o;
    int found;

    s.m = TRY_ROWS;
    s.ldx = s.k;
    s.ldy = s.n;
    if (!make_operands(l, &o, &s))
        return first(l, &s, &best) ? tuning_hold(&l->tuning, key, &best, sizeof best) : NULL;
    found = time_all(l, &s, &o, &best);
    cudaStreamSynchronize(l->stream);
    cudaFree(o.y);
    return found ? tuning_keep(&l->tuning, key, &best, sizeof best) : NULL;
}

static int refuse(struct cublaslt *l, const char *what, cublasStatus_t status)
{
    snprintf(l->why, sizeof l->why, "%s: %s", what, status ? l->status_string(status) : "none");
    return -1;
}

const char *cublaslt_why(const struct cublaslt *l)
{
    return l->why;
}

int cublaslt_run(struct cublaslt *l, const struct cublaslt_shape *s, const struct cu_product *p)
{
    const uint64_t key = cublaslt_key(s);
    const cublasLtMatmulAlgo_t *algo = tuning_find(&l->tuning, key);
    cublasLtMatmulHeuristicResult_t fits;
    cublasStatus_t status;
    struct call c;

    if (!algo) algo = tune(l, s, key);
    if (!algo) return refuse(l, "algorithms for this shape", CUBLAS_STATUS_SUCCESS);
    if (!make(l, &c, s, s->m, p->bias))
        return refuse(l, "descriptors", CUBLAS_STATUS_NOT_SUPPORTED);
    status = l->check(l->handle, c.desc, c.w, c.x, c.y, c.y, algo, &fits);
    if (!status && fits.workspaceSize > WORKSPACE) status = CUBLAS_STATUS_ALLOC_FAILED;
    if (!status) status = go(l, &c, s, algo, p->y, p->x, p->w);
    drop(l, &c);
    return status ? refuse(l, "a product", status) : 1;
}

struct cublaslt *cublaslt_open(void *stream, void *work, size_t bytes, const char *cache,
                               const char *model)
{
    struct cublaslt *l = calloc(1, sizeof *l);

    if (!l) return NULL;
    l->stream = stream;
    l->work = work;
    if (bytes < WORKSPACE || !load(l) || l->create(&l->handle)) {
        dlopen_close(&l->lib);
        free(l);
        return NULL;
    }
    l->version = l->get_version();
    tuning_open(&l->tuning, cache, "cublaslt", l->version, model);
    return l;
}

void cublaslt_close(struct cublaslt *l)
{
    if (!l) return;
    l->destroy(l->handle);
    dlopen_close(&l->lib);
    free(l);
}

void cublaslt_describe(const struct cublaslt *l, char *out, size_t size)
{
    if (l)
        snprintf(out, size, ", cuBLASLt %zu.%zu", l->version / 10000, l->version / 100 % 100);
    else
        snprintf(out, size, ", no cuBLASLt");
}

#else /* built without the library's headers */

struct cublaslt *cublaslt_open(void *stream, void *work, size_t bytes, const char *cache,
                               const char *model)
{
    (void)stream, (void)work, (void)bytes, (void)cache, (void)model;
    return NULL;
}

void cublaslt_close(struct cublaslt *l)
{
    (void)l;
}

void cublaslt_describe(const struct cublaslt *l, char *out, size_t size)
{
    (void)l;
    snprintf(out, size, ", no cuBLASLt");
}

int cublaslt_run(struct cublaslt *l, const struct cublaslt_shape *s, const struct cu_product *p)
{
    (void)l, (void)s, (void)p;
    return -1;
}

const char *cublaslt_why(const struct cublaslt *l)
{
    (void)l;
    return "";
}

#endif
