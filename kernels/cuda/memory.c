/* memory - device memory, copies, and the pinned staging buffer between host and device. */
#include "kernels/cuda/device.h"

#include <string.h>

static int no_memory(const struct cuda *c, size_t bytes, struct fail *f)
{
    fail_set(f, ERR_OUT_OF_MEMORY, "no device memory for %zu MB: %llu of %llu MB are taken",
             bytes >> 20, (unsigned long long)(c->used >> 20), (unsigned long long)(c->vram >> 20));
    return fail_advise(f, "use a smaller picture or fewer at the same time");
}

int cuda_mem_new(struct dev *d, void **base, size_t bytes, struct fail *f)
{
    struct cuda *c = cuda_of(d);
    cudaError_t e = cudaErrorMemoryAllocation;

    *base = NULL;
    if (!cuda_ready(c)) return cuda_failure(c, f);
    if (bytes <= c->vram - c->used) e = cudaMalloc(base, bytes ? bytes : 1);
    if (e == cudaErrorMemoryAllocation) {
        /* not sticky: the next allocation may fit */
        cudaGetLastError();
        return no_memory(c, bytes, f);
    }
    if (cuda_check(c, e, "allocate memory")) return cuda_failure(c, f);
    c->used += bytes;
    cuda_check(c, cudaMemsetAsync(*base, 0, bytes ? bytes : 1, c->stream), "clear memory");
    return 0;
}

void cuda_mem_free(struct dev *d, void *base, size_t bytes)
{
    struct cuda *c = cuda_of(d);

    if (!base) return;
    /* captured quanta may name this block */
    cuda_capture_drop(c);
    cudaStreamSynchronize(c->stream);
    cudaFree(base);
    c->used -= bytes;
}

static size_t row_bytes(tensor t)
{
    return (size_t)t.cols * dtype_size(t.type);
}

static size_t pitch(tensor t)
{
    return (size_t)t.ld * dtype_size(t.type);
}

/* Room for n bytes in one of the two halves: the other one is free again once its copies have
 * ended. */
static char *stage_room(struct cuda *c, size_t n)
{
    char *p;

    assert(n <= CUDA_STAGE);
    if (n > CUDA_STAGE - c->filled) {
        cuda_check(c, cudaEventRecord(c->staged[c->half], c->stream), "staging");
        c->half ^= 1;
        c->filled = 0;
        cuda_check(c, cudaEventSynchronize(c->staged[c->half]), "staging");
    }
    p = c->stage[c->half] + c->filled;
    c->filled += (n + 255) / 256 * 256;
    if (c->filled > CUDA_STAGE) c->filled = CUDA_STAGE;
    return p;
}

void cuda_upload(struct cuda *c, void *dst, const void *host, size_t n)
{
    size_t m;
    char *p;

    for (size_t at = 0; at < n && cuda_ready(c); at += m) {
        m = n - at < CUDA_STAGE ? n - at : CUDA_STAGE;
        p = stage_room(c, m);
        memcpy(p, (const char *)host + at, m);
        cuda_check(c, cudaMemcpyAsync((char *)dst + at, p, m, cudaMemcpyHostToDevice, c->stream),
                   "upload");
    }
}

void cuda_put(struct dev *d, tensor dst, const void *host)
{
    struct cuda *c = cuda_of(d);
    const size_t n = row_bytes(dst);

    if (!cuda_ready(c)) return;
    if (dst.ld == dst.cols || dst.rows == 1) {
        cuda_upload(c, dst.data, host, n * (size_t)dst.rows);
        return;
    }
    for (int64_t i = 0; i < dst.rows; i++)
        cuda_upload(c, (char *)dst.data + (size_t)i * pitch(dst),
                    (const char *)host + (size_t)i * n, n);
}

/* Between device and host, or on the device. Rows without gaps are copied as one piece: as rows
 * of a few bytes they may take a hundred times longer. */
