/* capture - quanta that are the same every time, recorded as a CUDA graph and launched as one piece.
 *
 * A key is seen first (its kernels load), recorded the second time, repeated from then on. Numbers that
 * change from quantum to quantum live in device memory. A recording names addresses: any freed block
 * drops all of them. */
#include "kernels/cuda/device.h"

#include <string.h>

static struct cuda_tape *find(struct cuda *c, uint64_t key)
{
    struct cuda_tape *oldest = &c->tape[0];
    for (int i = 0; i < CUDA_TAPES; i++) {
        struct cuda_tape *t = &c->tape[i];
        if (t->seen && t->key == key) return t;
        if (t->used < oldest->used) oldest = t;
    }
    if (oldest->exec) cudaGraphExecDestroy(oldest->exec);
    memset(oldest, 0, sizeof *oldest);
    return oldest;
}

int cuda_begin(struct dev *d, uint64_t key)
{
    struct cuda *c = cuda_of(d);
    if (!cuda_ready(c)) return 1;
    struct cuda_tape *t = find(c, key);
    t->used = ++c->clock;
    if (t->exec) {
        cuda_check(c, cudaGraphLaunch(t->exec, c->stream), "repeat a recorded step");
        return 1;
    }
    if (t->seen
        && !cuda_check(c, cudaStreamBeginCapture(c->stream, cudaStreamCaptureModeThreadLocal),
                       "record"))
        c->recording = t;
    t->seen = 1;
    t->key = key;
    return 0;
}

void cuda_end(struct dev *d)
{
    struct cuda *c = cuda_of(d);
    struct cuda_tape *t = c->recording;
    cudaGraph_t graph = NULL;
    if (!t) return;
    c->recording = NULL;
    int bad = cuda_check(c, cudaStreamEndCapture(c->stream, &graph), "record");
    if (!bad)
        bad = cuda_check(c, cudaGraphInstantiate(&t->exec, graph, 0), "prepare a recorded step");
    if (!bad) cuda_check(c, cudaGraphLaunch(t->exec, c->stream), "repeat a recorded step");
    if (graph) cudaGraphDestroy(graph);
}

void cuda_tapes_drop(struct cuda *c)
{
    for (int i = 0; i < CUDA_TAPES; i++)
        if (c->tape[i].exec) cudaGraphExecDestroy(c->tape[i].exec);
    memset(c->tape, 0, sizeof c->tape);
}
