/* device - the device's sticky failure: how it is set, asked for and reported. */
#include "kernels/cuda/device.h"

#include <stdio.h>

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

int cuda_failure(const struct cuda *c, struct fail *f)
{
    if (!c->failed) return 0;
    if (f) *f = c->fail;
    return c->fail.code;
}

void cuda_launched(struct cuda *c, const char *what)
{
    cuda_check(c, cudaGetLastError(), what);
}

int cuda_took(struct cuda *c, enum cuda_kind kind, int taken, const char *why)
{
    struct cuda_calls *n = &c->calls[kind];

    if (!taken) return 0;
    n->asked++;
    if (taken > 0) return 1;
    n->refused++;
    snprintf(n->why, sizeof n->why, "%s", why);
    return 0;
}
