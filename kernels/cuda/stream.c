/* stream - streams, events, staging and workspace: made, waited for, reset, given back. */
#include "kernels/cuda/cublaslt.h"
#include "kernels/cuda/cudnn.h"
#include "kernels/cuda/device.h"

#include <stdlib.h>

static cudaError_t make_events(cudaEvent_t *event, int n, unsigned flags)
{
    cudaError_t e = cudaSuccess;

    for (int i = 0; i < n && e == cudaSuccess; i++)
        e = cudaEventCreateWithFlags(&event[i], flags);
    return e;
}

static cudaError_t make_stream(cudaStream_t *stream)
{
    return cudaStreamCreateWithFlags(stream, cudaStreamNonBlocking);
}

static cudaError_t make_staging(struct cuda *c)
{
    cudaError_t e = make_events(c->staged, 2, 0);

    for (int i = 0; i < 2 && e == cudaSuccess; i++)
        e = cudaMallocHost((void **)&c->stage[i], CUDA_STAGE);
    return e;
}

int cuda_stream_open(struct cuda *c)
{
    cudaError_t e = make_stream(&c->stream);

    if (e == cudaSuccess) e = make_staging(c);
    if (e == cudaSuccess) e = make_events(c->timer, CUDA_TIMERS, 0);
    if (e == cudaSuccess) e = make_stream(&c->copies);
    if (e == cudaSuccess) e = make_events(&c->before_fetch, 1, 0);
    if (e == cudaSuccess) e = make_events(c->fetched, CUDA_FETCHES, 0);
    if (e == cudaSuccess) e = make_events(c->mark, CUDA_MARKS, cudaEventDisableTiming);
    if (e == cudaSuccess) e = make_stream(&c->peeks);
    if (e == cudaSuccess) e = cudaMalloc((void **)&c->work, CUDA_WORK + CUDA_TRY);
    c->q.stream = c->stream;
    c->band = CUDA_BAND;
    return cuda_check(c, e, "open");
}

static void drop_events(cudaEvent_t *event, int n)
{
    for (int i = 0; i < n; i++)
        if (event[i]) cudaEventDestroy(event[i]);
}

static void drop_stream(cudaStream_t stream)
{
    if (stream) cudaStreamDestroy(stream);
}

void cuda_close(struct dev *d)
{
    struct cuda *c = cuda_of(d);
    int broken;

    if (!c) return;
    broken = cudaStreamSynchronize(c->stream) != cudaSuccess;
    cuda_capture_drop(c);
    cublaslt_close(c->cublaslt);
    cudnn_close(c->cudnn);
    for (int i = 0; i < 2; i++)
        if (c->stage[i]) cudaFreeHost(c->stage[i]);
    drop_events(c->staged, 2);
    drop_events(c->timer, CUDA_TIMERS);
    drop_events(c->mark, CUDA_MARKS);
    drop_events(c->fetched, CUDA_FETCHES);
    drop_events(&c->before_fetch, 1);
    if (c->work) cudaFree(c->work);
    drop_stream(c->peeks);
    drop_stream(c->copies);
    drop_stream(c->stream);
    cudaGetLastError();
    /* a kernel's error stays with the context: only a new context is free of it */
    if (broken) cudaDeviceReset();
    free(c);
}

int cuda_sync(struct dev *d, struct fail *f)
{
    struct cuda *c = cuda_of(d);

    if (cuda_ready(c)) cuda_check(c, cudaStreamSynchronize(c->stream), "wait");
    return cuda_failure(c, f);
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
    return cuda_failure(c, f);
}

/* A kernel's error stays with the context: sync() then reports it again until the device is opened
 * anew. */
void cuda_reset(struct dev *d)
{
    struct cuda *c = cuda_of(d);

    c->failed = 0;
    d->scratch.failed = 0;
    cuda_capture_abort(c);
    cudaGetLastError();
    cuda_check(c, cudaStreamSynchronize(c->stream), "wait");
}
