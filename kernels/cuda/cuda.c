/* cuda - opening and closing a card, its sticky error, its measurements. */
#include "kernels/cuda/cublaslt.h"
#include "kernels/cuda/cudnn.h"
#include "kernels/cuda/device.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Static_assert((int)CU_ACT_NONE == (int)ACT_NONE && (int)CU_ACT_SILU == (int)ACT_SILU
                   && (int)CU_ACT_GELU_TANH == (int)ACT_GELU_TANH
                   && (int)CU_ACT_GELU_ERF == (int)ACT_GELU_ERF,
               "activations are numbered alike");

int cuda_ready(struct cuda *c)
{
    if (!c->failed && c->dev.scratch.failed)
        cuda_fail(c, ERR_OUT_OF_MEMORY, "scratch", "smaller than this step needs");
    return !c->failed;
}

void cuda_fail(struct cuda *c, enum err code, const char *what, const char *why)
{
    if (c->failed) return;
    c->failed = 1;
    fail_set(&c->fail, code, "the card failed: %s: %s", what, why);
}

int cuda_check(struct cuda *c, cudaError_t e, const char *what)
{
    if (e == cudaSuccess) return 0;
    cuda_fail(c, e == cudaErrorMemoryAllocation ? ERR_OUT_OF_MEMORY : ERR_DEVICE, what,
              cudaGetErrorString(e));
    return 1;
}

int cuda_count(struct fail *f)
{
    int n = 0;
    cudaError_t e = cudaGetDeviceCount(&n);
    if (e == cudaSuccess && n > 0) return n;
    cudaGetLastError();
    fail_set(f, ERR_USAGE, "no CUDA card: %s",
             e == cudaSuccess ? "none found" : cudaGetErrorString(e));
    fail_advise(f, "use --device cpu, or look whether nvidia-smi finds a card");
    return 0;
}

static void close_all(struct cuda *c)
{
    const int broken = cudaStreamSynchronize(c->stream) != cudaSuccess;
    cuda_capture_drop(c);
    cublaslt_close(c->cublaslt);
    cudnn_close(c->cudnn);
    for (int i = 0; i < 2; i++) {
        if (c->stage[i]) cudaFreeHost(c->stage[i]);
        if (c->staged[i]) cudaEventDestroy(c->staged[i]);
    }
    for (int i = 0; i < CUDA_TIMERS; i++)
        if (c->timer[i]) cudaEventDestroy(c->timer[i]);
    for (int i = 0; i < CUDA_MARKS; i++)
        if (c->mark[i]) cudaEventDestroy(c->mark[i]);
    if (c->peeks) cudaStreamDestroy(c->peeks);
    if (c->work) cudaFree(c->work);
    for (int i = 0; i < CUDA_FETCHES; i++)
        if (c->fetched[i]) cudaEventDestroy(c->fetched[i]);
    if (c->before_fetch) cudaEventDestroy(c->before_fetch);
    if (c->copies) cudaStreamDestroy(c->copies);
    if (c->stream) cudaStreamDestroy(c->stream);
    cudaGetLastError();
    if (broken)
        cudaDeviceReset(); /* an error of a kernel stays with the context: only a new one helps */
    free(c);
}

/* Everything that operations need later, so that none of them allocates. */
static int open_parts(struct cuda *c)
{
    cudaError_t e = cudaStreamCreateWithFlags(&c->stream, cudaStreamNonBlocking);
    for (int i = 0; i < 2 && e == cudaSuccess; i++) {
        e = cudaEventCreate(&c->staged[i]);
        if (e == cudaSuccess) e = cudaMallocHost((void **)&c->stage[i], CUDA_STAGE);
    }
    for (int i = 0; i < CUDA_TIMERS && e == cudaSuccess; i++)
        e = cudaEventCreate(&c->timer[i]);
    if (e == cudaSuccess) e = cudaStreamCreateWithFlags(&c->copies, cudaStreamNonBlocking);
    if (e == cudaSuccess) e = cudaEventCreate(&c->before_fetch);
    for (int i = 0; i < CUDA_FETCHES && e == cudaSuccess; i++)
        e = cudaEventCreate(&c->fetched[i]);
    for (int i = 0; i < CUDA_MARKS && e == cudaSuccess; i++)
        e = cudaEventCreateWithFlags(&c->mark[i], cudaEventDisableTiming);
    if (e == cudaSuccess) e = cudaStreamCreateWithFlags(&c->peeks, cudaStreamNonBlocking);
    if (e == cudaSuccess) e = cudaMalloc((void **)&c->work, CUDA_WORK + CUDA_TRY);
    c->q.stream = c->stream;
    return cuda_check(c, e, "open");
}

static void describe(struct cuda *c, const struct cudaDeviceProp *p)
{
    int n = snprintf(c->name, sizeof c->name, "%s (sm_%d%d, %.1f GB)", p->name, p->major, p->minor,
                     (double)c->vram / 1e9);
    if (n < 0 || (size_t)n >= sizeof c->name) return;
    cublaslt_describe(c->cublaslt, c->name + n, sizeof c->name - (size_t)n);
    n = (int)strlen(c->name);
    cudnn_describe(c->cudnn, c->name + n, sizeof c->name - (size_t)n);
    snprintf(c->dev.label, sizeof c->dev.label, "cuda:%d (%.40s, %s)", c->index, p->name,
             c->bf ? "bf16" : "f32");
}

