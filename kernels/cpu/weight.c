/* weight - model tensors into the CPU device's own form, once, when a model is opened. */
#include "kernels/cpu/device.h"
#include "kernels/cpu/half.h"
#include "kernels/cpu/ops.h"

#include <stdlib.h>
#include <string.h>

/* Where the packed form differs: columns of a panel, bytes of one element, k values a row. */
struct form {
    int64_t nr, size, group;
};

static struct form form_of(const struct cpu *c)
{
    return (struct form){
        .nr = c->isa->nr, .size = c->pack == PACK_F32 ? 4 : 2, .group = c->pack == PACK_DP ? 2 : 1};
}

static int64_t up(int64_t n, int64_t to)
{
    return (n + to - 1) / to * to;
}

static int64_t rows_of(const struct weight_spec *s)
{
    int64_t n = 0;

    for (int i = 0; i < s->n; i++)
        n += s->part[i].rows;
    return n;
}

static size_t data_size(const struct cpu *c, const struct weight_spec *s)
{
    const struct form f = form_of(c);
    const int64_t out = rows_of(s), in = s->part[0].cols;

    switch (s->use) {
    case USE_LINEAR:
    case USE_CONV: return (size_t)(up(out, f.nr) * up(in, f.group) * f.size);
    case USE_TABLE: return (size_t)(out * in) * (c->bf ? 2 : 4);
    case USE_VECTOR: return (size_t)(out * in) * 4;
    }
    return 0;
}

static size_t bias_size(const struct cpu *c, const struct weight_spec *s)
{
    if (!s->bias[0].data || (s->use != USE_LINEAR && s->use != USE_CONV)) return 0;
    return (size_t)up(rows_of(s), form_of(c).nr) * sizeof(float);
}

size_t cpu_weight_size(const struct dev *d, const struct weight_spec *s)
{
    const struct cpu *c = (const struct cpu *)d;
    size_t data = data_size(c, s);

    return (data + 63) / 64 * 64 + bias_size(c, s);
}

size_t cpu_weight_bytes(const struct weight *w)
{
    return cpu_weight_of(w)->bytes;
}

/* Row `row` of the stacked parts. */
static const struct source *part_of(const struct source *part, int64_t *row)
{
    while (*row >= part->rows)
        *row -= part++->rows;
    return part;
}

/* n values from element `at` as floats, rounded to T as the model's tensors are when it is
 * loaded. */
static void read_row(const struct cpu *c, float *y, const struct source *s, int64_t at, int64_t n)
{
    half_read(y, s->data, s->type, at, n);
    if (!c->bf) return;
    for (int64_t i = 0; i < n; i++)
        y[i] = half_round(y[i]);
}

struct packing {
    const struct cpu *cpu;
    const struct weight_spec *spec;
    struct cpu_weight *w;
    float *row; /* a row for every thread */
};

/* Place column j of B, one row of the source: conv weights turn from [in][k][k] to [k][k][in]. */
static void pack_row(const struct packing *p, const float *row, int64_t j)
{
    const struct form f = form_of(p->cpu);
    const int64_t in = p->w->in, kk = p->w->k * p->w->k, ch = kk ? in / kk : in;
    char *panel = (char *)p->w->data + j / f.nr * up(in, f.group) * f.nr * f.size;

    for (int64_t k = 0; k < in; k++) {
        float v = kk > 1 ? row[k % ch * kk + k / ch] : row[k];
        int64_t at = (k / f.group * f.nr + j % f.nr) * f.group + k % f.group;

        if (f.size == 4)
            ((float *)(void *)panel)[at] = v;
        else
            ((uint16_t *)(void *)panel)[at] = half_bits(v);
    }
}

static void pack_panel(void *ctx, int task, int thread)
{
    const struct packing *p = ctx;
    const int64_t nr = p->cpu->isa->nr;
    float *row = p->row + (int64_t)thread * p->w->in;

    for (int64_t j = task * nr; j < (task + 1) * nr && j < p->w->out; j++) {
        int64_t r = j;
        const struct source *s = part_of(p->spec->part, &r);

        read_row(p->cpu, row, s, r * p->w->in, p->w->in);
        pack_row(p, row, j);
    }
}

static int pack_matrix(const struct packing *p, struct fail *fail)
{
    enum { FLOPS_VALUE = 50 }; /* a nanosecond */
    struct packing job = *p;
    const int threads = pool_threads(p->cpu->pool);
    int64_t nr;
    float *b;

    job.row = malloc(sizeof(float) * (size_t)p->w->in * (size_t)threads);
    if (!job.row) return fail_set(fail, ERR_OUT_OF_MEMORY, "no memory to pack %s", p->spec->name);
    nr = p->cpu->isa->nr;
    cpu_run(p->cpu, (int)((p->w->out + nr - 1) / nr),
            (double)p->w->out * (double)p->w->in * FLOPS_VALUE, pack_panel, &job);
    free(job.row);
    if (!p->w->bias) return 0;
    b = p->w->bias;
    for (int i = 0; i < p->spec->n; b += p->spec->part[i++].rows)
        read_row(p->cpu, b, &p->spec->bias[i], 0, p->spec->part[i].rows);
    return 0;
}

/* Tables keep T, vectors become float. */
static void pack_plain(const struct packing *p)
{
    char *y = p->w->data;

    for (int i = 0; i < p->spec->n; i++) {
        const struct source *s = &p->spec->part[i];
        const int narrow = p->spec->use == USE_TABLE && p->cpu->bf;

        for (int64_t at = 0, n = s->rows * s->cols; at < n;) {
            float t[512];
            int64_t m = n - at < 512 ? n - at : 512;

            read_row(p->cpu, t, s, at, m);
            for (int64_t k = 0; narrow && k < m; k++)
                ((uint16_t *)(void *)y)[k] = half_bits(t[k]);
            if (!narrow) memcpy(y, t, (size_t)m * 4);
            y += m * (narrow ? 2 : 4);
            at += m;
        }
    }
}

int cpu_weight_new(struct dev *d, struct weight **out, const struct weight_spec *s,
                   struct fail *fail)
{
    struct cpu *c = cpu_of(d);
    void *base = NULL;
    struct cpu_weight *w;
    int err;

    *out = NULL;
    assert(s->n >= 1 && s->n <= 4);
    w = calloc(1, sizeof *w);
    if (!w) return fail_set(fail, ERR_OUT_OF_MEMORY, "no memory for %s", s->name);
    *w = (struct cpu_weight){.use = s->use, .out = rows_of(s), .in = s->part[0].cols, .k = s->k};
    w->bytes = cpu_weight_size(d, s);
    err = c->dev.ops->mem_new(d, &base, w->bytes, fail);
    if (err) {
        free(w);
        return err;
    }
    w->data = base;
    if (bias_size(c, s)) w->bias = (float *)(void *)((char *)base + (w->bytes - bias_size(c, s)));
    if (s->use == USE_LINEAR || s->use == USE_CONV)
        err = pack_matrix(&(struct packing){.cpu = c, .spec = s, .w = w}, fail);
    else
        pack_plain(&(struct packing){.cpu = c, .spec = s, .w = w});
    if (err) {
        cpu_weight_free(d, (struct weight *)w);
        return err;
    }
    *out = (struct weight *)w;
    return 0;
}

void cpu_weight_free(struct dev *d, struct weight *weight)
{
    struct cpu_weight *w = (struct cpu_weight *)weight;

    if (!w) return;
    d->ops->mem_free(d, w->data, w->bytes);
    free(w);
}
