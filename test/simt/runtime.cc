/* runtime - cuda_runtime.h on host memory: GPUs, streams, recording, faults.
 *
 * Every GPU counts its blocks, so a reset gives them back as a real one does. A broken GPU
 * answers every call with its error until it is reset; a lost one does not even take a reset for a
 * while. A stream that was not created first on its GPU is lazy, if so wanted: its copies happen
 * when they are waited for, which shows a wait that is missing. */
#include "test/simt/cuda_runtime.h"
#include "test/simt/simt.h"

#include <memory>
#include <mutex>
#include <set>
#include <stdio.h>
#include <stdlib.h>
#include <vector>

/* What a recording consists of. */
struct step {
    dim3 grid, block;
    size_t shared;
    std::shared_ptr<simt_call> call; /* run as a kernel when block is not 0, else called once */
    void run() const
    {
        if (block.x)
            simt_run(grid, block, shared, simt_go, call.get());
        else
            call->go();
    }
};

struct simt_graph {
    std::vector<step> steps;
};
struct simt_stream {
    simt_graph *recording;
    bool lazy;
    std::vector<step> later;
    unsigned long done; /* of those that were ever put off */
};
struct simt_event {
    simt_stream *stream;
    unsigned long at;
};

struct gpu {
    std::set<void *> blocks;
    int streams;
    cudaError_t broken;
    int lost; /* resets that fail */
};

enum { GPUS = 8 };
static gpu gpus[GPUS];
static int n_gpus = 1, fail_in = -1, break_in = -1, break_lost, waits, torn_rows;
static bool lazy;
static size_t memory = (size_t)8 << 30;
static cudaError_t fail_with, break_with;
static std::recursive_mutex lock; /* one kernel at a time, whatever the threads */
static thread_local int now;
static thread_local cudaError_t last;
static thread_local simt_stream *capturing;

#define LOCK std::lock_guard<std::recursive_mutex> hold_lock(lock)

static cudaError_t answer(void)
{
    if (gpus[now].broken != cudaSuccess) return last = gpus[now].broken;
    if (fail_in < 0 || fail_in-- > 0) return cudaSuccess;
    return last = fail_with;
}

/* A piece of work: may be the one that breaks the GPU. */
static cudaError_t work(void)
{
    if (break_in >= 0 && break_in-- == 0) {
        gpus[now].broken = break_with;
        gpus[now].lost = break_lost;
    }
    return answer();
}

static void submit(const step &s)
{
    if (capturing)
        capturing->recording->steps.push_back(s);
    else
        s.run();
}

void simt_submit(dim3 grid, dim3 block, size_t shared, simt_call *call)
{
    LOCK;
    step s = {grid, block, shared, std::shared_ptr<simt_call>(call)};
    if (work() == cudaSuccess) submit(s);
}

static void catch_up(simt_stream *s, unsigned long at)
{
    while (s->done < at && !s->later.empty()) {
        s->later.front().run();
        s->later.erase(s->later.begin());
        s->done++;
    }
}

template <class F> static cudaError_t later(simt_stream *s, F f)
{
    LOCK;
    cudaError_t e = work();
    if (e != cudaSuccess) return e;
    step one = {dim3(1), dim3(0), 0, std::shared_ptr<simt_call>(new simt_bound<F>(f))};
    if (s && s->lazy)
        s->later.push_back(one);
    else
        submit(one);
    return e;
}

void simt_fail_after(int n, cudaError_t e)
{
    LOCK;
    fail_in = n;
    fail_with = e;
}

void simt_break_after(int n, cudaError_t e, int resets)
{
    LOCK;
    break_in = n;
    break_with = e;
    break_lost = resets;
}

void simt_set(int count, size_t bytes, int put_off)
{
    LOCK;
    n_gpus = count;
    memory = bytes ? bytes : (size_t)8 << 30;
    lazy = put_off;
}

int simt_blocks(void)
{
    LOCK;
    size_t n = 0;
    for (const gpu &c : gpus)
        n += c.blocks.size();
    return (int)n;
}

int simt_torn_rows(void)
{
    return torn_rows;
}

int simt_waits(void)
{
    return waits;
}

cudaError_t cudaGetDeviceCount(int *n)
{
    LOCK;
    *n = n_gpus;
    return fail_in >= 0 && gpus[now].broken == cudaSuccess ? answer() : cudaSuccess;
}

cudaError_t cudaSetDevice(int i)
{
    LOCK;
    now = i;
    return answer();
}

cudaError_t cudaDeviceReset(void)
{
    LOCK;
    gpu &c = gpus[now];
    if (c.lost > 0) {
        c.lost--;
        return last = c.broken;
    }
    for (void *p : c.blocks)
        free(p);
    c.blocks.clear();
    c.streams = 0;
    c.broken = cudaSuccess;
    last = cudaSuccess;
    return cudaSuccess;
}

cudaError_t cudaGetDeviceProperties(struct cudaDeviceProp *p, int i)
{
    LOCK;
    snprintf(p->name, sizeof p->name, "an emulated GPU %d", i);
    p->major = 9;
    p->minor = 0;
    p->multiProcessorCount = 4;
    return answer();
}