static int open_card(struct cuda *c, const struct cuda_opts *o)
{
    struct cudaDeviceProp p;
    size_t free_bytes = 0, total = 0;
    if (cuda_check(c, cudaSetDevice(o->index), "select")) return 1;
    if (cuda_check(c, cudaGetDeviceProperties(&p, o->index), "ask for properties")) return 1;
    if (p.major < 8) {
        cuda_fail(c, ERR_USAGE, p.name, "bf16 needs compute capability 8.0");
        return 1;
    }
    c->sms = p.multiProcessorCount;
    c->q.pdl = p.major >= 9 && !o->no_pdl;
    if (open_parts(c)) return 1;
    if (cuda_check(c, cudaMemGetInfo(&free_bytes, &total), "ask for memory")) return 1;
    c->vram = o->vram && o->vram < total ? o->vram : total;
    if (!o->no_libraries) {
        char card[32];
        snprintf(card, sizeof card, "sm%d%d-%d", p.major, p.minor, p.multiProcessorCount);
        c->cublaslt = cublaslt_open(c->stream, c->work, CUDA_WORK, o->cache, card);
        c->cudnn = cudnn_open(c->stream, c->work, CUDA_WORK, c->work + CUDA_WORK, CUDA_TRY,
                              o->cache, card);
    }
    describe(c, &p);
    return 0;
}

int cuda_open(struct dev **out, enum dtype type, const struct cuda_opts *o, struct fail *f)
{
    *out = NULL;
    assert(type == DT_F32 || type == DT_BF16);
    int n = cuda_count(f);
    if (!n) return ERR_USAGE;
    if (o->index < 0 || o->index >= n)
        return fail_set(f, ERR_USAGE, "no card %d: there are %d", o->index, n);
    struct cuda *c = calloc(1, sizeof *c);
    if (!c) return fail_set(f, ERR_OUT_OF_MEMORY, "no memory for the CUDA device");
    c->dev = (struct dev){.ops = &cuda_ops, .type = type};
    c->index = o->index;
    c->bf = type == DT_BF16;
    if (open_card(c, o)) {
        if (f) *f = c->fail;
        enum err code = c->fail.code;
        close_all(c);
        return code;
    }
    *out = &c->dev;
    return 0;
}

static int answer(struct cuda *c, struct fail *f)
{
    if (!c->failed) return 0;
    if (f) *f = c->fail;
    return c->fail.code;
}

int cuda_sync(struct dev *d, struct fail *f)
{
    struct cuda *c = cuda_of(d);
    if (cuda_ready(c)) cuda_check(c, cudaStreamSynchronize(c->stream), "wait");
    return answer(c, f);
}

uint64_t cuda_mark(struct dev *d)
{
    struct cuda *c = cuda_of(d);
    if (cuda_ready(c))
        cuda_check(c, cudaEventRecord(c->mark[++c->marks % CUDA_MARKS], c->stream), "mark");
    return c->marks;
}

int cuda_wait(struct dev *d, uint64_t mark, struct fail *f)
{
    struct cuda *c = cuda_of(d);
    assert(mark + CUDA_MARKS > c->marks);
    if (cuda_ready(c)) cuda_check(c, cudaEventSynchronize(c->mark[mark % CUDA_MARKS]), "wait");
    return answer(c, f);
}

/* Errors of a kernel stay with the context: then only reopening helps, and sync() says so again. */
void cuda_reset(struct dev *d)
{
    struct cuda *c = cuda_of(d);
    c->failed = 0;
    d->scratch.failed = 0;
    if (c->capturing) cuda_capture_end(d);
    cudaGetLastError();
    cuda_check(c, cudaStreamSynchronize(c->stream), "wait");
}

void cuda_close(struct dev *d)
{
    if (d) close_all(cuda_of(d));
}

const char *cuda_describe(const struct dev *d)
{
    return ((const struct cuda *)d)->name;
}

void cuda_memory(struct dev *d, uint64_t *total, uint64_t *free_bytes)
{
    struct cuda *c = cuda_of(d);
    size_t left = 0, all = 0;
    *total = c->vram;
    *free_bytes = c->vram - c->used;
    if (cudaMemGetInfo(&left, &all) == cudaSuccess && left < *free_bytes) *free_bytes = left;
}

void cuda_timer_mark(struct dev *d, int mark)
{
    struct cuda *c = cuda_of(d);
    assert(mark >= 0 && mark < CUDA_TIMERS);
    cuda_check(c, cudaEventRecord(c->timer[mark], c->stream), "mark");
}

double cuda_timer_between(struct dev *d, int from, int to)
{
    struct cuda *c = cuda_of(d);
    float ms = 0;
    cuda_check(c, cudaEventSynchronize(c->timer[to]), "measure");
    cuda_check(c, cudaEventElapsedTime(&ms, c->timer[from], c->timer[to]), "measure");
    return (double)ms;
}
