/* runtime - cuda_runtime.h on host memory, with recording. */
#include "test/simt/cuda_runtime.h"
#include "test/simt/simt.h"

#include <memory>
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

struct simt_tape {
    std::vector<step> steps;
};
struct simt_stream {
    simt_tape *recording;
};
struct simt_event {
    int set;
};

static simt_stream *capturing;
static int blocks, fail_in = -1;
static cudaError_t fail_with, last;

static cudaError_t answer(void)
{
    if (fail_in < 0 || fail_in-- > 0) return cudaSuccess;
    return last = fail_with;
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
    step s = {grid, block, shared, std::shared_ptr<simt_call>(call)};
    submit(s);
}

template <class F> static cudaError_t later(F f)
{
    cudaError_t e = answer();
    if (e == cudaSuccess) simt_submit(dim3(1), dim3(0), 0, new simt_bound<F>(f));
    return e;
}

void simt_fail_after(int n, cudaError_t e)
{
    fail_in = n;
    fail_with = e;
}

int simt_blocks(void)
{
    return blocks;
}

cudaError_t cudaGetDeviceCount(int *n)
{
    *n = 1;
    return answer();
}

cudaError_t cudaSetDevice(int)
{
    return answer();
}

cudaError_t cudaGetDeviceProperties(struct cudaDeviceProp *p, int)
{
    snprintf(p->name, sizeof p->name, "an imagined card");
    p->major = 9;
    p->minor = 0;
    p->multiProcessorCount = 4;
    return answer();
}

cudaError_t cudaMemGetInfo(size_t *left, size_t *total)
{
    *left = *total = (size_t)8 << 30;
    return answer();
}

cudaError_t cudaGetLastError(void)
{
    cudaError_t e = last;
    last = cudaSuccess;
    return e;
}

const char *cudaGetErrorString(cudaError_t e)
{
    return e == cudaErrorMemoryAllocation ? "out of memory" : "an imagined error";
}

cudaError_t cudaMalloc(void **p, size_t n)
{
    *p = NULL;
    if (answer() != cudaSuccess) return last;
    *p = aligned_alloc(256, (n + 255) / 256 * 256);
    if (!*p) return cudaErrorMemoryAllocation;
    if (n <= (size_t)1 << 26) memset(*p, 0xff, n);
    blocks++;
    return cudaSuccess;
}

cudaError_t cudaFree(void *p)
{
    blocks -= p != NULL;
    free(p);
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

cudaError_t cudaMemsetAsync(void *p, int v, size_t n, cudaStream_t)
{
    return later([=] { memset(p, v, n); });
}

cudaError_t cudaMemset2DAsync(void *p, size_t pitch, int v, size_t width, size_t rows, cudaStream_t)
{
    return later([=] {
        for (size_t i = 0; i < rows; i++)
            memset((char *)p + i * pitch, v, width);
    });
}

cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t n, enum cudaMemcpyKind, cudaStream_t)
{
    return later([=] { memcpy(to, from, n); });
}

cudaError_t cudaMemcpy2DAsync(void *to, size_t pt, const void *from, size_t pf, size_t width, size_t rows,
                              enum cudaMemcpyKind, cudaStream_t)
{
    return later([=] {
        for (size_t i = 0; i < rows; i++)
            memmove((char *)to + i * pt, (const char *)from + i * pf, width);
    });
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t *s, unsigned)
{
    *s = new simt_stream();
    return answer();
}

cudaError_t cudaStreamDestroy(cudaStream_t s)
{
    delete s;
    return cudaSuccess;
}

cudaError_t cudaStreamSynchronize(cudaStream_t)
{
    return answer();
}

cudaError_t cudaEventCreate(cudaEvent_t *e)
{
    *e = new simt_event();
    return answer();
}

cudaError_t cudaEventDestroy(cudaEvent_t e)
{
    delete e;
    return cudaSuccess;
}

cudaError_t cudaEventRecord(cudaEvent_t e, cudaStream_t)
{
    e->set = 1;
    return answer();
}

cudaError_t cudaEventSynchronize(cudaEvent_t)
{
    return answer();
}

cudaError_t cudaEventElapsedTime(float *ms, cudaEvent_t, cudaEvent_t)
{
    *ms = 1;
    return answer();
}

cudaError_t cudaStreamBeginCapture(cudaStream_t s, int)
{
    s->recording = new simt_tape();
    capturing = s;
    return answer();
}

cudaError_t cudaStreamEndCapture(cudaStream_t s, cudaGraph_t *g)
{
    *g = s->recording;
    s->recording = NULL;
    capturing = NULL;
    return answer();
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t *e, cudaGraph_t g, unsigned long long)
{
    *e = new simt_tape(*g);
    return answer();
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t e, cudaStream_t)
{
    for (const step &s : e->steps)
        s.run();
    return answer();
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
