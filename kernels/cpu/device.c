/* device - the sticky failure, the processor's speed, and rows cut into tasks. */
#include "kernels/cpu/device.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

int cpu_ready(struct dev *d)
{
    struct cpu *c = cpu_of(d);

    if (!c->failed && d->scratch.failed)
        cpu_fail(c, ERR_OUT_OF_MEMORY, "the device's scratch is smaller than this step needs");
    return !c->failed;
}

void cpu_fail(struct cpu *c, enum err code, const char *why)
{
    if (c->failed) return;
    c->failed = 1;
    fail_set(&c->fail, code, "%s", why);
}

void cpu_run(const struct cpu *c, int tasks, double flops, pool_fn *fn, void *ctx)
{
    pool_run(c->pool, tasks, cpu_us(c, flops), fn, ctx);
}

int cpu_tasks(const struct cpu *c, double flops)
{
    const double least = cpu_us(c, flops) / POOL_TASK_US;
    const int threads = pool_threads(c->pool);

    if (threads == 1 || least < 2) return 1;
    return least < threads ? (int)least : least < 16 * threads ? threads : 4 * threads;
}

static double now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec * 1e-3;
}

static int by_size(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* How fast memory comes that no second-level cache holds: the median of its pieces, each read in
 * microseconds, of which a busy machine interrupts a few. */
static double measure_reading(void)
{
    enum { PIECES = 64, PIECE = 128 << 10, LINE = 64 };
    const double unknown = 1e4;
    volatile char *p = malloc((size_t)PIECES * PIECE);
    double took[PIECES], median;

    if (!p) return unknown;
    for (int at = 0; at < PIECES * PIECE; at += LINE)
        p[at] = 1;
    for (int i = 0; i < PIECES; i++) {
        const double start = now_us();

        for (int at = i * PIECE; at < (i + 1) * PIECE; at += LINE)
            (void)p[at];
        took[i] = now_us() - start;
    }
    free((void *)p);
    qsort(took, PIECES, sizeof *took, by_size);
    median = took[PIECES / 2];
    return PIECE / (median > 0.1 ? median : 0.1);
}

/* The fastest of some runs over the same panels: a busy machine disturbs most of them. */
void cpu_measure(struct cpu *c)
{
    enum { K = 96, PANELS = 4, TRIES = 16 };
    float *a = cpu_buffer(c, 0), *sums = a + c->isa->rows * GEMM_STRIDE;
    struct gemm_block g = {.a = a, .b = sums + c->isa->ldc, .c = sums, .m = 1, .k = K};
    double best = 1e9;

    memset(a, 0, c->buffer_size);
    g.n = PANELS * c->isa->nr;
    g.panel = (int64_t)K * c->isa->nr * (c->pack == PACK_F32 ? 4 : 2);
    g.first = 1; /* and never last: no epilogue */
    for (int i = 0; i < TRIES; i++) {
        const double start = now_us();
        double took;

        c->isa->gemm[c->pack](&g);
        took = now_us() - start;
        if (took < best) best = took;
    }
    c->flops_us = 2.0 * K * g.n / (best > 0.1 ? best : 0.1);
    c->bytes_us = measure_reading();
}

struct row_job {
    const struct cpu *cpu;
    cpu_rows_fn *fn;
    const void *ctx;
    int64_t n, step;
};

static void row_task(void *arg, int task, int thread)
{
    const struct row_job *j = arg;
    const int64_t row = task * j->step, left = j->n - row;

    (void)thread;
    j->fn(j->cpu, j->ctx, row, left < j->step ? left : j->step);
}

void cpu_rows(struct cpu *c, int64_t n, int64_t bytes, cpu_rows_fn *fn, const void *ctx)
{
    enum { FLOPS_BYTE = 4 }; /* about what a norm costs */
    struct row_job j = {.cpu = c, .fn = fn, .ctx = ctx, .n = n};
    const double flops = (double)n * (double)bytes * FLOPS_BYTE;
    const int64_t tasks = cpu_tasks(c, flops);

    if (n <= 0) return;
    j.step = (n + tasks - 1) / tasks;
    cpu_run(c, (int)((n + j.step - 1) / j.step), flops, row_task, &j);
}