cudaError_t cudaMemGetInfo(size_t *left, size_t *total)
{
    LOCK;
    *left = *total = memory;
    return answer();
}

cudaError_t cudaGetLastError(void)
{
    LOCK;
    cudaError_t e = gpus[now].broken != cudaSuccess ? gpus[now].broken : last;
    last = cudaSuccess;
    return e;
}

const char *cudaGetErrorString(cudaError_t e)
{
    return e == cudaErrorMemoryAllocation ? "out of memory" : "an emulated error";
}

cudaError_t cudaMalloc(void **p, size_t n)
{
    LOCK;
    *p = NULL;
    if (answer() != cudaSuccess) return last;
    *p = aligned_alloc(256, (n + 255) / 256 * 256);
    if (!*p) return cudaErrorMemoryAllocation;
    if (n <= (size_t)1 << 26) memset(*p, 0xff, n);
    gpus[now].blocks.insert(*p);
    return cudaSuccess;
}

/* A broken GPU gives nothing back: its reset does. */
cudaError_t cudaFree(void *p)
{
    LOCK;
    if (gpus[now].broken != cudaSuccess) return last = gpus[now].broken;
    if (gpus[now].blocks.erase(p)) free(p);
    return cudaSuccess;
}

cudaError_t cudaMallocHost(void **p, size_t n)
{
    return cudaMalloc(p, n);
}

cudaError_t cudaFreeHost(void *p)
{
    return cudaFree(p);
}

cudaError_t cudaMemsetAsync(void *p, int v, size_t n, cudaStream_t s)
{
    return later(s, [=] { memset(p, v, n); });
}

cudaError_t cudaMemset2DAsync(void *p, size_t pitch, int v, size_t width, size_t rows,
                              cudaStream_t s)
{
    torn_rows += pitch == width && rows > 1;
    return later(s, [=] {
        for (size_t i = 0; i < rows; i++)
            memset((char *)p + i * pitch, v, width);
    });
}

cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t n, enum cudaMemcpyKind,
                            cudaStream_t s)
{
    return later(s, [=] { memcpy(to, from, n); });
}

cudaError_t cudaMemcpy2DAsync(void *to, size_t pt, const void *from, size_t pf, size_t width,
                              size_t rows, enum cudaMemcpyKind, cudaStream_t s)
{
    torn_rows += pt == width && pf == width && rows > 1;
    return later(s, [=] {
        for (size_t i = 0; i < rows; i++)
            memmove((char *)to + i * pt, (const char *)from + i * pf, width);
    });
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t *s, unsigned)
{
    LOCK;
    *s = new simt_stream();
    (*s)->lazy = lazy && gpus[now].streams++ > 0;
    return answer();
}

cudaError_t cudaStreamDestroy(cudaStream_t s)
{
    LOCK;
    gpus[now].streams -= gpus[now].streams > 0;
    delete s;
    return cudaSuccess;
}

cudaError_t cudaStreamSynchronize(cudaStream_t s)
{
    LOCK;
    waits++;
    cudaError_t e = answer();
    if (e == cudaSuccess && s) catch_up(s, (unsigned long)-1);
    return e;
}

cudaError_t cudaStreamWaitEvent(cudaStream_t, cudaEvent_t e, unsigned)
{
    LOCK;
    cudaError_t err = work();
    if (err == cudaSuccess && e->stream) catch_up(e->stream, e->at);
    return err;
}

cudaError_t cudaEventCreate(cudaEvent_t *e)
{
    LOCK;
    *e = new simt_event();
    return answer();
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t *e, unsigned)
{
    return cudaEventCreate(e);
}

cudaError_t cudaEventDestroy(cudaEvent_t e)
{
    delete e;
    return cudaSuccess;
}

cudaError_t cudaEventRecord(cudaEvent_t e, cudaStream_t s)
{
    LOCK;
    e->stream = s;
    e->at = s->done + s->later.size();
    return answer();
}

cudaError_t cudaEventSynchronize(cudaEvent_t e)
{
    LOCK;
    cudaError_t err = answer();
    if (err == cudaSuccess && e->stream) catch_up(e->stream, e->at);
    return err;
}

cudaError_t cudaEventElapsedTime(float *ms, cudaEvent_t, cudaEvent_t)
{
    LOCK;
    *ms = 1;
    return answer();
}

cudaError_t cudaStreamBeginCapture(cudaStream_t s, int)
{
    LOCK;
    s->recording = new simt_graph();
    capturing = s;
    return answer();
}

cudaError_t cudaStreamEndCapture(cudaStream_t s, cudaGraph_t *g)
{
    LOCK;
    *g = s->recording;
    s->recording = NULL;
    capturing = NULL;
    return answer();
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t *e, cudaGraph_t g, unsigned long long)
{
    LOCK;
    *e = new simt_graph(*g);
    return answer();
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t e, cudaStream_t)
{
    LOCK;
    cudaError_t err = work();
    for (const step &s : e->steps)
        if (err == cudaSuccess) s.run();
    return err;
}

cudaError_t cudaGraphDestroy(cudaGraph_t g)
{
    delete g;
    return cudaSuccess;
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t e)
{
    delete e;
    return cudaSuccess;
}
