/* matrix - linear layers and convolutions: one blocked product over rows of A.
 *
 * Both are C = A B with packed weights B; a convolution's rows of A are the neighbourhoods of
 * pixels, gathered one cache-sized block at a time. Tasks are blocks of rows times blocks of
 * columns. How a product is cut never shows in its bits: see isa.h. */
#include "kernels/cpu/device.h"
#include "kernels/cpu/ops.h"

#include <string.h>

struct product {
    const struct cpu *cpu;
    const struct cpu_weight *w;
    struct im2col a;
    int64_t m, first;             /* rows of y; the row of A that y's first one is */
    struct epilogue out;          /* of row 0, column 0 */
    int64_t rows, panels;         /* of a task */
    int64_t row_tasks, col_tasks; /* how many */
};

static int64_t ceil_div(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* k values of a block, and bytes between rows of B's panels per k value. */
static int64_t block_k(const struct cpu *c)
{
    return c->pack == PACK_DP ? 2 * GEMM_KC : GEMM_KC;
}

static struct epilogue move(const struct epilogue *e, int64_t row, int64_t col)
{
    struct epilogue o = *e;
    const int64_t size = e->bf ? 2 : 4;

    o.y = (char *)e->y + (row * e->ldy + col) * size;
    if (e->r) o.r = (const char *)e->r + (row * e->ldr + col) * size;
    if (e->bias) o.bias = e->bias + col;
    return o;
}

static void product_task(void *ctx, int task, int thread)
{
    const struct product *p = ctx;
    const struct cpu *c = p->cpu;
    const int64_t nr = c->isa->nr, size = c->pack == PACK_F32 ? 4 : 2;
    const int64_t row = task % p->row_tasks * p->rows, col = task / p->row_tasks * p->panels * nr;
    const int64_t in = p->w->in, even = c->pack == PACK_DP ? (in + 1) / 2 * 2 : in;
    float *a = cpu_buffer(c, thread);
    struct gemm_block g = {.a = a,
                           .panel = even * nr * size,
                           .m = (int)least(p->rows, p->m - row),
                           .n = (int)least(p->panels * nr, p->w->out - col),
                           .c = a + c->isa->rows * GEMM_STRIDE,
                           .out = move(&p->out, row, col)};
    const char *b = (const char *)p->w->data + col / nr * g.panel;

    for (int64_t k0 = 0; k0 < in; k0 += block_k(c)) {
        g.k = (int)least(block_k(c), in - k0);
        g.first = k0 == 0;
        g.last = k0 + g.k == in;
        g.b = b + k0 * nr * size;
        c->isa->im2col(&p->a, a, p->first + row, g.m, k0, g.k, c->pack);
        c->isa->gemm[c->pack](&g);
    }
}

/* Few channels: the product reads lines of the picture, not copies of every neighbourhood. */
static int in_lines(const struct product *p)
{
    enum { VALUES = 576 }; /* a panel of them, and the lines of a task, stay near */
    const struct isa *isa = p->cpu->isa;

    return p->a.side > 1 && p->cpu->pack != PACK_DP && p->w->in <= VALUES && p->w->out <= isa->cols
           && p->a.width << p->a.up >> p->a.half >= 2 * isa->unit;
}

/* A task is p->rows pixels of a line of the picture, of which there are p->col_tasks a line. */
static void lines_task(void *ctx, int task, int thread)
{
    const struct product *p = ctx;
    const struct cpu *c = p->cpu;
    const int64_t wide = (int64_t)p->a.width << p->a.up >> p->a.half;
    const int64_t x = task % p->col_tasks * p->rows, row = task / p->col_tasks * wide + x;
    const int64_t n = least(least(p->rows, wide - x), p->m - row);
    const int64_t size = c->pack == PACK_F32 ? 4 : 2;
    float *a = cpu_buffer(c, thread);
    struct gemm_block g = {.a = a,
                           .lda = p->a.channels << p->a.half,
                           .run = p->a.side * p->a.channels,
                           .b = p->w->data,
                           .panel = p->w->in * c->isa->nr * size,
                           .m = (int)n,
                           .n = (int)p->w->out,
                           .k = (int)p->w->in,
                           .c = a + c->isa->rows * GEMM_STRIDE,
                           .first = 1,
                           .last = 1};

    if (n <= 0) return;
    g.jump = (int)(lines_wide(&p->a, n) * p->a.channels);
    assert(p->a.side * g.jump <= c->isa->rows * GEMM_STRIDE);
    g.out = move(&p->out, row, 0);
    c->isa->lines(&p->a, a, p->first + row, n, c->pack);
    c->isa->conv[c->pack](&g);
}

static void lines_run(struct product *p, double flops)
{
    const int64_t wide = (int64_t)p->a.width << p->a.up >> p->a.half, unit = p->cpu->isa->unit;

    assert(p->first % wide == 0);
    p->col_tasks = ceil_div(wide, p->cpu->isa->rows);
    p->rows = ceil_div(ceil_div(wide, p->col_tasks), unit) * unit;
    p->row_tasks = ceil_div(p->m, wide);
    cpu_run(p->cpu, (int)(p->row_tasks * p->col_tasks), flops, lines_task, p);
}

/* What it costs, in FLOPs: a few rows take no longer than their weights do to come. */
static double cost(const struct product *p)
{
    const double values = (double)p->w->in * (double)p->w->out;
    const double flops = 2 * (double)p->m * values;
    const double reading = cpu_reading(p->cpu, values * (p->cpu->pack == PACK_F32 ? 4 : 2));

    return flops > reading ? flops : reading;
}

/* Cut into tasks: enough for every thread when there is work for them, blocks no larger than a
 * thread buffer. */
static void product_run(struct product *p)
{
    const struct cpu *c = p->cpu;
    const int64_t nr = c->isa->nr;
    const int64_t panels = ceil_div(p->w->out, nr);
    const double flops = cost(p);
    const int64_t want = cpu_tasks(c, flops);

    if (in_lines(p)) {
        lines_run(p, flops);
        return;
    }
    p->col_tasks = ceil_div(panels * nr, c->isa->cols);
    p->row_tasks = ceil_div(p->m, c->isa->rows);
    if (p->col_tasks * p->row_tasks < want) {
        const int64_t most = ceil_div(p->m, 28), wide = ceil_div(want, p->col_tasks);

        if (p->row_tasks < least(most, wide)) p->row_tasks = least(most, wide);
        if (p->col_tasks * p->row_tasks < want)
            p->col_tasks = least(panels, ceil_div(want, p->row_tasks));
    }
    p->rows = ceil_div(ceil_div(p->m, p->row_tasks), c->isa->unit) * c->isa->unit;
    p->row_tasks = ceil_div(p->m, p->rows);
    p->panels = ceil_div(panels, p->col_tasks);
    p->col_tasks = ceil_div(panels, p->panels);
    cpu_run(c, (int)(p->row_tasks * p->col_tasks), flops, product_task, p);
}

void cpu_linear(struct dev *d, tensor y, tensor x, const struct weight *weight, enum activation act,
                int add)
{
    const struct cpu_weight *w = cpu_weight_of(weight);
    struct cpu *c = cpu_of(d);
    struct product p = {.cpu = c, .w = w, .m = x.rows, .a = {.x = x.data, .ld = x.ld}};

    if (!cpu_ready(d) || y.rows == 0) return;
    assert(w->use == USE_LINEAR && x.cols == w->in && y.cols == w->out && x.rows == y.rows);
    assert(x.type == d->type && (y.type == d->type || y.type == DT_F32));
    p.out = (struct epilogue){.y = y.data,
                              .ldy = y.ld,
                              .r = add ? y.data : NULL,
                              .ldr = y.ld,
                              .bias = w->bias,
                              .act = act,
                              .bf = y.type == DT_BF16};
    product_run(&p);
}

void cpu_conv(struct dev *d, tensor y, tensor x, const struct weight *weight, int h, int width,
              int up, int first, tensor add)
{
    const struct cpu_weight *w = cpu_weight_of(weight);
    struct cpu *c = cpu_of(d);
    const int64_t skip = ((int64_t)first * width) << (up != 0);
    struct product p = {.cpu = c, .w = w, .m = y.rows, .first = skip};

    if (!cpu_ready(d)) return;
    up = up != 0;
    assert(w->use == USE_CONV && x.cols * w->k * w->k == w->in && y.cols == w->out);
    assert(x.rows == (int64_t)h * width && skip + y.rows <= x.rows << (2 * up));
    assert(x.type == d->type && y.type == d->type);
    assert(!tensor_given(add) || (add.rows == y.rows && add.cols == y.cols && add.type == y.type));
    p.a = (struct im2col){.x = x.data,
                          .ld = x.ld,
                          .side = w->k,
                          .height = h,
                          .width = width,
                          .channels = (int)x.cols,
                          .up = up};
    p.out = (struct epilogue){
        .y = y.data, .ldy = y.ld, .r = add.data, .ldr = add.ld, .bias = w->bias, .bf = c->bf};
    product_run(&p);
}

void cpu_conv_half(struct dev *d, tensor y, tensor x, const struct weight *weight, int h, int width)
{
    const struct cpu_weight *w = cpu_weight_of(weight);
    struct cpu *c = cpu_of(d);
    struct product p = {.cpu = c, .w = w, .m = y.rows};

    if (!cpu_ready(d)) return;
    assert(w->use == USE_CONV && x.cols * w->k * w->k == w->in && y.cols == w->out);
    assert(h % 2 == 0 && width % 2 == 0 && x.rows == (int64_t)h * width && 4 * y.rows == x.rows);
    assert(x.type == d->type && y.type == d->type);
    p.a = (struct im2col){.x = x.data,
                          .ld = x.ld,
                          .side = w->k,
                          .height = h,
                          .width = width,
                          .channels = (int)x.cols,
                          .half = 1};
    p.out = (struct epilogue){.y = y.data, .ldy = y.ld, .bias = w->bias, .bf = c->bf};
    product_run(&p);
}

void cpu_embed(struct dev *d, tensor y, const struct weight *weight, tensor ids)
{
    const struct cpu_weight *table = cpu_weight_of(weight);
    struct cpu *c = cpu_of(d);
    const size_t n = (size_t)table->in * (c->bf ? 2 : 4);

    if (!cpu_ready(d)) return;
    assert(table->use == USE_TABLE && y.cols == table->in && y.rows == ids.rows);
    assert(ids.type == DT_I32 && y.type == d->type);
    for (int64_t i = 0; i < y.rows; i++) {
        const int32_t id = ((const int32_t *)ids.data)[i * ids.ld];
        char *to = (char *)y.data + (size_t)(i * y.ld) * (c->bf ? 2 : 4);

        if (id >= table->out) {
            cpu_fail(c, ERR_DEVICE, "an id lies outside its table");
            return;
        }
        if (id < 0)
            memset(to, 0, n);
        else
            memcpy(to, (const char *)table->data + (size_t)id * n, n);
    }
}
