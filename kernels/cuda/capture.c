/* capture - quanta that repeat, captured as a CUDA graph and launched as one piece.
 *
 * The first time that a key is asked for its kernels load, the second time it is captured, from
 * then on it is repeated. Numbers that change from quantum to quantum are in device memory. A
 * capture names addresses: freeing any block drops all captures. */
#include "kernels/cuda/device.h"

#include <string.h>

/* The capture of this key, or the one used longest ago, emptied. */
static struct cuda_capture *find(struct cuda *c, uint64_t key)
{
    struct cuda_capture *oldest = &c->capture[0], *t;

    for (int i = 0; i < CUDA_CAPTURES; i++) {
        t = &c->capture[i];
        if (t->seen && t->key == key) return t;
        if (t->used < oldest->used) oldest = t;
    }
    if (oldest->exec) cudaGraphExecDestroy(oldest->exec);
    memset(oldest, 0, sizeof *oldest);
    return oldest;
}

int cuda_capture_begin(struct dev *d, uint64_t key)
{
    struct cuda *c = cuda_of(d);
    struct cuda_capture *t;

    if (!cuda_ready(c)) return 1;
    t = find(c, key);
    t->used = ++c->clock;
    if (t->exec) {
        cuda_check(c, cudaGraphLaunch(t->exec, c->stream), "repeat a recorded step");
        return 1;
    }
    if (t->seen
        && !cuda_check(c, cudaStreamBeginCapture(c->stream, cudaStreamCaptureModeThreadLocal),
                       "record"))
        c->capturing = t;
    t->seen = 1;
    t->key = key;
    return 0;
}

void cuda_capture_end(struct dev *d)
{
    struct cuda *c = cuda_of(d);
    struct cuda_capture *t = c->capturing;
    cudaGraph_t graph = NULL;
    int bad;

    if (!t) return;
    c->capturing = NULL;
    bad = cuda_check(c, cudaStreamEndCapture(c->stream, &graph), "record");
    if (!bad)
        bad = cuda_check(c, cudaGraphInstantiate(&t->exec, graph, 0), "prepare a recorded step");
    if (!bad) cuda_check(c, cudaGraphLaunch(t->exec, c->stream), "repeat a recorded step");
    if (graph) cudaGraphDestroy(graph);
}

void cuda_capture_abort(struct cuda *c)
{
    cudaGraph_t graph = NULL;

    if (!c->capturing) return;
    memset(c->capturing, 0, sizeof *c->capturing);
    c->capturing = NULL;
    if (cudaStreamEndCapture(c->stream, &graph) == cudaSuccess && graph) cudaGraphDestroy(graph);
}

void cuda_capture_drop(struct cuda *c)
{
    for (int i = 0; i < CUDA_CAPTURES; i++)
        if (c->capture[i].exec) cudaGraphExecDestroy(c->capture[i].exec);
    memset(c->capture, 0, sizeof c->capture);
}
