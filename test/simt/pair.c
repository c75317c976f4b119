/* pair - tensors twice, random contents, comparison. */
#include "test/simt/pair.h"
#include "weights/safetensors/dtype.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static double next_random(struct pair *p) /* [-1, 1) */
{
    p->seed = p->seed * 6364136223846793005u + 1442695040888963407u;
    return (double)(p->seed >> 40) / (1 << 23) - 1;
}

int pair_open(struct pair *p, struct dev *ref, struct dev *dev, size_t bytes, size_t scratch,
              struct fail *f)
{
    *p = (struct pair){.ref = ref, .dev = dev, .bytes = bytes, .scratch_bytes = scratch, .seed = 1};
    assert(ref->type == dev->type);
    PAIR_EACH(p, i, d)
    {
        int err = d->ops->mem_new(d, &p->base[i], bytes, f);

        if (!err) err = d->ops->mem_new(d, &p->scratch[i], scratch, f);
        if (err) return err;
        arena_init(&p->mem[i], p->base[i], bytes);
        arena_init(&d->scratch, p->scratch[i], scratch);
    }
    return 0;
}

static void drop(struct pair *p)
{
    for (int w = 0; w < p->weights; w++)
        PAIR_EACH(p, i, d)
    d->ops->weight_free(d, p->weight[i][w]);
    p->weights = 0;
    for (int i = 0; i < 2; i++)
        arena_release(&p->mem[i], 0);
}

void pair_end(struct pair *p)
{
    if (!*p->what) return;
    PAIR_EACH(p, i, d)
    {
        struct fail f = {0};

        if (d->ops->sync(d, &f)) {
            printf("%s: %s: %s\n", p->what, d->ops->name, f.message);
            p->bad = 1;
            d->ops->reset(d);
        }
    }
    if (p->table)
        fprintf(p->table, "%-60s %-4s %8.3f %s\n", p->what,
                p->ref->type == DT_BF16 ? "bf16" : "f32", p->worst, p->bad ? "FAILED" : "ok");
    p->bad ? p->failed++ : p->passed++;
    p->bad = 0;
    p->worst = 0;
    *p->what = 0;
    drop(p);
}

void pair_close(struct pair *p)
{
    pair_end(p);
    PAIR_EACH(p, i, d)
    {
        if (p->base[i]) d->ops->mem_free(d, p->base[i], p->bytes);
        if (p->scratch[i]) d->ops->mem_free(d, p->scratch[i], p->scratch_bytes);
        d->scratch = (struct arena){0};
    }
}

void pair_case(struct pair *p, const char *format, ...)
{
    va_list ap;

    pair_end(p);
    va_start(ap, format);
    vsnprintf(p->what, sizeof p->what, format, ap);
    va_end(ap);
    p->seed = 88172645463325252u; /* a case is the same whatever ran before it */
}

static void *host_memory(size_t n)
{
    void *p = malloc(n ? n : 1);

    if (!p) abort();
    return p;
}

static both place(struct pair *p, enum dtype type, int64_t rows, int64_t cols, int gap,
                  const void *host)
{
    both b;

    PAIR_EACH(p, i, d)
    {
        tensor t = arena_tensor(&p->mem[i], type, rows, cols + gap);

        if (!t.data) {
            printf("%s: the memory of this test is too small\n", p->what);
            abort();
        }
        b.t[i] = tensor_cols(t, 0, cols);
        d->ops->put(d, b.t[i], host);
    }
    return b;
}

static void set_value(void *out, enum dtype type, int64_t i, double v)
{
    if (type == DT_F32)
        ((float *)out)[i] = (float)v;
    else if (type == DT_BF16)
        ((uint16_t *)out)[i] = f32_to_bf16((float)v);
    else if (type == DT_I32)
        ((int32_t *)out)[i] = (int32_t)fabs(v);
    else
        ((uint8_t *)out)[i] = (uint8_t)fabs(v);
}

static void random_values(struct pair *p, void *out, enum dtype type, int64_t n, double scale)
{
    for (int64_t i = 0; i < n; i++)
        set_value(out, type, i, next_random(p) * scale);
}

both pair_tensor(struct pair *p, enum dtype type, int64_t rows, int64_t cols, int gap, double scale)
{
    void *host = host_memory((size_t)(rows * cols) * dtype_size(type));
    both b;

    random_values(p, host, type, rows * cols, scale);
    b = place(p, type, rows, cols, gap, host);
    free(host);
    return b;
}

both pair_same_value(struct pair *p, enum dtype type, int64_t rows, int64_t cols, double v)
{
    void *host = host_memory((size_t)(rows * cols) * dtype_size(type));
    both b;

    for (int64_t i = 0; i < rows * cols; i++)
        set_value(host, type, i, v);
    b = place(p, type, rows, cols, 0, host);
    free(host);
    return b;
}

