/* gpu_ops - every operation on a GPU against the CPU device.
 *   gpu_ops [odd|wide] [f32|bf16] [no-lib] [no-pdl]
 *
 * A line a case: its largest error as a share of what is allowed. no-lib: hand-written kernels
 * only; no-pdl: without programmatic launches. Ends in `N passed, M failed`; the exit status says
 * whether all did. */
#include "kernels/cuda/cuda.h"
#include "test/simt/pair.h"

#include <string.h>

static int given(int argc, char **argv, const char *word)
{
    for (int i = 1; i < argc; i++)
        if (!strcmp(argv[i], word)) return 1;
    return 0;
}

static int stop(const char *what, const struct fail *f)
{
    printf("%s: %s; %s\n", what, f->message, f->hint);
    return 2;
}

int main(int argc, char **argv)
{
    const enum dtype type = given(argc, argv, "f32") ? DT_F32 : DT_BF16;
    const struct cuda_opts o = {.no_libraries = given(argc, argv, "no-lib"),
                                .no_pdl = given(argc, argv, "no-pdl")};
    const int wide = given(argc, argv, "wide");
    struct dev *ref, *dev;
    struct pair p;
    struct fail f = {0};
    char line[600];

    if (given(argc, argv, "--started")) return 0; /* the loader has found all libraries */
    if (cuda_open(&dev, type, &o, &f)) return stop("no GPU", &f);
    if (cpu_open(&ref, type, 0, &f)) return stop("no CPU device", &f);
    printf("%s against %s\n", cuda_describe(dev), ref->label);
    if (pair_open(&p, ref, dev, wide ? (size_t)4 << 30 : (size_t)64 << 20, (size_t)64 << 20, &f))
        return stop("no memory", &f);
    p.table = stdout;
    p.exact = o.no_libraries || type == DT_F32;
    pair_cases(&p, wide ? PAIR_WIDE : PAIR_ODD);
    pair_close(&p);
    if (cuda_libraries(dev, line, sizeof line) && type == DT_BF16) {
        printf("a library refused what its description allows: FAILED\n");
        p.failed++;
    }
    printf("libraries: %s\n", line);
    dev->ops->free(dev);
    ref->ops->free(ref);
    printf("%d passed, %d failed\n", p.passed, p.failed);
    return p.failed || !p.passed;
}