static void copy_rows(struct cuda *c, cudaStream_t stream, void *to, size_t to_pitch,
                      const void *from, size_t from_pitch, tensor t, enum cudaMemcpyKind kind,
                      const char *what)
{
    const size_t n = row_bytes(t), rows = (size_t)t.rows;
    cudaError_t e;

    if (to_pitch == n && from_pitch == n)
        e = cudaMemcpyAsync(to, from, n * rows, kind, stream);
    else
        e = cudaMemcpy2DAsync(to, to_pitch, from, from_pitch, n, rows, kind, stream);
    cuda_check(c, e, what);
}

void cuda_get(struct dev *d, void *host, tensor src)
{
    struct cuda *c = cuda_of(d);

    if (!cuda_ready(c) || !src.rows || !src.cols) return;
    copy_rows(c, c->stream, host, row_bytes(src), src.data, pitch(src), src, cudaMemcpyDeviceToHost,
              "download");
}

/* On a stream of its own: does not wait for what is still being written elsewhere. */
int cuda_peek(struct dev *d, void *host, tensor src, struct fail *f)
{
    struct cuda *c = cuda_of(d);

    if (cuda_ready(c))
        copy_rows(c, c->peeks, host, row_bytes(src), src.data, pitch(src), src,
                  cudaMemcpyDeviceToHost, "look");
    if (cuda_ready(c)) cuda_check(c, cudaStreamSynchronize(c->peeks), "look");
    return cuda_failure(c, f);
}

void cuda_copy(struct dev *d, tensor dst, tensor src)
{
    struct cuda *c = cuda_of(d);

    if (!cuda_ready(c) || !src.rows || !src.cols) return;
    assert(dst.type == src.type && dst.rows == src.rows && dst.cols == src.cols);
    copy_rows(c, c->stream, dst.data, pitch(dst), src.data, pitch(src), src,
              cudaMemcpyDeviceToDevice, "copy");
}

void cuda_zero(struct dev *d, tensor dst)
{
    struct cuda *c = cuda_of(d);
    const size_t n = row_bytes(dst), rows = (size_t)dst.rows;
    cudaError_t e;

    if (!cuda_ready(c) || !rows || !n) return;
    if (pitch(dst) == n)
        e = cudaMemsetAsync(dst.data, 0, n * rows, c->stream);
    else
        e = cudaMemset2DAsync(dst.data, pitch(dst), 0, n, rows, c->stream);
    cuda_check(c, e, "zero");
}

int cuda_home_new(struct dev *d, void **base, size_t bytes, struct fail *f)
{
    (void)d;
    *base = NULL;
    if (cudaMallocHost(base, bytes ? bytes : 1) == cudaSuccess) return 0;
    cudaGetLastError();
    return fail_set(f, ERR_OUT_OF_MEMORY, "no pinned host memory for %zu MB", bytes >> 20);
}

void cuda_home_free(struct dev *d, void *base, size_t bytes)
{
    struct cuda *c = cuda_of(d);

    (void)bytes;
    cudaStreamSynchronize(c->copies);
    cudaFreeHost(base);
}

uint64_t cuda_fetch(struct dev *d, void *at, const void *home, size_t bytes)
{
    struct cuda *c = cuda_of(d);
    const uint64_t ticket = ++c->tickets;
    static const char what[] = "fetch weights";

    if (!cuda_ready(c)) return ticket;
    cuda_check(c, cudaEventRecord(c->before_fetch, c->stream), what);
    cuda_check(c, cudaStreamWaitEvent(c->copies, c->before_fetch, 0), what);
    cuda_check(c, cudaMemcpyAsync(at, home, bytes, cudaMemcpyHostToDevice, c->copies), what);
    cuda_check(c, cudaEventRecord(c->fetched[ticket % CUDA_FETCHES], c->copies), what);
    return ticket;
}

void cuda_arrive(struct dev *d, uint64_t ticket)
{
    struct cuda *c = cuda_of(d);

    if (!cuda_ready(c)) return;
    cuda_check(c, cudaStreamWaitEvent(c->stream, c->fetched[ticket % CUDA_FETCHES], 0),
               "wait for weights");
}
