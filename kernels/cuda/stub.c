/* stub - what cuda.h declares, for builds without CUDA. */
#include "kernels/cuda/cuda.h"

int cuda_count(struct fail *f)
{
    fail_set(f, ERR_USAGE, "this build has no CUDA");
    fail_advise(f, "use --device cpu, or build with nvcc on the path");
    return 0;
}

int cuda_open(struct dev **out, enum dtype type, const struct cuda_opts *o, struct fail *f)
{
    (void)type, (void)o;
    *out = NULL;
    cuda_count(f);
    return ERR_USAGE;
}

const char *cuda_describe(const struct dev *d)
{
    (void)d;
    return "no CUDA";
}

uint64_t cuda_libraries(const struct dev *d, char *out, size_t size)
{
    (void)d;
    if (size) *out = 0;
    return 0;
}

void cuda_memory(struct dev *d, uint64_t *total, uint64_t *free_bytes)
{
    (void)d;
    *total = *free_bytes = 0;
}

void cuda_timer_mark(struct dev *d, int mark)
{
    (void)d, (void)mark;
}

double cuda_timer_between(struct dev *d, int from, int to)
{
    (void)d, (void)from, (void)to;
    return 0;
}
