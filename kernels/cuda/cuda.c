/* cuda - opening a GPU, what it is called, its memory, its timers. */
#include "kernels/cuda/cuda.h"
#include "kernels/cuda/cublaslt.h"
#include "kernels/cuda/cudnn.h"
#include "kernels/cuda/device.h"
#include "kernels/cuda_sizes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Static_assert((int)CU_ACT_NONE == (int)ACT_NONE && (int)CU_ACT_SILU == (int)ACT_SILU
                   && (int)CU_ACT_GELU_TANH == (int)ACT_GELU_TANH
                   && (int)CU_ACT_GELU_ERF == (int)ACT_GELU_ERF,
               "activations are numbered alike");

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
    snprintf(c->dev.bits, sizeof c->dev.bits, "%s %s", c->name, c->bf ? "bf16" : "f32");
}

static void open_libraries(struct cuda *c, const struct cudaDeviceProp *p, const char *cache)
{
    char model[32];

    snprintf(model, sizeof model, "sm%d%d-%d", p->major, p->minor, p->multiProcessorCount);
    c->cublaslt = cublaslt_open(c->stream, c->work, CUDA_WORK, cache, model);
    c->cudnn =
        cudnn_open(c->stream, c->work, CUDA_WORK, c->work + CUDA_WORK, CUDA_TRY, cache, model);
}

static int open_device(struct cuda *c, const struct cuda_opts *o)
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
    /* a quarter of what the data sheets of A100 and H100 say of a multiprocessor in bf16 */
    c->dev.rate = (p.major < 9 ? 0.7e12 : 1.9e12) * p.multiProcessorCount;
    c->q.pdl = p.major >= 9 && !o->no_pdl;
    if (cuda_stream_open(c)) return 1;
    if (cuda_check(c, cudaMemGetInfo(&free_bytes, &total), "ask for memory")) return 1;
    c->vram = o->vram && o->vram < total ? o->vram : total;
    if (!o->no_libraries) open_libraries(c, &p, o->cache);
    describe(c, &p);
    return 0;
}

int cuda_open(struct dev **out, enum dtype type, const struct cuda_opts *o, struct fail *f)
{
    struct cuda *c;
    int n, err;

    *out = NULL;
    assert(type == DT_F32 || type == DT_BF16);
    n = cuda_count(f);
    if (!n) return ERR_USAGE;
    if (o->index < 0 || o->index >= n)
        return fail_set(f, ERR_USAGE, "no card %d: there are %d", o->index, n);
    c = calloc(1, sizeof *c);
    if (!c) return fail_set(f, ERR_OUT_OF_MEMORY, "no memory for the CUDA device");
    c->dev = (struct dev){.ops = &cuda_ops, .traits = CUDA_SIZES_TRAITS, .type = type};
    c->index = o->index;
    c->bf = type == DT_BF16;
    if (open_device(c, o)) {
        err = cuda_failure(c, f);
        cuda_close(&c->dev);
        return err;
    }
    *out = &c->dev;
    return 0;
}

const char *cuda_describe(const struct dev *d)
{
    return ((const struct cuda *)d)->name;
}

uint64_t cuda_libraries(const struct dev *d, char *out, size_t size)
{
    static const char *const name[CUDA_KINDS] = {"products", "convolutions", "attentions"};
    const struct cuda_calls *n;
    uint64_t refused = 0;
    size_t at = 0;

    *out = 0;
    for (int i = 0; i < CUDA_KINDS; i++) {
        n = &((const struct cuda *)d)->calls[i];
        refused += n->refused;
        if (at < size)
            at += (size_t)snprintf(out + at, size - at, "%s%s %llu of %llu%s%s%s", i ? ", " : "",
                                   name[i], (unsigned long long)(n->asked - n->refused),
                                   (unsigned long long)n->asked, n->refused ? " (" : "",
                                   n->refused ? n->why : "", n->refused ? ")" : "");
    }
    return refused;
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
    cuda_check(c, cudaEventRecord(c->timer[mark], c->stream), "measure");
}

double cuda_timer_between(struct dev *d, int from, int to)
{
    struct cuda *c = cuda_of(d);
    float ms = 0;

    cuda_check(c, cudaEventSynchronize(c->timer[to]), "measure");
    cuda_check(c, cudaEventElapsedTime(&ms, c->timer[from], c->timer[to]), "measure");
    return (double)ms;
}
