/* row - norms and elementwise operations: rows over threads, segments over rows. */
#include "kernels/cpu/device.h"
#include "kernels/cpu/ops.h"

struct row_args {
    tensor y, x, m; /* m: modulation, table or second operand */
    const float *w, *b;
    const struct seg *seg;
    int nseg, heads;
    int add; /* rms: y += */
    enum activation act;
    float eps;
};

static void *at(tensor t, int64_t row, int64_t col)
{
    return (char *)t.data + (size_t)(row * t.ld + col) * dtype_size(t.type);
}

static void rms_rows(const struct cpu *c, const void *ctx, int64_t row, int64_t n)
{
    const struct row_args *r = ctx;

    for (int64_t i = row; i < row + n; i++)
        c->isa->rms(at(r->y, i, 0), at(r->x, i, 0), r->w, r->x.cols, r->eps, r->add, c->bf);
}

static void rms(struct dev *d, tensor y, tensor x, const struct weight *weight, float eps, int add)
{
    const struct cpu_weight *w = cpu_weight_of(weight);
    const struct row_args r = {.y = y, .x = x, .w = w->data, .eps = eps, .add = add};

    if (!cpu_ready(d)) return;
    assert(w->use == USE_VECTOR && w->out * w->in == x.cols && y.cols == x.cols);
    assert(x.type == d->type && y.type == d->type && x.rows == y.rows);
    cpu_rows(cpu_of(d), x.rows, x.cols * 8, rms_rows, &r);
}

void cpu_rms(struct dev *d, tensor y, tensor x, const struct weight *w, float eps)
{
    rms(d, y, x, w, eps, 0);
}

void cpu_rms_add_rms(struct dev *d, tensor x, tensor a, const struct weight *w, tensor y,
                     const struct weight *w2, float eps)
{
    rms(d, x, a, w, eps, 1);
    cpu_rms(d, y, x, w2, eps);
}

static void ln_rows(const struct cpu *c, const void *ctx, int64_t row, int64_t n)
{
    const struct row_args *r = ctx;

    for (int64_t i = row; i < row + n; i++)
        c->isa->ln(at(r->y, i, 0), at(r->x, i, 0), r->w, r->b, r->x.cols, r->eps, c->bf);
}

void cpu_layer_norm(struct dev *d, tensor y, tensor x, const struct weight *weight,
                    const struct weight *bias, float eps)
{
    const struct cpu_weight *w = cpu_weight_of(weight), *b = cpu_weight_of(bias);
    const struct row_args r = {.y = y, .x = x, .w = w->data, .b = b->data, .eps = eps};

    if (!cpu_ready(d)) return;
    assert(w->use == USE_VECTOR && w->out * w->in == x.cols && b->out * b->in == x.cols);
    assert(x.type == d->type && y.type == d->type && x.rows == y.rows && y.cols == x.cols);
    cpu_rows(cpu_of(d), x.rows, x.cols * 8, ln_rows, &r);
}

/* The segment that holds `row`, or NULL; segments are few and looked at in order. */
static const struct seg *seg_of(const struct row_args *r, int64_t row)
{
    for (int i = 0; i < r->nseg; i++)
        if (row >= r->seg[i].row && row < r->seg[i].row + r->seg[i].n) return &r->seg[i];
    return NULL;
}

static void ln_mod_rows(const struct cpu *c, const void *ctx, int64_t row, int64_t n)
{
    const struct row_args *r = ctx;

    for (int64_t i = row; i < row + n; i++) {
        const struct seg *s = seg_of(r, i);

        if (!s) continue;
        c->isa->ln_mod(at(r->y, i, 0), at(r->x, i, 0), at(r->m, s->vec, s->scale),
                       at(r->m, s->vec, s->shift), r->x.cols, r->eps, c->bf);
    }
}

void cpu_ln_mod(struct dev *d, tensor y, tensor x, tensor mod, const struct seg *seg, int nseg,
                float eps)
{
    const struct row_args r = {.y = y, .x = x, .m = mod, .seg = seg, .nseg = nseg, .eps = eps};

    if (!cpu_ready(d)) return;
    assert(y.rows == x.rows && y.cols == x.cols && y.type == d->type && x.type == d->type);
    assert(mod.type == d->type);
    cpu_rows(cpu_of(d), x.rows, x.cols * 8, ln_mod_rows, &r);
}