both pair_ints(struct pair *p, int64_t rows, int64_t cols, const int32_t *values)
{
    return place(p, DT_I32, rows, cols, 0, values);
}

both pair_floats(struct pair *p, int64_t rows, int64_t cols, const float *values)
{
    return place(p, DT_F32, rows, cols, 0, values);
}

static int weight_of(struct pair *p, struct weight_spec s, int64_t rows, int64_t cols, int bias,
                     double scale)
{
    const int at = p->weights++;
    uint16_t *data = host_memory((size_t)(rows * cols) * 2), *b = host_memory((size_t)rows * 2);

    s.n = 1;
    s.name = p->what;
    assert(at < 32);
    random_values(p, data, DT_BF16, rows * cols, scale);
    random_values(p, b, DT_BF16, rows, 1);
    s.part[0] = (struct source){data, DTYPE_BF16, rows, cols};
    if (bias) s.bias[0] = (struct source){b, DTYPE_BF16, rows, 1};
    PAIR_EACH(p, i, d)
    {
        struct fail f = {0};

        p->weight[i][at] = NULL;
        if (d->ops->weight_new(d, &p->weight[i][at], &s, &f)) {
            printf("%s: %s\n", p->what, f.message);
            abort();
        }
        if (d->ops->weight_bytes(p->weight[i][at]) != d->ops->weight_size(d, &s)) {
            printf("%s: a weight's size is not what was planned\n", p->what);
            p->bad = 1;
        }
    }
    free(data);
    free(b);
    return at;
}

int pair_weight(struct pair *p, enum weight_use use, int64_t rows, int64_t cols, int k, int bias,
                double scale)
{
    return weight_of(p, (struct weight_spec){.use = use, .k = k}, rows, cols, bias, scale);
}

int pair_weight_up(struct pair *p, int64_t out, int64_t in, double scale)
{
    return weight_of(p, (struct weight_spec){.use = USE_CONV, .k = 3, .up = 1}, out, 9 * in, 1,
                     scale);
}

static double value(const void *p, enum dtype type, int64_t i)
{
    if (type == DT_F32) return (double)((const float *)p)[i];
    if (type == DT_BF16) return (double)bf16_to_f32(((const uint16_t *)p)[i]);
    if (type == DT_I32) return ((const int32_t *)p)[i];
    return ((const uint8_t *)p)[i];
}

static void *fetch(struct pair *p, struct dev *d, tensor t)
{
    void *host = host_memory((size_t)(t.rows * t.cols) * dtype_size(t.type));
    struct fail f = {0};

    memset(host, 0, (size_t)(t.rows * t.cols) * dtype_size(t.type));
    d->ops->get(d, host, t);
    if (d->ops->sync(d, &f)) {
        printf("%s: %s: %s\n", p->what, d->ops->name, f.message);
        p->bad = 1;
    }
    return host;
}

void pair_near(struct pair *p, both b, double tol)
{
    const enum dtype type = b.t[0].type;
    const int64_t n = b.t[0].rows * b.t[0].cols;
    void *ref = fetch(p, p->ref, b.t[0]), *dev = fetch(p, p->dev, b.t[1]);
    double top = 0, worst = 0;
    int64_t at = 0;
    double allowed, share;

    for (int64_t i = 0; i < n; i++) {
        const double w = value(ref, type, i), e = fabs(value(dev, type, i) - w);

        if (fabs(w) > top) top = fabs(w);
        if (!(e <= worst)) worst = e, at = i;
        if (isnan(e)) break;
    }
    allowed = tol > 0 ? tol * (top > 1e-30 ? top : 1e-30) : 0;
    if (!(worst <= allowed)) {
        printf("%s: row %lld, column %lld is %.9g, not %.9g (allowed %.3g)\n", p->what,
               (long long)(at / b.t[0].cols), (long long)(at % b.t[0].cols), value(dev, type, at),
               value(ref, type, at), allowed);
        p->bad = 1;
    }
    share = allowed > 0 ? worst / allowed : worst > 0 ? 1e9 : 0;
    if (!(share <= p->worst)) p->worst = share;
    free(ref);
    free(dev);
}

void pair_same(struct pair *p, tensor a, tensor b)
{
    const size_t n = (size_t)(a.rows * a.cols) * dtype_size(a.type);
    void *x = fetch(p, p->dev, a), *y = fetch(p, p->dev, b);

    if (a.rows != b.rows || a.cols != b.cols || memcmp(x, y, n) != 0) {
        printf("%s: differs in its bits\n", p->what);
        p->bad = 1;
    }
    free(x);
    free(y);
}

double pair_tol(const struct pair *p)
{
    return p->ref->type == DT_BF16 ? 8e-3 : 1e-5;
}
