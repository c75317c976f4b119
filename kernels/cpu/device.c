/* device - the sticky failure, and rows cut into tasks. */
#include "kernels/cpu/device.h"

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
    enum { WORTH = 64 << 10 }; /* bytes of a task: several times what waking a thread costs */
    struct row_job j = {.cpu = c, .fn = fn, .ctx = ctx, .n = n};
    int64_t tasks = n * bytes / WORTH + 1, most = 4 * pool_threads(c->pool);

    if (tasks > most) tasks = most;
    if (n <= 0) return;
    j.step = (n + tasks - 1) / tasks;
    pool_run(c->pool, (int)((n + j.step - 1) / j.step), row_task, &j);
}