static void gate_rows(const struct cpu *c, const void *ctx, int64_t row, int64_t n)
{
    const struct row_args *r = ctx;

    for (int64_t i = row; i < row + n; i++) {
        const struct seg *s = seg_of(r, i);

        if (s)
            c->isa->gate_add(at(r->y, i, 0), at(r->x, i, 0), at(r->m, s->vec, s->gate), r->x.cols,
                             c->bf);
    }
}

void cpu_gate_add(struct dev *d, tensor x, tensor a, tensor mod, const struct seg *seg, int nseg)
{
    const struct row_args r = {.y = x, .x = a, .m = mod, .seg = seg, .nseg = nseg};

    if (!cpu_ready(d)) return;
    assert(a.rows == x.rows && a.cols == x.cols && a.type == d->type && x.type == d->type);
    assert(mod.type == d->type);
    cpu_rows(cpu_of(d), x.rows, x.cols * 8, gate_rows, &r);
}

static void qk_rows(const struct cpu *c, const void *ctx, int64_t row, int64_t n)
{
    const struct row_args *r = ctx;
    const int64_t dim = r->x.cols / r->heads;

    for (int64_t i = row; i < row + n; i++) {
        const struct seg *s = seg_of(r, i);
        const float *cs;

        if (!s) continue;
        cs = s->rope < 0 ? NULL : at(r->m, s->rope + i - s->row, 0);
        c->isa->qk(at(r->x, i, 0), cs, r->heads, dim, r->eps, c->bf);
    }
}

void cpu_qk_norm_rope(struct dev *d, tensor x, int heads, tensor table, const struct seg *seg,
                      int nseg, float eps)
{
    const struct row_args r = {
        .x = x, .m = table, .seg = seg, .nseg = nseg, .heads = heads, .eps = eps};

    if (!cpu_ready(d)) return;
    assert(x.type == d->type && x.cols % heads == 0);
    assert(!tensor_given(table) || (table.type == DT_F32 && table.cols == x.cols / heads));
    cpu_rows(cpu_of(d), x.rows, x.cols * 16, qk_rows, &r);
}

static void glu_rows(const struct cpu *c, const void *ctx, int64_t row, int64_t n)
{
    const struct row_args *r = ctx;

    for (int64_t i = row; i < row + n; i++)
        c->isa->glu(at(r->y, i, 0), at(r->x, i, 0), at(r->x, i, r->y.cols), r->y.cols, r->act,
                    c->bf);
}

void cpu_glu(struct dev *d, tensor y, tensor gu, enum activation act)
{
    const struct row_args r = {.y = y, .x = gu, .act = act};

    if (!cpu_ready(d)) return;
    assert(gu.cols == 2 * y.cols && gu.rows == y.rows && y.type == d->type && gu.type == d->type);
    cpu_rows(cpu_of(d), y.rows, y.cols * 16, glu_rows, &r);
}

void cpu_linear_glu(struct dev *d, tensor y, tensor gu, tensor x, const struct weight *w,
                    enum activation act)
{
    cpu_linear(d, gu, x, w, ACT_NONE, 0);
    cpu_glu(d, y, gu, act);
}

static void add_rows(const struct cpu *c, const void *ctx, int64_t row, int64_t n)
{
    const struct row_args *r = ctx;

    for (int64_t i = row; i < row + n; i++)
        c->isa->add_act(at(r->y, i, 0), at(r->x, i, 0), r->m.data ? at(r->m, i, 0) : NULL,
                        r->y.cols, r->act, c->bf);
}

void cpu_add_act(struct dev *d, tensor y, tensor a, tensor b, enum activation act)
{
    const struct row_args r = {.y = y, .x = a, .m = b, .act = act};

    if (!cpu_ready(d)) return;
    assert(y.rows == a.rows && y.cols == a.cols && y.type == d->type && a.type == d->type);
    assert(!tensor_given(b) || (b.rows == y.rows && b.cols == y.cols && b.type == d->type));
    cpu_rows(cpu_of(d), y.rows, y.cols * 8, add_rows, &r);
}
